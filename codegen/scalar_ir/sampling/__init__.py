"""Random numbers by rejection: loops of one element (`scalar_ir.repetition`), each round an attempt.

Comes in   the counter and the key of an element (`bits.words`), and what a method computes once of its parameters.
Goes out   `REPETITIONS`: rows that `repetition.repetitions` collects; rows of ops call them by name (`ops.random`).
Modules    bits         random bits of one attempt, and uniform numbers of them
           continuous   gamma and its derivative, the tail of the normal distribution, von Mises
           counts       Poisson, binomial, hypergeometric, zeta
Uses       `scalar_ir.builder` and elementary functions; the generator of `ops.random.bits`.
Begin with `continuous`.
To add     a `Repetition` in the module of its kind; and an oracle (`ops.random.oracles`), which the op's row names.
"""

from __future__ import annotations

from tensordsl.codegen.scalar_ir.sampling import continuous, counts

REPETITIONS = (*continuous.REPETITIONS, *counts.REPETITIONS)
