# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from typing import Any
from tensordsl.compat.casts import _cast_mapping as _cast_mapping
from tensordsl.compat.casts import _convert_to_bool as _convert_to_bool
from tensordsl.compat.casts import _convert_to_complex128 as _convert_to_complex128
from tensordsl.compat.casts import _convert_to_complex64 as _convert_to_complex64
from tensordsl.compat.casts import _convert_to_float16 as _convert_to_float16
from tensordsl.compat.casts import _convert_to_float32 as _convert_to_float32
from tensordsl.compat.casts import _convert_to_float64 as _convert_to_float64
from tensordsl.compat.casts import _convert_to_int16 as _convert_to_int16
from tensordsl.compat.casts import _convert_to_int32 as _convert_to_int32
from tensordsl.compat.casts import _convert_to_int64 as _convert_to_int64
from tensordsl.compat.casts import _convert_to_int8 as _convert_to_int8
from tensordsl.compat.casts import _convert_to_uint16 as _convert_to_uint16
from tensordsl.compat.casts import _convert_to_uint32 as _convert_to_uint32
from tensordsl.compat.casts import _convert_to_uint64 as _convert_to_uint64
from tensordsl.compat.casts import _convert_to_uint8 as _convert_to_uint8
from tensordsl.tensor import *


def __getattr__(name: str) -> Any: ...
