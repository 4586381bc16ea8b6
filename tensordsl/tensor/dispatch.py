"""NumPy's functions on variables: what `numpy.f(x)`, `numpy.add(x, y)` and `numpy.add.reduce(x)` build.

`FUNCTIONS` has, for each module of NumPy's, its functions by name and the function of `tensordsl.tensor` that each is:
a name there, or that and a dictionary from NumPy's names of arguments to ours.  What needs more is a function of this
module, in `ADAPTERS`.  `UFUNCS` has ufuncs whose name differs; all others are looked up by their own.

Arguments are bound to NumPy's signature, so that they mean what they mean there whatever their place; those that say
nothing (`out=None`, `subok=True`) are dropped, all others that are not known here are refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from tensordsl.graph.types import COMPLEX, CONTINUOUS
from tensordsl.graph.variables import Variable
from tensordsl.ops.array import arrange, masks, reduce
from tensordsl.ops.array import shape as shapes
from tensordsl.ops.composed import series, stacks, statistics
from tensordsl.ops.math import comparisons, complexes, elementwise, functions, ufuncs
from tensordsl.ops.operands import as_variable, constant, named_dtype, normalise_axes

Target = str | tuple[str, Mapping[str, str]]

# NumPy's names for what ours do, where they differ.
UFUNCS = {
    "subtract": "sub", "multiply": "mul", "divide": "true_div", "true_divide": "true_div", "floor_divide": "int_div",
    "remainder": "mod", "power": "pow", "negative": "neg", "absolute": "abs_", "sign": "sgn", "square": "sqr",
    "rint": "round", "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq",
    "not_equal": "neq", "bitwise_and": "and_", "bitwise_or": "or_", "bitwise_xor": "xor", "conjugate": "conj",
    "degrees": "rad2deg", "radians": "deg2rad",
}  # fmt: skip
# What reduces by a ufunc, and what runs by it.
REDUCTIONS = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any",
    "fmax": "nanmax", "fmin": "nanmin", "logaddexp": "logsumexp",
}  # fmt: skip
RUNNING = {"add": "cumsum", "multiply": "cumprod"}
NOTHING = (None, True, False, "K", "C", "unsafe", "same_kind")  # values of arguments that ask for nothing here

_SAME = """all any allclose amax amin append angle argmax argmin argpartition argsort argwhere array_split atleast_1d
    atleast_2d average bartlett bincount block broadcast_arrays broadcast_to choose clip column_stack compress concat
    concatenate convolve corrcoef correlate count_nonzero cov cross cumprod cumsum cumulative_prod cumulative_sum delete
    diag diagflat diagonal digitize dot dsplit dstack ediff1d einsum empty_like expand_dims extract fill_diagonal fix
    flatnonzero flip fliplr flipud full_like geomspace gradient histogram histogram_bin_edges hsplit hstack i0 imag
    inner insert interp intersect1d iscomplex isclose isin isneginf isposinf isreal ix_ kron lexsort linspace logspace
    matrix_transpose max mean median meshgrid min moveaxis nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax
    nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar nonzero ones_like outer pad
    partition percentile permute_dims piecewise poly polyadd polyder polyint polymul polysub polyval prod ptp quantile
    ravel ravel_multi_index real repeat reshape resize roll rollaxis rot90 searchsorted select setdiff1d setxor1d
    shape sinc size
    sort sort_complex squeeze stack std sum swapaxes take take_along_axis tensordot tile trace transpose trapezoid tri
    tril tril_indices tril_indices_from triu triu_indices triu_indices_from union1d unique unravel_index unstack unwrap
    unique_all unique_counts unique_inverse unique_values vander var vdot vsplit vstack where zeros_like result_type
    can_cast ndim copy round diff split around astype iscomplexobj isrealobj""".split()

_LINALG = """cholesky cond det diagonal eig eigh eigvals eigvalsh inv lstsq matmul matrix_norm matrix_power matrix_rank
    matrix_transpose multi_dot norm outer pinv qr slogdet solve svd svdvals tensordot tensorinv tensorsolve trace
    vector_norm""".split()

# For each module of NumPy's its functions.
FUNCTIONS: dict[str, dict[str, Target]] = {
    "numpy": {name: name for name in (*_SAME, "atleast_3d")},
    "numpy.linalg": {**{name: f"linalg.{name}" for name in _LINALG}, "cross": "cross", "vecdot": "vecdot"},
}
# Reductions that take `where=` and `initial=`.
_REDUCING = frozenset("all amax amin any max mean min prod std sum var nansum nanprod nanmax nanmin nanmean".split())


# -- functions -------------------------------------------------------------------------------------------------------
def call_function(function: Any, inputs: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """What `numpy.f(*inputs, **keywords)` is for variables; TypeError, with a sentence, if it is not there."""
    import tensordsl.tensor as ours  # late: it imports the variables, which call this

    module, name = function.__module__, function.__name__
    table = FUNCTIONS.get(module, {})
    if name not in table:
        raise TypeError(
            f"{module}.{name} does not take symbolic variables; look for a function in tensordsl.tensor, or compute "
            "values first (x.eval(...))"
        )
    where = f"{module}.{name}"
    positional, named = bound(function, inputs, keywords)
    _refuse_out(named.pop("out", None), where)
    adapter = ADAPTERS.get(where)
    if adapter is not None:
        return adapter(*positional, **named)
    if module == "numpy" and name in _REDUCING:
        return _reduced(getattr(ours, name), where, positional, named)
    return _called(_of(ours, table[name]), table[name], where, positional, named)


def _of(ours: Any, target: Target) -> Callable[..., Any]:
    found: Any = ours
    for part in (target if isinstance(target, str) else target[0]).split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]  # a public function


def _called(function: Any, target: Target, where: str, positional: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """The function of ours, with the arguments that it has."""
    renamed = {} if isinstance(target, str) else target[1]
    known = _parameters(function)
    given = {renamed.get(key, key): value for key, value in named.items()}
    for key in [key for key in given if key not in known]:
        value = given.pop(key)
        if not _is_nothing(value):
            raise TypeError(f"{where}: the argument {key} is not supported for symbolic variables, got {value!r}")
    return function(*positional, **given)


def _is_nothing(value: Any) -> bool:
    return value is np._NoValue or any(value is one or (isinstance(value, str) and value == one) for one in NOTHING)


def bound(function: Any, inputs: Sequence[Any], keywords: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Arguments of a function of NumPy's: those that it requires in their order, all others by name."""
    signature = _signature(function)
    if signature is None:
        return list(inputs), dict(keywords)
    given = signature.bind(*inputs, **keywords).arguments
    positional, named = [], {}
    for key, value in given.items():
        p = signature.parameters[key]
        if p.kind is p.VAR_POSITIONAL:
            positional += list(value)
        elif p.kind is p.VAR_KEYWORD:
            named.update(value)
        elif p.kind is p.POSITIONAL_ONLY or (p.default is p.empty and p.kind is not p.KEYWORD_ONLY):
            positional.append(value)
        elif value is not np._NoValue:
            named[key] = value
    return positional, named


@cache
def _signature(function: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


@cache
def _parameters(function: Any) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)


def _refuse_out(out: Any, where: str) -> None:
    if isinstance(out, tuple) and all(o is None for o in out):
        return
    if out is not None:
        raise TypeError(
            f"{where}: out= cannot be used with symbolic variables, which have no memory to write to; use the result "
            "(the compiler computes in place where it can; updates= of a function write to shared variables)"
        )


# -- reductions of a part --------------------------------------------------------------------------------------------
_NEUTRAL: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("sum", "nansum"), lambda dtype: 0),
    **dict.fromkeys(("prod", "nanprod"), lambda dtype: 1),
    "all": lambda dtype: 1,
    "any": lambda dtype: 0,
}


def _reduced(function: Any, where: str, positional: Sequence[Any], named: dict[str, Any]) -> Any:
    """A reduction; `where=` leaves elements out, `initial=` counts as one more."""
    mask, initial = named.pop("where", True), named.pop("initial", None)
    name = {"amax": "max", "amin": "min"}.get(where.rpartition(".")[2], where.rpartition(".")[2])
    ddof = named.pop("correction", None)
    if ddof is not None:
        named["ddof"] = ddof
    if named.pop("mean", None) is not None:
        raise TypeError(f"{where}: the argument mean is not supported for symbolic variables")
    x, *rest = positional
    if mask is True and initial is None:
        return _dtyped(function, name, where, [x, *rest], named)
    x = as_variable(x)
    if mask is not True:
        mask = shapes.broadcast_to(_truth(mask), shapes.shape_tuple(x)) if x.type.ndim else _truth(mask)
        if name in ("mean", "nanmean", "std", "var"):
            return _of_part(name, x, mask, named, where)
        if name in ("max", "min", "nanmax", "nanmin") and initial is None:
            raise ValueError(f"{where}: where= wants initial= too: there may be no element")
        neutral = initial if name not in _NEUTRAL else _NEUTRAL[name](x.type.dtype)
        x = elementwise.switch(mask, x, elementwise.cast(as_variable(neutral), x.type.dtype))
    if initial is None:
        return _dtyped(function, name, where, [x, *rest], named)
    if name in ("max", "min"):
        axes = normalise_axes(named.get("axis"), x.type.ndim, name)
        first = elementwise.cast(as_variable(initial), x.type.dtype)
        if axes:  # so that there is an element
            dims = shapes.shape_tuple(x)
            k = axes[0]
            more = shapes.broadcast_to(first, (*dims[:k], 1, *dims[k + 1 :]))
            x = shapes.concatenate([x, more], k)
        return _dtyped(function, name, where, [x, *rest], named)
    result = _dtyped(function, name, where, [x, *rest], named)
    combine = {"sum": elementwise.add, "nansum": elementwise.add, "prod": elementwise.mul, "nanprod": elementwise.mul}
    if name not in combine:
        raise TypeError(f"{where}: the argument initial is not supported for symbolic variables")
    return combine[name](result, elementwise.cast(as_variable(initial), result.type.dtype))


def _truth(mask: Any) -> Any:
    mask = as_variable(mask)
    return mask if mask.type.dtype == "bool" else comparisons.neq(mask, 0)


def _dtyped(function: Any, name: str, where: str, positional: Sequence[Any], named: dict[str, Any]) -> Any:
    if name in ("std", "var") and named.get("dtype") is not None:
        positional = [elementwise.cast(as_variable(positional[0]), named_dtype(named["dtype"])), *positional[1:]]
    if name in ("std", "var"):
        named.pop("dtype", None)
    return _called(function, name, where, positional, named)


def _of_part(name: str, x: Any, mask: Any, named: dict[str, Any], where: str) -> Any:
    """A mean or variance of the elements where the mask is true: of those that are not nan, nan elsewhere."""
    x = elementwise.cast(x, "float64") if x.type.dtype not in CONTINUOUS else x
    axis, keepdims = named.get("axis"), bool(named.get("keepdims", False))
    zero = constant(np.asarray(0, x.type.dtype))
    count = reduce.sum(elementwise.cast(mask, "int64"), axis, keepdims=True)

    def mean(v: Any, n: Any) -> Any:
        total = reduce.sum(elementwise.switch(mask, v, zero), axis, keepdims=True)
        return total / elementwise.cast(n, total.type.dtype)

    if name == "nanmean":
        nan = constant(np.asarray(np.nan, x.type.dtype))
        return statistics.nanmean(elementwise.switch(mask, x, nan), axis, None, keepdims)
    result = mean(x, count)
    if name != "mean":
        rest = count - as_variable(named.get("ddof", 0))
        rest = elementwise.switch(comparisons.le(rest, 0), 0, rest)
        result = mean(reduce._squares(x - result), rest)
        result = elementwise.sqrt(result) if name == "std" else result
    if keepdims:
        return result
    axes = normalise_axes(axis, x.type.ndim, name)
    return shapes.dimshuffle(result, tuple(k for k in range(x.type.ndim) if k not in axes))


# -- adapters: where a function of ours has another signature ----------------------------------------------------------
def _round(a: Any, decimals: int = 0) -> Any:
    return ufuncs.around(a, decimals)


def _copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    return elementwise.tensor_copy(a)


def _ravel(a: Any, order: str = "C") -> Any:
    if order not in ("C", "K", "A"):
        raise NotImplementedError(f"numpy.ravel: order={order!r} is not supported, only 'C'; transpose before")
    x = as_variable(a)
    return shapes.flatten(x) if x.type.ndim else shapes.dimshuffle(x, ("x",))


def _reshape(a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None) -> Any:  # noqa: F811
    wanted = newshape if shape is None else shape
    return as_variable(a).reshape(wanted, order=order)


def _atleast(n: int) -> Callable[..., Any]:
    def function(*arys: Any) -> Any:
        found = [_three(as_variable(a)) if n == 3 else _axes(as_variable(a), n) for a in arys]
        return found[0] if len(found) == 1 else tuple(found)

    return function


def _axes(x: Any, n: int) -> Any:
    return shapes.shape_padleft(x, n - x.type.ndim) if x.type.ndim < n else x


def _three(x: Any) -> Any:
    """NumPy's: vectors get an axis on both sides, matrices one behind."""
    if x.type.ndim == 1:
        return shapes.dimshuffle(x, ("x", 0, "x"))
    return shapes.shape_padright(x, 3 - x.type.ndim) if x.type.ndim < 3 else x


def _take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        arr, axis = _ravel(arr), 0
    return arrange.take_along_axis(arr, indices, axis)


def _where(condition: Any, *choices: Any) -> Any:
    return elementwise.switch(condition, *choices) if choices else masks.nonzero(condition)


def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> Any:
    raise TypeError("numpy.fill_diagonal writes into its argument, which is a variable: use T.fill_diagonal(x, value)")


def _ndim(a: Any) -> int:
    return int(as_variable(a).type.ndim)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None, **others: Any) -> Any:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    x = as_variable(a)
    if low is not None and high is not None:
        return elementwise.clip(x, low, high)
    x = x if low is None else elementwise.maximum(x, low)
    return x if high is None else elementwise.minimum(x, high)


def _unravel_index(indices: Any, shape: Any, order: str = "C") -> Any:
    return arrange.unravel_index(indices, shape, order)


def _joined(name: str) -> Callable[..., Any]:
    def function(arrays: Any, axis: Any = 0, *, dtype: Any = None, casting: str = "same_kind") -> Any:
        parts: list[Any] = list(map(as_variable, arrays))
        if axis is None:
            parts, axis = [_ravel(a) for a in parts], 0
        made: Any = shapes.stack(parts, axis=axis) if name == "stack" else shapes.concatenate(parts, axis)
        return made if dtype is None else elementwise.cast(made, named_dtype(dtype))

    return function


def _size(a: Any, axis: Any = None) -> Any:
    x = as_variable(a)
    return shapes.size(x) if axis is None else reduce.size_over(x, normalise_axes(axis, x.type.ndim, "size"))


def _angle(z: Any, deg: bool = False) -> Any:
    found = complexes.angle(z)
    return functions.rad2deg(found) if deg else found


def _is_complex(x: Any) -> bool:
    return as_variable(x).type.dtype in COMPLEX


def _is_real(x: Any) -> bool:
    return not _is_complex(x)


ADAPTERS: dict[str, Callable[..., Any]] = {
    "numpy.round": _round, "numpy.around": _round, "numpy.copy": _copy, "numpy.ravel": _ravel,
    "numpy.reshape": _reshape, "numpy.ndim": _ndim, "numpy.atleast_1d": _atleast(1), "numpy.atleast_2d": _atleast(2),
    "numpy.atleast_3d": _atleast(3), "numpy.take_along_axis": _take_along_axis, "numpy.where": _where,
    "numpy.fill_diagonal": _fill_diagonal, "numpy.clip": _clip, "numpy.diff": series.differences,
    **{f"numpy.{name}": _joined(name) for name in ("concatenate", "concat", "stack")},
    "numpy.size": _size, "numpy.angle": _angle, "numpy.iscomplexobj": _is_complex, "numpy.isrealobj": _is_real,
    "numpy.split": stacks.split_evenly, "numpy.unravel_index": _unravel_index,
}  # fmt: skip


# -- ufuncs ----------------------------------------------------------------------------------------------------------
def call_ufunc(ufunc: Any, method: str, inputs: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """What a ufunc, or its method, is for variables; NotImplemented if there is none of that name."""
    import tensordsl.tensor as ours  # late: it imports the variables, which call this

    name = ufunc.__name__
    if name == "isnat":
        raise TypeError("numpy.isnat: symbolic variables hold no dates")
    function = getattr(ours, UFUNCS.get(name, name), None)
    if not callable(function):
        return NotImplemented
    where = f"numpy.{name}" + ("" if method == "__call__" else f".{method}")
    named = dict(keywords)
    _refuse_out(named.pop("out", None), where)
    if method == "__call__":
        return _mapped(function, where, inputs, named)
    if method == "outer":
        x, y = (as_variable(v) for v in inputs)
        return _mapped(function, where, [shapes.shape_padright(x, y.type.ndim) if y.type.ndim else x, y], named)
    table = {"reduce": REDUCTIONS, "accumulate": RUNNING}.get(method)
    if table is None or name not in table:
        hint = {
            "at": "T.inc_subtensor(x[index], y) adds at positions, T.set_subtensor sets them",
            "reduceat": "sum slices, or add at positions with T.inc_subtensor",
        }.get(method, f"there is {', '.join(f'numpy.{n}.{method}' for n in table or ())}")
        raise TypeError(f"{where} does not take symbolic variables: {hint}")
    (x, *rest) = inputs
    for key, value in zip(("axis", "dtype", "out", "keepdims"), rest, strict=False):
        named.setdefault(key, value)
    _refuse_out(named.pop("out", None), where)
    axis = named.pop("axis", 0)
    if method == "reduce":
        return _reduced(getattr(ours, table[name]), f"numpy.{table[name]}", [x], {"axis": axis, **named})
    return _called(getattr(ours, table[name]), table[name], where, [x], {"axis": axis, **named})


def _mapped(function: Any, where: str, inputs: Sequence[Any], named: dict[str, Any]) -> Any:
    """The function, its operands in `dtype=` if that is given."""
    dtype = named.pop("dtype", None)
    if named.get("where", True) is not True:
        raise TypeError(
            f"{where}: where= would leave the other elements undefined; T.switch(condition, x, y) says what they are"
        )
    axes = {key: named.pop(key) for key in ("axis",) if key in named and key in _parameters(function)}
    for key in list(named):
        if not _is_nothing(named.pop(key)) and key not in ("casting", "order"):
            raise TypeError(f"{where}: the argument {key} is not supported for symbolic variables")
    if dtype is None:
        return function(*inputs, **axes)
    wanted = named_dtype(dtype)
    made = function(*(elementwise.cast(as_variable(v), wanted) for v in inputs), **axes)
    several = made if isinstance(made, tuple) else (made,)
    if any(v.type.dtype == "bool" != wanted for v in several if isinstance(v, Variable)):
        raise TypeError(f"{where}: dtype={wanted} does not fit a result of bools")
    cast_to = tuple(elementwise.cast(v, wanted) for v in several)
    return cast_to if isinstance(made, tuple) else cast_to[0]
