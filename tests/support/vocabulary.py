"""Expressions with what NumPy says of them: many are compiled into one function, which is cheaper than one each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.reference import evaluate

Case = tuple[str, Callable[..., Any], Callable[..., Any]]


def variables(arrays: Sequence[Any]) -> list[Any]:
    """Fresh inputs for the arrays; an axis of length 1 broadcasts."""
    return [
        T.TensorType(str(a.dtype), tuple(1 if n == 1 else None for n in a.shape))(f"x{k}") for k, a in enumerate(arrays)
    ]


def check_all(cases: Sequence[Case], arrays: Sequence[Any], rtol: float = 1e-12) -> None:
    """Every case `(name, expression, numpy)`: shape, dtype and value by the oracles and by native code."""
    arrays = [np.asarray(a) for a in arrays]
    inputs = variables(arrays)
    names, outputs, wanted = [], [], []
    for name, build, judge in cases:
        built, want = build(*inputs), judge(*arrays)
        several = isinstance(built, (list, tuple))
        for k, (v, w) in enumerate(zip(built if several else [built], want if several else [want], strict=True)):
            names.append(f"{name} [{k}]" if several else name)
            outputs.append(T.as_tensor_variable(v))
            wanted.append(np.asarray(w))
    values = dict(zip(inputs, arrays, strict=True))
    native = tensordsl.function(inputs, outputs, on_unused_input="ignore")(*[a.copy() for a in arrays])
    for how, results in (("reference", evaluate(outputs, values)), ("native", native)):
        for name, v, got, want in zip(names, outputs, results, wanted, strict=True):
            what = f"{name} ({how})"
            assert got.shape == want.shape, f"{what}: shape {got.shape}, wanted {want.shape}"
            assert str(got.dtype) == v.dtype, f"{what}: dtype {got.dtype}, promised {v.dtype}"
            np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-12, err_msg=what)
