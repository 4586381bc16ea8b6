"""Linking: a `FunctionSpec` becomes native code, or the reference evaluator under a mode that needs it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.base.errors import ResultShapeError, ResultTypeError, in_short
from tensordsl.base.forks import lock
from tensordsl.base.limits import memory_errors
from tensordsl.base.stacks import COMPILER_STACK_BYTES, with_stack
from tensordsl.functions.inspection import Containers, Maker, container_of, holder, places, signature_of
from tensordsl.graph.conversion import convert
from tensordsl.graph.printing import variable_text
from tensordsl.graph.substitute import substitute
from tensordsl.graph.variables import Variable, ancestors, unwatched
from tensordsl.signature.arguments import Parameter, normalise
from tensordsl.signature.io import In
from tensordsl.signature.modes import Mode
from tensordsl.signature.shared import Container, SharedVariable, TensorSharedVariable
from tensordsl.signature.spec import FunctionSpec, shared_of

if TYPE_CHECKING:
    from tensordsl.debugging.profiling import Profile
    from tensordsl.functions.c_functions import CFunction

Array = np.ndarray[Any, Any]
Run = Callable[[list[Array]], list[Array]]


def build(spec: FunctionSpec, mode: Mode, profile: Profile | None = None) -> Any:
    """The callable that `tensordsl.function` returns."""
    with memory_errors():
        return with_stack(COMPILER_STACK_BYTES, _build, spec, mode, profile)


def _build(spec: FunctionSpec, mode: Mode, profile: Profile | None) -> Any:
    if profile is not None:
        return Function(spec, mode, profile.timed(link(spec, mode, profile)), profile)
    if mode.executor == "native" and spec.device != "cpu":
        from tensordsl.functions.devices import device_function  # late: most functions run on the CPU

        return device_function(spec, mode)
    if mode.executor == "native":
        return native_function(spec, mode)
    return Function(spec, mode, link(spec, mode))


def link(spec: FunctionSpec, mode: Mode, profile: Profile | None = None) -> Run:
    """How `spec` runs under `mode`: exact arrays in, output arrays out; updates happen inside, all or none."""
    if mode.executor == "native":
        return link_native(spec, mode, profile)
    from tensordsl.debugging import checks as debugging  # late: few functions are looked into

    return debugging.link(spec, mode, lambda twin: link_native(twin, mode, profile))


# -- native ----------------------------------------------------------------------------------------------------------
def compile_native(spec: FunctionSpec, mode: Mode, profile: Profile | None = None, explains: bool = True) -> Any:
    """The native callable of `spec`: it takes the operands and returns one array or a list.  explains: its errors tell
    what happened; those of a call that is made to explain another one need not."""
    with lock:
        from tensordsl.functions.native import compile_spec, late_object  # late: they load the run time
        from tensordsl.runtime.calls.entry import make_function

    compiled = compile_spec(spec, mode)
    if profile is not None:
        profile.compiled(compiled.origin, compiled.phases, compiled.instructions, compiled.seconds)
    # The native entry takes exactly what `normalise` makes of an argument of the same position.
    has_states = any(parameter.is_state for parameter in spec.parameters)
    needed = compiled.executable.meta.get("stack", 0)  # bytes

    def slow(strict: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            operands = args if has_states else normalise(spec.parameters, spec.name, args, kwargs)
            return with_stack(needed, strict, *operands) if needed else strict(*operands)
        except Exception as error:
            raise in_short(error) from error.__cause__

    executable, on_error, hosts = _parts(compiled, spec, mode, explains)
    for step in hosts if profile is not None else ():
        if hasattr(step, "direct"):
            step.direct = profile.timed_step(step.__name__, step.direct)  # type: ignore[union-attr]  # there is one
    return make_function(
        executable,
        [shared.cell for shared in spec.shared],
        slow=slow,
        on_error=on_error,
        hosts=hosts,
        compile=partial(with_stack, COMPILER_STACK_BYTES, late_object),
        deoptimised=lambda: _parts(
            with_stack(COMPILER_STACK_BYTES, compile_spec, spec, mode, deoptimised=True), spec, mode
        ),
    )


EAGER_INVARIANTS = "eager_invariants"  # the optimisation


def _parts(compiled: Any, spec: FunctionSpec, mode: Mode, explains: bool = True) -> tuple[Any, Any, list[Any]]:
    """Of the compiled spec: the executable, what reports errors of its sites, and the callables of its host calls."""
    sites = compiled.executable.meta.get("sites", {})

    def again(twin: FunctionSpec) -> Run:
        native = compile_native(twin, mode, explains=False)
        return lambda arrays: list(native(*arrays))

    again_without: list[Any] = []  # the function that computes in front of loops what rounds need only if one runs

    def on_error(error: Any, function: Any, args: tuple[Any, ...]) -> Any:
        from tensordsl.codegen.compiler.optimisations import switches
        from tensordsl.debugging import checks as debugging  # late: only for errors

        site = site_of(error, sites)
        is_eager = EAGER_INVARIANTS not in switches(mode).excluded
        if is_eager and debugging.is_of_invariants(site, spec):
            if not again_without:
                with suppress(Exception):  # then this error stands
                    again_without.append(compile_native(spec, mode.excluding(EAGER_INVARIANTS), explains=explains))
            if again_without:
                return again_without[0](*args)
        if not explains:
            raise RuntimeError("a call that is made to explain another one has failed, too")
        arrays = [np.asarray(value, dtype=v.type.dtype) for value, v in zip(args, spec.inputs, strict=True)]
        debugging.raise_site(site, error.values, spec, arrays, error.rounds, again)

    return compiled.executable, on_error, [explained(step, spec, sites) for step in compiled.hosts]


def explained(step: Any, spec: FunctionSpec, sites: Mapping[str, Any]) -> Any:
    """A host step whose refusals of its operands tell the user where he wrote it, and in which round."""
    if step.node.row.effect:
        return step

    def explain(error: Exception, site: int, rounds: Sequence[int], arrays: Sequence[Array]) -> Exception:
        from tensordsl.debugging.checks import loops_at  # late: only for errors
        from tensordsl.debugging.reports import report, with_note

        if step.node.row.is_custom and not isinstance(error, ResultTypeError | ResultShapeError):
            return with_note(error, step.node, loops_at(sites.get(str(site), {}), spec, rounds))
        if not isinstance(error, TypeError | ValueError | IndexError):
            return error
        return report(error, spec, step.node, list(arrays), loops_at(sites.get(str(site), {}), spec, rounds))

    @wraps(step)
    def explained(*arrays: Array) -> Any:
        return step(*arrays)

    own: Any = explained  # what `runtime.calls.host` reads
    own.direct, own.explain = getattr(step, "direct", step), explain
    if step.node.row.is_custom:
        own.settle = step.settle
    return explained


def site_of(error: Any, sites: Mapping[str, Any]) -> dict[str, Any]:
    """The site of a native error as `debugging.raise_site` wants it; what went wrong beats what was expected to."""
    from tensordsl.codegen.abi import layouts

    kinds = {layouts.ERR_OVERFLOW: "overflow", layouts.ERR_MEMORY: "memory", layouts.ERR_INDEX: "index"}
    site = dict(sites.get(str(error.site), {"kind": "internal", "node": None, "text": f"internal error {error}"}))
    site["kind"] = kinds.get(error.kind, site["kind"])
    return site


def link_native(spec: FunctionSpec, mode: Mode, profile: Profile | None = None) -> Run:
    """`spec` as native code of its device, called with exact arrays."""
    if spec.device != "cpu":
        from tensordsl.functions.devices import link_device  # late: most functions run on the CPU

        return link_device(spec, mode, profile)
    compiled = compile_native(spec, mode, profile)

    def run(arrays: list[Array]) -> list[Array]:
        values = compiled(*arrays)
        return [values] if spec.form == "one" else list(values)

    return run


def native_function(spec: FunctionSpec, mode: Mode) -> Any:
    """The native callable itself where it does all that a call needs, else a Python one around it."""
    if spec.form not in ("one", "list") or not all(p.is_plain for p in spec.parameters):
        return Function(spec, mode, link_native(spec, mode))
    return with_methods(compile_native(spec, mode), spec, mode)


def with_methods(native: Any, spec: FunctionSpec, mode: Mode) -> Any:
    """A native callable with all that can be asked of a function."""
    kind = type(native)
    if not hasattr(kind, "_has_methods"):
        for name, method in FunctionMethods.__dict__.items():
            if callable(method) or isinstance(method, property):
                setattr(kind, name, method)
        kind._has_methods = True  # last: another thread may come in between, or an interrupt
    native.spec, native.mode, native.name, native.trust_input = spec, mode, spec.name, False
    native.__name__ = native.__qualname__ = spec.name
    native.profile = None
    return native


# -- what users hold -------------------------------------------------------------------------------------------------
class FunctionMethods:
    """What can be asked of a function, native or not."""

    spec: FunctionSpec
    mode: Mode
    name: str

    def __repr__(self) -> str:
        return f"<tensordsl function {self.name!r}>"

    @property
    def __signature__(self) -> inspect.Signature:
        """What a call takes, for `inspect.signature` and what asks it, such as `scipy.optimize.curve_fit`."""
        return signature_of(self.spec)

    @property
    def maker(self) -> Maker:
        """The graph and mode, as Theano's programs look for them: `f.maker.fgraph.toposort()`."""
        return Maker(self.spec, self.mode)

    outputs = property(lambda self: self.maker.outputs)
    indices = property(lambda self: self.maker.indices)
    output_keys = property(lambda self: self.maker.output_keys)
    unpack_single = property(lambda self: self.maker.unpack_single)
    n_returned_outputs = property(lambda self: len(self.spec.outputs))

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle or copy holds the graph and the values; it is compiled again where it is loaded (from the cache)."""
        return build, (self.spec, self.mode)

    def mlir(self, level: str = "linalg", optimise: bool = True, checks: bool = False) -> str:
        """The function as the text of an MLIR module, whose function `main` takes inputs and shared variables and
        returns outputs and new values of updated shared variables.

        level: "linalg" (func, linalg, tensor, arith, math, scf: upstream MLIR verifies and lowers it) or "tensordsl"
        (the
        tensor IR before fusion, in a dialect of our own).  optimise: after the compiler's passes, not as written.
        checks: with what the function checks about lengths, as cf.assert.  Raises ValueError for what has no MLIR form.
        """
        from tensordsl.functions.native import mlir_text  # late: it loads the run time

        return mlir_text(self.spec, self.mode, level, optimise, checks)

    def memory_map(self) -> Any:
        """The storages of a call as a tuple that prints as a table: name, kind ("arena", "stack", "output", "state"),
        size in bytes as a text over the lengths of the inputs, the steps of the program between which it is in use, its
        place in the arena, and the shared variable in whose own storage it may be.

        >>> import tensordsl
        >>> import tensordsl.tensor as T
        >>> x = T.matrix("x")
        >>> [s.bytes for s in tensordsl.function([x], T.exp(x)).memory_map()]
        ['8 * x.shape[0] * x.shape[1]']
        """
        from tensordsl.functions.native import memory_map  # late: it loads the run time

        return memory_map(self.spec, self.mode)

    def c_function(self, signature: str = "general") -> CFunction:
        """The function as a C function, for callers without an interpreter: samplers, integrators, threads.

        signature: "general" (structs of `c_header`), "nutpie.logp", "nutpie.expand", "double(double)" and others of
        `tensordsl.functions.c_functions.SIGNATURES`; docs/c-functions.md has all.
        It may be called from several threads at once, and gives the results that a call gives, bit for bit.  Shared
        variables have the values that they have now.
        Raises ValueError for a function with updates, with states, with steps that Python does, or of a device, and for
        an unknown signature; TypeError where the function does not fit it.

        >>> import tensordsl
        >>> import tensordsl.tensor as T
        >>> x = T.dvector("x")
        >>> c = tensordsl.function([x], T.sum(x ** 2)).c_function("double(int, double*, void*)")
        >>> c.signature
        'double f(int n, double *x, void *handle)'
        """
        from tensordsl.functions.c_functions import make_c_function  # late: few functions are called from C

        return make_c_function(self.spec, self.mode, signature)

    def c_header(self) -> str:
        """The C header of `c_function`'s general signature: its structs, and what this function's arguments are."""
        from tensordsl.functions.c_functions import c_header  # late: as above

        return c_header(self.spec)

    def to(self, device: str) -> Any:
        """The same function on another device ("cpu", "cuda", "sim"); the shared variables are the same.

        Raises DeviceError, ValueError.
        """
        return build(replace(self.spec, device=device), self.mode)

    def get_shared(self) -> list[TensorSharedVariable]:
        """The shared variables that a call reads or updates."""
        return list(self.spec.shared)

    def free(self) -> None:
        """Release intermediate storage: there is none between calls."""

    def copy(
        self,
        share_memory: bool = False,
        swap: Mapping[Any, Any] | None = None,
        delete_updates: bool = False,
        name: str | None = None,
        profile: Any = None,
    ) -> Any:
        """Another function of the same graph; `swap` maps shared variables to those that take their place."""
        return copy(self.spec, self.mode, swap or {}, delete_updates, name, profile)

    def __getitem__(self, key: Any) -> Any:
        """The default or state of an input (by name, variable or position), or the value of a shared variable.

        None for an input that holds none: each call gives it.  Raises TypeError for what is neither.
        """
        held = holder(self.spec, key)
        if isinstance(held, SharedVariable):
            return held.get_value()
        return held.default if held.default is None or held.is_opaque else np.array(held.default)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Set it; a default is converted as an argument is."""
        held = holder(self.spec, key)
        if isinstance(held, SharedVariable):
            held.set_value(value)
        elif held.default is None:
            raise TypeError(f"the input {held} of {self.name!r} holds no value: each call gives it")
        elif held.is_opaque:
            held.default = value
        else:
            exact = convert(value, held.variable.type, held.strict, held.allow_downcast)
            held.default = np.array(exact, order="C")

    def __contains__(self, key: Any) -> bool:
        """Whether `f[key]` is something."""
        try:
            holder(self.spec, key)
        except TypeError:
            return False
        return True

    @property
    def value(self) -> FunctionMethods:
        """Theano's name for what `f[key]` reads and `f[key] = value` sets."""
        return self

    @property
    def container(self) -> Containers:
        """`f.container[key]`: the place of what `f[key]` reads; `In(x, value=f.container[key])` shares it."""
        return Containers(self)

    @property
    def input_storage(self) -> list[Container]:
        """The places of the inputs, then of the shared variables."""
        return [container_of(held) for _, held in places(self.spec)]

    @property
    def finder(self) -> dict[Any, Container]:
        """The places by position, variable and name."""
        found: dict[Any, Container] = {}
        for position, (variable, held) in enumerate(places(self.spec)):
            place = container_of(held)
            found.update({position: place, variable: place})
            if held.name is not None:
                found.setdefault(held.name, place)
        return found

    @property
    def inv_finder(self) -> dict[Container, In]:
        """The inputs by their places."""
        return dict(zip(self.input_storage, self.maker.inputs, strict=True))


class Function(FunctionMethods):
    """A function that Python calls: it binds and converts the arguments, runs, and packs the outputs."""

    def __init__(self, spec: FunctionSpec, mode: Mode, run: Run, profile: Profile | None = None) -> None:
        self.spec, self.mode, self.name, self.run, self.profile = spec, mode, spec.name, run, profile
        self.__name__ = self.__qualname__ = spec.name
        self.trust_input = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._call(args, kwargs)
        except Exception as error:
            raise in_short(error) from error.__cause__

    def _call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        spec = self.spec
        if spec.device != "cpu":
            from tensordsl.functions.devices import bound  # late: most functions run on the CPU

            arrays = bound(spec, self.name, args, kwargs)
            if len(spec.inputs) == len(arrays):
                return spec.pack(self.run(arrays))
            return spec.pack(run_with_states(spec.parameters, arrays, self.run))
        if self.trust_input and not kwargs and len(args) == len(spec.parameters) == len(spec.inputs):
            return spec.pack(self.run(list(args)))  # exact arrays, the caller says
        arrays = normalise(spec.parameters, self.name, args, kwargs)
        if len(spec.inputs) == len(arrays):
            return spec.pack(self.run(arrays))
        return spec.pack(run_with_states(spec.parameters, arrays, self.run))


def run_with_states(parameters: Sequence[Parameter], arrays: list[Any], run: Run) -> list[Array]:
    """Run with the arguments for states stored first; after an error the states are what they were."""
    operands, replaced = [], []
    for parameter, array in zip(parameters, arrays, strict=True):
        if parameter.is_opaque:
            continue
        if not parameter.is_state:
            operands.append(array)
        elif array is not parameter.default:
            replaced.append((parameter.default, parameter.default.storage))
            parameter.default.swap(np.array(array, order="C"))
    try:
        return run(operands)
    except BaseException:
        for state, old in replaced:
            state.swap(old)
        raise


def copy(
    spec: FunctionSpec, mode: Mode, swap: Mapping[Any, Any], delete_updates: bool, name: str | None, profile: Any = None
) -> Any:
    """See `FunctionMethods.copy`.  Raises ValueError, TypeError."""
    if not isinstance(swap, Mapping):
        raise TypeError(f"copy: swap takes a dict of shared variables and those in their places, got {swap!r}")
    swap = {
        old.root if isinstance(old, SharedVariable) else old: new.root if isinstance(new, SharedVariable) else new
        for old, new in swap.items()
    }
    for old, new in swap.items():
        if old not in spec.shared:
            raise ValueError(f"copy: {variable_text(old)} is no shared variable of the function")
        if not isinstance(new, TensorSharedVariable) or new.type != old.type:
            raise TypeError(f"copy: {old.type} can only be swapped with a shared variable of that type, got {new!r}")
    pairs = () if delete_updates else spec.updates
    with unwatched(copies=True):
        done = substitute([*spec.outputs, *(value for _, value in pairs)], swap)
    count = len(spec.outputs)
    updates = [(swap.get(shared, shared), value) for (shared, _), value in zip(pairs, done[count:], strict=True)]
    changed = replace(
        spec,
        outputs=tuple(done[:count]),
        updates=tuple(updates),
        shared=shared_of(ancestors(done, spec.inputs), updates),
        name=name or f"{spec.name} copy",
        parameters=tuple(_copied(parameter, swap) for parameter in spec.parameters),
    )
    from tensordsl.debugging.profiling import profile_of  # late: few functions are measured

    return build(changed, mode, profile_of(profile, False, changed.name))


def _copied(parameter: Parameter, swap: Mapping[Any, Any]) -> Parameter:
    """A parameter whose default is set apart from the old one's; a state is shared unless it is swapped."""
    default = parameter.default.duplicate() if parameter.is_promoted else parameter.default
    return replace(parameter, default=swap.get(default, default) if isinstance(default, Variable) else default)
