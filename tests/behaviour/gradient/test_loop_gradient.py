"""Gradients through loops and branches: against the unrolled graph, and against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import Rop, grad, hessian, jacobian, verify_grad
from tensordsl.graph import toposort
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import loop_index, make_loop

W = np.array([[0.3, -0.2, 0.1], [0.5, 0.4, -0.3], [-0.1, 0.2, 0.6]])
XS = np.array([[1.0, -0.5, 0.3], [0.2, 0.7, -1.1], [-0.4, 0.1, 0.9], [0.8, -0.9, 0.5]])
H0 = np.array([0.1, -0.2, 0.3])

Step = Callable[..., tuple[Any, ...]]


def value(outputs: list[Any], **values: Any) -> list[Any]:
    """The arrays of `outputs`; inputs are found by name."""
    from tensordsl.graph import inputs_of

    inputs = [v for v in inputs_of(outputs)]
    return list(function(inputs, outputs, mode="REFERENCE")(*(values[str(v.name)] for v in inputs)))


def check(fun: Callable[..., Any], *points: Any) -> None:
    verify_grad(fun, [np.asarray(p, "float64") for p in points], n_tests=1, mode="REFERENCE")


def power_by_loop(x: Any, n: Any) -> Any:
    i, p = loop_index(), x.type()
    return make_loop(n, i, [p], [T.ones_like(x)], [p * x])[0]


def recurrent(w: Any, xs: Any, h0: Any) -> tuple[Any, Any]:
    """The last state and all states of h <- tanh(w h + x_t)."""
    t, h = loop_index(), h0.type()
    after = T.tanh(T.dot(w, h) + xs[t])
    return make_loop(xs.shape[0], t, [h], [h0], [after], [after])


def unrolled(w: Any, xs: Any, h0: Any, n: int) -> tuple[Any, Any]:
    states = []
    h = h0
    for t in range(n):
        h = T.tanh(T.dot(w, h) + xs[t])
        states.append(h)
    return h, T.stack(states)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_power_by_repeated_multiplication(n: int) -> None:
    x = T.vector("x")
    at = np.array([1.5, -0.7, 0.0])
    (got,) = value([grad(T.sum(power_by_loop(x, n)), x)], x=at)
    assert np.allclose(got, n * at ** max(n - 1, 0) if n else 0 * at)


def test_the_number_of_steps_may_be_a_variable() -> None:
    x, n = T.scalar("x"), T.lscalar("n")
    g = grad(power_by_loop(x, n), x)
    assert np.allclose(value([g], x=1.1, n=7), 7 * 1.1**6)
    assert np.allclose(value([g], x=1.1, n=-3), 0.0)


def test_a_recurrent_loop_has_the_gradients_of_the_unrolled_graph() -> None:
    w, xs, h0 = T.matrix("w"), T.matrix("xs"), T.vector("h0")
    costs = []
    for last, states in (recurrent(w, xs, h0), unrolled(w, xs, h0, 4)):
        costs.append(T.sum(last**2) + T.sum(T.sin(states)))
    looped, plain = (grad(cost, [w, xs, h0]) for cost in costs)
    for a, b in zip(value(looped, w=W, xs=XS, h0=H0), value(plain, w=W, xs=XS, h0=H0), strict=True):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-12)


def test_first_and_second_order_of_a_recurrent_loop_against_differences() -> None:
    check(lambda w, xs, h0: recurrent(w, xs, h0)[0], W, XS, H0)
    check(lambda w, xs, h0: recurrent(w, xs, h0)[1], W, XS, H0)

    def slope(w: Any, xs: Any, h0: Any) -> Any:
        gradients = grad(T.sum(T.sqr(recurrent(w, xs, h0)[1])), [w, xs, h0])
        return T.concatenate([T.flatten(g) for g in gradients])

    check(slope, W, XS[:2], H0)


def test_several_carried_values_that_feed_each_other() -> None:
    def fibonacci_like(a0: Any, b0: Any) -> Any:
        i, a, b = loop_index(), a0.type(), b0.type()
        return make_loop(4, i, [a, b], [a0, b0], [b, T.sin(a) * b])[0]  # only `a` is used, `b` gets there by steps

    check(fibonacci_like, [0.5, 1.5], [1.2, -0.3])


def test_an_integer_counter_is_carried_along() -> None:
    def with_counter(x: Any) -> Any:
        i, k, total = loop_index(), T.lscalar(), x.type()
        return make_loop(3, i, [k, total], [T.constant(1, dtype="int64"), x], [k + 2, total * k + x])[1]

    check(with_counter, [0.5, 2.0])


def test_the_step_number_enters_the_value() -> None:
    def weighted(x: Any) -> Any:
        i, s = loop_index(), x.type()
        return make_loop(4, i, [s], [T.zeros_like(x)], [s + (i + 1) * x**2 + T.sin(s)])[0]

    check(weighted, [0.5, -0.2])


def test_a_loop_within_a_loop() -> None:
    def nested(x: Any) -> Any:
        i, s = loop_index(), x.type()
        return make_loop(3, i, [s], [x], [power_by_loop(T.sin(s), 2) + x])[0]

    check(nested, [0.5, -0.2])
    check(lambda x: grad(T.sum(nested(x)), x), [0.5, -0.2])


def test_broadcasting_and_dtypes_inside_a_body_are_undone() -> None:
    x, b = T.fmatrix("x"), T.col("b", dtype="float32")
    i, s = loop_index(), T.fmatrix()
    (total,) = make_loop(3, i, [s], [T.zeros_like(x)], [s * 0.5 + x * b])
    gx, gb = grad(T.sum(total), [x, b])
    assert gx.type.dtype == gb.type.dtype == "float32" and gb.broadcastable == (False, True)
    at = np.arange(6, dtype="float32").reshape(2, 3), np.array([[2.0], [3.0]], "float32")
    got = value([gx, gb], x=at[0], b=at[1])
    assert np.allclose(got[0], 1.75 * np.broadcast_to(at[1], (2, 3)))
    assert np.allclose(got[1], 1.75 * at[0].sum(1, keepdims=True))


def test_only_what_is_asked_for_is_accumulated() -> None:
    w, xs, h0 = T.matrix("w"), T.matrix("xs"), T.vector("h0")
    g = grad(T.sum(recurrent(w, xs, h0)[0]), h0)
    loops = [node for node in toposort([g]) if node.row.name == "for"]
    backwards = loops[-1].attrs["body"]
    assert [v.type.ndim for v in backwards.carried] == [1]


def test_a_sequence_read_by_steps_gets_its_cotangent_by_steps() -> None:
    """No step makes zeros as long as the sequence: the slice is added to the running sum."""
    w, xs, h0 = T.matrix("w"), T.matrix("xs"), T.vector("h0")
    g = grad(T.sum(recurrent(w, xs, h0)[0]), xs)
    (backwards,) = [node.attrs["body"] for node in toposort([g]) if node.row.name == "for"][-1:]
    writes = [node for node in toposort(backwards.next) if node.op.name == "inc_subtensor"]
    assert len(writes) == 1 and writes[0].inputs[0] in backwards.carried


def test_third_derivatives_through_jacobian_and_hessian() -> None:
    check(lambda x: hessian(T.sum(x**3 * T.sin(x)), x), [0.3, -0.4, 1.0])
    check(lambda x: grad(T.sum(T.sqr(hessian(T.sum(x**3 * x[::-1]), x))), x), [0.3, -0.4, 1.0])
    check(lambda x: jacobian(T.flatten(jacobian(T.exp(x) * x[::-1], x)), x), [0.3, -0.4])


def test_rop_through_a_loop() -> None:
    w, xs, h0, v = T.matrix("w"), T.matrix("xs"), T.vector("h0"), T.vector("v")
    last = recurrent(w, xs, h0)[0]
    got, full = value([Rop(last, h0, v), T.dot(jacobian(last, h0), v)], w=W, xs=XS, h0=H0, v=np.array([1.0, 2.0, -1.0]))
    assert np.allclose(got, full)


# -- branches --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("c", [0.0, 1.0])
def test_the_gradient_of_a_branch_is_that_of_the_taken_one(c: float) -> None:
    def branch(x: Any, y: Any) -> Any:
        return ifelse(T.constant(c), T.sin(x) * y, T.sum(y) * x**2)

    check(branch, [0.5, -0.2], [1.5, 0.7])
    check(lambda x, y: grad(T.sum(branch(x, y)), x), [0.5, -0.2], [1.5, 0.7])


def test_branches_of_several_values_and_other_lengths() -> None:
    def branch(x: Any, y: Any) -> Any:
        a, b = ifelse(T.constant(0), [x, T.sum(x)], [y, T.sum(y**2)])
        return T.sum(a) * b

    check(branch, [0.5, -0.2], [1.5, 0.7, 0.1])
    x, y, c = T.vector("x"), T.vector("y"), T.bscalar("c")
    gx, gy = grad(branch_of_condition(c, x, y), [x, y])
    got = value([gx, gy], c=1, x=np.ones(2), y=np.ones(3))
    assert [g.tolist() for g in got] == [[2.0, 2.0], [0.0, 0.0, 0.0]]


def branch_of_condition(c: Any, x: Any, y: Any) -> Any:
    return T.sum(T.sqr(ifelse(c, x, y)))


def test_the_gradient_of_a_branch_not_taken_is_not_computed() -> None:
    """log at 0 has a value and a derivative that are infinite; 0 * inf would be NaN."""
    x = T.scalar("x")
    safe = ifelse(x > 0, T.log(x) * x, x**2)
    (g,) = value([grad(safe, x)], x=0.0)
    assert g == 0.0
    (second,) = value([grad(grad(safe, x), x)], x=0.0)
    assert second == 2.0


def test_opposite_branches_share_one_choice_and_nested_ones_keep_their_guards() -> None:
    x, c, d = T.scalar("x"), T.bscalar("c"), T.bscalar("d")
    cost = ifelse(c, T.sin(x) * x, T.exp(x))
    g = grad(cost, x)
    assert [node.op.name for node in toposort([g]) if node is not cost.owner].count("ifelse") == 1
    nested = ifelse(c, ifelse(d, T.log(x), T.sqrt(x)) * x, x * 3)
    g = grad(nested + x**2, x)
    for at, expected in (((1, 1), np.log(2.0) + 5), ((1, 0), 1.5 * 2**0.5 + 4), ((0, 1), 7.0)):
        assert np.allclose(value([g], x=2.0, c=at[0], d=at[1]), expected)
    assert np.allclose(value([g], x=0.0, c=0, d=1), 3.0)


def test_deeply_nested_branches_cost_linear_space() -> None:
    x, sizes = T.scalar("x"), []
    for depth in (400, 800):
        y = x
        for k in range(depth):
            y = ifelse(x > k, T.sin(y), T.constant(1.0, dtype="float64"))
        sizes.append(len(toposort([grad(y, x)])))
    assert sizes[1] <= 2 * sizes[0]


def test_branches_of_several_results_with_different_cotangents() -> None:
    def branch(x: Any, y: Any) -> Any:
        a, b = ifelse(T.gt(x[0], 0), [T.sqr(x), T.sum(x * y)], [T.sin(y), T.prod(y)])
        return T.sum(a) * b + T.sum(ifelse(T.gt(x[0], 0), a, x))

    check(branch, [0.5, -0.2], [1.5, 0.7])
    check(branch, [-0.5, -0.2], [1.5, 0.7])


def test_a_branch_inside_a_loop() -> None:
    def alternating(x: Any) -> Any:
        i, s = loop_index(), x.type()
        return make_loop(4, i, [s], [x], [ifelse(T.eq(i % 2, 0), s * x, s + T.sin(s))])[0]

    check(alternating, [0.5, -0.2])


def test_the_start_of_a_loop_may_say_less_of_its_lengths_than_a_round() -> None:
    def last(x: Any) -> Any:
        i, p = loop_index(), T.tensor(shape=(3, 3), dtype="float64")
        return make_loop(3, i, [p], [T.specify_shape(x, (3, 3))], [T.dot(p, x) / 4 + W])[0]

    check(last, W)
    from tensordsl.scan_module import scan

    check(lambda x: scan(lambda z: T.dot(z, x) / 4 + W, outputs_info=[x], n_steps=3)[0][-1], W)
