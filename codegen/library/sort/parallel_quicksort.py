"""Parallel quicksort: slices of a line are split at common keys into buckets, and threads sort a bucket each.

Contract  as `quicksort`'s `sort`, with a pool of threads; the order is one, whoever does what.
When      a pool is there, and the line has 65,536 keys and more.
Ref       sample sort: W. Frazer and A. McKellar, 1970.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.structs import Fields, Struct
from tensordsl.codegen.kernel_ir.types import Kind, Signature, array, i1, i64, ptr, signature
from tensordsl.codegen.library.sort import partition, pivot
from tensordsl.codegen.library.sort.parallel_lines import parallel_min_keys
from tensordsl.codegen.library.tasks import share, task_signature

if TYPE_CHECKING:
    from tensordsl.codegen.library.sort.quicksort import Quick

MAX_BUCKETS = 32  # a power of two


def functions(q: Quick) -> list[Function]:
    return [part(q) for part in (_deal, _slice, _place, _finish, _sampled, _pivots, _shared)]


def _job(q: Quick) -> Struct:
    """`starts`: where in the line the part of each bucket and slice goes, by buckets, before that how many keys it has;
    `pivots`: the keys of a binary tree, the children of node k are 2k and 2k + 1."""
    keys = array(q.key)
    return Struct(
        a=keys, b=keys, n=i64, shift=i64, size=i64, slices=i64, buckets=i64, pivots=keys, starts=array(i64)
    )  # fmt: skip


def shared_signature(q: Quick) -> Signature:
    s = q.signature()
    return signature(f"{q.name}.shared", s.results, dict(s.parameters), pool=ptr)


# -- parts of the job --------------------------------------------------------------------------------------------------
def _task(q: Quick, name: str, body: Callable[..., None]) -> Function:
    """`body(k, the job's fields, number, more)`."""

    @kernel(task_signature(f"{q.name}.{name}"))
    def task(k: Kernel, job: Pointer, i: Number) -> None:
        fields = Fields(_job(q), job)
        body(k, fields, i, [fields.shift] if q.has_positions else [])

    return task


def _slice(q: Quick) -> Function:
    def body(k: Kernel, job: Any, i: Number, more: list[Number]) -> None:
        """A slice, in buckets."""
        first = i * job.size
        n = k.min(job.size, job.n - first)
        k.call(_deal_signature(q), job.place, job.a + first, job.b + first, n, 1, job.starts + i, True, *more)

    return _task(q, "slice", body)


def _deal_signature(q: Quick) -> Signature:
    own: dict[str, Kind] = dict(node=i64, counts=array(i64), stays=i1)
    return signature(f"{q.name}.deal", None, {"job": ptr, **q.buffers, **own, **q.more})


def _deal(q: Quick) -> Function:
    @kernel(_deal_signature(q))
    def deal(
        k: Kernel, job: Pointer, x: Pointer, y: Pointer, n: Number, node: Number, counts: Pointer, stays: Number,
        *more: Number,
    ) -> None:  # fmt: skip
        """The n keys at x below a node of the pivots' tree, in its buckets, where they stand or, unless `stays`, at
        y."""
        given = Fields(_job(q), job)
        with k.when(n == 0, likely=False):
            k.ret()
        buckets = given.buckets
        with k.when(k.unsigned("uge", node, buckets)):
            counts[(node - buckets) * given.slices] = n
            with k.when(~stays):
                k.call(q.buffers_signature("copy"), x, y, n, *more)
            k.ret()
        less = partition.any_length(q, k, x, y, n, given.pivots[node], *more)
        child, rest, moves = node << 1, n - less, ~stays
        sides = (x, y, less, child, stays), (y + less, x + less, rest, child | 1, moves)
        for x, y, n, node, stays in sides:
            k.call(_deal_signature(q), job, x, y, n, node, counts, stays, *more)

    return deal


def _place(q: Quick) -> Function:
    def body(k: Kernel, job: Any, i: Number, more: list[Number]) -> None:
        """The parts of a slice to those of other slices."""
        a, b, slices, starts = job.a, job.b, job.slices, job.starts
        first = k.variable(i * job.size)
        with k.range(job.buckets) as bucket:
            at = starts + (bucket * slices + i)
            start = at[0]
            n = at[1] - start
            k.call(q.buffers_signature("copy"), a + first, b + start, n, *more)
            first += n

    return _task(q, "place", body)


def _finish(q: Quick) -> Function:
    def body(k: Kernel, job: Any, i: Number, more: list[Number]) -> None:
        """A bucket, sorted."""
        at = job.starts + i * job.slices
        start = at[0]
        n = at[job.slices] - start
        with k.when(n > 0):
            q.from_the_top(k, job.b + start, job.a + start, n, False, *more)

    return _task(q, "finish", body)


# -- pivots ------------------------------------------------------------------------------------------------------------
def _sample_keys(q: Quick) -> int:
    """Room for a sample, and a vector."""
    return q.tuning.sort.samples_per_bucket * MAX_BUCKETS + 16


def _sampled_signature(q: Quick) -> Signature:
    return signature(f"{q.name}.sampled", a=array(q.key), n=i64, sample=array(q.key), count=i64)


def _sampled(q: Quick) -> Function:
    @kernel(_sampled_signature(q))
    def sampled(k: Kernel, a: Pointer, n: Number, sample: Pointer, count: Number) -> None:
        """`count` of the n keys at a, sorted, to `sample`: one of each so many, at places that follow no period."""
        stride, power = k.unsigned("udiv", n, count), k.variable(1, i64)
        with k.range(count) as i:
            within = k.unsigned("udiv", stride * power, pivot.SAMPLE_MODULUS)
            sample[i] = a[stride * i + within]
            if q.has_positions:
                sample[i + 2 * _sample_keys(q)] = i
            power.set(k.unsigned("urem", power * pivot.SAMPLE_FACTOR, pivot.SAMPLE_MODULUS))
        more = [2 * _sample_keys(q) * q.size] if q.has_positions else []
        q.from_the_top(k, sample, sample + _sample_keys(q), count, True, *more)

    return sampled


def _pivots_signature(q: Quick) -> Signature:
    return signature(f"{q.name}.pivots", i64, a=array(q.key), n=i64, pivots=array(q.key))


def _pivots(q: Quick) -> Function:
    t = q.tuning.sort

    @kernel(_pivots_signature(q))
    def pivots(k: Kernel, a: Pointer, n: Number, pivots: Pointer) -> None:
        """How many buckets; at `pivots` the tree of their borders, the different ones among some of a sample."""
        sample = k.alloca(q.key, (4 if q.has_positions else 2) * _sample_keys(q), align=64)
        most = k.min(_power(k.unsigned("udiv", n, t.bucket_min_keys)), MAX_BUCKETS)
        k.call(_sampled_signature(q), a, n, sample, most * t.samples_per_bucket)
        found = k.variable(0, i64)
        with k.range(most, start=1) as i:
            key = sample[i * t.samples_per_bucket]
            last = sample[k.max(found - 1, 0)]
            sample[found] = key
            found += ((key != last) | (found == 0)).unsigned(i64)
        last, buckets = found - 1, _power(found) << 1
        with k.range(buckets, start=1) as i:  # the middle one of those below the node, of the last ones again
            stride = k.unsigned("udiv", buckets, _power(i))
            middle = k.unsigned("lshr", (i << 1 | 1) * stride, 1)
            pivots[i] = sample[k.min(middle - buckets - 1, last)]
        k.ret(buckets)

    return pivots


def _power(x: Number) -> Number:
    """The greatest power of two that is no more than x."""
    k = x.k
    return k.unsigned("lshr", k.number(-1 << 63, i64), k.emit("ctlz", x, of_zero=True))


# -- the whole ---------------------------------------------------------------------------------------------------------
def _shared(q: Quick) -> Function:
    t = q.tuning.sort

    @kernel(shared_signature(q))
    def shared(k: Kernel, a: Pointer, b: Pointer, n: Number, more: Number, pool: Pointer) -> None:
        """As `sort`, by the threads of a pool if there is one and the keys are many: their order is one, whoever does
        what."""
        with k.when((pool == k.null) | (n < parallel_min_keys(q.tuning))):
            k.ret(k.call(q.signature(), a, b, n, more))
        if not q.has_positions:
            with k.when(k.call(q.is_sorted_signature(), a, n)):
                k.ret(a)
        pivots = k.alloca(q.key, MAX_BUCKETS, align=64)
        starts = k.alloca(i64, MAX_BUCKETS * t.max_slices + 1, align=64)
        buckets = k.call(_pivots_signature(q), a, n, pivots)
        with k.when(k.unsigned("ule", buckets, t.few_buckets)):
            k.ret(k.call(q.signature(), a, b, n, more))
        size = k.max(k.min(k.unsigned("udiv", n, t.slices), t.slice_max_keys), t.slice_min_keys)
        size = k.max(size, k.unsigned("udiv", n, t.max_slices))
        size = size + t.slice_multiple_keys & -t.slice_multiple_keys
        slices = k.unsigned("udiv", n + (size - 1), size)
        shift = more if q.has_positions else k.number(0, i64)
        job = _job(q).made(
            k, a=a, b=b, n=n, shift=shift, size=size, slices=slices, buckets=buckets, pivots=pivots, starts=starts
        )  # fmt: skip
        end = buckets * slices
        with k.range(end) as i:
            starts[i] = 0
        share(k, pool, task_signature(f"{q.name}.slice"), job, slices)
        place = k.variable(0, i64)
        with k.range(end) as i:
            behind = place + starts[i]
            starts[i] = place
            place.set(behind)
        starts[end] = n
        share(k, pool, task_signature(f"{q.name}.place"), job, slices)
        share(k, pool, task_signature(f"{q.name}.finish"), job, buckets)
        k.ret(a)

    return shared
