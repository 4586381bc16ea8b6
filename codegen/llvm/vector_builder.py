"""`Code`: the text of one LLVM function at W lanes under construction; types, constants, loads and stores of vectors.

Contract   functions take a `Code`, append instructions and give operand strings; `Code.declarations` and
           `Code.functions` are what the module must hold for them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import cache
from zlib import crc32

from tensordsl.codegen.llvm import float16
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE, SIGNED, UNSIGNED
from tensordsl.codegen.target.machine import host_isa
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX

TYPES = {
    "bool": "i1", "float16": "float", "float32": "float", "float64": "double",
    **{name: f"i{8 * ITEMSIZE[name]}" for name in (*SIGNED, *UNSIGNED)},
}  # fmt: skip
MAX_INLINE_FUNCTIONS = 4  # elementary functions of a kernel that are expanded in place; one with more calls them all


class Code:
    """Lines of one function's body, and what the module must hold for it.

    `declarations` (intrinsics) and `functions` (internal definitions) are name -> text; a module prints each name once.
    `block` is the label of the block that is being written: the predecessor to name in a phi.
    `isa` names what may be used of an instruction set: "avx512" or "avx2" (its own intrinsics), "halves" (half
    registers where loops are bound by memory), "gathers" (where that is as fast as loads), "half" (conversions of
    float16); "" for none, None for what this machine has.
    `vector_bytes`: bytes of a vector register, None for those of `isa`; `widest_load_bytes`: of the longest vector
    that is loaded.
    """

    def __init__(
        self,
        prefix: str = "v",
        inline: int = MAX_INLINE_FUNCTIONS,
        isa: str | None = None,
        vector_bytes: int | None = None,
    ) -> None:
        self.lines: list[str] = []
        self.declarations: dict[str, str] = {}
        self.functions: dict[str, str] = {}
        self.inline = inline
        self.block = "entry"
        self.isa = host_isa() if isa is None else isa
        self.vector_bytes = vector_bytes or (64 if "avx512" in self.isa else 32 if "avx2" in self.isa else 16)
        self.widest_load_bytes = 0
        self.vector_loads: dict[str, tuple[str, str, int]] = {}  # by name: (type, pointer, bytes of alignment)
        self.halves: dict[str, str] = {}  # a float16 in a register, which is wide -> its bits
        self.crosses = False  # may the parts of complex numbers be in another order? (see `crossed`)
        self._prefix = prefix
        self._count = 0

    def tmp(self) -> str:
        """A fresh value name."""
        self._count += 1
        return f"%{self._prefix}{self._count}"

    def op(self, right: str) -> str:
        """`name = right`; the name."""
        name = self.tmp()
        self.lines.append(f"  {name} = {right}")
        return name

    def do(self, line: str) -> None:
        self.lines.append("  " + line)

    def label(self, hint: str = "block") -> str:
        """A fresh label (without %), to be placed by `place`; values and labels share one namespace in LLVM."""
        self._count += 1
        return f"{self._prefix}.{hint}{self._count}"

    def place(self, label: str) -> None:
        """Begin the block `label`."""
        self.lines.append(label + ":")
        self.block = label

    def call(self, name: str, result: str, *operands: str) -> str:
        """Call of `@name`; operands are `type value`."""
        return self.op(f"call {result} @{name}({', '.join(operands)})")

    def intrinsic(self, name: str, dtype: str, W: int, *operands: str) -> str:
        """Call of the intrinsic `llvm.<name>` over operands and result of `dtype` at W lanes."""
        t = llvm_type(dtype, W)
        symbol = f"llvm.{name}.{'' if W == 1 else f'v{W}'}{MANGLED[dtype]}"
        if symbol not in self.declarations:
            self.declarations[symbol] = f"declare {t} @{symbol}({', '.join([t] * len(operands))})"
        return self.call(symbol, t, *[f"{t} {x}" for x in operands])

    def any(self, mask: str, W: int) -> str:
        """An i1: is any lane of the mask true?"""
        if W == 1:
            return mask
        symbol = f"llvm.vector.reduce.or.v{W}i1"
        self.declarations.setdefault(symbol, f"declare i1 @{symbol}(<{W} x i1>)")
        return self.call(symbol, "i1", f"<{W} x i1> {mask}")

    def need(self, other: Code) -> None:
        """Take over what another body needs of the module."""
        self.declarations |= other.declarations
        self.functions |= other.functions
        self.loads(other.widest_load_bytes)

    def load_bytes(self, t: str, pointer: str, align: int, size: int) -> str:
        """The load of `size` bytes."""
        name = self.op(f"load {t}, ptr {pointer}, align {align}")
        if t.startswith("<"):
            self.vector_loads[name] = t, pointer, align
        self.loads(size)
        return name

    def loads(self, size: int) -> None:
        """Note a load of so many bytes."""
        self.widest_load_bytes = max(self.widest_load_bytes, size)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


MANGLED = {
    "bool": "i1",
    "float16": "f32",
    "float32": "f32",
    "float64": "f64",
    **{t: TYPES[t] for t in (*SIGNED, *UNSIGNED)},
}


@cache
def llvm_type(dtype: str, W: int = 1) -> str:
    """The register type: bool is i1 and float16 float here, i8 and i16 in memory (`memory_type`); a complex number is
    two lanes of its parts' type."""
    if dtype in COMPLEX:
        return llvm_type(real_of(dtype), 2 * W)
    return TYPES[dtype] if W == 1 else f"<{W} x {TYPES[dtype]}>"


def memory_type(dtype: str, W: int = 1) -> str:
    if dtype in COMPLEX:
        return llvm_type(dtype, W)
    t = {"bool": "i8", "float16": "i16"}.get(dtype, TYPES[dtype])
    return t if W == 1 else f"<{W} x {t}>"


def constant(value: object, dtype: str, W: int = 1) -> str:
    """An operand: exact bits for floats (float32 is written as the double of the same value), wrapped for integers."""
    if dtype == "bool":
        text = "true" if value else "false"
    elif dtype in FLOATS:
        text = _float_text(float(value), dtype)  # type: ignore[arg-type]
    else:
        bits = 8 * ITEMSIZE[dtype]
        wrapped = int(value) & ((1 << bits) - 1)  # type: ignore[call-overload]
        text = str(wrapped - (1 << bits) if dtype in SIGNED and wrapped >> (bits - 1) else wrapped)
    return text if W == 1 else f"splat ({TYPES[dtype]} {text})"


def _float_text(value: float, dtype: str) -> str:
    if dtype != "float64":
        kind = "f" if dtype == "float32" else "e"
        try:
            value = struct.unpack(kind, struct.pack(kind, value))[0]
        except OverflowError:
            value = float("inf") if value > 0 else float("-inf")
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def hash_text(values: tuple[float, ...]) -> str:
    """A name for a table of constants, the same in every process."""
    return f"{crc32(struct.pack(f'<{len(values)}d', *values)):08x}"


def load(code: Code, pointer: str, dtype: str, W: int = 1, align: int | None = None) -> str:
    """W adjacent elements at `pointer`; `align` in bytes, by default the element's."""
    if dtype in COMPLEX:
        return load(code, pointer, real_of(dtype), 2 * W, align)
    align = align or ITEMSIZE[dtype]
    t = memory_type(dtype, W)
    return from_memory(code, code.load_bytes(t, pointer, align, W * ITEMSIZE[dtype]), dtype, W)


def from_memory(code: Code, value: str, dtype: str, W: int = 1) -> str:
    """An operand in a register's form from one in memory's."""
    if dtype == "bool":
        return code.op(f"icmp ne {memory_type(dtype, W)} {value}, {'zeroinitializer' if W > 1 else '0'}")
    return float16.widened(code, value, W) if dtype == "float16" else value


def to_memory(code: Code, value: str, dtype: str, W: int = 1) -> str:
    if dtype == "bool":
        return code.op(f"zext {llvm_type(dtype, W)} {value} to {memory_type(dtype, W)}")
    return float16.narrowed(code, value, W) if dtype == "float16" else value


def chosen(code: Code, condition: str, x: str, y: str, dtype: str, W: int) -> str:
    """x where the condition is true, else y; of float16s the bits are chosen."""
    halves = [code.halves.get(value, "") for value in (x, y)]
    t, values = (memory_type("float16", W), halves) if all(halves) else (llvm_type(dtype, W), [x, y])
    value = code.op(f"select {llvm_type('bool', W)} {condition}, {t} {values[0]}, {t} {values[1]}")
    return from_memory(code, value, "float16", W) if all(halves) else value


def merged(code: Code, sources: Sequence[tuple[str, str]], dtype: str, W: int) -> str:
    """A phi of (value, label of the block that it comes from); of float16s their bits."""
    halves = [code.halves.get(value, "") for value, _ in sources]
    whole = [value for value, _ in sources]
    t, values = (memory_type("float16", W), halves) if all(halves) else (llvm_type(dtype, W), whole)
    incoming = ", ".join(f"[ {value}, %{label} ]" for value, (_, label) in zip(values, sources, strict=True))
    value = code.op(f"phi {t} {incoming}")
    return from_memory(code, value, "float16", W) if all(halves) else value


def store(code: Code, value: str, pointer: str, dtype: str, W: int = 1, align: int | None = None) -> None:
    """Store W adjacent elements, register by register: LLVM stores the end of a longer vector first, and Intel's cores
    are slow at cache lines that are written from their end by vectors that straddle them."""
    if dtype in COMPLEX:
        return store(code, value, pointer, real_of(dtype), 2 * W, align)
    align, size = align or ITEMSIZE[dtype], ITEMSIZE[dtype]
    value, t, n = to_memory(code, value, dtype, W), memory_type(dtype, W), code.vector_bytes // size
    if W <= n:
        code.do(f"store {t} {value}, ptr {pointer}, align {align}")
        return
    for k in range(0, W, n):
        piece = shuffled(code, t, value, "poison", range(k, k + n))
        place = code.op(f"getelementptr i8, ptr {pointer}, i64 {k * size}") if k else pointer
        code.do(f"store {memory_type(dtype, n)} {piece}, ptr {place}, align {align}")


def load_by_registers(code: Code, pointer: str, dtype: str, W: int) -> str:
    """As `load`, register by register: so that states, which are in scratch, don't change the order in which operands
    are loaded (`SCHEDULER` in `llvm.compile`)."""
    if dtype in COMPLEX:
        return load_by_registers(code, pointer, real_of(dtype), 2 * W)
    size = ITEMSIZE[dtype]
    n = min(code.vector_bytes // size, W)
    places = [code.op(f"getelementptr i8, ptr {pointer}, i64 {k * size}") if k else pointer for k in range(0, W, n)]
    return joined(code, TYPES[dtype], [load(code, place, dtype, n) for place in places], n)


def gathered(code: Code, places: str, dtype: str, W: int, align: int | None = None) -> str:
    """One element for each of W addresses."""
    if dtype == "complex64":  # both parts at once
        whole = gathered(code, places, "float64", W, 4)
        return code.op(f"bitcast <{W} x double> {whole} to {llvm_type(dtype, W)}")
    if dtype == "complex128":
        behind = code.op(f"getelementptr i8, <{W} x ptr> {places}, i64 8")
        return paired(code, gathered(code, places, "float64", W), gathered(code, behind, "float64", W), dtype, W)
    memory, t = memory_type(dtype), memory_type(dtype, W)
    kind = {"double": "f64", "float": "f32"}.get(memory, memory)
    symbol = f"llvm.masked.gather.v{W}{kind}.v{W}p0"
    code.declarations.setdefault(symbol, f"declare {t} @{symbol}(<{W} x ptr>, i32, <{W} x i1>, {t})")
    rest = f"i32 {align or ITEMSIZE[dtype]}", f"<{W} x i1> splat (i1 true)", f"{t} poison"
    return from_memory(code, code.call(symbol, t, f"<{W} x ptr> {places}", *rest), dtype, W)


def splat(code: Code, value: str, dtype: str, W: int) -> str:
    """A scalar in all lanes."""
    if W == 1:
        return value
    if dtype in COMPLEX:
        return shuffled(code, llvm_type(dtype), value, "poison", [0, 1] * W)
    t = llvm_type(dtype, W)
    first = code.op(f"insertelement {t} poison, {TYPES[dtype]} {value}, i32 0")
    return code.op(f"shufflevector {t} {first}, {t} poison, <{W} x i32> zeroinitializer")


def shuffled(code: Code, kind: str, x: str, y: str, lanes: Iterable[int]) -> str:
    """Those of the lanes of x and, counted on, of y, which are vectors of type `kind`."""
    numbers = [f"i32 {k}" for k in lanes]
    return code.op(f"shufflevector {kind} {x}, {kind} {y}, <{len(numbers)} x i32> <{', '.join(numbers)}>")


def half_lanes(code: Code, value: str, dtype: str, W: int, k: int) -> str:
    """The lower (k = 0) or upper half of W lanes."""
    t, H = llvm_type(dtype, W), W // 2
    if H == 1:
        return code.op(f"extractelement {t} {value}, i64 {k}")
    lanes = ", ".join(f"i32 {k * H + q}" for q in range(H))
    return code.op(f"shufflevector {t} {value}, {t} poison, <{H} x i32> <{lanes}>")


def joined(code: Code, element: str, pieces: Sequence[str], n: int) -> str:
    """One vector of several ones of n elements of an LLVM type; their number is a power of two."""
    while len(pieces) > 1:
        pairs = zip(pieces[::2], pieces[1::2], strict=True)
        pieces = [shuffled(code, f"<{n} x {element}>", a, b, range(2 * n)) for a, b in pairs]
        n *= 2
    return pieces[0]


def crossed(code: Code, dtype: str, W: int) -> Sequence[int]:
    """Which of W complex numbers each lane of their parts is of.  Where `llvm.vector_builder.crosses`, 16 bytes of a
    part come from 16 bytes of each of two registers: shuffles within these take half of the time of others."""
    size = ITEMSIZE[dtype]
    count, adjacent = code.vector_bytes // size, 16 // size  # numbers in a register, in 16 bytes
    if not code.crosses or W < 2 * count:
        return range(W)
    places = [(first, at) for first in range(0, W, 2 * count) for at in range(0, count, adjacent)]
    return [first + other + at + k for first, at in places for other in (0, count) for k in range(adjacent)]


def part(code: Code, value: str, dtype: str, k: int, W: int = 1) -> str:
    """The real (k = 0) or imaginary parts of W complex numbers."""
    t = llvm_type(dtype, W)
    if W == 1:
        return code.op(f"extractelement {t} {value}, i32 {k}")
    return shuffled(code, t, value, "poison", (2 * n + k for n in crossed(code, dtype, W)))


def paired(code: Code, re: str, im: str, dtype: str, W: int = 1) -> str:
    """W complex numbers of their parts."""
    t = llvm_type(real_of(dtype), W)
    if W == 1:
        first = code.op(f"insertelement {llvm_type(dtype)} poison, {t} {re}, i32 0")
        return code.op(f"insertelement {llvm_type(dtype)} {first}, {t} {im}, i32 1")
    order = crossed(code, dtype, W)
    return shuffled(code, t, re, im, (order.index(k) + W * n for k in range(W) for n in (0, 1)))


def in_register(code: Code, address: str) -> str:
    """The text of an address that stays in a register: instructions may not fold its sum into their addressing."""
    return f'call ptr asm "", "=r,0"(ptr {code.op(address)})'


def count_lines(lines: Sequence[str]) -> int:
    """The number of lines, but for those that only keep an address in a register."""
    return sum(" = call ptr asm " not in line for line in lines)
