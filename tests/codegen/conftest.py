"""What several of these tests begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from end_of_memory import End

import tensordsl
from tensordsl.functions import native


@pytest.fixture
def fresh_code(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Code shared with no other test, for constants of the compiler that a test changes; one thread again behind it."""
    monkeypatch.setattr(native.cache, "get", lambda key: None)
    monkeypatch.setattr(native.cache, "put", lambda key, blob: None)
    native.forget()
    yield monkeypatch
    native.forget()
    tensordsl.config.num_threads = 1


@pytest.fixture(scope="module")
def ends() -> Iterator[list[End]]:
    """Three places where memory ends."""
    made = [End() for _ in range(3)]
    yield made
    for end in made:
        end.protect(3)
