"""Makers of rows of `scalar_ir.repetition` for special functions.

Contract   steps and starts are functions of terms.  `once`: a function, whose only round is the first one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.codegen.scalar_ir.repetition import Repetition
from tensordsl.codegen.scalar_ir.terms import in_terms


def loop(name: str, start: Callable[..., Any], step: Callable[..., Any], limit: int) -> Repetition:
    return Repetition(name, "float64", in_terms(step), limit, start=in_terms(start), is_long=True)


def once(name: str, step: Callable[..., Any]) -> Repetition:
    return Repetition(name, "float64", in_terms(step), 1, is_long=True)
