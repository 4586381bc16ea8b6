"""PyTensor's functions by our compiler against those by its own Python."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

pytensor = pytest.importorskip("pytensor")

import pytensor.tensor as pt  # noqa: E402
import pytensor.tensor.special as special  # noqa: E402
from pytensor import function, scan, shared  # noqa: E402
from pytensor.compile.mode import Mode  # noqa: E402
from pytensor.ifelse import ifelse  # noqa: E402
from pytensor.scan.utils import until  # noqa: E402

import tensordsl.pytensor as linked  # noqa: E402

PYTHON = Mode(linker="py", optimizer="fast_compile")
R = np.random.default_rng(0)
x, y, A, B, S = pt.dvector("x"), pt.dvector("y"), pt.dmatrix("A"), pt.dmatrix("B"), pt.dtensor3("S")
n, k, c, b, f = pt.lscalar("n"), pt.lvector("k"), pt.zvector("c"), pt.bvector("b"), pt.fmatrix("f")
VALUES: dict[Any, Any] = {
    x: R.normal(size=5), y: R.normal(size=5), A: R.normal(size=(5, 5)), B: R.normal(size=(5, 5)),
    S: R.normal(size=(3, 4, 4)), n: np.int64(3), k: np.array([4, 0, 4, 2]), c: R.normal(size=3) + 1j,
    b: np.array([0, 1, 2], "int8"), f: R.normal(size=(3, 4)).astype("float32"),
}  # fmt: skip
DEFINITE = A @ A.T + 5 * pt.eye(5)
STACK = S @ pt.matrix_transpose(S) + 4 * pt.eye(4)


def run(outputs: Any, mode: Any) -> tuple[Any, list[Any]]:
    outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
    used = [v for v in VALUES if v in pytensor.graph.traversal.ancestors(outputs)]
    made = function(used, list(outputs), mode=mode)
    return made, made(*(VALUES[v] for v in used))


def agrees(outputs: Any, python_steps: tuple[str, ...] = ()) -> None:
    """What our compiler gives is what PyTensor's Python gives; and which steps were left to that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, ours = run(outputs, "TENSORDSL")
        _, theirs = run(outputs, PYTHON)
    for one, two in zip(ours, theirs, strict=True):
        assert np.asarray(one).dtype == np.asarray(two).dtype
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12, strict=False)
        assert np.shape(one) == np.shape(two)
    assert linked.python_steps(made) == python_steps


if not hasattr(pytensor.graph, "traversal"):  # an older place
    import pytensor.graph.basic

    pytensor.graph.traversal = pytensor.graph.basic

NATIVE = {
    "arithmetic": lambda: [x + y * 2, x / y, x**2, x // y, x % y, -x, abs(x), pt.sign(x), pt.sqr(x), 1 / x],
    "functions": lambda: [pt.exp(x), pt.log1p(abs(x)), pt.sin(x), pt.tanh(x), pt.sigmoid(x), pt.softplus(x), pt.erf(x)],
    "gamma": lambda: [pt.gammaln(abs(x)), pt.digamma(abs(x)), pt.gamma(abs(x)), pt.gammainc(1.5, abs(x))],
    "choices": lambda: [pt.switch(x > 0, x, y), pt.where(x > y, 1.0, 2.0), pt.clip(x, -0.5, 0.5), pt.maximum(x, y)],
    "truth": lambda: [pt.eq(k, 4), (x > 0) & (y > 0), pt.or_(x > 0, y > 0), pt.isnan(x), pt.all(x > 0), pt.any(x > 0)],
    "float32": lambda: [f * 2, f.sum(), f @ f.T, f.mean(axis=0)],
    "complex": lambda: [c * c, abs(c), pt.real(c), pt.imag(c), pt.conj(c)],
    "integers": lambda: [k + 1, k // 3, k % 3, b + 1, k.sum(), pt.cast(x, "int32")],
    "sums": lambda: [A.sum(), A.sum(axis=0), A.prod(axis=1), A.mean(), A.std(axis=0), A.var(), A.max(axis=1), A.min()],
    "places": lambda: [A.argmax(), A.argmax(axis=0), S.argmax(axis=(0, 2)), A.argmin(axis=1)],
    "running": lambda: [pt.cumsum(A, axis=0), pt.cumprod(x), pt.diff(x)],
    "shapes": lambda: [A.reshape((25,)), A.T, S.transpose(2, 0, 1), x[None, :], A.flatten(), A.shape, S.shape[1]],
    "more shapes": lambda: [pt.squeeze(x[None]), pt.expand_dims(x, 1), pt.moveaxis(S, 0, 2), pt.broadcast_to(x, (3, 5))],
    "slices": lambda: [x[1:3], x[::-1], A[1], A[:, 2], S[..., 0], A[n], A[1:n, ::2], x[-1]],
    "positions": lambda: [x[k], A[k], A[k, k], A[:, k], x[x > 0], A[A > 0]],
    "writes": lambda: [pt.set_subtensor(x[1:3], 0.0), pt.inc_subtensor(x[k], 1.0), pt.set_subtensor(A[n], x), x[k].inc(2.0)],
    "masks": lambda: [pt.set_subtensor(x[x > 0], 0.0), pt.inc_subtensor(A[A > 0], 1.0)],
    "joins": lambda: [pt.concatenate([x, y]), pt.stack([x, y], axis=1), pt.join(0, A, B), *pt.split(x, [2, 3], n_splits=2)],
    "making": lambda: [pt.zeros((n, 2)), pt.ones_like(x), pt.arange(n), pt.eye(4), pt.alloc(1.5, n), pt.full((2, n), 3)],
    "repeats": lambda: [pt.repeat(x, 2), pt.tile(x, 2), pt.repeat(A, k[:1], axis=0)],
    "order": lambda: [pt.sort(x), pt.argsort(x), pt.sort(A, axis=0), pt.searchsorted(pt.sort(x), y)],
    "sets": lambda: [pt.unique(k), *pt.nonzero(x > 0), pt.bincount(k)],
    "diagonals": lambda: [pt.diagonal(A), pt.diag(x), pt.tril(A), pt.triu(A), pt.trace(A), pt.fill_diagonal(A, 1.0)],
    "softmax": lambda: [special.softmax(A, axis=1), special.log_softmax(A, axis=0), special.softmax(x)],
    "logsumexp": lambda: [pt.logsumexp(A, axis=0), pt.logaddexp(x, y), pt.log1mexp(-abs(x))],
    "products": lambda: [A @ B, A @ x, x @ y, pt.outer(x, y), S @ S, pt.tensordot(A, B, 2), pt.dot(x, A)],
    "einsum": lambda: [pt.einsum("ij,jk->ik", A, B), pt.einsum("bij,bjk->bik", S, S)],
    "kron": lambda: [pt.linalg.kron(A, B)],
    "factors": lambda: [pt.linalg.cholesky(DEFINITE), pt.linalg.cholesky(DEFINITE, lower=False), pt.linalg.cholesky(STACK)],
    "solutions": lambda: [pt.linalg.solve(A, x), pt.linalg.solve(A, B), pt.linalg.solve(STACK, S), pt.linalg.inv(A)],
    "triangles": lambda: [
        pt.linalg.solve_triangular(pt.tril(A) + 5 * pt.eye(5), x, lower=True),
        pt.linalg.solve_triangular(pt.triu(A) + 5 * pt.eye(5), B, lower=False),
        pt.linalg.solve_triangular(pt.tril(A) + 5 * pt.eye(5), x, lower=True, trans=1),
    ],
    "determinants": lambda: [pt.linalg.det(A), *pt.linalg.slogdet(DEFINITE), pt.linalg.det(STACK)],
    "spectra": lambda: [pt.linalg.eigh(DEFINITE)[0], pt.linalg.svd(A, compute_uv=False)],
    "pairs": lambda: [pt.linalg.eigvalsh(DEFINITE, B @ B.T + 5 * pt.eye(5))],
    "branch": lambda: [ifelse(n > 2, x, y), ifelse(n > 5, x, y)],
    "gradients": lambda: pytensor.grad((pt.exp(x) * pt.dot(A, x)).sum() + pt.linalg.cholesky(DEFINITE).sum(), [x, A]),
}  # fmt: skip


@pytest.mark.parametrize("name", NATIVE)
def test_it_is_what_pytensor_gives(name: str) -> None:
    agrees(NATIVE[name]())


def scanned(*args: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = scan(*args, **options)
    return found[0] if isinstance(found, tuple) else found


def zero(v: float = 0.0) -> Any:
    return pt.constant(np.float64(v))


SCANS = {
    "a state": lambda: scanned(lambda a, s: pt.tanh(s * 0.5 + a), sequences=x, outputs_info=zero()),
    "two taps": lambda: scanned(
        lambda a, s, t: s * 0.5 + t * 0.2 + a, sequences=x,
        outputs_info=dict(initial=pt.constant(np.array([0.1, 0.2])), taps=[-2, -1]),
    ),
    "rows": lambda: scanned(lambda r, s: pt.tanh(pt.dot(B, s) + r), sequences=A, outputs_info=x),
    "no state": lambda: scanned(lambda a: pt.exp(a) * y, sequences=x),
    "taps of a sequence": lambda: scanned(lambda a, e: a * e, sequences=dict(input=x, taps=[-1, 0])),
    "a given number of rounds": lambda: scanned(lambda s: s * 2, outputs_info=x, n_steps=n),
    "an end": lambda: scanned(lambda a, s: (s + a**2, until(s > 0.2)), sequences=x, outputs_info=zero()),
    "within another": lambda: scanned(
        lambda r: scanned(lambda a, s: s * 0.9 + a, sequences=r, outputs_info=zero())[-1], sequences=A
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCANS)
def test_scans_and_their_gradients(name: str) -> None:
    values = SCANS[name]()
    wrt = [v for v in (x, A, B) if v in pytensor.graph.traversal.ancestors([values])]
    if name == "an end" and int(pytensor.__version__.split(".")[0]) < 3:
        return agrees([values, values[-1]])  # that release's gradient of such a scan is shifted by a round
    agrees([values, values[-1], *pytensor.grad((values**2).sum(), wrt)])


def test_steps_that_python_does_are_named() -> None:
    with pytest.warns(UserWarning, match="SortByHand is done by Python"):
        agrees_with_own_op()


def agrees_with_own_op() -> None:
    class SortByHand(pytensor.graph.op.Op):
        def make_node(self, v: Any) -> Any:
            v = pt.as_tensor_variable(v)
            return pytensor.graph.basic.Apply(self, [v], [v.type()])

        def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
            outputs[0][0] = np.sort(inputs[0])

    made = function([x], SortByHand()(x * 2) + 1, mode="TENSORDSL")
    np.testing.assert_allclose(made(VALUES[x]), np.sort(VALUES[x] * 2) + 1)
    assert linked.python_steps(made) == ("SortByHand",)


# -- shared variables, random numbers ----------------------------------------------------------------------------------
def test_shared_variables_and_updates() -> None:
    s = shared(np.zeros(3), "s")
    made = function([], s.sum(), updates={s: s + 1}, mode="TENSORDSL")
    assert [float(made()) for _ in range(3)] == [0, 3, 6]
    s.set_value(np.ones(2))
    assert float(made()) == 2 and s.get_value().tolist() == [2, 2]
    other = made.copy(share_memory=True)
    assert float(other()) == 4


def test_draws_are_numpys() -> None:
    rng = shared(np.random.default_rng(1))
    following, one = pt.random.normal(0, 1, size=(3,), rng=rng).owner.outputs
    last, two = pt.random.exponential(2.0, size=(2,), rng=following).owner.outputs
    made = function([], [one, two], updates={rng: last}, mode="TENSORDSL")
    own = np.random.default_rng(1)
    for _ in range(2):
        first, second = made()
        np.testing.assert_array_equal(first, own.normal(0, 1, 3))
        np.testing.assert_array_equal(second, own.exponential(2.0, 2))
    rng.set_value(np.random.default_rng(1))
    np.testing.assert_array_equal(made()[0], np.random.default_rng(1).normal(0, 1, 3))


# -- errors ------------------------------------------------------------------------------------------------------------
def test_checks_raise_what_they_say() -> None:
    from pytensor.raise_op import CheckAndRaise

    class Refused(ValueError):
        pass

    made = function([x], CheckAndRaise(Refused, "x is too small")(x, (x > 0).all()).sum(), mode="TENSORDSL")
    assert float(made([1.0, 2.0])) == 3
    with pytest.raises(Refused, match="x is too small"):
        made([-1.0])


def test_errors_of_calls() -> None:
    made = function([x, y], x + y, mode="TENSORDSL")
    with pytest.raises(ValueError):
        made([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="mode='TENSORDSL'"):
        linked.python_steps(function([x], x))


def test_one_function_takes_all_lengths_and_copies() -> None:
    made = function([x], pt.exp(x), mode="TENSORDSL")
    for length in (0, 1, 7, 100):
        assert made(np.zeros(length)).tolist() == [1.0] * length
    for other in (copy.copy(made), pickle.loads(pickle.dumps(made))):
        assert other(np.zeros(2)).tolist() == [1, 1]
    given = np.zeros(3)
    result = function([pytensor.In(x, mutable=True)], x + 1, mode="TENSORDSL")(given)
    assert given.tolist() == [0] * 3 and result.tolist() == [1] * 3
