"""Symbolic extents: canonical polynomials over run-time lengths, so that one compile serves every shape.

An extent is an int or an `Extent`: a sum of products of `Atom`s with integer coefficients.  Equal extents are equal
objects by value, so "the same length?" is `==` after `Extents.find`, a union-find over the constraints so far.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

from tensordsl.base.digests import blake2b
from tensordsl.base.records import record

# An atom is a hashable tuple:
#     ("arg", i, axis)  ("shared", i, axis)     lengths of the function's sources
#     ("value", n)                              the 0-d integer IR value number n
#     ("floordiv"|"min"|"max", a, b)            of two extents;  ("negative", a): 1 where a < 0, else 0
#     ("choice", c, a, b)                       a where c is not 0, else b: the length of a result of `ifelse`
#     ("rows", count, length, narrow, itemsize) rows of a block of a matrix (`codegen.bufferise.row_blocks`)
Atom = tuple[Any, ...]
Term = tuple[tuple[Atom, ...], int]

SHARED_AXIS = (
    "lengths of a shared axis differ (1 stretches only where the type says so: T.row, T.col, broadcastable=...)"
)


class Extent:
    """`terms`: (sorted atoms of a product, coefficient), sorted; the empty product is the constant.  Immutable.

    Equal extents are one object, also across compiles: comparing two structurally would visit shared sub-extents once
    per path, of which there are exponentially many.
    """

    __slots__ = ("terms", "_text", "__weakref__")
    terms: tuple[Term, ...]
    _text: str

    def __new__(cls, terms: tuple[Term, ...]) -> Extent:
        return _ALIVE.get(terms) or _only(object.__new__(cls), terms)

    def __reduce__(self) -> tuple[Any, ...]:
        return Extent, (self.terms,)

    def __repr__(self) -> str:
        """A long text is abbreviated: that of nested slices doubles at each level."""
        if not self._text:
            products = ([*([str(c)] if c != 1 or not m else []), *map(atom_name, m)] for m, c in self.terms)
            text = " + ".join(map("*".join, products))
            self._text = f"{text[:SHOWN]}... ({_digest(text)})" if len(text) > LONGEST else text
        return self._text


_ALIVE: WeakValueDictionary[tuple[Term, ...], Extent] = WeakValueDictionary()
_lock = allocate_lock()


def _only(made: Extent, terms: tuple[Term, ...]) -> Extent:
    """The extent of these terms: `made`, unless another thread has made one."""
    made.terms, made._text = terms, ""
    with _lock:
        return _ALIVE.setdefault(terms, made)


def _after_fork() -> None:
    global _lock
    _lock = allocate_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
Length = int | Extent
SHOWN, LONGEST = 100, 400  # characters of a text that is cut; of one that is not


def _digest(text: str) -> str:
    return str(blake2b(text.encode(), digest_size=6).hexdigest())


def atom_name(atom: Atom) -> str:
    if atom[0] == "arg":
        return f"n{atom[1]}_{atom[2]}"
    if atom[0] == "shared":
        return f"s{atom[1]}_{atom[2]}"
    return f"{atom[0]}({', '.join(map(str, atom[1:]))})"


def atom(*parts: Any) -> Extent:
    return Extent((((parts,), 1),))


@lru_cache(1 << 14)
def _text(part: tuple[Any, ...]) -> str:
    """The repr of an atom or of a product of atoms, by which they are sorted."""
    return repr(part)


def _normal(terms: Iterable[Term]) -> Length:
    total: dict[tuple[Atom, ...], int] = {}
    for monomial, coefficient in terms:
        total[monomial] = total.get(monomial, 0) + coefficient
    kept = [(m, c) for m, c in total.items() if c]
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    return Extent(tuple(sorted(kept, key=lambda term: _text(term[0])) if len(kept) > 1 else kept))


def terms_of(a: Length) -> tuple[Term, ...]:
    return a.terms if isinstance(a, Extent) else (((), a),)


def add(a: Length, b: Length) -> Length:
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    if a == 0 or b == 0:
        return b if a == 0 else a
    return _normal((*terms_of(a), *terms_of(b)))


def total(lengths: Iterable[Length]) -> Length:
    """Their sum, in order once."""
    return _normal(t for a in lengths for t in terms_of(a))


def sub(a: Length, b: Length) -> Length:
    return add(a, mul(b, -1))


def mul(a: Length, b: Length) -> Length:
    if isinstance(a, Extent):
        return _times(a, b)
    return _times(b, a) if isinstance(b, Extent) else a * b


@lru_cache(1 << 14)
def _times(a: Extent, b: Length) -> Length:
    if isinstance(b, int):
        return a if b == 1 else Extent(tuple([(m, b * c) for m, c in a.terms])) if b else 0
    return _normal((tuple(sorted((*m, *n), key=_text)), c * d) for m, c in a.terms for n, d in b.terms)


def product(lengths: Iterable[Length]) -> Length:
    result: Length = 1
    for length in lengths:
        result = mul(result, length)
    return result


def floordiv(a: Length, b: Length) -> Length:
    """a // b, 0 where b is 0; exact where b divides every term."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if b else 0
    if b == 1:
        return a
    if isinstance(b, int) and b and all(c % b == 0 for _, c in terms_of(a)):
        return _normal((m, c // b) for m, c in terms_of(a))
    return atom("floordiv", a, b)


def floordiv_sign(a: Length) -> Length:
    """1 where a < 0, else 0."""
    if isinstance(a, int):
        return int(a < 0)
    return 0 if is_never_negative(a) else atom("negative", a)


def minimum(a: Length, b: Length) -> Length:
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    for x, y in ((a, b), (b, a)):
        if is_never_negative(sub(y, x)):
            return x
    return atom("min", a, b)


def maximum(a: Length, b: Length) -> Length:
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    for x, y in ((a, b), (b, a)):
        if is_never_negative(sub(x, y)):
            return x
    for x, y in ((a, b), (b, a)):
        if isinstance(x, int) and (inner := _larger_of(y)) and inner[0] <= x:
            return maximum(x, inner[1])
    return atom("max", a, b)


def _larger_of(a: Length) -> tuple[int, Length] | None:
    """The two numbers of which `a` is the maximum, if one is an int: max(2, n) + 1 gives 3 and n + 1."""
    choices = [m[0] for m, c in terms_of(a) if c == 1 and len(m) == 1 and m[0][0] == "max"]
    more = sub(a, Extent((((choices[0],), 1),))) if choices else None
    if not isinstance(more, int):
        return None
    low, other = sorted(choices[0][1:], key=lambda x: not isinstance(x, int))
    return (low + more, add(other, more)) if isinstance(low, int) else None


@lru_cache(1 << 14)
def is_never_negative(a: Length, cases: int = 4) -> bool:
    """Whether a is provably 0 or more: a sum of products of lengths; or so in both cases of a minimum that is added or
    a maximum that is subtracted; or in one case of the opposite.  At most `cases` levels."""
    terms = [(m, c) for m, c in terms_of(a) if c]
    if all(c > 0 and all(map(_is_length, m)) for m, c in terms):
        return True
    choices = [(m[0], c) for m, c in terms if len(m) == 1 and m[0][0] in ("min", "max")]
    if not choices or not cases or len(terms) > MAX_TERMS_IN_CASES:
        return False
    both = [(x[0] == "min") == (c > 0) for x, c in choices]
    x, c = choices[max(range(len(both)), key=both.__getitem__)]
    rest = sub(a, mul(Extent((((x,), 1),)), c))
    in_case = (is_never_negative(add(rest, mul(part, c)), cases - 1) for part in x[1:])
    return all(in_case) if any(both) else any(in_case)


def _is_length(x: Atom) -> bool:
    """Whether an atom is never negative."""
    if x[0] in ("min", "max"):
        return (any if x[0] == "max" else all)(map(is_never_negative, x[1:]))
    return x[0] in _LENGTHS or (x[0] in ("choice", "floordiv") and all(map(is_never_negative, x[-2:])))


_LENGTHS = frozenset(("arg", "shared", "negative"))
MAX_TERMS_IN_CASES = 8  # of an extent whose minima and maxima are examined by cases
# Kinds of atoms that are known before the first instruction of a program.
ENTRY_ATOMS = frozenset(("arg", "shared", "stride", "floordiv", "min", "max", "choice", "negative", "rows"))


def choice(condition: Length, a: Length, b: Length) -> Length:
    """a where the condition is not 0, else b."""
    if isinstance(condition, int):
        return a if condition else b
    return a if a == b else atom("choice", condition, a, b)


def stretched(n: Length, length: Length) -> Length:
    """The length of an axis of length `n` after stretching to another length, if it is 1."""
    return choice(sub(n, 1), n, length)


@record
class Constraint:
    """a == b must hold at run time; `node`: the user's application that needs it, `what`: in words."""

    a: Length
    b: Length
    what: str
    node: int | None = field(compare=False)
    relation: str = "eq"


class Extents:
    """The algebra `Dims` over extents for one compile, with union-find over the constraints met.

    Constraints of code that always runs are checked at entry (`constraints`), and its lengths are interchangeable
    afterwards. While `conditional`, code is lowered that a call may leave out: its constraints are `assumed`, nothing
    follows from them, and each step that relies on one checks it.
    """

    def __init__(self) -> None:
        self.constraints: list[Constraint] = []
        self.conditional = False
        self.runs: Length | None = 1  # 0 in calls that leave out what is lowered, else 1; None: not known at entry
        self.since = 0  # the number of the first value of what is lowered conditionally, where `runs` is known
        self.assumed: dict[Any, Constraint] = {}
        self.fresh: list[Constraint] = []  # assumed for the application that is being lowered
        self.node: int | None = None  # the user's application that is being lowered
        self.are_usual = True  # no length of 1 stretches at run time, of those known at entry
        self.stretched: list[tuple[Length, Length]] = []  # unless the first is 1 and the second not
        self._same: dict[Atom, Length] = {}
        self._same_lengths: dict[Extent, Length] = {}
        self._equations: dict[Atom, list[Extent]] = {}  # atom -> keys of `_same_lengths` that have it as a factor
        self._found: dict[Extent, Length] = {}  # by `find`, since the last constraint
        self.ranges: dict[int, tuple[list[Length], list[Length]]] = {}  # value -> what it is at least, and at most
        self._known: set[Any] = set()
        self._values: dict[int, Length] = {}  # of IR values, by number

    # the Dims protocol; `operand` is an IR value
    def shape(self, operand: Any) -> tuple[Length, ...]:
        return tuple(operand.shape)

    def value(self, operand: Any) -> Length:
        return self.find(value_extent(operand, self._values))

    def add(self, a: Length, b: Length) -> Length:
        return add(a, b)

    def sub(self, a: Length, b: Length) -> Length:
        return sub(a, b)

    def mul(self, a: Length, b: Length) -> Length:
        return mul(a, b)

    def floordiv(self, a: Length, b: Length) -> Length:
        return floordiv(a, b)

    def minimum(self, a: Length, b: Length) -> Length:
        if self.ranges:
            for x, y in ((a, b), (b, a)):
                if self.is_never_negative(sub(y, x)):
                    return x
        return minimum(a, b)

    def maximum(self, a: Length, b: Length) -> Length:
        if self.ranges:
            for x, y in ((a, b), (b, a)):
                if self.is_never_negative(sub(x, y)):
                    return x
        return maximum(a, b)

    def same(self, a: Length, b: Length, what: str) -> Length:
        a, b = self.find(a), self.find(b)
        if a == b:
            return a
        if isinstance(a, int) and isinstance(b, int):
            raise ValueError(f"{what}: {a} != {b}")
        self.require(a, b, what)
        if self.conditional:
            return b if isinstance(b, int) else a
        self._unify(a, b)
        return self.find(a)

    def broadcast(self, dims: Sequence[Length]) -> Length:
        result: Length | None = None  # a constraint may make it 1, and it does not broadcast then
        for d in dims:
            if d != 1:
                result = d if result is None else self.same(result, d, SHARED_AXIS)
        return 1 if result is None else self.find(result)

    def stretch(self, dims: Sequence[Length]) -> Length:
        lengths = list(dict.fromkeys(d for d in map(self.find, dims) if d != 1))
        if len(lengths) < 2 or any(isinstance(d, int) for d in lengths) or self.are_agreed(lengths):
            common = next((d for d in lengths if isinstance(d, int)), lengths[0] if lengths else 1)
            for d in lengths:
                if d != common and not isinstance(common, int):
                    self.stretched.append((common, d))  # the other direction is that of `fits`
                self.fits(common, d, SHARED_AXIS)
            return self.find(common)
        common = lengths[-1]
        for d in reversed(lengths[:-1]):
            common = choice(sub(d, 1), d, common)
        for d in lengths:
            self.require(stretched(d, common), common, SHARED_AXIS)
        return common

    def fits(self, length: Length, n: Length, what: str) -> Length:
        length, n = self.find(length), self.find(n)
        if n in (1, length):
            return length
        if not isinstance(n, int) and length != 1:
            if not self.are_agreed((length, n)):
                self.require(stretched(n, length), length, what)
                return length
            self.stretched.append((n, length))
        common = self.same(n, length, what)
        return length if self.conditional else common  # so that a step finds that they differ, and checks

    def are_agreed(self, lengths: Iterable[Length]) -> bool:
        """Whether the program is made for calls in which none of these lengths stretches, which is checked at entry."""
        return self.are_usual and not named(lengths)

    # ranges of integers
    def bound(self, number: int, low: Sequence[Length] = (), high: Sequence[Length] = ()) -> None:
        """What the integer IR value of a number is at least, and at most, wherever it is computed."""
        lows, highs = self.ranges.setdefault(number, ([], []))
        lows += low
        highs += high

    def is_never_negative(self, a: Length, depth: int = 4) -> bool:
        """Whether a is provably 0 or more, by the ranges of the values that it is computed from."""
        a = self.find(a)
        if is_never_negative(a):
            return True
        if not depth or isinstance(a, int) or len(a.terms) > MAX_TERMS_IN_CASES:
            return False
        for monomial, coefficient in a.terms:
            for k, x in enumerate(monomial):
                others = (*monomial[:k], *monomial[k + 1 :])
                if x[0] != "value" or x[1] not in self.ranges or not all(map(_is_length, others)):
                    continue
                rest = sub(a, Extent(((monomial, coefficient),)))
                factor = mul(coefficient, Extent(((others, 1),)) if others else 1)
                bounds = self.ranges[x[1]][coefficient < 0]
                return any(self.is_never_negative(add(rest, mul(factor, b)), depth - 1) for b in bounds)
        return False

    def is_negative(self, a: Length) -> Length:
        """1 where a < 0, else 0."""
        return 0 if self.is_never_negative(a) else floordiv_sign(a)

    # constraints
    def require(self, a: Length, b: Length, what: str, relation: str = "eq") -> None:
        if self.ranges and self._holds(a, b, relation):
            return
        key = (a, b, relation)
        if self.conditional:
            if key not in self._known:
                self.fresh.append(Constraint(a, b, what, self.node, relation))
                self.assumed.setdefault(key, self.fresh[-1])
        elif key not in self._known:
            self._known.add(key)
            self.constraints.append(Constraint(a, b, what, self.node, relation))

    def checked(self) -> set[int]:
        """The numbers of the values that constraints are checked with."""
        lengths = [n for c in self.constraints for n in (c.a, c.b)]
        return named(lengths) | named(map(self.find, lengths))

    def _holds(self, a: Length, b: Length, relation: str) -> bool:
        """Whether a relation follows from the ranges of values."""
        if relation in ("ge", "gt"):
            a, b = b, a
        if relation not in ("le", "lt", "ge", "gt"):
            return False
        return self.is_never_negative(sub(sub(b, a), int(relation in ("lt", "gt"))))

    def require_if_run(self, a: Length, b: Length, what: str) -> None:
        """Check that two lengths are equal in calls that run the conditional code that is lowered (`runs`)."""
        assert self.runs is not None
        a, b = mul(self.runs, a), mul(self.runs, b)
        if a != b and (a, b, "eq") not in self._known:
            self._known.add((a, b, "eq"))
            self.constraints.append(Constraint(a, b, what, self.node))

    def assumption(self, a: Length, b: Length, relation: str = "eq") -> Constraint | None:
        """The assumption about two lengths."""
        return self.assumed.get((a, b, relation)) or (self.assumed.get((b, a, relation)) if relation == "eq" else None)

    def _unify(self, a: Length, b: Length) -> None:
        """Replace the length that is known later by the other: an atom wherever it occurs, else the complete extent.

        Equations of complete extents hold for what these are behind later replacements of atoms, too.
        """
        todo = [(a, b)]
        while todo:
            a, b = todo.pop()
            self._found.clear()
            own = self._replaced(a, b)
            for x in self._equations.pop(own, ()) if own is not None else ():
                pair = self._find(_substitute(x, self._same)), self._find(self._same_lengths[x])
                if pair[0] != pair[1] and not all(isinstance(n, int) for n in pair):
                    todo.append(pair)

    def _replaced(self, a: Length, b: Length) -> Atom | None:
        """Enter one replacement; the atom that it is of, if it is of one."""
        of_a, of_b = _known_when(a), _known_when(b)
        if (of_a, isinstance(a, Extent)) < (of_b, isinstance(b, Extent)):
            a, b = b, a
        pairs = [(a, b)] if of_a != of_b else [(a, b), (b, a)]
        for x, y in reversed(pairs):  # the newcomer stands for the old one: chains of equal lengths stay short
            own = single_atom(x)
            if own is not None and own not in self._below(y)[0]:
                self._same[own] = y
                return own
        for x, y in pairs:
            if isinstance(x, Extent) and x not in self._below(y)[1]:
                self._same_lengths[x] = y
                for own in dict.fromkeys(atom for monomial, _ in x.terms for atom in monomial):
                    self._equations.setdefault(own, []).append(x)
                break
        return None

    def _below(self, a: Length) -> tuple[set[Atom], set[Length]]:
        """The atoms and lengths that the value of `a` depends on, with their representatives, none of which may depend
        on `a`."""
        found: set[Atom] = set()
        seen: set[Length] = set()
        todo = [a]
        while todo:
            e = todo.pop()
            if not isinstance(e, Extent) or e in seen:
                continue
            seen.add(e)
            todo.append(_substitute(e, self._same))
            if e in self._same_lengths:
                todo.append(self._same_lengths[e])
            for monomial, _ in e.terms:
                for x in monomial:
                    found.add(x)
                    todo.extend(p for p in x[1:] if isinstance(p, Extent))
                    if x in self._same:
                        todo.append(self._same[x])
        return found, seen

    def find(self, a: Length) -> Length:
        """The representative of `a` under all constraints so far."""
        if not isinstance(a, Extent) or not (self._same or self._same_lengths):
            return a
        found = self._found.get(a)
        if found is None:
            found = self._found[a] = self._find(a)
        return found

    def _shorten(self, path: Iterable[Extent], end: Length) -> None:
        """Path compression: map each length on a path to its end."""
        for e in path:
            own = single_atom(e)
            if own is not None and own in self._same:
                self._same[own] = end

    def _find(self, a: Length) -> Length:
        seen: dict[Extent, int] = {}
        path: list[Extent] = []  # by representatives of atoms alone, which hold within other lengths, too
        while isinstance(a, Extent) and a not in seen:
            seen[a] = len(seen)
            if a in self._same_lengths:
                self._shorten(path, a)
                path, a = [], self._same_lengths[a]
            elif not self._same.keys().isdisjoint([x for m, _ in a.terms for x in m]):
                path.append(a)
                a = _substitute(a, self._same)
            else:
                self._shorten(path, a)
                return a
            if len(seen) > 10_000:  # contradictory constraints may make terms grow without bound
                return a
        if isinstance(a, Extent):  # a later constraint closed a circle (n = n * m, then m = 1): it is one length
            circle = list(seen)[seen[a] :]
            return min(circle, key=lambda e: (_known_when(e), len(e.terms), repr(e)))
        return a


def _known_when(a: Length) -> int:
    """When a length is known: -1 at entry, else with the last value that it depends on."""
    return max(named((a,)), default=-1)


def single_atom(a: Length) -> Atom | None:
    if isinstance(a, Extent) and len(a.terms) == 1 and a.terms[0][1] == 1 and len(a.terms[0][0]) == 1:
        return a.terms[0][0][0]
    return None


def _substitute(a: Extent, same: dict[Atom, Length]) -> Length:
    result: Length = 0
    for monomial, coefficient in a.terms:
        term: Length = coefficient
        for x in monomial:
            term = mul(term, same.get(x, Extent((((x,), 1),))))
        result = add(result, term)
    return result


def if_not_empty(a: Length) -> Length:
    """An offset under the assumption that the slices it belongs to are not empty: then these begin at their start."""
    if isinstance(a, int):
        return a
    ends = {x for monomial, _ in a.terms for x in monomial if x[0] in ("min", "max")}
    mixed = {x: sorted(x[1:], key=lambda part: isinstance(part, int)) for x in ends}
    known = {x: last if x[0] == "min" else first for x, (first, last) in mixed.items() if isinstance(last, int)}
    return _substitute(a, known)


def renamed(a: Length, numbers: Mapping[int, int]) -> Length:
    """`a` computed from other values, by the numbers of the old ones."""
    if not isinstance(a, Extent) or _named(a).isdisjoint(numbers):
        return a
    result: Length = 0
    for monomial, coefficient in a.terms:
        term: Length = coefficient
        for x in monomial:
            if x[0] == "value":
                term = mul(term, atom("value", numbers.get(x[1], x[1])))
            else:
                term = mul(term, atom(*(renamed(p, numbers) if isinstance(p, Extent) else p for p in x)))
        result = add(result, term)
    return result


def if_positive(a: Length) -> list[Length]:
    """What `a` is where it is positive: max(0, n) is n."""
    own = single_atom(a)
    return [a, own[2] if own[1] == 0 else own[1]] if own is not None and own[0] == "max" and 0 in own[1:] else [a]


def atoms(a: Length) -> frozenset[Atom]:
    """All atoms of an extent, those inside of composed atoms too."""
    return _atoms(a) if isinstance(a, Extent) else _NO_ATOMS


@lru_cache(1 << 14)
def known_at_entry(length: Length) -> bool:
    """Whether a length depends on the sources alone."""
    return all(a[0] in ENTRY_ATOMS for a in atoms(length))


def named(lengths: Iterable[Length]) -> set[int]:
    """The numbers of the values that lengths are computed from."""
    found: set[int] = set()
    for n in lengths:
        if isinstance(n, Extent):
            found |= _named(n)
    return found


@lru_cache(1 << 14)
def _named(a: Extent) -> frozenset[int]:
    return frozenset([x[1] for x in _atoms(a) if x[0] == "value"])


_NO_ATOMS: frozenset[Atom] = frozenset()


@lru_cache(1 << 14)
def _atoms(a: Extent) -> frozenset[Atom]:
    found: set[Atom] = set()
    todo = [a]
    while todo:
        for monomial, _ in todo.pop().terms:
            for x in monomial:
                if x not in found:
                    found.add(x)
                    todo += [p for p in x[1:] if isinstance(p, Extent)]
    return frozenset(found)


_ARITHMETIC = {"add": add, "sub": sub, "mul": mul, "minimum": minimum, "maximum": maximum}
MOST_TERMS, LARGEST_FACTOR = 400, 1 << 31  # of an expanded value


def value_extent(value: Any, known: dict[int, Length]) -> Length:
    """A 0-d integer IR value as an extent: constants, lengths and their sums, products and extrema are expanded; what
    gets too large is an atom.  `known`: earlier results, by the numbers of values."""
    stack = [value]
    while stack:
        v = stack[-1]
        parts = _parts(v)
        waiting = [o for o in parts if o.number not in known]
        if waiting and v.number not in known:
            stack += waiting
            continue
        stack.pop()
        if v.number not in known:
            known[v.number] = _computed(v, [known[o.number] for o in parts])
    return known[value.number]


def _parts(v: Any) -> tuple[Any, ...]:
    """The operands that an integer is expanded into."""
    if v.op == "map" and v.dtype == "int64":
        name = v.attrs["row"].name
        if name in _ARITHMETIC and len(v.operands) == 2:
            return tuple(v.operands)
        if name == "cast" and v.operands[0].dtype.startswith(("int", "uint", "bool")):
            return tuple(v.operands)
    return ()


def _computed(v: Any, parts: list[Length]) -> Length:
    if v.op == "const":
        return int(v.attrs["data"])
    if v.op == "extent":
        return v.attrs["extent"]  # type: ignore[no-any-return]
    if len(parts) == 1:
        return parts[0]
    if parts:
        sizes = [len(terms_of(p)) for p in parts]
        name = v.attrs["row"].name
        if (sizes[0] * sizes[1] if name == "mul" else sum(sizes)) <= MOST_TERMS:
            result = _ARITHMETIC[name](*parts)
            if all(abs(c) < LARGEST_FACTOR for _, c in terms_of(result)):
                return result
    return atom("value", v.number)
