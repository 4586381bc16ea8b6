"""Graphs, shared variables and functions as pickles and copies."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.graph import toposort
from tensordsl.ops.kinds import OpFunction, OpKind


def again(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.fixture(params=[again, copy.deepcopy], ids=["pickle", "deepcopy"])
def remade(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_an_expression_keeps_types_names_tags_and_lines(remade: Any) -> None:
    x = T.matrix("x")
    y = T.sum(T.exp(x) + 1, axis=0)
    y.name, y.tag.note = "y", "mine"
    other_x, other_y = remade((x, y))
    assert (other_y.name, other_y.tag.note, other_y.type, str(other_y.origin)) == ("y", "mine", y.type, str(y.origin))
    assert [node.op for node in toposort([other_y])] == [node.op for node in toposort([y])]
    assert other_x is not x and other_x.name == "x"
    np.testing.assert_array_equal(other_y.eval({other_x: np.ones((2, 3))}), y.eval({x: np.ones((2, 3))}))


@pytest.mark.parametrize("module", [theano, T, T.nnet, theano.gradient, theano.printing], ids=lambda m: m.__name__)
def test_public_functions_are_stored_by_name(module: Any) -> None:
    """Networks keep `T.tanh`, `T.ivector` or `T.nnet.Softmax` as attributes."""
    for name in dir(module):
        value = getattr(module, name)
        if isinstance(value, type | FunctionType | OpKind | OpFunction) and not name.startswith("_"):
            assert again(value) is value is copy.deepcopy(value), name


def test_one_variable_in_two_places_stays_one() -> None:
    x = T.vector("x")
    y = x * 2
    u, v, w = again([y, y + x, x])
    assert v.owner.inputs[0] is u and v.owner.inputs[1] is w and u.owner.inputs[0] is w


def test_constants_keep_bytes_and_cannot_be_written(remade: Any) -> None:
    c = T.constant(np.array([1.5, np.nan]), name="c")
    other = remade(c)
    assert other.data.tobytes() == c.data.tobytes() and not other.data.flags.writeable and other.name == "c"


def test_a_deep_graph_is_no_deep_recursion(remade: Any) -> None:
    x = T.scalar("x")
    y = x
    for _ in range(3000):
        y = y + 1
    assert len(toposort([remade(y)])) == 3000


def test_loops_branches_and_gradients_are_graphs_too(remade: Any) -> None:
    x, c = T.vector("x"), T.iscalar("c")
    jacobian = theano.gradient.jacobian(T.ifelse(c, x**2, x) if hasattr(T, "ifelse") else x**2, x)
    given, found = remade((x, jacobian))
    assert theano.function([given], found)([1, 2]).tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_a_shared_variable_takes_its_value_and_default_update_along(remade: Any) -> None:
    a = theano.shared(np.array([1.0, 2.0]), name="a")
    a.default_update = a + 1
    other = remade(a)
    assert other.name == "a" and other.get_value().tolist() == [1.0, 2.0]
    assert other.default_update.owner.inputs[0] is other
    theano.function([], other)()
    assert (a.get_value().tolist(), other.get_value().tolist()) == ([1.0, 2.0], [2.0, 3.0])


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE", "NanGuardMode"])
def test_a_function_is_compiled_again_and_has_a_state_of_its_own(remade: Any, mode: str) -> None:
    x, y = T.vector("x"), T.vector("y")
    total = theano.shared(np.zeros(2))
    f = theano.function(
        [x, theano.In(y, value=[1.0, 1.0])], {"sum": x + y}, updates={total: total + x}, mode=mode, name="f"
    )
    f([1, 2])
    g = remade(f)
    assert g([1, 2])["sum"].tolist() == [2.0, 3.0] and g.name == "f" and g.maker.mode.name == mode
    assert g.get_shared()[0].get_value().tolist() == [2.0, 4.0] and total.get_value().tolist() == [1.0, 2.0]


def test_functions_that_share_state_still_share_it() -> None:
    state = theano.shared(0)
    f, g = again((theano.function([], updates={state: state + 1}), theano.function([], state)))
    f(), f()
    assert int(g()) == 2 and int(state.get_value()) == 0


def test_a_function_with_state_inputs_keeps_them() -> None:
    step, total = T.scalar("step"), T.scalar("total")
    f = theano.function([step, theano.In(total, value=10, update=total + step)], total)
    f(5)
    g = again(f)
    assert float(g(1)) == 15.0 and float(f(0)) == 15.0 and float(g(0)) == 16.0


def test_another_process_can_load_a_function(tmp_path: Path) -> None:
    x = T.matrix("x")
    W = theano.shared(np.eye(2), name="W")
    f = theano.function([x], T.nnet.softmax(T.dot(x, W)), updates={W: W * 2})
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(f))
    code = f"import pickle; f = pickle.load(open({str(tmp_path / 'f.pkl')!r}, 'rb')); print(f([[0, 0]]).tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[[0.5, 0.5]]", done.stderr


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_has_functions_graphs_and_states(protocol: int) -> None:
    x, scale = T.dvector("x"), T.dscalar("scale")
    state, random = theano.shared(np.ones(3), "state"), T.shared_randomstreams.RandomStreams(3)
    given = [x, theano.In(scale, value=2.0)]
    outputs = {"sum": (x * scale + state).sum(), "noise": random.normal((2,)), "first": x[0:1]}
    f = theano.function(given, outputs, updates=[(state, state + 1)], mode="FAST_COMPILE")
    g, deep = pickle.loads(pickle.dumps((f, chain(x, 3000)), protocol))
    for _ in range(2):
        found, wanted = g([1, 2, 3]), f([1, 2, 3])
        assert found.keys() == wanted.keys() and all(np.array_equal(found[k], wanted[k]) for k in found)
    assert g(np.zeros(3), scale=1.0)["sum"] == f(np.zeros(3), scale=1.0)["sum"]
    assert len(toposort([deep])) == 3000


def chain(value: Any, length: int) -> Any:
    for _ in range(length):
        value = T.exp(value)
    return value


def test_a_default_of_a_loaded_function_is_taken_as_it_is() -> None:
    """Its dtype is equal to the input's but another object, which the native check does not know."""
    x, y = T.dscalar("x"), T.dscalar("y")
    f = again(theano.function([x, theano.In(y, value=2.0)], x * y))
    assert f(3.0) == 6 and f(3.0, 4.0) == 12
