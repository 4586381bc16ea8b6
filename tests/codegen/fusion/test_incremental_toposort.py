"""`codegen.fusion.incremental_toposort` on random graphs, against a search of all paths."""

from __future__ import annotations

import random

import pytest

from tensordsl.codegen.fusion.incremental_toposort import StepOrder


def graph(seed: int) -> dict[int, set[int]]:
    draw = random.Random(seed)
    n = draw.randint(2, 14)
    return {k: {j for j in range(k) if draw.random() < draw.choice([0.1, 0.4])} for k in range(n)}


def below(needs: dict[int, set[int]], s: int) -> set[int]:
    found: set[int] = set()
    stack = list(needs[s])
    while stack:
        x = stack.pop()
        if x not in found:
            found.add(x)
            stack.extend(needs[x])
    return found


def is_between(needs: dict[int, set[int]], a: int, b: int) -> bool:
    return any(a in below(needs, x) and x in below(needs, b) for x in needs) or any(
        b in below(needs, x) and x in below(needs, a) for x in needs
    )


@pytest.mark.parametrize("seed", range(150))
def test_merges_keep_the_order(seed: int) -> None:
    needs, draw = graph(seed), random.Random(seed)
    shown = list(needs)
    draw.shuffle(shown)
    order = StepOrder(shown, lambda s: needs[s])
    while len(needs) > 1:
        ranks = [order._rank[s] for s in needs]
        assert len(set(ranks)) == len(ranks)
        assert all(order._rank[n] < order._rank[s] for s in needs for n in needs[s])
        pairs = [(a, b) for a in needs for b in needs if a != b]
        assert all(order.separated(a, b) == is_between(needs, a, b) for a, b in pairs)
        for a in needs:
            apart = order.apart(a)
            for b in draw.sample(sorted(needs), len(needs)):
                assert a == b or (b in apart) == is_between(needs, a, b)
        assert all(order.follows(a, b) == (b in needs[a]) for a, b in pairs)
        possible = [pair for pair in pairs if not is_between(needs, *pair)]
        if not possible:
            break
        kept, gone = draw.choice(possible)
        order.merge(kept, gone)
        needs[kept] = (needs[kept] | needs.pop(gone)) - {kept, gone}
        for s, below_s in needs.items():
            if gone in below_s:
                below_s.discard(gone)
                if s != kept:
                    below_s.add(kept)


def test_long_chains() -> None:
    order = StepOrder(range(20_000, -1, -1), lambda s: [s - 1] if s else [])
    assert order.distance(0, 20_000) == 20_000 and order.separated(0, 2) and not order.separated(0, 1)
    assert 0 in order.apart(2) and 0 not in order.apart(1) and 2 in order.apart(0)
