"""Small matrices: Cholesky and its cotangents, LU, and systems with triangles and with LU factors, without LAPACK.

Contract  `small_functions(function, element, tuning)`: those for an object of linear algebra, which may call them where
          `is_small` holds: of stacks of matrices, any strides in bytes; NaN and a number, else -1, for those that fail.
Why       a call of LAPACK takes longer than the work; one order of operations in all forms, so the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, kernel
from tensordsl.codegen.kernel_ir.types import Kind, Signature, i1, i64, ptr, signature
from tensordsl.codegen.library.linalg import lower_dots, small_factors, small_rows, small_solves, small_vjp
from tensordsl.codegen.library.linalg.batches import stack
from tensordsl.codegen.library.linalg.fortran import Element
from tensordsl.codegen.library.linalg.small_factors import Run, Work
from tensordsl.codegen.library.linalg.small_values import CHUNK, Adjacent, Lanes, lanes_until
from tensordsl.codegen.target.tuning import Tuning

ADJACENT_COLUMNS = CHUNK, 2 * CHUNK  # in lanes, of few and of many columns that are adjacent in memory
Form = Callable[[Work], Run]
Values = Mapping[str, Any]  # of parameters


@dataclass(frozen=True, slots=True)
class Routine:
    """A function on stacks of matrices: its parameters, the step of each of its operands, and what writes its forms.
    Lengths up to `max_unrolled_rows` are in registers; complete vectors of matrices are in lanes up to `max_lane_rows`;
    columns of one system are in lanes, whatever its length is; all others are done one by one.

    by_rows     of one matrix, its rows as vectors of so many numbers, or None: as several in lanes
    shared      of several columns of one system, in lanes, or None: it has no columns"""

    name: str
    parameters: Mapping[str, Kind]
    steps: Mapping[str, str]
    form: Form
    by_rows: Callable[[int], Form] | None = None
    shared: Form | None = None

    def signature(self, of: Element, form: str = "") -> Signature:
        return signature(f"small_{self.name}_{of.kind}{f'.{form}' * bool(form)}", i64, self.parameters)

    def named(self, values: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self.parameters, values, strict=True))


_PIVOTS: Mapping[str, Kind] = {"pivots": ptr, "p_step": i64}
_COUNTED: Mapping[str, Kind] = {"n": i64, "count": i64}
_TRIANGULAR = {**stack("a", "b", "x"), "n": i64, "k": i64, "lower": i1, "unit": i1, "count": i64}
_LU_SOLVE = {**stack("lu"), **_PIVOTS, **stack("b", "x"), "n": i64, "k": i64, "trans": i1, "count": i64}
_OF_LU_SOLVE = {"lu": "lu_step", "pivots": "p_step", "b": "b_step", "x": "x_step"}


def _lu_solve(is_transposed: bool) -> Routine:
    form: Form = partial(small_solves.lu_solve, is_transposed=is_transposed)
    name = f"lu_solve_{'transposed' if is_transposed else 'plain'}"
    shared: Form = partial(small_solves.lu_solve, is_shared=True, is_transposed=is_transposed)
    return Routine(name, _LU_SOLVE, _OF_LU_SOLVE, form, shared=shared)


ROUTINES: Mapping[str, tuple[Routine, ...]] = {
    "cholesky": (
        Routine(
            "cholesky", {**stack("a", "l"), **_COUNTED}, {"a": "a_step", "l": "l_step"}, small_factors.cholesky,
            by_rows=lambda width: partial(small_rows.cholesky, width=width),
        ),
    ),
    "cholesky_vjp": (
        Routine(
            "cholesky_vjp", {**stack("l", "g", "o"), **_COUNTED}, {"l": "l_step", "g": "g_step", "o": "o_step"},
            small_vjp.cholesky_vjp,
            by_rows=lambda width: partial(small_vjp.cholesky_vjp_by_rows, width=width),
        ),
    ),
    "triangular": (
        Routine(
            "lower", _TRIANGULAR, {"a": "a_step", "b": "b_step", "x": "x_step"}, small_solves.triangular,
            shared=partial(small_solves.triangular, is_shared=True),
        ),
    ),
    "lu": (
        Routine(
            "lu", {**stack("a", "lu"), **_PIVOTS, **_COUNTED}, {"a": "a_step", "lu": "lu_step", "pivots": "p_step"},
            small_factors.lu, by_rows=lambda width: partial(small_rows.lu, width=width),
        ),
        _lu_solve(False),
        _lu_solve(True),
    ),
}  # fmt: skip


def is_small(k: Kernel, tuning: Tuning, n: Number, columns: Number | None = None) -> Number:
    """Is a matrix of n rows, and so many right-hand sides, one for `small_functions`?"""
    if not tuning.allows("small_matrices"):
        return k.number(False, i1)
    is_few = n <= tuning.small_matrices.max_rows
    return is_few if columns is None else is_few & (columns <= tuning.small_matrices.max_columns)


def is_triangle_for_dots(k: Kernel, tuning: Tuning, run: Any, size: int) -> Number:
    """Is the system with a larger triangle, whose elements have so many bytes, for `small_functions` too?"""
    if not tuning.allows("small_matrices"):
        return k.number(False, i1)
    return lower_dots.fits_dots(k, run, size, tuning.small_matrices.max_dot_rows)


def small_signature(name: str, of: Element) -> Signature:
    """Of what an object calls: by the name of one of `ROUTINES`, or "triangular", or "lu_solve"."""
    parameters = {"triangular": _TRIANGULAR, "lu_solve": _LU_SOLVE}.get(name)
    return signature(f"small_{name}_{of.kind}", i64, parameters or ROUTINES[name][0].parameters)


def small_functions(function: str, of: Element, tuning: Tuning) -> list[Function]:
    """What an object calls by `small_signature`, and what that needs; none of complex numbers."""
    if not tuning.allows("small_matrices") or of.parts > 1:
        return []
    wide = min(tuning.machine.vector_bytes // of.size, tuning.small_matrices.max_lanes)
    found = []
    if any(routine.by_rows for routine in ROUTINES[function]):
        for width in _widths(tuning):
            found += small_rows.copies(of, width, _has_masks(tuning))
    for routine in ROUTINES[function]:
        found += [*_forms(routine, of, wide, tuning), *_all_matrices(routine, of, wide, tuning)]
    if function == "triangular":
        found += [lower_dots.dots_function(of, _TRIANGULAR), _triangular(of, tuning)]
    if function == "lu":
        found.append(_lu_solves(of))
    return found


def one_function(routine: Routine, of: Element, most: int) -> Function:
    """Of single matrices of any length up to `most`, number by number."""
    return _stack(routine, of, "n.1", 1, None, most, routine.form)


def _has_masks(tuning: Tuning) -> bool:
    """Are parts of vectors loaded and stored as fast as complete ones?"""
    return tuning.machine.vector_bytes == 64


def _widths(tuning: Tuning) -> Iterator[int]:
    """Numbers in a row of a matrix whose rows are vectors: the smallest that is long enough is used."""
    width = CHUNK
    while width < 2 * tuning.small_matrices.max_rows:
        yield width
        width *= 2


def _forms(routine: Routine, of: Element, wide: int, tuning: Tuning) -> Iterator[Function]:
    limits = tuning.small_matrices
    for n in range(2, limits.max_unrolled_rows + 1):
        for lanes in (1, wide):
            yield _stack(routine, of, f"{n}.{lanes}", lanes, n, n, routine.form)
    yield _stack(routine, of, f"n.{wide}", wide, None, limits.max_lane_rows, routine.form)
    if routine.by_rows is None:
        yield one_function(routine, of, limits.max_rows)
    else:
        for width in _widths(tuning):
            yield _stack(routine, of, f"rows.{width}", 1, None, limits.max_rows, routine.by_rows(width))
    if routine.shared is not None:
        yield _stack(routine, of, "shared", wide, None, limits.max_rows, routine.shared, ("b", "x"))
        for n in ADJACENT_COLUMNS if _has_masks(tuning) else ():
            yield _stack(routine, of, f"adjacent.{n}", n, None, limits.max_rows, routine.shared, ("b", "x"), True)


def _stack(
    routine: Routine, of: Element, name: str, lanes: int, n: int | None, most: int, form: Form,
    ends: tuple[str, ...] = (), is_adjacent: bool = False,
) -> Function:  # fmt: skip
    """All matrices of n rows, a parameter if that is None, `lanes` at once.  Their count is a multiple of it, or lanes
    behind the last repeat it, of those operands that `ends` names; the others have no step.  is_adjacent: those are
    adjacent in memory."""

    @kernel(routine.signature(of, name))
    def stacked(k: Kernel, *values: Any) -> None:
        given, v = routine.named(values), Lanes(k, of.part, lanes)
        count = given["count"]
        work = Work(k, given, v, given["n"] if n is None else n, most)
        run = form(work)
        first, places = k.variable(-1, i64), {x: k.variable(given[x]) for x in routine.steps}
        with k.range(count, step=lanes) as number:
            before, here = first.value, {x: place.value for x, place in places.items()}
            if is_adjacent:
                work.steps |= dict.fromkeys(ends, Adjacent(lanes_until(k, count - number, lanes)))
            elif ends:
                is_one = [number + lane < count for lane in range(1, lanes)]
                for x in ends:
                    work.steps[x] = [k.select(truth, given[routine.steps[x]], 0) for truth in is_one]
            failed = run(here)
            if failed is not None:
                is_first = v.any(failed) & (before == -1)
                first.set(k.select(is_first, number + v.first(failed), before))
            for x, step in routine.steps.items():
                places[x].set(here[x].bytes(given[step] * lanes))
        k.ret(first)

    return stacked


def _all_matrices(routine: Routine, of: Element, wide: int, tuning: Tuning) -> Iterator[Function]:
    """Complete vectors of matrices in lanes, then the others; or complete vectors of one system's columns."""
    limits = tuning.small_matrices
    singly, columns = (routine.signature(of, form) for form in ("singly", "columns"))

    @kernel(routine.signature(of))
    def all_matrices(k: Kernel, *values: Any) -> None:
        given = routine.named(values)
        n, count = given["n"], given["count"]
        with k.when(count >= wide):
            blocks = count & -wide
            with k.when(n <= limits.max_lane_rows):
                first = _by_length(k, routine, of, given | {"count": blocks}, f"n.{wide}", wide, tuning)
                with k.when(blocks == count):
                    k.ret(first)
                rest = {x: given[x].bytes(blocks * given[step]) for x, step in routine.steps.items()}
                second = k.call(singly, *(given | rest | {"count": count - blocks}).values())
                behind = k.select(second < 0, k.number(-1, i64), second + blocks)
                k.ret(k.select(first < 0, behind, first))
        if routine.shared is not None:
            with k.when(given["k"] >= limits.min_columns):
                k.ret(_each(k, routine, given, columns))
        k.ret(k.call(singly, *values))

    yield all_matrices
    yield _singly(routine, of, tuning)
    if routine.shared is not None:
        yield _columns(routine, of, tuning)


def _each(k: Kernel, routine: Routine, given: Values, callee: Signature) -> Number:
    """The number of the first matrix for which the callee does not give -1."""
    first, places = k.variable(-1, i64), {x: k.variable(given[x]) for x in routine.steps}
    with k.range(given["count"]) as number:
        before, here = first.value, {x: place.value for x, place in places.items()}
        failed = k.call(callee, *(dict(given) | here).values())
        first.set(k.select((failed >= 0) & (before < 0), number, before))
        for x, step in routine.steps.items():
            places[x].set(here[x].bytes(given[step]))
    return first.value


def _columns(routine: Routine, of: Element, tuning: Tuning) -> Function:
    """Of one system, in lanes."""

    @kernel(routine.signature(of, "columns"))
    def columns(k: Kernel, *values: Any) -> None:
        given = routine.named(values)
        steps = {step: 0 for step in routine.steps.values()}
        steps |= {"b_step": given["b_column"], "x_step": given["x_column"], "k": 1, "count": given["k"]}

        def give(form: str) -> None:
            first = k.call(routine.signature(of, form), *(given | steps).values())
            k.ret(k.select(first < 0, k.number(-1, i64), 0))

        few, many = ADJACENT_COLUMNS
        if _has_masks(tuning):
            with k.when((given["b_column"] == of.size) & (given["x_column"] == of.size)):
                with k.when(given["k"] <= few):
                    give(f"adjacent.{few}")
                give(f"adjacent.{many}")
        give("shared")

    return columns


def _singly(routine: Routine, of: Element, tuning: Tuning) -> Function:
    """One matrix after the other."""

    @kernel(routine.signature(of, "singly"))
    def singly(k: Kernel, *values: Any) -> None:
        given = routine.named(values)
        if routine.by_rows is None:
            k.ret(_by_length(k, routine, of, given, "n.1", 1, tuning))
            return
        narrow, *others = _widths(tuning)
        for width in reversed(others):
            with k.when(given["n"] > width // 2):
                k.ret(k.call(routine.signature(of, f"rows.{width}"), *values))
        k.ret(_by_length(k, routine, of, given, f"rows.{narrow}", 1, tuning))

    return singly


def _by_length(
    k: Kernel, routine: Routine, of: Element, given: Values, other: str, lanes: int, tuning: Tuning
) -> Number:
    """The call of the form of matrices of n rows, `other` where none is of these alone."""
    found = k.variable(-1, i64)
    with k.switch(given["n"]) as cases:
        for n in range(2, tuning.small_matrices.max_unrolled_rows + 1):
            with cases.case(n):
                found.set(k.call(routine.signature(of, f"{n}.{lanes}"), *given.values()))
        with cases.default():
            found.set(k.call(routine.signature(of, other), *given.values()))
    return found.value


def _triangular(of: Element, tuning: Tuning) -> Function:
    """An upper factor is a lower one from its end."""
    (routine,) = ROUTINES["triangular"]
    lower, dots = routine.signature(of), signature(f"lower_by_dots_{of.kind}", i64, _TRIANGULAR)

    @kernel(small_signature("triangular", of))
    def triangular(k: Kernel, *values: Any) -> None:
        given = routine.named(values)
        with k.when(given["n"] > tuning.small_matrices.max_rows):
            k.ret(k.call(dots, *values))
        with k.when(given["lower"]):
            k.ret(k.call(lower, *values))
        last = given["n"] - 1
        steps = {"a": given["a_row"] + given["a_column"], "b": given["b_row"], "x": given["x_row"]}
        reversed_ = {x: given[x].bytes(last * step) for x, step in steps.items()}
        reversed_ |= {stride: -given[stride] for stride in ("a_row", "a_column", "b_row", "x_row")}
        k.ret(k.call(lower, *(given | reversed_).values()))

    return triangular


def _lu_solves(of: Element) -> Function:
    _, plain, transposed = (routine.signature(of) for routine in ROUTINES["lu"])

    @kernel(small_signature("lu_solve", of))
    def lu_solve(k: Kernel, *values: Any) -> None:
        with k.when(dict(zip(_LU_SOLVE, values, strict=True))["trans"]):
            k.ret(k.call(transposed, *values))
        k.ret(k.call(plain, *values))

    return lu_solve
