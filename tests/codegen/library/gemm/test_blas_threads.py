"""Products by a BLAS of several threads: workers of pytest-xdist have one of a single thread."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_products_by_threads_of_the_blas() -> None:
    """In a process of its own: a BLAS reads the number of its threads when it is loaded."""
    suite, chosen = Path(__file__).with_name("test_gemm.py"), "blas and (test_a_matrix_and_a_vector or 260 or 2100)"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", "-k", chosen, suite],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
