"""Convolutions: correlations of 1 to 3 spatial axes, their gradients, and Theano's and SciPy's functions made of them.

Comes in   an input (N, C, *S), weights (O, C / groups, *K), strides, dilation, padding, groups, flips.
Goes out   rows of the construct `conv` and its two gradients.
Modules    rows       the three rows, with rules, oracles and gradients;   windows   the same of other rows
           functions  layers under Theano's names;   shapes   lengths as numbers, and what callers say of them
Uses       `ops.array`, `ops.linalg` for products.
Begin with `rows`, then `functions`.
"""
