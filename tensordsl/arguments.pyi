# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from typing import Any
from tensordsl.signature.arguments import *
from tensordsl.graph.conversion import convert as convert


def __getattr__(name: str) -> Any: ...
