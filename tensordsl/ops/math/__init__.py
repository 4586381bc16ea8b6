"""Elementwise mathematics: rows of one scalar computation at every point of the broadcast operands.

Comes in   variables of any dtype and shape.
Goes out   rows whose meaning is a scalar computation (`Elementwise`), or other rows (`Expand`).
Modules    elementwise       arithmetic, rounding, choices, copies
           functions         exponentials, logarithms, trigonometry, error functions
           comparisons       comparisons, logic of bools and bits
           ufuncs            NumPy's other elementwise functions: signs, remainders, extremes beside nan
           complexes         complex numbers from parts and their parts;   complex_scalars   their functions
           gamma             the gamma function and its kin
           scalars           scalar computations of several steps, and oracles that NumPy lacks
           known_scalars     scalars whose value is certain when the graph is built
           stable            equations whose right side is more accurate;   shifts   softmax and logsumexp by hand
Uses       the other rooms of `ops`, `graph`, `base`.
Begin with `elementwise`.
"""
