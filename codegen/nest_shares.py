"""Of the nest library: a launch shared out among threads, as launches over parts of one parallel axis.

Parts depend on extents only, and each point or row is computed as if it were alone, so results do not depend on who
does what, nor on how many threads there are.  Sums over all axes are parted for one thread as well; their totals are
added up in the order of the parts.
"""

from __future__ import annotations

from tensordsl.codegen import abi
from tensordsl.codegen.assembly import passed
from tensordsl.codegen.nest_words import (
    CODE,
    END,
    FINISH,
    HEADER,
    LANE,
    N_AXES,
    N_MERGES,
    N_OPERANDS,
    N_SWAPS,
    OUTER,
    PARAMS,
    SUMS,
    WORK,
    Function,
)  # fmt: skip

WORTH = 60_000  # ns of estimated work from which threads are asked
SHARE = 25_000  # ns of a part: a few per thread, since the system may take a thread's core away
MOST = 32  # parts
ROWS = 16  # from so many on, rows are shared out rather than the lanes' axis
GRAIN = 1024  # elements along the lanes' axis
# Words of a job: the parameters, then these.
J_AXIS, J_SIZE, J_TOTALS, J_FLAG = range(len(PARAMS), len(PARAMS) + 4)


def share_texts() -> list[str]:
    return [_parts(), _part(), _totals(), _two_sum(), _add_parts(), _all_parts(), _run_nest()]


def _parts() -> str:
    """The number of parts; their axis and size go to `axis` and `size`."""
    c = Function("i64", "parts", ["ptr D", "ptr E", "ptr axis", "ptr size"], internal=True)
    with c.loop(c.get("%D", N_AXES), ("i64", "1")) as loop:
        loop.next = [c.arith("mul", loop.values[0], c.get("%E", loop.index))]
    work = c.arith("udiv", c.arith("mul", loop.values[0], c.get("%D", WORK)), 1000)
    outer, lane = c.get("%D", OUTER), c.get("%D", LANE)
    with c.when(c.test("slt", work, WORTH)):
        c.ret("i64", 1)
    rows = c.choose(c.test("sge", outer, 0), c.get("%E", c.max(outer, 0)), 0)
    by_rows = c.op(f"or i1 {c.test('sge', rows, ROWS)}, {c.test('slt', lane, 0)}")
    axis, grain = c.choose(by_rows, outer, lane), c.choose(by_rows, 1, GRAIN)
    with c.when(c.test("slt", axis, 0)):
        c.ret("i64", 1)
    extent = c.get("%E", axis)
    units = _quotient(c, extent, grain)
    count = c.min(c.min(c.arith("udiv", work, SHARE), MOST), units)
    size = c.arith("mul", _quotient(c, units, c.max(count, 1)), grain)
    c.put(axis, "%axis", 0)
    c.put(size, "%size", 0)
    return c.end("i64", _quotient(c, extent, size))


def _quotient(c: Function, x: str, y: str) -> str:
    """x / y, rounded up."""
    return c.arith("sdiv", c.arith("sub", c.arith("add", x, y), 1), y)


def _part() -> str:
    """The k-th part of a job."""
    c = Function("void", "part", ["ptr job", "i64 k"], internal=True)
    given = {p[-1]: c.get("%job", k, "ptr") for k, p in enumerate(PARAMS)}
    axis, size = c.get("%job", J_AXIS), c.get("%job", J_SIZE)
    axes, operands = c.get(given["D"], N_AXES), c.get(given["D"], N_OPERANDS)
    bases, extents = (c.op(f"alloca i64, i64 {n}, align 8") for n in (operands, axes))
    start = c.arith("mul", "%k", size)
    with c.loop(axes) as loop:
        c.put(c.get(given["E"], loop.index), extents, loop.index)
    c.put(c.min(c.arith("sub", c.get(given["E"], axis), start), size), extents, axis)
    with c.loop(operands) as loop:
        step = c.get(given["S"], c.arith("add", c.arith("mul", loop.index, axes), axis))
        c.put(c.arith("add", c.get(given["B"], loop.index), c.arith("mul", step, start)), bases, loop.index)
    sums = c.get(given["D"], SUMS)
    code = c.get(given["D"], CODE), c.choose(c.test("ne", sums, 0), c.get(given["D"], FINISH), c.get(given["D"], END))
    totals = c.word(c.get("%job", J_TOTALS, "ptr"), c.arith("mul", "%k", c.arith("shl", sums, 1)))
    with c.loop(axes, ("i64", "1")) as loop:
        loop.next = [c.arith("mul", loop.values[0], c.get(given["E"], loop.index))]
    rest = f"i64 {code[0]}", f"i64 {code[1]}", f"ptr {totals}", f"i64 {loop.values[0]}"
    given |= {"B": bases, "E": extents}
    bad = c.call("i64", "@nest", *(f"ptr {given[p[-1]]}" for p in PARAMS), *rest)
    c.do(f"%old = atomicrmw or ptr {c.word('%job', J_FLAG)}, i64 {bad} seq_cst")
    return c.end()


def _totals() -> str:
    """Between scratch and pairs of words: each sum's total, and what was lost of it or 0."""
    c = Function("void", "totals", ["ptr D", "ptr scratch", "ptr words", "i1 is_in"], internal=True)
    pairs = c.word(
        "%D", c.arith("add", c.arith("shl", c.arith("add", c.get("%D", N_SWAPS), c.get("%D", N_MERGES)), 1), HEADER)
    )
    with c.loop(c.arith("shl", c.get("%D", SUMS), 1)) as loop:
        offset, word = c.get(pairs, loop.index), c.word("%words", loop.index)
        kept, there = c.test("ne", offset, 0), c.gep("%scratch", offset)
        with c.when(c.all("%is_in", kept)):
            c.put(c.get(word, 0), there, 0)
        with c.when(c.op("xor i1 %is_in, true")):
            c.put(c.choose(kept, c.get(there, 0), 0), word, 0)
    return c.end()


def _two_sum() -> str:
    """to += by, and what rounding took from it is added to the word behind (Knuth's six operations)."""
    c = Function("void", "two_sum", ["ptr to", "double by"], internal=True)

    def two(op: str, x: str, y: str) -> str:
        return c.op(f"{op} double {x}, {y}")

    old = c.get("%to", 0, "double")
    total = two("fadd", old, "%by")
    part = two("fsub", total, old)
    lost = two("fadd", two("fsub", old, two("fsub", total, part)), two("fsub", "%by", part))
    c.put(total, "%to", 0, "double")
    c.put(two("fadd", c.get("%to", 1, "double"), lost), "%to", 1, "double")
    return c.end()


def _add_parts() -> str:
    """The first part's totals become those of all `count` parts."""
    c = Function("void", "add_parts", ["ptr words", "i64 sums", "i64 count"], internal=True)
    with c.loop("%count", start="1") as k, c.loop("%sums") as s:
        at, first = c.arith("add", c.arith("mul", k.index, "%sums"), s.index), c.arith("shl", s.index, 1)
        to, other = c.word("%words", first), c.word("%words", c.arith("shl", at, 1))
        c.call("void", "@two_sum", f"ptr {to}", f"double {c.get(other, 0, 'double')}")
        c.put(c.op(f"fadd double {c.get(to, 1, 'double')}, {c.get(other, 1, 'double')}"), to, 1, "double")
    return c.end()


def _all_parts() -> str:
    """A job's `count` parts, by threads if there is a pool."""
    c = Function("void", "all_parts", ["ptr pool", "ptr job", "i64 count"], internal=True)
    with c.when(c.is_null("%pool")):
        with c.loop("%count") as k:
            c.call("void", "@part", "ptr %job", f"i64 {k.index}")
        c.ret()
    share = c.load("ptr", "%pool", abi.TH["parallel_for"])
    c.call("void", share, "ptr %pool", "ptr @part", "ptr %job", "i64 %count")
    return c.end()


def _run_nest() -> str:
    c = Function("i64", "run_nest", ["ptr rt", *PARAMS])
    alone, ask, pooled, share = (c.label(k) for k in ("alone", "ask", "pooled", "share"))
    given, sums = passed(PARAMS), c.get("%D", SUMS)
    place = c.op("alloca ptr, align 8")
    c.put("null", place, 0, "ptr")
    with c.when(c.op(f"xor i1 {c.is_null('%rt')}, true")):
        c.put(c.load("ptr", "%rt", abi.RT["threads"]), place, 0, "ptr")
    pool = c.get(place, 0, "ptr")
    c.branch(c.all(c.is_null(pool), c.test("eq", sums, 0)), alone, ask)
    c.place(ask)
    job = c.op(f"alloca i64, i64 {J_FLAG + 1}, align 8")
    places = f"ptr {c.word(job, J_AXIS)}", f"ptr {c.word(job, J_SIZE)}"
    count = c.call("i64", "@parts", "ptr %D", "ptr %E", *places)
    c.branch(c.test("sgt", count, 1), share, alone)
    c.place(share)
    totals = c.op(f"alloca i64, i64 {c.arith('mul', count, c.arith('shl', sums, 1))}, align 8")
    for k, p in enumerate(PARAMS):
        c.put(f"%{p[-1]}", job, k, "ptr")
    c.put(totals, job, J_TOTALS, "ptr")
    c.put(0, job, J_FLAG)
    c.call("void", "@all_parts", f"ptr {pool}", f"ptr {job}", f"i64 {count}")
    with c.when(c.test("eq", sums, 0)):
        c.ret("i64", c.get(job, J_FLAG))
    c.call("void", "@add_parts", f"ptr {totals}", f"i64 {sums}", f"i64 {count}")
    rest = f"i64 {c.get('%D', FINISH)}", f"i64 {c.get('%D', END)}", f"ptr {totals}", "i64 0"
    bad = c.call("i64", "@nest", *given, *rest)
    c.ret("i64", c.arith("or", bad, c.get(job, J_FLAG)))
    c.place(alone)
    code = (f"i64 {c.get('%D', k)}" for k in (CODE, END))
    return c.end("i64", c.call("i64", "@nest", *given, *code, "ptr null", "i64 0"))
