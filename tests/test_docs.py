"""The pages of docs/ and the README: every python block runs, in order, and prints what the page shows.

A block's output stands in a ```text block right after it, or behind `# ->` on the lines that print; a block with
neither must print nothing.  The blocks of one page share one namespace.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import inspect
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT

import tensordsl
import tensordsl.tensor as T
from tensordsl.ops.kinds import OpFunction

PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXCERPTS = {"adding-a-pass.md", "adding-a-rule.md"}  # their blocks are excerpts of the library, no programs
EXTRAS = {"pymc.md": ("pymc", "nutpie")}  # what their blocks want besides
PROGRAMS = [
    page for page in PAGES
    if page.name not in EXCERPTS and all(map(importlib.util.find_spec, EXTRAS.get(page.name, ())))
]  # fmt: skip
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"# -> (.*)$", re.MULTILINE)
SOURCE = re.compile(r"`([\w./-]+/[\w-]+\.py)`")
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


def python_blocks(text: str) -> list[tuple[int, str, str]]:
    """(line of the page, program, output the page shows) of each python block."""
    found = []
    fences = list(FENCE.finditer(text))
    for k, fence in enumerate(fences):
        if fence[1] != "python":
            continue
        follower = fences[k + 1] if k + 1 < len(fences) else None
        is_output = follower is not None and follower[1] == "text" and not text[fence.end() : follower.start()].strip()
        shown = (
            follower[2] if follower is not None and is_output else "".join(f"{s}\n" for s in SHOWN.findall(fence[2]))
        )
        found.append((text[: fence.start()].count("\n") + 2, fence[2], shown))
    return found


def test_every_example_is_listed() -> None:
    text = (ROOT / "examples" / "README.md").read_text()
    assert [path.name for path in sorted((ROOT / "examples").glob("*.py")) if f"]({path.name})" not in text] == []


def run(page: Path, line: int, program: str, namespace: dict[str, Any]) -> str:
    """What the block prints; errors carry the page's own line numbers."""
    code = compile("\n" * (line - 1) + program, str(page), "exec")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, namespace)
    return out.getvalue()


@pytest.mark.parametrize("page", PROGRAMS, ids=lambda page: page.name)
def test_the_programs_of_a_page_print_what_it_shows(page: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "docs"}
    with tensordsl.config.change_flags(floatX=tensordsl.config.floatX, compute_test_value="off"):
        for line, program, shown in python_blocks(page.read_text()):
            printed = run(page, line, program, namespace)
            assert printed.split("\n") == shown.split("\n"), f"{page.name}, line {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_to_files(page: Path) -> None:
    targets = [target for target, _ in LINK.findall(page.read_text()) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing, f"{page.name} links to {missing}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_a_page_names_by_their_path_are_there(page: Path) -> None:
    paths = SOURCE.findall(page.read_text())
    missing = [path for path in paths if not any((top / path).exists() for top in (ROOT, ROOT / "tensordsl"))]
    assert not missing, f"{page.name} names {missing}"


PAGES_BY_TOOLS = {
    "op_table": "ops", "name_table": "names", "optimisation_table": "optimisations", "distributions": "random",
}  # fmt: skip


@pytest.mark.parametrize("tool, page", PAGES_BY_TOOLS.items())
def test_a_page_is_what_its_tool_makes(tool: str, page: str) -> None:
    command = [sys.executable, str(ROOT / "tools" / f"{tool}.py")]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths}
    made = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert made == (ROOT / "docs" / f"{page}.md").read_text(), f"run: python tools/{tool}.py > docs/{page}.md"


def public_functions() -> list[tuple[str, Any]]:
    names = [(name, value) for module in (T, T.nnet) for name, value in vars(module).items()]
    return [(n, f) for n, f in names if (inspect.isfunction(f) or isinstance(f, OpFunction)) and not n.startswith("_")]


def test_every_public_function_has_an_example_in_its_docstring() -> None:
    assert not [name for name, function in public_functions() if ">>>" not in (function.__doc__ or "")]


def test_the_tests_that_the_page_of_names_tells_of_are_there() -> None:
    text = (ROOT / "docs" / "names.md").read_text()
    files = set(re.findall(r"`(tests/[\w/.]+)` \|$", text, re.M))
    assert files and [file for file in sorted(files) if not (ROOT / file).exists()] == []
    listed = set(re.findall(r"`(\w+)`", text))
    assert [name for name, value in vars(T).items() if (name, value) in public_functions() and name not in listed
            and name not in T.CONSTRUCTORS] == []  # fmt: skip


def test_the_examples_of_constructors_are_right() -> None:
    """Doctest doesn't find them: they are made by a loop.  (`pytest --doctest-modules` runs those of all others.)"""
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(verbose=False)
    for name, function in T.CONSTRUCTORS.items():
        for case in finder.find(function, name, module=False, globs=dict(vars(T))):
            runner.run(case)
    assert runner.tries >= 2 * 70 and not runner.failures
