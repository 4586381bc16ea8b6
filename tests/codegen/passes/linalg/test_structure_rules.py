"""Rules of structure: each applies where it should and nowhere else, and values are equal with it and without."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest
from checkout import ROOT
from factorisations import cholesky, det, inv, lu_factor, qr, slogdet, solve, steps, triangular

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.passes.linalg.equations import EQUATIONS, table
from tensordsl.modes import FAST_COMPILE, FAST_RUN

A, B = (T.TensorType("float64", (4, 4))(name) for name in "AB")
V, W = (T.TensorType("float64", (4,))(name) for name in "VW")
K, M = (T.TensorType("float64", (3, 4, 4))(name) for name in "KM")
INPUTS = [A, B, V, W, K, M]
L, LK = T.tril(A), T.tril(K)
KT = LK.dimshuffle(0, 2, 1)
S = A + A.T
SPD = T.dot(A, A.T) + T.eye(4)
C = cholesky(SPD)
Q = qr(A)[0]
PACKED = T.set_subtensor(T.zeros((3, 3))[np.tril_indices(3)], T.concatenate([V, W[:2]]))
RULES = (
    "log_of_determinants", "solve_for_inverses", "solve_by_structure", "factor_by_structure", "multiply_by_diagonals",
    "sum_diagonals",
)  # fmt: skip

# name: (expressions, the steps that are left, those of the function without the rules)
APPLIES: dict[str, tuple[Any, dict[str, int], dict[str, int]]] = {
    "inv(A) b": (T.dot(inv(A), V), {"lu_factor": 1, "lu_solve": 1}, {"lu_factor": 1, "lu_solve": 1, "dot": 1}),
    "inv(A) B": (T.dot(inv(A), B), {"lu_factor": 1, "lu_solve": 1}, {"lu_factor": 1, "lu_solve": 1, "dot": 1}),
    "b inv(A)": (T.dot(V, inv(A)), {"lu_factor": 1, "lu_solve": 1}, {"lu_factor": 1, "lu_solve": 1, "dot": 1}),
    "B inv(A)": (T.dot(B, inv(A)), {"lu_factor": 1, "lu_solve": 1}, {"lu_factor": 1, "lu_solve": 1, "dot": 1}),
    "inv(A)' B": (T.dot(inv(A).T, B), {"lu_factor": 1, "lu_solve": 1}, {"lu_factor": 1, "lu_solve": 1, "dot": 1}),
    "inv(A) B inv(A)": (
        T.dot(T.dot(inv(A), B), inv(A)), {"lu_factor": 1, "lu_solve": 2}, {"lu_factor": 1, "lu_solve": 1, "dot": 2}
    ),
    "inv(A) B of each": (
        T.batched_dot(inv(K), M), {"lu_factor": 1, "lu_solve": 1}, {"lu_factor": 1, "lu_solve": 1, "dot": 1}
    ),
    "the inverse of a triangle times B": (
        T.dot(triangular(A, T.eye(4)), B), {"solve_triangular": 1}, {"solve_triangular": 1, "dot": 1}
    ),
    "the inverse of L L' times B": (
        T.dot(triangular(A, triangular(A, T.eye(4)), trans=1), B), {"solve_triangular": 2},
        {"solve_triangular": 2, "dot": 1},
    ),
    "inv(inv(A))": (inv(inv(A)), {}, {"lu_factor": 2, "lu_solve": 2}),
    "solve(inv(A), b)": (solve(inv(A), V), {"dot": 1}, {"lu_factor": 2, "lu_solve": 2}),
    "a triangle": (solve(L, V), {"solve_triangular": 1}, {"lu_factor": 1, "lu_solve": 1}),
    "a triangle's transpose": (solve(L.T, B), {"solve_triangular": 1}, {"lu_factor": 1, "lu_solve": 1}),
    "trans of a triangle": (solve(L, B, 1), {"solve_triangular": 1}, {"lu_factor": 1, "lu_solve": 1}),
    "triangles of each": (solve(LK, M), {"solve_triangular": 1}, {"lu_factor": 1, "lu_solve": 1}),
    "inverse of a triangle": (inv(L), {"solve_triangular": 1}, {"lu_factor": 1, "lu_solve": 1}),
    "a diagonal": (solve(T.diag(V), B), {}, {"lu_factor": 1, "lu_solve": 1}),
    "eye times a vector": (solve(V * T.eye(4), B), {}, {"lu_factor": 1, "lu_solve": 1}),
    "inverse of a diagonal": (inv(T.diag(V)), {}, {"lu_factor": 1, "lu_solve": 1}),
    "a triangular solve of a diagonal": (triangular(T.diag(V), B), {}, {"solve_triangular": 1}),
    "eye": (solve(T.eye(4), B), {}, {"lu_factor": 1, "lu_solve": 1}),
    "an orthogonal one": (solve(Q, B), {"qr": 1, "dot": 1}, {"qr": 1, "lu_factor": 1, "lu_solve": 1}),
    "L L'": (solve(T.dot(L, L.T), V), {"solve_triangular": 2}, {"dot": 1, "lu_factor": 1, "lu_solve": 1}),
    "L U": (solve(T.dot(L, T.triu(B)), V), {"solve_triangular": 2}, {"dot": 1, "lu_factor": 1, "lu_solve": 1}),
    "trans of L U": (solve(T.dot(L, T.triu(B)), V, 1), {"solve_triangular": 2}, {"dot": 1, "lu_factor": 1, "lu_solve": 1}),
    "L L' of each": (
        solve(T.batched_dot(LK, KT), M), {"solve_triangular": 2}, {"dot": 1, "lu_factor": 1, "lu_solve": 1}
    ),
    "solve by a factor that is there": (
        [solve(SPD, V), C], {"cholesky": 1, "solve_triangular": 2, "dot": 1},
        {"cholesky": 1, "lu_factor": 1, "lu_solve": 1, "dot": 1},
    ),
    "solve by an upper factor that is there": (
        [solve(SPD, V), cholesky(SPD, lower=False)], {"cholesky": 1, "solve_triangular": 2, "dot": 1},
        {"cholesky": 1, "lu_factor": 1, "lu_solve": 1, "dot": 1},
    ),
    "determinant by a factor that is there": (
        [slogdet(SPD)[1], C], {"cholesky": 1, "dot": 1}, {"cholesky": 1, "lu_factor": 1, "dot": 1}
    ),
    "both of a symmetric matrix": (
        [solve(S, V), solve(S, V, 1)], {"lu_factor": 1, "lu_solve": 1}, {"lu_factor": 1, "lu_solve": 2}
    ),
    "factors of the transpose": (
        [solve(A, V), solve(A.T, W)], {"lu_factor": 1, "lu_solve": 2}, {"lu_factor": 2, "lu_solve": 2}
    ),
    "a multiple of the right-hand side": (
        [solve(A, V), solve(A, -0.5 * V)], {"lu_factor": 1, "lu_solve": 1}, {"lu_factor": 1, "lu_solve": 2}
    ),
    "det of a triangle": (det(L), {}, {"lu_factor": 1}),
    "det of an upper triangle": (det(L.T), {}, {"lu_factor": 1}),
    "det of a diagonal": (det(T.diag(V)), {}, {"lu_factor": 1}),
    "det of L L'": (det(T.dot(L, L.T)), {}, {"lu_factor": 1, "dot": 1}),
    "det of L U": (det(T.dot(L, T.triu(B))), {}, {"lu_factor": 1, "dot": 1}),
    "slogdet of a triangle": (slogdet(L), {}, {"lu_factor": 1}),
    "slogdet of eye times a vector": (slogdet(V * T.eye(4)), {}, {"lu_factor": 1}),
    "slogdet of L L'": (slogdet(T.dot(L, L.T)), {}, {"lu_factor": 1, "dot": 1}),
    "slogdet of L L' of each": (slogdet(T.batched_dot(LK, KT)), {}, {"lu_factor": 1, "dot": 1}),
    "log(det(L L'))": (T.log(det(T.dot(L, L.T))), {}, {"lu_factor": 1, "dot": 1}),
    "the log-determinant of C C'": (
        slogdet(T.dot(C, C.T))[1], {"cholesky": 1, "dot": 1}, {"cholesky": 1, "lu_factor": 1, "dot": 2}
    ),
    "cholesky(C C')": (cholesky(T.dot(C, C.T)), {"cholesky": 1, "dot": 1}, {"cholesky": 2, "dot": 2}),
    "cholesky(L L')": (cholesky(T.dot(L, L.T)), {}, {"cholesky": 1, "dot": 1}),
    "cholesky of a packed triangle": (cholesky(T.dot(PACKED, PACKED.T)), {}, {"cholesky": 1, "dot": 1}),
    "cholesky(L L'), upper": (cholesky(T.dot(L, L.T), lower=False), {}, {"cholesky": 1, "dot": 1}),
    "cholesky(L L') or NaN": (cholesky(T.dot(L, L.T), on_error="nan"), {}, {"cholesky": 1, "dot": 1}),
    "trace(A B)": (T.trace(T.dot(A, B)), {}, {"dot": 1}),
    "the diagonal of A B": (T.diag(T.dot(A, B)), {}, {"dot": 1}),
    "traces of each": (T.trace(T.batched_dot(K, M), 0, 1, 2), {}, {"dot": 1}),
    "diag(v) B": (T.dot(T.diag(V), B), {}, {"dot": 1}),
    "B diag(v)": (T.dot(B, T.diag(V)), {}, {"dot": 1}),
    "diag(v) w": (T.dot(T.diag(V), W), {}, {"dot": 1}),
    "w diag(v)": (T.dot(W, T.diag(V)), {}, {"dot": 1}),
    "eye B": (T.dot(T.eye(4), B), {}, {"dot": 1}),
}  # fmt: skip


def test_batches_along_several_axes() -> None:
    """Of which `matmul` makes one axis."""
    a, b = (T.TensorType("float64", (None, None, 4, 4))(name) for name in "ab")
    low = T.tril(a)
    square = T.matmul(low, low.dimshuffle(0, 1, 3, 2))
    outputs = [
        T.matmul(inv(a), b), T.matmul(b, inv(a)), solve(square, b), slogdet(square)[1], cholesky(square),
        T.matmul(inv(qr(a)[0]), b),
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(2, 3, 4, 4)) + 4 * np.eye(4) for _ in "ab"]
    for value in outputs:
        modes = FAST_RUN, FAST_RUN.excluding(*RULES)
        f, g = (tensordsl.function([a, b], value, mode=mode, on_unused_input="ignore") for mode in modes)
        np.testing.assert_allclose(f(*given), g(*given), rtol=1e-9, atol=1e-12)
    assert steps([a, b], outputs[:2]) == {"lu_factor": 1, "lu_solve": 2}
    assert steps([a, b], outputs[2:5]) == {"solve_triangular": 2}
    assert steps([a, b], outputs[5]) == {"qr": 1, "dot": 1}


def arguments(seed: int = 0) -> list[Any]:
    """Of well-conditioned matrices, some with negative elements on their diagonal."""
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=(4, 4)) + np.diag([3.0, -3, 4, 3]) for _ in range(2))
    k, m = (rng.normal(size=(3, 4, 4)) + np.diag([3.0, 4, -3, 3]) for _ in range(2))
    return [a, b, rng.normal(size=4) + 2, rng.normal(size=4), k, m]


def both(outputs: Any, given: list[Any]) -> Any:
    """(results with all rules, those without any)."""
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return [
        tensordsl.function(INPUTS, outputs, mode=mode, on_unused_input="ignore")(*given)
        for mode in (FAST_RUN, FAST_RUN.excluding(*RULES))
    ]


@pytest.mark.parametrize("name", APPLIES)
def test_rules_apply(name: str) -> None:
    outputs, left, before = APPLIES[name]
    assert steps(INPUTS, outputs) == left
    assert steps(INPUTS, outputs, FAST_RUN.excluding(*RULES)) == before
    for got, want in zip(*both(outputs, arguments()), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


# What must stay as it is.
STAYS: dict[str, Any] = {
    "an inverse that something else reads": [T.dot(inv(A), V), inv(A)],
    "a product with the inverse of a product": inv(T.dot(A, B)),
    "solve of a full matrix": solve(A, B),
    "a triangle plus a number": solve(L + 1, B),
    "U L": slogdet(T.dot(L.T, L)),
    "a factor of another matrix": [solve(SPD + A, V), C],
    "a factor with NaN where there is none": [solve(SPD, V), cholesky(SPD, on_error="nan")],
    "a factor of a matrix that is not known to be symmetric": [solve(A, V), cholesky(A)],
    "a factor that a branch computes": [solve(SPD, V), tensordsl.ifelse.ifelse(V[0] > 0, C, A)],
    "factors that a user sees": lu_factor(T.dot(L, L.T)),
    "the Cholesky factor of L M'": cholesky(T.dot(L, T.tril(B).T)),
    "the trace of a product that is read": [T.trace(T.dot(A, B)), T.dot(A, B)],
    "another diagonal": T.diag(T.dot(A, B), 1),
    "a product with a band": T.dot(T.tril(T.triu(A, -1), 1), B),
    "a solve with another right-hand side": [solve(A, V), solve(A, V * W)],
}


@pytest.mark.parametrize("name", STAYS)
def test_rules_do_not_apply(name: str) -> None:
    outputs = STAYS[name]
    assert steps(INPUTS, outputs) == steps(INPUTS, outputs, FAST_RUN.excluding(*RULES))


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_switched_off_by_its_name(rule: str) -> None:
    """Something stays without it, and results are the same."""
    for name in (n for n, (_, left, before) in APPLIES.items() if left != before):
        outputs, left, _ = APPLIES[name]
        if steps(INPUTS, outputs, FAST_RUN.excluding(rule)) != left:
            return
    if rule != "log_of_determinants":
        raise AssertionError(f"{rule} changes nothing")


# -- the table ---------------------------------------------------------------------------------------------------------
def equations_of_passes() -> dict[str, set[str]]:
    """The texts that each module of the room counts its hits under."""
    found = {}
    for path in (ROOT / "codegen" / "passes" / "linalg").glob("*.py"):
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        hits = [n for n in calls if isinstance(n.func, ast.Attribute) and n.func.attr == "hit"]
        texts = [c.value for n in hits for c in ast.walk(n.args[0]) if isinstance(c, ast.Constant)]
        found[path.stem] = set(map(str, texts))
    return found


def test_the_table_has_every_equation() -> None:
    listed = [e.equation for e in EQUATIONS]
    assert len(listed) == len(set(listed))
    assert set(listed) == set().union(*equations_of_passes().values())
    assert {e.name for e in EQUATIONS} == set(RULES)


def test_the_page_shows_the_table() -> None:
    """To remake it: put what `equations.table()` gives between the page's markers."""
    page = (ROOT / "docs" / "linear-algebra.md").read_text()
    _, _, rest = page.partition("<!-- equations: begin -->\n")
    assert rest.partition("\n<!-- equations: end -->")[0] == table()


# -- logarithms of determinants ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("log", [lambda d: T.log(d), lambda d: T.log(abs(d))], ids=["log", "log abs"])
def test_logarithms_of_determinants_do_not_overflow(log: Any) -> None:
    x = T.dmatrix("x")
    value = log(det(x))
    f = tensordsl.function([x], [value, T.grad(value, x)])
    for factor in (30.0, 1 / 30):
        got, slope = f(np.eye(300) * factor)
        np.testing.assert_allclose(got, 300 * np.log(factor), rtol=1e-12)
        np.testing.assert_allclose(slope, np.eye(300) / factor, rtol=1e-12)


def test_a_gradient_by_a_determinant_goes_by_it() -> None:
    x = T.dmatrix("x")
    value = det(x)
    f = tensordsl.function([x], [value, T.grad(T.log(value), value), T.grad(T.log(value), x)])
    got, slope, of_x = f(np.diag([2.0, 3]))
    np.testing.assert_allclose([got, slope], [6, 1 / 6])
    np.testing.assert_allclose(of_x, np.diag([1 / 2, 1 / 3]))


def test_logarithms_of_determinants_at_their_limits() -> None:
    x = T.dmatrix("x")
    f = tensordsl.function([x], [T.log(det(x)), T.log(abs(det(x)))])
    for value, wanted in ((np.diag([-2.0, 1]), [np.nan, np.log(2)]), (np.zeros((2, 2)), [-np.inf, -np.inf])):
        np.testing.assert_array_equal(f(value), wanted)
    assert np.isnan(f(np.full((2, 2), np.nan))).all()
    np.testing.assert_array_equal(f(np.zeros((0, 0))), [0, 0])


# -- errors and special values -----------------------------------------------------------------------------------------
SINGULAR: dict[str, Any] = {
    "a triangle": solve(L, B),
    "a diagonal": solve(T.diag(V), B),
    "the inverse of a diagonal": inv(T.diag(V)),
    "L L'": solve(T.dot(L, L.T), B),
    "an inverse times B": T.dot(inv(A), B),
    "the factor of L L'": cholesky(T.dot(L, L.T)),
    "the factor of L L' and its transpose": cholesky(T.dot(L, L.T), lower=False),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_singular_matrices_raise_as_without_the_rules(name: str) -> None:
    a, b, v, *rest = arguments()
    a[2] = 0
    v[1] = 0
    for mode in (FAST_RUN, FAST_RUN.excluding(*RULES), FAST_COMPILE):
        f = tensordsl.function(INPUTS, SINGULAR[name], mode=mode, on_unused_input="ignore")
        with pytest.raises(np.linalg.LinAlgError):
            f(a, b, v, *rest)


def test_determinants_of_singular_matrices_are_zero() -> None:
    a, *rest = arguments()
    a[2] = 0
    for name in ("det of a triangle", "det of L L'", "slogdet of L L'", "log(det(L L'))"):
        with_rules, without = both(APPLIES[name][0], [a, *rest])
        np.testing.assert_array_equal(with_rules, without)


def test_a_singular_matrix_of_a_batch_gives_nan_alone() -> None:
    a, b, v, w, k, m = arguments()
    k[1, 2] = 0
    outputs = cholesky(T.batched_dot(LK, KT), on_error="nan")
    got, want = (found[0] for found in both(outputs, [a, b, v, w, k, m]))
    assert np.isnan(got[1]).all() and np.isnan(want[1]).all()
    np.testing.assert_allclose(got[::2], want[::2], rtol=1e-12)


def test_nan_goes_through() -> None:
    """But determinants of triangular factors do not see what is not on the diagonal."""
    a, b, *rest = arguments()
    a[1, 0] = np.nan
    for name in ("a triangle", "L L'", "inv(A) B", "trace(A B)"):
        for got, want in zip(*both(APPLIES[name][0], [a, b, *rest]), strict=True):
            assert np.isnan(want).any() <= np.isnan(got).any(), name


def test_rules_in_a_loop() -> None:
    states, _ = tensordsl.scan(lambda w, s: solve(T.diag(T.exp(s)), w), sequences=[A], outputs_info=[V])
    assert steps([A, V], states) == {}
    f, g = (tensordsl.function([A, V], states, mode=mode) for mode in (FAST_RUN, FAST_COMPILE))
    a, _, v, *_ = arguments()
    np.testing.assert_allclose(f(a, v), g(a, v), rtol=1e-12)


def test_the_same_results_in_every_dtype() -> None:
    for dtype in ("float32", "float64"):
        a, b = (T.TensorType(dtype, (4, 4))(name) for name in "ab")
        low = T.tril(a)
        outputs = [
            T.dot(inv(a), b),
            solve(T.dot(low, low.T), b),
            *slogdet(T.dot(low, low.T)),
            det(low),
            T.log(det(low)),
        ]
        given = [x.astype(dtype) for x in arguments()[:2]]
        with_rules = tensordsl.function([a, b], outputs)(*given)
        without = tensordsl.function([a, b], outputs, mode=FAST_RUN.excluding(*RULES))(*given)
        for got, want in zip(with_rules, without, strict=True):
            assert got.dtype == want.dtype == dtype
            np.testing.assert_allclose(got, want, rtol=2e-4 if dtype == "float32" else 1e-10)


def test_lengths_that_only_a_call_knows() -> None:
    """Rules for square matrices want a proof that they are: here the solve requires it."""
    x, y = T.dmatrix("x"), T.dmatrix("y")
    outputs = [solve(T.tril(x), y), T.trace(T.dot(x, y)), T.dot(T.diag(y[:, 0]), y)]
    assert steps([x, y], outputs) == {"solve_triangular": 1}
    a, b, *_ = arguments()
    f = tensordsl.function([x, y], outputs)
    for got, want in zip(f(a, b), (np.linalg.solve(np.tril(a), b), np.trace(a @ b), b[:, :1] * b), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10)
    wide = tensordsl.function([x, y], T.trace(T.dot(x, y)))  # the trace of a matrix that is not square
    np.testing.assert_allclose(wide(np.ones((2, 3)), np.ones((3, 5))), 6)
    np.testing.assert_allclose(wide(np.ones((5, 3)), np.ones((3, 2))), 6)


def test_no_elements() -> None:
    a = T.dmatrix("a")
    low = T.tril(a)
    f = tensordsl.function([a], [solve(T.dot(low, low.T), a), det(low), T.dot(inv(a), a), T.trace(T.dot(a, a))])
    for got, want in zip(f(np.zeros((0, 0))), (np.zeros((0, 0)), 1, np.zeros((0, 0)), 0), strict=True):
        np.testing.assert_array_equal(got, want)


PIVOTED = np.array([[0.02, 0.1, 0.1], [0.1, 2, 1], [0.1, 1, 3]])  # elimination of its Cholesky factor moves rows


@pytest.mark.parametrize("chosen", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("make", [cholesky, lambda x: T.dot(cholesky(x), cholesky(x).T), T.tril, T.triu], ids=range(4))
def test_each_subset_of_an_elimination(make: Any, chosen: tuple[int, ...]) -> None:
    """Rules for triangular factors move no rows; whoever reads the permutation alone sees the rows move."""
    x = T.dmatrix("x")
    parts = [T.linalg.lu(make(x))[k] for k in chosen]
    f, g = (tensordsl.function([x], parts, mode=mode) for mode in (FAST_RUN, FAST_RUN.excluding(*RULES)))
    for got, want in zip(f(PIVOTED), g(PIVOTED), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_pivots_alone() -> None:
    x = T.dmatrix("x")
    pivots = lu_factor(cholesky(x))[1]
    moved = T.neq(pivots, T.arange(pivots.shape[0], dtype="int32"))
    outputs = [pivots, T.prod(T.switch(moved, -1, 1))]
    for output in outputs:
        f, g = (tensordsl.function([x], output, mode=mode) for mode in (FAST_RUN, FAST_RUN.excluding(*RULES)))
        np.testing.assert_array_equal(f(PIVOTED), g(PIVOTED))


def test_errors_of_host_steps_name_the_users_line() -> None:
    x = T.dmatrix("x")
    value = T.linalg.solve(T.tril(x), x)  # the line
    for mode in (FAST_RUN, FAST_RUN.excluding("native_lapack")):
        with pytest.raises(np.linalg.LinAlgError, match=r"solve\(T\.tril\(x\), x\)  # the line"):
            tensordsl.function([x], value, mode=mode)(np.zeros((2, 2)))
