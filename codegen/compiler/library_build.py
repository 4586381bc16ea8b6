"""The build of the library's objects: for each its writer, the facts of the machine it needs, and its compile options.

`library_objects(name)` -> object code, when a process first needs one that the disk cache lacks.  Writers are imported
then: there are many, and programs need few.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from tensordsl.base.records import record
from tensordsl.codegen.abi.layouts import LIBRARY
from tensordsl.codegen.compiler.modules import only
from tensordsl.codegen.llvm import compile as llvm
from tensordsl.codegen.target.tuning import Tuning


@record
class Writer:
    """The writer of some objects.  facts: arguments of `function` of `module` for a name, about the machine and the
    object; level: of code generation, with the passes in `kept`; is_minimal: it writes only functions that the object
    needs."""

    module: str
    function: str
    of_dtype: bool = False
    of_name: bool = False
    level: int = 2
    kept: tuple[str, ...] = ()
    is_minimal: bool = False

    def text(self, name: str, tuning: Tuning) -> str:
        write = getattr(import_module(self.module), self.function)
        subject = [name.partition("_")[2]] * self.of_dtype + [name] * self.of_name
        return str(write(*subject, tuning))


_SCAN = Writer("tensordsl.codegen.library.arrays.scan", "cumulate_text", of_dtype=True)
_SORT = Writer("tensordsl.codegen.library.sort.driver", "sort_text", of_dtype=True)
# By the first word of an object's name.
WRITERS: Mapping[str, Writer] = {
    "native": Writer("tensordsl.codegen.library.python.module", "native_text", level=1, kept=llvm.LOOP_PASSES),
    "threads": Writer("tensordsl.codegen.library.python.thread_pool", "thread_text"),
    "replay": Writer("tensordsl.codegen.library.python.gpu_replay", "replay_text"),
    "nest": Writer(
        "tensordsl.codegen.library.loops.entry",
        "part_text",
        of_name=True,
        level=1,
        kept=llvm.LOOP_PASSES,
        is_minimal=True,
    ),
    "gemm": Writer("tensordsl.codegen.library.gemm.dispatch", "gemm_text", of_dtype=True, level=1),
    "scatter": Writer("tensordsl.codegen.library.arrays.scatter", "scatter_text"),
    "cumsum": _SCAN,
    "cumprod": _SCAN,
    "sort": _SORT,
    "argsort": _SORT,
    "searchsorted": _SORT,
    "select": Writer("tensordsl.codegen.library.sort.argselect", "select_text", of_dtype=True),
    "positions": Writer("tensordsl.codegen.library.arrays.nonzero", "positions_text"),
    "common": Writer(
        "tensordsl.codegen.compiler.precompiled_kernels", "common_text", of_dtype=True, level=1, is_minimal=True
    ),
}


def library_objects(name: str, tuning: Tuning | None = None) -> bytes:
    """The object of `codegen.abi.layouts.LIBRARY[name]`, by this machine's tuning if none is given."""
    writer = WRITERS[name.partition("_")[0]]
    text = writer.text(name, tuning or Tuning.here())
    return llvm.compile_object(text if writer.is_minimal else only(text, LIBRARY[name]), writer.level, writer.kept)
