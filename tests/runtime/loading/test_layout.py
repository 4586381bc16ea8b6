"""What we do not support is refused at import, with the reason."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tensordsl.runtime.loading import layout


def test_this_python_and_this_numpy_fit():
    layout.check()


def test_free_threaded_builds_are_refused(monkeypatch):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    with pytest.raises(ImportError, match="free-threaded"):
        layout.check()


@pytest.mark.parametrize("part", ["_object_fits", "_array_fits", "_scalars_fit", "_table_fits"])
def test_an_unknown_layout_is_refused(monkeypatch, part):
    monkeypatch.setattr(layout, part, lambda: False)
    with pytest.raises(ImportError, match=f"NumPy {np.__version__} has a layout"):
        layout.check()


def test_peek_and_poke():
    buffer = bytearray(16)
    at = layout.address_of(buffer)
    layout.poke(at + 8, -2)
    assert layout.peek(at + 8) == -2 and buffer == bytes(8) + b"\xfe" + b"\xff" * 7
