"""Reductions in a kernel: steps in registers, chunks of a row, its lanes, and the total in scratch.

Contract  a kernel, a reduction and its operands in lanes -> steps in the body, and what combines states behind it.
When      of every reduction; idempotent ones have one state a row, others one a chunk.
Why       sums of floats are added in few lanes of float64 behind each chunk, so errors do not grow with the length.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from tensordsl.codegen.abi.descriptor import INTERNAL
from tensordsl.codegen.cpu.kernel import COLUMNS, LANES, Carried, Kernel, in_line
from tensordsl.codegen.cpu.schedule import PLAIN
from tensordsl.codegen.fusion.lane_states import counter, is_narrow_sum, kept_in_lanes
from tensordsl.codegen.llvm.clone import Phi
from tensordsl.codegen.llvm.emit_scalars import emit
from tensordsl.codegen.llvm.extremum import NO_POSITION, extremum, first_lane, position_type, searched_extremum
from tensordsl.codegen.llvm.vector_builder import (
    Code,
    constant,
    half_lanes,
    llvm_type,
    load,
    load_by_registers,
    shuffled,
    splat,
    store,
)
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE, UNSIGNED, Builder, Val
from tensordsl.ops.array.reducers import MAX, MIN

COUNTED = 255  # vectors that the narrowest integers can count: those of a chunk, and a row's last one
DECIDING = {"any": True, "max": True, "argmax": True, "all": False, "min": False, "argmin": False}


def accumulate(k: Kernel, number: int, reduce: Val, operands: Sequence[str], areas: Sequence[int]) -> None:
    """Step from the identity, in a state of all lanes; then combine it into the total in scratch.  Without the second
    operand it is the position along the lanes, of which the state has the vector's in the block."""
    reducer, W, step = reduce.attr[0], k.width, reduce.type
    types, identity = reducer.state(step), reducer.identity(step)
    is_sum, is_narrow = is_folded_by_chunk(reduce), len(operands) < len(reduce.args)
    if state := _extremum_of_row(k, number, reduce, operands[0], is_narrow):
        _keep(k, number, reduce, areas, state)
        return
    if is_narrow:
        place = position_type(step[0])
        operands = [*operands, _positions(k, k.body, place, "%i")]
        identity, step = (identity[0], NO_POSITION), (step[0], place)
    dtypes = reducer.state(step) if is_narrow else kept_in_lanes(reduce)
    kinds = [llvm_type(t, W) for t in dtypes]
    start = [constant(x, t, W) for t, x in zip(dtypes, identity, strict=True)]
    names, totals = ([f"%{p}{number}.{n}" for n in range(len(types))] for p in "rt")
    following = stepped(k, reduce, step, names, operands)
    on = reducer.idempotent and k.form != COLUMNS
    ended = _ended(k, number, kinds, following)
    if k.stops:
        _look(k, reduce, ended[0], W)
    k.phis[:0] = [Phi(*row) for row in zip(names, kinds, totals if on else start, following, strict=True)]
    if k.form == COLUMNS:
        counted = [f"%k{number}.{n}" for n in range(len(dtypes))]
        k.counted += [Phi(*row) for row in zip(counted, kinds, start, following, strict=True)]
        _total_of_columns(k, number, reduce, counted, areas)
        return
    if on:
        k.totals += [Phi(*row) for row in zip(totals, kinds, start, ended, strict=True)]
        state = ended
    elif is_sum:
        state = [_sum_over_chunks(k, number, reduce, ended[0], start[0])]
    else:
        state = _over_chunks(k, number, reduce, start, ended)
    if is_narrow:
        state = _first_extremum(k, reduce, *state)
    else:
        state = all_lanes(k.after, reducer, types, state, min(W, k.tuning.kernel.chunk_sum_lanes) if is_sum else W)
    _keep(k, number, reduce, areas, state)


def _extremum_of_row(k: Kernel, number: int, reduce: Val, value: str, is_narrow: bool) -> list[str]:
    """The state of a row where extrema have a form of their own, or none."""
    dtype = reduce.type[0]
    if is_narrow and ITEMSIZE[dtype] < ITEMSIZE[position_type(dtype)]:
        return _counted_extremum(k, number, reduce, value)
    if is_narrow and is_load_of_floats(reduce.args[0]) and value in k.adjacent and not (k.repeats or k.writes):
        return searched_extremum(k, number, reduce, value)
    if reduce.attr[0] in (MAX, MIN) and dtype in PLAIN and k.form == LANES and not k.masks:
        return [extremum(k, number, reduce, value)]
    return []


def _keep(k: Kernel, number: int, reduce: Val, areas: Sequence[int], state: list[str]) -> None:
    """The state of a row, to the total."""
    if k.finishes:
        _carry(k, number, reduce, [k.pointer(INTERNAL, a, moves=False) for a in areas], state)
    else:
        _add_to_total(k.after, reduce, [k.pointer(INTERNAL, a) for a in areas], state, 1)


def _ended(k: Kernel, number: int, kinds: Sequence[str], following: list[str]) -> list[str]:
    """The states behind a chunk, which may end with a row's last whole vector."""
    if not k.masks:
        return following
    ended = [f"%e{number}.{n}" for n in range(len(kinds))]
    k.ended += [Phi(e, kind, x, f"{e}.k") for e, kind, x in zip(ended, kinds, following, strict=True)]
    return ended


def is_load_of_floats(v: Val) -> bool:
    return v.op == "load" and v.type in PLAIN


def deciding_value(reduce: Val) -> bool | None:
    """The element by which a reduction of truths is known; None of others."""
    return DECIDING.get(reduce.attr[0].name) if reduce.type[0] == "bool" else None


def _look(k: Kernel, reduce: Val, state: str, W: int) -> None:
    """Behind a chunk: is the reduction still open?"""
    code, k.chunk = k.ends, k.chunk or k.tuning.kernel.early_exit_vectors
    if not deciding_value(reduce):
        state = code.op(f"xor {llvm_type('bool', W)} {state}, {constant(True, 'bool', W)}")
    k.open.append((code.op(f"xor i1 {code.any(state, W)}, true"), bool(deciding_value(reduce))))


def stepped(k: Kernel, reduce: Val, step: tuple[str, ...], names: list[str], operands: Sequence[str]) -> list[str]:
    """A state in lanes and one more vector, whose operands have the dtypes `step`."""
    counts, _ = counter(reduce)
    if is_float_sum(reduce):
        return [added(k, names[0], reduce.args[0], operands[0])]
    if counts:
        return [_counted(k, names[0], counts, step[0], operands[0])]
    return in_line(k.body, reduce.attr[0], "step", step, [*names, *operands], k.width)


def is_folded_by_chunk(reduce: Val) -> bool:
    """True if the lanes' states of a chunk are added into few lanes of 64 bits."""
    return is_float_sum(reduce) or counter(reduce)[0] != ""


def is_float_sum(reduce: Val) -> bool:
    return bool(reduce.attr[0].name == "sum" and reduce.type[0] in FLOATS)


def _positions(k: Kernel, code: Code, place: str, start: str) -> str:
    """The lanes' positions in a register, the same in all registers of a vector: what is different between these is
    added in the end."""
    N = min(k.width, k.body.vector_bytes // ITEMSIZE[place])
    kind, here = llvm_type(place, N), start if place == "int64" else code.op(f"trunc i64 {start} to i32")
    numbers = ", ".join(f"{llvm_type(place)} {n}" for n in range(N))
    first = code.op(f"add {kind} {splat(code, here, place, N)}, <{numbers}>")
    return shuffled(code, kind, first, "poison", (n % N for n in range(k.width)))


def added(k: Kernel, total: str, term: Val, value: str) -> str:
    """A total and one more term; of a product the factors, where there is an instruction that rounds once."""
    factors = [k.lanes.get(id(a)) for a in term.args] if term.op == "mul" else []
    if factors and all(factors):
        return k.body.intrinsic("fmuladd", term.type, k.width, *map(str, factors), total)
    return k.body.op(f"fadd {llvm_type(term.type, k.width)} {total}, {value}")


def _counted(k: Kernel, total: str, counts: str, dtype: str, value: str) -> str:
    """A count and one more term."""
    kind, given = llvm_type(counts, k.width), llvm_type(dtype, k.width)
    word, how = ("sub", "sext") if dtype == "bool" else ("add", "zext" if dtype in UNSIGNED else "sext")
    return k.body.op(f"{word} {kind} {total}, {k.body.op(f'{how} {given} {value} to {kind}')}")


# -- chunks of a row
def _over_chunks(k: Kernel, number: int, reduce: Val, start: list[str], state: list[str]) -> list[str]:
    """The state of all chunks of a row, from that of each."""
    reducer = reduce.attr[0]
    kinds = [llvm_type(t, k.width) for t in reducer.state(reduce.type)]
    counted = [f"%m{number}.{n}" for n in range(len(kinds))]
    if k.repeats:
        counted = state
    else:
        for c, t, x, none in zip(counted, kinds, state, start, strict=True):
            k.chosen.append(Phi(c, t, x, _live(k, t, x, none)))
    totals, whole = ([f"%{p}{number}.{n}" for n in range(len(kinds))] for p in "tu")
    combined = in_line(k.close, reducer, "combine", reduce.type, [*totals, *counted], k.width)
    k.totals += [Phi(*row) for row in zip(totals, kinds, start, combined, strict=True)]
    k.states += [Phi(*row) for row in zip(whole, kinds, state, combined, strict=True)]
    return whole


def _sum_over_chunks(k: Kernel, number: int, reduce: Val, state: str, start: str) -> str:
    """The sum of all chunks of a row in few lanes of 64 bits."""
    (dtype,) = kept_in_lanes(reduce)
    t, total, whole, part = k.tuning.kernel, f"%t{number}.0", f"%u{number}.0", f"%m{number}.0"
    lanes = min(k.width, t.chunk_sum_lanes)
    wide = "float64" if dtype in FLOATS else "int64"
    kind, zero = llvm_type(wide, lanes), constant(0, wide, lanes)
    every = in_few_lanes(k.ends, state, dtype, k.width, t.chunk_sum_lanes)
    if k.masks:
        part = every
    else:
        live = in_few_lanes(k.masked, _live(k, llvm_type(dtype, k.width), state, start), dtype, k.width, lanes)
        k.chosen.append(Phi(part, kind, every, live))
    if dtype not in FLOATS:
        _, room = counter(reduce)
        k.chunk = min(k.chunk or room, room)
        added = added_up = k.close.op(f"add {kind} {total}, {part}")
    elif dtype == "float32":
        k.chunk = t.float32_chunk_vectors
        added = added_up = k.close.op(f"fadd {kind} {total}, {part}")
    else:
        k.chunk, error = min(k.chunk or t.chunk_vectors, t.chunk_vectors), f"%t{number}.e"
        added, missed = two_sum(k.close, kind, total, part)
        missed = k.close.op(f"fadd {kind} {error}, {missed}")
        k.totals.append(Phi(error, kind, zero, missed))
        added_up = with_rest(k.summed, added, missed, lanes)
    k.totals.append(Phi(total, kind, zero, added))
    k.states.append(Phi(whole, kind, every, added_up))
    return whole


def _live(k: Kernel, kind: str, state: str, start: str) -> str:
    """A part of a chunk's state in the lanes that count."""
    return k.masked.op(f"select {llvm_type('bool', k.width)} {k.live_mask(kind)}, {kind} {state}, {kind} {start}")


def in_few_lanes(code: Code, value: str, dtype: str, W: int, most: int) -> str:
    """A sum in `most` lanes at most, in 64 bits; integers have twice the bits each time."""
    while dtype not in FLOATS and ITEMSIZE[dtype] < 8:
        size, word = 8 * ITEMSIZE[dtype], "zext" if dtype in UNSIGNED else "sext"
        halves = [half_lanes(code, value, dtype, W, n) for n in (0, 1)] if W > most else [value]
        W //= len(halves)
        kind, dtype = llvm_type(dtype, W), dtype.replace(str(size), str(2 * size))
        wide = [code.op(f"{word} {kind} {x} to {llvm_type(dtype, W)}") for x in halves]
        value = code.op(f"add {llvm_type(dtype, W)} {wide[0]}, {wide[1]}") if len(wide) > 1 else wide[0]
    while W > most:
        low, high = (half_lanes(code, value, dtype, W, n) for n in (0, 1))
        W //= 2
        value = code.op(f"{'f' * (dtype in FLOATS)}add {llvm_type(dtype, W)} {low}, {high}")
    is_wide = dtype != "float32"
    return value if is_wide else code.op(f"fpext {llvm_type(dtype, W)} {value} to {llvm_type('float64', W)}")


def two_sum(code: Code, kind: str, a: str, b: str) -> tuple[str, str]:
    """a + b and what rounding took from it (Knuth's six operations)."""
    total = code.op(f"fadd {kind} {a}, {b}")
    part = code.op(f"fsub {kind} {total}, {a}")
    rest = code.op(f"fsub {kind} {a}, {code.op(f'fsub {kind} {total}, {part}')}")
    return total, code.op(f"fadd {kind} {rest}, {code.op(f'fsub {kind} {b}, {part}')}")


# -- lanes
def all_lanes(
    code: Code, reducer: Any, types: tuple[str, ...], state: Sequence[str], W: int, most: int = 1
) -> list[str]:
    """One state of all lanes, or `most`: again and again the upper half of them is combined into the lower one."""
    state = list(state)
    while W > most:
        low, high = ([half_lanes(code, x, t, W, n) for x, t in zip(state, types, strict=True)] for n in (0, 1))
        W //= 2
        state = in_line(code, reducer, "combine", types, [*low, *high], W)
    return state


def _first_extremum(k: Kernel, reduce: Val, value: str, vector: str) -> list[str]:
    """(value, position along the lane axis): the extremum of all lanes, and the first position where it stands."""
    code, W, dtype = k.after, k.width, reduce.type[0]
    place = position_type(dtype)
    kind, N = llvm_type(place), k.body.vector_bytes // ITEMSIZE[place]
    position = code.op(f"add {llvm_type(place, W)} {vector}, <{', '.join(f'{kind} {n - n % N}' for n in range(W))}>")
    (best,) = all_lanes(code, MAX if reduce.attr[0].name == "argmax" else MIN, (dtype,), [value], W)
    params, found = _where(dtype)
    env = {id(p): x for p, x in zip(params, (value, splat(code, best, dtype, W), position), strict=True)}
    emit(code, [found], env, W)
    (first,) = all_lanes(code, MIN, (place,), [env[id(found)]], W)
    lost = code.op(f"icmp sge {kind} {first}, {NO_POSITION}")
    first = first if place == "int64" else code.op(f"sext i32 {first} to i64")
    wide = code.op(f"add i64 {first}, {k.position(k.lane)}")
    none = reduce.attr[0].identity(reduce.type)[1]
    return [best, code.op(f"select i1 {lost}, i64 {none}, i64 {wide}")]


@cache
def _where(dtype: str) -> tuple[tuple[Val, ...], Val]:
    """(params, result): the position where the value is the extremum; NaN is one wherever it is."""
    b = Builder()
    place = position_type(dtype)
    value, best, position = b.param("value", dtype), b.param("best", dtype), b.param("position", place)
    found = b.eq(value, best)
    if dtype in FLOATS:
        found = b.or_(found, b.isnan(value))
    return (value, best, position), b.select(found, position, b.const(NO_POSITION, place))


# -- extrema of short integers
def _counted_extremum(k: Kernel, number: int, reduce: Val, value: str) -> list[str]:
    """(extremum, position along the lane axis) of a row: lanes keep the number of the vector in its chunk, an integer
    as short as elements are."""
    reducer, W, (dtype, *_) = reduce.attr[0], k.width, reduce.type
    types = dtype, f"uint{8 * ITEMSIZE[dtype]}"
    kinds = [llvm_type(t, W) for t in types]
    start = [constant(x, t, W) for t, x in zip(types, (reducer.identity(reduce.type)[0], 0), strict=True)]
    names, totals = ([f"%{p}{number}.{n}" for n in range(2)] for p in "rt")
    following = in_line(k.body, reducer, "step", types, [*names, value, _vector_number(k, types[1])], W)
    k.phis[:0] = [Phi(*row) for row in zip(names, kinds, start, following, strict=True)]
    found = _first_of_chunk(k, reduce, types, _ended(k, number, kinds, following))
    combined = in_line(k.ends, reducer, "step", reduce.type, [*totals, *found], 1)
    start = [constant(x, t) for t, x in zip(reduce.type, reducer.identity(reduce.type), strict=True)]
    k.totals += [Phi(*row) for row in zip(totals, map(llvm_type, reduce.type), start, combined, strict=True)]
    if k.stops:
        _look(k, reduce, combined[0], 1)
    return combined


def _vector_number(k: Kernel, dtype: str) -> str:
    """The vector's number in its chunk, in all lanes."""
    if dtype not in k.once:
        N = min(k.width, k.body.vector_bytes // ITEMSIZE[dtype])
        kind, name = llvm_type(dtype, N), f"%number.{dtype}"
        following = k.body.op(f"add {kind} {name}, {constant(1, dtype, N)}")
        k.phis.insert(0, Phi(name, kind, constant(0, dtype, N), following))
        k.once[dtype] = shuffled(k.body, kind, name, "poison", (n % N for n in range(k.width)))
        k.chunk, k.counts = min(k.chunk or COUNTED - 1, COUNTED - 1), True
    return k.once[dtype]


def _first_of_chunk(k: Kernel, reduce: Val, types: tuple[str, str], state: Sequence[str]) -> list[str]:
    """(extremum, position) of a chunk, from those of its lanes with numbers of vectors.  A row's last vector does not
    start where its number says."""
    code, W = k.ends, k.width
    value, count = (llvm_type(t, W) for t in types)
    (best,) = all_lanes(code, MAX if reduce.attr[0].name == "argmax" else MIN, types[:1], state[:1], W)
    found = code.op(f"icmp eq {value} {state[0]}, {splat(code, best, types[0], W)}")
    none = constant(COUNTED, types[1], W)
    numbers = code.op(f"select {llvm_type('bool', W)} {found}, {count} {state[1]}, {count} {none}")
    (least,) = all_lanes(code, MIN, types[1:], [numbers], W)
    first = code.op(f"icmp eq {count} {numbers}, {splat(code, least, types[1], W)}")
    here = code.op(f"mul i64 {code.op(f'zext {llvm_type(types[1])} {least} to i64')}, {W}")
    here = code.intrinsic("smin", "int64", 1, code.op(f"add i64 {here}, %start"), "%n.last")
    here = code.op(f"add i64 {here}, {first_lane(code, first, W)}")
    return [best, code.op(f"add i64 {here}, {k.position(k.lane)}")]


# -- totals
def kept_state(reduce: Val, is_row: bool) -> list[tuple[str, Any]]:
    """(dtype, identity) of what scratch keeps of a reduction; of a row's sum of float64 also what was lost of it."""
    types = reduce.attr[0].state(reduce.type)
    state = list(zip(types, reduce.attr[0].identity(reduce.type), strict=True))
    return [*state, ("float64", 0)] if is_row and loses_digits(reduce) else state


def finished(k: Kernel, reduce: Val, areas: Sequence[int]) -> list[str]:
    """A row's reduction, from its state in registers or in scratch."""
    if id(reduce) in k.carried:
        state = [c.name for c in k.carried[id(reduce)] if c.value]
    else:
        types = [t for t, _ in kept_state(reduce, True)]
        places = [k.pointer(INTERNAL, a) for a in areas]
        state = [load(k.row_code, p, t) for p, t in zip(places, types, strict=True)]
        state = [with_rest(k.row_code, state[0], state[1], 1)] if loses_digits(reduce) else state
    return in_line(k.row_code, reduce.attr[0], "finish", reduce.type, state, 1)


def join(k: Kernel, reduce: Val, areas: Sequence[int], others: Sequence[int]) -> None:
    """The state kept in other areas into the one that is kept in these."""
    places = [k.pointer(INTERNAL, a) for a in areas]
    types = [t for t, _ in kept_state(reduce, True)]
    state = [load(k.row_code, k.pointer(INTERNAL, a), t) for a, t in zip(others, types, strict=True)]
    _add_to_total(k.row_code, reduce, places, state, 1)


def _carry(k: Kernel, number: int, reduce: Val, places: list[str], state: list[str]) -> None:
    kept = kept_state(reduce, True)
    none = [constant(x, t) for t, x in kept]
    here = [k.row_place(k.resume, p, t) for p, (t, _) in zip(places, kept, strict=True)]
    resumed = _added_to_total(k.resume, reduce, here, state, 1)
    values = [with_rest(k.resume, resumed[0], resumed[1], 1), ""] if loses_digits(reduce) else resumed
    first = [*state, *none[len(state) :]]
    names = [f"%c{number}.{n}" for n in range(len(kept))]
    rows = zip(names, (t for t, _ in kept), first, resumed, values, none, places, strict=True)
    k.carried[id(reduce)] = [Carried(*row) for row in rows]


def loses_digits(reduce: Val) -> bool:
    return is_float_sum(reduce) and not is_narrow_sum(reduce)


def with_rest(code: Code, total: str, rest: str, W: int) -> str:
    kind = llvm_type("float64", W)
    both = code.op(f"fadd {kind} {total}, {rest}")
    lost = code.op(f"fcmp uno {kind} {rest}, {rest}")  # the total is infinite, or NaN itself
    return code.op(f"select {llvm_type('bool', W)} {lost}, {kind} {total}, {kind} {both}")


def _total_of_columns(k: Kernel, number: int, reduce: Val, state: list[str], areas: Sequence[int]) -> None:
    """Behind the rows, each lane's state into its own total."""
    pointers = [f"%s.{number}.{n}" for n in range(len(areas))]
    for p, a, t in zip(pointers, areas, reduce.attr[0].state(reduce.type), strict=True):
        k.close.do(f"{p} = getelementptr i{8 * ITEMSIZE[t]}, ptr {k.pointer(INTERNAL, a, moves=False)}, i64 %i")
    if is_folded_by_chunk(reduce):
        state = [in_few_lanes(k.ends, state[0], kept_in_lanes(reduce)[0], k.width, k.width)]
    state = _or_others(k, number, reduce, state, areas)
    _add_to_total(k.close, reduce, pointers, state, k.width)


def _or_others(k: Kernel, number: int, reduce: Val, state: list[str], areas: Sequence[int]) -> list[str]:
    """The state of the rows, or what stands `turn` elements behind a total, which is combined with it then."""
    code, names = k.others, []
    for n, (a, t, x) in enumerate(zip(areas, reduce.attr[0].state(reduce.type), state, strict=True)):
        first = code.op(f"getelementptr i{8 * ITEMSIZE[t]}, ptr {k.pointer(INTERNAL, a, moves=False)}, i64 %i")
        there = code.op(f"getelementptr i{8 * ITEMSIZE[t]}, ptr {first}, i64 %turn")
        names.append(f"%z{number}.{n}")
        k.folded.append(Phi(names[-1], llvm_type(t, k.width), load_by_registers(code, there, t, k.width), x))
    return names


def _added_to_total(code: Code, reduce: Val, places: list[str], state: Sequence[str], W: int) -> list[str]:
    types = [t for t, _ in kept_state(reduce, W == 1)]
    old = [load_by_registers(code, p, t, W) for p, t in zip(places, types, strict=True)]
    if W > 1 or not loses_digits(reduce):
        return in_line(code, reduce.attr[0], "combine", reduce.type, [*old, *state], W)
    total, missed = two_sum(code, "double", old[0], state[0])
    lost = code.op(f"fadd double {old[1]}, {missed}")
    return [total, code.op(f"fadd double {lost}, {state[1]}") if len(state) > 1 else lost]


def _add_to_total(code: Code, reduce: Val, places: list[str], state: Sequence[str], W: int) -> None:
    new = _added_to_total(code, reduce, places, state, W)
    for p, (t, _), x in zip(places, kept_state(reduce, W == 1), new, strict=True):
        store(code, x, p, t, W)
