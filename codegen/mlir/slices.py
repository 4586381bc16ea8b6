"""Slices of tensors as MLIR, what is written into them, and types that know more or less of a shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.mlir.scalars import TYPE
from tensordsl.codegen.mlir.writer import Writer, tensor_type
from tensordsl.codegen.scalar_ir.builder import FLOATS
from tensordsl.codegen.tensor_ir.graph import Value


def slice_text(e: Writer, bounds: Sequence[Any]) -> str:
    """Offsets, sizes and steps of a slice."""

    def text(n: Any) -> str:
        n = e.find(n)
        return str(n) if isinstance(n, int) else e.index(n)

    starts, lengths, steps = zip(*((text(a), text(n), text(s)) for a, n, s, _ in bounds), strict=True)
    return f"[{', '.join(starts)}] [{', '.join(lengths)}] [{', '.join(steps)}]"


def is_empty(e: Writer, bounds: Sequence[Any], shape: Sequence[Any]) -> bool:
    """Whether the types say that a slice has no element: upstream refuses one that starts behind the end."""
    for (a, n, *_), w in zip(bounds, shape, strict=True):
        a, n, w = e.find(a), e.find(n), e.find(w)
        if n == 0 or w == 0 or (isinstance(a, int) and isinstance(w, int) and a >= w):
            return True
    return False


def is_forward(bounds: Sequence[Any]) -> bool:
    return all(isinstance(s, int) and s > 0 for _, _, s, _ in bounds)


def extract(e: Writer, x: Value, bounds: Sequence[Any]) -> str:
    """A forward slice.  Indexed axes go in a step of their own: which axes a slice of lower rank drops is a guess where
    others have length 1 too, and upstream 22 crashes on some."""
    part = tensor_type((e.find(b[1]) for b in bounds), x.dtype)
    name = e.op(f"tensor.extract_slice {e.value(x)}{slice_text(e, bounds)} : {e.type_of(x)} to {part}")
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


def insert(e: Writer, new: str, x: Value, bounds: Sequence[Any]) -> str:
    """`new`, of the shape of the slice without its indexed axes, written to a forward slice of x."""
    kept = [b[1] for b in bounds if b[3]]
    t, part = tensor_type(map(e.find, kept), x.dtype), tensor_type((e.find(b[1]) for b in bounds), x.dtype)
    if t != part:  # see extract
        axes = [f"d{d}" for d in range(len(bounds))]
        init, _ = e.empty([b[1] for b in bounds], x.dtype)
        entries = [a for a, b in zip(axes, bounds, strict=True) if b[3]]
        outs = [(init, part, x.dtype, axes)]
        new = e.generic(
            axes, (), [(new, t, x.dtype, entries)], outs, lambda ins, outs: [ins[0]], [b[1] for b in bounds]
        )[0]
    return e.op(f"tensor.insert_slice {new} into {e.value(x)}{slice_text(e, bounds)} : {part} into {e.type_of(x)}")


def gathered(e: Writer, source: str, source_type: str, bounds: Sequence[Any], shape: Sequence[Any], dtype: str) -> str:
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


def add_tensors(e: Writer, a: str, b: str, t: str, dtype: str, shape: Sequence[Any]) -> str:
    axes = [f"d{d}" for d in range(len(shape))]
    init, _ = e.empty(shape, dtype)
    name = addition(dtype)
    return e.generic(
        axes, (), [(a, t, dtype, axes), (b, t, dtype, axes)], [(init, t, dtype, axes)],
        lambda ins, outs: [e.op(f"{name} {ins[0]}, {ins[1]} : {TYPE[dtype]}")], shape,
    )[0]  # fmt: skip


def addition(dtype: str) -> str:
    return "arith.addf" if dtype in FLOATS else "arith.ori" if dtype == "bool" else "arith.addi"


def as_type(e: Writer, name: str, value: Value, like: Value) -> str:
    """`name` with the type of `like`, which may know less of the shape."""
    have, want = e.type_of(value), e.type_of(like)
    if have == want:
        return name
    lengths = zip(map(e.find, value.shape), map(e.find, like.shape), strict=True)
    if any(isinstance(m, int) and isinstance(n, int) and m != n for m, n in lengths):
        return e.empty(like.shape, like.dtype)[0]  # a check forbids the branch that gives this
    return e.op(f"tensor.cast {name} : {have} to {want}")
