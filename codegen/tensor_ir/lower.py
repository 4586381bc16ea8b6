"""From the user's graph to tensor IR: casts and broadcasts become explicit, extents symbolic, `Expand` rows are
expanded."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import field
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.graph import toposort as toposort_values
from tensordsl.codegen.tensor_ir.lower_complex import (
    constant_pair,
    is_complex,
    lower_complex,
    paired,
    parts,
    strided_variants,
)
from tensordsl.codegen.tensor_ir.lower_indexing import lower_inc_take
from tensordsl.codegen.tensor_ir.lower_library_ops import (
    loops_of_step,
    lower_along,
    lower_repeated,
    lower_search,
    lower_true,
)
from tensordsl.graph.casting import accumulator
from tensordsl.graph.types import COMPLEX, TensorType
from tensordsl.graph.variables import (
    Apply,
    Constant,
    Elementwise,
    Expand,
    Kernel,
    Movement,
    Reduction,
    Variable,
    toposort,
)
from tensordsl.ops.array.index import index_place

FARTHEST = 1 << 62  # from 0, of the bounds of a range: differences fit


@record(eq=False, frozen=False)
class Lowered:
    """`outputs` and `updates` (shared number, new value) of a function as IR values; `nodes`: the user's
    applications."""

    graph: Graph
    outputs: list[Value]
    updates: list[tuple[int, Value]]
    nodes: list[Apply]
    hosts: list[Callable[..., Any]] = field(default_factory=list)
    sources: list[Value] = field(default_factory=list)  # the inputs, then the shared variables


@record(eq=False)
class HostStep:
    """A step of the host: the oracle of `node`'s row, called with arrays of its own."""

    node: Apply

    @property
    def __name__(self) -> str:
        return self.node.row.name

    def __call__(self, *arrays: Any) -> Sequence[Any]:
        assert self.node.row.oracle is not None
        result = self.node.row.oracle(*arrays, **self.node.attrs)
        return list(result) if len(self.node.outputs) > 1 else [result]


class Lowering:
    """`env` maps variables to IR values; `hosts` collects the Python callables of effects."""

    def __init__(self, tuning: Tuning | None = None) -> None:
        self.graph = Graph(tuning)
        self.env: MutableMapping[int, Value] = {}
        self.hosts: list[Callable[..., Any]] = []
        self.keep_alive: list[Any] = []  # ids in env must stay unique

    def source(self, kind: str, number: int, type: TensorType) -> Value:
        shape = [ex.atom(kind, number, d) if n is None else n for d, n in enumerate(type.shape)]
        return self.graph.make(kind, (), type.dtype, shape, index=number)

    def value(self, v: Variable) -> Value:
        if id(v) not in self.env and isinstance(v, Constant):
            is_pair = v.type.dtype in COMPLEX
            self.env[id(v)] = constant_pair(self, v.data) if is_pair else self.graph.const(v.data)
            self.keep_alive.append(v)
        return self.env[id(v)]

    def run(self, outputs: Sequence[Variable], function: Sequence[Apply] | None = None) -> list[Value]:
        """Lower everything that `outputs` need and `env` does not have yet; `function`: the nodes of all the function,
        whose numbers are the positions of what is lowered for them."""
        nodes = toposort(outputs, stop=_frontier(outputs, self.env)) if function is None else function
        extents = self.graph.extents
        outer = extents.conditional
        optional = set() if outer else _optional(outputs, nodes)
        for k, node in enumerate(nodes):
            if function is not None:
                extents.node = k
            self.keep_alive.append(node)
            if all([id(v) in self.env for v in node.outputs]):
                continue
            extents.conditional = outer or id(node) in optional
            extents.fresh = []
            values = self.apply(node)
            for v, value in zip(node.outputs, values, strict=True):
                self.env[id(v)] = value
        extents.conditional, extents.fresh = outer, []
        return [self.value(v) for v in outputs]

    def apply(self, node: Apply) -> Sequence[Value]:
        meaning = node.row.meaning
        if is_complex(node) and not isinstance(meaning, Expand) and node.row.name not in ("for", "ifelse"):
            return lower_complex(self, node)
        if isinstance(meaning, Expand):
            built = meaning.build(*node.inputs, **node.attrs)
            return self.run([built] if isinstance(built, Variable) else built)
        operands = [self.value(v) for v in node.inputs]
        if isinstance(meaning, Elementwise):
            return [self.graph.map(node.row, *operands, **node.attrs)]
        if isinstance(meaning, Reduction):
            return self.reduce(node, meaning, operands)
        if isinstance(meaning, Movement):
            (x, *_) = operands
            shape = node.row.shape(self.graph.extents, *operands, **node.attrs)
            return [self.graph.move(x, meaning.map(x.rank, **node.attrs), shape)]
        assert isinstance(meaning, Kernel), node.row
        return KERNELS[meaning.name](self, node, operands)

    def reduce(self, node: Apply, meaning: Reduction, operands: list[Value]) -> list[Value]:
        operands = self.with_elements(node, meaning, operands)
        dtypes = [v.dtype for v in operands]
        loop = meaning.loop(*dtypes, **node.attrs)
        operands = [self.graph.cast(v, t) for v, t in zip(operands, loop, strict=True)]
        axes = node.attrs["axis"]
        results = [self.graph.reduce(meaning, k, axes, operands) for k in meaning.results]
        return [self.graph.cast(r, v.type.dtype) for r, v in zip(results, node.outputs, strict=True)]

    def with_elements(self, node: Apply, meaning: Reduction, operands: list[Value]) -> list[Value]:
        """The operands, where the call makes sure that there is an element if the row needs one (NumPy's rule: also
        where there is no result)."""
        if not meaning.needs_element or node.attrs.get("initial"):
            return operands
        (x,), axes = operands, node.attrs["axis"]
        number = ex.product(x.shape[d] for d in axes)
        if isinstance(number, int) and number > 0:
            return operands
        return [_required(self.graph, x, number, 1, "ge", f"{node.row.name} of no elements", ": their number")]

    def host(self, node: Apply, operands: list[Value], **more: Any) -> list[Value]:
        """A step that calls the row's oracle; `more`: attributes of it."""
        g = self.graph
        operands = [g.cast(o, v.type.dtype) for o, v in zip(operands, node.inputs, strict=True)]
        several = len(node.outputs) > 1
        self.hosts.append(HostStep(node))
        shape = node.row.shape(g.extents, *operands, **node.attrs)
        shapes = shape if several else (shape,)
        number = len(self.hosts) - 1
        made = g.make("host", operands, "", (), number=number, effect=node.row.effect, name=node.row.name, **more)
        return [g.result(made, k, v.type.dtype, s) for k, (v, s) in enumerate(zip(node.outputs, shapes, strict=True))]


def _required(g: Graph, x: Value, a: Any, b: Any, relation: str, message: str, what: str = "") -> Value:
    """x, where the call makes sure that `a` stands in a relation to `b`; `what`: how the message goes on with both."""
    if not g.extents.conditional:
        g.extents.require(a, b, message + what, relation)
        return x
    from tensordsl.ops.table import OPS  # late: see lower_dot

    flag = g.map(OPS[{"ne": "neq"}.get(relation, relation)], g.extent(a), g.extent(b))
    attrs: dict[str, Any] = {"message": message, "kind": "check", "unique": True}
    return g.make("assert", (x, flag), x.dtype, x.shape, loops=loops_of_step(g, [x, flag]), **attrs)


def _optional(outputs: Sequence[Variable], nodes: Sequence[Apply]) -> set[int]:
    """ids of the nodes that only branches of an `ifelse` need: a call may leave them out."""
    if not any(node.row.name == "ifelse" for node in nodes):
        return set()
    optional = {id(node) for node in nodes}
    stack = list(outputs)
    while stack:
        node = stack.pop().owner
        if node is not None and id(node) in optional:
            optional.remove(id(node))
            stack.extend(node.inputs[:1] if node.row.name == "ifelse" else node.inputs)
    return optional


def _frontier(outputs: Sequence[Variable], env: MutableMapping[int, Value]) -> list[Variable]:
    """Variables at which the walk may stop: those that have a value already."""
    seen: set[int] = set()
    found: list[Variable] = []
    stack = list(outputs)
    while stack:
        v = stack.pop()
        if id(v) in seen:
            continue
        seen.add(id(v))
        if id(v) in env:
            found.append(v)
        elif v.owner is not None:
            stack.extend(v.owner.inputs)
    return found


# -- constructs ------------------------------------------------------------------------------------------------------
def lower_dot(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    """Matrices of floats by BLAS; all other dtypes, and rows by columns, as a fused multiply and sum."""
    x, y = operands
    g = low.graph
    shape = node.row.shape(g.extents, x, y, **node.attrs)
    dtype = node.outputs[0].type.dtype
    wide = "float32" if dtype == "float16" else dtype
    x, y = g.cast(g.cast(x, dtype), wide), g.cast(g.cast(y, dtype), wide)
    if wide in ("float32", "float64") and shape != () and shape[1:] != (1, 1):
        return [g.cast(g.make("dot", (x, y), wide, shape), dtype)]
    from tensordsl.ops.table import OPS  # late: the table imports every row

    full, last = (*shape, x.shape[-1]), len(shape)
    rows, shared = len(x.shape) - 1, range(len(x.shape) // 3)  # of stacks of matrices the first axis is that of all
    a = g.move(x, [*range(rows), last], full)
    b = g.move(y, [*shared, last, *range(rows, last)], full)
    product = g.map(OPS["mul"], a, b)
    return [g.cast(g.reduce(OPS["sum"].meaning, 0, (last,), [product]), dtype)]


def lower_reshape(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    x, *dims = operands
    e = low.graph.extents
    wanted = [e.value(d) for d in dims]
    total = ex.product(x.shape)
    if -1 in wanted:
        at = wanted.index(-1)
        rest = ex.product(n for d, n in enumerate(wanted) if d != at)
        wanted[at] = _exact_division(total, rest, x.shape, wanted, at)
    e.same(total, ex.product(wanted), f"reshape: {len(x.shape)}-d operand's size and the requested size")
    static = [t if t is not None else w for t, w in zip(node.outputs[0].type.shape, wanted, strict=True)]
    return [low.graph.reshape(x, [e.find(n) for n in static])]


def _exact_division(total: Any, rest: Any, shape: Sequence[Any], wanted: Sequence[Any], at: int) -> Any:
    """total // rest, with the factors they share cancelled (x.reshape((x.shape[0], -1)) needs no division)."""
    left = list(shape)
    for d, n in enumerate(wanted):
        if d != at and n in left:
            left.remove(n)
        elif d != at and n != 1:
            return ex.floordiv(total, rest)
    return ex.product(left)


def lower_broadcast_to(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    x, *_ = operands
    g = low.graph
    shape = tuple(g.extents.find(n) for n in node.row.shape(g.extents, *operands, **node.attrs))
    for n in shape:
        if not isinstance(n, int) and any(a[0] == "value" for a in ex.atoms(n)):
            g.extents.require(n, 0, "a length", "ge")
    return [g.broadcast_to(g.stretched(x, shape), shape)]


def lower_fold(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    """The sum over axes that are 1 in the result and were stretched, as may turn out at run time."""
    from tensordsl.ops.table import OPS  # late: see lower_dot

    x, *_ = operands
    g = low.graph
    shape = [g.extents.find(n) for n in node.row.shape(g.extents, *operands, **node.attrs)]
    wide = map(g.extents.find, x.shape)
    pairs = [
        (n,) if m == n or g.extents.are_agreed((m, n)) else (m, ex.floordiv(n, m))
        for m, n in zip(shape, wide, strict=True)
    ]
    if all(len(pair) == 1 for pair in pairs):
        return [x]
    apart = g.reshape(x, [n for pair in pairs for n in pair])
    ends = [sum(map(len, pairs[: d + 1])) - 1 for d, pair in enumerate(pairs) if len(pair) == 2]
    summed = g.cast(apart, accumulator(x.dtype) if x.dtype == "float16" else x.dtype)
    return [g.cast(g.reduce(OPS["sum"].meaning, 0, ends, [summed]), x.dtype)]


def lower_shape_i(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    return [low.graph.extent(operands[0].shape[node.attrs["axis"]])]


def lower_arange(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    from tensordsl.ops.table import OPS  # late: see lower_dot

    start, stop, step = operands
    g = low.graph
    if (g.extents.value(start), g.extents.value(step)) != (0, 1):
        for bound in map(g.extents.value, (start, stop)):
            if not isinstance(bound, int):  # what lies between must fit, and what is added to it
                g.extents.require(bound, -FARTHEST, "arange: a bound lies below -2**62", "ge")
                g.extents.require(bound, FARTHEST, "arange: a bound does not lie below 2**62", "lt")
    (n,) = node.row.shape(g.extents, *operands, **node.attrs)
    dtype = node.outputs[0].type.dtype
    positions, by = g.iota(g.extents.find(n)), g.extents.value(step)
    if not isinstance(by, int):
        positions = _required(g, positions, by, 0, "ne", "arange: the step is 0")
    positions = g.cast(positions, dtype)
    if (g.extents.value(start), g.extents.value(step)) == (0, 1):
        return [positions]
    steps = g.map(OPS["mul"], positions, g.cast(step, dtype))
    return [g.cast(g.map(OPS["add"], g.cast(start, dtype), steps), dtype)]


def lower_concatenate(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    shape = node.row.shape(low.graph.extents, *operands, **node.attrs)
    dtype = node.outputs[0].type.dtype
    parts = [low.graph.cast(v, dtype) for v in operands]
    return [low.graph.make("concatenate", parts, dtype, shape, axis=node.attrs["axis"])]


def lower_subtensor(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    x, *ints = operands
    g = low.graph
    bounds = tuple(_bounds(g, entry, x.shape[d], ints) for d, entry in enumerate(node.attrs["index"]))
    if x.op == "concatenate" and x.rank == 1 and not bounds[0][3]:  # x.shape[0]: an item of a vector of items
        parts, k = x.operands, bounds[0][0]
        if all(v.shape == (1,) for v in parts) and isinstance(k, int):
            return [g.move(parts[k], (None,), ())]
    shape = [b[1] for b in bounds if b[3]]
    return [_slice(g, x, bounds, shape, node.attrs["index"], ints)]


def _slice(g: Graph, x: Value, bounds: Any, shape: Any, index: Any, ints: Sequence[Value]) -> Value:
    if all(b[:3] == (0, n, 1) for b, n in zip(bounds, x.shape, strict=True)):  # no element is left out
        kept = iter(range(x.rank))
        return g.move(x, [next(kept) if b[3] else None for b in bounds], shape)
    return g.make("subtensor", (x, *ints), x.dtype, shape, bounds=bounds, checks=_index_checks(g))


def _index_checks(g: Graph) -> tuple[ex.Constraint, ...]:
    """What the step has to check itself, where the call may leave it out."""
    return tuple(c for c in g.extents.fresh if c.relation != "eq")


def _bounds(g: Graph, entry: Any, n: Any, ints: Sequence[Value]) -> tuple[Any, Any, Any, bool]:
    """(start, length, step, keeps its axis) of one index entry over an axis of length n, as extents."""
    e = g.extents

    def get(k: Any) -> Any:
        return e.value(ints[k[1]]) if isinstance(k, tuple) else k

    if entry[0] == "int":
        k = get(entry[1])
        if isinstance(k, int):
            if isinstance(n, int) and not -n <= k < n:
                raise IndexError(f"index {k} is out of bounds for an axis of length {n}")
            start = k if k >= 0 else ex.add(n, k)
            if not isinstance(n, int):
                e.require(n, k + 1 if k >= 0 else -k, f"index {k} is out of bounds: the length of the axis", "ge")
            return start, 1, 1, False
        start = _wrap(k, n)
        e.require(k, ex.mul(n, -1), "index is out of bounds: index and minus the length of the axis", "ge")
        e.require(k, n, "index is out of bounds: index and the length of the axis", "lt")
        return start, 1, 1, False
    _, a, b, s = (entry[0], *map(get, entry[1:]))
    return _slice_bounds(e, n, a, b, s)


def _wrap(k: Any, n: Any) -> Any:
    """k + n where k is negative, as an extent: k + n * (k < 0)."""
    return ex.add(k, ex.mul(n, ex.floordiv_sign(k)))


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
        k = ex.add(n, k) if isinstance(k, int) and k < 0 else (k if isinstance(k, int) else _wrap(k, n))
        return ex.maximum(low, ex.minimum(k, high))

    start = clip(a, 0 if step > 0 else high)
    stop = clip(b, n if step > 0 else -1)
    if step == 1 and start == 0 and stop == n:
        return 0, n, 1, True
    if step == 1 and (a is None or isinstance(a, int) and a >= 0) and (b is None or isinstance(b, int) and b < 0):
        return start, e.find(ex.maximum(0, ex.sub(n, (a or 0) - (b or 0)))), 1, True
    if step == 1 and isinstance(a, int) and a < 0 and b is None:
        return start, e.find(ex.minimum(-a, n)), 1, True
    span = ex.sub(stop, start) if step > 0 else ex.sub(start, stop)
    length = ex.maximum(0, ex.floordiv(ex.add(span, abs(step) - 1), abs(step)))
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
        return default if k is None else ex.maximum(low, ex.minimum(_wrap(k, n), high))

    start = clip(a, choose(0, ex.sub(n, 1)))
    stop = clip(b, choose(n, -1))
    sign = choose(1, -1)
    magnitude = ex.mul(sign, step)
    span = ex.mul(sign, ex.sub(stop, start))
    length = ex.maximum(0, ex.floordiv(ex.add(span, ex.sub(magnitude, 1)), magnitude))
    return start, length, step, True


def lower_inc_subtensor(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    x, y, *ints = operands
    g = low.graph
    y = g.cast(y, x.dtype)
    bounds = tuple(_bounds(g, entry, x.shape[d], ints) for d, entry in enumerate(node.attrs["index"]))
    shape = [b[1] for b in bounds if b[3]]
    lead = len(shape) - y.rank
    for d, n in enumerate(y.shape):
        g.extents.fits(shape[lead + d], n, "the slice and the value written to it")
    y = g.broadcast_to(g.stretched(y, shape), shape)
    checks = _index_checks(g)
    return [
        g.make("inc_subtensor", (x, y, *ints), x.dtype, x.shape, bounds=bounds, checks=checks, set=node.attrs["set"])
    ]


def lower_take(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    x, *indices = operands
    g = low.graph
    shape = node.row.shape(g.extents, *operands, **node.attrs)
    axes, rank = node.attrs["axes"], max(i.rank for i in indices)
    common = shape[index_place(axes) :][:rank]
    indices = [g.stretched(i, common) for i in indices]
    prefix = [d for d, i in zip(axes, indices, strict=True) if _is_prefix(g, i, x.shape[d], indices)]
    attrs: dict[str, Any] = {"prefix": tuple(prefix)} if prefix else {}
    if not g.extents.conditional:
        for d, i in zip(axes, indices, strict=True):  # NumPy checks single integers even if the arrays have none
            if not i.rank:
                _bounds(g, ("int", ("input", 0)), x.shape[d], [g.cast(i, "int64")])
    return [g.make("take", (x, *(g.cast(i, "int64") for i in indices)), x.dtype, shape, axes=axes, **attrs)]


def _is_prefix(g: Graph, index: Value, length: Any, indices: Sequence[Value]) -> bool:
    """Whether `index` is 0, 1, ... within the axis: made sure of at entry, where every position is read."""
    if index.op != "iota" or g.extents.conditional or any(i.rank != 1 for i in indices):
        return False
    positions, length = g.extents.find(index.shape[0]), g.extents.find(length)
    if isinstance(positions, int) and isinstance(length, int):
        return positions <= length
    if positions != length:
        g.extents.require(length, positions, "index is out of bounds: the length of the axis", "ge")
    return True


def lower_for(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    g = low.graph
    body = node.attrs["body"]
    k = len(body.carried)
    count, inits, invariants = operands[0], parts(operands[1 : 1 + k]), operands[1 + k :]
    loop = g.new_loop()
    inside = frozenset([loop.number])
    loop.index = g.make("index", (), "int64", (), loops=inside, loop_number=loop.number)
    loop.carried = tuple(
        g.make("carried", (), v.dtype, v.shape, loops=inside | v.loops, loop_number=loop.number, k=j)
        for j, v in enumerate(inits)
    )
    outer, low.env = low.env, ChainMap({}, low.env)
    for variables, values in (
        ((body.index,), (loop.index,)),
        (body.carried, paired(g, body.carried, loop.carried)),
        (body.invariants, invariants),
    ):
        for variable, value in zip(variables, values, strict=True):
            low.env[id(variable)] = g.cast(value, variable.type.dtype)
    low.keep_alive.append(body)
    extents, node_position = g.extents, g.extents.node
    state = extents.conditional, g.within
    n = extents.value(count)
    if not isinstance(n, int):
        n = ex.maximum(0, n)
    if not (isinstance(n, int) and n > 0):
        extents.conditional, g.within = True, inside
    results = low.run([*body.next, *body.stacked])
    extents.node = node_position
    low.env = outer  # another loop may share this body's variables, with parameters of its own
    loop.next = tuple(g.cast(r, v.dtype) for r, v in zip(parts(results[:k]), inits, strict=True))
    loop.stacked = tuple(parts(results[k:]))
    for new, old in zip(loop.next, inits, strict=True):
        for a, b in zip(new.shape, old.shape, strict=True):
            extents.same(a, b, "a carried value must keep its shape: lengths of an axis")
    (extents.conditional, g.within), extents.fresh = state, []
    around = frozenset().union(*(v.loops for v in (*operands, *loop.next, *loop.stacked))) - inside
    made = g.make("for", (count, *inits), "", (), loops=around, loop=loop, count=n)
    loop.count = count
    finals = [g.result(made, j, v.dtype, v.shape) for j, v in enumerate(inits)]
    stacked = [g.result(made, len(inits) + j, v.dtype, (n, *v.shape)) for j, v in enumerate(loop.stacked)]
    return paired(g, node.outputs, finals + stacked)


def lower_ifelse(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    condition, *values = operands
    g = low.graph
    k = len(values) // 2
    then, orelse = (
        parts([g.cast(v, o.type.dtype) for v, o in zip(branch, node.outputs, strict=True)])
        for branch in (values[:k], values[k:])
    )
    chosen = g.cast(condition, "bool")
    if chosen.op == "const":
        return paired(g, node.outputs, then if chosen.attrs["data"] else orelse)
    made = g.make("ifelse", (chosen, *then, *orelse), "", ())
    results: list[Value] = []
    shapes: dict[Any, list[Any]] = {}  # values whose branches have equal shapes have one shape
    for j, (a, b) in enumerate(zip(then, orelse, strict=True)):
        shape = shapes.setdefault(
            (a.shape, b.shape),
            [
                m if m == n else _assumed_length(g, a, b, d) or ex.choice(g.extents.value(chosen), m, n)
                for d, (m, n) in enumerate(zip(a.shape, b.shape, strict=True))
            ],
        )
        results.append(g.result(made, j, a.dtype, shape))
    return paired(g, node.outputs, results)


def _assumed_length(g: Graph, then: Value, orelse: Value, axis: int) -> Any:
    """The length of a choice where one branch is only taken if its own length is the other's: that of the other.

    None if there is no such branch.  So a gradient of one branch has the shape of its variable.
    """
    m, n = then.shape[axis], orelse.shape[axis]
    c = g.extents.assumption(m, n)
    if c is None or not all(a[0] in ("arg", "shared") for length in (m, n) for a in ex.atoms(length)):
        return None
    for branch, other in ((then, n), (orelse, m)):
        if any(g.origins.get(v.number) == c.node for v in toposort_values([branch])):
            return other
    return None


def lower_assert(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    x, g = operands[0], low.graph
    kind, message = node.attrs.get("kind", "assert"), node.attrs["message"]
    return [g.make("assert", tuple(operands), x.dtype, x.shape, message=message, kind=kind, unique=True)]


def lower_host(low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    return low.host(node, operands)


KERNELS: dict[str, Callable[[Lowering, Apply, list[Value]], list[Value]]] = {
    "dot": lower_dot, "reshape": lower_reshape, "broadcast_to": lower_broadcast_to, "shape_i": lower_shape_i,
    "arange": lower_arange, "fold": lower_fold, "concatenate": lower_concatenate, "subtensor": lower_subtensor,
    "inc_subtensor": lower_inc_subtensor, "take": lower_take, "inc_take": lower_inc_take, "for": lower_for,
    "ifelse": lower_ifelse, "assert": lower_assert, "print": lower_host, "host": lower_host,
    "along": lower_along, "searchsorted": lower_search,
    "true_positions": lower_true, "repeated_positions": lower_repeated,
}  # fmt: skip


def lower(
    inputs: Sequence[Variable],
    shared: Sequence[Variable],
    outputs: Sequence[Variable],
    updates: Sequence[tuple[Variable, Variable]],
    are_usual: bool = True,
    tuning: Tuning | None = None,
) -> Lowered:
    """A function's graph as tensor IR.  are_usual: for calls in which no length of 1 stretches at run time; tuning: of
    the machine that it is compiled for, this one's if none is given."""
    low = Lowering(tuning)
    low.graph.extents.are_usual = are_usual
    sources: list[Value] = []
    for kind, variables in (("arg", inputs), ("shared", shared)):
        for k, v in enumerate(variables):
            sources.append(low.source(kind, k, v.type))
            low.env[id(v)] = strided_variants(low, sources[-1])
    roots = [*outputs, *(new for _, new in updates)]
    nodes = toposort(roots, inputs)
    values = low.run(roots, nodes)
    low.graph.extents.node = None
    index = {id(v): k for k, v in enumerate(shared)}
    updated = [
        (index[id(s)], low.graph.cast(v, s.type.dtype))
        for (s, _), v in zip(updates, values[len(outputs) :], strict=True)
    ]
    for k, value in updated:
        for d, n in enumerate(shared[k].type.shape):
            if n is not None:
                low.graph.extents.same(value.shape[d], n, f"the new value of {shared[k]}")
    return Lowered(low.graph, values[: len(outputs)], updated, nodes, low.hosts, sources)
