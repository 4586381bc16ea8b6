"""Growing a random function: values are computed by the rows' oracles as it grows.

So every index is in bounds, every shape fits, and discontinuous ops are applied only to values that no rounding can
change.  `Growth` draws every choice from `pick(n)` (a number below n), so that hypothesis can shrink a function, or a
plain random generator can make many quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from drawn import EXACT, INEXACT, SIGN, Case

import tensordsl
import tensordsl.tensor as T
from tensordsl.graph import Elementwise, Expand, Kernel, Movement, Reduction, Variable, ancestors, apply, toposort
from tensordsl.graph.casting import real_of
from tensordsl.graph.evaluate import evaluate_node
from tensordsl.ops.array.index import INC_SUBTENSOR, INC_TAKE, SUBTENSOR, TAKE
from tensordsl.types import COMPLEX, CONTINUOUS, DISCRETE, DTYPES, FLOATS, TensorType

LENGTHS = (3, 1, 0, 2, 5, 8, 17, 33, 70)
LARGEST = 6000  # elements of one value
WORK = 200  # products for each of them
LONG_LENGTHS = (3, 1, 0, 10, 31, 129, 255, 257, 300, 1000, 4099, 30000, 70001, 300007, 1000003)
STEPWISE = frozenset(  # a rounding error of an operand may change the result by a whole step
    "int_div mod floor ceil trunc round eq neq lt le gt ge sgn argmax argmin any all and_ or_ xor invert isinf isnan left_shift right_shift".split()
)
ROUNDED = frozenset("sqrt mul sqr true_div reciprocal abs sgn".split())  # exact for real numbers, not for complex ones
PART_OF = {INC_SUBTENSOR: SUBTENSOR, INC_TAKE: TAKE}
LOOPS = ("for", "while")
SIGNLESS = frozenset("maximum minimum clip max min relu".split())


class Unfit(Exception):
    """The drawn operation does not fit the operands."""


class Growth:
    """Grows one function, or (nested) the body of a loop in it, by some of `operations`."""

    largest = LARGEST
    dtypes: tuple[str, ...] = ("float64", "float64", "float32", "float64", "int64", "float32", *DTYPES)  # of sources

    def __init__(
        self,
        pick: Callable[[int], int],
        special: bool,
        operations: Sequence[Callable[[Any], None]],
        nested: bool = False,
    ) -> None:
        self.pick, self.special, self.operations, self.nested = pick, special, operations, nested
        self.case = Case()
        self.pool: list[Variable] = []
        self.value: dict[Variable, Any] = {}
        self.level: dict[Variable, int] = {}
        self.lengths = self.draw_lengths(LENGTHS)
        self.rng = np.random.default_rng(0)

    # -- choices
    def draw_lengths(self, among: Sequence[int]) -> list[int]:
        return [self.choose(among) for _ in range(3)]

    def choose(self, items: Sequence[Any]) -> Any:
        if not items:
            raise Unfit
        return items[self.pick(len(items))]

    def flag(self, one_in: int = 2) -> bool:
        return self.pick(one_in) == one_in - 1

    def some(self, fits: Callable[[Variable], bool] = lambda v: True) -> Any:
        """A value of the pool, later ones more often."""
        found = [v for v in self.pool if fits(v)]
        if not found:
            raise Unfit
        k = self.pick(len(found))
        return found[max(k, self.pick(len(found)))] if self.flag(2) else found[k]

    def float_value(self, fits: Callable[[Variable], bool] = lambda v: True) -> Any:
        return self.some(lambda v: v.type.dtype in FLOATS and fits(v))

    def limit(self, shape: Sequence[int], each: int = 1) -> None:
        """Raises Unfit if there are more points than the largest value may have, `each` for one of its elements."""
        if np.prod(shape, dtype=float) > self.largest * each:
            raise Unfit

    # -- sources
    def data(self, dtype: str, shape: tuple[int, ...]) -> Any:
        rng = self.rng
        if dtype in COMPLEX:
            result = np.empty(shape, dtype)
            result.real, result.imag = (self.data(real_of(dtype), shape) for _ in range(2))
            return result
        if dtype == "bool":
            return rng.integers(0, 2, shape).astype(bool)
        if dtype in DISCRETE:
            info = np.iinfo(dtype)
            low, high = (info.min, info.max) if self.special and self.flag(3) else (max(-4, info.min), 6)
            return rng.integers(low, high, shape, dtype=dtype, endpoint=True)
        kind = self.pick(3)
        x = rng.normal(size=shape) * 2 if kind else rng.integers(-3, 4, shape).astype(float)
        if self.special:
            odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e30, 5e-324, 1e-40, 1e19, 0.5])
            with np.errstate(all="ignore"):
                x = np.where(rng.integers(0, 3, shape) == 0, rng.choice(odd, size=shape), x)
        with np.errstate(all="ignore"):
            return np.asarray(x).astype(dtype)

    def type_and_shape(self) -> tuple[TensorType, tuple[int, ...]]:
        dtype = self.choose(self.dtypes)
        rank = self.choose((1, 2, 2, 0, 3, 1, 2, 3, 1, 4, 2, 5))
        shape, static = [], []
        for _ in range(rank):
            n = self.choose(self.lengths) if rank < 4 else self.choose((2, 1, 3))
            fixed = self.pick(6)
            shape.append(1 if fixed == 5 else n)
            static.append(1 if fixed == 5 else n if fixed == 4 else None)
        self.limit(shape)
        return TensorType(dtype, tuple(static)), tuple(shape)

    def new_input(self) -> None:
        type, shape = self.type_and_shape()
        v = type(f"x{len(self.case.inputs)}")
        array = self.layout(self.data(type.dtype, shape))
        self.case.inputs.append(v)
        self.case.arguments.append(array)
        self.add(v, np.array(array).astype(type.dtype), EXACT)

    def twin_input(self) -> None:
        """Another argument that shares memory with one that is there."""
        k = self.pick(len(self.case.inputs)) if self.case.inputs else self.choose([])
        v, array = self.case.inputs[k], self.case.arguments[k]
        w = v.type(f"x{len(self.case.inputs)}")
        view = np.flip(array) if self.flag() else array
        self.case.inputs.append(w)
        self.case.arguments.append(view)
        self.add(w, np.array(view).astype(w.type.dtype), EXACT)

    def layout(self, x: Any) -> Any:
        kind = self.pick(14)
        if not x.ndim:
            return x
        if kind == 5:
            return np.asfortranarray(x)
        if kind == 6:
            return np.flip(np.flip(x).copy())
        if kind == 7 and x.size:
            first = x[tuple(slice(0, 1) if self.flag() else slice(None) for _ in x.shape)]
            return np.broadcast_to(first, x.shape)
        if kind == 8:
            raw = np.empty(x.nbytes + 1, np.uint8)[1:]
            raw[:] = np.frombuffer(x.tobytes(), np.uint8)
            return raw.view(x.dtype).reshape(x.shape) if x.size else x
        if kind == 9:
            return x.astype(x.dtype.newbyteorder())
        if kind == 10:
            fields = np.zeros(x.shape, [("before", np.uint8, self.pick(9)), ("x", x.dtype)])
            fields["x"] = x
            return fields["x"]
        if kind == 11:
            x.flags.writeable = False
        if kind > 11:
            return self.strewn(x)
        return x

    def strewn(self, x: Any) -> Any:
        """The array with its axes in another order in memory, at steps of either sign, off the lines of a cache."""
        steps = [self.choose((1, 1, 2, 3, -1, -2)) for _ in x.shape]
        room = [abs(s) * n + self.pick(3) for s, n in zip(steps, x.shape, strict=True)]
        order = self.rng.permutation(x.ndim)
        start = self.pick(9)
        memory = np.zeros(start + np.prod(room, dtype=int), x.dtype)[start:]
        wide = memory.reshape([room[k] for k in order]).transpose(np.argsort(order))
        part = wide[tuple(slice(None, None, s) for s in steps)][tuple(slice(n) for n in x.shape)]
        part[...] = x
        return part

    def new_shared(self) -> None:
        type, shape = self.type_and_shape()
        value = self.data(type.dtype, shape)
        v = tensordsl.shared(value, name=f"s{len(self.case.shared)}", broadcastable=type.broadcastable)
        self.case.shared.append(v)
        self.add(v, value, EXACT)

    def new_constant(self) -> None:
        type, shape = self.type_and_shape()
        value = self.data(type.dtype, shape)
        self.grow(T.constant(value))

    # -- growth
    def add(self, v: Variable, value: Any, level: int) -> None:
        if v not in self.value:
            self.pool.append(v)
            self.value[v], self.level[v] = np.asarray(value), level

    def grow(self, *results: Any) -> None:
        """Take expressions into the pool, if their values are as they should be."""
        for v in results:
            known, levels = dict(self.value), dict(self.level)
            self.evaluate([v], known, levels)
            self.add(v, known[v] if v in known else v.data, levels.get(v, EXACT))

    def evaluate(self, results: Sequence[Variable], known: dict[Variable, Any], levels: dict[Variable, int]) -> None:
        """Add all that the results are computed from, unless a value is not as it should be."""
        for node in toposort(results, stop=known):
            operands = [known[o] if o in known else o.data for o in node.inputs]
            level = max((levels.get(o, EXACT) for o in node.inputs), default=EXACT)
            level = self.level_of(node, operands, level)
            if isinstance(node.op.meaning, Elementwise):
                self.limit(np.broadcast_shapes(*(x.shape for x in operands)))
            check_node(node, operands)
            if node.op.name in ("dot", "batched_dot"):
                self.limit((operands[0].size, *operands[1].shape[-1:]), WORK)
            if node.row.name in LOOPS and node.attrs["body"].stacked and operands[0] <= 0:
                raise Unfit  # the reference does not know the lengths of what is stacked
            for o, value in zip(node.outputs, evaluate_node(node, operands), strict=True):
                self.limit(value.shape)
                known[o], levels[o] = value, EXACT if o.type.dtype in DISCRETE else level

    def level_of(self, node: Any, operands: Sequence[Any], level: int) -> int:
        name = node.op.name
        floats = any(o.type.dtype in CONTINUOUS for o in node.inputs)
        if name in ROUNDED and any(o.type.dtype in COMPLEX for o in node.inputs):
            return INEXACT
        if name == "sqr" and floats and square_overflows(operands[0]):
            return INEXACT  # sqrt(sqr(x)) = abs(x) does not
        to = node.attrs.get("acc_dtype", node.attrs.get("dtype")) if floats else None
        if level == INEXACT and floats:
            casts_to_discrete = to in DISCRETE
            chooses = name == "switch" and self_level(self.level, node.inputs[0])
            if name in STEPWISE or casts_to_discrete or chooses:
                raise Unfit
        if to in DISCRETE and to != "bool":
            info = np.iinfo(to)
            with np.errstate(all="ignore"):
                if not np.all((operands[0] > float(info.min) - 0.5) & (operands[0] < float(info.max) * 0.999)):
                    raise Unfit
        if name in SIGNLESS:
            return max(level, SIGN)
        meaning = node.op.meaning
        if isinstance(meaning, Elementwise):
            return level if not node.op.ulp else INEXACT
        if isinstance(meaning, Reduction):
            discrete = node.outputs[0].type.dtype in DISCRETE and not floats
            return level if discrete or not node.op.ulp else INEXACT
        if isinstance(meaning, Movement):
            return level
        if isinstance(meaning, Kernel):
            moves = meaning.name in ("reshape", "broadcast_to", "subtensor", "take", "concatenate", "ifelse", "shape_i")
            makes_floats = floats or any(o.type.dtype in CONTINUOUS for o in node.outputs)
            return level if moves or not makes_floats else INEXACT
        assert isinstance(meaning, Expand)
        return INEXACT

    def step(self) -> None:
        """Try operations until one fits."""
        for _ in range(20):
            operation = self.choose(self.operations)
            try:
                operation(self)
                return
            except (Unfit, ValueError, TypeError, IndexError, ZeroDivisionError, AssertionError, MemoryError):
                continue

    # -- the function
    def make(self) -> Case:
        for _ in range(1 + self.pick(3)):
            self.source(self.new_input)
        if self.flag(3):
            self.source(self.twin_input)
        for _ in range(max(0, self.pick(5) - 1)):
            self.source(self.new_shared)
        for _ in range(1 + self.pick(14)):
            self.step()
        case = self.case
        for _ in range(1 + self.pick(4)):
            v = self.some()
            case.outputs.append(v if not self.flag(6) else self.pool[-1])
        if self.pool[-1] not in case.outputs:
            case.outputs.append(self.pool[-1])
        for s in case.shared:
            if self.flag():
                try:
                    new = self.some(lambda v, s=s: v is not s and s.type == v.type)
                except Unfit:
                    new = s * s if s.type.dtype != "bool" else ~s
                    self.grow(new)
                case.updates.append((s, new))
        used = set(ancestors([*case.outputs, *(v for _, v in case.updates)]))
        for v, _array in list(zip(case.inputs, case.arguments, strict=True)):
            if v not in used:
                k = case.inputs.index(v)
                del case.inputs[k], case.arguments[k]
        return case

    def with_lengths(self, lengths: Sequence[int]) -> tuple[Case, dict[Variable, int]]:
        """The same function with other arguments, whose axes have these lengths instead of `self.lengths`, and levels;
        the case's shared variables are others, for the lengths' sake.  Raises Unfit."""
        to = dict(zip(self.lengths, lengths, strict=True))
        case, known, levels = replace(self.case, arguments=[], first=[]), {}, {}

        def other(v: Variable, value: Any) -> Any:
            fixed = v.type.shape
            shape = tuple(n if k is not None else to.get(n, n) for n, k in zip(value.shape, fixed, strict=True))
            self.limit(shape)
            data = self.data(v.type.dtype, shape) if shape else value
            known[v], levels[v] = np.array(data).astype(v.type.dtype), EXACT
            return data

        for v, argument in zip(self.case.inputs, self.case.arguments, strict=True):
            case.arguments.append(self.layout(other(v, argument)))
            known[v] = np.array(case.arguments[-1]).astype(v.type.dtype)
        case.first = [other(s, s.get_value()) for s in case.shared]
        try:
            self.evaluate(case.results, known, levels)
        except (ValueError, TypeError, IndexError, ZeroDivisionError, AssertionError, MemoryError) as error:
            raise Unfit from error
        return case, levels

    def source(self, make: Callable[[], None]) -> None:
        for _ in range(20):
            try:
                make()
                return
            except Unfit:
                continue


def check_node(node: Any, operands: Sequence[Any]) -> None:
    """Raises Unfit where something broadcasts that no type allows to, in the body of a loop too."""
    if isinstance(node.op.meaning, Elementwise):
        check_lengths(node.inputs, operands)
    if node.op in (TAKE, INC_TAKE):
        first = 1 if node.row is TAKE else 2
        check_lengths(node.inputs[first:], operands[first:])
    if node.op in PART_OF:
        check_write(node, operands)
    if node.op.name == "broadcast_to":
        check_expansion(node, operands)
    if node.row.name in LOOPS:
        body = node.attrs["body"]
        sources = (body.index, *body.carried, *body.invariants)
        known = dict(zip(sources, (np.int64(0), *operands[1:]), strict=True))
        for inner in toposort(body.expressions, stop=known):
            given = [known[o] if o in known else o.data for o in inner.inputs]
            check_node(inner, given)
            known.update(zip(inner.outputs, evaluate_node(inner, given), strict=True))


def check_lengths(variables: Sequence[Variable], values: Sequence[Any]) -> None:
    """Nothing broadcasts that no type allows to."""
    rank = max((x.ndim for x in values), default=0)
    axes: list[set[int]] = [set() for _ in range(rank)]
    for v, x in zip(variables, values, strict=True):
        for axis, n, fixed in zip(axes[rank - x.ndim :], x.shape, v.type.shape, strict=True):
            if fixed != 1:
                axis.add(n)
    if any(len(lengths) > 1 for lengths in axes):
        raise Unfit


def check_expansion(node: Any, operands: Sequence[Any]) -> None:
    """What is as long as wanted, or broadcasts as its type allows."""
    x, wanted = operands[0], [int(n) for n in operands[1:]]
    fixed = node.inputs[0].type.shape
    if any(k != 1 and n != m for k, n, m in zip(fixed, x.shape, wanted[len(wanted) - x.ndim :], strict=True)):
        raise Unfit


def check_write(node: Any, operands: Sequence[Any]) -> None:
    """A value that is written does not broadcast but as its type allows."""
    x, value, *index = node.inputs
    place = apply(PART_OF[node.op], x, *index, **{k: a for k, a in node.attrs.items() if k != "set"})
    (there,) = evaluate_node(place.owner, [operands[0], *operands[2:]])
    check_lengths([place, value], [there, operands[1]])


def square_overflows(x: Any) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.any(np.isinf(np.square(x)) & np.isfinite(x)))


def self_level(level: dict[Variable, int], v: Variable) -> bool:
    return level.get(v, EXACT) == INEXACT
