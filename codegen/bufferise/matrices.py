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
from tensordsl.codegen.bufferise.steps import results_of
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref, contiguous
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
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
    """The call; scratch_bytes: of the scratch behind its head, None if it needs none.  Gives the word for failures."""
    info = b.allocate((), "int64")
    b.emit(p.StoreScalar(info.ptr, b.name(NO_FAILURE), "int64"))
    has_scratch = scratch_bytes is not None
    dims, dtype = ((ex.add(LINALG_HEAD_BYTES, scratch_bytes),), "uint8") if has_scratch else ((), "int64")
    scratch = b.allocate(dims, dtype)
    b.emit(p.StoreScalar(scratch.ptr, b.name(0), "int64"))
    operands = _operands(b, [*inputs, *outputs])
    after: list[p.Operand] = [(info.ptr, "int64", (), ())]
    after.append(b.operand(scratch.ptr, "uint8", scratch.dims, (1,)) if has_scratch else (scratch.ptr, "int64", (), ()))
    many = len(inputs)
    b.emit(p.LibraryCall(function, tuple(operands[:many]), (*operands[many:], *after)))
    if has_scratch:
        b.reuse(scratch)
    return info


def _operands(b: Bufferiser, given: Sequence[Given]) -> list[p.Operand]:
    """Leading axes that all operands walk over alike are one."""
    batch = len(given[0].ref.dims) - given[0].rank
    axes: list[tuple[Any, list[Any]]] = []
    for d in range(batch):
        n, strides = given[-1].ref.dims[d], [g.ref.strides[d] for g in given]
        if n == 1:
            continue
        if axes and all(outer == ex.mul(n, inner) for outer, inner in zip(axes[-1][1], strides, strict=True)):
            n = ex.mul(axes.pop()[0], n)
        axes.append((n, strides))
    result = []
    for k, g in enumerate(given):
        dims = (*(n for n, _ in axes), *g.ref.dims[batch:])
        steps = (*(s[k] for _, s in axes), *g.ref.strides[batch:])
        result.append(b.operand(g.ref.ptr, g.dtype, dims, steps))
    return result


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
