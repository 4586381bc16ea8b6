"""The writer of one exported function: names of values and lengths, tensors, linalg generics, regions.

`run_step` writes each step of `fusion`, a group or a construct, with the writer's methods.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.codegen.fusion.placement import Context, Step, integer_values, plan_regions
from tensordsl.codegen.mlir.scalars import TYPE, Scalars, literal
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Graph, Value, giver, toposort
from tensordsl.codegen.tensor_ir.lower import Lowered

RELATIONS = {"eq": "eq", "ne": "ne", "lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge"}


class MlirError(ValueError):
    """A graph has no MLIR form; the message says which op and why."""


class Scope:
    """Names that are valid in one region: lengths, ("atom", a), ("value", number)."""

    def __init__(self) -> None:
        self.names: dict[Any, str] = {}


class Writer:
    """Writes one function.  `run_step` writes a group or a construct; checks: constraints become cf.assert."""

    def __init__(self, lowered: Lowered, run_step: Callable[[Writer, Step], None], checks: bool = False) -> None:
        self.graph: Graph = lowered.graph
        self.roots = [*lowered.outputs, *(v for _, v in lowered.updates)]
        self.signature = lowered.sources
        self.run_step = run_step
        self.regions = plan_regions(self.graph, self.roots)
        self.checks = checks
        self.pending = list(self.graph.extents.constraints) if checks else []
        self.raw = False  # lengths as they were before the constraints identified them with each other
        self.lines: list[str] = []
        self.indent = 2
        self.count = 0
        self.values: dict[int, str] = {}
        self.scopes = [Scope()]
        self.context: Context = ()
        self.private: dict[str, str] = {}
        self.scalars = Scalars(self.op, self.put)
        self.results: dict[int, list[Value]] = {}
        order = toposort(self.roots)
        for v in toposort([*order, *integer_values(self.graph, order)]):
            if (made := giver(v)) is not v:
                self.results.setdefault(made.number, []).append(v)

    # -- text ---------------------------------------------------------------------------------------------------------
    def put(self, line: str) -> None:
        self.lines.append("  " * self.indent + line)

    def op(self, right: str) -> str:
        self.count += 1
        self.put(f"%{self.count} = {right}")
        return f"%{self.count}"

    def type_of(self, v: Value) -> str:
        return tensor_type(map(self.find, v.shape), v.dtype)

    def find(self, length: Any) -> Any:
        return length if self.raw else self.graph.extents.find(length)

    def function(self, name: str) -> str:
        """The whole function, public under `name`."""
        args = []
        for v in self.signature:
            source = f"%{v.op}{v.attrs['index']}"
            kind = tensor_type(v.shape, v.dtype) if self.pending else self.type_of(v)
            self.values[v.number] = source
            args.append(f"{source}: {kind} {{bufferization.writable = false}}")
        if self.pending:
            self.entry_checks()
        self.run(self.regions[()].steps)
        names = [self.value(v) for v in self.roots]
        types = ", ".join(self.type_of(v) for v in self.roots)
        self.put(f"return {', '.join(names)} : {types}" if names else "return")
        head = f"  func.func @{name}({', '.join(args)}) -> ({types}) attributes {{llvm.emit_c_interface}} {{"
        return "\n".join([head, *self.lines, "  }"])

    # -- checks -------------------------------------------------------------------------------------------------------
    def entry_checks(self) -> None:
        """The checks that depend on the arguments alone; after them types contain what the constraints prove."""
        self.check_pending()
        for v in self.signature:
            have, want = tensor_type(v.shape, v.dtype), self.type_of(v)
            if have != want:
                self.values[v.number] = self.op(f"tensor.cast {self.values[v.number]} : {have} to {want}")

    def check_pending(self) -> None:
        """Assert what has become known: constraints all of whose integers have been computed."""
        waiting = []
        for c in self.pending:
            if all(self._is_known(a) for a in ex.atoms(c.a) | ex.atoms(c.b)):
                self.raw = True
                self.check(c)
                self.raw = False
            else:
                waiting.append(c)
        self.pending = waiting

    def check(self, c: ex.Constraint) -> None:
        holds = self.op(f"arith.cmpi {RELATIONS[c.relation]}, {self.index(c.a)}, {self.index(c.b)} : index")
        self.put(f'cf.assert {holds}, "{escaped(c.what)}"')

    def check_step(self, step: Step) -> None:
        """The checks of a step that a call may leave out: its own, and of lengths that must not be negative."""
        extents = self.graph.extents
        values = [step.value] if step.value is not None else list(step.fused.values) if step.fused is not None else []
        checks = [c for v in values for c in v.attrs.get("checks", ()) if isinstance(c, ex.Constraint)]
        for n in dict.fromkeys(n for v in values for n in v.shape):
            c = extents.assumption(n, 0, "ge") or extents.assumption(self.find(n), 0, "ge")
            checks += [c] if c is not None else []
        for c in dict.fromkeys(checks):
            key = ("checked", c)
            if not any(key in scope.names for scope in self.scopes):
                self.scopes[-1].names[key] = ""
                self.check(c)

    def _is_known(self, a: ex.Atom) -> bool:
        return a[0] != "value" or a[1] in self.values or self.graph.values[a[1]].op == "const"

    # -- lengths ------------------------------------------------------------------------------------------------------
    def index(self, length: Any) -> str:
        """A length as a value of type index."""
        length = self.find(length)
        key = ("raw", length) if self.raw else length
        for scope in reversed(self.scopes):
            if key in scope.names:
                return scope.names[key]
        name = self._index(length)
        self.scopes[-1].names[key] = name
        return name

    def _index(self, length: Any) -> str:
        if isinstance(length, int):
            return self.op(f"arith.constant {length} : index")
        total = ""
        for monomial, coefficient in length.terms:
            term = "" if coefficient == 1 and monomial else self.index(coefficient)
            for a in monomial:
                factor = self._atom(a)
                term = self.op(f"arith.muli {term}, {factor} : index") if term else factor
            total = self.op(f"arith.addi {total}, {term} : index") if total else term
        return total

    def _atom(self, a: ex.Atom) -> str:
        key = ("raw atom", a) if self.raw else ("atom", a)
        for scope in reversed(self.scopes):
            if key in scope.names:
                return scope.names[key]
        kind = a[0]
        if kind in ("arg", "shared"):
            source = next(v for v in self.signature if v.op == kind and v.attrs["index"] == a[1])
            name = self.op(f"tensor.dim {self.values[source.number]}, {self.index(a[2])} : {self.type_of(source)}")
        elif kind == "value":
            v = self.graph.values[a[1]]
            item = self.op(f"tensor.extract {self.value(v)}[] : {self.type_of(v)}")
            item = self.scalars.cast(item, v.dtype, "int64")
            name = self.op(f"arith.index_cast {item} : i64 to index")
        elif kind == "negative":
            below = self.op(f"arith.cmpi slt, {self.index(a[1])}, {self.index(0)} : index")
            name = self.op(f"arith.select {below}, {self.index(1)}, {self.index(0)} : index")
        elif kind == "choice":
            chosen = self.op(f"arith.cmpi ne, {self.index(a[1])}, {self.index(0)} : index")
            name = self.op(f"arith.select {chosen}, {self.index(a[2])}, {self.index(a[3])} : index")
        elif kind in ("min", "max"):
            name = self.op(f"arith.{kind}si {self.index(a[1])}, {self.index(a[2])} : index")
        else:
            assert kind == "floordiv", a
            name = self._floordiv(self.index(a[1]), self.index(a[2]))
        self.scopes[-1].names[key] = name
        return name

    def _floordiv(self, x: str, y: str) -> str:
        zero = self.index(0)
        none = self.op(f"arith.cmpi eq, {y}, {zero} : index")
        safe = self.op(f"arith.select {none}, {self.index(1)}, {y} : index")
        quotient = self.op(f"arith.floordivsi {x}, {safe} : index")
        return self.op(f"arith.select {none}, {zero}, {quotient} : index")

    # -- values -------------------------------------------------------------------------------------------------------
    def value(self, v: Value) -> str:
        """The tensor of v; constants and moves are made where they are first needed."""
        if v.number in self.values:
            return self.values[v.number]
        for scope in reversed(self.scopes):
            if ("value", v.number) in scope.names:
                return scope.names["value", v.number]
        if v.op == "const":
            name = self.op(f"arith.constant {dense(v.attrs['data'])} : {self.type_of(v)}")
        else:
            assert v.op == "move", v.op
            name = self.moved(v)
        self.scopes[-1].names["value", v.number] = name
        return name

    def empty(self, shape: Sequence[Any], dtype: str) -> tuple[str, str]:
        dims = [self.find(n) for n in shape]
        t = tensor_type(dims, dtype)
        return self.op(f"tensor.empty({', '.join(self.index(n) for n in dims if not isinstance(n, int))}) : {t}"), t

    def base_map(self, v: Value, entries: Sequence[Any]) -> tuple[Value, list[Any]]:
        """(the tensor behind a view, the map into it), from the map into the view."""
        entries = list(entries)
        while v.op == "move" and v.number not in self.values:
            x = v.operands[0]
            entries = [0 if m is None or n == 1 else entries[m] for m, n in zip(v.attrs["map"], x.shape, strict=True)]
            v = x
        return v, entries

    def moved(self, v: Value) -> str:
        """A view as a tensor of its own."""
        base, entries = self.base_map(v, [f"d{d}" for d in range(v.rank)])
        init, t = self.empty(v.shape, v.dtype)
        axes = [f"d{d}" for d in range(v.rank)]
        source = self.value(base)
        return self.generic(
            axes, (), [(source, self.type_of(base), v.dtype, entries)], [(init, t, v.dtype, axes)],
            lambda ins, outs: [ins[0]], v.shape,
        )[0]  # fmt: skip

    def generic(
        self, axes: Sequence[str], reduced: Sequence[str], ins: list[Any], outs: list[Any],
        body: Callable[[list[str], list[str]], list[str]], lengths: Sequence[Any],
    ) -> list[str]:  # fmt: skip
        """A linalg.generic; operands are (name, tensor type, dtype, map).  `lengths`: of the axes."""
        covered = {m for *_, entries in (*ins, *outs) for m in entries}
        for a, n in zip(axes, lengths, strict=True):
            if a not in covered:  # linalg takes the bounds of its loops from operands
                name, t = self.empty((n,), "bool")
                ins = [*ins, (name, t, "bool", [a])]
        maps = ", ".join(f"affine_map<({', '.join(axes)}) -> ({', '.join(map(str, m))})>" for *_, m in (*ins, *outs))
        kinds = ", ".join('"reduction"' if a in reduced else '"parallel"' for a in axes)
        self.count += 1
        number = self.count
        types = [t for _, t, *_ in outs]
        many = f":{len(outs)}" if len(outs) > 1 else ""
        self.put(f"%{number}{many} = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{kinds}]}}")
        if ins:
            self.put(f"    ins({', '.join(n for n, *_ in ins)} : {', '.join(t for _, t, *_ in ins)})")
        self.put(f"    outs({', '.join(n for n, *_ in outs)} : {', '.join(types)}) {{")
        names = [f"%b{number}_{k}" for k in range(len(ins) + len(outs))]
        items = [f"{n}: {TYPE[dtype]}" for n, (_, _, dtype, _) in zip(names, (*ins, *outs), strict=True)]
        self.put(f"^bb0({', '.join(items)}):")
        self.indent += 1
        yielded = body(names[: len(ins)], names[len(ins) :])
        self.put(f"linalg.yield {', '.join(yielded)} : {', '.join(TYPE[dtype] for _, _, dtype, _ in outs)}")
        self.indent -= 1
        self.put(f"}} -> {types[0] if len(types) == 1 else '(' + ', '.join(types) + ')'}")
        return [f"%{number}"] if len(outs) == 1 else [f"%{number}#{k}" for k in range(len(outs))]

    # -- regions ------------------------------------------------------------------------------------------------------
    def open(self) -> None:
        """Begin a region: the lines that follow are in it."""
        self.indent += 1
        self.scopes.append(Scope())

    def close(self, values: Sequence[str], types: str) -> None:
        self.put(f"scf.yield {', '.join(values)} : {types}")
        self.scopes.pop()
        self.indent -= 1

    def run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if self.checks:
                self.check_step(step)
            self.run_step(self, step)
            if self.pending:
                self.check_pending()

    def inside(self, region: tuple[Any, ...], wants: Sequence[Value]) -> list[str]:
        """Write a region's lines; the names of `wants` in it."""
        outer = self.context
        self.context = (*outer, region)
        known = self.regions.get(self.context)
        self.run(known.steps if known else [])
        names = [self.value(v) for v in wants]
        self.context = outer
        return names


def loops(
    e: Writer,
    ends: Sequence[str],
    carried: Sequence[tuple[str, str]],
    body: Callable[[list[str], list[str]], Sequence[str]],
) -> list[str]:
    """Loops from 0 to the indices `ends`, one inside the other.  carried: (initial value, type); `body(positions,
    carried values)` gives the next values, at each point in order; the final values."""
    types, values = ", ".join(t for _, t in carried), [name for name, _ in carried]
    zero, one = e.index(0), e.index(1)
    opened: list[int] = []
    for end in ends:
        e.count += 1
        number = e.count
        opened.append(number)
        names = [f"%c{number}_{k}" for k in range(len(carried))]
        start = ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))
        many = f":{len(carried)}" if len(carried) > 1 else ""
        bounds = f"%i{number} = {zero} to {end} step {one}"
        e.put(f"%{number}{many} = scf.for {bounds} iter_args({start}) -> ({types}) {{")
        e.open()
        values = names
    values = list(body([f"%i{number}" for number in opened], values))
    for number in reversed(opened):
        e.close(values, types)
        e.put("}")
        values = _results_of(number, len(carried))
    return values


def rounds_until(
    e: Writer,
    end: str,
    carried: Sequence[tuple[str, str]],
    body: Callable[[str, list[str]], tuple[Sequence[str], str]],
) -> tuple[str, list[str]]:
    """A loop from 0 to at most the index `end`.  carried: (initial value, type); `body(position, carried values)` gives
    the next values and whether the round is the last; the number of rounds, an index, and the final values."""
    zero, one, true = e.index(0), e.index(1), e.op("arith.constant true")
    types = ", ".join(["index", *(t for _, t in carried)])
    e.count += 1
    number = e.count
    names = [f"%c{number}_{k}" for k in range(1 + len(carried))]
    starts = zip((*names, f"%g{number}"), (zero, *(x for x, _ in carried), true), strict=True)
    start = ", ".join(f"{name} = {value}" for name, value in starts)
    many = f":{len(names)}" if len(names) > 1 else ""
    e.put(f"%{number}{many} = scf.while ({start}) : ({types}, i1) -> ({types}) {{")
    e.open()
    below = e.op(f"arith.cmpi slt, {names[0]}, {end} : index")
    goes_on = e.op(f"arith.andi {below}, %g{number} : i1")
    e.put(f"scf.condition({goes_on}) {', '.join(names)} : {types}")
    e.scopes.pop()
    e.indent -= 1
    e.put("} do {")
    parameters = [f"%d{number}_{k}" for k in range(len(names))]
    kinds = ("index", *(t for _, t in carried))
    e.put(f"^bb0({', '.join(f'{name}: {t}' for name, t in zip(parameters, kinds, strict=True))}):")
    e.open()
    values, is_last = body(parameters[0], parameters[1:])
    position = e.op(f"arith.addi {parameters[0]}, {one} : index")
    running = e.op(f"arith.xori {is_last}, {true} : i1")
    e.close([position, *values, running], f"{types}, i1")
    e.put("}")
    rounds, *finals = _results_of(number, len(names))
    return rounds, finals


def choice(e: Writer, condition: str, kinds: Sequence[str], sides: Sequence[Callable[[], Sequence[str]]]) -> list[str]:
    """The values, of types `kinds`, of the first of two branches where the condition holds, else of the second."""
    types = ", ".join(kinds)
    e.count += 1
    number = e.count
    many = f":{len(kinds)}" if len(kinds) > 1 else ""
    e.put(f"%{number}{many} = scf.if {condition} -> ({types}) {{")
    for side, last in zip(sides, ("} else {", "}"), strict=True):
        e.open()
        e.close(side(), types)
        e.put(last)
    return _results_of(number, len(kinds))


def _results_of(number: int, count: int) -> list[str]:
    return [f"%{number}#{k}" for k in range(count)] if count > 1 else [f"%{number}"]


def tensor_type(dims: Any, dtype: str) -> str:
    return f"tensor<{''.join(f'{n}x' if isinstance(n, int) else '?x' for n in dims)}{TYPE[dtype]}>"


def dense(data: Any) -> str:
    """An array as an attribute."""
    array = np.asarray(data)
    if not array.size:
        return "dense<>"
    name = array.dtype.name
    body = np.vectorize(lambda x: literal(x, name), otypes=[object])(array)
    return f"dense<{_nested(body.tolist())}>"


def escaped(text: str) -> str:
    """Text between the quotes of a string attribute."""
    return "".join(chr(b) if 32 <= b < 127 and b not in (34, 92) else f"\\{b:02X}" for b in text.encode())


def _nested(x: Any) -> str:
    return f"[{', '.join(map(_nested, x))}]" if isinstance(x, list) else str(x)


def call(e: Writer, v: Value, function: str, operands: Sequence[Value]) -> None:
    """v is what a function gives that whoever runs the module supplies: it has no structured form."""
    name = f"host_{function}_{v.number}"
    values, types = ", ".join(map(e.value, operands)), ", ".join(map(e.type_of, operands))
    e.private[name] = f"func.func private @{name}({types}) -> ({e.type_of(v)})"
    e.values[v.number] = e.op(f"func.call @{name}({values}) : ({types}) -> ({e.type_of(v)})")
