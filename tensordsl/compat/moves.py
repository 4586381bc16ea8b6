"""`theano.compat.six.moves`: modules and functions under the names that both Pythons' programs used."""

from __future__ import annotations

import builtins
import configparser
import copyreg
import pickle as cPickle
import queue
from functools import reduce
from io import StringIO
from itertools import filterfalse, zip_longest
from typing import Any

__all__ = [
    "StringIO", "builtins", "cPickle", "cStringIO", "configparser", "copyreg", "filter", "filterfalse", "input", "map",
    "queue", "range", "reduce", "xrange", "zip", "zip_longest",
]  # fmt: skip

cStringIO, xrange = StringIO, range
filter, input, map, range, zip = filter, input, map, range, zip


def __getattr__(name: str) -> Any:
    if name == "urllib":
        import urllib.request  # late: it takes longer than all the others

        return urllib
    raise AttributeError(f"module 'theano.compat.six.moves' has no attribute {name!r}")
