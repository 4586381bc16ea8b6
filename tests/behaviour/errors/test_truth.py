"""Truth that only a call can know: bool() of computed bools, and Python's bools that `==` of variables gives."""

from __future__ import annotations

import operator
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.ifelse import ifelse

x, y = T.vector("x"), T.vector("y")
m = T.vector("m", dtype="bool")
i = T.iscalar("i")


@pytest.fixture(autouse=True)
def warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize(
    "computed",
    [
        lambda: T.all(x > 0), lambda: (x > 0).all(), lambda: T.any(m), lambda: T.eq(i, 0) & T.eq(i, 1), lambda: ~m,
        lambda: T.isnan(x), lambda: m[0], lambda: T.switch(T.gt(i, 0), m, ~m), lambda: T.allclose(x, y), lambda: x > 0,
    ],
)  # fmt: skip
def test_a_computed_bool_has_no_truth_value(computed: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match=r"(?s)boolean operations.*T\.switch or ifelse.*Assert"):
        bool(computed())
    with pytest.raises(TypeError):
        not computed()  # noqa: B018
    with pytest.raises(TypeError):
        assert computed()


def test_variables_without_owner_and_numbers_are_true_as_they_tell_a_variable_from_none() -> None:
    for variable in (x, m, i, x + 1, T.sum(x), T.constant(False), tensordsl.shared(np.array([True]))):
        assert variable


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: T.switch(x == 0, 1.0, x), lambda: T.where(x != 0, 1.0, x), lambda: ifelse(i == 0, x, y),
        lambda: m & (x == 0), lambda: (x != 0) & m, lambda: m | (x == y), lambda: m ^ (x == 0), lambda: (0 == x) | m,
        lambda: T.and_(m, x == 0), lambda: T.or_(x == 0, m), lambda: T.invert(x == 0), lambda: T.mean(x == y),
        lambda: (x == 0) * y, lambda: T.select([x == 0], [y]), lambda: x.dot(x == y), lambda: x[x == 0],
        lambda: T.set_subtensor(x[x == 0], 1.0), lambda: x.at[x == 0], lambda: T.nonzero(x == 0),
    ],
)  # fmt: skip
def test_a_comparison_by_equals_is_no_operand(wrong: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match=r"T\.eq"):
        wrong()


def test_a_comparison_elsewhere_in_the_running_functions_is_a_warning_with_its_line() -> None:
    def of_a_name() -> Any:
        condition = x == 0
        return T.switch(condition, 1.0, x)

    def layer(condition: Any) -> Any:
        return T.switch(condition, 1.0, x)

    def of_an_argument() -> Any:
        return layer(x == 0)

    for program, line, gets_it in (
        (of_a_name, "condition = x == 0", of_a_name),
        (of_an_argument, "return layer(x == 0)", layer),
    ):
        with pytest.warns(UserWarning, match=r"(?s)T\.eq.*T\.constant\(False\)") as caught:
            program()
        assert line in str(caught[0].message)
        last = max(number for _, _, number in gets_it.__code__.co_lines() if number is not None)
        assert (caught[0].filename, caught[0].lineno) == (__file__, last)


def test_bools_of_the_program_pass() -> None:
    variables = [x, y, m]
    assert m in variables and variables.index(m) == 2 and {x: 1}[x] == 1 and i not in variables
    f = tensordsl.function(
        [m],
        [
            T.switch(True, m, ~m), m & True, False | m, reduce(operator.and_, [m, ~m], True), T.or_(m, 3 == 4),
            ifelse(True, m, ~m), T.constant(False) & m, m[np.True_][0],
        ],
    )  # fmt: skip
    values = [value.tolist() for value in f([True, False])]
    assert values == [
        [True, False], [True, False], [True, False], [False, False], [True, False], [True, False], [False, False],
        [True, False],
    ]  # fmt: skip


def test_equality_is_identity() -> None:
    other = T.vector("x")
    assert x == x and x != other and (x == 0) is False and (x != 0) is True
    assert {x, other} == {other, x} and len({x, x, other}) == 2 and hash(x) != hash(other)


def test_the_option_gives_theanos_rule() -> None:
    with tensordsl.config.change_flags(symbolic_truth="theano"):
        assert T.all(x > 0) and (T.eq(x, 0) & T.eq(x, 1))
        with pytest.raises(TypeError):
            bool(x > 0)
        assert T.switch(x == 0, 1.0, 2.0).eval() == 2.0


def test_programs_for_theano_have_its_rule() -> None:
    program = """
import warnings; warnings.simplefilter("error")
import tensordsl, tensordsl.compat
tensordsl.compat.install()
import theano.tensor as T
x = T.vector()
assert T.all(x > 0)
assert T.switch(x == 0, 1.0, 2.0).eval() == 2.0
tensordsl.compat.uninstall()
try:
    bool(T.all(x > 0))
except TypeError:
    print("raised")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "raised\n"
