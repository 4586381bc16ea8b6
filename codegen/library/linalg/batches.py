"""Batches of matrices: the entry of a function of matrices walks over leading axes, and moves of one matrix.

Contract  a `LibraryCall` with operands of one number of leading axes -> calls of a run: matrices at equal steps, along
          the last leading axis.  A run gives the number of the first matrix that has failed, or -1.
Why       a matrix of 3 rows takes a few ns: parameters are passed once for a run of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tensordsl.codegen.library.alternate_stack import (
    STACK_INTRINSICS,
    alternate_stack_texts,
    needs_alternate_stack,
    of_table_text,
    on_alternate_stack,
)
from tensordsl.codegen.library.linalg.fortran import Number, letters_text
from tensordsl.codegen.library.signals import POLL, poll
from tensordsl.codegen.llvm.builder import METADATA, Asm, passed
from tensordsl.codegen.target.tuning import Tuning

Each = Callable[[Asm], Callable[[Mapping[str, str]], str]]
Operands = Mapping[str, int]  # name -> how many axes of its own each matrix, vector or number has
AXES = {2: ("row", "column"), 1: ("unit",), 0: ()}


def module_text(*bodies: str) -> str:
    """A whole module."""
    declared = "declare i64 @llvm.smin.i64(i64, i64)\ndeclare i64 @llvm.smax.i64(i64, i64)\n"
    return POLL + STACK_INTRINSICS + declared + letters_text() + "".join((*bodies, *alternate_stack_texts())) + METADATA


def run_params(operands: Operands, sizes: Sequence[str], flags: Sequence[str] = ()) -> tuple[str, ...]:
    """Of a run: "type name" of each operand's place, strides of one and step to the next, in bytes."""
    params = ["ptr rt"]
    for name, rank in operands.items():
        params += [f"ptr {name}", *(f"i64 {name}_{axis}" for axis in AXES[rank]), f"i64 {name}_step"]
    return (
        *params,
        *(f"i64 {size}" for size in sizes),
        "i64 count",
        "ptr scratch",
        "i64 scratch_bytes",
        *(f"i1 {flag}" for flag in flags),
    )


def entry_text(
    symbol: str, run: str, operands: Operands, sizes: Mapping[str, tuple[str, int]], flags: Sequence[str] = (),
    has_scratch: bool = False, takes_empty: bool = False,
) -> str:  # fmt: skip
    """The function that programs call.  sizes: name -> (operand, which of its own axes); flags: values of i1;
    has_scratch: the buffer is more than its head; takes_empty: runs are for matrices without elements as well.

    bases: the operands, the word for failures, scratch, the run-time table; words: lengths, then strides, of each."""
    f = Asm("void", symbol, ("ptr bases", "ptr words", "i64 rank"))
    names, first_rank = list(operands), next(iter(operands.values()))
    batch = f.sub("%rank", first_rank)
    places = [f.load("ptr", "%bases", 8 * k) for k in range(len(names))]
    info, scratch, rt = (f.load("ptr", "%bases", 8 * (len(names) + k)) for k in range(3))
    dims, strides, at = {}, {}, "%words"
    for name, rank in operands.items():
        axes = f.add(batch, rank)
        dims[name], strides[name] = at, f.gep(at, axes, "i64")
        at = f.gep(strides[name], axes, "i64")

    def behind(table: str, axis: int) -> str:
        return f.load("i64", f.gep(table, f.add(batch, axis), "i64"))

    lengths = [f"i64 {behind(dims[name], axis)}" for name, axis in sizes.values()]
    leading, is_batch = dims[names[0]], f.gt(batch, 0)
    last = f.choose(is_batch, f.sub(batch, 1), 0)
    count = f.choose(is_batch, f.load("i64", f.gep(leading, last, "i64")), 1)
    with f.loop(last, ("i64", "1")) as axis:
        axis.next = [f.mul(axis.values[0], f.load("i64", f.gep(leading, axis.index, "i64")))]
    needed = [count, *([] if takes_empty else (s.split()[1] for s in lengths))]
    runs = f.choose(f.all(*(f.gt(n, 0) for n in needed)), axis.values[0], 0)
    scratch_bytes = f.load("i64", at) if has_scratch else "0"
    steps = [f.choose(is_batch, f.load("i64", f.gep(strides[name], last, "i64")), 0) for name in names]
    fixed = [[f"i64 {behind(strides[name], axis)}" for axis in range(rank)] for name, rank in operands.items()]
    start = f.load("i64", scratch)
    with f.loop(runs) as loop:
        zeros = [("i64", "0")] * len(names)
        with f.loop(last, ("i64", loop.index), *zeros) as outer:
            axis_here = f.sub(f.sub(last, 1), outer.index)
            rest, *offsets = outer.values
            n = f.load("i64", f.gep(leading, axis_here, "i64"))
            here = f.urem(rest, n)
            moved = [
                f.add(offset, f.mul(here, f.load("i64", f.gep(strides[name], axis_here, "i64"))))
                for name, offset in zip(names, offsets, strict=True)
            ]
            outer.next = [f.udiv(rest, n), *moved]
        given = [f"ptr {rt}"]
        for place, offset, strides_of_one, step in zip(places, outer.values[1:], fixed, steps, strict=True):
            given += [f"ptr {f.gep(place, offset)}", *strides_of_one, f"i64 {step}"]
        flagged = [f"i1 {flag}" for flag in flags]
        failed = f.call(
            "i64", f"@{run}", *given, *lengths, f"i64 {count}", f"ptr {scratch}", f"i64 {scratch_bytes}", *flagged
        )
        with f.when(f.ge(failed, 0)):
            number = f.add(f.add(start, f.mul(loop.index, count)), failed)
            f.op(f"atomicrmw umin ptr {info}, i64 {number} monotonic")
    f.ret()
    return f.text


def run_text(
    name: str, params: Sequence[str], each: Each, operands: Operands, small: Callable[[Asm], str] | None = None
) -> str:
    """A run: by `small`, i64, where its condition holds; else one by one on a stack that LAPACK fits.

    each(f) writes what is done before the first matrix, and gives a function that writes the work for one whose
    operands are at given places: i1, whether it has failed."""
    f = Asm("i64", name, params, internal=True)
    if small is not None:
        is_small = small(f)
        with f.when(is_small):
            f.ret("i64", f.call("i64", f"@{name}_small", *passed(params)))
    with f.when(needs_alternate_stack(f, "%rt", f.op("alloca i64, align 8"))):
        f.ret("i64", on_alternate_stack(f, f"{name}_here", params))
    f.ret("i64", f.call("i64", f"@{name}_here", *passed(params)))
    return _here_text(name, params, each, operands) + of_table_text(f"{name}_here", params) + f.text


def _here_text(name: str, params: Sequence[str], each: Each, operands: Operands) -> str:
    f = Asm("i64", f"{name}_here", params, internal=True)
    work = each(f)
    with f.loop("%count", ("i64", "-1"), *(("ptr", f"%{x}") for x in operands)) as loop:
        first, *places = loop.values
        failed = work(dict(zip(operands, places, strict=True)))
        is_first = f.all(failed, f.lt(first, 0))
        loop.next = [f.choose(is_first, loop.index, first)]
        loop.next += [f.gep(place, f"%{x}_step") for x, place in zip(operands, places, strict=True)]
        poll(f)
    f.ret("i64", loop.values[0])
    return f.text


def in_pieces_text(
    name: str, params: Sequence[str], function: str, given: Sequence[str], operands: Operands, tuning: Tuning
) -> str:
    """`name`_small: a run by own code, some matrices at a time.  given: the operands of `function` but the last, their
    number, as "type value", with `{x}` for the place of operand x."""
    f, most = Asm("i64", f"{name}_small", params, internal=True), tuning.matrices.poll_matrices
    with f.loop("%count", ("i64", "-1"), *(("ptr", f"%{x}") for x in operands), step=most) as loop:
        first, *places = loop.values
        left = f.sub("%count", loop.index)
        some = f.call("i64", "@llvm.smin.i64", f"i64 {left}", f"i64 {most}")
        at = dict(zip(operands, places, strict=True))
        failed = f.call("i64", f"@{function}", *(x.format(**at) for x in given), f"i64 {some}")
        is_first = f.all(f.ge(failed, 0), f.lt(first, 0))
        loop.next = [f.choose(is_first, f.add(loop.index, failed), first)]
        loop.next += [f.gep(at[x], f.mul(some, f"%{x}_step")) for x in operands]
        poll(f)
    f.ret("i64", loop.values[0])
    return f.text


def places(x: str) -> list[str]:
    """Operand x, a matrix, of `in_pieces_text`."""
    return [f"ptr {{{x}}}", *(f"i64 %{x}_{axis}" for axis in (*AXES[2], "step"))]


# -- moves of one matrix -------------------------------------------------------------------------------------------
MOVED = ("ptr x", "i64 x_row", "i64 x_column", "ptr y", "i64 y_row", "i64 y_column")


def copy_text(of: Number, tuning: Tuning) -> str:
    """y = x, of m rows and n columns; and @copy_triangle: the lower triangle, zeros above it."""
    lanes = tuning.machine.vector_bytes // of.size
    return _copy_row_text(of, lanes) + _copy_text(of.size) + _triangle_text(of)


def _copy_row_text(of: Number, lanes: int) -> str:
    kind, size = of.kind, of.size
    f = Asm("void", "copy_row", ("ptr x", "i64 x_unit", "ptr y", "i64 y_unit", "i64 n"), internal=True)
    adjacent = f.all(f.eq("%x_unit", size), f.eq("%y_unit", size))
    some = f.choose(adjacent, f.and_("%n", -lanes), 0)
    vector = f"<{lanes * of.parts} x {of.part}>"
    with f.loop(some, step=lanes) as loop:
        x, y = (f.gep(p, loop.index, kind) for p in ("%x", "%y"))
        align = f"align {of.part_size}"
        f.do(f"store {vector} {f.op(f'load {vector}, ptr {x}, {align}')}, ptr {y}, {align}")
    with f.loop("%n", start=some) as loop:
        x, y = (f.gep(p, f.mul(loop.index, unit)) for p, unit in (("%x", "%x_unit"), ("%y", "%y_unit")))
        f.store(kind, f.load(kind, x), y)
    f.ret()
    return f.text


def _copy_text(size: int) -> str:
    """Along the axis in which y's elements are adjacent; none if both are one."""
    f = Asm("void", "copy_matrix", (*MOVED, "i64 m", "i64 n"), internal=True)
    same = f.all(f.compare("eq", "ptr", "%x", "%y"), f.eq("%x_row", "%y_row"), f.eq("%x_column", "%y_column"))
    with f.when(same):
        f.ret()
    by_columns = f.all(f.eq("%y_row", size), f.ne("%y_column", size))
    lines, n = f.choose(by_columns, "%n", "%m"), f.choose(by_columns, "%m", "%n")
    steps = [f.choose(by_columns, f"%{p}_column", f"%{p}_row") for p in "xy"]
    units = [f.choose(by_columns, f"%{p}_row", f"%{p}_column") for p in "xy"]
    with f.loop(lines) as loop:
        x, y = (f.gep(f"%{p}", f.mul(loop.index, step)) for p, step in zip("xy", steps, strict=True))
        f.call("void", "@copy_row", f"ptr {x}", f"i64 {units[0]}", f"ptr {y}", f"i64 {units[1]}", f"i64 {n}")
    f.ret()
    return f.text


def _triangle_text(of: Number) -> str:
    f = Asm("void", "copy_triangle", (*MOVED, "i64 n"), internal=True)
    same = f.all(f.compare("eq", "ptr", "%x", "%y"), f.eq("%x_row", "%y_row"), f.eq("%x_column", "%y_column"))
    with f.loop("%n") as row:
        x, y = (f.gep(f"%{p}", f.mul(row.index, f"%{p}_row")) for p in "xy")
        length = f.add(row.index, 1)
        with f.when(f.negate(same)):
            f.call("void", "@copy_row", f"ptr {x}", "i64 %x_column", f"ptr {y}", "i64 %y_column", f"i64 {length}")
        with f.loop("%n", start=length) as column:
            f.store(of.kind, "zeroinitializer", f.gep(y, f.mul(column.index, "%y_column")))
    f.ret()
    return f.text


def identity_text(of: Number) -> str:
    """@fill_identity: a square matrix of n rows."""
    f = Asm("void", "fill_identity", ("ptr y", "i64 y_row", "i64 y_column", "i64 n"), internal=True)
    with f.loop("%n") as row, f.loop("%n") as column:
        y = f.gep(f.gep("%y", f.mul(row.index, "%y_row")), f.mul(column.index, "%y_column"))
        one = f.choose(f.eq(row.index, column.index), of.constant("1.0"), "zeroinitializer", of.kind)
        f.store(of.kind, one, y)
    f.ret()
    return f.text


def nan_text(of: Number, name: str = "fill_nan") -> str:
    """@fill_nan: a matrix that has failed."""
    f = Asm("void", name, ("ptr y", "i64 y_row", "i64 y_column", "i64 m", "i64 n"), internal=True)
    with f.loop("%m") as row, f.loop("%n") as column:
        y = f.gep(f.gep("%y", f.mul(row.index, "%y_row")), f.mul(column.index, "%y_column"))
        f.store(of.kind, of.nan, y)
    f.ret()
    return f.text
