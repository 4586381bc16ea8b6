"""Matrix products: C = alpha A B + beta C for float32 and float64, with any strides of A and B, alone or in stacks.

Comes in   for the writers: a dtype and a tuning (vector bytes, whether the machine has registers for our panels,
           whether loads that straddle cache lines are expensive).  At a call: the arguments of `gemm_*`, `gemms_*` and
           `gemm_then_*` (`abi.layouts.HELPERS`).
Goes out   LLVM text of the objects "gemm_float64" and "gemm_float32" (`dispatch.gemm_text`).
How        `dispatch` has the table of conditions: small products go to `tiles`, stacks to `batched`, few columns to
           `narrow`, two or three rows to `few_rows`, a matrix times its own transpose to `syrk`; large ones to our
           panels (`macro_kernel` has the loops, `panels` the micro-kernel), or to the BLAS that NumPy brings, where
           that is faster.  `signatures`: of what several modules call.
Uses       `library.parallel` for threads, `library.blocks` for packed operands, `llvm`; of `program_ir` the size of
           the blocks of C that an epilogue gets.
Used by    programs, by `Gemm` instructions; `bufferise` knows by `target.tuning` from which size on threads are woken.
Begin with the docstring of `dispatch`, then `tiles`.
To add     a kernel: a module with its text, a row in the docstring and a branch in `dispatch`.  Results may not
           depend on the number of threads.
"""
