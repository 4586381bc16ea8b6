"""Rows that are kept of what is a view of a state, in loops whose rounds compute the state in its own storage."""

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.scan_module import until

x, y, v = T.dmatrix("x"), T.dmatrix("y"), T.dvector("v")
X = np.arange(9.0).reshape(3, 3)


def test_the_last_row_of_a_reversed_state_that_is_written_over() -> None:
    (_, rows), _ = tensordsl.scan(lambda _, s, a, b: [s * 0.5 + b, s[::-1]], x, [v, dict(initial=y, taps=[-4, -1])])
    f = tensordsl.function([x, y, v], rows[-1:])
    initial = np.arange(15.0).reshape(5, 3)
    np.testing.assert_array_equal(f(X[:1], initial, np.array([1.0, 2, 3])), [[3.0, 2, 1]])


@pytest.mark.parametrize("last", [1, 2])
@pytest.mark.parametrize("view", [lambda s: s[::-1].T, lambda s: s.T[::-1], lambda s: s[::-1], lambda s: s.T])
def test_rows_of_views(view, last: int) -> None:
    (states, rows), _ = tensordsl.scan(lambda a, b: [a * 0.5 + b, view(a)], outputs_info=[x, y], n_steps=3)
    wanted = tensordsl.function([x, y], [states[-last:], rows[-last:]], mode="REFERENCE")(X, X * X)
    for mode in ("FAST_RUN", "FAST_COMPILE"):
        f = tensordsl.function([x, y], [states[-last:], rows[-last:]], mode=mode)
        alone = tensordsl.function([x, y], rows[-last:], mode=mode)
        for got, right in zip((*f(X, X * X), alone(X, X * X)), (*wanted, wanted[1]), strict=True):
            np.testing.assert_array_equal(got, right)


def test_a_number_of_rounds_that_only_a_check_needs_once_a_gradient_is_dropped() -> None:
    """The loop that ends early reads the first loop's scalar state, which nothing else needs."""
    s = T.dscalar("s")
    (sums, scalars, _), _ = tensordsl.scan(
        lambda a, b: [T.dot(b, y).sum(axis=-1), a, T.dot(b, y)], outputs_info=[None, s, x], n_steps=5
    )
    last = scalars[-1]
    short, _ = tensordsl.scan(lambda: (last, until(last.sum() > -0.5)), n_steps=1)
    cost = T.sum(T.cos(sums[-1]) * sums[-1]) + T.cos(short[-1]) * short[-1]
    f, g = (tensordsl.function([s, x, y], T.grad(cost, x), mode=m) for m in ("FAST_RUN", "REFERENCE"))
    np.testing.assert_allclose(f(-0.41, X / 9, X / 20), g(-0.41, X / 9, X / 20), rtol=1e-12)
