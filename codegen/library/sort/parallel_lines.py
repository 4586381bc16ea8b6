"""Elementwise steps of sorting (keys, copies) on a long line, in tasks that threads share.

Contract  `in_parts(each, line, pool)`: `each` on every part; true if it is of any.
When      `sort.parallel_quicksort` shares the same line out.
"""

from __future__ import annotations

from tensordsl.codegen.library.parallel import Job, named, operands, share
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.target.tuning import ANY, Tuning

TASKS, TASK_MULTIPLE = 16, 64  # of a line; numbers of which a task has a multiple
LINE_PARAMS = ("ptr x", "i64 n", "i64 x_step", "ptr y", "i64 y_step", "i64 first")
JOB = Job(("ptr each", *LINE_PARAMS, "i64 found"))


def text(t: Tuning) -> str:
    """`i1 @in_parts(each, x, n, x_step, y, y_step, first, pool)`: `each`, a function of what stands between, of a line
    whose first element has the number `first`; whether it is true of some part."""
    return _part() + _in_parts(t)


def _part() -> str:
    f = Function("void", "in_parts.part", ("ptr job", "i64 k"), internal=True)
    given = JOB.given(f)
    first, given["n"] = part_of(f, given["n"], "%k")
    given["first"] = f.add(given["first"], first)
    for place in ("x", "y"):
        given[place] = f.gep(given[place], f.mul(first, given[f"{place}_step"]))
    with f.when(f.call("i1", given["each"], *operands(LINE_PARAMS, given))):
        f.do(f"store atomic i64 1, ptr {f.word('%job', JOB.words['found'])} monotonic, align 8")
    return f.end()


def parallel_min_keys(t: Tuning) -> int:
    """Keys of a line that threads share out."""
    return t.sort.parallel_min_keys if t.allows("parallel_quicksort") else ANY


def part_of(f: Function, n: str, k: str) -> tuple[str, str]:
    """Where the k-th part of n numbers begins, and how many they are, none if it is no more than 0."""
    size = f.and_(f.add(f.udiv(n, TASKS), TASK_MULTIPLE), -TASK_MULTIPLE)
    first = f.mul(k, size)
    return first, f.min(size, f.sub(n, first))


def parts_of(f: Function, n: str) -> str:
    """How many parts may have some of n numbers."""
    return f.choose(f.le(n, TASK_MULTIPLE), 1, TASKS)


def _in_parts(t: Tuning) -> str:
    f = Function("i1", "in_parts", ("ptr each", *LINE_PARAMS, "ptr pool"), internal=True)
    with f.when(f.any(f.is_null("%pool"), f.lt("%n", parallel_min_keys(t)))):
        f.ret("i1", f.call("i1", "%each", *passed(LINE_PARAMS)))
    job = JOB.made(f, named(("ptr each", *LINE_PARAMS)) | {"found": "0"})
    share(f, "%pool", "in_parts.part", job, str(TASKS))
    return f.end("i1", f.ne(JOB.get(f, "found", job), 0))
