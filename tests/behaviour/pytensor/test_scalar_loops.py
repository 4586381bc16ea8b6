"""PyTensor's `ScalarLoop`: what it makes of gradients of special functions, and loops of one's own, at points in all of
their branches, by PyTensor's own Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytensor = pytest.importorskip("pytensor")

import pytensor.scalar as scalars  # noqa: E402
import pytensor.tensor as pt  # noqa: E402
from judge import agrees  # noqa: E402
from pytensor import grad  # noqa: E402
from pytensor.scalar import ScalarLoop  # noqa: E402
from pytensor.tensor.elemwise import Elemwise  # noqa: E402

R = np.random.default_rng(0)
x, y, z, n = pt.dvector("x"), pt.dvector("y"), pt.dvector("z"), pt.lvector("n")
A, row, a = pt.dmatrix("A"), pt.drow("row"), pt.dscalar("a")


def points(function: Any, k: int, *operands: Any) -> Any:
    """The derivative of a function by operand k, at each point."""
    return grad(function(*operands).sum(), operands[k])


SHAPES = np.array([0.3, 0.9, 2.0, 5.0, 11.0, 40.0, 3.0, 0.5, 1.0, 100.0, 2.0])
PLACES = np.array([0.2, 16.0, 1.9, 9.0, 31.0, 6.0, 2.5, 0.5, 0.0, 101.0, 40.0])
SHARES = np.array([0.1, 0.95, 0.5, 0.02, 0.6, 0.999, 0.3, 0.7, 0.5, 0.5, 1e-9])
SERIES = np.array([0.5, -0.5, 0.9, 0.0, -0.9, 0.1, 1.5, 0.3, 0.7, -0.2, 0.4])


@pytest.mark.parametrize("name", ["gammainc", "gammaincc"])
def test_gradients_of_incomplete_gamma_functions(name: str) -> None:
    function = getattr(pt, name)
    assert agrees([x, y], [points(function, k, x, y) for k in (0, 1)], [SHAPES, PLACES]) == set()
    assert agrees([a, y], [points(function, 0, a, y)], [np.float64(2.5), PLACES]) == set()


@pytest.mark.parametrize("k", [0, 1])
def test_gradients_of_the_incomplete_beta_function(k: int) -> None:
    """On both sides of the mean, with one parameter for all points too."""
    assert agrees([x, y, z], [points(pt.betainc, k, x, y, z)], [SHAPES, SHAPES[::-1].copy(), SHARES]) == set()
    assert agrees([a, z], [grad(pt.betainc(a, 2 * a, z).sum(), a)], [np.float64(1.5), SHARES]) == set()


def test_gradients_of_a_hypergeometric_function() -> None:
    """One that has an end, one beyond the circle of convergence, and one at 0 among them."""
    by = [points(pt.hyp2f1, k, x, y, x + y + 0.5, z) for k in (0, 1)]
    assert agrees([x, y, z], by, [SHAPES, np.where(SHAPES == 2.0, -2.0, 0.7), SERIES]) == set()


def test_gradients_in_single_precision() -> None:
    shapes, places = pt.fvector("shapes"), pt.fvector("places")
    given = [v.astype("float32") for v in (np.array([2.0, 3.0, 0.7]), np.array([1.0, 12.0, 0.5]))]
    single, double = (points(pt.gammaincc, 0, *operands) for operands in ([shapes, places], [x, y]))
    ours = pytensor.function([shapes, places], single, mode="TENSORDSL")(*given)
    assert ours.dtype == single.dtype
    numbers = pytensor.function([x, y], double, mode="TENSORDSL")(*[v.astype("float64") for v in given])
    np.testing.assert_allclose(ours, numbers, rtol=1e-4)


# -- loops of one's own ------------------------------------------------------------------------------------------------
def loop(update: Any, until: Any = None, dtype: str = "float64", count: int = 1) -> Any:
    """Of `count` states u and a constant b: the states that `update(b, *u)` gives, up to where `until(b, *u)` is true."""
    states = [scalars.get_scalar_type(dtype)(f"u{k}") for k in range(count)]
    b = scalars.get_scalar_type(dtype)("b")
    more = {} if until is None else {"until": until(b, *states)}
    return Elemwise(ScalarLoop(init=states, update=update(b, *states), constant=[b], **more))


def doubled(b: Any, u: Any) -> list[Any]:
    return [u * 2 + b]


def is_large(b: Any, u: Any) -> Any:
    return u > 3


ONES = np.array([1.0, 0.5, 2.0])
LIMITS = np.array([0, 2**62, 9])


def test_a_point_without_rounds_does_not_keep_the_others_going() -> None:
    found = loop(doubled, is_large)(n, x, x + 1)
    assert agrees([n, x], [*found, found[0] * 2], [LIMITS, ONES]) == set()


def test_rounds_are_counted_for_each_point() -> None:
    assert agrees([n, x], [loop(doubled)(n, x, x + 1)], [np.array([0, 3, 1]), ONES]) == set()
    never = loop(doubled, lambda b, u: u < 0)(n, x, x + 1)
    assert agrees([n, x], list(never), [np.array([5, 0, 7]), ONES]) == set()
    negative = loop(doubled, is_large)(n, x, x)
    assert agrees([n, x], list(negative), [np.array([-1, 2, -(2**40)]), ONES]) == set()


@pytest.mark.parametrize("length", [0, 1, 2, 7, 33, 1000])
def test_lengths(length: int) -> None:
    found = loop(doubled, is_large)(n, x, x + 1)
    values = [np.arange(length) % 5, np.random.default_rng(1).normal(size=length)]
    assert agrees([n, x], list(found), values) == set()


def test_operands_are_stretched() -> None:
    found = loop(doubled, is_large)(pt.constant(4), A, row)
    assert agrees([A, row], list(found), [R.normal(size=(3, 5)), R.normal(size=(1, 5))]) == set()
    assert agrees([a], list(loop(doubled, is_large)(pt.constant(4), a, a)), [np.float64(0.5)]) == set()
    assert agrees([n, a], list(loop(doubled, is_large)(n, a, a)), [np.arange(5), np.float64(0.25)]) == set()


def test_what_is_no_number_is_carried_to_the_limit() -> None:
    found = loop(doubled, is_large)(pt.constant(50), x, x)
    assert agrees([x], list(found), [np.array([np.nan, np.inf, -np.inf, 1.0, -0.0])]) == set()


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint16", "float32", "bool"])
def test_types(dtype: str) -> None:
    if dtype == "bool":
        update = lambda b, u, v: [u ^ b, v ^ u]  # noqa: E731
    else:
        update = lambda b, u, v: [(u + v).astype(dtype), (v * 3 + b).astype(dtype)]  # noqa: E731
    given = [pt.vector(dtype=dtype) for _ in range(3)]
    values = [np.array([0, 1, 1]).astype(dtype), np.array([1, 0, 1]).astype(dtype), np.array([1, 1, 0]).astype(dtype)]
    found = loop(update, lambda b, u, v: scalars.eq(u, b), dtype, 2)(n, *given)
    assert agrees([n, *given], list(found), [np.array([0, 7, 30]), *values]) == set()


def test_a_state_without_a_sign_keeps_its_zero() -> None:
    """Constants are told apart by their bits."""
    one, two = (loop(lambda b, u, c=c: [b * 0 + u * c])(n, x, x) for c in (0.0, -0.0))
    found = pytensor.function([n, x], [1 / one, 1 / two], mode="TENSORDSL")(np.array([1, 1]), np.array([1.0, 2.0]))
    np.testing.assert_array_equal(found, [[np.inf, np.inf], [np.inf, np.inf]])


def test_several_states_and_two_loops_of_the_same_operands() -> None:
    pairs = loop(lambda b, u, v: [scalars.add(u, v), scalars.exp(-u) * b], lambda b, u, v: u > 5, count=2)
    others = loop(lambda b, u, v: [scalars.sub(u, v), scalars.cos(u) * b], lambda b, u, v: u < -5, count=2)
    found = [*pairs(n, x, y, x), *others(n, x, y, x)]
    assert agrees([n, x, y], found, [np.array([40, 0, 3]), ONES, ONES[::-1].copy()]) == set()
    assert agrees([n, x, y], [(found[0] * found[5]).sum()], [np.array([40, 0, 3]), ONES, ONES]) == set()


def test_a_loop_in_a_composition_with_other_results() -> None:
    u, b, k = scalars.float64("u"), scalars.float64("b"), scalars.int64("k")
    inner = ScalarLoop(init=[u], update=[u * 2 + b], constant=[b], until=u > 3)(k, u, b)
    whole = Elemwise(scalars.Composite([k, u, b], [inner[0] + b, scalars.switch(inner[1], inner[0], -b), u * b]))
    found = pytensor.function([n, x, y], list(whole(n, x, y)), mode="TENSORDSL")(np.array([0, 5, 2]), ONES, 4 * ONES)
    np.testing.assert_array_equal(found, [[5.0, 20.0, 40.0], [-4.0, 18.0, 32.0], [4.0, 1.0, 16.0]])


def test_a_loop_within_rounds_of_a_scan() -> None:
    found = pytensor.scan(lambda v, w: loop(doubled, is_large)(n, v, w)[0], sequences=[A], outputs_info=[x])
    found = found[0] if isinstance(found, tuple) else found
    assert agrees([n, A, x], [found], [np.array([0, 4, 9]), R.normal(size=(4, 3)), ONES]) == set()


def test_a_body_with_a_series_over_nodes() -> None:
    """All points have common rounds there.  PyTensor before 3 has no such loops."""
    if hasattr(ScalarLoop, "init_param"):
        with pytest.raises(NotImplementedError):
            hash(loop(lambda b, u: [scalars.owens_t(u, b)]).scalar_op)
        return
    series = loop(lambda b, u: [scalars.owens_t(u, b) + u], lambda b, u: u > 1.2)(n, x, y)
    assert agrees([n, x, y], list(series), [np.array([0, 4, 9]), ONES, ONES]) == set()
    counted = loop(lambda b, u: [scalars.owens_t(u, b) + u])(n, x, y)
    assert agrees([n, x, y], [counted], [np.array([0, 4, 9]), ONES, ONES]) == set()
    assert agrees([x, y], [loop(lambda b, u: [scalars.owens_t(u, b)])(pt.constant(2), x, y)], [ONES, ONES]) == set()
