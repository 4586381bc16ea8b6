"""Stability for numbers that are equal but not identical: nans, and zeros of both signs.

Contract  `set_apart` lists their keys in the order of the line before it is sorted, `put_back` writes them over the
          sorted equal ones.
When      a line has nans or negative zeros; vectors without any are skipped.
"""

from __future__ import annotations

from tensordsl.codegen.library.parallel import Job, named, share
from tensordsl.codegen.library.sort.parallel_lines import TASKS, parallel_min_keys, part_of, parts_of
from tensordsl.codegen.library.sort.text import Keys
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.target.tuning import Tuning

# In the room of a line are, for each of its tasks, how many zeros and nans it has, and then as many keys as the task
# has numbers: the zeros' from the front, the nans' from the end.
COUNTS_BYTES = 16 * TASKS
LINE_PARAMS = ("ptr x", "i64 n", "i64 x_step", "ptr room")
JOB = Job(LINE_PARAMS)


def text(k: Keys) -> str:
    """`@set_apart(x, n, x_step, room, pool)`, and `@put_back(keys, n, room)` for the sorted keys, in which all nans are
    the greatest one."""
    return _part(k) + _set_aside(k.tuning) + _put_back(k)


def _part(k: Keys) -> str:
    """The zeros and nans of the k-th part of a line; vectors without any are passed over."""
    f, W = Function("void", "specials.part", ("ptr job", "i64 k"), internal=True), k.lanes
    given = JOB.given(f)
    first, n = part_of(f, given["n"], "%k")
    x, step = f.gep(given["x"], f.mul(first, given["x_step"])), given["x_step"]
    listed = _listed(f, k, given["room"], first)
    counts = f.gep(given["room"], f.shl("%k", 4))
    f.put(0, counts, 0)
    f.put(0, counts, 1)
    adjacent = f.eq(step, k.size)
    with f.loop(n, step=W) as vector:
        look, there, done = f.label("look"), f.label("there"), f.label("done")
        behind = f.add(vector.index, W)
        f.branch(f.all(adjacent, f.le(behind, n)), look, there)
        f.place(look)
        values = k.loaded(f, f.gep(x, f.mul(vector.index, k.size)), W)
        special = f.op(f"or {k.typed(1, W)} {k.is_nan(f, values, W)}, {k.is_zero(f, values, W)}")
        f.branch(f.op(f"icmp ne i{W} {f.op(f'bitcast {k.typed(1, W)} {special} to i{W}')}, 0"), there, done)
        f.place(there)
        _one_by_one(f, k, x, step, (vector.index, f.min(behind, n)), n, listed, counts)
        f.place(done)
    return f.end()


def _listed(f: Function, k: Keys, room: str, first: str) -> str:
    """Where the keys of a part are that begins with a number."""
    return f.gep(f.gep(room, COUNTS_BYTES), first, f"i{k.width}")


def _one_by_one(
    f: Function, k: Keys, x: str, step: str, bounds: tuple[str, str], n: str, listed: str, counts: str
) -> None:
    t, last = f"i{k.width}", f.sub(n, 1)
    start = (("i64", f.get(counts, word)) for word in range(2))
    with f.loop(bounds[1], *start, start=bounds[0]) as loop:
        zeros, nans = loop.values
        value = k.loaded(f, f.gep(x, f.mul(loop.index, step)), 1)
        key = k.ordered(f, value, 1)
        f.store(t, key, f.gep(listed, zeros, t))
        f.store(t, key, f.gep(listed, f.sub(last, nans), t))
        found = k.is_zero(f, value, 1), k.is_nan(f, value, 1)
        loop.next = [f.add(count, f.as_i64(one)) for count, one in zip(loop.values, found, strict=True)]
    for word, count in enumerate(loop.values):
        f.put(count, counts, word)


def _set_aside(t: Tuning) -> str:
    f = Function("void", "set_apart", (*LINE_PARAMS, "ptr pool"), internal=True)
    job = JOB.made(f, named(LINE_PARAMS))
    with f.when(f.any(f.is_null("%pool"), f.lt("%n", parallel_min_keys(t)))):
        with f.loop(parts_of(f, "%n")) as loop:
            f.call("void", "@specials.part", f"ptr {job}", f"i64 {loop.index}")
        f.ret()
    share(f, "%pool", "specials.part", job, str(TASKS))
    return f.end()


def _put_back(k: Keys) -> str:
    f, t = Function("void", "put_back", ("ptr keys", "i64 n", "ptr room"), internal=True), f"i{k.width}"
    parts = parts_of(f, "%n")
    with f.loop(parts, ("i64", _below_zero(f, t))) as loop:
        first, _ = part_of(f, "%n", loop.index)
        zeros, place = f.get(f.gep("%room", f.shl(loop.index, 4)), 0), loop.values[0]
        listed = _listed(f, k, "%room", first)
        with f.loop(zeros) as one:
            f.store(t, f.load(t, f.gep(listed, one.index, t)), f.gep("%keys", f.add(place, one.index), t))
        loop.next = [f.add(place, zeros)]
    with f.loop(parts, ("i64", "%n")) as loop:  # of nans the last ones first
        part = f.sub(f.sub(parts, 1), loop.index)
        first, n = part_of(f, "%n", part)
        nans = f.get(f.gep("%room", f.shl(part, 4)), 1)
        place, last = f.sub(loop.values[0], nans), f.sub(n, 1)
        listed = _listed(f, k, "%room", first)
        with f.loop(nans) as one:
            key = f.load(t, f.gep(listed, f.sub(last, one.index), t))
            f.store(t, key, f.gep("%keys", f.add(place, one.index), t))
        loop.next = [place]
    return f.end()


def _below_zero(f: Function, t: str) -> str:
    """How many of the n sorted keys are those of numbers below zero: steps of powers of two, as long as these are."""
    bits = f.sub(64, f.call("i64", "@llvm.ctlz.i64", "i64 %n", "i1 false"))
    with f.loop(bits, ("i64", "0"), ("i64", f.shl(1, f.sub(bits, 1)))) as loop:
        found, step = loop.values
        reached = f.add(found, step)
        key = f.load(t, f.gep("%keys", f.sub(f.min(reached, "%n"), 1), t))
        is_below = f.all(f.le(reached, "%n"), f.compare("slt", t, key, -1))
        loop.next = [f.choose(is_below, reached, found), f.lshr(step, 1)]
    return loop.values[0]
