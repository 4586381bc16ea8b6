"""Scalar IR: the computation of one element, as a DAG of values over named axes.

Comes in   calls of a `Builder`: rows of ops say what they compute with one (`tensordsl.ops`), as do reducers, the
           expansions in `math`, and `fusion.inline`, which makes the loads.
Goes out   `builder.Val`: an operation, a dtype, operands, and the set of axes along which it varies.  Values are never
           changed; equal ones made by one builder are one.  `walk` gives a DAG with operands first.
Meaning    NumPy's, and total: integers wrap, divisions by 0 have a result, indices are wrapped and checked.
           `math.interpreter` computes a DAG on NumPy arrays: the oracle of every emitter.
Uses       dtypes and casting rules of the front.
Used by    `fusion` keeps groups as such DAGs; `llvm.emit_scalars` writes them as LLVM text for the CPU, `gpu.builder`
           for GPUs, `mlir.scalars` as MLIR.
Begin with the docstring of `builder`, then `Builder.make` and the table `ARITY` of operations; `math.FUNCTIONS` has the
           elementary functions.
           Loops of one element, `repeat`, are rows of `repetition`; those for random numbers stand in `sampling`,
           those of special functions in `special`; `terms` gives values Python's operators.
To add     an operation: a method of `Builder`, its text in `llvm.emit_scalars` (one for the CPU and GPUs) and in
           `mlir.scalars`, its result in `math.interpreter`; an elementary function: docs/adding-a-function.md.
"""
