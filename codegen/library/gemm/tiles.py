"""Micro-kernels of small products: rows of C as sums of rows of B, and elements of C as dot products.

Contract  `rows_<type>` (contiguous rows of B), `dots_<type>` (contiguous k in A and B), `vector_dots_<type>`; any m, n.
Why       nothing is packed.  Sums of one kernel have one order of additions for all elements, so that x x' is
          symmetric.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, NumberVariable, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Kind, Signature, Type, array, i1, i64, signature
from tensordsl.codegen.library.gemm.signatures import named
from tensordsl.codegen.library.polls import poll_each
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
Mask = Number | None  # None: all lanes
Step = Callable[[Any, Mask, Sequence[Number]], list[Number]]  # (number of the first term, mask, sums) -> sums


def tile_functions(v: Type, t: Tuning) -> list[Function]:
    """All tiles and what calls them: `rows_<type>` and `dots_<type>`, for any m and n; `vector_dots_<type>`, whose
    long rows begin on cache lines where straddling loads are expensive."""
    lines = t.machine.prefers_halves
    bodies = [_rows_tile(v, rows, terms) for rows in TILE_ROWS for terms in (*UNROLLED_TERMS, None)]
    bodies += [_dot_tile(v, *shape) for shape in DOTS]
    bodies += [_dot_tile(v, *shape, unroll) for shape, unroll in INDEPENDENT_SUMS.items()]
    bodies += [_dot_tile(v, *shape, INDEPENDENT_SUMS[shape], True) for shape in ALIGNED_DOTS if lines]
    return [*bodies, _rows(v), _dots(v), _vector_dots(v, t.gemm.align_min_terms if lines else None)]


# What all kernels of products share


def first_lanes(f: Kernel, live: Number, lanes: int) -> Number:
    """The mask of the first `live` lanes."""
    return f.vector(range(lanes), i64) < f.splat(live, lanes)


def over_vectors(f: Kernel, lanes: int, count: Number, body: Callable[[Number, Mask], None]) -> None:
    """body(index, mask) for complete vectors, of all lanes, and then for the rest."""
    complete = count & -lanes
    with f.range(complete, step=lanes) as i:
        body(i, None)
    rest = count - complete
    with f.when(rest > 0):
        body(complete, first_lanes(f, rest, lanes))


def duration(v: Type, multiplications: Number) -> Number:
    """ns that they take, about."""
    return multiplications.k.unsigned("udiv", multiplications, 256 // v.scalar.bytes)


def assign(variables: Sequence[NumberVariable], values: Sequence[Number]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.set(value)


def added(f: Kernel, add: Number, sums: Sequence[Number], places: Sequence[Pointer], mask: Mask) -> list[Number]:
    """The sums, with C's values if they are to be added to; C is not read otherwise."""
    totals = [f.variable(x) for x in sums]
    with f.when(add):
        for total, place in zip(totals, places, strict=True):
            total.set(place.load(total.type.lanes, mask) + total)
    return [total.value for total in totals]


# Tiles over n: rows of C are sums of rows of B


def _rows_parameters(v: Type) -> dict[str, Kind]:
    matrix = array(v.scalar)
    return dict(n=i64, k=i64, a=matrix, rsa=i64, csa=i64, b=matrix, rsb=i64, c=matrix, ldc=i64, alpha=v.scalar, add=i1)


def rows_signature(v: Type) -> Signature:
    return signature(named("rows", v), None, {"m": i64, **_rows_parameters(v)})


def _rows_tile_signature(v: Type, rows: int, terms: int | None) -> Signature:
    return signature(f"{named('rows', v)}_{rows}_{terms or 'k'}", None, _rows_parameters(v))


def _rows_tile(v: Type, rows: int, terms: int | None) -> Function:
    @kernel(_rows_tile_signature(v, rows, terms))
    def tile(
        f: Kernel, n: Number, k: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer, rsb: Number, c: Pointer,
        ldc: Number, alpha: Number, add: Number,
    ) -> None:  # fmt: skip
        """`rows` rows of C: C (if add) + alpha A B, with B's and C's rows contiguous; k is `terms`, or read."""
        rows_of_a = [a + r * rsa for r in range(rows)]
        rows_of_c = [c + r * ldc for r in range(rows)]
        alphas = f.splat(alpha, v.lanes)
        rows_of_b = [b + j * rsb for j in range(terms or 0)]
        factors = [[f.splat((x + j * csa)[0], v.lanes) for j in range(terms or 0)] for x in rows_of_a]

        def known(i: Number, mask: Mask) -> list[Number]:
            loaded = [(row + i).load(v.lanes, mask) for row in rows_of_b]
            sums = [of_row[0] * loaded[0] for of_row in factors]
            for j in range(1, len(loaded)):
                sums = [f.fma(of_row[j], loaded[j], x) for of_row, x in zip(factors, sums, strict=True)]
            return sums

        def any_number(i: Number, mask: Mask) -> list[Number]:
            first = b + i
            sums = [f.variable(0.0, v) for _ in range(rows)]
            with f.range(k) as p:
                row_of_b = (first + p * rsb).load(v.lanes, mask)
                for total, row in zip(sums, rows_of_a, strict=True):
                    factor = f.splat((row + p * csa)[0], v.lanes)
                    total.set(f.fma(factor, row_of_b, total))
            return [total.value for total in sums]

        def body(i: Number, mask: Mask) -> None:
            places = [row + i for row in rows_of_c]
            sums = [alphas * x for x in (known if terms else any_number)(i, mask)]
            for value, place in zip(added(f, add, sums, places, mask), places, strict=True):
                place.store(value, mask)

        over_vectors(f, v.lanes, n, body)

    return tile


def _rows(v: Type) -> Function:
    @kernel(rows_signature(v))
    def rows(
        f: Kernel, m: Number, n: Number, k: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer, rsb: Number,
        c: Pointer, ldc: Number, alpha: Number, add: Number,
    ) -> None:  # fmt: skip
        """All rows of C, four at a time."""
        fours = m & -4
        for many, start, end in ((4, 0, fours), (1, fours, m)):
            with f.range(end, start=start, step=many) as i:
                moved = {"a": a + i * rsa, "c": c + i * ldc}
                with f.switch(k) as cases:
                    for terms in UNROLLED_TERMS:
                        with cases.case(terms):
                            f.forward(_rows_tile_signature(v, many, terms), **moved)
                    with cases.default():
                        f.forward(_rows_tile_signature(v, many, None), **moved)
                if many == 4:
                    poll_each(f, i, 256, 4)

    return rows


# Tiles of dot products


def _dot_parameters(v: Type) -> dict[str, Kind]:
    matrix = array(v.scalar)
    return dict(k=i64, a=matrix, rsa=i64, b=matrix, csb=i64, c=matrix, ldc=i64, alpha=v.scalar, add=i1)


def dots_signature(v: Type) -> Signature:
    return signature(named("dots", v), None, {"m": i64, "n": i64, **_dot_parameters(v)})


def vector_dots_signature(v: Type) -> Signature:
    return signature(named("vector_dots", v), None, {"m": i64, "n": i64, **_dot_parameters(v)})


def _dot_tile_signature(v: Type, rows: int, columns: int, unroll: int, lines: bool) -> Signature:
    kinds = (f"_{unroll}" if unroll > 1 else "") + "_lines" * lines
    return signature(f"{named('dot', v)}_{rows}_{columns}{kinds}", None, _dot_parameters(v))


def _dot_tile(v: Type, rows: int, columns: int, unroll: int = 1, lines: bool = False) -> Function:
    @kernel(_dot_tile_signature(v, rows, columns, unroll, lines))
    def tile(
        f: Kernel, k: Number, a: Pointer, rsa: Number, b: Pointer, csb: Number, c: Pointer, ldc: Number,
        alpha: Number, add: Number,
    ) -> None:  # fmt: skip
        """rows x columns elements of C (if add) + alpha A B, with k contiguous in A and B: `unroll` vectors of partial
        sums of each; lines: from the cache line on in which the first row begins, or column where there are more of
        these."""
        off = _behind_line(v, a if rows >= columns else b) if lines else f.number(0, i64)
        places = [a + r * rsa for r in range(rows)] + [b + j * csb for j in range(columns)]
        if lines:
            before = -off
            places = [x + before for x in places]

        def step(i: Any, mask: Mask, sums: Sequence[Number]) -> list[Number]:
            loaded = [(place + i).load(v.lanes, mask) for place in places]
            pairs = ((x, y) for x in loaded[:rows] for y in loaded[rows:])
            return [f.fma(x, y, s) for (x, y), s in zip(pairs, sums, strict=True)]

        terms, count = _Terms(f, v, step, unroll), rows * columns
        totals = terms.from_a_line(k, count, off) if lines else terms.in_order(k, count)
        _finish(f, totals, (rows, columns))

    return tile


def _behind_line(v: Type, pointer: Pointer) -> Number:
    """How many elements behind the beginning of a cache line, or of a shorter vector's place, it stands."""
    k, size = pointer.k, v.scalar.bytes
    place = k.emit("ptrtoint", pointer, to=i64) & (min(CACHE_LINE_BYTES, v.bytes) - 1)
    return k.unsigned("lshr", place, size.bit_length() - 1)


class _Terms:
    """Vectors of sums over k terms in a kernel, by `step`s; `unroll`: vectors that are added up independently."""

    def __init__(self, f: Kernel, v: Type, step: Step, unroll: int) -> None:
        self.f, self.v, self.step, self.unroll = f, v, step, unroll

    def zeros(self, count: int) -> list[Number]:
        return [self.f.number(0.0, self.v)] * count

    def in_order(self, k: Number, count: int) -> list[Number]:
        """Vectors of sums of all terms, of which some wait for no others."""
        f, lanes = self.f, self.v.lanes
        complete = k & -lanes
        done, first = self.unrolled(k, count) if self.unroll > 1 else (f.number(0, i64), self.zeros(count))
        sums = [f.variable(x) for x in first]
        with f.range(complete, start=done, step=lanes) as i:
            assign(sums, self.step(i, None, sums))
        rest = k - complete
        with f.when(rest > 0):
            assign(sums, self.step(complete, first_lanes(f, rest, lanes), sums))
        return [x.value for x in sums]

    def unrolled(self, k: Number, count: int) -> tuple[Number, list[Number]]:
        """(how many terms are added up, `count` sums of them) of long rows, by so many vectors at a time."""
        f, span = self.f, self.unroll * self.v.lanes
        end = k & -span
        sums = [f.variable(x) for x in self.zeros(count * self.unroll)]
        with f.range(end, step=span) as i:
            assign(sums, self.each_vector(count, i, sums))
        folded = [f.variable(x) for x in self.zeros(count)]
        with f.when(end > 0):
            assign(folded, self.folded([*sums], count))
        return end, [x.value for x in folded]

    def from_a_line(self, k: Number, count: int, off: Number) -> list[Number]:
        """The same of long rows, of which `off` lanes are left out at the beginning and some at the end.  The vectors
        of all are one ring: wherever in it a row begins, each lane adds up the same terms in the same order, and
        folding the ring in halves adds the same pairs, so that sums have the same bits."""
        f, lanes, span = self.f, self.v.lanes, self.unroll * self.v.lanes
        total = k + off

        def inside(start: Any) -> Number:
            before, below = (first_lanes(f, x - start, lanes) for x in (off, total))
            return below & ~before

        first = self.each_vector(count, 0, self.zeros(self.unroll * count), inside)
        last = (total - 1) & -span
        sums = [f.variable(x) for x in first]
        with f.range(last, start=span, step=span) as i:
            assign(sums, self.each_vector(count, i, sums))
        return self.folded(self.each_vector(count, last, sums, inside), count)

    def each_vector(
        self, count: int, at: Any, sums: Sequence[Number], mask: Callable[[Any], Mask] = lambda start: None
    ) -> list[Number]:
        """As many vectors, one behind the other: complete ones, or the lanes in the mask of one that begins at a
        term."""
        made: list[Number] = []
        for n in range(self.unroll):
            start = at + n * self.v.lanes
            made += self.step(start, mask(start), sums[n * count : (n + 1) * count])
        return made

    def folded(self, sums: list[Number], count: int) -> list[Number]:
        """The partial sums of an element as one."""
        while len(sums) > count:
            half = len(sums) // 2
            sums = [x + y for x, y in zip(sums[:half], sums[half:], strict=True)]
        return sums


def _finish(f: Kernel, totals: Sequence[Number], shape: tuple[int, int]) -> None:
    """C from the vectors of sums."""
    (rows, columns), (c, ldc, alpha, add) = shape, (f.given[name] for name in ("c", "ldc", "alpha", "add"))
    few = min(columns, totals[0].type.lanes)  # that are stored together
    alphas = f.splat(alpha, few)
    sums = [alphas * x for x in _sums(f, totals, few)]
    rows_of_c = [c + r * ldc for r in range(rows)]
    places = [row + j for row in rows_of_c for j in range(0, columns, few)]
    with f.when(add):
        for value, place in zip(sums, places, strict=True):
            place.store(place.load(few) + value)
        f.ret()
    for value, place in zip(sums, places, strict=True):
        place.store(value)


def _sums(f: Kernel, totals: Sequence[Number], few: int) -> list[Number]:
    """The sums of the lanes of vectors, in vectors of `few`."""
    together, made = min(len(totals), totals[0].type.lanes), []
    for start in range(0, len(totals), together):
        of_all = _lane_sums(f, totals[start : start + together])
        made += [f.shuffle(of_all, of_all, range(at, at + few)) for at in range(0, together, few)]
    return made


def _lane_sums(f: Kernel, vectors: Sequence[Number]) -> Number:
    """A vector of as many sums.  Lanes of several vectors are added at once: a vector holds a block of lanes of each,
    and what is added are the first and the second halves of blocks."""
    block = width = vectors[0].type.lanes
    while block > 1:
        if len(vectors) == 1:
            pairs, span = [(vectors[0], vectors[0])], width
        else:
            pairs, span = [*zip(vectors[::2], vectors[1::2], strict=True)], 2 * width
        halves = [
            [at + half + i for at in range(0, span, block) for i in range(block // 2)] for half in (0, block // 2)
        ]
        parts = [[f.shuffle(x, y, lanes) for lanes in halves] for x, y in pairs]
        block, width = block // 2, len(halves[0])
        vectors = [x + y for x, y in parts]
    return vectors[0]


def _dots(v: Type) -> Function:
    @kernel(dots_signature(v))
    def dots(
        f: Kernel, m: Number, n: Number, k: Number, a: Pointer, rsa: Number, b: Pointer, csb: Number, c: Pointer,
        ldc: Number, alpha: Number, add: Number,
    ) -> None:  # fmt: skip
        """All elements of C, in tiles as large as fit."""
        fours, ends = m & -4, {width: n & -width for _, width in DOTS}
        for rows, start, end in ((4, 0, fours), (1, fours, m)):
            with f.range(end, start=start, step=rows) as i:
                done: Any = 0
                for width in (w for r, w in DOTS if r == rows):
                    _dot_columns(f, v, i, rows, (done, ends[width], width))
                    done = ends[width]
                if rows == 4:
                    poll_each(f, i, 256, 4)

    return dots


def _vector_dots(v: Type, min_terms: int | None) -> Function:
    @kernel(vector_dots_signature(v))
    def vector_dots(
        f: Kernel, m: Number, n: Number, k: Number, a: Pointer, rsa: Number, b: Pointer, csb: Number, c: Pointer,
        ldc: Number, alpha: Number, add: Number,
    ) -> None:  # fmt: skip
        """Of a product with a vector: one column, or else one row.  Not of parts of others: threads decide on these.
        From `min_terms` on vectors begin on cache lines."""

        def tiles(lines: bool) -> None:
            fours, some = m & -4, n & -4
            with f.when(n == 1):
                for rows, start, end in ((4, 0, fours), (1, fours, m)):
                    with f.range(end, start=start, step=rows) as i:
                        _dot_columns(f, v, i, rows, (0, 1, 1), INDEPENDENT_SUMS[rows, 1], lines)
                f.ret()
            for columns in ((0, some, 4), (some, n, 1)):
                _dot_columns(f, v, 0, 1, columns, INDEPENDENT_SUMS[1, columns[2]], lines)

        if min_terms is not None:
            with f.when(k >= min_terms):
                tiles(True)
                f.ret()
        tiles(False)

    return vector_dots


def _dot_columns(
    f: Kernel, v: Type, i: Any, rows: int, columns: tuple[Any, Any, int], unroll: int = 1, lines: bool = False
) -> None:
    """Of rows from number i on: columns (from, to, at once)."""
    start, end, width = columns
    s = _dot_tile_signature(v, rows, width, unroll, lines and (rows, width) in ALIGNED_DOTS)
    a, rsa, b, csb, c, ldc = (f.given[name] for name in ("a", "rsa", "b", "csb", "c", "ldc"))
    with f.range(end, start=start, step=width) as j:
        f.forward(s, a=a + i * rsa, b=b + j * csb, c=c + i * ldc + j)
