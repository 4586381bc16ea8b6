"""The benchmark harness: it runs, checks results, and words what it found; no figure is asserted here."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks import ablation, convolutions, corners, programs, short_rows, vector_math  # noqa: E402
from benchmarks.baselines.c_kernels import c_kernel  # noqa: E402
from benchmarks.peers import numpy as theirs  # noqa: E402
from benchmarks.peers import tensordsl as ours  # noqa: E402
from benchmarks.run.harness import MACHINE, PEERS, difference  # noqa: E402
from benchmarks.run.plots import COLOURS  # noqa: E402
from benchmarks.run.worker import flat, memory  # noqa: E402
from benchmarks.workloads import linalg, loops  # noqa: E402
from benchmarks.workloads.peers import BY_CASE, as_stored  # noqa: E402
from benchmarks.workloads.suites import BY_NAME  # noqa: E402


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_run_writes_facts_rounds_and_a_table(tmp_path: Path) -> None:
    json_file, table = tmp_path / "out.json", tmp_path / "out.md"
    only = ("--only", "call-vector", "--only", "compile-ten-ops")
    done = run(
        "--quick", "--processes", "2", "--peers", "numpy", *only, "--json", str(json_file), "--markdown", str(table)
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(json_file.read_text())
    assert {"date", "machine", "versions", "results", "threads"} <= set(facts)
    assert [(row["workload"], row["state"]) for row in facts["results"]] == [
        ("call-vector", ""),
        ("compile-ten-ops", "cold"),
        ("compile-ten-ops", "warm"),
    ]
    assert [len(row["rounds"]) for row in facts["results"]] == [6, 2, 2]  # of two processes three rounds each
    assert all(row["minimum"] == min(row["rounds"]) and row["to_numpy"] == 1 for row in facts["results"])
    assert "| `x*y+z`, float64 (8,) |" in table.read_text()


def test_an_unknown_peer_or_workload_is_refused() -> None:
    assert "no such peers: nobody" in run("--peers", "nobody").stderr
    assert "no workload begins with 'nothing'" in run("--only", "nothing").stderr


def test_operands_are_views_of_what_is_stored() -> None:
    data = BY_CASE["d.transp.f8.2048x1024"].make() + BY_CASE["d.strided.f8.2e6"].make() + (np.array(1.0),)
    stored, view = as_stored(data)
    for x, base, seen in zip(data, stored, view(*stored), strict=True):
        assert base.flags.c_contiguous and np.shares_memory(base, x)
        assert seen.strides == x.strides and seen.shape == x.shape and seen.ctypes.data == x.ctypes.data


def test_every_peer_has_an_adapter_and_a_colour() -> None:
    adapters = {path.stem for path in (ROOT / "benchmarks" / "peers").glob("[!_]*.py")} - {"numba_loops", "symbolic"}
    assert set(PEERS) == adapters
    assert adapters - {MACHINE} == set(COLOURS)


@pytest.mark.parametrize("peer", ["blosc2", "tinygrad"])
def test_a_peer_gives_numpys_results(peer: str, tmp_path: Path) -> None:
    pytest.importorskip(peer)
    if peer == "tinygrad" and not shutil.which(os.environ.get("CC", "clang")):
        pytest.skip("no clang")
    only = "a.", "b.axpb_out.f8.1e4", "c.sigmoid.f4.1e4", "d.strided", "e.meanvar.f8.10000x100", "m.embed", "n.schools"
    names = [part for name in only for part in ("--only", name)]
    done = run("--quick", "--peers", f"numpy,{peer}", *names, "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out.json").read_text())["results"]
    assert [row["error"] for row in rows] == [""] * len(rows)
    assert {row["peer"] for row in rows} == {"numpy", peer}


@pytest.mark.parametrize("name", [row.name for row in (*loops.WORKLOADS, *linalg.WORKLOADS) if row.kind == "call"])
def test_suites_give_numpys_results(name: str) -> None:
    row = BY_NAME[name]
    calls = [peer.BUILD[row.built](row.make()) for peer in (ours, theirs)]
    found, expected = (flat(call.evaluate()) for call in calls)
    assert difference(row, expected, found) == "" or not calls[0].is_compared


def test_a_loop_keeps_no_history_of_which_the_last_value_is_asked() -> None:
    assert memory(ours, "memory-last")["value"] < 0.01


def test_the_gpus_benchmark_says_who_is_left_out_and_runs_on_the_simulator() -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "sim", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| matrix product, (64, 64) |" in done.stdout and "| | tensordsl |" in done.stdout
    assert "Measured on one simulator" in done.stdout and "| sums of columns, (64, 64) | " in done.stdout


def test_the_gpus_benchmark_measures_compiling_without_a_gpu() -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cuda7", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "nothing is measured on it: there is no device cuda7" in done.stdout
    assert re.search(r"Ten operations to PTX: [\d.]+ ms .*from the disk cache [\d.]+ ms", done.stdout)


def test_a_wrong_result_is_found() -> None:
    program = (
        "from benchmarks.run.harness import difference; from benchmarks.workloads.suites import BY_NAME\n"
        "row = BY_NAME['call-vector']\n"
        "print([difference(row, [1.0, 2.0], found) for found in ([1.0, 2.0], [1.0], [1.0, 2.5])])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(["", "wrong result: 1 numbers, NumPy has 2", "wrong result: off by 0.5"])


def test_every_workload_has_a_numpy_reference_and_a_row_of_ours() -> None:
    program = (
        "from benchmarks.workloads.suites import BY_NAME; from benchmarks.peers import numpy, tensordsl\n"
        "names = {row.built for row in BY_NAME.values() if row.kind != 'import'}\n"
        "print(set(numpy.BUILD) == names == set(tensordsl.BUILD))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_the_table_goes_between_the_markers_of_a_document(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("above\n<!-- benchmarks: begin -->\nold\n<!-- benchmarks: end -->\nbelow\n")
    program = (
        "import sys; from pathlib import Path; from benchmarks.__main__ import write_table\n"
        "write_table(Path(sys.argv[1]), 'new\\n')"
    )
    subprocess.run([sys.executable, "-c", program, str(document)], cwd=ROOT, check=True)
    assert document.read_text() == "above\n<!-- benchmarks: begin -->\nnew\n<!-- benchmarks: end -->\nbelow\n"


def test_a_target_is_met_missed_or_unknown() -> None:
    program = (
        "from benchmarks.run.report import is_met; from benchmarks.workloads.foundation import Target\n"
        "minima = {('b', '', 'tensordsl'): 6.0, ('b', '', 'numpy'): 12.0, ('a', '', 'tensordsl'): 1.0}; key = 'b', ''\n"
        "minima |= {('b', '', 'machine'): 5.0}\n"
        "targets = Target(6.0), Target(5.0), Target(9.0, 0.5), Target(9.0, 0.4), Target(ratio_to=('a', 5.0))\n"
        "targets += Target(ratio_to_best=0.5), Target(ratio_to_machine=1.2), Target(ratio_to_machine=1.1)\n"
        "targets += Target(beyond_best=-6.0), Target(beyond_best=-7.0)\n"
        "print([is_met(target, key, minima) for target in targets], is_met(targets[0], ('c', ''), minima))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True, False, True, False, False, True, True, False, True, False] None"


@pytest.mark.skipif(shutil.which("gcc") is None and shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("row", ["gauss", "gelu", "softplus", "pow", "arctan2"])
def test_a_row_of_the_vector_mathematics_in_c_is_the_row(row: str) -> None:
    for dtype in vector_math.DTYPES:
        arrays = vector_math.operands(row, dtype, 1000)
        got, wanted = vector_math.for_c(row, arrays)(), vector_math.expected(row, arrays)
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_a_c_kernel_leaves_subnormal_numbers_to_the_process() -> None:
    least = np.array([5e-324])
    try:
        kernel = c_kernel("exp", [np.zeros(4)])
    except NotImplementedError:
        pytest.skip("no C compiler")
    assert kernel().tolist() == [1.0] * 4
    assert (least * 2).tobytes() == np.array([1e-323]).tobytes()


def test_runs_are_kept_and_the_last_two_compared(tmp_path: Path) -> None:
    for _ in range(2):
        done = run("--quick", "--peers", "numpy,tensordsl", "--only", "call-vector", "--history", str(tmp_path))
        assert done.returncode == 0, done.stderr
    program = (
        "import sys; from pathlib import Path; from benchmarks.history import comparison, keep\n"
        "def facts(date, ours, other=2.0):\n"
        "    rows = [{'workload': 'a', 'state': '', 'peer': p, 'minimum': m}"
        " for p, m in (('tensordsl', ours), ('numpy', other))]\n"
        "    return {'date': date, 'commit': 'c', 'machine': {'cpu': 'x'}, 'results': rows}\n"
        "print([comparison(facts('1', 1.0), f).split()[-1] for f in (facts('2', 1.5), facts('2', 1.5, 3.0))])\n"
        "print(len(list(Path(sys.argv[1]).glob('*.json'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["['slower', '1.00']", "2"]


def test_a_summary_has_a_row_per_group_and_those_behind() -> None:
    program = (
        "from benchmarks.run.harness import Plan, Result, Run; from benchmarks.run.report import as_summary\n"
        "names = ('b.axpb.f8.1e3', 'b.axpb.f8.1e4')\n"
        "results = [Result(w, '', p, [t]) for w, ours, best in zip(names, (1.0, 4.0), (2.0, 2.0))"
        " for p, t in (('numpy', best), ('tensordsl', ours), ('machine', 0.5), ('alone', ours * 2))]\n"
        "print(as_summary(Run(Plan(), {}, results=results), 1.0))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "| b | 2 | 1.00 | b.axpb.f8.1e4: 2.00 |" in done.stdout
    assert "| numpy | 2 | 1.00 | 2.00 | 2 |" in done.stdout
    behind, machine = done.stdout.split("another is faster")[1].split("beside the machine")
    assert "| b.axpb.f8.1e4 | 4 s | numpy 2 s | 2.00 | 2.00 |" in behind and "| b.axpb.f8.1e3 |" not in behind
    machine, alone = machine.split("beside one thread")
    assert "| b.axpb.f8.1e3 | 1 s | 500 ms | 2.00 |" in machine and "| b.axpb.f8.1e4 | 4 s | 8 s | 0.50 |" in alone


def test_plots_of_a_run(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [
        {"workload": w, "state": s, "peer": "tensordsl", "minimum": t}
        for w, s, t in (("t.axpb.f8.1e1", "", 1e-7), ("t.axpb.f8.1e2", "", 2e-7), ("nodes-3", "cold", 1e-2),
                        ("b.axpb.f8.1e3", "", 1e-6), ("b.axpb.f8.1e4", "", 2e-6))
    ]  # fmt: skip
    (tmp_path / "facts.json").write_text(json.dumps({"results": rows, "triad": {"24000": 1e11, "240000": 1e11}}))
    program = (
        "import json, sys; from pathlib import Path; from benchmarks.run.plots import plot\n"
        "d = Path(sys.argv[1]); print(sum(p.stat().st_size > 1000 for p in plot(json.loads((d / 'facts.json')"
        ".read_text()), d)))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "3", done.stderr


def test_short_rows_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    short_rows.main(["--peers", "numpy", "--only", "sum", "--shapes", "3x2"])
    assert "`sum`, (n, 3, 2) | 2" in capsys.readouterr().out


def test_convolutions_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    convolutions.main(["--only", "5x5_20-50@12", "--images", "1", "--dtypes", "float64"])
    assert "5x5_20-50@12, 1 of float64" in capsys.readouterr().out


def test_odd_shapes_are_measured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for shapes in ("MATRICES", "STACKS"):
        monkeypatch.setattr(corners, shapes, getattr(corners, shapes)[:1])
    corners.main(["--peers", "numpy", "--dtypes", "float64", "--worst", "3"])
    table, count = capsys.readouterr().out.splitlines(), len(corners.OF_MATRICES) + len(corners.OF_STACKS)
    assert len(table) == 8 and table[-1].startswith(f"Geometric mean of {count} calls")


def test_whole_programs_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    programs.main(["--peers", "", "--only", "classes", "--only", "springs"])
    table = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in table[2:4]] == ["| springs", "| classes"]


NUMPY = SimpleNamespace(**vars(np), erf=np.vectorize(math.erf), gammaln=np.vectorize(math.lgamma))


@pytest.mark.parametrize("program", programs.PROGRAMS, ids=lambda p: p.name)
def test_gradients_of_whole_programs_are_slopes(program: programs.Program) -> None:
    rng = np.random.default_rng(0)
    operands = [np.asarray(x) for x in program.operands(rng)]
    cost, *gradients = programs.in_tensordsl(program, operands)()
    directions = [rng.normal(size=x.shape) for x in operands[: program.by]]
    step = 1e-6
    ends = []
    for sign in (1, -1):
        moved = [x + sign * step * d for x, d in zip(operands, directions, strict=False)]
        ends.append(float(program.cost(NUMPY, *moved, *operands[program.by :])))
    slope = sum(float((g * d).sum()) for g, d in zip(gradients, directions, strict=True))
    assert np.isclose((ends[0] - ends[1]) / (2 * step), slope, rtol=1e-5, atol=1e-7 * abs(float(cost)))
    assert np.isclose(program.cost(NUMPY, *operands), cost, rtol=1e-10)


def test_a_brief_table_has_six_columns_and_groups_have_titles() -> None:
    program = (
        "from benchmarks.run.brief import as_brief; from benchmarks.run.harness import Plan, Result, Run\n"
        "single = [('call-vector', '', 'numpy', 4.0), ('call-vector', '', 'tensordsl', 1.0),"
        " ('call-vector', '', 'jax', 2.0)]\n"
        "single += [('compile-ten-ops', 'warm', p, t) for p, t in (('numpy', 0.1), ('tensordsl', 1.0), ('jax', 3.0))]\n"
        "grouped = [('b.axpb.f8.1e3', '', 'numpy', 2.0), ('b.axpb.f8.1e3', '', 'tensordsl', 1.0)]\n"
        "for rows in single, grouped:\n"
        "    print(as_brief(Run(Plan(), {}, results=[Result(w, s, p, [t]) for w, s, p, t in rows]), 1.0))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "| `x*y+z`, float64 (8,) | 1 s | 4 s | jax 2 s | 2.00 | 100 ns, 0.2x NumPy: missed |" in done.stdout
    assert "| 10 elementwise operations, warm | 1 s | - | jax 3 s | 3.00 | 1 ms: missed |" in done.stdout
    assert "| bounded by memory | 1 | 0.50 | 0.50, `b.axpb.f8.1e3` |" in done.stdout
    assert "| numpy | 1 | 0.50 | 0.50 |" in done.stdout


# -- what optimisations earn ---------------------------------------------------------------------------------------------
def test_the_ablation_compares_calls_that_both_have() -> None:
    base = ablation.better({"a": 2.0, "b": 4.0, "c": None}, {"a": 1.0, "b": None})
    assert base == {"a": 1.0, "b": 4.0}
    row = ablation.compared(base, {"a": 4.0, "c": 1.0})
    assert (row["calls"], row["measured"], row["mean"], row["slower"]) == (2, 1, 2.0, 1)
    assert row["worst"][0] == ["a", 4.0] and row["failed"] == []
    assert ablation.compared(base, {"a": None, "b": 4.0})["failed"] == ["a"]


def test_the_ablation_measures_suites_without_one(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    command = ["--only", "unroll_axes", "--suite", "corners", "--quick", "--workloads", "pools", "--json", str(found)]
    ablation.main(command)
    rows = json.loads(found.read_text())
    assert list(rows) == ["base", "unroll_axes", "base again"]
    for label, row in rows.items():
        assert row["corners"]["calls"] == 3 and row["corners"]["mean"] > 0 and row["corners"]["failed"] == []
        changed, every = row["corners"]["changed"]
        assert every and (changed > 0) == (label == "unroll_axes")
