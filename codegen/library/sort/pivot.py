"""Pivots of quicksort: the median of sampled keys or, after bad splits, of the part itself.

Contract  `pivot`: the key to split n keys at, and how many are less: some, and all only if all are equal.
Why       samples stand at places without a period, as lines may have one; the exact median bounds the worst case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Kind, Signature, array, i64, signature
from tensordsl.codegen.library.polls import polled_range
from tensordsl.codegen.library.sort.networks import UnsignedVectors, Vectors, sorted_block

if TYPE_CHECKING:
    from tensordsl.codegen.library.sort.quicksort import Quick

SAMPLE_MODULUS, SAMPLE_FACTOR = 65537, 40503  # places of samples: powers of the factor, modulo the modulus, in parts


def functions(q: Quick) -> list[Function]:
    samples = [_sample(q, r) for r, _ in _samples(q)]
    return [*samples, *(part(q) for part in (_count, _median, _middle, _pivot))]


def _keys(q: Quick) -> dict[str, Kind]:
    return dict(x=array(q.key), n=i64)


def count_signature(q: Quick) -> Signature:
    return signature(f"{q.name}.count", i64, _keys(q), p=q.key)


def pivot_signature(q: Quick) -> Signature:
    return signature(f"{q.name}.pivot", (q.key, i64), _keys(q), depth=i64)


def middle_signature(q: Quick) -> Signature:
    return signature(f"{q.name}.middle", q.key, _keys(q), depth=i64)


def _sample_signature(q: Quick, r: int) -> Signature:
    return signature(f"{q.name}.sample{r}", q.key, _keys(q))


def _median_signature(q: Quick) -> Signature:
    return signature(f"{q.name}.median", q.key, _keys(q))


def _samples(q: Quick) -> list[tuple[int, int]]:
    """(registers, from how many keys on)"""
    two = q.tuning.sort.second_sample_min_keys
    return [(r * 64 // q.vector_bytes, least) for r, least in ((1, 0), (2, two))]


def _sample(q: Quick, r: int) -> Function:
    W = q.lanes

    @kernel(_sample_signature(q, r))
    def sample(k: Kernel, x: Pointer, n: Number) -> None:
        """The middle one of r registers of the n keys at x, one of each so many, at places that follow no period, as
        lines may have one; the next number if none of these keys is less."""
        stride = k.unsigned("udiv", n, r * W)
        values = []
        for at in range(r):
            value = k.anything(q.vector)
            for lane in range(W):
                whole = at * W + lane
                part = pow(SAMPLE_FACTOR, whole, SAMPLE_MODULUS)
                place = k.unsigned("udiv", stride * (whole * SAMPLE_MODULUS + part), SAMPLE_MODULUS)
                value = k.emit("insert", value, x[place], lane=lane)
            values.append(value)
        values = sorted_block((UnsignedVectors if q.has_positions else Vectors)(k, W), values)
        first = k.emit("extract", values[0], lane=0)
        middle = k.emit("extract", values[r // 2], lane=0 if r > 1 else W // 2)
        are_equal = (first == middle) & (middle != q.greatest)
        k.ret(middle + are_equal.unsigned(q.key))

    return sample


def _count(q: Quick) -> Function:
    W = q.lanes

    @kernel(count_signature(q))
    def count(k: Kernel, x: Pointer, n: Number, p: Number) -> None:
        """How many of the n keys at x are less than p."""
        every, whole = k.splat(p, W), n & -W
        counts = k.variable(0, q.vector)

        def add(keys: Number) -> None:
            is_less = q.below(keys, every)
            counts.set(counts + k.select(is_less, k.number(1, q.vector), k.number(0, q.vector)))

        with polled_range(k, whole, step=W) as i:
            add((x + i).load(W))
        add(q.load(x + whole, q.lanes_below(k, n - whole)))  # lanes left out are never less
        k.ret(k.emit("reduce", counts, by="add").unsigned(i64))

    return count


def _median(q: Quick) -> Function:
    @kernel(_median_signature(q))
    def median(k: Kernel, x: Pointer, n: Number) -> None:
        """The key of which at most half of the n at x are less, and more than half are not greater."""
        half = k.unsigned("lshr", n, 1)
        found = k.variable(0 if q.has_positions else ~q.greatest, q.key)
        bit = k.variable(-1 << (q.bits - 1), q.key)
        with k.range(q.bits):
            tried = found ^ bit
            less = k.call(count_signature(q), x, n, tried)
            found.set(k.select(less <= half, tried, found))
            bit.set(k.unsigned("lshr", bit, 1))
        k.ret(found)

    return median


def _middle(q: Quick) -> Function:
    (few, _), (many, least) = _samples(q)

    @kernel(middle_signature(q))
    def middle(k: Kernel, x: Pointer, n: Number, depth: Number) -> None:
        """Of samples of n keys the middle one; behind the last split the middle one of all."""
        with k.when(depth <= 0, likely=False):
            k.ret(k.call(_median_signature(q), x, n))
        with k.when(n >= q.tuning.sort.three_samples_min_keys):
            third = k.unsigned("udiv", n, 3)
            places = [x, *(x + third * m for m in (1, 2))]
            k.ret(_middle_of_three(q, *(k.call(_sample_signature(q, many), place, third) for place in places)))
        with k.when(n >= least):
            k.ret(k.call(_sample_signature(q, many), x, n))
        k.ret(k.call(_sample_signature(q, few), x, n))

    return middle


def _middle_of_three(q: Quick, a: Number, b: Number, c: Number) -> Number:
    def chosen(x: Number, y: Number, is_less: bool) -> Number:
        first = q.below(x, y)
        return x.k.select(first, x if is_less else y, y if is_less else x)

    return chosen(chosen(a, b, True), chosen(chosen(a, b, False), c, True), False)


def _pivot(q: Quick) -> Function:
    @kernel(pivot_signature(q))
    def pivot(k: Kernel, x: Pointer, n: Number, depth: Number) -> None:
        """Where to split the n keys at x, and how many are less: some, and all of them only if they are equal."""

        def count(p: Number) -> Number:
            return k.call(count_signature(q), x, n, p)  # type: ignore[no-any-return]  # of any type

        p = k.call(middle_signature(q), x, n, depth)
        less = count(p)
        is_none, is_all = less == 0, less == n
        with k.when(~(is_none | is_all), likely=True):
            k.ret(p, less)
        with k.when(is_all):  # by the key before: it is there, as it was sampled
            before = p - 1
            less = count(before)
            k.ret(before, k.select(less == 0, n, less))
        with k.when(p == q.greatest):
            k.ret(p, n)
        behind = p + 1
        k.ret(behind, count(behind))

    return pivot
