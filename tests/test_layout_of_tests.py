"""Where tests stand: folders that can be read at a glance, names that are unique, behaviour apart from internals."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import ROOT, TESTS

MOST_FILES = 20
FOLDERS = sorted({file.parent for top in (TESTS, ROOT / "benchmarks") for file in top.rglob("*.py")})


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_no_folder_has_more_files_than_a_reader_takes_in(folder: Path) -> None:
    files = [file.name for file in folder.glob("*.py") if file.name not in ("__init__.py", "conftest.py")]
    assert len(files) <= MOST_FILES, sorted(files)


def test_names_are_unique() -> None:
    """Also because pytest imports test modules by their names alone, and helpers stand on the path."""
    files = (file for file in TESTS.rglob("*.py") if not (file.parent / "__init__.py").exists())
    counts = Counter(file.name for file in files if file.name != "conftest.py")
    assert [name for name, count in counts.items() if count > 1] == []


def test_behaviour_is_tested_through_the_public_interface() -> None:
    within = ("tensordsl.codegen", "tensordsl.runtime")
    files = (TESTS / "behaviour").rglob("*.py")
    assert [(str(f.relative_to(TESTS)), name) for f in files for name in imported(f) if name.startswith(within)] == []


@pytest.mark.parametrize("library", ["codegen", "runtime"])
def test_each_folder_is_called_as_the_room_that_it_tests(library: str) -> None:
    folders = [folder.relative_to(TESTS) for folder in FOLDERS if (TESTS / library) in folder.parents]
    assert [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()] == []
