"""Pivots of quicksort: the median of sampled keys or, after bad splits, of the part itself.

Contract  `pivot`: the key to split n keys at, and how many are less: some, and all only if all are equal.
Why       samples stand at places without a period, as lines may have one; the exact median bounds the worst case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensordsl.codegen.library.signals import long_loop
from tensordsl.codegen.library.sort.networks import Vectors, sorted_block
from tensordsl.codegen.llvm.builder import LIKELY, UNLIKELY, Asm, passed

if TYPE_CHECKING:
    from tensordsl.codegen.library.sort.quicksort import Quick

SAMPLE_MODULUS, SAMPLE_FACTOR = 65537, 40503  # places of samples: powers of the factor, modulo the modulus, in parts


def text(q: Quick) -> str:
    samples = "".join(_sample(q, r) for r, _ in _samples(q))
    return samples + "".join(part(q) for part in (_count, _median, _middle, _pivot))


def _samples(q: Quick) -> list[tuple[int, int]]:
    """(registers, from how many keys on)"""
    two = q.tuning.sort.second_sample_min_keys
    return [(r * 64 // q.vector_bytes, least) for r, least in ((1, 0), (2, two))]


def _sample(q: Quick, r: int) -> str:
    """The middle one of r registers of the n keys at x, one of each so many, at places that follow no period, as lines
    may have one; the next number if none of these keys is less."""
    f, W = Asm(q.key, f"{q.name}.sample{r}", ("ptr x", "i64 n"), internal=True), q.lanes
    stride = f.udiv("%n", r * W)
    values = []
    for at in range(r):
        value = "poison"
        for lane in range(W):
            whole = at * W + lane
            part = pow(SAMPLE_FACTOR, whole, SAMPLE_MODULUS)
            place = f.udiv(f.mul(stride, whole * SAMPLE_MODULUS + part), SAMPLE_MODULUS)
            key = f.load(q.key, q.at(f, "%x", place))
            value = f.op(f"insertelement {q.kind} {value}, {q.key} {key}, i64 {lane}")
        values.append(value)
    values = sorted_block(Vectors(f, q.bits, W, q.has_positions), values)
    first = f.op(f"extractelement {q.kind} {values[0]}, i64 0")
    middle = f.op(f"extractelement {q.kind} {values[r // 2]}, i64 {0 if r > 1 else W // 2}")
    are_equal = f.all(f.compare("eq", q.key, first, middle), f.compare("ne", q.key, middle, q.greatest))
    f.ret(q.key, f.op(f"add {q.key} {middle}, {f.op(f'zext i1 {are_equal} to {q.key}')}"))
    return f.text


def _count(q: Quick) -> str:
    """i64: how many of the n keys at x are less than p."""
    f, W = Asm("i64", f"{q.name}.count", ("ptr x", "i64 n", f"{q.key} p"), internal=True), q.lanes
    p, whole = Vectors(f, q.bits, W).every("%p"), f.and_("%n", -W)

    def add(counts: str, keys: str) -> str:
        is_less = f.op(f"icmp {q.below} {q.kind} {keys}, {p}")
        one = f.op(f"select {q.mask} {is_less}, {q.kind} splat ({q.key} 1), {q.kind} zeroinitializer")
        return f.op(f"add {q.kind} {counts}, {one}")

    with long_loop(f, whole, (q.kind, "zeroinitializer"), step=W) as loop:
        loop.next = [add(loop.values[0], q.load(f, q.at(f, "%x", loop.index)))]
    last = q.lanes_below(f, f.sub("%n", whole))
    counts = add(loop.values[0], q.load(f, q.at(f, "%x", whole), last))  # lanes left out are never less
    total = f.call(q.key, f"@llvm.vector.reduce.add.v{W}{q.key}", f"{q.kind} {counts}")
    f.ret("i64", total if q.bits == 64 else f.op(f"zext {q.key} {total} to i64"))
    return f.text


def _median(q: Quick) -> str:
    """The key of which at most half of the n at x are less, and more than half are not greater."""
    f = Asm(q.key, f"{q.name}.median", ("ptr x", "i64 n"), internal=True)
    half, highest = f.lshr("%n", 1), 1 << (q.bits - 1)
    least = "0" if q.below == "ult" else str(~q.greatest)
    with f.loop(q.bits, (q.key, least), (q.key, str(highest))) as loop:
        found, bit = loop.values
        tried = f.op(f"xor {q.key} {found}, {bit}")
        less = f.call("i64", f"@{q.name}.count", "ptr %x", "i64 %n", f"{q.key} {tried}")
        is_low = f.le(less, half)
        loop.next = [
            f.op(f"select i1 {is_low}, {q.key} {tried}, {q.key} {found}"), f.op(f"lshr {q.key} {bit}, 1")
        ]  # fmt: skip
    f.ret(q.key, loop.values[0])
    return f.text


def _middle(q: Quick) -> str:
    f = Asm(q.key, f"{q.name}.middle", ("ptr x", "i64 n", "i64 depth"), internal=True)
    with f.when(f.le("%depth", 0), UNLIKELY):
        f.ret(q.key, f.call(q.key, f"@{q.name}.median", "ptr %x", "i64 %n"))
    (*_, most) = samples = _samples(q)
    with f.when(f.ge("%n", q.tuning.sort.three_samples_min_keys)):
        third = f.udiv("%n", 3)
        places = ["%x", *(q.at(f, "%x", f.mul(third, k)) for k in (1, 2))]
        keys = [f.call(q.key, f"@{q.name}.sample{most[0]}", f"ptr {place}", f"i64 {third}") for place in places]
        f.ret(q.key, _middle_of_three(q, f, *keys))
    for r, least in reversed(samples):
        with f.when(f.ge("%n", least)):
            f.ret(q.key, f.call(q.key, f"@{q.name}.sample{r}", "ptr %x", "i64 %n"))
    f.do("unreachable")
    f.closed = True
    return f.text


def _middle_of_three(q: Quick, f: Asm, a: str, b: str, c: str) -> str:
    def chosen(x: str, y: str, is_less: bool) -> str:
        first = f.compare(q.below, q.key, x, y)
        return f.op(f"select i1 {first}, {q.key} {x if is_less else y}, {q.key} {y if is_less else x}")

    return chosen(chosen(a, b, True), chosen(chosen(a, b, False), c, True), False)


def _pivot(q: Quick) -> str:
    """Where to split the n keys at x, and how many are less: some, and all of them only if they are equal."""
    result = f"{{{q.key}, i64}}"
    f = Asm(result, f"{q.name}.pivot", ("ptr x", "i64 n", "i64 depth"), internal=True)

    def answer(p: str, less: str) -> None:
        half = f.op(f"insertvalue {result} poison, {q.key} {p}, 0")
        f.ret(result, f.op(f"insertvalue {result} {half}, i64 {less}, 1"))

    def count(p: str) -> str:
        return f.call("i64", f"@{q.name}.count", "ptr %x", "i64 %n", f"{q.key} {p}")

    p = f.call(q.key, f"@{q.name}.middle", *passed(("ptr x", "i64 n", "i64 depth")))
    less = count(p)
    is_none, is_all = f.eq(less, 0), f.eq(less, "%n")
    with f.when(f.op(f"xor i1 {f.any(is_none, is_all)}, true"), LIKELY):
        answer(p, less)
    with f.when(is_all):  # by the key before: it is there, as it was sampled
        before = f.op(f"sub {q.key} {p}, 1")
        less = count(before)
        answer(before, f.choose(f.eq(less, 0), "%n", less))
    with f.when(f.compare("eq", q.key, p, q.greatest)):
        answer(p, "%n")
    behind = f.op(f"add {q.key} {p}, 1")
    answer(behind, count(behind))
    return f.text
