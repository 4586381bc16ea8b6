"""Arrays: other work on whole buffers, each in NumPy's order of operations.

Comes in   for the writers: vector bytes and the instruction set, for scans a dtype.  At a call: what `Scatter` and
           `LibraryCall` instructions name.
Goes out   LLVM text of the objects "scatter_*", "cumsum_*" and "cumprod_*", "positions".
Modules    scatter    setting and adding at positions, one after the other in their order
           histogram  of that: one number added at positions of one byte, by counting
           scan       running sums and products: vectors along the other axes, never along the line
           nonzero    positions where a mask is true, and repeated positions
Uses       `library.lines` for the axes that are not the function's own; of `library.loops` a few writers; `llvm`.
Used by    programs, by `Scatter` and `LibraryCall` instructions (`bufferise.scatter`, `codegen.constructs`).
Begin with `nonzero`, then `scatter`.
To add     a function: docs/adding-a-construct.md, and a writer here.
"""
