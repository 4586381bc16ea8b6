"""Vectors of elements that stand a known number of elements apart, loaded and stored by whole vectors and shuffles.

Vectors that lie one behind the other hold every k-th element between them.  The last one ends with the last element
(and with the first one, where k is negative), so nothing is touched that need not be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tensordsl.codegen.llvm.vector_builder import Code, from_memory, joined, memory_type, shuffled, to_memory
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX

Place = tuple[int, int]  # the number of a vector, and of a lane in it


def load_apart(code: Code, pointer: str, dtype: str, step: int, W: int) -> str:
    """W elements from `pointer` on, `step` apart."""
    kind, unit = _parts(dtype)
    pieces = []
    for first, n in _pieces(code, dtype, W):
        starts, places = layout(n, step)
        t, value = memory_type(kind, n * unit), "poison"
        for k, start in starts.items():
            vector = code.op(f"load {t}, ptr {_at(code, pointer, first * step + start, dtype)}, align {ITEMSIZE[kind]}")
            lanes = [n + lane if j == k else e for e, (j, lane) in enumerate(places)]
            value = shuffled(code, t, value, vector, _parted(lanes, unit))
        pieces.append(value)
    return from_memory(code, joined(code, memory_type(kind), pieces, W * unit // len(pieces)), kind, W * unit)


def store_apart(code: Code, value: str, pointer: str, dtype: str, step: int, W: int) -> None:
    """The same of W elements to be stored; what is between them stays."""
    kind, unit = _parts(dtype)
    value, whole = to_memory(code, value, kind, W * unit), memory_type(kind, W * unit)
    for first, n in _pieces(code, dtype, W):
        starts, places = layout(n, step)
        t = memory_type(kind, n * unit)
        for k, start in starts.items():
            mine = {lane: first + e for e, (j, lane) in enumerate(places) if j == k}
            vector = shuffled(code, whole, value, "poison", _parted([mine.get(lane, 0) for lane in range(n)], unit))
            place, align = _at(code, pointer, first * step + start, dtype), ITEMSIZE[kind]
            if len(mine) == n:
                code.do(f"store {t} {vector}, ptr {place}, align {align}")
                continue
            mask = ", ".join(f"i1 {+(lane in mine)}" for lane in range(n) for _ in range(unit))
            symbol, bits = f"llvm.masked.store.{_mangled(kind, n * unit)}.p0", f"<{n * unit} x i1>"
            code.declarations.setdefault(symbol, f"declare void @{symbol}({t}, ptr, i32, {bits})")
            code.do(f"call void @{symbol}({t} {vector}, ptr {place}, i32 {align}, {bits} <{mask}>)")


def store_joined(code: Code, values: Sequence[str], pointer: str, dtype: str, W: int) -> None:
    """W elements of each of some vectors, the first ones of all, then the second ones, and so on."""
    kind, unit = _parts(dtype)
    values, whole = [to_memory(code, v, kind, W * unit) for v in values], memory_type(kind, W * unit)
    for first, n in _pieces(code, dtype, W):
        t, own = memory_type(kind, n * unit), _parted(range(first, first + n), unit)
        parts = [shuffled(code, whole, v, "poison", own) for v in values] if n < W else values
        for k in range(len(values)):
            places = [divmod(k * n + lane, len(values)) for lane in range(n)]  # (element, vector) of each lane
            vector = "poison"
            for j, part in enumerate(parts):
                lanes = [n + e if i == j else lane for lane, (e, i) in enumerate(places)]
                vector = shuffled(code, t, vector, part, _parted(lanes, unit))
            place = _at(code, pointer, first * len(values) + k * n, dtype)
            code.do(f"store {t} {vector}, ptr {place}, align {ITEMSIZE[kind]}")


def layout(n: int, step: int) -> tuple[dict[int, int], list[Place]]:
    """(the vectors of n elements by number, from which element on each is; where each of n elements that are `step`
    apart is)"""
    far, low = abs(step), min(step, 0) * (n - 1)
    last = (n - 1) * far + 1 - n
    places = []
    for e in range(n):
        at = e * step - low
        k = min(at // n, far - 1)
        places.append((k, at - min(k * n, last)))
    return {k: low + min(k * n, last) for k in sorted({k for k, _ in places})}, places


def _pieces(code: Code, dtype: str, W: int) -> Iterator[tuple[int, int]]:
    """(the first element, how many) of each register."""
    n = min(max(code.vector_bytes // ITEMSIZE[dtype], 1), W)
    return ((first, n) for first in range(0, W, n))


def _parts(dtype: str) -> tuple[str, int]:
    """The dtype of the lanes, and how many an element has."""
    return (real_of(dtype), 2) if dtype in COMPLEX else (dtype, 1)


def _parted(lanes: Sequence[int], unit: int) -> list[int]:
    return [lane * unit + k for lane in lanes for k in range(unit)]


def _at(code: Code, pointer: str, elements: int, dtype: str) -> str:
    return code.op(f"getelementptr i8, ptr {pointer}, i64 {elements * ITEMSIZE[dtype]}") if elements else pointer


def _mangled(kind: str, lanes: int) -> str:
    t = memory_type(kind)
    return f"v{lanes}{ {'double': 'f64', 'float': 'f32'}.get(t, t) }"
