"""Passes of loops: counted loops merge, vanish, keep less, or give work away to what stands around them.

Comes in   a `for` of tensor IR (its `graph.Loop`: index, carried values, next values, stacked ones) or a result of one,
           and the pass's `passes.context.Context`.
Goes out   values that take its place; a loop's body may be replaced by the pass (`graph.Loop.next`, `stacked`).
Uses       `tensor_ir`, and `passes` around it.
Used by    `compiler.pipeline` alone.
Invariant  what is moved in front of a loop may not fail where no round would have run, nor take memory out of
           proportion.
"""
