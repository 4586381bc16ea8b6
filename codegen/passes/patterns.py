"""Rewrite rules as equations between the user's own expressions, and the matcher that applies them to tensor IR.

`Rule(name, left, right)` over pattern variables (`floats`, `integers`, ...); `RuleSet.apply` rewrites a value.  A
constant matches the same number in any dtype, behind any broadcast (the sign of zero counts); a commutative row
matches both orders.  A rule applies only where the result has the dtype of what it replaces.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.tensor_ir.construct import INC_SUBTENSOR
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.graph.types import DISCRETE, DTYPES, FLOATS, INTEGERS, SIGNED, TensorType
from tensordsl.graph.variables import Constant, Elementwise, Op, Variable, toposort
from tensordsl.ops.operands import as_variable

_KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "float": ("float64", FLOATS), "integer": ("int64", INTEGERS), "discrete": ("int64", DISCRETE),
    "signed": ("float64", (*FLOATS, *SIGNED)),
    "bool": ("bool", ("bool",)), "any": ("float64", DTYPES),
}  # fmt: skip


def _variables(kind: str, names: Iterable[str]) -> list[Any]:
    """Pattern variables; their own dtype serves only to write expressions with them."""
    made = []
    for name in names:
        v = TensorType(_KINDS[kind][0], ())(name)
        v.tag.kind = kind
        made.append(v)
    return made


def floats(*names: str) -> list[Any]:
    """Pattern variables for values of a float dtype."""
    return _variables("float", names)


def integers(*names: str) -> list[Any]:
    """Pattern variables for values of an integer dtype."""
    return _variables("integer", names)


def discretes(*names: str) -> list[Any]:
    """Pattern variables for integers and bools."""
    return _variables("discrete", names)


def signed(*names: str) -> list[Any]:
    """Pattern variables for floats and signed integers."""
    return _variables("signed", names)


def booleans(*names: str) -> list[Any]:
    """Pattern variables for bools."""
    return _variables("bool", names)


def anything(*names: str) -> list[Any]:
    """Pattern variables for values of every dtype."""
    return _variables("any", names)


@record(eq=False, slots=False)
class Rule:
    """left = right, for all values of the pattern variables.

    sole: applies only where nothing else uses the inner applications of the left side, which would otherwise be
    computed in addition to the right side.  loose: the right side is more accurate than the left one, and they need not
    agree where the left side overflows, cancels or rounds to another zero.

    >>> from tensordsl.ops.math.functions import log, log1p
    >>> (x,) = floats("x")
    >>> rules = RuleSet([Rule("log(1 + x) = log1p(x)", log(1 + x), log1p(x))])
    """

    name: str
    left: Any
    right: Any
    sole: bool = False
    loose: bool = False

    @property
    def variables(self) -> list[Any]:
        """The pattern variables, in order of their first use."""
        return [v for v in _leaves(self.left) if not isinstance(v, Constant)]


def _leaves(expression: Variable) -> list[Variable]:
    seen: dict[int, Variable] = {}
    for node in toposort([expression]):
        for v in node.inputs:
            if v.owner is None:
                seen.setdefault(id(v), v)
    return list(seen.values())


# -- compiled rules --------------------------------------------------------------------------------------------------
@record(eq=False, frozen=False)
class _Pattern:
    """One node of a left side: an application (`row`), a variable (`slot`), or a constant (`number`)."""

    row: Op | None = None
    operands: tuple[_Pattern, ...] = ()
    slot: int = -1
    dtypes: frozenset[str] = frozenset()
    number: Any = None

    @property
    def size(self) -> int:
        return 1 + sum(p.size for p in self.operands)


@record(eq=False, frozen=False)
class _Compiled:
    """A rule ready to run: `steps` make the right side; operands are numbers of slots, then of constants and steps.

    Only what has operands of these `rows`, and a number if the rule wants one, can match.
    """

    rule: Rule
    left: _Pattern
    rows: frozenset[Op]
    wants_number: bool
    slots: int
    constants: list[Any]
    steps: list[tuple[Op, tuple[int, ...], dict[str, Any]]]
    result: int


def _compile(rule: Rule) -> _Compiled:
    slots = {id(v): k for k, v in enumerate(rule.variables)}
    left = _pattern(rule.left, slots)
    right = as_variable(rule.right)
    place = dict(slots)
    constants = [v for v in (*_leaves(right), right) if isinstance(v, Constant)]
    for k, v in enumerate(constants):
        place[id(v)] = len(slots) + k
    steps = []
    for node in toposort([right]):
        assert isinstance(node.row.meaning, Elementwise), f"{rule.name}: {node.row} is no elementwise row"
        steps.append((node.row, tuple(place[id(v)] for v in node.inputs), node.attrs))
        place[id(node.outputs[0])] = len(slots) + len(constants) + len(steps) - 1
    rows = frozenset(p.row for p in left.operands if p.row is not None)
    wants_number = any(p.row is None and p.slot < 0 for p in left.operands)
    return _Compiled(rule, left, rows, wants_number, len(slots), [v.data for v in constants], steps, place[id(right)])


def _pattern(expression: Variable, slots: dict[int, int]) -> _Pattern:
    made: dict[int, _Pattern] = {}

    def leaf(v: Any) -> _Pattern:
        if isinstance(v, Constant):
            return _Pattern(number=v.data.item())
        return _Pattern(slot=slots[id(v)], dtypes=frozenset(_KINDS[v.tag.kind][1]))

    for node in toposort([expression]):
        assert isinstance(node.row.meaning, Elementwise) and not node.attrs, f"{node.row} cannot stand in a pattern"
        operands = tuple(made[id(v)] if id(v) in made else leaf(v) for v in node.inputs)
        made[id(node.outputs[0])] = _Pattern(row=node.row, operands=operands)
    return made[id(expression)]


def number_of(v: Value) -> Any:
    """The number that every element of v is, if v is a constant of one element or a broadcast of one; else None."""
    while v.op == "move":
        v = v.operands[0]
    if v.op != "const":
        return None
    data = v.attrs["data"]
    return data.item() if data.size == 1 else None


def is_zero(v: Value) -> bool:
    """Whether all bytes of v are 0."""
    while v.op == "move":
        v = v.operands[0]
    return number_of(v) is not None and not any(v.attrs["data"].tobytes())


def is_zero_at(graph: Graph, v: Value, bounds: Sequence[Any]) -> bool:
    """Whether all bytes of a slice of v are 0, since only disjoint slices of zeros were written."""
    for _ in range(graph.tuning.passes.disjoint_max_slices):
        if v.op != INC_SUBTENSOR or not are_disjoint(v.attrs["bounds"], bounds):
            break
        v = v.operands[0]
    return is_zero(v)


def are_disjoint(some: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether two slices of one tensor are known to have no element in common."""
    for (i, m, s, _), (j, n, t, _) in zip(some, others, strict=True):
        if not all(isinstance(k, int) for k in (i, j, s, t)):
            continue
        if m == n == 1 and i != j or s == t and (i - j) % s:
            return True
    return False


def _same_number(wanted: Any, v: Value) -> bool:
    found = number_of(v)
    if found is None or found != wanted:
        return False
    return bool(found) or not isinstance(found, float) or math.copysign(1, found) == math.copysign(1, wanted)


Slots = list[Value | None]


def _match(p: _Pattern, v: Value, slots: Slots, inner: list[Value]) -> bool:
    """Whether v has the form p; fills `slots`, and `inner` with the applications below the root."""
    if p.row is None:
        if p.slot < 0:
            return _same_number(p.number, v)
        known = slots[p.slot]
        if known is None and v.dtype in p.dtypes:
            slots[p.slot] = v
            return True
        return known is v
    if v.op != "map" or v.attrs["row"] is not p.row:
        return False
    inner.append(v)
    operands = v.operands
    if len(operands) == 1:
        return _match(p.operands[0], operands[0], slots, inner)
    kept = list(slots)
    if all([_match(q, o, slots, inner) for q, o in zip(p.operands, operands, strict=True)]):
        return True
    slots[:] = kept
    if not p.row.commutative:
        return False
    if _match(p.operands[0], operands[1], slots, inner) and _match(p.operands[1], operands[0], slots, inner):
        return True
    slots[:] = kept
    return False


class RuleSet:
    """Rules indexed by the row at the root of their left side, compiled when a graph first has it; longer left sides
    first."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._by_row: dict[Op, list[Rule]] = {}
        self._ready: dict[Op, list[_Compiled]] = {}
        self._found: dict[Any, list[_Compiled]] = {}
        for rule in self.rules:
            self._by_row.setdefault(rule.left.owner.row, []).append(rule)
        operands = (v for rule in self.rules for v in rule.left.owner.inputs)
        self._below = frozenset(v.owner.row for v in operands if v.owner is not None)

    def apply(self, graph: Graph, v: Value, hits: dict[str, int], users: dict[int, int]) -> Value | None:
        """What v is rewritten to, None if no rule applies.

        `hits` counts uses of rules by name; `users`: value number -> number of its users, for rules marked `sole`.
        """
        if v.op != "map" or v.attrs["row"] not in self._by_row:
            return None
        for c in self._candidates(v):
            slots: Slots = [None] * c.slots
            inner: list[Value] = []
            if not _match(c.left, v, slots, inner):
                continue
            if c.rule.sole and any(users.get(u.number, 1) > 1 for u in inner[1:]):
                continue
            w = self._right(graph, c, slots, hits, users)
            fitted = fit(graph, w, v)
            if fitted is not None:
                hits[c.rule.name] = hits.get(c.rule.name, 0) + 1
                return fitted
        return None

    def _candidates(self, v: Value) -> Sequence[_Compiled]:
        """The rules whose left side may match v, by the rows of its operands, and whether there is a number."""
        rows = self._below.intersection([o.attrs["row"] for o in v.operands if o.op == "map"])
        has_number = any([o.op != "map" and number_of(o) is not None for o in v.operands])
        key = v.attrs["row"], rows, has_number
        found = self._found.get(key)
        if found is None:
            every = self._of_row(v.attrs["row"])
            found = self._found[key] = [c for c in every if c.rows <= rows and c.wants_number <= has_number]
        return found

    def _of_row(self, row: Op) -> Sequence[_Compiled]:
        if row not in self._ready:
            self._ready[row] = sorted(map(_compile, self._by_row[row]), key=lambda c: -c.left.size)
        return self._ready[row]

    def _right(
        self, graph: Graph, c: _Compiled, slots: Sequence[Any], hits: dict[str, int], users: dict[int, int]
    ) -> Value:
        """The right side; its inner values are simplified at once, as the walk does not visit them again."""
        values: list[Value] = [*slots, *(graph.const(data) for data in c.constants)]
        last = len(c.steps) - 1
        for n, (row, operands, attrs) in enumerate(c.steps):
            w = graph.map(row, *(values[k] for k in operands), **attrs)
            if n < last:
                w = self.apply(graph, w, hits, users) or w
            values.append(w)
        return values[c.result]


def fit(graph: Graph, w: Value, v: Value) -> Value | None:
    """w with the shape of v; None if its dtype differs."""
    if w.dtype != v.dtype:
        if w.op != "const" or w.rank:
            return None
        w = graph.cast(w, v.dtype)
    if w.shape == v.shape:
        return w
    find = graph.extents.find
    if w.rank == v.rank and all(find(a) == find(b) for a, b in zip(w.shape, v.shape, strict=True)):
        return w
    return graph.broadcast_to(w, v.shape)
