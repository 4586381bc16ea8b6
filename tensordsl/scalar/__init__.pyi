# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from typing import Any
from tensordsl.compat.scalars import *
from tensordsl.scalar import basic as basic
from tensordsl.scalar import sharedvar as sharedvar


def __getattr__(name: str) -> Any: ...
