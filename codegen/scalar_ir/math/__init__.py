"""Elementary functions, each written once in scalar operations for all targets: vector mathematics of our own.

Comes in   the names of operations that `scalar_ir.builder` does not know as primitive.
Goes out   `FUNCTIONS`: a `function.Function` for each name.  Its expansion gives the DAG for float32 and float64; where
           it has a slow tier, a target branches when any lane needs that, or selects (`Function.complete`).
Uses       `scalar_ir.builder`; of the front the NumPy oracles of op rows, for `interpret`.
Used by    `llvm.emit_scalars`, in place or as functions; `gpu.builder` and `mlir.scalars`, in place; `interpreter`
           computes whole DAGs on NumPy arrays by them; tests, tools and docs/accuracy.md read every column.
Begin with `function`, then `exponential` and `logarithm`; `floating_point` has what all share (formats, polynomials,
           error-free sums and products), `coefficients` the numbers, made by tools/fit_polynomials.py.  A file is a
           family whose functions share a reduction of their argument: `inverse` and `trigonometric`, `power`,
           `special` (error functions), `gamma`; a file for each of the 33 would be no folder that one can keep in mind.
           `remainder` (of division) is for the emitters.
To add     docs/adding-a-function.md: a row in the file of its family, or a file of its own in the list below, and the
           op row that names it.
"""

from __future__ import annotations

from tensordsl.codegen.scalar_ir.math import exponential, gamma, inverse, logarithm, power, special, trigonometric
from tensordsl.codegen.scalar_ir.math.function import Function

FAMILIES = (exponential, logarithm, power, trigonometric, inverse, special, gamma)
FUNCTIONS: dict[str, Function] = {f.name: f for family in FAMILIES for f in family.FUNCTIONS}
