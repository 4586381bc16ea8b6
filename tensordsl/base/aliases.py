"""Modules made of rows of `tensordsl.base.theano_names`: a name is looked up where it lives at its first use.

So a row costs nothing until somebody imports it, and what it names is loaded no earlier than it is used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from tensordsl.base.theano_names import ROWS, submodules

PACKAGE = "tensordsl."


class RowLoader:
    """What the import system asks to make the module of a row.  (Not derived from `importlib.abc.Loader`, whose import
    takes longer than the table's.)"""

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        row = module.__name__.removeprefix(PACKAGE)
        module.__doc__ = f"Theano's module `{row}`: names that live in {', '.join(ROWS[row]) or 'its modules'}."
        vars(module).update(__getattr__=_lookup(module, row), __dir__=lambda: names_of(row))
        for name in hidden_modules(row):
            load_aside(f"{module.__name__}.{name}")


def hidden_modules(row: str) -> list[str]:
    """The modules of a row that bear the name of one of its functions, as `compile.pfunc` does."""
    return sorted({*submodules(row)} & {*_origins(row)})


def load_aside(name: str) -> None:
    """Load a module that bears the name of a function of its package.  Importing it later would put the module in the
    function's place."""
    module = sys.modules[name] = ModuleType(name)
    module.__spec__ = spec_of(name)
    RowLoader().exec_module(module)


def spec_of(name: str) -> ModuleSpec | None:
    """The import system's description of a module that is a row; None for others."""
    row = name.removeprefix(PACKAGE)
    if row not in ROWS:
        return None
    loader: Any = RowLoader()
    # Each is a package: so `from module import name` asks for a module of a name that is missing, and is told why.
    return ModuleSpec(name, loader, origin="tensordsl.base.theano_names", is_package=True)


def module_below(package: str, name: str, known: Iterable[str]) -> ModuleType:
    """The row's module that is `name` of `package`.  Raises AttributeError for a name that is none, nor one of those
    that are `known` there."""
    below = submodules(package.removeprefix("tensordsl").removeprefix("."))
    if name in below:
        return import_module(f"{package}.{name}")
    from tensordsl.base.missing import missing  # late: only errors need it

    raise missing(package, name, (*known, *below))


def names_of(row: str) -> list[str]:
    """Every public name of a row's module, its modules among them.

    >>> names_of("sandbox.rng_mrg")
    ['MRG_RandomStreams', 'RandomStreams']
    """
    found = {*_origins(row), *submodules(row)}
    for origin in _complete_origins(row):
        module = import_module(PACKAGE + origin)
        found.update(getattr(module, "__all__", None) or dir(module))
    return sorted(name for name in found if not name.startswith("_"))


def _origins(row: str) -> dict[str, tuple[str, str]]:
    """For each name of the row its module, and its name there."""
    found = {}
    for origin, names in ROWS[row].items():
        for name in names.split() if names != "*" else ():
            new, _, old = name.partition("=")
            found[new] = origin, old or new
    return found


def _complete_origins(row: str) -> list[str]:
    """The modules of which the row has every name."""
    return [origin for origin, names in ROWS[row].items() if names == "*"]


def _lookup(module: ModuleType, row: str) -> Callable[[str], Any]:
    """The `__getattr__` of a row's module."""
    origins, complete, below = _origins(row), _complete_origins(row), submodules(row)

    def __getattr__(name: str) -> Any:
        if name in origins:
            origin, old = origins[name]
            value = vars(module)[name] = getattr(import_module(PACKAGE + origin), old)
            return value
        if name == "__all__":
            return names_of(row)
        known = tuple(origins)
        if complete and not name.startswith("__") and name not in below:
            whole = import_module(PACKAGE + complete[0])
            try:
                return getattr(whole, name)
            except AttributeError:
                known += tuple(dir(whole))
        return module_below(module.__name__, name, known)

    return __getattr__
