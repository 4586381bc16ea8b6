"""Objects that are no tensors: lists, strings, slices and generators, in loops and branches too."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

pytensor = pytest.importorskip("pytensor")

import pytensor.tensor as pt  # noqa: E402
import pytensor.typed_list as lists  # noqa: E402
from judge import PYTHON, agrees, equal  # noqa: E402
from pytensor import function, scan, shared  # noqa: E402
from pytensor.compile.ops import wrap_py  # noqa: E402
from pytensor.ifelse import ifelse  # noqa: E402
from pytensor.link.c.type import generic  # noqa: E402
from pytensor.tensor.type_other import make_slice  # noqa: E402

import tensordsl.pytensor as linked  # noqa: E402

x, n = pt.dvector("x"), pt.lscalar("n")
several = lists.TypedListType(pt.dvector)("several")
X = np.arange(3.0)
LISTS = {
    "made": ([x], lambda: [lists.make_list([x, x * 2])], [X]),
    "grown": ([several, x], lambda: [lists.append(several, x), lists.length(several)], [[X, X + 1], X]),
    "read": ([several, n], lambda: [lists.getitem(several, n) * 2], [[X, X + 1], np.int64(1)]),
    "given back": ([several], lambda: [several], [[X]]),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists(name: str) -> None:
    inputs, outputs, values = LISTS[name]
    agrees(inputs, outputs(), values)


def test_a_list_that_is_given_back_is_another() -> None:
    given = [X]
    assert function([several], several, mode="TENSORDSL")(given) is not given


@pytest.mark.parametrize("rounds", [1, 2, 3, 5, 8])
def test_lists_within_rounds(rounds: int) -> None:
    """Several objects live in a round; in few rounds too, which a compiler might write out."""
    A, at = pt.dmatrix("A"), [pt.constant(np.int64(k)) for k in range(4)]

    def step(row: Any, before: Any) -> Any:
        two = lists.make_list([row, before])
        three = lists.append(two, row * 3)
        four = lists.append(three, before * 4)
        return lists.getitem(four, at[3]) + lists.getitem(three, at[2]) + lists.length(four) + lists.length(two)

    start = pt.zeros((2,), dtype="float64")
    values = scan(step, sequences=A[:rounds], outputs_info=start, return_updates=False)
    agrees([A], [values, values[-1]], [np.arange(16.0).reshape(8, 2)])


@pytest.mark.parametrize("number", [0, 3])
def test_a_branch_that_is_not_taken_does_not_run(number: int) -> None:
    calls: list[int] = []

    @wrap_py([lists.TypedListType(pt.dvector)], [lists.TypedListType(pt.dvector)])
    def counted(v: Any) -> Any:
        calls.append(1)
        return ([*v, X],)

    made = function([several, n], ifelse(n > 1, counted(several), several), mode="TENSORDSL")
    equal(made([X], np.int64(number)), [X, X] if number > 1 else [X])
    assert len(calls) == (number > 1)


def test_strings_and_none() -> None:
    @wrap_py([generic], [pt.lscalar])
    def length(text: Any) -> Any:
        return np.int64(-1 if text is None else len(text))

    text = generic("text")
    made = function([text], [length(text), text], mode="TENSORDSL")
    assert made("abc")[1] == "abc" and int(made("abc")[0]) == 3
    assert made(None)[1] is None and int(made(None)[0]) == -1


def test_slices() -> None:
    agrees([x, n], [x[make_slice(n, None, None)] if pytensor.__version__ < "3" else x[n:]], [X, np.int64(1)])


# -- generators --------------------------------------------------------------------------------------------------------
def following(variable: Any) -> tuple[Any, Any]:
    """The generator after a draw, and the draw."""
    after, draw = variable.owner.outputs
    return after, draw


def walk(before: Any, rng: Any) -> Any:
    after, step = following(pt.random.normal(before, 1.0, rng=rng))
    last, two = following(pt.random.gamma(2.0, 1.0, size=(2,), rng=after))
    return before * 0.5 + step + two.sum(), {rng: last}


def zero() -> Any:
    return pt.constant(np.float64(0))


def draws_of(build: Any, seed: int = 1) -> None:
    """Three calls of a function with a generator are those of PyTensor's Python, and so is the generator behind them."""
    found = []
    for mode in ("TENSORDSL", PYTHON):
        rng = shared(np.random.default_rng(seed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs, updates = build(rng)
            made = function([], outputs, updates=updates, mode=mode)
        found.append([[np.asarray(v) for v in made()] for _ in range(3)] + [rng.get_value()])
        if mode == "TENSORDSL":
            assert all(name.endswith("RV") for name in linked.python_steps(made))
    for one, two in zip(*found, strict=True):
        equal(one, two)


def one_walk(rng: Any) -> Any:
    values, updates = scan(walk, outputs_info=[zero()], non_sequences=[rng], n_steps=6)
    return [values, values[-1]], updates


def carried(before: Any, rng: Any) -> Any:
    value, updates = walk(before, rng)
    return value, updates[rng]


def two_walks(rng: Any) -> Any:
    values, after = scan(carried, outputs_info=[zero(), rng], n_steps=5, return_updates=False)
    more, last = scan(carried, outputs_info=[values[-1], after], n_steps=4, return_updates=False)
    return [values, more], {rng: last}


def nested(rng: Any) -> Any:
    def row(before: Any, rng: Any) -> Any:
        values, updates = scan(walk, outputs_info=[before], non_sequences=[rng], n_steps=3)
        after, more = following(pt.random.normal(values[-1], 1.0, rng=updates[rng]))
        return more, {rng: after}

    values, updates = scan(row, outputs_info=[zero()], non_sequences=[rng], n_steps=4)
    return [values], updates


def until_it_is_far(rng: Any) -> Any:
    from pytensor.scan.utils import until

    def step(before: Any, rng: Any) -> Any:
        value, updates = walk(before, rng)
        return value, updates, until(value > 8)

    values, updates = scan(step, outputs_info=[zero()], non_sequences=[rng], n_steps=50)
    return [values], updates


def without_states(rng: Any) -> Any:
    values, updates = scan(
        lambda v, rng: (following(pt.random.poisson(v, rng=rng))[1], {rng: following(pt.random.poisson(v, rng=rng))[0]}),
        sequences=pt.constant(np.array([1.0, 5.0, 100.0])), non_sequences=[rng],
    )  # fmt: skip
    return [values], updates


def the_same_generator_in_each_round(rng: Any) -> Any:
    values, _ = scan(
        lambda v, rng: v + following(pt.random.normal(rng=rng))[1],
        outputs_info=[zero()],
        non_sequences=[rng],
        n_steps=4,
    )
    return [values], {}


def chosen(rng: Any) -> Any:
    one, a = following(pt.random.normal(size=(2,), rng=rng))
    two, b = following(pt.random.gamma(1.0, 1.0, size=(2,), rng=one))
    return [a, b], {rng: ifelse(pt.gt(a[0], 0), one, two)}


@pytest.mark.parametrize(
    "build", [one_walk, two_walks, nested, until_it_is_far, without_states, the_same_generator_in_each_round, chosen],
    ids=lambda build: build.__name__,
)  # fmt: skip
def test_loops_and_branches_that_draw(build: Any) -> None:
    for seed in (1, 2, 3):
        draws_of(build, seed)


def test_objects_of_a_call_are_forgotten() -> None:
    rng = shared(np.random.default_rng(1))
    values, updates = scan(walk, outputs_info=[zero()], non_sequences=[rng], n_steps=1000)
    made = function([], values[-1], updates=updates, mode="TENSORDSL")
    most = []

    class Watched(dict[int, Any]):
        def __setitem__(self, key: int, value: Any) -> None:
            super().__setitem__(key, value)
            most.append(len(self))

    made.vm.jit_fn.objects._made = Watched()
    made()
    assert max(most) < 20 and not made.vm.jit_fn.objects._made
