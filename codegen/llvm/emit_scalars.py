"""Emitter of scalar IR: a DAG of `Val`s -> LLVM text on a `Code`, W lanes at a time (scalars at W = 1, else `<W x T>`).

Contract   `emit` and `emit_all` append one or a few instructions for each value; `leaf` gives loads, indices, extents.
Results    NumPy's, and total: what has no total LLVM instruction is guarded by selects.
Functions  are expanded by `scalar_ir.math`, in place or as internal functions of the module.
Why        only intrinsics that are instructions on every target are used, so that objects have no external symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

from tensordsl.codegen.llvm.casts import bitcast, cast
from tensordsl.codegen.llvm.lookup_tables import chunks, has_avx512, lookup, lookups_of_two, partners
from tensordsl.codegen.llvm.vector_builder import (
    Code,
    chosen,
    constant,
    llvm_type,
    load,
    memory_type,
    paired,
    part,
    splat,
    store,
)
from tensordsl.codegen.scalar_ir import repetition
from tensordsl.codegen.scalar_ir.builder import (
    ARITY,
    COMPARISONS,
    FLOATS,
    INTEGERS,
    ITEMSIZE,
    SIGNED,
    UNSIGNED,
    Builder,
    Val,
    is_function,
    walk,
)
from tensordsl.codegen.scalar_ir.math import FUNCTIONS, floating_point, remainder
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX

__all__ = [
    "Code", "constant", "emit", "llvm_type", "load", "math_definition", "math_symbol", "memory_type", "splat", "store",
]  # fmt: skip

Env = dict[int, str]


def emit(code: Code, roots: Iterable[Val], env: Env, W: int = 1, leaf: Callable[[Val], str] | None = None) -> None:
    """Emit every value under `roots` that `env` (id -> operand) has not; `leaf` gives the operands of those that are no
    operations: load, index, extent, param, result."""
    emit_all(code, walk(roots, env), env, W, leaf)


def emit_all(code: Code, values: Iterable[Val], env: Env, W: int = 1, leaf: Callable[[Val], str] | None = None) -> None:
    """`emit` of values that stand behind their operands."""
    todo = [v for v in values if id(v) not in env]
    count = sum([is_function(v) for v in todo])
    in_place = count <= code.inline
    if in_place:
        code.inline -= count
    pairs = partners(code, todo, W)
    for v in todo:
        if id(v) in env:
            continue
        if v.op == "const":
            env[id(v)] = constant(v.attr, v.type, W)
        elif is_function(v):
            operands = [env[id(a)] for a in v.args]
            env[id(v)] = _call_function(code, v.op, v.type, W, operands, in_place and not FUNCTIONS[v.op].slow_tier)
        elif id(v) in pairs:
            other = pairs[id(v)]
            env[id(v)], env[id(other)] = lookups_of_two(code, v, other, env[id(v.args[0])], W)
        elif (rest := _tested_remainder(v)) and id(rest.args[0]) in env:
            env[id(v)] = _is_divisible(code, v.op, rest, env[id(rest.args[0])], W)
        elif v.op == "repeat":
            same = [w for w in todo if w.op == "repeat" and w.args == v.args and _is_same_loop(w.attr, v.attr)]
            found = _call_repetition(code, same, [env[id(a)] for a in v.args], W)
            env |= {id(w): x for w, x in zip(same, found, strict=True)}
        elif v.op in ARITY:
            env[id(v)] = _operation(code, v, [env[id(a)] for a in v.args], W)
        else:
            assert leaf is not None, v.op
            env[id(v)] = leaf(v)


# Mathematical functions


def math_symbol(name: str, dtype: str, W: int) -> str:
    return f"tds_{name}_{dtype}_{W}"


def math_definition(name: str, dtype: str, W: int, isa: str = "") -> str:
    """The internal function `math_symbol` (and those it calls are in `Code.functions` of who calls it)."""
    return _definition(name, dtype, W, isa)[0]


@lru_cache(maxsize=512)
def _expansion(tier: str, name: str, dtype: str) -> tuple[tuple[Val, ...], list[Val], list[Val]]:
    """The function's (params, results, all values but the params, operands first)."""
    b, f = Builder(), FUNCTIONS[name]
    params = tuple(b.param(f"x{i}", dtype) for i in range(f.arity))
    makers = {"fast": f.expansion}
    if f.slow_tier:
        makers |= {"guard": f.slow_tier.guard, "slow": f.slow_tier.expansion}
    roots = [makers[part](b, *params) for part in tier.split(" and ")]
    return params, roots, walk(roots, set(map(id, params)))


def _expand(code: Code, tier: str, name: str, dtype: str, W: int, operands: list[str]) -> list[str]:
    params, roots, values = _expansion(tier, name, dtype)
    env = {id(p): x for p, x in zip(params, operands, strict=True)}
    emit_all(code, values, env, W)
    return [env[id(root)] for root in roots]


def _call_function(code: Code, name: str, dtype: str, W: int, operands: list[str], in_place: bool) -> str:
    if in_place:
        return _expand(code, "fast", name, dtype, W, operands)[0]
    text, declarations, functions = _definition(name, dtype, W, code.isa)
    code.functions[math_symbol(name, dtype, W)] = text
    code.functions |= functions
    code.declarations |= declarations
    t = llvm_type(dtype, W)
    return code.call(math_symbol(name, dtype, W), t, *(f"{t} {x}" for x in operands))


@lru_cache(maxsize=512)
def _definition(name: str, dtype: str, W: int, isa: str) -> tuple[str, dict[str, str], dict[str, str]]:
    arity = 2 if name == "fmod" else FUNCTIONS[name].arity
    code, operands, t = Code(isa=isa), [f"%x{i}" for i in range(arity)], llvm_type(dtype, W)
    if name == "fmod":
        result = _fmod_body(code, dtype, W)
    elif FUNCTIONS[name].slow_tier:
        result = _two_tiers(code, name, dtype, W, operands)
    else:
        (result,) = _expand(code, "fast", name, dtype, W, operands)
    return _function(code, math_symbol(name, dtype, W), t, operands, result), code.declarations, code.functions


def _function(code: Code, symbol: str, t: str, operands: list[str], result: str) -> str:
    params = ", ".join(f"{t} {x}" for x in operands)
    head = f"define internal {t} @{symbol}({params}) noinline nounwind {{"
    return f"{head}\nentry:\n{code.text}\n  ret {t} {result}\n}}\n"


def _two_tiers(code: Code, name: str, dtype: str, W: int, operands: list[str]) -> str:
    """The fast expansion; if its guard is true in any lane, those lanes from the slow one.

    The slow one is a function, so that the fast path has no stack frame.
    """
    t = llvm_type(dtype, W)
    fast, guard = _expand(code, "fast and guard", name, dtype, W, operands)
    slow, done, before = code.label("slow"), code.label("done"), code.block
    code.do(f"br i1 {code.any(guard, W)}, label %{slow}, label %{done}")
    code.place(slow)
    wide = code.call(_slow_function(code, name, dtype, W, operands), t, *(f"{t} {x}" for x in operands))
    mixed = code.op(f"select {llvm_type('bool', W)} {guard}, {t} {wide}, {t} {fast}")
    code.do(f"br label %{done}")
    code.place(done)
    return code.op(f"phi {t} [ {fast}, %{before} ], [ {mixed}, %{slow} ]")


def _slow_function(code: Code, name: str, dtype: str, W: int, operands: list[str]) -> str:
    """The symbol of the slow expansion; of long ones a function of one register's lanes, called for each part of the
    vector, since it takes long to compile."""
    body, symbol = Code(isa=code.isa), math_symbol(name + "_slow", dtype, W)
    n = 8 if "avx512" in code.isa else 4  # a register of float64
    tier = FUNCTIONS[name].slow_tier
    if W <= n or not (tier and tier.is_long):
        (result,) = _expand(body, "slow", name, dtype, W, operands)
    else:
        part, t = _slow_function(code, name, dtype, n, operands), llvm_type(dtype, n)
        result = chunks(body, dtype, W, operands, lambda *x: body.call(part, t, *(f"{t} {v}" for v in x)), n)
    code.need(body)
    code.functions[symbol] = _function(body, symbol, llvm_type(dtype, W), operands, result)
    return symbol


def _fmod_body(code: Code, dtype: str, W: int) -> str:
    """C's fmod, exact: subtract multiples q 2^k y until |x| < |y| in all lanes."""
    t, b = llvm_type(dtype, W), Builder()
    x, y, s = b.param("x", dtype), b.param("y", dtype), b.param("s", dtype)
    start, valid = remainder.fmod_start(b, x, y)
    env = {id(x): "%x0", id(y): "%x1"}
    emit(code, [start[0], start[1], valid], env, W)
    a, d = env[id(start[0])], env[id(start[1])]
    loop, done, before = code.label("loop"), code.label("done"), code.block
    code.do(f"br label %{loop}")
    code.place(loop)
    rest = code.tmp()
    position = len(code.lines)
    next_rest, more = remainder.fmod_step(b, s, y)
    inner = {id(s): rest, id(y): d}
    emit(code, [next_rest, more], inner, W)
    code.lines.insert(position, f"  {rest} = phi {t} [ {a}, %{before} ], [ {inner[id(next_rest)]}, %{loop} ]")
    code.do(f"br i1 {code.any(inner[id(more)], W)}, label %{loop}, label %{done}")
    code.place(done)
    final = b.param("final", dtype)
    env |= {id(final): inner[id(next_rest)]}
    result = b.select(valid, b.copysign(final, x), remainder.fmod_special(b, x, y))
    emit(code, [result], env, W)
    return env[id(result)]


# Loops of one element


def _is_same_loop(one: Any, two: Any) -> bool:
    return one == two or (isinstance(one, tuple) and isinstance(two, tuple) and one[0] == two[0])


def _call_repetition(code: Code, values: list[Val], operands: list[str], W: int) -> list[str]:
    """A call of the function that repeats until all lanes are done; values: results of one loop."""
    types = tuple(a.type for a in values[0].args)
    loop, _ = repetition.named(values[0].attr)
    wanted = tuple(repetition.named(v.attr)[1] for v in values)
    symbol = math_symbol("_".join([loop.name, *map(str, wanted if len(loop.dtypes) > 1 else ())]), loop.dtypes[0], W)
    text, declarations, functions = _repetition(loop, wanted, types, symbol, W, code.isa)
    code.functions[symbol] = text
    code.functions |= functions
    code.declarations |= declarations
    given = [f"{llvm_type(t, W)} {x}" for t, x in zip(types, operands, strict=True)]
    kinds = [llvm_type(v.type, W) for v in values]
    if len(kinds) == 1:
        return [code.call(symbol, kinds[0], *given)]
    whole = f"{{ {', '.join(kinds)} }}"
    made = code.call(symbol, whole, *given)
    return [code.op(f"extractvalue {whole} {made}, {k}") for k in range(len(kinds))]


@lru_cache(maxsize=64)
def _repetition(
    loop: repetition.Repetition, wanted: tuple[int, ...], types: tuple[str, ...], symbol: str, W: int, isa: str
) -> tuple[str, dict[str, str], dict[str, str]]:
    """The function of the results `wanted`."""
    code, r = Code(isa=isa), repetition.rounds(loop, types)
    mask, kinds = llvm_type("bool", W), [llvm_type(loop.dtypes[k], W) for k in wanted]
    given = {id(v): f"%x{k}" for k, v in enumerate(r.operands)}
    first, head, done = code.label("first"), code.label("round"), code.label("done")
    code.do(f"br i1 {code.any('%x0', W)}, label %{first}, label %{done}")
    code.place(first)
    env = dict(given)
    emit(code, r.start, env, W)
    starts, before = [env[id(v)] for v in r.start], code.block
    code.do(f"br label %{head}")
    code.place(head)
    number, left, old = code.tmp(), code.tmp(), [code.tmp() for _ in wanted]
    state, position = [code.tmp() for _ in r.state], len(code.lines)
    env = (
        given
        | {id(v): x for v, x in zip(r.state, state, strict=True)}
        | {id(r.number): splat(code, number, "int64", W)}
    )
    results = [r.results[k] for k in wanted]
    emit(code, [*r.following, *results, r.is_last], env, W)
    found = [
        code.op(f"select {mask} {left}, {t} {env[id(v)]}, {t} {x}") for t, v, x in zip(kinds, results, old, strict=True)
    ]
    going_on = code.op(f"xor {mask} {env[id(r.is_last)]}, {constant(True, 'bool', W)}")
    still = code.op(f"and {mask} {left}, {going_on}")
    following = code.op(f"add i64 {number}, 1")
    more = code.op(f"and i1 {code.any(still, W)}, {code.op(f'icmp ult i64 {following}, {loop.limit}')}")
    zeros = [constant(0, loop.dtypes[k], W) for k in wanted]
    carried = [("i64", number, "0", following), (mask, left, "%x0", still), *zip(kinds, old, zeros, found, strict=True)]
    carried += [
        (llvm_type(v.type, W), x, y, env[id(z)]) for v, x, y, z in zip(r.state, state, starts, r.following, strict=True)
    ]
    code.lines[position:position] = [
        f"  {x} = phi {kind} [ {first}, %{before} ], [ {next_}, %{code.block} ]" for kind, x, first, next_ in carried
    ]
    code.do(f"br i1 {more}, label %{head}, label %{done}")
    last = code.block
    code.place(done)
    ends = [
        code.op(f"phi {t} [ {zero}, %entry ], [ {x}, %{last} ]") for t, zero, x in zip(kinds, zeros, found, strict=True)
    ]
    whole, result = kinds[0], ends[0]
    if len(kinds) > 1:
        whole, result = f"{{ {', '.join(kinds)} }}", "undef"
        for k, (t, x) in enumerate(zip(kinds, ends, strict=True)):
            result = code.op(f"insertvalue {whole} {result}, {t} {x}, {k}")
    params = ", ".join(f"{llvm_type(k, W)} %x{n}" for n, k in enumerate(types))
    signature = f"define internal {whole} @{symbol}({params}) noinline nounwind"
    text = f"{signature} {{\nentry:\n{code.text}\n  ret {whole} {result}\n}}\n"
    return text, code.declarations, code.functions


# Operations: each row is (code, dtype of the operands, dtype of the result, operands, W) -> operand

Row = Callable[[Code, str, str, "list[str]", int], str]


def _operation(code: Code, v: Val, operands: list[str], W: int) -> str:
    if v.op in ("shl", "shr") and v.args[1].op == "const":
        return _shift_constant(code, v, operands, W)
    if v.op in ("floordiv", "mod") and v.type not in FLOATS and v.args[1].op == "const" and v.args[1].attr > 0:
        return _divide_constant(code, v, operands, W)
    if v.op == "lookup":
        return lookup(code, v, operands[0], W)
    if v.op == "part":
        return part(code, operands[0], v.args[0].type, v.attr, W)
    if v.op == "complex":
        return paired(code, operands[0], operands[1], v.type, W)
    if v.type in COMPLEX:  # pairwise
        real = real_of(v.type)
        return OPERATIONS[v.op](code, real, real, operands, 2 * W)
    # The operands' type: of `select` the last one's.
    return OPERATIONS[v.op](code, v.args[-1].type, v.type, operands, W)


def _dag(code: Code, dtype: str, W: int, operands: list[str], make: Callable[..., Val]) -> str:
    """Emit a small DAG over the operands: for operations that are made of others."""
    b = Builder()
    params = [b.param(f"x{i}", dtype) for i in range(len(operands))]
    root = make(b, *params)
    env = {id(p): x for p, x in zip(params, operands, strict=True)}
    emit(code, [root], env, W)
    return env[id(root)]


def _binary(floats: str, signed: str, unsigned: str, bools: str) -> Row:
    """An instruction per kind; "" where NumPy has no such operation."""

    def row(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
        name = floats if dtype in FLOATS else signed if dtype in SIGNED else unsigned if dtype in UNSIGNED else bools
        assert name, dtype
        return code.op(f"{name} {llvm_type(dtype, W)} {x[0]}, {x[1]}")

    return row


def _rounding(name: str) -> Row:
    def row(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
        return code.intrinsic(name, dtype, W, *x) if dtype in FLOATS else x[0]

    return row


def _intrinsic(name: str) -> Row:
    def row(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
        assert dtype in FLOATS, (name, dtype)
        return code.intrinsic(name, dtype, W, *x)

    return row


def _neg(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
    t = llvm_type(dtype, W)
    return code.op(f"fneg {t} {x[0]}" if dtype in FLOATS else f"sub {t} {constant(0, dtype, W)}, {x[0]}")


def _abs(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
    if dtype in FLOATS:
        return code.intrinsic("fabs", dtype, W, *x)
    if dtype not in SIGNED:
        return x[0]
    return _dag(code, dtype, W, x, lambda b, v: b.select(b.lt(v, 0), b.neg(v), v))


def _sign(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
    if dtype in FLOATS:  # of a zero: 0.0, as NumPy; of nan: nan
        return _dag(code, dtype, W, x, lambda b, v: b.select(
            b.gt(v, 0.0), 1.0, b.select(b.lt(v, 0.0), -1.0, b.select(b.eq(v, 0.0), 0.0, v))))  # fmt: skip
    if dtype in SIGNED:
        return _dag(code, dtype, W, x, lambda b, v: b.select(b.gt(v, 0), 1, b.shr(v, 8 * ITEMSIZE[dtype] - 1)))
    return _dag(code, dtype, W, x, lambda b, v: b.select(b.eq(v, 0), v, 1)) if dtype != "bool" else x[0]


def _not(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
    return code.op(f"xor {llvm_type(dtype, W)} {x[0]}, {constant(-1, dtype, W)}")


def _extremum(strict: str, bools: str) -> Row:
    """minimum and maximum; a nan wins: x if x is nan, else the smaller, which is y if y is nan."""

    def row(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
        t, mask = llvm_type(dtype, W), llvm_type("bool", W)
        if dtype == "bool":
            return code.op(f"{bools} {t} {x[0]}, {x[1]}")
        if dtype not in FLOATS:
            kind = "s" if dtype in SIGNED else "u"
            return code.intrinsic(kind + ("min" if strict == "lt" else "max"), dtype, W, *x)
        first = code.op(f"fcmp o{strict} {t} {x[0]}, {x[1]}")
        chosen = code.op(f"select {mask} {first}, {t} {x[0]}, {t} {x[1]}")
        nan = code.op(f"fcmp uno {t} {x[0]}, {x[0]}")
        return code.op(f"select {mask} {nan}, {t} {x[0]}, {t} {chosen}")

    return row


def _compare(name: str) -> Row:
    def row(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
        if dtype in FLOATS:
            condition = f"fcmp {'une' if name == 'ne' else 'o' + name}"
        elif name in ("eq", "ne"):
            condition = f"icmp {name}"
        else:
            condition = f"icmp {'s' if dtype in SIGNED else 'u'}{name}"
        return code.op(f"{condition} {llvm_type(dtype, W)} {x[0]}, {x[1]}")

    return row


def _select(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
    return chosen(code, x[0], x[1], x[2], result, W)


def _shift_constant(code: Code, v: Val, x: list[str], W: int) -> str:
    bits, count = 8 * ITEMSIZE[v.type], v.args[1].attr
    if not 0 <= count < bits:
        if v.op == "shl" or v.type in UNSIGNED:
            return constant(0, v.type, W)
        count = bits - 1
    name = "shl" if v.op == "shl" else "ashr" if v.type in SIGNED else "lshr"
    return code.op(f"{name} {llvm_type(v.type, W)} {x[0]}, {constant(count, v.type, W)}")


def _shift(left: bool) -> Row:
    """A count past the width, which a negative one is too as NumPy sees it, gives 0, or the sign for `shr`."""

    def row(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
        assert dtype in (*SIGNED, *UNSIGNED), dtype
        t, mask, bits = llvm_type(dtype, W), llvm_type("bool", W), 8 * ITEMSIZE[dtype]
        inside = code.op(f"icmp ult {t} {x[1]}, {constant(bits, dtype, W)}")
        limit = 0 if left or dtype in UNSIGNED else bits - 1
        count = code.op(f"select {mask} {inside}, {t} {x[1]}, {t} {constant(limit, dtype, W)}")
        name = "shl" if left else "ashr" if dtype in SIGNED else "lshr"
        value = code.op(f"{name} {t} {x[0]}, {count}")
        if limit:
            return value
        return code.op(f"select {mask} {inside}, {t} {value}, {t} {constant(0, dtype, W)}")

    return row


# Division


def _quotient(code: Code, dtype: str, x: list[str], W: int, floor: bool) -> str:
    """The integer quotient, rounded down or to zero; 0 for a zero divisor, wrapping for the lowest by -1."""
    bits, t, mask, signed = 8 * ITEMSIZE[dtype], llvm_type(dtype, W), llvm_type("bool", W), dtype in SIGNED
    zero, one = constant(0, dtype, W), constant(1, dtype, W)
    bad = code.op(f"icmp eq {t} {x[1]}, {zero}")
    minus = bad
    if signed:
        minus = code.op(f"icmp eq {t} {x[1]}, {constant(-1, dtype, W)}")
        bad = code.op(f"or {mask} {bad}, {minus}")
    divisor = code.op(f"select {mask} {bad}, {t} {one}, {t} {x[1]}")
    if bits < 64 and W > 1:
        q = _divide_as_float(code, dtype, [x[0], divisor], W, floor and signed)
    else:
        q = code.op(f"{'sdiv' if signed else 'udiv'} {t} {x[0]}, {divisor}")
        if floor and signed:
            q = _dag(code, dtype, W, [q, x[0], divisor], remainder.floor_from_truncated)
    if signed:
        negated = code.op(f"sub {t} {zero}, {x[0]}")
        q = code.op(f"select {mask} {minus}, {t} {negated}, {t} {q}")
    is_zero = code.op(f"icmp eq {t} {x[1]}, {zero}")
    return code.op(f"select {mask} {is_zero}, {t} {zero}, {t} {q}")


def _tested_remainder(v: Val) -> Val | None:
    """The remainder of integers by a constant that v compares with 0, or None."""
    if v.op not in ("eq", "ne") or v.args[1].op != "const" or v.args[1].attr != 0:
        return None
    x = v.args[0]
    while x.op == "cast" and x.args[0].type in INTEGERS and _keeps_zero(x):
        x = x.args[0]
    divides = x.op == "mod" and x.type in INTEGERS and x.args[1].op == "const" and x.args[1].attr > 0
    return x if divides else None


def _keeps_zero(cast: Val) -> bool:
    """Is what an integer is cast to 0 only where that is?"""
    return cast.type in FLOATS or ITEMSIZE[cast.type] > ITEMSIZE[cast.args[0].type]


def _is_divisible(code: Code, op: str, rest: Val, x: str, W: int) -> str:
    """LLVM knows that as a multiplication, if it sees a remainder; one that is rounded is 0 where that is."""
    t, kind = llvm_type(rest.type, W), "srem" if rest.type in SIGNED else "urem"
    found = code.op(f"{kind} {t} {x}, {constant(rest.args[1].attr, rest.type, W)}")
    return code.op(f"icmp {op} {t} {found}, {constant(0, rest.type, W)}")


def _divide_constant(code: Code, v: Val, x: list[str], W: int) -> str:
    """`floordiv` or `mod` of integers by a positive constant.  With all bits of negative numbers flipped nothing is
    negative, and the flipped quotient is the one rounded down."""
    dtype, d, t = v.type, v.args[1].attr, llvm_type(v.type, W)
    bits, divisor = 8 * ITEMSIZE[dtype], constant(d, dtype, W)
    if d & (d - 1) == 0:
        if v.op == "mod":
            return code.op(f"and {t} {x[0]}, {constant(d - 1, dtype, W)}")
        shift = "ashr" if dtype in SIGNED else "lshr"
        return code.op(f"{shift} {t} {x[0]}, {constant(d.bit_length() - 1, dtype, W)}")
    if dtype not in SIGNED:
        q = code.op(f"udiv {t} {x[0]}, {divisor}")
    else:
        sign = code.op(f"ashr {t} {x[0]}, {constant(bits - 1, dtype, W)}")
        flipped = code.op(f"xor {t} {x[0]}, {sign}")
        if bits == 64 and W > 1:
            q = _dag(code, "uint64", W, [flipped], partial(remainder.quotient_by, d=d))
        else:
            q = code.op(f"udiv {t} {flipped}, {divisor}")
        q = code.op(f"xor {t} {q}, {sign}")
    if v.op == "floordiv":
        return q
    return code.op(f"sub {t} {x[0]}, {code.op(f'mul {t} {q}, {divisor}')}")


def _divide_as_float(code: Code, dtype: str, x: list[str], W: int, floor: bool) -> str:
    """Vector integer division has no instruction.  The float quotient of integers below 2^32 (2^16) rounds to the right
    side of every integer in double (single) precision: the gap to it is at least 1/x of the quotient."""
    wide = "float64" if ITEMSIZE[dtype] == 4 else "float32"
    t, f, signed = llvm_type(dtype, W), llvm_type(wide, W), dtype in SIGNED
    to_float, to_int = ("sitofp", "fptosi") if signed else ("uitofp", "fptoui")
    a, d = (code.op(f"{to_float} {t} {v} to {f}") for v in x)
    q = code.op(f"fdiv {f} {a}, {d}")
    q = code.intrinsic("floor" if floor else "trunc", wide, W, q)
    return code.op(f"{to_int} {f} {q} to {t}")


def _floordiv(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
    if dtype in FLOATS:
        return _dag_with_fmod(code, dtype, W, x, remainder.floor_quotient)
    return _quotient(code, dtype, x, W, floor=True)


def _mod(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
    if dtype in FLOATS:
        return _dag_with_fmod(code, dtype, W, x, remainder.floor_remainder)
    return _dag(code, dtype, W, [*x, _quotient(code, dtype, x, W, floor=True)], remainder.rest)


def _fmod(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
    if dtype in FLOATS:
        return _call_function(code, "fmod", dtype, W, x, in_place=False)
    return _dag(code, dtype, W, [*x, _quotient(code, dtype, x, W, floor=False)], remainder.rest)


def _dag_with_fmod(code: Code, dtype: str, W: int, x: list[str], make: Callable[[Builder, Val, Val, Val], Val]) -> str:
    return _dag(code, dtype, W, [*x, _call_function(code, "fmod", dtype, W, x, in_place=False)], make)


# Parts of floats


def _part(name: str, generic: Callable[..., Val], immediate: str = "") -> Row:
    """An operation on the exponent and the significand: AVX-512's instruction, or a DAG with the same results."""

    def row(code: Code, dtype: str, result: str, x: list[str], W: int) -> str:
        if not has_avx512(code, dtype, W):
            return _dag(code, dtype, W, x, generic)
        n, suffix = 64 // ITEMSIZE[dtype], "pd" if dtype == "float64" else "ps"
        t, symbol = llvm_type(dtype, n), f"llvm.x86.avx512.mask.{name}.{suffix}.512"
        extra = "i32, " if immediate else ""
        kinds = f"{', '.join([t] * len(x))}, {extra}{t}, i{n}, i32"
        code.declarations.setdefault(symbol, f"declare {t} @{symbol}({kinds})")
        rest = [f"i32 {immediate}"] if immediate else []

        def call(*pieces: str) -> str:
            operands = [*(f"{t} {p}" for p in pieces), *rest, f"{t} zeroinitializer", f"i{n} -1", "i32 4"]
            return code.call(symbol, t, *operands)

        return chunks(code, dtype, W, x, call)

    return row


OPERATIONS: dict[str, Row] = {
    "neg": _neg, "abs": _abs, "sign": _sign, "not": _not, "sqrt": _intrinsic("sqrt"), "fma": _intrinsic("fma"),
    "floor": _rounding("floor"), "ceil": _rounding("ceil"), "trunc": _rounding("trunc"), "rint": _rounding("roundeven"),
    "add": _binary("fadd", "add", "add", "or"), "sub": _binary("fsub", "sub", "sub", ""),
    "mul": _binary("fmul", "mul", "mul", "and"), "div": _binary("fdiv", "", "", ""),
    "and": _binary("", "and", "and", "and"), "or": _binary("", "or", "or", "or"),
    "xor": _binary("", "xor", "xor", "xor"),
    "floordiv": _floordiv, "mod": _mod, "fmod": _fmod, "shl": _shift(True), "shr": _shift(False),
    "exponent": _part("getexp", floating_point.exponent), "ldexp": _part("scalef", floating_point.ldexp),
    "significand": _part("getmant", floating_point.significand, "8"),  # 8: in [1, 2), nan of negative numbers
    "minimum": _extremum("lt", "and"), "maximum": _extremum("gt", "or"), "copysign": _intrinsic("copysign"),
    **{name: _compare(name) for name in COMPARISONS}, "select": _select, "cast": cast, "bitcast": bitcast,
}  # fmt: skip
