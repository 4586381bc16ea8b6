"""Layouts and names that emitted code, the run-time library and Python share: a leaf table of constants.

No emitted object has an external symbol: every address comes from ctx.rt or ctx.kern, so objects are relocatable, can
be cached on disk, and a test can replace helpers by failing ones in a copy of ctx.rt.
"""

from __future__ import annotations

from struct import Struct

# Who calls whom:
#
#     f(x, y)                            CPython: vectorcall of the heap type `Function`
#       -> stub(self, args, n, kw)       one loop for every arity: checks the arguments against ctx.desc, fills a FRAME;
#                                        else PyObject_Vectorcall(self.slow, args): Python normalises and calls
#                                        the strict twin (same ctx, whose slow path raises, so nothing can loop)
#         -> ctx.program(ctx, frame)     one per function, codegen opt 0; knows nothing of NumPy
#              -> ctx.rt[HELPER](...)    the helpers below
#              -> ctx.kern[i]            kernels `void k(ptr P, i64 n, i64 live, i64 rows)`, reached through `run_nest`
#         <- the result object, or NULL:
#              frame.kind == ERR_PYTHON  a Python exception is set already
#              else                      on_error(address of frame, function, *args) raises (or waits and calls again)
#
# Rules for the emitter of programs
#     `ptr @program(ptr ctx, ptr frame)`; the objects it holds stand in `objs`, n_slots pointers that it zeroes first.
#     A helper that may fail takes (ctx, frame, site, ...) and has filled the frame's error record when it fails: branch
#     to the one fail block, which returns `fail(ctx, frame, objs, n_slots)`.  Several allocations may precede the
#     program's test of the last.  For its own failures (checks, overflow, index) the program has `judge` fill
#     the record.  `fail` and `release` take the GIL back, unlock, drop
#     objs, give arenas back.  A success ends with `release`, after it has taken the result out of objs (store null).
#     Everything the program calls between `save_thread` and `restore_thread` must run without the GIL: kernels, gemm,
#     memcpy, memset, take_arena, free_arena, poll, host_call (these two take the GIL themselves).
#     A program with host calls and shared variables pins first; `poll` does nothing for a program with shared
#     variables that is not pinned (a signal handler runs arbitrary Python code, which may replace storage).

ABI_VERSION = 2  # of these layouts

HEAD = object.__basicsize__  # a PyObject's head: 16 on a normal build

# NumPy dtype names; the index is the code in host-call descriptors.
DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
    "float64", "complex64", "complex128",
)  # fmt: skip
DTYPE_CODE = {name: code for code, name in enumerate(DTYPES)}
DTYPE_DESCR, DTYPE_BYTES, DTYPE_SIZE = 0, 8, 16  # words of a dtype in the run-time table's `dtypes`

# -- Function: the heap type's instance.  CTX and SLOW are borrowed from OWNER, the one strong reference --------------
FN_VECTORCALL, FN_DICT, FN_WEAK, FN_CTX, FN_SLOW, FN_OWNER, FN_SIZE = (HEAD + 8 * i for i in range(7))

# -- PyObject, PyArrayObject, PyListObject (the run time checks NumPy's at import) ------------------------------------
OB_REFCNT, OB_TYPE = HEAD - 16, HEAD - 8  # i32 at OB_REFCNT: negative means immortal
ND_DATA, ND_NDIM, ND_DIMS, ND_STRIDES, ND_BASE, ND_DESCR, ND_FLAGS, ND_WEAK = (HEAD + 8 * i for i in range(8))
ND_HANDLER = HEAD + 72  # of the data's memory: a capsule
C_CONTIGUOUS, OWNDATA, ALIGNED, WRITEABLE = 0x1, 0x4, 0x100, 0x400
SCALAR_VALUE = HEAD  # the value in a float object and in NumPy's numeric scalars
LIST_ITEMS = HEAD + 8  # PyObject** of a list
SEQUENCE_LENGTH, TUPLE_ITEMS = HEAD, HEAD + 8  # of a list or tuple; a tuple's PyObject* stand in itself

# -- a source: a frame's argument and the first three words of a cell -------------------------------------------------
SRC_DATA, SRC_DIMS, SRC_STRIDES, SRC_SIZE = 0, 8, 16, 24  # ptr; ptr to i64 extents; ptr to i64 byte strides
# Arguments: any strides (0 and negative too), aligned.  Shared values: C-contiguous.  0-d: no dims, no strides.

# -- context: one per function, 8-byte slots --------------------------------------------------------------------------
CTX_RT = 0  # the run-time table
CTX_DESC = 8  # argument descriptors
CTX_KERN = 16  # of each plan of meta["plans"] `PLAN_SIZE` bytes; addresses of constants; then words of `CHOICES` bits:
# which plans of meta["late"] are absent
PLAN_KERNELS, PLAN_DESCRIPTOR, PLAN_SIZE = 0, 8, 16  # ptr to addresses of kernels; ptr to words
CTX_PROGRAM = 24
CTX_CELLS = 32  # ptr to pointers to cells
CTX_OUTS = 40  # output descriptors
CTX_ON_ERROR = 48  # Python callable, borrowed
CTX_HOST_ENTRY = 56  # Python callable for the rest of host calls, borrowed; or NULL
CTX_N_ARGS = 64
CTX_N_SHARED = 72
CTX_INJECT = 80  # number of the may-fail step that must fail; read only by programs emitted for fault tests; -1: none
CTX_STACK = 88  # bytes of the stack that a call needs; 0: few
CTX_HOSTS = 96  # ptr to the callables of host calls
CTX_SIZE = 104
CHOICES = 62  # bits of a word that names plans
# among the numbers of small shared variables: rows that only further steps read (`fusion.batch_blocking`)
HIDDEN_ROWS = -1
USUAL_LENGTHS = -2  # and: no empty axis leaves indices unread (`launches`), no length of 1 stretches (`extents`)
CACHED = 3 << 19  # bytes of a matrix that the second-level cache still has when it is read a second time

# -- argument and output descriptors ----------------------------------------------------------------------------------
DESC_DESCR, DESC_NDIM, DESC_FLAGS, DESC_STATIC, DESC_SCALAR, DESC_PYTHON, DESC_INT = 0, 8, 12, 16, 24, 32, 40
DESC_DEVICE, DESC_SIZE = 48, 56
# STATIC: ptr to i64[ndim], -1 = any extent, or NULL.  SCALAR: NumPy's scalar type of a 0-d argument, PYTHON: `float`
# for a 0-d float64 argument; else NULL.  INT: what becomes of a Python int; the value then stands in the source itself.
INT_REFUSE, INT_KEEP, INT_FLOAT = 0, 1, 2  # to Python; int64; float64 if |i| <= 2^53
# DEVICE: the type of arrays on a device, for functions of devices.  Such a source's DATA is the object, its DIMS are
# the context's address, and its DATA is not the address of its DIMS (where a Python int would stand).
OUT_DESCR, OUT_NDIM, OUT_ITEMSIZE, OUT_SIZE = 0, 8, 16, 24

# -- cell: the storage of one shared variable.  Owns one reference to `array` and one to `spare` ----------------------
CELL_ARRAY, CELL_LOCK, CELL_SPARE, CELL_ITEMSIZE, CELL_NEXT, CELL_SIZE = 24, 32, 40, 48, 56, 64  # a source precedes
# LOCK: identifier of the thread that has pinned the cell, 0 = free; written only under the GIL.  NEXT: of the one that
# waits for it and comes next, or 0.
# SPARE: the array that the last swap replaced; the next update writes into it if nobody else sees it.
# `array` is the cell's own: nobody else ever has this object, whose type, lengths and address are therefore what they
# were when it came in.  Python gets views, each with a holder as base.
SPARE_LIMIT = 1 << 28  # bytes; larger arrays are dropped instead of kept as spare

# -- holder: the base of a view of a cell's array.  Owns one reference to it, so that while the view lives, updates go
# to other storage; gives its memory (bytes) as a buffer, and not the array itself ------------------------------------
HOLDER_ARRAY, HOLDER_RT, HOLDER_BYTES, HOLDER_SIZE = (HEAD + 8 * i for i in range(4))

# Results of `cell_set` besides 0 and the thread that has locked the cell.
SET_REFUSED, SET_FAILED = -1, -2  # an array of another kind; an exception is set
# What `pin` does then: nothing, release the GIL, or have the call watched, which keeps it.
PIN_ALONE, PIN_RELEASE, PIN_WATCH = range(3)

# How `prepare` looks for storage: the variable's own if only its cell holds it; never its own; its own if only its
# cell and this call's pin hold it.
PREPARE_IN_PLACE, PREPARE_FRESH, PREPARE_LATE = range(3)

# -- frame: on the stub's stack, one per call -------------------------------------------------------------------------
FR_SITE, FR_KIND, FR_A, FR_B, RECORD_SIZE = 0, 8, 16, 24, 32  # the error record: i64 each
FR_ARENA = 40  # newest block of this call
FR_TSTATE = 48  # the thread state while the GIL is released, else NULL
FR_PINNED = 56  # 1: this call has locked its cells
FR_POLLED = 64  # cycle counter at the last look for signals
FR_JUMP = 72  # of a pinned call: what `longjmp` takes to end it
FR_WATCHED = 80  # of a pinned call: 1 while the main thread's watch is this frame
FR_DEPTH = 88  # how many loops a failed call was in
FR_OBJECTS = 96  # ptr to the arguments, which a pinned call holds references to; NULL: they are no Python objects
FR_ROUNDS, MAX_NAMED_LOOPS = 104, 16  # the round that each of them was in, the outermost first
FR_ARGS = FR_ROUNDS + 8 * MAX_NAMED_LOOPS  # one source per argument
JUMP_SIZE = 512  # bytes that hold a jump of every C library

# -- a watch: what a thread has that may be stopped (`library.signals`).  Of the main thread the frame of the call;
# of a thread of the pool, under a key of its own, this record.
WATCH_POOL, WATCH_DONE, WATCH_ARENA, WATCH_JUMP = 0, 8, 16, 24  # chunks it has begun and not reported; blocks it holds
WATCH_SIZE = WATCH_JUMP + JUMP_SIZE

# The kinds; 0: nothing has failed.  What gives storage, or NULL, gives NULL once something has.
ERR_PYTHON, ERR_CHECK, ERR_OVERFLOW, ERR_MEMORY, ERR_INJECTED, ERR_BUSY, ERR_INDEX, ERR_INTERNAL = range(1, 9)
ERR_ABSENT, ERR_UNRECORDED, ERR_DEVICE, ERR_DEOPTIMISE, ERR_FORKED = range(9, 14)
ERR_ARGUMENT, ERR_ROOM, ERR_STACK, ERR_DROPPED = range(14, 18)  # of calls from C alone, see `CC_TEXTS`
# ERR_BUSY is no error: on_error waits for the other call and calls again.  ERR_INDEX: run_nest saw a bad index.
# ERR_ABSENT is none either: on_error fills in kernels.  A: which, of choice k bit 2k or 2k + 1; B: what k counts from.
# ERR_OUTGROWN is none: on_error has the function run a program that was made for any lengths, and calls it.
# ERR_UNRECORDED: no recording of a device's function fits, Python makes the call.  ERR_DEVICE: A: what the driver
# said, B: the number of its function (`DRIVER_CALLS`).  ERR_FORKED: this is a child of a signal's handler, without the
# threads that had parts of the call.

COMMIT = Struct("<II")  # an update of a variable: its number, the slot

# -- a condition of a program: site, what has to be true of its operands (one of the bits), the kind of its failure; of
# each operand what it is, and two bytes: its number among the given values; an argument's or a variable's number and
# the axis of an extent; itself
CONDITION = Struct("<I8B")
CONDITION_HOLDS, CONDITION_KIND, CONDITION_A, CONDITION_B = 4, 5, 6, 9
HOLDS = {"lt": 1, "eq": 2, "le": 3, "gt": 4, "ne": 5, "ge": 6, "product": 8, "zero": 16}  # product: that fits; zero: a
OF_VALUE, OF_ARGUMENT, OF_VARIABLE, OF_NUMBER = range(4)

# -- a device's function: its context's KERN is a table, its PROGRAM the library's `replay` ----------------------------
DRIVER_CALLS = ("cuCtxPushCurrent_v2", "cuGraphLaunch", "cuStreamSynchronize", "cuCtxPopCurrent_v2")
# What is borrowed: the lock's methods, singletons, types.  TB_LOOK: ptr to a word that says that Python has to look;
# TB_EQUAL, TB_CLEAR: functions of CPython; TB_CALLS: the driver's; TB_PLACE, TB_WEAK: offsets in a device's array,
# TB_ARRAY to TB_LEFT: in a variable's storage; TB_LIST: 1 if outputs are a list; TB_RECORDS: ptrs to recordings.
(
    TB_ACQUIRE, TB_RELEASE, TB_FALSE, TB_TRUE, TB_NONE, TB_ZERO, TB_LOOK, TB_EQUAL, TB_CLEAR, TB_CALLS, TB_CONTEXT,
    TB_STREAM, TB_PLACE, TB_WEAK, TB_ARRAY, TB_SPARE, TB_MIRROR, TB_LOCK, TB_SHOWN, TB_LEFT, TB_LIST, TB_N_OUTS,
    TB_COUNT, TB_RECORDS,
) = (8 * i for i in (*range(10), *range(13, 27)))  # fmt: skip
RECORDINGS = 12  # of one function
TB_SIZE = TB_RECORDS + 8 * RECORDINGS
# A recording: the graph; ptrs to arguments, variables, updates, outputs, words; numbers of variables, updates, words.
RC_GRAPH, RC_ARGS, RC_STATES, RC_UPDATES, RC_OUTS, RC_WORDS, RC_LIMITS, RC_N_STATES, RC_N_UPDATES, RC_N_WORDS = (
    8 * i for i in range(10)
)
RC_SIZE = 80
AR_PLACE, AR_DIMS, AR_NDIM, AR_ITEM, AR_ROOM, AR_BYTES, AR_SIZE = (
    8 * i for i in range(7)
)  # PLACE: NULL for the host's
ST_STORAGE, ST_ARRAY, ST_SPARE, ST_SIZE = 0, 8, 16, 24
UP_STORAGE, UP_ARRAY, UP_SIZE = 0, 8, 16
OU_OBJECT, OU_DIMS, OU_ROOM, OU_BYTES, OU_SIZE = 0, 8, 16, 24, 32  # OBJECT: what stays on the device, else NULL
LM_LEAST, LM_MOST, LM_SIZE = 0, 8, 16  # of a word

# -- calls from C (`library.python.c_calls`): a context of its own, and behind it what such a call needs ---------------
# ptr to the texts of the sites, and how many; number of results; strides that arguments have; ptr to bytes of elements
CC_TEXTS, CC_N_TEXTS, CC_N_OUTS, CC_N_AXES, CC_ITEMS, CC_SIZE = (CTX_SIZE + 8 * i for i in range(6))
# What the caller gives for a result: a buffer, where its lengths are written or NULL, bytes of the buffer.
RES_DATA, RES_DIMS, RES_BYTES, RES_SIZE = 0, 8, 16, 24
# Behind the frame's arguments: ptr to the results; what stands for the list of them; its items; strides.
CF_RESULTS, CF_LIST = 0, 8
CF_ITEMS = CF_LIST + LIST_ITEMS + 8
# Of ERR_ARGUMENT A is the argument, B the axis whose length or stride is wrong, or -1: its address.  Of ERR_ROOM A is
# the result, B the bytes that it has.  ERR_STACK: the thread's stack is too small.
# ERR_DROPPED: the owner of the handle is gone.
BAD_LENGTH, FAILED, BAD_GRADIENT, BAD_VALUE = -1, 1, 3, 4  # statuses of nutpie: a negative one ends the sampling
C_HELPERS = (  # of the run-time table, that are others here
    "new_out", "new_like", "new_list", "pin", "poll", "save_thread", "restore_thread", "release", "fail", "unwatch",
)  # fmt: skip
C_CALLS = ("c_call", "c_logp", "c_expand", "c_of_vector", "c_of_number", "c_filter", "c_map", "c_text", "c_dropped")

# -- environment of a loop over blocks (`codegen.host.blocks`): words -----------------------------------------------
ENV_FAILED, ENV_SLOTS, ENV_FRAME, ENV_CTX, ENV_GIVEN = range(0, 40, 8)  # has a part failed; bits of slots in use

# -- host-call operand: C-contiguous storage of a dtype (code); DATA is NULL of a result that nobody wants -------------
HOST_DATA, HOST_DTYPE, HOST_NDIM, HOST_DIMS, HOST_KEPT, HOST_SIZE = 0, 8, 16, 24, 32, 40
# KEPT: 0, or HOST_IS_KEPT of a result whose array is to stand at DATA, and bits of the axes whose DIMS say where the
# length is written; those of others say which it must be, -1: any.
HOST_IS_KEPT = 1 << 62
# a callable, borrowed; ALONE: 1 if it may give an array in place of a sequence of one
CALLABLE, CALLABLE_ALONE, CALLABLE_SIZE = 0, 8, 16
# the record that the Python entry reads: host number, operands in and out; FAILED: CALL_*
CALL_HOST, CALL_N_IN, CALL_IN, CALL_N_OUT, CALL_OUT = 0, 8, 16, 24, 32
CALL_SITE, CALL_FRAME, CALL_FAILED, CALL_SIZE = 40, 48, 56, 64
CALL_GAVE, CALL_RAISED, CALL_KEPT = range(3)  # KEPT: the array that it gave before
# what it gets: the record's address, what the callable gave or raised, and its arrays
ENTRY_RECORD, ENTRY_OUTCOME, ENTRY_ARRAYS = 0, 8, 16

# -- arena block: a 64-byte head before the storage -------------------------------------------------------------------
BLOCK_BYTES, BLOCK_NEXT, BLOCK_CLASS, BLOCK_HEAD = 0, 8, 16, 64  # BYTES: of a large block
# The pool: per class SLOTS pointers to free blocks, exchanged atomically (no lock: safe without the GIL, over fork).
# Blocks of class c hold BLOCK_HEAD + 2**c bytes; class -1: larger than any class.
POOL_FIRST, POOL_LAST, POOL_SLOTS = 12, 26, 2
LARGE_SLOTS, MEDIUM_SLOTS = 4, 8  # of kept blocks of arenas and of arrays
KEPT_SLOTS = LARGE_SLOTS + MEDIUM_SLOTS
ALTERNATE_STACK_BYTES, ALTERNATE_STACKS = 1 << 22, 8  # of which few are ever touched; slots for them
MAIN_STACK_RESERVE_BYTES = 1 << 21  # that are left where the main thread's stack counts as large
POOL_SIZE = (POOL_LAST - POOL_FIRST + 1) * POOL_SLOTS * 8

# -- scattering: a symbol for each operation and machine type ---------------------------------------------------------
SCATTER_SET = {1: "set_i8", 2: "set_i16", 4: "set_i32", 8: "set_i64"}  # by bytes
SCATTER_ADD = {
    "bool": "or_i8", **{f"{u}int{n}": f"add_i{n}" for u in ("", "u") for n in (8, 16, 32, 64)},
    "float16": "half_i16", "float32": "add_float", "float64": "add_double",
}  # fmt: skip
SCATTERS = tuple(dict.fromkeys((*SCATTER_SET.values(), *SCATTER_ADD.values())))

# -- other steps on whole buffers: what a program's `LibraryCall` may name ---------------------------------------------
_NOT_COMPLEX = tuple(t for t in DTYPES if not t.startswith("complex"))
_LINALG = ("float32", "float64", "complex64", "complex128")
_REAL, _WIDE, _SWAPPED = _LINALG[:2], _LINALG[1::2], (*_LINALG, "int64")
# function, construct that calls it (`codegen.constructs`), object that has it ({}: of each dtype one), dtypes of its
# first input, and whether it may overwrite what it reads, line by line
_CALLS = (
    ("cumsum", "along", "cumsum_{}", DTYPES, True),
    ("cumprod", "along", "cumprod_{}", DTYPES, True),
    ("sort", "along", "sort_{}", DTYPES, True),
    ("argsort", "along", "argsort_{}", DTYPES, True),
    ("searchsorted_left", "searchsorted", "searchsorted_{}", DTYPES, False),
    ("searchsorted_right", "searchsorted", "searchsorted_{}", DTYPES, False),
    ("sort_part", "along", "sort_{}", _NOT_COMPLEX, True),
    ("argsort_part", "along", "select_{}", _NOT_COMPLEX, False),
    ("true_positions", "true_positions", "positions", ("bool",), False),
    ("repeated_positions", "repeated_positions", "positions", ("int64",), False),
    ("conv", "conv", "conv_{}", _REAL, False),
    ("conv_inputs", "conv_inputs", "conv_{}", _REAL, False),
    ("conv_weights", "conv_weights", "conv_{}", _REAL, False),
    ("cholesky", "cholesky", "cholesky_{}", _LINALG, False),
    ("cholesky_vjp", "cholesky_vjp", "choleskyvjp_{}", _REAL, False),
    ("triangular_lower", "solve_triangular", "triangular_{}", _LINALG, False),
    ("triangular_upper", "solve_triangular", "triangular_{}", _LINALG, False),
    ("triangular_unit_lower", "solve_triangular", "triangular_{}", _LINALG, False),
    ("triangular_unit_upper", "solve_triangular", "triangular_{}", _LINALG, False),
    ("lu_factor", "lu_factor", "lufactor_{}", _LINALG, False),
    ("lu_solve", "lu_solve", "lusolve_{}", _LINALG, False),
    ("lu_solve_transposed", "lu_solve", "lusolve_{}", _LINALG, False),
    ("swap_rows", "swap_rows", "swaprows_{}", _SWAPPED, False),
    ("swap_rows_back", "swap_rows", "swaprows_{}", _SWAPPED, False),
    ("qr_reduced", "qr", "qr_{}", _LINALG, False),
    ("qr_complete", "qr", "qr_{}", _LINALG, False),
    ("svd_reduced", "svd", "svd_{}", _WIDE, False),
    ("svd_full", "svd", "svd_{}", _WIDE, False),
    ("svdvals", "svdvals", "svdvals_{}", _WIDE, False),
    ("eigh_lower", "eigh", "eigh_{}", _WIDE, False),
    ("eigh_upper", "eigh", "eigh_{}", _WIDE, False),
    ("eigvalsh_lower", "eigvalsh", "eigvalsh_{}", _WIDE, False),
    ("eigvalsh_upper", "eigvalsh", "eigvalsh_{}", _WIDE, False),
    ("eig", "eig", "eig_{}", _WIDE, False),
    ("eigvals", "eigvals", "eigvals_{}", _WIDE, False),
)
LIBRARY_CALLS = {function: dtypes for function, _, _, dtypes, _ in _CALLS}
CALLERS = {function: construct for function, construct, *_ in _CALLS}
CALLED = {name.partition("_")[0]: function for function, _, name, *_ in reversed(_CALLS)}  # of an object, one function
POINTWISE = tuple(function for function, *_, is_pointwise in _CALLS if is_pointwise)


def library_symbol(function: str, dtype: str) -> str:
    """The function of a program's `LibraryCall`; sums and products of both 64-bit integers have one code."""
    return f"{function}_{'int64' if dtype == 'uint64' and function.startswith('cum') else dtype}"


# -- LAPACK (`runtime.loading.lapack`): at RT["lapack"] a table: the bytes of its integers, then for each name and dtype
# the address of a Fortran function, once an object that calls it is loaded -------------------------------------------
LAPACK_LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}
_OF_COMPLEX = {"orgqr": "ungqr", "syevd": "heevd"}  # other names of what does the same to complex numbers
LAPACK_OF = {  # by the first word of an object's name: what it calls, BLAS's functions of triangles too
    "cholesky": ("potrf",), "choleskyvjp": ("trsm", "gemm"), "triangular": ("trsm", "trsv"),
    "lufactor": ("getrf",), "lusolve": ("trsm", "trsv"),
    "qr": ("geqrf", "orgqr"), "svd": ("gesdd",), "svdvals": ("gesdd",), "eigh": ("syevd",), "eigvalsh": ("syevd",),
    "eig": ("geev",), "eigvals": ("geev",),
}  # fmt: skip
LAPACK_NAMES = tuple(dict.fromkeys(name for names in LAPACK_OF.values() for name in names))
_LAPACK_PLACES = [(name, dtype) for name in LAPACK_NAMES for dtype in LAPACK_LETTERS]
LAPACK = {place: 8 * k for k, place in enumerate(_LAPACK_PLACES, 1)}  # byte offsets
LAPACK_SIZE = 8 * (1 + len(LAPACK))


def lapack_symbol(name: str, dtype: str) -> str:
    """The plain name of a function for a dtype, by that for real numbers.

    >>> lapack_symbol("syevd", "float64"), lapack_symbol("syevd", "complex64")
    ('dsyevd', 'cheevd')
    """
    return LAPACK_LETTERS[dtype] + (_OF_COMPLEX.get(name, name) if dtype.startswith("complex") else name)


LAPACK_BLOCK_COLUMNS = 64  # at most, for each of which its work space has a column
NO_FAILURE = -1  # in the word for the first matrix that fails
LINALG_HEAD_BYTES = 64  # before the scratch of a function of matrices: the number of its first matrix

LIBRARY_SYMBOLS = tuple(dict.fromkeys(library_symbol(f, t) for f, types in LIBRARY_CALLS.items() for t in types))


def _objects_of_calls() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for function, _, name, dtypes, _ in _CALLS:
        for t in dtypes:
            symbol = library_symbol(function, t)
            if symbol not in seen:
                seen.add(symbol)
                found[name.format(t)] = (*found.get(name.format(t), ()), symbol)
    return found


# -- run-time table ---------------------------------------------------------------------------------------------------
# name -> LLVM type of the function; what programs may call.
_GEMM = "ptr, i64, i64, i64, ptr, i64, i64, ptr, i64, i64, ptr, i64, double, double, ptr"
HELPERS = {
    "new_out": "ptr (ptr, ptr, i64, i64, ptr, ptr)",  # ctx, frame, site, output, dims, slot -> data; the object: *slot
    # the same, and how many rows of strides; these, and behind them C order's, in whose place the array's are put
    "new_like": "ptr (ptr, ptr, i64, i64, ptr, ptr, i64, ptr)",
    "new_list": "ptr (ptr, ptr, i64, i64, ptr)",  # ctx, frame, site, n, slot -> the list; NULL: failed
    "prepare": "ptr (ptr, ptr, i64, i64, ptr, ptr, i64)",  # ctx, frame, site, shared, dims, slot, PREPARE_* -> data
    # ctx, frame, site, slots (n_shared consecutive objs), what then (PIN_*) -> 0: pinned, else failed
    "pin": "i64 (ptr, ptr, i64, ptr, i64)",
    "save_thread": "void (ptr, ptr, i64)",  # ctx, frame, when: releases the GIL if the call is pinned, unless when = 0
    "unwatch": "void (ptr)",  # frame: no signal may end the call any more
    "restore_thread": "void (ptr, ptr)",  # ctx, frame: takes it back if it was released
    # ctx, objs, updates (COMMIT of each), how many: swaps in what objs has in a slot, if it is not NULL
    "commit": "void (ptr, ptr, ptr, i64)",
    "release": "void (ptr, ptr, ptr, i64)",  # ctx, frame, objs, n
    "fail": "ptr (ptr, ptr, ptr, i64)",  # ctx, frame, objs, n -> NULL
    # ctx, frame, values, conditions, how many -> 0: all hold, else the record is that of the first that does not
    "judge": "i64 (ptr, ptr, ptr, ptr, i64)",
    "take_arena": "ptr (ptr, ptr, i64, i64)",  # ctx, frame, site, bytes -> 64-byte aligned; any number per call
    "free_arena": "void (ptr, ptr, ptr)",  # ctx, frame, ptr: gives back this block and all taken after it
    "host_call": "i64 (ptr, ptr, i64, i64, i64, ptr, i64, ptr)",  # ctx, frame, site, host, n_in, ins, n_out, outs -> 0
    "take_result": "i64 (ptr, ptr, i64, i64, ptr, ptr)",  # ctx, frame, site, host, slot, out -> 0
    "poll": "i64 (ptr, ptr, i64)",  # ctx, frame, site -> 0: go on, else failed (KeyboardInterrupt is set)
    "each_part": "void (ptr, ptr, ptr, i64)",  # rt, part(environment, number), environment, how many
    "take_slot": "i64 (ptr)",  # environment -> the first slot that no other part has
    "leave_slot": "void (ptr, i64)",  # environment, slot
    "report": "void (ptr, ptr)",  # environment, the frame of a part that has failed
    # rt, m, n, k, A, row and column stride, B, row and column stride (elements), C, ldc, alpha, beta, scratch or NULL
    **dict.fromkeys(("gemm_float64", "gemm_float32"), f"void ({_GEMM})"),
    # the same, number of products, and elements from the operands of one to those of the next
    **dict.fromkeys(("gemms_float64", "gemms_float32"), f"void ({_GEMM}, i64, i64, i64)"),
    # as of one, and the environment of a launch on blocks of C (`codegen.program_ir.gemm_epilogues`)
    **dict.fromkeys(("gemm_then_float64", "gemm_then_float32"), f"void ({_GEMM}, ptr)"),
    # rt, environment, first row and column, how many
    "run_tile": "void (ptr, ptr, i64, i64, i64, i64)",
    # rt, plan, bases, strides, extents, ints -> 0: no bad index
    "run_nest": "i64 (ptr, ptr, ptr, ptr, ptr, ptr)",
    # x, y, positions; count, step of y, steps, dims, strides of x and y; how many positions; dims; is the last a row
    **dict.fromkeys(SCATTERS, "void (ptr, ptr, i64, i64, i64)"),
    # inputs, then outputs, then rt; lengths, then strides, of each; how many lengths the first input has
    **dict.fromkeys(LIBRARY_SYMBOLS, "void (ptr, ptr, i64)"),
    "copy": "void (ptr, ptr, ptr, i64)",  # rt, to, from, bytes: nothing if they are one
    "memcpy": "ptr (ptr, ptr, i64)",  # to, from, bytes
    "memset": "ptr (ptr, i32, i64)",  # to, byte, bytes
    "clear": "void (ptr, i64)",  # to, bytes
    "_setjmp": "i32 (ptr)",  # where a call is ended from within (FR_JUMP)
}
# What only the library itself calls.
_CPYTHON = (
    "PyObject_Vectorcall", "_Py_Dealloc", "PyLong_FromVoidPtr", "PyList_New", "PyEval_SaveThread",
    "PyEval_RestoreThread", "PyErr_CheckSignals", "PyThread_get_thread_ident", "PyObject_GC_UnTrack", "PyObject_GC_Del",
    "PyObject_ClearWeakRefs", "PyLong_AsLongLongAndOverflow", "PyTraceMalloc_Track", "PyType_GenericAlloc",
    "PyType_IsSubtype", "PyObject_Free", "PyBuffer_FillInfo", "PyGC_Disable", "PyGC_Enable",
    "PyGILState_Check", "PyOS_InterruptOccurred", "PyErr_SetInterrupt", "PyErr_Fetch", "PyErr_NormalizeException",
    "PyException_SetTraceback",
)  # fmt: skip
_LIBC = (
    "aligned_alloc", "free", "malloc", "realloc", "madvise", "longjmp", "pthread_getspecific", "pthread_setspecific",
    "sched_yield",
)  # fmt: skip
_THREADS = ("pthread_getattr_np", "pthread_attr_getstack", "pthread_attr_destroy", "pthread_self")  # or NULL
_DATA = (
    "np_type", "int_type", "np_new", "holder_type", "pool", "blas_int", "cblas_float64", "cblas_float32",
    "gemv_float64", "gemv_float32", "blas_threads", "lapack", "dead_ctx", "dead_slow", "threads", "np_handler",
    "huge_pages", "kept", "kept_bytes", "missed", "on_missed", "traversals", "alternate_stacks", "main_stack",
    "main_stack_bytes", "main_thread", "watched", "watch_key", "stack_key", "look_at", "dtypes", "list_type",
    "tuple_type", *_THREADS,
)  # fmt: skip
# blas_int: bytes of an integer of the BLAS, 0: none; blas_threads: how many threads it has.  lapack: see LAPACK.
# dead: for cleared Functions.  threads: the pool, or NULL.  np_handler: of new arrays' data, or NULL: NumPy's own.
# missed: a bit for each of NEST_PARTS that a call has missed; on_missed: what is called then, a Python callable.
# huge_pages: 1 where NumPy requests them.  kept: slots of blocks, large ones first; kept_bytes: the most that one may
# have.  traversals: bits of large operands (`loops.traversal_order`).  alternate_stacks: slots of stacks that launches
# run on (`loops.alternate_stack`), but for those that are called on the main thread's stack, within
# `main_stack_bytes` of `main_stack`.  main_thread: its identifier; watched: its watch, or NULL.
# watch_key: of the watches of the pool's threads; stack_key: of the lowest address of a thread's stack.  look_at: the
# cycle count from which those who are watched look for signals; 0: as soon as one has polled for the first time; all
# ones while nobody is.

RT_NAMES = (*HELPERS, *_CPYTHON, *_LIBC, *_DATA)
RT = {name: 8 * i for i, name in enumerate(RT_NAMES)}  # byte offsets
CPYTHON_NAMES, LIBC_NAMES, THREAD_NAMES = _CPYTHON, (*_LIBC, "memcpy", "memset", "_setjmp"), _THREADS
POLL, HOLD, DROP, GIVE_BACK = (
    "poll_signals",
    "hold_block",
    "drop_block",
    "give_back",
)  # what the other libraries call of the native one
CACHE_LIMIT = "limit."  # how the names of words begin that have a threshold of the machine's caches (`CacheTuning`)
TABLE = "run_time_table"  # where the native and the threads' library have the address of the table

# -- the pool of threads: words that threads write lie on cache lines of their own ------------------------------------
TH_REMAINING, TH_GENERATION, TH_BUSY, TH_SLEEPERS = 64, 128, 192, 256
TH_SPARE = 1024  # tickets behind those of chunks: more than threads that take one when there are none left
TH_CORE, TH_HOW = 264, 272  # the core of the last caller that woke threads; what blocks signals
# In one line: what a thread needs of a job, and what changes with it.
TH_TICKET, TH_FN, TH_JOB, TH_N, TH_JOINED, TH_WANTED, TH_STARTED, TH_REQUESTED = range(320, 384, 8)
# The watch of the one whose job it is, or 0; chunks that it has begun and not reported; whether all are to stop.
TH_OWNER, TH_MINE, TH_STOP = 280, 288, 296
TH_LOCK_SIZE = 128  # bytes that hold a mutex, a condition or a set of signals on every system
TH_MUTEX, TH_COND, TH_SIGNALS = 384, 512, 640
_THREAD_CALLS = (
    "pthread_create", "pthread_detach", "pthread_mutex_lock", "pthread_mutex_unlock", "pthread_cond_wait",
    "pthread_cond_broadcast", "pthread_sigmask", "sched_yield", "sched_getcpu", "sched_getaffinity",
    "sched_setaffinity", "clock_gettime", "worker", "parallel_for", "is_awake",
)  # fmt: skip
TH = {name: 768 + 8 * i for i, name in enumerate(_THREAD_CALLS)}
TH_SIZE = 768 + 8 * len(_THREAD_CALLS)

# -- library objects: compiled once per machine, loaded on demand; the symbols that Python takes out of each ----------
DATA_FUNCTIONS = ("data_malloc", "data_calloc", "data_realloc", "data_free")  # of NumPy's handler, in its order
COMMON = {t: f"common_{t}" for t in ("float64", "float32")}  # by dtype those of kernels that many programs have
COMMON_KERNEL, COMMON_PLAN = "common.", "plan."  # how the names of its kernels and plans begin
# Loops.  The parts behind the first are loaded where programs name them, or when a call has missed one: what they have
# is called through cells, which hold functions of the first part meanwhile (WITHOUT and the name).
WITHOUT = "without_"
_PARTS = {
    "nest_turned": ("transpose",),
    "nest_streams": ("stream", "stream_rows"),
    "nest_short": ("collapsed_rows", "overlapping_rows", "packed_short_rows"),
    "nest_packed": ("packed_row", "deinterleave", "packer_of_rows"),
    "nest_sums": (
        "joined_rows",
        "fits_wide_rows",
        "wide_rows",
        "with_copied_operands",
        "rows_in_tasks",
        "shared_row_blocks",
        "reduce_columns",
        "run_rows_alone",
    ),
    "nest_across": ("transposed_block", "in_transposed_blocks", "move_block"),
    "nest_taken": ("take",),
}
NEST_PARTS = tuple(_PARTS)
_SHARED = (  # what parts call of the first one
    "may_recompute", "copy_strided", "packer", "strided_packer_of_rows", "unpack", "strided16", "copy_in", "copy_out",
    "copy_kept", "run_direct", "run_general", "execute", "resolve", "run_stage", "canonicalise_axes", "task_count",
    "run_all_tasks", "run_in_tasks", "fits_row_batches", "rows_per_call", "row_batches",
)  # fmt: skip
_NEST = {
    "nest": ("run_nest", "run_tile", *_SHARED, *(WITHOUT + name for names in _PARTS.values() for name in names)),
    **_PARTS,
}
LIBRARY = {
    "native": (
        "new_out", "new_like", "new_list", "prepare", "pin", "save_thread", "restore_thread", "commit", "copy",
        "release", "fail", "judge", "take_arena", "free_arena", "host_call", "take_result", "poll", "stub",
        "stack_checking_stub", "new_function", "tp_traverse", "tp_clear", "tp_dealloc", "cell_set", "cell_get",
        "holder_dealloc", "holder_buffer", "each_part", "take_slot", "leave_slot", "report", "clear", "unwatch", POLL,
        HOLD, DROP, GIVE_BACK, *DATA_FUNCTIONS,
    ),
    **{f"gemm_{t}": (f"gemm_{t}", f"gemms_{t}", f"gemm_then_{t}") for t in ("float64", "float32")},
    **_NEST,
    "threads": ("worker", "parallel_for", "is_awake"),
    "c_calls": (*C_CALLS, *(f"c_{name}" for name in C_HELPERS)),
    **{f"scatter_{name}": (name,) for name in SCATTERS},
    **_objects_of_calls(),
    "replay": ("replay",),
    **dict.fromkeys(COMMON.values(), ()),  # whatever kernels they have
}  # fmt: skip
PROGRAM_SYMBOL = "program"
