"""Formulas as strings: the value and dtype that NumPy gives them, and nothing else that Python would run."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensordsl
from tensordsl import evaluate, re_evaluate, validate

CALLS = "sum({}) min({}) any({}) sin({}) sqrt({}) abs({}) floor({}) exp({}) isnan({}) conj({})".split()
NUMPY = {call[:-4]: getattr(np, call[:-4]) for call in CALLS} | {"maximum": np.maximum, "where": np.where}
DTYPES = "bool int8 uint8 int32 uint32 int64 uint64 float32 float64 complex64 complex128".split()
SHAPES = [(), (1,), (0,), (5,), (4, 5), (4, 1), (1, 5)]
SPECIAL = [float("nan"), float("inf"), -float("inf"), -0.0, 0.0]
A = np.linspace(-2, 2, 5)
B = A[::-1] / 3


@st.composite
def arrays(draw: Any) -> Any:
    dtype, shape = draw(st.sampled_from(DTYPES)), draw(st.sampled_from(SHAPES))
    random = np.random.RandomState(draw(st.integers(0, 9)))
    x = np.asarray(random.randint(0, 6, shape)).astype(dtype)
    if dtype[0] == "f":
        x = np.where(random.rand(*shape) < 0.3, random.choice(SPECIAL, shape), x + 0.5).astype(dtype)
    return x[..., ::-1] if x.ndim and draw(st.booleans()) else x


def formulas() -> Any:
    """Of the arrays a and b, the number c of Python's, and literals."""
    leaves = st.sampled_from(["a", "b", "c", "a", "b", "2", "3.5"])
    binary = st.sampled_from("+ - * / // % < > == != <= & | ^".split())

    def grown(inner: Any) -> Any:
        return st.one_of(
            st.builds("({} {} {})".format, inner, binary, inner),
            st.builds("(-{})".format, inner),
            st.builds("({} ** 2)".format, inner),
            st.builds("where({}, {}, a)".format, inner, inner),
            st.builds("maximum({}, {})".format, inner, inner),
            st.builds(lambda call, x: call.format(x), st.sampled_from(CALLS), inner),
        )

    return st.recursive(leaves, grown, max_leaves=6)


@given(formulas(), arrays(), arrays(), st.sampled_from([3, 2.5, 0, -2.0, 200]))
def test_random_formulas_are_numpys(text: str, a: Any, b: Any, c: Any) -> None:
    names = {"a": a, "b": b, "c": c}
    before = [np.array(x) for x in (a, b)]
    with np.errstate(all="ignore"):
        try:
            want = np.asarray(eval(text, {**NUMPY, "__builtins__": {}}, names))
        except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
            if not isinstance(error, ZeroDivisionError):  # of Python's numbers alone, where an array has inf
                with pytest.raises((TypeError, ValueError, OverflowError)):
                    evaluate(text, names)
            return
    got = evaluate(text, names)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    tolerance = {"e": 1e-2, "f": 2e-5, "F": 2e-4}.get(want.dtype.char, 1e-11)
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)
    for x, y in zip((a, b), before, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_of_pythons_leave_arrays_their_dtype(dtype: str) -> None:
    a = np.ones(3, dtype)
    for number in (2, 2.5, 1j):
        for text, want in (("a * number", a * number), (f"a * {number!r}", a * number), ("number - a", None)):
            if want is not None or dtype != "bool":
                assert evaluate(text).dtype == (number - a if want is None else want).dtype


def test_numbers_that_change_need_no_new_compile() -> None:
    for number in range(5):
        np.testing.assert_array_equal(evaluate("A * number"), A * number)
    formula = tensordsl.functions.formulas._formulas["A * number"]
    assert len(formula.cases) == 1
    for n in (3, 4, 0):
        A_of_n = np.ones(n)
        assert evaluate("A * number", {"A": A_of_n, "number": 2}).shape == (n,)
    assert len(formula.cases) == 1


@pytest.mark.parametrize("text", ["a + number", "where(a > 0, a, number)", "(number * 2) + a", "number * a"])
def test_an_integer_that_a_dtype_does_not_hold(text: str) -> None:
    a = np.ones(3, "int8")
    assert evaluate(text, {"a": a, "number": 3}).dtype == "int8"
    with pytest.raises((OverflowError, AssertionError), match="out of bounds for int8"):
        evaluate(text, {"a": a, "number": 300})


def test_comparisons_with_any_integer_are_exact() -> None:
    a = np.array([0, 200, 255], "uint8")
    for number in (-1, 300, 200, 1 << 62):
        np.testing.assert_array_equal(evaluate("a < number"), a < number)
        np.testing.assert_array_equal(evaluate(f"a < {number}"), a < number)
    big = np.array([1 << 63, (1 << 63) - 1], "uint64")
    np.testing.assert_array_equal(evaluate("big > -1", {"big": big}), [True, True])
    np.testing.assert_array_equal(evaluate(f"big == {1 << 63}", {"big": big}), [True, False])


def test_reductions() -> None:
    m = np.arange(6.0).reshape(2, 3)
    for axis in (0, 1, -1):
        np.testing.assert_allclose(evaluate(f"sum(m * 2, {axis})"), (m * 2).sum(axis))
        np.testing.assert_allclose(evaluate(f"max(m, axis={axis}) - 1"), m.max(axis) - 1)
    assert evaluate("mean(m)") == m.mean()
    for text in ("sum(m, 2)", "sum(m, n)", "sum()", "sum(m, keepdims=True)"):
        with pytest.raises(ValueError, match="sum"):
            evaluate(text, {"m": m, "n": 1})


def test_names_are_the_callers() -> None:
    a = np.array([1.0])
    np.testing.assert_array_equal(evaluate("a + A"), a + A)  # a local variable, and a global one
    np.testing.assert_array_equal(evaluate("a + A", {"a": 2.0}, {"A": 3.0}), 5)
    np.testing.assert_array_equal(re_evaluate({"a": 1.0, "A": 1.0}), 2)
    with pytest.raises(NameError, match="'nowhere' is not defined"):
        evaluate("a + nowhere")


def test_re_evaluate_is_of_the_thread() -> None:
    caught: list[Any] = []

    def run() -> None:
        try:
            re_evaluate({})
        except RuntimeError as error:
            caught.append(error)

    evaluate("A + 1")
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "no formula yet" in str(caught[0])


def test_out() -> None:
    a = A.copy()
    assert evaluate("a * 2", out=a) is a  # an operand, too
    np.testing.assert_array_equal(a, A * 2)
    kept = a.copy()
    evaluate("-a", out=kept, where=A > 0)
    np.testing.assert_array_equal(kept, np.where(A > 0, -a, a))
    narrow = np.zeros(5, "float32")
    with pytest.raises(TypeError, match="Cannot cast"):
        evaluate("a", out=narrow)
    np.testing.assert_array_equal(narrow, 0)
    evaluate("a", out=narrow, casting="same_kind")
    np.testing.assert_array_equal(narrow, a.astype("float32"))
    for wrong in (np.zeros(4), np.zeros((1, 5))):
        with pytest.raises(ValueError, match="out has the shape"):
            evaluate("a", out=wrong)
    with pytest.raises(ValueError, match="which is not given"):
        evaluate("a", where=A > 0)
    assert evaluate("m", {"m": np.ones((2, 3))}, order="F").flags.f_contiguous


def test_kinds_of_values() -> None:
    np.testing.assert_array_equal(evaluate("x + y", {"x": [1, 2], "y": np.float32(1)}), [2, 3])
    swapped = A.astype(">f8")
    np.testing.assert_array_equal(evaluate("swapped * 2", {"swapped": swapped}), A * 2)
    np.testing.assert_array_equal(evaluate("A * 2"), A * 2)
    np.testing.assert_array_equal(evaluate("swapped * 2", {"swapped": A}), A * 2)
    np.testing.assert_array_equal(evaluate("swapped * 2", {"swapped": swapped}), A * 2)
    for wrong in (np.array(["a"]), np.array([None]), "text", np.zeros(2, "M8[s]")):
        with pytest.raises(TypeError, match="is an array of"):
            evaluate("wrong + 1", {"wrong": wrong})
    assert type(evaluate("A")) is np.ndarray and not np.shares_memory(evaluate("A"), A)
    assert evaluate("2 + 3") == 5


REFUSED = {
    "__import__('os').system('true')": "no function __import__",
    "(1).__class__": "Attribute is refused",
    "A.real": "Attribute is refused",
    "A[0]": "Subscript is refused",
    "[A, A]": "List is refused",
    "lambda: 1": "Lambda is refused",
    "A if A else A": "IfExp is refused",
    "A and A": "write & | ~",
    "not A": "write & | ~",
    "-2 < A < 2": r"\(a < b\) & \(b < c\)",
    "'text'": "Constant is refused",
    "open(A)": "no function open",
    "sin(A, A)": "takes 1 arguments, got 2",
    "sin(*A)": "Starred is refused",
    "sin(x=A)": "only argument with a name",
    "9 ** 9 ** 9": "no 64-bit number",
    "1 << 4000000000": "no 64-bit number",
    "1 / 0": "division by zero",
    "(A := 2)": "NamedExpr is refused",
    "A @ B": "BinOp is refused",
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_formula(text: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[text]):
        evaluate(text)
    assert isinstance(validate(text), ValueError)


def test_wrong_texts() -> None:
    for text in ("A +", "", "A; B", "import os", "A = 2"):
        with pytest.raises(SyntaxError, match="is no formula"):
            evaluate(text)
    for wrong in (None, 3, A):
        with pytest.raises(TypeError, match="a formula is a string"):
            evaluate(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="bitwise_and"):
        evaluate("A & B")
    assert validate("A + B") is None


def test_long_formulas() -> None:
    assert evaluate("+".join(["A"] * 500)).tolist() == (A * 500).tolist()
    with pytest.raises(ValueError, match="can't be parsed"):
        evaluate("-" * 100_000 + "A")


def test_many_formulas_are_forgotten_in_turn() -> None:
    formulas = tensordsl.functions.formulas
    for k in range(formulas.KEPT_FORMULAS + 5):
        formulas._remember(f"A + {k}")
    assert len(formulas._formulas) == formulas.KEPT_FORMULAS
