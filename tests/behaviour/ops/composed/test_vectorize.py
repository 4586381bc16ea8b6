"""Expressions of stacks: what each element of the stacks gives, stacked, for every rule and kind of stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T

RNG = np.random.default_rng(11)
# Expressions of a vector x of 4 elements, a matrix m of 4 by 4, and positions i of 3 elements below 4.
EXPRESSIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "elementwise": lambda x, m, i: T.exp(x) + m * 2,
    "elementwise of other ranks": lambda x, m, i: m + x[0] * x,
    "cast": lambda x, m, i: T.cast(x * 10, "int32") + i[0],
    "sum": lambda x, m, i: m.sum(axis=0) + x,
    "sum of all": lambda x, m, i: m.sum() * x.max(),
    "argmax": lambda x, m, i: T.argmax(m, axis=1) + T.argmin(x),
    "logical": lambda x, m, i: T.any(m > x, axis=1),
    "keepdims": lambda x, m, i: x - x.mean(keepdims=True) / m.std(axis=1, keepdims=True).flatten(),
    "cumsum": lambda x, m, i: T.cumsum(m, axis=1) + T.cumprod(x),
    "sort": lambda x, m, i: T.sort(m, axis=0) + T.argsort(x),
    "softmax": lambda x, m, i: T.nnet.softmax(m) + T.nnet.logsoftmax(m, axis=0),
    "logsumexp": lambda x, m, i: T.logsumexp(m, axis=0),
    "transposed": lambda x, m, i: m.T + x[:, None],
    "reshaped": lambda x, m, i: m.reshape((2, 8)).sum(0) + T.flatten(m)[:8],
    "reshaped to the rest": lambda x, m, i: m.reshape((-1, 2)),
    "lengths": lambda x, m, i: x.shape[0] * x + m.size,
    "broadcast": lambda x, m, i: T.broadcast_to(x, (2, 4)) + T.alloc(x[0], 2, 4),
    "joined": lambda x, m, i: T.concatenate([m, x[None]], axis=0),
    "stacked": lambda x, m, i: T.stack([x, m[0], T.zeros(4)], axis=1),
    "specified": lambda x, m, i: T.specify_shape(m, (4, None))[1:3],
    "vector dot vector": lambda x, m, i: T.dot(x, m[0]),
    "matrix dot vector": lambda x, m, i: T.dot(m, x),
    "vector dot matrix": lambda x, m, i: T.dot(x, m),
    "matrix dot matrix": lambda x, m, i: m @ m.T,
    "batched dot": lambda x, m, i: T.batched_dot(m.reshape((2, 2, 4)), m.reshape((2, 4, 2))),
    "outer": lambda x, m, i: T.outer(x, m[0]),
    "einsum": lambda x, m, i: T.einsum("ij,j,k->ik", m, x, x),
    "slices": lambda x, m, i: x[1:3] + m[::-2, -1],
    "element": lambda x, m, i: x[2] + m[0, 1],
    "element by position": lambda x, m, i: x[i[0]] + m[1, i[1]] + m[i[0], i[2]],
    "row by position": lambda x, m, i: m[i[0]] + m[:, i[1]],
    "slices by position": lambda x, m, i: m[i[0], 1:3] + m[1:3, i[1]],
    "taken": lambda x, m, i: x[i] + m[i, 0] + m[1, i],
    "taken rows": lambda x, m, i: m[i] * x[i][:, None],
    "taken columns": lambda x, m, i: m[:, i],
    "taken pairs": lambda x, m, i: m[i, i[::-1]],
    "taken apart": lambda x, m, i: m.reshape((2, 2, 4))[i % 2, :, i],
    "taken matrices": lambda x, m, i: x[T.outer(i, i) % 4],
    "known positions": lambda x, m, i: x[[2, 0]] + m[[0, 1], [3, 3]] + m.reshape((2, 2, 4))[[0, 1], :, [0, 1]].sum(1),
    "set": lambda x, m, i: T.set_subtensor(x[1:3], m[0, :2]) + T.inc_subtensor(m[1], 2.0)[1],
    "inc rows": lambda x, m, i: T.inc_subtensor(m[1:], x),
    "set at position": lambda x, m, i: T.set_subtensor(x[i[0]], 9.0),
    "inc at positions": lambda x, m, i: T.inc_subtensor(x[i], 1.0) + T.inc_subtensor(m[i], x)[0],
    "inc at columns": lambda x, m, i: T.inc_subtensor(m[:, i], x[:, None]),
    "inc at pairs": lambda x, m, i: T.inc_subtensor(m[i, i], x[:3]),
    "set at known positions": lambda x, m, i: T.set_subtensor(m[[0, 2]], x),
    "mask": lambda x, m, i: T.set_subtensor(x[x > 0], 0.0),
    "choice": lambda x, m, i: T.switch(x > 0, m, -m),
    "ifelse": lambda x, m, i: tensordsl.ifelse.ifelse(x[0] > 0, m * 2, x * m),
    "searched": lambda x, m, i: T.searchsorted(T.constant([-1.0, 0.0, 1.0]), m) + T.searchsorted(T.sort(x), 0.1),
    "clip": lambda x, m, i: T.clip(m, -1, x),
    "tril": lambda x, m, i: T.tril(m) + T.diag(x),
    "diagonal": lambda x, m, i: T.diagonal(m, 1) + T.trace(m),
    "median": lambda x, m, i: T.median(m, axis=1) + T.quantile(x, 0.3),
    "interp": lambda x, m, i: T.interp(m, T.sort(x), x),
    "nan": lambda x, m, i: T.nanmean(T.log(m), axis=0),
    "gradient": lambda x, m, i: T.grad((T.tanh(m @ x) ** 2).sum(), x),
    "hessian's diagonal": lambda x, m, i: T.grad(T.grad((x**3 * m).sum(), x).sum(), x),
    "loop": lambda x, m, i: tensordsl.scan(lambda s: T.tanh(m @ s), outputs_info=x, n_steps=3)[0],
    "gcd": lambda x, m, i: T.gcd(i, 6),
    "print and assert": lambda x, m, i: T.opt.Assert("all are finite")(x, T.all(T.isfinite(x))) * 2,
    "cholesky": lambda x, m, i: T.slinalg.cholesky(m @ m.T + 20 * T.eye(4)) @ x,
    "solve": lambda x, m, i: T.slinalg.solve(m + 9 * T.eye(4), m),
    "solve a triangular system": lambda x, m, i: T.linalg.solve_triangular(T.tril(m) + 5 * T.eye(4), x, lower=True),
    "det": lambda x, m, i: T.linalg.det(m) + T.linalg.slogdet(m)[1],
    "inverse": lambda x, m, i: T.linalg.inv(m + 9 * T.eye(4)) @ x,
    "eigh": lambda x, m, i: T.linalg.eigh(m + m.T)[0],
    "pinv": lambda x, m, i: T.linalg.pinv(m) + T.linalg.expm(m / 9),
}  # fmt: skip

# Axes in front of x, m and i; 0 says that the variable is not replaced.
STACKS: dict[str, tuple[Any, Any, Any]] = {
    "x": ((3,), None, None), "m": (None, (3,), None), "i": (None, None, (3,)), "all": ((3,), (3,), (3,)),
    "two axes": ((2, 3), (2, 3), (2, 3)), "broadcast": ((2, 1), (3,), (2, 3)), "of one": ((1,), (1,), (1,)),
    "none": ((0,), (0,), (0,)),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_each_element_of_a_stack_is_what_its_variables_give(name: str) -> None:
    x, m, i = T.tensor("float64", shape=(4,), name="x"), T.matrix("m"), T.lvector("i")
    built = EXPRESSIONS[name](x, m, i)
    plain = tensordsl.function([x, m, i], built, on_unused_input="ignore")
    inputs, outputs, arrays, wants = [], [], [], []
    for fronts in STACKS.values():
        stacks, replace = [], {}
        for v, front, shape in zip((x, m, i), fronts, ((4,), (4, 4), (3,)), strict=True):
            full = (*(front or ()), *shape)
            array = RNG.integers(0, 4, full) if v is i else RNG.normal(size=full)
            known = (
                tuple(1 if n == 1 else None for n in front or ()) + (4,) * (v is x) + (None,) * (v.ndim * (v is not x))
            )
            symbol = T.TensorType(v.dtype, known)()
            inputs.append(symbol)
            arrays.append(array)
            stacks.append(array)
            replace[v] = symbol
        outputs.append(T.vectorize_graph(built, replace))
        batch = np.broadcast_shapes(*(f or () for f in fronts))
        wide = [np.broadcast_to(a, (*batch, *shape)) for a, shape in zip(stacks, ((4,), (4, 4), (3,)), strict=True)]
        results = [plain(*(w[at] for w in wide)) for at in np.ndindex(*batch)]
        wants.append((batch, results))
    found = tensordsl.function(inputs, outputs, on_unused_input="ignore")(*arrays)
    for stack, v, got, (batch, results) in zip(STACKS, outputs, found, wants, strict=True):
        assert v.dtype == built.dtype, (name, stack)
        if not results:
            assert got.size == 0 or got.ndim == built.ndim, (name, stack)
            continue
        if got.ndim == built.ndim:  # it depends on no stack
            assert all(np.array_equal(got, r, equal_nan=True) for r in results), (name, stack)
            continue
        front = got.shape[: got.ndim - built.ndim]
        wide = np.broadcast_to(got, (*batch, *got.shape[len(front) :]))
        want = np.reshape(results, (*batch, *results[0].shape))
        np.testing.assert_allclose(wide, want, rtol=1e-9, atol=1e-12, err_msg=f"{name}, {stack}")


def test_vectorize_by_a_signature() -> None:
    norm = T.vectorize(lambda x, y: (x @ y, (x - y) ** 2), "(n),(n)->(),(n)")
    a, b = T.tensor3("a"), T.matrix("b")
    f = tensordsl.function([a, b], list(norm(a, b)))
    p, q = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(3, 4))
    dot, square = f(p, q)
    np.testing.assert_allclose(dot, (p * q).sum(-1))
    np.testing.assert_allclose(square, (p - q) ** 2)
    scalars = T.vectorize(lambda x: T.stack([x, x**2]))
    np.testing.assert_array_equal(scalars([[1.0, 2.0]]).eval(), [[[1, 1], [2, 4]]])
    assert norm(T.vector(), T.vector())[0].ndim == 0


def test_gradients_go_through_stacks() -> None:
    x, w = T.vector("x"), T.matrix("w")
    loss = T.vectorize(lambda x, w: (T.tanh(w @ x) ** 2).sum(), "(n),(m,n)->()")
    T.verify_grad(lambda x, w: loss(x, w), [RNG.normal(size=(3, 4)), RNG.normal(size=(2, 4))], rng=RNG)
    slope = T.vectorize_graph(T.grad((T.tanh(w @ x) ** 2).sum(), w), {x: T.matrix()})
    assert slope.ndim == 3


def test_what_stays() -> None:
    x, y, n = T.vector("x"), T.vector("y"), T.lscalar("n")
    kept = y * 2
    found = T.vectorize_graph([kept, x + kept, x], {x: T.matrix("xs")})
    assert isinstance(found, list) and found[0] is kept and found[1].ndim == 2 and found[2].name == "xs"
    assert T.vectorize_graph((kept,), {x: T.matrix()})[0] is kept
    same = T.vectorize_graph(x + y, {x: y})
    assert same.ndim == 1 and same.owner.inputs == (y, y)
    assert T.vectorize_graph(T.zeros((n,)) + x.sum(), {x: T.matrix()}).ndim == 2


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x, n: T.vectorize_graph(x, {x: T.scalar()}), TypeError, "is no stack of x"),
        (lambda x, n: T.vectorize_graph(x, {x: T.fmatrix()}), TypeError, "is no stack of x"),
        (lambda x, n: T.vectorize_graph(T.zeros((n,)), {n: T.lvector()}), NotImplementedError, "a length for broadcast_to"),
        (lambda x, n: T.vectorize_graph(x[:n], {n: T.lvector()}), NotImplementedError, "a length for subtensor"),
        (lambda x, n: T.vectorize_graph(x[x > 0], {x: T.matrix()}), NotImplementedError, "the shape of what true_positions"),
        (lambda x, n: T.vectorize_graph(T.arange(n), {n: T.lvector()}), NotImplementedError, "the shape of what arange"),
        (lambda x, n: T.vectorize(abs, "n->n"), ValueError, "of a signature are like"),
        (lambda x, n: T.vectorize(abs, "(n)"), ValueError, "a signature is like"),
        (lambda x, n: T.vectorize(T.exp, "(n)->()")(x), ValueError, "result 0 of"),
        (lambda x, n: T.vectorize(T.exp, "(m,n)->(m,n)")(x), ValueError, "argument 0 of .* needs 2 axes"),
        (lambda x, n: T.vectorize(T.exp, "(n)->(n)")(x, x), ValueError, "has 1 arguments, got 2"),
        (lambda x, n: T.vectorize(T.add, "(n),(n)->(n)")([1.0], [1.0, 2.0]), ValueError, "the axis n of .* has lengths 1 and 2"),
        (lambda x, n: T.vectorize(3), TypeError, "wants a function"),
    ],
)  # fmt: skip
def test_what_is_refused(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call(T.vector("x"), T.lscalar("n"))
