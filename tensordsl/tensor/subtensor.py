"""`T.subtensor`: writing to parts of tensors."""

from __future__ import annotations

from tensordsl.ops.index import inc_subtensor, set_subtensor, take

__all__ = ["inc_subtensor", "set_subtensor", "take"]
