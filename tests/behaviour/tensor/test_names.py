"""What `dir` shows of the package and of its tensors: the names for users, before their first use too, and no others."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import tensordsl
import tensordsl.tensor as T


@pytest.mark.parametrize("module", [tensordsl, T], ids=["tensordsl", "tensor"])
def test_dir_names_what_there_is(module: Any) -> None:
    shown = dir(module)
    for name in shown:
        assert hasattr(module, name), name
    assert not {"Any", "sys", "importlib", "annotations", "TYPE_CHECKING", "OPTIONS"}.intersection(shown)
    assert [name for name in shown if name.startswith("_") and not name.startswith("__")] == []
    assert all(name in shown for name in getattr(module, "__all__", ()))


def test_names_that_are_loaded_at_their_first_use() -> None:
    assert {"scan", "loop", "while_loop", "evaluate", "grad", "tensor", "compile", "elementwise"} <= {*dir(tensordsl)}
    assert {"linalg", "nnet", "random", "special", "shared", "grad", "dot", "float32"} <= {*dir(T)}
    assert inspect.ismodule(T.linalg)
