"""Stub."""

from __future__ import annotations

from tensordsl.base.records import record


@record
class Tuning:
    off: frozenset[str] = frozenset()
    forced: frozenset[str] = frozenset()

    def allows(self, name: str) -> bool:
        return name not in self.off


DEFAULT = Tuning()
