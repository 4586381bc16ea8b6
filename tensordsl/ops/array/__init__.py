"""Arrays: rows that make, index, move, write, reduce and order elements.

Comes in   variables of any dtype and shape; axes, indices and lengths, known or symbolic.
Goes out   rows whose meaning is a construct of the compiler (`Kernel`, `Reduction`), or other rows (`Expand`).
Modules    shape        lengths as values, reshape, transpose, broadcast, join
           arrange      repeat, roll, stack, moveaxis
           index        `x[...]`;   write        `set_subtensor`, `inc_subtensor`
           masks        positions that depend on data;   last_writes   which of several values at one position stays
           creation     filled tensors, ranges, identities;   grids   coordinates, triangles;   pad   a border around
           reduce       sums, products, extremes;   reducers   their monoids;   cumulative   running sums and products
           sort         sorting, selecting, searching;   einsum   sums of products by subscripts
Uses       the other rooms of `ops`, `graph`, `base`.
Begin with `shape` and `reduce`.
"""
