"""Which kernels that a call requires are compiled with its function: those of choices that known lengths decide.

One module of kernels costs less than two.  The shared variables' lengths are what they are now; a call with others
finds its kernels absent, as it does where nothing was known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from tensordsl.codegen import program as p
from tensordsl.codegen.program import Name, Program

Range = tuple[float, float]  # the least and the greatest value
ANY: Range = (-inf, inf)
TRUTH: Range = (0, 1)


def foreseen_plans(program: Program, shapes: Sequence[Sequence[int]]) -> set[int]:
    """The plans that the program's Requires will choose; shapes: those of the shared variables."""
    requires = [k for k, i in enumerate(program.code) if isinstance(i, p.Require)]
    known: dict[Name, Range] = {}
    plans = set()
    for i in program.code[: requires[-1] + 1] if requires else ():
        if isinstance(i, p.Require):
            for condition, plan, other in i.choices:
                low, high = known.get(condition, ANY)
                if low > 0 or high < 0:
                    plans.add(plan)
                elif low == high:
                    plans.add(other)
        elif isinstance(i, p.Const):
            known[i.dst] = i.value, i.value
        elif isinstance(i, p.Extent):
            kind, number = i.src
            known[i.dst] = (shapes[number][i.axis],) * 2 if kind == "shared" and number < len(shapes) else (0, inf)
        elif isinstance(i, p.Arith) and i.op in ("min", "max"):
            choose = min if i.op == "min" else max
            a, b = known.get(i.a, ANY), known.get(i.b, ANY)
            known[i.dst] = choose(a[0], b[0]), choose(a[1], b[1])
        elif isinstance(i, p.Compare):
            known[i.dst] = _compared(i, known)
    return plans


def _compared(i: p.Compare, known: Mapping[Name, Range]) -> Range:
    """A length that nothing bounds is taken for long: few batches are short, as rows often are."""
    (low, high), (least, most) = known.get(i.a, ANY), known.get(i.b, ANY)
    if i.op == "ge" and (low >= most or (low == 0 and high == inf and least == most)):
        return 1, 1
    if i.op == "ge" and high < least:
        return 0, 0
    if i.op == "le" and high <= least:
        return 1, 1
    if i.op == "le" and low > most:
        return 0, 0
    return TRUTH
