# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.ops.kinds import IncSubtensor as IncSubtensor
from tensordsl.ops.kinds import Subtensor as Subtensor
from tensordsl.ops.write import inc_subtensor as inc_subtensor
from tensordsl.ops.write import set_subtensor as set_subtensor
from tensordsl.ops.index import take as take

__all__ = ["IncSubtensor", "Subtensor", "inc_subtensor", "set_subtensor", "take"]
