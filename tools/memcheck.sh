#!/usr/bin/env bash
# A slice of the tests under valgrind's memcheck: `bash tools/memcheck.sh [LOG]`, with the Python of the environment.
# First without it, so that the compiler's disk cache is full.  Valgrind knows no AVX-512, so code is compiled for AVX2
# and OpenBLAS told of a processor that has no more.  The status is memcheck's: 9 if it found errors, else pytest's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=${1:-memcheck.log}
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
export TENSORDSL_FLAGS="compiledir=$cache,cpu=x86-64-v3" PYTHONMALLOC=malloc OPENBLAS_CORETYPE=Haswell OPENBLAS_NUM_THREADS=1
export PYTHONPATH=.
functions=tests/behaviour/functions
state=tests/runtime/calls/test_state.py rows=$functions/test_row_updates.py calls=$functions/test_calls.py
index=tests/behaviour/ops/array/test_index.py products=tests/codegen/passes/test_fold_gemm.py
random=$functions/test_random.py c=$functions/test_c_functions.py
slice=(
    tests/behaviour/functions/test_held_state.py
    $state::test_an_update_nobody_can_see_is_in_place
    $state::test_an_update_that_somebody_could_see_goes_elsewhere
    $state::test_fresh_updates_swap_and_reuse_the_spare
    $state::test_pinned_calls_without_the_gil
    $state::test_reentry_through_a_callback_raises
    $rows::test_a_call_that_fails_changes_nothing
    $rows::test_rows_under_a_mask_or_found_at_run_time
    $rows::test_exchanged_variables_and_the_same_value_twice
    $rows::test_storage_that_somebody_holds_is_left_alone
    $index::test_setting_and_adding
    $index::test_take_and_diagonal
    $index::test_errors
    $products::test_a_product_as_new_state_is_computed_there
    $products::test_a_decay_is_part_of_the_product
    $products::test_an_update_by_products_of_stacks_is_made_in_place
    $random::test_draws_go_on_from_call_to_call_and_a_seed_repeats_them
    $random::test_updates_can_be_left_out_given_and_taken_back
    $calls::test_unusual_arrays_give_the_right_result_and_are_never_changed
    $calls::test_an_argument_for_a_state_is_forgotten_if_the_call_fails
    $calls::test_wrong_calls_name_the_input
    $c::test_it_gives_the_same_bits
    $c::test_threads_call_at_once
    $c::test_failures_say_what_is_wrong
    $c::test_arguments_and_results_that_do_not_fit
    $c::test_a_density_with_its_gradient
    $c::test_an_address_whose_owner_is_gone_says_so
)
run=(python -m pytest -q -p no:xdist -p no:cacheprovider -p no:faulthandler "${slice[@]}")
"${run[@]}"
valgrind --tool=memcheck --leak-check=no --num-callers=30 --error-exitcode=9 --suppressions=tools/valgrind.supp \
    --child-silent-after-fork=yes --log-file="$log" "${run[@]}"
