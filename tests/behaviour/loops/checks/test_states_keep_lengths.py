"""A state keeps the lengths that it starts with: a call checks it, whatever of the loop is read, if a round runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.ifelse import ifelse
from tensordsl.scan_module import until

x, s, w, n = T.dmatrix("x"), T.dvector("s"), T.lvector("w"), T.lscalar("n")
X = np.arange(12.0).reshape(3, 4)
HERE = re.escape(__file__)


def rows(sequence: Any = x, **options: Any) -> Any:
    """The rows, each in the place of a state that no round reads."""
    return scan(lambda row, state: row, sequence, s, name="L", **options)[0]


READ: dict[str, Callable[[Any], Any]] = {
    "all": lambda v: v,
    "a column": lambda v: v[:, -2],
    "the shape": lambda v: v.shape,
    "the first row": lambda v: v[0],
    "the last row": lambda v: v[-1],
    "the sum": lambda v: v.sum(),
    "the gradient": lambda v: T.grad((v**2).sum(), x),
}
MADE: dict[str, Callable[[], Any]] = {
    "rows": rows,
    "of known rounds": lambda: rows(n_steps=3),
    "of many known rounds": lambda: rows(T.concatenate([x] * 9), n_steps=25),
    "of n rounds": lambda: rows(n_steps=n),
    "in rounds": lambda: scan(lambda k: rows(x + k), T.arange(n))[0][0],
}
# Here only the run tells whether there is a round: the loop checks it, which is not there where its shape alone is read.
FOUND_IN_RUNS: dict[str, Callable[[], Any]] = {
    "in a branch": lambda: ifelse(n > 0, rows(), x + 1),
    "in rounds with ever more": lambda: scan(lambda k: rows(x[: k + 1]).sum(0), T.arange(n))[0],
}
CASES = {
    f"{read} of {made}": (build, READ[read])
    for made, build in {**MADE, **FOUND_IN_RUNS}.items()
    for read in READ
    if made in MADE or read != "the shape"
}


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "REFERENCE"])
@pytest.mark.parametrize("make, read", CASES.values(), ids=CASES)
def test_another_length_is_an_error(make: Callable[[], Any], read: Callable[[Any], Any], mode: str) -> None:
    function = tensordsl.function([x, s, n], read(make()), mode=mode, on_unused_input="ignore")
    right = function(X, np.zeros(4), 3)
    for start in (np.zeros(6), np.zeros(2), np.zeros(1)):
        with pytest.raises(ValueError, match=r"(?s)changed its shape from \(\d,\) to \(4,\)|must keep its shape"):
            function(X, start, 3)
    np.testing.assert_array_equal(function(X, np.zeros(4), 3), right)


def test_the_error_names_the_loop_the_shapes_and_the_line() -> None:
    function = tensordsl.function([x, s], rows()[:, -2])
    wanted = (
        rf"scan 'L': the state s\[t-1\] changed its shape from \(6,\) to \(4,\) in round 0 .* made at\n  {HERE}:\d+"
    )
    with pytest.raises(ValueError, match=wanted):
        function(X, np.zeros(6))


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_without_rounds_nothing_is_checked(mode: str) -> None:
    function = tensordsl.function([x, s], [rows(), rows().sum()], mode=mode)
    values, total = function(X[:0], np.zeros(6))
    assert len(values) == 0
    assert total == 0


NOT_RUN = {
    "a branch that is not taken": lambda: ifelse(n > 5, rows().sum(0), x[0] * 2),
    "a branch of rounds": lambda: scan(lambda k: ifelse(k > 5, rows(x + k).sum(0), x[0] * 2), T.arange(3))[0][1],
    "no round around it": lambda: scan(lambda k: rows(x + k).sum(), T.arange(n))[0].sum() + x[0] * 2,
}


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
@pytest.mark.parametrize("build", NOT_RUN.values(), ids=NOT_RUN)
def test_loops_that_are_not_run_check_nothing(build: Callable[[], Any], mode: str) -> None:
    function = tensordsl.function([x, s, n], build(), mode=mode, on_unused_input="ignore")
    np.testing.assert_array_equal(function(X, np.zeros(6), 0), X[0] * 2)


@pytest.mark.parametrize("is_kept", [False, True])
def test_the_last_row_is_as_long_as_the_state_that_has_it(is_kept: bool) -> None:
    """Two states go on with one value: without a round they have other lengths, and no row of one is read as the other's."""

    def step(_: Any, a: Any, b: Any) -> Any:
        return ([a, a] if is_kept else [b * 2, b * 2]), until(a.sum() > 9)

    (first, second), _ = scan(step, x, [s, dict(initial=w * 1.0, taps=[-1])])
    last = (first if is_kept else second)[-1]
    with tensordsl.config.change_flags(check_storage=True):
        f = tensordsl.function([x, s, w], last)
    with pytest.raises(IndexError, match="out of bounds"):
        f(X[:0], np.ones(1), np.ones(1000, "int64"))
    with pytest.raises(IndexError, match="out of bounds"):
        f(X[:0], np.ones(1000), np.ones(1, "int64"))
    np.testing.assert_array_equal(f(X[:1], np.ones(2), np.ones(2, "int64")), np.full(2, 1.0 if is_kept else 2.0))
