"""Small matrices: Cholesky and its cotangents, LU, and systems with triangles and with LU factors, without LAPACK.

Contract  `small_text(function, number, tuning)`: functions for an object of linear algebra, which may call them where
          `is_small` holds: of stacks of matrices, any strides in bytes; NaN and a number, else -1, for those that fail.
Why       a call of LAPACK takes longer than the work; one order of operations in all forms, so the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tensordsl.codegen.library.linalg import lower_dots, small_factors, small_rows, small_solves, small_vjp
from tensordsl.codegen.library.linalg.fortran import Number
from tensordsl.codegen.library.linalg.small_factors import Run, Work
from tensordsl.codegen.library.linalg.small_values import Adjacent, Lanes
from tensordsl.codegen.library.parallel import named, operands
from tensordsl.codegen.llvm.builder import Asm, passed
from tensordsl.codegen.target.tuning import Tuning

ADJACENT_COLUMNS = Lanes.CHUNK, 2 * Lanes.CHUNK  # in lanes, of few and of many columns that are adjacent in memory
Form = Callable[[Work], Run]


def _axes(*names: str) -> tuple[str, ...]:
    return tuple(x for name in names for x in (f"ptr {name}", *(f"i64 {name}_{a}" for a in ("row", "column", "step"))))


@dataclass(frozen=True, slots=True)
class Routine:
    """A function on stacks of matrices: its parameters, the step of each of its operands, and what writes its forms.
    Lengths up to `max_unrolled_rows` are in registers; complete vectors of matrices are in lanes up to `max_lane_rows`;
    columns of one system are in lanes, whatever its length is; all others are done one by one.

    by_rows     of one matrix, its rows as vectors of so many numbers, or None: as several in lanes
    shared      of several columns of one system, in lanes, or None: it has no columns"""

    name: str
    params: tuple[str, ...]
    steps: Mapping[str, str]
    form: Form
    by_rows: Callable[[int], Form] | None = None
    shared: Form | None = None


_PIVOTS = ("ptr pivots", "i64 p_step")
_END = ("i64 n", "i64 count")
_LU = (*_axes("a", "lu"), *_PIVOTS, *_END)
_TRIANGULAR = (*_axes("a", "b", "x"), "i64 n", "i64 k", "i1 lower", "i1 unit", "i64 count")
_LU_SOLVE = (*_axes("lu"), *_PIVOTS, *_axes("b", "x"), "i64 n", "i64 k", "i1 trans", "i64 count")
_OF_LU_SOLVE = {"lu": "lu_step", "pivots": "p_step", "b": "b_step", "x": "x_step"}


def _lu_solve(is_transposed: bool) -> Routine:
    form: Form = partial(small_solves.lu_solve, is_transposed=is_transposed)
    name = f"lu_solve_{'transposed' if is_transposed else 'plain'}"
    shared: Form = partial(small_solves.lu_solve, is_shared=True, is_transposed=is_transposed)
    return Routine(name, _LU_SOLVE, _OF_LU_SOLVE, form, shared=shared)


ROUTINES: Mapping[str, tuple[Routine, ...]] = {
    "cholesky": (
        Routine(
            "cholesky", (*_axes("a", "l"), *_END), {"a": "a_step", "l": "l_step"}, small_factors.cholesky,
            by_rows=lambda width: partial(small_rows.cholesky, width=width),
        ),
    ),
    "cholesky_vjp": (
        Routine(
            "cholesky_vjp", (*_axes("l", "g", "o"), *_END), {"l": "l_step", "g": "g_step", "o": "o_step"},
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
            "lu_factor", _LU, {"a": "a_step", "lu": "lu_step", "pivots": "p_step"},
            small_factors.lu, by_rows=lambda width: partial(small_rows.lu, width=width),
        ),
        _lu_solve(False),
        _lu_solve(True),
    ),
}  # fmt: skip


def is_small(f: Asm, tuning: Tuning, function: str, n: str, k: str) -> str:
    """i1: is a matrix of n rows, and k right-hand sides, one for `small_text`'s functions?"""
    if not tuning.allows("small_matrices"):
        return "false"
    is_few = f.le(n, tuning.small_matrices.max_rows)
    return is_few if k == "1" else f.all(is_few, f.le(k, tuning.small_matrices.max_columns))


def is_triangle_for_dots(f: Asm, tuning: Tuning, size: int) -> str:
    """i1: is the system with a larger triangle, whose elements have so many bytes, for `small_text`'s function too?"""
    if not tuning.allows("small_matrices"):
        return "false"
    return lower_dots.fits_dots(f, size, tuning.small_matrices.max_dot_rows)


def small_text(function: str, of: Number, tuning: Tuning) -> str:
    """The text of what an object calls: `small_<function>_<kind>`, and `small_lu_solve_<kind>` with "lu"; "" if there
    is none: of complex numbers."""
    if not tuning.allows("small_matrices") or of.parts > 1:
        return ""
    kind = of.kind
    one = Lanes(kind, 1)
    wide = Lanes(kind, min(tuning.machine.vector_bytes // one.item, tuning.small_matrices.max_lanes))
    vectors = (wide, Lanes(kind, small_rows.CHUNK), *(Lanes(kind, n) for n in ADJACENT_COLUMNS))
    used = {lanes.mangled: lanes for lanes in vectors}.values()
    texts = [line for lanes in used for line in (*lanes.declarations(), *lanes.masked_declarations())]
    texts += ["declare i64 @llvm.cttz.i64(i64, i1)\n", *one.declarations()]
    has_masks = _has_masks(tuning)
    if any(routine.by_rows for routine in ROUTINES[function]):
        texts += [small_rows.copies_text(kind, width, has_masks) for width in _widths(tuning)]
    for routine in ROUTINES[function]:
        texts += _forms(routine, kind, wide, tuning)
        texts.append(_all_matrices(routine, kind, wide, tuning))
    if function == "triangular":
        texts += [*lower_dots.declarations(kind), lower_dots.dots_text(kind, _TRIANGULAR)]
        texts.append(_triangular(kind, tuning))
    if function == "lu":
        texts.append(_lu_solves(kind))
    return "".join(texts)


def one_text(routine: Routine, kind: str, most: int) -> tuple[str, str]:
    """The symbol and the text of the function of single matrices of any length up to `most`, number by number, which
    needs `Lanes(kind, 1).declarations()`."""
    return _symbol(routine, kind, "n.1"), _stack(routine, kind, "n.1", Lanes(kind, 1), "%n", most, routine.form)


def _has_masks(tuning: Tuning) -> bool:
    """Are parts of vectors loaded and stored as fast as whole ones?"""
    return tuning.machine.vector_bytes == 64


def _widths(tuning: Tuning) -> Iterator[int]:
    """Numbers in a row of a matrix whose rows are vectors: the smallest that is long enough is used."""
    width = small_rows.CHUNK
    while width < 2 * tuning.small_matrices.max_rows:
        yield width
        width *= 2


def _symbol(routine: Routine, kind: str, form: str) -> str:
    return f"small_{routine.name}_{kind}{f'.{form}' * bool(form)}"


def _forms(routine: Routine, kind: str, wide: Lanes, tuning: Tuning) -> Iterator[str]:
    limits, one = tuning.small_matrices, Lanes(kind, 1)
    for n in range(2, limits.max_unrolled_rows + 1):
        for lanes in (one, wide):
            yield _stack(routine, kind, f"{n}.{lanes.lanes}", lanes, n, n, routine.form)
    yield _stack(routine, kind, f"n.{wide.lanes}", wide, "%n", limits.max_lane_rows, routine.form)
    if routine.by_rows is None:
        yield _stack(routine, kind, "n.1", one, "%n", limits.max_rows, routine.form)
    else:
        for width in _widths(tuning):
            yield _stack(routine, kind, f"rows.{width}", one, "%n", limits.max_rows, routine.by_rows(width))
    if routine.shared is not None:
        yield _stack(routine, kind, "shared", wide, "%n", limits.max_rows, routine.shared, ("b", "x"))
        for n in ADJACENT_COLUMNS if _has_masks(tuning) else ():
            name = f"adjacent.{n}"
            yield _stack(routine, kind, name, Lanes(kind, n), "%n", limits.max_rows, routine.shared, ("b", "x"), True)


def _stack(
    routine: Routine, kind: str, name: str, lanes: Lanes, n: int | str, most: int, form: Form,
    ends: tuple[str, ...] = (), is_adjacent: bool = False,
) -> str:  # fmt: skip
    """All matrices, `lanes` at once.  Their count is a multiple of it, or lanes behind the last repeat it, of those
    operands that `ends` names; the others have no step.  is_adjacent: those are adjacent in memory."""
    f = Asm("i64", _symbol(routine, kind, name), routine.params, internal=True)
    work = Work(f, lanes, n, most)
    run = form(work)
    carried = [("i64", "-1"), *(("ptr", f"%{x}") for x in routine.steps)]
    with f.loop("%count", *carried, step=lanes.lanes) as loop:
        first, *places = loop.values
        is_there: list[str] = []
        if is_adjacent:
            work.steps |= dict.fromkeys(ends, Adjacent(lanes.until(f, f.sub("%count", loop.index))))
        elif ends:
            is_there = [f.lt(f.add(loop.index, lane), "%count") for lane in range(1, lanes.lanes)]
        for x in ends if is_there else ():
            step = f"%{routine.steps[x]}"
            work.steps[x] = [f.choose(is_one, step, 0) for is_one in is_there]
        failed = run(dict(zip(routine.steps, places, strict=True)))
        if failed:
            is_first = f.all(lanes.any(f, failed), f.eq(first, -1))
            first = f.choose(is_first, f.add(loop.index, lanes.first(f, failed)), first)
        following = [
            f.gep(place, f.mul(f"%{step}", lanes.lanes))
            for place, step in zip(places, routine.steps.values(), strict=True)
        ]
        loop.next = [first, *following]
    f.ret("i64", loop.values[0])
    return f.text


def _all_matrices(routine: Routine, kind: str, wide: Lanes, tuning: Tuning) -> str:
    """Whole vectors of matrices in lanes, then the others; or whole vectors of one system's columns."""
    limits = tuning.small_matrices
    f = Asm("i64", _symbol(routine, kind, ""), routine.params, internal=True)
    some, single = f.label("some"), f.label("single")
    f.branch(f.ge("%count", wide.lanes), some, single)
    f.place(some)
    blocks, done = f.and_("%count", -wide.lanes), f.label("done")
    f.branch(f.le("%n", limits.max_lane_rows), done, single)
    f.place(done)
    first = _by_length(
        f, routine, kind, named(routine.params) | {"count": blocks}, f"n.{wide.lanes}", wide.lanes, tuning
    )
    with f.when(f.eq(blocks, "%count")):
        f.ret("i64", first)
    rest = {x: f.gep(f"%{x}", f.mul(blocks, f"%{step}")) for x, step in routine.steps.items()}
    given = named(routine.params) | rest | {"count": f.sub("%count", blocks)}
    second = f.call("i64", f"@{_symbol(routine, kind, 'singly')}", *operands(routine.params, given))
    behind = f.choose(f.lt(second, 0), -1, f.add(second, blocks))
    f.ret("i64", f.choose(f.lt(first, 0), behind, first))
    f.place(single)
    text = ""
    if routine.shared is not None:
        text = _columns(routine, kind, tuning)
        with f.when(f.ge("%k", limits.min_columns)):
            with f.loop("%count", ("i64", "-1"), *(("ptr", f"%{x}") for x in routine.steps)) as loop:
                first, *places = loop.values
                given = named(routine.params) | dict(zip(routine.steps, places, strict=True))
                failed = f.call("i64", f"@{_symbol(routine, kind, 'columns')}", *operands(routine.params, given))
                is_first = f.all(f.ge(failed, 0), f.lt(first, 0))
                following = [f.gep(x, f"%{step}") for x, step in zip(places, routine.steps.values(), strict=True)]
                loop.next = [f.choose(is_first, loop.index, first), *following]
            f.ret("i64", loop.values[0])
    f.ret("i64", f.call("i64", f"@{_symbol(routine, kind, 'singly')}", *passed(routine.params)))
    return f.text + _singly(routine, kind, tuning) + text


def _columns(routine: Routine, kind: str, tuning: Tuning) -> str:
    """Of one system, in lanes."""
    f = Asm("i64", _symbol(routine, kind, "columns"), routine.params, internal=True)
    steps = {step: "0" for step in routine.steps.values()} | {"b_step": "%b_column", "x_step": "%x_column"}
    given = operands(routine.params, named(routine.params) | steps | {"k": "1", "count": "%k"})

    def give(form: str) -> None:
        first = f.call("i64", f"@{_symbol(routine, kind, form)}", *given)
        f.ret("i64", f.choose(f.lt(first, 0), -1, 0))

    item = Lanes(kind, 1).item
    few, many = ADJACENT_COLUMNS
    if _has_masks(tuning):
        with f.when(f.all(f.eq("%b_column", item), f.eq("%x_column", item))):
            with f.when(f.le("%k", few)):
                give(f"adjacent.{few}")
            give(f"adjacent.{many}")
    give("shared")
    return f.text


def _singly(routine: Routine, kind: str, tuning: Tuning) -> str:
    """One matrix after the other."""
    f = Asm("i64", _symbol(routine, kind, "singly"), routine.params, internal=True)
    given = named(routine.params)
    if routine.by_rows is None:
        f.ret("i64", _by_length(f, routine, kind, given, "n.1", 1, tuning))
        return f.text
    narrow, *others = _widths(tuning)
    for width in reversed(others):
        with f.when(f.gt("%n", width // 2)):
            f.ret("i64", f.call("i64", f"@{_symbol(routine, kind, f'rows.{width}')}", *passed(routine.params)))
    f.ret("i64", _by_length(f, routine, kind, given, f"rows.{narrow}", 1, tuning))
    return f.text


def _by_length(
    f: Asm, routine: Routine, kind: str, given: Mapping[str, str], other: str, lanes: int, tuning: Tuning
) -> str:
    """The call of the form of matrices of n rows, `other` where none is of these alone."""
    cases = {str(n): f.label(f"n{n}") for n in range(2, tuning.small_matrices.max_unrolled_rows + 1)}
    general, done = f.label("general"), f.label("done")
    f.do(f"switch i64 %n, label %{general} [{' '.join(f'i64 {n}, label %{x}' for n, x in cases.items())}]")
    f.closed = True
    found = []
    for form, label in [*((f"{n}.{lanes}", x) for n, x in cases.items()), (other, general)]:
        f.place(label)
        found.append(f.call("i64", f"@{_symbol(routine, kind, form)}", *operands(routine.params, given)))
        found[-1] = f"[ {found[-1]}, %{f.block} ]"
        f.jump(done)
    f.place(done)
    return f.op(f"phi i64 {', '.join(found)}")


def _triangular(kind: str, tuning: Tuning) -> str:
    """An upper factor is a lower one from its end."""
    f = Asm("i64", f"small_triangular_{kind}", _TRIANGULAR, internal=True)
    with f.when(f.gt("%n", tuning.small_matrices.max_rows)):
        f.ret("i64", f.call("i64", f"@lower_by_dots_{kind}", *passed(_TRIANGULAR)))
    with f.when("%lower"):
        f.ret("i64", f.call("i64", f"@small_lower_{kind}", *passed(_TRIANGULAR)))
    last = f.sub("%n", 1)
    given = named(_TRIANGULAR) | {
        name: f.gep(f"%{name}", f.mul(last, row))
        for name, row in (("a", f.add("%a_row", "%a_column")), ("b", "%b_row"), ("x", "%x_row"))
    }
    given |= {stride: f.sub(0, f"%{stride}") for stride in ("a_row", "a_column", "b_row", "x_row")}
    f.ret("i64", f.call("i64", f"@small_lower_{kind}", *operands(_TRIANGULAR, given)))
    return f.text


def _lu_solves(kind: str) -> str:
    factor = Asm("void", f"small_lu_{kind}", _LU, internal=True)
    factor.call("i64", f"@small_lu_factor_{kind}", *passed(_LU))
    factor.ret()
    f = Asm("i64", f"small_lu_solve_{kind}", _LU_SOLVE, internal=True)
    with f.when("%trans"):
        f.ret("i64", f.call("i64", f"@small_lu_solve_transposed_{kind}", *passed(_LU_SOLVE)))
    f.ret("i64", f.call("i64", f"@small_lu_solve_plain_{kind}", *passed(_LU_SOLVE)))
    return factor.text + f.text
