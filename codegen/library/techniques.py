"""The techniques of the library: each with a name, by which `Tuning.off` and `Tuning.forced` switch it.

Contract  rows of `Technique`; `compiler.optimisations` lists them, writers check `tuning.allows(name)`.
When      a library object is written: an object without a technique has another cache key (`Tuning.key`).
Why       what has no switch has no price.  Without any of them results are right; `changes` says what may differ.
"""

from __future__ import annotations

from tensordsl.base.records import record

ORDER = "the order of additions"


@record
class Technique:
    """One entry of the catalogue.

    objects: first words of names of the objects that it is in.  stubs: functions of the loops that answer "not handled"
    where it is off.  changes: what results may differ in without it, "" if in nothing.  is_forcible: it can be used
    wherever that is right, whether it pays or not."""

    name: str
    what: str
    applies_when: str
    why: str
    file: str
    objects: tuple[str, ...]
    tests: tuple[str, ...] = ()
    stubs: tuple[str, ...] = ()
    changes: str = ""
    is_forcible: bool = False


def _loops(
    name: str, file: str, what: str, applies_when: str, why: str, tests: str, stubs: str = "", **more: object
) -> Technique:
    path = f"codegen/library/loops/{file}.py"
    return Technique(name, what, applies_when, why, path, ("nest",), tuple(tests.split()), tuple(stubs.split()), **more)  # type: ignore[arg-type]


TECHNIQUES = (
    _loops(
        "contiguous_calls", "contiguous",
        "small launches call their kernels at once, without an interpreter's context",
        "all operands are contiguous, and there are few points",
        "setting a context up takes longer than the work", "test_loop_nests",
    ),
    _loops(
        "small_transposes", "small_transposed",
        "small launches with lanes across rows are transposed to scratch and run there without a context",
        "two axes, and all operands fit the first-level cache",
        "setting a context up takes longer than the work", "test_few_short_rows", "small_transposed",
    ),
    _loops(
        "collapse_short_rows", "short_rows/collapse",
        "short rows that lie one behind the other are one long row",
        "one kernel; operands are contiguous over all rows, or the same in each",
        "a row shorter than a vector leaves lanes empty", "test_loop_nests test_pack_short_rows", "collapsed_rows",
    ),
    _loops(
        "overlap_short_rows", "short_rows/overlap",
        "rows shorter than a vector are computed a whole vector long, each over the end of the one before",
        "results lie one row behind the other, and none is an operand",
        "whole vectors without a copy", "test_loop_nests test_pack_short_rows", "overlapping_rows",
    ),
    _loops(
        "pack_short_rows", "short_rows/pack",
        "blocks of short rows are copied to scratch, computed as one long row, and copied back",
        "one kernel, rows below four vectors with gaps, permuted or reversed",
        "whole vectors, and one call for many rows", "test_pack_short_rows", "packed_short_rows",
    ),
    _loops(
        "reverse_short_rows", "short_rows/reverse",
        "reversed short rows, or their elements, are copied by one shuffle a vector",
        "rows of at most half a vector one behind the other, and the machine shuffles bytes",
        "one instruction in place of a load and a store an element", "test_pack_short_rows", "are_reversed",
    ),
    _loops(
        "joined_reductions", "short_rows/reduce_joined",
        "short rows of a reduction over several axes are copied together and added up as one",
        "the kernel adds to one state in all rows, which are shorter than a vector",
        "one partial vector for all rows", "test_pack_short_rows test_parallel_reductions", "joined_rows",
        changes=ORDER,
    ),
    _loops(
        "shared_row_blocks", "short_rows/row_blocks",
        "rows that a loop around them reads again are copied, a block at a time, to cache lines",
        "many positions of the loop share rows of 64 to 2,048 bytes",
        "a block stays in the first-level cache", "test_row_blocks", "shared_row_blocks",
    ),
    _loops(
        "compact_reductions", "pack/reductions",
        "strided operands of reductions are copied to scratch once for all who read them",
        "an input is strided along the lanes, and its rows are short or read several times",
        "the interpreter packs a row once for each reader, with a call a row",
        "test_loop_nests test_loop_nests", "with_copied_operands copied_block", changes=ORDER,
    ),
    _loops(
        "pack_rows", "pack/rows",
        "strided operands of a single long row are packed block by block",
        "one kernel over one axis, and no output is an operand",
        "blocks stay in the cache while memory fetches the next", "test_strided_access test_deinterleave", "packed_row",
    ),
    _loops(
        "deinterleave", "pack/deinterleave",
        "up to four operands that are columns of one array are packed in one pass",
        "they have one stride, begin within four elements, and have 4 or 8 bytes",
        "the rows' memory is read once", "test_deinterleave", "deinterleave",
    ),
    _loops(
        "transpose_tiles", "pack/transpose_tiles",
        "operands that are contiguous along another axis are transposed to scratch, a tile at a time",
        "one kernel, and some operand is contiguous along another axis than the lanes'",
        "each cache line is read once", "test_loop_nests", "transposed_axis",
    ),
    _loops(
        "transpose_blocks", "pack/transpose_blocks",
        "groups with lanes across short rows are transposed to scratch, a block of lanes at a time",
        "some operand is not contiguous along the lanes, and all of a row fits",
        "all passes find in scratch, as whole vectors, what the first has read", "test_lanes_across_rows",
        "transposed_block in_transposed_blocks", changes=ORDER,
    ),
    _loops(
        "transpose_in_registers", "pack/transpose_registers",
        "transposition by 8 x 8 squares of shuffled vectors", "elements of 1 to 8 bytes",
        "each cache line is loaded and stored once, as whole vectors", "test_loop_nests", "transpose",
    ),
    _loops(
        "row_batches", "row_batches",
        "kernels are called for a few rows at a time with nothing between the calls",
        "kernels take whole rows, read and written in place",
        "the interpreter's dispatch costs as much as a short row", "test_loop_nests", "fits_row_batches",
    ),
    _loops(
        "align_broadcast", "align_broadcast",
        "what all rows of a launch share is copied to the start of a cache line",
        "a contiguous operand has stride 0 along the rows, and enough rows read it",
        "a vector that straddles two lines takes two loads", "test_loop_nests", is_forcible=True,
    ),
    _loops(
        "traversal_order", "traversal_order",
        "passes over large operands alternate direction",
        "operands exceed the core's caches, and the launch reduces or does little per byte",
        "the end of one pass is still cached for the next", "test_traversal_order", is_forcible=True,
    ),
    _loops(
        "streaming_results", "streaming_stores",
        "results are written by non-temporal stores",
        "results, or all operands, exceed the caches, and results are contiguous",
        "memory need not be read before it is written", "test_streaming_stores", "is_streamable", is_forcible=True,
    ),
    _loops(
        "take_along_axis", "take",
        "what stands at indices is copied in short runs, a few columns down a block of rows at a time",
        "runs of at most 128 bytes, and enough rows",
        "indices are checked once, and the block of rows stays in the cache", "test_take", "take",
    ),
    _loops(
        "split_rows", "parallel_rows",
        "passes along many rows of few columns are cut into tasks of rows",
        "there are too few columns for tasks of these", "threads share the rows", "test_parallel_rows",
        "rows_in_tasks", changes=ORDER,
    ),
    Technique(
        "prefetch_blocks",
        "packing, transposing, scattering and matrix products prefetch the blocks that come",
        "processors that do not follow so many short streams; operands that no cache keeps",
        "memory answers while the core copies", "codegen/library/loops/pack/strided.py",
        ("nest", "gemm", "scatter"), ("test_strided_access", "test_gemm"),
    ),
    Technique(
        "own_gemm", "matrix products by our packed panels",
        "the machine has 32 registers of 64 bytes, and the BLAS has not many threads more than we",
        "no slower than a BLAS on one thread, and nothing waits for its threads",
        "codegen/library/gemm/macro_kernel.py", ("gemm",), ("test_gemm", "test_batched"), changes=ORDER,
    ),
    Technique(
        "batched_gemm", "small products keep the rows of B in registers, one loop over all products",
        "k of at most 16, and small products or one vector of columns",
        "a call for each product costs more than the product", "codegen/library/gemm/batched.py", ("gemm",),
        ("test_batched",), changes=ORDER,
    ),
    Technique(
        "small_gemm", "small products by tiles that pack nothing", "m, n or k of at most 8",
        "packing, or a call of the BLAS, costs more than the product", "codegen/library/gemm/tiles.py", ("gemm",),
        ("test_gemm",), changes=ORDER,
    ),
    Technique(
        "thin_gemm", "few columns by dot products, or as rows of the transposed product",
        "columns fill no panel, and k is long",
        "panels would leave most lanes empty", "codegen/library/gemm/narrow.py", ("gemm",), ("test_gemm",),
        changes=ORDER,
    ),
    Technique(
        "few_row_gemm", "two or three rows read B as it stands", "m of 2 or 3, and rows of B of 512 bytes and more",
        "B is read once, and not packed", "codegen/library/gemm/few_rows.py", ("gemm",), ("test_gemm",), changes=ORDER,
    ),
    Technique(
        "syrk", "of a matrix times its own transpose half of the sums are computed, the others copied",
        "C is not added to; from 24 rows and 12 terms on", "half of the multiplications",
        "codegen/library/gemm/syrk.py", ("gemm",), ("test_gemm",), changes=ORDER,
    ),
    Technique(
        "small_matrices",
        "factors of small matrices, and systems with them: in registers, many of a stack in lanes, rows as vectors",
        "at most 32 rows", "a call of LAPACK takes longer than the work", "codegen/library/linalg/small.py",
        ("cholesky", "choleskyvjp", "triangular", "lufactor", "lusolve"), ("test_small_matrices",), changes="rounding",
    ),
    Technique(
        "mirrored_cholesky", "larger matrices in C order are factored as their transposes",
        "48 rows and more, and parts of vectors are loaded and stored as fast as complete ones",
        "LAPACK factors the lower triangle of columns sooner than the upper one", "codegen/library/linalg/mirror.py",
        ("cholesky",), ("test_mirrored_cholesky",), changes="rounding",
    ),
    Technique(
        "vector_quicksort", "quicksort by whole vectors", "AVX-512, or AVX2 for keys alone",
        "a vector of keys is compared at once, without branches that depend on data",
        "codegen/library/sort/quicksort.py", ("sort", "argsort", "searchsorted"), ("test_quicksort",),
    ),
    Technique(
        "parallel_quicksort", "threads sort buckets of a long line", "65,536 keys and more, and a pool of threads",
        "threads share the line", "codegen/library/sort/parallel_quicksort.py", ("sort", "argsort", "searchsorted"),
        ("test_quicksort", "test_keys_in_parts"),
    ),
    Technique(
        "counting_argsort", "positions of many keys of one or two bytes are found by counting these",
        "256 keys of a byte, 1,000 of two bytes", "two walks over the line, and no comparison",
        "codegen/library/sort/driver.py", ("sort", "argsort", "searchsorted"), ("test_scan_sort_nonzero",),
    ),
    Technique(
        "short_lines_in_registers", "short lines are sorted in registers, from where they stand to where they go",
        "lines of at most 128 numbers, and masked loads", "nothing is copied to scratch",
        "codegen/library/sort/short_lines.py", ("sort", "argsort", "searchsorted"), ("test_scan_sort_nonzero",),
    ),
    Technique(
        "adjacent_line_networks", "adjacent short lines are sorted by one network, a lane a line",
        "lines of at most 32 numbers side by side in memory", "every exchange is a minimum and a maximum of vectors",
        "codegen/library/sort/adjacent_lines.py", ("sort", "argsort", "searchsorted"), ("test_scan_sort_nonzero",),
    ),
    Technique(
        "partial_selection", "a line is narrowed to what may stand at the wanted places before it is sorted",
        "few places are wanted of 512 numbers and more", "one pass in place of a sort",
        "codegen/library/sort/select.py", ("sort", "argsort", "searchsorted"), ("test_argselect",),
    ),
    Technique(
        "histogram_scatter", "one number added at positions of one byte is added as often as each occurs",
        "2,048 positions and more, and sums that are exact", "equal neighbours do not wait for each other",
        "codegen/library/arrays/histogram.py", ("scatter",), ("test_fuse_scatters",),
    ),
    Technique(
        "transposed_scans", "eight lines of adjacent elements are transposed in registers and added up together",
        "scans along contiguous lines of numbers as wide as their sums", "chains of additions run in lanes",
        "codegen/library/arrays/scan.py", ("cumsum", "cumprod"), ("test_scan_sort_nonzero",),
    ),
    Technique(
        "compressed_positions", "positions of true elements are stored by compressed vectors",
        "AVX-512, or AVX2 by a table, and many true elements", "eight positions a store",
        "codegen/library/arrays/nonzero.py", ("positions",), ("test_scan_sort_nonzero",),
    ),
)  # fmt: skip
