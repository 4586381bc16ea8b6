"""The types of kernels: integers, floats, addresses, and vectors of these; what a function takes and gives.

Contract  a `Type` is an element and how many lanes of it; one lane is a scalar.  Integers have no sign: ops have.
          An `array(i32)` is an address whose loads and stores are of i32: a type of the language, a `ptr` in the IR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tensordsl.base.records import record

BITS = {
    "i1": 1, "i2": 2, "i4": 4, "i8": 8, "i16": 16, "i32": 32, "i64": 64, "f16": 16, "f32": 32, "f64": 64, "ptr": 64,
}  # fmt: skip


class Type:
    """`lanes` elements.  There is one object of each type, so that comparing types compares addresses.

    bits: of an element.  bytes: of all lanes in memory, where an i1 takes a byte.

    >>> f32.of(8), f32.of(8).bytes, i1.bytes, f32.of(8).scalar is f32
    (8 x f32, 32, 1, True)
    """

    __slots__ = ("bits", "bytes", "element", "is_float", "is_integer", "is_pointer", "lanes")
    element: str
    lanes: int
    bits: int
    bytes: int
    is_integer: bool
    is_float: bool
    is_pointer: bool
    _made: ClassVar[dict[tuple[str, int], Type]] = {}

    def __new__(cls, element: str, lanes: int = 1) -> Type:
        made = cls._made.get((element, lanes))
        return made if made is not None else cls._made.setdefault((element, lanes), cls._new(element, lanes))

    @classmethod
    def _new(cls, element: str, lanes: int) -> Type:
        t = object.__new__(cls)
        t.element, t.lanes, t.bits = element, lanes, BITS[element]
        t.bytes = lanes * max(1, t.bits // 8)
        t.is_integer, t.is_float, t.is_pointer = element[0] == "i", element[0] == "f", element == "ptr"
        return t

    def __reduce__(self) -> tuple[Any, ...]:
        return Type, (self.element, self.lanes)

    @property
    def scalar(self) -> Type:
        return self if self.lanes == 1 else Type(self.element)

    def of(self, lanes: int) -> Type:
        """A vector of so many such elements; one lane is the scalar."""
        return Type(self.element, lanes)

    @property
    def mask(self) -> Type:
        """Truth of each lane."""
        return Type("i1", self.lanes)

    def __repr__(self) -> str:
        return self.element if self.lanes == 1 else f"{self.lanes} x {self.element}"


i1, _, _, i8, i16, i32, i64, f16, f32, f64, ptr = map(Type, BITS)  # i2 and i4: the bits of masks
KINDS: dict[str, Type] = {name: Type(name) for name in BITS}
INTEGER_OF_BYTES = {1: i8, 2: i16, 4: i32, 8: i64}


def memory_type(dtype: str) -> Type:
    """Of an element of a NumPy dtype that is no complex one, in memory: bool is a byte, float16 its 16 bits."""
    if dtype in ("bool", "float16"):
        return i8 if dtype == "bool" else i16
    word, bits = dtype.rstrip("0123456789"), dtype.lstrip("abcdefghijklmnopqrstuvwxyz")
    return KINDS[("f" if word == "float" else "i") + bits]


@record
class Array:
    """An address of elements that stand one behind the other; `align`: bytes, of each element's address."""

    element: Type
    align: int = 0

    def __repr__(self) -> str:
        return f"array({self.element})"


Kind = Type | Array


def array(element: Type, align: int = 0) -> Array:
    return Array(element, align)


@record
class Signature:
    """What a function is called, takes, and gives.  `is_internal`: only its own module calls it.

    `is_hidden`: it stands in another object of the same library."""

    name: str
    parameters: tuple[tuple[str, Kind], ...]
    results: tuple[Type, ...] = ()
    is_internal: bool = True
    is_hidden: bool = False

    @property
    def types(self) -> tuple[Type, ...]:
        return tuple(ptr if isinstance(kind, Array) else kind for _, kind in self.parameters)

    @property
    def result(self) -> Type | None:
        """The only one; None if it gives nothing."""
        assert len(self.results) < 2
        return self.results[0] if self.results else None

    def __str__(self) -> str:
        given = ", ".join(f"{name}: {kind}" for name, kind in self.parameters)
        return f"{self.name}({given})" + (f" -> {', '.join(map(str, self.results))}" if self.results else "")


def signature(
    name: str,
    result: Type | Sequence[Type] | None = None,
    first: Mapping[str, Kind] | None = None,
    /,
    *,
    internal: bool = True,
    hidden: bool = False,
    **parameters: Kind,
) -> Signature:
    """result: a type, several, or None; first: parameters that several functions share, which stand before the others.

    >>> print(signature("total", f64, x=array(f64), count=i64))
    total(x: array(f64), count: i64) -> f64
    """
    results = (result,) if isinstance(result, Type) else tuple(result or ())
    return Signature(name, (*(first or {}).items(), *parameters.items()), results, internal, hidden)
