"""The groups, references, inputs and random functions are those of the CPU's tests and of the op table's."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("codegen", "ops", "property")]
