"""The descriptor of a launch: the words by which a plan tells the library's loops what to do.

Contract  `cpu.loop_tree` writes a vector of 64-bit words: a header, pairs of axes, levels, code, and tables behind it.
          `library.loops` reads them; every word is read by its name below and never by a number.
Tables    One-letter registers of the library's functions: K kernels, D the descriptor, B operands' addresses, S byte
          strides [operand][axis], E extents [axis], I run-time integers, P room for the pointers of kernels.
"""

from __future__ import annotations


class Header:
    """The words in front.  A place is an index into the descriptor; 0 says that there is none."""

    OPERANDS = 0  # operands, of which the first
    INPUTS = 1  # are only read
    AXES = 2
    SCRATCH_BYTES = 3
    POINTERS = 4  # words that P needs
    EXCHANGES = 5  # pairs of axes that may be exchanged, right behind the header
    MERGES = 6  # pairs of axes that may be merged, behind those
    DIRECT_CALL = 7  # place of the one CALL of a group that needs no context
    LANES = 8  # elements of a vector, a power of two
    CODE = 9  # place
    CODE_END = 10  # place
    NS_PER_1000_POINTS = 11  # estimated work
    OUTER_AXIS = 12  # an axis that may be cut into tasks, or -1
    LANE_AXIS = 13  # the lanes' axis, if it may be cut into tasks, or -1
    LEVELS = 14  # passes of a reduction over all axes, each with four places in front of the code (`Level`)
    KEPT_BYTES = 15  # of scratch that stay from level to level, behind its first 64
    STATE_BYTES = 16  # of these, the states of reductions; as many of another task's follow
    STREAMABLE = 17  # 1: results may go past the caches; `NOT_STREAMABLE`: results have gaps
    TRANSPOSABLE = 18  # (operand, bytes of its elements) pairs in front of the code: lanes run across rows
    WIDE_CALLS = 19  # place of the CALLs for several short rows as one
    CONTIGUOUS = 20  # place of the words of `loops.contiguous`
    SMALL_TRANSPOSED = 21  # place of the words of `loops.small_transposed`
    TAKE = 22  # place of the words of `loops.take`
    COPIED_OPERANDS = 23  # place of the words of `pack.reductions`
    COLUMN_READS = 24  # how often operands are read by reductions along rows with lanes along columns, or 0
    ROW_AXES = 25  # of a group with levels, a bit for each axis of rows, which are done one by one
    POSITION_CALL = 26  # as DIRECT_CALL, of a group that asks for positions
    DECIDING_ELEMENT = 27  # of a group that reduces truths only: one more than the element that decides, or 0
    STRIDED = 28  # 1: kernels take strided operands in place, so nothing may be copied for them
    NEEDED_PARTS = 29  # a bit for each of `abi.layouts.NEST_PARTS` without which results would be others, or slow
    MIN_UNMERGED_ELEMENTS = 30  # from so many on rows stay rows, since kernels do several of them together; or 0
    STREAMING_STORES = 31  # 1: the kernel has a loop with non-temporal stores (`cpu.streaming_stores`)
    WORDS = 32


NOT_STREAMABLE = 2  # a value of STREAMABLE


class Level:
    """Of a group that reduces all axes: four places for each pass over the elements."""

    PASS, ROWS, JOIN, JOIN_END = range(4)  # where its code begins, what follows it, what combines two states, its end
    WORDS = 4


class Opcode:
    LOOP, ROWS, BLOCKS, FILL, CALL = range(5)


class LoopCode:
    """LOOP: for each position of the axis, the body."""

    AXIS, BODY_WORDS, TASK_NS = range(1, 4)  # TASK_NS: of 1,000 points, where the loop may be cut into tasks; else 0
    WORDS = 4


class RowsCode:
    """ROWS: the same for several positions at once, which kernels walk over."""

    AXIS, MAX_ROWS, BLOCK_ELEMENTS, LANE, PREFETCH_ELEMENTS, BODY_WORDS, TASK_NS, PREFETCHES_ANY = range(1, 9)
    # BLOCK_ELEMENTS: of the rows at once (0: any number); PREFETCH_ELEMENTS: the same where kernels prefetch the next
    # ones, as they do of operands up to some size, or (PREFETCHES_ANY) of any.
    WORDS = 9


class BlocksCode:
    """BLOCKS: whole vectors of a row, some at once; then the tail."""

    AXIS, LANES, ELEMENTS, FLAGS, BODY_WORDS = range(1, 6)  # ELEMENTS: of a block, at most
    WORDS = 6


# Flags of BLOCKS: how a tail is done, and which long or short rows kernels take.
RECOMPUTES_AS_BLOCK, RECOMPUTES_IN_KERNEL, ANY_LENGTH, USES_NO_SCRATCH = 1, 2, 4, 8
FINISHES_ROWS = 16  # kernels do all of a row, also of one that has no elements
TAKES_SHORT_ROWS = 32  # the kernel takes rows that are shorter than a vector as they are
WIDENS_ROWS = 64  # reductions along rows may take several short rows as one (`short_rows.reduce_wide`)
JOINS_ROWS = 128  # rows may be copied one behind the other and taken as one (`short_rows.reduce_joined`)


class FillCode:
    """FILL: the states of all rows := their identity."""

    OFFSET, ROW_BYTES, ELEMENT_BYTES, PATTERN = range(1, 5)
    WORDS = 5


class CallCode:
    """CALL: pack what cannot be read in place, call the kernel, unpack.  Its operands follow (`Operand`)."""

    KERNEL, LANE, EXTERNALS, OPERANDS, POINTERS, ROW, WIDE = range(1, 8)
    # LANE, ROW: axes, or -1; POINTERS: its first word in P; WIDE: one more than the place, behind
    # `Header.WIDE_CALLS`, of the CALL for wide rows, or 0.
    WORDS = 8


class Operand:
    """An operand of a CALL; those of the launch come first, the pointers of the others are set once for many rows."""

    KIND, NUMBER, ELEMENT_BYTES, SCRATCH, FLAGS, ADDED = range(6)
    # SCRATCH: offset of its packed copy; ADDED: offset of the bytes that the kernel adds itself, or of a zero.
    WORDS = 6


class Area:
    """The same of an area in scratch (`INTERNAL`)."""

    KIND, OFFSET, ROW_BYTES, ELEMENT_BYTES, FLAGS, IDENTITY = range(6)


class ContiguousWords:
    """Behind `Header.CONTIGUOUS`: `STEPS`, of each operand bytes from point to point (0: a scalar); then one more than
    the number of a kernel that takes B as it is, or 0; how many instructions there are, and of each its place and the
    lanes of its kernel."""

    MAX_POINTS, MIN_POINTS, STEPS = range(3)


class SmallTransposedWords:
    """Behind `Header.SMALL_TRANSPOSED`: then, of each instruction, its place and the rows its kernel takes at once."""

    MAX_LANES, MAX_POINTS, INSTRUCTIONS, PAIRS = range(4)


class TakeWords:
    """Behind `Header.TAKE`: INDEX_KIND: twice the bytes of an index, plus 1 if it has a sign.

    LENGTH, STRIDE: numbers of the run-time integers that hold the indexed length and its byte stride.
    """

    ELEMENT_BYTES, INDEX_KIND, AXIS, LENGTH, STRIDE = range(5)


VECTOR, SPLAT, INTERNAL, INTEGER, POSITION, FLAG = range(6)  # kinds of operands
READ, WRITE, HAS_PACKED_ROWS = 1, 2, 4  # flags; the last: scratch has room for `MAX_PACKED_ROWS` rows of it
IS_STATE, IS_ROW_NUMBERS = 1, 2  # flags of an area: of a reduction's state; of the rows' numbers in wide rows
MAX_PACKED_ROWS = 8
MAX_COLUMN_ROWS = 16  # of a reduction along them, that a kernel gets at once
ROW_NUMBERS_OFFSET_BYTES = 64  # behind how many rows a wide one has: which of them each element is in
STREAM = -1  # live lanes of a call with non-temporal stores: one row of whole vectors, from the beginning of a line on
FULL_ROW, PREFETCH_NEXT = 3, 4  # flags of a call: a row's first block (1) and last (2); prefetch the rows that follow


class Context:
    """What a run of the interpreter knows: one on the stack for each call of `general`."""

    KERNELS, DESCRIPTOR, EXTENTS, STRIDES, INTEGERS, POSITIONS, ADDRESSES, SCRATCH = range(8)  # the tables
    BAD_INDEX = 8  # whether an indexed load was out of range
    COUNT, LIVE, IS_TAIL = 9, 10, 11  # elements of the block, live lanes of its vectors, whether it is padded
    POINTERS = 12  # P
    MAY_RECOMPUTE = 13  # no output is an input: elements may be computed twice
    ROWS = 14  # that the kernels get at once
    IS_PACKED = 15  # whether some operand is
    CALL_FLAGS = 16  # `FULL_ROW`, `PREFETCH_NEXT`
    IS_WIDE = 17  # rows are taken as wide ones
    IS_TRANSPOSED = 18  # operands stand in scratch (`pack.transpose_blocks`)
    ORIGINS = 19  # table: where a stage begins along each axis
    TASKS = 20  # `TASKS_FORWARD` or `TASKS_BACKWARD`: loops may be cut into tasks; more: in one of so many; 0: neither
    POOL = 21  # of threads, or null
    POINTS = 22  # of the whole launch, or 0
    WORDS = 23
    POINTERS_TO = frozenset((*range(8), POINTERS, ORIGINS, POOL))  # words that are addresses


TASKS_FORWARD, TASKS_BACKWARD = 1, -1


class Stage:
    """A part of a launch: one task, or what is computed once between the passes.  Null stands for all of it."""

    CODE, CODE_END, JOIN, JOIN_END = range(4)  # its code, and the code that combines two states
    AXIS, START = 4, 5  # where its positions along an axis begin
    POINTS = 6  # of the launch
    KEPT, STATES, STATE_COUNT = 7, 8, 9  # what is kept, the states of so many tasks
    OUT, OUT_BYTES = 10, 11  # where what others need of it goes
    TASKS, POOL = 12, 13  # as in the context
    IS_MERGED = 14  # axes are merged already, and not transposed
    TIMES, TASK_SIZE = 15, 16  # so many tasks, one behind the other, of so many positions
    SHARED = 17  # how many tasks threads share, or 0
    WORDS = 18


# Parameters of the library's functions, and their room on the stack.
NEST_PARAMS = ["ptr K", "ptr D", "ptr B", "ptr S", "ptr E", "ptr I"]
RUN_NEST_PARAMS = ["ptr plan", *NEST_PARAMS[2:]]
SCRATCH_PARAMS = ["ptr P", "ptr scratch"]
