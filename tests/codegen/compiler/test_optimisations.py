"""Every optimisation by its entry: results are the same with it, without it and forced, and its switch changes the code.

A new entry is tested by being in the table, on all programs; `REACHED_BY` names those that reach an older one.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optimised_programs
import pytest
from optimised_programs import PROGRAMS, results

import tensordsl
import tensordsl.tensor as T
from tensordsl.base.config import config
from tensordsl.codegen.abi.layouts import LIBRARY
from tensordsl.codegen.compiler.debug import plans_text
from tensordsl.codegen.compiler.modules import late_kernels, module_text
from tensordsl.codegen.compiler.optimisations import LEVELS, ROWS, THEANO, Optimisation, optimisations, switches
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.codegen.variants.selection import VARIANTS
from tensordsl.functions import native
from tensordsl.signature.modes import FAST_COMPILE, FAST_RUN, Mode

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
SWITCHED = [row for row in optimisations().values() if not row.is_required]
TOLERANCE = {"float32": 2e-5, "float64": 1e-12, "complex128": 1e-12}  # of the largest element: another order, rounding
BY_PROGRAM = {
    "sums": "long_rows",
    "row_sums": "half_registers long_rows short_rows_in_lanes",
    "softmax_of_rows": "stabilise divide_once row_by_row other_lanes",
    "softmax_of_columns": "stored_values segmented_reductions prefetch other_lanes",
    "standardised": "fusion segmented_reductions prefetch",
    "totals": "line_alignment",
    "distances": "short_rows_in_lanes lanes_across_rows long_rows line_alignment",
    "stacks": "lanes_across_rows stored_values",
    "pools": "unroll_pools unroll_axes strided_operands",
    "labels": "fusion collapse_axes sink_gathers",
    "sums_of_sums": "merge_reductions part_totals precompiled_kernels",
    "ten_sums": "add_sums",
    "constant_sums": "sum_repeated reduce_joined",
    "long_vectors": "streaming_stores half_registers",
    "strided": "strided_operands predicted_variants",
    "joined_columns": "interleaved_outputs",
    "permuted": "output_order predicted_variants compact_reductions",
    "stencil": "sum_around stencil_rows",
    "periodic": "share_rolls",
    "ring": "part_at_rolls",
    "repeated": "raise_merges unroll_axes",
    "formulas": "fusion fold_constants stabilise sink_slices",
    "small_integers": "narrow_integers row_by_row",
    "complex_numbers": "move_numbers",
    "joins": "compute_in_place",
    "rows_at_indices": "vectorised_rows",
    "counts": "fuse_scatters narrow_positions",
    "orders": "part_of_order ranks",
    "written_parts": "scatter_to_choice sum_by_slices add_to_given",
    "state": "merge_writes in_place_updates",
    "linear_model": "row_blocking in_place_updates fold_products finish_products",
    "attention": "batch_blocking",
    "factors": "native_lapack",
    "batches_of_factors": "matrices_in_threads",
    "pictures": "offset_convolutions",
    "structures": "log_of_determinants solve_for_inverses solve_by_structure factor_by_structure multiply_by_diagonals "
    "sum_diagonals",
    "products": "gemm_epilogues fold_products finish_products",
    "branches": "hoist_from_branches",
    "three_rounds": "unroll_loops",
    "layers": "merge_loops keep_rows",
    "recurrences": "eager_invariants merge_equal_loops index_ranges states_in_stacks joint_histories written_over",
    "recurrence": "rounds_in_registers",
    "recurrent_layer": "hoist_sequence_work sum_products_behind",
    "folds": "last_round sum_products_behind independent_rounds",
}
REACHED_BY: Mapping[str, Sequence[str]] = {
    name: [program for program, names in BY_PROGRAM.items() if name in names.split()]
    for name in " ".join(BY_PROGRAM.values()).split()
}
# Programs whose launches go to many techniques of the library.
OF_LIBRARY = "sums distances stacks strided permuted rows_at_indices counts orders attention products".split()
REGISTER_BYTES = {"line_alignment": 64, "half_registers": 64}  # of machines that use them


def digest(f: Any, mode: Any) -> str:
    """Of all code that a function may run, late kernels too."""
    executable = native.compile_spec(f.spec, mode).executable
    late = module_text(late_kernels([part for part in executable.late if part])).encode()
    parts = executable.kernels, executable.program, *executable.constants, late, str(executable.meta["late"]).encode()
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


@cache
def usual(name: str) -> tuple[str, list[Any]]:
    f, found = results(PROGRAMS[name], FAST_RUN)
    return digest(f, FAST_RUN), found


def check(row: Optimisation, found: Sequence[Any], wanted: Sequence[Any], what: str) -> None:
    for got, want in zip(found, wanted, strict=True):
        assert got.dtype == want.dtype
        if not row.changes:
            np.testing.assert_array_equal(got, want, err_msg=what)
            assert got.strides == want.strides, what
            continue
        largest = np.max(np.abs(want[np.isfinite(want)]), initial=1)
        tolerance = TOLERANCE.get(str(got.dtype), 0) * largest
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance, err_msg=what)


@pytest.mark.parametrize("row", [row for row in SWITCHED if row.level != "library"], ids=lambda row: row.name)
def test_results_are_the_same_with_it_without_it_and_forced(row: Optimisation) -> None:
    modes = {"off": FAST_RUN.excluding(row.name)}
    if row.is_forcible:
        modes["forced"] = FAST_RUN.forcing(row.name)
    changed = dict.fromkeys(modes, 0)
    for name in REACHED_BY.get(row.name, PROGRAMS):
        code, wanted = usual(name)
        for what, mode in modes.items():
            f, found = results(PROGRAMS[name], mode)
            check(row, found, wanted, f"{name}, {row.name} {what}")
            changed[what] += digest(f, mode) != code
    if Tuning.here().machine.vector_bytes >= REGISTER_BYTES.get(row.name, 0):
        assert changed["off"], f"no program here reaches {row.name}"


@pytest.mark.parametrize("flag", ["optimizer_excluding", "optimizer_forcing"])
def test_results_are_the_same_with_other_libraries(flag: str, tmp_path: Path) -> None:
    """Each technique by itself: `test_techniques`."""
    rows = [row for row in ROWS.values() if row.level == "library" and (row.is_forcible or "excluding" in flag)]
    found = tmp_path / "found"
    flags = f"compiledir={config.compiledir},{flag}={':'.join(row.name for row in rows)}"
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "TENSORDSL_FLAGS": flags, "PYTHONPATH": paths}
    command = [sys.executable, optimised_programs.__file__, str(found), *OF_LIBRARY]
    subprocess.run(command, env=environment, check=True)
    any_order = replace(rows[0], changes="the order of additions")
    for name, got in zip(OF_LIBRARY, pickle.loads(found.read_bytes()), strict=True):
        check(any_order, got, usual(name)[1], f"{name}, {flags}")


def test_the_library_is_not_switched_while_it_is_in_use() -> None:
    usual("ring")
    with pytest.raises(ValueError, match="'row_batches' is the library's, which a process has one of: TENSORDSL_FLAGS"):
        FAST_RUN.excluding("row_batches")
    x = T.dvector()
    with (
        config.change_flags(optimizer_excluding="row_batches"),
        pytest.raises(ValueError, match="row_batches.*: optimisations of the library, which is in use"),
    ):
        tensordsl.function([x], x + 1)


# -- the table, and how it is switched ---------------------------------------------------------------------------------
def test_entries_say_what_when_why_and_where() -> None:
    for row in optimisations().values():
        assert row.level in LEVELS and row.what and row.applies_when and row.why
        assert (ROOT / row.file).is_file(), f"{row.name}: {row.file}"
        for test in row.tests:
            assert [*(ROOT / "tests").rglob(f"{test}.py")], f"{row.name}: {test}"
        assert bool(row.objects) == (row.level == "library"), row.name
        assert {*row.objects} <= {name.partition("_")[0] for name in LIBRARY}, row.name


def test_variants_are_entries() -> None:
    for variant in VARIANTS:
        assert ROWS[variant.name].is_forcible or not variant.is_forcible
        assert variant.when and variant.cost


@pytest.mark.parametrize("switch", [Mode.excluding, Mode.including, Mode.forcing])
def test_wrong_names_are_refused_with_near_ones(switch: Any) -> None:
    with pytest.raises(ValueError, match="there is no optimisation 'line_aligment'; did you mean 'line_alignment'"):
        switch(FAST_RUN, "line_aligment")


@pytest.mark.parametrize(
    "name, own",
    [
        ("inplace", {"in_place_updates", "compute_in_place", "written_over"}), ("constant_folding", {"fold_constants"}),
        ("local_elemwise_fusion", {"fusion"}), ("fusion", {"fusion"}), ("stabilize", {"stabilise"}),
        ("scanOp_save_mem", {"keep_rows", "last_round"}), ("scanOp_merge", {"merge_loops", "merge_equal_loops"}),
        ("scanOp_make_inplace", {"written_over"}),
    ],
)  # fmt: skip
def test_a_theano_rewrite_means_ours_that_do_the_same(name: str, own: set[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert FAST_RUN.excluding(name).excluded == own and FAST_RUN.including(name).included == own
        with config.change_flags(optimizer_excluding=name):
            assert switches().excluded == own
    with pytest.raises(ValueError, match=f"there is no optimisation '{name}'|'fusion' cannot be forced"):
        FAST_RUN.forcing(name)


def test_theano_rewrites_that_none_of_ours_is_like_are_named_by_one_warning() -> None:
    names = ("local_useless_elemwise", "scanOp_pushout_nonseqs_ops", "merge", "BlasOpt", "gpuarray", "stabilise")
    with pytest.warns(UserWarning) as caught:
        mode = FAST_RUN.excluding(*names)
    assert mode.excluded == {"stabilise"} and len(caught) == 1 and caught[0].filename == __file__
    assert str(caught[0].message).startswith(f"excluding: without effect in tensordsl: {', '.join(names[:-1])} (")
    with pytest.warns(UserWarning, match="without effect in tensordsl: local_xyz"):
        assert FAST_RUN.including("fast_run", "merge", "local_xyz").included == frozenset()
    flags = config.change_flags(optimizer_excluding="local_one:fold_constants:local_two")
    with flags, pytest.warns(UserWarning, match="without effect in tensordsl: local_one, local_two") as caught:
        assert switches().excluded == {"fold_constants"}
        assert switches().excluded == {"fold_constants"}
    assert len(caught) == 1
    for table in THEANO.values():
        assert set(table) <= set(optimisations())


def test_what_cannot_be_forced_says_what_can() -> None:
    with pytest.raises(ValueError, match="'stabilise' cannot be forced; those that can: .*row_by_row"):
        FAST_RUN.forcing("stabilise")


def test_the_last_word_counts() -> None:
    mode = FAST_RUN.forcing("row_by_row").excluding("row_by_row")
    assert (mode.excluded, mode.forced) == ({"row_by_row"}, frozenset())
    mode = mode.forcing("row_by_row")
    assert (mode.excluded, mode.forced) == (frozenset(), {"row_by_row"})
    assert FAST_RUN.excluding("fold_constants").including("fold_constants").included == {"fold_constants"}


def test_flags_switch_for_all_modes_but_those_that_say_otherwise() -> None:
    with config.change_flags(optimizer_excluding="fold_constants: row_by_row", optimizer_forcing="long_rows"):
        assert switches().excluded == switches(FAST_COMPILE).excluded == {"fold_constants", "row_by_row"}
        assert switches(FAST_RUN.including("fold_constants")).excluded == {"row_by_row"}
        assert switches(FAST_RUN.forcing("row_by_row")).excluded == {"fold_constants"}
        assert switches(FAST_RUN.excluding("long_rows")).forced == frozenset()
        assert switches().text == "fold_constants:row_by_row;;long_rows"
    assert switches().text == ""
    with (
        config.change_flags(optimizer_excluding="prefetsh"),
        pytest.raises(ValueError, match="did you mean 'prefetch'"),
    ):
        switches()


def test_all_are_printed() -> None:
    command = [sys.executable, "-m", "tensordsl.passes"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for row in optimisations().values():
        assert f"  {row.name}" in text


def test_plans_say_which_variant_they_are_and_when_a_call_chooses_it() -> None:
    x = T.matrix()
    _, program, _ = make_program("f", [x], [], [T.nnet.softmax(x)], [], True)
    lines = plans_text(program.plans).split("\n")
    assert lines[0] == "  plan0: usual with lanes along a1" and len(lines) == len(program.plans)
    (line,) = (line for line in lines if "row_by_row" in line)
    assert line.endswith("lanes along a1, where there are fewer rows than are shared out among threads, and each is "
                         "worth several parts")  # fmt: skip
