"""The greatest common divisor of unsigned integers by Euclid's loop, of 32 and of 64 bits."""

from __future__ import annotations

from tensordsl.codegen.scalar_ir.repetition import Repetition
from tensordsl.codegen.scalar_ir.special.sums import State
from tensordsl.codegen.scalar_ir.terms import Term, in_terms, where

MAX_ROUNDS = 94  # Fibonacci numbers of 64 bits


def _start(x: Term, y: Term) -> State:
    return x, y


def _step(number: Term, state: State, x: Term, y: Term) -> tuple[State, Term, Term]:
    """(y, x mod y) until y is 0; then x is the divisor."""
    u, v = state
    is_last = v.is_(0)
    divisor = where(is_last, 1, v)
    u, v = where(is_last, u, v), where(is_last, v, u % divisor)
    return (u, v), u, v.is_(0)


REPETITIONS = tuple(
    Repetition(f"gcd_{dtype}", dtype, in_terms(_step), MAX_ROUNDS, start=in_terms(_start))
    for dtype in ("uint32", "uint64")
)
