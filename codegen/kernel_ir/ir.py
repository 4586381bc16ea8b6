"""The typed loop IR: functions of structured ops over SSA values.

Contract  an op has operands, attributes, results and regions; a region has arguments and ops, of which the last ends it
          (`ops.ENDS`).  A value is a result, an argument of a region, a parameter, a `Constant`, or the address of a
          module's `Table`.  Values of a region are not seen outside of it: results of the op carry them out.
Made by   `language`; checked by `verify`, printed by `printer`, run by `interpret`, spelled by `llvm.kernel_text`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.kernel_ir.types import Signature, Type, ptr


class Value:
    """What an op gives, or a region or function takes."""

    __slots__ = ("hint", "type")

    def __init__(self, type: Type, hint: str = "") -> None:
        self.type, self.hint = type, hint

    def __repr__(self) -> str:
        return f"<{self.hint or 'value'}: {self.type}>"


class Constant(Value):
    """A number, the same in all lanes, or a tuple of one for each lane; None: lanes that nobody reads."""

    __slots__ = ("number",)

    def __init__(self, type: Type, number: Any) -> None:
        super().__init__(type)
        self.number = number


class Address(Value):
    """Where a table of the module, or what another object defines by this name, stands."""

    __slots__ = ("symbol",)

    def __init__(self, symbol: str) -> None:
        super().__init__(ptr, symbol)
        self.symbol = symbol


class Region:
    """A block of ops with arguments."""

    __slots__ = ("arguments", "ops")

    def __init__(self, arguments: Sequence[Value] = ()) -> None:
        self.arguments = list(arguments)
        self.ops: list[Op] = []


NOTHING: Mapping[str, Any] = MappingProxyType({})  # the attributes of an op that has none: one object for all


class Op:
    """One operation.  `where` is the file and line that wrote it."""

    __slots__ = ("attributes", "name", "operands", "regions", "results", "where")

    def __init__(
        self,
        name: str,
        operands: Sequence[Value],
        results: Sequence[Type] = (),
        attributes: Mapping[str, Any] = NOTHING,
        regions: Sequence[Region] = (),
        where: tuple[str, int] = ("", 0),
    ) -> None:
        self.name = name
        self.operands = list(operands)
        self.results = [Value(t) for t in results]
        self.attributes = attributes or NOTHING
        self.regions = regions
        self.where = where

    @property
    def result(self) -> Value:
        (result,) = self.results
        return result

    def __repr__(self) -> str:
        return f"<{self.name} of {', '.join(map(str, (v.type for v in self.operands)))}>"


class Function:
    """A signature with a body, whose region's arguments are the parameters."""

    __slots__ = ("body", "signature", "what")

    def __init__(self, signature: Signature, what: str = "") -> None:
        self.signature, self.what = signature, what
        names = (name for name, _ in signature.parameters)
        self.body = Region([Value(t, name) for t, name in zip(signature.types, names, strict=True)])


@record
class Table:
    """Rows of constants in an object; `align` in bytes."""

    name: str
    row: Type
    rows: tuple[tuple[int, ...], ...]
    align: int = 64


class Module:
    """The functions and tables of an object."""

    def __init__(self, functions: Sequence[Function] = (), tables: Sequence[Table] = ()) -> None:
        self.functions, self.tables = list(functions), list(tables)


def walk(region: Region) -> Iterator[Op]:
    """All ops, each before those of its regions; without recursion."""
    waiting = [iter(region.ops)]
    while waiting:
        op = next(waiting[-1], None)
        if op is None:
            waiting.pop()
            continue
        yield op
        if op.regions:
            waiting += [iter(inner.ops) for inner in reversed(op.regions)]


def replace_operands(region: Region, of: Callable[[Value], Value]) -> None:
    for op in walk(region):
        if op.operands:
            op.operands = [of(v) for v in op.operands]
