"""`theano.compat.six.moves`: modules and functions under the names that both Pythons' programs used."""

from __future__ import annotations

import builtins
import configparser
import copyreg
import pickle as cPickle
import queue
import urllib
from functools import reduce
from io import StringIO
from itertools import filterfalse, zip_longest

__all__ = [
    "StringIO", "builtins", "cPickle", "cStringIO", "configparser", "copyreg", "filter", "filterfalse", "input", "map",
    "queue", "range", "reduce", "urllib", "xrange", "zip", "zip_longest",
]  # fmt: skip

cStringIO, xrange = StringIO, range
filter, input, map, range, zip = filter, input, map, range, zip
