"""Positions where a mask is true, and each position as often as a count says (`positions`).

Contract  a mask or counts, and how many positions there are, computed before -> positions; never more are written.
How       64 bytes of a mask become bits; few are taken one by one, many by compressed vectors.
"""

from __future__ import annotations

from collections.abc import Iterable

from tensordsl.codegen.library.signals import POLL, long_loop
from tensordsl.codegen.llvm.builder import METADATA, Asm
from tensordsl.codegen.target.tuning import Tuning

CHUNK_BYTES = 64  # bytes of a mask looked at together
COMPRESSED_LANES = 8  # lanes of a vector that an instruction compresses
PARAMS = ("ptr bases", "ptr words", "i64 rank")
INTRINSICS = """declare i64 @llvm.ctpop.i64(i64)
declare i64 @llvm.cttz.i64(i64, i1)
declare i64 @llvm.smin.i64(i64, i64)
declare <8 x i64> @llvm.experimental.vector.compress.v8i64(<8 x i64>, <8 x i1>, <8 x i64>)
"""


def positions_text(t: Tuning) -> str:
    """The whole module; vectors of 64 bytes can compress their elements, those of 32 find them in a table."""
    vector_bytes = _vector_bytes(t)
    lanes = vector_bytes // 8
    bodies = [_taken_one_by_one(), _true(t), _repeated()]
    bodies += [_compressed(lanes)] if vector_bytes >= 32 else []
    bodies += [_lanes(lanes)] if vector_bytes == 32 else []
    return POLL + INTRINSICS + "".join(bodies) + METADATA


def _vector_bytes(t: Tuning) -> int:
    return t.machine.vector_bytes if t.allows("compressed_positions") else 0


def _taken_one_by_one() -> str:
    """i64: how many are written after the positions of the set bits, which are `first` and those after it."""
    f = Asm("i64", "taken", ("ptr out", "i64 done", "i64 count", "i64 bits", "i64 first"), internal=True)
    room = f.sub("%count", "%done")
    many = f.call("i64", "@llvm.smin.i64", f"i64 {f.call('i64', '@llvm.ctpop.i64', 'i64 %bits')}", f"i64 {room}")
    target = f.gep("%out", "%done", "i64")
    with f.loop(many, ("i64", "%bits")) as loop:
        bit = f.call("i64", "@llvm.cttz.i64", f"i64 {loop.values[0]}", "i1 true")
        f.store("i64", f.add("%first", bit), f.gep(target, loop.index, "i64"))
        loop.next = [f.and_(loop.values[0], f.sub(loop.values[0], 1))]
    f.ret("i64", f.add("%done", many))
    return f.text


def _compressed(lanes: int) -> str:
    """The same for a full chunk of room, in vectors."""
    f = Asm("i64", "compressed", ("ptr out", "i64 done", "i64 bits", "i64 first"), internal=True)
    vector, done, bits = f"<{lanes} x i64>", "%done", "%bits"
    here = f.op(f"insertelement {vector} poison, i64 %first, i32 0")
    here = f.op(f"shufflevector {vector} {here}, {vector} poison, <{lanes} x i32> zeroinitializer")
    for k in range(CHUNK_BYTES // lanes):
        few = f.and_(bits, (1 << lanes) - 1)
        f.do(f"store {vector} {_kept(f, lanes, few, here)}, ptr {f.gep('%out', done, 'i64')}, align 8")
        done = f.add(done, f.call("i64", "@llvm.ctpop.i64", f"i64 {few}"))
        if k < CHUNK_BYTES // lanes - 1:
            bits, here = f.lshr(bits, lanes), f.op(f"add {vector} {here}, splat (i64 {lanes})")
    f.ret("i64", done)
    return f.text


def _kept(f: Asm, lanes: int, bits: str, here: str) -> str:
    """The positions of the set bits from `here` on, in the first lanes of a vector."""
    vector = f"<{lanes} x i64>"
    if lanes == COMPRESSED_LANES:
        at = f.op(f"add {vector} {here}, <{_row(range(lanes))}>")
        mask = f.op(f"bitcast i{lanes} {f.op(f'trunc i64 {bits} to i{lanes}')} to <{lanes} x i1>")
        operands = f"{vector} {at}", f"<{lanes} x i1> {mask}", f"{vector} zeroinitializer"
        return f.call(vector, "@llvm.experimental.vector.compress.v8i64", *operands)
    return f.op(f"add {vector} {here}, {f.load(vector, f.gep('@lanes', bits, vector))}")


def _lanes(lanes: int) -> str:
    """The table of the set bits of a number, from the lowest one on."""
    rows = ([k for k in range(lanes) if bits >> k & 1] for bits in range(1 << lanes))
    entries = ", ".join(f"<{lanes} x i64> <{_row([*row, *[0] * (lanes - len(row))])}>" for row in rows)
    return f"@lanes = internal unnamed_addr constant [{1 << lanes} x <{lanes} x i64>] [{entries}], align 64\n"


def _row(numbers: Iterable[int]) -> str:
    return ", ".join(f"i64 {n}" for n in numbers)


def _true(t: Tuning) -> str:
    """bases: the mask, the positions; words: elements of the mask, their stride, how many positions, their stride."""
    f = Asm("void", "true_positions_bool", PARAMS)
    room = f.op(f"alloca <{CHUNK_BYTES} x i8>, align {CHUNK_BYTES}")
    x, y = f.load("ptr", "%bases"), f.load("ptr", "%bases", 8)
    n, many = f.load("i64", "%words"), f.load("i64", "%words", 16)
    whole = f.and_(n, -CHUNK_BYTES)
    with long_loop(f, whole, ("i64", "0"), step=CHUNK_BYTES) as loop:
        bits, done = _bits(f, f.gep(x, loop.index)), loop.values[0]
        loop.next = [_chosen(f, y, done, many, bits, loop.index, t)]
    done = loop.values[0]
    f.do(f"store <{CHUNK_BYTES} x i8> zeroinitializer, ptr {room}")
    with f.loop(n, start=whole) as loop:
        f.store("i8", f.load("i8", x, loop.index), room, f.sub(loop.index, whole))
    done = f.call("i64", "@taken", f"ptr {y}", f"i64 {done}", f"i64 {many}", f"i64 {_bits(f, room)}", f"i64 {whole}")
    with f.loop(many, start=done) as loop:  # only of a mask that somebody changes
        f.store("i64", 0, f.gep(y, loop.index, "i64"))
    f.ret()
    return f.text


def _bits(f: Asm, place: str) -> str:
    """Which elements of a chunk are true."""
    chunk = f.op(f"load <{CHUNK_BYTES} x i8>, ptr {place}, align 1")
    is_true = f.op(f"icmp ne <{CHUNK_BYTES} x i8> {chunk}, zeroinitializer")
    return f.op(f"bitcast <{CHUNK_BYTES} x i1> {is_true} to i{CHUNK_BYTES}")


def _chosen(f: Asm, y: str, done: str, many: str, bits: str, first: str, t: Tuning) -> str:
    """How many are written after a chunk, one by one or by vectors."""
    one_by_one = ("i64", "@taken", f"ptr {y}", f"i64 {done}", f"i64 {many}", f"i64 {bits}", f"i64 {first}")
    found = f.call("i64", "@llvm.ctpop.i64", f"i64 {bits}")
    vector_bytes = _vector_bytes(t)
    few = t.arrays.mask_few_8_lanes if vector_bytes == 64 else t.arrays.mask_few_4_lanes
    some, sparse, dense, end = (f.label(x) for x in ("some", "sparse", "dense", "end"))
    before = f.block
    f.branch(f.eq(bits, 0), end, some)
    f.place(some)
    if vector_bytes >= 32:
        fits = f.le(f.add(done, CHUNK_BYTES), many)
        f.branch(f.all(fits, f.compare("ugt", "i64", found, few)), dense, sparse)
        f.place(dense)
        after_dense = f.call("i64", "@compressed", f"ptr {y}", f"i64 {done}", f"i64 {bits}", f"i64 {first}")
        f.jump(end)
    f.place(sparse)
    after = f.call(*one_by_one)
    f.place(end)
    results = [f"[ {done}, %{before} ]", f"[ {after}, %{sparse} ]"]
    results += [f"[ {after_dense}, %{dense} ]"] if vector_bytes >= 32 else []
    return f.op(f"phi i64 {', '.join(results)}")


def _repeated() -> str:
    """bases: counts, positions; words as above."""
    f = Asm("void", "repeated_positions_int64", PARAMS)
    x, y = f.load("ptr", "%bases"), f.load("ptr", "%bases", 8)
    n, many = f.load("i64", "%words"), f.load("i64", "%words", 16)
    with long_loop(f, n, ("i64", "0")) as loop:
        done = loop.values[0]
        times = f.load("i64", f.gep(x, loop.index, "i64"))
        left = f.sub(many, done)
        times = f.call("i64", "@llvm.smin.i64", f"i64 {times}", f"i64 {left}")
        target = f.gep(y, done, "i64")
        with long_loop(f, times) as inner:
            f.store("i64", loop.index, f.gep(target, inner.index, "i64"))
        times = f.choose(f.lt(times, 0), 0, times)
        loop.next = [f.add(done, times)]
    with long_loop(f, many, start=loop.values[0]) as rest:  # only of counts that somebody changes
        f.store("i64", 0, f.gep(y, rest.index, "i64"))
    f.ret()
    return f.text
