# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from typing import Any
from tensordsl.tensor.special import *


def __getattr__(name: str) -> Any: ...
