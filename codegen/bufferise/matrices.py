"""Functions of the library on batches of matrices: where their operands lie, and their call.

Contract  operands with the same leading axes, each with axes of its own behind them -> a `LibraryCall`, where leading
          axes that are walked alike in all operands are one; and a check of its word for failures.
When      a construct calls `codegen.library.linalg`.
Why       LAPACK wants adjacent elements along one axis of a matrix: what else there is, is copied first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.abi.layouts import LINALG_HEAD_BYTES, NO_FAILURE
from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.row_blocks import block_of, blocks_of, quotient, times
from tensordsl.codegen.bufferise.steps import results_of
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Block, Ref, Scope, contiguous
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Value


@record
class Given:
    """An operand: where it is, its dtype, and how many axes its matrices, vectors or numbers have."""

    ref: Ref
    dtype: str
    rank: int = 2


def swapped(ref: Ref) -> Ref:
    """The transposed matrices."""
    dims, strides = ref.dims, ref.strides
    return replace(ref, dims=(*dims[:-2], dims[-1], dims[-2]), strides=(*strides[:-2], strides[-1], strides[-2]))


def in_rows(ref: Ref, dtype: str) -> bool:
    """Whether each matrix is known to be in C order."""
    return ref.strides[-2:] == contiguous(ref.dims[-2:], ITEMSIZE[dtype])


def readable(b: Bufferiser, ref: Ref, dtype: str) -> Ref:
    """Matrices that LAPACK can read where they are: in C order, or transposed; else a copy.  Leading axes along which
    matrices repeat still do."""
    if in_rows(ref, dtype) or in_rows(swapped(ref), dtype):
        return ref
    repeats = [s == 0 for s in ref.strides[:-2]]
    one = tuple(1 if r else n for r, n in zip(repeats, ref.dims, strict=False)) + ref.dims[-2:]
    packed = b.packed(replace(ref, dims=one), dtype)
    kept = tuple(0 if r else s for r, s in zip(repeats, packed.strides, strict=False)) + packed.strides[-2:]
    return replace(packed, dims=ref.dims, strides=kept)


def in_columns(b: Bufferiser, dims: Sequence[Any], dtype: str) -> Ref:
    """New matrices whose columns are adjacent."""
    return swapped(b.allocate((*dims[:-2], dims[-1], dims[-2]), dtype))


def call_on_matrices(
    b: Bufferiser, function: str, inputs: Sequence[Given], outputs: Sequence[Given], scratch_bytes: Any = None
) -> Ref:
    """The call; scratch_bytes: of the scratch behind its head, None if it needs none.  Gives the word for failures.

    Matrices that are neither small nor large are shared among threads: each of them is computed as it would be alone,
    and the least number of those that fail is kept.
    """
    info = b.allocate((), "int64")
    b.emit(p.StoreScalar(info.ptr, b.name(NO_FAILURE), "int64"))
    axes, strides = _leading_axes([*inputs, *outputs])
    count, others = axes[0] if axes else 1, ex.product(axes[1:])
    pays, block = _parts(b, inputs[0], count, others) if axes and not b.context else (0, None)
    has_scratch = scratch_bytes is not None
    bytes_ = ex.add(LINALG_HEAD_BYTES, scratch_bytes) if has_scratch else ITEMSIZE["int64"]
    if block is None:
        scratch = b.allocate((bytes_,), "uint8") if has_scratch else b.allocate((), "int64")
        _call(b, function, inputs, outputs, axes, strides, (info, scratch.ptr, bytes_), b.name(0))
    else:
        each = ex.mul(CACHE_LINE_BYTES, quotient(bytes_, CACHE_LINE_BYTES))
        scratch = b.allocate((ex.mul(ex.add(block.others, 1), each),), "uint8")
        b.emit(p.Compare(is_shared := b.fresh("q"), "gt", b.name(pays), b.name(0)))
        b.scopes.append(Scope())
        _call(b, function, inputs, outputs, axes, strides, (info, scratch.ptr, bytes_), b.name(0))
        alone = b.close_scope()
        b.scopes += Scope(), Scope()
        mine = times(b, scratch.ptr, block.slot, each)
        number = block.first
        if len(axes) > 1:
            b.emit(p.Mul(number := b.fresh("m"), block.first, b.name(others), b.common_site("overflow")))
        _call(b, function, inputs, outputs, axes, strides, (info, mine, bytes_), number, block)
        b.emit(blocks_of(b, block, count, b.close_scope()))
        b.emit(p.If(is_shared, b.close_scope(), alone))
    if scratch.dims:
        b.reuse(scratch)
    return info


def _parts(b: Bufferiser, given: Given, count: Any, others: Any) -> tuple[Any, Block | None]:
    """1 if tasks pay of `count` batches of matrices, else 0; and these, one where they do not."""
    t = b.tuning.matrices
    if not b.tuning.allows("matrices_in_threads"):
        return 0, None
    elements = ex.product(map(b.find, given.ref.dims[-2:]))
    is_many = _less(t.share_min_matrices - 1, ex.mul(count, others))
    pays = ex.product((_less(t.share_min_elements - 1, elements), _less(elements, t.share_max_elements), is_many))
    if pays == 0:
        return 0, None
    some = quotient(count, t.share_max_parts)
    size = ex.maximum(ex.add(count, ex.mul(pays, ex.sub(some, count))), 1)
    return pays, block_of(b, count, size, size)


def _less(x: Any, y: Any) -> Any:
    """1 where x < y, else 0."""
    return ex.floordiv_sign(ex.sub(x, y))


def _call(
    b: Bufferiser, function: str, inputs: Sequence[Given], outputs: Sequence[Given], axes: Sequence[Any],
    strides: Sequence[Sequence[Any]], after: tuple[Ref, str, Any], number: str, block: Block | None = None,
) -> None:  # fmt: skip
    """The call for all matrices, or for those of a block; after: the word for failures, the scratch and its bytes;
    number: of the first matrix."""
    info, scratch, bytes_ = after
    b.emit(p.StoreScalar(scratch, number, "int64"))
    operands: list[p.Operand] = []
    for k, g in enumerate((*inputs, *outputs)):
        dims = (*axes, *g.ref.dims[len(g.ref.dims) - g.rank :])
        steps = (*(s[k] for s in strides), *g.ref.strides[len(g.ref.dims) - g.rank :])
        ptr = g.ref.ptr if block is None else b.shifted(block, g.ref, steps[0])
        lengths = [b.name(n) for n in dims]
        if block is not None:
            lengths[0] = block.here
        operands.append((ptr, g.dtype, tuple(lengths), tuple(map(b.name, steps))))
    behind = (info.ptr, "int64", (), ()), b.operand(scratch, "uint8", (bytes_,), (1,))
    many = len(inputs)
    b.emit(p.LibraryCall(function, tuple(operands[:many]), (*operands[many:], *behind)))


def _leading_axes(given: Sequence[Given]) -> tuple[list[Any], list[list[Any]]]:
    """The lengths of leading axes, those along which all operands walk alike as one, and the strides of each."""
    batch = len(given[0].ref.dims) - given[0].rank
    axes: list[tuple[Any, list[Any]]] = []
    for d in range(batch):
        n, strides = given[-1].ref.dims[d], [g.ref.strides[d] for g in given]
        if n == 1:
            continue
        if axes and all(outer == ex.mul(n, inner) for outer, inner in zip(axes[-1][1], strides, strict=True)):
            n = ex.mul(axes.pop()[0], n)
        axes.append((n, strides))
    return [n for n, _ in axes], [strides for _, strides in axes]


def used_results(b: Bufferiser, v: Value) -> dict[int, list[Value]]:
    """The values that stand for each result that something uses: several where their lengths were found equal late.
    The first one is computed where it is wanted, if it is wanted somewhere."""
    found: dict[int, list[Value]] = {}
    for r in sorted(results_of(b, v), key=lambda r: r.number not in b.targets):
        found.setdefault(r.attrs["k"], []).append(r)
    return found


def finish_results(b: Bufferiser, used: Mapping[int, Sequence[Value]], refs: Mapping[int, Ref]) -> None:
    for k, values in used.items():
        for r in values:
            b.finish(r, refs[k])


def check_failure(b: Bufferiser, v: Value, info: Ref, text: str) -> None:
    """Stop the call where a matrix has failed."""
    failed = b.fresh("q")
    b.emit(p.LoadScalar(failed, info.ptr, "int64"))
    b.emit(p.Check("lt", failed, b.name(0), b.site("linalg", b.node_of(v), text)))
