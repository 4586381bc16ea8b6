"""QR factors, singular values and eigenvalues, with their vectors; the modules `qr_*`, `svd_*`, `eigh_*`, `eig_*`, ...

Contract  NumPy's results; matrices that are written have adjacent columns.  What does not converge fails, and so does a
          matrix with NaN or infinities where eigenvalues of any square matrix are wanted.
How       geqrf and orgqr, gesdd, syevd, geev on a copy, in which columns are adjacent, as NumPy calls them: the same
          signs.  The scratch buffer has integers, real numbers, then copies and vectors; the rest is work space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.linalg.batches import (
    copy_text,
    entry_text,
    identity_text,
    module_text,
    nan_text,
    run_params,
    run_text,
)
from tensordsl.codegen.library.linalg.fortran import NUMBERS, Fortran, Number, either, letter
from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.target.tuning import Tuning

One = Callable[[Mapping[str, str]], str]
Operands = Mapping[str, int]
SIZES = {"m": ("a", 0), "n": ("a", 1)}
SQUARE = {"n": ("a", 0)}


def qr_text(dtype: str, tuning: Tuning) -> str:
    return _Module(dtype, tuning, {"a": 2, "q": 2, "r": 2}, SIZES, ("complete",), True).text(
        _qr, {"qr_reduced": ("false",), "qr_complete": ("true",)}
    )


def svd_text(dtype: str, tuning: Tuning) -> str:
    return _Module(dtype, tuning, {"a": 2, "u": 2, "s": 1, "v": 2}, SIZES, ("full",), True).text(
        _svd, {"svd_reduced": ("false",), "svd_full": ("true",)}
    )


def svdvals_text(dtype: str, tuning: Tuning) -> str:
    return _Module(dtype, tuning, {"a": 2, "s": 1}, SIZES).text(_svdvals, {"svdvals": ()})


def eigh_text(dtype: str, tuning: Tuning) -> str:
    return _Module(dtype, tuning, {"a": 2, "w": 1, "v": 2}, SQUARE, ("lower",)).text(
        _eigh, {"eigh_lower": ("true",), "eigh_upper": ("false",)}
    )


def eigvalsh_text(dtype: str, tuning: Tuning) -> str:
    return _Module(dtype, tuning, {"a": 2, "w": 1}, SQUARE, ("lower",)).text(
        _eigvalsh, {"eigvalsh_lower": ("true",), "eigvalsh_upper": ("false",)}
    )


def eig_text(dtype: str, tuning: Tuning) -> str:
    return _Module(dtype, tuning, {"a": 2, "w": 1, "v": 2}, SQUARE).text(_eig, {"eig": ()})


def eigvals_text(dtype: str, tuning: Tuning) -> str:
    return _Module(dtype, tuning, {"a": 2, "w": 1}, SQUARE).text(_eig, {"eigvals": ()})


class _Module:
    """What the functions of an object share, and its text."""

    def __init__(
        self, dtype: str, tuning: Tuning, operands: Operands, sizes: Mapping[str, tuple[str, int]],
        flags: Sequence[str] = (), takes_empty: bool = False,
    ) -> None:  # fmt: skip
        self.dtype, self.tuning, self.operands, self.sizes, self.flags = dtype, tuning, operands, sizes, flags
        self.takes_empty = takes_empty
        self.of = NUMBERS[dtype]
        self.size, self.is_complex = self.of.size, self.of.parts == 2

    def text(self, each: Callable[[_Module, Asm], One], entries: Mapping[str, Sequence[str]]) -> str:
        """entries: flags of each function."""
        params = run_params(self.operands, list(self.sizes), self.flags)
        texts = [copy_text(self.of, self.tuning), nan_text(self.of), identity_text(self.of)]
        texts += [_upper_text(self.of), _finite_text(self.of.part)]
        texts += [nan_text(self.of.real, "fill_nan_values")]
        texts.append(run_text("run", params, lambda f: each(self, f), self.operands))
        texts += [
            entry_text(f"{name}_{self.dtype}", "run", self.operands, self.sizes, flags, True, self.takes_empty)
            for name, flags in entries.items()
        ]
        return module_text(*texts)

    def place(self, at: Mapping[str, str], x: str) -> str:
        """An operand as `batches` moves it."""
        axes = ("row", "column") if self.operands[x] == 2 else ("unit",)
        return ", ".join((f"ptr {at[x]}", *(f"i64 %{x}_{axis}" for axis in axes)))


class _Scratch:
    """The parts of the scratch buffer, one after the other."""

    def __init__(self, f: Asm, module: _Module) -> None:
        self.f, self.module, self.used = f, module, str(layouts.LINALG_HEAD_BYTES)

    def integers(self, count: str) -> str:
        return self._taken(self.f.mul(count, 8))

    def reals(self, *counts: str) -> list[str]:
        """For so many real numbers, which only functions of complex matrices want."""
        if not self.module.is_complex:
            return []
        total = counts[0]
        for count in counts[1:]:
            total = self.f.add(total, count)
        return [self._taken(self.f.mul(total, self.module.of.part_size))]

    def numbers(self, count: str) -> str:
        return self._taken(self.f.mul(count, self.module.size))

    def rest(self) -> tuple[str, str]:
        """What is left: where, and how many numbers."""
        left = self.f.sdiv(self.f.sub("%scratch_bytes", self.used), self.module.size)
        return self.f.gep("%scratch", self.used), left

    def _taken(self, size: str) -> str:
        place = self.f.gep("%scratch", self.used)
        self.used = self.f.add(self.used, size)
        return place


def _copy(f: Asm, module: _Module, at: Mapping[str, str], to: str, rows: str, columns: str) -> None:
    """A with adjacent columns."""
    moved = f"ptr {to}", f"i64 {module.size}", f"i64 {f.mul(rows, module.size)}"
    f.call("void", "@copy_matrix", module.place(at, "a"), *moved, f"i64 {rows}", f"i64 {columns}")


def _qr(module: _Module, f: Asm) -> One:
    fortran, scratch, size = Fortran(f, module.dtype), _Scratch(f, module), module.size
    least = f.call("i64", "@llvm.smin.i64", "i64 %m", "i64 %n")
    columns = f.choose("%complete", "%m", least)  # of Q
    wide = f.call("i64", "@llvm.smax.i64", f"i64 {columns}", "i64 %n")
    tau, copy = scratch.numbers(least), scratch.numbers(f.mul("%m", wide))
    work, length = scratch.rest()
    m, n, k, few, lwork = (fortran.integer(x) for x in ("%m", "%n", columns, least, length))
    lead = fortran.integer(f.call("i64", "@llvm.smax.i64", "i64 %m", "i64 1"))
    is_empty = f.eq(least, 0)

    def one(at: Mapping[str, str]) -> str:
        empty, some, done = f.label("empty"), f.label("some"), f.label("next")
        f.branch(is_empty, empty, some)
        f.place(empty)
        with f.when("%complete"):
            f.call("void", "@fill_identity", module.place(at, "q"), "i64 %m")
        f.jump(done)
        f.place(some)
        _copy(f, module, at, copy, "%m", "%n")
        fortran.checked("geqrf", m, n, copy, lead, tau, work, lwork)
        step = f.mul("%m", size)
        source = f"ptr {copy}", f"i64 {size}", f"i64 {step}"
        f.call("void", "@copy_upper", *source, module.place(at, "r"), f"i64 {columns}", "i64 %n")
        fortran.checked("orgqr", m, k, few, copy, lead, tau, work, lwork)
        f.call("void", "@copy_matrix", *source, module.place(at, "q"), "i64 %m", f"i64 {columns}")
        f.place(done)
        return "false"

    return one


def _svd(module: _Module, f: Asm) -> One:
    fortran, scratch = Fortran(f, module.dtype), _Scratch(f, module)
    least = f.call("i64", "@llvm.smin.i64", "i64 %m", "i64 %n")
    of_u, of_v = (f.choose("%full", side, least) for side in ("%m", "%n"))
    integers, reals = scratch.integers(f.mul(least, 8)), scratch.reals(*_svd_reals(f, least))
    copy = scratch.numbers(f.mul("%m", "%n"))
    work, length = scratch.rest()
    m, n, rows_of_v, lwork = (fortran.integer(x) for x in ("%m", "%n", of_v, length))
    how, is_empty = either(f, "%full", "A", "S"), f.eq(least, 0)

    def one(at: Mapping[str, str]) -> str:
        before = f.label("given")
        f.place(before)
        empty, some, run, bad, good, done = (f.label(x) for x in ("empty", "some", "run", "bad", "good", "next"))
        f.branch(is_empty, empty, some)
        f.place(empty)
        with f.when("%full"):
            for x, side in (("u", "%m"), ("v", "%n")):
                f.call("void", "@fill_identity", module.place(at, x), f"i64 {side}")
        end_of_empty = f.block
        f.jump(done)
        f.place(some)
        _copy(f, module, at, copy, "%m", "%n")
        numbers = f.mul(f.mul("%m", "%n"), module.of.parts)  # LAPACK may not end where one of them is infinite
        f.branch(f.call("i1", "@is_finite", f"ptr {copy}", f"i64 {numbers}"), run, bad)
        f.place(run)
        vectors = at["s"], at["u"], m, at["v"], rows_of_v
        call = ("gesdd", how, m, n, copy, m, *vectors, work, lwork, *reals, integers)
        f.branch(fortran.checked(*call, texts=1), bad, good)
        f.place(bad)
        f.call("void", "@fill_nan", module.place(at, "u"), "i64 %m", f"i64 {of_u}")
        f.call("void", "@fill_nan_values", module.place(at, "s"), "i64 0", f"i64 {least}", "i64 1")
        f.call("void", "@fill_nan", module.place(at, "v"), f"i64 {of_v}", "i64 %n")
        end_of_bad = f.block
        f.jump(done)
        f.place(good)
        f.jump(done)
        f.place(done)
        return f.op(f"phi i1 [ false, %{end_of_empty} ], [ true, %{end_of_bad} ], [ false, %{good} ]")

    return one


def _svd_reals(f: Asm, least: str) -> Sequence[str]:
    """How many complex matrices need."""
    sides = f.add(f.add("%m", "%n"), 4)
    return f.mul(f.mul(least, 2), sides), f.mul(f.mul(least, least), 5)


def _svdvals(module: _Module, f: Asm) -> One:
    fortran, scratch = Fortran(f, module.dtype), _Scratch(f, module)
    least = f.call("i64", "@llvm.smin.i64", "i64 %m", "i64 %n")
    integers, reals = scratch.integers(f.mul(least, 8)), scratch.reals(*_svd_reals(f, least))
    copy = scratch.numbers(f.mul("%m", "%n"))
    work, length = scratch.rest()
    m, n, lwork, single = (fortran.integer(x) for x in ("%m", "%n", length, "1"))

    def one(at: Mapping[str, str]) -> str:
        _copy(f, module, at, copy, "%m", "%n")
        none = fortran.info, single, fortran.info, single  # vectors, which are not written
        call = ("gesdd", letter("N"), m, n, copy, m, at["s"], *none, work, lwork, *reals, integers)
        failed = fortran.checked(*call, texts=1)
        with f.when(failed):
            f.call("void", "@fill_nan_values", module.place(at, "s"), "i64 0", f"i64 {least}", "i64 1")
        return failed

    return one


def _eigh(module: _Module, f: Asm) -> One:
    return _symmetric(module, f, "V")


def _eigvalsh(module: _Module, f: Asm) -> One:
    return _symmetric(module, f, "N")


def _symmetric(module: _Module, f: Asm, vectors: str) -> One:
    fortran, scratch = Fortran(f, module.dtype), _Scratch(f, module)
    count = f.add(f.mul("%n", 5), 3)
    of_reals = f.add(f.mul(f.mul("%n", "%n"), 2), count)
    integers, reals = scratch.integers(count), scratch.reals(of_reals)
    copy = "" if vectors == "V" else scratch.numbers(f.mul("%n", "%n"))
    work, length = scratch.rest()
    n, lwork, many = (fortran.integer(x) for x in ("%n", length, count))
    more = (*reals, fortran.integer(of_reals)) if module.is_complex else ()
    half = either(f, "%lower", "L", "U")

    def one(at: Mapping[str, str]) -> str:
        matrix = copy or at["v"]
        _copy(f, module, at, matrix, "%n", "%n")
        call = ("syevd", letter(vectors), half, n, matrix, n, at["w"], work, lwork, *more, integers, many)
        failed = fortran.checked(*call, texts=2)
        with f.when(failed):
            f.call("void", "@fill_nan_values", module.place(at, "w"), "i64 0", "i64 %n", "i64 1")
            if vectors == "V":
                f.call("void", "@fill_nan", module.place(at, "v"), "i64 %n", "i64 %n")
        return failed

    return one


def _eig(module: _Module, f: Asm) -> One:
    """With vectors where the module has them."""
    fortran, scratch = Fortran(f, module.dtype), _Scratch(f, module)
    has_vectors, square = "v" in module.operands, f.mul("%n", "%n")
    reals = scratch.reals(f.mul("%n", 2))
    copy = scratch.numbers(square)
    parts = [] if module.is_complex else [scratch.numbers("%n"), scratch.numbers("%n")]
    pairs = scratch.numbers(square) if parts and has_vectors else ""
    work, length = scratch.rest()
    n, lwork, single = (fortran.integer(x) for x in ("%n", length, "1"))
    lead, part = n if has_vectors else single, module.of.part_size

    def one(at: Mapping[str, str]) -> str:
        run, bad, good, done = f.label("run"), f.label("bad"), f.label("good"), f.label("next")
        _copy(f, module, at, copy, "%n", "%n")
        numbers = f.mul(square, module.of.parts)
        f.branch(f.call("i1", "@is_finite", f"ptr {copy}", f"i64 {numbers}"), run, bad)
        f.place(run)
        letters = letter("N"), letter("V" if has_vectors else "N")
        vectors = pairs or at.get("v", fortran.info)
        given = (*letters, n, copy, n, *(parts or [at["w"]]), fortran.info, single, vectors, lead, work, lwork, *reals)
        f.branch(fortran.checked("geev", *given, texts=2), bad, good)
        f.place(bad)
        for offset in (0, part):
            values = f"ptr {f.gep(at['w'], offset)}, i64 %w_unit, i64 0"
            f.call("void", "@fill_nan_values", values, "i64 %n", "i64 1")
            if has_vectors:
                axes = "i64 %v_row, i64 %v_column"
                f.call("void", "@fill_nan_values", f"ptr {f.gep(at['v'], offset)}, {axes}", "i64 %n", "i64 %n")
        end_of_bad = f.block
        f.jump(done)
        f.place(good)
        if parts:
            _pair(f, module, at, parts, pairs)
        end_of_good = f.block
        f.place(done)
        return f.op(f"phi i1 [ true, %{end_of_bad} ], [ false, %{end_of_good} ]")

    return one


def _pair(f: Asm, module: _Module, at: Mapping[str, str], parts: Sequence[str], vectors: str) -> None:
    """The complex values and vectors of a real matrix from LAPACK's real numbers."""
    kind, size = module.of.kind, module.size
    column_bytes = f.mul("%n", size)
    with f.loop("%n") as loop:
        w = f.gep(at["w"], f.mul(loop.index, "%w_unit"))
        real, imag = (f.load(kind, f.gep(x, loop.index, kind)) for x in parts)
        f.store(kind, real, w)
        f.store(kind, imag, w, size)
        if vectors:
            _vector(f, module, at["v"], f.gep(vectors, f.mul(loop.index, column_bytes)), loop.index, imag)


def _vector(f: Asm, module: _Module, v: str, column: str, number: str, imaginary: str) -> None:
    """The complex vector of a value, whose column is real; of the second of a pair, it is the first one's conjugate."""
    kind, size = module.of.kind, module.size
    is_first, is_second = (f.op(f"fcmp {c} {kind} {imaginary}, 0.0") for c in ("ogt", "olt"))
    one_column = f.mul("%n", size)
    real = f.gep(column, f.choose(is_second, f.sub(0, one_column), 0))
    imag = f.gep(column, f.choose(is_first, one_column, 0))
    is_complex, to = f.any(is_first, is_second), f.gep(v, f.mul(number, "%v_column"))
    with f.loop("%n") as row:
        place = f.gep(to, f.mul(row.index, "%v_row"))
        f.store(kind, f.load(kind, f.gep(real, row.index, kind)), place)
        y = f.load(kind, f.gep(imag, row.index, kind))
        y = f.choose(is_second, f.op(f"fneg {kind} {y}"), y, kind)
        f.store(kind, f.choose(is_complex, y, "0.0", kind), place, size)


def _upper_text(of: Number) -> str:
    """@copy_upper: what is on and above the diagonal of m rows and n columns; zeros below it."""
    params = ("ptr x", "i64 x_row", "i64 x_column", "ptr y", "i64 y_row", "i64 y_column", "i64 m", "i64 n")
    f = Asm("void", "copy_upper", params, internal=True)
    with f.loop("%n") as column, f.loop("%m") as row:
        x, y = (f.gep(f.gep(f"%{p}", f.mul(row.index, f"%{p}_row")), f.mul(column.index, f"%{p}_column")) for p in "xy")
        f.store(of.kind, f.choose(f.le(row.index, column.index), f.load(of.kind, x), "zeroinitializer", of.kind), y)
    f.ret()
    return f.text


def _finite_text(kind: str) -> str:
    """i1 @is_finite: whether n adjacent numbers are."""
    f = Asm("i1", "is_finite", ("ptr x", "i64 n"), internal=True)
    with f.loop("%n", (kind, "0.0")) as loop:
        x = f.load(kind, f.gep("%x", loop.index, kind))
        none = f.op(f"fsub {kind} {x}, {x}")  # 0, or NaN
        loop.next = [f.op(f"fadd {kind} {loop.values[0]}, {none}")]
    f.ret("i1", f.op(f"fcmp oeq {kind} {loop.values[0]}, 0.0"))
    return f.text
