"""The Theano tutorial, row by row: every feature that its cells use behaves and prints as under Theano 1.0.5.

A test's name begins with its row of the feature table; the last row trains the tutorial's network and compares the
twenty costs with Theano's.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import GOLDEN

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.errors import InvalidValueError

COSTS = json.loads((GOLDEN / "tutorial_costs.json").read_text())


@pytest.fixture
def config() -> Iterator[Any]:
    """The configuration, with the values that the tutorial changes put back afterwards."""
    kept = theano.config.floatX, theano.config.compute_test_value, theano.config.exception_verbosity
    yield theano.config
    theano.config.floatX, theano.config.compute_test_value, theano.config.exception_verbosity = kept


def this_line() -> int:
    """The line of the caller."""
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


def floats(*values: Any) -> np.ndarray:
    return np.array(values, dtype=theano.config.floatX)


# 1. Symbolic variables and pp -----------------------------------------------------------------------------------


def test_row01_a_scalar_expression_has_the_class_type_and_print_of_theano(capsys: pytest.CaptureFixture[str]) -> None:
    foo = T.scalar("foo")
    bar = foo**2
    print(type(bar))
    print(bar.type)
    print(theano.pp(bar))
    assert capsys.readouterr().out.splitlines() == [
        "<class 'tensordsl.tensor.var.TensorVariable'>",
        "TensorType(float64, scalar)",
        "(foo ** TensorConstant{2})",
    ]


def test_row01_names_dtypes_and_constants() -> None:
    foo = T.scalar("foo")
    assert (foo.name, str(foo), foo.dtype, foo.ndim) == ("foo", "foo", theano.config.floatX, 0)
    exponent = (foo**2).owner.inputs[1]
    assert (exponent.dtype, int(exponent.data)) == ("int8", 2)


# 2. Functions ---------------------------------------------------------------------------------------------------


def test_row02_a_compiled_function_takes_an_int_and_returns_a_0d_array() -> None:
    foo = T.scalar("foo")
    result = theano.function([foo], foo**2)(3)
    assert str(result) == "9.0"
    assert isinstance(result, np.ndarray) and result.shape == () and result.dtype == theano.config.floatX


# 3. eval --------------------------------------------------------------------------------------------------------


def test_row03_eval_gives_the_value_and_keeps_its_function() -> None:
    foo = T.scalar("foo")
    bar = foo**2
    assert [str(bar.eval({foo: 3})), str(bar.eval({foo: 3}))] == ["9.0", "9.0"]
    assert len(bar._fn_cache) == 1


def test_row03_python_functions_build_expressions() -> None:
    def square(x: Any) -> Any:
        return x**2

    foo = T.scalar("foo")
    assert str(square(foo).eval({foo: 3})) == "9.0"


# 4. Matrices, several outputs, default inputs -------------------------------------------------------------------


def test_row04_list_outputs_and_a_default_input() -> None:
    A, x, b = T.matrix("A"), T.vector("x"), T.vector("b")
    y, z = T.dot(A, x) + b, T.sum(A**2)
    linear_mix = theano.function([A, x, theano.In(b, value=floats(0, 0))], [y, z])
    matrix, vector = floats([1, 2, 3], [4, 5, 6]), floats(1, 2, 3)
    assert str(linear_mix(matrix, vector, floats(4, 5))) == "[array([18., 37.]), array(91.)]"
    assert str(linear_mix(matrix, vector)) == "[array([14., 32.]), array(91.)]"


def test_row04_a_default_is_used_again_after_it_was_overridden() -> None:
    x, b = T.vector("x"), T.vector("b")
    shift = theano.function([x, theano.In(b, value=floats(1, 1))], x + b)
    shift(floats(0, 0), floats(5, 5))
    assert shift(floats(0, 0)).tolist() == [1.0, 1.0]
    assert shift(floats(0, 0), b=floats(2, 3)).tolist() == [2.0, 3.0]


# 5-7. Shared variables ------------------------------------------------------------------------------------------


def test_row05_the_type_of_a_shared_variable_comes_from_its_value() -> None:
    shared_var = theano.shared(floats([1, 2], [3, 4]))
    assert str(shared_var.type()) == "<TensorType(float64, matrix)>"


def test_row06_set_value_and_get_value_copy() -> None:
    shared_var = theano.shared(floats([1, 2], [3, 4]))
    new = floats([3, 4], [2, 1])
    shared_var.set_value(new)
    new[:] = -1
    got = shared_var.get_value()
    assert str(got) == "[[3. 4.]\n [2. 1.]]"
    got[:] = -2
    assert shared_var.get_value().tolist() == [[3.0, 4.0], [2.0, 1.0]]


def test_row07_a_shared_variable_is_an_implicit_input_and_later_values_are_seen() -> None:
    shared_var = theano.shared(floats([1, 2], [3, 4]))
    function_1 = theano.function([], shared_var**2)
    shared_var.set_value(floats([3, 4], [2, 1]))
    assert str(function_1()) == "[[ 9. 16.]\n [ 4.  1.]]"


# 8. Updates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [dict, list])
def test_row08_updates_come_after_the_outputs_and_are_shared(pairs: Callable[[Any], Any]) -> None:
    shared_var = theano.shared(floats([3, 4], [2, 1]))
    function_1 = theano.function([], shared_var**2)
    subtract = T.matrix("subtract")
    updates = pairs([(shared_var, shared_var - subtract)])
    function_2 = theano.function([subtract], shared_var, updates=updates)
    assert str(shared_var.get_value()) == "[[3. 4.]\n [2. 1.]]"
    assert str(function_2(floats([1, 1], [1, 1]))) == "[[3. 4.]\n [2. 1.]]"
    assert str(shared_var.get_value()) == "[[2. 3.]\n [1. 0.]]"
    assert str(function_1()) == "[[4. 9.]\n [1. 0.]]"


# 9-10. Gradients ------------------------------------------------------------------------------------------------


def test_row09_the_gradient_of_a_square() -> None:
    foo = T.scalar("foo")
    assert repr(T.grad(foo**2, foo).eval({foo: 10})) == "array(20.)"


def test_row10_the_jacobian_of_a_linear_map_is_its_matrix() -> None:
    A, x, b = T.matrix("A"), T.vector("x"), T.vector("b")
    linear_mix_J = theano.function([A, x, b], theano.gradient.jacobian(T.dot(A, x) + b, x))
    assert str(linear_mix_J(floats([9, 8, 7], [4, 5, 6]), floats(1, 2, 3), floats(4, 5))) == "[[9. 8. 7.]\n [4. 5. 6.]]"


def test_row10_the_hessian_of_a_cubic_form_is_diagonal() -> None:
    x = T.vector("x")
    assert theano.gradient.hessian(T.sum(x**3), x).eval({x: floats(1, 2)}).tolist() == [[6.0, 0.0], [0.0, 12.0]]


# 11. Errors at run time -----------------------------------------------------------------------------------------


def mismatch_message() -> tuple[str, int]:
    """The text of a failed matrix product, and the line that built it."""
    A, B = T.matrix("A"), T.matrix("B")
    C, line = T.dot(A, B), this_line()
    with pytest.raises(ValueError) as caught:
        C.eval({A: np.zeros((3, 4), dtype=theano.config.floatX), B: np.zeros((5, 6), dtype=theano.config.floatX)})
    return "\n".join(str(part) for part in caught.value.args), line


@pytest.mark.parametrize(
    "pattern",
    [
        r"\(?3, ?4\)?.*\(?5, ?6\)?",
        r"(?i)shape|aligned|mismatch",
        r"Apply node that caused the error: \w*[dD]ot\w*\(A, B\)",
        r"Toposort index: \d+",
        r"Inputs types: \[TensorType\(float64, matrix\), TensorType\(float64, matrix\)\]",
        r"Inputs shapes: \[\(3, 4\), \(5, 6\)\]",
        r"Inputs strides: \[\(32, 8\), \(48, 8\)\]",
        r"Inputs values: ",
        r"Outputs clients: ",
        r"HINT: .*exception_verbosity=high",
        r"HINT: .*optimizer=(fast_compile|None)",
    ],
)
def test_row11_a_shape_mismatch_names_the_node_its_operands_and_what_to_try(pattern: str) -> None:
    message, _ = mismatch_message()
    assert re.search(pattern, message), message


def test_row11_a_shape_mismatch_names_the_users_line() -> None:
    message, line = mismatch_message()
    assert re.search(rf"{re.escape(os.path.basename(__file__))}\D+{line}\b", message), message


def test_row11_high_verbosity_adds_the_graph(config: Any) -> None:
    short, _ = mismatch_message()
    config.exception_verbosity = "high"
    long, _ = mismatch_message()
    assert "[id A]" in long and len(long) > len(short)


# 12. Test values ------------------------------------------------------------------------------------------------


def test_row12_test_values_find_the_mismatch_where_the_product_is_written(config: Any) -> None:
    config.compute_test_value = "warn"
    A, B = T.matrix("A"), T.matrix("B")
    A.tag.test_value = np.ones((3, 4), dtype=config.floatX)
    B.tag.test_value = np.ones((5, 6), dtype=config.floatX)
    with pytest.raises(ValueError, match=r"3, ?4.*5, ?6") as caught:
        T.dot(A, B)
    assert caught.traceback[0].lineno + 1 == this_line() - 1


def test_row12_test_values_flow_through_the_graph(config: Any) -> None:
    config.compute_test_value = "warn"
    A = T.matrix("A")
    A.tag.test_value = np.full((3, 4), 2, dtype=config.floatX)
    assert (A * 3).tag.test_value.tolist() == np.full((3, 4), 6.0).tolist()


def test_row12_a_missing_test_value_warns_raises_or_is_ignored(config: Any) -> None:
    A, B = T.matrix("A"), T.matrix("B")
    config.compute_test_value = "warn"
    with pytest.warns(UserWarning, match="test value"):
        T.dot(A, B)
    config.compute_test_value = "raise"
    with pytest.raises(ValueError, match="test value"):
        T.dot(A, B)
    for silent in ("ignore", "off"):
        config.compute_test_value = silent
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            T.dot(A, B)


# 13-14. NaN -----------------------------------------------------------------------------------------------------


def test_row13_a_nan_is_silent_by_default() -> None:
    num, den = T.scalars("num", "den")
    divide = theano.function([num, den], num / den)
    assert [str(divide(10, 2)), str(divide(0, 0))] == ["5.0", "nan"]


def test_row14_debug_mode_raises_on_a_nan() -> None:
    num, den = T.scalar("num"), T.scalar("den")
    divide = theano.function([num, den], num / den, mode="DebugMode")
    assert str(divide(10, 2)) == "5.0"
    with pytest.raises(InvalidValueError, match="(?i)finite|nan") as caught:
        divide(0, 0)
    assert all(part in str(caught.value) for part in ("num", "den", "float64", "nan"))


# 15-16. Configuration -------------------------------------------------------------------------------------------


def test_row15_device_and_floatx_have_theanos_defaults_and_floatx_sets_later_constructors(config: Any) -> None:
    assert (config.device, config.floatX) == ("cpu", "float64")
    before = T.scalar("before")
    config.floatX = "float32"
    assert (before.dtype, T.scalar("after").dtype, T.matrix("after").dtype) == ("float64", "float32", "float32")


def test_row15_an_unknown_value_is_refused_with_the_valid_ones(config: Any) -> None:
    with pytest.raises(ValueError, match=r"float8.*floatX.*float64"):
        config.floatX = "float8"
    assert config.floatX == "float64"


def run_with(environment: dict[str, str]) -> list[str]:
    """What a new process prints as device and floatX under `environment`."""
    program = "import tensordsl as theano; print(theano.config.device); print(theano.config.floatX)"
    inherited = {name: value for name, value in os.environ.items() if name not in ("TENSORDSL_FLAGS", "TENSORDSLRC")}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**inherited, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_row15_flags_come_from_the_environment() -> None:
    assert run_with({"TENSORDSL_FLAGS": "device=cpu,floatX=float32"}) == ["cpu", "float32"]


def test_row15_flags_come_from_the_rc_file_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".tensordslrc").write_text("[global]\nfloatX = float32\n")
    assert run_with({"HOME": str(tmp_path)}) == ["cpu", "float32"]
    assert run_with({"HOME": str(tmp_path), "TENSORDSL_FLAGS": "floatX=float64"}) == ["cpu", "float64"]


def test_row16_an_arrays_own_dtype_wins_over_floatx(config: Any) -> None:
    config.floatX = "float32"
    assert str(theano.shared(np.array([1.3, 2.4])).type()) == "<TensorType(float64, vector)>"
    assert str(theano.shared(np.array([1.3, 2.4], dtype=config.floatX)).type()) == "<TensorType(float32, vector)>"


# 17-20. The network ---------------------------------------------------------------------------------------------


class Layer:
    """`activation(W x + b)` on column vectors."""

    def __init__(self, weights: np.ndarray, bias: np.ndarray, activation: Callable[[Any], Any]) -> None:
        self.W = theano.shared(value=weights.astype(theano.config.floatX), name="W", borrow=True)
        self.b = theano.shared(
            value=bias.reshape(-1, 1).astype(theano.config.floatX), name="b", borrow=True, broadcastable=(False, True)
        )
        self.activation = activation

    def output(self, x: Any) -> Any:
        return self.activation(T.dot(self.W, x) + self.b)


def momentum_updates(cost: Any, params: list[Any], rate: float, momentum: float) -> list[tuple[Any, Any]]:
    updates = []
    for param in params:
        previous = theano.shared(param.get_value() * 0.0, broadcastable=param.broadcastable)
        step = momentum * previous - rate * T.grad(cost, param)
        updates += [(previous, step), (param, param + step)]
    return updates


def clouds() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The tutorial's two Gaussian clouds (2, 1000), their labels (1000,), and the two initial weight matrices."""
    random = np.random.RandomState(0)
    labels = random.randint(0, 2, 1000)
    means, spread = np.array([[-1, 1], [-1, 1]]), random.random_sample((2, 2)) + 1
    points = np.vstack([random.randn(1000) * spread[axis, labels] + means[axis, labels] for axis in (0, 1)])
    return points, labels.astype(float), [random.randn(4, 2), random.randn(1, 4)]


def test_row17_a_column_bias_keeps_its_pattern_and_broadcasts() -> None:
    layer = Layer(np.ones((2, 3)), np.array([1.0, 2.0]), T.nnet.sigmoid)
    assert (layer.b.broadcastable, layer.b.name, layer.b.type.ndim) == ((False, True), "b", 2)
    x = T.matrix("x")
    mixed = theano.function([x], T.dot(layer.W, x) + layer.b)(np.zeros((3, 4), dtype=theano.config.floatX))
    assert mixed.tolist() == [[1.0] * 4, [2.0] * 4]


def test_row18_an_activation_is_a_plain_callable_and_a_vector_broadcasts_over_a_row() -> None:
    points, labels, weights = clouds()
    x, y = T.matrix("x"), T.vector("y")
    out = Layer(weights[1] @ weights[0], np.ones(1), T.nnet.sigmoid).output(x)
    found, cost = theano.function([x, y], [out, T.sum((out - y) ** 2)])(points, labels)
    expected = 1 / (1 + np.exp(-(weights[1] @ weights[0] @ points + 1)))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(cost, np.sum((expected - labels) ** 2), rtol=1e-12)


def test_row19_momentum_needs_and_keeps_the_parameters_exact_type() -> None:
    x = T.matrix("x")
    layer = Layer(np.ones((2, 3)), np.zeros(2), T.nnet.sigmoid)
    updates = momentum_updates(T.sum(layer.output(x) ** 2), [layer.W, layer.b], rate=0.5, momentum=0.9)
    assert all(new.type == old.type for old, new in updates)
    data = np.zeros((3, 4), dtype=theano.config.floatX)
    step = theano.function([x], [], updates=updates)
    step(data)
    # At W x + b = 0 each of the four columns adds 2 * sigmoid * sigmoid' = 2 * 0.5 * 0.25 to the gradient.
    assert layer.b.get_value().tolist() == [[-0.5], [-0.5]]
    assert layer.W.get_value().tolist() == np.ones((2, 3)).tolist()


def test_row20_training_reproduces_theanos_costs_and_accuracies() -> None:
    points, labels, weights = clouds()
    x, y = T.matrix("mlp_input"), T.vector("mlp_target")
    layers = [Layer(weight, np.ones(len(weight)), T.nnet.sigmoid) for weight in weights]
    out = layers[1].output(layers[0].output(x))
    cost = T.sum((out - y) ** 2)
    params = [param for layer in layers for param in (layer.W, layer.b)]
    train = theano.function([x, y], cost, updates=momentum_updates(cost, params, rate=0.01, momentum=0.9))
    predict = theano.function([x], out)
    costs, accuracies = [], []
    for _ in COSTS["cost"]:
        costs.append(float(train(points, labels)))
        accuracies.append(np.mean((predict(points) > 0.5) == labels))
    np.testing.assert_allclose(costs, COSTS["cost"], rtol=1e-6)
    np.testing.assert_allclose(accuracies, COSTS["accuracy"], rtol=1e-6)


def test_row20_the_golden_costs_are_what_plain_numpy_backpropagation_gives() -> None:
    points, labels, (W1, W2) = clouds()
    params = [W1, np.ones((4, 1)), W2, np.ones((1, 1))]
    previous = [np.zeros_like(param) for param in params]
    costs = []
    for _ in COSTS["cost"]:
        hidden = 1 / (1 + np.exp(-(params[0] @ points + params[1])))
        out = 1 / (1 + np.exp(-(params[2] @ hidden + params[3])))
        costs.append(np.sum((out - labels) ** 2))
        delta2 = 2 * (out - labels) * out * (1 - out)
        delta1 = (params[2].T @ delta2) * hidden * (1 - hidden)
        grads = [delta1 @ points.T, delta1.sum(1, keepdims=True), delta2 @ hidden.T, delta2.sum(1, keepdims=True)]
        previous = [0.9 * old - 0.01 * grad for old, grad in zip(previous, grads, strict=True)]
        params = [param + step for param, step in zip(params, previous, strict=True)]
    np.testing.assert_allclose(costs, COSTS["cost"], rtol=1e-6)
