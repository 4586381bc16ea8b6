"""Passes of loops: counted loops merge, vanish, keep less, or give work away to what stands around them.

Comes in   a result of a `for` of tensor IR, or a value of its body (`graph.Loop`: index, carried values, next values,
           stacked ones), and the pass's `passes.context.Context`.
Goes out   values that take its place; what has fewer carried or more stacked values is a new loop (`remake`).
Uses       `tensor_ir`, and `passes` around it.
Used by    `compiler.pipeline` alone; `constructs` write rules for `widen.Widening`.
Invariant  what is moved in front of a loop may not fail where no round would have run, nor take memory out of
           proportion.
Begin with `widen`, which all use: the value of all rounds by a rule of each construct, with `positions` that are linear
           in the loop's index.  Then the passes `sum_products_behind`, `independent_rounds` and `hoist_sequence_work`;
           `known` has the loops of a function.  Behind all passes: `merge_loops`, then `keep_rows`.
To add     a rule for a construct: its method `widen`.  What has none stays in the loop.
"""
