"""Scatter-add in a kernel: lanes are added at positions one after the other, since positions may be equal.

Contract  a kernel, positions and values in lanes -> stores of a chunk to the stack, and a loop over them behind it.
When      the group adds at positions itself (`fusion.fuse_scatters`).
Why       in the loop over vectors each load would wait until it is known where the stores before it go.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import SPLAT, WRITE
from tensordsl.codegen.cpu.kernel import Kernel
from tensordsl.codegen.fusion.group import Scatter
from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.llvm.vector_builder import memory_type
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.graph.types import FLOATS


def scatter(k: Kernel, operand: int, s: Scatter) -> None:
    """`s` of the kernel's lanes; `operand` is the number of what is added to."""
    dtype, W = s.value.type, k.width
    base = k.pointer(SPLAT, operand, ITEMSIZE[dtype], WRITE)
    t = k.tuning.kernel
    k.chunk = min(k.chunk or t.scatter_chunk_elements, max(t.scatter_chunk_elements // W, 1))
    first, count = _elements(k)
    arrays = [f"ptr {base}"]
    for v in (s.position, s.value):
        kind, size = memory_type(v.type), ITEMSIZE[v.type]
        room = k.head.op(f"alloca [{k.chunk * W + W} x {kind}], align 64")
        place = k.body.op(f"getelementptr {kind}, ptr {room}, i64 {_behind(k)}")
        k.body.do(f"store <{W} x {kind}> {k.lanes[id(v)]}, ptr {place}, align {size}")
        arrays.append(f"ptr {k.ends.op(f'getelementptr {kind}, ptr {room}, i64 {first}')}")
    symbol = f"scatter_{dtype}"
    k.ends.functions[symbol] = _added_one_by_one(symbol, memory_type(dtype), dtype in FLOATS, t.scatter_unroll)
    k.ends.do(f"call void @{symbol}({', '.join(arrays)}, i64 {count})")


def _behind(k: Kernel) -> str:
    """Where a vector goes.  The last one of a row may begin before its chunk."""
    if "in chunk" not in k.once:
        k.once["in chunk"] = k.body.op(f"add i64 {k.body.op('sub i64 %i, %start')}, {k.width}")
    return k.once["in chunk"]


def _elements(k: Kernel) -> tuple[str, str]:
    """Where those of a chunk begin that were not added before, and how many there are."""
    if "of chunk" not in k.once:
        code, dead = k.ends, k.head.op(f"sub i64 {k.width}, %live")
        beyond = code.op("icmp sgt i64 %stop, %n.whole")
        done = code.op("sub i64 %n.whole, %start") if not k.overlaps else "0"
        done = code.op(f"select i1 {beyond}, i64 {done}, i64 0")
        k.once["first"] = code.op(f"add i64 {done}, {k.width}")
        every = code.op(f"sub i64 {code.op('sub i64 %stop, %start')}, {dead}")
        k.once["of chunk"] = code.op(f"sub i64 {every}, {done}")
    return k.once["first"], k.once["of chunk"]


def _added_one_by_one(symbol: str, kind: str, is_float: bool, unroll: int) -> str:
    f = Asm("void", symbol, ("ptr x", "ptr positions", "ptr values", "i64 count"), internal=True)

    def add(places: list[str]) -> None:
        targets = [f.gep("%x", f.load("i64", f.gep("%positions", i, "i64")), kind) for i in places]
        for target, i in zip(targets, places, strict=True):
            value = f.load(kind, f.gep("%values", i, kind))
            total = f.op(f"{'fadd' if is_float else 'add'} {kind} {f.load(kind, target)}, {value}")
            f.store(kind, total, target)

    whole = f.op(f"and i64 %count, {-unroll}")
    with f.loop(whole, step=unroll) as loop:
        add([f.op(f"add i64 {loop.index}, {n}") for n in range(unroll)])
    with f.loop("%count", start=whole) as loop:
        add([loop.index])
    f.ret()
    return f.text
