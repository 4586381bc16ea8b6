"""The cases of fusion groups through kernels and nest library, against NumPy: shapes, special values, strides."""

from __future__ import annotations

import itertools
import re
from functools import cache
from typing import Any

import cases
import numpy as np
import pytest
from native import Runner, framed
from tuned import WIDE, mode, of_width, tuned

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi import descriptor as nest_words
from tensordsl.codegen.compiler.modules import module_text
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.cpu.kernel_text import HALVES
from tensordsl.codegen.cpu.planner import plan
from tensordsl.codegen.cpu.schedule import schedule, without_short_rows
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.llvm import vector_builder
from tensordsl.codegen.scalar_ir.builder import COMPUTED, INTEGERS, Builder
from tensordsl.codegen.target.machine import native_width
from tensordsl.ops.array.reducers import MAX, SUM

Arrays = dict[str, np.ndarray]
SHAPES = [
    (0, 0),
    (0, 5),
    (5, 0),
    (1, 1),
    (3, 1),
    (1, 7),
    (5, 16),
    (4, 31),
    (7, 33),
    (2, 1000),
    (5, 1025),
    (37, 3),
    (1, 9001),
]
ASKED = re.compile(r"call void @llvm.prefetch.p0\(ptr (%a\.\d+)\.i\.o\d+, i32 ([01])")
KINDS = ("random", "nan", "ties", "-inf", "strided", "reversed", "transposed", "broadcast")


@cache
def runner(name: str, dtype: str) -> Runner:
    return Runner(getattr(cases, name)(dtype))


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def logsumexp(x: np.ndarray) -> np.ndarray:
    m = x.max(1, keepdims=True)
    return np.log(np.exp(x - m).sum(1)) + m[:, 0]


def layernorm(x: np.ndarray, g: np.ndarray, b: np.ndarray) -> np.ndarray:
    d = x - x.sum(1, keepdims=True) / x.dtype.type(x.shape[1])
    var = (d * d).sum(1, keepdims=True) / x.dtype.type(x.shape[1])
    return d * (1 / np.sqrt(var + x.dtype.type(1e-5))) * g + b


def meanvar(x: np.ndarray) -> Arrays:
    n = x.dtype.type(x.shape[1])
    mean = x.sum(1) / n
    return {"mean": mean, "var": ((x - mean[:, None]) ** 2).sum(1) / n}


def momentum(w: np.ndarray, m: np.ndarray, g: np.ndarray) -> Arrays:
    new = m * w.dtype.type(0.9) - g * w.dtype.type(0.01)
    return {"p": new, "q": w + new}


REFERENCE: dict[str, Any] = {
    "multiply_add": lambda x, y, z: {"o": x * y + z},
    "matrix_chain": lambda a, b, c, d: {"y": np.exp((a - b) ** 2 * a.dtype.type(-0.5)) * c[:, None] + d},
    "softmax": lambda x: {"y": softmax(x, 1)},
    "softmax0": lambda x: {"y": softmax(x, 0)},
    "argmax": lambda x: {"y": x.argmax(1)},
    "argmax0": lambda x: {"y": x.argmax(0)},
    "meanvar": meanvar,
    "gathersum": lambda w, idx: {"y": w[idx].sum(1)},
    "gathersum0": lambda w, idx: {"y": w[idx].sum(0)},
    "layernorm": lambda x, g, b: {"y": layernorm(x, g, b)},
    "fullsum": lambda a, b, c: {"y": np.asarray(np.exp(a * b + c).sum())},
    "total": lambda x: {"y": np.asarray(x.sum())},
    "colsum": lambda x: {"y": x.sum(0)},
    "crossentropy": lambda x, t: {"y": logsumexp(x) - x[np.arange(len(t)), t]},
    "broadcast3": lambda a, b: {"y": np.exp(a * a.dtype.type(0.5)) + b},
    "lookup": lambda x, t, w: {"y": (w[t] * x).sum(1)},
    "pick": lambda x, t: {"y": x[np.arange(len(t)), t]},
    "momentum": momentum,
}
NONEMPTY = {"softmax": (1,), "argmax": (1,), "crossentropy": (1,), "softmax0": (0,), "argmax0": (0,), "pick": (1,)}


def matrix(shape: tuple[int, int], dtype: str, kind: str, rng: np.random.Generator) -> np.ndarray:
    n, m = shape
    x = rng.standard_normal(shape).astype(dtype)
    if kind == "nan" and x.size:
        x.flat[rng.integers(x.size, size=max(1, x.size // 7))] = np.nan
        x.flat[rng.integers(x.size, size=2)] = np.inf
    if kind == "ties":
        x = np.round(x)
    if kind == "-inf":
        x[:] = -np.inf
    if kind == "strided":
        wide = np.zeros((2 * n, 3 * m + 1), dtype)
        wide[::2, 1::3][:, :m] = x
        x = wide[::2, 1::3][:, :m]
    if kind == "reversed":
        x = x[::-1, ::-1]
    if kind == "transposed":
        x = np.asfortranarray(x)
    if kind == "broadcast":
        x = np.broadcast_to(x[:, :1], shape)
    return x


def inputs(name: str, shape: tuple[int, int], dtype: str, kind: str, rng: np.random.Generator) -> Arrays:
    def make() -> np.ndarray:
        return matrix(shape, dtype, kind, rng)

    n, m = shape
    if name in ("multiply_add", "fullsum"):
        names = "xyz" if name == "multiply_add" else "abc"
        return {k: (make()[0] if n else np.zeros(0, dtype)) for k in names}
    if name == "matrix_chain":
        return {
            "a": make(),
            "b": make()[0] if n else np.zeros(m, dtype),
            "c": rng.standard_normal(n).astype(dtype),
            "d": make(),
        }
    if name.startswith("gathersum"):
        return {"w": make(), "idx": rng.integers(-n, n, size=n + 3) if n else np.zeros(0, np.int64)}
    if name == "layernorm":
        return {"x": make(), "g": rng.standard_normal(m).astype(dtype), "b": rng.standard_normal(m).astype(dtype)}
    if name in ("crossentropy", "pick"):
        return {"x": make(), "t": rng.integers(-m, m, size=n)}
    if name == "broadcast3":
        return {"a": make()[:, None, :], "b": rng.standard_normal((3, 1)).astype(dtype)}
    if name == "lookup":
        return {"x": make(), "t": rng.integers(-9, 9, size=shape), "w": rng.standard_normal(9).astype(dtype)}
    if name == "momentum":
        return {"w": make(), "m": make(), "g": make()}
    return {"x": make()}


def check(name: str, arrays: Arrays, kind: str, dtype: str) -> None:
    tolerance = 1e-11 if dtype == "float64" else 3e-5
    with np.errstate(all="ignore"):
        expected = REFERENCE[name](**arrays)
    got, checks = {}, []
    for k, v in expected.items():
        got[k], intact = framed(v.shape, str(v.dtype), 2 if kind == "strided" else 1)
        checks.append(intact)
    assert runner(name, dtype)(arrays | got) == 0
    for k, v in expected.items():
        if v.dtype == np.int64:
            np.testing.assert_array_equal(got[k], v, err_msg=k)
        else:
            np.testing.assert_allclose(got[k], v, rtol=tolerance, atol=tolerance * 10, err_msg=k)
    for intact in checks:
        intact()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", REFERENCE)
def test_case_agrees_with_numpy(name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        if any(shape[k] == 0 for k in NONEMPTY.get(name, ())):
            continue
        for kind in KINDS:
            if name == "layernorm" and kind == "broadcast":
                continue  # a constant row: the result is the rounding error of its mean
            arrays = inputs(name, shape, dtype, kind, rng)
            try:
                check(name, arrays, kind, dtype)
            except AssertionError as error:
                raise AssertionError(f"{name} {dtype} {shape} {kind}: {error}") from error


@pytest.mark.parametrize("name", ["gathersum", "gathersum0", "crossentropy", "lookup", "pick"])
def test_index_out_of_range_is_flagged_and_not_followed(name: str) -> None:
    rng = np.random.default_rng(0)
    for shape in ((4, 6), (3, 40), (70, 5)):
        for wrong in (10**12, -(10**12), 71, -72):
            arrays = inputs(name, shape, "float64", "random", rng)
            arrays["idx" if "idx" in arrays else "t"].flat[-1] = wrong
            size = {"gathersum": shape[0] + 3, "gathersum0": shape[1]}.get(name, shape[0])
            y, intact = framed((size,), "float64")
            assert runner(name, "float64")(arrays | {"y": y}) != 0
            intact()


def test_group_without_axes_is_one_kernel_over_pointers() -> None:
    b = Builder()
    table, k = Buffer("t", "float32", ("n",)), b.load(Buffer("k", "int64", ()))
    x, flag = b.load(Buffer("x", "float64", ())), b.load(Buffer("flag", "bool", ()))
    value = b.select(flag, b.call("exp", x), b.cast(b.extent("n"), "float64"))
    outs = (Out(Buffer("y", "float64", ()), (), value), Out(Buffer("z", "float32", ()), (), b.load(table, k)))
    run = Runner(Group("scalar", {}, (), outs))
    assert run.plan.kernels.descriptor == () and run.plan.may_fail and len(run.plan.kernels.symbols) == 1
    for flag_, k_ in ((True, -2), (False, 4)):
        arrays = {"t": np.arange(5, dtype="float32"), "k": np.array(k_), "x": np.array(0.5), "flag": np.array(flag_)}
        y, z = np.zeros(()), np.zeros((), "float32")
        assert run(arrays | {"y": y, "z": z}) == 0
        assert z == arrays["t"][k_]
        np.testing.assert_allclose(y, np.exp(0.5) if flag_ else 5.0, rtol=1e-15)
    assert run(arrays | {"k": np.array(5), "y": y, "z": z}) != 0


@pytest.mark.parametrize("dtype", ("bool", *INTEGERS, *COMPUTED))
def test_elementwise_kernels_of_every_dtype(dtype: str) -> None:
    """Lengths around the vectors, strides of all kinds, and an output that is an input."""
    b = Builder()
    x, y = (b.load(Buffer(k, dtype, ("n",)), "i") for k in "xy")
    value = b.xor(x, y) if dtype == "bool" else b.sub(b.add(x, y), b.mul(x, x))
    run = Runner(Group("pointwise", {"i": "n"}, ("i",), (Out(Buffer("o", dtype, ("n",)), ("i",), value),)))
    rng = np.random.default_rng(3)
    for n in (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 1000, 5000):
        for step in (1, 2, -1, -3):
            u, v = (rng.integers(0, 100, size=n * abs(step)).astype(dtype)[::step] for _ in range(2))
            expected = u ^ v if dtype == "bool" else u + v - u * u
            out, intact = framed((n,), dtype, abs(step))
            assert run({"x": u, "y": v, "o": out}) == 0
            intact()
            np.testing.assert_array_equal(out, expected)
            assert run({"x": u, "y": v, "o": v}) == 0
            np.testing.assert_array_equal(v, expected)


def test_an_early_store_does_not_change_what_later_passes_read() -> None:
    """y = x + 1 in x's own storage, next to sum(x - max(x)): the store must wait for the second pass."""
    b, X = Builder(), Buffer("x", "float64", ("n", "m"))
    x = b.load(X, "i", "j")
    (m,) = b.reduce(MAX, ("j",), x)
    (s,) = b.reduce(SUM, ("j",), b.sub(x, m))
    outs = (
        Out(Buffer("y", "float64", ("n", "m")), ("i", "j"), b.add(x, 1.0)),
        Out(Buffer("s", "float64", ("n",)), ("i",), s),
    )
    run = Runner(Group("early", {"i": "n", "j": "m"}, ("i",), outs))
    a, s_ = np.arange(300.0).reshape(3, 100), np.zeros(3)
    expected = (a - a.max(1, keepdims=True)).sum(1)
    plus = a + 1
    assert run({"x": a, "y": a, "s": s_}) == 0
    np.testing.assert_array_equal(a, plus)
    np.testing.assert_array_equal(s_, expected)


def test_long_chains_are_split_over_temporaries() -> None:
    b = Builder()
    x = v = b.load(Buffer("x", "float64", ("n",)), "i")
    for _ in range(100):
        v = b.call("tanh", b.add(b.mul(v, 1.5), x))
    group = Group("chain", {"i": "n"}, ("i",), (Out(Buffer("y", "float64", ("n",)), ("i",), v),))
    run = Runner(group)
    assert len(run.plan.kernels.symbols) == 5
    expected = a = np.linspace(-2, 2, 3000)
    for _ in range(100):
        expected = np.tanh(expected * 1.5 + a)
    check_chain(run, a, expected)


def check_chain(run: Runner, a: np.ndarray, expected: np.ndarray) -> None:
    y, intact = framed(a.shape, "float64")
    assert run({"x": a, "y": y}) == 0
    intact()
    np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-12)


def test_what_is_repeated_is_split_where_few_values_are_needed_and_compiled_once() -> None:
    """47 operations a turn, of which only the last leaves one value."""
    b = Builder()
    x = v = b.load(Buffer("x", "float64", ("n",)), "i")
    for _ in range(24):
        u = w = v
        for k in range(21):
            u, w = b.call("tanh", b.add(u, w)) if k % 7 == 0 else b.mul(u, x), b.sub(w, x)
        v = b.mul(u, b.add(w, 0.25))
    group = Group("turns", {"i": "n"}, ("i",), (Out(Buffer("y", "float64", ("n",)), ("i",), v),))
    run = Runner(group)
    text = module_text([run.plan.kernels])
    assert text.count("define ") < 6 < len(run.plan.kernels.symbols)
    expected = a = np.linspace(-2, 2, 3000)
    for _ in range(24):
        u = w = expected
        for k in range(21):
            u, w = np.tanh(u + w) if k % 7 == 0 else u * a, w - a
        expected = u * (w + 0.25)
    check_chain(run, a, expected)


def test_text_does_not_depend_on_the_process_and_is_shared_in_a_module() -> None:
    texts = {
        module_text([plan(g, schedule(g, WIDE), "k", WIDE).kernels])
        for g in (cases.softmax("float32") for _ in range(3))
    }
    assert len(texts) == 1
    groups = [cases.softmax("float64"), cases.crossentropy("float64")]
    text = module_text([plan(g, schedule(g, WIDE), f"k{n}", WIDE).kernels for n, g in enumerate(groups)])
    lines = [line for line in text.splitlines() if line.startswith("declare")]
    assert len(lines) == len(set(lines)) and text.count("define void @k0_0(") == 1


@pytest.mark.parametrize("isa", ["avx512", "avx512 halves"])
def test_loops_bound_by_memory_use_half_registers_where_the_machine_prefers_that(
    isa: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_builder, "host_isa", lambda: isa)
    group = cases.multiply_add("float32")
    text = "".join(plan(group, schedule(group, WIDE), "k", WIDE).kernels.texts)
    halves = HALVES in text
    assert halves == ("halves" in isa) == ("store <8 x float>" in text)
    dear = cases.matrix_chain("float64")
    whole = cases.multiply_add("int64")  # LLVM cannot part all that it makes of integers
    for other in (dear, whole):
        assert all(HALVES not in t for t in plan(other, schedule(other, WIDE), "k", WIDE).kernels.texts)
    if native_width() < 64:
        return
    run, rng = Runner(group), np.random.default_rng(3)
    for n in (0, 1, 7, 8, 15, 16, 17, 31, 33, 1000, 1001):
        x, y, z = (rng.random(n).astype(np.float32) for _ in range(3))
        o, intact = framed((n,), "float32")
        assert run({"x": x, "y": y, "z": z, "o": o}) == 0
        intact()
        np.testing.assert_array_equal(o, x * y + z)


@pytest.mark.parametrize("isa", ["avx512", "avx512 halves"])
def test_loops_ask_for_lines_of_results_and_those_of_dear_functions_for_operands(
    isa: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_builder, "host_isa", lambda: isa)
    x, y, m = T.dvector("x"), T.dvector("y"), T.dmatrix("m")
    dear = [(T.exp(x) * y + x * 2, (2, 1)), (T.exp(x).sum(), (1, 0))]
    for result, (reads, writes) in (*dear, (x * y, (0, 0)), ((x * y).sum(), (0, 0)), (m * y, (0, 1))):
        plans = make_program("f", [x, y, m], [], [result], [], False)[1].plans
        found = [(w, at) for t in plans[0].kernels.texts for at, w in ASKED.findall(t.partition("loop:")[2])]
        for counted, write in ((reads, "0"), (writes, "1")):
            places = {at for w, at in found if w == write}
            assert len(places) == counted * ("halves" in isa), (result, places)


@pytest.mark.parametrize("isa", ["avx512", "avx512 halves", "avx2"])
def test_the_address_of_what_is_added_up_alone_is_kept_in_a_register(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_builder, "host_isa", lambda: isa)
    x, y = T.dvector("x"), T.dvector("y")
    for result, count in ((x.max(), 1), ((x * x).sum(), 1), ((x * y).sum(), 0), (T.exp(x).sum(), 0), (x * y, 0)):
        plans = make_program("f", [x, y], [], [result], [], False)[1].plans
        body = plans[0].kernels.texts[0].partition("\nloop:")[2].partition("\nends:")[0]
        assert body.count(" = call ptr asm ") == count * ("halves" in isa), result


@pytest.mark.parametrize("isa, halves", [("avx512", True), ("avx512 halves", True), ("avx2", False)])
def test_short_rows_are_added_up_in_half_registers_where_whole_loops_are_not(
    isa: str, halves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_builder, "host_isa", lambda: isa)
    for dtype in ("float32", "float64"):
        for reducer, square in ((SUM, False), (MAX, False), (SUM, True)):
            b = Builder()
            x = b.load(Buffer("x", dtype, ("n", "m")), "i", "j")
            result = b.reduce(reducer, ("j",), b.mul(x, x) if square else x)[0]
            out = Out(Buffer("y", dtype, ("n",)), ("i",), result)
            group = Group("rows", {"i": "n", "j": "m"}, ("i",), (out,))
            texts = plan(group, schedule(group, WIDE), "k", WIDE).kernels.texts
            by_halves = halves and reducer is SUM and not square
            half = "<8 x float>" if dtype == "float32" else "<4 x double>"
            assert any(HALVES in t for t in texts) == by_halves
            assert not by_halves or any(f"load {half}" in t for t in texts)


@pytest.mark.parametrize("vector_bytes", [16, 32, 64])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_short_rows_with_other_registers_than_this_machine_has(dtype: str, vector_bytes: int) -> None:
    x = T.tensor(dtype=dtype, shape=(None, None))
    functions = [tensordsl.function([x], y.sum(axis=1), mode=mode(of_width(vector_bytes))) for y in (x, x * 2)]
    for shape in ((1000, 3), (37, 8), (300, 31), (5, 17), (1, 5), (2, 2)):
        data = np.random.RandomState(0).randint(-9, 9, shape).astype(dtype)
        for k, f in enumerate(functions, 1):
            np.testing.assert_array_equal(f(data), k * data.sum(axis=1))


@pytest.mark.parametrize("isa, registers", [("avx512", True), ("avx2", False), ("", False)])
def test_masks_of_all_rows_are_made_once_where_they_have_registers(
    isa: str, registers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_builder, "host_isa", lambda: isa)
    for dtype, place in (("float32", "i32"), ("float64", "i64")):
        group = cases.meanvar(dtype)
        first, second = plan(group, without_short_rows(schedule(group, WIDE)), "k", WIDE).kernels.texts
        for text in (first, second):
            head, tail = text[: text.index("\nrow:")], text[text.index("\ntail:") : text.index("\nends:")]
            assert ("%mask.k =" in head) == registers == ("%mask.k" in tail)
            assert (f"x {place}> <{place} 0, {place} 1" in tail) != registers
        assert re.search(
            r"fsub <.*> %o2, %v1\n", second
        )  # x - mean the other way around: one instruction with its load


def test_vectors_of_several_registers_are_stored_in_order() -> None:
    body = vector_builder.Code(isa="avx512")
    vector_builder.store(body, "%x", "%p", "float64", 16)
    assert [line.split(",")[0].split("<")[1] for line in body.lines if "store" in line] == [
        "8 x double> %v1",
        "8 x double> %v2",
    ]
    assert "i32 0, i32 1" in body.lines[0] and "i64 64" in body.lines[3]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_along_rows_read_long_blocks_in_the_order_of_memory(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their states, in scratch, are longer than a register; loads of that length change the order of all others."""
    monkeypatch.setattr(vector_builder, "host_isa", lambda: "avx512")
    group = cases.colsum(dtype)
    kernels = plan(group, schedule(group, WIDE), "k", WIDE).kernels
    loads = re.findall(r" = load <(\d+) x (float|double)>", "".join(kernels.texts))
    assert loads and {int(n) * {"float": 4, "double": 8}[kind] for n, kind in loads} == {64}
    operation, _, _, block, *_ = kernels.descriptor[kernels.descriptor[nest_words.Header.CODE] :]
    assert (operation, block) == (nest_words.Opcode.BLOCKS, WIDE.schedule.sum_block_elements)


def test_columns_behind_the_last_whole_vector_are_done_as_a_block_again() -> None:
    """Of softmax the second kernel overwrites what it reads, which the first one writes again before."""
    flags = []
    for name in ("softmax0", "colsum"):
        group = getattr(cases, name)("float64")
        kernels = plan(group, schedule(group, WIDE), "k", WIDE).kernels
        operation, *words = kernels.descriptor[kernels.descriptor[nest_words.Header.CODE] :]
        assert operation == nest_words.Opcode.BLOCKS
        flags.append([words[3] & flag for flag in (nest_words.RECOMPUTES_AS_BLOCK, nest_words.RECOMPUTES_IN_KERNEL)])
    assert flags == [
        [nest_words.RECOMPUTES_AS_BLOCK, 0],
        [nest_words.RECOMPUTES_AS_BLOCK, nest_words.RECOMPUTES_IN_KERNEL],
    ]


@pytest.mark.parametrize("name", ["colsum", "argmax0", "softmax0"])
def test_reductions_along_rows_can_ask_for_the_rows_that_follow(name: str) -> None:
    """Those of several vectors at once, and those of one, which have many operations."""
    group = getattr(cases, name)("float64")
    texts = [t for t in plan(group, schedule(group, WIDE), "k", WIDE).kernels.texts if "%folds" in t]
    assert texts and all("call void @llvm.prefetch" in t for t in texts)


def test_softmax_computes_each_exponential_once() -> None:
    for name in ("softmax", "softmax0"):
        group = getattr(cases, name)("float64")
        assert [v.op for v in schedule(group, WIDE).keep] == ["exp"]
    assert schedule(cases.crossentropy("float64"), WIDE).keep == ()


def test_schedules_follow_the_axis_of_stride_one() -> None:
    names = ("softmax", "softmax0", "colsum", "broadcast3")
    lanes = {name: schedule(getattr(cases, name)("float64"), WIDE).lane for name in names}
    assert lanes == {"softmax": "j", "softmax0": "j", "colsum": "j", "broadcast3": "m"}
    assert schedule(cases.multiply_add("float32"), WIDE).width == (16,)
    assert schedule(cases.multiply_add("float32"), of_width(32)).width == (8,)
    assert schedule(cases.total("float64"), WIDE).width[0] == 32


def test_truths_of_reductions_fill_one_register_where_they_have_none_of_their_own() -> None:
    """LLVM parts longer vectors of them, which go round a loop, in single ones without AVX-512."""
    for dtype, widths in (("uint8", (128, 32)), ("int16", (128, 32)), ("int32", (64, 32)), ("float64", (32, 16))):
        b = Builder()
        (y,) = b.reduce(MAX, ("j",), b.gt(b.load(Buffer("x", dtype, ("n", "m")), "i", "j"), 1))
        group = Group("any", {"i": "n", "j": "m"}, ("i",), (Out(Buffer("y", "bool", ("n",)), ("i",), y),))
        assert tuple(schedule(group, of_width(n)).width[0] for n in (64, 32)) == widths, dtype


def test_a_kernel_that_asks_for_positions_may_go_past_the_ends_of_rows() -> None:
    b = Builder()
    x, y = (Buffer(k, "float64", ("n", "m")) for k in "xy")
    inside = b.select(b.le(b.index("j"), b.index("i")), b.load(x, "i", "j"), 0.0)
    group = Group("tril", {"i": "n", "j": "m"}, ("i", "j"), (Out(y, ("i", "j"), inside),))
    words = plan(group, schedule(group, WIDE), "k", WIDE).kernels.descriptor
    assert words[nest_words.Header.POSITION_CALL] and not words[nest_words.Header.DIRECT_CALL]


def test_many_functions_have_more_lanes() -> None:
    def chain(length: int) -> Group:
        b = Builder()
        x = b.load(Buffer("x", "float64", ("n",)), "i")
        for _ in range(length):
            x = b.call("tanh", x)
        return Group("chain", {"i": "n"}, ("i",), (Out(Buffer("y", "float64", ("n",)), ("i",), x),))

    assert [schedule(chain(k), WIDE).width for k in (1, 4, 5, 30)] == [(16,), (16,), (32,), (32,)]
    run, rng = Runner(chain(5)), np.random.default_rng(0)
    for n in (0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000):
        x = rng.normal(size=n)
        y, intact = framed((n,), "float64")
        assert run({"x": x, "y": y}) == 0
        intact()
        for _ in range(5):
            x = np.tanh(x)
        np.testing.assert_allclose(y, x, rtol=1e-14)


def test_lanes_do_not_run_along_a_short_axis_beside_a_long_one() -> None:
    def reduction(n: object, m: object, axis: str) -> Group:
        b, kept = Builder(), "j" if axis == "i" else "i"
        x = b.load(Buffer("x", "float64", (n, m)), "i", "j")
        (s,) = b.reduce(SUM, (axis,), x)
        out = Out(Buffer("y", "float64", (m if axis == "i" else n,)), (kept,), s)
        return Group("short", {kept: m if axis == "i" else n, axis: n if axis == "i" else m}, (kept,), (out,))

    a = np.random.default_rng(4).random((1000, 10))
    for axis in "ij":
        group = reduction("n", 10, axis)
        assert schedule(group, WIDE).lane == "i"
        y, intact = framed((10 if axis == "i" else 1000,), "float64")
        assert Runner(group)({"x": a, "y": y}) == 0
        intact()
        np.testing.assert_allclose(y, a.sum("ij".index(axis)), rtol=1e-12)
    assert schedule(reduction(3, 10, "j"), WIDE).lane == "j"
    assert schedule(cases.multiply_add("float64"), WIDE).lane == "i"


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
def test_nothing_is_written_where_an_axis_is_empty(dtype: str) -> None:
    """x over the last two axes, y over the first and the last."""
    b, lengths = Builder(), (0, 1, 5, 17, 70)
    value = b.add(b.load(Buffer("x", dtype, ("m", "k")), "j", "l"), b.load(Buffer("y", dtype, ("n", "k")), "i", "l"))
    out = Out(Buffer("o", dtype, ("n", "m", "k")), ("i", "j", "l"), value)
    run = Runner(Group("empty", {"i": "n", "j": "m", "l": "k"}, ("i", "j", "l"), (out,)))
    for n, m, k in itertools.product(lengths, repeat=3):
        x, y = np.ones((m, k), dtype), np.ones((n, k), dtype)
        room = np.full(n * m * k + 256, 7, dtype)
        size = x.itemsize
        out = np.ndarray((n, m, k), dtype, room, strides=(m * k * size, k * size, size))  # NumPy's own has others
        assert run({"x": x, "y": y, "o": out}) == 0
        assert (room[: n * m * k] == 2).all() and (room[n * m * k :] == 7).all()


@pytest.mark.skipif(native_width() < 64, reason="totals have other plans with registers as long as cache lines")
@pytest.mark.parametrize("far", [False, True])
def test_sums_that_wait_for_memory_ask_for_what_comes_on_machines_that_do_not_foresee_it(
    far: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = T.dvector("x"), T.dvector("y")
    tensordsl.function([x], x * 2)  # the library is made before, for this machine
    monkeypatch.setattr(vector_builder, "host_isa", lambda: "avx512" + " halves" * far)
    tuning = tuned(machine={"vector_bytes": 64, "prefers_halves": far})
    for result, operands in ((x.sum(), 1), ((x * y).sum(), 2)):
        plans = make_program("f", [x, y], [], [result], [], False, tuning=tuning)[1].plans
        asked = [(q, {at for t in q.kernels.texts for at, _ in ASKED.findall(t)}) for q in plans]
        assert [len(found) for q, found in asked if q.schedule.prefetch] == [operands] * far
        assert not any(found for q, found in asked if not q.schedule.prefetch)
    total = tensordsl.function([x, y], [x.sum(), T.dot(x, y)], mode=mode(tuning))
    rng = np.random.default_rng(6)
    for n in (1 << 20, (1 << 20) + 3, 3 << 20):
        a, b = rng.normal(size=n), rng.normal(size=n)
        np.testing.assert_allclose(total(a, b), [a.sum(), a @ b], rtol=1e-10)
