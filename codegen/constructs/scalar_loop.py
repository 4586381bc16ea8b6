"""scalar_loop: at each point a loop of its own, which becomes an elementwise operation, a loop of one element."""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.repetition import read, write
from tensordsl.codegen.tensor_ir.construct import Expanded, Traits, register
from tensordsl.codegen.tensor_ir.graph import Value, toposort
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.graph.variables import Apply, Elementwise, Op
from tensordsl.ops.operands import broadcast


def _scalar(b: Any, n: Any, *operands: Any, text: Any, k: int) -> Any:
    """Where there is no round, the first state; `until` was then not true."""
    needed = b.gt(n, 0)
    found = b.repeat((text, k), needed, n, *operands)
    return b.select(needed, found, operands[k]) if k < len(text[0]) else found


# One result of a loop as text; its operands are the number of rounds, the first state, and what is fixed.
RESULT = Op(
    "result_of_rounds", lambda *dtypes, text, k: read(text).dtypes[k], broadcast, None,
    Elementwise(_scalar, lambda *dtypes: dtypes, widens=False),
    no_gradient="gradients are taken before loops are lowered",
)  # fmt: skip


@register
class ScalarLoop(Expanded):
    """scalar_loop(loop): each result becomes a map; those of one loop that are computed together are one loop."""

    name, traits = "scalar_loop", Traits()
    missing = {**Expanded.missing, "lower_complex": "its row takes no complex numbers"}

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        g, body = low.graph, node.attrs["loop"]
        low.keep_alive.append(body)
        inner, parameters = Lowering(g.tuning), (*body.carried, *body.invariants)
        sources = [inner.source("arg", k, v.type) for k, v in enumerate(parameters)]
        inner.env.update({id(v): x for v, x in zip(parameters, sources, strict=True)})
        roots, b = inner.run(body.expressions), Builder()
        leaves = [b.param(f"x{k}", v.type.dtype) for k, v in enumerate(parameters)]
        scalars = dict(zip(sources, leaves, strict=True))
        for v in toposort(roots):
            if v not in scalars:
                scalars[v] = _scalar_of(b, v, [scalars[o] for o in v.operands])
        count, ends = len(body.next), [scalars[v] for v in roots]
        until = None if body.condition is None else ends[count]
        text = write(tuple(leaves[:count]), tuple(leaves[count:]), tuple(ends[:count]), until)
        given = [g.cast(operands[0], "int64"), *operands[1:]]
        return [g.map(RESULT, *given, text=text, k=k) for k in range(len(ends))]


def _scalar_of(b: Builder, v: Value, args: list[Val]) -> Val:
    if v.op == "const":
        return b.const(v.attrs["data"].item(), v.dtype)
    if v.op == "move":
        return args[0]
    assert v.op == "map", v.op
    return b.row(v.attrs["row"], v.dtype, args, v.attrs["args"])
