"""Passes of linear algebra: solves in the place of inverses, and fewer factorisations by the structure of matrices.

Comes in   a product, a solve, a factorisation or a gather of tensor IR, and the pass's `passes.context.Context`.
Goes out   the value that takes its place: triangular solves, divisions, sums, factors that are there already.
Level      tensor IR, where `solve`, `inv`, `det` and their gradients are all made of the same rows (`lu_factor`,
           `lu_solve`, `solve_triangular`, `cholesky`): one rule serves a value and its gradient, equal factorisations
           are one value, and few constructs are left to prove facts from.
Modules    structure      what is known of a value: triangular, diagonal, symmetric, orthogonal
           applications   rows' applications in tensor IR, and expressions of the user's functions in their place
           solves         the passes `solve_for_inverses` and `solve_by_structure`
           factors        the pass `factor_by_structure`
           determinants   the pass `log_of_determinants`
           equations      all equations as a table
           products       the passes `multiply_by_diagonals` and `sum_diagonals`
Uses       `tensor_ir`, `passes` around it; rows of `tensordsl.ops`.
Used by    `compiler.pipeline` alone.
Invariant  an error that a user can expect stays; docs/linear-algebra.md names those that do not.
Begin with `structure`, then `solves`.
To add     a rule: a line of `solves._solved` or a function there, and its row of `equations`; a fact: a rule of
           `structure` for a construct.
"""
