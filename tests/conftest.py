"""Shared test set-up: hypothesis profiles, a disk cache that belongs to this run alone, and what many tests begin with."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from end_of_memory import End

# What tests share stands in `support`; some take it from each other.
TESTS = Path(__file__).parent
sys.path[1:1] = [str(TESTS / "support"), *sorted({str(file.parent) for file in TESTS.rglob("test_*.py")})]

# `ci` must give the same examples on every machine; `nightly` looks for new ones: 20,000 random programs
# (four examples of tests/behaviour/property/test_native.py for one of the wider vocabulary) and 100,000 wrong calls.
settings.register_profile(
    "ci", derandomize=True, max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "nightly", max_examples=4000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("TENSORDSL_HYPOTHESIS", "ci"))


def use_private_cache() -> None:
    """Point the compiler's disk cache at a fresh directory, also for subprocesses, unless the user chose one.

    It must happen before tensordsl reads its flags, that is before any test module is imported.
    """
    flags = os.environ.get("TENSORDSL_FLAGS", "")
    if "compiledir=" in flags:
        return
    directory = tempfile.mkdtemp(prefix="tensordsl-tests-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.environ["TENSORDSL_FLAGS"] = ",".join(part for part in (flags, f"compiledir={directory}") if part)


use_private_cache()


@pytest.fixture(scope="session", autouse=True)
def _prepared() -> None:
    """The run time knows the cache and the compiler of its library, also where no function is made first."""
    import tensordsl.codegen.constructs  # noqa: F401  tests that make tensor IR themselves need them, as the compiler
    from tensordsl.functions import native

    native._prepare()


# Here functions are compiled after a check of their storage (`program_ir.check_storage`), which costs about a third of
# what these tests take, and would of all others: loops and random programs are those whose storage is hard to get right.
CHECKED = "behaviour/loops/", "behaviour/property/", "codegen/bufferise/", "codegen/program_ir/", "test_strangers.py"


@pytest.fixture(autouse=True)
def _checks_storage(request: pytest.FixtureRequest) -> Iterator[None]:
    """Turn `config.check_storage` on for the tests of `CHECKED`, and for processes that they start."""
    if not request.path.relative_to(TESTS).as_posix().startswith(CHECKED):
        yield
        return
    from tensordsl import config

    flags = os.environ["TENSORDSL_FLAGS"]
    os.environ["TENSORDSL_FLAGS"] = f"{flags},check_storage=True"
    with config.change_flags(check_storage=True):
        yield
    os.environ["TENSORDSL_FLAGS"] = flags


@pytest.fixture
def fresh_code(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Code shared with no other test, for constants of the compiler that a test changes; one thread again behind it."""
    import tensordsl
    from tensordsl.functions import native

    monkeypatch.setattr(native.cache, "get", lambda key: None)
    monkeypatch.setattr(native.cache, "put", lambda key, blob: None)
    native.forget()
    yield monkeypatch
    native.forget()
    tensordsl.config.num_threads = 1


@pytest.fixture(scope="module")
def ends() -> Iterator[list[End]]:
    """Three places where memory ends."""
    from end_of_memory import End

    made = [End() for _ in range(3)]
    yield made
    for end in made:
        end.protect(3)


@pytest.fixture(scope="module")
def on_sim() -> Iterator[None]:
    """Functions run on the simulator; nothing is written outside of its memory."""
    import tensordsl
    from tensordsl.functions.devices import get_device

    with tensordsl.config.change_flags(device="sim"):
        yield
    get_device("sim").driver.check()
