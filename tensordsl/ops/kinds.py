"""Theano's classes of ops, as kinds of rows: `isinstance(v.owner.op, T.Elemwise)`, `T.nnet.Softmax()(x)`.

Here an op is a row and not an object of a class of its own; what programs ask of the classes is answered all the same.
`KINDS` is the table; `tensordsl.graph.theano_forms` says which class a row, or a use of one, counts as.  What is
composed of other ops here (`T.split` of slices) is of no kind by itself: its kind holds no op, and only makes
functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import update_wrapper
from importlib import import_module
from inspect import Parameter as Argument
from inspect import isfunction, signature
from typing import Any

import numpy as np

from tensordsl.graph.theano_forms import class_of, is_elemwise, scalar_name
from tensordsl.graph.variables import Elementwise, Op, OpView
from tensordsl.ops.operands import as_variable

Function = Callable[..., Any]


class OpKind:
    """Rows that Theano has as one class.  `isinstance(op, kind)`; a call gives a function of variables.

    >>> x = as_variable([1.0, 2.0])
    >>> isinstance((x + x).owner.op, KINDS["Elemwise"]), isinstance((x + x).owner.op, KINDS["DimShuffle"])
    (True, False)
    """

    def __init__(
        self, name: str, members: Iterable[str], make: Callable[..., Function],
        methods: Mapping[str, Function] | None = None,
    ) -> None:  # fmt: skip
        """methods: those of Theano's class that are called without an instance."""
        self.__name__, self._members, self._make = name, frozenset(members), make
        vars(self).update(methods or {})

    def __call__(self, *arguments: Any, **keywords: Any) -> KindOp:
        try:
            function = self._make(*arguments, **keywords)
            return KindOp(self, function, _named(self._make, arguments, keywords))
        except (TypeError, ValueError, NotImplementedError) as error:
            if self.__name__ not in str(error):
                error.args = (f"{self.__name__}: {error}",)
            raise

    def __instancecheck__(self, op: Any) -> bool:
        return (isinstance(op, Op) and class_of(op) in self._members) or getattr(op, "kind", None) is self

    def __repr__(self) -> str:
        return f"<kind of ops {self.__name__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return kind, (self.__name__,)


class KindOp:
    """An op that a program makes of a kind, `T.extra_ops.Unique(True)`: a call gives its results, several as a list.

    Its parameters are attributes; it equals others of the same kind and parameters.
    """

    __slots__ = ("kind", "function", "parameters")

    def __init__(self, kind: OpKind, function: Function, parameters: dict[str, Any]) -> None:
        self.kind, self.function, self.parameters = kind, function, parameters

    def __call__(self, *operands: Any, **keywords: Any) -> Any:
        found = self.function(*operands, **keywords)
        return list(found) if isinstance(found, tuple) else found

    def __getattr__(self, name: str) -> Any:
        if name in KindOp.__slots__ or name not in self.parameters:
            raise AttributeError(f"{self.kind.__name__} has no attribute {name!r}")
        return self.parameters[name]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KindOp) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        parts = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.kind.__name__}{{{parts}}}" if parts else self.kind.__name__

    __repr__ = __str__

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_of, (self.kind, self.parameters)


def _made_of(kind: OpKind, parameters: dict[str, Any]) -> KindOp:
    several = parameters.get("*", ())
    return kind(*several, **{name: value for name, value in parameters.items() if name != "*"})


def _named(make: Callable[..., Function], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
    """The parameters of an op by their names, defaults too; those without a name are "*"."""
    path, names = getattr(make, "of", ("", ()))
    if not path:
        bound = signature(make).bind(*arguments, **keywords)
        bound.apply_defaults()
        kinds = signature(make).parameters
        found: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            if kinds[name].kind is Argument.VAR_POSITIONAL:
                found |= {"*": value} if value else {}
            else:
                found |= value if kinds[name].kind is Argument.VAR_KEYWORD else {name: value}
        return found
    given = {**dict(zip(names, arguments, strict=False)), **keywords}
    own = signature(_found(path)).parameters
    return {**{name: own[name].default for name in names if name in own}, **given}


class ScalarKind(OpKind):
    """Theano's class of one scalar operation: `isinstance(op.scalar_op, theano.scalar.Add)`."""

    def __init__(self, name: str, row: Op) -> None:
        super().__init__(name, (), lambda *arguments, **keywords: _function(row))
        self._row = row

    def __instancecheck__(self, op: Any) -> bool:
        return isinstance(op, Op) and op.row is self._row

    def __reduce__(self) -> tuple[Any, ...]:
        return ScalarKind, (self.__name__, self._row)


class OpFunction(OpView):
    """A public function that is an op of Theano's, `T.exp`: a call builds expressions, all else is the op's.

    As Theano's, and other than Python's functions, it is no method where it is an attribute of a class.
    """

    __slots__ = ("function", "__dict__")

    def __init__(self, function: Function, row: Op) -> None:
        super().__init__(row)
        self.function = function
        update_wrapper(self, function)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.function(*arguments, **keywords)

    def __reduce__(self) -> str:  # type: ignore[override]  # a global name, as of functions
        name: str = self.__name__  # type: ignore[attr-defined]  # see update_wrapper
        return name


_FUNCTIONS = frozenset(("cast", "round", "relu"))  # which are functions in Theano, too


def functions_as_ops(namespace: dict[str, Any], *modules: Any) -> None:
    """Let the functions of a module that are ops of Theano's, one row each, be `OpFunction`s.  modules: where the rows
    are."""
    named = {
        name: row
        for module in modules
        for row in module.ROWS
        if is_elemwise(row) or row.name == "broadcast_to"
        for name in {row.name, scalar_name(row), row.print_name} - _FUNCTIONS
    }
    made: dict[Any, OpFunction] = {}
    for name, function in list(namespace.items()):
        row = named.get(function.__name__) if isfunction(function) else None
        if row is not None:
            namespace[name] = made.setdefault(function, OpFunction(function, row))


# -- how kinds make functions ----------------------------------------------------------------------------------------
def _function(row: Op) -> Function:
    def function(*operands: Any) -> Any:
        return row(*map(as_variable, operands))

    function.__name__ = row.name
    return function


def _found(path: str) -> Function:
    """A function or row of `tensordsl.ops`, by module and name."""
    module, _, name = path.rpartition(".")
    found = getattr(import_module(f"tensordsl.ops.{module}"), name)
    return _function(found) if isinstance(found, Op) else found


def _of(path: str, parameters: str = "", star: bool = False) -> Callable[..., Function]:
    """Makes the function with arguments of these names fixed; of those that begin with "-" nothing depends.  star: the
    last operands are one list."""
    names = parameters.split()

    def make(*values: Any, **named: Any) -> Function:
        given = {**{name.lstrip("-"): value for name, value in zip(names, values, strict=False)}, **named}
        unknown = set(given) - {name.lstrip("-") for name in names}
        if len(values) > len(names) or unknown:
            raise TypeError(f"{path}: takes the parameters ({parameters}), got {values} {named}")
        fixed = {name: given[name] for name in names if name in given}
        function = _found(path)
        return lambda *operands: function(*((operands,) if star else operands), **fixed)

    make.of = (path, [name.lstrip("-") for name in names])  # type: ignore[attr-defined]  # read by `_named`
    return make


def _one(path: str) -> Callable[..., Function]:
    """Makes the function, whatever the parameters, such as a name."""
    return lambda *arguments, **keywords: _found(path)


def _made(path: str) -> Callable[..., Function]:
    """Makes what a maker of functions gives."""
    return lambda *arguments, **keywords: _found(path)(*arguments, **keywords)


def _elemwise(scalar_op: Any, inplace_pattern: Any = None, name: str | None = None, **others: Any) -> Function:
    """The elementwise function of a row of `tensordsl.scalar`, or of an operation of one's own; `inplace_pattern` is
    without effect."""
    if hasattr(scalar_op, "elementwise_function") and not isinstance(scalar_op, Op):
        return scalar_op.elementwise_function()  # type: ignore[no-any-return]  # of `custom.scalars`
    if not isinstance(scalar_op, Op) or not isinstance(scalar_op.row.meaning, Elementwise):
        raise TypeError(f"Elemwise: wants an elementwise row of tensordsl.scalar, got {scalar_op!r}")
    return _function(scalar_op.row)


def _dim_shuffle(input_broadcastable: Sequence[bool], new_order: Sequence[Any], inplace: bool = True) -> Function:
    """`dimshuffle` to `new_order` of a tensor with this pattern of axes of length 1."""
    if not isinstance(input_broadcastable, list | tuple) or not all(
        isinstance(b, int | np.bool_) for b in input_broadcastable
    ):
        raise TypeError(f"DimShuffle: wants a list of booleans, got {input_broadcastable!r}")
    pattern = tuple(map(bool, input_broadcastable))

    def function(x: Any) -> Any:
        x = as_variable(x)
        if x.type.broadcastable != pattern:
            raise TypeError(f"DimShuffle: wants the broadcast pattern {pattern}, got {x.type}")
        return _found("array.shape.dimshuffle")(x, tuple(new_order))

    return function


def _rebroadcast(*axes: tuple[int, bool]) -> Function:
    """Each (axis, flag): whether the axis shall broadcast."""

    def function(x: Any) -> Any:
        x = _found("array.shape.addbroadcast")(x, *(axis for axis, flag in axes if flag))
        return _found("array.shape.unbroadcast")(x, *(axis for axis, flag in axes if not flag))

    return function


_REDUCTIONS = {"add": "sum", "mul": "prod", "maximum": "max", "minimum": "min", "and_": "all", "or_": "any"}


def _reduce(scalar_op: Any, axis: Any = None, dtype: Any = None, acc_dtype: Any = None) -> Function:
    """The reduction by a row of `tensordsl.scalar`."""
    name = _REDUCTIONS.get(scalar_op.row.name) if isinstance(scalar_op, Op) else None
    if name is None:
        raise TypeError(f"CAReduce: wants one of {', '.join(_REDUCTIONS)} of tensordsl.scalar, got {scalar_op!r}")
    dtypes = {"dtype": dtype, "acc_dtype": acc_dtype} if name in ("sum", "prod") else {}
    return lambda x: _found(f"array.reduce.{name}")(x, axis, **dtypes)


def _top(
    axis: Any = -1,
    sorted: bool = True,
    idx_dtype: str = "int64",
    return_values: bool = True,
    return_indices: bool = True,
) -> Function:
    name = "topk_and_argtopk" if return_values and return_indices else "topk" if return_values else "argtopk"
    return lambda x, k: _found(f"array.sort.{name}")(x, k, axis, sorted, idx_dtype)


def _write(inplace: bool = False, set_instead_of_inc: bool = False) -> Function:
    write = _found("array.write.set_subtensor" if set_instead_of_inc else "array.write.inc_subtensor")
    return lambda x, y, *index: write(as_variable(x)[index if len(index) > 1 else index[0]], y)


def _if_else(n_outs: int = 1, as_view: bool = False, gpu: bool = False, name: str | None = None) -> Function:
    def function(condition: Any, *branches: Any) -> Any:
        thens, elses = branches[:n_outs], branches[n_outs:]
        return _found("control.ifelse")(condition, *((thens, elses) if n_outs > 1 else (*thens, *elses)), name=name)

    return function


def _loop(*arguments: Any, **keywords: Any) -> Any:
    raise NotImplementedError("a loop is written by tensordsl.scan or tensordsl.loop")


def _indexing(*arguments: Any, **keywords: Any) -> Any:
    raise NotImplementedError("an index is written x[...], a change of a part T.set_subtensor(x[...], y)")


def _read(*arguments: Any, **keywords: Any) -> Function:
    return lambda x, *index: as_variable(x)[index if len(index) > 1 else index[0]]


# -- the table -------------------------------------------------------------------------------------------------------
_WRITES = ("AdvancedIncSubtensor1", "AdvancedIncSubtensor", "AdvancedBooleanIncSubtensor")
# Kinds that hold others than the class of their own name.
_MEMBERS: dict[str, tuple[str, ...]] = {
    "CAReduce": ("Sum", "Prod", "Any", "All"), "CAReduceDtype": ("Sum", "Prod"),
    "BaseAdvancedSubtensor": ("AdvancedSubtensor", "AdvancedBooleanSubtensor"),
    "BaseAdvancedIncSubtensor": ("AdvancedIncSubtensor", "AdvancedBooleanIncSubtensor"),
    "CumsumOp": (), "CumprodOp": (), "QRIncomplete": ("QRFull",),
}  # fmt: skip
_MAKERS: dict[str, Callable[..., Function]] = {
    "Elemwise": _elemwise, "DimShuffle": _dim_shuffle, "Rebroadcast": _rebroadcast,
    "CAReduce": _reduce, "CAReduceDtype": _reduce,
    "Sum": _of("array.reduce.sum", "axis dtype acc_dtype"),
    "Prod": _of("array.reduce.prod", "axis dtype acc_dtype no_zeros_in_input"),
    "All": _of("array.reduce.all", "axis"), "Any": _of("array.reduce.any", "axis"),
    "Mean": _of("array.reduce.mean", "axis"),
    "MaxAndArgmax": _of("array.reduce.max_and_argmax", "axis"), "Argmax": _of("array.reduce.argmax", "axis"),
    "Join": _of("array.shape.join", "-view"), "MakeVector": _of("array.shape.stack", "-dtype", star=True),
    "Split": lambda len_splits: lambda x, axis, sizes: _found("array.arrange.split")(x, sizes, len_splits, axis),
    "Alloc": _of("array.shape.alloc"), "AllocEmpty": _of("array.creation.zeros", "dtype", star=True),
    "Reshape": lambda ndim, name=None: lambda x, shape: _found("array.shape.reshape")(x, shape, ndim),
    "Flatten": _of("array.shape.flatten", "outdim"), "Tile": _of("array.arrange.tile", "ndim"),
    "Shape": _of("array.shape.shape"), "Shape_i": lambda i: lambda x: _found("array.shape.shape_i")(x, i),
    "SpecifyShape": _of("array.arrange.specify_shape"),
    "ScalarFromTensor": _of("array.shape.scalar_from_tensor"),
    "TensorFromScalar": _of("array.shape.tensor_from_scalar"),
    "Eye": _of("array.creation.eye", "dtype"), "Tri": _of("array.grids.tri", "dtype"),
    "ARange": _of("array.creation.arange", "dtype"),
    "ExtractDiag": _of("array.index.diagonal", "offset axis1 axis2 -view"),
    "AllocDiag": _of("array.grids.alloc_diag", "offset axis1 axis2"),
    "Dot": _of("linalg.products.dot"), "BatchedDot": _of("linalg.products.batched_dot"),
    "Choose": _of("array.index.choose", "mode"), "Nonzero": _of("array.masks.nonzero"),
    "PermuteRowElements": _of("array.arrange.permute_row_elements"),
    "Subtensor": _indexing, "IncSubtensor": _indexing,
    **dict.fromkeys(("AdvancedSubtensor1", "AdvancedSubtensor", "AdvancedBooleanSubtensor"), _read),
    "BaseAdvancedSubtensor": _read, "BaseAdvancedIncSubtensor": _write, **dict.fromkeys(_WRITES, _write),
    "SortOp": _of("array.sort.sort", "kind order"), "ArgSortOp": _of("array.sort.argsort", "kind order"),
    "TopKOp": _top,
    "SearchsortedOp": _of("array.sort.searchsorted", "side"), "RepeatOp": _of("array.arrange.repeat", "axis"),
    "CumOp": lambda axis=None, mode="add": (
        lambda x: _found("array.cumulative.cumprod" if mode == "mul" else "array.cumulative.cumsum")(x, axis)
    ),
    "CumsumOp": _of("array.cumulative.cumsum", "axis"), "CumprodOp": _of("array.cumulative.cumprod", "axis"),
    "DiffOp": _of("array.cumulative.diff", "n axis"), "Bartlett": _of("array.cumulative.bartlett"),
    "Unique": _of("array.sort.unique", "return_index return_inverse return_counts axis"),
    "FillDiagonal": _of("array.grids.fill_diagonal"), "FillDiagonalOffset": _of("array.grids.fill_diagonal_offset"),
    "RavelMultiIndex": lambda mode="raise", order="C": (
        lambda *operands: _found("array.arrange.ravel_multi_index")(operands[:-1], operands[-1], mode, order)
    ),
    "UnravelIndex": _of("array.arrange.unravel_index", "order ndim"),
    "CpuContiguous": _of("math.elementwise.tensor_copy"),
    "Softmax": _one("nnet.softmax"), "LogSoftmax": _one("nnet.logsoftmax"),
    "SoftmaxWithBias": _one("nnet.softmax_with_bias"),
    "CrossentropyCategorical1Hot": _one("nnet.crossentropy_categorical_1hot"),
    "CrossentropySoftmaxArgmax1HotWithBias": _one("nnet.crossentropy_softmax_argmax_1hot_with_bias"),
    "Prepend_scalar_to_each_row": _one("nnet.prepend_scalar_to_each_row"),
    "Prepend_scalar_constant_to_each_row": lambda val: lambda x: _found("nnet.prepend_scalar_to_each_row")(val, x),
    "Cholesky": _of("linalg.decompositions.cholesky", "lower on_error"),
    "Solve": _made("linalg.theano_forms.solver"), "MatrixInverse": _of("linalg.inverses.inv"),
    "MatrixPinv": _of("linalg.inverses.pinv"), "Det": _of("linalg.inverses.det"),
    "Eig": _of("linalg.theano_forms.eig"), "Eigh": _of("linalg.theano_forms.eigh", "UPLO"),
    "SVD": _of("linalg.theano_forms.svd", "full_matrices compute_uv"), "QRFull": _of("linalg.theano_forms.qr", "mode"),
    "QRIncomplete": _of("linalg.theano_forms.qr", "mode"), "lstsq": _made("linalg.theano_forms.least_squares"),
    "TensorInv": _of("linalg.inverses.tensorinv", "ind"), "TensorSolve": _of("linalg.systems.tensorsolve", "axes"),
    "Expm": _of("linalg.matrix_functions.expm"), "Eigvalsh": _made("linalg.theano_forms.values_of_pair"),
    **dict.fromkeys(
        ("CholeskyGrad", "EighGrad", "EigvalshGrad", "ExpmGrad"), _made("linalg.theano_forms.no_op_of_gradient")
    ),
    "Pool": lambda ignore_border=False, mode="max", ndim=2, openmp=None: (
        lambda x, ws, stride=None, pad=None: _found("pool.pool")(x, ws, stride, pad, ignore_border, mode, ndim)
    ),
    "MaxPoolGrad": lambda ignore_border, ndim=2, openmp=None: (
        lambda x, maxout, gz, ws, stride=None, pad=None: (
            _found("pool.max_pool_grad")(x, maxout, gz, ws, stride, pad, ignore_border, ndim)
        )
    ),
    "AveragePoolGrad": lambda ignore_border, mode="average_inc_pad", ndim=2, openmp=None: (
        lambda x, gz, ws, stride=None, pad=None, dummy=None: (
            _found("pool.average_pool_grad")(x, gz, ws, stride, pad, ignore_border, mode, ndim)
        )
    ),
    "IfElse": _if_else, "Scan": _loop,
    "ConsiderConstant": _one("control.CONSIDER_CONSTANT"), "DisconnectedGrad": _one("control.DISCONNECTED_GRAD"),
    "ZeroGrad": _one("control.ZERO_GRAD"), "UndefinedGrad": _one("control.UNDEFINED_GRAD"),
    "GradClip": lambda lower, upper: _used_row("GRAD_CLIP", lower=lower, upper=upper),
    "GradScale": lambda multiplier: _used_row("GRAD_SCALE", multiplier=multiplier),
}  # fmt: skip


def _used_row(name: str, **numbers: float) -> Function:
    row: Op = getattr(import_module("tensordsl.ops.control"), name)
    attrs = {key: float(number) for key, number in numbers.items()}
    return lambda x: row(as_variable(x), **attrs)


_METHODS: dict[str, dict[str, Function]] = {
    "Pool": {"out_shape": lambda *arguments, **keywords: _found("pool.pool_shape")(*arguments, **keywords)}
}
KINDS: dict[str, OpKind] = {
    name: OpKind(name, _MEMBERS.get(name, (name,)), make, _METHODS.get(name)) for name, make in _MAKERS.items()
}

# Where Theano has them in packages that have code here; `base.theano_names` has the other places.
PLACES: dict[str, str] = {
    "tensor": (
        "ARange AdvancedBooleanIncSubtensor AdvancedBooleanSubtensor AdvancedIncSubtensor AdvancedIncSubtensor1 "
        "AdvancedSubtensor AdvancedSubtensor1 Alloc AllocDiag AllocEmpty Argmax BaseAdvancedIncSubtensor "
        "BaseAdvancedSubtensor CAReduce Choose DiffOp DimShuffle Dot Elemwise ExtractDiag Eye Flatten IncSubtensor "
        "Join MaxAndArgmax Mean Nonzero PermuteRowElements Rebroadcast Reshape Shape ScalarFromTensor SpecifyShape "
        "Split Subtensor Sum TensorFromScalar Tile Tri"
    ),
    "tensor.nnet": (
        "CrossentropyCategorical1Hot CrossentropySoftmaxArgmax1HotWithBias LogSoftmax Softmax SoftmaxWithBias "
        "Prepend_scalar_constant_to_each_row Prepend_scalar_to_each_row"
    ),
    "gradient": "ConsiderConstant DisconnectedGrad GradClip GradScale UndefinedGrad ZeroGrad",
}


def kinds_at(place: str) -> dict[str, OpKind]:
    """The kinds that Theano has in one of its packages, by name.

    >>> "GradClip" in kinds_at("gradient")
    True
    """
    return {name: KINDS[name] for name in PLACES[place].split()}


def __getattr__(name: str) -> OpKind:
    if name in KINDS:
        return KINDS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def kind(name: str) -> OpKind:
    """The kind of that name."""
    return KINDS[name]


def hashtype(x: Any) -> int:
    """A hash of the class of x, the same in one process.

    >>> hashtype(1) == hashtype(2)
    True
    """
    return hash((type(x).__module__, type(x).__qualname__))
