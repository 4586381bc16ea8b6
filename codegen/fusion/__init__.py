"""Fusion: which values are computed where, which get memory, and which become one loop nest.

Comes in   the optimised tensor IR of a function: a `tensor_ir.graph.Graph` and the values that are wanted.
Goes out   `placement.Region`s by context (the function, bodies of loops, sides of branches), each a list of `Step`s in
           order.  A step is a construct, or a group: `group.Group`, a DAG of scalar values over named axes, with its
           buffers.  The group names no target; a target's choices for it are a `group.Schedule`.
Inside     `placement.plan_regions` finds each value's region; `partition.Fusion` forms the groups of a region, by
           `inline`, which substitutes what a result needs and stops where one of the rules R1 to R13 says so.
           Large computations are cut first (`split_large`); `incremental_toposort` keeps the order while groups
           are joined.  Then steps meet: chains by blocks of rows
           (`row_blocking`), runs through stacks of matrices or hidden rows (`batch_blocking`), additions at positions
           (`fuse_scatters`).  Before all of that branches share what they have in common (`hoist_from_branches`).
           `printer` prints groups; `narrow_integers` and `lane_states` look at one group: fewer bits, states in lanes.
Uses       `scalar_ir`, `tensor_ir`; of `passes` some questions about values.
Used by    `bufferise` makes program IR of the steps; `cpu` and `gpu` schedule groups; `mlir` writes them as generics.
Begin with `group`, then the docstring of `inline` with its rules, then `partition.Fusion.plan`.
To add     a rule for what may be one group: `inline` (and its name in the docstring; `TENSORDSL_DEBUG=4` prints it at
           each cut); a form that runs several steps together: a chain as in `row_blocking`, and who writes it in
           `bufferise`.
"""
