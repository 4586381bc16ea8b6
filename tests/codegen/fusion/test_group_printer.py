"""Groups as text: each value with its axes, nothing that differs from process to process."""

from __future__ import annotations

import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.fusion.printer import show_group


def test_a_group_is_printed_with_the_axes_of_each_value() -> None:
    x = T.dmatrix("x")
    _, program, _ = make_program("f", [x], [], [T.nnet.softmax(x)], [], True)
    lines = show_group(program.plans[0].group).splitlines()
    assert lines[:4] == [
        "%0 = load v0[a0, a1]  along a0, a1",
        "%1 = reduce max over a1 of %0  along a0",
        "%2 = result 0 of %1  along a0",
        "%3 = sub %0, %2  along a0, a1",
    ]
    assert lines[-1] == "passes: over a0, a1; over a0, a1; over a0, a1"


def test_what_is_read_and_added_at_positions_is_printed() -> None:
    x, i = T.dmatrix("x"), T.lvector("i")
    _, program, _ = make_program("f", [x, i], [], [x[i].sum(1)], [], True)
    texts = "\n".join(show_group(plan.group) for plan in program.plans)
    assert "%1 = load v0[index 0, a1] at %0  along a0, a1" in texts
    y = T.dvector("y")
    _, program, _ = make_program("f", [y, i], [], [T.inc_subtensor(T.zeros((5,))[i], 2 * y)], [], True)
    texts = [show_group(plan.group) for plan in program.plans]
    assert any("] += %" in text for text in texts), texts


def test_the_debugging_text_of_groups_has_no_addresses(capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("TENSORDSL_DEBUG", "4")
    x = T.dmatrix("x")
    make_program("f", [x], [], [T.nnet.softmax(x)], [], True)
    text = capsys.readouterr().err
    assert "reduce max over a1 of %0" in text and "object at 0x" not in text
