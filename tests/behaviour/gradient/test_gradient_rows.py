"""Every gradient in the op table against finite differences, to the first and the second order."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.gradient import grad, verify_grad
from tensordsl.graph import Elementwise, Op, apply
from tensordsl.ops.array.arrange import fitting_mask
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.write import inc_subtensor, set_subtensor
from tensordsl.ops.control import require
from tensordsl.ops.table import OPS
from tensordsl.tensor.signal import pool

Case = tuple[str, Callable[..., Any], tuple[tuple[int, ...], ...]]

# Operands' shapes, by their number: equal, broadcast, of lower rank, 0-d.
SHAPES: dict[int, tuple[tuple[tuple[int, ...], ...], ...]] = {
    1: (((3,),), ((),)),
    2: (((2, 3), (2, 3)), ((2, 1), (3,)), ((), (2,)), ((1, 3), (2, 1))),
    3: (((2, 3), (1, 3), ()), ((3,), (3,), (3,))),
}
DOMAINS = {"mod": (1.0, 10.0)}  # x mod y jumps often where y is small


def arity(row: Op) -> int:
    assert row.gradient is not None
    return len(inspect.signature(row.gradient).parameters) - 2


RANDOM = (
    "random_gamma",
    "random_log_gamma",
    "random_normal_tail",
    "random_von_mises",
    "noncentral",
)  # whose operands are a counter and a key before others
# Without a derivative by the order, or a second one: `OTHERS` has constant orders.
BY_ARGUMENT = ("iv", "ive", "ive_by_order", "jv", "jv_by_order", "yv")
NOT_OF_VECTORS = (*BY_ARGUMENT, "cast", "second", "clip", "range_number", *RANDOM)
ELEMENTWISE = [
    row
    for row in OPS.values()
    if isinstance(row.meaning, Elementwise) and row.gradient is not None and row.name not in NOT_OF_VECTORS
]


def row(name: str, *operands: Any, **attrs: Any) -> Any:
    return apply(OPS[name], *operands, **attrs)


def flat(parts: Any) -> Any:
    """All parts of a factorisation in one vector."""
    return T.concatenate([T.flatten(part) for part in parts])


def max_pool_gradient(x: Any) -> tuple[Any, Any]:
    """The gradient of a pool of x by x, and what its windows get."""
    g = T.zeros((2, 2))
    return pool.MaxPoolGrad(True)(x, pool.pool_2d(x, (2, 2), True), g, (2, 2)), g


OTHERS: list[Case] = [
    ("cast", lambda x: T.cast(T.cast(x, "float64"), "float64") * 2, ((3,),)),
    ("fold", lambda x: apply(OPS["fold"], x, T.constant(1, dtype="int64"), axes=(1,)) * 2, ((2, 3),)),
    ("range_number", lambda x: T.arange(x[0], 9.0, T.exp(x[1])), ((2,),)),
    ("second", lambda x, y: T.second(x, y), ((2, 3), (1, 3))),
    ("sum", lambda x: T.sum(x), ((2, 3),)),
    ("sum", lambda x: T.sum(x, axis=1), ((2, 3),)),
    ("sum", lambda x: T.sum(x, axis=(0, 2), keepdims=True), ((2, 3, 2),)),
    ("prod", lambda x: T.prod(x, axis=0), ((3, 2),)),
    ("max", lambda x: T.max(x, axis=1), ((2, 3),)),
    ("min", lambda x: T.min(x), ((2, 3),)),
    ("dot", lambda x, y: T.dot(x, y), ((3,), (3,))),
    ("dot", lambda x, y: T.dot(x, y), ((2, 3), (3,))),
    ("dot", lambda x, y: T.dot(x, y), ((3,), (3, 2))),
    ("dot", lambda x, y: T.dot(x, y), ((2, 3), (3, 2))),
    ("dot", lambda x, y: T.dot(x, y), ((), (3,))),
    ("dot", lambda x, y: T.tensordot(x, y, axes=[[1, 2], [0, 1]]), ((2, 3, 2), (3, 2, 2))),
    ("dot", lambda x, y: T.batched_dot(x, y), ((2, 2, 3), (2, 3, 2))),
    ("dot", lambda x, y: T.outer(x, y), ((2,), (3,))),
    ("dimshuffle", lambda x: x.dimshuffle(1, "x", 0) * x.dimshuffle(1, 0, "x"), ((2, 3),)),
    ("dimshuffle", lambda x: x.dimshuffle(1), ((1, 3),)),
    ("reshape", lambda x: T.reshape(x, (3, 2)), ((2, 3),)),
    ("reshape", lambda x: T.flatten(x), ((2, 3),)),
    ("reshape", lambda x: T.reshape(x, (-1, 2), ndim=2), ((2, 1, 3),)),
    ("broadcast_to", lambda x: T.alloc(x, 2, 3), ((3,),)),
    ("concatenate", lambda x, y: T.concatenate([x, y, x], axis=1), ((2, 3), (2, 1))),
    ("concatenate", lambda x, y: T.stack([x, y]), ((3,), (3,))),
    ("subtensor", lambda x: x[1], ((3,),)),
    ("subtensor", lambda x: x[::-1, 1:3], ((2, 3),)),
    ("subtensor", lambda x: x[-2, None, ...] * x, ((3, 3),)),
    ("subtensor", lambda x: x[x.shape[0] - 1 :: -2], ((4,),)),
    ("inc_subtensor", lambda x, y: inc_subtensor(x[1:], y), ((3,), (2,))),
    ("inc_subtensor", lambda x, y: set_subtensor(x[:, 1], y), ((2, 3), (2,))),
    ("inc_subtensor", lambda x, y: set_subtensor(x[:, 1], y), ((2, 3), ())),
    ("take", lambda x: getitem(x, [2, 0, 2]), ((3,),)),
    ("take", lambda x: x[[0, 1, 1], [2, 0, 0]], ((2, 3),)),
    ("inc_take", lambda x, y: inc_subtensor(getitem(x, [2, 0, 2]), y), ((3,), (3,))),
    ("inc_take", lambda x, y: set_subtensor(getitem(x, [2, 0]), y), ((3,), (2,))),
    ("take", lambda x: x[np.array([True, False, True])], ((3, 2),)),
    ("take", lambda x: x[T.ge(x, 0)], ((2, 3),)),
    ("take", lambda x: x.nonzero_values(), ((2, 3),)),
    ("take", lambda x: x.diagonal(1) * x.trace(), ((2, 3),)),
    ("take", lambda x, y: T.choose([0, 1, 0], [x, y]), ((3,), (2, 3))),
    ("take", lambda x: T.repeat(x, [2, 0, 1], axis=1), ((2, 3),)),
    ("inc_take", lambda x, y: x[x[:, 0] > 0].inc(y), ((3, 2), (2,))),
    ("switch", lambda x, y: x[x > 0].set(y), ((3, 2), ())),
    ("cumsum", lambda x: T.cumsum(x, axis=1), ((2, 3),)),
    ("cumprod", lambda x: T.cumprod(x, axis=0), ((3, 2),)),
    ("cumprod", lambda x: T.cumprod(x * np.array([1.0, 0.0, 1.0, 0.0])), ((4,),)),
    ("sort", lambda x: T.sort(x, axis=0) * T.topk(x, 2, axis=0)[0], ((3, 2),)),
    ("composed", lambda x: T.median(x, axis=1), ((2, 4),)),
    ("require", lambda x: require(x, T.all(x < 99), "too large") * x, ((3,),)),
    ("mask_shape", lambda x: fitting_mask(x > 0, x) * x, ((3,),)),
    ("specify_shape", lambda x: T.specify_shape(x, (2, None)), ((2, 3),)),
    ("conv", lambda x, y: T.nnet.conv2d(x, y, subsample=(1, 2), border_mode="half"), ((2, 2, 4, 5), (3, 2, 2, 3))),
    ("conv", lambda x, y: T.nnet.causal_conv1d(x, y, (4, 1, 2), num_groups=2), ((2, 2, 4), (4, 1, 2))),
    (
        "conv_inputs",
        lambda x, y: T.nnet.conv2d_transpose(x, y, (2, 2, 4, 5), input_dilation=(1, 2), border_mode=(0, (1, 1))),
        ((2, 3, 3, 3), (3, 2, 2, 3)),
    ),
    (
        "conv_weights",
        lambda x, y: T.nnet.conv2d_grad_wrt_weights(x, y, (3, 2, 2, 3), subsample=(1, 2), filter_dilation=(2, 1)),
        ((2, 2, 4, 5), (2, 3, 2, 2)),
    ),
    ("batched_dot", lambda x, y: T.batched_dot(x, y), ((2, 2, 3), (2, 3, 2))),
    ("batched_dot", lambda x, y: T.matmul(x, y), ((2, 2), (2, 2, 1))),
    ("concatenate", lambda x: T.roll(x, 2, axis=1)[1:] * T.diff(T.roll(x, 1), axis=0), ((2, 3),)),
    ("composed", lambda x: T.diag(x, 1) + T.tril(T.outer(x, x).repeat(2, 0).repeat(2, 1)[:4, :4]), ((3,),)),
    ("composed", lambda x, y: T.logaddexp(x, y), ((3,), (3,))),
    ("xlogy", lambda x, y: T.xlogy(x, T.sqr(y) + 0.5), ((3,), (3,))),
    ("xlogx", lambda x: T.xlogx.xlogx(T.sqr(x) + 0.5), ((3,),)),
    ("composed", lambda x, y: T.linspace(x, y, 4) * T.fill_diagonal(T.outer([1, 2, 3, 4], [1, 1]), x)[:, 0], ((), ())),
    ("batch_normalization", lambda x, a, b: T.nnet.batch_normalization_train(x, a, b)[0], ((4, 2), (2,), (1, 2))),
    ("mean", lambda x: T.mean(x, axis=0), ((2, 3),)),
    ("var", lambda x: x.var(axis=1), ((2, 3),)),
    ("softmax", lambda x: T.nnet.softmax(x), ((2, 3),)),
    ("pool", lambda x: pool.pool_2d(x, (2, 3), False, (1, 2)), ((2, 4, 5),)),
    ("pool", lambda x: pool.pool_2d(x, (2, 2), True, (1, 1), (1, 0), "average_exc_pad"), ((3, 4),)),
    (
        "max_pool_grad",
        lambda x, g: pool.MaxPoolGrad(True)(x, pool.pool_2d(x, (2, 2), True), g, (2, 2)),
        ((4, 5), (2, 2)),
    ),
    (
        "max_pool_at",
        lambda x, g: T.Lop(*max_pool_gradient(x), g),
        ((4, 5), (4, 5)),
    ),
    ("pool_grad", lambda x, g: pool.AveragePoolGrad(True, "sum")(x, g, (2, 3), (1, 2)), ((4, 5), (3, 2))),
    ("logsoftmax", lambda x: T.nnet.logsoftmax(x), ((2, 3),)),
    ("clip", lambda x, low, high: T.clip(2 * x, -1 - T.sqr(low), 1 + T.sqr(high)), ((2, 3), (3,), ())),
    ("polygamma", lambda x: T.polygamma(2, T.sqr(x) + 1), ((3,),)),
    ("gammainc", lambda a, x: T.gammainc(T.sqr(a) + 0.5, T.sqr(x) + 1), ((3,), (3,))),
    ("gammaincc", lambda a, x: T.gammaincc(T.sqr(a) + 0.5, T.sqr(x) + 1), ((3,), ())),
    ("betaln", lambda a, b: T.betaln(T.sqr(a) + 0.5, T.sqr(b) + 1), ((3,), ())),
    ("beta", lambda a, b: T.beta(T.sqr(a) + 0.5, T.sqr(b) + 1), ((3,), ())),
    ("poch", lambda a, b: T.poch(T.sqr(a) + 0.5, b), ((3,), ())),
    ("factorial", lambda x: T.factorial(T.sqr(x) + 0.5), ((3,),)),
    ("betainc", lambda a, b, x: T.betainc(T.sqr(a) + 0.5, T.sqr(b) + 0.5, T.sigmoid(x)), ((2,), (), (2,))),
    ("betaincinv", lambda a, b, x: T.betaincinv(T.sqr(a) + 0.5, T.sqr(b) + 0.5, T.sigmoid(x)), ((2,), (), (2,))),
    ("gammaincinv", lambda a, x: T.gammaincinv(T.sqr(a) + 0.5, T.sigmoid(x)), ((2,), ())),
    ("gammainccinv", lambda a, x: T.gammainccinv(T.sqr(a) + 0.5, T.sigmoid(x)), ((2,), ())),
    ("zeta", lambda s, q: T.zeta(T.sqr(s) + 1.5, T.sqr(q) + 0.5), ((3,), ())),
    ("expn", lambda x: T.expn([1, 2, 3], T.sqr(x) + 0.5), ((3,),)),
    ("owens_t", lambda h, a: T.owens_t(h, a), ((3,), (3,))),
    ("kv", lambda v, x: T.kv(v, T.sqr(x) + 0.5), ((3,), (3,))),
    (
        "betainc_moment",
        lambda x: apply(OPS["betainc_moment"], T.sqr(x) + 0.5, T.exp(x), T.sigmoid(x), j=1, k=1),
        ((3,),),
    ),
    ("gammainc_moment", lambda a, x: apply(OPS["gammainc_moment"], T.exp(a), T.sqr(x) + 0.5, j=2), ((3,), (3,))),
    ("kve", lambda v, x: T.kve(v, T.sqr(x) + 0.5), ((3,), (3,))),
    ("kve_by_order", lambda v, x: apply(OPS["kve_by_order"], v, T.sqr(x) + 0.5, moment=1), ((3,), (3,))),
    ("iv", lambda x: T.iv([0.5, 1.0, -0.3], T.sqr(x) + 0.5), ((3,),)),
    ("ive", lambda x: T.ive([0.5, 1.0, -0.3], T.sqr(x) + 0.5), ((3,),)),
    ("ive_by_order", lambda x: apply(OPS["ive_by_order"], T.constant([0.5, 1.0, 2.3]), T.sqr(x) + 0.5), ((3,),)),
    ("jv", lambda x: T.jv([0.5, 1.0, 2.3], T.sqr(x) + 0.5), ((3,),)),
    ("yv", lambda x: T.yv([0.5, 1.0, -0.3], T.sqr(x) + 0.5), ((3,),)),
    ("jv_by_order", lambda x: apply(OPS["jv_by_order"], T.constant([0.5, 1.0, 2.3]), T.sqr(x) + 0.5), ((3,),)),
    ("hyp2f1", lambda z: T.hyp2f1([0.5, 1.0, -0.3], 1.2, 2.5, T.tanh(z)), ((3,),)),
    (
        "hyp2f1_by_parameter",
        lambda z: apply(OPS["hyp2f1_by_parameter"], *map(T.constant, (0.5, 1.2, 2.5)), T.tanh(z), by=0),
        ((3,),),
    ),
    ("logsumexp", lambda x: T.logsumexp(x, axis=1), ((2, 3),)),
    ("cholesky", lambda x: row("cholesky", x + 9 * T.eye(3), lower=True, on_error="raise"), ((2, 3, 3),)),
    ("cholesky", lambda x: row("cholesky", x + 9 * T.eye(3), lower=False, on_error="nan"), ((3, 3),)),
    ("cholesky_vjp", lambda x, g: row("cholesky_vjp", x + 3 * T.eye(3), g), ((2, 3, 3), (2, 3, 3))),
    *(
        (
            "solve_triangular",
            partial(
                lambda x, y, **attrs: row("solve_triangular", x + 3 * T.eye(3), y, **attrs),
                lower=lower,
                trans=trans,
                unit_diagonal=unit_diagonal,
            ),
            ((2, 3, 3), (2, 3, 2)),
        )
        for lower in (True, False)
        for trans in (0, 1)
        for unit_diagonal in (True, False)
    ),
    ("lu_factor", lambda x: row("lu_factor", x)[0], ((2, 4, 4),)),
    ("lu_factor", lambda x: row("lu_factor", x)[0], ((5, 3),)),
    ("lu_factor", lambda x: row("lu_factor", x)[0], ((3, 5),)),
    (
        "swap_rows",
        lambda x: row("swap_rows", x, row("lu_factor", T.constant(np.eye(3)[::-1]))[1], inverse=True),
        ((3, 2),),
    ),
    ("lu_solve", lambda x, y: row("lu_solve", *row("lu_factor", x), y, trans=0), ((3, 3), (3, 2))),
    ("lu_solve", lambda x, y: row("lu_solve", *row("lu_factor", x), y, trans=1), ((2, 3, 3), (2, 3, 1))),
    ("solve", lambda x, y: row("solve", x + 3 * T.eye(3), y, trans=0), ((2, 3, 3), (2, 3, 2))),
    ("solve", lambda x, y: row("solve", x + 3 * T.eye(3), y, trans=1), ((3, 3), (3, 2))),
    ("matrix_inverse", lambda x: row("matrix_inverse", x + 3 * T.eye(3)), ((2, 3, 3),)),
    ("det", lambda x: row("det", x), ((2, 3, 3),)),
    ("slogdet", lambda x: row("slogdet", x)[1], ((2, 3, 3),)),
    ("qr", lambda x: flat(row("qr", x, mode="reduced")), ((4, 3),)),
    ("qr", lambda x: flat(row("qr", x, mode="reduced")), ((2, 3, 4),)),
    ("qr", lambda x: flat(row("qr", T.specify_shape(x, (3, 3)), mode="complete")), ((3, 3),)),
    ("qr", lambda x: row("qr", x, mode="reduced")[0], ((3, 4),)),
    ("qr", lambda x: row("qr", x, mode="reduced")[1], ((3, 4),)),
    ("svd", lambda x: flat(row("svd", x, full_matrices=False)), ((4, 3),)),
    ("svd", lambda x: flat(row("svd", x, full_matrices=False)), ((2, 3, 4),)),
    ("svd", lambda x: flat(row("svd", T.specify_shape(x, (3, 3)), full_matrices=True)), ((3, 3),)),
    ("svd", lambda x: row("svd", x, full_matrices=True)[1], ((4, 3),)),
    ("svdvals", lambda x: row("svdvals", x), ((2, 3, 4),)),
    ("eigh", lambda x: flat(row("eigh", x, lower=True)), ((2, 3, 3),)),
    ("eigh", lambda x: flat(row("eigh", x, lower=False)), ((3, 3),)),
    ("eigvalsh", lambda x: row("eigvalsh", x, lower=False), ((3, 3),)),
    ("eig", lambda x: T.flatten(abs(row("eig", x)[1])), ((3, 3),)),
    ("eig", lambda x: T.imag(row("eig", x)[0]), ((2, 3, 3),)),
    ("eigvals", lambda x: T.real(row("eigvals", x)), ((3, 3),)),
    ("pinv", lambda x: T.linalg.pinv(x), ((3, 2),)),
    ("pinv", lambda x: T.linalg.pinv(x), ((2, 2, 3),)),
    ("pinv", lambda x: T.linalg.pinv(T.outer(x, T.exp(x / 4))), ((3,),)),
    ("lstsq", lambda x, y: T.linalg.lstsq(x, y)[0], ((4, 2), (4,))),
    ("lstsq", lambda x, y: T.linalg.lstsq(x, y)[0], ((2, 2, 3), (2, 2, 2))),
    ("expm", lambda x: T.linalg.expm(x), ((3, 3),)),
    ("expm", lambda x: T.linalg.expm(x), ((2, 2, 2),)),
    ("solve_sylvester", lambda x, y, z: T.linalg.solve_sylvester(x + 9 * T.eye(3), y, z), ((3, 3), (2, 2), (3, 2))),
    ("composed", lambda x, y: T.linalg.solve_discrete_lyapunov(x / 9, y), ((3, 3), (3, 3))),
    ("composed", lambda x, y: T.linalg.solve_discrete_lyapunov(x / 9, y, "direct"), ((2, 2), (2, 2))),
    ("composed", lambda x, y: T.linalg.solve_continuous_lyapunov(x + 9 * T.eye(2), y), ((2, 2), (2, 2))),
    (
        "solve_discrete_are",
        lambda a, b, q, r: T.linalg.solve_discrete_are(a, b, q.dot(q.T) + T.eye(3), r.dot(r.T) + T.eye(2)),
        ((3, 3), (3, 2), (3, 3), (2, 2)),
    ),
    ("composed", lambda x, y: T.linalg.eigvalsh(x.dot(x.T), y.dot(y.T) + 9 * T.eye(3)), ((3, 3), (3, 3))),
    ("composed", lambda x, y: flat(T.linalg.eigh(x, y.dot(y.T) + 9 * T.eye(3))), ((3, 3), (3, 3))),
    ("composed", lambda x, y: flat(T.linalg.eigh(x, y.dot(y.T) + 9 * T.eye(3), False, type=2)), ((3, 3), (3, 3))),
    ("composed", lambda x, y: flat(T.linalg.eigh(x, y.dot(y.T) + 9 * T.eye(3), type=3)), ((3, 3), (3, 3))),
    ("sqrtm", lambda x: T.linalg.sqrtm(x + 9 * T.eye(3)), ((3, 3),)),
    ("logm", lambda x: T.linalg.logm(x + 9 * T.eye(3)), ((2, 3, 3),)),
    ("composed", lambda x: T.linalg.norm(x, 2) + T.linalg.norm(x, "nuc") + T.linalg.cond(x), ((3, 2),)),
    ("composed", lambda x: T.linalg.matrix_power(x, -2), ((3, 3),)),
    ("composed", lambda x, y: T.linalg.cho_solve((T.linalg.cholesky(x.dot(x.T) + T.eye(3)), True), y), ((3, 3), (3,))),
]
# Rows whose gradient is checked elsewhere, or says nothing about numbers.
ELSEWHERE = {
    "shape_i": "a length depends on no element",
    **dict.fromkeys(RANDOM, "tests/behaviour/ops/random/test_draw_rules.py"),
    "for": "tests/behaviour/gradient/test_loop_gradient.py", "while": "tests/behaviour/loops/test_while.py",
    "ifelse": "tests/behaviour/gradient/test_loop_gradient.py",
    **dict.fromkeys(("real", "imag", "complex"), "tests/behaviour/ops/math/test_complex.py"),
    "ultra_fast_sigmoid": "tests/behaviour/ops/test_nnet.py",
    "print": "tests/behaviour/ops/test_control.py", "assert": "tests/behaviour/ops/test_control.py",
    **dict.fromkeys(
        ("consider_constant", "zero_grad", "disconnected_grad", "grad_clip", "grad_scale"),
        "tests/behaviour/gradient/test_grad.py",
    ),
}  # fmt: skip


def points(shapes: tuple[tuple[int, ...], ...], domain: tuple[float, float]) -> list[Any]:
    rng = np.random.RandomState(7)
    return [np.asarray(rng.uniform(*domain, size=shape)) for shape in shapes]


def weighted_gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that gives one vector: all gradients of a weighted sum of `function`'s results."""

    def gradients(*variables: Any) -> Any:
        result = T.flatten(function(*variables))
        cost = T.sum(result * T.sin(T.arange(result.shape[0]) + 1.0))
        return T.concatenate([T.flatten(g) for g in grad(cost, list(variables), disconnected_inputs="ignore")])

    return gradients


def check(function: Callable[..., Any], at: list[Any]) -> None:
    verify_grad(function, at, n_tests=1, mode="REFERENCE")


@pytest.mark.parametrize(
    ("row", "shapes"),
    [pytest.param(row, s, id=f"{row.name}-{s}") for row in ELEMENTWISE for s in SHAPES[arity(row)]],
)
def test_the_gradient_of_an_elementwise_row(row: Op, shapes: tuple[tuple[int, ...], ...]) -> None:
    at = points(shapes, DOMAINS.get(row.name, row.domain))
    check(lambda *x: apply(row, *x), at)


@pytest.mark.parametrize("row", ELEMENTWISE, ids=lambda row: row.name)
def test_the_second_order_gradient_of_an_elementwise_row(row: Op) -> None:
    at = points(SHAPES[arity(row)][-1], DOMAINS.get(row.name, row.domain))
    second = weighted_gradients(lambda *x: apply(row, *x))
    check(second, at)


@pytest.mark.parametrize("case", OTHERS, ids=[f"{k}-{name}" for k, (name, _, _) in enumerate(OTHERS)])
def test_the_gradients_of_the_other_rows_to_second_order(case: Case) -> None:
    _, function, shapes = case
    at = points(shapes, (-2.0, 2.0))
    check(function, at)
    check(weighted_gradients(lambda *x: T.tanh(function(*x))), at)


def test_every_row_with_a_gradient_is_checked() -> None:
    checked = {row.name for row in ELEMENTWISE} | {name for name, _, _ in OTHERS} | set(ELSEWHERE)
    assert {row.name for row in OPS.values() if row.gradient is not None} - checked == set()


def test_a_row_without_gradient_says_why() -> None:
    for row in OPS.values():
        has_definition = type(row.meaning).__name__ == "Expand"
        assert row.gradient is not None or row.no_gradient or has_definition, row.name
