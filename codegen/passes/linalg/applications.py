"""Applications of linear algebra's rows in tensor IR: finding them behind checks, and making new ones.

`application(graph, v)` -> `Application` of what gives v, a construct or host step; `express(ctx, v, build, *operands)`
lowers an expression of the user's functions in the place of v; `known(ctx)` -> the factorisations of a function.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.tensor_ir.construct import ASSERT, CHOLESKY, HOST, IFELSE, LU_FACTOR, LU_SOLVE, SOLVE_TRIANGULAR
from tensordsl.codegen.tensor_ir.graph import Graph, Value, dependencies
from tensordsl.codegen.tensor_ir.lower import HostStep, Lowering
from tensordsl.graph.types import FLOATS, INTEGERS, TensorType
from tensordsl.graph.variables import unwatched


@record(eq=False)
class Application:
    """A row's application: result k of `node`, by the row's name and attributes."""

    node: Value
    name: str
    attrs: Mapping[str, Any]
    k: int

    @property
    def operands(self) -> tuple[Value, ...]:
        return self.node.operands


def unchecked(v: Value) -> Value:
    """v without the checks around it."""
    while v.op == ASSERT:
        v = v.operands[0]
    return v


def application(g: Graph, v: Value) -> Application | None:
    """What gives v, behind its checks."""
    v, k = unchecked(v), 0
    if v.op == "result":
        k = v.attrs["k"]
        v = v.operands[0]
    if v.op != HOST:
        return Application(v, v.op, v.attrs, k)
    step = g.hosts[v.attrs["number"]]
    return Application(v, v.attrs["name"], step.node.attrs, k) if isinstance(step, HostStep) else None


def replaces(ctx: Context, v: Value, names: Collection[str]) -> Application | None:
    """The application of one of these rows whose result v is, behind its last check; real numbers only."""
    if v.dtype not in FLOATS and v.dtype not in INTEGERS:
        return None
    if v.op == ASSERT and v.attrs["kind"] != "linalg":
        return None
    found = application(ctx.graph, v)
    if found is None or found.name not in names:
        return None
    is_checked = v.op != ASSERT and any(r.op == ASSERT and r.operands[0] is v for r in readers_of(ctx, v))
    return None if is_checked else found


# -- all of a function -------------------------------------------------------------------------------------------------
@record(eq=False)
class Known:
    """readers: by the number of a value, what reads it.  factors: by the number of a matrix, (its Cholesky factor, is
    it the lower one), where the function needs it in any case.  pairs: the numbers of matrices with an `lu_factor`.
    solved: the numbers of the operands of solves.  shows_factors: something but solves and diagonals reads a result of
    `lu_factor`."""

    readers: Mapping[int, list[Value]]
    factors: Mapping[int, tuple[Value, bool]]
    pairs: frozenset[int]
    solved: frozenset[tuple[int, ...]]
    shows_factors: bool


def known(ctx: Context) -> Known:
    """Those of a pass's function, found once."""
    if ctx.factors is None:
        ctx.factors = _known(ctx)
    found: Known = ctx.factors
    return found


def readers_of(ctx: Context, v: Value) -> list[Value]:
    """What read v before the pass."""
    return known(ctx).readers.get(v.number, [])


_SINGLE = (CHOLESKY, LU_SOLVE, SOLVE_TRIANGULAR)  # rows of one result


def _known(ctx: Context) -> Known:
    g = ctx.graph
    readers: dict[int, list[Value]] = {}
    factors: dict[int, tuple[Value, bool]] = {}
    pairs, solved, shown = set(), set(), False
    has_branches = any(v.op == IFELSE for v in ctx.order)
    for v in ctx.order:
        for o in dependencies(v):
            readers.setdefault(o.number, []).append(v)
        found = application(g, v) if v.dtype and v.op in ("result", ASSERT, *_SINGLE) else None
        if found is None:
            continue
        if found.name == CHOLESKY and found.attrs["on_error"] == "raise" and not has_branches:
            factors[found.operands[0].number] = v, found.attrs["lower"]  # the last check of it comes last
        if found.name == LU_FACTOR:
            pairs.add(found.operands[0].number)
        if found.name in (LU_SOLVE, SOLVE_TRIANGULAR):
            solved.add(tuple(o.number for o in found.operands))
    read: dict[int, set[int]] = {}  # the results of each `lu_factor` that something reads
    for v in ctx.order:
        found = application(g, v) if v.dtype and v.op == "result" else None
        if found is not None and found.name == LU_FACTOR:
            hides = _hides_pivots if found.k else _hides
            shown = shown or not hides(ctx, v, readers)
            read.setdefault(found.node.number, set()).add(found.k)
    shown = shown or any(0 not in results for results in read.values())  # pivots alone: a user's sign of these
    return Known(readers, factors, frozenset(pairs), frozenset(solved), shown)


def _hides(ctx: Context, factors: Value, readers: Mapping[int, list[Value]]) -> bool:
    """Whether only solves and gathers of the diagonal read the factors, which may be moved for these."""
    stack = [factors]
    while stack:
        v = stack.pop()
        read = readers.get(v.number, [])
        if len(read) < ctx.users.get(v.number, 1):
            return False
        for r in read:
            found = application(ctx.graph, r)
            is_gather = r.op == "take" and len(r.operands) == 3 and r.operands[1] is r.operands[2]
            if r.op == "move":
                stack.append(r)
            elif not (is_gather and r.operands[1].op == "iota") and (found is None or found.name != LU_SOLVE):
                return False
    return True


def _hides_pivots(ctx: Context, pivots: Value, readers: Mapping[int, list[Value]]) -> bool:
    """Whether only solves and signs of determinants read the pivots, which hold for any factors of the matrix."""
    stack = [pivots]
    while stack:
        v = stack.pop()
        read = readers.get(v.number, [])
        if len(read) < ctx.users.get(v.number, 1):
            return False
        for r in read:
            found = application(ctx.graph, r)
            if r.op == "move":
                stack.append(r)
            elif not _is_sign(r, readers) and (found is None or found.name != LU_SOLVE):
                return False
    return True


def _is_sign(moved: Value, readers: Mapping[int, list[Value]]) -> bool:
    """Whether what reads the comparison is a product of +-1: the sign of a determinant."""
    for chosen in readers.get(moved.number, []):
        if not _is_map(chosen, "switch") or any(r.op != "reduce" for r in readers.get(chosen.number, [])):
            return False
    return _is_map(moved, "neq")


def _is_map(v: Value, row: str) -> bool:
    return v.op == "map" and v.attrs["row"].name == row


def express(ctx: Context, v: Value, build: Callable[..., Any], *operands: Value) -> Value:
    """build(*variables), lowered with the operands as the values of the variables, where v stands.

    The lengths that the expression wants equal must be known to be so: a pass adds no checks of lengths.
    """
    g = ctx.graph
    low = Lowering(graph=g)
    with unwatched():
        variables = [TensorType(o.dtype, tuple(n if isinstance(n, int) else None for n in o.shape))() for o in operands]
        low.env.update((id(x), o) for x, o in zip(variables, operands, strict=True))
        around, g.within = g.within, v.loops  # what may fail stays in the loops of v
        constraints = len(g.extents.constraints)
        built = build(*variables)
        try:
            (made,) = low.run([built])
        finally:
            g.within = around
    assert len(g.extents.constraints) == constraints, f"lengths of {v} that are not known to be equal"
    return made
