"""Row blocking in program IR: a loop over blocks of rows around a product and the steps that read its rows.

For chains of `fusion.row_blocking`; while the rows of a block are cached.  Threads take tasks of several blocks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.gemm import Matrix, as_matrix, build_dot, elements, packed_size, room_to_pack
from tensordsl.codegen.bufferise.scatter import accumulate, over
from tensordsl.codegen.fusion.group import Buffer, Group, Out, buffers
from tensordsl.codegen.fusion.inline import Fused
from tensordsl.codegen.fusion.row_blocking import Chain, extents_of, origin, rows_by_position
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Block, Ref, Scope
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Builder
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Value

ROWS, COLUMNS, SUMMED = range(3)  # the axes of a product, in the order of its lengths


def run_chain(b: Bufferiser, chain: Chain) -> None:
    """Compute the first product, the group, and the other products if nothing is destroyed: in blocks where a call's
    lengths make them worthwhile, else step by step."""
    b.node = b.node_of(chain.first)
    pays, step = block_rows(b, chain)
    block = _block(b, chain, step)
    stored = chain.by_rows.values if chain.by_rows is not None else []
    refs = {v.number: _room_for(b, chain, v, block) for v in dict.fromkeys((*chain.values, *stored))}
    first = Product(b, block, chain.first, ROWS if chain.side == 0 else COLUMNS, refs, pays)
    sums = [Product(b, block, v, SUMMED, refs, pays) for v, _ in chain.products]
    orelse = _step_by_step(b, chain, first, sums, refs)
    b.emit(p.If(pays, _in_blocks(b, chain, block, first, sums, refs), orelse))
    for v in chain.values:
        if v.number not in chain.inner:
            b.finish(v, refs[v.number])
            refs[v.number] = b.refs[v.number]  # for products that are finished later
    for product in sums:
        b.products[product.value.number] = product
        b.reuse(product.others)
        if product.is_direct:
            b.finish(product.value, product.total)
    done = [v.number for v in stored if v not in chain.values]
    if all(product.is_direct for product in sums):  # else the others may still be computed as they are
        done += sorted(chain.inner)
    for n in done:
        b.reuse(refs[n])


def _block(b: Bufferiser, chain: Chain, step: Any) -> Block:
    """Blocks of so many rows, some of which are a part; how many depends on lengths only."""
    t = b.tuning.blocking
    rows, _, narrow = (b.find(n) for n in extents_of(chain.first, chain.side))
    tall = quotient(ex.mul(t.min_rows_per_column, narrow), step)
    least = ex.maximum(ex.maximum(t.min_blocks_per_part, tall), quotient(quotient(rows, step), t.max_parts))
    group = chain.by_rows.group if chain.by_rows is not None else None
    by_position = rows_by_position(group, chain.axis) if group is not None else {}
    return block_of(b, rows, step, ex.mul(step, least), chain.axis, by_position)


def quotient(x: Any, y: Any) -> Any:
    """x / y, rounded up."""
    return ex.floordiv(ex.add(x, ex.sub(y, 1)), y)


def block_of(
    b: Bufferiser, count: Any, step: Any, size: Any, axis: str = "", by_position: dict[int, int] | None = None
) -> Block:
    """Blocks of `step` of so many rows, and parts of `size`."""
    turns = b.fresh("r"), b.fresh("h"), b.fresh("n"), b.fresh("n"), b.fresh("n")
    others = ex.floordiv(ex.maximum(ex.sub(count, 1), 0), size)
    return Block(*turns, step, size, others, axis, frozenset(), by_position or {})


def room_of_tasks(b: Bufferiser, block: Block, v: Value, at: int) -> Ref:
    """Storage for one block of each part, of rows along axis `at`; the first part's."""
    every = b.allocate((ex.add(block.others, 1), *v.shape[:at], block.step, *v.shape[at + 1 :]), v.dtype)
    return replace(every, dims=every.dims[1:], strides=every.strides[1:])


def blocks_of(b: Bufferiser, block: Block, count: Any, body: tuple[p.Instr, ...]) -> p.Blocks:
    names = block.first, block.here, block.part, block.start, block.slot
    return p.Blocks(*names, b.name(count), b.name(block.step), b.name(block.size), body)


def _step_by_step(
    b: Bufferiser, chain: Chain, first: Product, sums: list[Product], refs: dict[int, Ref]
) -> tuple[p.Instr, ...]:
    b.scopes.append(Scope())
    b.emit(first.unblocked(refs[chain.first.number].ptr))
    launch_block(b, chain.fused, refs)
    for product in sums:
        if product.is_direct:
            b.emit(product.unblocked(product.total.ptr))
    return b.close_scope()


def _in_blocks(
    b: Bufferiser, chain: Chain, block: Block, first: Product, sums: list[Product], refs: dict[int, Ref]
) -> tuple[p.Instr, ...]:
    b.scopes += Scope(), Scope()
    mine = refs | {n: of_task(b, block, refs[n]) for n in sorted(chain.inner)}
    block = replace(block, local=frozenset(mine[n].ptr for n in chain.inner))
    b.emit(first.of_block(block, mine))
    launch_block(b, chain.by_rows, mine, block)
    for product in sums:
        b.emit(p.Compare(is_first := b.fresh("q"), "eq", block.first, block.start))
        begin = product.of_block(block, mine)
        b.emit(p.If(is_first, (begin,), (replace(begin, beta=1.0),)))
    rows, _, _ = extents_of(chain.first, chain.side)
    body = b.close_scope()
    b.emit(blocks_of(b, block, rows, body))
    for product in sums:
        product.add_tasks()
    launch_block(b, chain.rest, refs)
    return b.close_scope()


def of_task(b: Bufferiser, block: Block, ref: Ref) -> Ref:
    """The storage of this part's blocks."""
    size = ex.mul(ref.strides[0], ref.dims[0])
    return replace(ref, ptr=times(b, ref.ptr, block.slot, size))


def times(b: Bufferiser, ptr: str, index: str, size: Any) -> str:
    """The address of storage number `index`, of `size` bytes each."""
    b.emit(p.Mul(offset := b.fresh("m"), index, b.name(size), b.common_site("overflow")))
    b.emit(p.Offset(dst := b.fresh("p"), ptr, offset))
    return dst


def launch_block(b: Bufferiser, fused: Fused | None, refs: dict[int, Ref], block: Block | None = None) -> None:
    if fused is not None:
        where = {id(x): view(b, x.value, refs) for x in buffers(fused.group)[0]}  # type: ignore[attr-defined]
        for v, o in zip(fused.values, fused.group.outs, strict=True):
            where[id(o.buffer)] = refs[v.number]
        b.launch(fused.group, where, b.node_of(fused.values[0]), block)


def build_product(b: Bufferiser, v: Value) -> None:
    """A product, unless a chain has computed it already: all of it, or the sum that it is made of."""
    if v.number not in b.products:
        build_dot(b, v)
    elif v.number not in b.refs:
        _finish(b, v, b.products[v.number])


def block_rows(b: Bufferiser, chain: Chain) -> tuple[str, Any]:
    """Whether blocks are worthwhile and how many rows one has, else all; known at entry.

    They are not where the matrix stays in the cache, the product is wide, or the BLAS would share it out to threads."""
    item = ITEMSIZE[chain.first.dtype]
    rows, length, narrow = (b.find(n) for n in extents_of(chain.first, chain.side))
    atom = ("rows", rows, length, narrow, item)
    if ("atom", atom) not in b.entry.names:
        row = ex.mul(length, item)
        is_large = b.compared(("gt", size := ex.mul(rows, row), b.tuning.blocking.reread_min_bytes))
        code, pays, some = _weighed(b, b.name(rows), b.name(row), b.name(narrow), b.name(size), item)
        out = b.fresh("q"), b.fresh("n")
        results = ((out[0], pays, b.name(0)), (out[1], some, b.name(rows)))
        b.entry.code.append(p.If(is_large, code, (), results, ("i64", "i64")))
        b.entry.names["atom", atom] = out[1]
        b.entry.names["pays", atom] = out[0]
    return b.entry.names["pays", atom], ex.atom(*atom)


def _weighed(
    b: Bufferiser, rows: str, row: str, narrow: str, size: str, item: int
) -> tuple[tuple[p.Instr, ...], str, str]:
    """Of a large matrix: instructions, and the names of whether blocks are worthwhile and of the rows of a block."""
    work, threads = b.fresh("m"), b.fresh("n")
    code: list[p.Instr] = [p.BlasThreads(threads, True), p.Mul(work, size, narrow, b.common_site("overflow"))]

    def arith(op: str, x: str, y: str) -> str:
        code.append(p.Arith(dst := b.fresh("n"), op, x, y))
        return dst

    def compare(op: str, x: str, y: int) -> str:
        code.append(p.Compare(dst := b.fresh("q"), op, x, b.name(y)))
        return dst

    alone = arith("max", compare("le", threads, 1), compare("lt", work, b.tuning.gemm.blas_wake_min * item))
    t = b.tuning.blocking
    fits = arith("min", compare("le", narrow, t.max_product_columns), compare("le", row, t.max_row_bytes))
    pays = arith("min", alone, fits)
    least = arith("max", b.name(t.min_block_rows), arith("add", narrow, narrow))
    some = arith("max", least, arith("floordiv", b.name(t.block_bytes), row))
    code.append(p.Select(step := b.fresh("n"), pays, some, rows))
    return tuple(code), pays, step


def _room_for(b: Bufferiser, chain: Chain, v: Value, block: Block) -> Ref:
    """Storage for one block of each part for what only the chain reads, else for the whole value."""
    if v.number not in chain.inner:
        return b.destination(v, v.dtype, v.shape)
    if v is chain.first or chain.by_rows is None:
        at = 0 if chain.side == 0 else v.rank - 1
    else:
        out = next(o for o in chain.by_rows.group.outs if o.buffer.value is v)  # type: ignore[attr-defined]
        at = out.map.index(chain.axis)
    return room_of_tasks(b, block, v, at)


def view(b: Bufferiser, v: Value, refs: dict[int, Ref]) -> Ref:
    """Where v is, which may be a view of one of these."""
    base, _ = origin(v)
    if base.number not in refs:
        return b.ref(v)
    moves = []
    while v is not base:
        moves.append(v)
        v = v.operands[0]
    ref = refs[base.number]
    for m in reversed(moves):
        ref = b.moved(m, ref)
    return ref


# -- products ----------------------------------------------------------------------------------------------------------
class Product:
    """A product of a chain: `along` is the axis of the rows among its lengths.

    A sum over rows is made in `total` by the first part, in `others` by each other one."""

    def __init__(self, b: Bufferiser, block: Block, v: Value, along: int, refs: dict[int, Ref], pays: str) -> None:
        self.b, self.block, self.value, self.along, self.pays, self.refs = b, block, v, along, pays, refs
        self.left, self.right = self._operands(refs)
        (_, _, (m, k)), (_, _, (_, n)) = self.left, self.right
        self.item = ITEMSIZE[v.dtype]
        self.lengths = [m, n, k]
        m, n, k = (block.step if axis == along else x for axis, x in enumerate(self.lengths))
        self.shapes = (m, k), (k, n)
        packed = [(strides, shape) for (_, strides, _), shape in zip((self.left, self.right), self.shapes, strict=True)]
        self.scratch = room_to_pack(b, packed, self.item, ex.add(block.others, 1))
        self.packed = packed_size(packed, self.item)
        self.alpha = v.attrs.get("alpha", 1.0)
        # Whether it is its sum over the rows, and may be written now; other factors could overflow for a part of it.
        plain = not {"beta", "scaled"} & v.attrs.keys() and self.alpha in (1.0, -1.0)
        self.is_direct = along == SUMMED and v.number not in b.late and plain
        self.total = refs[v.number] if along != SUMMED else self._room()
        self.others = b.allocate((block.others, *self.total.dims), v.dtype) if along == SUMMED else self.total

    def _operands(self, refs: dict[int, Ref]) -> tuple[Matrix, Matrix]:
        x, y = (as_matrix(view(self.b, x, refs), side) for side, x in enumerate(self.value.operands[:2]))
        return x, y

    def _room(self) -> Ref:
        v = self.value
        return self.b.destination(v, v.dtype, v.shape) if self.is_direct else self.b.allocate(v.shape, v.dtype)

    def of_block(self, block: Block, refs: dict[int, Ref]) -> p.Gemm:
        """Of the block's rows; a sum over rows without its factors, unless it is direct."""
        b, along = self.b, self.along
        (x, x_strides, _), (y, y_strides, _) = self._operands(refs)
        a = b.shifted(block, x, (x_strides[0], 0, x_strides[1])[along])
        c = b.shifted(block, y, (0, y_strides[1], y_strides[0])[along])
        total = self._sum_of_task(block) if along == SUMMED else refs[self.value.number]
        to = b.shifted(block, total, (ex.mul(self.lengths[COLUMNS], self.item), self.item, 0)[along])
        sizes = [block.here if axis == along else b.name(n) for axis, n in enumerate(self.lengths)]
        alpha = 1.0 if along == SUMMED and not self.is_direct else self.alpha
        scratch = None if self.scratch is None else times(b, self.scratch, block.slot, self.packed)
        is_local = along == COLUMNS and total.ptr in block.local
        return replace(self._gemm(sizes, a, c, to, alpha, 0.0, is_local), scratch=scratch)

    def _sum_of_task(self, block: Block) -> Ref:
        b = self.b
        b.emit(p.Compare(is_first := b.fresh("q"), "eq", block.part, b.name(0)))
        b.emit(p.Arith(before := b.fresh("n"), "sub", block.part, b.name(1)))
        other = times(b, self.others.ptr, before, self.others.strides[0])
        b.emit(p.Select(dst := b.fresh("p"), is_first, self.total.ptr, other, "ptr"))
        return replace(self.total, ptr=dst)

    def add_tasks(self) -> None:
        """The sums of all parts, in their order."""
        b, others = self.b, self.block.others
        b.scopes += Scope(), Scope()
        block = block_of(b, others, 1, others)
        each = replace(self.total, ptr=times(b, self.others.ptr, block.first, self.others.strides[0]))
        accumulate(b, each, self.total, self.value.dtype)
        b.emit(blocks_of(b, block, others, b.close_scope()))
        b.emit(p.If(b.compared(("gt", others, 0)), b.close_scope(), ()))

    def unblocked(self, to: str) -> p.Gemm:
        """As it is, to an address."""
        v, sizes = self.value, [self.b.name(n) for n in self.lengths]
        factor = self.b.ref(v.operands[-1]).ptr if "scaled" in v.attrs else None
        decay = self.b.ref(v.operands[3]).ptr if "decays" in v.attrs else None
        (left, _, _), (right, _, _) = self._operands(self.refs)
        product = self._gemm(sizes, left.ptr, right.ptr, to, self.alpha, v.attrs.get("beta", 0.0))
        return replace(product, factor=factor, decay=decay)

    def _gemm(
        self, sizes: list[str], a: str, c: str, to: str, alpha: float, beta: float, is_local: bool = False
    ) -> p.Gemm:
        b, (m, n, k) = self.b, sizes
        left, right = (
            elements(b, strides, shape, self.item)
            for (_, strides, _), shape in zip((self.left, self.right), self.shapes, strict=True)
        )
        ldc = b.name(self.block.step if is_local else self.lengths[COLUMNS])
        return p.Gemm(self.value.dtype, m, n, k, a, left, c, right, to, ldc, alpha, beta, self.scratch)


def _finish(b: Bufferiser, v: Value, product: Product) -> None:
    """v from its sum where that is there, else as it is."""
    ref = over(b, v, v.operands[2]) if "beta" in v.attrs else b.destination(v, v.dtype, v.shape)
    b.scopes.append(Scope())
    _scale(b, v, product.total, ref)
    b.scopes.append(Scope())
    b.emit(product.unblocked(ref.ptr))
    orelse = b.close_scope()
    b.emit(p.If(product.pays, b.close_scope(), orelse))
    b.finish(v, ref)
    b.reuse(product.total)


def _scale(b: Bufferiser, v: Value, total: Ref, ref: Ref) -> None:
    """v = alpha factor total + beta c, where c is at `ref`."""
    s = Builder()
    axes = tuple(0 if n == 1 else f"a{d}" for d, n in enumerate(total.dims))
    x, old, new = (Buffer(name, v.dtype, total.dims) for name in "xtt")
    factor, decay = Buffer("f", v.dtype, ()), Buffer("d", v.dtype, ())
    value, where = s.load(x, *axes), {id(x): total, id(old): ref, id(new): ref}
    if "scaled" in v.attrs:
        value = s.mul(s.load(factor), value)
        where[id(factor)] = b.ref(v.operands[-1])
    if v.attrs.get("alpha", 1.0) != 1.0:
        value = s.mul(s.const(v.attrs["alpha"], v.dtype), value)
    if "beta" in v.attrs:
        added = s.load(old, *axes)
        if "decays" in v.attrs:
            added = s.mul(s.load(decay), added)
            where[id(decay)] = b.ref(v.operands[3])
        elif v.attrs["beta"] != 1.0:
            added = s.mul(s.const(v.attrs["beta"], v.dtype), added)
        value = s.add(value, added)
    extents = {a: n for a, n in zip(axes, total.dims, strict=True) if isinstance(a, str)}
    b.launch(Group("total", extents, tuple(extents), (Out(new, axes, value),)), where, b.node_of(v))
