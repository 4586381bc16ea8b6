"""Scalar IR: `Val`, one scalar at a point of an iteration space, and `Builder`, which makes them; for every target.

Contract   all operations are total and have NumPy's result: integers wrap, `x // 0 == 0`, shifts past the width give 0
           or the sign, float to integer out of range gives what NumPy gives on x86-64.  Types are NumPy dtype names.
Why        a value can be used but never re-indexed, so whatever is one DAG may be computed by one kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

from tensordsl.graph.casting import complex_of, real_of
from tensordsl.ops.array.reducers import COUNT, SUM

FLOATS = ("float16", "float32", "float64")
COMPUTED = FLOATS[1:]  # floats with arithmetic
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = SIGNED + UNSIGNED
INTEGERS_BELOW_64_BITS = frozenset(t for t in INTEGERS if not t.endswith("64"))
COUNTED_DTYPES = frozenset(("bool", "int8", "uint8", "int16", "uint16"))  # their sums in `SUM_DTYPES` are exact
SUM_DTYPES = ("int64", "uint64", "float32", "float64")
DTYPES = ("bool", *INTEGERS, *FLOATS)
ITEMSIZE = {
    "bool": 1, "float16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
    **{f"{p}int{n}": n // 8 for p in ("", "u") for n in (8, 16, 32, 64)},
}  # fmt: skip

LEAVES = frozenset(("param", "const", "index", "extent", "load"))

# name -> number of operands of what is no elementary function (`math.FUNCTIONS`).  Result type = operands' type unless
# said otherwise in `Builder`.
ARITY = {
    **dict.fromkeys(("neg", "abs", "sqrt", "floor", "ceil", "trunc", "rint", "not", "sign"), 1),
    **dict.fromkeys(("add", "sub", "mul", "div", "floordiv", "mod", "fmod", "and", "or", "xor", "shl", "shr"), 2),
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "minimum", "maximum", "copysign"), 2),
    **dict.fromkeys(("cast", "bitcast", "exponent", "significand", "lookup", "part"), 1),
    **dict.fromkeys(("ldexp", "complex"), 2),
    **dict.fromkeys(("select", "fma"), 3),
}
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
PAIRWISE = ("add", "sub", "mul", "div", "neg")  # done on pairs where both parts of complex numbers take them alike
PRIMITIVE = LEAVES | ARITY.keys() | {"reduce", "result", "repeat"}


def is_function(v: Val) -> bool:
    """Is it an elementary function of `math.FUNCTIONS`?"""
    return v.op not in PRIMITIVE


def is_expensive_op(v: Val) -> bool:
    """Is it too expensive to be computed twice?  So are functions, reductions and loops."""
    return v.op not in PRIMITIVE or v.op in ("reduce", "repeat")


class Val:
    """One scalar SSA value, never changed, with the set of axes it varies along:

    load x[i, j]          axes {i, j}     the map is the indexing map: broadcasting drops an axis, transposing permutes
    exp(v)                axes of v
    reduce_j(sum, v)      axes of v without j
    repeat(v, ...)        axes of the operands: a loop of one element, a row of `scalar_ir.repetition`

    `type`: a dtype name; the dtypes of the operands for `reduce`, whose `result`s have the dtypes.  `attr`: the
    constant, the axis, the extent, (buffer, map), (reducer, axes) or the result's number.

    A float16 is only loaded, stored and cast: it is computed with as a float32 (`Builder.row`), as NumPy does.  A
    complex number is loaded and stored as one; it is computed with by its parts, or by `PAIRWISE` operations on both.
    """

    __slots__ = ("op", "type", "args", "attr", "axes")

    def __init__(self, op: str, type: Any, args: tuple[Val, ...], attr: Any, axes: frozenset[str]) -> None:
        self.op, self.type, self.args, self.attr, self.axes = op, type, args, attr, axes


_NO_AXES: frozenset[str] = frozenset()


def counted(reducer: Any, args: list[Val]) -> tuple[Any, list[Val]]:
    """Of a sum of bools or short integers, cast to 64 bits or floats, where it is exact as well, their count."""
    x = args[0]
    is_count = reducer is SUM and x.op == "cast" and x.args[0].type in COUNTED_DTYPES and x.type in SUM_DTYPES
    return (COUNT, [x.args[0]]) if is_count else (reducer, args)


def _binary(op: str) -> Callable[[Builder, Any, Any], Val]:
    """The method of an operation on two operands; a number becomes a constant of the other one's type."""

    def method(self: Builder, x: Any, y: Any) -> Val:
        x = x if isinstance(x, Val) else self.const(x, y.type)
        y = y if isinstance(y, Val) else self.const(y, x.type)
        assert x.type == y.type, (op, x.type, y.type)
        return self.make(op, "bool" if op in COMPARISONS else x.type, (x, y))

    return method


def _unary(op: str) -> Callable[[Builder, Val], Val]:
    def method(self: Builder, x: Val) -> Val:
        return self.make(op, x.type, (x,))

    return method


class Builder:
    """Makes hash-consed values, so that common subexpressions inside a group are free."""

    def __init__(self) -> None:
        self._memo: dict[Any, Val] = {}
        self.made: list[Val] = []  # all of them, in order

    def make(
        self, op: str, type: Any, args: Iterable[Val] = (), attr: Any = None, axes: frozenset[str] | None = None
    ) -> Val:
        args = tuple(args)
        key = (op, type, args, None if attr is None else attr_key(attr))
        value = self._memo.get(key)
        if value is None:
            if axes is None:
                axes = _NO_AXES.union(*[a.axes for a in args])
            value = self._memo[key] = Val(op, type, args, attr, axes)
            self.made.append(value)
        return value

    # leaves
    def const(self, value: Any, type: str) -> Val:
        if type == "bool":
            return self.make("const", type, attr=bool(value))
        return self.make("const", type, attr=float(value) if type in FLOATS else int(value))

    def param(self, name: str, type: str) -> Val:
        return self.make("param", type, attr=name)

    def index(self, axis: str) -> Val:
        """The position along an axis, int64."""
        return self.make("index", "int64", attr=axis, axes=frozenset([axis]))

    def extent(self, extent: Any) -> Val:
        """The length of an axis, int64; `extent` is any hashable extent."""
        return self.make("extent", "int64", attr=extent)

    def load(self, buffer: Any, *map: Any, along: tuple[str, ...] = ()) -> Val:
        """`buffer[map]`.  Entries: an axis name; 0 (an axis of static length 1); a Val (an indexed load: NumPy's wrap
        of negatives; out of range is clamped and raises the kernel's flag).  along: axes that the indices have, though
        none varies along them."""
        axes = frozenset([m for m in map if isinstance(m, str)])
        indices = [m for m in map if isinstance(m, Val)]
        if not indices:
            return self.make("load", buffer.type, (), (buffer, map), axes)
        entries = tuple(("arg", indices.index(m), *along) if isinstance(m, Val) else m for m in map)
        return self.make("load", buffer.type, indices, (buffer, entries), axes.union(*(v.axes for v in indices)))

    def reduce(self, reducer: Any, axes: Sequence[str], *args: Val) -> tuple[Val, ...]:
        """Reduce `args` over `axes`; the reducer's results, one Val each."""
        types = tuple(a.type for a in args)
        rest = frozenset().union(*(a.axes for a in args)) - set(axes)
        state = self.make("reduce", types, args, (reducer, tuple(axes)), rest)
        return tuple(self.make("result", t, (state,), k) for k, t in enumerate(reducer.result(types)))

    # operations
    def apply(self, op: str, *args: Val, type: str | None = None) -> Val:
        """Any operation or function by its name."""
        assert len(args) == ARITY.get(op, len(args)), (op, args)
        if type is None:
            type = "bool" if op in COMPARISONS else args[-1].type
        return self.make(op, type, args)

    add = _binary("add")
    sub = _binary("sub")
    mul = _binary("mul")
    div = _binary("div")  # floats only
    floordiv = _binary("floordiv")
    mod = _binary("mod")
    fmod = _binary("fmod")
    and_ = _binary("and")
    or_ = _binary("or")
    xor = _binary("xor")
    shl = _binary("shl")
    shr = _binary("shr")  # arithmetic for signed types
    eq = _binary("eq")
    ne = _binary("ne")
    lt = _binary("lt")
    le = _binary("le")
    gt = _binary("gt")
    ge = _binary("ge")
    minimum = _binary("minimum")  # NaN wins, as in NumPy
    maximum = _binary("maximum")
    copysign = _binary("copysign")
    pow = _binary("pow")  # floats only
    arctan2 = _binary("arctan2")

    neg = _unary("neg")
    abs = _unary("abs")
    sign = _unary("sign")
    sqrt = _unary("sqrt")
    floor = _unary("floor")
    ceil = _unary("ceil")
    trunc = _unary("trunc")
    rint = _unary("rint")  # half to even
    not_ = _unary("not")  # bool: logical; integers: bitwise

    def isnan(self, x: Val) -> Val:
        return self.ne(x, x)

    def call(self, name: str, *args: Val) -> Val:
        return self.apply(name, *args)  # an elementary function

    def select(self, condition: Val, x: Any, y: Any) -> Val:
        if not isinstance(x, Val):
            x = self.const(x, y.type)
        if not isinstance(y, Val):
            y = self.const(y, x.type)
        assert condition.type == "bool" and x.type == y.type, (condition.type, x.type, y.type)
        return self.apply("select", condition, x, y)

    def fma(self, x: Any, y: Any, z: Any) -> Val:
        """x * y + z with one rounding; for our own mathematics, never for user expressions."""
        t = next(v.type for v in (x, y, z) if isinstance(v, Val))
        return self.make("fma", t, [v if isinstance(v, Val) else self.const(v, t) for v in (x, y, z)])

    # The parts of floats: for our own mathematics.  Exact on every target, one instruction each where there is one.
    def exponent(self, x: Val) -> Val:
        """floor(log2 |x|) as a float, of subnormal numbers too; -inf of 0, inf of an infinity."""
        return self.apply("exponent", x)

    def significand(self, x: Val) -> Val:
        """x / 2^k in [1, 2), k = `exponent`, x > 0; 1 of inf, of zeros 1 or that with their sign, nan of
        negative numbers."""
        return self.apply("significand", x)

    def ldexp(self, x: Val, n: Val) -> Val:
        """x 2^n for a whole float n, |n| at most twice the largest exponent; one rounding for x about 1 or if exact."""
        return self.apply("ldexp", x, n)

    def lookup(self, table: Sequence[float], index: Val) -> Val:
        """table[index mod its length], of 8, 16, 32 or 64 float64 or 8, 16 or 32 float32; `index` is an integer of the
        floats' width."""
        type = {"int64": "float64", "int32": "float32"}[index.type]
        assert len(table) in {"float64": (8, 16, 32, 64), "float32": (8, 16, 32)}[type]
        return self.make("lookup", type, (index,), tuple(table))

    def cast(self, x: Val, type: str) -> Val:
        return x if x.type == type else self.apply("cast", x, type=type)

    def row(self, row: Any, dtype: str, args: Sequence[Val], attrs: dict[str, Any]) -> Val:
        """What the elementwise row gives, of `dtype`; float16 is computed in float32 and rounded once, at the end."""
        if row.meaning.widens:
            args = list(map(self.wide, args))
        value: Val = row.meaning.scalar(self, *args, **attrs)
        return self.cast(value, dtype) if dtype == "float16" else value

    def wide(self, x: Val) -> Val:
        if x.type != "float16":
            return x
        return self.const(x.attr, "float32") if x.op == "const" else self.cast(x, "float32")

    def repeat(self, name: Any, needed: Val, *given: Val) -> Val:
        """A result of a loop of `scalar_ir.repetition`, of this name or (text, number of the result); 0 where it is not
        needed."""
        from tensordsl.codegen.scalar_ir.repetition import named  # late: it stands on this module

        loop, k = named(name)
        return self.make("repeat", loop.dtypes[k], (needed, *loop.prepare(self, *given)), name)

    # complex numbers
    def part(self, x: Val, k: int) -> Val:
        """The real (k = 0) or the imaginary part."""
        return x.args[k] if x.op == "complex" else self.make("part", real_of(x.type), (x,), k)

    def complex(self, re: Val, im: Val) -> Val:
        """Where both parts are computed alike, that is done on pairs."""
        return pairwise(self, re, im) or self.make("complex", complex_of(re.type), (re, im))

    def bitcast(self, x: Val, type: str) -> Val:
        assert ITEMSIZE[x.type] == ITEMSIZE[type]
        return x if x.type == type else self.apply("bitcast", x, type=type)


def walk(roots: Iterable[Val], known: Container[int] | None = None, first: Iterable[Val] = ()) -> list[Val]:
    """Operands before users, each value once, in an order that depends on the DAG alone; without recursion.

    If `known` is given: without the values whose ids are in it, and without the reduction behind a `result`.  `first`:
    the order of some of the roots, which is continued.
    """
    order = dict.fromkeys(first)
    stack: list[Val | None] = [*reversed([*roots])]
    waiting: list[Val] = []  # values whose operands are being visited; None on the stack ends the last one's
    while stack:
        v = stack.pop()
        if v is None:
            v = waiting.pop()
        elif v in order or (known is not None and id(v) in known):
            continue
        elif v.args and (known is None or v.op != "result"):
            needed = [a for a in v.args if a not in order]
            if needed:
                waiting.append(v)
                stack.append(None)
                stack += needed[::-1]
                continue
        order[v] = None
    return list(order)


def pairwise(b: Builder, re: Val, im: Val) -> Val | None:
    """The complex number of these parts by operations on pairs; None if some have to be split.  The operations of
    `PAIRWISE` that give both parts must be the same ones, down to parts of one number or a real number for both."""
    known: dict[tuple[int, int], Val] = {}
    stack = [(re, im)]
    while stack:
        x, y = stack[-1]
        whole = x.args[0] if x.op == y.op == "part" and x.args == y.args and (x.attr, y.attr) == (0, 1) else None
        if whole is None and x.op == y.op and x.op in PAIRWISE and x is not y:
            pairs = list(zip(x.args, y.args, strict=True))
            missing = [(v, w) for v, w in pairs if (id(v), id(w)) not in known]
            if missing:
                stack += missing
                continue
            whole = b.make(x.op, complex_of(x.type), [known[id(v), id(w)] for v, w in pairs])
        if whole is None and len(stack) > 1 and (x is y or x.op == y.op == "const"):
            whole = b.make("complex", complex_of(x.type), (x, y))
        if whole is None:
            return None
        known[id(x), id(y)] = whole
        stack.pop()
    return known[id(re), id(im)]


def unwidened(index: Val) -> Val:
    """An index as it was before it was cast to int64, if that changed no number."""
    is_cast = index.op == "cast" and index.type == "int64"
    return index.args[0] if is_cast and index.args[0].type in INTEGERS_BELOW_64_BITS else index


def attr_key(attr: Any) -> Any:
    """Constants by their bits: -0.0 is not 0.0, nan is nan, True is not 1."""
    if isinstance(attr, float):
        return "float", struct.pack("d", attr)
    return type(attr).__name__, attr
