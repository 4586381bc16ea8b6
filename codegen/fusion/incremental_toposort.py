"""Incremental topological order of steps, kept while steps are merged.

Contract  steps and what each needs -> `StepOrder`: may two steps be one (no third has to run between), and where is it.
When      groups are joined (`fusion.partition`).
Why       both questions concern the steps between the two only, so merging stays linear.
Ref       Pearce and Kelly, A Dynamic Topological Sort Algorithm for Directed Acyclic Graphs, 2006.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush


class StepOrder:
    """Steps are named by numbers; `needs` gives those that a step follows."""

    def __init__(self, steps: Iterable[int], needs: Callable[[int], Iterable[int]]) -> None:
        self._needs: dict[int, set[int]] = {}
        self._users: dict[int, set[int]] = {}
        self._rank: dict[int, int] = {}
        self._at: list[int | None] = []  # a step, or nothing where one has gone into another
        stack = [(s, False) for s in reversed(list(steps))]
        while stack:
            s, ready = stack.pop()
            if ready:
                self._rank[s] = len(self._at)
                self._at.append(s)
            elif s not in self._needs:
                below = self._needs[s] = set(needs(s)) - {s}
                self._users.setdefault(s, set())
                for n in below:
                    self._users.setdefault(n, set()).add(s)
                stack.append((s, True))
                stack.extend((n, False) for n in sorted(below, reverse=True) if n not in self._needs)

    def distance(self, a: int, b: int) -> int:
        return abs(self._rank[a] - self._rank[b])

    def follows(self, later: int, earlier: int) -> bool:
        """Whether `later` needs `earlier` itself."""
        return earlier in self._needs[later]

    def separated(self, a: int, b: int) -> bool:
        """Whether a third step must run between the two."""
        first, last = sorted((a, b), key=self._rank.__getitem__)
        return first in self.separated_from(last)

    def separated_from(self, step: int) -> Separated:
        return Separated(self, step)

    def merge(self, kept: int, gone: int) -> None:
        """`gone` becomes a part of `kept`; they are not `separated`."""
        first, last = sorted((kept, gone), key=self._rank.__getitem__)
        start, end = self._rank[first], self._rank[last]
        behind = {first}  # what must follow the merged step
        before, after = [], []
        for s in self._at[start + 1 : end]:
            if s is None:
                continue
            if behind.isdisjoint(self._needs[s]):
                before.append(s)
            else:
                behind.add(s)
                after.append(s)
        region: list[int | None] = [*before, kept, *after]
        for at, s in enumerate(region, start):
            assert s is not None
            self._rank[s] = at
        self._at[start : end + 1] = region + [None] * (end + 1 - start - len(region))
        self._join(kept, gone)

    def _join(self, kept: int, gone: int) -> None:
        for n in self._needs.pop(gone):
            self._users[n].discard(gone)
            if n != kept:
                self._users[n].add(kept)
                self._needs[kept].add(n)
        for u in self._users.pop(gone):
            self._needs[u].discard(gone)
            if u != kept:
                self._needs[u].add(kept)
                self._users[kept].add(u)
        self._needs[kept].discard(gone)
        del self._rank[gone]


class Separated:
    """The steps between which and `step` a third must run, for as long as none are merged: a search backwards that goes
    on from question to question."""

    def __init__(self, order: StepOrder, step: int) -> None:
        self._order, self._step = order, step
        self._found: set[int] = set()
        self._seen = {*order._needs[step]}
        self._waiting = [(-order._rank[s], s) for s in self._seen]
        heapify(self._waiting)

    def __contains__(self, other: int) -> bool:
        rank, needs = self._order._rank, self._order._needs
        if rank[other] > rank[self._step]:
            return self._order.separated(other, self._step)
        while self._waiting and -self._waiting[0][0] > rank[other]:
            _, s = heappop(self._waiting)
            for n in needs[s]:
                self._found.add(n)
                if n not in self._seen:
                    self._seen.add(n)
                    heappush(self._waiting, (-rank[n], n))
        return other in self._found
