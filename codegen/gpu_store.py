"""A device's program as bytes, for the disk cache: what a warm start needs instead of the compiler.

Of reducers there are their names: launches look at maps and lengths alone.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tensordsl.codegen.gpu_program import GpuStep
from tensordsl.codegen.gpu_schedule import GpuPlan
from tensordsl.codegen.group import Reducer
from tensordsl.codegen.group_store import GroupPickler
from tensordsl.codegen.program import Program

LIMIT = 64 << 20  # bytes: larger programs, which hold large constants, are not kept


def to_bytes(program: Program, steps: Sequence[GpuStep], text: str) -> bytes | None:
    """A program, its steps and the text of its kernels; None if it is too large."""
    plans = [replace(plan, group=None) for plan in program.plans]
    bare = []
    for plan, step in zip(plans, steps, strict=True):
        turns = tuple(replace(turn, copy=_bare(turn.copy)) for turn in step.turns)
        bare.append(GpuStep(plan, _bare(step.kernels), turns))
    out = io.BytesIO()
    _Pickler(out, pickle.HIGHEST_PROTOCOL).dump((replace(program, plans=plans), bare, text))
    return out.getvalue() if out.tell() <= LIMIT else None


def _bare(plan: GpuPlan) -> GpuPlan:
    """A plan without its texts."""
    kernels = tuple(replace(k, text="", declarations=frozenset(), functions={}) for k in plan.kernels)
    return replace(plan, kernels=kernels, text="")


def from_bytes(blob: bytes) -> tuple[Program, list[GpuStep], str]:
    """Of `to_bytes`."""
    program, steps, text = pickle.loads(blob)
    return program, steps, text


def _reducer(name: str) -> Reducer:
    def none(*_: Any) -> Any:
        raise AssertionError(f"the reduction {name} of a stored program has no text")

    return Reducer(name, none, none, none, none)


class _Pickler(GroupPickler):
    reducer = staticmethod(_reducer)
