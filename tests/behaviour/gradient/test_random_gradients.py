"""Gradients of random expressions over operands that broadcast against each other, against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import tensordsl.tensor as T
from tensordsl.gradient import grad, verify_grad

# Smooth and bounded on all reals, so that differences are exact enough wherever the tree leads.
UNARY: dict[str, Callable[[Any], Any]] = {
    "sin": T.sin, "tanh": T.tanh, "sigmoid": T.nnet.sigmoid, "atan": T.arctan, "neg": lambda x: -x,
    "softplus": lambda x: T.nnet.softplus(T.sin(x)), "root": lambda x: T.sqrt(1.5 + T.sin(x)),
    "total": lambda x: T.sum(x), "mean": lambda x: T.mean(x, axis=x.ndim - 1, keepdims=True) if x.ndim else x,
    "flip": lambda x: x[::-1] if x.ndim and not x.broadcastable[0] else x,
    "softmax": lambda x: T.nnet.softmax(x) if x.ndim == 2 else x,
}  # fmt: skip
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
    "div": lambda x, y: x / (2 + T.sin(y)), "pow": lambda x, y: (1.5 + T.sin(x)) ** T.tanh(y),
    "switch": lambda x, y: T.switch(T.gt(T.sum(T.sin(x)), 0), x, y),
}  # fmt: skip
SHAPES = ((2, 3), (1, 3), (2, 1), (3,), ())

Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8
)


def build(program: list[Step], leaves: list[Any]) -> Any:
    """Each step applies an op to values made before; the result depends on the last one and on all leaves."""
    values = list(leaves)
    for name, i, j in program:
        x, y = values[-1 - i % len(values)], values[j % len(values)]
        values.append(UNARY[name](x) if name in UNARY else BINARY[name](x, y))
    return T.sum(T.tanh(values[-1])) + sum(T.sum(T.sin(v)) for v in values[: len(leaves)])


def points(seed: int) -> list[Any]:
    rng = np.random.RandomState(seed)
    return [np.asarray(rng.uniform(-1, 1, shape)) for shape in SHAPES]


@given(program=steps, seed=st.integers(0, 1000))
@settings(max_examples=40)
def test_gradients_of_random_expressions(program: list[Step], seed: int) -> None:
    verify_grad(lambda *leaves: build(program, list(leaves)), points(seed), n_tests=1, mode="REFERENCE")


@given(program=steps, seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_gradients_of_gradients_of_random_expressions(program: list[Step], seed: int) -> None:
    def norm(*leaves: Any) -> Any:
        return sum(T.sum(g**2) for g in grad(build(program, list(leaves)), list(leaves)))

    verify_grad(norm, points(seed), n_tests=1, mode="REFERENCE")


@given(program=steps)
def test_gradients_have_the_types_of_their_variables(program: list[Step]) -> None:
    leaves = [T.tensor("float32", [n == 1 for n in shape]) for shape in SHAPES]
    for g, leaf in zip(grad(build(program, leaves), leaves), leaves, strict=True):
        assert g.type == leaf.type
