"""The key of a user's graph: bytes that are equal for graphs that compile to the same code, in any process.

Ops by their rows, variables by position, constants by their bytes.  A graph that holds a user's callable has no key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.variables import Apply, Constant, Kernel, Variable, toposort

LARGE_BYTES = 1 << 10  # of a constant that the text has by number


def graph_key(
    inputs: Sequence[Variable], shared: Sequence[Variable], roots: Sequence[Variable]
) -> tuple[str | bytes, ...] | None:
    """The graph's text and the bytes of its large constants, or None if these do not determine it."""
    writer = _Writer()
    for v in (*inputs, *shared):
        writer.declare(v)
    writer.texts.append(f"|{len(inputs)}|{len(shared)}|")
    if not writer.graph(roots):
        return None
    return "".join(writer.texts), *writer.arrays


class _Writer:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.number: dict[int, int] = {}
        self.arrays: list[bytes] = []

    def declare(self, v: Variable) -> None:
        self.number.setdefault(id(v), len(self.number))
        self.texts.append(f"{v.type.dtype}{v.type.shape};")

    def reference(self, v: Variable) -> int:
        known = self.number.get(id(v))
        if known is None:
            known = self.number[id(v)] = len(self.number)
            if isinstance(v, Constant):
                data = np.asarray(v.data)
                if data.nbytes > LARGE_BYTES:
                    self.arrays.append(data.tobytes())
                    self.texts.append(f"c{v.type.dtype}{data.shape}#{len(self.arrays)};")
                else:
                    self.texts.append(f"c{v.type.dtype}{data.shape}{data.tobytes().hex()};")
            else:
                self.texts.append(f"f{v.type.dtype}{v.type.shape};")
        return known

    def graph(self, roots: Sequence[Variable]) -> bool:
        for node in toposort(roots):
            if not self.apply(node):
                return False
        self.texts.append("r" + ",".join(str(self.reference(v)) for v in roots) + "|")
        return True

    def apply(self, node: Apply) -> bool:
        meaning = node.row.meaning
        if isinstance(meaning, Kernel) and meaning.calls_python:
            return False
        operands = ",".join([str(self.reference(v)) for v in node.inputs])
        attrs = []
        for name, value in node.attrs.items():
            text = self.attribute(value)
            if text is None:
                return False
            attrs.append(f"{name}={text}")
        self.texts.append(f"{node.row.name}({operands}){{{','.join(attrs)}}}")
        for v in node.outputs:
            self.number[id(v)] = len(self.number)
        return True

    def attribute(self, value: Any) -> str | None:
        if value is None or isinstance(value, (bool, int, str)):
            return repr(value)
        if isinstance(value, float):
            return value.hex()
        if isinstance(value, (tuple, list)):
            items = [self.attribute(x) for x in value]
            return None if None in items else f"({','.join(map(str, items))})"
        if isinstance(value, (np.ndarray, np.generic)):
            array = np.asarray(value)
            return f"a{array.dtype}{array.shape}{array.tobytes().hex()}"
        return self.body(value)

    def body(self, value: Any) -> str | None:
        """A loop's body: its parameters, then its graph."""
        if not hasattr(value, "carried") or not hasattr(value, "stacked"):
            return None
        outer, self.texts = self.texts, []
        for v in (value.index, *value.carried, *value.invariants):
            self.declare(v)
        complete = self.graph(value.expressions)
        inner, self.texts = self.texts, outer
        counts = f"{len(value.carried)},{len(value.invariants)},{len(value.next)},{len(value.stacked)}"
        return f"[{counts}:{''.join(inner)}]" if complete else None
