"""Thresholds of the library: groups of `target.tuning.Tuning`, which the library's build hands to its writers.

Contract  frozen records of whole numbers; a field's name ends in its unit, and the comment behind it says by what it
          was measured, as in `target.tuning`: a cache (L1, L2), registers, or a suite of `benchmarks/`.
When      a library object is written; equal tunings give equal objects, and others have other cache keys.
"""

from __future__ import annotations

from tensordsl.base.records import record

ROW_BYTES_PER_CACHE = 12  # rows that a block has at least (`ShortRowTuning.shared_max_row_bytes`)


@record
class TaskTuning:
    """Launches that are cut into tasks (`loops.parallel`, `loops.parallel_rows`), and polls for signals."""

    parallel_min_ns: int = 60_000  # of estimated work from which threads are wanted, and there are two tasks (peers)
    independent_min_ns: int = 16_000  # where each point or row is computed by itself (peers)
    wake_min_ns: int = 150_000  # from which sleeping threads are woken (peers: the threads' latency)
    small_task_ns: int = 8_000  # of independent tasks, of which there are `small_tasks` before they have their share
    small_tasks: int = 4
    tasks_per_thread: int = 4  # of independent ones, at most: what is next to the border of two is read twice
    lane_elements: int = 1024  # along the lanes' axis, at least
    columns: int = 256  # of a reduction along rows, at least; more than `loops.wide_max_columns`
    split_rows_column_bytes: int = 2048  # of each column, from which rows of more than two tasks' columns are cut (L2)
    max_tasks: int = 32
    min_outer_tasks: int = 8  # of an outer loop's rows; of fewer its inner loop is cut (corners)
    max_state_bytes: int = 1 << 18  # of the states of all tasks (L2)
    poll_task_ns: int = 8_000_000  # of a task of a launch that is cut at will (interrupts are seen within 50 ms)
    poll_piece_ns: int = 40_000_000  # of a piece of a row, as the order of additions depends on where it is cut
    poll_min_ns_per_1000: int = 100  # points, at least, where it matters how long they take
    poll_row_elements: int = 1 << 20  # of a row, from which kernels get pieces


@record
class MemoryTuning:
    """Traversal order, streaming stores, alignment and prefetch of launches (`library.loops`)."""

    alternate_max_bytes_per_point: int = 64  # of operands, in launches whose traversal alternates (peers)
    alternate_min_bytes_per_ns: int = 40  # of estimated work, where walking is all there is to do (peers)
    alternate_min_share: int = 12  # of the cache an operand has a twelfth at least, or no direction of its own
    mixed_read_period: int = 16  # launches, one of which reads the other thread's tasks as well; a power of two
    stream_min_points: int = 1 << 18  # from which results may exceed the caches (L2)
    stream_min_operand_ratio: int = 3  # bytes of operands for one of results that would fit a cache (peers)
    stream_block_bytes: int = 512  # of a result, computed into scratch and copied (peers)
    stream_row_min_elements: int = 256
    align_min_rows: int = 16  # that read a broadcast operand (peers)
    align_max_row_bytes: int = 1 << 14  # (L1)
    align_min_read_bytes: int = 1 << 16  # of all that is read of it
    same_set_bytes: int = 4096  # rows so far from each other share the sets of a first-level cache (L1)
    associativity: int = 8  # of such a set; and rows at once of several operands that memory has (L1)
    prefetch_operand_min_bytes: int = 1 << 19  # up to which an operand stays cached from call to call (L2)
    unrolled_rows: int = 8  # that kernels do at once, at most (registers)


@record
class PackTuning:
    """Packing and transposition to scratch (`loops.pack`, `loops.take`, `loops.small_transposed`)."""

    block_elements: int = 512  # packed at once, where only speed matters: memory goes on meanwhile (corners)
    row_block_vectors: int = 16  # of a block of `pack.rows` (corners)
    deinterleave_min_elements: int = 256  # finding columns of one array takes longer than shorter ones save (corners)
    repeated_loads: int = 3  # of each row, which a memory's prefetcher then follows (Zen 4)
    repeated_loads_min_bytes: int = 1 << 25  # of all rows: in the third-level cache it takes a fifth longer
    copies_bytes: int = 1 << 16  # of all copied operands of a block (L2)
    copies_min_positions: int = 8  # of a block, if it is not all, or `copies_min_bytes` of each
    copies_min_bytes: int = 1 << 12
    copies_short_row_elements: int = 32  # of rows that are copied though they are read once (corners)
    copies_min_reads: int = 4  # of the same row; not of columns, which may be cut into tasks too (corners)
    transpose_min_vectors: int = 8  # of a block where no operand has contiguous elements (corners)
    transpose_many_lanes: int = 128  # from which on a block need not have so many vectors
    # Of so many bytes of operands, bytes of a block of many lanes: memory goes on with the next rows while it is short.
    transpose_large_min_bytes: int = 3 << 21
    transpose_large_block_bytes: int = 1 << 13
    transpose_huge_min_bytes: int = 3 << 22
    transpose_huge_block_bytes: int = 1 << 12
    tile_rows: int = 32  # more lanes have more pages than the core's first TLB (peers: transposes)
    tile_points: int = 1 << 12  # (L1)
    tile_prefetch_min_bytes: int = 6 << 20  # of operands whose next tile is prefetched (L2)
    small_bytes: int = 1 << 15  # of all that a small launch transposes (L1)
    small_max_rows: int = 32  # of adjacent lanes: more are taken as wide rows (corners)
    take_block_bytes: int = 1 << 16  # from the first to the last row of a block (L2)
    take_block_rows: int = 64
    take_min_rows: int = 4  # (corners)
    take_min_indices: int = 8  # of rows (corners)
    take_max_reach_bytes: int = 1 << 22  # beyond it whole vectors of a row come sooner (L2)


@record
class ShortRowTuning:
    """Rows that are shorter than a few vectors (`loops.short_rows`)."""

    max_vectors: int = 4  # of a row; longer ones are done one by one (corners)
    collapse_max_elements: int = 1024  # of what all rows share (L1)
    overlap_min_rows: int = 8  # fewer rows are packed together instead (corners)
    overlap_min_vectors: int = 3  # if they are fewer vectors altogether
    overlap_max_ns_per_1000: int = 800  # points: longer rows in scratch do not wait for each other (exp of rows of 6)
    prefetch_min_bytes: int = 1 << 20  # of an operand that caches do not hold (L2)
    prefetch_max_block_bytes: int = 1 << 16  # of a block whose memory lies together
    reverse_min_bytes: int = 128  # of rows that one shuffle reverses (corners)
    joined_elements: int = 1 << 11  # that are copied at once (L1)
    wide_min_vectors: int = 4  # of a wide row (corners)
    wide_rows_per_call: int = 16  # that a kernel gets at once, and that there should be
    wide_streams_per_call: int = 8  # of several operands that no cache keeps: more are more streams than memory follows
    wide_stores_per_call: int = 4  # of a pass that stores as well, or whose rows have values of their own
    wide_same_set_elements: int = 256  # rows of a multiple of it share sets of the caches (L1)
    wide_min_rows: int = 8  # as are fewer than columns not worth it (corners)
    wide_min_stored_elements: int = 1024  # of rows of a vector each, that are only stored and have own values (corners)
    wide_min_padded_elements: int = 4096  # of rows longer than a vector that do not fill vectors (corners)
    replicate_max_row_bytes: int = 64  # of rows that have a value each: longer ones need no vector of it (corners)
    replicate_max_row_elements: int = 128  # up to so many where vectors are two registers
    shared_min_positions: int = 16  # of the loop, from which on copied rows pay (peers: distances)
    shared_block_bytes: int = 3 << 13  # (L1, with the other data of kernels)
    shared_short_row_bytes: int = 256  # of rows of which many results leave the caches: these want one order
    shared_many_results: int = 1 << 20
    shared_results: int = 1 << 16  # that all blocks give at some positions, while a second-level cache has them (L2)

    @property
    def shared_max_row_bytes(self) -> int:
        """Of longer rows a block would have too few."""
        return self.shared_block_bytes // ROW_BYTES_PER_CACHE


@record
class GemmTuning:
    """Matrix products (`library.gemm`); sizes in multiplications, m * n * k."""

    any_rows_max_terms: int = 4  # k for which tiles read and write no slower than memory does, whatever m is (peers)
    large: int = 1 << 20  # left to several threads of the BLAS, or to its product with a vector (peers)
    blas_wake_min: int = 1 << 22  # worth waking the threads of the BLAS for (peers, with other processes running)
    blas_alone_max: int = 1 << 18  # for which OpenBLAS wakes none
    blas_alone_vector_max: int = 9000  # the same of a matrix and a vector
    blas_min_piece_terms: int = 64  # C is read and written once for each piece
    blas_max_threads: int = 2  # of which one more than ours gains less than it costs where other processes run
    few_rows: int = 3  # of which panels would read B slower than a BLAS does (peers)
    few_rows_min_bytes: int = 512  # of a row of C (peers)
    few_rows_block_bytes: int = 8192  # of a row of C, done at a time (L1)
    fallback_terms: int = 256  # of the fallback's blocks, and columns: a block of B stays in the cache (L2)
    fallback_columns: int = 64
    blas_poll: int = 1 << 32  # for each thread of the BLAS, between two polls
    blas_poll_vector_elements: int = 1 << 27  # of a matrix that is multiplied by a vector
    poll_elements: int = 1 << 22  # of rows of C, between two polls
    poll_terms: int = 1 << 26  # of sums of which there are few; the rest is added to them
    batched_max_terms: int = 16  # rows of B in registers (registers)
    batched_tall_rows: int = 8  # of C, above which a single column is left to dot products
    batched_small: int = 1 << 15  # of a product that is done in such a tile
    batched_panels_min: int = 1 << 12  # from which panels are faster
    batched_panels_min_rows: int = 12  # and terms
    batched_short_terms: int = 4  # k of a large one with a vector of columns; twice as many without AVX-512
    batched_poll_products: int = 1 << 14  # small ones, between two polls
    parallel_min_ns: int = 8_000  # of work from which threads are wanted (peers)
    tasks_per_thread: int = 4  # the system may take a thread's core away
    task_ns: int = 400_000  # of one of several, as each packs for itself
    block_terms: int = 256  # k of a block (L2)
    block_rows: int = 64  # m of a block (L1)
    packed_bytes: int = 1 << 19  # of panels (L2)
    pack_min_rows: int = 48  # of C, from which packing rows of B pays
    pack_min_bytes: int = 1 << 16  # of B
    strip_min_columns: int = 768  # of C, from which packing A pays where its rows are adjacent
    strip_min_columns_strided: int = 96  # and where they are not
    unpacked_max: int = 1 << 20  # of a product in the caches, whose panels are read in place (L2)
    unpacked_min_rows: int = 8  # and terms, that it has more than
    epilogue_bytes: int = 1 << 17  # of C that what follows reads at a time (L2)
    task_vectors: int = 8  # of a task's row: half as many are more columns than thin products have
    task_min_rows: int = 32
    task_high_rows: int = 192  # from which two tasks lie below each other
    prefetch_steps: int = 16  # of k: panels come from the second-level cache, what is not packed from beyond
    same_set_bytes: int = 1 << 11  # rows of B so far from each other share sets of a cache, where prefetching evicts
    thin_min_terms: int = 64  # of a sum for which it is little work to add up lanes, or to transpose the result
    thin_block_terms: int = 1024  # of dot products: 4 rows of A stay in the cache (L1)
    thin_rows: int = 2048  # of C that are transposed at a time
    thin_vectors: int = 16  # of a row of C, to which empty lanes of the last one add much
    thin_min_rows: int = 64  # of A that the last columns read while they are in the cache
    thin_rows_bytes: int = 1 << 18  # (L2)
    syrk_rows: int = 64  # of C at a time, at least
    syrk_max_blocks: int = 12  # for each of which B is packed again
    syrk_min_rows: int = 96  # of C, more than `syrk_rows`, as the first block is such a product again
    syrk_min_terms: int = 12
    syrk_min_rows_terms: int = 3072  # rows times terms: there half of the sums are more than the copies
    syrk_panels_min_rows: int = 24  # of a product by panels: the columns of one
    align_min_terms: int = 256  # of dot products whose vectors begin on cache lines


@record
class ConvTuning:
    """Convolutions (`library.conv`)."""

    block_terms: int = 256  # of a block of sums, a power of two (L2)
    planes_bytes: int = 1 << 19  # of a box (L2)
    box_min_rows: int = 8  # of a box, of which the border is copied twice
    box_min_columns: int = 512
    parallel_min_ns: int = 8_000  # of work from which threads are wanted (peers)
    tasks_per_thread: int = 4  # the system may take a thread's core away


@record
class MatrixTuning:
    """Functions of matrices over LAPACK (`library.linalg`)."""

    poll_matrices: int = 1024  # small ones, between two polls for signals
    vjp_block_rows: int = 32  # of a factor's cotangent, up to which no BLAS is called
    mirror_min_rows: int = 48  # of a matrix whose other triangle is factored (linalg)
    transposed_block: int = 16  # rows and columns that change places together (L1)
    share_min_elements: int = 1089  # of a matrix of a batch that threads share: smaller ones wait for memory
    share_max_elements: int = 1 << 16  # of one: the LAPACK's own threads compute larger ones
    share_min_matrices: int = 4  # of such a batch
    share_max_parts: int = 16  # each with scratch of its own


@record
class SmallMatrixTuning:
    """Linear algebra of small matrices by code of our own (`library.linalg.small`); by the suite `linalg`."""

    max_rows: int = 32  # larger ones are LAPACK's
    max_columns: int = 64  # of a system
    min_columns: int = 3  # of a system, from which on they are in lanes
    max_lanes: int = 8
    max_dot_rows: int = 1000  # of a lower triangle with one right-hand side (L2)
    max_lane_rows: int = 8  # of several at once in lanes: all are in the cache (L1), and on the stack
    max_unrolled_rows: int = 4  # in registers (registers)


@record
class SortTuning:
    """Sorting, selecting and searching (`library.sort`); measured on random lines (corners)."""

    count_min_1_byte: int = 256  # keys of a byte whose positions are found by counting
    count_min_2_bytes: int = 1000
    radix_min_1_byte: int = 2000  # numbers of a byte that merge sort leaves to radix sort
    radix_min_2_bytes: int = 20_000
    radix_min_4_bytes: int = 60_000
    radix_min_8_bytes: int = 100_000
    radix_min_pairs: int = 3000  # of 8 bytes
    parallel_min_keys: int = 1 << 16
    slices: int = 32  # of a line, unless they have fewer or more keys
    max_slices: int = 128
    slice_min_keys: int = 1 << 13
    slice_max_keys: int = 1 << 15
    slice_multiple_keys: int = 64
    bucket_min_keys: int = 1 << 12
    samples_per_bucket: int = 32
    few_buckets: int = 4  # of a line with few different keys: so many are one thread's
    second_sample_min_keys: int = 1024  # from which pivots are the median of two registers of samples
    three_samples_min_keys: int = 1 << 14  # the median of three such samples
    select_min_elements: int = 512  # of a line that is narrowed
    select_large_min_elements: int = 16_384  # for which the larger sample is taken
    select_max_share: int = 8  # a wanted place among so many


@record
class ArrayTuning:
    """Scatter, scan, histogram, nonzero (`library.arrays`)."""

    histogram_min_positions: int = 2048  # from where on tables pay (corners)
    mask_few_8_lanes: int = 8  # true ones of 64, up to which they are taken one by one, not by vectors of 8
    mask_few_4_lanes: int = 12
    scan_wide_vectors: int = 4  # of a row that goes through memory (registers)
    scan_panel_vectors: int = 128  # at once (L1)
    scatter_prefetch_rows: int = 8  # to come, of which the first cache lines are prefetched (peers)
    scatter_prefetch_lines: int = 4
    scatter_few_positions: int = 16  # that are done one by one for `scatter_block_rows` rows
    scatter_block_rows: int = 64  # (L1)


@record
class PoolTuning:
    """Threads and memory of calls (`python.thread_pool`, `library.large_blocks`)."""

    spin_looks: int = 2000  # for a new job, before a thread sleeps (peers: two threads)
    spin_yield_looks: int = 50  # of these, before others that have work get the core
    awake_ns: int = 50_000  # in which the next job finds threads awake, about what they spin
    finish_looks: int = 5000  # for the end of the last tasks, before the caller yields its core
    poll_bytes: int = 1 << 22  # copied, cleared or filled between two polls
    kept_min_bytes: int = 1 << 19  # of a block that is kept when it is given back
    large_min_bytes: int = 1 << 23  # of those of which few are kept
    populate_min_bytes: int = 1 << 25  # of results that streaming stores write, whose pages are had at once
    max_slack_log2: int = 2  # a kept block may be larger than what is wanted by 1 / 2^2
