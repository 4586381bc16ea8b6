"""The partition step of quicksort by whole vectors: keys below a pivot to one side, all others to the other.

Contract  `i64 NAME.split(x, y, n, p, less)`: the front of x, and y; gives how many are below p.
How       vectors of eight lanes at most are permuted by a table, what stays first, and stored whole to either side;
          others, and pairs, whose order is kept, are compressed twice (AVX-512).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensordsl.codegen.library.signals import long_loop
from tensordsl.codegen.library.sort.compress import TABLE_LANES, compressed, compression, orders, permutation, permuted
from tensordsl.codegen.library.sort.networks import Vectors, set_lanes
from tensordsl.codegen.llvm.builder import Asm, passed

if TYPE_CHECKING:
    from tensordsl.codegen.library.sort.quicksort import Quick


def text(q: Quick) -> str:
    """`i64 @NAME.split(x, y, n, p, less)`: of the n elements at x those below p go to the front of x, the others to y,
    from `less` on; how many are below.  Of keys alone it finds that out itself, and does without `less`."""
    if not _permutes(q):
        return _compressing(q)
    return orders(f"@{q.name}.orders", q.lanes) + _permuting(q) + _one_by_one(q)


def any_length(q: Quick, f: Asm, p: str) -> str:
    """The same of %n elements at %x, with %y, which may be fewer than a vector has; `less` is counted if wanted."""
    less = f.call("i64", f"@{q.name}.count", "ptr %x", "i64 %n", f"{q.key} {p}") if q.has_positions else "0"
    given = "ptr %x", "ptr %y", "i64 %n", f"{q.key} {p}"
    if not _permutes(q):
        return f.call("i64", f"@{q.name}.split", *given, f"i64 {less}", *passed(q.more))
    are_few = f.lt("%n", q.lanes)
    callee = f.choose(are_few, f"@{q.name}.split_few", f"@{q.name}.split", "ptr")
    return f.call("i64", callee, *given, "i64 0")


def _permutes(q: Quick) -> bool:
    return q.lanes <= TABLE_LANES and not q.has_positions


def declarations(q: Quick) -> str:
    if _permutes(q):
        return permutation(q.vector_bytes)
    return compression(q.bits, q.lanes)


def _split(q: Quick, name: str = "split") -> Asm:
    params = ("ptr x", "ptr y", "i64 n", f"{q.key} p", "i64 less", *q.more)
    return Asm("i64", f"{q.name}.{name}", params, internal=True)


# -- by permutations ---------------------------------------------------------------------------------------------------
def _permuting(q: Quick) -> str:
    """What is no whole vector is split first: behind the front of x stands again what stood there, before the end of y
    is written what is written over later."""
    f, W = _split(q), q.lanes
    v, few = Vectors(f, q.bits, W), f.and_("%n", W - 1)
    p, table = v.every("%p"), f"@{q.name}.orders"
    there = f.sub(f.shl(1, few), 1)

    def below(x: str) -> str:
        is_less = f.op(f"icmp {q.below} {q.kind} {x}, {p}")
        return f.op(f"zext i{W} {f.op(f'bitcast {q.mask} {is_less} to i{W}')} to i64")

    x = q.load(f, "%x")
    less = f.and_(below(x), there)
    rest = f.xor(f.xor(less, there), (1 << W) - 1)  # all lanes but those of the others
    q.store(f, permuted(v, table, x, less), "%x")
    q.store(f, permuted(v, table, x, rest), q.at(f, "%y", f.sub("%n", W)))
    kept = f.call("i64", "@llvm.ctpop.i64", f"i64 {less}")
    end = f.sub("%n", f.sub(few, kept))
    with long_loop(f, "%n", ("i64", kept), ("i64", end), start=few, step=W) as loop:
        kept, end = loop.values
        x = q.load(f, q.at(f, "%x", loop.index))
        less = below(x)
        x, place = permuted(v, table, x, less), f.sub(end, W)
        q.store(f, x, q.at(f, "%x", kept))
        q.store(f, x, q.at(f, "%y", place))
        count = f.call("i64", "@llvm.ctpop.i64", f"i64 {less}")
        loop.next = [f.add(kept, count), f.add(place, count)]
    f.ret("i64", loop.values[0])
    return f.text


def _one_by_one(q: Quick) -> str:
    """The same of fewer elements than a vector has."""
    f = _split(q, "split_few")
    with f.loop("%n", ("i64", "0"), ("i64", "%n")) as loop:
        kept, end = loop.values
        key, last = f.load(q.key, q.at(f, "%x", loop.index)), f.sub(end, 1)
        f.store(q.key, key, q.at(f, "%x", kept))
        f.store(q.key, key, q.at(f, "%y", last))
        is_less = f.op(f"zext i1 {f.compare(q.below, q.key, key, '%p')} to i64")
        loop.next = [f.add(kept, is_less), f.add(last, is_less)]
    f.ret("i64", loop.values[0])
    return f.text


# -- by compressing ----------------------------------------------------------------------------------------------------
def _compressing(q: Quick) -> str:
    f, W = _split(q), q.lanes
    p, whole = Vectors(f, q.bits, W).every("%p"), f.and_("%n", -W)
    # of keys alone the others are written from the end
    start = "%less" if q.has_positions else "%n"
    with long_loop(f, whole, ("i64", "0"), ("i64", start), step=W) as loop:
        loop.next = _moved(q, f, p, loop.index, *loop.values)
    last = q.lanes_below(f, f.sub("%n", whole))
    kept, place = loop.values
    f.ret("i64", _moved(q, f, p, whole, kept, place, last)[0])
    return f.text


def _moved(q: Quick, f: Asm, p: str, index: str, kept: str, place: str, positions: str = "") -> list[str]:
    """(what stays, the place of the next others) behind a vector, or some of its lanes."""
    columns = [q.load(f, a, positions) for a in q.columns(f, q.at(f, "%x", index))]
    is_less = f.op(f"icmp {q.below} {q.kind} {columns[0]}, {p}")
    others = f.op(f"xor {q.mask} {is_less}, splat (i1 true)")
    if positions:
        is_less, others = (f.op(f"and {q.mask} {m}, {positions}") for m in (is_less, others))
    counts = [set_lanes(f, m, q.lanes) for m in (is_less, others)]
    following = f.op(f"{'add' if q.has_positions else 'sub'} i64 {place}, {counts[1]}")
    to = q.at(f, "%x", kept), q.at(f, "%y", place if q.has_positions else following)
    # what a whole vector writes behind the ones that stay has been read
    masks = q.lanes_below(f, counts[0]) if positions else "", q.lanes_below(f, counts[1])
    for base, lanes, mask in zip(to, (is_less, others), masks, strict=True):
        for target, x in zip(q.columns(f, base), columns, strict=True):
            q.store(f, compressed(Vectors(f, q.bits, q.lanes), x, lanes), target, mask)
    return [f.add(kept, counts[0]), following]
