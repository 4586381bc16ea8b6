"""Cloning of straight-line kernel text: under other names, for several vectors at once and for the tail of a row.

Contract   lines of a kernel and a map of names -> lines; `masked` makes loads of some lanes only of vector loads.
Applies    to text without blocks (`is_straight`).
Why        a tail that repeats the last complete vector needs no scalar loop: lanes done before keep their states.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from tensordsl.base.records import record
from tensordsl.codegen.llvm.vector_builder import Code, llvm_type, splat
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE

_NAME = re.compile(r"%[\w.]+")
_KINDS = {"double": "f64", "float": "f32"}


@record
class Phi:
    name: str
    type: str
    initial: str
    next: str


class RowKernel(Protocol):
    """What is needed of a kernel that goes along rows (`cpu.kernel.Kernel`)."""

    lane: int
    width: int
    head: Code
    body: Code
    after: Code
    order: Sequence[int]
    phis: list[Phi]
    totals: list[Phi]
    ended: list[Phi]
    once: dict[str, str]
    adjacent: dict[str, str]

    def position(self, axis: int) -> str: ...


def phi_lines(phis: Sequence[Phi], first: str, last: str) -> list[str]:
    """All phis of a block."""
    return [f"  {p.name} = phi {p.type} [ {p.initial}, %{first} ], [ {p.next}, %{last} ]" for p in phis]


def is_straight(*texts: Sequence[str]) -> bool:
    """Is it one block?  (No line is a label.)"""
    return not any(line.endswith(":") for lines in texts for line in lines)


def masked_tail(k: RowKernel) -> list[str]:
    """The tail of a row: its last complete vector again, where lanes done before keep their states; or all of a row
    that is shorter than a vector, of which only some lanes count."""
    names = {x: f"{x}.k" for x in defined(k.body.lines)} | {"%i": "%n.last"}
    names |= {p.name: f"{p.name}.k" for p in k.phis}
    return [
        "whole:",
        "  %last.k = icmp eq i64 %stop, %n.whole",
        "  br i1 %last.k, label %rest, label %ends",
        "rest:",
        "  %odd.k = icmp ne i64 %n, %n.whole",
        "  br i1 %odd.k, label %tail, label %ends",
        "tail:",
        *phi_lines([Phi(f"{p.name}.k", p.type, p.initial, p.next) for p in k.phis], "chunk", "rest"),
        *renamed(k.body.lines, names),
        *_chosen(k, names),
        "  br label %ends",
    ]


def _chosen(k: RowKernel, names: Mapping[str, str]) -> list[str]:
    """Behind `masked_tail`: the states with that vector in the lanes that are new in it."""
    code, masks = Code("n"), {p.type: "%mask.k" for p in k.ended if has_mask_registers(k)}
    before = {p.next: f"{p.name}.k" for p in k.phis}
    for p in k.ended:
        if p.type not in masks:
            masks[p.type] = code.op(new_lanes(code, k, bits_of(p.type)))
        chosen = f"{p.type} {names.get(p.initial, p.initial)}, {p.type} {before[p.initial]}"
        code.do(f"{p.next} = select <{k.width} x i1> {masks[p.type]}, {chosen}")
    return code.lines


def has_mask_registers(k: RowKernel) -> bool:
    """Are masks bits of a register?  Else a mask is as wide as what it chooses from, and LLVM passes one between blocks
    lane by lane."""
    return "avx512" in k.head.isa


def new_lanes(code: Code, k: RowKernel, bits: int) -> str:
    """The mask of a row's last whole vector: lanes that count and were not done before, by numbers of `bits` bits.

    Lanes of a row that is shorter than a vector are not done before: some of the first or some of the last ones count.
    """
    if has_bit_masks(k) and k.order == range(k.width):
        symbol = "llvm.x86.bmi.bzhi.64"
        code.declarations[symbol] = f"declare i64 @{symbol}(i64, i64)"
        new = code.op("shl i64 -1, %before.k")
        return lanes_of_bits(code, code.call(symbol, "i64", f"i64 {new}", "i64 %live"), k.width)

    def every(count: str) -> str:
        return splat(code, code.op(f"trunc i64 {count} to {kind}") if bits < 64 else count, f"uint{bits}", k.width)

    kind = f"i{bits}"
    numbers = f"<{', '.join(f'{kind} {n}' for n in k.order)}>"
    place = code.op(f"sub <{k.width} x {kind}> {numbers}, {every('%before.k')}")
    return f"icmp ult <{k.width} x {kind}> {place}, {every(code.op('sub i64 %live, %before.k'))}"


def kept_if_done(k: RowKernel, value: str, old: str, dtype: str) -> str:
    """In the loop: the value in lanes that were not done before, the old one in those that were."""
    if "new" not in k.once:
        k.once["new"] = _not_done(k.body, k.width, 8 * ITEMSIZE[dtype])
    t = llvm_type(dtype, k.width)
    return k.body.op(f"select <{k.width} x i1> {k.once['new']}, {t} {value}, {t} {old}")


def _not_done(code: Code, W: int, bits: int) -> str:
    """The mask of lanes that were not done before: those of a row's last whole vector were, in part."""
    at_end = code.op(f"icmp sgt i64 {code.op(f'add i64 %i, {W}')}, %n.whole")
    done = code.op(f"select i1 {at_end}, i64 {code.op('sub i64 %n.whole, %i')}, i64 0")
    if "avx512" in code.isa and 8 <= W <= 64:
        return code.op(lanes_of_bits(code, code.op(f"shl i64 -1, {done}"), W))
    kind = f"i{bits}"
    every = splat(code, code.op(f"trunc i64 {done} to {kind}") if bits < 64 else done, f"uint{bits}", W)
    return code.op(f"icmp uge <{W} x {kind}> <{', '.join(f'{kind} {n}' for n in range(W))}>, {every}")


def has_bit_masks(k: RowKernel) -> bool:
    """Is a mask best made of an integer's bits?  LLVM takes long to compile comparisons of vectors of bytes."""
    return has_mask_registers(k) and 8 <= k.width <= 64


def lanes_of_bits(code: Code, bits: str, W: int) -> str:
    """The mask of W lanes whose bits an i64 has."""
    return f"bitcast i{W} {code.op(f'trunc i64 {bits} to i{W}') if W < 64 else bits} to <{W} x i1>"


def bits_of(kind: str) -> int:
    """Of an element of a type of vectors."""
    element = kind[1:-1].split(" x ")[1]
    return {"float": 32, "double": 64, "i1": 8}.get(element) or int(element[1:])


def ended_lines(phis: Sequence[Phi]) -> list[str]:
    """The states behind `masked_tail`."""
    before = "[ {0}, %whole ], [ {0}, %rest ]"
    return [f"  {p.name} = phi {p.type} {before.format(p.initial)}, [ {p.next}, %tail ]" for p in phis]


def defined(lines: Iterable[str]) -> set[str]:
    """The names of the values that the lines compute."""
    return {_defines(line) for line in lines if line.startswith("  %")}


def _defines(line: str) -> str:
    return line.split(" = ", 1)[0].strip()


def renamed(lines: Sequence[str], names: Mapping[str, str]) -> list[str]:
    return [_NAME.sub(lambda m: names.get(m[0], m[0]), line) for line in lines]


def masked(code: Code, mask: str) -> list[str]:
    """Its text with loads of some lanes only."""
    return [_masked(code, line, mask) for line in code.lines]


def _masked(code: Code, line: str, mask: str) -> str:
    name = _defines(line)
    if name not in code.vector_loads:
        return line
    t, pointer, align = code.vector_loads[name]
    operands = f"ptr {pointer}, i32 {align}, <{t[1:].split()[0]} x i1> {mask}, {t} zeroinitializer"
    return f"  {name} = call {t} @llvm.masked.load.{mangled(t)}.p0({operands})"


def masked_loads(code: Code) -> dict[str, str]:
    """What `masked` needs: declarations by name."""
    declarations = {}
    for t in {t for t, _, _ in code.vector_loads.values()}:
        symbol = f"llvm.masked.load.{mangled(t)}.p0"
        declarations[symbol] = f"declare {t} @{symbol}(ptr, i32, <{t[1:].split()[0]} x i1>, {t})"
    return declarations


def loads_floats(code: Code, W: int) -> bool:
    """Is it one block that loads nothing but vectors of W floats?"""
    read = [_defines(line) for line in code.lines if " load " in line or "gather" in line]
    types = {code.vector_loads[name][0] if name in code.vector_loads else "" for name in read}
    return is_straight(code.lines) and types <= {f"<{W} x float>", f"<{W} x double>"}


def mangled(t: str) -> str:
    """Of a vector type, in the name of an intrinsic."""
    count, kind = t[1:-1].split(" x ")
    return f"v{count}{_KINDS.get(kind, kind)}"
