"""Elementwise operations: PyTensor's scalar Ops as functions of ours, alone, composed, and over arrays.

Contract  `scalar(op, inputs, dtype)` -> the result, of the dtype that PyTensor's type says.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

from tensordsl.pytensor.conversion import Conversion, Missing, T, as_dtype, converts, is_own

# Names of scalar Ops -> of functions of `tensordsl.tensor`.
NAMES = dict(
    Add="add", Mul="mul", Maximum="maximum", Minimum="minimum", AND="and_", OR="or_", XOR="xor", Invert="invert",
    Sub="sub", TrueDiv="true_div", IntDiv="int_div", Mod="mod", Pow="pow", Neg="neg", Abs="abs", Sign="sgn",
    Reciprocal="reciprocal", Sqr="sqr", Sqrt="sqrt", Clip="clip", Switch="switch", Second="second", GE="ge", LE="le",
    GT="gt", LT="lt", EQ="eq", NEQ="neq", IsNan="isnan", IsInf="isinf", Floor="floor", Ceil="ceil", Trunc="trunc",
    RoundHalfToEven="round", Exp="exp", Exp2="exp2", Expm1="expm1", Log="log", Log1p="log1p", Log2="log2",
    Log10="log10", Log1mexp="log1mexp", Sigmoid="sigmoid", Softplus="softplus", Sin="sin", Cos="cos", Tan="tan",
    Sinh="sinh", Cosh="cosh", Tanh="tanh", ArcSin="arcsin", ArcCos="arccos", ArcTan="arctan", ArcTan2="arctan2",
    ArcSinh="arcsinh", ArcCosh="arccosh", ArcTanh="arctanh", Erf="erf", Erfc="erfc", Erfcx="erfcx", Erfinv="erfinv",
    Erfcinv="erfcinv", Gamma="gamma", GammaLn="gammaln", Psi="digamma", TriGamma="trigamma", PolyGamma="polygamma",
    GammaInc="gammainc", GammaIncC="gammaincc", GammaIncInv="gammaincinv", GammaIncCInv="gammainccinv",
    BetaInc="betainc", BetaIncInv="betaincinv", Deg2Rad="deg2rad", Rad2Deg="rad2deg", Real="real", Imag="imag",
    Conj="conj", Angle="angle", J0="j0", J1="j1", Jv="jv", I0="i0", I1="i1", Iv="iv", Ive="ive", Kve="kve",
    NdtriExp="ndtri_exp", I0e="i0e", I1e="i1e", Owens_t="owens_t", Hyp2F1="hyp2f1",
    GammaU="gammau", GammaL="gammal", Chi2SF="chi2sf",
    XlogX="xlogx.xlogx", XlogY0="xlogx.xlogy0", Softsign="nnet.softsign",
)  # fmt: skip
VARIADIC = {"Add", "Mul", "Maximum", "Minimum", "AND", "OR", "XOR"}
OWN: dict[str, Callable[..., Any]] = {
    "Identity": lambda x: x,
    "MulWithoutZeros": lambda x, y: _not_zero(x) * _not_zero(y),
    "Complex": lambda re, im: T.cast(re, "complex128") + 1j * T.cast(im, "complex128"),
    "ComplexFromPolar": lambda r, t: r * T.exp(1j * T.cast(t, "complex128")),
    "RoundHalfAwayFromZero": lambda x: T.round(x, mode="half_away_from_zero"),
}  # fmt: skip


def _not_zero(x: Any) -> Any:
    return T.switch(T.eq(x, 0), 1, x)


def scalar(op: Any, inputs: list[Any], dtype: str) -> Any:
    """Raises Missing for a scalar Op that we do not have."""
    name = type(op).__name__ if is_own(type(op)) else ""
    if name == "Cast":
        return as_dtype(inputs[0], dtype)
    if name in OWN:
        return as_dtype(OWN[name](*inputs), dtype)
    if name not in NAMES:
        raise Missing
    function = operator.attrgetter(NAMES[name])(T)
    return as_dtype(functools.reduce(function, inputs) if name in VARIADIC else function(*inputs), dtype)


@converts("Elemwise")
def _elementwise(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return _applied(c, node.op.scalar_op, inputs, node.outputs)


@converts("ScalarOp")
def _scalar(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return _applied(c, node.op, inputs, node.outputs)


def _applied(c: Conversion, op: Any, inputs: list[Any], outputs: Any) -> Any:
    """A composition has a graph of scalar Ops; its loops are in `loops`."""
    if any(kind.__name__ == "ScalarLoop" for kind in type(op).__mro__):
        from tensordsl.pytensor.loops import scalar_loop  # late: it uses this module's converters

        return scalar_loop(c, op, inputs)
    if hasattr(op, "fgraph"):
        return c.pointwise(op.fgraph, inputs)
    return scalar(op, inputs, outputs[0].type.dtype)
