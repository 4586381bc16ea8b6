"""`f.c_function`: what a compiled function gives to callers without an interpreter."""

from __future__ import annotations

import ctypes
import gc
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import Print

R = np.random.default_rng(0)
x, A, n = T.dvector("x"), T.dmatrix("A"), T.lscalar("n")
f32, z, b = T.fmatrix("f"), T.zvector("z"), T.TensorType("bool", (False,))("b")
V, M = R.normal(size=7), R.normal(size=(40, 7))
PROGRAMS: dict[str, tuple[list[Any], list[Any], list[Any]]] = {
    "elementwise": ([x, A], [T.exp(A * x).sum(axis=1), A.T, x.sum()], [V, M]),
    "products": ([x, A], [T.dot(A, x), T.dot(A, A.T), T.dot(A.T, A) + x], [V, M]),
    "strided arguments": ([x, A], [A + x, A.sum(axis=0)], [V[::-1], M[::2, ::-1]]),
    "turned arguments": ([A], [A + 1, A.argmax(axis=0)], [M.T]),
    "nothing in them": ([x, A], [A + x, A.sum(axis=1), x.max(axis=0, keepdims=True).shape[0]], [V[:1], M[:0, :1]]),
    "float32": ([f32], [T.tanh(f32), T.dot(f32, f32.T)], [M.astype("float32")]),
    "complex": ([z], [z * z, abs(z)], [V + 1j]),
    "truth values": ([b], [~b, b.sum()], [V > 0]),
    "numbers": ([n], [n * n], [np.int64(5)]),
    "a loop": ([x, n], [scan(lambda s: T.tanh(s * 1.1), outputs_info=x, n_steps=n)[0]], [V, np.int64(9)]),
    "a branch": ([x, n], [ifelse(n, T.sort(x), x[::-1])], [V, np.int64(1)]),
    "lengths that values give": ([x], [x[x > 0], (x > 0).nonzero()[0]], [V]),
    "much of it": ([x], [T.exp(x), T.cumsum(x), T.sort(x), x.std()], [R.normal(size=200_000)]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_gives_the_same_bits(name: str) -> None:
    inputs, outputs, arguments = PROGRAMS[name]
    f = tensordsl.function(inputs, outputs)
    c = f.c_function()
    before = [np.array(a) for a in arguments]
    for _ in range(2):
        for ours, theirs in zip(c(*arguments), f(*arguments), strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)
    for old, new in zip(before, arguments, strict=True):
        np.testing.assert_array_equal(old, new)


def test_it_has_the_values_of_shared_variables_that_were() -> None:
    s = tensordsl.shared(np.arange(3.0))
    c = tensordsl.function([x], s * x).c_function()
    s.set_value(np.zeros(3))
    gc.collect()
    assert c(np.full(3, 2.0))[0].tolist() == [0, 2, 4]


def test_threads_call_at_once() -> None:
    cost = -T.sum(T.nnet.softplus(T.dot(A, x))) - T.sum(x**2)
    f = tensordsl.function([x, A], [cost, T.grad(cost, x)])
    c, points = f.c_function(), R.normal(size=(64, 7))
    wanted, wrong = [f(p, M) for p in points], []

    def work(k: int) -> None:
        for p, w in list(zip(points[k::4], wanted[k::4], strict=True)) * 10:
            found = c(p, M)
            if not all(np.array_equal(a, b) for a, b in zip(found, w, strict=True)):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# -- errors ------------------------------------------------------------------------------------------------------------
def test_failures_say_what_is_wrong() -> None:
    c = tensordsl.function([x, A], T.dot(A, x)).c_function()
    with pytest.raises(RuntimeError, match="check of the program has failed: Shape mismatch"):
        c(V[:3], M)
    c = tensordsl.function([x, n], x[n]).c_function()
    with pytest.raises(RuntimeError, match="index is out of bounds"):
        c(V, 99)
    assert c(V, 2)[0] == V[2]
    c = tensordsl.function([n], T.zeros((n,))).c_function()
    with pytest.raises(RuntimeError):
        c(-1)


def call(c: Any, args: list[tuple[Any, Any, Any]], results: list[tuple[Any, Any, Any]]) -> tuple[int, list[int]]:
    def words(rows: list[tuple[Any, Any, Any]]) -> Any:
        return (ctypes.c_int64 * (3 * len(rows)))(*(word or 0 for row in rows for word in row))

    error = (ctypes.c_int64 * 4)()
    given, wanted = words(args), words(results)
    addresses = (ctypes.addressof(a) for a in (given, wanted, error))
    return c.ctypes(*addresses, c.handle), list(error)


def test_arguments_and_results_that_do_not_fit() -> None:
    c = tensordsl.function([x], x * 2).c_function()
    room, out = np.arange(16.0), np.zeros(8)
    five, minus, odd = ((ctypes.c_int64 * 1)(k) for k in (5, -1, 4))
    at, to = room.ctypes.data, out.ctypes.data
    lengths = ctypes.addressof(five)
    assert call(c, [(at, lengths, None)], [(to, None, 40)])[0] == 0 and out[:6].tolist() == [0, 2, 4, 6, 8, 0]
    assert call(c, [(at + 8, lengths, None)], [(to + 8, None, 40)])[0] == 0 and out[:7].tolist() == [
        0,
        2,
        4,
        6,
        8,
        10,
        0,
    ]
    status, error = call(c, [(at, lengths, None)], [(to, None, 39)])
    assert c.status[status].startswith("a result has no room") and error[0] == -1 and error[2:] == [0, 40]
    assert c.status[call(c, [(at, lengths, None)], [(None, None, 40)])[0]].startswith("a result has no room")
    for bad in (
        (at + 4, lengths, None),
        (at, ctypes.addressof(minus), None),
        (at, lengths, ctypes.addressof(odd)),
        (None, lengths, None),
    ):
        status, error = call(c, [bad], [(to, None, 40)])
        assert c.status[status].startswith("an argument has a wrong") and error[2] == 0
    fixed = tensordsl.function([T.TensorType("float64", (4,))("v")], T.constant(1.0), on_unused_input="ignore")
    assert call(fixed.c_function(), [(at, lengths, None)], [(to, None, 8)])[0] == 14


def test_what_has_no_c_function() -> None:
    s = tensordsl.shared(1.0, "count")
    with pytest.raises(ValueError, match="updates count"):
        tensordsl.function([], s, updates={s: s + 1}).c_function()
    with pytest.raises(ValueError, match="steps that Python does.*print"):
        tensordsl.function([x], Print("x")(x)).c_function()
    with pytest.raises(ValueError, match="native code of the CPU"):
        tensordsl.function([x], x, mode="REFERENCE").c_function()
    with pytest.raises(ValueError, match=r"no signature 'double'.*'double\(double\)'"):
        tensordsl.function([x], x).c_function("double")
    with pytest.raises(TypeError, match="wants as outputs of float64 number and vector.*TensorType"):
        tensordsl.function([x], x).c_function("nutpie.logp")
    with pytest.raises(ValueError, match="updates x"):
        tensordsl.function([tensordsl.In(x, value=V, update=x + 1)], x).c_function()


# -- signatures --------------------------------------------------------------------------------------------------------
LOGP = -(x**2).sum() - T.log1p(x**2).sum()


def test_a_density_with_its_gradient() -> None:
    f = tensordsl.function([x], [LOGP, T.grad(LOGP, x)])
    c = f.c_function("nutpie.logp")
    gradient, value = np.zeros(7), np.zeros(1)

    def status(point: Any, dim: int = 7) -> int:
        return c.ctypes(dim, point.ctypes.data, gradient.ctypes.data, value.ctypes.data, c.handle)

    assert status(V) == 0
    np.testing.assert_array_equal(value[0], f(V)[0])
    np.testing.assert_array_equal(gradient, f(V)[1])
    assert status(np.where(np.arange(7) == 3, np.nan, V)) == 3 and status(np.full(7, 1e200)) == 4
    wrong = tensordsl.function([x], [LOGP, x[1:]]).c_function("nutpie.logp")
    assert wrong.ctypes(7, V.ctypes.data, gradient.ctypes.data, value.ctypes.data, wrong.handle) == -1


def test_several_numbers_of_a_point() -> None:
    c = tensordsl.function([x], T.concatenate([T.exp(x), x[:1]])).c_function("nutpie.expand")
    out = np.zeros(8)
    assert c.ctypes(7, 8, V.ctypes.data, out.ctypes.data, c.handle) == 0 and np.allclose(out[:7], np.exp(V))
    assert c.ctypes(7, 7, V.ctypes.data, out.ctypes.data, c.handle) == -1


@pytest.mark.parametrize("handle", [True, False])
def test_functions_of_numbers_and_vectors(handle: bool) -> None:
    u, more = T.dscalar("u"), ", void*" * handle
    c = tensordsl.function([u], T.exp(u)).c_function(f"double(double{more})")
    last = (c.handle,) * handle
    assert c.ctypes(0.0, *last) == 1.0 and bool(c.handle) == handle
    c = tensordsl.function([x], x.prod()).c_function(f"double(int, double*{more})")
    assert c.ctypes(3, V.ctypes.data, *(c.handle,) * handle) == pytest.approx(V[:3].prod())
    c = tensordsl.function([x], T.dot(x[:3], x[:3])).c_function(f"double(int, double*{more})")
    assert np.isnan(c.ctypes(-1, V.ctypes.data, *(c.handle,) * handle))
    c = tensordsl.function([x], x[::-1]).c_function(f"int64(int64, double*, double*{more})")
    out = np.zeros(7)
    assert c.ctypes(7, V.ctypes.data, out.ctypes.data, *(c.handle,) * handle) == 0 and out.tolist() == V[::-1].tolist()


def test_scipy_integrates_and_filters() -> None:
    integrate, ndimage = (pytest.importorskip(f"scipy.{name}") for name in ("integrate", "ndimage"))
    u = T.dscalar("u")
    f = tensordsl.function([u], T.exp(-u * u))
    for signature in ("double(double)", "double(double, void*)"):
        found, _ = integrate.quad(f.c_function(signature).low_level_callable(), -np.inf, np.inf)
        assert found == pytest.approx(np.sqrt(np.pi))
    g = tensordsl.function([x], T.exp(-x[0] * x[1])).c_function("double(int, double*, void*)")
    assert integrate.quad(g.low_level_callable(), 0, np.inf, args=(2.0,))[0] == pytest.approx(0.5)
    spread = tensordsl.function([x], x.max() - x.min()).c_function("int(double*, intptr_t, double*, void*)")
    image = R.normal(size=(6, 6))
    found = ndimage.generic_filter(image, spread.low_level_callable(), size=3)
    np.testing.assert_allclose(found, ndimage.generic_filter(image, np.ptp, size=3))
    with pytest.raises(ValueError, match="general signature"):
        f.c_function().low_level_callable()


def test_what_is_called_lives_as_long_as_its_caller() -> None:
    def made() -> Callable[..., float]:
        return tensordsl.function([x], x.sum()).c_function("double(int, double*)").ctypes

    call = made()
    gc.collect()
    assert call(7, V.ctypes.data) == pytest.approx(V.sum())


@pytest.mark.parametrize("signature", ["general", "double(int, double*, void*)", "double(int, double*)"])
def test_an_address_whose_owner_is_gone_says_so(signature: str) -> None:
    def made() -> tuple[Any, int]:
        c = tensordsl.function([x], x.sum()).c_function(signature)
        return c.prototype(c.address), c.handle

    address, handle = made()
    gc.collect()
    if signature != "general":
        assert np.isnan(address(5, V.ctypes.data, *([handle] if handle else [])))
        return
    error, out, five = (ctypes.c_int64 * 4)(), np.zeros(1), (ctypes.c_int64 * 1)(5)
    args = (ctypes.c_int64 * 3)(V.ctypes.data, ctypes.addressof(five), 0)
    results = (ctypes.c_int64 * 3)(out.ctypes.data, 0, 8)
    status = address(*map(ctypes.addressof, (args, results, error)), handle)
    assert tensordsl.functions.c_functions.STATUS[status].startswith("the C function was dropped") and out[0] == 0


def test_a_c_program_calls_it(tmp_path: Path) -> None:
    """The header is what a C compiler takes."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    f = tensordsl.function([x, A], [T.dot(A, x), x.sum()], name="both")
    (tmp_path / "both.h").write_text(f.c_header())
    (tmp_path / "call.c").write_text(
        '#include "both.h"\n'
        "int64_t call(both_function f, void *handle, double *x, double *a, double *y, double *s) {\n"
        "    int64_t n[] = {2}, m[] = {3, 2}, got[1];\n"
        "    tensordsl_array args[] = {{x, n, 0}, {a, m, 0}};\n"
        "    tensordsl_result results[] = {{y, got, 24}, {s, 0, 8}};\n"
        "    tensordsl_error error;\n"
        "    return f(args, results, &error, handle) ? error.status : got[0];\n}\n"
    )
    subprocess.run(
        [compiler, "-Wall", "-Werror", "-shared", "-fPIC", "-o", "call.so", "call.c"], cwd=tmp_path, check=True
    )
    c, run = f.c_function(), ctypes.CDLL(str(tmp_path / "call.so")).call
    run.restype, run.argtypes = ctypes.c_int64, [ctypes.c_void_p] * 6
    a, y, s = np.arange(6.0), np.zeros(3), np.zeros(1)
    assert run(c.address, c.handle, *(v.ctypes.data for v in (V, a, y, s))) == 3
    np.testing.assert_allclose(y, a.reshape(3, 2) @ V[:2])
    assert s[0] == V[:2].sum()
