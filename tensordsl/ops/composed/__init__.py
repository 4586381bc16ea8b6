"""Composed functions: NumPy's, PyTensor's and the array standard's functions that are made of other functions.

Comes in   variables, arrays and numbers; axes and options that are known when the graph is built.
Goes out   variables, made by the functions of `ops.array`, `ops.math` and `ops.linalg`: there is no row here, so
           gradients, fusion and every target come from theirs.
Modules    stacks        join and cut: hstack, block, array_split, insert, delete, broadcast_arrays, pack
           turns         elements in another order: rot90, flipud, rollaxis, lexsort, partition
           coordinates   meshgrid, ix_, indices, tril_indices, vander
           choices       select, piecewise, interp, digitize, histogram
           statistics    average, quantile, cov and the reductions that leave nan out
           sets          isin, union1d, unique_values and their kin
           series        gradient, trapezoid, convolve, unwrap, polynomials
           contractions  inner, vecdot, matvec, cross
           standard      names of the Python array API standard
Uses       the other rooms of `ops`, `graph`, `base`.
Begin with `stacks`.
"""
