"""Random loops as data, drawn from a source of small integers: built symbolically, and run by NumPy in a Python loop.

A program is a `scan`, a `loop` or a `while_loop`, whose rounds may have loops of their own.  Its step is a list of operations on
values of four kinds, each a scalar or a row: floats, integers, truth values and complex numbers; and on square matrices
of floats, whose sides are as long as rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.gradient import disconnected_grad
from tensordsl.ifelse import ifelse
from tensordsl.scan_module import until
from tensordsl.tensor.shared_randomstreams import RandomStreams

Choose = Callable[[int], int]  # choose(n) is one of 0, ..., n - 1
DTYPES = {"f": "float64", "i": "int64", "b": "bool", "c": "complex128"}
LENGTHS = (0, 1, 2, 17)
FEW_ROUNDS = (0, 1, 2, 5)  # for float32: rounds may drive neighbours apart


@dataclass(frozen=True)
class Kind:
    """What a value is: f, i, b or c; 0, 1 or 2 axes: a scalar, a row or a matrix."""

    letter: str
    rank: int

    @property
    def dtype(self) -> str:
        return DTYPES[self.letter]

    def variable(self, name: str, more: int = 0, is_single: bool = False) -> Any:
        dtype = "float32" if is_single and self.letter == "f" else self.dtype
        return T.TensorType(dtype, (False,) * (self.rank + more))(name)

    def array(self, r: Any, shape: tuple[int, ...]) -> Any:
        if self.letter == "c":
            return r.normal(size=shape) + 1j * r.normal(size=shape)
        if self.letter == "f":
            return r.normal(size=shape)
        return r.integers(-3, 8, size=shape) if self.letter == "i" else r.integers(0, 2, size=shape).astype(bool)


F, I, B, C = (Kind(letter, 0) for letter in "fibc")
FR, IR, BR, CR = (Kind(letter, 1) for letter in "fibc")
M = Kind("f", 2)
SCALARS, ROWS = (F, I, B, C), (FR, IR, BR, CR)


# -- operations --------------------------------------------------------------------------------------------------------
def _put(w: Any, v: Any, i: Any, x: Any, is_sum: bool) -> Any:
    i = i % v.shape[0]
    if w is np:
        v = v.copy()
        v[i] = v[i] + x if is_sum else x
        return v
    return (T.inc_subtensor if is_sum else T.set_subtensor)(v[i], x)


def _roll(w: Any, v: Any) -> Any:
    return w.concatenate([v[1:], v[:1]])


def _where(w: Any) -> Any:
    return np.where if w is np else T.switch


def _branch(w: Any, b: Any, x: Any, y: Any) -> Any:
    return (x if b else y) if w is np else ifelse(b, x, y)


def _cast(w: Any, x: Any, letter: str) -> Any:
    return np.asarray(x).astype(DTYPES[letter])[()] if w is np else T.cast(x, DTYPES[letter])


def _powers(w: Any, x: Any, count: Any) -> Any:
    """A loop of few rounds within a round: repeated sines of a scalar."""
    count = count % 4
    if w is np:
        for k in range(int(count)):
            x = np.sin(x * 1.5 + k)
        return x
    return tensordsl.loop(lambda s, k: (T.sin(s * 1.5 + k), None), x, T.arange(count))[0]


def _recurrence(w: Any, v: Any, x: Any) -> Any:
    """A loop over a row within a round, all of whose results are used."""
    if w is np:
        found = []
        for e in v:
            x = np.tanh(x * 0.5 + e)
            found.append(x)
        return np.array(found)
    return tensordsl.scan(lambda e, s: T.tanh(s * 0.5 + e), v, x)[0]


def _until(w: Any, v: Any, x: Any) -> Any:
    """A loop within a round that ends early."""
    if w is np:
        for e in v:
            x = x * 0.5 + e
            if x > 0.5:
                break
        return x
    values, _ = tensordsl.scan(lambda e, s: (s * 0.5 + e, until(s * 0.5 + e > 0.5)), v, x)
    return values[-1]


def _linalg(w: Any) -> Any:
    return np.linalg if w is np else T.linalg


def _around(w: Any, a: Any) -> Any:
    """A matrix with a dominant diagonal."""
    return w.tanh(a) + 20 * w.eye(a.shape[0], dtype=a.dtype)


def _factor(w: Any, a: Any) -> Any:
    return _linalg(w).cholesky(w.dot(w.tanh(a), w.tanh(a).T) + w.eye(a.shape[0], dtype=a.dtype))


def _upper(w: Any, a: Any) -> Any:
    """An upper factor, by its lower triangle transposed."""
    return T.linalg.cholesky(_around(w, a) + _around(w, a).T, lower=False) if w is not np else np.linalg.cholesky(
        _around(w, a) + _around(w, a).T
    ).T  # fmt: skip


def _substituted(w: Any, a: Any, b: Any, lower: bool, trans: int) -> Any:
    a = _around(w, a)
    if w is not np:
        return T.linalg.solve_triangular(a, b, lower=lower, trans=trans)
    half = np.tril(a) if lower else np.triu(a)
    return np.linalg.solve(half.T if trans else half, b)


def _solved(w: Any, a: Any, b: Any) -> Any:
    return _linalg(w).solve(_around(w, a), b)


def _growing(w: Any, v: Any, i: Any) -> Any:
    """The sum of so many elements of a row."""
    return (v[: i % (v.shape[0] + 1)]).sum()


def _window(w: Any, v: Any, i: Any) -> Any:
    i = i % v.shape[0]
    return v[i : i + 1].sum() if w is not np else v[int(i) : int(i) + 1].sum()


@dataclass(frozen=True)
class Operation:
    takes: tuple[Kind, ...]
    gives: Kind
    apply: Callable[..., Any]
    is_smooth: bool = True


OPERATIONS: dict[str, Operation] = {}


def _operation(name: str, takes: str, gives: str, apply: Callable[..., Any], is_smooth: bool = True) -> None:
    """takes, gives: letters, capitals for rows, M for a matrix; an `n` for a scalar, a row or a matrix, of all `n`s the
    same."""

    def kind(letter: str, rank: int) -> Kind:
        if letter in "npqz":  # f, i, b, c
            return Kind("fibc"["npqz".index(letter)], rank)
        return M if letter == "M" else Kind(letter.lower(), int(letter.isupper()))

    free = set(takes + gives) & set("npqz")
    for rank in (0, 1, 2) if free == {"n"} else (0, 1) if free else (0,):
        OPERATIONS[f"{name}{('', '_of_rows', '_of_matrices')[rank]}"] = Operation(
            tuple(kind(x, rank) for x in takes), kind(gives, rank), apply, is_smooth
        )


_operation("tanh", "n", "n", lambda w, a: w.tanh(a))
_operation("sin", "n", "n", lambda w, a: w.sin(a))
_operation("half", "n", "n", lambda w, a: a * 0.5)
_operation("neg", "n", "n", lambda w, a: -a)
_operation("sqr", "n", "n", lambda w, a: w.tanh(a) * w.tanh(a))
_operation("abs", "n", "n", lambda w, a: abs(a), False)
_operation("add", "nn", "n", lambda w, a, b: a + b)
_operation("sub", "nn", "n", lambda w, a, b: a - b)
_operation("mul", "nn", "n", lambda w, a, b: a * b)
_operation("larger", "nn", "n", lambda w, a, b: w.maximum(a, b), False)
_operation("smaller", "nn", "n", lambda w, a, b: w.minimum(a, b), False)
_operation("scale", "Ff", "F", lambda w, a, b: a * b)
_operation("shift", "Ff", "F", lambda w, a, b: a + b)
_operation("whole", "n", "p", lambda w, a: _cast(w, abs(w.tanh(a)) * 4, "i"), False)
_operation("less", "nn", "q", lambda w, a, b: a < b, False)
_operation("switch", "qnn", "n", lambda w, c, a, b: _where(w)(c, a, b))
_operation("branch", "bnn", "n", _branch)
_operation("iadd", "pp", "p", lambda w, a, b: a + b)
_operation("isub", "pp", "p", lambda w, a, b: a - b)
_operation("imul", "pp", "p", lambda w, a, b: (a % 7) * (b % 7))
_operation("imod", "p", "p", lambda w, a: a % 5)
_operation("ieq", "pp", "q", lambda w, a, b: w.equal(a, b) if w is np else T.eq(a, b))
_operation("iswitch", "qpp", "p", lambda w, c, a, b: _where(w)(c, a, b))
_operation("ifloat", "p", "n", lambda w, a: a * 0.25)
_operation("btoi", "q", "p", lambda w, a: _cast(w, a, "i"))
_operation("btof", "q", "n", lambda w, a: _cast(w, a, "f"))
_operation("and", "qq", "q", lambda w, a, b: a & b)
_operation("or", "qq", "q", lambda w, a, b: a | b)
_operation("not", "q", "q", lambda w, a: ~a)
_operation("cadd", "zz", "z", lambda w, a, b: a + b, False)
_operation("cmul", "zz", "z", lambda w, a, b: a * b, False)
_operation("conj", "z", "z", lambda w, a: w.conj(a), False)
_operation("turn", "n", "z", lambda w, a: a * 1j, False)
_operation("real", "z", "n", lambda w, a: a.real if w is np else T.real(a), False)
_operation("imag", "z", "n", lambda w, a: a.imag if w is np else T.imag(a), False)
_operation("element", "Fi", "f", lambda w, v, i: v[i % v.shape[0]])
_operation("ielement", "Ii", "i", lambda w, v, i: v[i % v.shape[0]])
_operation("belement", "Bi", "b", lambda w, v, i: v[i % v.shape[0]])
_operation("celement", "Ci", "c", lambda w, v, i: v[i % v.shape[0]], False)
_operation("last", "F", "f", lambda w, v: v[-1])
_operation("take", "FI", "F", lambda w, v, i: v[i % v.shape[0]])
_operation("mask", "FB", "f", lambda w, v, b: (v[b] if w is np else v[b.nonzero()]).sum())
_operation("set", "Fif", "F", lambda w, v, i, x: _put(w, v, i, x, False))
_operation("inc", "Fif", "F", lambda w, v, i, x: _put(w, v, i, x, True))
_operation("iset", "Iii", "I", lambda w, v, i, x: _put(w, v, i, x, False))
_operation("roll", "F", "F", _roll)
_operation("reverse", "F", "F", lambda w, v: v[::-1])
_operation("sum", "F", "f", lambda w, v: v.sum())
_operation("isum", "I", "i", lambda w, v: v.sum())
_operation("any", "B", "b", lambda w, v: v.any())
_operation("max", "F", "f", lambda w, v: v.max(), False)
# Of thousands: between numbers that differ in their last bits, rounding decides.
_operation("argmax", "F", "i", lambda w, v: _cast(w, _cast(w, v * 1000, "i").argmax(), "i"), False)
_operation("sort", "F", "F", lambda w, v: np.sort(v) if w is np else T.sort(v), False)
_operation("cumsum", "F", "F", lambda w, v: w.cumsum(v) * 0.5)
_operation("dot", "FF", "f", lambda w, a, b: w.dot(a, b))
_operation("outer", "FF", "F", lambda w, a, b: w.dot(w.outer(a, b), w.tanh(a)))
_operation("fill", "Ff", "F", lambda w, v, x: v * 0 + x)
_operation("growing", "Fi", "f", _growing)
_operation("window", "Fi", "f", _window)
_operation("headed", "fF", "F", lambda w, x, v: w.concatenate([w.stack([x]), v[1:]]))
_operation("numbers", "ffF", "F", lambda w, x, y, v: v + w.stack([x, y]).sum() + w.stack([y, x])[0])
_operation("powers", "fi", "f", _powers)
_operation("recurrence", "Ff", "F", _recurrence)
_operation("until", "Ff", "f", _until, False)
_operation("product", "MM", "M", lambda w, a, b: w.dot(a, b))
_operation("gram", "M", "M", lambda w, a: w.dot(a.T, a))
_operation("scaled_product", "MMf", "M", lambda w, a, b, x: x * w.dot(a, b.T) + 0.5 * b)
_operation("times_row", "MF", "F", lambda w, a, v: w.dot(a, v))
_operation("row_times", "FM", "F", lambda w, v, a: w.dot(v, a))
_operation("outer_product", "FF", "M", lambda w, v, u: w.outer(v, u))
_operation("transpose", "M", "M", lambda w, a: a.T)
_operation("diagonal", "M", "F", lambda w, a: w.diag(a))
_operation("trace", "M", "f", lambda w, a: w.trace(a))
_operation("row_of", "Mi", "F", lambda w, a, i: a[i % a.shape[0]])
_operation("sums", "M", "F", lambda w, a: a.sum(0) - a.sum(1))
_operation("total", "M", "f", lambda w, a: w.tanh(a).sum())
_operation(
    "softmax", "M", "M", lambda w, a: w.exp(a - a.max(1)[:, None]) / w.exp(a - a.max(1)[:, None]).sum(1)[:, None]
)
_operation("add_row", "MF", "M", lambda w, a, v: a + v)
_operation("add_column", "MF", "M", lambda w, a, v: a * v[:, None])
_operation("inner", "MM", "f", lambda w, a, b: (a * b).sum())
_operation("set_row", "MiF", "M", lambda w, a, i, v: _put(w, a, i, v, False))
_operation("triangle", "M", "M", lambda w, a: w.tril(a))
_operation("factor", "M", "M", _factor)
_operation("upper", "M", "M", _upper)
_operation("logdet", "M", "f", lambda w, a: w.log(w.diag(_factor(w, a))).sum())
_operation("solve", "MM", "M", _solved)
_operation("solve_row", "MF", "F", _solved)
_operation("lower_solve", "MM", "M", lambda w, a, b: _substituted(w, a, b, True, 0))
_operation("lower_solve_row", "MF", "F", lambda w, a, b: _substituted(w, a, b, True, 1))
_operation("upper_solve", "MM", "M", lambda w, a, b: _substituted(w, a, b, False, 1))
_operation("upper_solve_row", "MF", "F", lambda w, a, b: _substituted(w, a, b, False, 0))
_operation("inverse", "M", "M", lambda w, a: _linalg(w).inv(_around(w, a)))
_operation("determinant", "M", "f", lambda w, a: w.log(_linalg(w).det(_around(w, a))))


def _squashed(w: Any, x: Any, letter: str) -> Any:
    """A value that later rounds may be given, so that nothing grows without bounds."""
    if letter == "f":
        return w.tanh(x)
    if letter == "i":
        return x % 11
    return x if letter == "b" else x / (1 + abs(x))


# -- programs ----------------------------------------------------------------------------------------------------------
@dataclass
class Sequence:
    kind: Kind
    taps: list[int]


@dataclass
class Result:
    kind: Kind
    taps: list[int] | None  # None: it does not feed back


@dataclass
class Program:
    """A loop, what its step does, and what is read of its results."""

    spelling: str  # scan, loop or while
    sequences: list[Sequence]
    results: list[Result]
    others: list[Kind]
    operations: list[tuple[str, list[int]]]  # name, places of the operands among the values of its kind
    picks: list[int]  # for each result a place among the values of its kind
    reads: list[str]
    go_backwards: bool
    has_counter: bool
    has_draw: bool
    limit: float | None  # until the first float of the results is larger
    checkpoint: int | None
    truncate: int
    seed: int
    is_single: bool = False  # its floats are float32
    width: int = 1

    # -- one round
    def round(self, w: Any, given: list[tuple[Kind, Any]]) -> list[Any]:
        values: dict[Kind, list[Any]] = {}
        for kind, value in given:
            values.setdefault(kind, []).append(value)
        for name, places in self.operations:
            op = OPERATIONS[name]
            if any(kind not in values for kind in op.takes):
                continue
            operands = [values[kind][p % len(values[kind])] for kind, p in zip(op.takes, places, strict=True)]
            values.setdefault(op.gives, []).append(op.apply(w, *operands))
        found = []
        for result, pick in zip(self.results, self.picks, strict=True):
            known = values.get(result.kind)
            if known is None:
                value = _constant(w, result.kind, values, "float32" if self.is_single else result.kind.dtype)
            else:
                value = known[pick % len(known)]
            if result.taps is not None:
                value = _squashed(w, value, result.kind.letter)
            found.append(value)
        return found

    def is_over(self, w: Any, found: list[Any]) -> Any:
        floats = [x for x, r in zip(found, self.results, strict=True) if r.kind.letter == "f"]
        return abs(floats[0]).sum() > self.limit if floats else None

    @property
    def has_end(self) -> bool:
        return self.limit is not None and any(r.kind.letter == "f" for r in self.results)

    # -- symbolically
    def inputs(self) -> list[Any]:
        single = self.is_single
        self.xs = [s.kind.variable(f"x{k}", 1, single) for k, s in enumerate(self.sequences)]
        self.starts = [
            None if r.taps is None else r.kind.variable(f"s{k}", 0 if r.taps == [-1] else 1, single)
            for k, r in enumerate(self.results)
        ]
        self.fixed = [kind.variable(f"o{k}", 0, single) for k, kind in enumerate(self.others)]
        self.n = T.lscalar("n")
        return [self.n, *self.xs, *(s for s in self.starts if s is not None), *self.fixed]

    def build(self) -> tuple[list[Any], list[Any], Any]:
        """Inputs, the results of all rounds, and updates."""
        inputs = self.inputs()
        self.counter = tensordsl.shared(0.0)
        self.streams = RandomStreams(self.seed % 1000)
        fixed = list(zip(self.others, self.fixed, strict=True))
        if self.spelling != "scan":
            return inputs, self._as_loop(fixed) if self.spelling == "loop" else self._as_while(fixed), {}

        def step(*arguments: Any) -> Any:
            kinds = [s.kind for s in self.sequences for _ in s.taps]
            kinds += [r.kind for r in self.results for _ in r.taps or ()]
            given = list(zip([*kinds, *self.others], arguments, strict=True))
            if self.has_counter:
                given.append((F, self.counter * 0.125))
            if self.has_draw:
                given.append((F, self.streams.uniform(())))
            found = self.round(T, given)
            updates = {self.counter: self.counter + 1} if self.has_counter else {}
            return (found, updates, *([until(self.is_over(T, found))] if self.has_end else []))

        outputs, updates = tensordsl.scan(
            step, [dict(input=x, taps=s.taps) for x, s in zip(self.xs, self.sequences, strict=True)],
            [None if s is None else dict(initial=s, taps=r.taps)
             for s, r in zip(self.starts, self.results, strict=True)],
            self.fixed, self.n, go_backwards=self.go_backwards, return_list=True, truncate_gradient=self.truncate,
        )  # fmt: skip
        return inputs, outputs, updates

    def _as_loop(self, fixed: list[tuple[Kind, Any]]) -> list[Any]:
        names = [f"s{k}" for k, s in enumerate(self.starts) if s is not None]

        def step(carry: Any, elements: Any) -> Any:
            given = [(s.kind, x) for s, x in zip(self.sequences, elements, strict=True)]
            given += [(self.results[int(name[1:])].kind, carry[name]) for name in names]
            found = self.round(T, [*given, *fixed])
            return {name: found[int(name[1:])] for name in names}, found

        init = {name: self.starts[int(name[1:])] for name in names}
        xs = tuple(self.xs)
        _, values = tensordsl.loop(step, init, xs, self.n, reverse=self.go_backwards, checkpoint=self.checkpoint)
        return list(values)

    def _as_while(self, fixed: list[tuple[Kind, Any]]) -> list[Any]:
        """What is carried behind the last round: so many rounds, and fewer where the first float becomes large."""

        def is_on(state: Any) -> Any:
            number, found = state
            within = number < self.n
            return T.and_(within, T.invert(self.is_over(T, found))) if self.has_end else within

        def body(state: Any) -> Any:
            number, found = state
            given = [(r.kind, value) for r, value in zip(self.results, found, strict=True)]
            return number + 1, self.round(T, [*given, *fixed])

        start = T.constant(0, dtype="int64"), list(self.starts)
        _, last = tensordsl.while_loop(is_on, body, start, max_rounds=self.n if self.seed % 2 else None)
        return list(last)

    def unrolled(self, n: int) -> list[Any]:
        """The results of n rounds written one after the other; behind `truncate` of them nothing has a gradient."""
        states = [r for r in self.results if r.taps is not None]
        starts = iter([s for s in self.starts if s is not None])
        histories: list[list[Any]] = []
        for r in self.results:
            start = None if r.taps is None else next(starts)
            histories.append(
                [] if start is None else [start] if r.taps == [-1] else [start[k] for k in range(-min(r.taps or ()))]
            )
        assert len(states) == sum(map(bool, histories))
        found: list[list[Any]] = [[] for _ in self.results]
        for i in range(n):
            if self.truncate > 0 and i == n - self.truncate:
                histories = [[disconnected_grad(v) for v in history] for history in histories]
                found = [[disconnected_grad(v) for v in column] for column in found]
            values: list[tuple[Kind, Any]] = []
            for x, s in zip(self.xs, self.sequences, strict=True):
                low, high = min(0, *s.taps), max(0, *s.taps)
                for tap in s.taps:
                    reached = x[tap - low : x.shape[0] - (high - tap)]
                    values.append((s.kind, reached[::-1][i] if self.go_backwards else reached[i]))
            for history, r in zip(histories, self.results, strict=True):
                values += [(r.kind, history[tap]) for tap in r.taps or ()]
            for history, column, value in zip(
                histories, found, self.round(T, [*values, *zip(self.others, self.fixed, strict=True)]), strict=True
            ):
                history.append(value)
                column.append(value)
        return [T.stack(column) for column in found]

    # -- by NumPy
    def arguments(self, n: int, width: int) -> list[Any]:
        r = np.random.default_rng([self.seed, n, width])
        args: list[Any] = [n]
        for k, s in enumerate(self.sequences):
            more = k % 2 if self.spelling == "scan" else 0
            length = n + max(0, *s.taps) - min(0, *s.taps) + more
            args.append(s.kind.array(r, (length, *(width,) * s.kind.rank)))
        for result in self.results:
            if result.taps is not None:
                depth = () if result.taps == [-1] else (-min(result.taps),)
                args.append(result.kind.array(r, (*depth, *(width,) * result.kind.rank)))
        for kind in self.others:
            args.append(kind.array(r, (width,) * kind.rank))
        return [np.asarray(a, "float32")[()] if self.is_single and k else a for k, a in enumerate(args)]

    def expected(self, arguments: list[Any], draws: list[float]) -> tuple[list[Any], float]:
        """The results of all rounds, and the counter behind them."""
        n, *given = arguments
        xs, rest = given[: len(self.sequences)], given[len(self.sequences) :]
        states = [r for r in self.results if r.taps is not None]
        starts, others = iter(rest[: len(states)]), rest[len(states) :]
        histories: list[list[Any]] = [
            [] if r.taps is None else [next(starts)] if r.taps == [-1] else [*next(starts)] for r in self.results
        ]
        found: list[list[Any]] = [[] for _ in self.results]
        counter = np.float64(0)
        for i in range(n):
            values: list[tuple[Kind, Any]] = []
            for x, s in zip(xs, self.sequences, strict=True):
                low, high = min(0, *s.taps), max(0, *s.taps)
                for tap in s.taps:
                    reached = x[tap - low : len(x) - (high - tap)]
                    values.append((s.kind, reached[::-1][i] if self.go_backwards else reached[i]))
            for history, r in zip(histories, self.results, strict=True):
                values += [(r.kind, history[tap]) for tap in r.taps or ()]
            values += list(zip(self.others, others, strict=True))
            if self.has_counter:
                values.append((F, counter * 0.125))
                counter += 1
            if self.has_draw:
                values.append((F, draws[i]))
            if self.spelling == "while" and self.has_end and self.is_over(np, [h[-1] for h in histories]):
                break
            results = self.round(np, values)
            for history, column, value in zip(histories, found, results, strict=True):
                history.append(value)
                column.append(np.asarray(value))
            if self.spelling != "while" and self.has_end and self.is_over(np, results):
                break
        if self.spelling == "while":
            return [np.asarray(history[-1]) for history in histories], counter
        columns = found
        if self.spelling == "loop" and self.go_backwards:
            columns = [column[::-1] for column in found]
        return [
            np.array(column)
            .reshape(len(column), *(self.width,) * r.kind.rank)
            .astype("float32" if self.is_single else r.kind.dtype)
            for column, r in zip(columns, self.results, strict=True)
        ], counter


def _constant(w: Any, kind: Kind, values: dict[Kind, list[Any]], dtype: str) -> Any:
    number = {"f": 0.5, "i": 3, "b": True, "c": 0.5j}[kind.letter]
    if not kind.rank:
        return np.asarray(number, dtype)[()] if w is np else T.constant(number, dtype=dtype)
    filled = values[FR][0] * 0  # a program with rows has one of floats
    filled = filled if kind.rank == 1 else w.outer(filled, filled)
    filled = filled if kind.letter == "f" else _cast(w, filled, kind.letter)
    return filled if kind.letter == "b" else filled + (np.asarray(number, kind.dtype) if w is np else number)


READS = {
    "all": lambda v: v,
    "last rows": lambda v: v[-2:],
    "every other": lambda v: v[::2],
    "first rows": lambda v: v[:3],
    "backwards": lambda v: v[::-1],
    "number": lambda v: np.int64(v.shape[0]) if isinstance(v, np.ndarray) else v.shape[0],
    "some": lambda v: v[1:-1],
}


def drawn(choose: Choose, differentiable: bool = False, has_matrices: bool = False) -> Program:
    """A program.  differentiable: of floats and smooth operations of them; has_matrices: with matrices, too."""
    spelling = ("scan", "scan", "scan", "loop", "loop", "while")[choose(6)]
    is_loop, is_while = spelling == "loop", spelling == "while"
    is_single = differentiable and choose(4) == 0
    has_rows = choose(3) > 0
    has_matrices = has_rows and has_matrices
    letters = "f" if differentiable else ("f", "f", "fi", "fib", "fibc", "fic")[choose(6)]

    def kind() -> Kind:
        letter = letters[choose(len(letters))]
        rank = int(has_rows and choose(3) > 0)
        return M if has_matrices and letter == "f" and choose(2) else Kind(letter, rank)

    def taps(low: int, high: int) -> list[int]:
        first = low + choose(high - low + 1)
        second = low + choose(high - low + 1)
        return [first] if choose(2) or first == second else [first, second]

    sequences = [Sequence(kind(), [0] if is_loop else taps(-2, 3) if choose(3) == 0 else [0])
                 for _ in range(0 if is_while else choose(3))]  # fmt: skip
    results = [
        Result(kind(), [-1] if is_while else None if choose(4) == 0 else [-1] if is_loop or choose(2) else taps(-4, -1))
        for _ in range(1 + choose(3))
    ]
    others = [kind() for _ in range(choose(3))]
    if has_rows:  # so that rows have a width
        others.append(FR)
    if has_matrices:
        others.append(M)
    if not differentiable and choose(2):
        others.append(I)
    others.append(F)
    names = [name for name, op in OPERATIONS.items() if op.is_smooth or not differentiable]
    names = [n for n in names if has_matrices or M not in (*OPERATIONS[n].takes, OPERATIONS[n].gives)]
    if has_matrices:  # half of the operations are on these
        names += 2 * [n for n in names if M in (*OPERATIONS[n].takes, OPERATIONS[n].gives)]
    if is_single:
        names = [n for n in names if all(k.letter == "f" for k in (*OPERATIONS[n].takes, OPERATIONS[n].gives))]
    elif differentiable:
        others += [I] if choose(2) else []
    operations = []
    for _ in range(choose(9)):
        name = names[choose(len(names))]
        operations.append((name, [choose(50) for _ in OPERATIONS[name].takes]))
    return Program(
        spelling, sequences, results, others, operations, [choose(50) for _ in results],
        [list(READS)[0 if differentiable or is_while or choose(2) else choose(len(READS))] for _ in results],
        choose(2) == 0 and not is_while, *(spelling == "scan" and not is_single and choose(n) == 0 for n in (3, 4)),
        None if is_loop or differentiable or choose(3) else (0.5, 1.0, 2.0)[choose(3)],
        1 + choose(5) if is_loop and choose(2) else None,
        1 + choose(3) if spelling == "scan" and differentiable and choose(4) == 0 else -1, choose(1 << 30), is_single,
    )  # fmt: skip


# -- judgement ---------------------------------------------------------------------------------------------------------
@cache
def _draws() -> tuple[Any, Any]:
    streams = RandomStreams(0)
    draw = tensordsl.function([], streams.uniform(()))
    return streams.state_updates[0][0], draw


def _drawn_from(state: Any, count: int) -> list[Any]:
    """The numbers that a stream in this state draws."""
    own, draw = _draws()
    own.set_value(state)
    return [np.float64(draw()) for _ in range(count)]


def check_values(program: Program, widths: tuple[int, ...] = (3, 1), **options: Any) -> None:
    """One function for all lengths against a Python loop over NumPy.  AssertionError where they differ."""
    inputs, outputs, updates = program.build()
    reads = [READS[name] for name in program.reads]
    function = tensordsl.function(
        inputs, [read(v) for read, v in zip(reads, outputs, strict=True)], updates=updates, on_unused_input="ignore",
        **options,
    )  # fmt: skip
    states = [(state, state.get_value()) for state, _ in program.streams.state_updates]
    lengths, (rtol, atol) = (FEW_ROUNDS, (1e-3, 1e-3)) if program.is_single else (LENGTHS, (1e-7, 1e-9))
    for width in widths:
        program.width = width
        for n in lengths:
            program.counter.set_value(0.0)
            for state, start in states:
                state.set_value(start)
            draws = _drawn_from(states[0][1], n) if states else [np.float64(0.5)] * n
            arguments = program.arguments(n, width)
            with np.errstate(all="ignore"):
                expected, counter = program.expected(arguments, draws)
            found = function(*arguments)
            for k, (one, whole) in enumerate(zip(found, expected, strict=True)):
                np.testing.assert_allclose(
                    one, reads[k](whole), rtol=rtol, atol=atol, strict=True, err_msg=f"result {k} of {n} rounds"
                )
            if program.has_counter:
                assert program.counter.get_value() == counter, f"the counter behind {n} rounds"


def check_written_out(program: Program, n: int = 4, width: int = 2) -> None:
    """The first derivatives of a loop without draws against those of its rounds, written one after the other."""
    if program.spelling != "scan" or program.has_draw or program.has_counter:
        return
    inputs, outputs, _ = program.build()
    program.width = width
    arguments = program.arguments(n, width)
    wrt = [v for v in inputs if v.dtype.startswith("float")]
    pairs = []
    for results in (outputs, program.unrolled(n)):
        cost = sum(T.sum(T.sin(out) * (k + 0.5)) for k, out in enumerate(results))
        pairs.append(T.grad(cost, wrt, disconnected_inputs="ignore"))
    function = tensordsl.function(inputs, [*pairs[0], *pairs[1]], on_unused_input="ignore")
    found = function(*arguments)
    tolerance = 2e-3 if program.is_single else 1e-8
    for variable, one, two in zip(wrt, found[: len(wrt)], found[len(wrt) :], strict=True):
        scale = 1 + float(np.max(np.abs(two), initial=0))
        np.testing.assert_allclose(
            one, two, tolerance, tolerance * scale, strict=True, err_msg=f"gradient by {variable}"
        )


def check_gradients(program: Program, n: int = 4, width: int = 2) -> None:
    """First derivatives, backwards and forwards, and second ones against differences; of truncated ones, and of
    float32, the first alone, against those of rounds written out."""
    if program.truncate > 0 or program.is_single:
        return check_written_out(program, n, width)
    inputs, outputs, updates = program.build()
    if program.spelling == "while" and not program.seed % 2:
        return None  # nothing bounds its rounds, and so it has no gradient
    program.width = width
    arguments = program.arguments(n, width)
    r = np.random.default_rng(program.seed)
    floats = [k for k, v in enumerate(inputs) if v.dtype == "float64"]
    wrt = [inputs[k] for k in floats]
    directions = [r.normal(size=np.shape(arguments[k])) for k in floats]
    weights = [r.normal() for _ in outputs]
    cost = sum(T.sum(T.sin(out) * weight) for out, weight in zip(outputs, weights, strict=True))
    gradients = T.grad(cost, wrt, disconnected_inputs="ignore")
    slope = sum(T.sum(g * d) for g, d in zip(gradients, directions, strict=True))
    second = T.grad(slope, wrt, disconnected_inputs="ignore")
    curvature = sum(T.sum(g * d) for g, d in zip(second, directions, strict=True))
    forward = T.Rop(cost, wrt, [T.constant(d) for d in directions], disconnected_outputs="ignore")
    function = tensordsl.function(inputs, [cost, slope, curvature, forward], updates=updates, on_unused_input="ignore")
    states = [(state, state.get_value()) for state, _ in program.streams.state_updates]
    draws = _drawn_from(states[0][1], n) if states else [np.float64(0.5)] * n

    def at(eps: float) -> Any:
        program.counter.set_value(0.0)
        for state, start in states:
            state.set_value(start)
        moved = list(arguments)
        for k, d in zip(floats, directions, strict=True):
            moved[k] = np.asarray(arguments[k] + eps * d)
        expected, _ = program.expected(moved, draws)
        by_numpy = sum(np.sum(np.sin(out) * weight) for out, weight in zip(expected, weights, strict=True))
        return by_numpy, *function(*moved)

    eps = 1e-5
    (below, _, slope_below, *_), (above, _, slope_above, *_) = at(-eps), at(eps)
    by_numpy, cost_, slope_, curvature_, forward_ = at(0.0)
    np.testing.assert_allclose(cost_, by_numpy, rtol=1e-9, atol=1e-9, err_msg="cost")
    scale = 1 + abs(float(slope_)) + abs(float(curvature_))
    np.testing.assert_allclose(slope_, (above - below) / (2 * eps), rtol=1e-5, atol=1e-6 * scale, err_msg="gradient")
    np.testing.assert_allclose(forward_, slope_, rtol=1e-7, atol=1e-9 * scale, err_msg="Rop")
    np.testing.assert_allclose(
        curvature_, (slope_above - slope_below) / (2 * eps), rtol=1e-5, atol=1e-6 * scale, err_msg="second gradient"
    )
