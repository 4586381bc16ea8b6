"""The page of PyTensor's operations: no operation without a place, and as the tool makes it from these releases."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pymc")
ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())


@pytest.fixture(scope="module")
def tool() -> Any:
    spec = importlib.util.spec_from_file_location("pytensor_ops", ROOT / "tools" / "pytensor_ops.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_operation_has_a_place(tool: Any) -> None:
    answers = {answer for rows in tool.rows().values() for answer in rows}
    assert {"native", "inlined", "draw", "lowered"} <= answers and "?" not in answers


def test_the_page_is_current(tool: Any) -> None:
    page = (ROOT / "docs" / "pytensor-ops.md").read_text()
    assert page.startswith(tool.HEAD)
    for package, section in tool.sections().items():
        if tool.releases()[package] in page:
            assert section in page
