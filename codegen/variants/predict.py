"""Variant prediction: which kernels that a call will require are compiled with its function.

Contract  a program, and shapes of its shared variables -> numbers of plans.
When      known lengths, or adjacent last axes of arguments, decide the condition of a `Require`.
Why       one module of kernels compiles faster than two; a wrong prediction costs that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf

from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Name, Program
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.target.tuning import VariantTuning

Range = tuple[float, float]  # the least and the greatest value
ANY: Range = (-inf, inf)
LENGTH: Range = (0, inf)
TRUTH: Range = (0, 1)


def predicted_plans(program: Program, shapes: Sequence[Sequence[int]], t: VariantTuning) -> set[int]:
    """The plans that the program's Requires need; shapes: those of the shared variables."""
    requires = [k for k, i in enumerate(program.code) if isinstance(i, p.Require)]
    known: dict[Name, Range] = {}
    literals: set[Name] = set()
    plans = set()
    for i in _in_order(program.code[: requires[-1] + 1] if requires else ()):
        if isinstance(i, (p.Mul, p.Arith)):
            known[i.dst] = _computed(i, known)
        elif isinstance(i, p.Compare):
            known[i.dst] = _compared(i, known, i.b in literals, t.unbounded_length)
        elif isinstance(i, p.Const):
            known[i.dst] = i.value, i.value
            literals.add(i.dst)
        elif isinstance(i, p.Extent):
            kind, number = i.src
            known[i.dst] = (shapes[number][i.axis],) * 2 if kind == "shared" and number < len(shapes) else LENGTH
        elif isinstance(i, p.Stride):
            dtype, shape = program.args[i.src[1]]
            known[i.dst] = (ITEMSIZE[dtype],) * 2 if i.axis == len(shape) - 1 else ANY
        elif isinstance(i, p.If):
            for name, a, b in i.results:
                known[name] = _chosen(_truth(known, i.cond), known.get(a, ANY), known.get(b, ANY))
        elif isinstance(i, p.Require):
            plans |= {plan for condition, plan in i.choices if _truth(known, condition)}
    return plans


def _in_order(code: Sequence[p.Instr]) -> Iterator[p.Instr]:
    """Every instruction behind those of its regions."""
    stack, opened = [*reversed(code)], set()
    while stack:
        i = stack.pop()
        if isinstance(i, p.If) and id(i) not in opened:
            opened.add(id(i))
            stack += [i, *reversed((*i.then, *i.orelse))]
        else:
            yield i


def _truth(known: Mapping[Name, Range], condition: Name) -> bool | None:
    low, high = known.get(condition, ANY)
    return True if low > 0 or high < 0 else False if low == high else None


def _chosen(truth: bool | None, a: Range, b: Range) -> Range:
    return (min(a[0], b[0]), max(a[1], b[1])) if truth is None else a if truth else b


def _computed(i: p.Mul | p.Arith, known: Mapping[Name, Range]) -> Range:
    a, b = known.get(i.a, ANY), known.get(i.b, ANY)
    op = "mul" if isinstance(i, p.Mul) else i.op
    if op in ("min", "max"):
        choose = min if op == "min" else max
        return choose(a[0], b[0]), choose(a[1], b[1])
    is_known = a[0] == a[1] and b[0] == b[1]
    return (a[0] * b[0],) * 2 if is_known and op == "mul" else (a[0] + b[0],) * 2 if is_known and op == "add" else ANY


def _compared(i: p.Compare, known: Mapping[Name, Range], is_literal: bool, huge: int) -> Range:
    """A length that nothing bounds is taken for long, but not for huge: few batches are short, as rows often are.  It
    may be as short as a number of ours, but not as what a known length gives."""
    (low, high), (least, most) = known.get(i.a, ANY), known.get(i.b, ANY)
    if (low, high) == LENGTH and least == most and (i.op in ("ge", "lt") or (i.op == "le" and not is_literal)):
        return (1, 1) if i.op == "ge" else (0, 0)
    if (low, high) == LENGTH and i.op == "gt" and is_literal and least >= huge:
        return 0, 0
    above, below = low > most, high < least
    differ, equal = above or below, low == high == least == most
    yes = {"gt": above, "lt": below, "ge": low >= most, "le": high <= least, "ne": differ, "eq": equal}[i.op]
    no = {"gt": high <= least, "lt": low >= most, "ge": below, "le": above, "ne": equal, "eq": differ}[i.op]
    return (1, 1) if yes else (0, 0) if no else TRUTH
