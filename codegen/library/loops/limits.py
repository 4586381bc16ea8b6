"""Limits that the compiler's plans and the library's loops have to agree on."""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import MAX_PACKED_ROWS

SMALL = 60_000  # points, and ns of estimated work: below, there are no parts and no result is larger than the caches
NEAR_ELEMENTS = 1 << 11  # of rows packed together, but for transposed ones: scratch stays in the first-level cache
NEAR_COLUMNS = NEAR_ELEMENTS // MAX_PACKED_ROWS  # as many rows are added up at once, however many columns there are
# Of several short rows as one (`short_rows.reduce_wide`).
WIDE_ELEMENTS = 1024
WIDE_ROW = 255  # columns, at most
SPREAD_BYTES = 64  # of rows that have a number each: longer ones do better without a vector of it, but for some of
SPREAD_ROW = 128  # up to so many elements (`short_rows.reduce_wide`)
# Of parts (`loops.parallel_rows`, `loops.parallel`).
SHARE = 40_000  # ns of a part: a few per thread, since the system may take a thread's core away
FOLDED = 2  # times as long are parts that one thread has as well; of rows, where short ones are folded, half as many
SHARED_ROWS = 16  # from so many on, rows are shared out rather than the lanes' axis
# Of what takes long, so that signals are looked for in between (`library.signals`).
LONG = 8_000_000  # ns of a part, of a launch that may be parted at will; one of twice as many is
LONGEST = 40_000_000  # ns of a piece of a row, as the order of additions depends on where it is cut
LEAST_WORK = 100  # ns of 1,000 points, at least, where it matters how long they take
LONG_ROW = 1 << 20  # elements of a row from which kernels get pieces, if these take long
# Of what is transposed to scratch (`pack.transpose_blocks`).
BLOCKS_ROOM = 1 << 14  # bytes of all operands' blocks, which stay in the first-level cache
BLOCKS_MOST = 1 << 17  # bytes of blocks of one vector
