"""The ops of kernels: one row each, with what it wants and the type that it gives.

Contract  `results(name, operand types, attributes)` gives the types of the results, or raises `TypeError`.
To add    an op: a row here, its value in `interpret`, its spelling in `llvm.kernel_text`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.kernel_ir.types import Signature, Type, i32, i64, ptr

Attributes = Mapping[str, Any]
Check = Callable[["tuple[Type, ...]", Attributes], "tuple[Type, ...]"]
SIGNED = ("slt", "sle", "sgt", "sge")
UNSIGNED = ("ult", "ule", "ugt", "uge")
CONDITIONS = ("eq", "ne", *SIGNED, *UNSIGNED)
FLOAT_CONDITIONS = ("oeq", "one", "olt", "ole", "ogt", "oge", "une", "uno", "ord", "ult", "ule", "ugt", "uge", "ueq")
ORDERINGS = ("monotonic", "release", "seq_cst")  # of atomic stores
PERMUTED = (i32.of(8), i64.of(8))  # with AVX2, with AVX-512


@record
class Row:
    """An op.  is_pure: it neither reads nor writes memory, so that it may be left out if nobody uses its result."""

    name: str
    check: Check
    is_pure: bool = True
    sign: str = ""  # as a printer writes it between two operands


def _want(truth: bool, message: str) -> None:
    if not truth:
        raise TypeError(message)


def _same(types: Sequence[Type], count: int, ok: Callable[[Type], bool], what: str) -> Type:
    _want(len(types) == count, f"wants {count} operands, got {len(types)}")
    _want(all(t == types[0] for t in types), f"wants operands of one type, got {', '.join(map(str, types))}")
    _want(ok(types[0]), f"wants {what}, got {types[0]}")
    return types[0]


def _integers(count: int) -> Check:
    return lambda types, _: (_same(types, count, lambda t: t.is_integer, "integers"),)


def _floats(count: int) -> Check:
    return lambda types, _: (_same(types, count, lambda t: t.is_float, "floats"),)


def _compare(conditions: Sequence[str], ok: Callable[[Type], bool], what: str) -> Check:
    def check(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
        _want(attributes["condition"] in conditions, f"has no condition {attributes['condition']}")
        return (_same(types, 2, ok, what).mask,)

    return check


def _cast(source: Callable[[Type], bool], wider: int, target: Callable[[Type], bool]) -> Check:
    """wider: 1, the result has more bits; -1, fewer; 0, no matter."""

    def check(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
        (x,), to = types, attributes["to"]
        _want(source(x) and target(to) and x.lanes == to.lanes, f"can't make {to} of {x}")
        _want(
            not wider or (to.bits - x.bits) * wider > 0, f"{to} has no {'more' if wider > 0 else 'fewer'} bits than {x}"
        )
        return (to,)

    return check


def _bitcast(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    (x,), to = types, attributes["to"]
    _want(x.bits * x.lanes == _bits(to), f"{to} and {x} have other numbers of bits")
    return (to,)


def _bits(t: Any) -> int:
    return int(t.bits * t.lanes)


def _select(types: Sequence[Type], _: Attributes) -> tuple[Type, ...]:
    _want(len(types) == 3, f"wants 3 operands, got {len(types)}")
    condition, x, y = types
    _want(condition in (x.mask, Type("i1")) and x == y, f"can't choose by {condition} between {x} and {y}")
    return (x,)


def _offset(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    _want(len(types) == 2, f"wants an address and a number, got {len(types)} operands")
    _want(types[0] == ptr and types[1].scalar == i64, f"wants an address and i64, got {types[0]} and {types[1]}")
    _want(attributes["size"] > 0, "an element has at least a byte")
    return (ptr.of(types[1].lanes),)


def _align_of(attributes: Attributes) -> None:
    align = attributes["align"]
    _want(align > 0 and align & (align - 1) == 0, f"an alignment is a power of two, not {align}")


def _load(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    _want(list(types) == [ptr], "wants an address")
    _align_of(attributes)
    return (attributes["type"],)


def _store(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    _want(len(types) == 2 and types[1] == ptr, "wants a value and an address")
    _align_of(attributes)
    return ()


def _atomic_update(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    """The result is what stood at the address before."""
    _want(len(types) == 2 and types[0] == ptr and types[1].is_integer, "wants an address and an integer")
    _want(attributes["by"] in ATOMIC, f"has no {attributes['by']}")
    return (types[1],)


def _gather(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    """Operands: an address for each lane, a mask, and a vector for the lanes that are not read."""
    _want(len(types) == 3 and types[1] == types[2].mask, "wants addresses, a mask, and a vector of the other lanes")
    _want(types[0] == ptr.of(types[2].lanes), f"wants addresses for {types[2]}, got {types[0]}")
    _align_of(attributes)
    return (types[2],)


def _alloca(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    _want(not types and attributes["count"] > 0, "wants a number of elements")
    _align_of(attributes)
    return (ptr,)


def _splat(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    _want(len(types) == 1 and types[0].lanes == 1, "wants a scalar")
    return (types[0].of(attributes["lanes"]),)


def _extract(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    _want(len(types) == 1 and 0 <= attributes["lane"] < types[0].lanes, f"{types[0]} has no lane {attributes['lane']}")
    return (types[0].scalar,)


def _insert(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    _want(len(types) == 2 and types[1] == types[0].scalar, "wants a vector and one of its elements")
    _want(0 <= attributes["lane"] < types[0].lanes, f"{types[0]} has no lane {attributes['lane']}")
    return (types[0],)


def _shuffle(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    t = _same(types, 2, lambda _: True, "vectors")
    _want(all(0 <= k < 2 * t.lanes for k in attributes["lanes"]), f"two of {t} have no such lanes")
    return (t.of(len(attributes["lanes"])),)


def _reduce(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    (t,) = types
    _want(attributes["by"] in ROWS and ROWS[attributes["by"]].check((t, t), {}) == (t,), f"can't reduce {t} by that")
    return (t.scalar,)


def _compress(types: Sequence[Type], _: Attributes) -> tuple[Type, ...]:
    """Operands: a vector, which of its lanes go to the front, and what stands in the lanes behind these."""
    _want(len(types) == 3 and types[1] == types[0].mask, "wants a vector, its mask, and another vector")
    _want(types[2] == types[0], f"can't fill {types[0]} with {types[2]}")
    return (types[0],)


def _permute(types: Sequence[Type], _: Attributes) -> tuple[Type, ...]:
    """Operands: a vector, and for each lane of the result the number of the one that it is."""
    _want(len(types) == 2 and types[0] == types[1], "wants a vector and as many numbers of lanes, of its type")
    _want(types[0] in PERMUTED, f"permutes {' or '.join(map(str, PERMUTED))}, not {types[0]}")
    return (types[0],)


def _masked_load(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    """Operands: an address, which lanes are read, and what the others are."""
    _want(len(types) == 3 and types[0] == ptr and types[1] == types[2].mask, "wants an address, a mask and a vector")
    _align_of(attributes)
    return (types[2],)


def _masked_store(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    _want(len(types) == 3 and types[1] == ptr and types[2] == types[0].mask, "wants a vector, an address and a mask")
    _align_of(attributes)
    return ()


def _atomic_store(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    _want(len(types) == 2 and types[1] == ptr and types[0].lanes == 1, "wants a scalar and an address")
    _want(attributes["ordering"] in ORDERINGS, f"has no ordering {attributes['ordering']}")
    return ()


def _prefetch(types: Sequence[Type], _: Attributes) -> tuple[Type, ...]:
    _want(list(types) == [ptr], "wants an address")
    return ()


def _call(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    callee: Signature = attributes["callee"]
    wanted = callee.types
    if types != wanted:
        for (name, _), want, got in zip(callee.parameters, wanted, types, strict=False):
            _want(want == got, f"{callee.name} wants {want} for {name}, got {got}")
        raise TypeError(f"{callee.name} wants {len(wanted)} operands, got {len(types)}")
    return callee.results


def _call_at(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    """Operands: the address of a function with the signature `callee`, and its own."""
    _want(bool(types) and types[0] == ptr, "wants the address of a function")
    return _call(types[1:], attributes)


def _for(types: Sequence[Type], _: Attributes) -> tuple[Type, ...]:
    """Operands: start, end, step, and the first values of what is carried.  Region: index, carried."""
    _want(list(types[:3]) == [i64] * 3, "wants i64 from, to, and a step")
    return tuple(types[3:])


def _any(types: Sequence[Type], _: Attributes) -> tuple[Type, ...]:
    return tuple(types)


def _if(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    _want(list(types) == [Type("i1")], "wants one truth value")
    return tuple(attributes["results"])


def _switch(types: Sequence[Type], attributes: Attributes) -> tuple[Type, ...]:
    """Attribute: cases, the numbers that lead to each region; the last region is for all others."""
    _want(len(types) == 1 and types[0].is_integer and types[0].lanes == 1, "wants one integer")
    numbers = [n for case in attributes["cases"] for n in case]
    _want(len(set(numbers)) == len(numbers), f"leads from one number to two regions: {numbers}")
    return tuple(attributes["results"])


def _nothing(types: Sequence[Type], _: Attributes) -> tuple[Type, ...]:
    return ()


def _is_number(t: Type) -> bool:
    return t.is_integer or t.is_pointer


_SIGNS = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^", "shl": "<<", "ashr": ">>"}
_FLOAT_SIGNS = {"fadd": "+", "fsub": "-", "fmul": "*", "fdiv": "/"}
BINARY = (*_SIGNS, "lshr", "sdiv", "udiv", "srem", "urem", "smin", "smax", "umin", "umax")
UNARY = ("ctpop", "cttz", "ctlz")
# contract=True: a product and a sum of it may be computed without rounding between them.
FLOAT_BINARY = (*_FLOAT_SIGNS, "fmin", "fmax", "copysign")
FLOAT_UNARY = ("fneg", "fabs", "fsqrt", "ftrunc", "ffloor", "fceil", "frint", "keep_rounding")
CASTS: dict[str, Check] = {
    "zext": _cast(lambda t: t.is_integer, 1, lambda t: t.is_integer),
    "sext": _cast(lambda t: t.is_integer, 1, lambda t: t.is_integer),
    "trunc": _cast(lambda t: t.is_integer, -1, lambda t: t.is_integer),
    "fpext": _cast(lambda t: t.is_float, 1, lambda t: t.is_float),
    "fptrunc": _cast(lambda t: t.is_float, -1, lambda t: t.is_float),
    "sitofp": _cast(lambda t: t.is_integer, 0, lambda t: t.is_float),
    "uitofp": _cast(lambda t: t.is_integer, 0, lambda t: t.is_float),
    "fptosi": _cast(lambda t: t.is_float, 0, lambda t: t.is_integer),
    "fptoui": _cast(lambda t: t.is_float, 0, lambda t: t.is_integer),
    "ptrtoint": _cast(lambda t: t.is_pointer, 0, lambda t: t.is_integer),
    "inttoptr": _cast(lambda t: t.is_integer, 0, lambda t: t.is_pointer),
}
ATOMIC = ("xchg", "add", "sub", "and", "or", "xor", "smin", "smax", "umin", "umax")
ENDS = ("yield", "break", "return", "unreachable")  # a region's last op is one of these
ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        *(Row(name, _integers(2), sign=_SIGNS.get(name, "")) for name in BINARY),
        *(Row(name, _integers(1)) for name in UNARY),
        *(Row(name, _floats(2), sign=_FLOAT_SIGNS.get(name, "")) for name in FLOAT_BINARY),
        *(Row(name, _floats(1)) for name in FLOAT_UNARY),
        Row("fma", _floats(3)),
        Row("icmp", _compare(CONDITIONS, _is_number, "integers or addresses")),
        Row("fcmp", _compare(FLOAT_CONDITIONS, lambda t: t.is_float, "floats")),
        Row("select", _select),
        *(Row(name, check) for name, check in CASTS.items()),
        Row("bitcast", _bitcast),
        Row("offset", _offset),
        Row("splat", _splat),
        Row("extract", _extract),
        Row("insert", _insert),
        Row("shuffle", _shuffle),
        Row("reduce", _reduce),
        Row("compress", _compress),
        Row("permute", _permute),
        Row("load", _load, is_pure=False),
        Row("store", _store, is_pure=False),
        Row("masked_load", _masked_load, is_pure=False),
        Row("masked_store", _masked_store, is_pure=False),
        Row("gather", _gather, is_pure=False),
        Row("atomic_store", _atomic_store, is_pure=False),
        Row("atomic_update", _atomic_update, is_pure=False),
        Row("alloca", _alloca, is_pure=False),
        Row("prefetch", _prefetch, is_pure=False),
        Row("call", _call, is_pure=False),
        Row("call_at", _call_at, is_pure=False),
        Row("for", _for, is_pure=False),
        Row("loop", _any, is_pure=False),
        Row("if", _if, is_pure=False),
        Row("switch", _switch, is_pure=False),
        *(Row(name, _nothing, is_pure=False) for name in ENDS),
    )
}


# Ops whose attributes are keys of a dictionary: the answer for the same operands' types is remembered.
_REMEMBERED = frozenset((*(row.name for row in ROWS.values() if row.is_pure), "load", "store"))


def results(name: str, types: tuple[Type, ...], attributes: Attributes) -> tuple[Type, ...]:
    """The types that an op gives.  TypeError if its operands are not what it wants."""
    if name in _REMEMBERED:
        return _remembered(name, types, tuple(attributes.items()))
    return ROWS[name].check(types, attributes)


@cache
def _remembered(name: str, types: tuple[Type, ...], attributes: tuple[tuple[str, Any], ...]) -> tuple[Type, ...]:
    return ROWS[name].check(types, dict(attributes))
