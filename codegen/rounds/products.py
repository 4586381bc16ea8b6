"""Small products of a round: rows of a result in lanes, as sums over the rows of the right factor.

Contract  a `Gemm` -> text on `inline.Writer.body`, in the library's order of operations.
How       a right factor whose rows are not adjacent is packed: once before all rounds, if none of them changes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensordsl.base.records import record
from tensordsl.codegen.llvm.emit_scalars import constant, llvm_type, load
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.rounds import functions
from tensordsl.codegen.rounds.body import Unfit
from tensordsl.codegen.rounds.flow import Flow, Operand
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE

if TYPE_CHECKING:
    from tensordsl.codegen.rounds.inline import Writer


@record
class Matrix:
    """Where it is, by names: the step from row to row and from column to column, in elements."""

    name: str
    row: str
    column: str


def check(i: p.Gemm) -> None:
    if i.count is not None:
        raise Unfit("a stack of products")


def write(k: Writer, i: p.Gemm) -> None:
    f, item, t = k.body, ITEMSIZE[i.dtype], llvm_type(i.dtype)
    a, b = Matrix(i.a, *i.a_strides), Matrix(i.b, *i.b_strides)
    rows, columns = i.m, i.n
    if k.has_lanes and k.number(columns) == 1 and k.number(i.ldc) == 1:  # the transposed product, which is a row
        rows, columns = columns, rows
        a, b = Matrix(b.name, b.column, b.row), Matrix(a.name, a.column, a.row)
    has_lanes = k.has_lanes and k.number(columns) != 1
    a_steps, b_steps = ((f.times(k.number(s), item) for s in (x.row, x.column)) for x in (a, b))
    left, right = (
        (f"ptr {k.pointer(x.name)}", *(f"i64 {s}" for s in steps)) for x, steps in ((a, a_steps), (b, b_steps))
    )
    if has_lanes:
        place, step = _rows(k, i, b, columns)
        right = (f"ptr {place}", f"i64 {step}", f"i64 {item}")
    result = f"ptr {k.pointer(i.c)}", f"i64 {f.times(k.number(i.ldc), item)}", f"i64 {item}"
    operands = [*(f"i64 {k.number(x)}" for x in (rows, columns, i.k)), *left, *right, *result]
    adds = i.decay is not None or i.beta != 0
    is_plain = i.factor is None and i.alpha == 1 and not adds
    if not is_plain:
        scale, decay = _factor(k, i, i.factor, i.alpha), _factor(k, i, i.decay, i.beta)
        operands += [f"{t} {scale}", f"{t} {decay}", f"i1 {'true' if adds else 'false'}"]
    function = functions.multiply(i.dtype, has_lanes, is_plain, k.tuning.rounds.inline_block)
    f.do(f"call void @{f.has(function)}({', '.join(operands)})")


def _factor(k: Writer, i: p.Gemm, name: str | None, times: float) -> str:
    """A factor, which may be a number in memory."""
    if name is None:
        return constant(times, i.dtype)
    x = load(k.body, k.pointer(name), i.dtype)
    return x if times == 1 else k.body.op(f"fmul {llvm_type(i.dtype)} {constant(times, i.dtype)}, {x}")


def _rows(k: Writer, i: p.Gemm, b: Matrix, columns: str) -> tuple[str, Operand]:
    """The right factor with adjacent rows: where it is, and the step from row to row in bytes."""
    f, item = k.body, ITEMSIZE[i.dtype]
    step, pitch = k.number(b.column), k.pitch(i.dtype)
    row = f.times(k.number(b.row), item)
    if step == 1:
        return k.pointer(b.name), row
    names = (b.name, b.row, b.column, i.k, columns)
    if k.is_unchanged(b.name) and all(map(k.is_fixed, names)) and k.can_prepare():
        key = (*names, i.dtype)
        if key not in k.packed:
            room = k.packed[key] = k.room(k.max_length * pitch)
            with k.head.when(k.holds):
                _pack(k, k.head, i, b, columns, room)
        return k.packed[key], pitch
    room = k.shared_room(k.max_length * pitch)
    if isinstance(step, int):
        _pack(k, f, i, b, columns, room)
        return room, pitch
    near, far, done = (f.label(name) for name in ("near", "far", "packed"))
    f.branch(k.is_equal(b.column, 1), near, far)
    f.place(near)
    place = k.pointer(b.name)
    f.jump(done)
    f.place(far)
    _pack(k, f, i, b, columns, room)
    f.jump(done)
    f.place(done)
    place = f.op(f"phi ptr [ {place}, %{near} ], [ {room}, %{far} ]")
    return place, f.op(f"phi i64 [ {row}, %{near} ], [ {pitch}, %{far} ]")


def _pack(k: Writer, f: Flow, i: p.Gemm, b: Matrix, columns: str, room: str) -> None:
    item, symbol = ITEMSIZE[i.dtype], f.has(functions.pack(i.dtype, k.pitch(i.dtype)))
    steps = (f"i64 {f.times(k.number(x), item)}" for x in (b.row, b.column))
    lengths = (f"i64 {k.number(x)}" for x in (i.k, columns))
    f.do(f"call void @{symbol}(ptr {room}, ptr {k.pointer(b.name)}, {', '.join((*steps, *lengths))})")
