"""LLVM: writing its text, and making object code of it.

Comes in   scalar values (`scalar_ir.builder.Val`), for `emit_scalars`; calls of a writer, for all other text; at the
           end whole modules as text, for `compile`.
Goes out   text, as lines of a writer; objects as bytes (`compile.compile_object`, by llvmlite, which is loaded then).
Writers    `builder.Asm` writes functions with loops and conditions, for the library; `function.Function` is the same
           with tables of words; `vector_builder.Code` collects lines of one function at W lanes, for kernels.
           On `Code` stand `emit_scalars` (a DAG; elementary functions are expanded in place or called), `casts`,
           `float16`, `lookup_tables`, `strided_access`, `extremum`, and `clone`, which copies straight-line text for
           several vectors and for the masked end of a row.  `total_integers` is for host programs.
           `kernel_text` spells the functions of `kernel_ir`.
Uses       `kernel_ir`; `target` for vector widths and instruction sets, `scalar_ir` with `math`.
Used by    every room that writes code: `library`, `cpu`, `gpu`, `host`; `compiler` calls `compile_object`.
Begin with `builder`, then `emit_scalars.emit_all`; `compile` says which optimisation level is for what.
To add     the text of a scalar operation: `emit_scalars`; a switch of LLVM: `compile._switches`.  No pass manager
           runs: what is written is what is compiled.
"""
