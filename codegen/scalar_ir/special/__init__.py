"""Special functions as loops of one element (`scalar_ir.repetition`): series, continued fractions, quadratures.

Comes in   float64 parameters and arguments.
Goes out   `REPETITIONS`: rows that `repetition.repetitions` collects; rows of ops call them by name (`ops.special`).
Modules    pairs   sums, products, logarithms of numbers as head and tail;   sums   continued fractions and integrals, a
           term in each round;   beta, gamma   incomplete functions, their derivatives by parameters, their inverses
           zeta    Riemann's;   von_mises   derivatives of von Mises numbers;   euclid   the greatest common divisor
           bessel, bessel_waves  I and K, J and Y of real order;   rows    makers of rows
Uses       `scalar_ir.terms`, elementary functions.
Begin with `gamma`.
To add     a `Repetition` in the module of its kind.  What calls another row by name is compiled once per module.
"""

from __future__ import annotations

from tensordsl.codegen.scalar_ir.special import bessel, bessel_waves, beta, euclid, gamma, von_mises, zeta

REPETITIONS = (
    *beta.REPETITIONS,
    *gamma.REPETITIONS,
    *bessel.REPETITIONS,
    *bessel_waves.REPETITIONS,
    *zeta.REPETITIONS,
    *euclid.REPETITIONS,
    *von_mises.REPETITIONS,
)
