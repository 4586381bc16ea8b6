"""Executions that look for mistakes: every node checked, watched or compared, and errors of native code explained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.base.errors import BadOptimization, DebugModeError, InvalidValueError
from tensordsl.debugging import late_rounds
from tensordsl.debugging.late_rounds import Native, Run
from tensordsl.debugging.reports import (
    DEPTH,
    Round,
    graph_text,
    loop_name,
    node_text,
    report,
    rounds_text,
    short,
)
from tensordsl.debugging.trace import (
    After,
    Array,
    Before,
    Rounds,
    Unfinished,
    Values,
    compute_silently,
    finish,
    has,
    initial_values,
    trace,
    value_of,
)
from tensordsl.graph.printing import debugprint, variable_text
from tensordsl.graph.substitute import silenced, substitute
from tensordsl.graph.types import FLOATS, TensorType
from tensordsl.graph.variables import Apply, Constant, Variable, toposort, unwatched, with_bodies
from tensordsl.signature.arguments import normalise
from tensordsl.signature.modes import Mode

if TYPE_CHECKING:
    from tensordsl.signature.spec import FunctionSpec

BIG = 1e10  # what NanGuardMode calls too big
MAX_NODES_AGAIN = 20_000  # evaluated inside of loops to show an error's operands


# -- modes -----------------------------------------------------------------------------------------------------------
def link(spec: FunctionSpec, mode: Mode, native: Callable[[FunctionSpec], Run] | None) -> Run:
    """`spec` as a callable on exact arrays under a mode that looks at every node.

    `native` compiles a spec; DebugMode compares with it.  None: there is no compiler.
    """
    if mode.executor == "debug":
        return _link_debug(spec, mode, native)
    if mode.executor == "nan_guard":
        return _link_guarded(spec, mode, native)
    before, after = _monitors(mode) if mode.executor == "monitor" else (None, None)

    def run(arrays: list[Array]) -> list[Array]:
        values = initial_values(spec, arrays)
        trace(spec, values, before, after)
        return finish(spec, values)

    return run


# -- NanGuardMode ----------------------------------------------------------------------------------------------------
def _link_guarded(spec: FunctionSpec, mode: Mode, native: Callable[[FunctionSpec], Run] | None) -> Run:
    """Native code whose last outputs say whether a float was forbidden; then the reference evaluator names it."""
    settings = mode.settings  # those that the code is compiled for
    if native is None:
        return lambda arrays: _run_guarded(spec, settings, arrays)
    compiled = native(replace(spec, form="list"))
    updated, count = [shared for shared, _ in spec.updates], len(spec.outputs)

    def run(arrays: list[Array]) -> list[Array]:
        # While somebody holds the storage, updates go to other storage: this is the state before the call.
        old = [(shared, shared.storage) for shared in updated]
        values = compiled(arrays)
        outputs, flags = values[:count], values[count:]
        if not any(flags):
            return outputs
        for shared, storage in old:
            shared.swap(storage)
        _name_the_node(spec, settings, arrays)
        raise AssertionError(
            f"NanGuardMode found an error in a value of {spec.name!r}, but the reference evaluator finds none: "
            "rounding, or code that is not evaluated twice"
        )

    return run


def _name_the_node(spec: FunctionSpec, settings: dict[str, Any], arrays: list[Array]) -> None:
    """Raise for the first forbidden value, in the order of evaluation; effects are not repeated."""
    values = _copies(spec, initial_values(spec, arrays))
    _guard_all(settings, values)
    trace(spec, values, after=_guards(settings), is_silent=True)


def _run_guarded(spec: FunctionSpec, settings: dict[str, Any], arrays: list[Array]) -> list[Array]:
    values = initial_values(spec, arrays)
    _guard_all(settings, values)
    trace(spec, values, after=_guards(settings))
    return finish(spec, values)


def _guard_all(settings: dict[str, Any], values: Values) -> None:
    for variable, array in list(values.items()):
        guard(settings, variable, array, "input")


def _guards(settings: dict[str, Any]) -> After:
    def after(index: int, node: Apply, operands: list[Array], results: list[Array], rounds: Rounds) -> None:
        for variable, array in zip(node.outputs, results, strict=True):
            guard(settings, variable, array, "output of a node", rounds)

    return after


def guard(settings: dict[str, Any], variable: Variable, array: Array, what: str, rounds: Rounds = ()) -> None:
    """Raise AssertionError if `array` holds something that NanGuardMode's `settings` forbid."""
    if array.dtype.name not in FLOATS or array.size == 0:
        return
    found = []
    if settings["nan_is_error"] and bool(np.isnan(array).any()):
        found.append("NaN detected")
    if settings["inf_is_error"] and bool(np.isinf(array).any()):
        found.append("Inf detected")
    if settings["big_is_error"] and bool((np.abs(array[np.isfinite(array)]) > BIG).any()):
        found.append("Big value detected")
    if found:
        node = variable.owner
        made = ""
        if node is not None:
            made = f"\nApply node that caused the error: {node_text(node)}"
            made += f"\nHappened in {rounds_text(rounds)} (rounds count from 0)" if rounds else ""
            made += f"\n\nBacktrace when the node is created:\n  {node.origin}"
        raise AssertionError(
            f"{'; '.join(found)}: NanGuardMode found an error in the {what}: {variable_text(variable)} of type "
            f"{variable.type}, shape {array.shape}, value {short(array)}{made}\n\n{graph_text([variable], DEPTH)}"
        )


# -- MonitorMode, DebugMode ------------------------------------------------------------------------------------------
def _monitors(mode: Mode) -> tuple[Before | None, After | None]:
    pre, post = mode.settings["pre_func"], mode.settings["post_func"]

    def cells(arrays: Iterable[Array | None]) -> list[list[Array | None]]:
        return [[array] for array in arrays]

    def named(rounds: Rounds) -> list[tuple[str, int]]:
        return [(loop_name(r.loop), r.number) for r in rounds]

    def before(index: int, node: Apply, operands: list[Array], rounds: Rounds) -> None:
        empty = cells(None for _ in node.outputs)
        pre(index, node, SimpleNamespace(inputs=cells(operands), outputs=empty, rounds=named(rounds)))

    def after(index: int, node: Apply, operands: list[Array], results: list[Array], rounds: Rounds) -> None:
        post(index, node, SimpleNamespace(inputs=cells(operands), outputs=cells(results), rounds=named(rounds)))

    return before if pre is not None else None, after if post is not None else None


def detect_nan(i: int, node: Apply, fn: Any) -> None:
    """A `post_func` for MonitorMode: prints the first of a node's results that holds a NaN, with its operands."""
    for output in fn.outputs:
        if output[0].dtype.kind in "fc" and bool(np.isnan(output[0]).any()):
            print("*** NaN detected ***")
            if getattr(fn, "rounds", ()):
                print("In " + ", in ".join(f"round {k} of {name}" for name, k in reversed(fn.rounds)))
            debugprint(node)
            print(f"Inputs : {[value[0] for value in fn.inputs]}")
            print(f"Outputs: {[value[0] for value in fn.outputs]}")
            return


def _link_debug(spec: FunctionSpec, mode: Mode, native: Callable[[FunctionSpec], Run] | None) -> Run:
    native = native if getattr(mode, "check_c_code", True) else None
    twin = _twin(spec) if native is not None else None
    compiled = native(twin) if native is not None and twin is not None else None

    def check(index: int, node: Apply, operands: list[Array], results: list[Array], rounds: Rounds) -> None:
        for variable, array in zip(node.outputs, results, strict=True):
            check_value(variable, array, mode.settings["check_isfinite"], rounds)
        row: Any = node.row
        if row.is_custom and (fault := row.fault(node, operands, results)):
            raise DebugModeError(f"{row.print_name}: {fault}\n  {node_text(node)}\n  {node.origin}")

    def run(arrays: list[Array]) -> list[Array]:
        values = initial_values(spec, arrays)
        trace(spec, values, after=check)
        if compiled is not None and twin is not None:
            _compare(spec, twin, compiled, arrays, values)
        return finish(spec, values)

    return run


def check_value(variable: Variable, array: Array, is_finite: bool, rounds: Rounds = ()) -> None:
    """Raise InvalidValueError if `array` is no value that `variable` may have."""
    hint = _wrong_type(variable.type, array)
    if not hint and is_finite and array.dtype.name in FLOATS and not bool(np.isfinite(array).all()):
        hint = "non-finite elements not allowed"
    if not hint:
        return
    node = variable.owner
    with np.errstate(all="ignore"):
        least, most = (array.min(), array.max()) if array.size else ("none", "none")
        finite = bool(np.isfinite(array).all()) if array.dtype.kind == "f" else True
    lines = [
        f"{variable_text(variable)}: {hint}",
        f"        type(variable) = {variable.type}",
        f"        variable       = {variable_text(variable)}",
        f"        dtype(value)   = {array.dtype}",
        f"        shape(value)   = {array.shape}",
        f"        value          = {short(array)}",
        f"        min(value)     = {least}",
        f"        max(value)     = {most}",
        f"        isfinite       = {finite}",
        f"        specific_hint  = {hint}",
        *([f"        round          = {rounds_text(rounds)} (rounds count from 0)"] if rounds else []),
        "        context        = ...",
        graph_text([variable], DEPTH),
        "",
        "Backtrace when the node is created:",
        f"  {node.origin if node is not None else variable.origin}",
    ]
    raise InvalidValueError("\n".join(lines))


def _wrong_type(type: TensorType, array: Array) -> str:
    if array.dtype.name != type.dtype:
        return f"the dtype should be {type.dtype}"
    if array.ndim != type.ndim or any(d not in (None, n) for d, n in zip(type.shape, array.shape, strict=True)):
        return f"the shape should be one of {type}"
    return ""


def _twin(spec: FunctionSpec) -> FunctionSpec:
    """The same function on shared variables of its own, without prints: the reference evaluator has printed already."""
    own = {shared: shared.duplicate() for shared in spec.shared}
    with unwatched(copies=True):
        done = silenced(substitute(spec.results, own))
    count = len(spec.outputs)
    targets = [own[shared] for shared, _ in spec.updates]
    return replace(
        spec,
        shared=tuple(own.values()),
        outputs=tuple(done[:count]),
        updates=tuple(zip(targets, done[count:], strict=True)),
    )


def _compare(spec: FunctionSpec, twin: FunctionSpec, compiled: Run, arrays: list[Array], values: Values) -> None:
    """Run the compiled function on a copy of the state; raise BadOptimization where it differs from `values`."""
    for shared, own in zip(spec.shared, twin.shared, strict=True):
        own.swap(np.array(shared.storage, order="C"))
    found = [*compiled(arrays), *(shared.storage for shared, _ in twin.updates)]
    has_loops = any("body" in node.attrs for node in spec.nodes())
    for variable, native in zip(spec.results, found, strict=True):
        expected = value_of(variable, values)
        # How long the rows would be that a loop without rounds does not stack, the reference does not always know.
        are_no_rows = has_loops and expected.shape[:1] == native.shape[:1] == (0,) and expected.ndim == native.ndim
        if not are_no_rows and not is_close(expected, native):
            raise BadOptimization(
                f"BadOptimization: the compiled function and the reference disagree on {variable_text(variable)} of "
                f"type {variable.type}\n  reference: shape {expected.shape}, {short(expected)}\n  compiled:  shape "
                f"{native.shape}, {short(native)}\n{graph_text([variable])}"
            )


def is_close(expected: Array, found: Array) -> bool:
    """Whether two results differ only by rounding."""
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return False
    if expected.dtype.kind == "c":
        return is_close(expected.real, found.real) and is_close(expected.imag, found.imag)
    if expected.dtype.name not in FLOATS:
        return bool(np.array_equal(expected, found))
    relative, absolute = {"float16": (2e-2, 1e-2), "float32": (1e-3, 1e-5)}.get(expected.dtype.name, (1e-6, 1e-8))
    finite = np.abs(expected[np.isfinite(expected)])
    scale = float(finite.max()) if finite.size else 1.0
    return bool(np.allclose(expected, found, rtol=relative, atol=absolute * scale, equal_nan=True))


# -- errors of native code -------------------------------------------------------------------------------------------
ERRORS: dict[str, type[Exception]] = {
    "check": ValueError, "overflow": OverflowError, "memory": MemoryError, "index": IndexError,
    "assert": AssertionError, "host": RuntimeError, "linalg": np.linalg.LinAlgError,
}  # fmt: skip

# By what the reference refuses the same operands, in its own words.
REFUSED: dict[str, tuple[type[Exception], ...]] = {
    **dict.fromkeys(("check", "index"), (ValueError, IndexError, ZeroDivisionError)),
    "linalg": (np.linalg.LinAlgError,),
}


def raise_site(
    site: dict[str, Any],
    values: Sequence[int],
    spec: FunctionSpec,
    args: Sequence[Array],
    rounds: Sequence[int] = (),
    native: Native | None = None,
) -> None:
    """Raise the error that a compiled function recorded at `site`; the state is as before the call.

    site: kind (a key of `ERRORS`); node, loops: places in `with_bodies(spec.nodes())` of the application, or None, and
    of the loops around it; text: what is wrong; names: what the `values` are.  rounds: of these loops, if they are
    known; native: compiles what finds the operands of a late round, if that can be done.  The operands shown come from
    the reference evaluator, and its words are preferred: they hold the shapes.
    """
    text = site.get("text") or site["kind"]
    if site.get("names"):
        text += " (" + ", ".join(f"{name} = {value}" for name, value in zip(site["names"], values, strict=False)) + ")"
    kind = "index" if site["kind"] == "check" and text.startswith("index") else site["kind"]  # lengths of a slice
    error = ERRORS.get(kind, RuntimeError)(text)
    index = site.get("node")
    nodes = with_bodies(spec.nodes())
    path = loops_at(site, spec, rounds)
    if index is None and path:  # storage or lengths of a round
        raise report(error, spec, path[-1].loop, None, path)
    if index is None or not 0 <= index < len(nodes):
        raise error
    node = nodes[index]
    if site["kind"] == "overflow":  # nor could the reference evaluator hold them
        raise report(error, spec, node, None, path)
    given = initial_values(spec, args)
    operands: list[Array] | None = None
    shown: list[Array] | None = None
    try:
        known = _copies(spec, given)
    except MemoryError:
        raise report(error, spec, node, None, path) from None
    refused = REFUSED.get(site["kind"], ())
    is_found = _has_rounds(node, path, spec)
    try:
        how: dict[str, Any] = {"until": node, "rounds": path} if is_found else {"asserts": True}
        values_there = trace(spec, known, is_silent=True, budget=MAX_NODES_AGAIN, **how)
        if all(has(v, values_there) for v in node.inputs):
            operands = [value_of(v, values_there) for v in node.inputs]
            shown = [given.get(v, array) for v, array in zip(node.inputs, operands, strict=True)]
        if "body" in node.attrs:
            trace(spec, known, is_silent=True, budget=MAX_NODES_AGAIN, asserts=True)
    except (type(error), *refused) as earlier:  # what was computed together with `node`; the report names it
        raise earlier from None
    except Unfinished:
        operands = shown = None
        if native is not None and path:
            operands = shown = late_rounds.operands_in_round(native, spec, args, path, node)
        elif native is not None:
            _raise_late(native, spec, args, node, known, (type(error), *refused))
    except Exception:  # the report is about another error: this one only means that there is less to show
        pass
    if operands is not None and refused and "body" not in node.attrs:
        error = _reference_error(node, operands) or error
    raise report(error, spec, node, shown, path) from None


def is_of_invariants(site: Mapping[str, Any], spec: FunctionSpec) -> bool:
    """Whether an error is one of what a loop reads that no round changes: without a round it need not be computed.

    That is what the graph has before a loop that may have no round, and what stands in one and failed outside of it."""
    nodes, index = with_bodies(spec.nodes()), site.get("node")
    if index is None or not 0 <= index < len(nodes):
        return False
    around = {nodes[k] for k in site.get("loops", ()) if k is not None}
    for loop in nodes:
        if "body" not in loop.attrs or loop in around or has_known_rounds(loop):
            continue
        body = loop.attrs["body"]
        before = toposort(loop.inputs[1 + len(body.carried) :])
        if nodes[index] in with_bodies([*before, *toposort(body.expressions, stop=body.parameters)]):
            return True
    return False


def has_known_rounds(loop: Apply) -> bool:
    """Whether each call runs a round of a loop that it comes to."""
    count = loop.inputs[0]
    return isinstance(count, Constant) and bool(count.data > 0)


def _raise_late(
    native: Native,
    spec: FunctionSpec,
    args: Sequence[Array],
    node: Apply,
    known: Values,
    errors: tuple[type[Exception], ...],
) -> None:
    """Raise the error of the first round that fails of the loop around a node, whose rounds were not told: what a loop
    does may have left it."""
    loop = late_rounds.outermost_loop(spec, node)
    if loop is None:
        return
    try:
        count = int(value_of(loop.inputs[0], trace(spec, known, until=loop, is_silent=True, budget=MAX_NODES_AGAIN)))
        number = late_rounds.failing_round(native, spec, args, loop, count)
        path = [] if number is None else [Round(loop, number)]
        values = late_rounds.values_of_round(native, spec, args, path) if path else None
        if values is not None:
            trace(spec, values, is_silent=True, rounds=path, budget=MAX_NODES_AGAIN, asserts=True)
    except errors as earlier:
        raise earlier from None
    except Exception:  # the report is about another error: there is only less to show
        pass


def loops_at(site: Mapping[str, Any], spec: FunctionSpec, rounds: Sequence[int]) -> list[Round]:
    """The rounds of the user's loops around a site, the outermost first; none where they are not known."""
    loops = site.get("loops", ())
    if not rounds or len(rounds) != len(loops):
        return []
    nodes = with_bodies(spec.nodes())
    known = [(nodes[place], number) for place, number in zip(loops, rounds, strict=True) if place is not None]
    return [Round(node, number) for node, number in known if "body" in node.attrs]  # others are parts of an op


def _has_rounds(node: Apply, path: Sequence[Round], spec: FunctionSpec) -> bool:
    """Whether a node is evaluated in the round that the path says: it may have left its loop, or rounds are unknown."""
    if not path:
        return node in spec.nodes()
    body = path[-1].loop.attrs["body"]
    return node in toposort(body.expressions, stop=body.parameters)


def _copies(spec: FunctionSpec, given: Values) -> Values:
    """Copies of the arguments, and of shared positions and masks: what looks at an array twice must see the same, and
    the arrays that were given may be changed by other threads.  Updates leave the values of shared variables as they
    are while somebody holds them, so that large ones need no copy.
    """
    arguments = set(spec.inputs)
    return {v: _copy(a) if v in arguments or a.dtype.kind in "iub" else a for v, a in given.items()}


def _copy(array: Array) -> Array:
    """A copy with the strides of the array, which has as much memory of its own as that."""
    if array.size == 0:
        return array.copy()
    start, end = np.lib.array_utils.byte_bounds(array)
    room = np.empty(end - start, np.uint8)
    copy: Array = np.ndarray(array.shape, array.dtype, room.data, array.ctypes.data - start, array.strides)
    once = tuple(slice(None) if stride else slice(1) for stride in array.strides)
    copy[once] = array[once]
    return copy


def _reference_error(node: Apply, operands: list[Array]) -> Exception | None:
    """What the reference evaluator says of the operands, if it refuses them."""
    values = {v: array for v, array in zip(node.inputs, operands, strict=True) if not isinstance(v, Constant)}
    try:
        compute_silently(node, values)
    except (ValueError, IndexError, ZeroDivisionError) as error:
        return error
    except Exception:  # not the error that the compiled function found
        return None
    return None


# -- looking inside --------------------------------------------------------------------------------------------------
def eval_intermediate_values(fn: Any, inputs: Any = ()) -> dict[Variable, Array]:
    """Every value that a call of `fn` computes, by its variable: the user's own, without the compiler's rewriting.

    inputs : the arguments, as a list, or as a dict by variable or name.
    Updates do not happen, nothing is printed.  Raises what the call would.

    >>> import tensordsl
    >>> import tensordsl.tensor as T
    >>> x = T.scalar("x")
    >>> y = x * 2
    >>> f = tensordsl.function([x], T.exp(y))
    >>> float(eval_intermediate_values(f, [3])[y])
    6.0
    """
    if not hasattr(fn, "spec"):
        raise TypeError(f"eval_intermediate_values: wants a compiled function, got {fn!r}")
    spec: FunctionSpec = fn.spec
    named = isinstance(inputs, Mapping)
    by_name: dict[str, Any] = {}
    if named:
        by_name = {(str(k.name) if isinstance(k, Variable) else k): v for k, v in inputs.items()}
    arrays = normalise(spec.parameters, spec.name, () if named else tuple(inputs), by_name)
    given = [(p.default, a) for p, a in zip(spec.parameters, arrays, strict=True) if p.is_state]
    states = {state: state.storage if a is state else a for state, a in given}
    operands = [a for p, a in zip(spec.parameters, arrays, strict=True) if not (p.is_state or p.is_opaque)]
    values = {**initial_values(spec, operands), **states}
    trace(spec, values, is_silent=True)
    return values
