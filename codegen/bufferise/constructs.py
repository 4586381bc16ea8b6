"""Constructs with a buffer of their own: matrix products, views, concatenation, in-place slices, host steps, loops,
branches.

Each function computes one IR value into program IR; `CONSTRUCTS` is the table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cache, partial

from tensordsl.codegen.bufferise.batches import run_stacks
from tensordsl.codegen.bufferise.bufferiser import Bufferiser, run_group
from tensordsl.codegen.bufferise.compute_in_place import interleave, join_places, place_parts, slice_place, sliced
from tensordsl.codegen.bufferise.hidden_rows import run_layers
from tensordsl.codegen.bufferise.library_calls import build_along, build_repeated, build_search, build_true
from tensordsl.codegen.bufferise.row_blocks import build_product, run_chain
from tensordsl.codegen.bufferise.scatter import accumulate, begin_scatter, build_in_bounds, build_inc_take
from tensordsl.codegen.fusion.placement import VIEWS, Context, Region, Step, memory
from tensordsl.codegen.fusion.row_blocking import Chain
from tensordsl.codegen.passes.patterns import is_zero_at
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref, Scope, contiguous
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.extents import known_at_entry
from tensordsl.codegen.tensor_ir.graph import Value


def build_reshape(b: Bufferiser, v: Value) -> None:
    source, dims = b.ref(v.operands[0]), tuple(map(b.find, v.shape))
    b.agree(ex.product(source.dims), ex.product(dims), "reshape: the operand's size and the requested size")
    packed = b.packed(source, v.dtype, partial(_room_in_target, b, v, source))
    b.view(v, Ref(packed.ptr, dims, contiguous(dims, ITEMSIZE[v.dtype]), packed.base))


def _room_in_target(b: Bufferiser, v: Value, source: Ref) -> Ref | None:
    """Where a reshaped value is wanted, in the shape of its operand, which has to be copied anyhow."""
    targets = b.targets.get(v.number)
    if not targets or b.graph.extents.assumed:  # the sizes may turn out to differ
        return None
    home, item = targets[0](), ITEMSIZE[v.dtype]
    if home.strides != contiguous(home.dims, item):
        return None
    return Ref(home.ptr, source.dims, contiguous(source.dims, item), home.base)


def build_subtensor(b: Bufferiser, v: Value) -> None:
    b.view(v, sliced(b, b.ref(v.operands[0]), v.attrs["bounds"]))


def build_inc_subtensor(b: Bufferiser, v: Value) -> None:
    ref, target = slice_place(b, v)
    source = b.ref(v.operands[1])
    if not v.attrs["set"]:
        accumulate(b, source, target, v.dtype, is_zero_at(b.graph, v.operands[0], v.attrs["bounds"]))
    elif source.ptr != target.ptr:
        b.copy(source, target, v.dtype)
    b.finish(v, ref)


def build_concatenate(b: Bufferiser, v: Value) -> None:
    ref, places = join_places(b, v)
    sources = [b.ref(part) for part in v.operands]
    for source in sources:
        for d, (m, n) in enumerate(zip(source.dims, ref.dims, strict=True)):
            if d != v.attrs["axis"]:
                b.agree(n, m, "concatenate: lengths of an axis")
    moved = [(source, place) for source, place in zip(sources, places, strict=True) if source.ptr != place.ptr]
    is_last = v.attrs["axis"] == v.rank - 1 and ref.strides == contiguous(ref.dims, ITEMSIZE[v.dtype])
    if is_last and len(moved) == len(places) and all(place.dims[-1] == 1 for place in places):
        interleave(b, moved, v.dtype)
    else:
        for source, place in moved:
            b.copy(source, place, v.dtype)
    b.finish(v, ref)


def build_part(b: Bufferiser, v: Value) -> None:
    """The view of the real (k = 0) or imaginary parts."""
    ref = b.ref(v.operands[0])
    if v.attrs["k"]:
        ptr = b.fresh("p")
        b.emit(p.Offset(ptr, ref.ptr, b.name(ITEMSIZE[v.dtype])))
        ref = replace(ref, ptr=ptr)
    b.view(v, ref)


def build_pairs(b: Bufferiser, v: Value) -> None:
    """The same bytes, complex numbers as pairs of real ones or these as complex ones."""
    (x,) = v.operands
    packed, dims = b.packed(b.ref(x), x.dtype), tuple(map(b.find, v.shape))
    b.view(v, Ref(packed.ptr, dims, contiguous(dims, ITEMSIZE[v.dtype]), packed.base))


def build_assert(b: Bufferiser, v: Value) -> None:
    x, *flags = v.operands
    for f in flags:
        dst = b.fresh("q")
        b.emit(p.LoadScalar(dst, b.ref(f).ptr, "bool"))
        b.emit(p.Check("ne", dst, b.name(0), b.site(v.attrs["kind"], b.node_of(v), v.attrs["message"])))
    b.view(v, b.ref(x))


def build_host(b: Bufferiser, v: Value) -> None:
    inputs = []
    for o in v.operands:
        ref = b.packed(b.ref(o), o.dtype)
        inputs.append((ref.ptr, o.dtype, tuple(map(b.name, ref.dims))))
    outputs = []
    for r in results_of(b, v):
        ref = b.destination(r, r.dtype, r.shape)
        b.refs[r.number] = ref
        outputs.append((ref.ptr, r.dtype, tuple(map(b.name, ref.dims))))
    site = b.site("host", b.node_of(v), v.attrs["name"])
    b.emit(p.HostCall(v.attrs["number"], tuple(inputs), tuple(outputs), site))
    for r in results_of(b, v):
        b.finish(r, b.refs[r.number])


def results_of(b: Bufferiser, node: Value) -> list[Value]:
    """The results of a node that something uses, by their number."""
    return b.results.get(node.number, [])


def build_for(b: Bufferiser, v: Value) -> None:
    loop = v.attrs["loop"]
    count = b.name(v.attrs["count"])
    inits = v.operands[1:]
    starts, buffers = [], []
    for init, param in zip(inits, loop.carried, strict=True):
        starts.append(b.packed(b.ref(init), init.dtype))
        buffers.append((b.allocate(param.shape, param.dtype), b.allocate(param.shape, param.dtype)))
    stacked = {r.attrs["k"] - len(inits): r for r in results_of(b, v) if r.attrs["k"] >= len(inits)}
    homes = {k: b.destination(r, r.dtype, r.shape) for k, r in stacked.items()}
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
    wants += [(loop.stacked[k], _at_index(b, home, index)) for k, home in homes.items()]
    run_region(b, (*b.context, ("for", loop.number)), wants)
    body = b.close_scope()
    kinds = ("ptr",) * len(carried)
    b.emit(p.For(index, count, tuple(carried), kinds, body, b.site("loop", b.node_of(v), "for")))
    for r in results_of(b, v):
        k = r.attrs["k"]
        if k < len(inits):
            dims = tuple(map(b.find, r.shape))
            b.view(r, Ref(names[k], dims, contiguous(dims, ITEMSIZE[r.dtype])))
        else:
            b.finish(r, homes[k - len(inits)])


def _at_index(b: Bufferiser, home: Ref, index: str) -> Ref:
    """home[index], for the loop's running index."""
    step, ptr, distance = b.name(home.strides[0]), b.fresh("p"), b.fresh("m")
    b.emit(p.Mul(distance, index, step, b.common_site("overflow")))
    b.emit(p.Offset(ptr, home.ptr, distance))
    return Ref(ptr, home.dims[1:], home.strides[1:])


def build_ifelse(b: Bufferiser, v: Value) -> None:
    half = (len(v.operands) - 1) // 2
    condition = b.fresh("q")
    b.emit(p.LoadScalar(condition, b.ref(v.operands[0]).ptr, "bool"))
    used = {r.attrs["k"]: r for r in results_of(b, v)}
    homes = {k: b.destination(r, r.dtype, r.shape) for k, r in used.items()}
    branches = []
    for side in (0, 1):
        b.scopes.append(Scope())
        for k, r in used.items():
            _check_lengths(b, v.operands[1 + side * half + k], r)
        wants = [(v.operands[1 + side * half + k], homes[k]) for k in used]
        wants = [(o, home) for o, home in wants if o.op != "undefined"]
        run_region(b, (*b.context, ("if", v.number, side)), wants)
        branches.append(b.close_scope())
    then, orelse = branches
    b.emit(p.If(condition, then, orelse))
    for k, r in used.items():
        b.finish(r, homes[k])


def _check_lengths(b: Bufferiser, branch: Value, result: Value) -> None:
    """A branch whose lengths are those of the result by assumption checks them before it writes there."""
    for m, n in zip(branch.shape, result.shape, strict=True):
        c = b.graph.extents.assumption(m, n)
        if c is not None and b.find(m) != b.find(n):
            b.check_here(c)


def run_region(b: Bufferiser, context: Context, wants: Sequence[tuple[Value, Ref]]) -> None:
    """Run the steps of a region, and have every value of `wants` at its place."""
    region = b.regions.get(context) or Region(context, [], {})
    given = {n for s in region.steps for n in s.gives}
    outer, b.context = b.context, context
    saved = {n: list(t) for n, t in b.targets.items()}
    copies = []
    for v, ref in wants:
        home = v.operands[0].number if v.op == "result" else v.number
        if home in given:
            b.targets.setdefault(v.number, []).append(lambda ref=ref: ref)  # type: ignore[misc]  # binds the loop's ref
        else:
            copies.append((v, ref))
    run_steps(b, region.steps, {n for v, _ in copies for n in memory(v, b.homes)})
    for v, ref in copies:
        b.copy(b.ref(v), ref, v.dtype)
    b.targets, b.context = saved, outer


def run_steps(b: Bufferiser, steps: Sequence[Step], keep: Collection[int]) -> None:
    """Compute the steps' values in order; storage of a value that dies is free for the next one of its size, but for
    the values in `keep`, which later steps need."""
    last = last_uses(steps, keep, b.homes)
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
            CONSTRUCTS[step.value.op](b, step.value)
        b.check_pending()
        for n in last.get(k, ()):
            b.release(n)


# Which operand a construct begins with a copy of, or overwrites point by point: its storage may serve the result.
BEGINS_WITH = {"inc_take": 0, "inc_subtensor": 0, "dot": 2, "along": 0}


def begins_with(v: Value) -> int | None:
    return None if v.op == "dot" and "beta" not in v.attrs else BEGINS_WITH.get(v.op)


def _aim_through_reshapes(b: Bufferiser, steps: Sequence[Step]) -> None:
    """What is wanted somewhere in another shape is computed there."""
    if b.graph.extents.assumed:
        return  # the sizes may turn out to differ
    owned = _owned(steps) | {s.value.number for s in steps if s.value and s.value.op == "concatenate"}
    for step in reversed(steps):
        v = step.value
        if v is None or v.op != "reshape" or v.number not in b.targets:
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
    return {n for s in steps if s.fused is not None or (s.value and s.value.op in BEGINS_WITH) for n in s.gives}


def _yield_storage(b: Bufferiser, steps: Sequence[Step], last: dict[int, list[int]]) -> None:
    """A value that dies where a construct begins with it is computed in the construct's place, which then needs no
    copy."""
    owned = _owned(steps)
    for k, step in reversed(list(enumerate(steps))):
        for v in (step.value, *step.scatters):
            at = None if v is None else begins_with(v)
            if v is None or at is None:
                continue
            x, rest = v.operands[at], (*v.operands[:at], *v.operands[at + 1 :], *step.loads)
            others = [n for o in rest for n in (o.number, *_looked_at(o))]
            if x.number not in owned or x.number not in last.get(k, ()) or x.number in b.targets or x.number in others:
                continue
            if x.dtype != v.dtype:
                continue
            b.heirs.add(v.number)
            if v.number in b.targets:
                b.targets[x.number] = b.targets[v.number][:1]
            else:
                last[k].remove(x.number)


def _looked_at(v: Value) -> list[int]:
    """The values that v is a view of."""
    found = []
    while v.op in ("move", *VIEWS):
        v = v.operands[0]
        found.append(v.number)
    return found


def last_uses(steps: Sequence[Step], keep: Collection[int], homes: Collection[int]) -> dict[int, list[int]]:
    """step -> numbers of the values given by these steps whose storage nothing needs after it."""
    owners: dict[int, frozenset[int]] = {}  # value -> the values whose storage it may lie in
    last: dict[int, int] = {}

    def owned(v: Value) -> frozenset[int]:
        return frozenset().union(*(owners.get(n, frozenset()) for n in memory(v, homes)))

    for k, step in enumerate(steps):
        v = step.value
        for n in step.gives:
            owners[n] = frozenset((n,))
        if v is not None and v.op in VIEWS:
            owners[v.number] = owned(v.operands[0])
        elif v is not None and v.op == "for":  # without iterations it gives its starting values themselves
            owners[v.number] = owners[v.number].union(*map(owned, v.operands[1:]))
        for n in (*step.needs, *step.gives):
            last.update(dict.fromkeys(owners.get(n, ()), k))
    kept = frozenset().union(*(owners.get(n, frozenset()) for n in keep))
    result: dict[int, list[int]] = {}
    for n, k in last.items():
        if n not in kept:
            result.setdefault(k, []).append(n)
    return result


CONSTRUCTS: dict[str, Callable[[Bufferiser, Value], None]] = {
    "dot": build_product, "reshape": build_reshape, "subtensor": build_subtensor, "inc_subtensor": build_inc_subtensor,
    "in_bounds": build_in_bounds, "inc_take": build_inc_take, "concatenate": build_concatenate,
    "part": build_part, "pairs": build_pairs,
    "along": build_along, "searchsorted": build_search,
    "true_positions": build_true, "repeated_positions": build_repeated,
    "assert": build_assert, "host": build_host, "for": build_for, "ifelse": build_ifelse,
}  # fmt: skip
