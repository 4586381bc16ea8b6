"""Concurrency within a recording: its calls in lanes (streams), and the calls that each waits for.

A call depends on earlier ones that wrote what it reads or writes, and on those that read what it writes; storages are
identified by their first address.  Transfers overlap with kernels that do not need them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tensordsl.base.records import record

MAX_LANES = 4  # of a recording


@record
class Call:
    """One call of a driver; reads, writes: where the storages begin that it touches."""

    name: str
    arguments: tuple[Any, ...]
    reads: frozenset[int]
    writes: frozenset[int]


@record
class Place:
    """Where a call runs: its lane, the numbers of calls in other lanes to wait for, and whether another lane waits for
    it."""

    lane: int
    waits: tuple[int, ...]
    is_awaited: bool


def placed(calls: Sequence[Call], lanes: int = MAX_LANES) -> list[Place]:
    """Lanes of the calls, which are in a valid order.

    A call goes after one that it waits for, if that is the last of its lane, else to the lane that has been idle
    longest. Products stay in lane 0: their library has one workspace.
    """
    chosen: list[int] = []
    waits: list[tuple[int, ...]] = []
    last = [-1] * lanes  # call of each lane
    seen = [[-1] * lanes for _ in range(lanes)]  # seen[a][b]: the last call of lane b that lane a's next call follows
    for number, before in enumerate(_dependencies(calls)):
        behind = [lane for lane in range(lanes) if last[lane] in before]
        lane = max(behind, key=lambda k: last[k]) if behind else min(range(lanes), key=lambda k: last[k])
        lane = 0 if calls[number].name == "multiply" else lane
        others: list[int] = []
        for k in sorted(before, reverse=True):
            other = chosen[k]
            if other != lane and seen[lane][other] < k:
                others.append(k)
                seen[lane][other] = k
        chosen.append(lane)
        waits.append(tuple(reversed(others)))
        last[lane] = number
    awaited = {k for some in waits for k in some}
    return [Place(lane, some, k in awaited) for k, (lane, some) in enumerate(zip(chosen, waits, strict=True))]


def _dependencies(calls: Sequence[Call]) -> Iterable[set[int]]:
    writer: dict[int, int] = {}
    readers: dict[int, list[int]] = {}
    for number, call in enumerate(calls):
        before = {writer[s] for s in call.reads | call.writes if s in writer}
        for s in call.writes:
            before.update(readers.pop(s, ()))
            writer[s] = number
        for s in call.reads - call.writes:
            readers.setdefault(s, []).append(number)
        yield before


def start(driver: Any, calls: Sequence[Call], places: Sequence[Place]) -> None:
    """Issue the calls to a driver that has lanes."""
    events: dict[int, Any] = {}
    try:
        driver.fork(1 + max((p.lane for p in places), default=0))
        for number, (call, place) in enumerate(zip(calls, places, strict=True)):
            driver.enter(place.lane)
            for k in place.waits:
                driver.wait(events[k])
            getattr(driver, call.name)(*call.arguments)
            if place.is_awaited:
                events[number] = driver.signal()
        driver.join()
    except BaseException:
        driver.leave()
        raise
