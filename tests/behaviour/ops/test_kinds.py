"""What Theano's programs read off ops: texts, parameters, classes; the expectations are what Theano 1.0.5 does."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.ops.kinds import KINDS, PLACES, kinds_at

# -- texts of ops ----------------------------------------------------------------------------------------------------
_x, _y, _m, _n = T.dvector("x"), T.dvector("y"), T.dmatrix("m"), T.dmatrix("n")
_i, _iv, _b, _s = T.lscalar("i"), T.lvector("iv"), T.bvector("b"), T.dscalar("s")
# What Theano 1.0.5 prints of `v.owner`.
TEXTS: list[tuple[Any, str]] = [
    (_x + _y, "Elemwise{add,no_inplace}(x, y)"),
    (abs(_x), "Elemwise{abs_,no_inplace}(x)"),
    (T.inv(_x), "Elemwise{inv,no_inplace}(x)"),
    (T.psi(_x), "Elemwise{psi,no_inplace}(x)"),
    (T.round(_x), "Elemwise{round_half_to_even,no_inplace}(x)"),
    (T.switch(_x > _y, _x, _y), "Elemwise{switch,no_inplace}(Elemwise{gt,no_inplace}.0, x, y)"),
    (T.nnet.sigmoid(_x), "sigmoid(x)"),
    (T.nnet.softplus(_x), "softplus(x)"),
    (T.cast(_x, "float32"), "Elemwise{Cast{float32}}(x)"),
    (T.tensor_copy(_x), "Elemwise{identity}(x)"),
    (T.second(_x, _y), "Elemwise{second,no_inplace}(x, y)"),
    (T.real(T.zvector("c")), "Elemwise{real,no_inplace}(c)"),
    (T.alloc(_s, _i, 3), "Alloc(s, i, TensorConstant{3})"),
    (T.arange(_i), "ARange{dtype='int64'}(TensorConstant{0}, i, TensorConstant{1})"),
    (T.sum(_m), "Sum{acc_dtype=float64}(m)"),
    (T.sum(_m, axis=0), "Sum{axis=[0], acc_dtype=float64}(m)"),
    (T.sum(_b), "Sum{acc_dtype=int64}(b)"),
    (T.prod(_m, axis=1), "Prod{axis=(1,), dtype='float64', acc_dtype='float64'}(m)"),
    (T.max(_m, axis=1), "MaxAndArgmax{axis=(1,)}(m)"),
    (T.argmax(_m, axis=1), "MaxAndArgmax{axis=(1,)}(m)"),
    (T.any(T.neq(_m, 0), axis=0), "Any{0}(Elemwise{neq,no_inplace}.0)"),
    (T.all(T.neq(_m, 0)), "All(Elemwise{neq,no_inplace}.0)"),
    (T.dot(_m, _n), "dot(m, n)"),
    (T.batched_dot(T.dtensor3("t"), T.dtensor3("u")), "BatchedDot(t, u)"),
    (_m.T, "InplaceDimShuffle{1,0}(m)"),
    (_x.dimshuffle("x", 0), "InplaceDimShuffle{x,0}(x)"),
    (T.addbroadcast(_m, 0), "Rebroadcast{1}"),
    (T.specify_shape(_x, (3,)), "SpecifyShape"),
    (_m.flatten(), "Reshape{1}"),
    (_x[0], "Subtensor{int64}"),
    (_x[T.iscalar()], "Subtensor{int32}"),
    (_x[1:3], "Subtensor{int64:int64:}"),
    (_x[_i:], "Subtensor{int64::}"),
    (_x[::-1], "Subtensor{::int64}"),
    (_m[:, 0], "Subtensor{::, int64}"),
    (_m[_i, 1:3], "Subtensor{int64, int64:int64:}"),
    (_m[1:, ::2], "Subtensor{int64::, ::int64}"),
    (_m[0], "Subtensor{int64}"),
    (_m[_iv], "AdvancedSubtensor1(m, iv)"),
    (_m[_iv, _iv], "AdvancedSubtensor(m, iv, iv)"),
    (_x[_x > 0], "AdvancedBooleanSubtensor"),
    (T.set_subtensor(_x[0], _s), "IncSubtensor{Set;int64}"),
    (T.inc_subtensor(_x[_i:], _s), "IncSubtensor{Inc;int64::}"),
    (T.inc_subtensor(_m[_iv], _s), "AdvancedIncSubtensor1{no_inplace,inc}"),
    (T.set_subtensor(_m[_iv, _iv], _s), "AdvancedIncSubtensor{inplace=False,  set_instead_of_inc=True}"),
    (T.concatenate([_m, _n], axis=1), "Join"),
    (T.sort(_x), "SortOp{quicksort, None}"),
    (T.argsort(_x), "ArgSortOp{quicksort, None}"),
    (T.extra_ops.searchsorted(_x, _s), "SearchsortedOp{side='left'}(x, s)"),
    (T.extra_ops.cumsum(_m, axis=1), "CumOp{1, add}(m)"),
    (T.extra_ops.cumprod(_m, axis=0), "CumOp{0, mul}(m)"),
    (_m.shape, "Shape"),
    (_x.shape, "Shape"),
    (T.nnet.softmax(_m), "Softmax(m)"),
    (T.nnet.logsoftmax(_m), "LogSoftmax(m)"),
    (theano.ifelse.ifelse(_i, _x, _y), "if{}"),
    (theano.printing.Print("hey")(_x), "Print{message='hey', attrs=('__str__',)}(x)"),
    (T.opt.Assert("wrong")(_x, _i), "Assert{msg='wrong'}"),
    (theano.gradient.disconnected_grad(_x), "DisconnectedGrad(x)"),
    (theano.gradient.consider_constant(_x), "ConsiderConstant(x)"),
    (theano.gradient.zero_grad(_x), "ZeroGrad(x)"),
    (theano.gradient.grad_clip(_x, -1, 1), "GradClip(x)"),
    (theano.gradient.grad_scale(_x, 2), "GradScale(x)"),
]


@pytest.mark.parametrize("variable, text", TEXTS, ids=[text for _, text in TEXTS])
def test_an_application_prints_as_theanos(variable: Any, text: str) -> None:
    assert (str(variable.owner) if text.endswith(")") else str(variable.owner.op)) == text
    assert str(variable) == f"{variable.owner.op}.{variable.index}"
    assert repr(variable.owner) == str(variable.owner) and repr(variable.owner.op) == str(variable.owner.op)


def test_public_functions_are_ops_where_theanos_are() -> None:
    x, y = T.vectors("x", "y")
    assert str(T.add) == repr(T.add) == "Elemwise{add,no_inplace}" and str(T.nnet.sigmoid) == "sigmoid"
    assert (x + y).owner.op == T.add != T.sub and {T.add: 1}[(x + y).owner.op] == 1 and T.sigmoid == T.nnet.sigmoid
    assert isinstance(T.exp, T.Elemwise) and isinstance(T.exp, theano.Op) and T.exp.scalar_op is theano.scalar.exp
    assert str(T.alloc) == "Alloc" and T.fill == T.second and T.exp.__name__ == "exp" and T.exp.__doc__

    class Layer:
        activation = T.tanh

    assert Layer().activation(x).owner.op == T.tanh, "an op is no method"


def test_scalar_operations_have_names_and_classes() -> None:
    x = T.vector("x")
    add, cast = (x + x).owner.op.scalar_op, T.cast(x, "int8").owner.op.scalar_op
    assert add is theano.scalar.add is theano.scalar.basic.add and str(add) == add.name == repr(add) == "add"
    assert isinstance(add, theano.scalar.Add) and not isinstance(add, theano.scalar.basic.Mul)
    assert isinstance(cast, theano.scalar.Cast) and isinstance(T.inv(x).owner.op.scalar_op, theano.scalar.Inv)
    assert isinstance(T.round(x).owner.op.scalar_op, theano.scalar.RoundHalfToEven) and T.psi.scalar_op.name == "psi"
    assert isinstance(T.sigmoid(x).owner.op.scalar_op, T.nnet.sigm.ScalarSigmoid) and not isinstance(add, T.Elemwise)
    assert pickle.loads(pickle.dumps(add)) is add
    with pytest.raises(AttributeError):
        theano.scalar.Nothing  # noqa: B018  the access is the test


# -- parameters and kinds of ops -------------------------------------------------------------------------------------
def test_an_op_has_the_parameters_of_its_use() -> None:
    total, part, all_of_it = T.sum(_m, axis=0).owner.op, T.set_subtensor(_m[_iv], 0.0).owner.op, T.prod(_m).owner.op
    assert (total.axis, total.dtype, total.acc_dtype, total.scalar_op.name) == ((0,), "float64", "float64", "add")
    assert all_of_it.axis is None and all_of_it.scalar_op.name == "mul" and T.max(_m).owner.op.axis == (0, 1)
    assert T.any(T.neq(_m, 0), axis=1).owner.op.axis == (1,)
    swapped = _m.dimshuffle(1, "x", 0).owner.op
    assert (swapped.new_order, swapped.input_broadcastable) == ((1, "x", 0), (False, False))
    assert (swapped.shuffle, swapped.augment, swapped.drop, swapped.inplace) == ([1, 0], [1], [], True)
    assert T.reshape(_m, (2, 3)).owner.op.ndim == 2 and T.arange(_i).owner.op.dtype == "int64"
    assert part.set_instead_of_inc and not part.inplace and not T.inc_subtensor(_x[0], 1).owner.op.set_instead_of_inc
    assert T.extra_ops.cumprod(_m, axis=0).owner.op.mode == "mul" and T.sort(_x).owner.op.kind == "quicksort"
    branches = theano.ifelse.ifelse(_i, [_x, _m], [_y, _n])
    assert branches[1].owner.op.n_outs == 2 and theano.ifelse.ifelse(_i, _x, _y).owner.op.n_outs == 1
    assert (
        T.opt.Assert("wrong")(_x, _i).owner.op.msg == "wrong" and theano.printing.Print("a")(_x).owner.op.message == "a"
    )
    assert theano.gradient.grad_clip(_x, -1, 2).owner.op.clip_upper_bound == 2
    assert T.addbroadcast(_m, 0).owner.op.axis == {0: True} and T.join(1, _m, _n).owner.op.view == -1
    with pytest.raises(AttributeError, match="the op sum has no attribute 'nothing'"):
        total.nothing  # noqa: B018  the access is the test


def test_a_use_of_an_op_applies_it_to_others() -> None:
    total = T.sum(_m, axis=0).owner.op
    again = total(_n)
    np.testing.assert_array_equal(theano.function([_n], again, mode="REFERENCE")(np.ones((2, 3))), [2.0, 2.0, 2.0])
    assert again.owner.op == total != T.sum(_m, axis=1).owner.op and total == total.row
    assert hash(again.owner.op) == hash(total) and pickle.loads(pickle.dumps(total)) == total
    assert (_x + _y).owner.op(_m, _n).owner.inputs == (_m, _n)
    node = (_x + _y).owner
    assert (node.nin, node.nout, node.out, node.default_output()) == (2, 1, node.outputs[0], node.outputs[0])
    other = node.clone_with_new_inputs([_y, _x])
    assert (
        other.inputs == (_y, _x)
        and other.op == node.op
        and node.clone() is not node
        and node.clone().inputs == (_x, _y)
    )
    assert node.clone_with_new_inputs([_x, _iv], strict=False).out.dtype == "float64"
    with pytest.raises(TypeError, match="cast it, or pass strict=False"):
        node.clone_with_new_inputs([_x, _iv])


def test_prints_and_assertions_are_found_and_made_again() -> None:
    from tensordsl.printing import Print

    printed, checked = Print("a", attrs=("shape",))(_x), T.opt.Assert("wrong")(_x, _i)
    assert isinstance(printed.owner.op, Print) and isinstance(checked.owner.op, T.opt.Assert)
    assert not isinstance(checked.owner.op, Print) and isinstance(checked.owner.op, theano.Op)
    assert printed.owner.op == Print("a", ("shape",)) != Print("b", ("shape",)) and checked.owner.op.name == "assert"
    assert str(printed.owner.op(_y)) == "Print{message='a', attrs=('shape',)}.0"
    own = Print("a", global_fn=lambda op, value: None)
    assert own(_x).owner.op is own and pickle.loads(pickle.dumps(checked.owner.op)) == checked.owner.op


def kinds_of(variable: Any) -> set[str]:
    return {name for name, kind in KINDS.items() if isinstance(variable.owner.op, kind)}


def test_an_op_is_of_the_kinds_of_theanos_classes() -> None:
    for variable, kinds in (
        (_x + _y, "Elemwise"), (T.real(T.zvector()), "Elemwise"), (T.sum(_x), "CAReduce CAReduceDtype Sum"),
        (T.all(_b), "All CAReduce"), (T.max(_x), "MaxAndArgmax"), (_m.T, "DimShuffle"), (_m[0], "Subtensor"),
        (_x[_iv], "AdvancedSubtensor1"), (_m[_iv, _iv], "AdvancedSubtensor BaseAdvancedSubtensor"),
        (_x[_x > 0], "AdvancedBooleanSubtensor BaseAdvancedSubtensor"), (_x.shape, "Shape"), (_m.shape, "Shape"),
        (T.inc_subtensor(_x[_iv], 1), "AdvancedIncSubtensor1"), (T.inc_subtensor(_x[0], 1), "IncSubtensor"),
        (T.set_subtensor(_m[_iv, _iv], 1), "AdvancedIncSubtensor BaseAdvancedIncSubtensor"),
        (T.stack([_x, _y]), "Join"), (T.zeros(_i), "Alloc"), (T.dot(_x, _y), "Dot"), (T.sort(_x), "SortOp"),
        (T.addbroadcast(_m, 0), "Rebroadcast"), (T.specify_shape(_x, (2,)), "SpecifyShape"),
        (T.extra_ops.cumsum(_x), "CumOp"), (T.nnet.softmax(_m), "Softmax"), (T.split(_x, [1, 2], 2)[0], "Subtensor"),
        (theano.ifelse.ifelse(_i, _x, _y), "IfElse"), (theano.gradient.grad_scale(_x, 2), "GradScale"),
    ):  # fmt: skip
        assert kinds_of(variable) == set(kinds.split()), str(variable)


def test_kinds_stand_where_theano_has_them() -> None:
    assert isinstance(_x[0].owner.op, theano.tensor.subtensor.Subtensor) and T.Join is T.basic.Join
    assert T.elemwise.Sum is T.Sum and T.extra_ops.Unique and T.opt.MakeVector and T.nnet.nnet.SoftmaxWithBias
    assert theano.ifelse.IfElse and theano.gradient.ZeroGrad and theano.compile.Shape_i and not hasattr(T, "CumOp")
    assert pickle.loads(pickle.dumps(T.Join)) is T.Join and all(set(kinds_at(p)) for p in PLACES)


M = np.array([[3.0, 1.0, 2.0], [0.5, 4.0, 1.5]])
V = np.array([3.0, 1.0, 2.0])
POOLED = np.array([[4.0]])
SOFT = np.exp(M) / np.exp(M).sum(1, keepdims=True)
SQUARE = M.T @ M + np.eye(3)
_square = _m.T.dot(_m) + T.eye(3)
MADE: dict[str, tuple[Any, Any]] = {
    "CAReduce": (lambda: KINDS["CAReduce"](theano.scalar.maximum, axis=0)(_m), M.max(0)),
    "CAReduceDtype": (lambda: KINDS["CAReduceDtype"](theano.scalar.add, 0, "float32")(_m), M.sum(0)),
    "Sum": (lambda: KINDS["Sum"](axis=1)(_m), M.sum(1)), "Prod": (lambda: KINDS["Prod"]()(_m), M.prod()),
    "All": (lambda: KINDS["All"](0)(_m > 1), (M > 1).all(0)), "Any": (lambda: KINDS["Any"]()(_m > 9), False),
    "Mean": (lambda: KINDS["Mean"](0)(_m), M.mean(0)), "Argmax": (lambda: KINDS["Argmax"](1)(_m), M.argmax(1)),
    "MaxAndArgmax": (lambda: KINDS["MaxAndArgmax"]([1])(_m)[1], M.argmax(1)),
    "Join": (lambda: T.Join()(0, _x, _x), np.tile(V, 2)), "MakeVector": (lambda: T.opt.MakeVector("float64")(_s, _s), [5, 5]),
    "Split": (lambda: T.Split(2)(_x, 0, [1, 2])[1], V[1:]), "Alloc": (lambda: T.Alloc()(_s, 2, 1), [[5], [5]]),
    "AllocEmpty": (lambda: T.AllocEmpty("int8")(2).shape, [2]), "Reshape": (lambda: T.Reshape(1)(_m, [6]), M.ravel()),
    "Flatten": (lambda: T.Flatten(1)(_m), M.ravel()), "Tile": (lambda: T.Tile(1)(_x, (2,)), np.tile(V, 2)),
    "Shape": (lambda: T.Shape()(_m), [2, 3]), "Shape_i": (lambda: KINDS["Shape_i"](1)(_m), 3),
    "SpecifyShape": (lambda: T.SpecifyShape()(_m, (2, 3)), M), "Rebroadcast": (lambda: T.Rebroadcast((0, False))(_m), M),
    "ScalarFromTensor": (lambda: T.ScalarFromTensor()(_s), 5), "TensorFromScalar": (lambda: T.tensor_from_scalar(_s), 5),
    "Eye": (lambda: T.Eye("float32")(2, 3, 1), np.eye(2, 3, 1)), "Tri": (lambda: T.Tri("int8")(2, 3, 0), np.tri(2, 3)),
    "ARange": (lambda: T.ARange("int64")(0, 4, 2), [0, 2]),
    "ExtractDiag": (lambda: T.ExtractDiag(1)(_m), M.diagonal(1)), "AllocDiag": (lambda: T.AllocDiag()(_x), np.diag(V)),
    "Dot": (lambda: T.Dot()(_m, _x), M @ V), "BatchedDot": (lambda: KINDS["BatchedDot"]()(_m, _m), (M * M).sum(1)),
    "Choose": (lambda: T.Choose("raise")([0, 1, 0], _m), [3.0, 4.0, 2.0]),
    "Nonzero": (lambda: T.Nonzero()(_x > 1)[0], [0, 2]),
    "PermuteRowElements": (lambda: T.PermuteRowElements()(_x, [2, 0, 1], False), V[[2, 0, 1]]),
    "AdvancedSubtensor1": (lambda: T.AdvancedSubtensor1()(_m, [1, 0]), M[[1, 0]]),
    "AdvancedSubtensor": (lambda: T.AdvancedSubtensor()(_m, [1, 0], [0, 2]), M[[1, 0], [0, 2]]),
    "AdvancedBooleanSubtensor": (lambda: T.AdvancedBooleanSubtensor()(_x, _x > 1), V[V > 1]),
    "AdvancedIncSubtensor1": (lambda: T.AdvancedIncSubtensor1()(_x, 1, [0, 0]), [5, 1, 2]),
    "AdvancedIncSubtensor": (lambda: T.AdvancedIncSubtensor(False, True)(_m, 0, [0], [1]), M * (M != 1)),
    "AdvancedBooleanIncSubtensor": (lambda: T.AdvancedBooleanIncSubtensor()(_x, 1, _x > 1), [4, 1, 3]),
    "SortOp": (lambda: KINDS["SortOp"]("quicksort")(_m, 1), np.sort(M, 1)),
    "ArgSortOp": (lambda: KINDS["ArgSortOp"]("quicksort", None)(_m, 1), np.argsort(M, 1)),
    "TopKOp": (lambda: KINDS["TopKOp"](axis=-1, return_indices=False)(_x, 1), [3]),
    "SearchsortedOp": (lambda: T.extra_ops.SearchsortedOp("right")([1, 2, 3], _x), [3, 1, 2]),
    "RepeatOp": (lambda: T.extra_ops.RepeatOp(axis=1)(_m, 2), np.repeat(M, 2, 1)),
    "CumOp": (lambda: T.extra_ops.CumOp(0, mode="mul")(_m), np.cumprod(M, 0)),
    "CumsumOp": (lambda: T.extra_ops.CumsumOp(axis=0)(_m), np.cumsum(M, 0)),
    "CumprodOp": (lambda: T.extra_ops.CumprodOp()(_m), np.cumprod(M)),
    "DiffOp": (lambda: T.extra_ops.DiffOp(n=1, axis=0)(_m), np.diff(M, 1, 0)),
    "Bartlett": (lambda: T.extra_ops.Bartlett()(5), np.bartlett(5)),
    "Unique": (lambda: T.extra_ops.Unique(True)(_x)[1], [1, 2, 0]),
    "FillDiagonal": (lambda: T.extra_ops.FillDiagonal()(_m, 0), M * [[0, 1, 1], [1, 0, 1]]),
    "FillDiagonalOffset": (lambda: T.extra_ops.FillDiagonalOffset()(_m, 0, 1), M * [[1, 0, 1], [1, 1, 0]]),
    "RavelMultiIndex": (lambda: T.extra_ops.RavelMultiIndex()([1], [2], (2, 3)), [5]),
    "UnravelIndex": (lambda: T.extra_ops.UnravelIndex()([5], (2, 3))[1], [2]),
    "CpuContiguous": (lambda: T.extra_ops.CpuContiguous()(_m.T), M.T),
    "Pool": (lambda: KINDS["Pool"](True)(_m, (2, 2)), POOLED),
    "MaxPoolGrad": (lambda: KINDS["MaxPoolGrad"](True)(_m, POOLED, [[2.0]], (2, 2)),
                    2 * (M == POOLED) * np.pad(np.ones((2, 2)), [(0, n - 2) for n in M.shape])),
    "AveragePoolGrad": (lambda: KINDS["AveragePoolGrad"](True)(_m, [[2.0]], (2, 2)),
                        np.pad(np.full((2, 2), 0.5), [(0, n - 2) for n in M.shape])),
    "Softmax": (lambda: T.nnet.Softmax()(_m), SOFT), "LogSoftmax": (lambda: T.nnet.LogSoftmax()(_m), np.log(SOFT)),
    "SoftmaxWithBias": (lambda: T.nnet.SoftmaxWithBias()(_m, T.zeros(3)), SOFT),
    "CrossentropyCategorical1Hot": (lambda: T.nnet.CrossentropyCategorical1Hot()(T.exp(_m), [0, 1]), [-3, -4]),
    "CrossentropySoftmaxArgmax1HotWithBias": (
        lambda: T.nnet.CrossentropySoftmaxArgmax1HotWithBias()(_m, T.zeros(3), [0, 1])[1], SOFT,
    ),
    "Prepend_scalar_to_each_row": (
        lambda: T.nnet.Prepend_scalar_to_each_row()(_s, _m), np.hstack([np.full((2, 1), 5.0), M]),
    ),
    "Prepend_scalar_constant_to_each_row": (
        lambda: T.nnet.Prepend_scalar_constant_to_each_row(5)(_m), np.hstack([np.full((2, 1), 5.0), M]),
    ),
    "Cholesky": (lambda: T.slinalg.Cholesky(lower=False)(_square), np.linalg.cholesky(SQUARE).T),
    "Solve": (lambda: T.slinalg.Solve("upper_triangular")(T.triu(_square), _x), np.linalg.solve(np.triu(SQUARE), V)),
    "MatrixInverse": (lambda: T.nlinalg.MatrixInverse()(_square), np.linalg.inv(SQUARE)),
    "MatrixPinv": (lambda: T.nlinalg.MatrixPinv()(_m), np.linalg.pinv(M)),
    "Det": (lambda: T.nlinalg.Det()(_square), np.linalg.det(SQUARE)),
    "Eig": (lambda: T.nlinalg.Eig()(_square)[0].sort(), np.linalg.eigvalsh(SQUARE)),
    "Eigh": (lambda: T.nlinalg.Eigh("U")(_square)[0], np.linalg.eigvalsh(SQUARE)),
    "SVD": (lambda: T.nlinalg.SVD(compute_uv=False)(_m), np.linalg.svd(M)[1]),
    "QRFull": (lambda: abs(T.nlinalg.QRFull("reduced")(_m)[1]), abs(np.linalg.qr(M)[1])),
    "QRIncomplete": (lambda: abs(T.nlinalg.QRIncomplete("r")(_m)), abs(np.linalg.qr(M)[1])),
    "lstsq": (lambda: T.nlinalg.lstsq()(_m.T, _x, 1e-9)[0], np.linalg.lstsq(M.T, V, None)[0]),
    "TensorInv": (lambda: T.nlinalg.TensorInv(1)(_square), np.linalg.inv(SQUARE)),
    "TensorSolve": (lambda: T.nlinalg.TensorSolve()(_square, _x), np.linalg.solve(SQUARE, V)),
    "Expm": (lambda: T.slinalg.Expm()(_square * 0), np.eye(3)),
    "Eigvalsh": (lambda: T.slinalg.Eigvalsh()(_square, None), np.linalg.eigvalsh(SQUARE)),
    "IfElse": (lambda: KINDS["IfElse"](2)(1, _m, _x, _m + 1, _x + 1)[1], V),
    "GradClip": (lambda: T.grad(T.sum(theano.gradient.GradClip(-1, 1)(_m) * 9), _m), np.ones((2, 3))),
    "GradScale": (lambda: T.grad(T.sum(theano.gradient.GradScale(3)(_m)), _m), np.full((2, 3), 3.0)),
    "ZeroGrad": (lambda: T.grad(T.sum(theano.gradient.ZeroGrad()(_m)), _m), np.zeros((2, 3))),
    "ConsiderConstant": (lambda: theano.gradient.ConsiderConstant()(_m), M),
    "DisconnectedGrad": (lambda: theano.gradient.DisconnectedGrad()(_m), M),
    "UndefinedGrad": (lambda: theano.gradient.UndefinedGrad()(_m), M),
}  # fmt: skip
ELSEWHERE = {
    "Elemwise", "DimShuffle", "Subtensor", "IncSubtensor", "BaseAdvancedSubtensor", "BaseAdvancedIncSubtensor", "Scan",
    "CholeskyGrad", "EighGrad", "EigvalshGrad", "ExpmGrad",
}  # fmt: skip


def test_every_kind_has_been_called() -> None:
    assert set(MADE) | ELSEWHERE == set(KINDS)


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """The values of what all kinds make, by one function."""
    f = theano.function([_m, _x, _s], {name: make() for name, (make, _) in MADE.items()}, mode="REFERENCE")
    return dict(f(M, V, 5.0))


@pytest.mark.parametrize("name", MADE)
def test_a_kind_makes_a_function(made: dict[str, Any], name: str) -> None:
    np.testing.assert_allclose(made[name], MADE[name][1], rtol=1e-6)


def test_a_kind_refuses_what_means_nothing() -> None:
    for wrong in (
        lambda: KINDS["Sum"](0, "float64", None, 1), lambda: KINDS["Sum"](axes=0), lambda: KINDS["CAReduce"]("add"),
        lambda: KINDS["CAReduce"](theano.scalar.exp), lambda: T.scalar_from_tensor(_x), lambda: T.Elemwise(T.Join),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(NotImplementedError, match="T.grad makes them"):
        T.slinalg.CholeskyGrad()(_m)
    with pytest.raises(ValueError, match="Invalid matrix structure argument 'round'"):
        T.slinalg.Solve("round")
    with pytest.raises(NotImplementedError, match="an index is written"):
        T.Subtensor([0])(_x)
