"""Native calls of functions on a GPU: the tables that the library's `replay` reads.

Python makes the first calls.  Each recording that repeats is written down here (`abi.layouts`: TB_*, RC_*), and a later
call that matches it needs no line of Python.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from operator import is_
from typing import Any

import numpy as np

from tensordsl.codegen.abi import layouts
from tensordsl.runtime.calls.entry import Function, Slow, fill_argument, function_type, new_function
from tensordsl.runtime.device.array import DeviceArray
from tensordsl.runtime.device.device import Device
from tensordsl.runtime.device.replay import Replay
from tensordsl.runtime.device.state import DeviceStorage
from tensordsl.runtime.loading import library
from tensordsl.runtime.loading.layout import address_of, api, function_address, peek, poke

INT64_MAX = (1 << 63) - 1  # of a word
# (minimum, maximum) of a word, by the comparison with a limit
RANGES: dict[str, Callable[[int], tuple[int, int]]] = {
    "eq": lambda n: (n, n), "le": lambda n: (-INT64_MAX - 1, n), "lt": lambda n: (-INT64_MAX - 1, n - 1),
    "ge": lambda n: (n, INT64_MAX), "gt": lambda n: (n + 1, INT64_MAX),
}  # fmt: skip


class Recordings:
    """The recordings that native calls of one function know; the oldest one makes room for the newest.

    `table`: what native code reads.  `kept`: per recording what it points to.  The collector clears neither bytes nor
    arrays of objects, so that a function that it clears can still be called.
    """

    __slots__ = ("table", "kept", "_next", "__weakref__")

    def __init__(self, table: bytearray) -> None:
        self.table, self._next = table, 0
        self.kept = np.empty(layouts.RECORDINGS, object)

    def release(self) -> None:
        """Drop them when memory is short; the device's lock is held."""
        poke(address_of(self.table) + layouts.TB_COUNT, 0)
        self._next = 0
        self.kept[:] = None

    def add(self, replay: Replay, args: Sequence[Any], storages: Sequence[DeviceStorage]) -> None:
        """Let native code repeat a recording of these arguments and values; the device's lock is held."""
        states = [(s, s.array, s.spare) for s in storages]
        if self._has(replay, states):
            return
        replay.capture()
        if not is_native(replay, states):
            return
        start, place = address_of(self.table), self._next % layouts.RECORDINGS
        self.kept[place] = replay, states, *written(replay, args, states)
        poke(start + layouts.TB_RECORDS + 8 * place, address_of(self.kept[place][2]))
        self._next += 1
        poke(start + layouts.TB_COUNT, min(self._next, layouts.RECORDINGS))

    def _has(self, replay: Replay, states: Sequence[tuple[Any, ...]]) -> bool:
        """Whether native calls have it already."""
        return any(
            old is not None and old[0] is replay and all(map(is_, chain(*old[1]), chain(*states))) for old in self.kept
        )


def is_native(replay: Replay, states: Sequence[tuple[DeviceStorage, Any, Any]]) -> bool:
    """Whether a recording needs nothing that only Python does."""
    home = {number for number, _, _ in replay.fetched}
    return (
        replay.graph is not None
        and not any(storage.is_copy for storage, _, _ in states)
        and all(c.op in RANGES for c in replay.flags[1])
        and all(k in home or o.nbytes == 0 or replay.is_lent(k) for k, o in enumerate(replay.outputs))
    )


def written(
    replay: Replay, args: Sequence[Any], states: Sequence[tuple[DeviceStorage, Any, Any]]
) -> tuple[bytearray, ...]:
    """The words of a recording, and those that they point to."""
    rooms = {number: room for number, _, room in replay.staged}
    home = {number: room for number, _, room in replay.fetched}
    dims: list[bytearray] = []

    def lengths(shape: tuple[int, ...]) -> int:
        dims.append(_words(shape or (0,)))
        return address_of(dims[-1])

    arguments = []
    for k, a in enumerate(args):
        room = rooms.get(k)
        place = a.place if isinstance(a, DeviceArray) else None
        arguments += [
            id(place) if place is not None else 0, lengths(a.shape), len(a.shape), a.dtype.itemsize,
            room.ctypes.data if room is not None else 0, room.nbytes if room is not None else 0,
        ]  # fmt: skip
    outputs = []
    for k, o in enumerate(replay.outputs):
        room = home.get(k)
        outputs += [
            id(o) if replay.is_lent(k) else 0, lengths(o.shape), room.ctypes.data if room is not None else 0, o.nbytes,
        ]  # fmt: skip
    parts = [
        _words(some)
        for some in (
            arguments, [id(x) for state in states for x in state],
            [id(x) for k, array in replay.updates for x in (states[k][0], array)], outputs,
            [n for c in replay.flags[1] for n in RANGES[c.op](c.limit)],
        )
    ]  # fmt: skip
    at = [address_of(part) for part in parts]
    words = home.get(len(replay.outputs))
    record = _words((
        replay.graph, *at[:4], words.ctypes.data if words is not None else 0, at[4], len(states), len(replay.updates),
        len(replay.flags[1]),
    ))  # fmt: skip
    return record, *parts, *dims


def _words(values: Sequence[int]) -> bytearray:
    """8-byte words; at least one, so that there is an address."""
    return bytearray(b"".join((n & (1 << 64) - 1).to_bytes(8, "little") for n in values) or bytes(8))


def make_device_function(
    device: Device,
    args: Sequence[tuple[str, Sequence[int | None]]],
    outputs: Sequence[tuple[str, int]],
    is_list: bool,
    slow: Slow,
) -> tuple[Function, Recordings]:
    """A callable whose calls that a recording fits are native, and the recordings.

    slow(*args, **kwargs) makes all other calls.  A call that fails at the driver raises its error.
    """
    library.require("native", "replay")
    driver: Any = device.driver

    def entry(frame: int, function: Function, *given: Any) -> Any:
        if peek(frame + layouts.FR_KIND) == layouts.ERR_DEVICE:
            raise driver.calls.error(layouts.DRIVER_CALLS[peek(frame + layouts.FR_B)], peek(frame + layouts.FR_A))
        return slow(*given)

    recordings = Recordings(bytearray(layouts.TB_SIZE))
    borrowed = device.lock.acquire, device.lock.release
    _fill_table(recordings.table, device, borrowed, is_list, len(outputs))
    sizes = (
        layouts.CTX_SIZE,
        layouts.DESC_SIZE * len(args),
        layouts.OUT_SIZE * len(outputs),
        8 * sum(len(s) for _, s in args),
    )
    words = bytearray(sum(sizes))
    start = address_of(words)
    desc_at, out_at, extent_at = (start + sum(sizes[:i]) for i in range(1, 4))
    for i, (dtype, shape) in enumerate(args):
        fill_argument(desc_at + layouts.DESC_SIZE * i, dtype, shape, extent_at)
        poke(desc_at + layouts.DESC_SIZE * i + layouts.DESC_DEVICE, id(DeviceArray))
        extent_at += 8 * len(shape)
    for i, (dtype, ndim) in enumerate(outputs):
        poke(out_at + layouts.OUT_SIZE * i + layouts.OUT_DESCR, id(np.dtype(dtype)))
        poke(out_at + layouts.OUT_SIZE * i + layouts.OUT_NDIM, ndim, ctypes.c_int32)
    for offset, value in (
        (layouts.CTX_RT, library.table()), (layouts.CTX_KERN, address_of(recordings.table)),
        (layouts.CTX_DESC, desc_at),
        (layouts.CTX_OUTS, out_at), (layouts.CTX_PROGRAM, library.address("replay", "replay")),
        (layouts.CTX_ON_ERROR, id(entry)),
        (layouts.CTX_N_ARGS, len(args)), (layouts.CTX_INJECT, -1),
    ):  # fmt: skip
        poke(start + offset, value)
    owner = words, recordings.table, recordings.kept, recordings, borrowed, entry, slow
    device.hoards.add(recordings)
    return new_function(function_type(), owner, start, slow), recordings


def _fill_table(
    table: bytearray, device: Device, lock: tuple[Callable[..., Any], ...], is_list: bool, n_outs: int
) -> None:
    driver: Any = device.driver
    values = {
        layouts.TB_ACQUIRE: id(lock[0]), layouts.TB_RELEASE: id(lock[1]), layouts.TB_FALSE: id(False),
        layouts.TB_TRUE: id(True),
        layouts.TB_NONE: id(None), layouts.TB_ZERO: id(0), layouts.TB_LOOK: device.look.ctypes.data,
        layouts.TB_EQUAL: function_address(api, "PyObject_RichCompareBool"),
        layouts.TB_CLEAR: function_address(api, "PyErr_Clear"),
        layouts.TB_CONTEXT: driver.context(), layouts.TB_STREAM: driver.stream,
        layouts.TB_PLACE: _slot(DeviceArray, "place"), layouts.TB_WEAK: DeviceArray.__weakrefoffset__,
        layouts.TB_LIST: is_list, layouts.TB_N_OUTS: n_outs,
    }  # fmt: skip
    names = "array", "spare", "mirror", "lock", "is_shown", "is_left"
    offsets = layouts.TB_ARRAY, layouts.TB_SPARE, layouts.TB_MIRROR, layouts.TB_LOCK, layouts.TB_SHOWN, layouts.TB_LEFT
    values |= {at: _slot(DeviceStorage, name) for at, name in zip(offsets, names, strict=True)}
    values |= {layouts.TB_CALLS + 8 * k: driver.calls.address(name) for k, name in enumerate(layouts.DRIVER_CALLS)}
    for offset, value in values.items():
        poke(address_of(table) + offset, value)


@cache
def _slot(kind: type, name: str) -> int:
    """The offset of a slotted attribute in objects of a class."""
    made: Any = object.__new__(kind)
    marker = object()
    getattr(kind, name).__set__(made, marker)
    found = [at for at in range(layouts.HEAD, kind.__basicsize__, 8) if peek(id(made) + at) == id(marker)]
    assert len(found) == 1, "a slot is one word"
    return found[0]
