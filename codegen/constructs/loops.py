"""for: a loop whose body carries values from one iteration to the next, and stacks others."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.steps import results_of, run_region
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref, Scope, contiguous
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import FOR, Construct, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import paired, parts
from tensordsl.codegen.tensor_ir.verify import check
from tensordsl.graph.variables import Apply

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer


@register
class For(Construct):
    """for(loop, count): operands are the count and what the first iteration gets; `result(k)` are the last carried
    values, then the stacked ones."""

    name, traits = FOR, Traits(has_regions=True, has_lengths=True)

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        g = low.graph
        body = node.attrs["body"]
        k = len(body.carried)
        count, inits, invariants = operands[0], parts(operands[1 : 1 + k]), operands[1 + k :]
        loop = g.new_loop()
        loop.node = g.extents.node
        inside = frozenset([loop.number])
        loop.index = g.make("index", (), "int64", (), loops=inside, loop_number=loop.number)
        loop.carried = tuple(
            g.make("carried", (), v.dtype, v.shape, loops=inside | v.loops, loop_number=loop.number, k=j)
            for j, v in enumerate(inits)
        )
        outer, low.env = low.env, ChainMap({}, low.env)
        for variables, values in (
            ((body.index,), (loop.index,)),
            (body.carried, paired(g, body.carried, loop.carried)),
            (body.invariants, invariants),
        ):
            for variable, value in zip(variables, values, strict=True):
                low.env[id(variable)] = g.cast(value, variable.type.dtype)
        low.keep_alive.append(body)
        extents, node_position = g.extents, g.extents.node
        state = extents.conditional, g.within
        n = extents.value(count)
        if not isinstance(n, int):
            n = ex.maximum(0, n)
        if not (isinstance(n, int) and n > 0):
            extents.conditional, g.within = True, inside
        results = low.run([*body.next, *body.stacked])
        extents.node = node_position
        low.env = outer  # another loop may share this body's variables, with parameters of its own
        loop.next = tuple(g.cast(r, v.dtype) for r, v in zip(parts(results[:k]), inits, strict=True))
        loop.stacked = tuple(parts(results[k:]))
        for new, old in zip(loop.next, inits, strict=True):
            for a, b in zip(new.shape, old.shape, strict=True):
                extents.same(a, b, "a carried value must keep its shape: lengths of an axis")
        (extents.conditional, g.within), extents.fresh = state, []
        around = frozenset().union(*(v.loops for v in (*operands, *loop.next, *loop.stacked))) - inside
        made = g.make(FOR, (count, *inits), "", (), loops=around, loop=loop, count=n)
        loop.count = count
        finals = [g.result(made, j, v.dtype, v.shape) for j, v in enumerate(inits)]
        stacked = [g.result(made, len(inits) + j, v.dtype, (n, *v.shape)) for j, v in enumerate(loop.stacked)]
        return paired(g, node.outputs, finals + stacked)

    lower_complex = lower

    def verify(self, graph: Graph, v: Value) -> None:
        loop = v.attrs["loop"]
        check(loop.number not in v.loops, v, "a loop varies with itself")
        check(len(v.operands) == 1 + len(loop.carried), v, "an initial value for each carried one")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        loop = v.attrs["loop"]
        count = b.name(v.attrs["count"])
        inits = v.operands[1:]
        starts, buffers = [], []
        for init, param in zip(inits, loop.carried, strict=True):
            starts.append(b.packed(b.ref(init), init.dtype))
            buffers.append((b.allocate(param.shape, param.dtype), b.allocate(param.shape, param.dtype)))
        stacked = {r.attrs["k"] - len(inits): r for r in results_of(b, v) if r.attrs["k"] >= len(inits)}
        computed_moves = {k: b.destination(r, r.dtype, r.shape) for k, r in stacked.items()}
        index = b.fresh("i")
        carried, names = [], []
        b.scopes.append(Scope())
        slot = b.allocate((), "int64")
        b.emit(p.StoreScalar(slot.ptr, index, "int64"))
        b.refs[loop.index.number] = slot
        wants: list[tuple[Value, Ref]] = []
        for param, new, start, (one, two) in zip(loop.carried, loop.next, starts, buffers, strict=True):
            current, free, other = b.fresh("w"), b.fresh("w"), b.fresh("w")
            names.append(current)
            carried += [(current, start.ptr, free), (free, one.ptr, other), (other, two.ptr, free)]
            strides = contiguous(one.dims, ITEMSIZE[param.dtype])
            b.refs[param.number] = Ref(current, one.dims, strides)
            wants.append((new, Ref(free, one.dims, strides)))
        wants += [(loop.stacked[k], _at_index(b, destination, index)) for k, destination in computed_moves.items()]
        run_region(b, (*b.context, (FOR, loop.number)), wants)
        body = b.close_scope()
        kinds = ("ptr",) * len(carried)
        b.emit(p.For(index, count, tuple(carried), kinds, body, b.site("loop", b.node_of(v), "for")))
        for r in results_of(b, v):
            k = r.attrs["k"]
            if k < len(inits):
                dims = tuple(map(b.find, r.shape))
                b.view(r, Ref(names[k], dims, contiguous(dims, ITEMSIZE[r.dtype])))
            else:
                b.finish(r, computed_moves[k - len(inits)])

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.slices import as_type  # late: for exports only
        from tensordsl.codegen.mlir.writer import loops, tensor_type  # late: for exports only

        loop, inits = v.attrs["loop"], v.operands[1:]
        stacked = {r.attrs["k"] - len(inits): r for r in e.results.get(v.number, []) if r.attrs["k"] >= len(inits)}
        starts = [
            (as_type(e, e.value(i), i, p), tensor_type(map(e.find, p.shape), p.dtype))
            for i, p in zip(inits, loop.carried, strict=True)
        ]
        computed_moves = {k: e.empty(r.shape, r.dtype) for k, r in stacked.items()}
        carried = [*starts, *computed_moves.values()]

        def iteration(at: list[str], known: list[str]) -> list[str]:
            position = e.op(f"arith.index_cast {at[0]} : index to i64")
            e.values[loop.index.number] = e.op(f"tensor.from_elements {position} : tensor<i64>")
            for param, name in zip(loop.carried, known, strict=False):
                e.values[param.number] = name
            made = e.inside((FOR, loop.number), [*loop.next, *(loop.stacked[k] for k in computed_moves)])
            done = [as_type(e, n, v, p) for n, v, p in zip(made, loop.next, loop.carried, strict=False)]
            for (k, (_, t)), piece, stack in zip(
                computed_moves.items(), made[len(inits) :], known[len(inits) :], strict=True
            ):
                done.append(_stacked(e, loop.stacked[k], piece, stack, t, at[0]))
            typed = zip(done, carried, strict=True)
            return [_copied(e, n, t) if n in done[:k] else n for k, (n, (_, t)) in enumerate(typed)]

        names = loops(e, [e.index(v.attrs["count"])], carried, iteration)
        for r in e.results.get(v.number, []):
            k = r.attrs["k"]
            at = k if k < len(inits) else len(inits) + list(computed_moves).index(k - len(inits))
            e.values[r.number] = names[at] if at >= len(inits) else as_type(e, names[at], loop.carried[at], r)


def _at_index(b: Bufferiser, destination: Ref, index: str) -> Ref:
    """destination[index], for the loop's running index."""
    step, ptr, distance = b.name(destination.strides[0]), b.fresh("p"), b.fresh("m")
    b.emit(p.Mul(distance, index, step, b.common_site("overflow")))
    b.emit(p.Offset(ptr, destination.ptr, distance))
    return Ref(ptr, destination.dims[1:], destination.strides[1:])


def _stacked(e: Writer, item: Value, piece: str, stack: str, t: str, position: str) -> str:
    """`stack` with `piece`, the value of `item`, at a position of its first axis."""
    lengths = [e.find(n) for n in item.shape]
    if 0 in lengths:
        return stack
    sizes = ", ".join(["1", *(str(n) if isinstance(n, int) else e.index(n) for n in lengths)])
    offsets = ", ".join([position, *("0" for _ in lengths)])
    strides = ", ".join("1" for _ in range(len(lengths) + 1))
    return e.op(
        f"tensor.insert_slice {piece} into {stack}[{offsets}] [{sizes}] [{strides}] : {e.type_of(item)} into {t}"
    )


def _copied(e: Writer, name: str, t: str) -> str:
    """A tensor of its own: upstream's bufferisation takes two results of a loop for different buffers, even where the
    body yields one value as both."""
    return e.op(f"bufferization.alloc_tensor() copy({name}) : {t}")
