"""Batch blocking in program IR: a loop over a few matrices of a batch at a time around several steps.

For runs of `fusion.batch_blocking`; while the matrices between the steps fit the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.gemm import Matrix, as_matrix, elements, packed_size, room_to_pack
from tensordsl.codegen.bufferise.row_blocks import (
    block_of,
    blocks_of,
    launch_block,
    of_task,
    quotient,
    room_of_tasks,
    times,
    view,
)
from tensordsl.codegen.fusion.batch_blocking import Stacks
from tensordsl.codegen.fusion.row_blocking import origin
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Block, Ref, Scope
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Value


def run_stacks(b: Bufferiser, run: Stacks) -> None:
    """Compute the values of a run: some matrices at a time if that keeps them in the cache, else all at once."""
    b.node = b.node_of(run.first)
    for x in run.loads:
        if origin(x)[0].number not in run.at:
            b.ref(x)  # operands that have to be copied are copied before the loop
    block = _block(b, run)
    refs = {v.number: _room_for(b, run, v, block) for v in run.values}
    products = {v.number: _Products(b, v, refs, block) for v, _ in run.members if isinstance(v, Value)}
    by_blocks(b, run, block, refs, products)
    for v in run.values:
        if v.number in run.inner:
            b.reuse(refs[v.number])
        else:
            b.finish(v, refs[v.number])


class _OfBlock(Protocol):
    def of_block(self, block: Block, refs: dict[int, Ref]) -> p.Gemm: ...


def by_blocks(b: Bufferiser, run: Stacks, block: Block, refs: dict[int, Ref], products: Mapping[int, _OfBlock]) -> None:
    """The loop over blocks of a run, of whose own values `refs` has the first part's storage."""
    b.scopes.append(Scope())
    mine = refs | {n: of_task(b, block, refs[n]) for n in sorted(run.inner)}
    block = replace(block, local=frozenset(mine[n].ptr for n in run.inner))
    for member, axis in run.members:
        if isinstance(member, Value):
            b.emit(products[member.number].of_block(block, mine))
        else:
            launch_block(b, member, mine, replace(block, axis=axis))
    b.emit(blocks_of(b, block, run.first.shape[0], b.close_scope()))


def bytes_of_one(b: Bufferiser, run: Stacks) -> Any:
    """Bytes of what only the run reads, of one matrix of its stacks, or one row."""
    inner = [v for v in run.values if v.number in run.inner]
    return ex.total(ex.mul(ITEMSIZE[v.dtype], ex.product(_matrix(b, run, v))) for v in inner)


def _block(b: Bufferiser, run: Stacks) -> Block:
    t = b.tuning.blocking
    count, each = b.find(run.first.shape[0]), bytes_of_one(b, run)
    some = ex.maximum(ex.floordiv(t.batch_block_bytes, each), 1)
    large, fits = _less(t.reread_min_bytes, ex.mul(count, each)), _less(each, t.batch_max_matrix_bytes)
    pays = ex.product((large, fits, _less(t.batch_min_matrices - 1, count)))  # 1 or 0
    step = ex.maximum(ex.add(count, ex.mul(pays, ex.sub(some, count))), 1)
    size = ex.mul(step, ex.maximum(quotient(quotient(count, step), t.max_parts), 1))
    return block_of(b, count, step, size)


def _less(x: Any, y: Any) -> Any:
    """1 where x < y, else 0."""
    return ex.floordiv_sign(ex.sub(x, y))


def _matrix(b: Bufferiser, run: Stacks, v: Value) -> list[Any]:
    """The lengths of one matrix of a stack."""
    return [b.find(n) for d, n in enumerate(v.shape) if d != run.at[v.number]]


def _room_for(b: Bufferiser, run: Stacks, v: Value, block: Block) -> Ref:
    """Storage for the matrices of one block of each part for what only the run reads, else for the whole value."""
    if v.number not in run.inner:
        return b.destination(v, v.dtype, v.shape)
    return room_of_tasks(b, block, v, run.at[v.number])


class _Products:
    """The products of a stack in the loop."""

    def __init__(self, b: Bufferiser, v: Value, refs: dict[int, Ref], block: Block) -> None:
        self.b, self.value, self.item = b, v, ITEMSIZE[v.dtype]
        pair = [(strides, lengths) for _, strides, lengths in self._operands(refs)]
        self.scratch = room_to_pack(b, pair, self.item, ex.add(block.others, 1))
        self.packed = packed_size(pair, self.item)

    def _operands(self, refs: dict[int, Ref]) -> Sequence[Matrix]:
        return [as_matrix(view(self.b, x, refs), side) for side, x in enumerate(self.value.operands[:2])]

    def of_block(self, block: Block, refs: dict[int, Ref]) -> p.Gemm:
        b, v = self.b, self.value
        (x, x_strides, (m, k)), (y, y_strides, (_, n)) = self._operands(refs)
        out = refs[v.number]
        a, c, to = (b.shifted(block, r, r.strides[0]) for r in (x, y, out))
        left, right = elements(b, x_strides, (m, k), self.item), elements(b, y_strides, (k, n), self.item)
        scratch = None if self.scratch is None else times(b, self.scratch, block.slot, self.packed)
        steps = tuple(b.name(ex.floordiv(r.strides[0], self.item)) for r in (x, y))
        sizes, alpha = (b.name(m), b.name(n), b.name(k)), v.attrs.get("alpha", 1.0)
        return p.Gemm(
            v.dtype, *sizes, a, left, c, right, to, b.name(n), alpha, 0.0, scratch, count=block.here, steps=steps
        )  # fmt: skip
