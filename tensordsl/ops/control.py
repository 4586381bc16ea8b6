"""Loops, branches, effects, and identities that change the gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.graph.types import COMPLEX, INTEGERS, TensorType
from tensordsl.graph.variables import Constant, Dims, Expand, Kernel, Op, OpView, Variable, apply, toposort
from tensordsl.ops.cotangents import ZERO, Guard, Guarded, zeros_like
from tensordsl.ops.operands import as_variable, shape_of_first


# -- loops: one that is counted, one that ends early ------------------------------------------------------------------
@record(eq=False)
class LoopBody:
    """One step of a loop, closed: its expressions depend on `index`, `carried`, `invariants` and constants only.

    index      the number of the step, a 0-d int64: 0, 1, ... n - 1
    carried    the values that the step before handed on; `next` are those for the step after, of equal types
    invariants values that are the same in every step
    stacked    values of each step that are collected along a new first axis
    truncate   gradients flow through so many of the last steps; -1: through all
    condition  of a loop that ends early (`WHILE`): the step in which it is true is the last one; a 0-d bool
    recomputes gradients keep the carried values of each step alone, and compute what else they read again
    name       what messages call the loop
    """

    index: Variable
    carried: tuple[Variable, ...]
    invariants: tuple[Variable, ...]
    next: tuple[Variable, ...]
    stacked: tuple[Variable, ...]
    truncate: int = -1
    condition: Variable | None = None
    recomputes: bool = False
    name: str = "for"

    @property
    def parameters(self) -> tuple[Variable, ...]:
        return (self.index, *self.carried, *self.invariants)

    @property
    def results(self) -> tuple[Variable, ...]:
        return (*self.next, *self.stacked)

    @property
    def expressions(self) -> tuple[Variable, ...]:
        """All that a step computes: the results, and the condition behind them."""
        return self.results if self.condition is None else (*self.results, self.condition)

    def with_expressions(self, expressions: Sequence[Variable]) -> LoopBody:
        """The same loop of other expressions."""
        n, m = len(self.next), len(self.next) + len(self.stacked)
        condition = None if self.condition is None else expressions[m]
        return replace(self, next=tuple(expressions[:n]), stacked=tuple(expressions[n:m]), condition=condition)


def _loop_dtype(n: str, *dtypes: str, body: LoopBody) -> tuple[str, ...]:
    if n not in INTEGERS:
        raise TypeError(f"the number of steps must be an integer, got {n}")
    for k, (v, following, given) in enumerate(zip(body.carried, body.next, dtypes, strict=False)):
        if not v.type.dtype == following.type.dtype == given:
            raise TypeError(
                f"carried value {k} must keep its dtype: it starts as {given} and the body makes "
                f"{following.type.dtype} of {v.type.dtype}; cast one of them"
            )
    for v, given in zip(body.invariants, dtypes[len(body.carried) :], strict=True):
        if v.type.dtype != given:
            raise TypeError(f"the body wants {v.type.dtype} for {v!r}, got {given}")
    return tuple(v.type.dtype for v in body.results)


def _loop_shape(d: Dims, n: Any, *operands: Any, body: LoopBody) -> tuple[Any, ...]:
    """The final values have the shapes of the initial ones: the types of carried values do not change."""
    if d.shape(n):
        raise ValueError("the number of steps must have no axes")
    for k, (v, following) in enumerate(zip(body.carried, body.next, strict=True)):
        if not v.type.accepts(following.type):
            raise ValueError(
                f"carried value {k} must keep its type: the body makes {following.type} of {v.type}; the initial value "
                "and the new one need the same axes of length 1 (see unbroadcast, patternbroadcast)"
            )
    inits = operands[: len(body.carried)]
    for v, operand in zip((*body.carried, *body.invariants), operands, strict=True):
        if len(d.shape(operand)) != v.type.ndim:
            raise ValueError(f"the body wants {v.type} for {v!r}, got {len(d.shape(operand))} axes")
    length = d.maximum(d.value(n), 0)
    return (*map(d.shape, inits), *((length, *d.shape(v)) for v in body.stacked))


def _while_dtype(n: str, *dtypes: str, body: LoopBody) -> tuple[str, ...]:
    return ("int64", *_loop_dtype(n, *dtypes, body=body))


def _while_shape(d: Dims, n: Any, *operands: Any, body: LoopBody) -> tuple[Any, ...]:
    """What is stacked is as long as there were rounds, which only the run tells: the compiler's lengths come from
    there (`codegen.constructs.loops`), and types have none."""
    assert body.condition is not None
    if body.condition.type.dtype != "bool" or body.condition.type.ndim:
        raise ValueError(f"the condition must be a bool without axes, got {body.condition.type}")
    k = len(body.carried)
    shapes = _loop_shape(d, n, *operands, body=body)
    return ((), *shapes[:k], *((None, *shape[1:]) for shape in shapes[k:]))


def _loop_oracle(n: Any, *operands: Any, body: LoopBody) -> tuple[Any, ...]:
    return _while_oracle(n, *operands, body=body)[1:]


def _while_oracle(n: Any, *operands: Any, body: LoopBody) -> tuple[Any, ...]:
    from tensordsl.graph.evaluate import evaluate, run_rounds  # late: rows are loaded first

    return run_rounds(n, operands, body, evaluate)


def _loop_gradient(g: Any, out: Any, n: Any, *operands: Any, body: LoopBody) -> Sequence[Any]:
    raise AssertionError("the gradient of a loop is built by autodiff.loop_gradient")


FOR = Op("for", _loop_dtype, _loop_shape, _loop_oracle, Kernel("for"), _loop_gradient)
# At most n rounds.  The results are the number of rounds that were, the last carried values, and what these stacked.
WHILE = Op("while", _while_dtype, _while_shape, _while_oracle, Kernel("while"), _loop_gradient)
NO_LIMIT = 2**63 - 1  # rounds of a loop that only its condition ends


def loop_index() -> Any:
    """A fresh variable for the number of the step."""
    index = TensorType("int64", ())()
    index.tag.test_value = np.asarray(0, "int64")
    return index


def parameter_like(variable: Variable, dtype: str | None = None) -> Any:
    """A fresh variable of the type (or shape, with another dtype) of `variable`; its test value is likewise."""
    parameter = TensorType(dtype or variable.type.dtype, variable.type.shape)(variable.name)
    value = variable.data if isinstance(variable, Constant) else getattr(variable.tag, "test_value", None)
    if value is not None:
        parameter.tag.test_value = np.asarray(value, dtype=parameter.type.dtype)
    marked = getattr(type(variable), "standing_for", None)  # of a variable with methods of its own: a generator
    return parameter if marked is None else marked(variable, parameter)


def make_loop(
    n: Any,
    index: Variable,
    carried: Sequence[Variable],
    inits: Sequence[Any],
    next: Sequence[Variable],
    stacked: Sequence[Variable] = (),
    truncate: int = -1,
    condition: Any = None,
    recomputes: bool = False,
    name: str = "for",
) -> tuple[Any, ...]:
    """A loop of `n` steps over expressions in `index` and `carried`: the final carried values, then the stacked ones.

    `index` (0-d int64) and `carried` are variables without owner that stand for the parameters of the body.  Whatever
    the expressions use that depends on none of them is computed once, before the loop.  `truncate`, `recomputes` and
    `name`: see `LoopBody`.
    With a condition there are at most `n` steps, which end behind the one in which it is not zero; the first result is
    then their number, and what is stacked is as long.
    """
    inits = [as_variable(v) for v in inits]
    results = [*next, *stacked]
    if condition is not None:
        results.append(as_truth(condition))
    free = _free_variables(results, (index, *carried))
    parameters = {v: parameter_like(v) for v in free}
    from tensordsl.graph.substitute import substitute

    closed = substitute(results, parameters)
    count = len(carried)
    following, collected = closed[:count], closed[count:]
    is_counted = condition is None
    if not is_counted:
        *collected, condition = collected
    body = LoopBody(
        index, tuple(carried), tuple(parameters.values()), tuple(following), tuple(collected), truncate, condition,
        recomputes, name,
    )  # fmt: skip
    result: tuple[Any, ...] = apply(FOR if is_counted else WHILE, as_variable(n), *inits, *free, body=body)
    return result


def as_truth(condition: Any) -> Any:
    """Whether a 0-d variable is not zero, a bool."""
    from tensordsl.ops.array.masks import as_mask  # late: it stands on this table's rows

    return as_mask(condition)


def _free_variables(results: Sequence[Variable], parameters: Sequence[Variable]) -> list[Variable]:
    """What `results` use from outside: the variables that depend on no parameter, at the border to those that do."""
    inner = {id(v) for v in parameters}
    free: dict[Variable, None] = {}

    def cross(variables: Sequence[Variable]) -> None:
        for v in variables:
            if id(v) not in inner and not isinstance(v, Constant):
                free.setdefault(v)

    for node in toposort(results, stop=parameters):
        if any(id(v) in inner for v in node.inputs):
            inner.update(id(v) for v in node.outputs)
            cross(node.inputs)
    cross(results)
    return list(free)


# -- the branch ------------------------------------------------------------------------------------------------------
def _branch_dtype(condition: str, *dtypes: str) -> tuple[str, ...]:
    if condition in COMPLEX:
        raise TypeError(f"the condition must be real, got {condition}")
    half = len(dtypes) // 2
    for k, (a, b) in enumerate(zip(dtypes[:half], dtypes[half:], strict=True)):
        if a != b:
            raise TypeError(f"the branches must have the same dtypes; value {k} is {a} or {b}")
    return dtypes[:half]


def _branch_shape(d: Dims, condition: Any, *values: Any) -> tuple[Any, ...]:
    if d.shape(condition):
        raise ValueError("the condition must have no axes")
    half = len(values) // 2
    shapes = []
    for k, (a, b) in enumerate(zip(map(d.shape, values[:half]), map(d.shape, values[half:]), strict=True)):
        if len(a) != len(b):
            raise ValueError(f"the branches must have the same number of axes; value {k} has {len(a)} or {len(b)}")
        shapes.append(tuple(m if m == n else None for m, n in zip(a, b, strict=True)))
    return tuple(shapes)


def _branch_gradient(g: Any, out: Any, condition: Any, *values: Any) -> Sequence[Any]:
    """Each branch gets the cotangent where it was taken; the condition chooses, in steps."""
    several = g if isinstance(g, tuple) else (g,)
    into_then, into_else = (
        [None if c is None else Guarded((Guard(condition, is_then),), c) for c in several] for is_then in (True, False)
    )
    return [ZERO, *into_then, *into_else]


IFELSE = Op(
    "ifelse",
    _branch_dtype,
    _branch_shape,
    lambda condition, *values: tuple(values[: len(values) // 2] if condition else values[len(values) // 2 :]),
    Kernel("ifelse"),
    _branch_gradient,
)


def ifelse(condition: Any, then_branch: Any, else_branch: Any, name: str | None = None) -> Any:
    """`then_branch` if `condition` is not zero, else `else_branch`; only the one that is needed is computed.

    condition    0-d, of any real dtype
    branches     a tensor or a list of tensors each; the types must agree, except that constants are cast and unknown
                 lengths may differ
    Returns a variable, or a list or tuple of them as `then_branch` is.
    Raises TypeError and ValueError if the branches do not fit each other.
    """
    condition = as_variable(condition)
    as_list = isinstance(then_branch, list | tuple) or isinstance(else_branch, list | tuple)
    thens = [as_variable(v) for v in (then_branch if isinstance(then_branch, list | tuple) else [then_branch])]
    elses = [as_variable(v) for v in (else_branch if isinstance(else_branch, list | tuple) else [else_branch])]
    if len(thens) != len(elses):
        raise ValueError(
            "ifelse: The number of values on the `then` branch should have the same number of variables as the "
            f"`else` branch: (variables on `then` {len(thens)}, variables on `else` {len(elses)})"
        )
    pairs = [_same_dtype(a, b) for a, b in zip(thens, elses, strict=True)]
    results = apply(IFELSE, condition, *(a for a, _ in pairs), *(b for _, b in pairs))
    if name is not None:
        for k, v in enumerate(results):
            v.name = f"{name}{{{k}}}" if as_list else name
    if not as_list:
        return results[0]
    return tuple(results) if isinstance(then_branch, tuple) else list(results)


def _same_dtype(a: Any, b: Any) -> tuple[Any, Any]:
    """Widen a constant to the other branch's dtype; the op itself refuses what then still differs."""
    from tensordsl.graph.casting import upcast
    from tensordsl.ops.math.elementwise import cast

    common = upcast(a.type.dtype, b.type.dtype)
    if isinstance(a, Constant) and b.type.dtype == common:
        a = cast(a, common)
    if isinstance(b, Constant) and a.type.dtype == common:
        b = cast(b, common)
    return a, b


# -- effects ---------------------------------------------------------------------------------------------------------
def _first_dtype(x: str, *others: str, **attrs: Any) -> str:
    return x


def _print_oracle(x: Any, message: str, attrs_names: tuple[str, ...], printer: Any = None) -> Any:
    if printer is not None:
        printer.global_fn(printer, np.asarray(x))
        return x
    for name in attrs_names:
        value = getattr(np.asarray(x), name)
        print(message, name, "=", value() if callable(value) else value)
    return x


def _assert_oracle(x: Any, *conditions: Any, message: str) -> Any:
    if not all(np.all(c) for c in conditions):
        raise AssertionError(message)
    return x


def _assert_shape(d: Dims, x: Any, *conditions: Any, message: str) -> Any:
    for k, c in enumerate(conditions):
        if d.shape(c):
            raise ValueError(f"condition {k} must have no axes; use all(...) or any(...)")
    return d.shape(x)


_REQUIRED = {"check": ValueError, "index": IndexError, "linalg": np.linalg.LinAlgError}


def _require_dtype(x: str, condition: str, message: str, kind: str) -> str:
    return x


def _require_shape(d: Dims, x: Any, condition: Any, message: str, kind: str) -> Any:
    return _assert_shape(d, x, condition, message=message)


def _require_oracle(x: Any, condition: Any, message: str, kind: str) -> Any:
    if not condition:
        raise _REQUIRED[kind](message)
    return x


PRINT = Op(
    "print", _first_dtype, shape_of_first, _print_oracle, Kernel("print", calls_python=True),
    lambda g, out, x, **attrs: (g,), effect=True, print_name="Print",
    use=lambda node: node.attrs.get("printer") or Print(node.attrs["message"], node.attrs["attrs_names"]),
)  # fmt: skip
ASSERT = Op(
    "assert", _first_dtype, _assert_shape, _assert_oracle, Kernel("assert"),
    lambda g, out, x, *conditions, message: (g, *(None for _ in conditions)), effect=True, print_name="Assert",
    use=lambda node: Assert(node.attrs["message"]),
)  # fmt: skip
# What other functions check of their operands, at run time: no effect, so it goes where its result is not needed.
# kind: "check" for a ValueError, "index" for an IndexError, "linalg" for a LinAlgError.
REQUIRE = Op(
    "require", _require_dtype, _require_shape, _require_oracle, Kernel("assert"),
    lambda g, out, x, condition, message, kind: (g, None),
)  # fmt: skip


def require(x: Any, condition: Any, message: str, kind: str = "check") -> Any:
    """x; if the condition is false, at run time ValueError (kind "check"), IndexError ("index") or LinAlgError
    ("linalg") with `message`."""
    from tensordsl.ops.array.masks import as_mask  # late: it stands on this table's rows

    return apply(REQUIRE, as_variable(x), as_mask(condition), message=message, kind=kind)


class _Effect(OpView):
    """An op that programs make themselves, equal to others with the same parameters."""

    parameters: tuple[Any, ...]

    def __init__(self, row: Op, *parameters: Any) -> None:
        super().__init__(row)
        self.parameters = parameters

    def __eq__(self, other: object) -> bool:
        is_same = type(other) is type(self) and isinstance(other, _Effect) and other.parameters == self.parameters
        return is_same or other is self.row

    __hash__ = OpView.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.parameters


class Print(_Effect):
    """`Print(message)(x)` is x, and prints it whenever it is computed.

    message  printed before each attribute
    attrs    names of attributes or methods without arguments of the array, "__str__" for its contents
    global_fn  is called with this object and the array, and does what it likes instead of printing
    """

    def __init__(self, message: str = "", attrs: Sequence[str] = ("__str__",), global_fn: Any = None) -> None:
        if global_fn is not None and not callable(global_fn):
            raise TypeError(f"Print: global_fn must be a function of this object and the array, got {global_fn!r}")
        if not isinstance(attrs, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in attrs):
            raise TypeError(f"Print: attrs must be a sequence of names of attributes, got {attrs!r}")
        super().__init__(PRINT, message, tuple(attrs), global_fn)
        self.message, self.attrs, self.global_fn = self.parameters

    def __repr__(self) -> str:
        return f"Print{{message={self.message!r}, attrs={self.attrs}}}"

    def __call__(self, x: Any) -> Any:
        own: dict[str, Any] = {} if self.global_fn is None else {"printer": self}
        return apply(PRINT, as_variable(x), message=self.message, attrs_names=self.attrs, **own)


class Assert(_Effect):
    """`Assert(message)(x, *conditions)` is x; where a condition is false, its computation raises AssertionError."""

    def __init__(self, msg: str = "Theano Assert failed!") -> None:
        super().__init__(ASSERT, msg)
        self.msg = msg

    def __repr__(self) -> str:
        return f"Assert{{msg={self.msg!r}}}"

    def __call__(self, value: Any, *conditions: Any) -> Any:
        from tensordsl.ops.array.masks import as_mask  # late: it stands on this table's rows

        return apply(ASSERT, as_variable(value), *map(as_mask, conditions), message=self.msg)


assert_op = Assert()


# -- identities with a gradient of their own -------------------------------------------------------------------------
def _identity_row(name: str, gradient: Callable[..., Sequence[Any]] | None, no_gradient: str = "") -> Op:
    return Op(
        name, _first_dtype, shape_of_first, lambda x, **attrs: x, Expand(lambda x, **attrs: x), gradient, no_gradient
    )


def _zero_gradient(g: Any, out: Any, x: Any) -> Sequence[Any]:
    return (zeros_like(x),)


def _clip_gradient(g: Any, out: Any, x: Any, lower: float, upper: float) -> Sequence[Any]:
    from tensordsl.ops.math.elementwise import clip
    from tensordsl.ops.operands import constant

    return (clip(g, constant(lower, dtype=g.type.dtype), constant(upper, dtype=g.type.dtype)),)


def _scale_gradient(g: Any, out: Any, x: Any, multiplier: float) -> Sequence[Any]:
    from tensordsl.ops.operands import constant

    return (g * constant(multiplier, dtype=g.type.dtype),)


CONSIDER_CONSTANT = _identity_row("consider_constant", _zero_gradient)
ZERO_GRAD = _identity_row("zero_grad", _zero_gradient)
DISCONNECTED_GRAD = _identity_row("disconnected_grad", lambda g, out, x: (None,))
UNDEFINED_GRAD = _identity_row("undefined_grad", None, "its gradient was declared undefined by undefined_grad")
GRAD_CLIP = _identity_row("grad_clip", _clip_gradient)
GRAD_SCALE = _identity_row("grad_scale", _scale_gradient)

ROWS = (
    FOR, WHILE, IFELSE, PRINT, ASSERT, REQUIRE,
    CONSIDER_CONSTANT, ZERO_GRAD, DISCONNECTED_GRAD, UNDEFINED_GRAD, GRAD_CLIP, GRAD_SCALE,
)  # fmt: skip
