"""Functions that random ones found to be compiled wrongly once, and the text that keeps them."""

from __future__ import annotations

import inspect
from typing import Any

import expressions
import numpy as np
import pytest
from agreement import reference
from drawn import Case, Program
from expressions import Maker
from hypothesis import given
from hypothesis import strategies as st
from pinned import groups, layouts, lengths, rounding, special, storage
from program_text import describe, read

import tensordsl.tensor as T

PINNED = {
    f"{module.__name__.split('.')[-1]}-{name}": write
    for module in (lengths, groups, layouts, storage, rounding, special)
    for name, write in inspect.getmembers(module, inspect.isfunction)
    if write.__module__ == module.__name__
}


@pytest.mark.parametrize("name", PINNED)
def test_once_wrong(name: str) -> None:
    program = Program(PINNED[name])
    expressions.check(program.case, program.level)


@pytest.mark.parametrize("name", PINNED)
def test_pinned_text_is_what_a_failure_would_print(name: str) -> None:
    write = PINNED[name]
    program = Program(write)
    text = inspect.getsource(write).replace(f'    """{write.__doc__}"""\n', "")
    assert describe(program.case, program.level, write.__name__) == text.rstrip()


@given(st.randoms(use_true_random=False), st.booleans())
def test_text_gives_the_same_program_again(source: Any, special: bool) -> None:
    maker = Maker(lambda n: source.randrange(n), special)
    maker.rng = np.random.default_rng(source.randrange(1 << 30))
    case = maker.make()
    text = describe(case, maker.level)
    again = read(text)
    assert describe(again.case, again.level) == text
    assert _facts(again.case) == _facts(case)


def _facts(case: Case) -> list[Any]:
    """Types, bytes and layouts of arguments, which of them share memory, and the results by the oracles."""
    arguments = [(type(a), a.dtype.str, a.shape, a.strides, a.flags.aligned, a.flags.writeable) for a in case.arguments]
    full = [a for a in case.arguments if a.size and isinstance(a, np.ndarray)]
    sharing = [[np.may_share_memory(a, b) for a in full] for b in full]
    types = [v.type for v in (*case.inputs, *case.shared, *case.results)]
    with np.errstate(all="ignore"):
        results, values = reference(case)
    return [
        types,
        arguments,
        sharing,
        *(x.tobytes() for x in values.values()),
        *(np.asarray(x).tobytes() for x in results),
    ]


def test_a_failure_carries_the_program() -> None:
    x = T.dvector("x")
    case = Case([x], [np.array([1.0, -0.0])], [], [x + x])
    with pytest.raises(AssertionError) as caught, pytest.MonkeyPatch.context() as patch:
        patch.setattr("agreement.call", lambda case, f, first: [np.array([2.0, 1.0])])
        expressions.check(case, {})
    (note,) = caught.value.__notes__
    assert note == (
        "def found(p: Program) -> None:\n"
        '    x0 = p.argument(TensorType("float64", (None,)), array("float64", [1.0, -0.0]))\n'
        '    t0 = op("add", x0, x0)\n'
        "    p.output(t0)"
    )
