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
    seen: dict[int, set[int]] = {}  # by the number of an `lu_factor`, which of its results something reads
    for v in ctx.order:
        found = application(g, v) if v.dtype and v.op == "result" else None
        if found is not None and found.name == LU_FACTOR:
            shown = shown or not _is_read_only_by(ctx, v, readers, _is_sign if found.k else _is_diagonal)
            seen.setdefault(found.node.number, set()).add(found.k)
    shown = shown or any(0 not in results for results in seen.values())  # pivots without factors: their sign is read
    return Known(readers, factors, frozenset(pairs), frozenset(solved), shown)


def _is_read_only_by(
    ctx: Context, result: Value, readers: Mapping[int, list[Value]], fits: Callable[[Value, Mapping[int, Any]], bool]
) -> bool:
    """Whether solves, and what `fits`, alone read a result of `lu_factor`, perhaps moved: factors of another order of
    rows would do for these, as any pivots that belong to them."""
    stack = [result]
    while stack:
        v = stack.pop()
        read = readers.get(v.number, [])
        if len(read) < ctx.users.get(v.number, 1):
            return False
        for r in read:
            if r.op == "move":
                stack.append(r)
            elif not fits(r, readers):
                found = application(ctx.graph, r)
                if found is None or found.name != LU_SOLVE:
                    return False
    return True


def _is_diagonal(reader: Value, readers: Mapping[int, list[Value]]) -> bool:
    """Whether it gathers the elements of the diagonal."""
    is_gather = reader.op == "take" and len(reader.operands) == 3 and reader.operands[1] is reader.operands[2]
    return is_gather and reader.operands[1].op == "iota"


def _is_sign(reader: Value, readers: Mapping[int, list[Value]]) -> bool:
    """Whether it compares pivots for the sign of a determinant: a product of 1 and -1."""
    for chosen in readers.get(reader.number, []):
        if not _is_map(chosen, "switch") or any(r.op != "reduce" for r in readers.get(chosen.number, [])):
            return False
    return _is_map(reader, "neq")


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
