"""Tensor IR: typed SSA values, hash-consed per compile, with symbolic extents.

A `Value`'s `op` names its construct (`codegen.constructs`), which defines its operands and attributes.  Making the same
value twice gives the same object, so common subexpressions are shared; `loops` are the loops that a value varies with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from tensordsl.codegen.target.tuning import Tuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import CONSTRUCTS, RESHAPE, SUBTENSOR, Construct
from tensordsl.codegen.tensor_ir.extents import Extents, Length
from tensordsl.graph.variables import Op


class Value:
    """One SSA value: `op`, `operands`, `attrs`, `dtype` ("" for an op with several results), `shape` of extents; the
    `traits` of its construct."""

    __slots__ = ("op", "operands", "attrs", "dtype", "shape", "number", "loops", "key", "traits")

    def __init__(
        self, op: str, operands: tuple[Value, ...], attrs: dict[str, Any], dtype: str, shape: tuple[Length, ...],
        number: int, loops: frozenset[int], key: Any = None,
    ) -> None:  # fmt: skip
        self.op, self.operands, self.attrs, self.dtype, self.shape = op, operands, attrs, dtype, shape
        self.number, self.loops, self.key = number, loops, key  # of its attributes, if it is known
        self.traits = CONSTRUCTS[op].traits

    @property
    def construct(self) -> Construct:
        return CONSTRUCTS[self.op]

    @property
    def rank(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"%{self.number}"


class Loop:
    """The body of a `for` or `while`: parameters, the values of the next iteration, those stacked over iterations, and
    of a `while` whether the iteration is the last one; `made` is the loop that has it, `rounds` how many
    iterations it had."""

    __slots__ = (
        "number",
        "index",
        "carried",
        "next",
        "stacked",
        "count",
        "condition",
        "node",
        "made",
        "rounds",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.node: int | None = None  # the user's application
        self.index: Value
        self.count: Value
        self.made: Value | None = None
        self.rounds: Length = 0
        self.carried: tuple[Value, ...] = ()
        self.next: tuple[Value, ...] = ()
        self.stacked: tuple[Value, ...] = ()
        self.condition: Value | None = None

    @property
    def results(self) -> tuple[Value, ...]:
        """All that an iteration gives."""
        return (*self.next, *self.stacked) if self.condition is None else (*self.next, *self.stacked, self.condition)

    def give(self, results: Sequence[Value]) -> None:
        """Other `results`, each in the place of the old one."""
        n, m = len(self.next), len(self.next) + len(self.stacked)
        self.next, self.stacked = tuple(results[:n]), tuple(results[n:m])
        if self.condition is not None:
            self.condition = results[m]


class Graph:
    """A builder of hash-consed values, in canonical form where that needs no search."""

    def __init__(self, tuning: Tuning | None = None) -> None:
        """tuning: of the machine that it is compiled for; this one's, if none is given."""
        self.tuning = tuning or Tuning.here()
        self.extents = Extents()
        self.origins: dict[int, int] = {}  # value number -> the user's application that first needed it
        self._memo: dict[Any, Value] = {}
        self.values: list[Value] = []
        self.loops: list[Loop] = []
        self.lines: Sequence[Any] = ()  # where the user wrote each of the applications
        self.hosts: list[Callable[..., Any]] = []  # callables of effects, by their numbers
        self.host_steps: dict[Any, list[Value]] = {}  # the results of a step by its row, attributes and operands
        self.structures: dict[int, Any] = {}  # value number -> what `passes.linalg.structure` knows of it
        self.unchecked_loops: set[int] = set()  # numbers of loops of which each round checks that states keep lengths
        self.within: frozenset[int] = _NO_LOOPS  # the loop that is being lowered, if it may run zero times

    def make(
        self, op: str, operands: Iterable[Value], dtype: str, shape: Iterable[Length],
        loops: frozenset[int] | None = None, unique: bool = False, **attrs: Any,
    ) -> Value:  # fmt: skip
        return self._made(op, tuple(operands), dtype, tuple(shape), loops, unique, attrs, attrs_key(attrs))

    def like(
        self, v: Value, operands: Iterable[Value], shape: Iterable[Length] | None = None,
        loops: frozenset[int] | None = None,
    ) -> Value:  # fmt: skip
        """v with other operands or another shape."""
        key = attrs_key(v.attrs) if v.key is None else v.key
        shape = v.shape if shape is None else tuple(shape)
        return self._made(v.op, tuple(operands), v.dtype, shape, loops, False, v.attrs, key)

    def _made(
        self, op: str, operands: tuple[Value, ...], dtype: str, shape: tuple[Length, ...],
        loops: frozenset[int] | None, unique: bool, attrs: dict[str, Any], attrs_key: Any,
    ) -> Value:  # fmt: skip
        own = _NO_LOOPS  # loops that no operand varies with
        if self.within and self.extents.fresh:  # what may fail stays inside of a loop that may run zero times
            own = self.within
        if self.loops and loops is None and (numbers := ex.named(shape)):  # a length may vary where no operand does
            own = own.union(*[self.values[n].loops for n in numbers])
        if own or loops is not None:
            theirs = _NO_LOOPS.union(*[v.loops for v in operands])
            loops = theirs | own if loops is None else loops
            own = loops - theirs
        key = (op, operands, dtype, shape, attrs_key, len(self.values) if unique else -1, own)
        value = self._memo.get(key)
        if value is None:
            if loops is None:
                loops = _NO_LOOPS.union(*[v.loops for v in operands]) if operands else _NO_LOOPS
            value = Value(op, operands, attrs, dtype, shape, len(self.values), loops, attrs_key)
            self._memo[key] = value
            self.values.append(value)
            if self.extents.node is not None:
                self.origins[value.number] = self.extents.node
        return value

    # leaves
    def const(self, data: Any, dtype: str | None = None) -> Value:
        array = np.array(data, dtype=dtype)
        array.flags.writeable = False
        return self.make("const", (), _name_of(array.dtype), array.shape, data=array)

    def extent(self, length: Length) -> Value:
        length = self.extents.find(length)
        if isinstance(length, int):
            return self.const(length, "int64")
        varying = [self.values[n].loops for n in ex.named((length,))]
        return self.make("extent", (), "int64", (), extent=length, loops=_NO_LOOPS.union(*varying))

    def iota(self, length: Length) -> Value:
        return self.make("iota", (), "int64", (length,))

    # row ops
    def map(self, row: Any, *operands: Value, **attrs: Any) -> Value:
        """Apply an elementwise row; operands are cast to its loop dtypes and broadcast.  A constant of one element is
        that number, broadcast: so rules see it, and no kernel loads it."""
        operands = tuple([self._spread(v) if v.op == "const" and v.rank else v for v in operands])
        dtypes = tuple([v.dtype for v in operands])
        loop, dtype = signature(row, dtypes, attrs)
        if loop != dtypes:
            operands = tuple([self.cast(v, t) for v, t in zip(operands, loop, strict=True)])
        return self.make("map", operands, dtype, self.broadcast(operands), row=row, args=attrs)

    def cast(self, x: Value, dtype: str) -> Value:
        if x.dtype == dtype:
            return x
        if x.op == "const" and x.rank == 0:
            with np.errstate(all="ignore"):
                return self.const(x.attrs["data"].astype(dtype))
        from tensordsl.ops.table import OPS  # late: the table imports every row

        return self.make("map", (x,), dtype, x.shape, row=OPS["cast"], args={"dtype": dtype})

    def broadcast(self, operands: Sequence[Value]) -> tuple[Length, ...]:
        shapes = [v.shape for v in operands]
        first = shapes[0]
        if all([s is first or s == first for s in shapes]):
            return first
        rank = max(map(len, shapes))
        aligned = [(1,) * (rank - len(s)) + s for s in shapes]
        return tuple(self.extents.broadcast(dims) for dims in zip(*aligned, strict=True))

    def _spread(self, v: Value) -> Value:
        data = v.attrs["data"]
        return self.move(self.const(data.reshape(())), (), v.shape) if data.size == 1 else v

    def move(self, x: Value, map: Sequence[int | None], shape: Sequence[Length]) -> Value:
        """The elements of x at other places; see the module's docstring for `map`."""
        map, shape = tuple(map), tuple(shape)
        if x.op == "move":
            inner = x.attrs["map"]
            return self.move(x.operands[0], [None if a is None else map[a] for a in inner], shape)
        if x.op == "const" and not shape:  # a number, which lengths may be made of
            return self.const(x.attrs["data"].reshape(())) if x.rank else x
        if map == tuple(range(x.rank)) and shape == x.shape:
            return x
        map = tuple(None if x.shape[d] == 1 else a for d, a in enumerate(map))
        return self.make("move", (x,), x.dtype, shape, map=map)

    def broadcast_to(self, x: Value, shape: Sequence[Length]) -> Value:
        """x (right-aligned) broadcast to `shape`: also along axes that constraints made 1, of which another one may be
        longer here."""
        lead = len(shape) - x.rank
        lengths = map(self.extents.find, x.shape)
        return self.move(x, [None if n == 1 else lead + d for d, n in enumerate(lengths)], shape)

    def stretched(self, x: Value, shape: Sequence[Length], is_checked: bool = False) -> Value:
        """x (right-aligned), whose axes are 1 or as long as those of `shape`, which only the run decides.  is_checked:
        assumptions are checked here, as no step that uses the result does."""
        bounds: list[tuple[Length, Length, Length, bool]] = []
        find, checks = self.extents.find, []
        for m, n in zip(map(find, x.shape), map(find, shape[len(shape) - x.rank :]), strict=True):
            is_agreed = self.extents.are_agreed((m, n))
            if m in (1, n) or (is_agreed and not is_checked):
                bounds.append((0, m, 1, True))
                continue
            own, step = (m, 1) if is_agreed else (ex.stretched(m, n), ex.choice(ex.sub(m, 1), 1, 0))
            checks.append(ex.Constraint(own, n, ex.SHARED_AXIS, self.extents.node))
            bounds.append((0, n, step, True))
        if not checks:
            return x
        lengths = [b[1] for b in bounds]
        return self.make(SUBTENSOR, (x,), x.dtype, lengths, bounds=tuple(bounds), checks=tuple(checks))

    def reduce(self, meaning: Any, result: int, axes: Sequence[int], operands: Sequence[Value]) -> Value:
        x = operands[0]
        shape = tuple(n for d, n in enumerate(x.shape) if d not in axes)
        types = tuple(v.dtype for v in operands) + (("int64",) if meaning.with_index else ())
        dtype = meaning.reducer.result(types)[result]
        return self.make(
            "reduce", operands, dtype, shape,
            reducer=meaning.reducer, axes=tuple(axes), result=result, with_index=meaning.with_index,
        )  # fmt: skip

    # constructs
    def reshape(self, x: Value, shape: Sequence[Length]) -> Value:
        shape = tuple(shape)
        if x.op == RESHAPE:
            x = x.operands[0]
        if shape == x.shape:
            return x
        wide = [d for d, n in enumerate(x.shape) if n != 1]
        target = [d for d, n in enumerate(shape) if n != 1]
        if [x.shape[d] for d in wide] == [shape[d] for d in target]:  # only axes of length 1 come and go
            place = dict(zip(wide, target, strict=True))
            return self.move(x, [place.get(d) for d in range(x.rank)], shape)
        return self.make(RESHAPE, (x,), x.dtype, shape)

    def new_loop(self) -> Loop:
        loop = Loop(len(self.loops) + 1)
        self.loops.append(loop)
        return loop

    def result(self, node: Value, k: int, dtype: str, shape: Sequence[Length]) -> Value:
        return self.make("result", (node,), dtype, shape, k=k)


@cache
def _name_of(dtype: Any) -> str:
    """NumPy makes it anew each time."""
    return str(dtype.name)


_SIGNATURES: dict[Any, tuple[tuple[str, ...], str]] = {}  # of rows without attributes


def signature(row: Any, dtypes: tuple[str, ...], attrs: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    """(the dtypes that an elementwise row's operands are cast to, the result's dtype)."""
    if attrs:
        return tuple(row.meaning.loop(*dtypes)), row.dtype(*dtypes, **attrs)
    key = row, dtypes
    if key not in _SIGNATURES:
        _SIGNATURES[key] = tuple(row.meaning.loop(*dtypes)), row.dtype(*dtypes)
    return _SIGNATURES[key]


_NO_LOOPS: frozenset[int] = frozenset()
REWRITES = 8  # how often a value is rewritten in place before the walk goes on


def attrs_key(attrs: dict[str, Any]) -> Any:
    """Arrays and floats by their bytes (-0.0 is not 0.0), everything else by equality within its own type."""
    return tuple([(name, _key(value)) for name, value in attrs.items()])


def _key(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return kind.__name__, value
    if kind is tuple or kind is list:
        return tuple([_key(v) for v in value])
    if kind is dict:
        return tuple([(k, _key(v)) for k, v in value.items()])
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, float):
        return "float", value.hex(), np.signbit(value)
    return kind.__name__, value


_PLAIN = frozenset((int, str, bool, ex.Extent, Op))  # equal within their type


def toposort(roots: Iterable[Value]) -> list[Value]:
    """Operands before users, bodies of loops before their loop; without recursion."""
    order: dict[Value, None] = {}
    stack: list[Value | None] = [*reversed(list(roots))]
    waiting: list[Value] = []  # values whose operands are being visited; None on the stack ends the last one's
    while stack:
        v = stack.pop()
        if v is None:
            order[waiting.pop()] = None
        elif v not in order:
            below = v.operands if not v.traits.needs_more else dependencies(v)
            needed = [o for o in below if o not in order]
            if not needed:
                order[v] = None
                continue
            waiting.append(v)
            stack.append(None)
            stack += needed[::-1]
    return list(order)


def giver(v: Value) -> Value:
    """What gives v in memory: the loop, branch or step that it is a result of, else v itself."""
    if v.op == "result":
        return v.operands[0]
    made: Value | None = v.attrs["loop"].made if v.op == "rounds" else v
    assert made is not None
    return made


def lengths_of(v: Value) -> Sequence[Length]:
    """Its shape, the bounds of what it reads or writes, and the trip count of a loop."""
    if v.traits.is_computed:
        return v.shape
    return [*v.shape, *[n for bound in v.attrs.get("bounds", ()) for n in bound[:3]], v.attrs.get("count", 0)]


def named_by(v: Value) -> set[int]:
    """The numbers of the values that its lengths, the length that it gives, and its checks are computed from."""
    checked = [n for c in v.attrs.get("checks", ()) for n in (c.a, c.b)]
    return ex.named([*lengths_of(v), v.attrs.get("extent", 0), *checked])


def dependencies(v: Value) -> tuple[Value, ...]:
    """Operands; for a loop also the results of its body, for a number of rounds its loop."""
    if v.traits.is_loop:
        return (*v.operands, *v.attrs["loop"].results)
    if v.op == "rounds":
        return (giver(v),)
    return v.operands


def rewrite(
    graph: Graph,
    roots: Sequence[Value],
    rule: Callable[[Value], Value | None],
    frozen: Collection[int] = (),
    users: dict[int, int] | None = None,
    order: Sequence[Value] | None = None,
    ops: Collection[str] = (),
) -> list[Value]:  # fmt: skip
    """Rebuild bottom-up; `rule(value)` gives a replacement or None, and is applied again to its result.

    frozen: numbers of values that stay as they are; with a value all that it depends on must be frozen. users: value
    number -> number of users; a replacement inherits them.
    order: toposort(roots), if it is known.
    ops: those that the rule applies to (empty: all).
    """
    changed: dict[Value, Value] = {}
    origins, extents = graph.origins, graph.extents

    def new(o: Value) -> Value:
        return changed.get(o, o)

    for v in toposort(roots) if order is None else order:
        if v.number in frozen:
            continue
        w = v
        if changed and not changed.keys().isdisjoint(dependencies(v)):
            w = rebuild(graph, v, new)
        elif ops and v.op not in ops:
            continue
        for _ in range(REWRITES):
            if ops and w.op not in ops:
                break
            extents.node = origins.get(v.number)
            better = rule(w)
            if better is not None and w.attrs.get("checks") and better.attrs.get("checks"):  # it fails where it did
                better = graph.like(better, better.operands, loops=w.loops | better.loops)
            if better is None or better is w:
                break
            w = better
        if w is v:
            continue
        changed[v] = w
        if users is not None:
            users[w.number] = users.get(w.number, 0) + users.get(v.number, 1)
    extents.node = None
    return list(map(new, roots))


def rebuild(graph: Graph, v: Value, new: Callable[[Value], Value]) -> Value:
    """v with `new` operands, and for a loop new results of its body; v itself if they are the same."""
    if v.traits.is_loop:
        loop = v.attrs["loop"]
        loop.give(list(map(new, loop.results)))
    graph.extents.node = graph.origins.get(v.number)
    operands = tuple(map(new, v.operands))
    loops = _rebuilt_loops(v, operands)
    if operands == v.operands and (not v.traits.is_loop or loops == v.loops):
        return v
    made = graph.like(v, operands, loops=loops)
    if v.traits.is_loop:
        loop.made = made
    return made


def _rebuilt_loops(v: Value, operands: tuple[Value, ...]) -> frozenset[int] | None:
    """The loops of v with other operands; None: the union of theirs."""
    if not v.loops and not v.traits.is_loop:
        return None
    if not v.traits.is_loop:
        may_fail = v.traits.has_effects or v.attrs.get("checks")  # it stays where it was, whatever its operands become
        own = v.loops if may_fail else v.loops.difference(*(o.loops for o in v.operands))
        return own.union(*(o.loops for o in operands)) if own else None
    loop = v.attrs["loop"]
    inside = (*operands, *loop.results)
    return _NO_LOOPS.union(*(o.loops for o in inside)) - {loop.number}


def show(roots: Iterable[Value]) -> str:
    """The IR as text in MLIR's manner."""
    lines = []
    for v in toposort(roots):
        attrs = {k: (x.name if hasattr(x, "name") else x) for k, x in v.attrs.items() if k not in ("loop", "data")}
        if v.op == "const":
            attrs = {"value": v.attrs["data"].tolist() if v.attrs["data"].size < 9 else "dense<...>"}
        inside = ", ".join(f"{k} = {x}" for k, x in attrs.items())
        shape = "x".join([*("1" if n == 1 else f"[{n}]" for n in v.shape), v.dtype])
        lines.append(f"%{v.number} = {v.op}({', '.join(map(repr, v.operands))}) {{{inside}}} : tensor<{shape}>")
    return "\n".join(lines)


def size(shape: Iterable[Length]) -> Length:
    return ex.product(shape)
