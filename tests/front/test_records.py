"""Records are what frozen dataclasses with slots are, but for what refuses assignments."""

from __future__ import annotations

import copy
import pickle
import threading
from dataclasses import dataclass, field, fields, replace

import pytest

from tensordsl.base.records import kept, record


@record
class Point:
    """A place."""

    x: float
    y: float = 0.0
    name: str = field(default="", compare=False, repr=False)


@record
class Marked(Point):
    marks: tuple[str, ...] = ()


@record
class Alone:
    value: float


@record
class Nothing:
    pass


@record(eq=False)
class Thing:
    value: int


@dataclass(frozen=True, slots=True)
class Usual:
    x: float
    y: float = 0.0


def test_fields_decide_what_is_equal() -> None:
    assert Point(1, 2) == Point(1, 2, "other") != Point(1, 3)
    assert Point(1, 2) != Marked(1, 2) == Marked(1, 2, "other") != Marked(1, 2, "", ("m",))
    assert Point(1, 2) != Usual(1, 2) and Point(1, 2) != (1, 2)
    assert len({Point(1, 2), Point(1, 2), Marked(1, 2), Alone(1), Alone(1), Nothing(), Nothing()}) == 4
    nan = float("nan")
    assert Alone(nan) == Alone(nan) and Point(nan) == Point(nan)  # the same object, as in tuples
    thing = Thing(1)
    assert thing == thing != Thing(1) and len({thing, Thing(1)}) == 2


def test_they_print_as_dataclasses_do() -> None:
    assert repr(Point(1, 2, "p")) == repr(Usual(1, 2)).replace("Usual", "Point") == "Point(x=1, y=2)"
    assert repr(Marked(1, marks=("m",))) == "Marked(x=1, y=0.0, marks=('m',))"
    assert (repr(Alone(1)), repr(Nothing()), repr(Thing(2))) == ("Alone(value=1)", "Nothing()", "Thing(value=2)")
    assert Point.__doc__ == "A place."


@pytest.mark.parametrize("value", [Point(1, 2), Marked(1, 2, "n", ("m",)), Alone(3.0), Nothing()])
def test_they_are_replaced_copied_and_pickled(value: object) -> None:
    for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value)), replace(value)):
        assert other == value and hash(other) == hash(value) and repr(other) == repr(value)
    assert not hasattr(value, "__dict__")


def test_fields_are_known_and_matched() -> None:
    assert [f.name for f in fields(Marked)] == ["x", "y", "name", "marks"]
    assert replace(Point(1, 2), y=5) == Point(1, 5)
    match Marked(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)


def test_a_thread_computes_a_kept_property_while_another_one_does():
    begun, may_end = threading.Event(), threading.Event()

    class Kept:
        is_slow = False

        @kept
        def value(self):
            if self.is_slow:
                begun.set()
                may_end.wait(10)
            return [self]

    slow, fast = Kept(), Kept()
    slow.is_slow = True
    thread = threading.Thread(target=lambda: slow.value)
    thread.start()
    begun.wait(10)
    other = threading.Thread(target=lambda: fast.value, daemon=True)
    other.start()
    other.join(10)
    assert not other.is_alive() and fast.value is fast.value and thread.is_alive()
    may_end.set()
    thread.join()


def test_a_record_that_says_nothing_of_itself_has_its_name() -> None:
    assert (Point.__doc__, Alone.__doc__) == ("A place.", "Alone")  # no signature, which takes long to write
