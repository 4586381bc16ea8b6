"""The language of programs with state: values, graphs, functions and actions, and what they mean in NumPy.

A program is plain data: nodes of one graph in topological order, shared variables, functions of that graph, and
actions (calls, `set_value`, ...) in order. `Reference` runs it by NumPy, from the documented meaning alone; nothing of
the library is used here. Numbers are small multiples of powers of two, so that results are exact in any order of
additions; a program whose numbers grow out of that raises `Inexact`, and is not judged from there on.
"""

from __future__ import annotations

import ctypes
import dataclasses
import mmap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Index = tuple[Any, ...]


class Inexact(Exception):
    """Numbers have left the range in which every order of additions gives the same."""


# ------------------------------------------------------------------------------------------------ programs


@dataclasses.dataclass(frozen=True, slots=True)
class Array:
    """Values that a program hands over: drawn from `seed` between -`high` and `high` (from 0 on if `natural`)."""

    dtype: str
    shape: tuple[int, ...]
    seed: int
    layout: str = "C"
    high: int = 4
    natural: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """One variable of the graph: an operation on earlier ones."""

    op: str
    args: tuple[int, ...] = ()
    params: tuple[Any, ...] = ()
    dtype: str = "float64"
    ndim: int = 0
    stretches: tuple[bool, ...] = ()  # the axes whose type says that they have length 1


@dataclasses.dataclass(frozen=True, slots=True)
class Shared:
    node: int
    value: Array
    borrow: bool = False
    default_update: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Input:
    node: int
    value: Array | None = None  # the default
    update: int | None = None
    mutable: bool = False
    borrow: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Function:
    """`copy_of` names an earlier function; `swap`, `share_memory` and `delete_updates` are then those of `copy`."""

    inputs: tuple[Input, ...] = ()
    outputs: tuple[tuple[int, bool], ...] = ()  # node, borrow
    updates: tuple[tuple[int, int], ...] = ()  # shared variable, node
    givens: tuple[tuple[int, int], ...] = ()
    no_default_updates: bool = False
    mode: str | None = None
    copy_of: int | None = None
    swap: tuple[tuple[int, int], ...] = ()
    share_memory: bool = False
    delete_updates: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Argument:
    """An argument: `value`, unless `alias` names another array of the same type.

    ("same", j) and ("reversed", j): the array of argument j, or all of its axes reversed; ("held", action, j): a result
    of an earlier action; ("state", k): the storage of shared variable k; ("omitted",): the default.
    """

    value: Array
    alias: tuple[Any, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """What the caller does.

    call      f, arguments    the results are held
    set       k, Array, borrow; the array is held
    get       k, borrow; the result is held
    write     k, Array        into what get_value(borrow=True) gives
    scribble  action, j, seed new values into an array that is held
    wrong     k, Array        set_value of another rank
    """

    name: int  # for references; stays when other actions are left out
    kind: str
    what: tuple[Any, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    nodes: tuple[Node, ...]
    shared: tuple[Shared, ...]
    functions: tuple[Function, ...]
    actions: tuple[Action, ...]


def array_of(spec: Array) -> np.ndarray:
    """The values of `spec`, in its layout."""
    return laid_out(
        drawn(
            spec.dtype,
            spec.shape,
            spec.seed,
            0 if spec.natural or spec.dtype.startswith("u") else -spec.high,
            spec.high,
        ),
        spec.layout,
    )


def native(array: np.ndarray) -> np.ndarray:
    """A copy in the machine's order of bytes."""
    return np.array(array, array.dtype.newbyteorder("="), order="C")


def drawn(dtype: Any, shape: Any, seed: Any, low: Any, high: Any) -> Any:
    """Random integers from `low` to `high` in a dtype; truths of those above 0."""
    numbers = np.asarray(np.random.default_rng(seed).integers(low, high + 1, shape))
    return numbers > 0 if dtype == "bool" else numbers.astype(dtype)


def laid_out(values: Any, layout: str) -> Any:
    """An equal array of another layout in memory."""
    values = np.array(values)
    if not values.ndim and layout not in ("big-endian", "read-only"):
        return values
    if layout == "F":
        return np.array(values, order="F")
    if layout == "reversed":
        every = (slice(None, None, -1),) * values.ndim
        return np.array(values[every])[every]
    if layout == "transposed":
        return np.array(values.T).T
    if layout == "strided":
        wide = np.zeros(tuple(2 * n + 1 for n in values.shape), values.dtype)
        part = wide[tuple(slice(1, 2 * n + 1, 2) for n in values.shape)]
        part[...] = values
        return part
    if layout == "offset":
        wide = np.zeros(values.size + 3, values.dtype)
        wide[3:] = values.ravel()
        return wide[3:].reshape(values.shape)
    if layout == "unaligned":
        memory = np.zeros(values.nbytes + 1, "uint8")
        part = memory[1:].view(values.dtype).reshape(values.shape)
        part[...] = values
        return part
    if layout == "stretched":
        return np.broadcast_to(values[:1], values.shape) if len(values) else np.array(values)
    if layout == "big-endian":
        return values.astype(values.dtype.newbyteorder(">"))
    if layout in ("end of memory", "start of memory"):
        return fenced(values, layout == "end of memory")
    values.flags.writeable = layout != "read-only"
    return values


def fenced(values: Any, at_end: bool) -> Any:
    """An equal array that ends where memory ends, or begins where it begins: who reads beyond ends the process."""
    page = mmap.PAGESIZE
    size = -(-max(values.nbytes, 1) // page) * page
    memory = np.frombuffer(mmap.mmap(-1, size + page), "uint8")
    closed = memory.ctypes.data + (size if at_end else 0)
    ctypes.CDLL(None).mprotect(ctypes.c_void_p(closed), ctypes.c_size_t(page), 0)
    first = size - values.nbytes if at_end else page
    result = memory[first : first + values.nbytes].view(values.dtype).reshape(values.shape)
    result[...] = values
    return result


# ------------------------------------------------------------------------------------------------ operations

Values = Sequence[np.ndarray]


def np_index(index: Index, values: Values) -> tuple[Any, ...]:
    """`index` as NumPy takes it; positions that start with "v" are operands."""

    def bound(part: Any) -> Any:
        return int(values[part[1]]) if isinstance(part, tuple) else part

    result: list[Any] = []
    for item in index:
        if item[0] == "i":
            result.append(item[1])
        elif item[0] == "s":
            result.append(slice(*(bound(part) for part in item[1:])))
        elif item[0] == "n":
            result.append(None)
        elif item[0] == "e":
            result.append(Ellipsis)
        else:
            value = values[item[1]]
            result.append(int(value) if value.ndim == 0 and value.dtype != bool else value)
    return tuple(result)


def with_own_operands(node: Node) -> Node:
    """The node without operands that its index does not name."""
    if node.op not in ("index", "set", "inc"):
        return node
    first = 1 if node.op == "index" else 2
    items = [
        part for item in node.params[0] for part in (item, *item[1:]) if isinstance(part, tuple) and part[0] == "v"
    ]
    named = sorted({item[1] for item in items})
    number = {old: first + k for k, old in enumerate(named)}

    def to(part: Any) -> Any:
        if isinstance(part, tuple):
            return ("v", number[part[1]]) if part[0] == "v" else tuple(to(inner) for inner in part)
        return part

    args = (*node.args[:first], *(node.args[k] for k in named))
    return dataclasses.replace(node, args=args, params=(to(node.params[0]), *node.params[1:]))


def index_text(index: Index, texts: Sequence[str]) -> str:
    def bound(part: Any) -> str:
        return "" if part is None else texts[part[1]] if isinstance(part, tuple) else str(part)

    items = []
    for item in index:
        if item[0] == "i":
            items.append(str(item[1]))
        elif item[0] == "s":
            start, stop, step = (bound(part) for part in item[1:])
            items.append(f"{start}:{stop}" + (f":{step}" if step else ""))
        else:
            items.append({"n": "None", "e": "..."}.get(item[0]) or texts[item[1]])
    return ", ".join(items)


def written(values: Values, params: tuple[Any, ...], adds: bool) -> np.ndarray:
    """`set_subtensor` and `inc_subtensor`: of several values for one place the last one stays, or all are added."""
    result, new = values[0].copy(), values[1].astype(values[0].dtype)
    index = np_index(params[0], values)
    if adds:
        np.add.at(result, index, new)
        return result
    places = np.arange(result.size).reshape(result.shape)[index]
    flat = result.reshape(-1)
    for place, value in zip(np.ravel(places), np.ravel(np.broadcast_to(new, np.shape(places))), strict=True):
        flat[place] = value
    return flat.reshape(result.shape)


def cast(value: np.ndarray, dtype: str) -> np.ndarray:
    if value.dtype.kind in "f" and np.dtype(dtype).kind in "iu":
        value = np.clip(value, 0 if dtype.startswith("u") else -50, 50)
    return value.astype(dtype)


def cast_text(text: str, source: str, dtype: str) -> str:
    if source.startswith("float") and np.dtype(dtype).kind in "iu":
        text = f"T.clip({text}, {0 if dtype.startswith('u') else -50}, 50)"
    return f"T.cast({text}, '{dtype}')"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What a round of a loop does with a state h and a row x."""

    text: str
    value: Callable[[np.ndarray, np.ndarray], np.ndarray]


def _set_first(h: np.ndarray, x: np.ndarray) -> np.ndarray:
    result = h.copy()
    result[0] = x[-1]
    return result


def _inc_backwards(h: np.ndarray, x: np.ndarray) -> np.ndarray:
    return h + x[::-1]


STEPS = {
    "add": Step("h + x", lambda h, x: h + x),
    "subtract": Step("x - h", lambda h, x: x - h),
    "maximum": Step("T.maximum(h, x)", np.maximum),
    "constant": Step("x", lambda h, x: x),
    "exchange": Step("h[::-1] + x", lambda h, x: h[::-1] + x),
    "set first": Step("T.set_subtensor(h[0], x[-1])", _set_first),
    "inc backwards": Step("T.inc_subtensor(h[::-1], x)", _inc_backwards),
    "inc": Step("T.inc_subtensor(h[1:], x[:-1])", lambda h, x: np.concatenate([h[:1], h[1:] + x[:-1]])),
}


def states_of(step: str, initial: np.ndarray, rows: Iterable[np.ndarray]) -> list[np.ndarray]:
    states = [initial]
    for row in rows:
        states.append(STEPS[step].value(states[-1], row))
    return states


def stacked(rows: Sequence[np.ndarray], like: np.ndarray) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, *like.shape), like.dtype)


def scan_rows(values: Values, params: tuple[Any, ...]) -> np.ndarray:
    """All rows of a loop over `values[1]`: the new state of each round, or twice the old one (`params[1]`)."""
    states = states_of(params[0], values[0], values[1])
    return stacked([2 * h for h in states[:-1]] if params[1] else states[1:], values[0])


def count_rows(values: Values, params: tuple[Any, ...]) -> np.ndarray:
    states = states_of(params[0], values[0], [values[1]] * params[1])
    return stacked(states[1:], values[0])


def reduced(name: str) -> Callable[[Values, tuple[Any, ...]], np.ndarray]:
    def value(values: Values, params: tuple[Any, ...]) -> np.ndarray:
        return np.asarray(getattr(np, name)(values[0], axis=params[0], keepdims=params[1]))

    return value


def reduced_text(name: str) -> Callable[[Sequence[str], tuple[Any, ...]], str]:
    return lambda texts, params: f"{texts[0]}.{name}({params[0]}{', keepdims=True' if params[1] else ''})"


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """text: as a program says it; value: what it gives."""

    text: Callable[[Sequence[str], tuple[Any, ...]], str]
    value: Callable[[Values, tuple[Any, ...]], Any]
    is_elementwise: bool = False


def elementwise(text: str, value: Callable[..., Any]) -> Operation:
    return Operation(lambda texts, params: text.format(*texts), lambda values, params: value(*values), True)


def plain(text: str, value: Callable[..., Any]) -> Operation:
    return Operation(lambda t, p: text.format(*t, p=p), value)


OPERATIONS: dict[str, Operation] = {
    "add": elementwise("({} + {})", np.add),
    "sub": elementwise("({} - {})", np.subtract),
    "mul": elementwise("({} * {})", np.multiply),
    "maximum": elementwise("T.maximum({}, {})", np.maximum),
    "minimum": elementwise("T.minimum({}, {})", np.minimum),
    "neg": elementwise("(-{})", np.negative),
    "abs": elementwise("abs({})", np.abs),
    "gt": elementwise("({} > {})", np.greater),
    "le": elementwise("({} <= {})", np.less_equal),
    "eq": elementwise("T.eq({}, {})", np.equal),
    "invert": elementwise("(~{})", np.invert),
    "and": elementwise("({} & {})", np.bitwise_and),
    "or": elementwise("({} | {})", np.bitwise_or),
    "switch": elementwise("T.switch({}, {}, {})", np.where),
    "remainder": elementwise("({} % {})", np.remainder),
    "cast": Operation(lambda t, p: cast_text(t[0], p[1], p[0]), lambda v, p: cast(v[0], p[0])),
    "index": Operation(lambda t, p: f"{t[0]}[{index_text(p[0], t)}]", lambda v, p: v[0][np_index(p[0], v)]),
    "set": Operation(
        lambda t, p: f"T.set_subtensor({t[0]}[{index_text(p[0], t)}], {t[1]})", lambda v, p: written(v, p, False)
    ),
    "inc": Operation(
        lambda t, p: f"T.inc_subtensor({t[0]}[{index_text(p[0], t)}], {t[1]})", lambda v, p: written(v, p, True)
    ),
    "transpose": Operation(
        lambda t, p: f"{t[0]}.dimshuffle({', '.join(map(str, p[0]))})", lambda v, p: np.transpose(v[0], p[0])
    ),
    "ravel": plain("{0}.flatten()", lambda v, p: v[0].ravel()),
    "reshape": plain("{0}.reshape({1}.shape)", lambda v, p: v[0].reshape(v[1].shape)),
    "split": plain(
        "{0}.reshape((-1, {p[0]}))", lambda v, p: v[0].reshape((v[0].size // p[0] if v[0].size % p[0] == 0 else -1, p[0]))
    ),
    "join": plain("T.concatenate([{0}, {1}], axis={p[0]})", lambda v, p: np.concatenate(v, axis=p[0])),
    "stack": plain("T.stack([{0}, {1}])", lambda v, p: np.stack(v)),
    "roll": plain("T.roll({0}, {p[0]}, axis={p[1]})", lambda v, p: np.roll(v[0], p[0], axis=p[1])),
    "diagonal": plain("{0}.diagonal()", lambda v, p: np.diagonal(v[0])),
    "zeros_like": plain("T.zeros_like({0})", lambda v, p: np.zeros_like(v[0])),
    "fill": plain("T.alloc({0}, *[{1}.shape[i] for i in range({1}.ndim)])", lambda v, p: np.full(v[1].shape, v[0])),
    "arange": plain("T.arange({0}.shape[{p[0]}])", lambda v, p: np.arange(v[0].shape[p[0]])),
    "length": plain("{0}.shape[{p[0]}]", lambda v, p: np.asarray(v[0].shape[p[0]])),
    "cumsum": plain("T.cumsum({0}, axis={p[0]})", lambda v, p: np.cumsum(v[0], axis=p[0])),
    "dot": plain("T.dot({0}, {1})", lambda v, p: np.dot(v[0], v[1])),
    "argmax": plain("{0}.argmax({p[0]})", lambda v, p: np.argmax(v[0], axis=p[0])),
    "sort": plain("T.sort({0})", lambda v, p: np.sort(v[0])),
    "nonzero": plain("T.nonzero({0})[{p[0]}]", lambda v, p: np.nonzero(v[0])[p[0]]),
    **{
        name: Operation(reduced_text(name), reduced(name))
        for name in ("sum", "max", "min", "any", "all")
    },
    "identity": plain("T.tensor_copy({0})", lambda v, p: v[0]),
    "scan": Operation(
        lambda t, p: f"tensordsl.scan(lambda x, h: [{STEPS[p[0]].text}, h * T.constant(2, dtype=h.dtype)], {t[1]}, [{t[0]}, None])[0][{int(p[1])}]",
        scan_rows,
    ),
    "count scan": Operation(
        lambda t, p: f"tensordsl.scan(lambda h, x: {STEPS[p[0]].text}, None, {t[0]}, {t[1]}, n_steps={p[1]})[0]", count_rows
    ),
    # A loop whose step updates a shared variable: the values before each round, and the last one.
    "state rows": Operation(
        lambda t, p: f"tensordsl.scan(lambda x: ({t[0]}, {{{t[0]}: (lambda h: {STEPS[p[0]].text})({t[0]})}}), {t[1]})[0]",
        lambda v, p: stacked(states_of(p[0], v[0], v[1])[:-1], v[0]),
    ),
    "state last": Operation(
        lambda t, p: f"tensordsl.scan(lambda x: ({t[0]}, {{{t[0]}: (lambda h: {STEPS[p[0]].text})({t[0]})}}), {t[1]})[1][{t[0]}]",
        lambda v, p: states_of(p[0], v[0], v[1])[-1],
    ),
}  # fmt: skip

LOOPS = ("scan", "count scan", "state rows", "state last")

# Only one of the branches is computed: (condition, operands of the one, operands of the other).
BRANCHES: dict[str, Callable[[Sequence[str], tuple[Any, ...]], str]] = {
    "ifelse": lambda t, p: f"ifelse({t[0]}, {t[1]}, {t[2]})",
    "ifelse of lists": lambda t, p: f"ifelse({t[0]}, [{t[1]}, {t[2]}], [{t[3]}, {t[4]}])[{p[0]}]",
}


def node_text(node: Node, texts: Sequence[str]) -> str:
    """The expression of a node whose operands are named `texts`."""
    if node.op == "const":
        return f"T.constant(np.array({node.params[0]!r}, '{node.dtype}'))"
    if node.op == "input":
        return f"T.TensorType('{node.dtype}', {node.stretches!r})('{node.params[0]}')"
    if node.op in BRANCHES:
        return BRANCHES[node.op](texts, node.params)
    return OPERATIONS[node.op].text(texts, node.params)


def check_mask(index: Index, values: Values) -> None:
    """A mask has the lengths of its axes; NumPy takes one without elements for an axis of length 1, too."""
    if (
        index[0][0] == "v"
        and (mask := values[index[0][1]]).dtype == bool
        and mask.shape != values[0].shape[: mask.ndim]
    ):
        raise IndexError("a mask of another shape")


def check_exact(value: np.ndarray) -> None:
    if value.dtype.kind != "f" or not value.size:
        return
    limit, unit = (2.0**12, 2.0**10) if value.dtype == np.float32 else (2.0**30, 2.0**20)
    scaled = value.astype("float64") * unit
    if not (np.abs(value).max() <= limit and (scaled == np.rint(scaled)).all()):
        raise Inexact


# ------------------------------------------------------------------------------------------------ the reference


@dataclasses.dataclass(slots=True)
class Evaluation:
    """Values of nodes for one call.

    `stretched` notes that lengths 1 were stretched where no type allows it, which may be refused as well.
    """

    nodes: Sequence[Node]
    leaves: Mapping[int, np.ndarray]
    givens: Mapping[int, int] = dataclasses.field(default_factory=dict)
    values: dict[int, np.ndarray] = dataclasses.field(default_factory=dict)
    stretched: bool = False
    eager: bool = False  # compute both branches

    def value(self, position: int) -> np.ndarray:
        position = self.givens.get(position, position)
        if position not in self.values:
            self.values[position] = self.computed(position)
        return self.values[position]

    def computed(self, position: int) -> np.ndarray:
        if position in self.leaves:
            return self.leaves[position]
        node = self.nodes[position]
        if node.op == "const":
            return np.array(node.params[0], node.dtype)
        if node.op in BRANCHES:
            condition, *operands = node.args
            half = len(operands) // 2
            offset = node.params[0] if node.params else 0
            if self.eager:
                for operand in operands:
                    self.value(operand)
            chosen = operands[:half] if self.value(condition) != 0 else operands[half:]
            self.note_failures([operand for k, operand in enumerate(chosen) if k != offset])
            return self.value(chosen[offset])
        operation = OPERATIONS[node.op]
        values = [self.value(argument) for argument in node.args]
        if node.op in ("index", "set", "inc"):
            check_mask(node.params[0], values)
        if operation.is_elementwise:
            self.note_stretching(node, values)
        elif node.op in ("set", "inc"):
            part = values[0][np_index(node.params[0], values)]
            self.stretched |= values[1].ndim > 0 and values[1].shape != np.shape(part)
        elif node.op == "index":
            self.stretched |= self.has_several_vectors(node, values)
        elif node.op in LOOPS:  # what a round adds has to have the state's lengths
            row = values[1].shape if node.op == "count scan" else values[1].shape[1:]
            self.stretched |= row != values[0].shape
        result = np.asarray(operation.value(values, node.params))
        check_exact(result)
        return result

    def note_failures(self, positions: Iterable[int]) -> None:
        """Of a branch with several results all may be computed, where one is needed."""
        for position in positions:
            try:
                self.value(position)
            except (ValueError, IndexError):
                self.stretched = True

    def note_stretching(self, node: Node, values: Values) -> None:
        shape = np.broadcast_shapes(*(value.shape for value in values))
        for argument, value in zip(node.args, values, strict=True):
            stretches = self.nodes[argument].stretches
            for axis in range(value.ndim):
                if value.shape[axis] != shape[len(shape) - value.ndim + axis] and not stretches[axis]:
                    self.stretched = True

    def has_several_vectors(self, node: Node, values: Values) -> bool:
        """Several vectors of positions may be stretched."""
        return sum(item[0] == "v" and values[item[1]].ndim > 0 for item in node.params[0]) > 1


@dataclasses.dataclass(slots=True)
class Outcome:
    """What a call does: results and new values, or an error; `may_fail`: an error is right, too."""

    outputs: list[np.ndarray]
    states: dict[int, np.ndarray]
    defaults: dict[int, np.ndarray]
    may_fail: bool = False


class Reference:
    """A program's state by NumPy."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.states = [native(array_of(shared.value)) for shared in program.shared]
        self.position = {shared.node: k for k, shared in enumerate(program.shared)}
        self.defaults: list[dict[int, np.ndarray]] = []
        for function in program.functions:
            self.defaults.append(
                {entry.node: native(array_of(entry.value)) for entry in function.inputs if entry.value is not None}
            )

    def function(self, f: int) -> tuple[Function, dict[int, int]]:
        """The function that a copy is of, and which shared variables take whose place."""
        function = self.program.functions[f]
        if function.copy_of is None:
            return function, {}
        original, swaps = self.function(function.copy_of)
        swap = dict(function.swap)
        merged = {k: swap.get(j, j) for k, j in swaps.items()} | {k: j for k, j in swap.items() if k not in swaps}
        if function.delete_updates:
            original = dataclasses.replace(original, updates=(), no_default_updates=True)
        return original, merged

    def updates(self, function: Function) -> dict[int, int]:
        """Shared variable -> node of its new value, with the default updates of all that is used."""
        updates = dict(function.updates)
        if function.no_default_updates:
            return updates
        givens = dict(function.givens)
        roots = [node for node, _ in function.outputs] + list(updates.values())
        roots += [entry.update for entry in function.inputs if entry.update is not None]
        seen: set[int] = set()
        pending = list(roots)
        while pending:
            node = pending.pop()
            node = givens.get(node, node)
            if node in seen:
                continue
            seen.add(node)
            pending.extend(self.program.nodes[node].args)
            k = self.position.get(node)
            if k is not None and k not in updates and (update := self.program.shared[k].default_update) is not None:
                updates[k] = update
                pending.append(update)
        return updates

    def is_valid(self) -> bool:
        """Whether each copy exchanges shared variables that its function has; smaller programs may not."""
        for f, function in enumerate(self.program.functions):
            original, _ = self.function(f)
            if any(self.position_of(k) not in self.used(original) for k, _ in function.swap):
                return False
        return True

    def position_of(self, k: int) -> int:
        return self.program.shared[k].node

    def used(self, function: Function) -> set[int]:
        """The nodes that a function computes or updates."""
        updates = self.updates(function)
        roots = [node for node, _ in function.outputs] + list(updates.values()) + [self.position_of(k) for k in updates]
        return reachable(self.program.nodes, roots, dict(function.givens))

    def call(self, f: int, arguments: Mapping[int, np.ndarray]) -> Outcome:
        """Raises what NumPy raises."""
        function, swaps = self.function(f)
        defaults = self.defaults[f]
        leaves = {shared.node: self.states[swaps.get(k, k)] for k, shared in enumerate(self.program.shared)}
        leaves |= {entry.node: arguments.get(entry.node, defaults.get(entry.node)) for entry in function.inputs}  # type: ignore[arg-type]
        leaves = {node: value for node, value in leaves.items() if value is not None}
        evaluation = Evaluation(self.program.nodes, leaves, dict(function.givens))
        outputs = [np.array(evaluation.value(node)) for node, _ in function.outputs]
        states = {swaps.get(k, k): np.array(evaluation.value(node)) for k, node in self.updates(function).items()}
        new = {
            entry.node: np.array(evaluation.value(entry.update))
            for entry in function.inputs
            if entry.update is not None
        }
        may_fail = evaluation.stretched or self.branches_fail(function, leaves)
        return Outcome(outputs, states, new, may_fail)

    def branches_fail(self, function: Function, leaves: Mapping[int, np.ndarray]) -> bool:
        """What several conditions share is computed before them: an error there may come up."""
        roots = [node for node, _ in function.outputs] + [node for _, node in self.updates(function).items()]
        if sum(self.program.nodes[node].op in BRANCHES for node in reachable(self.program.nodes, roots)) < 2:
            return False
        evaluation = Evaluation(self.program.nodes, leaves, dict(function.givens), eager=True)
        try:
            for node in roots:
                evaluation.value(node)
        except Inexact:
            return False
        except (ValueError, IndexError):
            return True
        return evaluation.stretched

    def commit(self, f: int, outcome: Outcome) -> None:
        for k, value in outcome.states.items():
            self.states[k] = value
        self.defaults[f] |= outcome.defaults


def reachable(nodes: Sequence[Node], roots: Iterable[int], givens: Mapping[int, int] | None = None) -> set[int]:
    seen: set[int] = set()
    pending = list(roots)
    while pending:
        node = pending.pop()
        node = (givens or {}).get(node, node)
        if node not in seen:
            seen.add(node)
            pending.extend(nodes[node].args)
    return seen


def roots_of(program: Program) -> Iterator[int]:
    """The nodes that functions and shared variables name."""
    for shared in program.shared:
        yield shared.node
        if shared.default_update is not None:
            yield shared.default_update
    for function in program.functions:
        for entry in function.inputs:
            yield entry.node
            if entry.update is not None:
                yield entry.update
        yield from (node for node, _ in function.outputs)
        yield from (node for _, node in function.updates)
        for old, new in function.givens:
            yield old
            yield new
