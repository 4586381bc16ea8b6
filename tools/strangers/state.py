"""Random whole programs with state, against NumPy: `python -m tools.strangers.state FIRST COUNT` (see `driver`).

Drawn is how results are read and combined: shared variables that are updated from each other, exchanged, and written in
parts by several routes; branches; the same memory as several arguments; results that are kept, written to and given
back; several functions of one state, copies of them, calls that fail. After each action all states, all results and
all arrays that the caller holds are compared with `state_language.Reference`, bit for bit.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tools.strangers import driver
from tools.strangers.state_draw import draw
from tools.strangers.state_language import (
    BRANCHES,
    Action,
    Argument,
    Array,
    Function,
    Inexact,
    Input,
    Node,
    Program,
    Reference,
    Shared,
    array_of,
    drawn,
    fenced,
    laid_out,
    native,
    node_text,
    reachable,
    roots_of,
    with_own_operands,
)

__all__ = ["ENVIRONMENTS", "check", "draw", "features", "smaller", "source"]

# What is freed is overwritten in every second block of seeds.
ENVIRONMENTS = ({}, {"MALLOC_PERTURB_": "165"})
LONGEST = 60  # elements of an array that is written out
REFUSALS = (ValueError, IndexError, TypeError)


# ------------------------------------------------------------------------------------------------ text


def array_text(spec: Array) -> str:
    values = array_of(spec)
    plain = f"np.array({values.tolist()}, '{spec.dtype}')"
    if not values.size:
        plain = f"np.zeros({spec.shape}, '{spec.dtype}')"
    elif values.size > LONGEST:
        low = 0 if spec.natural or spec.dtype.startswith("u") else -spec.high
        plain = f"drawn('{spec.dtype}', {spec.shape}, {spec.seed}, {low}, {spec.high})"
    return plain if spec.layout == "C" else f"laid_out({plain}, '{spec.layout}')"


def name_of(program: Program, position: int) -> str:
    node = program.nodes[position]
    return f"s{node.params[0]}" if node.op == "shared" else f"{'x' if node.op == 'input' else 'v'}{position}"


def graph_lines(program: Program, text: Callable[[Array], str] = array_text) -> Iterator[str]:
    """Shared variables, expressions and functions, as Python."""
    for k, shared in enumerate(program.shared):
        yield f"s{k} = tensordsl.shared({text(shared.value)}, 's{k}'{', borrow=True' if shared.borrow else ''})"
    used = reachable(program.nodes, roots_of(program))
    for position, node in enumerate(program.nodes):
        if position in used and node.op != "shared":
            texts = [name_of(program, argument) for argument in node.args]
            named = dataclasses.replace(node, params=(f"x{position}",)) if node.op == "input" else node
            yield f"{name_of(program, position)} = {node_text(named, texts)}"
    for k, shared in enumerate(program.shared):
        if shared.default_update is not None:
            yield f"s{k}.default_update = {name_of(program, shared.default_update)}"
    for f, function in enumerate(program.functions):
        yield f"f{f} = {function_text(program, function, text)}"


def function_text(program: Program, function: Function, text: Callable[[Array], str]) -> str:
    def name(position: int) -> str:
        return name_of(program, position)

    if function.copy_of is not None:
        what = [f"share_memory={function.share_memory}"]
        if function.swap:
            what.append("swap={" + ", ".join(f"s{k}: s{j}" for k, j in function.swap) + "}")
        if function.delete_updates:
            what.append("delete_updates=True")
        return f"f{function.copy_of}.copy({', '.join(what)})"
    inputs = []
    for entry in function.inputs:
        what = [] if entry.value is None else [f"value={text(entry.value)}"]
        what += [] if entry.update is None else [f"update={name(entry.update)}"]
        what += [f"{flag}=True" for flag in ("mutable", "borrow") if getattr(entry, flag)]
        inputs.append(f"tensordsl.In({', '.join([name(entry.node), *what])})" if what else name(entry.node))
    outputs = [f"tensordsl.Out({name(p)}, borrow=True)" if borrow else name(p) for p, borrow in function.outputs]
    what = [f"[{', '.join(inputs)}]", f"[{', '.join(outputs)}]"]
    if function.updates:
        what.append(f"updates=[{', '.join(f'(s{k}, {name(p)})' for k, p in function.updates)}]")
    if function.givens:
        what.append(f"givens=[{', '.join(f'({name(p)}, {name(q)})' for p, q in function.givens)}]")
    if function.no_default_updates:
        what.append("no_default_updates=True")
    if function.mode:
        what.append(f"mode='{function.mode}'")
    return f"tensordsl.function({', '.join(what)}, on_unused_input='ignore')"


SAME = '''
def same(actual, expected):
    """Equal to the bit, and of one dtype and shape."""
    assert actual.dtype == expected.dtype and np.array_equal(actual, expected), f"{actual!r} is not {expected!r}"
'''


def value_text(value: np.ndarray) -> str:
    return f"np.array({value.tolist()}, '{value.dtype}')" if value.size else f"np.zeros({value.shape}, '{value.dtype}')"


def source(program: Program) -> str:
    """The program as text, with what NumPy gives beside each call."""
    program = pruned(program)
    graph = list(graph_lines(program))
    body = [*graph, ""]
    caller = SourceCaller(program)
    for action in program.actions:
        try:
            body += caller.lines(action)
        except Inexact:
            break
    body += caller.states(all_of_them=True)
    helpers = [SAME]
    if any("laid_out(" in line for line in body):
        helpers.append(inspect.getsource(laid_out))
    if any("of memory" in line for line in body):
        helpers.append("import ctypes\nimport mmap\n\n")
        helpers.append(inspect.getsource(fenced))
    if any("drawn(" in line for line in body):
        helpers.append(inspect.getsource(drawn))
    imports = "from typing import Any\n\nimport numpy as np\nimport tensordsl\nimport tensordsl.tensor as T\n"
    if any("ifelse(" in line for line in body):
        imports += "from tensordsl.ifelse import ifelse\n"
    return "\n".join([imports, *helpers, *body])


# ------------------------------------------------------------------------------------------------ callers


@dataclasses.dataclass(slots=True)
class Held:
    """An array that the caller holds; `state` is the shared variable whose storage it may be."""

    array: np.ndarray
    snapshot: np.ndarray
    state: int | None = None


def rest_of_type(array: np.ndarray, node: Node) -> bool:
    return array.dtype == node.dtype and array.ndim == node.ndim


class Caller:
    """What holds arrays and makes arguments, for the text of a program as for its run."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.reference = Reference(program)
        self.held: dict[tuple[int, Any], Held] = {}

    def hold(self, name: int, j: Any, array: np.ndarray, state: int | None = None) -> None:
        self.held[name, j] = Held(array, np.array(array), state)

    def state_view(self, k: int) -> np.ndarray:
        return self.reference.states[k]

    def arguments(self, action: Action) -> tuple[dict[int, tuple[np.ndarray, str]], tuple[Input, ...]]:
        """For each input that is given: the array and its text."""
        f, arguments = action.what
        function, _ = self.reference.function(f)
        result: dict[int, tuple[np.ndarray, str]] = {}
        for j, (entry, argument) in enumerate(zip(function.inputs, arguments, strict=True)):
            if argument.alias == ("omitted",) and entry.value is not None:
                continue
            node = self.program.nodes[entry.node]
            result[j] = self.alias(argument, result, node) or (array_of(argument.value), array_text(argument.value))
        return result, function.inputs

    def alias(
        self, argument: Argument, before: dict[int, tuple[np.ndarray, str]], node: Node
    ) -> tuple[np.ndarray, str] | None:
        kind, *what = argument.alias or ("",)
        if kind in ("same", "reversed") and what[0] in before:
            array, text = before[what[0]]
            if kind == "reversed" and array.ndim:
                index = (slice(None, None, -1),) * array.ndim
                array, text = array[index], f"a[{what[0]}][{', '.join(['::-1'] * array.ndim)}]"
            else:
                text = f"a[{what[0]}]"
        elif kind == "held" and tuple(what) in self.held:
            array, text = self.held[tuple(what)].array, self.held_text(*what)
        elif kind == "state" and what[0] < len(self.program.shared):
            array, text = self.state_view(what[0]), f"s{what[0]}.get_value(borrow=True)"
        else:
            return None
        return (array, text) if rest_of_type(array, node) else None

    def held_text(self, name: int, j: Any) -> str:
        return f"r{name}[{j}]"

    def expected(self, action: Action, arguments: dict[int, tuple[np.ndarray, str]]) -> Any:
        """The Outcome of a call, or None if it has to fail."""
        function, _ = self.reference.function(action.what[0])
        given = {function.inputs[j].node: np.array(array) for j, (array, _) in arguments.items()}
        for position, array in given.items():
            node = self.program.nodes[position]
            is_row = all(n == 1 for n, flag in zip(array.shape, node.stretches, strict=False) if flag)
            if array.ndim != node.ndim or not is_row:
                return None
        try:
            return self.reference.call(action.what[0], {p: native(a) for p, a in given.items()})
        except REFUSALS:
            return None

    def new_values(self, k: int, seed: int) -> Array:
        """Values that are written into the storage of k."""
        spec = self.program.shared[k].value
        return dataclasses.replace(spec, shape=self.reference.states[k].shape, seed=seed, layout="C")


class SourceCaller(Caller):
    """Writes the actions as text, with NumPy's results."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.shown = [value.copy() for value in self.reference.states]

    def states(self, all_of_them: bool = False) -> list[str]:
        """Comparisons of the states that are other ones than before."""
        result = []
        for k, value in enumerate(self.reference.states):
            if value.size <= LONGEST and (all_of_them or not is_same(self.shown[k], value)):
                result.append(f"same(s{k}.get_value(), {value_text(value)})")
            self.shown[k] = value.copy()
        return result

    def lines(self, action: Action) -> list[str]:
        name = action.name
        if action.kind == "call":
            return self.call(action)
        if action.kind == "set":
            k, spec, borrow, seed = action.what
            array = array_of(spec)
            self.reference.states[k] = native(array)
            result = [f"r{name} = [{array_text(spec)}]", f"s{k}.set_value(r{name}[0], borrow={borrow})"]
            if seed is not None:
                array = array_of(new := self.new_values(k, seed))
                result.append(f"r{name}[0][...] = {array_text(new)}")
                if borrow:
                    self.reference.states[k] = array
            self.hold(name, 0, array, k if borrow else None)
            return result
        if action.kind == "get":
            k, borrow = action.what
            self.hold(name, 0, self.reference.states[k].copy(), k if borrow else None)
            return [f"r{name} = [s{k}.get_value(borrow={borrow})]"]
        if action.kind == "write":
            k, seed = action.what
            self.reference.states[k] = array_of(new := self.new_values(k, seed))
            return [f"s{k}.get_value(borrow=True)[...] = {array_text(new)}"]
        if action.kind == "scribble":
            key, held = action.what[:2], self.held.get(action.what[:2])
            if held is None or held.state is not None:
                return []
            held.array = array_of(new := dataclasses.replace(scribbled(held.array), seed=action.what[2]))
            return [f"{self.held_text(*key)}[...] = {array_text(new)}"]
        k, spec = action.what
        return [
            "try:", f"    s{k}.set_value({array_text(spec)})", "    raise AssertionError('nothing was raised')",
            "except TypeError:", "    pass", *self.states(),
        ]  # fmt: skip

    def call(self, action: Action) -> list[str]:
        arguments, inputs = self.arguments(action)
        result = [f"a = [{', '.join('None' for _ in inputs)}]"] if arguments else []
        result += [f"a[{j}] = {text}" for j, (_, text) in arguments.items()]
        positional = [j for j in arguments if all(i in arguments for i in range(j))]
        texts = [f"a[{j}]" for j in positional]
        texts += [f"x{inputs[j].node}=a[{j}]" for j in arguments if j not in positional]
        call = f"r{action.name} = f{action.what[0]}({', '.join(texts)})"
        outcome = self.expected(action, arguments)
        if outcome is None:
            result += ["try:", f"    {call}", "    raise AssertionError('nothing was raised')"]
            result += ["except (ValueError, IndexError, TypeError):", "    pass"]
        else:
            result.append(call)
            self.reference.commit(action.what[0], outcome)
            for j, value in enumerate(outcome.outputs):
                self.hold(action.name, j, value)
                if value.size <= LONGEST:
                    result.append(f"same(r{action.name}[{j}], {value_text(value)})")
        return [*result, *self.states()]


def scribbled(array: np.ndarray) -> Array:
    return Array(str(array.dtype.newbyteorder("=")), array.shape, 0)


class Wrong(Exception):
    """What is wrong, as a message."""


class Runner(Caller):
    """Runs the actions, and compares after each."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.space: dict[str, Any] = {}

    def compile(self) -> None:
        import tensordsl
        import tensordsl.tensor as T
        from tensordsl.ifelse import ifelse

        arrays: dict[str, np.ndarray] = {}

        def text(spec: Array) -> str:
            arrays[name := f"array{len(arrays)}"] = array_of(spec)
            return name

        lines = list(graph_lines(self.program, text))
        self.space = {"np": np, "tensordsl": tensordsl, "T": T, "ifelse": ifelse, **arrays}
        try:
            for line in lines:
                exec(line, self.space)
        except Exception as error:
            if "givens: cannot replace" in str(error):  # types say lengths that are known
                raise Inexact from error
            raise Wrong(f"not compiled: {told(error)}\nby {line}") from error
        for k, shared in enumerate(self.program.shared):
            self.hold(-1 - k, 0, arrays[f"array{k}"], k if shared.borrow else None)

    def state_view(self, k: int) -> np.ndarray:
        return self.space[f"s{k}"].get_value(borrow=True)

    def run(self) -> None:
        self.compile()
        for action in self.program.actions:
            where = self.do(action)
            self.compare(action, where)

    def compare(self, action: Action, where: str) -> None:
        """All states and all arrays that are held."""
        for k, value in enumerate(self.reference.states):
            actual = self.space[f"s{k}"].get_value()
            if not is_same(actual, value):
                raise Wrong(f"wrong state: s{k} {where}: {actual!r} instead of {value!r}")
        for (name, j), held in self.held.items():
            if not np.array_equal(held.array, held.snapshot):
                raise Wrong(f"changed: the array ({name}, {j}) {where}: {held.array!r} instead of {held.snapshot!r}")

    def forget(self, k: int) -> None:
        """New values were written into the storage of k by its owner: views of it follow."""
        for held in self.held.values():
            if held.state in (k, -1):  # -1: a view of something
                held.snapshot = np.array(held.array)

    def do(self, action: Action) -> str:
        name = action.name
        if action.kind == "call":
            return self.call(action)
        if action.kind == "scribble":
            held = self.held.get(action.what[:2])
            if held is not None and held.state is None:
                if not held.array.flags.writeable:
                    raise Wrong(f"read-only: the array {action.what[:2]}")
                held.array[...] = array_of(dataclasses.replace(scribbled(held.array), seed=action.what[2]))
                held.snapshot = np.array(held.array)
            return f"after writing to the array {action.what[:2]}"
        k = action.what[0]
        shared = self.space[f"s{k}"]
        if action.kind == "set":
            _, spec, borrow, seed = action.what
            array = array_of(spec)
            shared.set_value(array, borrow=borrow)
            self.reference.states[k] = native(array)
            if seed is not None:
                array[...] = array_of(self.new_values(k, seed))
                if borrow:
                    self.reference.states[k] = np.array(array)
            self.hold(name, 0, array, k if borrow else None)
        elif action.kind == "get":
            self.hold(name, 0, shared.get_value(borrow=action.what[1]), k if action.what[1] else None)
        elif action.kind == "write":
            self.reference.states[k] = array_of(self.new_values(k, action.what[1]))
            view = shared.get_value(borrow=True)
            if not view.flags.writeable:
                shared.set_value(self.reference.states[k])
            else:
                view[...] = self.reference.states[k]
            self.forget(k)
        else:
            try:
                shared.set_value(array_of(action.what[1]))
            except TypeError:
                return "after a set_value that failed"
            raise Wrong(f"no error: set_value of another rank, {action.what[1]}")
        return f"after {action.kind} {action.what[1:]}"

    def call(self, action: Action) -> str:
        arguments, inputs = self.arguments(action)
        outcome = self.expected(action, arguments)
        before = {j: np.array(array) for j, (array, _) in arguments.items()}
        positional = [j for j in arguments if all(i in arguments for i in range(j))]
        keywords = {f"x{inputs[j].node}": arguments[j][0] for j in arguments if j not in positional}
        where = f"after call {action.name} of f{action.what[0]}"
        try:
            results = self.space[f"f{action.what[0]}"](*(arguments[j][0] for j in positional), **keywords)
        except Exception as error:
            if outcome is None or outcome.may_fail:
                if not isinstance(error, REFUSALS):
                    raise Wrong(f"wrong error: {told(error)}\n{where}") from error
                self.compare_arguments(arguments, before, where)
                return f"{where}, which failed"
            raise Wrong(f"refused: {told(error)}\n{where}") from error
        self.compare_arguments(arguments, before, where)
        if outcome is None:
            if self.may_be_unneeded(action.what[0]):
                raise Inexact
            raise Wrong(f"no error: {where}: NumPy raises one")
        for j, (actual, value) in enumerate(zip(results, outcome.outputs, strict=True)):
            if not is_same(actual, value):
                raise Wrong(f"wrong result: {j} {where}: {actual!r} instead of {value!r}")
        self.reference.commit(action.what[0], outcome)
        for j, actual in enumerate(results):
            self.check_memory(j, actual, arguments, where)
            self.hold(action.name, j, actual)
        for j, (array, _) in arguments.items():
            if arguments and not any(held.array is array for held in self.held.values()):
                state = None if array.base is None and array.flags.writeable else -1
                self.hold(action.name, f"argument {j}", array, state)
        return where

    def may_be_unneeded(self, f: int) -> bool:
        """Whether a value may be needed for its lengths alone, or to choose between equal things: then it need not be
        computed, so that nothing fails."""
        function, _ = self.reference.function(f)
        nodes = [self.program.nodes[position] for position in self.reference.used(function)]
        lengths = ("length", "arange", "fill", "zeros_like", "reshape")
        return any(node.op in lengths or (node.op == "switch" and node.args[1] == node.args[2]) for node in nodes)

    def compare_arguments(
        self, arguments: dict[int, tuple[np.ndarray, str]], before: dict[int, np.ndarray], where: str
    ) -> None:
        for j, (array, _) in arguments.items():
            if not np.array_equal(array, before[j]):
                raise Wrong(f"changed: argument {j} {where}: {array!r} instead of {before[j]!r}")

    def check_memory(
        self, j: int, result: np.ndarray, arguments: dict[int, tuple[np.ndarray, str]], where: str
    ) -> None:
        """A result has memory of its own."""
        others = [(held.array, f"the array {key}") for key, held in self.held.items()]
        others += [(array, f"argument {i}") for i, (array, _) in arguments.items()]
        others += [(self.state_view(k), f"s{k}") for k in range(len(self.program.shared))]
        for array, name in others:
            if np.may_share_memory(result, array) and np.shares_memory(result, array):
                raise Wrong(f"shared memory: result {j} with {name} {where}")


def is_same(actual: Any, expected: np.ndarray) -> bool:
    return (
        isinstance(actual, np.ndarray)
        and actual.dtype == expected.dtype
        and actual.shape == expected.shape
        and bool((actual == expected).all())
    )


def told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def check(program: Program) -> str:
    """What is wrong with the library's run of a program; "" if nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            runner = Runner(program)
            if runner.reference.is_valid():
                runner.run()
        except Inexact:
            return ""
        except Wrong as error:
            return str(error)
    return ""


# ------------------------------------------------------------------------------------------------ smaller programs


def without(items: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Fewer items: half of them, then all but one."""
    if len(items) > 3:
        yield items[: len(items) // 2]
        yield items[len(items) // 2 :]
    for i in reversed(range(len(items))):
        yield items[:i] + items[i + 1 :]


def replaced(items: tuple[Any, ...], i: int, item: Any) -> tuple[Any, ...]:
    return (*items[:i], item, *items[i + 1 :])


def without_function(program: Program, f: int) -> Program | None:
    """Without function f and its calls."""
    if any(function.copy_of == f for function in program.functions):
        return None

    def number(g: int) -> int:
        return g - (g > f)

    functions = tuple(
        dataclasses.replace(function, copy_of=None if function.copy_of is None else number(function.copy_of))
        for g, function in enumerate(program.functions)
        if g != f
    )
    actions = tuple(
        dataclasses.replace(action, what=(number(action.what[0]), *action.what[1:]))
        if action.kind == "call"
        else action
        for action in program.actions
        if action.kind != "call" or action.what[0] != f
    )
    return dataclasses.replace(program, functions=functions, actions=actions)


def renamed(program: Program, nodes: dict[int, int]) -> Program:
    """With functions and shared variables that name other nodes."""

    def to(position: int) -> int:
        return nodes.get(position, position)

    shared = tuple(
        dataclasses.replace(
            s, node=to(s.node), default_update=None if s.default_update is None else to(s.default_update)
        )
        for s in program.shared
    )
    functions = tuple(
        dataclasses.replace(
            function,
            inputs=tuple(
                dataclasses.replace(e, node=to(e.node), update=None if e.update is None else to(e.update))
                for e in function.inputs
            ),
            outputs=tuple((to(p), borrow) for p, borrow in function.outputs),
            updates=tuple((k, to(p)) for k, p in function.updates),
            givens=tuple((to(p), to(q)) for p, q in function.givens),
        )
        for function in program.functions
    )
    return dataclasses.replace(program, shared=shared, functions=functions)


def pruned(program: Program) -> Program:
    """Without nodes and shared variables that nothing names."""
    program = unused_shared_dropped(program)
    used = sorted(reachable(program.nodes, roots_of(program)))
    number = {position: i for i, position in enumerate(used)}
    nodes = tuple(
        dataclasses.replace(program.nodes[position], args=tuple(number[a] for a in program.nodes[position].args))
        for position in used
    )
    return dataclasses.replace(renamed(program, number), nodes=nodes)


def unused_shared_dropped(program: Program) -> Program:
    roots = set(roots_of(dataclasses.replace(program, shared=())))
    roots |= {s.default_update for s in program.shared if s.default_update is not None}
    used = reachable(program.nodes, roots)
    needed = {k for k, s in enumerate(program.shared) if s.node in used or s.default_update is not None}
    for function in program.functions:
        needed |= {k for k, _ in function.updates} | {k for pair in function.swap for k in pair}
    for action in program.actions:
        if action.kind in ("set", "get", "write", "wrong"):
            needed.add(action.what[0])
        elif action.kind == "call":
            needed |= {a.alias[1] for a in action.what[1] if a.alias and a.alias[0] == "state"}
    if len(needed) == len(program.shared):
        return program
    number = {k: i for i, k in enumerate(sorted(needed))}
    nodes = tuple(
        dataclasses.replace(node, params=(number.get(node.params[0], -1),)) if node.op == "shared" else node
        for node in program.nodes
    )
    functions = tuple(
        dataclasses.replace(
            function,
            updates=tuple((number[k], p) for k, p in function.updates),
            swap=tuple((number[k], number[j]) for k, j in function.swap),
        )
        for function in program.functions
    )

    def renumbered(action: Action) -> Action:
        if action.kind == "scribble":
            return action
        if action.kind != "call":
            return dataclasses.replace(action, what=(number[action.what[0]], *action.what[1:]))
        f, arguments = action.what
        arguments = tuple(
            dataclasses.replace(a, alias=("state", number[a.alias[1]])) if a.alias and a.alias[0] == "state" else a
            for a in arguments
        )
        return dataclasses.replace(action, what=(f, arguments))

    return Program(
        nodes,
        tuple(s for k, s in enumerate(program.shared) if k in needed),
        functions,
        tuple(renumbered(action) for action in program.actions),
    )


def kind(node: Node) -> tuple[Any, ...]:
    return node.dtype, node.ndim, node.stretches


def smaller(program: Program) -> Iterator[Program]:
    """Programs that are one step smaller, those that leave out most first."""
    slim = pruned(program)
    if slim != program:
        yield slim
        program = slim
    for actions in without(program.actions):
        yield dataclasses.replace(program, actions=actions)
    for f in reversed(range(len(program.functions))):
        if (fewer := without_function(program, f)) is not None:
            yield fewer
    for f, function in enumerate(program.functions):
        for less in smaller_function(program, f, function):
            yield dataclasses.replace(program, functions=replaced(program.functions, f, less))
    yield from without_inputs(program)
    for k, shared in enumerate(program.shared):
        for less_shared in smaller_shared(shared):
            yield dataclasses.replace(program, shared=replaced(program.shared, k, less_shared))
    yield from with_fewer_nodes(program)
    yield from with_less_lengths(program)
    for i, action in enumerate(program.actions):
        for less_action in smaller_action(action):
            yield dataclasses.replace(program, actions=replaced(program.actions, i, less_action))


def smaller_function(program: Program, f: int, function: Function) -> Iterator[Function]:
    if function.copy_of is not None:
        original = program.functions[function.copy_of]
        if not function.swap and not function.delete_updates:
            yield original
        for swap in without(function.swap):
            yield dataclasses.replace(function, swap=swap)
        for flag in ("delete_updates", "share_memory"):
            if getattr(function, flag):
                yield dataclasses.replace(function, **{flag: False})
        return
    for name in ("outputs", "updates", "givens"):
        for items in without(getattr(function, name)):
            yield dataclasses.replace(function, **{name: items})
    if function.mode is not None:
        yield dataclasses.replace(function, mode=None)
    if function.no_default_updates:
        yield dataclasses.replace(function, no_default_updates=False)
    for i, (node, borrow) in enumerate(function.outputs):
        if borrow:
            yield dataclasses.replace(function, outputs=replaced(function.outputs, i, (node, False)))
    for i, entry in enumerate(function.inputs):
        for less in (
            dataclasses.replace(entry, mutable=False),
            dataclasses.replace(entry, borrow=False),
            dataclasses.replace(entry, update=None),
            dataclasses.replace(entry, update=None, value=None),
        ):
            if less != entry:
                yield dataclasses.replace(function, inputs=replaced(function.inputs, i, less))
    # What becomes of shared variables, or is returned, may be an operand of it.
    for i, (k, p) in enumerate(function.updates):
        for q in program.nodes[p].args:
            if kind(program.nodes[q])[:2] == kind(program.nodes[p])[:2]:
                yield dataclasses.replace(function, updates=replaced(function.updates, i, (k, q)))
    for i, (p, borrow) in enumerate(function.outputs):
        for q in program.nodes[p].args:
            yield dataclasses.replace(function, outputs=replaced(function.outputs, i, (q, borrow)))


def without_inputs(program: Program) -> Iterator[Program]:
    """Without inputs that a function does not use."""
    used = reachable(program.nodes, [p for p in roots_of(program) if program.nodes[p].op != "input"])
    named = {p for function in program.functions for p, _ in function.outputs}
    named |= {p for function in program.functions for _, p in function.updates}
    named |= {p for function in program.functions for pair in function.givens for p in pair}
    for f, function in enumerate(program.functions):
        if function.copy_of is not None:
            continue
        for j, entry in enumerate(function.inputs):
            if entry.node in used or entry.node in named:
                continue
            copies = {g for g, other in enumerate(program.functions) if g == f or other.copy_of == f}
            functions = tuple(
                dataclasses.replace(other, inputs=other.inputs[:j] + other.inputs[j + 1 :]) if g in copies else other
                for g, other in enumerate(program.functions)
            )
            actions = []
            for action in program.actions:
                if action.kind == "call" and action.what[0] in copies:
                    arguments = action.what[1]
                    arguments = arguments[:j] + arguments[j + 1 :]
                    if any(a.alias and a.alias[0] in ("same", "reversed") for a in arguments):
                        break
                    action = dataclasses.replace(action, what=(action.what[0], arguments))
                actions.append(action)
            else:
                yield dataclasses.replace(program, functions=functions, actions=tuple(actions))


def smaller_shared(shared: Shared) -> Iterator[Shared]:
    if shared.default_update is not None:
        yield dataclasses.replace(shared, default_update=None)
    if shared.borrow:
        yield dataclasses.replace(shared, borrow=False)
    if shared.value.layout != "C":
        yield dataclasses.replace(shared, value=dataclasses.replace(shared.value, layout="C"))


def with_fewer_nodes(program: Program) -> Iterator[Program]:
    """With an operand in the place of a node, a plainer index, fewer rounds."""
    for position in reversed(range(len(program.nodes))):
        node = program.nodes[position]
        for argument in node.args:
            if kind(program.nodes[argument]) == kind(node):
                nodes = tuple(
                    dataclasses.replace(n, args=tuple(argument if a == position else a for a in n.args))
                    for n in program.nodes
                )
                yield dataclasses.replace(renamed(program, {position: argument}), nodes=nodes)
        if node.op in BRANCHES or node.op == "switch":
            continue
        for k, shared in enumerate(program.shared):
            if node.op not in ("shared", "const", "input") and kind(program.nodes[shared.node]) == kind(node):
                if shared.node < position and shared.node not in node.args:
                    nodes = tuple(
                        dataclasses.replace(n, args=tuple(shared.node if a == position else a for a in n.args))
                        for n in program.nodes
                    )
                    yield dataclasses.replace(renamed(program, {position: shared.node}), nodes=nodes)
                    del k
                    break
    for position, node in enumerate(program.nodes):
        for params in smaller_params(node):
            less = with_own_operands(dataclasses.replace(node, params=params))
            yield dataclasses.replace(program, nodes=replaced(program.nodes, position, less))


def smaller_params(node: Node) -> Iterator[tuple[Any, ...]]:
    if node.op in ("index", "set", "inc"):
        index = node.params[0]
        for i, item in enumerate(index):
            if item[0] == "s":
                for part in range(1, 4):
                    if item[part] is not None:
                        yield ((*index[:i], replaced(item, part, None), *index[i + 1 :]),)
            elif item[0] in "en" and len(index) > 1 and node.op != "index":
                yield ((*index[:i], *index[i + 1 :]),)
    elif node.op == "count scan" and node.params[1] > 1:
        yield (node.params[0], node.params[1] - 1)


def with_less_lengths(program: Program) -> Iterator[Program]:
    """With a smaller length wherever a length occurs."""
    lengths = {n for shared in program.shared for n in shared.value.shape}
    for action in program.actions:
        for part in action.what:
            if isinstance(part, Array):
                lengths |= set(part.shape)
            elif isinstance(part, tuple):
                lengths |= {n for argument in part for n in argument.value.shape}
    for length in sorted(lengths, reverse=True):
        for less in sorted({2, length // 2, length - 1}):
            if 0 < less < length:
                yield with_length(program, length, less)


def with_length(program: Program, length: int, less: int) -> Program:
    def to(spec: Array) -> Array:
        return dataclasses.replace(spec, shape=tuple(less if n == length else n for n in spec.shape))

    def of(part: Any) -> Any:
        if isinstance(part, Array):
            return to(part)
        if isinstance(part, tuple):
            return tuple(dataclasses.replace(argument, value=to(argument.value)) for argument in part)
        return part

    return Program(
        program.nodes,
        tuple(dataclasses.replace(shared, value=to(shared.value)) for shared in program.shared),
        program.functions,
        tuple(dataclasses.replace(a, what=tuple(of(part) for part in a.what)) if a.kind != "scribble" else a for a in program.actions),
    )  # fmt: skip


def smaller_action(action: Action) -> Iterator[Action]:
    what = action.what
    for i, part in enumerate(what):
        if isinstance(part, Array) and part.layout != "C":
            yield dataclasses.replace(action, what=replaced(what, i, dataclasses.replace(part, layout="C")))
    if action.kind == "call":
        f, arguments = what
        for j, argument in enumerate(arguments):
            if argument.alias and argument.alias != ("omitted",):
                less = dataclasses.replace(argument, alias=())
                yield dataclasses.replace(action, what=(f, replaced(arguments, j, less)))
            if argument.value.layout != "C":
                less = dataclasses.replace(argument, value=dataclasses.replace(argument.value, layout="C"))
                yield dataclasses.replace(action, what=(f, replaced(arguments, j, less)))
    elif action.kind == "set":
        if what[3] is not None:
            yield dataclasses.replace(action, what=(*what[:3], None))
        if what[2]:
            yield dataclasses.replace(action, what=(what[0], what[1], False, what[3]))


# ------------------------------------------------------------------------------------------------ counts


def features(program: Program) -> Iterator[str]:
    """What occurs in a program; a call of the reference says how many calls run through."""
    for node in {node.op for node in (program.nodes[p] for p in reachable(program.nodes, roots_of(program)))}:
        yield f"op {node}"
    for function in program.functions:
        for flag in ("updates", "givens", "copy_of", "swap", "mode"):
            if getattr(function, flag) not in (None, ()):
                yield f"function with {flag}"
        if any(entry.update is not None for entry in function.inputs):
            yield "function with In(update=)"
    caller = SourceCaller(program)
    try:
        for action in program.actions:
            yield f"action {action.kind}"
            if action.kind == "call":
                arguments, _ = caller.arguments(action)
                yield "call that fails" if caller.expected(action, arguments) is None else "call that runs through"
                for argument in action.what[1]:
                    if argument.alias:
                        yield f"argument {argument.alias[0]}"
            caller.lines(action)
    except Inexact:
        yield "inexact"


if __name__ == "__main__":
    driver.main(__spec__.name if __spec__ else sys.argv[0])
