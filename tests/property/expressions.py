"""Random functions over the whole op table, together with arguments and what the results may differ by.

`Maker` draws every choice from `pick(n)` (a number below n), so that hypothesis can shrink a function, or a plain
random
generator can make many quickly.  Values are computed by the rows' oracles while the graph grows: so every index is in
bounds, every shape fits, and discontinuous ops are applied only to values that no rounding can change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl import gradient
from tensordsl.graph import Constant, Elementwise, Expand, Kernel, Movement, Reduction, Variable, toposort
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import loop_index, make_loop
from tensordsl.ops.evaluate import evaluate, evaluate_node
from tensordsl.types import DISCRETE, DTYPES, FLOATS, TensorType

LENGTHS = (3, 1, 0, 2, 5, 8, 17, 33, 70)
LARGEST = 6000  # elements of one value
EXACT, SIGN, INEXACT = range(3)  # equal bits; equal but for the sign of zeros; equal up to rounding
STEPWISE = frozenset(  # a rounding error of an operand may change the result by a whole step
    "int_div mod floor ceil trunc round eq neq lt le gt ge sgn argmax argmin any all and_ or_ xor invert isinf isnan".split()
)
PRODUCTS = ("dot", "batched_dot")
SIGNLESS = frozenset("maximum minimum clip max min relu".split())
UNDONE = frozenset("sqr exp".split())  # a stable form of what follows may not overflow where these do


class Unfit(Exception):
    """The drawn operation does not fit the operands."""


@dataclass
class Case:
    """A function to be: `arguments` are arrays in any layout, `shared` pairs (variable, first value)."""

    inputs: list[Variable] = field(default_factory=list)
    arguments: list[Any] = field(default_factory=list)
    shared: list[Any] = field(default_factory=list)
    outputs: list[Variable] = field(default_factory=list)
    updates: list[tuple[Any, Variable]] = field(default_factory=list)


class Maker:
    """Grows one function."""

    def __init__(self, pick: Callable[[int], int], special: bool = False, nested: bool = False) -> None:
        self.pick, self.special, self.nested = pick, special, nested
        self.case = Case()
        self.pool: list[Variable] = []
        self.value: dict[Variable, Any] = {}
        self.level: dict[Variable, int] = {}
        self.lengths = [self.choose(LENGTHS) for _ in range(3)]
        self.rng = np.random.default_rng(0)

    # -- choices
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

    # -- sources
    def data(self, dtype: str, shape: tuple[int, ...]) -> Any:
        rng = self.rng
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
        dtype = self.choose(("float64", "float64", "float32", "float64", "int64", "float32", *DTYPES))
        rank = self.choose((1, 2, 2, 0, 3, 1, 2, 4))
        shape, static = [], []
        for _ in range(rank):
            n = self.choose(self.lengths) if rank < 4 else self.choose((2, 1, 3))
            fixed = self.pick(6)
            shape.append(1 if fixed == 5 else n)
            static.append(1 if fixed == 5 else n if fixed == 4 else None)
        if np.prod(shape, dtype=float) > LARGEST:
            raise Unfit
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
        kind = self.pick(12)
        if not x.ndim:
            return x
        if kind == 5:
            return np.asfortranarray(x)
        if kind == 6:
            return np.flip(np.flip(x).copy())
        if kind == 7 and x.size:
            first = x[(slice(0, 1),) * x.ndim]
            return np.broadcast_to(first, x.shape)
        if kind == 8:
            raw = np.empty(x.nbytes + 1, np.uint8)[1:]
            raw[:] = np.frombuffer(x.tobytes(), np.uint8)
            return raw.view(x.dtype).reshape(x.shape) if x.size else x
        if kind == 9:
            return x.astype(x.dtype.newbyteorder())
        if kind == 10:
            wide = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
            wide[(slice(None, None, 2),) * x.ndim] = x
            return wide[(slice(None, None, 2),) * x.ndim]
        if kind == 11:
            x.flags.writeable = False
        return x

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
            nodes = toposort([v], stop=self.value)
            known, levels = dict(self.value), dict(self.level)
            for node in nodes:
                operands = [known[o] if o in known else o.data for o in node.inputs]
                level = max((levels.get(o, EXACT) for o in node.inputs), default=EXACT)
                level = self.level_of(node, operands, level)
                for o, value in zip(node.outputs, evaluate_node(node, operands), strict=True):
                    if value.size > LARGEST:
                        raise Unfit
                    known[o], levels[o] = value, EXACT if o.type.dtype in DISCRETE else level
            self.add(v, known[v] if v in known else v.data, levels.get(v, EXACT))

    def level_of(self, node: Any, operands: Sequence[Any], level: int) -> int:
        name = node.op.name
        floats = any(o.type.dtype in FLOATS for o in node.inputs)
        if level == INEXACT and floats:
            casts_to_discrete = name == "cast" and node.attrs["dtype"] in DISCRETE
            chooses = name == "switch" and self_level(self.level, node.inputs[0])
            if name in STEPWISE or casts_to_discrete or chooses:
                raise Unfit
        if name == "cast" and floats and node.attrs["dtype"] in DISCRETE and node.attrs["dtype"] != "bool":
            info = np.iinfo(node.attrs["dtype"])
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
            makes_floats = floats or any(o.type.dtype in FLOATS for o in node.outputs)
            return level if moves or not makes_floats else INEXACT
        assert isinstance(meaning, Expand)
        return INEXACT

    def step(self) -> None:
        """Try operations until one fits."""
        for _ in range(20):
            operation = self.choose(OPERATIONS if not self.nested else SIMPLE)
            try:
                operation(self)
                return
            except (Unfit, ValueError, TypeError, IndexError, ZeroDivisionError, AssertionError):
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
        used = set(tensordsl.graph.ancestors([*case.outputs, *(v for _, v in case.updates)]))
        for v, _array in list(zip(case.inputs, case.arguments, strict=True)):
            if v not in used:
                k = case.inputs.index(v)
                del case.inputs[k], case.arguments[k]
        return case

    def source(self, make: Callable[[], None]) -> None:
        for _ in range(20):
            try:
                make()
                return
            except Unfit:
                continue


def self_level(level: dict[Variable, int], v: Variable) -> bool:
    return level.get(v, EXACT) == INEXACT


# -- operations ------------------------------------------------------------------------------------------------------
UNARY = (
    T.neg, T.abs_, T.sgn, T.sqr, T.sqrt, T.reciprocal, T.floor, T.ceil, T.trunc, T.round, T.isnan, T.isinf, T.invert,
    T.tensor_copy, T.exp, T.exp2, T.expm1, T.log, T.log2, T.log10, T.log1p, T.sin, T.cos, T.tan, T.arcsin, T.arccos,
    T.arctan, T.sinh, T.cosh, T.tanh, T.arcsinh, T.arccosh, T.arctanh, T.cbrt, T.sigmoid, T.softplus, T.erf, T.erfc,
    T.gammaln, T.psi, T.tri_gamma, T.nnet.relu, T.nnet.elu, T.nnet.softsign, T.nnet.hard_sigmoid, T.nnet.logsigmoid, T.deg2rad,
    T.isfinite, T.nnet.selu,
)  # fmt: skip
CHEAP = (T.neg, T.abs_, T.sqr, T.tanh, T.exp, T.sigmoid, T.sin, T.log1p)
BINARY = (
    T.add, T.sub, T.mul, T.true_div, T.int_div, T.mod, T.pow, T.eq, T.neq, T.lt, T.le, T.gt, T.ge, T.and_, T.or_,
    T.xor, T.maximum, T.minimum, T.second, T.arctan2,
)  # fmt: skip
PLAIN = (T.add, T.sub, T.mul, T.maximum)


def unary(m: Maker) -> None:
    m.grow(m.choose(UNARY)(m.some()))


def cheap(m: Maker) -> None:
    m.grow(m.choose(CHEAP)(m.float_value()))


def broadcasts(m: Maker, x: Variable, y: Variable) -> bool:
    """Do the values broadcast as the types say: along static ones only?"""
    for a, b, n, k in zip(
        x.type.shape[::-1], y.type.shape[::-1], m.value[x].shape[::-1], m.value[y].shape[::-1], strict=False
    ):
        if a != 1 and b != 1 and n != k:
            return False
    return True


def partner(m: Maker, x: Any) -> Any:
    """A value that x can be combined with."""
    return m.some(lambda v: broadcasts(m, x, v))


def binary(m: Maker) -> None:
    x = m.some()
    y = partner(m, x)
    f = m.choose(BINARY)
    if f is T.pow and x.type.dtype in DISCRETE and y.type.dtype in DISCRETE and np.any(m.value[y] < 0):
        raise Unfit
    m.grow(f(x, y))


def plain(m: Maker) -> None:
    x = m.some()
    m.grow(m.choose(PLAIN)(x, partner(m, x)))


def with_number(m: Maker) -> None:
    x = m.some()
    m.grow(m.choose(PLAIN)(x, m.choose((2, 0.5, -1, 3, 1.0, 0))))


def power(m: Maker) -> None:
    m.grow(T.pow(m.some(), m.choose((2, 3, 0, 1, 0.5))))


def choice(m: Maker) -> None:
    c = m.some(lambda v: m.level[v] != INEXACT)
    x = partner(m, c)
    m.grow(T.switch(c, x, m.some(lambda v: broadcasts(m, x, v) and broadcasts(m, c, v))))


def clip(m: Maker) -> None:
    m.grow(T.clip(m.some(), -1, 2))


def cast(m: Maker) -> None:
    m.grow(T.cast(m.some(), m.choose(DTYPES)))


def axes_of(m: Maker, x: Any) -> Any:
    rank = x.type.ndim
    if not rank or m.flag(4):
        return None
    if m.flag(3):
        return tuple(k for k in range(rank) if m.flag())
    return m.pick(rank) - (rank if m.flag(5) else 0)


def reduction(m: Maker) -> None:
    x = m.some()
    f = m.choose((T.sum, T.sum, T.mean, T.prod, T.max, T.min, T.any, T.all))
    keep = m.flag()
    if f is T.prod and x.type.dtype in FLOATS and m.value[x].size > 100:
        raise Unfit
    if f is T.sum and m.flag(4):
        m.grow(T.sum(x, axes_of(m, x), dtype=m.choose(("float64", "float32", "int64", "int16")), keepdims=keep))
        return
    m.grow(f(x, axes_of(m, x), keepdims=keep))


def spread(m: Maker) -> None:
    x = m.float_value()
    f = m.choose((T.var, T.std, T.logsumexp))
    m.grow(f(x, axis=axes_of(m, x), keepdims=m.flag()))


def position(m: Maker) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    f = m.choose((T.argmax, T.argmin))
    axis = axes_of(m, x)
    m.grow(f(x, None if axis == () else axis, keepdims=m.flag()))


def soft(m: Maker) -> None:
    x = m.float_value(lambda v: v.type.ndim > 0)
    m.grow(m.choose((T.nnet.softmax, T.nnet.logsoftmax))(x, axis=m.pick(x.type.ndim)))


def normalised(m: Maker) -> None:
    """x less a statistic of itself: a group with several passes."""
    x = m.float_value(lambda v: v.type.ndim > 0)
    axis = m.pick(x.type.ndim)
    f = m.choose((T.max, T.sum, T.mean, T.min))
    m.grow(m.choose((T.sub, T.true_div, T.mul))(x, f(x, axis=axis, keepdims=True)))


def dot(m: Maker) -> None:
    x = m.some(lambda v: 1 <= v.type.ndim <= 2)
    if x.type.ndim == 2 and m.flag():
        x = x.T
    k = x.type.ndim - 1
    n = m.value[x].shape[k] if x in m.value else m.value[x.owner.inputs[0]].shape[0]
    y = m.some(lambda v: 1 <= v.type.ndim <= 2)
    shape = m.value[y].shape
    fits = [t for t in ((False, True) if y.type.ndim == 2 else (False,)) if (shape[-1] if t else shape[0]) == n]
    m.grow(T.dot(x, y.T if m.choose(fits) else y))


def products(m: Maker) -> None:
    x = m.some(lambda v: v.type.ndim == 1)
    m.grow(T.outer(x, m.some(lambda v: v.type.ndim == 1)))


def reshape(m: Maker) -> None:
    x = m.some()
    shape = m.value[x].shape
    kind = m.pick(4)
    if kind == 0:
        m.grow(T.flatten(x))
    elif kind == 1 and len(shape) > 1:
        m.grow(T.reshape(x, (-1, x.shape[len(shape) - 1]), ndim=2))
    elif kind == 2 and len(shape) > 1:
        m.grow(T.reshape(x, tuple(x.shape[k] for k in reversed(range(len(shape))))))
    else:
        m.grow(T.reshape(x, (int(np.prod(shape, dtype=int)), 1)))


def shuffle(m: Maker) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    order: list[Any] = list(range(x.type.ndim))
    for k in range(len(order)):
        j = m.pick(len(order) - k) + k
        order[k], order[j] = order[j], order[k]
    for _k in range(min(m.pick(3), 5 - x.type.ndim)):
        order.insert(m.pick(len(order) + 1), "x")
    dropped = [k for k in order if k != "x" and x.type.shape[k] == 1]
    if dropped and m.flag():
        order.remove(m.choose(dropped))
    m.grow(T.dimshuffle(x, tuple(order)))


def join(m: Maker) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    axis = m.pick(x.type.ndim)
    shape = m.value[x].shape

    def fits(v: Variable) -> bool:
        other = m.value[v].shape
        return len(other) == len(shape) and all(
            a == b for k, (a, b) in enumerate(zip(other, shape, strict=True)) if k != axis
        )

    parts = [x, *(m.some(fits) for _ in range(1 + m.pick(2)))]
    m.grow(T.concatenate(parts, axis=axis) if m.flag(4) is False else T.stack(parts[:2], axis=axis))


def number(m: Maker, n: int, low: int) -> Any:
    """A bound for an axis of length n: an int, a 0-d integer variable, or none."""
    kind = m.pick(4)
    if kind == 0:
        return None
    k = m.pick(2 * n + 3) - n - 1
    if kind == 1 and not m.nested:
        v = TensorType("int64", ())(f"x{len(m.case.inputs)}")
        m.case.inputs.append(v)
        m.case.arguments.append(np.array(k))
        m.add(v, np.array(k), EXACT)
        return v
    return k


def index_of(m: Maker, x: Any) -> tuple[Any, ...]:
    index: list[Any] = []
    for n in m.value[x].shape:
        kind = m.pick(4)
        if kind == 0:
            index.append(slice(None))
        elif kind == 1 and n:
            k = m.pick(2 * n) - n
            index.append(k)
        else:
            step = m.choose((None, 1, 2, -1, -2, 3))
            index.append(slice(number(m, n, -n), number(m, n, -n), step))
    if m.flag(5):
        index.insert(m.pick(len(index) + 1), None)
    return tuple(index)


def subtensor(m: Maker) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    m.grow(x[index_of(m, x)])


def write(m: Maker) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    part = x[index_of(m, x)]
    f = m.choose((T.set_subtensor, T.inc_subtensor))
    if m.flag():
        m.grow(f(part, m.choose((0, 1, 2))))
        return
    shape = evaluate([part], m.value)[0].shape
    m.grow(f(part, m.some(lambda v: m.value[v].shape == shape and v.type.dtype == x.type.dtype)))


def positions(m: Maker, n: int) -> Any:
    """An integer array of positions on an axis of length n."""
    if not n:
        raise Unfit
    v = m.some(lambda v: v.type.dtype in ("int64", "int32", "int8", "uint8") and 0 < v.type.ndim < 3)
    if np.all((m.value[v] >= -n) & (m.value[v] < n)):
        return v
    return T.mod(v, n)


def take(m: Maker) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    axis = m.pick(x.type.ndim)
    index: list[Any] = [slice(None)] * x.type.ndim
    index[axis] = positions(m, m.value[x].shape[axis])
    if x.type.ndim > 1 and m.flag(3):
        other = (axis + 1) % x.type.ndim
        index[other] = m.pick(m.value[x].shape[other]) if m.value[x].shape[other] else slice(None)
    part = x[tuple(index)]
    if m.flag(4):
        m.grow(m.choose((T.inc_subtensor, T.set_subtensor))(part, m.choose((1, 2))))
    else:
        m.grow(part)


def ranges(m: Maker) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    n = x.shape[m.pick(x.type.ndim)]
    m.grow(
        m.choose(
            (
                lambda: T.arange(n),
                lambda: T.arange(n, dtype="float64"),
                lambda: T.zeros_like(x),
                lambda: T.ones_like(x),
                lambda: T.alloc(T.constant(2.5), n, 3),
                lambda: n,
                lambda: T.eye(n, n),
            )
        )()
    )


def equal_lengths(m: Maker) -> None:
    """Row i of x at the position y[i], by two index arrays."""
    x = m.some(lambda v: v.type.ndim == 2)
    rows, columns = m.value[x].shape
    y = m.some(lambda v: v.type.dtype in ("int64", "int32", "uint8") and m.value[v].shape == (rows,))
    if not columns:
        raise Unfit
    m.grow(x[T.arange(x.shape[0]), T.mod(y, columns)])


def derivative(m: Maker) -> None:
    x = m.float_value()
    cost = T.sum(x if m.flag() else T.sqr(x))
    w = m.float_value(lambda v: v.owner is None and not isinstance(v, Constant))
    m.grow(gradient.grad(cost, w, disconnected_inputs="ignore"))


def branch(m: Maker) -> None:
    c = m.some(lambda v: v.type.ndim == 0 and m.level[v] == EXACT and v.type.dtype in DISCRETE)
    x = m.some()
    y = m.some(lambda v: v.type.dtype == x.type.dtype and v.type.ndim == x.type.ndim)
    m.grow(ifelse(c, x, y))


def loop(m: Maker) -> None:
    """A loop over one or two carried values, with a body of a few steps."""
    inits = [m.some() for _ in range(1 + m.pick(2))]
    inner = Maker(m.pick, m.special, nested=True)
    inner.case, inner.lengths = m.case, m.lengths
    outer = [m.some() for _ in range(m.pick(3))]
    index = loop_index()
    carried = [v.type() for v in inits]
    for v in dict.fromkeys(outer):
        inner.add(v, m.value[v], m.level[v])
    inner.add(index, np.int64(0), EXACT)
    for v, init in zip(carried, inits, strict=True):
        inner.add(v, m.value[init], INEXACT if v.type.dtype in FLOATS else EXACT)
    for _ in range(1 + m.pick(5)):
        inner.step()
    following = []
    for v in carried:
        fits = [
            w
            for w in inner.pool
            if w is not v and v.type.accepts(w.type) and inner.value[w].shape == inner.value[v].shape
        ]
        following.append(fits[-1 - m.pick(min(3, len(fits)))] if fits else v)
    stacked = [inner.some() for _ in range(m.pick(3))]
    n: Any = m.choose((2, 0, 1, 3, 4))
    if m.flag():
        n = TensorType("int64", ())(f"x{len(m.case.inputs)}")
        count = m.choose((2, 0, 1, 3, -1))
        m.case.inputs.append(n)
        m.case.arguments.append(np.array(count))
        m.add(n, np.array(count), EXACT)
    else:
        count = n
    results = make_loop(n, index, carried, inits, following, stacked)
    # Without iterations the reference does not know the lengths of what is stacked.
    m.grow(*(results if count > 0 else results[: len(carried)]))


def jacobian(m: Maker) -> None:
    w = m.float_value(lambda v: v.owner is None and not isinstance(v, Constant) and m.value[v].size < 20)
    y = m.float_value(lambda v: v.type.ndim == 1 and 0 < m.value[v].size < 20)
    m.grow(gradient.jacobian(y, w, disconnected_inputs="ignore"))


SIMPLE = (
    unary,
    cheap,
    binary,
    plain,
    with_number,
    choice,
    cast,
    reduction,
    normalised,
    dot,
    shuffle,
    subtensor,
    write,
    take,
    soft,
)
OPERATIONS = (
    unary, cheap, binary, plain, with_number, power, choice, clip, cast, reduction, reduction, spread, position, soft,
    normalised, normalised, dot, dot, products, reshape, shuffle, shuffle, join, subtensor, subtensor, write, take, ranges,
    equal_lengths, derivative, derivative, branch, loop, jacobian, cheap, plain, binary, Maker.new_constant,
)  # fmt: skip


# -- what may differ -------------------------------------------------------------------------------------------------
def perturbed(case: Case, values: dict[Variable, Any], seed: int) -> list[Any]:
    """The results with a rounding error put on every value that is rounded, reductions in another order, and zeros of
    values whose sign is open with the other sign; nothing where that changes a length on which others depend."""
    with np.errstate(all="ignore"):
        try:
            return _perturbed([*case.outputs, *(v for _, v in case.updates)], values, np.random.default_rng(seed))
        except ValueError:
            return []


def _perturbed(results: Sequence[Variable], values: dict[Variable, Any], rng: Any) -> list[Any]:
    known = dict(values)
    for node in toposort(results, stop=values):
        operands = [known[o] if o in known else _data(o) for o in node.inputs]
        floating = bool(operands) and operands[0].dtype.kind == "f"
        if node.op.name in ("sum", "prod") and floating and node.attrs["acc_dtype"] in FLOATS:
            made = evaluate_node(node, [shuffled(operands[0], node.attrs["axis"], rng)])
            if node.op.name == "sum":  # terms may cancel
                size = np.sum(np.abs(operands[0]), axis=node.attrs["axis"], dtype="float64")
                error = rng.choice([-2.0, 2.0], size=size.shape) * size * np.finfo(node.attrs["acc_dtype"]).eps
                made = (np.asarray(made[0] + error).astype(made[0].dtype),)
        elif node.op.name in PRODUCTS and not all(np.all(np.isfinite(x)) for x in operands):
            made = (np.full_like(evaluate_node(node, operands)[0], _anything(rng)),)  # BLAS leaves out products with 0
        elif node.op.name in PRODUCTS and floating:  # terms may cancel
            size = np.abs(operands[0].astype("float64")) @ np.abs(operands[1].astype("float64"))
            (exact,) = evaluate_node(node, operands)
            error = rng.choice([-1.0, 1.0], size=size.shape) * size * np.finfo(exact.dtype).eps
            # where products overflow, a fused multiplication and addition may give something else
            made = (np.where(np.isfinite(size), exact + error, _anything(rng)).astype(exact.dtype),)
        elif node.op.name in ("gammaln", "digamma") and floating:
            # next to a zero the oracle keeps fewer digits than the function
            made = evaluate_node(node, [_rounded(operands[0], rng)])
        elif node.op.name == "for" and operands[0] > 0:
            made = _perturbed_loop(node.attrs["body"], operands, rng)
        else:
            made = evaluate_node(node, operands)
        for o, x in zip(node.outputs, made, strict=True):
            known[o] = _with_error(node, operands, o, x, rng)
    return [np.asarray(known[v] if v in known else _data(v)) for v in results]


def _anything(rng: Any) -> float:
    """For each of three samples another value: nothing is asked of the result."""
    return (np.nan, 0.0, np.inf)[rng.bit_generator.seed_seq.entropy % 3]


def shuffled(x: Any, axes: Sequence[int], rng: Any) -> Any:
    """x in another order along some axes."""
    for k in axes:
        x = np.take(x, rng.permutation(x.shape[k]), axis=k)
    return x


def _perturbed_loop(body: Any, operands: Sequence[Any], rng: Any) -> list[Any]:
    """The results of a loop, each of whose steps rounds."""
    carried, invariants = list(operands[1 : 1 + len(body.carried)]), operands[1 + len(body.carried) :]
    rows = []
    for i in range(int(operands[0])):
        sources = (body.index, *body.carried, *body.invariants)
        values = dict(zip(sources, (np.asarray(i), *carried, *invariants), strict=True))
        made = _perturbed([*body.next, *body.stacked], values, rng)
        carried = made[: len(carried)]
        rows.append(made[len(carried) :])
    return [*carried, *(np.stack(column) for column in zip(*rows, strict=True))]


def _data(v: Any) -> Any:
    return v.data if isinstance(v, Constant) else v.get_value(borrow=True)


def _rounded(x: Any, rng: Any) -> Any:
    return (x * (1 + rng.choice([-1.0, 0.0, 1.0], size=x.shape) * np.finfo(x.dtype).eps)).astype(x.dtype)


def _with_error(node: Any, operands: Sequence[Any], v: Variable, x: Any, rng: Any) -> Any:
    if v.type.dtype not in FLOATS or isinstance(node.op.meaning, Movement) or not x.size:
        return x
    if node.op.name in SIGNLESS:
        return np.where(x == 0, -x, x)
    if node.op.name == "logsoftmax":  # log(1 + small): the sum of exponentials is rounded
        return (x + rng.choice([-2.0, 2.0], size=x.shape) * np.finfo(x.dtype).eps).astype(x.dtype)
    if node.op.name in UNDONE:  # sqrt(sqr(x)) = abs(x)
        x = np.where(np.isinf(x) & np.isfinite(operands[0]), np.finfo(x.dtype).max, x)
    ulp = 1.0 if isinstance(node.op.meaning, Elementwise) and not node.op.ulp else max(4.0, min(node.op.ulp, 16))
    if isinstance(node.op.meaning, Kernel) and node.op.name not in (*PRODUCTS, "for"):
        return x
    error = rng.choice([-1.0, 0.0, 1.0], size=x.shape) * ulp * np.finfo(x.dtype).eps
    tiny = rng.choice([-1.0, 1.0], size=x.shape) * np.finfo(x.dtype).smallest_subnormal
    return (x * (1 + error.astype(x.dtype)) + np.where(x == 0, 0, tiny)).astype(x.dtype)


def reference(case: Case) -> tuple[list[Any], list[int], dict[Variable, Any]]:
    """(results by the oracles, the level of each, values of the sources)."""
    values: dict[Variable, Any] = {
        v: np.array(a).astype(v.type.dtype) for v, a in zip(case.inputs, case.arguments, strict=True)
    }
    values |= {s: s.get_value() for s in case.shared}
    results = [*case.outputs, *(v for _, v in case.updates)]
    with np.errstate(all="ignore"):
        return evaluate(results, values), [], values


def compare(
    case: Case, levels: Sequence[int], expected: Sequence[Any], got: Sequence[Any], samples: Sequence[Sequence[Any]]
) -> None:
    """Raise AssertionError where a result is neither the expected one nor explained by rounding."""
    nodes = toposort([*case.outputs, *(v for _, v in case.updates)])
    coarse = (
        max(np.finfo(v.type.dtype).eps for n in nodes for v in (*n.inputs, *n.outputs) if v.type.dtype in FLOATS)
        if any(v.type.dtype in FLOATS for n in nodes for v in (*n.inputs, *n.outputs))
        else 0.0
    )
    for k, (want, have, level) in enumerate(zip(expected, got, levels, strict=True)):
        have, want = np.asarray(have), np.asarray(want)
        what = f"result {k}"
        assert have.dtype == want.dtype and have.shape == want.shape, (
            f"{what}: {have.dtype}{have.shape}, wanted {want.dtype}{want.shape}"
        )
        if want.dtype.kind != "f":
            assert np.array_equal(have, want), f"{what}: {have!r}, wanted {want!r}"
            continue
        if level == EXACT:
            same = (have == want) & (np.signbit(have) == np.signbit(want)) | (np.isnan(have) & np.isnan(want))
            assert np.all(same), (
                f"{what} (exact): {have[~same][:5]!r}, wanted {want[~same][:5]!r} at {np.argwhere(~same)[:5].tolist()}"
            )
            continue
        with np.errstate(all="ignore"):
            tolerance = (
                np.full(want.shape, 4 * np.finfo(want.dtype).smallest_subnormal, np.float64)
                if want.shape
                else np.float64(5e-324)
            )
            open_ = np.zeros(want.shape, bool)
            for s in samples:
                x = np.asarray(s[k])
                if x.shape != want.shape:
                    return
                open_ |= np.isfinite(x) != np.isfinite(want)
                open_ |= ~np.isfinite(want) & (x != want) & ~(np.isnan(x) & np.isnan(want))
                difference = np.where(
                    np.isfinite(x) & np.isfinite(want), np.abs(x.astype(np.float64) - want.astype(np.float64)), 0
                )
                tolerance = np.maximum(tolerance, 40 * difference)
            scale = coarse * 64 if level == INEXACT else 0.0
            near = (
                np.abs(have.astype(np.float64) - want.astype(np.float64))
                <= tolerance + np.where(np.isfinite(want), np.abs(want), 0) * scale
            )
            near |= (have == want) | (np.isnan(have) & np.isnan(want)) | open_
        assert np.all(near), (
            f"{what}: {have[~near][:5]!r}, wanted {want[~near][:5]!r} at {np.argwhere(~near)[:5].tolist()}, tolerance {np.asarray(tolerance)[~near][:5]}"
        )


def describe(case: Case) -> str:
    """The function as text, for a report."""
    lines = [
        f"{v}: {v.type} = {a.dtype}{a.shape} strides {a.strides}"
        for v, a in zip(case.inputs, case.arguments, strict=True)
    ]
    lines += [f"{s}: {s.type} = {s.get_value().shape}" for s in case.shared]
    nodes = toposort([*case.outputs, *(v for _, v in case.updates)])
    names = {
        o: f"t{k}.{j}" if len(n.outputs) > 1 else f"t{k}" for k, n in enumerate(nodes) for j, o in enumerate(n.outputs)
    }

    def name(v: Any) -> str:
        if isinstance(v, Constant):
            return f"c{v.type.dtype}{v.data.tolist() if v.data.size < 6 else v.data.shape}"
        return names.get(v, repr(v))

    for n in nodes:
        attrs = {k: ("body: " + body(a, name) if hasattr(a, "carried") else a) for k, a in n.attrs.items()}
        lines.append(
            f"{', '.join(names[o] for o in n.outputs)} = {n.op.name}({', '.join(map(name, n.inputs))}) {attrs or ''} : {n.outputs[0].type}"
        )
    lines.append("outputs " + ", ".join(map(name, case.outputs)))
    lines += [f"update {s} = {name(v)}" for s, v in case.updates]
    return "\n".join(lines)


def body(b: Any, outer: Any) -> str:
    nodes = toposort(b.results)
    names = {o: f"b{k}" for k, n in enumerate(nodes) for o in n.outputs}
    names |= (
        {b.index: "i"}
        | {v: f"carried{k}" for k, v in enumerate(b.carried)}
        | {v: f"inv{k}" for k, v in enumerate(b.invariants)}
    )

    def name(v: Any) -> str:
        if isinstance(v, Constant):
            return f"c{v.type.dtype}{v.data.tolist() if v.data.size < 6 else v.data.shape}"
        return names.get(v, repr(v))

    lines = [
        f"{', '.join(names[o] for o in n.outputs)} = {n.op.name}({', '.join(map(name, n.inputs))}) { {k: a for k, a in n.attrs.items()} }"
        for n in nodes
    ]
    return "; ".join(lines) + f" -> {[name(v) for v in b.next]}, {[name(v) for v in b.stacked]}"


def check(case: Case, levels: dict[Variable, int], modes: Sequence[Any] = (None,)) -> None:
    """Compile in each mode, call twice, and compare with the oracles."""
    expected, _, values = reference(case)
    samples = [s for s in (perturbed(case, values, seed) for seed in range(3)) if s]
    first = [s.get_value() for s in case.shared]
    of = [levels.get(v, EXACT) for v in (*case.outputs, *(v for _, v in case.updates))]
    for mode in modes:
        f = tensordsl.function(case.inputs, case.outputs, updates=case.updates, on_unused_input="ignore", mode=mode)
        runs = []
        for _turn in range(2):
            got = call(case, f, first)
            try:
                compare(case, of, expected, got, samples)
            except AssertionError as error:
                raise AssertionError(f"mode {mode}: {error}") from None
            runs.append([np.asarray(x).tobytes() for x in got])
            for s, value in zip(case.shared, first, strict=True):
                s.set_value(value)
        assert runs[0] == runs[1], f"mode {mode}: a second call gives something else"


def call(case: Case, f: Any, first: Sequence[Any]) -> list[Any]:
    """The outputs and new shared values; AssertionError if anything else was changed."""
    before = [a.tobytes() for a in case.arguments]
    got = [*f(*case.arguments), *(s.get_value() for s, _ in case.updates)]
    assert all(a.tobytes() == b for a, b in zip(case.arguments, before, strict=True)), "an argument was changed"
    changed = {s for s, _ in case.updates}
    for s, value in zip(case.shared, first, strict=True):
        if s not in changed:
            assert s.get_value().tobytes() == value.tobytes(), f"{s} was changed"
    return got
