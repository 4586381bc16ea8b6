"""Write the stubs by which type checkers see the modules of `tensordsl.base.theano_names`: `python tools/alias_stubs.py`.

Such a module has no file of its own.  Its stub stands where the file would; `tests/behaviour/compat/test_theano_names.py` says that all
are there, current, and no others.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tensordsl.base.theano_names import ROWS, submodules  # noqa: E402  found by the line before it

FIRST = "# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.\n"
# Names that a module makes while it runs, or that begin with an underscore, are of no known type.
REST = "\n\ndef __getattr__(name: str) -> Any: ...\n"


def path_of(row: str) -> Path:
    """Where the stub of a row stands, below the repository's root."""
    path = Path("tensordsl", *row.split("."))
    return path / "__init__.pyi" if submodules(row) else path.with_suffix(".pyi")


def stub(row: str) -> str:
    lines, names = [], []
    for home, text in ROWS[row].items():
        if text == "*":
            lines.append(f"from tensordsl.{home} import *")
            continue
        for entry in text.split():
            new, _, old = entry.partition("=")
            found = origin(f"tensordsl.{home}", old or new)
            lines.append(f"from {found[0]} import {found[1]} as {new}" if found else f"{new}: Any")
            names.append(new)
    for name in sorted({*submodules(row)} - {*names}):
        lines.append(f"from tensordsl.{row} import {name} as {name}")
        names.append(name)
    is_all = "*" in ROWS[row].values()
    has_any = is_all or any(line.endswith(": Any") for line in lines)
    text = FIRST + ("from typing import Any\n" if has_any else "") + "".join(f"{line}\n" for line in lines)
    return text + (REST if is_all else f"\n__all__ = {listed(sorted(names))}\n")


def origin(home: str, name: str) -> tuple[str, str] | None:
    """The module that makes `home.name`, and its name there: `tensordsl.tensor` does not say what it exports.  None
    where the module does not say it either."""
    value = inspect.unwrap(getattr(import_module(home), name))
    maker, own = getattr(value, "__module__", home), getattr(value, "__name__", name)
    is_there = getattr(import_module(maker), own, None) is value
    if is_there:
        return maker, own
    return None if home == "tensordsl.tensor" else (home, name)


def listed(names: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def stubs() -> dict[Path, str]:
    return {path_of(row): stub(row) for row in ROWS}


def differences() -> list[Path]:
    """The stubs that lack, say something else, or are of no row."""
    there = {path.relative_to(ROOT): path.read_text() for path in (ROOT / "tensordsl").rglob("*.pyi")}
    wanted = stubs()
    return sorted(path for path in {*there, *wanted} if there.get(path) != wanted.get(path))


def main() -> None:
    wanted = stubs()
    for path in differences():
        if path in wanted:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(wanted[path])
        else:
            (ROOT / path).unlink()


if __name__ == "__main__":
    main()
