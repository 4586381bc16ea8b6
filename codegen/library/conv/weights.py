"""The gradient by weights: D[k, o] = sum over pixels q of X[offsets[k] + places[q]] G[q, o], lanes along channels o.

Contract  `weights_task_<type>`: of a layer, whose `y` is the gradient of results and whose `w` is written, some
          channels and output channels; `plain_weights_<type>`: the definition, where there is no memory.
Why       only pixels that there are, are listed, so that nothing is multiplied by zeros, and no lanes are added up.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.structs import Fields
from tensordsl.codegen.kernel_ir.types import Kind, Signature, Type, array, i64, ptr, signature
from tensordsl.codegen.library.blocks import GIVE_BLOCK, TAKE_BLOCK
from tensordsl.codegen.library.conv.layer import AXES, LAYER, numbers_of_axes, of_axes
from tensordsl.codegen.library.conv.planes import fill_signature
from tensordsl.codegen.library.conv.tiles import Shape
from tensordsl.codegen.library.gemm.panels import store_transposed
from tensordsl.codegen.library.gemm.signatures import named
from tensordsl.codegen.library.polls import DROP, HOLD, POLL
from tensordsl.codegen.library.tasks import task_signature
from tensordsl.codegen.target.tuning import Tuning


def weights_functions(v: Type, t: Tuning) -> list[Function]:
    shape = Shape.of(v)
    tiles = [_tile(v, rows, wide) for rows in _rows(v) for wide in range(1, shape.vectors + 1)]
    return [*tiles, _product(v), _places(v), _transposed(v), _store(v), _plain(v), _task(v, t)]


def weights_task_signature(v: Type) -> Signature:
    return task_signature(named("weights_task", v))


# Sums of pixels


def _rows(v: Type) -> tuple[int, ...]:
    return (Shape.of(v).rows, 4, 2, 1)


def _tile_signature(v: Type, rows: int, wide: int) -> Signature:
    return signature(f"{named('weights_tile', v)}_{rows}_{wide}", None, _of_product(v))


def _of_product(v: Type) -> dict[str, Kind]:
    matrix = array(v.scalar)
    return dict(pixels=i64, x=matrix, offsets=array(i64), places=array(i64), g=matrix, d=matrix, ldd=i64)


def _tile(v: Type, rows: int, wide: int) -> Function:
    @kernel(_tile_signature(v, rows, wide))
    def tile(
        f: Kernel, pixels: Number, x: Pointer, offsets: Pointer, places: Pointer, g: Pointer, d: Pointer, ldd: Number
    ) -> None:
        """Is added to D; G has rows of `wide` vectors."""
        terms = [x.bytes(offsets[r]) for r in range(rows)]
        targets = [[d + r * ldd + j * v.lanes for j in range(wide)] for r in range(rows)]
        sums = [[f.variable(place.load(v.lanes)) for place in row] for row in targets]
        at_place, at_g = f.variable(places), f.variable(g)
        with f.range(pixels):
            here, gradients = at_place.value, at_g.value
            place = here[0]
            loaded = [(gradients + j * v.lanes).load(v.lanes) for j in range(wide)]
            for term, totals in zip(terms, sums, strict=True):
                factor = f.splat(term.bytes(place)[0], v.lanes)
                for total, gradient in zip(totals, loaded, strict=True):
                    total.set(f.fma(factor, gradient, total))
            at_place.set(here.bytes(i64.bytes))
            at_g.set(gradients.bytes(wide * v.bytes))
        for totals, row in zip(sums, targets, strict=True):
            for total, target in zip(totals, row, strict=True):
                target.store(total.value)

    return tile


def _product_signature(v: Type) -> Signature:
    return signature(named("weights_product", v), None, _of_product(v), terms=i64, wide=i64)


def _product(v: Type) -> Function:
    @kernel(_product_signature(v))
    def product(
        f: Kernel, pixels: Number, x: Pointer, offsets: Pointer, places: Pointer, g: Pointer, d: Pointer, ldd: Number,
        terms: Number, wide: Number,
    ) -> None:  # fmt: skip
        with f.switch(wide) as cases:
            for vectors in range(1, Shape.of(v).vectors + 1):
                with cases.case(vectors):
                    start: Any = 0
                    for rows in _rows(v):
                        left = terms - start
                        end = terms - f.unsigned("urem", left, rows)
                        with f.range(end, start=start, step=rows) as k:
                            f.forward(_tile_signature(v, rows, vectors), offsets=offsets + k, d=d + k * ldd)
                        start = end

    return product


# Pixels of a box


def _places_signature(v: Type) -> Signature:
    parameters: dict[str, Kind] = {"layer": ptr, **numbers_of_axes("count")}
    return signature(named("fill_places", v), None, parameters, places=array(i64), sources=array(i64))


def _places(v: Type) -> Function:
    @kernel(_places_signature(v))
    def fill(
        f: Kernel, layer: Pointer, count0: Number, count1: Number, count2: Number, places: Pointer, sources: Pointer
    ) -> None:
        """Of each pixel how many bytes it is behind the first one, in the planes and in the gradient."""
        given, number = Fields(LAYER, layer), f.variable(0, i64)
        long, steps = of_axes(given, "long"), of_axes(given, "y_step")
        with f.range(count0) as z, f.range(count1) as y:
            row, source = (z * long[1] + y) * long[2], z * steps[0] + y * steps[1]
            before = number.value
            with f.range(count2) as x:
                places[before + x] = (row + x) * v.scalar.bytes
                sources[before + x] = source + x * steps[2]
            number.set(before + count2)

    return fill


def _transposed_signature(v: Type) -> Signature:
    return signature(
        named("transposed_pixels", v), to=array(v.scalar), width=i64, g=ptr, channel=i64, rows=i64, sources=array(i64),
        pixels=i64, is_flat=i64,
    )  # fmt: skip


def _transposed(v: Type) -> Function:
    size = v.scalar.bytes

    @kernel(_transposed_signature(v))
    def transposed(
        f: Kernel, to: Pointer, width: Number, g: Pointer, channel: Number, rows: Number, sources: Pointer,
        pixels: Number, is_flat: Number,
    ) -> None:  # fmt: skip
        """to[q, o] = g[o, q]; is_flat: pixels are adjacent."""
        squares = f.select((is_flat != 0) & (f.remainder(channel, size) == 0), rows & -v.lanes, 0)
        complete, row = pixels & -v.lanes, f.quotient(channel, size)
        first = g.bytes(sources[0]).of(v.scalar)
        with f.range(squares, step=v.lanes) as o, f.range(complete, step=v.lanes) as q:
            store_transposed(v, first + o * row + q, row, to + q * width + o, width)
        with f.range(rows) as o:
            start = f.select(o < squares, complete, 0)
            source = g.bytes(o * channel)
            with f.range(pixels, start=start) as q:
                (to + q * width + o)[0] = source.bytes(sources[q]).of(v.scalar)[0]
        behind = width - rows
        with f.range(pixels) as q, f.range(behind) as o:
            (to + q * width + rows + o)[0] = 0.0

    return transposed


# Results


def _some(**more: Kind) -> dict[str, Kind]:
    """Parameters: channels and output channels of a group."""
    return {"layer": ptr, "group": i64, "c0": i64, "channels": i64, "o0": i64, "outs": i64, **more}


def _store_signature(v: Type) -> Signature:
    return signature(named("store_weights", v), None, _some(d=array(v.scalar), ldd=i64))


def _store(v: Type) -> Function:
    @kernel(_store_signature(v))
    def store(
        f: Kernel, layer: Pointer, group: Number, c0: Number, channels: Number, o0: Number, outs: Number, d: Pointer,
        ldd: Number,
    ) -> None:  # fmt: skip
        given = Fields(LAYER, layer)
        taps, steps = of_axes(given, "nw"), of_axes(given, "w_step")
        w = given.w.bytes(group * given.w_group).bytes(o0 * given.w_out).bytes(c0 * given.w_in)
        with f.range(outs) as o:
            to, source = w.bytes(o * given.w_out), f.variable(d + o)
            with f.range(channels) as c, f.range(taps[0]) as t0, f.range(taps[1]) as t1, f.range(taps[2]) as t2:
                place = to.bytes(c * given.w_in).bytes(t0 * steps[0]).bytes(t1 * steps[1]).bytes(t2 * steps[2])
                here = source.value
                place.of(v.scalar)[0] = here[0]
                source.set(here + ldd)

    return store


def _plain_signature(v: Type) -> Signature:
    return signature(named("plain_weights", v), None, _some())


def _plain(v: Type) -> Function:
    @kernel(_plain_signature(v))
    def plain(f: Kernel, layer: Pointer, group: Number, c0: Number, channels: Number, o0: Number, outs: Number) -> None:
        given = Fields(LAYER, layer)
        names = ("stride", "dilation", "before", "nx", "nw", "ny", "x_step", "w_step", "y_step")
        strides, dilation, before, nx, nw, ny, x_steps, w_steps, y_steps = (of_axes(given, name) for name in names)
        with (
            f.range(outs) as o, f.range(channels) as c, f.range(nw[0]) as t0, f.range(nw[1]) as t1, f.range(nw[2]) as t2
        ):  # fmt: skip
            taps, total = (t0, t1, t2), f.variable(0.0, v.scalar)
            target = given.w.bytes(group * given.w_group).bytes((o0 + o) * given.w_out).bytes((c0 + c) * given.w_in)
            for tap, step in zip(taps, w_steps, strict=True):
                target = target.bytes(tap * step)
            x = given.x.bytes((group * given.c + c0 + c) * given.x_channel)
            g = given.y.bytes((group * given.o + o0 + o) * given.y_channel)
            with f.range(given.images) as n, f.range(ny[0]) as q0, f.range(ny[1]) as q1, f.range(ny[2]) as q2:
                source, gradient, conditions = x.bytes(n * given.x_image), g.bytes(n * given.y_image), []
                for a, q in zip(AXES, (q0, q1, q2), strict=True):
                    at = strides[a] * q + dilation[a] * taps[a] - before[a]
                    conditions.append(f.unsigned("ult", at, nx[a]))
                    source, gradient = source.bytes(at * x_steps[a]), gradient.bytes(q * y_steps[a])
                with f.when(f.all(*conditions)):
                    total.set(f.fma(source.of(v.scalar)[0], gradient.of(v.scalar)[0], total))
            target.of(v.scalar)[0] = total
            f.call(POLL)

    return plain


def _task(v: Type, t: Tuning) -> Function:
    most, size = Shape.of(v).vectors, v.scalar.bytes

    @kernel(weights_task_signature(v))
    def task(f: Kernel, layer: Pointer, i: Number) -> None:
        whole = Fields(LAYER, layer)
        group, rest = f.quotient(i, whole.c_tasks * whole.o_tasks), f.remainder(i, whole.c_tasks * whole.o_tasks)
        c0, o0 = f.quotient(rest, whole.o_tasks) * whole.c_block, f.remainder(rest, whole.o_tasks) * whole.o_block
        channels, outs = f.min(whole.c - c0, whole.c_block), f.min(whole.o - o0, whole.o_block)
        given = LAYER.made(f)
        for name in LAYER.fields:
            setattr(given, name, getattr(whole, name))
        given.x, given.c = whole.x.bytes((group * whole.c + c0) * whole.x_channel), channels
        g = whole.y.bytes((group * whole.o + o0) * whole.y_channel)
        terms = channels * whole.nw0 * whole.nw1 * whole.nw2
        vectors = f.quotient(outs + (v.lanes - 1), v.lanes)
        ldd, blocks, ny = vectors * v.lanes, of_axes(whole, "block"), of_axes(whole, "ny")
        pixels = blocks[0] * blocks[1] * blocks[2]
        transposed_bytes, tables_bytes = t.conv.block_terms * most * v.bytes, pixels * (2 * i64.bytes)
        sums_bytes = terms * ldd * size
        block = f.call(TAKE_BLOCK, whole.rt, transposed_bytes + sums_bytes + tables_bytes + whole.planes_bytes)
        some = (layer, group, c0, channels, o0, outs)
        with f.when((block == f.null) | (whole.offsets == f.null)):
            f.call(_plain_signature(v), *some)
            with f.when(block != f.null):
                f.call(GIVE_BLOCK, whole.rt, block)
            f.ret()
        f.call(HOLD, block)
        transposed = block.bytes(layouts.BLOCK_HEAD).of(v.scalar)
        sums = transposed.bytes(transposed_bytes)
        places = sums.bytes(sums_bytes).of(i64)
        sources = places + pixels
        planes = (sources + pixels).of(v.scalar)
        with f.range(terms * ldd, step=v.lanes) as k:
            (sums + k).store(f.splat(f.number(0.0, v.scalar), v.lanes))
        steps, tasks = of_axes(whole, "y_step"), of_axes(whole, "tasks")
        with (
            f.range(whole.images) as image, f.range(tasks[0]) as b0, f.range(tasks[1]) as b1, f.range(tasks[2]) as b2
        ):  # fmt: skip
            firsts = [n * block for n, block in zip((b0, b1, b2), blocks, strict=True)]
            counts = [f.min(n - first, block) for n, first, block in zip(ny, firsts, blocks, strict=True)]
            f.call(fill_signature(v), given.place, image, 0, *firsts, planes)
            f.call(_places_signature(v), layer, *counts, places, sources)
            is_flat = f.all(
                steps[2] == size, (counts[1] == 1) | (steps[1] == counts[2] * size),
                (counts[0] == 1) | (steps[0] == counts[1] * counts[2] * size),
            ).unsigned(i64)  # fmt: skip
            at_g = g.bytes(image * whole.y_image)
            for first, step in zip(firsts, steps, strict=True):
                at_g = at_g.bytes(first * step)
            many = counts[0] * counts[1] * counts[2]
            with f.range(vectors, step=most) as j, f.range(many, step=t.conv.block_terms) as q:
                wide, here = f.min(vectors - j, most), f.min(many - q, t.conv.block_terms)
                first = j * v.lanes
                rows = f.min(outs - first, wide * v.lanes)
                f.call(
                    _transposed_signature(v), transposed, wide * v.lanes, at_g.bytes(first * whole.y_channel),
                    whole.y_channel, rows, sources + q, here, is_flat,
                )  # fmt: skip
                f.call(
                    _product_signature(v), here, planes, whole.offsets.of(i64), places + q, transposed, sums + first,
                    ldd, terms, wide,
                )  # fmt: skip
                f.call(POLL)
        f.call(_store_signature(v), *some, sums, ldd)
        f.call(DROP)
        f.call(GIVE_BLOCK, whole.rt, block)

    return task
