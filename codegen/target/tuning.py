"""`Tuning`: every threshold of the compiler, and which optimisations are off.

Contract  `Tuning.here()`, or `dataclasses.replace` of one -> a frozen record in groups; a name ends in its unit.
When      it goes down from the pipeline to graph, fusion, bufferiser, planner, kernels and the library's writers.
Why       a threshold that is handed in can be varied by tests and by the ablation; `Tuning.key` is part of cache keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar

from tensordsl.base.records import record
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.target.library_tuning import (
    ArrayTuning,
    ConvTuning,
    GemmTuning,
    MatrixTuning,
    MemoryTuning,
    PackTuning,
    PoolTuning,
    ShortRowTuning,
    SmallMatrixTuning,
    SortTuning,
    TaskTuning,
)
from tensordsl.codegen.target.machine import Machine, host

ANY = 1 << 62  # more bytes than any operands have
DEFAULT_L2_BYTES, DEFAULT_L3_BYTES = 1 << 20, 1 << 25  # where the system does not tell
Record = TypeVar("Record")


@record
class CacheTuning:
    """From how many bytes of operands on a launch goes through memory in another order, by the third-level cache."""

    # Passes visit operands in alternating order (`loops.traversal_order`): of what is only read, within these; and
    # from these on of what is only read, and of what is written as well, with one thread; with several; and below this.
    alternate_min_bytes: int
    alternate_max_bytes: int
    alternate_large_read_min_bytes: int
    alternate_large_min_bytes: int
    alternate_large_threads_min_bytes: int
    alternate_large_max_bytes: int
    # Results are stored by non-temporal stores (`loops.streaming_stores`) if they are few of all operands: of one
    # thread, of several; and if they are as large themselves.
    stream_min_bytes: int
    stream_threads_min_bytes: int
    stream_result_min_bytes: int
    # A sum over all axes begins its vectors on cache lines below so many bytes (`cpu.aligned_rows`).
    align_total_max_bytes: int
    # ns of estimated work of a task, from `alternate_min_bytes` on, of a launch that one thread has as well (half).
    task_min_ns: int
    # Reductions along rows are split by rows from so many bytes on if they have fewer columns than this (else by
    # columns), and states of fewer bytes times columns than this (`loops.parallel_rows`).
    split_rows_min_bytes: int
    split_rows_max_columns: int
    split_rows_max_state_bytes: int
    # Such reductions prefetch the rows of the next batch from so many bytes on; rows that several passes read near the
    # core, below so many.
    prefetch_rows_min_bytes: int
    prefetch_reread_max_bytes: int
    # Rows that one pass of such a reduction adds up in a batch.
    max_rows_per_batch: int
    # Both of two threads now and then read all of what is only read, within these (`loops.traversal_order`).
    mixed_read_min_bytes: int
    mixed_read_max_bytes: int

    @staticmethod
    def of(machine: Machine) -> CacheTuning:
        if machine.has_distant_l3:
            return distant_l3(machine.l2_bytes or DEFAULT_L2_BYTES, machine.l3_bytes or DEFAULT_L3_BYTES)
        return close_l3(machine.l3_bytes or DEFAULT_L3_BYTES)


def close_l3(l3_bytes: int = DEFAULT_L3_BYTES) -> CacheTuning:
    """A third-level cache that a few cores share, almost as near as the second-level one.  A walk of a bit less than
    its size loses some of what goes round; of what is larger it keeps some, and of over twice as much nothing."""
    unit = max(l3_bytes, DEFAULT_L3_BYTES // 4) // 32
    return CacheTuning(
        alternate_min_bytes=12 * unit,
        alternate_max_bytes=33 * unit,
        alternate_large_read_min_bytes=56 * unit,
        alternate_large_min_bytes=72 * unit,
        alternate_large_threads_min_bytes=ANY,
        alternate_large_max_bytes=ANY,
        stream_min_bytes=30 * unit,
        stream_threads_min_bytes=46 * unit,
        stream_result_min_bytes=32 * unit,
        align_total_max_bytes=15 * unit,
        task_min_ns=40_000,
        split_rows_min_bytes=12 * unit,
        split_rows_max_columns=512,
        split_rows_max_state_bytes=ANY,
        prefetch_rows_min_bytes=16 * unit,
        prefetch_reread_max_bytes=16 * unit,
        max_rows_per_batch=ANY,
        mixed_read_min_bytes=ANY,
        mixed_read_max_bytes=ANY,
    )


def distant_l3(l2_bytes: int, l3_bytes: int) -> CacheTuning:
    """A third-level cache that all cores of a large chip share: it gives a core a fifth of what its second-level cache
    does, and keeps 80 MB for one core at most.  What the second-level cache has no room for waits for it, and as pages
    lie in memory by chance that begins below its size.  Streaming stores lose where the result is read soon, up to
    about what the third level keeps."""
    some, kept = l2_bytes * 11 // 16, max(min(l3_bytes, 5 << 24), DEFAULT_L3_BYTES)
    return CacheTuning(
        alternate_min_bytes=some,
        alternate_max_bytes=ANY,
        alternate_large_read_min_bytes=some,
        alternate_large_min_bytes=some,
        alternate_large_threads_min_bytes=some,
        alternate_large_max_bytes=kept * 3 // 4,
        stream_min_bytes=kept,
        stream_threads_min_bytes=kept,
        stream_result_min_bytes=DEFAULT_L3_BYTES,
        align_total_max_bytes=4 * l2_bytes,
        task_min_ns=5_000,
        split_rows_min_bytes=l2_bytes,
        split_rows_max_columns=4096,
        split_rows_max_state_bytes=l2_bytes << 14,
        prefetch_rows_min_bytes=kept * 3 // 4,
        prefetch_reread_max_bytes=ANY,
        max_rows_per_batch=4,
        mixed_read_min_bytes=8 * l2_bytes,
        mixed_read_max_bytes=kept,
    )


@record
class CostTuning:
    """The estimate of work, in ns: what is shared out among threads and what releases the GIL goes by it (peers)."""

    function_ns_per_1000: int = 800  # words of 8 bytes, of exp and its kind
    operation_ns_per_1000: int = 60
    access_ns_per_1000: int = 100  # loads or stores that a cache holds
    scatter_ns_per_1000: int = 500  # elements added or written at positions
    library_ns_per_1000: int = 800  # elements of the result of a library function that names no other cost
    gemm_products_per_ns: int = 20


@record
class FusionTuning:
    """Which values become one loop nest (`fusion.partition`, `fusion.inline`, `fusion.split_large`)."""

    max_reduction_levels: int = 3  # that follow each other in a group (a softmax, a layer norm); each is a walk (peers)
    max_levels_below_cut: int = 2  # (peers)
    max_row_spaces: int = 4  # that reductions to rows walk (peers)
    max_operands: int = 48  # of a group: a GPU's registers hold what it needs of each
    store_min_operations: int = 12  # of what is stored once rather than computed twice (peers)
    merge_max_steps: int = 400  # between groups that are tried as one (compile)
    merge_max_tensors: int = 200  # (compile)
    merge_max_operands: int = 24  # (compile)
    large_region_tensors: int = 1000  # (compile)
    max_reductions_looked_at: int = 8  # before a region counts as one of many (compile)
    piece_tensors: int = 150  # of a component that is cut (compile)
    recompute_max_operations: int = 3  # light ones, of what both sides of such a cut compute (compile)
    scatter_max_ns_per_1000: int = 8000  # of a group that adds at positions, on one thread (corners)
    scatter_max_steps_searched: int = 1000  # (compile)


@record
class BlockingTuning:
    """Steps that go through rows or matrices a few at a time (`fusion.row_blocking`, `fusion.batch_blocking`)."""

    reread_min_bytes: int = layouts.CACHED  # of a matrix that the second reading does not find in a cache (L2)
    max_parts: int = 32  # of the rows, each with a sum of its own; threads take a few each
    block_bytes: int = 1 << 17  # of the matrix that a chain reads twice (L2)
    max_product_columns: int = 32  # beyond these multiplying takes most of the time (peers)
    min_block_rows: int = 64  # and two for each column, since a product may copy its operand for each block
    max_row_bytes: int = 1 << 16  # so that `min_block_rows` stay near the core
    min_blocks_per_part: int = 4
    min_rows_per_column: int = 128  # of a part, so that adding its sum costs little
    unit_rows: int = 32  # of which blocks of hidden layers have a multiple
    hidden_min_bytes: int = 6 << 20  # of what only a run along rows reads (L2, with what else is there)
    hidden_block_bytes: int = 1 << 22  # (L3)
    hidden_max_row_bytes: int = 1 << 19
    hidden_max_blocks: int = 8  # each thread has about as many
    hidden_min_rows: int = 256  # of a block, if fewer would be more blocks
    hidden_max_packed_ratio: int = 3  # bytes of right operands, which each block packs again, for one of the block
    batch_block_bytes: int = 1 << 19  # of what only the run reads, of the matrices of a block (L2)
    batch_max_matrix_bytes: int = 1 << 20  # more does not stay in the cache (L2)
    batch_min_matrices: int = 8  # so that threads have enough of them


@record
class ScheduleTuning:
    """Lanes, blocks and forms of kernels (`cpu.schedule`)."""

    max_scalar_ops: int = 60  # of a kernel; more are several over a block's temporaries (compile)
    mask_max_bytes: int = 64  # of vectors whose truth values have registers; LLVM parts those of others (registers)
    row_block_elements: int = 4096
    column_block_elements: int = 1024
    sum_block_elements: int = 4096  # columns of sums in one pass, whose states fill a part of the cache (L1)
    reread_block_elements: int = 256  # columns that several passes read, a strip of them (L2)
    min_block_bytes: int = 4096  # of each operand of what reduces nothing
    max_short_axis_elements: int = 27  # next to reductions lanes run along another axis, if there is one (corners)
    axis_weight_per_rank: int = 16  # results of few axes do not outweigh what they are computed from
    max_taken_lanes: int = 16  # of rows at indices: what is shorter than a vector goes element by element (corners)
    shared_max_operations: int = 4  # with which it pays to load operands once for several rows (corners)
    short_row_max_operations: int = 8  # per element of short rows in lanes (corners)
    short_row_max_vectors: int = 16  # (registers)
    short_row_max_elements: int = 256  # as many as one lane adds up
    long_row_min_elements: int = 512  # whose vectors begin on cache lines where straddling loads cost little (corners)
    light_max_operations_per_operand: int = 2  # of loops that are bound by memory
    inline_functions: int = 4  # transcendental ones in a kernel; one with more calls all of them (compile)


@record
class KernelTuning:
    """The code of one kernel (`cpu.kernel` and what it is made of)."""

    light_body_lines: int = 12  # that are written twice (compile)
    chunk_vectors: int = 16  # that one lane of float64 adds up before chunks are (accuracy)
    float32_chunk_vectors: int = 8  # (accuracy)
    early_exit_vectors: int = 128  # of truth values between two looks whether they decide
    chunk_sum_lanes: int = 8  # in which sums of chunks are added
    fixed_registers: int = 12  # of what is the same in all rows of columns; half as many without AVX-512 (registers)
    scatter_chunk_elements: int = 256  # of both arrays, with operands (L1)
    scatter_unroll: int = 4
    vectorised_rows: int = 8  # of a row kernel that are done at once


@record
class PrefetchTuning:
    """Software prefetch in kernels (`cpu.prefetch`)."""

    reread_max_bytes: int = 3 << 13  # of rows that several passes read (L1)
    rows_max_bytes: int = 1 << 15  # with the next ones (L1)
    distance_bytes: int = 1 << 11  # from what a loop computes to what it prefetches (peers)
    light_distance_bytes: int = 1 << 8  # of a loop that computes little
    short_row_lines: int = 4  # cache lines prefetched at a time


@record
class StencilTuning:
    """Register blocking of stencil rows (`cpu.stencil_rows`)."""

    max_rows: int = 3
    max_rows_body_lines: int = 40  # of a row of which so many are done at once; of longer ones two (registers)
    max_body_lines: int = 100  # (compile)
    max_load_ratio: float = 0.8  # of the loads, for it to pay (peers: the heat equation)
    page_bytes: int = 4096  # from row to row: processors do not prefetch several rows in one page


@record
class StreamingTuning:
    """Kernels with a second loop of non-temporal stores (`cpu.streaming_stores`)."""

    max_body_lines: int = 16  # more take longer than memory does, and long to compile
    min_vector_bytes: int = 32


@record
class LoopTuning:
    """The interpreter of loop nests, as far as plans go by it (`cpu.loop_tree`, `library.loops`)."""

    scratch_bytes: int = 1 << 16  # of a launch (L2)
    kernel_rows: int = 256  # that a kernel gets at once
    shared_kernel_rows: int = 64  # if several read them in sequence, or rows keep more than `max_row_state_bytes`
    max_row_state_bytes: int = 64
    stencil_row_bytes: int = 1024  # of rows that stay rows, where kernels do several of them together
    small_launch: int = 60_000  # points, and ns: less has no tasks, and its results stay in caches (peers)
    packed_elements: int = 1 << 11  # of rows packed together, but for transposed ones (L1)
    wide_elements: int = 1024  # of several short rows as one
    wide_max_columns: int = 255
    task_ns: int = 40_000  # of a part of rows: a few per thread, since the system may take a core away
    single_thread_task_ratio: int = 2  # times as long are parts that one thread has as well
    shared_rows: int = 16  # from so many on rows are shared out, rather than the lanes' axis
    transposed_bytes: int = 1 << 14  # of all operands' blocks (L1)
    transposed_max_bytes: int = 1 << 17  # of blocks of one vector (L2)


@record
class VariantTuning:
    """Which schedule of a group a call runs (`variants.conditions`); all by corners but where it says otherwise."""

    max_taken_row_elements: int = 7  # of rows at indices: with lanes across each element is an access of its own
    max_elements_per_row: int = 4  # of fewer rows than lanes: with usual lanes a row is a call
    max_crossed_row_elements: int = 256  # of rows that lanes may go across, a block of rows at a time
    max_crossed_separate_elements: int = 1024  # of those that cannot be one, as operands have fewer of their axes
    min_row_elements_per_lane: int = 64  # of reduced rows, if lanes are eight and rows `min_crossed_rows`
    max_mixed_row_elements: int = 128  # of three axes, operands along different ones: longer ones overlap
    max_cached_points: int = 1 << 21  # fewer float64 a third-level cache has (L3)
    aligned_total_min_elements: int = 1 << 13  # of a sum over all axes
    min_crossed_rows_and_axis: int = 5  # that lanes go across, with another axis
    min_crossed_vector_rows: int = 8  # alone
    min_crossed_rows: int = 16  # alone, of rows that are no vector
    min_merged_rows: int = 4  # in one block, with another axis along which lanes are no vector
    max_joined_columns: int = 9  # that are joined and stored together (registers)
    min_rows_of_few_columns: int = 512  # of matrices, from which these have kernels of their own
    min_vector_bytes: int = 16  # of strided operands
    small_stride_elements: int = 2  # of operands with such steps
    expensive_row_elements: int = 64  # of expensive functions, of which rows take a whole vector too many
    expensive_row_bytes: int = 192  # of rows of these that go back
    expensive_vector_bytes: int = 128  # of complete vectors that take less than lanes across
    unbounded_length: int = 1 << 16  # a length that nothing bounds is taken for less (`variants.predict`)


@record
class StridedTuning:
    """Operands that kernels take with the strides they have (`llvm.strided_access`)."""

    max_stride_elements: int = 4  # (corners)
    masked_store_min_bytes: int = 4  # of an element, of which stores leave lanes out; 1 with AVX-512


@record
class AxisTuning:
    """Collapsing and unrolling of axes, and updates in place (`bufferise`); by corners."""

    unroll_max_elements: int = 9  # of all these axes
    unroll_max_values: int = 48  # computed for them (registers)
    unroll_max_shuffled: int = 2  # of interleaved outputs, if operands are interleaved, too
    short_row_elements: int = 16  # of known rows that have other forms where fewer axes are left
    short_row_max_axes: int = 3
    overlapping_min_bytes: int = 1 << 14  # of what is computed in the place of a shifted operand
    overlapping_min_row_bytes: int = 384


@record
class CallTuning:
    """What a program does around its launches (`bufferise.function`, `bufferise.library_calls`, `host`)."""

    release_gil_ps: int = 10_000_000  # of estimated work
    keep_gil_ps: int = (
        4_000_000_000  # for which it is taken back to update in place; longer than the GIL switch interval
    )
    watch_min_length: int = 256  # of what a call is given, where its work is known only when it runs
    scan_task_elements: int = 1 << 15
    sort_task_elements: int = 1 << 13
    search_task_elements: int = 1 << 11
    lines_together: int = 64  # that functions of the library process together
    scratch_bytes: int = 1 << 27  # of all threads
    gemm_epilogue_min_bytes: int = 1 << 18  # of a result: what follows finds a smaller one in the cache (L2)
    gemm_short_row_bytes: int = 1 << 10  # of a row that panels do not part
    host_block_lines: int = 500  # (compile)
    slots_cleared_singly: int = 8
    usual_stack_bytes: int = 3 << 12  # that every thread has left
    common_plan_max_values: int = 8  # of a group that the library may have a plan of


@record
class PassTuning:
    """Passes over the tensor IR."""

    fold_max_elements: int = 16384  # of constants (compile)
    add_sums_min_terms: int = 9  # sums that are added to each other; a kernel has a state for each (peers)
    merge_max_partners: int = 4  # reductions over some axes that one of everything is tried with (compile)
    merge_max_values: int = 200  # (compile)
    merge_max_values_between: int = 1000  # (compile)
    overlap_max_margin_elements: int = 8  # that slices leave out along an axis (corners)
    overlap_max_terms: int = 64  # (compile)
    partial_sort_max_readers: int = 8  # slices of one order (corners)
    partial_sort_max_places: int = 16
    disjoint_max_slices: int = 16  # that were written before (compile)
    peel_max_operations: int = 48  # of a result: each of its pieces has its own (compile)
    unmerge_max_axis_elements: int = 16  # along which something is reduced (corners)
    joined_max_elements: int = 7  # of a reduction: NumPy adds so few in order
    pool_short_row_elements: int = 8  # (corners)
    pool_max_elements: int = 16
    pool_max_strided_elements: int = 4
    pool_max_operations: int = 4  # looked through for what pools are made of (compile)
    loop_max_facts: int = 16  # of a number of rounds, from what it was computed by (compile)
    unroll_max_rounds: int = 4  # that are written out; of 8, values take longer (recurrences of 1,000 and 1e5)
    unroll_max_operations: int = 64  # of all these rounds (compile)
    kept_max_rows: int = 64  # of what a loop stacks, that are kept alone where nothing else is read (memory)
    kept_min_step: int = 4  # rounds from row to row, if more rows are read (memory)
    widen_max_growth: int = 4  # times the bytes that a loop reads and gives, for what is stored instead of it (L2)
    structure_max_axes: int = 4  # of a tensor whose symmetries are looked for (compile)
    structure_max_terms: int = 8  # of a sum that is compared with its transpose (compile)
    structure_max_products: int = 3  # of triangular matrices, that are solved one behind the other (compile)
    hoist_max_growth: int = 16  # times the bytes of the sequence, for what is computed of all its elements (L2)


@record
class RoundTuning:
    """Kernels of many rounds of a loop (`codegen.rounds`)."""

    vector_registers: int = 2  # that a value of all lanes takes (registers)
    reduced_registers: int = 4  # where what lanes have is combined: all of them have to fit (registers)
    max_chunks: int = 8  # of such vectors; each does all rounds, and its operations wait for each other
    chain_operations: int = 20  # of all chunks, one behind the other, that take as long as a launch
    max_positions: int = 24  # in which carried addresses may stand to each other (compile)
    scalar_rounds: int = 1 << 14  # of a call, behind which signals are looked for
    vector_rounds: int = 1 << 11
    inline_vector_bytes: int = 64  # from which on parts of vectors are loaded and stored as fast as whole ones
    inline_length: int = 16  # of axes of what is computed in memory; a multiple of the lanes
    inline_narrow_values: int = 16  # of a group that has a text for half a vector, too
    inline_rows: int = 8  # of matrices that are factorised or solved there
    inline_lu_rows: int = 4  # by LU factors, whose exchanges make longer ones slower than the library's
    inline_block: int = 4  # rows of a product that are computed at once, a power of two
    inline_rounds: int = 1 << 8  # of a call on memory, behind which signals are looked for


@record
class GpuTuning:
    """Kernels of devices (`codegen.gpu`), as far as thresholds are handed down there."""

    transpose_min_elements: int = 1 << 18  # of an operand that is transposed before its launch
    transpose_min_axis_elements: int = 32  # along both axes


@record
class Tuning:
    """All of them, of one machine; `off`, `forced`: names of `compiler.optimisations`.

    The comment behind a field says by what it was chosen:

        L1, L2       what such a cache has room for, next to what else is read there
        registers    as many as the vector unit has
        compile      bounds the compiler's time, which would grow faster than the program
        accuracy     bounds errors of sums
        corners, peers, ...
                     the suite of `benchmarks/` that it was measured by, on AMD's Zen 5 and Intel's Sapphire Rapids
    """

    machine: Machine
    caches: CacheTuning
    costs: CostTuning = CostTuning()
    fusion: FusionTuning = FusionTuning()
    blocking: BlockingTuning = BlockingTuning()
    schedule: ScheduleTuning = ScheduleTuning()
    kernel: KernelTuning = KernelTuning()
    prefetch: PrefetchTuning = PrefetchTuning()
    stencil: StencilTuning = StencilTuning()
    streaming: StreamingTuning = StreamingTuning()
    loops: LoopTuning = LoopTuning()
    variants: VariantTuning = VariantTuning()
    strided: StridedTuning = StridedTuning()
    axes: AxisTuning = AxisTuning()
    calls: CallTuning = CallTuning()
    passes: PassTuning = PassTuning()
    rounds: RoundTuning = RoundTuning()
    gpu: GpuTuning = GpuTuning()
    tasks: TaskTuning = TaskTuning()
    memory: MemoryTuning = MemoryTuning()
    pack: PackTuning = PackTuning()
    short_rows: ShortRowTuning = ShortRowTuning()
    gemm: GemmTuning = GemmTuning()
    conv: ConvTuning = ConvTuning()
    matrices: MatrixTuning = MatrixTuning()
    small_matrices: SmallMatrixTuning = SmallMatrixTuning()
    sort: SortTuning = SortTuning()
    arrays: ArrayTuning = ArrayTuning()
    pool: PoolTuning = PoolTuning()
    off: frozenset[str] = frozenset()
    forced: frozenset[str] = frozenset()

    @staticmethod
    def of(machine: Machine) -> Tuning:
        return _of(machine)

    @staticmethod
    def here() -> Tuning:
        """Of the processor that `config.cpu` names."""
        return _of(host())

    def allows(self, name: str) -> bool:
        """May the optimisation be applied where its condition holds?"""
        return name not in self.off

    def forces(self, name: str) -> bool:
        """Is it to be applied wherever results stay right, though its condition may say that it does not pay?"""
        return name in self.forced

    def without(self, *names: str) -> Tuning:
        return replace(self, off=self.off | {*names}, forced=self.forced - {*names})

    def forcing(self, *names: str) -> Tuning:
        return replace(self, off=self.off - {*names}, forced=self.forced | {*names})

    def key(self) -> str:
        """What differs from this machine's usual tuning, as JSON: a part of cache keys; "" for the usual one."""
        usual = Tuning.here()
        changes = {} if self is usual else _changes(self, usual)
        return json.dumps(changes, sort_keys=True) if changes else ""

    @staticmethod
    def from_key(key: str) -> Tuning:
        """The tuning of such a key."""
        usual = Tuning.here()
        return _changed(usual, json.loads(key)) if key else usual


@cache
def _of(machine: Machine) -> Tuning:
    return Tuning(machine, CacheTuning.of(machine))


def _changes(new: Any, old: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for f in fields(new):
        x, y = getattr(new, f.name), getattr(old, f.name)
        if x != y:
            found[f.name] = _changes(x, y) if is_dataclass(x) else sorted(x) if isinstance(x, frozenset) else x
    return found


def _changed(old: Record, changes: Mapping[str, Any]) -> Record:
    given: dict[str, Any] = {}
    for name, x in changes.items():
        nested = isinstance(x, Mapping)
        given[name] = _changed(getattr(old, name), x) if nested else frozenset(x) if isinstance(x, list) else x
    return replace(old, **given)  # type: ignore[type-var]
