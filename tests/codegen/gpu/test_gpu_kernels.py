"""GPU kernels of groups on the simulator, against NumPy, bitwise equal in several thread orders and grids."""

from __future__ import annotations

from functools import cache
from typing import Any

import cases
import numpy as np
import pytest
from simulated import Arrays, SimulatedGroup
from test_kernels import NONEMPTY, REFERENCE, inputs

from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.gpu.launch import Operand, extents, launches
from tensordsl.codegen.gpu.schedule import plan
from tensordsl.codegen.scalar_ir.builder import COMPUTED, INTEGERS, Builder
from tensordsl.ops.array import reducers
from tensordsl.runtime.driver.simulator import ORDERS, SimulationError

SHAPES = [(0, 0), (0, 5), (5, 0), (1, 1), (3, 1), (5, 31), (7, 33), (2, 1100), (37, 3), (1, 9001)]
KINDS = ("random", "nan", "ties", "-inf", "strided", "reversed", "transposed", "broadcast")
JUDGED = ORDERS[:3]  # one of them greedy


@cache
def runner(name: str, dtype: str) -> SimulatedGroup:
    """One stage, and rows that are walked along: those in registers are `test_gpu_row_in_registers`'s."""
    group = getattr(cases, name)(dtype)
    return SimulatedGroup(group, two_stages=None if not group.parallel else False, held=False)


def outputs(name: str, arrays: Arrays) -> Arrays:
    with np.errstate(all="ignore"):
        return REFERENCE[name](**arrays)


def agree(got: Arrays, expected: Arrays, dtype: str, message: str) -> None:
    tolerance = 1e-11 if dtype == "float64" else 3e-5
    for k, v in expected.items():
        if v.dtype == np.int64:
            np.testing.assert_array_equal(got[k], v, err_msg=message)
        else:
            np.testing.assert_allclose(got[k], v, rtol=tolerance, atol=tolerance * 10, err_msg=message)


def agree_in_every_order(run: SimulatedGroup, arrays: Arrays, expected: Arrays, dtype: str, message: str) -> None:
    bits = set()
    for number, order in enumerate(JUDGED):
        got = {k: np.zeros_like(v) for k, v in expected.items()}
        assert run(arrays | got, order, multiprocessors=1 + 2 * number) == 0
        agree(got, expected, dtype, f"{message} {order}")
        bits.add(tuple(v.tobytes() for v in got.values()))
    assert len(bits) == 1, (message, "the result depends on the order of threads or on the grid")


@pytest.mark.parametrize("dtype", COMPUTED)
@pytest.mark.parametrize("name", REFERENCE)
def test_case_agrees_with_numpy_in_every_thread_order(name: str, dtype: str) -> None:
    rng, run = np.random.default_rng(0), runner(name, dtype)
    for n, shape in enumerate(SHAPES):
        if any(shape[k] == 0 for k in NONEMPTY.get(name, ())):
            continue
        kinds = [KINDS[n % len(KINDS)], KINDS[(n + 3) % len(KINDS)]]
        for kind in kinds:
            if name == "layernorm" and kind == "broadcast":
                continue  # a constant row: the result is the rounding error of its mean
            arrays = inputs(name, shape, dtype, kind, rng)
            agree_in_every_order(run, arrays, outputs(name, arrays), dtype, f"{shape} {kind}")


@pytest.mark.parametrize("name", ["gathersum", "gathersum0", "crossentropy", "lookup", "pick"])
def test_index_out_of_range_is_flagged_and_not_followed(name: str) -> None:
    rng = np.random.default_rng(0)
    for shape in ((4, 6), (3, 40)):
        for wrong in (10**12, -(10**12), 41, -42):
            arrays = inputs(name, shape, "float64", "random", rng)
            arrays["idx" if "idx" in arrays else "t"].flat[-1] = wrong
            size = {"gathersum": shape[0] + 3, "gathersum0": shape[1]}.get(name, shape[0])
            assert runner(name, "float64")(arrays | {"y": np.zeros(size)}) == 1
    arrays = {"x": np.zeros((3, 0)), "t": np.zeros(3, np.int64), "y": np.zeros(3)}
    assert runner("pick", "float64")(arrays) == 1


@pytest.mark.parametrize("dtype", ("bool", *INTEGERS, *COMPUTED))
def test_elementwise_kernels_of_every_dtype(dtype: str) -> None:
    """Lengths around the wide accesses; operands that are aligned, and that are not."""
    b = Builder()
    x, y = (b.load(Buffer(k, dtype, ("n", "m")), "i", "j") for k in "xy")
    value = b.xor(x, y) if dtype == "bool" else b.sub(b.add(x, y), b.mul(x, x))
    out = Out(Buffer("o", dtype, ("n", "m")), ("i", "j"), value)
    run = SimulatedGroup(Group("pointwise", {"i": "n", "j": "m"}, ("i", "j"), (out,)))
    rng = np.random.default_rng(3)
    for shape in ((1, 1), (1, 3), (1, 16), (3, 33), (5, 64), (2, 700)):
        for step in (1, 2):
            u, v = (rng.integers(0, 100, size=shape).astype(dtype) for _ in range(2))
            wide = np.zeros((shape[0], 2 * shape[1]), dtype)[:, ::step][:, : shape[1]]
            wide[...] = u
            got = np.zeros(shape, dtype)
            assert run({"x": wide, "y": v, "o": got}) == 0
            np.testing.assert_array_equal(got, u ^ v if dtype == "bool" else u + v - u * u)


def test_short_rows_stand_side_by_side_in_a_warp() -> None:
    p = plan(cases.softmax("float32"), held=False)

    def shared(n: int, m: int) -> tuple[int, ...]:
        """Threads of a row, rows of a warp, and blocks."""
        operands = {b: Operand(4096, (n, m), (m, 1)) for b in p.buffers}
        (launch,) = launches(p, operands, extents(p, operands), 0)
        row_threads, side = (launch.arguments[launch.kernel.params.index((name,))] for name in ("team", "side"))
        return row_threads, side, launch.grid

    assert shared(512, 1) == shared(512, 2) == (1, 32, 4) and shared(512, 3) == (2, 16, 8)
    assert shared(512, 10) == (8, 4, 32) and shared(512, 32) == (16, 2, 64)
    assert shared(512, 33) == shared(512, 1024) == (32, 1, 128) and shared(512, 1025) == (256, 1, 512)


@pytest.mark.parametrize("name", ["softmax", "argmax", "layernorm"])
def test_short_rows_that_fill_no_warp(name: str) -> None:
    run = runner(name, "float32")
    for m in (1, 2, 3, 5, 9, 16, 17, 32, 33):
        for n in (1, 33):
            arrays = inputs(name, (n, m), "float32", "random", np.random.default_rng(m))
            expected = outputs(name, arrays)
            for order in JUDGED:
                got = arrays | {k: np.zeros_like(v) for k, v in expected.items()}
                assert run(got, order, multiprocessors=1) == 0
                agree(got, expected, "float32", f"{n} {m} {order}")


def test_long_full_reductions_have_two_stages_of_fixed_tiles() -> None:
    p = plan(cases.fullsum("float32"))
    assert [k.name for k in p.kernels] == ["fullsum_1", "fullsum_2"]
    for n, tiles in ((0, 1), (1, 1), (4096, 1), (4097, 2), (1 << 22, 1024), (1 << 26, 1024)):
        operands = {b: Operand(0, (n,) * len(b.shape), (1,) * len(b.shape)) for b in p.buffers}
        assert extents(p, operands)["tiles"] == tiles
    x = np.random.default_rng(1).standard_normal(30001).astype("float32")
    sums = set()
    for processors in (1, 4):
        for order in JUDGED:
            y = np.zeros((), "float32")
            assert runner("total", "float32")({"x": x[:, None], "y": y}, order, multiprocessors=processors) == 0
            sums.add(float(y))
    assert len(sums) == 1
    np.testing.assert_allclose(sums.pop(), x.astype("float64").sum(), rtol=1e-5)


def test_a_full_reduction_may_store_elements_on_its_way() -> None:
    """y = exp(x) and sum(y) in one sweep, with a 0-d operand; several tiles."""
    b, X, Y, S = Builder(), Buffer("x", "float64", ("n",)), Buffer("y", "float64", ("n",)), Buffer("s", "float64", ())
    y = b.call("exp", b.mul(b.load(X, "i"), b.load(Buffer("k", "float64", ()))))
    (s,) = b.reduce(reducers.SUM, ("i",), y)
    run = SimulatedGroup(Group("both", {"i": "n"}, (), (Out(Y, ("i",), y), Out(S, (), b.mul(s, 0.5)))))
    assert len(run.plan.kernels) == 2 and len(run.plan.temporaries) == 1
    x = np.random.default_rng(7).standard_normal(9001)
    for order in JUDGED:
        arrays = {"x": x, "k": np.array(0.5), "y": np.zeros(9001), "s": np.zeros(())}
        assert run(arrays, order, multiprocessors=3) == 0
        np.testing.assert_allclose(arrays["y"], np.exp(x * 0.5), rtol=1e-14)
        np.testing.assert_allclose(arrays["s"], np.exp(x * 0.5).sum() * 0.5, rtol=1e-13)


def pooled(dtype: str) -> Group:
    """Of x[n, c, h, w]: sums of x y over n, h and w for each c, where y has no n."""
    b, shape = Builder(), ("N", "C", "H", "W")
    x = b.load(Buffer("x", dtype, shape), *"nchw")
    y = b.load(Buffer("y", dtype, shape[1:]), *"chw")
    (total,) = b.reduce(reducers.SUM, ("n", "h", "w"), b.mul(x, y))
    return Group(
        "pooled", dict(zip("cnhw", "CNHW", strict=True)), ("c",), (Out(Buffer("s", dtype, ("C",)), ("c",), total),)
    )


def test_axes_that_lie_as_one_are_walked_as_one() -> None:
    p = plan(cases.total("float32"), two_stages=False)
    (kernel,) = p.kernels
    assert kernel.merges == ((0, 0),) and plan(pooled("float32")).kernels[0].merges == ((0, 2), (1, 1))

    def merged(shape: tuple[int, int], strides: tuple[int, int]) -> int:
        operands = {b: Operand(0, shape[: len(b.shape)], strides[: len(b.shape)]) for b in p.buffers}
        (launch,) = launches(p, operands, extents(p, operands), 0)
        return launch.arguments[kernel.params.index(("merged",))]

    assert merged((5, 8), (8, 1)) == merged((5, 8), (16, 2)) == merged((5, 8), (-8, -1)) == merged((1, 8), (9, 1)) == 1
    assert merged((5, 8), (9, 1)) == merged((5, 8), (1, 5)) == merged((5, 8), (0, 1)) == 0


@pytest.mark.parametrize("two_stages", [False, True])
@pytest.mark.parametrize("name", ["total", "pooled"])
def test_sums_are_the_same_bits_however_axes_lie(name: str, two_stages: bool) -> None:
    run = SimulatedGroup((cases.total if name == "total" else pooled)("float32"), two_stages=two_stages)
    shape = (61, 83) if name == "total" else (3, 5, 17, 31)
    rng = np.random.default_rng(5)
    x, y = (rng.standard_normal(shape[k:]).astype("float32") for k in (0, 1))
    wide = np.zeros((*shape[:-1], 2 * shape[-1]), "float32")[..., ::2]
    wide[...] = x
    expected = x.sum(dtype="float64") if name == "total" else (x * y.astype("float64")).sum((0, 2, 3))
    bits = set()
    for given in (x, wide, np.asfortranarray(x)):
        for order in JUDGED:
            got = np.zeros(expected.shape, "float32")
            assert run({"x": given, "y": got} if name == "total" else {"x": given, "y": y, "s": got}, order) == 0
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
            bits.add(got.tobytes())
    assert len(bits) == 1


def test_the_lengths_decide_between_one_and_two_stages() -> None:
    def tiles(name: str, n: int, m: int) -> int:
        p = plan(getattr(cases, name)("float32"))
        assert p.has_choice and [k.name for k in p.kernels] == [name, name + "_1", name + "_2"]
        lengths = {"n": n, "m": m}
        operands = {b: Operand(0, tuple(lengths[e] for e in b.shape), (1,) * len(b.shape)) for b in p.buffers}
        known = extents(p, operands)
        operands |= {t: Operand(0, tuple(known[e] for e in t.shape), (1,) * len(t.shape)) for t in p.temporaries}
        started = [i.kernel.name for i in launches(p, operands, known, 0)]
        assert started == ([name + "_1", name + "_2"] if known["tiles"] else [name])
        return known["tiles"]

    assert tiles("argmax", 4, 1000) == 0 and tiles("argmax", 4, 1 << 20) == 256 and tiles("argmax", 400, 1 << 20) == 0
    assert tiles("colsum", 512, 500) == 0 and tiles("colsum", 60000, 10) == 235 and tiles("colsum", 1000, 1 << 14) == 0
    run, rng, bits = SimulatedGroup(cases.colsum("float32")), np.random.default_rng(12), set()
    x = rng.standard_normal((1300, 40)).astype("float32")
    for order in JUDGED:
        y = np.zeros(40, "float32")
        assert run({"x": x, "y": y}, order) == 0
        np.testing.assert_allclose(y, x.sum(0, dtype="float64"), rtol=1e-4, atol=1e-5)
        bits.add(y.tobytes())
    assert len(bits) == 1


@pytest.mark.parametrize("name", ["colsum", "gathersum", "argmax", "argmax0", "lookup"])
def test_few_long_rows_and_columns_may_have_two_stages(name: str) -> None:
    rng, run = np.random.default_rng(8), SimulatedGroup(getattr(cases, name)("float64"), two_stages=True)
    assert len(run.plan.kernels) == 2
    for shape in ((3, 9001), (9001 if name in ("colsum", "argmax0") else 301, 3), (4, 5)):
        arrays = inputs(name, shape, "float64", "ties", rng)
        if name == "gathersum":
            arrays["idx"] = arrays["idx"][:50]
        expected, bits = outputs(name, arrays), set()
        for order in ("shuffled", "greedy"):
            got = {k: np.zeros_like(v) for k, v in expected.items()}
            assert run(arrays | got, order) == 0
            agree(got, expected, "float64", f"{shape} {order}")
            bits.add(tuple(v.tobytes() for v in got.values()))
        assert len(bits) == 1


def crossed(dtype: str, name: str = "crossed") -> Group:
    """o[k, i, j] = x[k, j, i] * z[j, i] + y[k, i, j] + v[j]"""
    b, lengths = Builder(), {"k": "p", "i": "n", "j": "m"}
    x, y = (
        b.load(Buffer("x", dtype, ("p", "m", "n")), "k", "j", "i"),
        b.load(Buffer("y", dtype, ("p", "n", "m")), *lengths),
    )
    z, v = b.load(Buffer("z", dtype, ("m", "n")), "j", "i"), b.load(Buffer("v", dtype, ("m",)), "j")
    out = Out(Buffer("o", dtype, ("p", "n", "m")), ("k", "i", "j"), b.add(b.add(b.mul(x, z), y), v))
    return Group(name, lengths, tuple(lengths), (out,))


@pytest.mark.parametrize("dtype", ("bool", *INTEGERS, *COMPUTED))
def test_operands_that_run_along_another_axis_go_through_shared_memory(dtype: str) -> None:
    run, rng = SimulatedGroup(crossed(dtype)), np.random.default_rng(9)
    (kernel,) = run.plan.kernels
    assert kernel.pattern == "crossed" and kernel.schedule.lane == "j" and kernel.schedule.shared_memory_axis == "i"
    for p, n, m in ((1, 1, 1), (2, 32, 32), (3, 33, 31), (1, 5, 200), (2, 70, 1), (0, 4, 4), (2, 0, 9)):
        shapes = {"x": (p, m, n), "y": (p, n, m), "z": (m, n), "v": (m,)}
        arrays = {k: rng.integers(0, 3, size=s).astype(dtype) for k, s in shapes.items()}
        x, y, z, v = arrays.values()
        with np.errstate(over="ignore"):
            expected = (x * z).transpose(0, 2, 1) + y + v
        for k, order in enumerate(JUDGED):
            got = np.zeros((p, n, m), dtype)
            assert run(arrays | {"o": got}, order, multiprocessors=1 + k) == 0
            np.testing.assert_array_equal(got, expected)


def test_transposed_copies_are_chosen_by_the_axes_that_lie_last() -> None:
    def pattern(x: tuple[str, ...], o: tuple[str, ...], sizes: dict[str, Any]) -> str:
        b = Builder()
        value = b.load(Buffer("x", "float32", tuple(sizes[a] for a in x)), *x)
        out = Out(Buffer("o", "float32", tuple(sizes[a] for a in o)), o, value)
        (k,) = plan(Group("copy", sizes, tuple(sizes), (out,))).kernels
        return k.pattern

    unknown = {"i": "n", "j": "m", "k": "p"}
    assert pattern(("j", "i"), ("i", "j"), {"i": "n", "j": "m"}) == "crossed"
    assert pattern(("k", "j", "i"), ("i", "j", "k"), unknown) == "crossed"
    assert pattern(("j", "i", "k"), ("i", "j", "k"), unknown) == "flat"  # the last axis stays
    assert pattern(("j", "i"), ("i", "j"), {"i": "n", "j": 3}) == "flat"  # too short for a tile
    assert pattern(("i",), ("j", "i"), {"j": "m", "i": "n"}) == "flat"


def test_the_barriers_of_tiles_are_needed() -> None:
    call = "  call void @llvm.nvvm.barrier0()\n"
    rng = np.random.default_rng(10)
    shapes = {"x": (2, 70, 90), "y": (2, 90, 70), "z": (70, 90), "v": (70,)}
    arrays = {k: rng.standard_normal(s) for k, s in shapes.items()}
    expected = (arrays["x"] * arrays["z"]).transpose(0, 2, 1) + arrays["y"] + arrays["v"]
    pieces = plan(crossed("float64")).text.split(call)
    assert len(pieces) == 3
    for k in (1, 2):
        run = SimulatedGroup(crossed("float64"), call.join(pieces[:k]) + call.join(pieces[k:]))
        wrong = False
        for order in ORDERS:
            got = np.zeros((2, 90, 70))
            run(arrays | {"o": got}, order)
            wrong |= not np.array_equal(got, expected)
        assert wrong


# -- updates in place


def update(dtype: str, kind: str) -> Group:
    """x = f(x) in x's own storage: over elements, with softmax along rows, and of rows next to a sum."""
    b, lengths = Builder(), {"i": "n", "j": "m"}
    old, new = (Buffer("x", dtype, ("n", "m") if kind != "rows" else ("n",)) for _ in range(2))
    if kind == "rows":
        total = b.reduce(reducers.SUM, ("j",), b.load(Buffer("z", dtype, ("n", "m")), "i", "j"))[0]
        return Group(kind, lengths, ("i",), (Out(new, ("i",), b.add(total, b.load(old, "i"))),))
    x = b.load(old, "i", "j")
    if kind == "flat":
        value = b.add(b.mul(x, 0.5), b.load(Buffer("z", dtype, ("m", "n")), "j", "i"))
        return Group(kind, lengths, ("i", "j"), (Out(new, ("i", "j"), value),))
    e = b.call("exp", b.sub(x, b.reduce(reducers.MAX, ("j",), x)[0]))
    return Group(kind, lengths, ("i",), (Out(new, ("i", "j"), b.div(e, b.reduce(reducers.SUM, ("j",), e)[0])),))


@pytest.mark.parametrize("dtype", COMPUTED)
@pytest.mark.parametrize("kind", ["flat", "softmax", "rows"])
def test_outputs_in_the_storage_of_inputs(kind: str, dtype: str) -> None:
    run, rng = SimulatedGroup(update(dtype, kind)), np.random.default_rng(11)
    assert "noalias readonly %p0" not in run.plan.text or kind == "rows"
    for n, m in ((5, 7), (40, 64), (3, 1500)):
        x = rng.standard_normal(n if kind == "rows" else (n, m)).astype(dtype)
        z = rng.standard_normal((n, m) if kind == "rows" else (m, n)).astype(dtype)
        if kind == "softmax":
            e = np.exp(x - x.max(1, keepdims=True))
            expected = e / e.sum(1, keepdims=True)
        else:
            expected = x + z.sum(1) if kind == "rows" else x * 0.5 + z.T
        bits = set()
        for order in JUDGED:
            arrays = {"x": x.copy(), "z": z}
            assert run(arrays, order, multiprocessors=2) == 0
            agree(arrays, {"x": expected}, dtype, f"{n} {m} {order}")
            bits.add(arrays["x"].tobytes())
        assert len(bits) == 1


def test_updates_that_read_other_points_are_refused() -> None:
    b = Builder()
    old, new, lengths = Buffer("x", "float64", ("n", "n")), Buffer("x", "float64", ("n", "n")), {"i": "n", "j": "n"}
    turned = Out(new, ("i", "j"), b.load(old, "j", "i"))
    total = b.sub(b.load(old, "i", "j"), b.reduce(reducers.SUM, ("j",), b.load(old, "i", "j"))[0])
    old_row, new_row = (Buffer("r", "float64", ("n",)) for _ in range(2))
    scaled = b.reduce(reducers.SUM, ("j",), b.mul(b.load(old, "i", "j"), b.load(old_row, "i")))[0]
    with pytest.raises(ValueError, match="x is read where another thread may have written"):
        plan(Group("turned", lengths, ("i", "j"), (turned,)))
    with pytest.raises(ValueError, match="r is read where"):
        plan(Group("scaled", lengths, ("i",), (Out(new_row, ("i",), scaled),)))
    assert plan(Group("fine", lengths, ("i",), (Out(new, ("i", "j"), total),))).kernels


# -- mutations: what the simulator must catch


def is_caught(name: str, text: str, shape: tuple[int, int], dtype: str = "float64") -> bool:
    """Does the mutated text fail, give a wrong result or depend on the order of threads?"""
    run = SimulatedGroup(getattr(cases, name)(dtype), text, held=False)
    arrays = inputs(name, shape, dtype, "random", np.random.default_rng(2))
    expected = outputs(name, arrays)
    for order in ORDERS:
        got = {k: np.zeros_like(v) for k, v in expected.items()}
        try:
            run(arrays | got, order)
            agree(got, expected, dtype, order)
        except (SimulationError, AssertionError):
            return True
    return False


MUTATED = {"softmax": (20, 1100), "colsum": (40, 400), "softmax0": (50, 400), "argmax": (20, 1100), "total": (20, 1100)}


@pytest.mark.parametrize("name", MUTATED)
def test_every_barrier_is_needed(name: str) -> None:
    text = runner(name, "float64").plan.text
    call = "  call void @llvm.nvvm.barrier0()\n"
    assert not is_caught(name, text, MUTATED[name])
    pieces = text.split(call)
    assert len(pieces) > 2
    for k in range(1, len(pieces)):
        mutated = call.join(pieces[:k]) + call.join(pieces[k:])
        last_of_one_row = name == "total" and k in (2, 4)  # a block of it has one row: nothing is written again
        assert is_caught(name, mutated, MUTATED[name]) or last_of_one_row, k


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("softmax", "i32 16, i32 31", "i32 0, i32 31"),  # a shuffle that does not
        ("softmax", ", 5\n", ", 6\n"),  # warps that share a cell
        ("argmax", "[ 0xFFF0000000000000,", "[ 0x7FF0000000000000,"),  # an identity that is not neutral
        ("colsum", "icmp slt", "icmp sle"),  # columns beyond the last
    ],
)
def test_mutations_are_caught(name: str, before: str, after: str) -> None:
    text = runner(name, "float64").plan.text
    assert before in text
    assert is_caught(name, text.replace(before, after), (20, 1100))
