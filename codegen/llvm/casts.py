"""LLVM text of casts with NumPy's results, also where C leaves them open (floats out of an integer's range)."""

from __future__ import annotations

from tensordsl.codegen.llvm import float16 as half
from tensordsl.codegen.llvm.vector_builder import Code, constant, from_memory, llvm_type, memory_type, to_memory
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE, SIGNED


def cast(code: Code, source: str, target: str, x: list[str], W: int) -> str:
    if source == target:
        return x[0]
    s, t = llvm_type(source, W), llvm_type(target, W)
    if target == "float16":
        if source == "float64":
            return half.rounded(code, half.rounded_to_odd(code, x[0], W), W)
        return half.rounded(code, cast(code, source, "float32", x, W), W)
    if target == "bool":
        zero = constant(0, source, W)
        return code.op(f"fcmp une {s} {x[0]}, {zero}" if source in FLOATS else f"icmp ne {s} {x[0]}, {zero}")
    if target in FLOATS:
        if source in FLOATS:
            return x[0] if s == t else code.op(f"{'fpext' if target == 'float64' else 'fptrunc'} {s} {x[0]} to {t}")
        return code.op(f"{'sitofp' if source in SIGNED else 'uitofp'} {s} {x[0]} to {t}")
    if source in FLOATS:
        return _float_to_int(code, source, target, x[0], W)
    if source != "bool" and ITEMSIZE[source] == ITEMSIZE[target]:
        return x[0]
    if source != "bool" and ITEMSIZE[source] > ITEMSIZE[target]:
        return code.op(f"trunc {s} {x[0]} to {t}")
    return code.op(f"{'sext' if source in SIGNED else 'zext'} {s} {x[0]} to {t}")


def _float_to_int(code: Code, source: str, target: str, x: str, W: int) -> str:
    """As x86-64: through int32 (narrow types) or int64 (uint32), whose lowest value stands for all out of range.

    NumPy agrees with itself on this but for uint32, where the bulk of an array and its last elements differ.
    """
    if target == "uint64":
        return _float_to_uint64(code, source, x, W)
    via = "int64" if target in ("int64", "uint32") else "int32"
    return cast(code, via, target, [_truncate(code, source, via, x, W)], W)


def _truncate(code: Code, source: str, target: str, x: str, W: int) -> str:
    s, t, mask = llvm_type(source, W), llvm_type(target, W), llvm_type("bool", W)
    limit = 2.0 ** (8 * ITEMSIZE[target] - 1)
    # In float64 there are fractions below -2^31, which truncate to it.
    low = "ogt" if (source, target) == ("float64", "int32") else "oge"
    bottom = -limit - 1.0 if low == "ogt" else -limit
    above = code.op(f"fcmp {low} {s} {x}, {constant(bottom, source, W)}")
    below = code.op(f"fcmp olt {s} {x}, {constant(limit, source, W)}")
    inside = code.op(f"and {mask} {above}, {below}")
    safe = code.op(f"select {mask} {inside}, {s} {x}, {s} {constant(0.0, source, W)}")
    value = code.op(f"fptosi {s} {safe} to {t}")
    return code.op(
        f"select {mask} {inside}, {t} {value}, {t} {constant(-(1 << (8 * ITEMSIZE[target] - 1)), target, W)}"
    )


def _float_to_uint64(code: Code, source: str, x: str, W: int) -> str:
    """Compilers' sequence: below 2^63 as int64, else int64(x - 2^63) with the highest bit flipped."""
    s, t, mask = llvm_type(source, W), llvm_type("int64", W), llvm_type("bool", W)
    half = constant(2.0**63, source, W)
    high = code.op(f"fcmp oge {s} {x}, {half}")
    shifted = code.op(f"fsub {s} {x}, {half}")
    part = code.op(f"select {mask} {high}, {s} {shifted}, {s} {x}")
    value = _truncate(code, source, "int64", part, W)
    flipped = code.op(f"xor {t} {value}, {constant(-(2**63), 'int64', W)}")
    return code.op(f"select {mask} {high}, {t} {flipped}, {t} {value}")


def bitcast(code: Code, source: str, target: str, x: list[str], W: int) -> str:
    x, s, t = [to_memory(code, x[0], source, W)], memory_type(source, W), memory_type(target, W)
    return from_memory(code, x[0] if s == t else code.op(f"bitcast {s} {x[0]} to {t}"), target, W)
