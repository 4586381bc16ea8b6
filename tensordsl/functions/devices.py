"""Functions on devices: from a `FunctionSpec` to a program whose steps are kernels of a GPU or of the simulator."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from tensordsl.base.config import config
from tensordsl.functions.device_calls import STEPS, compiled_text, kernel_target
from tensordsl.functions.link import Function, explained, site_of, with_methods
from tensordsl.functions.native import program_key, tuning_of
from tensordsl.graph.types import COMPLEX, DTYPES
from tensordsl.graph.variables import unwatched
from tensordsl.runtime.device.array import DeviceArray, from_cuda_array, from_dlpack, to_device
from tensordsl.runtime.device.device import Device, Module, get_device
from tensordsl.runtime.device.runner import FIXED, ON_DEVICE, DeviceProgram, run_on_device
from tensordsl.runtime.device.state import DeviceStorage
from tensordsl.runtime.loading import cache
from tensordsl.signature.arguments import Parameter, normalise
from tensordsl.signature.modes import Mode
from tensordsl.signature.spec import FunctionSpec

if TYPE_CHECKING:
    from tensordsl.debugging.profiling import Profile

__all__ = ["DeviceArray", "from_dlpack", "get_device", "link_device", "to_device"]

Array = Any  # of the host or of a device

_programs: WeakValueDictionary[Any, DeviceProgram] = WeakValueDictionary()  # those that functions have
_warned: set[str] = set()
_DTYPES = {name: np.dtype(name) for name in (*DTYPES, *COMPLEX)}


class _Failure(Exception):
    """What a call reports: the site of the program, `codegen.abi.layouts` ERR_*, up to three numbers."""

    def __init__(self, kind: int, site: int, values: tuple[int, ...]) -> None:
        super().__init__(kind, site, values)
        self.kind, self.site, self.values = kind, site, values


def link_device(spec: FunctionSpec, mode: Mode, profile: Profile | None = None) -> Callable[[list[Array]], list[Array]]:
    """`spec` on its device, called with exact arrays.  Raises DeviceError."""
    return _linked(spec, mode, profile)[0]


def _linked(
    spec: FunctionSpec, mode: Mode, profile: Profile | None = None
) -> tuple[Callable[[list[Array]], list[Array]], DeviceProgram, list[Any]]:
    """What runs `spec`, its program, and a list for who wants to know of the recordings that are repeated."""
    device = get_device(spec.device)
    start = time.perf_counter()
    made, on_host, phases, origin = _compiled(spec, mode, device)
    if profile is not None:
        from tensordsl.codegen.program_ir.instructions import walk_program  # late: few functions are measured

        names = [type(i).__name__ for i in walk_program(made.program.code)]
        profile.compiled(origin, phases, names, time.perf_counter() - start)
        profile.host_steps.extend(on_host)
    updated = {shared for shared, _ in spec.updates}
    stays = (*spec.on_device, *(False for _ in made.program.outputs))  # a mode may have added outputs

    def state() -> list[DeviceStorage]:
        return [shared.on_device(device) for shared in spec.shared]

    told: list[Any] = []

    def run(arrays: list[Array]) -> list[Array]:
        device.check()
        for shared in updated:
            shared.wait_until_free()
        try:
            values, storages = run_on_device(made, arrays, state, stays, _Failure, repeated=told[0] if told else None)
        except _Failure as error:
            failure = error
        else:
            for shared, storage in zip(spec.shared, storages, strict=True):
                if shared in updated:
                    shared.written_back(storage)
            return [values] if spec.form == "one" else list(values)
        raise _explained(failure, made.program.sites, spec, arrays)

    return run, made, told


def device_function(spec: FunctionSpec, mode: Mode) -> Any:
    """What a user calls: native code where a GPU's driver can repeat the whole call, around it a `link.Function`."""
    run, made, told = _linked(spec, mode)
    function = Function(spec, mode, run)
    driver: Any = made.device.driver
    is_plain = spec.form in ("one", "list") and not any(
        p.is_state or p.implicit or p.is_opaque for p in spec.parameters
    )
    if not (is_plain and made.is_fixed and hasattr(driver, "has_graphs") and driver.has_graphs()):
        return function
    from tensordsl.runtime.device.entry import make_device_function  # late: few functions are for GPUs

    program = made.program
    is_list = program.code[-1].list_slot >= 0  # type: ignore[attr-defined]  # a program ends with Return
    native, recordings = make_device_function(made.device, program.args, program.outputs, is_list, function.__call__)
    told.append(recordings.add)
    return with_methods(native, spec, mode)


def _explained(
    failure: _Failure, sites: Mapping[int, Any], spec: FunctionSpec, arrays: Sequence[Array]
) -> AssertionError:
    """Raises the error in the user's words."""
    from tensordsl.debugging import checks  # late: only for errors

    site = site_of(failure, {str(k): v for k, v in sites.items()})
    checks.raise_site(site, failure.values, spec, [np.asarray(a) for a in arrays])
    return AssertionError("raise_site raises")


# -- compiling -------------------------------------------------------------------------------------------------------
def _compiled(
    spec: FunctionSpec, mode: Mode, device: Device
) -> tuple[DeviceProgram, list[str], list[tuple[str, float]], str]:
    """The program on the device, what it does on the host, the phases of the compiler, and where it came from."""
    name = program_key(spec, mode, f"{kernel_target(device)},{config.fastmath}")
    if name is None:
        return *_compile(spec, mode, device, None), "compiled"
    found: tuple[DeviceProgram, list[str], list[tuple[str, float]], str]
    key = id(device), name
    made = _programs.get(key)
    if made is not None:
        return made, made.on_host, [], "process"
    stored = cache.read(name, _unpacked)
    if stored is not None:
        found = *_stored(device, *stored), [], "disk"
    else:
        found = *_compile(spec, mode, device, name), "compiled"
    _programs[key] = found[0]
    return found


def _unpacked(blob: bytes) -> tuple[Any, list[Any], str]:
    from tensordsl.codegen.gpu import serialise

    return serialise.from_bytes(blob)


def _stored(device: Device, program: Any, steps: list[Any], text: str) -> tuple[DeviceProgram, list[str]]:
    """The program that the disk cache had."""
    return _assembled(device, program, steps, [None] * len(steps), text, (), [])


@unwatched()
def _compile(
    spec: FunctionSpec, mode: Mode, device: Device, name: str | None
) -> tuple[DeviceProgram, list[str], list[tuple[str, float]]]:
    """`name`: the key under which the disk cache gets the program."""
    from tensordsl.codegen.compiler import pipeline
    from tensordsl.codegen.gpu import program as gpu_program  # late: the compiler
    from tensordsl.codegen.gpu import serialise
    from tensordsl.codegen.gpu.kernels import module_text
    from tensordsl.codegen.target.tuning import Tuning

    tuning = (tuning_of(mode) or Tuning.here()).without("native_lapack")  # devices have no kernels of factors
    lowered, program, trace = pipeline.make_program(
        spec.name, spec.inputs, spec.shared, spec.outputs, spec.updates, spec.form == "one", mode, device=True,
        tuning=tuning,
    )  # fmt: skip
    steps: list[Any] = []
    kernels: list[Any] = []
    refused = []
    for plan in program.plans:
        try:
            step, kernel = gpu_program.gpu_step(plan, config.fastmath, tuning.gpu), None
        except ValueError as error:
            step, kernel = None, _host_kernel(plan)
            refused.append(f"{plan.group.name}: {error}")
        steps.append(step)
        kernels.append(kernel)
    modules = [k for step in steps if step is not None for k in step.all_kernels]
    source = module_text(modules) if modules else ""
    trace.text(5, "kernels", lambda: source)
    trace.phase("kernels")
    text = compiled_text(device, source) if modules else ""
    trace.phase("ptx")
    sites = {str(k): v for k, v in program.sites.items()}
    hosts = [explained(step, spec, sites) for step in lowered.hosts]
    made, on_host = _assembled(device, program, steps, kernels, text, hosts, refused)
    trace.phase("load")
    trace.finish()
    if name is not None and not refused and not hosts:
        blob = serialise.to_bytes(program, steps, text)
        if blob is not None:
            cache.put(name, blob)
    return made, on_host, trace.phases


def _assembled(
    device: Device, program: Any, steps: list[Any], kernels: list[Any], text: str, hosts: Sequence[Any], refused: Any
) -> tuple[DeviceProgram, list[str]]:
    """The program with its kernels on the device; `refused`: groups that have none, in words."""
    from tensordsl.codegen.gpu.gemm_epilogue import epilogues
    from tensordsl.codegen.gpu.program import late_numbers
    from tensordsl.codegen.program_ir.instructions import walk_program
    from tensordsl.codegen.program_ir.verify import EFFECTS

    symbols = [k.name for step in steps if step is not None for k in step.all_kernels]
    module = Module(device, text, symbols)
    instructions = list(walk_program(program.code))
    names = [type(i).__name__ for i in instructions]
    own = (i for i in instructions if type(i).__name__ not in (*ON_DEVICE, "TakeKept"))  # that is a part of a call
    on_host = [*refused, *(_host_name(program, i) for i in own)]
    _warn(device, on_host)
    late = late_numbers(program)
    pairs = epilogues(program, steps)
    is_fixed = all(type(i).__name__ in FIXED or getattr(i, "dst", None) in late for i in instructions)
    found = {id(i): e for e in pairs for i in (e.gemm, e.launch)}

    def touched(i: Any) -> tuple[list[str], list[str]]:
        parts = [found[id(i)].gemm, i] if id(i) in found else [i]  # an epilogue's product may be computed with it
        effects = [(EFFECTS[type(x)].reads(x), EFFECTS[type(x)].writes(x)) for x in parts]
        return [name for r, _ in effects for name in r], [name for _, w in effects for name in w]

    made = DeviceProgram(
        device, program, steps, kernels, module, touched,
        hosts, STEPS, names.count("Slot"), late, any(plan.may_fail for plan in program.plans),
        not on_host and is_fixed, on_host, epilogues=found,
    )  # fmt: skip
    device.hoards.add(made)
    return made, on_host


def _host_name(program: Any, instruction: Any) -> str:
    """What a warning and a profile call a step of the host."""
    name = type(instruction).__name__
    return str(program.sites[instruction.site]["text"]) if name == "HostCall" else name.lower()


def _host_kernel(plan: Any) -> Callable[..., Any]:
    """The plan's kernel for the CPU, as the plan runner calls it; compiled at its first use."""
    ready: list[Any] = []

    def kernel(bases: list[int], strides: list[list[int]], extents: list[int], ints: list[int]) -> Any:
        if not ready:
            ready.extend(_host_code(plan))
        step, run = ready[:2]
        return run(*step.arguments(bases, strides, extents, ints))

    return kernel


def _host_code(plan: Any) -> tuple[Any, Any, Any]:
    from tensordsl.codegen.abi import layouts
    from tensordsl.codegen.compiler.modules import module_text
    from tensordsl.codegen.gpu.program import host_step
    from tensordsl.codegen.llvm.compile import compile_object
    from tensordsl.codegen.target.tuning import Tuning
    from tensordsl.runtime.interpreter.runner import native_kernel
    from tensordsl.runtime.loading import elf, layout, library

    library.require("native", "nest")
    step = host_step(plan, Tuning.here())
    code, [addresses] = elf.load([(compile_object(module_text([step.cpu.kernels])), list(step.cpu.kernels.symbols))])
    nest = layout.peek(library.table() + layouts.RT["run_nest"])
    return step, native_kernel(step.cpu, addresses, nest), code


def _warn(device: Device, on_host: Sequence[str]) -> None:
    """Once per operation and process."""
    for name in on_host:
        if name not in _warned:
            _warned.add(name)
            warnings.warn(
                f"device {device.name}: {name} has no kernel; it runs on the host, and its operands are copied there "
                "and back at each call",
                stacklevel=2,
            )


# -- arguments -------------------------------------------------------------------------------------------------------
def bound(spec: FunctionSpec, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Array]:
    """The arguments of a call as exact arrays; those on the device already stay there."""
    if not kwargs and len(args) == len(spec.parameters):
        device = get_device(spec.device)
        if all(type(a) is DeviceArray and _is_exact(a, p, device) for a, p in zip(args, spec.parameters, strict=True)):
            return list(args)
    given = [_on_device(a, spec.device) for a in (*args, *kwargs.values())]
    if not any(isinstance(a, DeviceArray) for a in given):
        return list(normalise(spec.parameters, name, args, kwargs))
    # Stand-ins of the same type are bound and checked; what needs a conversion is converted on the host.
    standing: dict[int, DeviceArray] = {}
    values = []
    for a in given:
        if isinstance(a, DeviceArray):
            stand_in = np.lib.stride_tricks.as_strided(np.zeros((), a.dtype), a.shape, (0,) * a.ndim)
            standing[id(stand_in)] = a
            a = stand_in
        values.append(a)
    kept = list(values)  # the keys are ids: they must stay
    exact = normalise(
        spec.parameters, name, tuple(kept[: len(args)]), dict(zip(kwargs, kept[len(args) :], strict=True))
    )
    used = {id(x) for x in exact}
    if set(standing) - used:
        values = [np.asarray(a) if isinstance(a, DeviceArray) else a for a in given]
        kwargs = dict(zip(kwargs, values[len(args) :], strict=True))
        return list(normalise(spec.parameters, name, tuple(values[: len(args)]), kwargs))
    return [standing.get(id(x), x) for x in exact]


def _is_exact(value: DeviceArray, parameter: Parameter, device: Device) -> bool:
    """Whether an array may be used as it is."""
    wanted, shape = parameter.variable.type, value.shape
    item = value.dtype.itemsize
    return (
        value.device is device
        and not parameter.implicit
        and not parameter.is_opaque
        and value.dtype == _DTYPES[wanted.dtype]
        and len(shape) == wanted.ndim
        and all(n is None or n == m for n, m in zip(wanted.shape, shape, strict=True))
        and not any(s % item for s in value.strides)
        and value.address % item == 0
    )


def _on_device(value: Any, name: str) -> Any:
    """A `DeviceArray` of this device where the argument is one, or what another library has on the same GPU."""
    if isinstance(value, np.ndarray | np.generic | list | tuple | int | float):
        return value
    device = get_device(name)
    if not isinstance(value, DeviceArray):
        if device.driver.language != "ptx" or not hasattr(type(value), "__cuda_array_interface__"):
            return value
        value = from_cuda_array(value, device)
    item = value.dtype.itemsize
    is_fit = value.device is device and not any(s % item for s in value.strides) and value.address % item == 0
    return value if is_fit else value.get()
