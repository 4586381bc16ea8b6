"""Runs the workloads on every peer in turn, each peer in its own process, and compares all results with NumPy's."""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import XLA_ONE_THREAD
from benchmarks.workloads.foundation import Workload
from benchmarks.workloads.suites import BY_NAME, SUITES

ROOT = Path(__file__).resolve().parents[2]
MACHINE = "machine"  # not a library: the least that the machine takes
ALONE = "alone"  # tensordsl with one thread, beside itself with `--threads`
PEERS = ("numpy", "tensordsl", "numba", "pytensor", "jax", "numexpr", "blosc2", "tinygrad", "torch", MACHINE, ALONE)
# The first two choose other BLAS kernels than the machine's own, and not for every peer alike.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE")
# How many threads a library and its BLAS take.
THREADS = (
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "BLOSC_NTHREADS",
    "NUM_CPU_THREADS",  # tinygrad
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
# Every library, and the BLAS of NumPy, held to what most desktop processors have.
AVX2 = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",
    "NUMBA_CPU_NAME": "x86-64-v3",
    "NUMBA_CPU_FEATURES": "",
    "ATEN_CPU_CAPABILITY": "avx2",
    "DEV": "CPU:LLVM:x86_64,x86-64-v3",  # tinygrad
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure: interleaved rounds, seconds per timing, and the limit of one answer.  `processes`: how often
    each peer starts anew for the calls of a workload, as operands lie elsewhere in memory then; `processor`: calls are
    measured in processor time, which a busy machine disturbs less; `avx2`: without AVX-512; `threads`: that each
    library and its BLAS may take."""

    processes: int = 1
    threads: int = 1
    rounds: int = 7
    compile_rounds: int = 5
    seconds: float = 0.2
    limit: float = 300.0
    has_slow: bool = True
    processor: bool = False
    avx2: bool = False


QUICK = Plan(rounds=3, compile_rounds=2, seconds=0.05, limit=60.0, has_slow=False)


@dataclass(slots=True)
class Result:
    """One workload on one peer: the value of each round, or what went wrong."""

    workload: str
    state: str
    peer: str
    values: list[float] = field(default_factory=list)
    error: str = ""

    @property
    def minimum(self) -> float | None:
        return min(self.values, default=None)

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None


class Failed(Exception):
    """A peer answered with an error, died, or took too long."""


class Worker:
    """A peer's process; `ask` sends one command and waits for its answer."""

    def __init__(self, peer: str, python: str, cache: str, plan: Plan) -> None:
        self.limit = plan.limit
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.run.worker", peer],
            cwd=ROOT,
            env=environment(cache, replace(plan, threads=1) if peer == ALONE else plan),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self.last_words()) from None
        if not select.select([process.stdout], [], [], self.limit)[0]:
            self.close()
            raise Failed(f"no answer within {self.limit:.0f} s")
        line = process.stdout.readline()
        if not line:
            raise Failed(self.last_words())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def last_words(self) -> str:
        code = self.process.wait()
        self.log.seek(0)
        lines = self.log.read().split("\n")
        return f"the process ended with status {code}: " + " ".join(line.strip() for line in lines[-3:])[:200]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


@functools.cache
def bytecode_directory() -> str:
    """Where this run's processes keep bytecode: a user's Python reads it, whatever this one was told."""
    directory = tempfile.TemporaryDirectory()
    atexit.register(directory.cleanup)
    return directory.name


def environment(cache: str, plan: Plan) -> dict[str, str]:
    """The threads of `plan`, no BLAS overrides, and every library's disk cache in the directory `cache`."""
    inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
    flags = [part for part in inherited.get("TENSORDSL_FLAGS", "").split(",") if part and "compiledir" not in part]
    level = ["cpu=x86-64-v3"] if plan.avx2 else []
    jax = [XLA_ONE_THREAD] if plan.threads == 1 else []
    jax += ["--xla_cpu_max_isa=AVX2"] if plan.avx2 else []
    return {
        **inherited,
        **dict.fromkeys(THREADS, str(plan.threads)),
        **(AVX2 if plan.avx2 else {}),
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": "1",
        "XLA_FLAGS": " ".join(jax),
        "PYTHONPYCACHEPREFIX": bytecode_directory(),
        "TENSORDSL_FLAGS": ",".join([*flags, *level, f"compiledir={cache}/tensordsl"]),
        "PYTENSOR_FLAGS": f"base_compiledir={cache}/pytensor",
        "NUMBA_CACHE_DIR": f"{cache}/numba",
        "CACHEDB": f"{cache}/tinygrad.db",
        "JAX_COMPILATION_CACHE_DIR": f"{cache}/jax",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }


@dataclass(slots=True)
class Run:
    """One run of the benchmarks: which peers answer, on which interpreters, and what was found."""

    plan: Plan
    pythons: dict[str, str]
    peers: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    triad: dict[int, float] = field(default_factory=dict)  # bytes touched -> bytes per second

    @contextmanager
    def worker(self, peer: str, cache: str) -> Iterator[Worker]:
        worker = Worker(peer, self.pythons.get(peer, sys.executable), cache, self.plan)
        try:
            yield worker
        finally:
            worker.close()

    def find_peers(self, names: list[str]) -> None:
        for name in names:
            with tempfile.TemporaryDirectory() as cache, self.worker(name, cache) as worker:
                try:
                    self.peers[name] = worker.ask("probe")
                    say(f"{name}: {self.peers[name]['versions']}")
                except Failed as reason:
                    self.missing[name] = str(reason)
                    say(f"{name}: not measured ({reason})")

    def measure_triad(self) -> None:
        """Keep the best of this machine's bandwidth; it needs our code generator."""
        if "tensordsl" not in self.peers:
            return
        with tempfile.TemporaryDirectory() as cache, self.worker("tensordsl", cache) as worker:
            found = worker.ask("triad", processor=self.plan.processor)["bandwidth"]
        for size, speed in found.items():
            self.triad[int(size)] = max(speed, self.triad.get(int(size), 0.0))

    def able(self, workload: Workload) -> list[str]:
        able = [name for name, facts in self.peers.items() if workload.built in facts["workloads"]]
        return able if workload.kind == "call" else [name for name in able if name not in (MACHINE, ALONE)]

    def measure(self, workload: Workload) -> None:
        """Add the results of one workload, peers in turn within each round."""
        if workload.is_slow and not self.plan.has_slow:
            return
        say(f"{workload.name}: {workload.what}")
        measured = {"call": calls, "compile": compiles, "import": imports, "memory": memories}[workload.kind]
        for result in measured(self, workload):
            self.results.append(result)
            best = "-" if result.minimum is None else f"{result.minimum:.4g}"
            say(f"  {result.state:5} {result.peer:10} {result.error or best}")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def difference(workload: Workload, expected: list[float], found: list[float]) -> str:
    """What is wrong with a result, or an empty string."""
    if len(expected) != len(found):
        return f"wrong result: {len(found)} numbers, NumPy has {len(expected)}"
    if np.allclose(found, expected, rtol=workload.rtol, atol=slack(workload, expected), equal_nan=True):
        return ""
    return f"wrong result: off by {np.max(np.abs(np.subtract(found, expected))):.3g}"


def slack(workload: Workload, expected: list[float]) -> float:
    """Sums of numbers of both signs come near zero: the error allowed is that of the largest number of the result."""
    finite = [abs(number) for number in expected if np.isfinite(number)]
    return workload.rtol * max(finite, default=0.0) if "." in workload.name or workload.kind == "memory" else 0.0


def in_turn(names: list[str], turn: int) -> list[str]:
    """The names, each round starting with another one, so that drift of the machine hits all alike."""
    turn %= max(len(names), 1)
    return names[turn:] + names[:turn]


def calls(run: Run, workload: Workload) -> list[Result]:
    found = {name: Result(workload.name, "", name) for name in run.able(workload)}
    expected: list[float] = []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(run.plan.processes):
            able = {name: result for name, result in found.items() if not result.error}
            with workers(run, list(able), cache) as started:
                for name, result in able.items():
                    expected = check(started[name], workload, result, expected)
                for turn in range(run.plan.rounds):
                    for name in in_turn([name for name, result in able.items() if not result.error], turn):
                        time_once(started[name], workload, run.plan, found[name])
    return list(found.values())


@contextmanager
def workers(run: Run, names: list[str], cache: str) -> Iterator[dict[str, Worker]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(run.worker(name, cache)) for name in names}


def check(worker: Worker, workload: Workload, result: Result, expected: list[float]) -> list[float]:
    """Make the peer's function and compare what it gives; the first answer of all (NumPy's) is what others are compared
    with."""
    try:
        answer = worker.ask("check", workload=workload.name)["result"]
    except Failed as reason:
        result.error = str(reason)
        return expected
    if answer is not None:
        expected = expected or answer
        result.error = difference(workload, expected, answer)
    return expected


def time_once(worker: Worker, workload: Workload, plan: Plan, result: Result) -> None:
    try:
        answer = worker.ask("time", workload=workload.name, seconds=plan.seconds, processor=plan.processor)
        result.values.append(answer["value"])
    except Failed as reason:
        result.error = str(reason)


def compiles(run: Run, workload: Workload) -> list[Result]:
    states = ("cold", "warm")
    found = {(state, name): Result(workload.name, state, name) for state in states for name in run.able(workload)}
    expected: list[float] = []
    for turn in range(1 if workload.is_slow else run.plan.compile_rounds):
        for name in in_turn(run.able(workload), 0 if turn == 0 else turn):
            with tempfile.TemporaryDirectory() as cache:
                for state in states:
                    result = found[state, name]
                    if not result.error:
                        expected = sample(run, workload, "compile", cache, result, expected, state=state)
    return list(found.values())


def memories(run: Run, workload: Workload) -> list[Result]:
    found = {name: Result(workload.name, "", name) for name in run.able(workload)}
    expected: list[float] = []
    for _ in range(2):
        for result in found.values():
            with tempfile.TemporaryDirectory() as cache:
                if not result.error:
                    expected = sample(run, workload, "memory", cache, result, expected)
    return list(found.values())


def sample(
    run: Run, workload: Workload, do: str, cache: str, result: Result, expected: list[float], **options: str
) -> list[float]:
    """Take one value in a fresh process; the first answer of all (NumPy's) is what later ones are compared with."""
    with run.worker(result.peer, cache) as worker:
        try:
            answer = worker.ask(do, workload=workload.name, **options)
        except Failed as reason:
            result.error = str(reason)
            return expected
    expected = expected or answer["result"]
    result.error = difference(workload, expected, answer["result"])
    if not result.error:
        result.values.append(answer["value"])
    return expected


def imports(run: Run, workload: Workload) -> list[Result]:
    """Wall time of the import statement in a process that has loaded NumPy; for NumPy itself, in a bare process."""
    program = "import sys, time{first}; start = time.perf_counter(); import {name}; print(time.perf_counter() - start)"
    modules = {"tensordsl": "tensordsl, tensordsl.tensor", "pytensor": "pytensor, pytensor.tensor"}
    found = {name: Result(workload.name, "", name) for name in run.peers}
    with tempfile.TemporaryDirectory() as cache:
        for turn in range(run.plan.rounds + 1):
            for name in in_turn(list(found), turn):
                first = "" if name == "numpy" else ", numpy"
                command = [
                    run.pythons.get(name, sys.executable),
                    "-c",
                    program.format(first=first, name=modules.get(name, name)),
                ]
                done = subprocess.run(
                    command, cwd=ROOT, env=environment(cache, run.plan), capture_output=True, text=True
                )
                if done.returncode:
                    found[name].error = done.stderr.strip().split("\n")[-1][:200]
                elif turn:  # the first round fills the byte code cache
                    found[name].values.append(float(done.stdout))
    return list(found.values())


def benchmark(
    plan: Plan, names: list[str], only: list[str], pythons: dict[str, str], suite: str = "foundation"
) -> tuple[Run, float]:
    """Measure the workloads of a suite, or those whose names begin as one of `only`; returns the run and the seconds it
    took."""
    start = time.monotonic()
    run = Run(plan, pythons)
    # NumPy comes first whatever was asked for: it is the judge of every result.
    run.find_peers(["numpy", *(name for name in names if name != "numpy")])
    run.measure_triad()
    for workload in BY_NAME.values() if only else SUITES[suite]:
        if not only or workload.name.startswith(tuple(only)):
            run.measure(workload)
    run.measure_triad()
    return run, time.monotonic() - start
