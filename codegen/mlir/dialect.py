"""Tensor IR in MLIR's generic textual form (the dialect `tensordsl`), and a parser of it.

A value is an op `"tensordsl.NAME"(operands) <{attributes}> : types`; loop bodies and branches are regions.  What MLIR's
types cannot express (symbolic extents, indexing maps, bytes of constants) is in string attributes.  `from_mlir` inverts
`to_mlir`; `mlir-opt -allow-unregistered-dialect` reads the text.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.codegen.fusion.placement import place
from tensordsl.codegen.mlir.writer import tensor_type
from tensordsl.codegen.tensor_ir.construct import FOR, IFELSE, WHILE
from tensordsl.codegen.tensor_ir.extents import Constraint, Extent
from tensordsl.codegen.tensor_ir.graph import Graph, Loop, Value, toposort


class MlirParseError(ValueError):
    """The text is not what `to_mlir` prints; the message names the line."""


# -- printing --------------------------------------------------------------------------------------------------------
def to_mlir(graph: Graph, roots: Sequence[Value], name: str = "main") -> str:
    """The IR that `roots` depend on as a module of one function that returns them."""
    printer = _Printer(graph, roots)
    body = printer.region((), roots, 2)
    head = f'module {{\n  "tensordsl.func"() <{{sym_name = "{name}"}}> ({{\n'
    return f"{head}{body}  }}) : () -> ()\n}}\n"


class _Printer:
    def __init__(self, graph: Graph, roots: Sequence[Value]) -> None:
        self.graph = graph
        order = toposort(roots)
        self.context = place(roots, order)
        self.members: dict[Any, list[Value]] = {}
        for v in order:
            self.members.setdefault(self.context[v.number], []).append(v)

    def region(self, context: Any, results: Sequence[Value], depth: int) -> str:
        pad = "  " * depth
        lines = [self.line(v, depth) for v in self.members.get(context, [])]
        types = ", ".join(map(type_of, results))
        names = ", ".join(f"%v{v.number}" for v in results)
        return "".join(f"{pad}{x}\n" for x in [*lines, f'"tensordsl.yield"({names}) : ({types}) -> ()'])

    def line(self, v: Value, depth: int) -> str:
        operands = ", ".join(f"%v{o.number}" for o in v.operands)
        types = ", ".join(map(type_of, v.operands))
        attrs = {k: x for k, x in v.attrs.items() if k != "loop"}
        regions, context = "", self.context[v.number]
        if v.traits.is_loop:
            loop = v.attrs["loop"]
            body = (*context, (FOR, loop.number))
            for p in (*reversed(loop.carried), loop.index):  # parameters that nothing uses, too
                if p.number not in self.context:
                    self.context[p.number] = body
                    self.members.setdefault(body, []).insert(0, p)
            attrs |= {"loop_number": loop.number, "carried": len(loop.carried)}
            inner = self.region(body, loop.results, depth + 1)
            regions = f" ({{\n{inner}{'  ' * depth}}})"
        if v.op == IFELSE:
            half = (len(v.operands) - 1) // 2
            parts = []
            for side in (0, 1):
                wants = v.operands[1 + side * half : 1 + (side + 1) * half]
                parts.append(self.region((*context, ("if", v.number, side)), wants, depth + 1))
            regions = f" ({{\n{parts[0]}{'  ' * depth}}}, {{\n{parts[1]}{'  ' * depth}}})"
            operands, types = f"%v{v.operands[0].number}", type_of(v.operands[0])
        attrs |= {"dtype": v.dtype, "extents": v.shape, "loops": tuple(sorted(v.loops))}
        text = ", ".join(f'{k} = "{_quote(encode(x))}"' for k, x in attrs.items())
        return f'%v{v.number} = "tensordsl.{v.op}"({operands}) <{{{text}}}>{regions} : ({types}) -> {type_of(v)}'


def type_of(v: Value) -> str:
    return tensor_type(v.shape, v.dtype) if v.dtype else "none"


def _quote(text: str) -> str:
    return text.replace("\\", "\\5C").replace('"', "\\22")


def _unquote(text: str) -> str:
    return text.replace("\\22", '"').replace("\\5C", "\\")


def encode(x: Any) -> str:
    """An attribute as a Python literal."""
    return repr(_plain(x))


def _plain(x: Any) -> Any:
    if isinstance(x, Extent):
        return ("extent", tuple((tuple(map(_plain, m)), int(c)) for m, c in x.terms))
    if isinstance(x, np.ndarray):
        return ("array", x.dtype.name, x.shape, x.tobytes().hex())
    if isinstance(x, Constraint):
        return ("constraint", _plain(x.a), _plain(x.b), x.what, x.node, x.relation)
    if isinstance(x, np.generic):
        return _plain(x.item())
    if isinstance(x, float):
        return ("float", x.hex())
    if isinstance(x, tuple | list):
        return ("tuple", *map(_plain, x))
    if isinstance(x, dict):
        return ("dict", *((k, _plain(v)) for k, v in x.items()))
    if hasattr(x, "oracle"):
        return ("row", x.name)
    if hasattr(x, "combine"):
        return ("reducer", x.name)
    return x


def decode(text: str) -> Any:
    return _rich(literal_eval(text))


def _rich(x: Any) -> Any:
    if not isinstance(x, tuple):
        return x
    kind, *rest = x
    if kind == "extent":
        return Extent(tuple((tuple(map(_rich, m)), c) for m, c in rest[0]))
    if kind == "array":
        data = np.frombuffer(bytes.fromhex(rest[2]), rest[0]).reshape(rest[1])
        return data
    if kind == "constraint":
        return Constraint(_rich(rest[0]), _rich(rest[1]), *rest[2:])
    if kind == "float":
        return float.fromhex(rest[0])
    if kind == "dict":
        return {k: _rich(v) for k, v in rest}
    if kind == "row":
        from tensordsl.codegen.passes.stabilise import SHARE  # set by passes only
        from tensordsl.ops.table import OPS

        return SHARE if rest[0] == SHARE.name else OPS[rest[0]]
    if kind == "reducer":
        from tensordsl.ops.array import reducers

        return next(r for r in vars(reducers).values() if isinstance(r, reducers.Reducer) and r.name == rest[0])
    assert kind == "tuple", x
    return tuple(map(_rich, rest))


# -- parsing ---------------------------------------------------------------------------------------------------------
_LINE = re.compile(r'\s*(?:%v(\d+) = )?"tensordsl\.(\w+)"\(([^)]*)\)(?: <\{(.*)\}>)?( \(\{)?(?: : \(.*\) -> .*)?$')
_ATTRIBUTE = re.compile(r'(\w+) = "([^"]*)"')


def from_mlir(text: str) -> tuple[Graph, list[Value]]:
    """The graph and roots that `to_mlir` printed.  Raises MlirParseError."""
    return _Parser(text).run()


class _Parser:
    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.graph = Graph()
        self.values: dict[int, Value] = {}
        self.loops: dict[int, Loop] = {}
        self.open: list[tuple[str, int, list[Value], dict[str, Any], list[list[Value]]]] = []
        self.roots: list[Value] | None = None

    def run(self) -> tuple[Graph, list[Value]]:
        for number, line in enumerate(self.lines, 1):
            try:
                self.line(line.strip())
            except MlirParseError:
                raise
            except Exception as error:
                raise MlirParseError(
                    f"line {number}: {line.strip()[:100]!r}: {type(error).__name__}: {error}"
                ) from error
        if self.roots is None or self.open:
            raise MlirParseError("the text ends inside of a region" if self.open else "no function in the text")
        return self.graph, self.roots

    def line(self, line: str) -> None:
        if not line or line in ("module {", "}"):
            return
        if line.startswith("})"):
            self.close()
            return
        if line.startswith("}, {"):
            return
        found = _LINE.match(line)
        if found is None:
            raise MlirParseError(f"not an op of the dialect tensordsl: {line[:100]!r}")
        number, op, operands, attributes, region = found.groups()
        values = [self.values[int(x)] for x in re.findall(r"%v(\d+)", operands)]
        attrs = {k: _unquote(v) for k, v in _ATTRIBUTE.findall(attributes or "")}
        if op == "yield":
            if self.open:
                self.open[-1][4].append(values)
            return
        if op == "func":
            if self.roots is not None or self.open:
                raise MlirParseError("more than one function in the text")
            self.open.append((op, -1, values, {}, []))
            return
        decoded = {k: decode(v) for k, v in attrs.items()}
        if region:
            if op in (FOR, WHILE):
                self.loops[decoded["loop_number"]] = Loop(decoded["loop_number"])
            self.open.append((op, int(number), values, decoded, []))
            return
        self.values[int(number)] = self.make(int(number), op, values, decoded)

    def close(self) -> None:
        op, number, values, attrs, yields = self.open.pop()
        if op == "func":
            (self.roots,) = yields
            return
        if op == IFELSE:
            values = [*values, *yields[0], *yields[1]]
        else:
            loop = self.loops[attrs.pop("loop_number")]
            carried = attrs.pop("carried")
            if op == WHILE:
                loop.condition = yields[0].pop()
            loop.next, loop.stacked = tuple(yields[0][:carried]), tuple(yields[0][carried:])
            attrs["loop"] = loop
        self.values[number] = self.make(number, op, values, attrs)

    def make(self, at: int, op: str, operands: list[Value], attrs: dict[str, Any]) -> Value:
        dtype, shape = attrs.pop("dtype"), attrs.pop("extents")
        loops = frozenset(attrs.pop("loops"))
        if op == "rounds":
            attrs = {"loop": self.loops[attrs["loop_number"]], **attrs}
        if op in (FOR, WHILE):  # the loop comes first among the attributes, as lowering writes it
            attrs = {"loop": attrs.pop("loop"), **attrs}
        values = self.graph.values
        gap = Value("undefined", (), {}, "", (), -1, frozenset())  # a value that nothing used is not in the text
        values.extend([gap] * (at + 1 - len(values)))  # extents name values by number: each keeps its own
        value = values[at] = Value(op, tuple(operands), attrs, dtype, tuple(shape), at, loops)
        number: Any = attrs.get("loop_number")
        if value.traits.is_loop:
            attrs["loop"].made = value
        if op == "index":
            self.loops[number].index = value
        if op == "carried":
            carried = (*self.loops[number].carried, value)
            self.loops[number].carried = tuple(sorted(carried, key=lambda v: v.attrs["k"]))
        return value


def equal(a: Sequence[Value], b: Sequence[Value]) -> bool:
    """Whether two graphs are the same up to the numbers of their values."""
    left, right = toposort(a), toposort(b)
    if len(left) != len(right):
        return False
    number = {v.number: k for k, v in enumerate(left)}
    other = {v.number: k for k, v in enumerate(right)}
    for v, w in zip(left, right, strict=True):
        if (v.op, v.dtype, len(v.shape)) != (w.op, w.dtype, len(w.shape)):
            return False
        if [number[o.number] for o in v.operands] != [other[o.number] for o in w.operands]:
            return False
        plain = [{k: _plain(x) for k, x in u.attrs.items() if k != "loop"} for u in (v, w)]
        if repr(plain[0]) != repr(plain[1]):
            return False
    return True


__all__ = ["MlirParseError", "equal", "from_mlir", "to_mlir"]
