"""Large matrix products: the five loops around the micro-kernel, and their tasks for threads.

Contract  `shared_<type>`: (beta C +) alpha A B, any strides of A and B; then an epilogue on each finished block of C.
When      the machine has 32 registers of 64 bytes (`panels`), and no BLAS is better (`gemm.dispatch`).
Why       each operand is packed for the cache level that it is read from; tasks are products, with the same sums.
Ref       BLIS's five loops: F. Van Zee and R. van de Geijn, BLIS, 2015.
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.blocks import block_text
from tensordsl.codegen.library.gemm.panels import LAST_TILE_VECTORS, TILE_ROWS, TILE_VECTORS
from tensordsl.codegen.library.gemm.text import SIZES, Vector, duration, element
from tensordsl.codegen.library.parallel import Job, if_worth, named, operands, share
from tensordsl.codegen.library.signals import drop, hold, poll
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.llvm.function import Function

STRIDED = ("ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "i64 csb", "ptr c", "i64 ldc")
OPERANDS = (*SIZES, *STRIDED)
_NARROW = "i1 narrow", "i64 height"  # of the whole product: whether `gemm.narrow` may do it, and its rows


def narrow_params(v: Vector) -> list[str]:
    return ["ptr rt", *SIZES, *STRIDED, f"{v.kind} alpha", "i1 add"]


def _job(v: Vector) -> Job:
    """Of a product; rows and columns of a part, parts of a row of parts."""
    return Job((*_params(v), *_NARROW, "i64 rows", "i64 columns", "i64 across"))


def _params(v: Vector) -> list[str]:
    """C begins at a `row` and a `column` of the whole; `then`, if not null, is a launch on that
    (`program_ir.gemm_epilogues`); `half`: what is above the diagonal of the whole need not be computed."""
    scales = f"{v.kind} alpha", "i1 add", f"{v.kind} beta"
    return ["ptr rt", *OPERANDS, *scales, "ptr then", "i1 half", "i64 row", "i64 column"]


def share_texts(v: Vector) -> list[str]:
    """`shared_<type>`: (if add) beta C + alpha A B for any strides of A and B, by several threads if that pays; and
    what follows it."""
    return [
        block_text(v.tuning),
        _strips(v),
        _product(v),
        _unpacked_product(v),
        _by_panels(v),
        _part(v),
        _shared(v),
    ]


def _quotient(c: Function, x: str, y: str | int) -> str:
    """x / y, rounded up."""
    return c.sdiv(c.sub(c.add(x, y), 1), y)


def _count(c: Function, v: Vector, columns: str) -> str:
    """How many panels."""
    return _quotient(c, columns, TILE_VECTORS * v.lanes)


def _columns(c: Function, v: Vector, columns: str, panel: str) -> tuple[str, str, str, str]:
    """(first column, vectors, columns, lanes of the last vector) of a panel: the last 4 vectors are two panels of 2."""
    vectors, last = _quotient(c, columns, v.lanes), c.sub(_count(c, v, columns), 1)
    single = c.eq(c.srem(vectors, TILE_VECTORS), 1)
    two = c.all(single, c.ge(c.add(panel, 1), last), c.gt(last, 0))
    back = c.as_i64(c.all(two, c.eq(panel, last)))
    start = c.sub(c.mul(panel, TILE_VECTORS), back)
    wide = c.choose(two, 2, c.min(c.sub(vectors, start), TILE_VECTORS))
    first = c.mul(start, v.lanes)
    some = c.min(c.sub(columns, first), c.mul(wide, v.lanes))
    return first, wide, some, c.sub(some, c.mul(c.sub(wide, 1), v.lanes))


def _unpacked(c: Function, v: Vector, vectors: str, panel: str) -> tuple[str, str, str]:
    """(first column, vectors, lanes of the last vector) where nothing is packed: the last 4 vectors are one panel."""
    left = c.sub(vectors, c.mul(panel, TILE_VECTORS))
    wide = c.choose(c.le(left, LAST_TILE_VECTORS), left, TILE_VECTORS)
    first = c.mul(panel, TILE_VECTORS * v.lanes)
    before = c.mul(c.sub(wide, 1), v.lanes)
    return first, wide, c.min(c.sub(c.sub("%n", first), before), v.lanes)


def _strip_columns(c: Function, v: Vector) -> str:
    """Columns of C from which packing A pays."""
    g = v.tuning.gemm
    return c.choose(c.eq("%csa", 1), g.strip_min_columns, g.strip_min_columns_strided)


def _strips(v: Vector) -> str:
    """A block of the pool with packed rows of A for a product of n columns; null: they are read where they are."""
    params = ["ptr rt", "i64 m", "i64 n", "i64 k", "ptr a", "i64 rsa", "i64 csa"]
    c = Function("ptr", f"strips_{v.kind}", params, internal=True)
    with c.when(c.lt("%n", _strip_columns(c, v))):
        c.ret("ptr", "null")
    bytes_ = c.mul(c.mul("%m", "%k"), v.align)
    block = c.call("ptr", "@take_block", "ptr %rt", f"i64 {bytes_}")
    with c.when(c.not_null(block)):
        to = c.gep(block, layouts.BLOCK_HEAD)
        c.call("void", f"@pack_strips_{v.kind}", f"ptr {to}", "i64 %m", "i64 %k", "ptr %a", "i64 %rsa", "i64 %csa")
    return c.end("ptr", block)


def _product(v: Vector) -> str:
    """i1: whether there was memory for panels; if not, nothing is done."""
    c = Function("i1", f"product_{v.kind}", _params(v), internal=True)
    most = _columns_together(c, v)
    packs, block = _panel_block(c, v, most)
    with c.when(packs):
        hold(c, block)
    panels, together = c.gep(block, layouts.BLOCK_HEAD), _rows_together(c, v, c.min("%n", most))
    with (
        c.loop("%n", step=most) as jc,
        c.loop("%k", step=v.tuning.gemm.block_terms) as pc,
        c.loop("%m", step=v.tuning.gemm.block_rows) as ic,
    ):
        columns = c.min(c.sub("%n", jc.index), most)
        k = c.min(c.sub("%k", pc.index), v.tuning.gemm.block_terms)
        m = c.min(c.sub("%m", ic.index), v.tuning.gemm.block_rows)
        a = element(c, v.kind, element(c, v.kind, "%a", pc.index, "%csa"), ic.index, "%rsa")
        b = element(c, v.kind, element(c, v.kind, "%b", pc.index, "%rsb"), jc.index, "%csb")
        below = element(c, v.kind, c.gep("%c", jc.index, v.kind), ic.index, "%ldc")
        later, last = (c.gt(pc.index, 0), c.ge(c.add(pc.index, v.tuning.gemm.block_terms), "%k"))
        adds = c.op(f"or i1 %add, {later}"), c.choose(later, "1.0", "%beta", v.kind)
        sizes = f"i64 {m}", "i64 %n", f"i64 {k}"
        strips = c.call("ptr", f"@strips_{v.kind}", "ptr %rt", *sizes, f"ptr {a}", "i64 %rsa", "i64 %csa")
        strided = c.is_null(strips)
        rows = c.choose(strided, a, c.gep(strips, layouts.BLOCK_HEAD), "ptr"), below
        _panels(c, v, (m, columns, k), (ic.index, jc.index), rows, b, panels, (packs, strided), adds)
        with c.when(c.not_null(strips)):
            c.call("void", "@give_block", "ptr %rt", f"ptr {strips}")
        end = c.add(ic.index, m)
        is_whole = c.any(c.eq(end, "%m"), c.eq(c.srem(end, together), 0))
        with c.when(c.all(last, is_whole)):
            first = c.mul(c.sdiv(ic.index, together), together)
            run_epilogue(c, (first, jc.index), (c.sub(end, first), columns))
        poll(c)
    with c.when(packs):
        drop(c)
        c.call("void", "@give_block", "ptr %rt", f"ptr {block}")
    return c.end("i1", "true")


def _rows_together(c: Function, v: Vector, columns: str) -> str:
    """How many rows of C what follows is run on at a time."""
    blocks = c.sdiv(v.tuning.gemm.epilogue_bytes // (v.tuning.gemm.block_rows * v.align), columns)
    return c.mul(c.max(blocks, 1), v.tuning.gemm.block_rows)


def run_epilogue(c: Function, first: tuple[str | int, str | int], sizes: tuple[str, str]) -> None:
    """What follows the product, on a block of C that is complete."""
    with c.when(c.not_null("%then")):
        row, column = (c.add(f"%{x}", at) for x, at in zip(("row", "column"), first, strict=True))
        run = c.load("ptr", "%rt", layouts.RT["run_tile"])
        c.call("void", run, "ptr %rt", "ptr %then", *(f"i64 {x}" for x in (row, column, *sizes)))


def _panels(
    c: Function, v: Vector, sizes: tuple[str, str, str], at: tuple[str, str], rows: tuple[str, str], b: str,
    panels: str, packing: tuple[str, str], adds: tuple[str, str],
) -> None:  # fmt: skip
    """One block of rows over all panels, from the diagonal on if these are `half`; the first one packs a panel."""
    (m, columns, k), (a, below), (packs, strided) = sizes, rows, packing
    with c.loop(_count(c, v, columns)) as loop:
        first, wide, some, live = _columns(c, v, columns, loop.index)
        start = _diagonal(c, c.add(at[1], first))
        above = c.max(c.sub(start, at[0]), 0)
        with c.when(c.lt(above, m)):
            width = c.mul(wide, v.lanes)
            source, panel = element(c, v.kind, b, first, "%csb"), element(c, v.kind, panels, first, k)
            with c.when(c.all(packs, c.ge(start, at[0]))):
                c.call(
                    "void", f"@pack_panel_{v.kind}", f"ptr {panel}", f"i64 {width}", f"ptr {source}", f"i64 {k}",
                    "i64 %rsb", "i64 %csb", f"i64 {some}",
                )  # fmt: skip
            used, step = c.choose(packs, panel, source, "ptr"), c.choose(packs, width, "%rsb")
            here = element(c, v.kind, a, above, c.choose(strided, "%rsa", k))
            result = c.gep(element(c, v.kind, below, above, "%ldc"), first, v.kind)
            c.call(
                "void", f"@block_{v.kind}", f"i64 {c.sub(m, above)}", f"i64 {wide}", f"i64 {k}",
                f"ptr {here}", "i64 %rsa", "i64 %csa", f"ptr {used}", f"i64 {step}", f"ptr {result}", "i64 %ldc",
                f"i64 {live}", f"{v.kind} %alpha", f"i1 {adds[0]}", f"{v.kind} {adds[1]}", f"i1 {strided}",
            )  # fmt: skip


def _diagonal(c: Function, column: str) -> str:
    """The first row, of whole tiles, that a column of C is needed in."""
    below = c.add(c.sub(column, "%row"), "%column")
    return c.choose("%half", c.max(c.and_(below, -TILE_ROWS[0]), 0), 0)


def _columns_together(c: Function, v: Vector) -> str:
    """How many columns of B are packed at a time: whole panels, about as many each time."""
    width = TILE_VECTORS * v.lanes
    panels = c.sdiv(v.tuning.gemm.packed_bytes // (v.align * width), c.max(c.min("%k", v.tuning.gemm.block_terms), 1))
    count = _quotient(c, "%n", width)
    parts = _quotient(c, count, c.max(panels, 1))
    return c.mul(_quotient(c, count, parts), width)


def _panel_block(c: Function, v: Vector, most: str) -> tuple[str, str]:
    """(whether panels of B are packed, the block of the pool for them).  The function ends where there is no memory."""
    bytes_of_b = c.mul(c.mul("%k", "%n"), v.align)
    pays = c.all(c.ge("%m", v.tuning.gemm.pack_min_rows), c.gt(bytes_of_b, v.tuning.gemm.pack_min_bytes))
    packs = c.any(c.ne("%csb", 1), pays)
    take, go = c.label("take"), c.label("go")
    before = c.block
    c.branch(packs, take, go)
    c.place(take)
    width = c.and_(c.add(c.min("%n", most), v.lanes - 1), -v.lanes)
    count = c.mul(width, c.min("%k", v.tuning.gemm.block_terms))
    taken = c.call("ptr", "@take_block", "ptr %rt", f"i64 {c.mul(count, v.align)}")
    with c.when(c.is_null(taken)):
        c.ret("i1", "false")
    end = c.block
    c.place(go)
    return packs, c.op(f"phi ptr [ null, %{before} ], [ {taken}, %{end} ]")


def unpacked_params(v: Vector) -> list[str]:
    return ["ptr rt", *OPERANDS, f"{v.kind} alpha", "i1 add", f"{v.kind} beta"]


def _unpacked_product(v: Vector) -> str:
    """i1: has it done the product, of two vectors of columns and more?  Sums are those of `product`."""
    c = Function("i1", f"unpacked_{v.kind}", unpacked_params(v), internal=True)
    size = c.mul(c.mul("%m", "%n"), "%k")
    bytes_of_b = c.mul(c.mul("%k", "%n"), v.align)
    unpacked = c.any(c.lt("%m", v.tuning.gemm.pack_min_rows), c.le(bytes_of_b, v.tuning.gemm.pack_min_bytes))
    strided = c.lt("%n", _strip_columns(c, v))
    several = c.all(c.gt("%m", v.tuning.gemm.unpacked_min_rows), c.gt("%k", v.tuning.gemm.unpacked_min_rows))
    rest = c.and_("%n", v.lanes - 1)  # columns that may be a product of their own
    full = c.any(c.eq(rest, 0), c.gt(rest, v.lanes // 2), c.lt("%k", v.tuning.gemm.thin_min_terms))
    little = c.lt(duration(c, v, size), v.tuning.gemm.parallel_min_ns)
    alone = c.any(c.is_null(c.load("ptr", "%rt", layouts.RT["threads"])), little)
    small = c.all(c.le(size, v.tuning.gemm.unpacked_max), c.le("%k", v.tuning.gemm.block_terms), alone)
    with c.when(c.negate(c.all(c.eq("%csb", 1), several, full, small, unpacked, strided))):
        c.ret("i1", "false")
    vectors = _quotient(c, "%n", v.lanes)
    with c.loop(c.max(c.sdiv(c.add(vectors, 1), TILE_VECTORS), 1)) as loop:
        first, wide, live = _unpacked(c, v, vectors, loop.index)
        b, result = (c.gep(x, first, v.kind) for x in ("%b", "%c"))
        c.call(
            "void", f"@block_{v.kind}", "i64 %m", f"i64 {wide}", "i64 %k", "ptr %a", "i64 %rsa", "i64 %csa", f"ptr {b}",
            "i64 %rsb", f"ptr {result}", "i64 %ldc", f"i64 {live}", f"{v.kind} %alpha", "i1 %add", f"{v.kind} %beta",
            "i1 true",
        )  # fmt: skip
    return c.end("i1", "true")


def _by_panels(v: Vector) -> str:
    """The product; what lacks memory is done by the plain loop."""
    c = Function("void", f"by_panels_{v.kind}", [*_params(v), *_NARROW], internal=True)
    given, beta = passed(narrow_params(v)), f"{v.kind} %beta"
    with c.when("%narrow"):
        with c.when(c.call("i1", f"@narrow_{v.kind}", *given, beta, "i64 %height")):
            run_epilogue(c, (0, 0), ("%m", "%n"))
            c.ret()
    with c.when(c.call("i1", f"@product_{v.kind}", *passed(_params(v)))):
        c.ret()
    with c.when(c.all("%add", c.op(f"fcmp une {v.kind} %beta, 1.0"))):
        c.call("void", f"@scale_{v.kind}", "i64 %m", "i64 %n", "ptr %c", "i64 %ldc", beta)
    c.call("void", f"@plain_{v.kind}", *given)
    run_epilogue(c, (0, 0), ("%m", "%n"))
    return c.end()


def _part(v: Vector) -> str:
    """A part of a job: rows by panels of C."""
    c = Function("void", f"part_{v.kind}", ["ptr job", "i64 part"], internal=True)
    given = _job(v).given(c)
    across, rows, width = (given[name] for name in ("across", "rows", "columns"))
    above = c.mul(c.sdiv("%part", across), rows)
    left = c.mul(c.srem("%part", across), width)
    given["a"] = element(c, v.kind, given["a"], above, given["rsa"])
    given["b"] = element(c, v.kind, given["b"], left, given["csb"])
    given["c"] = c.gep(element(c, v.kind, given["c"], above, given["ldc"]), left, v.kind)
    given |= {x: c.add(given[x], at) for x, at in (("row", above), ("column", left))}
    given["m"] = c.min(c.sub(given["m"], above), rows)
    given["n"] = c.min(c.sub(given["n"], left), width)
    c.call("void", f"@by_panels_{v.kind}", *operands((*_params(v), *_NARROW), given))
    return c.end()


def _shared(v: Vector) -> str:
    """Parts are whole panels of some or of all rows."""
    c = Function("void", f"shared_{v.kind}", _params(v), internal=True)
    pool = c.load("ptr", "%rt", layouts.RT["threads"])
    work = duration(c, v, c.mul(c.mul("%m", "%n"), "%k"))
    shared, alone = c.label("share"), c.label("alone")
    narrow = c.all(c.le("%n", v.lanes * v.tuning.gemm.thin_vectors), c.op("xor i1 %half, true"))
    if_worth(c, v.tuning, pool, work, v.tuning.gemm.parallel_min_ns, shared, alone)
    c.place(alone)
    c.call("void", f"@by_panels_{v.kind}", *passed(_params(v)), f"i1 {narrow}", "i64 %m")
    c.ret()
    c.place(shared)
    threads = c.add(c.load("i64", pool, layouts.TH_WANTED), 1)
    each = c.max(c.min(c.udiv(work, c.mul(threads, v.tuning.gemm.task_ns)), v.tuning.gemm.tasks_per_thread), 1)
    wanted, vectors = c.mul(threads, each), _quotient(c, "%n", v.lanes)
    by_rows = c.all(c.ne("%csa", 1), c.ge(c.sdiv("%m", v.tuning.gemm.task_min_rows), wanted))
    across = c.choose(by_rows, 1, c.min(_quotient(c, vectors, v.tuning.gemm.task_vectors), wanted))
    columns = c.mul(_quotient(c, vectors, across), v.lanes)
    across = _quotient(c, "%n", columns)
    down = c.max(_quotient(c, wanted, across), c.min(c.sdiv("%m", v.tuning.gemm.task_high_rows), 2))
    rows = c.mul(_quotient(c, _quotient(c, "%m", down), TILE_ROWS[0]), TILE_ROWS[0])
    rows = c.max(rows, v.tuning.gemm.task_min_rows)
    sizes = {"narrow": narrow, "height": "%m", "rows": rows, "columns": columns, "across": across}
    job = _job(v).made(c, named(_params(v)) | sizes)
    parts = c.mul(across, _quotient(c, "%m", rows))
    share(c, pool, f"part_{v.kind}", job, parts)
    return c.end()
