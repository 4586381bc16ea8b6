"""Theano's functions that cast to one dtype, `T.basic._convert_to_int32(x)`, and its table of them.

They are `T.cast(x, dtype)` and take what that takes; programs ask for them by these names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.graph.types import ALL_DTYPES
from tensordsl.ops.math.elementwise import cast
from tensordsl.ops.operands import as_variable


def _to(dtype: str) -> Callable[[Any], Any]:
    def convert(x: Any) -> Any:
        return cast(as_variable(x), dtype)

    convert.__name__ = convert.__qualname__ = f"_convert_to_{dtype}"
    convert.__doc__ = f"`T.cast(x, {dtype!r})`."
    return convert


_cast_mapping = {dtype: _to(dtype) for dtype in ALL_DTYPES}
_convert_to_bool = _cast_mapping["bool"]
_convert_to_int8 = _cast_mapping["int8"]
_convert_to_int16 = _cast_mapping["int16"]
_convert_to_int32 = _cast_mapping["int32"]
_convert_to_int64 = _cast_mapping["int64"]
_convert_to_uint8 = _cast_mapping["uint8"]
_convert_to_uint16 = _cast_mapping["uint16"]
_convert_to_uint32 = _cast_mapping["uint32"]
_convert_to_uint64 = _cast_mapping["uint64"]
_convert_to_float16 = _cast_mapping["float16"]
_convert_to_float32 = _cast_mapping["float32"]
_convert_to_float64 = _cast_mapping["float64"]
_convert_to_complex64 = _cast_mapping["complex64"]
_convert_to_complex128 = _cast_mapping["complex128"]
