"""Sorting, running sums and positions on devices: NumPy's results in three orders of threads, and their PTX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_gpu_compile import ASSEMBLED, assemble, needs_ptxas

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.gpu import compile as ptx
from tensordsl.codegen.gpu import scan as gpu_scan
from tensordsl.codegen.gpu import sort as gpu_sort
from tensordsl.codegen.gpu.kernels import module_text
from tensordsl.codegen.gpu.launch import Launch, Operand
from tensordsl.codegen.tensor_ir.construct import CONSTRUCTS, absent
from tensordsl.functions import devices
from tensordsl.functions.devices import get_device
from tensordsl.graph.casting import real_of
from tensordsl.runtime.driver.simulator import ORDERS, Simulator

pytestmark = [pytest.mark.usefixtures("on_sim"), pytest.mark.filterwarnings("error:device .* has no kernel")]
SHAPES = [(0, 3), (3, 0), (1, 1), (5, 7), (2, 1500), (40, 2), (1, 5000)]
BARRIER = "  call void @llvm.nvvm.barrier0()\n"


@pytest.fixture(params=ORDERS[:3])
def order(request: pytest.FixtureRequest) -> Iterator[None]:
    driver = get_device("sim").driver
    driver.order = request.param
    yield
    driver.order = ORDERS[0]
    driver.check()


def numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    a = (np.random.default_rng(1).standard_normal(shape) * 5).astype(dtype)
    if dtype.startswith("complex"):
        a = np.round(a) + 1j * np.round(np.random.default_rng(2).standard_normal(shape)).astype(dtype)
        if a.size > 3:
            a.real.flat[::7], a.imag.flat[::11], a.imag.flat[2::5] = np.nan, np.nan, -0.0
    if dtype.startswith("float") and a.size > 3:
        a.ravel()[::7], a.ravel()[3::5], a.ravel()[4::5] = np.nan, -0.0, 0.0
    return a


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "int8", "uint64", "bool", "complex64", "complex128"]
)
def test_sorting_is_stable_and_numpys(dtype: str, order: None) -> None:
    x = T.matrix("x", dtype=dtype)
    f = tensordsl.function([x], [T.sort(x), T.sort(x, axis=0), T.argsort(x), T.argsort(x[::-1, ::-1], axis=0)])
    for shape in SHAPES:
        a = numbers(shape, dtype)
        want = np.sort(a, 1), np.sort(a, 0), np.argsort(a, 1, kind="stable")
        want += (np.argsort(a[::-1, ::-1], 0, kind="stable"),)
        for got, wanted in zip(f(a), want, strict=True):
            np.testing.assert_array_equal(got, wanted, err_msg=f"{dtype} {shape}")


def test_zeros_keep_their_order_and_signs(order: None) -> None:
    x = T.dvector("x")
    a = np.array([0.0, -0.0, np.nan, 0.0, -0.0, -1.0] * 400)
    assert tensordsl.function([x], T.sort(x))(a).tobytes() == np.sort(a, kind="stable").tobytes()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "uint64", "bool"])
def test_running_sums_and_products(dtype: str, order: None) -> None:
    x = T.matrix("x", dtype=dtype)
    f = tensordsl.function(
        [x], [T.cumsum(x, axis=0), T.cumsum(x, axis=1), T.cumprod(x, axis=1), T.cumsum(x[::-1, ::2])]
    )
    tolerance = {"float32": 1e-4, "float64": 1e-11}.get(dtype, 0.0)
    for shape in SHAPES:
        a = (
            np.random.default_rng(2).integers(-1, 3, shape).astype(dtype)
            if dtype != "float32"
            else numbers(shape, dtype)
        )
        a = np.nan_to_num(a)
        wide = a.astype("float32") if dtype == "float16" else a  # each float16 is rounded once
        with np.errstate(all="ignore"):
            want = np.cumsum(wide, 0), np.cumsum(wide, 1), np.cumprod(wide, 1), np.cumsum(wide[::-1, ::2])
            want = tuple(w.astype(dtype) if dtype == "float16" else w for w in want)
        for k, (got, wanted) in enumerate(zip(f(a), want, strict=True)):
            bound = tolerance * (1.0 + float(np.abs(wanted).max(initial=0))) if k != 2 else 0.0
            np.testing.assert_allclose(
                got, wanted, rtol=tolerance * (k == 2), atol=bound, err_msg=f"{dtype} {shape} {k}"
            )


def test_products_do_not_overflow_in_parts(order: None) -> None:
    x = T.dvector("x")
    f = tensordsl.function([x], T.cumprod(x))
    steps = np.random.default_rng(5).permutation(np.repeat([1e-6, 1e6], 4500))  # a part alone can be 1e-2000
    walk = np.cumsum(np.log10(steps))
    assert np.abs(walk).max() > 308
    steps[np.abs(walk) > 290] = 1.0
    for a in (np.concatenate([np.full(300, 1e-3), np.full(300, 1e3), [0.0], np.full(400, 1e5)]), steps):
        with np.errstate(all="ignore"):
            want = np.cumprod(a)
        np.testing.assert_allclose(f(a), want, rtol=1e-12, atol=0)


OUTSIDE = {"float16": (1e-3, 1e3), "float32": (1e-5, 1e5), "float64": (1e-30, 1e30)}


@pytest.mark.parametrize("dtype", OUTSIDE)
@pytest.mark.parametrize("n", [700, 9001])
def test_products_stay_outside_of_the_numbers(dtype: str, n: int, order: None) -> None:
    """An infinity or a 0 on the way stays one, whatever follows, in later parts too; signs go on."""
    x = T.matrix("x", dtype=dtype)
    f = tensordsl.function([x], [T.cumprod(x, axis=1), T.cumsum(x, axis=1)])
    small, large = OUTSIDE[dtype]
    a = np.where(np.random.default_rng(6).random((6, n)) < 0.5, -1.0, 1.0)
    a[0, 100:140], a[0, 150:230] = large, small  # overflows, would come back
    a[1, 100:140], a[1, 150:230] = small, large
    a[2, 50], a[2, 600] = 0.0, np.inf
    a[3, 50], a[3, 600] = -np.inf, 0.0
    a[4, 3], a[4, 300] = np.inf, -np.inf
    a[5, -1] = np.nan
    a = a.astype(dtype)
    wide = a.astype("float32") if dtype == "float16" else a
    with np.errstate(all="ignore"):
        product, total = np.cumprod(a, axis=1), np.cumsum(wide, axis=1).astype(dtype)
    got = f(a)
    np.testing.assert_allclose(got[0], product, rtol=5e-3 if dtype == "float16" else 1e-5, atol=1e-38)
    np.testing.assert_array_equal(np.signbit(got[0][:5, :300]), np.signbit(product[:5, :300]))
    np.testing.assert_allclose(got[1], total, rtol=1e-3, atol=n if dtype != "float16" else 1)


def test_sums_of_float16_are_rounded_once_but_end_at_an_infinity(order: None) -> None:
    x = T.matrix("x", dtype="float16")
    f = tensordsl.function([x], T.cumsum(x, axis=1))
    a = np.ones((2, 9001), "float16")
    a[1, 100:110], a[1, 120:150] = 3e4, -3e4
    got = f(a)
    np.testing.assert_array_equal(got[0], np.arange(1.0, 9002.0).astype("float16"))
    assert np.isfinite(got[1, :102]).all() and (got[1, 102:] == np.inf).all()


def test_masks_repeats_and_places(order: None) -> None:
    x, v, m, k = T.dvector("x"), T.dmatrix("v"), T.vector("m", dtype="bool"), T.lvector("k")
    outputs = [T.searchsorted(x, v), T.searchsorted(x, v, side="right"), x[m], m.nonzero()[0]]
    f, g = tensordsl.function([x, v, m], outputs), tensordsl.function([x, k], T.repeat(x, k, axis=0))
    rng = np.random.default_rng(3)
    for n in (0, 1, 5, 300, 9001):
        a, b = rng.standard_normal(n), rng.standard_normal((3, 7))
        a[::3], b[0], b[1, 1] = 0.5, 0.5, np.nan
        a, mask, counts = np.sort(a), a > 0.3, rng.integers(0, 4, n)
        want = np.searchsorted(a, b), np.searchsorted(a, b, "right"), a[mask], np.flatnonzero(mask)
        for got, wanted in zip(f(a, b, mask), want, strict=True):
            np.testing.assert_array_equal(got, wanted, err_msg=str(n))
        np.testing.assert_array_equal(g(a, counts), np.repeat(a, counts))


def test_state_is_sorted_in_recorded_calls(order: None) -> None:
    x, y = T.dvector("x"), tensordsl.shared(np.zeros(2000))
    f = tensordsl.function([x], y.cumsum(), updates=[(y, T.sort(y + x))])
    expected = np.zeros(2000)
    for k in range(8):
        a = np.random.default_rng(k).standard_normal(2000)
        np.testing.assert_allclose(f(a), np.cumsum(expected), rtol=1e-9, atol=1e-9)
        expected = np.sort(expected + a)
        np.testing.assert_array_equal(y.get_value(), expected)
    assert any(any(made.seen.values()) for made in devices._programs.values())


def multiplied(a: np.ndarray) -> np.ndarray:
    """Running products down the columns, each operation rounded: NumPy's contract or not, as vectors are laid out."""
    result = a.copy()
    for before, x, row in zip(result[:-1], a[1:], result[1:], strict=True):
        row.real = before.real * x.real - before.imag * x.imag
        row.imag = before.real * x.imag + before.imag * x.real
    return result


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_sums_products_and_places(dtype: str, order: None) -> None:
    x, v = T.matrix("x", dtype=dtype), T.vector("v", dtype=dtype)
    f = tensordsl.function([x], [T.cumprod(x, axis=0), T.cumprod(x, axis=1), T.cumsum(x, axis=1), T.cumsum(x[::-1])])
    rng = np.random.default_rng(4)
    for shape in (*SHAPES, (1100, 3)):
        a = np.exp(2j * np.pi * rng.random(shape)).astype(dtype)
        if a.size > 40:
            a.flat[30] = complex(np.inf, 1)
        with np.errstate(all="ignore"):
            want = multiplied(a), multiplied(a.T).T, np.cumsum(a, 1), np.cumsum(a[::-1])
        for k, (got, wanted) in enumerate(zip(f(a), want, strict=True)):
            tolerance = 0.0 if k < 2 else (1e-3 if dtype == "complex64" else 1e-11)
            all_kernels = [np.ascontiguousarray(r).view(real_of(dtype)) for r in (got, wanted)]
            np.testing.assert_allclose(*all_kernels, rtol=0, atol=tolerance, err_msg=f"{shape} {k}")
    g = tensordsl.function([v, x], [T.searchsorted(v, x), T.searchsorted(v, x, side="right")])
    sorted_, wanted = np.sort(numbers((200,), dtype)), numbers((4, 50), dtype)
    for got, side in zip(g(sorted_, wanted), ("left", "right"), strict=True):
        np.testing.assert_array_equal(got, np.searchsorted(sorted_, wanted, side))


def test_a_complex_product_begins_with_its_first_number(order: None) -> None:
    x = T.zmatrix("x")
    f = tensordsl.function([x], [T.cumprod(x, axis=0), T.cumprod(x, axis=1)])
    for shape in ((3, 2), (2, 700)):
        a = np.full(shape, complex(np.inf, 0.0))
        with np.errstate(all="ignore"):
            want = np.cumprod(a, 0), np.cumprod(a, 1)
        for got, wanted in zip(f(a), want, strict=True):
            np.testing.assert_array_equal(got, wanted)


# -- kernels ---------------------------------------------------------------------------------------------------------
def every_kernel() -> list[Any]:
    kernels: list[Any] = []
    for function, dtypes in layouts.LIBRARY_CALLS.items():
        if "gpu" in absent(CONSTRUCTS[layouts.CALLERS[function]]):
            continue
        for dtype in dtypes if not function.endswith("_part") else ():  # devices sort where a part would do
            if function.startswith("searchsorted"):
                kernels += gpu_sort.searching(function, dtype).all_kernels
            elif function in ("sort", "argsort"):
                kernels += gpu_sort.sort(function, dtype, 1).all_kernels
            elif dtype != "bool" or not function.startswith("cum"):
                result = "int64" if function.endswith("positions") else dtype
                kernels += gpu_scan.scan(function, dtype, result, 1).all_kernels
    return kernels


@needs_ptxas
@pytest.mark.parametrize("target", ASSEMBLED)
def test_they_assemble_without_spills(target: str, tmp_path: Path) -> None:
    kernels = every_kernel()
    registers = assemble(ptx.compile_text(module_text(kernels), target), target, tmp_path)
    assert len(registers) == len(kernels)


def started(simulator: Simulator, step: Launch, name: str) -> None:
    simulator.launch(step.kernel.name, step.grid, step.block, step.arguments, name)


def _sorted(simulator: Simulator, name: str) -> bool:
    """Two lines, one block."""
    made = gpu_sort.sort("sort", "int32", 1)
    a = np.random.default_rng(0).integers(0, 99, (2, 700)).astype("int32")
    out = np.zeros_like(a)
    x, y = (Operand(b.ctypes.data, (700, 2), (1, 700)) for b in (a, out))
    (step,) = gpu_sort.launches(made, x, y, 0, multiprocessors=0)
    started(simulator, step, name)
    return bool((out == np.sort(a)).all())


def _summed(simulator: Simulator, name: str) -> bool:
    """One line of 300 parts, one block."""
    made = gpu_scan.scan("cumsum", "int64", "int64", 0)
    a, totals = np.arange(300 * 512), np.arange(300 * 512).reshape(300, 512).sum(axis=1)
    out = np.zeros_like(a)
    x, y = (Operand(b.ctypes.data, b.shape, (1,)) for b in (a, out))
    choice = gpu_scan.Choice(("segment",), 300, 512, 0)
    for step in gpu_scan.launches(made, choice, x, y, totals.ctypes.data, multiprocessors=0):
        started(simulator, step, name)
    return bool((out == a.cumsum()).all())


def _multiplied(simulator: Simulator, name: str) -> bool:
    made = gpu_scan.scan("cumprod", "complex128", "complex128", 1)
    a = np.exp(2j * np.pi * np.random.default_rng(0).random((2, 600)))
    out = np.zeros_like(a)
    x, y = (Operand(b.ctypes.data, (600, 2), (1, 600)) for b in (a, out))
    choice = gpu_scan.choose("cumprod", "complex128", x)
    for step in gpu_scan.launches(made, choice, x, y, 0, multiprocessors=0):
        started(simulator, step, name)
    return bool((out == multiplied(a.T).T).all())


def _multiplied_in_parts(simulator: Simulator, name: str) -> bool:
    """One line of 260 parts, one block; products of powers of two, of which the 200th part ends at infinity."""
    made = gpu_scan.scan("cumprod", "float32", "float32", 0)
    exponents, signs = np.random.default_rng(0).choice([-1, 1], (2, 260, 512))
    exponents[:, 256:] = -exponents[:, :256]
    exponents[200, :400] = np.repeat([1, -1], 200)
    out = np.zeros(exponents.size, "float32")
    a = np.ldexp(signs.ravel().astype("float32"), exponents.ravel())
    totals = np.stack([signs.prod(axis=1), exponents.sum(axis=1)], axis=1).astype("float32")
    firsts = np.where(np.arange(260) == 200, np.inf, 1).astype("float32")
    scratch = np.concatenate([totals.ravel(), firsts])
    x, y = (Operand(b.ctypes.data, b.shape, (1,)) for b in (a, out))
    choice = gpu_scan.Choice(("segment",), 260, 512, 0)
    for step in gpu_scan.launches(made, choice, x, y, scratch.ctypes.data, multiprocessors=0):
        started(simulator, step, name)
    with np.errstate(all="ignore"):
        return bool((out == np.cumprod(a)).all())


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        (lambda: gpu_sort.sort("sort", "int32", 1).block, _sorted),
        (lambda: gpu_scan.scan("cumsum", "int64", "int64", 0).kernels["segment"], _summed),
        (lambda: gpu_scan.scan("cumprod", "complex128", "complex128", 1).kernels["ordered"], _multiplied),
        (lambda: gpu_scan.scan("cumprod", "float32", "float32", 0).kernels["segment"], _multiplied_in_parts),
    ],
)
def test_every_barrier_is_needed(text: Callable[[], Any], is_right: Callable[[Simulator, str], bool]) -> None:
    kernel = text()
    pieces = kernel.text.split(BARRIER)
    whole = module_text([kernel])
    assert all(is_right(Simulator(whole), name) for name in ORDERS)
    for k in range(1, len(pieces)):
        less = whole.replace(kernel.text, BARRIER.join(pieces[:k]) + BARRIER.join(pieces[k:]))
        assert less != whole
        assert not all(is_right(Simulator(less), name) for name in ORDERS), f"barrier {k} of {kernel.name}"
