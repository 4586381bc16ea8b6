"""Linear algebra: factors of matrices and solutions of systems, of batches over leading axes.

Comes in   for the writers: a dtype and a tuning.  At a call: matrices of any strides by a `LibraryCall`; behind the
           results a word for the number of the first matrix that fails, -1 before (`layouts.NO_FAILURE`), and a
           scratch buffer, which begins with the number of the call's first matrix.
Goes out   a `kernel_ir` module of one object for each of `abi.layouts.LAPACK_OF` and dtype, and its LLVM text.
Meaning    NumPy's and SciPy's, row by row; a matrix that fails is NaN, and the others go on.
How        `batches` walks over leading axes and calls a function for a run of matrices at equal steps.  That takes own
           code for small ones (`small`), else one by one the LAPACK that NumPy brings (`fortran` writes the calls), on
           a stack that is large enough.  A matrix in C order is its transpose to LAPACK: flags are exchanged, and
           nothing is copied.  `cholesky`, `triangular`, `lu`: one file for each factor; `spectral`: QR, singular values
           and eigenvalues.
Small      `small` chooses among forms of one order of operations: in registers and in lanes (`small_factors`,
           `small_solves`, `small_vjp`, over `small_values`), or rows as vectors (`small_rows`); `lower_dots`:
           one column of a larger triangle; `mirror`: triangles that LAPACK factors faster.
           `cholesky_vjp` has the cotangents of larger factors.
Uses       `kernel_ir`, `library.polls`, `library.alternate_stack`, `llvm`.
Used by    constructs, which are called as the rows are (`codegen.constructs`).
Begin with `batches`, then `cholesky`.
To add     a function: a row of `abi.layouts._CALLS`, names in `LAPACK_OF`, a file with its run, a construct.
"""
