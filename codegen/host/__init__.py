"""The host program: program IR becomes LLVM text of one function, `program(ctx, frame)`.

Comes in   a verified `program_ir.instructions.Program`.
Goes out   LLVM text for code generation at level 0 (`emitter.emit_program`), without external symbols: helpers and
           kernels are reached through the run-time table and `ctx.kern`.  Its length is linear in the program's.
Flow       `emitter.Emitter` has a method for each instruction; names become LLVM operands.  `control` writes loops and
           branches, `blocks` loops over blocks of rows, as functions whose tasks threads share, `gemm` the calls of
           matrix products, `failures` the checks: conditions are collected, and straight-line code tests them together.
Uses       `abi.layouts`, `program_ir`, `llvm.total_integers`.
Used by    `compiler.pipeline`.
Begin with `emitter.emit_program` and `Emitter.module`, then `failures`.
To add     an instruction's text: a row of `emitter.EMIT`; what it may assume says `abi.layouts`.
"""
