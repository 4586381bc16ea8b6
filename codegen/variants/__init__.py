"""Variants: which of several schedules of a group a call runs.

Comes in   a group, its schedules (`cpu.schedule`), where its operands are (`program_ir.storage.Ref`), and a builder
           that gives names to comparisons of lengths and strides.
Goes out   `selection`: the table of variants, and the choices of a launch: (condition, schedule), best last.
           `conditions`: the name of an i64 that is 1 where a schedule is better, or None where that is never so; the
           program compares at run time, as far as possible at entry.  `guards`: a `Require` instruction, by which a
           call has the kernels compiled that it is the first to need.  `predict`: numbers of the plans that known
           lengths of shared variables will choose, which are compiled with the function.
Uses       `cpu`, `fusion`, `program_ir`; `target.tuning`.
Used by    `bufferise.launches` (selection), `bufferise.function` (guards), `compiler.pipeline` (predict).
Begin with `selection.VARIANTS`.
To add     a variant: a schedule in `cpu.schedule`, its condition in `conditions`, a row in `selection.VARIANTS`; see
           docs/adding-an-optimisation.md.  Its switch, and results with it on, off and forced, are tested by the row.
"""
