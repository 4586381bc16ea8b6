"""The equations of this room as a table for people: which pass has them, and when they apply.

`EQUATIONS` -> the table in docs/linear-algebra.md, written by `table`; `TENSORDSL_DEBUG=2` prints those that applied by
the same names, and a test compares them with what the passes say.
"""

from __future__ import annotations

from tensordsl.base.records import record


@record
class Equation:
    """One equation of the pass that is called `name`; note: what differs from its left side, "" for rounding alone."""

    name: str
    equation: str
    applies_when: str
    note: str = ""


_IN_PLACE = "NaN and inf of B stay in place"
EQUATIONS = (
    Equation("log_of_determinants", "log(abs(det(A))) = slogdet(A)[1]", "always", "no overflow"),
    Equation("log_of_determinants", "log(det(A)) = slogdet(A)[1]", "always", "no overflow; NaN where det(A) < 0"),
    Equation("solve_for_inverses", "inv(A) b = solve(A, b)", "only products read the inverse"),
    Equation("solve_for_inverses", "b inv(A) = solve(A', b')'", "only products read the inverse"),
    Equation(
        "solve_by_structure", "solve of a triangular matrix", "A is tril, triu, a factor, or a sum or product of such",
    ),
    Equation("solve_by_structure", "solve(diag(d), b) = b / d", "A is diagonal: diag(d), d * eye"),
    Equation("solve_by_structure", "solve(eye, b) = b", "A is an identity matrix"),
    Equation("solve_by_structure", "solve(Q, b) = Q' b", "A is square, and the Q of qr, or vectors of eigh or svd"),
    Equation("solve_by_structure", "solve(A B, b) = solve(B, solve(A, b))", "both are triangular or orthogonal"),
    Equation(
        "solve_by_structure", "solve(L L', b) = solve(L', solve(L, b))",
        "A is symmetric, and the function computes cholesky(A) in any case",
    ),
    Equation("solve_by_structure", "solve(inv(A), b) = A b", "always", "no error where A is singular"),
    Equation("solve_by_structure", "solve(A', b) = solve(A, b) for a symmetric A", "A is symmetric"),
    Equation("solve_by_structure", "solve(A', b) by the factors of A", "the function factorises A too"),
    Equation("solve_by_structure", "solve(A, c b) = c solve(A, b)", "c is a number, and the function has solve(A, b)"),
    Equation("solve_by_structure", "solve_triangular(A', b) by A", "always"),
    Equation(
        "factor_by_structure", "lu_factor of triangular factors",
        "A is triangular, L U, or symmetric with cholesky(A) in the function; what reads the factors are determinants",
        "NaN off the diagonal of a triangular factor does not reach the determinant",
    ),
    Equation(
        "factor_by_structure", "cholesky(L L') = L",
        "L is lower triangular; columns with a negative diagonal change signs",
        "an error only where L has a 0 on its diagonal",
    ),
    Equation("multiply_by_diagonals", "diag(d) B = d[:, None] B", "one factor is diagonal", _IN_PLACE),
    Equation("multiply_by_diagonals", "B diag(d) = B d", "one factor is diagonal", _IN_PLACE),
    Equation("multiply_by_diagonals", "B eye = B", "one factor is an identity matrix", _IN_PLACE),
    Equation("sum_diagonals", "diag(A B) = sum(A * B.T)", "nothing else reads the product; so a trace is one sum"),
)  # fmt: skip


def table() -> str:
    """The equations as a table of Markdown."""
    lines = ["| switch | equation | when | what differs |", "|---|---|---|---|"]
    for e in EQUATIONS:
        lines.append(f"| `{e.name}` | `{e.equation}` | {e.applies_when} | {e.note or 'rounding'} |")
    return "\n".join(lines)
