"""tools/strangers: the driver reports and shrinks what fails, the references stand alone, and some programs run.

`TENSORDSL_STRANGERS` is the first seed of the programs that run here, else 0; `.ci/run` runs some of fresh seeds, too.
"""

from __future__ import annotations

import ast
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.strangers import driver, loop_judge, loops, matrices  # noqa: E402
from tools.strangers.loop_language import (  # noqa: E402
    OPS,
    Call,
    Input,
    Let,
    Loop,
    Op,
    Program,
    Result,
    Sequence,
    Type,
    data,
    evaluate,
    program_text,
    walk,
)

FIRST = int(os.environ.get("TENSORDSL_STRANGERS", "0"))
GENERATORS = ("loops",)
SECONDS = 10


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment, timeout=300)


@pytest.mark.parametrize("name", GENERATORS)
def test_programs_of_a_seed_find_nothing(name: str) -> None:
    done = run(f"tools.strangers.{name}", str(FIRST), "10000", "--seconds", str(SECONDS))
    assert done.returncode == 0, f"python -m tools.strangers.{name} {FIRST} 10000\n{done.stdout}\n{done.stderr}"
    assert " 0 findings of 0 kinds" in done.stdout


def test_wrong_values_crashes_and_endless_programs_are_reported_and_shrunk() -> None:
    done = run("toy_strangers", "0", "61", "--limit", "1", "--features")
    assert done.returncode == 1
    assert "--- seed 10\nwrong value: 10\n\ntoy([10])" in done.stdout
    assert "--- seed 19\nwrong value: 10\n\ntoy([10])" in done.stdout
    assert "--- seed 50\nprocess ended: status -6" in done.stdout
    assert "toy([50])" in done.stdout
    assert "--- seed 60\ntoo slow: more than 1 seconds\n\ntoy([60])" in done.stdout
    assert "     2 wrong value: #: seeds [10, 19]" in done.stdout
    assert "      29 even" in done.stdout  # those that ended the process have no words
    assert "61/61 programs" in done.stdout


def test_blocks_of_seeds_have_their_environments() -> None:
    done = run("toy_strangers", str(driver.BLOCK), "9")
    assert f"--- seed {driver.BLOCK + 7} TOY=1\nwrong toy: seven\n\ntoy([7])" in done.stdout
    assert run("toy_strangers", "0", "9").returncode == 0


def test_programs_are_the_same_in_every_process() -> None:
    shown = [run("tools.strangers.loops", "3", "4", "--show").stdout for _ in range(2)]
    assert shown[0] == shown[1] == "".join(f"# seed {s}\n{loops.source(loops.draw(s))}\n\n" for s in range(3, 7))


@pytest.mark.parametrize("module", ["driver", "loops", "loop_language", "loop_judge"])
def test_generators_take_nothing_from_the_library(module: str) -> None:
    tree = ast.parse((ROOT / "tools" / "strangers" / f"{module}.py").read_text())
    names = [a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in names if name.startswith(("tensordsl", "codegen", "runtime"))]


def test_a_broken_reference_is_found_and_shrunk_to_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last row is taken for the first one: one loop and one read of it are left, with what makes its rows differ."""
    monkeypatch.setitem(OPS, "row", Op(OPS["row"].text, lambda x, k: x[0 if k == -1 else k]))

    def check(program: Program) -> str:
        return loops.check(dataclasses.replace(program, mode="'REFERENCE'"))

    drawn = (loops.draw(seed) for seed in range(100))
    program, message = next((p, found) for p in drawn if not (p.slopes or p.direction) and (found := check(p)))
    least, _ = driver.shrink(program, message, check, loops.smaller)
    statements = list(walk(least.body))
    assert sum(isinstance(s, Loop) for s in statements) <= 1
    assert [s.extra for s in statements if isinstance(s, Let) and s.op == "row"] == [(-1,)]
    assert len(statements) <= 4, program_text(least)
    assert len(least.calls) == len(least.outputs) + len(least.updates) == 1


def test_a_source_runs_by_itself() -> None:
    program = next(p for p in map(loops.draw, range(50)) if not (p.slopes or p.direction) and not loops.check(p))
    done = subprocess.run(
        [sys.executable, "-c", loops.source(program)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


def test_the_meaning_of_taps_and_offsets() -> None:
    """s[t] = s[t-2] + 2 x[t-1] - x[t+1], from the second to the last but one element, forwards and backwards."""
    t = Type("float64", ())
    body = (
        Let("a", "decay", ("old", "before"), t),  # old / 2 + before
        Let("b", "sub", ("a", "behind"), t),
    )
    for is_backwards in (False, True):
        loop = Loop(
            "l",
            "scan",
            (Sequence("x", ("before", "behind"), (-1, 1)),),
            (Result("r", Type("float64", ("n",)), "b", "start", ("old",), (-2,)),),
            body,
            is_backwards=is_backwards,
        )
        x, start = np.array([1.0, 2, 4, 8, 16]), np.array([5.0, 6.0])
        env = {"x": x, "start": start}
        evaluate([loop], env, int, {})
        states = [*start]
        for at in (3, 2, 1) if is_backwards else (1, 2, 3):
            states.append(states[-2] / 2 + x[at - 1] - x[at + 1])
        assert env["r"].tolist() == states[2:]


def test_nothing_is_judged_where_rounding_decides_a_condition_or_numbers_overflow() -> None:
    t = Type("float32", ())
    for start, op, doubt in ((0.1, "half", ""), (0.3, "half", "tie"), (1e30, "twice", "overflow")):
        body = (Let("a", op, ("s",), t), Let("c", "greater", ("s",), Type("bool", ()), (0.3,)))
        loop = Loop("l", "scan", (), (Result("r", t, "a", "x", ("s",), (-1,)),), body, n_steps=1, until="c")
        reference = loop_judge.Reference(Program((Input("x", t),), (loop,), ("r",), (Call(1, ()),)))
        rows = reference.run(Call(1, ()), x=np.float32(start))["r"]
        assert rows.dtype == np.float32
        assert reference.doubt == doubt


@pytest.mark.parametrize("profile", loops.PROFILES)
def test_programs_of_a_profile_are_others(profile: str) -> None:
    drawn = loops.draw(5, **{profile: True})
    assert drawn == loops.draw(5, **{profile: True}) != loops.draw(5)
    shown = run("tools.strangers.loops", "5", "1", "--show", f"--{profile}").stdout
    assert shown == f"# seed 5\n{loops.source(drawn)}\n\n"


def test_arguments_end_where_a_page_ends() -> None:
    input_ = Input("x", Type("float64", ("n",)))
    value = data(input_, Call(1, (("n", 5),)))
    placed = loop_judge.ends().put(0, value)
    assert np.array_equal(placed, value)
    assert (placed.ctypes.data + placed.nbytes) % 4096 == 0


def test_a_position_in_an_axis_whose_known_length_it_exceeds_may_be_refused_where_it_is_written() -> None:
    assert [loop_judge.known_length(dim) for dim in ("5", "5[1:]", "5[1:][::-2]", "0", "m3", "5[from_at i1]")] == [
        5, 4, 2, 0, None, None,
    ]  # fmt: skip
    t, rows = Type("float64", ()), Type("float64", ("0",))
    for position, length, is_expected in ((0, "0", True), (-2, "2", False), (2, "2", True)):
        inner = Loop("k", "scan", (), (Result("q", Type("float64", (length,)), "x"),), (), n_steps=int(length))
        body = (inner, Let("a", "row", ("q",), t, (position,)))
        program = Program(
            (Input("x", t),),
            (Loop("l", "scan", (), (Result("r", rows, "a"),), body, n_steps=0),),
            ("r",),
            (Call(1, ()),),
        )
        assert loop_judge.has_position_in_nothing(program) == is_expected
        assert loop_judge.check(program) == ""


def derivative_of_matrix(kind: str, dtype: str, data: str, *nodes: matrices.Node) -> str:
    """What is wrong with a derivative by the matrix x1, of 3 rows and 2 columns, or of 3 columns where it has a form."""
    x = matrices.Input("x1", matrices.Type("M", ("n", "m")), dtype, data)
    call = matrices.Call((("n", 3), ("m", 3 if data == "spd" else 2), ("B", 1)), 5)
    derivative = matrices.Derivative(kind, nodes[-1].results[0], "{0}", ("x1",))
    return matrices.check(matrices.Program(5, (x,), nodes, (), (derivative,), (), (call,)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_wrong_derivatives_of_matrices_are_found(dtype: str) -> None:
    scalar = matrices.Type("S", ())
    right = matrices.Node("LA.det({0})", "", ("x1",), ("x2",), (scalar,))
    wrong = matrices.Node("LA.det({0})", "1.1 * LA.det({0})", ("x1",), ("x2",), (scalar,))
    assert derivative_of_matrix("grad", dtype, "spd", right) == ""
    assert derivative_of_matrix("grad", dtype, "spd", wrong).startswith("wrong grad")


def test_derivatives_of_matrices_that_are_singular_but_for_rounding_are_not_judged() -> None:
    square = matrices.Node("{0} @ {0}.T", "", ("x1",), ("x2",), (matrices.Type("M", ("n", "n")),))
    zero = matrices.Node("LA.det({0} @ {0})", "", ("x2",), ("x3",), (matrices.Type("S", ()),))
    assert derivative_of_matrix("second", "float64", "general", square, zero) == ""
