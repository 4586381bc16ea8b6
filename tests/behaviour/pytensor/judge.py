"""The judge of this folder: PyTensor's own Python, without its compilers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from pytensor import function
from pytensor.compile.mode import Mode
from pytensor.link.vm import VMLinker

import tensordsl.pytensor as linked

PYTHON = Mode(linker=VMLinker(use_cloop=False, c_thunks=False), optimizer="fast_compile")


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


def densities(model: Any) -> list[Any]:
    """A model's log-density and gradient beside its start, by both modes; ours without steps of Python's."""
    found = []
    start = np.concatenate([np.ravel(v) for v in model.initial_point().values()])
    point = start + 0.05 * np.random.default_rng(1).normal(size=start.size)
    for mode in ("TENSORDSL", PYTHON):
        f = model.logp_dlogp_function(ravel_inputs=True, mode=mode)
        f.set_extra_values({})
        found.append(f(point))
        if mode == "TENSORDSL":
            assert linked.python_steps(f._pytensor_function) == ()
    return found


def compared(found: list[Any]) -> None:
    (one, slope), (two, other) = found
    np.testing.assert_allclose(one, two, rtol=1e-9)
    np.testing.assert_allclose(slope, other, rtol=1e-7, atol=1e-9 * max(1.0, np.max(np.abs(other), initial=0)))
