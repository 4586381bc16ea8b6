"""The micro-kernel of large products: tiles of 8 rows and 3 vectors of C, from packed panels of B and strips of A.

Contract  `block_<type>`: one panel's tiles down the rows; `pack_panel_<type>`, `pack_strips_<type>`.
When      the machine has 32 registers of 64 bytes.
Why       a step of k loads 3 vectors of B and broadcasts 8 elements of A for 24 fused multiply-adds.
Ref       K. Goto and R. van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.library.gemm.text import Vector, element, over_vectors
from tensordsl.codegen.llvm.builder import Asm

TILE_ROWS = (8, 4, 2, 1)
# Of tiles whose last vector may be half as long: where registers go as two, it takes half the time.
HALVED_ROWS = TILE_ROWS[:2]
TILE_VECTORS = 3  # of 4 there are two of 2 (`gemm.macro_kernel`), which no other width would leave
LAST_TILE_VECTORS, LAST_TILE_ROWS = 4, (6, 4, 2, 1)  # of a product that packs nothing


def panel_texts(v: Vector) -> list[str]:
    """`pack_panel_<type>`, `pack_strips_<type>` and `block_<type>`, with what they call."""
    tiles = [_tile(v, rows, wide) for rows in TILE_ROWS for wide in range(1, TILE_VECTORS + 1)]
    tiles += [_tile(v, rows, wide, halved=True) for rows in HALVED_ROWS for wide in range(1, TILE_VECTORS + 1)]
    tiles += [_tile(v, rows, LAST_TILE_VECTORS) for rows in LAST_TILE_ROWS]
    return [halves(v).declarations(), *tiles, _pack_panel(v), _pack_strips(v), _block(v)]


def halves(v: Vector) -> Vector:
    return Vector(v.kind, v.lanes // 2, v.tuning)


def _tile(v: Vector, rows: int, wide: int, halved: bool = False) -> str:
    """`rows` rows and `wide` vectors of C, of the last of which, which may be half as long, `live` lanes: (if add)
    beta C + alpha A B."""
    params = ("i64 k", "ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "ptr c", "i64 ldc", "i64 live")
    factors = (f"{v.kind} alpha", "i1 add", f"{v.kind} beta")
    f = Asm("void", _name(v, rows, wide, halved), (*params, *factors), internal=True)
    size, vectors = v.align, [v] * (wide - 1) + [halves(v) if halved else v]
    masks = [""] * (wide - 1) + [vectors[-1].mask(f, "%live")]
    a = [element(f, v.kind, "%a", str(r), "%rsa") for r in range(rows)]
    step_a, step_b = (f.mul(s, size) for s in ("%csa", "%rsb"))
    shared = f.eq(f.and_(step_b, v.tuning.gemm.same_set_bytes - 1), 0)
    ahead = f.choose(shared, 0, f.mul(step_b, v.tuning.gemm.prefetch_steps))
    state = [(u.type, "zeroinitializer") for u in vectors] * rows
    for r in range(rows):
        c = element(f, v.kind, "%c", str(r), "%ldc")
        for j in range(wide):
            _prefetch(f, v, f.gep(c, j * v.lanes * size), 1)
    below, adjacent = element(f, v.kind, "%a", str(rows), "%rsa"), f.eq("%csa", 1)
    along = f.choose(adjacent, rows * size, 0)
    # The next tile's rows of A are prefetched meanwhile, where they are adjacent and follow these.
    with f.loop("%k", ("i64", "0"), ("ptr", "%b"), ("ptr", below), *state) as loop:
        at, b, next_rows, *sums = loop.values
        _prefetch(f, v, next_rows, 0)
        for j in range(wide):
            _prefetch(f, v, f.gep(f.gep(b, ahead), j * v.lanes * size), 0)
        columns = [*zip(vectors, masks, strict=True)]
        loaded = [u.load(f, f.gep(b, j * v.lanes * size), m) for j, (u, m) in enumerate(columns)]
        made = []
        for r in range(rows):
            ones = _splats(f, vectors, f.load(v.kind, a[r], at))
            parts = zip(vectors, ones, loaded, sums[r * wide : (r + 1) * wide], strict=True)
            made += [u.fma(f, one, x, total) for u, one, x, total in parts]
        loop.next = [f.add(at, step_a), f.gep(b, step_b), f.gep(next_rows, along), *made]
    scales, sums = [*zip(*(_splats(f, vectors, x) for x in ("%alpha", "%beta")), strict=True)], loop.values[3:]
    for r in range(rows):
        c = element(f, v.kind, "%c", str(r), "%ldc")
        for j, (u, m) in enumerate(columns):
            _store(f, u, sums[r * wide + j], f.gep(c, j * v.lanes * size), m, scales[j])
    f.ret()
    return f.text


def _splats(f: Asm, vectors: Sequence[Vector], scalar: str) -> list[str]:
    """In vectors of all types: each by a load, which is a part of the multiplication; of three the last from the
    others'."""
    if len(vectors) < TILE_VECTORS:
        return [u.splat(f, scalar) for u in vectors]
    whole, last = vectors[0].splat(f, scalar), vectors[-1]
    lanes = ", ".join(f"i32 {k}" for k in range(last.lanes))
    part = f.op(f"shufflevector {vectors[0].type} {whole}, {vectors[0].type} poison, <{last.lanes} x i32> <{lanes}>")
    return [whole] * (len(vectors) - 1) + [part]


def _name(v: Vector, rows: int, wide: int, halved: bool) -> str:
    return f"tile_{v.kind}_{rows}_{wide}{'h' * halved}"


def _store(f: Asm, v: Vector, total: str, place: str, mask: str, scales: tuple[str, ...]) -> None:
    alpha, beta = scales
    x = f.op(f"fmul {v.type} {alpha}, {total}")
    yes, done, before = f.label("add"), f.label("store"), f.block
    f.branch("%add", yes, done)
    f.place(yes)
    old = f.op(f"fadd {v.type} {f.op(f'fmul {v.type} {beta}, {v.load(f, place, mask)}')}, {x}")
    f.place(done)
    v.store(f, f.op(f"phi {v.type} [ {old}, %{yes} ], [ {x}, %{before} ]"), place, mask)


def _prefetch(f: Asm, v: Vector, address: str, writes: int) -> None:
    if v.tuning.allows("prefetch_blocks"):
        f.do(f"call void @llvm.prefetch.p0(ptr {address}, i32 {writes}, i32 3, i32 1)")


def _pack_panel(v: Vector) -> str:
    """to[k, width] = the first `live` columns of B; what is beyond them is not read.

    Adjacent rows are copied by vectors, adjacent columns transposed in squares of vectors."""
    params = ("ptr to", "i64 width", "ptr b", "i64 k", "i64 rsb", "i64 csb", "i64 live")
    f = Asm("void", f"pack_panel_{v.kind}", params, internal=True)
    with f.when(f.eq("%csb", 1)):
        with f.loop("%k") as p:
            row, to = element(f, v.kind, "%b", p.index, "%rsb"), element(f, v.kind, "%to", p.index, "%width")

            def copy(i: str, mask: str) -> None:
                v.store(f, v.load(f, f.gep(row, i, v.kind), mask), f.gep(to, i, v.kind), mask)

            over_vectors(f, v, "%live", copy)
        f.ret()
    transposed = f.eq("%rsb", 1)
    whole = f.and_("%k", -v.lanes)
    squares = f.choose(transposed, f.and_("%live", -v.lanes), 0)
    with f.loop(squares, step=v.lanes) as j, f.loop(whole, step=v.lanes) as p:
        start = f.gep(element(f, v.kind, "%b", j.index, "%csb"), p.index, v.kind)
        to = f.gep(element(f, v.kind, "%to", p.index, "%width"), j.index, v.kind)
        store_transposed(f, v, start, "%csb", to, "%width")
    done = f.choose(f.gt(squares, 0), whole, 0)
    with f.loop("%live") as j:
        first = f.choose(f.lt(j.index, squares), done, 0)
        column, to = element(f, v.kind, "%b", j.index, "%csb"), f.gep("%to", j.index, v.kind)
        _copy_column(f, v, first, column, "%rsb", to, "%width")
    f.ret()
    return f.text


def _pack_strips(v: Vector) -> str:
    """Strips of A: to[i k:] holds rows i to i + r of A as [k, r], for each r of ROWS as often as it fits."""
    f = Asm("void", f"pack_strips_{v.kind}", ("ptr to", "i64 m", "i64 k", "ptr a", "i64 rsa", "i64 csa"), internal=True)
    square = Vector(v.kind, TILE_ROWS[0], v.tuning)
    eights, whole = f.and_("%m", -TILE_ROWS[0]), f.and_("%k", -TILE_ROWS[0])
    adjacent, transposed = f.eq("%rsa", 1), f.eq("%csa", 1)
    copied = f.choose(adjacent, eights, 0)
    along = f.choose(adjacent, "%k", 0)
    with f.loop(along) as p:  # a row of A' after the other, as they lie in memory
        row, first = element(f, v.kind, "%a", p.index, "%csa"), element(f, v.kind, "%to", p.index, str(TILE_ROWS[0]))
        with f.loop(copied, step=TILE_ROWS[0]) as i:
            square.store(f, square.load(f, f.gep(row, i.index, v.kind)), element(f, v.kind, first, i.index, "%k"))
    squares = f.choose(f.op(f"xor i1 {adjacent}, true"), eights, 0)
    done = f.choose(transposed, whole, 0)
    with f.loop(squares, step=TILE_ROWS[0]) as i:
        a, to = element(f, v.kind, "%a", i.index, "%rsa"), element(f, v.kind, "%to", i.index, "%k")
        with f.loop(done, step=TILE_ROWS[0]) as p:
            start = f.gep(a, p.index, v.kind)
            store_transposed(
                f, square, start, "%rsa", element(f, v.kind, to, p.index, str(TILE_ROWS[0])), str(TILE_ROWS[0])
            )
        _strip(f, v, a, to, TILE_ROWS[0], done)
    for rows in TILE_ROWS[1:]:
        with f.when(f.ne(f.and_("%m", rows), 0)):
            above = f.and_("%m", -2 * rows)
            _strip(f, v, element(f, v.kind, "%a", above, "%rsa"), element(f, v.kind, "%to", above, "%k"), rows, "0")
    f.ret()
    return f.text


def _strip(f: Asm, v: Vector, a: str, to: str, rows: int, start: str) -> None:
    with f.loop(str(rows)) as r:
        row = element(f, v.kind, a, r.index, "%rsa")
        _copy_column(f, v, start, row, "%csa", f.gep(to, r.index, v.kind), str(rows))


def _copy_column(f: Asm, v: Vector, start: str, source: str, step: str, to: str, width: str) -> None:
    """to[p width] = source[p step] for p from `start` to k."""
    with f.loop("%k", start=start) as p:
        x = f.load(v.kind, element(f, v.kind, source, p.index, step))
        f.store(v.kind, x, element(f, v.kind, to, p.index, width))


def store_transposed(f: Asm, v: Vector, source: str, row: str, to: str, width: str) -> None:
    """A square of vectors with leading dimension `row` is stored transposed, with `width`: as often as lanes can be
    halved, row i is interleaved with row i + half."""
    rows = [v.load(f, element(f, v.kind, source, str(r), row)) for r in range(v.lanes)]
    half, n = len(rows) // 2, v.lanes
    interleaved = [lane for i in range(n) for lane in (i, n + i)]
    for _ in range(n.bit_length() - 1):
        made = []
        for x, y in zip(rows[:half], rows[half:], strict=True):
            for lanes in (interleaved[:n], interleaved[n:]):
                mask = ", ".join(f"i32 {lane}" for lane in lanes)
                made.append(f.op(f"shufflevector {v.type} {x}, {v.type} {y}, <{n} x i32> <{mask}>"))
        rows = made
    for r, x in enumerate(rows):
        v.store(f, x, element(f, v.kind, to, str(r), width))


def _block(v: Vector) -> str:
    """(If add) beta C + alpha A B for one panel of B: a tile after the other down the rows.  A is strided, or in
    strips."""
    params = ("i64 m", "i64 wide", "i64 k", "ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "ptr c", "i64 ldc")
    given = (*params, "i64 live", f"{v.kind} alpha", "i1 add", f"{v.kind} beta", "i1 strided")
    f = Asm("void", f"block_{v.kind}", given, internal=True)
    down, rsa = (f.choose("%strided", "%rsa", x) for x in ("%k", "1"))
    columns = {rows: f.choose("%strided", "%csa", rows) for rows in {*TILE_ROWS, *LAST_TILE_ROWS}}
    cases = {(wide, halved): f.label(f"wide{wide}") for wide in range(1, TILE_VECTORS + 1) for halved in (False, True)}
    cases[LAST_TILE_VECTORS, False] = f.label(f"wide{LAST_TILE_VECTORS}")
    few = f.op(f"zext i1 {f.le('%live', v.lanes // 2)} to i64")
    which = f.add(f.mul("%wide", 2), few)
    known = {**cases, (LAST_TILE_VECTORS, True): cases[LAST_TILE_VECTORS, False]}
    targets = " ".join(f"i64 {2 * wide + halved}, label %{x}" for (wide, halved), x in known.items())
    f.do(f"switch i64 {which}, label %{cases[TILE_VECTORS, False]} [{targets}]")
    f.closed = True
    for (wide, halved), label in cases.items():
        f.place(label)
        start = "0"
        for rows in LAST_TILE_ROWS if wide == LAST_TILE_VECTORS else TILE_ROWS:
            left = f.sub("%m", start)
            end = f.sub("%m", f.urem(left, rows))
            with f.loop(end, start=start, step=rows) as i:
                a, c = element(f, v.kind, "%a", i.index, down), element(f, v.kind, "%c", i.index, "%ldc")
                name = _name(v, rows, wide, halved and rows in HALVED_ROWS)
                f.call(
                    "void", f"@{name}", "i64 %k", f"ptr {a}", f"i64 {rsa}",
                    f"i64 {columns[rows]}", "ptr %b", "i64 %rsb", f"ptr {c}", "i64 %ldc", "i64 %live",
                    f"{v.kind} %alpha", "i1 %add", f"{v.kind} %beta",
                )  # fmt: skip
            start = end
        f.ret()
    return f.text
