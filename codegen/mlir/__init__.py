"""MLIR: a function as text for upstream's tools, and tensor IR as a dialect of its own.

Comes in   `tensor_ir.lower.Lowered`, as the compiler's passes left it or as it was lowered.
Goes out   `export.export`: one `func.func` of linalg generics on tensors, with scf, arith and math, which mlir-opt
           verifies, lowers and runs.  `dialect.to_mlir` and `from_mlir`: tensor IR as generic ops and back.
Flow       `writer.Writer` writes one function: names, extents, tensors; `groups` a group as one generic for each
           reduction and store, `scalars` its body; what is no group constructs write themselves
           (`codegen.constructs`), with `slices`.
Uses       `fusion` for regions and groups, `tensor_ir`, `scalar_ir` with `math`.  No code is generated here.
Used by    `tensordsl.functions.native.mlir_text`, for `f.mlir()`, which runs the passes first.
Begin with the docstring of `export`, then `groups.GroupWriter`; docs/mlir.md is for users.
To add     a construct: its `mlir`; what has no structured form is a call of a private function (`writer.call`), and
           docs/mlir.md lists it.  Tests run the text with upstream's tools where they are installed.
"""
