"""The row loop: what stands around the body of a kernel of form LANES (`cpu.kernel`).

Contract  a kernel whose lanes run along a row -> text of the row's chunks, its last complete vector, and its end.
When      all rows but those that `aligned_rows`, `short_rows` or `stencil_rows` do.
Why       elements behind the last complete vector are done by a vector that ends with the row, not one by one.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import FULL_ROW
from tensordsl.codegen.cpu.aligned_rows import aligned_chunks, aligned_vectors, behind_line
from tensordsl.codegen.cpu.kernel import Entry, Kernel
from tensordsl.codegen.cpu.prefetch import next_batch_pointers, prefetch_in_loop
from tensordsl.codegen.llvm.builder import LIKELY
from tensordsl.codegen.llvm.clone import Phi, ended_lines, has_mask_registers, masked_tail, new_lanes, phi_lines
from tensordsl.codegen.llvm.emit_scalars import Code, llvm_type, store


def chunks(k: Kernel) -> list[Phi]:
    """Where a chunk starts and stops: it has as many whole vectors as may be; behind the last of them comes the
    row's last whole vector, in the same chunk or one of its own, some of whose lanes were done before.  Where all
    reducers may see these twice, chunks of a limited size (`overlaps`) end with it as with any other vector."""
    size, head, code, whole = k.chunk * k.width, k.head, k.close, "%n.whole"
    if k.line_alignment and k.aligned_operand:
        return aligned_chunks(k, k.aligned_operand)
    head.do(f"{whole} = and i64 %n, {-k.width}")
    head.do(f"%n.last = sub i64 %n, {k.width}")
    if k.overlaps:
        first = head.intrinsic("smin", "int64", 1, "%n", str(size))
        stop = code.intrinsic("smin", "int64", 1, code.op(f"add i64 %stop, {size}"), "%n")
        return [Phi("%start", "i64", "0", "%stop"), Phi("%stop", "i64", first, stop)]
    if not k.states and not size and k.aligned_operand:
        return _from_a_line(k, k.aligned_operand)
    if not k.states and not size:
        return [Phi("%start", "i64", "0", "%n.last"), Phi("%stop", "i64", whole, "%n")]
    first = head.intrinsic("smin", "int64", 1, whole, str(size)) if size else whole
    if k.states:
        head.do(f"%padded = icmp ne i64 %live, {k.width}")
        head.do(f"%before.k = and i64 {head.op('sub i64 %n.whole, %n.last')}, {k.width - 1}")
    if k.repeats:
        head.do(f"%single = icmp eq i64 {whole}, {first}")
        if has_mask_registers(k):
            head.do(f"%mask.k = {new_lanes(head, k, 8)}")
        start, end = "%stop", whole
    else:
        if k.states:
            one, full = head.op(f"icmp eq i64 %n, {first}"), head.op("xor i1 %padded, true")
            head.do(f"%single = and i1 {one}, {full}")
        start = code.intrinsic("smin", "int64", 1, "%stop", "%n.last")
        end = code.op(f"select i1 {code.op(f'icmp eq i64 %stop, {whole}')}, i64 %n, i64 {whole}")
    stop = code.intrinsic("smin", "int64", 1, code.op(f"add i64 {start}, {size}"), end) if size else end
    return [Phi("%start", "i64", "0", start), Phi("%stop", "i64", first, stop)]


def _from_a_line(k: Kernel, operand: Entry) -> list[Phi]:
    """A row that does not begin on a cache line of an operand: its first vector, those from the next line on, its last
    one, so that only two straddle lines."""
    W, code, close = k.width, k.points, k.close
    behind = behind_line(code, operand)
    second = code.op(f"sub i64 {W}, {behind}")
    vectors = code.op(f"and i64 {code.op(f'sub i64 %n, {second}')}, {-W}")
    is_off, some = (code.op(f"icmp ne i64 {x}, 0") for x in (behind, vectors))
    some, end = code.op(f"and i1 {is_off}, {some}"), code.op(f"add i64 {vectors}, {second}")
    second, end = (code.op(f"select i1 {some}, i64 {x}, i64 {y}") for x, y in ((second, "%n.last"), (end, "%n")))
    stop = code.op(f"select i1 {is_off}, i64 {W}, i64 %n.whole")
    first = close.op("icmp eq i64 %start, 0")
    following = [close.op(f"select i1 {first}, i64 {x}, i64 {y}") for x, y in ((second, "%n.last"), (end, "%n"))]
    return [Phi("%start", "i64", "0", following[0]), Phi("%stop", "i64", stop, following[1])]


def row_lines(k: Kernel) -> list[str]:
    """A row, from `before` to `final`; ends in the block `after`, or in `next` where the kernel finishes the row."""
    behind = "final" if k.carried else "after"
    points = ["  %none = icmp eq i64 %n, 0", f"  br i1 %none, label %{behind}, label %points"]
    points += ["points:", *k.points.lines]
    return [
        *k.before.lines,
        *(points if k.finishes else ()),
        *(line for e in k.prefetched for line in next_batch_pointers(e, e.name)),
        "  br label %chunk",
        "chunk:",
        *phi_lines(k.totals, k.points.block, k.close.block),
        *(aligned_vectors(k) if k.line_alignment else _vectors(k)),
        *k.ends.lines,
        *_close(k),
        "after:",
        *phi_lines(k.states, "ends", "summed"),
        *k.after.lines,
        *(_finish(k) if k.carried else ()),
    ]


def _vectors(k: Kernel) -> list[str]:
    """A chunk, from `chunk` to `ends`."""
    turned, at = "onward" if k.prefetched else k.body.block, "%at" if k.overlaps else "%i"
    return [
        f"  br {'i1 %padded, label %tail, label %loop' if k.repeats else 'label %loop'}",
        "loop:",
        *phi_lines([Phi(at, "i64", "%start", "%i.next"), *k.phis], "chunk", turned),
        *(["  %i = call i64 @llvm.smin.i64(i64 %at, i64 %n.last)"] if k.overlaps else ()),
        *k.body.lines,
        *k.ahead,
        *(prefetch_in_loop(k) if k.prefetched else ()),
        f"  %i.next = add i64 {at}, {k.width}",
        "  %more = icmp slt i64 %i.next, %stop",
        f"  br i1 %more, label %loop, label %{'whole' if k.repeats else 'ends'}",
        *(masked_tail(k) if k.repeats else ()),
        "ends:",
        *(ended_lines(k.ended) if k.repeats else ()),
    ]


def _finish(k: Kernel) -> list[str]:
    every, save = [c for row in k.carried.values() for c in row], Code("w")
    for c in every:
        kept = save.op(f"select i1 %is_first, {llvm_type(c.dtype)} {c.first}, {llvm_type(c.dtype)} {c.resumed}")
        store(save, kept, k.row_place(save, c.place, c.dtype), c.dtype)
    return [
        f"  %blocks = and i64 %turn, {FULL_ROW}",
        f"  %is_whole = icmp eq i64 %blocks, {FULL_ROW}",
        f"  br i1 %is_whole, label %final, label %partly, {LIKELY}",
        "partly:",
        *k.resume.lines,
        "  %is_first = icmp eq i64 %turn, 1",
        *save.lines,
        "  %is_last = icmp eq i64 %turn, 2",
        "  br i1 %is_last, label %final, label %next",
        "final:",
        *(
            f"  {c.name} = phi {llvm_type(c.dtype)} [ {c.none}, %{k.before.block} ], "
            f"[ {c.first}, %{k.after.block} ], [ {c.value}, %{k.resume.block} ]"
            for c in every
            if c.value
        ),
        *k.final.lines,
        "  br label %next",
        "next:",
    ]


def _close(k: Kernel) -> list[str]:
    done, end = ("%limit", "%n.end") if k.line_alignment else ("%stop", f"%n{'.whole' * k.repeats}")
    again = f"  %again = icmp slt i64 {done}, {end}"
    if not k.states:
        return ["  br label %close", "close:", *k.close.lines, *_again(k), "  br i1 %again, label %chunk, label %after"]
    return [
        f"  br i1 %single, label %after, label %{'fold' if k.masks else 'close'}",
        *(() if k.masks else _masked(k)),
        "fold:",
        *phi_lines(k.chosen, "close", "masked"),
        *k.close.lines,
        again,
        "  br i1 %again, label %chunk, label %summed",
        "summed:",
        *k.summed.lines,
        "  br label %after",
    ]


def _masked(k: Kernel) -> list[str]:
    """A chunk's states without the lanes that do not count."""
    return [
        "close:",
        "  %before = icmp sgt i64 %stop, %n.whole",
        "  %some = or i1 %before, %padded",
        "  br i1 %some, label %masked, label %fold",
        "masked:",
        *k.masked.lines,
        "  br label %fold",
    ]


def _again(k: Kernel) -> list[str]:
    """Behind a chunk: is there another one, and a reduction that it may change?"""
    code, more = Code("b"), "icmp slt i64 %stop, %n"
    if k.open:
        is_open, *others = [name for name, _ in k.open]
        for name in others:
            is_open = code.op(f"or i1 {is_open}, {name}")
        more = f"and i1 {code.op(more)}, {is_open}"
    code.do(f"%again = {more}")
    return code.lines
