"""Matrix products in program IR: (m, n, k) and strides of operands; vectors are one row or column.

Strides express transposition; operands with three axes are a batch of products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.scatter import over
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Value

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
    """Scratch to pack the operands of a product, allocated at first use: that may fail."""
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


def room_to_pack(
    b: Bufferiser, operands: Sequence[tuple[Sequence[Any], Sequence[Any]]], item: int, copies: Any = 1
) -> str | None:
    """Room to pack the operands unless the BLAS can read both where they are, which only the call can tell for
    arguments; for as many products at once."""
    unknown = [
        ways for strides, lengths in operands if (ways := _packing_conditions(b, strides, lengths, item)) is not None
    ]
    if not unknown:
        return None
    readable = b.name(0)
    if all(unknown):
        readable = b.joined("min", [b.joined("max", [b.compared(*way) for way in ways]) for ways in unknown])
    bytes_, dst = b.fresh("z"), b.fresh("b")
    size = ex.mul(copies, packed_size(operands, item))
    b.emit(p.Select(bytes_, readable, b.name(0), b.name(size)))
    b.emit(p.Arena(((dst, bytes_),), b.common_site("memory")))
    return dst


def packed_size(operands: Sequence[tuple[Sequence[Any], Sequence[Any]]], item: int) -> Any:
    return ex.total(ex.mul(item, ex.product(lengths)) for _, lengths in operands)


def _packing_conditions(
    b: Bufferiser, strides: Sequence[Any], lengths: Sequence[Any], item: int
) -> list[list[tuple[str, Any, Any]]] | None:
    """The conditions under which rows, or columns, are contiguous without overlap, if only the call can tell:
    `gemm.dispatch` packs every other operand.  None if they are.

    A stride along an axis of one element does not matter.
    """
    ways = []
    for major, minor in ((0, 1), (1, 0)):
        unit = ("eq", b.find(strides[minor]), item) if lengths[minor] != 1 else None
        apart = ("ge", b.find(strides[major]), b.find(ex.mul(item, lengths[minor]))) if lengths[major] != 1 else None
        ways.append([c for c in (unit, apart) if c is not None and not _holds(*c)])
    possible = [way for way in ways if not any(isinstance(x, int) and isinstance(y, int) for _, x, y in way)]
    return possible if all(ways) else None


def _holds(op: str, x: Any, y: Any) -> bool:
    """Whether it is known now that two lengths compare so."""
    return bool(x == y or (op == "ge" and isinstance(x, int) and isinstance(y, int) and x > y))
