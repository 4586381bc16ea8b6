"""Loops: the interpreter of loop nests, `run_nest`, which walks a group's axes and calls its kernels.

Comes in   at a call: a plan (addresses of kernels, and the descriptor that `cpu.loop_tree` wrote: words of
           `abi.descriptor`), addresses, byte strides and extents of the operands.  For the writers: vector bytes and
           facts of the machine.
Goes out   LLVM text of the objects "nest" and "nest_*" (`entry.part_text`).  Most launches need the first alone; a
           part that a call misses is loaded behind it, and `fallbacks` stand for it until then.
How        `parallel` has `run_nest`: small launches go at once, if they fit (`contiguous`, `small_transposed`); others
           are cut into tasks.  Each task, or all of a launch, is `entry._run_stage`: takes (`take`), lanes across rows
           (`pack.transpose_blocks`), copied operands (`pack.reductions`); then `entry._run_general`: `axes` brings the
           axes into order, groups of one kernel try the forms for short rows and the tiles, and what is left goes
           through `interpreter` (the descriptor's code: loops, blocks, fills, calls).
Others     `alternate_stack`: launches on threads that have little stack; `row_batches`: many rows without the
           interpreter between them; `parallel_rows`: reductions along rows in tasks; `traversal_order`,
           `streaming_stores`, `column_prefetch`, `align_broadcast`: memory and caches.  In `pack/`: operands that are
           not contiguous along the lanes are copied or transposed; in `short_rows/`: rows that are shorter than a
           vector are taken together.  The three folders are one room: its parts call each other.
Uses       `abi.descriptor`, `llvm.function` for the text, `library.parallel`, `target.tuning` for thresholds.
Used by    programs, through `run_nest`; products, through `run_tile`; `cpu` and `variants` go by `tuning.loops` too.
Begin with the docstring of `entry`, the words in `abi.descriptor`, then `interpreter`.
To add     a form: a module whose `*_texts` give its functions, its place in `entry` and a guard there, a row of the
           library's techniques; if few launches take it, a part of its own in `abi.layouts.LIBRARY` with a fallback.
"""
