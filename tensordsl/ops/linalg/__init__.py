"""Linear algebra: products of vectors and matrices.

Comes in   variables of any dtype, whose last two axes are matrices.
Goes out   rows whose meaning is a construct of the compiler (`Kernel`), or other rows (`Expand`).
Modules    products   dot, matmul, tensordot, outer, kron
Uses       the other rooms of `ops`, `graph`, `base`.
Begin with `products`.
"""
