"""The verifier of tensor IR: rules that every value keeps after every pass.  What it raises is our bug."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.codegen.tensor_ir.graph import Graph, Value, signature


class InvalidIR(AssertionError):
    """A value breaks a rule of the IR."""


def verify_ir(graph: Graph, roots: Sequence[Value], since: int = 0) -> None:
    """Check values from number `since` on (older ones never change), the loops, and that `roots` are closed."""
    for v in graph.values[since:]:
        for o in v.operands:
            if graph.values[o.number] is not o:
                _check(False, v, f"operand {o} is not a value of this graph")
        rule = _RULES.get(v.op)
        if rule is not None:
            rule(graph, v)
    for loop in graph.loops:
        for k, (new, old) in enumerate(zip(loop.next, loop.carried, strict=True)):
            if new.dtype != old.dtype or not _same_shape(graph, new.shape, old.shape):
                raise InvalidIR(f"loop {loop.number}: carried value {k} changes its type")
    for v in roots:
        _check(not v.loops, v, "a result of the function varies with a loop")
        _check(bool(v.dtype), v, "a result of the function has no dtype")


def _check(holds: bool, v: Value, what: str) -> None:
    if not holds:
        operands = ", ".join(f"{o}: {o.dtype}{list(o.shape)}" for o in v.operands)
        raise InvalidIR(f"{v} = {v.op}({operands}) : {v.dtype}{list(v.shape)}: {what}")


def _same_shape(graph: Graph, a: Sequence[Any], b: Sequence[Any]) -> bool:
    return a == b or (len(a) == len(b) and all(_same(graph, m, n) for m, n in zip(a, b, strict=True)))


def _same(graph: Graph, a: Any, b: Any) -> bool:
    """Whether two lengths are equal; code that may be left out compares its lengths when it runs."""
    if a == b:
        return True
    find = graph.extents.find
    a, b = find(a), find(b)
    return a == b or (bool(graph.extents.assumed) and not (isinstance(a, int) and isinstance(b, int)))


def _map(graph: Graph, v: Value) -> None:
    dtypes = tuple([o.dtype for o in v.operands])
    loop, dtype = signature(v.attrs["row"], dtypes, v.attrs["args"])
    if loop != dtypes or dtype != v.dtype:
        _check(False, v, f"the row's loop wants {loop} and gives {dtype}")
    for o in v.operands:
        if o.shape is v.shape or o.shape == v.shape:
            continue
        lead = len(v.shape) - len(o.shape)
        _check(lead >= 0, v, "an operand has more axes than the result")
        for m, n in zip(o.shape, v.shape[lead:], strict=True):
            _check(m == n or m == 1 or _same(graph, m, n), v, "an operand does not broadcast")


def _move(graph: Graph, v: Value) -> None:
    (x,) = v.operands
    _check(v.dtype == x.dtype and len(v.attrs["map"]) == x.rank, v, "one entry of the map for each axis, same dtype")
    for n, a in zip(x.shape, v.attrs["map"], strict=True):
        if a is None:
            _check(_same(graph, n, 1), v, "a longer axis than 1 is dropped")
        else:
            _check(0 <= a < v.rank and _same(graph, n, v.shape[a]), v, "an axis has another length")


def _reduce(graph: Graph, v: Value) -> None:
    axes, x = v.attrs["axes"], v.operands[0]
    _check(all(0 <= a < x.rank for a in axes) and list(axes) == sorted(set(axes)), v, "axes in order, each once")
    _check(all(_same_shape(graph, o.shape, x.shape) for o in v.operands), v, "operands of one shape")
    _check(_same_shape(graph, [n for d, n in enumerate(x.shape) if d not in axes], v.shape), v, "the axes left")
    types = tuple(o.dtype for o in v.operands) + (("int64",) if v.attrs["with_index"] else ())
    _check(v.attrs["reducer"].result(types)[v.attrs["result"]] == v.dtype, v, "the reducer's dtype")


def _same_dtype(graph: Graph, v: Value) -> None:
    _check(v.operands[0].dtype == v.dtype, v, "the operand's dtype")


def _subtensor(graph: Graph, v: Value) -> None:
    _same_dtype(graph, v)
    bounds = v.attrs["bounds"]
    _check(len(bounds) == v.operands[0].rank, v, "one bound for each axis")
    if v.op == "subtensor":
        _check(_same_shape(graph, [b[1] for b in bounds if b[3]], v.shape), v, "the lengths of the kept bounds")


def _dot(graph: Graph, v: Value) -> None:
    x, y, *added = v.operands
    is_stack = x.rank == y.rank == 3
    _check(is_stack or {x.rank, y.rank} <= {1, 2}, v, "vectors, matrices, or two stacks of matrices")
    _check(all(o.dtype == v.dtype for o in (x, y)), v, "operands of one dtype")
    if "scaled" in v.attrs:
        _check(len(added) > 0 and added[-1].dtype == v.dtype and added.pop().rank == 0, v, "a number as its factor")
    if "decays" in v.attrs:
        _check(len(added) == 2 and added[-1].dtype == v.dtype and added.pop().rank == 0, v, "a number as its beta")
    _check(all(c.dtype == v.dtype and _same_shape(graph, c.shape, v.shape) for c in added), v, "a sum of one type")
    _check(bool(added) == ("beta" in v.attrs), v, "a factor for what the product is added to")


def _concatenate(graph: Graph, v: Value) -> None:
    _check(all(o.dtype == v.dtype and o.rank == v.rank for o in v.operands), v, "parts of the result's dtype and rank")


POSITIONS = ("int64", "uint8", "uint16")


def _take(graph: Graph, v: Value) -> None:
    x, *indices = v.operands
    _same_dtype(graph, v)
    _check(all(i.dtype == "int64" for i in indices), v, "int64 indices")
    _check(len(indices) == len(v.attrs["axes"]), v, "one index for each axis")


def _in_bounds(graph: Graph, v: Value) -> None:
    at, least, most = v.operands
    _check(v.rank == 1 and _same_shape(graph, at.shape, v.shape), v, "a vector of positions")
    _check(not least.rank and not most.rank, v, "two scalars")
    _check(at.dtype == v.dtype and v.dtype in POSITIONS, v, "positions")
    _check(least.dtype == most.dtype == "int64", v, "int64")


def _inc_take(graph: Graph, v: Value) -> None:
    x, y, *positions = v.operands
    _check(x.dtype == y.dtype == v.dtype, v, "the operands' dtype")
    _check(_same_shape(graph, x.shape, v.shape), v, "the shape of x")
    _check(len(positions) == len(v.attrs["axes"]), v, "positions for each axis")
    _check(all(i.dtype in POSITIONS and i.rank == 1 for i in positions), v, "vectors of positions")
    _check(y.rank == x.rank - len(positions) + 1, v, "one axis of y for the positions")


def _along(graph: Graph, v: Value) -> None:
    _check(_same_shape(graph, v.operands[0].shape, v.shape), v, "the shape of the operand")
    _check(0 <= v.attrs["axis"] < v.rank, v, "an axis of the operand")
    _check("part" not in v.attrs or v.attrs["function"] in ("sort", "argsort"), v, "an order, if it is a part of one")


def _positions(graph: Graph, v: Value) -> None:
    _check(v.rank == 1 and v.dtype == "int64", v, "a vector of int64")
    _check(v.operands[0].dtype == ("bool" if v.op == "true_positions" else "int64"), v, "a mask, or counts")


def _for(graph: Graph, v: Value) -> None:
    loop = v.attrs["loop"]
    _check(loop.number not in v.loops, v, "a loop varies with itself")
    _check(len(v.operands) == 1 + len(loop.carried), v, "an initial value for each carried one")


def _result(graph: Graph, v: Value) -> None:
    _check(v.operands[0].op in ("for", "ifelse", "host"), v, "a result of a control op or host step")


_RULES: dict[str, Callable[[Graph, Value], None]] = {
    "map": _map, "move": _move, "reduce": _reduce, "reshape": _same_dtype, "subtensor": _subtensor,
    "inc_subtensor": _subtensor, "dot": _dot, "concatenate": _concatenate, "take": _take,
    "in_bounds": _in_bounds, "inc_take": _inc_take,
    "along": _along, "true_positions": _positions, "repeated_positions": _positions,
    "for": _for,
    "result": _result, "assert": _same_dtype,
}  # fmt: skip
