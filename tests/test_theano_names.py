"""Programs for Theano find their names here after `import tensordsl as theano`."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T

PLACES = [
    ("compile", "SharedVariable function In Out Mode get_default_mode ProfileStats OpFromGraph DebugMode"),
    ("compile.mode", "Mode get_mode get_default_mode FAST_RUN FAST_COMPILE"),
    ("compile.nanguardmode", "NanGuardMode"),
    ("compile.monitormode", "MonitorMode"),
    ("compile.debugmode", "DebugMode InvalidValueError BadOptimization"),
    ("compile.sharedvalue", "SharedVariable shared"),
    ("compile.profiling", "ProfileStats"),
    ("compile.io", "In Out"),
    ("gof", "Apply Constant Op Variable"),
    ("gof.graph", "inputs ancestors is_same_graph io_toposort Constant Variable clone"),
    ("gof.op", "get_debug_values debug_assert get_test_value"),
    ("gof.type", "Type"),
    ("gradient", "grad jacobian hessian verify_grad Rop Lop disconnected_grad consider_constant grad_clip"),
    ("ifelse", "ifelse"),
    ("printing", "Print pp debugprint pprint min_informative_str var_descriptor"),
    ("scalar", "upcast all_types"),
    ("tensor", "as_tensor as_tensor_variable TensorType TensorVariable TensorConstant Variable shared grad"),
    ("tensor.extra_ops", "repeat to_one_hot"),
    ("tensor.nnet", "sigmoid softmax relu softplus binary_crossentropy categorical_crossentropy"),
    ("tensor.opt", "Assert assert_op"),
    ("tensor.sharedvar", "SharedVariable TensorSharedVariable tensor_constructor"),
    ("tensor.var", "TensorVariable TensorConstant"),
]


@pytest.mark.parametrize("place, names", PLACES, ids=[place for place, _ in PLACES])
def test_a_name_is_where_programs_import_it_from(place: str, names: str) -> None:
    module = importlib.import_module(f"tensordsl.{place}")
    assert [name for name in names.split() if not hasattr(module, name)] == []


def test_the_same_classes_everywhere() -> None:
    w = theano.shared(1.0)
    assert isinstance(w, theano.compile.sharedvalue.SharedVariable) and isinstance(w, theano.SharedVariable)
    assert isinstance(w, T.sharedvar.TensorSharedVariable) and isinstance(T.vector().type, theano.gof.type.Type)
    assert theano.compile.mode.get_mode("FAST_RUN") is theano.compile.FAST_RUN
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        T.sharedvar.nothing  # noqa: B018  the access is the test


def test_walks_over_graphs() -> None:
    x, y = T.vectors("x", "y")
    z = T.exp(x) + y * 2
    assert [v for v in theano.gof.graph.inputs([z]) if v.name] == [x, y]
    assert theano.gof.graph.ancestors([z])[-1] is z
    assert [node.op.name for node in theano.gof.graph.io_toposort([x, y], [z])][-1] == "add"


def test_the_same_expression_twice_is_the_same_graph() -> None:
    is_same = theano.gof.graph.is_same_graph
    x, y = T.vectors("x", "y")
    assert is_same(T.exp(x) * 2, T.exp(x) * 2) and not is_same(T.exp(x) * 2, T.exp(x) * 3)
    assert not is_same(T.exp(x), T.exp(y)) and is_same(T.exp(x), T.exp(y), givens={y: x})
    assert not is_same(T.sum(T.outer(x, y), axis=0), T.sum(T.outer(x, y), axis=1))


@pytest.mark.parametrize("setting, count", [("off", 0), ("ignore", 1), ("warn", 1), ("raise", 1)])
def test_debug_values_are_there_where_test_values_are(setting: str, count: int) -> None:
    x, y = T.vectors("x", "y")
    x.tag.test_value = y.tag.test_value = np.ones(2)
    with theano.config.change_flags(compute_test_value=setting):
        found = list(theano.gof.op.get_debug_values(x, y))
        assert len(found) == count and all(a.tolist() == b.tolist() == [1.0, 1.0] for a, b in found)
        if setting == "raise":
            with pytest.raises(ValueError, match="z has no test value"):
                theano.gof.op.get_debug_values(T.vector("z"))
            with pytest.raises(AssertionError, match="wrong"):
                theano.gof.op.debug_assert(False, "wrong")
        theano.gof.op.debug_assert(True)


@pytest.mark.parametrize(
    "make", [lambda t: t("float64", (False, True)), lambda t: t("float64", broadcastable=[False, True])]
)
def test_a_type_takes_theanos_broadcast_pattern(make: Any) -> None:
    kind = make(T.TensorType)
    assert kind == T.TensorType("float64", (None, 1)) and kind.broadcastable == (False, True)
    assert hash(kind) == hash(T.TensorType(np.dtype("float64"), [None, np.int64(1)]))
    with pytest.raises(TypeError, match="a shape consists of integers and None, got 'x'"):
        T.TensorType("float64", ("x",))
    for dtype in ("float8", None, object, 3):
        with pytest.raises(TypeError, match="unsupported dtype"):
            T.TensorType(dtype, ())


def test_floatX_as_dtype_of_an_array() -> None:
    assert theano._asarray([1], dtype="floatX").dtype == theano.config.floatX
