"""Convolutions: the functions that programs call, and the tasks of a layer.

Contract  `conv_<dtype>` (x, w), `conv_inputs_<dtype>` (w, g), `conv_weights_<dtype>` (x, g): five axes each, `NUMBERS`.
Why       the gradient by inputs is, for each phase of the strides, a correlation of g with other weights, reversed.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Function, Module
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.structs import Fields
from tensordsl.codegen.kernel_ir.types import Signature, Type, array, f32, f64, i64, ptr, signature
from tensordsl.codegen.library.blocks import GIVE_BLOCK, TAKE_BLOCK, block_text
from tensordsl.codegen.library.conv.forward import box, box_signature, plain, plain_signature, store_rows
from tensordsl.codegen.library.conv.layer import AXES, LAYER, of_axes
from tensordsl.codegen.library.conv.pack import pack_signature, pack_weights
from tensordsl.codegen.library.conv.planes import fill_offsets, fill_planes, fill_row, offsets_signature, slack
from tensordsl.codegen.library.conv.tiles import Shape, panels, strip_functions
from tensordsl.codegen.library.conv.weights import weights_functions, weights_task_signature
from tensordsl.codegen.library.gemm.signatures import named
from tensordsl.codegen.library.gemm.tiles import duration
from tensordsl.codegen.library.polls import DROP, HOLD
from tensordsl.codegen.library.run_time_table import entry
from tensordsl.codegen.library.tasks import leave_unless_worth, share, task_signature, wanted_threads
from tensordsl.codegen.llvm.kernel_text import module_text
from tensordsl.codegen.target.tuning import Tuning

# What the steps of the third operand say, which has no elements: of three axes each, then of the layer.
NUMBERS = (*("stride", "dilation", "before") * 3, "groups", "is_flipped")
ELEMENTS = {"float32": f32, "float64": f64}
DECLARED = "declare i64 @llvm.ctlz.i64(i64, i1)\n"  # for `block_text`


def conv_text(dtype: str, t: Tuning) -> str:
    v = ELEMENTS[dtype].of(t.machine.vector_bytes // ELEMENTS[dtype].bytes)
    return module_text(Module(conv_functions(v, dtype, t)), others=DECLARED + block_text(t))


def conv_functions(v: Type, dtype: str, t: Tuning) -> list[Function]:
    fast = [*strip_functions(v), panels(v), fill_row(v), fill_planes(v), fill_offsets(v), pack_weights(v, t)]
    of_weights = [*weights_functions(v, t), _weights(v, t), _conv_weights(v, dtype)]
    layer = [store_rows(v), box(v, t), plain(v), _task(v), _correlate(v, t)]
    return [*fast, *layer, _conv(v, dtype), _conv_inputs(v, dtype), *of_weights]


# A layer


def _task_signature(v: Type) -> Signature:
    return task_signature(named("conv_task", v))


def _task(v: Type) -> Function:
    @kernel(_task_signature(v))
    def task(f: Kernel, layer: Pointer, i: Number) -> None:
        """One box of the results of an image and a group."""
        given, rest = Fields(LAYER, layer), f.variable(i)
        firsts: list[Number] = []
        counts: list[Number] = []
        for a in reversed(AXES):
            before, many, block = rest.value, of_axes(given, "tasks")[a], of_axes(given, "block")[a]
            first = f.remainder(before, many) * block
            firsts.insert(0, first)
            counts.insert(0, f.min(of_axes(given, "ny")[a] - first, block))
            rest.set(f.quotient(before, many))
        group, image = f.remainder(rest.value, given.groups), f.quotient(rest.value, given.groups)
        with f.when(given.packed == f.null):
            f.call(plain_signature(v), layer, image, group, *firsts, *counts)
            f.ret()
        f.call(box_signature(v), layer, image, group, *firsts, *counts)

    return task


def correlate_signature(v: Type) -> Signature:
    return signature(named("correlate", v), layer=ptr)


def _correlate(v: Type, t: Tuning) -> Function:
    size = v.scalar.bytes

    @kernel(correlate_signature(v))
    def correlate(f: Kernel, layer: Pointer) -> None:
        """All results of a layer, whose operands, lengths and steps are set."""
        given = Fields(LAYER, layer)
        terms = given.c * given.nw0 * given.nw1 * given.nw2
        ny, results = of_axes(given, "ny"), given.images * given.groups
        pixels = ny[0] * ny[1] * ny[2]
        with f.when(results * given.o * pixels == 0):
            f.ret()
        given.terms = terms
        pool = entry(given.rt, "threads")
        threads = _threads(f, t, pool, duration(v, results * given.o * pixels * terms))
        _choose_boxes(f, v, t, given, threads)
        tasks = given.tasks0 * given.tasks1 * given.tasks2 * results
        offset_bytes = (terms * i64.bytes + (layouts.BLOCK_HEAD - 1)) & -layouts.BLOCK_HEAD
        block = f.call(TAKE_BLOCK, given.rt, offset_bytes + given.groups * given.o * terms * size)
        given.packed = f.null
        with f.when(block != f.null):
            f.call(HOLD, block)
            given.offsets = block.bytes(layouts.BLOCK_HEAD)
            given.packed = block.bytes(layouts.BLOCK_HEAD).bytes(offset_bytes)
            f.call(offsets_signature(v), layer)
            f.call(pack_signature(v), layer)
        _run(f, pool, threads, _task_signature(v), given, tasks, block)

    return correlate


def _threads(f: Kernel, t: Tuning, pool: Pointer, work: Number) -> Number:
    """How many threads share a layer's work."""
    wanted = f.variable(1, i64)
    with f.once():
        leave_unless_worth(f, t, pool, work, t.conv.parallel_min_ns)
        wanted.set(wanted_threads(pool))
    return wanted.value


def _run(
    f: Kernel, pool: Pointer, threads: Number, task: Signature, given: Fields, tasks: Number, block: Pointer
) -> None:
    """Run a layer's tasks, and give its scratch buffer back, if it has one."""
    with f.when(threads > 1):
        share(f, pool, task, given, tasks)
    with f.otherwise(), f.range(tasks) as i:
        f.call(task, given.place, i)
    with f.when(block != f.null):
        f.call(DROP)
        f.call(GIVE_BLOCK, given.rt, block)


def _choose_boxes(f: Kernel, v: Type, t: Tuning, given: Fields, threads: Number) -> None:
    """Boxes whose planes stay in the cache, and as many as threads want; the last axis is split last."""
    nw, dilation, strides, ny = (of_axes(given, name) for name in ("nw", "dilation", "stride", "ny"))
    reach = [f.max(n - 1, 0) * d for n, d in zip(nw, dilation, strict=True)]
    phases = [f.min(s, far + 1) for s, far in zip(strides, reach, strict=True)]
    blocks = [f.variable(n) for n in ny]
    least = (1, t.conv.box_min_rows, t.conv.box_min_columns)
    images, wanted = given.images * given.groups, threads * t.conv.tasks_per_thread
    with f.forever():
        long = [b + f.quotient(far, s) for b, far, s in zip(blocks, reach, strides, strict=True)]
        count = f.number(1, i64)
        for p in phases:
            count = count * p
        plane = long[0] * long[1] * long[2]
        bytes_ = (given.c * count * plane + slack(v)) * v.scalar.bytes
        tasks = [f.quotient(n + b - 1, b) for n, b in zip(ny, blocks, strict=True)]
        many = images * tasks[0] * tasks[1] * tasks[2]
        fits = (bytes_ <= t.conv.planes_bytes) & ((many >= wanted) | (threads == 1))
        _set(given, block=[b.value for b in blocks], tasks=tasks, long=long, phases=phases)
        given.plane, given.planes_bytes = plane, bytes_
        with f.when(fits):
            f.leave()
        can = [b.value > n for b, n in zip(blocks, least, strict=True)]
        with f.when(~f.any(*can)):
            f.leave()
        is_free = f.number(True, can[0].type)
        for b, may in zip(blocks, can, strict=True):
            half = (b.value + 1) >> 1
            b.set(f.select(may & is_free, half, b))
            is_free = is_free & ~may


# The gradient by weights


def weights_signature(v: Type) -> Signature:
    return signature(named("weights", v), layer=ptr)


def _weights(v: Type, t: Tuning) -> Function:
    width = Shape.of(v).vectors * v.lanes

    @kernel(weights_signature(v))
    def weights(f: Kernel, layer: Pointer) -> None:
        """Of a layer whose operands, lengths and steps are set.  A task sums all images and pixels."""
        given = Fields(LAYER, layer)
        taps = given.nw0 * given.nw1 * given.nw2
        given.terms = given.c * taps
        results = given.groups * given.o * given.terms
        with f.when(results == 0):
            f.ret()
        pool = entry(given.rt, "threads")
        threads = _threads(f, t, pool, duration(v, results * given.images * given.ny0 * given.ny1 * given.ny2))
        _choose_boxes(f, v, t, given, f.number(1, i64))
        parts = f.quotient(threads + given.groups - 1, given.groups)  # of a group
        given.c_block = f.quotient(given.c + parts - 1, parts)
        given.c_tasks = f.quotient(given.c + given.c_block - 1, given.c_block)
        given.o_block = f.select(given.c_tasks >= parts, given.o, width)
        given.o_tasks = f.quotient(given.o + given.o_block - 1, given.o_block)
        block = f.call(TAKE_BLOCK, given.rt, given.terms * i64.bytes)
        given.offsets = given.packed = f.null
        with f.when(block != f.null):
            f.call(HOLD, block)
            given.offsets = block.bytes(layouts.BLOCK_HEAD)
            f.call(offsets_signature(v), layer)
        tasks = given.groups * given.c_tasks * given.o_tasks
        _run(f, pool, threads, weights_task_signature(v), given, tasks, block)

    return weights


# What programs call


class _Call:
    """Operands of a `LibraryCall`: where they are, lengths and steps of their five axes, and the layer's numbers."""

    def __init__(self, f: Kernel, bases: Pointer, words: Pointer) -> None:
        places: list[Pointer] = [bases[n] for n in range(5)]
        self.places, self.rt = [*places[:2], places[3]], places[4]
        starts = (0, 10, 20 + 2 * len(NUMBERS))
        self.lengths = [[words[start + a] for a in range(5)] for start in starts]
        self.steps = [[words[start + 5 + a] for a in range(5)] for start in starts]
        numbers = [words[20 + len(NUMBERS) + n] for n in range(len(NUMBERS))]
        self.strides, self.dilation, self.before = numbers[:3], numbers[3:6], numbers[6:9]
        self.groups, self.is_flipped = numbers[9], numbers[10] != 0


def _entry_signature(name: str, dtype: str) -> Signature:
    return signature(f"{name}_{dtype}", internal=False, bases=array(ptr), words=array(i64), rank=i64)


def _set(layer: Fields, **values: Any) -> None:
    """Numbers of the struct; of a list those of all axes."""
    for name, value in values.items():
        if isinstance(value, list):
            for a, x in enumerate(value):
                setattr(layer, f"{name}{a}", x)
        else:
            setattr(layer, name, value)


def _reversed_if(
    f: Kernel, condition: Number, w: Pointer, lengths: list[Number], steps: list[Number]
) -> tuple[Any, Any]:
    """Where the first tap is, and steps of taps: from the last one backwards if the condition holds."""
    for n, step in zip(lengths, steps, strict=True):
        w = w.bytes(f.select(condition, f.max(n - 1, 0) * step, 0))
    return w, [f.select(condition, 0 - step, step) for step in steps]


def _correlation(f: Kernel, call: _Call, x: int, w: int, y: int) -> Fields:
    """The layer whose input, weights and results are operands of these numbers."""
    places = [call.places[n] for n in (x, w, y)]
    lengths, steps = ([given[n] for n in (x, w, y)] for given in (call.lengths, call.steps))
    (nx, nw, ny), (sx, sw, sy) = lengths, steps
    at_w, taps = _reversed_if(f, call.is_flipped, places[1], nw[2:], sw[2:])
    layer = LAYER.made(f, rt=call.rt, x=places[0], w=at_w, y=places[2])
    o = f.quotient(nw[0], call.groups)
    _set(
        layer, x_image=sx[0], x_channel=sx[1], x_step=sx[2:], w_group=o * sw[0], w_out=sw[0], w_in=sw[1], w_step=taps,
        y_image=sy[0], y_channel=sy[1], y_step=sy[2:], images=ny[0], groups=call.groups, c=nw[1], o=o, nx=nx[2:],
        nw=nw[2:], ny=ny[2:], stride=call.strides, dilation=call.dilation, before=call.before,
    )  # fmt: skip
    return layer


def _conv(v: Type, dtype: str) -> Function:
    @kernel(_entry_signature("conv", dtype))
    def conv(f: Kernel, bases: Pointer, words: Pointer, rank: Number) -> None:
        layer = _correlation(f, _Call(f, bases, words), 0, 1, 2)
        f.call(correlate_signature(v), layer.place)

    return conv


def _conv_weights(v: Type, dtype: str) -> Function:
    @kernel(_entry_signature("conv_weights", dtype))
    def conv_weights(f: Kernel, bases: Pointer, words: Pointer, rank: Number) -> None:
        layer = _correlation(f, _Call(f, bases, words), 0, 2, 1)
        f.call(weights_signature(v), layer.place)

    return conv_weights


def _conv_inputs(v: Type, dtype: str) -> Function:
    @kernel(_entry_signature("conv_inputs", dtype))
    def conv_inputs(f: Kernel, bases: Pointer, words: Pointer, rank: Number) -> None:
        """Phase r of the results along an axis, those at r + stride j, gets the taps t = first + every i of which
        dilation t is before + r modulo the stride: at j + (before + r - dilation t) / stride of g."""
        call = _Call(f, bases, words)
        (w, g, y), (nw, ng, ny), (sw, sg, sy) = call.places, call.lengths, call.steps
        w, taps = _reversed_if(f, call.is_flipped, w, nw[2:], sw[2:])
        layer = LAYER.made(f, rt=call.rt, x=g)
        c = f.quotient(nw[0], call.groups)
        _set(
            layer, x_image=sg[0], x_channel=sg[1], x_step=sg[2:], w_group=c * sw[0], w_out=sw[1], w_in=sw[0],
            y_image=sy[0], y_channel=sy[1], y_step=[s * n for s, n in zip(sy[2:], call.strides, strict=True)],
            images=ny[0], groups=call.groups, c=c, o=nw[1], nx=ng[2:], stride=[1, 1, 1],
        )  # fmt: skip
        with f.range(call.strides[0]) as r0, f.range(call.strides[1]) as r1, f.range(call.strides[2]) as r2:
            at_w, at_y = w, y
            for a, r in zip(AXES, (r0, r1, r2), strict=True):
                s, d, place = call.strides[a], call.dilation[a], call.before[a] + r
                first, every = _taps(f, s, d, place)
                length = nw[2 + a]
                count = f.select(first < length, f.quotient(length - 1 - first, every) + 1, 0)
                last = f.select(count > 0, first + every * (count - 1), 0)
                at_w = at_w.bytes(last * taps[a])
                at_y = at_y.bytes(r * sy[2 + a])
                values = {
                    "w_step": 0 - every * taps[a], "nw": count, "dilation": f.quotient(d * every, s),
                    "before": f.quotient(d * last - place, s),
                    "ny": f.select(r < ny[2 + a], f.quotient(ny[2 + a] - 1 - r, s) + 1, 0),
                }  # fmt: skip
                _set(layer, **{f"{name}{a}": value for name, value in values.items()})
            layer.w, layer.y = at_w, at_y
            f.call(correlate_signature(v), layer.place)

    return conv_inputs


def _taps(f: Kernel, stride: Number, dilation: Number, place: Number) -> tuple[Number, Number]:
    """The first tap t >= 0 of which dilation t is `place` modulo the stride, and the distance to the next one; if there
    is none, a large number."""
    wanted = f.remainder(f.remainder(place, stride) + stride, stride)
    first, every = f.variable(1 << 62, i64), f.variable(stride)
    with f.range(stride) as i:
        t = stride - 1 - i
        reached = f.remainder(dilation * t, stride)
        first.set(f.select(reached == wanted, t, first))
        every.set(f.select((reached == 0) & (t > 0), t, every))
    return first.value, every.value
