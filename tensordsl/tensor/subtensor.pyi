# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.kinds import AdvancedBooleanIncSubtensor as AdvancedBooleanIncSubtensor
from tensordsl.ops.kinds import AdvancedBooleanSubtensor as AdvancedBooleanSubtensor
from tensordsl.ops.kinds import AdvancedIncSubtensor as AdvancedIncSubtensor
from tensordsl.ops.kinds import AdvancedIncSubtensor1 as AdvancedIncSubtensor1
from tensordsl.ops.kinds import AdvancedSubtensor as AdvancedSubtensor
from tensordsl.ops.kinds import AdvancedSubtensor1 as AdvancedSubtensor1
from tensordsl.ops.kinds import BaseAdvancedIncSubtensor as BaseAdvancedIncSubtensor
from tensordsl.ops.kinds import BaseAdvancedSubtensor as BaseAdvancedSubtensor
from tensordsl.ops.kinds import IncSubtensor as IncSubtensor
from tensordsl.ops.kinds import Subtensor as Subtensor
from tensordsl.ops.array.write import inc_subtensor as inc_subtensor
from tensordsl.ops.array.write import set_subtensor as set_subtensor
from tensordsl.ops.array.index import take as take

__all__ = ["AdvancedBooleanIncSubtensor", "AdvancedBooleanSubtensor", "AdvancedIncSubtensor", "AdvancedIncSubtensor1", "AdvancedSubtensor", "AdvancedSubtensor1", "BaseAdvancedIncSubtensor", "BaseAdvancedSubtensor", "IncSubtensor", "Subtensor", "inc_subtensor", "set_subtensor", "take"]
