"""Packing: parts of the loops' interpreter for operands whose elements are not adjacent along the lanes.

Comes in   an operand's address and strides at a call, and scratch memory.
Goes out   LLVM functions that copy a block of the operand to scratch, where kernels read whole vectors, and that copy
           results back.
Modules    copy                 adjacent elements, with the end of a row padded to a vector
           strided              elements at a fixed stride, by shuffles or one by one
           deinterleave         several operands that are columns of one array, in one pass
           rows                 launches of one kernel over one axis, block by block
           transpose_registers  8 x 8 squares of elements, in registers
           transpose_tiles      launches of one kernel whose operands are contiguous along different axes
           transpose_blocks     launches whose lanes run across short rows, a block of lanes at a time
           reductions           operands of reductions, copied once for all who read them
Uses       `library.loops` around it (`descriptor`, `row_batches`), `llvm.function` and `llvm.strided_access`.
Used by    `library.loops.entry` puts the functions into modules; `short_rows` packs with them too.
Begin with `copy`, then `transpose_registers`.
To add     a form of packing: a module here, and in `library.loops.entry` the condition under which a launch takes it.
"""
