"""Batch normalisation: (x - mean) * gamma / std + beta, with statistics of the batch or given ones."""

from __future__ import annotations

from typing import Any

from tensordsl.ops.array.reduce import mean, var
from tensordsl.ops.array.shape import addbroadcast, dimshuffle, shape_i
from tensordsl.ops.math.elementwise import cast, mul, reciprocal, sqrt
from tensordsl.ops.operands import as_variable, normalise_axis

Axes = tuple[int, ...]


def _axes(axes: Any, ndim: int) -> Axes:
    """The axes of the statistics: "per-activation" (the first), "spatial" (all but the second), or numbers."""
    if isinstance(axes, str):
        if axes == "per-activation":
            return (0,)
        if axes == "spatial":
            return (0, *range(2, ndim))
        raise ValueError(f"batch_normalization: unknown axes {axes!r}; use 'per-activation', 'spatial' or axis numbers")
    named = (axes,) if isinstance(axes, int) else axes
    found = tuple(sorted({normalise_axis(k, ndim, "batch_normalization") for k in named}))
    if not found:
        raise ValueError("batch_normalization: there must be an axis to take statistics over")
    return found


def _parameter(v: Any, axes: Axes, ndim: int, name: str) -> Any:
    """A parameter with the rank of the inputs, of length 1 on the axes of statistics; it may come without those."""
    v = as_variable(v)
    kept = [k for k in range(ndim) if k not in axes]
    if v.type.ndim == len(kept) != ndim:
        return dimshuffle(v, tuple("x" if k in axes else kept.index(k) for k in range(ndim)))
    if v.type.ndim != ndim:
        raise ValueError(f"batch_normalization: {name} has {v.type.ndim} axes, wanted {ndim} or {len(kept)}")
    return addbroadcast(v, *axes)


def _as_given(v: Any, like: Any, axes: Axes) -> Any:
    """A statistic in the rank that the parameter `like` came in."""
    if as_variable(like).type.ndim == v.type.ndim:
        return v
    return dimshuffle(v, tuple(k for k in range(v.type.ndim) if k not in axes))


def batch_normalization(inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem") -> Any:
    """(inputs - mean) * gamma / std + beta; all broadcast.  mode: without effect.

    >>> batch_normalization([1.0, 3.0], 1.0, 0.0, 2.0, 2.0).eval()
    array([-0.5,  0.5])
    """
    if mode not in ("low_mem", "high_mem"):
        raise ValueError(f"batch_normalization: unknown mode {mode!r}; use 'low_mem' or 'high_mem'")
    return (as_variable(inputs) - mean) * (as_variable(gamma) / std) + beta


def batch_normalization_train(
    inputs: Any, gamma: Any, beta: Any, axes: Any = "per-activation", epsilon: float = 1e-4,
    running_average_factor: float = 0.1, running_mean: Any = None, running_var: Any = None,
) -> tuple[Any, ...]:  # fmt: skip
    """(out, mean, 1 / std) with the statistics of the batch, and new running mean and variance where such are given.

    gamma, beta, running_mean, running_var: the rank of inputs with length 1 on `axes`, or without those axes.

    >>> batch_normalization_train([[1.0], [3.0]], [1.0], [0.0], epsilon=0.0)[0].eval()
    array([[-1.],
           [ 1.]])
    """
    inputs = as_variable(inputs)
    ndim = inputs.type.ndim
    over = _axes(axes, ndim)
    if (running_mean is None) != (running_var is None):
        raise ValueError("batch_normalization_train: give both running_mean and running_var, or none")
    scale, shift = _parameter(gamma, over, ndim, "gamma"), _parameter(beta, over, ndim, "beta")
    centre = mean(inputs, over, keepdims=True)
    variance = var(inputs, over, keepdims=True)
    inverse = reciprocal(sqrt(variance + _number(epsilon, variance)))
    out = (inputs - centre) * (scale * inverse) + shift
    results = [out, _as_given(centre, gamma, over), _as_given(inverse, gamma, over)]
    if running_mean is not None:
        old_mean = _parameter(running_mean, over, ndim, "running_mean")
        old_var = _parameter(running_var, over, ndim, "running_var")
        factor = _number(running_average_factor, centre)
        count: Any = shape_i(inputs, over[0])
        for k in over[1:]:
            count = mul(count, shape_i(inputs, k))
        count = cast(count, variance.type.dtype)
        new_mean = old_mean * (1 - factor) + centre * factor
        new_var = old_var * (1 - factor) + variance * (count / (count - 1)) * factor
        results += [_as_given(new_mean, running_mean, over), _as_given(new_var, running_var, over)]
    return tuple(results)


def batch_normalization_test(
    inputs: Any, gamma: Any, beta: Any, mean: Any, var: Any, axes: Any = "per-activation", epsilon: float = 1e-4
) -> Any:
    """(inputs - mean) * gamma / sqrt(var + epsilon) + beta with given statistics; ranks as in the train function.

    >>> batch_normalization_test([[1.0], [3.0]], [1.0], [0.0], [2.0], [1.0], epsilon=0.0).eval()
    array([[-1.],
           [ 1.]])
    """
    inputs = as_variable(inputs)
    ndim = inputs.type.ndim
    over = _axes(axes, ndim)
    scale, shift, centre, variance = (
        _parameter(v, over, ndim, name) for v, name in ((gamma, "gamma"), (beta, "beta"), (mean, "mean"), (var, "var"))
    )
    return (inputs - centre) * (scale / sqrt(variance + _number(epsilon, variance))) + shift


def _number(value: Any, like: Any) -> Any:
    """A number in the dtype of `like`, so that it does not widen it."""
    return cast(as_variable(value), like.type.dtype)
