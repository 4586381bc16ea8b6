"""Modes: how a function is compiled and run, from the fast default to executions that look for mistakes.

FAST_RUN       all passes, native code (the default)
FAST_COMPILE   required passes only: the shortest compile
REFERENCE      NumPy, op by op, without the compiler
DebugMode      every value checked, and the compiled function compared with the reference
NanGuardMode   names the node that makes a NaN, an infinity or a huge value
MonitorMode    calls the user's functions before and after each node
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, ClassVar

from tensordsl.base.config import config

OPTIMIZERS = {
    "default": "fast_run", "merge": "fast_compile", "fast_run": "fast_run", "fast_compile": "fast_compile",
    "None": "None", "o0": "None", "o1": "fast_compile", "o2": "fast_run", "o3": "fast_run", "o4": "fast_run",
    "unsafe": "fast_run", "stabilize": "fast_run", "fast_run_stable": "fast_run",
}  # fmt: skip


class Mode:
    """How a function is compiled.

    Parameters
    ----------
    linker : accepted for Theano's sake ("py", "cvm", ...); "py" means the reference evaluator.
    optimizer : "fast_run", "fast_compile" or None.
    name : what `str(mode)` is.
    executor : who runs the function: "native", "reference", "debug", "nan_guard" or "monitor".

    The attributes can be set, for functions that are compiled later; `clone`, `including`, `excluding` and `forcing`
    give copies of the same class.  `excluded`, `included` and `forced` hold names of optimisations
    (docs/optimisations.md; `python -m tensordsl.passes` prints them); `tuning` is the compiler's
    `codegen.target.tuning.Tuning`, None for the machine's own.

    >>> careful = DebugMode()
    >>> careful.check_isfinite = False
    >>> careful.excluding("stabilise").check_isfinite
    False
    """

    _settings: ClassVar[tuple[str, ...]] = ()
    excluded: frozenset[str] = frozenset()
    included: frozenset[str] = frozenset()
    forced: frozenset[str] = frozenset()
    tuning: Any = None

    def __init__(self, linker: Any = None, optimizer: Any = "default", name: str = "", executor: str = "") -> None:
        for part in (name, executor, linker):
            if not isinstance(part, str | None):
                raise TypeError(f"Mode: names, linkers and executors must be strings, got {part!r}")
        self.linker = self.provided_linker = linker
        self.optimizer = optimizer
        self.executor = executor or ("reference" if linker == "py" else "native")
        self.name = name or "Mode"

    @property
    def optimizer(self) -> str:
        """Which passes the compiler runs: "fast_run", "fast_compile" or "None"."""
        return OPTIMIZERS[str(self.provided_optimizer)]

    @optimizer.setter
    def optimizer(self, given: Any) -> None:
        if str(given) not in OPTIMIZERS:
            raise ValueError(f'Invalid optimizer ("{given}") for Mode. Valid options are {tuple(OPTIMIZERS)}')
        self.provided_optimizer = given

    @property
    def settings(self) -> dict[str, Any]:
        """What the executor asks of the mode."""
        return {name: getattr(self, name) for name in self._settings}

    def clone(self, link_kwargs: Any = None, optimizer: Any = "", **_: Any) -> Mode:
        """A copy; with another choice of passes if `optimizer` is given."""
        other = copy(self)
        if optimizer != "":
            other.optimizer = optimizer
        return other

    def excluding(self, *names: str) -> Mode:
        """The same mode without some optimisations.

        Raises ValueError for names of none, and of those that the library has for the whole process: these are switched
        by `config.optimizer_excluding`.  A name of Theano's rewrites means those of ours that do the same ("inplace",
        "constant_folding", "fusion", ...); where there are none, it has no effect, and a warning says so.

        >>> FAST_RUN.excluding("no_such_thing")
        Traceback (most recent call last):
          ...
        ValueError: there is no optimisation 'no_such_thing' (`python -m tensordsl.passes` prints all)
        """
        own = self._own(names, "excluding")
        other = self.clone()
        other.excluded, other.included = self.excluded | own, self.included - own
        other.forced = self.forced - own
        return other

    def including(self, *names: str) -> Mode:
        """The same mode with some optional passes, which it may have left out."""
        own = self._own(names, "including")
        other = self.clone()
        other.included, other.excluded = self.included | own, self.excluded - own
        return other

    def forcing(self, *names: str) -> Mode:
        """The same mode with some optimisations wherever they are possible, whether they pay or not: for tests.

        Raises ValueError for those that have no such form."""
        own = self._own(names, "forcing")
        other = self.clone()
        other.forced, other.excluded = self.forced | own, self.excluded - own
        return other

    @staticmethod
    def _own(names: Sequence[str], switch: str) -> frozenset[str]:
        from tensordsl.codegen.compiler.optimisations import known_names  # late: the table of the compiler

        return known_names(names, switch)

    requiring = including

    def register(self, *optimizations: Any) -> Mode:
        """Theano's way to add rewrites that the program brings along.  Raises NotImplementedError for any."""
        if optimizations:
            raise NotImplementedError(
                "Mode.register: rewrites are rules and passes of the library (docs/adding-a-rule.md), not of a program"
            )
        return self.clone()

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: optimizer={self.optimizer!r}, executor={self.executor!r}>"


class DebugMode(Mode):
    """Check every intermediate value, and the compiled function against the reference evaluator, at each call.

    check_isfinite : NaN and infinities raise InvalidValueError.
    check_c_code : compile the function and compare it with the reference evaluator, which runs in any case.
    The other parameters are accepted for Theano's sake.
    """

    _settings = ("check_isfinite",)

    def __init__(
        self,
        optimizer: Any = "fast_run",
        stability_patience: int | None = None,
        check_c_code: bool | None = None,
        check_py_code: bool | None = None,
        check_isfinite: bool | None = None,
        check_preallocated_output: Any = None,
        require_matching_strides: bool | None = None,
        linker: Any = None,
    ) -> None:
        super().__init__(linker, optimizer, "DebugMode", "debug")
        self.check_c_code, self.check_py_code = check_c_code is not False, check_py_code is not False
        if not (self.check_c_code or self.check_py_code):
            raise ValueError("DebugMode has to check the compiled code or the reference evaluator's, or both")
        self.check_isfinite = check_isfinite is not False
        self.stability_patience, self.check_preallocated_output = stability_patience, check_preallocated_output
        self.require_matching_strides = require_matching_strides


class NanGuardMode(Mode):
    """Raise AssertionError where an input, an intermediate or an output is NaN, infinite or beyond 1e10."""

    _settings = ("big_is_error", "inf_is_error", "nan_is_error")

    def __init__(
        self,
        nan_is_error: bool | None = None,
        inf_is_error: bool | None = None,
        big_is_error: bool | None = None,
        optimizer: Any = "default",
        linker: Any = None,
    ) -> None:
        super().__init__(linker, optimizer, "NanGuardMode", "nan_guard")
        self.nan_is_error, self.inf_is_error = _or_true(nan_is_error), _or_true(inf_is_error)
        self.big_is_error = _or_true(big_is_error)


def _or_true(flag: bool | None) -> bool:
    return flag is None or bool(flag)


class MonitorMode(Mode):
    """Call `pre_func(i, node, fn)` before and `post_func(i, node, fn)` after each node i.

    `fn.inputs` and `fn.outputs` are lists of one-element lists, as in Theano: `[value[0] for value in fn.inputs]`.
    """

    _settings = ("pre_func", "post_func")

    def __init__(
        self,
        pre_func: Callable[[int, Any, Any], None] | None = None,
        post_func: Callable[[int, Any, Any], None] | None = None,
        optimizer: Any = "default",
        linker: Any = None,
    ) -> None:
        super().__init__(linker, optimizer, "MonitorMode", "monitor")
        self.pre_func, self.post_func = pre_func, post_func


FAST_RUN = Mode(name="FAST_RUN")
FAST_COMPILE = Mode(optimizer="fast_compile", name="FAST_COMPILE")
REFERENCE = Mode(linker="py", optimizer=None, name="REFERENCE")

# Theano's names of levels of optimisation.
OPT_FAST_RUN, OPT_FAST_COMPILE, OPT_MERGE, OPT_NONE = "fast_run", "fast_compile", "merge", None
OPT_O2, OPT_O3, OPT_STABILIZE, OPT_UNSAFE = "o2", "o3", "stabilize", "unsafe"

predefined_modes: dict[str, Mode] = {"FAST_RUN": FAST_RUN, "FAST_COMPILE": FAST_COMPILE, "REFERENCE": REFERENCE}
predefined_modes["DEBUG_MODE"] = DebugMode()
_MADE: dict[str, Callable[[], Mode]] = {
    "DebugMode": DebugMode, "NanGuardMode": NanGuardMode, "Mode": lambda: Mode(optimizer=config.optimizer)
}  # fmt: skip


def register_mode(name: str, mode: Mode) -> None:
    """Have `name` mean `mode` from now on.  Raises ValueError if it means one already."""
    if name in predefined_modes or name in _MADE:
        raise ValueError(f"Mode name already taken: {name}")
    predefined_modes[name] = mode


def _by_name(name: str) -> Mode | None:
    return _MADE[name]() if name in _MADE else predefined_modes.get(name)


def get_mode(mode: Any = None) -> Mode:
    """The mode that `mode` (a name, a Mode, or None: `config.mode`) means.  Raises ValueError, TypeError.

    `config.optimizer` other than fast_run also holds for functions without a mode of their own.
    """
    if mode is None:
        found = _by_name(config.mode)
        assert found is not None  # config checks names
        is_plain = found.executor == "native" and found.optimizer == "fast_run"
        return found.clone(optimizer=config.optimizer) if is_plain and config.optimizer != "fast_run" else found
    if isinstance(mode, Mode):
        return mode
    if not isinstance(mode, str):
        raise TypeError(f"mode must be a name or a Mode, got {mode!r} of type {type(mode).__name__}")
    found = _by_name(mode)
    if found is None:
        raise ValueError(
            f"Invalid value (\"{mode}\") for mode. Valid options are ('FAST_RUN', 'FAST_COMPILE', 'DebugMode', "
            "'NanGuardMode', 'REFERENCE'), or a Mode"
        )
    return found


def get_default_mode() -> Mode:
    """The mode of functions that name none."""
    return get_mode(None)
