"""Handles of calls from C: a context over a table of its own, whose helpers make no objects (`library.python.c_calls`).

Contract  an executable without host steps and updates, and the values of its shared variables -> `Handle`, whose
          address such calls get; it keeps alive all that they use.
When      C code, or a thread without the interpreter, calls a compiled function.
Why       a call may run while anything happens to the interpreter, so it must reach nothing that may vanish there.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensordsl.codegen.abi import layouts
from tensordsl.runtime.calls.entry import fill_argument, fill_outputs
from tensordsl.runtime.loading import elf, library
from tensordsl.runtime.loading.executable import Executable
from tensordsl.runtime.loading.late import Compile
from tensordsl.runtime.loading.layout import address_of, bytes_address, poke

MAX_ALIGNMENT_BYTES = 8  # of elements: that of a complex number is that of its parts


class Handle:
    """What calls from C get the address of.  `keep`: what has to live as long, besides the executable.

    When it is dropped the words at the address stay, and calls say that it is gone: callers may know the address alone.
    """

    def __init__(self, address: int, executable: Executable, keep: tuple[Any, ...], words: tuple[Any, ...]) -> None:
        self.address, self.executable, self.keep = address, executable, keep
        weakref.finalize(self, _end, address, words).atexit = False


def _end(address: int, words: tuple[Any, ...]) -> None:
    poke(address + layouts.CTX_PROGRAM, symbol("c_dropped"))
    _KEPT.append(words)


_KEPT: list[Any] = []  # what calls by addresses of dropped C functions reach; some hundred bytes each


def make_handle(
    executable: Executable, values: Sequence[np.ndarray], texts: Mapping[int, str], compile: Compile
) -> Handle:
    """values: of the shared variables, C-contiguous, which nobody changes; texts: what a failure at a site says;
    compile: see `loading.late`.  All kernels and parts of the library are loaded now: such a call can load none."""
    library.require(*executable.meta.get("libraries", ()), *layouts.NEST_PARTS, "c_calls")
    code, kernels, program = executable.load()
    executable.supply([k for k, part in enumerate(executable.late) if part], compile)
    own_table = _table()
    args, outputs = executable.meta["args"], executable.meta["outputs"]
    absent = -(-len(executable.meta.get("late", ())) // layouts.CHOICES)
    strings = [texts.get(k, "").encode() for k in range(max(texts, default=-1) + 1)] + [b"the arguments do not fit"]
    axes = sum(len(shape) for _, shape in args)
    sizes = (
        layouts.CC_SIZE, 8 * (len(kernels) + absent), 8 * len(values), layouts.SRC_SIZE * len(values),
        layouts.DESC_SIZE * len(args), layouts.OUT_SIZE * len(outputs), 8 * axes, 8 * len(strings), 8 * len(args),
    )  # fmt: skip
    words = bytearray(sum(sizes))
    start = address_of(words)
    _, kernel_at, cell_at, source_at, desc_at, out_at, extent_at, text_at, item_at = (
        start + sum(sizes[:i]) for i in range(len(sizes))
    )
    for at, numbers in (
        (kernel_at, [*kernels, *[0] * absent]),
        (cell_at, [source_at + layouts.SRC_SIZE * k for k in range(len(values))]),
        (source_at, [word for value in values for word in _source(value)]),
        (text_at, map(bytes_address, strings)),
        (item_at, [min(np.dtype(dtype).alignment, MAX_ALIGNMENT_BYTES) for dtype, _ in args]),
    ):
        for i, value in enumerate(numbers):
            poke(at + 8 * i, value)
    for i, (dtype, shape) in enumerate(args):
        fill_argument(desc_at + layouts.DESC_SIZE * i, dtype, shape, extent_at)
        extent_at += 8 * len(shape)
    fill_outputs(out_at, outputs)
    for offset, value in (
        (layouts.CTX_RT, ctypes.addressof(own_table)), (layouts.CTX_KERN, kernel_at), (layouts.CTX_CELLS, cell_at),
        (layouts.CTX_DESC, desc_at), (layouts.CTX_OUTS, out_at), (layouts.CTX_PROGRAM, program),
        (layouts.CTX_N_ARGS, len(args)), (layouts.CTX_N_SHARED, len(values)), (layouts.CTX_INJECT, -1),
        (layouts.CTX_STACK, executable.meta.get("stack", 0)), (layouts.CC_TEXTS, text_at),
        (layouts.CC_N_TEXTS, len(strings) - 1), (layouts.CC_N_OUTS, len(outputs)), (layouts.CC_N_AXES, axes),
        (layouts.CC_ITEMS, item_at),
    ):  # fmt: skip
        poke(start + offset, value)
    return Handle(start, executable, (code, tuple(values)), (words, own_table, tuple(strings)))


def _table() -> Any:
    """A copy of the process's table, with other helpers."""
    size = 8 * len(layouts.RT_NAMES)
    table = (ctypes.c_int64 * len(layouts.RT_NAMES))()
    ctypes.memmove(table, library.table(), size)
    for name in layouts.C_HELPERS:
        table[layouts.RT[name] // 8] = library.address("c_calls", f"c_{name}")
    return table


def _source(value: np.ndarray) -> tuple[int, int, int]:
    """Where a value, its lengths and its strides are."""
    shape = ctypes.c_void_p.from_address(id(value) + layouts.ND_DIMS).value or 0
    strides = ctypes.c_void_p.from_address(id(value) + layouts.ND_STRIDES).value or 0
    return value.ctypes.data, shape, strides


def symbol(name: str) -> int:
    """The address of a function of the library for calls from C."""
    return library.address("c_calls", name)


def load_entry(code: bytes, name: str) -> tuple[int, Any]:
    """(the address of a function of an object that calls by a handle inside, and so stays as the handle's words do)."""
    loaded, addresses = elf.load([(code, [name])])
    _KEPT.append(loaded)
    return addresses[0][0], loaded
