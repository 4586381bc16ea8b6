"""`sandbox.softsign`: where `softsign` once was."""

from __future__ import annotations

from tensordsl.ops.nnet import softsign

__all__ = ["softsign"]
