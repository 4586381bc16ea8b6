"""Scalar values as MLIR: one table from scalar IR to arith and math, total where scalar IR is.

Integers are signless: the operation has the sign.  bool is i1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.codegen.scalar_ir import repetition
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE, Builder, Val, is_function, walk
from tensordsl.codegen.scalar_ir.math import FUNCTIONS, floating_point, remainder

TYPE = {
    "bool": "i1",
    "float16": "f16",
    "float32": "f32",
    "float64": "f64",
    **{f"{u}int{n}": f"i{n}" for u in ("", "u") for n in (8, 16, 32, 64)},
}

FLOAT_OPS = {
    "add": "arith.addf", "sub": "arith.subf", "mul": "arith.mulf", "div": "arith.divf", "neg": "arith.negf",
    "abs": "math.absf", "sqrt": "math.sqrt", "floor": "math.floor", "ceil": "math.ceil", "trunc": "math.trunc",
    "rint": "math.roundeven", "fma": "math.fma", "copysign": "math.copysign", "minimum": "arith.minimumf",
    "maximum": "arith.maximumf", "fmod": "arith.remf",
}  # fmt: skip
INTEGER_OPS = {"add": "arith.addi", "sub": "arith.subi", "mul": "arith.muli"}
LOGIC = {"and": "arith.andi", "or": "arith.ori", "xor": "arith.xori"}
# Functions of the math dialect that upstream lowers well; all others are expanded into arithmetic of ours (upstream
# makes exp(x) - 1 of math.expm1).
DIALECT = {
    "exp": "math.exp", "exp2": "math.exp2", "log": "math.log", "log2": "math.log2",
    "log10": "math.log10", "log1p": "math.log1p", "pow": "math.powf", "sin": "math.sin", "cos": "math.cos",
    "tan": "math.tan", "arcsin": "math.asin", "arccos": "math.acos", "arctan": "math.atan", "arctan2": "math.atan2",
    "sinh": "math.sinh", "cosh": "math.cosh", "tanh": "math.tanh", "arcsinh": "math.asinh", "arccosh": "math.acosh",
    "arctanh": "math.atanh", "cbrt": "math.cbrt", "erf": "math.erf", "erfc": "math.erfc",
}  # fmt: skip
FLOAT_COMPARE = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}
INTEGER_COMPARE = {"eq": "eq", "ne": "ne", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge"}


def literal(value: Any, dtype: str) -> str:
    """A constant; floats by their bits, so that nan, inf and exponents need no special case."""
    if dtype == "bool":
        return "true" if value else "false"
    if dtype in FLOATS:
        code, bits = {"float64": ("<d", "<Q"), "float32": ("<f", "<I"), "float16": ("<e", "<H")}[dtype]
        with_bits = struct.unpack(bits, struct.pack(code, value))[0]
        return f"0x{with_bits:0{2 * ITEMSIZE[dtype]}X}"
    width = 8 * ITEMSIZE[dtype]
    value = int(value) % (1 << width)
    return str(value - (1 << width) if value >> (width - 1) else value)


class Scalars:
    """Emits scalar values as lines of a region.  `op(text)` appends a line and gives the name of its result,
    `put(text)` only appends it."""

    def __init__(self, op: Callable[[str], str], put: Callable[[str], None]) -> None:
        self.op, self.put = op, put
        self.loops = 0

    def emit(self, roots: Sequence[Val], env: dict[int, str], leaf: Callable[[Val], str | None]) -> list[str]:
        """The names of `roots`; `leaf` gives those of loads, indices, extents, params and results."""
        for v in walk(roots, env):
            name = leaf(v)
            env[id(v)] = self.make(v, [env[id(a)] for a in v.args]) if name is None else name
        return [env[id(r)] for r in roots]

    def constant(self, value: Any, dtype: str) -> str:
        return self.op(
            f"arith.constant {literal(value, dtype)} : {TYPE[dtype]}"
            if dtype != "bool"
            else f"arith.constant {literal(value, dtype)}"
        )

    def make(self, v: Val, args: list[str]) -> str:
        if v.op == "const":
            return self.constant(v.attr, v.type)
        if v.op == "repeat":
            return self.repeat(v, args)
        kind = v.args[0].type
        if v.op == "select":
            return self.op(f"arith.select {', '.join(args)} : {TYPE[v.type]}")
        if v.op == "bitcast":
            if TYPE[kind] == TYPE[v.type]:
                return args[0]
            return self.op(f"arith.bitcast {args[0]} : {TYPE[kind]} to {TYPE[v.type]}")
        if v.op == "cast":
            return self.cast(args[0], kind, v.type)
        if v.op == "lookup":
            return self.lookup(v, args[0])
        if v.op in FLOAT_COMPARE:
            return self.compare(v.op, args, kind)
        if kind in FLOATS:
            return self.float(v, args, kind)
        return self.integer(v.op, args, kind)

    def repeat(self, v: Val, args: list[str]) -> str:
        """A loop of one element (`scalar_ir.repetition`) as `scf.while`: of the number of the round, whether one more
        is needed, the result and the state."""
        loop, k = repetition.named(v.attr)
        r = repetition.rounds(loop, tuple(a.type for a in v.args))
        given = {id(p): a for p, a in zip(r.operands, args, strict=True)}
        none = lambda v: None  # noqa: E731  all leaves are known
        start = self.emit(r.start, dict(given), none)
        firsts = [self.constant(0, "int64"), args[0], self.constant(0, v.type), *start]
        limit = self.constant(loop.limit, "int64")
        name, self.loops = f"%repeat{self.loops}", self.loops + 1
        types = [TYPE[t] for t in ("int64", "bool", v.type, *(s.type for s in r.state))]
        before, after = ([f"{name}_{part}{k}" for k in range(len(types))] for part in "ba")
        kinds = ", ".join(types)
        heads = ", ".join(f"{x} = {first}" for x, first in zip(before, firsts, strict=True))
        self.put(f"{name}:{len(types)} = scf.while ({heads}) : ({kinds}) -> ({kinds}) {{")
        more = self.op(f"arith.cmpi ult, {before[0]}, {limit} : i64")
        self.put(f"scf.condition({self.op(f'arith.andi {more}, {before[1]} : i1')}) {', '.join(before)} : {kinds}")
        self.put("} do {")
        self.put(f"^bb0({', '.join(f'{x}: {t}' for x, t in zip(after, types, strict=True))}):")
        known = given | {id(r.number): after[0]} | {id(s): x for s, x in zip(r.state, after[3:], strict=True)}
        *following, result, is_last = self.emit((*r.following, r.results[k], r.is_last), known, none)
        number = self.op(f"arith.addi {after[0]}, {self.constant(1, 'int64')} : i64")
        going_on = self.op(f"arith.xori {is_last}, {self.constant(True, 'bool')} : i1")
        self.put(f"scf.yield {', '.join((number, going_on, result, *following))} : {kinds}")
        self.put("}")
        return f"{name}#2"

    def lookup(self, v: Val, index: str) -> str:
        """An entry of a constant table; the index counts modulo the table's length."""
        kind = v.args[0].type
        entries = ", ".join(literal(x, v.type) for x in v.attr)
        table = f"tensor<{len(v.attr)}x{TYPE[v.type]}>"
        values = self.op(f"arith.constant dense<[{entries}]> : {table}")
        inside = self.op(f"arith.remui {index}, {self.constant(len(v.attr), kind)} : {TYPE[kind]}")
        at = self.op(f"arith.index_castui {inside} : {TYPE[kind]} to index")
        return self.op(f"tensor.extract {values}[{at}] : {table}")

    def compare(self, op: str, args: list[str], kind: str) -> str:
        if kind in FLOATS:
            return self.op(f"arith.cmpf {FLOAT_COMPARE[op]}, {args[0]}, {args[1]} : {TYPE[kind]}")
        sign = "" if op in ("eq", "ne") else "u" if kind == "bool" or kind.startswith("u") else "s"
        return self.op(f"arith.cmpi {sign}{INTEGER_COMPARE[op]}, {args[0]}, {args[1]} : {TYPE[kind]}")

    def float(self, v: Val, args: list[str], kind: str) -> str:
        if v.op in FLOAT_OPS:
            return self.op(f"{FLOAT_OPS[v.op]} {', '.join(args)} : {TYPE[kind]}")
        if v.op in DIALECT:
            return self.op(f"{DIALECT[v.op]} {', '.join(args)} : {TYPE[kind]}")
        b = Builder()
        params = [b.param(str(k), kind) for k in range(len(args))]
        body = FUNCTIONS[v.op].complete(b, *params) if is_function(v) else COMPOSED[v.op](b, *params)
        return self.inline(params, [body], args)[0]

    def inline(self, params: Sequence[Val], results: Sequence[Val], args: Sequence[str]) -> list[str]:
        env = {id(p): a for p, a in zip(params, args, strict=True)}
        return self.emit(results, env, lambda v: None)

    def integer(self, op: str, args: list[str], kind: str) -> str:
        t = TYPE[kind]
        signed = not kind.startswith("u") and kind != "bool"
        if kind == "bool" and op in ("add", "mul"):
            op = "or" if op == "add" else "and"
        if op in INTEGER_OPS or op in LOGIC:
            return self.op(f"{(INTEGER_OPS | LOGIC)[op]} {args[0]}, {args[1]} : {t}")
        if op in ("minimum", "maximum"):
            return self.op(f"arith.{op[:3]}{'s' if signed else 'u'}i {args[0]}, {args[1]} : {t}")
        if op == "not":
            return self.op(f"arith.xori {args[0]}, {self.constant(True if kind == 'bool' else -1, kind)} : {t}")
        if op in ("shl", "shr"):
            return self.shift(op, args, kind, signed)
        if op in ("floordiv", "mod", "fmod"):
            return self.divide(op, args, kind, signed)
        zero = self.constant(0, kind)
        if op == "neg":
            return self.op(f"arith.subi {zero}, {args[0]} : {t}")
        if op == "abs":
            return args[0] if not signed else self.op(f"math.absi {args[0]} : {t}")
        assert op == "sign", op
        above = self.op(f"arith.cmpi {'s' if signed else 'u'}gt, {args[0]}, {zero} : {t}")
        one = self.op(f"arith.select {above}, {self.constant(1, kind)}, {zero} : {t}")
        if not signed:
            return one
        below = self.op(f"arith.cmpi slt, {args[0]}, {zero} : {t}")
        return self.op(f"arith.select {below}, {self.constant(-1, kind)}, {one} : {t}")

    def shift(self, op: str, args: list[str], kind: str, signed: bool) -> str:
        """Past the width: 0, or the sign."""
        t, width = TYPE[kind], 8 * ITEMSIZE[kind]
        inside = self.op(f"arith.cmpi ult, {args[1]}, {self.constant(width, kind)} : {t}")
        by = self.op(f"arith.select {inside}, {args[1]}, {self.constant(width - 1, kind)} : {t}")
        name = "arith.shli" if op == "shl" else "arith.shrsi" if signed else "arith.shrui"
        moved = self.op(f"{name} {args[0]}, {by} : {t}")
        if op == "shr" and signed:
            return moved
        return self.op(f"arith.select {inside}, {moved}, {self.constant(0, kind)} : {t}")

    def divide(self, op: str, args: list[str], kind: str, signed: bool) -> str:
        """Division by 0 gives 0; the least integer by -1 gives itself, remainder 0."""
        t = TYPE[kind]
        x, y = args
        zero, one = self.constant(0, kind), self.constant(1, kind)
        by_zero = self.op(f"arith.cmpi eq, {y}, {zero} : {t}")
        safe = self.op(f"arith.select {by_zero}, {one}, {y} : {t}")
        if not signed:
            result = self.op(f"arith.{'divui' if op == 'floordiv' else 'remui'} {x}, {safe} : {t}")
            return self.op(f"arith.select {by_zero}, {zero}, {result} : {t}")
        minus = self.op(f"arith.cmpi eq, {y}, {self.constant(-1, kind)} : {t}")
        safe = self.op(f"arith.select {minus}, {one}, {safe} : {t}")
        if op == "floordiv":
            quotient = self.op(f"arith.floordivsi {x}, {safe} : {t}")
            negated = self.op(f"arith.subi {zero}, {x} : {t}")
            result = self.op(f"arith.select {minus}, {negated}, {quotient} : {t}")
            return self.op(f"arith.select {by_zero}, {zero}, {result} : {t}")
        rest = self.op(f"arith.remsi {x}, {safe} : {t}")
        if op == "mod":  # the divisor's sign
            both = self.op(f"arith.xori {rest}, {safe} : {t}")
            differ = self.op(f"arith.cmpi slt, {both}, {zero} : {t}")
            exact = self.op(f"arith.cmpi ne, {rest}, {zero} : {t}")
            shift = self.op(f"arith.andi {differ}, {exact} : i1")
            moved = self.op(f"arith.addi {rest}, {safe} : {t}")
            rest = self.op(f"arith.select {shift}, {moved}, {rest} : {t}")
        either = self.op(f"arith.ori {by_zero}, {minus} : i1")
        return self.op(f"arith.select {either}, {zero}, {rest} : {t}")

    def cast(self, x: str, source: str, target: str) -> str:
        s, t = TYPE[source], TYPE[target]
        if target == "bool":
            zero = self.constant(0, source)
            kind = "cmpf une" if source in FLOATS else "cmpi ne"
            return x if source == "bool" else self.op(f"arith.{kind}, {x}, {zero} : {s}")
        if source in FLOATS and target in FLOATS:
            name = "extf" if ITEMSIZE[target] > ITEMSIZE[source] else "truncf"
            return x if s == t else self.op(f"arith.{name} {x} : {s} to {t}")
        if target in FLOATS:
            signed = source != "bool" and not source.startswith("u")
            return self.op(f"arith.{'sitofp' if signed else 'uitofp'} {x} : {s} to {t}")
        if source in FLOATS:
            return self.float_to_integer(x, source, target)
        if s == t:
            return x
        if ITEMSIZE[source] > ITEMSIZE[target]:
            return self.op(f"arith.trunci {x} : {s} to {t}")
        signed = source != "bool" and not source.startswith("u")
        return self.op(f"arith.{'extsi' if signed else 'extui'} {x} : {s} to {t}")

    def float_to_integer(self, x: str, source: str, target: str) -> str:
        """In range as C; out of it the least integer of the width that x86-64 converts to."""
        s, wide = TYPE[source], "int32" if target in ("int8", "int16", "int32", "uint8", "uint16") else "int64"
        bits = 8 * ITEMSIZE[wide]
        if target == "uint64":
            bits = 64
        low, high = self.constant(-(2.0 ** (bits - 1)), source), self.constant(2.0 ** (bits - 1), source)
        above = self.op(f"arith.cmpf oge, {x}, {low} : {s}")
        below = self.op(f"arith.cmpf olt, {x}, {high} : {s}")
        inside = self.op(f"arith.andi {above}, {below} : i1")
        safe = self.op(f"arith.select {inside}, {x}, {self.constant(0.0, source)} : {s}")
        w = TYPE[wide]
        converted = self.op(f"arith.fptosi {safe} : {s} to {w}")
        result = self.op(f"arith.select {inside}, {converted}, {self.constant(-(2 ** (bits - 1)), wide)} : {w}")
        if target == "uint64":  # the upper half of the range
            top = self.constant(2.0**64, source)
            over = self.op(f"arith.cmpf oge, {x}, {high} : {s}")
            under = self.op(f"arith.cmpf olt, {x}, {top} : {s}")
            upper = self.op(f"arith.andi {over}, {under} : i1")
            safe = self.op(f"arith.select {upper}, {x}, {high} : {s}")
            result = self.op(f"arith.select {upper}, {self.op(f'arith.fptoui {safe} : {s} to i64')}, {result} : i64")
        return result if TYPE[target] == w else self.op(f"arith.trunci {result} : {w} to {TYPE[target]}")


def _sign(b: Builder, x: Val) -> Val:
    one = b.copysign(b.const(1.0, x.type), x)
    return b.select(b.or_(b.eq(x, 0.0), b.isnan(x)), b.mul(x, 1.0), one)


def _mod(b: Builder, x: Val, y: Val) -> Val:
    return remainder.floor_remainder(b, x, y, b.fmod(x, y))


def _floordiv(b: Builder, x: Val, y: Val) -> Val:
    return remainder.floor_quotient(b, x, y, b.fmod(x, y))


COMPOSED: dict[str, Callable[..., Val]] = {
    "sign": _sign, "mod": _mod, "floordiv": _floordiv, "exponent": floating_point.exponent,
    "significand": floating_point.significand, "ldexp": floating_point.ldexp,
}  # fmt: skip

__all__ = ["TYPE", "Scalars", "literal"]
