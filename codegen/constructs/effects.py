"""Steps with effects: checks, which may stop the call, and calls of Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.steps import results_of
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.tensor_ir.construct import Construct, Expanded, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import by_parts, split_complex
from tensordsl.codegen.tensor_ir.verify import check
from tensordsl.graph.variables import Apply, Variable

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer


@register
class Assert(Construct):
    """assert(message, kind): the first operand, after a check of the others."""

    name, traits = "assert", Traits(is_view=True, has_effects=True)
    lower_complex = by_parts

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        x, g = operands[0], low.graph
        kind, message = node.attrs.get("kind", "assert"), node.attrs["message"]
        made = g.make(self.name, tuple(operands), x.dtype, x.shape, message=message, kind=kind, unique=True)
        if not x.rank and x.dtype == "int64":
            _bound(g, made, x, operands[1:])
        return [made]

    def verify(self, graph: Graph, v: Value) -> None:
        check(v.operands[0].dtype == v.dtype, v, "the operand's dtype")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        x, *flags = v.operands
        for f in flags:
            dst = b.fresh("q")
            b.emit(p.LoadScalar(dst, b.ref(f).ptr, "bool"))
            b.emit(p.Check("ne", dst, b.name(0), b.site(v.attrs["kind"], b.node_of(v), v.attrs["message"])))
        b.view(v, b.ref(x))

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.writer import escaped  # late: for exports only

        for flag in v.operands[1:]:
            item = e.op(f"tensor.extract {e.value(flag)}[] : tensor<i1>")
            e.put(f'cf.assert {item}, "{escaped(v.attrs["message"])}"')
        e.values[v.number] = e.value(v.operands[0])


def _bound(g: Graph, made: Value, x: Value, flags: Sequence[Value]) -> None:
    """Note what the checks say of an integer x, which is `made` behind them.

    Of a number that no check compares with a length nothing is noted: lengths that follow from it would be checked
    before the assertion, which says better what is wrong.
    """
    e = g.extents
    number = e.value(x)
    bounds = [
        (flag.attrs["row"].name, e.value(flag.operands[1]))
        for flag in flags
        if flag.op == "map" and flag.attrs["row"].name in ("le", "ge") and flag.operands[0] is x
    ]
    if isinstance(number, int) and all(isinstance(other, int) for _, other in bounds):
        return
    e.bound(made.number, [number], [number])
    for relation, other in bounds:
        e.bound(made.number, *(([], [other]) if relation == "le" else ([other], [])))


@register
class Host(Construct):
    """host(number, effect, name, count, unknown, types, ranks, is_guarded): `result(k)` are what the call gives.

    The first `count` are the row's, of these dtypes and ranks; behind them are the `unknown` lengths (result, axis),
    0-d integers, which the program reads before it makes room for the results that have them.  is_guarded: there is no
    call unless the last operand is true.
    """

    name, traits = "host", Traits(has_effects=True)

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        return low.host(node, operands)

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        return [split_complex(low, v) for v in low.host(node, operands)]

    def verify(self, graph: Graph, v: Value) -> None:
        check(not v.dtype and v.attrs["number"] >= 0, v, "a callable by its number")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        operands, condition = list(v.operands), ""
        if v.attrs["is_guarded"]:
            condition = b.fresh("q")
            b.emit(p.LoadScalar(condition, b.ref(operands.pop()).ptr, "bool"))
        inputs = []
        for o in operands:
            ref = b.packed(b.ref(o), o.dtype)
            inputs.append((ref.ptr, o.dtype, tuple(map(b.name, ref.dims))))
        number, count = v.attrs["number"], v.attrs["count"]
        used = {r.attrs["k"]: r for r in results_of(b, v)}
        outputs: list[p.HostOperand | p.Kept | None] = [None] * count
        kept = {k: self._kept(b, v, k, used) for k in sorted({k for k, _ in v.attrs["unknown"]})}
        for k in range(count):
            outputs[k] = kept[k] if k in kept else _room(b, used[k]) if k in used else None
        site, zero = b.site("host", b.node_of(v), v.attrs["name"]), b.name(0)
        lengths = [n for result in kept.values() for n in result.lengths if n is not None]
        call = p.HostCall(number, tuple(inputs), tuple(outputs), site)
        _emit_if(b, condition, call, [p.StoreScalar(n, zero, "int64") for n in lengths])
        for k, r in used.items():
            if k not in kept:
                b.finish(r, b.refs[r.number])
        b.check_pending()  # of lengths that are known now
        for k, result in kept.items():
            if k in used:
                _emit_if(b, condition, p.TakeKept(number, result.slot, _room(b, used[k]), site), [])
                b.finish(used[k], b.refs[used[k].number])

    def _kept(self, b: Bufferiser, v: Value, k: int, used: Mapping[int, Value]) -> p.Kept:
        """Where result k, some of whose lengths are not known, stands until there is room for it."""
        lengths: list[p.Name | None] = [None] * v.attrs["ranks"][k]
        for at, (result, axis) in enumerate(v.attrs["unknown"], v.attrs["count"]):
            if result == k and at in used:
                lengths[axis] = _room(b, used[at])[0]
        return p.Kept(b.new_slot(), v.attrs["types"][k], (None,) * len(lengths), tuple(lengths))

    def mlir(self, e: Writer, v: Value) -> None:
        results = e.results.get(v.number, [])
        name = f"host_{v.attrs['name']}_{v.attrs['number']}"
        operands = ", ".join(e.type_of(o) for o in v.operands)
        types = ", ".join(e.type_of(r) for r in results)
        e.private[name] = f"func.func private @{name}({operands}) -> ({types})"
        values = ", ".join(e.value(o) for o in v.operands)
        if len(results) == 1:
            e.values[results[0].number] = e.op(f"func.call @{name}({values}) : ({operands}) -> ({types})")
            return
        e.count += 1
        e.put(f"%{e.count}:{len(results)} = func.call @{name}({values}) : ({operands}) -> ({types})")
        for k, r in enumerate(results):
            e.values[r.number] = f"%{e.count}#{k}"


def _emit_if(b: Bufferiser, condition: p.Name, instruction: p.Instr, orelse: Sequence[p.Instr]) -> None:
    b.emit(p.If(condition, (instruction,), tuple(orelse)) if condition else instruction)


def _room(b: Bufferiser, r: Value) -> p.HostOperand:
    """Storage for a result."""
    ref = b.destination(r, r.dtype, r.shape)
    b.refs[r.number] = ref
    return ref.ptr, r.dtype, tuple(map(b.name, ref.dims))


@register
class Callback(Expanded):
    """callback: a custom operation (`tensordsl.custom`), which the host calls."""

    name, traits = "callback", Traits(has_effects=True)

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        row: Any = node.row
        shapes = row.lengths(node)
        found = low.run([n for s in shapes for n in s if isinstance(n, Variable)])
        values = iter([low.graph.extents.value(low.graph.cast(n, "int64")) for n in found])
        return low.callback(
            node, operands, [[next(values) if isinstance(n, Variable) else n for n in s] for s in shapes]
        )

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        return [split_complex(low, v) for v in self.lower(low, node, operands)]


@register
class Print(Expanded):
    """print: its operand, which the host prints."""

    name = "print"

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        return low.host(node, operands)

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        return [split_complex(low, v) for v in low.host(node, operands)]
