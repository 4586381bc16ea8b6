"""Copies, zeros and scatters of a round, element by element or by words in lanes.

Contract  `Copy`, `Fill` or `Scatter` -> text on `inline.Writer.body`; scatters in the order of their positions.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from tensordsl.codegen.llvm.emit_scalars import constant, llvm_type, load, store
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.rounds.body import Unfit
from tensordsl.codegen.rounds.flow import Flow, Operand
from tensordsl.codegen.rounds.vectors import Lanes, load_lanes, store_lanes
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE, SIGNED
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.graph.types import COMPLEX

if TYPE_CHECKING:
    from tensordsl.codegen.rounds.inline import Writer

WORD_BYTES = ITEMSIZE["int64"]
WORDS = CACHE_LINE_BYTES // WORD_BYTES  # of a vector


def check(i: p.Scatter) -> None:
    if i.dtype in COMPLEX or i.dtype == "float16":
        raise Unfit("numbers that are not computed as they are stored")


def move(k: Writer, i: p.Copy | p.Fill) -> None:
    """Words in lanes, then bytes."""
    f, size, W = k.body, k.number(i.bytes), WORDS if k.has_lanes else 1
    source = k.pointer(i.src) if isinstance(i, p.Copy) else None
    target = k.pointer(i.dst)
    whole = size // WORD_BYTES if isinstance(size, int) else f.op(f"lshr i64 {size}, {WORD_BYTES.bit_length() - 1}")
    with f.loop(whole, step=W) as each:
        lanes = Lanes(W, f.first_lanes(f.op(f"sub i64 {whole}, {each.index}"), W) if W > 1 else "")
        at = f.times(each.index, WORD_BYTES)
        value = constant(0, "int64", W)
        if source is not None:
            value = load_lanes(f, f.at(source, at), "int64", lanes, WORD_BYTES)
        store_lanes(f, value, f.at(target, at), "int64", lanes, WORD_BYTES)
    if isinstance(size, int) and size % WORD_BYTES == 0:
        return
    with f.loop(size, start=f.times(whole, WORD_BYTES)) as each:
        value = "0" if source is None else load(f, f.at(source, each.index), "int8")
        store(f, value, f.at(target, each.index), "int8")


def scatter(k: Writer, i: p.Scatter) -> None:
    f, dtype = k.body, i.dtype
    with f.loop(k.number(i.count)) as each:
        offset: Operand = 0
        for name, kind, step in zip(i.positions, i.position_types, i.steps, strict=True):
            place = f.at(k.pointer(name), f.times(each.index, ITEMSIZE[kind]))
            position = load(f, place, kind)
            if ITEMSIZE[kind] < WORD_BYTES:
                position = f.op(f"{'sext' if kind in SIGNED else 'zext'} {llvm_type(kind)} {position} to i64")
            offset = f.add(offset, f.times(position, k.number(step)))
        target = f.at(k.pointer(i.x), offset)
        source = f.at(k.pointer(i.y), f.times(each.index, k.number(i.y_step)))
        with ExitStack() as stack:
            for length, to, of in zip(i.dims, i.x_strides, i.y_strides, strict=True):
                index = stack.enter_context(f.loop(k.number(length))).index
                target, source = (f.at(x, f.times(index, k.number(s))) for x, s in ((target, to), (source, of)))
            value = load(f, source, dtype)
            store(f, value if i.set else added(f, dtype, load(f, target, dtype), value), target, dtype)


def added(f: Flow, dtype: str, x: str, y: str) -> str:
    """The sum of two numbers; of truth values, whether one is true."""
    op = "fadd" if dtype in FLOATS else "or" if dtype == "bool" else "add"
    return f.op(f"{op} {llvm_type(dtype)} {x}, {y}")
