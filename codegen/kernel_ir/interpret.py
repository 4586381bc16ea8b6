"""The checking interpreter: runs kernels one op at a time, and refuses what a processor would silently do.

Contract  `Machine(module)` has a memory of its own; `place(array)` gives an address, `run(name, *operands)` the result,
          `array(address)` what stands there then.  `MemoryFault` says which access is wrong, and its line.
Checked   bounds of the allocation, alignment as promised, bytes that nobody has written, numbers of lanes and types.
Why       tests: an address that is one too far, or a store that promises too much, is right most of the time.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tensordsl.codegen.kernel_ir.ir import Address, Constant, Function, Module, Op, Region, Value
from tensordsl.codegen.kernel_ir.types import Type, ptr

FLOATS: dict[str, Any] = {"f16": np.float16, "f32": np.float32, "f64": np.float64}
_FORMATS = {"f16": "e", "f32": "f", "f64": "d"}
_FIRST_ADDRESS, _SPACE = 1 << 20, 1 << 12  # of allocations, in bytes; between two of them nothing may be touched


class MemoryFault(Exception):
    """A wrong access."""


class Allocation:
    """Bytes that a kernel may touch.  `written`: which of them have a value."""

    def __init__(self, name: str, address: int, data: bytearray, written: bytearray, is_constant: bool = False) -> None:
        self.name, self.address, self.data, self.written, self.is_constant = name, address, data, written, is_constant


class Machine:
    """
    >>> from tensordsl.codegen.kernel_ir.language import kernel
    >>> from tensordsl.codegen.kernel_ir.types import array, f64, i64, signature
    >>> @kernel(signature("total", f64, x=array(f64), count=i64))
    ... def total(k, x, count):
    ...     sum = k.variable(0.0, f64)
    ...     with k.range(count) as i:
    ...         sum += x[i]
    ...     k.ret(sum)
    >>> machine = Machine(Module([total]))
    >>> x = machine.place(np.array([1.0, 2.0]))
    >>> print(machine.run("total", x, 2))
    3.0
    >>> machine.run("total", x, 3)
    Traceback (most recent call last):
        ...
    tensordsl.codegen.kernel_ir.interpret.MemoryFault: total: load of f64 at byte 16 of array 0, which has 16 ...
    """

    def __init__(self, module: Module, externals: dict[str, Callable[..., Any]] | None = None) -> None:
        self.functions = {f.signature.name: f for f in module.functions}
        self.externals = externals or {}
        self.ran: set[str] = set()  # names of functions
        self.allocations: list[Allocation] = []
        self.addresses: list[int] = []
        self.symbols: dict[str, int] = {}
        for table in module.tables:
            data = b"".join(_bytes_of(table.row, list(row)) for row in table.rows)
            self.symbols[table.name] = self._allocate(table.name, data, table.align, is_constant=True)
        # Functions by their addresses, where nothing can be read.
        self.named = dict(enumerate((*self.functions, *self.externals), 1))
        self.symbols |= {name: address for address, name in self.named.items()}

    # -- memory
    def _allocate(
        self, name: str, data: bytes, align: int, *, is_written: bool = True, is_constant: bool = False
    ) -> int:
        """At an address that is a multiple of `align`, but of no more, so that alignment is as it was promised."""
        last = self.allocations[-1] if self.allocations else None
        after = last.address + len(last.data) + _SPACE if last else _FIRST_ADDRESS
        address = -(-after // (2 * align)) * 2 * align + align
        size = len(data)
        written = bytearray([int(is_written)]) * size
        self.allocations.append(Allocation(name, address, bytearray(data), written, is_constant))
        self.addresses.append(address)
        return address

    def place(self, values: Any, *, align: int = 0, is_written: bool = True) -> int:
        """The address of a copy of an array, C-contiguous; addresses in memory are arrays of int64."""
        values = np.ascontiguousarray(values)
        name = f"array {sum(a.name.startswith('array ') for a in self.allocations)}"
        return self._allocate(name, values.tobytes(), align or values.itemsize, is_written=is_written)

    def array(self, address: int, dtype: Any, count: int = -1) -> Any:
        """What stands from an address on."""
        found = self._find(address)
        assert found is not None
        return np.frombuffer(bytes(found.data[address - found.address :]), dtype, count)

    def put(self, address: int, values: Any) -> None:
        """Write an array, C-contiguous, as a function outside of the module does."""
        found, data = self._find(address), np.ascontiguousarray(values).tobytes()
        assert found is not None and not found.is_constant
        at = address - found.address
        assert at + len(data) <= len(found.data), f"{len(data)} bytes at byte {at} of {found.name}"
        found.data[at : at + len(data)] = data
        found.written[at : at + len(data)] = b"\1" * len(data)

    def unwritten(self, address: int) -> int:
        """How many bytes of the allocation nobody has written."""
        found = self._find(address)
        assert found is not None
        return found.written.count(0)

    def _find(self, address: int) -> Allocation | None:
        at = bisect_right(self.addresses, address) - 1
        return self.allocations[at] if at >= 0 else None

    def access(
        self, op: Op, function: Function, what: str, t: Type, address: int, align: int
    ) -> tuple[Allocation, int]:
        """The allocation and the byte in it, of an access that is right."""
        size, found = t.bytes, self._find(address)

        def wrong(message: str) -> MemoryFault:
            file, line = op.where
            where = f"byte {address - found.address} of {found.name}" if found else f"address {address}"
            return MemoryFault(f"{function.signature.name}: {what} of {t} at {where}, {message} ({file}, line {line})")

        if found is None or address + size > found.address + len(found.data):
            raise wrong(f"which has {len(found.data) if found else 0}")
        if address % align:
            raise wrong(f"which is not aligned to {align} bytes")
        return found, address - found.address

    def load(self, op: Op, function: Function, t: Type, address: int, align: int) -> Any:
        found, at = self.access(op, function, "load", t, address, align)
        if 0 in found.written[at : at + t.bytes]:
            first = at + found.written[at : at + t.bytes].index(0)
            file, line = op.where
            name = function.signature.name
            raise MemoryFault(
                f"{name}: load of {t} at byte {at} of {found.name}: nobody wrote byte {first} ({file}, line {line})"
            )
        return _value_of(t, bytes(found.data[at : at + t.bytes]))

    def store(self, op: Op, function: Function, t: Type, value: Any, address: int, align: int) -> None:
        found, at = self.access(op, function, "store", t, address, align)
        if found.is_constant:
            raise MemoryFault(f"{function.signature.name}: store to the constants {found.name} ({op.where})")
        found.data[at : at + t.bytes] = _bytes_of(t, value if t.lanes > 1 else [value])
        found.written[at : at + t.bytes] = b"\1" * t.bytes

    # -- functions
    def run(self, name: str, *operands: Any) -> Any:
        """The result of a function, a tuple of several; integers, floats, addresses, lists of lanes."""
        with np.errstate(all="ignore"):
            return self._run(self.functions[name], operands)

    def call(self, callee: str | int, operands: Sequence[Any]) -> Any:
        """Of a function of the module or an external one, by its name or address."""
        if isinstance(callee, int):
            if callee not in self.named:
                raise MemoryFault(f"no function stands at address {callee}")
            callee = self.named[callee]
        if callee in self.functions:
            return self._run(self.functions[callee], operands)
        return self.externals[callee](*operands)

    def _run(self, function: Function, operands: Sequence[Any]) -> Any:
        if len(operands) != len(function.body.arguments):
            raise TypeError(f"{function.signature} was called with {len(operands)} operands")
        self.ran.add(function.signature.name)
        frame = _Frame(self, function)
        for value, operand in zip(function.body.arguments, operands, strict=True):
            frame.values[value] = _wrapped(value.type, operand)
        kept = len(self.allocations)
        kind, values = frame.region(function.body)
        del self.allocations[kept:], self.addresses[kept:]  # storage of the call
        assert kind == "return"
        return tuple(values) if len(values) > 1 else values[0] if values else None


class _Frame:
    """A call: what its values are."""

    def __init__(self, machine: Machine, function: Function) -> None:
        self.machine, self.function = machine, function
        self.values: dict[Value, Any] = {}

    def of(self, v: Value) -> Any:
        if isinstance(v, Constant):
            number = v.number
            if v.type.lanes == 1:
                return _wrapped(v.type, 0 if number is None else number)
            return [_wrapped(v.type.scalar, n) for n in _numbers(number, v.type.lanes)]
        if isinstance(v, Address):
            return self.machine.symbols[v.symbol]
        return self.values[v]

    def region(self, region: Region) -> tuple[str, list[Any]]:
        """Run the ops; how the region ends, and the values that it carries out."""
        for op in region.ops:
            name = op.name
            if name in ("yield", "break", "return"):
                return name, [self.of(v) for v in op.operands]
            if name == "unreachable":
                raise MemoryFault(f"{self.function.signature.name}: runs where it can't ({op.where})")
            if name in ("for", "loop", "if", "switch"):
                kind, values = getattr(self, "_" + name)(op)
                if kind != "yield":
                    return kind, values
                self.values.update(zip(op.results, values, strict=True))
                continue
            result = self.value(op)
            if len(op.results) > 1:
                self.values.update(zip(op.results, result, strict=True))
            elif op.results:
                self.values[op.result] = result
        raise AssertionError("a region without an end")

    def _for(self, op: Op) -> tuple[str, list[Any]]:
        start, end, step, *carried = (self.of(v) for v in op.operands)
        if step <= 0:
            raise ArithmeticError(f"{self.function.signature.name}: a loop in steps of {step} ({op.where})")
        return self.rounds(op, carried, ([i] for i in range(start, end, step)))

    def _loop(self, op: Op) -> tuple[str, list[Any]]:
        return self.rounds(op, [self.of(v) for v in op.operands], iter(list, None))

    def rounds(self, op: Op, carried: list[Any], indices: Iterator[list[int]]) -> tuple[str, list[Any]]:
        (region,) = op.regions
        for index in indices:
            self.values.update(zip(region.arguments, [*index, *carried], strict=True))
            kind, carried = self.region(region)
            if kind == "break":
                break
            if kind == "return":
                return kind, carried
        return "yield", carried

    def _if(self, op: Op) -> tuple[str, list[Any]]:
        return self.region(op.regions[0 if self.of(op.operands[0]) else 1])

    def _switch(self, op: Op) -> tuple[str, list[Any]]:
        number, cases = self.of(op.operands[0]), op.attributes["cases"]
        chosen = next((n for n, case in enumerate(cases) if number in case), len(cases))
        return self.region(op.regions[chosen])

    def value(self, op: Op) -> Any:
        name, a = op.name, op.attributes
        x = [self.of(v) for v in op.operands]
        if name == "load":
            return self.machine.load(op, self.function, a["type"], x[0], a["align"])
        if name == "store":
            return self.machine.store(op, self.function, op.operands[0].type, x[0], x[1], a["align"])
        if name == "atomic_update":
            t = op.result.type
            before = self.machine.load(op, self.function, t, x[0], t.bytes)
            after = x[1] if a["by"] == "xchg" else _wrapped(t, ARITHMETIC[a["by"]](t, before, x[1]))
            self.machine.store(op, self.function, t, after, x[0], t.bytes)
            return before
        if name == "alloca":
            size = a["type"].bytes * a["count"]
            anything = a.get("anything", False)
            data = (b"\xff" if anything else b"\0") * size  # of floats, NaN: seen where it is used
            name = f"storage of {self.function.signature.name}"
            return self.machine._allocate(name, data, a["align"], is_written=anything)
        if name == "prefetch":
            return None
        if name == "masked_load":
            return self.masked_load(op, *x)
        if name == "masked_store":
            return self.masked_store(op, *x)
        if name == "gather":
            return self.gather(op, *x)
        if name == "atomic_store":
            return self.machine.store(op, self.function, op.operands[0].type, x[0], x[1], op.operands[0].type.bytes)
        if name == "call":
            return self.machine.call(a["callee"].name, x)
        if name == "call_at":
            return self.machine.call(x[0], x[1:])
        if name == "splat":
            return x * a["lanes"]
        if name == "extract":
            return x[0][a["lane"]]
        if name == "insert":
            return [x[1] if k == a["lane"] else v for k, v in enumerate(x[0])]
        if name == "shuffle":
            both = x[0] + x[1] if op.operands[0].type.lanes > 1 else x
            chosen = [both[k] for k in a["lanes"]]
            return chosen if len(chosen) > 1 else chosen[0]
        if name == "reduce":
            total = x[0][0]
            for v in x[0][1:]:
                total = ARITHMETIC[a["by"]](op.operands[0].type.scalar, total, v)
            return total
        if name == "compress":
            kept = [v for v, truth in zip(*x[:2], strict=True) if truth]
            return kept + x[2][len(kept) :]
        if name == "permute":
            return [x[0][at % len(x[0])] for at in x[1]]
        if name == "bitcast":
            return _bitcast(op.operands[0].type, a["to"], x[0])
        return self.lanewise(op, x)

    def lanes_of_mask(self, op: Op, t: Type, place: int, mask: list[int]) -> Iterator[tuple[int, int]]:
        """(number, address) of the lanes that are touched."""
        align, size = op.attributes["align"], t.scalar.bytes
        for lane, is_touched in enumerate(mask):
            if is_touched:
                address = place + lane * size
                self.machine.access(op, self.function, op.name, t.scalar, address, min(align, size))
                yield lane, address

    def masked_load(self, op: Op, place: int, mask: list[int], others: list[Any]) -> list[Any]:
        t, values = op.result.type, list(others)
        for lane, address in self.lanes_of_mask(op, t, place, mask):
            values[lane] = self.machine.load(op, self.function, t.scalar, address, 1)
        return values

    def masked_store(self, op: Op, values: list[Any], place: int, mask: list[int]) -> None:
        t = op.operands[0].type
        for lane, address in self.lanes_of_mask(op, t, place, mask):
            self.machine.store(op, self.function, t.scalar, values[lane], address, 1)

    def gather(self, op: Op, places: list[int], mask: list[int], others: list[Any]) -> list[Any]:
        t, align = op.result.type.scalar, op.attributes["align"]
        lanes = zip(places, mask, others, strict=True)
        return [self.machine.load(op, self.function, t, p, align) if is_read else x for p, is_read, x in lanes]

    def lanewise(self, op: Op, x: list[Any]) -> Any:
        name, a, lanes = op.name, op.attributes, op.result.type.lanes
        source, to = op.operands[0].type.scalar, op.result.type.scalar

        def one(*operands: Any) -> Any:
            if name == "icmp":
                return int(COMPARISONS[a["condition"]](source, *operands))
            if name == "fcmp":
                return int(FLOAT_COMPARISONS[a["condition"]](*operands))
            if name in ("cttz", "ctlz") and operands[0] == 0 and not a.get("of_zero"):
                raise ArithmeticError(f"{name} of 0 is not defined")
            if name == "select":
                return operands[1] if operands[0] else operands[2]
            if name == "offset":
                return operands[0] + a["size"] * operands[1]
            if name in CONVERSIONS:
                return CONVERSIONS[name](source, to, operands[0])
            return _wrapped(to, ARITHMETIC[name](source, *operands))

        if lanes == 1:
            return one(*x)
        rows = [v if isinstance(v, list) else [v] * lanes for v in x]
        return [one(*row) for row in zip(*rows, strict=True)]


def _numbers(number: Any, lanes: int) -> Sequence[Any]:
    return number if isinstance(number, tuple) else [0 if number is None else number] * lanes


def _wrapped(t: Type, value: Any) -> Any:
    """A number as its type holds it: integers signed, i1 as 0 or 1."""
    if isinstance(value, list | tuple):
        return [_wrapped(t.scalar, v) for v in value]
    if t.is_float:
        return FLOATS[t.element](value)
    if t == ptr:
        return int(value)
    value = int(value) & ((1 << t.bits) - 1)
    return value - (1 << t.bits) if t.bits > 1 and value >> (t.bits - 1) else value


def _unsigned(t: Type, value: int) -> int:
    return value & ((1 << t.bits) - 1)


def _bytes_of(t: Type, lanes: Sequence[Any]) -> bytes:
    if t.is_float:
        return np.array(lanes, FLOATS[t.element]).tobytes()
    size = t.scalar.bytes
    return b"".join((int(v) & ((1 << 8 * size) - 1)).to_bytes(size, "little") for v in lanes)


def _value_of(t: Type, data: bytes) -> Any:
    size, scalar = t.scalar.bytes, t.scalar
    pieces = [data[k : k + size] for k in range(0, len(data), size)]
    if t.is_float:
        lanes = [FLOATS[t.element](struct.unpack("<" + _FORMATS[t.element], piece)[0]) for piece in pieces]
    else:
        lanes = [_wrapped(scalar, int.from_bytes(piece, "little")) for piece in pieces]
    return lanes if t.lanes > 1 else lanes[0]


def _bitcast(source: Type, to: Type, value: Any) -> Any:
    """The same bits; lanes of i1 are single bits, the first lane the lowest one."""
    lanes = value if source.lanes > 1 else [value]
    bits = 0
    for k, v in enumerate(lanes):
        word = int.from_bytes(_bytes_of(source.scalar, [v]), "little") & ((1 << source.bits) - 1)
        bits |= word << k * source.bits
    parts = [bits >> k * to.bits & ((1 << to.bits) - 1) for k in range(to.lanes)]
    values = [_value_of(to.scalar, p.to_bytes(max(1, to.bits // 8), "little")) for p in parts]
    return values if to.lanes > 1 else values[0]


def _divided(x: int, y: int) -> int:
    """Towards zero."""
    if y == 0:
        raise ZeroDivisionError("a kernel divides by 0")
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def _shift(t: Type, by: int) -> int:
    if not 0 <= by < t.bits:
        raise ArithmeticError(f"a shift of {t} by {by}")
    return by


ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": lambda t, x, y: x + y,
    "sub": lambda t, x, y: x - y,
    "mul": lambda t, x, y: x * y,
    "and": lambda t, x, y: x & y,
    "or": lambda t, x, y: x | y,
    "xor": lambda t, x, y: x ^ y,
    "shl": lambda t, x, y: x << _shift(t, y),
    "ashr": lambda t, x, y: x >> _shift(t, y),
    "lshr": lambda t, x, y: _unsigned(t, x) >> _shift(t, y),
    "sdiv": lambda t, x, y: _divided(x, y),
    "srem": lambda t, x, y: x - y * _divided(x, y),
    "udiv": lambda t, x, y: _divided(_unsigned(t, x), _unsigned(t, y)),
    "urem": lambda t, x, y: _unsigned(t, x) - _unsigned(t, y) * _divided(_unsigned(t, x), _unsigned(t, y)),
    "smin": lambda t, x, y: min(x, y),
    "smax": lambda t, x, y: max(x, y),
    "umin": lambda t, x, y: min(x, y, key=lambda v: _unsigned(t, v)),
    "umax": lambda t, x, y: max(x, y, key=lambda v: _unsigned(t, v)),
    "ctpop": lambda t, x: _unsigned(t, x).bit_count(),
    "cttz": lambda t, x: (x & -x).bit_length() - 1 if x else t.bits,
    "ctlz": lambda t, x: t.bits - _unsigned(t, x).bit_length(),
    "fadd": lambda t, x, y: x + y,
    "fsub": lambda t, x, y: x - y,
    "fmul": lambda t, x, y: x * y,
    "fdiv": lambda t, x, y: x / y,
    "fmin": lambda t, x, y: np.fmin(x, y),
    "fmax": lambda t, x, y: np.fmax(x, y),
    "copysign": lambda t, x, y: np.copysign(x, y),
    "fneg": lambda t, x: -x,
    "fabs": lambda t, x: abs(x),
    "fsqrt": lambda t, x: np.sqrt(x),
    "ftrunc": lambda t, x: np.trunc(x),
    "ffloor": lambda t, x: np.floor(x),
    "fceil": lambda t, x: np.ceil(x),
    "frint": lambda t, x: np.rint(x),
    "keep_rounding": lambda t, x: x,
    "fma": lambda t, x, y, z: _fma(t, x, y, z),
}
COMPARISONS: dict[str, Callable[[Type, Any, Any], bool]] = {
    "eq": lambda t, x, y: x == y,
    "ne": lambda t, x, y: x != y,
    "slt": lambda t, x, y: x < y,
    "sle": lambda t, x, y: x <= y,
    "sgt": lambda t, x, y: x > y,
    "sge": lambda t, x, y: x >= y,
    "ult": lambda t, x, y: _unsigned(t, x) < _unsigned(t, y),
    "ule": lambda t, x, y: _unsigned(t, x) <= _unsigned(t, y),
    "ugt": lambda t, x, y: _unsigned(t, x) > _unsigned(t, y),
    "uge": lambda t, x, y: _unsigned(t, x) >= _unsigned(t, y),
}
FLOAT_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "oeq": lambda x, y: x == y,
    "one": lambda x, y: x < y or x > y,
    "olt": lambda x, y: x < y,
    "ole": lambda x, y: x <= y,
    "ogt": lambda x, y: x > y,
    "oge": lambda x, y: x >= y,
    "une": lambda x, y: x != y,
    "uno": lambda x, y: x != x or y != y,
    "ord": lambda x, y: x == x and y == y,
    "ult": lambda x, y: not x >= y,
    "ule": lambda x, y: not x > y,
    "ugt": lambda x, y: not x <= y,
    "uge": lambda x, y: not x < y,
    "ueq": lambda x, y: not (x < y or x > y),
}
CONVERSIONS: dict[str, Callable[[Type, Type, Any], Any]] = {
    "zext": lambda s, t, x: _wrapped(t, _unsigned(s, x)),
    "sext": lambda s, t, x: _wrapped(t, -1 if s.bits == 1 and x else x),
    "trunc": lambda s, t, x: _wrapped(t, x),
    "fpext": lambda s, t, x: FLOATS[t.element](x),
    "fptrunc": lambda s, t, x: FLOATS[t.element](x),
    "sitofp": lambda s, t, x: FLOATS[t.element](x),
    "uitofp": lambda s, t, x: FLOATS[t.element](_unsigned(s, x)),
    "fptosi": lambda s, t, x: _to_integer(t, x, -(1 << t.bits - 1), 1 << t.bits - 1),
    "fptoui": lambda s, t, x: _to_integer(t, x, 0, 1 << t.bits),
    "ptrtoint": lambda s, t, x: _wrapped(t, x),
    "inttoptr": lambda s, t, x: int(x),
}


def _to_integer(t: Type, x: Any, low: int, high: int) -> int:
    if not math.isfinite(x) or not low <= int(x) < high:
        raise ArithmeticError(f"{x} is no {t}: what the processor gives is not defined")
    return int(_wrapped(t, int(x)))


def _fma(t: Type, x: Any, y: Any, z: Any) -> Any:
    """x * y + z rounded once, by fractions where these are finite."""
    from fractions import Fraction

    if not all(map(math.isfinite, (x, y, z))):
        return x * y + z
    exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
    if exact == 0:
        return x * y + z
    wide = float(exact)  # correctly rounded to double
    return FLOATS[t.element](wide)
