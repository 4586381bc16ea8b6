"""Tensor IR: the whole function as values on tensors, with symbolic extents; and lowering from the user's graph.

Comes in   a function as the user wrote it: variables and `Apply` nodes of `tensordsl.graph` (inputs, shared variables,
           outputs, updates).
Goes out   `lower.Lowered`: a `graph.Graph` and its outputs and updates as `graph.Value`s. A value has an op, the name
           of a construct (`construct`; all are in `codegen.constructs`), operands, attributes, a dtype and a shape of
           extents; equal values are one. An extent is an int or a polynomial over lengths that calls bring (`extents`),
           so one compile serves all shapes; what a call has to check about lengths are the graph's constraints.
Rules      `verify` says what every value keeps; the driver runs it after lowering and after each pass.
Uses       `tensordsl.ops`: a row says by its meaning how it is lowered.
Used by    `passes` rewrites the graph, `fusion` parts it into steps, `bufferise` gets every length from `extents`,
           `mlir` writes it as text.
Begin with the docstrings of `graph` and `extents`, then `construct` and `lower.lower`.
           `lower_complex` splits complex values, `lower_complex_dot` their products; `indexing` says where
           the axes of an index go; `equal_loops` finds loops that are one.
To add     a construct: docs/adding-a-construct.md.
"""
