"""A disk cache of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tensordsl.runtime.loading import cache


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Path]:
    """An empty cache directory for one test."""
    before = cache._State.directory
    cache.set_directory(tmp_path / "cache")
    yield tmp_path / "cache"
    cache.set_directory(before)
