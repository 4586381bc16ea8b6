"""The language in which kernels are written: Python functions over typed values with operators, indices and slices.

Contract  a `Kernel` collects the ops of one function, over `Number`s, `Pointer`s, variables of them, and blocks.
Why       the reader sees `table[value] += 1`; variables become SSA values here, so no pass has to do it.
Ref       M. Braun and others, "Simple and Efficient Construction of Static Single Assignment Form", 2013.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar, overload

from tensordsl.codegen.kernel_ir import ops
from tensordsl.codegen.kernel_ir.dead_code import without_dead_code
from tensordsl.codegen.kernel_ir.ir import Address, Constant, Function, Op, Region, Table, Value, replace_operands
from tensordsl.codegen.kernel_ir.types import Array, Kind, Signature, Type, i8, i64, ptr

Item = TypeVar("Item")


class Expression:
    """A value of a kernel that is being written."""

    __slots__ = ("_ir", "k")

    def __init__(self, k: Kernel, ir: Value) -> None:
        self.k, self._ir = k, ir

    @property
    def ir(self) -> Value:
        return self._ir

    @property
    def type(self) -> Type:
        return self._ir.type

    def __bool__(self) -> bool:
        raise TypeError(
            "a value of a kernel is known when it runs: write `with k.when(condition):`, `k.select`, & and |"
        )

    __hash__ = object.__hash__


class Number(Expression):
    """An integer, a float, a truth value, or a vector of some.

    Integers are compared and shifted as signed ones, as int64_t is in C; `k.unsigned("ult", x, y)` is there for others.
    """

    __slots__ = ()

    def _binary(self, integer: str, float: str, other: Any, is_swapped: bool = False) -> Number:
        x, y = self, self.k.number(other, self.type)
        if is_swapped:
            x, y = y, x
        name = float if self.type.is_float else integer
        return self.k.emit(name, x, y)

    def __add__(self, other: Any) -> Number:
        return self._binary("add", "fadd", other)

    def __radd__(self, other: Any) -> Number:
        return self._binary("add", "fadd", other, True)

    def __sub__(self, other: Any) -> Number:
        return self._binary("sub", "fsub", other)

    def __rsub__(self, other: Any) -> Number:
        return self._binary("sub", "fsub", other, True)

    def __mul__(self, other: Any) -> Number:
        return self._binary("mul", "fmul", other)

    def __rmul__(self, other: Any) -> Number:
        return self._binary("mul", "fmul", other, True)

    def __truediv__(self, other: Any) -> Number:
        return self._binary("", "fdiv", other)

    def __and__(self, other: Any) -> Number:
        return self._binary("and", "", other)

    def __or__(self, other: Any) -> Number:
        return self._binary("or", "", other)

    def __xor__(self, other: Any) -> Number:
        return self._binary("xor", "", other)

    def __lshift__(self, other: Any) -> Number:
        return self._binary("shl", "", other)

    def __rshift__(self, other: Any) -> Number:
        return self._binary("ashr", "", other)

    def __invert__(self) -> Number:
        return self._binary("xor", "", -1)

    def __neg__(self) -> Number:
        return self.k.emit("fneg", self) if self.type.is_float else 0 - self

    def _compare(self, integer: str, float: str, other: Any) -> Number:
        return self.k.compare(float if self.type.is_float else integer, self, other)

    def __eq__(self, other: Any) -> Number:  # type: ignore[override]
        return self._compare("eq", "oeq", other)

    def __ne__(self, other: Any) -> Number:  # type: ignore[override]
        return self._compare("ne", "une", other)

    def __lt__(self, other: Any) -> Number:
        return self._compare("slt", "olt", other)

    def __le__(self, other: Any) -> Number:
        return self._compare("sle", "ole", other)

    def __gt__(self, other: Any) -> Number:
        return self._compare("sgt", "ogt", other)

    def __ge__(self, other: Any) -> Number:
        return self._compare("sge", "oge", other)

    __hash__ = object.__hash__

    def to(self, type: Type, cast: str = "") -> Number:
        """As another type of as many lanes; wider integers keep the sign, unless `cast` is "zext" or "uitofp"."""
        type = type.of(self.type.lanes)
        if type == self.type:
            return self
        return self.k.emit(cast or _cast_between(self.type, type), self, to=type)

    def unsigned(self, type: Type) -> Number:
        """As another type, of a number without a sign."""
        return self.to(type, {"sext": "zext", "sitofp": "uitofp"}.get(_cast_between(self.type, type), ""))

    def bits(self, type: Type) -> Number:
        """The same bits as another type."""
        return self if type == self.type else self.k.emit("bitcast", self, to=type)


def _cast_between(x: Type, to: Type) -> str:
    if x.is_integer and to.is_integer:
        return "sext" if to.bits > x.bits else "trunc"
    if x.is_float and to.is_float:
        return "fpext" if to.bits > x.bits else "fptrunc"
    return "sitofp" if x.is_integer else "fptosi"


class Pointer(Expression):
    """An address of elements of a type, as in C: `x[i]` is an element, `x[i : i + 8]` a vector, `x + i` an address."""

    __slots__ = ("element",)

    def __init__(self, k: Kernel, ir: Value, element: Array) -> None:
        super().__init__(k, ir)
        self.element = element

    def __add__(self, count: Any) -> Pointer:
        return self._at(count, self.element.element.bytes)

    def bytes(self, count: Any) -> Pointer:
        """The address so many bytes further."""
        return self._at(count, 1)

    def skip(self, count: Any, parts: int) -> Pointer:
        """The address `count` groups of so many elements further."""
        return self._at(count, parts * self.element.element.bytes)

    def _at(self, count: Any, size: int) -> Pointer:
        if isinstance(count, int) and count == 0:
            return self
        number = self.k.number(count, i64)
        return Pointer(self.k, self.k.emit("offset", self, number, size=size).ir, self.element)

    def of(self, element: Type, align: int = 0) -> Pointer:
        """The same address, of elements of another type."""
        return Pointer(self.k, self.ir, Array(element, align))

    def _align(self) -> int:
        return self.element.align or self.element.element.scalar.bytes

    def _place(self, index: Any) -> tuple[Pointer, Type]:
        if isinstance(index, slice):
            lanes = self.k.lanes_between(index.start, index.stop)
            return self + (0 if index.start is None else index.start), self.element.element.of(lanes)
        return self + index, self.element.element

    def load(self, lanes: int, mask: Number | None = None) -> Number:
        """A vector of elements; of those that are not in the mask nothing is read, and 0 stands for them."""
        if mask is None:
            return Number(self.k, self[0:lanes].ir)
        return self.k.masked_load(self, mask, 0)

    def store(self, value: Number, mask: Number | None = None) -> None:
        """Elements from the lanes of a vector, or from those in the mask."""
        if mask is None:
            self[0 : value.type.lanes] = value
        elif value.type.scalar != self.element.element:
            raise TypeError(f"{value.type} can't be stored where {self.element.element} stands")
        else:
            self.k.masked_store(self, mask, value)

    def gather(self, indices: Number, mask: Number, others: Any = 0) -> Number:
        """The elements with these indices, of the lanes in the mask; of the other lanes `others`."""
        t = self.element.element.of(indices.type.lanes)
        return self.k.emit("gather", self + indices, mask, self.k.number(others, t), align=self._align())

    def __getitem__(self, index: Any) -> Any:
        place, t = self._place(index)
        value = self.k.op("load", [place.ir], type=t, align=self._align()).result
        return Pointer(self.k, value, Array(i8)) if t == ptr else Number(self.k, value)

    def __setitem__(self, index: Any, value: Any) -> None:
        place, t = self._place(index)
        value = value if isinstance(value, Expression) else self.k.number(value, t)
        if value.type != t:
            raise TypeError(f"{value.type} can't be stored where {t} stands")
        self.k.op("store", [value.ir, place.ir], align=self._align())

    def __eq__(self, other: Any) -> Number:  # type: ignore[override]
        return self.k.compare("eq", self, other)

    def __ne__(self, other: Any) -> Number:  # type: ignore[override]
        return self.k.compare("ne", self, other)

    __hash__ = object.__hash__


class NumberVariable(Number):
    """A number that may change: `v.set(x)`, `v += x`."""

    __slots__ = ()

    @property
    def ir(self) -> Value:
        return self.k.read(self)

    def set(self, value: Any) -> None:
        self.k.write(self, self.k.number(value, self.type).ir)

    @property
    def value(self) -> Number:
        """What it holds now."""
        return Number(self.k, self.ir)

    def __iadd__(self, other: Any) -> Self:
        self.set(self + other)
        return self

    def __isub__(self, other: Any) -> Self:
        self.set(self - other)
        return self

    def __iand__(self, other: Any) -> Self:
        self.set(self & other)
        return self

    def __ior__(self, other: Any) -> Self:
        self.set(self | other)
        return self


class PointerVariable(Pointer):
    """An address that may change: `v.set(x)`."""

    __slots__ = ()

    @property
    def ir(self) -> Value:
        return self.k.read(self)

    def set(self, value: Pointer) -> None:
        self.k.write(self, value.ir)

    @property
    def value(self) -> Pointer:
        return Pointer(self.k, self.ir, self.element)


Variable = NumberVariable | PointerVariable


class _Block:
    """A region that is being written.  `values`: what variables hold that were read or changed here; `carried`: of a
    loop, the argument and the first value of each variable from outside; `breaks`: ends of the loop, with what
    variables held there."""

    def __init__(self, region: Region, loop: str = "") -> None:
        self.region, self.loop = region, loop
        self.values: dict[Variable, Value] = {}
        self.carried: dict[Variable, tuple[Value, Value]] = {}
        self.breaks: list[tuple[Op, dict[Variable, Value]]] = []

    @property
    def is_closed(self) -> bool:
        return bool(self.region.ops) and self.region.ops[-1].name in ops.ENDS


class Kernel:
    """What a function is written with.

    >>> from tensordsl.codegen.kernel_ir.printer import text
    >>> from tensordsl.codegen.kernel_ir.types import array, f64, signature
    >>> @kernel(signature("total", f64, x=array(f64), count=i64))
    ... def total(k, x, count):
    ...     sum = k.variable(0.0, f64)
    ...     with k.range(count) as i:
    ...         sum += x[i]
    ...     k.ret(sum)
    >>> print(text(total))
    total(x: ptr, count: i64) -> f64
        for i from 0 to count with v1 = 0.0:
            v2 = load f64 x[8 * i]
            yield v1 + v2
        return v1
    """

    def __init__(self, signature: Signature, what: str = "") -> None:
        self.function = Function(signature, what)
        self.blocks = [_Block(self.function.body)]
        self._forward: dict[Value, Value] = {}
        self._last_when: tuple[Op, _Block, dict[Variable, Value]] | None = None
        self.parameters = [
            self.expression(value, kind)
            for value, (_, kind) in zip(self.function.body.arguments, signature.parameters, strict=True)
        ]

    @property
    def given(self) -> dict[str, Any]:
        """The parameters by name."""
        names = (name for name, _ in self.function.signature.parameters)
        return dict(zip(names, self.parameters, strict=True))

    def expression(self, ir: Value, kind: Kind) -> Any:
        if isinstance(kind, Array):
            return Pointer(self, ir, kind)
        return Pointer(self, ir, Array(i8)) if kind == ptr else Number(self, ir)

    # -- ops -----------------------------------------------------------------------------------------------------------
    def op(self, name: str, operands: Sequence[Value], regions: Sequence[Region] = (), **attributes: Any) -> Op:
        """Append an op.  TypeError if its operands are not what it wants."""
        return self._append(name, operands, attributes, regions)

    def emit(self, name: str, *operands: Expression, **attributes: Any) -> Number:
        return Number(self, self._append(name, [x.ir for x in operands], attributes).results[0])

    def _append(
        self, name: str, operands: Sequence[Value], attributes: Mapping[str, Any], regions: Sequence[Region] = ()
    ) -> Op:
        here = self.blocks[-1].region.ops
        where = _where()
        if here and here[-1].name in ops.ENDS:
            raise SyntaxError(f"{where[0]}, line {where[1]}: nothing runs after {here[-1].name}")
        try:
            results = ops.results(name, tuple([v.type for v in operands]), attributes)
        except TypeError as error:
            raise TypeError(f"{where[0]}, line {where[1]}: {name} {error}") from None
        op = Op(name, operands, results, attributes, regions, where)
        here.append(op)
        return op

    def number(self, value: Any, type: Type) -> Number:
        """`value` if it is one of the kernel already, else a constant of the type, in all lanes."""
        if isinstance(value, Number):
            return value
        if isinstance(value, Expression):
            raise TypeError(f"{value.type} is no number")
        return Number(self, Constant(type, float(value) if type.is_float else int(value)))

    def vector(self, numbers: Sequence[int | float], element: Type) -> Number:
        """A constant with a number for each lane."""
        return Number(self, Constant(element.of(len(numbers)), tuple(numbers)))

    def compare(self, condition: str, x: Expression, y: Any) -> Number:
        if not isinstance(y, Expression):
            y = self.number(y, x.type) if not isinstance(x, Pointer) else self.null
        return self.emit("fcmp" if x.type.is_float else "icmp", x, y, condition=condition)

    @property
    def null(self) -> Pointer:
        return Pointer(self, Constant(ptr, 0), Array(i8))

    @overload
    def select(self, condition: Number, x: Pointer, y: Pointer, *, unpredictable: bool = False) -> Pointer: ...
    @overload
    def select(
        self, condition: Number, x: Number | int | float, y: Number | int | float, *, unpredictable: bool = False
    ) -> Number: ...
    def select(self, condition: Number, x: Any, y: Any, *, unpredictable: bool = False) -> Any:
        """x where the condition is true, else y; of two Python integers an i64.  unpredictable: no branch."""
        attributes: dict[str, Any] = {"unpredictable": True} if unpredictable else {}
        if isinstance(x, Pointer):
            return Pointer(self, self.op("select", [condition.ir, x.ir, y.ir], **attributes).result, x.element)
        t = next((v.type for v in (x, y) if isinstance(v, Expression)), i64)
        return self.emit("select", condition, self.number(x, t), self.number(y, t), **attributes)

    def all(self, *conditions: Number) -> Number:
        result = conditions[0]
        for c in conditions[1:]:
            result = result & c
        return result

    def any(self, *conditions: Number) -> Number:
        result = conditions[0]
        for c in conditions[1:]:
            result = result | c
        return result

    def min(self, x: Number, y: Any) -> Number:
        return self.emit("smin", x, self.number(y, x.type))

    def max(self, x: Number, y: Any) -> Number:
        return self.emit("smax", x, self.number(y, x.type))

    def fma(self, x: Number, y: Number, z: Number) -> Number:
        """x * y + z, rounded once."""
        return self.emit("fma", x, y, z)

    def quotient(self, x: Number, y: Any) -> Number:
        """x / y of integers, towards zero as in C."""
        return self.emit("sdiv", x, self.number(y, x.type))

    def remainder(self, x: Number, y: Any) -> Number:
        """x - y * quotient(x, y): of the sign of x, as in C."""
        return self.emit("srem", x, self.number(y, x.type))

    def unsigned(self, name: str, x: Number, y: Any) -> Number:
        """An op on numbers without a sign: "udiv", "urem", "lshr", "umin", "umax", or a condition, "ult" to "uge"."""
        if name in ops.UNSIGNED:
            return self.compare(name, x, y)
        return self.emit(name, x, self.number(y, x.type))

    def splat(self, x: Number, lanes: int) -> Number:
        """A scalar in all lanes."""
        return x if lanes == 1 else self.emit("splat", x, lanes=lanes)

    def shuffle(self, x: Number, y: Number | None, lanes: Sequence[int]) -> Number:
        """Of x, and of y, counted on, the lanes with these numbers; one lane is a scalar."""
        if len(lanes) == 1:
            chosen, lane = (x, lanes[0]) if y is None or lanes[0] < x.type.lanes else (y, lanes[0] - x.type.lanes)
            return chosen if x.type.lanes == 1 else self.emit("extract", chosen, lane=lane)
        other = Number(self, Constant(x.type, None)) if y is None else y
        return self.emit("shuffle", x, other, lanes=tuple(lanes))

    def compress(self, x: Number, mask: Number, rest: Any = None) -> Number:
        """The lanes of the mask at the front, and behind them lanes of `rest`, of None anything."""
        return self.emit("compress", x, mask, self._or_anything(rest, x.type))

    def anything(self, type: Type) -> Number:
        """What nobody reads."""
        return Number(self, Constant(type, None))

    def _or_anything(self, value: Any, type: Type) -> Number:
        return self.anything(type) if value is None else self.number(value, type)

    def masked_load(self, place: Pointer, mask: Number, others: Any) -> Number:
        """The lanes of the mask from an address on; of the other lanes `others`, and nothing is read."""
        t = place.element.element.scalar.of(mask.type.lanes)
        return self.emit("masked_load", place, mask, self.number(others, t), align=place._align())

    def masked_store(self, place: Pointer, mask: Number, value: Number) -> None:
        """The lanes of the mask from an address on; nothing is written elsewhere."""
        self.op("masked_store", [value.ir, place.ir, mask.ir], align=place._align())

    def atomic_store(self, place: Pointer, value: Any, ordering: str = "seq_cst") -> None:
        number = self.number(value, place.element.element)
        self.op("atomic_store", [number.ir, place.ir], ordering=ordering)

    def atomic_update(self, by: str, place: Pointer, value: Any, ordering: str = "seq_cst") -> Number:
        """Change an integer in one step, by one of `ops.ATOMIC`; what it was before."""
        return self.emit("atomic_update", place, self.number(value, place.element.element), by=by, ordering=ordering)

    def half(self, x: Number, k: int) -> Number:
        """The lower (k = 0) or upper half of the lanes."""
        n = x.type.lanes // 2
        return self.emit("extract", x, lane=k) if n == 1 else self.shuffle(x, None, range(k * n, k * n + n))

    def joined(self, x: Number, y: Number) -> Number:
        """The lanes of x and then of y."""
        return self.shuffle(x, y, range(2 * x.type.lanes))

    def alloca(self, element: Type, count: int = 1, align: int = 0, *, anything: bool = False) -> Pointer:
        """Storage of the call; anything: what nobody has written is read too, and not used."""
        attributes: dict[str, Any] = {"anything": True} if anything else {}
        op = self.op("alloca", [], type=element, count=count, align=align or element.scalar.bytes, **attributes)
        return Pointer(self, op.result, Array(element, align if element.lanes > 1 else 0))

    def table(self, table: Table) -> Pointer:
        return Pointer(self, Address(table.name), Array(table.row, min(table.align, table.row.bytes)))

    def prefetch(self, place: Pointer, *, for_writing: bool = False, locality: int = 3) -> None:
        """Software prefetch; locality 3: to be kept in all caches, 0: to be used once."""
        self.op("prefetch", [place.ir], for_writing=for_writing, locality=locality)

    def call(self, callee: Signature | Function, *operands: Any) -> Any:
        """What it gives, a tuple of several; TypeError if operands are not what the signature says."""
        s = _signature_of(callee)
        return self._given(self.op("call", self._operands(s, operands), callee=s))

    def call_at(self, place: Pointer, callee: Signature | Function, *operands: Any) -> Any:
        """Of the function at an address, with the signature of `callee`."""
        s = _signature_of(callee)
        return self._given(self.op("call_at", [place.ir, *self._operands(s, operands)], callee=s))

    def address(self, callee: Signature | Function) -> Pointer:
        """Of a function of this module."""
        return Pointer(self, Address(_signature_of(callee).name), Array(i8))

    def forward(self, callee: Signature | Function, **others: Any) -> Any:
        """A call with this function's own parameters of the same names, but for `others`."""
        s = _signature_of(callee)
        given = self.given | others
        if unknown := sorted(others.keys() - dict(s.parameters)):
            raise TypeError(f"{s} has no {', '.join(unknown)}")
        if missing := [name for name, _ in s.parameters if name not in given]:
            raise TypeError(f"{s} gets no {', '.join(missing)}")
        return self.call(s, *(given[name] for name, _ in s.parameters))

    def _operands(self, s: Signature, operands: Sequence[Any]) -> list[Value]:
        numbers = [
            x if isinstance(x, Expression) else self.number(x, t) for x, t in zip(operands, s.types, strict=False)
        ]
        return [x.ir for x in (*numbers, *operands[len(s.types) :])]

    def _given(self, op: Op) -> Any:
        results = tuple(self.expression(v, v.type) for v in op.results)
        return results if len(results) > 1 else results[0] if results else None

    def lanes_between(self, start: Any, stop: Any) -> int:
        """How many elements the slice start : stop has, which is known when the kernel is written."""
        start = 0 if start is None else start
        if isinstance(stop, int) and isinstance(start, int):
            return stop - start
        maker = next((op for op in reversed(self.blocks[-1].region.ops) if stop.ir in op.results), None)
        if maker is not None and maker.name == "add" and maker.operands[0] is start.ir:
            count = maker.operands[1]
            if isinstance(count, Constant) and isinstance(count.number, int):
                return count.number
        raise TypeError("a slice is x[i : i + lanes], with a number of lanes that is known when the kernel is written")

    # -- variables -----------------------------------------------------------------------------------------------------
    @overload
    def variable(self, value: Pointer) -> PointerVariable: ...
    @overload
    def variable(self, value: Any, type: Type | None = None) -> NumberVariable: ...
    def variable(self, value: Any, type: Type | None = None) -> Any:
        """A variable with its first value; `type` of a Python number."""
        if isinstance(value, Pointer):
            ir = value.ir
            made: Any = PointerVariable(self, Value(ptr), value.element)
        else:
            number = self.number(value, type or value.type)
            ir = number.ir
            made = NumberVariable(self, Value(number.type))
        self.blocks[-1].values[made] = ir
        return made

    def read(self, variable: Variable) -> Value:
        return self._read(variable, len(self.blocks) - 1)

    def _read(self, variable: Variable, depth: int) -> Value:
        """What it holds in a block; loops between get an argument for it."""
        path = []
        while variable not in self.blocks[depth].values:
            path.append(depth)
            depth -= 1
            if depth < 0:
                raise NameError("a variable is used outside of the block that made it")
        value = self.blocks[depth].values[variable]
        for depth in reversed(path):
            if (block := self.blocks[depth]).loop:
                argument = Value(value.type, "")
                block.carried[variable] = argument, value
                block.region.arguments.append(argument)
                block.values[variable] = value = argument
        return value

    def write(self, variable: Variable, value: Value) -> None:
        before = self.read(variable)
        if value.type != before.type:
            raise TypeError(f"a variable of {before.type} can't hold {value.type}")
        self.blocks[-1].values[variable] = value

    # -- blocks --------------------------------------------------------------------------------------------------------
    @contextmanager
    def range(self, end: Any, *, start: Any = 0, step: Any = 1) -> Iterator[Number]:
        """for (i = start; i < end; i += step), of i64; steps are positive."""
        if isinstance(step, int) and step <= 0:
            raise ValueError(f"a loop in steps of {step}")
        operands = [self.number(x, i64).ir for x in (start, end, step)]
        index = Value(i64, "i")
        block = self._open(Region([index]), "for")
        yield Number(self, index)
        self._close_loop(block, operands)

    @contextmanager
    def forever(self) -> Iterator[None]:
        """A loop that `k.leave()` ends."""
        block = self._open(Region(), "loop")
        yield
        self._close_loop(block, [])

    @contextmanager
    def once(self) -> Iterator[None]:
        """A block that runs once; `k.leave()` within it goes to its end."""
        with self.forever():
            yield
            if not self.blocks[-1].is_closed:
                self.leave()

    def leave(self) -> None:
        """End the innermost loop."""
        loop = next(b for b in reversed(self.blocks) if b.loop)
        held = {variable: self.read(variable) for variable in loop.carried}
        loop.breaks.append((self.op("break", []), held))

    @contextmanager
    def when(self, condition: Number, *, likely: bool | None = None) -> Iterator[None]:
        """The block runs if the condition holds."""
        block = self._open(Region())
        yield
        self._pop(block)
        saved = dict(self.blocks[-1].values)
        self._if(condition.ir, block, _Block(Region()), likely)
        self._last_when = self.blocks[-1].region.ops[-1], block, saved

    @contextmanager
    def otherwise(self) -> Iterator[None]:
        """The block runs if the condition of the `when` before it does not hold."""
        here = self.blocks[-1]
        if self._last_when is None or not here.region.ops or here.region.ops[-1] is not self._last_when[0]:
            raise SyntaxError("`k.otherwise()` stands right behind `k.when(...)`")
        op, then, saved = self._last_when
        here.region.ops.pop()
        if then.region.ops[-1].name == "yield":
            then.region.ops.pop()
        here.values = saved
        block = self._open(Region())
        yield
        self._pop(block)
        self._if(op.operands[0], then, block, op.attributes["likely"])

    @contextmanager
    def switch(self, number: Number) -> Iterator[Cases]:
        """What runs depends on a number: `with cases.case(1, 2):`, `with cases.default():`."""
        cases = Cases(self)
        yield cases
        default = cases.default_block or _Block(Region())
        attributes = {"cases": tuple(numbers for numbers, _ in cases.blocks)}
        self._branches("switch", number.ir, [*(block for _, block in cases.blocks), default], **attributes)

    def ret(self, *values: Any) -> None:
        """Return from the function."""
        results = self.function.signature.results
        if len(results) != len(values):
            raise TypeError(f"{self.function.signature} returns {', '.join(map(str, results)) or 'nothing'}")
        operands = []
        for value, result in zip(values, results, strict=True):
            operands.append((value if isinstance(value, Expression) else self.number(value, result)).ir)
            if operands[-1].type != result:
                raise TypeError(f"{self.function.signature} does not return {operands[-1].type}")
        self.op("return", operands)

    def unrolled(self, items: Sequence[Item]) -> Sequence[Item]:
        """A Python loop, whose body is written for each item."""
        return items

    def _open(self, region: Region, loop: str = "") -> _Block:
        self.blocks.append(_Block(region, loop))
        return self.blocks[-1]

    def _pop(self, block: _Block) -> None:
        assert self.blocks.pop() is block, "blocks end in the order in which they were opened"

    def _if(self, condition: Value, then: _Block, other: _Block, likely: bool | None) -> None:
        self._branches("if", condition, [then, other], likely=likely)

    def _branches(self, name: str, chosen_by: Value, blocks: Sequence[_Block], **attributes: Any) -> None:
        """The op of blocks of which one runs; variables that one of them changes become its results."""
        here, open = self.blocks[-1], [b for b in blocks if not b.is_closed]
        outer = {v: self.read(v) for b in blocks for v in b.values if self._is_from_outside(v)}
        changed = [v for v, before in outer.items() if any(b.values.get(v, before) is not before for b in open)]
        for block in open:
            block.region.ops.append(Op("yield", [block.values.get(v, outer[v]) for v in changed], where=_where()))
        results = [outer[v].type for v in changed]
        op = self.op(name, [chosen_by], [b.region for b in blocks], results=results, **attributes)
        for variable, value in zip(changed, op.results, strict=True):
            here.values[variable] = value
        if not open:
            self.op("unreachable", [])

    def _is_from_outside(self, variable: Variable) -> bool:
        return any(variable in block.values for block in self.blocks)

    def _close_loop(self, block: _Block, operands: list[Value], **attributes: Any) -> None:
        self._pop(block)
        carried = list(block.carried)
        ends = [held for _, held in block.breaks]
        if not block.is_closed:
            ends.append(block.values)
        changed = []
        for variable in carried:
            argument, first = block.carried[variable]
            if all(held.get(variable, argument) is argument for held in ends):
                self._forward[argument] = first
                block.region.arguments.remove(argument)
            else:
                changed.append(variable)
        if not block.is_closed:
            block.region.ops.append(Op("yield", [block.values[v] for v in changed], where=_where()))
        for op, held in block.breaks:
            op.operands = [held.get(v, block.carried[v][0]) for v in changed]
        operands = operands + [block.carried[v][1] for v in changed]
        op = self.op(block.loop, operands, [block.region], **attributes)
        for variable, value in zip(changed, op.results, strict=True):
            self.blocks[-1].values[variable] = value

    def finish(self) -> Function:
        """The function, with variables as SSA values and nothing that nobody uses."""
        if not self.blocks[-1].is_closed:
            self.ret()
        assert len(self.blocks) == 1
        replace_operands(self.function.body, self._resolved)
        without_dead_code(self.function)
        return self.function

    def _resolved(self, value: Value) -> Value:
        while (further := self._forward.get(value)) is not None:
            value = further
        return value


class Cases:
    """The blocks of a `Kernel.switch`."""

    def __init__(self, k: Kernel) -> None:
        self.k = k
        self.blocks: list[tuple[tuple[int, ...], _Block]] = []
        self.default_block: _Block | None = None

    @contextmanager
    def case(self, *numbers: int) -> Iterator[None]:
        """The block for these numbers."""
        block = self.k._open(Region())
        yield
        self.k._pop(block)
        self.blocks.append((numbers, block))

    @contextmanager
    def default(self) -> Iterator[None]:
        """The block for all others; without it nothing runs for them."""
        self.default_block = self.k._open(Region())
        yield
        self.k._pop(self.default_block)


def kernel(signature: Signature) -> Callable[[Callable[..., None]], Function]:
    """The function of a body `def body(k, *parameters)`; its docstring says what it is for."""

    def made(body: Callable[..., None]) -> Function:
        k = Kernel(signature, (body.__doc__ or "").strip())
        body(k, *k.parameters)
        return k.finish()

    return made


def _signature_of(callee: Signature | Function) -> Signature:
    return callee.signature if isinstance(callee, Function) else callee


_LANGUAGE = (globals(), vars(contextlib))  # of the frames between an op and the line that wrote it


def _where() -> tuple[str, int]:
    """The file and line of the kernel that calls the language."""
    frame: Any = sys._getframe(2)
    while (names := frame.f_globals) is _LANGUAGE[0] or names is _LANGUAGE[1]:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
