"""Random programs of loops: `python -m tools.strangers.loops FIRST COUNT [--processes N] [--into FILE]`.

Drawn is how results are read and combined: loops of one to eight results, of which each is read as all rows, the last,
the last k, one, reversed, sliced, at a symbolic position, added up, or not at all, and several of these at once; taps,
sequences with offsets and of different lengths, loops that walk over each other's rows or start from them, shared
variables as starts that are updated from the loop, updates of the step, loops in loops, `until`, going backwards, and
numbers of rounds from 0 to 30, known or not. Some programs ask for gradients or derivatives in place of values, some
are compiled without one optimisation. `--dense`: more of loops in loops, `until` and loops without rounds; `--short`:
hardly any but 0, 1 and few rounds, with last values that are there without rounds, gradients, and all modes.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Iterator

import numpy as np

from tools.strangers import driver
from tools.strangers.loop_judge import check, clean, smaller, source
from tools.strangers.loop_language import (
    OPS,
    Call,
    Input,
    Let,
    Loop,
    Program,
    Result,
    Sequence,
    Statement,
    Type,
    walk,
)

__all__ = ["ENVIRONMENTS", "check", "draw", "features", "smaller", "source"]

PROFILES = ("dense", "short")
ENVIRONMENTS = ({}, {"MALLOC_PERTURB_": "165"}, {}, {"MALLOC_PERTURB_": "90"})  # poison for memory of the C library

BASES = ((), ("w",), ("b", "w"))
ROUNDS = (0, 1, 2, 3, 4, 5, 5, 6, 6, 7, 8, 17, 17, 30)
FEW_ROUNDS = (0, 0, 0, 1, 2, 5)
SHORT_ROUNDS = (0, 0, 0, 0, 1, 1, 2, 3)
FORMS = ("scan",) * 8 + ("loop",)
SHORT_FORMS = ("scan",) * 5 + ("loop",) * 4
TAPS = ((-2, -1), (-3, -1), (-2,), (-1, -2), (-4, -1), (-3, -2, -1))
OFFSETS = ((0, 1), (-1, 0), (-1,), (1,), (-2, 0, 1), (2, 0), (-3, -1))
SLICES = (
    "-1:",
    "-2:",
    "-3:",
    "1:",
    ":-1",
    "::-1",
    "::2",
    "::-2",
    "1::2",
    "-2::-1",
    ":2",
    "2:5",
    "-4:-1",
    "4:1:-1",
    "1:-1",
)
SLICES += ("3:3", "-1::-3", ":1", "-5:", "0:4:3")
SWITCHES = tuple(
    """fold_constants stabilise merge_reductions add_sums last_round sum_products_behind independent_rounds hoist_sequence_work fold_products merge_writes sink_slices merge_loops keep_rows fusion fuse_scatters compute_in_place in_place_updates rounds_in_registers rounds_in_memory merge_equal_loops eager_invariants unroll_loops index_ranges states_in_stacks joint_histories written_over""".split()
)

SMOOTH_UNARY = ("tanh", "sigmoid", "half", "more", "sine", "neg", "roll", "half", "tanh")
INT_UNARY = ("neg", "one_more", "mod", "twice", "roll")
BINARY = ("add", "sub", "mul", "decay", "add", "maximum", "switch")
INT_BINARY = ("add", "int_mul", "maximum", "switch", "int_decay")
REDUCTIONS = ("sum_first", "sum_last", "sum_all", "mean_first", "max_first", "max_all")

READINGS = (
    *("last",) * 6,
    *("slice",) * 6,
    *("row", "row_at", "from_at", "to_at", "rows", "differences", "cumsum", "roll"),
    *("sum_first", "sum_all", "max_first", "max_all", "mean_first", "length", "element", "column", "argmax_first"),
)

Scope = dict[str, Type]


class Drawer:
    """What is drawn so far."""

    def __init__(self, seed: int, dense: bool = False, short: bool = False) -> None:
        self.random, self.short = random.Random(seed), short
        self.nested, self.ends, self.round_numbers = (0.2, 0.4, FEW_ROUNDS) if dense else (0.06, 0.12, ROUNDS)
        if short:
            self.nested, self.round_numbers = 0.2, SHORT_ROUNDS
        self.chance = lambda p: self.random.random() < p
        self.pick = self.random.choice
        self.count = 0
        self.inputs: list[Input] = []
        self.calls = self.pick((1, 2, 2, 3))
        self.numbers: dict[str, list[int]] = {}
        self.dtypes: tuple[str, ...] = self.pick(
            [("float64",)] * 6 + [("float32",)] * 2 + [("int64",)] + [("float64", "float32", "int64")]
        )
        self.is_smooth = self.dtypes == ("float64",) and self.chance(0.6 if short else 0.25)
        # Habits of one program: what is drawn alike within it meets corners that independent choices miss.
        self.bases = self.pick((BASES + BASES[1:2], BASES + BASES[1:2], BASES[:1], BASES[1:2], BASES[2:]))
        self.is_chain = self.chance(0.4)  # each operation takes what the one before has made
        self.returns_all = self.chance(0.35)  # each value of a step is a result
        self.readings = self.pick(
            (READINGS, READINGS, ("last",), ("last", "slice"), ("last", "row", "slice", "sum_first"))
        )
        self.readers = self.pick(((0, 1, 1, 1, 2, 3), (0, 1, 2), (0, 0, 0, 1), (0, 0, 0, 0, 1, 2)))
        self.is_markov = self.chance(0.3)  # a chain of its own: no sequences, a number of rounds, few rows read
        if self.is_markov:
            self.is_chain, self.returns_all, self.readers = True, self.chance(0.8), (0, 0, 1)
            self.readings = self.pick((("last",), ("last", "slice"), ("last", "slice", "row"), READINGS))
        self.has_shared = self.chance(0.35)
        self.has_draws = not self.is_smooth and "float64" in self.dtypes and self.chance(0.08)
        self.number("w", [self.pick((1, 2, 3, 3, 4, 7)) for _ in range(self.calls)], self.has_shared)
        self.number("b", [self.pick((1, 2, 2, 3)) for _ in range(self.calls)], self.has_shared)

    def number(self, name: str, values: list[int], is_fixed: bool = False) -> str:
        self.numbers[name] = [values[0]] * len(values) if is_fixed else values
        return name

    def name(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    # --- types and inputs

    def dtype(self) -> str:
        return self.pick(self.dtypes)

    def element(self) -> Type:
        return Type(self.dtype(), self.pick(self.bases))

    def input(self, t: Type, letter: str = "x", is_shared: bool = False, role: str = "") -> str:
        name = self.name(letter)
        self.inputs.append(Input(name, t, is_shared, role))
        return name

    def integer(self, role: str, values: Iterable[int]) -> str:
        values = list(values)
        name = self.input(Type("int64", ()), "n" if role == "count" else "i", role=role)
        return self.number(name, [self.pick(values) for _ in range(self.calls)])

    def is_named(self, dim: str) -> bool:
        return dim.isdigit() or dim in self.numbers

    def is_element(self, t: Type) -> bool:
        return t.dtype != "bool" and len(t.dims) <= 2 and all(map(self.is_named, t.dims))

    def of_type(self, scope: Scope, t: Type) -> str:
        """A value of a type: one that is there, or an argument."""
        there = [name for name, other in scope.items() if other == t]
        there += [each.name for each in self.inputs if each.type == t and not each.role and not each.is_shared]
        if there and self.chance(0.8):
            return self.pick(there)
        return self.input(t)

    # --- single operations

    def allowed(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if OPS[name].is_smooth or not self.is_smooth]

    def let(self, op: str, operands: Iterable[str], t: Type, *extra: object) -> Let:
        return Let(self.name("a"), op, tuple(operands), t, extra)

    def operation(self, scope: Scope) -> Let:
        """An operation on values of a scope."""
        while True:
            made = self.try_operation(scope)
            if made is not None:
                return made

    def try_operation(self, scope: Scope) -> Let | None:
        usable = [name for name, t in scope.items() if self.is_element(t)]
        x = self.pick(usable[-1:] if self.is_chain else usable) if usable else self.input(self.element())
        t = scope.get(x) or self.inputs[-1].type
        kind = self.random.random()
        if kind < 0.35:
            op = self.pick(SMOOTH_UNARY if t.is_float else INT_UNARY)
            return None if op == "roll" and not t.dims else self.let(op, [x], t)
        if kind < 0.65:
            fitting = [n for n in usable if self.joined(t, scope[n]) is not None]
            y = self.pick(fitting) if fitting else self.of_type(scope, t)
            other = scope.get(y) or t
            joined = self.joined(t, other)
            assert joined is not None
            op = self.pick(self.allowed(BINARY if joined.is_float and t.is_float and other.is_float else INT_BINARY))
            if op == "int_mul" and not (t.dtype == other.dtype == "int64"):
                op = "add"
            if op == "int_decay" and joined.is_float:
                op = "sub"
            return self.let(op, [x, y], joined)
        if kind < 0.78:
            op = self.pick(self.allowed(REDUCTIONS))
            if not t.dims or (op == "mean_first" and not t.is_float):
                return None
            dims = {"first": t.dims[1:], "last": t.dims[:-1], "all": ()}[op.partition("_")[2]]
            return self.let(op, [x], Type(t.dtype, dims))
        if kind < 0.88:
            if t.dims[-1:] != ("w",):
                return None
            w = self.pick(((("w", "w"), t.dims), (("w",), t.dims[:-1])))
            return self.let("dot", [x, self.of_type(scope, Type(t.dtype, w[0]))], Type(t.dtype, w[1]))
        if not t.dims:
            return None
        inner = Type(t.dtype, t.dims[1:])
        match self.random.randrange(6):
            case 0:
                return self.let("row", [x], inner, self.pick((0, -1)))
            case 1:
                return self.let("row_at", [x, self.integer("index", [0, -1])], inner)
            case 2:
                return self.let("transposed", [x], Type(t.dtype, t.dims[::-1])) if len(t.dims) == 2 else None
            case 3:
                return self.let(self.pick(("set_first", "inc_last")), [x, self.of_type(scope, inner)], t)
            case 4:
                return self.let("slice", [x], t, "::-1")
            case _:
                return self.let("cumsum", [x], t)

    def joined(self, t: Type, other: Type) -> Type | None:
        """The type of an elementwise operation on two."""
        short, long = sorted((t.dims, other.dims), key=len)
        if long[len(long) - len(short) :] != short:
            return None
        return Type(np.promote_types(t.dtype, other.dtype).name, long)

    def fitted(self, scope: Scope, base: str, t: Type) -> Let:
        """An operation on `base` that has its type, and some value besides."""
        fitting = [
            n
            for n, other in scope.items()
            if other.dtype == t.dtype and (j := self.joined(t, other)) and j.dims == t.dims
        ]
        x = self.pick(fitting) if fitting else base
        return self.let("decay" if t.is_float else "int_decay", [base, x], t)

    # --- loops

    def draw(self, scope: Scope) -> Let:
        """Random numbers, as many as some value has elements."""
        t = self.pick([t for t in scope.values() if self.is_element(t)] or [Type("float64", ())])
        t = Type("float64", t.dims)
        return self.let("uniform", [self.of_type(scope, t)], t, len(t.dims))

    def loop(self, scope: Scope, depth: int = 0, draws: bool = True) -> Loop:
        last = "while" if not depth and not self.is_smooth else "loop"
        form = self.pick((*(SHORT_FORMS if self.short else FORMS), last))
        if form == "while":
            return self.while_loop(scope)
        is_scan = form == "scan"
        draws = draws and is_scan
        name = self.name("l")
        n_steps, per_call = self.rounds()
        sequences, row = self.sequences(scope, n_steps is None, per_call, is_scan, depth)
        if n_steps is None and not sequences:
            n_steps, per_call = self.pick(self.round_numbers[1:]), None
        inner: Scope = {p: Type(t.dtype, t.dims[1:]) for s, t in sequences for p in s.parameters}
        states = [self.state(scope, is_scan, depth) for _ in range(self.pick((0, 1, 1, 1, 2, 2, 3, 4)))]
        for r in states:
            inner.update({p: r.type for p in r.parameters})
        given = []
        if is_scan:
            for outer in self.random.sample(sorted(scope), min(len(scope), self.pick((0, 0, 1, 2)))):
                if len(scope[outer].dims) <= 2 and scope[outer].dtype != "bool":
                    given.append((outer, self.name("g")))
                    inner[given[-1][1]] = scope[outer]
        # Random numbers of outside that a step uses unnamed are drawn anew in each of its rounds, as in Theano.
        captured = [n for n, t in scope.items() if self.is_element(t) and not self.has_draws]
        inner.update({n: scope[n] for n in self.random.sample(captured, min(len(captured), self.pick((0, 1, 2))))})
        shared = self.input(self.element(), "c", is_shared=True) if self.has_updates(is_scan, depth) else ""
        if shared:
            inner[shared] = self.inputs[-1].type
        body: list[Statement] = []
        for _ in range(self.pick((1, 2, 2, 3, 4, 5, 7))):
            if depth < 2 and self.chance(0.2 if self.has_draws else self.nested):
                nested = self.loop(inner, depth + 1, draws)
                read = self.reads(nested, inner, is_inner=True)
                body += [nested, *read]
                inner.update({r.name: r.type for r in nested.results} | {each.name: each.type for each in read})
            else:
                body.append(
                    self.draw(inner) if self.has_draws and draws and self.chance(0.4) else self.operation(inner)
                )
                inner[body[-1].name] = body[-1].type
        results: list[Result] = []
        for r in states:
            body_, value = self.value_of(inner, r.type, self.pick(r.parameters), body)
            body += body_
            results.append(dataclasses.replace(r, value=value))
        lets = [
            each.name for each in body if isinstance(each, Let) and self.is_element(inner.get(each.name) or each.type)
        ]
        if self.returns_all:
            results += [
                Result("", each.type, each.name) for each in body if isinstance(each, Let) and each.name in lets
            ]
        for _ in range(self.pick((0, 1, 1, 2, 3, 4, 5, 7)) * (not self.returns_all) or (not results)):
            there = lets if lets and self.chance(0.85) else [n for n, t in inner.items() if self.is_element(t)]
            if not there:
                there = [self.input(self.element())]
                inner[there[0]] = self.inputs[-1].type
            value = self.pick(there)
            t = next((each.type for each in body if isinstance(each, Let) and each.name == value), None) or inner[value]
            results.append(Result("", t, value))
        results = results[:8]
        if self.chance(0.7):
            self.random.shuffle(results)
        updates: tuple[tuple[str, str], ...] = ()
        if shared:
            body_, value = self.value_of(inner, inner[shared], shared, body)
            body += body_
            updates = ((shared, value),)
        until = ""
        if is_scan and self.chance(self.ends) and not (depth and self.has_draws):
            x = self.pick(
                [n for n, t in inner.items() if self.is_element(t) and t.dtype != "bool"] or [results[0].value]
            )
            body.append(self.let("greater", [x], Type("bool", ()), self.pick((0.3, 0.9, 2, -0.5))))
            until = body[-1].name
        if until:
            row = self.name("u")
        elif n_steps is not None:
            row = str(n_steps)
        if form == "loop":
            results.sort(key=lambda r: not r.initial)
        named = [
            dataclasses.replace(
                r,
                name=self.name("r"),
                type=r.type if form == "loop" and r.initial else Type(r.type.dtype, (row, *r.type.dims)),
            )
            for r in results
        ]
        return Loop(
            name,
            form,
            tuple(s for s, _ in sequences),
            tuple(named),
            tuple(body),
            n_steps,
            bool(sequences) and self.chance(0.2),
            until,
            tuple(given),
            updates,
        )

    def has_updates(self, is_scan: bool, depth: int) -> bool:
        return is_scan and not depth and not self.is_smooth and self.has_shared and self.chance(0.3)

    def rounds(self) -> tuple[int | str | None, list[int] | None]:
        """n_steps, and its value in each call."""
        if self.is_markov and self.chance(0.8):
            n = self.pick((5, 6, 8, 17))
            return n, [n] * self.calls
        kind = self.random.random()
        if kind < 0.45:
            return None, None
        if kind < 0.75:
            n = self.pick(self.round_numbers)
            return n, [n] * self.calls
        name = self.integer("count", self.round_numbers)
        return name, self.numbers[name]

    def sequences(
        self, scope: Scope, is_free: bool, rounds: list[int] | None, is_scan: bool, depth: int
    ) -> tuple[list[tuple[Sequence, Type]], str]:
        """What a loop walks over, with types, and the name of the number of rounds."""
        found: list[tuple[Sequence, Type]] = []
        dims: list[str] = []
        common = [self.pick(self.round_numbers) for _ in range(self.calls)]
        for _ in range(self.pick((1, 1, 2, 3)) if is_free else self.pick((0, 0, 1, 2)) * (not self.is_markov)):
            taps = self.pick(OFFSETS) if is_scan and self.chance(0.25) else (0,)
            reach = max(0, *taps, 0) - min(0, *taps, 0)
            there = [n for n, t in scope.items() if 1 <= len(t.dims) <= 3 and self.may_walk(t, depth)]
            if there and is_free and is_scan and self.chance(0.7):
                value = self.pick(there)
                t = scope[value]
            else:
                dim = self.name("k")
                lengths = [n + reach + self.pick((0, 0, 0, 1, 4)) * is_scan for n in (rounds or common)]
                self.number(dim, lengths)
                e = self.element()
                t = Type(e.dtype, (dim, *e.dims))
                value = self.input(t)
            found.append((Sequence(value, tuple(self.name("x") for _ in taps), taps), t))
            dims.append(t.dims[0])
        is_plain = len(found) == 1 and found[0][0].taps == (0,)
        return found, dims[0] if is_plain else self.name("m")

    def may_walk(self, t: Type, depth: int) -> bool:
        return t.dtype != "bool" and (t.dims[0] not in ("w", "b") or bool(depth) or self.chance(0.2))

    def state(self, scope: Scope, is_scan: bool, depth: int) -> Result:
        """A state, whose value and name are not drawn yet."""
        t = self.element()
        taps = self.pick(TAPS) if is_scan and self.chance(0.25) else (-1,)
        parameters = tuple(self.name("s") for _ in taps)
        reach = -min(taps)
        there = [n for n, other in scope.items() if other == t and taps == (-1,)]
        start = t if taps == (-1,) else Type(t.dtype, (str(reach + self.pick((0, 0, 0, 1))), *t.dims))
        if there and self.chance(0.5):
            initial = self.pick(there)
        else:
            is_shared = self.has_shared and not depth and self.chance(0.6)
            initial = self.input(start, "v" if is_shared else "x", is_shared)
        return Result("", t, "", initial, parameters, taps)

    def value_of(self, inner: Scope, t: Type, base: str, body: list[Statement]) -> tuple[list[Statement], str]:
        """A value of a type, for a state to go on with; perhaps one more operation."""
        there = [each.name for each in body if isinstance(each, Let) and each.type == t]
        if there and self.chance(0.65):
            return [], self.pick(there)
        made = self.fitted(inner, base, t)
        inner[made.name] = t
        return [made], made.name

    def while_loop(self, scope: Scope) -> Loop:
        name = self.name("l")
        start, limit = self.integer("count", [0, 1]), self.integer("count", self.round_numbers)
        counter = self.name("s")
        inner: Scope = {counter: Type("int64", ())}
        states = [self.state(scope, False, 1) for _ in range(self.pick((1, 1, 2, 3)))]
        inner.update({r.parameters[0]: r.type for r in states})
        body: list[Statement] = [self.let("one_more", [counter], inner[counter])]
        results = [Result(self.name("r"), inner[counter], body[0].name, start, (counter,), (-1,))]
        data = {n: t for n, t in inner.items() if n != counter}
        for _ in range(self.pick((1, 2, 3))):
            body.append(self.operation(data))
            data[body[-1].name] = body[-1].type
        for r in states:
            more, value = self.value_of(data, r.type, r.parameters[0], body)
            body += more
            results.append(dataclasses.replace(r, name=self.name("r"), value=value))
        condition = self.let("less", [counter, limit], Type("bool", ()))
        return Loop(name, "while", (), tuple(results), tuple(body), until=condition.name, condition=(condition,))

    # --- reads

    def reads(self, loop: Loop, scope: Scope, is_inner: bool = False) -> list[Let]:
        """How the results of a loop are read."""
        made: list[Let] = []
        for r in loop.results:
            if loop.form == "while" or (loop.form == "loop" and r.initial):
                continue
            for _ in range(self.pick(self.readers)):
                first = self.read(r.name, r.type, is_inner)
                made.append(first)
                if first.type.dims and first.op != "argmax_first" and first.type.dims[0] not in ("w", "b"):
                    if self.chance(0.3):
                        made.append(self.read(first.name, first.type, is_inner))
        return made

    def read(self, name: str, t: Type, is_inner: bool) -> Let:
        inner = Type(t.dtype, t.dims[1:])
        row = t.dims[0]
        kind = self.pick(self.readings)
        if is_inner and kind in ("element", "column", "argmax_first"):
            kind = "last"
        if kind in OPS and not OPS[kind].is_smooth and self.is_smooth:
            kind = "sum_first"
        match kind:
            case "last":
                return self.let("row", [name], inner, -1)
            case "row":
                return self.let("row", [name], inner, self.pick((0, 1, -2, 2, 0)))
            case "slice":
                text = self.pick(SLICES)
                return self.let("slice", [name], Type(t.dtype, (f"{row}[{text}]", *t.dims[1:])), text)
            case "row_at":
                return self.let(kind, [name, self.integer("index", [0, 0, 1, -1, -1, -2])], inner)
            case "from_at" | "to_at":
                at = self.integer("index", [0, 1, 2, -1, -2, 4])
                return self.let(kind, [name, at], Type(t.dtype, (f"{row}[{kind} {at}]", *t.dims[1:])))
            case "rows":
                pair = self.pick(((0, -1), (-1, -2), (-1, 0), (0, 0)))
                return self.let(kind, [name], Type(t.dtype, ("2", *t.dims[1:])), *pair)
            case "differences":
                return self.let(kind, [name], Type(t.dtype, (f"{row} differences", *t.dims[1:])))
            case "cumsum" | "roll":
                return self.let(kind, [name], t)
            case "sum_all" | "max_all":
                return self.let(kind, [name], Type(t.dtype, ()))
            case "mean_first" if not t.is_float:
                return self.let("sum_first", [name], inner)
            case "length":
                return self.let(kind, [name], Type("int64", ()))
            case "element" if len(t.dims) > 1:
                return self.let(kind, [name], Type(t.dtype, t.dims[2:]), self.pick((-1, 0)), 0)
            case "column" if len(t.dims) > 1:
                return self.let(kind, [name], Type(t.dtype, (row, *t.dims[2:])), self.pick((-1, 0)))
            case "element" | "column":
                return self.let("row", [name], inner, -1)
            case "argmax_first":
                return self.let(kind, [name], Type("int64", inner.dims))
        return self.let(kind, [name], inner)

    # --- programs

    def program(self) -> Program:
        scope: Scope = {}
        body: list[Statement] = []
        wanted: list[str] = []
        for _ in range(self.pick((1, 1, 1, 2, 2, 3))):
            loop = self.loop(scope)
            read = self.reads(loop, scope)
            body += [loop, *read]
            for r in loop.results:
                scope[r.name] = r.type
                if self.chance(0.35 if self.readings == READINGS else 0.08) or loop.form == "while":
                    wanted.append(r.name)
            scope.update({each.name: each.type for each in read if each.op not in ("argmax_first", "length")})
            wanted += [each.name for each in read if self.chance(0.85)]
        for _ in range(self.pick((0, 0, 1, 2))):
            made = self.combination(scope)
            if made is not None:
                body.append(made)
                scope[made.name] = made.type
                wanted.append(made.name)
        updates = [] if self.is_smooth else list(self.updates(body, scope))
        if not wanted:
            wanted = [body[0].results[0].name] if isinstance(body[0], Loop) else [body[0].name]
        known = {each.name: each.type for each in body if isinstance(each, Let)} | scope
        if self.is_smooth:
            wanted = [name for name in wanted if known[name].is_float] or wanted[:1]
        outputs = tuple(dict.fromkeys(wanted))[:10]
        slopes: tuple[str, ...] = ()
        direction = ""
        if self.is_smooth and all(known[name].is_float for name in outputs):
            data = [each for each in self.inputs if each.type.is_float]
            plain = [each for each in data if not each.is_shared]
            if plain and self.chance(0.2):
                direction = self.pick(plain).name
            elif data:
                slopes = tuple(each.name for each in self.random.sample(data, min(len(data), 3)))
        calls = tuple(
            Call(self.random.randrange(1000), tuple((name, values[k]) for name, values in self.numbers.items()))
            for k in range(self.calls)
        )
        mode = ""
        if self.chance(0.4 if self.short else 0.1):
            switch = self.pick(SWITCHES)
            mode = f"tensordsl.compile.mode.get_default_mode().excluding({switch!r})"
            mode = "'FAST_COMPILE'" if self.chance(0.2) else mode
            mode = self.pick(("'REFERENCE'", "'DebugMode'")) if self.short and self.chance(0.3) else mode
        used = tuple(self.inputs)
        return Program(used, tuple(body), outputs, calls, tuple(updates), slopes, direction, mode)

    def combination(self, scope: Scope) -> Let | None:
        pairs = [
            (x, y)
            for x, t in scope.items()
            for y, other in scope.items()
            if x != y and len(t.dims) >= len(other.dims) and self.joined(t, other) is not None
        ]
        if not pairs:
            return None
        x, y = self.pick(pairs)
        joined = self.joined(scope[x], scope[y])
        assert joined is not None
        return self.let(self.pick(self.allowed(("add", "sub", "maximum"))), [x, y], joined)

    def updates(self, body: list[Statement], scope: Scope) -> Iterator[tuple[str, str]]:
        """Shared variables that starts were, updated from their loops, or from elsewhere."""
        shared = {each.name: each.type for each in self.inputs if each.is_shared}
        for loop in [each for each in body if isinstance(each, Loop)]:
            for r in loop.results:
                if r.initial not in shared or not self.chance(0.8):
                    continue
                t = shared.pop(r.initial)
                other = [name for name, there in scope.items() if there == t]
                if other and self.chance(0.3):
                    yield r.initial, self.pick(other)
                    continue
                if loop.form == "loop":
                    yield r.initial, r.name
                    continue
                made = (
                    self.let("row", [r.name], t, -1)
                    if r.taps == (-1,)
                    else self.let("slice", [r.name], t, f"-{t.dims[0]}:")
                )
                body.append(made)
                yield r.initial, made.name


def draw(seed: int, dense: bool = False, short: bool = False) -> Program:
    """The program of a seed."""
    return clean(Drawer(seed, dense, short).program())


def features(program: Program) -> Iterator[str]:
    """Words for what occurs in a program."""
    words = {f"{len(program.calls)} calls", "mode" if program.mode else "default mode"}
    words |= {"gradients"} if program.slopes else {"Rop"} if program.direction else {"values"}
    words |= {"updates"} if program.updates else set()
    words |= {"shared"} if any(each.is_shared for each in program.inputs) else set()
    loops = [each for each in walk(program.body) if isinstance(each, Loop)]
    words.add(f"{sum(isinstance(each, Loop) for each in program.body)} loops in a row")
    if any(isinstance(inner, Loop) for loop in loops for inner in loop.body):
        words.add("loops in loops")
    rounds = [loop.n_steps for loop in loops] + [k for call in program.calls for n, k in call.numbers if n[0] == "n"]
    words |= {"loops without rounds"} if 0 in rounds else set()
    for loop in loops:
        words |= {loop.form, f"{len(loop.results)} results", f"{len(loop.sequences)} sequences"}
        words |= {word for word, is_so in (("until", loop.until), ("backwards", loop.is_backwards)) if is_so}
        words |= {"taps of states"} if any(r.taps not in ((), (-1,)) for r in loop.results) else set()
        words |= {"taps of sequences"} if any(s.taps != (0,) for s in loop.sequences) else set()
        words |= {"updates of steps"} if loop.updates else set()
    words |= {f"op {each.op}" for each in walk(program.body) if isinstance(each, Let)}
    yield from sorted(words)


if __name__ == "__main__":
    driver.main(__spec__.name)
