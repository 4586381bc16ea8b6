"""The benchmark of PyMC's models: its table, its aims, and what it says without PyMC; the models are compared in
`behaviour/pytensor`."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks.pymc import report, worker  # noqa: E402

HAS_PYMC = importlib.util.find_spec("pymc") is not None


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.pymc", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def model(name: str, ours: float, **more: Any) -> dict[str, Any]:
    both = {"tensordsl": {"seconds": ours, "own": 0.02, "library": 0.25 * ours}, "numba": {"seconds": 4.0}}
    calls = {"tensordsl": {"bare": ours * 1e-6, "whole": 3e-6}, "numba": {"bare": 4e-6, "whole": 6e-6}}
    return {
        "model": name, "cold": both, "warm": both, "calls": calls, "parameters": 7, "python_steps": [],
        "differences": {"numba": {"value": 1e-15, "gradient": 3e-12}}, **more,
    }  # fmt: skip


FACTS = {
    "date": "2026-12-01", "processor": "made up", "versions": {"pymc": "6"}, "peers": ["tensordsl", "numba"],
    "models": [model("small", 0.25), model("large", 8.0), {"model": "lost", "error": "more than 300 s"}],
}  # fmt: skip


def test_the_table_has_a_row_for_each_model() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in report.as_markdown(FACTS).splitlines()]
    by_name = {row[0]: row for row in rows if row}
    assert by_name["small (7)"][1:3] == ["0.25 / 4", "0.188"]
    assert by_name["small (7)"][5:] == ["0.25 / 4", "0.062", "3 / 6", "3e-12", "0"]
    assert by_name["lost"][1:3] == ["- / -", "-"]
    assert by_name["bare call, to numba, geometric mean"][1:3] == ["0.35", "0.354"]
    assert by_name["bare call, to numba, each"][1:] == ["1", "at most 2", "large 2"]
    assert by_name["compile cold, s, each"][3] == "large 8"
    assert by_name["of it this library, s, each"][3] == "none"
    assert "- lost: more than 300 s" in report.as_markdown(FACTS)


def test_facts_become_the_table_between_the_markers_of_a_page(tmp_path: Path) -> None:
    facts, page = tmp_path / "facts.json", tmp_path / "page.md"
    facts.write_text(json.dumps({**FACTS, "models": FACTS["models"][:2]}))
    page.write_text("above\n<!-- benchmarks: begin pymc -->\nold\n<!-- benchmarks: end -->\nbelow\n")
    done = run("--from-json", str(facts), "--markdown", str(page))
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("above\n") and text.endswith("below\n") and "| small (7) |" in text and "\nold\n" not in text


@pytest.mark.skipif(HAS_PYMC, reason="PyMC is installed")
def test_without_pymc_it_says_what_to_install() -> None:
    done = run()
    assert done.returncode == 2 and "pip install 'tensordsl[pymc]'" in done.stderr and "pymc" in done.stderr


def test_unknown_peers_are_refused() -> None:
    assert "no such peers or measures: nobody" in run("--peers", "nobody").stderr


def test_differences_are_relative_and_see_what_is_not_finite() -> None:
    def found(scale: float, value: float = 2.0) -> Any:
        return lambda x: (np.float64(value * scale), 100 * x * scale)

    x = np.ones(3)
    same = worker.differences({"tensordsl": found(1.0), "numba": found(1.0 + 1e-10)}, x)["numba"]
    assert same["value"] == pytest.approx(1e-10, rel=1e-3) and same["gradient"] == pytest.approx(1e-10, rel=1e-3)
    lost = worker.differences({"tensordsl": found(1.0), "numba": found(1.0, np.inf)}, x)["numba"]
    assert lost["value"] == np.inf


@pytest.mark.skipif(not HAS_PYMC, reason="PyMC is not installed")
def test_a_run_of_one_model(tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    done = run("--only", "eight", "--peers", "", "--warms", "1", "--measures", "compile,calls", "--json", str(facts))
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(facts.read_text())["models"]
    assert found["parameters"] == 10 and found["python_steps"] == [] and found["calls"]["tensordsl"]["bare"] > 0
    assert 0 < found["warm"]["tensordsl"]["own"] < found["warm"]["tensordsl"]["seconds"]
    assert "[1/1, " in done.stderr and "no model begins with 'nothing'" in run("--only", "nothing").stderr
