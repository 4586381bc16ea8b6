"""Executions that look for mistakes: node by node on NumPy, with checks, monitors, test values and error reports."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl import graph
from tensordsl.arguments import convert
from tensordsl.config import config
from tensordsl.errors import BadOptimization, InvalidValueError
from tensordsl.graph import Apply, Constant, Elementwise, Variable
from tensordsl.modes import Mode
from tensordsl.ops.evaluate import evaluate_node
from tensordsl.ops.substitute import substitute
from tensordsl.printing import debugprint, op_text, pp, variable_text
from tensordsl.shared import SharedVariable, TensorSharedVariable
from tensordsl.types import FLOATS, TensorType

if TYPE_CHECKING:
    from tensordsl.spec import FunctionSpec

Array = np.ndarray[Any, Any]
Values = dict[Variable, Array]
Run = Callable[[list[Array]], list[Array]]
# Called around each node with its position, itself and the arrays of its operands (and results).
Before = Callable[[int, Apply, list[Array]], None]
After = Callable[[int, Apply, list[Array], list[Array]], None]

BIG = 1e10  # what NanGuardMode calls too big
SHOWN = 5  # elements; larger operands are "not shown" in messages
EXPRESSION = 200  # characters of an expression in a message
DEPTH = 5  # levels of a graph in a message


# -- node by node ----------------------------------------------------------------------------------------------------
def trace(
    spec: FunctionSpec,
    values: Values,
    before: Before | None = None,
    after: After | None = None,
    until: Apply | None = None,
) -> None:
    """Evaluate the nodes that the results need, by the rows' oracles, and add what they give to `values`.

    A node runs when its operands are there; of an `ifelse` only the branch taken is needed.  With `until` the operands
    of that node are evaluated, not the node.  An error is raised again as the report of its node.
    """
    position = {id(node): index for index, node in enumerate(spec.nodes())}
    roots = until.inputs if until is not None else spec.results
    stack = [v.owner for v in reversed(roots) if v.owner is not None and v not in values]
    while stack:
        node = stack[-1]
        if node.outputs[0] in values:
            stack.pop()
            continue
        missing = _missing(node, values)
        if missing:
            stack += [v.owner for v in reversed(missing) if v.owner is not None]
            continue
        stack.pop()
        operands = [_value(v, values) for v in node.inputs if _has(v, values)]
        index = position.get(id(node), -1)
        if before is not None:
            before(index, node, operands)
        try:
            results = _compute(node, values) if until is None else _compute_silently(node, values)
        except Exception as error:
            raise report(error, spec, node, operands) from error
        values.update(zip(node.outputs, results, strict=True))
        if after is not None:
            after(index, node, operands, results)


def _has(variable: Variable, values: Values) -> bool:
    return variable in values or isinstance(variable, Constant)


def _value(variable: Variable, values: Values) -> Array:
    return np.asarray(variable.data) if isinstance(variable, Constant) else values[variable]


def _missing(node: Apply, values: Values) -> list[Variable]:
    """The operands that `node` still needs."""
    if node.op.name != "ifelse":
        return [v for v in node.inputs if not _has(v, values)]
    condition = node.inputs[0]
    if not _has(condition, values):
        return [condition]
    return [v for v in _taken(node, values) if not _has(v, values)]


def _taken(node: Apply, values: Values) -> tuple[Variable, ...]:
    """The operands of the branch that an `ifelse` takes."""
    count = len(node.outputs)
    start = 1 if bool(_value(node.inputs[0], values)) else 1 + count
    return node.inputs[start : start + count]


def _compute(node: Apply, values: Values) -> list[Array]:
    if node.op.name == "ifelse":
        return [_value(v, values) for v in _taken(node, values)]
    operands = [_value(v, values) for v in node.inputs]
    if isinstance(node.op.meaning, Elementwise) and len(operands) > 1:
        check_broadcast(node, operands)
    return list(evaluate_node(node, operands))


def _compute_silently(node: Apply, values: Values) -> list[Array]:
    """`_compute` for a second evaluation, which must not be heard: nothing is printed, no callback called."""
    if node.op.name in ("print", "assert"):
        return [_value(node.inputs[0], values)]
    if node.op.effect:
        raise RuntimeError(f"{node.op.name} has effects and is not evaluated again")
    return _compute(node, values)


def check_broadcast(node: Apply, operands: Sequence[Array]) -> None:
    """Only axes declared to have length 1 broadcast.  Raises ValueError where NumPy would stretch another one."""
    rank = max(array.ndim for array in operands)
    for axis in range(rank):
        lengths = set()
        for variable, array in zip(node.inputs, operands, strict=True):
            k = axis - rank + array.ndim
            if k >= 0 and variable.type.shape[k] != 1:
                lengths.add(array.shape[k])
        if len(lengths) > 1:
            shapes = ", ".join(str(array.shape) for array in operands)
            hint = (
                "; an axis of length 1 broadcasts only if its type says so (T.row, T.col, broadcastable=..., "
                "T.addbroadcast)"
                if 1 in lengths
                else ""
            )
            raise ValueError(f"Dimension mismatch on axis {axis}; shapes are {shapes}{hint}")


def initial_values(spec: FunctionSpec, arrays: Sequence[Array]) -> Values:
    """The values known before a call: its arguments and the shared variables."""
    values: Values = dict(zip(spec.inputs, arrays, strict=True))
    values.update((shared, shared.storage) for shared in spec.shared)
    return values


def finish(spec: FunctionSpec, values: Values) -> list[Array]:
    """Commit the updates and return the outputs, none of them memory of an argument, of the state or of each other."""
    taken = [value for variable, value in values.items() if variable.owner is None]
    outputs: list[Array] = []
    new: list[Array] = []
    for result in spec.results:
        array = _own(_value(result, values), taken)
        taken.append(array)
        (outputs if len(outputs) < len(spec.outputs) else new).append(array)
    # Everything that may fail stands before this line: from here on the state changes.
    for (shared, _), array in zip(spec.updates, new, strict=True):
        shared.swap(array)
    return outputs


def _own(array: Array, taken: list[Array]) -> Array:
    is_own = array.base is None and array.flags.owndata and array.flags.writeable and array.flags.c_contiguous
    return array if is_own and not any(array is other for other in taken) else np.array(array, order="C")


# -- modes -----------------------------------------------------------------------------------------------------------
def link(spec: FunctionSpec, mode: Mode, native: Callable[[FunctionSpec], Run] | None) -> Run:
    """`spec` as a callable on exact arrays under a mode that looks at every node.

    `native` compiles a spec; DebugMode compares with it.  None: there is no compiler.
    """
    if mode.executor == "debug":
        return _link_debug(spec, mode, native)
    before, after = {"nan_guard": _guards, "monitor": _monitors}.get(mode.executor, _nothing)(mode)

    def run(arrays: list[Array]) -> list[Array]:
        values = initial_values(spec, arrays)
        if mode.executor == "nan_guard":
            for variable, array in list(values.items()):
                guard(mode.settings, variable, array, "input")
        trace(spec, values, before, after)
        return finish(spec, values)

    return run


def _nothing(mode: Mode) -> tuple[Before | None, After | None]:
    return None, None


def _guards(mode: Mode) -> tuple[Before | None, After | None]:
    def after(index: int, node: Apply, operands: list[Array], results: list[Array]) -> None:
        for variable, array in zip(node.outputs, results, strict=True):
            guard(mode.settings, variable, array, "output of a node")

    return None, after


def guard(settings: dict[str, Any], variable: Variable, array: Array, what: str) -> None:
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
            made += f"\n\nBacktrace when the node is created:\n  {node.origin}"
        raise AssertionError(
            f"{'; '.join(found)}: NanGuardMode found an error in the {what}: {variable_text(variable)} of type "
            f"{variable.type}, shape {array.shape}, value {_short(array)}{made}\n\n{graph_text([variable], DEPTH)}"
        )


def _monitors(mode: Mode) -> tuple[Before | None, After | None]:
    pre, post = mode.settings["pre_func"], mode.settings["post_func"]

    def cells(arrays: Iterable[Array | None]) -> list[list[Array | None]]:
        return [[array] for array in arrays]

    def before(index: int, node: Apply, operands: list[Array]) -> None:
        pre(index, node, SimpleNamespace(inputs=cells(operands), outputs=cells(None for _ in node.outputs)))

    def after(index: int, node: Apply, operands: list[Array], results: list[Array]) -> None:
        post(index, node, SimpleNamespace(inputs=cells(operands), outputs=cells(results)))

    return before if pre is not None else None, after if post is not None else None


def _link_debug(spec: FunctionSpec, mode: Mode, native: Callable[[FunctionSpec], Run] | None) -> Run:
    twin = _twin(spec) if native is not None else None
    compiled = native(twin) if native is not None and twin is not None else None

    def check(index: int, node: Apply, operands: list[Array], results: list[Array]) -> None:
        for variable, array in zip(node.outputs, results, strict=True):
            check_value(variable, array, mode.settings["check_isfinite"])

    def run(arrays: list[Array]) -> list[Array]:
        values = initial_values(spec, arrays)
        trace(spec, values, after=check)
        if compiled is not None and twin is not None:
            _compare(spec, twin, compiled, arrays, values)
        return finish(spec, values)

    return run


def check_value(variable: Variable, array: Array, is_finite: bool) -> None:
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
        "InvalidValueError",
        f"        type(variable) = {variable.type}",
        f"        variable       = {variable_text(variable)}",
        f"        dtype(value)   = {array.dtype}",
        f"        shape(value)   = {array.shape}",
        f"        value          = {_short(array)}",
        f"        min(value)     = {least}",
        f"        max(value)     = {most}",
        f"        isfinite       = {finite}",
        f"        specific_hint  = {hint}",
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
    """The same function on shared variables of its own."""
    own = {shared: shared.clone() for shared in spec.shared}
    done = substitute(spec.results, own)
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
    for variable, native in zip(spec.results, found, strict=True):
        expected = _value(variable, values)
        if not is_close(expected, native):
            raise BadOptimization(
                f"BadOptimization: the compiled function and the reference disagree on {variable_text(variable)} of "
                f"type {variable.type}\n  reference: shape {expected.shape}, {_short(expected)}\n  compiled:  shape "
                f"{native.shape}, {_short(native)}\n{graph_text([variable])}"
            )


def is_close(expected: Array, found: Array) -> bool:
    """Whether two results differ only by rounding."""
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return False
    if expected.dtype.name not in FLOATS:
        return bool(np.array_equal(expected, found))
    relative = 1e-3 if expected.dtype == np.float32 else 1e-6
    finite = np.abs(expected[np.isfinite(expected)])
    scale = float(finite.max()) if finite.size else 1.0
    return bool(np.allclose(expected, found, rtol=relative, atol=relative * 1e-2 * scale, equal_nan=True))


# -- reports ---------------------------------------------------------------------------------------------------------
ERRORS: dict[str, type[Exception]] = {
    "check": ValueError, "overflow": OverflowError, "memory": MemoryError, "index": IndexError,
    "assert": AssertionError, "host": RuntimeError,
}  # fmt: skip


def raise_site(site: dict[str, Any], values: Sequence[int], spec: FunctionSpec, args: Sequence[Array]) -> None:
    """Raise the error that a compiled function recorded at `site`; the state is as before the call.

    site: kind (a key of `ERRORS`); node: the position in `spec.nodes()`, or None; text: what is wrong; names: what the
    `values` are.  The operands shown come from the reference evaluator, and its words are preferred: they hold the
    shapes.
    """
    text = site.get("text") or site["kind"]
    if site.get("names"):
        text += " (" + ", ".join(f"{name} = {value}" for name, value in zip(site["names"], values, strict=False)) + ")"
    error = ERRORS.get(site["kind"], RuntimeError)(text)
    index = site.get("node")
    nodes = spec.nodes()
    if index is None or not 0 <= index < len(nodes):
        raise error
    node = nodes[index]
    operands = operands_of(spec, node, args)
    if operands is not None and site["kind"] in ("check", "index"):
        error = _reference_error(node, operands) or error
    raise report(error, spec, node, operands) from None


def _reference_error(node: Apply, operands: list[Array]) -> Exception | None:
    """What the reference evaluator says of the operands, if it refuses them."""
    values = {v: array for v, array in zip(node.inputs, operands, strict=True) if not isinstance(v, Constant)}
    try:
        _compute_silently(node, values)
    except (ValueError, IndexError) as error:
        return error
    except Exception:  # not the error that the compiled function found
        return None
    return None


def operands_of(spec: FunctionSpec, node: Apply, args: Sequence[Array]) -> list[Array] | None:
    """The operands of `node` in a call with `args`, or None where the reference evaluator cannot reach them."""
    values = initial_values(spec, args)
    try:
        trace(spec, values, until=node)
    except Exception:  # the report is about another error: this one only means that there is less to show
        return None
    return [_value(v, values) for v in node.inputs] if all(_has(v, values) for v in node.inputs) else None


def report(error: Exception, spec: FunctionSpec, node: Apply, operands: list[Array] | None) -> Exception:
    """The error to raise for `error` in `node`: of the same class, with everything that helps to find the mistake."""
    first = str(error) or type(error).__name__
    name = node.op.print_name or node.op.name
    if not first.startswith(f"{name}:"):
        first = f"{name}: {first}"
    lines = [
        *_limited(first.splitlines(), 4),
        f"Apply node that caused the error: {node_text(node)}",
        f"Expression: {pp(node.outputs[0], EXPRESSION)}",
        f"Toposort index: {_index(spec, node)}",
        f"Inputs types: [{', '.join(str(v.type) for v in node.inputs)}]",
        *_operand_lines(operands),
        f"Outputs clients: {_clients(spec, node)}",
        "",
        "Backtrace when the node is created:",
        f"  {node.origin}" if node.origin is not None else "  unknown",
        "",
        "HINT: If you suspect the compiler, try the flag optimizer=fast_compile, or optimizer=None.",
    ]
    if config.exception_verbosity == "high":
        lines += ["", "Debugprint of the apply node:", graph_text([node.outputs[0]])]
        lines += ["", "Debugprint of the function:", graph_text(spec.results), *_memory_map(node, operands)]
    else:
        lines.append("HINT: Use the flag exception_verbosity=high for a debugprint and a memory map of this node.")
    return _same_class(error, "\n".join(lines))


def _same_class(error: Exception, message: str) -> Exception:
    try:
        again = type(error)(message)
    except Exception:  # a class with a constructor of its own
        again = RuntimeError(f"{type(error).__name__}: {message}")
    return again


def _limited(lines: list[str], count: int) -> list[str]:
    return lines if len(lines) <= count else [*lines[: count - 1], "..."]


def _index(spec: FunctionSpec, node: Apply) -> int:
    return next((index for index, other in enumerate(spec.nodes()) if other is node), -1)


def _operand_lines(operands: list[Array] | None) -> list[str]:
    if operands is None:
        return ["Inputs shapes: not available"]
    shown = [repr(a) if a.size <= SHOWN else "'not shown'" for a in operands]
    return [
        f"Inputs shapes: {[a.shape for a in operands]}",
        f"Inputs strides: {[a.strides for a in operands]}",
        f"Inputs values: [{', '.join(' '.join(text.split()) for text in shown)}]",
    ]


def _clients(spec: FunctionSpec, node: Apply) -> list[list[str]]:
    """Who uses each output of `node`."""
    clients: dict[Variable, list[str]] = {output: [] for output in node.outputs}
    for other in spec.nodes():
        for v in dict.fromkeys(other.inputs):
            if v in clients:
                clients[v].append(node_text(other))
    for v in spec.outputs:
        if v in clients:
            clients[v].append("output")
    for shared, v in spec.updates:
        if v in clients:
            clients[v].append(f"update of {variable_text(shared)}")
    return list(clients.values())


def _memory_map(node: Apply, operands: list[Array] | None) -> list[str]:
    if operands is None:
        return []
    lines = ["", "Storage map footprint:"]
    for variable, array in zip(node.inputs, operands, strict=False):
        lines.append(
            f" - {variable_text(variable)}, shape: {array.shape}, item size: {array.itemsize} B, {array.nbytes} B"
        )
    return lines


def node_text(node: Apply) -> str:
    """`dot(A, B)`."""
    return f"{op_text(node)}({', '.join(map(variable_text, node.inputs))})"


def graph_text(variables: Sequence[Variable], depth: int = -1) -> str:
    """The graph as a tree, `depth` levels of it."""
    text: str = debugprint(list(variables), depth=depth, file="str")
    return text.rstrip("\n")


def _short(array: Array) -> str:
    return _shortened(" ".join(str(array).split()), 80)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 5] + "(...)"


# -- test values -----------------------------------------------------------------------------------------------------
def use_test_values(setting: str) -> None:
    """Follow `config.compute_test_value`: compute the test value of each new Apply, or stop doing so."""
    if setting == "off":
        if _compute_test_values in graph._APPLY_HOOKS:
            graph._APPLY_HOOKS.remove(_compute_test_values)
    elif _compute_test_values not in graph._APPLY_HOOKS:
        graph._APPLY_HOOKS.append(_compute_test_values)


def _compute_test_values(node: Apply) -> None:
    """Give the outputs of a new node their test values; errors are raised in the user's own line."""
    setting = config.compute_test_value
    values: Values = {}
    for position, variable in enumerate(node.inputs):
        value = stand_in(variable)
        if value is None:
            return _report_missing(position, variable, node, setting)
        values[variable] = value
    try:
        results = _compute(node, values)
    except Exception as error:
        if setting == "pdb":
            import pdb

            pdb.post_mortem(error.__traceback__)
        shapes = ", ".join(f"{variable_text(v)}: shape {_value(v, values).shape}" for v in node.inputs)
        raise _same_class(error, f"{error}\n  in {node_text(node)} on the test values of {shapes}") from error
    for variable, result in zip(node.outputs, results, strict=True):
        variable.tag.test_value = result
    return None


def stand_in(variable: Variable) -> Array | None:
    """What stands for `variable` while test values are computed.  Raises TypeError if it does not fit the type."""
    if isinstance(variable, Constant):
        return np.asarray(variable.data)
    value = getattr(variable.tag, "test_value", None)
    if value is None:
        return variable.storage if isinstance(variable, TensorSharedVariable) else None
    try:
        return convert(value, variable.type, allow_downcast=None)
    except TypeError as error:
        raise TypeError(f"the test value of {variable_text(variable)} does not fit: {error}") from None


def _report_missing(position: int, variable: Variable, node: Apply, setting: str) -> None:
    text = (
        f"Cannot compute the test value: input {position} ({variable_text(variable)}) of {node_text(node)} has none; "
        f"set {variable_text(variable)}.tag.test_value"
    )
    if setting in ("raise", "pdb"):
        raise ValueError(text)
    # What depends on a variable without test value has none either: said once is enough.
    if setting == "warn" and variable.owner is None and not isinstance(variable, SharedVariable):
        warnings.warn(text, stacklevel=4)


def get_test_value(value: Any) -> Array:
    """The test value of a variable.  Raises AttributeError if it has none."""
    found = stand_in(value) if isinstance(value, Variable) else np.asarray(value)
    if found is None:
        raise AttributeError(f"{variable_text(value)} has no test value")
    return found
