"""Complex numbers through whole functions, against NumPy: values, parts, layouts, state, gradients, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.graph import OpTypeError
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import loop_index, make_loop
from tensordsl.types import COMPLEX, DTYPES

RTOL = {"complex64": 1e-5, "complex128": 1e-12, "float32": 1e-5, "float64": 1e-12}


def values(rng: np.random.Generator, dtype: str, *shape: int) -> Any:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)


def close(got: Any, want: Any, what: str = "") -> None:
    want = np.asarray(want)
    assert got.dtype == want.dtype and got.shape == want.shape, (what, got.dtype, want.dtype, got.shape, want.shape)
    limit = RTOL.get(want.dtype.name, 0)
    np.testing.assert_allclose(got, want, rtol=limit, atol=limit, err_msg=what)


UNARY: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "neg": (T.neg, np.negative), "abs": (T.abs_, np.abs), "sqr": (T.sqr, np.square), "inv": (T.inv, np.reciprocal),
    "real": (T.real, np.real), "imag": (T.imag, np.imag), "conj": (T.conj, np.conj), "angle": (T.angle, np.angle),
    "isnan": (T.isnan, np.isnan), "isinf": (T.isinf, np.isinf), "copy": (T.tensor_copy, np.array),
    "sgn": (T.sgn, np.sign), "power": (lambda x: x**3, lambda x: x**3), "sum": (T.sum, np.sum),
    "sum of rows": (lambda x: x.sum(axis=1), lambda x: x.sum(1)), "mean": (T.mean, np.mean), "prod": (T.prod, np.prod),
    "var": (T.var, np.var), "std": (lambda x: x.std(0), lambda x: x.std(0)), "norm": (lambda x: x.norm(2), np.linalg.norm),
    "mask": (lambda x: x[abs(x) > 1], lambda x: x[np.abs(x) > 1]), "tril": (T.tril, np.tril), "trace": (T.trace, np.trace),
    "rolled": (lambda x: T.roll(x, 1), lambda x: np.roll(x, 1)), "outer": (lambda x: T.outer(x[0], x[1]), lambda x: np.outer(x[0], x[1])),
    "batched": (lambda x: T.batched_dot(x[None], T.conj(x).T[None]), lambda x: (x @ x.conj().T)[None]),
    "transposed": (lambda x: x.T, lambda x: x.T), "reshape": (lambda x: x.reshape((-1,)), lambda x: x.reshape(-1)),
    "slices": (lambda x: x[::-2, 1:], lambda x: x[::-2, 1:]), "item": (lambda x: x[1, -1], lambda x: x[1, -1]),
    "taken": (lambda x: x[[0, 2, 0]], lambda x: x[[0, 2, 0]]), "dot": (lambda x: T.dot(x, x.T), lambda x: x @ x.T),
    "sort": (lambda x: T.sort(x, 0), lambda x: np.sort(x, 0)), "argsort": (T.argsort, np.argsort), "unique": (T.unique, np.unique),
    "any": (lambda x: T.any(x, 1), lambda x: np.any(x, 1)), "all": (T.all, np.all), "round": (T.round, np.round),
    "isfinite": (T.isfinite, np.isfinite), "tanh": (T.tanh, np.tanh), "rows' product": (lambda x: T.prod(x, 1), lambda x: np.prod(x, 1)),
    **{f"power {n}": (lambda x, n=n: x**n, lambda x, n=n: x**n) for n in (0, 1, 2, 5, -3, 0.5, 21)},
    "zeros": (T.zeros_like, np.zeros_like), "cumsum": (lambda x: T.cumsum(x, 1), lambda x: np.cumsum(x, 1)),
    **{n: (getattr(T, n), getattr(np, n)) for n in (
        "exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh",
        "log1p",
        "expm1", "log2", "log10", "exp2",
    )},
}  # fmt: skip


@pytest.mark.parametrize("dtype", COMPLEX)
def test_functions_of_one_operand(dtype: str) -> None:
    x = T.matrix("x", dtype=dtype)
    f = tensordsl.function([x], [ours(x) for ours, _ in UNARY.values()])
    rng = np.random.default_rng(0)
    wide = values(rng, dtype, 8, 10)
    for a in (
        values(rng, dtype, 5, 3),
        values(rng, dtype, 3, 5).T,
        wide[::-2, ::3],
        np.broadcast_to(wide[0, :3], (4, 3)),
    ):
        before = a.copy()
        for (name, (_, judge)), got in zip(UNARY.items(), f(a), strict=True):
            close(got, judge(a), f"{name} {dtype}")
        np.testing.assert_array_equal(a, before)


BINARY: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "add": (lambda x, y: x + y, np.add), "sub": (lambda x, y: x - y, np.subtract), "mul": (lambda x, y: x * y, np.multiply),
    "div": (lambda x, y: x / y, np.true_divide), "pow": (lambda x, y: x**y, np.power), "eq": (T.eq, np.equal),
    "neq": (T.neq, np.not_equal), "switch": (lambda x, y: T.switch(T.real(x) > 0, x, y), lambda x, y: np.where(np.real(x) > 0, x, y)),
    "chosen by": (lambda x, y: T.switch(x, y, y[::-1]), lambda x, y: np.where(x, y, y[::-1])),
    "joined": (lambda x, y: T.concatenate([x, y, x]), lambda x, y: np.concatenate([x, y, x])),
    "dot": (T.dot, np.dot),
}  # fmt: skip


@pytest.mark.parametrize("left", COMPLEX)
@pytest.mark.parametrize("right", [*COMPLEX, *DTYPES])
def test_functions_of_two_operands(left: str, right: str) -> None:
    x, y = T.vector("x", dtype=left), T.vector("y", dtype=right)
    f = tensordsl.function([x, y], [ours(x, y) for ours, _ in BINARY.values()])
    g = tensordsl.function([x, y], [y + x, y - x, y * x, y / x])
    rng = np.random.default_rng(1)
    a, b = values(rng, left, 9), values(rng, "complex128", 9)
    b = b.astype(right) if right in COMPLEX else np.asarray(np.abs(b.real) * 3 + 1).astype(right)
    for u, v in ((a, b), (a[::-2], b[:5]), (a[:0], b[:0])):
        with np.errstate(all="ignore"):
            for (name, (_, judge)), got in zip(BINARY.items(), f(u, v), strict=True):
                close(got, judge(u, v), f"{name} {left} {right}")
            for got, want in zip(g(u, v), (v + u, v - u, v * u, v / u), strict=True):
                close(got, want, f"{right} {left}")


def test_special_values() -> None:
    parts = np.array([0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 1e300, 5e-324])
    a = np.empty((len(parts), len(parts)), complex)
    a.real, a.imag = np.meshgrid(parts, parts)
    a, b = (v.ravel() for v in np.broadcast_arrays(a.reshape(-1, 1), a.reshape(1, -1)))
    x, y = T.zvector(), T.zvector()
    ours = [
        x + y,
        x - y,
        x * y,
        -x,
        T.real(x),
        T.imag(x),
        T.conj(x),
        abs(x),
        T.angle(x),
        T.eq(x, y),
        T.isnan(x),
        T.isinf(x),
        T.sqrt(x),
    ]
    with np.errstate(all="ignore"):
        wanted = [
            a + b,
            a - b,
            a * b,
            -a,
            a.real,
            a.imag,
            a.conj(),
            np.abs(a),
            np.angle(a),
            a == b,
            np.isnan(a),
            np.isinf(a),
            np.sqrt(a),
        ]
        got = tensordsl.function([x, y], ours)(a, b)
    for k, (g, w) in enumerate(zip(got, wanted, strict=True)):
        for p, q in ((g.real, w.real), (g.imag, w.imag)) if g.dtype.kind == "c" else ((g, w),):
            if p.dtype.kind != "f":
                np.testing.assert_array_equal(p, q, err_msg=str(k))
                continue
            if k == 2:  # NumPy's own product may round once or twice
                usual = (np.abs([a.real, a.imag, b.real, b.imag]) != 1e300).all(0) & (
                    np.abs([a.real, a.imag, b.real, b.imag]) != 5e-324
                ).all(0)
                p, q = np.where(usual, p, 1), np.where(usual, q, 1)
            near = np.isclose(p, q, rtol=1e-15, atol=0, equal_nan=True)
            assert near.all(), (k, a[~near][:4], b[~near][:4], p[~near][:4], q[~near][:4])
            numbers = ~np.isnan(q)
            np.testing.assert_array_equal(np.signbit(p[numbers]), np.signbit(q[numbers]), err_msg=str(k))


def test_exponentials_of_special_values() -> None:
    parts = np.array([0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 709.9, -745.0])
    a = np.empty((len(parts), len(parts)), complex)
    a.real, a.imag = np.meshgrid(parts, parts)
    a = a.ravel()
    with np.errstate(all="ignore"):
        want = np.exp(a)
    got = tensordsl.function([x := T.zvector()], T.exp(x))(a)
    sure = np.isfinite(a.imag) & ~np.isnan(a.real)  # elsewhere C leaves signs and kinds open
    for p, q in ((got.real, want.real), (got.imag, want.imag)):
        np.testing.assert_allclose(p[sure], q[sure], rtol=1e-12, atol=5e-324)
    assert np.isnan(got[~sure & np.isfinite(a.real)]).all()
    assert (got[a.real == -np.inf] == 0).all()


def test_scalars_constants_and_state() -> None:
    x = T.zscalar("x")
    s = tensordsl.shared(np.array([1 + 2j, 3, -1j], "complex64"))
    f = tensordsl.function(
        [x], [x * 2j, x.real, abs(x), s * x, x], updates=[(s, s * T.constant(1j, dtype="complex64"))]
    )
    for value in (3 + 4j, np.complex128(3 + 4j), np.array(3 + 4j)):
        old = s.get_value()
        got = f(value)
        close(got[0], np.complex128(-8 + 6j))
        assert got[1] == 3 and got[2] == 5 and got[4] == 3 + 4j
        close(got[3], old * np.complex128(3 + 4j))
        close(s.get_value(), old * np.complex64(1j))
    assert f(2)[4] == 2 and f(0.5)[4] == 0.5
    c = T.cvector("c")
    kept = tensordsl.function(
        [c], [c, c, c.real, T.set_subtensor(c[1:], 7), T.inc_subtensor(c[[0, 0]], np.complex64(1j))]
    )
    a = np.array([1j, 2, 3 - 1j], "complex64")
    got = kept(a)
    for g, w in zip(got, (a, a, a.real, [1j, 7, 7], [3j, 2, 3 - 1j]), strict=True):
        close(g, np.asarray(w, g.dtype))
    assert not any(np.shares_memory(g, a) for g in got)
    assert T.constant(1j).dtype == "complex128" and T.constant([1j, 2]).type.shape == (2,)
    close(T.complex_from_polar(2.0, np.pi / 2).eval(), np.complex128(2j))
    assert T.complex(T.fvector(), T.fscalar()).dtype == "complex64" and T.complex(T.ivector(), 1).dtype == "complex128"


def test_what_has_no_meaning_is_refused() -> None:
    x, y = T.zvector("x"), T.dvector("y")
    for wrong in (T.mod, T.int_div, T.arctan2, T.and_):
        with pytest.raises(TypeError):
            wrong(x, y)
    for wrong in (
        T.floor,
        T.ceil,
        T.erf,
        T.gammaln,
        T.nnet.softmax,
        T.nnet.sigmoid,
    ):
        with pytest.raises(TypeError):
            wrong(x)
    with pytest.raises(OpTypeError, match="casting from complex to real is ambiguous"):
        T.cast(x, "float64")
    with pytest.raises(TypeError, match="not defined for complex operands"):
        T.complex(x, y)
    with pytest.raises(TypeError, match="the condition must be real"):
        ifelse(x[0], y, y)
    with pytest.raises(TypeError, match="take its real or imaginary part"):
        T.constant(1j, dtype="float64")
    f = tensordsl.function([y], y)
    with pytest.raises(TypeError, match="cannot store an array of dtype complex128"):
        f(np.array([1j]))
    with pytest.raises(TypeError, match="without risking loss of precision"):
        tensordsl.function([c := T.cvector()], c)(np.array([1j]))
    with pytest.raises(TypeError):
        T.grad(x.sum(), x)


def numeric(f: Any, a: Any) -> Any:
    """dC/dRe + i dC/dIm by central differences."""
    result = np.zeros_like(a)
    for k in np.ndindex(a.shape):
        for unit in (1.0, 1j):
            step = np.zeros_like(a)
            step[k] = unit * 1e-6
            result[k] += unit * (f(a + step) - f(a - step)) / 2e-6
    return result


COSTS: dict[str, Callable[[Any, Any], Any]] = {
    "real": lambda z, w: (T.real(z) ** 2 * T.imag(z)).sum(), "abs": lambda z, w: abs(z).sum(),
    "angle": lambda z, w: T.angle(z).sum(), "mul": lambda z, w: T.real(z * w * z).sum(), "sub": lambda z, w: abs(z - w).sum(),
    "div": lambda z, w: T.imag(w / z).sum(), "exp": lambda z, w: abs(T.exp(z) + w).sum(),
    "sqrt": lambda z, w: T.real(T.sqrt(z) * w).sum(), "log": lambda z, w: T.imag(T.log(z) * w).sum(),
    "sin": lambda z, w: abs(T.sin(z) * T.cos(w)).sum(), "conj": lambda z, w: T.real(z * T.conj(z)).sum(),
    "dot": lambda z, w: abs(T.dot(z, w)), "index": lambda z, w: abs(z[::-2]).sum() + T.real(z[1] * w[0]),
    "sum": lambda z, w: abs(z.sum()) ** 2, "mixed": lambda z, w: T.real(T.real(z) * w).sum(),
    "polar": lambda z, w: T.real(T.complex_from_polar(abs(z), T.angle(z)) * w).sum(),
    "complex": lambda z, w: abs(T.complex(T.imag(z), T.real(z)) * w).sum(), "sqr": lambda z, w: T.imag(T.sqr(z) / 3).sum(),
    "order": lambda z, w: (abs(T.maximum(z, w)) + T.real(T.minimum(z, 2 * w))).sum() + T.imag(T.max(z) * T.min(z)),
    "gradient": lambda z, w: (abs(T.grad(abs(z).sum(), z) + w)).sum(), "sorted": lambda z, w: abs(T.sort(z)[1:] * w[1:]).sum(),
    "products": lambda z, w: T.real(T.prod(z) * T.cumprod(w)[-2]), "running": lambda z, w: T.imag(T.cumsum(z) * T.cumprod(w)).sum(),
    **{
        name: lambda z, w, name=name: T.real(getattr(T, name)(z) * w).sum()
        for name in (
            "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "tan", "sinh", "cosh", "tanh", "log1p", "expm1",
            "exp2", "log2", "log10", "inv", "sgn",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("name", COSTS)
def test_gradients_of_real_costs(name: str) -> None:
    z, w = T.zvector("z"), T.zvector("w")
    cost = COSTS[name](z, w)
    slopes = T.grad(cost, [z, w], disconnected_inputs="ignore")
    assert [g.dtype for g in slopes] == ["complex128"] * 2
    f = tensordsl.function([z, w], cost, on_unused_input="ignore")
    g = tensordsl.function([z, w], slopes, on_unused_input="ignore")
    rng = np.random.default_rng(2)
    a, b = values(rng, "complex128", 5), values(rng, "complex128", 5)
    got = g(a, b)
    np.testing.assert_allclose(got[0], numeric(lambda v: f(v, b), a), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(got[1], numeric(lambda v: f(a, v), b), rtol=1e-6, atol=1e-7)


def test_a_gradient_of_real_parameters_through_complex_values() -> None:
    x = T.dvector("x")
    cost = abs(T.exp(1j * x) + x).sum()
    g = T.grad(cost, x)
    assert g.dtype == "float64"
    a = np.array([0.3, -1.2, 2.0])
    f = tensordsl.function([x], cost)
    want = [(f(a + d) - f(a - d)) / 2e-6 for d in np.eye(3) * 1e-6]
    np.testing.assert_allclose(tensordsl.function([x], g)(a), want, rtol=1e-6)


@pytest.mark.parametrize("mode", [None, "REFERENCE", "DebugMode", "FAST_COMPILE"])
def test_branches(mode: str | None) -> None:
    c, z, w = T.bscalar("c"), T.zvector("z"), T.zvector("w")
    outputs = [ifelse(c, z * 2, w), *ifelse(c, [z, T.real(w)], [w[1:] + 1, T.imag(z)])]
    f = tensordsl.function([c, z, w], [*outputs, ifelse(c, z[::2], w) - 1j], mode=mode)
    a, b = values(np.random.default_rng(4), "complex128", 4), values(np.random.default_rng(5), "complex128", 4)
    for got, want in zip(f(1, a, b), [a * 2, a, b.real, a[::2] - 1j], strict=True):
        close(got, want)
    for got, want in zip(f(0, a, b), [b, b[1:] + 1, a.imag, b - 1j], strict=True):
        close(got, want)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_state_of_loops(dtype: str) -> None:
    n, z, w = T.lscalar("n"), T.vector("z", dtype=dtype), T.vector("w", dtype=dtype)
    i, k = loop_index(), z.type()
    turned, history = make_loop(n, i, [k], [z], [k * T.constant(0.5j, dtype=dtype) + w], [T.abs_(k) * i])
    f = tensordsl.function([n, z, w], [turned, history])
    a, b = values(np.random.default_rng(6), dtype, 3), values(np.random.default_rng(7), dtype, 3)
    for count in (0, 1, 4):
        want, rows = a, []
        for step in range(count):
            rows.append(np.abs(want).astype("float64") * step)
            want = (want * 0.5j + b).astype(dtype)
        got, stacked = f(count, a, b)
        close(got, want)
        assert stacked.shape == (count, 3)
        np.testing.assert_allclose(stacked, np.reshape(rows, (count, 3)), rtol=1e-5)


def test_gradients_through_loops_and_branches() -> None:
    c, z, w = T.bscalar("c"), T.zvector("z"), T.zvector("w")
    i, k = loop_index(), z.type()
    last, rows = make_loop(3, i, [k], [z], [k * k * 0.1 + w], [k * i])
    cost = abs(last).sum() + T.imag(rows).sum() + abs(ifelse(c, z * w, w)).sum()
    f, g = tensordsl.function([c, z, w], cost), tensordsl.function([c, z, w], T.grad(cost, [z, w]))
    a, b = values(np.random.default_rng(8), "complex128", 3), values(np.random.default_rng(9), "complex128", 3)
    for taken in (0, 1):
        dz, dw = g(taken, a, b)
        np.testing.assert_allclose(dz, numeric(lambda v, taken=taken: f(taken, v, b), a), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(dw, numeric(lambda v, taken=taken: f(taken, a, v), b), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("mode", ["DebugMode", "REFERENCE", "FAST_COMPILE"])
def test_modes(mode: str) -> None:
    z = T.cmatrix("z")
    outputs = [T.exp(z) / (1 + z), abs(z).sum(0), T.sqrt(z), T.dot(z, z.T), T.grad(abs(z).sum(), z)]
    a = values(np.random.default_rng(3), "complex64", 4, 3)
    for got, want in zip(
        tensordsl.function([z], outputs, mode=mode)(a), tensordsl.function([z], outputs)(a), strict=True
    ):
        close(got, want)
