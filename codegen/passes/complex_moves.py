"""Complex moves: two equal moves of real and imaginary parts become one move of complex numbers.

Lowering splits each operation into one on real and one on imaginary parts, which the rules then simplify.  Slices,
joins, reshapes and writes that are left would access a pair's memory twice: one operation on numbers does it once.
The two parts of a number in memory are that number: constructs that read it, and results, need no copy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field

import numpy as np

from tensordsl.base.records import record
from tensordsl.codegen.passes.context import frozen_values
from tensordsl.codegen.tensor_ir.construct import PART
from tensordsl.codegen.tensor_ir.graph import Graph, Value, dependencies, rebuild, toposort
from tensordsl.graph.casting import complex_of


def move_numbers(graph: Graph, roots: Sequence[Value]) -> list[Value]:
    """The roots, with one move for both parts wherever there are two."""
    if not any([v.op == "complex" for v in graph.values]):
        return list(roots)
    order = toposort(roots)
    levels, frozen = _levels(order), frozen_values(graph)
    found = _Pairs(levels, frozen)
    found.search(order)
    if not found.pairs and not any(v.op == "complex" and _number(graph, *v.operands) for v in order):
        return list(roots)
    changed: dict[int, Value] = {}

    def new(v: Value) -> Value:
        return changed.get(v.number, v)

    for v in sorted(order, key=lambda v: (levels[v.number], not v.traits.moves_only)):
        if v.number in changed or v.number in frozen:
            continue
        graph.extents.node = graph.origins.get(v.number)
        if v.number in found.pairs:
            changed |= _as_complex_move(graph, *found.pairs[v.number], new)
            continue
        w = rebuild(graph, v, new)
        whole = _number(graph, *w.operands) if w.op == "complex" else None
        w = w if whole is None else whole
        if w is not v:
            changed[v.number] = w
    graph.extents.node = None
    return list(map(new, roots))


def _levels(order: Sequence[Value]) -> dict[int, int]:
    """The number of moves before each value in sequence.  Values of one level do not depend on each other, and still do
    not when some of them are merged."""
    levels: dict[int, int] = {}
    for v in order:
        levels[v.number] = max([levels[o.number] for o in dependencies(v)], default=0) + v.traits.moves_only
    return levels


# -- which belong together ---------------------------------------------------------------------------------------------
@record(eq=False, frozen=False)
class _Pairs:
    """`pairs`: a move of either part -> those of both; `twins`: a value -> its counterpart of the imaginary parts."""

    levels: Mapping[int, int]
    frozen: Collection[int]
    pairs: dict[int, tuple[Value, Value]] = field(default_factory=dict)
    twins: dict[int, Value] = field(default_factory=dict)

    def search(self, order: Sequence[Value]) -> None:
        for v in order:
            if v.op == "complex":
                self.below(*v.operands)
        known = {_key(v, v.operands): v for v in order}
        users: dict[tuple[str, int, int], list[Value]] = {}
        for v in order:
            for k, o in enumerate(_data(v)):
                users.setdefault((v.op, k, o.number), []).append(v)
        second = {v.operands[0].number: v for v in order if v.op == PART and v.attrs["k"] == 1}
        for v in order:
            twin = None
            if v.op == PART:
                twin = second.get(v.operands[0].number) if v.attrs["k"] == 0 else None
            elif v.traits.moves_only:
                twin = self.joined(v, users)
            elif any(o.number in self.twins for o in v.operands):
                twin = known.get(_key(v, [self.twins.get(o.number, o) for o in v.operands]))
            if twin is not None:
                self.twins[v.number] = twin

    def below(self, re: Value, im: Value) -> None:
        """The chain of moves of which the parts of a number are the results."""
        stack = [(re, im)]
        while stack:
            re, im = stack.pop()
            if self.has_equal_moves(re, im):
                self.join(re, im)
                stack += zip(_data(re), _data(im), strict=True)

    def joined(self, re: Value, users: Mapping[tuple[str, int, int], list[Value]]) -> Value | None:
        """The same move as `re` of imaginary parts."""
        if re.number in self.pairs:
            first, second = self.pairs[re.number]
            return second if first is re else None
        for k, o in enumerate(_data(re)):
            if o.number in self.twins:
                for im in users.get((re.op, k, self.twins[o.number].number), ()):
                    if self.has_equal_moves(re, im):
                        self.join(re, im)
                        return im
        return None

    def join(self, re: Value, im: Value) -> None:
        self.pairs[re.number] = self.pairs[im.number] = re, im

    def has_equal_moves(self, re: Value, im: Value) -> bool:
        """Whether they may become one: they move data of one shape alike."""
        ends = {re.number, im.number}
        is_taken = not (ends.isdisjoint(self.pairs) and ends.isdisjoint(self.frozen))
        if not re.traits.moves_only or len(ends) < 2 or is_taken:
            return False
        same = self.levels[re.number] == self.levels[im.number] and len(re.operands) == len(im.operands)
        n = len(_data(re))
        same = same and _key(re, re.operands[n:]) == _key(im, im.operands[n:])
        return same and [o.shape for o in _data(re)] == [o.shape for o in _data(im)]


def _data(v: Value) -> tuple[Value, ...]:
    return v.operands[: v.traits.data_operands] if v.traits.moves_only else ()


def _key(v: Value, operands: Sequence[Value]) -> tuple[object, ...]:
    """Equal for values that are the same operation on these operands."""
    return v.op, v.key, v.dtype, v.shape, v.loops, *(o.number for o in operands)


# -- the moves of numbers ----------------------------------------------------------------------------------------------
def _as_complex_move(graph: Graph, re: Value, im: Value, new: Callable[[Value], Value]) -> dict[int, Value]:
    """The two moves as the parts of one move of numbers."""
    left, right = (list(map(new, v.operands)) for v in (re, im))
    n, dtype = len(_data(re)), complex_of(re.dtype)
    data = [
        _number(graph, x, y) or graph.make("complex", (x, y), dtype, x.shape)
        for x, y in zip(left[:n], right[:n], strict=True)
    ]
    whole = graph.make(re.op, (*data, *left[n:]), dtype, re.shape, loops=re.loops, **re.attrs)
    return {v.number: graph.make(PART, (whole,), v.dtype, v.shape, k=k) for k, v in enumerate((re, im))}


def _number(graph: Graph, re: Value, im: Value) -> Value | None:
    """The complex value with these parts, if it exists or is constant; or a transpose of one."""
    maps = []
    while re.op == im.op == "move" and (re.key, re.shape) == (im.key, im.shape):
        maps.append(re)
        re, im = re.operands[0], im.operands[0]
    whole = None
    if re.op == im.op == PART and re.operands == im.operands and (re.attrs["k"], im.attrs["k"]) == (0, 1):
        whole = re.operands[0]
    elif re.op == im.op == "const" and re.shape == im.shape:
        data = np.empty(re.attrs["data"].shape, complex_of(re.dtype))
        data.real, data.imag = re.attrs["data"], im.attrs["data"]
        whole = graph.const(data)
    for v in reversed(maps) if whole is not None else ():
        assert whole is not None
        whole = graph.move(whole, v.attrs["map"], v.shape)
    return whole
