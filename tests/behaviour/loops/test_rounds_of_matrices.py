"""Rounds on small matrices: one kernel or steps, against rounds in NumPy; what fails in them; and where they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from end_of_memory import End
from tuned import mode, tuned

import tensordsl
import tensordsl.tensor as T
from tensordsl.compile.mode import FAST_RUN
from tensordsl.scan_module import until
from tensordsl.tensor import linalg

OFF = FAST_RUN.excluding("rounds_in_memory")
MODES = {
    "on": FAST_RUN,
    "off": OFF,
    "numbers": mode(tuned(rounds={"inline_vector_bytes": 1 << 10})),
    "lanes": mode(tuned(rounds={"inline_vector_bytes": 1})),
}
SIZES = (0, 1, 2, 3, 4, 5, 8, 9, 16, 17)  # of vectors, and on both sides of what a kernel takes


def matrix(name: str, dtype: str = "float64") -> Any:
    return T.TensorType(dtype, (None, None))(name)


def rounds(step: Callable[..., Any], start: Any, n: Any, sequences: Any = None) -> Any:
    return tensordsl.scan(step, sequences, start, n_steps=n)[0]


# -- programs: (step of the library or NumPy, step by NumPy) on a square matrix x of the state and a fixed one a -----------
def dominant(a: Any) -> Any:
    w = np if isinstance(a, np.ndarray) else T
    return w.tanh(a) + 20 * w.eye(a.shape[0], dtype=a.dtype)


def positive(a: Any) -> Any:
    w = np if isinstance(a, np.ndarray) else T
    return w.dot(w.tanh(a), w.tanh(a).T) + w.eye(a.shape[0], dtype=a.dtype)


STEPS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "products": (lambda x, a: T.dot(T.dot(a, x), a.T) * 0.1, lambda x, a: a @ x @ a.T * 0.1),
    "transposed products": (lambda x, a: T.dot(x.T, T.dot(x, a).T) * 0.1, lambda x, a: x.T @ (x @ a).T * 0.1),
    "sums of products": (lambda x, a: x - 0.5 * T.dot(a, x.T), lambda x, a: x - 0.5 * a @ x.T),
    "rows": (lambda x, a: x + T.dot(a, x[0]) - T.dot(x[:, -1], a), lambda x, a: x + a @ x[0] - x[:, -1] @ a),
    "sums of rows and columns": (
        lambda x, a: T.tanh(a + x.sum(0) - x.sum(1)[:, None] + x.T),
        lambda x, a: np.tanh(a + x.sum(0) - x.sum(1)[:, None] + x.T),
    ),
    "softmax": (
        lambda x, a: T.exp(x + a) / T.exp(x + a).sum(1, keepdims=True),
        lambda x, a: np.exp(x + a) / np.exp(x + a).sum(1, keepdims=True),
    ),
    "diagonals": (
        lambda x, a: T.set_subtensor(x[0], T.diag(a)) * T.diag(x),
        lambda x, a: np.concatenate([np.diag(a)[None], x[1:]]) * np.diag(x),
    ),
    "factors": (lambda x, a: linalg.cholesky(positive(x + a)), lambda x, a: np.linalg.cholesky(positive(x + a))),
    "lower systems": (
        lambda x, a: linalg.solve_triangular(dominant(x), a, lower=True),
        lambda x, a: np.linalg.solve(np.tril(dominant(x)), a),
    ),
    "upper systems, transposed": (
        lambda x, a: linalg.solve_triangular(dominant(x), a.T, lower=False, trans=1).T,
        lambda x, a: np.linalg.solve(np.triu(dominant(x)).T, a.T).T,
    ),
    "unit diagonals": (
        lambda x, a: linalg.solve_triangular(0.1 * x, a, lower=False, unit_diagonal=True),
        lambda x, a: np.linalg.solve(np.triu(0.1 * x, 1) + np.eye(len(a)), a),
    ),
    "systems": (
        lambda x, a: linalg.solve(dominant(x)[::-1], a) + T.dot(x, a),
        lambda x, a: np.linalg.solve(dominant(x)[::-1], a) + x @ a,
    ),
    "systems from the right": (
        lambda x, a: linalg.solve(dominant(x)[::-1].T, a.T).T,
        lambda x, a: np.linalg.solve(dominant(x)[::-1].T, a.T).T,
    ),
    "one right-hand side": (
        lambda x, a: x * 0.5 + linalg.solve(dominant(a)[::-1], x[0]),
        lambda x, a: x * 0.5 + np.linalg.solve(dominant(a)[::-1], x[0]),
    ),
}


def by_numpy(step: Callable[[Any, Any], Any], x: Any, a: Any, n: int) -> Any:
    found = []
    for _ in range(n):
        x = step(x, a)
        found.append(x)
    return np.array(found).reshape(n, *x.shape)


@pytest.mark.parametrize("how", MODES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", STEPS)
def test_rounds_are_those_of_numpy(name: str, dtype: str, how: str) -> None:
    step, plain = STEPS[name]
    x, a, n = matrix("x", dtype), matrix("a", dtype), T.lscalar("n")
    values = rounds(lambda x: T.cast(step(x, a), dtype), x, n)
    f = tensordsl.function([x, a, n], [values, values[-1]], mode=MODES[how])
    r = np.random.default_rng(0)
    for size in SIZES if name not in ("rows", "diagonals", "one right-hand side") else SIZES[1:]:
        given = [(r.normal(size=(size, size)) / max(size, 1) ** 0.5).astype(dtype) for _ in range(2)]
        for count in (1, 2, 7):
            wanted = by_numpy(plain, *(v.astype("float64") for v in given), count)
            # in all orders of memory
            for arguments in (given, [v.T.copy().T for v in given], [np.repeat(v, 2, 1)[:, ::2] for v in given]):
                found, last = f(*arguments, count)
                tolerance = 1e-9 if dtype == "float64" else 2e-3
                np.testing.assert_allclose(found, wanted, tolerance, tolerance, err_msg=f"{size}, {count} rounds")
                assert last.tobytes() == found[-1].tobytes() and found.dtype == dtype


@pytest.mark.parametrize("name", STEPS)
def test_gradients_are_those_of_differences(name: str) -> None:
    step, plain = STEPS[name]
    x, a, n = matrix("x"), matrix("a"), T.lscalar("n")
    values = rounds(lambda x: step(x, a), x, n)
    cost = T.sin(values).sum()
    outputs = [cost, *T.grad(cost, [x, a])]
    on, off = (tensordsl.function([x, a, n], outputs, mode=mode) for mode in (FAST_RUN, OFF))
    r = np.random.default_rng(1)
    for size in (1, 3, 5, 9):
        start, fixed, d, e = r.normal(size=(4, size, size)) / np.sqrt(size)
        found = on(start, fixed, 4)
        for one, other in zip(found, off(start, fixed, 4), strict=True):
            np.testing.assert_allclose(one, other, 1e-9, 1e-9)
        at = [np.sin(by_numpy(plain, start + h * d, fixed + h * e, 4)).sum() for h in (-1e-6, 1e-6)]
        slope = (found[1] * d).sum() + (found[2] * e).sum()
        np.testing.assert_allclose(slope, (at[1] - at[0]) / 2e-6, 1e-4, 1e-4 * (1 + abs(slope)))


# -- what fails ----------------------------------------------------------------------------------------------------------
def test_a_singular_matrix_is_named_with_its_round() -> None:
    rows, a = T.dtensor3("rows"), matrix("a")
    factor = tensordsl.scan(lambda m, x: linalg.cholesky(m) + 0 * x, rows, a, name="filter")[0]
    solved = tensordsl.scan(lambda m, x: linalg.solve(m, x), rows, a, name="filter")[0]
    below = tensordsl.scan(lambda m, x: linalg.solve_triangular(m, x, lower=True), rows, a, name="filter")[0]
    good = np.stack([2 * np.eye(3)] * 5)
    bad = good.copy()
    bad[3, 1, 1] = 0
    for values, text in ((factor, "not positive definite"), (solved, "is singular"), (below, "is singular")):
        errors = []
        for how in MODES.values():
            f = tensordsl.function([rows, a], [values, values[-1]], mode=how)
            f(good, np.eye(3))
            with pytest.raises(np.linalg.LinAlgError, match=text) as caught:
                f(bad, np.eye(3))
            errors.append(str(caught.value).split("HINT")[0])
            assert "filter" in errors[-1] and "3" in errors[-1] and "test_rounds_of_matrices.py" in errors[-1]
            f(good, np.eye(3))
        assert len(set(errors)) == 1, errors


def test_a_factor_of_nan_where_errors_give_one() -> None:
    a, n = matrix("a"), T.lscalar("n")
    last = rounds(lambda x: linalg.cholesky(x - a, on_error="nan") + 2 * a, 2 * a, n)[-1]
    for how in MODES.values():
        f = tensordsl.function([a, n], last, mode=how)
        for size in (1, 2, 5, 9):
            assert np.isnan(f(np.eye(size) * -1, 1)).all()
            assert np.isfinite(f(np.eye(size), 1)).all()


def test_nan_goes_through() -> None:
    x, a, n = matrix("x"), matrix("a"), T.lscalar("n")
    for name in ("factors", "systems", "lower systems", "products"):
        values = rounds(lambda x, name=name: STEPS[name][0](x, a), x, n)
        for how in MODES.values():
            assert np.isnan(
                tensordsl.function([x, a, n], values, mode=how)(np.full((3, 3), np.nan), np.eye(3), 2)
            ).any()


def test_an_index_out_of_range_is_an_error_and_changes_nothing() -> None:
    a, k, n = matrix("a"), T.lvector("k"), T.lscalar("n")
    kept = tensordsl.shared(np.zeros((2, 2)))
    last = rounds(lambda x: T.dot(x, a) + a[k, k], a, n)[-1]
    for how in MODES.values():
        f = tensordsl.function([a, k, n], last, updates=[(kept, last)], mode=how)
        np.testing.assert_allclose(f(np.eye(2), [0, -1], 2), [[3, 2], [2, 3]])
        before = kept.get_value()
        for bad in ([0, 2], [-3, 0]):
            with pytest.raises(IndexError):
                f(2 * np.eye(2), bad, 2)
        np.testing.assert_array_equal(kept.get_value(), before)


def test_no_rounds_and_lengths_that_differ() -> None:
    x, a, n = matrix("x"), matrix("a"), T.lscalar("n")
    values = rounds(lambda x: T.dot(x, a), x, n)
    for how in MODES.values():
        f = tensordsl.function([x, a, n], [values, T.grad(values.sum(), a)], mode=how)
        found, slope = f(np.ones((2, 3)), np.ones((3, 3)), 0)
        assert found.shape == (0, 2, 3) and not slope.any()
        assert f(np.ones((2, 0)), np.ones((0, 0)), 3)[0].shape == (3, 2, 0)
        for wrong in (np.ones((3, 2)), np.ones((2, 3))):
            with pytest.raises(ValueError):
                f(np.ones((2, 3)), wrong, 2)
        assert f(np.ones((20, 30)), np.ones((30, 30)) / 30, 2)[0].shape == (2, 20, 30)


# -- what stands around --------------------------------------------------------------------------------------------------
def test_a_loop_that_ends_early() -> None:
    x, a = matrix("x"), matrix("a")

    def step(x: Any) -> Any:
        x = T.dot(x, a)
        return x, until(abs(x).max() > 100)

    values = tensordsl.scan(step, outputs_info=x, n_steps=1000)[0]
    for how in MODES.values():
        f = tensordsl.function([x, a], [values[-1], values.shape[0]], mode=how)
        last, count = f(np.eye(2), 2 * np.eye(2))
        assert count == 7 and last[0, 0] == 128
        assert f(np.eye(2), 0.5 * np.eye(2))[1] == 1000


def test_more_rounds_than_a_kernel_does_at_once() -> None:
    x, a, n = matrix("x"), matrix("a"), T.lscalar("n")
    values = rounds(lambda x: T.tanh(T.dot(a, x)), x, n)
    f, g = (tensordsl.function([x, a, n], values, mode=how) for how in (FAST_RUN, OFF))
    for size in (2, 5):
        start, fixed = np.random.default_rng(2).normal(size=(2, size, size))
        np.testing.assert_allclose(f(start, fixed, 1000), g(start, fixed, 1000), 1e-9, 1e-9)


def test_branches_copies_and_integers_in_rounds() -> None:
    x, a, n = matrix("x"), matrix("a"), T.lscalar("n")

    def step(t: Any, x: Any, before: Any, count: Any) -> Any:
        y = tensordsl.ifelse.ifelse(T.eq(t % 3, 0), T.dot(x, a), x + a[t % 2])
        return y, x, count + T.cast(y.sum() > 0, "int64")

    f, g = (
        tensordsl.function(
            [x, a, n], tensordsl.scan(step, T.arange(n), [x, x, T.constant(0, dtype="int64")])[0], mode=how
        )
        for how in (FAST_RUN, OFF)
    )
    for size in (2, 4, 9):
        start, fixed = np.random.default_rng(3).normal(size=(2, size, size)) / 3
        for count in (0, 1, 8):
            for one, other in zip(f(start, fixed, count), g(start, fixed, count), strict=True):
                np.testing.assert_allclose(one, other, 1e-9, 1e-9)


@pytest.fixture
def ends() -> Sequence[End]:
    return [End(), End(), End()]


@pytest.mark.parametrize("how", ["on", "numbers"])
def test_nothing_outside_of_arrays_is_touched(how: str, ends: Sequence[End]) -> None:
    x, a, rows = matrix("x"), matrix("a"), T.dtensor3("rows")

    def step(row: Any, x: Any) -> Any:
        factor = linalg.cholesky(positive(x + row))
        return linalg.solve(dominant(T.dot(factor, a.T))[::-1], T.dot(a, x)) + T.diag(x) * x.sum(1)[:, None] * 0.01

    values = tensordsl.scan(step, rows, x)[0]
    f = tensordsl.function([rows, x, a], [values, *T.grad(values.sum(), [rows, x, a])], mode=MODES[how])
    for size in (1, 2, 3, 5, 8):
        given = [np.random.default_rng(size).normal(size=shape) for shape in ((4, size, size), *[(size, size)] * 2)]
        wanted = f(*given)
        for put in ("put", "put_first"):
            found = f(*(getattr(end, put)(v) for end, v in zip(ends, given, strict=True)))
            for one, other in zip(found, wanted, strict=True):
                assert one.tobytes() == other.tobytes()
