"""Symbolic derivatives: gradients, Jacobians, Hessians, products with them, and the numeric check of all of these."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tensordsl.autodiff.forward import goes_forward, tangents
from tensordsl.autodiff.reverse import cotangents, over
from tensordsl.autodiff.stable_cost import cotangents_of, derived
from tensordsl.base.errors import RankError, flag, pairs_of
from tensordsl.base.records import record
from tensordsl.base.upper import upper
from tensordsl.graph.substitute import substitute
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Variable, apply
from tensordsl.ops.control import (
    CONSIDER_CONSTANT,
    DISCONNECTED_GRAD,
    GRAD_CLIP,
    GRAD_SCALE,
    UNDEFINED_GRAD,
    ZERO_GRAD,
    loop_index,
    make_loop,
    parameter_like,
)
from tensordsl.ops.cotangents import ZERO, Undefined, cotangent_dtype, ones_like, zeros_like
from tensordsl.ops.kinds import kinds_at
from tensordsl.ops.operands import as_variable

__all__ = [
    "DisconnectedInputError", "DisconnectedType", "GradientError", "Lop", "NullType", "NullTypeGradError", "Rop",
    "consider_constant", "disconnected_grad", "disconnected_type", "grad", "grad_clip", "grad_not_implemented",
    "grad_scale", "grad_undefined", "hessian", "hessian_vector_product", "io_connection_pattern", "jacobian",
    "null_type", "numeric_grad", "pullback", "pushforward", "subgraph_grad", "undefined_grad", "verify_grad",
    "zero_grad",
]  # fmt: skip


class DisconnectedInputError(ValueError):
    """A gradient was asked for with respect to a variable on which the cost does not depend."""


class NullTypeGradError(TypeError):
    """A gradient passes through an op that has none."""


class GradientError(Exception):
    """`verify_grad` found that the symbolic and the numeric gradient differ."""


class _NoValues:
    """What the types of gradients that are none have in common: no value is one of theirs."""

    __slots__ = ()

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        raise ValueError(f"no values may be assigned to a {type(self).__name__}: it marks a gradient that is none")

    def filter_variable(self, other: Any, allow_convert: bool = True) -> Any:
        if getattr(other, "type", None) != self:
            raise TypeError(f"{other!r} is no variable of {self}: it marks a gradient that is none")
        return other

    def is_valid_value(self, a: Any) -> bool:
        return False

    def values_eq(self, a: Any, b: Any, force_same_dtype: bool = True) -> bool:
        raise ValueError(f"{type(self).__name__} has no values to compare")

    def __call__(self, name: str | None = None) -> Variable:
        return Variable(self, name=name)  # type: ignore[arg-type]  # such a variable is a marker, it has no tensor type

    make_variable = __call__

    def __str__(self) -> str:
        return type(self).__name__


@record
class DisconnectedType(_NoValues):
    """The type of the gradient that `return_disconnected="disconnected"` gives: there is none."""

    __str__ = _NoValues.__str__


@record(eq=False)
class NullType(_NoValues):
    """The type of the gradient that `null_gradients="return"` gives: it is undefined, `why_null` says why.

    All are equal, whatever the reason, as Theano's.
    """

    why_null: str = "(no explanation given)"

    def __eq__(self, other: object) -> bool:
        return type(other) is NullType

    def __hash__(self) -> int:
        return hash(NullType)

    __str__ = _NoValues.__str__


null_type = NullType()
disconnected_type = DisconnectedType()


# -- reverse mode ----------------------------------------------------------------------------------------------------
def grad(
    cost: Any,
    wrt: Any,
    consider_constant: Iterable[Any] | None = None,
    disconnected_inputs: str = "raise",
    add_names: bool = True,
    known_grads: Mapping[Any, Any] | None = None,
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
) -> Any:
    """The gradient of a scalar with respect to one or more variables.

    Parameters
    ----------
    cost
        The 0-d variable to differentiate; None if `known_grads` gives where to start.
    wrt
        A variable, or a list or tuple of them.
    consider_constant
        Variables through which nothing is differentiated.
    disconnected_inputs : {"raise", "warn", "ignore"}
        What to do about variables of `wrt` on which the cost does not depend.
    add_names
        Name the results "(dcost/dwrt)" where both have names.
    known_grads
        Gradients that are given, by variable: nothing is computed for them.
    return_disconnected : {"zero", "None", "disconnected"}, in any case
        What stands for the gradient of a disconnected variable.
    null_gradients : {"raise", "return"}
        What to do where the gradient passes through an op that has none.

    Returns
    -------
    A variable, or a list or tuple, as `wrt`: each of the type of its variable (floatX for integers, whose gradient is
    that of the function extended to the reals).

    Raises
    ------
    TypeError
        The cost is no scalar, or `wrt` no variable.
    DisconnectedInputError, NullTypeGradError
        See `disconnected_inputs` and `null_gradients`.

    >>> import tensordsl.tensor as T
    >>> x = T.scalar("x")
    >>> T.grad(x ** 2, x).type
    TensorType(float64, scalar)
    """
    _check_option("disconnected_inputs", disconnected_inputs, ("raise", "warn", "ignore"))
    if isinstance(return_disconnected, str):
        return_disconnected = {"none": "None"}.get(return_disconnected.lower(), return_disconnected.lower())
    _check_option("return_disconnected", return_disconnected, ("zero", "None", "disconnected"))
    _check_option("null_gradients", null_gradients, ("raise", "return"))
    variables = _variables(wrt)
    seeds = [(v, _known_gradient("known_grads", v, g)) for v, g in pairs_of(known_grads, "known_grads")]
    if cost is not None:
        if not isinstance(cost, Variable):
            raise TypeError(f"the cost must be a variable, got {cost!r} of type {type(cost).__name__}")
        if cost.type.ndim != 0:
            raise TypeError(f"cost must be a scalar. It is {cost!r} of type {cost.type}; take its sum() or mean().")
        if cost.type.dtype in COMPLEX:
            raise TypeError(f"cost must be real, got {cost.type}: take its real(), imag() or abs()")
    elif not seeds:
        raise ValueError("grad: give a cost, or where to start in known_grads")
    results = cotangents_of(cost, variables, _variables(consider_constant), seeds)
    name = cost.name if add_names and cost is not None else None
    return _like_wrt(
        wrt,
        [
            _named(_finish(g, v, disconnected_inputs, return_disconnected, null_gradients), v, name)
            for g, v in zip(results, variables, strict=True)
        ],
    )


def _check_option(name: str, value: str, allowed: Iterable[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


def _variables(wrt: Any) -> list[Any]:
    variables = _as_list(wrt)
    for v in variables:
        if not isinstance(v, Variable):
            raise TypeError(f"Expected Variable, got {v!r} of type {type(v).__name__}")
    return variables


def _as_list(value: Any) -> list[Any]:
    """None, one thing, or an iterable of things as a list."""
    if value is None:
        return []
    is_one = isinstance(value, Variable) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0
    return [value] if is_one else list(value)


def _like_wrt(wrt: Any, results: list[Any]) -> Any:
    """`results` as a tuple, a list or a single object, as `wrt` is."""
    if isinstance(wrt, tuple):
        return tuple(results)
    return results[0] if isinstance(wrt, Variable) else results


def format_as(use_list: bool, use_tuple: bool, outputs: Any) -> Any:
    """`outputs` as a list or a tuple; as they are if neither is asked for, the only one if they are a sequence of one.

    >>> format_as(False, True, [1, 2]), format_as(True, False, 3), format_as(False, False, [4])
    ((1, 2), [3], 4)
    """
    if use_list and use_tuple:
        raise ValueError("format_as: wants a list or a tuple, not both")
    several = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    if use_list or use_tuple:
        return several if use_list else tuple(several)
    return several[0] if len(several) == 1 else outputs


def _known_gradient(what: str, variable: Any, g: Any) -> Any:
    if not isinstance(variable, Variable):
        raise TypeError(f"{what}: expected a Variable, got {variable!r} of type {type(variable).__name__}")
    g = as_variable(g)
    if g.type.ndim != variable.type.ndim:
        raise TypeError(f"{what}: the gradient of {variable!r} must have {variable.type.ndim} axes, it is {g.type}")
    return g


def _finish(g: Any, variable: Any, disconnected_inputs: str, return_disconnected: str, null_gradients: str) -> Any:
    """What the user gets for a cotangent of any kind."""
    if isinstance(g, Variable):
        return g
    if isinstance(g, Undefined):
        if null_gradients == "raise":
            raise NullTypeGradError(
                f"tensor.grad encountered a NaN. The gradient wrt {variable!r} is undefined: {g.reason}"
            )
        return NullType(g.reason)()
    if g is None:
        _report_disconnected(variable, disconnected_inputs)
        if return_disconnected != "zero":
            return disconnected_type() if return_disconnected == "disconnected" else None
    return zeros_like(variable)


def _report_disconnected(variable: Any, disconnected_inputs: str) -> None:
    message = (
        "grad method was asked to compute the gradient with respect to a variable that is not part of the "
        f"computational graph of the cost, or is used only by a non-differentiable operator: {variable!r}"
    )
    if variable.origin is not None:
        message += f"\nBacktrace when that variable is created:\n  {variable.origin}"
    _check_option("disconnected_inputs", disconnected_inputs, ("raise", "warn", "ignore"))
    if disconnected_inputs == "warn":
        warnings.warn(message, stacklevel=4)
    elif disconnected_inputs == "raise":
        raise DisconnectedInputError(f'{message}\nHINT: pass disconnected_inputs="ignore" if that is intended.')


def _named(g: Any, variable: Any, cost: str | None) -> Any:
    if cost is not None and variable.name is not None and g is not None and g.owner is not None and g.name is None:
        g.name = f"(d{cost}/d{variable.name})"
    return g


def subgraph_grad(
    wrt: Any, end: Any, start: Mapping[Any, Any] | None = None, cost: Any = None, details: bool = False
) -> Any:
    """Gradients with respect to `wrt` and `end`, going back no further than `end`.

    start    gradients that are given, by variable; cost  a scalar to start from; one of them at least
    Returns (gradients of wrt, gradients of end), and with `details` also the parts of the latter from start and cost.
    """
    if start is None and cost is None:
        raise ValueError("`cost` or `start` must be specified.")
    if not isinstance(start, Mapping | None):
        raise TypeError(f"subgraph_grad: start must be a dictionary of gradients by variable, got {start!r}")
    if cost is not None and not (isinstance(cost, Variable) and cost.type.ndim == 0):
        raise TypeError(f"subgraph_grad: the cost must be a scalar variable, got {cost!r}")
    if not isinstance(details, bool):
        raise TypeError(f"subgraph_grad: details must be True or False, got one of type {type(details).__name__}")
    wrt, end = _variables(wrt), _variables(end)
    wanted = [*wrt, *end]
    parts = []
    given = [(v, _known_gradient("subgraph_grad: start", v, g)) for v, g in (start or {}).items()]
    for seeds in (given, [] if cost is None else [(cost, ones_like(cost))]):
        found = cotangents(seeds, wanted, stop=end)
        parts.append([g if isinstance(g, Variable) else zeros_like(v) for g, v in zip(found, wanted, strict=True)])
    both = [parts[0], parts[1]] if start and cost is not None else [parts[0 if start else 1]]
    sums = both[0] if len(both) == 1 else [a + b for a, b in zip(*both, strict=True)]
    result = (sums[: len(wrt)], sums[len(wrt) :])
    return (*result, parts[0][len(wrt) :], parts[1][len(wrt) :]) if details else result


def connection_pattern(node: Any) -> list[list[bool]]:
    """For each operand of an application a list that says of which results a gradient reaches it (it may be 0, or
    undefined).

    >>> import tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> connection_pattern((x * 2).owner), connection_pattern(disconnected_grad(x).owner)
    ([[True], [True]], [[False]])
    """
    return io_connection_pattern(node.inputs, node.outputs)


def io_connection_pattern(inputs: Iterable[Any], outputs: Iterable[Any]) -> list[list[bool]]:
    """For each input a list that says of which of the outputs a gradient reaches it.

    >>> import tensordsl.tensor as T
    >>> x, y = T.vectors("x", "y")
    >>> io_connection_pattern([x, y], [x + y, y.sum()])
    [[True, False], [True, True]]
    """
    wanted, ends = _variables(inputs), _variables(outputs)
    columns = [cotangents([(v, ones_like(v))], wanted, stop=wanted) for v in ends]
    return [[column[k] is not None for column in columns] for k in range(len(wanted))]


# -- products with Jacobians -----------------------------------------------------------------------------------------
def Lop(
    f: Any,
    wrt: Any,
    eval_points: Any,
    consider_constant: Iterable[Any] | None = None,
    disconnected_inputs: str = "raise",
    return_disconnected: str = "zero",
) -> Any:
    """The product from the left of `eval_points` (one per f, of its shape) with the Jacobian of f by wrt.

    Of the type of wrt; a list of variables gives a list.  DisconnectedInputError where f does not depend on wrt.

    >>> import tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> Lop(x**2, x, T.ones_like(x)).eval({x: [1, 2]})
    array([2., 4.])
    """
    seeds = _paired(f, eval_points)
    variables = _variables(wrt)
    found = cotangents(seeds, variables, constant=_variables(consider_constant))
    _check_option("return_disconnected", return_disconnected, _WHERE_DISCONNECTED)
    results = [
        _finish(g, v, disconnected_inputs, _WHERE_DISCONNECTED[return_disconnected], "raise")
        for g, v in zip(found, variables, strict=True)
    ]
    if None in results:
        return _like_wrt(wrt, results)
    again = lambda fs: Lop(fs, variables, eval_points, consider_constant, "ignore")
    return _like_wrt(wrt, derived(results, [v for v, _ in seeds], again))


# PyTensor's spellings are taken, too.
_WHERE_DISCONNECTED = {"zero": "zero", "None": "None", "none": "None", "disconnected": "disconnected"}


def pullback(
    f: Any, wrt: Any, cotangents: Any, consider_constant: Iterable[Any] | None = None,
    disconnected_inputs: str = "raise", return_disconnected: str = "zero",
) -> Any:  # fmt: skip
    """PyTensor's name for `Lop`: what the cotangents, one per f, are as those of `wrt`.

    >>> import tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> pullback(x**2, x, T.ones_like(x)).eval({x: [1, 2]})
    array([2., 4.])
    """
    return Lop(f, wrt, cotangents, consider_constant, disconnected_inputs, return_disconnected)


def pushforward(
    f: Any, wrt: Any, tangents: Any, disconnected_outputs: str = "raise", return_disconnected: str = "zero",
    use_op_pushforward: bool = False,
) -> Any:  # fmt: skip
    """PyTensor's name for `Rop`: what the tangents, one per `wrt`, are as those of f; `use_op_pushforward`: accepted.

    >>> import tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> pushforward(x**2, x, T.ones_like(x)).eval({x: [1, 2]})
    array([2., 4.])
    """
    _check_option("return_disconnected", return_disconnected, _WHERE_DISCONNECTED)
    return Rop(f, wrt, tangents, disconnected_outputs, _WHERE_DISCONNECTED[return_disconnected])


def Rop(
    f: Any, wrt: Any, eval_points: Any, disconnected_outputs: str = "raise", return_disconnected: str = "zero"
) -> Any:
    """The product of the Jacobian of f with respect to wrt with `eval_points` (one per wrt, of its shape).

    Of the type of f.  It is the transpose of the transpose: u -> Lop(f, wrt, u) is linear, and its own Lop is the map
    asked for.  Loops carry the product along, and remember nothing.

    >>> import tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> Rop(x.sum() * x, x, T.ones_like(x)).eval({x: [1, 2]})
    array([5., 7.])
    """
    _check_option("disconnected_outputs", disconnected_outputs, ("raise", "warn", "ignore"))
    outputs, pairs = _variables(f), _paired(wrt, eval_points)
    variables = [v for v, _ in pairs]
    if goes_forward(outputs, variables):
        found = [
            _finish(g, v, disconnected_outputs, return_disconnected, "raise")
            for g, v in zip(tangents(outputs, dict(pairs)), outputs, strict=True)
        ]
    else:
        found = _transposed_twice(outputs, pairs, disconnected_outputs, return_disconnected)
    done = [over(v, g, variables) for v, g in zip(outputs, found, strict=True)]
    again = lambda fs: Rop(fs, variables, [p for _, p in pairs], "ignore")
    return _like_wrt(f, derived(done, outputs, again))


def _transposed_twice(
    outputs: Sequence[Any], pairs: Sequence[tuple[Any, Any]], disconnected_outputs: str, return_disconnected: str
) -> list[Any]:
    parameters = [parameter_like(v, cotangent_dtype(v)) for v in outputs]
    backward = cotangents(list(zip(outputs, parameters, strict=True)), [v for v, _ in pairs])
    seeds = [(g, p) for g, (_, p) in zip(backward, pairs, strict=True) if isinstance(g, Variable)]
    results = [
        ZERO if g is None and _has_zero_rows(v, p, pairs) else g
        for g, v, p in zip(cotangents(seeds, parameters, stop=parameters), outputs, parameters, strict=True)
    ]
    answer = [
        _finish(g, v, disconnected_outputs, return_disconnected, "raise") for g, v in zip(results, outputs, strict=True)
    ]
    # Only the shapes of the parameters are left in the result: it is linear in them.
    shapes = {p: zeros_like(v) for p, v in zip(parameters, outputs, strict=True)}
    replaced = iter(substitute([g for g in answer if isinstance(g, Variable)], shapes))
    return [next(replaced) if isinstance(g, Variable) else g for g in answer]


def _has_zero_rows(output: Any, parameter: Any, pairs: Sequence[tuple[Any, Any]]) -> bool:
    """Whether the output is connected to one of the variables of `pairs`, by derivatives that are 0 everywhere."""
    return any(g is not None for g in cotangents([(output, parameter)], [v for v, _ in pairs]))


def _paired(variables: Any, points: Any, what: str = "eval_points") -> list[tuple[Any, Any]]:
    """Variables, each with a point of its rank."""
    variables = _variables(variables)
    values = [as_variable(p) for p in (points if isinstance(points, list | tuple) else [points])]
    if len(variables) != len(values):
        raise ValueError(f"{what}: wants as many as there are variables, {len(variables)}, got {len(values)}")
    for v, p in zip(variables, values, strict=True):
        if p.type.ndim != v.type.ndim:
            raise ValueError(f"{what}: wants {v.type.ndim} axes for {v!r}, got {p.type}")
    return list(zip(variables, values, strict=True))


def hessian_vector_product(cost: Any, wrt: Any, p: Any, **options: Any) -> Any:
    """The product of the Hessian of a scalar with vectors `p` of the shapes of `wrt`, without making the Hessian.

    >>> import tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> hessian_vector_product((x**3).sum(), x, T.ones_like(x)).eval({x: [1, 2]})
    array([ 6., 12.])
    """
    if not isinstance(cost, Variable):
        raise TypeError(f"hessian_vector_product: the cost must be a variable, got {cost!r}")
    pairs = _paired(wrt, p, "p")
    if not pairs:
        raise ValueError("hessian_vector_product: wants a variable, wrt is empty")
    variables, points = [v for v, _ in pairs], [p for _, p in pairs]
    return _like_wrt(wrt, Lop(grad(cost, variables, **options), variables, points, disconnected_inputs="ignore"))


# -- Jacobians and Hessians ------------------------------------------------------------------------------------------
def jacobian(
    expression: Any, wrt: Any, consider_constant: Iterable[Any] | None = None, disconnected_inputs: str = "raise",
    vectorize: bool = False,
) -> Any:  # fmt: skip
    """The Jacobian of a vector (or scalar): for each of `wrt` a variable of shape (n, *wrt.shape).

    Row i is the gradient of element i; the rows are computed one after the other, in a loop, or with `vectorize` all
    at once, which takes n times the memory.  TypeError if `expression` is no variable, RankError if it has more than
    one axis.

    >>> import tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> jacobian(x**2, x).eval({x: [1, 2]})
    array([[2., 0.],
           [0., 4.]])
    """
    if not isinstance(expression, Variable):
        raise TypeError("tensor.jacobian expects a Variable as `expression`")
    if expression.type.ndim > 1:
        raise RankError(
            "tensor.jacobian expects a 1 dimensional variable as `expression`. If not use flatten to make it a vector"
        )
    variables = _variables(wrt)
    if expression.type.ndim == 0:
        return grad(expression, wrt, consider_constant, disconnected_inputs)
    from tensordsl.ops.array.creation import arange
    from tensordsl.ops.array.shape import shape_i
    from tensordsl.ops.math.comparisons import eq
    from tensordsl.ops.math.elementwise import cast

    n, i = shape_i(expression, 0), loop_index()
    if flag(vectorize, "jacobian"):
        p = parameter_like(expression, cotangent_dtype(expression))
        found = cotangents([(expression, p)], variables, constant=_variables(consider_constant))
        rows = [_finish(g, v, disconnected_inputs, "zero", "raise") for g, v in zip(found, variables, strict=True)]
        return _like_wrt(wrt, _all_rows(rows, p, n))
    one_hot = cast(eq(arange(n), i), cotangent_dtype(expression))
    found = cotangents([(expression, one_hot)], variables, constant=_variables(consider_constant))
    rows = [_finish(g, v, disconnected_inputs, "zero", "raise") for g, v in zip(found, variables, strict=True)]
    again = lambda es: jacobian(es[0], variables, consider_constant, "ignore")
    return _like_wrt(
        wrt, derived(list(make_loop(n, i, (), (), (), rows, name="the rows of a derivative")), [expression], again)
    )


def _all_rows(rows: Sequence[Any], p: Any, n: Any) -> list[Any]:
    """What the rows, which are linear in the vector p, are for each unit vector of length n."""
    from tensordsl.ops.array.creation import eye
    from tensordsl.ops.array.shape import alloc, shape_tuple
    from tensordsl.ops.vectorize import vectorize_graph

    made = vectorize_graph(list(rows), {p: eye(n, n, dtype=p.type.dtype)})
    return [
        m if m.type.ndim > row.type.ndim else alloc(m, n, *shape_tuple(m)) for m, row in zip(made, rows, strict=True)
    ]


def hessian(
    cost: Any, wrt: Any, consider_constant: Iterable[Any] | None = None, disconnected_inputs: str = "raise"
) -> Any:
    """The Hessian of a scalar with respect to a vector (or to each of a list of vectors): shape (n, n).

    RankError if `cost` has axes, or one of `wrt` is no vector.

    >>> import tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> hessian((x**3).sum(), x).eval({x: [1, 2]})
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    if not isinstance(cost, Variable):
        raise TypeError("tensor.hessian expects a Variable as `cost`")
    if cost.type.ndim != 0:
        raise RankError("tensor.hessian expects a 0 dimensional variable as `cost`")
    variables = _variables(wrt)
    for v in variables:
        if v.type.ndim != 1:
            raise RankError("tensor.hessian expects a (list of) 1 dimensional variable as `wrt`")
    gradients = grad(cost, variables, consider_constant, disconnected_inputs)
    blocks = [
        jacobian(g, v, consider_constant, "ignore")  # a linear cost has a gradient that does not depend on v
        for g, v in zip(gradients, variables, strict=True)
    ]
    return _like_wrt(wrt, blocks)


# -- identities with a gradient of their own -------------------------------------------------------------------------
def consider_constant(x: Any) -> Any:
    """x, with a gradient of zero."""
    return apply(CONSIDER_CONSTANT, as_variable(x))


def zero_grad(x: Any) -> Any:
    """x, with a gradient of zero."""
    return apply(ZERO_GRAD, as_variable(x))


def disconnected_grad(x: Any) -> Any:
    """x, as if nothing that x depends on were connected to the result."""
    return apply(DISCONNECTED_GRAD, as_variable(x))


def undefined_grad(x: Any) -> Any:
    """x, with an undefined gradient: `grad` raises NullTypeGradError if it is needed."""
    return apply(UNDEFINED_GRAD, as_variable(x))


def grad_clip(x: Any, lower_bound: float, upper_bound: float) -> Any:
    """x, with its gradient clipped to [lower_bound, upper_bound]."""
    lower, upper = _number(lower_bound, "grad_clip"), _number(upper_bound, "grad_clip")
    if not lower <= upper:
        raise ValueError(f"grad_clip: the lower bound {lower_bound} is above the upper bound {upper_bound}")
    return apply(GRAD_CLIP, as_variable(x), lower=lower, upper=upper)


def grad_scale(x: Any, multiplier: float) -> Any:
    """x, with its gradient multiplied by a number."""
    return apply(GRAD_SCALE, as_variable(x), multiplier=_number(multiplier, "grad_scale"))


def _number(value: Any, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{what}: wants a number, got {value!r}") from None


def grad_undefined(op: Any, x_pos: int, x: Any, comment: str = "") -> Variable:
    """The gradient of operand number `x_pos` of an op for which it has no meaning."""
    return NullType(f"the gradient of {op} wrt operand {x_pos} ({x!r}) is undefined. {comment}")()


def grad_not_implemented(op: Any, x_pos: int, x: Any, comment: str = "") -> Variable:
    """The gradient of operand number `x_pos` of an op for which nobody has written it."""
    return NullType(f"the gradient of {op} wrt operand {x_pos} ({x!r}) is not implemented. {comment}")()


# -- the numeric check -----------------------------------------------------------------------------------------------
_STEP = {"float64": 1e-6, "float32": 3e-4, "float16": 1e-1}
_TOLERANCE = {"float64": 1e-4, "float32": 1e-2, "float16": 5e-2}


class numeric_grad:
    """The numeric gradient of a real function at a point: `gf`, by central differences.

    f   function of arrays that gives a number;  pt  an array or a list of arrays;  eps  half the distance of the points
    """

    def __init__(self, f: Any, pt: Any, eps: float | None = None, out_type: str | None = None) -> None:
        as_list = isinstance(pt, list | tuple)
        points = [np.array(p) for p in (pt if as_list else [pt])]
        floats = [p.dtype.name for p in points if p.dtype.name in _STEP] + ([out_type] if out_type else [])
        step = max(_STEP[t] for t in floats or ["float64"]) if eps is None else eps
        gradients = []
        for point in points:
            gradient = np.zeros(point.shape, point.dtype if point.dtype.name in _STEP else "float64")
            for index in np.ndindex(point.shape):
                old = point[index]
                values, places = [], []
                for place in (old + step, old - step):
                    point[index] = place
                    places.append(float(point[index]))
                    values.append(float(np.asarray(f(*points))))
                point[index] = old
                gradient[index] = (values[0] - values[1]) / (places[0] - places[1])
            gradients.append(gradient)
        self.gf: Any = gradients if as_list else gradients[0]

    @staticmethod
    def abs_rel_err(a: Any, b: Any) -> tuple[Any, Any]:
        """Absolute and relative differences, element by element."""
        absolute = np.abs(a - b)
        return absolute, absolute / np.maximum(np.abs(a) + np.abs(b), 1e-8)

    def abs_rel_errors(self, g_pt: Any) -> list[tuple[Any, Any]]:
        ours = self.gf if isinstance(self.gf, list) else [self.gf]
        theirs = g_pt if isinstance(g_pt, list | tuple) else [g_pt]
        if len(ours) != len(theirs):
            raise ValueError(f"argument has wrong number of elements: {len(theirs)} instead of {len(ours)}")
        for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if a.shape != np.shape(b):
                raise ValueError(f"argument element {k} has wrong shape {np.shape(b)}, not {a.shape}")
        return [self.abs_rel_err(a, np.asarray(b)) for a, b in zip(ours, theirs, strict=True)]

    def max_err(self, g_pt: Any, abs_tol: float, rel_tol: float) -> tuple[int, int, float, float]:
        """Where the error is largest, measured as the lesser of absolute and relative error in units of the tolerances:
        (number of the argument, flat position in it, absolute error, relative error)."""
        worst = (0, 0, 0.0, 0.0)
        worst_size = -1.0
        for k, (absolute, relative) in enumerate(self.abs_rel_errors(g_pt)):
            if not absolute.size:
                continue
            scaled = np.minimum(absolute / abs_tol, relative / rel_tol)
            scaled = np.where(np.isnan(scaled), np.inf, scaled)
            position = int(np.argmax(scaled))
            if scaled.flat[position] > worst_size:
                worst_size = float(scaled.flat[position])
                worst = (k, position, float(absolute.flat[position]), float(relative.flat[position]))
        return worst


def verify_grad(
    fun: Any,
    pt: Any,
    n_tests: int = 2,
    rng: Any = None,
    eps: float | None = None,
    out_type: str | None = None,
    abs_tol: float | None = None,
    rel_tol: float | None = None,
    mode: Any = None,
    cast_to_output_type: bool = False,
    no_debug_ref: bool = True,
) -> None:
    """Compare the gradient of `fun` with finite differences at `pt`, along `n_tests` random projections of its result.

    fun   function of variables that gives a variable;  pt  a list of float arrays, its arguments
    rng   a NumPy RandomState or Generator (default: a fixed seed);  eps  step of the differences
    mode  how to compile;  cast_to_output_type  compute the projection in `out_type`
    Raises GradientError, with the place and the size of the difference, TypeError for integer points.
    """
    from tensordsl.graph.types import FLOATS, TensorType

    if not callable(fun) or not isinstance(pt, list | tuple):
        raise TypeError(f"verify_grad: wants a function and a list of arrays, got {fun!r} and {pt!r}")
    points = [np.array(p) for p in pt]
    for k, p in enumerate(points):
        if p.dtype.name not in _STEP:
            raise TypeError(f"verify_grad can work only with floating point inputs, but input {k} has dtype {p.dtype}.")
    variables = [
        TensorType(p.dtype.name, tuple(1 if n == 1 else None for n in p.shape))(f"input {k}")
        for k, p in enumerate(points)
    ]
    result = as_variable(fun(*variables))
    kinds = {result.type.dtype, *(p.dtype.name for p in points)}
    loosest = next((t for t in FLOATS if t in kinds), "float64")
    abs_tol = _TOLERANCE[loosest] if abs_tol is None else abs_tol
    rel_tol = _TOLERANCE[loosest] if rel_tol is None else rel_tol
    eps = _STEP[loosest] if eps is None else eps
    rng = np.random.RandomState(42) if rng is None else rng
    projection = TensorType(
        (out_type or result.type.dtype) if cast_to_output_type else cotangent_dtype(result), result.type.shape
    )("projection")
    cost = (result * projection).sum()
    gradients = grad(cost, variables, disconnected_inputs="ignore")
    shape = _evaluator(variables, [result], mode)(*points)[0].shape
    value, slopes = (
        _evaluator([*variables, projection], [cost], mode),
        _evaluator([*variables, projection], gradients, mode),
    )
    for test in range(n_tests):
        weights = np.asarray(rng.uniform(0.5, 1.5, size=shape), dtype=projection.type.dtype)
        numeric = numeric_grad(lambda *p, w=weights: value(*p, w)[0], points, eps)
        symbolic = slopes(*points, weights)
        k, position, absolute, relative = numeric.max_err(symbolic, abs_tol, rel_tol)
        if not (absolute <= abs_tol or relative <= rel_tol):
            raise GradientError(
                f"GradientError: the symbolic and the numeric gradient differ (test {test}):\n"
                f"  at argument {k} of shape {points[k].shape}, position {position} of its flattened elements:\n"
                f"  symbolic {symbolic[k].flat[position]!r}, numeric {numeric.gf[k].flat[position]!r}\n"
                f"  absolute error {absolute:.3g} (tolerance {abs_tol:g}), relative error {relative:.3g} "
                f"(tolerance {rel_tol:g})"
            )


globals().update(kinds_at("gradient"))
verify_grad.E_grad = GradientError  # type: ignore[attr-defined]  # Theano's name for it


def _evaluator(inputs: Sequence[Any], outputs: Sequence[Any], mode: Any) -> Any:
    """A function of arrays that gives the list of the arrays of `outputs`."""
    return upper("function")(list(inputs), list(outputs), mode=mode, on_unused_input="ignore")
