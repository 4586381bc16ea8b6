"""The executor of programs on a device: buffers in its memory, its kernels where there are any, else host steps.

It extends the interpreter (`interpreter.runner`) by other memory; lengths, checks, loops and branches are the host's.
The commit rule is kept by never writing to a variable's storage: a call computes new values elsewhere, fetches its
outputs, waits for its work, tests the index flags, and then exchanges references, which cannot fail.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.base.errors import DeviceMemoryError
from tensordsl.codegen.abi import layouts
from tensordsl.runtime.calls.state import MIN_WAIT_SECONDS, wait_once
from tensordsl.runtime.device.array import DeviceArray, contiguous_strides
from tensordsl.runtime.device.device import Device, Module
from tensordsl.runtime.device.pool import Block
from tensordsl.runtime.device.replay import (
    MAX_CANDIDATES,
    MAX_LENDING,
    MAX_RECORDINGS,
    Condition,
    PrivatePool,
    Recorder,
    Replay,
    first_failed,
)
from tensordsl.runtime.device.state import DeviceStorage, commit, owner_of
from tensordsl.runtime.interpreter.runner import MAX_ITEM_BYTES, RUN, Runner

if TYPE_CHECKING:
    from tensordsl.codegen.program_ir import instructions as p
    from tensordsl.codegen.program_ir.instructions import Instr, Program

Fail = Callable[[int, int, tuple[int, ...]], Exception]
Repeated = Callable[[Replay, Sequence[Any], Sequence[DeviceStorage]], None]
MAX_FLAGS = 32  # launches and checks that may fail between two downloads of their flags
MAX_REMEMBERED = 512  # launches whose arguments are cached
SCALARS = {"bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint8": "B", "uint16": "H",
           "uint32": "I", "uint64": "Q"}  # fmt: skip


@dataclass(eq=False, slots=True, weakref_slot=True)
class DeviceProgram:
    """A program made for a device.

    steps: per plan the maker of its launches (`codegen.gpu.program.GpuStep`), or None: `kernels` has one of the host.
    module: their kernels on the device; modules: others', by key.  touched(instruction): the pointers that it reads and
    those it writes.  constructs: by kind of instruction, kernels of other instructions than launches.  is_fixed: a
    call's work depends on shapes and addresses alone.  on_host: instructions without a kernel, in words.
    late: numbers that only checks of indices read, which may be downloaded at the call's end.
    """

    device: Device
    program: Program
    steps: list[Any]
    kernels: list[Any]
    module: Module
    touched: Callable[[Instr], tuple[Sequence[str], Sequence[str]]]
    hosts: Sequence[Callable[..., Any]] = ()
    constructs: Mapping[str, Callable[[DeviceRunner, Instr], Any]] = field(default_factory=dict)
    n_scalars: int = 0
    late: frozenset[str] = frozenset()
    may_fail: bool = False
    is_fixed: bool = False
    on_host: list[str] = field(default_factory=list)
    constants: dict[int, Block] = field(default_factory=dict)  # id(instruction) -> its bytes on the device
    modules: dict[Any, Module] = field(default_factory=dict)
    launches: dict[Any, Any] = field(default_factory=dict)
    # shapes and addresses -> None: seen once; recordings; False: too long for one
    seen: dict[Any, Any] = field(default_factory=dict)
    pool: PrivatePool | None = None  # of the recordings
    epilogues: dict[int, Any] = field(default_factory=dict)  # id of a product or launch -> `gpu.gemm_epilogue.Epilogue`

    def release(self) -> None:
        """Empty the caches, when memory is short."""
        self.seen.clear()
        self.pool = None


def run_on_device(
    made: DeviceProgram,
    args: Sequence[np.ndarray | DeviceArray],
    state: Callable[[], Sequence[DeviceStorage]],
    on_device: Sequence[bool],
    fail: Fail,
    inject: int = -1,
    log: list[Any] | None = None,
    repeated: Repeated | None = None,
) -> tuple[Any, Sequence[DeviceStorage]]:
    """The outputs of one call: arrays of the host, or `DeviceArray`s where `on_device` says so; and its state.

    args: any-strided arrays of exactly the program's dtypes.  state(): the storage of the shared variables, once the
    call has the device.  fail: as in `interpreter.runner.run`.  repeated: gets a recording that is about to be
    repeated, arguments and state.
    """
    wait = MIN_WAIT_SECONDS
    while True:
        with made.device.held():
            made.device.bury()
            storages = state()
            owner = owner_of(storages)
            if not owner and made.is_fixed and inject < 0 and log is None:
                return _repeated(made, args, storages, on_device, fail, repeated), storages
            if not owner:
                return DeviceRunner(made, args, storages, on_device, fail, inject, log).run(), storages
        wait = wait_once(owner, wait)


def _repeated(
    made: DeviceProgram,
    args: Sequence[Any],
    storages: Sequence[DeviceStorage],
    on_device: Sequence[bool],
    fail: Fail,
    repeated: Repeated | None,
) -> Any:
    """A call of a program whose work is fixed: executed, recorded at the second time, repeated from the third on."""
    key = (
        tuple([_place(a) for a in args]),
        tuple([(_place(s.array), _place(s.spare)) for s in storages]),
        tuple(on_device),
    )
    recordings = made.seen.get(key)
    replay = next((r for r in recordings or () if r.is_free()), None)
    if replay is not None:
        if repeated is not None:
            repeated(replay, args, storages)
        outputs = replay.run(args, storages, fail)
        return outputs if made.program.code[-1].list_slot >= 0 else outputs[0]  # type: ignore[attr-defined]  # Return
    runner = DeviceRunner(
        made, args, storages, on_device, fail, -1, None, key in made.seen and recordings is not False,
        lends=len(recordings or ()) < MAX_LENDING,
    )  # fmt: skip
    result = runner.run()
    recording, runner.recording = runner.recording, False
    if len(made.seen) >= MAX_CANDIDATES or (recording and sum(map(bool, made.seen.values())) >= MAX_RECORDINGS):
        made.release()
    found = made.seen.get(key)
    made.seen[key] = ([*(found or ()), recording] if recording else recording) if key in made.seen else None
    return result


def _place(value: Any) -> Any:
    """The key of an argument, or of a variable's storage, in a recording."""
    if isinstance(value, DeviceArray):
        return value.address, value.shape, value.strides
    return value.shape if value is not None else None


class _Given:
    """An argument, packed and uploaded when something needs it on the device."""

    __slots__ = ("array", "shape", "strides", "block", "address")

    def __init__(self, value: np.ndarray | DeviceArray) -> None:
        self.array, self.shape = value, value.shape
        self.block: Any = None
        self.address = 0
        if isinstance(value, DeviceArray):
            self.strides, self.address, self.block = value.strides, value.address, value.owner
        else:
            self.strides = contiguous_strides(value.shape, value.dtype.itemsize)


class DeviceRunner(Runner):
    """One call.  Pointers are addresses of the device; `live` has the number of bytes at each one."""

    def __init__(
        self,
        made: DeviceProgram,
        args: Sequence[Any],
        storages: Sequence[DeviceStorage],
        on_device: Sequence[bool],
        fail: Fail,
        inject: int = -1,
        log: list[Any] | None = None,
        is_recorded: bool = False,
        lends: bool = False,
    ) -> None:
        super().__init__(made.program, [], storages, made.kernels, made.hosts, inject, log, self.failed)  # type: ignore[arg-type]
        self.made, self.device = made, made.device
        self.driver: Any = Recorder(made.device.driver, self.start_of) if is_recorded else made.device.driver
        if is_recorded and made.pool is None:
            made.pool = PrivatePool(made.device.pool)
        self.pool: Any = made.pool if is_recorded else made.device.pool
        self.recording: Replay | bool = False
        self.lends = lends
        self.given = [_Given(a) for a in args]
        self.on_device, self.raised = on_device, fail
        self.table = TABLE
        self.live: dict[int, int] = {}
        self.owned: list[Block] = []  # storage kept to the call's end
        self.known: dict[int, np.ndarray] = {}  # arguments on the device, and on the host
        self.pending: list[Condition] = []  # conditions not tested yet
        # A word that stays 0, for launches that cannot fail; then one for each condition.
        size = 8 * (1 + MAX_FLAGS * (made.may_fail or bool(made.late)))
        self.flags = self.dummy = self.take(size).address
        self.driver.fill(self.flags, 0, size)
        self.late: dict[str, int] = {}  # addresses of numbers that only checks read, by name
        self.scalars = self.take(8 * max(made.n_scalars, 1)).address if made.n_scalars else 0
        self.n_scalars = 0
        self.is_done = self.has_looked = False
        self.deferred: Any = None  # a product that may be computed with its epilogue
        self.hosts = [self.unlocked(host) for host in made.hosts]

    def run(self) -> Any:
        try:
            return super().run()
        finally:  # now, not at the next collection: the runner is part of cycles
            self.owned, self.blocks, self.given, self.objs, self.hosts = [], [], [], [], ()
            self.fail, self.driver, self.pool = self.raised, self.device.driver, self.device.pool

    def code(self, code: Sequence[Instr]) -> None:
        if not isinstance(self.driver, Recorder):
            super().code(code)
            return
        for i in code:  # blocks that an instruction takes are scratch that it writes
            reads, writes = ({self.values[n] for n in names if n in self.values} for names in self.made.touched(i))
            self.driver.scope, self.pool.taken = (reads, writes), writes
            self.table[type(i).__name__](self, i)

    def take(self, size: int) -> Block:
        block: Block = self.pool.take(size)
        self.owned.append(block)
        return block

    def failed(self, kind: int, site: int, values: tuple[int, ...]) -> Exception:
        """The error of the first launch with a bad index, if there is one, else that of the record."""
        return self.index_error() or self.raised(kind, site, values)

    def index_error(self) -> Exception | None:
        pending, self.pending = self.pending, []
        if not pending:
            return None
        self.has_looked = True
        failed_condition = first_failed(self.device.download(self.flags + 8, (len(pending),), np.int64), pending)
        self.driver.fill(self.flags + 8, 0, 8 * len(pending))  # numbers have been copied there; launches only set words
        return self.raised(*failed_condition) if failed_condition else None

    def check_flags(self) -> None:
        error = self.index_error()
        if error is not None:
            raise error

    # -- sources, scalars, storage ------------------------------------------------------------------------------------
    def source(self, src: Any) -> Any:
        return self.given[src[1]] if src[0] == "arg" else self.shared[src[1]].array

    def data(self, i: p.Data) -> None:
        found = self.source(i.src)
        if isinstance(found, _Given) and found.block is None:
            packed = np.ascontiguousarray(found.array).reshape(found.shape)
            found.block = self.take(packed.nbytes)
            found.address = found.block.address
            self.device.upload(found.address, packed)
            if isinstance(self.driver, Recorder):
                self.driver.uploaded(found.address, i.src[1], packed)
            self.known[found.address] = packed
        self.values[i.dst] = found.address
        array: Any = found.array if isinstance(found, _Given) else found
        first, end = array.span() if isinstance(array, DeviceArray) else (found.address, found.address + array.nbytes)
        self.live[first] = end - first

    def load_scalar(self, i: p.LoadScalar) -> None:
        address = self.values[i.ptr]
        if i.dst in self.made.late:
            self.late[i.dst] = address
            return
        known = self.known.get(address)
        if known is None or known.dtype != i.dtype:
            self.check_flags()
            known = self.device.download(address, (1,), i.dtype)
        value = int(known.reshape(-1)[0])
        self.values[i.dst] = value - (1 << 64) if value >= 1 << 63 else value

    def check(self, i: p.Check) -> None:
        """Check a number that is on the device: at the call's end, before the commit."""
        address = self.late.get(i.a)
        if address is None:
            super().check(i)
        else:
            self.driver.copy(self.condition(Condition(i.op, self.values[i.b], i.site, layouts.ERR_CHECK)), address, 8)

    def store_scalar(self, i: p.StoreScalar) -> None:
        value = np.int64(self.values[i.value])
        exact = value != 0 if i.dtype == "bool" else value.astype(i.dtype)
        self.driver.store(self.values[i.ptr], struct.pack("<" + SCALARS[i.dtype], exact))

    def slot(self, i: p.Slot) -> None:
        self.values[i.dst] = address = self.scalars + 8 * self.n_scalars
        self.live[address] = 8
        self.n_scalars += 1

    def bytes(self, i: p.Bytes) -> None:
        block = self.made.constants.get(id(i))
        if block is None:
            block = self.made.constants[id(i)] = self.device.block_of(np.frombuffer(i.data, np.uint8))
        self.values[i.dst] = block.address
        self.live[block.address] = len(i.data)

    def arena(self, i: p.Arena) -> None:
        for name, size in i.items:
            n = self.values[size]
            if not 0 <= n < MAX_ITEM_BYTES:
                raise self.fail(layouts.ERR_MEMORY, i.site, ())
            block = self.pool.take(n)
            self.blocks.append((block, name, n))
            self.values[name] = block.address
            self.live[block.address] = n

    def close(self, mark: int) -> None:
        for block, _, _ in self.blocks[mark:]:
            self.live.pop(block.address, None)
        del self.blocks[mark:]

    def new_out(self, i: p.NewOut) -> None:
        dtype, shape = np.dtype(self.program.outputs[i.output][0]), tuple(self.values[d] for d in i.dims)
        pool = (
            self.device.pool if self.on_device[i.output] else self.pool
        )  # others may be the last owners of outputs that stay
        block = pool.take(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        self.place(i.dst, i.slot, DeviceArray(self.device, block.address, shape, dtype, block))

    def prepare(self, i: p.Prepare) -> None:
        storage: Any = self.shared[i.shared]
        self.place(i.dst, i.slot, storage.place(tuple(self.values[d] for d in i.dims)))

    def place(self, name: str, slot: int, array: DeviceArray) -> None:
        self.objs[slot] = array
        self.values[name] = array.address
        self.live[array.address] = array.nbytes

    # -- work ---------------------------------------------------------------------------------------------------------
    def launch(self, i: p.Launch) -> None:
        step = self.made.steps[i.plan]
        if step is None:
            self.on_host(i)
            return
        product, self.deferred = self.deferred, None
        if product is not None and self.made.constructs["Epilogue"](self, product):
            return
        addresses, strides, lengths, words, found = self.arranged(i)
        flag = self.flag(i) if step.plan.may_fail else self.dummy
        symbols, sizes, overlaps = found
        rooms = [self.pool.take(size) for size in (*sizes, *(size for _, _, size in overlaps))]
        for (k, first, size), room in zip(overlaps, rooms[len(sizes) :], strict=True):
            self.driver.copy(room.address, first, size)
            addresses[k] += room.address - first
        places = [room.address for room in rooms]
        key = i.plan, "launches", *addresses, strides, lengths, words, *places, flag
        launches = self.made.launches.get(key, ())
        if launches == ():
            made = step.launches(
                addresses, strides, symbols, places[: len(sizes)], flag, self.driver.info.multiprocessors
            )
            launches = self.remember(key, made)
        if launches is None:
            raise self.fail(layouts.ERR_INDEX, i.site, ())
        for name, grid, block, arguments in launches:
            self.driver.launch(self.made.module.kernels[name], grid, block, arguments)

    def arranged(self, i: p.Launch) -> tuple[list[int], Any, Any, Any, Any]:
        """Addresses, byte strides, lengths and integers of a launch, and `arrange`'s result."""
        v, step = self.values, self.made.steps[i.plan]
        addresses = [v[o] for o in i.operands]
        strides = tuple([tuple([0 if s is None else v[s] for s in row]) for row in i.strides])
        lengths, words = tuple([v[e] for e in i.extents]), tuple([v[x] for x in i.ints])
        key = i.plan, *addresses, strides, lengths, words
        found = self.made.launches.get(key)
        if found is None:
            found = self.remember(key, self.arrange(step, addresses, strides, lengths, words))
        return addresses, strides, lengths, words, found

    def remember(self, key: Any, value: Any) -> Any:
        if len(self.made.launches) >= MAX_REMEMBERED:
            self.made.launches.clear()
        self.made.launches[key] = value
        return value

    def arrange(self, step: Any, addresses: Sequence[int], strides: Any, lengths: Any, words: Any) -> Any:
        """(lengths by symbol, bytes of temporaries, inputs to be copied because an output overlaps them)."""
        symbols = step.lengths(lengths, words)
        sizes = step.temporaries(symbols, strides)
        spans = []
        for b, address, steps in zip(step.plan.operands, addresses, strides, strict=True):
            shape = tuple(n if isinstance(n, int) else symbols[n] for n in b.shape)
            spans.append(DeviceArray(self.device, address, shape, b.type, None, steps).span())
        count = step.plan.n_inputs
        names = [b.name for b in step.plan.operands]
        # an output and an input of one name share storage by intent
        updated = {(name, first) for name, (first, _) in zip(names[count:], spans[count:], strict=True)}
        overlaps = [
            (k, first, end - first)
            for k, (first, end) in enumerate(spans[:count])
            if (names[k], first) not in updated and any(first < e and f < end for f, e in spans[count:])
        ]
        return symbols, sizes, overlaps

    def flag(self, i: p.Launch) -> int:
        """The address of the word that the launch sets for an index out of range."""
        return self.condition(Condition("eq", 0, i.site, layouts.ERR_INDEX))

    def condition(self, condition: Condition) -> int:
        """The address of the word that the condition tests."""
        if len(self.pending) == MAX_FLAGS:
            self.check_flags()
        self.pending.append(condition)
        word = self.flags + 8 * len(self.pending)
        if isinstance(self.driver, Recorder):
            self.driver.scope[1].add(word)
        return word

    def construct(self, i: Instr) -> None:
        self.made.constructs[type(i).__name__](self, i)

    def copy(self, i: p.Copy) -> None:
        to, source, n = (self.values[name] for name in (i.dst, i.src, i.bytes))
        if n and to != source:
            self.driver.copy(to, source, n)

    def fill(self, i: p.Fill) -> None:
        if n := self.values[i.bytes]:
            self.driver.fill(self.values[i.dst], 0, n)

    # -- host steps ---------------------------------------------------------------------------------------------------
    def on_host(self, i: Instr) -> None:
        """Execute an instruction on the host: download all storage that it touches, upload what it wrote."""
        self.check_flags()
        reads, writes = self.made.touched(i)
        before, rooms = {name: self.values[name] for name in {*reads, *writes}}, {}
        for name, address in before.items():
            first = self.start_of(address)
            if first not in rooms:
                rooms[first] = self.fetch(first)
            self.values[name] = int(rooms[first].ctypes.data) + address - first
        try:
            RUN[type(i).__name__](self, i)
        finally:
            self.values.update(before)
        for first in {self.start_of(before[name]) for name in writes}:
            self.device.upload(first, rooms[first])

    def start_of(self, address: int) -> int:
        """The address of the storage that contains an address; the address itself where none does: an empty slice may
        begin anywhere."""
        if address in self.live:
            return address
        return next((first for first, size in self.live.items() if first <= address < first + size), address)

    def fetch(self, first: int) -> np.ndarray:
        """Aligned host memory with a copy of the storage at `first`."""
        size = self.live.get(first, 0)
        room = np.empty(size + 64, np.uint8)
        start = -room.ctypes.data % 64
        if size:
            self.driver.download(room[start : start + size], first)
        return room[start : start + size]

    def host_call(self, i: p.HostCall) -> None:
        """Python code runs without the device's lock; meanwhile the call's variables are locked."""
        if not self.pinned:
            for storage in self.shared:
                storage.lock = threading.get_ident()
                self.pinned.append(storage)
        self.on_host(i)

    def unlocked(self, host: Callable[..., Any]) -> Callable[..., Any]:
        """A host step that blocks neither other threads' use of the device, nor this thread's use of another one."""

        def call(*arrays: Any) -> Any:
            driver: Any = self.device.driver
            driver.let_go()
            self.device.lock.release()
            try:
                return host(*arrays)
            finally:
                self.device.lock.acquire()
                driver.hold()

        call.explain = getattr(host, "explain", None)  # type: ignore[attr-defined]  # read by `host_call`
        return call

    # -- state --------------------------------------------------------------------------------------------------------
    def pin(self, i: p.Pin) -> None:
        """The device's lock is enough."""

    release_gil = acquire_gil = pin  # type: ignore[assignment]

    def finish(self, updates: Sequence[tuple[int, DeviceArray]]) -> None:
        """Everything that can fail has happened: outputs are fetched, all work is done, no index was out of range."""
        self.is_done = True
        slots = self.program.code[-1].slots  # type: ignore[attr-defined]  # a program ends with Return
        outputs = [self.objs[slot] for slot in slots]
        if isinstance(self.driver, Recorder):
            self.recording = self.recorded(outputs, updates)
        if isinstance(self.recording, Replay):
            for k, (slot, stays) in enumerate(zip(slots, self.on_device, strict=False)):
                self.objs[slot] = self.recording.left(k) if stays else self.objs[slot]
        home = [(k, self.objs[k]) for k, stays in zip(slots, self.on_device, strict=False) if not stays]
        conditions, self.pending = self.pending, []
        *fetched, words = self.device.fetched(
            [*((a.address, a.shape, a.dtype) for _, a in home), (self.flags + 8, (len(conditions),), np.int64)]
        )
        failed_condition = first_failed(words, conditions)
        if failed_condition:
            raise self.raised(*failed_condition)
        for (slot, _), array in zip(home, fetched, strict=True):
            self.objs[slot] = array

    def recorded(self, outputs: Sequence[DeviceArray], updates: Sequence[tuple[int, DeviceArray]]) -> Replay | bool:
        if self.has_looked or not self.driver.fits_recording():
            return False
        flags = self.flags + 8, tuple(self.pending)
        try:
            return Replay(self.device, self.driver, self.pool, outputs, self.on_device, updates, flags, self.lends)
        except DeviceMemoryError:  # no pinned memory is left, which the call does not need
            return False

    def commit(self, i: p.Commit) -> None:
        updates = [(k, self.objs[slot]) for k, slot in i.updates]
        self.finish(updates)
        commit([(self.shared[k], array) for k, array in updates])  # type: ignore[misc]  # DeviceStorage

    def ret(self, i: p.Return) -> None:
        if not self.is_done:
            self.finish([])
        super().ret(i)


_BY_HOST = ("Const", "Extent", "Stride", "Arith", "Mul", "Compare", "Offset", "Select", "NewList", "For", "If")
_DEVICE_STEPS: dict[str, Callable[..., None]] = {
    "Data": DeviceRunner.data, "Check": DeviceRunner.check, "LoadScalar": DeviceRunner.load_scalar,
    "StoreScalar": DeviceRunner.store_scalar,
    "Slot": DeviceRunner.slot, "Bytes": DeviceRunner.bytes, "Arena": DeviceRunner.arena, "NewOut": DeviceRunner.new_out,
    "Prepare": DeviceRunner.prepare, "Launch": DeviceRunner.launch, "Gemm": DeviceRunner.construct,
    "Scatter": DeviceRunner.construct, "LibraryCall": DeviceRunner.construct, "Copy": DeviceRunner.copy,
    "Fill": DeviceRunner.fill, "Pin": DeviceRunner.pin,
    "ReleaseGil": DeviceRunner.pin, "AcquireGil": DeviceRunner.pin, "Commit": DeviceRunner.commit,
    "Return": DeviceRunner.ret,
}  # fmt: skip
ON_DEVICE = frozenset((*_BY_HOST, *_DEVICE_STEPS))  # all other instructions are host steps
FIXED = ON_DEVICE - {"LoadScalar"}
TABLE: dict[str, Callable[..., None]] = {
    **dict.fromkeys(RUN, DeviceRunner.on_host), **{name: RUN[name] for name in _BY_HOST}, **_DEVICE_STEPS,
    "HostCall": DeviceRunner.host_call,
}  # fmt: skip
