"""Parallel quicksort: slices of a line are split at common keys into buckets, and threads sort a bucket each.

Contract  as `quicksort`'s `sort`, with a pool of threads; the order is one, whoever does what.
When      a pool is there, and the line has 65,536 keys and more.
Ref       sample sort: W. Frazer and A. McKellar, 1970.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensordsl.codegen.library.parallel import Job, share
from tensordsl.codegen.library.sort import partition, pivot
from tensordsl.codegen.library.sort.parallel_lines import parallel_min_keys
from tensordsl.codegen.llvm.builder import UNLIKELY, passed
from tensordsl.codegen.llvm.function import Function

if TYPE_CHECKING:
    from tensordsl.codegen.library.sort.quicksort import Quick

MAX_BUCKETS = 32  # a power of two
# `starts`: where in the line the part of each bucket and slice goes, by buckets, before that how many keys it has;
# `pivots`: the keys of a binary tree, the children of node k are 2k and 2k + 1.
JOB = Job(("ptr a", "ptr b", "i64 n", "i64 shift", "i64 size", "i64 slices", "i64 buckets", "ptr pivots", "ptr starts"))


def text(q: Quick) -> str:
    return "".join(part(q) for part in (_deal, _slice, _place, _finish, _sampled, _pivots, _shared))


# -- parts of the job --------------------------------------------------------------------------------------------------
def _part(q: Quick, name: str) -> tuple[Function, dict[str, str]]:
    """The function of the k-th part, and the words of the job."""
    f = Function("void", f"{q.name}.{name}", ("ptr job", "i64 k"), internal=True)
    given = JOB.given(f)
    if q.has_positions:
        f.do(f"%shift = load i64, ptr {f.word('%job', JOB.words['shift'])}, align 8")
    return f, given


def _slice(q: Quick) -> str:
    """The k-th slice, in buckets."""
    f, given = _part(q, "slice")
    first = f.mul("%k", given["size"])
    n = f.min(given["size"], f.sub(given["n"], first))
    places = (f"ptr {q.at(f, given[p], first)}" for p in ("a", "b"))
    counts = f"ptr {f.word(given['starts'], '%k')}"
    f.call("void", f"@{q.name}.deal", "ptr %job", *places, f"i64 {n}", "i64 1", counts, "i1 true", *passed(q.more))
    return f.end()


def _deal(q: Quick) -> str:
    """The n keys at x below a node of the pivots' tree, in its buckets, where they stand or, unless `stays`, at y."""
    params = ("ptr job", "ptr x", "ptr y", "i64 n", "i64 node", "ptr counts", "i1 stays", *q.more)
    f = Function("void", f"{q.name}.deal", params, internal=True)
    with f.when(f.eq("%n", 0), UNLIKELY):
        f.ret()
    buckets = JOB.get(f, "buckets")
    with f.when(f.test("uge", "%node", buckets)):
        bucket = f.mul(f.sub("%node", buckets), JOB.get(f, "slices"))
        f.put("%n", "%counts", bucket)
        with f.when(f.op("xor i1 %stays, true")):
            f.call("void", f"@{q.name}.copy", *passed(("ptr x", "ptr y", "i64 n", *q.more)))
        f.ret()
    less = partition.any_length(q, f, f.load(q.key, q.at(f, JOB.get(f, "pivots"), "%node")))
    child, rest, moves = f.shl("%node", 1), f.sub("%n", less), f.op("xor i1 %stays, true")
    sides = (
        ("%x", "%y", less, child, "%stays"),
        (q.at(f, "%y", less), q.at(f, "%x", less), rest, f.or_(child, 1), moves),
    )
    for x, y, n, node, stays in sides:
        given = f"ptr {x}", f"ptr {y}", f"i64 {n}", f"i64 {node}", "ptr %counts", f"i1 {stays}"
        f.call("void", f"@{q.name}.deal", "ptr %job", *given, *passed(q.more))
    return f.end()


def _place(q: Quick) -> str:
    """The parts of the k-th slice to those of other slices."""
    f, given = _part(q, "place")
    first = f.mul("%k", given["size"])
    with f.loop(given["buckets"], ("i64", first)) as loop:
        at = f.word(given["starts"], f.add(f.mul(loop.index, given["slices"]), "%k"))
        start = f.get(at, 0)
        n = f.sub(f.get(at, 1), start)
        places = f"ptr {q.at(f, given['a'], loop.values[0])}", f"ptr {q.at(f, given['b'], start)}"
        f.call("void", f"@{q.name}.copy", *places, f"i64 {n}", *passed(q.more))
        loop.next = [f.add(loop.values[0], n)]
    return f.end()


def _finish(q: Quick) -> str:
    """The k-th bucket, sorted."""
    f, given = _part(q, "finish")
    at = f.word(given["starts"], f.mul("%k", given["slices"]))
    start = f.get(at, 0)
    n = f.sub(f.get(at, given["slices"]), start)
    with f.when(f.gt(n, 0)):
        places = (f"ptr {q.at(f, given[p], start)}" for p in ("b", "a"))
        q.from_the_top(f, *places, n, "false", *passed(q.more))
    return f.end()


# -- pivots ------------------------------------------------------------------------------------------------------------
def _sample_keys(q: Quick) -> int:
    """Room for a sample, and a vector."""
    return q.tuning.sort.samples_per_bucket * MAX_BUCKETS + 16


def _sampled(q: Quick) -> str:
    """`count` of the n keys at a, sorted, to `sample`: one of each so many, at places that follow no period."""
    f = Function("void", f"{q.name}.sampled", ("ptr a", "i64 n", "ptr sample", "i64 count"), internal=True)
    stride = f.udiv("%n", "%count")
    with f.loop("%count", ("i64", "1")) as loop:
        within = f.udiv(f.mul(stride, loop.values[0]), pivot.SAMPLE_MODULUS)
        place = f.add(f.mul(stride, loop.index), within)
        f.store(q.key, f.load(q.key, q.at(f, "%a", place)), q.at(f, "%sample", loop.index))
        if q.has_positions:
            f.store(q.key, loop.index, q.at(f, "%sample", f.add(loop.index, 2 * _sample_keys(q))))
        loop.next = [f.urem(f.mul(loop.values[0], pivot.SAMPLE_FACTOR), pivot.SAMPLE_MODULUS)]
    more = (f"i64 {2 * _sample_keys(q) * q.size}",) if q.has_positions else ()
    q.from_the_top(f, "ptr %sample", f"ptr {q.at(f, '%sample', _sample_keys(q))}", "%count", "true", *more)
    return f.end()


def _pivots(q: Quick) -> str:
    """i64: how many buckets; at `pivots` the tree of their borders, the different ones among some of a sample."""
    f = Function("i64", f"{q.name}.pivots", ("ptr a", "i64 n", "ptr pivots"), internal=True)
    sample = f.op(f"alloca [{(4 if q.has_positions else 2) * _sample_keys(q)} x {q.key}], align 64")
    most = f.min(_power(f, f.udiv("%n", q.tuning.sort.bucket_min_keys)), MAX_BUCKETS)
    f.call(
        "void",
        f"@{q.name}.sampled",
        "ptr %a",
        "i64 %n",
        f"ptr {sample}",
        f"i64 {f.mul(most, q.tuning.sort.samples_per_bucket)}",
    )
    with f.loop(most, ("i64", "0"), start=1) as loop:
        found = loop.values[0]
        key = f.load(q.key, q.at(f, sample, f.mul(loop.index, q.tuning.sort.samples_per_bucket)))
        last = f.load(q.key, q.at(f, sample, f.max(f.sub(found, 1), 0)))
        f.store(q.key, key, q.at(f, sample, found))
        is_new = f.any(f.compare("ne", q.key, key, last), f.eq(found, 0))
        loop.next = [f.add(found, f.as_i64(is_new))]
    found = loop.values[0]
    last, buckets = f.sub(found, 1), f.shl(_power(f, found), 1)
    with f.loop(buckets, start=1) as loop:  # the middle one of those below the node, of the last ones again
        stride = f.udiv(buckets, _power(f, loop.index))
        middle = f.lshr(f.mul(f.or_(f.shl(loop.index, 1), 1), stride), 1)
        place = f.sub(f.sub(middle, buckets), 1)
        f.store(q.key, f.load(q.key, q.at(f, sample, f.min(place, last))), q.at(f, "%pivots", loop.index))
    return f.end("i64", buckets)


def _power(f: Function, x: str) -> str:
    """The greatest power of two that is no more than x."""
    return f.lshr(-1 << 63, f.call("i64", "@llvm.ctlz.i64", f"i64 {x}", "i1 false"))


# -- the whole ---------------------------------------------------------------------------------------------------------
def _shared(q: Quick) -> str:
    """As `sort`, by the threads of a pool if there is one and the keys are many: their order is one, whoever does
    what."""
    given = ("ptr a", "ptr b", "i64 n", *(q.more or ("i64 bytes",)))
    f = Function("ptr", f"{q.name}.shared", (*given, "ptr pool"), internal=True)
    with f.when(f.any(f.is_null("%pool"), f.lt("%n", parallel_min_keys(q.tuning)))):
        f.ret("ptr", f.call("ptr", f"@{q.name}", *passed(given)))
    if not q.has_positions:
        with f.when(f.call("i1", f"@{q.name}.is_sorted", "ptr %a", "i64 %n")):
            f.ret("ptr", "%a")
    pivots = f.op(f"alloca [{MAX_BUCKETS} x {q.key}], align 64")
    starts = f.op(f"alloca [{MAX_BUCKETS * q.tuning.sort.max_slices + 1} x i64], align 64")
    buckets = f.call("i64", f"@{q.name}.pivots", "ptr %a", "i64 %n", f"ptr {pivots}")
    with f.when(f.test("ule", buckets, q.tuning.sort.few_buckets)):
        f.ret("ptr", f.call("ptr", f"@{q.name}", *passed(given)))
    size = f.max(f.min(f.udiv("%n", q.tuning.sort.slices), q.tuning.sort.slice_max_keys), q.tuning.sort.slice_min_keys)
    size = f.max(size, f.udiv("%n", q.tuning.sort.max_slices))
    size = f.and_(f.add(size, q.tuning.sort.slice_multiple_keys), -q.tuning.sort.slice_multiple_keys)
    slices = f.udiv(f.add("%n", f.sub(size, 1)), size)
    words = {"a": "%a", "b": "%b", "n": "%n", "shift": "%shift" if q.has_positions else "0", "size": size}
    job = JOB.made(f, words | {"slices": slices, "buckets": buckets, "pivots": pivots, "starts": starts})
    end = f.mul(buckets, slices)
    with f.loop(end) as loop:
        f.put(0, starts, loop.index)
    share(f, "%pool", f"{q.name}.slice", job, slices)
    with f.loop(end, ("i64", "0")) as loop:
        loop.next = [f.add(loop.values[0], f.get(starts, loop.index))]
        f.put(loop.values[0], starts, loop.index)
    f.put("%n", starts, end)
    share(f, "%pool", f"{q.name}.place", job, slices)
    share(f, "%pool", f"{q.name}.finish", job, buckets)
    return f.end("ptr", "%a")
