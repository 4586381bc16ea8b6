"""subtensor: a basic slice, and how the entries of an index become lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.compute_in_place import sliced
from tensordsl.codegen.passes.canonicalise import sliced as sliced_value
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import CONCATENATE, Construct, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import by_parts
from tensordsl.codegen.tensor_ir.verify import check, same_shape
from tensordsl.graph.variables import Apply

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer
    from tensordsl.codegen.passes.loops.widen import Widening


@register
class Subtensor(Construct):
    """subtensor(bounds, checks): bounds has (start, length, step, whether the axis stays) for each axis; checks: what
    the step makes sure of itself."""

    name, traits = "subtensor", Traits(is_view=True, moves_only=True, has_lengths=True)
    lower_complex = by_parts

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        x, *ints = operands
        g = low.graph
        bounds = tuple(index_bounds(g, entry, x.shape[d], ints) for d, entry in enumerate(node.attrs["index"]))
        if x.op == CONCATENATE and x.rank == 1 and not bounds[0][3]:  # x.shape[0]: an item of a vector of items
            parts, k = x.operands, bounds[0][0]
            if all(v.shape == (1,) for v in parts) and isinstance(k, int):
                return [g.move(parts[k], (None,), ())]
        shape = [b[1] for b in bounds if b[3]]
        return [_slice(g, x, bounds, shape, node.attrs["index"], ints)]

    def verify(self, graph: Graph, v: Value) -> None:
        check_bounds(v)
        check(
            same_shape(graph, [b[1] for b in v.attrs["bounds"] if b[3]], v.shape), v, "the lengths of the kept bounds"
        )

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        b.view(v, sliced(b, b.ref(v.operands[0]), v.attrs["bounds"]))

    def widen(self, w: Widening, v: Value, operands: Sequence[Value], is_wide: Sequence[bool]) -> Value | None:
        """A slice by the loop's index of something that does not vary, or of a wide value; elements at other
        positions are taken."""
        placed = w.placed(v.attrs["bounds"])
        if placed is None:
            return _taken(w, v, operands, is_wide)
        checks = w.open_checks(v)
        if checks is None:
            return None
        x, axis, bounds = operands[0], placed.axis, [*placed.bounds]
        if axis is not None and (is_wide[0] or v.attrs["bounds"][axis][3]):
            return None
        if is_wide[0]:
            bounds.insert(0, (0, w.count, 1, True))
        shape = tuple(b[1] for b in bounds if b[3])
        made = sliced_value(w.ctx, x, tuple(bounds), w.outer([n for b in bounds for n in b[:3]]), shape, checks)
        if axis is None:
            return made if is_wide[0] else w.repeated(made)
        first = sum(b[3] for b in bounds[:axis])
        order = [*range(1, first + 1), 0, *range(first + 1, len(shape))]
        return w.graph.move(made, order, (w.count, *v.shape)) if first else made

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.slices import extract, gathered, is_empty, is_forward  # late: for exports only

        x, bounds = v.operands[0], v.attrs["bounds"]
        if is_empty(e, bounds, x.shape):
            e.values[v.number] = e.empty(v.shape, v.dtype)[0]
        elif is_forward(bounds):
            e.values[v.number] = extract(e, x, bounds)
        else:
            e.values[v.number] = gathered(e, e.value(x), e.type_of(x), bounds, v.shape, v.dtype)


def _taken(w: Widening, v: Value, operands: Sequence[Value], is_wide: Sequence[bool]) -> Value | None:
    """x[i[t]] in all rounds: x at the positions i."""
    g, e = w.graph, w.graph.extents
    x, bounds = operands[0], v.attrs["bounds"]
    varying = [d for d, b in enumerate(bounds) if any(map(w.rounds.varies, b[:3]))]
    if len(varying) != 1 or bounds[varying[0]][1:] != (1, 1, False):
        return None
    (d,) = varying
    for position, wide in zip(v.operands[1:], operands[1:], strict=True):
        k, n = e.value(position), v.operands[0].shape[d]
        own = {(k, "ge"), (k, "lt")}
        if (
            e.find(bounds[d][0]) not in (k, e.find(ex.add(k, ex.mul(n, ex.floordiv_sign(k)))))
            or {(c.a, c.relation) for c in v.attrs["checks"]} - own
        ):
            continue
        others = [b if j != d else (0, n, 1, True) for j, b in enumerate(bounds)]
        if is_wide[0]:
            others.insert(0, (0, w.count, 1, True))
        ints = w.outer([m for b in others for m in b[:3]])
        rows = sliced_value(w.ctx, x, tuple(others), ints, tuple(b[1] for b in others if b[3]))
        axis = sum(b[3] for b in others[: d + is_wide[0]])
        index = g.cast(wide, "int64")
        if is_wide[0]:
            shape = (w.count, *(m for j, m in enumerate(rows.shape) if j not in (0, axis)))
            made = g.make("take", (rows, g.iota(w.count), index), v.dtype, shape, axes=(0, axis))
        else:
            shape = (*rows.shape[:axis], w.count, *rows.shape[axis + 1 :])
            made = g.make("take", (rows, index), v.dtype, shape, axes=(axis,))
            made = g.move(made, [*range(1, axis + 1), 0, *range(axis + 1, len(shape))], (w.count, *v.shape))
        return made
    return None


def check_bounds(v: Value) -> None:
    check(v.operands[0].dtype == v.dtype, v, "the operand's dtype")
    check(len(v.attrs["bounds"]) == v.operands[0].rank, v, "one bound for each axis")


def _slice(g: Graph, x: Value, bounds: Any, shape: Any, index: Any, ints: Sequence[Value]) -> Value:
    if all(b[:3] == (0, n, 1) for b, n in zip(bounds, x.shape, strict=True)):  # no element is left out
        kept = iter(range(x.rank))
        return g.move(x, [next(kept) if b[3] else None for b in bounds], shape)
    checks = index_checks(g)
    named = named_ints(g, x, bounds, checks) if ints else ()
    return g.make("subtensor", (x, *named), x.dtype, shape, bounds=bounds, checks=checks)


def named_ints(g: Graph, x: Value, bounds: Any, checks: Sequence[ex.Constraint]) -> tuple[Value, ...]:
    """The integers that bounds are computed from when the step runs; what an index was computed by need not be in
    memory."""
    lengths = [n for bound in bounds for n in bound[:3]] + [n for c in checks for n in (c.a, c.b)]
    return tuple(g.values[n] for n in sorted(ex.named(lengths) - ex.named(x.shape)))


def index_checks(g: Graph) -> tuple[ex.Constraint, ...]:
    """What the step has to check itself, where the call may leave it out."""
    return tuple(c for c in g.extents.fresh if c.relation != "eq")


def index_bounds(g: Graph, entry: Any, n: Any, ints: Sequence[Value]) -> tuple[Any, Any, Any, bool]:
    """(start, length, step, keeps its axis) of one index entry over an axis of length n, as extents."""
    e = g.extents

    def get(k: Any) -> Any:
        return e.value(ints[k[1]]) if isinstance(k, tuple) else k

    if entry[0] == "int":
        k = get(entry[1])
        if isinstance(k, int):
            start = k if k >= 0 else ex.add(n, k)
            if not (isinstance(n, int) and -n <= k < n):
                e.require(n, k + 1 if k >= 0 else -k, f"index {k} is out of bounds: the length of the axis", "ge")
            return start, 1, 1, False
        start = _wrap(e, k, n)
        e.require(k, ex.mul(n, -1), "index is out of bounds: index and minus the length of the axis", "ge")
        e.require(k, n, "index is out of bounds: index and the length of the axis", "lt")
        return start, 1, 1, False
    _, a, b, s = (entry[0], *map(get, entry[1:]))
    return _slice_bounds(e, n, a, b, s)


def _wrap(e: Any, k: Any, n: Any) -> Any:
    """k + n where k is negative, as an extent: k + n * (k < 0)."""
    return ex.add(k, ex.mul(n, e.is_negative(k)))


def _slice_bounds(e: Any, n: Any, a: Any, b: Any, s: Any) -> tuple[Any, Any, Any, bool]:
    """Python's slice.indices over extents."""
    step = 1 if s is None else s
    if not isinstance(step, int):
        return _symbolic_step(e, n, a, b, step)
    if step == 0:
        raise ValueError("slice step cannot be zero")
    low, high = (0, n) if step > 0 else (-1, ex.sub(n, 1))

    def clip(k: Any, default: Any) -> Any:
        if k is None:
            return default
        k = ex.add(n, k) if isinstance(k, int) and k < 0 else (k if isinstance(k, int) else _wrap(e, k, n))
        return e.maximum(low, e.minimum(k, high))

    start = clip(a, 0 if step > 0 else high)
    stop = clip(b, n if step > 0 else -1)
    if step == 1 and start == 0 and stop == n:
        return 0, n, 1, True
    if step == 1 and (a is None or isinstance(a, int) and a >= 0) and (b is None or isinstance(b, int) and b < 0):
        return start, e.find(ex.maximum(0, ex.sub(n, (a or 0) - (b or 0)))), 1, True
    if step == 1 and isinstance(a, int) and a < 0 and b is None:
        return start, e.find(ex.minimum(-a, n)), 1, True
    span = ex.sub(stop, start) if step > 0 else ex.sub(start, stop)
    length = e.maximum(0, ex.floordiv(ex.add(span, abs(step) - 1), abs(step)))
    return start, e.find(length), step, True


def _symbolic_step(e: Any, n: Any, a: Any, b: Any, step: Any) -> tuple[Any, Any, Any, bool]:
    """A step known at run time: both directions are computed, its sign selects."""
    e.require(step, 0, "slice step cannot be zero: the step", "ne")
    negative = ex.floordiv_sign(step)  # 1 if step < 0, else 0
    up = ex.sub(1, negative)

    def choose(p: Any, q: Any) -> Any:
        return ex.add(ex.mul(up, p), ex.mul(negative, q))

    low, high = choose(0, -1), choose(n, ex.sub(n, 1))

    def clip(k: Any, default: Any) -> Any:
        return default if k is None else ex.maximum(low, ex.minimum(_wrap(e, k, n), high))

    start = clip(a, choose(0, ex.sub(n, 1)))
    stop = clip(b, choose(n, -1))
    sign = choose(1, -1)
    magnitude = ex.mul(sign, step)
    span = ex.mul(sign, ex.sub(stop, start))
    length = ex.maximum(0, ex.floordiv(ex.add(span, ex.sub(magnitude, 1)), magnitude))
    return start, length, step, True
