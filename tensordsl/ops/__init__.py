"""The ops: one row each, with dtype rule, shape rule, meaning, gradient and oracle; and the functions that users call.

Comes in   what a user's function gets: variables and values (`operands.as_variable`).
Goes out   rows (`graph.variables.Op`), applied to variables; `table.OPS` has all by name.
Rooms      `math` computes element by element; `array` makes, moves, reduces and orders elements; `linalg` has products,
           factorisations and what is made of them; `special` has special functions beyond those of `math`; `random` has
           random bits and distributions; `composed` has NumPy's functions that need no row.  All are one layer, as rows
           use each other.
Modules    table          every row by its name;   rows   how elementwise rows are made
           operands       arguments as variables
           cotangents     what gradients of rows give: zero, undefined, bound to a choice
           control        loops, branches, effects, identities with a gradient of their own
           scalar_loop    loops of scalars, at each point of arrays one of its own
           nnet           functions of neural networks;   normalise   batch normalisation;   pool   pooling
           lengths        lengths of axes as ints or variables
           kinds          Theano's classes of ops, as kinds of rows
           vectorize      expressions of stacks of their variables
           policies       `cast_policy` and `warn_float64`
Uses       `graph`, `base`.
Used by    `autodiff`, `tensor`, and the compiler, which reads the rows' columns.
Begin with `table`, then one row of `math.elementwise`.
To add     an op: docs/adding-an-op.md.
"""
