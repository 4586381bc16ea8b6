"""Lowering of complex values: `complex(re, im)` of two real values; rows on them become rows on the parts.

`complex_moves` later joins moves of both parts again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.codegen.tensor_ir.construct import PART, Construct
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.graph.casting import real_of, upcast
from tensordsl.graph.types import COMPLEX, TensorType
from tensordsl.graph.variables import Apply, Constant, Reduction, Variable, apply
from tensordsl.ops.array.reducers import COMPLEX_MAX, COMPLEX_MIN, COMPLEX_PROD
from tensordsl.ops.math import complexes
from tensordsl.ops.math.elementwise import cast, second
from tensordsl.ops.operands import constant

if TYPE_CHECKING:
    from tensordsl.codegen.tensor_ir.lower import Lowering


def is_complex(node: Apply) -> bool:
    return any([v.type.dtype in COMPLEX for v in (*node.inputs, *node.outputs)])


def split_complex(low: Lowering, v: Value) -> Value:
    """A complex value in memory as the pair of its parts; a real value as it is."""
    if v.dtype not in COMPLEX:
        return v
    re, im = (low.graph.make(PART, (v,), real_of(v.dtype), v.shape, k=k) for k in (0, 1))
    return low.graph.make("complex", (re, im), v.dtype, v.shape)


def parts(values: Sequence[Value]) -> list[Value]:
    """Real values, in the place of each complex one its two parts."""
    return [p for v in values for p in (v.operands if v.dtype in COMPLEX else (v,))]


def paired(graph: Graph, variables: Sequence[Variable], values: Sequence[Value]) -> list[Value]:
    """The values of `variables` from what `parts` made of them."""
    rest = iter(values)
    result = []
    for v in variables:
        value = next(rest)
        if v.type.dtype in COMPLEX:
            value = graph.make("complex", (value, next(rest)), v.type.dtype, value.shape)
        result.append(value)
    return result


def constant_pair(low: Lowering, data: Any) -> Value:
    re, im = (low.graph.const(np.array(part)) for part in (data.real, data.imag))
    return low.graph.make("complex", (re, im), data.dtype.name, data.shape)


def lower_complex(low: Lowering, node: Apply) -> list[Value]:
    """A row with another meaning than `Kernel`."""
    name = node.row.name
    if complexes.is_each(node.row):
        return by_parts_of(low, node, 1)
    if name == "prod":
        return [_product(low, node, low.value(node.inputs[0]))]
    if name in EXTREMA:
        return [_extremum(low, node)]
    return by_formula(low, node)


def by_formula(low: Lowering, node: Apply) -> list[Value]:
    """As rows of the parts of the operands (`ops.complexes.PARTS`)."""
    name, g = node.row.name, low.graph
    wide = real_of(upcast(*(v.type.dtype for v in node.inputs), *(v.type.dtype for v in node.outputs)))
    if name in complexes.FUNCTIONS:  # complex64 without a loss in between
        wide = "float64"
    dtype = node.outputs[0].type.dtype
    pairs: list[Any] = [_pair(low, v, wide) for v in node.inputs]
    if name in ("switch", "second"):  # the first operand is no number; the others may all be real
        first, *others = node.inputs
        pairs[0] = _pair(low, first, real_of(first.type.dtype)) if first.type.dtype in COMPLEX else (first, first)
        if dtype not in COMPLEX:
            pairs[1:] = [(cast(v, dtype), cast(v, dtype)) for v in others]
    n = _small_integer(node.inputs[1]) if name == "pow" else None
    if name == "cast":
        built = pairs[0]
    else:
        built = complexes.PARTS[name](*pairs) if n is None else complexes.whole_power(pairs[0], n)
    if not isinstance(built, tuple):
        return low.run([built])
    if dtype not in COMPLEX:
        return low.run([built[0]])
    re, im = (g.cast(v, real_of(dtype)) for v in low.run(built))
    shape = g.broadcast((re, im))
    return [g.make("complex", (g.broadcast_to(re, shape), g.broadcast_to(im, shape)), dtype, shape)]


def _small_integer(exponent: Variable) -> int | None:
    """The exponent if it is a small whole number known now."""
    if not isinstance(exponent, Constant) or exponent.data.size != 1:
        return None
    n = exponent.data.item()
    return int(n.real) if abs(n) < 100 and n == int(n.real) else None


def _product(low: Lowering, node: Apply, x: Value) -> Value:
    dtype, wide = node.outputs[0].type.dtype, real_of(node.attrs["acc_dtype"])
    operands = [low.graph.cast(p, wide) for p in split_complex(low, x).operands]
    meaning = Reduction(COMPLEX_PROD, lambda *t: t, (0, 1))
    re, im = (
        low.graph.cast(low.graph.reduce(meaning, k, node.attrs["axis"], operands), real_of(dtype)) for k in (0, 1)
    )
    return low.graph.make("complex", (re, im), dtype, re.shape)


EXTREMA = {"max": COMPLEX_MAX, "min": COMPLEX_MIN, "argmax": COMPLEX_MAX, "argmin": COMPLEX_MIN}


def _extremum(low: Lowering, node: Apply) -> Value:
    """The first extremum in row-major order: over one axis after the other, from the last one."""
    x, g = low.value(node.inputs[0]), low.graph
    meaning = Reduction(EXTREMA[node.row.name], lambda *t: t, (0, 1, 2), with_index=True)
    assert isinstance(node.row.meaning, Reduction)
    pair = [low.with_elements(node, node.row.meaning, [part])[0] for part in x.operands]
    for axis in sorted(node.attrs["axis"], reverse=True):
        *pair, position = (g.reduce(meaning, k, (axis,), pair) for k in meaning.results)
    if node.row.name in ("argmax", "argmin"):
        return position
    return g.make("complex", pair, x.dtype, pair[0].shape)


def of_dtype(g: Graph, v: Value, dtype: str) -> Value:
    """A value in memory as one of a complex dtype."""
    part = real_of(dtype)
    re, im = v.operands if v.dtype in COMPLEX else (v, g.broadcast_to(g.const(np.zeros((), part)), v.shape))
    return g.make("complex", (g.cast(re, part), g.cast(im, part)), dtype, v.shape)


def _part(low: Lowering, v: Variable, k: int) -> Variable:
    """A variable that stands for a part of a complex one."""
    made = TensorType(real_of(v.type.dtype), v.type.shape)()
    low.env[id(made)] = low.value(v).operands[k]
    low.keep_alive.append(made)
    return made


def _pair(low: Lowering, v: Variable, dtype: str) -> tuple[Variable, Variable]:
    if v.type.dtype in COMPLEX:
        return cast(_part(low, v, 0), dtype), cast(_part(low, v, 1), dtype)
    re = cast(v, dtype)
    return re, second(re, constant(0, dtype=dtype))


def by_parts(construct: Construct, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
    """The `lower_complex` of constructs that do the same to the real and to the imaginary parts of their data."""
    return by_parts_of(low, node, construct.traits.data_operands)


def by_parts_of(low: Lowering, node: Apply, data: int | None) -> list[Value]:
    parts = [_each(low, node, len(node.inputs) if data is None else data, k) for k in (0, 1)]
    return [low.graph.make("complex", parts, node.outputs[0].type.dtype, parts[0].shape)]


def _each(low: Lowering, node: Apply, count: int, k: int) -> Value:
    """The row on the real or the imaginary parts of its first `count` operands."""
    real = real_of(node.outputs[0].type.dtype)
    pairs = [_pair(low, v, real)[k] for v in node.inputs[:count]]
    attrs: dict[str, Any] = {n: real_of(a) if isinstance(a, str) else a for n, a in node.attrs.items()}
    return low.run([apply(node.row, *pairs, *node.inputs[count:], **attrs)])[0]
