"""Structures of values: apart and together again, and what does not fit."""

from collections import namedtuple
from typing import Any

import pytest

from tensordsl.loops.structures import flatten, flatten_as, paths, unflatten

Pair = namedtuple("Pair", "a b")
EXAMPLES: list[Any] = [1, (), [], None, (1,), [1, (2, 3)], {"h": {"x": 1}, "c": (2, None)}, Pair(1, [2]), [[[[1]]]]]


@pytest.mark.parametrize("value", EXAMPLES, ids=repr)
def test_apart_and_together(value: Any) -> None:
    values, structure = flatten(value)
    again = unflatten(structure, values)
    assert again == value and type(again) is type(value)
    assert len(paths(structure)) == len(values)
    assert flatten_as(structure, value, "x") == values


def test_paths_are_places() -> None:
    value = {"h": (1, [2, 3]), 4: 5}
    values, structure = flatten(value)
    assert [eval(f"value{path}", {"value": value}) for path in paths(structure)] == values


@pytest.mark.parametrize(
    ("like", "value", "text"),
    [
        (0, (1, 2), r"the carry must be one value, got \(\*, \*\)"),
        (0, None, "the carry must be one value, got None"),
        ([0, (0, 0)], [1, 2], r"the carry\[1\] must be a structure like \(\*, \*\), got 2"),
        ([0, (0, 0)], [1, (2,)], r"the carry\[1\] must have 2 parts, got 1"),
        ({"a": 0}, {"b": 0}, r"the carry must have the keys \['a'\], got \['b'\]"),
        ({"a": {"b": 0}}, {"a": {"b": [0]}}, r"the carry\['a'\]\['b'\] must be one value, got \[\*\]"),
        ((None,), (1,), r"the carry\[0\] must be None, got 1"),
        ((0,), {0: 1}, r"the carry must be a structure like \(\*,\), got \{0: \*\}"),
    ],
)
def test_what_differs_is_named(like: Any, value: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        flatten_as(flatten(like)[1], value, "the carry")


def test_lists_and_tuples_are_taken_for_each_other() -> None:
    assert flatten_as(flatten((0, [0]))[1], [1, (2,)], "x") == [1, 2]
