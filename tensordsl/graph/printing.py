"""Texts of graphs: `pp` writes an expression on one line, `debugprint` draws the graph as a tree.

>>> import tensordsl.tensor as T
>>> foo = T.scalar("foo")
>>> pp(foo**2)
'(foo ** TensorConstant{2})'
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from itertools import islice
from typing import Any, TextIO

from tensordsl.base.records import record
from tensordsl.graph.variables import Apply, Variable, toposort, with_bodies

__all__ = ["debugprint", "min_informative_str", "pp", "pprint", "var_descriptor"]

Pieces = list["str | Variable"]

AT_ONCE = 1000  # lines that are written together
LEVELS = 100  # of a tree, drawn by bars or spaces; of deeper lines the number of levels before these is given
PP_LIMIT = 1_000_000  # characters; a graph that shares much can have an expression exponentially longer than itself


# -- one variable, one op --------------------------------------------------------------------------------------------
def variable_text(variable: Variable) -> str:
    """The name, the constant, `add.0` for a result, or the type of an anonymous variable."""
    if variable.name or variable.owner is None:
        return repr(variable)
    return f"{op_text(variable.owner)}.{variable.index}"


_TITLES = {"cast": "Cast", "reshape": "Reshape", "subtensor": "Subtensor"}
# Shown otherwise, or noise.
_QUIET = {"axis", "acc_dtype", "index", "body", "loop", "message", "attrs_names", "dtype", "ndim", "types"}


def op_text(node: Apply) -> str:
    """The op of `node` with its attributes: `dot`, `Sum{axis=[0], acc_dtype=float64}`, `InplaceDimShuffle{x,0}`."""
    op, attrs = node.row, node.attrs
    title = op.print_name or _TITLES.get(op.name, op.name)
    if op.name == "dimshuffle":
        return f"InplaceDimShuffle{{{','.join(map(str, attrs['order']))}}}"
    if op.name == "cast":
        return f"{title}{{{node.outputs[0].type.dtype}}}"
    if op.name == "reshape":
        return f"{title}{{{node.outputs[0].type.ndim}}}"
    if op.name == "subtensor":
        return f"{title}{{{index_text(node, lambda v: v.type.dtype)}}}"
    if "body" in attrs:
        return title if attrs["body"].name == title else f"{title}{{{attrs['body'].name}}}"
    parts = []
    axis = attrs.get("axis")
    if isinstance(axis, tuple):
        if len(axis) != node.inputs[0].type.ndim:
            parts.append("axis=[" + ", ".join(map(str, axis)) + "]")
    elif axis is not None:
        parts.append(f"axis={axis}")
    if op.name in ("sum", "prod"):
        parts.append(f"acc_dtype={attrs['acc_dtype']}")
    parts += [
        f"{name}={value!r}"
        for name, value in attrs.items()
        if name not in _QUIET and isinstance(value, bool | int | float | str | tuple)
    ]
    return f"{title}{{{', '.join(parts)}}}" if parts else title


def index_text(node: Apply, show: Callable[[Variable], str], first_int: int = 1) -> str:
    """The index of a subtensor node as the user wrote it: `0, 1:n, ::-1`."""
    return "".join([show(p) if isinstance(p, Variable) else p for p in _index_pieces(node, first_int)])


def _index_pieces(node: Apply, first_int: int = 1) -> Pieces:
    def entry(value: Any) -> Pieces:
        if value is None:
            return []
        return [node.inputs[first_int + value[1]]] if isinstance(value, tuple) else [str(value)]

    pieces: Pieces = []
    for k, (kind, *values) in enumerate(node.attrs["index"]):
        pieces += [", "] if k else []
        if kind == "slice":
            start, stop, step = values
            pieces += [*entry(start), ":", *entry(stop), *([":", *entry(step)] if step not in (None, 1) else [])]
        else:
            pieces += entry(values[0]) if kind == "int" else entry((kind, *values))
    return pieces


# -- pp --------------------------------------------------------------------------------------------------------------
def _pieces(node: Apply, index: int) -> Pieces:
    """Output `index` of `node` as text with variables where operands stand."""
    name, inputs = node.row.name, list(node.inputs)
    symbol = node.row.symbol
    if symbol and len(inputs) == 1:
        return ["(" + symbol, inputs[0], ")"]
    if symbol:
        return ["(", *_joined(inputs, f" {symbol} "), ")"]
    if name == "abs":
        return ["|", inputs[0], "|"]
    if name == "dimshuffle":
        return _dimshuffle_pieces(node)
    if name == "subtensor":
        return [inputs[0], "[", *_index_pieces(node), "]"]
    if name == "shape_i":
        return [inputs[0], f".shape[{node.attrs['axis']}]"]
    suffix = f".{index}" if len(node.outputs) > 1 else ""
    return [op_text(node), "(", *_joined(inputs, ", "), ")", suffix]


def _dimshuffle_pieces(node: Apply) -> Pieces:
    """Leading new axes are left out, a full reversal is `.T`, as in Theano."""
    order = list(node.attrs["order"])
    while order and order[0] == "x":
        order.pop(0)
    axes = list(range(node.inputs[0].type.ndim))
    if order == axes:
        return [node.inputs[0]]
    if order == axes[::-1]:
        return [node.inputs[0], ".T"]
    return [f"DimShuffle{{{', '.join(map(str, order))}}}(", node.inputs[0], ")"]


def _joined(variables: Sequence[Variable], separator: str) -> Pieces:
    pieces: Pieces = []
    for position, variable in enumerate(variables):
        pieces += [separator, variable] if position else [variable]
    return pieces


def pp(variable: Any, limit: int = PP_LIMIT) -> str:
    """The expression of `variable` (or of a function's outputs) on one line, cut after about `limit` characters.

    >>> import tensordsl.tensor as T
    >>> pp(T.exp(T.scalar("x") ** 2))
    'exp((x ** TensorConstant{2}))'
    """
    if not isinstance(limit, int):
        raise TypeError(f"pp: limit must be an integer, got {limit!r}")
    if limit > 10 * PP_LIMIT:
        raise ValueError(f"pp: limit must not be above {10 * PP_LIMIT}, got {limit}")
    spec = getattr(variable, "spec", None)
    if spec is not None:
        texts = [pp(output, limit) for output in spec.outputs]
        return texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    written: list[str] = []
    length = 0
    stack: Pieces = [variable]
    while stack:
        piece = stack.pop()
        if isinstance(piece, Variable):
            is_leaf = piece.owner is None or (piece.name and piece is not variable)
            if not is_leaf and piece.owner is not None:
                stack += reversed(_pieces(piece.owner, piece.index))
                continue
            piece = variable_text(piece)
        elif not isinstance(piece, str) or piece is variable:
            raise TypeError(f"pp: wants a variable or a compiled function, got {variable!r}")
        written.append(piece)
        length += len(piece)
        if length > limit:
            return "".join(written) + " ... (the rest is left out: use debugprint)"
    return "".join(written)


pprint = pp


# -- debugprint ------------------------------------------------------------------------------------------------------
def debugprint(
    obj: Any,
    depth: int = -1,
    print_type: bool = False,
    file: TextIO | str | None = None,
    ids: str = "CHAR",
    stop_on_name: bool = False,
    done: Any = None,
    print_storage: bool = False,
    **_: Any,
) -> Any:
    """Draw the graph of a variable, a list of variables, an Apply or a compiled function as a tree.

    A node that appears again is named without what is below it.  Behind the graph come, each once, the inner graphs of
    its loops: their results, with what is made of each, and of their parameters what they stand for.  Lines are written
    one after the other; those deeper than 100 levels begin with the number of the levels whose bars they leave out, so
    that the text of a graph is no longer than its nodes are many.

    Parameters
    ----------
    depth : levels to draw; -1: all.
    print_type : add the types.
    file : where to write (default: stdout); "str" returns the text.
    ids : "CHAR": each variable has a letter, by which a node that appears again is known; "int": a number; "": nothing.
    stop_on_name : do not go below a variable that has a name.
    """
    if ids not in ("CHAR", "int", "id", "auto", ""):
        raise ValueError(f'debugprint: ids must be "CHAR", "int", "id", "auto" or "", got {ids!r}')
    roots, order = _roots(obj)
    drawing = _Drawing(order, depth, print_type, ids, stop_on_name)
    lines = (line + "\n" for line in drawing.lines(roots))
    if file == "str":
        return "".join(lines)
    write = (sys.stdout if file is None else file).write  # type: ignore[union-attr]  # of a str: AttributeError is right
    while text := "".join(islice(lines, AT_ONCE)):
        write(text)
    return file


def _roots(obj: Any) -> tuple[list[tuple[Variable, str]], dict[int, int]]:
    """The variables to draw with a note each, and the toposort indices of a function's nodes."""
    spec = getattr(obj, "spec", None)
    if spec is not None:
        roots = [(v, "") for v in spec.outputs] + [(v, f"update of {s}") for s, v in spec.updates]
        nodes = with_bodies(toposort([v for v, _ in roots], stop=spec.inputs))
        return roots, {id(node): position for position, node in enumerate(nodes)}
    if isinstance(obj, Variable):
        return [(obj, "")], {}
    if isinstance(obj, Apply):
        return [(obj.outputs[0], "")], {}
    if hasattr(obj, "apply_nodes"):
        return _roots(obj.outputs)
    if isinstance(obj, Iterable) and not isinstance(obj, str):
        return [root for one in obj for root in _roots(one)[0]], {}
    raise TypeError(f"debugprint: cannot print an object of type {type(obj).__name__}")


@record(eq=False, frozen=False)
class _Drawing:
    """What `debugprint` draws: nodes by their labels, the loops among them, and parameters of loops with their texts
    and what they stand for."""

    order: dict[int, int]
    depth: int
    print_type: bool
    ids: str
    stop_on_name: bool
    labels: dict[int, str] = field(default_factory=dict)
    loops: list[Apply] = field(default_factory=list)
    parameters: dict[int, tuple[str, Variable | None]] = field(default_factory=dict)

    def lines(self, roots: Iterable[tuple[Variable, str]]) -> Iterator[str]:
        for root, note in roots:
            yield from self.tree(root, note)
        if self.loops:
            yield from ("", "Inner graphs:")
        for loop in self.loops:  # grows while inner graphs are drawn
            body = loop.attrs["body"]
            self.parameters.update(_parameters(loop))
            yield ""
            yield f"{op_text(loop)} {self.labels[id(loop)]}".rstrip() + " ''"
            notes = [f"the next {self.parameters[id(v)][0]}" for v in body.carried]
            for root, note in zip(
                body.expressions, [*notes, *("stacked" for _ in body.stacked), "until"], strict=False
            ):
                yield from self.tree(root, note, " >")

    def tree(self, root: Variable, note: str, start: str = "") -> Iterator[str]:
        """The lines of one tree; a node drawn before is named again without what is below it."""
        stack = [(root, start, start, 0, note)]
        while stack:
            variable, prefix, below, level, note = stack.pop()
            node = variable.owner
            key = id(node) if node is not None else id(variable)
            is_known = key in self.labels
            shown = self.label(key)
            if self.print_type:
                shown += f" <{variable.type}>"
            note = f" ({note})" if note else ""
            prefix = _shortened(prefix, level)
            if node is None:
                yield f"{prefix}{self.leaf(variable, shown)}{note}"
                continue
            output = f".{variable.index}" if len(node.outputs) > 1 else ""
            position = f" {self.order[id(node)]}" if id(node) in self.order else ""
            yield f"{prefix}{op_text(node)}{output}{shown} '{variable.name or ''}'  {position}{note}"
            if not is_known and "body" in node.attrs:
                self.loops.append(node)
            if is_known or level + 1 == self.depth or (self.stop_on_name and variable.name):
                continue
            last, bar = len(node.inputs) - 1, (below + " |")[-2 * LEVELS :]
            for i in range(last, -1, -1):
                deeper = (below + "  ")[-2 * LEVELS :] if i == last else bar
                stack.append((node.inputs[i], bar, deeper, level + 1, ""))

    def label(self, key: int) -> str:
        label = self.labels.setdefault(key, _label(len(self.labels), key, self.ids))
        return f" {label}" if label else ""

    def leaf(self, variable: Variable, shown: str) -> str:
        """A variable without owner; of a loop's parameter what it stands for, as `h[t-1] [id C] -> [id A]`."""
        if id(variable) not in self.parameters:
            return f"{variable_text(variable)}{shown}"
        text, outer = self.parameters[id(variable)]
        if outer is None:
            return f"{text}{shown}"
        key = id(outer.owner) if outer.owner is not None else id(outer)
        return f"{text}{shown} -> {self.labels.get(key) or variable_text(outer)}"


def _parameters(loop: Apply) -> dict[int, tuple[str, Variable | None]]:
    """Texts of a loop's parameters, by id, and the operands that they stand for."""
    body, operands = loop.attrs["body"], loop.inputs[1:]
    found: dict[int, tuple[str, Variable | None]] = {id(body.index): (body.index.name or "round", None)}
    for k, (v, outer) in enumerate(zip((*body.carried, *body.invariants), operands, strict=True)):
        unnamed = f"state {k}" if k < len(body.carried) else variable_text(outer)
        found[id(v)] = v.name or unnamed, outer
    return found


def _shortened(prefix: str, level: int) -> str:
    """What stands before a line at a level, of whose prefix there are only the last levels."""
    return prefix if level <= LEVELS else f" ...{level - LEVELS}...{prefix}"


def _label(count: int, key: int, ids: str) -> str:
    if ids == "":
        return ""
    if ids in ("int", "id", "auto"):
        return f"[id {key if ids == 'id' else count}]"
    return f"[id {letters(count)}]"


def letters(number: int) -> str:
    """A, B, ..., Z, BA, BB, ...: base 26."""
    text = chr(ord("A") + number % 26)
    while number := number // 26:
        text = chr(ord("A") + number % 26) + text
    return text


class _TagGenerator:
    """The letters of printed graphs, one after the other."""

    def __init__(self) -> None:
        self._count = 0

    def get_tag(self) -> str:
        self._count += 1
        return letters(self._count - 1)


def var_descriptor(obj: Variable) -> str:
    """One line that says how `obj` is computed."""
    return pp(obj)


def min_informative_str(obj: Variable, indent_level: int = 0) -> str:
    """The graph of `obj`, one variable a line, indented; a variable that appears again is given by its letter."""
    if not isinstance(obj, Variable):
        raise TypeError(f"min_informative_str: wants a variable, got {obj!r}")
    if not isinstance(indent_level, int) or not 0 <= indent_level <= 1000:
        raise ValueError(f"min_informative_str: indent_level must be an integer from 0 to 1000, got {indent_level!r}")
    tags: dict[int, str] = {}
    lines = []
    stack = [(obj, indent_level)]
    while stack:
        variable, level = stack.pop()
        indent = _shortened(" " * min(level, LEVELS), level)
        if id(variable) in tags:
            lines.append(f"{indent}<{tags[id(variable)]}>")
            continue
        tag = tags[id(variable)] = letters(len(tags))
        node = variable.owner
        is_leaf = node is None or bool(variable.name)
        lines.append(f"{indent}{tag}. {variable_text(variable) if is_leaf or node is None else op_text(node)}")
        if node is not None and not is_leaf:
            stack += [(v, level + 1) for v in reversed(node.inputs)]
    return "\n".join(lines)
