"""`Function`: an elementary function as one row, of what compiles it, what it promises and its oracles.

Contract   a family's file gives a tuple `FUNCTIONS` of rows; `math.FUNCTIONS` has those of all files by name.
Readers    the emitters (expansion, slow tier), the interpreter, the tests and tools of accuracy, docs/accuracy.md.
Why        what is true of a function is said once: a new one is a row here and an op row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.scalar_ir.builder import Builder, Val

Expansion = Callable[..., Val]  # (builder, *operands): the DAG, for float32 and float64
Interval = tuple[float, float]
RISING, FALLING = 1, -1  # signs of the slope


@record(eq=False)
class SlowTier:
    """What stands for an expansion where that is not right: where `guard` is true.  Targets branch there, or select.

    is_long: it has hundreds of operations, so it is compiled for few lanes and called for each part of a vector.
    """

    guard: Expansion
    expansion: Expansion
    is_long: bool = False


@record(eq=False)
class Function:
    """A function of floats, all of one dtype, which is the result's.

    expansion   branch-free, the same for all targets; where there is a slow tier right only where that's guard is false
    accuracy    the bound of the error by dtype, in units of the result's last place (`ulps`)
    interpret   the function of NumPy arrays, in float64 to some digits less; without an `oracle` of long double too
    domain      intervals from which tests draw operands: below, around and beyond the borders of the expansion
    oracle      (mpmath, *operands): the exact result, limits and poles included; None: `interpret` of long double
    monotonic   RISING, FALLING or 0
    steps_back  by how many floats results of neighbouring float32 arguments of a monotonic function may be in the wrong
                order; for 0 the tool that goes through all arguments has found none
    slope       (mpmath, x): f'(x), where a unit of `accuracy` is at least eps |x f'(x)|: around zeros an argument's
                rounding changes more than the last place
    draw        (generator, bit patterns): operands for tests of a function whose domain is no interval of each operand
    """

    name: str
    expansion: Expansion
    accuracy: dict[str, float]
    interpret: Callable[..., Any]
    domain: tuple[Interval, ...]
    oracle: Callable[..., Any] | None = None
    arity: int = 1
    slow_tier: SlowTier | None = None
    monotonic: int = 0
    steps_back: int = 0
    slope: Callable[[Any, float], Any] | None = None
    draw: Callable[[Any, Any], tuple[Any, ...]] | None = None

    def complete(self, b: Builder, *operands: Val) -> Val:
        """The function right everywhere, without a branch: for targets that do not branch on a guard."""
        fast = self.expansion(b, *operands)
        if self.slow_tier is None:
            return fast
        return b.select(self.slow_tier.guard(b, *operands), self.slow_tier.expansion(b, *operands), fast)


def ulps(float64: float, float32: float | None = None) -> dict[str, float]:
    """A bound by dtype; of float32 the same if it is not given."""
    return {"float64": float64, "float32": float64 if float32 is None else float32}
