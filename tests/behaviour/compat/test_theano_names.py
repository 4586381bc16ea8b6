"""Programs for Theano find their names here after `import tensordsl as theano`."""

from __future__ import annotations

import importlib
import inspect
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from checkout import ROOT

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.base.theano_names import ROWS

HIDDEN = (
    "compile.function",
    "compile.pfunc",
    "scan_module.scan",
    "scan_module.scan_checkpoints",
    "tensor.sort",
)  # modules that bear the name of one of their functions
BOUND = ("clone", "config", "function", "shared")  # modules that bear the name of an object of the package
PLACES = [
    ("compile", "SharedVariable function In Out Mode get_default_mode ProfileStats OpFromGraph DebugMode"),
    ("compile.mode", "Mode get_mode get_default_mode FAST_RUN FAST_COMPILE"),
    ("compile.nanguardmode", "NanGuardMode"),
    ("compile.monitormode", "MonitorMode"),
    ("compile.debugmode", "DebugMode InvalidValueError BadOptimization"),
    ("compile.sharedvalue", "SharedVariable shared"),
    ("compile.profiling", "ProfileStats"),
    ("compile.builders", "OpFromGraph"),
    ("compile.io", "In Out"),
    ("gof", "Apply Constant Op Variable"),
    ("gof.graph", "inputs ancestors is_same_graph io_toposort Constant Variable clone"),
    ("gof.op", "get_debug_values debug_assert get_test_value"),
    ("gof.type", "Type"),
    ("gradient", "grad jacobian hessian verify_grad Rop Lop disconnected_grad consider_constant grad_clip"),
    ("ifelse", "ifelse"),
    ("printing", "Print pp debugprint pprint min_informative_str var_descriptor"),
    ("gof.compilelock", "get_lock release_lock"),
    ("sandbox.softsign", "softsign"),
    ("scalar", "upcast all_types identity add upgrade_to_float"),
    ("scalar.basic", "upcast all_types identity Identity"),
    ("tensor", "as_tensor as_tensor_variable TensorType TensorVariable TensorConstant Variable shared grad"),
    ("tensor.elemwise", "DimShuffle Elemwise"),
    ("tensor.extra_ops", "bincount repeat searchsorted to_one_hot"),
    ("tensor.nnet", "sigmoid softmax relu softplus binary_crossentropy categorical_crossentropy"),
    ("tensor.opt", "Assert assert_op"),
    ("tensor.sharedvar", "SharedVariable TensorSharedVariable tensor_constructor"),
    ("tensor.type", "TensorType"),
    ("tensor.subtensor", "set_subtensor Subtensor IncSubtensor"),
    ("tensor.nnet.sigm", "sigmoid ScalarSigmoid"),
    ("tensor.var", "TensorVariable TensorConstant"),
    ("scan_module", "scan map reduce foldl foldr scan_checkpoints until clone"),
    ("scan_module.scan_op", "Scan"),
    ("scan_module.scan_utils", "clone equal_computations infer_shape map_variables expand_empty until"),
    ("scan_module.scan_views", "map reduce foldl foldr"),
]


@pytest.mark.parametrize("place, names", PLACES, ids=[place for place, _ in PLACES])
def test_a_name_is_where_programs_import_it_from(place: str, names: str) -> None:
    module = importlib.import_module(f"tensordsl.{place}")
    assert [name for name in names.split() if not hasattr(module, name)] == []


@pytest.mark.parametrize("row", ROWS)
def test_every_name_of_the_table_is_there(row: str) -> None:
    module = importlib.import_module(f"tensordsl.{row}")
    if row in BOUND:
        assert [f"tensordsl.{home}" for home in ROWS[row]] == [module.__name__] and module is not getattr(theano, row)
        return
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert not missing and set(module.__all__) <= set(dir(module))
    package, _, last = f"tensordsl.{row}".rpartition(".")
    found = getattr(importlib.import_module(package), last)
    assert inspect.isfunction(found) if row in HIDDEN else found is module


def test_the_stubs_of_the_table_are_current() -> None:
    command = [sys.executable, "-c", "import alias_stubs; print(*alias_stubs.differences())"]
    done = subprocess.run(command, cwd=ROOT / "tools", capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), f"run: python tools/alias_stubs.py\n{done.stderr}"


def test_types_of_scalars_and_rows_by_their_scalar_names() -> None:
    scalar = theano.scalar
    assert scalar.float64 == scalar.Scalar("float64") == scalar.get_scalar_type("float64") and scalar.int8.ndim == 0
    assert scalar.float32("x").type == T.fscalar and scalar.float32.dtype == str(scalar.float32) == "float32"
    assert [t.dtype for t in scalar.int_types] == ["int8", "int16", "int32", "int64"] and repr(
        scalar.bool
    ) == "Scalar(bool)"
    assert scalar.continuous_types == scalar.float_types + scalar.complex_types and "float16" in scalar.float_types
    assert len(scalar.all_types) == 14 == len(scalar.discrete_types) + len(scalar.continuous_types)
    assert scalar.all_types == tuple(T.all_dtypes) and scalar.continuous_types == tuple(T.continuous_dtypes)
    assert T.zeros(2, dtype=scalar.int8).dtype == "int8" and scalar.upcast("floatX", scalar.int8) == "float64"
    assert pickle.loads(pickle.dumps(scalar.float32)) == scalar.float32 and scalar.float32.filter(1).dtype == "float32"
    assert scalar.inv is scalar.basic.inv and T.Elemwise(scalar.abs_)(T.constant([-1.0])).eval() == [1.0]
    with pytest.raises(TypeError, match="unsupported dtype 'float8'"):
        scalar.Scalar("float8")
    with pytest.raises(AttributeError, match="did you mean 'sqrt'"):
        scalar.sqrtt  # noqa: B018  the access is the test


def test_parameters_as_old_programs_write_them() -> None:
    x, y = T.dscalars("x", "y")
    f = theano.function([x, theano.Param(y, default=2.0, name="factor")], x * y)
    assert (f(3.0), f(3.0, factor=5.0)) == (6.0, 15.0) and theano.compile.Param is theano.compile.io.Param
    assert x.zeros_like().get_scalar_constant_value() == 0
    with pytest.raises(T.NotScalarConstantError):
        x.get_scalar_constant_value()


def test_in_place_forms_are_the_functions() -> None:
    from tensordsl.tensor import inplace

    x = T.dvector("x")
    assert inplace.add_inplace(x, inplace.exp_inplace(x)).eval({x: [0.0]}).tolist() == [1.0]
    assert inplace.sigmoid_inplace is T.sigmoid and T.nnet.sigmoid_inplace is T.nnet.sigmoid
    assert all(hasattr(T, name.removesuffix("_inplace")) for name in inplace.__all__)


def test_modules_that_bear_the_name_of_a_function_do_not_replace_it() -> None:
    program = "import tensordsl.compile.function, tensordsl.compile.pfunc, tensordsl.tensor.sort\n"
    program += "from tensordsl.compile.pfunc import pfunc; from tensordsl.tensor.sort import argsort\n"
    program += "import tensordsl; print(tensordsl.compile.pfunc is pfunc is tensordsl.compile.function, "
    program += "tensordsl.tensor.sort.__name__, argsort is tensordsl.tensor.argsort)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True sort True"


def test_a_pickle_finds_functions_by_their_theano_home() -> None:
    for function, home in ((T.exp, "tensordsl.tensor.basic"), (T.nnet.softmax, "tensordsl.tensor.nnet.nnet")):
        assert function.__module__ == home and pickle.loads(pickle.dumps(function)) is function
    stored = pickle.dumps([T.nnet.relu, T.tanh, theano.gof.graph.inputs])
    program = "import pickle, sys; print([f.__name__ for f in pickle.loads(sys.stdin.buffer.read())])"
    done = subprocess.run([sys.executable, "-c", program], input=stored, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "['relu', 'tanh', 'inputs']"


def test_star_imports_take_what_a_row_names() -> None:
    assert T.basic.exp is T.exp and T.nnet.nnet.softmax is T.nnet.softmax
    names: dict[str, Any] = {}
    exec("from tensordsl.tensor.extra_ops import *\nfrom tensordsl.tensor.basic import *", names)
    assert names["bincount"] is T.bincount and names["exp"] is T.exp and "_allclose" not in names


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
    assert theano.gof.graph.ancestors([z])[0] is z
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
    with pytest.raises(TypeError, match="a shape must be of integers and None, got 'x'"):
        T.TensorType("float64", ("x",))
    for dtype in ("float8", None, object, 3):
        with pytest.raises(TypeError, match="unsupported dtype"):
            T.TensorType(dtype, ())


def test_floatX_as_dtype_of_an_array() -> None:
    assert theano._asarray([1], dtype="floatX").dtype == theano.config.floatX


def test_kinds_of_ops_are_told_apart_and_make_functions() -> None:
    x = T.matrix("x")
    expressions = {"Elemwise": T.exp(x), "DimShuffle": x.T, "Softmax": T.nnet.softmax(x), "ScalarSigmoid": T.sigmoid(x)}
    kinds = {"Elemwise": T.Elemwise, "DimShuffle": T.DimShuffle, "Softmax": T.nnet.Softmax}
    kinds["ScalarSigmoid"] = T.nnet.sigm.ScalarSigmoid
    for name, kind in kinds.items():
        assert [n for n, v in expressions.items() if isinstance(v.owner.op, kind)] in ([name], [name, "ScalarSigmoid"])
        assert not isinstance(x, kind) and name in repr(kind)
    a = np.array([[0.0, 1.0], [2.0, 4.0]])
    for built, wanted in (
        (T.nnet.Softmax()(x), np.exp(a) / np.exp(a).sum(1, keepdims=True)),
        (T.DimShuffle((False, False), (1, "x", 0))(x), a.T[:, None]),
        (T.Elemwise(theano.scalar.add)(x, 1), a + 1),
        (T.nnet.sigm.ScalarSigmoid(theano.scalar.upgrade_to_float, name="scalar_sigmoid")(x), 1 / (1 + np.exp(-a))),
        (theano.scalar.Identity(None)(x), a),
    ):
        np.testing.assert_allclose(built.eval({x: a}), wanted, rtol=1e-12)
    assert T.Rebroadcast((0, True))(x).broadcastable == (True, False)
    assert T.Rebroadcast((1, False))(T.col()).broadcastable == (False, False)
    assert T.basic.hashtype(x) == T.hashtype(x + 1)
    with pytest.raises(TypeError, match="wants an elementwise row"):
        T.Elemwise(np.add)
    with pytest.raises(TypeError, match="wants the broadcast pattern"):
        T.DimShuffle((True, False), (1, 0))(x)
    with pytest.raises(NotImplementedError, match="set_subtensor"):
        T.subtensor.Subtensor([0])


def test_warnings_of_old_bugs_can_be_set_and_say_nothing() -> None:
    assert theano.config.warn.subtensor_merge_bug is False
    with theano.config.change_flags(warn__subtensor_merge_bug=True):
        assert theano.config.warn.subtensor_merge_bug
    theano.config.warn.round = "False"
    for wrong in (lambda: theano.config.warn.nothing, lambda: setattr(theano.config.warn, "nothing", True)):
        with pytest.raises(AttributeError, match="there is no configuration option 'warn.nothing'"):
            wrong()


KEYWORDS = {
    "reshape": "x newshape ndim", "sum": "input axis dtype keepdims acc_dtype", "std": "input axis ddof keepdims corrected",
    "prod": "input axis dtype keepdims acc_dtype no_zeros_in_input", "mean": "input axis dtype keepdims acc_dtype",
    "var": "input axis ddof keepdims corrected", "argmax": "x axis keepdims", "max": "x axis keepdims",
    "concatenate": "tensor_list axis", "set_subtensor": "x y inplace tolerate_inplace_aliasing", "sort": "a axis kind order",
    "inc_subtensor": "x y inplace set_instead_of_inc tolerate_inplace_aliasing", "argsort": "a axis kind order",
    "tensordot": "a b axes", "dot": "a b", "batched_dot": "a b", "arange": "start stop step dtype", "eye": "n m k dtype",
    "tri": "N M k dtype", "tril": "m k", "round": "a mode", "take": "a indices axis mode", "clip": "x min max",
    "flatten": "x ndim outdim", "repeat": "x repeats axis", "tile": "x reps ndim", "cumsum": "x axis", "cast": "x dtype",
    "zeros": "shape dtype", "zeros_like": "model dtype opt", "constant": "x name ndim dtype", "swapaxes": "y axis1 axis2",
    "as_tensor_variable": "x name ndim", "isclose": "a b rtol atol equal_nan", "nonzero": "a return_matrix",
    "topk": "x kth axis sorted idx_dtype", "searchsorted": "x v side sorter", "bincount": "x weights minlength assert_nonneg",
    "grad": "cost wrt consider_constant disconnected_inputs add_names known_grads return_disconnected null_gradients",
}  # fmt: skip


@pytest.mark.parametrize("name", KEYWORDS)
def test_a_function_takes_theanos_keywords(name: str) -> None:
    have = list(inspect.signature(getattr(T, name)).parameters)
    assert have[: len(KEYWORDS[name].split())] == KEYWORDS[name].split()


def test_small_names_of_gradients_and_printing() -> None:
    assert theano.gradient.format_as(True, False, (1, 2)) == [1, 2]
    assert theano.gradient.format_as(False, False, [3]) == 3
    tags = theano.printing._TagGenerator()
    assert [tags.get_tag() for _ in range(27)][::13] == ["A", "N", "BA"]
