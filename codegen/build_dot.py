"""Matrix products in program IR: vectors are one row or one column, strides say what is transposed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen import extents as ex
from tensordsl.codegen import program as p
from tensordsl.codegen.bufferise import Bufferiser, Ref
from tensordsl.codegen.build_scatter import over
from tensordsl.codegen.ir import Value
from tensordsl.codegen.scalar import ITEMSIZE

Matrix = tuple[Ref, tuple[Any, ...], tuple[Any, ...]]  # where it is, byte strides, lengths


def build_dot(b: Bufferiser, v: Value) -> None:
    added = v.operands[2:]
    (a, a_strides, (m, k)), (c, c_strides, (inner, n)) = _matrices(b, v)
    b.agree(k, inner, "dot: lengths of the axis that is summed")
    scratch = scratch_of(b, v)
    ref = over(b, v, added[0]) if added else b.destination(v, v.dtype, v.shape)
    left = _elements(b, a_strides, (m, k), ITEMSIZE[v.dtype])
    right = _elements(b, c_strides, (k, n), ITEMSIZE[v.dtype])
    sizes = b.name(m), b.name(n), b.name(k)
    factors = v.attrs.get("alpha", 1.0), v.attrs.get("beta", 0.0)
    b.emit(p.Gemm(v.dtype, *sizes, a.ptr, left, c.ptr, right, ref.ptr, b.name(n), *factors, scratch))
    b.finish(v, ref)


def scratch_of(b: Bufferiser, v: Value) -> str | None:
    """Room to pack the operands of a product, taken when first asked for: it may fail."""
    if v.number not in b.scratch:
        operands = [(strides, lengths) for _, strides, lengths in _matrices(b, v)]
        b.scratch[v.number] = _scratch(b, operands, ITEMSIZE[v.dtype])
    return b.scratch[v.number]


def _matrices(b: Bufferiser, v: Value) -> tuple[Matrix, Matrix]:
    x, y = v.operands[:2]
    a, c = b.ref(x), b.ref(y)
    left = (a, a.strides, a.dims) if x.rank == 2 else (a, (0, *a.strides), (1, *a.dims))
    right = (c, c.strides, c.dims) if y.rank == 2 else (c, (*c.strides, 0), (*c.dims, 1))
    return left, right


def _elements(b: Bufferiser, strides: Sequence[Any], lengths: Sequence[Any], item: int) -> tuple[str, str]:
    """Strides in elements.  That of an axis of length 1 is never used; BLAS wants a sensible one all the same."""
    rows, columns = (ex.floordiv(s, item) for s in strides)
    return b.name(1 if lengths[0] == 1 and rows == 0 else rows), b.name(
        1 if lengths[1] == 1 and columns == 0 else columns
    )


def _scratch(b: Bufferiser, operands: Sequence[tuple[Sequence[Any], Sequence[Any]]], item: int) -> str | None:
    """Room to pack the operands if one of them has no unit stride, which only the call can tell for arguments."""
    flags = []
    for strides, dims in operands:
        if item in strides or 1 in dims:
            continue
        p0, p1, both = b.fresh("q"), b.fresh("q"), b.fresh("q")
        b.emit(p.Compare(p0, "ne", b.name(strides[0]), b.name(item)))
        b.emit(p.Compare(p1, "ne", b.name(strides[1]), b.name(item)))
        b.emit(p.Arith(both, "min", p0, p1))
        flags.append(both)
    if not flags:
        return None
    flag = flags[0]
    if len(flags) == 2:
        flag = b.fresh("q")
        b.emit(p.Arith(flag, "max", *flags))
    size: Any = 0
    for _, dims in operands:
        size = ex.add(size, ex.mul(item, ex.product(dims)))
    bytes_, dst = b.fresh("z"), b.fresh("b")
    b.emit(p.Select(bytes_, flag, b.name(size), b.name(0)))
    b.emit(p.Arena(((dst, bytes_),), b.common_site("memory")))
    return dst
