"""A function as a program in the words of `drawn`: what a failure prints, ready to be kept in `pinned`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from textwrap import indent
from typing import Any

import drawn
import numpy as np
from drawn import EXACT, INEXACT, SIGN, Case, Program, pack

from tensordsl.graph import Constant, Variable, toposort
from tensordsl.ops.control import LoopBody
from tensordsl.types import TensorType

SPELT = 48  # elements; of more an array is packed
WIDTH = 110  # of a line of packed elements
LEVELS = {EXACT: "", SIGN: ", SIGN", INEXACT: ", INEXACT"}
WORDS = {**vars(drawn), "inf": np.inf, "nan": np.nan, "infj": complex(0, np.inf), "nanj": complex(0, np.nan)}


def describe(case: Case, levels: Mapping[Variable, int] | None = None, name: str = "found") -> str:
    """The text of the function that declares the case again; `levels` says how exact its results are."""
    return f"def {name}(p: Program) -> None:\n" + indent("\n".join(_Writer(case, levels or {}).lines()), "    ")


def read(text: str) -> Program:
    """The program of a described function."""
    words = dict(WORDS)
    exec(text, words)
    return Program(list(words.values())[-1])


class _Writer:
    def __init__(self, case: Case, levels: Mapping[Variable, int]) -> None:
        self.case, self.levels = case, levels
        self.names: dict[Any, str] = {}  # of variables and bodies of loops
        self.count: Counter[str] = Counter()

    def lines(self) -> Iterator[str]:
        case = self.case
        for k, v in enumerate(case.inputs):
            yield f"{self.name(v, 'x')} = p.argument({_type(v.type)}, {self.argument(k)})"
        for s in case.shared:
            yield f"{self.name(s, 's')} = p.shared({array_text(s.get_value())}, {s.type.broadcastable})"
        for c in _repeated(case.results):
            text = self.reference(c)
            yield f"{self.name(c, 'c')} = {text}"
        yield from self.graph(case.results)
        for v in case.outputs:
            yield f"p.output({self.reference(v)}{self.level(v)})"
        for s, v in case.updates:
            yield f"p.update({self.names[s]}, {self.reference(v)}{self.level(v)})"

    def name(self, v: Any, kind: str) -> str:
        self.names[v] = f"{kind}{self.count[kind]}"
        self.count[kind] += 1
        return self.names[v]

    def reference(self, v: Variable) -> str:
        if isinstance(v, Constant) and v not in self.names:
            return array_text(v.data, "constant")
        return self.names[v]

    def level(self, v: Variable) -> str:
        return LEVELS[self.levels.get(v, EXACT)]

    def argument(self, k: int) -> str:
        """The array or scalar, or its place in the memory of an argument before it."""
        x = self.case.arguments[k]
        for v, other in zip(self.case.inputs[:k], self.case.arguments, strict=False):
            if np.may_share_memory(x, other):
                distance = x.ctypes.data - other.ctypes.data
                return f"p.view({self.names[v]}, {_dtype(x)}, {x.shape}, {x.strides}, {distance})"
        return array_text(x) + "[()]" * isinstance(x, np.generic)

    def graph(self, roots: Sequence[Variable]) -> Iterator[str]:
        for node in toposort(roots):
            for value in node.attrs.values():
                if isinstance(value, LoopBody) and value not in self.names:
                    yield from self.body(value)
            attrs = [f"{key}={self.attribute(value)}" for key, value in node.attrs.items()]
            operands = ", ".join([f'"{node.row.name}"', *map(self.reference, node.inputs), *attrs])
            yield f"{', '.join(self.name(v, 't') for v in node.outputs)} = op({operands})"

    def body(self, body: LoopBody) -> Iterator[str]:
        self.names[body.index] = "i"
        self.names |= {v: f"a{k}" for k, v in enumerate(body.carried)}
        self.names |= {v: f"k{k}" for k, v in enumerate(body.invariants)}
        step = self.name(body, "step")
        yield f"def {step}({', '.join(self.names[v] for v in body.parameters)}):"
        for lines in self.graph(body.expressions):
            yield indent(lines, "    ")
        following, stacked = (f"[{', '.join(map(self.reference, vs))}]" for vs in (body.next, body.stacked))
        condition = "" if body.condition is None else f", {self.reference(body.condition)}"
        yield f"    return {following}, {stacked}{condition}"
        carried, invariants = (f"[{', '.join(_type(v.type) for v in vs)}]" for vs in (body.carried, body.invariants))
        yield f"{step} = body({step}, {carried}, {invariants})"

    def attribute(self, value: Any) -> str:
        if isinstance(value, LoopBody):
            return self.names[value]
        return array_text(value) if isinstance(value, np.ndarray) else repr(value)


def _repeated(roots: Sequence[Variable]) -> list[Constant]:
    """The constants that stand in more than one place, also inside loops."""
    uses: Counter[Constant] = Counter(v for v in roots if isinstance(v, Constant))
    left = [list(roots)]
    while left:
        for node in toposort(left.pop()):
            uses.update(v for v in node.inputs if isinstance(v, Constant))
            for body in node.attrs.values():
                if isinstance(body, LoopBody):
                    uses.update(v for v in body.expressions if isinstance(v, Constant))
                    left.append(list(body.expressions))
    return [c for c, n in uses.items() if n > 1]


# -- arrays ----------------------------------------------------------------------------------------------------------
def array_text(x: Any, word: str = "array") -> str:
    """An array with its layout."""
    values = _literal(x) if x.size <= SPELT else ""
    shape = [] if values and x.size else [str(x.shape)]
    layout = []
    if x.strides != np.empty(x.shape, x.dtype).strides:
        layout.append(f"strides={x.strides}")
    if not x.flags.aligned:
        layout.append(f"shift={np.lib.array_utils.byte_bounds(x)[0] % 16}")
    if not x.flags.writeable and word == "array":
        layout.append("writeable=False")
    return f"{word}({', '.join([_dtype(x), values or _packed(x), *shape, *layout])})"


def _literal(x: Any) -> str:
    """Nested lists that give the same bits again, else nothing."""
    text = _nested(x.astype(x.dtype.newbyteorder("="))).replace("'", "")
    again = np.array(eval(text, WORDS), x.dtype)
    return text if again.tobytes() == x.tobytes() else ""


def _nested(x: Any) -> str:
    if x.ndim:
        return f"[{', '.join(map(_nested, x))}]"
    return str(x) if x.dtype == "float32" else repr(x.item())


def _packed(x: Any) -> str:
    text = pack(x)
    lines = [f'"{text[k : k + WIDTH]}"' for k in range(0, len(text), WIDTH)]
    return f"packed({lines[0]})" if len(lines) == 1 else "packed(\n" + indent("\n".join(lines), "    ") + "\n)"


def _dtype(x: Any) -> str:
    return f'"{x.dtype.name if x.dtype.isnative else x.dtype.str}"'


def _type(type: TensorType) -> str:
    return f'TensorType("{type.dtype}", {type.shape})'
