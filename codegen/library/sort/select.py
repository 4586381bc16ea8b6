"""Selection: some places of a sorted line without sorting it, as medians and quantiles want.

Contract  `narrow.SOURCE(x, n, x_step, a, b, first, count)`: the sorted keys at the places, or null.
How       two numbers of a sorted sample bracket the places; one pass keeps what lies between and counts what is below,
          and what is kept is narrowed again.  Where the sample was wrong the caller sorts what it has.
Ref       R. Floyd and R. Rivest, Algorithm 489: SELECT, 1975.
"""

from __future__ import annotations

from tensordsl.codegen.library.signals import long_loop
from tensordsl.codegen.library.sort.compress import TABLE_LANES
from tensordsl.codegen.library.sort.text import Keys, Vectors, compressed, compression, permutation, permuted, set_lanes
from tensordsl.codegen.llvm.builder import UNLIKELY, Asm, passed
from tensordsl.codegen.target.tuning import ANY, Tuning

SAMPLES = ((128, 20), (1024, 56))  # how many; places to either side, 3.5 deviations of a middle one's
PARAMS = ("ptr x", "i64 n", "i64 x_step", "ptr a", "ptr b", "i64 first", "i64 count")
RANDOM = 6364136223846793005, 1442695040888963407  # Knuth's MMIX generator
ORDERS = "narrow.orders"


def narrow_text(k: Keys) -> str:
    """`ptr @narrow.SOURCE(x, n, x_step, a, b, first, count)`: the sorted keys at the places, or null; all keys are in
    `a` and `b`, which have room for n.  SOURCE: x holds `numbers`, or `keys`, which are then sorted instead of null."""
    text = permutation(k.vector_bytes) if permutes(k) else compression(k.width, k.lanes)
    text += "declare i64 @llvm.ctpop.i64(i64)\n"
    return text + "".join(part(k, source) for source in ("keys", "numbers") for part in (_sample, _between, _narrow))


def permutes(k: Keys) -> bool:
    """Whether vectors have no instruction of their own that compresses them, but a table."""
    return k.vector_bytes == 32 and k.lanes <= TABLE_LANES


def _key(f: Asm, k: Keys, source: str, at: str, W: int) -> tuple[str, str]:
    """(the keys of W elements from one on, whether the library has to tell them from others that are equal)."""
    place = f.gep("%x", f.mul(at, "%x_step"))
    if source == "keys":
        return f.op(f"load {k.typed(k.width, W)}, ptr {place}, align {k.width // 8}"), ""
    x = k.loaded(f, place, W)
    return k.ordered(f, x, W), k.is_special(f, x, W) if k.is_float else ""


def _sample(k: Keys, source: str) -> str:
    """One of each `stride` elements, at random."""
    f = Asm("void", f"sample.{source}", ("ptr x", "i64 x_step", "ptr a", "i64 size", "i64 apart"), internal=True)
    with f.loop("%size", ("i64", "0")) as loop:
        number = f.add(f.mul(loop.values[0], RANDOM[0]), RANDOM[1])
        behind = f.urem(f.lshr(number, 33), "%apart")
        key, _ = _key(f, k, source, f.add(f.mul(loop.index, "%apart"), behind), 1)
        f.store(f"i{k.width}", key, f.gep("%a", loop.index, f"i{k.width}"))
        loop.next = [number]
    f.ret()
    return f.text


def _between(k: Keys, source: str) -> str:
    """(how many keys from low to high stand at a now, how many are below); the first is -1 if x has special numbers."""
    key_type = f"i{k.width}"
    params = ("ptr x", "i64 n", "i64 x_step", "ptr a", f"{key_type} low", f"{key_type} high")
    f = Asm("{i64, i64}", f"between.{source}", params, internal=True)

    def look(W: int, at: str, kept: str, below: str, flag: str) -> list[str]:
        t, bit = k.typed(k.width, W), k.typed(1, W)
        key, special = _key(f, k, source, at, W)
        is_less, is_more = (f.op(f"icmp {c} {t} {key}, {limits[W][c]}") for c in ("slt", "sgt"))
        inside = f.op(f"xor {bit} {f.op(f'or {bit} {is_less}, {is_more}')}, {k.const(-1, W, 1)}")
        place = f.gep("%a", kept, key_type)
        if W > 1 and permutes(k):
            lanes = f.op(f"zext i{W} {f.op(f'bitcast {bit} {inside} to i{W}')} to i64")
            key = permuted(Vectors(f, k.width, W), f"@{ORDERS}", key, lanes)
        elif W > 1:
            key = compressed(Vectors(f, k.width, W), key, inside)
        f.do(f"store {t} {key}, ptr {place}, align {k.width // 8}")
        more, lower = (set_lanes(f, mask, W) for mask in (inside, is_less))
        flag = f.op(f"or {bit} {flag}, {special}") if special else flag
        return [f.add(kept, more), f.add(below, lower), flag]

    limits = {W: {"slt": _every(f, k, "%low", W), "sgt": _every(f, k, "%high", W)} for W in (1, k.lanes)}
    adjacent = f.eq("%x_step", k.size if source == "numbers" else k.width // 8)
    whole, bits = f.choose(adjacent, f.and_("%n", -k.lanes), 0), k.typed(1, k.lanes)
    with long_loop(f, whole, ("i64", "0"), ("i64", "0"), (bits, "zeroinitializer"), step=k.lanes) as loop:
        loop.next = look(k.lanes, loop.index, *loop.values)
    flag = f.op(f"icmp ne i{k.lanes} {f.op(f'bitcast {bits} {loop.values[2]} to i{k.lanes}')}, 0")
    with f.loop("%n", *zip(("i64", "i64", "i1"), (*loop.values[:2], flag), strict=True), start=whole) as loop:
        loop.next = look(1, loop.index, *loop.values)
    kept = f.choose(loop.values[2], -1, loop.values[0])
    result = f.op(f"insertvalue {{i64, i64}} poison, i64 {kept}, 0")
    f.ret("{i64, i64}", f.op(f"insertvalue {{i64, i64}} {result}, i64 {loop.values[1]}, 1"))
    return f.text


def _every(f: Asm, k: Keys, key: str, W: int) -> str:
    if W == 1:
        return key
    t = k.typed(k.width, W)
    one = f.op(f"insertelement {t} poison, i{k.width} {key}, i64 0")
    return f.op(f"shufflevector {t} {one}, {t} poison, <{W} x i32> zeroinitializer")


def _narrow(k: Keys, source: str) -> str:
    f, key_type = Asm("ptr", f"narrow.{source}", PARAMS, internal=True), f"i{k.width}"
    least = k.tuning.sort.select_min_elements if k.tuning.allows("partial_selection") else ANY
    with f.when(f.any(f.lt("%n", least), _is_wide(f, k.tuning))):
        _give_up(f, k, source)
    is_many = f.ge("%n", k.tuning.sort.select_large_min_elements)
    size, margin = (f.choose(is_many, many, few) for few, many in zip(*SAMPLES, strict=True))
    stride = f.udiv("%n", size)
    f.call("void", f"@sample.{source}", "ptr %x", "i64 %x_step", "ptr %a", f"i64 {size}", f"i64 {stride}")
    room = f.gep("%a", f.add(size, k.lanes), key_type)
    sample = f.call("ptr", "@plain", "ptr %a", f"ptr {room}", f"i64 {size}", f"i64 {k.size}")
    last = f.sub("%count", 1)
    limits = []
    ends = ("%first", "sub", ~k.greatest), (f.add("%first", last), "add", k.greatest)
    for place, by, outside in ends:
        at = f.udiv(f.mul(place, size), "%n")
        at = f.op(f"{by} i64 {at}, {margin}")
        is_there = f.compare("ult", "i64", at, size)
        key = f.load(key_type, f.gep(sample, f.choose(is_there, at, 0), key_type))
        limits.append(f.op(f"select i1 {is_there}, {key_type} {key}, {key_type} {outside}"))
    given = (f"{key_type} {limit}" for limit in limits)
    found = f.call("{i64, i64}", f"@between.{source}", *passed(PARAMS[:4]), *given)
    kept, below = (f.op(f"extractvalue {{i64, i64}} {found}, {n}") for n in range(2))
    first = f.sub("%first", below)
    are_there = f.ge(first, 0), f.le(f.add(first, "%count"), kept)
    with f.when(f.op(f"xor i1 {f.all(*are_there)}, true"), UNLIKELY):
        _give_up(f, k, source)
    with f.when(f.compare("eq", key_type, *limits)):
        f.ret("ptr", f.gep("%a", first, key_type))
    with f.when(f.gt(kept, f.lshr("%n", 1))):
        _give_up(f, k, source)
    rest = "ptr %a", f"i64 {kept}", f"i64 {k.width // 8}", "ptr %b", "ptr %a", f"i64 {first}", "i64 %count"
    f.ret("ptr", f.call("ptr", "@narrow.keys", *rest))
    return f.text


def _is_wide(f: Asm, t: Tuning) -> str:
    return f.gt("%count", f.sdiv("%n", t.sort.select_max_share))


def _give_up(f: Asm, k: Keys, source: str) -> None:
    if source == "numbers":
        f.ret("ptr", "null")
        return
    keys = f.call("ptr", "@plain", "ptr %x", "ptr %a", "i64 %n", f"i64 {k.size}")
    f.ret("ptr", f.gep(keys, "%first", f"i{k.width}"))
