"""The table of optimisations: each with a name, a switch, its condition and its reason.

Names -> `Optimisation`s; `known_names` refuses others and knows Theano's.  What is off or forced travels as a `Tuning`.
Read by modes, `python -m tensordsl.passes` and `benchmarks.ablation`, which measures each by leaving it out.  Tensor
passes are in `compiler.pipeline`.  Loads no other module of the compiler.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from tensordsl.base.config import config
from tensordsl.base.late import Late
from tensordsl.base.records import record
from tensordsl.codegen.library.techniques import TECHNIQUES
from tensordsl.graph.variables import user_level

if TYPE_CHECKING:
    from tensordsl.codegen.target.tuning import Tuning

LEVELS = ("tensor", "group", "program", "kernel", "library")
ORDER, ROUNDING = "the order of additions", "rounding"


@record
class Optimisation:
    """One entry of the catalogue.

    level: what it changes, one of `LEVELS`.  file: where it is, below the root of the sources.  tests: modules of
    tests by their names.  changes: what results may differ in without it, "" if in nothing.  is_forcible: it can be
    used wherever that is right, whether it pays or not; forced: fields of a tuning that let it.  objects: first words
    of names of the library's objects that it is in; a mode changes only what its functions have of it."""

    name: str
    level: str
    what: str
    applies_when: str
    why: str
    file: str
    tests: tuple[str, ...] = ()
    changes: str = ""
    is_forcible: bool = False
    objects: tuple[str, ...] = ()
    forced: tuple[tuple[str, Any], ...] = ()
    is_required: bool = False


# In the order in which they run.
GROUP = (
    Optimisation(
        "hoist_from_branches", "group",
        what="what branches on one condition share becomes a branch of its own",
        applies_when="several `ifelse`s have the same condition and values in common",
        why="a call that takes the other branch leaves the shared values out",
        file="codegen/fusion/hoist_from_branches.py", tests=("test_placement",),
    ),
    Optimisation(
        "fusion", "group",
        what="elementwise operations and reductions are computed by one loop nest",
        applies_when="rules R1 to R13 of codegen/fusion/inline.py cut nothing between them",
        why="values between them stay in registers, and operands are read once",
        file="codegen/fusion/partition.py", tests=("test_partition", "test_split_large"), changes=ROUNDING,
    ),
    Optimisation(
        "row_blocking", "group",
        what="a product, what reads its rows and a product that sums over them run block by block of rows",
        applies_when="a matrix of more bytes than a core's cache keeps is read by both products, and has few columns",
        why="the matrix comes from memory once, not twice",
        file="codegen/fusion/row_blocking.py", tests=("test_row_blocking",), changes=ORDER, is_forcible=True,
        forced=(("blocking.reread_min_bytes", 0),),
    ),
    Optimisation(
        "batch_blocking", "group",
        what="products of stacks, and rows of hidden layers, go with the groups between them some at a time",
        applies_when="only these steps read the values between them",
        why="values between the steps stay in the cache, and need storage for one block",
        file="codegen/fusion/batch_blocking.py", tests=("test_batches", "test_hidden_rows"), changes=ORDER,
    ),
    Optimisation(
        "fuse_scatters", "group",
        what="the group that computes terms adds them at their positions itself",
        applies_when="additions at positions follow a group over the same points, which knows the positions",
        why="terms and positions go through no memory",
        file="codegen/fusion/fuse_scatters.py", tests=("test_fuse_scatters",),
    ),
    Optimisation(
        "narrow_integers", "group",
        what="integers are computed in 16 or 32 bits",
        applies_when="the ranges of a group's numbers, from dtypes and constants, show that these are enough",
        why="a vector has two to eight times as many of them",
        file="codegen/fusion/narrow_integers.py", tests=("test_narrow_integers",),
    ),
    Optimisation(
        "interleaved_outputs", "group",
        what="outputs that are the columns of one join are stored together",
        applies_when="all outputs of an elementwise group stand side by side in one array",
        why="vectors are shuffled and stored whole, not element by element",
        file="codegen/variants/conditions.py", tests=("test_interleaved_columns", "test_strided_access"),
    ),
    Optimisation(
        "unroll_axes", "group",
        what="axes of few known elements become as many outputs",
        applies_when="an elementwise group repeats an operand along them, or they lie across adjacent elements",
        why="lanes run along the axis that is left, and what is repeated is loaded once",
        file="codegen/bufferise/unroll_axes.py", tests=("test_unroll_axes",),
    ),
    Optimisation(
        "collapse_axes", "group",
        what="axes that are one in memory become one axis, next to reductions",
        applies_when="all operands have the axes one behind the other, which a call may have to find out",
        why="short rows become a long one; matrices of rows become as many rows",
        file="codegen/bufferise/collapse_axes.py", tests=("test_collapse_axes",), changes=ORDER,
    ),
)  # fmt: skip

PROGRAM = (
    Optimisation(
        "compute_in_place", "program",
        what="parts of joins, and what is set into slices, are computed where they are wanted",
        applies_when="nobody else reads the part, and where it goes is known at entry",
        why="no copy, and no storage of its own",
        file="codegen/bufferise/compute_in_place.py", tests=("test_compute_in_place",),
    ),
    Optimisation(
        "in_place_updates", "program",
        what="new values of shared variables are computed in the storage of the old ones",
        applies_when="the old value is read at the points that are written alone, and nothing that may fail follows",
        why="no second array goes through the caches; writing some rows costs only these rows",
        file="codegen/bufferise/function.py", tests=("test_function",), changes=ORDER,
    ),
    Optimisation(
        "output_order", "program",
        what="results have the order in memory of what they are computed from",
        applies_when="one launch writes an output that nothing else reads",
        why="operands and result are walked along the same axis; NumPy's results have this order as well",
        file="codegen/bufferise/output_order.py", tests=("test_output_order",), changes="the strides of results",
    ),
    Optimisation(
        "native_lapack", "program",
        what="factors of matrices, and systems with them, are computed by functions over the LAPACK that NumPy brings",
        applies_when="the process has a LAPACK; else by a step of the host",
        why="a step of the host takes the GIL, copies its operands, and takes longer than a small matrix",
        file="codegen/constructs/factorise.py", tests=("test_factorise",), changes=ROUNDING,
    ),
    Optimisation(
        "matrices_in_threads", "program",
        what="threads share the matrices of a batch that LAPACK factors or solves",
        applies_when="they have more than 32 rows and columns, or as many elements, and fewer than 256",
        why="the LAPACK uses one thread for a matrix of this size",
        file="codegen/bufferise/matrices.py", tests=("test_factorise",),
    ),
    Optimisation(
        "offset_convolutions", "program",
        what="convolutions of floats are products whose second factor is read through a table of offsets",
        applies_when="results are real floats; without it windows are gathered and multiplied",
        why="windows take as many times the input's memory as weights have taps",
        file="codegen/library/conv/driver.py", tests=("test_conv_kernels",), changes=ORDER,
    ),
    Optimisation(
        "rounds_in_registers", "program",
        what="loops of short rounds become one kernel, with what they carry in registers",
        applies_when="a round has only elementwise work on scalars and one short axis, whose lanes fit registers where "
        "they are reduced, and reads what it writes by carrying it alone",
        why="a round costs its arithmetic: no launch, no store and load of what is carried",
        file="codegen/rounds/rewrite.py", tests=("test_short_rounds", "test_rewrite"), changes=ORDER,
    ),
    Optimisation(
        "rounds_in_memory", "program",
        what="loops of rounds on small arrays become one kernel: products, factors and systems of small matrices, and "
        "groups over several axes, one behind the other on the memory that they have",
        applies_when="lengths are few, and a round has no other steps; not for loops that `rounds_in_registers` takes",
        why="a product, a factor or a launch of a few elements takes as long as its description",
        file="codegen/rounds/inline.py", tests=("test_rounds_of_matrices", "test_rewrite"), changes=ORDER,
    ),
    Optimisation(
        "gemm_epilogues", "program",
        what="what is computed of a product goes through it block by block, as soon as a block is written",
        applies_when="the launch directly behind a product reads it at its own points alone",
        why="the product is in the cache, and never in memory",
        file="codegen/program_ir/gemm_epilogues.py", tests=("test_gemm_epilogues",),
    ),
    Optimisation(
        "long_rows", "program",
        what="a variant of reductions along rows without the form for short rows",
        applies_when="a call's rows have more elements than go side by side",
        why="the kernel that a long row needs is half as large",
        file="codegen/variants/selection.py", tests=("test_kernels",), is_forcible=True, changes=ORDER,
    ),
    Optimisation(
        "row_by_row", "program",
        what="a variant of reductions along rows that does each row in parts",
        applies_when="there are few rows, each worth several parts",
        why="threads share a row; states of float32 add up less",
        file="codegen/variants/selection.py", tests=("test_parallel_reductions",), is_forcible=True, changes=ORDER,
    ),
    Optimisation(
        "other_lanes", "program",
        what="a variant with lanes along rows in the place of their elements, or the reverse",
        applies_when="the lanes' axis is short, or elements are adjacent along another one",
        why="vectors are full, and loaded whole",
        file="codegen/variants/selection.py", tests=("test_permuted_layouts", "test_predict"),
        is_forcible=True, changes=ORDER,
    ),
    Optimisation(
        "lanes_across_rows", "program",
        what="a variant with lanes along an outer axis, for which blocks of rows are transposed",
        applies_when="all other axes are short, or elements are adjacent along the outer one",
        why="a vector holds one element of each of many short rows",
        file="codegen/variants/selection.py", tests=("test_lanes_across_rows", "test_few_short_rows"), is_forcible=True,
        changes=ORDER,
    ),
    Optimisation(
        "strided_operands", "program",
        what="a variant whose kernels load and store slices with small steps as they stand",
        applies_when="every operand is a slice of adjacent elements whose step is known when the kernel is made",
        why="whole vectors are loaded and shuffled; nothing is copied first",
        file="codegen/llvm/strided_access.py", tests=("test_strided_access",), changes=ORDER,
    ),
    Optimisation(
        "predicted_variants", "program",
        what="kernels of variants that known lengths decide on are compiled with the function",
        applies_when="shared variables' lengths decide a condition",
        why="one module of kernels compiles faster than two",
        file="codegen/variants/predict.py", tests=("test_predict",),
    ),
    Optimisation(
        "precompiled_kernels", "program",
        what="kernels that many programs have are the library's",
        applies_when="a group and its schedule, or a kernel's text, are one of those",
        why="they are compiled once a machine",
        file="codegen/compiler/precompiled_kernels.py", tests=("test_precompiled_kernels",),
    ),
)  # fmt: skip

LOOPS = (
    Optimisation(
        "merge_equal_loops", "program",
        what="loops of the same rounds are one loop, which stacks what any of them wants",
        applies_when="counts, initial values and bodies are equal, as of a loop and of the one that keeps histories "
        "for its gradient",
        why="a round is computed once",
        file="codegen/tensor_ir/equal_loops.py", tests=("test_equal_loops",),
    ),
    Optimisation(
        "eager_invariants", "program",
        what="what a loop reads that no round changes is computed before it, whether there is a round or not",
        applies_when="always; a call that fails there, though no round needs it, is made again without",
        why="passes see through the loop, and its results are computed in their places",
        file="codegen/tensor_ir/lower.py", tests=("test_no_rounds",),
    ),
    Optimisation(
        "unroll_loops", "program",
        what="the rounds of a short loop are written out, one behind the other",
        applies_when="they are at most four, of few operations, without effects, branches or loops of their own",
        why="one loop nest computes several rounds, and a gradient needs no history",
        file="codegen/constructs/loops.py", tests=("test_unrolled_loops",), changes=ORDER,
    ),
    Optimisation(
        "index_ranges", "program",
        what="an index that is in range in every round is not checked, and wrapped where it may be negative alone",
        applies_when="the number of rounds, and what was checked of it, show the range",
        why="an element of a sequence is an address and an offset",
        file="codegen/tensor_ir/extents.py", tests=("test_index_ranges",),
    ),
    Optimisation(
        "states_in_stacks", "program",
        what="a carried value that is stacked is read there, and one that moves up a place moves by its address",
        applies_when="the rows of the stack are in C order",
        why="a round copies no state",
        file="codegen/bufferise/loops.py", tests=("test_loop_storage",),
    ),
    Optimisation(
        "joint_histories", "program",
        what="what rounds begin with and what they end with are stacked in one array with one row more",
        applies_when="something reads a stack of what rounds begin with, as gradients do, and it is no result itself",
        why="both stacks hold the same values, one place apart",
        file="codegen/bufferise/loops.py", tests=("test_loop_storage",),
    ),
    Optimisation(
        "written_over", "program",
        what="a carried value is computed in the storage of the value that it replaces",
        applies_when="a part of it is set, or each element is computed of the old one at its place; all else that "
        "reads the old value comes before",
        why="setting a row costs a row, and sums that run stay in the cache",
        file="codegen/bufferise/written_over.py", tests=("test_loop_storage",),
    ),
)  # fmt: skip

KERNEL = (
    Optimisation(
        "short_rows_in_lanes", "kernel",
        what="short rows of a reduction are done several side by side, each in a vector of its own",
        applies_when="rows are reduced along the lanes by few operations, and not stored",
        why="folding the lanes of one row costs as much as the row",
        file="codegen/cpu/short_rows.py", tests=("test_kernels", "test_vectorise_rows"), changes=ORDER,
    ),
    Optimisation(
        "segmented_reductions", "kernel",
        what="several short rows of a reduction along rows are taken as one, and the states are folded",
        applies_when="lanes run along few columns, and rows lie one behind the other",
        why="vectors are full where a row has less elements than a vector",
        file="codegen/library/loops/short_rows/reduce_wide.py", tests=("test_reduce_wide",), changes=ORDER,
    ),
    Optimisation(
        "stencil_rows", "kernel",
        what="kernels do up to three rows at once",
        applies_when="operands are slices of one tensor, a few rows from each other",
        why="what rows share is loaded and computed once",
        file="codegen/cpu/stencil_rows.py", tests=("test_stencil_rows",),
    ),
    Optimisation(
        "vectorised_rows", "kernel",
        what="rows of a scalar each are done several at once",
        applies_when="kernels compute integers, as positions of rows, from adjacent operands",
        why="each by itself costs as much as a short row",
        file="codegen/cpu/vectorise_rows.py", tests=("test_vectorise_rows",),
    ),
    Optimisation(
        "streaming_stores", "kernel",
        what="a second loop writes by non-temporal stores, which bypass the caches",
        applies_when="kernels of few operations write adjacent elements; a launch takes it where no cache keeps them",
        why="memory need not be read before it is written",
        file="codegen/cpu/streaming_stores.py", tests=("test_streaming_stores",),
    ),
    Optimisation(
        "prefetch", "kernel",
        what="loops prefetch the rows or vectors that come",
        applies_when="several passes read a row; or no cache has it, and the processor itself prefetches too little",
        why="memory answers while the core computes",
        file="codegen/cpu/prefetch.py", tests=("test_prefetch",), changes=ORDER, is_forcible=True,
    ),
    Optimisation(
        "line_alignment", "kernel",
        what="vectors of sums and of extrema begin on cache lines",
        applies_when="registers are as long as cache lines, and rows are long",
        why="a load that straddles two lines takes as long as two",
        file="codegen/cpu/aligned_rows.py", tests=("test_sum_errors", "test_extremum", "test_aligned_columns"),
        changes=ORDER, is_forcible=True,
    ),
    Optimisation(
        "half_registers", "kernel",
        what="loops that load and store more than they compute use registers of 32 bytes",
        applies_when="processors with AVX-512 that are slower with whole registers there",
        why="fewer loads straddle lines, and the clock stays higher",
        file="codegen/cpu/kernel.py", tests=("test_kernels",), changes=ORDER, is_forcible=True,
    ),
    Optimisation(
        "stored_values", "kernel",
        what="expensive values that several passes need are stored in an output until its own pass",
        applies_when="no later pass reads an operand that may be the output's storage",
        why="exponentials of a softmax are computed once",
        file="codegen/cpu/schedule.py", tests=("test_overwritten_rows",), changes=ROUNDING,
    ),
)  # fmt: skip

LIBRARY = tuple(
    Optimisation(
        row.name, "library", row.what, row.applies_when, row.why, row.file, row.tests, row.changes, row.is_forcible,
        row.objects,
    )
    for row in TECHNIQUES
)  # fmt: skip

ROWS: Mapping[str, Optimisation] = {row.name: row for row in (*GROUP, *PROGRAM, *LOOPS, *KERNEL, *LIBRARY)}
# Theano's rewrites, and groups of these, that do what some of ours do.
_FUSION, _IN_PLACE = ("fusion",), ("in_place_updates", "compute_in_place", "written_over")
THEANO: Mapping[str, tuple[str, ...]] = {
    "constant_folding": ("fold_constants",), "stabilize": ("stabilise",), "conv_gemm": (), "BlasOpt": (),
    **dict.fromkeys(("elemwise_fusion", "local_elemwise_fusion", "composite_elemwise_fusion"), _FUSION),
    **dict.fromkeys(("inplace", "inplace_opt", "inplace_elemwise_opt", "inplace_elemwise_optimizer"), _IN_PLACE),
    **dict.fromkeys(("local_sum_sum", "local_op_of_op"), ("merge_reductions",)),
    "local_opt_alloc": ("sum_repeated",), "local_reduce_join": ("reduce_joined",),
    "local_subtensor_lift": ("sink_slices",),
    "scan_make_inplace": ("written_over",), "scanOp_make_inplace": ("written_over",),
    "scan_save_mem": ("keep_rows", "last_round"), "scanOp_save_mem": ("keep_rows", "last_round"),
    "scan_merge": ("merge_loops", "merge_equal_loops"), "scanOp_merge": ("merge_loops", "merge_equal_loops"),
    "scanOp_pushout_seqs_ops": ("independent_rounds", "hoist_sequence_work"),
    "scan_pushout_dot1": ("sum_products_behind",), "scanOp_pushout_output": ("sum_products_behind",),
}  # fmt: skip
# Done in every mode that optimises: including them needs no word.
THEANO_ALWAYS = frozenset(
    "fast_run fast_compile merge canonicalize specialize uncanonicalize cse ShapeOpt scan None".split()
)
THEANO_OTHERS = frozenset(("gpu", "gpuarray", "dnn", "cudnn", "mkl", "add_no_output_from_inplace"))
THEANO_PREFIXES = ("local_", "gpu_", "gpuarray_", "conv_", "scan_", "scanOp_", "inplace_")


@record
class Switches:
    """What a mode and the flags say of optimisations; a mode's own word counts more."""

    excluded: frozenset[str]
    included: frozenset[str]
    forced: frozenset[str]

    @property
    def text(self) -> str:
        """For keys of caches: "" for the usual choice."""
        chosen = self.excluded, self.included, self.forced
        return ";".join(":".join(sorted(names)) for names in chosen) if any(chosen) else ""

    @property
    def of_library(self) -> Switches:
        """What is left out or forced of objects of the library, which a process loads once."""
        return self._of(row for row in ROWS.values() if row.objects)

    def of_part(self, part: str) -> Switches:
        """What changes an object of the library (`abi.layouts.LIBRARY`): the kernels of programs change with all."""
        word = part.partition("_")[0]
        return self if word == "common" else self._of(row for row in ROWS.values() if word in row.objects)

    def _of(self, rows: Iterable[Optimisation]) -> Switches:
        names = frozenset(row.name for row in rows)
        return Switches(self.excluded & names, frozenset(), self.forced & names)

    def tuned(self, tuning: Tuning | None) -> Tuning | None:
        """A tuning (None: this machine's) without what is left out, and with what is forced."""
        off, forced = self.excluded & ROWS.keys(), self.forced
        if not (off or forced):
            return tuning
        from tensordsl.codegen.target.tuning import Tuning  # late: a warm start needs none

        tuning = (tuning or Tuning.here()).without(*off).forcing(*forced)
        for group, value in [field for name in sorted(forced) for field in ROWS[name].forced]:
            room, _, name = group.partition(".")
            tuning = replace(tuning, **{room: replace(getattr(tuning, room), **{name: value})})
        return tuning


def switches(mode: Any = None) -> Switches:
    """What a `tensordsl.signature.modes.Mode` and `config.optimizer_excluding`, `_including` and `_forcing` choose.
    Raises ValueError for names of no optimisation in the flags."""
    excluded, included = _flag(config.optimizer_excluding), _flag(config.optimizer_including, "including")
    forced = _flag(config.optimizer_forcing, "forcing")
    if mode is not None:
        own = mode.included | mode.forced
        excluded, included, forced = (excluded - own) | mode.excluded, included | mode.included, forced | mode.forced
        included, forced = included - mode.excluded, forced - mode.excluded
    return Switches(excluded, included, forced)


@cache
def _flag(text: str, switch: str = "excluding") -> frozenset[str]:
    names = dict.fromkeys(name.strip() for name in text.split(":") if name.strip())
    return known_names(names, switch, are_flags=True)


def tensor_passes() -> list[Optimisation]:
    """The entries of `compiler.pipeline`, in their order."""
    from tensordsl.codegen.compiler import pipeline  # late: it is the compiler

    rows = []
    for step in (*pipeline.PIPELINE, *pipeline.FINISH):
        run = step.run.function if isinstance(step.run, Late) else step.run
        contract = (run.__doc__ or "").strip().partition("\n\n")[0]
        ops = ", ".join(sorted(step.ops))
        rows.append(
            Optimisation(
                step.name,
                "tensor",
                what=" ".join(contract.split()),
                applies_when=f"there are values of these ops: {ops}" if ops else "always",
                why=step.reason,
                file=step.file or run.__module__.removeprefix("tensordsl.").replace(".", "/") + ".py",
                tests=("test_pipeline",),
                changes=ROUNDING,
                is_required=isinstance(step, pipeline.Pass) and step.required,
            )
        )
    return rows


def optimisations() -> dict[str, Optimisation]:
    """All, by name, in the order of `LEVELS`."""
    return {row.name: row for row in (*tensor_passes(), *ROWS.values())}


def known_names(names: Iterable[str], switch: str, are_flags: bool = False) -> frozenset[str]:
    """The optimisations that names mean: our own, and those that do what a rewrite of Theano's does; one warning names
    the rewrites that none of ours is like.

    switch: "excluding", "including" or "forcing", which only takes our own.  Raises ValueError for names of no
    optimisation, of some that cannot be forced, and, but in flags, of those that the library has for the whole process.
    """
    own, without_effect = set[str](), list[str]()
    for name in names:
        same = (name,) if switch == "forcing" or name in ROWS else _like(name)
        own.update((name,) if same is None else same)
        if same == () and not (switch == "including" and name in THEANO_ALWAYS):
            without_effect.append(name)
    known = ROWS if own <= ROWS.keys() else optimisations()
    for name in sorted(own):
        _check(name, known, switch == "forcing", are_flags)
    if without_effect:
        warnings.warn(
            f"{switch}: without effect in tensordsl: {', '.join(without_effect)} (`python -m tensordsl.passes` prints "
            "what can be switched)",
            stacklevel=user_level(),
        )
    return frozenset(own)


def _like(name: str) -> tuple[str, ...] | None:
    """Our optimisations that do what Theano's rewrite of this name does; None if Theano has none."""
    is_theano = name in THEANO_ALWAYS or name in THEANO_OTHERS or name.startswith(THEANO_PREFIXES)
    return THEANO.get(name, () if is_theano else None)


def _check(name: str, known: Mapping[str, Optimisation], is_forced: bool, is_flag: bool) -> None:
    row = known.get(name)
    if row is None:
        from difflib import get_close_matches  # late: an error

        near = get_close_matches(name, known, 3, 0.5)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(f"there is no optimisation {name!r}{hint} (`python -m tensordsl.passes` prints all)")
    if is_forced and not row.is_forcible:
        possible = ", ".join(sorted(row.name for row in ROWS.values() if row.is_forcible))
        raise ValueError(f"the optimisation {name!r} cannot be forced; those that can: {possible}")
    if row.level == "library" and not is_flag:
        raise ValueError(
            f"the optimisation {name!r} is the library's, which a process has one of: "
            f"TENSORDSL_FLAGS=optimizer_excluding={name} switches it off for a process"
        )
