"""Vector mathematics of our own: each function of `scalar.MATH` written once in scalar operations, for any target.

`EXPANSIONS[name](builder, *operands)` gives the DAG for float32 and float64; it is branch-free and target independent.  For the
names in `SLOW` it is right only where `SLOW[name][0]`, the guard, is false; where it is true `SLOW[name][1]` gives
the result, at more cost: a target may branch when any lane needs it, or select (`complete`).
`ACCURACY` states the bound of each function's error, in units of the result's last place; tests and docs read it.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.math import exponential, inverse, logarithm, power, special, trigonometric
from tensordsl.codegen.scalar import Builder, Val

Expansion = Callable[..., Val]

EXPANSIONS: dict[str, Expansion] = {
    "exp": exponential.exp, "exp2": exponential.exp2, "expm1": exponential.expm1,
    "sinh": exponential.sinh, "cosh": exponential.cosh, "tanh": exponential.tanh,
    "sigmoid": exponential.sigmoid, "softplus": exponential.softplus,
    "log": logarithm.log, "log2": logarithm.log2, "log10": logarithm.log10, "log1p": logarithm.log1p,
    "pow": power.pow_, "cbrt": power.cbrt,
    **trigonometric.FAST_TIER, **inverse.EXPANSIONS, **special.EXPANSIONS,
}  # fmt: skip

SLOW: dict[str, tuple[Expansion, Expansion]] = dict(trigonometric.SLOW_TIER)


def complete(b: Builder, name: str, *operands: Val) -> Val:
    """The function right everywhere, without a branch: for targets that do not branch on a guard."""
    fast = EXPANSIONS[name](b, *operands)
    if name not in SLOW:
        return fast
    guard, slow = SLOW[name]
    return b.select(guard(b, *operands), slow(b, *operands), fast)
