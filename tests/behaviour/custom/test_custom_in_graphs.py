"""Custom operations in everything that looks at graphs: modes, test values, profiles, copies, texts."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import callback
from tensordsl.compile import MonitorMode
from tensordsl.compile.debugmode import DebugModeError

X = T.dvector("x")


class Tail(tensordsl.Op):
    """a * x without its first element."""

    __props__ = ("a",)

    def __init__(self, a: float) -> None:
        self.a = a

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return tensordsl.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = (inputs[0] * np.asarray(self.a, inputs[0].dtype))[1:]

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [T.concatenate([T.zeros_like(inputs[0][:1]), output_grads[0] * self.a])]


class Misbehaving(tensordsl.Op):
    __props__ = ("how",)

    def __init__(self, how: str) -> None:
        self.how = how

    def make_node(self, x: Any) -> Any:
        return tensordsl.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        if self.how == "random":
            inputs[0] = inputs[0] + np.random.default_rng().random()
        else:
            inputs[0] += 1
        output_storage[0][0] = inputs[0]


@pytest.mark.parametrize(
    "how, words", [("random", "another one when it is called again"), ("writes", "changes its input 0")]
)
def test_debug_mode_reports(how: str, words: str) -> None:
    f = tensordsl.function([X], Misbehaving(how)(X), mode="DebugMode")
    with pytest.raises(DebugModeError, match=words):
        f([1, 2])
    if how == "writes":
        assert tensordsl.function([X], [Misbehaving(how)(X), X * 1])([1])[1].tolist() == [1]


def test_gradients_of_every_kind() -> None:
    T.verify_grad(Tail(2.0), [np.array([1.0, 2, 3])], rng=np.random.default_rng(0))
    cost = (Tail(3.0)(X) ** 3).sum()
    first = T.grad(cost, X)
    wanted = [first, T.grad(first.sum(), X), T.Rop(Tail(3.0)(X**2), X, T.ones_like(X)), T.jacobian(Tail(2.0)(X), X)]
    found = tensordsl.function([X], wanted)([1, 2])
    assert [v.tolist() for v in found] == [[0, 324], [0, 324], [12], [[0, 2]]]


def test_texts() -> None:
    out = Tail(2.0)(X)
    assert tensordsl.pp(out + 1) == "(Tail{a=2.0}(x) + TensorConstant{1})" and str(out) == "Tail{a=2.0}.0"
    text = io.StringIO()
    tensordsl.printing.debugprint(out, file=text)
    assert text.getvalue().startswith("Tail{a=2.0} [id A]")


def test_clones_and_givens() -> None:
    y, f32 = T.dvector("y"), T.fvector("f")
    assert tensordsl.function([y], Tail(2.0)(X).sum(), givens={X: y * 2})([1, 2, 3]) == 20
    assert tensordsl.clone(Tail(2.0)(X), {X: f32}, strict=False).type == f32.type  # made anew by make_node
    assert tensordsl.clone_replace(Tail(2.0)(X), {X: y}).eval({y: [1, 2]}).tolist() == [4]


def test_pickles_and_copies() -> None:
    out = Tail(2.0)(X)
    again = pickle.loads(pickle.dumps(out))
    assert again.owner.op == out.owner.op and again.eval({again.owner.inputs[0]: [1.0, 2]}).tolist() == [4]
    f = tensordsl.function([X], out + 1)
    for g in (f.copy(), pickle.loads(pickle.dumps(f))):
        assert g([1, 2, 3]).tolist() == [5, 7]


def test_test_values() -> None:
    x = T.dvector("x")
    x.tag.test_value = np.arange(3.0)
    with tensordsl.change_flags(compute_test_value="raise"):
        assert (Tail(2.0)(x) + 1).tag.test_value.tolist() == [3, 5]
        with pytest.raises(KeyError):
            callback(lambda a: {}[1], x, x)


def test_profiles_name_and_time_the_calls() -> None:
    f = tensordsl.function([X], Tail(2.0)(X), profile=True)
    f([1, 2])
    f([1, 2])
    text = io.StringIO()
    f.profile.summary(file=text)
    assert "2 calls of Tail{a=2.0}" in text.getvalue() and f.profile.python["Tail{a=2.0}"][0] == 2


def test_monitors_see_them() -> None:
    seen: list[str] = []
    mode = MonitorMode(post_func=lambda i, node, fn: seen.append(str(node.op)))
    assert tensordsl.function([X], Tail(2.0)(X), mode=mode)([1, 2]).tolist() == [4] and seen == ["Tail{a=2.0}"]


def test_the_guard_of_nan_names_them() -> None:
    f = tensordsl.function([X], callback(np.log, X, X) + 1, mode="NanGuardMode")
    with np.errstate(all="ignore"), pytest.raises(AssertionError, match=r"callback\{log\}"):
        f([-1])


def test_state_beside_them() -> None:
    state = tensordsl.shared(np.zeros(2))
    f = tensordsl.function([X], Tail(1.0)(X + state).sum(), updates=[(state, state + X)])
    assert [float(f([1, 2])) for _ in range(3)] == [2, 4, 6] and state.get_value().tolist() == [3, 6]
    g = tensordsl.function([], [], updates=[(state, callback(np.flip, state, state))])
    g()
    assert state.get_value().tolist() == [6, 3]


@pytest.mark.filterwarnings("ignore:device sim")
def test_the_simulated_device() -> None:
    with tensordsl.change_flags(device="sim"):
        f = tensordsl.function([X], [Tail(2.0)(X + 1) * 2, Tail(2.0)(X).sum()])
    assert [np.asarray(v).tolist() for v in f([0, 1, 2])] == [[8, 12], 6]
