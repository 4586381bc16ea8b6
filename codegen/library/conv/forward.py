"""Correlation of a box of results: planes of the image, then blocks of pixels of all channels in a buffer.

Contract  `box_<type>`: by planes, blocks and tiles; `plain_<type>`: the definition, where there is no memory.
Why       a block of pixels stays in the cache while all terms are added to it; what stands behind the end of a row
          is computed and dropped, so that all vectors are whole.
Ref       M. Dukhan, The Indirect Convolution Algorithm, 2019.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.structs import Fields
from tensordsl.codegen.kernel_ir.types import Signature, Type, array, i64, ptr, signature
from tensordsl.codegen.library.blocks import GIVE_BLOCK, TAKE_BLOCK
from tensordsl.codegen.library.conv.layer import AXES, LAYER, of_axes, of_box
from tensordsl.codegen.library.conv.planes import fill_signature
from tensordsl.codegen.library.conv.tiles import Shape, panels_signature
from tensordsl.codegen.library.gemm.signatures import named
from tensordsl.codegen.library.gemm.tiles import over_vectors
from tensordsl.codegen.library.polls import DROP, HOLD, POLL
from tensordsl.codegen.target.tuning import Tuning


def box_signature(v: Type) -> Signature:
    return of_box("box", v)


def buffer_columns(v: Type) -> int:
    return Shape.of(v).columns * v.lanes


def box(v: Type, t: Tuning) -> Function:
    width = buffer_columns(v)

    @kernel(box_signature(v))
    def box(
        f: Kernel, layer: Pointer, image: Number, group: Number, first0: Number, first1: Number, first2: Number,
        count0: Number, count1: Number, count2: Number,
    ) -> None:  # fmt: skip
        given = Fields(LAYER, layer)
        rows, terms, rt = given.o, given.terms, given.rt
        buffer_bytes = rows * (width * v.scalar.bytes)
        block = f.call(TAKE_BLOCK, rt, given.planes_bytes + buffer_bytes)
        with f.when(block == f.null):
            f.forward(plain_signature(v))
            f.ret()
        f.call(HOLD, block)
        buffer = block.bytes(layouts.BLOCK_HEAD).of(v.scalar)
        planes = buffer.bytes(buffer_bytes)
        f.forward(fill_signature(v), to=planes)
        row, slice_ = given.long2, given.long1 * given.long2
        packed = given.packed.of(v.scalar) + group * rows * terms
        y = given.y.bytes(image * given.y_image).bytes(group * rows * given.y_channel)
        steps = of_axes(given, "y_step")
        end = (count1 - 1) * row + count2
        with f.range(count0) as z:
            at_x = planes + z * slice_
            at_y = y.bytes((first0 + z) * steps[0]).bytes(first1 * steps[1]).bytes(first2 * steps[2])
            with f.range(end, step=width) as q:
                columns = f.min(end - q, width)
                with f.range(f.max(terms, 1), step=t.conv.block_terms) as k:  # without terms zeros are stored
                    some = f.min(terms - k, t.conv.block_terms)
                    f.call(
                        panels_signature(v), rows, some, packed + k * rows, at_x + q, given.offsets.of(i64) + k, buffer,
                        width, columns, k > 0,
                    )  # fmt: skip
                f.call(
                    store_signature(v), buffer, rows, q, columns, row, count2, at_y, given.y_channel, steps[1], steps[2]
                )
                f.call(POLL)
        f.call(DROP)
        f.call(GIVE_BLOCK, rt, block)

    return box


def store_signature(v: Type) -> Signature:
    return signature(
        named("store_rows", v), buffer=array(v.scalar), rows=i64, start=i64, columns=i64, row=i64, length=i64, y=ptr,
        channel=i64, y_step=i64, x_step=i64,
    )  # fmt: skip


def store_rows(v: Type) -> Function:
    width = buffer_columns(v)

    @kernel(store_signature(v))
    def store(
        f: Kernel, buffer: Pointer, rows: Number, start: Number, columns: Number, row: Number, length: Number,
        y: Pointer, channel: Number, y_step: Number, x_step: Number,
    ) -> None:  # fmt: skip
        """Columns from `start` on, of planes whose rows are `row` long: of each row the first `length`."""
        at, end = f.variable(start), start + columns
        with f.forever():
            here = at.value
            with f.when(here >= end):
                f.leave()
            line = f.quotient(here, row)
            before = here - line * row
            behind = f.min(row - before, end - here)
            some = f.max(f.min(length - before, behind), 0)
            source, target = buffer + (here - start), y.bytes(line * y_step).bytes(before * x_step)
            with f.range(rows) as r:
                of_row, to = source + r * width, target.bytes(r * channel).of(v.scalar)
                with f.when(x_step == v.scalar.bytes):

                    def copy(i: Number, mask: Any, to: Pointer = to, of_row: Pointer = of_row) -> None:
                        (to + i).store((of_row + i).load(v.lanes, mask), mask)

                    over_vectors(f, v.lanes, some, copy)
                with f.when(x_step != v.scalar.bytes):
                    with f.range(some) as i:
                        to.bytes(i * x_step)[0] = of_row[i]
            at.set(here + behind)

    return store


def plain_signature(v: Type) -> Signature:
    return of_box("plain", v)


def plain(v: Type) -> Function:
    @kernel(plain_signature(v))
    def plain(f: Kernel, layer: Pointer, image: Number, group: Number, *box: Number) -> None:
        given = Fields(LAYER, layer)
        firsts, counts = box[:3], box[3:]
        strides, dilation, before, nx, nw = (
            of_axes(given, name) for name in ("stride", "dilation", "before", "nx", "nw")
        )
        x_steps, w_steps, y_steps = (of_axes(given, f"{name}_step") for name in "xwy")
        x = given.x.bytes(image * given.x_image).bytes(group * given.c * given.x_channel)
        w = given.w.bytes(group * given.w_group)
        y = given.y.bytes(image * given.y_image).bytes(group * given.o * given.y_channel)
        with f.range(given.o) as o:
            with f.range(counts[0]) as q0, f.range(counts[1]) as q1, f.range(counts[2]) as q2:
                places = [first + q for first, q in zip(firsts, (q0, q1, q2), strict=True)]
                total = f.variable(0.0, v.scalar)
                with f.range(given.c) as c, f.range(nw[0]) as t0, f.range(nw[1]) as t1, f.range(nw[2]) as t2:
                    source, factor = x.bytes(c * given.x_channel), w.bytes(o * given.w_out).bytes(c * given.w_in)
                    conditions = []
                    for a, tap in zip(AXES, (t0, t1, t2), strict=True):
                        at = strides[a] * places[a] + dilation[a] * tap - before[a]
                        conditions.append(f.unsigned("ult", at, nx[a]))
                        source, factor = source.bytes(at * x_steps[a]), factor.bytes(tap * w_steps[a])
                    with f.when(f.all(*conditions)):
                        total.set(f.fma(source.of(v.scalar)[0], factor.of(v.scalar)[0], total))
                target = y.bytes(o * given.y_channel)
                for place, step in zip(places, y_steps, strict=True):
                    target = target.bytes(place * step)
                target.of(v.scalar)[0] = total
            f.call(POLL)

    return plain
