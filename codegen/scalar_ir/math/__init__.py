"""Vector mathematics of our own: each function of `scalar_ir.builder.MATH` written once in scalar operations, for any
target.

`EXPANSIONS[name](builder, *operands)` gives the DAG for float32 and float64, branch-free and target independent.  For
the names in `SLOW` it is right only where `GUARDS[name]` is false; where it is true `SLOW[name]` gives the result, at
more cost: a target may branch when any lane needs it, or select (`complete`).
`ACCURACY` states the bound of each function's error, in units of the result's last place; tests and docs read it.

Uses       `scalar_ir.builder`; it is written with nothing else.
Used by    `llvm.emit_scalars`, in place or as functions; `gpu.builder` and `mlir.scalars`, in place.
Begin with `exponential`, then `logarithm`; `parts` has what all share (exact sums, polynomials, exponents),
           `coefficients` the numbers, made by tools/fit_polynomials.py.  Others: `inverse` and `trigonometric`,
           `power`, `special` (error functions), `gamma`, `remainder` (of division, for the emitters).
To add     a function: its name in `scalar_ir.builder.MATH`, its expansion in one of the modules, rows of the tables
           below, its oracle in tests/support/math_oracles.py.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.math import exponential, gamma, inverse, logarithm, power, special, trigonometric

Expansion = Callable[..., Val]

EXPANSIONS: dict[str, Expansion] = {
    "exp": exponential.exp, "exp2": exponential.exp2, "expm1": exponential.expm1,
    "sinh": exponential.sinh, "cosh": exponential.cosh, "tanh": exponential.tanh,
    "sigmoid": exponential.sigmoid, "softplus": exponential.softplus, "log1mexp": exponential.log1mexp,
    "log": logarithm.log, "log2": logarithm.log2, "log10": logarithm.log10, "log1p": logarithm.log1p,
    "pow": power.pow_, "cbrt": power.cbrt,
    **trigonometric.FAST_TIER, **gamma.FAST_TIER, **inverse.EXPANSIONS, **special.EXPANSIONS,
}  # fmt: skip

GUARDS: dict[str, Expansion] = {
    **trigonometric.GUARDS,
    **gamma.GUARDS,
    "pow": power.is_rare,
    "arctan2": inverse.arctan2_is_rare,
}
SLOW: dict[str, Expansion] = {
    **trigonometric.SLOW_TIER,
    **gamma.SLOW_TIER,
    "pow": power.rare,
    "arctan2": inverse.arctan2_anywhere,
}
LONG = frozenset({**trigonometric.SLOW_TIER, **gamma.SLOW_TIER})  # slow tiers of hundreds of operations

# Units in the last place.  For gammaln and digamma a unit is at least eps |x f'(x)|: near their zeros the
# argument's own rounding changes more than that.
ACCURACY: dict[str, dict[str, float]] = {
    name: {"float64": f64, "float32": f32}
    for name, f64, f32 in (
        ("exp", 1, 1), ("exp2", 1, 1), ("expm1", 1, 1), ("log", 1, 1), ("log2", 1, 1), ("log10", 1, 1),
        ("log1p", 1, 1), ("pow", 1, 1), ("sin", 1, 1), ("cos", 1, 1), ("tan", 2, 2), ("arcsin", 1, 1),
        ("arccos", 1, 1), ("arctan", 2, 2), ("arctan2", 2, 2), ("sinh", 2, 2), ("cosh", 1.5, 1.5), ("tanh", 2, 2),
        ("arcsinh", 2, 2), ("arccosh", 2, 2), ("arctanh", 1.5, 1.5), ("cbrt", 1, 1), ("sigmoid", 2, 2),
        ("softplus", 2, 2), ("erf", 1.5, 1.5), ("erfc", 2, 2), ("gammaln", 2, 1), ("digamma", 2, 1), ("trigamma", 2, 1),
        ("log1mexp", 2, 2), ("erfinv", 2, 2), ("erfcx", 2, 2), ("gamma", 2, 1),
    )
}  # fmt: skip

# Of float32: the results of neighbouring arguments are never in the wrong order, as tools/exhaustive_float32.py finds.
MONOTONIC = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "arcsin", "arccos", "arctan", "sinh", "tanh", "arcsinh",
    "arccosh", "arctanh", "erf", "log1mexp",
)  # fmt: skip


def complete(b: Builder, name: str, *operands: Val) -> Val:
    """The function right everywhere, without a branch: for targets that do not branch on a guard."""
    fast = EXPANSIONS[name](b, *operands)
    if name not in SLOW:
        return fast
    return b.select(GUARDS[name](b, *operands), SLOW[name](b, *operands), fast)
