"""Lowering: the user's graph becomes tensor IR, with explicit casts and broadcasts and symbolic extents.

`lower(inputs, shared, outputs, updates)` -> `Lowered`.  Rows say by their meaning how; `Expand` rows are expanded,
and a `Kernel` row names a construct.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import field
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import ASSERT, CONSTRUCTS, FOR, HOST, IFELSE, WHILE
from tensordsl.codegen.tensor_ir.equal_loops import LoweredLoops
from tensordsl.codegen.tensor_ir.graph import Graph, Value, attrs_key
from tensordsl.codegen.tensor_ir.lower_complex import constant_pair, is_complex, lower_complex, split_complex
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
    with_bodies,
)


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
        return self.node.row.print_name or self.node.row.name

    def __call__(self, *arrays: Any) -> Sequence[Any]:
        assert self.node.row.oracle is not None
        result = self.node.row.oracle(*arrays, **self.node.attrs)
        return list(result) if len(self.node.outputs) > 1 else [result]


@record(eq=False)
class CallbackStep:
    """A step of the host: the Python function of a custom operation, called with arrays of its own."""

    node: Apply
    direct: Callable[..., Any]  # gives one array, or a sequence of them

    @property
    def __name__(self) -> str:
        return self.node.row.print_name or self.node.row.name

    def __call__(self, *arrays: Any) -> Sequence[Any]:
        return self.settle(self.direct(*arrays))

    def settle(self, results: Any) -> Sequence[Any]:
        """What `direct` gave as a list of arrays of the right dtypes and ranks."""
        row: Any = self.node.row
        return list(row.checked(results, self.node.attrs["types"]))


class Lowering:
    """`env` maps variables to IR values; `hosts` collects the Python callables of effects."""

    def __init__(self, tuning: Tuning | None = None, graph: Graph | None = None) -> None:
        """graph: where values are made, if not in one of their own."""
        self.graph = Graph(tuning) if graph is None else graph
        self.env: MutableMapping[int, Value] = {}
        self.hosts, self.host_steps = self.graph.hosts, self.graph.host_steps
        self.positions: dict[int, int] = {}  # id(node) -> its number among the user's applications
        self.keep_alive: list[Any] = []  # ids in env must stay unique
        self.lowered_loops = LoweredLoops()
        self.branches: dict[int, Branches] = {}  # of custom operations that a call may leave out, by id(node)

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
        """Lower everything that `outputs` need and `env` does not have yet; `function`: these nodes, if known."""
        nodes = toposort(outputs, stop=_frontier(outputs, self.env)) if function is None else function
        extents = self.graph.extents
        outer, runs, around = extents.conditional, extents.runs, extents.node
        optional = _optional(outputs, nodes, self.graph.tuning.allows(EAGER_INVARIANTS))
        if optional and not outer and any(node.row.is_custom for node in nodes if id(node) in optional):
            self.branches |= _branches(outputs, nodes)
        for node in nodes:
            extents.node = self.positions.get(id(node), around)
            self.keep_alive.append(node)
            if all([id(v) in self.env for v in node.outputs]):
                continue
            is_optional = id(node) in optional
            extents.conditional, extents.runs = outer or is_optional, None if is_optional else runs
            extents.fresh = []
            values = self.apply(node)
            for v, value in zip(node.outputs, values, strict=True):
                self.env[id(v)] = value
        extents.conditional, extents.runs, extents.fresh, extents.node = outer, runs, [], around
        return [self.value(v) for v in outputs]

    def apply(self, node: Apply) -> Sequence[Value]:
        meaning = node.row.meaning
        if isinstance(meaning, Expand):
            built = meaning.build(*node.inputs, **node.attrs)
            return self.run([built] if isinstance(built, Variable) else built)
        if isinstance(meaning, Kernel):
            construct = CONSTRUCTS[meaning.name]
            make = construct.lower_complex if is_complex(node) else construct.lower
            return make(self, node, [self.value(v) for v in node.inputs])
        if is_complex(node):
            return lower_complex(self, node)
        operands = [self.value(v) for v in node.inputs]
        if isinstance(meaning, Elementwise):
            return [self.graph.map(node.row, *operands, **node.attrs)]
        if isinstance(meaning, Reduction):
            return self.reduce(node, meaning, operands)
        assert isinstance(meaning, Movement), node.row
        (x, *_) = operands
        shape = node.row.shape(self.graph.extents, *operands, **node.attrs)
        return [self.graph.move(x, meaning.map(x.rank, **node.attrs), shape)]

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
        return [required(self.graph, x, number, 1, "ge", f"{node.row.name} of no elements", ": their number")]

    def host(self, node: Apply, operands: list[Value]) -> list[Value]:
        """A step that calls the row's oracle."""
        g = self.graph
        operands = [g.cast(o, v.type.dtype) for o, v in zip(operands, node.inputs, strict=True)]
        same = (node.row.name, attrs_key(node.attrs), tuple([o.number for o in operands]), g.within)
        if not node.row.effect and same in self.host_steps:
            return self.host_steps[same]
        shape = node.row.shape(g.extents, *operands, **node.attrs)
        if id(node) not in self.positions and g.extents.node is not None and g.lines:  # made by an expansion or a pass
            object.__setattr__(node, "origin", g.lines[g.extents.node])
        self.hosts.append(HostStep(node))
        shapes = shape if len(node.outputs) > 1 else (shape,)
        results = self.host_steps[same] = self.results_of_host(node, operands, len(self.hosts) - 1, shapes)
        return results

    def callback(self, node: Apply, operands: list[Value], shapes: Sequence[Sequence[Any]]) -> list[Value]:
        """A step that calls a custom operation; shapes: of its results, None for lengths that only the call tells.
        Equal operations on equal operands are one step."""
        g = self.graph
        operands = [g.cast(o, v.type.dtype) for o, v in zip(operands, node.inputs, strict=True)]
        unknown = tuple([(k, axis) for k, s in enumerate(shapes) for axis, n in enumerate(s) if n is None])
        row: Any = node.row
        guard = self.guard(node) if unknown else None
        same = (
            row.identity(),
            node.attrs["types"],
            tuple([o.number for o in operands]),
            g.within,
            guard and guard.number,
        )
        if same in self.host_steps:
            return self.host_steps[same]
        operands = operands[: row.count_of_arguments(node)]
        number = len(self.hosts)
        self.hosts.append(CallbackStep(node, row.caller(node)))
        results = self.host_steps[same] = self.results_of_host(node, operands, number, shapes, unknown, guard)
        return results

    def guard(self, node: Apply) -> Value | None:
        """Whether the branches are taken outside of which nothing needs `node`; None where it is needed in any case.

        The lengths of an `ifelse`'s result are those of both branches, so a step that decides them stands before it.
        Of inner branches only conditions that cannot fail count, as they are computed in any case.
        """
        from tensordsl.ops.table import OPS  # late: the table imports every row

        g, guard = self.graph, None
        for depth, (choice, side) in enumerate(self.branches.get(id(node), ())):
            if depth and not all(isinstance(n.row.meaning, Elementwise) for n in toposort([choice.inputs[0]])):
                break
            condition = g.cast(self.run([choice.inputs[0]])[0], "bool")
            condition = g.map(OPS["invert"], condition) if side else condition
            guard = condition if guard is None else g.map(OPS["and_"], guard, condition)
        return None if guard is None or guard.op == "const" else guard

    def results_of_host(
        self,
        node: Apply,
        operands: list[Value],
        number: int,
        shapes: Sequence[Sequence[Any]],
        unknown: Sequence[tuple[int, int]] = (),
        guard: Value | None = None,
    ) -> list[Value]:
        """The results of a step of the host.  Those behind them are the `unknown` lengths (result, axis).  guard: the
        call is made only where it is true; the lengths are 0 elsewhere, and the results are not read."""
        g, count = self.graph, len(node.outputs)
        made = g.make(
            HOST, operands if guard is None else (*operands, guard), "", (), is_guarded=guard is not None,
            number=number, effect=node.row.effect, name=node.row.name, count=count, unknown=tuple(unknown),
            types=tuple([v.type.dtype for v in node.outputs]), ranks=tuple([v.type.ndim for v in node.outputs]),
        )  # fmt: skip
        known = {}
        for k, at in enumerate(unknown):
            length = g.result(made, count + k, "int64", ())
            g.extents.bound(length.number, [0])
            known[at] = g.extents.value(length)
        return [
            g.result(made, k, v.type.dtype, [known.get((k, axis), n) for axis, n in enumerate(s)])
            for k, (v, s) in enumerate(zip(node.outputs, shapes, strict=True))
        ]


def loops_of_step(g: Graph, operands: Sequence[Value]) -> frozenset[int]:
    """Where a step that may fail belongs: it stays inside of a loop that may run zero times."""
    return (g.within or frozenset()).union(*(v.loops for v in operands))


def required(g: Graph, x: Value, a: Any, b: Any, relation: str, message: str, what: str = "") -> Value:
    """x, where the call makes sure that `a` stands in a relation to `b`; `what`: how the message goes on with both."""
    if not g.extents.conditional:
        g.extents.require(a, b, message + what, relation)
        return x
    from tensordsl.ops.table import OPS  # late: the table imports every row

    flag = g.map(OPS[{"ne": "neq"}.get(relation, relation)], g.extent(a), g.extent(b))
    attrs: dict[str, Any] = {"message": message, "kind": "check", "unique": True}
    return g.make(ASSERT, (x, flag), x.dtype, x.shape, loops=loops_of_step(g, [x, flag]), **attrs)


Branches = tuple[tuple[Apply, int], ...]  # an `ifelse` and which of its sides, the outermost first


def _branches(outputs: Sequence[Variable], nodes: Sequence[Apply]) -> dict[int, Branches]:
    """For each node, by its id, the branches outside of which nothing needs it."""
    found: dict[int, Branches] = {id(v.owner): () for v in outputs if v.owner is not None}
    for node in reversed(nodes):
        here = found.get(id(node), ())
        half = len(node.outputs) if node.row.name == IFELSE else 0
        for k, v in enumerate(node.inputs):
            if v.owner is None:
                continue
            used = (*here, (node, int(k > half))) if half and k else here
            known = found.get(id(v.owner))
            found[id(v.owner)] = used if known is None else _common(known, used)
    return found


def _common(a: Branches, b: Branches) -> Branches:
    n = 0
    while n < min(len(a), len(b)) and a[n][0] is b[n][0] and a[n][1] == b[n][1]:
        n += 1
    return a[:n]


# What a loop reads that no round changes is computed before it, though there may be no round.
EAGER_INVARIANTS = "eager_invariants"


def _optional(outputs: Sequence[Variable], nodes: Sequence[Apply], is_eager: bool = True) -> set[int]:
    """ids of the nodes that a call may leave out: only branches of an `ifelse` need them, or loops without rounds."""
    if not any(node.row.name == IFELSE or "body" in node.attrs for node in nodes):
        return set()
    optional = {id(node) for node in nodes}
    stack = list(outputs)
    while stack:
        node = stack.pop().owner
        if node is not None and id(node) in optional:
            optional.remove(id(node))
            stack.extend(_always_needed(node, is_eager))
    return optional


def _always_needed(node: Apply, is_eager: bool) -> Sequence[Variable]:
    """The operands without which a node has no results."""
    if node.row.name == IFELSE:
        return node.inputs[:1]
    if node.row.name in (FOR, WHILE) and may_have_no_round(node, is_eager):
        return node.inputs[: 1 + len(node.attrs["body"].carried)]
    return node.inputs


def may_have_no_round(node: Apply, is_eager: bool) -> bool:
    """Whether a loop is lowered as one that may have no round, with what only its rounds need."""
    count = node.inputs[0]
    return not count.data > 0 if isinstance(count, Constant) else not is_eager


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
            low.env[id(v)] = split_complex(low, sources[-1])
    roots = [*outputs, *(new for _, new in updates)]
    nodes = toposort(roots, inputs)
    every = with_bodies(nodes)
    low.positions = {id(node): k for k, node in reversed(list(enumerate(every)))}
    low.graph.lines = [node.origin for node in every]
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
