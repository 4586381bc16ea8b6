"""Objects of the library that an installation carries: found where sources, processor and contents fit, and used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tensordsl.base.processor as processor
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.loops.entry import part_text
from tensordsl.codegen.target.tuning import CacheTuning, Tuning, close_l3, distant_l3
from tensordsl.functions import prebuilt
from tensordsl.functions.native import sources_digest

FAMILY = prebuilt.family_here()
PARTS = ("positions", "nest", "native")
BUILD = """
import sys
from tensordsl.functions import prebuilt
prebuilt.names = lambda: sys.argv[3].split()
prebuilt.main(sys.argv[1:3])
"""
USE = """
import sys
import numpy as np
import tensordsl, tensordsl.tensor as T
from tensordsl.codegen.compiler import library_build
from tensordsl.functions import prebuilt
from tensordsl.base.config import config

prebuilt.FOLDER, compiled = sys.argv[1], []
library_objects = library_build.library_objects
library_build.library_objects = lambda name, tuning: compiled.append(name) or library_objects(name, tuning)
x = T.dmatrix()
f = tensordsl.function([x], [T.exp(x) * x, x.sum(axis=0)])
data = np.random.RandomState(0).rand(300, 7)
for got, want in zip(f(data[::-1]), [np.exp(data[::-1]) * data[::-1], data.sum(axis=0)]):
    np.testing.assert_allclose(got, want, rtol=1e-13)
print(*sorted({*compiled} & {"positions", "nest", "native"}))
"""
needs_family = pytest.mark.skipif(FAMILY is None, reason="this processor is of no family that is built ahead")


def run(text: str, *arguments: str, **flags: str) -> str:
    settings = ",".join(f"{name}={value}" for name, value in flags.items())
    done = subprocess.run(
        [sys.executable, "-c", text, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "TENSORDSL_FLAGS": settings},
    )
    assert not done.returncode, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as an installation has it, with some parts for this machine's family."""
    place = tmp_path_factory.mktemp("prebuilt")
    assert FAMILY is not None
    run(BUILD, str(place), FAMILY, " ".join(PARTS), cpu=FAMILY)
    return place


@pytest.fixture
def found_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(prebuilt, "FOLDER", str(folder))
    prebuilt._carried.cache_clear()
    yield folder / str(FAMILY)
    prebuilt._carried.cache_clear()


@needs_family
def test_what_was_built_is_found(found_in):
    sources = sources_digest()
    for name in PARTS:
        assert prebuilt.find(name, sources) == (found_in / f"{name}.o").read_bytes()
    assert prebuilt.find("gemm_float64", sources) is None
    prebuilt._carried.cache_clear()
    assert prebuilt.find("nest", sources[:-1]) is None  # of other sources


@needs_family
def test_nothing_is_found_that_does_not_fit(found_in, monkeypatch):
    sources, path = sources_digest(), found_in / prebuilt.MANIFEST
    kept = path.read_text()
    try:
        for key, value in (("facts", {}), ("version", [0]), ("objects", {})):
            path.write_text(json.dumps({**json.loads(kept), key: value}))
            prebuilt._carried.cache_clear()
            assert prebuilt.find("nest", sources) is None
        path.write_text("{")
        prebuilt._carried.cache_clear()
        assert prebuilt.find("nest", sources) is None
    finally:
        path.write_text(kept)
    prebuilt._carried.cache_clear()
    monkeypatch.setattr(processor, "features", lambda: frozenset(processor.FEATURES["x86-64-v2"]))
    assert prebuilt.find("nest", sources) is None


@needs_family
def test_a_damaged_object_is_not_taken(found_in):
    path = found_in / "positions.o"
    kept = path.read_bytes()
    try:
        path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        assert prebuilt.find("positions", sources_digest()) is None
        path.unlink()
        assert prebuilt.find("positions", sources_digest()) is None
    finally:
        path.write_bytes(kept)


@needs_family
def test_a_first_function_takes_prebuilt_parts(folder, tmp_path):
    assert run(USE, str(folder), compiledir=str(tmp_path / "a")) == ""
    assert run(USE, str(folder), compiledir=str(tmp_path / "a")) == ""  # from the disk cache
    assert run(USE, str(folder), compiledir=str(tmp_path / "a"), prebuilt="False") == "native nest"
    assert run(USE, str(folder), compiledir=str(tmp_path / "a"), prebuilt="False") == ""  # its own, kept too
    assert run(USE, str(tmp_path), compiledir=str(tmp_path / "c")) == "native nest"


def test_loops_are_the_same_for_all_sizes_of_caches():
    """So that one object serves all machines of a family: the thresholds are words that the loader fills in."""
    here = Tuning.here()
    for part in ("nest", *layouts.NEST_PARTS):
        texts = {
            part_text(part, Tuning(here.machine, caches))
            for caches in (close_l3(), close_l3(1 << 27), distant_l3(1 << 21, 1 << 26))
        }
        assert len(texts) == 1


def test_loops_name_fields_of_the_thresholds_only():
    fields = {layouts.CACHE_LIMIT + name for name in CacheTuning.__dataclass_fields__}
    for part in ("nest", *layouts.NEST_PARTS):
        text = part_text(part, Tuning.here())
        named = {line.split()[0][1:] for line in text.splitlines() if line.startswith("@" + layouts.CACHE_LIMIT)}
        assert named <= fields


def test_families_have_the_features_of_their_levels():
    for family, level in processor.LEVEL_OF.items():
        assert {*processor.FEATURES[family]} >= {*processor.LEVELS[level]}
