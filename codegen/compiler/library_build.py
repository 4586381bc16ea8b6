"""The build of the library's objects: for each its writer and its compile options.

`library_objects(name)` -> object code, when a process first needs one that the disk cache lacks.  Writers are imported
then: there are many, and programs need few.
"""

from __future__ import annotations

from collections.abc import Mapping

from tensordsl.codegen import constructs as constructs  # for those that have functions of the library
from tensordsl.codegen.abi.layouts import CALLED, LIBRARY
from tensordsl.codegen.compiler.modules import only
from tensordsl.codegen.library.object_writer import ObjectWriter
from tensordsl.codegen.llvm import compile as llvm
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.codegen.tensor_ir.construct import of_function

# By the first word of an object's name; functions that a `LibraryCall` names are rows of their constructs.
WRITERS: Mapping[str, ObjectWriter] = {
    "native": ObjectWriter("tensordsl.codegen.library.python.module", "native_text", level=1, kept=llvm.LOOP_PASSES),
    "threads": ObjectWriter("tensordsl.codegen.library.python.thread_pool", "thread_text"),
    "c": ObjectWriter("tensordsl.codegen.library.python.c_calls", "c_calls_text", level=1),
    "replay": ObjectWriter("tensordsl.codegen.library.python.gpu_replay", "replay_text"),
    "nest": ObjectWriter(
        "tensordsl.codegen.library.loops.entry",
        "part_text",
        of_name=True,
        level=1,
        kept=llvm.LOOP_PASSES,
        is_minimal=True,
    ),
    "gemm": ObjectWriter("tensordsl.codegen.library.gemm.dispatch", "gemm_text", of_dtype=True, level=1),
    "scatter": ObjectWriter("tensordsl.codegen.library.arrays.scatter", "scatter_text"),
    "common": ObjectWriter(
        "tensordsl.codegen.compiler.precompiled_kernels", "common_text", of_dtype=True, level=1, is_minimal=True
    ),
}


def writer_of(name: str) -> ObjectWriter:
    """Who writes an object."""
    word = name.partition("_")[0]
    if word in WRITERS:
        return WRITERS[word]
    writer: ObjectWriter = of_function(CALLED[word]).writer
    return writer


def library_objects(name: str, tuning: Tuning | None = None) -> bytes:
    """The object of `codegen.abi.layouts.LIBRARY[name]`, by this machine's tuning if none is given."""
    writer = writer_of(name)
    text = writer.text(name, tuning or Tuning.here())
    return llvm.compile_object(text if writer.is_minimal else only(text, LIBRARY[name]), writer.level, writer.kept)
