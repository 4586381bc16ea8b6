"""Parallel tasks of the library's functions: a job is a block of words that all tasks of one call share.

Contract  `Job` names the words; a task is `void task(ptr job, i64 k)`; `share` runs all by a pool of threads.
When      `if_worth`: the pool is there, and the estimated work is worth its threads as they are now, awake or asleep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.target.tuning import Tuning


class Job:
    """The words of a job by the names of `params` ("type name"): a function's parameters, and what else parts need."""

    def __init__(self, params: Sequence[str]) -> None:
        self.kinds = {name: kind for kind, name in map(str.split, params)}
        self.words = {name: k for k, name in enumerate(self.kinds)}

    def made(self, c: Function, values: Mapping[str, object]) -> str:
        """A job on the stack.  Words that have no value yet are not set."""
        job = c.op(f"alloca i64, i64 {len(self.words)}, align 8")
        for name, value in values.items():
            self.put(c, job, name, value)
        return job

    def put(self, c: Function, job: str, name: str, value: object) -> None:
        if self.kinds[name] == "i1":
            c.put(c.as_i64(value), job, self.words[name])
        else:
            c.put(value, job, self.words[name], self.kinds[name])

    def get(self, c: Function, name: str, job: str = "%job") -> str:
        if self.kinds[name] == "i1":
            return c.ne(c.get(job, self.words[name]), 0)
        return c.get(job, self.words[name], self.kinds[name])

    def given(self, c: Function) -> dict[str, str]:
        """The words of the parameter %job by name."""
        return {name: self.get(c, name) for name in self.words}


def named(params: Sequence[str]) -> dict[str, str]:
    """The values of a function's own parameters by name."""
    return {name: f"%{name}" for _, name in map(str.split, params)}


def operands(params: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Those of a call with such parameters."""
    return [f"{kind} {values[name]}" for kind, name in map(str.split, params)]


def if_worth(c: Function, t: Tuning, pool: str, work: str, least: str | int, shared: str, alone: str) -> None:
    """Go on at `shared` if there is a pool, and so many ns of work are worth its threads, as they are now."""
    there, small, is_pooled = c.label("there"), c.label("small"), c.label("ask")
    c.branch(c.not_null(pool), there, alone)
    c.place(there)
    c.branch(c.ge(work, t.tasks.wake_min_ns), shared, small)
    c.place(small)
    c.branch(c.ge(work, least), is_pooled, alone)
    c.place(is_pooled)
    is_awake = c.load("ptr", pool, layouts.TH["is_awake"])
    c.branch(c.call("i1", is_awake, f"ptr {pool}", f"i64 {work}"), shared, alone)


def share(c: Function, pool: str, part: str, job: str, count: str) -> None:
    """All parts, by the threads of a pool."""
    parallel = c.load("ptr", pool, layouts.TH["parallel_for"])
    c.call("void", parallel, f"ptr {pool}", f"ptr @{part}", f"ptr {job}", f"i64 {count}")
