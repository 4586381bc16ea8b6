"""Options of the library: `config.floatX`, flags from the environment and an rc file, temporary changes.

An option's value comes, in this order, from the environment variable `TENSORDSL_FLAGS` (`device=cpu,floatX=float32`),
from the rc file (`~/.tensordslrc`, or the files named in the environment variable `TENSORDSLRC`), from the default;
that of `num_threads` is the first number in the environment variable `OMP_NUM_THREADS`, if it is set.

>>> with config.change_flags(floatX="float32"):
...     config.floatX
'float32'
>>> config.floatX
'float64'
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

_BOOLS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def _cache_directory() -> str:
    """Where this user's compiled functions are kept; "" for a user who has no home."""
    if sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    elif os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return "" if base.startswith("~") else os.path.join(base, "tensordsl")


class Option:
    """One option: its default (its type is the option's), the values allowed (None: any), and what it is for.

    numbered: the choices that a number may follow (cuda, cuda0, cuda1, ...).
    """

    __slots__ = ("name", "default", "choices", "least", "numbered", "doc")

    def __init__(
        self,
        name: str,
        default: Any,
        choices: tuple[str, ...] | None,
        doc: str,
        least: int | None = None,
        numbered: tuple[str, ...] = (),
    ) -> None:
        self.name, self.default, self.choices, self.doc, self.least = name, default, choices, doc, least
        self.numbered = numbered

    def convert(self, value: Any) -> Any:
        """`value` as this option's type; flags from outside are strings.  Raises ValueError."""
        if isinstance(self.default, bool):
            known = _BOOLS.get(str(value).lower())
            if known is None:
                raise self._invalid(value, "(True, False)")
            return known
        if isinstance(self.default, int):
            return self._integer(value)
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        value = "None" if value is None and self.choices and "None" in self.choices else value
        if not isinstance(value, str) or (self.choices is not None and not self._is_choice(value)):
            raise self._invalid(value, repr(self.choices) if self.choices else "any string")
        return value

    def _is_choice(self, value: str) -> bool:
        stem = value.rstrip("0123456789")
        return value in (self.choices or ()) or (stem in self.numbered and value.isascii())

    def _integer(self, value: Any) -> int:
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = None
        if number is None or isinstance(value, float) or (self.least is not None and number < self.least):
            raise self._invalid(value, f"integers of at least {self.least}")
        return number

    def _invalid(self, value: Any, valid: str) -> ValueError:
        return ValueError(
            f'Invalid value ("{value}") for configuration variable "{self.name}". Valid options are {valid}'
        )


_OPTIONS: tuple[Option, ...] = (
    Option("floatX", "float64", ("float64", "float32", "float16"), "dtype of constructors without a dtype prefix"),
    Option(
        "device", "cpu", ("cpu", "cuda", "gpu", "sim"),
        "where functions run: the CPU, a GPU (cuda1: the second one), or the GPU simulator", numbered=("cuda", "gpu"),
    ),
    Option("cuda_driver", "pycuda", ("pycuda", "ctypes"), "how GPUs are reached: a package, or the driver library"),
    Option(
        "mode", "FAST_RUN",
        ("FAST_RUN", "FAST_COMPILE", "DebugMode", "NanGuardMode", "REFERENCE", "Mode", "DEBUG_MODE"),
        "how functions are compiled if they name no mode",
    ),
    Option("cublas", True, None, "matrix products on GPUs by NVIDIA's cuBLAS, where it is installed"),
    Option("fastmath", False, None, "functions of float32 on GPUs by approximate instructions"),
    Option("optimizer", "fast_run", ("fast_run", "fast_compile", "None"), "which passes the compiler runs"),
    Option("optimizer_excluding", "", None, "optimisations that no function has: names with ':' between them"),
    Option("optimizer_including", "", None, "optional passes that all functions have, in the same form"),
    Option("optimizer_forcing", "", None, "optimisations that are used wherever they may be, whether it pays or not"),
    Option("on_opt_error", "raise", ("raise", "warn", "ignore"), "when an optional pass of the compiler fails"),
    Option("on_unused_input", "raise", ("raise", "warn", "ignore"), "when a function does not need one of its inputs"),
    Option(
        "compute_test_value", "off", ("off", "ignore", "warn", "raise", "pdb"),
        "evaluate expressions while they are built, on `tag.test_value`; what to do where there is none",
    ),
    Option("exception_verbosity", "low", ("low", "high"), "high: errors show graph, operands and all frames"),
    Option("int_division", "floatX", ("floatX", "int", "raise"), "what `/` means for two integers"),
    Option("cast_policy", "custom", ("custom", "numpy+floatX"), "how Python numbers are given a dtype"),
    Option("profile", False, None, "measure every function, and print the profiles at exit"),
    Option("warn_float64", "ignore", ("ignore", "warn", "raise", "pdb"), "when an expression of dtype float64 is made"),
    Option(
        "symbolic_truth", "checked", ("checked", "theano"),
        "checked: bool() of a computed bool variable raises, and operands that `x == 0` made Python bools are told; "
        "theano: both are silent",
    ),
    Option("allow_gc", True, None, "accepted: a call keeps no intermediate storage"),
    Option("cxx", "", None, "accepted: no C++ compiler is used"),
    Option("num_threads", 1, None, "most threads that one call may use", least=1),
    Option(
        "cpu", "native",
        (
            "native", "x86-64-v2", "x86-64-v3", "x86-64-v4",
            "haswell", "znver3", "skylake-avx512", "icelake-server", "znver4",
        ),
        "least processor that functions are compiled for: a level, or a family by LLVM's name; native: this machine's. "
        "To be set before the first function",
    ),
    Option("check_storage", False, None, "check at some lengths that functions read what they wrote; for tests"),
    Option("prebuilt", True, None, "take the library's code from the installation where that has it"),
    Option("compiledir", _cache_directory(), None, "directory of the compiler's disk cache"),
)  # fmt: skip
# Theano's warnings of bugs that it once had: accepted, because programs set them.
_OPTIONS += tuple(
    Option(f"warn.{name}", False, None, "accepted: warnings of what Theano once computed otherwise")
    for name in (
        "argmax_pushdown_bug", "gpusum_01_011_0111_bug", "sum_sum_bug", "sum_div_dimshuffle_bug",
        "subtensor_merge_bug", "gpu_set_subtensor1", "vm_gc_bug", "signal_conv2d_interface", "reduce_join",
        "inc_set_subtensor1", "round", "inc_subtensor1_opt",
    )
)  # fmt: skip
_OPTIONS += (Option("unittests.rseed", "666", None, "the seed that programs' own tests may read"),)
OPTIONS: dict[str, Option] = {option.name: option for option in _OPTIONS}


class Config:
    """The options as attributes; setting one checks the value, an unknown name is an AttributeError.

    Options of Theano's that do nothing here can be read, and set with a warning (`base.theano_options`).
    """

    def __init__(self) -> None:
        # Straight into the instance: reading an option is a plain attribute access.
        self.__dict__.update({name: option.default for name, option in OPTIONS.items()})
        self.__dict__["_fixed"] = {}  # option -> why it cannot change any more

    def __setattr__(self, name: str, value: Any) -> None:
        value = self.checked(name, value)
        if name not in OPTIONS:
            warnings.warn(f"config.{name} is an option of Theano's, without effect here", stacklevel=_user_level())
        self._put(name, value)

    def _put(self, name: str, value: Any) -> None:
        self.__dict__[name] = value
        for notify in _LISTENERS.get(name, ()):
            notify(value)

    def checked(self, name: str, value: Any) -> Any:
        """`value` as the option's type; as it is for those of Theano's that do nothing here.  Raises AttributeError for
        unknown options, ValueError for refused values."""
        option = OPTIONS.get(name)
        if option is None:
            if name in _without_effect():
                return value
            raise self._unknown(name)
        value = option.convert(value)
        if name in self._fixed and value != getattr(self, name):
            raise ValueError(
                f"config.{name} cannot change from {getattr(self, name)!r} to {value!r}: {self._fixed[name]}; "
                f"set it at the program's start or in TENSORDSL_FLAGS"
            )
        return value

    def fix(self, name: str, reason: str) -> None:
        """Let an option have its value for the process's life."""
        self._fixed[name] = reason

    def __getattr__(self, name: str) -> Any:  # only for names that are no options
        others = _without_effect()
        if name in others:
            return others[name]
        if any(option.startswith(f"{name}.") for option in (*OPTIONS, *others)):
            return Section(self, name)
        raise self._unknown(name)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"options cannot be deleted: {name!r}")

    def __repr__(self) -> str:
        return "\n".join(f"{name} = {getattr(self, name)!r}  # {OPTIONS[name].doc}" for name in OPTIONS)

    def __iter__(self) -> Iterator[str]:
        return iter(OPTIONS)

    def change_flags(self, *args: dict[str, Any], **flags: Any) -> change_flags:
        """A context manager and decorator: the options have these values inside."""
        return change_flags(*args, **flags)

    @staticmethod
    def _unknown(name: str) -> AttributeError:
        close = [known for known in OPTIONS if known.lower() == name.lower()]
        hint = f" Did you mean {close[0]!r}?" if close else f" Options: {', '.join(OPTIONS)}."
        return AttributeError(f"there is no configuration option {name!r}.{hint}")


class Section:
    """The options `config.NAME.*` as attributes."""

    def __init__(self, owner: Config, name: str) -> None:
        self.__dict__["_place"] = owner, name

    def __getattr__(self, name: str) -> Any:
        owner, section = self.__dict__["_place"]
        return getattr(owner, f"{section}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        owner, section = self.__dict__["_place"]
        setattr(owner, f"{section}.{name}", value)


def _without_effect() -> dict[str, Any]:
    """Options of Theano's that do nothing here, with their defaults."""
    from tensordsl.base.theano_options import without_effect  # late: few programs set one

    return without_effect()


def _user_level() -> int:
    """The `stacklevel` with which a warning, given by the caller of this, shows the user's line."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "tensordsl":
        level, frame = level + 1, frame.f_back
    return level


# Who wants to know of changes: option -> callbacks(new value).
_LISTENERS: dict[str, list[Callable[[Any], None]]] = {}


def on_change(name: str, notify: Callable[[Any], None]) -> None:
    """Call `notify(value)` now and whenever option `name` is set."""
    notify(getattr(config, name))
    told = _LISTENERS.setdefault(name, [])
    if notify not in told:
        told.append(notify)


class change_flags:
    """`with change_flags(floatX="float32"): ...`, or a decorator of a function: options have these values inside.

    The dot in an option's name may be written `__`: `warn__round=True`.

    All or none: if one value is refused, no option has changed.
    """

    def __init__(self, *args: dict[str, Any], **flags: Any) -> None:
        self.flags: dict[str, Any] = {}
        for more in (*args, flags):
            if not isinstance(more, dict) or not all(isinstance(name, str) for name in more):
                raise TypeError(f"change_flags: wants dictionaries of values by option, got {more!r}")
            self.flags.update({name.replace("__", "."): value for name, value in more.items()})
        self._kept: list[dict[str, Any]] = []  # a stack: one object may be entered again while it is active
        for name, value in self.flags.items():
            config.checked(name, value)

    def __enter__(self) -> change_flags:
        self._kept.append({name: getattr(config, name) for name in self.flags})
        for name, value in self.flags.items():
            setattr(config, name, value)
        return self

    def __exit__(self, *_: object) -> None:
        for name, value in self._kept.pop().items():
            if name in OPTIONS:
                setattr(config, name, value)
            else:
                config._put(name, value)  # entering has warned

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def changed(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return changed


# -- flags from outside ----------------------------------------------------------------------------------------------
def parse_flags(text: str) -> Iterator[tuple[str, str]]:
    """The pairs in `name=value,name=value`."""
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if equals:
            yield name.strip(), value.strip()
        elif name.strip():
            warnings.warn(f"TENSORDSL_FLAGS: {name.strip()!r} has no value and is ignored", stacklevel=3)


def parse_rc(text: str) -> Iterator[tuple[str, str]]:
    """The pairs in an rc file: `name = value` lines under `[global]` (or no header); `#` and `;` begin comments."""
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            section = line[1:-1].strip()
            continue
        name, equals, value = line.partition("=" if "=" in line else ":")
        name = name.strip() if section in ("", "global") else f"{section}.{name.strip()}"
        if equals:
            yield name, value.strip()


def _rc_files() -> list[str]:
    named = os.environ.get("TENSORDSLRC")
    return [os.path.expanduser(path) for path in (named.split(os.pathsep) if named else ["~/.tensordslrc"]) if path]


def _load() -> Config:
    """The options as the rc files and then the environment set them.  Raises ValueError at a bad value."""
    fresh = Config()
    threads = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if threads.isdecimal() and int(threads) >= 1:
        fresh.num_threads = int(threads)
    for path in _rc_files():
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                _set_all(fresh, parse_rc(file.read()), path)
    _set_all(fresh, parse_flags(os.environ.get("TENSORDSL_FLAGS", "")), "TENSORDSL_FLAGS")
    return fresh


def given_options() -> frozenset[str]:
    """The options that the environment or an rc file of this library gives."""
    texts = [(parse_flags, os.environ.get("TENSORDSL_FLAGS", ""))]
    for path in _rc_files():
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                texts.append((parse_rc, file.read()))
    return frozenset(name for parse, text in texts for name, _ in parse(text))


def _set_all(target: Config, pairs: Iterator[tuple[str, str]], source: str) -> None:
    for name, value in pairs:
        if name not in OPTIONS:
            warnings.warn(f"{source}: there is no option {name!r}; it is ignored", stacklevel=4)
            continue
        value = os.path.expanduser(value) if name == "compiledir" else value
        try:
            setattr(target, name, value)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None


config = _load()
