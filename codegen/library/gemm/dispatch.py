"""Matrix products: which kernel a product takes; the modules `gemm_float64` and `gemm_float32`.

Contract  C[m, n] = alpha A[m, k] B[k, n] + beta C, any strides of A and B, C in rows of ldc >= n; beta = 0 never reads
          C; the arguments stand in `abi.layouts.HELPERS`.
When      `_gemm` has the table of conditions.
Why       small, thin and symmetric products have kernels of their own; large ones go to panels or to the BLAS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tensordsl.codegen.abi import layouts as abi
from tensordsl.codegen.abi.descriptor import RUN_NEST_PARAMS
from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.kernel_ir.types import f32, f64
from tensordsl.codegen.library.alternate_stack import (
    STACK_INTRINSICS,
    alternate_stack_texts,
    needs_alternate_stack,
    of_table_text,
    on_alternate_stack,
)
from tensordsl.codegen.library.blocks import block_text
from tensordsl.codegen.library.gemm.batched import stack_texts
from tensordsl.codegen.library.gemm.few_rows import ROWS, few_functions
from tensordsl.codegen.library.gemm.macro_kernel import share_functions
from tensordsl.codegen.library.gemm.narrow import narrow_functions
from tensordsl.codegen.library.gemm.panels import panel_functions
from tensordsl.codegen.library.gemm.syrk import gram_functions
from tensordsl.codegen.library.gemm.text import (
    MIRRORED,
    SIZES,
    Vector,
    element,
    is_gram,
    is_large,
    layout,
    over_vectors,
    readable,
)
from tensordsl.codegen.library.gemm.tiles import tile_functions
from tensordsl.codegen.library.parallel import Job, operands
from tensordsl.codegen.library.signals import BLOCKS, POLL, poll, poll_each
from tensordsl.codegen.llvm.builder import Asm, passed
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.llvm.kernel_text import module_text
from tensordsl.codegen.program_ir.gemm_epilogues import TILE
from tensordsl.codegen.target.tuning import Tuning

ELEMENTS = {"float64": f64, "float32": f32}
TYPES = {"float64": ("double", 8), "float32": ("float", 4)}
MAX_TILE_TERMS = 8  # the largest m, k (or n) of the tiles
BLAS_BLOCK_ELEMENTS = 768  # rows or columns of which pieces of a long product are multiples
INT_MAX = (1 << 31) - 1  # of a BLAS with integers of 32 bits
SAFE_ALPHA = (2.0**-24, 2.0**24)  # a BLAS may apply alpha to an operand, which beyond could overflow or vanish
ROW_MAJOR, NO_TRANS, TRANS = 101, 111, 112  # CBLAS's flags

SIZE_VALUES = ("%m", "%n", "%k")
SIZED_OPERANDS = tuple(f"i64 {x}" for x in SIZE_VALUES)
STRIDED = ("ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "i64 csb", "ptr c", "i64 ldc")
PARAMS = ("ptr rt", *SIZES, *STRIDED, "double alpha", "double beta", "ptr scratch")


def gemm_text(dtype: str, t: Tuning) -> str:
    """The module of one dtype."""
    (kind, size), panels = TYPES[dtype], t.machine.has_panels and t.allows("own_gemm")
    vector = Vector(kind, t.machine.vector_bytes // size, t)
    v = ELEMENTS[dtype].of(vector.lanes)
    functions = [*tile_functions(v, t), *gram_functions(v, t)]
    if panels:
        functions += [*panel_functions(v, t), *share_functions(v, t), *few_functions(v, t), *narrow_functions(v, t)]
    bodies = [_pack(kind), _scale(vector), _triple_loop(kind)]
    bodies += [block_text(t)] if panels else []
    bodies += [
        _blocked(t, kind),
        _gemv(t, kind, dtype),
        *(_blas(t, kind, dtype), *alternate_stack_texts()),
        _gemm(vector, dtype, panels),
        _gemm_then(t, kind, dtype, panels),
        *stack_texts(vector, dtype, panels),
    ]
    declared = (
        "declare i64 @llvm.ctlz.i64(i64, i1)\ndeclare void @llvm.prefetch.p0(ptr, i32, i32, i32)\n" if panels else ""
    )
    declared += "declare i64 @llvm.smin.i64(i64, i64)\ndeclare i64 @llvm.smax.i64(i64, i64)\n"
    declared += f"declare {kind} @llvm.fabs.f{8 * size}({kind})\n"
    others = vector.declarations() + POLL + BLOCKS + declared + STACK_INTRINSICS + "".join(bodies)
    return module_text(Module(functions), others=others)


# What the BLAS and its replacement need


def _pack(kind: str) -> str:
    """to[rows, columns] in C order = from by strides."""
    params = ("ptr to", "ptr from", "i64 rows", "i64 columns", "i64 rs", "i64 cs")
    f = Asm("void", f"pack_{kind}", params, internal=True)
    with f.loop("%rows") as i:
        poll_each(f, i.index, 64)
        row = element(f, kind, "%to", i.index, "%columns")
        source = element(f, kind, "%from", i.index, "%rs")
        with f.loop("%columns") as j:
            f.store(kind, f.load(kind, element(f, kind, source, j.index, "%cs")), f.gep(row, j.index, kind))
    f.ret()
    return f.text


def _scale(v: Vector) -> str:
    """C = beta C; a beta of 0 does not read C, one of -0 multiplies."""
    kind = v.kind
    f = Asm("void", f"scale_{kind}", ("i64 m", "i64 n", "ptr c", "i64 ldc", f"{kind} beta"), internal=True)
    beta, whole = v.splat(f, "%beta"), f.eq("%n", "%ldc")
    whole = f.all(whole, f.le(f.mul("%m", "%n"), v.tuning.gemm.poll_elements))
    m = f.choose(whole, 1, "%m")
    n = f.choose(whole, f.mul("%m", "%n"), "%n")

    def rows(value: Callable[[str, str], str]) -> None:
        with f.loop(m) as i:
            poll_each(f, i.index, 64)
            row = element(f, kind, "%c", i.index, "%ldc")

            def store(j: str, mask: str) -> None:
                place = f.gep(row, j, kind)
                v.store(f, value(place, mask), place, mask)

            over_vectors(f, v, n, store)
        f.ret()

    with f.when(_is_zero(f, kind, "%beta")):
        rows(lambda place, mask: "zeroinitializer")
    rows(lambda place, mask: f.op(f"fmul {v.type} {beta}, {v.load(f, place, mask)}"))
    return f.text


def _is_zero(f: Asm, kind: str, x: str) -> str:
    """Whether it is +0."""
    bits = "i64" if kind == "double" else "i32"
    return f.compare("eq", bits, f.op(f"bitcast {kind} {x} to {bits}"), 0)


def _triple_loop(kind: str) -> str:
    """C = alpha A B + C by dot products of any strides."""
    f = Asm("void", f"triple_loop_{kind}", (*SIZES, *STRIDED, f"{kind} alpha"), internal=True)
    with f.loop("%m") as i:
        a, c = element(f, kind, "%a", i.index, "%rsa"), element(f, kind, "%c", i.index, "%ldc")
        with f.loop("%n") as j:
            poll_each(f, j.index, 64)
            b, at = element(f, kind, "%b", j.index, "%csb"), f.gep(c, j.index, kind)
            with f.loop("%k", (kind, "0.0")) as p:
                x = f.load(kind, element(f, kind, a, p.index, "%csa"))
                y = f.load(kind, element(f, kind, b, p.index, "%rsb"))
                p.next = [f.op(f"fadd {kind} {p.values[0]}, {f.op(f'fmul {kind} {x}, {y}')}")]
            product = f.op(f"fmul {kind} %alpha, {p.values[0]}")
            f.store(kind, f.op(f"fadd {kind} {f.load(kind, at)}, {product}"), at)
    f.ret()
    return f.text


def _blocked(t: Tuning, kind: str) -> str:
    """C += alpha A B in blocks of k and n, with B's rows contiguous."""
    f = Asm("void", f"blocked_{kind}", (*SIZES, *STRIDED, f"{kind} alpha"), internal=True)
    with f.loop("%k", step=t.gemm.fallback_terms) as p, f.loop("%n", step=t.gemm.fallback_columns) as j:
        sizes = []
        for total, start, most in (("%n", j.index, t.gemm.fallback_columns), ("%k", p.index, t.gemm.fallback_terms)):
            left = f.sub(total, start)
            sizes.append(f.choose(f.lt(left, most), left, most))
        a = element(f, kind, "%a", p.index, "%csa")
        b = f.gep(element(f, kind, "%b", p.index, "%rsb"), j.index, kind)
        c = f.gep("%c", j.index, kind)
        f.call(
            "void", f"@rows_{kind}", "i64 %m", f"i64 {sizes[0]}", f"i64 {sizes[1]}", f"ptr {a}", "i64 %rsa",
            "i64 %csa", f"ptr {b}", "i64 %rsb", f"ptr {c}", "i64 %ldc", f"{kind} %alpha", "i1 true",
        )  # fmt: skip
    f.ret()
    return f.text


def _blas_operand(f: Asm, kind: str, base: str, rows: str, columns: str, rs: str, cs: str, scratch: str) -> list[str]:
    """(address, leading dimension, flag), the operand packed into scratch if the BLAS cannot read it."""
    plain, ld, transposed, transposed_ld = layout(f, rows, columns, rs, cs)
    either, packing, go = f.any(plain, transposed), f.label("pack"), f.label("ready")
    stride = f.choose(plain, ld, transposed_ld)
    flag = f.op(f"select i1 {plain}, i32 {NO_TRANS}, i32 {TRANS}")
    before = f.block
    f.branch(either, go, packing)
    f.place(packing)
    operands = (f"ptr {base}", f"i64 {rows}", f"i64 {columns}", f"i64 {rs}", f"i64 {cs}")
    f.call("void", f"@pack_{kind}", f"ptr {scratch}", *operands)
    end = f.block
    f.place(go)
    return [
        f.op(f"phi {t} [ {x}, %{before} ], [ {y}, %{end} ]")
        for t, x, y in (("ptr", base, scratch), ("i64", stride, columns), ("i32", flag, str(NO_TRANS)))
    ]


def _piece(f: Asm, t: Tuning, length: str, some: str, able: str) -> str:
    """How much of a length one call of the BLAS does: `some`, if it can be cut and would wake threads in vain."""
    threads = f.load("i64", "%rt", abi.RT["blas_threads"])
    size = f.mul(f.mul("%m", "%n"), "%k")
    parted = f.all(f.gt(threads, 1), f.lt(size, t.gemm.blas_wake_min), able)
    return f.choose(parted, some, length)


def _at_most(f: Asm, piece: str, length: str, index: str) -> str:
    return f.op(f"call i64 @llvm.smin.i64(i64 {piece}, i64 {f.sub(length, index)})")


def _complete_blocks(f: Asm, length: str) -> str:
    """A multiple of the blocks of all BLASes, at least one."""
    return f.op(f"call i64 @llvm.smax.i64(i64 {f.and_(length, -BLAS_BLOCK_ELEMENTS)}, i64 {BLAS_BLOCK_ELEMENTS})")


def _gemv(t: Tuning, kind: str, dtype: str) -> str:
    """i1: has the BLAS multiplied the one matrix by the other, which is a row or a column?  C = 0 is done first: a BLAS
    may read what beta = 0 says not to."""
    params = ("ptr rt", *SIZES, *STRIDED, f"{kind} alpha", "i1 add")
    f = Asm("i1", f"gemv_{kind}", params, internal=True)
    refuse, able, run = f.label("refuse"), f.label("able"), f.label("run")
    gemv, size = f.load("ptr", "%rt", abi.RT[f"gemv_{dtype}"]), f.load("i64", "%rt", abi.RT["blas_int"])
    exists = f.all(f.not_null(gemv), f.ne(size, 0))
    row, column = f.eq("%m", 1), f.eq("%n", 1)
    f.branch(f.all(exists, f.any(row, column)), able, refuse)
    f.place(able)

    def either(kind: str, if_column: str, if_row: str) -> str:
        return f.op(f"select i1 {column}, {kind} {if_column}, {kind} {if_row}")

    count = either("i64", "%m", "%n")
    matrix, vector = either("ptr", "%a", "%b"), either("ptr", "%b", "%a")
    rs, cs = either("i64", "%rsa", "%csb"), either("i64", "%csa", "%rsb")
    step, out = either("i64", "%rsb", "%csa"), either("i64", "%ldc", "1")
    plain, ld, transposed, transposed_ld = layout(f, count, "%k", rs, cs)
    lead = f.choose(plain, ld, transposed_ld)
    total = count
    for x in ("%k", lead, step, out):  # all are positive: their union bounds each
        total = f.or_(total, x)
    fits = f.any(f.eq(size, 8), f.compare("ule", "i64", total, INT_MAX))
    possible = f.all(f.any(plain, transposed), f.ge(step, 1), fits)
    f.branch(possible, run, refuse)
    f.place(run)
    _clear(f, kind, "%add")
    flag = f.op(f"select i1 {plain}, i32 {NO_TRANS}, i32 {TRANS}")
    rows, columns = (f.choose(plain, x, y) for x, y in ((count, "%k"), ("%k", count)))
    some = f.op(f"call i64 @llvm.smax.i64(i64 {f.sdiv(t.gemm.blas_alone_vector_max, columns)}, i64 1)")
    most = f.op(f"call i64 @llvm.smax.i64(i64 {f.sdiv(t.gemm.blas_poll_vector_elements, columns)}, i64 1)")
    piece = f.op(f"call i64 @llvm.smin.i64(i64 {_piece(f, t, rows, some, 'true')}, i64 {most})")
    with f.loop(rows, step=piece) as i:
        here = _at_most(f, piece, rows, i.index)
        along_x, along_y = (f.choose(plain, x, y) for x, y in (("0", f.mul(i.index, step)), (f.mul(i.index, out), "0")))
        f.call(
            "void", gemv, f"i32 {ROW_MAJOR}", f"i32 {flag}", f"i64 {here}", f"i64 {columns}", f"{kind} %alpha",
            f"ptr {element(f, kind, matrix, i.index, lead)}", f"i64 {lead}", f"ptr {f.gep(vector, along_x, kind)}",
            f"i64 {step}", f"{kind} 1.0", f"ptr {f.gep('%c', along_y, kind)}", f"i64 {out}",
        )  # fmt: skip
        with f.when(f.eq(here, most)):
            poll(f)
    f.ret("i1", "true")
    f.place(refuse)
    f.ret("i1", "false")
    return f.text


def _blas(t: Tuning, kind: str, dtype: str) -> str:
    """i1: has the BLAS done it?  Not if there is none, a number is too large for it, or packing lacks scratch.
    OpenBLAS has 43 KB on the stack."""
    params = ("ptr rt", *SIZES, *STRIDED, f"{kind} alpha", "i1 add", "ptr scratch")
    g = Asm("i1", f"blas_{kind}", params, internal=True)
    with g.when(needs_alternate_stack(g, "%rt", g.op("alloca i64, align 8"))):
        g.ret("i1", g.op(f"trunc i64 {on_alternate_stack(g, f'blas_here_{kind}', params)} to i1"))
    g.ret("i1", g.call("i1", f"@blas_here_{kind}", *passed(params)))
    f = Asm("i1", f"blas_here_{kind}", params, internal=True)
    gemm, size = f.load("ptr", "%rt", abi.RT[f"cblas_{dtype}"]), f.load("i64", "%rt", abi.RT["blas_int"])
    refuse, able = f.label("refuse"), f.label("able")
    f.branch(f.eq(size, 0), refuse, able)
    f.place(able)
    layouts = (layout(f, "%m", "%k", "%rsa", "%csa"), layout(f, "%k", "%n", "%rsb", "%csb"))
    direct = f.all(*(f.any(x[0], x[2]) for x in layouts))
    packs = f.any(direct, f.compare("ne", "ptr", "%scratch", "null"))
    possible = f.label("possible")
    f.branch(packs, possible, refuse)
    f.place(possible)
    a, lda, ta = _blas_operand(f, kind, "%a", "%m", "%k", "%rsa", "%csa", "%scratch")
    second = f.gep("%scratch", f.mul("%m", "%k"), kind)
    b, ldb, tb = _blas_operand(f, kind, "%b", "%k", "%n", "%rsb", "%csb", second)
    single = f.le("%m", 1)
    ldc = f.choose(single, "%n", "%ldc")
    total = "%m"
    for x in ("%n", "%k", lda, ldb, ldc):  # all are positive: their union bounds each
        total = f.or_(total, x)
    fits = f.any(f.eq(size, 8), f.compare("ule", "i64", total, INT_MAX))
    run = f.label("run")
    f.branch(fits, run, refuse)
    f.place(run)
    some = f.sdiv(t.gemm.blas_alone_max, f.mul("%m", "%n"))
    piece = _piece(f, t, "%k", some, f.ge(some, t.gemm.blas_min_piece_terms))
    threads = f.op(f"call i64 @llvm.smax.i64(i64 {f.load('i64', '%rt', abi.RT['blas_threads'])}, i64 1)")
    most = f.sdiv(f.mul(threads, t.gemm.blas_poll), "%k")
    high = _complete_blocks(f, f.sdiv(most, "%n"))
    wide = _complete_blocks(f, f.sdiv(most, high))
    with f.loop("%m", step=high) as i, f.loop("%n", step=wide) as j, f.loop("%k", step=piece) as p:
        m, n = _at_most(f, high, "%m", i.index), _at_most(f, wide, "%n", j.index)
        adds = f.op(f"or i1 %add, {f.gt(p.index, 0)}")
        places = []
        for at, flag, lead, row, column in ((a, ta, lda, i.index, p.index), (b, tb, ldb, p.index, j.index)):
            is_plain = f.compare("eq", "i32", flag, NO_TRANS)
            steps = [f.choose(is_plain, x, y) for x, y in ((lead, "1"), ("1", lead))]
            places.append(element(f, kind, element(f, kind, at, row, steps[0]), column, steps[1]))
        f.call(
            "void", gemm, f"i32 {ROW_MAJOR}", f"i32 {ta}", f"i32 {tb}", f"i64 {m}", f"i64 {n}",
            f"i64 {_at_most(f, piece, '%k', p.index)}", f"{kind} %alpha", f"ptr {places[0]}", f"i64 {lda}",
            f"ptr {places[1]}", f"i64 {ldb}", f"{kind} {f.op(f'select i1 {adds}, {kind} 1.0, {kind} 0.0')}",
            f"ptr {f.gep(element(f, kind, '%c', i.index, ldc), j.index, kind)}", f"i64 {ldc}",
        )  # fmt: skip
        poll(f)
    f.ret("i1", "true")
    f.place(refuse)
    f.ret("i1", "false")
    return f.text + of_table_text(f"blas_here_{kind}", params, "i1") + g.text


def _gemm(v: Vector, dtype: str, panels: bool) -> str:
    """The entry.  A beta other than 0 or 1 is applied to C first, or by panels as they add to it: as in separate steps,
    -0 multiplies too.  The first row that holds:

    k <= 16, not large, rows of B         tiles that keep them in registers (`gemm.batched`, also of many products)
    contiguous or less than a vector;
    tall, of a vector of columns and
    4 terms (8 without AVX-512) at most;
    of 4,096 multiplications and more,
    not if the panels below suit it
    m, k <= 8, rows of B contiguous       tiles over n: 4 or 1 rows, k unrolled
    k <= 4, n >= 8, the same              the same, for any m
    m, n <= 8, k contiguous in A and B    tiles of dot products
    m or n = 1 and not large, the same    the same
    m or n = 1                            the BLAS's product of a matrix and a vector (gemv)
    B is A transposed, C not added to:    half of the sums (`gemm.syrk`): by our panels, where they do not go to a BLAS
    from 24 rows and 12 terms on, or 96   with more threads, or some rows at a time, each as far as the diagonal
    alpha tiny, huge, 0, infinite or NaN  the first kind of tiles, or the plain triple loop: alpha times the whole sum
    m = 2 or 3, B in rows of 512 bytes    B as it stands, some rows of it at a time (`gemm.few_rows`)
    and more, and the BLAS has no more
    than 2 threads or would wake none
    m, k > 8, two vectors of columns      our panels, with nothing packed (`unpacked` in `gemm.macro_kernel`)
    and more, rows of B contiguous,
    all in the caches
    m > 3 and the BLAS has no more        our panels, on machines for which they are compiled (`gemm.macro_kernel`)
    threads than we, or 2, or the
    product is not large
    else                                  the BLAS, with its transposition flags; an operand without a unit stride is
                                          packed into `scratch` first
    the BLAS with several threads, less   by the BLAS in pieces for which it wakes no thread: where other processes
    than `blas_wake_multiplications`      run, a thread that must be waited for costs a thousand times the product
    no BLAS, its integers too short,      blocks of the first kind of tiles; the plain triple loop where they don't fit
    or no scratch
    """
    f, kind = Asm("void", f"gemm_{dtype}", PARAMS), v.kind
    empty = f.any(f.le("%m", 0), f.le("%n", 0))
    with f.when(empty):
        f.ret()
    alpha, beta = _factors(f, kind)
    operands = passed((*SIZES, *STRIDED))
    with f.when(f.le("%k", 0)):  # a sum of nothing, times alpha
        f.call("void", f"@scale_{kind}", "i64 %m", "i64 %n", "ptr %c", "i64 %ldc", f"{kind} {beta}")
        f.call("void", f"@triple_loop_{kind}", *operands, f"{kind} {alpha}")
        f.ret()
    add = f.negate(_is_zero(f, kind, beta))
    known = (*operands, f"{kind} {alpha}", f"{kind} {beta}", f"i1 {add}", "i64 1", "i64 0", "i64 0")
    if v.tuning.allows("batched_gemm"):
        with f.when(f.call("i1", f"@small_{kind}", *known)):
            f.ret()
    if panels:
        _unpacked(f, v, alpha, beta, add)
    scratch = f.choose(readable(f), "null", "%scratch", "ptr")
    # Panels scale C as they add to it; what is larger than all tiles may go there.
    scales, large = (f.op(f"fcmp une {kind} {beta}, 1.0"), f.all(*(f.gt(x, MAX_TILE_TERMS) for x in SIZE_VALUES)))
    scales = f.all(add, scales)
    late = f.all(scales, large if panels else "false")
    _scale_when(f, kind, f.op(f"xor i1 {scales}, {late}"), beta)
    if v.tuning.allows("small_gemm"):
        _thin(f, v.tuning, kind, alpha, add)
    gram = is_gram(f, add)
    extreme, given = _is_extreme(f, kind, alpha), ("ptr %rt", *operands, f"{kind} {alpha}", f"i1 {add}")
    halves_sums = v.tuning.allows("syrk")
    if panels and halves_sums:
        with f.when(f.all(gram, is_large(f, v.tuning, v.tuning.gemm.syrk_panels_min_rows), f.negate(extreme))):
            _by_panels(f, v.tuning, kind, (*given, f"{kind} 1.0", "ptr null"), "true", half=True)
    if halves_sums:
        with f.when(f.all(gram, is_large(f, v.tuning, v.tuning.gemm.syrk_min_rows))):
            f.call("void", f"@gram_{kind}", *passed(PARAMS))
            f.ret()
    with f.when(extreme):
        _scale_when(f, kind, late, beta)
        _without_blas(f, kind, operands, alpha, add, "rows", scratch)
    with f.when(f.call("i1", f"@gemv_{kind}", *given)):
        f.ret()
    if panels:
        if v.tuning.allows("few_row_gemm"):
            _few(f, v.tuning, kind, alpha, add)
        with f.when(f.gt("%m", v.tuning.gemm.few_rows)):
            beta_of_panels = f.op(f"select i1 {late}, {kind} {beta}, {kind} 1.0")
            _by_panels(f, v.tuning, kind, (*given, f"{kind} {beta_of_panels}", "ptr null"), gram)
    _scale_when(f, kind, late, beta)
    with f.when(f.call("i1", f"@blas_{kind}", *given, f"ptr {scratch}")):
        with f.when(gram):
            f.call("void", f"@mirror_all_{kind}", *passed(MIRRORED))
        f.ret()
    _without_blas(f, kind, operands, alpha, add, "blocked", scratch)
    return f.text


def _gemm_then(t: Tuning, kind: str, dtype: str, panels: bool) -> str:
    """A product and the launch behind it, by panels on blocks of C while they are in the cache.  C is large."""
    f = Function("void", f"gemm_then_{dtype}", (*PARAMS, "ptr job"))
    given = Job(TILE).given(f)
    if panels:
        alpha, beta = _factors(f, kind)
        large = f.all(*(f.gt(x, MAX_TILE_TERMS) for x in SIZE_VALUES))
        with f.when(f.all(large, f.negate(_is_extreme(f, kind, alpha)))):
            add = f.negate(_is_zero(f, kind, beta))
            scales = f"{kind} {alpha}", f"i1 {add}", f"{kind} {beta}"
            _by_panels(f, t, kind, ("ptr %rt", *passed((*SIZES, *STRIDED)), *scales, "ptr %job"))
    f.call("void", f"@gemm_{dtype}", *passed(PARAMS))
    f.call("i64", f.load("ptr", "%rt", abi.RT["run_nest"]), "ptr %rt", *operands(RUN_NEST_PARAMS, given))
    return f.end()


def _factors(f: Asm, kind: str) -> tuple[str, str]:
    """alpha and beta in the type of the matrices."""
    if kind == "double":
        return "%alpha", "%beta"
    return f.op("fptrunc double %alpha to float"), f.op("fptrunc double %beta to float")


def _is_extreme(f: Asm, kind: str, alpha: str) -> str:
    """Whether alpha is to be applied to whole sums."""
    size = f.op(f"call {kind} @llvm.fabs.f{64 if kind == 'double' else 32}({kind} {alpha})")
    return f.any(*(f.op(f"fcmp {c} {kind} {size}, {x}") for c, x in zip(("ult", "ugt"), SAFE_ALPHA, strict=True)))


def _scale_when(f: Asm, kind: str, condition: str, beta: str) -> None:
    with f.when(condition):
        f.call("void", f"@scale_{kind}", "i64 %m", "i64 %n", "ptr %c", "i64 %ldc", f"{kind} {beta}")


def _by_panels(f: Asm, t: Tuning, kind: str, given: Sequence[str], gram: str = "false", half: bool = False) -> None:
    """Return if panels are no slower than the BLAS.  `half`: of a `gram` only what is not above the diagonal."""
    run, large, many, pooled, done = (f.label(x) for x in ("run", "large", "many", "ask", "blas"))
    size = f.mul(f.mul("%m", "%n"), "%k")
    f.branch(f.le(size, t.gemm.large), run, large)
    f.place(large)
    threads = f.load("i64", "%rt", abi.RT["blas_threads"])
    f.branch(f.le(threads, t.gemm.blas_max_threads), run, many)
    f.place(many)
    pool = f.load("ptr", "%rt", abi.RT["threads"])
    f.branch(f.not_null(pool), pooled, done)
    f.place(pooled)
    ours = f.add(f.load("i64", pool, abi.TH_WANTED), 1)
    f.branch(f.le(threads, ours), run, done)
    f.place(run)
    f.call("void", f"@shared_{kind}", *given, f"i1 {int(half)}", "i64 0", "i64 0")
    with f.when(gram):
        f.call("void", f"@mirror_{'all' if half else 'rest'}_{kind}", *passed(MIRRORED))
    f.ret()
    f.place(done)


def _unpacked(f: Asm, v: Vector, alpha: str, beta: str, add: str) -> None:
    """Return if it is done by panels for which nothing is packed, as most products in the caches are."""
    kind, unusual = v.kind, f.any(is_gram(f, add), _is_extreme(f, v.kind, alpha))
    with f.when(f.all(f.ge("%n", 2 * v.lanes), f.negate(unusual))):
        operands = passed((*SIZES, *STRIDED))
        given = "ptr %rt", *operands, f"{kind} {alpha}", f"i1 {add}", f"{kind} {beta}"
        with f.when(f.call("i1", f"@unpacked_{kind}", *given)):
            f.ret()


def _few(f: Asm, t: Tuning, kind: str, alpha: str, add: str) -> None:
    """Return if B is read as it stands, for two or three rows, unless many threads would share it."""
    few = f.any(*(f.eq("%m", rows) for rows in ROWS))
    size = f.mul(f.mul("%m", "%n"), "%k")
    alone = f.le(f.load("i64", "%rt", abi.RT["blas_threads"]), t.gemm.blas_max_threads)
    alone = f.any(alone, f.lt(size, t.gemm.blas_wake_min))
    long = f.ge("%n", t.gemm.few_rows_min_bytes // (8 if kind == "double" else 4))
    with f.when(f.all(few, long, f.eq("%csb", 1), alone)):
        _clear(f, kind, add)
        given = *SIZED_OPERANDS, "ptr %a", "i64 %rsa", "i64 %csa", "ptr %b", "i64 %rsb", "ptr %c", "i64 %ldc"
        f.call("void", f"@few_{kind}", *given, f"{kind} {alpha}")
        f.ret()


def _clear(f: Asm, kind: str, add: str) -> None:
    """C = 0, if it is not to be added to."""
    with f.when(f.negate(add)):
        f.call("void", f"@scale_{kind}", "i64 %m", "i64 %n", "ptr %c", "i64 %ldc", f"{kind} 0.0")


def _thin(f: Asm, t: Tuning, kind: str, alpha: str, add: str) -> None:
    """Return if a tile fits."""
    how = (f"{kind} {alpha}", f"i1 {add}")
    few = f.le("%m", MAX_TILE_TERMS)
    adjacent = f.any(f.eq("%csb", 1), f.eq("%n", 1))
    flat = f.all(f.le("%k", t.gemm.any_rows_max_terms), f.ge("%n", MAX_TILE_TERMS))
    rows = f.all(f.any(few, flat), f.le("%k", MAX_TILE_TERMS), adjacent)
    common = ("i64 %m", "i64 %n", "i64 %k", "ptr %a", "i64 %rsa")
    with f.when(rows):
        with f.loop("%n", step=t.gemm.poll_elements) as j:
            some = _at_most(f, str(t.gemm.poll_elements), "%n", j.index)
            b = f.gep("%b", j.index, kind)
            c = f.gep("%c", j.index, kind)
            rest = ("i64 %csa", f"ptr {b}", "i64 %rsb", f"ptr {c}", "i64 %ldc")
            f.call("void", f"@rows_{kind}", "i64 %m", f"i64 {some}", *common[2:], *rest, *how)
            with f.when(f.eq(some, t.gemm.poll_elements)):
                poll(f)
        f.ret()
    units = f.all(f.eq("%csa", 1), f.eq("%rsb", 1))
    small = f.all(few, f.le("%n", MAX_TILE_TERMS))
    vector = f.any(f.eq("%m", 1), f.eq("%n", 1))
    size = f.mul(f.mul("%m", "%n"), "%k")
    vector = f.all(vector, f.le(size, t.gemm.large))
    for condition, name in ((vector, f"@vector_dots_{kind}"), (small, f"@dots_{kind}")):
        with f.when(f.all(units, condition)), f.loop("%k", step=t.gemm.poll_terms) as p:
            some, adds = _at_most(f, str(t.gemm.poll_terms), "%k", p.index), f.gt(p.index, 0)
            places = f"ptr {f.gep('%a', p.index, kind)}", "i64 %rsa", f"ptr {f.gep('%b', p.index, kind)}", "i64 %csb"
            result = "ptr %c", "i64 %ldc", how[0], f"i1 {f.any(add, adds)}"
            f.call("void", name, "i64 %m", "i64 %n", f"i64 {some}", *places, *result)
            with f.when(f.eq(some, t.gemm.poll_terms)):
                poll(f)
            last = f.ge(f.add(p.index, some), "%k")
            with f.when(last):
                f.ret()


def _without_blas(f: Asm, kind: str, operands: list[str], alpha: str, add: str, tiles: str, scratch: str) -> None:
    """tiles: "blocked", or "rows", which add up all of k before alpha."""

    def run(operands: list[str]) -> None:
        if tiles == "rows":
            f.call("void", f"@rows_{kind}", *operands[:8], *operands[9:], f"{kind} {alpha}", "i1 true")
        else:
            f.call("void", f"@blocked_{kind}", *operands, f"{kind} {alpha}")
        f.ret()

    _clear(f, kind, add)
    with f.when(f.eq("%csb", 1)):
        run(operands)
    with f.when(f.all(f.eq("%csa", 1), f.eq("%rsb", 1))):
        rest = ("ptr %b", "i64 %csb", "ptr %c", "i64 %ldc", f"{kind} {alpha}", "i1 true")
        f.call("void", f"@dots_{kind}", *operands[:5], *rest)
        f.ret()
    with f.when(f.not_null(scratch)):
        strided = ("ptr %b", "i64 %k", "i64 %n", "i64 %rsb", "i64 %csb")
        f.call("void", f"@pack_{kind}", f"ptr {scratch}", *strided)
        run([*operands[:6], f"ptr {scratch}", "i64 %n", "i64 1", *operands[9:]])
    f.call("void", f"@triple_loop_{kind}", *operands, f"{kind} {alpha}")
    f.ret()
