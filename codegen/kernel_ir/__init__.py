"""Kernels: a typed loop IR, and the language in which the library's functions are written.

Comes in   Python functions over typed values (`language.kernel`): operators, indices, slices, blocks.
Goes out   `ir.Module`s, which `llvm.kernel_text` spells for LLVM.
Modules    types      elements and lanes, arrays, signatures
           ops        one row for each op: what it wants, the type that it gives
           ir         values, ops, regions, functions, modules
           language   what a writer of kernels uses; variables become SSA values here
           verify     types, scopes, ends of regions
           printer    kernels as a reader would write them
           interpret  runs them one op at a time and checks every access
           dead_code  leaves out what nobody uses
           structs    named fields in memory
           float16, transposition  helpers that several kernels share
Uses       nothing above it but records: a kernel knows no program, array library or machine.
Used by    `library.arrays`, `library.linalg`, and files of the other rooms that write code, which move here one by one
           (docs/decisions/kernel-language.md).
Begin with `language.Kernel`, then `library.arrays.histogram`.
To add     an op: docs/kernels.md.
"""
