"""Programs of these tests: compiled with and without the passes that make rounds an axis, and looked into."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensordsl
from tensordsl.codegen.compiler.pipeline import PIPELINE, optimise
from tensordsl.codegen.tensor_ir.graph import Value, toposort
from tensordsl.codegen.tensor_ir.lower import lower

PASSES = ("sum_products_behind", "independent_rounds", "hoist_sequence_work")


def values(inputs: list[Any], outputs: list[Any], without: tuple[str, ...] = ()) -> list[Value]:
    """The values of a function's IR behind the passes."""
    lowered = lower(inputs, [], outputs, [])
    return toposort(optimise(lowered.graph, lowered.outputs, [p for p in PIPELINE if p.name not in without]))


def loops(inputs: list[Any], outputs: list[Any], without: tuple[str, ...] = ()) -> list[Any]:
    """The loops that are left."""
    return [v.attrs["loop"] for v in values(inputs, outputs, without) if v.op == "for"]


def products(inputs: list[Any], outputs: list[Any], without: tuple[str, ...] = ()) -> tuple[int, int]:
    """How many products are in rounds, and how many are not."""
    found = [v for v in values(inputs, outputs, without) if v.op == "dot"]
    inside = sum(bool(v.loops) for v in found)
    return inside, len(found) - inside


def run(inputs: list[Any], outputs: list[Any], *calls: list[Any]) -> list[list[Any]]:
    """The results of some calls, the same with each of the passes switched off and with all of them off."""
    mode = tensordsl.compile.mode.get_default_mode()
    every = tensordsl.function(inputs, outputs, on_unused_input="ignore")
    results = [every(*call) for call in calls]
    for names in (PASSES, *((name,) for name in PASSES)):
        other = tensordsl.function(inputs, outputs, on_unused_input="ignore", mode=mode.excluding(*names))
        for call, expected in zip(calls, results, strict=True):
            for a, b in zip(other(*call), expected, strict=True):
                agree(a, b)
    return results


def agree(a: Any, b: Any) -> None:
    assert a.dtype == b.dtype and a.shape == b.shape
    np.testing.assert_allclose(
        a, b, rtol=1e-4 if a.dtype == np.float32 else 1e-8, atol=1e-4 if a.dtype == np.float32 else 1e-9
    )


def numbers(*shape: int, dtype: str = "float64", seed: int = 0) -> Any:
    return (np.random.default_rng([seed, *shape]).normal(size=shape) / 2).astype(dtype)
