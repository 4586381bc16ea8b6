"""Techniques of the loops: groups have the same results with each on, off and, where that makes sense, forced."""

from __future__ import annotations

import pytest
from test_loop_nests import check_groups
from tuned import tuned

from tensordsl.codegen.library.techniques import TECHNIQUES

OF_LOOPS = [row.name for row in TECHNIQUES if row.objects == ("nest",)]
FORCIBLE = [row.name for row in TECHNIQUES if row.is_forcible]


@pytest.mark.parametrize("off", [*OF_LOOPS, ",".join(OF_LOOPS)])
def test_groups_without_a_technique(off: str) -> None:
    check_groups(tuned(off=off.split(",")), 6)


@pytest.mark.parametrize("name", FORCIBLE)
def test_groups_with_a_forced_technique(name: str) -> None:
    check_groups(tuned(forced=[name], tasks={"parallel_min_ns": 1, "independent_min_ns": 1}), 10)


@pytest.mark.parametrize("costs", [0, 1 << 40])
def test_groups_with_gaps_are_packed_or_overlap(costs: int) -> None:
    check_groups(tuned(short_rows={"overlap_max_ns_per_1000": costs}), 10)
