"""Programs of loops judged: compiled and called beside the reference, and made smaller.

What is wrong with a program is said in one line: a refused compile, an error of a call that NumPy does not have, none
where NumPy has one, a wrong value, shape, dtype, state or slope, or a changed argument. Arguments of every second call
end where a page that nobody may touch begins. The reference computes in the program's dtypes. A value is wrong if it is
far from the reference's, measured by how much that changes by noise of some roundings behind each of its steps; where
rounding may decide how many rounds there are, or numbers overflow, nothing is judged. Slopes: differences.
"""

from __future__ import annotations

import dataclasses
import mmap
import warnings
from collections.abc import Callable, Iterable, Iterator
from ctypes import CDLL, c_size_t, c_void_p
from functools import cache
from typing import Any

import numpy as np

from tools.strangers.loop_language import (
    Call,
    Env,
    Input,
    Let,
    Loop,
    Program,
    Result,
    Statement,
    Type,
    data,
    drawn,
    evaluate,
    has_draws,
    literal,
    names_of,
    program_text,
    reads_of,
    slice_of,
    walk,
    with_draws,
)

SLOTS = 24
TOLERANCE = {"float64": 1e-9, "float32": 3e-4}
ROUNDINGS = 4  # of noise
OVERFLOW = {"float64": 1e150, "float32": 1e18}  # squares are finite
STEP = 1e-5  # of differences
LARGEST = 30.0  # outputs beyond it have no differences that judge anything


Shaken = Callable[[], Iterator[tuple[Env, Env]]]


class Reference:
    """A program's meaning, call after call."""

    def __init__(self, program: Program, draws: list[Env] | None = None, noise: int | None = None) -> None:
        """noise: the seed of noise behind each step."""
        self.program = program
        self.draws = list(draws or ())  # random numbers of the calls, in their order
        self.source = None if noise is None else np.random.RandomState(noise)
        self.doubt = ""  # why rounding decides what is right
        first = program.calls[0]
        self.state = {each.name: self.noisy(data(each, first)) for each in program.inputs if each.is_shared}

    def noisy(self, value: Any) -> Any:
        if self.source is None or value.dtype.kind != "f":
            return value
        roundings = self.source.uniform(-ROUNDINGS, ROUNDINGS, value.shape)
        return np.asarray(value * (1 + np.finfo(value.dtype).eps * roundings), value.dtype)

    def settle(self, let: Let, operands: list[Any], value: Any) -> Any:
        """The value of a step, with noise; notes where a condition or a number is in doubt."""
        (x,) = operands if let.op == "greater" else (value,)
        if x.dtype.kind != "f":
            return value
        size = np.abs(x)
        if not self.doubt and not (size <= OVERFLOW[x.dtype.name]).all():
            self.doubt = "overflow"
        if let.op == "greater" and not self.doubt:
            room = TOLERANCE[x.dtype.name] * (1 + float(size.sum()))
            self.doubt = "tie" if abs(float(x.sum()) - let.extra[0]) <= room else ""
        return value if let.op == "greater" else self.noisy(value)

    def start(self, call: Call) -> Env:
        env = {each.name: self.noisy(data(each, call)) for each in self.program.inputs if not each.is_shared}
        return env | self.state

    def run(self, call: Call, commit: bool = True, **other: Any) -> Env:
        """All values of a call; `other` values of inputs may be given."""
        env, changed = self.start(call) | other, {}
        env |= self.draws.pop(0) if self.draws else {}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluate(self.program.body, env, call.number, changed, self.settle)
        changed |= {shared: env[value] for shared, value in self.program.updates}
        if commit:
            self.state |= {name: np.array(value) for name, value in changed.items()}
        return env


class Ends:
    """Places for arrays that end where a page begins that nobody may touch."""

    def __init__(self) -> None:
        self.space = mmap.mmap(-1, 2 * SLOTS * mmap.PAGESIZE)
        self.bytes = np.frombuffer(self.space, np.uint8)
        for k in range(SLOTS):
            page = c_void_p(self.bytes.ctypes.data + (2 * k + 1) * mmap.PAGESIZE)
            assert CDLL(None).mprotect(page, c_size_t(mmap.PAGESIZE), 0) == 0

    def put(self, k: int, a: Any) -> Any:
        if a.nbytes > mmap.PAGESIZE or k >= SLOTS or not a.nbytes:
            return a
        stop = (2 * k + 1) * mmap.PAGESIZE
        placed = self.bytes[stop - a.nbytes : stop].view(a.dtype).reshape(a.shape)
        placed[...] = a
        return placed


@cache
def ends() -> Ends:
    return Ends()


def first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def check(program: Program) -> str:
    """What is wrong with the program; "" if nothing is."""
    names: Env = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(program_text(program), "program.py", "exec"), names)
        except Exception as error:
            is_expected = isinstance(error, (IndexError, ValueError)) and (
                raises_somewhere(program) or (isinstance(error, IndexError) and has_position_in_nothing(program))
            )
            return "" if is_expected else f"refused by {first_line(error)}"
        judge = Judge(program, names)
        if any(map(has_draws, program.body)):
            try:
                judge.prepare_draws()
            except Exception as error:
                return f"refused, with its draws as results, by {first_line(error)}"
        for k, call in enumerate(program.calls):
            found = judge.call(k, call)
            if found or judge.reference.doubt:
                return f"{found} (call {k})" if found else ""
    return ""


def raises_somewhere(program: Program) -> bool:
    """Whether the reference has an error in one of the calls: it may be seen where lengths are known."""
    if any(map(has_draws, program.body)):
        return True  # it has no values
    for k in range(len(program.calls)):
        try:
            Reference(program).run(program.calls[k])
        except (IndexError, ValueError):
            return True
    return False


def has_position_in_nothing(program: Program) -> bool:
    """Whether a constant position is read of an axis whose known length it exceeds: that is told where it is written,
    whether or not a round comes to it."""
    known = types(program)
    for each in walk(program.body):
        if isinstance(each, Let) and each.op in ("row", "rows", "element"):
            length = known_length(known[each.operands[0]].dims[0])
            positions = each.extra if each.op == "rows" else each.extra[:1]
            if length is not None and any(not -length <= at < length for at in positions):
                return True
    return False


def known_length(dim: str) -> int | None:
    """The length of an axis that is called "5", "5[1:]", "5[1:][::-1]", ...; None where it follows from a call."""
    first, *slices = dim.split("[")
    if not first.isdigit() or not all(part[:-1].strip("-:0123456789") == "" for part in slices):
        return None
    rows = range(int(first))
    for part in slices:
        rows = rows[slice_of(part[:-1])]
    return len(rows)


class Judge:
    """A compiled program and its reference, side by side."""

    def __init__(self, program: Program, names: Env) -> None:
        self.program, self.names = program, names
        self.reference = Reference(program)
        self.drawn: tuple[str, ...] = ()
        self.draws: list[Env] = []
        self.inputs = [each for each in program.inputs if not each.is_shared]
        self.dtypes = {name: t.dtype for name, t in types(program).items()}
        wides = {t.dtype for t in types(program).values()}
        self.precision = "float32" if "float32" in wides else "float64"

    def prepare_draws(self) -> None:
        """Compile the program that gives the random numbers."""
        other, self.drawn = with_draws(self.program)
        self.of_draws: Env = {}
        exec(compile(program_text(other), "draws.py", "exec"), self.of_draws)

    def give_draws(self, arguments: list[Any]) -> list[Any]:
        """The random numbers of a call, from the state that the program itself has."""
        pairs = [(self.names[each.name], self.of_draws[each.name]) for each in self.program.inputs if each.is_shared]
        pairs += [
            (a, b)
            for (a, _), (b, _) in zip(
                self.names["srng"].state_updates, self.of_draws["srng"].state_updates, strict=True
            )
        ]
        for own, other in pairs:
            other.set_value(own.get_value())
        rows: list[Any] = self.of_draws["f"](*arguments)
        return rows

    def draw(self, arguments: list[Any]) -> str:
        """Have the random numbers of a call; what is wrong with them."""
        try:
            rows = self.give_draws(arguments)
        except Exception as error:
            return f"error, with its draws as results, {first_line(error)}"
        self.draws.append({drawn(name): value for name, value in zip(self.drawn, rows, strict=True)})
        self.reference.draws.append(self.draws[-1])
        for name, value in self.draws[-1].items():
            if not ((value >= 0) & (value < 1)).all() or len(np.unique(value)) < value.size:
                return f"wrong draws: {name}: {len(np.unique(value))} different ones of {value.size}"
        return ""

    def call(self, k: int, call: Call) -> str:
        program = self.program
        arguments = [data(each, call) for each in self.inputs]
        if self.drawn:
            found = self.draw(arguments)
            if found:
                return "" if self.fails_also(call, k) else found
        if program.direction:
            arguments.append(self.direction_of(program.direction, call))
        given = [ends().put(i, a) for i, a in enumerate(arguments)] if k % 2 else [a.copy() for a in arguments]
        before = dict(self.reference.state)
        expected: Env | None = None
        missing = ""
        try:
            expected = self.reference.run(call)
        except (IndexError, ValueError) as error:
            missing = first_line(error)
        try:
            got = self.names["f"](*given)
        except Exception as error:
            is_expected = expected is None or (self.reference.doubt and isinstance(error, (IndexError, ValueError)))
            return "" if is_expected else f"error {first_line(error)}"
        if any(not np.array_equal(a, b) for a, b in zip(arguments, given, strict=True)):
            return "changed argument"
        if expected is None:
            self.reference.doubt = "state"  # it has not gone on where the program may have
            is_needed = not program.slopes and not program.direction and self.has_needed_error(call, before)
            return f"no error: NumPy has {missing}" if is_needed else ""
        if self.reference.doubt:
            return ""
        shaken = self.shaken(k)
        if program.slopes:
            found = self.slopes(call, got, before)
        elif program.direction:
            found = self.derivatives(call, got, before, arguments[-1])
        else:
            found = self.values(got, expected, shaken)
        return found or self.states(shaken)

    def has_needed_error(self, call: Call, state: Env) -> bool:
        """Whether the error stays if nothing is computed that nobody reads."""
        program = needed(self.program)
        if any(isinstance(s, Loop) and has_unread_elements(s) for s in walk(program.body)):
            return False  # of what is walked over only the length is needed
        other = Reference(program, self.draws[-1:])
        other.state = dict(state)
        try:
            other.run(call)
        except (IndexError, ValueError):
            return True
        return False

    def fails_also(self, call: Call, k: int) -> bool:
        """Whether the program itself has an error in a call whose draws have one."""
        try:
            self.names["f"](*[data(each, call) for each in self.inputs])
        except Exception:
            return True
        return False

    def shaken(self, k: int) -> Shaken:
        """The values and state of call k with noise."""

        def run() -> Iterator[tuple[Env, Env]]:
            for seed in (7, 8, 9):
                other = Reference(self.program, self.draws, seed)
                for call in self.program.calls[: k + 1]:
                    env = other.run(call)
                yield env, other.state

        return run

    def stays_wrong(self, shaken: Shaken, compare: Callable[[Env, Env], str]) -> bool:
        """Whether a value is wrong beside every one of the shaken ones; not if these have errors."""
        try:
            return all(compare(env, state) for env, state in shaken())
        except (IndexError, ValueError):
            return False

    def values(self, got: list[Any], expected: Env, shaken: Shaken) -> str:
        largest = {s.name: s.operands[0] for s in self.program.body if isinstance(s, Let) and s.op == "argmax_first"}
        for name, value in zip(self.program.outputs, got, strict=True):
            those = expected[largest[name]] if name in largest else ()
            found = self.compare(value, expected[name], self.dtypes[name], candidates=those)
            if found and not self.stays_wrong(
                shaken,
                lambda env, _, n=name, v=value, c=those: self.compare(v, expected[n], self.dtypes[n], env[n], c),
            ):
                continue
            if found:
                return f"wrong {found} of {name}" if "dtype" in found else f"wrong value: {name}: {found}"
        return ""

    def states(self, shaken: Shaken) -> str:
        for name, expected in self.reference.state.items():
            value = self.names[name].get_value()
            found = self.compare(value, expected, self.dtypes[name])
            if found and not self.stays_wrong(
                shaken, lambda _, state, n=name, v=value, e=expected: self.compare(v, e, self.dtypes[n], state[n])
            ):
                continue
            if found:
                return f"wrong state: {name}: {found}"
        return ""

    def compare(self, got: Any, expected: Any, dtype: str, shaken: Any = None, candidates: Any = ()) -> str:
        """How a value is wrong; `candidates` are those of which it is the position of the largest."""
        got = np.asarray(got)
        if got.dtype != dtype:
            return f"dtype {got.dtype} for {dtype}"
        if got.shape != np.shape(expected):
            return f"shape {got.shape} for {np.shape(expected)}"
        is_known = np.isfinite(expected) & (np.abs(expected) < 1e30)
        if np.size(candidates) and dtype == "int64" and np.all((0 <= got) & (got < len(candidates))):
            at_got = np.take_along_axis(candidates, got[None], 0)[0]
            is_known = is_known & ~(np.abs(at_got - candidates.max(axis=0)) <= 1e-5 * np.abs(at_got))
        if not got.size or not is_known.any():
            return ""
        scale = max(1.0, float(np.abs(np.where(is_known, expected, 0)).max()))
        if dtype.startswith("int"):
            if shaken is not None and not np.array_equal(shaken, expected):
                return ""
            is_wrong = is_known & (got != expected)
        else:
            room = scale * TOLERANCE[self.precision]
            if shaken is not None:
                if shaken.shape != np.shape(expected):
                    return ""
                noise = np.abs(np.where(is_known, shaken - expected, 0))
                if not noise.max() <= 0.1 * scale:
                    return ""
                room = room + 100 * noise
            is_wrong = is_known & ~(np.abs(got - expected) <= room)
        if not is_wrong.any():
            return ""
        at = tuple(int(i) for i in np.argwhere(is_wrong)[0])
        return f"{got[at]} for {np.asarray(expected)[at]} at {at}, {int(is_wrong.sum())} of {got.size}"

    def direction_of(self, name: str, call: Call) -> Any:
        input_ = next(each for each in self.program.inputs if each.name == name)
        return np.asarray(data(dataclasses.replace(input_, name=f"{name}'"), call))

    def differences(self, call: Call, state: Env, name: str, direction: Any, step: float) -> list[Any] | None:
        """Of the outputs, along a direction of an input; None where lengths change."""
        both = []
        for sign in (1, -1):
            other = Reference(self.program)
            other.state = dict(state)
            start = other.start(call)[name]
            env = other.run(call, False, **{name: start + sign * step * direction})
            both.append([env[output] for output in self.program.outputs])
        if any(np.shape(a) != np.shape(b) for a, b in zip(*both, strict=True)):
            return None
        if not all(np.abs(v).max(initial=0) < LARGEST for v in both[0]):
            return None
        return both

    def slopes(self, call: Call, got: list[Any], state: Env) -> str:
        for name, slope in zip(self.program.slopes, got, strict=True):
            direction = self.direction_of(name, call)
            if np.shape(slope) != direction.shape:
                return f"wrong slope: by {name}: shape {np.shape(slope)} for {direction.shape}"
            quotients = []
            for step in (STEP, 2 * STEP):
                both = self.differences(call, state, name, direction, step)
                if both is None:
                    return ""
                costs = [sum(float((np.cos(v) * v).sum()) for v in values) for values in both]
                quotients.append((costs[0] - costs[1]) / (2 * step))
            room = 1e-5 * max(1.0, abs(quotients[0]), float(np.abs(direction * slope).sum()))
            if not np.isfinite(quotients).all() or abs(quotients[0] - quotients[1]) > room:
                continue
            along = float((slope * direction).sum())
            if not abs(along - quotients[0]) <= 2 * room:
                return f"wrong slope: by {name}: {along} for {quotients[0]}"
        return ""

    def derivatives(self, call: Call, got: list[Any], state: Env, direction: Any) -> str:
        name = self.program.direction
        quotients = []
        for step in (STEP, 2 * STEP):
            both = self.differences(call, state, name, direction, step)
            if both is None:
                return ""
            quotients.append([(a - b) / (2 * step) for a, b in zip(*both, strict=True)])
        for output, value, once, again in zip(self.program.outputs, got, *quotients, strict=True):
            if np.shape(value) != np.shape(once):
                return f"wrong derivative: of {output}: shape {np.shape(value)} for {np.shape(once)}"
            room = 1e-5 * np.maximum(1, np.abs(once))
            is_wrong = np.isfinite(once) & (np.abs(once - again) <= room) & ~(np.abs(value - once) <= 2 * room)
            if np.any(is_wrong):
                at = tuple(int(i) for i in np.argwhere(is_wrong)[0])
                return f"wrong derivative: of {output}: {np.asarray(value)[at]} for {np.asarray(once)[at]} at {at}"
        return ""


# --- text -------------------------------------------------------------------------------------------------------------


def source(program: Program) -> str:
    """The program with its arguments and what they should give, as text that runs by itself."""
    lines = [program_text(program)]
    reference = Reference(program)
    inputs = [each for each in program.inputs if not each.is_shared]
    has_known = not program.slopes and not program.direction and not any(map(has_draws, program.body))
    for k, call in enumerate(program.calls):
        arguments = [data(each, call) for each in inputs]
        if program.direction:
            arguments.append(Judge(program, {}).direction_of(program.direction, call))
        try:
            env = reference.run(call) if has_known else {}
            wanted = "; ".join(literal(env[n]) for n in program.outputs) if has_known else ""
        except (IndexError, ValueError) as error:
            wanted = first_line(error)
        lines.append(
            f"print(f({', '.join(literal(a) for a in arguments)}))  # call {k}" + (f": {wanted}" if wanted else "")
        )
        for name, value in reference.state.items() if has_known else ():
            lines.append(f"print({name}.get_value())  # {literal(value)}")
    return "\n".join(lines)


# --- smaller programs -------------------------------------------------------------------------------------------------


def types(program: Program) -> dict[str, Type]:
    """The types of all names, of parameters too."""
    known = {each.name: each.type for each in program.inputs}

    def element(t: Type) -> Type:
        return Type(t.dtype, t.dims[1:])

    def see(body: Iterable[Statement]) -> None:
        for statement in body:
            if isinstance(statement, Let):
                known[statement.name] = statement.type
                continue
            for s in statement.sequences:
                known.update({p: element(known[s.value]) for p in s.parameters})
            for r in statement.results:
                if r.initial:
                    is_one = r.taps == (-1,)
                    known.update({p: known[r.initial] if is_one else element(known[r.initial]) for p in r.parameters})
            known.update({p: known[outer] for outer, p in statement.given})
            see(statement.condition)
            see(statement.body)
            known.update({r.name: r.type for r in statement.results})

    see(program.body)
    return known


def renamed(statement: Statement, old: str, new: str) -> Statement:
    """The statement that reads `new` in place of `old`."""

    def other(name: Any) -> Any:
        return new if name == old else name

    if isinstance(statement, Let):
        return dataclasses.replace(statement, operands=tuple(map(other, statement.operands)))
    return dataclasses.replace(
        statement,
        sequences=tuple(dataclasses.replace(s, value=other(s.value)) for s in statement.sequences),
        results=tuple(
            dataclasses.replace(r, value=other(r.value), initial=other(r.initial)) for r in statement.results
        ),
        body=tuple(renamed(s, old, new) for s in statement.body),
        condition=tuple(renamed(s, old, new) for s in statement.condition),
        n_steps=other(statement.n_steps),
        until=other(statement.until),
        given=tuple((other(outer), p) for outer, p in statement.given),
        updates=tuple((shared, other(value)) for shared, value in statement.updates),
    )


def with_name(program: Program, old: str, new: str) -> Program:
    return dataclasses.replace(
        program,
        body=tuple(renamed(s, old, new) for s in program.body),
        outputs=tuple(dict.fromkeys(new if name == old else name for name in program.outputs)),
        updates=tuple((shared, new if value == old else value) for shared, value in program.updates),
    )


def with_statement(body: tuple[Statement, ...], name: str, new: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The body with `new` in the place of the statement that is called so, at any depth."""
    result: list[Statement] = []
    for statement in body:
        if statement.name == name:
            result.extend(new)
        elif isinstance(statement, Loop):
            result.append(dataclasses.replace(statement, body=with_statement(statement.body, name, new)))
        else:
            result.append(statement)
    return tuple(result)


def live(body: tuple[Statement, ...], wanted: set[str]) -> tuple[Statement, ...]:
    """The statements that `wanted` needs."""
    kept: list[Statement] = []
    wanted = set(wanted)
    for statement in reversed(body):
        if not wanted & set(names_of(statement)) and not (isinstance(statement, Loop) and statement.updates):
            continue
        if isinstance(statement, Loop):
            needed = {r.value for r in statement.results} | {statement.until} | {v for _, v in statement.updates}
            statement = dataclasses.replace(
                statement,
                body=live(statement.body, needed),
                condition=tuple(s for s in live(statement.condition, {statement.until}) if isinstance(s, Let)),
            )
        kept.append(statement)
        wanted |= reads_of(statement)
    return tuple(reversed(kept))


def needed(program: Program) -> Program:
    """The program without results of loops that nothing reads, and what only these need: no call has to compute it."""

    def pruned(body: tuple[Statement, ...], wanted: set[str]) -> tuple[Statement, ...]:
        kept: list[Statement] = []
        wanted = set(wanted)
        for statement in reversed(body):
            if isinstance(statement, Loop):
                if not wanted & set(names_of(statement)) and not statement.updates:
                    continue
                statement = of_loop(statement, wanted)
            elif statement.name not in wanted:
                continue
            kept.append(statement)
            wanted |= reads_of(statement)
        return tuple(reversed(kept))

    def of_loop(loop: Loop, wanted: set[str]) -> Loop:
        results = tuple(r for r in loop.results if r.name in wanted)
        while True:
            ends = {r.value for r in results} | {loop.until} | {value for _, value in loop.updates}
            inside = pruned(loop.body, ends)
            read = ends.union(*(reads_of(s) for s in (*inside, *loop.condition)))
            more = tuple(r for r in loop.results if r in results or read & set(r.parameters))
            if more == results:
                given = tuple(pair for pair in loop.given if pair[1] in read)
                return dataclasses.replace(loop, results=results, body=inside, given=given)
            results = more

    body = pruned(program.body, {*program.outputs, *(value for _, value in program.updates)})
    return dataclasses.replace(program, body=body)


def has_unread_elements(loop: Loop) -> bool:
    return any(not inner_reads(loop) & set(s.parameters) for s in loop.sequences)


def clean(program: Program) -> Program:
    """The program without what it does not need."""
    body = live(program.body, {*program.outputs, *(value for _, value in program.updates)})
    read = (
        set().union(*(reads_of(s) for s in body)) | set(program.outputs) | {n for pair in program.updates for n in pair}
    )
    inputs = tuple(each for each in program.inputs if each.name in read)
    names = {each.name for each in inputs}
    direction = program.direction if program.direction in names else ""
    slopes = tuple(name for name in program.slopes if name in names)
    return dataclasses.replace(program, body=body, inputs=inputs, slopes=slopes, direction=direction)


def smaller(program: Program) -> Iterator[Program]:
    """Programs that are one step smaller."""
    seen = {program}
    has_slopes = bool(program.slopes or program.direction)
    for candidate in candidates(program):
        candidate = clean(candidate)
        if has_slopes and not (candidate.slopes or candidate.direction) and candidate.mode == "lost":
            continue
        if candidate.outputs and candidate not in seen:
            seen.add(candidate)
            yield candidate


def candidates(program: Program) -> Iterator[Program]:
    change = dataclasses.replace
    if len(program.calls) > 1:
        for call in program.calls:
            yield change(program, calls=(call,))
        for k in range(len(program.calls)):
            yield change(program, calls=program.calls[:k] + program.calls[k + 1 :])
    if program.mode:
        yield change(program, mode="")
    outputs = program.outputs
    for name in outputs:
        yield change(program, outputs=(name,))
    for part in (outputs[: len(outputs) // 2], outputs[len(outputs) // 2 :]):
        yield change(program, outputs=part)
    for k in range(len(outputs)):
        yield change(program, outputs=outputs[:k] + outputs[k + 1 :])
    if program.updates:
        yield change(program, updates=())
        for k in range(len(program.updates)):
            yield change(program, updates=program.updates[:k] + program.updates[k + 1 :])
    if program.slopes:
        yield change(program, slopes=())
        for name in program.slopes:
            yield change(program, slopes=(name,))
    if program.direction:
        yield change(program, direction="")
    for each in program.inputs:
        if each.is_shared and each.name not in dict(program.updates):
            if not any(isinstance(s, Loop) and each.name in dict(s.updates) for s in walk(program.body)):
                plain = change(each, is_shared=False)
                yield change(program, inputs=tuple(plain if each is other else other for other in program.inputs))
    yield from without_statements(program)
    yield from simpler_loops(program)
    yield from shorter(program)
    if any(t.dtype == "float32" for t in types(program).values()):
        yield in_float64(program)


def scopes(program: Program) -> Iterator[tuple[Statement, dict[str, Type], bool]]:
    """Each statement, what it may read, and whether it stands outside of loops."""
    known = types(program)

    def see(body: Iterable[Statement], scope: dict[str, Type], is_outer: bool) -> Iterator[Any]:
        scope = dict(scope)
        for statement in body:
            yield statement, dict(scope), is_outer
            if isinstance(statement, Loop):
                inner = [p for s in statement.sequences for p in s.parameters]
                inner += [p for r in statement.results for p in r.parameters]
                inner += [p for _, p in statement.given]
                yield from see(statement.body, scope | {p: known[p] for p in inner}, False)
            scope.update({name: known[name] for name in names_of(statement)})

    yield from see(program.body, {each.name: each.type for each in program.inputs}, True)


def envs_of(program: Program) -> list[Env] | None:
    """The reference's values in all calls; None where it has none."""
    if any(map(has_draws, program.body)):
        return None
    reference = Reference(program)
    try:
        return [reference.run(call) for call in program.calls]
    except (IndexError, ValueError):
        return None


def as_input(program: Program, name: str, t: Type, envs: list[Env] | None) -> Program:
    """The program with an argument in the place of a value."""
    number = 1 + max((int(each.name[1:]) for each in program.inputs if each.name[1:].isdigit()), default=0)
    fresh = f"q{number}"
    dims, calls = [], list(program.calls)
    for axis, dim in enumerate(t.dims):
        if envs is None or all(d.lstrip("-").isdigit() or d in dict(c.numbers) for c in calls for d in (dim,)):
            dims.append(dim)
            continue
        dims.append(f"{fresh}_{axis}")
        calls = [
            dataclasses.replace(call, numbers=(*call.numbers, (dims[-1], length)))
            for call, length in zip(calls, (np.shape(env[name])[axis] for env in envs), strict=True)
        ]
    added = Input(fresh, Type(t.dtype, tuple(dims)))
    program = dataclasses.replace(program, inputs=(*program.inputs, added), calls=tuple(calls))
    return with_name(program, name, fresh)


def without_statements(program: Program) -> Iterator[Program]:
    """A value replaced by another of its type that is made before, or by an argument."""
    envs = envs_of(program)
    is_numbered = {each.name for each in program.inputs if each.role}
    for statement, scope, is_outer in sorted(scopes(program), key=lambda item: isinstance(item[0], Let)):
        for name in names_of(statement):
            t = types(program)[name]
            if t.dtype == "bool":
                continue
            preferred = [n for n in (statement.operands if isinstance(statement, Let) else ()) if scope.get(n) == t]
            inputs = [each.name for each in program.inputs if each.type == t and each.name not in is_numbered]
            for other in dict.fromkeys([*preferred, *inputs[:2]]):
                if other not in is_numbered:
                    yield with_name(program, name, other)
            is_read = any(name in reads_of(s) for s in walk(program.body))
            if not is_read or name in program.outputs:
                continue
            if is_outer and envs is not None:
                yield as_input(program, name, t, envs)
            elif all(d.isdigit() or d in dict(program.calls[0].numbers) for d in t.dims):
                if not any(each.type == t and not each.role for each in program.inputs):
                    yield as_input(program, name, t, None)


def simpler_loops(program: Program) -> Iterator[Program]:
    change = dataclasses.replace
    known = types(program)
    draws = any(map(has_draws, program.body))  # what a step uses unnamed may be drawn anew in each round
    read = set(program.outputs) | {n for pair in program.updates for n in pair}
    for s in walk(program.body):
        read |= reads_of(s)
    for loop in [s for s in walk(program.body) if isinstance(s, Loop)]:

        def put(new: Loop, loop: Loop = loop) -> Program:
            return change(program, body=with_statement(program.body, loop.name, (new,)))

        for k, r in enumerate(loop.results):
            if r.name in read or (
                loop.form == "while" and r.parameters[0] in {o for c in loop.condition for o in c.operands}
            ):
                continue
            if len(loop.results) == 1:
                continue
            candidate = put(change(loop, results=loop.results[:k] + loop.results[k + 1 :]))
            for parameter in r.parameters:
                if r.taps == (-1,) and not draws:
                    candidate = with_name(candidate, parameter, r.initial)
                else:
                    candidate = with_stand_in(candidate, parameter, known[parameter])
            yield candidate
        for k, r in enumerate(loop.results):
            if r.initial and loop.form == "scan" and not set(r.parameters) & inner_reads(loop):
                plain = change(r, initial="", parameters=(), taps=())
                yield put(change(loop, results=(*loop.results[:k], plain, *loop.results[k + 1 :])))
            if len(r.taps) > 1:
                for j in range(len(r.taps)):
                    if r.parameters[j] not in inner_reads(loop):
                        parameters, taps = r.parameters[:j] + r.parameters[j + 1 :], r.taps[:j] + r.taps[j + 1 :]
                        if taps != (-1,):
                            less = change(r, parameters=parameters, taps=taps)
                            yield put(change(loop, results=(*loop.results[:k], less, *loop.results[k + 1 :])))
        for k, s in enumerate(loop.sequences):
            if loop.n_steps is not None or len(loop.sequences) > 1:
                candidate = put(change(loop, sequences=loop.sequences[:k] + loop.sequences[k + 1 :]))
                for parameter in s.parameters:
                    candidate = with_stand_in(candidate, parameter, known[parameter])
                yield candidate
            if s.taps != (0,):
                first = change(s, parameters=s.parameters[:1], taps=(0,))
                candidate = put(change(loop, sequences=(*loop.sequences[:k], first, *loop.sequences[k + 1 :])))
                for parameter in s.parameters[1:]:
                    candidate = with_name(candidate, parameter, s.parameters[0])
                yield candidate
        if loop.until and loop.form == "scan":
            yield put(change(loop, until=""))
        if loop.is_backwards:
            yield put(change(loop, is_backwards=False))
        if loop.updates:
            yield put(change(loop, updates=()))
        for outer, parameter in () if draws else loop.given:
            given = tuple(pair for pair in loop.given if pair[1] != parameter)
            yield with_name(put(change(loop, given=given)), parameter, outer)
        if isinstance(loop.n_steps, str):
            yield put(change(loop, n_steps=dict(program.calls[0].numbers).get(loop.n_steps, 2)))
            if loop.sequences:
                yield put(change(loop, n_steps=None))
        elif loop.n_steps is not None:
            if loop.sequences and loop.form == "scan":
                yield put(change(loop, n_steps=None))
            yield from (put(change(loop, n_steps=n)) for n in (1, 2, 3, 5, loop.n_steps - 1) if 0 <= n < loop.n_steps)


def inner_reads(loop: Loop) -> set[str]:
    read = {r.value for r in loop.results} | {loop.until} | {value for _, value in loop.updates}
    return read.union(*(reads_of(s) for s in (*loop.body, *loop.condition)))


def with_stand_in(program: Program, name: str, t: Type) -> Program:
    """The program with an argument of a type in the place of a parameter; as it is where the lengths are not named."""
    for each in program.inputs:
        if each.type == t and not each.role:
            return with_name(program, name, each.name)
    number = 1 + max((int(each.name[1:]) for each in program.inputs if each.name[1:].isdigit()), default=0)
    added = Input(f"q{number}", t)
    return with_name(dataclasses.replace(program, inputs=(*program.inputs, added)), name, added.name)


def shorter(program: Program) -> Iterator[Program]:
    """The program with smaller numbers in its calls."""
    names = dict.fromkeys(name for call in program.calls for name, _ in call.numbers)
    for name in names:
        largest = max(call.number(name) for call in program.calls)
        least = min(call.number(name) for call in program.calls)
        is_length = not any(each.role for each in program.inputs if each.name == name)
        for limit in (0, 1, 2, 3, 5, largest - 1):
            if min(least, is_length) <= limit < largest:
                calls = tuple(
                    dataclasses.replace(
                        call, numbers=tuple((n, min(v, limit) if n == name else v) for n, v in call.numbers)
                    )
                    for call in program.calls
                )
                yield dataclasses.replace(program, calls=calls)


def in_float64(program: Program) -> Program:
    def other(t: Type) -> Type:
        return Type("float64", t.dims) if t.dtype == "float32" else t

    def changed(statement: Statement) -> Statement:
        if isinstance(statement, Let):
            extra = tuple("float64" if e == "float32" else e for e in statement.extra)
            return dataclasses.replace(statement, type=other(statement.type), extra=extra)
        results: tuple[Result, ...] = tuple(dataclasses.replace(r, type=other(r.type)) for r in statement.results)
        return dataclasses.replace(
            statement,
            results=results,
            body=tuple(map(changed, statement.body)),
            condition=tuple(map(changed, statement.condition)),
        )

    inputs = tuple(dataclasses.replace(each, type=other(each.type)) for each in program.inputs)
    return dataclasses.replace(program, inputs=inputs, body=tuple(map(changed, program.body)))
