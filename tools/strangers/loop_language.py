"""Programs of loops: what they are made of, what they mean (by NumPy), and how they are written as Python text.

A program is a list of statements over named values; a `Let` is one operation, a `Loop` a `scan`, `loop` or
`while_loop` whose body is such a list again. Names are unique in a program. Lengths are named (`Type.dims`), and each
call says what they are, so that one drawn program is called with several. `evaluate` is the reference: it walks over
the statements with NumPy arrays, a loop as Python's loop, and takes nothing from tensordsl.
"""

from __future__ import annotations

import dataclasses
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

Env = dict[str, Any]
AT = "rounds that the loops are in"  # a name in environments


@dataclasses.dataclass(frozen=True, slots=True)
class Type:
    """A dtype, and the name of each axis' length; a number as a name is this length."""

    dtype: str
    dims: tuple[str, ...]

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith("float")


FREE = Type("float64", ())  # of results that only `with_draws` has


@dataclasses.dataclass(frozen=True, slots=True)
class Input:
    """An argument, or a shared variable. `role` is "" for data; "count" and "index" are integers that a call names."""

    name: str
    type: Type
    is_shared: bool = False
    role: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Let:
    """`name = op(operands)`; `extra` is what the operation's text and meaning have besides (bounds of a slice, ...)."""

    name: str
    op: str
    operands: tuple[str, ...]
    type: Type
    extra: tuple[Any, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Sequence:
    """What a loop walks over; the step has one parameter for each tap."""

    value: str
    parameters: tuple[str, ...]
    taps: tuple[int, ...] = (0,)


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What a step returns (`value`), as the loop gives it (`name`); with `initial` it is a state, read at `taps`."""

    name: str
    type: Type
    value: str
    initial: str = ""
    parameters: tuple[str, ...] = ()
    taps: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Loop:
    name: str
    form: str  # scan, loop, while
    sequences: tuple[Sequence, ...]
    results: tuple[Result, ...]
    body: tuple[Let | Loop, ...]
    n_steps: int | str | None = None
    is_backwards: bool = False
    until: str = ""  # a condition of the body; of a while_loop the condition to go on, of `condition` alone
    given: tuple[tuple[str, str], ...] = ()  # non_sequences: outer value, parameter
    updates: tuple[tuple[str, str], ...] = ()  # shared variable, value of the body
    condition: tuple[Let, ...] = ()


Statement = Let | Loop


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """Lengths of named axes, counts and indices; arguments are made of `seed`."""

    seed: int
    numbers: tuple[tuple[str, int], ...]

    def number(self, name: str) -> int:
        return int(name) if name.lstrip("-").isdigit() else dict(self.numbers)[name]


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    inputs: tuple[Input, ...]
    body: tuple[Statement, ...]
    outputs: tuple[str, ...]
    calls: tuple[Call, ...]
    updates: tuple[tuple[str, str], ...] = ()  # shared variable, value
    slopes: tuple[str, ...] = ()  # inputs: gradients of the sum of all outputs by these, in place of the outputs
    direction: str = ""  # an input: the outputs' derivatives along it (Rop), in place of the outputs
    mode: str = ""


# --- operations -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Op:
    """Text by tensordsl, with `{0}`, `{1}` for operands and `{e0}` for extras; meaning by NumPy."""

    text: str
    meaning: Callable[..., Any]
    is_smooth: bool = True


def _set_first(x: Any, y: Any) -> Any:
    x = x.copy()
    x[0] = y
    return x


def _inc_last(x: Any, y: Any) -> Any:
    x = x.copy()
    x[-1] += y
    return x


OPS: dict[str, Op] = {
    "tanh": Op("T.tanh({0})", np.tanh),
    "sigmoid": Op("T.nnet.sigmoid({0})", lambda x: 1 / (1 + np.exp(-x))),
    "half": Op("{0} * 0.5", lambda x: x * 0.5),
    "more": Op("{0} + 0.25", lambda x: x + 0.25),
    "sine": Op("T.sin({0})", np.sin),
    "neg": Op("-{0}", lambda x: -x),
    "one_more": Op("{0} + 1", lambda x: x + 1),
    "mod": Op("{0} % 5", lambda x: x % 5, False),
    "twice": Op("{0} * 2", lambda x: x * 2),
    "add": Op("{0} + {1}", lambda x, y: x + y),
    "sub": Op("{0} - {1}", lambda x, y: x - y),
    "mul": Op("{0} * T.tanh({1})", lambda x, y: x * np.tanh(y)),
    "int_mul": Op("{0} * ({1} % 3)", lambda x, y: x * (y % 3), False),
    "maximum": Op("T.maximum({0}, {1})", np.maximum, False),
    "switch": Op(
        "T.switch({0} > {1}, {0} - {1}, ({1} - {0}) * 2)", lambda x, y: np.where(x > y, x - y, (y - x) * 2), False
    ),
    "decay": Op("{0} * 0.5 + {1}", lambda x, y: x * 0.5 + y),
    "int_decay": Op("({0} + {1}) % 7", lambda x, y: (x + y) % 7, False),
    "dot": Op("T.dot({0}, {1})", lambda x, y: np.dot(x, y)),
    "cast": Op('T.cast({0}, "{e0}")', lambda x, dtype: x.astype(dtype)),
    "sum_first": Op("{0}.sum(axis=0)", lambda x: x.sum(axis=0)),
    "sum_last": Op("{0}.sum(axis=-1)", lambda x: x.sum(axis=-1)),
    "sum_all": Op("{0}.sum()", lambda x: x.sum()),
    "mean_first": Op("{0}.mean(axis=0)", lambda x: x.mean(axis=0)),
    "max_first": Op("{0}.max(axis=0)", lambda x: x.max(axis=0), False),
    "max_all": Op("{0}.max()", lambda x: x.max(), False),
    "argmax_first": Op("{0}.argmax(axis=0)", lambda x: x.argmax(axis=0), False),
    "cumsum": Op("{0}.cumsum(axis=0)", lambda x: x.cumsum(axis=0)),
    "row": Op("{0}[{e0}]", lambda x, k: x[k]),
    "row_at": Op("{0}[{1}]", lambda x, i: x[int(i)]),
    "element": Op("{0}[{e0}, {e1}]", lambda x, k, j: x[k, j]),
    "column": Op("{0}[:, {e0}]", lambda x, j: x[:, j]),
    "slice": Op("{0}[{e0}]", lambda x, text: x[slice_of(text)]),
    "from_at": Op("{0}[{1}:]", lambda x, i: x[int(i) :]),
    "to_at": Op("{0}[:{1}]", lambda x, i: x[: int(i)]),
    "rows": Op("{0}[[{e0}, {e1}]]", lambda x, i, j: x[[i, j]]),
    "differences": Op("{0}[1:] - {0}[:-1]", lambda x: x[1:] - x[:-1]),
    "length": Op("{0}.shape[0]", lambda x: np.int64(len(x)), False),
    "roll": Op("T.concatenate([{0}[1:], {0}[:1]])", lambda x: np.concatenate([x[1:], x[:1]])),
    "transposed": Op("{0}.T", lambda x: x.T),
    "set_first": Op("T.set_subtensor({0}[0], {1})", _set_first),
    "inc_last": Op("T.inc_subtensor({0}[-1], {1})", _inc_last),
    "greater": Op("{0}.sum() > {e0}", lambda x, c: x.sum() > c, False),
    "less": Op("T.lt({0}, {1})", lambda x, y: x < y, False),
    "zeros": Op("T.zeros_like({0})", lambda x: np.zeros_like(x)),
    "uniform": Op("srng.uniform(size={0}.shape, ndim={e0})", lambda x, ndim: x, False),  # its values are given
}


def slice_of(text: str) -> slice:
    return slice(*(int(part) if part else None for part in text.split(":")))


# --- walks ------------------------------------------------------------------------------------------------------------


def walk(body: Iterable[Statement]) -> Iterator[Statement]:
    """All statements, those of inner bodies behind their loop."""
    for statement in body:
        yield statement
        if isinstance(statement, Loop):
            yield from walk(statement.body)
            yield from statement.condition


def reads_of(statement: Statement) -> set[str]:
    """Names that a statement takes from outside."""
    if isinstance(statement, Let):
        return set(statement.operands)
    names = {s.value for s in statement.sequences} | {outer for outer, _ in statement.given}
    names |= {r.initial for r in statement.results if r.initial} | {shared for shared, _ in statement.updates}
    names |= {statement.n_steps} if isinstance(statement.n_steps, str) else set()
    inner: set[str] = set(parameters_of(statement))
    for each in (*statement.body, *statement.condition):
        names |= reads_of(each) - inner
        inner |= set(names_of(each))
    names |= {r.value for r in statement.results} - inner
    return names | ({statement.until} - inner if statement.until else set()) | {v for _, v in statement.updates} - inner


def names_of(statement: Statement) -> tuple[str, ...]:
    return (statement.name,) if isinstance(statement, Let) else tuple(r.name for r in statement.results)


def parameters_of(loop: Loop) -> list[str]:
    """The step's parameters, in their order."""
    names = [p for s in loop.sequences for p in s.parameters]
    return [*names, *(p for r in loop.results for p in r.parameters), *(p for _, p in loop.given)]


def drawn(name: str) -> str:
    """The name of what a draw gave in all rounds."""
    return f"{name}_rows"


def has_draws(statement: Statement) -> bool:
    if isinstance(statement, Let):
        return statement.op == "uniform"
    return any(map(has_draws, statement.body))


def with_draws(program: Program) -> tuple[Program, tuple[str, ...]]:
    """The program that gives its random numbers in place of its outputs, and the names of the draws."""

    def shown(loop: Loop) -> tuple[Loop, list[str]]:
        body, names = [], []
        for statement in loop.body:
            if isinstance(statement, Loop):
                statement, inner = shown(statement)
                names += inner
            elif statement.op == "uniform":
                names.append(statement.name)
            body.append(statement)
        kept = {each.name for each in body}
        more = [Result(drawn(n) + loop.name, FREE, n if n in kept else inner_of(n, body)) for n in names]
        return dataclasses.replace(loop, body=tuple(body), results=(*loop.results, *more)), names

    def inner_of(name: str, body: Iterable[Statement]) -> str:
        return next(n for s in body if isinstance(s, Loop) for n in names_of(s) if n.startswith(drawn(name)))

    body, outputs, names = [], [], []
    for statement in program.body:
        if isinstance(statement, Loop):
            statement, inner = shown(statement)
            names += inner
            outputs += [drawn(name) + statement.name for name in inner]
        body.append(statement)
    return dataclasses.replace(program, body=tuple(body), outputs=tuple(outputs)), tuple(names)


# --- meaning ----------------------------------------------------------------------------------------------------------


Settle = Callable[[Let, list[Any], Any], Any]


def as_it_is(let: Let, operands: list[Any], value: Any) -> Any:
    return value


def evaluate(
    body: Iterable[Statement], env: Env, length: Callable[[str], int], state: Env, settle: Settle = as_it_is
) -> None:
    """Add the values of all statements to `env`, each as `settle` gives it on; new values of shared variables to
    `state`."""
    for statement in body:
        if isinstance(statement, Let) and statement.op == "uniform":
            env[statement.name] = env[drawn(statement.name)][env[AT]]
        elif isinstance(statement, Let):
            operands = [env[name] for name in statement.operands]
            value = np.asarray(OPS[statement.op].meaning(*operands, *statement.extra))
            env[statement.name] = settle(statement, operands, value)
        else:
            evaluate_loop(statement, env, length, state, settle)


def evaluate_loop(loop: Loop, env: Env, length: Callable[[str], int], state: Env, settle: Settle) -> None:
    inner = dict(env)
    inner.update({parameter: env[outer] for outer, parameter in loop.given})
    walked, limit = [], None
    for sequence in loop.sequences:
        before = min(0, *sequence.taps) if len(sequence.taps) > 1 else min(0, sequence.taps[0])
        behind = max(0, *sequence.taps) if len(sequence.taps) > 1 else max(0, sequence.taps[0])
        rows = env[sequence.value]
        usable = max(0, len(rows) - behind + before)
        limit = usable if limit is None else min(limit, usable)
        for parameter, tap in zip(sequence.parameters, sequence.taps, strict=True):
            walked.append((parameter, rows, tap - before, usable))
    if loop.form == "loop" and len({usable for *_, usable in walked}) > 1:
        raise ValueError("xs have different lengths")
    rounds = limit
    if loop.n_steps is not None:
        rounds = loop.n_steps if isinstance(loop.n_steps, int) else int(env[loop.n_steps])
        if rounds < 0 or (limit is not None and (limit < rounds or (loop.form == "loop" and limit != rounds))):
            raise ValueError("fewer elements than rounds")
    history: dict[str, list[Any]] = {result.name: [] for result in loop.results}
    is_scan = loop.form == "scan"
    for result in loop.results:
        if result.initial:
            reach = -min(result.taps)
            start = env[result.initial]
            if is_scan and result.taps != (-1,):
                if len(start) < reach:
                    raise ValueError("fewer rows in initial than taps reach back")
                history[result.name] = list(start[:reach])
            else:
                history[result.name] = [start]
    shared = {name: env[name] for name, _ in loop.updates}
    for t in itertools.count():
        if rounds is not None and t >= rounds:
            break
        for parameter, rows, offset, usable in walked:
            inner[parameter] = np.asarray(rows[offset + (usable - 1 - t if loop.is_backwards else t)])
        for result in loop.results:
            for parameter, tap in zip(result.parameters, result.taps, strict=True):
                inner[parameter] = history[result.name][tap]
        inner.update(shared)
        inner[AT] = (*env.get(AT, ()), t)
        if loop.form == "while":
            evaluate(loop.condition, inner, length, state, settle)
            if not inner[loop.until]:
                break
        evaluate(loop.body, inner, length, state, settle)
        for result in loop.results:
            history[result.name].append(inner[result.value])
        shared.update({name: inner[value] for name, value in loop.updates})
        if loop.form == "scan" and loop.until and inner[loop.until]:
            break
    state.update(shared)
    for result in loop.results:
        kept = history[result.name]
        if not is_scan and result.initial:
            env[result.name] = kept[-1]
            continue
        if result.initial:
            kept = kept[-min(result.taps) :]
        if loop.form == "loop" and loop.is_backwards:
            kept = kept[::-1]
        lengths = [length(name) for name in result.type.dims[1:]]
        env[result.name] = np.stack(kept) if kept else np.zeros((0, *lengths), result.type.dtype)


def data(input_: Input, call: Call) -> Any:
    """The value of an input in a call: small numbers of two digits."""
    if input_.role:
        return np.array(call.number(input_.name), "int64")
    lengths = [call.number(name) for name in input_.type.dims]
    source = np.random.RandomState((zlib.crc32(input_.name.encode()) + call.seed) % 2**31)
    if input_.type.is_float:
        return np.array(source.uniform(-1, 1, lengths).round(2), input_.type.dtype)
    return np.array(source.randint(0, 5, lengths), input_.type.dtype)


# --- text -------------------------------------------------------------------------------------------------------------

LETTERS = {"float64": "d", "float32": "f", "int64": "l"}
CONSTRUCTORS = ("scalar", "vector", "matrix", "tensor3", "tensor4", "tensor5")


def literal(value: Any) -> str:
    """An array as Python text."""
    text = repr(value.tolist())
    if not value.size:
        return f"np.zeros({value.shape}, {value.dtype.name!r})"
    return f"np.array({text})" if value.dtype == np.float64 else f"np.array({text}, {value.dtype.name!r})"


def indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def let_text(let: Let) -> str:
    extras = {f"e{k}": value for k, value in enumerate(let.extra)}
    return f"{let.name} = {OPS[let.op].text.format(*let.operands, **extras)}"


def body_lines(body: Iterable[Statement]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, Let):
            yield let_text(statement)
        else:
            yield from loop_lines(statement)


def tuple_of(names: Iterable[str]) -> str:
    names = list(names)
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def loop_lines(loop: Loop) -> Iterator[str]:
    """The definition of the step, and the call."""
    yield ""
    if loop.form == "scan":
        yield from scan_lines(loop)
        return
    states = [r for r in loop.results if r.initial]
    carry = tuple_of(r.parameters[0] for r in states)
    start = tuple_of(r.initial for r in states)
    n_steps = "" if loop.n_steps is None else f", length={loop.n_steps}"
    if loop.form == "while":
        yield f"def condition_{loop.name}(carry):"
        yield f"    {carry} = carry"
        yield from indented(body_lines(loop.condition))
        yield f"    return {loop.until}"
        yield ""
        yield f"def step_{loop.name}(carry):"
        yield f"    {carry} = carry"
        yield from indented(body_lines(loop.body))
        yield f"    return {tuple_of(r.value for r in states)}"
        yield ""
        call = f"tensordsl.while_loop(condition_{loop.name}, step_{loop.name}, {start})"
        yield f"{tuple_of(r.name for r in states)} = {call}"
        return
    others = [r for r in loop.results if not r.initial]
    yield f"def step_{loop.name}(carry, x):"
    if states:
        yield f"    {carry} = carry"
    if loop.sequences:
        yield f"    {tuple_of(s.parameters[0] for s in loop.sequences)} = x"
    yield from indented(body_lines(loop.body))
    yield f"    return {tuple_of(r.value for r in states)}, {tuple_of(r.value for r in others)}"
    yield ""
    xs = tuple_of(s.value for s in loop.sequences) if loop.sequences else "None"
    reverse = ", reverse=True" if loop.is_backwards else ""
    target = (
        f"{tuple_of(r.name for r in states) if states else '_'}, {tuple_of(r.name for r in others) if others else '_'}"
    )
    yield f"{target} = tensordsl.loop(step_{loop.name}, {start}, {xs}{n_steps}{reverse})"


def scan_lines(loop: Loop) -> Iterator[str]:
    yield f"def step_{loop.name}({', '.join(parameters_of(loop))}):"
    yield from indented(body_lines(loop.body))
    values = [r.value for r in loop.results]
    returned = values[0] if len(values) == 1 else f"[{', '.join(values)}]"
    updates = [f"**updates_{each.name}" for each in loop.body if isinstance(each, Loop) and has_draws(each)]
    updates += [f"{name}: {value}" for name, value in loop.updates]
    if updates:
        returned += f", {{{', '.join(updates)}}}"
    if loop.until:
        returned += f", tensordsl.scan_module.until({loop.until})"
    yield f"    return {returned}"
    yield ""
    arguments = []
    if loop.sequences:
        those = [s.value if s.taps == (0,) else f"dict(input={s.value}, taps={list(s.taps)})" for s in loop.sequences]
        arguments.append(f"sequences=[{', '.join(those)}]")
    starts = []
    for r in loop.results:
        if not r.initial:
            starts.append("None")
        else:
            starts.append(r.initial if r.taps == (-1,) else f"dict(initial={r.initial}, taps={list(r.taps)})")
    if any(r.initial for r in loop.results):
        arguments.append(f"outputs_info=[{', '.join(starts)}]")
    if loop.given:
        arguments.append(f"non_sequences=[{', '.join(outer for outer, _ in loop.given)}]")
    if loop.n_steps is not None:
        arguments.append(f"n_steps={loop.n_steps}")
    if loop.is_backwards:
        arguments.append("go_backwards=True")
    names = ", ".join(r.name for r in loop.results)
    target = f"[{names}]" if len(values) > 1 else names
    yield f"{target}, updates_{loop.name} = tensordsl.scan(step_{loop.name}, {', '.join(arguments)})"


def program_lines(program: Program) -> Iterator[str]:
    """The text that makes the function `f`."""
    yield from ("import numpy as np", "import tensordsl", "import tensordsl.tensor as T", "")
    if any(map(has_draws, program.body)):
        yield "srng = T.shared_randomstreams.RandomStreams(7)"
    for each in program.inputs:
        if each.is_shared:
            yield f"{each.name} = tensordsl.shared({literal(data(each, program.calls[0]))}, name={each.name!r})"
        else:
            kind = LETTERS[each.type.dtype] + CONSTRUCTORS[len(each.type.dims)]
            yield f'{each.name} = T.{kind}("{each.name}")'
    yield from body_lines(program.body)
    arguments = [each.name for each in program.inputs if not each.is_shared]
    outputs = ", ".join(program.outputs)
    if program.slopes:
        terms = " + ".join(f"(T.cos({name}) * {name}).sum()" for name in program.outputs)
        yield f"cost = {terms}"
        outputs = f"*T.grad(cost, [{', '.join(program.slopes)}], disconnected_inputs='ignore')"
    if program.direction:
        kind = CONSTRUCTORS[len({each.name: each for each in program.inputs}[program.direction].type.dims)]
        yield f'direction = T.d{kind}("direction")'
        arguments.append("direction")
        outputs = f"*tensordsl.Rop([{outputs}], {program.direction}, direction, disconnected_outputs='ignore')"
    yield "updates = tensordsl.OrderedUpdates()"
    for statement in program.body:
        if isinstance(statement, Loop) and (statement.updates or has_draws(statement)):
            yield f"updates.update(updates_{statement.name})"
    if program.updates:
        yield f"updates.update({{{', '.join(f'{name}: {value}' for name, value in program.updates)}}})"
    mode = f", mode={program.mode}" if program.mode else ""
    yield (
        f"f = tensordsl.function([{', '.join(arguments)}], [{outputs}], updates=updates, on_unused_input='ignore'{mode})"
    )


def program_text(program: Program) -> str:
    return "\n".join(program_lines(program)) + "\n"
