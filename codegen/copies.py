"""Copies of straight-line LLVM text, whose values have names of their own: what is done for several vectors or rows at
once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NAME = re.compile(r"%[\w.]+")


def defined(lines: Iterable[str]) -> set[str]:
    """The names of the values that the lines compute."""
    return {line.split(" = ", 1)[0].strip() for line in lines if line.startswith("  %")}


def renamed(lines: Sequence[str], names: dict[str, str]) -> list[str]:
    return [_NAME.sub(lambda m: names.get(m[0], m[0]), line) for line in lines]


def is_straight(*texts: Sequence[str]) -> bool:
    """Are there no blocks in them?"""
    return not any(line.endswith(":") for lines in texts for line in lines)
