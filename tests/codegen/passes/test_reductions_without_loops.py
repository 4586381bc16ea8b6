"""Reductions that need no loop: of repeated elements, and of a few values that are joined for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import optimise
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.codegen.tensor_ir.lower import lower

x, v, s = T.dmatrix("x"), T.dvector("v"), T.dscalar("s")
i = T.lvector("i")
REPEATED: dict[str, Callable[[], Any]] = {
    "ones": lambda: T.ones_like(x).sum(),
    "of columns": lambda: T.ones_like(x).sum(axis=0),
    "numbers": lambda: T.alloc(s, 4, 6).sum(axis=1),
    "integers": lambda: T.alloc(i, 5, i.shape[0]).sum(axis=0),
}
JOINED: dict[str, Callable[[], Any]] = {
    "conditions": lambda: T.all(T.stack([T.all(v > 0), s > 0])),
    "one of them": lambda: T.any(T.stack([s > 0, T.any(v > 3), s < -1])),
    "greatest": lambda: T.max(T.stack([s, v.sum(), 2 * s])),
    "rows": lambda: T.min(T.stack([v, 2 * v]), axis=0),
    "sum of rows": lambda: T.stack([v, v * 3, v * s]).sum(axis=0),
    "columns": lambda: T.stack([x, x * 2], axis=1).sum(axis=1),
    "six": lambda: T.stack([s * k for k in range(6)]).sum(),
}
OTHERS: dict[str, Callable[[], Any]] = {
    "negative": lambda: (-2.5 * T.ones_like(x)).sum(axis=1),
    "infinite": lambda: (T.ones_like(x) * np.inf).sum(),
    "any length": lambda: T.fill(x, s).sum(),
    "partly repeated": lambda: T.alloc(v, 5, v.shape[0]).sum(),
    "product": lambda: T.stack([s, s]).prod(),
    "parts": lambda: T.concatenate([v, v]).max(),
    "position": lambda: T.stack([s, s * 2]).argmax(),
    "many": lambda: T.stack([s * k for k in range(8)]).sum(),
}
NUMBERS = (0.0, -0.0, 1.5, -2.0, np.nan, np.inf, -np.inf)


def reductions(result: Any, *by: str) -> int:
    lowered = lower([x, v, s, i], [], [result], [])
    reduced = [w for w in toposort(optimise(lowered.graph, lowered.outputs)) if w.op == "reduce"]
    return sum(w.attrs["reducer"].name in by for w in reduced)


@pytest.mark.parametrize("name", REPEATED)
def test_a_sum_of_repeated_elements_is_a_product(name: str) -> None:
    assert reductions(REPEATED[name](), "sum") == 0


@pytest.mark.parametrize("name", JOINED)
def test_a_reduction_of_joined_values_is_an_operation_on_them(name: str) -> None:
    count = reductions(JOINED[name](), "all", "any", "max", "min", "sum")
    assert count == {"conditions": 1, "one of them": 1, "greatest": 1}.get(name, 0)


@pytest.mark.parametrize("name", [*REPEATED, *JOINED, *OTHERS])
def test_values_and_signs_of_zeros_are_those_of_the_reduction(name: str) -> None:
    result = {**REPEATED, **JOINED, **OTHERS}[name]()
    f, g = (
        tensordsl.function([x, v, s, i], result, mode=m, on_unused_input="ignore") for m in ("FAST_RUN", "REFERENCE")
    )
    for shape in ((2, 3), (5, 3), (0, 3), (2, 0), (0, 0)):
        for number in NUMBERS:
            for other in NUMBERS:
                row = np.full(shape[1], number)
                row[:1] = other
                given = np.full(shape, number), row, other, np.arange(1, 1 + shape[1])
                try:
                    want = g(*given)
                except ValueError as error:
                    with pytest.raises(ValueError, match=str(error)[:20].replace("(", ".")):
                        f(*given)
                    continue
                got = f(*given)
                assert got.dtype == want.dtype
                np.testing.assert_allclose(got, want, rtol=1e-14)
                if got.dtype == "float64":
                    known = ~np.isnan(want)
                    np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(want)[known])
