"""Extrema of floats along rows (max, min), and their positions (argmax, argmin).

Contract   a `RowKernel`'s vectors of a row -> the extremum, the first position of it; NaN wins, as in NumPy.
NaN        compares with nothing, so its presence is a state of its own, by one comparison for two registers.
Positions  of loaded values: lanes keep the extremum of those of a vector, and where that vector starts.  After the row
           the first such vector with the row's extremum is read again; where there was NaN, the row up to the first.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.llvm.clone import Phi, RowKernel
from tensordsl.codegen.llvm.vector_builder import Code, constant, half_lanes, llvm_type, load, splat
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val

NO_POSITION = 2**31 - 256  # positions in a block are less


def position_type(dtype: str) -> str:
    """The dtype of positions in a block of values: of 64 bits if these have as many, so that one mask selects both."""
    return "int64" if ITEMSIZE[dtype] == 8 else "int32"


def extremum(k: RowKernel, number: int, reduce: Val, value: str) -> str:
    """The extremum of a row of vectors `value`."""
    code, W, dtype, beats = k.body, k.width, reduce.type[0], _beats(reduce)
    (_, H), place = _lanes(k, dtype), position_type(dtype)
    kinds = [llvm_type(dtype, W), llvm_type(place, H)]
    start = [constant(reduce.attr[0].identity(reduce.type)[0], dtype, W), constant(0, place, H)]
    names = _names("r", number, kinds)
    better = code.op(f"{beats} {kinds[0]} {value}, {names[0]}")
    nans = _nans(k, value, dtype)
    following = [_chosen(code, better, kinds[0], value, names[0], W), code.op(f"or {kinds[1]} {names[1]}, {nans}")]
    _keep_in_row(k, number, kinds, start, following)
    return _or_nan(k.after, _strongest(k.after, beats, following[0], dtype, W, 1), following[1], dtype, H)


def _lanes(k: RowKernel, dtype: str) -> tuple[int, int]:
    """Of a register, and of half of a vector, if that is no less."""
    N = min(k.width, k.body.vector_bytes // ITEMSIZE[dtype])
    return N, max(k.width // 2, N)


def _names(letter: str, number: int, kinds: Sequence[str]) -> list[str]:
    return [f"%{letter}{number}.{n}" for n in range(len(kinds))]


def _keep_in_row(
    k: RowKernel, number: int, kinds: Sequence[str], start: Sequence[str], following: Sequence[str]
) -> None:
    """A state that goes through all chunks of a row."""
    names, totals = _names("r", number, kinds), _names("t", number, kinds)
    k.phis[:0] = [Phi(*row) for row in zip(names, kinds, totals, following, strict=True)]
    k.totals += [Phi(*row) for row in zip(totals, kinds, start, following, strict=True)]


def _beats(reduce: Val) -> str:
    return f"fcmp {'ogt' if reduce.attr[0].name in ('max', 'argmax') else 'olt'}"


def _or_nan(code: Code, best: str, nans: str, dtype: str, H: int) -> str:
    """The extremum, or NaN where one of H integers is not 0."""
    return _chosen(code, _any(code, nans, dtype, H), llvm_type(dtype), constant(float("nan"), dtype), best, 1)


def _any(code: Code, nans: str, dtype: str, H: int) -> str:
    place = position_type(dtype)
    return code.any(code.op(f"icmp ne {llvm_type(place, H)} {nans}, {constant(0, place, H)}"), H)


def searched_extremum(k: RowKernel, number: int, reduce: Val, value: str) -> list[str]:
    """(extremum, position along the lane axis) of a row of vectors `value`, which were loaded."""
    code, W, dtype = k.body, k.width, reduce.type[0]
    (N, H), place, beats = _lanes(k, dtype), position_type(dtype), _beats(reduce)
    kinds = [llvm_type(dtype, N), llvm_type(place, N), llvm_type(place, H)]
    start = [constant(reduce.attr[0].identity(reduce.type)[0], dtype, N), *(constant(0, place, n) for n in (N, H))]
    names = _names("r", number, kinds)
    best = _strongest(code, beats, value, dtype, W, N)
    better = code.op(f"{beats} {kinds[0]} {best}, {names[0]}")
    here = splat(code, "%i" if place == "int64" else code.op("trunc i64 %i to i32"), place, N)
    following = [
        _chosen(code, better, kinds[0], best, names[0], N),
        _chosen(code, better, kinds[1], here, names[1], N),
        code.op(f"or {kinds[2]} {names[2]}, {_nans(k, value, dtype)}"),
    ]
    _keep_in_row(k, number, kinds, start, following)
    first, best = _first_vector(k.after, beats, following, dtype, N, H)
    return [best, _position(k, first, best, dtype, k.adjacent[value].removesuffix(".i"))]


def _chosen(code: Code, mask: str, kind: str, x: str, y: str, W: int) -> str:
    return code.op(f"select {llvm_type('bool', W)} {mask}, {kind} {x}, {kind} {y}")


def _strongest(code: Code, beats: str, value: str, dtype: str, W: int, most: int) -> str:
    """The extrema of all lanes in `most`; of two that do not compare the second."""
    while W > most:
        low, high = (half_lanes(code, value, dtype, W, n) for n in (0, 1))
        W //= 2
        kind = llvm_type(dtype, W)
        value = _chosen(code, code.op(f"{beats} {kind} {low}, {high}"), kind, low, high, W)
    return value


def _nans(k: RowKernel, value: str, dtype: str) -> str:
    """Integers that are not 0 where a half of a vector has NaN, or the other one; found once."""
    if (key := f"{value}.nans") not in k.once:
        code, W, (N, H) = k.body, k.width, _lanes(k, dtype)
        low, high = (half_lanes(code, value, dtype, W, n) for n in (0, 1)) if W > N else (value, value)
        wrong = code.op(f"fcmp uno {llvm_type(dtype, H)} {low}, {high}")
        k.once[key] = code.op(f"sext {llvm_type('bool', H)} {wrong} to {llvm_type(position_type(dtype), H)}")
    return k.once[key]


def _first_vector(code: Code, beats: str, state: Sequence[str], dtype: str, N: int, H: int) -> tuple[str, str]:
    """(where the row's first vector starts that has its extremum, the extremum); of a row with NaN (0, NaN)."""
    place = position_type(dtype)
    best = _strongest(code, beats, state[0], dtype, N, 1)
    found = code.op(f"fcmp oeq {llvm_type(dtype, N)} {state[0]}, {splat(code, best, dtype, N)}")
    starts = _chosen(code, found, llvm_type(place, N), state[1], constant(NO_POSITION, place, N), N)
    first = _strongest(code, "icmp slt", starts, place, N, 1)
    first = first if place == "int64" else code.op(f"sext i32 {first} to i64")
    start = _chosen(code, _any(code, state[2], dtype, H), "i64", "0", first, 1)
    return start, _or_nan(code, best, state[2], dtype, H)


def _position(k: RowKernel, first: str, best: str, dtype: str, row: str) -> str:
    """The first position from `first` on where the row's extremum, or NaN, stands."""
    code, W = k.after, k.width
    kind, mask, every = llvm_type(dtype, W), llvm_type("bool", W), splat(code, best, dtype, W)
    before, search, done, following = code.block, code.label("search"), code.label("found"), code.tmp()
    code.do(f"br label %{search}")
    code.place(search)
    at = code.op(f"phi i64 [ {first}, %{before} ], [ {following}, %{search} ]")
    here = code.intrinsic("smin", "int64", 1, at, "%n.last")
    value = load(code, code.op(f"getelementptr i{8 * ITEMSIZE[dtype]}, ptr {row}, i64 {here}"), dtype, W)
    equal, wrong = code.op(f"fcmp oeq {kind} {value}, {every}"), code.op(f"fcmp uno {kind} {value}, {value}")
    found = code.op(f"or {mask} {equal}, {wrong}")
    code.do(f"{following} = add i64 {at}, {W}")
    others = code.op(f"icmp slt i64 {following}, %n")  # a thread of the caller's may have written what was found
    none = code.op(f"icmp eq i{W} {code.op(f'bitcast {mask} {found} to i{W}')}, 0")
    code.do(f"br i1 {code.op(f'and i1 {none}, {others}')}, label %{search}, label %{done}")
    code.place(done)
    here = code.op(f"add i64 {here}, {first_lane(code, found, W)}")
    return code.op(f"add i64 {here}, {k.position(k.lane)}")


def first_lane(code: Code, mask: str, W: int) -> str:
    """The number of the first of W lanes, at most 64, in which a mask is true."""
    bits, symbol = code.op(f"bitcast {llvm_type('bool', W)} {mask} to i{W}"), "llvm.cttz.i64"
    code.declarations[symbol] = f"declare i64 @{symbol}(i64, i1)"
    return code.call(symbol, "i64", f"i64 {code.op(f'zext i{W} {bits} to i64') if W < 64 else bits}", "i1 true")
