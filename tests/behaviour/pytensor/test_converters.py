"""Operations of PyTensor and PyMC that few models use, each native; and those that stay SciPy's and NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytensor = pytest.importorskip("pytensor")
pm = pytest.importorskip("pymc")

import pytensor.scalar as scalars  # noqa: E402
import pytensor.tensor as pt  # noqa: E402
import pytensor.tensor.fft as fourier  # noqa: E402
import pytensor.tensor.nlinalg as nlinalg  # noqa: E402
import pytensor.tensor.optimize as optimize  # noqa: E402
import pytensor.tensor.signal as signal  # noqa: E402
from judge import agrees  # noqa: E402
from pytensor import grad  # noqa: E402
from pytensor.compile.builders import OpFromGraph  # noqa: E402
from pytensor.scalar import ScalarLoop  # noqa: E402
from pytensor.tensor import blas  # noqa: E402
from pytensor.tensor.basic import choose, permute_row_elements  # noqa: E402
from pytensor.tensor.blockwise import Blockwise, vectorize_graph  # noqa: E402
from pytensor.tensor.elemwise import CAReduce, Elemwise  # noqa: E402
from pytensor.tensor.extra_ops import bartlett  # noqa: E402
from pytensor.tensor.slinalg import eigvalsh  # noqa: E402

from tensordsl.pytensor import linker  # noqa: E402

R = np.random.default_rng(0)
x, y, A, B, S = pt.dvector("x"), pt.dvector("y"), pt.dmatrix("A"), pt.dmatrix("B"), pt.dtensor3("S")
k, K, n, t = pt.lvector("k"), pt.lmatrix("K"), pt.lscalar("n"), pt.dscalar("t")
u = pt.dscalar("u")
X, Y, M, N, Q = (
    R.normal(size=3),
    R.normal(size=2),
    R.normal(size=(3, 3)),
    R.normal(size=(3, 2)),
    R.normal(size=(2, 4, 4)),
)
BITS = np.array([[1, 2], [1, 2], [0, 7]])
PLACES = np.array([2, 0, 1])
DEFINITE = A @ A.T + 3 * pt.eye(3)
MODES = ("full", "valid", "same")


def number(v: float) -> Any:
    return pt.constant(np.float64(v))


def halved(until: bool) -> Any:
    a, b = scalars.float64("a"), scalars.float64("b")
    more = dict(until=a > 3) if until else {}
    return Elemwise(ScalarLoop(init=[a], update=[a * 2 + b], constant=[b], **more))


def spline(ext: str) -> list[Any]:
    from scipy.interpolate import InterpolatedUnivariateSpline

    values = np.random.default_rng(3).normal(size=7)
    made = pm.distributions.dist_math.SplineWrapper(InterpolatedUnivariateSpline(np.linspace(0, 2, 7), values, ext=ext))
    return [made(x), grad(made(x).sum(), x)]


def three_diagonals(a: Any, b: Any) -> list[Any]:
    """A factor, and its solutions with gradients, which solve transposed systems."""
    found = pt.linalg.solve(pt.tril(pt.triu(a, -1), 1), b, assume_a="tridiagonal", b_ndim=1)
    return [found, *grad((found**2).sum(), [a, b])]


def of_batches() -> list[Any]:
    """Of operations that take single matrices, over stacks of them."""
    inner = OpFromGraph([A], [pt.linalg.inv(A) @ A.T, A.sum()])
    both = Blockwise(inner, signature="(m,n)->(m,n),()")(S)
    solved = vectorize_graph(nlinalg.tensorsolve(A, x), {A: S, x: S[:, 0]})
    return [*both, solved, pt.linalg.block_diag(S, S), *pt.linalg.lu(S)]


NATIVE: dict[str, Any] = {
    "convolve": ([x, y], lambda: [signal.convolve1d(x, y, mode=m) for m in MODES], [X, Y]),
    "convolve, the shorter first": ([x, y], lambda: [signal.convolve1d(y, x, mode="valid")], [X, Y]),
    "convolve rows": ([A, B], lambda: [signal.convolve1d(A, B, mode=m) for m in MODES], [M, N]),
    "convolve images": ([A, B], lambda: [signal.convolve2d(A, B, mode=m) for m in MODES], [R.normal(size=(5, 6)), N]),
    "a convolution's gradient": ([x, y], lambda: grad((signal.convolve1d(x, y) ** 2).sum(), [x, y]), [X, Y]),
    "permute": ([A, k], lambda: [permute_row_elements(A, k), permute_row_elements(A, k, True)], [M, PLACES]),
    "choose": ([k, A], lambda: [choose(k, A)], [PLACES, M]),
    "window": ([n], lambda: [bartlett(n)], [np.int64(5)]),
    "distinct": ([K], lambda: [*pt.unique(K, True, True, True), pt.unique(K, axis=0)], [BITS]),
    "search": ([x, y, k], lambda: [pt.searchsorted(x, y, sorter=k)], [np.array([3.0, 1, 2]), Y, np.array([1, 2, 0])]),
    "positions": (
        [k], lambda: [*pt.unravel_index(k, (2, 3), order="F"), pt.ravel_multi_index((k, k), (2, 3), mode="wrap", order="F")],
        [PLACES],
    ),
    "bits": (
        [K], lambda: [CAReduce(scalars.and_, axis=(0,))(K), CAReduce(scalars.xor)(K), CAReduce(scalars.or_, axis=(1,))(K)],
        [BITS],
    ),
    "bits of nothing": ([K], lambda: [CAReduce(scalars.and_, axis=(0,))(K)], [BITS[:0]]),
    "products": (
        [A, x],
        lambda: [
            blas.gemm_no_inplace(A, number(0.5), A, A, number(2.0)), blas._dot22scalar(A, A, number(3.0)),
            blas.gemv_no_inplace(x, number(0.5), A, x, number(0.0)),
        ],
        [M, X],
    ),
    "spectrum": ([A], lambda: [grad(sum((v**4).sum() for v in pt.linalg.eigh(DEFINITE)), A)], [M]),
    "generalised": (
        [A], lambda: [eigvalsh(A + A.T, DEFINITE), grad((eigvalsh(A + A.T, DEFINITE) ** 2).sum(), A)], [M],
    ),
    "tensors": ([A, x], lambda: [nlinalg.tensorinv(A, ind=1), nlinalg.tensorsolve(A, x), nlinalg.lstsq(A, x, -1)[0]], [M, X]),
    "bessel": ([x], lambda: [pm.distributions.dist_math.i0e(x), pm.distributions.dist_math.i1e(x)], [X]),
    **{f"spline, {ext}": ([x], lambda ext=ext: spline(ext), [np.linspace(-1, 3, 9)]) for ext in ("extrapolate", "zeros", "const")},
    "diagonals": ([A], lambda: [pm.math.BatchedDiag()(A)], [M]),
    "batches": ([S], of_batches, [Q]),
    "a hypergeometric gradient": (
        [x], lambda: [grad(pt.hyp2f1(number(0.5), x + 1, number(2.0), number(0.3)).sum(), x)], [abs(X)],
    ),
    "three diagonals": ([A, x], lambda: three_diagonals(A, x), [R.normal(size=(6, 6)), R.normal(size=6)]),
    "stacks of three diagonals": ([S, x], lambda: three_diagonals(S, x)[:1], [R.normal(size=(2, 5, 5)), R.normal(size=5)]),
    "loops of scalars": ([k, x], lambda: [halved(False)(k, x, x + 1)], [np.array([0, 3, 1]), X]),
    "loops that end": ([k, x], lambda: list(halved(True)(k, x, x + 1)), [np.array([0, 3, 9]), X]),
}  # fmt: skip
if hasattr(pm.math, "LogDet"):
    check = pm.distributions.multivariate.PosDefMatrix()
    NATIVE["determinant"] = ([A], lambda: [pm.math.LogDet()(A), check(A), check(DEFINITE)], [M])


@pytest.mark.parametrize("name", NATIVE)
def test_native(name: str) -> None:
    inputs, outputs, values = NATIVE[name]
    assert agrees(inputs, outputs(), values) == set()


@pytest.mark.parametrize("size", [(0, 3), (2, 0)])
def test_an_empty_convolution_is_refused(size: tuple[int, int]) -> None:
    made = pytensor.function([x, y], signal.convolve1d(x, y), mode="TENSORDSL")
    with pytest.raises(ValueError, match="empty"):
        made(np.zeros(size[0]), np.zeros(size[1]))


def best() -> list[Any]:
    found, _ = optimize.minimize(((y - x) ** 2).sum() + y[0] * y[1], y, method="BFGS")
    return [found, grad(found.sum(), x)]


def zeros_of() -> list[Any]:
    found, _ = optimize.root(y**3 - x - 1, y)
    return [found, grad(found.sum(), x)]


STEPS: dict[str, Any] = {
    "MinimizeOp": ([x, y], best, [X, X]),
    "RootOp": ([x, y], zeros_of, [X, X + 2]),
    "MinimizeScalarOp": ([t, u], lambda: [optimize.minimize_scalar((t - u) ** 2 + 1, t)[0]], [np.float64(1), np.float64(2)]),
    "RootScalarOp": ([t, u], lambda: [optimize.root_scalar(t**3 - u, t, method="newton")[0]], [np.float64(1), np.float64(2)]),
    "RFFTOp": ([A], lambda: [fourier.rfft(A)], [M]),
    "Schur": ([A], lambda: list(pt.linalg.schur(A)), [M]),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_steps_of_scipys_and_numpys(name: str) -> None:
    inputs, outputs, values = STEPS[name]
    assert agrees(inputs, outputs(), values) == {name}


def test_what_scipy_minimises_is_compiled_by_us(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    compiled = linker.compiled
    monkeypatch.setattr(linker, "compiled", lambda fgraph: made.append(compiled(fgraph)) or made[-1])
    pytensor.function([x, y], best()[0], mode="TENSORDSL")
    assert [f.python_steps for f in made] == [(), ("MinimizeOp",)]
