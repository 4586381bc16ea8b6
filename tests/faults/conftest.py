"""Fault tests: the run-time library compiled here, kept in a cache of the test run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tensordsl.codegen.compiler.library_build import library_objects
from tensordsl.runtime.loading import cache, library


@pytest.fixture(scope="session", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = cache._State.directory
    cache.set_directory(tmp_path_factory.mktemp("cache") / "private")
    library.install(library_objects, "tests")
    yield
    cache.set_directory(before)
