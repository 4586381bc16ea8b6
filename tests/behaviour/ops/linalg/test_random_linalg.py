"""Random programs of linear algebra, of batches and complex numbers too: native results against the reference
evaluator, with gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matrices import random_matrices

import tensordsl
import tensordsl.tensor as T
from tensordsl.types import TensorType

LA = T.linalg


def adjoint(x: Any) -> Any:
    return T.conj(T.matrix_transpose(x))


def eye(x: Any) -> Any:
    return T.eye(x.shape[-1])


def size(x: Any) -> Any:
    """At least 1 and the largest element's size; smooth."""
    return T.sqrt(1 + T.sum(T.sqr(T.real(x)) + T.sqr(T.imag(x))))


def regular(x: Any) -> Any:
    """A well conditioned matrix."""
    return 3 * eye(x) + x / size(x)


def positive(x: Any) -> Any:
    return x @ adjoint(x) + eye(x)


def of_eigenvalues(x: Any) -> Any:
    w, v = LA.eigh(x + adjoint(x), "U")
    return (v * T.tanh(w)[..., None, :]) @ adjoint(v)


def of_singular_values(x: Any) -> Any:
    u, s, vh = LA.svd(x[..., 1:], full_matrices=False)
    return (u * T.sin(s)[..., None, :]) @ vh @ x[..., 1:, :]


def of_factors(x: Any) -> Any:
    lu, pivots = LA.lu_factor(regular(x))
    return LA.lu_solve((lu, pivots), T.tril(x), 1)


def scaled(x: Any, v: Any) -> Any:
    """x times a number for each matrix."""
    return x * v[..., None, None]


UNARY = (
    adjoint, T.tril, T.triu, lambda x: x[..., ::-1, :], lambda x: T.matrix_transpose(x) + 1, lambda x: T.sin(x.real) + x,
    lambda x: LA.cholesky(positive(x)), lambda x: LA.cholesky(positive(x), lower=False), lambda x: LA.inv(regular(x)),
    lambda x: abs(LA.qr(regular(x))[1]), lambda x: LA.qr(x)[0] @ LA.qr(x)[1], of_eigenvalues, of_singular_values,
    of_factors, lambda x: scaled(x, LA.slogdet(regular(x))[1]), lambda x: scaled(x, LA.det(regular(x))),
    lambda x: scaled(x, LA.svdvals(x)[..., 0]), lambda x: LA.expm(x / size(x)), lambda x: LA.matrix_power(x, 3),
    lambda x: LA.matrix_power(regular(x), -2), lambda x: x[..., 1:] @ LA.pinv(regular(x)[..., 1:]), lambda x: LA.lu(regular(x))[1] @ x,
    lambda x: scaled(x, LA.norm(x, axis=(-2, -1))), lambda x: scaled(x, LA.eigvalsh(positive(x))[..., -1]),
    lambda x: LA.solve_continuous_lyapunov(regular(x), x), lambda x: LA.block_diag(x[..., :1, :1], x[..., 1:, 1:]),
)  # fmt: skip
BINARY = (
    lambda x, y: x @ y, lambda x, y: x + y, lambda x, y: x * y, lambda x, y: LA.solve(regular(x), y),
    lambda x, y: LA.solve(regular(x), y, transposed=True), lambda x, y: LA.solve(positive(x), y, assume_a="pos"),
    lambda x, y: LA.solve_triangular(regular(x), y, lower=True), lambda x, y: LA.solve_triangular(regular(x), y, trans=2),
    lambda x, y: LA.solve(regular(x), y[..., 0], b_ndim=1)[..., None] * y, lambda x, y: x[..., 1:] @ LA.lstsq(regular(x)[..., 1:], y)[0],
    lambda x, y: LA.cho_solve((LA.cholesky(positive(x)), True), y), lambda x, y: scaled(x, LA.eigvalsh(positive(x), positive(y))[..., 0]),
    lambda x, y: T.switch(LA.det(regular(x)).real.sum() > 0, x, y), lambda x, y: LA.solve_sylvester(regular(x), regular(y), x),
)  # fmt: skip


def grow(pool: list[Any], choices: Sequence[int]) -> list[Any]:
    """All values of a program, each scaled to elements of size 1 at most."""
    for c in choices:
        rest = c // 2
        x, y = pool[-1 - rest % min(3, len(pool))], pool[rest % len(pool)]
        made = UNARY[rest % len(UNARY)](x) if c % 2 else BINARY[rest % len(BINARY)](x, y)
        pool.append(made / size(made))
    return pool


@given(
    st.lists(st.integers(0, 2 * len(UNARY) * len(BINARY)), min_size=1, max_size=5),
    st.sampled_from([("float64", "float64"), ("complex128", "float64"), ("float64", "complex128"), ("int64", "float64"), ("float32", "float32"), ("complex64", "float32")]),
    st.sampled_from([(), (2,), (3, 2)]),
    st.integers(2, 6),
    st.booleans(),
)  # fmt: skip
def test_random_programs_agree_with_the_reference(
    choices: list[int], dtypes: tuple[str, str], batch: tuple[int, ...], n: int, is_known: bool
) -> None:
    shape = (*batch, n, n)
    variables = [TensorType(t, shape if is_known else (None,) * len(shape))() for t in dtypes]
    arrays = [
        (3 * random_matrices("float64" if t == "int64" else t, *shape, seed=k)).astype(t) for k, t in enumerate(dtypes)
    ]
    pool = grow(list(variables), choices)
    cost = T.sum(T.sin(T.real(pool[-1])))
    wrt = [v for v in variables if v.type.dtype != "int64"]
    outputs = [pool[-1], cost, *T.grad(cost, wrt, disconnected_inputs="ignore")]
    want = tensordsl.function(variables, outputs, mode="REFERENCE", on_unused_input="ignore")(*arrays)
    got = tensordsl.function(variables, outputs, on_unused_input="ignore")(*arrays)
    for ours, theirs in zip(got, want, strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        close = 5e-3 if "float32" in dtypes else 1e-6
        scale = max(1, np.abs(theirs).max(initial=0))
        np.testing.assert_allclose(ours, theirs, rtol=close, atol=close * scale)
