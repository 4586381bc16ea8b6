"""The context of a pass: the graph, users of values, frozen values, and analyses that passes cache.

Made anew for each pass by `compiler.pipeline`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.target.tuning import PassTuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import INC_SUBTENSOR
from tensordsl.codegen.tensor_ir.extents import Length
from tensordsl.codegen.tensor_ir.graph import Graph, Value, dependencies


@record(eq=False, frozen=False)
class Context:
    """`graph`; `hits`: rule -> how often this pass applied it; `users`: value number -> number of users, where the pass
    needs it; `frozen`: numbers of values that no pass may touch; `order`: all values as they were before the pass.
    Caches: `written` of `is_written_to`; `reductions` of `partial`; `rolled` of `part_at_rolls`; `rolls`, `wholes` of
    `share_rolls`; `sums` of `add_sums`: number of a value -> how many sums it adds up; `added` of `sum_around`: number
    of a value -> what was added to, and what; `merges`, `unmerged`, `merged` of `raise_merges`: whether there is
    anything to do; numbers of the values that it made; and of the reshapes of those -> the original values;
    `loops`: the `loops.known.KnownLoops` of the function; `factors`: its `linalg.applications.Known`; `masks` of
    `has_masks`."""

    graph: Graph
    hits: dict[str, int] = field(default_factory=dict)
    users: dict[int, int] = field(default_factory=dict)
    frozen: frozenset[int] = frozenset()
    order: Sequence[Value] = ()
    written: set[int] = field(default_factory=set)
    reductions: dict[tuple[Length, ...], list[Value]] | None = None
    rolled: tuple[frozenset[int], dict[Value, Any]] | None = None
    rolls: set[Any] | None = None
    wholes: dict[int, tuple[Value, Any]] = field(default_factory=dict)
    sums: dict[int, int] = field(default_factory=dict)
    added: dict[int, tuple[Value, tuple[Any, ...]]] = field(default_factory=dict)
    merges: bool | None = None
    unmerged: set[int] = field(default_factory=set)
    merged: dict[int, Value] = field(default_factory=dict)
    loops: Any = None
    factors: Any = None
    masks: bool | None = None

    @property
    def tuning(self) -> PassTuning:
        return self.graph.tuning.passes

    def hit(self, rule: str) -> None:
        self.hits[rule] = self.hits.get(rule, 0) + 1

    def has_masks(self) -> bool:
        """Whether the function has numbers of rows or constant matrices, which diagonal matrices are made of."""
        if self.masks is None:
            self.masks = any(v.op == "iota" or (v.op == "const" and v.rank > 1) for v in self.order)
        return self.masks

    def is_sole(self, v: Value) -> bool:
        """Whether v has one user, so that moving the user's work into it repeats nothing."""
        return self.users.get(v.number, 1) <= 1

    def is_written_to(self, v: Value) -> bool:
        """Whether a slice of v is written to by another value."""
        if not self.written:
            self.written.update(w.operands[0].number for w in self.order if w.op == INC_SUBTENSOR)
        return v.number in self.written

    def partial(self, shape: Sequence[Length]) -> list[Value]:
        """The reductions of tensors of this shape over some of their axes."""
        if self.reductions is None:
            self.reductions = {}
            for v in self.order:
                if v.op == "reduce" and v.rank and not v.attrs["with_index"]:
                    self.reductions.setdefault(self.find(v.operands[0].shape), []).append(v)
        return self.reductions.get(self.find(shape), [])

    def find(self, shape: Sequence[Length]) -> tuple[Length, ...]:
        """A shape with every extent replaced by its representative."""
        find = self.graph.extents.find
        return tuple(map(find, shape))


def count_users(roots: Sequence[Value], order: Sequence[Value]) -> dict[int, int]:
    """value number -> number of its users; being a result of the function counts.  order: toposort(roots)."""
    users: dict[int, int] = {}
    for v in roots:
        users[v.number] = users.get(v.number, 0) + 1
    for v in order:
        for o in dependencies(v):
            users[o.number] = users.get(o.number, 0) + 1
    return users


def frozen_values(graph: Graph) -> frozenset[int]:
    """The values that run-time lengths and checks are made of, with all that those depend on.

    Lengths name values by number: replacing such a value would compute it twice, and a loop or branch in two versions.
    They are a few 0-d integers where there are any.  A number of rounds stays the same value when its loop changes.
    """
    shapes = {id(v.shape): v.shape for v in graph.values}
    lengths: set[Length] = {n for shape in shapes.values() for n in shape if not isinstance(n, int)}
    for v in graph.values:
        if v.traits.has_lengths:
            lengths.update(_lengths_of(v))
    for c in graph.extents.constraints:
        lengths.update((c.a, c.b))
    named = ex.named(lengths) | ex.named(map(graph.extents.find, lengths))
    if not named:
        return frozenset()
    kept: dict[int, Value] = {}
    left = [graph.values[n] for n in named]
    while left:
        v = left.pop()
        if v.number not in kept:
            kept[v.number] = v
            left += dependencies(v) if v.op != "rounds" else ()
    return frozenset(kept)


def _lengths_of(v: Value) -> list[Length]:
    if v.op == "extent":
        return [v.attrs["extent"]]
    if v.traits.is_loop:
        return [v.attrs["count"]]
    return [n for bound in v.attrs["bounds"] for n in bound[:3]]
