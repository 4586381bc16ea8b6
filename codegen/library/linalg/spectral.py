"""QR factors, singular values and eigenvalues, with their vectors; the modules `qr_*`, `svd_*`, `eigh_*`, `eig_*`, ...

Contract  NumPy's results; matrices that are written have adjacent columns.  What does not converge fails, and so does a
          matrix with NaN or infinities where eigenvalues of any square matrix are wanted.
How       geqrf and orgqr, gesdd, syevd, geev on a copy, in which columns are adjacent, as NumPy calls them: the same
          signs.  The scratch buffer has integers, real numbers, then copies and vectors; the rest is work space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Function, Module
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import i1, i64, ptr, signature
from tensordsl.codegen.library.linalg.batches import (
    COPY_MATRIX,
    FILL_IDENTITY,
    FILL_NAN,
    FILL_NAN_VALUES,
    Batch,
    Given,
    Operand,
    Work,
    identity,
    matrix,
    matrix_copies,
    module,
    nans,
    object_text,
)
from tensordsl.codegen.library.linalg.fortran import NUMBERS, Element, Fortran, either, letter, quotient
from tensordsl.codegen.target.tuning import Tuning

SIZES = {"m": ("a", 0), "n": ("a", 1)}
SQUARE = {"n": ("a", 0)}
COPY_UPPER = signature("copy_upper", None, matrix("x", "y"), m=i64, n=i64)
IS_FINITE = signature("is_finite", i1, x=ptr, n=i64)


@dataclass(frozen=True)
class Kind:
    """What an object computes: its runs, what writes the work of one matrix, and flags of each function."""

    batch: Batch
    each: Callable[[_Writer], Work]
    entries: Mapping[str, Sequence[bool]]


def spectral_text(name: str, tuning: Tuning) -> str:
    """name: of an object, as "svd_float64"."""
    kind, _, dtype = name.partition("_")
    return object_text(spectral_module(kind, dtype, tuning))


def spectral_module(name: str, dtype: str, tuning: Tuning) -> Module:
    kind, of = KINDS[name], NUMBERS[dtype]
    return module(
        *matrix_copies(of, tuning),
        nans(of),
        identity(of),
        _upper(of),
        _finiteness(of.real),
        nans(of.real, FILL_NAN_VALUES),
        *kind.batch.runs(lambda k, run: kind.each(_Writer(k, dtype, run)), tuning),
        *(kind.batch.entry(f"{entry}_{dtype}", flags) for entry, flags in kind.entries.items()),
    )


class _Writer:
    """What the work of an object is written with; the parts of the scratch buffer are taken one after the other."""

    def __init__(self, k: Kernel, dtype: str, run: Given) -> None:
        self.k, self.run, self.of = k, run, NUMBERS[dtype]
        self.fortran = Fortran(k, dtype, run.rt)
        self.is_complex = self.of.parts == 2
        self.used = k.number(layouts.LINALG_HEAD_BYTES, i64)

    def integers(self, count: Number) -> Pointer:
        return self._taken(count * 8)

    def reals(self, *counts: Number) -> list[Pointer]:
        """For so many real numbers, which only functions of complex matrices want."""
        if not self.is_complex:
            return []
        total = counts[0]
        for count in counts[1:]:
            total = total + count
        return [self._taken(total * self.of.part.bytes)]

    def numbers(self, count: Number) -> Pointer:
        return self._taken(count * self.of.size)

    def rest(self) -> tuple[Pointer, Number]:
        """What is left: where, and how many numbers."""
        left = quotient(self.k, self.run.scratch_bytes - self.used, self.of.size)
        return self.run.scratch.bytes(self.used), left

    def _taken(self, size: Number) -> Pointer:
        place: Pointer = self.run.scratch.bytes(self.used)
        self.used = self.used + size
        return place

    def copy(self, a: Operand, to: Pointer, rows: Number, columns: Number) -> None:
        """A with adjacent columns."""
        self.k.call(COPY_MATRIX, *a.words, to, self.of.size, rows * self.of.size, rows, columns)

    def fill_nan(self, values: Operand, count: Number) -> None:
        """A vector of real numbers."""
        self.k.call(FILL_NAN_VALUES, values.place, values.unit, 0, count, 1)


def _qr(w: _Writer) -> Work:
    k, run, fortran, size = w.k, w.run, w.fortran, w.of.size
    least = k.min(run.m, run.n)
    columns = k.select(run.complete, run.m, least)  # of Q
    wide = k.max(columns, run.n)
    tau, copy = w.numbers(least), w.numbers(run.m * wide)
    work, length = w.rest()
    m, n, c, few, lwork = (fortran.integer(x) for x in (run.m, run.n, columns, least, length))
    lead = fortran.integer(k.max(run.m, 1))
    is_empty = least == 0

    def one(here: Given) -> bool:
        with k.when(is_empty), k.when(run.complete):
            k.call(FILL_IDENTITY, *here.q.words, run.m)
        with k.otherwise():
            w.copy(here.a, copy, run.m, run.n)
            fortran.checked("geqrf", m, n, copy, lead, tau, work, lwork)
            source = copy, size, run.m * size
            k.call(COPY_UPPER, *source, *here.r.words, columns, run.n)
            fortran.checked("orgqr", m, c, few, copy, lead, tau, work, lwork)
            k.call(COPY_MATRIX, *source, *here.q.words, run.m, columns)
        return False

    return one


def _svd(w: _Writer) -> Work:
    k, run, fortran = w.k, w.run, w.fortran
    least = k.min(run.m, run.n)
    of_u, of_v = (k.select(run.full, side, least) for side in (run.m, run.n))
    integers, reals = w.integers(least * 8), w.reals(*_svd_reals(run, least))
    copy = w.numbers(run.m * run.n)
    work, length = w.rest()
    m, n, rows_of_v, lwork = (fortran.integer(x) for x in (run.m, run.n, of_v, length))
    form, is_empty = either(k, run.full, "A", "S"), least == 0

    def one(here: Given) -> Number:
        answer = k.variable(False, i1)
        with k.when(is_empty):
            with k.when(run.full):
                for x, side in ((here.u, run.m), (here.v, run.n)):
                    k.call(FILL_IDENTITY, *x.words, side)
        with k.otherwise():
            w.copy(here.a, copy, run.m, run.n)
            answer.set(True)
            # LAPACK may not end where a number is infinite.
            with k.when(k.call(IS_FINITE, copy, run.m * run.n * w.of.parts)):
                vectors = here.s.place, here.u.place, m, here.v.place, rows_of_v
                given = (form, m, n, copy, m, *vectors, work, lwork, *reals, integers)
                answer.set(fortran.checked("gesdd", *given, texts=1))
            with k.when(answer):
                k.call(FILL_NAN, *here.u.words, run.m, of_u)
                w.fill_nan(here.s, least)
                k.call(FILL_NAN, *here.v.words, of_v, run.n)
        return answer

    return one


def _svd_reals(run: Given, least: Number) -> Sequence[Number]:
    """How many complex matrices need."""
    sides = run.m + run.n + 4
    return least * 2 * sides, least * least * 5


def _svdvals(w: _Writer) -> Work:
    k, run, fortran = w.k, w.run, w.fortran
    least = k.min(run.m, run.n)
    integers, reals = w.integers(least * 8), w.reals(*_svd_reals(run, least))
    copy = w.numbers(run.m * run.n)
    work, length = w.rest()
    m, n, lwork, single = (fortran.integer(x) for x in (run.m, run.n, length, 1))

    def one(here: Given) -> Number:
        w.copy(here.a, copy, run.m, run.n)
        none = fortran.info, single, fortran.info, single  # vectors, which are not written
        given = (letter(k, "N"), m, n, copy, m, here.s.place, *none, work, lwork, *reals, integers)
        failed = fortran.checked("gesdd", *given, texts=1)
        with k.when(failed):
            w.fill_nan(here.s, least)
        return failed

    return one


def _symmetric(w: _Writer) -> Work:
    """With vectors where the run has them."""
    k, run, fortran = w.k, w.run, w.fortran
    has_vectors = hasattr(run, "v")
    count = run.n * 5 + 3
    of_reals = run.n * run.n * 2 + count
    integers, reals = w.integers(count), w.reals(of_reals)
    copy = None if has_vectors else w.numbers(run.n * run.n)
    work, length = w.rest()
    n, lwork, many = (fortran.integer(x) for x in (run.n, length, count))
    more = (*reals, fortran.integer(of_reals)) if w.is_complex else ()
    half = either(k, run.lower, "L", "U")

    def one(here: Given) -> Number:
        a = here.v.place if copy is None else copy
        w.copy(here.a, a, run.n, run.n)
        form = letter(k, "V" if has_vectors else "N"), half
        failed = fortran.checked("syevd", *form, n, a, n, here.w.place, work, lwork, *more, integers, many, texts=2)
        with k.when(failed):
            w.fill_nan(here.w, run.n)
            if has_vectors:
                k.call(FILL_NAN, *here.v.words, run.n, run.n)
        return failed

    return one


def _general(w: _Writer) -> Work:
    """With vectors where the run has them."""
    k, run, fortran = w.k, w.run, w.fortran
    has_vectors, square = hasattr(run, "v"), run.n * run.n
    reals = w.reals(run.n * 2)
    copy = w.numbers(square)
    parts = [] if w.is_complex else [w.numbers(run.n), w.numbers(run.n)]
    pairs = w.numbers(square) if parts and has_vectors else None
    work, length = w.rest()
    n, lwork, single = (fortran.integer(x) for x in (run.n, length, 1))
    lead = n if has_vectors else single

    def computed(here: Given) -> Number:
        """Whether LAPACK has failed."""
        form = letter(k, "N"), letter(k, "V" if has_vectors else "N")
        given_vectors = here.v.place if has_vectors else fortran.info
        vectors = given_vectors if pairs is None else pairs
        values = parts or [here.w.place]
        given = (*form, n, copy, n, *values, fortran.info, single, vectors, lead, work, lwork, *reals)
        return fortran.checked("geev", *given, texts=2)

    def one(here: Given) -> Number:
        w.copy(here.a, copy, run.n, run.n)
        failed = k.variable(True, i1)
        with k.when(k.call(IS_FINITE, copy, square * w.of.parts)):
            failed.set(computed(here))
        with k.when(failed):
            for offset in (0, w.of.part.bytes):
                k.call(FILL_NAN_VALUES, here.w.place.bytes(offset), here.w.unit, 0, run.n, 1)
                if has_vectors:
                    v = here.v
                    k.call(FILL_NAN_VALUES, v.place.bytes(offset), v.row, v.column, run.n, run.n)
        if parts:
            with k.otherwise():
                _pair(w, here, parts, pairs)
        return failed

    return one


def _pair(w: _Writer, here: Given, parts: Sequence[Pointer], vectors: Pointer | None) -> None:
    """The complex values and vectors of a real matrix from LAPACK's real numbers."""
    t, n = w.of.part, w.run.n
    column_bytes = n * w.of.size
    with w.k.range(n) as i:
        real, imag = (x.of(t)[i] for x in parts)
        Element(t, 2).store(here.w.place.bytes(i * here.w.unit), [real, imag])
        if vectors is not None:
            _vector(w, here.v, vectors.of(t).bytes(i * column_bytes), i, imag)


def _vector(w: _Writer, v: Operand, column: Pointer, number: Number, imaginary: Number) -> None:
    """The complex vector of a value, whose column is real; of the second of a pair, it is the first one's conjugate."""
    k, n = w.k, w.run.n
    is_first, is_second = imaginary > 0.0, imaginary < 0.0
    one_column = n * w.of.size
    real = column.bytes(k.select(is_second, -one_column, 0))
    imag = column.bytes(k.select(is_first, one_column, 0))
    is_complex, to = is_first | is_second, v.place.bytes(number * v.column)
    with k.range(n) as i:
        x, y = real[i], imag[i]
        y = k.select(is_complex, k.select(is_second, -y, y), 0.0)
        Element(w.of.part, 2).store(to.bytes(i * v.row), [x, y])


def _upper(of: Element) -> Function:
    @kernel(COPY_UPPER)
    def copy_upper(
        k: Kernel, x: Pointer, x_row: Number, x_column: Number, y: Pointer, y_row: Number, y_column: Number,
        m: Number, n: Number,
    ) -> None:  # fmt: skip
        """What is on and above the diagonal of m rows and n columns; zeros below it."""
        with k.range(n) as j, k.range(m) as i:
            source, to = x.bytes(i * x_row).bytes(j * x_column), y.bytes(i * y_row).bytes(j * y_column)
            of.store(to, [k.select(i <= j, part, 0.0) for part in of.load(source)])

    return copy_upper


def _finiteness(of: Element) -> Function:
    @kernel(IS_FINITE)
    def is_finite(k: Kernel, x: Pointer, n: Number) -> None:
        """Whether n adjacent numbers are."""
        sum_of_zeros = k.variable(0.0, of.part)
        with k.range(n) as i:
            value = x.of(of.part)[i]
            sum_of_zeros += value - value  # 0, or NaN
        k.ret(sum_of_zeros == 0.0)

    return is_finite


KINDS = {
    "qr": Kind(
        Batch({"a": 2, "q": 2, "r": 2}, SIZES, ("complete",), takes_empty=True, has_scratch=True),
        _qr, {"qr_reduced": [False], "qr_complete": [True]},
    ),
    "svd": Kind(
        Batch({"a": 2, "u": 2, "s": 1, "v": 2}, SIZES, ("full",), takes_empty=True, has_scratch=True),
        _svd, {"svd_reduced": [False], "svd_full": [True]},
    ),
    "svdvals": Kind(Batch({"a": 2, "s": 1}, SIZES, has_scratch=True), _svdvals, {"svdvals": []}),
    "eigh": Kind(
        Batch({"a": 2, "w": 1, "v": 2}, SQUARE, ("lower",), has_scratch=True),
        _symmetric, {"eigh_lower": [True], "eigh_upper": [False]},
    ),
    "eigvalsh": Kind(
        Batch({"a": 2, "w": 1}, SQUARE, ("lower",), has_scratch=True),
        _symmetric, {"eigvalsh_lower": [True], "eigvalsh_upper": [False]},
    ),
    "eig": Kind(Batch({"a": 2, "w": 1, "v": 2}, SQUARE, has_scratch=True), _general, {"eig": []}),
    "eigvals": Kind(Batch({"a": 2, "w": 1}, SQUARE, has_scratch=True), _general, {"eigvals": []}),
}  # fmt: skip
