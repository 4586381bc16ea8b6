"""Batches of matrices: the entry of a function of matrices walks over leading axes, and moves of one matrix.

Contract  a `LibraryCall` with operands of one number of leading axes -> calls of a run: matrices at equal steps, along
          the last leading axis.  A run gives the number of the first matrix that has failed, or -1.
Why       a matrix of 3 rows takes a few ns: parameters are passed once for a run of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function, Module
from tensordsl.codegen.kernel_ir.language import Expression, Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Kind, Signature, array, i1, i64, ptr, signature
from tensordsl.codegen.library.alternate_stack import called_on_stack, needs_stack, of_table, stack_texts
from tensordsl.codegen.library.linalg.fortran import LETTERS, Element
from tensordsl.codegen.library.polls import POLL
from tensordsl.codegen.llvm.kernel_text import module_text
from tensordsl.codegen.target.tuning import Tuning

AXES = {2: ("row", "column"), 1: ("unit",), 0: ()}
Given = Any  # the values that a run has, by their names: an `Operand` for each of its operands
Work = Callable[[Given], "Number | bool"]  # of one matrix: whether it has failed
Each = Callable[[Kernel, Given], Work]  # what is done before the first matrix; gives what writes the work for each


def module(*functions: Function) -> Module:
    return Module(functions, list(LETTERS.values()))


def object_text(made: Module) -> str:
    """With the functions that call on another stack, which are texts."""
    return module_text(made, others=stack_texts())


@dataclass(frozen=True, slots=True)
class Operand:
    """Where a matrix, vector or number is, with the steps of its own axes, and to the next one of a run, in bytes."""

    place: Pointer
    strides: tuple[Number, ...]
    step: Number

    @property
    def row(self) -> Number:
        return self.strides[0]

    @property
    def column(self) -> Number:
        return self.strides[1]

    @property
    def unit(self) -> Number:
        return self.strides[0]

    @property
    def words(self) -> tuple[Expression, ...]:
        """What functions of one matrix take."""
        return (self.place, *self.strides)

    @property
    def run(self) -> tuple[Expression, ...]:
        """What functions of several take."""
        return (*self.words, self.step)


def matrix(*names: str, axes: Sequence[str] = AXES[2]) -> dict[str, Kind]:
    """The parameters of functions of one matrix."""
    return {x: kind for name in names for x, kind in ((name, ptr), *((f"{name}_{axis}", i64) for axis in axes))}


def stack(*names: str) -> dict[str, Kind]:
    """The parameters of functions of several matrices."""
    return matrix(*names, axes=(*AXES[2], "step"))


@dataclass(frozen=True)
class Small:
    """Matrices of a run that code of its own takes, some at a time.  operands: of `callee`, before their number."""

    are_small: Callable[[Kernel, Given], Number | bool]
    callee: Signature
    operands: Callable[[Given], Sequence[Expression]]


@dataclass(frozen=True)
class Batch:
    """operands: how many axes of its own each matrix, vector or number has; sizes: of which operand, and which of its
    own axes; flags: truth values; takes_empty: runs are for matrices without elements as well; has_scratch: the buffer
    is more than its head."""

    operands: Mapping[str, int]
    sizes: Mapping[str, tuple[str, int]]
    flags: tuple[str, ...] = ()
    takes_empty: bool = False
    has_scratch: bool = False

    def signature(self, name: str) -> Signature:
        """Of a run."""
        parameters: dict[str, Kind] = {"rt": ptr}
        for x, rank in self.operands.items():
            parameters |= matrix(x, axes=(*AXES[rank], "step"))
        parameters |= dict.fromkeys(self.sizes, i64)
        parameters |= {"count": i64, "scratch": ptr, "scratch_bytes": i64, **dict.fromkeys(self.flags, i1)}
        return signature(name, i64, parameters)

    def given(self, values: Sequence[Any]) -> Given:
        """The parameters of a run by name."""
        names = [name for name, _ in self.signature("").parameters]
        found = dict(zip(names, values, strict=True))
        for x, rank in self.operands.items():
            strides = tuple(found.pop(f"{x}_{axis}") for axis in AXES[rank])
            found[x] = Operand(found[x], strides, found.pop(f"{x}_step"))
        return SimpleNamespace(**found)

    def at(self, given: Given, places: Mapping[str, Pointer]) -> Given:
        """The same with operands at other places."""
        moved = {x: replace(getattr(given, x), place=place) for x, place in places.items()}
        return SimpleNamespace(**vars(given) | moved)

    def entry(self, symbol: str, flags: Sequence[bool] = ()) -> Function:
        """The function that programs call.

        bases: the operands, the word for failures, scratch, the run-time table; words: lengths, then strides, of each.
        """
        names, ranks = list(self.operands), list(self.operands.values())

        @kernel(signature(symbol, internal=False, bases=array(ptr), words=array(i64), rank=i64))
        def entry(k: Kernel, bases: Pointer, words: Pointer, rank: Number) -> None:
            batch = rank - ranks[0]
            places: list[Pointer] = [bases[n] for n in range(len(names))]
            info, scratch, rt = (bases[len(names) + n] for n in range(3))
            dims, strides, at = {}, {}, words
            for name, axes in self.operands.items():
                length = batch + axes
                dims[name], strides[name] = at, at + length
                at = strides[name] + length
            lengths = [dims[name][batch + axis] for name, axis in self.sizes.values()]
            leading, is_batch = dims[names[0]], batch > 0
            last = k.select(is_batch, batch - 1, 0)
            count = k.select(is_batch, leading[last], 1)
            many = k.variable(1, i64)
            with k.range(last) as axis:
                many.set(many * leading[axis])
            needed = [count, *([] if self.takes_empty else lengths)]
            runs = k.select(k.all(*(n > 0 for n in needed)), many, 0)
            scratch_bytes = at[0] if self.has_scratch else 0
            steps = [k.select(is_batch, strides[name][last], 0) for name in names]
            fixed = [[strides[name][batch + axis] for axis in range(axes)] for name, axes in self.operands.items()]
            start = scratch.of(i64)[0]
            with k.range(runs) as number:
                rest, offsets = k.variable(number), [k.variable(0, i64) for _ in names]
                with k.range(last) as inner:
                    axis = last - 1 - inner
                    before = rest.value
                    n = leading[axis]
                    here = k.unsigned("urem", before, n)
                    for name, offset in zip(names, offsets, strict=True):
                        offset += here * strides[name][axis]
                    rest.set(k.unsigned("udiv", before, n))
                given = [rt]
                for place, offset, strides_of_one, step in zip(places, offsets, fixed, steps, strict=True):
                    given += [place.bytes(offset), *strides_of_one, step]
                failed = k.call(self.signature("run"), *given, *lengths, count, scratch, scratch_bytes, *flags)
                with k.when(failed >= 0):
                    k.atomic_update("umin", info.of(i64), start + number * count + failed, "monotonic")

        return entry

    def runs(self, each: Each, tuning: Tuning, small: Small | None = None) -> list[Function]:
        """A run: by code for small matrices where there is some for these; else one by one, on a stack that LAPACK
        fits."""
        here = self._here(each)

        @kernel(self.signature("run"))
        def run(k: Kernel, *given: Any) -> None:
            if small is not None:
                with k.when(k.number(small.are_small(k, self.given(given)), i1)):
                    k.ret(k.call(self.signature("run_small"), *given))
            with k.when(needs_stack(k, given[0])):
                k.ret(called_on_stack(k, here.signature, given))
            k.ret(k.call(here, *given))

        return [here, of_table(here.signature), run, *([self._in_pieces(small, tuning)] if small else [])]

    def _here(self, each: Each) -> Function:
        @kernel(self.signature("run_here"))
        def here(k: Kernel, *parameters: Any) -> None:
            given = self.given(parameters)
            work = each(k, given)
            first, places = k.variable(-1, i64), self._places(k, given)
            with k.range(given.count) as number:
                before = first.value
                failed = k.number(work(self.at(given, {x: place.value for x, place in places.items()})), i1)
                first.set(k.select(failed & (before < 0), number, before))
                for x, place in places.items():
                    place.set(place.bytes(getattr(given, x).step))
                k.call(POLL)
            k.ret(first)

        return here

    def _in_pieces(self, small: Small, tuning: Tuning) -> Function:
        most = tuning.matrices.poll_matrices

        @kernel(self.signature("run_small"))
        def pieces(k: Kernel, *parameters: Any) -> None:
            given = self.given(parameters)
            first, places = k.variable(-1, i64), self._places(k, given)
            with k.range(given.count, step=most) as number:
                before = first.value
                some = k.min(given.count - number, most)
                here = self.at(given, {x: place.value for x, place in places.items()})
                failed = k.call(small.callee, *small.operands(here), some)
                first.set(k.select((failed >= 0) & (before < 0), number + failed, before))
                for x, place in places.items():
                    place.set(place.bytes(some * getattr(given, x).step))
                k.call(POLL)
            k.ret(first)

        return pieces

    def _places(self, k: Kernel, given: Given) -> dict[str, Any]:
        return {x: k.variable(getattr(given, x).place) for x in self.operands}


# -- moves of one matrix -------------------------------------------------------------------------------------------
COPY_ROW = signature("copy_row", None, x=ptr, x_unit=i64, y=ptr, y_unit=i64, n=i64)
COPY_MATRIX = signature("copy_matrix", None, matrix("x", "y"), m=i64, n=i64)
COPY_TRIANGLE = signature("copy_triangle", None, matrix("x", "y"), n=i64)
FILL_IDENTITY = signature("fill_identity", None, matrix("y"), n=i64)
FILL_NAN = signature("fill_nan", None, matrix("y"), m=i64, n=i64)
FILL_NAN_VALUES = replace(FILL_NAN, name="fill_nan_values")  # of the real numbers of complex matrices


def matrix_copies(of: Element, tuning: Tuning) -> list[Function]:
    """`COPY_MATRIX`: y = x, of m rows and n columns."""
    return [_copy_row(of, tuning.machine.vector_bytes // of.size), _copy_matrix(of)]


def triangle_copies(of: Element, tuning: Tuning) -> list[Function]:
    """`COPY_TRIANGLE`: the lower triangle, zeros above it."""
    return [_copy_row(of, tuning.machine.vector_bytes // of.size), _copy_triangle(of)]


def _copy_row(of: Element, lanes: int) -> Function:
    @kernel(COPY_ROW)
    def copy_row(k: Kernel, x: Pointer, x_unit: Number, y: Pointer, y_unit: Number, n: Number) -> None:
        some = k.select((x_unit == of.size) & (y_unit == of.size), n & -lanes, 0)
        with k.range(some, step=lanes) as i:
            source, to = (p.of(of.part).skip(i, of.parts) for p in (x, y))
            to[0 : lanes * of.parts] = source[0 : lanes * of.parts]
        with k.range(n, start=some) as i:
            source, to = x.bytes(i * x_unit), y.bytes(i * y_unit)
            of.store(to, of.load(source))

    return copy_row


def _copy_matrix(of: Element) -> Function:
    @kernel(COPY_MATRIX)
    def copy_matrix(
        k: Kernel, x: Pointer, x_row: Number, x_column: Number, y: Pointer, y_row: Number, y_column: Number,
        m: Number, n: Number,
    ) -> None:  # fmt: skip
        """Along the axis in which y's elements are adjacent; none if both are one."""
        with k.when((x == y) & (x_row == y_row) & (x_column == y_column)):
            k.ret()
        by_columns = (y_row == of.size) & (y_column != of.size)
        lines, length = k.select(by_columns, n, m), k.select(by_columns, m, n)
        x_step, y_step = k.select(by_columns, x_column, x_row), k.select(by_columns, y_column, y_row)
        x_unit, y_unit = k.select(by_columns, x_row, x_column), k.select(by_columns, y_row, y_column)
        with k.range(lines) as i:
            k.call(COPY_ROW, x.bytes(i * x_step), x_unit, y.bytes(i * y_step), y_unit, length)

    return copy_matrix


def _copy_triangle(of: Element) -> Function:
    @kernel(COPY_TRIANGLE)
    def copy_triangle(
        k: Kernel, x: Pointer, x_row: Number, x_column: Number, y: Pointer, y_row: Number, y_column: Number, n: Number
    ) -> None:
        is_same = (x == y) & (x_row == y_row) & (x_column == y_column)
        with k.range(n) as i:
            source, to = x.bytes(i * x_row), y.bytes(i * y_row)
            length = i + 1
            with k.when(~is_same):
                k.call(COPY_ROW, source, x_column, to, y_column, length)
            with k.range(n, start=length) as j:
                of.store(to.bytes(j * y_column), of.constant(0.0))

    return copy_triangle


def identity(of: Element) -> Function:
    @kernel(FILL_IDENTITY)
    def fill_identity(k: Kernel, y: Pointer, y_row: Number, y_column: Number, n: Number) -> None:
        with k.range(n) as i, k.range(n) as j:
            place = y.bytes(i * y_row).bytes(j * y_column)
            is_one, zero = i == j, k.number(0.0, of.part)
            of.store(place, [k.select(is_one, x, zero) for x in of.constant(1.0)])

    return fill_identity


def nans(of: Element, s: Signature = FILL_NAN) -> Function:
    """A matrix that has failed."""

    @kernel(s)
    def fill_nan(k: Kernel, y: Pointer, y_row: Number, y_column: Number, m: Number, n: Number) -> None:
        with k.range(m) as i, k.range(n) as j:
            of.store(y.bytes(i * y_row).bytes(j * y_column), of.nan)

    return fill_nan
