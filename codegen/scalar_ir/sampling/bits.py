"""Random bits of one attempt, and uniform numbers of them.

Contract   element `index` of draw number `draw` has for attempt `number` the counter (index, draw xor number 2^48): 128
           bits of its own, for up to 2^48 draws of one key.
"""

from __future__ import annotations

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.ops.random.bits import ATTEMPT_SHIFT, MOST_ATTEMPTS, philox_words

__all__ = ["MOST_ATTEMPTS", "attempt_words", "unit"]


def attempt_words(b: Builder, number: Val | int, index: Val, draw: Val, key: Val) -> tuple[Val, Val]:
    """Two words of 64 random bits."""
    high = (
        b.const(number << ATTEMPT_SHIFT, "uint64")
        if isinstance(number, int)
        else b.shl(b.bitcast(number, "uint64"), ATTEMPT_SHIFT)
    )
    first, second = philox_words(b, index, b.xor(draw, high), key)
    return first, second


def unit(b: Builder, word: Val) -> Val:
    """A float64 in (0, 1): the middles of 2^52 equal steps, by the bits of a number in [1, 2)."""
    one_and_more = b.bitcast(b.or_(b.shr(word, 12), 0x3FF << 52), "float64")
    return b.add(b.sub(one_and_more, 1.0), 2.0**-53)
