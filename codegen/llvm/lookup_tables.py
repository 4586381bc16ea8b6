"""Table lookup at W lanes: an entry of a constant table for each lane's index.

Contract   `lookup`: a `lookup` value and its index -> an operand; `lookups_of_two`: of two tables at one index.
Variants   AVX-512 permutes two registers at once, AVX2 one of float32; elsewhere lanes are loaded one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tensordsl.codegen.llvm.casts import bitcast
from tensordsl.codegen.llvm.vector_builder import TYPES, Code, constant, hash_text, joined, llvm_type, load, shuffled
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val


def chunks(code: Code, dtype: str, W: int, operands: list[str], call: Callable[..., str], n: int = 0) -> str:
    """`call` on `n` lanes (512 bits) at a time of vectors of such pieces; floats of `dtype` result."""
    n = n or 64 // ITEMSIZE[dtype]
    if n == W:
        return call(*operands)
    t, results = llvm_type(dtype, W), []
    for k in range(0, W, n):
        results.append(call(*(shuffled(code, t, x, "poison", range(k, k + n)) for x in operands)))
    return joined(code, TYPES[dtype], results, n)


def has_avx512(code: Code, dtype: str, W: int) -> bool:
    return "avx512" in code.isa and W * ITEMSIZE[dtype] % 64 == 0


def lookup(code: Code, v: Val, index: str, W: int) -> str:
    """An entry of a constant table per lane: permutations of registers, of two at once by AVX-512, or loads."""
    dtype, size = v.type, len(v.attr)
    itype = v.args[0].type
    wide = has_avx512(code, dtype, W)
    if not wide and not ("avx2" in code.isa and dtype == "float32" and W % 8 == 0):
        return _load_lanes(code, v, index, W)
    n, bits = 64 // ITEMSIZE[dtype] if wide else 8, 8 * ITEMSIZE[dtype]
    two = wide and size > n
    t, i = llvm_type(dtype, n), llvm_type(itype, n)
    entries = v.attr * max(1, n // size)
    registers = [
        f"<{', '.join(f'{TYPES[dtype]} {constant(x, dtype)}' for x in entries[k : k + n])}>"
        for k in range(0, len(entries), n)
    ]
    kind = "d" if dtype == "float64" else "s"
    if two:
        symbol = f"llvm.x86.avx512.vpermi2var.p{kind}.512"
    else:
        symbol = f"llvm.x86.avx512.permvar.{kind}f.512" if wide else "llvm.x86.avx2.permps"
    code.declarations.setdefault(symbol, f"declare {t} @{symbol}({t}, {i}{f', {t}' if two else ''})")
    # An integer vector, split like one of floats.
    as_float = bitcast(code, itype, dtype, [index], W)

    def call(piece: str) -> str:
        at = bitcast(code, dtype, itype, [piece], n)
        if two:
            halves = [
                code.call(symbol, t, f"{t} {low}", f"{i} {at}", f"{t} {high}")
                for low, high in zip(registers[::2], registers[1::2], strict=True)
            ]
        else:
            halves = [code.call(symbol, t, f"{t} {register}", f"{i} {at}") for register in registers]
        step = len(entries) // len(halves)
        while len(halves) > 1:
            if wide:
                bit, test = code.op(f"and {i} {at}, {constant(step, itype, n)}"), "ne"
            else:  # as a sign, which is what AVX2 blends by
                bit, test = code.op(f"shl {i} {at}, {constant(bits - step.bit_length(), itype, n)}"), "slt"
            upper = code.op(f"icmp {test} {i} {bit}, zeroinitializer")
            halves = [
                code.op(f"select {llvm_type('bool', n)} {upper}, {t} {high}, {t} {low}")
                for low, high in zip(halves[::2], halves[1::2], strict=True)
            ]
            step *= 2
        return halves[0]

    return chunks(code, dtype, W, [as_float], call, n)


def partners(code: Code, values: Iterable[Val], W: int) -> dict[int, Val]:
    """By the id of a lookup the one that is loaded with it: two float64 at one index, adjacent in memory, are one load
    a lane, where no permutation of registers finds them."""
    found: dict[int, Val] = {}
    waiting: dict[tuple[int, int], Val] = {}
    if W == 1 or has_avx512(code, "float64", W):
        return found
    for v in values:
        if v.op == "lookup" and v.type == "float64":
            key = id(v.args[0]), len(v.attr)
            first = waiting.pop(key, None)
            if first is None:
                waiting[key] = v
            else:
                found[id(first)] = v
    return found


def lookups_of_two(code: Code, v: Val, other: Val, index: str, W: int) -> tuple[str, str]:
    """The entries of two tables of float64."""
    pairs = [*zip(v.attr, other.attr, strict=True)]
    symbol, size, t = f"tds_tables_{hash_text(v.attr + other.attr)}", len(pairs), "<2 x double>"
    entries = ", ".join(f"{t} <{', '.join(f'double {constant(x, v.type)}' for x in pair)}>" for pair in pairs)
    code.functions[symbol] = f"@{symbol} = internal unnamed_addr constant [{size} x {t}] [{entries}], align 64\n"
    index = code.op(f"and <{W} x i64> {index}, {constant(size - 1, 'int64', W)}")
    rows = []
    for lane in range(W):
        place = code.op(f"extractelement <{W} x i64> {index}, i32 {lane}")
        rows.append(code.op(f"load {t}, ptr {code.op(f'getelementptr {t}, ptr @{symbol}, i64 {place}')}, align 16"))
    if W == 2:
        low, high = rows
        return shuffled(code, t, low, high, (0, 2)), shuffled(code, t, low, high, (1, 3))
    firsts, seconds = [], []
    for k in range(0, W, 4):
        even, odd = (shuffled(code, t, rows[k + j], rows[k + j + 2], range(4)) for j in (0, 1))
        firsts.append(shuffled(code, "<4 x double>", even, odd, (0, 4, 2, 6)))
        seconds.append(shuffled(code, "<4 x double>", even, odd, (1, 5, 3, 7)))
    return joined(code, "double", firsts, 4), joined(code, "double", seconds, 4)


def _load_lanes(code: Code, v: Val, index: str, W: int) -> str:
    dtype, itype, size, t = v.type, v.args[0].type, len(v.attr), TYPES[v.type]
    symbol = f"tds_table_{hash_text(v.attr)}_{dtype}"
    entries = ", ".join(f"{t} {constant(x, dtype)}" for x in v.attr)
    code.functions[symbol] = f"@{symbol} = internal unnamed_addr constant [{size} x {t}] [{entries}], align 64\n"
    vector, lane_type = llvm_type(itype, W), TYPES[itype]
    index = code.op(f"and {vector} {index}, {constant(size - 1, itype, W)}")
    result = "poison"
    for lane in range(W):
        i = index if W == 1 else code.op(f"extractelement {vector} {index}, i32 {lane}")
        at = code.op(f"getelementptr {t}, ptr @{symbol}, {lane_type} {i}")
        value = load(code, at, dtype)
        if W == 1:
            return value
        result = code.op(f"insertelement {llvm_type(dtype, W)} {result}, {t} {value}, i32 {lane}")
    return result
