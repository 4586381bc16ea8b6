"""The judge of this folder: PyTensor's own Python, without its compilers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from pytensor import function
from pytensor.compile.mode import Mode

import tensordsl.pytensor as linked

PYTHON = Mode(linker="vm", optimizer="fast_compile")


def equal(one: Any, two: Any) -> None:
    """Of the same type, dtype and shape, and as close as sums in another order are."""
    if hasattr(one, "toarray"):
        assert one.format == two.format
        one, two = one.toarray(), two.toarray()
    if isinstance(one, list):
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            equal(a, b)
    elif isinstance(one, str | slice):
        assert one == two
    elif isinstance(one, np.random.Generator):
        assert one.bit_generator.state == two.bit_generator.state
    else:
        one, two = np.asarray(one), np.asarray(two)
        assert (one.dtype, one.shape) == (two.dtype, two.shape)
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


def agrees(inputs: Sequence[Any], outputs: Sequence[Any], values: Sequence[Any]) -> set[str]:
    """The steps of Python's in a function that gives, called twice, what PyTensor gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = (function(inputs, outputs, mode=mode) for mode in ("TENSORDSL", PYTHON))
    expected = theirs(*values)
    for _ in range(2):
        for one, two in zip(ours(*values), expected, strict=True):
            equal(one, two)
    return set(linked.python_steps(ours))
