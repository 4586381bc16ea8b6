"""LLVM text of quicksort by threads: pieces are split a few times, each by one thread, and then sorted by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tensordsl.codegen.assembly import UNLIKELY, passed
from tensordsl.codegen.jobs import Job, share
from tensordsl.codegen.nest_words import Function

if TYPE_CHECKING:
    from tensordsl.codegen.sort_quick import Quick

SHARED, PIECE = 1 << 16, 1 << 13  # keys that threads share, and of which they split a piece
SPLITS = 6  # times that all of them are split before threads sort what there is then
PIECES = 1 << SPLITS
PIECE_OF = Job(("ptr x", "ptr y", "i64 n", "i64 depth", "i1 stays", "i1 counts"))
# Of a sort by threads: the pieces before a split and behind it, and the shift of positions.
JOB = Job(("ptr from", "ptr to", "i64 shift"))


def text(q: Quick) -> str:
    return _halve(q) + _finish(q) + _shared(q)


def _halve(q: Quick) -> str:
    """The k-th piece of a job as two: what is less, and the others; or as one and none."""
    f = Function("void", f"{q.name}.halve", ("ptr job", "i64 k"), internal=True)
    piece, twice = _given(q, f), f.arith("shl", "%k", 1)
    targets = [_piece(f, JOB.get(f, "to"), f.arith("or", twice, j)) for j in range(2)]
    for target in targets:
        PIECE_OF.put(f, target, "n", 0)
    x, y, n, depth, stays, _ = state = list(piece.values())
    with f.when(f.compare("sle", "i64", n, PIECE)):
        _put_piece(f, targets[0], state)
        f.ret()
    p, less = q.border(f, state)
    split = f"ptr {x}", f"ptr {y}", f"i64 {n}", f"{q.key} {p}", f"i64 {less}", *passed(q.more)
    less = f.call("i64", f"@{q.name}.split", *split)
    is_none, is_all = f.compare("eq", "i64", less, 0), f.compare("eq", "i64", less, n)
    with f.when(f.any(is_none, is_all), UNLIKELY):
        here, there = (f.op(f"select i1 {is_none}, ptr {a}, ptr {b}") for a, b in ((y, x), (x, y)))
        _put_piece(f, targets[0], [here, there, n, depth, f.op(f"xor i1 {stays}, {is_none}"), "true"])
        f.ret()
    deeper, counts = f.op(f"sub i64 {depth}, 1"), "true" if q.has_positions else "false"
    _put_piece(f, targets[0], [x, y, less, deeper, stays, counts])
    behind, there = q.at(f, y, less), q.at(f, x, less)
    rest = [behind, there, f.op(f"sub i64 {n}, {less}"), deeper, f.op(f"xor i1 {stays}, true"), counts]
    _put_piece(f, targets[1], rest)
    f.ret()
    return f.text


def _given(q: Quick, f: Function) -> dict[str, str]:
    """The words of the k-th piece of %job; and %shift."""
    if q.has_positions:
        f.do(f"%shift = load i64, ptr {f.word('%job', JOB.words['shift'])}, align 8")
    place = _piece(f, JOB.get(f, "from"), "%k")
    return {name: PIECE_OF.get(f, name, place) for name in PIECE_OF.words}


def _piece(f: Function, table: str, k: str) -> str:
    return f.word(table, f.arith("mul", k, len(PIECE_OF.words)))


def _put_piece(f: Function, place: str, state: Sequence[str]) -> None:
    for name, value in zip(PIECE_OF.words, state, strict=True):
        PIECE_OF.put(f, place, name, value)


def _finish(q: Quick) -> str:
    """The k-th piece of a job, sorted."""
    f = Function("void", f"{q.name}.finish", ("ptr job", "i64 k"), internal=True)
    piece = _given(q, f)
    with f.when(f.test("sgt", piece["n"], 0)):
        words = (f"{PIECE_OF.kinds[name]} {value}" for name, value in piece.items())
        f.call("void", f"@{q.name}.part", *words, *passed(q.more))
    f.ret()
    return f.text


def _shared(q: Quick) -> str:
    """As `sort`, by the threads of a pool if there is one and the keys are many: their order is one, whoever does
    what."""
    given = ("ptr a", "ptr b", "i64 n", *(q.more or ("i64 bytes",)))
    f = Function("ptr", f"{q.name}.shared", (*given, "ptr pool"), internal=True)
    with f.when(f.any(f.is_null("%pool"), f.test("slt", "%n", SHARED))):
        f.ret("ptr", f.call("ptr", f"@{q.name}", *passed(given)))
    if not q.has_positions:
        with f.when(f.call("i1", f"@{q.name}.is_sorted", "ptr %a", "i64 %n")):
            f.ret("ptr", "%a")
    tables = [f.op(f"alloca i64, i64 {PIECES * len(PIECE_OF.words)}, align 8") for _ in range(2)]
    bits = f.arith("sub", 64, f.call("i64", "@llvm.ctlz.i64", "i64 %n", "i1 false"))
    counts = "true" if q.has_positions else "false"
    _put_piece(f, tables[0], ["%a", "%b", "%n", f.arith("shl", bits, 1), "true", counts])
    job = JOB.made(f, {"shift": "%shift" if q.has_positions else "0"})
    for split in range(SPLITS + 1):
        JOB.put(f, job, "from", tables[split % 2])
        JOB.put(f, job, "to", tables[1 - split % 2])
        share(f, "%pool", f"{q.name}.{'halve' if split < SPLITS else 'finish'}", job, str(1 << split))
    f.ret("ptr", "%a")
    return f.text
