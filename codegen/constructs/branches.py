"""ifelse: one of two branches, of which a call computes the one that it takes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.steps import results_of, run_region
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Scope
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import IFELSE, Construct, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.graph import toposort as toposort_values
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import paired, parts
from tensordsl.codegen.tensor_ir.verify import check
from tensordsl.graph.variables import Apply

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer


@register
class IfElse(Construct):
    """ifelse: operands are the condition and the values of both branches; `result(k)` are those of the one that is
    taken."""

    name, traits = IFELSE, Traits(has_regions=True)

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        condition, *values = operands
        g = low.graph
        k = len(values) // 2
        then, orelse = (
            parts([g.cast(v, o.type.dtype) for v, o in zip(branch, node.outputs, strict=True)])
            for branch in (values[:k], values[k:])
        )
        chosen = g.cast(condition, "bool")
        if chosen.op == "const":
            return paired(g, node.outputs, then if chosen.attrs["data"] else orelse)
        made = g.make(IFELSE, (chosen, *then, *orelse), "", ())
        results: list[Value] = []
        shapes: dict[Any, list[Any]] = {}  # values whose branches have equal shapes have one shape
        for j, (a, b) in enumerate(zip(then, orelse, strict=True)):
            shape = shapes.setdefault(
                (a.shape, b.shape),
                [
                    m if m == n else _assumed_length(g, a, b, d) or ex.choice(g.extents.value(chosen), m, n)
                    for d, (m, n) in enumerate(zip(a.shape, b.shape, strict=True))
                ],
            )
            results.append(g.result(made, j, a.dtype, shape))
        return paired(g, node.outputs, results)

    lower_complex = lower

    def verify(self, graph: Graph, v: Value) -> None:
        condition, *values = v.operands
        check(condition.dtype == "bool" and not condition.rank, v, "one truth value as the condition")
        half = len(values) // 2
        dtypes = [o.dtype for o in values]
        check(dtypes[:half] == dtypes[half:], v, "branches of equal dtypes")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        half = (len(v.operands) - 1) // 2
        condition = b.fresh("q")
        b.emit(p.LoadScalar(condition, b.ref(v.operands[0]).ptr, "bool"))
        used = {r.attrs["k"]: r for r in results_of(b, v)}
        computed_moves = {k: b.destination(r, r.dtype, r.shape) for k, r in used.items()}
        branches = []
        for side in (0, 1):
            b.scopes.append(Scope())
            for k, r in used.items():
                _check_lengths(b, v.operands[1 + side * half + k], r)
            wants = [(v.operands[1 + side * half + k], computed_moves[k]) for k in used]
            wants = [(o, home) for o, home in wants if o.op != "undefined"]
            run_region(b, (*b.context, ("if", v.number, side)), wants)
            branches.append(b.close_scope())
        then, orelse = branches
        b.emit(p.If(condition, then, orelse))
        for k, r in used.items():
            b.finish(r, computed_moves[k])

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.slices import as_type  # late: for exports only
        from tensordsl.codegen.mlir.writer import choice  # late: for exports only

        half = (len(v.operands) - 1) // 2
        results = e.results.get(v.number, [])
        condition = e.op(f"tensor.extract {e.value(v.operands[0])}[] : tensor<i1>")
        if not results:
            return

        def side(k: int) -> list[str]:
            wants = [v.operands[1 + k * half + r.attrs["k"]] for r in results]
            names = e.inside(("if", v.number, k), wants)
            return [as_type(e, n, w, r) for n, w, r in zip(names, wants, results, strict=True)]

        names = choice(e, condition, [e.type_of(r) for r in results], [partial(side, k) for k in (0, 1)])
        e.values.update((r.number, name) for r, name in zip(results, names, strict=True))


def _assumed_length(g: Graph, then: Value, orelse: Value, axis: int) -> Any:
    """The length of a choice where one branch is only taken if its own length is the other's: that of the other.

    None if there is no such branch.  So a gradient of one branch has the shape of its variable.
    """
    m, n = then.shape[axis], orelse.shape[axis]
    c = g.extents.assumption(m, n)
    if c is None or not all(a[0] in ("arg", "shared") for length in (m, n) for a in ex.atoms(length)):
        return None
    for branch, other in ((then, n), (orelse, m)):
        if any(g.origins.get(v.number) == c.node for v in toposort_values([branch])):
            return other
    return None


def _check_lengths(b: Bufferiser, branch: Value, result: Value) -> None:
    """A branch whose lengths are those of the result by assumption checks them before it writes there."""
    for m, n in zip(branch.shape, result.shape, strict=True):
        c = b.graph.extents.assumption(m, n)
        if c is not None and b.find(m) != b.find(n):
            b.check_here(c)
