"""From how many bytes on a launch goes through memory in another way than through caches, by what caches a machine has.

Two kinds are known: a third-level cache that a few cores share, almost as near as the second-level one, and one that
all cores of a large chip share, which gives a core a fifth of what its second-level cache does and of which it keeps
little for one core.
"""

from __future__ import annotations

from tensordsl.base.records import record

CACHE_LINE_BYTES = 64
LEVEL_2, LEVEL_3 = 1 << 20, 1 << 25  # bytes, where the system does not tell
ANY = 1 << 62  # bytes: more than any operands have
KEPT = 5 << 24  # bytes that a core finds again in a cache that many cores share, at most


@record
class Caches:
    """Bytes of operands, but for `part` and `columns`.

    there, there_most: from `there` on, and below `there_most`, what is only read is gone through there and back in turn
    (`loops.traversal_order`).  far_read, far: from these on what is only read, and what is written as well, with one
    thread; with several from `far_shared` on; what is written below `far_most`.
    over, over_shared: from these on results go past the caches if they are few of all; of one thread, of several.
    total: of what a sum over all axes reads, from where on it does not pay to begin its vectors on lines.
    written: of results that go past the caches (`loops.streaming_stores`).
    part: ns of estimated work of a part, from `there` on, of a launch that one thread has as well (half of it).
    rows: from these on rows of a reduction along them are parted, if there are fewer `columns` (else columns are, for
    threads).
    parted: columns times bytes, from where on the states of the parts of one pass cost more than its way saves.
    asked: such reductions ask memory for the rows of their next turn from so many bytes on.
    in_turn: of these, of one pass, as many rows are added up in each turn, at most.
    reread: of rows that several passes read near the core, the next ones are asked for below so many bytes.
    both, both_most: from these on, and below those, both of two threads read all of what is only read now and then
    (`loops.traversal_order`)."""

    there: int
    there_most: int
    far_read: int
    far: int
    far_shared: int
    far_most: int
    over: int
    over_shared: int
    total: int
    written: int
    part: int
    rows: int
    columns: int
    parted: int
    asked: int
    in_turn: int
    reread: int
    both: int
    both_most: int


def near_third(level3: int = LEVEL_3) -> Caches:
    """A walk of a bit less than the cache's size loses some of what goes round.  Of what is larger such caches keep
    some, and of over twice as much nothing."""
    unit = max(level3, LEVEL_3 // 4) // 32
    return Caches(
        there=12 * unit, there_most=33 * unit, far_read=56 * unit, far=72 * unit, far_shared=ANY,
        far_most=ANY, over=30 * unit, over_shared=46 * unit, total=15 * unit, written=32 * unit, part=40_000,
        rows=12 * unit, columns=512, parted=ANY, asked=16 * unit, in_turn=ANY, reread=16 * unit, both=ANY,
        both_most=ANY,
    )  # fmt: skip


def far_third(level2: int, level3: int) -> Caches:
    """What the second-level cache has no room for waits for the third one, and as pages lie in memory by chance that
    begins below its size.  Stores past the caches lose where the result is read soon, up to about what the third one
    keeps."""
    some, kept = level2 * 11 // 16, max(min(level3, KEPT), LEVEL_3)
    return Caches(
        there=some, there_most=ANY, far_read=some, far=some, far_shared=some,
        far_most=kept * 3 // 4, over=kept, over_shared=kept, total=4 * level2, written=LEVEL_3, part=5_000,
        rows=level2, columns=4096, parted=level2 << 14, asked=kept * 3 // 4, in_turn=4, reread=ANY, both=8 * level2,
        both_most=kept,
    )  # fmt: skip
