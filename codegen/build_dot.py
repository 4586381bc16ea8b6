"""Matrix products in program IR: vectors are one row or one column, strides say what is transposed, and operands with
three axes are as many products as the first is long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tensordsl.codegen import extents as ex
from tensordsl.codegen import program as p
from tensordsl.codegen.bufferise import Bufferiser
from tensordsl.codegen.build_scatter import over
from tensordsl.codegen.ir import Value
from tensordsl.codegen.scalar import ITEMSIZE
from tensordsl.codegen.storage import Ref

Matrix = tuple[Ref, tuple[Any, ...], tuple[Any, ...]]  # where it is, byte strides, lengths


def build_dot(b: Bufferiser, v: Value) -> None:
    added = v.operands[2:3] if "beta" in v.attrs else ()
    (a, a_strides, (m, k)), (c, c_strides, (inner, n)) = matrices(b, v)
    b.agree(k, inner, "dot: lengths of the axis that is summed")
    scratch = scratch_of(b, v)
    ref = over(b, v, added[0]) if added else b.destination(v, v.dtype, v.shape)
    left = elements(b, a_strides, (m, k), ITEMSIZE[v.dtype])
    right = elements(b, c_strides, (k, n), ITEMSIZE[v.dtype])
    sizes = b.name(m), b.name(n), b.name(k)
    factors = v.attrs.get("alpha", 1.0), v.attrs.get("beta", 0.0)
    factor = b.ref(v.operands[-1]).ptr if "scaled" in v.attrs else None
    decay = b.ref(v.operands[3]).ptr if "decays" in v.attrs else None
    made = p.Gemm(v.dtype, *sizes, a.ptr, left, c.ptr, right, ref.ptr, b.name(n), *factors, scratch, factor, decay)
    b.emit(made if v.rank < 3 else _several(b, made, a, c))
    b.finish(v, ref)


def _several(b: Bufferiser, first: p.Gemm, x: Ref, y: Ref) -> p.Gemm:
    """The products of two stacks of matrices, by the product of the first ones."""
    b.agree(x.dims[0], y.dims[0], "batched_dot: lengths of the first axis")
    steps = tuple(b.name(ex.floordiv(r.strides[0], ITEMSIZE[first.dtype])) for r in (x, y))
    return replace(first, count=b.name(x.dims[0]), steps=steps)


def scratch_of(b: Bufferiser, v: Value) -> str | None:
    """Room to pack the operands of a product, taken when first asked for: it may fail."""
    if v.number not in b.scratch:
        operands = [(strides, lengths) for _, strides, lengths in matrices(b, v)]
        b.scratch[v.number] = room_to_pack(b, operands, ITEMSIZE[v.dtype])
    return b.scratch[v.number]


def matrices(b: Bufferiser, v: Value) -> tuple[Matrix, Matrix]:
    x, y = v.operands[:2]
    return as_matrix(b.ref(x), 0), as_matrix(b.ref(y), 1)


def as_matrix(ref: Ref, side: int) -> Matrix:
    """A product's left operand (side 0) or right one, of several the first: a vector is a row, or a column."""
    if len(ref.dims) >= 2:
        return ref, ref.strides[-2:], ref.dims[-2:]
    return (ref, (0, *ref.strides), (1, *ref.dims)) if side == 0 else (ref, (*ref.strides, 0), (*ref.dims, 1))


def elements(b: Bufferiser, strides: Sequence[Any], lengths: Sequence[Any], item: int) -> tuple[str, str]:
    """Strides in elements.  That of an axis of length 1 is never used; BLAS wants a sensible one all the same."""
    rows, columns = (ex.floordiv(s, item) for s in strides)
    return b.name(1 if lengths[0] == 1 and rows == 0 else rows), b.name(
        1 if lengths[1] == 1 and columns == 0 else columns
    )


def room_to_pack(b: Bufferiser, operands: Sequence[tuple[Sequence[Any], Sequence[Any]]], item: int) -> str | None:
    """Room to pack the operands unless the BLAS can read both where they are, which only the call can tell for
    arguments."""
    readable = _both(b, "min", *(_is_readable(b, strides, lengths, item) for strides, lengths in operands))
    if readable is True:
        return None
    size: Any = 0
    for _, lengths in operands:
        size = ex.add(size, ex.mul(item, ex.product(lengths)))
    bytes_, dst = b.fresh("z"), b.fresh("b")
    b.emit(p.Select(bytes_, readable or b.name(0), b.name(0), b.name(size)))
    b.emit(p.Arena(((dst, bytes_),), b.common_site("memory")))
    return dst


Truth = bool | str  # known now, or the name of what the call computes


def _is_readable(b: Bufferiser, strides: Sequence[Any], lengths: Sequence[Any], item: int) -> Truth:
    """Whether rows or columns are contiguous and do not overlap: `gemm_text` packs every other operand.

    A stride along an axis of one element does not matter.
    """
    ways = []
    for major, minor in ((0, 1), (1, 0)):
        unit = lengths[minor] == 1 or _compare(b, "eq", strides[minor], item)
        apart = lengths[major] == 1 or _compare(b, "ge", strides[major], ex.mul(item, lengths[minor]))
        ways.append(_both(b, "min", unit, apart))
        if ways[-1] is True:
            return True
    return _both(b, "max", *ways)


def _compare(b: Bufferiser, op: str, x: Any, y: Any) -> Truth:
    x, y = b.find(x), b.find(y)
    if x == y:
        return True
    if isinstance(x, int) and isinstance(y, int):
        return op == "ge" and x > y
    dst = b.fresh("q")
    b.emit(p.Compare(dst, op, b.name(x), b.name(y)))
    return dst


def _both(b: Bufferiser, op: str, x: Truth, y: Truth) -> Truth:
    """min: whether both hold; max: whether one does."""
    for known, other in ((x, y), (y, x)):
        if isinstance(known, bool):
            return other if known == (op == "min") else known
    dst = b.fresh("q")
    assert isinstance(x, str) and isinstance(y, str)
    b.emit(p.Arith(dst, op, x, y))
    return dst
