"""Debugging output of the compiler: `TENSORDSL_DEBUG` prints it to stderr, `TENSORDSL_DUMP` writes all of it to files.

Levels: 1 the time of each phase; 2 the passes, their times, how often each rule applied; 3 the tensor IR after each
pass that changed it; 4 groups, cuts with their rules, the program, and the variant of each plan; 5 LLVM text.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.fusion.printer import show_group
from tensordsl.codegen.program_ir.instructions import LaunchPlan


@record(eq=False, frozen=False)
class PassReport:
    """One pass: its time in ms, uses of each rule, whether it changed anything, and an error it was skipped for."""

    name: str
    ms: float = 0.0
    hits: dict[str, int] = field(default_factory=dict)
    changed: bool = False
    error: str = ""

    def __str__(self) -> str:
        hits = ", ".join(f"{rule} ({n})" if n > 1 else rule for rule, n in self.hits.items())
        state = self.error or hits or ("changed" if self.changed else "-")
        return f"  {self.name:<18} {self.ms:7.2f} ms  {state}"


def level() -> int:
    """The level in the environment.  Raises ValueError where it is no number."""
    text = os.environ.get("TENSORDSL_DEBUG", "")
    if text and not text.isdigit():
        raise ValueError(f"TENSORDSL_DEBUG must be a number from 0 to 5, got {text!r}")
    return int(text or 0)


class Trace:
    """Of one compile: phases with their times, passes, and texts that are made only if printed or dumped."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.phases: list[tuple[str, float]] = []
        self.passes: list[PassReport] = []
        self.level = level()
        self._folder = _folder(name)
        self._files = 0
        self._clock = time.perf_counter()

    @property
    def is_on(self) -> bool:
        return bool(self.level or self._folder)

    def phase(self, name: str) -> None:
        """The phase `name` ends now."""
        now = time.perf_counter()
        self.phases.append((name, 1e3 * (now - self._clock)))
        self._clock = now

    def text(self, rung: int, title: str, make: Callable[[], str]) -> None:
        """Print a text from level `rung` on; write it to a file where dumps are requested."""
        if self.level < rung and not self._folder:
            return
        made = make()
        if self.level >= rung:
            print(f"-- {self.name}: {title}\n{made}", file=sys.stderr)
        if self._folder:
            path = os.path.join(self._folder, f"{self._files:02d}-{title.replace(' ', '-')}.txt")
            self._files += 1
            with open(path, "w", encoding="utf-8") as file:
                file.write(made + "\n")
        self._clock = time.perf_counter()  # printing is no part of a phase

    def finish(self) -> None:
        self.text(2, "passes", lambda: "\n".join(map(str, self.passes)))
        times = "  ".join(f"{name} {ms:.1f}" for name, ms in self.phases)
        self.text(1, "times in ms", lambda: f"  {times}  total {sum(ms for _, ms in self.phases):.1f}")


def _folder(name: str) -> str:
    """A new folder for this compile's files, "" if none are requested."""
    parent = os.environ.get("TENSORDSL_DUMP", "")
    if not parent:
        return ""
    os.makedirs(parent, exist_ok=True)
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
    folder = os.path.join(parent, f"{len(os.listdir(parent)):03d}-{safe}")
    os.makedirs(folder, exist_ok=True)
    return folder


def groups_text(regions: dict[Any, Any]) -> str:
    """The groups of each region, and the rule of each cut."""
    lines = []
    for context, region in regions.items():
        lines.append(f"region {'/'.join('-'.join(map(str, part)) for part in context) or 'function'}")
        for value, rule in sorted(region.cuts.items()):
            lines.append(f"  cut %{value}: {rule}")
        for step in region.steps:
            gives = ", ".join(f"%{n}" for n in step.gives)
            if step.fused is None:
                lines.append(f"  {gives} = {step.value.op}")
            else:
                lines += [f"  {gives} = group", *(f"    {line}" for line in show_group(step.fused.group).splitlines())]
    return "\n".join(lines)


def plans_text(plans: Sequence[LaunchPlan]) -> str:
    """Each plan with the variant that it is (`variants.selection`), and when a call chooses it."""
    lines = []
    for number, plan in enumerate(plans):
        lanes = f" with lanes along {plan.schedule.lane}" if plan.schedule and plan.schedule.lane else ""
        when = f", where {plan.when}" if plan.when else ""
        lines.append(f"  plan{number}: {plan.variant or 'usual'}{lanes}{when}")
    return "\n".join(lines)
