"""The plan runner and the emitted code mean the same; the plan runner finds what reads or writes where it must not."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import numpy as np
import pytest
from hand_programs import CASES, F, Writer, function, listed, native, native_kernels, numpy_kernels
from hypothesis import given, settings
from hypothesis import strategies as st

from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Program
from tensordsl.codegen.program_ir.printer import line
from tensordsl.codegen.program_ir.verify import verify
from tensordsl.codegen.tensor_ir.construct import interpret
from tensordsl.runtime.calls.state import Cell
from tensordsl.runtime.interpreter import runner

NAMES = sorted(CASES)
INTS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("name", NAMES)
def test_every_executor_gives_what_numpy_gives_over_several_calls(name: str) -> None:
    case = CASES[name]
    program, args, state = case.make(), case.arguments(), case.state()
    cells = [Cell(a) for a in case.state()]
    runs = [[runner.Storage(a) for a in case.state()] for _ in range(2)]
    runs.append([runner.CellStorage(Cell(a)) for a in case.state()])
    kernels = [numpy_kernels(name, program), native_kernels(name, program), native_kernels(name, program)]
    f = function(name, cells)
    for _ in range(4):
        want, state = case.expected(args, state)
        results = [listed(f(*args))]
        for storages, k in zip(runs, kernels, strict=True):
            results.append(listed(runner.run(program, args, storages, k, case.hosts, library=interpret)))
        for got in results:
            assert all(np.allclose(a, b) and a.shape == np.shape(b) for a, b in zip(got, want, strict=True))
        for got in results[2:]:
            assert all((a == b).all() for a, b in zip(got, results[0], strict=True)), "same kernels, other bits"
        for arrays in ([c.get() for c in cells], *[[s.array for s in storages] for storages in runs]):
            assert all(np.allclose(a, b) for a, b in zip(arrays, state, strict=True))


@pytest.mark.parametrize("name", ["in_place", "fresh", "loop"])
def test_arguments_of_any_stride_and_length(name: str) -> None:
    case = CASES[name]
    program, kernels = case.make(), native_kernels(name, case.make())
    for n, step in itertools.product((0, 1, 2, 7, 8, 9, 40), (1, 2, -1, 0)):
        x = np.lib.stride_tricks.as_strided(np.linspace(0, 1, 200)[100:], (n,), (8 * step,))
        state = [np.linspace(k + 1.0, 3.0, n) for k in range(case.shared)]
        cells = [Cell(np.array(a)) for a in state]
        storages = [runner.Storage(a) for a in state]
        want, after = case.expected([x], state)
        for got in (function(name, cells)(x), runner.run(program, [x], storages, kernels)):
            assert all(np.allclose(a, b) for a, b in zip(listed(got), want, strict=True)), (n, step)
        assert all(np.allclose(c.get(), b) for c, b in zip(cells, after, strict=True))


def test_an_unshared_array_is_updated_in_place_and_a_shared_one_is_replaced() -> None:
    case = CASES["in_place"]
    program, args = case.make(), case.arguments()
    kernels = numpy_kernels("in_place", program)
    for storages in ([runner.Storage(a) for a in case.state()], [runner.CellStorage(Cell(a)) for a in case.state()]):
        place = [s.array.ctypes.data for s in storages]
        runner.run(program, args, storages, kernels)
        assert [s.array.ctypes.data for s in storages] == place
        held = storages[0].array
        runner.run(program, args, storages, kernels)
        assert storages[0].array.ctypes.data != place[0] and storages[1].array.ctypes.data == place[1]
        assert np.allclose(held, case.expected(args, case.state())[1][0])
    cells = [Cell(a) for a in case.state()]
    f, place = function("in_place", cells), [c.get().ctypes.data for c in cells]
    f(*args)
    assert [c.get().ctypes.data for c in cells] == place
    held = cells[0].get()
    f(*args)
    assert cells[0].get().ctypes.data != place[0] and cells[1].get().ctypes.data == place[1]
    assert np.allclose(held, case.expected(args, case.state())[1][0])


def test_a_pinned_state_makes_a_run_wait() -> None:
    case = CASES["in_place"]
    program, args, storages = case.make(), case.arguments(), [runner.Storage(a) for a in case.state()]
    storages[0].lock = 1
    threading.Timer(0.05, lambda: setattr(storages[0], "lock", 0)).start()
    runner.run(program, args, storages, numpy_kernels("in_place", program))
    assert np.allclose(storages[0].array, case.expected(args, case.state())[1][0])


def test_the_log_has_every_instruction_executed() -> None:
    case = CASES["loop"]
    program, log = case.make(), []
    runner.run(
        program, case.arguments(), [runner.Storage(a) for a in case.state()], numpy_kernels("loop", program), log=log
    )
    names = [type(i).__name__ for i, _ in log]
    assert names.count("If") == 11 and names.count("Launch") == 12 and names[-1] == "Return"
    assert sum(1 for row in runner.show_log(log, line).splitlines() if "launch" in row) == 2


def turns() -> Program:
    """f([count, step]): a number made of the first row and the rows of each block, in order."""
    w = Writer("turns", ["int64"], 0, [("int64", 0)], 1)
    w.add(p.Data("x", ("arg", 0)), p.Const("eight", 8), p.Const("much", 1009), p.Const("some", 31), p.Const("one", 1))
    w.add(p.Offset("x1", "x", "eight"), p.LoadScalar("count", "x", "int64"), p.LoadScalar("step", "x1", "int64"))
    w.add(p.Slot("total"), p.StoreScalar("total", "one", "int64"))
    body: list[p.Instr] = [
        p.LoadScalar("old", "total", "int64"), p.Mul("a", "old", "much", w.site()), p.Mul("b", "first", "some", w.site()),
        p.Arith("c", "add", "a", "b"), p.Arith("d", "add", "c", "here"), p.Arith("e", "mod", "d", "prime"),
        p.StoreScalar("total", "e", "int64"),
    ]  # fmt: skip
    w.add(p.Const("prime", 1_000_000_007), p.Arith("many", "add", "count", "one"))
    w.add(p.Mul("whole", "many", "step", w.site()))  # one part: blocks follow each other
    w.add(p.Blocks("first", "here", "part", "start", "slot", "count", "step", "whole", tuple(body)))
    w.add(p.NewOut("y", 0, (), 0, w.site()), p.Copy("y", "total", "eight"), p.Return((0,), -1))
    return w.program


def test_blocks_of_every_number_of_rows() -> None:
    program = turns()
    f = native(program)
    for count, step in itertools.product(range(14), range(1, 16)):
        want = 1
        for first in range(0, max(count, 1), step):
            want = (want * 1009 + first * 31 + min(step, count - first)) % 1_000_000_007
        x = np.array([count, step])
        assert f(x) == runner.run(program, [x]) == want, (count, step)


def copying(extra: str) -> Program:
    """f(x): y = a copy of an arena's first bytes."""
    w = Writer("copying", [F], 0, [(F, 1)], 1)
    w.sizes()
    w.add(p.Arena((("a", "bytes"), ("b", "bytes")), w.site()), p.NewOut("y", 0, ("n",), 0, w.site()))
    w.add(p.Arith("more", "add", "bytes", extra), p.Fill("b", "more"), p.Copy("y", "a", "bytes"), p.Return((0,), -1))
    return w.program


def test_a_read_of_unwritten_storage_shows() -> None:
    program = copying("n")
    program.code.remove(p.Fill("b", "more"))
    verify(program)
    assert np.isnan(runner.run(program, [np.zeros(3)])).all()


def test_a_write_past_the_end_raises() -> None:
    with pytest.raises(AssertionError, match="something wrote outside of b"):
        runner.run(copying("one"), [np.zeros(3)])


# -- scalars of the program -----------------------------------------------------------------------------------------
def scalars() -> Program:
    """f(x, a, b): a vector of everything that can be computed of two int64."""
    w = Writer("scalars", ["int64"], 0, [("int64", 1)], 1)
    w.program.args += [("int64", ()), ("int64", ())]
    w.add(p.Data("pa", ("arg", 1)), p.LoadScalar("a", "pa", "int64"), p.Data("pb", ("arg", 2)))
    w.add(p.LoadScalar("b", "pb", "int64"), p.Slot("cell"), p.Const("zero", 0), p.Const("eight", 8))
    names = []
    for op in ("add", "sub", "floordiv", "mod", "min", "max"):
        w.add(p.Arith(f"v{len(names)}", op, "a", "b"))
        names.append(f"v{len(names)}")
    for op in ("eq", "ne", "lt", "le", "gt", "ge"):
        w.add(p.Compare(f"v{len(names)}", op, "a", "b"))
        names.append(f"v{len(names)}")
    for dtype in INTS:
        w.add(p.StoreScalar("cell", "a", dtype), p.LoadScalar(f"v{len(names)}", "cell", dtype))
        names.append(f"v{len(names)}")
    w.add(p.Bytes("k", np.arange(5).tobytes()), p.Bytes("k2", b""), p.Offset("k3", "k", "eight"))
    w.add(p.Select("from", "b", "k", "k3", "ptr"), p.LoadScalar(f"v{len(names)}", "from", "int64"))
    names.append(f"v{len(names)}")
    w.add(p.Select(f"v{len(names)}", "b", "a", "zero"))
    names.append(f"v{len(names)}")
    w.add(p.Const("size", len(names)), p.NewOut("y", 0, ("size",), 0, w.site()))
    for k, name in enumerate(names):
        w.add(p.Const(f"c{k}", 8 * k), p.Offset(f"y{k}", "y", f"c{k}"), p.StoreScalar(f"y{k}", name, "int64"))
    w.add(p.Return((0,), -1))
    return w.program


def test_scalar_instructions_are_total_and_agree() -> None:
    program, x = scalars(), np.zeros(1, "int64")
    f = native(program)
    low, high = -(2**63), 2**63 - 1
    values = (0, 1, -1, 2, -2, 7, -7, 127, 128, 300, 2**31, 2**32 + 5, low, low + 1, high)
    for a, b in itertools.product(values, values):
        args = [x, np.array(a), np.array(b)]
        got, want = f(*args), runner.run(program, args)
        assert (got == want).all(), (a, b, got, want)
        if b and (a, b) != (low, -1):
            assert (got[2], got[3]) == (a // b, a % b)
        assert b or (got[2], got[3]) == (0, 0)


def products() -> Program:
    w = Writer("products", ["int64"], 0, [("int64", 0)], 1)
    w.program.args += [("int64", ()), ("int64", ())]
    w.add(p.Data("pa", ("arg", 1)), p.LoadScalar("a", "pa", "int64"), p.Data("pb", ("arg", 2)))
    w.add(p.LoadScalar("b", "pb", "int64"), p.NewOut("y", 0, (), 0, w.site()), p.Mul("c", "a", "b", w.site()))
    w.add(p.StoreScalar("y", "c", "int64"), p.Return((0,), -1))
    return w.program


def test_products_are_checked() -> None:
    program, x = products(), np.zeros(1, "int64")
    f = native(program)
    for a, b in itertools.product((0, 1, -1, 3, 2**31, 2**32, -(2**63), 2**63 - 1), repeat=2):
        args = [x, np.array(a), np.array(b)]
        if -(2**63) <= a * b < 2**63:
            assert f(*args) == runner.run(program, args) == a * b
            continue
        for call in (f, lambda *args: runner.run(program, args)):
            with pytest.raises(OverflowError):
                call(*args)


def arena_of(sizes: list[int]) -> Program:
    w = Writer("arena", ["int64"], 0, [("int64", 0)], 1)
    w.add(*(p.Const(f"s{k}", n) for k, n in enumerate(sizes)), p.NewOut("y", 0, (), 0, w.site()))
    w.add(p.Arena(tuple((f"a{k}", f"s{k}") for k in range(len(sizes))), w.site()))
    w.add(p.Fill("a0", "s0"), p.Copy("y", "a0", "s0"), p.Return((0,), -1))
    return w.program


@pytest.mark.parametrize("sizes", [[-1], [8, -8], [8, 2**63 - 1], [8, *[2**62] * 4], [2**47]])
def test_impossible_arenas_are_out_of_memory(sizes: list[int]) -> None:
    program = arena_of(sizes)
    for call in (native(program), lambda x: runner.run(program, [x])):
        with pytest.raises(MemoryError):
            call(np.zeros(1, "int64"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposed", [False, True])
def test_matrix_products(dtype: str, transposed: bool) -> None:
    w = Writer("product", [], 0, [(dtype, 2)], 1)
    program = w.program
    program.args += [(dtype, (None, None)), (dtype, (None, None)), (dtype, (None, None))]
    size = np.dtype(dtype).itemsize
    w.add(p.Const("size", size))
    for k, name in enumerate("abc"):
        w.add(p.Data(name, ("arg", k)))
        for axis in (0, 1):
            w.add(p.Extent(f"{name}n{axis}", ("arg", k), axis), p.Stride(f"{name}b{axis}", ("arg", k), axis))
            w.add(p.Arith(f"{name}s{axis}", "floordiv", f"{name}b{axis}", "size"))
    w.add(
        p.Check("eq", "an1", "bn0", w.site()), p.Mul("mn", "an0", "bn1", w.site()), p.Mul("all", "mn", "size", w.site())
    )
    w.add(p.Mul("mk", "an0", "an1", w.site()), p.Mul("kn", "bn0", "bn1", w.site()), p.Arith("both", "add", "mk", "kn"))
    w.add(p.Mul("room", "both", "size", w.site()), p.Arena((("scratch", "room"),), w.site()))
    w.add(p.NewOut("y", 0, ("an0", "bn1"), 0, w.site()), p.Copy("y", "c", "all"))
    w.add(p.Gemm(dtype, "an0", "bn1", "an1", "a", ("as0", "as1"), "b", ("bs0", "bs1"), "y", "bn1", 0.5, 2.0, "scratch"))
    w.add(p.Return((0,), -1))
    f, rng = native(program), np.random.default_rng(0)
    for m, n, k in ((1, 1, 1), (3, 4, 5), (0, 3, 2), (3, 0, 2), (3, 4, 0), (20, 30, 40)):
        a, b = (
            rng.random((k, m)).astype(dtype).T if transposed else rng.random((m, k)).astype(dtype),
            rng.random((k, n)),
        )
        c = rng.random((m, n)).astype(dtype)
        b = b.astype(dtype)
        for got in (f(a, b, c), runner.run(program, [a, b, c])):
            assert np.allclose(got, 0.5 * (a @ b) + 2 * c, rtol=1e-5), (m, n, k)


# -- random programs of integers, with regions ----
VALUES = (0, 1, -1, 2, -3, 7, 64, 2**31, 2**62, -(2**63), 2**63 - 1)


def random_block(draw: Any, known: list[str], fresh: Any, depth: int) -> tuple[list[p.Instr], list[str]]:
    """Instructions over known names, and the names known behind them."""
    code: list[p.Instr] = []
    known = list(known)

    def pick() -> str:
        return draw(st.sampled_from(known))

    for _ in range(draw(st.integers(1, 6))):
        name = next(fresh)
        kind = draw(st.sampled_from(["const", "arith", "compare", "select", "slot", "if", "for"]))
        if kind == "const":
            code.append(p.Const(name, draw(st.sampled_from(VALUES))))
        elif kind == "arith":
            code.append(p.Arith(name, draw(st.sampled_from(sorted(runner.ARITH))), pick(), pick()))
        elif kind == "compare":
            code.append(p.Compare(name, draw(st.sampled_from(sorted(runner.COMPARE))), pick(), pick()))
        elif kind == "select":
            code.append(p.Select(name, pick(), pick(), pick()))
        elif kind == "slot" or depth == 2:
            dtype, slot = draw(st.sampled_from(INTS)), next(fresh)
            code += [p.Slot(slot), p.StoreScalar(slot, pick(), dtype), p.LoadScalar(name, slot, dtype)]
        elif kind == "if":
            then, a = random_block(draw, known, fresh, depth + 1)
            other, b = random_block(draw, known, fresh, depth + 1)
            ends = (name, draw(st.sampled_from(a)), draw(st.sampled_from(b)))
            code.append(p.If(pick(), tuple(then), tuple(other), (ends,), ("i64",)))
        else:
            index, count, second = next(fresh), next(fresh), next(fresh)
            body, inner = random_block(draw, [*known, index, name, second], fresh, depth + 1)
            carried = ((name, pick(), draw(st.sampled_from(inner))), (second, pick(), draw(st.sampled_from(inner))))
            ends = (draw(st.sampled_from(inner)), next(fresh)) if draw(st.booleans()) else (None, None)
            code += [
                p.Const(count, draw(st.integers(-1, 4))),
                p.For(index, count, carried, ("i64", "i64"), tuple(body), 1, *ends),
            ]
            known += [second] if ends[1] is None else [second, ends[1]]
        known.append(name)
    return code, known


@given(st.data())
@settings(max_examples=60)
def test_random_programs_agree(data: Any) -> None:
    w = Writer("random", ["int64"], 0, [("int64", 1)], 1)
    w.program.args += [("int64", ()), ("int64", ())]
    w.site()
    w.add(p.Data("pa", ("arg", 1)), p.LoadScalar("a", "pa", "int64"), p.Data("pb", ("arg", 2)))
    w.add(p.LoadScalar("b", "pb", "int64"))
    code, names = random_block(data.draw, ["a", "b"], (f"v{k}" for k in itertools.count()), 0)
    w.add(*code, p.Const("size", len(names)), p.NewOut("y", 0, ("size",), 0, w.site()))
    for k, name in enumerate(names):
        w.add(p.Const(f"c{k}", 8 * k), p.Offset(f"y{k}", "y", f"c{k}"), p.StoreScalar(f"y{k}", name, "int64"))
    w.add(p.Return((0,), -1))
    f = native(w.program)
    for a, b in ((0, 1), (-1, 2**62), (5, -3)):
        args = [np.zeros(1, "int64"), np.array(a), np.array(b)]
        assert (f(*args) == runner.run(w.program, args)).all()
