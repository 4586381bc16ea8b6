"""What runs random programs: seeds, processes of their own, limits of time, shrinking, counts, and the exit status.

A generator is a module with four functions (`Generator`): `draw` makes a program of a seed, `check` says what is wrong
with it ("" if nothing), `smaller` makes programs that are one step smaller, `source` is a program as text that runs by
itself. Programs are values that pickle takes. It ends with `if __name__ == "__main__": driver.main(__spec__.name)`.

Seeds are taken in blocks, each in a fresh process, so that whatever ends a process is a finding like others. A finding
is tried again in a fresh process, then shrunk: the first smaller program that fails in the same manner takes its place,
until there is none. What a message has before its first colon is the manner: "wrong value: ...", "refused: ...".
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Protocol

BLOCK = 200  # programs of one process
LIMIT = 20.0  # seconds that one program may take
START = 120.0  # seconds that a process may take to import
SHRINK_SECONDS = 120.0
LEAST_OF_A_KIND = 3  # findings with one message that are shrunk; of further ones only the seeds are told


class Generator(Protocol):
    """What a module has to have. Three more may be there.

    PROFILES : names of keywords of `draw`, which are options of the command line.
    ENVIRONMENTS : sequence of dictionaries of environment variables; blocks of seeds take them in turn.
    features(program) : words for what occurs in a program, which are counted.
    """

    def draw(self, seed: int, **profiles: bool) -> Any:
        """The program of a seed, the same in every process."""

    def check(self, program: Any) -> str:
        """What is wrong with the program, as "manner: details"; "" if nothing is."""

    def smaller(self, program: Any) -> Iterable[Any]:
        """Programs that are one step smaller, those that leave out most first."""

    def source(self, program: Any) -> str:
        """The program as Python text that a stranger can read and run."""


@dataclasses.dataclass(slots=True)
class Finding:
    """A program that was computed wrongly."""

    seed: int
    message: str
    program: Any = None  # the least one
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    is_shrunk: bool = False

    @property
    def kind(self) -> str:
        return kind_of(self.message)


def manner_of(message: str) -> str:
    """How a program fails: what stays the same while it is shrunk."""
    return message.partition(":")[0]


def kind_of(message: str) -> str:
    """The first line without what differs from program to program; findings are grouped by it."""
    plain = re.sub(r"'[^']*'|\([^()]*\)|\[[^][]*\]|[-+%]?\b\w*\d[\w.+]*", "#", message.partition("\n")[0])
    return re.sub(r"#(\W*#)+", "#", plain)[:120]


def shrink(
    program: Any,
    message: str,
    check: Callable[[Any], str],
    smaller: Callable[[Any], Iterable[Any]],
    seconds: float = SHRINK_SECONDS,
) -> tuple[Any, str]:
    """The least program that fails in the manner of `message`, and its message."""
    end = time.monotonic() + seconds
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for candidate in smaller(program):
            if time.monotonic() > end:
                return program, message
            found = check(candidate)
            if found and manner_of(found) == manner_of(message):
                program, message, is_smaller = candidate, found, True
                break
    return program, message


class Worker:
    """A process that draws and checks programs, and is started anew when it has ended."""

    def __init__(self, module: str, environment: dict[str, str], limit: float = LIMIT) -> None:
        self.module, self.environment, self.limit = module, environment, limit
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.connection, other = Pipe()
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "tools.strangers.driver", self.module, str(other.fileno())],
            pass_fds=[other.fileno()],
            env={"OPENBLAS_NUM_THREADS": "1", **os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=self.errors,
            stderr=self.errors,
        )
        other.close()
        if self.connection.poll(START):
            self.connection.recv()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.connection.close()
            self.errors.close()
            self.process = None

    def ask(self, what: str, value: Any) -> tuple[str, Any]:
        """The message of a seed's program ("seed", with profiles) or of a program ("program"), and the words for what
        occurs."""
        try:
            if self.process is None:
                self.start()
            self.connection.send((what, value))
            if self.connection.poll(self.limit):
                return self.connection.recv()
            self.stop()
            return f"too slow: more than {self.limit:g} seconds", ()
        except (EOFError, OSError):
            assert self.process is not None
            status = self.process.wait()
            self.errors.seek(0)
            told = self.errors.read().decode(errors="replace").strip()
            self.stop()
            return f"process ended: status {status}\n{told[-3000:]}", ()

    def check(self, program: Any) -> str:
        return self.ask("program", program)[0]


def serve(module: str, connection: Connection) -> None:
    """Answer what a Worker asks, until it hangs up."""
    generator: Any = importlib.import_module(module)
    features = getattr(generator, "features", lambda program: ())
    connection.send("ready")
    while True:
        try:
            what, value = connection.recv()
        except EOFError:
            return
        try:
            program = generator.draw(value[0], **value[1]) if what == "seed" else value
            answer = generator.check(program), tuple(features(program)) if what == "seed" else ()
        except Exception:
            answer = f"generator: {traceback.format_exc()}", ()
        connection.send(answer)


@dataclasses.dataclass(slots=True)
class Run:
    """A run over seeds: what is done, and what was found."""

    module: str
    seeds: Sequence[int]
    limit: float = LIMIT
    shrinks: bool = True
    seconds: float | None = None  # no block is begun, and no program, when they are over
    tell: Callable[[Finding], None] = lambda finding: None
    profiles: dict[str, bool] = dataclasses.field(default_factory=dict)
    done: int = 0
    findings: list[Finding] = dataclasses.field(default_factory=list)
    features: Counter[str] = dataclasses.field(default_factory=Counter)
    began: float = 0.0
    lock: Any = dataclasses.field(default_factory=threading.Lock)
    error: BaseException | None = None

    def run(self, processes: int = 1, progress: bool = False) -> list[Finding]:
        """What is wrong with the programs of the seeds."""
        self.began = time.monotonic()
        blocks = self.blocks()
        threads = [threading.Thread(target=self.take_blocks, args=(blocks,), daemon=True) for _ in range(processes)]
        for thread in threads:
            thread.start()
        is_screen = sys.stderr.isatty()
        told = self.began
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(1.0 / processes)
            if progress and time.monotonic() - told > (1 if is_screen else 60):
                told = time.monotonic()
                print(
                    f"\r{self.line()}" if is_screen else self.line(),
                    end="\r" if is_screen else "\n",
                    file=sys.stderr,
                    flush=True,
                )
        if self.error is not None:
            raise self.error
        return self.findings

    def line(self) -> str:
        """The counts so far."""
        seconds = time.monotonic() - self.began
        kinds = len({finding.kind for finding in self.findings})
        return (
            f"{self.done}/{len(self.seeds)} programs, {self.done / max(seconds, 1e-9):.1f} a second, "
            f"{len(self.findings)} findings of {kinds} kinds "
        )

    def blocks(self) -> Iterator[Sequence[int]]:
        """Seeds with one number of a block, as it is always the same process' environment that a seed meets."""
        block: list[int] = []
        for seed in self.seeds:
            if block and seed // BLOCK != block[0] // BLOCK:
                yield block
                block = []
            block.append(seed)
        if block:
            yield block

    def take_blocks(self, blocks: Iterator[Sequence[int]]) -> None:
        try:
            while True:
                with self.lock:
                    block = next(blocks, None)
                if block is None or self.is_over():
                    return
                self.run_block(block)
        except BaseException as error:
            self.error = error

    def is_over(self) -> bool:
        return self.seconds is not None and time.monotonic() - self.began > self.seconds

    def run_block(self, block: Sequence[int]) -> None:
        generator: Any = importlib.import_module(self.module)
        environments = getattr(generator, "ENVIRONMENTS", ({},))
        environment = environments[block[0] // BLOCK % len(environments)]
        worker = Worker(self.module, environment, self.limit)
        try:
            for seed in block:
                if self.is_over():
                    return
                message, features = worker.ask("seed", (seed, self.profiles))
                with self.lock:
                    self.done += 1
                    self.features.update(features)
                if message:
                    self.add(generator, block, seed, message, environment)
        finally:
            worker.stop()

    def add(self, generator: Any, block: Sequence[int], seed: int, message: str, environment: dict[str, str]) -> None:
        """Note a finding, tried again and shrunk in processes of its own."""
        finding = Finding(seed, message, environment=environment)
        with self.lock:
            is_known = sum(other.kind == finding.kind for other in self.findings) >= LEAST_OF_A_KIND
            self.findings.append(finding)
        if self.shrinks and not is_known and manner_of(message) != "generator":
            worker = Worker(self.module, environment, self.limit)
            try:
                finding.program = generator.draw(seed, **self.profiles)
                again = worker.check(finding.program)
                if again:
                    finding.program, finding.message = shrink(finding.program, again, worker.check, generator.smaller)
                    finding.is_shrunk = True
                else:
                    finding.message = f"not alone: in the process of seeds {block[0]} to {seed}, {message}"
            finally:
                worker.stop()
        self.tell(finding)


def text_of(generator: Any, finding: Finding) -> str:
    """A finding as it is printed."""
    flags = "".join(f" {name}={value}" for name, value in finding.environment.items())
    head = f"--- seed {finding.seed}{flags}\n{finding.message.strip()}\n"
    return head + (f"\n{generator.source(finding.program)}\n" if finding.program is not None else "")


def main(module: str, arguments: Sequence[str] | None = None) -> None:
    """The command line of a generator; the status is 1 if there were findings."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description="Run random programs.")
    parser.add_argument("first", type=int, help="the first seed")
    parser.add_argument("count", type=int, help="how many")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="begin no program when so many are over")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds that one program may take")
    parser.add_argument("--no-shrink", action="store_true", help="print findings as they were drawn")
    parser.add_argument("--show", action="store_true", help="print the programs and run none")
    parser.add_argument("--features", action="store_true", help="print how often what occurred")
    parser.add_argument("--into", help="a file to which findings are appended, too")
    generator: Any = importlib.import_module(module)
    names = getattr(generator, "PROFILES", ())
    for name in names:
        parser.add_argument(f"--{name}", action="store_true", help=f"draw {name} programs")
    options = parser.parse_args(arguments)
    profiles = {name: True for name in names if getattr(options, name)}
    seeds = range(options.first, options.first + options.count)
    if options.show:
        for seed in seeds:
            print(f"# seed {seed}\n{generator.source(generator.draw(seed, **profiles))}\n")
        return

    def tell(finding: Finding) -> None:
        if (
            not finding.is_shrunk
            and not options.no_shrink
            and manner_of(finding.message) not in ("generator", "not alone")
        ):
            return  # one more of a known kind: the counts tell of it
        if options.no_shrink:
            finding.program = generator.draw(finding.seed, **profiles)
        text = text_of(generator, finding)
        print(f"\n{text}", flush=True)
        if options.into:
            with open(options.into, "a") as file:
                file.write(text + "\n")

    run = Run(module, seeds, options.limit, not options.no_shrink, options.seconds, tell, profiles)
    findings = run.run(options.processes, progress=True)
    if options.features:
        for word, count in sorted(run.features.items()):
            print(f"{count:8} {word}")
    by_kind: dict[str, list[int]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding.seed)
    for kind, those in sorted(by_kind.items(), key=lambda item: -len(item[1])):
        print(f"{len(those):6} {kind}: seeds {json.dumps(sorted(those)[:8])}")
    print(f"{run.line()}from seed {options.first} on" + "".join(f", {name}" for name in profiles))
    sys.exit(bool(findings))


if __name__ == "__main__":
    serve(sys.argv[1], Connection(int(sys.argv[2])))
