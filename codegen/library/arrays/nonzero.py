"""Positions where a mask is true, and each position as often as a count says (`positions`).

Contract  a mask or counts, and how many positions there are, computed before -> positions; never more are written.
How       64 bytes of a mask become bits; few are taken one by one, many by compressed vectors.
"""

from __future__ import annotations

from tensordsl.codegen.kernel_ir.ir import Function, Module, Table
from tensordsl.codegen.kernel_ir.language import Kernel, Number, NumberVariable, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Type, array, i1, i8, i64, ptr, signature
from tensordsl.codegen.library.polls import polled_range
from tensordsl.codegen.llvm.kernel_text import module_text
from tensordsl.codegen.target.tuning import Tuning

CHUNK_BYTES = 64  # bytes of a mask looked at together
COMPRESSED_LANES = 8  # lanes of a vector that an instruction compresses
TAKEN = signature("taken", i64, out=array(i64), done=i64, count=i64, bits=i64, first=i64)
COMPRESSED = signature("compressed", i64, out=array(i64), done=i64, bits=i64, first=i64)


def positions_text(t: Tuning) -> str:
    """The whole module."""
    return module_text(positions_module(t))


def positions_module(t: Tuning) -> Module:
    """Vectors of 64 bytes can compress their elements, those of 32 find them in a table."""
    vector_bytes = _vector_bytes(t)
    lanes = vector_bytes // 8
    functions = [taken, _true(t), repeated]
    functions += [_compressed(lanes)] if vector_bytes >= 32 else []
    return Module(functions, [_positions_of_bits(lanes)] if vector_bytes == 32 else [])


def _vector_bytes(t: Tuning) -> int:
    return t.machine.vector_bytes if t.allows("compressed_positions") else 0


@kernel(TAKEN)
def taken(k: Kernel, out: Pointer, done: Number, count: Number, bits: Number, first: Number) -> None:
    """How many are written after the positions of the set bits, which are `first` and those after it."""
    room = count - done
    many = k.min(k.emit("ctpop", bits), room)
    target, left = out + done, k.variable(bits)
    with k.range(many) as i:
        target[i] = first + k.emit("cttz", left)
        left &= left - 1
    k.ret(done + many)


def _compressed(lanes: int) -> Function:
    @kernel(COMPRESSED)
    def compressed(k: Kernel, out: Pointer, done: Number, bits: Number, first: Number) -> None:
        """The same for a full chunk of room, in vectors."""
        here = k.splat(first, lanes)
        for part in range(CHUNK_BYTES // lanes):
            few = bits & ((1 << lanes) - 1)
            (out + done)[0:lanes] = _kept(k, lanes, few, here)
            done = done + k.emit("ctpop", few)
            if part < CHUNK_BYTES // lanes - 1:
                bits, here = k.unsigned("lshr", bits, lanes), here + lanes
        k.ret(done)

    return compressed


def _kept(k: Kernel, lanes: int, bits: Number, here: Number) -> Number:
    """The positions of the set bits from `here` on, in the first lanes of a vector."""
    if lanes == COMPRESSED_LANES:
        all_of_them = here + k.vector(range(lanes), i64)
        return k.compress(all_of_them, bits.to(Type(f"i{lanes}")).bits(i1.of(lanes)), 0)
    return here + k.number(k.table(_positions_of_bits(lanes))[bits], here.type)


def _positions_of_bits(lanes: int) -> Table:
    """The positions of the set bits of a number, from the lowest one on."""
    rows = ([n for n in range(lanes) if bits >> n & 1] for bits in range(1 << lanes))
    return Table("lanes", i64.of(lanes), tuple((*row, *[0] * (lanes - len(row))) for row in rows))


def _true(t: Tuning) -> Function:
    s = signature("true_positions_bool", internal=False, bases=array(ptr), words=array(i64), rank=i64)

    @kernel(s)
    def true_positions(k: Kernel, bases: Pointer, words: Pointer, rank: Number) -> None:
        """bases: the mask, positions; words: elements of the mask, their stride, how many positions, their stride."""
        room = k.alloca(i8.of(CHUNK_BYTES), align=CHUNK_BYTES).of(i8)
        mask, positions = bases[0].of(i8), bases[1].of(i64)
        n, many = words[0], words[2]
        whole, done = n & -CHUNK_BYTES, k.variable(0, i64)
        with polled_range(k, whole, step=CHUNK_BYTES) as i:
            _take_chunk(k, positions, done, many, _bits(k, mask + i), i, t)
        room.of(i8, CHUNK_BYTES)[0:CHUNK_BYTES] = 0
        with k.range(n, start=whole) as i:
            room[i - whole] = mask[i]
        done.set(k.call(taken, positions, done, many, _bits(k, room), whole))
        with k.range(many, start=done) as i:  # only of a mask that somebody changes
            positions[i] = 0

    return true_positions


def _bits(k: Kernel, chunk: Pointer) -> Number:
    """Which elements of a chunk are true, as bits of an integer."""
    elements = k.number(chunk[0:CHUNK_BYTES], i8.of(CHUNK_BYTES))
    return (elements != 0).bits(Type(f"i{CHUNK_BYTES}"))


def _take_chunk(
    k: Kernel, out: Pointer, done: NumberVariable, many: Number, bits: Number, first: Number, t: Tuning
) -> None:
    """Write the positions of a chunk, one by one or by vectors; `done` is how many are written."""
    found, vector_bytes = k.emit("ctpop", bits), _vector_bytes(t)
    few = t.arrays.mask_few_8_lanes if vector_bytes == 64 else t.arrays.mask_few_4_lanes
    with k.when(bits != 0):
        if vector_bytes < 32:
            done.set(k.call(taken, out, done, many, bits, first))
            return
        fits = done + CHUNK_BYTES <= many
        with k.when(fits & k.unsigned("ugt", found, few)):
            done.set(k.call(COMPRESSED, out, done, bits, first))
        with k.otherwise():
            done.set(k.call(taken, out, done, many, bits, first))


@kernel(signature("repeated_positions_int64", internal=False, bases=array(ptr), words=array(i64), rank=i64))
def repeated(k: Kernel, bases: Pointer, words: Pointer, rank: Number) -> None:
    """bases: counts, positions; words as above."""
    counts, positions = bases[0].of(i64), bases[1].of(i64)
    n, many = words[0], words[2]
    done = k.variable(0, i64)
    with polled_range(k, n) as i:
        times = k.min(counts[i], many - done)
        target = positions + done
        with polled_range(k, times) as j:
            target[j] = i
        done += k.select(times < 0, 0, times)
    with polled_range(k, many, start=done) as i:  # only of counts that somebody changes
        positions[i] = 0
