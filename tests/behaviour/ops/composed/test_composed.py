"""NumPy's functions that are composed of others: against NumPy, by the oracles and compiled, over many operands.

Each case is text of one function of `T` and `np`, called with the same arguments: what both give is compared, with
shapes and dtypes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from vocabulary import variables

import tensordsl
import tensordsl.tensor as T
from tensordsl.reference import evaluate

RNG = np.random.default_rng(5)
A = RNG.normal(size=(3, 4)) * 3
B = RNG.normal(size=(2, 3, 4))
V = np.array([3.0, -1.0, 0.0, 2.0])
W = np.array([2.0, 0.5, 1.0])
I = np.array([2, 0, 1, 2])  # noqa: E741
J = np.array([[4, -1, 4], [2, 2, 7]], "int16")
M = np.array([True, False, True, True])
N = np.array([[np.nan, 1.0, np.inf, -2.0], [np.nan] * 4, [3.0, np.nan, 3.0, -0.0]])
S = np.array([-1.0, 0.5, 0.5, 4.0])
Z = np.array([1 + 2j, -1j, 3.0, 2.0])
E = np.zeros((0, 4))
F = RNG.normal(size=(4, 3)).astype("float32")
NAMES = dict(A=A, B=B, V=V, W=W, I=I, J=J, M=M, N=N, S=S, Z=Z, E=E, F=F)

# Text of calls: `f(...)` is T's function on variables, and NumPy's on the arrays.
STACKS = """
hstack([V, W, I])            hstack([A, A[:, :1]])        hstack((B, B))              hstack([J, J])
hstack([1, V])               vstack([V, I])               vstack([A, V])              vstack([A, E])
dstack([V, I])               dstack([A, A])               dstack([B, B])              column_stack([V, I])
column_stack([A, W])         append(V, A)                 append(A, A, axis=1)        append(J, I)
block([A, A])                block([[A, A], [A, A]])      block([V, 1.0])             block([[V], [A]])
block(A)                     array_split(V, 3)            array_split(A, 3, axis=1)   array_split(V, [1, 3])
array_split(A, [1], 1)       array_split(I, 6)            hsplit(A, 2)                vsplit(B, 2)
dsplit(B, [1])               hsplit(V, [2])               delete(V, 1)                delete(A, [0, 2], axis=1)
delete(V, M)                 delete(V, slice(0, 2))       delete(A, -1, 0)            delete(V, [])
insert(V, 1, 5)              insert(V, [0, 4], [7, 8])    insert(A, 1, W, axis=1)     insert(A, -1, 9, axis=0)
insert(I, [1, 1], [2.7, 3])  insert(V, [3, 0, 3], [1, 2, 3])  insert(A, [1, 3], 0, axis=1)  resize(V, (3, 3))
resize(A, 2)                 resize(E, (2, 2))            broadcast_arrays(V, A)      broadcast_arrays(W[:, None], V, 2)
"""
TURNS = """
flipud(A)                    fliplr(B)                    rot90(A)                    rot90(A, 2)
rot90(A, 3)                  rot90(A, -1, (1, 0))         rot90(B, 1, (1, 2))         rot90(A, 4)
rollaxis(B, 2)               rollaxis(B, 0, 3)            rollaxis(B, 1, 2)           rollaxis(B, -1, 1)
lexsort((V, I))              lexsort(J)                   lexsort((I, M, S))          lexsort((A, np.round(A)), axis=0)
sort_complex(I)              sort_complex(Z)              sort_complex(F[0])          sort_complex(J)
roll(B, (1, -2), axis=(0, 2))  roll(A, 5)                 roll(A, 1, (0, 1))
"""
COORDINATES = """
meshgrid(V, W)               meshgrid(V, W, indexing='ij')  meshgrid(V, W, I, sparse=True)  meshgrid(V)
meshgrid(V, W, I)            meshgrid(1.5, W)             ix_(I, M)                   ix_(I)
indices((2, 3))              indices((2, 3), sparse=True)   indices((2,), 'int32')    tril_indices(3)
tril_indices(3, -1, 4)       triu_indices(3)              triu_indices(3, 1, 2)       triu_indices(2, -1)
tril_indices_from(A)         triu_indices_from(A, 1)      diagflat(V, 1)              diagflat(J)
vander(V)                    vander(I, 3)                 vander(J[0], 2, increasing=True)  vander(W, 0)
diag_indices(3)              diag_indices(2, 3)           vander(F[0])                vander(M)
"""
CHOICES = """
select([V > 1, V > -1], [V, 10 * V], 7)                   select([M], [I])            select([V > 0, M], [I, V])
extract(M, V)                extract(A > 0, A)            interp(A, S[:1], V[:1])     interp(V, np.sort(W), W)
interp(A, np.array([0.0, 1.0, 3.0]), W)                   interp(A, np.array([0.0, 1.0, 3.0]), W, left=-5, right=9)
interp(V, W, W, period=2.5)  interp(S, np.array([-1.0, 0.5, 4.0]), np.array([1.0, np.inf, 2.0]))
interp(V, np.array([-1.0, 2.0]), np.array([1j, 2]))       interp(N, np.array([0.0, 1.0, 2.0]), W)
interp(I, np.array([0, 1, 2]), np.array([3, 4, 9]))       digitize(A, S)              digitize(A, S, right=True)
digitize(A, S[::-1])         digitize(A, S[::-1], right=True)  digitize(I, np.array([0, 1, 2]))  digitize(N, S)
histogram(A)                 histogram(A, 4, (-1, 2))     histogram(I, np.array([0, 1, 2]))  histogram(V, 3, density=True)
histogram(V, 5, weights=S)   histogram(J, 3)              histogram(V[:0], 2)         histogram(S[1:3], 2)
histogram(M, 2)              histogram(V, np.array([0.0, 1.0, 4.0]), density=True)
nan_to_num(N)                nan_to_num(N, nan=1, posinf=2, neginf=3)  nan_to_num(I)  nan_to_num(np.array([1j, np.nan]) * N[0, :2])
around(A, 2)                 around(A * 1e3, -2)          around(I * 55, -1)          around(Z / 3, 1)
count_nonzero(J)             count_nonzero(V, axis=0)     count_nonzero(A > 0, 1)     count_nonzero(J, 0, keepdims=True)
"""
STATISTICS = """
nansum(N)                    nansum(N, 1)                 nansum(I)                   nanprod(N, 0)
nancumsum(N, 1)              nancumsum(N)                 nancumprod(N, 0)            nanmax(N, 1)
nanmin(N, 0)                 nanmin(N, 1, keepdims=True)  nanmax(I)                   nanargmax(N[::2], 1)
nanargmin(N[::2], axis=1)    nanargmin(N)                 nanargmax(J, 0)             nanmean(N, 1)
nanmean(N[2])                nanmean(J, 0)                nanvar(N[:, 3:], 0)         nanvar(N[2])
nanvar(N[2], ddof=1)         nanstd(A, 1)                 nanstd(J, 0)                nanmedian(N[2])
nanmedian(A, 0)              nanmean(F, (0, 1), keepdims=True)  nanvar(F, 0)          nanvar(Z)
quantile(A, 0.3)             quantile(A, 0.3, 1)          quantile(A, [0.1, 0.9], axis=0)  quantile(V, 1)
quantile(A, 0, keepdims=True)  quantile(J, 0.4)           quantile(B, [0.5], (0, 2), keepdims=True)  quantile(N, 0.5, 1)
quantile(F, np.float32(0.25), 0)  percentile(A, 30)       percentile(A, [10, 95], 1)  percentile(J, 50, axis=1)
nanquantile(N, 0.4, 1)       nanquantile(N, [0.2, 0.8], 0)  nanpercentile(N, 70, 1)   nanquantile(J, 0.5)
average(A)                   average(A, 0)                average(A, 1, weights=V)    average(A, weights=A * A)
average(V, weights=S, returned=True)  average(J, 0, returned=True)  average(A, 0, keepdims=True)  average(I, weights=I)
cov(A)                       cov(A, rowvar=False)         cov(V, S)                   cov(V)
cov(A, bias=True)            cov(A, ddof=0)               cov(A, fweights=I)          cov(A, aweights=np.abs(S))
cov(J)                       cov(A, fweights=I, aweights=np.abs(S))  cov(F)           corrcoef(A)
corrcoef(V, S)               corrcoef(A, rowvar=False)    cov(np.stack([Z, Z[::-1]]))  corrcoef(np.stack([Z, Z[::-1] * 2j]))
"""
QUANTILES = ("linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf", "interpolated_inverted_cdf", "hazen",
             "weibull", "median_unbiased", "normal_unbiased")  # fmt: skip
SETS = """
isin(A, np.round(A))         isin(I, V)                   isin(V, N)                  isin(J, [4, 7], invert=True)
isin(I, E)                   union1d(V, W)                union1d(J, I)               intersect1d(V, S)
intersect1d(I, J)            setdiff1d(V, W)              setdiff1d(J, I)             setxor1d(V, W)
argwhere(A > 0)              argwhere(V)                  unique_counts(I)            unique_inverse(I)
unique_inverse(J)            unique_all(J)                unique(J, axis=1)           unique(np.array([[1, 0], [1, 0], [0, 5]]), axis=0)
unique(J[:, ::2], True, True, True, axis=1)               unique(B > 0, axis=0)       unique(M, axis=0)
"""
SERIES = """
ediff1d(A)                   ediff1d(V, to_begin=0, to_end=[7, 8])  ediff1d(I)        gradient(V)
gradient(A)                  gradient(A, axis=1)          gradient(V, 2.0)            gradient(A, 1.0, 2.0)
gradient(V, np.array([0.0, 1.0, 3.0, 7.0]))               gradient(A, np.array([0.0, 1.0, 5.0]), 0.5)
gradient(V, edge_order=2)    gradient(V, np.array([0.0, 1.0, 3.0, 7.0]), edge_order=2)  gradient(I)  gradient(F, axis=0)
unwrap(V)                   unwrap(A * 3, axis=0)
unwrap(V, 2.0)               unwrap(I * 3, period=4)      unwrap(V, period=2)         cumulative_sum(V)
cumulative_sum(A, axis=1, include_initial=True)           cumulative_prod(I, include_initial=True)  cumulative_prod(A, axis=0)
convolve(V, W)               convolve(W, V)               convolve(V, W, 'same')      convolve(W, V, 'same')
convolve(V, W, 'valid')      convolve(W, V, 'valid')      convolve(I, J[0])           convolve(V, Z)
convolve(V, V[:2], 'same')   correlate(V, W)              correlate(V, W, 'full')     correlate(W, V, 'full')
correlate(V, W, 'same')      correlate(W, V, 'same')      correlate(V, Z, 'full')     correlate(W[:2], V, 'same')
correlate(V, W[:2], 'same')  correlate(W, V)              polyval(V, A)               polyval(I, I)
polyval(W, 2)                polyadd(V, W)                polyadd(I, J[0])            polysub(W, V)
polymul(V, W)                polyder(V)                   polyder(I, 2)               polyint(V)
polyint(W, 2, [1.0, 2.0])    polyint(I, k=3)              convolve(M, M)              diff(A, prepend=0)
diff(A, axis=0, append=A)    diff(V, 2, prepend=[1.0, 2.0], append=4)
"""
INTEGRALS = """
trapezoid(V)                 trapezoid(A, axis=0)         trapezoid(A, V)             trapezoid(A, dx=0.5)
trapezoid(V, S)              trapezoid(I)
"""
CONTRACTIONS = """
inner(A, A)                  inner(V, A)                  inner(B, A)                 inner(2, V)
vdot(A, A)                   vdot(Z, V)                   vecdot(A, V)                vecdot(Z, V)
vecdot(B, A)                 vecdot(A, A, axis=0)         vecdot(V, I)                matvec(A, V)
matvec(B, V)                 matvec(B, np.stack([V, S]))  vecmat(W, A)                vecmat(Z[:3], A)
vecmat(A, B[0].T)            vecmat(np.stack([W, W]), B)  cross(F, F[::-1])           cross(A[:, :3], W)
cross(A[:, :3], A[:, 1:], axis=0)                         cross(J, J[::-1])           cross(B[..., :3], W)
vecdot(I, M)                 matvec(J, W)                 inner(M, M)
"""
UFUNCS = """
copysign(V, -S)              signbit(V - V)               fmax(N, 1.0)                fmin(N, V)
fmod(A, 1.5)                 fmod(J, 3)                   hypot(V, S)                 heaviside(V, 0.5)
float_power(W, I[:3])        logaddexp2(V, S)             modf(A)                     frexp(A)
gcd(J, 6)                    lcm(J, I[:3])                logical_and(I, V)           logical_or(I, V)
logical_xor(I, V)            logical_not(I)               degrees(V)                  radians(V)
isreal(Z)                    iscomplex(Z)                 isreal(V)                   bitwise_count(J)
spacing(A)                   fabs(J)                      positive(J)                 fix(A)
conjugate(Z)                 floor_divide(J, 3)           true_divide(A, 3)           remainder(J, 3)
"""
TABLES = dict(
    stacks=STACKS, turns=TURNS, coordinates=COORDINATES, choices=CHOICES, statistics=STATISTICS, sets=SETS,
    series=SERIES + INTEGRALS,
    contractions=CONTRACTIONS, ufuncs=UFUNCS,
)  # fmt: skip


def calls(table: str) -> list[str]:
    """The calls in a table: what stands apart by two blanks."""
    return [part.strip() for line in table.splitlines() for part in line.strip().split("  ") if part.strip()]


def results(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def called(text: str, module: Any, values: dict[str, Any]) -> list[Any]:
    name, _, arguments = text.strip().partition("(")
    function = getattr(np if name == "diff" else module, name)  # Theano's T.diff has fewer arguments
    return results(eval(f"f({arguments}", {"np": np, **values, "f": function}))


def compare(name: str, got: Any, want: Any, promised: str) -> None:
    want = np.asarray(want)
    assert got.shape == want.shape, f"{name}: shape {got.shape}, wanted {want.shape}"
    assert str(got.dtype) == promised, f"{name}: dtype {got.dtype}, promised {promised}"
    if want.dtype.kind in "fc" and got.dtype.kind in "fc":
        rough = 1e-5 if "32" in str(got.dtype) or "float16" in str(want.dtype) or got.dtype == "complex64" else 1e-12
        np.testing.assert_allclose(got, want, rtol=rough, atol=rough, err_msg=name)
    else:
        np.testing.assert_array_equal(got, want, err_msg=name)
    assert got.dtype.kind == want.dtype.kind, f"{name}: dtype {got.dtype}, NumPy's is {want.dtype}"


@pytest.mark.parametrize("table", TABLES)
def test_against_numpy(table: str) -> None:
    names = list(NAMES)
    inputs = variables(list(NAMES.values()))
    symbols = dict(zip(names, inputs, strict=True))
    texts, outputs, wanted = [], [], []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for text in calls(TABLES[table]):
            values = symbols
            if text.startswith("cross"):  # whose lengths must be known
                values = {k: T.specify_shape(v, NAMES[k].shape) for k, v in symbols.items()}
            built, want = called(text, T, values), called(text, np, NAMES)
            assert len(built) == len(want), text
            for v, w in zip(built, want, strict=True):
                texts.append(text.strip())
                outputs.append(T.as_tensor_variable(v))
                wanted.append(w)
        native = tensordsl.function(inputs, outputs, on_unused_input="ignore")(*[a.copy() for a in NAMES.values()])
        reference = evaluate(outputs, dict(zip(inputs, NAMES.values(), strict=True)))
    for how, found in (("native", native), ("reference", reference)):
        for text, v, got, want in zip(texts, outputs, found, wanted, strict=True):
            compare(f"{text} ({how})", got, want, v.dtype)


@pytest.mark.parametrize("method", QUANTILES)
def test_methods_of_quantiles(method: str) -> None:
    x, q = T.vector("x"), T.vector("q")
    f = tensordsl.function([x, q], [T.quantile(x, q, method=method), T.nanpercentile(x, q * 100, method=method)])
    for n in (1, 2, 5, 8):
        a, places = RNG.normal(size=n), np.array([0.0, 0.1, 0.25, 0.5, 0.6, 0.75, 0.99, 1.0])
        for got in f(a, places):
            np.testing.assert_allclose(got, np.quantile(a, places, method=method), rtol=1e-12, atol=1e-12)


GRADIENTS: list[tuple[str, Callable[..., Any], list[Any]]] = [
    ("interp", lambda x, p, f: T.interp(x, T.cumsum(T.exp(p)), f), [np.array([0.7, 1.9, 2.6, 9.0]), W, V[:3]]),
    ("quantile", lambda x: T.quantile(x, [0.3, 0.8], axis=1), [A]),
    ("nanmean", lambda x: T.nanmean(x * x, 0), [A]),
    ("nanvar", lambda x: T.nanvar(x, 1, ddof=1), [A]),
    ("average", lambda x, w: T.average(x, 1, weights=w * w + 1), [A, V]),
    ("cov", lambda x: T.cov(x), [A]),
    ("corrcoef", lambda x: T.corrcoef(x), [A]),
    ("gradient", lambda x: T.gradient(x, 0.5, edge_order=2), [np.array([1.0, 4.0, 9.0, 2.0])]),
    ("trapezoid", lambda x, y: T.trapezoid(x, y), [V, S]),
    ("convolve", lambda x, y: T.convolve(x, y, "same"), [V, W]),
    ("correlate", lambda x, y: T.correlate(x, y, "full"), [V, W]),
    ("polyval", lambda p, x: T.polyval(p, x), [V, W]),
    ("hypot", lambda x, y: T.hypot(x, y), [V + 0.1, S]),
    ("copysign", lambda x, y: T.copysign(x, y), [V + 0.1, S]),
    ("fmod", lambda x: T.fmod(x, 1.5), [A]),
    ("frexp", lambda x: T.frexp(x)[0], [A]),
    ("logaddexp2", lambda x, y: T.logaddexp2(x, y), [V, S]),
    ("fmax", lambda x, y: T.fmax(x, y), [V, S]),
    ("vecdot", lambda x, y: T.vecdot(x, y), [A, V]),
    ("matvec", lambda x, y: T.matvec(x, y), [B, V]),
    ("vecmat", lambda x, y: T.vecmat(x, y), [W, B]),
    ("inner", lambda x, y: T.inner(x, y), [A, V]),
    ("cross", lambda x, y: T.cross(T.specify_shape(x, (3,)), T.specify_shape(y, (3,))), [W, V[:3]]),
    ("insert", lambda x, y: T.insert(x, [0, 2], y), [V, W[:2]]),
    ("delete", lambda x: T.delete(x, [0, 2]), [V]),
    ("block", lambda x, y: T.block([[x, x], [x * y, x]]), [A, np.array(2.0)]),
    ("unwrap", lambda x: T.unwrap(x), [V]),
    ("piecewise", lambda x: T.piecewise(x, [x > 0], [lambda v: v * v, lambda v: -v]), [V + 0.5]),
    ("select", lambda x: T.select([x > 1, x > 0], [x * x, T.exp(x)], 0.0), [V + 0.5]),
    ("rot90", lambda x: T.rot90(x), [A]),
]


@pytest.mark.parametrize(("name", "function", "points"), GRADIENTS, ids=[name for name, *_ in GRADIENTS])
def test_gradients(name: str, function: Any, points: list[Any]) -> None:
    T.verify_grad(lambda *x: function(*x), points, rng=np.random.default_rng(0))


WRONG: list[tuple[Callable[[Any, Any], Any], type[Exception], str]] = [
    (lambda x, m: T.hstack([]), ValueError, "hstack: no tensors given"),
    (lambda x, m: T.block([[x], []]), ValueError, "block: lists must be nested equally deep"),
    (lambda x, m: T.block([x, [x]]), TypeError, "block: wants lists of tensors, nested equally deep"),
    (lambda x, m: T.array_split(x, 0), ValueError, "array_split: the number of parts must be 1 to"),
    (lambda x, m: T.unstack(x), ValueError, "unstack: the length of axis 0"),
    (lambda x, m: T.insert(x, m, 1), TypeError, "insert: wants an integer or a vector of integers"),
    (lambda x, m: T.rot90(m, 1, (0, 0)), ValueError, "rot90: the axes must be different"),
    (lambda x, m: T.lexsort(()), TypeError, "lexsort: needs a key"),
    (lambda x, m: T.meshgrid(x, indexing="ji"), ValueError, "meshgrid: indexing must be"),
    (lambda x, m: T.select([x], [x]), TypeError, "select: the conditions must be bools"),
    (lambda x, m: T.piecewise(x, [x > 0], []), ValueError, "piecewise: with 1 conditions"),
    (lambda x, m: T.interp(x, m, x), ValueError, "interp: the points must be two vectors"),
    (lambda x, m: T.quantile(x, 0.5, method="best"), ValueError, "quantile: unknown method 'best'"),
    (lambda x, m: T.cov(T.tensor3()), ValueError, "cov: wants a vector or a matrix"),
    (lambda x, m: T.cross(x, x), ValueError, "cross: vectors must have 2 or 3 elements"),
    (lambda x, m: T.convolve(m, x), ValueError, "convolve: wants vectors"),
    (lambda x, m: T.convolve(x, x, "all"), ValueError, "convolve: mode must be"),
    (lambda x, m: T.gradient(x, 1.0, 2.0), TypeError, "gradient: wants none, one or 1 distances"),
    (lambda x, m: T.gcd(x, 2), TypeError, "gcd: wants integers"),
    (lambda x, m: T.poly(x), ValueError, "poly: wants a vector of zeros whose length is known"),
    (lambda x, m: T.histogram(x, "auto"), NotImplementedError, "rules for the number of bins"),
    (lambda x, m: T.isdtype("int8", "small"), ValueError, "isdtype: unknown kind"),
    (lambda x, m: T.partition(T.constant([1, 2]), 2), ValueError, "partition: kth 2 is out of bounds"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "error", "text"), WRONG, ids=[text for *_, text in WRONG])
def test_what_is_refused(wrong: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        wrong(T.vector(), T.matrix())


@pytest.mark.parametrize(
    ("build", "value", "error", "text"),
    [
        (lambda x: T.quantile(x, x), [0.5, 2.0], ValueError, "quantile: q must be in the range"),
        (lambda x: T.nanargmax(x), [np.nan], ValueError, "nanargmax: All-NaN slice"),
        (lambda x: T.digitize(x, x), [0.0, 2.0, 1.0], ValueError, "digitize: bins must be monotonically"),
        (lambda x: T.histogram(x, x)[0], [0.0, 2.0, 1.0], ValueError, "histogram: the edges must increase"),
        (lambda x: T.insert(x, T.cast(x, "int64"), 1.0), [0.0, 9.0], IndexError, "insert: a position is out of bounds"),
        (lambda x: T.convolve(x, x), [], ValueError, "convolve: a vector must not be empty"),
        (lambda x: T.gradient(x), [1.0], ValueError, "gradient: an axis must have"),
        (lambda x: x, [1.0, 2.0, 3.0], ValueError, "does not result in an equal division"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_what_is_refused_at_run_time(build: Any, value: Any, error: type[Exception], text: str, mode: str) -> None:
    x = T.vector("x")
    built = np.split(x, 2)[0] if "equal division" in text else build(x)
    f = tensordsl.function([x], built, mode=mode)
    with pytest.raises(error, match=text):
        f(value)


def test_loops_for_lengths_that_a_call_knows() -> None:
    p, x, keys = T.vector("p"), T.vector("x"), T.lmatrix("keys")
    f = tensordsl.function([p, x, keys], [T.polyval(p, x), T.lexsort(keys)])
    rng = np.random.default_rng(1)
    for n in (0, 1, 5, 40):
        a, b, k = rng.normal(size=n) / 10, rng.normal(size=3), rng.integers(0, 3, (max(n, 1), 9))
        got, order = f(a, b, k)
        np.testing.assert_allclose(got, np.polyval(a, b), rtol=1e-12)
        np.testing.assert_array_equal(order, np.lexsort(k))
    assert T.is_flat(x) and not T.is_flat(keys)
    assert T.slice_at_axis(slice(1), -2) == (..., slice(1), slice(None))


def test_packing_keeps_axes() -> None:
    a, b = T.tensor3("a"), T.tensor4("b")
    packed, shapes = T.pack(a, b, keep_axes=[0, -1])
    f = tensordsl.function([a, b], [packed, *T.unpack(packed, shapes, keep_axes=[0, -1])], on_unused_input="ignore")
    x, y = np.arange(12.0).reshape(2, 3, 2), np.arange(16.0).reshape(2, 2, 2, 2)
    got = f(x, y)
    np.testing.assert_array_equal(got[0], np.concatenate([x, y.reshape(2, 4, 2)], 1))
    for one, other in zip(got[1:], (x, y), strict=True):
        np.testing.assert_array_equal(one, other)
    m = T.matrix()
    assert T.join_dims(a, 1).eval({a: x}).shape == (2, 6) and T.split_dims(m, (2, -1), 1).type.ndim == 3
    with pytest.raises(ValueError, match="keep_axes are the first axes"):
        T.pack(a, keep_axes=1)
