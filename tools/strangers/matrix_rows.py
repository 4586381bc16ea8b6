"""The vocabulary of random programs with matrices: one row for each way to write a step.

Contract: a row has the text of a step twice, for tensordsl and for NumPy.  `X.` stands for `T.` and `np.`, `LA.` for
`linalg.` and `np.linalg.`; `{0}`, `{1}` are operands and `{r0}`, `{r1}` results.  Operands and results are written as
types: `M` matrix, `V` vector, `S` number, with letters for lengths (`Mab`); `*M` may have an axis of batches in front.
`E` is a matrix whose columns are determined up to a sign: only steps that don't depend on the signs take it.
Why twice: NumPy and SciPy are the judges, and share nothing with the library.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg as sl
import scipy.special as special
import scipy.stats as stats


@dataclass(frozen=True)
class Row:
    operands: tuple[str, ...]
    results: tuple[str, ...]
    text: str
    judge: str = ""  # NumPy's text, where it isn't the same
    of: str = ""  # the first operands are all results of a step with this label
    label: str = ""
    weight: float = 1.0
    real: bool = False  # of real dtypes only
    smooth: bool = True  # has a derivative
    selects: bool = False  # may leave parts of its operands unread


def _rows(signature: str, *texts: str | tuple[str, str], **options: Any) -> list[Row]:
    operands, _, results = signature.partition("->")
    return [
        Row(
            tuple(operands.split()),
            tuple(results.split()),
            text if isinstance(text, str) else text[0],
            "" if isinstance(text, str) else text[1],
            **options,
        )
        for text in texts
    ]


T1 = "X.swapaxes({0}, -1, -2)"
EYE = "X.eye({0}.shape[0], dtype={0}.dtype)"

ROWS: list[Row] = [
    # combinations
    *_rows("*Mab *Mab -> *Mab", "{0} + {1}", "{0} - {1}", "{0} * {1}"),
    *_rows("*Mab -> *Mab", "{0} * 0.5", "2 * {0}", "-{0}", weight=0.4),
    *_rows("S *Mab -> *Mab", "{0} * {1}", weight=0.5),
    *_rows("Va Va -> Va", "{0} + {1}", "{0} - {1}", "{0} * {1}", weight=0.5),
    *_rows("S S -> S", "{0} + {1}", "{0} - {1}", "{0} * {1}"),
    *_rows("*Mab -> *Mba", "X.swapaxes({0}, -1, -2)"),
    *_rows("Mab -> Mba", "{0}.T"),
    *_rows("Mab -> Mab", "X.tanh({0})", "X.sin({0})", "X.exp(0.25 * {0})", real=True, weight=0.4),
    # structure
    *_rows("Maa -> Maa", "{0} + {0}.T", "X.tril({0})", "X.triu({0})", f"{{0}} + {EYE}", f"{EYE} - 0.25 * {{0}}"),
    *_rows("*Maa -> *Maa", f"{{0}} + {T1}"),
    *_rows("Mab -> Maa", "{0} @ {0}.T", f"{{0}} @ {{0}}.T + {EYE}", "X.dot({0}, {0}.T)"),
    *_rows("Mab -> Mbb", "{0}.T @ {0}"),
    *_rows("*Mab -> *Maa", f"{{0}} @ {T1}", weight=0.5),
    *_rows("Va -> Maa", "X.diag({0})", "X.outer({0}, {0})", f"{EYE} + X.outer({{0}}, {{0}})"),
    *_rows("Va Va -> Maa", "X.diag({0}) + X.outer({1}, {1})", weight=0.5),
    *_rows("Va Mab -> Mab", "{0}[:, None] * {1}", "X.diag({0}) @ {1}", "X.dot(X.diag({0}), {1})"),
    *_rows("Mab Vb -> Mab", "{0} * {1}", "{0} @ X.diag({1})"),
    *_rows("Va Vb -> Mab", "X.outer({0}, {1})", "{0}[:, None] * {1}[None, :]"),
    *_rows("Va Va -> Maa", "X.exp(-0.5 * ({0}[:, None] - {1}[None, :]) ** 2)", real=True, weight=0.5),
    *_rows("Va -> Maa", f"X.exp(-0.5 * ({{0}}[:, None] - {{0}}[None, :]) ** 2) + 0.5 * {EYE}", real=True),
    *_rows("Va -> Maa", ("linalg.toeplitz({0})", "sl.toeplitz({0})"), real=True, weight=0.4),
    *_rows("Va -> Maa", ("linalg.circulant({0})", "sl.circulant({0})"), real=True, weight=0.3),
    *_rows("Maa -> Va", "X.diag({0})", selects=True),
    *_rows("Maa -> Maa", "X.diag(X.diag({0}))", selects=True, weight=0.5),
    *_rows("Mab Mcd -> M(a*c)(b*d)", "X.kron({0}, {1})", weight=0.4),
    *_rows("Maa Mbb -> M(a+b)(a+b)", ("linalg.block_diag({0}, {1})", "sl.block_diag({0}, {1})"), weight=0.5),
    *_rows("Mab Mcb -> M(a+c)b", "X.concatenate([{0}, {1}], axis=0)", weight=0.5),
    *_rows("Mab Mab -> bMab", "X.stack([{0}, {1}])"),
    *_rows("bMab -> Mab", "{0}[0]", "{0}[-1]", selects=True),
    *_rows("bMab -> Mab", "{0}.sum(axis=0)"),
    # products
    *_rows("*Mab *Mbc -> *Mac", "{0} @ {1}", "X.matmul({0}, {1})", weight=1.5),
    *_rows("Mab Mbc -> Mac", "X.dot({0}, {1})", "X.einsum('ij,jk->ik', {0}, {1})", "X.tensordot({0}, {1}, 1)"),
    *_rows("Mab Mcb -> Mac", "{0} @ {1}.T", "X.dot({0}, {1}.T)"),
    *_rows("Mba Mbc -> Mac", "{0}.T @ {1}"),
    *_rows("Mab Mbc Mcd -> Mad", "({0} @ {1}) @ {2}", "{0} @ ({1} @ {2})", "LA.multi_dot([{0}, {1}, {2}])"),
    *_rows("Mab Mbc Vc -> Va", "{0} @ {1} @ {2}", "{0} @ ({1} @ {2})"),
    *_rows("Mab Vb -> Va", "{0} @ {1}", "X.dot({0}, {1})"),
    *_rows("Va Mab -> Vb", "{0} @ {1}"),
    *_rows("Va Maa -> S", "{0} @ {1} @ {0}", "X.dot({0}, X.dot({1}, {0}))", "X.sum({0} * ({1} @ {0}))"),
    *_rows("Va Va -> S", "{0} @ {1}", "X.sum({0} * {1})"),
    *_rows("Mab Mba -> S", "X.trace({0} @ {1})", "X.sum({0} * {1}.T)", "X.sum(X.diag(X.dot({0}, {1})))"),
    *_rows("Maa Maa Maa -> S", "X.trace({0} @ {1} @ {2})"),
    *_rows("Mab Mba -> Va", "X.diag({0} @ {1})"),
    # inverses and systems
    *_rows("*Maa -> *Maa", "LA.inv({0})", weight=4),
    *_rows(
        "Maa -> Maa", ("T.nlinalg.matrix_inverse({0})", "np.linalg.inv({0})"), "LA.inv(LA.inv({0}))", "LA.inv({0}.T)"
    ),
    *_rows("Maa -> Maa", "LA.inv({0}).T", "LA.inv({0} @ {0})", "LA.inv({0} @ {0}.T)"),
    *_rows("Maa Maa -> Maa", "LA.inv({0} @ {1})", "LA.inv(LA.inv({0}) + LA.inv({1}))"),
    *_rows("*Maa *Mab -> *Mab", "LA.solve({0}, {1})", "LA.inv({0}) @ {1}", weight=2),
    *_rows("Maa Mab -> Mab", "LA.solve({0}.T, {1})", "LA.solve(LA.inv({0}), {1})", "X.dot(LA.inv({0}), {1})"),
    *_rows("Maa Mab -> Mab", ("linalg.solve({0}, {1}, transposed=True)", "np.linalg.solve({0}.T, {1})"), weight=0.5),
    *_rows("Maa Mba -> Mba", "{1} @ LA.inv({0})", "LA.solve({0}.T, {1}.T).T", "LA.solve({0}, {1}.T).T"),
    *_rows("Maa Va -> Va", "LA.solve({0}, {1})", "LA.inv({0}) @ {1}", "{1} @ LA.inv({0})", "LA.solve({0}.T, {1})"),
    *_rows(
        "Maa Maa Va -> Va",
        "LA.solve({0} @ {1}, {2})",
        "LA.solve({0}, LA.solve({1}, {2}))",
        "LA.solve({0}.T @ {1}, {2})",
    ),
    *_rows("Maa Va -> S", "{1} @ LA.inv({0}) @ {1}", "{1} @ LA.solve({0}, {1})", "X.dot({1}, X.dot(LA.inv({0}), {1}))"),
    *_rows("Maa Mab -> Mbb", "{1}.T @ LA.inv({0}) @ {1}", "{1}.T @ LA.solve({0}, {1})"),
    *[
        row
        for kind in ("sym", "her", "pos")
        for lower in (False, True)
        for options in [f', assume_a="{kind}", lower={lower}']
        for row in _rows(
            "*Maa *Mab -> *Mab",
            (
                f"linalg.solve({{0}}, {{1}}{options})",
                f'np.linalg.solve(one_triangle({{0}}, {lower}, "{kind}"), {{1}})',
            ),
            weight=0.6,
        )
    ],
    *_rows(
        "Maa Va -> Va",
        ('linalg.solve({0}, {1}, assume_a="pos")', 'np.linalg.solve(one_triangle({0}, False, "pos"), {1})'),
    ),
    *[
        row
        for lower in (False, True)
        for trans in (0, 1, 2)
        for triangle in ["tril" if lower else "triu"]
        for row in _rows(
            "*Maa *Mab -> *Mab",
            (
                f"linalg.solve_triangular({{0}}, {{1}}, trans={trans}, lower={lower})",
                f"np.linalg.solve(transposed(np.{triangle}({{0}}), {trans}), {{1}})",
            ),
            weight=0.6,
        )
    ],
    *_rows(
        "Maa Va -> Va",
        ("linalg.solve_triangular({0}, {1}, lower=True)", "np.linalg.solve(np.tril({0}), {1})"),
        ("linalg.solve_triangular({0}.T, {1})", "np.linalg.solve(np.triu({0}.T), {1})"),
        (
            "linalg.solve_triangular({0}, {1}, lower=True, unit_diagonal=True)",
            "np.linalg.solve(np.tril({0}, -1) + np.eye(len({0}), dtype={0}.dtype), {1})",
        ),
    ),
    *_rows("Maa Mab -> Mab", ("linalg.cho_solve(({0}, True), {1})", "cho_solve({0}, True, {1})"), weight=0.7),
    *_rows("Maa Va -> Va", ("linalg.cho_solve(({0}, False), {1})", "cho_solve({0}, False, {1})"), weight=0.7),
    *_rows(
        "Maa Va -> Va",
        (
            "linalg.cho_solve((linalg.cholesky({0}), True), {1})",
            "np.linalg.solve(one_triangle({0}, True, 'pos'), {1})",
        ),
        (
            "linalg.cho_solve(linalg.cho_factor({0}), {1})",
            "np.linalg.solve(one_triangle({0}, False, 'pos'), {1})",
        ),
    ),
    *_rows("Mab Va -> Vb", ("linalg.lstsq({0}, {1})[0]", "np.linalg.lstsq({0}, {1}, rcond=None)[0]")),
    *_rows("Mab -> Mba", "LA.pinv({0})"),
    *_rows("Mab Va -> Vb", "LA.pinv({0}) @ {1}", "LA.solve({0}.T @ {0}, {0}.T @ {1})"),
    # numbers
    *_rows("Maa -> S", "LA.det({0})", "LA.slogdet({0})[1]", "X.trace({0})", weight=1.5),
    *_rows("Maa -> S", "X.log(LA.det({0}))", "X.log(LA.det({0}) ** 2)", real=True),
    *_rows("Maa -> S", "X.log(abs(LA.det({0})))", ("linalg.logdet({0})", "np.linalg.slogdet({0})[1]")),
    *_rows("Maa Maa -> S", "LA.det({0} @ {1})", "LA.det(LA.inv({0}) @ {1})", "LA.slogdet({0} @ {1})[1]"),
    *_rows(
        "Maa -> S", "LA.det({0}.T)", "LA.det(LA.inv({0}))", "LA.slogdet({0} @ {0}.T)[1]", "LA.slogdet(LA.inv({0}))[1]"
    ),
    *_rows("Maa -> S", "2 * X.sum(X.log(X.diag(LA.cholesky({0}))))", real=True, weight=1.5),
    *_rows("Maa -> S", "X.prod(X.diag(LA.cholesky({0})))", "X.trace(LA.inv({0}))", weight=0.7),
    *_rows("*Maa -> bS", "LA.det({0})", "LA.slogdet({0})[1]"),
    *_rows("bS -> S", "X.sum({0})"),
    *_rows("bS -> S", "{0}[0]", selects=True),
    *_rows("Mab -> S", "X.sum({0})", "X.mean({0})", "X.sum({0} ** 2)", weight=0.5),
    *_rows("Mab -> S", "LA.norm({0})", 'LA.norm({0}, "nuc")', "LA.norm({0}, 2)", "LA.norm({0}, 1)", weight=0.5),
    *_rows("Maa -> S", "LA.cond({0})", weight=0.4),
    *_rows("Mab -> S", "LA.matrix_rank({0})", smooth=False, weight=0.3),
    *_rows("Maa -> S", "LA.slogdet({0})[0]", smooth=False, weight=0.5),
    # functions
    *[row for n in (-2, -1, 0, 1, 2, 3) for row in _rows("*Maa -> *Maa", f"LA.matrix_power({{0}}, {n})", weight=0.3)],
    *_rows("Maa -> Maa", ("linalg.expm({0})", "expm({0})"), ("linalg.expm(-{0}.T)", "expm(-{0}.T)")),
    *_rows("Maa Va -> Va", ("linalg.expm({0}) @ {1}", "expm({0}) @ {1}"), weight=0.5),
    # factors
    *_rows("*Maa -> *Maa", "LA.cholesky({0})", weight=4),
    *_rows("Maa -> Maa", ("linalg.cholesky({0}, lower=False)", "cholesky_upper({0})"), "LA.cholesky({0}).T", weight=1),
    *_rows("Maa -> Maa", ("linalg.cho_factor({0})[0]", "cholesky_upper({0})"), weight=0.5),
    *_rows("Maa -> Maa", "LA.cholesky({0} @ {0}.T)", "LA.cholesky(LA.inv({0}))", "LA.inv(LA.cholesky({0}))"),
    *_rows("Maa -> Va Eaa", "{r0}, {r1} = LA.eigh({0})", label="eigh", weight=2),
    *_rows(
        "Maa -> Va Eaa",
        ("{r0}, {r1} = linalg.eigh({0}, lower=False)", "{r0}, {r1} = np.linalg.eigh({0}, 'U')"),
        label="eigh",
    ),
    *_rows("Maa -> Va", "LA.eigvalsh({0})", weight=1),
    *_rows("Maa -> S", "X.sum(LA.eigvalsh({0}))", "X.sum(LA.eigvalsh({0}) ** 2)", "X.max(LA.eigvalsh({0}))"),
    *_rows(
        "Va Eaa -> Maa", "({1} * {0}) @ X.conj({1}).T", "({1} * X.exp(0.25 * {0})) @ X.conj({1}).T", of="eigh", weight=2
    ),
    *_rows("Va Eaa Va -> Maa", "({1} * {2}) @ X.conj({1}).T", of="eigh"),
    *_rows("Va Eaa Va -> Va", "{1} @ ((X.conj({1}).T @ {2}) / {0})", of="eigh"),
    *_rows("Va Eaa -> Maa", "{1} @ X.conj({1}).T", "abs({1})", "X.conj({1}).T @ {1}", of="eigh"),
    *_rows("Maa -> Eaa Va Eaa", "{r0}, {r1}, {r2} = LA.svd({0})", label="svd", smooth=False),
    *_rows("Mab -> EaK VK EKb", "{r0}, {r1}, {r2} = LA.svd({0}, full_matrices=False)", label="svd", weight=2),
    *_rows("Mab -> VK", "LA.svd({0}, compute_uv=False)"),
    *_rows("EaK VK EKb -> Mab", "({0} * {1}) @ {2}", "{0} @ X.diag({1}) @ {2}", "{0} @ {2}", of="svd", weight=2),
    *_rows("EaK VK EKb -> MaK", "abs({0})", of="svd"),
    *_rows("EaK VK EKb -> MKb", "abs({2})", of="svd"),
    *_rows("EaK VK EKb -> Maa", "{0} @ X.conj({0}).T", of="svd"),
    *_rows("EaK VK EKb -> Mbb", "X.conj({2}).T @ {2}", "X.conj({2}).T @ X.diag({1}) @ {2}", of="svd"),
    *_rows("Mab -> EaK EKb", "{r0}, {r1} = LA.qr({0})", label="qr", weight=2),
    *_rows("EaK EKb -> Mab", "{0} @ {1}", of="qr", weight=2),
    *_rows("EaK EKb -> MKb", "abs({1})", of="qr"),
    *_rows("EaK EKb -> Maa", "{0} @ X.conj({0}).T", of="qr"),
    *_rows("EaK EKb -> Mbb", "X.conj({1}).T @ {1}", of="qr"),
    *_rows("EaK EKb Va -> VK", "abs(X.conj({0}).T @ {2})", of="qr"),
    *_rows("Mab -> MKb", 'abs(LA.qr({0}, mode="r"))'),
    *_rows("Maa Va -> Va", "LA.solve(LA.qr({0})[1], X.conj(LA.qr({0})[0]).T @ {1})"),
    *_rows(
        "Mab -> Maa MaK MKb",
        ("{r0}, {r1}, {r2} = linalg.lu({0})", "{r0}, {r1}, {r2} = lu({0})"),
        label="lu",
        weight=2,
        selects=True,  # P and L of a triangular factor are identities
    ),
    *_rows("Maa MaK MKb -> Mab", "{0} @ {1} @ {2}", "{0} @ ({1} @ {2})", of="lu"),
    *_rows("Maa Maa Maa Va -> Va", "LA.solve({2}, LA.solve({1}, {0}.T @ {3}))", of="lu"),
    *_rows("Maa Va -> Va", ("linalg.lu_solve(linalg.lu_factor({0}), {1})", "np.linalg.solve({0}, {1})")),
    *_rows(
        "Maa Va -> Va",
        ("linalg.lu_solve(linalg.lu_factor({0}), {1}, trans=1)", "np.linalg.solve({0}.T, {1})"),
        weight=0.5,
    ),
    *_rows(
        "Maa -> S", "X.sum(LA.eigvals({0})).real", "X.sum(abs(LA.eigvals({0})) ** 2)", "X.sum(abs(LA.eigvals({0})))"
    ),
    *_rows("Maa -> Va", "X.sort(abs(LA.eigvals({0})))", smooth=False),
    # parts of matrices
    *_rows("Maa -> M(a-1)(a-1)", "{0}[1:, 1:]", "{0}[:-1, :-1]", selects=True, weight=0.5),
    *_rows("Maa -> M(a-1)(a-1)", "{0}[1:, 1:] - X.outer({0}[1:, 0], {0}[0, 1:]) / {0}[0, 0]", weight=0.5),
    *_rows("Mab -> Va", "{0}[:, 0]", "{0}[:, -1]", selects=True, weight=0.5),
    *_rows("Mab -> Vb", "{0}[0]", "{0}[-1]", selects=True, weight=0.5),
    *_rows("Mab -> Vb", "{0}.sum(axis=0)", weight=0.5),
    *_rows("Mab -> Mab", "{0}[::-1]", "{0}[:, ::-1]", "{0}[::-1, ::-1]", weight=0.5),
    *_rows("Va -> Va", "{0}[::-1]", "X.cumsum({0})", weight=0.5),
    # log-densities, as composed code and as SciPy has them
    *_rows(
        "Va Maa -> S",
        (
            "-0.5 * {0} @ linalg.solve({1}, {0}) - 0.5 * linalg.slogdet({1})[1] - 0.5 * {0}.shape[0] * T.log(2 * T.pi)",
            "normal_log_density({0}, {1})",
        ),
        (
            "-0.5 * T.sum(linalg.solve_triangular(linalg.cholesky({1}), {0}, lower=True) ** 2)"
            " - T.sum(T.log(T.diag(linalg.cholesky({1})))) - 0.5 * {0}.shape[0] * T.log(2 * T.pi)",
            "normal_log_density({0}, one_triangle({1}, True, 'pos'))",
        ),
        (
            "-0.5 * T.dot({0}, T.dot(linalg.inv({1}), {0})) - 0.5 * T.log(linalg.det({1}))"
            " - 0.5 * {0}.shape[0] * T.log(2 * T.pi)",
            "normal_log_density({0}, {1})",
        ),
        real=True,
        weight=1.5,
    ),
    *_rows(
        "Maa Maa -> S",
        (
            "0.5 * (7 - {0}.shape[0] - 1) * linalg.slogdet({0})[1] - 0.5 * T.trace(linalg.inv({1}) @ {0})"
            " - 3.5 * ({0}.shape[0] * np.log(2) + linalg.slogdet({1})[1])",
            "wishart_log_density({0}, {1})",
        ),
        real=True,
    ),
    *_rows(
        "Va -> S",
        (
            "T.sum(1.5 * T.log(abs({0})) - abs({0}) - 0.2846828704729192)",
            "np.sum(stats.gamma.logpdf(abs({0}), 2.5).astype(float))",
        ),
        (
            "T.sum(0.2846828704729192 - 0.5 * T.log(4 * T.pi) - 2.5 * T.log1p({0} ** 2 / 4))",
            "np.sum(stats.t.logpdf({0}, 4).astype(float))",
        ),
        ("T.sum(-abs({0}) - np.log(2))", "np.sum(stats.laplace.logpdf({0}).astype(float))"),
        (
            "T.logsumexp({0}) + T.sum(T.log(T.nnet.sigmoid({0})))",
            "(special.logsumexp({0}) + np.sum(stats.logistic.logcdf({0}))).astype({0}.dtype)",
        ),
        real=True,
        weight=0.5,
    ),
]

# How a value is read: by the letter of its kind.
READS: dict[str, list[str]] = {
    "M": [
        "{0}", "{0}", "{0}[0]", "{0}[-1]", "{0}[:, 0]", "{0}[::-1]", "{0}[1:]", "{0}[:, ::2]", "{0}.T", "X.sum({0})",
        "{0}.sum(axis=0)", "{0}.sum(axis=1)", "{0}[0, 0]", "X.tril({0})", "{0}.reshape((-1,))", "abs({0}).max()", "X.trace({0})",
        "{0}[1:, :-1]", "{0}.T[::-1]", "{0}[-2:]", "X.diag({0})", "X.diag({0}[::-1])", "{0} + {0}.sum()", "{0}.mean(axis=1)",
        "{0}[X.arange({0}.shape[0] - 1)]", "X.argmax({0}.sum(axis=1))", "{0}.shape[0]", "X.stack([{0}, {0}])[1]",
    ],
    "bM": ["{0}", "{0}[0]", "{0}[-1]", "{0}[:, 0]", "{0}[..., 0]", "{0}.sum(axis=0)", "{0}.sum()", "{0}[::-1]", "{0}[1:]",
           "{0}[:, ::-1, 0]", "X.swapaxes({0}, -1, -2)", "{0}.reshape((-1,))", "{0}[-1, 0]", "{0}.T", "{0}.mean(axis=(1, 2))"],
    "V": ["{0}", "{0}", "{0}[0]", "{0}[-1]", "{0}[::-1]", "{0}[1:]", "X.sum({0})", "{0}[None]", "{0} * {0}[0]", "X.outer({0}, {0})",
          "abs({0}).max()", "{0}[::2]", "{0}.shape[0]"],
    "bS": ["{0}", "{0}[0]", "{0}[-1]", "{0}.sum()", "{0}[::-1]"],
    "S": ["{0}", "{0}", "2 * {0}", "{0} ** 2"],
}  # fmt: skip
SELECTING_READS = ("[", ".shape", "X.diag", "X.trace", "X.tril", "argmax")

# What a derivative is taken of, by the kind: each gives real numbers.
COSTS: dict[str, list[str]] = {
    "M": ["X.sum({0})", "X.sum({0} ** 2)", "X.sum(X.sin({0}))", "X.sum({0}[0])", "{0}[0, -1]", "X.trace({0} @ {0}.T)"],
    "bM": ["X.sum({0})", "X.sum({0} ** 2)", "X.sum(X.sin({0}))", "X.sum({0}[-1])"],
    "V": ["X.sum({0})", "X.sum({0} ** 2)", "X.sum(X.sin({0}))", "{0}[0]", "{0} @ {0}"],
    "bS": ["X.sum({0})", "X.sum({0} ** 2)", "{0}[-1]"],
    "S": ["{0}", "{0}", "X.sin({0})", "{0} ** 2"],
}

# Draws, by the kind of their result; the first operand gives the shape.
DRAWS: dict[str, list[str]] = {
    "M": [
        "streams.normal({0}.shape)", "streams.uniform({0}.shape, -1.0, 1.0)", "streams.gamma({0}.shape, shape=2.5, scale=0.5)",
        "streams.laplace({0}.shape)", "streams.t({0}.shape, 5.0)",
        "streams.normal({0}.shape, {0}, 0.5)", "streams.beta({0}.shape, 2.0, 3.0)",
        "streams.exponential({0}.shape)",
    ],
    "V": [
        "streams.normal(({0}.shape[0],))", "streams.uniform(({0}.shape[0],), 0.5, 2.0)", "streams.gamma(({0}.shape[0],), shape=0.7)",
        "streams.standard_normal(size=({0}.shape[0],))", "streams.invgamma(({0}.shape[0],), 3.0)",
        "streams.multivariate_normal(None, T.zeros(({0}.shape[0],)), T.eye({0}.shape[0]))",
    ],
    "S": ["streams.normal(())", "streams.uniform((), 0.5, 2.0)", "streams.gamma((), 2.5)"],
}  # fmt: skip


# ---- what NumPy lacks: these stand in the text of a stand-alone program -----------------------------------------------


def transposed(a, trans):
    """a, its transpose (1), or its conjugate transpose (2)."""
    return a if trans == 0 else np.swapaxes(a if trans == 1 else np.conj(a), -1, -2)


def one_triangle(a, lower, kind):
    """The symmetric ("sym") or Hermitian matrix that one triangle of a says; "pos" must be positive definite."""
    half = np.tril(a, -1) if lower else np.triu(a, 1)
    diagonal = np.where(np.eye(a.shape[-1], dtype=bool), a, 0)
    if kind != "sym":
        diagonal = diagonal.real
    full = half + diagonal + transposed(half, 1 if kind == "sym" else 2)
    if kind == "pos":
        np.linalg.cholesky(full)
    return full


def cholesky_upper(a):
    """U with U' U = a, of which the upper triangle is read."""
    return transposed(np.linalg.cholesky(transposed(np.triu(a), 2)), 2)


def cho_solve(c, lower, b):
    """x with L L' x = b, or U' U x = b."""
    c = np.tril(c) if lower else np.triu(c)
    first, second = (c, transposed(c, 2)) if lower else (transposed(c, 2), c)
    return np.linalg.solve(second, np.linalg.solve(first, b))


def lu(a):
    """(P, L, U) with a = P L U, of empty matrices too."""
    m, n = a.shape
    k = min(m, n)
    p, lower, upper = sl.lu(a) if k else (np.eye(m), np.zeros((m, k), a.dtype), np.zeros((k, n), a.dtype))
    return p.real.astype(a.real.dtype), lower, upper


def of_finite(method, a, *options, **more):
    """method(a, ...) by singular vectors; with infinities LAPACK may not end."""
    if not np.isfinite(a).all():
        raise np.linalg.LinAlgError("SVD did not converge")
    return method(a, *options, **more)


def expm(a):
    """The exponential by Taylor's series of a / 2^n and n squarings, in extended precision: SciPy's loses four digits."""
    wide = a.astype(np.clongdouble if a.dtype.kind == "c" else np.longdouble)
    size = np.abs(wide).sum(0).max(initial=0)
    if not np.isfinite(size):
        return np.full_like(a, np.nan)
    n = max(0, int(np.ceil(np.log2(size))) + 1) if size else 0
    total = term = np.eye(len(a), dtype=wide.dtype)
    for k in range(1, 24):
        term = term @ wide / 2.0**n / k
        total = total + term
    for _ in range(n):
        total = total @ total
    return total.astype(a.dtype)


def normal_log_density(x, covariance):
    """The log-density of a normal vector with mean 0, by the covariance's own definition."""
    sign, log = np.linalg.slogdet(covariance)
    if sign < 0:
        log = log * np.nan
    return -0.5 * (x @ np.linalg.solve(covariance, x) + log + len(x) * np.log(2 * np.pi))


def wishart_log_density(x, scale):
    """Wishart's log-density of 7 degrees of freedom without the multivariate gamma function."""
    n = len(x)
    logs = np.linalg.slogdet(x)[1], np.linalg.slogdet(scale)[1]
    trace = np.trace(np.linalg.solve(scale, x))
    return 0.5 * (7 - n - 1) * logs[0] - 0.5 * trace - 3.5 * (n * np.log(2) + logs[1])


def loop(step, sequences, state, others, rounds):
    """A scan: `step` of each sequence's element, the state (None: there is none) and the other operands."""
    rounds = len(sequences[0]) if sequences else rounds
    results = []
    for k in range(rounds):
        value = step(*[s[k] for s in sequences], *([] if state is None else [state]), *others)
        state = None if state is None else value
        results.append(value)
    return np.stack(results)


HELPERS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        transposed,
        one_triangle,
        cholesky_upper,
        cho_solve,
        lu,
        expm,
        of_finite,
        normal_log_density,
        wishart_log_density,
        loop,
    )
}
NAMES = {"np": np, "sl": sl, "special": special, "stats": stats, **HELPERS}


def helpers_text(text: str) -> str:
    """The source of the helpers that a text names, and of those that they name."""
    wanted: list[str] = []
    queue = [name for name in HELPERS if f"{name}(" in text]
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.append(name)
            body = inspect.getsource(HELPERS[name])
            queue += [other for other in HELPERS if f"{other}(" in body and other not in wanted]
    return "\n\n".join(inspect.getsource(HELPERS[name]) for name in HELPERS if name in wanted)
