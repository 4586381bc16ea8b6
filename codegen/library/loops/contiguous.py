"""Small launches whose operands are all contiguous: their kernels are called at once, without a context.

Contract  `return_if_contiguous` writes, into `run_nest`, the test and the calls; `ContiguousWords`.
When      C order, or for a single kernel Fortran order; few points; no output is an input, or complete vectors.
Why       for some hundred elements setting a context up takes longer than the work.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.abi.descriptor import (
    INTERNAL,
    NEST_PARAMS,
    READ,
    SPLAT,
    VECTOR,
    WRITE,
    CallCode,
    ContiguousWords,
    Header,
    Opcode,
    Operand,
)
from tensordsl.codegen.library.loops.descriptor import LoopFunction, fill_lines
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.target.tuning import Tuning


def contiguous_texts() -> list[str]:
    return [_fortran_contiguous(), _run_contiguous(), _call(), _operand()]


def return_if_contiguous(c: LoopFunction, t: Tuning, shared: str, move: Callable[[], None] = lambda: None) -> None:
    """Return from `run_nest` if this does it all, but not what is `shared` out.  Elements behind the last whole vector
    are done by the last one again, so that nothing may be in place then.  `move` writes what goes before code that has
    scratch on the stack."""
    if not t.allows("contiguous_calls"):
        return
    no, some, small, fortran = map(c.label, ("no", "some", "small", "turned"))
    place = c.header(Header.CONTIGUOUS)
    c.branch(c.any(c.eq(place, 0), shared), no, some)
    c.place(some)
    words, operands = c.word("%D", place), c.header(Header.OPERANDS)
    n, wrong = _row(c, c.word(words, ContiguousWords.STEPS), operands, is_fortran=False)
    c.branch(c.all(c.eq(wrong, 0), _is_small(c, words, n)), small, fortran)
    c.place(fortran)
    with c.when(c.ne(c.header(Header.EXCHANGES), 0)):
        move()
        with c.when(c.ne(c.call("i64", "@fortran_contiguous", *passed(NEST_PARAMS)), 0)):
            c.ret("i64", 0)
    c.jump(no)
    c.place(small)
    _run_or_go_on(c, words, operands, n, no, 0, move)
    c.place(no)


def _is_small(c: LoopFunction, words: str, n: str) -> str:
    return c.all(c.ge(n, c.get(words, ContiguousWords.MIN_POINTS)), c.le(n, c.get(words, ContiguousWords.MAX_POINTS)))


def _run_or_go_on(
    c: LoopFunction, words: str, operands: str, n: str, no: str, result: int, move: Callable[[], None] = lambda: None
) -> None:
    """Do a row and return `result`, or go on where that may not be."""
    one, whole, several, safe, distinct = map(c.label, ("one", "whole", "apart", "alone", "order"))
    code, width = c.word(words, c.add(operands, ContiguousWords.STEPS)), c.header(Header.LANES)
    number = c.get(code, 0)
    c.branch(c.all(c.ne(number, 0), c.ge(n, width)), one, several)
    c.place(one)
    c.branch(c.eq(c.and_(n, c.sub(width, 1)), 0), safe, whole)
    c.place(whole)
    c.branch(c.ne(c.call("i64", "@may_recompute", "ptr %D", "ptr %B"), 0), safe, no)
    c.place(safe)
    kernel = c.get("%K", c.sub(number, 1), "ptr")
    c.call("void", kernel, "ptr %B", f"i64 {n}", f"i64 {width}", "i64 1", "i64 3")
    c.ret("i64", result)
    c.place(several)
    c.branch(c.ne(c.call("i64", "@may_recompute", "ptr %D", "ptr %B"), 0), distinct, no)
    c.place(distinct)
    move()
    c.call("void", "@run_contiguous", "ptr %K", "ptr %D", "ptr %B", "ptr %I", f"ptr {c.word(code, 1)}", f"i64 {n}")
    c.ret("i64", result)


def _fortran_contiguous() -> str:
    """1 if all operands of one kernel are rows in Fortran's order, and this does it all; else 0."""
    c = LoopFunction("i64", "fortran_contiguous", NEST_PARAMS, internal=True)
    words, operands = c.word("%D", c.header(Header.CONTIGUOUS)), c.header(Header.OPERANDS)
    n, wrong = _row(c, c.word(words, ContiguousWords.STEPS), operands, is_fortran=True)
    is_one = c.ne(c.get(c.word(words, c.add(operands, ContiguousWords.STEPS)), 0), 0)
    with c.when(c.all(is_one, c.eq(wrong, 0), _is_small(c, words, n))):
        no = c.label("no")
        _run_or_go_on(c, words, operands, n, no, 1)
        c.place(no)
    return c.end("i64", 0)


def _row(c: LoopFunction, units: str, operands: str, is_fortran: bool) -> tuple[str, str]:
    """(points; 0 if all operands are rows of as many, in C order or Fortran's)"""
    axes = c.header(Header.AXES)
    with c.loop(axes, ("i64", "1"), ("i64", "0")) as loop:
        axis = loop.index if is_fortran else c.sub(c.sub(axes, 1), loop.index)
        with c.loop(operands, ("i64", loop.values[1]), ("i64", axis)) as each:
            unit, step = c.get(units, each.index), c.get("%S", each.values[1])
            differs = c.xor(c.mul(unit, loop.values[0]), step)
            each.next = [c.or_(each.values[0], differs), c.add(each.values[1], axes)]
        loop.next = [c.mul(loop.values[0], c.get("%E", axis)), each.values[0]]
    return loop.values[0], loop.values[1]


def _run_contiguous() -> str:
    """The instructions, one after the other."""
    c = LoopFunction("void", "run_contiguous", ["ptr K", "ptr D", "ptr B", "ptr I", "ptr code", "i64 n"], internal=True)
    c.do(f"%scratch = alloca i8, i64 {c.header(Header.SCRATCH_BYTES)}, align 64")
    c.do(f"%P = alloca ptr, i64 {c.header(Header.POINTERS)}, align 16")
    with c.loop(c.get("%code", 0)) as loop:
        pair = c.word("%code", c.add(c.shl(loop.index, 1), 1))
        words, width = c.word("%D", c.get(pair, 0)), c.get(pair, 1)
        fill, call, done = c.label("fill"), c.label("call"), c.label("done")
        c.branch(c.eq(c.get(words, 0), Opcode.FILL), fill, call)
        c.place(fill)
        fill_lines(
            c,
            c.gep("%scratch", c.get(words, CallCode.KERNEL)),
            c.get(words, CallCode.LANE),
            c.get(words, CallCode.OPERANDS),
        )
        c.jump(done)
        c.place(call)
        tables = "ptr %B", "ptr %I", "ptr %P", "ptr %scratch"
        kernel = c.get("%K", c.get(words, CallCode.KERNEL), "ptr")
        c.call("void", "@contiguous_call", f"ptr {kernel}", *tables, f"ptr {words}", f"i64 {width}", "i64 %n")
        c.jump(done)
        c.place(done)
    return c.end()


def _call() -> str:
    """A CALL; of fewer points than a vector has lanes on copies of what is not a scalar."""
    tables = ["ptr B", "ptr I", "ptr P", "ptr scratch"]
    c = LoopFunction(
        "void", "contiguous_call", ["ptr kernel", *tables, "ptr words", "i64 width", "i64 n"], internal=True
    )
    count, is_short = c.get("%words", CallCode.OPERANDS), c.lt("%n", "%width")
    with c.loop(count) as loop:
        entry = c.operand("%words", loop.index)
        address = c.call("ptr", "@contiguous_operand", "ptr %B", "ptr %I", "ptr %scratch", f"ptr {entry}")
        c.put(address, "%P", loop.index, "ptr")
        with c.when(c.all(is_short, c.is_kind(entry, VECTOR))):
            area, size = c.gep("%scratch", c.get(entry, Operand.SCRATCH)), c.get(entry, Operand.ELEMENT_BYTES)
            with c.when(c.has_flag(entry, READ)):
                c.call("void", "@copy_in", f"ptr {area}", f"ptr {address}", f"i64 {size}", "i64 %n", "i64 %width")
            c.put(area, "%P", loop.index, "ptr")
    loops = c.ne("%width", 0)
    n, live = c.choose(loops, c.max("%n", "%width"), 1), c.choose(loops, c.min("%n", "%width"), 1)
    c.call("void", "%kernel", "ptr %P", f"i64 {n}", f"i64 {live}", "i64 1", "i64 3")
    with c.when(is_short), c.loop(count) as loop:
        entry = c.operand("%words", loop.index)
        written = c.has_flag(entry, WRITE)
        with c.when(c.all(written, c.is_kind(entry, VECTOR))):
            target = c.get("%B", c.get(entry, Operand.NUMBER), "ptr")
            area = c.gep("%scratch", c.get(entry, Operand.SCRATCH))
            bytes_ = c.mul("%n", c.get(entry, Operand.ELEMENT_BYTES))
            c.call("void", "@copy_out", f"ptr {target}", f"ptr {area}", f"i64 {bytes_}")
    return c.end()


def _operand() -> str:
    """The address of an operand."""
    c = LoopFunction("ptr", "contiguous_operand", ["ptr B", "ptr I", "ptr scratch", "ptr operand"], internal=True)
    kind, number = c.get("%operand", Operand.KIND), c.get("%operand", Operand.NUMBER)
    given, inside = c.le(kind, SPLAT), c.eq(kind, INTERNAL)
    base = c.get("%B", c.choose(given, number, 0), "ptr")
    own = c.choose(inside, c.gep("%scratch", number), c.word("%I", number), "ptr")
    return c.end("ptr", c.choose(given, base, own, "ptr"))
