"""One flat kernel `void k(ptr P, i64 n, i64 live)`: a loop over whole vectors, and what stands before and after it.

A kernel has three bodies: `before` (scalars, splats), `body` (per vector), `after` (reduction states).  Its operands
are pointers in P, described by `Entry`s: the nest library reads these to fill P.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tensordsl.codegen.group import region
from tensordsl.codegen.nest_text import FLAG, INTEGER, INTERNAL, POSITION, READ, SPLAT, VECTOR, WRITE
from tensordsl.codegen.scalar import ITEMSIZE, SIGNED, Val
from tensordsl.codegen.text import Code, constant, emit, llvm_type, load, splat, store

NO_AREA = -1
STATE_LANES = 8  # of a block's state in scratch, at most
NO_POSITION = 2**31 - 1  # of no element, in a block


@dataclass(slots=True)
class Entry:
    """A pointer in P.  `number`: operand, area, integer or axis; `add`: area of a byte offset, or NO_AREA."""

    kind: int
    number: int
    itemsize: int = 0
    flags: int = 0
    add: int = NO_AREA


class Kernel:
    """The text of one kernel; `width` lanes, or straight-line code at one lane (`loops` false)."""

    def __init__(self, name: str, width: int, loops: bool, lane: int = -1) -> None:
        self.name, self.width, self.loops, self.lane = name, width, loops, lane
        self.entries: dict[tuple[int, int, int], Entry] = {}
        self.before, self.body, self.after = Code("s"), Code("v"), Code("q")
        if not loops:
            self.body = self.before
        self.body.block, self.after.block = ("loop" if loops else "entry"), "done"
        self.scalars: dict[int, str] = {}
        self.lanes: dict[int, str] = {}
        self.phis: list[tuple[str, str, str, str]] = []  # (name, LLVM type, initial, next)
        self.fails = False
        self._once: dict[str, str] = {}

    # -- pointers
    def pointer(self, kind: int, number: int, itemsize: int = 0, flags: int = 0, add: int = NO_AREA) -> str:
        """The name of the pointer in P; the library points it to the block's first lane."""
        entry = self.entries.setdefault((kind, number, add), Entry(kind, number, itemsize, 0, add))
        entry.flags |= flags
        return f"%a.{kind}.{number}{f'.{add}' if add != NO_AREA else ''}"

    def lane_pointer(self, pointer: str, itemsize: int) -> str:
        """In the loop: the address of the current vector."""
        if not self.loops:
            return pointer
        name = f"{pointer}.i"
        if name not in self._once:
            self._once[name] = name
            self.body.do(f"{name} = getelementptr i{8 * itemsize}, ptr {pointer}, i64 %i")
        return name

    def integer(self, number: int) -> str:
        """A run-time integer, loaded before the loop."""
        key = f"int{number}"
        if key not in self._once:
            self._once[key] = self.before.op(f"load i64, ptr {self.pointer(INTEGER, number)}, align 8")
        return self._once[key]

    def position(self, axis: int) -> str:
        """The current position along an axis; of the lane axis: of the block."""
        key = f"pos{axis}"
        if key not in self._once:
            self._once[key] = self.before.op(f"load i64, ptr {self.pointer(POSITION, axis)}, align 8")
        return self._once[key]

    # -- memory
    def load_area(self, area: int, dtype: str) -> str:
        return load(self.body, self.lane_pointer(self.pointer(INTERNAL, area), ITEMSIZE[dtype]), dtype, self.width)

    def store_area(self, area: int, dtype: str, value: str) -> None:
        store(self.body, value, self.lane_pointer(self.pointer(INTERNAL, area), ITEMSIZE[dtype]), dtype, self.width)

    def load_scalar(self, pointer: str, dtype: str) -> str:
        return load(self.before, pointer, dtype)

    def load_vector(self, operand: int, dtype: str, add: int = NO_AREA) -> str:
        pointer = self.pointer(VECTOR, operand, ITEMSIZE[dtype], READ, add)
        return load(self.body, self.lane_pointer(pointer, ITEMSIZE[dtype]), dtype, self.width)

    def store_vector(self, operand: int, dtype: str, value: str) -> None:
        kind = VECTOR if self.loops else SPLAT
        pointer = self.pointer(kind, operand, ITEMSIZE[dtype], WRITE)
        store(self.body, value, self.lane_pointer(pointer, ITEMSIZE[dtype]), dtype, self.width)

    # -- values
    def splat(self, v: Val) -> str:
        """A scalar, computed already, in all lanes."""
        if id(v) not in self.lanes:
            name = self.scalars[id(v)]
            self.lanes[id(v)] = (
                constant(v.attr, v.type, self.width)
                if v.op == "const"
                else splat(self.before, name, v.type, self.width)
            )
        return self.lanes[id(v)]

    def relative(self, clamped: bool) -> str:
        """The lanes' positions in the block, int64; clamped: dead lanes repeat the last live one's."""
        key = "relative.clamped" if clamped else "relative"
        if key in self._once:
            return self._once[key]
        W, t = self.width, llvm_type("int64", self.width)
        iota = f"<{', '.join(f'i64 {k}' for k in range(W))}>" if W > 1 else "0"
        start = splat(self.body, "%i", "int64", W)
        value = self.body.op(f"add {t} {start}, {iota}")
        if clamped:
            last = self.before.op(f"add i64 %n, {-W - 1}")
            live = self.before.op("and i64 %live, 255")
            last = splat(self.before, self.before.op(f"add i64 {last}, {live}"), "int64", W)
            value = self.body.intrinsic("smin", "int64", W, value, last)
        self._once[key] = value
        return value

    def lane_index(self, axis: int, clamped: bool) -> str:
        base = splat(self.before, self.position(axis), "int64", self.width)
        return self.body.op(f"add {llvm_type('int64', self.width)} {base}, {self.relative(clamped)}")

    def wrapped(self, code: Code, index: str, dtype: str, extent: str, W: int) -> str:
        """NumPy's index: negative ones count from the end; out of range raises the flag and gives 0."""
        t, mask = llvm_type("int64", W), llvm_type("bool", W)
        if ITEMSIZE[dtype] < 8:
            index = code.op(f"{'sext' if dtype in SIGNED else 'zext'} {llvm_type(dtype, W)} {index} to {t}")
        n, zero = splat(self.before if W > 1 else code, extent, "int64", W), constant(0, "int64", W)
        moved = code.op(f"add {t} {index}, {n}")
        low = code.op(f"icmp slt {t} {index}, {zero}")
        index = code.op(f"select {mask} {low}, {t} {moved}, {t} {index}")
        wrong = code.op(f"icmp uge {t} {index}, {n}")
        self.flag(code, code.any(wrong, W))
        return code.op(f"select {mask} {wrong}, {t} {zero}, {t} {index}")

    def flag(self, code: Code, wrong: str) -> None:
        """Raise the flag if the i1 is true; in the loop once, at its end."""
        self.fails = True
        pointer, bit = self.pointer(FLAG, 0), code.op(f"zext i1 {wrong} to i64")
        if code is self.before:
            old = code.op(f"load i64, ptr {pointer}, align 8")
            code.do(f"store i64 {code.op(f'or i64 {old}, {bit}')}, ptr {pointer}, align 8")
            return
        if not self.phis or self.phis[-1][0] != "%flag":
            self.phis.append(("%flag", "i64", "0", "%flag"))
            old = self.after.op(f"load i64, ptr {pointer}, align 8")
            self.after.do(f"store i64 {self.after.op(f'or i64 {old}, %flag.all')}, ptr {pointer}, align 8")
        name, t, initial, following = self.phis[-1]
        self.phis[-1] = (name, t, initial, code.op(f"or i64 {following}, {bit}"))

    def gather(self, operand: int, dtype: str, offset: str) -> str:
        """One element per lane at byte offsets from the operand's current address."""
        W, base = self.width, self.pointer(SPLAT, operand, ITEMSIZE[dtype], READ)
        pointers = self.body.op(f"getelementptr i8, ptr {base}, <{W} x i64> {offset}")
        memory = "i8" if dtype == "bool" else llvm_type(dtype)
        kind = {"double": "f64", "float": "f32"}.get(memory, memory)
        symbol, t = f"llvm.masked.gather.v{W}{kind}.v{W}p0", f"<{W} x {memory}>"
        self.body.declarations.setdefault(symbol, f"declare {t} @{symbol}(<{W} x ptr>, i32, <{W} x i1>, {t})")
        value = self.body.call(
            symbol, t, f"<{W} x ptr> {pointers}", f"i32 {ITEMSIZE[dtype]}", f"<{W} x i1> splat (i1 true)", f"{t} poison"
        )
        return self.body.op(f"icmp ne {t} {value}, zeroinitializer") if dtype == "bool" else value

    # -- reductions
    def part(
        self, code: Code, reduce: Val, part: str, operands: Sequence[str], W: int, types: tuple[str, ...] | None = None
    ) -> list[str]:
        """A reducer's step, combine or finish in line."""
        params, results = region(reduce.attr[0], part, types or reduce.type)
        env = {id(p): x for p, x in zip(params, operands, strict=True)}
        emit(code, results, env, W)
        return [env[id(r)] for r in results]

    def accumulate(self, number: int, reduce: Val, operands: Sequence[str], areas: Sequence[int]) -> None:
        """Rows mode: step in registers from the identity; then dead lanes become the identity again and the block's
        state is combined into the total in scratch.  Without the second operand: a narrow position."""
        reducer, types = reduce.attr[0], reduce.attr[0].state(reduce.type)
        identity = reducer.identity(reduce.type)
        narrow = len(operands) < len(reduce.args)
        if narrow:
            operands = [*operands, self.narrow_position()]
            stepped, start = (types[0], "int32"), (identity[0], NO_POSITION)
        else:
            stepped, start = types, identity
        W = self.width
        initial = [constant(k, t, W) for t, k in zip(stepped, start, strict=True)]
        names = [f"%r{number}.{k}" for k in range(len(types))]
        step = (reduce.type[0], "int32") if narrow else reduce.type
        following = self.part(self.body, reduce, "step", [*names, *operands], W, step)
        self.phis[:0] = [
            (n, llvm_type(t, W), i, f) for n, t, i, f in zip(names, stepped, initial, following, strict=True)
        ]
        state, mask = [], self.live_mask()
        for t, f, i in zip(stepped, following, initial, strict=True):
            lanes = llvm_type(t, W)
            state.append(self.after.op(f"select {llvm_type('bool', W)} {mask}, {lanes} {f}, {lanes} {i}"))
        while W > STATE_LANES:
            state, W = self.halved(self.after, reduce, state, stepped, W, step), W // 2
        if narrow:
            state[1] = self.wide_position(state[1], identity[1], W)
        pointers = [self.pointer(INTERNAL, a) for a in areas]
        totals = [load(self.after, p, t, W) for p, t in zip(pointers, types, strict=True)]
        combined = self.part(self.after, reduce, "combine", [*totals, *state], W)
        for p, t, x in zip(pointers, types, combined, strict=True):
            store(self.after, x, p, t, W)

    def narrow_position(self) -> str:
        """The lanes' positions in the block, int32."""
        t, W = llvm_type("int32", self.width), self.width
        start = splat(self.body, self.body.op("trunc i64 %i to i32"), "int32", W)
        return self.body.op(f"add {t} {start}, <{', '.join(f'i32 {k}' for k in range(W))}>")

    def wide_position(self, narrow: str, none: int, W: int) -> str:
        """Behind the loop: a position along the lane axis from one in the block; of no element: `none`."""
        code = self.after
        t, u = llvm_type("int32", W), llvm_type("int64", W)
        lost = code.op(f"icmp eq {t} {narrow}, {constant(NO_POSITION, 'int32', W)}")
        base = splat(code, self.position(self.lane), "int64", W)
        wide = code.op(f"add {u} {code.op(f'sext {t} {narrow} to {u}')}, {base}")
        return code.op(f"select {llvm_type('bool', W)} {lost}, {u} {constant(none, 'int64', W)}, {u} {wide}")

    def live_mask(self) -> str:
        if "live" not in self._once:
            W = self.width
            code, t = self.after, f"<{W} x i8>"
            first = code.op(f"trunc i64 {code.op('lshr i64 %live, 8')} to i8")
            count = code.op(f"sub i8 {code.op('trunc i64 %live to i8')}, {first}")
            lane = code.op(f"sub {t} <{', '.join(f'i8 {k}' for k in range(W))}>, {splat(code, first, 'uint8', W)}")
            self._once["live"] = code.op(f"icmp ult {t} {lane}, {splat(code, count, 'uint8', W)}")
        return self._once["live"]

    def across(self, reduce: Val, areas: Sequence[int], W: int) -> list[str]:
        """In a kernel of one lane: the state of W lanes from scratch, combined in halves, finished."""
        code, types = self.before, reduce.attr[0].state(reduce.type)
        state = [load(code, self.pointer(INTERNAL, a), t, W) for a, t in zip(areas, types, strict=True)]
        while W > 1:
            state, W = self.halved(code, reduce, state, types, W, reduce.type), W // 2
        return self.part(code, reduce, "finish", state, 1)

    def halved(
        self, code: Code, reduce: Val, state: list[str], dtypes: Sequence[str], W: int, types: tuple[str, ...]
    ) -> list[str]:
        """The upper half of the lanes combined into the lower one."""
        low, high = ([_half(code, x, t, W, k) for x, t in zip(state, dtypes, strict=True)] for k in (0, 1))
        return self.part(code, reduce, "combine", [*low, *high], W // 2, types)

    # -- text
    def sort(self) -> None:
        """Bring the entries into the order of P: the library rewrites the first ones, the external, for each call."""
        self.entries = dict(sorted(self.entries.items(), key=lambda e: e[0][0] > SPLAT))

    def text(self) -> str:
        lines = [f"define void @{self.name}(ptr %P, i64 %n, i64 %live) nounwind {{", "entry:"]
        for k, (kind, number, add) in enumerate(self.entries):
            name = f"%a.{kind}.{number}{f'.{add}' if add != NO_AREA else ''}"
            lines += [f"  %p{k} = getelementptr ptr, ptr %P, i64 {k}", f"  {name} = load ptr, ptr %p{k}, align 8"]
        lines += self.before.lines
        if self.loops:
            first, last = self.before.block, self.body.block
            lines += ["  br label %loop", "loop:", f"  %i = phi i64 [ 0, %{first} ], [ %i.next, %{last} ]"]
            lines += [f"  {n} = phi {t} [ {i}, %{first} ], [ {f}, %{last} ]" for n, t, i, f in self.phis]
            lines += self.body.lines
            lines += [f"  %i.next = add i64 %i, {self.width}", "  %more = icmp slt i64 %i.next, %n"]
            lines += ["  br i1 %more, label %loop, label %done", "done:"]
            flag = [f for n, _, _, f in self.phis if n == "%flag"]
            lines += [line.replace("%flag.all", flag[0]) for line in self.after.lines] if flag else self.after.lines
        return "\n".join([*lines, "  ret void", "}", ""])

    def needs(self) -> tuple[dict[str, str], dict[str, str]]:
        """(declarations, functions) of the module by name."""
        whole = Code()
        for code in (self.before, self.body, self.after):
            whole.need(code)
        return whole.declarations, whole.functions


def _half(code: Code, value: str, dtype: str, W: int, k: int) -> str:
    t, H = llvm_type(dtype, W), W // 2
    if H == 1:
        return code.op(f"extractelement {t} {value}, i64 {k}")
    lanes = ", ".join(f"i32 {k * H + q}" for q in range(H))
    return code.op(f"shufflevector {t} {value}, {t} poison, <{H} x i32> <{lanes}>")


def pattern(value: Any, dtype: str) -> int:
    """Eight bytes of memory filled with a constant, as int64."""
    import numpy as np

    name = {"bool": np.uint8}.get(dtype, np.dtype(dtype))
    return int(np.full(8 // ITEMSIZE[dtype], value, name).view(np.int64)[0])
