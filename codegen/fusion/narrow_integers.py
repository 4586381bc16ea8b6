"""Integer narrowing: integers are computed in fewer bits where none of a group's numbers needs more.

Contract  a group -> an equal group, of 16- or 32-bit integers where ranges allow.
When      ranges, found from the dtypes of loads and from constants, fit; values computed from each other go together.
Why       a vector has more of them, and divides by constants without an instruction for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tensordsl.codegen.fusion.group import Group
from tensordsl.codegen.fusion.lane_states import kept_in_lanes
from tensordsl.codegen.scalar_ir.builder import COMPARISONS, INTEGERS, ITEMSIZE, SIGNED, Builder, Val, counted
from tensordsl.ops.array.reducers import MAX, MIN

Range = tuple[int, int]  # the least and the greatest number
TRUTHS: Range = (0, 1)
DIVISIONS = ("floordiv", "mod")
SHORTER = ("int16", "uint16", "int32", "uint32")
WITHOUT_SIGN = ("uint16", "int16", "uint32", "int32")  # for divisions: slower where numbers may be negative


def _of_type(dtype: str) -> Range:
    bits = 8 * ITEMSIZE[dtype]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype in SIGNED else (0, (1 << bits) - 1)


def _corners(op: Callable[[int, int], int]) -> Callable[..., Range]:
    """Of what goes up or down with each operand."""

    def result(x: Range, y: Range) -> Range:
        found = [op(a, b) for a in x for b in y]
        return min(found), max(found)

    return result


def _abs(x: Range) -> Range:
    least = 0 if x[0] <= 0 <= x[1] else min(abs(x[0]), abs(x[1]))
    return least, max(abs(x[0]), abs(x[1]))


def _bits(x: Range, y: Range) -> Range:
    """Of bitwise operations: as many bits as the longer one has, with a sign if one has it."""
    bits = max(n.bit_length() for n in (*x, *y))
    return (0 if min(x[0], y[0]) >= 0 else -(1 << bits)), (1 << bits) - 1


def _quotient(x: Range, y: Range) -> Range:
    if y[0] > 0:
        return _corners(lambda a, b: a // b)(x, y)
    most = max(abs(x[0]), abs(x[1]))
    return -most, most


def _rest(x: Range, y: Range) -> Range:
    if 0 <= x[0] and x[1] < y[0]:
        return x
    return min(y[0] + 1, 0), max(y[1] - 1, 0)


BOUNDS: Mapping[str, Callable[..., Range]] = {
    "add": _corners(int.__add__),
    "sub": _corners(int.__sub__),
    "mul": _corners(int.__mul__),
    "minimum": _corners(min),
    "maximum": _corners(max),
    "neg": lambda x: (-x[1], -x[0]),
    "abs": _abs,
    "sign": lambda x: (-1, 1),
    "and": _bits,
    "or": _bits,
    "xor": _bits,
    "floordiv": _quotient,
    "mod": _rest,
    "select": lambda condition, x, y: (min(x[0], y[0]), max(x[1], y[1])),
}


def narrowed(group: Group) -> Group:
    """The group, its integers in fewer bits, if that gives vectors more lanes; else those that are divided, in 32."""
    if not any(_is_widening(v) for v in group.scalars):
        return group
    ranges = _Ranges(group)
    if any(ranges.types.values()):
        made = ranges.group_of(group)
        if _widest(made) < _widest(group):
            return made
        ranges.keep_undivided()
    return ranges.group_of(group) if any(ranges.types.values()) else group


def _widest(group: Group) -> int:
    """Bytes of the longest numbers in a lane."""
    local = set(group.extents).difference(group.parallel)
    values = [(v.type, v.axes) for v in group.scalars if isinstance(v.type, str) and v.op not in ("const", "extent")]
    stored = [(o.buffer.type, o.map) for o in group.outs]
    types = {t for t, axes in (*values, *stored) if not local or not local.isdisjoint(axes)}
    return max(ITEMSIZE[t] for t in types.union(*(kept_in_lanes(v) for v in group.scalars if v.op == "reduce")))


def _is_widening(v: Val) -> bool:
    """True for a cast of integers, or truth values, to longer integers of 32 or 64 bits."""
    if v.op != "cast" or v.type not in INTEGERS or ITEMSIZE[v.type] <= 2:
        return False
    source = v.args[0].type
    return (source == "bool" or source in INTEGERS) and ITEMSIZE[v.type] > ITEMSIZE[source]


class _Ranges:
    """Of the values of a group: where their numbers come from, if casts change none; the ranges of these; and those
    that are computed together, as sets whose name is one of them."""

    def __init__(self, group: Group) -> None:
        self.source: dict[Val, Val] = {}
        self.range: dict[Val, Range] = {}
        self.together: dict[Val, Val] = {}
        self.hulls: dict[Val, Range] = {}
        for v in group.scalars:
            if v.type == "bool" or v.type in INTEGERS:
                self._found(v)
            if v.op in COMPARISONS and v.args[0].type in INTEGERS:
                self._joined(v)
        self.sets: dict[Val, list[Val]] = {}
        for v in self.together:
            self.sets.setdefault(self._name(v), []).append(v)
        self.types = {name: self._type(name, members) for name, members in self.sets.items()}

    def _found(self, v: Val) -> None:
        most = TRUTHS if v.type == "bool" else _of_type(v.type)
        self.source[v], self.range[v] = v, most
        if v.op == "const":
            self.range[v] = int(v.attr), int(v.attr)
        elif v.op == "cast" and v.type != "bool" and v.args[0] in self.source:
            known = self.range[v.args[0]]
            if _within(known, most):
                self.source[v], self.range[v] = self.source[v.args[0]], known
        elif v.op in BOUNDS and v.type != "bool":
            found = BOUNDS[v.op](*(self.range[self.source[a]] for a in v.args))
            self.range[v] = found if _within(found, most) else most
            if ITEMSIZE[v.type] > 2:
                self._joined(v)

    def _joined(self, v: Val) -> None:
        """An operation and its operands, those that are computed so."""
        sources = [self.source[a] for a in v.args if a.type != "bool"]
        hull = _hull([*(self.range[s] for s in sources), *([self.range[v]] if v.type != "bool" else [])])
        self.together[v], self.hulls[v] = v, hull
        for s in sources:
            if s in self.together:
                first, second = self._name(s), self._name(v)
                if first is not second:
                    self.together[second] = first
                    self.hulls[first] = _hull([self.hulls[first], self.hulls[second]])

    def _name(self, v: Val) -> Val:
        while (above := self.together[v]) is not v:
            self.together[v] = self.together[above]
            v = above
        return v

    def _type(self, name: Val, members: Sequence[Val]) -> str:
        """The dtype of a set, or "": its values keep theirs."""
        order = WITHOUT_SIGN if any(v.op in DIVISIONS for v in members) else SHORTER
        shortest = next((t for t in order if _within(self.hulls[name], _of_type(t))), "")
        sizes = [ITEMSIZE[v.args[0].type if v.type == "bool" else v.type] for v in members]
        return shortest if shortest and max(sizes) > ITEMSIZE[shortest] else ""

    def keep_undivided(self) -> None:
        """Let sets without divisions of 64 bits keep their dtypes; others have 32."""
        for name, members in self.sets.items():
            divides = any(v.op in DIVISIONS and ITEMSIZE[v.type] == 8 for v in members)
            self.types[name] = f"{self.types[name][:-2]}32" if divides and self.types[name] else ""

    def type_of(self, v: Val) -> str:
        return self.types[self._name(v)] if v in self.together else ""

    def _reduced(self, reduce: Val, v: Val) -> str:
        """The dtype in which an operand is reduced: the greatest of numbers is that in any which has one for no numbers
        besides."""
        source = self.source.get(v, v)
        dtype = self.type_of(source) if reduce.attr[0] in (MAX, MIN) else ""
        none = reduce.attr[0].identity((dtype,))[0] if dtype else 0
        return dtype if dtype and not _within((none, none), self.range[source]) else v.type

    def group_of(self, group: Group) -> Group:
        b, new = Builder(), dict[Val, Val]()

        def given(v: Val, dtype: str) -> Val:
            """The number v as a dtype."""
            source = self.source.get(v, v)
            if source.op == "const" and dtype in INTEGERS:
                return b.const(source.attr, dtype)
            return b.cast(new[source], dtype)

        for v in group.scalars:
            if self.source.get(v, v) is not v:
                continue
            dtype = self.type_of(v)
            if dtype:
                operands = [new[self.source[a]] if a.type == "bool" else given(a, dtype) for a in v.args]
                new[v] = b.make(v.op, "bool" if v.type == "bool" else dtype, operands, v.attr, v.axes)
            elif v.op == "reduce":
                reducer, operands = counted(v.attr[0], [given(a, self._reduced(v, a)) for a in v.args])
                types = tuple(a.type for a in operands)
                new[v] = b.make("reduce", types, operands, (reducer, v.attr[1]), v.axes)
            elif v.op == "result":
                (state,) = v.args
                results = new[state].attr[0].result(new[state].type)
                made = b.make("result", results[v.attr], (new[state],), v.attr, v.axes)
                new[v] = b.cast(made, v.type)
                if state.attr[0] in (MAX, MIN) and made.type != v.type:
                    none, wider = (b.const(state.attr[0].identity((t,))[0], t) for t in (made.type, v.type))
                    new[v] = b.select(b.eq(made, none), wider, new[v])
            elif v.op == "cast":
                new[v] = b.cast(new[self.source.get(v.args[0], v.args[0])], v.type)
            else:
                operands = [given(a, a.type) for a in v.args]
                new[v] = b.make(v.op, v.type, operands, v.attr, v.axes)
        outs = tuple(replace(o, value=given(o.value, o.value.type)) for o in group.outs)
        scatters = tuple(
            replace(s, position=given(s.position, s.position.type), value=given(s.value, s.value.type))
            for s in group.scatters
        )
        return Group(group.name, group.extents, group.parallel, outs, scatters)


def _within(x: Range, y: Range) -> bool:
    return y[0] <= x[0] and x[1] <= y[1]


def _hull(ranges: Sequence[Range]) -> Range:
    return min(x[0] for x in ranges), max(x[1] for x in ranges)
