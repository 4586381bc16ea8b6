"""Theano's flags: the environment variable `THEANO_FLAGS`, and the rc files that `THEANORC` names, else `~/.theanorc`.

Options that this library has too take their values from there: `floatX`, `mode`, `optimizer`, `compute_test_value`,
`warn.*`, ...; of `device` only `cpu`.  Everything else is ignored, with a warning that names it.  What this library's
own variable `TENSORDSL_FLAGS` or `~/.tensordslrc` say comes first.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable

from tensordsl.base.config import OPTIONS, config, given_options, parse_rc

# Options whose values mean something else here.
OF_MACHINES = frozenset({"compiledir", "cpu", "cublas", "cuda_driver", "device", "fastmath", "num_threads"})
NO_DEVICE = "device={} (functions run on the CPU; TENSORDSL_FLAGS=device=... asks for a GPU, see docs/gpu.md)"


def read_flags() -> None:
    """Set the options that Theano's flags give; warn of those that have no effect."""
    decided = given_options()
    for source, pairs in ((path, _of_file(path)) for path in _rc_files()):
        _set(source, pairs, decided)
    _set("THEANO_FLAGS", _of_text(os.environ.get("THEANO_FLAGS", "")), decided)


def _set(source: str, pairs: Iterable[tuple[str, str]], decided: frozenset[str]) -> None:
    ignored = []
    for name, value in pairs:
        if name == "device":
            ignored += [] if value == "cpu" else [NO_DEVICE.format(value)]
        elif name not in OPTIONS or name in OF_MACHINES:
            ignored.append(name)
        elif name not in decided:
            try:
                setattr(config, name, value)
            except ValueError:
                ignored.append(f"{name}={value}")
    if ignored:
        warnings.warn(f"{source}: without effect in tensordsl: {', '.join(ignored)}", stacklevel=4)


def _of_text(text: str) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _of_file(path: str) -> list[tuple[str, str]]:
    with open(path, encoding="utf-8") as file:
        return list(parse_rc(file.read()))


def _rc_files() -> list[str]:
    named = os.environ.get("THEANORC", "~/.theanorc")
    paths = [os.path.expanduser(path) for path in named.split(os.pathsep) if path]
    return [path for path in paths if os.path.isfile(path)]
