"""The options that change what dtype an expression has."""

from __future__ import annotations

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl import graph


def test_the_numpy_policy_gives_literals_numpys_dtypes_and_floatX() -> None:
    with theano.config.change_flags(cast_policy="numpy+floatX"):
        assert (T.constant(1).dtype, T.constant(1.5).dtype, T.constant(1.1).dtype) == ("int64", "float64", "float64")
        assert (T.bvector() + 1).dtype == "int64" and (T.fvector() + 1.5).dtype == "float64"
        with theano.config.change_flags(floatX="float32"):
            assert T.constant(1.1).dtype == "float32" and (T.fvector() * 1.1).dtype == "float32"
    assert T.constant(1).dtype == "int8" and graph._OPERAND_HOOKS == []


def test_integers_beside_float32_stay_float32_under_the_numpy_policy() -> None:
    f, i, d = T.fvector("f"), T.lvector("i"), T.dvector("d")
    assert (f * i).dtype == "float64"
    with theano.config.change_flags(cast_policy="numpy+floatX", floatX="float32"):
        y = [f * i, f + 1, T.switch(i, f, 2), f**i, f / i]
        assert [v.dtype for v in y] == ["float32"] * 5
        assert (d * i).dtype == "float64" and (i + i).dtype == "int64"
    # The graph has its casts: it means the same where the option is off again.
    for mode in ("FAST_RUN", "REFERENCE"):
        found = theano.function([f, i], y, mode=mode)(np.array([1, 2], "float32"), [1, 3])
        assert [v.dtype.name for v in found] == ["float32"] * 5 and found[3].tolist() == [1.0, 8.0]


def test_the_division_of_integers_follows_its_option() -> None:
    i, j, x = T.ivector("i"), T.ivector("j"), T.vector("x")
    assert (i / j).dtype == "float64"
    with theano.config.change_flags(int_division="int"):
        assert (i / j).dtype == "int32" and (i / x).dtype == "float64"
        assert (i / j).eval({i: [7], j: [2]}).tolist() == [3]
    with theano.config.change_flags(int_division="raise"):
        with pytest.raises(TypeError, match="Use x // y"):
            i / j
        assert (i // j).dtype == "int32" and (i / x).dtype == "float64"


def test_float64_is_reported_where_it_is_made() -> None:
    f, i = T.fvector("f"), T.lvector("i")
    with theano.config.change_flags(warn_float64="warn"):
        with pytest.warns(UserWarning, match=r"float64 variable: mul\(f, i\)") as caught:
            f * i
        assert caught[0].filename == __file__
    with (
        theano.config.change_flags(warn_float64="raise"),
        pytest.raises(TypeError, match=r"(?s)mul\(f, i\).*test_policies"),
    ):
        f * i
    assert (f * i).dtype == "float64" and graph._APPLY_HOOKS == []
