"""Positions that a round reads: lengths that are linear in the loop's index, and what is known of them in all rounds.

Contract  a length of a loop's body -> rest + step * index, where neither rest nor step varies with the loop; and
          whether a length is never negative in a round that runs.
When      needed by `widen` for slices, and for the checks of an index.
Why       `x[t]` of all rounds is the slice x[0:n], if no round reads outside of x.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import ASSERT
from tensordsl.codegen.tensor_ir.extents import Length
from tensordsl.codegen.tensor_ir.graph import Value

# a <relation> b as lengths that are never negative
_RELATIONS: dict[str, Any] = {
    "ge": lambda a, b: [ex.sub(a, b)], "gt": lambda a, b: [ex.sub(ex.sub(a, b), 1)],
    "le": lambda a, b: [ex.sub(b, a)], "lt": lambda a, b: [ex.sub(ex.sub(b, a), 1)],
    "eq": lambda a, b: [ex.sub(a, b), ex.sub(b, a)],
}  # fmt: skip


class Rounds:
    """The rounds of one `for`: `count`, of which there are `running` where one runs at all, and the facts that hold
    then."""

    def __init__(self, ctx: Context, node: Value) -> None:
        self.ctx, self.node, self.loop = ctx, node, node.attrs["loop"]
        self.find = ctx.graph.extents.find
        self.count: Length = self.find(node.attrs["count"])
        self.index: Value = self.loop.index
        larger = ex.single_atom(self.count)
        is_clipped = larger is not None and larger[:2] == ("max", 0)
        self.running: Length = larger[2] if larger is not None and is_clipped else self.count
        self.last = ex.sub(self.running, 1)
        self.facts = [self.last, *_facts(ctx, self.running)]

    @property
    def always_run(self) -> bool:
        """Whether the call makes sure that there is a round."""
        if isinstance(self.count, int):
            return self.count > 0
        known = self.ctx.graph.extents.constraints
        least = [c for c in known if c.relation == "ge" and isinstance(c.b, int) and c.b > 0]
        return any(self.find(c.a) == self.count for c in least)

    def varies(self, length: Length) -> bool:
        """Whether a length varies with the loop."""
        values = self.ctx.graph.values
        return any(self.loop.number in values[n].loops for n in ex.named((length,)))

    def linear(self, length: Length) -> tuple[Length, int] | None:
        """(rest, step) of rest + step * index, if a length is that in every round; None: it is not, or nobody
        knows."""
        length = self._without_signs(self.find(length))
        own: ex.Atom = ("value", self.index.number)
        step = 0
        for monomial, coefficient in ex.terms_of(length):
            if own in monomial:
                if len(monomial) != 1:
                    return None
                step = coefficient
        rest = ex.sub(length, ex.mul(step, ex.atom(*own))) if step else length
        return None if self.varies(rest) else (rest, step)

    def _without_signs(self, length: Length) -> Length:
        """A length without `negative(a)` whose sign is one in all rounds, as it is in wrapped positions."""
        for monomial, coefficient in ex.terms_of(length):
            for x in monomial:
                if x[0] == "negative" and self.varies(x[1]):
                    position = self.linear(x[1])
                    if position is None:
                        continue
                    if self._in_rounds(*position):
                        sign = 0
                    elif self._in_rounds(ex.sub(ex.mul(position[0], -1), 1), -position[1]):
                        sign = 1
                    else:
                        continue
                    product = ex.Extent(((monomial, coefficient),))
                    others = list(monomial)
                    others.remove(x)
                    rest = ex.mul(coefficient, ex.product(ex.atom(*y) for y in others))
                    length = ex.add(ex.sub(length, product), ex.mul(rest, sign))
        return length

    def _in_rounds(self, rest: Length, step: int) -> bool:
        """Whether rest + step * index is never negative in a round."""
        least = rest if step >= 0 else ex.add(rest, ex.mul(self.last, step))
        return self.is_never_negative(least)

    def is_never_negative(self, a: Length) -> bool:
        """Whether `a`, which does not vary with the loop, is 0 or more where a round runs."""
        a = self.find(a)
        if ex.is_never_negative(a):
            return True
        less = [ex.sub(a, fact) for fact in self.facts]
        return any(map(ex.is_never_negative, less)) or any(
            ex.is_never_negative(ex.sub(b, fact)) for b in less for fact in self.facts
        )

    def holds(self, c: ex.Constraint) -> bool:
        """Whether a check cannot fail in any round that runs."""
        if c.relation not in ("ge", "lt"):
            return False
        (difference,) = _RELATIONS[c.relation](c.a, c.b)
        position = self.linear(difference)
        return position is not None and self._in_rounds(*position)


def _facts(ctx: Context, running: Length) -> list[Length]:
    """Lengths that are never negative, from the conditions and minima that the number of rounds was computed by."""
    e = ctx.graph.extents
    own = ex.single_atom(running)
    if own is not None and own[0] == "min":
        return [ex.sub(a, running) for a in own[1:]]
    facts: list[Length] = []
    stack: list[Value] = [ctx.graph.values[own[1]]] if own is not None and own[0] == "value" else []
    while stack and len(facts) < ctx.tuning.loop_max_facts:
        v = stack.pop()
        if v.op == ASSERT:  # its value is its first operand
            facts += [f for c in v.operands[1:] for f in _of_condition(ctx, c)]
            facts += [ex.sub(e.value(v.operands[0]), running), ex.sub(running, e.value(v.operands[0]))]
            stack.append(v.operands[0])
        elif v.op == "map" and v.attrs["row"].name == "minimum":
            facts += [ex.sub(e.value(o), e.value(v)) for o in v.operands]
            stack += v.operands
        elif v.op == "map" and v.attrs["row"].name == "cast":
            stack.append(v.operands[0])
        elif v.op == "map" and v.attrs["row"].name == "switch" and (e.value(v.operands[2]) == 0):
            facts += [ex.sub(e.value(v.operands[1]), e.value(v)), ex.sub(e.value(v), e.value(v.operands[1]))]
            stack.append(v.operands[1])  # there is a round, so that it is not 0
    return [e.find(f) for f in facts]


def _of_condition(ctx: Context, condition: Value) -> Sequence[Length]:
    while condition.op == "map" and condition.attrs["row"].name == "cast":
        (condition,) = condition.operands
    if condition.op != "map" or condition.attrs["row"].name not in _RELATIONS:
        return ()
    if any(o.rank or not o.dtype.startswith(("int", "uint")) for o in condition.operands):
        return ()
    value = ctx.graph.extents.value
    found: Sequence[Length] = _RELATIONS[condition.attrs["row"].name](*map(value, condition.operands))
    return found
