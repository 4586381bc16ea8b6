"""Elementwise kernels on the simulator: wide accesses, single ones, and both in one row, against NumPy."""

from __future__ import annotations

import cases
import numpy as np
import pytest
from simulated import SimulatedGroup
from test_gpu_kernels import JUDGED

from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.gpu.elementwise import chunks, tail_threads
from tensordsl.codegen.gpu.launch import Operand, extents, launches
from tensordsl.codegen.gpu.schedule import plan
from tensordsl.codegen.scalar_ir.builder import Builder
from tensordsl.runtime.driver.simulator import SimulationError

LENGTHS = (1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 33, 64, 100, 255, 257, 1000, 1001)


def test_rows_are_accessed_128_bits_wide_where_they_can_be() -> None:
    """Contiguous operands count as one row; odd rows or addresses go by single elements."""
    p = plan(cases.momentum("float32"))

    def vectors(shape: tuple[int, int], strides: tuple[int, int], address: int = 4096) -> int:
        operands = {b: Operand(address, shape, strides) for b in p.buffers}
        (launch,) = launches(p, operands, extents(p, operands), 0)
        return launch.arguments[launch.kernel.params.index(("vectors",))]

    assert vectors((6, 8), (8, 1)) == 12 and vectors((3, 3), (3, 1)) == 2
    assert vectors((6, 8), (12, 1)) == 2 and vectors((6, 9), (12, 1)) == 2
    assert vectors((6, 8), (9, 1)) == 0 and vectors((6, 8), (16, 2)) == 0
    assert vectors((6, 8), (8, 1), address=4100) == 0


def test_threads_side_by_side_leave_few_without_points() -> None:
    def chosen(rest: int, vector: int = 4) -> tuple[int, int]:
        n = tail_threads(vector, rest, 256)
        return n, chunks(vector, rest, n)

    assert [chosen(n) for n in (0, 1, 3, 4, 10, 100)] == [(256, 0), (1, 1), (1, 1), (1, 1), (4, 4), (32, 32)]
    assert chosen(1001) == (256, 256) and chosen(300) == (32, 96) and chosen(1 << 30) == (256, 1 << 28)
    for vector in (2, 4, 8, 16):
        for rest in range(1, 2000):
            n, count = chosen(rest, vector)
            assert count % n == 0 and rest <= count * vector < 2 * rest + 2 * vector


def shifted(a: np.ndarray) -> np.ndarray:
    """Its rows one element further, with an element between them: not aligned."""
    wide = np.zeros((*a.shape[:-1], a.shape[-1] + 2), a.dtype)[..., 1:-1]
    wide[...] = a
    return wide


KINDS = {
    "contiguous": lambda a: a,
    "shifted": shifted,
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed": lambda a: a[..., ::-1].copy()[..., ::-1],
    "repeated": lambda a: np.broadcast_to(a[:1], a.shape),
}


def mixed(dtype: str) -> Group:
    """x[i, j] + r[j] - c[i] + w[k[i, j]] + j (no j for complex numbers), and x itself, transposed."""
    b, rows = Builder(), ("n", "m")
    x, r = b.load(Buffer("x", dtype, rows), "i", "j"), b.load(Buffer("r", dtype, ("m",)), "j")
    c, w = Buffer("c", dtype, ("n",)), Buffer("w", dtype, ("l",))
    found = b.load(w, b.load(Buffer("k", "int64", rows), "i", "j"))
    value = b.add(b.sub(b.add(x, r), b.load(c, "i")), found)
    if dtype != "complex64":
        value = b.add(value, b.cast(b.index("j"), dtype))
    outs = (Out(Buffer("o", dtype, rows), ("i", "j"), value), Out(Buffer("q", dtype, ("m", "n")), ("j", "i"), x))
    return Group("mixed", {"i": "n", "j": "m"}, ("i", "j"), outs)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "float16", "complex64"])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_every_length_and_kind(kind: str, dtype: str) -> None:
    run, rng = SimulatedGroup(mixed(dtype)), np.random.default_rng(0)
    for number, m in enumerate(LENGTHS):
        n = (3, 1, 40)[number % 3]
        x, r, c = (rng.integers(-9, 9, size).astype(dtype) for size in ((n, m), m, n))
        k, w = rng.integers(-7, 7, (n, m)), rng.integers(-9, 9, 7).astype(dtype)
        given = {"x": KINDS[kind](x), "r": shifted(r) if number % 2 else r, "c": c, "k": k, "w": w}
        want = given["x"] + r - c[:, None] + w[k] + (np.arange(m) * (dtype != "complex64")).astype(dtype)
        for order in JUDGED:
            got = {"o": np.zeros((n, m), dtype), "q": np.zeros((m, n), dtype)}
            got["o"] = KINDS[kind](got["o"]) if kind in ("shifted", "strided", "reversed") else got["o"]
            assert run(given | got, order, multiprocessors=1 + number % 2) == 0
            np.testing.assert_array_equal(got["o"], want, err_msg=f"{n} {m} {order}")
            np.testing.assert_array_equal(got["q"], given["x"].T, err_msg=f"{n} {m} {order}")


def test_points_that_a_thread_lacks_read_at_no_index() -> None:
    """They repeat the thread's first one: no flag is set, nothing is written."""
    run = SimulatedGroup(mixed("float32"))
    k = np.full((2, 5), 6)
    arrays = {"x": np.ones((2, 5)), "r": np.ones(5), "c": np.ones(2), "w": np.arange(7.0), "o": np.zeros((2, 5))}
    arrays = {name: a.astype("float32") for name, a in arrays.items()} | {"k": k, "q": np.zeros((5, 2), "float32")}
    assert run(arrays) == 0 and arrays["o"].tolist() == [[7.0, 8.0, 9.0, 10.0, 11.0]] * 2
    k[1, 4] = 7
    assert run(arrays) == 1


@pytest.mark.parametrize("kind", ["contiguous", "shifted"])
def test_updates_in_place(kind: str) -> None:
    b = Builder()
    old, new = (Buffer("x", "float32", ("n", "m")) for _ in range(2))
    value = b.mul(b.load(old, "i", "j"), b.load(Buffer("r", "float32", ("m",)), "j"))
    run = SimulatedGroup(Group("scaled", {"i": "n", "j": "m"}, ("i", "j"), (Out(new, ("i", "j"), value),)))
    for m in LENGTHS:
        x, r = (np.random.default_rng(m).standard_normal(size).astype("float32") for size in ((3, m), m))
        for order in JUDGED:
            arrays = {"x": KINDS[kind](x.copy()), "r": r}
            assert run(arrays, order) == 0
            np.testing.assert_array_equal(arrays["x"], x * r)


def test_a_point_too_many_is_caught() -> None:
    group, rng = cases.momentum("float32"), np.random.default_rng(2)
    text = plan(group).text
    given = {k: shifted(rng.standard_normal((2, 3077)).astype("float32")) for k in "wmg"}

    def run(text: str) -> None:
        SimulatedGroup(group, text)(given | {k: np.zeros((2, 3077), "float32") for k in "pq"})

    run(text)
    assert text.count("icmp sgt") == 1
    with pytest.raises(SimulationError, match="wrote outside"):
        run(text.replace("icmp sgt", "icmp sge"))
