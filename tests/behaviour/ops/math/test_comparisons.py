"""Comparisons of integers with a sign and of uint64: exact, as NumPy's, known at once and by each call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.types import SIGNED, TensorType

NAMES = {
    "eq": np.equal, "neq": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip
UNSIGNED = np.array([0, 1, 5, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1], "uint64")
u = TensorType("uint64", (None,))("u")


def signed(dtype: str) -> np.ndarray[Any, Any]:
    info = np.iinfo(dtype)
    numbers = [info.min, info.min + 1, -1, 0, 1, 5, 2**53, 2**53 + 1, 2**63 - 1, info.max]
    return np.array([n for n in numbers if info.min <= n <= info.max], dtype)


@pytest.mark.parametrize("mode", [None, "REFERENCE", "FAST_COMPILE"])
@pytest.mark.parametrize("name", NAMES)
def test_arrays(name: str, mode: Any) -> None:
    compare, numpys = getattr(T, name), NAMES[name]
    for dtype in SIGNED:
        s = TensorType(dtype, (None,))("s")
        here, there = (a.ravel() for a in np.meshgrid(signed(dtype), UNSIGNED))
        outputs = [
            compare(s, u),
            compare(u, s),
            ~compare(s, u),
            T.switch(compare(u, s), 1, 2),
            compare(s[::-1], u[::-1]),
        ]
        got = tensordsl.function([s, u], outputs, mode=mode)(here, there)
        one, other = numpys(here, there), numpys(there, here)
        for found, wanted in zip(got, (one, other, ~one, np.where(other, 1, 2), one[::-1]), strict=True):
            np.testing.assert_array_equal(found, wanted, err_msg=f"{name} {dtype}")


@pytest.mark.parametrize("mode", [None, "REFERENCE"])
@pytest.mark.parametrize("name", NAMES)
def test_beside_what_is_known(name: str, mode: Any) -> None:
    compare, numpys, s = getattr(T, name), NAMES[name], T.lvector("s")
    here, numbers = signed("int64"), (2**53 + 1, 2**63, 0)
    given = [T.constant(n, dtype="uint64") for n in numbers]
    outputs = [v for n in given for v in (compare(s, n), compare(n, s), compare(T.constant(here), n))]
    got = iter(tensordsl.function([s], outputs, mode=mode)(here))
    for n in numbers:
        for wanted in (numpys(here, np.uint64(n)), numpys(np.uint64(n), here), numpys(here, np.uint64(n))):
            np.testing.assert_array_equal(next(got), wanted)
    f = tensordsl.function([u], [compare(u, -1), compare(5, u), compare(u.sum(), T.constant([-(2**63)]))], mode=mode)
    wanted = numpys(UNSIGNED, -1), numpys(5, UNSIGNED), numpys(UNSIGNED.sum(), np.array([-(2**63)]))
    for found, want in zip(f(UNSIGNED), wanted, strict=True):
        np.testing.assert_array_equal(found, want)


def test_other_functions_of_both_are_of_float64_as_numpys() -> None:
    s = T.lvector("s")
    here, there = np.array([2**53, -1]), np.array([2**53 + 1, 0], "uint64")
    outputs = [T.maximum(s, u), T.minimum(u, s), T.isclose(s, u)]
    wanted = np.maximum(here, there), np.minimum(there, here), np.isclose(here, there)
    for found, want in zip(tensordsl.function([s, u], outputs)(here, there), wanted, strict=True):
        assert found.dtype == want.dtype and found.tolist() == want.tolist()
