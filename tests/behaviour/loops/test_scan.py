"""`scan` as Theano's programs use it; the numbers are what Theano 1.0.5 gives for the same programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.scan_module import until
from tensordsl.tensor.shared_randomstreams import RandomStreams

X, Y = np.arange(1.0, 7.0), np.arange(10.0, 14.0)
x, y, M = T.dvector("x"), T.dvector("y"), T.dmatrix("M")
d, f, i, n = T.dscalar("d"), T.fscalar("f"), T.iscalar("i"), T.iscalar("n")
VALUES = {x: X, y: Y, M: np.arange(6.0).reshape(3, 2), d: 1.0, f: np.float32(0.5), i: 1, n: 4}


def run(outputs: Any, **options: Any) -> Any:
    values = {**VALUES, **options.pop("values", {})}
    function = theano.function(list(values), outputs, on_unused_input="ignore", **options)
    return function(*values.values())


def _c() -> Any:
    return theano.shared(3, "c")


CASES: dict[str, tuple[Any, Any]] = {
    "a map": (lambda: scan(lambda a: a * 2, x)[0], 2 * X),
    "the shortest counts": (lambda: scan(lambda a, b: a * b, [x, y])[0], [10, 22, 36, 52]),
    "n_steps": (lambda: scan(lambda a, b: a * b, [x, y], n_steps=3)[0], [10, 22, 36]),
    "a state": (lambda: scan(lambda a, s: s + a, x, d)[0], [2, 4, 7, 11, 16, 22]),
    "symbolic n_steps": (lambda: scan(lambda s: s * 2, outputs_info=d, n_steps=n)[0], [2, 4, 8, 16]),
    "one round": (lambda: scan(lambda s: s * 2, outputs_info=d, n_steps=1)[0], [2]),
    "too few elements for the taps": (
        lambda: scan(lambda a, b: a + b, dict(input=x[:1], taps=[-2, 1]))[0], []),
    "too few elements for the taps, as is known": (
        lambda: [(r := scan(lambda a, b: d, dict(input=T.zeros((1,)), taps=[-2, 1]))[0]), r.sum(), r.shape[0]],
        [[], 0, 0]),
    "a state and too few elements, as is known": (
        lambda: scan(lambda a, b, s: s + 1, dict(input=T.zeros((0,)), taps=[-2, 1]), d)[0].sum(), 0),
    "no round": (lambda: scan(lambda s: s * 2, outputs_info=d, n_steps=n - 4)[0], []),
    "n_steps of NumPy": (lambda: scan(lambda s: s * 2, outputs_info=d, n_steps=np.int32(3))[0], [2, 4, 8]),
    "backwards": (lambda: scan(lambda a, s: s * 2 + a, x, d, go_backwards=True)[0], [8, 21, 46, 95, 192, 385]),
    "backwards, n_steps": (lambda: scan(lambda a, s: s * 2 + a, x, d, go_backwards=True, n_steps=2)[0], [8, 21]),
    "taps": (lambda: scan(lambda a, b, c: a + 10 * b + 100 * c, dict(input=x, taps=[-1, 0, 2]))[0], [421, 532, 643]),
    "taps backwards": (
        lambda: scan(lambda a, b, c: a + 10 * b + 100 * c, dict(input=x, taps=[-1, 0, 2]), go_backwards=True)[0],
        [643, 532, 421],
    ),
    "taps after": (lambda: scan(lambda a, b: a + 10 * b, dict(input=x, taps=[1, 2]))[0], [32, 43, 54, 65]),
    "taps before": (lambda: scan(lambda a, b: a + 10 * b, dict(input=x, taps=[-3, -1]))[0], [31, 42, 53]),
    "deep taps": (lambda: scan(lambda a, b, c: a + b + c, y, dict(initial=x, taps=[-3, -1]))[0], [14, 27, 42, 69]),
    "taps in their order": (
        lambda: scan(lambda a, b: a + 10 * b, outputs_info=dict(initial=x, taps=[-1, -3]), n_steps=3)[0], [13, 33, 63]
    ),
    "one deep tap": (lambda: scan(lambda a: a + 1, outputs_info=dict(initial=x, taps=[-2]), n_steps=4)[0], [2, 3, 3, 4]),
    "several results": (
        lambda: scan(lambda a, s, t: [s + a, t * a, a], x, [d, dict(initial=d), None])[0],
        [[2, 4, 7, 11, 16, 22], [1, 2, 6, 24, 120, 720], X],
    ),
    "an array as the start": (
        lambda: scan(lambda a, s: s + a, x, np.zeros(2))[0], np.cumsum(X)[:, None] + np.zeros(2)
    ),
    "axes of length 1": (lambda: scan(lambda s: T.dot(s, 2 * T.eye(2)), outputs_info=T.ones((1, 2)), n_steps=2)[0],
                         [[[2, 2]], [[4, 4]]]),
    "a constant result": (lambda: scan(lambda: d, n_steps=3)[0], [1, 1, 1]),
    "until": (lambda: scan(lambda a, s: (s + a, until(s > 5)), x, d)[0], [2, 4, 7, 11]),
    "until with n_steps": (
        lambda: scan(lambda s: (s * 2, {}, until(s > 5)), outputs_info=d, n_steps=100)[0], [2, 4, 8, 16]
    ),
    "non_sequences": (lambda: scan(lambda a, s, w, v: s * w + a + v, x, d, [y.sum(), 3])[0][:3], [50, 2305, 106036]),
    "used from outside": (lambda: scan(lambda a: a * d + y.sum(), x)[0], X + 46),
    "return_list": (lambda: scan(lambda a: a, x, return_list=True)[0], [X]),
    "a tuple of results": (lambda: scan(lambda a: (a, a + 1), x)[0], [X, X + 1]),
    "a list of one": (lambda: scan(lambda a: [a], x)[0], X),
    "map": (lambda: theano.map(lambda a, b: a + b, [x], [d])[0], X + 1),
    "map backwards": (lambda: theano.map(lambda a: a + 1, x, go_backwards=True)[0], X[::-1] + 1),
    "reduce": (lambda: theano.reduce(lambda a, s: a - s, x, d)[0], 4),
    "foldl": (lambda: theano.foldl(lambda a, s: a - s, x, d)[0], 4),
    "foldr": (lambda: theano.foldr(lambda a, s: a - s, x, d)[0], -2),
    "reduce of two": (lambda: theano.reduce(lambda a, s, t: [a - s, t + a], x, [d, d])[0], [4, 22]),
    "rows of a matrix": (lambda: scan(lambda r, s: s + r, M, T.zeros_like(M[0]))[0], [[0, 1], [2, 4], [6, 9]]),
    "a scan in a scan": (
        lambda: scan(lambda r: scan(lambda a, s: a + s, r, T.constant(0.0, dtype="float64"))[0][-1], M)[0], [1, 5, 9]
    ),
    "a sequence of numbers": (lambda: scan(lambda a: a + 1, np.arange(3.0))[0], [1, 2, 3]),
    "nothing to walk over": (lambda: scan(lambda a, s: s * 2 + a, x[:0], d)[0], []),
    # A Python number as the start has the dtype of its result, where Theano asks for a cast.
    "a number as the start": (lambda: scan(lambda a, s: s + a, x, 0)[0], np.cumsum(X)),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE", "DebugMode"])
@pytest.mark.parametrize("build, expected", CASES.values(), ids=CASES)
def test_a_scan_gives_what_theanos_does(build: Any, expected: Any, mode: str) -> None:
    found = run(build(), mode=theano.compile.DebugMode() if mode == "DebugMode" else mode)
    several = isinstance(found, list)
    for one, other in zip(found if several else [found], expected if several else [expected], strict=True):
        np.testing.assert_allclose(one, other)


def test_a_sequence_that_the_compiler_knows_to_be_too_short_for_its_taps_has_no_rounds() -> None:
    values, _ = scan(lambda a, b: d, dict(input=x, taps=[-2, 1]))
    given = theano.function([d], [values.sum(), values.shape[0]], givens={x: T.zeros((1,))})
    assert given(3.0) == [0, 0]


def test_updates_of_a_step_are_given_back_with_their_last_values() -> None:
    for returned in (lambda a, c: (a * c, {c: c + 1}), lambda a, c: (a * c, [(c, c + 1)])):
        c = _c()
        values, updates = scan(lambda a: returned(a, c), x)  # noqa: B023
        function = theano.function([x], values, updates=updates)
        np.testing.assert_allclose(function(X), X * (3 + np.arange(6)))
        assert list(updates) == [c] and c.get_value() == 9
    c = _c()
    values, updates = scan(lambda: {c: c + 1}, n_steps=4)
    theano.function([], [], updates=updates)()
    assert values is None and c.get_value() == 7


def test_random_numbers_go_on_from_round_to_round_and_from_call_to_call() -> None:
    streams = RandomStreams(5)
    values, updates = scan(lambda: streams.uniform((2,)), n_steps=n)
    function = theano.function([n], values, updates=updates)
    first, second = function(3), function(2)
    again = RandomStreams(5).uniform((2,))
    expected = theano.function([], again)
    np.testing.assert_array_equal(np.concatenate([first, second]), [expected() for _ in range(5)])


def test_numbers_drawn_outside_are_new_in_each_round_unless_they_are_given() -> None:
    streams = RandomStreams(seed=9)
    z = streams.uniform(())
    for step, others, is_new in ((lambda k: z + 0 * k, (), True), (lambda k, given: given + 0 * k, (z,), False)):
        values, updates = scan(step, T.arange(4), non_sequences=list(others))
        numbers = theano.function([], values, updates=updates)()
        assert len(updates) == is_new
        assert len(set(numbers)) == (4 if is_new else 1)
    _, values = theano.loop(lambda carry, k: (carry, z + 0 * k), T.zeros(()), T.arange(4))
    assert len(set(theano.function([], values)())) == 1


def test_a_chain_with_random_updates_is_differentiated_with_the_same_numbers() -> None:
    streams = RandomStreams(1)
    values, updates = scan(lambda a, s: s * a + streams.normal(()), x, d)
    cost, gradient = values.sum(), T.grad(values.sum(), x)
    costs = theano.function([x, d], [cost, gradient, T.grad(cost, d)], updates=updates)
    state = next(iter(updates))
    start = state.get_value()

    def at(point: Any) -> Any:
        state.set_value(start)
        return costs(point, 0.5)

    slope = at(X / 5)[1]
    for k in range(len(X)):
        step = np.eye(len(X))[k] * 1e-6
        assert slope[k] == pytest.approx((at(X / 5 + step)[0] - at(X / 5 - step)[0]) / 2e-6, rel=1e-5)


GRADIENTS = {
    "of the last": (lambda: scan(lambda a, s: s * a + T.sin(s), x, d)[0][-1], -1,
                    [447.476465, 314.114534, 327.718835, 233.474581, 155.993483, 124.357078], 2916.556867),
    "of all": (lambda: scan(lambda a, s: s * a + T.sin(s), x, d)[0].sum(), -1,
               [534.444991, 374.953139, 390.571048, 277.003819, 180.908165, 124.357078], 3483.399309),
    "truncated": (lambda: scan(lambda a, s: s * a + T.sin(s), x, d, truncate_gradient=2)[0][-1], 2,
                  [0, 0, 0, 0, 155.993483, 124.357078], 0),
    "truncated, until": (
        lambda: scan(lambda a, s: (s * a + T.sin(s), until(s > 1e9)), x, d, truncate_gradient=2)[0][-1], 2,
        [0, 0, 0, 0, 155.993483, 124.357078], 0),
    "until": (lambda: scan(lambda a, s: (s * a + T.sin(s), until(s > 1e9)), x, d)[0].sum(), -1,
              [534.444991, 374.953139, 390.571048, 277.003819, 180.908165, 124.357078], 3483.399309),
}  # fmt: skip


@pytest.mark.parametrize("build, truncated, by_x, by_d", GRADIENTS.values(), ids=GRADIENTS)
def test_gradients_are_theanos(build: Any, truncated: int, by_x: Any, by_d: Any) -> None:
    found = run(T.grad(build(), [x, d]), values={d: 0.3})
    np.testing.assert_allclose(found[0], by_x, rtol=1e-8)
    np.testing.assert_allclose(found[1], by_d, rtol=1e-8)


def test_second_derivatives() -> None:
    values, _ = scan(lambda a, s: s * a + T.sin(s), x, d)
    found = run(T.grad(T.grad(values.sum(), d), [x, d]), values={d: 0.3})
    expected = [34219.062743, 24146.725534, 25894.095941, 18223.898547, 11769.14842, 465.82131]
    np.testing.assert_allclose(found[0], expected, rtol=1e-8)
    np.testing.assert_allclose(found[1], 210894.811336, rtol=1e-8)


def test_gradients_through_taps() -> None:
    values, _ = scan(lambda a, b, c: a * b * c + T.sin(b), y, dict(initial=x, taps=[-3, -1]))
    by_x, by_y = run(T.grad(values.sum(), [x, y]), values={x: X / 7, y: Y / 9})
    np.testing.assert_allclose(by_x, [5.103, 2.123104, 2.356239, 0, 0, 0], rtol=2e-7)
    np.testing.assert_allclose(by_y, [0.213116, 0.104904, 0.198557, 0.130155], rtol=5e-6)


def test_one_function_serves_all_lengths() -> None:
    values, _ = scan(lambda a, s: s + a, x, d)
    function = theano.function([x, d], values)
    for length in (0, 1, 2, 17, 1000):
        np.testing.assert_allclose(function(np.ones(length), 1.0), 1 + np.arange(1, length + 1))


def test_a_scan_stands_in_a_branch() -> None:
    values, _ = scan(lambda a, s: s + a, x, d)
    chosen = theano.ifelse.ifelse(T.gt(d, 0), values.sum(), T.zeros_like(d))
    assert run(chosen) == 62 and run(chosen, values={d: -1.0}) == 0


def test_test_values_go_into_rounds() -> None:
    with theano.config.change_flags(compute_test_value="raise"):
        z = T.dvector("z")
        z.tag.test_value = X
        seen = []

        def step(a: Any, s: Any) -> Any:
            seen.append((a.tag.test_value.shape, s.tag.test_value.shape))
            return a + s

        start = T.dscalar("start")
        start.tag.test_value = np.float64(1)
        values, _ = scan(step, z, start)
        assert seen == [((), ())] and values.tag.test_value.tolist() == (1 + np.cumsum(X)).tolist()


MISTAKES: dict[str, tuple[Any, type[Exception], str]] = {
    "no rounds said": (lambda: scan(lambda: d), ValueError, "give n_steps or a sequence"),
    "a step that returns None": (lambda: scan(lambda a: None, x), ValueError, "returned None"),
    "a result that is None": (lambda: scan(lambda a: [a, None], x), ValueError, "result 1 of the step is None"),
    "an integer that becomes a float": (
        lambda: scan(lambda s: s + 1.5, outputs_info=i, n_steps=3), ValueError, r"T\.cast\(initial, 'float64'\)"),
    "a float that becomes longer": (
        lambda: scan(lambda s: s + d, outputs_info=f, n_steps=3), ValueError, r"T\.cast\(result, 'float32'\)"),
    "another rank": (
        lambda: scan(lambda s: T.stack([s, s]), outputs_info=d, n_steps=2), ValueError, "1 axes, but its state starts"),
    "updates before results": (lambda: scan(lambda a: ({}, a), x), ValueError, "updates must follow"),
    "taps without a start": (
        lambda: scan(lambda a, s: s + a, x, dict(taps=[-1])), ValueError, "taps but no initial state"),
    "taps of results that lie ahead": (
        lambda: scan(lambda a, s: s + a, x, dict(initial=y, taps=[1])), ValueError, "negative, rounds before"),
    "taps that are no integers": (
        lambda: scan(lambda a: a, dict(input=x, taps=["a"])), TypeError, "taps are integers"),
    "too few states": (lambda: scan(lambda a, s: [s + a, a], x, [d]), ValueError, "say None"),
    "too many states": (lambda: scan(lambda a, s, t: [s + a], x, [d, d]), ValueError, "for 2"),
    "a dictionary without input": (lambda: scan(lambda a: a, dict(taps=[0])), ValueError, "needs `input`"),
    "a sequence without axes": (lambda: scan(lambda a: a, d), TypeError, "is it a non_sequence"),
    "a number of rounds that is a float": (
        lambda: scan(lambda s: s, outputs_info=d, n_steps=f), TypeError, "n_steps must be an integer"),
    "a negative number of rounds": (
        lambda: scan(lambda a: a, x, n_steps=-3), ValueError, "go_backwards walks from the end"),
    "strict": (lambda: scan(lambda a: a * _c(), x, strict=True), ValueError, "among the non_sequences"),
    "until without a number of rounds": (
        lambda: scan(lambda s: (s, until(s > 1)), outputs_info=d), ValueError, "n_steps"),
    "too few rows of a start": (
        lambda: scan(lambda a, b: a + b, outputs_info=dict(initial=np.ones(2), taps=[-1, -3]), n_steps=2),
        ValueError, "need 3 rows"),
    "a step that is no function": (lambda: scan(3, x), TypeError, "must be a function"),
    "updates of what is not shared": (lambda: scan(lambda a: (a, {d: a}), x), TypeError, "no shared variable"),
    "a condition with axes": (lambda: scan(lambda a: (a, until(x > 1)), x), TypeError, "must have no axes"),
}  # fmt: skip


@pytest.mark.parametrize("build, error, text", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(build: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        build()


CALLS: dict[str, tuple[Any, dict[Any, Any], type[Exception], str]] = {
    "a sequence that is too short": (lambda: scan(lambda a: a, x, n_steps=9)[0], {}, ValueError, "fewer elements"),
    "a negative number": (lambda: scan(lambda a: a, x, n_steps=n)[0], {n: -2}, ValueError, "must not be negative"),
    "too few rows of a start": (
        lambda: scan(lambda a, b: a + b, outputs_info=dict(initial=x, taps=[-1, -3]), n_steps=2)[0], {x: X[:2]},
        ValueError, "need 3 rows"),
    "a state that changes its shape": (
        lambda: scan(lambda s: s + M, outputs_info=T.ones((1, 2)), n_steps=2)[0], {}, ValueError, "changed its shape"),
    "an index in a round": (lambda: scan(lambda a: y[T.cast(a, "int64")], x)[0], {}, IndexError, "out of bounds"),
}  # fmt: skip


@pytest.mark.parametrize("build, values, error, text", CALLS.values(), ids=CALLS)
def test_a_call_that_cannot_go_on_changes_nothing(build: Any, values: Any, error: type[Exception], text: str) -> None:
    state = theano.shared(1.0)
    given = {**VALUES, **values}
    function = theano.function(list(given), build(), updates=[(state, state + 1)], on_unused_input="ignore")
    with pytest.raises(error, match=text):
        function(*given.values())
    assert state.get_value() == 1


def test_where_only_the_last_value_is_read_no_history_is_stored() -> None:
    values, _ = scan(lambda a, s: T.tanh(a + s), M, M[0], n_steps=n)
    last = theano.function([M, n], values[-1])
    kept = theano.function([M, n], [values[-1], values])
    # The number of rounds, `max(0, n)`, is a factor of the size of histories alone.
    assert [any("max(0" in storage.bytes for storage in f.memory_map()) for f in (last, kept)] == [False, True]
    data = np.arange(12.0).reshape(4, 3) / 10
    np.testing.assert_array_equal(last(data, 3), kept(data, 3)[0])
    with pytest.raises(IndexError):
        last(data, 0)


def test_equal_rounds_within_a_loop_and_beside_it() -> None:
    """Both repeat a value five times: that of the first is known in the loop around it alone."""
    (_, within), _ = scan(lambda s: [s * 2, scan(lambda: s, n_steps=5)[0]], outputs_info=[M, None], n_steps=1)
    beside, _ = scan(lambda: x, n_steps=5)
    found = run([within, beside])
    np.testing.assert_array_equal(found[0], [[VALUES[M]] * 5])
    np.testing.assert_array_equal(found[1], [X] * 5)


def test_what_an_inner_loop_gives_to_nobody_is_not_computed() -> None:
    """The positions are out of bounds."""

    def outer(a: Any) -> Any:
        (states, picked), _ = scan(lambda s: [s * a, (s * x)[i + 9]], outputs_info=[x, None], n_steps=n)
        return [states[-1].sum(), picked.sum()]

    (sums, _), _ = scan(outer, x)
    np.testing.assert_array_equal(run(sums), X**4 * X.sum())


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_rounds_that_copy_their_state(rounds: int) -> None:
    def step(s: Any) -> Any:
        _, (copies,) = theano.loop(lambda carry, a: ((), (s,)), (), (x,))
        return copies[-1]

    assert run(scan(step, outputs_info=[d], n_steps=n)[0][-1], values={n: rounds}) == 1
