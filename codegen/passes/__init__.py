"""Passes: tensor IR to tensor IR, equations first, then rewrites that move or merge whole operations.

Comes in   a `tensor_ir.graph.Value`, whose operands have been rewritten already, and the pass's `context.Context`.
Goes out   the value that takes its place, or None: `Callable[[Context, Value], Value | None]`.  The driver
           (`compiler.pipeline`) rewrites all values with one pass, operands first, and verifies the result.
Order      `compiler.pipeline.PIPELINE`, where each pass stands with the reason for its place, and `FINISH`, three walks
           over a whole function behind them: `fold_gemm.finish_products`, `complex_moves.move_numbers`,
           `narrow_indices.narrow_positions`.  For NanGuardMode `nan_guard.guard` comes last.
Uses       `tensor_ir`; rows of `tensordsl.ops` to make new operations.
Used by    `compiler.pipeline` alone, but for a few functions that `fusion` and `bufferise` use.
Begin with `patterns` and `rules`: an equation is a line of the user's own expressions.  Then `fold_constants` and
           `sink_slices`, two passes of the usual form.
           Normal forms: `canonicalise`, `fold_constants`; accuracy: `stabilise`; products and sums: `fold_gemm`,
           `merge_reductions`; slices and indices: `sink_slices`, `sink_gathers`, `rewrite_scatters`, `overlap_add`,
           `share_rolls`, `peel_rolls`, `unmerge_axes`, `unroll_pooling`, `partial_sort`.
To add     an equation: docs/adding-a-rule.md; a pass: docs/adding-a-pass.md.
"""
