"""The same programs with an operation of the library and with a custom one in its place: loops, branches, state.

The custom one does not say its lengths, so that each program has to find them in the call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.ifelse import ifelse

X, M, S, C = T.dvector("x"), T.dmatrix("m"), T.dscalar("s"), T.iscalar("c")
VALUES = {X: np.array([1.0, 2.0, 0.5]), M: np.array([[0.5, -1.0, 2.0], [1.0, 0.25, -2.0]]), S: 1.1, C: 1}
Square = Callable[[Any], Any]


class Squares(tensordsl.Op):
    __props__ = ()

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return tensordsl.Apply(self, [x], [T.TensorType(x.dtype, x.broadcastable)()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = np.asarray(inputs[0] ** 2)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [2 * inputs[0] * output_grads[0]]


def last(step: Any, **more: Any) -> Any:
    return scan(step, **more)[0][-1]


PROGRAMS: dict[str, Callable[[Square], Any]] = {
    "a sum": lambda f: f(M + X).sum(),
    "a part": lambda f: f(M)[:, 1:].sum() + f(X)[0],
    "transposed": lambda f: T.dot(f(M), f(X)).sum(),
    "of a row": lambda f: (f(X.dimshuffle("x", 0)) * M).sum(),
    "one after another": lambda f: f(f(X) + 1).sum(),
    "in a scan": lambda f: scan(lambda e: f(e * X).sum(), sequences=X)[0].sum(),
    "a state": lambda f: last(lambda acc: f(acc) * 0.5, outputs_info=X, n_steps=3).sum(),
    "a state and an element": lambda f: last(lambda e, acc: f(acc) * e, sequences=X, outputs_info=S),
    "a scan in a scan": lambda f: last(
        lambda acc: last(lambda e, a: f(a) * e, sequences=X, outputs_info=acc) * 0.1, outputs_info=S, n_steps=2
    ),
    "checkpoints": lambda f: tensordsl.scan_checkpoints(
        lambda acc: f(acc) * 0.7, outputs_info=X, n_steps=4, save_every_N=2
    )[0][-1].sum(),
    "until": lambda f: scan(
        lambda acc: (f(acc) + 1, tensordsl.scan_module.until(acc.sum() > 10)), outputs_info=X, n_steps=9
    )[0].sum(),
    "no rounds": lambda f: scan(lambda e: f(e), sequences=X[:0])[0].sum() + f(X).sum(),
    "a branch": lambda f: ifelse(C, f(X), X).sum() + ifelse(C - 1, f(M), M).sum(),
    "a branch in a scan": lambda f: scan(lambda e: ifelse(T.gt(e, 0.7), f(X * e), X).sum(), sequences=X)[0].sum(),
    "a scan in a branch": lambda f: ifelse(C, scan(lambda e: f(e * X).sum(), sequences=X)[0], X).sum(),
    "in both branches": lambda f: ifelse(C, f(X), f(X) * 2).sum(),
    "its shape alone": lambda f: X.sum() * f(M).shape[0] * f(X).size,
    "joined": lambda f: (T.concatenate([f(X), X]) ** 3).sum(),
    "a maximum": lambda f: T.max(f(M), axis=0).sum(),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_and_gradients_are_those_of_the_librarys_operation(name: str) -> None:
    program = PROGRAMS[name]
    wrt = [X, M, S]
    found = {}
    for kind, square in (("own", Squares()), ("library", lambda x: x**2)):
        cost = program(square)
        wanted = [cost, *T.grad(cost, wrt, disconnected_inputs="ignore")]
        f = tensordsl.function([X, M, S, C], wanted, on_unused_input="ignore")
        found[kind] = f(*VALUES.values())
        again = f(*VALUES.values())
        assert all(np.array_equal(a, b) for a, b in zip(found[kind], again, strict=True))
    for a, b in zip(found["own"], found["library"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["a sum", "a state", "a branch", "its shape alone"])
@pytest.mark.filterwarnings("ignore:device sim")
def test_on_the_simulated_device(name: str) -> None:
    cost = PROGRAMS[name](Squares())
    f = tensordsl.function([X, M, S, C], cost, on_unused_input="ignore")
    with tensordsl.change_flags(device="sim"):
        g = tensordsl.function([X, M, S, C], cost, on_unused_input="ignore")
    np.testing.assert_allclose(np.asarray(g(*VALUES.values())), f(*VALUES.values()), rtol=1e-12)


def test_updates_by_a_custom_gradient() -> None:
    w = tensordsl.shared(np.ones(3))
    step = tensordsl.function([], [], updates=[(w, w - 0.1 * T.grad(Squares()(w).sum(), w))])
    step()
    step()
    np.testing.assert_allclose(w.get_value(), np.full(3, 0.64))
