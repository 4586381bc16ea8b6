"""Entries of the run-time table (`abi.layouts.RT`) in kernels, and calls of functions that stand there."""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.language import Kernel, Pointer
from tensordsl.codegen.kernel_ir.types import Type, i32, ptr, signature

GET_SPECIFIC = signature("pthread_getspecific", ptr, key=i32)


def entry(rt: Pointer, name: str, kind: Type = ptr) -> Any:
    """What stands there now."""
    return rt.bytes(layouts.RT[name]).of(kind)[0]


def watch_of_worker(k: Kernel, rt: Pointer) -> Pointer:
    """The watch of a thread of the pool, NULL in another one."""
    key = entry(rt, "watch_key", i32)
    return k.call_at(entry(rt, GET_SPECIFIC.name), GET_SPECIFIC, key)  # type: ignore[no-any-return]  # of any type
