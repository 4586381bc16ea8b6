"""Random programs with matrices and draws (tools/strangers/matrices.py): some of a seed, and the tool itself."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from checkout import ROOT

sys.path.insert(0, str(ROOT))
from tools.strangers import driver, matrices  # noqa: E402
from tools.strangers.matrix_rows import ROWS  # noqa: E402

FIRST = int(os.environ.get("TENSORDSL_STRANGERS", "0"))
SECONDS = 10.0


def test_programs_of_a_seed_agree_with_the_judge() -> None:
    """As many as ten seconds allow: what fails is printed as the least program."""
    seed = FIRST
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        program = matrices.draw(seed)
        if message := matrices.check(program):
            least, message = driver.shrink(program, message, matrices.check, matrices.smaller, 60)
            pytest.fail(f"seed {seed}: {message}\n{matrices.source(least)}")
        seed += 1


def test_a_seed_draws_one_program() -> None:
    for seed in range(20):
        assert matrices.source(matrices.draw(seed)) == matrices.source(matrices.draw(seed))


def planted(program: matrices.Program) -> matrices.Program | None:
    """The program with a mistake in the judge's text of one step, or None if it has no such step."""
    for k, node in enumerate(program.nodes):
        if node.text == "LA.inv({0})" and not node.types[0].batch:
            wrong = replace(node, judge="np.linalg.inv({0}) * 1.001")
            return replace(program, nodes=(*program.nodes[:k], wrong, *program.nodes[k + 1 :]))
    return None


def test_a_planted_mistake_is_found_and_shrunk_to_its_step() -> None:
    found = 0
    for seed in range(400):
        program = planted(matrices.draw(seed))
        if program is None or len(program.nodes) < 3:
            continue
        message = matrices.check(program)
        if not message.startswith("wrong value"):
            continue
        least, message = driver.shrink(program, message, matrices.check, matrices.smaller, 60)
        assert message.startswith("wrong value")
        assert [node.text for node in least.nodes] == ["LA.inv({0})"]
        assert len(least.inputs) == len(least.reads) == len(least.calls) == 1
        found += 1
        if found == 3:
            return
    pytest.fail("no program with an inverse")


@pytest.mark.parametrize("kind", ["grad", "second", "rop", "jacobian"])
def test_a_wrong_derivative_is_found(kind: str) -> None:
    """The judge differs from the program by what has another derivative."""
    square = matrices.Type("M", ("n", "n"))
    for text, is_right in (("X.sin({0})", True), ("X.sin({0} * 1.0001)", False)):
        node = matrices.Node("X.sin({0})", text, ("x1",), ("x2",), (square,))
        cost = "X.sum({0} ** 2)" if kind in ("grad", "second") else "{0}"
        program = matrices.Program(
            0, (matrices.Input("x1", square, "float64", "general"),), (node,), (),
            (matrices.Derivative(kind, "x2", cost, ("x1",)),), (), (matrices.Call((("n", 3),), 1),),
        )  # fmt: skip
        assert matrices.check(program).startswith(f"wrong {kind}") != is_right


def test_what_has_a_derivative_to_each_side_is_told_from_what_curves() -> None:
    for function, gap in (
        (np.abs, 2.0),
        (lambda x: np.maximum(x, 3 * x), 2.0),
        (np.exp, 0.0),
        (lambda x: 50 * x**2, 0.0),
    ):

        def at(*moves: Any, function: Any = function) -> Any:
            return function(np.array([sum(delta["x"] * step for delta, step in moves)], float))

        assert abs(matrices.gap_of_sides(at, {"x": np.array(1.0)}) - gap) < 1e-6


def test_the_text_of_a_program_runs_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(12):
        program = matrices.draw(seed)
        if not matrices.has_draws(program) and all(not c.damage for c in program.calls):
            small = replace(program, calls=program.calls[:1])
            if not any(i.role == "shared" for i in small.inputs):
                exec(compile(matrices.source(small), "source", "exec"), {})
    assert capsys.readouterr().out


def test_every_row_is_drawn() -> None:
    drawn: set[Any] = {node.text for seed in range(700) for node in matrices.draw(seed).nodes}
    missing = [row.text for row in ROWS if row.text not in drawn]
    assert len(missing) < len(ROWS) / 3, missing
