"""`T.nnet.nnet`: the names of `tensordsl.tensor.nnet` under the path of Theano's module."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import tensordsl.tensor.nnet

    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(tensordsl.tensor.nnet, name)
