"""Streaming stores: a second loop of a kernel, with non-temporal stores.

Contract  a kernel along rows -> a function `<kernel>.past`, which the kernel calls if `live` is STREAM.
When      kernels of few operations; one row, of complete vectors at line boundaries, that no cache keeps.
Why       memory need not be read before it is written, and what is read stays cached.
Ref       LLVM's `!nontemporal`.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import INTEGER, SPLAT, STREAM, VECTOR, WRITE
from tensordsl.codegen.cpu.kernel import Entry, Kernel
from tensordsl.codegen.cpu.stencil_rows import is_plain
from tensordsl.codegen.llvm.clone import Phi, phi_lines, renamed
from tensordsl.codegen.llvm.vector_builder import Code, store
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE

# The end of the block `begin`.
ENTRY = (
    f"  %is.past = icmp eq i64 %live, {STREAM}",
    "  br i1 %is.past, label %past, label %entry",
    "entry:",
)
STORE = "  store "
HINT = {"!2": "!2 = !{i32 1}"}


def has_streaming_loop(k: Kernel) -> bool:
    """True if a kernel gets such a loop."""
    t = k.tuning.streaming
    is_alone = k.tuning.allows("streaming_stores") and is_plain(k) and not (k.stencil_rows or k.guarded or k.fails)
    if not (is_alone and len(k.body.lines) <= t.max_body_lines and all(map(_is_in_place, k.entries.values()))):
        return False
    widths = [k.width * e.itemsize for e in k.entries.values() if e.flags & WRITE]
    return bool(widths) and min(widths) >= t.min_vector_bytes and len(widths) == len(k.stored)


def streaming_lines(k: Kernel, given: str) -> list[str]:
    """Behind all loops, whose places in the code matter: the call of that function, and the function without its end.
    `given` are the parameters of both."""
    entries = list(enumerate(k.entries.values()))
    return [
        "past:",
        f"  tail call void @{k.name}.past{given}",
        "  ret void",
        "}",
        f"define internal void @{k.name}.past{given} noinline nounwind {{",
        "entry:",
        *(f"  %at.{n} = getelementptr ptr, ptr %P, i64 {n}" for n, _ in entries),
        *(f"  {e.name} = load ptr, ptr %at.{n}, align 8" for n, e in entries),
        *k.head.lines,
        *renamed(k.before.lines, {"%r": "0"}),
        "  br label %loop",
        "loop:",
        *phi_lines([Phi("%i", "i64", "0", "%i.next")], "entry", "loop"),
        *(line for line in k.body.lines if not line.startswith(STORE)),
        *_stores(k),
        f"  %i.next = add i64 %i, {k.width}",
        "  %more = icmp slt i64 %i.next, %n",
        "  br i1 %more, label %loop, label %leave",
        "leave:",
        "  ret void",
    ]


def _is_in_place(e: Entry) -> bool:
    """True if an operand is read, or a result written, where it stands."""
    is_given = e.kind == INTEGER or (e.kind == SPLAT and not e.flags & WRITE)
    return e.add < 0 and (is_given or (e.kind == VECTOR and e.step == 1))


def _stores(k: Kernel) -> list[str]:
    """Of all results, by complete registers."""
    code = Code("w", isa=k.body.isa)
    for value, place, dtype in k.stored:
        align = min(k.width * ITEMSIZE[dtype], code.vector_bytes)
        store(code, value, place, dtype, k.width, align)
    return [f"{line}, !nontemporal !2" if line.startswith(STORE) else line for line in code.lines]
