"""How a function is called: arguments by position and name, defaults, and what is converted or refused."""

from __future__ import annotations

import functools
import inspect
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.functions.native import compile_spec


def vectors() -> tuple[Any, Any]:
    return T.vector("x"), T.vector("y")


# -- binding ---------------------------------------------------------------------------------------------------------
def test_arguments_are_given_by_position_or_name() -> None:
    x, y = vectors()
    f = theano.function([x, y], x - y)
    for found in (f([3], [1]), f([3], y=[1]), f(y=[1], x=[3])):
        assert found.tolist() == [2.0]


def test_a_default_is_used_and_can_be_overridden() -> None:
    x, y = vectors()
    f = theano.function([x, theano.In(y, value=[10.0])], x + y)
    assert f([1]).tolist() == [11.0]
    assert f([1], [20]).tolist() == [21.0]
    assert f([1], y=[30]).tolist() == [31.0]
    assert f([1]).tolist() == [11.0]


def test_the_caller_cannot_change_a_default_afterwards() -> None:
    x = T.vector("x")
    given = np.array([1.0, 2.0])
    f = theano.function([theano.In(x, value=given)], x * 2)
    given[:] = 0
    assert f().tolist() == [2.0, 4.0]


def test_a_shared_variable_as_default_gives_its_current_value() -> None:
    x = T.vector("x")
    state = theano.shared(np.array([1.0]))
    f = theano.function([theano.In(x, value=state)], x + 1)
    state.set_value(np.array([5.0]))
    assert f().tolist() == [6.0]


def test_an_in_gives_the_keyword_its_name() -> None:
    x = T.vector("x")
    assert theano.function([theano.In(x, name="points")], x)(points=[1]).tolist() == [1.0]


def test_an_input_with_an_update_is_state_of_the_function() -> None:
    step, total = T.scalar("step"), T.scalar("total")
    f = theano.function([step, theano.In(total, value=10, update=total + step)], total)
    assert [float(f(1)), float(f(2)), float(f(0))] == [10.0, 11.0, 13.0]
    assert float(f(1, total=100)) == 100.0
    assert float(f(0)) == 101.0


def test_an_argument_for_a_state_is_forgotten_if_the_call_fails() -> None:
    step, total = T.vector("step"), T.vector("total")
    f = theano.function([step, theano.In(total, value=[0, 0], update=total + step)], total)
    with pytest.raises(ValueError, match="(?i)mismatch"):
        f([1, 2, 3], total=[5, 5])
    f([1, 2])
    assert f([0, 0]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "args, kwargs, message",
    [
        (([1],), {}, "Missing required input: y"),
        ((), {"y": [1]}, "Missing required input: x"),
        (([1], [2], [3]), {}, "Too many arguments .*takes 2 inputs .*got 3"),
        (([1], [2]), {"y": [1]}, "Multiple values for input: y"),
        (([1],), {"z": [1]}, r"Unknown input or state: z.*2 inputs \(x, y\)"),
    ],
)
def test_wrong_calls_name_the_input(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    x, y = vectors()
    f = theano.function([x, y], x + y)
    with pytest.raises(TypeError, match=message):
        f(*args, **kwargs)


# -- what is converted -----------------------------------------------------------------------------------------------
ACCEPTED = [
    ("float64 vector", "dvector", [1, 2], [1.0, 2.0]),
    ("tuple", "dvector", (1.5, 2), [1.5, 2.0]),
    ("int array", "dvector", np.arange(3), [0.0, 1.0, 2.0]),
    ("bool array", "ivector", np.array([True, False]), [1, 0]),
    ("smaller ints", "lvector", np.array([1, 2], "int8"), [1, 2]),
    ("float32 array", "dvector", np.array([0.5], "float32"), [0.5]),
    ("empty list", "dvector", [], []),
    ("byte-swapped", "dvector", np.array([1.0, 2.0], ">f8"), [1.0, 2.0]),
    ("byte-swapped ints", "lvector", np.array([1, 2], ">i4"), [1, 2]),
    ("reversed", "dvector", np.arange(3.0)[::-1], [2.0, 1.0, 0.0]),
    ("zero strides", "dvector", np.broadcast_to(np.float64(2), (3,)), [2.0, 2.0, 2.0]),
    ("python int", "dscalar", 3, 3.0),
    ("python bool", "dscalar", True, 1.0),
    ("numpy scalar", "dscalar", np.float32(1.5), 1.5),
    ("float into float32", "fscalar", 0.5, 0.5),
    ("single precision into float32", "fscalar", np.float32(0.1), float(np.float32(0.1))),
    ("complex into complex64", "cscalar", 0.5 + 2j, 0.5 + 2j),
    ("exact list into float32", "fvector", [0.5, 2], [0.5, 2.0]),
    ("int into int8", "bscalar", 100, 100),
    ("whole floats of a list", "ivector", [1.0, 2.0], [1, 2]),
    ("nan of a list", "fvector", [float("inf")], [float("inf")]),
]


@pytest.mark.parametrize("case, kind, given, expected", ACCEPTED, ids=[row[0] for row in ACCEPTED])
def test_what_loses_nothing_is_converted(case: str, kind: str, given: Any, expected: Any) -> None:
    x = getattr(T, kind)("x")
    found = theano.function([x], x)(given)
    assert type(found) is np.ndarray and found.dtype == x.dtype and found.tolist() == expected


REFUSED = [
    ("float64 into float32", "fvector", np.zeros(2), "cannot store a value of dtype float64 without risking loss"),
    ("inexact list", "fvector", [0.1], "cannot store accurately"),
    ("float into int", "iscalar", 1.5, r"TensorType\(int32, scalar\) cannot store accurately value 1.5"),
    ("int64 into float32", "fvector", np.arange(2), "risking loss"),
    ("too big for int8", "bscalar", 300, "cannot store accurately value 300"),
    ("too big for int64", "lscalar", 10**30, "expects numbers"),
    ("not exact in float64", "dscalar", 2**63 - 1, "cannot store accurately"),
    ("too big for int16", "wvector", [2**15], "cannot store accurately"),
    ("numpy scalar", "fscalar", np.float64(0.1), "cannot store accurately"),
    ("float into float32", "fscalar", 0.1, r"TensorType\(float32, scalar\) cannot store accurately value 0.1"),
    ("float too large for float32", "fscalar", 1e300, "cannot store accurately value 1e"),
    ("float into float16", "hscalar", 0.1, "cannot store accurately"),
    ("float into complex64", "cscalar", 0.1, "cannot store accurately"),
    ("complex into complex64", "cscalar", 0.1 + 0.2j, "cannot store accurately"),
    (
        "rank too high",
        "dvector",
        np.zeros((2, 2)),
        r"Wrong number of dimensions: expected 1, got 2 with shape \(2, 2\)",
    ),
    ("rank too low", "dmatrix", np.zeros(2), r"expected 2, got 1.*value\[None, :\]"),
    ("scalar for vector", "dvector", 1.0, r"expected 1, got 0.*np\.array\(\[value\]\)"),
    ("not a row", "drow", np.zeros((2, 3)), r"broadcastable dimension: axis 0 .*length 1, got shape \(2, 3\)"),
    ("object array", "dvector", np.array([1, None]), "cannot store an array of dtype object"),
    ("complex", "dvector", np.array([1j]), "cannot store an array of dtype complex128"),
    ("dates", "dvector", np.array(["2020-01-01"], "M8[D]"), "datetime64"),
    ("strings", "dvector", ["a"], "expects numbers"),
    ("ragged list", "dmatrix", [[1], [1, 2]], "a list that is none"),
    ("None", "dscalar", None, "expects numbers, got a NoneType"),
    ("masked", "dvector", np.ma.array([1.0, 2.0], mask=[0, 1]), r"masked arrays are not supported; use value\.filled"),
    ("dict", "dvector", {"a": 1}, "expects numbers"),
]


@pytest.mark.parametrize("case, kind, given, message", REFUSED, ids=[row[0] for row in REFUSED])
def test_what_would_lose_something_is_refused(case: str, kind: str, given: Any, message: str) -> None:
    x = T.scalar("points", dtype="float16") if kind == "hscalar" else getattr(T, kind)("points")
    f = theano.function([x], x, name="identity")
    with pytest.raises(TypeError, match=message) as caught:
        f(given)
    text = str(caught.value)
    assert text.startswith('Bad input argument to tensordsl function with name "identity" at index 0 (0-based)')
    assert "'points'" in text and "Backtrace when that variable is created" in text and __file__ in text


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64"])
def test_negative_numbers_are_no_unsigned_ones(dtype: str) -> None:
    x = T.TensorType(dtype, (None,))("x")
    f = theano.function([x], x)
    assert f([0, 200]).tolist() == [0, 200]
    with pytest.raises(TypeError, match="cannot store accurately"):
        f([-1])


def test_a_variable_as_argument_is_explained() -> None:
    x, y = vectors()
    with pytest.raises(TypeError, match="found a Variable"):
        theano.function([x], x)(y)


@pytest.mark.parametrize("given", [np.array([1.9, 2.0]), [1.9, 2.0]])
def test_a_downcast_must_be_asked_for(given: Any) -> None:
    x = T.ivector("x")
    with pytest.raises(TypeError):
        theano.function([x], x)(given)
    assert theano.function([x], x, allow_input_downcast=True)(given).tolist() == [1, 2]
    assert theano.function([theano.In(x, allow_downcast=True)], x)(given).tolist() == [1, 2]


def test_false_forbids_even_python_floats() -> None:
    x = T.fscalar("x")
    with pytest.raises(TypeError, match="cannot store accurately"):
        theano.function([x], x, allow_input_downcast=False)(0.1)


def test_strict_takes_only_arrays_of_the_dtype() -> None:
    x = T.dvector("x")
    f = theano.function([theano.In(x, strict=True)], x)
    assert f(np.array([1.0])).tolist() == [1.0]
    for given in ([1.0], np.array([1]), np.float64(1)):
        with pytest.raises(TypeError, match="strict"):
            f(given)


# -- the caller's arrays ---------------------------------------------------------------------------------------------
def misaligned(values: list[float]) -> np.ndarray[Any, Any]:
    buffer = np.zeros(8 * len(values) + 1, "uint8")
    array = buffer[1:].view("float64")
    array[:] = values
    assert not array.flags.aligned
    return array


def read_only(values: list[float]) -> np.ndarray[Any, Any]:
    array = np.array(values)
    array.flags.writeable = False
    return array


UNUSUAL = [
    misaligned([1.0, 2.0, 3.0]),
    read_only([1.0, 2.0, 3.0]),
    np.arange(7.0)[1:7:2] - 0,
    np.arange(1.0, 4.0).view(type("Sub", (np.ndarray,), {})),
    np.array([1.0, 2.0, 3.0])[::-1],
]


@pytest.mark.parametrize("given", UNUSUAL)
@pytest.mark.parametrize("mutable", [False, True])
def test_unusual_arrays_give_the_right_result_and_are_never_changed(given: Any, mutable: bool) -> None:
    x = T.dvector("x")
    before = np.array(given)
    f = theano.function([theano.In(x, mutable=mutable)], [x, x * 2])
    same, double = f(given)
    same[:] = -1
    assert double.tolist() == (before * 2).tolist()
    assert np.array_equal(np.asarray(given), before)
    assert not np.may_share_memory(same, given)


def test_the_same_array_twice_is_fine() -> None:
    x, y = vectors()
    a = np.array([1.0, 2.0])
    assert theano.function([x, y], x + y)(a, a).tolist() == [2.0, 4.0]
    assert theano.function([x, y], x - y)(a, a[::-1]).tolist() == [-1.0, 1.0]


def test_memory_maps_are_arrays(tmp_path: Any) -> None:
    np.arange(3.0).tofile(tmp_path / "data")
    x = T.dvector("x")
    assert theano.function([x], x + 1)(np.memmap(tmp_path / "data", "float64")).tolist() == [1.0, 2.0, 3.0]


# -- which inputs a function may have --------------------------------------------------------------------------------
def test_an_unused_input_raises_warns_or_is_ignored() -> None:
    x, y = vectors()
    with pytest.raises(theano.errors.UnusedInputError, match="index 1 is not part of the computational graph.*: y"):
        theano.function([x, y], x)
    with pytest.warns(UserWarning, match="index 1"):
        theano.function([x, y], x, on_unused_input="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert theano.function([x, y], x, on_unused_input="ignore")([1], [2]).tolist() == [1.0]
        with theano.config.change_flags(on_unused_input="ignore"):
            theano.function([x, y], x)
    with pytest.raises(ValueError, match="on_unused_input"):
        theano.function([x, y], x, on_unused_input="explode")


def test_an_input_that_only_an_optimiser_would_drop_counts_as_used() -> None:
    A, x, b = T.matrix("A"), T.vector("x"), T.vector("b")
    theano.function([A, x, b], theano.gradient.jacobian(T.dot(A, x) + b, x))
    theano.function([x, b], x + 0 * b)


def test_an_input_used_only_by_an_update_is_used() -> None:
    x = T.vector("x")
    state = theano.shared(np.zeros(2))
    theano.function([x], [], updates=[(state, state + x)])([1, 2])
    assert state.get_value().tolist() == [1.0, 2.0]


def test_an_input_twice_is_refused() -> None:
    x = T.vector("x")
    with pytest.raises(theano.errors.UnusedInputError, match="Variable x is used twice .* indices 0 and 1"):
        theano.function([x, x], x)


def test_a_missing_input_is_named_with_its_line() -> None:
    x, y = vectors()
    with pytest.raises(theano.errors.MissingInputError, match=r"Input 1 of the graph .*add\(x, y\).*: y") as caught:
        theano.function([x], x + y)
    assert __file__ in str(caught.value)


def test_an_intermediate_variable_can_be_an_input() -> None:
    x = T.vector("x")
    double = x * 2
    assert theano.function([double], double + 1)([1]).tolist() == [2.0]


@pytest.mark.parametrize(
    "inputs, error, message",
    [
        (lambda: T.vector("x"), TypeError, "must be given in a list"),
        (lambda: [3], TypeError, "Input 0 .* must be a variable or an In, got 3"),
        (lambda: [T.constant(3)], TypeError, "constant"),
        (lambda: [theano.shared(1.0, name="W")], TypeError, r"Cannot use a shared variable \(W\) as explicit input"),
        (
            lambda: [theano.In(T.vector("x"), value=np.zeros((2, 2)))],
            TypeError,
            "default value of input 0 .*Wrong number",
        ),
        (lambda: [theano.In(T.vector("x"), update=T.matrix("x"))], TypeError, "An update must have the same type"),
    ],
)
def test_wrong_inputs_are_refused(inputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        theano.function(inputs(), [])


def test_a_python_float_may_be_rounded_to_floatX_alone() -> None:
    """For variables of another float dtype it must be exact, wherever the number stands."""
    x, s = T.fscalar("x"), theano.shared(np.float32(1))

    def uses() -> list[Any]:
        rounded = theano.shared(np.float32(1))
        rounded.set_value(0.1)
        theano.function([], [], updates=[(s, 0.1)])()
        given = theano.function([], x * 1, givens={x: 0.1})()
        default = theano.function([theano.In(x, value=0.1)], x * 1)()
        return [theano.function([x], x * 1)(0.1), rounded.get_value(), s.get_value(), given, default]

    with theano.config.change_flags(floatX="float32"):
        assert [float(v) for v in uses()] == [float(np.float32(0.1))] * 5
        assert np.isposinf(theano.function([x], x * 1)(1e300))
        with pytest.raises(TypeError, match="cannot store accurately"):
            theano.function([x], x * 1, allow_input_downcast=False)(0.1)
    for use in (
        lambda: theano.shared(np.float32(1)).set_value(0.1), lambda: theano.function([], x * 1, givens={x: 0.1}),
        lambda: theano.function([], [], updates=[(s, 0.1)]), lambda: theano.In(x, value=0.1) and
        theano.function([theano.In(x, value=0.1)], x * 1),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="cannot store accurately"):
            use()
    assert float(theano.function([x], x * 1, allow_input_downcast=True)(0.1)) == float(np.float32(0.1))


STATES: list[tuple[str, Any, list[Any], list[float]]] = [
    ("from another input", lambda d, x: ([theano.In(d, value=1.0, update=x * 2), x], d), [5, 6, 7], [1, 10, 12]),
    ("of both", lambda d, x: ([theano.In(d, value=1.0, update=d + x), x], d), [1, 2, 3], [1, 2, 4]),
    ("in a keyword's name", lambda d, x: ([theano.In(d, name="q", value=1, update=d * x), x], d), [3, 3, 1], [1, 3, 9]),
    ("an expression", lambda d, x: ([theano.In(d * 2, value=1.0), x], d * 2 + x), [3, 3, 1], [4, 4, 2]),
]


@pytest.mark.parametrize("name, build, given, expected", STATES, ids=[row[0] for row in STATES])
def test_the_rules_of_states(name: str, build: Any, given: list[Any], expected: list[float]) -> None:
    d, x = T.dscalars("d", "x")
    inputs, output = build(d, x)
    if name == "an expression":
        inputs[0], output = theano.In(y := d * 2, value=1.0), y + x
    f = theano.function(inputs, output)
    assert [float(f(x=v)) for v in given] == expected


def test_two_states_change_at_once() -> None:
    d, e = T.dscalars("d", "e")
    f = theano.function([theano.In(d, value=1.0, update=e), theano.In(e, value=2.0, update=d)], [d, e])
    assert [[float(v) for v in f()] for _ in range(3)] == [[1, 2], [2, 1], [1, 2]]


def test_a_state_without_a_first_value_is_given_by_each_call() -> None:
    d, x, r = T.dscalar("d"), T.dscalar("x"), T.drow("r")
    f = theano.function([theano.In(d, update=d + x), x], d * 1)
    assert float(f(1.0, 2.0)) == 1 and float(f(3.0, 2.0)) == 3
    with pytest.raises(TypeError, match="Missing required input: d .* takes 2 inputs: d, x"):
        f(x=3.0)
    g = theano.function([theano.In(r, update=r * 2)], r * 1)
    assert g([[1.0, 2.0]]).tolist() == [[1, 2]]
    with pytest.raises(TypeError, match="Missing required input"):
        g()


@pytest.mark.parametrize(
    "update",
    [
        lambda i: i + 0.5, lambda i: i + 1.0, lambda i: T.cast(i + 1, "int64"), lambda i: T.cast(i + 1, "int16"),
        lambda i: T.stack([i, i]), lambda i: 0.5, lambda i: T.cast(i, "float32"),
    ],
)  # fmt: skip
def test_a_state_keeps_its_type(update: Any) -> None:
    i = T.iscalar("i")
    for downcast in (None, True):
        with pytest.raises(TypeError):
            theano.function([theano.In(i, value=1, update=update(i), allow_downcast=downcast)], i)


def test_in_checks_its_arguments() -> None:
    with pytest.raises(TypeError, match="expected a variable"):
        theano.In(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mutable"):
        theano.In(T.vector(), mutable=True, borrow=False)
    assert repr(theano.In(T.vector("x"), value=1)) == "In(x, value=1)"


# -- implicit inputs, values held by a function ----------------------------------------------------------------------
def test_an_implicit_input_is_skipped_by_calls() -> None:
    x, y, z = T.scalars("x", "y", "z")
    state = theano.shared(10.0)
    f = theano.function([x, theano.In(y, value=state, implicit=True), z], [x, y, z])
    assert [float(v) for v in f(1, 2)] == [1.0, 10.0, 2.0]
    state.set_value(20.0)
    assert [float(v) for v in f(1, z=3)] == [1.0, 20.0, 3.0]
    with pytest.raises(TypeError, match="Tried to provide value for implicit input: y"):
        f(1, z=3, y=2)
    with pytest.raises(TypeError, match=r"it takes 2 inputs \(x, z\), got 3"):
        f(1, 2, 3)
    with pytest.raises(TypeError, match="must be given a default value"):
        theano.In(y, implicit=True)


def test_an_input_without_automatic_name_is_given_by_position_only() -> None:
    x = T.scalar("x")
    f = theano.function([theano.In(x, autoname=False)], x)
    assert float(f(1)) == 1.0
    with pytest.raises(TypeError, match="Unknown input or state: x"):
        f(x=1)


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_a_function_shows_and_takes_the_values_that_it_holds(mode: str) -> None:
    x, y = T.vector("x"), T.vector("y")
    w = theano.shared(2.0, name="w")
    f = theano.function([x, theano.In(y, value=[1.0])], x * w + y, mode=mode)
    assert [f[key].tolist() for key in ("y", y, 1, "w", w)] == [[1.0], [1.0], [1.0], 2.0, 2.0]
    other = f.copy()
    f["y"], f[w] = [5.0, 6.0], 10.0
    assert f([1, 2]).tolist() == [15.0, 26.0] and f.container["y"].value.tolist() == [5.0, 6.0]
    assert other([1]).tolist() == [11.0]
    f[y].fill(0)
    assert f[y].tolist() == [5.0, 6.0]
    assert f["x"] is None and all(key in f for key in ("x", "y", w, 2)) and "v" not in f and 3 not in f
    with pytest.raises(TypeError, match="holds no value: each call gives it"):
        f["x"] = [1.0]
    for key in ("v", T.vector(), 3):
        with pytest.raises(TypeError, match="Unknown input or state: "):
            f[key]
    with pytest.raises(TypeError, match="Wrong number of dimensions"):
        f["y"] = 3.0


def test_the_state_of_an_input_with_update_can_be_set() -> None:
    step, total = T.scalar("step"), T.scalar("total")
    f = theano.function([step, theano.In(total, value=10, update=total + step)], total)
    f(1)
    assert float(f["total"]) == 11.0
    f["total"] = 100.0
    assert float(f(1)) == 100.0


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_trusted_input_of_the_right_type_is_fine(mode: str) -> None:
    x = T.vector("x")
    f = theano.function([x], {"y": x * 2}, mode=mode)
    assert f.trust_input is False
    f.trust_input = True
    assert f(np.array([1.0, 2.0]))["y"].tolist() == [2.0, 4.0]


# -- profiles --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["FAST_RUN", "NanGuardMode"])
def test_a_profile_counts_calls_and_shows_compile_phases(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    x = T.matrix("profiled")
    state = theano.shared(np.zeros(3))
    f = theano.function([x], T.dot(x, x.T) * 1.2345, updates={state: state + 1}, profile=True, name="f", mode=mode)
    assert theano.function([x], x).profile is None
    f(np.ones((2, 2))), f(np.ones((3, 3)))
    with pytest.raises(TypeError):
        f("text")
    profile = f.profile
    assert profile.calls == 2 and 0 < profile.fastest <= profile.seconds and state.get_value().tolist() == [2.0] * 3
    assert profile.fct_callcount == 2 and profile.fct_call_time == profile.seconds  # Theano's names
    assert profile.compile_time == profile.build_seconds > 0
    assert profile.work["Gemm"] == 1 and {"lower", "optimise", "kernels"} <= set(profile.compile_ms)
    profile.summary()
    text = capsys.readouterr().err
    for word in ("Function profiling: f", "calls                  2", "per call, fastest", "1 gemm", "(compiled)"):
        assert word in text
    profile.reset()
    assert profile.calls == 0


def test_one_profile_may_serve_several_functions() -> None:
    from tensordsl.debugging.profiling import Profile

    x, profile = T.scalar("x"), Profile("both")
    f, g = (theano.function([x], x * k, profile=profile) for k in (2, 3))
    f(1), g(1), g(1)
    assert profile.calls == 3 and f.profile is g.profile is profile
    with pytest.raises(TypeError, match="profile must be"):
        theano.function([x], x, profile=3)


def test_the_option_profile_prints_at_exit() -> None:
    import os
    import subprocess
    import sys

    code = "import tensordsl as td, tensordsl.tensor as T; x = T.scalar(); td.function([x], x + 1, name='plus')(1)"
    flags = os.environ.get("TENSORDSL_FLAGS", "") + ",profile=True"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TENSORDSL_FLAGS": flags}, capture_output=True, text=True
    )
    assert "Function profiling: plus\n  calls                  1\n" in done.stderr


def test_large_constants_lie_beside_the_code_and_survive_the_disk_cache() -> None:
    table = np.arange(30_000.0).reshape(3, 10_000)
    x = T.dmatrix()
    outputs = [T.dot(x, table), T.constant(table)[:, 5] + x[0, 0], T.constant(table + 1)]
    f = theano.function([x], outputs)
    value = np.ones((2, 3))
    for got, want in zip(f(value), (value @ table, table[:, 5] + 1, table + 1), strict=True):
        np.testing.assert_array_equal(got, want)
    first = f(value)[2]
    first[:] = 0  # the caller's own
    np.testing.assert_array_equal(f(value)[2], table + 1)
    executable = compile_spec(f.spec, f.mode).executable
    again = type(executable).from_bytes(executable.to_bytes())
    assert again.constants == executable.constants and max(map(len, again.constants)) == table.nbytes
    assert len(executable.program) < 30_000


# -- what Python's tools ask -------------------------------------------------------------------------------------------
def test_the_signature_of_a_function() -> None:
    x, a, b = T.dvector("x"), T.dscalar("a"), T.dscalar("b")
    kinds = "(x: TensorType(float64, vector), a: TensorType(float64, scalar)"
    for mode in ("FAST_RUN", "REFERENCE"):
        f = theano.function([x, a], x * a, mode=mode, name="line")
        assert str(inspect.signature(f)) == f"{kinds})"
        assert f.__name__ == f.__qualname__ == functools.wraps(f)(lambda: 0).__name__ == "line"
        inspect.signature(f).bind(1, a=2)
        with pytest.raises(TypeError, match="missing"):
            inspect.signature(f).bind(1)
        assert inspect.signature(pickle.loads(pickle.dumps(f))) == inspect.signature(f)
    f = theano.function([x, theano.In(a, value=2.0), theano.In(b, value=1.0)], x * a * b)
    assert inspect.signature(f).parameters["a"].default == 2 and inspect.signature(f).parameters["b"].default == 1
    f = theano.function([x, theano.In(a, value=2.0), b], x * a * b)  # as Python has none: a default before an argument
    assert inspect.signature(f).parameters["a"].default is inspect.Parameter.empty
    f = theano.function([x, theano.In(a, value=theano.shared(1.0), implicit=True)], x * a)
    assert list(inspect.signature(f).parameters) == ["x"]


def test_inputs_whose_names_python_could_not_write() -> None:
    x, twin = T.dscalar("x"), T.dscalar("x")
    nameless, word, last = T.dscalar(), T.dscalar("lambda"), T.dscalar("input0")
    f = theano.function([nameless, word, last], nameless + 2 * word + 3 * last)
    signature = inspect.signature(f)
    assert [(p.name, p.kind.name) for p in signature.parameters.values()] == [
        ("input0_", "POSITIONAL_ONLY"), ("input1", "POSITIONAL_ONLY"), ("input0", "POSITIONAL_OR_KEYWORD"),
    ]  # fmt: skip
    given = signature.bind(1, 2, input0=3)
    assert f(*given.args, **given.kwargs) == 14
    f = theano.function([x, twin], x - twin)
    assert {p.kind.name for p in inspect.signature(f).parameters.values()} == {"POSITIONAL_ONLY"}


def test_a_curve_is_fitted() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    x, a, b = T.dvector("x"), T.dscalar("a"), T.dscalar("b")
    f = theano.function([x, a, b], a * T.exp(-b * x))
    points = np.linspace(0, 4, 50)
    found, _ = optimize.curve_fit(f, points, f(points, 2.5, 1.3))
    np.testing.assert_allclose(found, [2.5, 1.3], rtol=1e-6)
