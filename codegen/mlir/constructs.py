"""What is no group, as MLIR: dot, reshapes, slices and their assignment, loops, branches, checks, calls of the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tensordsl.codegen.mlir import library_calls
from tensordsl.codegen.mlir.scalars import TYPE
from tensordsl.codegen.mlir.writer import MlirError, Writer, choice, escaped, loops, tensor_type
from tensordsl.codegen.scalar_ir.builder import FLOATS
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.codegen.tensor_ir.lower_indexing import place_taken


def _dot(e: Writer, v: Value) -> None:
    x, y, *added = v.operands
    stack = ["z"] if v.rank == 3 else []
    left = [*stack, *["m", "k"][-x.rank :]]
    right = [*stack, *["k", "n"][: y.rank]]
    out = [*left[:-1], *right[len(stack) + 1 :]]
    init, t = e.empty(v.shape, v.dtype)
    zero = e.scalars.constant(0.0, v.dtype)
    filled = e.op(f"linalg.fill ins({zero} : {TYPE[v.dtype]}) outs({init} : {t}) -> {t}")
    axes = [*out, "k"]
    length = dict(zip([*left, *right], [*x.shape, *y.shape], strict=True))
    kind = TYPE[v.dtype]

    def body(ins: list[str], outs: list[str]) -> list[str]:
        product = e.op(f"arith.mulf {ins[0]}, {ins[1]} : {kind}")
        return [e.op(f"arith.addf {outs[0]}, {product} : {kind}")]

    ins = []
    for operand, names in ((x, left), (y, right)):
        entries: list[Any] = [
            0 if e.find(n) == 1 and a != "k" and length[a] != 1 else a
            for a, n in zip(names, operand.shape, strict=True)
        ]
        base, at = e.base_map(operand, entries)
        ins.append((e.value(base), e.type_of(base), v.dtype, at))
    made = e.generic(axes, ("k",), ins, [(filled, t, v.dtype, out)], body, [length[a] for a in axes])[0]
    e.values[v.number] = _with_factors(e, v, made, added, t) if added or "alpha" in v.attrs else made


def _with_factors(e: Writer, v: Value, product: str, added: Sequence[Value], t: str) -> str:
    """alpha product + beta c."""
    axes = [f"d{d}" for d in range(v.rank)]
    init, _ = e.empty(v.shape, v.dtype)
    names = [product, *(e.value(c) for c in added)]
    factors = [e.scalars.constant(v.attrs.get(k, 1.0), v.dtype) for k in ("alpha", "beta")]
    kind = TYPE[v.dtype]

    def body(ins: list[str], outs: list[str]) -> list[str]:
        terms = [e.op(f"arith.mulf {k}, {x} : {kind}") for k, x in zip(factors, ins, strict=False)]
        return terms if len(terms) == 1 else [e.op(f"arith.addf {terms[0]}, {terms[1]} : {kind}")]

    ins = [(name, t, v.dtype, axes) for name in names]
    return e.generic(axes, (), ins, [(init, t, v.dtype, axes)], body, v.shape)[0]


def _reshape(e: Writer, v: Value) -> None:
    x = v.operands[0]
    source = e.value(x)
    if not v.rank:
        ones = tensor_type([1] * x.rank, x.dtype)
        e.values[v.number] = e.op(f"tensor.collapse_shape {_all_ones(e, x, source)} [] : {ones} into {e.type_of(v)}")
        return
    dims = ", ".join(e.index(n) for n in v.shape)
    shape = e.op(f"tensor.from_elements {dims} : tensor<{v.rank}xindex>")
    e.values[v.number] = e.op(
        f"tensor.reshape {source}({shape}) : ({e.type_of(x)}, tensor<{v.rank}xindex>) -> {e.type_of(v)}"
    )


def _all_ones(e: Writer, x: Value, source: str) -> str:
    """x, all of whose lengths are 1, with that in its type."""
    t = tensor_type([1] * x.rank, x.dtype)
    return source if e.type_of(x) == t else e.op(f"tensor.cast {source} : {e.type_of(x)} to {t}")


def _slice_text(e: Writer, bounds: Sequence[Any]) -> str:
    """Offsets, sizes and steps of a slice."""

    def text(n: Any) -> str:
        n = e.find(n)
        return str(n) if isinstance(n, int) else e.index(n)

    starts, lengths, steps = zip(*((text(a), text(n), text(s)) for a, n, s, _ in bounds), strict=True)
    return f"[{', '.join(starts)}] [{', '.join(lengths)}] [{', '.join(steps)}]"


def _is_empty(e: Writer, bounds: Sequence[Any], whole: Sequence[Any]) -> bool:
    """Whether the types say that a slice has no element: upstream refuses one that starts behind the end."""
    for (a, n, *_), w in zip(bounds, whole, strict=True):
        a, n, w = e.find(a), e.find(n), e.find(w)
        if n == 0 or w == 0 or (isinstance(a, int) and isinstance(w, int) and a >= w):
            return True
    return False


def _is_forward(bounds: Sequence[Any]) -> bool:
    return all(isinstance(s, int) and s > 0 for _, _, s, _ in bounds)


def _subtensor(e: Writer, v: Value) -> None:
    x, bounds = v.operands[0], v.attrs["bounds"]
    if _is_empty(e, bounds, x.shape):
        e.values[v.number] = e.empty(v.shape, v.dtype)[0]
    elif _is_forward(bounds):
        e.values[v.number] = _extract(e, x, bounds)
    else:
        e.values[v.number] = _gathered(e, e.value(x), e.type_of(x), bounds, v.shape, v.dtype)


def _extract(e: Writer, x: Value, bounds: Sequence[Any]) -> str:
    """A forward slice.  Indexed axes go in a step of their own: which axes a slice of lower rank drops is a guess where
    others have length 1 too, and upstream 22 crashes on some."""
    part = tensor_type((e.find(b[1]) for b in bounds), x.dtype)
    name = e.op(f"tensor.extract_slice {e.value(x)}{_slice_text(e, bounds)} : {e.type_of(x)} to {part}")
    if all(b[3] for b in bounds):
        return name
    shape = [b[1] for b in bounds if b[3]]
    axes = [f"d{d}" for d in range(len(shape))]
    free = iter(axes)
    entries = [next(free) if b[3] else 0 for b in bounds]
    init, t = e.empty(shape, x.dtype)
    return e.generic(
        axes, (), [(name, part, x.dtype, entries)], [(init, t, x.dtype, axes)], lambda ins, outs: [ins[0]], shape
    )[0]


def _insert(e: Writer, new: str, x: Value, bounds: Sequence[Any]) -> str:
    """`new`, of the shape of the slice without its indexed axes, written to a forward slice of x."""
    kept = [b[1] for b in bounds if b[3]]
    t, part = tensor_type(map(e.find, kept), x.dtype), tensor_type((e.find(b[1]) for b in bounds), x.dtype)
    if t != part:  # see _extract
        axes = [f"d{d}" for d in range(len(bounds))]
        init, _ = e.empty([b[1] for b in bounds], x.dtype)
        entries = [a for a, b in zip(axes, bounds, strict=True) if b[3]]
        outs = [(init, part, x.dtype, axes)]
        new = e.generic(
            axes, (), [(new, t, x.dtype, entries)], outs, lambda ins, outs: [ins[0]], [b[1] for b in bounds]
        )[0]
    return e.op(f"tensor.insert_slice {new} into {e.value(x)}{_slice_text(e, bounds)} : {part} into {e.type_of(x)}")


def _gathered(e: Writer, source: str, source_type: str, bounds: Sequence[Any], shape: Sequence[Any], dtype: str) -> str:
    """A slice with backward or symbolic steps: an element at start + step * position."""
    init, t = e.empty(shape, dtype)
    axes = [f"d{d}" for d in range(len(shape))]
    numbers = [tuple(e.index(n) for n in b[:3]) for b in bounds]

    def body(ins: list[str], outs: list[str]) -> list[str]:
        at, axis = [], 0
        for (start, _, step), b in zip(numbers, bounds, strict=True):
            if not b[3]:
                at.append(start)
                continue
            k = e.op(f"linalg.index {axis} : index")
            at.append(e.op(f"arith.addi {start}, {e.op(f'arith.muli {step}, {k} : index')} : index"))
            axis += 1
        return [e.op(f"tensor.extract {source}[{', '.join(at)}] : {source_type}")]

    return e.generic(axes, (), [], [(init, t, dtype, axes)], body, shape)[0]


def _inc_subtensor(e: Writer, v: Value) -> None:
    x, y = v.operands[:2]
    bounds = v.attrs["bounds"]
    kept = [b[1] for b in bounds if b[3]]
    new, t = e.value(y), tensor_type(map(e.find, kept), v.dtype)
    if _is_empty(e, bounds, x.shape):
        e.values[v.number] = e.value(x)
        return
    if not v.attrs["set"]:
        if _is_forward(bounds):
            old = _extract(e, x, bounds)
        else:
            old = _gathered(e, e.value(x), e.type_of(x), bounds, kept, v.dtype)
        new = _sum(e, old, new, t, v.dtype, kept)
    if not _is_forward(bounds):  # written forward, from the lowest position, in the opposite order
        flips = [(ex.sub(n, 1), n, -1, True) if _backward(s) else (0, n, 1, True) for _, n, s, keeps in bounds if keeps]
        new = _gathered(e, new, t, flips, kept, v.dtype)
        bounds = [
            (ex.add(a, ex.mul(s, ex.sub(n, 1))), n, -s, keeps) if _backward(s) else (a, n, s, keeps)
            for a, n, s, keeps in bounds
        ]
    e.values[v.number] = _insert(e, new, x, bounds)


def _backward(step: Any) -> bool:
    if not isinstance(step, int):
        raise MlirError("a slice assignment whose step is known only at run time has no MLIR form")
    return step < 0


def _sum(e: Writer, a: str, b: str, t: str, dtype: str, shape: Sequence[Any]) -> str:
    axes = [f"d{d}" for d in range(len(shape))]
    init, _ = e.empty(shape, dtype)
    name = _addition(dtype)
    return e.generic(
        axes, (), [(a, t, dtype, axes), (b, t, dtype, axes)], [(init, t, dtype, axes)],
        lambda ins, outs: [e.op(f"{name} {ins[0]}, {ins[1]} : {TYPE[dtype]}")], shape,
    )[0]  # fmt: skip


def _addition(dtype: str) -> str:
    return "arith.addf" if dtype in FLOATS else "arith.ori" if dtype == "bool" else "arith.addi"


def _concatenate(e: Writer, v: Value) -> None:
    axis = v.attrs["axis"]
    whole, t = e.empty(v.shape, v.dtype)
    at: Any = 0
    for part in v.operands:
        if any(e.find(n) == 0 for n in (*part.shape, *v.shape)):
            continue
        bounds: list[Any] = [(0, n, 1, True) for n in part.shape]
        bounds[axis] = (at, part.shape[axis], 1, True)
        name = e.value(part)
        whole = e.op(f"tensor.insert_slice {name} into {whole}{_slice_text(e, bounds)} : {e.type_of(part)} into {t}")
        at = ex.add(at, part.shape[axis])
    e.values[v.number] = whole


def _assert(e: Writer, v: Value) -> None:
    for flag in v.operands[1:]:
        item = e.op(f"tensor.extract {e.value(flag)}[] : tensor<i1>")
        e.put(f'cf.assert {item}, "{escaped(v.attrs["message"])}"')
    e.values[v.number] = e.value(v.operands[0])


def _host(e: Writer, v: Value) -> None:
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


def _in_bounds(e: Writer, v: Value) -> None:
    at, least, most = v.operands
    if e.checks:
        ((_, n, _, _),) = v.attrs["bounds"]
        for value, relation, limit in ((least, "sge", ex.mul(-1, e.find(n))), (most, "slt", n)):
            item = e.op(f"tensor.extract {e.value(value)}[] : tensor<i64>")
            index = e.op(f"arith.index_cast {item} : i64 to index")
            holds = e.op(f"arith.cmpi {relation}, {index}, {e.index(limit)} : index")
            e.put(f'cf.assert {holds}, "index is out of bounds for axis {v.attrs["axis"]}"')
    e.values[v.number] = e.value(at)


def _scatter(e: Writer, v: Value) -> None:
    """x with y written or added at indexed positions, one after the other: they may repeat."""
    x, y, *indices = v.operands
    taken = v.attrs["axes"]
    axes = [f"%s{v.number}_{d}" for d in range(x.rank - len(taken) + 1)]
    placed, free = place_taken(x.rank, taken, 1, axes)
    lengths = _scatter_lengths(e, x, indices, placed, free, axes)
    for n in x.shape:
        e.index(n)
    operands, t = [e.value(o) for o in (y, *indices)], e.type_of(x)

    def one(positions: list[str], known: list[str]) -> list[str]:
        here = dict(zip(axes, positions, strict=True))
        item = _item(e, y, operands[0], positions)
        at = {d: here[a] for d, a in free.items()}
        for d, i, name in zip(taken, indices, operands[1:], strict=True):
            at[d] = e.op(f"arith.index_cast {_item(e, i, name, [here[a] for a in placed])} : i64 to index")
        where = ", ".join(at[d] for d in range(x.rank))
        if not v.attrs["set"]:
            old = e.op(f"tensor.extract {known[0]}[{where}] : {t}")
            item = e.op(f"{_addition(x.dtype)} {old}, {item} : {TYPE[x.dtype]}")
        return [e.op(f"tensor.insert {item} into {known[0]}[{where}] : {t}")]

    e.values[v.number] = loops(e, lengths, ((e.value(x), t),), one)[0]


def _scatter_lengths(
    e: Writer, x: Value, indices: Sequence[Value], placed: Sequence[str], free: Mapping[int, str], axes: Sequence[str]
) -> list[str]:
    """How far each of `axes` runs: over the indices' common shape and the axes of x that are not indexed."""
    length: dict[str, Any] = {a: x.shape[d] for d, a in free.items()}
    for i in indices:
        for a, n in zip(reversed(placed), reversed(i.shape), strict=False):
            if a not in length or n != 1:
                length[a] = n
    return [e.index(length[a]) for a in axes]


def _item(e: Writer, v: Value, name: str, axes: Sequence[str]) -> str:
    """The element of v, broadcast from the right, at a position."""
    own = axes[len(axes) - v.rank :]
    places = [e.index(0) if e.find(n) == 1 else a for n, a in zip(v.shape, own, strict=True)]
    return e.op(f"tensor.extract {name}[{', '.join(places)}] : {e.type_of(v)}")


def _for(e: Writer, v: Value) -> None:
    loop, inits = v.attrs["loop"], v.operands[1:]
    stacked = {r.attrs["k"] - len(inits): r for r in e.results.get(v.number, []) if r.attrs["k"] >= len(inits)}
    starts = [
        (_as(e, e.value(i), i, p), tensor_type(map(e.find, p.shape), p.dtype))
        for i, p in zip(inits, loop.carried, strict=True)
    ]
    homes = {k: e.empty(r.shape, r.dtype) for k, r in stacked.items()}
    carried = [*starts, *homes.values()]

    def turn(at: list[str], known: list[str]) -> list[str]:
        position = e.op(f"arith.index_cast {at[0]} : index to i64")
        e.values[loop.index.number] = e.op(f"tensor.from_elements {position} : tensor<i64>")
        for param, name in zip(loop.carried, known, strict=False):
            e.values[param.number] = name
        made = e.inside(("for", loop.number), [*loop.next, *(loop.stacked[k] for k in homes)])
        done = [_as(e, n, v, p) for n, v, p in zip(made, loop.next, loop.carried, strict=False)]
        for (k, (_, t)), piece, whole in zip(homes.items(), made[len(inits) :], known[len(inits) :], strict=True):
            done.append(_stacked(e, loop.stacked[k], piece, whole, t, at[0]))
        typed = zip(done, carried, strict=True)
        return [_copied(e, n, t) if n in done[:k] else n for k, (n, (_, t)) in enumerate(typed)]

    names = loops(e, [e.index(v.attrs["count"])], carried, turn)
    for r in e.results.get(v.number, []):
        k = r.attrs["k"]
        at = k if k < len(inits) else len(inits) + list(homes).index(k - len(inits))
        e.values[r.number] = names[at] if at >= len(inits) else _as(e, names[at], loop.carried[at], r)


def _stacked(e: Writer, item: Value, piece: str, whole: str, t: str, position: str) -> str:
    """`whole` with `piece`, the value of `item`, at a position of its first axis."""
    lengths = [e.find(n) for n in item.shape]
    if 0 in lengths:
        return whole
    sizes = ", ".join(["1", *(str(n) if isinstance(n, int) else e.index(n) for n in lengths)])
    offsets = ", ".join([position, *("0" for _ in lengths)])
    strides = ", ".join("1" for _ in range(len(lengths) + 1))
    return e.op(
        f"tensor.insert_slice {piece} into {whole}[{offsets}] [{sizes}] [{strides}] : {e.type_of(item)} into {t}"
    )


def _copied(e: Writer, name: str, t: str) -> str:
    """A tensor of its own: upstream's bufferisation takes two results of a loop for different buffers, even where the
    body yields one value as both."""
    return e.op(f"bufferization.alloc_tensor() copy({name}) : {t}")


def _ifelse(e: Writer, v: Value) -> None:
    half = (len(v.operands) - 1) // 2
    results = e.results.get(v.number, [])
    condition = e.op(f"tensor.extract {e.value(v.operands[0])}[] : tensor<i1>")
    if not results:
        return

    def side(k: int) -> list[str]:
        wants = [v.operands[1 + k * half + r.attrs["k"]] for r in results]
        names = e.inside(("if", v.number, k), wants)
        return [_as(e, n, w, r) for n, w, r in zip(names, wants, results, strict=True)]

    names = choice(e, condition, [e.type_of(r) for r in results], [partial(side, k) for k in (0, 1)])
    e.values.update((r.number, name) for r, name in zip(results, names, strict=True))


def _as(e: Writer, name: str, value: Value, like: Value) -> str:
    """`name` with the type of `like`, which may know less of the shape."""
    have, want = e.type_of(value), e.type_of(like)
    if have == want:
        return name
    lengths = zip(map(e.find, value.shape), map(e.find, like.shape), strict=True)
    if any(isinstance(m, int) and isinstance(n, int) and m != n for m, n in lengths):
        return e.empty(like.shape, like.dtype)[0]  # a check forbids the branch that gives this
    return e.op(f"tensor.cast {name} : {have} to {want}")


CONSTRUCTS: dict[str, Callable[[Writer, Value], None]] = {
    "dot": _dot, "reshape": _reshape, "subtensor": _subtensor, "inc_subtensor": _inc_subtensor,
    "in_bounds": _in_bounds, "inc_take": _scatter, "concatenate": _concatenate, "assert": _assert, "host": _host,
    "for": _for, "ifelse": _ifelse, "along": library_calls.along, "searchsorted": library_calls.search,
    "true_positions": library_calls.true_positions,
    "repeated_positions": library_calls.repeated_positions,
}  # fmt: skip
