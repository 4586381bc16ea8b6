"""Binary search of many numbers in a sorted vector, without branches: `searchsorted_*`.

Contract  sorted numbers, numbers to look for -> positions, to the left or right of equal ones; nan stands last.
Why       every search takes as many steps, so eight are interleaved and hide each other's latency; a step is chosen by
          arithmetic, since LLVM makes of a select a branch that is mispredicted every second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Signature, array, f32, f64, i64, ptr, signature
from tensordsl.codegen.library.polls import polled_range
from tensordsl.codegen.library.sort.keys import Keys

INTERLEAVED_SEARCHES = (8, 1)  # numbers that are searched at once, to hide latency
COMPARED = {"float32": f32, "float64": f64}
# How the numbers before the place compare to the one that is looked for, floats no less if that one is nan; and those
# before the first nan to themselves.
BEFORE = {"left": "ult", "right": "ule", "numbers": "ord"}


def search_functions(keys: Keys) -> list[Function]:
    search = _Search(keys.dtype, keys.tuning)
    made = [search.together("numbers", 1)] if search.is_compared else []
    for side in ("left", "right"):
        made += [*(search.together(side, many) for many in INTERLEAVED_SEARCHES), search.entry(side)]
    return made


def _signature(side: str, many: int) -> Signature:
    """The places of so many numbers at v among those at x, of which the first n of all are no nan."""
    return signature(f"{side}.{many}", x=ptr, n=i64, x_step=i64, all=i64, v=ptr, v_step=i64, y=array(i64))


class _Search(Keys):
    @property
    def is_compared(self) -> bool:
        return self.dtype in COMPARED

    def entry(self, side: str) -> Function:
        @kernel(
            signature(f"searchsorted_{side}_{self.dtype}", internal=False, bases=array(ptr), words=array(i64), rank=i64)
        )
        def entry(k: Kernel, bases: Pointer, words: Pointer, rank: Number) -> None:
            """bases: sorted numbers, numbers to look for, places; words: length and stride of each."""
            x, v, y = (bases[at] for at in range(3))
            length, x_step, many, v_step = (words[at] for at in range(4))
            n = length
            if self.is_compared:
                cell = k.alloca(i64)
                k.call(_signature("numbers", 1), x, n, x_step, n, x, 0, cell)
                n = cell[0]
            done: Any = 0
            for at_once in INTERLEAVED_SEARCHES:
                end = many & -at_once
                with polled_range(k, end, start=done, step=at_once) as i:
                    source, target = v.bytes(i * v_step), y.of(i64) + i
                    k.call(_signature(side, at_once), x, n, x_step, length, source, v_step, target)
                done = end

        return entry

    def together(self, side: str, many: int) -> Function:
        @kernel(_signature(side, many))
        def together(
            k: Kernel, x: Pointer, n: Number, x_step: Number, all: Number, v: Pointer, v_step: Number, y: Pointer
        ) -> None:
            wanted = [v.bytes(v_step * m) for m in range(many)] if side != "numbers" else []
            values = [self.values(place) for place in wanted] or [[]]
            left, firsts = k.variable(n), [k.variable(0, i64) for _ in range(many)]
            with k.forever():
                with k.when(left <= 0):
                    k.leave()
                half = k.unsigned("lshr", left + 1, 1)
                last = half - 1
                for first, value in zip(firsts, values, strict=True):
                    found = self.values(x.bytes((first + last) * x_step))
                    first.set(first + (half & self.is_before(side, found, value).to(i64)))
                left -= half
            for m, (first, value) in enumerate(zip(firsts, values, strict=True)):
                place: Number = first
                if self.is_compared and side == "right":
                    place = k.select(k.compare("uno", value[0], value[0]), all, first)
                y[m] = place

        return together

    def values(self, place: Pointer) -> list[Number]:
        """What is compared of the number there."""
        return [place.of(COMPARED[self.dtype])[0]] if self.is_compared else self.keys(place)

    def is_before(self, side: str, found: Sequence[Number], value: Sequence[Number]) -> Number:
        k = found[0].k
        if self.is_compared:
            return k.compare(BEFORE[side], found[0], (value or found)[0])
        is_before = k.compare(BEFORE[side], found[-1], value[-1])
        for x, y in zip(found[-2::-1], value[-2::-1], strict=True):
            tie = (x == y) & is_before
            is_before = k.unsigned("ult", x, y) | tie
        return is_before
