"""Tensor IR: the whole function as values on tensors, with symbolic extents; and the way there from the user's graph.

Comes in   a function as the user wrote it: variables and `Apply` nodes of `tensordsl.graph` (inputs, shared variables,
           outputs, updates).
Goes out   `lower.Lowered`: a `graph.Graph` and its outputs and updates as `graph.Value`s.  A value has an op (one of
           the constructs that the docstring of `graph` lists), operands, attributes, a dtype and a shape of extents;
           equal values are one.  An extent is an int or a polynomial over lengths that calls bring (`extents`), so
           one compile serves all shapes; what a call has to check about lengths are the graph's constraints.
Rules      `verify` says what every value keeps; the driver runs it after lowering and after each pass.
Uses       `tensordsl.ops`: a row says by its meaning how it is lowered.
Used by    `passes` rewrites the graph, `fusion` parts it into steps, `bufferise` asks `extents` for every length,
           `mlir` writes it as text.
Begin with the docstrings of `graph` and `extents`, then `lower.lower` and the table `lower.KERNELS`.
           `lower_complex` takes complex values apart, `lower_complex_dot` their products; `lower_indexing` and
           `lower_library_ops` hold the larger constructs.
To add     a construct: its line in the docstring of `graph`, a function in `lower.KERNELS`, a rule in `verify`, then
           its steps in `bufferise.constructs.CONSTRUCTS` and `mlir.constructs.CONSTRUCTS`.
"""
