"""The variables that users hold: operators and methods on top of the public functions of the op table."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.base.errors import in_short
from tensordsl.base.refusals import name_methods
from tensordsl.base.upper import upper
from tensordsl.graph.variables import Constant, Variable
from tensordsl.ops.array import arrange, creation, cumulative, index, masks, reduce, write
from tensordsl.ops.array import shape as shapes
from tensordsl.ops.array import sort as order_of
from tensordsl.ops.linalg import products
from tensordsl.ops.math import comparisons, complexes, elementwise, functions
from tensordsl.ops.math.known_scalars import constant_value
from tensordsl.ops.operands import as_variable, named_dtype

_WITHOUT_TRUTH = frozenset(
    (comparisons.EQ, comparisons.NEQ, comparisons.LT, comparisons.LE, comparisons.GT, comparisons.GE)
)


def _no_value(variable: Any) -> Any:
    raise TypeError(
        f"{variable!r} is symbolic and has no value yet: compute it in a function or by x.eval(...); what Python must "
        "know while the graph is built (the length of a loop, a shape) is a number of your own"
    )


class TensorOperators:
    """Operators, methods and properties that read nothing but the variable itself."""

    __slots__ = ()
    type: Any
    owner: Any
    __array_priority__ = 1000  # for array-likes that know no __array_ufunc__

    # fmt: off
    # arithmetic
    def __add__(self, other: Any) -> Any: return elementwise.add(self, other)
    def __radd__(self, other: Any) -> Any: return elementwise.add(other, self)
    def __sub__(self, other: Any) -> Any: return elementwise.sub(self, other)
    def __rsub__(self, other: Any) -> Any: return elementwise.sub(other, self)
    def __mul__(self, other: Any) -> Any: return elementwise.mul(self, other)
    def __rmul__(self, other: Any) -> Any: return elementwise.mul(other, self)
    def __truediv__(self, other: Any) -> Any: return elementwise.true_div(self, other)
    def __rtruediv__(self, other: Any) -> Any: return elementwise.true_div(other, self)
    def __floordiv__(self, other: Any) -> Any: return elementwise.int_div(self, other)
    def __rfloordiv__(self, other: Any) -> Any: return elementwise.int_div(other, self)
    def __mod__(self, other: Any) -> Any: return elementwise.mod(self, other)
    def __rmod__(self, other: Any) -> Any: return elementwise.mod(other, self)
    def __divmod__(self, other: Any) -> Any: return elementwise.divmod(self, other)
    def __rdivmod__(self, other: Any) -> Any: return elementwise.divmod(other, self)
    def __pow__(self, other: Any) -> Any: return elementwise.pow(self, other)
    def __rpow__(self, other: Any) -> Any: return elementwise.pow(other, self)
    def __matmul__(self, other: Any) -> Any: return products.matmul(self, other)
    def __rmatmul__(self, other: Any) -> Any: return products.matmul(other, self)
    def __neg__(self) -> Any: return elementwise.neg(self)
    def __pos__(self) -> Any: return self
    def __abs__(self) -> Any: return elementwise.abs_(self)

    # logic and comparisons; == and != compare identity
    def __and__(self, other: Any) -> Any: return comparisons.and_(self, other)
    def __rand__(self, other: Any) -> Any: return comparisons.and_(other, self)
    def __or__(self, other: Any) -> Any: return comparisons.or_(self, other)
    def __ror__(self, other: Any) -> Any: return comparisons.or_(other, self)
    def __xor__(self, other: Any) -> Any: return comparisons.xor(self, other)
    def __rxor__(self, other: Any) -> Any: return comparisons.xor(other, self)
    def __lshift__(self, other: Any) -> Any: return comparisons.left_shift(self, other)
    def __rlshift__(self, other: Any) -> Any: return comparisons.left_shift(other, self)
    def __rshift__(self, other: Any) -> Any: return comparisons.right_shift(self, other)
    def __rrshift__(self, other: Any) -> Any: return comparisons.right_shift(other, self)
    def __invert__(self) -> Any: return comparisons.invert(self)
    def __lt__(self, other: Any) -> Any: return comparisons.lt(self, other)
    def __le__(self, other: Any) -> Any: return comparisons.le(self, other)
    def __gt__(self, other: Any) -> Any: return comparisons.gt(self, other)
    def __ge__(self, other: Any) -> Any: return comparisons.ge(self, other)

    # fmt: on
    def __bool__(self) -> bool:
        """True, so that `if variable:` tells a variable from None; what is computed, of dtype bool, has no truth yet.

        `config.symbolic_truth = "theano"`: comparisons alone have none.
        """
        owner = self.owner
        if owner is None or (self.type.dtype != "bool" and owner.row not in _WITHOUT_TRUTH):
            return True
        if owner.row not in _WITHOUT_TRUTH and config.symbolic_truth == "theano":
            return True
        raise TypeError(
            "Variables do not support boolean operations.\n"
            "  hint: T.switch or ifelse choose by a symbolic condition; T.and_ and T.or_ combine two, T.invert is "
            "`not`; Assert checks values at run time; `is None` tells a variable from None"
        )

    # containers
    def __getitem__(self, key: Any) -> Any:
        return index.getitem(self, key)

    def __iter__(self) -> Iterator[Any]:
        ndim = self.type.ndim
        if ndim == 0:
            raise TypeError(f"iteration over a 0-d tensor: {self!r}")
        scalars = shapes.vector_parts(self) if ndim == 1 else None
        if scalars is not None:
            return iter(scalars)
        length = self.type.shape[0]
        if length is None:
            raise ValueError(
                f"length not known: {self!r} ({self.type}); loop over indices (for k in range(10): x[k]), or "
                "declare the length (shape=)"
            )
        return iter([self[k] for k in range(length)])

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError(
            f"{type(self).__name__!r} object does not support item assignment: T.set_subtensor(x[index], value) "
            "makes a new variable; for state, updates=[(w, T.set_subtensor(w[index], value))]"
        )

    def __contains__(self, item: Any) -> bool:
        raise TypeError(f"the elements of {self!r} are not known before run time; use T.any(T.eq(x, value))")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        """`numpy.exp(x)`, `array + x` and `numpy.add.reduce(x)` build a graph."""
        from tensordsl.tensor.dispatch import call_ufunc  # late: programs that never do this need no table

        return call_ufunc(ufunc, method, inputs, keywords)

    def __array_function__(self, function: Any, types: Any, inputs: Any, keywords: Any) -> Any:
        """`numpy.dot(x, y)` builds a graph; without this, NumPy would take variables for scalars and multiply them."""
        from tensordsl.tensor.dispatch import call_function  # late, as above

        return call_function(function, inputs, keywords)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The module with the names of the Python array API standard: `tensordsl.tensor`."""
        import tensordsl.tensor  # late: it imports this module

        return tensordsl.tensor

    # numbers
    __int__ = __float__ = __complex__ = __index__ = _no_value

    # fmt: off
    # properties
    @property
    def ndim(self) -> int: return int(self.type.ndim)
    @property
    def dtype(self) -> str: return str(self.type.dtype)
    @property
    def broadcastable(self) -> tuple[bool, ...]: return tuple(self.type.broadcastable)
    @property
    def shape(self) -> Any: return shapes.shape(self)
    @property
    def size(self) -> Any: return shapes.size(self)
    @property
    def T(self) -> Any: return shapes.transpose(self)  # noqa: N802
    @property
    def mT(self) -> Any: return shapes.swapaxes(self, -1, -2)  # noqa: N802
    @property
    def at(self) -> Any: return write.At(self)
    @property
    def real(self) -> Any: return complexes.real(self)
    @property
    def imag(self) -> Any: return complexes.imag(self)

    # fmt: on
    # shapes
    def reshape(
        self, *dims: Any, ndim: int | None = None, shape: Any = None, newshape: Any = None, order: str = "C"
    ) -> Any:
        """`x.reshape((2, 3))`, `x.reshape(2, 3)` or `x.reshape(vector, ndim=2)`; also with the shape as keyword."""
        if order != "C":
            raise NotImplementedError(
                f"reshape: order={order!r} is not supported, only 'C'; transpose before and after"
            )
        named = shape if newshape is None else newshape
        if dims and named is not None:
            raise TypeError("reshape: the shape was given twice")
        wanted = named if not dims else dims[0] if len(dims) == 1 else dims
        if len(dims) == 2 and ndim is None and not isinstance(dims[0], (int, np.integer)) and _is_sequence(dims[0]):
            wanted, ndim = dims
        return shapes.reshape(self, wanted, ndim)

    # fmt: off
    def flatten(self, ndim: int = 1) -> Any: return shapes.flatten(self, ndim)
    def ravel(self) -> Any: return shapes.flatten(self)
    def dimshuffle(self, *order: Any) -> Any: return shapes.dimshuffle(self, *order)
    def squeeze(self, axis: Any = None) -> Any: return shapes.squeeze(self, axis)
    def swapaxes(self, axis1: int, axis2: int) -> Any: return shapes.swapaxes(self, axis1, axis2)
    def repeat(self, repeats: Any, axis: int | None = None) -> Any: return arrange.repeat(self, repeats, axis)
    def cumsum(self, axis: int | None = None, dtype: Any = None) -> Any: return cumulative.cumsum(self, axis, dtype)
    def cumprod(self, axis: int | None = None, dtype: Any = None) -> Any: return cumulative.cumprod(self, axis, dtype)
    def nonzero(self, return_matrix: bool = False) -> Any: return masks.nonzero(self, return_matrix)
    def nonzero_values(self) -> Any: return masks.nonzero_values(self)
    def compress(self, a: Any, axis: int | None = None) -> Any: return masks.compress(a, self, axis)
    def trace(self) -> Any: return index.trace(self)
    def set(self, y: Any) -> Any: return write.set_subtensor(self, y)
    def inc(self, y: Any) -> Any: return write.inc_subtensor(self, y)
    def fill(self, value: Any) -> Any: return elementwise.fill(self, value)

    # fmt: on
    def sort(self, axis: int | None = -1, kind: str = "quicksort", order: None = None) -> Any:
        return order_of.sort(self, axis, kind, order)

    def argsort(self, axis: int | None = -1, kind: str = "quicksort", order: None = None) -> Any:
        return order_of.argsort(self, axis, kind, order)

    def searchsorted(self, v: Any, side: str = "left", sorter: Any = None) -> Any:
        return order_of.searchsorted(self, v, side, sorter)

    def take(self, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
        return index.take(self, indices, axis, mode)

    def choose(self, choices: Any, out: None = None, mode: str = "raise") -> Any:
        return index.choose(self, choices, out, mode)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        return index.diagonal(self, offset, axis1, axis2)

    def transpose(self, *axes: Any) -> Any:
        """`x.transpose()`, `x.transpose(1, 0)` or `x.transpose((1, 0))`."""
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            return shapes.transpose(self, axes[0])
        return shapes.transpose(self, axes or None)

    # fmt: off
    # elementwise
    def astype(self, dtype: Any) -> Any: return elementwise.cast(self, dtype)
    def copy(self, name: str | None = None) -> Any: return _named(elementwise.tensor_copy(self), name)
    def clip(self, a_min: Any, a_max: Any) -> Any: return elementwise.clip(self, a_min, a_max)
    def round(self, mode: str = "half_to_even") -> Any: return elementwise.round(self, mode)
    def conj(self) -> Any: return complexes.conj(self)
    def conjugate(self) -> Any: return complexes.conj(self)
    def __floor__(self) -> Any: return elementwise.floor(self)
    def __ceil__(self) -> Any: return elementwise.ceil(self)
    def __trunc__(self) -> Any: return elementwise.trunc(self)
    def zeros_like(self, dtype: str | None = None) -> Any: return creation.zeros_like(self, dtype)
    def ones_like(self, dtype: str | None = None) -> Any: return creation.ones_like(self, dtype)

    # reductions
    def dot(self, other: Any) -> Any: return products.dot(self, other)
    def any(self, axis: Any = None, keepdims: bool = False) -> Any: return reduce.any(self, axis, keepdims)
    def all(self, axis: Any = None, keepdims: bool = False) -> Any: return reduce.all(self, axis, keepdims)
    def max(self, axis: Any = None, keepdims: bool = False) -> Any: return reduce.max(self, axis, keepdims)
    def min(self, axis: Any = None, keepdims: bool = False) -> Any: return reduce.min(self, axis, keepdims)
    def argmax(self, axis: Any = None, keepdims: bool = False) -> Any: return reduce.argmax(self, axis, keepdims)
    def argmin(self, axis: Any = None, keepdims: bool = False) -> Any: return reduce.argmin(self, axis, keepdims)
    def ptp(self, axis: Any = None) -> Any: return reduce.ptp(self, axis)
    def norm(self, L: Any, axis: Any = None, keepdims: bool = False) -> Any: return reduce.norm(self, L, axis, keepdims)

    # fmt: on
    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None) -> Any:
        return reduce.sum(self, axis, dtype, keepdims, acc_dtype)

    def prod(self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None) -> Any:
        return reduce.prod(self, axis, dtype, keepdims, acc_dtype)

    def mean(self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None) -> Any:
        return reduce.mean(self, axis, dtype, keepdims, acc_dtype)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False) -> Any:
        return reduce.var(self, axis, ddof, keepdims, corrected)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False) -> Any:
        return reduce.std(self, axis, ddof, keepdims, corrected)

    def get_scalar_constant_value(self) -> Any:
        """`T.get_scalar_constant_value` of it.

        >>> from tensordsl.tensor import constant
        >>> int(constant(3).get_scalar_constant_value())
        3
        """
        return constant_value(self)


def _real_method(name: str) -> Any:
    function = getattr(elementwise, name, None) or getattr(functions, name)

    def method(self: Any) -> Any:
        return function(self)

    method.__name__, method.__doc__ = name, f"`T.{name}(x)`."
    return method


# `x.exp()` and the like.
for _name in (
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "ceil", "cos", "cosh", "deg2rad", "exp", "exp2",
    "expm1", "floor", "log", "log10", "log1p", "log2", "rad2deg", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
):  # fmt: skip
    setattr(TensorOperators, _name, _real_method(_name))


name_methods(TensorOperators)


def _named(variable: Any, name: str | None) -> Any:
    variable.name = name
    return variable


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (tuple, list, np.ndarray)) or (isinstance(value, Variable) and value.type.ndim == 1)


class TensorVariable(TensorOperators, Variable):
    """A symbolic tensor.  Its type says dtype and rank; its value exists when a compiled function runs."""

    __slots__ = ()

    def clone(self) -> Any:
        """A variable of the same type, name and tag that is computed from nothing.

        >>> from tensordsl.tensor import scalar
        >>> (scalar("x") + 1).clone().owner is None
        True
        """
        made = self.type(self.name)
        made.tag = copy(self.tag)
        return made

    def equals(self, other: Any) -> bool:
        """Whether it is the same variable.

        >>> from tensordsl.tensor import scalar
        >>> scalar("x").equals(scalar("x"))
        False
        """
        return self is other

    def get_parents(self) -> list[Any]:
        """The application that makes it, in a list; an empty list if there is none.

        >>> from tensordsl.tensor import scalar
        >>> scalar("x").get_parents()
        []
        """
        return [] if self.owner is None else [self.owner]

    def eval(self, inputs_to_values: Any = None) -> Any:
        """The value for the given {variable: value}; the compiled function is kept for the next call.

        >>> from tensordsl.tensor import scalar
        >>> x = scalar("x")
        >>> (x**2).eval({x: 3})
        array(9.)
        """

        try:
            return upper("evaluate")(self, inputs_to_values)
        except Exception as error:
            raise in_short(error) from error.__cause__


_tensor_py_operators = TensorOperators  # Theano's name


class TensorConstant(TensorOperators, Constant):
    """A tensor whose value is known: `data`, a read-only array."""

    __slots__ = ()

    @property
    def value(self) -> Any:
        return self.data

    def eval(self, inputs_to_values: Any = None) -> Any:
        """The value itself."""
        return self.data.copy()

    def signature(self) -> tuple[Any, bytes]:
        """What constants of one type and value have in common: equal, and a key of dictionaries."""
        return self.type, self.data.tobytes()

    def equals(self, other: Any) -> bool:
        """Whether `other`, a constant, an array or a number, has the same dtype, axes and value.

        >>> from tensordsl.tensor import constant
        >>> constant(2.0).equals(2.0), constant(2.0).equals(constant(2))
        (True, False)
        """
        if not isinstance(other, Variable | np.ndarray | np.generic | int | float | complex):
            return False
        found = as_variable(other)
        return isinstance(found, TensorConstant) and found.signature() == self.signature()

    def __repr__(self) -> str:
        """`TensorConstant{2}`; `TensorConstant{(2,) of 2}` where all elements are equal."""
        if self.name:
            return self.name
        data = self.data
        flat = data.ravel()
        if data.ndim and data.size and (flat == flat[0]).all():
            text = f"{data.shape} of {flat[0]}"
        else:
            text = str(data)
        return f"TensorConstant{{{text if len(text) <= 20 else text[:10] + '..' + text[-10:]}}}"


def as_tensor_variable(
    x: Any, name: str | None = None, ndim: int | None = None, dtype: Any = None
) -> Any:  # fmt: skip
    """x, an array, number, list or variable, as a variable; see `tensordsl.ops.operands.as_variable`.

    dtype: what a value becomes, as by `numpy.asarray(x, dtype)`; a variable must have it already, else TypeError.

    >>> as_tensor_variable([[1, 2], [3, 4]]).type
    TensorType(int64, shape=(2, 2))
    """
    if dtype is None:
        return as_variable(x, name, ndim)
    dtype = named_dtype(dtype, "as_tensor_variable")
    if not isinstance(x, Variable) and not _holds_variables(x):
        return as_variable(np.asarray(x, dtype=dtype), name, ndim)
    made = as_variable(x, name, ndim)
    if made.type.dtype != dtype:
        raise TypeError(f"as_tensor_variable: got {made.type}, wanted dtype {dtype}: T.cast(x, {dtype!r}) converts")
    return made


def _holds_variables(x: Any) -> bool:
    """Whether a nested sequence has a variable in it."""
    waiting = [x]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Variable):
            return True
        if isinstance(part, list | tuple):
            waiting += part
    return False
