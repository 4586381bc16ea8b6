"""Shared test set-up: hypothesis profiles, and a disk cache that belongs to this run alone."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

# `ci` must give the same examples on every machine; `nightly` looks for new ones: 20,000 random programs
# (four examples of tests/property/test_native.py for one of the wider vocabulary) and 100,000 wrong calls.
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

import tensordsl.codegen.constructs  # noqa: E402, F401  # tests that make tensor IR themselves need them, as the compiler
