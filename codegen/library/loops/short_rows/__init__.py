"""Short rows: parts of the loops' interpreter that make long rows of rows which are shorter than vectors.

Comes in   a launch whose innermost axis is short, at a call.
Goes out   LLVM functions that do it, or answer "not handled"; then the interpreter does the launch.
Modules    collapse       rows that lie one behind the other are one long row
           overlap        each row computed a whole vector long, in order
           pack           rows with gaps between them, copied together and back
           reverse        rows, or their elements, backwards
           reduce_wide    reductions along rows: several rows as one wide row, folded in the end
           reduce_joined  reductions over several axes of rows with gaps
           replicate      per-row values, for all elements of a row
           row_blocks     rows of a reduction that a loop around them reads again, a block at a time
Uses       `library.loops` around it and `pack`, `llvm.function`.
Used by    `library.loops.entry` puts the functions into modules and tries them in order.  Which schedules count on
           them says `cpu.schedule` (`widens`, `pads`, `mixes`).
Begin with `collapse`, the simplest.
To add     a form for short rows: a module here, and its place in `library.loops.entry`.
"""
