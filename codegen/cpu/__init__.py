"""The CPU: a group becomes vector kernels, and a descriptor of the loops around them.

Comes in   a `fusion.group.Group` and a `target.tuning.Tuning`.
Goes out   `schedule.schedule` -> `Schedule`: the axis that lanes run along, lanes of each pass, blocks, what is stored
           instead of recomputed.  `planner.plan` -> `program_ir.instructions.LaunchPlan`, which makes `Kernels` on
           demand: LLVM text of each kernel, and the descriptor that `library.loops` interprets.
Inside     `planner` builds the tree of loops (`loop_tree`), decides which kernel computes which value
           (`planner_values`, with places in `operand_tables`) and writes each into a `kernel.Kernel`: a body on
           vectors, written by `llvm.emit_scalars`, between loops that `row_loop` and `column_loop` write.
           Into a body go `reductions`, `gather`, `scatter_add`.
Forms      that `kernel_text` chooses from: `short_rows` (rows in lanes), `stencil_rows` (register blocking of rows
           that share loads; `stencil_offsets` finds them), `vectorise_rows` (many rows of one scalar), `aligned_rows`
           (vectors begin on cache lines), `streaming_stores` (non-temporal stores), `prefetch` (of the next rows).
Uses       `fusion`, `scalar_ir`, `llvm`, `abi.descriptor`; `target.tuning` for thresholds.
Used by    `variants` and `bufferise.launches` choose among schedules; `compiler.modules` joins kernels to modules.
Begin with the docstrings of `schedule` and `kernel`, then `planner._Planner.run`.
To add     a choice: a field of `Schedule` (`fusion.group`) and who sets it in `schedule`; a form of kernel: a module
           that writes its loop, a condition on `Kernel`, and its call in `kernel_text`.
"""
