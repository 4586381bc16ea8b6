"""`scalar.basic`: types of scalars, and rows of elementwise operations under Theano's names of scalar ones."""

from __future__ import annotations

from typing import Any

from tensordsl.base.missing import missing
from tensordsl.graph.casting import float_of, float_of_all
from tensordsl.graph.casting import upcast as upcast_names
from tensordsl.graph.theano_forms import scalar_name, scalar_of
from tensordsl.graph.types import ALL_DTYPES, COMPLEX, DISCRETE, FLOATS, SIGNED, UNSIGNED, TensorType
from tensordsl.graph.variables import Op, Variable
from tensordsl.ops.kinds import ScalarKind
from tensordsl.ops.math import comparisons, complexes, elementwise, functions, gamma
from tensordsl.ops.operands import as_variable, constant, named_dtype


class Scalar(str):
    """The type of a scalar: the name of its dtype, which makes variables without axes where it is called.

    >>> Scalar("float32"), Scalar("float32")("x").type, Scalar("int8").dtype
    (Scalar(float32), TensorType(float32, scalar), 'int8')
    """

    __slots__ = ()

    def __new__(cls, dtype: Any) -> Scalar:
        return super().__new__(cls, named_dtype(dtype, "Scalar"))

    @property
    def dtype(self) -> str:
        return str(self)

    @property
    def tensor_type(self) -> TensorType:
        return TensorType(str(self))

    def __call__(self, name: str | None = None) -> Variable:
        return self.tensor_type(name)

    def clone(self, dtype: Any = None) -> Scalar:
        return self if dtype is None else Scalar(dtype)

    def __getattr__(self, name: str) -> Any:
        """`filter`, `values_eq`, ...: those of a tensor without axes."""
        return getattr(self.tensor_type, name)

    def __repr__(self) -> str:
        return f"Scalar({self})"


get_scalar_type = Scalar


def _types(dtypes: tuple[str, ...]) -> tuple[Scalar, ...]:
    return tuple(map(Scalar, dtypes))


all_types, complex_types, float_types = _types(ALL_DTYPES), _types(COMPLEX), _types(FLOATS)
int_types, uint_types, discrete_types = _types(SIGNED), _types(UNSIGNED), _types(DISCRETE)
integer_types, continuous_types = int_types + uint_types, float_types + complex_types
discrete_dtypes = tuple(DISCRETE)
upgrade_to_float, upgrade_to_float_no_complex = float_of_all, float_of
as_scalar = as_variable
_OF_USERS = ("BinaryScalarOp", "Composite", "ScalarOp", "UnaryScalarOp", "same_out", "upcast_out")


def upcast(dtype: Any, *dtypes: Any) -> str:
    """The dtype that NumPy's promotion of arrays gives.

    >>> upcast("float32", "int32"), upcast("floatX", Scalar("int8"))
    ('float64', 'float64')
    """
    return upcast_names(*map(named_dtype, (dtype, *dtypes)))


_ROWS: dict[str, Op] = {
    name: row
    for module in (elementwise, comparisons, functions, complexes, gamma)
    for row in module.ROWS
    if row.name != "cast"
    for name in (row.name, scalar_name(row))
}
_CLASSES = {name.replace("_", "").lower(): row for name, row in (*_ROWS.items(), ("cast", elementwise.CAST))}
identity = scalar_of(_ROWS["identity"])
ScalarSigmoid = ScalarKind("ScalarSigmoid", functions.SIGMOID)
ScalarSoftplus = ScalarKind("ScalarSoftplus", functions.SOFTPLUS)

__all__ = [
    "Scalar", "ScalarSigmoid", "ScalarSoftplus", "all_types", "as_scalar", "complex_types", "constant",
    "continuous_types", "discrete_dtypes", "discrete_types", "float_types", "get_scalar_type", "identity",
    "int_types", "integer_types", "uint_types", "upcast", "upgrade_to_float", "upgrade_to_float_no_complex",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """`scalar.basic.add`: the operation of that name; `Add`: its class; `float32`: the type."""
    if name in _OF_USERS:
        from tensordsl.custom import scalars  # late: few programs have some

        return getattr(scalars, name)
    if name in _ROWS:
        return scalar_of(_ROWS[name])
    if name in ALL_DTYPES:
        return Scalar(name)
    if name[:1].isupper() and name.lower() in _CLASSES:
        return ScalarKind(name, _CLASSES[name.lower()])
    raise missing("tensordsl.scalar", name, (*_ROWS, *ALL_DTYPES))


def __dir__() -> list[str]:
    return sorted({*__all__, *_OF_USERS, *_ROWS, *ALL_DTYPES})
