"""The compilation pipeline: the list of passes, and the stages from the user's graph to object code.

`compile_graph` lowers, optimises, bufferises and emits; `PIPELINE` has the passes, each with the reason for its place.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Collection, Sequence
from functools import partial, wraps
from typing import Any

from tensordsl.base.config import config
from tensordsl.base.late import Late
from tensordsl.base.records import kept, record
from tensordsl.codegen import (
    constructs as constructs,  # registers the constructs, which passes and bufferising look up
)
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.abi.layouts import USUAL_LENGTHS
from tensordsl.codegen.bufferise.function import build_program
from tensordsl.codegen.bufferise.serialise import pack_plans
from tensordsl.codegen.compiler.debug import PassReport, Trace, groups_text, plans_text
from tensordsl.codegen.compiler.modules import Found, common_kernels, loads_forward, module_text, take_common_plan
from tensordsl.codegen.compiler.optimisations import switches
from tensordsl.codegen.fusion.placement import needed_rounds
from tensordsl.codegen.host.emitter import emit_program
from tensordsl.codegen.llvm import compile as llvm
from tensordsl.codegen.passes import rules
from tensordsl.codegen.passes.canonicalise import canonicalise, settle_leaves
from tensordsl.codegen.passes.complex_moves import move_numbers
from tensordsl.codegen.passes.context import Context, count_users, frozen_values
from tensordsl.codegen.passes.fold_constants import fold_constants
from tensordsl.codegen.passes.fold_gemm import finish_products, fold_products
from tensordsl.codegen.passes.linalg.determinants import log_of_determinants
from tensordsl.codegen.passes.loops.keep_rows import keep_rows
from tensordsl.codegen.passes.loops.merge_loops import merge_loops
from tensordsl.codegen.passes.merge_reductions import (
    add_sums,
    merge_reductions,
    part_totals,
    reduce_joined,
    sum_repeated,
)
from tensordsl.codegen.passes.narrow_indices import narrow_positions
from tensordsl.codegen.passes.peel_rolls import part_at_rolls
from tensordsl.codegen.passes.rewrite_scatters import add_to_given, merge_writes, scatter_to_choice, sum_by_slices
from tensordsl.codegen.passes.stabilise import divide_once, of_exponentials
from tensordsl.codegen.passes.unmerge_axes import raise_merges
from tensordsl.codegen.program_ir.check_storage import check_storage
from tensordsl.codegen.program_ir.instructions import Program, walk_program
from tensordsl.codegen.program_ir.printer import show as show_program
from tensordsl.codegen.program_ir.tables import constant_table, idle_plans, late_plans, libraries, plan_table
from tensordsl.codegen.program_ir.verify import verify
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.codegen.tensor_ir.construct import (
    ALONG,
    ASSERT,
    CHOLESKY,
    CONCATENATE,
    DOT,
    FOR,
    INC_SUBTENSOR,
    INC_TAKE,
    LU_SOLVE,
    PART,
    RESHAPE,
    SOLVE_TRIANGULAR,
    SUBTENSOR,
)
from tensordsl.codegen.tensor_ir.graph import Graph, Value, rewrite, show, toposort
from tensordsl.codegen.tensor_ir.lower import Lowered, lower
from tensordsl.codegen.tensor_ir.verify import verify_ir
from tensordsl.codegen.variants.predict import predicted_plans
from tensordsl.graph.variables import Variable


# -- passes ----------------------------------------------------------------------------------------------------------
@record
class Pass:
    """One walk over the IR, operands first.

    run(context, value) -> what the value becomes, or None; `Late` for what few programs have.  `reason`: why the pass
    stands at its place.  A required pass runs in every mode; needs_users: it needs the number of users of values; ops:
    what it rewrites (empty: all); file: of its equations, if not that of `run`.
    """

    name: str
    run: Callable[[Context, Value], Value | None]
    reason: str
    required: bool = False
    needs_users: bool = False
    ops: frozenset[str] = frozenset()
    file: str = ""


def stabilise(ctx: Context, v: Value) -> Value | None:
    """The equations of `rules`, exact ones and more accurate ones, and those of softmax and sums of exponentials."""
    return rules.every().apply(ctx.graph, v, ctx.hits, ctx.users) or of_exponentials(ctx, v)


Values = list[Value]
Updates = list[tuple[int, Value]]
MAPS = frozenset(("map",))
SOLVES = frozenset((LU_SOLVE, SOLVE_TRIANGULAR, "result", ASSERT))
FACTORS = frozenset((CHOLESKY, "result", ASSERT))
PIPELINE = (
    Pass(
        "canonicalise", canonicalise, required=True,
        reason="first: lowering learns late which lengths are equal; from here on equal values are one value",
    ),
    Pass(
        "fold_constants", fold_constants, ops=MAPS,
        reason="before the rules: they look for constants (the 2 - 1 in the gradient of x ** 2)",
    ),
    Pass(
        "stabilise", stabilise, ops=MAPS, needs_users=True, file="codegen/passes/stabilise.py",
        reason="before anything moves: its patterns are the user's formulas",
    ),
    Pass(
        "log_of_determinants", log_of_determinants, ops=MAPS,
        reason="after the rules, which look for other logarithms; before factor_by_structure, which takes the formula "
        "of a determinant to pieces",
    ),
    Pass(
        "solve_for_inverses", Late("tensordsl.codegen.passes.linalg.solves", "solve_for_inverses"),
        ops=frozenset((DOT,)), needs_users=True,
        reason="after the rules, which bring the user's formulas into their usual forms; before products get sums to "
        "add to",
    ),
    Pass(
        "solve_by_structure", Late("tensordsl.codegen.passes.linalg.solves", "solve_by_structure"),
        ops=SOLVES, needs_users=True,
        reason="after solve_for_inverses, which makes solves; before factor_by_structure, to which it leaves only what "
        "determinants read",
    ),
    Pass(
        "factor_by_structure", Late("tensordsl.codegen.passes.linalg.factors", "factor_by_structure"),
        ops=FACTORS, needs_users=True,
        reason="after solve_by_structure: what solves need of factors that are products of known ones is gone",
    ),
    Pass(
        "multiply_by_diagonals", Late("tensordsl.codegen.passes.linalg.products", "multiply_by_diagonals"),
        ops=frozenset((DOT,)),
        reason="before fold_products: a product with a diagonal matrix takes no part in sums and chains of products",
    ),
    Pass(
        "sum_diagonals", Late("tensordsl.codegen.passes.linalg.products", "sum_diagonals"),
        ops=frozenset(("take",)), needs_users=True,
        reason="before fold_products, which changes the products that it looks for; before merge_reductions, which "
        "adds up the diagonal of a trace",
    ),
    Pass(
        "divide_once", divide_once, ops=MAPS,
        reason="after the rules, which look for a softmax's division",
    ),
    Pass(
        "sum_repeated", sum_repeated, ops=frozenset(("reduce",)),
        reason="after the rules, which look for sums of exponentials; sums that are left may merge",
    ),
    Pass(
        "reduce_joined", reduce_joined, ops=frozenset(("reduce",)), needs_users=True,
        reason="after the rules; before slices move into what is joined",
    ),
    Pass(
        "merge_reductions", merge_reductions, ops=frozenset(("reduce",)), needs_users=True,
        reason="after the rules, which look for sums of exponentials; before slices move into reductions",
    ),
    Pass(
        "add_sums", add_sums, ops=MAPS, needs_users=True,
        reason="after sums of sums are one; before slices move into reductions",
    ),
    Pass(
        "last_round", Late("tensordsl.codegen.passes.sink_slices", "last_round"),
        ops=frozenset((SUBTENSOR,)),
        reason="before loops give work away, which look for results that are read",
    ),
    Pass(
        "sum_products_behind", Late("tensordsl.codegen.passes.loops.sum_products_behind", "sum_products_behind"),
        ops=frozenset(("result",)), needs_users=True,
        reason="after the rules, which look for the user's formulas; before products go in front of the loop: a sum of "
        "products needs no stack of them",
    ),
    Pass(
        "independent_rounds", Late("tensordsl.codegen.passes.loops.independent_rounds", "independent_rounds"),
        ops=frozenset(("result",)),
        reason="after sum_products_behind: a loop without its sums may carry nothing; before products of its rounds go "
        "before it",
    ),
    Pass(
        "hoist_sequence_work", Late("tensordsl.codegen.passes.loops.hoist_sequence_work", "hoist_sequence_work"),
        ops=frozenset((DOT,)),
        reason="after the rules, which look for the user's formulas; before products get sums to add to",
    ),
    Pass(
        "fold_products", fold_products, ops=frozenset((DOT, "map")), needs_users=True,
        reason="after the rules, which bring signs and factors together",
    ),
    Pass(
        "scatter_to_choice", scatter_to_choice, ops=frozenset((INC_TAKE,)),
        reason="after the rules, which look for the user's formulas; before slices, which move into choices",
    ),
    Pass(
        "merge_writes", merge_writes, ops=frozenset((INC_TAKE, "map")), needs_users=True,
        reason="after the writes that are none; before slices, which move into what is written",
    ),
    Pass(
        "sum_by_slices", sum_by_slices, ops=frozenset((INC_SUBTENSOR,)), needs_users=True,
        reason="before what is added to zeros is set",
    ),
    Pass(
        "sum_around", Late("tensordsl.codegen.passes.overlap_add", "sum_around"),
        ops=frozenset((INC_SUBTENSOR,)), needs_users=True,
        reason="after sum_by_slices, so that each slice is added to once; before what is added to zeros is set",
    ),
    Pass(
        "add_to_given", add_to_given, ops=frozenset((INC_SUBTENSOR,)),
        reason="before slices, which move into what is added",
    ),
    Pass(
        "part_of_order", Late("tensordsl.codegen.passes.partial_sort", "part_of_order"),
        ops=frozenset((SUBTENSOR,)), needs_users=True,
        reason="after canonicalise, which makes one slice of several",
    ),
    Pass(
        "ranks", Late("tensordsl.codegen.passes.partial_sort", "ranks"),
        ops=frozenset((ALONG,)),
        reason="after part_of_order: of an order that is looked at in parts nothing is undone",
    ),
    Pass(
        "part_at_rolls", part_at_rolls, ops=MAPS,
        reason="after the rules, which look for the user's formulas; before share_rolls, for which a copy is left",
    ),
    Pass(
        "share_rolls", Late("tensordsl.codegen.passes.share_rolls", "share_rolls"),
        ops=frozenset((CONCATENATE,)),
        reason="before slices, which move into what is rolled",
    ),
    Pass(
        "raise_merges", raise_merges, needs_users=True,
        reason="after the rules; before slices, which move into what is computed",
    ),
    Pass(
        "sink_slices", Late("tensordsl.codegen.passes.sink_slices", "sink_slices"),
        ops=frozenset((SUBTENSOR, RESHAPE)), needs_users=True,
        reason="after the formulas are known: it takes them apart",
    ),
    Pass(
        "sink_gathers", Late("tensordsl.codegen.passes.sink_gathers", "sink_gathers"),
        ops=frozenset(("take",)), needs_users=True,
        reason="after sink_slices: a gather of a slice has become one of the sliced",
    ),
    Pass(
        "unroll_pools", Late("tensordsl.codegen.passes.unroll_pooling", "unroll_pools"),
        ops=frozenset(("reduce",)), needs_users=True,
        reason="after sink_slices: what is reduced is final, and its slices stay",
    ),
    Pass(
        "part_totals", part_totals, ops=frozenset(("reduce",)),
        reason="last: what stands in front of reductions is final, and merge_reductions would undo it",
    ),
)  # fmt: skip

# (earlier, later): the reasons above as facts that a test checks.
MUST_PRECEDE = (
    ("canonicalise", "fold_constants"), ("fold_constants", "stabilise"),
    ("stabilise", "divide_once"),
    ("stabilise", "log_of_determinants"),
    ("log_of_determinants", "factor_by_structure"),
    ("stabilise", "solve_for_inverses"), ("solve_for_inverses", "solve_by_structure"),
    ("solve_by_structure", "factor_by_structure"), ("solve_for_inverses", "fold_products"),
    ("multiply_by_diagonals", "fold_products"), ("sum_diagonals", "fold_products"),
    ("sum_diagonals", "merge_reductions"),
    ("stabilise", "merge_reductions"), ("stabilise", "fold_products"), ("stabilise", "sink_slices"),
    ("stabilise", "sum_repeated"), ("sum_repeated", "merge_reductions"), ("stabilise", "reduce_joined"),
    ("reduce_joined", "sink_slices"), ("merge_reductions", "add_sums"), ("add_sums", "sink_slices"),
    ("fold_products", "sink_slices"),
    ("stabilise", "scatter_to_choice"), ("scatter_to_choice", "merge_writes"),
    ("merge_writes", "sink_slices"), ("sink_slices", "sink_gathers"), ("canonicalise", "part_of_order"),
    ("canonicalise", "share_rolls"), ("share_rolls", "sink_slices"),
    ("stabilise", "part_at_rolls"), ("part_at_rolls", "share_rolls"),
    ("sum_by_slices", "sum_around"), ("sum_around", "add_to_given"), ("add_to_given", "sink_slices"),
    ("part_of_order", "ranks"), ("stabilise", "raise_merges"), ("raise_merges", "sink_slices"),
    ("merge_reductions", "part_totals"), ("sink_gathers", "part_totals"),
    ("canonicalise", "last_round"), ("last_round", "sum_products_behind"),
    ("stabilise", "sum_products_behind"), ("sum_products_behind", "independent_rounds"),
    ("independent_rounds", "hoist_sequence_work"),
    ("hoist_sequence_work", "fold_products"),
    ("merge_reductions", "unroll_pools"), ("sink_slices", "unroll_pools"), ("unroll_pools", "part_totals"),
)  # fmt: skip


@record
class Finish:
    """A walk over the whole function, behind the passes: run(graph, outputs, updates, on_cpu) -> outputs, updates.

    follows: the pass without which it has nothing to do; on_cpu: it is not for devices."""

    name: str
    run: Callable[[Graph, Values, Updates, bool], tuple[Values, Updates]]
    reason: str
    follows: str = ""
    on_cpu: bool = False
    ops: frozenset[str] = frozenset()
    file: str = ""


def _of_roots(
    run: Callable[[Graph, Values], Values],
) -> Callable[[Graph, Values, Updates, bool], tuple[Values, Updates]]:
    @wraps(run)
    def of_roots(graph: Graph, outputs: Values, updates: Updates, _: bool) -> tuple[Values, Updates]:
        roots = run(graph, [*outputs, *(v for _, v in updates)])
        return roots[: len(outputs)], [(k, v) for (k, _), v in zip(updates, roots[len(outputs) :], strict=True)]

    return of_roots


FINISH = (
    Finish(
        "merge_loops", _of_roots(merge_loops), ops=frozenset((FOR,)),
        reason="behind all that takes work out of loops: what one hands to the next may go through one product of all",
    ),
    Finish(
        "keep_rows", _of_roots(keep_rows), on_cpu=True, ops=frozenset((FOR,)),
        reason="after merge_loops: what one loop hands to another one may not be stored at all",
    ),
    Finish(
        "finish_products", finish_products, follows="fold_products", ops=frozenset((DOT, "map")),
        reason="behind all passes: only now nothing else takes a product's factor, and roots are what they stay",
    ),
    Finish(
        "move_numbers", _of_roots(move_numbers), ops=frozenset(("complex", PART)),
        reason="behind the rules, which simplify what is done to each part of a complex number",
    ),
    Finish(
        "narrow_positions", _of_roots(narrow_positions), on_cpu=True, ops=frozenset((INC_TAKE,)),
        reason="last: writes are merged, and their positions are final; devices take int64",
    ),
)  # fmt: skip


class PassError(Exception):
    """A pass of the compiler failed.  The cause is chained; the text names the pass and shows the IR before it."""


def chosen_passes(mode: Any = None) -> tuple[Pass, ...]:
    """The passes of a `tensordsl.modes.Mode`: all, or only the required ones if its optimizer is not fast_run; less
    those it excludes, plus those it includes."""
    every, excluded, included = _choices(mode)
    return tuple(p for p in PIPELINE if p.required or p.name in included or (every and p.name not in excluded))


def chosen_finish(mode: Any = None) -> tuple[Finish, ...]:
    """What a mode runs behind the passes, chosen as these are; what follows one runs where that does."""
    every, excluded, included = _choices(mode)
    chosen = {p.name for p in chosen_passes(mode)}
    return tuple(
        f for f in FINISH
        if f.name in included or (f.name not in excluded and (f.follows in chosen if f.follows else every))
    )  # fmt: skip


def _choices(mode: Any) -> tuple[bool, Collection[str], Collection[str]]:
    """(are all optional passes chosen, but for those excluded; which are excluded, and which included)"""
    chosen = switches(mode)
    return mode is None or mode.optimizer == "fast_run", chosen.excluded, chosen.included


# -- the driver --------------------------------------------------------------------------------------------------------
def optimise(
    graph: Graph, roots: Sequence[Value], passes: Sequence[Pass] = PIPELINE, trace: Trace | None = None,
    on_error: str | None = None,
) -> list[Value]:  # fmt: skip
    """Run `passes` over everything that `roots` need; returns the new roots.

    After each pass the IR is verified.  A failure raises PassError; with on_error (`config.on_opt_error` by default)
    "warn" or "ignore", an optional pass that fails is left out.
    """
    on_error = on_error or config.on_opt_error
    roots = list(roots)
    frozen = frozen_values(graph)
    settle_leaves(Context(graph), frozen)
    verify_ir(graph, roots)
    needed = _Needed(graph, roots)
    for step in passes:
        report = PassReport(step.name)
        start = time.perf_counter()
        new = _attempt(step, graph, needed, frozen, report, on_error)
        if report.changed:
            roots = new
            needed = _Needed(graph, roots)
        report.ms = 1e3 * (time.perf_counter() - start)
        if trace is not None:
            trace.passes.append(report)
            if report.changed:
                trace.text(3, f"IR after {step.name}", lambda: show(roots))  # noqa: B023  # called at once
    return roots


class _Needed:
    """The values that `roots` and checks depend on, in order, and analyses of them that several passes share."""

    def __init__(self, graph: Graph, roots: list[Value]) -> None:
        self.roots, self.order = roots, toposort([*roots, *needed_rounds(graph, roots)])
        self.ops = {v.op for v in self.order}

    @kept
    def users(self) -> dict[int, int]:
        return count_users(self.roots, self.order)


def _attempt(
    step: Pass, graph: Graph, needed: _Needed, frozen: frozenset[int], report: PassReport, on_error: str
) -> list[Value]:
    """The roots after one pass; the old ones where it has nothing to do, or failed and may."""
    roots, order = needed.roots, needed.order
    if step.ops and step.ops.isdisjoint(needed.ops):
        return roots
    users = needed.users.copy() if step.needs_users else None
    context = Context(graph, report.hits, {} if users is None else users, frozen, order)
    loops = list(graph.loops)
    before = [(loop, loop.made, loop.results) for loop in loops]
    made = len(graph.values)
    try:
        new = rewrite(graph, roots, partial(step.run, context), frozen, users, order, step.ops)
        verify_ir(graph, new, made)
    except Exception as error:
        graph.loops[:] = loops
        for loop, made_by, results in before:
            loop.made = made_by
            loop.give(results)
        graph.extents.node = None
        _fail(step, roots, error, on_error)
        report.error = f"left out: {error!r}"
        return roots
    report.changed = any(a is not b for a, b in zip(new, roots, strict=True)) or any(
        loop.made is not made_by or any(a is not b for a, b in zip(results, loop.results, strict=True))
        for loop, made_by, results in before
    )
    return new


def _fail(step: Pass, roots: list[Value], error: Exception, on_error: str) -> None:
    text = f"the pass {step.name!r} of the compiler failed: {error}"
    if step.required or on_error == "raise":
        hint = (
            "" if step.required else f"\n(mode.excluding({step.name!r}) or config.on_opt_error='warn' go on without it)"
        )
        raise PassError(f"{text}{hint}\nthe IR before it:\n{show(roots)}") from error
    if on_error == "warn":
        warnings.warn(f"{text}; it is left out", stacklevel=4)


def optimise_lowered(lowered: Lowered, mode: Any = None, trace: Trace | None = None, on_cpu: bool = False) -> None:
    """Replace the outputs and updates of a lowered function by optimised ones.  on_cpu: whether products take factors
    from memory, and writes narrow positions."""
    n = len(lowered.outputs)
    passes = chosen_passes(mode)
    roots = optimise(lowered.graph, [*lowered.outputs, *(v for _, v in lowered.updates)], passes, trace)
    lowered.outputs = roots[:n]
    lowered.updates = [(k, v) for (k, _), v in zip(lowered.updates, roots[n:], strict=True)]
    for step in chosen_finish(mode):
        if on_cpu or not step.on_cpu:
            rounds = needed_rounds(lowered.graph, [*lowered.outputs, *(v for _, v in lowered.updates)])
            made, lowered.updates = step.run(lowered.graph, [*lowered.outputs, *rounds], lowered.updates, on_cpu)
            lowered.outputs = made[:n]


# -- all stages --------------------------------------------------------------------------------------------------------
@record(eq=False, frozen=False)
class Compiled:
    """The objects of a function, what the run time must know of them, the callables of its host steps, and the names of
    its program's instructions."""

    meta: dict[str, Any]
    kernels: bytes
    host: bytes
    constants: list[bytes]
    late: list[bytes]  # kernels that a call may require: see `bufferise.serialise.pack_plans`
    hosts: list[Any]
    instructions: list[str]
    trace: Trace | None = None


def make_program(
    name: str, inputs: Sequence[Variable], shared: Sequence[Variable], outputs: Sequence[Variable],
    updates: Sequence[tuple[Variable, Variable]], single: bool, mode: Any = None, device: bool = False,
    small: Collection[int] = (), tuning: Tuning | None = None,
) -> tuple[Lowered, Program, Trace]:  # fmt: skip
    """The verified program of a function, for the CPU or for a device.  small: see `bufferise.function`; tuning: this
    machine's, if none is given."""
    tuning = tuning or Tuning.here()
    trace = Trace(name)
    lowered = lower(inputs, shared, outputs, updates, USUAL_LENGTHS in small, tuning)
    trace.phase("lower")
    trace.text(3, "IR", lambda: show([*lowered.outputs, *(v for _, v in lowered.updates)]))
    optimise_lowered(lowered, mode, trace, on_cpu=not device)
    if mode is not None and mode.executor == "nan_guard":
        Late("tensordsl.codegen.passes.nan_guard", "guard")(lowered, mode.settings)
    trace.phase("optimise")
    program, regions = build_program(
        name, lowered, [v.type for v in inputs], [v.type for v in shared], single, tuning, device, small,
    )  # fmt: skip
    verify(program)
    trace.phase("program")
    if (config.check_storage or trace.level) and not device:
        given = [v.type for v in inputs], [v.type for v in shared], single, tuning, device, small
        claims, _ = build_program(name, lowered, *given, has_claims=True)
        verify(claims)
        runs = check_storage(claims)
        trace.text(4, "storage", lambda: f"checked by {runs} dry runs")
        trace.phase("storage")
    trace.text(4, "groups", lambda: groups_text(regions))
    trace.text(4, "program", lambda: show_program(program))
    trace.text(4, "plans", lambda: plans_text(program.plans))
    return lowered, program, trace


def stack_bytes(program: Program, text: str, usual: int) -> int:
    """What a call of a program needs of the stack, at most, where that is more than `usual` bytes, else 0: its
    frame, and a word for each of its instructions, since at level 0 their results stay there; kernels have as much for
    their operands."""
    own = layouts.FR_ARGS + layouts.SRC_SIZE * len(program.args) + 8 * program.n_slots
    needed = own + 16 * text.count("\n")
    return needed if needed > usual else 0


def compile_graph(
    name: str, inputs: Sequence[Variable], shared: Sequence[Variable], outputs: Sequence[Variable],
    updates: Sequence[tuple[Variable, Variable]], single: bool, mode: Any = None,
    kernel_object: Callable[[str, bool], bytes] = lambda text, forward: llvm.compile_object(text),
    shapes: Sequence[Sequence[int]] = (),
    small: Collection[int] = (), common: Collection[str] = (),
    common_plan: Callable[[str], Found | None] = lambda name: None, tuning: Tuning | None = None,
) -> Compiled:  # fmt: skip
    """The object code of a function.  single: it returns its only output itself, not a list; shapes: those that the
    shared variables have now, if known; small: see `bufferise.function`; common: names of kernels that the library has;
    common_plan: see `compiler.modules.take_common_plan`."""
    tuning = tuning or Tuning.here()
    lowered, program, trace = make_program(
        name, inputs, shared, outputs, updates, single, mode, small=small, tuning=tuning
    )
    late = late_plans(program)
    soon = predicted_plans(program, shapes, tuning.variants) if tuning.allows("predicted_variants") else set()
    idle = idle_plans(program)
    now = [k for k in range(len(program.plans)) if k in soon or k not in (*late, *idle)]
    for k in now:
        take_common_plan(program.plans[k], common_plan, tuning.calls.common_plan_max_values)
    plans = [m for k in now if (m := program.plans[k].kernels).texts]
    known = common_kernels(plans, common)
    text = module_text(plans, known)
    trace.text(5, "kernels", lambda: module_text(plans))
    kernels = kernel_object(text, loads_forward(plans, tuning.machine.vector_bytes, known)) if text else b""
    trace.phase("kernels")
    host_text = emit_program(program, tuning=tuning.calls)
    trace.text(5, "host", lambda: host_text)
    host = llvm.compile_object(host_text, 0)
    trace.phase("host")
    trace.finish()
    meta = {
        "name": name,
        "args": [[dtype, list(shape)] for dtype, shape in program.args],
        "outputs": [list(o) for o in program.outputs],
        "plans": plan_table(program, now, known),
        "late": late,
        "libraries": libraries(program, now),
        "stack": stack_bytes(program, host_text, tuning.calls.usual_stack_bytes),
        "sites": {str(k): v for k, v in program.sites.items()},
    }
    waiting = iter(pack_plans(program.plans[k] for k in late if k not in now))
    parts = [b"" if k in now else next(waiting) for k in late]
    names = [type(i).__name__ for i in walk_program(program.code)]
    return Compiled(meta, kernels, host, constant_table(program, now), parts, lowered.hosts, names, trace)
