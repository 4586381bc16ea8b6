"""LLVM's text of kernels: the place where ops of `kernel_ir` are spelled.

Contract  `module_text(module)`: functions, what they declare, tables.  Blocks and phis stand where the structured ops
          say; instructions stand in the order of the ops.
When      a library object is written.  Functions are verified first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache
from typing import Any, cast

from tensordsl.codegen.kernel_ir.ir import Address, Constant, Function, Module, Op, Region, Table, Value
from tensordsl.codegen.kernel_ir.types import Signature, Type, i1, i32, i64
from tensordsl.codegen.kernel_ir.verify import verify
from tensordsl.codegen.llvm.builder import LIKELY, METADATA, UNLIKELY

ELEMENTS = {"f16": "half", "f32": "float", "f64": "double"}
INTRINSICS = {
    "smin": "smin", "smax": "smax", "umin": "umin", "umax": "umax", "ctpop": "ctpop", "fabs": "fabs", "fsqrt": "sqrt",
    "ftrunc": "trunc", "ffloor": "floor", "fceil": "ceil", "frint": "rint", "fma": "fma", "fmin": "minnum",
    "fmax": "maxnum", "copysign": "copysign", "keep_rounding": "arithmetic.fence",
}  # fmt: skip
PERMUTATIONS = {i32.of(8): "llvm.x86.avx2.permd", i64.of(8): "llvm.x86.avx512.permvar.di.512"}
_ATOMIC = {"smin": "min", "smax": "max"}
_WORD_OF_OFFSET = {1: "i8", 2: "i16", 4: "i32", 8: "i64"}


@cache
def type_text(t: Type) -> str:
    element = ELEMENTS.get(t.element, t.element)
    return element if t.lanes == 1 else f"<{t.lanes} x {element}>"


def _result_text(s: Signature) -> str:
    if len(s.results) > 1:
        return f"{{{', '.join(map(type_text, s.results))}}}"
    return type_text(s.results[0]) if s.results else "void"


def module_text(module: Module, *, others: str = "", with_metadata: bool = True) -> str:
    """The whole module.  KernelError of a function that is no right kernel.

    others: the text of functions of the module that are not written in the IR, with what it declares."""
    declared: dict[str, str] = {}
    defined = {f.signature.name for f in module.functions} | _symbols(others)
    bodies = [_Writer(f, declared).text() for f in module.functions]
    declarations = "".join(text for name, text in declared.items() if name not in defined)
    end = METADATA if with_metadata else ""
    return "".join([*map(_table, module.tables), declarations, others, *bodies, end])


def _symbols(text: str) -> set[str]:
    """What a text declares or defines."""
    lines = (line for line in text.splitlines() if line.startswith(("declare ", "define ")))
    return {line.partition("@")[2].partition("(")[0] for line in lines}


def function_text(function: Function, declared: dict[str, str]) -> str:
    """One function; into `declared` what its module has to declare."""
    return _Writer(function, declared).text()


def _table(table: Table) -> str:
    row = type_text(table.row)
    rows = ", ".join(f"{row} {_numbers(table.row, numbers)}" for numbers in table.rows)
    kind = f"[{len(table.rows)} x {row}]"
    return f"@{table.name} = internal unnamed_addr constant {kind} [{rows}], align {table.align}\n"


def _numbers(t: Type, numbers: Iterable[Any]) -> str:
    texts = [_number(t.scalar, n) for n in numbers]
    if t.lanes == 1:
        return texts[0]
    return f"<{', '.join(f'{type_text(t.scalar)} {n}' for n in texts)}>"


def _number(t: Type, number: Any) -> str:
    """A scalar constant: of a float its exact bits."""
    if t.is_float:
        return f"0x{_bits_of_double(float(number)):016X}" if t.element != "f16" else _half(float(number))
    if t.is_pointer:
        return "null"
    if t == i1:
        return "true" if number else "false"
    return str(int(number))


def _bits_of_double(x: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", x))[0])


def _half(x: float) -> str:
    return f"0xH{struct.unpack('<H', struct.pack('<e', x))[0]:04X}"


@cache
def _mangled(t: Type) -> str:
    element = "p0" if t.is_pointer else t.element
    return element if t.lanes == 1 else f"v{t.lanes}{element}"


class _Writer:
    """The text of one function."""

    def __init__(self, function: Function, declared: dict[str, str]) -> None:
        verify(function)
        self.function, self.declared = function, declared
        self.names: dict[Value, str] = {}
        self.lines: list[str] = []
        self.block = "entry"
        self.count = 0
        self.loops: list[tuple[str, list[tuple[str, list[str]]]]] = []  # label behind, and (block, values) of breaks

    def text(self) -> str:
        s = self.function.signature
        for value in self.function.body.arguments:
            self.names[value] = "%" + value.hint
        given = ", ".join(f"{type_text(v.type)} {self.names[v]}" for v in self.function.body.arguments)
        kind, end = ("internal ", "noinline nounwind") if s.is_internal else ("", "nounwind")
        self.lines = [f"define {kind}{_result_text(s)} @{s.name}({given}) {end} {{", "entry:"]
        self.region(self.function.body)
        return "\n".join(self.lines) + "\n}\n"

    # -- names
    def fresh(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def label(self, hint: str) -> str:
        self.count += 1
        return f"{hint}.{self.count}"

    def of(self, value: Value) -> str:
        name = self.names.get(value)
        if name is not None:
            return name
        return self.constant(value) if isinstance(value, Constant) else "@" + cast(Address, value).symbol

    def constant(self, value: Constant) -> str:
        t, number = value.type, value.number
        if number is None:
            return "poison"
        if isinstance(number, tuple):
            return _numbers(t, number)
        text = _number(t.scalar, number)
        return text if t.lanes == 1 else f"splat ({type_text(t.scalar)} {text})"

    def typed(self, value: Value) -> str:
        return f"{type_text(value.type)} {self.of(value)}"

    def do(self, line: str) -> None:
        self.lines.append("  " + line)

    def place(self, label: str) -> None:
        self.lines.append(label + ":")
        self.block = label

    def declare(self, symbol: str, result: str, parameters: Iterable[str], hidden: bool = False) -> None:
        kind = "hidden " if hidden else ""
        self.declared.setdefault(symbol, f"declare {kind}{result} @{symbol}({', '.join(parameters)})\n")

    # -- ops
    def region(self, region: Region) -> list[str] | None:
        """The ops of a region; what it yields, None if it does not fall through."""
        for op in region.ops:
            if op.name in ("for", "loop", "if", "switch"):
                getattr(self, "_" + op.name)(op)
            elif op.name == "yield":
                return [self.of(v) for v in op.operands]
            elif op.name == "break":
                label, breaks = self.loops[-1]
                breaks.append((self.block, [self.of(v) for v in op.operands]))
                self.do(f"br label %{label}")
            elif op.name == "return":
                self.ret(op)
            elif op.name == "unreachable":
                self.do("unreachable")
            else:
                self.instruction(op)
        return None

    def ret(self, op: Op) -> None:
        if len(op.operands) < 2:
            self.do(f"ret {self.typed(op.operands[0])}" if op.operands else "ret void")
            return
        t, value = _result_text(self.function.signature), "poison"
        for n, v in enumerate(op.operands):
            name = self.fresh()
            self.do(f"{name} = insertvalue {t} {value}, {self.typed(v)}, {n}")
            value = name
        self.do(f"ret {t} {value}")

    def instruction(self, op: Op) -> None:
        if op.name == "store":
            value, place = op.operands
            self.do(f"store {self.typed(value)}, ptr {self.of(place)}, align {op.attributes['align']}")
            return
        if op.name == "prefetch":
            a = op.attributes
            self.declare("llvm.prefetch.p0", "void", ("ptr", "i32", "i32", "i32"))
            kind = f"i32 {int(a['for_writing'])}, i32 {a['locality']}, i32 1"
            self.do(f"call void @llvm.prefetch.p0(ptr {self.of(op.operands[0])}, {kind})")
            return
        right = self.right(op)
        if not op.results:
            self.do(right)
            return
        if len(op.results) > 1:
            both = self.fresh()
            self.do(f"{both} = {right}")
            for n, v in enumerate(op.results):
                self.names[v] = self.fresh()
                self.do(f"{self.names[v]} = extractvalue {_result_text(op.attributes['callee'])} {both}, {n}")
            return
        self.names[op.result] = name = self.fresh()
        self.do(f"{name} = {right}")

    def right(self, op: Op) -> str:
        """What stands on the right of `name =`."""
        a, x = op.attributes, [self.of(v) for v in op.operands]
        t = type_text(op.operands[0].type) if op.operands else ""
        if op.name in INTRINSICS:
            return self.intrinsic(INTRINSICS[op.name], op)
        if op.name in ("cttz", "ctlz"):
            symbol = f"llvm.{op.name}.{_mangled(op.operands[0].type)}"
            self.declare(symbol, t, (t, "i1"))
            return f"call {t} @{symbol}({t} {x[0]}, i1 {'false' if a.get('of_zero') else 'true'})"
        if op.name in ("icmp", "fcmp"):
            return f"{op.name} {a['condition']} {t} {x[0]}, {x[1]}"
        if "to" in a:
            return f"{op.name} {t} {x[0]} to {type_text(a['to'])}"
        special = getattr(self, f"_{op.name}", None)
        if special is not None:
            return str(special(op, a, x, t))
        flag = "contract " if a.get("contract") else ""
        return f"{op.name} {flag}{t} {', '.join(x)}"

    def intrinsic(self, word: str, op: Op) -> str:
        t = type_text(op.result.type)
        symbol = f"llvm.{word}.{_mangled(op.result.type)}"
        self.declare(symbol, t, [t] * len(op.operands))
        return f"call {t} @{symbol}({', '.join(map(self.typed, op.operands))})"

    def _select(self, op: Op, a: Any, x: list[str], t: str) -> str:
        hint = ", !unpredictable !{}" if a.get("unpredictable") else ""
        return f"select {', '.join(map(self.typed, op.operands))}{hint}"

    def _offset(self, op: Op, a: Any, x: list[str], t: str) -> str:
        element = _WORD_OF_OFFSET.get(a["size"], f"[{a['size']} x i8]")
        return f"getelementptr {element}, ptr {x[0]}, {self.typed(op.operands[1])}"

    def _load(self, op: Op, a: Any, x: list[str], t: str) -> str:
        return f"load {type_text(a['type'])}, ptr {x[0]}, align {a['align']}"

    def _alloca(self, op: Op, a: Any, x: list[str], t: str) -> str:
        element = type_text(a["type"])
        kind = element if a["count"] == 1 else f"[{a['count']} x {element}]"
        return f"alloca {kind}, align {a['align']}"

    def _splat(self, op: Op, a: Any, x: list[str], t: str) -> str:
        vector, lanes = type_text(op.result.type), a["lanes"]
        first = self.fresh()
        self.do(f"{first} = insertelement {vector} poison, {t} {x[0]}, i32 0")
        return f"shufflevector {vector} {first}, {vector} poison, <{lanes} x i32> zeroinitializer"

    def _extract(self, op: Op, a: Any, x: list[str], t: str) -> str:
        return f"extractelement {t} {x[0]}, i64 {a['lane']}"

    def _insert(self, op: Op, a: Any, x: list[str], t: str) -> str:
        return f"insertelement {t} {x[0]}, {self.typed(op.operands[1])}, i32 {a['lane']}"

    def _shuffle(self, op: Op, a: Any, x: list[str], t: str) -> str:
        lanes = ", ".join(f"i32 {k}" for k in a["lanes"])
        return f"shufflevector {t} {x[0]}, {t} {x[1]}, <{len(a['lanes'])} x i32> <{lanes}>"

    def _reduce(self, op: Op, a: Any, x: list[str], t: str) -> str:
        """Floats are added in any order, to 0."""
        symbol, result = f"llvm.vector.reduce.{a['by']}.{_mangled(op.operands[0].type)}", type_text(op.result.type)
        if a["by"] == "fadd":
            self.declare(symbol, result, (result, t))
            return f"call reassoc {result} @{symbol}({result} 0.0, {t} {x[0]})"
        self.declare(symbol, result, (t,))
        return f"call {result} @{symbol}({t} {x[0]})"

    def _compress(self, op: Op, a: Any, x: list[str], t: str) -> str:
        symbol, mask = f"llvm.experimental.vector.compress.{_mangled(op.result.type)}", type_text(op.operands[1].type)
        self.declare(symbol, t, (t, mask, t))
        return f"call {t} @{symbol}({', '.join(map(self.typed, op.operands))})"

    def _permute(self, op: Op, a: Any, x: list[str], t: str) -> str:
        symbol = PERMUTATIONS[op.result.type]
        self.declare(symbol, t, (t, t))
        return f"call {t} @{symbol}({t} {x[0]}, {t} {x[1]})"

    def _masked_load(self, op: Op, a: Any, x: list[str], t: str) -> str:
        place, mask, others = map(self.typed, op.operands)
        symbol, vector, bits = f"llvm.masked.load.{_mangled(op.result.type)}.p0", *self.vector_and_mask(op.result)
        self.declare(symbol, vector, ("ptr", "i32", bits, vector))
        return f"call {vector} @{symbol}({place}, i32 {a['align']}, {mask}, {others})"

    def _masked_store(self, op: Op, a: Any, x: list[str], t: str) -> str:
        value, place, mask = map(self.typed, op.operands)
        symbol = f"llvm.masked.store.{_mangled(op.operands[0].type)}.p0"
        vector, bits = self.vector_and_mask(op.operands[0])
        self.declare(symbol, "void", (vector, "ptr", "i32", bits))
        return f"call void @{symbol}({value}, {place}, i32 {a['align']}, {mask})"

    def _gather(self, op: Op, a: Any, x: list[str], t: str) -> str:
        places, mask, others = map(self.typed, op.operands)
        symbol = f"llvm.masked.gather.{_mangled(op.result.type)}.{_mangled(op.operands[0].type)}"
        vector, bits = self.vector_and_mask(op.result)
        self.declare(symbol, vector, (t, "i32", bits, vector))
        return f"call {vector} @{symbol}({places}, i32 {a['align']}, {mask}, {others})"

    def vector_and_mask(self, v: Value) -> tuple[str, str]:
        return type_text(v.type), type_text(v.type.mask)

    def _atomic_store(self, op: Op, a: Any, x: list[str], t: str) -> str:
        value, place = map(self.typed, op.operands)
        return f"store atomic {value}, {place} {a['ordering']}, align {op.operands[0].type.bytes}"

    def _atomic_update(self, op: Op, a: Any, x: list[str], t: str) -> str:
        place, value = map(self.typed, op.operands)
        return f"atomicrmw {_ATOMIC.get(a['by'], a['by'])} {place}, {value} {a['ordering']}"

    def _call(self, op: Op, a: Any, x: list[str], t: str) -> str:
        s: Signature = a["callee"]
        self.declare(s.name, _result_text(s), map(type_text, s.types), s.is_hidden)
        return f"call {_result_text(s)} @{s.name}({', '.join(map(self.typed, op.operands))})"

    def _call_at(self, op: Op, a: Any, x: list[str], t: str) -> str:
        return f"call {_result_text(a['callee'])} {x[0]}({', '.join(map(self.typed, op.operands[1:]))})"

    # -- blocks
    def _for(self, op: Op) -> None:
        head, body, done = self.label("head"), self.label("body"), self.label("exit")
        (region,) = op.regions
        before = self.block
        self.do(f"br label %{head}")
        self.place(head)
        for argument in region.arguments:
            self.names[argument] = self.fresh()
        index, *carried = (self.names[v] for v in region.arguments)
        position, following = len(self.lines), self.fresh()
        condition = self.fresh()
        self.do(f"{condition} = icmp slt i64 {index}, {self.of(op.operands[1])}")
        self.do(f"br i1 {condition}, label %{body}, label %{done}")
        self.place(body)
        breaks: list[tuple[str, list[str]]] = []
        self.loops.append((done, breaks))
        given = self.region(region)
        self.loops.pop()
        phis = [f"{index} = phi i64 [ {self.of(op.operands[0])}, %{before} ]"]
        phis += [
            f"{name} = phi {type_text(v.type)} [ {self.of(v)}, %{before} ]"
            for name, v in zip(carried, op.operands[3:], strict=True)
        ]
        if given is not None:
            self.do(f"{following} = add i64 {index}, {self.of(op.operands[2])}")
            last = self.block
            self.do(f"br label %{head}")
            phis = [f"{phi}, [ {new}, %{last} ]" for phi, new in zip(phis, [following, *given], strict=True)]
        self.lines[position:position] = [f"  {phi}" for phi in phis]
        self.place(done)
        if breaks:
            self.merge(op.results, [(head, carried), *breaks])
        else:
            self.names.update(zip(op.results, carried, strict=True))

    def _loop(self, op: Op) -> None:
        head, done = self.label("head"), self.label("exit")
        (region,) = op.regions
        before = self.block
        self.do(f"br label %{head}")
        self.place(head)
        position = len(self.lines)
        for argument in region.arguments:
            self.names[argument] = self.fresh()
        breaks: list[tuple[str, list[str]]] = []
        self.loops.append((done, breaks))
        given = self.region(region)
        self.loops.pop()
        last = self.block
        if given is not None:
            self.do(f"br label %{head}")
        self.lines[position:position] = [
            f"  {self.names[v]} = phi {type_text(v.type)} [ {self.of(first)}, %{before} ]"
            + (f", [ {given[n]}, %{last} ]" if given is not None else "")
            for n, (v, first) in enumerate(zip(region.arguments, op.operands, strict=True))
        ]
        self.place(done)
        if breaks:
            self.merge(op.results, breaks)
        else:
            self.do("unreachable")
            self.place(self.label("never"))

    def _if(self, op: Op) -> None:
        then, other = op.regions
        has_other = other.ops[0].name != "yield"
        yes, done = self.label("then"), self.label("done")
        no = self.label("else") if has_other else done
        weights = {None: "", True: f", {LIKELY}", False: f", {UNLIKELY}"}[op.attributes["likely"]]
        before = self.block
        self.do(f"br i1 {self.of(op.operands[0])}, label %{yes}, label %{no}{weights}")
        self.place(yes)
        sources = []
        if (given := self.region(then)) is not None:
            sources.append((self.block, given))
            self.do(f"br label %{done}")
        if has_other:
            self.place(no)
            if (given := self.region(other)) is not None:
                sources.append((self.block, given))
                self.do(f"br label %{done}")
        else:
            sources.append((before, [self.of(v) for v in other.ops[0].operands]))
        self.place(done)
        if sources:
            self.merge(op.results, sources)

    def _switch(self, op: Op) -> None:
        cases = op.attributes["cases"]
        *labels, default, done = [self.label("case") for _ in cases] + [self.label("default"), self.label("done")]
        t = type_text(op.operands[0].type)
        targets = [f"{t} {n}, label %{x}" for x, case in zip(labels, cases, strict=True) for n in case]
        self.do(f"switch {t} {self.of(op.operands[0])}, label %{default} [{' '.join(targets)}]")
        sources = []
        for label, region in zip([*labels, default], op.regions, strict=True):
            self.place(label)
            if (given := self.region(region)) is not None:
                sources.append((self.block, given))
                self.do(f"br label %{done}")
        self.place(done)
        if sources:
            self.merge(op.results, sources)

    def merge(self, results: list[Value], sources: list[tuple[str, list[str]]]) -> None:
        for n, value in enumerate(results):
            self.names[value] = name = self.fresh()
            incoming = ", ".join(f"[ {values[n]}, %{block} ]" for block, values in sources)
            self.do(f"{name} = phi {type_text(value.type)} {incoming}")
