"""The process's pool of memory blocks, from which arenas and packed operands of matrix products come.

Contract  `take_block(rt, bytes)`: 64-byte aligned, or null; `give_block` returns it.
Why       slots per size class are exchanged atomically: no lock, so it is safe without the GIL and across fork.
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.types import i64, ptr, signature
from tensordsl.codegen.library.large_blocks import large_text
from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.target.tuning import Tuning

TAKE_BLOCK = signature("take_block", ptr, rt=ptr, bytes=i64)
GIVE_BLOCK = signature("give_block", rt=ptr, block=ptr)


def block_text(t: Tuning) -> str:
    """`take_block` and `give_block`: blocks of the pool, of BLOCK_HEAD bytes and at least those wanted."""
    return large_text(t) + _take_block() + _give_block()


def _pool_slots(f: Asm, rt: str, number: str) -> list[str]:
    """The addresses of a class's slots."""
    row = f.mul(f.sub(number, layouts.POOL_FIRST), 8 * layouts.POOL_SLOTS)
    first = f.gep(f.load("ptr", rt, layouts.RT["pool"]), row)
    return [f.gep(first, 8 * i) for i in range(layouts.POOL_SLOTS)]


def _take_block() -> str:
    """ptr: a block, null if there is no memory; aligned to 64 bytes."""
    f = Asm("ptr", "take_block", ("ptr rt", "i64 bytes"), internal=True)
    small, large, use = (f.label(x) for x in ("small", "large", "use"))
    less = f.or_(f.sub("%bytes", 1), (1 << layouts.POOL_FIRST) - 1)  # at least the first class
    less = f.choose(f.eq("%bytes", 0), (1 << layouts.POOL_FIRST) - 1, less)
    number = f.sub(64, f.call("i64", "@llvm.ctlz.i64", f"i64 {less}", "i1 false"))
    f.branch(f.le(number, layouts.POOL_LAST), small, large)
    f.place(small)
    sources = []  # the blocks that may be in use: (block, label, class)
    for slot in _pool_slots(f, "%rt", number):
        block, following = f.op(f"atomicrmw xchg ptr {slot}, ptr null seq_cst"), f.label("try")
        sources.append((block, f.block, number))
        f.branch(f.not_null(block), use, following)
        f.place(following)
    total = f.add(f.shl(1, number), layouts.BLOCK_HEAD)
    new = f.call("ptr", f.load("ptr", "%rt", layouts.RT["aligned_alloc"]), "i64 64", f"i64 {total}")
    bad = f.label("bad")
    sources.append((new, f.block, number))
    f.branch(f.not_null(new), use, bad)
    f.place(large)
    new = f.call("ptr", "@take_large", "ptr %rt", f"i64 {f.add('%bytes', layouts.BLOCK_HEAD)}")
    sources.append((new, f.block, "-1"))
    f.branch(f.not_null(new), use, bad)
    f.place(bad)
    f.ret("ptr", "null")
    f.place(use)
    block = f.op("phi ptr " + ", ".join(f"[ {b}, %{label} ]" for b, label, _ in sources))
    kind = f.op("phi i64 " + ", ".join(f"[ {k}, %{label} ]" for _, label, k in sources))
    f.store("i64", kind, block, layouts.BLOCK_CLASS)
    f.ret("ptr", block)
    return f.text


def _give_block() -> str:
    f = Asm("void", "give_block", ("ptr rt", "ptr block"), internal=True)
    number = f.load("i64", "%block", layouts.BLOCK_CLASS)
    with f.when(f.ge(number, 0)):
        for slot in _pool_slots(f, "%rt", number):
            pair = f.op(f"cmpxchg ptr {slot}, ptr null, ptr %block seq_cst monotonic")
            with f.when(f.op(f"extractvalue {{ptr, i1}} {pair}, 1")):
                f.ret()
        f.call("void", f.load("ptr", "%rt", layouts.RT["free"]), "ptr %block")
        f.ret()
    f.call("void", "@give_large", "ptr %rt", "ptr %block")
    f.ret()
    return f.text
