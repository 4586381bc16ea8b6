"""Binary search of many numbers in a sorted vector, without branches: `searchsorted_*`.

Contract  sorted numbers, numbers to look for -> positions, to the left or right of equal ones; nan stands last.
Why       every search takes as many steps, so eight are interleaved and hide each other's latency; a step is chosen by
          arithmetic, since LLVM makes of a select a branch that is mispredicted every second time.
"""

from __future__ import annotations

from tensordsl.codegen.library.signals import long_loop
from tensordsl.codegen.library.sort.keys import Keys
from tensordsl.codegen.llvm.builder import Asm

INTERLEAVED_SEARCHES = (8, 1)  # numbers that are searched at once, to hide latency
COMPARED = {"float32": "float", "float64": "double"}
# How the numbers before the place compare to the one that is looked for, floats no less if that one is nan; and those
# before the first nan to themselves.
BEFORE = {"left": "ult", "right": "ule", "numbers": "ord"}
_ROOM = ("ptr x", "i64 n", "i64 x_step", "i64 all")  # the first n of all numbers are no nan


def search_text(keys: Keys) -> str:
    search = _Search(keys.dtype, keys.tuning)
    texts = [search.together("numbers", 1)] if search.is_compared else []
    for side in ("left", "right"):
        texts += [*(search.together(side, k) for k in INTERLEAVED_SEARCHES), search.entry(side)]
    return "".join(texts)


class _Search(Keys):
    @property
    def is_compared(self) -> bool:
        return self.dtype in COMPARED

    def entry(self, side: str) -> str:
        """bases: sorted numbers, numbers to look for, places; words: length and stride of each."""
        f = Asm("void", f"searchsorted_{side}_{self.dtype}", ("ptr bases", "ptr words", "i64 rank"))
        x, v, y = (f.load("ptr", "%bases", at) for at in (0, 8, 16))
        length, x_step, many, v_step = (f.load("i64", "%words", at) for at in (0, 8, 16, 24))
        n = length
        if self.is_compared:
            cell = f.op("alloca i64, align 8")
            line = f"ptr {x}", f"i64 {n}", f"i64 {x_step}", f"i64 {n}"
            f.call("void", "@numbers.1", *line, f"ptr {x}", "i64 0", f"ptr {cell}")
            n = f.load("i64", cell)
        room = f"ptr {x}", f"i64 {n}", f"i64 {x_step}", f"i64 {length}"
        done = "0"
        for k in INTERLEAVED_SEARCHES:
            end = f.and_(many, -k)
            with long_loop(f, end, start=done, step=k) as loop:
                source, target = f.gep(v, f.mul(loop.index, v_step)), f.gep(y, loop.index, "i64")
                f.call("void", f"@{side}.{k}", *room, f"ptr {source}", f"i64 {v_step}", f"ptr {target}")
            done = end
        f.ret()
        return f.text

    def together(self, side: str, k: int) -> str:
        """The places of the k numbers at v among the n at x."""
        params = (*_ROOM, "ptr v", "i64 v_step", "ptr y")
        f = Asm("void", f"{side}.{k}", params, internal=True)
        wanted = [f.gep("%v", f.mul("%v_step", m)) for m in range(k)] if side != "numbers" else []
        values = [self.values(f, place) for place in wanted] or [[]]
        head, body, done, before = f.label("head"), f.label("body"), f.label("done"), f.block
        f.jump(head)
        f.place(head)
        left, phis = f"%{head}.left", len(f.lines)
        firsts = [f"%{head}.{m}" for m in range(k)]
        f.branch(f.gt(left, 0), body, done)
        f.place(body)
        half = f.lshr(f.add(left, 1), 1)
        last = f.sub(half, 1)
        following = []
        for first, value in zip(firsts, values, strict=True):
            middle = f.mul(f.add(first, last), "%x_step")
            is_before = self.is_before(f, side, self.values(f, f.gep("%x", middle)), value)
            step = f.and_(half, f.op(f"sext i1 {is_before} to i64"))
            following.append(f.add(first, step))
        f.jump(head)
        rest = f"%{body}.rest"
        f.lines.insert(-1, f"  {rest} = sub i64 {left}, {half}")
        f.lines[phis:phis] = [
            f"  {left} = phi i64 [ %n, %{before} ], [ {rest}, %{body} ]",
            *(f"  {a} = phi i64 [ 0, %{before} ], [ {b}, %{body} ]" for a, b in zip(firsts, following, strict=True)),
        ]
        f.place(done)
        for m, (first, value) in enumerate(zip(firsts, values, strict=True)):
            if self.is_compared and side == "right":
                is_nan = f.op(f"fcmp uno {COMPARED[self.dtype]} {value[0]}, {value[0]}")
                first = f.choose(is_nan, "%all", first)
            f.store("i64", first, f.gep("%y", 8 * m))
        f.ret()
        return f.text

    def values(self, f: Asm, place: str) -> list[str]:
        """What is compared of the number there."""
        if self.is_compared:
            return [f.op(f"load {COMPARED[self.dtype]}, ptr {place}, align {self.size}")]
        return self.keys(f, place)

    def is_before(self, f: Asm, side: str, found: list[str], value: list[str]) -> str:
        if self.is_compared:
            return f.op(f"fcmp {BEFORE[side]} {COMPARED[self.dtype]} {found[0]}, {(value or found)[0]}")
        is_before = f.compare(BEFORE[side], "i64", found[-1], value[-1])
        for x, y in zip(found[-2::-1], value[-2::-1], strict=True):
            tie = f.op(f"and i1 {f.eq(x, y)}, {is_before}")
            is_before = f.op(f"or i1 {f.compare('ult', 'i64', x, y)}, {tie}")
        return is_before
