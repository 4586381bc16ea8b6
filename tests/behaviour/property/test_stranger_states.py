"""Random programs with state (tools/strangers/state.py): some of a seed, and the tool itself."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from checkout import ROOT

sys.path.insert(0, str(ROOT))
from tools.strangers import driver, state, state_language  # noqa: E402
from tools.strangers.state_language import OPERATIONS, Action, Array, Function, Node, Program, Shared  # noqa: E402

FIRST = int(os.environ.get("TENSORDSL_STRANGERS", "0"))
SECONDS = 10.0


def test_programs_of_a_seed_agree_with_the_judge() -> None:
    """As many as ten seconds allow: what fails is printed as the least program."""
    seed = FIRST
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        program = state.draw(seed)
        if message := state.check(program):
            least, message = driver.shrink(program, message, state.check, state.smaller, 60)
            pytest.fail(f"seed {seed}: {message}\n{state.source(least)}")
        seed += 1


def test_a_seed_draws_one_program() -> None:
    for seed in range(20):
        assert state.source(state.draw(seed)) == state.source(state.draw(seed))


def test_a_wrong_meaning_is_found_and_shrunk_to_its_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge adds once at a position that occurs twice: two nodes, one function and one call are left."""
    right = OPERATIONS["inc"]

    def added_once(values: state_language.Values, params: tuple[object, ...]) -> np.ndarray:
        result = values[0].copy()
        result[state_language.np_index(params[0], values)] += values[1].astype(result.dtype)  # type: ignore[arg-type]
        return result

    monkeypatch.setitem(OPERATIONS, "inc", dataclasses.replace(right, value=added_once))
    for seed in range(3000):
        program = state.draw(seed)
        if any(node.op == "inc" and any(i[0] == "v" for i in node.params[0]) for node in program.nodes):
            message = state.check(program)
            if message.startswith("wrong"):
                break
    else:
        pytest.fail("no position occurs twice")
    least, message = driver.shrink(program, message, state.check, state.smaller, 120)
    least = state.pruned(least)
    assert message.startswith("wrong")
    assert sum(node.op == "inc" for node in least.nodes) == 1
    assert len(least.functions) == 1
    assert sum(action.kind == "call" for action in least.actions) == 1
    assert len(least.nodes) <= 6, state.source(least)


def program_of(outputs: tuple[tuple[int, bool], ...], updates: tuple[tuple[int, int], ...], calls: int) -> Program:
    """Two vectors, their sum, and a function of them that is called so often."""
    nodes = (
        Node("shared", (), (0,), "float64", 1, (False,)),
        Node("shared", (), (1,), "float64", 1, (False,)),
        Node("add", (0, 1), (), "float64", 1, (False,)),
    )
    shared = (Shared(0, Array("float64", (3,), 1)), Shared(1, Array("float64", (3,), 2)))
    actions = tuple(Action(k, "call", (0, ())) for k in range(calls))
    return Program(nodes, shared, (Function((), outputs, updates),), actions)


def test_the_meaning_of_updates() -> None:
    """All old values are read before the new ones are there."""
    program = program_of(((0, False), (2, True)), ((0, 1), (1, 2)), 2)
    reference = state_language.Reference(program)
    a, b = (value.copy() for value in reference.states)
    for _ in range(2):
        outcome = reference.call(0, {})
        np.testing.assert_array_equal(outcome.outputs[1], a + b)
        reference.commit(0, outcome)
        a, b = b, a + b
    np.testing.assert_array_equal(reference.states[1], b)
    assert state.check(program) == ""


def test_a_wrong_state_is_told_with_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, "add", dataclasses.replace(OPERATIONS["add"], value=lambda v, p: v[0] - v[1]))
    assert state.check(program_of((), ((1, 2),), 3)).startswith("wrong state: s1 after call 0 of f0")


def test_the_text_of_a_program_runs_by_itself() -> None:
    texts = [state.source(program) for program in map(state.draw, range(12)) if not state.check(program)]
    one = "\n\n".join(
        f"def program{k}():\n" + "".join(f"    {line}\n" for line in text.splitlines()) for k, text in enumerate(texts)
    )
    calls = "".join(f"program{k}()\n" for k in range(len(texts)))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{one}\n{calls}"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


def test_every_operation_and_action_is_drawn() -> None:
    drawn: set[str] = set()
    for seed in range(1500):
        drawn |= {node.op for node in state.draw(seed).nodes}
    assert set(OPERATIONS) - drawn == set()
    assert set(state_language.BRANCHES) <= drawn


def test_the_judge_takes_nothing_from_the_library() -> None:
    code = "import sys, tools.strangers.state_draw; sys.exit('tensordsl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
