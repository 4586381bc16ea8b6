"""The form of the documents: their length, that paths and links lead somewhere, that generated pages are current."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tensordsl.tensor as T

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
sys.path.insert(0, str(ROOT))
from benchmarks.run.brief import GROUPS, HEAD  # noqa: E402
from benchmarks.workloads.peers import BY_CASE  # noqa: E402
from benchmarks.workloads.suites import SUITES  # noqa: E402

README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = ("codegen", "runtime", "tensordsl", "tests", "tools", "docs", "benchmarks", "examples", r"\.ci")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
# A file or folder of the tree in back quotes, also inside of a command.
PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./*-]*[\w*/]")
MODULE = re.compile(r"python -m ((?:benchmarks|tensordsl)[\w.]*)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
NAME = dict(argvalues=PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def tool(name: str) -> ModuleType:
    """A module of tools/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_tool(name: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "tools" / f"{name}.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def columns(line: str) -> int:
    """How many cells a line of a table has: bars in code are none between cells."""
    return len(re.sub(r"`[^`]*`", "", line).strip().strip("|").split("|"))


# -- README ------------------------------------------------------------------------------------------------------------
def test_the_readme_is_short() -> None:
    assert len(README.read_text().split()) <= 900


def test_no_table_of_the_readme_or_of_the_results_has_more_than_six_columns() -> None:
    for page in (README, ROOT / "docs" / "performance.md"):
        tables = [line for line in FENCE.sub("", page.read_text()).splitlines() if line.startswith("|")]
        assert tables and max(map(columns, tables)) <= 6


def test_the_readme_has_the_two_commands_and_one_picture() -> None:
    text = README.read_text()
    assert "pip install . && python examples/mlp.py\n" in text and "pip install -e '.[test]' && pytest\n" in text
    assert len(re.findall(r"!\[", text)) == 1


# -- links and paths ---------------------------------------------------------------------------------------------------
def anchors(page: Path) -> set[str]:
    site = tool("docs_site")
    return {
        site.slug(re.sub(r"\]\([^)]*\)", "", heading)) for heading in HEADING.findall(FENCE.sub("", page.read_text()))
    }


@pytest.mark.parametrize("page", **NAME)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        if "://" not in link:
            aim = (page.parent / path).resolve() if path else page
            assert aim.exists(), link
            assert not anchor or anchor in anchors(aim), link


@pytest.mark.parametrize("page", **NAME)
def test_paths_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    quoted = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    commands = [line for block in re.findall(r"^```\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]
    named = {path for part in (*quoted, *commands) for path in PATH.findall(part)}
    assert [path for path in sorted(named) if not is_there(path)] == []


def is_there(path: str) -> bool:
    """`library/*` names what is in a folder, `NAME.txt` is for the reader to name; rooms stand below tensordsl/ too."""
    path = path.replace("NAME", "*")
    return any(any(ROOT.glob(f"{top}{path.rstrip('/')}")) for top in ("", "tensordsl/"))


@pytest.mark.parametrize("page", **NAME)
def test_modules_that_a_page_runs_are_there(page: Path) -> None:
    for name in MODULE.findall(page.read_text()):
        found = importlib.util.find_spec(name)
        assert found is not None, name


# -- generated pages ---------------------------------------------------------------------------------------------------
def test_the_picture_of_the_floors_is_what_its_tool_draws() -> None:
    remake = "run: python tools/draw_floors.py > docs/plots/floors.svg"
    assert run_tool("draw_floors") == (ROOT / "docs" / "plots" / "floors.svg").read_text(), remake


def test_the_list_of_rooms_is_what_its_tool_writes() -> None:
    made = tool("rooms").page()
    assert made == (ROOT / "docs" / "architecture.md").read_text(), "run: python tools/rooms.py"


def test_the_softmax_is_what_its_tool_prints() -> None:
    """Down to the group; further below sizes of caches and the version of LLVM decide on numbers and registers."""
    below = "\n## Schedule"
    made, page = run_tool("follow_softmax"), (ROOT / "docs" / "softmax.md").read_text()
    remake = "run: python tools/follow_softmax.py > docs/softmax.md"
    assert made.split(below)[0] == page.split(below)[0], remake
    assert HEADING.findall(made) == HEADING.findall(page), remake


def table(page: str, begin: str) -> list[list[str]]:
    """The cells of the lines between two markers of docs/performance.md."""
    block = page.split(begin)[1].split("<!-- benchmarks: end -->")[0]
    rows = [line.strip("| ").split(" | ") for line in block.splitlines() if line.startswith("|")]
    return [row for row in rows if set(row) != {"---"}]


def described(rows: list[list[str]]) -> set[str]:
    """The workloads that the rows of a table are of."""
    return {re.sub(r", (cold|warm)$", "", row[0]) for row in rows}


def test_the_page_on_loops_has_the_rows_of_todays_suite() -> None:
    head, *rows = table((ROOT / "docs" / "loops.md").read_text(), "<!-- benchmarks: begin loops -->")
    assert tuple(head) == HEAD and described(rows) == {workload.what for workload in SUITES["loops"]}


def test_the_results_have_the_rows_of_todays_suites() -> None:
    """Figures are of the last full run, but no workload is missing, and no other is there."""
    page = (ROOT / "docs" / "performance.md").read_text()
    head, *rows = table(page, "<!-- benchmarks: begin -->")
    assert tuple(head) == HEAD
    assert described(rows) == {workload.what for workload in SUITES["foundation"]}
    groups, others = table(page, "<!-- benchmarks: begin peers -->"), {"group", "all", "library"}
    titles = {row[0] for row in groups} & {*GROUPS.values(), *others}
    missing = {GROUPS[name.split(".")[0]] for name in BY_CASE if name[0] in GROUPS} - titles
    assert missing <= {"sorting, running sums", "stacks of products"}  # the run says that it left these out
    assert {name for row in groups for name in re.findall(r"`([^`]+)`", " ".join(row))} <= set(BY_CASE)


# -- pages of one form -------------------------------------------------------------------------------------------------
def test_every_decision_is_listed_and_has_a_date() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "index.md").read_text()
    for page in sorted(folder.glob("*.md")):
        if page.name != "index.md":
            title, when = page.read_text().split("\n\n")[:2]
            assert f"- [{title.removeprefix('# ')}]({page.name})\n" in index
            assert when.startswith("*") and when.endswith("*") and "2026" in when, page.name


def test_the_changelog_has_one_line_an_entry() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text().splitlines()
    headings = {line for line in lines if line.startswith("### ")}
    assert headings <= {
        f"### {kind}" for kind in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Known limits")
    }
    assert [line for line in lines if line.startswith((" ", "- ")) and not re.match(r"- .*[.:`]$", line)] == []
    assert [line for line in lines if len(line) > 150] == []


def test_the_page_on_gpus_says_when_it_last_ran_on_a_card() -> None:
    text = (ROOT / "docs" / "gpu.md").read_text()
    assert text.startswith("# GPUs (experimental)\n") and re.search(
        r"Last run on a card: (never|\d{4}-\d\d-\d\d)", text
    )


# -- the site ----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    pages: dict[str, str] = tool("docs_site").generated_pages()
    return pages


def test_the_reference_has_every_public_function(made: dict[str, str]) -> None:
    text = "\n".join(page for path, page in made.items() if path.startswith("reference/"))
    titles = set(re.findall(r"^## `(\w+)`|\bAlso (.*)\.$", text, re.M)) and set(re.findall(r"`(\w+)`", text))
    letters = re.compile(r"[bwilfdcz](scalar|vector|matri|row|col|tensor\d)")
    names = [n for n, f in vars(T).items() if inspect.isfunction(f) and not n.startswith("_") and not letters.match(n)]
    assert [name for name in names if name not in titles] == []


def test_examples_in_the_reference_are_code(made: dict[str, str]) -> None:
    for path, text in made.items():
        if path.startswith("reference/"):
            outside = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
            assert ">>>" not in outside and "```" not in outside, path


def test_the_navigation_names_pages_that_are_there(made: dict[str, str]) -> None:
    named = set(re.findall(r"[\w./-]+\.md", (ROOT / "mkdocs.yml").read_text().split("\nnav:")[1]))
    there = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert named <= there | set(made) and set(made) <= named


def test_links_of_the_readme_are_links_of_the_home_page(made: dict[str, str]) -> None:
    links = LINK.findall(tool("docs_site").relinked(made["index.md"], "README.md", "index.md"))
    assert (
        "performance.md" in links and "plots/size.svg" in links and not [at for at in links if at.startswith("docs/")]
    )


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="no mkdocs: pip install -e '.[docs]'")
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    environment: dict[str, Any] = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for page in ("index", "architecture", "rooms", "reference/function", "decisions/index"):
        article = (tmp_path / f"{page}.html").read_text().split("<article")[1]
        assert len(re.sub(r"<[^>]+>", "", article).split()) > 100, page


def test_the_extra_of_the_documentation_has_what_its_configuration_names() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(name.startswith("mkdocs-material") for name in extras["docs"])
    assert "name: material" in (ROOT / "mkdocs.yml").read_text()
