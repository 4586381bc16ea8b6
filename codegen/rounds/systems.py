"""Factors and systems of small matrices in a round: what functions of `library.linalg` give, in their order.

Contract  a `LibraryCall` on one matrix -> text on `inline.Writer.body`, NaN and the word for failures included.
Why       a call of the library describes its operands, which takes as long as a small matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from tensordsl.base.records import record
from tensordsl.codegen.abi.layouts import NO_FAILURE
from tensordsl.codegen.llvm.emit_scalars import store
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.rounds import functions
from tensordsl.codegen.rounds.body import Unfit
from tensordsl.codegen.rounds.flow import Operand
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.graph.types import COMPLEX

if TYPE_CHECKING:
    from tensordsl.codegen.rounds.inline import Writer


@record
class Matrix:
    """Where it is, or a vector: its lengths, and its steps in bytes."""

    place: str
    dims: tuple[Operand, ...]
    steps: tuple[Operand, ...]

    @property
    def operands(self) -> str:
        return ", ".join((f"ptr {self.place}", *(f"i64 {s}" for s in self.steps)))

    def backwards(self, k: Writer, is_square: bool) -> Matrix:
        """The same from its last row, and from its last column if it is square."""
        f, (down, across) = k.body, self.steps
        last = f.add(self.dims[0], -1)
        step = f.add(down, across) if is_square else down
        steps = (_minus(k, down), _minus(k, across) if is_square else across)
        return Matrix(f.at(self.place, f.times(last, step)), self.dims, steps)


def _minus(k: Writer, x: Operand) -> Operand:
    return -x if isinstance(x, int) else k.body.op(f"sub i64 0, {x}")


def check(i: p.LibraryCall, numbers: Mapping[str, int], equal: Mapping[str, str]) -> None:
    """equal: of lengths that a round checks to be so the same one."""
    if i.function not in WRITERS:
        raise Unfit(f"{i.function} in a round")
    if any(dtype in COMPLEX for _, dtype, _, _ in (*i.inputs, *i.outputs)):
        raise Unfit("matrices of complex numbers")
    pivots = i.outputs[1] if i.function == "lu_factor" else i.inputs[1] if i.function.startswith("lu") else None
    for operand in (*i.inputs, *i.outputs[:-2]):
        if len(operand[2]) != (1 if operand is pivots else 2):
            raise Unfit("a batch of matrices")
    if pivots is not None and numbers.get(pivots[3][0]) != ITEMSIZE["int32"]:
        raise Unfit("exchanges of rows that are not adjacent")
    matrices = [x[2] for x in (*i.inputs, *i.outputs[:-2]) if x is not pivots]
    rows = {equal.get(n, n) for dims in matrices for n in dims[:1]} | {equal.get(n, n) for n in matrices[0]}
    columns = {equal.get(dims[1], dims[1]) for dims in matrices[1:]}
    if len(rows) > 1 or len(columns) > 1:
        raise Unfit("matrices that may not fit each other")


def lengths(i: p.LibraryCall, tuning: Tuning) -> dict[str, int]:
    """The lengths that have to be few, each with the most that it may be: those of factors have to be fewer."""
    most = {n: tuning.rounds.inline_length for _, _, dims, _ in (*i.inputs, *i.outputs[:-2]) for n in dims}
    rows = tuning.rounds.inline_lu_rows if i.function.startswith("lu") else tuning.rounds.inline_rows
    return most | dict.fromkeys(i.inputs[0][2], rows)


def write(k: Writer, i: p.LibraryCall) -> None:
    def operand(x: p.Operand) -> Matrix:
        place, _, dims, strides = x
        return Matrix(k.pointer(place), tuple(map(k.number, dims)), tuple(map(k.number, strides)))

    given = [operand(x) for x in (*i.inputs, *i.outputs[:-2])]
    failed = WRITERS[i.function](k, i.inputs[0][1], *given)
    if failed is not None:
        word = k.body.op(f"select i1 {failed}, i64 0, i64 {NO_FAILURE}")
        info = i.outputs[-2][0]
        store(k.body, word, k.pointer(info), "int64")
        k.contents[info] = word


def _fill_nan(k: Writer, failed: str, dtype: str, x: Matrix) -> None:
    f = k.body
    with f.when(failed):
        f.do(f"call void @{f.has(functions.fill_nan(dtype))}(i64 {x.dims[0]}, i64 {x.dims[1]}, {x.operands})")


def _cholesky(k: Writer, dtype: str, a: Matrix, x: Matrix) -> str:
    f = k.body
    failed = f.call(f.has(functions.cholesky(dtype)), "i1", f"i64 {a.dims[0]}", a.operands, x.operands)
    _fill_nan(k, failed, dtype, x)
    return failed


def _triangular(is_lower: bool, is_unit: bool, k: Writer, dtype: str, a: Matrix, b: Matrix, x: Matrix) -> str:
    failed = _substitute(k, dtype, a, b, x, is_lower, is_unit)
    if not is_unit:
        _fill_nan(k, failed, dtype, x)
    return failed


def _has_lanes(k: Writer, dtype: str, *operands: Matrix) -> bool:
    """Are several columns adjacent in all of them?"""
    return k.has_lanes and all(x.dims[1] != 1 and x.steps[1] == ITEMSIZE[dtype] for x in operands)


def _substitute(k: Writer, dtype: str, a: Matrix, b: Matrix, x: Matrix, is_lower: bool, is_unit: bool) -> str:
    f = k.body
    symbol = f.has(functions.substitute(dtype, _has_lanes(k, dtype, b, x)))
    n, columns = a.dims[0], b.dims[1]
    if not is_lower:
        a, b, x = a.backwards(k, True), b.backwards(k, False), x.backwards(k, False)
    flag = "true" if is_unit else "false"
    operands = f"i64 {n}", f"i64 {columns}", a.operands, b.operands, x.operands, f"i1 {flag}"
    return f.call(symbol, "i1", *operands)


def _lu_factor(k: Writer, dtype: str, a: Matrix, x: Matrix, pivots: Matrix) -> None:
    f, n = k.body, f"i64 {a.dims[0]}"
    if k.has_lanes:
        symbol, operands = f.has(functions.lu_factor(dtype)), [n, a.operands, x.operands, pivots.operands]
        f.do(f"call void @{symbol}({', '.join(operands)})")
        return
    symbol = functions.by_text(f, "lu", 0, dtype, k.tuning.rounds.inline_rows)
    f.call(symbol, "i64", f"{a.operands}, i64 0", f"{x.operands}, i64 0", f"ptr {pivots.place}, i64 0", n, "i64 1")


def _lu_solve(is_transposed: bool, k: Writer, dtype: str, a: Matrix, pivots: Matrix, b: Matrix, x: Matrix) -> str:
    f, (n, columns) = k.body, b.dims
    symbol = f.has(functions.exchange(dtype, _has_lanes(k, dtype, b, x)))

    def exchange(source: Matrix, back: str) -> str:
        lengths = f"i64 {n}, i64 {columns}, ptr {pivots.place}"
        return f.call(symbol, "i1", lengths, source.operands, x.operands, f"i1 {back}")

    if is_transposed:
        other = Matrix(a.place, a.dims[::-1], a.steps[::-1])
        failed = _substitute(k, dtype, other, b, x, True, False)
        _substitute(k, dtype, other, x, x, False, True)
        failed = f.op(f"or i1 {failed}, {exchange(x, 'true')}")
    else:
        failed = exchange(b, "false")
        _substitute(k, dtype, a, x, x, True, True)
        failed = f.op(f"or i1 {failed}, {_substitute(k, dtype, a, x, x, False, False)}")
    symbol = f.has(functions.is_empty_and_singular(dtype))
    failed = f.op(f"or i1 {failed}, {f.call(symbol, 'i1', f'i64 {n}', f'i64 {columns}', a.operands)}")
    _fill_nan(k, failed, dtype, x)
    return failed


def _cholesky_vjp(k: Writer, dtype: str, factor: Matrix, g: Matrix, x: Matrix) -> None:
    f = k.body
    symbol = functions.by_text(f, "cholesky_vjp", 0, dtype, k.tuning.rounds.inline_rows)
    operands = (f"{y.operands}, i64 0" for y in (factor, g, x))
    f.call(symbol, "i64", *operands, f"i64 {factor.dims[0]}", "i64 1")


WRITERS: Mapping[str, Callable[..., str | None]] = {
    "cholesky": _cholesky,
    "cholesky_vjp": _cholesky_vjp,
    "lu_factor": _lu_factor,
    "lu_solve": partial(_lu_solve, False),
    "lu_solve_transposed": partial(_lu_solve, True),
    "triangular_lower": partial(_triangular, True, False),
    "triangular_upper": partial(_triangular, False, False),
    "triangular_unit_lower": partial(_triangular, True, True),
    "triangular_unit_upper": partial(_triangular, False, True),
}
