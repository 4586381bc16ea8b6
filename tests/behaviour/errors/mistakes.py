"""Programs with one mistake each: what users do wrong, and the exception that must tell them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tensordsl as theano
import tensordsl.tensor as T

Mistake = Callable[[], Any]


# -- mistakes of beginners -------------------------------------------------------------------------------------------
def two_equals_signs() -> None:
    x = T.vector("x")
    T.switch(x == 0, 1.0, x)


def matrix_product_of_wrong_shapes() -> None:
    A, B = T.matrix("A"), T.matrix("B")
    T.dot(A, B).eval({A: np.zeros((3, 4)), B: np.zeros((5, 6))})


def a_vector_of_another_length() -> None:
    x, y = T.vector("x"), T.vector("y")
    theano.function([x, y], x + y)([1, 2], [1, 2, 3])


def a_row_that_was_not_declared_as_one() -> None:
    m, n = T.matrix("m"), T.matrix("n")
    theano.function([m, n], m + n)(np.ones((2, 3)), np.ones((1, 3)))


def a_forgotten_input() -> None:
    x, w = T.vector("x"), T.vector("w")
    theano.function([x], T.dot(x, w))


def an_input_too_many() -> None:
    x, y = T.vector("x"), T.vector("y")
    theano.function([x, y], x * 2)


def inputs_without_a_list() -> None:
    x = T.vector("x")
    theano.function(x, x * 2)


def float64_data_for_float32() -> None:
    x = T.fvector("x")
    theano.function([x], x * 2, name="double")(np.zeros(3))


def a_vector_for_a_matrix() -> None:
    x = T.matrix("x")
    theano.function([x], x * 2, name="double")(np.zeros(3))


def the_gradient_of_a_vector() -> None:
    x = T.vector("x")
    T.grad(x**2, x)


def a_symbolic_condition_in_an_if() -> None:
    x = T.scalar("x")
    if x > 0:
        raise AssertionError("unreachable")


# -- building functions ----------------------------------------------------------------------------------------------
def a_shared_variable_as_input() -> None:
    W = theano.shared(np.zeros(2), name="W")
    theano.function([W], W * 2)


def an_update_of_another_dtype() -> None:
    W = theano.shared(np.zeros(2, "float32"), name="W")
    theano.function([], [], updates=[(W, W * np.float64(0.5))])


def an_update_of_another_pattern() -> None:
    W = theano.shared(np.zeros((1, 2)), name="W", broadcastable=(True, False))
    theano.function([], [], updates=[(W, W + theano.shared(np.zeros((3, 2))))])


def an_update_of_a_plain_variable() -> None:
    x = T.vector("x")
    theano.function([x], x, updates={x: x + 1})


def two_updates_of_one_variable() -> None:
    W = theano.shared(1.0, name="W")
    theano.function([], [], updates=[(W, W + 1), (W, W + 2)])


def an_input_twice() -> None:
    x = T.vector("x")
    theano.function([x, x], x)


def a_given_of_another_type() -> None:
    x, m = T.vector("x"), T.matrix("m")
    theano.function([m], x * 2, givens={x: m})


def a_number_as_output() -> None:
    theano.function([], 3)


def an_unknown_mode() -> None:
    theano.function([], [], mode="FAST")


# -- calling functions -----------------------------------------------------------------------------------------------
def too_few_arguments() -> None:
    x, y = T.vector("x"), T.vector("y")
    theano.function([x, y], x + y, name="add")([1])


def too_many_arguments() -> None:
    x = T.vector("x")
    theano.function([x], x + 1, name="add")([1], [2])


def an_unknown_keyword() -> None:
    x = T.vector("x")
    theano.function([x], x + 1, name="add")(z=[1])


def a_float_for_an_int() -> None:
    i = T.iscalar("i")
    theano.function([i], i * 2, name="double")(1.5)


def a_variable_as_argument() -> None:
    x, y = T.vector("x"), T.vector("y")
    theano.function([x], x * 2, name="double")(y)


def an_array_of_objects() -> None:
    x = T.vector("x")
    theano.function([x], x * 2, name="double")(np.array([1, None]))


# -- running functions -----------------------------------------------------------------------------------------------
def an_index_out_of_range() -> None:
    x = T.vector("x")
    i = T.iscalar("i")
    theano.function([x, i], x[i] * 2)([1, 2, 3], 5)


def a_reshape_that_does_not_fit() -> None:
    x = T.vector("x")
    theano.function([x], x.reshape((2, 2)))([1, 2, 3])


def an_assertion_that_fails() -> None:
    from tensordsl.ops.control import Assert

    x = T.vector("x")
    theano.function([x], Assert("x must be positive")(x, T.all(x > 0)) * 2)([1, -2])


def nan_in_debug_mode() -> None:
    num, den = T.scalar("num"), T.scalar("den")
    theano.function([num, den], num / den, mode="DebugMode")(0, 0)


def nan_in_nan_guard_mode() -> None:
    x = T.scalar("x")
    theano.function([x], T.log(x) + 1, mode="NanGuardMode")(-1)


# -- shared variables, test values, options --------------------------------------------------------------------------
def a_list_as_shared_value() -> None:
    T.exp(theano.shared([1, 2, 3]))


def a_shared_value_of_another_rank() -> None:
    theano.shared(np.zeros(2), name="W").set_value(np.zeros((2, 2)))


def a_test_value_that_does_not_fit() -> None:
    with theano.config.change_flags(compute_test_value="raise"):
        A, B = T.matrix("A"), T.matrix("B")
        A.tag.test_value, B.tag.test_value = np.ones((3, 4)), np.ones((5, 6))
        T.dot(A, B)


def a_missing_test_value() -> None:
    with theano.config.change_flags(compute_test_value="raise"):
        T.exp(T.vector("x"))


def an_unknown_floatX() -> None:
    theano.config.floatX = "float8"


def an_unknown_option() -> None:
    theano.config.floatx = "float32"


# -- expressions -----------------------------------------------------------------------------------------------------
def an_axis_that_is_not_there() -> None:
    T.sum(T.matrix("x"), axis=2)


def an_axis_twice() -> None:
    T.max(T.matrix("x"), axis=(0, -2))


def an_axis_that_is_no_integer() -> None:
    T.mean(T.matrix("x"), axis=0.5)


def a_dtype_that_is_none() -> None:
    T.cast(T.vector("x"), "float23")


def an_integer_beyond_64_bits() -> None:
    T.vector("x") + 2**70


def a_difference_of_bools() -> None:
    x = T.vector("x")
    (x > 0) - (x > 1)


def too_many_indices() -> None:
    T.matrix("x")[0, 1, 2]


def an_index_that_is_a_float() -> None:
    T.vector("x")[1.0]


def a_loop_over_a_vector() -> None:
    for _ in T.vector("x"):
        pass


def assigning_to_an_element() -> None:
    x = T.vector("x")
    x[0] = 1.0


def dropping_an_axis_that_is_not_of_length_1() -> None:
    T.matrix("x").dimshuffle(1)


def joining_scalars() -> None:
    T.concatenate([T.scalar("a"), T.scalar("b")])


def softmax_of_a_batch_of_matrices() -> None:
    T.nnet.softmax(T.tensor3("x"))


def writing_to_what_is_no_part() -> None:
    x = T.vector("x")
    T.set_subtensor(x * 2, 1.0)


def a_gradient_with_respect_to_something_else() -> None:
    x, y = T.vector("x"), T.vector("y")
    T.grad(T.sum(x**2), y)


def the_jacobian_of_a_matrix() -> None:
    x = T.matrix("x")
    T.jacobian(x * 2, x)


def an_expression_that_needs_its_own_result() -> None:
    y = T.vector("x") + 1
    object.__setattr__(y.owner, "inputs", (y, y))
    y.eval()


# -- values that only a call can know --------------------------------------------------------------------------------
def a_choice_that_is_not_there() -> None:
    a, x = T.lvector("a"), T.vector("x")
    theano.function([a, x], T.choose(a, [x, -x]))([0, 2], [1.0, 2.0])


def a_mask_of_another_length() -> None:
    x, mask = T.vector("x"), T.vector("mask", dtype="bool")
    theano.function([x, mask], x[mask])([1, 2, 3], [True, False])


def more_of_the_largest_than_there_are() -> None:
    x, k = T.vector("x"), T.lscalar("k")
    theano.function([x, k], T.topk(x, k))([1, 2, 3], 4)


def a_negative_count() -> None:
    x, counts = T.vector("x"), T.lvector("counts")
    theano.function([x, counts], T.repeat(x, counts))([1, 2], [1, -1])


def differences_for_all_elements() -> None:
    x = T.vector("x")
    theano.function([x], x * (x[1:] - x[:-1]))([1, 2, 4])


MISTAKES: tuple[Mistake, ...] = (
    two_equals_signs,
    matrix_product_of_wrong_shapes, a_vector_of_another_length, a_row_that_was_not_declared_as_one, a_forgotten_input,
    an_input_too_many, inputs_without_a_list, float64_data_for_float32, a_vector_for_a_matrix, the_gradient_of_a_vector,
    a_symbolic_condition_in_an_if, a_shared_variable_as_input, an_update_of_another_dtype, an_update_of_another_pattern,
    an_update_of_a_plain_variable, two_updates_of_one_variable, an_input_twice, a_given_of_another_type,
    a_number_as_output, an_unknown_mode, too_few_arguments, too_many_arguments, an_unknown_keyword, a_float_for_an_int,
    a_variable_as_argument, an_array_of_objects, an_index_out_of_range, a_reshape_that_does_not_fit,
    an_assertion_that_fails, nan_in_debug_mode, nan_in_nan_guard_mode, a_list_as_shared_value,
    a_shared_value_of_another_rank, a_test_value_that_does_not_fit, a_missing_test_value, an_unknown_floatX,
    an_unknown_option, an_axis_that_is_not_there, an_axis_twice, an_axis_that_is_no_integer, a_dtype_that_is_none,
    an_integer_beyond_64_bits, a_difference_of_bools, too_many_indices, an_index_that_is_a_float, a_loop_over_a_vector,
    assigning_to_an_element, dropping_an_axis_that_is_not_of_length_1, joining_scalars, softmax_of_a_batch_of_matrices,
    writing_to_what_is_no_part, a_gradient_with_respect_to_something_else, the_jacobian_of_a_matrix,
    an_expression_that_needs_its_own_result, a_choice_that_is_not_there, a_mask_of_another_length,
    more_of_the_largest_than_there_are, a_negative_count, differences_for_all_elements,
)  # fmt: skip
