"""`loop`: the plain spelling, with structures, both directions and blocks of rounds."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import loop
from tensordsl.tensor.shared_randomstreams import RandomStreams

X, Y = np.arange(1.0, 7.0), np.arange(10.0, 16.0)
x, y, M = T.dvector("x"), T.dvector("y"), T.dmatrix("M")
d, f, i, n = T.dscalar("d"), T.fscalar("f"), T.iscalar("i"), T.iscalar("n")
VALUES = {x: X, y: Y, M: np.arange(6.0).reshape(3, 2), d: 1.0, f: np.float32(0.5), i: 1, n: 4}
Pair = namedtuple("Pair", "a b")


def run(outputs: Any, values: Any = None, **options: Any) -> Any:
    given = {**VALUES, **(values or {})}
    return tensordsl.function(list(given), outputs, on_unused_input="ignore", **options)(*given.values())


def sums(total: Any, a: Any) -> Any:
    return total + a, total * 2


CASES: dict[str, tuple[Any, Any]] = {
    "carry and ys": (lambda: loop(sums, d, x), (22, 2 * (1 + np.cumsum([0, *X[:-1]])))),
    "no xs": (lambda: loop(lambda s, none: (s * 2 if none is None else s, s), d, length=n), (16, [1, 2, 4, 8])),
    "no ys": (lambda: loop(lambda s, a: (s + a, None), d, x), (22, None)),
    "no carry": (lambda: loop(lambda none, a: (None, a + 1), None, x), (None, X + 1)),
    "a tuple of xs": (lambda: loop(lambda s, ab: (s + ab[0] * ab[1], None), d, (x, y)), (1 + np.sum(X * Y), None)),
    "a length that fits": (lambda: loop(sums, d, x, 6)[0], 22),
    "a symbolic length that fits": (lambda: loop(sums, d, x, n + 2)[0], 22),
    "dictionaries": (
        lambda: loop(lambda c, a: ({"t": c["s"], "s": c["s"] + a["x"]}, {"both": [c["t"], (a["y"],)]}),
                     {"s": d, "t": 0}, {"x": x, "y": y}),
        ({"s": 22, "t": 16}, {"both": [np.array([0, 1, 2, 4, 7, 11]), (Y,)]}),
    ),
    "a named tuple": (lambda: loop(lambda c, a: (Pair(c.b, c.a + a), None), Pair(d, d), x)[0], Pair(10, 13)),
    "a list for a tuple": (lambda: loop(lambda c, a: ([c[1], c[0]], None), (d, d + 1), x)[0], (1, 2)),
    "an array and a number": (
        lambda: loop(lambda c, a: ((c[0] + a, c[1] + 1), c[1]), (np.zeros(2), 5), x), (([21, 21], 11), 5 + np.arange(6)),
    ),
    "rows": (lambda: loop(lambda s, r: (s + r.sum(), r * s), d, M), (16, np.array([[0, 1], [4, 6], [28, 35]]))),
    "no rounds": (lambda: loop(sums, d, x[:0]), (1, np.zeros(0))),
    "axes of length 1": (lambda: loop(lambda s, a: (s + M, None), T.ones((1, 1)), length=0)[0], np.ones((1, 1))),
    "used from outside": (lambda: loop(lambda s, a: (s + a * y[0] + i, None), d, x)[0], 1 + 210 + 6),
    "a loop in a loop": (
        lambda: loop(lambda s, r: (s + loop(lambda t, a: (t + a * a, None), 0, r)[0], None), 0, M)[0], 55.0
    ),
    "a constant value": (lambda: loop(lambda s, a: (s, 1), d, x), (1, np.ones(6, "int8"))),
    "a truth value": (lambda: loop(lambda s, a: (T.gt(a, 3), s), False, x), (True, [0, 0, 0, 0, 1, 1])),
}  # fmt: skip


def leaves(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [v for part in value.values() for v in leaves(part)]
    if isinstance(value, tuple) or (isinstance(value, list) and not isinstance(value[0], int | float)):
        return [v for part in value for v in leaves(part)]
    return [value]


def in_reverse() -> tuple[float, list[float]]:
    s, found = 0.0, []
    for a in X[::-1]:
        found.append(s)
        s = s * 0.5 + a
    return s, found[::-1]


CASES["in reverse"] = (lambda: loop(lambda s, a: (s * 0.5 + a, s), 0.0, x, reverse=True), in_reverse())
CASES["complex"] = (
    lambda: loop(lambda z, a: (z * 1j + a, None), T.constant(0j), x)[0], sum(a * 1j ** (5 - k) for k, a in enumerate(X)),
)  # fmt: skip


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE", "DebugMode"])
@pytest.mark.parametrize("build, expected", CASES.values(), ids=CASES)
def test_a_loop_is_a_python_loop(build: Any, expected: Any, mode: str) -> None:
    made = build()
    found = run(leaves(made), mode=tensordsl.compile.DebugMode() if mode == "DebugMode" else mode)
    for one, other in zip(found, leaves(expected), strict=True):
        np.testing.assert_allclose(one, other)
    if isinstance(expected, dict | tuple):
        assert type(made) is type(expected)
    if isinstance(expected, dict):
        assert list(made) == list(expected)


def test_structures_come_back_as_they_were_given() -> None:
    carry, ys = loop(lambda c, _: (c, {"y": c["a"], "none": None}), {"a": d, "b": Pair(d, [d])}, length=3)
    assert list(carry) == ["a", "b"] and isinstance(carry["b"], Pair) and isinstance(carry["b"].b, list)
    assert list(ys) == ["y", "none"] and ys["none"] is None


DTYPES = {
    "an int that stays": (lambda: loop(lambda s, _: (s + 1, s), 0, length=300)[0], "int64", 300),
    "a float that stays": (lambda: loop(lambda s, _: (s * 0.5, s), 1.0, length=3)[0], "float64", 0.125),
    "a float of float32": (lambda: loop(lambda s, _: (s * f, None), 1.0, length=3)[0], "float32", 0.125),
    "an int that becomes a float": (lambda: loop(lambda s, a: (s + a, None), 0, x)[0], "float64", 21),
    "two ints": (lambda: loop(lambda c, _: ((c[1], c[0] + c[1]), None), (0, 1), length=50)[0][0], "int64", 12586269025),
}


@pytest.mark.parametrize("build, dtype, expected", DTYPES.values(), ids=DTYPES)
def test_numbers_start_in_the_dtype_of_what_becomes_of_them(build: Any, dtype: str, expected: Any) -> None:
    made = build()
    assert made.dtype == dtype and run(made) == expected


def recurrence(s: Any, ab: Any) -> Any:
    a, r = ab
    s = {"u": T.tanh(s["u"] * a + r), "v": s["v"] + s["u"][0] * a}
    return s, [s["u"] * s["v"], a * s["v"]]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("checkpoint", [1, 2, 3, 100])
def test_blocks_of_rounds_give_the_same(checkpoint: int, reverse: bool) -> None:
    init = {"u": T.dvector("u"), "v": d}
    functions = []
    for size in (None, checkpoint):
        carry, ys = loop(recurrence, init, (x, M), reverse=reverse, checkpoint=size)
        outputs = [*carry.values(), *ys]
        cost = T.sin(carry["u"]).sum() + carry["v"] + sum(T.sqr(v).sum() for v in ys)
        gradients = T.grad(cost, [x, M, *init.values()])
        second = T.grad(sum(T.sqr(g).sum() for g in gradients), [x, d])
        functions.append(tensordsl.function([x, M, *init.values()], [*outputs, *gradients, *second]))
    r = np.random.default_rng(0)
    for rounds in (0, 1, 2, 3, 7, 17):
        given = r.normal(size=rounds), r.normal(size=(rounds, 2)), r.normal(size=2), 0.5
        for one, other in zip(*(function(*given) for function in functions), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_blocks_of_rounds_without_xs_and_of_a_known_number() -> None:
    for length in (n, 7, 6):
        carry, ys = loop(lambda s, _: (s * 1.5 - s * s * 0.1, s), d, length=length, checkpoint=3)
        plain, values = loop(lambda s, _: (s * 1.5 - s * s * 0.1, s), d, length=length)
        found = run([carry, ys, T.grad(carry + ys.sum(), d)])
        for one, other in zip(found, run([plain, values, T.grad(plain + values.sum(), d)]), strict=True):
            np.testing.assert_allclose(one, other)


def test_random_numbers_are_drawn_before_a_loop() -> None:
    streams = RandomStreams(3)
    noise, mask = streams.normal((6,)), streams.uniform((2,))
    carry, ys = loop(lambda s, e: (s * mask + e, e), T.zeros(2), noise)
    function = tensordsl.function([], [carry, ys])
    first, second = function(), function()
    assert not np.any(first[1] == second[1])
    with pytest.raises(ValueError, match="draws random numbers.*draw them before"):
        loop(lambda s, _: (s + streams.normal(()), None), d, length=3)


def test_shared_variables_are_read_as_they_are_before_the_call() -> None:
    state = tensordsl.shared(2.0)
    carry, _ = loop(lambda s, a: (s + a * state, None), d, x)
    function = tensordsl.function([x, d], carry, updates=[(state, state + 1)])
    assert [function(X, 0.0), function(X, 0.0)] == [42, 63]


MISTAKES: dict[str, tuple[Any, type[Exception], str]] = {
    "no rounds said": (lambda: loop(sums, d), ValueError, "give length or xs"),
    "a step that is no function": (lambda: loop(3, d, x), TypeError, "must be a function"),
    "one result": (lambda: loop(lambda s, a: s, d, x), TypeError, r"a step returns \(carry, y\)"),
    "none": (lambda: loop(lambda s, a: None, d, x), TypeError, r"a step returns \(carry, y\)"),
    "three results": (lambda: loop(lambda s, a: (s, a, a), d, x), TypeError, r"a step returns \(carry, y\)"),
    "another structure": (lambda: loop(lambda s, a: ((s, s), a), d, x), TypeError, "carry must be one value"),
    "other keys": (
        lambda: loop(lambda s, a: ({"b": d}, a), {"a": d}, x), TypeError, r"must have the keys \['a'\], got \['b'\]"),
    "another dtype": (
        lambda: loop(lambda s, a: ({"k": s["k"] + 0.5}, a), {"k": i}, x), ValueError,
        r"carry\['k'\] has dtype float64.*T\.cast\(initial, 'float64'\)"),
    "another rank": (lambda: loop(lambda s, a: (x, a), d, x), ValueError, "1 axes, but its state starts with 0"),
    "xs without axes": (lambda: loop(sums, d, {"a": d}), TypeError, r"xs\['a'\] needs an axis"),
    "lengths that differ": (
        lambda: loop(sums, d, (T.zeros(3), T.zeros(4))), ValueError, r"xs\[1\] has another length than xs\[0\]: 4, not 3"),
    "another length": (lambda: loop(sums, d, T.zeros(3), 4), ValueError, "xs has another length than length: 3, not 4"),
    "a negative length": (lambda: loop(sums, d, length=-1), ValueError, "length must not be negative, got -1"),
    "a length that is a float": (lambda: loop(sums, d, length=2.5), TypeError, "length must be an integer"),
    "no rounds in a block": (lambda: loop(sums, d, x, checkpoint=0), ValueError, "checkpoint must be at least 1"),
    "half a block": (lambda: loop(sums, d, x, checkpoint=2.5), TypeError, "checkpoint must be an int"),
    "its name": (lambda: loop(sums, d, name="totals"), ValueError, "loop 'totals': nothing says"),
}  # fmt: skip


@pytest.mark.parametrize("build, error, text", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(build: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        build()


CALLS: dict[str, tuple[Any, dict[Any, Any], str]] = {
    "lengths that differ": (
        lambda: loop(lambda s, ab: (s + ab[0], ab[1]), d, [x, y])[0], {y: Y[:3]}, "has another length than"),
    "a length that does not fit": (lambda: loop(sums, d, x, n)[0], {}, "xs has another length than length"),
    "a negative length": (lambda: loop(lambda s, _: (s * 2, None), d, length=n)[0], {n: -1}, "length must not be negative"),
    "a carry that changes its shape": (
        lambda: loop(lambda s, a: (T.concatenate([s, s]), None), x, length=n)[0], {}, "changed its shape|keep its shape"),
}  # fmt: skip


@pytest.mark.parametrize("build, values, text", CALLS.values(), ids=CALLS)
def test_a_call_that_cannot_go_on_changes_nothing(build: Any, values: Any, text: str) -> None:
    state = tensordsl.shared(1.0)
    given = {**VALUES, **values}
    function = tensordsl.function(list(given), build(), updates=[(state, state + 1)], on_unused_input="ignore")
    with pytest.raises(ValueError, match=text):
        function(*given.values())
    assert state.get_value() == 1


def test_test_values_go_into_rounds() -> None:
    with tensordsl.config.change_flags(compute_test_value="raise"):
        z = T.dvector("z")
        z.tag.test_value = X
        seen = []

        def step(s: Any, a: Any) -> Any:
            seen.append((a.tag.test_value.shape, s.tag.test_value.shape))
            return s + a, s

        carry, _ = loop(step, 0.0, z)
        assert seen == [((), ())] and carry.tag.test_value == 21
