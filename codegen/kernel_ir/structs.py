"""Structs in memory: named fields, which a kernel reads and sets by their names.

Contract  `Struct(n=i64, x=array(f64))`: fields stand in this order, each at a multiple of its size.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.kernel_ir.language import Kernel, Pointer
from tensordsl.codegen.kernel_ir.types import Array, Kind, i64, ptr


class Struct:
    """
    >>> line = Struct(x=ptr, count=i64)
    >>> line.offsets
    {'x': 0, 'count': 8}
    """

    def __init__(self, **fields: Kind) -> None:
        self.fields, self.offsets = fields, dict[str, int]()
        end = 0
        for name, kind in fields.items():
            size = (ptr if isinstance(kind, Array) else kind).bytes
            self.offsets[name] = -(-end // size) * size
            end = self.offsets[name] + size
        self.words = -(-end // i64.bytes)

    def made(self, k: Kernel, /, **values: Any) -> Fields:
        """One in storage of the call; fields without a value are not set."""
        made = Fields(self, k.alloca(i64, self.words))
        for name, value in values.items():
            setattr(made, name, value)
        return made


class Fields:
    """A struct at an address: `line.count`, `line.count = 0`."""

    __slots__ = ("place", "struct")
    place: Pointer
    struct: Struct

    def __init__(self, struct: Struct, place: Pointer) -> None:
        object.__setattr__(self, "struct", struct)
        object.__setattr__(self, "place", place)

    def place_of(self, name: str) -> Pointer:
        kind = self.struct.fields[name]
        return self.place.bytes(self.struct.offsets[name]).of(ptr if isinstance(kind, Array) else kind)

    def __getattr__(self, name: str) -> Any:
        if name not in self.struct.fields:
            raise AttributeError(f"a struct of {', '.join(self.struct.fields)} has no {name}")
        value, kind = self.place_of(name)[0], self.struct.fields[name]
        return value.of(kind.element, kind.align) if isinstance(kind, Array) else value

    def __setattr__(self, name: str, value: Any) -> None:
        self.place_of(name)[0] = value
