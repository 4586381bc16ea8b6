"""Row blocking of layers in program IR: a loop over blocks of rows around products and the groups between them.

For runs of `fusion.batch_blocking` with large values between the steps, at a call's lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tensordsl.codegen.bufferise.batches import by_blocks, bytes_of_one
from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.gemm import as_matrix, elements, room_to_pack
from tensordsl.codegen.bufferise.row_blocks import ROWS, Product, block_of, launch_block, quotient, view
from tensordsl.codegen.fusion.batch_blocking import Stacks
from tensordsl.codegen.fusion.inline import Fused
from tensordsl.codegen.fusion.row_blocking import origin
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref, Scope
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.target.tuning import BlockingTuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Value


def run_layers(b: Bufferiser, run: Stacks) -> None:
    """Compute the values of a run: some rows at a time where that keeps them in the cache, else step by step."""
    b.node = b.node_of(run.first)
    for x in run.loads:
        if origin(x)[0].number not in run.at:
            b.ref(x)  # operands that have to be copied are copied before the loop
    pays, step = _step(b, run)
    in_blocks = ex.floordiv_sign(ex.sub(step, b.find(run.first.shape[0])))  # 1 or 0
    given = {v.number: b.destination(v, v.dtype, v.shape) for v in run.values if v.number not in run.inner}
    then = _in_blocks(b, run, step, in_blocks, given)
    b.emit(p.If(pays, then, _step_by_step(b, run, ex.sub(1, in_blocks), given)))
    for v in run.values:
        if v.number in given:
            b.finish(v, given[v.number])


def may_pay(b: Bufferiser, run: Stacks) -> str:
    """The name of whether blocks may be worthwhile, found at entry.  Not where a BLAS would share out whole products to
    threads; nor blocks, for which ours would wait."""
    rows, each = _lengths(b, run)
    panels = b.tuning.machine.vector_bytes == 64  # which do large products instead of a BLAS of few threads
    threads = b.once(b.entry, "n", p.BlasThreads, panels)
    alone = b.once(b.entry, "q", p.Compare, "le", threads, b.name(b.tuning.gemm.blas_max_threads if panels else 1))
    return b.joined("min", [b.compared(("gt", ex.mul(rows, each), b.tuning.blocking.hidden_min_bytes)), alone])


def _lengths(b: Bufferiser, run: Stacks) -> tuple[Any, Any]:
    """How many rows there are, and bytes that one of them has of what only the run reads."""
    return b.find(run.first.shape[0]), bytes_of_one(b, run)


def _rows_of_block(t: BlockingTuning, rows: Any, each: Any) -> Any:
    unit = t.unit_rows
    most = ex.maximum(ex.mul(unit, ex.floordiv(t.hidden_block_bytes // unit, ex.maximum(each, 1))), unit)
    return ex.minimum(most, ex.maximum(ex.mul(unit, quotient(rows, t.hidden_max_blocks * unit)), t.hidden_min_rows))


def _step(b: Bufferiser, run: Stacks) -> tuple[str, Any]:
    """Whether blocks are worthwhile, and rows of a block, or all of them."""
    rows, each = _lengths(b, run)
    some = _rows_of_block(b.tuning.blocking, rows, each)
    right = [v.operands[1] for v, _ in run.members if isinstance(v, Value)]
    packed = ex.total(ex.mul(ITEMSIZE[v.dtype], ex.product(map(b.find, v.shape))) for v in right)
    atom = ("rows", "layers", rows, each, packed)  # all that decides
    of_block = ex.mul(b.tuning.blocking.hidden_max_packed_ratio, ex.mul(some, each))
    fits = b.compared(
        ("le", each, b.tuning.blocking.hidden_max_row_bytes), ("gt", rows, some), ("le", packed, of_block)
    )
    pays = b.joined("min", [may_pay(b, run), fits])
    if ("atom", atom) not in b.entry.names:
        names = b.name(some), b.name(rows)
        b.entry.code.append(p.Select(step := b.fresh("n"), pays, *names))
        b.entry.names["atom", atom] = step
    return pays, ex.atom(*atom)


def _in_order(
    b: Bufferiser, run: Stacks, given: dict[int, Ref], room: Callable[[Value], Ref]
) -> Iterator[tuple[Value | Fused, str, dict[int, Ref]]]:
    """The steps of a run with their axes and where its values are so far; storage of what nobody reads any more is free
    for the next ones."""
    read = [m.operands if isinstance(m, Value) else m.loads for m, _ in run.members]
    last = {origin(x)[0].number: k for k, values in enumerate(read) for x in values}
    refs = {**given}
    for k, (member, axis) in enumerate(run.members):
        gives = [member] if isinstance(member, Value) else member.values
        refs |= {v.number: room(v) for v in gives if v.number in run.inner}
        yield member, axis, refs
        for n in sorted(run.inner):
            if last.get(n) == k:
                b.reuse(refs[n])


def _in_blocks(b: Bufferiser, run: Stacks, step: Any, some: Any, given: dict[int, Ref]) -> tuple[p.Instr, ...]:
    b.scopes.append(Scope())
    rows = b.find(run.first.shape[0])
    block = block_of(
        b, rows, step, ex.mul(step, ex.maximum(quotient(quotient(rows, step), b.tuning.blocking.max_parts), 1))
    )
    count = ex.mul(some, ex.add(block.others, 1))
    products, refs = {}, given
    for member, _, refs in _in_order(b, run, given, lambda v: _room(b, v, count, _rows_are(v, run, step))):
        if isinstance(member, Value):
            products[member.number] = Product(b, block, member, ROWS, refs, "")
    by_blocks(b, run, block, refs, products)
    return b.close_scope()


def _step_by_step(b: Bufferiser, run: Stacks, count: Any, given: dict[int, Ref]) -> tuple[p.Instr, ...]:
    b.scopes.append(Scope())
    for member, _, refs in _in_order(b, run, given, lambda v: _room(b, v, count, v.shape)):
        if isinstance(member, Value):
            b.emit(_product(b, member, refs))
        else:
            launch_block(b, member, refs)
    return b.close_scope()


def _rows_are(v: Value, run: Stacks, step: Any) -> tuple[Any, ...]:
    at = run.at[v.number]
    return (*v.shape[:at], step, *v.shape[at + 1 :])


def _room(b: Bufferiser, v: Value, count: Any, shape: tuple[Any, ...]) -> Ref:
    """Storage for so many of the shape; the first one."""
    every = b.allocate((count, *shape), v.dtype)
    return replace(every, dims=every.dims[1:], strides=every.strides[1:])


def _product(b: Bufferiser, v: Value, refs: dict[int, Ref]) -> p.Gemm:
    """All of a product."""
    item, (x, y) = ITEMSIZE[v.dtype], v.operands[:2]
    (a, rows, (m, k)), (c, columns, (_, n)) = as_matrix(view(b, x, refs), 0), as_matrix(view(b, y, refs), 1)
    scratch = room_to_pack(b, [(rows, (m, k)), (columns, (k, n))], item)
    left, right = elements(b, rows, (m, k), item), elements(b, columns, (k, n), item)
    sizes = b.name(m), b.name(n), b.name(k)
    alpha, to = v.attrs.get("alpha", 1.0), refs[v.number].ptr
    return p.Gemm(v.dtype, *sizes, a.ptr, left, c.ptr, right, to, b.name(n), alpha, 0.0, scratch)
