"""Bufferisation: steps on tensors become instructions on memory.

Comes in   `tensor_ir.lower.Lowered`; `fusion.placement.plan_regions` makes steps of it.
Goes out   `program_ir.instructions.Program`, with its regions for those who print them (`function.build_program`).
Flow       `function` has the order of a whole function: outputs, checks, updates in place or to fresh storage, the
           commit.  `bufferiser.Bufferiser` is what all others write with: it names lengths, allocates, makes views and
           emits.  `steps` runs the steps of a region: a construct computes itself (`codegen.constructs`), groups go
           through `launches`.  What constructs and chains share: `gemm`, `scatter`, `matrices`.
           Steps that run together: `row_blocks`, `batches`, `hidden_rows` (chains of `fusion`).
           Launches: `launches` walks the variants of a group (`variants.selection`); before that `collapse_axes`
           and `unroll_axes` may rewrite it.  Storage: `compute_in_place` (parts where they are wanted),
           `output_order` (order in memory).  Loops: `loops` (states and stacks), `written_over` (states in place).
           `serialise` packs groups for kernels that are compiled later.
Uses       `fusion`, `cpu`, `variants`, `gpu` for device plans, `program_ir`, `tensor_ir.extents`.
Used by    `compiler.pipeline`, which verifies the program and hands it to `host`.
Begin with `function.build_program`, then `bufferiser`, `steps`, and one construct, such as `constructs.concatenate`.
To add     a construct: docs/adding-a-construct.md; an instruction: see `program_ir`.  What may fail has to come before
           the first write that destroys state; `program_ir.verify` says where it does not.
"""
