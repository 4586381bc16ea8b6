"""Strided access: loads and stores with strides of a few elements, by complete vectors and shuffles.

Contract   `load_strided`, `store_strided`, `store_interleaved` append to a `Code`; strides are known at compile time.
Applies    to small strides (`StridedTuning`): adjacent vectors hold every k-th element between them.  The last vector
           ends with the last element (or begins with it, for negative strides): nothing else is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tensordsl.codegen.llvm.vector_builder import Code, from_memory, joined, memory_type, shuffled, to_memory
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX

Place = tuple[int, int]  # the number of a vector, and of a lane in it


def load_strided(code: Code, pointer: str, dtype: str, step: int, W: int) -> str:
    """W elements from `pointer` on, each `step` elements behind the one before."""
    kind, unit = _lanes_per_element(dtype)
    pieces = []
    for first, n in _pieces(code, dtype, W):
        starts, places = layout(n, step)
        t, value = memory_type(kind, n * unit), "poison"
        for k, start in starts.items():
            vector = code.op(f"load {t}, ptr {_at(code, pointer, first * step + start, dtype)}, align {ITEMSIZE[kind]}")
            lanes = [n + lane if j == k else e for e, (j, lane) in enumerate(places)]
            value = shuffled(code, t, value, vector, _lanes_of(lanes, unit))
        pieces.append(value)
    return from_memory(code, joined(code, memory_type(kind), pieces, W * unit // len(pieces)), kind, W * unit)


def store_strided(code: Code, value: str, pointer: str, dtype: str, step: int, W: int) -> None:
    """Store W elements with a stride; what is between them stays."""
    kind, unit = _lanes_per_element(dtype)
    value, whole = to_memory(code, value, kind, W * unit), memory_type(kind, W * unit)
    for first, n in _pieces(code, dtype, W):
        starts, places = layout(n, step)
        t = memory_type(kind, n * unit)
        for k, start in starts.items():
            stored = {lane: first + e for e, (j, lane) in enumerate(places) if j == k}
            vector = shuffled(code, whole, value, "poison", _lanes_of([stored.get(lane, 0) for lane in range(n)], unit))
            place, align = _at(code, pointer, first * step + start, dtype), ITEMSIZE[kind]
            if len(stored) == n:
                code.do(f"store {t} {vector}, ptr {place}, align {align}")
                continue
            mask = ", ".join(f"i1 {+(lane in stored)}" for lane in range(n) for _ in range(unit))
            symbol, bits = f"llvm.masked.store.{_mangled(kind, n * unit)}.p0", f"<{n * unit} x i1>"
            code.declarations.setdefault(symbol, f"declare void @{symbol}({t}, ptr, i32, {bits})")
            code.do(f"call void @{symbol}({t} {vector}, ptr {place}, i32 {align}, {bits} <{mask}>)")


def store_interleaved(code: Code, values: Sequence[str], pointer: str, dtype: str, W: int) -> None:
    """Interleave: W elements of each of some vectors, the first ones of all, then the second ones, and so on."""
    kind, unit = _lanes_per_element(dtype)
    values, whole = [to_memory(code, v, kind, W * unit) for v in values], memory_type(kind, W * unit)
    for first, n in _pieces(code, dtype, W):
        t, part_lanes = memory_type(kind, n * unit), _lanes_of(range(first, first + n), unit)
        parts = [shuffled(code, whole, v, "poison", part_lanes) for v in values] if n < W else values
        for k in range(len(values)):
            places = [divmod(k * n + lane, len(values)) for lane in range(n)]  # (element, vector) of each lane
            vector = "poison"
            for j, part in enumerate(parts):
                lanes = [n + e if i == j else lane for lane, (e, i) in enumerate(places)]
                vector = shuffled(code, t, vector, part, _lanes_of(lanes, unit))
            place = _at(code, pointer, first * len(values) + k * n, dtype)
            code.do(f"store {t} {vector}, ptr {place}, align {ITEMSIZE[kind]}")


def layout(n: int, step: int) -> tuple[dict[int, int], list[Place]]:
    """The vectors that cover n elements with a stride of `step`: (number of a vector -> its first element; the place of
    each of the n elements)."""
    distance, low = abs(step), min(step, 0) * (n - 1)
    last = (n - 1) * distance + 1 - n
    places = []
    for e in range(n):
        at = e * step - low
        k = min(at // n, distance - 1)
        places.append((k, at - min(k * n, last)))
    return {k: low + min(k * n, last) for k in sorted({k for k, _ in places})}, places


def _pieces(code: Code, dtype: str, W: int) -> Iterator[tuple[int, int]]:
    """(the first element, how many) of each register."""
    n = min(max(code.vector_bytes // ITEMSIZE[dtype], 1), W)
    return ((first, n) for first in range(0, W, n))


def _lanes_per_element(dtype: str) -> tuple[str, int]:
    """The dtype of the lanes, and how many an element has."""
    return (real_of(dtype), 2) if dtype in COMPLEX else (dtype, 1)


def _lanes_of(lanes: Sequence[int], unit: int) -> list[int]:
    return [lane * unit + k for lane in lanes for k in range(unit)]


def _at(code: Code, pointer: str, elements: int, dtype: str) -> str:
    return code.op(f"getelementptr i8, ptr {pointer}, i64 {elements * ITEMSIZE[dtype]}") if elements else pointer


def _mangled(kind: str, lanes: int) -> str:
    t = memory_type(kind)
    return f"v{lanes}{ {'double': 'f64', 'float': 'f32'}.get(t, t) }"
