"""The steps of a region, in order: groups, chains and constructs, and the storage that is free after each.

`run_region` runs one, `run_steps` a sequence of steps; storage of a dead value is reused by the next of its size.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache, partial

from tensordsl.codegen.bufferise.batches import run_stacks
from tensordsl.codegen.bufferise.bufferiser import Bufferiser, run_group
from tensordsl.codegen.bufferise.compute_in_place import place_parts
from tensordsl.codegen.bufferise.hidden_rows import run_layers
from tensordsl.codegen.bufferise.row_blocks import run_chain
from tensordsl.codegen.bufferise.scatter import begin_scatter
from tensordsl.codegen.fusion.placement import Context, Region, Step, memory
from tensordsl.codegen.fusion.row_blocking import Chain
from tensordsl.codegen.program_ir.storage import Ref, contiguous
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir.construct import CONCATENATE, RESHAPE
from tensordsl.codegen.tensor_ir.extents import known_at_entry
from tensordsl.codegen.tensor_ir.graph import Value, giver


def results_of(b: Bufferiser, node: Value) -> list[Value]:
    """The results of a node that something uses, by their number."""
    return b.results.get(node.number, [])


def run_region(b: Bufferiser, context: Context, wants: Sequence[tuple[Value, Ref]]) -> None:
    """Run the steps of a region, and have every value of `wants` at its place."""
    region = b.regions.get(context) or Region(context, [], {})
    given = {n for s in region.steps for n in s.gives}
    outer, b.context = b.context, context
    saved = {n: list(t) for n, t in b.targets.items()}
    copies = []
    for v, ref in wants:
        home = giver(v).number
        if home in given:
            b.targets.setdefault(v.number, []).append(lambda ref=ref: ref)  # type: ignore[misc]  # binds the loop's ref
        else:
            copies.append((v, ref))
    run_steps(b, region.steps, {n for v, _ in copies for n in memory(v, b.stored_moves)})
    for v, ref in copies:
        b.copy(b.ref(v), ref, v.dtype)
    b.targets, b.context = saved, outer


def run_steps(b: Bufferiser, steps: Sequence[Step], keep: Collection[int]) -> None:
    """Compute the steps' values in order; storage of a value that dies is free for the next one of its size, but for
    the values in `keep`, which later steps need."""
    last = last_uses(steps, keep, b.stored_moves)
    _aim_through_reshapes(b, steps)
    _yield_storage(b, steps, last)
    place_parts(b, steps, last)
    for k, step in enumerate(steps):
        if step.fused is not None:
            run_group(b, step.fused, [(v, begin_scatter(b, v)) for v in step.scatters])
        elif step.chain is not None:
            if isinstance(step.chain, Chain):
                run_chain(b, step.chain)
            else:
                run = run_layers if step.chain.is_layers else run_stacks
                run(b, step.chain)
        else:
            assert step.value is not None
            b.node = b.node_of(step.value)
            b.check_step([step.value], ())
            step.value.construct.bufferise(b, step.value)
        b.check_pending()
        for n in last.get(k, ()):
            b.release(n)


def _aim_through_reshapes(b: Bufferiser, steps: Sequence[Step]) -> None:
    """What is wanted somewhere in another shape is computed there."""
    if b.graph.extents.assumed:
        return  # the sizes may differ at run time
    owned = _owned(steps) | {s.value.number for s in steps if s.value and s.value.op == CONCATENATE}
    for step in reversed(steps):
        v = step.value
        if v is None or v.op != RESHAPE or v.number not in b.targets:
            continue
        x = v.operands[0]
        known = all(known_at_entry(b.find(n)) for n in (*v.shape, *x.shape))
        if known and x.number in owned and x.number not in b.targets:
            b.targets[x.number] = [cache(partial(_in_shape_of, b, b.targets[v.number][0], x))]


def _in_shape_of(b: Bufferiser, target: Callable[[], Ref], x: Value) -> Ref:
    ref, dims = target(), tuple(map(b.find, x.shape))
    return Ref(ref.ptr, dims, contiguous(dims, ITEMSIZE[x.dtype]), ref.base)


def _owned(steps: Sequence[Step]) -> set[int]:
    """The values that are computed wherever they are wanted."""
    own = [s for s in steps if s.fused is not None or (s.value and s.value.traits.begins_with is not None)]
    return {n for s in own for n in s.gives}


def _yield_storage(b: Bufferiser, steps: Sequence[Step], last: dict[int, list[int]]) -> None:
    """A value that dies where a construct begins with it is computed in the construct's place, which then needs no
    copy."""
    owned = _owned(steps)
    for k, step in reversed(list(enumerate(steps))):
        for v in (step.value, *step.scatters):
            at = None if v is None else v.construct.begins_with(v)
            if v is None or at is None:
                continue
            x, rest = v.operands[at], (*v.operands[:at], *v.operands[at + 1 :], *step.loads)
            others = [n for o in rest for n in (o.number, *_looked_at(o))]
            if x.number not in owned or x.number not in last.get(k, ()) or x.number in b.targets or x.number in others:
                continue
            if x.dtype != v.dtype:
                continue
            b.in_place.add(v.number)
            if v.number in b.targets:
                b.targets[x.number] = b.targets[v.number][:1]
            else:
                last[k].remove(x.number)


def _looked_at(v: Value) -> list[int]:
    """The values that v is a view of."""
    found = []
    while v.op == "move" or v.traits.is_view:
        v = v.operands[0]
        found.append(v.number)
    return found


def last_uses(steps: Sequence[Step], keep: Collection[int], stored_moves: Collection[int]) -> dict[int, list[int]]:
    """step -> numbers of the values given by these steps whose storage nothing needs after it."""
    owners: dict[int, frozenset[int]] = {}  # value -> the values whose storage it may lie in
    last: dict[int, int] = {}

    def owned(v: Value) -> frozenset[int]:
        return frozenset().union(*(owners.get(n, frozenset()) for n in memory(v, stored_moves)))

    for k, step in enumerate(steps):
        v = step.value
        for n in step.gives:
            owners[n] = frozenset((n,))
        if v is not None and v.traits.is_view:
            owners[v.number] = owned(v.operands[0])
        elif v is not None and v.traits.is_loop:  # without iterations it gives its starting values themselves
            owners[v.number] = owners[v.number].union(*map(owned, v.operands[1:]))
        for n in (*step.needs, *step.gives):
            last.update(dict.fromkeys(owners.get(n, ()), k))
    kept = frozenset().union(*(owners.get(n, frozenset()) for n in keep))
    result: dict[int, list[int]] = {}
    for n, k in last.items():
        if n not in kept:
            result.setdefault(k, []).append(n)
    return result
