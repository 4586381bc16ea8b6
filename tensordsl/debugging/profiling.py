"""Profiles of compiled functions: how often and how long they ran, and what compiling them took."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, TextIO

from tensordsl.base.records import record

Run = Callable[[list[Any]], list[Any]]

# Instructions of a program that do the work; all others are bookkeeping on scalars.
WORK = ("Launch", "Gemm", "Copy", "Fill", "LibraryCall", "HostCall", "For", "Blocks", "If")


@record(eq=False, frozen=False)
class Profile:
    """What `function(..., profile=True)` measures; `f.profile`.  One profile may serve several functions.

    compile_ms: phase of the compiler -> ms; origin: "compiled", or the cache that had the code ("process", "disk").
    work: kind of instruction -> how many the programs have.  host_steps: of functions on a device, what has no kernel.
    python: name of a step that calls Python, as custom operations do -> how often it ran, and its seconds.
    """

    name: str = ""
    calls: int = 0
    seconds: float = 0.0
    fastest: float = float("inf")
    build_seconds: float = 0.0
    compile_ms: dict[str, float] = field(default_factory=dict)
    origin: str = ""
    work: Counter[str] = field(default_factory=Counter)
    host_steps: list[str] = field(default_factory=list)
    python: dict[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def fct_callcount(self) -> int:
        """`calls`, by Theano's name."""
        return self.calls

    @property
    def fct_call_time(self) -> float:
        """`seconds`, by Theano's name."""
        return self.seconds

    @property
    def compile_time(self) -> float:
        """`build_seconds`, by Theano's name."""
        return self.build_seconds

    def timed(self, run: Run) -> Run:
        """`run`, with each call added to the profile, also if it raises."""

        def timed(arrays: list[Any]) -> list[Any]:
            start = time.perf_counter()
            try:
                return run(arrays)
            finally:
                seconds = time.perf_counter() - start
                self.calls += 1
                self.seconds += seconds
                self.fastest = min(self.fastest, seconds)

        return timed

    def timed_step(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, a step that a program makes in Python, with each call added to the profile."""

        def timed(*arrays: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*arrays)
            finally:
                count, seconds = self.python.get(name, (0, 0.0))
                self.python[name] = count + 1, seconds + time.perf_counter() - start

        return timed

    def compiled(
        self, origin: str, phases: list[tuple[str, float]], instructions: Sequence[str], seconds: float
    ) -> None:
        """Add what one compile took and made."""
        self.origin = origin
        self.build_seconds += seconds
        for phase, ms in phases:
            self.compile_ms[phase] = self.compile_ms.get(phase, 0.0) + ms
        self.work.update(name for name in instructions if name in WORK)

    def reset(self) -> None:
        """Forget the calls, not the compile."""
        self.calls, self.seconds, self.fastest = 0, 0.0, float("inf")
        self.python.clear()

    def summary(self, file: TextIO | None = None, n_ops_to_print: int = 20, n_apply_to_print: int = 20) -> None:
        """Print the table (to stderr by default).  The numbers to print are accepted for Theano's sake."""
        print(self, file=sys.stderr if file is None else file)

    def __str__(self) -> str:
        rows = [("calls", str(self.calls))]
        if self.calls:
            mean = self.seconds / self.calls
            rows += [
                ("time in calls", f"{1e3 * self.seconds:.3f} ms"),
                ("per call, mean", f"{1e6 * mean:.2f} us"),
                ("per call, fastest", f"{1e6 * self.fastest:.2f} us"),
            ]
        rows.append(("compile", f"{1e3 * self.build_seconds:.1f} ms ({self.origin or 'not compiled'})"))
        rows += [(f"  {phase}", f"{ms:.1f} ms") for phase, ms in self.compile_ms.items()]
        if self.work:
            counts = ", ".join(f"{count} {kind.lower()}" for kind, count in self.work.most_common())
            rows.append(("steps of the program", counts))
        rows += [("on the host", step) for step in dict.fromkeys(self.host_steps)]
        for step, (count, seconds) in sorted(self.python.items(), key=lambda item: -item[1][1]):
            rows.append(("in Python", f"{1e3 * seconds:.3f} ms, {count} calls of {step}"))
        return "\n".join([f"Function profiling: {self.name}", *(f"  {what:<22} {value}" for what, value in rows)])


def profile_of(given: Any, default: bool, name: str) -> Profile | None:
    """The profile that `function(profile=given)` means; with the option `config.profile` it is printed at exit.

    Raises TypeError.
    """
    if isinstance(given, Profile):
        return given
    if isinstance(given, str):  # a message, as in Theano
        return Profile(given)
    if given is None and default:
        import atexit

        profile = Profile(name)
        atexit.register(profile.summary)
        return profile
    if given is None or given is False:
        return None
    if given is True:
        return Profile(name)
    raise TypeError(f"profile must be True, False, a name or a Profile, got {given!r}")
