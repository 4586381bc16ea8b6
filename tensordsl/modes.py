"""Modes: how a function is compiled and run, from the fast default to executions that look for mistakes.

FAST_RUN       all passes, native code (the default)
FAST_COMPILE   required passes only: the shortest compile
REFERENCE      NumPy, op by op, without the compiler
DebugMode      every value checked, and the compiled function compared with the reference
NanGuardMode   names the node that makes a NaN, an infinity or a huge value
MonitorMode    calls the user's functions before and after each node
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tensordsl.config import config

OPTIMIZERS = {
    "default": "fast_run", "merge": "fast_compile", "fast_run": "fast_run", "fast_compile": "fast_compile",
    "None": "None", "o0": "None", "o1": "fast_compile", "o2": "fast_run", "o3": "fast_run", "o4": "fast_run",
    "unsafe": "fast_run", "stabilize": "fast_run",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Mode:
    """How a function is compiled.

    Parameters
    ----------
    linker : accepted for Theano's sake ("py", "cvm", ...); "py" means the reference evaluator.
    optimizer : "fast_run", "fast_compile" or None.

    `executor` says who runs the function: "native", "reference", "debug", "nan_guard" or "monitor".
    `excluded` and `included` hold the names of passes switched off and on.
    """

    linker: Any = None
    optimizer: Any = "default"
    name: str = ""
    executor: str = ""
    excluded: frozenset[str] = frozenset()
    included: frozenset[str] = frozenset()
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        spelled = str(self.optimizer)
        if spelled not in OPTIMIZERS:
            raise ValueError(f'Invalid optimizer ("{spelled}") for Mode. Valid options are {tuple(OPTIMIZERS)}')
        object.__setattr__(self, "optimizer", OPTIMIZERS[spelled])
        for part in (self.name, self.executor, self.linker):
            if not isinstance(part, str | None):
                raise TypeError(f"Mode: names, linkers and executors must be strings, got {part!r}")
        if not self.executor:
            object.__setattr__(self, "executor", "reference" if self.linker == "py" else "native")
        if not self.name:
            object.__setattr__(self, "name", "Mode")

    def excluding(self, *names: str) -> Mode:
        """The same mode without the passes `names`."""
        return replace(self, excluded=self.excluded | set(names), included=self.included - set(names))

    def including(self, *names: str) -> Mode:
        """The same mode with the passes `names`."""
        return replace(self, included=self.included | set(names), excluded=self.excluded - set(names))

    def __str__(self) -> str:
        return self.name


FAST_RUN = Mode(name="FAST_RUN")
FAST_COMPILE = Mode(optimizer="fast_compile", name="FAST_COMPILE")
REFERENCE = Mode(linker="py", optimizer=None, name="REFERENCE")


def DebugMode(optimizer: Any = "fast_run", check_isfinite: bool = True, **_: Any) -> Mode:
    """Check every intermediate value, and the compiled function against the reference evaluator, at each call.

    check_isfinite : NaN and infinities raise InvalidValueError.
    """
    return Mode(
        optimizer=optimizer, name="DebugMode", executor="debug", settings={"check_isfinite": bool(check_isfinite)}
    )


def NanGuardMode(
    nan_is_error: bool = True,
    inf_is_error: bool = True,
    big_is_error: bool = True,
    optimizer: Any = "default",
    **_: Any,
) -> Mode:
    """Raise AssertionError where an input, an intermediate or an output is NaN, infinite or beyond 1e10."""
    checks = {
        "nan_is_error": bool(nan_is_error),
        "inf_is_error": bool(inf_is_error),
        "big_is_error": bool(big_is_error),
    }
    return Mode(optimizer=optimizer, name="NanGuardMode", executor="nan_guard", settings=checks)


def MonitorMode(
    pre_func: Callable[[int, Any, Any], None] | None = None,
    post_func: Callable[[int, Any, Any], None] | None = None,
    optimizer: Any = "default",
    linker: Any = None,
) -> Mode:
    """Call `pre_func(i, node, fn)` before and `post_func(i, node, fn)` after each node i.

    `fn.inputs` and `fn.outputs` are lists of one-element lists, as in Theano: `[value[0] for value in fn.inputs]`.
    """
    settings = {"pre_func": pre_func, "post_func": post_func}
    return Mode(optimizer=optimizer, name="MonitorMode", executor="monitor", settings=settings)


def _by_name(name: str) -> Mode | None:
    named: dict[str, Callable[[], Mode]] = {
        "FAST_RUN": lambda: FAST_RUN, "FAST_COMPILE": lambda: FAST_COMPILE, "REFERENCE": lambda: REFERENCE,
        "DebugMode": DebugMode, "DEBUG_MODE": DebugMode, "NanGuardMode": NanGuardMode, "Mode": _configured,
    }  # fmt: skip
    return named[name]() if name in named else None


def _configured() -> Mode:
    return Mode(optimizer=config.optimizer)


def get_mode(mode: Any = None) -> Mode:
    """The mode that `mode` (a name, a Mode, or None: `config.mode`) means.  Raises ValueError, TypeError.

    `config.optimizer` other than fast_run also holds for functions without a mode of their own.
    """
    if mode is None:
        found = _by_name(config.mode)
        assert found is not None  # config checks names
        is_plain = found.executor == "native" and found.optimizer == "fast_run"
        return replace(found, optimizer=config.optimizer) if is_plain and config.optimizer != "fast_run" else found
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
