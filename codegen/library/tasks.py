"""Parallel tasks of kernels: a job is a struct that all tasks of one call share.

Contract  a task is `void task(job, i)`; `share` runs all of them by a pool of threads.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer
from tensordsl.codegen.kernel_ir.structs import Fields
from tensordsl.codegen.kernel_ir.types import Signature, i1, i64, ptr, signature
from tensordsl.codegen.target.tuning import Tuning

PARALLEL_FOR = signature("parallel_for", pool=ptr, part=ptr, job=ptr, count=i64)

IS_AWAKE = signature("is_awake", i1, pool=ptr, ns=i64)


def task_signature(name: str) -> Signature:
    return signature(name, job=ptr, i=i64)


def share(k: Kernel, pool: Pointer, task: Signature, job: Fields, count: Any) -> None:
    """All tasks, by the threads of a pool."""
    parallel_for = pool.bytes(layouts.TH["parallel_for"]).of(ptr)[0]
    k.call_at(parallel_for, PARALLEL_FOR, pool, k.address(task), job.place, count)


def wanted_threads(pool: Pointer) -> Number:
    """How many there are to share tasks, with the one that calls."""
    return pool.bytes(layouts.TH_WANTED).of(i64)[0] + 1  # type: ignore[no-any-return]  # of any type


def leave_unless_worth(k: Kernel, t: Tuning, pool: Pointer, work: Number, least: Any) -> None:
    """Leave the block around, a `Kernel.once`, unless there is a pool, and so many ns of work are worth its threads, as
    they are now, awake or asleep."""
    with k.when(pool == k.null):
        k.leave()
    with k.when(work < t.tasks.wake_min_ns):
        with k.when(work < least):
            k.leave()
        is_awake = pool.bytes(layouts.TH["is_awake"]).of(ptr)[0]
        with k.when(~k.call_at(is_awake, IS_AWAKE, pool, work)):
            k.leave()
