"""Line-aligned rows: sums along rows whose vectors begin on cache lines.

Contract  a kernel along rows with `line_alignment` -> the text of its row loop, in place of `row_loop`'s.
When      floats of one dtype are summed, a vector is as long as a cache line, and rows are long (`cpu.schedule`).
Why       a load that straddles two lines takes as long as two.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.cpu.kernel import FIRST, Entry, Kernel
from tensordsl.codegen.cpu.prefetch import prefetch_in_loop, prefetch_lines
from tensordsl.codegen.fusion.group import LineAlignment
from tensordsl.codegen.llvm.clone import Phi, defined, lanes_of_bits, masked, masked_loads, phi_lines, renamed
from tensordsl.codegen.llvm.vector_builder import Code
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES

LANES_FROM = "llvm.x86.bmi.bzhi.64"
DECLARATIONS = {
    "llvm.smin.i64": "declare i64 @llvm.smin.i64(i64, i64)",
    LANES_FROM: f"declare i64 @{LANES_FROM}(i64, i64)",
}


def behind_line(code: Code, operand: Entry, row: str = "") -> str:
    """How many elements behind the beginning of a cache line an operand's row begins."""
    place = code.op(f"and i64 {code.op(f'ptrtoint ptr {operand.name}{row} to i64')}, {CACHE_LINE_BYTES - 1}")
    return code.op(f"lshr i64 {place}, {operand.itemsize.bit_length() - 1}")


def aligned_chunks(k: Kernel, operand: Entry) -> list[Phi]:
    """Where chunks start: %off lanes before their first elements."""
    W, size, code, head = k.width, k.chunk * k.width, k.points, k.head
    head.declarations |= masked_loads(k.body) | DECLARATIONS
    head.do(f"%n.end = add i64 %n, {head.op(f'sub i64 %live, {W}')}")
    head.do(f"%single = icmp sle i64 %n.end, {size}")
    code.do(f"%off = add i64 {behind_line(code, operand) if k.line_alignment == LineAlignment.VECTORS else 0}, 0")
    vectors = code.op(f"and i64 {code.op('add i64 %n.end, %off')}, {-W}")
    code.do(f"%whole.end = sub i64 {vectors}, %off")
    first = code.op("sub i64 0, %off")
    return [Phi("%start", "i64", first, k.close.op(f"add i64 %start, {size}"))]


def aligned_vectors(k: Kernel) -> list[str]:
    """A chunk: `edge` is its first vector, and its last one if that is another; between them, of what is far from the
    first on, come whole ones.

    The first vector begins on the line that the row begins in, %off lanes before it. A chunk begins in the same
    lane of its first vector, and ends before that lane of the next chunk's first, which is read for both: masked
    loads leave out what is not the chunk's. So states add up the same elements in the same order wherever the row
    begins, and folding them gives the same sum: only their lanes stand in another order. Rows that come from memory
    wait for it, and longer where loads do not straddle: their vectors begin where chunks do.
    """
    behind, edged = ("onward", "asked") if k.prefetched else (k.body.block, "edge")
    names, is_uncached = {p.initial: p.name for p in k.ended}, k.line_alignment == LineAlignment.CHUNKS
    states = [(p, f"{p.name}.edge", f"{p.name}.inner", names[p.next]) for p in k.phis]
    return [
        f"  %until = add i64 %start, {k.chunk * k.width}",
        "  %stop = call i64 @llvm.smin.i64(i64 %until, i64 %whole.end)",
        "  %own = add i64 %until, %off",
        "  %limit = call i64 @llvm.smin.i64(i64 %own, i64 %n.end)",
        "  %all.first = sub i64 %limit, %start",
        f"  %to.first = call i64 @llvm.smin.i64(i64 %all.first, i64 {k.width})",
        "  %whole = icmp slt i64 %start, %stop",
        f"  br {'i1 %whole, label %loop, ' * is_uncached}label %edge",
        *_edge(k, states),
        "inner:",
        f"  %i.first = add i64 %start, {k.width}",
        "  %more.first = icmp slt i64 %i.first, %stop",
        "  br i1 %more.first, label %loop, label %rest",
        "loop:",
        *_joined(Phi("%i", "i64", "%start", "%i.next"), is_uncached, "%i.first", behind),
        *(line for p, edge, _, _ in states for line in _joined(p, is_uncached, edge, behind)),
        *k.body.lines,
        *(prefetch_in_loop(k) if k.prefetched else ()),
        f"  %i.next = add i64 %i, {k.width}",
        "  %more = icmp slt i64 %i.next, %stop",
        "  br i1 %more, label %loop, label %rest",
        "rest:",
        *phi_lines([Phi(inner, p.type, edge, p.next) for p, edge, inner, _ in states], "inner", behind),
        "  %to.last = sub i64 %limit, %stop",
        "  %any.last = icmp sgt i64 %to.last, 0",
        "  %apart = icmp sgt i64 %stop, %start",
        "  %is.cut = and i1 %any.last, %apart",
        "  br i1 %is.cut, label %edge, label %ends",
        "ends:",
        *phi_lines([Phi(end, p.type, edge, inner) for p, edge, inner, end in states], edged, "rest"),
    ]


def _joined(p: Phi, is_uncached: bool, edge: str, behind: str) -> list[str]:
    """A phi of the loop behind such a vector, or, of what is far, at the beginning of a chunk."""
    first = f"[ {p.initial}, %chunk ], " if is_uncached else ""
    return [f"  {p.name} = phi {p.type} {first}[ {edge}, %inner ], [ {p.next}, %{behind} ]"]


def _edge(k: Kernel, states: Sequence[tuple[Phi, str, str, str]]) -> list[str]:
    """The lanes of a vector from one on up to another."""
    code, names = Code("n"), {x: f"{x}.k" for x in (*defined(k.body.lines), *(p.name for p in k.phis), "%i")}
    new = code.call(LANES_FROM, "i64", f"i64 {code.op('shl i64 -1, %from.k')}", "i64 %to.k")
    mask = code.op(lanes_of_bits(code, new, k.width))
    places = [("%i.k", "%start", "%stop"), ("%from.k", "%off", "0"), ("%to.k", "%to.first", "%to.last")]
    phis = [Phi(name, "i64", first, last) for name, first, last in places]
    phis += [Phi(names[p.name], p.type, p.initial, inner) for p, _, inner, _ in states]
    return [
        "edge:",
        *phi_lines(phis, "chunk", "rest"),
        *code.lines,
        *renamed(masked(k.body, mask), names),
        *(
            f"  {edge} = select <{k.width} x i1> {mask}, {p.type} {names[p.next]}, {p.type} {names[p.name]}"
            for p, edge, _, _ in states
        ),
        *(_prefetch_edge(k) if k.prefetched else ()),
        "  %is.first = icmp eq i64 %i.k, %start",
        "  br i1 %is.first, label %inner, label %ends",
    ]


def _prefetch_edge(k: Kernel) -> list[str]:
    """The lines of such a vector in rows further on."""
    lines = [line for e in k.prefetched for line in prefetch_lines(e, "%i.k", k.width, FIRST)]
    return [
        "  br i1 %is_ahead, label %ask, label %asked",
        "ask:",
        *renamed(lines, {x: f"{x}.k" for x in defined(lines)}),
        "  br label %asked",
        "asked:",
    ]
