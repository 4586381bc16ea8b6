"""The text of kernels, as a reader would write them: loops and conditions indented, values used once in place.

Contract  `text(function)`.  What reads or writes memory has a line of its own, in its order; pure ops that are used
          once, in the same block, stand where they are used.  Addresses count bytes: `x[8 * i]`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tensordsl.codegen.kernel_ir.ir import Address, Constant, Function, Op, Region, Value, walk
from tensordsl.codegen.kernel_ir.ops import CASTS, ROWS

CONDITIONS = {
    "eq": "==", "ne": "!=", "slt": "<", "sle": "<=", "sgt": ">", "sge": ">=", "oeq": "==", "une": "!=", "olt": "<",
    "ole": "<=", "ogt": ">", "oge": ">=", "ult": "<u", "ule": "<=u", "ugt": ">u", "uge": ">=u",
}  # fmt: skip
INDENT = "    "


def text(function: Function) -> str:
    """
    >>> from tensordsl.codegen.kernel_ir.language import kernel
    >>> from tensordsl.codegen.kernel_ir.types import i64, signature
    >>> print(text(kernel(signature("twice", i64, x=i64))(lambda k, x: k.ret(x + x))))
    twice(x: i64) -> i64
        return x + x
    """
    return _Printer(function).text()


class _Printer:
    def __init__(self, function: Function) -> None:
        self.function = function
        self.names: dict[Value, str] = {}
        self.taken: Counter[str] = Counter()
        self.uses: Counter[Value] = Counter()
        self.infix: set[Value] = set()  # written in place, with a sign between two operands
        self.lines: list[str] = []
        for op in walk(function.body):
            self.uses.update(op.operands)

    def text(self) -> str:
        given = []
        for value in self.function.body.arguments:
            given.append(f"{self.name(value)}: {value.type}")
        results = ", ".join(map(str, self.function.signature.results))
        self.lines.append(f"{self.function.signature.name}({', '.join(given)})" + (f" -> {results}" if results else ""))
        # A stack of what is still to be written: an op, or a finished line.
        waiting: list[tuple[Op | str, int, Region | None]] = [
            (op, 1, self.function.body) for op in reversed(self.function.body.ops)
        ]
        while waiting:
            op, depth, region = waiting.pop()
            if isinstance(op, str):
                self.lines.append(INDENT * depth + op)
                continue
            waiting += reversed(self.written(op, depth, region))
        return "\n".join(self.lines)

    def name(self, value: Value, hint: str = "v") -> str:
        if value not in self.names:
            hint = value.hint or hint
            self.taken[hint] += 1
            many = self.taken[hint]
            self.names[value] = f"{hint}{many}" if hint == "v" or many > 1 else hint
        return self.names[value]

    def of(self, value: Value, inside: bool = False) -> str:
        if isinstance(value, Constant):
            return "any" if value.number is None else str(value.number)
        if isinstance(value, Address):
            return "@" + value.symbol
        written = self.names.get(value) or self.name(value)
        return f"({written})" if inside and value in self.infix else written

    def written(self, op: Op, depth: int, region: Region | None) -> list[tuple[Op | str, int, Region | None]]:
        """The lines of an op, and the ops of its regions."""
        if op.name in ("for", "loop"):
            return self.loop(op, depth)
        if op.name == "if":
            return self.condition(op, depth)
        if op.name == "switch":
            return self.cases(op, depth)
        if op.name == "yield":
            values = ", ".join(map(self.of, op.operands))
            return [(f"yield {values}", depth, None)] if values else []
        if op.name in ("return", "break", "unreachable"):
            return [(" ".join((op.name, ", ".join(map(self.of, op.operands)))).rstrip(), depth, None)]
        value = self.expression(op)
        if op.name == "store":
            return [
                (f"store {op.operands[0].type} {self.of(op.operands[0])} to {self.place(op.operands[1])}", depth, None)
            ]
        if op.name == "prefetch":
            return [(f"prefetch {self.place(op.operands[0])}", depth, None)]
        if len(op.results) != 1:
            names = ", ".join(map(self.name, op.results))
            return [(f"{names} = {value}" if names else value, depth, None)]
        if ROWS[op.name].is_pure and self.uses[op.result] == 1 and region is not None and self.is_used_in(op, region):
            self.names[op.result] = value
            if ROWS[op.name].sign or op.name in ("icmp", "fcmp"):
                self.infix.add(op.result)
            return []
        return [(f"{self.name(op.result)} = {value}", depth, None)]

    def is_used_in(self, op: Op, region: Region) -> bool:
        return any(op.result in other.operands for other in region.ops)

    def expression(self, op: Op) -> str:
        a = op.attributes
        x = [self.of(v, True) for v in op.operands]
        if op.name == "xor" and isinstance(op.operands[1], Constant) and op.operands[1].number == -1:
            return f"not {x[0]}"
        if sign := ROWS[op.name].sign:
            return f"{x[0]} {sign} {x[1]}"
        if op.name in ("icmp", "fcmp"):
            return f"{x[0]} {CONDITIONS.get(a['condition'], a['condition'])} {x[1]}"
        if op.name in CASTS or op.name == "bitcast":
            return f"{op.name}({self.of(op.operands[0])}, {a['to']})"
        if op.name == "offset":
            step = x[1] if a["size"] == 1 else f"{a['size']} * {x[1]}"
            return f"{x[0]}[{step}]"
        if op.name == "load":
            return f"load {a['type']} {self.place(op.operands[0])}"
        if op.name == "alloca":
            return f"alloca {a['count']} of {a['type']}, align {a['align']}"
        if op.name == "call":
            return f"{a['callee'].name}({', '.join(map(self.of, op.operands))})"
        if op.name == "call_at":
            return f"{a['callee'].name} at {x[0]}({', '.join(map(self.of, op.operands[1:]))})"
        extra = [f"{key}={self.attribute(v)}" for key, v in a.items()]
        return f"{op.name}({', '.join([*map(self.of, op.operands), *extra])})"

    def attribute(self, value: Any) -> str:
        return str(list(value)) if isinstance(value, tuple) else str(value)

    def place(self, address: Value) -> str:
        written = self.of(address)
        return written if "[" in written else f"{written}[0]"

    def loop(self, op: Op, depth: int) -> list[tuple[Op | str, int, Region | None]]:
        (region,) = op.regions
        skipped = 1 if op.name == "for" else 0
        arguments, first = region.arguments[skipped:], op.operands[3 * skipped :]
        carried = [f"{self.name(v)} = {self.of(x)}" for v, x in zip(arguments, first, strict=True)]
        for value, argument in zip(op.results, arguments, strict=True):
            self.names[value] = self.names[argument]
        head = "loop"
        if op.name == "for":
            start, end, step = map(self.of, op.operands[:3])
            by = f" step {step}" if step != "1" else ""
            head = f"for {self.name(region.arguments[0])} from {start} to {end}{by}"
        head += f" with {', '.join(carried)}" if carried else ""
        return [(head + ":", depth, None), *((inner, depth + 1, region) for inner in region.ops)]

    def cases(self, op: Op, depth: int) -> list[tuple[Op | str, int, Region | None]]:
        names = ", ".join(self.name(v) for v in op.results)
        head = (f"{names} = " if names else "") + f"switch {self.of(op.operands[0])}:"
        lines: list[tuple[Op | str, int, Region | None]] = [(head, depth, None)]
        labels = [f"case {', '.join(map(str, case))}:" for case in op.attributes["cases"]]
        for label, region in zip([*labels, "default:"], op.regions, strict=True):
            lines += [(label, depth + 1, None), *((inner, depth + 2, region) for inner in region.ops)]
        return lines

    def condition(self, op: Op, depth: int) -> list[tuple[Op | str, int, Region | None]]:
        then, other = op.regions
        names = ", ".join(self.name(v) for v in op.results)
        head = (f"{names} = " if names else "") + f"if {self.of(op.operands[0])}:"
        lines: list[tuple[Op | str, int, Region | None]] = [
            (head, depth, None),
            *((inner, depth + 1, then) for inner in then.ops),
        ]
        if len(other.ops) > 1 or other.ops[0].operands or other.ops[0].name != "yield":
            lines += [("else:", depth, None), *((inner, depth + 1, other) for inner in other.ops)]
        return lines
