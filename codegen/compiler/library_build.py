"""The library's objects: by whom each is written, what of the machine its writer is told, and how it is compiled.

A process compiles one when it first needs it and the disk cache has none.  Writers are imported then, each by itself:
there are many, and programs need few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.abi.layouts import LIBRARY
from tensordsl.codegen.compiler.modules import only
from tensordsl.codegen.llvm import compile as llvm
from tensordsl.codegen.target.tuning import Tuning


@record
class Writer:
    """Of some objects.  facts: what `function` of `module` is told for an object's name and a tuning; level:
    of code generation, with the passes in `kept`; is_whole: it writes no functions that the object does not need."""

    module: str
    function: str
    facts: Callable[[str, Tuning], tuple[Any, ...]]
    level: int = 2
    kept: tuple[str, ...] = ()
    is_whole: bool = False

    def text(self, name: str, tuning: Tuning) -> str:
        write = getattr(import_module(self.module), self.function)
        return str(write(*self.facts(name, tuning)))


def _dtype(name: str) -> str:
    return name.partition("_")[2]


def _dtype_and_width(name: str, tuning: Tuning) -> tuple[str, int]:
    return _dtype(name), tuning.machine.vector_bytes


def _products(name: str, tuning: Tuning) -> tuple[Any, ...]:
    return *_dtype_and_width(name, tuning), tuning.machine.has_panels, tuning.machine.prefers_halves


def _scans(name: str, tuning: Tuning) -> tuple[Any, ...]:
    return *_dtype_and_width(name, tuning), tuning.machine.isa


def _scatters(name: str, tuning: Tuning) -> tuple[Any, ...]:
    return tuning.machine.vector_bytes, "half" if tuning.machine.has_half else ""


def _is_arm(name: str, tuning: Tuning) -> tuple[Any, ...]:
    return (tuning.machine.is_arm,)


_SCAN = Writer("tensordsl.codegen.library.arrays.scan", "cumulate_text", _scans)
_SORT = Writer("tensordsl.codegen.library.sort.driver", "sort_text", _dtype_and_width)
# By the first word of an object's name.
WRITERS: Mapping[str, Writer] = {
    "native": Writer("tensordsl.codegen.library.python.module", "native_text", _is_arm, 1, llvm.LOOP_PASSES),
    "threads": Writer("tensordsl.codegen.library.python.thread_pool", "thread_text", _is_arm),
    "replay": Writer("tensordsl.codegen.library.python.gpu_replay", "replay_text", lambda name, tuning: ()),
    "nest": Writer(
        "tensordsl.codegen.library.loops.entry",
        "part_text",
        lambda name, tuning: (name, tuning),
        1,
        llvm.LOOP_PASSES,
        is_whole=True,
    ),
    "gemm": Writer("tensordsl.codegen.library.gemm.dispatch", "gemm_text", _products, 1),
    "scatter": Writer("tensordsl.codegen.library.arrays.scatter", "scatter_text", _scatters),
    "cumsum": _SCAN,
    "cumprod": _SCAN,
    "sort": _SORT,
    "argsort": _SORT,
    "searchsorted": _SORT,
    "select": Writer("tensordsl.codegen.library.sort.argselect", "select_text", _dtype_and_width),
    "positions": Writer(
        "tensordsl.codegen.library.arrays.nonzero",
        "positions_text",
        lambda name, tuning: (tuning.machine.vector_bytes,),
    ),
    "common": Writer(
        "tensordsl.codegen.compiler.precompiled_kernels",
        "common_text",
        lambda name, tuning: (_dtype(name), tuning),
        1,
        is_whole=True,
    ),
}


def library_objects(name: str, tuning: Tuning | None = None) -> bytes:
    """The object of `codegen.abi.layouts.LIBRARY[name]`, by this machine's tuning if none is given."""
    writer = WRITERS[name.partition("_")[0]]
    text = writer.text(name, tuning or Tuning.here())
    return llvm.compile_object(text if writer.is_whole else only(text, LIBRARY[name]), writer.level, writer.kept)
