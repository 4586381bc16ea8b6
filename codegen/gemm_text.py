"""LLVM text of the matrix-product libraries `gemm_float64` and `gemm_float32` (arguments: `codegen.abi.HELPERS`).

    C[m, n] = alpha A[m, k] B[k, n] + beta C     any strides of A and B, C in rows of ldc >= n; beta = 0 never reads C

Which way a product goes:

    m, k <= 8, rows of B contiguous       tiles over n: 4 or 1 rows, k unrolled      (alpha = 1, beta = 0)
    m, n <= 8, k contiguous in A and B    tiles of dot products                      (alpha = 1, beta = 0)
    m or n = 1 and not large, the same    the same
    else                                  the BLAS, with its transposition flags; an operand without a unit stride is
                                          packed into `scratch` first
    no BLAS, its integers too short,      blocks of the first kind of tiles; the plain triple loop where they don't fit
    or no scratch
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen import abi
from tensordsl.codegen.assembly import METADATA, Asm

TYPES = {"float64": ("double", 8), "float32": ("float", 4)}
THIN = 8  # the largest m, k (or n) of the tiles
LARGE = 1 << 20  # elements of a matrix whose product with a vector is left to the threads of the BLAS
UNROLLED = (1, 2, 4)  # k with code of its own
ROWS = (4, 1)
DOTS = ((4, 2), (4, 1), (1, 4), (1, 1))  # rows x columns
BLOCK_K, BLOCK_N = 256, 64  # of the fallback: a block of B stays in the second-level cache
INT_MAX = (1 << 31) - 1
ROW_MAJOR, NO_TRANS, TRANS = 101, 111, 112

STRIDED = ("ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "i64 csb", "ptr c", "i64 ldc")
SIZES = ("i64 m", "i64 n", "i64 k")
PARAMS = ("ptr rt", *SIZES, *STRIDED, "double alpha", "double beta", "ptr scratch")


def gemm_text(dtype: str, vector_bytes: int = 64) -> str:
    """The module of one dtype, for a machine with vectors of so many bytes."""
    kind, size = TYPES[dtype]
    vector = _Vector(kind, vector_bytes // size)
    bodies = [_rows_tile(vector, rows, k) for rows in ROWS for k in (*UNROLLED, None)]
    bodies += [_dot_tile(vector, *shape) for shape in DOTS]
    bodies += [_rows_driver(vector), _dots_driver(vector), _pack(kind), _scale(kind), _triple_loop(kind)]
    bodies += [_blocked(kind), _blas(kind, dtype), _gemm(kind, dtype)]
    return vector.declarations() + "".join(bodies) + METADATA


class _Vector:
    """A vector type and its operations."""

    def __init__(self, kind: str, lanes: int) -> None:
        self.kind, self.lanes, self.type = kind, lanes, f"<{lanes} x {kind}>"
        self.mangled = f"v{lanes}f{64 if kind == 'double' else 32}"
        self.mask_type = f"<{lanes} x i1>"
        self.align = 8 if kind == "double" else 4

    def declarations(self) -> str:
        v, mask, m, kind = self.type, self.mask_type, self.mangled, self.kind
        return (
            f"declare {v} @llvm.masked.load.{m}.p0(ptr, i32, {mask}, {v})\n"
            f"declare void @llvm.masked.store.{m}.p0({v}, ptr, i32, {mask})\n"
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


def _element(f: Asm, kind: str, base: str, i: str, stride: str) -> str:
    """The address of base[i * stride]."""
    return f.gep(base, f.op(f"mul i64 {i}, {stride}"), kind)


def _over_vectors(f: Asm, v: _Vector, count: str, body: Callable[[str, str], None]) -> None:
    """body(index, mask) for whole vectors (mask "") and then for the rest."""
    full = f.op(f"and i64 {count}, {-v.lanes}")
    with f.loop(full, step=v.lanes) as loop:
        body(loop.index, "")
    rest = f.op(f"sub i64 {count}, {full}")
    with f.when(f.compare("sgt", "i64", rest, 0)):
        body(full, v.mask(f, rest))


# Tiles over n: rows of C are sums of rows of B


def _rows_name(v: _Vector, rows: int, k: int | None) -> str:
    return f"rows_{v.kind}_{rows}_{k or 'k'}"


def _rows_tile(v: _Vector, rows: int, k: int | None) -> str:
    """`rows` rows of C: C (if add) + A B, with B's and C's rows contiguous; `k` known or read."""
    params = ("i64 n", "i64 k", "ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "ptr c", "i64 ldc", "i1 add")
    f = Asm("void", _rows_name(v, rows, k), params, internal=True)
    a = [_element(f, v.kind, "%a", str(r), "%rsa") for r in range(rows)]
    c = [_element(f, v.kind, "%c", str(r), "%ldc") for r in range(rows)]
    splats: list[list[str]] = []
    if k:
        b = [_element(f, v.kind, "%b", str(j), "%rsb") for j in range(k)]
        splats = [
            [v.splat(f, f.load(v.kind, _element(f, v.kind, a[r], str(j), "%csa"))) for j in range(k)]
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
            start = [_initial(f, v, pointer, mask) for pointer in out]
            first = f.gep("%b", i, v.kind)
            with f.loop("%k", *((v.type, s) for s in start)) as loop:
                loaded_b = v.load(f, _element(f, v.kind, first, loop.index, "%rsb"), mask)
                for r in range(rows):
                    scalar = f.load(v.kind, _element(f, v.kind, a[r], loop.index, "%csa"))
                    loop.next.append(v.fma(f, v.splat(f, scalar), loaded_b, loop.values[r]))
            sums = loop.values
        for r in range(rows):
            v.store(f, sums[r], out[r], mask)

    _over_vectors(f, v, "%n", body)
    f.ret()
    return f.text


def _initial(f: Asm, v: _Vector, pointer: str, mask: str) -> str:
    """C's values if they are to be added to, else 0; C is not read then."""
    yes, done, before = f.label("add"), f.label("start"), f.block
    f.branch("%add", yes, done)
    f.place(yes)
    old, end = v.load(f, pointer, mask), f.block
    f.place(done)
    return f.op(f"phi {v.type} [ {old}, %{end} ], [ zeroinitializer, %{before} ]")


def _rows_driver(v: _Vector) -> str:
    """All rows of C, four at a time."""
    params = (*SIZES, "ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "ptr c", "i64 ldc", "i1 add")
    f = Asm("void", f"rows_{v.kind}", params, internal=True)
    fours = f.op("and i64 %m, -4")

    def run(rows: int, i: str) -> None:
        a, c = _element(f, v.kind, "%a", i, "%rsa"), _element(f, v.kind, "%c", i, "%ldc")
        operands = (
            "i64 %n", "i64 %k", f"ptr {a}", "i64 %rsa", "i64 %csa", "ptr %b", "i64 %rsb", f"ptr {c}", "i64 %ldc",
            "i1 %add",
        )  # fmt: skip
        done, general = f.label("done"), f.label("any")
        cases = {k: f.label(f"k{k}") for k in UNROLLED}
        unrolled = f.label("known")
        f.branch("%add", general, unrolled)  # the unrolled tiles do not add
        f.place(unrolled)
        f.do(f"switch i64 %k, label %{general} [{' '.join(f'i64 {k}, label %{x}' for k, x in cases.items())}]")
        f.closed = True
        for k, label in (*cases.items(), (None, general)):
            f.place(label)
            f.call("void", "@" + _rows_name(v, rows, k), *operands)
            f.jump(done)
        f.place(done)

    with f.loop(fours, step=4) as loop:
        run(4, loop.index)
    with f.loop("%m", start=fours) as loop:
        run(1, loop.index)
    f.ret()
    return f.text


# Tiles of dot products


def _dot_tile(v: _Vector, rows: int, columns: int) -> str:
    """rows x columns elements of C, with k contiguous in A and B: a vector of partial sums for each."""
    params = ("i64 k", "ptr a", "i64 rsa", "ptr b", "i64 csb", "ptr c", "i64 ldc")
    f = Asm("void", f"dot_{v.kind}_{rows}_{columns}", params, internal=True)
    a = [_element(f, v.kind, "%a", str(r), "%rsa") for r in range(rows)]
    b = [_element(f, v.kind, "%b", str(j), "%csb") for j in range(columns)]

    def step(i: str, mask: str, sums: list[str]) -> list[str]:
        left = [v.load(f, f.gep(pointer, i, v.kind), mask) for pointer in a]
        right = [v.load(f, f.gep(pointer, i, v.kind), mask) for pointer in b]
        return [v.fma(f, x, y, s) for (x, y), s in zip(((x, y) for x in left for y in right), sums, strict=True)]

    full = f.op(f"and i64 %k, {-v.lanes}")
    with f.loop(full, *[(v.type, "zeroinitializer")] * (rows * columns), step=v.lanes) as loop:
        loop.next = step(loop.index, "", loop.values)
    rest = f.op(f"sub i64 %k, {full}")
    tail, done, before = f.label("tail"), f.label("sum"), f.block
    f.branch(f.compare("sgt", "i64", rest, 0), tail, done)
    f.place(tail)
    last, end = step(full, v.mask(f, rest), loop.values), f.block
    f.place(done)
    totals = [f.op(f"phi {v.type} [ {x}, %{before} ], [ {y}, %{end} ]") for x, y in zip(loop.values, last, strict=True)]
    for r in range(rows):
        row = _element(f, v.kind, "%c", str(r), "%ldc")
        for j in range(columns):
            f.store(v.kind, v.sum(f, totals[r * columns + j]), f.gep(row, j, v.kind))
    f.ret()
    return f.text


def _dots_driver(v: _Vector) -> str:
    params = (*SIZES, "ptr a", "i64 rsa", "ptr b", "i64 csb", "ptr c", "i64 ldc")
    f = Asm("void", f"dots_{v.kind}", params, internal=True)

    def columns(i: str, rows: int, start: str | int, count: str, width: int) -> None:
        with f.loop(count, start=start, step=width) as loop:
            a, b = _element(f, v.kind, "%a", i, "%rsa"), _element(f, v.kind, "%b", loop.index, "%csb")
            c = f.gep(_element(f, v.kind, "%c", i, "%ldc"), loop.index, v.kind)
            operands = ("i64 %k", f"ptr {a}", "i64 %rsa", f"ptr {b}", "i64 %csb", f"ptr {c}", "i64 %ldc")
            f.call("void", f"@dot_{v.kind}_{rows}_{width}", *operands)

    fours = f.op("and i64 %m, -4")
    for rows, start, end in ((4, "0", fours), (1, fours, "%m")):
        width = next(w for r, w in DOTS if r == rows)
        whole = f.op(f"and i64 %n, {-width}")
        with f.loop(end, start=start, step=rows) as loop:
            columns(loop.index, rows, 0, whole, width)
            columns(loop.index, rows, whole, "%n", 1)
    f.ret()
    return f.text


# What the BLAS and its replacement need


def _pack(kind: str) -> str:
    """to[rows, columns] in C order = from by strides."""
    params = ("ptr to", "ptr from", "i64 rows", "i64 columns", "i64 rs", "i64 cs")
    f = Asm("void", f"pack_{kind}", params, internal=True)
    with f.loop("%rows") as i:
        row = _element(f, kind, "%to", i.index, "%columns")
        source = _element(f, kind, "%from", i.index, "%rs")
        with f.loop("%columns") as j:
            f.store(kind, f.load(kind, _element(f, kind, source, j.index, "%cs")), f.gep(row, j.index, kind))
    f.ret()
    return f.text


def _scale(kind: str) -> str:
    """C = beta C; beta = 0 does not read C."""
    f = Asm("void", f"scale_{kind}", ("i64 m", "i64 n", "ptr c", "i64 ldc", f"{kind} beta"), internal=True)
    zero = f.op(f"fcmp oeq {kind} %beta, 0.0")
    with f.loop("%m") as i:
        row = _element(f, kind, "%c", i.index, "%ldc")
        with f.loop("%n") as j:
            at = f.gep(row, j.index, kind)
            clear, keep, done = f.label("clear"), f.label("keep"), f.label("next")
            f.branch(zero, clear, keep)
            f.place(clear)
            f.store(kind, "0.0", at)
            f.jump(done)
            f.place(keep)
            f.store(kind, f.op(f"fmul {kind} %beta, {f.load(kind, at)}"), at)
            f.place(done)
    f.ret()
    return f.text


def _triple_loop(kind: str) -> str:
    """C = alpha A B + C by dot products of any strides."""
    f = Asm("void", f"triple_loop_{kind}", (*SIZES, *STRIDED, f"{kind} alpha"), internal=True)
    with f.loop("%m") as i:
        a, c = _element(f, kind, "%a", i.index, "%rsa"), _element(f, kind, "%c", i.index, "%ldc")
        with f.loop("%n") as j:
            b, at = _element(f, kind, "%b", j.index, "%csb"), f.gep(c, j.index, kind)
            with f.loop("%k", (kind, "0.0")) as p:
                x = f.load(kind, _element(f, kind, a, p.index, "%csa"))
                y = f.load(kind, _element(f, kind, b, p.index, "%rsb"))
                p.next = [f.op(f"fadd {kind} {p.values[0]}, {f.op(f'fmul {kind} {x}, {y}')}")]
            product = f.op(f"fmul {kind} %alpha, {p.values[0]}")
            f.store(kind, f.op(f"fadd {kind} {f.load(kind, at)}, {product}"), at)
    f.ret()
    return f.text


def _blocked(kind: str) -> str:
    """C += A B in blocks of k and n, with B's rows contiguous."""
    f = Asm("void", f"blocked_{kind}", (*SIZES, *STRIDED), internal=True)
    with f.loop("%k", step=BLOCK_K) as p, f.loop("%n", step=BLOCK_N) as j:
        sizes = []
        for total, start, most in (("%n", j.index, BLOCK_N), ("%k", p.index, BLOCK_K)):
            left = f.op(f"sub i64 {total}, {start}")
            sizes.append(f.op(f"select i1 {f.compare('slt', 'i64', left, most)}, i64 {left}, i64 {most}"))
        a = _element(f, kind, "%a", p.index, "%csa")
        b = f.gep(_element(f, kind, "%b", p.index, "%rsb"), j.index, kind)
        c = f.gep("%c", j.index, kind)
        f.call(
            "void", f"@rows_{kind}", "i64 %m", f"i64 {sizes[0]}", f"i64 {sizes[1]}", f"ptr {a}", "i64 %rsa",
            "i64 %csa", f"ptr {b}", "i64 %rsb", f"ptr {c}", "i64 %ldc", "i1 true",
        )  # fmt: skip
    f.ret()
    return f.text


def _layout(f: Asm, rows: str, columns: str, rs: str, cs: str) -> tuple[str, str, str, str]:
    """How the BLAS can see an operand: (i1 as it is, its leading dimension, i1 transposed, that one's).

    A stride along an axis of one element does not matter; a leading dimension is at least 1 and the row's length.
    """
    answers: list[str] = []
    for outer, inner, major, minor in ((rows, columns, rs, cs), (columns, rows, cs, rs)):
        single = f.compare("sle", "i64", outer, 1)
        unit = f.op(f"or i1 {f.compare('eq', 'i64', minor, 1)}, {f.compare('sle', 'i64', inner, 1)}")
        apart = f.op(f"or i1 {f.compare('sge', 'i64', major, inner)}, {single}")
        answers += [f.all(unit, apart), f.op(f"select i1 {single}, i64 {inner}, i64 {major}")]
    return answers[0], answers[1], answers[2], answers[3]


def _blas_operand(f: Asm, kind: str, base: str, rows: str, columns: str, rs: str, cs: str, scratch: str) -> list[str]:
    """(address, leading dimension, flag), the operand packed into scratch if there is no other way."""
    plain, ld, turned, turned_ld = _layout(f, rows, columns, rs, cs)
    either, packing, go = f.op(f"or i1 {plain}, {turned}"), f.label("pack"), f.label("ready")
    stride = f.op(f"select i1 {plain}, i64 {ld}, i64 {turned_ld}")
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


def _blas(kind: str, dtype: str) -> str:
    """i1: has the BLAS done it?  Not if there is none, a number is too large for it, or packing lacks scratch."""
    params = ("ptr rt", *SIZES, *STRIDED, f"{kind} alpha", f"{kind} beta", "ptr scratch")
    f = Asm("i1", f"blas_{kind}", params, internal=True)
    gemm, size = f.load("ptr", "%rt", abi.RT[f"cblas_{dtype}"]), f.load("i64", "%rt", abi.RT["blas_int"])
    refuse, able = f.label("refuse"), f.label("able")
    f.branch(f.compare("eq", "i64", size, 0), refuse, able)
    f.place(able)
    layouts = (_layout(f, "%m", "%k", "%rsa", "%csa"), _layout(f, "%k", "%n", "%rsb", "%csb"))
    direct = f.all(*(f.op(f"or i1 {x[0]}, {x[2]}") for x in layouts))
    packs = f.op(f"or i1 {direct}, {f.compare('ne', 'ptr', '%scratch', 'null')}")
    possible = f.label("possible")
    f.branch(packs, possible, refuse)
    f.place(possible)
    a, lda, ta = _blas_operand(f, kind, "%a", "%m", "%k", "%rsa", "%csa", "%scratch")
    second = f.gep("%scratch", f.op("mul i64 %m, %k"), kind)
    b, ldb, tb = _blas_operand(f, kind, "%b", "%k", "%n", "%rsb", "%csb", second)
    single = f.compare("sle", "i64", "%m", 1)
    ldc = f.op(f"select i1 {single}, i64 %n, i64 %ldc")
    total = "%m"
    for x in ("%n", "%k", lda, ldb, ldc):  # all are positive: their union bounds each
        total = f.op(f"or i64 {total}, {x}")
    fits = f.op(f"or i1 {f.compare('eq', 'i64', size, 8)}, {f.compare('ule', 'i64', total, INT_MAX)}")
    run = f.label("run")
    f.branch(fits, run, refuse)
    f.place(run)
    f.call(
        "void", gemm, f"i32 {ROW_MAJOR}", f"i32 {ta}", f"i32 {tb}", "i64 %m", "i64 %n", "i64 %k", f"{kind} %alpha",
        f"ptr {a}", f"i64 {lda}", f"ptr {b}", f"i64 {ldb}", f"{kind} %beta", "ptr %c", f"i64 {ldc}",
    )  # fmt: skip
    f.ret("i1", "true")
    f.place(refuse)
    f.ret("i1", "false")
    return f.text


def _gemm(kind: str, dtype: str) -> str:
    """The entry: empty products, thin ones, the BLAS, the fallbacks."""
    f = Asm("void", f"gemm_{dtype}", PARAMS)
    empty = f.op(f"or i1 {f.compare('sle', 'i64', '%m', 0)}, {f.compare('sle', 'i64', '%n', 0)}")
    with f.when(empty):
        f.ret()
    alpha, beta = ("%alpha", "%beta")
    if kind == "float":
        alpha, beta = (f.op(f"fptrunc double {x} to float") for x in (alpha, beta))
    with f.when(f.compare("sle", "i64", "%k", 0)):
        f.call("void", f"@scale_{kind}", "i64 %m", "i64 %n", "ptr %c", "i64 %ldc", f"{kind} {beta}")
        f.ret()
    one, zero = f.op(f"fcmp oeq {kind} {alpha}, 1.0"), f.op(f"fcmp oeq {kind} {beta}, 0.0")
    plain, general = f.label("plain"), f.label("general")
    f.branch(f.all(one, zero), plain, general)
    f.place(plain)
    _thin(f, kind)
    f.jump(general)
    f.place(general)
    operands = [f"{p.split()[0]} %{p.split()[1]}" for p in (*SIZES, *STRIDED)]
    done = f.call("i1", f"@blas_{kind}", "ptr %rt", *operands, f"{kind} {alpha}", f"{kind} {beta}", "ptr %scratch")
    with f.when(done):
        f.ret()
    _without_blas(f, kind, operands, alpha, beta, one)
    return f.text


def _thin(f: Asm, kind: str) -> None:
    """alpha = 1, beta = 0: return if a tile fits."""
    few = f.compare("sle", "i64", "%m", THIN)
    adjacent = f.op(f"or i1 {f.compare('eq', 'i64', '%csb', 1)}, {f.compare('eq', 'i64', '%n', 1)}")
    rows = f.all(few, f.compare("sle", "i64", "%k", THIN), adjacent)
    common = ("i64 %m", "i64 %n", "i64 %k", "ptr %a", "i64 %rsa")
    with f.when(rows):
        rest = ("i64 %csa", "ptr %b", "i64 %rsb", "ptr %c", "i64 %ldc", "i1 false")
        f.call("void", f"@rows_{kind}", *common, *rest)
        f.ret()
    units = f.all(f.compare("eq", "i64", "%csa", 1), f.compare("eq", "i64", "%rsb", 1))
    small = f.all(few, f.compare("sle", "i64", "%n", THIN))
    vector = f.op(f"or i1 {f.compare('eq', 'i64', '%m', 1)}, {f.compare('eq', 'i64', '%n', 1)}")
    size = f.op(f"mul i64 {f.op('mul i64 %m, %n')}, %k")
    vector = f.all(vector, f.compare("sle", "i64", size, LARGE))
    with f.when(f.all(units, f.op(f"or i1 {small}, {vector}"))):
        f.call("void", f"@dots_{kind}", *common, "ptr %b", "i64 %csb", "ptr %c", "i64 %ldc")
        f.ret()


def _without_blas(f: Asm, kind: str, operands: list[str], alpha: str, beta: str, one: str) -> None:
    f.call("void", f"@scale_{kind}", "i64 %m", "i64 %n", "ptr %c", "i64 %ldc", f"{kind} {beta}")
    contiguous = f.compare("eq", "i64", "%csb", 1)
    with f.when(f.all(one, contiguous)):
        f.call("void", f"@blocked_{kind}", *operands)
        f.ret()
    with f.when(f.all(one, f.compare("ne", "ptr", "%scratch", "null"))):
        strided = ("ptr %b", "i64 %k", "i64 %n", "i64 %rsb", "i64 %csb")
        f.call("void", f"@pack_{kind}", "ptr %scratch", *strided)
        packed = [*operands[:6], "ptr %scratch", "i64 %n", "i64 1", *operands[9:]]
        f.call("void", f"@blocked_{kind}", *packed)
        f.ret()
    f.call("void", f"@triple_loop_{kind}", *operands, f"{kind} {alpha}")
    f.ret()
