"""The loops of a function as a pass of this room sees them: their rounds, and the wide values of their bodies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from tensordsl.base.records import record
from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.loops.positions import Rounds
from tensordsl.codegen.passes.loops.widen import Widening
from tensordsl.codegen.tensor_ir.construct import FOR
from tensordsl.codegen.tensor_ir.graph import Value


@record(eq=False, frozen=False)
class KnownLoops:
    """`rounds`: by the number of the loop, of those with more rounds than one; `read`: number of a loop -> those of
    its results that something reads, by their numbers; `behind`: number of a `for` -> what stands for its results, by
    their numbers, where a pass computes some of them without it."""

    rounds: dict[int, Rounds]
    read: dict[int, dict[int, Value]]
    widenings: dict[tuple[int, bool], Widening] = field(default_factory=dict)
    behind: dict[int, dict[int, Value]] = field(default_factory=dict)

    def has(self, v: Value) -> bool:
        """Whether v is one of the loops."""
        return v.op == FOR and v.attrs["loop"].number in self.rounds

    def widening(self, number: int, is_reversed: bool = False) -> Widening:
        key = number, is_reversed
        if key not in self.widenings:
            self.widenings[key] = Widening(self.rounds[number], is_reversed)
        return self.widenings[key]


def known_loops(ctx: Context) -> KnownLoops:
    """Those of a pass's function, found once."""
    if ctx.loops is None:
        nodes = [v for v in ctx.order if v.op == FOR and v.number not in ctx.frozen]
        rounds = {v.attrs["loop"].number: Rounds(ctx, v) for v in nodes if v.attrs["count"] not in (0, 1)}
        read: dict[int, dict[int, Value]] = {}
        for v in ctx.order:
            if v.op == "result" and v.operands[0].op == FOR:
                number = v.operands[0].attrs["loop"].number
                read.setdefault(number, {})[v.attrs["k"]] = v
                if v.number in ctx.frozen:
                    rounds.pop(number, None)
        ctx.loops = KnownLoops(rounds, read)
    known: KnownLoops = ctx.loops
    return known


def replaced_result(ctx: Context, v: Value, results: Callable[[Context, Value], dict[int, Value]]) -> Value | None:
    """What stands for a loop's result v; results: of a `for`, called once for each, gives them by their numbers."""
    (node,) = v.operands
    known = known_loops(ctx)
    if not known.has(node):
        return None
    if node.number not in known.behind:
        known.behind[node.number] = results(ctx, node)
    return known.behind[node.number].get(v.attrs["k"])


def loops_around(ctx: Context, v: Value) -> list[int]:
    """The known loops that v varies with, the innermost first: loops are numbered from outside."""
    known = known_loops(ctx).rounds
    return [n for n in sorted(v.loops, reverse=True) if n in known]
