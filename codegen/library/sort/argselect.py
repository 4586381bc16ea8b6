"""Partial argsort, `select_*`: the positions of the k least or greatest numbers of a line.

Contract  a line and the wanted places -> positions as `argsort` has them, equal numbers in their order.
When      few places are wanted (top-k): the end of the order that is closer to them is looked for.
Why       one pass compares vectors with the k-th best so far; candidates are sorted whenever there are 2k of them.
"""

from __future__ import annotations

from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.library.lines import given_lines, line_loop_text
from tensordsl.codegen.library.signals import POLL, long_loop
from tensordsl.codegen.library.sort.driver import PAIR_BYTES, PLACES_BYTES, WANTED_PARAMS
from tensordsl.codegen.library.sort.merge_sort import Core
from tensordsl.codegen.library.sort.text import Keys
from tensordsl.codegen.llvm.builder import UNLIKELY, Asm, passed
from tensordsl.codegen.llvm.kernel_text import module_text
from tensordsl.codegen.target.tuning import Tuning

MIN_CANDIDATES = 16  # that scratch has room for, besides the best
GUARD_BYTES = 64  # behind what is sorted
COUNT, LIMIT, PAIRS, OTHER, MOST, BEST = range(0, 48, 8)  # of what the scan of a line knows
ENDS = ("least", "greatest")


def select_text(dtype: str, tuning: Tuning) -> str:
    """The module of a real dtype."""
    return _Select(dtype, tuning).text()


class _Select(Keys):
    def text(self) -> str:
        parts = [self.cut()]
        parts += [part(end) for end in ENDS for part in (self.offer, self.look, self.found)]
        name = f"argsort_part_{self.dtype}"
        parts += [self.line(name), line_loop_text(name, WANTED_PARAMS, lambda f: _each_line(f, name)), _entry(name)]
        declarations = "".join(f"declare i64 @llvm.{f}.i64(i64, i1)\n" for f in ("cttz", "ctlz"))
        declarations += "".join(f"declare i64 @llvm.{f}.i64(i64, i64)\n" for f in ("smin", "smax"))
        module = Module(Core("pairs", 128, self.tuning).functions())
        return module_text(module, others=POLL + declarations + "".join(parts))

    def from_end(self, f: Asm, key: str, end: str) -> str:
        """A key in an order in which the best of this end are the least; or back."""
        return key if end == "least" else f.xor(key, (1 << self.bits) - 1 if self.bits < 64 else -1)

    def cut(self) -> str:
        """The candidates, which are no fewer than the best, are sorted, and the best stay."""
        f = Asm("void", "cut", ("ptr way",), internal=True)
        pairs, other = f.load("ptr", "%way", PAIRS), f.load("ptr", "%way", OTHER)
        given = f"ptr {pairs}", f"ptr {other}", f"i64 {f.load('i64', '%way', COUNT)}", f"i64 {self.size}"
        found, best = f.call("ptr", "@pairs", *given), f.load("i64", "%way", BEST)
        stays = f.compare("eq", "ptr", found, pairs)
        f.store("ptr", found, "%way", PAIRS)
        f.store("ptr", f.choose(stays, other, pairs, "ptr"), "%way", OTHER)
        f.store("i64", best, "%way", COUNT)
        last = f.mul(f.sub(best, 1), PAIR_BYTES)
        f.store("i64", f.load("i64", found, last), "%way", LIMIT)
        f.ret()
        return f.text

    def offer(self, end: str) -> str:
        """A number becomes a candidate if it is better than the last of the best."""
        f = Asm("void", f"offer.{end}", ("ptr way", "ptr x", "i64 x_step", "i64 at"), internal=True)
        key = self.from_end(f, self.one_key(f, f.gep("%x", f.mul("%at", "%x_step"))), end)
        with f.when(f.compare("ult", "i64", key, f.load("i64", "%way", LIMIT))):
            count = f.load("i64", "%way", COUNT)
            place = f.gep(f.load("ptr", "%way", PAIRS), f.mul(count, PAIR_BYTES))
            f.store("i64", key, place)
            f.store("i64", "%at", place, 8)
            f.store("i64", more := f.add(count, 1), "%way", COUNT)
            with f.when(f.eq(more, f.load("i64", "%way", MOST)), UNLIKELY):
                f.call("void", "@cut", "ptr %way")
        f.ret()
        return f.text

    def look(self, end: str) -> str:
        """Those of a vector's numbers whose bits are set, in the order of the scan."""
        f = Asm("void", f"look.{end}", ("ptr way", "ptr x", "i64 x_step", "i64 at", "i64 bits"), internal=True)
        head, body, done = f.label("head"), f.label("body"), f.label("done")
        f.place(head)
        left = f"%{head}.left"
        f.do(f"{left} = phi i64 [ %bits, %entry ], [ %{body}.left, %{body} ]")
        f.branch(f.ne(left, 0), body, done)
        f.place(body)
        if end == "least":
            lane = f.op(f"call i64 @llvm.cttz.i64(i64 {left}, i1 true)")
        else:
            lane = f.sub(63, f.op(f"call i64 @llvm.ctlz.i64(i64 {left}, i1 true)"))
        f.call("void", f"@offer.{end}", "ptr %way", "ptr %x", "i64 %x_step", f"i64 {f.add('%at', lane)}")
        f.do(f"%{body}.left = xor i64 {left}, {f.shl(1, lane)}")
        f.jump(head)
        f.place(done)
        f.ret()
        return f.text

    def found(self, end: str) -> str:
        """ptr: the sorted pairs of the `best` numbers of this end and their positions, somewhere in `room`."""
        f = Asm("ptr", f"find.{end}", ("ptr x", "i64 n", "i64 x_step", "ptr room", "i64 best"), internal=True)
        direction = f.op("alloca [6 x i64], align 8")
        more = f.op(f"call i64 @llvm.smax.i64(i64 %best, i64 {MIN_CANDIDATES})")
        most = f.op(f"call i64 @llvm.smin.i64(i64 %n, i64 {f.add('%best', more)})")
        other = f.gep(f.gep("%room", f.mul(most, PAIR_BYTES)), GUARD_BYTES)
        for offset, kind, value in (
            (COUNT, "i64", most), (PAIRS, "ptr", "%room"), (OTHER, "ptr", other), (MOST, "i64", most),
            (BEST, "i64", "%best"),
        ):  # fmt: skip
            f.store(kind, value, direction, offset)
        with long_loop(f, most) as loop:
            at = loop.index if end == "least" else f.sub(f.sub("%n", 1), loop.index)
            key = self.from_end(f, self.one_key(f, f.gep("%x", f.mul(at, "%x_step"))), end)
            place = f.gep("%room", f.mul(loop.index, PAIR_BYTES))
            f.store("i64", key, place)
            f.store("i64", at, place, 8)
        f.call("void", "@cut", f"ptr {direction}")
        self.rest(f, end, direction, most)
        f.call("void", "@cut", f"ptr {direction}")
        f.ret("ptr", f.load("ptr", direction, PAIRS))
        return f.text

    def rest(self, f: Asm, end: str, direction: str, most: str) -> None:
        """All numbers behind the first ones: whole vectors where they are adjacent, then one by one."""
        W, left = self.lanes, f.sub("%n", most)
        adjacent = f.eq("%x_step", self.size)
        whole = f.choose(adjacent, f.and_(left, -W), 0)
        given = (f"ptr {direction}", "ptr %x", "i64 %x_step")

        def place(done: str, width: int) -> str:
            if end == "least":
                return f.add(most, done)
            return f.sub(f.sub(left, width), done)

        with long_loop(f, whole, step=W) as loop:
            at = place(loop.index, W)
            bits = self.better(f, end, f.load("i64", direction, LIMIT), f.gep("%x", f.mul(at, self.size)))
            with f.when(f.compare("ne", f"i{W}", bits, 0), UNLIKELY):
                wide = bits if W == 64 else f.op(f"zext i{W} {bits} to i64")
                f.call("void", f"@look.{end}", *given, f"i64 {at}", f"i64 {wide}")
        with long_loop(f, left, start=whole) as loop:
            f.call("void", f"@offer.{end}", *given, f"i64 {place(loop.index, 1)}")

    def better(self, f: Asm, end: str, limit: str, source: str) -> str:
        """A bit for each number of a vector, set if it may be better than the limit."""
        W, t = self.lanes, self.typed(self.width, self.lanes)
        x, limit = self.loaded(f, source, W), self.signed(f, self.from_end(f, limit, end))
        one = f.op(f"insertelement {t} poison, i{self.width} {limit}, i64 0")
        every = f.op(f"shufflevector {t} {one}, {t} poison, <{W} x i32> zeroinitializer")
        found = f.op(f"icmp {'slt' if end == 'least' else 'sgt'} {t} {self.ordered(f, x, W)}, {every}")
        if end == "greatest" and self.is_float:  # a nan may have a sign
            found = f.op(f"or {self.typed(1, W)} {found}, {self.is_nan(f, x, W)}")
        return f.op(f"bitcast {self.typed(1, W)} {found} to i{W}")

    def line(self, name: str) -> str:
        """The wanted places of y, from the end that is closer to them."""
        f = Asm("void", f"{name}.line", WANTED_PARAMS, internal=True)
        stop, left = f.add("%first", "%count"), f.sub("%n", "%first")
        is_near = f.le(stop, left)
        yes, no = f.label("least"), f.label("greatest")
        f.branch(is_near, yes, no)
        for label, end, best in ((yes, "least", stop), (no, "greatest", left)):
            f.place(label)
            given = "ptr %x", "i64 %n", "i64 %x_step", "ptr %room", f"i64 {best}"
            pairs = f.call("ptr", f"@find.{end}", *given)
            with f.loop(stop, start="%first") as loop:
                rank = loop.index if end == "least" else f.sub(f.sub("%n", 1), loop.index)
                position = f.load("i64", f.gep(pairs, f.mul(rank, PAIR_BYTES)), 8)
                f.store("i64", position, f.gep("%y", f.mul(loop.index, "%y_step")))
            f.ret()
        return f.text


def _each_line(f: Asm, name: str) -> None:
    f.call("void", f"@{name}.line", *passed(WANTED_PARAMS))


def _entry(name: str) -> str:
    """Behind x and y there is scratch, which begins with the places."""
    f = Asm("void", name, ("ptr bases", "ptr words", "i64 rank"))
    line, axes = given_lines(f)
    room = f.load("ptr", "%bases", 16)
    first, count = f.load("i64", room), f.load("i64", room, 8)
    with f.when(f.gt(count, 0)):
        places = f"ptr {f.gep(room, PLACES_BYTES)}", f"i64 {first}", f"i64 {count}"
        f.call("void", f"@{name}.walk", *line, *places, *axes, "i64 %rank")
    f.ret()
    return f.text
