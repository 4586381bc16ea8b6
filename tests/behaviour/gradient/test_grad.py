"""What `grad` and its relatives accept, give and refuse."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl import gradient
from tensordsl.config import config
from tensordsl.function import function
from tensordsl.gradient import (
    DisconnectedInputError,
    DisconnectedType,
    GradientError,
    Lop,
    NullType,
    NullTypeGradError,
    Rop,
    grad,
    hessian,
    hessian_vector_product,
    jacobian,
    numeric_grad,
    subgraph_grad,
    verify_grad,
)
from tensordsl.graph import Variable, toposort

AT = np.array([0.5, -1.0, 2.0])


def value(outputs: Any, values: dict[Any, Any]) -> Any:
    return function(list(values), outputs, mode="REFERENCE", on_unused_input="ignore")(*values.values())


@pytest.fixture
def x() -> Any:
    return T.vector("x")


# -- form and type of the result -------------------------------------------------------------------------------------
def test_the_result_has_the_form_of_wrt(x: Any) -> None:
    cost = T.sum(x**2)
    assert isinstance(grad(cost, x), Variable)
    assert isinstance(grad(cost, [x]), list) and isinstance(grad(cost, (x,)), tuple)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("pattern", [(), (False,), (True, False), (False, True), (False, True, False)])
def test_a_gradient_has_the_type_of_its_variable(dtype: str, pattern: tuple[bool, ...]) -> None:
    p = T.tensor(dtype, pattern, "p")
    other = T.tensor("float64", (False,) * (len(pattern) + 1), "other")
    assert grad(T.sum(p * other), p).type == p.type


def test_the_static_shape_of_a_variable_is_kept() -> None:
    p = T.tensor("float64", shape=(3, None), name="p")
    assert grad(T.sum(p.T * T.matrix()), p).type == p.type
    assert grad(T.sum(p), p).type == p.type


def test_broadcasting_is_undone(x: Any) -> None:
    m, s, row = T.matrix("m"), T.scalar("s"), T.row("row")
    at = {m: np.arange(6.0).reshape(2, 3), s: 2.0, row: np.array([[1.0, 2.0, 3.0]]), x: AT}
    gs, grow, gx = value(grad(T.sum(m * s * row * x), [s, row, x]), at)
    full = at[m] * at[row] * AT
    assert np.allclose(gs, full.sum())
    assert np.allclose(grow, (2 * at[m] * AT).sum(0, keepdims=True))
    assert np.allclose(gx, (2 * at[m] * at[row]).sum(0))


def test_names_say_what_was_differentiated(x: Any) -> None:
    cost = T.sum(x**2)
    assert grad(cost, x).name is None
    cost.name = "cost"
    assert grad(cost, x).name == "(dcost/dx)"
    assert grad(cost, x, add_names=False).name is None


def test_pp_of_a_gradient_reads_as_theano_s() -> None:
    from tensordsl.printing import pp

    s = T.scalar("s")
    square, power = "(s ** TensorConstant{2})", "(s ** (TensorConstant{2} - TensorConstant{1}))"
    assert pp(grad(s**2, s)) == f"((fill({square}, TensorConstant{{1.0}}) * TensorConstant{{2}}) * {power})"


def test_a_variable_used_several_times_gets_the_sum(x: Any) -> None:
    y = x * x
    assert np.allclose(value(grad(T.sum(y * y + x + y), x), {x: AT}), 4 * AT**3 + 1 + 2 * AT)


def test_a_variable_in_the_middle_of_the_graph(x: Any) -> None:
    y = T.exp(x)
    gx, gy = value(grad(T.sum(y**2), [x, y]), {x: AT})
    assert np.allclose(gy, 2 * np.exp(AT)) and np.allclose(gx, gy * np.exp(AT))


# -- integers --------------------------------------------------------------------------------------------------------
def test_an_integer_has_the_gradient_of_the_function_extended_to_the_reals() -> None:
    i, s = T.iscalar("i"), T.scalar("s")
    g = grad(s * i, i)
    assert g.type.dtype == config.floatX and value(g, {i: 3, s: 2.5}) == 2.5


def test_behind_integers_the_gradient_is_zero() -> None:
    x, i = T.vector("x"), T.ivector("i")
    assert value(grad(T.sum(T.cast(x, "int32")) * 1.5, x), {x: AT}).tolist() == [0, 0, 0]
    assert value(grad(T.sum(i * i), i), {i: np.arange(3, dtype="int32")}).tolist() == [0, 0, 0]
    assert value(grad(T.sum(T.floor(x) * x), x), {x: AT}).tolist() == np.floor(AT).tolist()
    assert value(grad(T.argmax(x) * 1.0, x), {x: AT}).tolist() == [0, 0, 0]


def test_an_index_and_a_shape_are_not_connected() -> None:
    x, i = T.vector("x"), T.lscalar("i")
    with pytest.raises(DisconnectedInputError):
        grad(x[i], i)
    with pytest.raises(DisconnectedInputError):
        grad(x.shape[0] * 1.0, x)


# -- disconnected, undefined, constant -------------------------------------------------------------------------------
def test_a_disconnected_variable_is_refused_with_its_name_and_line(x: Any) -> None:
    other = T.vector("other")
    with pytest.raises(DisconnectedInputError, match=r"(?s)other.*test_grad\.py:\d+.*disconnected_inputs") as error:
        grad(T.sum(x), other)
    assert isinstance(error.value, ValueError)


def test_a_disconnected_variable_may_be_ignored_or_warned_about(x: Any) -> None:
    other = T.vector("other")
    g = grad(T.sum(x), other, disconnected_inputs="ignore")
    assert value(g, {x: AT, other: AT}).tolist() == [0, 0, 0]
    with pytest.warns(UserWarning, match="other"):
        grad(T.sum(x), other, disconnected_inputs="warn")


def test_what_stands_for_a_disconnected_gradient(x: Any) -> None:
    cost, other = T.sum(x), T.vector("other")
    options = {"disconnected_inputs": "ignore"}
    assert grad(cost, [other], return_disconnected="None", **options) == [None]
    assert grad(cost, other, return_disconnected="disconnected", **options).type == DisconnectedType()
    assert grad(cost, [other], return_disconnected="none", **options) == [None]  # Theano minds no case
    assert grad(cost, other, return_disconnected="Disconnected", **options).type == DisconnectedType()
    with pytest.raises(ValueError, match="return_disconnected must be one of"):
        grad(cost, other, return_disconnected="nothing")


def test_an_undefined_gradient_is_refused_or_returned(x: Any) -> None:
    cost = T.sum(gradient.undefined_grad(x) * 2)
    with pytest.raises(NullTypeGradError, match="undefined_grad"):
        grad(cost, x)
    returned = grad(cost, x, null_gradients="return")
    assert isinstance(returned.type, NullType) and "undefined_grad" in returned.type.why_null
    assert np.allclose(value(grad(T.sum(x), x), {x: AT}), 1)


def test_an_undefined_gradient_that_is_not_needed_does_no_harm(x: Any) -> None:
    y = T.vector("y")
    assert value(grad(T.sum(gradient.undefined_grad(y) * x), x), {x: AT, y: 2 * AT}).tolist() == (2 * AT).tolist()


def test_consider_constant_closes_a_path(x: Any) -> None:
    y = x**2
    cost = T.sum(y * x)
    assert np.allclose(value(grad(cost, x, consider_constant=[y]), {x: AT}), AT**2)
    assert np.allclose(value(grad(T.sum(gradient.consider_constant(y) * x), x), {x: AT}), AT**2)
    assert np.allclose(value(grad(T.sum(gradient.zero_grad(y) * x), x), {x: AT}), AT**2)
    assert np.allclose(value(grad(T.sum(gradient.disconnected_grad(y) * x), x), {x: AT}), AT**2)


def test_zero_and_disconnected_differ_where_nothing_else_is_connected(x: Any) -> None:
    for zero in (gradient.zero_grad, gradient.consider_constant):
        assert value(grad(T.sum(zero(x)), x), {x: AT}).tolist() == [0, 0, 0]
    with pytest.raises(DisconnectedInputError):
        grad(T.sum(gradient.disconnected_grad(x)), x)


def test_known_grads_start_or_replace() -> None:
    x, g = T.vector("x"), T.vector("g")
    y = x**2
    assert np.allclose(value(grad(None, x, known_grads={y: g}), {x: AT, g: AT + 1}), 2 * AT * (AT + 1))
    cost = T.sum(T.sin(y)) + T.sum(x)
    assert np.allclose(value(grad(cost, x, known_grads={y: g}), {x: AT, g: AT}), 2 * AT * AT + 1)
    with pytest.raises(TypeError, match="must have 1 axes"):
        grad(None, x, known_grads={y: T.matrix()})


def test_clipped_and_scaled_gradients(x: Any) -> None:
    assert np.allclose(value(grad(T.sum(T.exp(gradient.grad_clip(x, -1, 1.5))), x), {x: AT}), np.exp(AT).clip(-1, 1.5))
    assert np.allclose(value(grad(T.sum(gradient.grad_scale(x, -2) ** 2), x), {x: AT}), -4 * AT)
    assert value(gradient.grad_clip(x, -0.1, 0.1), {x: AT}).tolist() == AT.tolist()
    with pytest.raises(ValueError, match="above the upper bound"):
        gradient.grad_clip(x, 1, 0)


# -- refusals --------------------------------------------------------------------------------------------------------
def test_the_cost_must_be_a_scalar_variable(x: Any) -> None:
    with pytest.raises(TypeError, match=r"^cost must be a scalar\."):
        grad(x, x)
    with pytest.raises(TypeError, match="the cost must be a variable"):
        grad(3.0, x)
    with pytest.raises(ValueError, match="known_grads"):
        grad(None, x)


def test_wrt_must_be_variables(x: Any) -> None:
    with pytest.raises(TypeError, match="Expected Variable, got 'x' of type str"):
        grad(T.sum(x), ["x"])


# -- long graphs -----------------------------------------------------------------------------------------------------
def operations_made(n: int) -> int:
    s = T.scalar("s")
    y = s
    for _ in range(n):
        y = T.sin(y)
    return len(toposort([grad(y, s)]))


def test_a_chain_of_20000_ops_needs_no_recursion_and_linear_many_ops() -> None:
    short, long = operations_made(10_000), operations_made(20_000)
    assert sys.getrecursionlimit() < 20_000
    assert long <= 2 * short + 10


def test_a_wide_sum_of_uses(x: Any) -> None:
    total = T.sum(x)
    for k in range(2_000):
        total = total + T.sum(x * k)
    assert len(toposort([grad(total, x)])) < 20 * 2_000


# -- Jacobians and products with them --------------------------------------------------------------------------------
def test_jacobian_of_a_vector(x: Any) -> None:
    m = T.matrix("m")
    at = {m: np.arange(6.0).reshape(2, 3), x: AT}
    by_x, by_m = value(jacobian(T.dot(m, x) ** 2, [x, m]), at)
    y = at[m] @ AT
    assert np.allclose(by_x, 2 * y[:, None] * at[m])
    assert by_m.shape == (2, 2, 3) and np.allclose(by_m, np.einsum("i,ij,k->ijk", 2 * y, np.eye(2), AT))


def test_jacobian_of_a_scalar_is_the_gradient(x: Any) -> None:
    assert np.allclose(value(jacobian(T.sum(x**2), x), {x: AT}), 2 * AT)


def test_jacobian_keeps_form_type_and_refusals(x: Any) -> None:
    assert isinstance(jacobian(x**2, (x,)), tuple) and jacobian(x**2, x).type.ndim == 2
    with pytest.raises(AssertionError, match="tensor.jacobian expects a 1 dimensional variable as `expression`"):
        jacobian(T.matrix(), x)
    with pytest.raises(DisconnectedInputError):
        jacobian(x**2, T.vector("other"))
    other = T.vector("other")
    zeros = value(jacobian(x**2, other, disconnected_inputs="ignore"), {x: AT, other: AT[:2]})
    assert zeros.tolist() == np.zeros((3, 2)).tolist()


def test_jacobian_of_an_empty_vector_has_no_rows(x: Any) -> None:
    assert value(jacobian(x**2, x), {x: np.zeros(0)}).shape == (0, 0)


def test_hessian_of_a_scalar(x: Any) -> None:
    assert np.allclose(value(hessian(T.sum(x**3), x), {x: AT}), np.diag(6 * AT))
    assert np.allclose(value(hessian(T.sum(x), x), {x: AT}), np.zeros((3, 3)))
    with pytest.raises(AssertionError, match=r"expects a \(list of\) 1 dimensional variable as `wrt`"):
        hessian(T.sum(x), T.matrix())
    with pytest.raises(AssertionError, match="0 dimensional variable as `cost`"):
        hessian(x, x)


def test_products_from_left_and_right_agree_with_the_jacobian() -> None:
    x, m, u, v = T.vector("x"), T.matrix("m"), T.vector("u"), T.vector("v")
    f = T.tanh(T.dot(m, x))
    at = {x: AT, m: np.arange(6.0).reshape(2, 3) / 9, u: np.array([0.3, -0.7]), v: np.array([1.0, 2.0, 3.0])}
    full, left, right = value([jacobian(f, x), Lop(f, x, u), Rop(f, x, v)], at)
    assert np.allclose(left, at[u] @ full) and np.allclose(right, full @ at[v])


def test_rop_of_several_functions_and_variables() -> None:
    x, y = T.vector("x"), T.vector("y")
    at = {x: AT, y: AT**2 + 1}
    a, b = value(Rop([x * y, T.sum(y**2)], [x, y], [T.ones_like(x), x]), at)
    assert np.allclose(a, at[y] + AT * AT) and np.allclose(b, 2 * np.sum(at[y] * AT))
    with pytest.raises(ValueError, match="wants as many as there are variables, 2, got 1"):
        Rop(x * y, [x, y], [x])
    with pytest.raises(DisconnectedInputError):
        Rop(x, y, y)


def test_what_a_linear_function_depends_on_is_an_input_of_its_rop() -> None:
    w, v, x = T.matrix("w"), T.matrix("v"), T.vector("x")
    f = function([w, v, x], Rop(T.dot(x, w), w, v))
    assert f([[1, 1], [1, 1]], [[2, 2], [2, 2]], [0, 1]).tolist() == [2.0, 2.0]
    with pytest.raises(ValueError):
        f([[1, 1], [1, 1]], [[2], [2]], [0, 1])


def test_hessian_vector_product_agrees_with_the_hessian() -> None:
    x, v = T.vector("x"), T.vector("v")
    cost = T.sum(T.exp(x) * x[::-1])
    full, product = value([hessian(cost, x), hessian_vector_product(cost, x, v)], {x: AT, v: AT + 3})
    assert np.allclose(product, full @ (AT + 3))
    assert np.allclose(value(hessian_vector_product(T.sum(x**3), x, x), {x: AT}), 6 * AT * AT)
    with pytest.raises(TypeError, match="hessian_vector_product: the cost must be a variable, got None"):
        hessian_vector_product(None, x, v)
    # the product can be differentiated again, also through the vector
    again = grad(T.sum(hessian_vector_product(T.sum(x**4), x, v * x)), [x, v])
    for found, wanted in zip(value(again, {x: AT, v: AT + 3}), (36 * AT**2 * (AT + 3), 12 * AT**3), strict=True):
        assert np.allclose(found, wanted)


def test_subgraph_grad_chains_to_the_whole(x: Any) -> None:
    y = T.exp(x)
    cost = T.sum(y**2 * x[0])
    at_wrt, at_end = subgraph_grad([], [y], cost=cost)
    (direct,) = subgraph_grad([x], [y], cost=cost)[0]
    through, _ = subgraph_grad([x], [x], start={y: at_end[0]})
    assert at_wrt == []
    whole, parts = value([grad(cost, x), direct + through[0]], {x: AT})
    assert np.allclose(whole, parts)


# -- the numeric check -----------------------------------------------------------------------------------------------
def test_verify_grad_finds_a_wrong_gradient() -> None:
    with pytest.raises(GradientError, match=r"(?s)argument 0 of shape \(3,\), position 0.*symbolic.*numeric"):
        verify_grad(lambda x: x * gradient.consider_constant(x), [AT], mode="REFERENCE")
    assert verify_grad.E_grad is GradientError


def test_verify_grad_takes_float32_rng_and_refuses_integers() -> None:
    verify_grad(lambda x: T.tanh(x), [AT.astype("float32")], rng=np.random.RandomState(1), mode="REFERENCE")
    verify_grad(lambda x: T.tanh(x), [AT], rng=np.random.default_rng(1), mode="REFERENCE")
    with pytest.raises(TypeError, match="input 0 has dtype int64"):
        verify_grad(lambda x: x * 1.0, [np.arange(3)], mode="REFERENCE")


def test_numeric_grad_of_a_function_of_arrays() -> None:
    numeric = numeric_grad(lambda a, b: float((a**2).sum() * b), [AT, np.array(3.0)])
    assert np.allclose(numeric.gf[0], 6 * AT) and np.allclose(numeric.gf[1], (AT**2).sum())
    assert numeric.max_err([6 * AT, np.array(7.0)], 1e-4, 1e-4)[0] == 1
    with pytest.raises(ValueError, match="wrong shape"):
        numeric.max_err([AT[:2], np.array(7.0)], 1e-4, 1e-4)


# -- test values -----------------------------------------------------------------------------------------------------
def test_test_values_reach_into_the_loops_that_derivatives_make() -> None:
    from tensordsl.config import change_flags

    with change_flags(compute_test_value="raise"):
        x, v = T.dvector("x"), T.dvector("v")
        x.tag.test_value, v.tag.test_value = AT, AT + 1
        second = hessian(T.sum(x**3), x)
        assert np.allclose(second.tag.test_value, np.diag(6 * AT))
        assert np.allclose(grad(T.sum(second), x).tag.test_value, 6.0)
        assert np.allclose(Rop(x**2, x, v).tag.test_value, 2 * AT * (AT + 1))
