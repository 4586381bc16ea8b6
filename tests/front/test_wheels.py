"""Wheels: their tags say whether they hold code for a platform, and one for other processors works all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import tensordsl.base.processor as processor
from tensordsl.functions import prebuilt

ROOT = Path(__file__).resolve().parents[2]
HERE = prebuilt.family_here()
FAR = next((f for f in reversed(prebuilt.FAMILIES) if not processor.features().issuperset(processor.FEATURES[f])), None)
NEAR = next((f for f in prebuilt.FAMILIES if f != HERE), "")
PLATFORM = sysconfig.get_platform().replace("-", "_").replace(".", "_")
USE = """
import sys
import numpy as np
import tensordsl, tensordsl.tensor as T
from tensordsl.codegen.compiler import library_build

compiled, library_objects = [], library_build.library_objects
library_build.library_objects = lambda name, tuning: compiled.append(name) or library_objects(name, tuning)
x = T.dmatrix()
f = tensordsl.function([x], [T.exp(x) * x, x.sum(axis=0)])
data = np.random.RandomState(0).rand(300, 7)
for got, want in zip(f(data[::-1]), [np.exp(data[::-1]) * data[::-1], data.sum(axis=0)]):
    np.testing.assert_allclose(got, want, rtol=1e-13)
print(tensordsl.__file__, "native" in compiled)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, of whose library a wheel gets two small parts."""
    folder = tmp_path_factory.mktemp("wheels") / "source"
    folder.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("tensordsl", "codegen", "runtime"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    place = folder / "tensordsl/functions/prebuilt.py"
    text = place.read_text()
    place.write_text(text.replace("[name for name in LIBRARY if _is_carried(name)]", '["native", "positions"]'))
    assert place.read_text() != text
    return folder


def wheel(source: Path, which: str) -> Path:
    """The wheel that is built with `TENSORDSL_PREBUILT` of this value."""
    folder = source.parent / which
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    given = {**os.environ, "TENSORDSL_PREBUILT": which, "TENSORDSL_FLAGS": ""}
    subprocess.run([sys.executable, "-c", build], cwd=source, env=given, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


def families(made: Path) -> set[str]:
    names = [Path(name).parts for name in zipfile.ZipFile(made).namelist()]
    return {parts[2] for parts in names if parts[:2] == ("tensordsl", "prebuilt")}


def tag(made: Path) -> str:
    """As its name says, and the same inside."""
    with zipfile.ZipFile(made) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/WHEEL")]
        lines = archive.read(name).decode().splitlines()
    (inside,) = [line.removeprefix("Tag: ") for line in lines if line.startswith("Tag: ")]
    assert made.stem.endswith("-" + inside)
    return inside


def use(made: Path, cache: Path) -> bool:
    """Compute something with what the wheel holds; has it compiled a part that is every program's?"""
    place = made.parent / "installed"
    if not place.exists():
        zipfile.ZipFile(made).extractall(place)
    done = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=cache,
        env={**os.environ, "PYTHONPATH": str(place), "TENSORDSL_FLAGS": f"compiledir={cache / 'kept'}"},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    where, has_compiled = done.stdout.split()
    assert Path(where).is_relative_to(place)
    return has_compiled == "True"


@pytest.mark.skipif(HERE is None, reason="this processor is of no family that is built ahead")
def test_a_wheel_with_parts_for_this_processor_is_of_its_platform(source: Path, tmp_path: Path) -> None:
    made = wheel(source, "here")
    assert (families(made), tag(made)) == ({HERE}, f"py3-none-{PLATFORM}")
    assert not use(made, tmp_path)


def test_a_wheel_without_parts_is_of_all_platforms(source: Path, tmp_path: Path) -> None:
    made = wheel(source, "none")  # built where parts have been left behind
    assert (families(made), tag(made)) == (set(), "py3-none-any")
    assert use(made, tmp_path)


@pytest.mark.skipif(HERE is None, reason="this processor is of no family that is built ahead")
@pytest.mark.parametrize("family", sorted({NEAR, FAR} - {None}))
def test_a_wheel_for_another_family_compiles_its_parts_itself(family: str, source: Path, tmp_path: Path) -> None:
    made = wheel(source, family)
    assert (families(made), tag(made)) == ({family}, f"py3-none-{PLATFORM}")
    assert use(made, tmp_path)


@pytest.mark.skipif(HERE is None, reason="parts are for x86-64")
def test_a_wheel_with_parts_for_all_families_can_be_given_away(source: Path, tmp_path: Path) -> None:
    made = wheel(source, "all")
    assert (families(made), tag(made)) == (
        {*prebuilt.FAMILIES},
        f"py3-none-{PLATFORM.replace('linux', 'manylinux_2_17')}",
    )
    assert not use(made, tmp_path)


def test_a_family_that_there_is_not_gives_a_wheel_without_parts(source: Path) -> None:
    made = wheel(source, "z80")
    assert (families(made), tag(made)) == (set(), "py3-none-any")
