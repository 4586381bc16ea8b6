"""The words of a launch's descriptor, which plans write and the library's loops read, and of what these hand on."""

from __future__ import annotations

# Words of the header.
(
    N_OPERANDS, N_INPUTS, N_AXES, SCRATCH, N_POINTERS, N_SWAPS, N_MERGES, FAST, WIDTH, CODE, END, WORK, OUTER, LANE,
    LEVELS, KEPT, STATES, STREAMED, N_TRANSPOSED, WIDE, FLAT, STRAIGHT, TAKEN, COMPACT, DOWN, ROW_AXES, PLACED,
    STOPS, APART, NEEDS, TOGETHER, PASSES,
) = range(32)  # fmt: skip
HEADER = 32
NEVER = 2
# WORK: ns per 1,000 points; OUTER, LANE: axes that may be parted among threads, or -1.  STREAMED: 1 if it writes
# nothing but what a call gives, which goes past the caches if it is large; NEVER where results have gaps.  Where all
# axes are reduced, LEVELS is how often: in front of the code stand as many times four places in it, where a pass over
# the elements begins, what follows from its results, what combines the states of two parts (behind END), and its end.
# Behind its first 64 bytes scratch has KEPT bytes of all that stays from level to level: of states STATES, as
# many of another part's, the rest.  There, or in place of levels, stand N_TRANSPOSED pairs: an operand that may be
# transposed, the bytes of its elements.
# From WIDE on stand calls of kernels for wide rows; FLAT, STRAIGHT, TAKEN and COMPACT are 0 or where
# `loops.contiguous`, `loops.small_transposed`, `loops.take` and `pack.reductions` have their words.  DOWN: how often
# operands are read, of a group that has reductions along rows, with lanes along columns; or 0.  ROW_AXES: of a group
# with levels, a bit for each axis of rows, which are done one by one.  FAST: the one CALL of a group that can do
# without a context, or 0; PLACED: the same of one that asks for positions.  STOPS: of a group whose only reduction is
# one of truths, over all axes, one more than the element that decides it, or 0.
# APART: 1 if kernels take operands as they stand that are no adjacent elements: then nothing may be copied for them.
# NEEDS: a bit for each of `abi.layouts.NEST_PARTS` without which results would be others, or take much longer.
# TOGETHER: from how many elements on rows stay rows, since kernels do several of them together, or 0.  PASSES: 1 if the
# kernel has stores past the caches (`cpu.streaming_stores`).
# Operations of the code, and their words before a body or entries.
LOOP, ROWS, BLOCKS, FILL, CALL = range(5)
LOOP_WORDS, ROWS_WORDS, BLOCKS_WORDS, FILL_WORDS, CALL_WORDS = 4, 9, 6, 5, 8
AS_BLOCK, BY_KERNEL, ANY_LENGTH, STREAMS = 1, 2, 4, 8  # of BLOCKS: what may be done with a tail, and with long rows
FINISHES = 16  # of BLOCKS: kernels do all of a row, also of one that has no elements
SHORT_ROWS = 32  # of BLOCKS: the kernel takes rows that are shorter than a vector as they are
JOINS = 128  # of BLOCKS: rows may be copied one behind the other and taken as one (`short_rows.reduce_joined`)
WIDENS = 64  # of BLOCKS: its reductions along rows may take several short rows as one (`short_rows.reduce_wide`)
# A kernel operand: (kind, number, itemsize, scratch offset, flags, scratch offset of the bytes to add, or of a zero);
# of an area in scratch: (INTERNAL, scratch offset, bytes from row to row, bytes of an element or 0, flags, identity).
# External kinds come first; the pointers of the others are set again only where rows are done one by one.
ENTRY = 6
VECTOR, SPLAT, INTERNAL, INTEGER, POSITION, FLAG = range(6)
READ, WRITE, MANY = 1, 2, 4  # flags; MANY: scratch has places for `PACKED_ROWS` rows of it
STATE, NUMBERS = 1, 2  # flags of an area: of a reduction's state; of positions in wide rows
COLUMN_ROWS = 16  # of a reduction along them, that a kernel gets at once
PAST = -1  # lanes of a kernel's rows that go past the caches: one row of whole vectors, at the beginning of lines
WHOLE, AHEAD = 3, 4  # of a turn: a row's first block and its last; those who can ask for the rows that follow
NUMBERS_BEGIN = 64  # bytes, behind how many rows a wide one has: which of them each element is in
PACKED_ROWS = 8
# Words of the context, one per call of `run_nest`.
(
    CX_K, CX_D, CX_E, CX_S, CX_I, CX_POS, CX_CUR, CX_SCRATCH, CX_FLAG, CX_COUNT, CX_LIVE, CX_TAIL, CX_P, CX_TWICE,
    CX_ROWS, CX_PACKS, CX_TURN, CX_WIDE, CX_TRANSPOSED, CX_ORIGINS, CX_PARTS, CX_POOL, CX_POINTS,
) = range(23)  # fmt: skip
CX_WORDS = 23
# PARTS: PARTED where loops along rows may be done in parts, by the threads of a pool, or null (PARTED_BACK: from the
# last one on); in a part their number.
PARTED, PARTED_BACK = 1, -1
# Words of a stage, a part of a launch (null: all of it): its code, and what combines states; where its positions along
# an axis begin; points of the launch; what is kept, states of how many parts, and where so many bytes of it go;
# what the context has of the same names; whether its axes are merged already, and not transposed; and how many parts
# threads share, or 0.
(
    T_FROM, T_TO, T_JOIN, T_JOINED, T_AXIS, T_START, T_POINTS, T_KEPT, T_STATES, T_COUNT, T_OUT, T_BYTES,
    T_PARTS, T_POOL, T_MERGED, T_TIMES, T_SIZE, T_SHARED,
) = range(18)  # fmt: skip
T_WORDS = 18
# Parameters of the library's functions: kernels, descriptor, bases, strides, extents, integers; and room on the stack.
PARAMS = ["ptr K", "ptr D", "ptr B", "ptr S", "ptr E", "ptr I"]
LAUNCH = ["ptr plan", *PARAMS[2:]]  # of `run_nest`
SPACE = ["ptr P", "ptr scratch"]
