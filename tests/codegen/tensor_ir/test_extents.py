"""Lengths as polynomials: canonical, unified by what always holds, and only assumed where a call may leave code out."""

from __future__ import annotations

import random
from math import prod
from typing import Any

import pytest

from tensordsl.codegen.constructs.subtensor import _slice_bounds
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.extents import Extents, atom

A, B, C = atom("arg", 0, 0), atom("arg", 0, 1), atom("arg", 1, 0)


def test_equal_polynomials_are_equal() -> None:
    assert ex.add(A, B) == ex.add(B, A)
    assert ex.mul(ex.add(A, B), C) == ex.add(ex.mul(C, B), ex.mul(A, C))
    assert ex.sub(ex.add(A, 3), A) == 3
    assert ex.sub(A, A) == 0 and ex.mul(A, 0) == 0 and ex.mul(A, 1) == A
    assert ex.product([2, A, 3]) == ex.mul(6, A)


def test_divisions_that_come_out_even_are_done() -> None:
    assert ex.floordiv(ex.mul(6, A), 3) == ex.mul(2, A)
    assert ex.floordiv(7, 2) == 3 and ex.floordiv(7, 0) == 0
    assert ex.floordiv(A, 1) == A
    assert ex.atoms(ex.floordiv(A, 2)) == {("floordiv", A, 2), ("arg", 0, 0)}


def test_smallest_and_largest() -> None:
    assert ex.minimum(2, 3) == 2 and ex.maximum(2, 3) == 3
    assert ex.minimum(A, A) == A == ex.maximum(A, A)


def test_equations_of_sums_hold_behind_later_ones_of_their_terms() -> None:
    e = Extents()
    e.same(ex.sub(ex.minimum(A, 5), ex.minimum(B, 7)), ex.minimum(C, 2), "ends")
    e.same(ex.minimum(A, 5), ex.minimum(C, 9), "rows")
    assert e.find(ex.sub(ex.minimum(C, 9), ex.minimum(B, 7))) == e.find(ex.minimum(C, 2))
    assert e.find(ex.sub(ex.minimum(A, 5), ex.minimum(B, 7))) == e.find(ex.minimum(C, 2))


def test_lengths_that_must_be_equal_stand_for_each_other() -> None:
    e = Extents()
    e.same(A, B, "rows")
    assert e.find(A) == e.find(B)
    assert e.find(ex.mul(A, C)) == e.find(ex.mul(B, C))
    assert [(c.a, c.b, c.what) for c in e.constraints] == [(A, B, "rows")]
    e.same(B, A, "again")
    assert len(e.constraints) == 1


def test_a_number_stands_for_a_length() -> None:
    e = Extents()
    assert e.same(A, 5, "rows") == 5 and e.find(ex.add(A, 1)) == 6
    with pytest.raises(ValueError, match="columns: 5 != 6"):
        e.same(A, 6, "columns")


def test_lengths_that_are_equal_for_empty_arrays_only() -> None:
    """`x * (x[1:] - x[:-1])`: neither is computed from the other, but a whole one from the part of it."""
    for part in (A, B):
        e = Extents()
        shorter = ex.sub(A, ex.minimum(1, A))
        e.same(part, shorter, "rows")
        e.same(A, shorter, "rows")
        assert e.find(shorter) == e.find(A) == e.find(part)


def test_a_length_known_late_stands_for_none_known_before() -> None:
    e = Extents()
    late = atom("value", 7)
    e.same(A, late, "rows")
    assert e.find(late) == A and e.find(A) == A


def test_lengths_do_not_stand_for_each_other_in_a_circle() -> None:
    e = Extents()
    e.same(ex.add(A, B), C, "one")
    e.same(ex.add(C, B), A, "two")
    for length in (A, B, C, ex.add(A, C)):
        e.find(length)  # ends
    assert len(e.constraints) == 2


def test_static_ones_broadcast() -> None:
    e = Extents()
    assert e.broadcast([1, A, 1]) == A and e.broadcast([1, 1]) == 1
    assert not e.constraints
    e.broadcast([A, B])
    assert e.find(A) == e.find(B)


def test_what_is_assumed_says_nothing_about_other_code() -> None:
    e = Extents()
    e.conditional, e.node = True, 3
    assert e.same(A, B, "rows") == A and e.same(C, 4, "columns") == 4
    e.require(A, 2, "index", "ge")
    e.conditional = False
    assert not e.constraints and e.find(A) == A and e.find(B) == B and e.find(C) == C
    found = e.assumption(B, A)
    assert found is not None and (found.what, found.node) == ("rows", 3)
    assert e.assumption(A, 2, "ge") is not None and e.assumption(A, C) is None
    e.same(A, B, "always")
    assert [c.what for c in e.constraints] == ["always"] and e.find(A) == e.find(B)


def test_what_is_known_already_is_not_assumed() -> None:
    e = Extents()
    e.same(A, B, "rows")
    e.conditional = True
    e.same(A, B, "again")
    assert not e.assumed


def test_a_circle_that_a_later_constraint_closes_is_one_length() -> None:
    e = Extents()
    e.same(A, ex.mul(A, B), "one")
    e.same(B, 1, "two")
    assert e.find(A) == e.find(ex.mul(A, B)) and e.find(B) == 1


def test_long_chains_of_equal_lengths_have_one_name() -> None:
    e = Extents()
    lengths = [atom("arg", k, 0) for k in range(300)]
    for a, b in zip(lengths, lengths[1:], strict=False):
        e.same(a, b, "chain")
    assert len({e.find(n) for n in lengths}) == 1


# -- what is never negative --------------------------------------------------------------------------------------------
def test_bounds_of_slices_are_not_clipped_twice() -> None:
    low, high = ex.minimum(5, A), ex.minimum(10, A)
    assert ex.maximum(0, low) == low and ex.floordiv_sign(low) == 0
    assert ex.minimum(low, high) == low and ex.maximum(0, ex.sub(high, low)) == ex.sub(high, low)
    assert ex.minimum(low, A) == low and ex.maximum(high, A) == A
    last = ex.maximum(0, ex.sub(A, 5))
    assert ex.maximum(0, ex.sub(A, last)) == ex.sub(A, last)
    assert ex.maximum(0, ex.sub(low, high)) == 0 != ex.maximum(0, ex.sub(low, ex.minimum(B, A)))


def test_what_is_said_never_to_be_negative_never_is() -> None:
    rng = random.Random(1)
    lengths: list[Any] = [0, 1, 2, 3, 5, A, B, C]
    shown = 0
    for _ in range(3000):
        make = rng.choice((ex.add, ex.sub, ex.sub, ex.minimum, ex.maximum, ex.mul, ex.floordiv))
        new = make(rng.choice(lengths), rng.choice(lengths))
        if isinstance(new, int) or len(new.terms) < 5:
            lengths.append(new)
        if ex.is_never_negative(new):
            shown += not isinstance(new, int)
            assert all(value_at(new, n, m, k) >= 0 for n in range(4) for m in range(0, 9, 4) for k in range(0, 7, 3))
    assert shown > 100


def test_the_smaller_and_the_larger_are_what_they_are_called() -> None:
    rng = random.Random(2)
    lengths: list[Any] = [0, 1, 2, 3, 5, A, B]
    for _ in range(3000):
        made = {}
        a, b = rng.choice(lengths), rng.choice([-2, -1, *lengths])
        for make, value in ((ex.minimum, min), (ex.maximum, max), (ex.add, int.__add__), (ex.sub, int.__sub__)):
            made[make] = make(a, b)
            for n, m in ((0, 0), (1, 4), (3, 2), (9, 1)):
                want = value(value_at(a, n, m, 0), value_at(b, n, m, 0))
                assert value_at(made[make], n, m, 0) == want, (make, a, b)
        new = made[rng.choice((ex.maximum, ex.maximum, ex.minimum, ex.add, ex.sub))]
        if isinstance(new, int) or len(new.terms) < 4:
            lengths.append(new)


def test_slices_that_leave_out_as_much_are_as_long() -> None:
    def length(of: Any, start: int | None, stop: int | None) -> Any:
        return _slice_bounds(Extents(), of, start, stop, None)[1]

    def shorter(by: int) -> Any:
        return ex.maximum(0, ex.sub(A, by))

    assert length(A, 1, None) == length(A, None, -1) == shorter(1)
    assert length(A, 2, None) == length(A, 1, -1) == length(A, None, -2) == shorter(2)
    n: Any = A
    for k in range(40):  # a table of differences, or the tree of an option's prices
        assert length(n, 1, None) == length(n, None, -1) == shorter(k + 1)
        n = length(n, 1, None)
    assert length(A, 5, None) != length(A, None, 5) == length(A, -5, None) == ex.minimum(5, A)


def value_at(length: Any, n: int, m: int, k: int) -> int:
    """Its value where the lengths A, B and C are n, m and k."""
    if isinstance(length, int):
        return length
    return sum(c * prod(atom_at(x, n, m, k) for x in monomial) for monomial, c in length.terms)


def atom_at(x: Any, n: int, m: int, k: int) -> int:
    if x[0] == "arg":
        return {A: n, B: m, C: k}[atom(*x)]
    parts = [value_at(part, n, m, k) for part in x[1:]]
    operations = {"min": min, "max": max, "floordiv": lambda a, b: a // b if b else 0, "negative": lambda a: int(a < 0)}
    return int(operations[x[0]](*parts))


def test_slices_of_slices_have_short_names_and_are_compared_at_once() -> None:
    def sliced(times: int) -> Any:
        n: Any = A
        for _ in range(times):
            n = ex.maximum(ex.sub(n, 3), ex.minimum(ex.floordiv(n, 2), 5))
        return n

    assert sliced(60) == sliced(60) != sliced(61)
    assert repr(sliced(60)) == repr(sliced(60)) != repr(sliced(61)) and len(repr(sliced(60))) <= ex.LONGEST
