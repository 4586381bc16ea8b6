"""Native entry: the type `Function`, whose instances CPython calls without a line of Python, and how one is made.

`make_function(executable, cells, ...)` writes the context that `codegen.abi.layouts` describes and binds the slow path
for calls that the native check refuses.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from types import MethodType
from typing import Any, NamedTuple

import numpy as np

from tensordsl.base.errors import in_short
from tensordsl.base.limits import memory_errors
from tensordsl.codegen.abi import layouts
from tensordsl.runtime.calls import heap_types
from tensordsl.runtime.calls.host import host_entry, rounds_at
from tensordsl.runtime.calls.state import Cell, wait_for
from tensordsl.runtime.loading import library, memory
from tensordsl.runtime.loading.executable import Executable
from tensordsl.runtime.loading.late import Compile
from tensordsl.runtime.loading.layout import (
    address_of,
    api,
    decref,
    function_address,
    immortalise,
    incref,
    peek,
    poke,
)

Function = Any  # an instance of `function_type()`: callable, with attributes, weakly referable

FORKED = "a signal's handler has forked: this child has none of the threads that did parts of the call"
INTEGERS = {"int64": layouts.INT_KEEP, "float64": layouts.INT_FLOAT}


class NativeError(NamedTuple):
    """What a failed call reports: the site of the program, one of `codegen.abi.layouts` ERR_*, two numbers, and the
    rounds of the loops that it was in, the outermost first."""

    site: int
    kind: int
    values: tuple[int, int]
    rounds: tuple[int, ...] = ()


Slow = Callable[..., Any]
OnError = Callable[[NativeError, Function, tuple[Any, ...]], Any]
Hosts = Sequence[Callable[..., Any]]
Deoptimised = Callable[[], tuple[Executable, OnError, Hosts]]


def make_function(
    executable: Executable,
    cells: Sequence[Cell],
    *,
    slow: Slow,
    on_error: OnError,
    hosts: Hosts = (),
    compile: Compile | None = None,
    deoptimised: Deoptimised | None = None,
) -> Function:
    """A callable over native code.

    slow(strict, *args, **kwargs) gets every call that the native check refuses: it normalises the arguments, calls
    `strict(*args)` and returns its result; `strict` raises RuntimeError for arguments that are still not right.
    Also calls for which the stack is too small (`meta["stack"]`) go there; `strict` does not look.
    on_error(error, function, args) raises (or returns the call's result).  Waiting for other threads' calls on the same
    cells happens here.  hosts: the callables of the program's host calls (`calls.host`); compile: see `loading.late`;
    deoptimised: gives what takes the executable's place when its shared variables have become too large for it.
    """
    kind = function_type()
    context, keep = _context(executable, tuple(cells), on_error, hosts, compile, deoptimised)
    strict = new_function(kind, keep, context, _refuse, checks_stack=False)

    bound = MethodType(slow, strict)  # no function of ours, which would show in every traceback
    return new_function(kind, (keep, strict, bound), context, bound)


def _context(
    executable: Executable,
    cells: tuple[Cell, ...],
    on_error: OnError,
    hosts: Hosts,
    compile: Compile | None,
    deoptimised: Deoptimised | None = None,
) -> tuple[int, tuple[Any, ...]]:
    """The address of a context, and what it points to.

    The collector can call a function while it clears a cycle, so nothing that native code reads may be an object
    that it clears or finalises: tuples, bytearrays, mappings and arrays are not.
    """
    library.require(*executable.meta.get("libraries", ()))
    code, kernels, program = executable.load()
    absent = _absent(executable, kernels)
    args, outputs = executable.meta["args"], executable.meta["outputs"]
    host = host_entry(hosts) if hosts else None
    callables = tuple([getattr(step, "direct", step) for step in hosts])
    table = [word for step, call in zip(hosts, callables, strict=True) for word in (id(call), hasattr(step, "settle"))]
    sizes = (
        layouts.CTX_SIZE, 8 * (len(kernels) + len(absent)), 8 * len(cells), layouts.DESC_SIZE * len(args),
        layouts.OUT_SIZE * len(outputs), 8 * sum(len(shape) for _, shape in args), layouts.CALLABLE_SIZE * len(hosts),
    )  # fmt: skip
    words = bytearray(sum(sizes))
    start = address_of(words)
    _, kernel_at, cell_at, desc_at, out_at, extent_at, host_at = (start + sum(sizes[:i]) for i in range(len(sizes)))

    def deoptimise(function: Function) -> None:
        assert deoptimised is not None, "make_function was given nothing for larger variables"
        new, on_new_error, new_hosts = deoptimised()
        _replace_context(function, *_context(new, cells, on_new_error, new_hosts, compile))

    supply = _supplier(executable, kernel_at, kernel_at + 8 * len(kernels), compile)
    entry = _error_entry(cells, on_error, supply, deoptimise)
    for base, values in (
        (kernel_at, [*kernels, *absent]),
        (cell_at, [cell.address for cell in cells]),
        (host_at, table),
    ):
        for i, value in enumerate(values):
            poke(base + 8 * i, value)
    for i, (dtype, shape) in enumerate(args):
        fill_argument(desc_at + layouts.DESC_SIZE * i, dtype, shape, extent_at)
        extent_at += 8 * len(shape)
    fill_outputs(out_at, outputs)
    for offset, value in (
        (layouts.CTX_RT, library.table()), (layouts.CTX_KERN, kernel_at), (layouts.CTX_CELLS, cell_at),
        (layouts.CTX_DESC, desc_at),
        (layouts.CTX_OUTS, out_at), (layouts.CTX_PROGRAM, program), (layouts.CTX_ON_ERROR, id(entry)),
        (layouts.CTX_HOST_ENTRY, id(host) if host else 0), (layouts.CTX_HOSTS, host_at),
        (layouts.CTX_N_ARGS, len(args)), (layouts.CTX_N_SHARED, len(cells)),
        (layouts.CTX_INJECT, -1), (layouts.CTX_STACK, executable.meta.get("stack", 0)),
    ):  # fmt: skip
        poke(start + offset, value)
    return start, (words, code, executable, entry, host, callables, tuple(cell.words for cell in cells))


def fill_argument(at: int, name: str, shape: Sequence[int | None], extents: int) -> None:
    """Write an argument's descriptor; its wanted extents go to `extents` if one is fixed."""
    dtype = np.dtype(name)
    poke(at + layouts.DESC_DESCR, id(dtype))
    poke(at + layouts.DESC_NDIM, len(shape), ctypes.c_int32)
    poke(at + layouts.DESC_FLAGS, layouts.ALIGNED, ctypes.c_int32)
    if not shape:
        poke(at + layouts.DESC_SCALAR, id(dtype.type))
        poke(at + layouts.DESC_PYTHON, id(float) if name == "float64" else 0)
        poke(at + layouts.DESC_INT, INTEGERS.get(name, layouts.INT_REFUSE))
    if any(extent is not None for extent in shape):
        poke(at + layouts.DESC_STATIC, extents)
    for i, extent in enumerate(shape):
        poke(extents + 8 * i, -1 if extent is None else extent)


def fill_outputs(at: int, outputs: Sequence[tuple[str, int]]) -> None:
    """Write the outputs' descriptors: of each its dtype and rank."""
    for i, (name, ndim) in enumerate(outputs):
        dtype, place = np.dtype(name), at + layouts.OUT_SIZE * i
        poke(place + layouts.OUT_DESCR, id(dtype))
        poke(place + layouts.OUT_NDIM, ndim, ctypes.c_int32)
        poke(place + layouts.OUT_ITEMSIZE, dtype.itemsize)


def _absent(executable: Executable, kernels: Sequence[int]) -> list[int]:
    """The words whose bits name the late plans without kernels."""
    places = [layouts.PLAN_SIZE // 8 * plan for plan in executable.meta.get("late", ())]
    return [
        sum(1 << bit for bit, place in enumerate(places[k : k + layouts.CHOICES]) if not kernels[place])
        for k in range(0, len(places), layouts.CHOICES)
    ]


def _supplier(executable: Executable, table: int, absent: int, compile: Compile | None) -> Callable[[int, int], None]:
    def supply(missing: int, first: int) -> None:
        """Load the kernels of the plans that the bits name; they are then present for calls in other threads, too."""
        assert compile is not None, "make_function was given no compiler"
        numbers = [first + bit for bit in range(missing.bit_length()) if missing >> bit & 1]
        for place, address in executable.supply(numbers, compile):
            poke(table + 8 * place, address)
        word = absent + 8 * (first // layouts.CHOICES)
        poke(word, peek(word) & ~missing)

    return supply


def _error_entry(
    cells: tuple[Cell, ...],
    on_error: OnError,
    supply: Callable[[int, int], None],
    deoptimise: Callable[[Function], None],
) -> Callable[..., Any]:
    def entry(frame: int, function: Function, *args: Any) -> Any:
        kind = peek(frame + layouts.FR_KIND)
        if kind == layouts.ERR_BUSY:
            return wait_for(cells)  # None: the stub repeats the call
        if kind == layouts.ERR_ABSENT:
            with memory_errors():
                return supply(peek(frame + layouts.FR_A), peek(frame + layouts.FR_B))
        if kind == layouts.ERR_DEOPTIMISE:
            with memory_errors():
                deoptimise(function)
            return function(*args)
        if kind == layouts.ERR_FORKED:
            raise RuntimeError(FORKED)
        values = (peek(frame + layouts.FR_A), peek(frame + layouts.FR_B))
        try:
            return on_error(NativeError(peek(frame + layouts.FR_SITE), kind, values, rounds_at(frame)), function, args)
        except Exception as error:
            raise in_short(error) from error.__cause__

    return entry


def _replace_context(function: Function, context: int, keep: tuple[Any, ...]) -> None:
    """Give a function another context.  It keeps the old one, which calls in other threads may still run."""
    at = id(function)
    old = peek(at + layouts.FN_OWNER)
    owner = ctypes.cast(old, ctypes.py_object).value, keep
    incref(id(owner))
    poke(at + layouts.FN_OWNER, id(owner))
    poke(at + layouts.FN_CTX, context)
    decref(old)  # last: an interrupt before only leaks memory


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("internal error: the native check refused normalised arguments")


def _cleared(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("this function has been destroyed by the garbage collector")


# The heap type


_made: list[type] = []  # the type


def function_type() -> type:
    """The type of compiled functions, made once per process.  It takes methods by assignment."""
    library.require("native")
    with library.lock():
        if not _made:
            _make_type()
    return _made[0]


def _make_type() -> None:
    _dead_context()
    functions = [library.symbol(name) for name in layouts.DATA_FUNCTIONS]
    library.set_entry("np_handler", memory.data_handler(library.table(), functions))
    slots = {
        heap_types.TP_CALL: function_address(api, "PyVectorcall_Call"),
        heap_types.TP_TRAVERSE: library.symbol("tp_traverse"),
        heap_types.TP_CLEAR: library.symbol("tp_clear"),
        heap_types.TP_DEALLOC: library.symbol("tp_dealloc"),
    }
    offsets = {
        "__vectorcalloffset__": layouts.FN_VECTORCALL, "__dictoffset__": layouts.FN_DICT,
        "__weaklistoffset__": layouts.FN_WEAK,
    }  # fmt: skip
    flags = heap_types.HAVE_GC | heap_types.HAVE_VECTORCALL
    _made.append(heap_types.make_type("tensordsl.Function", layouts.FN_SIZE, flags, slots, offsets))


def _dead_context() -> None:
    """What a collected function calls: a context that refuses every argument, and a slow path that raises."""
    context = (ctypes.c_int64 * (layouts.CTX_SIZE // 8))()
    immortalise(context)
    immortalise(_cleared)
    context[layouts.CTX_RT // 8] = library.table()
    context[layouts.CTX_N_ARGS // 8] = -1
    library.set_entry("dead_ctx", ctypes.addressof(context))
    library.set_entry("dead_slow", id(_cleared))


def new_function(kind: type, owner: Any, context: int, slow: Callable[..., Any], checks_stack: bool = True) -> Function:
    """A new object of the type: it owns `owner`, which keeps context and slow path alive.  checks_stack: a call checks
    the stack, if the context says how much it needs."""
    stub = library.symbol("stack_checking_stub" if checks_stack and peek(context + layouts.CTX_STACK) else "stub")
    made: Function = _native_new()(id(kind), id(owner), context, id(slow), stub)
    return made


@cache
def _native_new() -> Callable[..., Any]:
    return ctypes.PYFUNCTYPE(ctypes.py_object, *[ctypes.c_void_p] * 5)(library.symbol("new_function"))
