"""Variants: which of several schedules of a group a call runs.

Comes in   a group, its schedules (`cpu.schedule`), where its operands are (`program_ir.storage.Ref`), and a builder
           that gives names to comparisons of lengths and strides.
Goes out   `conditions`: the name of an i64 that is 1 where a schedule is better, or None where that is never so; the
           program compares at run time, as far as possible at entry.  `guards`: a `Require` instruction, by which a
           call has the kernels compiled that it is the first to need.  `predict`: numbers of the plans that known
           lengths of shared variables will choose, which are compiled with the function.
Uses       `cpu`, `fusion`, `program_ir`; `target.machine` and limits of `library.loops`.
Used by    `bufferise.launches` (conditions), `bufferise.function` (guards), `compiler.pipeline` (predict).
Begin with `conditions.prefers`, and `bufferise.launches`, where the variants of a launch are listed.
To add     a variant: a schedule in `cpu.schedule`, its condition in `conditions`, its branch in `bufferise.launches`.
           Every variant has to give results that its condition's tests compare.
"""
