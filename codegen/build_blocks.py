"""Chains in program IR (`codegen.blocks`): a loop over blocks of rows around a product and what reads its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tensordsl.codegen import blocks
from tensordsl.codegen import extents as ex
from tensordsl.codegen import program as p
from tensordsl.codegen.blocks import Chain, extents_of, origin, rows_by_position
from tensordsl.codegen.bufferise import Bufferiser
from tensordsl.codegen.build_dot import as_matrix, build_dot, elements, room_to_pack
from tensordsl.codegen.build_scatter import over
from tensordsl.codegen.group import Buffer, Group, Out, buffers
from tensordsl.codegen.ir import Value
from tensordsl.codegen.pull import Fused
from tensordsl.codegen.scalar import ITEMSIZE, Builder
from tensordsl.codegen.storage import Block, Ref, Scope

ROWS, COLUMNS, SUMMED = range(3)  # the axes of a product, in the order of its lengths


def run_chain(b: Bufferiser, chain: Chain) -> None:
    """Compute the first product, the group, and the other products as far as nothing is destroyed: in blocks where a
    call's lengths make them worthwhile, else one step after the other."""
    b.node = b.node_of(chain.first)
    pays, step = block_rows(b, chain)
    stored = chain.by_rows.values if chain.by_rows is not None else []
    refs = {v.number: _room_for(b, chain, v, step) for v in dict.fromkeys((*chain.values, *stored))}
    block = _block(b, chain, step, refs)
    first = _Product(b, block, chain.first, ROWS if chain.side == 0 else COLUMNS, refs, pays)
    sums = [_Product(b, block, v, SUMMED, refs, pays) for v, _ in chain.products]
    orelse = _step_by_step(b, chain, first, sums, refs)
    b.emit(p.If(pays, _in_blocks(b, chain, block, first, sums, refs), orelse))
    for v in chain.values:
        if v.number not in chain.inner:
            b.finish(v, refs[v.number])
    for product in sums:
        b.products[product.value.number] = product
        if product.is_direct:
            b.finish(product.value, product.total)
    done = [v.number for v in stored if v not in chain.values]
    if all(product.is_direct for product in sums):  # else the others may still be computed as they are
        done += sorted(chain.inner)
    for n in done:
        b.reuse(refs[n])


def _block(b: Bufferiser, chain: Chain, step: Any, refs: dict[int, Ref]) -> Block:
    group = chain.by_rows.group if chain.by_rows is not None else None
    by_position = rows_by_position(group, chain.axis) if group is not None else {}
    local = frozenset(refs[n].ptr for n in chain.inner)
    return Block(b.fresh("r"), b.fresh("h"), step, chain.axis, local, by_position)


def _step_by_step(
    b: Bufferiser, chain: Chain, first: _Product, sums: list[_Product], refs: dict[int, Ref]
) -> tuple[p.Instr, ...]:
    b.scopes.append(Scope())
    b.emit(first.whole(refs[chain.first.number].ptr))
    _launch(b, chain.whole, refs)
    for product in sums:
        if product.is_direct:
            b.emit(product.whole(product.total.ptr))
    return b.close_scope()


def _in_blocks(
    b: Bufferiser, chain: Chain, block: Block, first: _Product, sums: list[_Product], refs: dict[int, Ref]
) -> tuple[p.Instr, ...]:
    b.scopes += Scope(), Scope()
    b.emit(first.of_block(0.0))
    _launch(b, chain.by_rows, refs, block)
    for product in sums:
        b.emit(p.Compare(is_first := b.fresh("q"), "eq", block.first, b.name(0)))
        b.emit(p.If(is_first, (product.of_block(0.0),), (product.of_block(1.0),)))
    rows, _, _ = extents_of(chain.first, chain.side)
    body = b.close_scope()
    b.emit(p.Blocks(block.first, block.here, b.name(rows), b.name(block.step), body))
    _launch(b, chain.rest, refs)
    return b.close_scope()


def _launch(b: Bufferiser, fused: Fused | None, refs: dict[int, Ref], block: Block | None = None) -> None:
    if fused is not None:
        found = [x for part in buffers(fused.group) for x in part]
        where = {id(x): _view(b, x.value, refs) for x in found}  # type: ignore[attr-defined]  # ValueBuffers
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
        is_large = b.compared(("gt", size := ex.mul(rows, row), blocks.CACHE))
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
    from tensordsl.codegen.gemm_text import WAKES  # late: most functions have no chain

    work, threads = b.fresh("m"), b.fresh("n")
    code: list[p.Instr] = [p.BlasThreads(threads), p.Mul(work, size, narrow, b.common_site("overflow"))]

    def arith(op: str, x: str, y: str) -> str:
        code.append(p.Arith(dst := b.fresh("n"), op, x, y))
        return dst

    def compare(op: str, x: str, y: int) -> str:
        code.append(p.Compare(dst := b.fresh("q"), op, x, b.name(y)))
        return dst

    alone = arith("max", compare("le", threads, 1), compare("lt", work, WAKES * item))
    fits = arith("min", compare("le", narrow, blocks.NARROW), compare("le", row, blocks.LONGEST_ROW))
    pays = arith("min", alone, fits)
    least = arith("max", b.name(blocks.LEAST_ROWS), arith("add", narrow, narrow))
    some = arith("max", least, arith("floordiv", b.name(blocks.BLOCK), row))
    code.append(p.Select(step := b.fresh("n"), pays, some, rows))
    return tuple(code), pays, step


def _room_for(b: Bufferiser, chain: Chain, v: Value, step: Any) -> Ref:
    """Storage for one block of what only the chain reads, else for the whole value."""
    if v.number not in chain.inner:
        return b.destination(v, v.dtype, v.shape)
    if v is chain.first or chain.by_rows is None:
        at = 0 if chain.side == 0 else v.rank - 1
    else:
        out = next(o for o in chain.by_rows.group.outs if o.buffer.value is v)  # type: ignore[attr-defined]
        at = out.map.index(chain.axis)
    return b.allocate((*v.shape[:at], step, *v.shape[at + 1 :]), v.dtype)


def _view(b: Bufferiser, v: Value, refs: dict[int, Ref]) -> Ref:
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
class _Product:
    """A product of a chain: `along` is the axis of the rows among its lengths."""

    def __init__(self, b: Bufferiser, block: Block, v: Value, along: int, refs: dict[int, Ref], pays: str) -> None:
        self.b, self.block, self.value, self.along, self.pays = b, block, v, along, pays
        self.left, self.right = (as_matrix(_view(b, x, refs), side) for side, x in enumerate(v.operands[:2]))
        (_, _, (m, k)), (_, _, (_, n)) = self.left, self.right
        self.item = ITEMSIZE[v.dtype]
        self.lengths = [m, n, k]
        m, n, k = (block.step if axis == along else x for axis, x in enumerate(self.lengths))
        self.shapes = (m, k), (k, n)
        packed = [(strides, shape) for (_, strides, _), shape in zip((self.left, self.right), self.shapes, strict=True)]
        self.scratch = room_to_pack(b, packed, self.item)
        self.alpha = v.attrs.get("alpha", 1.0)
        # Whether it is its sum over the rows, and may be written now; other factors could overflow for a part of it.
        plain = not {"beta", "scaled"} & v.attrs.keys() and self.alpha in (1.0, -1.0)
        self.is_direct = along == SUMMED and v.number not in b.late and plain
        self.total = refs[v.number] if along != SUMMED else self._room()

    def _room(self) -> Ref:
        v = self.value
        return self.b.destination(v, v.dtype, v.shape) if self.is_direct else self.b.allocate(v.shape, v.dtype)

    def of_block(self, beta: float) -> p.Gemm:
        """Of the block's rows; a sum over rows without its factors, unless it is direct."""
        b, block, along = self.b, self.block, self.along
        (x, x_strides, _), (y, y_strides, _) = self.left, self.right
        a = b.shifted(block, x, (x_strides[0], 0, x_strides[1])[along])
        c = b.shifted(block, y, (0, y_strides[1], y_strides[0])[along])
        to = b.shifted(block, self.total, (ex.mul(self.lengths[COLUMNS], self.item), self.item, 0)[along])
        sizes = [block.here if axis == along else b.name(n) for axis, n in enumerate(self.lengths)]
        return self._gemm(sizes, a, c, to, 1.0 if along == SUMMED and not self.is_direct else self.alpha, beta)

    def whole(self, to: str) -> p.Gemm:
        """As it is, to an address."""
        v, sizes = self.value, [self.b.name(n) for n in self.lengths]
        factor = self.b.ref(v.operands[-1]).ptr if "scaled" in v.attrs else None
        decay = self.b.ref(v.operands[3]).ptr if "decays" in v.attrs else None
        product = self._gemm(sizes, self.left[0].ptr, self.right[0].ptr, to, self.alpha, v.attrs.get("beta", 0.0))
        return replace(product, factor=factor, decay=decay)

    def _gemm(self, sizes: list[str], a: str, c: str, to: str, alpha: float, beta: float) -> p.Gemm:
        b, (m, n, k) = self.b, sizes
        left, right = (
            elements(b, strides, shape, self.item)
            for (_, strides, _), shape in zip((self.left, self.right), self.shapes, strict=True)
        )
        is_local = self.along == COLUMNS and self.total.ptr in self.block.local
        ldc = b.name(self.block.step if is_local else self.lengths[COLUMNS])
        return p.Gemm(self.value.dtype, m, n, k, a, left, c, right, to, ldc, alpha, beta, self.scratch)


def _finish(b: Bufferiser, v: Value, product: _Product) -> None:
    """v from its sum where that is there, else as it is."""
    ref = over(b, v, v.operands[2]) if "beta" in v.attrs else b.destination(v, v.dtype, v.shape)
    b.scopes.append(Scope())
    _scale(b, v, product.total, ref)
    b.scopes.append(Scope())
    b.emit(product.whole(ref.ptr))
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
