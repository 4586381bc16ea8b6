"""The places of a function's values, and what else can be asked of a function, as Theano's programs ask."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.compile import UnusedInputError
from tensordsl.gof import FunctionGraph, MissingInputError


def counters() -> tuple[Any, Any, Any]:
    """Theano's example of two functions with one state: increment and decrement."""
    by, state = T.scalar("by"), T.scalar("state")
    up = theano.function([by, theano.In(state, value=10.0, update=state + by)], state)
    down = theano.function([by, theano.In(state, value=up.container[state], update=state - by)], state)
    return up, down, state


def test_two_functions_share_a_state_by_its_container() -> None:
    up, down, state = counters()
    up(1)
    assert (float(up[state]), float(down(3)), float(up["state"]), float(down[1])) == (11.0, 11.0, 8.0, 8.0)
    down[state] = 100
    assert float(up(2)) == 100.0 and float(down[state]) == 102.0
    with pytest.raises(TypeError):
        down(1, 5)
    with pytest.raises(TypeError, match="Tried to provide value for implicit input: state"):
        down(1, state=5)


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_a_default_is_shared_by_its_container(mode: str) -> None:
    x, y = T.vector("x"), T.vector("y")
    f = theano.function([x, theano.In(y, value=[1.0, 2.0])], x + y, mode=mode)
    other = f.copy()
    g = theano.function([x, theano.In(y, value=f.container["y"])], x * y, mode=mode)
    f["y"] = [3.0, 4.0]
    assert (f([0, 0]).tolist(), g([1, 1]).tolist()) == ([3.0, 4.0], [3.0, 4.0])
    g.container[y].value = [5.0, 6.0]
    assert f([0, 0]).tolist() == [5.0, 6.0] and f([0, 0], [7, 7]).tolist() == [7.0, 7.0]
    assert other([0, 0]).tolist() == [1.0, 2.0]
    later = f.copy()
    f["y"] = [0.0, 0.0]
    assert later([0, 0]).tolist() == [5.0, 6.0] and g([1, 1]).tolist() == [0.0, 0.0]
    with pytest.raises(TypeError, match="a place without a value"):
        theano.function([theano.In(x, value=f.container[x])], x)


def test_containers_show_and_take_values() -> None:
    up, _, state = counters()
    place = up.container[state]
    assert (repr(place), place.name, str(place.type)) == ("<array(10.)>", "state", "TensorType(float64, scalar)")
    place.value = 3
    place.data = np.array(place.value + 1)
    assert float(up[state]) == 4.0 and place.storage[0] == 4.0 and len(place.storage) == 1
    place.storage[0] = np.array(5.0)
    up.value[state] += 1
    assert float(up.value["state"]) == 6.0
    assert place == up.finder[state] == up.finder["state"] == up.finder[1] == up.input_storage[1]
    assert {place: 1}[up.container[1]] == 1
    assert "state" in up.container and "nothing" not in up.value
    assert repr(up.container["by"]) == "<None>" and up.container["by"].value is None
    with pytest.raises(TypeError, match="Wrong number of dimensions"):
        place.value = [1, 2]
    with pytest.raises(TypeError, match="holds no value"):
        up.container["by"].value = 1


def test_shared_variables_have_containers() -> None:
    x, w = T.scalar("x"), theano.shared(3.0, name="w")
    f = theano.function([x], w * x, updates=[(w, w + x)])
    w.container.value = 5
    assert f.container[w] == w.container == f.input_storage[1] and float(f(1)) == 5.0
    w.container.data = np.array(1.5)
    assert float(f["w"]) == float(f[1]) == 1.5
    assert theano.shared(None).container.value is None


# -- the maker -------------------------------------------------------------------------------------------------------
def test_a_function_shows_its_graph() -> None:
    x, w = T.vector("x"), theano.shared(1.0, name="w")
    y = T.exp(x) * w
    f = theano.function([x], [y, x], updates=[(w, w + 1)], name="f")
    graph = f.maker.fgraph
    assert graph.inputs == [x, w] and graph.outputs[:2] == [y, x] and len(graph.outputs) == 3
    names = [node.op.name for node in graph.toposort()]
    assert sorted(names) == ["add", "exp", "mul"] and names.index("exp") < names.index("mul")
    assert graph.apply_nodes == set(graph.toposort()) and {x, w, y, y.owner.inputs[0]} <= graph.variables
    assert graph.clients(y) == [("output", 0)] and graph.clients(x) == [(y.owner.inputs[0].owner, 0), ("output", 1)]
    copied = graph.clone()
    assert not copied.apply_nodes & graph.apply_nodes and copied.inputs[0] is not x and copied.inputs[1] is w
    assert [str(v) for v in copied.inputs] == ["x", "w"] and repr(copied) == repr(graph) == str(graph)
    other, new = graph.clone_get_equiv()
    assert new[y] is other.outputs[0] and new[x] is other.inputs[0]
    assert theano.printing.debugprint(graph, file="str") == theano.printing.debugprint(graph.outputs, file="str")


def test_a_function_shows_its_inputs_and_outputs() -> None:
    x, y, w = T.vector("x"), T.scalar("y"), theano.shared(1.0, name="w")
    f = theano.function([x, theano.In(y, value=2.0)], {"a": x * w, "b": y}, updates=[(w, w + 1)], name="f")
    ins = f.maker.inputs
    assert [(i.variable, i.name, i.implicit, i.shared) for i in ins] == [
        (x, "x", False, False), (y, "y", False, False), (w, "w", True, True),
    ]  # fmt: skip
    assert ins[1].value == 2.0 and ins[2].value == w.container and ins[2].update is f.maker.fgraph.outputs[2]
    assert [out.variable for out in f.outputs] == f.maker.fgraph.outputs[:2] and f.maker.outputs[0].borrow is False
    assert f.output_keys == ["a", "b"] and not f.unpack_single and f.n_returned_outputs == 2
    assert f.indices[0][0].variable is x and f.maker.name == f.name == "f" and f.maker.mode.name == "FAST_RUN"
    assert theano.function([x], x).unpack_single and theano.function([x], [x]).output_keys is None
    assert f.inv_finder[w.container].variable is w
    assert (f.copy().name, f.copy(name="g").name) == ("f copy", "g")


def test_a_graph_of_ones_own() -> None:
    x, y = T.vectors("x", "y")
    z = x * y
    graph = FunctionGraph([x, y], [z])
    assert graph.inputs[0] is not x and str(graph) == "[(x * y)]"
    assert FunctionGraph([x, y], [z], clone=False).outputs[0] is z
    with pytest.raises(MissingInputError, match="the graph needs y"):
        FunctionGraph([x], [z])


# -- generic inputs --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE", "DebugMode"])
def test_a_generic_input_takes_any_object(mode: str) -> None:
    x, g = T.vector("x"), theano.generic("g")
    assert (
        isinstance(g, theano.Variable) and g.type is theano.generic is theano.gof.generic and str(g.type) == "Generic"
    )
    f = theano.function([g, x], x * 2, on_unused_input="ignore", mode=mode)
    for anything in ("text", None, [1, "two"], object(), T):
        assert f(anything, [1, 2]).tolist() == [2.0, 4.0]
    assert f(x=[1], g=3).tolist() == [2.0]
    with_default = theano.function([x, theano.In(g, value="text")], x, on_unused_input="ignore", mode=mode)
    assert with_default([1]).tolist() == [1.0] and with_default["g"] == "text"
    with_default[g] = {"a": 1}
    assert with_default.container[g].value == {"a": 1} and with_default([2]).tolist() == [2.0]
    sharing = theano.function([theano.In(g, value=with_default.container[g])], [], on_unused_input="ignore", mode=mode)
    with_default[g] = "other"
    assert sharing() == [] and sharing[g] == "other" == sharing.copy()[g]
    with pytest.raises(TypeError, match="Missing required input: g"):
        f()
    with pytest.raises(UnusedInputError, match="index 1 is not part"):
        theano.function([x, g], x, mode=mode)
    state = T.scalar("state")
    counting = theano.function([g, theano.In(state, value=1, update=state + 1)], state, on_unused_input="ignore")
    assert [float(counting(None)), float(counting("a"))] == [1.0, 2.0]
    assert float(pickle.loads(pickle.dumps(counting))("b")) == 3.0


def test_a_generic_input_computes_nothing() -> None:
    g = theano.generic()
    for wrong in (lambda: g + 1, lambda: T.exp(g), lambda: theano.function([g], g)):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError, match="no expression gives g"):
        theano.function([theano.In(theano.generic("g"), value=1, update=T.scalar())], [])
    assert copy.deepcopy(g).type is g.type and g.type.filter([1]) == [1] and isinstance(g.type, theano.gof.Generic)


# -- updates ---------------------------------------------------------------------------------------------------------
def test_ordered_updates_refuse_mistakes() -> None:
    v, w = theano.shared(1.0, name="v"), theano.shared(2.0, name="w")
    more = w + 1
    updates = theano.OrderedUpdates([(w, more)])
    updates[v] = 5
    assert list(updates) == [w, v] and isinstance(updates, dict) and theano.updates.OrderedUpdates is type(updates)
    assert list(theano.OrderedUpdates({v: 1}) + {w: more}) == [v, w] == list({w: more} + theano.OrderedUpdates({v: 1}))
    updates.update([(w, more), (v, 5)])  # the same again
    for collision in (lambda: updates + [(w, w + 2)], lambda: updates.update({v: 6})):
        with pytest.raises(KeyError, match="Collision"):
            collision()
    for wrong in (lambda: theano.OrderedUpdates({"w": more}), lambda: updates.__setitem__(T.scalar(), more)):
        with pytest.raises(TypeError, match="keys must inherit from SharedVariable"):
            wrong()
    theano.function([], [], updates=updates)()
    assert (float(v.get_value()), float(w.get_value())) == (5.0, 3.0)


def test_classes_stand_where_theano_has_them() -> None:
    x, w = T.scalar("x"), theano.shared(1.0)
    y = x + w
    gof, compile = theano.gof, theano.compile
    assert isinstance(x, gof.Variable) and isinstance(y.owner, gof.Apply) and isinstance(y.owner.op, gof.Op)
    assert isinstance(T.constant(1), gof.Constant) and isinstance(w, compile.SharedVariable)
    assert isinstance(w, compile.sharedvalue.SharedVariable) and not isinstance(x, compile.SharedVariable)
    assert isinstance(w.container, gof.Container) and theano.FunctionGraph is gof.fg.FunctionGraph
    with pytest.raises(gof.MissingInputError):
        theano.function([], y)
    assert gof.fg.MissingInputError is gof.MissingInputError
    assert {"FAST_RUN", "FAST_COMPILE"} <= set(theano.predefined_modes)
