"""NumPy's LAPACK is found by its names, and by nothing that does not give right results."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tensordsl.codegen.abi import layouts
from tensordsl.runtime.loading import lapack
from tensordsl.runtime.loading.layout import peek


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever is found is looked for again."""
    monkeypatch.setattr(lapack._Found, "lapack", None)
    yield


def test_it_has_every_function_for_every_dtype(anew: None) -> None:
    found = lapack.find_lapack()
    assert found.int_size in (4, 8)
    for name in layouts.LAPACK_NAMES:
        for dtype in layouts.LAPACK_LETTERS:
            assert found.address(layouts.lapack_symbol(name, dtype))
    assert found.pattern == lapack.key_text()


def test_the_table_has_what_an_object_calls() -> None:
    lapack.fill(("potrf",))
    assert peek(lapack.table()) == lapack.find_lapack().int_size
    for dtype, letter in layouts.LAPACK_LETTERS.items():
        assert peek(lapack.table() + layouts.LAPACK["potrf", dtype]) == lapack.find_lapack().address(f"{letter}potrf")


def test_without_names_there_is_none(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lapack, "NAMES", ())
    monkeypatch.setattr(lapack, "SCIPY", ("no.such.module",))
    assert lapack.find_lapack().int_size == 0 and not lapack.key_text()
    with pytest.raises(OSError, match="no LAPACK"):
        lapack.fill(("potrf",))


def test_scipys_is_used_where_numpys_has_other_names(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    monkeypatch.setattr(lapack, "NAMES", ())
    assert lapack.find_lapack().int_size == 4 and lapack.key_text() == "cython_lapack"


def test_one_that_lacks_a_function_is_none(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "LAPACK_NAMES", (*layouts.LAPACK_NAMES, "nothing"))
    assert lapack.find_lapack().int_size == 0


Potrf = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5, ctypes.c_int64)


def potrf(kind: Any, parts: int, size: int, error: float = 0) -> Callable[..., None]:
    """One by NumPy, with integers of so many bytes."""
    integer = {4: ctypes.c_int32, 8: ctypes.c_int64}[size]

    def run(half: int, n: int, a: int, lead: int, info: int, length: int) -> None:
        count = integer.from_address(n).value
        given = np.ctypeslib.as_array((kind * (count * count * parts)).from_address(a))
        whole = given.view(f"c{2 * given.itemsize}") if parts == 2 else given
        matrix = whole.reshape(count, count).T
        lower = np.tril(matrix)
        try:
            factor = np.linalg.cholesky(lower + np.tril(lower, -1).conj().T)
            matrix[np.tril_indices(count)] = factor[np.tril_indices(count)]
            matrix += error
            integer.from_address(info).value = 0
        except np.linalg.LinAlgError:
            integer.from_address(info).value = 2

    return run


@pytest.mark.parametrize("size", [4, 8])
def test_the_self_test_finds_the_size_of_integers_and_wrong_results(size: int) -> None:
    for wrong in ("", *lapack.KINDS):
        functions = {t: Potrf(potrf(*lapack.KINDS[t], size, t == wrong)) for t in lapack.KINDS}
        addresses = {
            layouts.lapack_symbol("potrf", t): ctypes.cast(f, ctypes.c_void_p).value or 0 for t, f in functions.items()
        }
        assert lapack._works(addresses.__getitem__, size) == (not wrong)
        assert not lapack._works(addresses.__getitem__, 12 - size)
