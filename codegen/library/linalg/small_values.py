"""Values and matrices of small linear algebra: one algorithm's text, for one matrix or many, of known or any length.

Contract  `Lanes`: a value is a number of each of W matrices, loaded from and stored to memory with a step from one
          matrix to the next.  `over`: loops over known bounds are written out, others are loops.  `Registers`,
          `Scratch`, `Strided`: a matrix by [row, column], known places in registers, others in memory.
Why       the order of operations on a matrix is the same in every form, so its result is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer
from tensordsl.codegen.kernel_ir.transposition import SIDE
from tensordsl.codegen.kernel_ir.types import INTEGER_OF_BYTES, Type, i32, i64

CHUNK = SIDE  # numbers of one row, or of one column, in a vector
Index = int | Number  # known when the function is written, or an i64


def over(k: Kernel, start: Index, stop: Index) -> Iterator[Index]:
    """A loop, `for i in over(k, start, stop)`: written out where its bounds are known."""
    if isinstance(start, int) and isinstance(stop, int):
        yield from range(start, stop)
        return
    with k.range(stop, start=start) as i:
        yield i


def plus(x: Index, y: Index) -> Index:
    if isinstance(x, int) and x == 0:
        return y
    return x if isinstance(y, int) and y == 0 else x + y


def times(x: Index, y: Index) -> Index:
    for number, other in ((x, y), (y, x)):
        if isinstance(number, int) and number in (0, 1):
            return other if number else 0
    return x * y


def lanes_until(k: Kernel, count: Number, lanes: int) -> Number:
    """The first `count` lanes."""
    return lanes_before(k, 0, count, lanes)


def lanes_before(k: Kernel, first: int, count: Number, lanes: int) -> Number:
    """The lanes whose numbers are less than a count; they are counted from `first`."""
    return k.vector(range(first, first + lanes), i64) < k.splat(count, lanes)


def less_product(x: Number, y: Number, z: Number) -> Number:
    """z - x y, rounded once."""
    return fma(-x, y, z)


def fma(x: Number, y: Number, z: Number) -> Number:
    """x y + z, rounded once."""
    return x.k.emit("fma", x, y, z)


class Adjacent:
    """The step of lanes that are adjacent in memory; mask: those that are loaded and stored."""

    def __init__(self, mask: Number) -> None:
        self.mask = mask


Step = Number | list[Number] | Adjacent  # of all lanes, or of each behind the first


class Lanes:
    """A number of each of `lanes` matrices, and operations on it."""

    def __init__(self, k: Kernel, number: Type, lanes: int) -> None:
        self.k, self.number, self.lanes = k, number, lanes
        self.type, self.integer = number.of(lanes), INTEGER_OF_BYTES[number.bytes].of(lanes)

    @property
    def none(self) -> Number:
        """False in all lanes."""
        return self.k.number(False, self.type.mask)

    def places(self, number: Index) -> Number:
        """A place as an `integer` in all lanes."""
        if isinstance(number, int):
            return self.k.number(number, self.integer)
        return self.k.splat(number.to(self.integer.scalar), self.lanes)

    def addresses(self, place: Pointer, step: Number | list[Number]) -> Iterator[Pointer]:
        """Of the number of each matrix."""
        for lane in range(self.lanes):
            if lane:
                place = place.bytes(step[lane - 1] if isinstance(step, list) else step)
            yield place

    def joined(self, numbers: Iterator[Number]) -> Number:
        """A vector of a number for each lane."""
        if self.lanes == 1:
            return next(numbers)
        first = next(numbers)
        value = self.k.anything(first.type.of(self.lanes))
        value = self.k.emit("insert", value, first, lane=0)
        for lane, number in enumerate(numbers, 1):
            value = self.k.emit("insert", value, number, lane=lane)
        return value

    def lane(self, value: Number, lane: int) -> Number:
        return value if self.lanes == 1 else self.k.emit("extract", value, lane=lane)

    def load(self, place: Pointer, step: Step) -> Number:
        """Of W matrices, each so many bytes behind the one before."""
        place = place.of(self.number)
        if isinstance(step, Adjacent):
            return self.k.masked_load(place, step.mask, 0.0)
        return self.joined(address[0] for address in self.addresses(place, step))

    def store(self, value: Number, place: Pointer, step: Step) -> None:
        place = place.of(self.number)
        if isinstance(step, Adjacent):
            self.k.masked_store(place, step.mask, value)
            return
        for lane, address in enumerate(self.addresses(place, step)):
            address[0] = self.lane(value, lane)

    def load_place(self, place: Pointer, step: Number) -> Number:
        """int32 numbers, each of its matrix."""
        integer = self.integer.scalar
        return self.joined(address[0].to(integer) for address in self.addresses(place.of(i32), step))

    def store_place(self, places: Number, place: Pointer, step: Number) -> None:
        for lane, address in enumerate(self.addresses(place.of(i32), step)):
            address[0] = self.lane(places, lane).to(i32)

    def first(self, mask: Number) -> Index:
        """The number of the first lane whose i1 is true, of which there is one."""
        return 0 if self.lanes == 1 else self.k.emit("cttz", self.bits(mask).unsigned(i64), of_zero=True)

    def any(self, mask: Number) -> Number:
        return mask if self.lanes == 1 else self.bits(mask) != 0

    def bits(self, mask: Number) -> Number:
        return mask.bits(Type(f"i{self.lanes}"))


class Matrix(Protocol):
    """Numbers by row and column."""

    def __getitem__(self, place: tuple[Index, Index]) -> Number: ...
    def __setitem__(self, place: tuple[Index, Index], value: Number) -> None: ...


class Registers:
    """A matrix whose places are all known."""

    def __init__(self) -> None:
        self.values: dict[tuple[Index, Index], Number] = {}

    def __getitem__(self, place: tuple[Index, Index]) -> Number:
        return self.values[place]

    def __setitem__(self, place: tuple[Index, Index], value: Number) -> None:
        self.values[place] = value


class Scratch:
    """A matrix in memory of its own, in rows of `columns` values."""

    def __init__(self, base: Pointer, columns: int) -> None:
        self.base, self.columns = base, columns

    def __getitem__(self, place: tuple[Index, Index]) -> Number:
        return self.base[self.number(*place)]  # type: ignore[no-any-return]  # of any type

    def __setitem__(self, place: tuple[Index, Index], value: Number) -> None:
        self.base[self.number(*place)] = value

    def number(self, i: Index, j: Index) -> Index:
        return plus(times(i, self.columns), j)


class Strided:
    """The matrices of a stack where they are: at `base`, with steps in bytes."""

    def __init__(self, lanes: Lanes, base: Pointer, row: Number, column: Number, step: Step) -> None:
        self.lanes, self.base, self.row, self.column, self.step = lanes, base, row, column, step

    def address(self, i: Index, j: Index) -> Pointer:
        return self.base.bytes(plus(times(i, self.row), times(j, self.column)))

    def __getitem__(self, place: tuple[Index, Index]) -> Number:
        return self.lanes.load(self.address(*place), self.step)

    def __setitem__(self, place: tuple[Index, Index], value: Number) -> None:
        self.lanes.store(value, self.address(*place), self.step)
