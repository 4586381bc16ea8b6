# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from typing import Any
from tensordsl.signature.random import *
from tensordsl.signature.generators import GeneratorVariable as GeneratorVariable
from tensordsl.signature.generators import RandomStream as RandomStream
from tensordsl.signature.generators import as_generator as as_generator
from tensordsl.signature.generators import default_rng as default_rng
from tensordsl.signature.generators import random_generator_type as random_generator_type


def __getattr__(name: str) -> Any: ...
