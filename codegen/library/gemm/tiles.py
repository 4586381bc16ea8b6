"""Micro-kernels of small products: rows of C as sums of rows of B, and elements of C as dot products.

Contract  `rows_<type>` (contiguous rows of B), `dots_<type>` (contiguous k in A and B), `vector_dots_<type>`; any m, n.
Why       nothing is packed.  Sums of one kernel have one order of additions for all elements, so that x x' is
          symmetric.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tensordsl.codegen.library.signals import poll_each
from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning

UNROLLED_TERMS = (1, 2, 4)  # k with code of its own
TILE_ROWS = (4, 1)
DOTS = ((4, 4), (4, 2), (4, 1), (1, 4), (1, 1))  # rows x columns
# Of a product with a vector: how many vectors of terms are added up independently, as each addition waits for the
# one before it.  Other products keep one order of additions for all elements, that those of x x' are symmetric.
INDEPENDENT_SUMS = {(4, 1): 2, (1, 4): 2, (1, 1): 8}
# Those whose vectors begin on cache lines where straddling loads are expensive.
ALIGNED_DOTS = ((4, 1), (1, 4))
SIZES = ("i64 m", "i64 n", "i64 k")
DOT_PARAMS = (*SIZES, "ptr a", "i64 rsa", "ptr b", "i64 csb", "ptr c", "i64 ldc")
Step = Callable[[str, str, list[str]], list[str]]  # (number of the first term, mask or "", sums) -> sums


def tile_texts(v: Vector) -> list[str]:
    """All tiles and what calls them: `rows_<type>` and `dots_<type>`, for any m and n; `vector_dots_<type>`, whose
    long rows begin on cache lines where straddling loads are expensive."""
    lines = v.tuning.machine.prefers_halves
    bodies = [rows_tile(v, rows, k) for rows in TILE_ROWS for k in (*UNROLLED_TERMS, None)]
    bodies += [dot_tile(v, *shape) for shape in DOTS]
    bodies += [dot_tile(v, *shape, unroll) for shape, unroll in INDEPENDENT_SUMS.items()]
    bodies += [dot_tile(v, *shape, INDEPENDENT_SUMS[shape], True) for shape in ALIGNED_DOTS if lines]
    return [*bodies, rows_driver(v), dots_driver(v), vector_driver(v, lines)]


class Vector:
    """A vector type and its operations."""

    def __init__(self, kind: str, lanes: int, tuning: Tuning) -> None:
        self.tuning = tuning
        self.kind, self.lanes, self.type = kind, lanes, f"<{lanes} x {kind}>"
        self.mangled = f"v{lanes}f{64 if kind == 'double' else 32}"
        self.mask_type, self.places = f"<{lanes} x i1>", f"<{lanes} x ptr>"
        self.align = 8 if kind == "double" else 4
        self.bytes = lanes * self.align

    def declarations(self) -> str:
        v, mask, m, kind = self.type, self.mask_type, self.mangled, self.kind
        return (
            f"declare {v} @llvm.masked.load.{m}.p0(ptr, i32, {mask}, {v})\n"
            f"declare void @llvm.masked.store.{m}.p0({v}, ptr, i32, {mask})\n"
            f"declare {v} @llvm.masked.gather.{m}.v{self.lanes}p0({self.places}, i32, {mask}, {v})\n"
            f"declare {v} @llvm.fma.{m}({v}, {v}, {v})\n"
            f"declare {kind} @llvm.vector.reduce.fadd.{m}({kind}, {v})\n"
        )

    def splat(self, f: Asm, scalar: str) -> str:
        one = f.op(f"insertelement {self.type} poison, {self.kind} {scalar}, i64 0")
        return f.op(f"shufflevector {self.type} {one}, {self.type} poison, <{self.lanes} x i32> zeroinitializer")

    def mask(self, f: Asm, live: str) -> str:
        """The first `live` lanes."""
        wide = f"<{self.lanes} x i64>"
        one = f.op(f"insertelement {wide} poison, i64 {live}, i64 0")
        all_ = f.op(f"shufflevector {wide} {one}, {wide} poison, <{self.lanes} x i32> zeroinitializer")
        return f.op(f"icmp slt {wide} <{', '.join(f'i64 {i}' for i in range(self.lanes))}>, {all_}")

    def load(self, f: Asm, pointer: str, mask: str = "") -> str:
        if not mask:
            return f.op(f"load {self.type}, ptr {pointer}, align {self.align}")
        operands = f"ptr {pointer}, i32 {self.align}, {self.mask_type} {mask}, {self.type} zeroinitializer"
        return f.op(f"call {self.type} @llvm.masked.load.{self.mangled}.p0({operands})")

    def gather(self, f: Asm, base: str, offsets: str, mask: str) -> str:
        """The elements at base[offsets]."""
        places = f.op(f"getelementptr {self.kind}, ptr {base}, <{self.lanes} x i64> {offsets}")
        operands = f"{self.places} {places}, i32 {self.align}, {self.mask_type} {mask}, {self.type} zeroinitializer"
        return f.op(f"call {self.type} @llvm.masked.gather.{self.mangled}.v{self.lanes}p0({operands})")

    def store(self, f: Asm, value: str, pointer: str, mask: str = "") -> None:
        if not mask:
            f.do(f"store {self.type} {value}, ptr {pointer}, align {self.align}")
            return
        operands = f"{self.type} {value}, ptr {pointer}, i32 {self.align}, {self.mask_type} {mask}"
        f.do(f"call void @llvm.masked.store.{self.mangled}.p0({operands})")

    def fma(self, f: Asm, a: str, b: str, c: str) -> str:
        return f.call(self.type, f"@llvm.fma.{self.mangled}", *(f"{self.type} {x}" for x in (a, b, c)))

    def sum(self, f: Asm, value: str) -> str:
        operands = f"{self.kind} 0.0, {self.type} {value}"
        return f.op(f"call reassoc {self.kind} @llvm.vector.reduce.fadd.{self.mangled}({operands})")


def element(f: Asm, kind: str, base: str, i: str, stride: str) -> str:
    """The address of base[i * stride]."""
    return f.gep(base, f.mul(i, stride), kind)


def duration(f: Asm, v: Vector, multiplications: str) -> str:
    """ns that they take, about."""
    return f.udiv(multiplications, 256 // v.align)


def over_vectors(f: Asm, v: Vector, count: str, body: Callable[[str, str], None]) -> None:
    """body(index, mask) for whole vectors (mask "") and then for the rest."""
    full = f.and_(count, -v.lanes)
    with f.loop(full, step=v.lanes) as loop:
        body(loop.index, "")
    rest = f.sub(count, full)
    with f.when(f.gt(rest, 0)):
        body(full, v.mask(f, rest))


def layout(f: Asm, rows: str, columns: str, rs: str, cs: str) -> tuple[str, str, str, str]:
    """How the BLAS can see an operand: (i1 as it is, its leading dimension, i1 transposed, that one's).

    A stride along an axis of one element does not matter; a leading dimension is at least 1 and the row's length.
    """
    answers: list[str] = []
    for outer, inner, major, minor in ((rows, columns, rs, cs), (columns, rows, cs, rs)):
        single = f.le(outer, 1)
        unit = f.op(f"or i1 {f.eq(minor, 1)}, {f.le(inner, 1)}")
        strided = f.op(f"or i1 {f.ge(major, inner)}, {single}")
        answers += [f.all(unit, strided), f.choose(single, inner, major)]
    return answers[0], answers[1], answers[2], answers[3]


def readable(f: Asm) -> str:
    """Whether the BLAS can see both operands where they are: then there is no room to pack them."""
    layouts = (layout(f, "%m", "%k", "%rsa", "%csa"), layout(f, "%k", "%n", "%rsb", "%csb"))
    return f.all(*(f.any(x[0], x[2]) for x in layouts))


# Tiles over n: rows of C are sums of rows of B


def rows_name(v: Vector, rows: int, k: int | None) -> str:
    return f"rows_{v.kind}_{rows}_{k or 'k'}"


def rows_tile(v: Vector, rows: int, k: int | None) -> str:
    """`rows` rows of C: C (if add) + alpha A B, with B's and C's rows contiguous; `k` known or read."""
    params = ("i64 n", "i64 k", "ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "ptr c", "i64 ldc")
    f = Asm("void", rows_name(v, rows, k), (*params, f"{v.kind} alpha", "i1 add"), internal=True)
    a = [element(f, v.kind, "%a", str(r), "%rsa") for r in range(rows)]
    c = [element(f, v.kind, "%c", str(r), "%ldc") for r in range(rows)]
    alpha = v.splat(f, "%alpha")
    splats: list[list[str]] = []
    if k:
        b = [element(f, v.kind, "%b", str(j), "%rsb") for j in range(k)]
        splats = [
            [v.splat(f, f.load(v.kind, element(f, v.kind, a[r], str(j), "%csa"))) for j in range(k)]
            for r in range(rows)
        ]

    def body(i: str, mask: str) -> None:
        out = [f.gep(c[r], i, v.kind) for r in range(rows)]
        if k:
            loaded = [v.load(f, f.gep(b[j], i, v.kind), mask) for j in range(k)]
            sums = [f.op(f"fmul {v.type} {splats[r][0]}, {loaded[0]}") for r in range(rows)]
            for j in range(1, k):
                sums = [v.fma(f, splats[r][j], loaded[j], sums[r]) for r in range(rows)]
        else:
            first = f.gep("%b", i, v.kind)
            with f.loop("%k", *[(v.type, "zeroinitializer")] * rows) as loop:
                loaded_b = v.load(f, element(f, v.kind, first, loop.index, "%rsb"), mask)
                for r in range(rows):
                    scalar = f.load(v.kind, element(f, v.kind, a[r], loop.index, "%csa"))
                    loop.next.append(v.fma(f, v.splat(f, scalar), loaded_b, loop.values[r]))
            sums = loop.values
        sums = [f.op(f"fmul {v.type} {alpha}, {s}") for s in sums]
        for value, place in zip(added(f, v, sums, out, mask), out, strict=True):
            v.store(f, value, place, mask)

    over_vectors(f, v, "%n", body)
    f.ret()
    return f.text


def added(f: Asm, v: Vector, sums: Sequence[str], places: Sequence[str], mask: str) -> list[str]:
    """The sums, with C's values if they are to be added to; C is not read otherwise."""
    yes, done, before = f.label("add"), f.label("store"), f.block
    f.branch("%add", yes, done)
    f.place(yes)
    added = [f.op(f"fadd {v.type} {v.load(f, p, mask)}, {s}") for p, s in zip(places, sums, strict=True)]
    end = f.block
    f.place(done)
    return [f.op(f"phi {v.type} [ {x}, %{end} ], [ {s}, %{before} ]") for x, s in zip(added, sums, strict=True)]


def rows_driver(v: Vector) -> str:
    """All rows of C, four at a time."""
    strided = ("ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "ptr c", "i64 ldc")
    params = (*SIZES, *strided, f"{v.kind} alpha", "i1 add")
    f = Asm("void", f"rows_{v.kind}", params, internal=True)
    fours = f.and_("%m", -4)

    def run(rows: int, i: str) -> None:
        a, c = element(f, v.kind, "%a", i, "%rsa"), element(f, v.kind, "%c", i, "%ldc")
        operands = (
            "i64 %n", "i64 %k", f"ptr {a}", "i64 %rsa", "i64 %csa", "ptr %b", "i64 %rsb", f"ptr {c}", "i64 %ldc",
            f"{v.kind} %alpha", "i1 %add",
        )  # fmt: skip
        done, general = f.label("done"), f.label("any")
        cases = {k: f.label(f"k{k}") for k in UNROLLED_TERMS}
        f.do(f"switch i64 %k, label %{general} [{' '.join(f'i64 {k}, label %{x}' for k, x in cases.items())}]")
        f.closed = True
        for k, label in (*cases.items(), (None, general)):
            f.place(label)
            f.call("void", "@" + rows_name(v, rows, k), *operands)
            f.jump(done)
        f.place(done)

    with f.loop(fours, step=4) as loop:
        run(4, loop.index)
        poll_each(f, loop.index, 256, 4)
    with f.loop("%m", start=fours) as loop:
        run(1, loop.index)
    f.ret()
    return f.text


# Tiles of dot products


def dot_name(v: Vector, rows: int, columns: int, unroll: int = 1, lines: bool = False) -> str:
    return f"dot_{v.kind}_{rows}_{columns}{f'_{unroll}' if unroll > 1 else ''}{'_lines' if lines else ''}"


def dot_tile(v: Vector, rows: int, columns: int, unroll: int = 1, lines: bool = False) -> str:
    """rows x columns elements of C (if add) + alpha A B, with k contiguous in A and B: `unroll` vectors of partial sums
    of each; lines: from the cache line on in which the first row begins, or column where there are more of these."""
    params = ("i64 k", "ptr a", "i64 rsa", "ptr b", "i64 csb", "ptr c", "i64 ldc", f"{v.kind} alpha", "i1 add")
    f = Asm("void", dot_name(v, rows, columns, unroll, lines), params, internal=True)
    off = _behind_line(f, v, "%a" if rows >= columns else "%b") if lines else ""
    starts = [element(f, v.kind, "%a", str(r), "%rsa") for r in range(rows)]
    starts += [element(f, v.kind, "%b", str(j), "%csb") for j in range(columns)]
    before = f.sub(0, off) if lines else ""
    places = [f.gep(x, before, v.kind) if lines else x for x in starts]

    def step(i: str, mask: str, sums: list[str]) -> list[str]:
        loaded = [v.load(f, f.gep(pointer, i, v.kind), mask) for pointer in places]
        pairs = ((x, y) for x in loaded[:rows] for y in loaded[rows:])
        return [v.fma(f, x, y, s) for (x, y), s in zip(pairs, sums, strict=True)]

    count = rows * columns
    totals = _from_a_line(f, v, step, unroll, count, off) if lines else _in_order(f, v, step, unroll, count)
    _finish(f, v, totals, rows, columns)
    return f.text


def _in_order(f: Asm, v: Vector, step: Step, unroll: int, count: int) -> list[str]:
    """Vectors of sums of all terms, of which some wait for no others."""
    full = f.and_("%k", -v.lanes)
    done, first = _unrolled(f, v, step, unroll, count) if unroll > 1 else ("0", ["zeroinitializer"] * count)
    with f.loop(full, *[(v.type, x) for x in first], start=done, step=v.lanes) as loop:
        loop.next = step(loop.index, "", loop.values)
    rest = f.sub("%k", full)
    tail, done, before = f.label("tail"), f.label("sum"), f.block
    f.branch(f.gt(rest, 0), tail, done)
    f.place(tail)
    last, end = step(full, v.mask(f, rest), loop.values), f.block
    f.place(done)
    return [f.op(f"phi {v.type} [ {x}, %{before} ], [ {y}, %{end} ]") for x, y in zip(loop.values, last, strict=True)]


def _finish(f: Asm, v: Vector, totals: list[str], rows: int, columns: int) -> None:
    """C from the vectors of sums."""
    few = min(columns, v.lanes)  # that are stored together
    kind, one = f"<{few} x {v.kind}>", f.op(f"insertelement <{few} x {v.kind}> poison, {v.kind} %alpha, i64 0")
    alpha = f.op(f"shufflevector {kind} {one}, {kind} poison, <{few} x i32> zeroinitializer")
    sums = [f.op(f"fmul {kind} {alpha}, {x}") for x in _sums(f, v, totals, few)]
    rows_of_c = [element(f, v.kind, "%c", str(r), "%ldc") for r in range(rows)]
    places = [f.gep(row, v.align * j) for row in rows_of_c for j in range(0, columns, few)]
    with f.when("%add"):
        for value, place in zip(sums, places, strict=True):
            old = f.op(f"load {kind}, ptr {place}, align {v.align}")
            f.do(f"store {kind} {f.op(f'fadd {kind} {old}, {value}')}, ptr {place}, align {v.align}")
        f.ret()
    for value, place in zip(sums, places, strict=True):
        f.do(f"store {kind} {value}, ptr {place}, align {v.align}")
    f.ret()


def _behind_line(f: Asm, v: Vector, pointer: str) -> str:
    """How many elements behind the beginning of a cache line, or of a shorter vector's place, it stands."""
    place = f.and_(f.op(f"ptrtoint ptr {pointer} to i64"), min(CACHE_LINE_BYTES, v.bytes) - 1)
    return f.lshr(place, v.align.bit_length() - 1)


def _from_a_line(f: Asm, v: Vector, step: Step, unroll: int, count: int, off: str) -> list[str]:
    """The same of `LONG` rows, of which %off lanes are left out at the beginning and some at the end.  The vectors of
    all are one ring: wherever in it a row begins, each lane adds up the same terms in the same order, and
    folding the ring in halves adds the same pairs, so that sums have the same bits."""
    span, total = unroll * v.lanes, f.add("%k", off)

    def inside(start: str) -> str:
        before, below = (v.mask(f, f.sub(x, start)) for x in (off, total))
        left_out = f.op(f"xor {v.mask_type} {before}, splat (i1 true)")
        return f.op(f"and {v.mask_type} {below}, {left_out}")

    first = _each_vector(f, v, step, unroll, count, "0", ["zeroinitializer"] * (unroll * count), inside)
    last = f.and_(f.sub(total, 1), -span)
    with f.loop(last, *((v.type, x) for x in first), start=str(span), step=span) as loop:
        loop.next = _each_vector(f, v, step, unroll, count, loop.index, loop.values)
    return _folded(f, v, _each_vector(f, v, step, unroll, count, last, loop.values, inside), count)


def _each_vector(
    f: Asm, v: Vector, step: Step, unroll: int, count: int, at: str, sums: Sequence[str],
    mask: Callable[[str], str] = lambda start: "",
) -> list[str]:  # fmt: skip
    """As many vectors, one behind the other: whole ones, or the lanes in the mask of one that begins at a term."""
    made: list[str] = []
    for t in range(unroll):
        start = f.add(at, t * v.lanes)
        made += step(start, mask(start), [*sums[t * count : (t + 1) * count]])
    return made


def _folded(f: Asm, v: Vector, sums: list[str], count: int) -> list[str]:
    """The partial sums of an element as one."""
    while len(sums) > count:
        half = len(sums) // 2
        sums = [f.op(f"fadd {v.type} {x}, {y}") for x, y in zip(sums[:half], sums[half:], strict=True)]
    return sums


def _unrolled(f: Asm, v: Vector, step: Step, unroll: int, count: int) -> tuple[str, list[str]]:
    """(how many terms are added up, `count` sums of them) of long rows, by so many vectors at a time."""
    end, states = f.and_("%k", -unroll * v.lanes), [(v.type, "zeroinitializer")] * (count * unroll)
    with f.loop(end, *states, step=unroll * v.lanes) as loop:
        loop.next = _each_vector(f, v, step, unroll, count, loop.index, loop.values)
    fold, short, before = f.label("fold"), f.label("short"), f.block
    f.branch(f.gt(end, 0), fold, short)
    f.place(fold)
    sums = _folded(f, v, loop.values, count)
    f.place(short)
    return end, [f.op(f"phi {v.type} [ zeroinitializer, %{before} ], [ {x}, %{fold} ]") for x in sums]


def _sums(f: Asm, v: Vector, totals: list[str], few: int) -> list[str]:
    """The sums of the lanes of vectors, in vectors of `few`."""
    together, made = min(len(totals), v.lanes), []
    for start in range(0, len(totals), together):
        whole = _lane_sums(f, v, totals[start : start + together])
        made += [_shuffle(f, v, together, (whole, whole), range(at, at + few)) for at in range(0, together, few)]
    return made


def _lane_sums(f: Asm, v: Vector, vectors: list[str]) -> str:
    """A vector of as many sums.  Lanes of several vectors are added at once: a vector holds a block of lanes of each,
    and what is added are the first and the second halves of blocks."""
    block = width = v.lanes
    while block > 1:
        pairs, span = zip(vectors[::2], vectors[1::2], strict=True), 2 * width
        if len(vectors) == 1:
            pairs, span = zip(vectors, vectors, strict=True), width
        halves = [
            [at + half + i for at in range(0, span, block) for i in range(block // 2)] for half in (0, block // 2)
        ]
        parts = [[_shuffle(f, v, width, pair, lanes) for lanes in halves] for pair in pairs]
        block, width = block // 2, len(halves[0])
        vectors = [f.op(f"fadd <{width} x {v.kind}> {x}, {y}") for x, y in parts]
    return vectors[0]


def _shuffle(f: Asm, v: Vector, width: int, pair: tuple[str, str], lanes: Sequence[int]) -> str:
    x, y = (f"<{width} x {v.kind}> {value}" for value in pair)
    return f.op(f"shufflevector {x}, {y}, <{len(lanes)} x i32> <{', '.join(f'i32 {i}' for i in lanes)}>")


def dots_driver(v: Vector) -> str:
    f = Asm("void", f"dots_{v.kind}", (*DOT_PARAMS, f"{v.kind} alpha", "i1 add"), internal=True)
    fours, ends = f.and_("%m", -4), {width: f.and_("%n", -width) for _, width in DOTS}
    for rows, start, end in ((4, "0", fours), (1, fours, "%m")):
        with f.loop(end, start=start, step=rows) as loop:
            done: str | int = 0
            for width in (w for r, w in DOTS if r == rows):
                _dot_columns(f, v, loop.index, rows, (done, ends[width], width))
                done = ends[width]
            if rows == 4:
                poll_each(f, loop.index, 256, 4)
    f.ret()
    return f.text


def vector_driver(v: Vector, lines: bool = False) -> str:
    """Of a product with a vector: one column, or else one row.  Not of parts of others: threads decide on these."""
    f = Asm("void", f"vector_dots_{v.kind}", (*DOT_PARAMS, f"{v.kind} alpha", "i1 add"), internal=True)
    if lines:
        with f.when(f.ge("%k", v.tuning.gemm.align_min_terms)):
            _vector_dots(f, v, True)
            f.ret()
    _vector_dots(f, v, False)
    f.ret()
    return f.text


def _vector_dots(f: Asm, v: Vector, lines: bool) -> None:
    fours, some = f.and_("%m", -4), f.and_("%n", -4)
    with f.when(f.eq("%n", 1)):
        for rows, start, end in ((4, "0", fours), (1, fours, "%m")):
            with f.loop(end, start=start, step=rows) as loop:
                _dot_columns(f, v, loop.index, rows, (0, "1", 1), INDEPENDENT_SUMS[rows, 1], lines)
        f.ret()
    for columns in ((0, some, 4), (some, "%n", 1)):
        _dot_columns(f, v, "0", 1, columns, INDEPENDENT_SUMS[1, columns[2]], lines)


def _dot_columns(
    f: Asm, v: Vector, i: str, rows: int, columns: tuple[str | int, str, int], unroll: int = 1, lines: bool = False
) -> None:
    """Of rows from number i on: columns (from, to, at once)."""
    start, end, width = columns
    lines = lines and (rows, width) in ALIGNED_DOTS
    with f.loop(end, start=start, step=width) as loop:
        a, b = element(f, v.kind, "%a", i, "%rsa"), element(f, v.kind, "%b", loop.index, "%csb")
        c = f.gep(element(f, v.kind, "%c", i, "%ldc"), loop.index, v.kind)
        operands = ("i64 %k", f"ptr {a}", "i64 %rsa", f"ptr {b}", "i64 %csb", f"ptr {c}", "i64 %ldc")
        f.call("void", f"@{dot_name(v, rows, width, unroll, lines)}", *operands, f"{v.kind} %alpha", "i1 %add")
