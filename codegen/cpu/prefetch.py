"""Software prefetch in kernels: of the next rows, and of what comes later in a row.

Contract  kernels of a group's passes -> prefetch instructions in their text, and `Kernel.prefetched`.
When      several passes read a row; or a loop waits for memory, with a short hardware prefetch (`may_prefetch`).
Why       passes behind the first find a row in the first-level cache, while memory would be idle.
Ref       LLVM's `llvm.prefetch`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tensordsl.codegen.abi.descriptor import PREFETCH_NEXT, READ, VECTOR, WRITE
from tensordsl.codegen.cpu.kernel import FIRST, PREFETCH, Entry, Kernel
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import PrefetchTuning, Tuning

PREFETCHES_NEXT = [f"  %turn.ahead = and i64 %turn, {PREFETCH_NEXT}", "  %is_ahead = icmp ne i64 %turn.ahead, 0"]


def prefetch_next_rows(passes: Sequence[Iterable[Kernel]], is_expensive: bool, tuning: Tuning) -> None:
    """Let the last kernel that reads what an earlier pass has read prefetch the next rows of it: it finds its own in
    the first-level cache, so memory would be idle. Operands that no cache holds are prefetched if the kernel writes as
    much or passes are expensive (`is_expensive`); else reading is all there is to do, and hardware prefetchers follow
    it."""
    if not tuning.allows("prefetch"):
        return
    last: dict[int, tuple[Kernel, Entry]] = {}
    seen: dict[int, set[int]] = {}
    written = set()
    for number, kernels in enumerate(passes):
        for kernel, e in ((k, e) for k in kernels for e in k.entries.values() if e.kind == VECTOR and e.moves):
            last[e.number] = kernel, e
            seen.setdefault(e.number, set()).add(number)
            written |= {e.number} if e.flags & WRITE else set()
    for operand, (kernel, e) in last.items():
        if len(seen[operand]) > 1 and operand not in written and e.flags & READ and is_adjacent(e):
            kernel.prefetched.append(e)
            kernel.prefetches_memory = is_expensive or kernel.writes
            kernel.declare_prefetch()


def l1_elements(kernels: Sequence[Kernel], t: PrefetchTuning) -> tuple[int, int]:
    """Elements of rows that several kernels read, as many as the first-level cache should hold; and of those whose next
    rows are prefetched as well. 0: any number, or none."""
    sizes = {e.number: e.itemsize for k in kernels for e in k.entries.values() if e.kind == VECTOR}
    asked = [e.itemsize for k in kernels for e in k.prefetched]
    together = t.reread_max_bytes // max(sizes.values(), default=8) if len(kernels) > 1 else 0
    return together, t.rows_max_bytes // (sum(sizes.values()) + sum(asked)) if asked else 0


def prefetches_memory(kernels: Sequence[Kernel]) -> bool:
    """True if next rows are prefetched of operands that no cache holds."""
    return any(k.prefetches_memory for k in kernels)


def is_adjacent(e: Entry) -> bool:
    """True if the elements of its rows follow each other where its pointer says."""
    return e.kind == VECTOR and e.moves and e.step == 1 and e.add < 0


def next_batch_pointers(e: Entry, row: str) -> list[str]:
    """Of the row at the pointer `row`: its address in the next batch, as many rows on as this one has."""
    return [
        f"  {e.name}.by = mul i64 {e.name}.step, %rows",
        f"  {e.name}.far = getelementptr i8, ptr {row}, i64 {e.name}.by",
    ]


def prefetch_in_loop(k: Kernel) -> list[str]:
    """Behind the body of LANES: prefetch the lines of this vector in the next batch. Ends in the block `onward`."""
    return [
        "  br i1 %is_ahead, label %ahead, label %onward",
        "ahead:",
        *(line for e in k.prefetched for line in prefetch_lines(e, "%i", k.width, FIRST)),
        "  br label %onward",
        "onward:",
    ]


def prefetch_lines(e: Entry, index: str, span: int, locality: int) -> list[str]:
    """Prefetch `span` elements of the row in the next batch, from that at `index`."""
    lines = [f"  {e.name}.line = getelementptr i{8 * e.itemsize}, ptr {e.name}.far, i64 {index}"]
    for at in range(0, span * e.itemsize, CACHE_LINE_BYTES):
        lines += [
            f"  {e.name}.l{at} = getelementptr i8, ptr {e.name}.line, i64 {at}",
            f"  call void @{PREFETCH}(ptr {e.name}.l{at}, i32 0, i32 {locality}, i32 1)",
        ]
    return lines
