"""`T.nnet.bn`: batch normalisation."""

from __future__ import annotations

from tensordsl.ops.normalise import batch_normalization, batch_normalization_test, batch_normalization_train

__all__ = ["batch_normalization", "batch_normalization_test", "batch_normalization_train"]
