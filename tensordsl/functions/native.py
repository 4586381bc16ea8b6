"""A function's graph as object code, from the caches where they have it.

The graph's key leads to the whole executable, so that a warm start runs no pass and imports no compiler; for a graph
without a key the text of its kernels' module leads to their object.  Both are kept on disk (`loading.cache`) and, by
the graph's key, in the process.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, field
from functools import partial
from struct import pack
from typing import Any

import tensordsl.base.forks as forks  # `from tensordsl` would ask the package for the name first
import tensordsl.base.processor as processor
from tensordsl.base.records import record
from tensordsl.base.stacks import COMPILER_STACK_BYTES, with_stack
from tensordsl.base.version import LOADED, __version__
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.compiler.graph_key import graph_key
from tensordsl.codegen.compiler.optimisations import Switches, switches
from tensordsl.graph.printing import variable_text
from tensordsl.graph.variables import unwatched, with_bodies
from tensordsl.runtime.calls import threads
from tensordsl.runtime.loading import cache, lapack, late, library
from tensordsl.runtime.loading.executable import Executable, packed, unpacked
from tensordsl.runtime.loading.late import Made

IN_PROCESS = 512  # executables kept
ON_DISK = 1 << 26  # bytes of one executable, with its constants


@record(eq=False, frozen=False)
class Compiled:
    """`executable` and the Python callables of its host calls; the names of its program's `instructions` if it was
    built now."""

    executable: Executable
    hosts: list[Any]
    instructions: Sequence[str] = ()
    origin: str = "compiled"  # or "process", "disk"
    phases: list[tuple[str, float]] = field(default_factory=list)  # of the compiler, in ms
    seconds: float = 0.0


class _State:
    executables: dict[str, Executable] = {}
    version = ""
    sources = ""  # the digest of our sources
    directory: Any = ()
    flags: Switches | None = None  # the process's, by which its library is made
    tuning: Any = None  # see `set_tuning`


def compile_spec(spec: Any, mode: Any, deoptimised: bool = False) -> Compiled:
    """The object code of a `tensordsl.signature.spec.FunctionSpec`; of the mode only the choice of passes matters.
    outgrown: it is made for shared variables of any size, not for what they have now."""
    start = time.perf_counter()
    small = () if deoptimised else small_variables(spec)
    key = program_key(spec, mode, small=small)
    if key is not None:
        found = _State.executables.get(key)
        if found is not None:
            return _report(Compiled(found, [], origin="process"), spec, start)
        found = cache.read(key, _loaded)
        if found is not None:
            return _report(Compiled(_remember(key, found), [], origin="disk"), spec, start)
    compiled = _compile(spec, mode, small, _kept_kernels if key is None else _kernels)
    if key is not None and not compiled.hosts:  # callables of this graph that the key does not name: of expanded rows
        _remember(key, compiled.executable)
        if compiled.executable.size() <= ON_DISK:
            cache.put(key, compiled.executable.to_bytes())
    return _report(compiled, spec, start)


def _loaded(blob: bytes) -> Executable:
    """An executable from its bytes, with its code in memory, since that shows whether all is there."""
    executable = Executable.from_bytes(blob)
    library.require(*executable.meta.get("libraries", ()))
    executable.load()
    return executable


def small_variables(spec: Any) -> tuple[int, ...]:
    """The shared matrices that stay in the cache while a call reads them twice, what a call computes, and that lengths
    are the usual ones: what programs are made for at first."""
    matrices = ((k, v.storage) for k, v in enumerate(spec.shared) if v.type.ndim == 2)
    return (
        *(k for k, storage in matrices if storage.nbytes <= layouts.CACHED),
        layouts.HIDDEN_ROWS,
        layouts.USUAL_LENGTHS,
    )


@contextmanager
def _paused_collector() -> Iterator[None]:
    """A compile, and loading the compiler, make many objects and no garbage in cycles: collections would make its time
    grow with its square."""
    was_on = gc.isenabled()
    try:
        gc.disable()
        yield
    finally:
        if was_on:
            gc.enable()


@unwatched()
@_paused_collector()
def _compile(spec: Any, mode: Any, small: Sequence[int], kernels: Callable[[str, bool], bytes]) -> Compiled:
    with forks.lock:
        from tensordsl.codegen.compiler import pipeline  # late: a warm start needs neither passes nor emitters

    types = {variable.type.dtype for variable in (*spec.inputs, *spec.shared, *spec.outputs)}
    has_common = "precompiled_kernels" not in switches(mode).excluded
    libraries = [name for dtype, name in layouts.COMMON.items() if dtype in types and has_common]
    common = library.kernels(libraries)
    made = pipeline.compile_graph(
        spec.name,
        spec.inputs,
        spec.shared,
        spec.outputs,
        spec.updates,
        spec.form == "one",
        mode=mode,
        kernel_object=kernels,
        shapes=[variable.storage.shape for variable in spec.shared],
        small=small,
        common=common,
        common_plan=partial(library.plan, common),
        tuning=tuning_of(mode),
    )
    if any(symbol in common for plan in made.meta["plans"] if plan for symbol in plan[0]):
        made.meta["libraries"] += libraries
    executable = Executable(made.meta, made.kernels, made.host, tuple(made.constants), tuple(made.late))
    phases = made.trace.phases if made.trace is not None else []
    return Compiled(executable, made.hosts, made.instructions, phases=phases)


def tuning_of(mode: Any) -> Any:
    """The `codegen.target.tuning.Tuning` of functions under a mode; None: this machine's usual one."""
    tuning = _State.tuning if mode is None or mode.tuning is None else mode.tuning
    tuning = switches(mode).tuned(tuning)
    if lapack.find_lapack().int_size:
        return tuning
    from tensordsl.codegen.target.tuning import Tuning  # late: the compiler

    return (tuning or Tuning.here()).without("native_lapack")


def set_tuning(tuning: Any) -> None:
    """Have the library, and functions under modes that have no tuning, compiled by this one.  Raises RuntimeError where
    functions have been compiled or loaded before, as these use the library."""
    if _State.version:
        raise RuntimeError("a tuning of the process must be set before its first function is compiled")
    _State.tuning = tuning


def program_key(spec: Any, mode: Any, target: str = "", small: Sequence[int] = ()) -> str | None:
    """The key of a function's program for a target ("": this processor), and for shared variables some of which are
    `small`; None where its graph has none."""
    _prepare()
    graph = graph_key(spec.inputs, spec.shared, [*spec.outputs, *(value for _, value in spec.updates)])
    if graph is None:
        return None
    updated = [spec.shared.index(variable) for variable, _ in spec.updates]
    form = f"{len(spec.outputs)},{spec.form == 'one'},{updated},{small}"
    return cache.key("program", _State.version, _choices(mode), target, form, *graph)


def kernel_code(text: str, target: str) -> str:
    """The PTX of a module of kernels, from the disk cache if it has that of the same text.  Raises ValueError."""
    _prepare()
    key = cache.key("ptx", cache.compiler_version(), target, text)
    code = cache.read(key, bytes.decode)
    if code is None:
        from tensordsl.codegen.gpu.compile import compile_text  # late: the compiler

        code = compile_text(text, target)
        cache.put(key, code.encode())
    return code


@unwatched()
def mlir_text(spec: Any, mode: Any, level: str = "linalg", optimise: bool = True, checks: bool = False) -> str:
    """The text of a `tensordsl.signature.spec.FunctionSpec` as MLIR; see
    `tensordsl.functions.link.FunctionMethods.mlir`."""
    from tensordsl.codegen.compiler import pipeline
    from tensordsl.codegen.mlir import export as mlir  # late: the compiler
    from tensordsl.codegen.mlir.dialect import to_mlir
    from tensordsl.codegen.tensor_ir.lower import lower

    if level not in ("linalg", "tensordsl"):
        raise ValueError(f'mlir: level must be "linalg" or "tensordsl", got {level!r}')
    if level == "tensordsl" and checks:
        raise ValueError('mlir: checks are written at the level "linalg" only')
    lowered = lower(spec.inputs, spec.shared, spec.outputs, spec.updates, tuning=tuning_of(mode))
    if optimise:
        pipeline.optimise_lowered(lowered, mode)
    if level == "linalg":
        return mlir.export(lowered, checks=checks)
    return to_mlir(lowered.graph, [*lowered.outputs, *(value for _, value in lowered.updates)])


@unwatched()
def memory_map(spec: Any, mode: Any) -> Any:
    """The storages of a `tensordsl.signature.spec.FunctionSpec`; see
    `tensordsl.functions.link.FunctionMethods.memory_map`."""
    from tensordsl.codegen.compiler import pipeline
    from tensordsl.codegen.program_ir import memory_map  # late: the compiler

    single = spec.form == "one"
    _, program, _ = pipeline.make_program(
        spec.name, spec.inputs, spec.shared, spec.outputs, spec.updates, single, mode, spec.device != "cpu",
        () if spec.device != "cpu" else small_variables(spec), tuning_of(mode),
    )  # fmt: skip
    inputs, shared = (
        [v.name or f"{what} {k}" for k, v in enumerate(variables)]
        for what, variables in (("input", spec.inputs), ("shared", spec.shared))
    )
    return memory_map.memory_map(program, inputs, shared, _stacked_texts(spec, program))


def _stacked_texts(spec: Any, program: Any) -> dict[str, str]:
    """For each storage that a loop stacks rows in the loop and the value: `scan 'rnn': tanh.0`."""
    nodes, found = with_bodies(spec.nodes()), {}
    for address, (loop, node, state) in program.stacks.items():
        body = None if loop is None else nodes[loop].attrs.get("body")
        if body is None:  # a pass or an op has made it
            continue
        if state is not None and state < len(body.carried):
            text = body.carried[state].name or f"state {state}"
        else:
            text = "" if node is None else variable_text(nodes[node].outputs[0])
        found[address] = f"{body.name}: {text}"
    return found


def _kernels(text: str, forward: bool) -> bytes:
    """The object of a module of kernels."""
    from tensordsl.codegen.llvm.compile import compile_object  # late: the compiler

    return compile_object(text, 1, (), forward)


def _kept_kernels(text: str, forward: bool) -> bytes:
    """The object of a module of kernels, from the disk cache if it has one of the same text."""
    key = cache.key("kernels", cache.compiler_version(), str(forward), text)
    blob = cache.get(key)
    if blob is None:
        blob = _kernels(text, forward)
        cache.put(key, blob)
    return blob


@unwatched()
def late_object(parts: Sequence[bytes]) -> Made:
    """The kernels of plans that a call requires, from the disk cache if it has those of the same ones."""
    start = time.perf_counter()
    key = cache.key("late", _State.version, *parts)
    found = cache.read(key, _unpacked)
    if found is None:
        with forks.lock:
            from tensordsl.codegen.compiler import modules  # late: the compiler
            from tensordsl.codegen.llvm.compile import compile_object
            from tensordsl.codegen.program_ir.tables import needed_parts
            from tensordsl.codegen.target.machine import native_width

        made = modules.late_kernels(parts)
        words = [pack(f"<{len(m.descriptor)}q", *m.descriptor) for m in made]
        libraries = needed_parts(m.descriptor for m in made)
        code = compile_object(modules.module_text(made), 1, (), modules.loads_forward(made, native_width()))
        blob = packed([[m.symbols for m in made], libraries], [code, *words])
        cache.put(key, blob)
        found = _unpacked(blob)
    _tell(f"kernels that a call requires in {1e3 * (time.perf_counter() - start):.1f} ms")
    return found


def _unpacked(blob: bytes) -> Made:
    (symbols, libraries), (kernels, *descriptors) = unpacked(blob)
    return symbols, libraries, kernels, descriptors


def _remember(key: str, executable: Executable) -> Executable:
    if len(_State.executables) >= IN_PROCESS:
        _State.executables.pop(next(iter(_State.executables)))
    _State.executables[key] = executable
    return executable


def forget() -> None:
    """Drop the code that the process keeps; functions keep theirs, and the disk cache stays."""
    _State.executables.clear()
    late.forget()


def _choices(mode: Any) -> str:
    """What of a mode and of the flags changes the code."""
    wanted = switches().of_library
    if _State.flags is not None and _State.flags.of_library != wanted:
        raise ValueError(
            f"{wanted.text or 'optimizer_excluding'}: optimisations of the library, which is in use, are switched at "
            f"the program's start or in TENSORDSL_FLAGS"
        )
    chosen = switches(mode)
    if mode is None:
        return chosen.text
    guards = sorted(mode.settings.items()) if mode.executor == "nan_guard" else ""
    tuning = "" if mode.tuning is None else mode.tuning.key()
    return f"{mode.optimizer},{chosen.text},{guards}{tuning}"


# Rooms of the front whose sources say what is compiled.
FRONT = ("autodiff", "base", "debugging", "functions", "graph", "loops", "ops", "signature")


def _prepare() -> None:
    """Tell the run time where the cache is and how to compile its library.  What says that it is done comes last, for
    other threads and after an interrupt."""
    from tensordsl.base.config import config, on_change

    directory = config.compiledir
    if _State.directory != directory:
        cache.set_directory(directory or None)
        _State.directory = directory
    if not _State.version:
        processor.settle()
        folders, package = _source_folders()
        _State.sources = cache.sources_version(folders, [package], LOADED)
        version = __version__ + _State.sources + cache.compiler_version()
        version += _State.tuning.key() if _State.tuning is not None else ""
        version += lapack.key_text()
        version += "" if config.prebuilt else "own"  # a machine's own code is kept beside what its installation carries
        flags = _State.flags = switches()
        make = partial(with_stack, COMPILER_STACK_BYTES, _library_object)
        limits = partial(with_stack, COMPILER_STACK_BYTES, _cache_limits)
        library.install(make, version, lambda name: flags.of_part(name).text, limits)
        on_change("num_threads", threads.set_threads)
        _State.version = version


def _source_folders() -> tuple[list[str], str]:
    """The folders whose sources decide on what is compiled, and the package, whose own files do."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return [os.path.realpath(os.path.join(package, name)) for name in ("codegen", "runtime", *FRONT)], package


def sources_digest() -> str:
    """The digest of these sources as they are on disk."""
    folders, package = _source_folders()
    return cache.sources_digest(folders, [package])


@_paused_collector()
def _library_object(name: str) -> bytes:
    with forks.lock:
        from tensordsl.base.config import config
        from tensordsl.codegen.compiler import library_build  # late: the compiler
        from tensordsl.functions import prebuilt

        flags = (_State.flags or switches()).of_part(name)
        is_usual = config.prebuilt and config.cpu == "native" and _State.tuning is None and not flags.text
        found = prebuilt.find(name, _State.sources) if is_usual else None
        return library_build.library_objects(name, flags.tuned(_State.tuning)) if found is None else found


def _cache_limits() -> dict[str, int]:
    with forks.lock:
        from tensordsl.codegen.target.tuning import Tuning  # late: the compiler

        return asdict((_State.tuning or Tuning.here()).caches)


def _report(compiled: Compiled, spec: Any, start: float) -> Compiled:
    compiled.seconds = time.perf_counter() - start
    _tell(f"{spec.name}: {compiled.origin} in {1e3 * compiled.seconds:.1f} ms")
    return compiled


def _tell(text: str) -> None:
    """For `TENSORDSL_DEBUG`."""
    level = os.environ.get("TENSORDSL_DEBUG", "")
    if level and level != "0":
        import sys

        print(f"tensordsl: {text}", file=sys.stderr)
