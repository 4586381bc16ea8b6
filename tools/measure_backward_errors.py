"""Backward errors of the factorisations and solvers, ours beside NumPy's: a table of docs/accuracy.md.

python tools/measure_backward_errors.py         measures, and writes the tables between the page's markers (minutes)
python tools/measure_backward_errors.py --print  prints it

An error is the largest over the matrices of a kind, in units of n eps: of A = L L' that is |A - L L'| / |A|, of A x = b
|A x - b| / (|A| |x| + |b|), of Q' Q = I |Q' Q - I|, by Frobenius norms in 80-bit arithmetic, of complex numbers 80 bits
for each part (N. Higham: "Accuracy and stability of numerical algorithms", 2002, chapters 7, 9, 10 and 19).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import tensordsl  # noqa: E402
import tensordsl.tensor as T  # noqa: E402
from tensordsl.tensor import linalg  # noqa: E402

Array = np.ndarray[Any, Any]
PAGE = ROOT / "docs" / "accuracy.md"
BEGIN, END = "<!-- backward errors: begin -->", "<!-- backward errors: end -->"
SIZES = (3, 8, 16, 30, 100, 300)
COUNT = 20  # matrices of each size and kind; of large ones fewer
HEAD = """## Backward errors of factorisations and solvers

Made by `tools/measure_backward_errors.py` (NumPy {numpy}, SciPy {scipy}). Matrices are of normal numbers, or have singular
values from 1 down to 1e-10 (float32, complex64: 1e-4); for `cholesky`, `cho_solve`, `solve_triangular` and `eigh` they are positive
definite. Each number is the largest error over {count} matrices of each of the sizes {sizes},
and over a batch of them, in units of n eps; behind it stands that of NumPy's function (for LU factors, triangular systems and
`cho_solve` SciPy's) in the same run. About 1 is what rounding of the operands would do. Up to 32 real rows the library's own
code is measured, else LAPACK; NumPy computes `solve`, `inv`, `qr` and all below it in float64 or complex128, as the library does those
below `qr`."""
COLUMNS = (
    "\n| method | {0} | NumPy | ill-conditioned | NumPy | {1} | NumPy | ill-conditioned | NumPy |\n|---|" + "---|" * 8
)


def size(x: Array) -> Any:
    return np.sqrt((np.abs(x) ** 2).sum((-2, -1)))


def long(x: Array) -> Array:
    return np.asarray(x, np.clongdouble if np.iscomplexobj(x) else np.longdouble)


def adjoint(x: Array) -> Array:
    return x.swapaxes(-1, -2).conj()


def product(*factors: Array) -> Array:
    result = long(factors[0])
    for x in factors[1:]:
        result = np.matmul(result, long(x))
    return result


def off_product(a: Array, *factors: Array) -> Any:
    return size(long(a) - product(*factors)) / size(long(a))


def off_solution(a: Array, x: Array, b: Array) -> Any:
    return size(product(a, x) - long(b)) / (size(long(a)) * size(long(x)) + size(long(b)))


def off_orthogonal(q: Array) -> Any:
    return size(product(adjoint(q), q) - np.eye(q.shape[-1]))


def permuted(lu: Array, pivots: Array) -> Array:
    """P L U."""
    made = product(np.tril(lu, -1) + np.eye(lu.shape[-1]), np.triu(lu))
    for k in reversed(range(lu.shape[-1])):
        for place in np.ndindex(lu.shape[:-2]):
            rows = [k, int(pivots[(*place, k)])]
            made[(*place, rows)] = made[(*place, rows[::-1])]
    return made


def each(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one matrix, of a batch."""

    def of_batch(*arrays: Array) -> Any:
        found = [function(*parts) for parts in zip(*arrays, strict=True)]
        if isinstance(found[0], tuple):
            return tuple(np.stack(part) for part in zip(*found, strict=True))
        return np.stack(found)

    return of_batch


# name: (ours of a batch, NumPy's or SciPy's, which matrices, error of the results)
METHODS: dict[str, tuple[Any, Any, str, Callable[..., Any]]] = {
    "`cholesky`: A = L L'": (
        lambda a, b: [linalg.cholesky(a)], lambda a, b: [np.linalg.cholesky(a)], "definite",
        lambda a, b, x: off_product(a, x, adjoint(x)),
    ),
    "`lu_factor`: A = P L U": (
        lambda a, b: linalg.lu_factor(a), lambda a, b: each(scipy.linalg.lu_factor)(a), "full",
        lambda a, b, lu, pivots: size(long(a) - permuted(lu, pivots)) / size(long(a)),
    ),
    "`solve`": (
        lambda a, b: [linalg.solve(a, b)], lambda a, b: [np.linalg.solve(a, b)], "full",
        lambda a, b, x: off_solution(a, x, b),
    ),
    "`solve_triangular`": (
        lambda a, b: [linalg.solve_triangular(T.tril(a), b, lower=True)],
        lambda a, b: [each(lambda x, y: scipy.linalg.solve_triangular(np.tril(x), y, lower=True))(a, b)], "definite",
        lambda a, b, x: off_solution(np.tril(a), x, b),
    ),
    "`cho_solve`": (
        lambda a, b: [linalg.cho_solve((linalg.cholesky(a), True), b)],
        lambda a, b: [each(lambda x, y: scipy.linalg.cho_solve(scipy.linalg.cho_factor(x), y))(a, b)], "definite",
        lambda a, b, x: off_solution(a, x, b),
    ),
    "`inv`: A X = I": (
        lambda a, b: [linalg.inv(a)], lambda a, b: [np.linalg.inv(a)], "full",
        lambda a, b, x: off_solution(a, x, np.broadcast_to(np.eye(a.shape[-1]), a.shape)),
    ),
    "`qr`: A = Q R": (
        lambda a, b: linalg.qr(a), lambda a, b: tuple(np.linalg.qr(a)), "full",
        lambda a, b, q, r: np.maximum(off_product(a, q, r), off_orthogonal(q)),
    ),
    "`eigh`: A V = V w": (
        lambda a, b: linalg.eigh(a), lambda a, b: tuple(np.linalg.eigh(a)), "definite",
        lambda a, b, w, v: np.maximum(off_product(a, v * w[..., None, :], adjoint(v)), off_orthogonal(v)),
    ),
    "`svd`: A = U s V'": (
        lambda a, b: linalg.svd(a, full_matrices=False), lambda a, b: tuple(np.linalg.svd(a, full_matrices=False)),
        "full", lambda a, b, u, s, vh: np.maximum(off_product(a, u * s[..., None, :], vh), off_orthogonal(u)),
    ),
    "`eig`: A V = V w": (
        lambda a, b: linalg.eig(a), lambda a, b: tuple(np.linalg.eig(a)), "full",
        lambda a, b, w, v: size(product(a, v) - long(v) * long(w)[..., None, :]) / (size(long(a)) * size(long(v))),
    ),
}  # fmt: skip


def matrices(n: int, dtype: str, is_hard: bool, kind: str) -> Iterator[tuple[Array, Array]]:
    """Batches of matrices of n rows, and as many right-hand sides: one by one, then together."""
    rng = np.random.default_rng(n)
    count = max(COUNT * 10 // n, 2) if n > 10 else COUNT
    is_complex = dtype.startswith("complex")

    def numbers(*shape: int) -> Array:
        found: Array = rng.normal(size=shape)
        return found + 1j * rng.normal(size=shape) if is_complex else found

    a = numbers(count, n, n)
    if is_hard:
        left, right = (np.linalg.qr(numbers(count, n, n))[0] for _ in range(2))
        a = left * np.geomspace(1, 1e-4 if dtype in ("float32", "complex64") else 1e-10, n) @ right
    if kind == "definite":
        u, s, _ = np.linalg.svd(a)
        a = (u * s[:, None, :]) @ adjoint(u)
        a = (a + adjoint(a)) / 2 + (0 if is_hard else 0.1 * np.eye(n))
    given = a.astype(dtype), numbers(count, n, 2).astype(dtype)
    for k in range(count):
        yield given[0][k : k + 1], given[1][k : k + 1]
    yield given


@cache
def compiled(name: str, dtype: str) -> Any:
    a, b = (T.TensorType(dtype, (None, None, None))(x) for x in "ab")
    return tensordsl.function([a, b], list(METHODS[name][0](a, b)), on_unused_input="ignore")


def errors(name: str, dtype: str, is_hard: bool) -> tuple[float, float]:
    """(ours, NumPy's), in units of n eps."""
    _, peer, kind, off = METHODS[name]
    largest = [0.0, 0.0]
    for n in SIZES:
        unit = n * np.finfo(dtype).eps
        for given in matrices(n, dtype, is_hard, kind):
            for k, results in enumerate((compiled(name, dtype)(*given), peer(*given))):
                largest[k] = max(largest[k], float(np.max(off(*given, *results))) / unit)
    return largest[0], largest[1]


def table() -> str:
    sizes = ", ".join(map(str, SIZES[:-1])) + f" and {SIZES[-1]}"
    lines = [HEAD.format(numpy=np.__version__, scipy=scipy.__version__, count=f"2 to {COUNT}", sizes=sizes)]
    for dtypes in (("float64", "float32"), ("complex128", "complex64")):
        lines.append(COLUMNS.format(*dtypes))
        for name in METHODS:
            kinds = [(dtype, is_hard) for dtype in dtypes for is_hard in (False, True)]
            cells = [f"{x:.2f}" for kind in kinds for x in errors(name, *kind)]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def replaced(page: str, section: str) -> str:
    """The page with the section between its markers, which stand at its end if they are not there."""
    before, begin, rest = page.partition(BEGIN)
    if not begin:
        return f"{page.rstrip()}\n\n{BEGIN}\n{section}\n{END}\n"
    return f"{before}{BEGIN}\n{section}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", help="print the table, and write no page")
    is_printed = parser.parse_args().print
    section = table()
    if is_printed:
        print(section)
    else:
        PAGE.write_text(replaced(PAGE.read_text(), section))


if __name__ == "__main__":
    main()
