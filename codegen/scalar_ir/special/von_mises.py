"""The derivative of von Mises numbers by kappa, their distribution function held.

Method     the integral of e^(kappa (cos t - cos a)) (cos t - A), A = I_1(kappa) / I_0(kappa), over t from 0 to the
           angle a where the last factor is positive, else from a to pi, by the tanh-sinh rule: nothing cancels.
Ref        M. Figurnov, S. Mohamed, A. Mnih, "Implicit reparameterization gradients" (2018).
"""

from __future__ import annotations

import math

from tensordsl.codegen.scalar_ir.special.rows import loop
from tensordsl.codegen.scalar_ir.special.sums import FALL, State
from tensordsl.codegen.scalar_ir.terms import Term, where

NODES, END = 96, 3.2  # of the rule, from -END to END
STEP_SIZE = 2 * END / (NODES - 1)


def _start(kappa: Term, ratio: Term, angle: Term) -> State:
    """(|angle|, its cosine less A, the signed length of the interval from it, the sum)"""
    a = abs(angle)
    cosine = a.call("cos")
    end = (cosine - FALL / kappa).max(-1.0).call("arccos")
    return a, cosine - ratio, where(cosine > ratio, -a, (end - a).max(0.0)), a * 0.0


def _step(number: Term, state: State, kappa: Term, ratio: Term, angle: Term) -> tuple[State, Term, Term]:
    a, excess, length, total = state
    u = number.cast("float64") * STEP_SIZE - END
    inner = u.call("sinh") * (math.pi / 2)
    weight = u.call("cosh") / inner.call("cosh") / inner.call("cosh") * (STEP_SIZE * math.pi / 4)
    half = length * (inner * 2.0).call("sigmoid") * 0.5
    difference = (a + half).call("sin") * half.call("sin") * -2.0  # cos(t) - cos(a), t = a + 2 half
    total = total + (kappa * difference).call("exp") * (excess + difference) * weight
    # From 0 to the angle with a minus, and the length is negative there.
    result = where(angle < 0.0, -total, where(angle > 0.0, total, 0.0)) * length
    return (a, excess, length, total), result, number >= NODES - 1


REPETITIONS = (loop("von_mises_slope", _start, _step, NODES),)
