"""Carried values that are written over: which of them a round may compute in the storage that it reads.

Contract  a loop and its stacks -> positions of carried values; steps that read the old value come before the new one's.
When      the step begins with the old value (slices are set or added to, a product is added), or reads it at its own
          points alone; nothing else needs the old value behind it.
Why       a row that is set costs a row and no copy of the rest, and a sum that runs stays in the cache.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.fusion.placement import Context, Region, Step, in_order
from tensordsl.codegen.tensor_ir.construct import DOT
from tensordsl.codegen.tensor_ir.graph import Loop, Value


def written_over(b: Bufferiser, loop: Loop, stacked: Sequence[Value], context: Context) -> frozenset[int]:
    """The positions of the carried values of `loop` that are written over."""
    region = b.regions.get(context)
    if region is None or not b.tuning.allows("written_over"):
        return frozenset()
    chosen = set()
    for j, (param, new) in enumerate(zip(loop.carried, loop.next, strict=True)):
        others = [*loop.next[:j], *loop.next[j + 1 :], *stacked, *([loop.condition] if loop.condition else [])]
        bases = {_lies_in(b, v).number for v in others}
        if not param.rank or param.number in bases or new in others or not _is_alike(b, param, new):
            continue
        chain = _chain(b, region, context, param, new)
        step = next((s for s in region.steps if chain[-1].number in s.gives), None)
        if step is None:
            continue
        views, readers = _readers(b, region, context, param)
        if _fits(b, step, param, chain[-1], views) and _put_behind(region, step, [s for s in readers if s is not step]):
            b.in_place.update(v.number for v in chain)  # nothing of it is computed there before the step
            chosen.add(j)
    return frozenset(chosen)


def _chain(b: Bufferiser, region: Region, context: Context, param: Value, new: Value) -> list[Value]:
    """The new value, and those that it is made of by writes to what nothing reads behind them, the first one last."""
    steps = {n: s for s in region.steps for n in s.gives}
    chain = [new]
    while (v := chain[-1]).number in steps and _writes(v):
        at = v.construct.begins_with(v)
        x = None if at is None else v.operands[at]
        if x is None or x is param or x.number not in steps or not _is_alike(b, param, x):
            break
        step = steps[v.number]
        views, readers = _readers(b, region, context, x)
        others = [s for s in readers if s is not step]
        if not _fits(b, step, x, v, views) or not _put_behind(region, step, others):
            break
        chain.append(x)
    return chain


def _writes(v: Value) -> bool:
    return v.traits.writes_into or v.op == DOT


def _is_alike(b: Bufferiser, param: Value, new: Value) -> bool:
    return param.dtype == new.dtype and tuple(map(b.find, param.shape)) == tuple(map(b.find, new.shape))


def _base(b: Bufferiser, v: Value) -> Value:
    """What v is a view of, as far as that is no step of its own."""
    while v.op == "move" and v.number not in b.stored_moves:
        v = v.operands[0]
    return v.operands[0] if v.op == "result" else v


def _lies_in(b: Bufferiser, v: Value) -> Value:
    """What v is copied from behind the round's steps; a view that is a step of its own is copied by this step."""
    while v.op == "move" and v.number not in b.stored_moves:
        v = _base(b, v)
        while v.traits.is_view:
            v = _base(b, v.operands[0])
    return _base(b, v)


def _fits(b: Bufferiser, step: Step, param: Value, new: Value, views: Collection[int]) -> bool:
    """Whether the step itself reads the old value, or views of it, only where it may."""
    if step.chain is not None:
        return False
    if step.value is None:
        assert step.fused is not None
        group = step.fused.group
        if step.scatters or any(s.op == "reduce" for s in group.scalars):
            return False
        (out,) = (o for o in group.outs if o.buffer.value is new)  # type: ignore[attr-defined]  # a ValueBuffer
        for s in group.scalars:
            if s.op == "load" and _base(b, s.attr[0].value).number in views:
                if s.attr[0].value is not param or s.args or s.attr[1] != out.map:
                    return False
        return True
    v = step.value
    at = v.construct.begins_with(v)
    if v is not new or at is None or v.operands[at] is not param or not _writes(v):
        return False
    return all(_base(b, o).number not in views for k, o in enumerate(v.operands) if k != at)


def _readers(b: Bufferiser, region: Region, context: Context, param: Value) -> tuple[set[int], list[Step]]:
    """What may lie in the old value's storage, and the steps of a region that read it, themselves or in their own
    regions."""
    here = {param.number}
    readers = []
    for s in region.steps:
        reads = {_base(b, v).number for v in s.reads}
        v = s.value
        if v is not None and v.traits.has_regions:
            reads |= {_base(b, o).number for o in (v.attrs["loop"].results if v.traits.is_loop else v.operands)}
            reads |= _reads_within(b, context, v)
        if here.isdisjoint(reads):
            continue
        readers.append(s)
        if v is not None and (v.traits.is_view or v.traits.is_loop):
            here.add(v.number)
    return here, readers


def _reads_within(b: Bufferiser, context: Context, v: Value) -> set[int]:
    """What the regions of a loop or branch read, and views that they make of it."""
    number = v.attrs["loop"].number if v.traits.is_loop else v.number
    depth = len(context)
    found: set[int] = set()
    for inner, region in b.regions.items():
        if len(inner) > depth and inner[:depth] == context and inner[depth][1] == number:
            for s in region.steps:
                found |= {_base(b, o).number for o in s.reads}
                if s.value is not None and s.value.traits.is_loop:
                    found |= {_base(b, o).number for o in s.value.attrs["loop"].results}
    return found


def _put_behind(region: Region, step: Step, readers: Collection[Step]) -> bool:
    """Have the step run behind all readers, if none of them needs it."""
    behind = set(step.gives)
    for s in region.steps:  # in order
        if not behind.isdisjoint(s.needs):
            behind.update(s.gives)
    if any(not behind.isdisjoint(s.gives) for s in readers):
        return False
    step.needs |= {n for s in readers for n in s.gives}
    region.steps = in_order(region.steps)
    return True
