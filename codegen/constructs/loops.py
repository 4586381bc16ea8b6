"""for and while: loops whose body carries values from one iteration to the next, and stacks others."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.loops import run_loop
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import CONSTRUCTS, FOR, IFELSE, WHILE, Construct, Traits, register
from tensordsl.codegen.tensor_ir.equal_loops import LoweredLoop
from tensordsl.codegen.tensor_ir.extents import Length
from tensordsl.codegen.tensor_ir.graph import Graph, Loop, Value
from tensordsl.codegen.tensor_ir.indexing import cut
from tensordsl.codegen.tensor_ir.lower import EAGER_INVARIANTS, Lowering, may_have_no_round
from tensordsl.codegen.tensor_ir.lower_complex import paired, parts
from tensordsl.codegen.tensor_ir.verify import check
from tensordsl.graph.substitute import substitute
from tensordsl.graph.types import COMPLEX, INTEGERS
from tensordsl.graph.variables import Apply, Constant, Kernel, Variable, apply, toposort
from tensordsl.ops import control
from tensordsl.ops.array.shape import shape_i, stack
from tensordsl.ops.math.comparisons import GE, gt
from tensordsl.ops.operands import constant

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer


class _Loop(Construct):
    """Operands are the count and what the first iteration gets; `result(k)` are the last carried values, then the
    stacked ones, which have room for as many iterations as the count says."""

    traits = Traits(has_regions=True, has_lengths=True, is_loop=True, needs_more=True)

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        g, body = low.graph, node.attrs["body"]
        low.keep_alive.append(body)
        if self.name == FOR and g.tuning.allows("unroll_loops") and (rounds := _few_rounds(low, body, operands)):
            return _unrolled(low, node, rounds)
        known = low.lowered_loops.find(g, self.name, body, operands) if g.tuning.allows("merge_equal_loops") else None
        if known is not None and (stacks := _with_more(low, body, operands, known)) is not None:
            with _inside(low, body, operands, known.loop, known.made.attrs["count"]):
                _lengths_are_kept(g, known.loop.next, known.made.operands[1:])
            return self.results(low, node, known, stacks)
        k = len(body.carried)
        count, inits = operands[0], parts(operands[1 : 1 + k])
        loop = g.new_loop()
        loop.node = g.extents.node
        inside = frozenset([loop.number])
        loop.index = g.make("index", (), "int64", (), loops=inside, loop_number=loop.number)
        loop.carried = tuple(
            g.make("carried", (), v.dtype, v.shape, loops=inside | v.loops, loop_number=loop.number, k=j)
            for j, v in enumerate(inits)
        )
        n = g.extents.value(count)
        if g.tuning.allows("index_ranges"):
            g.extents.bound(loop.index.number, [0], [ex.sub(m, 1) for m in ex.if_positive(n)])
        n = ex.maximum(0, n)
        with _inside(low, body, operands, loop, n) as env:
            results = low.run(body.expressions)
            if body.condition is not None:
                loop.condition = g.cast(results.pop(), "bool")
            loop.next = tuple(g.cast(r, v.dtype) for r, v in zip(parts(results[:k]), inits, strict=True))
            loop.stacked = tuple(parts(results[k:]))
            if not _lengths_are_kept(g, loop.next, inits):
                g.unchecked_loops.add(loop.number)
        made = g.make(self.name, (count, *inits), "", (), loops=_around(loop, operands), loop=loop, count=n)
        loop.count, loop.made, loop.rounds = count, made, n
        lowered = LoweredLoop(loop, made, g.within, body, operands, env)
        low.lowered_loops.add(self.name, body, operands, lowered)
        return self.results(low, node, lowered, range(len(loop.stacked)))

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        return self.lower(low, node, operands)

    def results(self, low: Lowering, node: Apply, lowered: LoweredLoop, stacks: Sequence[int]) -> list[Value]:
        """What the row's application gives: the last carried values, then these of what is stacked."""
        g, loop, made, shapes = low.graph, lowered.loop, lowered.made, lowered.shapes
        inits = made.operands[1:]
        finals = [g.result(made, j, v.dtype, v.shape) for j, v in enumerate(inits)]
        new = {k: j for j, k in enumerate(stacks) if k not in shapes}
        shapes.update(
            zip(new, _stacked_shapes(low, node, made, {j: loop.stacked[k] for k, j in new.items()}), strict=True)
        )
        count = made.attrs["count"]
        stacked = [g.result(made, len(inits) + k, loop.stacked[k].dtype, (count, *shapes[k])) for k in stacks]
        return self.outputs(g, node, made, finals, stacked)

    def outputs(
        self, g: Graph, node: Apply, made: Value, finals: Sequence[Value], stacked: Sequence[Value]
    ) -> list[Value]:
        _, finals, stacked = _if_rounds(g, node, made, (), finals, stacked)
        return paired(g, node.outputs, [*finals, *stacked])

    def verify(self, graph: Graph, v: Value) -> None:
        loop = v.attrs["loop"]
        check(loop.number not in v.loops, v, "a loop varies with itself")
        check(len(v.operands) == 1 + len(loop.carried), v, "an initial value for each carried one")
        ends = loop.condition
        check((ends is None) == (v.op == FOR), v, "a condition where it ends early")
        check(ends is None or (ends.dtype == "bool" and not ends.rank), v, "a truth value as the condition")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        run_loop(b, v)

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.slices import as_type  # late: for exports only
        from tensordsl.codegen.mlir.writer import loops, rounds_until, tensor_type  # late: for exports only

        loop, inits = v.attrs["loop"], v.operands[1:]
        stacked = _stacked_results(loop, e.results.get(v.number, []))
        starts = [
            (as_type(e, e.value(i), i, p), tensor_type(map(e.find, p.shape), p.dtype))
            for i, p in zip(inits, loop.carried, strict=True)
        ]
        computed_moves = {k: e.empty(r.shape, r.dtype) for k, r in stacked.items()}
        carried = [*starts, *computed_moves.values()]

        def iteration(at: str, known: list[str]) -> tuple[list[str], str]:
            position = e.op(f"arith.index_cast {at} : index to i64")
            e.values[loop.index.number] = e.op(f"tensor.from_elements {position} : tensor<i64>")
            for param, name in zip(loop.carried, known, strict=False):
                e.values[param.number] = name
            ends = () if loop.condition is None else (loop.condition,)
            made = e.inside((FOR, loop.number), [*loop.next, *(loop.stacked[k] for k in computed_moves), *ends])
            is_last = e.op(f"tensor.extract {made.pop()}[] : tensor<i1>") if ends else ""
            done = [as_type(e, n, v, p) for n, v, p in zip(made, loop.next, loop.carried, strict=False)]
            for (k, (_, t)), piece, whole in zip(
                computed_moves.items(), made[len(inits) :], known[len(inits) :], strict=True
            ):
                done.append(_stacked(e, loop.stacked[k], piece, whole, t, at))
            typed = zip(done, carried, strict=True)
            return [_copied(e, n, t) if n in done[:k] else n for k, (n, (_, t)) in enumerate(typed)], is_last

        end, rounds = e.index(v.attrs["count"]), ""
        if loop.condition is None:
            names = loops(e, [end], carried, lambda at, known: iteration(at[0], known)[0])
        else:
            rounds, names = rounds_until(e, end, carried, iteration)
        for r in e.results.get(v.number, []):
            if r.op == "rounds":
                number = e.op(f"arith.index_cast {rounds} : index to i64")
                e.values[r.number] = e.op(f"tensor.from_elements {number} : tensor<i64>")
                continue
            k = r.attrs["k"]
            at = k if k < len(inits) else len(inits) + list(computed_moves).index(k - len(inits))
            e.values[r.number] = names[at] if at >= len(inits) else as_type(e, names[at], loop.carried[at], r)


@register
class For(_Loop):
    """for(loop, count): as many iterations as the count says, none where it is negative."""

    name = FOR


@register
class While(_Loop):
    """while(loop, count): iterations up to the one in which the condition is true, and at most `count`; `rounds` is
    their number.  What the row stacks is cut there."""

    name = WHILE

    def outputs(
        self, g: Graph, node: Apply, made: Value, finals: Sequence[Value], stacked: Sequence[Value]
    ) -> list[Value]:
        loop: Loop = made.attrs["loop"]
        rounds = g.make("rounds", (), "int64", (), loops=made.loops, loop=loop, loop_number=loop.number)
        loop.rounds = ex.maximum(0, g.extents.value(rounds))  # as a `for` of so many iterations says it
        (rounds,), finals, stacked = _if_rounds(g, node, made, (rounds,), finals, stacked)
        length = ex.maximum(0, g.extents.value(rounds))
        return [rounds, *paired(g, node.outputs[1:], [*finals, *(cut(g, r, length) for r in stacked)])]


# -- few rounds --------------------------------------------------------------------------------------------------------
def _few_rounds(low: Lowering, body: Any, operands: Sequence[Value]) -> int:
    """The number of a loop's rounds if they are so few, and so short, that each is written out; else 0."""
    extents, tuning = low.graph.extents, low.graph.tuning.passes
    rounds = extents.value(operands[0])
    if not isinstance(rounds, int) or not 0 < rounds <= tuning.unroll_max_rounds:
        return 0
    nodes = toposort(body.expressions)
    if rounds * len(nodes) > tuning.unroll_max_operations:
        return 0
    known = {id(body.index)}  # ids of what follows from lengths and the number of the round
    for v, given in zip(body.invariants, operands[1 + len(body.carried) :], strict=True):
        if v.type.dtype == "int64" and not v.type.ndim and not ex.named((extents.value(given),)):
            known.add(id(v))
    for node in nodes:
        if node.row.effect or not _is_plain(node, known):
            return 0
        if node.row.name == "shape_i" or all(isinstance(v, Constant) or id(v) in known for v in node.inputs):
            known.update(id(v) for v in node.outputs)
    return rounds


def _is_plain(node: Apply, known: set[int]) -> bool:
    """Whether a node has no rounds, branches or effects of its own, nor reads at positions that may be out of bounds:
    errors name the round."""
    if not isinstance(node.row.meaning, Kernel):
        return True
    traits = CONSTRUCTS[node.row.meaning.name].traits
    if traits.has_regions or traits.has_effects:
        return False
    return all(isinstance(v, Constant) or id(v) in known for v in node.inputs if v.type.dtype in INTEGERS)


def _unrolled(low: Lowering, node: Apply, rounds: int) -> list[Value]:
    """What a loop gives, by the expressions of each of its rounds."""
    g, body = low.graph, node.attrs["body"]
    k, operands = len(body.carried), node.inputs[1:]
    invariants = dict(zip(body.invariants, operands[k:], strict=True))
    carried: Sequence[Variable] = operands[:k]
    pieces: list[Sequence[Variable]] = []
    for t in range(rounds):
        now = {**invariants, body.index: constant(t, dtype="int64"), **dict(zip(body.carried, carried, strict=True))}
        results = substitute(body.expressions, now)
        _lengths_are_kept(g, low.run(results[:k]), low.run(carried))
        carried = results[:k]
        pieces.append(results[k:])
    return low.run([*carried, *(stack(column) for column in zip(*pieces, strict=True))])


def _lengths_are_kept(g: Graph, new: Sequence[Value], old: Sequence[Value]) -> bool:
    """Have what a round hands on be as long as what it got: whether no round has to check it.

    Lengths that are known before the loop are checked there, if a round runs: passes may leave out rounds that no
    result needs."""
    extents = g.extents
    are_kept = True
    for v, w in zip(new, old, strict=True):
        for a, b in zip(map(extents.find, v.shape), map(extents.find, w.shape), strict=True):
            extents.same(a, b, STATE_LENGTHS)
            if a == b or not extents.conditional:
                continue
            if extents.runs is not None and _are_known_before(g, (a, b)):
                extents.require_if_run(a, b, STATE_LENGTHS)
            else:
                are_kept = False
    return are_kept


def _are_known_before(g: Graph, lengths: Sequence[Length]) -> bool:
    """Whether lengths are known before all loops that are being lowered and may have no round."""
    return all(k < g.extents.since and not g.values[k].loops for k in ex.named(lengths))


STATE_LENGTHS = "a carried value must keep its shape: lengths of an axis"


def _if_rounds(
    g: Graph, node: Apply, made: Value, rounds: Sequence[Value], finals: Sequence[Value], stacked: Sequence[Value]
) -> tuple[Sequence[Value], Sequence[Value], Sequence[Value]]:
    """The results of a loop as those of a branch, so that what only rounds need is not computed where there is none."""
    if not may_have_no_round(node, g.tuning.allows(EAGER_INVARIANTS)):
        return rounds, finals, stacked
    thens = (*rounds, *finals, *stacked)
    none = [g.const(0, "int64") for _ in rounds]
    if made.attrs["count"] == 0:
        return none, made.operands[1:], [g.broadcast_to(g.const(0, v.dtype), v.shape) for v in stacked]
    nothing = [g.make("undefined", (), v.dtype, v.shape) for v in stacked]
    branch = g.make(IFELSE, (_has_round(g, made), *thens, *none, *made.operands[1:], *nothing), "", ())
    results = [g.result(branch, k, v.dtype, v.shape) for k, v in enumerate(thens)]
    first, last = len(rounds), len(rounds) + len(finals)
    return results[:first], results[first:last], results[last:]


def _has_round(g: Graph, made: Value) -> Value:
    """Whether a loop has a round.  As many rounds as another loop had are some where that had some: its gradient's
    branches have one condition with its own."""
    count = made.operands[0]
    branch = count.operands[0] if count.op == "result" else count
    if branch.op == IFELSE and branch.operands[1 + count.attrs["k"]].op == "rounds":
        return branch.operands[0]
    return g.map(GE, g.extent(made.attrs["count"]), g.const(1, "int64"))


@contextmanager
def _inside(low: Lowering, body: Any, operands: Sequence[Value], loop: Loop, n: Any, known: Any = ()) -> Iterator[Any]:
    """A round of `loop`, which has `n` rounds, is lowered: gives the values of the body's variables, which `known` may
    have some of."""
    g, k = low.graph, len(body.carried)
    outer, own = low.env, dict(known)
    low.env = ChainMap(own, outer)
    for variables, values in (
        ((body.index,), (loop.index,)),
        (body.carried, paired(g, body.carried, loop.carried)),
        (body.invariants, operands[1 + k :]),
    ):
        for variable, value in zip(variables, values, strict=True):
            own[id(variable)] = g.cast(value, variable.type.dtype)
    extents, node_position = g.extents, g.extents.node
    state = extents.conditional, extents.runs, g.within
    if not (isinstance(n, int) and n > 0):
        if not extents.conditional:
            extents.since = loop.index.number
        if extents.runs is not None:
            extents.runs = ex.mul(extents.runs, ex.minimum(n, 1)) if _are_known_before(g, (n,)) else None
        extents.conditional, g.within = True, frozenset([loop.number])
    yield own
    extents.node = node_position
    low.env = outer  # another loop may share this body's variables, with parameters of its own
    (extents.conditional, extents.runs, g.within), extents.fresh = state, []


def _around(loop: Loop, operands: Sequence[Value]) -> frozenset[int]:
    """The loops that a loop varies with."""
    inside = (*operands, *loop.results)
    return frozenset[int]().union(*(v.loops for v in inside)) - {loop.number}


def _with_more(low: Lowering, body: Any, operands: Sequence[Value], known: LoweredLoop) -> list[int] | None:
    """Let a loop that is known also stack what a body of the same rounds does: the numbers of what it stacks; None
    where that could fail though the known one is computed alone."""
    g, loop, made = low.graph, known.loop, known.made
    first, assumed = len(g.values), len(g.extents.assumed)
    are_same = body.invariants is known.body.invariants and list(operands) == list(known.operands)
    with _inside(low, body, operands, loop, made.attrs["count"], known.env if are_same else ()):
        stacked = parts(low.run(body.stacked))
    may_fail = len(g.extents.assumed) > assumed or any(v.traits.has_effects for v in g.values[first:])
    if g.extents.conditional and may_fail:
        return None
    if not frozenset[int]().union(*(v.loops for v in stacked)) <= made.loops | {loop.number}:
        return None
    place = {v: k for k, v in enumerate(loop.stacked)}  # a loop may stack a value twice
    new = [v for v in dict.fromkeys(stacked) if v not in place]
    place.update((v, len(loop.stacked) + k) for k, v in enumerate(new))
    low.lowered_loops.extend(known)
    loop.stacked = (*loop.stacked, *new)
    return [place[v] for v in stacked]


def _stacked_results(loop: Loop, results: Sequence[Value]) -> dict[int, Value]:
    """Which stacked values something uses: their numbers, and the results."""
    first = len(loop.carried)
    return {r.attrs["k"] - first: r for r in results if r.op != "rounds" and r.attrs["k"] >= first}


def _stacked_shapes(low: Lowering, node: Apply, made: Value, pieces: Mapping[int, Value]) -> list[tuple[Length, ...]]:
    """The shapes of values that a loop stacks as they are known before it; pieces: a round's values, by their places in
    what the row stacks.

    What the next round gets has the shape of what the first got.  Any other length that is found in a round, as that
    of `x[t : t + k]`, is that of the first; each round checks that it is.
    """
    extents, loop = low.graph.extents, made.attrs["loop"]
    handed_on = dict(zip(loop.next, loop.carried, strict=True))

    def varies(length: Length) -> bool:
        return any(loop.number in low.graph.values[k].loops for k in ex.named((extents.find(length),)))

    shapes = {j: [*handed_on.get(v, v).shape] for j, v in pieces.items()}
    places = [(j, axis) for j, shape in shapes.items() for axis, n in enumerate(shape) if varies(n)]
    if not places:
        return [tuple(shape) for shape in shapes.values()]
    count = made.attrs["count"]
    if isinstance(count, int) and count <= 0:
        return [tuple(0 if varies(n) else n for n in shape) for shape in shapes.values()]
    variables = [v for v in node.attrs["body"].stacked for _ in range(2 if v.type.dtype in COMPLEX else 1)]
    firsts = low.run(_in_first_round([shape_i(variables[j], axis) for j, axis in places], node))
    outer, extents.conditional = extents.conditional, True
    for (j, axis), first in zip(places, firsts, strict=True):
        length = extents.value(first)
        extents.same(shapes[j][axis], length, "what a loop stacks must have one shape: lengths of an axis")
        shapes[j][axis] = length
    extents.conditional, extents.fresh = outer, []
    return [tuple(shape) for shape in shapes.values()]


def _in_first_round(lengths: Sequence[Variable], node: Apply) -> Sequence[Variable]:
    """Lengths in the parameters of a loop's body, for the first round; 0 if there is none."""
    n, *operands = node.inputs
    body = node.attrs["body"]
    replaced: dict[Variable, Variable] = dict(zip((*body.carried, *body.invariants), operands, strict=True))
    firsts = substitute(lengths, {**replaced, body.index: constant(0, dtype="int64")})
    if isinstance(n, Constant) and n.data > 0:
        return firsts
    chosen: Sequence[Variable] = apply(
        control.IFELSE, gt(n, 0), *firsts, *(constant(0, dtype=v.type.dtype) for v in firsts)
    )
    return chosen


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
