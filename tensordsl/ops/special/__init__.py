"""Special functions of SciPy, Theano and PyTensor beyond those of `ops.math`, with gradients.

Comes in   variables of real dtypes; all is computed in float64 and cast.
Goes out   rows of one scalar computation (`Elementwise`, by Chebyshev sums, or by loops of one element, which stand in
           `codegen.scalar_ir.special`), or of other rows (`Expand`): integrals as reductions over constant nodes;
           `hypergeometric` is a step of the host.
Modules    normal            the normal distribution and its inverses;   logarithms   logit, entropies, sinc
           bessel            J, Y, I, K of the orders 0 and 1;   bessel_order   J, I, K of every real order
           beta              the beta function, factorials;   beta_incomplete   the incomplete one and its inverse
           gamma_incomplete  both sides of gamma distributions;   gamma_inverse   their inverses
           integrals         Dawson, exponential, Owen's T
           zeta              Hurwitz' zeta function;   lambert   Lambert's W;   hypergeometric   Gauss' 2F1
           softmax           softmax with SciPy's axes
           chebyshev         sums for scalars, rows made of scalars;   definitions   rows made of rows, nodes of
           integrals coefficients      numbers, made by tools/fit_special.py
Uses       the other rooms of `ops`, `graph`.
Begin with `normal`, then `bessel`.
"""
