# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from typing import Any
from tensordsl.graph.printing import *
from tensordsl.ops.control import Print as Print


def __getattr__(name: str) -> Any: ...
