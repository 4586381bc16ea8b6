"""`import theano` and the modules below it, answered by this library's modules, from `install()` to `uninstall()`.

`theano.tensor` *is* `tensordsl.tensor`, and so with every module below; `theano` itself is a module of its own, which
has the names of `tensordsl` and Theano's last version.  A module that only tensordsl has is not found below `theano`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

THEANO = "theano"
VERSION = "1.0.5"  # what programs compare: the last one, whose names and answers are the model


class TheanoFinder:
    """Asked first, about `theano` and what is below it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        loader: Any
        if name == THEANO:
            loader = RootLoader()
            return ModuleSpec(name, loader, origin="tensordsl.compat", is_package=True)
        if not name.startswith(f"{THEANO}."):
            return None
        from tensordsl.base.missing import refuse_module
        from tensordsl.base.theano_names import path_of  # late: the table is loaded at the first import

        if path := path_of(name.removeprefix(f"{THEANO}.")):
            try:
                loader = SameLoader(name, import_module(f"tensordsl.{path}"))
                return ModuleSpec(name, loader, origin="tensordsl.compat")
            except ImportError as error:  # this module or a package above it
                if not f"tensordsl.{path}.".startswith(f"{error.name}."):
                    raise
        refuse_module(name)
        # Not None: another finder would load files of this library a second time, under Theano's name.
        raise ModuleNotFoundError(f"No module named {name!r}: {THEANO} is answered by tensordsl.compat", name=name)


class RootLoader:
    """Makes the module `theano`."""

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        root = import_module("tensordsl")
        version = ModuleType(f"{THEANO}.version", "The version whose names and answers are the model.")
        vars(version).update(version=VERSION, full_version=VERSION, short_version=VERSION.rpartition(".")[0])
        sys.modules[version.__name__] = version
        module.__doc__ = root.__doc__
        vars(module).update(
            __version__=VERSION, version=version, __all__=[*root.__all__],
            __getattr__=self.find, __dir__=lambda: dir(root),
        )  # fmt: skip

    @staticmethod
    def find(name: str) -> Any:
        """A name of `theano` that is none of its modules which have been imported."""
        from tensordsl.base.theano_names import MOVED  # late, as above

        return import_module(f"{THEANO}.{name}") if name in MOVED else getattr(import_module("tensordsl"), name)


class SameLoader:
    """Gives a module of this library again; its own description stays."""

    def __init__(self, name: str, module: ModuleType) -> None:
        self.name, self.module, self.spec = name, module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        from tensordsl.base.theano_names import path_of  # late, as above

        module.__spec__ = self.spec
        # Modules below that are loaded have their second names at once: the import system would bind what it loads in
        # the package, in the place of a function of that name (`tensor.var`).
        for name, below in list(sys.modules.items()):
            package, _, last = name.rpartition(".")
            second = f"{self.name}.{last}"
            if package == module.__name__ and path_of(second.removeprefix(f"{THEANO}.")):
                sys.modules.setdefault(second, below)


def is_installed() -> bool:
    return any(isinstance(finder, TheanoFinder) for finder in sys.meta_path)


def install() -> None:
    """From now on, `import theano` gives this library; a second call has no effect.

    Truth is as in Theano (`config.symbolic_truth`).  Flags in the environment variable `THEANO_FLAGS` and in
    `~/.theanorc` are read (`tensordsl.compat.flags`), but for those that `TENSORDSL_FLAGS` or `~/.tensordslrc` give.
    Theano's pickles find classes here by their names there.
    Raises RuntimeError where another `theano` has been imported.

    >>> install()
    >>> import theano, tensordsl
    >>> theano.function is tensordsl.function
    True
    >>> from theano import sparse
    Traceback (most recent call last):
        ...
    ImportError: there is no module theano.sparse: neither built nor planned yet (docs/porting.md)
    >>> uninstall()
    """
    if is_installed():
        return
    if THEANO in sys.modules:
        place = getattr(sys.modules[THEANO], "__file__", None) or "unknown place"
        raise RuntimeError(
            f"tensordsl.compat.install: {THEANO} has been imported already ({place}); call install() before the first "
            f"`import theano`, or run the program by `python -m tensordsl.compat program.py`"
        )
    from tensordsl.base.config import config, given_options  # late: only this needs them
    from tensordsl.compat.flags import read_flags

    read_flags()
    if "symbolic_truth" not in given_options():
        config.symbolic_truth = "theano"
    sys.meta_path.insert(0, TheanoFinder())


def uninstall() -> None:
    """`import theano` means again what it meant before `install()`, and `config.symbolic_truth` has its default; what
    programs have imported, and options that Theano's flags have set, stay as they are.

    >>> uninstall()
    """
    if not is_installed():
        return
    from tensordsl.base.config import OPTIONS, config, given_options  # late, as in `install`

    if "symbolic_truth" not in given_options():
        config.symbolic_truth = OPTIONS["symbolic_truth"].default
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, TheanoFinder)]
    for name in [name for name in sys.modules if name == THEANO or name.startswith(f"{THEANO}.")]:
        del sys.modules[name]
