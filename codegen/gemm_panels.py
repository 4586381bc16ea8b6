"""Large matrix products by panels, in registers: C in tiles of 8 rows and 3 vectors, B packed into panels that fit the
caches, as GotoBLAS does (K. Goto and R. van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008).

For machines with 32 registers of 64 bytes.  Per step of k a tile loads 3 vectors of a panel of B and broadcasts 8
elements of A, which is read where it is, for 24 multiplications and additions.  Loops, from the outermost: columns that
share packed panels, blocks of k, blocks of rows, panels (each stays in the first-level cache), tiles.
"""

from __future__ import annotations

from tensordsl.codegen.abi import BLOCK_HEAD
from tensordsl.codegen.arena_text import block_text
from tensordsl.codegen.assembly import Asm
from tensordsl.codegen.gemm_tiles import SIZES, Vector, element, over_vectors

ROWS = (8, 4, 2, 1)
WIDE = 3  # vectors of a tile
BLOCK_K, BLOCK_M, PACKED = 256, 64, 1 << 20  # packed: bytes of panels at most
PACK_ROWS, PACK_BYTES = 48, 1 << 16  # of C and B, from which packing rows of B pays

STRIDED = ("ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "i64 csb", "ptr c", "i64 ldc")


def panel_texts(v: Vector) -> list[str]:
    """`panels_<type>`: C (if add) + alpha A B for any strides of A and B; i1: whether there was memory for it."""
    tiles = [_tile(v, rows, wide) for rows in ROWS for wide in range(1, WIDE + 1)]
    return [block_text(), *tiles, _pack(v), _block(v), _driver(v)]


def _tile(v: Vector, rows: int, wide: int) -> str:
    """`rows` rows and `wide` vectors of C, of the last of which `live` lanes."""
    params = ("i64 k", "ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "ptr c", "i64 ldc", "i64 live")
    f = Asm("void", f"tile_{v.kind}_{rows}_{wide}", (*params, f"{v.kind} alpha", "i1 add"), internal=True)
    size = v.align
    masks = [""] * (wide - 1) + [v.mask(f, "%live")]
    a = [element(f, v.kind, "%a", str(r), "%rsa") for r in range(rows)]
    step_a, step_b = (f.op(f"mul i64 {s}, {size}") for s in ("%csa", "%rsb"))
    state = [(v.type, "zeroinitializer")] * (rows * wide)
    with f.loop("%k", ("i64", "0"), ("ptr", "%b"), *state) as loop:
        at, b, *sums = loop.values
        loaded = [v.load(f, f.gep(b, j * v.lanes * size), m) for j, m in enumerate(masks)]
        made = []
        for r in range(rows):
            one = v.splat(f, f.load(v.kind, a[r], at))
            made += [v.fma(f, one, x, sums[r * wide + j]) for j, x in enumerate(loaded)]
        loop.next = [f.op(f"add i64 {at}, {step_a}"), f.gep(b, step_b), *made]
    alpha, sums = v.splat(f, "%alpha"), loop.values[2:]
    for r in range(rows):
        c = element(f, v.kind, "%c", str(r), "%ldc")
        for j, m in enumerate(masks):
            place, x = f.gep(c, j * v.lanes * size), f.op(f"fmul {v.type} {alpha}, {sums[r * wide + j]}")
            yes, done, before = f.label("add"), f.label("store"), f.block
            f.branch("%add", yes, done)
            f.place(yes)
            total = f.op(f"fadd {v.type} {v.load(f, place, m)}, {x}")
            f.place(done)
            v.store(f, f.op(f"phi {v.type} [ {total}, %{yes} ], [ {x}, %{before} ]"), place, m)
    f.ret()
    return f.text


def _pack(v: Vector) -> str:
    """to[k, width] = the first `live` columns of B; what is beyond them is not read.

    Adjacent rows are copied by vectors, adjacent columns turned in squares of vectors."""
    params = ("ptr to", "i64 width", "ptr b", "i64 k", "i64 rsb", "i64 csb", "i64 live")
    f = Asm("void", f"pack_panel_{v.kind}", params, internal=True)
    with f.when(f.compare("eq", "i64", "%csb", 1)):
        with f.loop("%k") as p:
            row, to = element(f, v.kind, "%b", p.index, "%rsb"), element(f, v.kind, "%to", p.index, "%width")

            def copy(i: str, mask: str) -> None:
                v.store(f, v.load(f, f.gep(row, i, v.kind), mask), f.gep(to, i, v.kind), mask)

            over_vectors(f, v, "%live", copy)
        f.ret()
    turned = f.compare("eq", "i64", "%rsb", 1)
    whole = f.op(f"and i64 %k, {-v.lanes}")
    squares = f.op(f"select i1 {turned}, i64 {f.op(f'and i64 %live, {-v.lanes}')}, i64 0")
    with f.loop(squares, step=v.lanes) as j, f.loop(whole, step=v.lanes) as p:
        start = f.gep(element(f, v.kind, "%b", j.index, "%csb"), p.index, v.kind)
        rows = [v.load(f, element(f, v.kind, start, str(r), "%csb")) for r in range(v.lanes)]
        to = f.gep(element(f, v.kind, "%to", p.index, "%width"), j.index, v.kind)
        for r, x in enumerate(_turned(f, v, rows)):
            v.store(f, x, element(f, v.kind, to, str(r), "%width"))
    done = f.op(f"select i1 {f.compare('sgt', 'i64', squares, 0)}, i64 {whole}, i64 0")
    with f.loop("%live") as j:
        first = f.op(f"select i1 {f.compare('slt', 'i64', j.index, squares)}, i64 {done}, i64 0")
        column, to = element(f, v.kind, "%b", j.index, "%csb"), f.gep("%to", j.index, v.kind)
        with f.loop("%k", start=first) as p:
            x = f.load(v.kind, element(f, v.kind, column, p.index, "%rsb"))
            f.store(v.kind, x, element(f, v.kind, to, p.index, "%width"))
    f.ret()
    return f.text


def _turned(f: Asm, v: Vector, rows: list[str]) -> list[str]:
    """The transpose of a square of vectors: as often as lanes can be halved, row i is interleaved with row i + half."""
    half, n = len(rows) // 2, v.lanes
    interleaved = [lane for i in range(n) for lane in (i, n + i)]
    for _ in range(n.bit_length() - 1):
        made = []
        for x, y in zip(rows[:half], rows[half:], strict=True):
            for lanes in (interleaved[:n], interleaved[n:]):
                mask = ", ".join(f"i32 {lane}" for lane in lanes)
                made.append(f.op(f"shufflevector {v.type} {x}, {v.type} {y}, <{n} x i32> <{mask}>"))
        rows = made
    return rows


def _least(f: Asm, x: str, y: str | int) -> str:
    return f.op(f"select i1 {f.compare('slt', 'i64', x, y)}, i64 {x}, i64 {y}")


def _columns(f: Asm, v: Vector, left: str) -> tuple[str, str, str]:
    """(vectors of the next tile, its columns, lanes of its last vector): of 4 vectors two tiles take 2 each."""
    vectors = f.op(f"sdiv i64 {f.op(f'add i64 {left}, {v.lanes - 1}')}, {v.lanes}")
    wide = f.op(f"select i1 {f.compare('eq', 'i64', vectors, 4)}, i64 2, i64 {_least(f, vectors, WIDE)}")
    columns = _least(f, left, f.op(f"mul i64 {wide}, {v.lanes}"))
    before = f.op(f"mul i64 {f.op(f'sub i64 {wide}, 1')}, {v.lanes}")
    return wide, columns, f.op(f"sub i64 {columns}, {before}")


def _block(v: Vector) -> str:
    """C (if add) + alpha A B for one panel of B: a tile after the other down the rows."""
    params = ("i64 m", "i64 wide", "i64 k", "ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "ptr c", "i64 ldc")
    f = Asm("void", f"block_{v.kind}", (*params, "i64 live", f"{v.kind} alpha", "i1 add"), internal=True)
    cases = {wide: f.label(f"wide{wide}") for wide in range(1, WIDE + 1)}
    f.do(f"switch i64 %wide, label %{cases[WIDE]} [{' '.join(f'i64 {k}, label %{x}' for k, x in cases.items())}]")
    f.closed = True
    for wide, label in cases.items():
        f.place(label)
        start = "0"
        for rows in ROWS:
            end = f.op(f"and i64 %m, {-rows}")
            with f.loop(end, start=start, step=rows) as i:
                a, c = element(f, v.kind, "%a", i.index, "%rsa"), element(f, v.kind, "%c", i.index, "%ldc")
                f.call(
                    "void", f"@tile_{v.kind}_{rows}_{wide}", "i64 %k", f"ptr {a}", "i64 %rsa", "i64 %csa", "ptr %b",
                    "i64 %rsb", f"ptr {c}", "i64 %ldc", "i64 %live", f"{v.kind} %alpha", "i1 %add",
                )  # fmt: skip
            start = end
        f.ret()
    return f.text


def _driver(v: Vector) -> str:
    params = ("ptr rt", *SIZES, *STRIDED, f"{v.kind} alpha", "i1 add")
    f = Asm("i1", f"panels_{v.kind}", params, internal=True)
    size, most = v.align, PACKED // (BLOCK_K * v.align) // (WIDE * v.lanes) * WIDE * v.lanes
    size_of_b = f.op(f"mul i64 {f.op('mul i64 %k, %n')}, {size}")
    pays = f.all(f.compare("sge", "i64", "%m", PACK_ROWS), f.compare("sgt", "i64", size_of_b, PACK_BYTES))
    packs = f.op(f"or i1 {f.compare('ne', 'i64', '%csb', 1)}, {pays}")
    take, go = f.label("take"), f.label("go")
    before = f.block
    f.branch(packs, take, go)
    f.place(take)
    width = f.op(f"add i64 {_least(f, '%n', most)}, {v.lanes - 1}")
    width = f.op(f"and i64 {width}, {-v.lanes}")
    count = f.op(f"mul i64 {width}, {_least(f, '%k', BLOCK_K)}")
    taken = f.call("ptr", "@take_block", "ptr %rt", f"i64 {f.op(f'mul i64 {count}, {size}')}")
    with f.when(f.is_null(taken)):
        f.ret("i1", "false")
    room, end = f.gep(taken, BLOCK_HEAD), f.block
    f.place(go)
    block = f.op(f"phi ptr [ null, %{before} ], [ {taken}, %{end} ]")
    panels = f.op(f"phi ptr [ null, %{before} ], [ {room}, %{end} ]")
    with f.loop("%n", step=most) as jc, f.loop("%k", step=BLOCK_K) as pc:
        columns = _least(f, f.op(f"sub i64 %n, {jc.index}"), most)
        k = _least(f, f.op(f"sub i64 %k, {pc.index}"), BLOCK_K)
        a = element(f, v.kind, "%a", pc.index, "%csa")
        b = element(f, v.kind, element(f, v.kind, "%b", pc.index, "%rsb"), jc.index, "%csb")
        c = f.gep("%c", jc.index, v.kind)
        add = f.op(f"or i1 %add, {f.compare('sgt', 'i64', pc.index, 0)}")
        with f.loop("%m", step=BLOCK_M) as ic:
            m = _least(f, f.op(f"sub i64 %m, {ic.index}"), BLOCK_M)
            rows = element(f, v.kind, a, ic.index, "%rsa"), element(f, v.kind, c, ic.index, "%ldc")
            fills = f.all(packs, f.compare("eq", "i64", ic.index, 0))
            _panels(f, v, (m, columns, k), rows, b, panels, (packs, fills), add)
    with f.when(packs):
        f.call("void", "@give_block", "ptr %rt", f"ptr {block}")
    f.ret("i1", "true")
    return f.text


def _panels(
    f: Asm, v: Vector, sizes: tuple[str, str, str], rows: tuple[str, str], b: str, panels: str,
    packing: tuple[str, str], add: str,
) -> None:  # fmt: skip
    """One block of rows over all panels; the first one packs them."""
    (m, columns, k), (a, c), (packs, fills) = sizes, rows, packing
    head, body, done, before = f.label("head"), f.label("body"), f.label("exit"), f.block
    j, following = f"%j{head.split('.')[1]}", f"%next{head.split('.')[1]}"
    f.jump(head)
    f.place(head)
    at = len(f.lines)
    f.branch(f.compare("slt", "i64", j, columns), body, done)
    f.place(body)
    wide, some, live = _columns(f, v, f.op(f"sub i64 {columns}, {j}"))
    width = f.op(f"mul i64 {wide}, {v.lanes}")
    source = element(f, v.kind, b, j, "%csb")
    panel = f.op(f"getelementptr {v.kind}, ptr {panels}, i64 {f.op(f'mul i64 {j}, {k}')}")
    with f.when(fills):
        f.call(
            "void", f"@pack_panel_{v.kind}", f"ptr {panel}", f"i64 {width}", f"ptr {source}", f"i64 {k}", "i64 %rsb",
            "i64 %csb", f"i64 {some}",
        )  # fmt: skip
    used = f.op(f"select i1 {packs}, ptr {panel}, ptr {source}")
    step = f.op(f"select i1 {packs}, i64 {width}, i64 %rsb")
    f.call(
        "void", f"@block_{v.kind}", f"i64 {m}", f"i64 {wide}", f"i64 {k}", f"ptr {a}", "i64 %rsa", "i64 %csa",
        f"ptr {used}", f"i64 {step}", f"ptr {f.gep(c, j, v.kind)}", "i64 %ldc", f"i64 {live}",
        f"{v.kind} %alpha", f"i1 {add}",
    )  # fmt: skip
    f.do(f"{following} = add i64 {j}, {some}")
    last = f.block
    f.jump(head)
    f.lines.insert(at, f"  {j} = phi i64 [ 0, %{before} ], [ {following}, %{last} ]")
    f.place(done)
