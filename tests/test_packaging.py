"""What an installation contains: the packages of the tree, nothing else, and only two run-time dependencies."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
# The folder that holds each top package; codegen and runtime stand beside tensordsl and are symlinked into it.
FOLDERS = {"tensordsl": "tensordsl", "tensordsl.codegen": "codegen", "tensordsl.runtime": "runtime"}


def packages_of_the_tree() -> set[str]:
    """The dotted name of every folder that holds an `__init__.py`, or its stub alone (`tensordsl.base.theano_names`)."""
    found = set()
    for name, folder in FOLDERS.items():
        for path in files_of(folder):  # which doesn't follow the symlinks
            if path.stem == "__init__":
                found.add(".".join([name, *path.parent.relative_to(ROOT / folder).parts]))
    return found


def files_of(folder: str) -> list[Path]:
    """Modules, and the stubs of those that have no file."""
    return [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".pyi")]


def python(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True)


def test_the_package_list_is_the_tree() -> None:
    assert sorted(SETUPTOOLS["packages"]) == sorted(packages_of_the_tree())
    assert SETUPTOOLS["package-dir"] == FOLDERS


def test_every_module_lies_in_a_listed_package() -> None:
    for name, folder in FOLDERS.items():
        for module in files_of(folder):
            parts = module.parent.relative_to(ROOT / folder).parts
            assert ".".join([name, *parts]) in SETUPTOOLS["packages"], module


def test_codegen_and_runtime_are_symlinked_into_the_package() -> None:
    for folder in ("codegen", "runtime"):
        link = ROOT / "tensordsl" / folder
        assert link.is_symlink() and link.resolve() == ROOT / folder


@pytest.mark.parametrize("folder", ["codegen", "runtime"])
def test_a_bare_import_is_refused_with_the_right_name(folder: str) -> None:
    done = python("-c", f"import {folder}")
    assert done.returncode != 0
    assert f"ImportError: import tensordsl.{folder}, not {folder}" in done.stderr


def test_the_version_is_stated_once() -> None:
    assert "version" not in PROJECT["project"] and PROJECT["project"]["dynamic"] == ["version"]
    attribute = SETUPTOOLS["dynamic"]["version"]["attr"]
    stated = re.search(
        r'^__version__ = "(\d+\.\d+\.\d+)"$', (ROOT / "tensordsl" / "base" / "version.py").read_text(), re.M
    )
    assert attribute == "tensordsl.base.version.__version__" and stated
    others = [path for path in (ROOT / "tensordsl").rglob("*.py") if f'"{stated[1]}"' in path.read_text()]
    assert others == [ROOT / "tensordsl" / "base" / "version.py"]
    shown = python("-c", "import tensordsl; print(tensordsl.__version__)").stdout.strip()
    assert shown == stated[1]


def test_the_documentation_states_the_oldest_dependencies() -> None:
    stated = (ROOT / "docs" / "support.md").read_text().lower()
    for dependency in PROJECT["project"]["dependencies"]:
        name, oldest = dependency.split(">=")
        assert f"| {name} | {oldest} or newer" in stated


def test_the_changelog_has_an_entry_for_the_version() -> None:
    version = re.search(r'__version__ = "(.+)"', (ROOT / "tensordsl" / "base" / "version.py").read_text())
    assert version and f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text()


def test_running_needs_only_numpy_and_llvmlite() -> None:
    names = [re.split(r"[<>=!~ \[;]", requirement)[0] for requirement in PROJECT["project"]["dependencies"]]
    assert names == ["numpy", "llvmlite"]


def test_the_readmes_program_runs_and_learns() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    done = python("-c", program)
    assert done.returncode == 0, done.stderr
    (promised,) = re.findall(r"# -> (.*)", program)
    assert done.stdout.strip() == promised
    assert len([line for line in program.splitlines() if line]) <= 12


def test_a_wheel_holds_only_tensordsl_and_all_of_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for folder in FOLDERS.values():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, source / folder, symlinks=True, ignore=ignored)
    done = python("-c", "from setuptools.build_meta import build_wheel; build_wheel('..')", cwd=source)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    files = set(zipfile.ZipFile(wheel).namelist())
    modules = {name for name in files if not re.match(r"tensordsl-[\d.]+\.dist-info/", name)}
    expected = {"tensordsl/py.typed"}
    for package, folder in FOLDERS.items():
        prefix = package.replace(".", "/")
        expected |= {f"{prefix}/{path.relative_to(ROOT / folder).as_posix()}" for path in files_of(folder)}
    assert modules == expected
    assert any(name.endswith("licenses/LICENSE") for name in files)
