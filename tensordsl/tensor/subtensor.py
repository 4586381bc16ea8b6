"""`T.subtensor`: writing to parts of tensors."""

from __future__ import annotations

from tensordsl.ops.index import take
from tensordsl.ops.kinds import IncSubtensor, Subtensor
from tensordsl.ops.write import inc_subtensor, set_subtensor

__all__ = ["IncSubtensor", "Subtensor", "inc_subtensor", "set_subtensor", "take"]
