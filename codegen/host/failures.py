"""Failure checks of a program: straight-line code tests all conditions collected so far by one branch.

Where one may not hold, the library's failure check (`library.python.failures`) tests them in order, and the record is
that of the first that fails.  Products are not tested one by one: while all factors are small, none overflows.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from tensordsl.base.records import record
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.program_ir import instructions as p

if TYPE_CHECKING:
    from tensordsl.codegen.host.emitter import Emitter, Operand

# These touch no memory but that of sources, and stop nothing: checks may be moved behind them.
HARMLESS = frozenset((
    p.Const, p.Extent, p.Stride, p.Data, p.BlasThreads, p.Arith, p.Mul, p.Compare, p.Check, p.Offset, p.Select, p.Slot,
    p.Bytes, p.Require, p.Deoptimise,
))  # fmt: skip
# These give storage, or NULL where something has failed before: tested once, after the last of several.
STORAGE = frozenset((p.Arena, p.NewOut, p.NewList, p.Prepare))
MAX_WAITING_CONDITIONS = 100  # pending: the library counts their operands in a byte
MAX_PRODUCT_BITS = 62  # of the largest product that is certain to fit

_CARRY_BITS = {"add": 1, "sub": 1, "min": 0, "max": 0}  # more bits than the operands

Place = tuple[int, int, int]  # of an operand: the bytes of `abi.layouts.CONDITION`


@record
class Condition:
    holds: int  # of abi.HOLDS
    a: Operand
    b: Operand
    site: int
    kind: int


@record(eq=False, frozen=False)
class Waiting:
    """Conditions that have not been tested yet.  bad: the i1 that one of them fails; factors: the bitwise or of all
    factors: while it is less than 2**room, no product overflows.  bounds: of values the d and c for which they are less
    than 2**(d * room + c); extents: places of those that may be read again."""

    conditions: list[Condition] = field(default_factory=list)
    bad: str = ""
    factors: str = ""
    room: int = MAX_PRODUCT_BITS
    bounds: dict[Operand, tuple[int, int]] = field(default_factory=dict)
    extents: dict[Operand, Place] = field(default_factory=dict)


def demand(e: Emitter, condition: Condition, bad: str) -> None:
    """Fail before the next instruction that is not harmless if the i1 `bad` is 1: the condition does not hold."""
    if len(e.waiting.conditions) == MAX_WAITING_CONDITIONS:
        settle(e)
    e.waiting.bad = e.op(f"or i1 {e.waiting.bad}, {bad}") if e.waiting.bad else bad
    e.waiting.conditions.append(condition)


def fail_if(e: Emitter, bad: str, site: int, kind: int) -> None:
    """The same for an i1 without a condition of its own."""
    demand(e, Condition(layouts.HOLDS["zero"], e.op(f"zext i1 {bad} to i64"), 0, site, kind), bad)


def product(e: Emitter, a: Operand, b: Operand, site: int) -> str:
    """A product, which fails likewise where it overflows."""
    if len(e.waiting.conditions) == MAX_WAITING_CONDITIONS:
        settle(e)
    w, (d0, c0), (d1, c1) = e.waiting, _bound(e, a), _bound(e, b)
    degree, bits = d0 + d1, c0 + c1
    w.room = min(w.room, (MAX_PRODUCT_BITS - bits) // (degree or 1))
    w.conditions.append(Condition(layouts.HOLDS["product"], a, b, site, layouts.ERR_OVERFLOW))
    result = e.op(f"mul i64 {a}, {b}")
    w.bounds[result] = degree, bits
    return result


def _bound(e: Emitter, x: Operand) -> tuple[int, int]:
    """The bound of a value; one without a known bound becomes a factor."""
    if isinstance(x, int):
        return 0, x.bit_length()
    w = e.waiting
    known = w.bounds.get(x)
    if known is None:
        known = w.bounds[x] = 1, 0
        size = x if x in w.extents else e.op(f"xor i64 {x}, {e.op(f'ashr i64 {x}, 63')}")  # of -x that of x - 1
        w.factors = e.op(f"or i64 {w.factors}, {size}") if w.factors else size
    return known


def derive(e: Emitter, op: str, result: Operand, a: Operand, b: Operand) -> None:
    """The bound of a sum, a difference, the less or the greater of two, where theirs are known."""
    bounds = e.waiting.bounds
    if op in _CARRY_BITS and (isinstance(a, int) or a in bounds) and (isinstance(b, int) or b in bounds):
        (d0, c0), (d1, c1) = _bound(e, a), _bound(e, b)
        bounds[result] = max(d0, d1), max(c0, c1) + _CARRY_BITS[op]


def before(e: Emitter, kind: type[p.Instr]) -> None:
    """Emit the pending checks if an instruction of this kind must not run before them."""
    if kind in STORAGE and not e.waiting.conditions:
        e.waiting = Waiting()
    elif kind not in HARMLESS:
        settle(e)


def settle(e: Emitter) -> None:
    """Continue if all storage was allocated and all pending conditions hold; else fail."""
    if e.storage:
        e.guard(e.op(f"icmp ne ptr {e.storage}, null"))
        e.storage = ""
    w, e.waiting = e.waiting, Waiting()
    if not w.conditions:
        return
    bad = w.bad
    if w.room < 0:
        bad = "true"
    elif w.factors:
        large = e.op(f"icmp uge i64 {w.factors}, {1 << w.room}")
        bad = e.op(f"or i1 {bad}, {large}") if bad else large
    if bad:
        label, go = e.label("e"), e.label("g")
        e.errors.append(_failure_check(e, w, label, go))
        e.put(f"br i1 {bad}, label %{label}, label %{go}")
        e.place(go)


def _failure_check(e: Emitter, w: Waiting, label: str, go: str) -> str:
    """The block that has the library find which condition fails."""
    places = w.extents
    given: list[Operand] = []
    for x in [x for c in w.conditions for x in (c.a, c.b)]:
        if x in places:
            continue
        if isinstance(x, int) and 0 <= x < 1 << 16:
            places[x] = layouts.OF_NUMBER, x & 255, x >> 8
        else:
            places[x] = layouts.OF_VALUE, len(given), 0
            given.append(x)
    pack = layouts.CONDITION.pack
    conditions = e.data(b"".join([pack(c.site, c.holds, c.kind, *places[c.a], *places[c.b]) for c in w.conditions]))
    e.sizes["given"] = max(e.sizes["given"], len(given))
    lines = [label + ":"]
    for k, value in enumerate(given):
        lines.append(f"%{label}.{k} = getelementptr i64, ptr %given, i64 {k}\nstore i64 {value}, ptr %{label}.{k}")
    operands = f"ptr %ctx, ptr %frame, ptr {'%given' if given else 'null'}, ptr {conditions}, i64 {len(w.conditions)}"
    lines += (
        f"%{label}.p = getelementptr i8, ptr %rt, i64 {layouts.RT['judge']}\n%{label}.f = load ptr, ptr %{label}.p",
        f"%{label}.r = call i64 %{label}.f({operands})\n%{label}.x = icmp eq i64 %{label}.r, 0",
        f"br i1 %{label}.x, label %{go}, label %{e.failed}",
    )
    return "\n".join(lines)
