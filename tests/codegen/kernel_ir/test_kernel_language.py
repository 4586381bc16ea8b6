"""The language of kernels: what it refuses when a kernel is written, and variables through all kinds of blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from native_kernels import native

from tensordsl.codegen.kernel_ir.interpret import Machine
from tensordsl.codegen.kernel_ir.ir import Constant, Function, Module, Op, walk
from tensordsl.codegen.kernel_ir.language import Kernel, kernel
from tensordsl.codegen.kernel_ir.printer import text
from tensordsl.codegen.kernel_ir.types import array, f32, f64, i1, i8, i32, i64, signature
from tensordsl.codegen.kernel_ir.verify import KernelError, verify

TOTAL = signature("total", f64, x=array(f64), count=i64)


@kernel(signature("classes", i64, x=array(i64), count=i64, limit=i64, out=array(i64)))
def classes(k: Kernel, x: Any, count: Any, limit: Any, out: Any) -> None:
    """Counts in nested blocks, ends of loops from within conditions, an early return."""
    low, high, rounds = k.variable(0, i64), k.variable(0, i64), k.variable(0, i64)
    with k.when(count < 0):
        k.ret(-1)
    with k.range(count) as i:
        value = x[i]
        rounds += 1
        with k.when(value < 0):
            with k.when(value < -limit):
                k.leave()
            low += 1
        with k.otherwise():
            with k.when(value == 0):
                high.set(high * 2)
            with k.otherwise():
                inner = k.variable(0, i64)
                with k.forever():
                    with k.when(inner >= value):
                        k.leave()
                    inner += 2
                high += inner
        with k.when(rounds >= limit):
            k.ret(rounds)
    out[0] = low
    out[1] = high
    k.ret(low + high)


def reference(x: list[int], limit: int) -> tuple[int, list[int]]:
    low = high = rounds = 0
    for value in x:
        rounds += 1
        if value < 0:
            if value < -limit:
                break
            low += 1
        elif value == 0:
            high *= 2
        else:
            high += value + value % 2
        if rounds >= limit:
            return rounds, [7, 7]
    return low + high, [low, high]


@pytest.mark.parametrize(
    "x, limit",
    [([], 5), ([1, 2, 3], 9), ([-1, 4, 0, -2, 0, 5], 99), ([5, -50, 3], 10), ([1] * 8, 4), ([0], 1), ([-9], 2)],
)
def test_variables_through_blocks(x: list[int], limit: int) -> None:
    wanted, out = reference(x, limit)
    machine = Machine(Module([classes]))
    places = [machine.place(np.array(values, np.int64)) for values in (x or [0], [7, 7])]
    assert machine.run("classes", places[0], len(x), limit, places[1]) == wanted
    assert list(machine.array(places[1], np.int64)) == out
    given, got = np.array(x or [0], np.int64), np.array([7, 7], np.int64)
    assert native(Module([classes]), "classes")(given, len(x), limit, got) == wanted
    assert list(got) == out


def test_a_negative_count_returns_at_once() -> None:
    assert Machine(Module([classes])).run("classes", 0, -1, 0, 0) == -1


def test_what_nobody_uses_is_left_out() -> None:
    @kernel(TOTAL)
    def total(k: Kernel, x: Any, count: Any) -> None:
        unused = count * 2 + 1
        _ = unused - count
        k.ret(x[0])

    assert [op.name for op in walk(total.body)] == ["load", "return"]


def test_a_loop_carries_only_what_it_changes() -> None:
    @kernel(TOTAL)
    def total(k: Kernel, x: Any, count: Any) -> None:
        sum, factor = k.variable(0.0, f64), k.variable(2.0, f64)
        with k.range(count) as i:
            sum += x[i] * factor
        k.ret(sum)

    (loop,) = (op for op in walk(total.body) if op.name == "for")
    assert len(loop.results) == 1
    assert "with v1 = 0.0" in text(total)


def refused(body: Any, s: Any = TOTAL) -> str:
    with pytest.raises((TypeError, SyntaxError, NameError, IndexError)) as error:
        kernel(s)(body)
    return str(error.value)


def test_what_the_language_refuses() -> None:
    def truth(k: Kernel, x: Any, count: Any) -> None:
        if count > 0:
            k.ret(x[0])

    def mixed(k: Kernel, x: Any, count: Any) -> None:
        k.ret(x[0] + count)

    def stored(k: Kernel, x: Any, count: Any) -> None:
        x[0] = count

    def wrong_result(k: Kernel, x: Any, count: Any) -> None:
        k.ret(count)

    def behind_the_end(k: Kernel, x: Any, count: Any) -> None:
        k.ret(x[0])
        x[0] = 1.0

    def unknown_lanes(k: Kernel, x: Any, count: Any) -> None:
        k.ret(x[0:count][0])

    def out_of_scope(k: Kernel, x: Any, count: Any) -> None:
        with k.range(count):
            inner = k.variable(0, i64)
        x[inner] = 1.0

    def alone(k: Kernel, x: Any, count: Any) -> None:
        with k.otherwise():
            k.ret(x[0])

    def called(k: Kernel, x: Any, count: Any) -> None:
        k.ret(k.call(TOTAL, count, x))

    def changed_type(k: Kernel, x: Any, count: Any) -> None:
        v = k.variable(0.0, f64)
        v.set(count)

    assert "k.when" in refused(truth)
    message = refused(mixed)
    assert "fadd wants operands of one type, got f64, i64" in message and "test_kernel_language.py" in message
    assert "i64 can't be stored where f64 stands" in refused(stored)
    assert "does not return i64" in refused(wrong_result)
    assert "nothing runs after return" in refused(behind_the_end)
    assert "known when the kernel is written" in refused(unknown_lanes)
    assert "outside of the block that made it" in refused(out_of_scope)
    assert "right behind" in refused(alone)
    assert "total wants ptr for x, got i64" in refused(called)
    assert "a variable of f64 can't hold i64" in refused(changed_type)


def planted(change: Any) -> str:
    """What the verifier says of `classes`, changed."""
    k = Kernel(TOTAL)
    x, count = k.parameters
    sum = k.variable(0.0, f64)
    with k.range(count) as i:
        sum += x[i]
    k.ret(sum)
    function = k.finish()
    change(function)
    with pytest.raises(KernelError) as error:
        verify(function)
    return str(error.value)


def test_what_the_verifier_refuses() -> None:
    def loop_of(f: Function) -> Op:
        return next(op for op in f.body.ops if op.name == "for")

    def inner_value(f: Function) -> None:
        f.body.ops[-1].operands = [next(op for op in loop_of(f).regions[0].ops if op.name == "load").result]

    def no_end(f: Function) -> None:
        loop_of(f).regions[0].ops.pop()

    def other_type(f: Function) -> None:
        loop_of(f).regions[0].ops[-1].operands = [Constant(f32, 1.0)]

    def bad_align(f: Function) -> None:
        next(op for op in walk(f.body) if op.name == "load").attributes["align"] = 3

    def unknown(f: Function) -> None:
        next(op for op in walk(f.body) if op.name == "fadd").name = "fplus"

    def result_type(f: Function) -> None:
        next(op for op in walk(f.body) if op.name == "load").attributes["type"] = i8

    def early_end(f: Function) -> None:
        f.body.ops.insert(0, Op("return", [Constant(f64, 0.0)]))

    def no_loop(f: Function) -> None:
        f.body.ops[-1] = Op("break", [])

    assert "is of no region around it" in planted(inner_value)
    assert "ends no region" in planted(no_end)
    assert "carries other types" in planted(other_type)
    assert "a power of two, not 3" in planted(bad_align)
    assert "there is no such op" in planted(unknown)
    assert "gives" in planted(result_type)
    assert "stands before the end of its region" in planted(early_end)
    assert "stands in no loop" in planted(no_loop)


def test_masks_and_selects_of_vectors() -> None:
    @kernel(signature("clipped", x=array(i32), y=array(i32)))
    def clipped(k: Kernel, x: Any, y: Any) -> None:
        v = x[0:4]
        y[0:4] = k.select((v > 0) & (v < k.splat(x[4], 4)), v, -1)
        y[4] = k.emit("reduce", v, by="smax")
        y[5] = (v > 0).bits(i1.of(4)).bits(i1.of(4)).to(i32).type.lanes

    given = np.array([5, -3, 9, 0, 7], np.int32)
    got = np.zeros(6, np.int32)
    native(Module([clipped]), "clipped")(given, got)
    machine = Machine(Module([clipped]))
    x, y = machine.place(given), machine.place(got * 0)
    machine.run("clipped", x, y)
    assert list(got) == list(machine.array(y, np.int32)) == [5, -1, -1, -1, 9, 4]


@kernel(signature("walked", i64, x=array(i64), count=i64, step=i64))
def walked(k: Kernel, x: Any, count: Any, step: Any) -> None:
    """Steps that are known when it runs, cases, and a block that is left early."""
    total, large = k.variable(0, i64), k.variable(0, i64)
    with k.range(count, step=step) as i:
        with k.switch(x[i]) as cases:
            with cases.case(1, 2):
                total += 10
            with cases.case(3):
                with k.when(total > 30):
                    k.ret(-1)
                total.set(total * 2)
            with cases.default():
                large += 1
        with k.once():
            with k.when(x[i] < 5):
                k.leave()
            large += 100
    k.ret(total + large * 1000)


def test_switches_steps_and_blocks_that_are_left() -> None:
    def wanted(x: list[int], step: int) -> int:
        total = large = 0
        for value in x[::step]:
            if value in (1, 2):
                total += 10
            elif value == 3:
                if total > 30:
                    return -1
                total *= 2
            else:
                large += 1
            large += 100 * (value >= 5)
        return total + large * 1000

    module = Module([walked])
    for x in ([1, 3, 2, 9, 0, 3, 5], [1, 2, 1, 2, 3], []):
        given = np.array(x, np.int64)
        for step in (1, 2, 3):
            machine = Machine(module)
            assert machine.run("walked", machine.place(given), len(x), step) == wanted(x, step)
            assert native(module, "walked")(given, len(x), step) == wanted(x, step)
    assert "case 1, 2:" in text(walked) and "step step" in text(walked)
    with pytest.raises(TypeError, match=r"from one number to two regions: \[1, 1\]"):
        kernel(signature("twice", x=i64))(_twice)


def _twice(k: Kernel, x: Any) -> None:
    with k.switch(x) as cases:
        for _ in range(2):
            with cases.case(1):
                k.ret()


def test_what_a_call_passes_on() -> None:
    @kernel(signature("outer", i64, x=i64, y=i64))
    def outer(k: Kernel, x: Any, y: Any) -> None:
        k.ret(k.forward(signature("inner", i64, y=i64, z=i64), z=x + 1))

    assert Machine(Module([outer]), {"inner": lambda y, z: 10 * y + z}).run("outer", 1, 2) == 22
    for name, message in (("w", "has no w"), ("y", "gets no z")):
        with pytest.raises(TypeError, match=message):
            k = Kernel(signature("outer", i64, x=i64, y=i64))
            k.forward(signature("inner", i64, y=i64, z=i64), **{name: 1})
