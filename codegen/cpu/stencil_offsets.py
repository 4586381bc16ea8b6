"""Stencil offsets: operands of a group that are slices of one tensor, at some distance in rows and elements.

Contract  a group and where its operands are -> (operand, first operand of the tensor, rows, elements behind it).
When      the group is elementwise and slices are less than `StencilTuning.max_rows` rows from each other.
Why       kernels that do several rows at once load what these share once (`cpu.stencil_rows`).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Protocol

from tensordsl.codegen.fusion.group import Group
from tensordsl.codegen.program_ir.storage import Ref
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.codegen.tensor_ir import extents as ex

Shift = tuple[int, int, int, int]  # operand, the one of its tensor that begins first, rows and elements behind that


class Places(Protocol):
    """What is needed of a `bufferise.bufferiser.Bufferiser`."""

    tuning: Tuning
    behind: dict[str, tuple[str, Any]]  # of an address: the one that it is behind, and by how many bytes


def stencil_offsets(b: Places, group: Group, lane: str, refs: Mapping[int, Ref]) -> tuple[Shift, ...]:
    """Of an elementwise group with lanes along `lane`: its operands that share rows with others."""
    rows = [a for a in group.parallel if a != lane]
    if not b.tuning.allows("stencil_rows") or not rows or len(group.parallel) < len(group.extents):
        return ()
    loads = {v.attr: bool(v.args) for v in group.scalars if v.op == "load"}
    if not any(refs[id(buffer)].ptr in b.behind for buffer, _ in loads):
        return ()
    families: dict[Any, list[tuple[int, int, int]]] = {}
    for k, ((buffer, entries), at_indices) in enumerate(loads.items()):
        if at_indices or lane not in entries or rows[-1] not in entries:
            continue
        ref = refs[id(buffer)]
        strides = tuple(ref.strides[entries.index(a)] if a in entries else 0 for a in group.extents)
        steps = dict(zip(group.extents, strides, strict=True))
        base, rest = _placed(b, ref.ptr)
        row, rest = _divided(rest, steps[rows[-1]])
        element, rest = _divided(rest, steps[lane])
        families.setdefault((base, strides, buffer.type, rest), []).append((row, element, k))
    found: list[Shift] = []
    for members in families.values():
        members = sorted(members)
        first_row, first_element, first = members[0]
        if any(0 < there[0] - here[0] < b.tuning.stencil.max_rows for here, there in pairwise(members)):
            found += [(k, first, row - first_row, element - first_element) for row, element, k in members]
    return tuple(found)


def _placed(b: Places, ptr: str) -> tuple[str, ex.Length]:
    """(the address of the whole tensor, bytes from there)"""
    offset: ex.Length = 0
    while ptr in b.behind:
        ptr, more = b.behind[ptr]
        offset = ex.add(offset, ex.if_not_empty(more))
    return ptr, offset


def _divided(length: ex.Length, step: ex.Length) -> tuple[int, ex.Length]:
    """(n, rest): length = n * step + rest, where `rest` has no part of the step's first term, or is less than half of
    it."""
    terms = ex.terms_of(step)
    monomial, size = next((t for t in terms if t[0]), terms[0])
    if size == 0:
        return 0, length
    here = dict(ex.terms_of(length)).get(monomial, 0)
    n = (2 * here + abs(size)) // (2 * abs(size)) * (1 if size > 0 else -1)
    return n, ex.sub(length, ex.mul(n, step))
