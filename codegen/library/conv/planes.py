"""Planes: a box of an image with its border, split into phases: a strided correlation reads adjacent elements.

Contract  `fill_planes_<type>`: plane (c, phases)[j] = x[c, stride (first + j) + phase - before], 0 where that is
          outside of x; behind the last plane some zeros, as tiles read on.
Why       taps become offsets: tap t reads the phase (dilation t) mod stride, from (dilation t) / stride on.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.structs import Fields
from tensordsl.codegen.kernel_ir.types import Kind, Signature, Type, array, i64, ptr, signature
from tensordsl.codegen.library.conv.layer import AXES, LAYER, numbers_of_axes, of_axes
from tensordsl.codegen.library.conv.tiles import Shape
from tensordsl.codegen.library.gemm.signatures import named
from tensordsl.codegen.library.gemm.tiles import over_vectors


def fill_signature(v: Type) -> Signature:
    parameters: dict[str, Kind] = {"layer": ptr, "image": i64, "group": i64, **numbers_of_axes("first")}
    return signature(named("fill_planes", v), None, parameters, to=array(v.scalar))


def slack(v: Type) -> int:
    """Elements behind the planes that tiles read: less than a tile's row."""
    return 2 * Shape.of(v).vectors * v.lanes


def fill_planes(v: Type) -> Function:
    @kernel(fill_signature(v))
    def fill(
        f: Kernel, layer: Pointer, image: Number, group: Number, first0: Number, first1: Number, first2: Number,
        to: Pointer,
    ) -> None:  # fmt: skip
        given = Fields(LAYER, layer)
        channels, row = given.c, given.long2
        strides, lengths, steps = (of_axes(given, name) for name in ("stride", "nx", "x_step"))
        starts = [
            s * q - b for s, q, b in zip(strides, (first0, first1, first2), of_axes(given, "before"), strict=True)
        ]
        x = given.x.bytes(image * given.x_image).bytes(group * channels * given.x_channel)
        long, phases, plane, of_channel = of_axes(given, "long"), of_axes(given, "phases"), given.plane, given.x_channel
        number = f.variable(0, i64)
        with f.range(channels) as c:
            source = x.bytes(c * of_channel)
            with f.range(phases[0]) as p0, f.range(phases[1]) as p1, f.range(phases[2]) as p2:
                target = to + number.value * plane
                number += 1
                with f.range(long[0]) as z:
                    at_z = strides[0] * z + p0 + starts[0]
                    with f.range(long[1]) as y:
                        at_y = strides[1] * y + p1 + starts[1]
                        is_inside = f.unsigned("ult", at_z, lengths[0]) & f.unsigned("ult", at_y, lengths[1])
                        length = f.select(is_inside, lengths[2], 0)
                        line = source.bytes(at_z * steps[0]).bytes(at_y * steps[1])
                        f.call(
                            row_signature(v), target + (z * long[1] + y) * row, row, line, length, starts[2] + p2,
                            strides[2], steps[2],
                        )  # fmt: skip
        _clear(f, v, to + number.value * plane, f.number(slack(v), i64))

    return fill


def row_signature(v: Type) -> Signature:
    return signature(
        named("fill_row", v), to=array(v.scalar), count=i64, x=ptr, length=i64, start=i64, stride=i64, step=i64
    )


def fill_row(v: Type) -> Function:
    @kernel(row_signature(v))
    def row(
        f: Kernel, to: Pointer, count: Number, x: Pointer, length: Number, start: Number, stride: Number, step: Number
    ) -> None:
        """to[j] = x[start + stride j], 0 where that is not below `length`."""
        low = f.min(f.max(f.quotient(stride - 1 - start, stride), 0), count)
        behind = f.quotient(length - 1 - start + stride, stride)
        high = f.select(length - 1 - start < 0, 0, behind)
        high = f.select(length > 0, f.max(f.min(high, count), low), low)
        _clear(f, v, to, low)
        _clear(f, v, to + high, count - high)
        source, target, many = x.bytes((start + stride * low) * step).of(v.scalar), to + low, high - low
        each = stride * step
        with f.when(each == v.scalar.bytes):

            def copy(i: Number, mask: Any) -> None:
                (target + i).store((source + i).load(v.lanes, mask), mask)

            over_vectors(f, v.lanes, many, copy)
            f.ret()
        pairs = f.select(each == 2 * v.scalar.bytes, f.max(many - 1, 0) & -v.lanes, 0)
        with f.range(pairs, step=v.lanes) as j:  # the last one is read alone, as nothing may stand behind it
            two = source + 2 * j
            lanes = f.shuffle(two.load(v.lanes), (two + v.lanes).load(v.lanes), range(0, 2 * v.lanes, 2))
            (target + j).store(lanes)
        with f.range(many, start=pairs) as j:
            target[j] = source.bytes(j * each)[0]

    return row


def _clear(f: Kernel, v: Type, to: Pointer, count: Number) -> None:
    zeros = f.splat(f.number(0.0, v.scalar), v.lanes)
    over_vectors(f, v.lanes, count, lambda i, mask: (to + i).store(zeros, mask))


def offsets_signature(v: Type) -> Signature:
    return signature(named("fill_offsets", v), layer=ptr)


def fill_offsets(v: Type) -> Function:
    @kernel(offsets_signature(v))
    def fill(f: Kernel, layer: Pointer) -> None:
        """Of each term (channel, taps) how many bytes its first element is behind the planes' first."""
        given = Fields(LAYER, layer)
        taps, strides, dilation, phases, long = (
            of_axes(given, name) for name in ("nw", "stride", "dilation", "phases", "long")
        )
        offsets, number = given.offsets.of(i64), f.variable(0, i64)
        with f.range(given.c) as c, f.range(taps[0]) as t0, f.range(taps[1]) as t1, f.range(taps[2]) as t2:
            place, plane = f.number(0, i64), c
            for a, t in zip(AXES, (t0, t1, t2), strict=True):
                distance = dilation[a] * t
                plane = plane * phases[a] + f.remainder(distance, strides[a])
                place = place * long[a] + f.quotient(distance, strides[a])
            offsets[number.value] = (plane * given.plane + place) * v.scalar.bytes
            number += 1

    return fill
