"""The checking interpreter: what it finds that a processor does not, and that ops give what compiled code gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from native_kernels import native

from tensordsl.codegen.kernel_ir import ops
from tensordsl.codegen.kernel_ir.interpret import ARITHMETIC, Machine, MemoryFault
from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import KINDS, Type, array, f16, f32, f64, i8, i16, i32, i64, signature
from tensordsl.codegen.target.machine import native_width

SHIFTED = signature("shifted", x=array(f64), y=array(f64), count=i64)


def fault(body: Any, **given: Any) -> str:
    machine = Machine(Module([kernel(SHIFTED)(body)]))
    x = machine.place(np.arange(8.0), **given)
    y = machine.place(np.zeros(8), is_written=False)
    with pytest.raises(MemoryFault) as error:
        machine.run("shifted", x, y, 8)
    return str(error.value)


def test_an_off_by_one_is_found() -> None:
    def beyond(k: Kernel, x: Pointer, y: Pointer, count: Number) -> None:
        with k.range(count) as i:
            y[i] = x[i + 1]

    message = fault(beyond)
    assert "load of f64 at byte 64 of array 0, which has 64" in message and "test_kernel_interpreter.py" in message


def test_a_tail_that_a_vector_overruns_is_found() -> None:
    def by_threes(k: Kernel, x: Pointer, y: Pointer, count: Number) -> None:
        with k.range(count, step=3) as i:
            y[i : i + 3] = x[i : i + 3]

    assert "load of 3 x f64 at byte 48 of array 0, which has 64" in fault(by_threes)


def test_a_read_of_what_nobody_wrote_is_found() -> None:
    def adds(k: Kernel, x: Pointer, y: Pointer, count: Number) -> None:
        with k.range(count) as i:
            y[i] = y[i] + x[i]

    assert "nobody wrote byte 0" in fault(adds)


def test_a_read_of_storage_of_the_call_is_found() -> None:
    def scratch(k: Kernel, x: Pointer, y: Pointer, count: Number) -> None:
        room = k.alloca(f64, 4)
        room[0] = x[0]
        y[0] = room[1]

    assert "storage of shifted: nobody wrote byte 8" in fault(scratch)


def test_storage_that_may_hold_anything_is_no_number() -> None:
    @kernel(signature("some", f64, x=array(f64), many=i64))
    def some(k: Kernel, x: Pointer, many: Number) -> None:
        room = k.alloca(f64, 2, anything=True)
        room[0] = x[0]
        k.ret(k.select(many > 1, room[0] + room[1], room[0]))

    machine = Machine(Module([some]))
    assert machine.run("some", machine.place(np.array([3.0])), 1) == 3
    assert np.isnan(machine.run("some", machine.place(np.array([3.0])), 2))


def test_a_misaligned_access_is_found() -> None:
    def aligned(k: Kernel, x: Pointer, y: Pointer, count: Number) -> None:
        y.of(f64, 32)[0:4] = x[0:4]

    assert "which is not aligned to 32 bytes" in fault(aligned)


def test_an_address_of_nothing_is_found() -> None:
    def before(k: Kernel, x: Pointer, y: Pointer, count: Number) -> None:
        y[-1] = 1.0

    assert "store of f64" in fault(before)


INTEGERS: list[int] = [0, 1, -1, 5, -7, 100, 127, -128, 63]
FLOATS = [0.0, -0.0, 1.5, -2.5, 0.5, 1e30, float("inf"), -float("inf"), float("nan"), 3.0, 7e-310, 2.0**60]
INTEGER_TYPES, FLOAT_TYPES = (i8, i16, i32, i64), (f32, f64)
DTYPES = {"i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8", "f32": "f4", "f64": "f8"}


def both(s: Any, body: Any, given: list[Any], result: Any) -> tuple[Any, Any]:
    """What a kernel writes, compiled and interpreted."""
    module = Module([kernel(s)(body)])
    compiled = result.copy()
    native(module, s.name)(*given, compiled)
    machine = Machine(module)
    place = machine.place(result)
    machine.run(s.name, *(machine.place(v) for v in given), place)
    return compiled, machine.array(place, result.dtype)


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("t", [*INTEGER_TYPES, *FLOAT_TYPES], ids=str)
def test_arithmetic_is_that_of_the_processor(t: Type, lanes: int) -> None:
    values = np.array(INTEGERS if t.is_integer else FLOATS, DTYPES[t.element])
    pairs = [(x, y) for x in values for y in values]
    while len(pairs) % 4:
        pairs.append(pairs[0])
    x, y = (np.array([p[n] for p in pairs], values.dtype) for n in (0, 1))
    names = ops.BINARY if t.is_integer else ops.FLOAT_BINARY
    for name in names:
        a, b = x, y
        if name in ("shl", "ashr", "lshr"):
            b = y & (t.bits - 1)
        if name in ("sdiv", "udiv", "srem", "urem"):
            b = np.where(y == 0, 3, y)
            a = np.where((x == np.iinfo(x.dtype).min) & (b == -1), 1, x)
        if name in ("fmin", "fmax"):  # which zero wins is not defined
            a, b = (np.where(v == 0, 1, v).astype(v.dtype) for v in (a, b))

        def body(k: Kernel, x: Pointer, y: Pointer, out: Pointer, name: str = name) -> None:
            with k.range(len(pairs), step=lanes) as i:
                out[i : i + lanes] = k.emit(name, x[i : i + lanes], y[i : i + lanes])

        s = signature("operate", x=array(t), y=array(t), out=array(t))
        compiled, interpreted = both(s, body, [a, b.astype(x.dtype)], np.zeros(len(pairs), values.dtype))
        np.testing.assert_array_equal(compiled, interpreted, name)


@pytest.mark.parametrize("t", FLOAT_TYPES, ids=str)
def test_functions_of_one_float(t: Type) -> None:
    values = np.array([*FLOATS, -3.7, 2.5, 3.5, 1e-3], DTYPES[t.element])
    for name in (*ops.FLOAT_UNARY, "fma"):

        def body(k: Kernel, x: Pointer, out: Pointer, name: str = name) -> None:
            with k.range(len(values)) as i:
                out[i] = k.emit(name, *[x[i]] * (3 if name == "fma" else 1))

        s = signature("operate", x=array(t), out=array(t))
        compiled, interpreted = both(s, body, [values], np.zeros_like(values))
        np.testing.assert_array_equal(compiled, interpreted, name)


@pytest.mark.parametrize("t", INTEGER_TYPES, ids=str)
def test_bits_of_integers(t: Type) -> None:
    values = np.array([v for v in INTEGERS if v], DTYPES[t.element])
    for name in ops.UNARY:

        def body(k: Kernel, x: Pointer, out: Pointer, name: str = name) -> None:
            with k.range(len(values)) as i:
                out[i] = k.emit(name, x[i])

        compiled, interpreted = both(signature("bits", x=array(t), out=array(t)), body, [values], values * 0)
        np.testing.assert_array_equal(compiled, interpreted, name)


CONDITIONS = [(i8, c) for c in ops.CONDITIONS] + [(f64, c) for c in ops.FLOAT_CONDITIONS]


@pytest.mark.parametrize("t, condition", CONDITIONS)
def test_comparisons(t: Type, condition: str) -> None:
    values = np.array(INTEGERS if t == i8 else FLOATS, DTYPES[t.element])
    pairs = [(x, y) for x in values for y in values]
    x, y = (np.array([p[n] for p in pairs], values.dtype) for n in (0, 1))

    def body(k: Kernel, x: Pointer, y: Pointer, out: Pointer) -> None:
        with k.range(len(pairs)) as i:
            out[i] = k.compare(condition, x[i], y[i]).unsigned(i8)

    s = signature("compare", x=array(t), y=array(t), out=array(i8))
    compiled, interpreted = both(s, body, [x, y], np.zeros(len(pairs), np.int8))
    np.testing.assert_array_equal(compiled, interpreted)


def test_conversions() -> None:
    numbers = np.array([0, 1, 5, 100, 127, 3, 2, 9], np.int8)
    for to in (i16, i32, i64, f32, f64):

        def body(k: Kernel, x: Pointer, out: Pointer, to: Type = to) -> None:
            out[0:8] = x[0:8].to(to)
            (out + 8)[0:8] = (-x[0:8]).unsigned(to)
            with k.range(8) as i:
                out[i] = out[i].to(f64).to(to)

        s = signature("convert", x=array(i8), out=array(to))
        compiled, interpreted = both(s, body, [numbers], np.zeros(16, DTYPES[to.element]))
        np.testing.assert_array_equal(compiled, interpreted)


def test_lanes_change_places() -> None:
    def body(k: Kernel, x: Pointer, out: Pointer) -> None:
        v, w = x[0:4], x[4:8]
        out[0:4] = k.shuffle(v, w, [7, 0, 5, 2])
        out[4:8] = k.joined(k.half(v, 1), k.half(w, 0))
        out[8:12] = k.compress(v, v > 1, 0)
        out[12] = k.emit("extract", w, lane=3)
        out[13:17] = k.emit("insert", v, out[12], lane=1)
        out[17] = k.emit("reduce", w, by="add")
        out[18] = (v > 1).bits(Type("i4") if "i4" in KINDS else i8.of(1)).to(i32) if "i4" in KINDS else k.number(4, i32)

    s = signature("lanes", x=array(i32), out=array(i32))
    compiled, interpreted = both(s, body, [np.arange(8, dtype=np.int32)], np.zeros(19, np.int32))
    np.testing.assert_array_equal(compiled, interpreted)
    assert list(compiled[:4]) == [7, 0, 5, 2] and list(compiled[8:12]) == [2, 3, 0, 0]


def test_lanes_that_a_mask_leaves_out_are_not_touched() -> None:
    def body(k: Kernel, x: Pointer, out: Pointer) -> None:
        limits = k.vector([5, 3, 9, 0], i32)
        v = k.masked_load(x, limits > 2, -1)
        k.masked_store(out, limits > 3, v + k.compress(v, limits != 3, v))

    s = signature("masked", x=array(i32), out=array(i32))
    compiled, interpreted = both(s, body, [np.arange(3, dtype=np.int32)], np.full(3, 7, np.int32))
    np.testing.assert_array_equal(compiled, interpreted)
    assert list(compiled) == [0, 7, 1]


def test_a_mask_that_goes_too_far_is_found() -> None:
    def body(k: Kernel, x: Pointer, y: Pointer, count: Number) -> None:
        k.masked_store(y + 6, k.vector([1, 0, 1, 0], i64) > 0, x[0:4])

    assert "masked_store of f64 at byte 64 of array 1, which has 64" in fault(body)


@pytest.mark.parametrize("t", ops.PERMUTED, ids=str)
def test_lanes_change_places_by_numbers(t: Type) -> None:
    def body(k: Kernel, x: Pointer, order: Pointer, out: Pointer) -> None:
        out[0:8] = k.emit("permute", x[0:8], order[0:8])

    s = signature("permuted", x=array(t), order=array(t), out=array(t))
    order = np.array([7, 0, 0, 5, 2, 1, 6, 3], DTYPES[t.element])
    module = Module([kernel(s)(body)])
    machine = Machine(module)
    x = np.arange(8).astype(order.dtype) * 10
    places = [machine.place(v) for v in (x, order, x)]
    machine.run("permuted", *places)
    np.testing.assert_array_equal(machine.array(places[2], x.dtype), x[order])
    if t.of(8).bytes <= native_width():
        out = np.zeros_like(x)
        native(module, "permuted")(x, order, out)
        np.testing.assert_array_equal(out, x[order])


def test_several_results_and_functions_at_addresses() -> None:
    divided = signature("divided", (i64, i32), x=i64, y=i64)

    @kernel(divided)
    def division(k: Kernel, x: Number, y: Number) -> None:
        k.ret(k.emit("sdiv", x, y), k.emit("srem", x, y).to(i32))

    @kernel(signature("swapped", (i64, i32), x=i64, y=i64))
    def swapped(k: Kernel, x: Number, y: Number) -> None:
        k.ret(*k.call(divided, y, x))

    @kernel(signature("both", x=array(i64), out=array(i64), rest=array(i32)))
    def body(k: Kernel, x: Pointer, out: Pointer, rest: Pointer) -> None:
        callee = k.select(x[0] < x[1], k.address(swapped), k.address(division))
        quotient, remainder = k.call_at(callee, divided, x[0], x[1])
        k.atomic_store(out, quotient)
        rest[0] = remainder

    module = Module([division, swapped, body])
    assert str(divided) == "divided(x: i64, y: i64) -> i64, i32"
    for x in ((7, 45), (45, 7)):
        out, rest = np.zeros(1, np.int64), np.zeros(1, np.int32)
        native(module, "both")(np.array(x), out, rest)
        machine = Machine(module)
        places = [machine.place(v) for v in (np.array(x), out, rest)]
        machine.run("both", *places)
        assert out[0] == machine.array(places[1], out.dtype)[0] == 6
        assert rest[0] == machine.array(places[2], rest.dtype)[0] == 3
        assert machine.ran >= {"both", "divided"}
        with pytest.raises(MemoryFault, match="no function stands at address"):
            machine.call(places[0], [])


def test_the_zeros_before_the_first_one_of_zero() -> None:
    def body(k: Kernel, x: Pointer, out: Pointer) -> None:
        for n, name in enumerate(("ctlz", "cttz")):
            out[n] = k.emit(name, x[0], of_zero=True)

    compiled, interpreted = both(
        signature("zeros", x=array(i32), out=array(i32)), body, [np.zeros(1, "i4")], np.zeros(2, "i4")
    )
    assert list(compiled) == list(interpreted) == [32, 32]


@pytest.mark.parametrize("by", ops.ATOMIC)
def test_atomic_steps(by: str) -> None:
    def body(k: Kernel, x: Pointer, out: Pointer) -> None:
        out[1] = k.atomic_update(by, out, x[0], "monotonic")
        out[2] = k.atomic_update(by, out, 5)

    for first in (-3, 12):
        s = signature("stepped", x=array(i64), out=array(i64))
        compiled, interpreted = both(s, body, [np.array([first])], np.array([7, 0, 0]))
        np.testing.assert_array_equal(compiled, interpreted)
        assert compiled[1] == 7


def test_sums_that_may_be_rounded_otherwise() -> None:
    """Products that may be added before they are rounded, and sums in any order."""

    def body(k: Kernel, x: Pointer, out: Pointer) -> None:
        product = k.emit("fmul", x[0], x[1], contract=True)
        out[0] = k.emit("fsub", x[2], product, contract=True)
        out[1] = k.emit("reduce", x[0:4], by="fadd")

    s = signature("sums", x=array(f64), out=array(f64))
    compiled, interpreted = both(s, body, [np.array([3.0, 5, 2, 1])], np.zeros(2))
    np.testing.assert_array_equal(compiled, interpreted)
    assert list(compiled) == [-13, 11]


def test_what_a_function_outside_writes() -> None:
    @kernel(signature("read", i64, x=array(f32)))
    def read(k: Kernel, x: Pointer) -> None:
        k.ret(x[1].to(i64))

    machine = Machine(Module([read]))
    x = machine.place(np.zeros(2, np.float32), is_written=False)
    with pytest.raises(MemoryFault, match="nobody wrote"):
        machine.run("read", x)
    machine.put(x + 4, np.array([-7.5], np.float32))
    assert machine.run("read", x) == -7


@pytest.mark.parametrize("live", range(5))
def test_lanes_of_a_mask_are_gathered(live: int) -> None:
    def body(k: Kernel, x: Pointer, out: Pointer) -> None:
        lanes = k.vector(range(4), i64)
        mask = lanes < live
        out.store(x.load(4, mask) + 1.0, mask)
        out[live : live + 4] = (x + (live - 1)).gather(lanes * -1, mask)

    s = signature("masked", x=array(f64), out=array(f64))
    compiled, interpreted = both(s, body, [np.arange(1.0, live + 1)], np.zeros(live + 4))
    np.testing.assert_array_equal(compiled, interpreted)
    forwards = np.arange(1.0, live + 1)
    np.testing.assert_array_equal(compiled, [*forwards + 1, *forwards[::-1], *[0] * (4 - live)])


def test_every_op_has_a_value() -> None:
    here = {
        "icmp",
        "fcmp",
        "select",
        "offset",
        *ops.CASTS,
        "bitcast",
        "splat",
        "extract",
        "insert",
        "shuffle",
        "reduce",
    }
    here |= {
        "compress",
        "permute",
        "load",
        "store",
        "masked_load",
        "masked_store",
        "gather",
        "atomic_store",
        "atomic_update",
    }
    here |= {"alloca", "prefetch", "call", "call_at", "for", "loop", "if", "switch", *ops.ENDS}
    assert set(ops.ROWS) == here | set(ARITHMETIC)


def test_float16_by_integers_and_by_instructions() -> None:
    """All bit patterns: widened, rounded, narrowed as NumPy does."""
    from tensordsl.codegen.kernel_ir.float16 import Float16

    bits = np.arange(1 << 16, dtype=np.uint16)
    for isa in ("", "half"):

        def body(k: Kernel, x: Pointer, wide: Pointer, narrow: Pointer, isa: str = isa) -> None:
            with k.range(1 << 16) as i:
                half = Float16(k, isa)
                value = half.widened(x[i])
                wide[i] = value
                narrow[i] = half.narrowed(half.rounded(value * 1.5))

        module = Module([kernel(signature("half", x=array(i16), wide=array(f32), narrow=array(i16)))(body)])
        wide, narrow = np.zeros(1 << 16, np.float32), np.zeros(1 << 16, np.uint16)
        native(module, "half")(bits, wide, narrow)
        with np.errstate(all="ignore"):
            given = bits.view(np.float16).astype(np.float32)
            wanted = (given * np.float32(1.5)).astype(np.float16)
        np.testing.assert_array_equal(wide, given)
        np.testing.assert_array_equal(narrow.view(np.float16), wanted)
    assert f16.bits == 16
