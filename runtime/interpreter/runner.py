"""The interpreter of program IR: executes a program in Python, one instruction at a time, for tests and profiles.

It has the meaning of the emitted code, with more checks: storage is poisoned before its first write (nan for floats)
and guarded at both ends, so that reads of unwritten memory show and writes out of bounds raise.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.codegen.abi import layouts
from tensordsl.runtime.calls.orders import kept_order
from tensordsl.runtime.calls.state import REENTRY
from tensordsl.runtime.interpreter.faults import Busy, error
from tensordsl.runtime.loading.layout import peek, poke

if TYPE_CHECKING:  # at run time a program is data: the dispatch is by class names
    from tensordsl.codegen.program_ir import instructions as p
    from tensordsl.codegen.program_ir.instructions import Instr, LaunchPlan, Name, Program

# (addresses, byte strides [operand][axis], extents, ints) -> true if an index was out of range
Kernel = Callable[[list[int], list[list[int]], list[int], list[int]], Any]
Library = Callable[[str], Callable[..., None]]  # function -> what writes its outputs, which follow its inputs

POISON, GUARD_VALUE = 0xFF, 0xA5  # byte values
GUARD_BYTES = 64  # at each end of storage
MAX_ITEM_BYTES = 1 << 47  # of an arena; larger ones fail as in emitted code
_gil = threading.RLock()  # a run is atomic except where it is released, as emitted code under the GIL


class Storage:
    """A shared variable for the interpreter alone: `array`, `spare` of the last swap, `lock`: who pinned it or 0."""

    def __init__(self, array: Any) -> None:
        self.array = np.array(array)
        self.spare: Any = None
        self.lock = 0

    def is_exclusive(self, shape: tuple[int, ...], pins: int = 0) -> bool:
        """Whether the array has this shape and no references but its owner's and those of pins."""
        count = sys.getrefcount(self.array) - pins
        return _is_exclusive(self.array, shape, count)

    def take_spare(self, shape: tuple[int, ...]) -> Any:
        """The spare array if it has this shape and no other references, else None."""
        count = sys.getrefcount(self.spare)
        if self.spare is None or not _is_exclusive(self.spare, shape, count):
            return None
        spare, self.spare = self.spare, None
        return spare

    def swap(self, array: Any) -> None:
        self.array, self.spare = array, self.array if self.array.nbytes <= layouts.SPARE_LIMIT else None


class CellStorage:
    """The same over a `runtime.calls.state.Cell`, whose spare array is not used."""

    def __init__(self, cell: Any) -> None:
        self.cell = cell

    @property
    def array(self) -> Any:
        return self.cell.get()

    @property
    def lock(self) -> int:
        return int(self.cell.locked_by)

    @lock.setter
    def lock(self, owner: int) -> None:
        poke(self.cell.address + layouts.CELL_LOCK, owner)

    def is_exclusive(self, shape: tuple[int, ...], pins: int = 0) -> bool:
        at, wanted = peek(self.cell.address + layouts.CELL_ARRAY), layouts.OWNDATA | layouts.WRITEABLE
        flags, count = (peek(at + k, ctypes.c_int32) for k in (layouts.ND_FLAGS, layouts.OB_REFCNT))
        return bool(flags & wanted == wanted and count == 1 + pins and self.cell.get().shape == shape)

    def take_spare(self, shape: tuple[int, ...]) -> Any:
        return None

    def swap(self, array: Any) -> None:
        owner, self.lock = self.lock, 0
        self.cell.set(array)
        self.lock = owner


def _is_exclusive(array: Any, shape: tuple[int, ...], references: int) -> bool:
    """`references`: 2 for an array that only its owner sees, the owner's and that of the call that counted."""
    flags = array.flags
    unseen = references == 2 and weakref.getweakrefcount(array) == 0
    return bool(unseen and flags.owndata and flags.writeable and flags.c_contiguous and array.shape == shape)


def run(
    program: Program,
    args: Sequence[Any],
    shared: Sequence[Storage | CellStorage] = (),
    kernels: Sequence[Kernel] = (),
    hosts: Sequence[Callable[..., Any]] = (),
    inject: int | None = None,
    log: list[tuple[Instr, float]] | None = None,
    fail: Callable[[int, int, tuple[int, ...]], Exception] = error,
    library: Library | None = None,
) -> Any:
    """The outputs of a verified program: an array, or a list.

    args: arrays of exactly the program's dtypes and ranks.  shared: `Storage` or `CellStorage`.
    kernels: one per plan (`numpy_kernel`, `native_kernel`).  inject: ordinal of the instruction that must fail, see
    `program_ir.verify.faults`.  log: gets (instruction, seconds) for each one executed.  fail: the exception for (kind,
    site, values).  library: what stands for each function of a `LibraryCall`
    (`codegen.tensor_ir.construct.interpret`).  A failed run leaves state as it was.
    """
    while True:
        with _gil:
            runner = Runner(program, args, shared, kernels, hosts, -1 if inject is None else inject, log, fail, library)
            try:
                return runner.run()
            except Busy:
                pass
        time.sleep(1e-4)


def numpy_kernel(plan: LaunchPlan, function: Callable[[list[Any], list[int]], Any]) -> Kernel:
    """A kernel from `function(views, ints)`: an array per operand, of the launch's extents, step 0 along no axis."""
    dtypes = [b.type for b in plan.operands]

    def kernel(bases: list[int], strides: list[list[int]], extents: list[int], ints: list[int]) -> Any:
        views = [array_at(b, t, extents, s) for b, t, s in zip(bases, dtypes, strides, strict=True)]
        return function(views, ints)

    return kernel


def native_kernel(plan: LaunchPlan, addresses: Sequence[int], run_nest: int) -> Kernel:
    """A kernel from the addresses of the plan's symbols and of the nest library's `run_nest`."""
    pointer, word = ctypes.c_void_p, ctypes.c_int64
    table = (pointer * max(len(addresses), 1))(*addresses)
    words = (word * max(len(plan.kernels.descriptor), 1))(*plan.kernels.descriptor)
    nest = ctypes.CFUNCTYPE(word, *[pointer] * 6)(run_nest)

    def kernel(bases: list[int], strides: list[list[int]], extents: list[int], ints: list[int]) -> Any:
        i = (word * (len(ints) + 1))(*ints, 0)
        if not plan.axes:
            ends = [ctypes.addressof(i) + 8 * k for k in range(len(ints) + plan.may_fail)]
            b = (pointer * (len(bases) + len(ends)))(*bases, *ends)
            ctypes.CFUNCTYPE(None, pointer, word, word)(addresses[0])(ctypes.addressof(b), 1, 1)
            return plan.may_fail and i[len(ints)]
        b = (pointer * max(2 * len(bases), 1))(*bases)  # a kernel loads steps behind the last one
        flat = [x for row in strides for x in row]
        s, e = (word * max(len(flat), 1))(*flat), (word * max(len(extents), 1))(*extents)
        place = (pointer * 2)(ctypes.addressof(table), ctypes.addressof(words))
        return nest(None, *[ctypes.addressof(x) for x in (place, b, s, e, i)])

    return kernel


class _Memory:
    """An address as NumPy's array interface."""

    def __init__(self, address: int, dtype: Any, shape: Sequence[int], strides: Sequence[int] | None) -> None:
        steps = None if strides is None else tuple(strides)
        self.__array_interface__ = {
            "version": 3, "data": (address, False), "typestr": dtype.str, "shape": tuple(shape), "strides": steps,
        }  # fmt: skip


def array_at(address: int, dtype: str, shape: Sequence[int], strides: Sequence[int] | None = None) -> Any:
    """The memory at `address` as an array; byte strides, None: C order."""
    return np.asarray(_Memory(address, np.dtype(dtype), shape, strides))


def _wrap(x: int) -> int:
    return ((x + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)


ARITH: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: _wrap(a + b),
    "sub": lambda a, b: _wrap(a - b),
    "mul": lambda a, b: _wrap(a * b),
    "floordiv": lambda a, b: _wrap(a // b) if b else 0,
    "mod": lambda a, b: a % b if b else 0,
    "min": min,
    "max": max,
}
COMPARE: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


# What the functions of `abi.layouts.LIBRARY_CALLS` write to their outputs, which follow their inputs.
class Runner:
    """One run: names' values (integers; pointers are addresses), the objects and arena blocks it holds."""

    def __init__(
        self,
        program: Program,
        args: Sequence[Any],
        shared: Sequence[Storage | CellStorage],
        kernels: Sequence[Kernel],
        hosts: Sequence[Callable[..., Any]],
        inject: int,
        log: list[tuple[Instr, float]] | None,
        fail: Callable[[int, int, tuple[int, ...]], Exception],
        library: Library | None = None,
    ) -> None:
        self.program, self.args, self.shared = program, args, shared
        self.kernels, self.hosts, self.library = kernels, hosts, library
        self.inject, self.log, self.fail = inject, log, fail
        self.values: dict[Name, int] = {}
        self.objs: list[Any] = [None] * program.n_slots
        self.blocks: list[tuple[Any, str, int]] = []  # guarded storage, its name, its bytes
        self.held: list[Any] = []  # constants and 0-d slots
        self.pinned: list[Any] = []
        self.released = False
        self.rounds: list[int] = []  # of the loops that are running, the outermost first
        self.result: Any = None
        self.table: dict[str, Callable[..., None]] = RUN
        self.ordinals: dict[int, int] = {}  # id(instruction) -> its ordinal
        if inject >= 0:
            self.ordinals = {id(i): k for k, i in enumerate(_fallible(program))}

    def run(self) -> Any:
        try:
            self.code(self.program.code)
            self.close(0)
            return self.result
        finally:
            if self.released:
                _gil.acquire()
            for storage in self.pinned:
                storage.lock = 0

    def code(self, code: Sequence[Instr]) -> None:
        for i in code:
            name = type(i).__name__
            if self.inject >= 0 and name != "For" and self.ordinals.get(id(i)) == self.inject:
                raise self.fail(layouts.ERR_INJECTED, i.site, ())  # type: ignore[attr-defined]
            start = time.perf_counter() if self.log is not None else 0.0
            self.table[name](self, i)
            if self.log is not None:
                self.log.append((i, time.perf_counter() - start))

    # -- integers and addresses ---------------------------------------------------------------------------------------
    def source(self, src: p.Source) -> Any:
        return self.args[src[1]] if src[0] == "arg" else self.shared[src[1]].array

    def const(self, i: p.Const) -> None:
        self.values[i.dst] = i.value

    def extent(self, i: p.Extent) -> None:
        self.values[i.dst] = self.source(i.src).shape[i.axis]

    def stride(self, i: p.Stride) -> None:
        self.values[i.dst] = self.source(i.src).strides[i.axis]

    def data(self, i: p.Data) -> None:
        self.values[i.dst] = self.source(i.src).ctypes.data

    def blas_threads(self, i: p.BlasThreads) -> None:
        self.values[i.dst] = 1

    def arith(self, i: p.Arith) -> None:
        self.values[i.dst] = ARITH[i.op](self.values[i.a], self.values[i.b])

    def mul(self, i: p.Mul) -> None:
        a, b = self.values[i.a], self.values[i.b]
        if _wrap(a * b) != a * b:
            raise self.fail(layouts.ERR_OVERFLOW, i.site, ())
        self.values[i.dst] = a * b

    def compare(self, i: p.Compare) -> None:
        self.values[i.dst] = int(COMPARE[i.op](self.values[i.a], self.values[i.b]))

    def check(self, i: p.Check) -> None:
        a, b = self.values[i.a], self.values[i.b]
        if not COMPARE[i.op](a, b):
            raise self.fail(layouts.ERR_CHECK, i.site, (a, b))

    def offset(self, i: p.Offset) -> None:
        self.values[i.dst] = self.values[i.base] + self.values[i.bytes]

    def claim(self, i: p.Claim) -> None:
        self.values[i.dst] = self.values[i.src]
        if not i.keeps:  # what stood there is not the new value's
            dims, strides = ([self.values[n] for n in names] for names in (i.dims, i.strides))
            size = np.dtype(i.dtype).itemsize
            array_at(self.values[i.src], "uint8", [*dims, size], [*strides, 1])[...] = POISON

    def select(self, i: p.Select) -> None:
        self.values[i.dst] = self.values[i.a if self.values[i.cond] else i.b]

    def load_scalar(self, i: p.LoadScalar) -> None:
        self.values[i.dst] = _wrap(int(array_at(self.values[i.ptr], i.dtype, ())[()]))

    def store_scalar(self, i: p.StoreScalar) -> None:
        value = np.int64(self.values[i.value])
        array_at(self.values[i.ptr], i.dtype, ())[...] = value != 0 if i.dtype == "bool" else value.astype(i.dtype)

    # -- storage ------------------------------------------------------------------------------------------------------
    def hold(self, array: Any) -> int:
        self.held.append(array)
        return int(array.ctypes.data)

    def slot(self, i: p.Slot) -> None:
        self.values[i.dst] = self.hold(np.full(8, POISON, np.uint8))

    def bytes(self, i: p.Bytes) -> None:
        room = np.zeros(len(i.data) + GUARD_BYTES, np.uint8)
        start = -room.ctypes.data % GUARD_BYTES
        room[start : start + len(i.data)] = np.frombuffer(i.data, np.uint8)
        self.values[i.dst] = self.hold(room) + start

    def arena(self, i: p.Arena) -> None:
        for name, size in i.items:
            n = self.values[size]
            if not 0 <= n < MAX_ITEM_BYTES:
                raise self.fail(layouts.ERR_MEMORY, i.site, ())
            try:
                room = np.full(n + 3 * GUARD_BYTES, GUARD_VALUE, np.uint8)
            except MemoryError:
                raise self.fail(layouts.ERR_MEMORY, i.site, ()) from None
            start = GUARD_BYTES + -room.ctypes.data % GUARD_BYTES
            room[start : start + n] = POISON
            self.blocks.append((room, name, n))
            self.values[name] = int(room.ctypes.data) + start

    def close(self, mark: int) -> None:
        """Free the blocks taken since there were `mark`; each must have intact guards."""
        for room, name, n in self.blocks[mark:]:
            start = GUARD_BYTES + -room.ctypes.data % GUARD_BYTES
            whole = (room[:start] == GUARD_VALUE).all() and (room[start + n :] == GUARD_VALUE).all()
            assert whole, f"{self.program.name}: something wrote outside of {name} ({n} bytes)"
        del self.blocks[mark:]

    def new(self, dtype: Any, dims: Sequence[Name], order: Sequence[int] | None = None) -> Any:
        """A poisoned array; order: its axes from the largest to the smallest stride."""
        axes = range(len(dims)) if order is None else order
        array = np.empty([self.values[dims[a]] for a in axes], dtype)
        array.reshape(-1).view(np.uint8).fill(POISON)
        return array if order is None else array.transpose(np.argsort(axes))

    def new_out(self, i: p.NewOut) -> None:
        rows = [[0 if s is None else self.values[s] for s in row] for row in i.likes]
        order = kept_order([self.values[d] for d in i.dims], rows) if rows else None
        array = self.objs[i.slot] = self.new(self.program.outputs[i.output][0], i.dims, order)
        self.values[i.dst] = array.ctypes.data
        if i.strides:
            self.values.update(zip(i.strides, array.strides, strict=True))

    def new_list(self, i: p.NewList) -> None:
        self.objs[i.slot] = [None] * i.n

    def prepare(self, i: p.Prepare) -> None:
        storage, want = self.shared[i.shared], tuple(self.values[d] for d in i.dims)
        if not self.pinned:
            self.wait_for([storage], i.site)
        pins = int(bool(self.pinned))
        late = i.late and not (i.unless and self.values[i.unless])
        if not i.fresh and (late or not pins) and storage.is_exclusive(want, pins):
            self.values[i.dst] = storage.array.ctypes.data
            return
        array = storage.take_spare(want)
        if array is None:
            array = self.new(storage.array.dtype, i.dims)
        array.reshape(-1).view(np.uint8).fill(POISON)
        self.objs[i.slot] = array
        self.values[i.dst] = array.ctypes.data

    # -- work ---------------------------------------------------------------------------------------------------------
    def launch(self, i: p.Launch) -> None:
        v = self.values
        strides = [[0 if s is None else v[s] for s in row] for row in i.strides]
        bases, extents, ints = [v[o] for o in i.operands], [v[e] for e in i.extents], [v[x] for x in i.ints]
        plan = next((plan for cond, plan in reversed(i.instead) if v[cond]), i.plan)
        bad = self.kernels[plan](bases, strides, extents, ints)
        if bad and self.program.plans[i.plan].may_fail:
            raise self.fail(layouts.ERR_INDEX, i.site, ())

    def proceed(self, i: p.Require | p.Deoptimise) -> None:
        """Nothing: the interpreter has all kernels, and an omitted variant is faster but gives the same."""

    def gemm(self, i: p.Gemm) -> None:
        v, size = self.values, np.dtype(i.dtype).itemsize
        m, n, k = v[i.m], v[i.n], v[i.k]
        count, steps = (1, (0, 0)) if i.count is None else (v[i.count], [v[s] for s in i.steps])
        strides = ([step, *(v[s] for s in two)] for step, two in zip(steps, (i.a_strides, i.b_strides), strict=True))
        a, b = (
            array_at(v[x], i.dtype, (count, *dims), [size * s for s in by])
            for x, dims, by in zip((i.a, i.b), ((m, k), (k, n)), strides, strict=True)
        )
        c = array_at(v[i.c], i.dtype, (count, m, n), (size * m * v[i.ldc], size * v[i.ldc], size))
        beta = i.beta if i.decay is None else array_at(v[i.decay], i.dtype, ())
        old = beta * c if i.beta else 0.0
        alpha = i.alpha if i.factor is None else i.alpha * array_at(v[i.factor], i.dtype, ())
        c[...] = alpha * (a @ b) + old

    def scatter(self, i: p.Scatter) -> None:
        v = self.values
        n, dims = v[i.count], [v[d] for d in i.dims]
        indices = [array_at(v[x], t, (n,)) for x, t in zip(i.positions, i.position_types, strict=True)]
        offsets = sum(a.astype("int64") * v[s] for a, s in zip(indices, i.steps, strict=True))
        xs, ys = ([v[s] for s in strides] for strides in (i.x_strides, i.y_strides))
        for k in range(n):
            x = array_at(v[i.x] + int(offsets[k]), i.dtype, dims, xs)
            y = array_at(v[i.y] + k * v[i.y_step], i.dtype, dims, ys)
            x[...] = y if i.set else x | y if i.dtype == "bool" else x + y

    def library_call(self, i: p.LibraryCall) -> None:
        def view(operand: p.Operand) -> Any:
            name, dtype, dims, strides = operand
            return array_at(self.values[name], dtype, *([self.values[n] for n in part] for part in (dims, strides)))

        assert self.library is not None, f"{i.function}: no functions of the library are given"
        self.library(i.function)(*map(view, i.inputs), *map(view, i.outputs))

    def copy(self, i: p.Copy) -> None:
        n = self.values[i.bytes]
        array_at(self.values[i.dst], "uint8", (n,))[...] = array_at(self.values[i.src], "uint8", (n,))

    def fill(self, i: p.Fill) -> None:
        array_at(self.values[i.dst], "uint8", (self.values[i.bytes],)).fill(0)

    def host_call(self, i: p.HostCall) -> None:
        def view(operand: tuple[Name, str, tuple[Name, ...]]) -> Any:
            name, dtype, dims = operand
            return array_at(self.values[name], dtype, [self.values[d] for d in dims])

        given = [view(o).copy() for o in i.inputs]
        try:
            got = self.hosts[i.host](*given)
        except Exception as error:
            explain = getattr(self.hosts[i.host], "explain", None)
            if explain is None:
                raise
            explained = explain(error, i.site, self.rounds, given)
            if explained is error:
                raise
            raise explained from None
        if not isinstance(got, (list, tuple)) or len(got) != len(i.outputs):
            raise TypeError(f"host call: expected a sequence of {len(i.outputs)} arrays, got {type(got).__name__}")
        for array, o in zip(got, i.outputs, strict=True):
            if o is not None and not isinstance(o, tuple):
                self.keep(o, np.asarray(array))
        pairs = [(array, o) for array, o in zip(got, i.outputs, strict=True) if isinstance(o, tuple)]
        got, views = [array for array, _ in pairs], [view(o) for _, o in pairs]
        for array, room in zip(map(np.asarray, got), views, strict=True):
            if array.dtype != room.dtype:
                raise TypeError(f"host call: a result has dtype {array.dtype}, expected {room.dtype}")
            if array.shape != room.shape:
                raise ValueError(f"host call: a result has shape {array.shape}, expected {room.shape}")
        for array, room in zip(got, views, strict=True):
            room[...] = array

    def keep(self, o: Any, array: np.ndarray) -> None:
        """Keep a result whose lengths the program did not know."""
        for length, place, dim in zip(array.shape, o.lengths, o.dims, strict=True):
            if place is not None:
                array_at(self.values[place], "int64", ())[...] = length
            elif dim is not None and self.values[dim] != length:
                raise ValueError(f"host call: a result has shape {array.shape}, not a length {self.values[dim]}")
        self.objs[o.slot] = array

    def take_result(self, i: p.TakeKept) -> None:
        name, dtype, dims = i.output
        array, self.objs[i.slot] = self.objs[i.slot], None
        room = array_at(self.values[name], dtype, [self.values[d] for d in dims])
        if array.shape != room.shape:
            raise ValueError(f"host call: a result has shape {array.shape}, expected {room.shape}")
        room[...] = array

    # -- control ------------------------------------------------------------------------------------------------------
    def loop(self, i: p.For) -> None:
        v = self.values
        v.update((name, v[first]) for name, first, _ in i.carried)
        k, is_done = 0, False
        while k < v[i.count] and not is_done:
            mark = len(self.blocks)
            v[i.index] = k
            self.rounds.append(k)
            self.code(i.body)
            self.rounds.pop()
            is_done = i.end is not None and bool(v[i.end])
            k += 1
            after = [v[b] for _, _, b in i.carried]
            v.update((name, value) for (name, _, _), value in zip(i.carried, after, strict=True))
            self.close(mark)
            if self.inject >= 0 and self.ordinals.get(id(i)) == self.inject:
                raise self.fail(layouts.ERR_INJECTED, i.site, ())
        if i.rounds is not None:
            v[i.rounds] = k

    def in_blocks(self, i: p.Blocks) -> None:
        v, mark = self.values, len(self.blocks)
        count, step, size = v[i.count], v[i.step], v[i.size]
        for start in reversed(range(0, max(count, 1), size)):  # tasks are independent
            for first in range(start, min(start + size, max(count, 1)), step):
                v[i.first], v[i.here] = first, min(step, count - first)
                v[i.part], v[i.start], v[i.slot] = start // size, start, 0
                self.code(i.body)
                self.close(mark)

    def branch(self, i: p.If) -> None:
        v, mark, first = self.values, len(self.blocks), bool(self.values[i.cond])
        self.code(i.then if first else i.orelse)
        v.update([(dst, v[a if first else b]) for dst, a, b in i.results])
        self.close(mark)

    # -- state --------------------------------------------------------------------------------------------------------
    def wait_for(self, storages: Sequence[Storage | CellStorage], site: int) -> None:
        """Busy while another thread's call has pinned one of them; an error if an outer call of this thread has."""
        for storage in storages:
            if storage.lock == threading.get_ident():
                raise RuntimeError(REENTRY)
            if storage.lock:
                raise self.fail(layouts.ERR_BUSY, site, ())

    def pin(self, i: p.Pin) -> None:
        if self.values[i.work] <= i.threshold:
            return
        self.wait_for(self.shared, i.site)
        for storage, slot in zip(self.shared, i.slots, strict=True):
            storage.lock = threading.get_ident()
            self.objs[slot] = storage.array
            self.pinned.append(storage)

    def unwatch(self, i: p.Unwatch) -> None:
        """Nothing: Python handles signals itself."""

    def release_gil(self, i: p.ReleaseGil) -> None:
        if self.pinned and (i.when is None or self.values[i.when]):
            self.released = True
            _gil.release()

    def acquire_gil(self, i: p.AcquireGil) -> None:
        if self.released:
            _gil.acquire()
            self.released = False

    def commit(self, i: p.Commit) -> None:
        for shared, slot in i.updates:
            if self.objs[slot] is not None:
                self.shared[shared].swap(self.objs[slot])
                self.objs[slot] = None

    def ret(self, i: p.Return) -> None:
        outs = [self.objs[k] for k in i.slots]
        self.result = outs if i.list_slot >= 0 else outs[0]


def _fallible(program: Program) -> Iterator[Instr]:
    """The instructions that may fail, in the order of their ordinals (`program_ir.verify.faults`)."""
    stack: list[Any] = list(reversed(program.code))
    while stack:
        i = stack.pop()
        if program.plans[i.plan].may_fail if type(i).__name__ == "Launch" else i.may_fail:
            yield i
        for region in ("orelse", "then", "body"):
            stack.extend(reversed(getattr(i, region, ())))


def show_log(log: list[tuple[Instr, float]], line: Callable[[Instr], str] = repr) -> str:
    """A profile: microseconds per instruction, the most expensive first, repeated ones added up; `line` words each."""
    total: dict[str, list[float]] = {}
    for i, seconds in log:
        total.setdefault(line(i), []).append(seconds)
    rows = sorted(total.items(), key=lambda row: -sum(row[1]))
    return "\n".join(f"{1e6 * sum(times):12.1f} us  {len(times):6d} x  {text}" for text, times in rows)


RUN: dict[str, Callable[[Runner, Any], None]] = {
    "Const": Runner.const, "Extent": Runner.extent, "Stride": Runner.stride, "Data": Runner.data,
    "BlasThreads": Runner.blas_threads, "Arith": Runner.arith, "Mul": Runner.mul, "Compare": Runner.compare,
    "Check": Runner.check, "Offset": Runner.offset, "Select": Runner.select, "LoadScalar": Runner.load_scalar,
    "StoreScalar": Runner.store_scalar, "Slot": Runner.slot, "Bytes": Runner.bytes, "Arena": Runner.arena,
    "NewOut": Runner.new_out, "NewList": Runner.new_list, "Prepare": Runner.prepare, "Launch": Runner.launch,
    "Require": Runner.proceed, "Deoptimise": Runner.proceed, "Gemm": Runner.gemm, "Scatter": Runner.scatter,
    "LibraryCall": Runner.library_call, "Claim": Runner.claim,
    "Copy": Runner.copy, "Fill": Runner.fill, "HostCall": Runner.host_call, "TakeKept": Runner.take_result,
    "For": Runner.loop, "Blocks": Runner.in_blocks, "If": Runner.branch,
    "Pin": Runner.pin,  "Unwatch": Runner.unwatch, "ReleaseGil": Runner.release_gil,
    "AcquireGil": Runner.acquire_gil, "Commit": Runner.commit, "Return": Runner.ret,
}  # fmt: skip
