"""The partition step of quicksort by whole vectors: keys below a pivot to one side, all others to the other.

Contract  `NAME.split(x, y, n, p, less)`: the front of x, and y; gives how many are below p.
How       vectors of eight lanes at most are permuted by a table, what stays first, and stored whole to either side;
          others, and pairs, whose order is kept, are compressed twice (AVX-512).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensordsl.codegen.kernel_ir.ir import Function, Table
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Signature, i64, signature
from tensordsl.codegen.library.polls import polled_range
from tensordsl.codegen.library.sort.compress import TABLE_LANES, orders, permuted
from tensordsl.codegen.library.sort.networks import lane_bits, set_lanes
from tensordsl.codegen.library.sort.pivot import count_signature

if TYPE_CHECKING:
    from tensordsl.codegen.library.sort.quicksort import Quick


def split_signature(q: Quick, name: str = "split") -> Signature:
    """Of the n elements at x those below p go to the front of x, the others to y, from `less` on; how many are below.
    Of keys alone it finds that out itself, and does without `less`."""
    return signature(f"{q.name}.{name}", i64, {**q.buffers, "p": q.key, "less": i64, **q.more})


def functions(q: Quick) -> list[Function]:
    return [_permuting(q), _one_by_one(q)] if _permutes(q) else [_compressing(q)]


def tables(q: Quick) -> list[Table]:
    return [_orders(q)] if _permutes(q) else []


def any_length(q: Quick, k: Kernel, x: Pointer, y: Pointer, n: Number, p: Number, *more: Number) -> Number:
    """The same of elements that may be fewer than a vector has; `less` is counted if wanted."""
    less: Any = k.call(count_signature(q), x, n, p) if q.has_positions else 0
    whole: Any = split_signature(q)
    if not _permutes(q):
        return k.call(whole, x, y, n, p, less, *more)  # type: ignore[no-any-return]  # of any type
    callee = k.select(n < q.lanes, k.address(split_signature(q, "split_few")), k.address(whole))
    return k.call_at(callee, whole, x, y, n, p, 0)  # type: ignore[no-any-return]  # of any type


def _permutes(q: Quick) -> bool:
    return q.lanes <= TABLE_LANES and not q.has_positions


# -- by permutations ---------------------------------------------------------------------------------------------------
def _orders(q: Quick) -> Table:
    return orders(f"{q.name}.orders", q.lanes)


def _permuting(q: Quick) -> Function:
    W, table = q.lanes, _orders(q)

    @kernel(split_signature(q))
    def split(k: Kernel, x: Pointer, y: Pointer, n: Number, p: Number, less: Any) -> None:
        """What is no whole vector is split first: behind the front of x stands again what stood there, before the end
        of y is written what is written over later."""
        few, every = n & W - 1, k.splat(p, W)
        there = (k.number(1, i64) << few) - 1

        def below(v: Number) -> Number:
            return lane_bits(q.below(v, every)).unsigned(i64)

        v = x.load(W)
        less = below(v) & there
        rest = less ^ there ^ ((1 << W) - 1)  # all lanes but those of the others
        x.store(permuted(v, table, less))
        (y + (n - W)).store(permuted(v, table, rest))
        count = k.emit("ctpop", less)
        kept, end = k.variable(count), k.variable(n - (few - count))
        with polled_range(k, n, start=few, step=W) as i:
            v = (x + i).load(W)
            less = below(v)
            v, place = permuted(v, table, less), end - W
            (x + kept).store(v)
            (y + place).store(v)
            count = k.emit("ctpop", less)
            kept.set(kept + count)
            end.set(place + count)
        k.ret(kept)

    return split


def _one_by_one(q: Quick) -> Function:
    @kernel(split_signature(q, "split_few"))
    def split_few(k: Kernel, x: Pointer, y: Pointer, n: Number, p: Number, less: Number) -> None:
        """The same of fewer elements than a vector has."""
        kept, end = k.variable(0, i64), k.variable(n)
        with k.range(n) as i:
            key, last = x[i], end - 1
            x[kept] = key
            y[last] = key
            is_less = q.below(key, p).unsigned(i64)
            kept.set(kept + is_less)
            end.set(last + is_less)
        k.ret(kept)

    return split_few


# -- by compressing ----------------------------------------------------------------------------------------------------
def _compressing(q: Quick) -> Function:
    W = q.lanes

    @kernel(split_signature(q))
    def split(k: Kernel, x: Pointer, y: Pointer, n: Number, p: Number, less: Number, *more: Number) -> None:
        every, whole = k.splat(p, W), n & -W
        # of keys alone the others are written from the end
        kept, place = k.variable(0, i64), k.variable(less if q.has_positions else n)

        def move(index: Number, some: Number | None = None) -> None:
            """Of a vector, or some of its lanes."""
            columns = [q.load(at, some) for at in q.columns(x + index, more)]
            is_less = q.below(columns[0], every)
            others = ~is_less
            if some is not None:
                is_less, others = is_less & some, others & some
            counts = [set_lanes(lanes) for lanes in (is_less, others)]
            following = place + counts[1] if q.has_positions else place - counts[1]
            to = x + kept, y + (place if q.has_positions else following)
            # what a whole vector writes behind the ones that stay has been read
            masks = q.lanes_below(k, counts[0]) if some is not None else None, q.lanes_below(k, counts[1])
            for base, lanes, mask in zip(to, (is_less, others), masks, strict=True):
                for target, v in zip(q.columns(base, more), columns, strict=True):
                    target.store(k.compress(v, lanes), mask)
            kept.set(kept + counts[0])
            place.set(following)

        with polled_range(k, whole, step=W) as i:
            move(i)
        move(whole, q.lanes_below(k, n - whole))
        k.ret(kept)

    return split
