"""Errors of loops: what does not fit is said where the loop is made; what fails in a round names the round, the op, the
user's line and the shapes, and leaves state and arrays as they were."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.ifelse import ifelse
from tensordsl.printing import Print
from tensordsl.scan_module import until
from tensordsl.tensor.opt import Assert
from tensordsl.tensor.shared_randomstreams import RandomStreams

x, M, d, n = T.dvector("x"), T.dmatrix("M"), T.dscalar("d"), T.lscalar("n")
k, i = T.ivector("k"), T.iscalar("i")
HERE = re.escape(__file__)
X = np.array([1.0, 2.0, 3.0])


# -- where the loop is made --------------------------------------------------------------------------------------------
def made(step: Any = lambda s: s, outputs_info: Any = d, n_steps: Any = 3, **options: Any) -> Callable[[], Any]:
    return lambda: scan(step, outputs_info=outputs_info, n_steps=n_steps, name="L", **options)


counter = theano.shared(3, "counter")
BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "two results for one state": (made(lambda s: [s, s]), ValueError, "gives 2 results, outputs_info is for 1: say None"),
    "no results": (made(lambda s: []), ValueError, "gives 0 results, outputs_info is for 1"),
    "a string": (made(lambda s: "a"), TypeError, "result 0 of the step: cannot make a tensor of str 'a'.*a step returns"),
    "an object": (
        made(lambda s: [s, object()], [d, None]), TypeError, "result 1 of the step: cannot make a tensor of object"
    ),
    "None": (made(lambda s: None), ValueError, "the step returned None; a step returns its results"),
    "a None among results": (made(lambda s: [s, None], [d, None]), ValueError, "result 1 of the step is None"),
    "more axes": (
        made(lambda s: T.stack([s, s])), ValueError,
        rf"result 0 has 1 axes, but its state starts with 0\n  made by concatenate at {HERE}:\d+ in <lambda>",
    ),
    "float from int32": (
        made(lambda s: s * 0.5, i), ValueError,
        r"has dtype float64, but its state starts with int32: start with T.cast\(initial, 'float64'\) or let the step "
        rf"return T.cast\(result, 'int32'\)\n  made by mul at {HERE}",
    ),
    "float from int32 by taps": (
        made(lambda s: s * 0.5, dict(initial=k, taps=[-2])), ValueError, "T.cast\\(initial, 'float64'\\)"
    ),
    "nothing to walk over": (made(sequences=d), TypeError, "needs an axis to walk over, got d .* is it a non_sequence"),
    "a number to walk over": (made(sequences=3), TypeError, "needs an axis to walk over"),
    "no rounds are said": (made(n_steps=None), ValueError, "nothing says how many rounds .* give n_steps"),
    "until without n_steps": (
        made(lambda s: (s, until(s > 3)), n_steps=None), ValueError, "needs n_steps, too: the most rounds"
    ),
    "until of a vector": (made(lambda s: (s, until(x > 3))), TypeError, "the condition of until must have no axes"),
    "until first": (made(lambda s: (until(s > 3), s)), ValueError, r"until\(condition\) must be the last"),
    "a negative number": (made(n_steps=-3), ValueError, "n_steps must not be negative, got -3"),
    "2.5 rounds": (made(n_steps=2.5), TypeError, "n_steps must be an integer without axes, got 2.5"),
    "a vector of rounds": (made(n_steps=k), TypeError, "n_steps must be an integer without axes, got k"),
    "too few rows": (
        made(outputs_info=dict(initial=T.zeros(2), taps=[-3])), ValueError, "taps \\[-3\\] of result 0 need 3 rows .*: 2"
    ),
    "a state without rows": (
        made(outputs_info=dict(initial=d, taps=[-3])), TypeError, "needs 3 rows for the taps \\[-3\\], got d without axes"
    ),
    "taps in the future": (made(outputs_info=dict(initial=x, taps=[1])), ValueError, "the taps of results are negative"),
    "taps of 1.5": (made(outputs_info=dict(initial=x, taps=[1.5])), TypeError, "taps are integers"),
    "no initial state": (made(outputs_info=dict(taps=[-2])), ValueError, "result 0 has taps but no initial state"),
    "a misspelt key": (
        made(outputs_info=dict(initial=x, tap=[-1])), ValueError, "result 0 has no 'tap'; the keys .* initial, taps"
    ),
    "a misspelt key of a sequence": (
        made(lambda a: a, None, sequences=dict(input=x, tap=[0])), ValueError, "a sequence has no 'tap'; .* input, taps"
    ),
    "a start that is no tensor": (made(outputs_info="abc"), TypeError, "the initial state of result 0: cannot make"),
    "no function": (made(3), TypeError, "the step must be a function, got 3"),
    "a step of no arguments": (made(lambda: d), TypeError, r"takes \(\), but gets 1 arguments \(d\[t-1\]\)"),
    "a step of three": (
        made(lambda a, b, c: c, sequences=x), TypeError,
        r"takes \(a, b, c\), but gets 2 arguments \(x\[t\], d\[t-1\]\): missing .* 'c'; they are the elements",
    ),
    "a short constant": (
        made(lambda a: a, None, 5, sequences=T.constant(X)), ValueError, "fewer elements than n_steps .*: 3 elements, 5"
    ),
    "updates of an input": (made(lambda s: (s, {d: s})), TypeError, "the step updates d, which is no shared variable"),
    "updates of another dtype": (
        made(lambda s: (s, {counter: s * 0.5})), TypeError,
        rf"new value of counter has dtype float64, .* int64: let the step return T.cast\(value, 'int64'\)\n  made by mul at"
        rf" {HERE}",
    ),
    "updates of more axes": (
        made(lambda s: (s, {counter: k.astype("int64")})), TypeError, "new value of counter has 1 axes, but .* has 0"
    ),
    "a strict stranger": (made(lambda s: s + counter, strict=True), ValueError, "strict, and the step uses counter"),
    "truncated by a name": (made(truncate_gradient="a"), TypeError, "truncate_gradient must be an integer, got 'a'"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_said_where_the_loop_is_made(name: str) -> None:
    make, error, text = BAD[name]
    with pytest.raises(error, match=re.compile("^scan 'L': .*" + text, re.DOTALL)) as caught:
        make()
    assert type(caught.value) is error


def test_a_name_is_a_string() -> None:
    with pytest.raises(TypeError, match="the name must be a string, got 5"):
        scan(lambda s: s, outputs_info=d, n_steps=2, name=5)


def test_errors_of_a_step_are_those_of_its_own_lines() -> None:
    def step(s: Any) -> Any:
        return T.dot(T.zeros((3, 4)), T.zeros((5, 6)))

    with pytest.raises(ValueError, match="4 != 5") as caught:
        scan(step, outputs_info=d, n_steps=3)
    lines = [entry.lineno for entry in caught.traceback if str(entry.path) == __file__]
    assert len(lines) >= 2  # the call of scan, and the line of the step


# -- where it is called ------------------------------------------------------------------------------------------------
def test_no_rounds_are_fine() -> None:
    values, _ = scan(lambda a, s: s + a, x, 0.0)
    assert theano.function([x], values)([]).shape == (0,)
    states, _ = scan(lambda s: s * 2, outputs_info=x, n_steps=n)
    f = theano.function([x, n], states)
    assert f(X, 0).shape == (0, 3)


def test_rounds_that_a_call_cannot_run() -> None:
    f = theano.function([x, n], scan(lambda s: s * 2, outputs_info=x, n_steps=n, name="L")[0])
    with pytest.raises(ValueError, match=rf"scan 'L': n_steps must not be negative[\s\S]*array\(-2\)[\s\S]*{HERE}"):
        f(X, -2)
    f = theano.function([x, n], scan(lambda a: a * 2, x, n_steps=n, name="L")[0])
    with pytest.raises(ValueError, match=rf"sequence 0 \(x\) has fewer elements than n_steps rounds need[\s\S]*{HERE}"):
        f(X, 4)
    f = theano.function([x], scan(lambda s: s, outputs_info=dict(initial=x, taps=[-4]), n_steps=2, name="L")[0])
    with pytest.raises(
        ValueError, match=rf"scan 'L': the taps \[-4\] of result 0 need 4 rows[\s\S]*\(3,\)[\s\S]*{HERE}"
    ):
        f(X)


def message(f: Any, error: type[Exception], *args: Any) -> str:
    with pytest.raises(error) as caught:
        f(*args)
    return str(caught.value)


def lines_of(text: str) -> list[str]:
    """The user's lines that a message shows."""
    return re.findall(rf"{HERE}:\d+ in .*\n    (.*)", text)


def test_an_index_out_of_range() -> None:
    values, _ = scan(lambda j, s: s + x[j], k, 0.0, name="picks")
    text = message(theano.function([k, x], values), IndexError, [0, 1, 2, 7, 1], X)
    assert text.startswith("subtensor: index 7 is out of bounds for axis 0 with size 3\n")
    assert "Happened in round 3 of scan 'picks' (rounds count from 0)" in text
    assert "Inputs shapes: [(3,), ()]" in text and "array(7)" in text
    assert "Backtrace when scan 'picks' is created:" in text
    assert len(lines_of(text)) == 2 and all('name="picks"' in line for line in lines_of(text))


def test_shapes_that_differ() -> None:
    values, _ = scan(lambda j: T.dot(x[:j], x[:2]), k, name="dots")
    text = message(theano.function([k, x], values), ValueError, [2, 2, 1, 2], X)
    assert "Happened in round 2 of scan 'dots'" in text and "Inputs shapes: [(1,), (2,)]" in text
    assert text.startswith("dot: ")


def test_a_state_that_changes_its_shape() -> None:
    states, _ = scan(lambda s: T.concatenate([s, s]), outputs_info=x, n_steps=3, name="grows")
    text = message(theano.function([x], states), ValueError, X)
    assert text.startswith("scan 'grows': the state x[t-1] changed its shape from (3,) to (6,) in round 0")
    assert f"made at\n  {__file__}:" in text


def test_assertions_of_a_step() -> None:
    values, _ = scan(lambda j, s: s + Assert("j is small")(j, j < 3), k, 0, name="asserts")
    text = message(theano.function([k], values), AssertionError, [2, 1, 2, 2, 9])
    assert text.startswith("Assert: j is small\nHappened in round 4 of scan 'asserts'")
    assert len(lines_of(text)) == 2


def test_steps_of_the_host_name_their_round() -> None:
    random = RandomStreams(1)
    values, updates = scan(lambda p: random.poisson(lam=p, size=()), x, name="draws")
    f = theano.function([x], values, updates=updates)
    state = [s.get_value() for s in f.get_shared()]
    text = message(f, ValueError, [1.0, 2.0, -3.0, 1.0])
    assert text.startswith("poisson: a mean must be 0 or more") and "Happened in round 2 of scan 'draws'" in text
    assert all(np.array_equal(a, b.get_value()) for a, b in zip(state, f.get_shared(), strict=True))
    assert len(lines_of(text)) == 2
    assert f([1.0, 2.0]).shape == (2,)


def test_gradients_name_the_round_that_fails() -> None:
    values, _ = scan(lambda j, s: s * x[j], k, 1.0, name="picks")
    f = theano.function([k, x], T.grad(values.sum(), x))
    text = message(f, IndexError, [0, 1, 2, 7, 1], X)
    assert "Happened in round 3 of scan 'picks'" in text and len(lines_of(text)) == 2


def nested_picks() -> Any:
    def inner(j: Any) -> Any:
        return scan(lambda a, s: s + x[a + j], T.arange(3), 0.0, name="inner")[0][-1]

    return scan(inner, k, name="outer")[0]


@pytest.mark.parametrize("make", [nested_picks, lambda: T.grad(nested_picks().sum(), x)])
def test_nested_loops_name_the_rounds_of_all(make: Any) -> None:
    text = message(theano.function([k, x], make()), IndexError, [0, 1, 2, 1], [1.0, 2, 3, 4])
    assert "Happened in round 2 of scan 'inner', in round 2 of scan 'outer'" in text
    assert len(lines_of(text)) == 3


def test_plain_loops_name_their_round() -> None:
    _, values = theano.loop(lambda c, j: (c + x[j], c), T.zeros((), "float64"), k, name="plain")
    assert "Happened in round 2 of loop 'plain'" in message(theano.function([k, x], values), IndexError, [0, 1, 7], X)
    grows = theano.while_loop(lambda s: s.sum() < 50, lambda s: s + x[T.cast(s[0], "int64")], x)
    assert "Happened in round 1 of while_loop" in message(theano.function([x], grows), IndexError, X)
    grows = theano.while_loop(lambda s: x[T.cast(s, "int64")] < 50, lambda s: s + 1, d)
    assert "Happened in round 2 of while_loop" in message(theano.function([d, x], grows), IndexError, 0.0, X)


def test_a_branch_of_a_step() -> None:
    values, _ = scan(lambda j: ifelse(T.lt(j, 2), x[j + 2], x[0]), k, name="branches")
    text = message(theano.function([k, x], values), IndexError, [0, 5, 1, 0], X)
    assert "Happened in round 2 of scan 'branches'" in text


def test_a_late_round_is_known_without_running_all_again() -> None:
    values, _ = scan(lambda j, s: T.sin(s) + x[j], k, 0.0, name="many")
    positions = np.zeros(100_000, "int32")
    positions[99_990] = 3
    text = message(theano.function([k, x], values), IndexError, positions, X)
    assert "Happened in round 99990 of scan 'many'" in text and len(lines_of(text)) == 2
    assert "index 3 is out of bounds" in text and "Inputs shapes: [(3,), ()]" in text and "array(3)" in text


def test_a_late_round_of_a_loop_that_became_an_axis() -> None:
    values, _ = scan(lambda j: x[j] * 2, k, name="rows")
    positions = np.zeros(100_000, "int32")
    positions[99_990] = 3
    text = message(theano.function([k, x], values), IndexError, positions, X)
    assert "Happened in round 99990 of scan 'rows'" in text and "Inputs shapes: [(3,), ()]" in text


def test_a_late_round_of_a_loop_in_a_loop_that_ends_early() -> None:
    def inner(j: Any, s: Any) -> Any:
        last = scan(lambda a, s: T.sin(s) + x[a + j], T.arange(3), s, name="inner")[0][-1]
        return last, until(last > 1e9)

    values, _ = scan(inner, k, T.zeros((), "float64"), name="outer")
    positions = np.zeros(20_000, "int32")
    positions[19_000] = 2
    text = message(theano.function([k, x], values), IndexError, positions, np.linspace(0.1, 0.2, 4))
    assert "Happened in round 2 of scan 'inner', in round 19000 of scan 'outer'" in text
    assert "index 4 is out of bounds for axis 0 with size 4" in text and len(lines_of(text)) == 3


def test_prints_of_the_rounds_before_are_not_repeated(capsys: Any) -> None:
    values, _ = scan(lambda j, s: T.sin(s) + x[Print("j")(j)], k, 0.0)
    positions = np.zeros(10_000, "int32")
    positions[-1] = 3
    message(theano.function([k, x], values), IndexError, positions, X)
    assert len(capsys.readouterr().out.splitlines()) == 10_000


def test_storage_and_lengths_of_a_round() -> None:
    def step(j: Any, s: Any) -> Any:
        return s + T.sort(T.zeros((j * 1000, j * 1000)) + s, axis=None)[0]

    values, _ = scan(step, k, x.sum(), name="rooms")
    f = theano.function([k, x], values)
    for error, length in ((MemoryError, 20_000), (OverflowError, 2_000_000)):
        assert "Happened in round 2 of scan 'rooms'" in message(f, error, [1, 1, length], X)
    assert f([1], X).shape == (1,)


# -- programs of every kind ----------------------------------------------------------------------------------------------
KINDS = {"index": IndexError, "place": IndexError, "assert": AssertionError, "shape": ValueError}


def failing(kind: str, j: Any) -> Any:
    """What fails where j is 9."""
    if kind == "index":
        return x[j]
    if kind == "assert":
        return Assert("j is small")(x[0] * 1.0, T.lt(j, 5))
    if kind == "place":
        return T.inc_subtensor(x[j], 1.0).sum()
    return T.dot(x[: 1 + T.cast(T.gt(j, 5), "int64")], x[:1])


def random_failure(r: random.Random) -> tuple[Any, tuple[Any, ...], str, int, int, bool]:
    """A function of a random scan, arguments, how it fails, in which round of how many; and whether there is a loop in
    the loop."""
    rounds, kind = r.choice([1, 2, 5, 17]), r.choice(list(KINDS))
    wrong, depth, width = r.randrange(rounds), r.choice([0, 0, 1, 2]), r.choice([None, 3])
    is_nested, is_branch, is_backwards, is_updated, ends, of_gradient, of_last = (r.random() < 0.3 for _ in range(7))
    start = T.zeros((width,) if width else (), "float64")

    def value(j: Any) -> Any:
        if not is_nested:
            return failing(kind, j)
        step = lambda q, h: T.tanh(h) + failing(kind, j + q * 0)
        return scan(step, T.arange(2), T.zeros((), "float64"), name="inner")[0][-1]

    def step(j: Any, row: Any, *states: Any) -> Any:
        v = ifelse(T.ge(j, 0), value(j), T.zeros((), "float64")) if is_branch else value(j)
        new = T.tanh(row.sum() * 0.1 + v) + (0.5 * states[0] if depth else start)
        updates = [{counter: counter + 1}] if is_updated else []
        return [new, *updates, *([until(T.ge(j, 100))] if ends else [])]

    info = None if not depth else start if depth == 1 else dict(initial=T.stack([start, start]), taps=[-2])
    values, updates = scan(
        step, [k, M], info, go_backwards=is_backwards, n_steps=rounds if ends else None, name="outer"
    )
    result = values[-1] if of_last else values
    f = theano.function([k, M, x], T.grad(result.sum(), x) if of_gradient else result, updates=updates)
    positions = np.zeros(rounds, "int32")
    positions[rounds - 1 - wrong if is_backwards else wrong] = 9
    return f, (positions, np.ones((rounds, 2)), X), kind, wrong, rounds, is_nested


@pytest.mark.parametrize("seed", range(40))
def test_failures_of_random_scans_name_their_round(seed: int) -> None:
    f, arguments, kind, wrong, rounds, is_nested = random_failure(random.Random(seed))
    text = message(f, KINDS[kind], *arguments)
    assert (
        f"round {wrong} of scan 'outer'" in text
        or f"round {rounds - 1 - wrong} of the gradient of scan 'outer'" in text
    )
    assert not is_nested or "round 0 of scan 'inner'" in text or "of the gradient of scan 'inner'" in text
    assert "not available" not in text and lines_of(text) and counter.get_value() == 3


# -- what is left ------------------------------------------------------------------------------------------------------
def test_state_and_arrays_are_as_before() -> None:
    """The round that fails is a late one, and rounds before have changed what the loop updates."""
    total, rows = theano.shared(np.zeros(3), "total"), theano.shared(np.ones((2, 3)), "rows")

    def step(j: Any, a: Any, s: Any) -> Any:
        return s * a + x[j], {total: total + s, rows: rows * x[j]}

    values, updates = scan(step, [k, M], x, name="updates")
    f = theano.function([k, M, x], values, updates=updates)
    positions, weights, start = np.array([0, 1, 2, 1, 3], "int32"), np.full((5, 3), 0.5), X.copy()
    copies = [a.copy() for a in (positions, weights, start)]
    for _ in range(3):
        text = message(f, IndexError, positions, weights, start)
        assert "Happened in round 4 of scan 'updates'" in text
        assert all(np.array_equal(a, b) for a, b in zip((positions, weights, start), copies, strict=True))
        assert not total.get_value().any() and (rows.get_value() == 1).all()
    f(positions[:4], weights[:4], start)
    assert total.get_value().all() and not (rows.get_value() == 1).all()


def test_state_is_as_before_where_it_is_updated_in_place() -> None:
    s = theano.shared(np.arange(3.0), "s")
    values, updates = scan(lambda j: (x[j], {s: T.inc_subtensor(s[0], 1.0)}), k, name="in place")
    f = theano.function([k, x], values[-1], updates=[*updates.items()], mode=None)
    message(f, IndexError, [0, 1, 2, 8], X)
    assert s.get_value().tolist() == [0, 1, 2]
    assert f([0, 1], X) == 2 and s.get_value().tolist() == [2, 1, 2]
