"""`function`: from symbolic inputs, outputs and updates to a callable; the rules of the call are checked here.

`function` makes a `FunctionSpec` (tensordsl.signature.spec), all that the compiler needs to know;
`tensordsl.functions.link` makes it run.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.base.errors import MissingInputError, UnusedInputError
from tensordsl.functions.link import build
from tensordsl.graph.conversion import convert
from tensordsl.graph.printing import variable_text
from tensordsl.graph.substitute import by_keys, substitute
from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import (
    Constant,
    Variable,
    ancestors,
    capture_origin,
    constant_array,
    toposort,
    unwatched,
)
from tensordsl.ops.operands import as_variable
from tensordsl.signature.arguments import Parameter
from tensordsl.signature.io import In, Out
from tensordsl.signature.modes import get_mode
from tensordsl.signature.shared import Container, SharedVariable, TensorSharedVariable
from tensordsl.signature.spec import FunctionSpec, shared_of
from tensordsl.tensor.var import TensorConstant

Array = np.ndarray[Any, Any]
Pairs = Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None


def function(
    inputs: Sequence[Any],
    outputs: Any = None,
    mode: Any = None,
    updates: Pairs = None,
    givens: Pairs = None,
    no_default_updates: Any = False,
    accept_inplace: bool = False,
    name: str | None = None,
    rebuild_strict: bool = True,
    allow_input_downcast: bool | None = None,
    profile: Any = None,
    on_unused_input: str | None = None,
    device: str | None = None,
) -> Any:
    """Compile a function of `inputs` that returns `outputs` and updates shared variables.

    Parameters
    ----------
    inputs : a list of variables or `In`s, in the order of the arguments; also (variable, default value) and
        ((variable, update), default value).
    outputs : a variable or `Out`, a list or dict of them (the function returns the same form), or None (returns []).
    mode : a name or Mode (see `tensordsl.modes`); default: `config.mode`.
    updates : new values of shared variables, as dict or (shared, expression) pairs; all are computed from the old
        values, after which all change together.
    givens : replacements of variables in the graph, as dict or pairs.
    no_default_updates : True, or a list of shared variables whose `default_update` is ignored.
    name : for messages; default: file and line of this call.
    rebuild_strict : a replacement in `givens` must have the type of what it replaces; if False the operations are
        applied anew to what it is, and have the dtypes and ranks that follow; TypeError where that is impossible.
    allow_input_downcast : True: arguments are converted even if precision is lost; None: only Python floats for scalars
        of `config.floatX`.
    on_unused_input : "raise", "warn" or "ignore"; default: `config.on_unused_input`.
    profile : True, a name or a Profile: measure compile and calls (`f.profile.summary()`); default: `config.profile`.
    device : where it runs: "cpu", "cuda" (or "gpu", "cuda1", ...) or "sim"; default: `config.device`.
    accept_inplace : accepted; a user's graph has no operations that overwrite their operands.

    Results are new arrays.  Their order in memory may be that of the arguments, as of NumPy's results; else it is C's.

    Raises
    ------
    MissingInputError, UnusedInputError, TypeError, ValueError; DeviceError where there is no such device

    >>> import tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> function([x], x + 1)([1, 2])
    array([2., 3.])
    """
    origin = capture_origin()
    chosen = get_mode(mode)
    if not isinstance(name, str | None):
        raise TypeError(f"function: name must be a text, got one of type {type(name).__name__}")
    if name is None and origin is not None:
        name = f"{origin.file.replace(chr(92), '/').rpartition('/')[2]}:{origin.line}"
    inputs = list(map(_as_in, inputs)) if isinstance(inputs, list | tuple) else inputs
    parameters = _parameters(inputs, allow_input_downcast)
    outs, form = _outputs(outputs)
    targets = _updates(updates)
    replacements = _givens(givens, rebuild_strict)
    stateful, states = _states(inputs, parameters)
    _add_updates(targets, states)
    operands, replaced = _operands(stateful)
    variables, pairs, reached = _resolve(
        [out.variable for out in outs], targets, _together(replacements, replaced), no_default_updates, operands
    )
    variables, pairs, reached = _by_roots(variables, pairs, reached, operands)
    if not rebuild_strict:
        pairs = [(shared, new_value(shared, value)) for shared, value in pairs]
    _check_duplicates(stateful)
    _check_missing(reached, operands, [*variables, *(value for _, value in pairs)])
    _check_unused(stateful, reached, operands, on_unused_input)
    spec = FunctionSpec(
        inputs=tuple(operands),
        shared=shared_of(reached, pairs),
        outputs=tuple(variables),
        updates=tuple(pairs),
        parameters=tuple(stateful),
        borrow=tuple(out.borrow for out in outs),
        form=form,
        name=name or "",
        origin=origin,
        device=config.device if device is None else device,
        on_device=tuple(out.target == "device" for out in outs),
    )
    return build(spec, chosen, _profile(profile, name or ""))


def function_dump(filename: Any, inputs: Sequence[Any], outputs: Any = None, *args: Any, **keywords: Any) -> None:
    """Write the arguments of a call of `function` to a file, as a pickle, to build that function elsewhere.

    The file holds a dictionary: `function(**dictionary)` builds it.  `extra_tag_to_remove`: accepted; all attributes
    of `tag` are stored.

    >>> import os, pickle, tempfile
    >>> import tensordsl.tensor as T
    >>> x = T.scalar("x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "square.pkl")
    ...     function_dump(path, [x], x**2)
    ...     with open(path, "rb") as file:
    ...         float(function(**pickle.load(file))(3))
    9.0
    """
    import pickle  # late, as `inspect`: few programs need them
    from inspect import signature

    keywords.pop("extra_tag_to_remove", None)
    bound = signature(function).bind(inputs, outputs, *args, **keywords)
    bound.apply_defaults()
    given = {name: value for name, value in bound.arguments.items() if name != "device" or value is not None}
    with open(filename, "wb") as file:
        pickle.dump(given, file, protocol=-1)


def _profile(given: Any, name: str) -> Any:
    if isinstance(given, str | int | None) and not given and (given is not None or not config.profile):
        return None
    from tensordsl.debugging.profiling import profile_of  # late: few functions are measured

    return profile_of(given, config.profile, name)


# -- what the user gave ----------------------------------------------------------------------------------------------
def _parameters(inputs: Any, allow_downcast: bool | None) -> list[Parameter]:
    if not isinstance(inputs, list | tuple):
        raise TypeError(
            "Inputs of a function must be given in a list, even when there is a single input: function([x], ...); "
            f"got {inputs!r}"
        )
    return [_parameter(given, position, allow_downcast) for position, given in enumerate(inputs)]


def _as_in(given: Any) -> Any:
    """An input in Theano's short forms as an `In`; anything else as it is.

    (variable,), (variable, value) or ((variable, update), value), each also with the name before it, as tuples or
    lists; an `In` in the place of a variable gets the value and the name.  Raises TypeError.
    """
    if not isinstance(given, list | tuple):
        return given
    name, *rest = given if given and isinstance(given[0], str) else (None, *given)
    first, *values = rest or (None,)
    variable, update = first if isinstance(first, list | tuple) and len(first) == 2 else (first, None)
    is_pair = variable is not first
    if not isinstance(variable, Variable | In) or len(values) > 1 or (is_pair and not values):
        raise TypeError(
            f"{given!r} is no input of a function; the forms are variable, In(variable, ...), (variable, value), "
            "((variable, update), value), and these with a name before them"
        )
    value = values[0] if values else None
    if isinstance(value, Variable) and not isinstance(value, SharedVariable):
        raise TypeError(f"the default value of the input {variable!r} must be a value, not the variable {value!r}")
    if not isinstance(variable, In):
        return In(variable, name, value, update)
    if is_pair:
        raise TypeError(f"{given!r}: an In has its update by In(variable, update=...)")
    item = copy(variable)
    item.name, item.value = item.name if name is None else name, value if values else item.value
    return item


def _parameter(given: Any, position: int, allow_downcast: bool | None) -> Parameter:
    item = given if isinstance(given, In) else In(given) if isinstance(given, Variable) else None
    if item is None:
        raise TypeError(
            f"Input {position} of the function must be a variable or an In, got {given!r} of type "
            f"{type(given).__name__}"
        )
    variable = item.variable
    if isinstance(variable, SharedVariable):
        raise TypeError(
            f"Cannot use a shared variable ({variable_text(variable)}) as explicit input. Consider substituting a "
            "non-shared variable via the `givens` parameter"
        )
    if isinstance(variable, Constant):
        raise TypeError(f"A constant ({variable_text(variable)}) cannot be an input of a function")
    downcast = allow_downcast if item.allow_downcast is None else item.allow_downcast
    return Parameter(
        variable, item.name, _default(item, position, downcast), item.strict, downcast, implicit=item.implicit
    )


def _default(item: In, position: int, allow_downcast: bool | None) -> Any:
    """The default value as a private exact array, or the shared variable that provides it."""
    if item.value is None:
        return None
    if isinstance(item.value, Container) and item.value.shared is None:
        raise TypeError(f"The default of input {position} ({variable_text(item.variable)}) is a place without a value")
    given = item.value.shared if isinstance(item.value, Container) else item.value
    if isinstance(given, SharedVariable):
        if not item.variable.type.accepts(given.type):
            raise TypeError(
                f"The default of input {position} ({variable_text(item.variable)}: {item.variable.type}) is a shared "
                f"variable of type {given.type}"
            )
        return given
    if not isinstance(item.variable.type, TensorType):
        return given
    try:
        value = convert(given, item.variable.type, item.strict, allow_downcast)
    except TypeError as error:
        raise TypeError(f"The default value of input {position} ({variable_text(item.variable)}): {error}") from None
    return np.array(value, order="C")


def _outputs(outputs: Any) -> tuple[list[Out], str | tuple[str, ...]]:
    if outputs is None:
        return [], "list"
    if isinstance(outputs, list | tuple):
        return [_output(given) for given in outputs], "list"
    if isinstance(outputs, Mapping):
        for key in outputs:
            if not isinstance(key, str):
                raise TypeError(f"The keys of a dict of outputs must be strings, got {key!r}")
        return [_output(given) for given in outputs.values()], tuple(outputs)
    return [_output(outputs)], "one"


def _output(given: Any) -> Out:
    out = given if isinstance(given, Out) else Out(given)
    if not isinstance(out.variable, Variable):
        raise TypeError(
            f"Outputs of a function must be variables or Outs, got {out.variable!r} of type "
            f"{type(out.variable).__name__}; tensordsl.tensor.constant(...) makes a variable of a number"
        )
    if not isinstance(out.variable.type, TensorType):
        raise TypeError(
            f"{variable_text(out.variable)} is no tensor (a generic shared variable or input): no function returns one"
        )
    return out


def _pairs(given: Pairs, what: str) -> list[tuple[Any, Any]]:
    if given is None:
        return []
    if not isinstance(given, Iterable) or hasattr(given, "ndim"):
        raise TypeError(f"{what} must be a dict or a list of (variable, expression) pairs, got {given!r}")
    pairs = list(given.items() if isinstance(given, Mapping) else given)
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"{what} must be a dict or a list of (variable, expression) pairs, got the item {pair!r}")
    return [(key, value) for key, value in pairs]


def _updates(given: Pairs) -> dict[Any, Variable]:
    """The new value of each shared variable, checked."""
    targets: dict[Any, Variable] = {}
    _add_updates(targets, _pairs(given, "updates"))
    return targets


def _add_updates(targets: dict[Any, Variable], pairs: Iterable[tuple[Any, Any]]) -> None:
    for shared, value in pairs:
        if not isinstance(shared, SharedVariable):
            raise TypeError(
                f"update target must be a SharedVariable, got {shared!r}; tensordsl.shared(value) makes one"
            )
        if shared in targets:
            text = variable_text(shared)
            raise ValueError(f"this shared variable already has an update expression: {text} (updated twice)")
        targets[shared] = new_value(shared, value)


def new_value(shared: SharedVariable, value: Any) -> Variable:
    """The expression `value` if all its values have the type of `shared`; numbers and arrays become constants of it."""
    if not isinstance(value, Variable):
        try:
            return constant_of(shared.type, convert(value, shared.type))
        except TypeError as error:
            raise TypeError(f"The update of the shared variable {variable_text(shared)}: {error}") from None
    old, new = shared.type, value.type
    if old.accepts(new):
        return value
    raise TypeError(
        "An update must have the same type as the original shared variable (shared_var="
        f"{variable_text(shared)}, shared_var.type={old}, update_val={variable_text(value)}, update_val.type={new}). "
        + _update_hint(old, new)
    )


def _update_hint(old: TensorType, new: TensorType) -> str:
    if old.dtype != new.dtype:
        return f"Cast the update: expression.astype({old.dtype!r}), or make the shared variable of dtype {new.dtype}."
    if old.ndim != new.ndim:
        return f"The variable has rank {old.ndim}, the update {new.ndim}."
    axes = [k for k, (was, one) in enumerate(zip(old.broadcastable, new.broadcastable, strict=True)) if was and not one]
    if not axes:
        return "The lengths that the types know differ."
    return (
        f"T.addbroadcast(update, {', '.join(map(str, axes))}) says that it has one element there, "
        f"shared(..., broadcastable={new.broadcastable}) that the variable may have more."
    )


def constant_of(type: TensorType, value: Array) -> Constant:
    return TensorConstant(type, constant_array(value))


def _givens(given: Pairs, strict: bool) -> dict[Variable, Variable]:
    replacements: dict[Variable, Variable] = {}
    for old, new in _pairs(given, "givens"):
        if not isinstance(old, Variable):
            raise TypeError(f"givens replaces variables, got {old!r} of type {type(old).__name__}")
        if old in replacements:
            raise ValueError(f"givens replaces {variable_text(old)} twice")
        replacements[old] = _replacement(old, new, strict)
    return replacements


def _replacement(old: Variable, new: Any, strict: bool) -> Variable:
    text = f"givens: cannot replace {variable_text(old)} of type {old.type} by"
    if not isinstance(new, Variable):
        if not strict:
            return _replacement(old, as_variable(np.asarray(new)), strict)
        try:
            return constant_of(old.type, convert(new, old.type))
        except TypeError as error:
            raise TypeError(f"{text} a value: {error}") from None
    if old.type.accepts(new.type) or (not strict and isinstance(new.type, TensorType)):
        return new
    raise TypeError(f"{text} {variable_text(new)} of type {new.type}")


def _states(inputs: Sequence[Any], parameters: list[Parameter]) -> tuple[list[Parameter], list[tuple[Any, Any]]]:
    """Inputs with an update become shared variables of the function's own: the parameters, and their updates."""
    result, updates = [], []
    for given, parameter in zip(inputs, parameters, strict=True):
        update = given.update if isinstance(given, In) else None
        if update is not None:
            state, kind = parameter.default, parameter.variable.type
            if parameter.is_opaque:
                raise TypeError(f"In: no expression gives {parameter}, which is no tensor, a new value")
            if state is None:
                nothing = np.zeros([0 if n is None else n for n in kind.shape], kind.dtype)
                parameter = replace(parameter, is_required=True)
                state = TensorSharedVariable(kind, nothing, parameter.name)
            elif not isinstance(state, SharedVariable):
                state = TensorSharedVariable(kind, state, parameter.name)
            updates.append((state, update))
            parameter = replace(parameter, default=state, is_state=True)
        result.append(parameter)
    return result, updates


def _operands(parameters: Sequence[Parameter]) -> tuple[list[Variable], dict[Variable, Variable]]:
    """The program's inputs, none with an owner, and what stands for the user's variables where that is another."""
    operands: list[Variable] = []
    replaced: dict[Variable, Variable] = {}
    for parameter in parameters:
        variable = parameter.variable
        if parameter.is_opaque:
            continue
        if parameter.is_state:
            replaced[variable] = parameter.default
        elif variable.owner is not None:
            # The graph above an input is not computed: a fresh variable takes its place.
            fresh = replaced.setdefault(variable, variable.type(variable.name))
            operands.append(fresh)
        else:
            operands.append(variable)
    return operands, replaced


def _together(givens: Mapping[Variable, Variable], replaced: Mapping[Variable, Variable]) -> dict[Variable, Variable]:
    """Both at once: what takes a variable's place may be computed from inputs for which other variables stand."""
    values = substitute(by_keys([*givens.values()], replaced), replaced)
    return {**dict(zip(givens, values, strict=True)), **replaced}


# -- the graph -------------------------------------------------------------------------------------------------------
def _resolve(
    outputs: list[Variable],
    targets: dict[Any, Variable],
    replacements: dict[Variable, Variable],
    no_default_updates: Any,
    operands: list[Variable],
) -> tuple[list[Variable], list[tuple[Any, Variable]], list[Variable]]:
    """Outputs and updates after the replacements, with the default updates of all shared variables they use.

    The third result is every variable that they depend on, operands first.
    """
    skip_all, skipped = _skipped(no_default_updates)
    targets = dict(targets)
    while True:
        with unwatched(copies=True):
            done = by_keys([*outputs, *targets.values()], [*replacements, *operands])
            done = substitute(done, replacements)
        reached = ancestors(done, operands)
        fresh = [
            v
            for v in (reached if not skip_all else ())
            if isinstance(v, SharedVariable) and v.default_update is not None and v not in targets and v not in skipped
        ]
        if not fresh:
            return done[: len(outputs)], list(zip(targets, done[len(outputs) :], strict=True)), reached
        _add_updates(targets, [(shared, shared.default_update) for shared in fresh])


def _by_roots(
    outputs: list[Variable], pairs: list[tuple[Any, Variable]], reached: list[Variable], operands: list[Variable]
) -> tuple[list[Variable], list[tuple[Any, Variable]], list[Variable]]:
    """The same, with shared variables in the places of their clones: one value has one variable."""
    shared = [v for v in (*reached, *(target for target, _ in pairs)) if isinstance(v, SharedVariable)]
    clones = {v: v.root for v in shared if v.root is not v}
    if not clones:
        return outputs, pairs, reached
    done = substitute([*outputs, *(value for _, value in pairs)], clones)
    targets: dict[Any, Variable] = {}
    _add_updates(targets, zip((target.root for target, _ in pairs), done[len(outputs) :], strict=True))
    return done[: len(outputs)], list(targets.items()), ancestors(done, operands)


def _skipped(no_default_updates: Any) -> tuple[bool, set[Variable]]:
    if isinstance(no_default_updates, bool):
        return no_default_updates, set()
    if not isinstance(no_default_updates, list | tuple | set):
        raise TypeError(
            "function: no_default_updates should be either a boolean or a list of shared variables, got one of type "
            f"{type(no_default_updates).__name__}"
        )
    return False, set(no_default_updates)


def _check_duplicates(parameters: Sequence[Parameter]) -> None:
    seen: dict[Variable, int] = {}
    for position, parameter in enumerate(parameters):
        first = seen.setdefault(parameter.variable, position)
        if first != position:
            raise UnusedInputError(
                f"Variable {parameter} is used twice in inputs to tensordsl.function, at indices {first} and "
                f"{position}. This would result in values provided for it being ignored. Please do not duplicate "
                "variables in the inputs list."
            )


def _check_missing(reached: list[Variable], operands: list[Variable], results: list[Variable]) -> None:
    known = set(operands)
    leaves = [v for v in reached if v in known or (v.owner is None and not isinstance(v, Constant))]
    for position, variable in enumerate(leaves):
        if variable not in known and not isinstance(variable, SharedVariable):
            raise MissingInputError(_missing(position, variable, results))


def _check_unused(
    parameters: Sequence[Parameter], reached: list[Variable], operands: list[Variable], on_unused: str | None
) -> None:
    used, following = set(reached), iter(operands)
    for position, parameter in enumerate(parameters):
        variable = parameter.variable if parameter.is_opaque or parameter.is_state else next(following)
        if variable not in used and not parameter.is_state:
            _report_unused(position, variable, on_unused)


def _missing(position: int, variable: Variable, results: list[Variable]) -> str:
    from tensordsl.debugging.reports import graph_text, node_text  # late: only for errors

    user = next((node for node in toposort(results) if any(v is variable for v in node.inputs)), None)
    used = f"used to compute {node_text(user)}, " if user is not None else ""
    made = f"\n\nBacktrace when that variable is created:\n\n  {variable.origin}" if variable.origin is not None else ""
    return (
        f"Input {position} of the graph (indices start from 0), {used}was not provided and not given a value: "
        f"{variable_text(variable)}. Add it to the inputs of the function, or give it a value by `givens`. Use the "
        f"flag exception_verbosity='high', for more information on this error.{made}"
        + (f"\n\n{graph_text(results)}" if config.exception_verbosity == "high" else "")
    )


def _report_unused(position: int, variable: Variable, on_unused: str | None) -> None:
    action = config.on_unused_input if on_unused is None else on_unused
    if not isinstance(action, str) or action not in ("raise", "warn", "ignore"):
        raise ValueError(
            f"Invalid value (\"{action}\") for keyword on_unused_input. Valid options are ('raise', 'warn', 'ignore')"
        )
    text = (
        "tensordsl.function was asked to create a function computing outputs given certain inputs, but the provided "
        f"input variable at index {position} is not part of the computational graph needed to compute the outputs: "
        f"{variable_text(variable)}."
    )
    if action == "raise":
        raise UnusedInputError(
            f"{text}\nTo make this error into a warning, you can pass the parameter on_unused_input='warn' to "
            "tensordsl.function. To disable it completely, use on_unused_input='ignore'."
        )
    if action == "warn":
        warnings.warn(text, stacklevel=4)


def evaluate(variable: Variable, inputs_to_values: Mapping[Variable, Any] | None = None) -> Array:
    """`variable.eval({x: value, ...})`: its value; the function is kept for the next time."""
    if not isinstance(inputs_to_values, Mapping | None):
        raise TypeError(f"eval takes a dict of variables and their values, got {inputs_to_values!r}")
    values = dict(inputs_to_values or {})
    for key in values:
        if not isinstance(key, Variable):
            raise TypeError(f"Unknown parameter type: {type(key)}; eval takes a dict of variables and their values")
    inputs = tuple(sorted(values, key=id))
    cache: dict[Any, Any] = variable.__dict__.setdefault("_fn_cache", {})
    if inputs not in cache:
        cache[inputs] = function(list(inputs), variable, on_unused_input="ignore")
    result: Array = cache[inputs](*(values[v] for v in inputs))
    return result
