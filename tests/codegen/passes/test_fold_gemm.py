"""Matrix products: what is folded into one call and what is not, the order of chains, and the results."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from tuned import of_width

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi.layouts import HIDDEN_ROWS, USUAL_LENGTHS
from tensordsl.codegen.bufferise.function import build_program
from tensordsl.codegen.compiler.pipeline import optimise_lowered
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.verify import verify
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.ops.control import loop_index, make_loop

A, B, C, D = (T.dmatrix(name) for name in "ABCD")
U, V = T.dvector("u"), T.dvector("v")
COLUMN, ROW = T.dcol("column"), T.drow("row")
X, Y = (T.dtensor3(name) for name in "XY")


def program(
    inputs: list[Any], outputs: list[Any], updates: Any = (), shared: Any = (), at_run_time: bool = True
) -> p.Program:
    shared = [*shared, *(s for s, _ in updates)]
    low = lower(inputs, shared, outputs, updates)
    optimise_lowered(low, on_cpu=at_run_time)
    small = (HIDDEN_ROWS, USUAL_LENGTHS)  # as functions are compiled at first
    types = [v.type for v in inputs], [v.type for v in shared]
    made, _ = build_program("f", low, *types, False, of_width(32), small=small)
    verify(made)
    return made


def gemms(made: p.Program) -> list[p.Gemm]:
    return [i for i in p.walk_program(made.code) if isinstance(i, p.Gemm)]


def count(made: p.Program, *kinds: type) -> int:
    return sum(isinstance(i, kinds) for i in p.walk_program(made.code))


def matrices(*shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=s) for s in shapes]


# name: (inputs, expression, shapes, (alpha, beta) of each product, launches of other kernels)
FOLDED: dict[str, Any] = {
    "a factor": ([A, B], 3 * T.dot(A, B), ((4, 3), (3, 5)), [(3.0, 0.0)], 0),
    "a sign": ([A, B], -T.dot(A, B), ((4, 3), (3, 5)), [(-1.0, 0.0)], 0),
    "a sign and a factor": ([A, B], -(T.dot(A, B) * 0.1), ((4, 3), (3, 5)), [(-0.1, 0.0)], 0),
    "a factor of a vector": ([A, V], 0.5 * T.dot(A, V), ((4, 3), (3,)), [(0.5, 0.0)], 0),
    "a sum": ([A, B, C, D], T.dot(A, B) + T.dot(C, D), ((4, 3), (3, 5), (4, 2), (2, 5)), [(1, 0), (1, 1)], 0),
    "a difference": ([A, B, C, D], T.dot(A, B) - T.dot(C, D), ((4, 3), (3, 5), (4, 2), (2, 5)), [(1, 0), (-1, 1)], 0),
    "three": ([A, B], T.dot(A, B) - 2 * T.dot(B, A) + T.dot(A, A), ((4, 4), (4, 4)), [(1, 0), (-2, 1), (1, 1)], 0),
    "with transposes": ([A, B], T.dot(A.T, B) - T.dot(B.T, A), ((4, 4), (4, 4)), [(1, 0), (-1, 1)], 0),
    "a transpose": ([A, B, C, D], T.dot(A, B) - T.dot(C, D).T, ((4, 3), (3, 5), (5, 2), (2, 4)), [(1, 0), (-1, 1)], 0),
    "two transposes": ([A, B], T.dot(A, B).T + (3 * T.dot(B, A)).T, ((4, 4), (4, 4)), [(1, 0), (3, 1)], 0),
    "a matrix's own": ([A, B], T.dot(A, B) + T.dot(B, A.T).T, ((9, 4), (4, 4)), [(1, 0), (1, 1)], 0),
    "a factor from a factor": ([A, B], 0.1 * (0.3 * T.dot(A, B)), ((4, 3), (3, 5)), [(0.3, 0.0)], 1),
    "no factor of 0": ([A, B], 0 * T.dot(A, B), ((4, 3), (3, 5)), [(1.0, 0.0)], 1),
    "no huge factor": ([A, B], 1e30 * T.dot(A, B), ((4, 3), (3, 5)), [(1.0, 0.0)], 1),
    "no infinite factor": ([A, B], np.inf * T.dot(A, B), ((4, 3), (3, 5)), [(1.0, 0.0)], 1),
    "no row for all": ([A, B, V], T.dot(A, B) + T.dot(V, B), ((4, 3), (3, 5), (3,)), [(1, 0), (1, 0)], 1),
    "a matrix that is no product": ([A, B, C], C - T.dot(A, B), ((4, 3), (3, 5), (4, 5)), [(1.0, 0.0)], 1),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDED)
def test_factors_and_sums_are_folded_into_products(name: str) -> None:
    inputs, expression, shapes, factors, launches = FOLDED[name]
    made = program(inputs, [expression])
    assert [(i.alpha, i.beta) for i in gemms(made)] == factors
    assert count(made, p.Launch) == launches and not count(made, p.Copy)
    values = matrices(*shapes)
    got = tensordsl.function(inputs, expression)(*values)
    want = tensordsl.function(inputs, expression, mode="REFERENCE")(*values)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_a_product_with_another_user_stays() -> None:
    product = T.dot(A, B)
    assert [(i.alpha, i.beta) for i in gemms(program([A, B], [2 * product, product]))] == [(1.0, 0.0)]
    f = tensordsl.function([A, B], [product - T.dot(B, A), product + product])
    a, b = matrices((4, 4), (4, 4))
    np.testing.assert_allclose(f(a, b)[0], a @ b - b @ a)
    np.testing.assert_allclose(f(a, b)[1], 2 * (a @ b))


# -- updates -----------------------------------------------------------------------------------------------------------
def weights(dtype: str = "float64") -> Any:
    return tensordsl.shared(np.random.default_rng(1).normal(size=(5, 3)).astype(dtype), name="w")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_step_of_gradient_descent_is_one_product_in_place(dtype: str) -> None:
    w, x, g = weights(dtype), T.matrix("x", dtype), T.matrix("g", dtype)
    new = w - np.dtype(dtype).type(0.1) * T.dot(x.T, g)
    made = program([x, g], [], [(w, new)])
    (only,) = gemms(made)
    assert only.beta == 1 and only.alpha == -float(np.dtype(dtype).type(0.1)) and not count(made, p.Launch)
    f = tensordsl.function([x, g], [], updates=[(w, new)])
    for order in (lambda m: m, lambda m: m[::-1, ::-1], np.asfortranarray, lambda m: np.repeat(m[:1], 4, 0)):
        a, b = (order(m.astype(dtype)) for m in matrices((4, 5), (4, 3)))
        old, place = w.get_value(), w.get_value(borrow=True).ctypes.data
        f(a, b)
        np.testing.assert_allclose(w.get_value(), old - 0.1 * a.T @ b, rtol=1e-5 if dtype == "float32" else 1e-12)
        assert w.get_value(borrow=True).ctypes.data == place


def test_an_update_by_a_product_leaves_what_others_hold_and_what_failed() -> None:
    w = weights()
    f = tensordsl.function([A, B], [], updates=[(w, T.dot(A.T, B) + w)])
    held = w.get_value(borrow=True)
    old = held.copy()
    a, b = matrices((4, 5), (4, 3))
    f(a, b)
    np.testing.assert_array_equal(held, old)
    np.testing.assert_allclose(w.get_value(), old + a.T @ b)
    now = w.get_value()
    with pytest.raises(ValueError, match="dot"):
        f(a, b[:2])
    assert w.get_value().tobytes() == now.tobytes()


def test_updates_by_products_of_the_variable_itself_and_of_each_other() -> None:
    s, t = (tensordsl.shared(m) for m in matrices((4, 4), (4, 4)))
    a, b = s.get_value(), t.get_value()
    updates = [(s, s + T.dot(s, t)), (t, t - 0.5 * T.dot(s.T, t))]
    program([], [], updates)
    f = tensordsl.function([], s, updates=updates)
    np.testing.assert_array_equal(f(), a)
    np.testing.assert_allclose(s.get_value(), a + a @ b)
    np.testing.assert_allclose(t.get_value(), b - 0.5 * a.T @ b)


def test_a_long_step_that_lets_other_threads_run() -> None:
    w = tensordsl.shared(np.zeros((200, 150)))
    f = tensordsl.function([A, B], [], updates=[(w, w - 2 * T.dot(A.T, B))])
    a, b = matrices((300, 200), (300, 150))
    f(a, b)
    f(a, b)
    np.testing.assert_allclose(w.get_value(), -4 * a.T @ b, rtol=1e-10, atol=1e-10)


def test_beside_updates_of_rows() -> None:
    w, s, i = weights(), tensordsl.shared(np.zeros((9, 3))), T.lvector("i")
    updates = [(w, w - T.dot(A.T, B)), (s, T.inc_subtensor(s[i], B))]
    program([A, B, i], [], updates)
    a, b = matrices((4, 5), (4, 3))
    old = w.get_value()
    tensordsl.function([A, B, i], [], updates=updates)(a, b, [1, 1, 2, 8])
    np.testing.assert_allclose(w.get_value(), old - a.T @ b)
    np.testing.assert_allclose(s.get_value()[1], b[0] + b[1])


def test_an_empty_sum_adds_nothing_and_nan_is_not_read_with_beta_0() -> None:
    w = weights()
    old = w.get_value()
    tensordsl.function([A, B], [], updates=[(w, w - T.dot(A.T, B))])(np.zeros((0, 5)), np.zeros((0, 3)))
    np.testing.assert_array_equal(w.get_value(), old)
    assert (tensordsl.function([A, B], -2 * T.dot(A.T, B))(np.zeros((0, 5)), np.zeros((0, 3))) == 0).all()
    w.set_value(np.full((5, 3), np.nan))
    f = tensordsl.function([A, B], [], updates=[(w, 3 * T.dot(A.T, B))])
    for _ in range(2):
        f(np.ones((2, 5)), np.ones((2, 3)))
        assert (w.get_value() == 6).all()


# -- factors known at run time -----------------------------------------------------------------------------------------
NUMBER = T.dscalar("number")
SCALED: dict[str, Any] = {  # expression, operands of the product beyond the matrices, launches of other kernels
    "an input": (NUMBER * T.dot(A, B), 1, 0),
    "a sign": (-(T.dot(A, B) * NUMBER), 1, 0),
    "computed": (2 * NUMBER * T.dot(A, B), 1, 1),
    "with an elementwise user": (T.exp(NUMBER * T.dot(A, B)), 0, 1),
    "two factors": (NUMBER * T.dot(A, B) * T.sqrt(NUMBER), 0, 1),
    "beside a known one": (NUMBER * (0.1 * T.dot(A, B)), 0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", SCALED)
def test_factors_known_at_run_time(name: str) -> None:
    expression, factors, launches = SCALED[name]
    made = program([A, B, NUMBER], [expression])
    assert sum(i.factor is not None for i in gemms(made)) == factors and count(made, p.Launch) == launches
    assert all(i.factor is None for i in gemms(program([A, B, NUMBER], [expression], at_run_time=False)))
    values = (*matrices((4, 3), (3, 5)), 0.3)
    got = tensordsl.function([A, B, NUMBER], expression)(*values)
    want = tensordsl.function([A, B, NUMBER], expression, mode="REFERENCE")(*values)
    np.testing.assert_allclose(got, want, rtol=1e-12)


EXTREME = (0.0, -0.0, 1e-30, 1e30, 2.0**-25, 2.0**25, np.inf, -np.inf, np.nan, 0.3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "shape", [(2, 3, 2), (3, 300, 20), (1, 40, 30), (40, 30, 1), (40, 20, 30), (3, 0, 2), (0, 3, 2)]
)
def test_factors_that_a_blas_would_treat_otherwise(dtype: str, shape: tuple[int, int, int]) -> None:
    """0 times infinity is NaN; a huge factor must not make an operand overflow, nor a tiny one let it vanish."""
    m, k, n = shape
    x, y, number = T.matrix("x", dtype), T.matrix("y", dtype), T.scalar("number", dtype)
    w = tensordsl.shared(np.zeros((m, n), dtype))
    f = tensordsl.function([x, y, number], number * T.dot(x, y), updates=[(w, w - number * T.dot(x, y))])
    a, b = (z.astype(dtype) for z in matrices((m, k), (k, n)))
    operands = [(a, b), (np.asfortranarray(a), b), (a, np.asfortranarray(b)), (np.repeat(a, 2, 1)[:, ::2], b)]
    if k > 1 and m:
        special = a.copy()
        special[0, 0], special[-1, -1] = np.inf, np.nan
        operands.append((special, b))
        operands.append((a * dtype_scale(dtype), b))
    for left, right in operands:
        for factor in np.array(EXTREME, dtype):
            with np.errstate(all="ignore"):
                product = (left.astype("longdouble") @ right.astype("longdouble")).astype(dtype)
                want = factor * product
                w.set_value(np.ones((m, n), dtype))
                got = f(left, right, factor)
                close = {"rtol": 1e-11 if dtype == "float64" else 2e-4, "equal_nan": True}
                slack = np.abs(factor) * 1e-13 * (1 if dtype == "float64" else 1e7) * np.abs(left.max(initial=0))
                slack = slack if np.isfinite(slack) else 0.0
                np.testing.assert_allclose(got, want, atol=slack, **close)
                np.testing.assert_allclose(w.get_value(), np.ones((m, n), dtype) - want, atol=slack, **close)


def dtype_scale(dtype: str) -> Any:
    """Numbers near the largest one, whose products with 1e30 overflow and with 1e-30 do not."""
    return np.dtype(dtype).type(1e300 if dtype == "float64" else 1e30)


def test_a_learning_rate_that_is_state_and_changes() -> None:
    w, rate = weights(), tensordsl.shared(0.5)
    updates = [(w, w - rate * T.dot(A.T, B)), (rate, rate / 2)]
    made = program([A, B], [], updates)
    (only,) = gemms(made)
    assert only.factor is not None and only.beta == 1
    f = tensordsl.function([A, B], [], updates=updates)
    a, b = matrices((4, 5), (4, 3))
    old = w.get_value()
    f(a, b)
    f(a, b)
    np.testing.assert_allclose(w.get_value(), old - 0.75 * a.T @ b)
    assert rate.get_value() == 0.125


RATE, DECAY = T.dscalar("rate"), T.dscalar("decay")
DECAYED: dict[str, Any] = {  # the update of w, whether its one product takes beta from memory, launches of other kernels
    "an input": (lambda w: DECAY * w - T.dot(A.T, B), True, 0),
    "weight decay": (lambda w: w * (1 - RATE * DECAY) - RATE * T.dot(A.T, B), True, 1),
    "added": (lambda w: T.dot(A.T, B) * RATE + w * DECAY, True, 0),
    "momentum": (lambda w: 0.9 * w - 0.1 * T.dot(A.T, B), False, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", DECAYED)
def test_a_decay_is_part_of_the_product(name: str) -> None:
    new, from_memory, launches = DECAYED[name]
    w = weights()
    updates = [(w, new(w))]
    made = program([A, B, RATE, DECAY], [], updates)
    (only,) = gemms(made)
    assert (only.decay is not None) == from_memory and count(made, p.Launch) == launches
    (plain,) = gemms(program([A, B, RATE, DECAY], [], updates, at_run_time=False))
    assert plain.decay is None and plain.beta == (0 if from_memory else only.beta)
    f = tensordsl.function([A, B, RATE, DECAY], [], updates=updates, on_unused_input="ignore")
    a, b = matrices((4, 5), (4, 3))
    old = w.get_value()
    reference = tensordsl.function(
        [A, B, RATE, DECAY], new(w), on_unused_input="ignore", mode="REFERENCE"
    )(a, b, 0.3, 0.7)  # fmt: skip
    f(a, b, 0.3, 0.7)
    assert not np.array_equal(old, w.get_value())
    np.testing.assert_allclose(w.get_value(), reference, rtol=1e-12)


MOMENTUM: dict[str, tuple[Any, int]] = {  # the new values of (v, w); products that add to v where it is
    "momentum": (lambda v, w, g: (n := 0.9 * v - 0.1 * g, w + n), 1),
    "with a rate and a decay of the call": (lambda v, w, g: (n := DECAY * v - RATE * g, w * 0.5 + n), 1),
    "the new value twice": (lambda v, w, g: (n := v + g, w + n * T.exp(n)), 1),
    "looking ahead": (lambda v, w, g: (n := 0.9 * v - 0.1 * g, w + 0.9 * n - 0.1 * g), 0),  # the product has two users
    "the old value, too": (lambda v, w, g: (n := 0.9 * v - 0.1 * g, w + n - v), 0),
}


@pytest.mark.parametrize("name", MOMENTUM)
def test_a_step_with_momentum_adds_to_what_moves(name: str) -> None:
    new, added = MOMENTUM[name]
    v, w = weights(), tensordsl.shared(np.ones((5, 3)), name="v")
    updates = list(zip((v, w), new(v, w, T.dot(A.T, B)), strict=True))
    made = gemms(program([A, B, RATE, DECAY], [], updates))
    assert len(made) == 1 and sum(i.beta != 0 or i.decay is not None for i in made) == added
    f = tensordsl.function([A, B, RATE, DECAY], [], updates=updates, on_unused_input="ignore")
    oracle = tensordsl.function(
        [A, B, RATE, DECAY], [x for _, x in updates], on_unused_input="ignore", mode="REFERENCE"
    )  # fmt: skip
    for rows in (4, 0, 40):
        a, b = matrices((rows, 5), (rows, 3))
        want = oracle(a, b, 0.3, 0.7)
        f(a, b, 0.3, 0.7)
        for x, expected in zip((v, w), want, strict=True):
            np.testing.assert_allclose(x.get_value(), expected, rtol=1e-12, atol=1e-12)
    before = v.get_value(), w.get_value()
    with pytest.raises(ValueError, match="dot"):
        f(a, b[:2], 0.3, 0.7)
    assert all(x.get_value().tobytes() == old.tobytes() for x, old in zip((v, w), before, strict=True))


@pytest.mark.parametrize(
    "new",
    [
        lambda w: T.exp(w) * DECAY - T.dot(A.T, B),  # not the variable itself
        lambda w: w * DECAY * RATE - T.dot(A.T, B),  # two numbers
        lambda w: T.dot(A.T, B) - w * DECAY,  # its negative
        lambda w: w * V - T.dot(A.T, B),  # not a number
    ],
)
def test_what_is_no_decay(new: Any) -> None:
    w = weights()
    assert all(i.beta == 0 for i in gemms(program([A, B, RATE, DECAY, V], [], [(w, new(w))])))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "shape", [(2, 3, 2), (3, 300, 20), (1, 40, 30), (40, 30, 1), (40, 20, 30), (3, 0, 2), (0, 3, 2), (130, 70, 60)]
)
def test_a_decay_multiplies_whatever_it_is(dtype: str, shape: tuple[int, int, int]) -> None:
    """0 times infinity is NaN, in the old value too."""
    m, k, n = shape
    x, y, number = T.matrix("x", dtype), T.matrix("y", dtype), T.scalar("number", dtype)
    w = tensordsl.shared(np.zeros((m, n), dtype))
    f = tensordsl.function([x, y, number], [], updates=[(w, w * number - T.dot(x, y))])
    a, b, old = (z.astype(dtype) for z in matrices((m, k), (k, n), (m, n)))
    special = old.copy()
    special.flat[:1], special.flat[-1:] = np.inf, np.nan
    for start in (old, special):
        for factor in np.array((*EXTREME, 1.0), dtype):
            with np.errstate(all="ignore"):
                want = factor * start - a @ b
            w.set_value(start)
            f(a, b, factor)
            np.testing.assert_allclose(w.get_value(), want, rtol=2e-4 if dtype == "float32" else 1e-11, atol=1e-4)


# -- long calls --------------------------------------------------------------------------------------------------------
def test_a_long_call_adds_in_place_while_it_holds_the_gil() -> None:
    w = tensordsl.shared(np.zeros((200, 150)))
    f = tensordsl.function([A, B], T.exp(A).sum(), updates=[(w, w - 2 * T.dot(A.T, B))])
    a, b = matrices((300, 200), (300, 150))
    places = set()
    for _ in range(3):
        f(a, b)
        places.add(w.get_value(borrow=True).ctypes.data)
    assert len(places) == 1
    np.testing.assert_allclose(w.get_value(), -6 * a.T @ b, rtol=1e-10, atol=1e-10)
    held = w.get_value(borrow=True)
    before = held.copy()
    f(a, b)
    np.testing.assert_array_equal(held, before)
    np.testing.assert_allclose(w.get_value(), -8 * a.T @ b, rtol=1e-10, atol=1e-10)


def test_a_product_that_takes_longer_lets_others_run_and_shows_no_half_of_it() -> None:
    w = tensordsl.shared(np.zeros((600, 500)))
    f = tensordsl.function([A, B], [], updates=[(w, w + T.dot(A.T, B))])
    a, b = np.ones((1500, 600)), np.ones((1500, 500))
    seen, stop = set(), threading.Event()

    def look() -> None:
        while not stop.is_set():
            now = w.get_value()
            assert now.min() == now.max()
            seen.add(now[0, 0])

    other = threading.Thread(target=look)
    other.start()
    for _ in range(5):
        f(a, b)
    stop.set()
    other.join()
    assert seen <= {1500.0 * k for k in range(6)} and (w.get_value() == 7500).all()


def test_a_product_as_new_state_is_computed_there() -> None:
    w, s = weights(), weights()
    made = program([A, B], [], [(w, T.dot(A.T, B)), (s, s + T.dot(B.T, B)[:1])])
    assert not count(made, p.Copy)
    made = program([], [], [(w, T.dot(w, T.dot(w.T, w)))])
    f = tensordsl.function([], [], updates=[(w, T.dot(w, T.dot(w.T, w)))])
    old = w.get_value()
    f()
    np.testing.assert_allclose(w.get_value(), old @ old.T @ old)


# -- storage -----------------------------------------------------------------------------------------------------------
def test_what_a_write_begins_with_is_computed_in_its_place() -> None:
    i = T.lvector("i")
    for write in (T.inc_subtensor((2 * A)[i], B), T.set_subtensor((2 * A)[1:3], 0.0)):
        assert not count(program([A, B, i], [write]), p.Copy)
    inner = T.inc_subtensor((2 * A)[i], B)
    made = program([A, B, i], [T.sum(T.set_subtensor(inner[:, 0], 7.0))])
    assert not count(made, p.Copy) and sum(len(a.items) for a in made.code if isinstance(a, p.Arena)) <= 2
    values = (*matrices((5, 3), (4, 3)), np.array([0, 4, 0, 2]))
    for result in (inner, T.set_subtensor(inner[:, 0], 7.0), T.inc_subtensor(inner[1:], inner[:-1])):
        got = tensordsl.function([A, B, i], result)(*values)
        np.testing.assert_allclose(got, tensordsl.function([A, B, i], result, mode="REFERENCE")(*values))


def test_what_is_written_with_itself_is_copied() -> None:
    i = T.lvector("i")
    twice, values = 2 * A, (*matrices((4, 4)), np.array([2, 0, 3, 1]))
    for result in (
        T.set_subtensor(twice[i], twice), T.inc_subtensor(twice[i], twice.T), T.set_subtensor(twice[1:], twice[:-1]),
        T.inc_subtensor(T.dot(A, A)[:], T.dot(A, A).T),
    ):  # fmt: skip
        got = tensordsl.function([A, i], result, on_unused_input="ignore")(*values)
        want = tensordsl.function([A, i], result, mode="REFERENCE", on_unused_input="ignore")(*values)
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_of_two_writes_that_begin_with_one_value_the_last_gets_its_storage() -> None:
    i, product = T.lvector("i"), T.dot(A, A)
    first = T.inc_subtensor(product[i], 1.0)
    result = T.inc_subtensor(product[:, i], T.sum(first))
    values = (*matrices((4, 4)), np.array([2, 0]))
    got = tensordsl.function([A, i], result)(*values)
    want = tensordsl.function([A, i], result, mode="REFERENCE")(*values)
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_what_is_needed_later_is_copied() -> None:
    twice = T.tanh(A)
    written = T.set_subtensor(twice[0], 9.0)
    f = tensordsl.function([A], [written, twice, T.dot(written, twice.T)])
    (a,) = matrices((4, 3))
    first, second, third = f(a)
    want = np.tanh(a)
    np.testing.assert_allclose(second, want)
    want[0] = 9
    np.testing.assert_allclose(first, want)
    np.testing.assert_allclose(third, want @ np.tanh(a).T)


# -- chains ------------------------------------------------------------------------------------------------------------
TALL, SMALL = T.TensorType("float64", (1000, 10))("tall"), T.TensorType("float64", (10, 1000))("small")
CHAINS: dict[str, Any] = {
    # inputs, expression, shapes, the lengths summed over, in order
    "a vector behind": ([A, B, V], T.dot(T.dot(A, B), V), ((4, 3), (3, 5), (5,)), 2),
    "a vector in front": ([U, A, B], T.dot(U, T.dot(A, B)), ((4,), (4, 3), (3, 5)), 2),
    "a column": ([A, B, COLUMN], T.dot(T.dot(A, B), COLUMN), ((4, 3), (3, 5), (5, 1)), 2),
    "a row": ([ROW, A, B], T.dot(ROW, T.dot(A, B)), ((1, 4), (4, 3), (3, 5)), 2),
    "four": ([A, B, C, V], T.dot(T.dot(T.dot(A, B), C), V), ((4, 3), (3, 5), (5, 2), (2,)), 3),
    "transposed": ([A, B, V], T.dot(T.dot(A, B).T, V), ((4, 3), (3, 5), (4,)), 2),
    "factors": ([A, B, V], 0.5 * T.dot(2 * T.dot(A, B), V), ((4, 3), (3, 5), (5,)), 2),
    "known lengths": ([TALL, SMALL, A], T.dot(T.dot(TALL, SMALL), T.specify_shape(A, (1000, 10))),
                      ((1000, 10), (10, 1000), (1000, 10)), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_chains_are_computed_in_the_cheaper_order(name: str) -> None:
    inputs, expression, shapes, products = CHAINS[name]
    made = gemms(program(inputs, [expression]))
    assert len(made) == products and made[0].c in (made[1].a, made[1].b)
    values = matrices(*shapes)
    got = tensordsl.function(inputs, expression)(*values)
    want = tensordsl.function(inputs, expression, mode="REFERENCE")(*values)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


def test_the_order_of_a_chain_with_a_vector() -> None:
    first, second = gemms(program([A, B, V], [T.dot(T.dot(A, B), V)]))
    assert second.b == first.c  # A (B v)
    first, second = gemms(program([U, A, B], [T.dot(U, T.dot(A, B))]))
    assert second.a == first.c  # (u A) B


def test_chains_of_unknown_or_equal_cost_and_shared_products_stay() -> None:
    first, second = gemms(program([A, B, C], [T.dot(T.dot(A, B), C)]))
    assert second.a == first.c
    product = T.dot(A, B)
    assert len(gemms(program([A, B, V], [T.dot(product, V), product]))) == 2


def test_a_product_that_a_loop_does_not_vary_with_stays_outside() -> None:
    n, k, s = T.lscalar("n"), loop_index(), T.dvector("s")
    (final,) = make_loop(n, k, [s], [V], [T.dot(T.dot(A, B), s)])
    made = program([n, A, B, V], [final])
    loops = [i for i in made.code if isinstance(i, p.For)]
    assert len(loops) == 1 and sum(isinstance(i, p.Gemm) for i in p.walk_program(loops[0].body)) == 1


def test_a_huge_factor_of_products_with_transposes() -> None:
    """The sums are multiplied, without room to pack operands that a BLAS can read."""
    factor = T.dscalar("factor")
    f = tensordsl.function([A, B, factor], factor * T.dot(A, B.T))
    g = tensordsl.function([X, Y, factor], factor * T.batched_dot(X, Y.dimshuffle(0, 2, 1)))
    a, b = matrices((200, 190), (180, 190))
    x, y = matrices((3, 70, 60), (3, 80, 60))
    for number in (1e30, 1e-30, 0.0, 2.0):
        np.testing.assert_allclose(f(a, b, number), number * (a @ b.T), rtol=1e-9, atol=1e-12 * number)
        np.testing.assert_allclose(g(x, y, number), number * (x @ y.transpose(0, 2, 1)), rtol=1e-9, atol=1e-12 * number)


# -- stacks of matrices ------------------------------------------------------------------------------------------------
# name: (expression of X and Y, NumPy's, (alpha, beta) of each product)
STACKED: dict[str, Any] = {
    "products": (T.batched_dot(X, Y), lambda x, y: x @ y, [(1.0, 0.0)]),
    "a transpose of each": (
        T.batched_dot(Y.dimshuffle(0, 2, 1), X.dimshuffle(0, 2, 1)), lambda x, y: (x @ y).transpose(0, 2, 1), [(1.0, 0.0)]
    ),
    "reversed and every second": (T.batched_dot(X[::-2], Y[::-2]), lambda x, y: x[::-2] @ y[::-2], [(1.0, 0.0)]),
    "one for all": (T.matmul(X.sum(0, keepdims=True), Y), lambda x, y: x.sum(0, keepdims=True) @ y, [(1.0, 0.0)]),
    "a factor and a sum": (
        T.batched_dot(X, Y) - 0.5 * T.batched_dot(X[::-1], Y), lambda x, y: x @ y - 0.5 * (x[::-1] @ y), [(1, 0), (-0.5, 1)]
    ),
    "of products": (
        T.batched_dot(T.batched_dot(X, Y), T.batched_dot(X, Y)[:, :1].dimshuffle(0, 2, 1)),
        lambda x, y: x @ y @ (x @ y)[:, :1].transpose(0, 2, 1), [(1.0, 0.0)] * 2,
    ),
    "of matrices and vectors": (T.matmul(X, Y[:, :, 0].dimshuffle(0, 1, "x")), lambda x, y: x @ y[:, :, :1], [(1.0, 0.0)]),
}  # fmt: skip


@pytest.mark.parametrize("name", STACKED)
def test_products_of_stacks_are_one_instruction(name: str) -> None:
    expression, numpy, factors = STACKED[name]
    made = program([X, Y], [expression])
    assert [(i.alpha, i.beta) for i in gemms(made)] == factors
    assert all(i.count for i in gemms(made)) and not count(made, p.For)
    f, reference = (tensordsl.function([X, Y], expression, mode=mode) for mode in (None, "REFERENCE"))
    for shape in ((4, 3, 5), (1, 2, 9), (5, 20, 20), (3, 1, 1), (0, 3, 5), (4, 2, 0)):
        x, y = matrices(shape, (shape[0], shape[2], 7 if shape[1] == 3 else shape[1]))
        if shape[0]:
            np.testing.assert_allclose(f(x, y), numpy(x, y), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(f(x, y), reference(x, y), rtol=1e-10, atol=1e-10)
    with pytest.raises(ValueError, match="batched_dot"):
        f(*matrices((2, 3, 4), (2, 5, 4)))


def test_an_update_by_products_of_stacks_is_made_in_place() -> None:
    w = tensordsl.shared(np.random.default_rng(1).normal(size=(4, 5, 3)), name="w")
    rate = T.dscalar("rate")
    new = w - rate * T.batched_dot(X.dimshuffle(0, 2, 1), Y)
    (only,) = gemms(program([X, Y, rate], [], [(w, new)]))
    assert only.count and only.factor and only.beta == 1
    f = tensordsl.function([X, Y, rate], [], updates=[(w, new)])
    for size in (2, 30):
        x, y = matrices((4, size, 5), (4, size, 3))
        old, place = w.get_value(), w.get_value(borrow=True).ctypes.data
        f(x, y, 0.5)
        np.testing.assert_allclose(w.get_value(), old - 0.5 * x.transpose(0, 2, 1) @ y)
        assert w.get_value(borrow=True).ctypes.data == place
    now = w.get_value()
    with pytest.raises(ValueError, match="batched_dot"):
        f(x[:3], y[:3], 0.5)
    assert w.get_value().tobytes() == now.tobytes()


def test_stacks_of_transposed_stacks_are_not_copied() -> None:
    q, k = (T.TensorType("float64", (False,) * 4)(name) for name in "qk")
    scores = T.matmul(q, k.dimshuffle(0, 1, 3, 2))
    made = program([q, k], [scores])
    (only,) = gemms(made)
    assert only.count and not any(
        isinstance(i, p.Launch | p.Copy) for i in made.code
    )  # but where arguments are strided
    f = tensordsl.function([q, k], scores)
    x, y = matrices((2, 3, 4, 5), (2, 3, 6, 5))
    np.testing.assert_allclose(f(x, y), x @ y.transpose(0, 1, 3, 2))
    np.testing.assert_allclose(f(x[:, ::-1], y[:, ::-1]), (x @ y.transpose(0, 1, 3, 2))[:, ::-1])


def test_a_product_that_is_wanted_in_another_shape_is_computed_there() -> None:
    expression = T.tensordot(X, A, [[2], [0]])
    made = program([X, A], [expression, expression * 2])
    (only,) = gemms(made)
    (out, _) = (i for i in made.code if isinstance(i, p.NewOut))
    assert only.c == out.dst and not any(isinstance(i, p.Copy) for i in made.code)
    f = tensordsl.function([X, A], [expression, expression * 2])
    x, a = matrices((2, 3, 4), (4, 5))
    for k, got in enumerate(f(x, a), 1):
        np.testing.assert_allclose(got, k * np.tensordot(x, a, 1))


def test_stacks_with_a_factor_that_only_a_call_knows() -> None:
    s = tensordsl.shared(np.float64(3.0))
    f = tensordsl.function([X, Y], s * T.batched_dot(X, Y), updates=[(s, s * 2)])
    x, y = matrices((3, 2, 4), (3, 4, 2))
    for factor in (3.0, 6.0):
        np.testing.assert_allclose(f(x, y), factor * (x @ y))
