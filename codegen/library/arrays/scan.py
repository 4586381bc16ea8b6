"""Scans: running sums and products along one axis, in NumPy's order (`cumsum_*`, `cumprod_*`).

Contract  a `LibraryCall`'s lines; float16 is added in float32 and rounded after each element; complex is two lanes.
How       each value waits for the one before, so vectors and independent chains run along the other axes; eight lines
          of adjacent elements are transposed in registers to vectors of columns, and back.
"""

from __future__ import annotations

from itertools import count

from tensordsl.codegen.library.lines import given_lines, line_loop_text
from tensordsl.codegen.library.loops.pack.transpose_registers import SIDE, transposed_square
from tensordsl.codegen.library.signals import POLL, long_loop
from tensordsl.codegen.llvm import float16
from tensordsl.codegen.llvm.builder import METADATA, Asm, passed
from tensordsl.codegen.llvm.vector_builder import Code, llvm_type, load, memory_type, store
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE, SIGNED
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.graph.casting import real_of, sum_dtype
from tensordsl.graph.types import COMPLEX

CHAINS = (8, 4, 2, 1)  # independent scalar chains
VECTORS = (2, 1)  # of lines at once
IDENTITY = {"fadd": "-0.0", "fmul": "1.0", "add": "0", "mul": "1"}  # which changes no first element
UNROLLED_VECTORS = 4  # of a row that goes through memory, in one round of the loop
# x, y; length and steps of the axis; then of one other axis
LINE_PARAMS = ("ptr x", "ptr y", "i64 n", "i64 x_step", "i64 y_step", "i64 x_unit", "i64 y_unit")


class Cumulate:
    """The functions of one operation on one dtype."""

    def __init__(self, function: str, dtype: str, tuning: Tuning) -> None:
        self.name, self.isa, self.tuning = f"{function}_{dtype}", tuning.machine.isa, tuning
        self.parts = 2 if dtype in COMPLEX else 1
        self.dtype, self.result = real_of(dtype), real_of(sum_dtype(dtype))  # of a part
        self.x_size, self.y_size = (self.parts * ITEMSIZE[t] for t in (self.dtype, self.result))
        self.lanes = max(
            2, tuning.machine.vector_bytes // self.y_size
        )  # elements of a vector; alone they have other steps
        parts_of_vector = [self.lanes >> k for k in range(self.lanes.bit_length() - 2, 0, -1)]  # of two elements on
        self.narrows = [
            *((2, many) for many in parts_of_vector),
            *((k, self.lanes) for k in range(2, self.tuning.arrays.scan_wide_vectors + 1)),
        ]
        self.is_complex_product = self.parts == 2 and function == "cumprod"
        self.word = ("f" if self.result in FLOATS else "") + ("add" if function == "cumsum" else "mul")
        self.transposes = (
            tuning.allows("transposed_scans") and self.dtype == self.result != "float16" and self.parts == 1
        )
        self.numbers = count()
        self.declarations: dict[str, str] = {}

    def text(self) -> str:
        parts = [self.block(k, 1) for k in CHAINS] + [self.block(k, self.lanes) for k in VECTORS]
        parts += [self.narrow(k, many) for k, many in self.narrows]
        parts += [self.squares()] if self.transposes else []
        parts += [self.panel(), self.plane(), self.walk(), self.entry()]
        return "".join(parts)

    # -- elements ------------------------------------------------------------------------------------------------------
    def advance(self, f: Asm, state: str | None, source: str, target: str, many: int) -> str:
        """The running values after one more of so many adjacent elements, which are stored; the first are x."""
        W = many * self.parts
        code = Code(prefix=f"a{next(self.numbers)}.", isa=self.isa)
        value = self.widened(code, load(code, source, self.dtype, W), W)
        if state is not None and self.is_complex_product:
            value = _complex_product(code, llvm_type(self.result, W), state, value, W)
        elif state is not None:
            value = code.op(f"{self.word} {llvm_type(self.result, W)} {state}, {value}")
        if self.result == "float16":
            value = float16.rounded(code, value, W)
        store(code, value, target, self.result, W)
        f.lines += code.lines
        self.declarations |= code.declarations
        return value

    def widened(self, code: Code, x: str, W: int) -> str:
        if self.dtype == self.result:
            return x
        word = "sext" if self.dtype in SIGNED else "zext"
        return code.op(f"{word} {llvm_type(self.dtype, W)} {x} to {llvm_type(self.result, W)}")

    # -- lines ---------------------------------------------------------------------------------------------------------
    def block(self, k: int, many: int) -> str:
        """k independent chains of `many` elements, from the first to the last element of the axis, if it has any."""
        f = Asm("void", self.block_name(k, many), LINE_PARAMS, internal=True)
        x_unit, y_unit = ("%x_unit", "%y_unit") if many == 1 else (many * size for size in (self.x_size, self.y_size))
        sources = [f.gep("%x", f.mul(x_unit, j)) for j in range(k)]
        targets = [f.gep("%y", f.mul(y_unit, j)) for j in range(k)]
        return self.chains(f, sources, targets, many)

    def narrow(self, k: int, many: int) -> str:
        """m adjacent elements of each row as k vectors of `many`, of which the last two may have some in common."""
        f = Asm("void", f"{self.name}.narrow.{k}.{many}", (*LINE_PARAMS[:5], "i64 m"), internal=True)
        firsts = [*(str(j * many) for j in range(k - 1)), f.sub("%m", many)]
        places = [self.elements(f, "%x", "%y", at) for at in firsts]
        return self.chains(f, [x for x, _ in places], [y for _, y in places], many)

    def chains(self, f: Asm, sources: list[str], targets: list[str], many: int) -> str:
        """From the first row to the last one, of `many` adjacent elements at each place."""
        kind = llvm_type(self.result, many * self.parts)
        start = [self.advance(f, None, x, y, many) for x, y in zip(sources, targets, strict=True)]
        steps = (("i64", "%x_step"), ("i64", "%y_step"))
        with long_loop(f, "%n", *((kind, s) for s in start), *steps, start=1) as loop:
            *states, x_at, y_at = loop.values
            rows = zip(states, sources, targets, strict=True)
            loop.next = [self.advance(f, s, f.gep(x, x_at), f.gep(y, y_at), many) for s, x, y in rows]
            loop.next += [f.add(x_at, "%x_step"), f.add(y_at, "%y_step")]
        f.ret()
        return f.text

    def block_name(self, k: int, many: int) -> str:
        return f"{self.name}.{k}.{many}"

    def panel(self) -> str:
        """Rows of m adjacent elements, whole vectors, one after the other: the running values are the row above."""
        f = Asm("void", f"{self.name}.panel", (*LINE_PARAMS[:5], "i64 m"), internal=True)
        with f.loop("%m", step=self.lanes) as column:
            self.advance(f, None, *self.elements(f, "%x", "%y", column.index), self.lanes)
        unrolled = f.and_("%m", -UNROLLED_VECTORS * self.lanes)
        with long_loop(f, "%n", ("ptr", "%x"), ("ptr", "%y"), start=1) as row:
            x, y = f.gep(row.values[0], "%x_step"), f.gep(row.values[1], "%y_step")
            row.next = [x, y]
            for first, end, k in (("0", unrolled, UNROLLED_VECTORS), (unrolled, "%m", 1)):
                with f.loop(end, start=first, step=k * self.lanes) as column:
                    for j in range(k):
                        at = f.add(column.index, j * self.lanes)
                        above = self.loaded(f, f.gep(row.values[1], at, self.in_memory(self.result)))
                        self.advance(f, above, *self.elements(f, x, y, at), self.lanes)
        f.ret()
        return f.text

    def squares(self) -> str:
        """SIDE lines of n adjacent elements, in squares of as many columns; then those behind the last one."""
        f = Asm("void", f"{self.name}.squares", LINE_PARAMS, internal=True)
        kind, size = llvm_type(self.result, SIDE), self.x_size
        t = llvm_type(self.result)
        xs, ys = ([f.gep(p, f.mul(u, j)) for j in range(SIDE)] for p, u in (("%x", "%x_unit"), ("%y", "%y_unit")))
        whole = f.and_("%n", -SIDE)
        with long_loop(f, whole, (kind, f"splat ({t} {IDENTITY[self.word]})"), step=SIDE) as loop:
            rows = [f.op(f"load {kind}, ptr {f.gep(x, loop.index, t)}, align {size}") for x in xs]
            (state,), columns = loop.values, []
            for column in transposed_square(f, kind, rows):
                state = f.op(f"{self.word} {kind} {state}, {column}")
                columns.append(state)
            for y, row in zip(ys, transposed_square(f, kind, columns), strict=True):
                f.do(f"store {kind} {row}, ptr {f.gep(y, loop.index, t)}, align {size}")
            loop.next = [state]
        with f.loop("%n", start=whole) as loop:
            for x, y in zip(xs, ys, strict=True):
                before = f.load(t, f.gep(f.gep(y, loop.index, t), -size))
                value = f.op(f"{self.word} {t} {before}, {f.load(t, f.gep(x, loop.index, t))}")
                f.store(t, value, f.gep(y, loop.index, t))
        f.ret()
        return f.text

    def elements(self, f: Asm, x: str, y: str, at: str) -> tuple[str, str]:
        return f.gep(x, at, self.in_memory(self.dtype)), f.gep(y, at, self.in_memory(self.result))

    def in_memory(self, part: str) -> str:
        """The type of an element, for addresses."""
        return memory_type(part, self.parts)

    def loaded(self, f: Asm, place: str) -> str:
        """A vector of running values."""
        code = Code(prefix=f"a{next(self.numbers)}.", isa=self.isa)
        value = load(code, place, self.result, self.lanes * self.parts)
        f.lines += code.lines
        return value

    def plane(self) -> str:
        """All lines along one other axis, of m elements: vectors where its elements are adjacent, then chains.

        Wide rows go through memory one after the other, narrow ones are walked down with the running values in
        registers.
        """
        f = Asm("void", f"{self.name}.plane", (*LINE_PARAMS, "i64 m"), internal=True)
        adjacent = f.all(f.eq("%x_unit", self.x_size), f.eq("%y_unit", self.y_size))
        fresh, some = f.compare("ne", "ptr", "%x", "%y"), f.ge("%m", 2)
        can_overlap = f.all(adjacent, fresh, some)
        with f.when(can_overlap):
            for k, many in self.narrows:
                with f.when(f.le("%m", k * many)):
                    f.call("void", f"@{self.name}.narrow.{k}.{many}", *passed(LINE_PARAMS[:5]), "i64 %m")
                    f.ret()
        most = f.choose(adjacent, "%m", 0)
        is_wide = f.ge(most, self.tuning.arrays.scan_wide_vectors * self.lanes)
        wide = f.choose(is_wide, most, 0)
        done, room = f.and_(wide, -self.lanes), self.tuning.arrays.scan_panel_vectors * self.lanes
        with f.loop(done, step=room) as loop:
            left = f.sub(done, loop.index)
            size = f.choose(f.lt(left, room), left, room)
            x, y = self.elements(f, "%x", "%y", loop.index)
            f.call("void", f"@{self.name}.panel", f"ptr {x}", f"ptr {y}", *passed(LINE_PARAMS[2:5]), f"i64 {size}")
        with f.when(f.all(can_overlap, f.gt(done, 0), f.lt(done, "%m"))):
            self.at_line(f, self.block_name(1, self.lanes), f.sub("%m", self.lanes))
            f.ret()
        for k in VECTORS:
            done = self.in_blocks(f, self.block_name(k, self.lanes), k * self.lanes, done, most)
        if self.transposes:
            steps = ("%x_step", self.x_size), ("%y_step", self.y_size)
            is_line = f.all(*(f.eq(*pair) for pair in steps), f.ge("%n", SIDE))
            lines = f.choose(is_line, "%m", 0)
            done = self.in_blocks(f, f"{self.name}.squares", SIDE, done, lines)
        for k in CHAINS:
            done = self.in_blocks(f, self.block_name(k, 1), k, done, "%m")
        f.ret()
        return f.text

    def in_blocks(self, f: Asm, name: str, many: int, done: str, limit: str) -> str:
        """As many lines at a time as there are before number `limit`; how many are done then."""
        more = f.sub(limit, done)
        more = f.choose(f.gt(more, 0), more, 0)  # others may have gone on
        left = f.udiv(more, many)
        end = f.add(done, f.mul(left, many))
        with f.loop(end, start=done, step=many) as loop:
            self.at_line(f, name, loop.index)
        return end

    def at_line(self, f: Asm, name: str, index: str) -> None:
        x, y = (f.gep(p, f.mul(index, s)) for p, s in (("%x", "%x_unit"), ("%y", "%y_unit")))
        f.call("void", f"@{name}", f"ptr {x}", f"ptr {y}", *passed(LINE_PARAMS[2:]))

    def walk(self) -> str:
        """The other axes but the last one by one, and for each the plane with that one."""

        def end(f: Asm) -> None:
            m, x_unit, y_unit = (f.load("i64", f.gep(a, "%last", "i64")) for a in ("%dims", "%xs", "%ys"))
            f.call(
                "void", f"@{self.name}.plane", *passed(LINE_PARAMS[:5]), f"i64 {x_unit}", f"i64 {y_unit}", f"i64 {m}"
            )

        return line_loop_text(self.name, LINE_PARAMS[:5], end)

    def entry(self) -> str:
        f = Asm("void", self.name, ("ptr bases", "ptr words", "i64 rank"))
        line, axes = given_lines(f)
        with f.when(f.eq(line[2].removeprefix("i64 "), 0)):  # lines begin with their first element
            f.ret()
        last = f.sub("%rank", 1)
        with f.when(f.eq(last, 0)):
            f.call("void", "@" + self.block_name(1, 1), *line, "i64 0", "i64 0")
            f.ret()
        f.call("void", f"@{self.name}.walk", *line, *axes, f"i64 {last}")
        f.ret()
        return f.text


def _complex_product(code: Code, kind: str, x: str, y: str, W: int) -> str:
    """(a + bi)(c + di) = (ac - bd) + (bc + ad)i of W lanes in pairs."""

    def lanes(value: str, first: int, second: int) -> str:
        order = ", ".join(f"i32 {k + n}" for k in range(0, W, 2) for n in (first, second))
        return code.op(f"shufflevector {kind} {value}, {kind} poison, <{W} x i32> <{order}>")

    straight = code.op(f"fmul {kind} {x}, {lanes(y, 0, 0)}")
    crossed = code.op(f"fmul {kind} {lanes(x, 1, 0)}, {lanes(y, 1, 1)}")
    less, more = (code.op(f"{word} {kind} {straight}, {crossed}") for word in ("fsub", "fadd"))
    order = ", ".join(f"i32 {k if k % 2 == 0 else W + k}" for k in range(W))
    return code.op(f"shufflevector {kind} {less}, {kind} {more}, <{W} x i32> <{order}>")


def cumulate_text(dtype: str, tuning: Tuning) -> str:
    """The module of a dtype."""
    both = [Cumulate(f, dtype, tuning) for f in ("cumsum", "cumprod")]
    bodies = [c.text() for c in both]
    declarations = both[0].declarations | both[1].declarations
    return "".join((POLL, *(d + "\n" for d in declarations.values()), *bodies, METADATA))
