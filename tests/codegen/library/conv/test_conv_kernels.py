"""Convolutions by the library against NumPy: random layers, vectors of all widths, threads, borders that are not finite."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from conv_layers import FUNCTIONS, Layer, random_layers
from polls import KNOWN
from tuned import tuned

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.library.conv.driver import conv_text
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.target.machine import native_width
from tensordsl.graph.variables import apply
from tensordsl.ops.conv.rows import CONV, CONV_INPUTS, CONV_WEIGHTS
from tensordsl.runtime.calls import threads
from tensordsl.runtime.loading import elf, library

PROTOTYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
BOXES = {"planes_bytes": 1 << 14, "block_terms": 32}  # so that layers of tests have several
WIDTHS = [n for n in (16, 32, 64) if n <= native_width()]


@cache
def built(dtype: str, width: int) -> tuple[object, dict[str, int]]:
    """A build of the library of its own: its code, and the addresses of its functions."""
    library.require(f"conv_{dtype}")
    text = conv_text(dtype, tuned(machine={"vector_bytes": width}, conv=BOXES))
    names = [f"{name}_{dtype}" for name in FUNCTIONS]
    code, [addresses] = elf.load([(compile_object(text), names)], KNOWN)
    return code, dict(zip(FUNCTIONS, addresses, strict=True))


@pytest.fixture
def two_threads() -> Iterator[None]:
    threads.set_threads(2)
    yield
    threads.set_threads(1)


def result_of(name: str, layer: Layer, width: int) -> tuple[Any, Any]:
    """What the library gives, and what is wanted."""
    a, b, wanted = layer.call(name)
    frame = np.full(wanted.size + 16, 7, a.dtype)
    y = frame[8:-8].reshape(wanted.shape)
    told = [0] * len(layer.numbers) + layer.numbers
    words = np.array([*a.shape, *a.strides, *b.shape, *b.strides, *told, *y.shape, *y.strides], "int64")
    bases = np.array([a.ctypes.data, b.ctypes.data, a.ctypes.data, y.ctypes.data, library.table()], "int64")
    PROTOTYPE(built(a.dtype.name, width)[1][name])(bases.ctypes.data, words.ctypes.data, 5)
    assert (frame[:8] == 7).all() and (frame[-8:] == 7).all()  # nothing around it
    return y, wanted


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_random_layers(dtype: str, width: int) -> None:
    for layer in random_layers(dtype, 150):
        for name in FUNCTIONS:
            np.testing.assert_array_equal(*result_of(name, layer, width), err_msg=f"{name} {layer.attrs}")


def test_results_do_not_depend_on_threads(two_threads: None) -> None:
    rng = np.random.default_rng(1)
    for groups, padding in ((1, 1), (2, 0), (16, 2)):
        shapes = (2, 16, 1, 30, 40), (32, 16 // groups, 1, 3, 3), (2, 32, 1, 28 + 2 * padding, 38 + 2 * padding)
        attrs = dict(strides=(1, 1, 1), dilation=(1, 1, 1), padding=((0, 0), *((padding,) * 2,) * 2), groups=groups)
        layer = Layer(*(rng.normal(size=s).astype("float32") for s in shapes), attrs | {"flip": False})
        for name in FUNCTIONS:
            found = []
            for threads.wanted in (1, 2):
                threads.set_threads(threads.wanted)
                found.append(result_of(name, layer, WIDTHS[-1])[0].copy())
            np.testing.assert_array_equal(*found)
            np.testing.assert_allclose(found[0], layer.call(name)[2], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_not_finite_stays_where_windows_reach_it(width: int) -> None:
    """Rows lie one behind the other in planes, where vectors read over their ends."""
    for bad in (np.nan, np.inf, -np.inf):
        for row, column in ((0, 0), (3, 8), (5, 4), (3, 0)):
            x, w = np.ones((2, 2, 1, 6, 9)), np.ones((3, 2, 1, 3, 2))
            x[1, 1, 0, row, column] = bad
            g = np.ones((2, 3, 1, 6, 9))
            g[0, 2, 0, row, column] = bad
            attrs = dict(strides=(1, 1, 1), dilation=(1, 1, 1), padding=((0, 0), (1, 1), (0, 1)), groups=1, flip=False)
            for name in FUNCTIONS:
                y, wanted = result_of(name, Layer(x, w, g, attrs), width)
                if name != "conv_weights":
                    np.testing.assert_array_equal(y, wanted)
                    continue
                # The oracle multiplies the border's zeros; taps that meet nothing there stay finite here.
                assert (np.isfinite(y) | ~np.isfinite(wanted)).all()
                same = np.isfinite(wanted)
                np.testing.assert_array_equal(y[same], wanted[same])


def test_programs_with_and_without_it() -> None:
    rng = np.random.default_rng(3)
    rows = (CONV, CONV_INPUTS, CONV_WEIGHTS)
    for dtype in ("float32", "float64"):
        x, w = (T.TensorType(dtype, (None,) * 4)(name) for name in "xw")
        a, b = rng.integers(-3, 4, (3, 4, 9, 11)).astype(dtype), rng.integers(-3, 4, (6, 2, 3, 2)).astype(dtype)
        for padding in ("valid", "half", "full", ((1, 2), (0, 1))):
            attrs = dict(strides=(2, 1), dilation=(1, 2), padding=padding, groups=2, flip=True)
            y = apply(CONV, x, w, **attrs)
            outputs = [y, *T.grad((y**2).sum(), [x, w])]
            usual, other = (td.function([x, w], outputs, mode=td.compile.mode.get_default_mode().excluding(*names))
                            for names in ((), ("offset_convolutions",)))  # fmt: skip
            value = CONV.oracle(a, b, **attrs)
            wanted = [
                value, rows[1].oracle(b, 2 * value, 9, 11, **attrs), rows[2].oracle(a, 2 * value, 3, 2, **attrs)
            ]  # fmt: skip
            for f in (usual, other):
                for got, want in zip(f(a, b), wanted, strict=True):
                    np.testing.assert_array_equal(got, want)
            np.testing.assert_array_equal(usual(a[::-1, :, ::-1], b)[0], CONV.oracle(a[::-1, :, ::-1], b, **attrs))
            assert usual(a[:0], b)[0].shape == (0, *value.shape[1:])
