"""Linear algebra: products, factorisations, and what is made of them.

Comes in   variables of any dtype, whose last two axes are matrices; the axes before are batches.
Goes out   rows whose meaning is a construct of the compiler (`Kernel`), or other rows (`Expand`).
Modules    products     dot, matmul, tensordot, outer, kron
           matrices     what rows of factorisations share: dtypes, shapes, adjoints, triangles, failures
           triangular   systems with triangular matrices
           factorise    Cholesky, LU, QR
           solve        systems, inverses and determinants by LU factors
           spectral     eigenvalues and singular values
           decompositions, systems, inverses, norms, matrix_functions, equations, roots, structured, schur: what
                        users call
           theano_forms  what Theano's modules have otherwise
Uses       the other rooms of `ops`, `graph`, `base`.
Begin with `factorise`, the rows; then `systems`, the functions.
"""
