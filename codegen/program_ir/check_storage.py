"""The verifier of storage: a dry run of a program, which computes lengths and addresses but no elements.

Contract  a program with claims (`Claim`) -> `StorageFault` where an instruction reaches outside of a storage, reads
          what nobody wrote, or a value whose storage was given to another; at lengths that are tried, for these alone.
Why       bufferisation decides when storage is free; this knows of each byte who wrote it, and takes no decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Instr, Name, Program
from tensordsl.codegen.program_ir.printer import line
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, walk
from tensordsl.codegen.scalar_ir.math.interpreter import evaluate

INTEGERS = frozenset(("bool", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64))))


@record
class Limits:
    """Of a dry run: its instructions; the bytes of a storage that is followed; the runs that look for lengths which the
    program's checks accept; the lengths that are tried in addition to those that a check compared; and what unknown
    lengths begin with, list after list: first all different, so that axes are not confused."""

    instructions: int = 20_000
    storage_bytes: int = 1 << 20
    attempts: int = 200
    length: int = 13
    lengths: tuple[tuple[int, ...], ...] = ((3, 2, 5, 4, 7, 6, 9, 8, 11, 10), (2, 5, 3, 7, 4), (4,), (2,), (1,))


LIMITS = Limits()


class StorageFault(AssertionError):
    """A program reads or writes memory that is not the value's.  This is our bug."""


class _Refused(Exception):
    """A check of the program does not hold for the lengths of a dry run."""

    def __init__(self, op: str, values: tuple[int, int], unknown: Sequence[frozenset[Unknown]], position: int) -> None:
        self.op, self.values, self.unknown, self.position = op, values, unknown, position


class _Finished(Exception):
    """The dry run has done as many instructions as it may, or the call would be left here."""


def check_storage(program: Program) -> int:
    """Raise StorageFault if a dry run finds one; the number of dry runs that came to the program's end.

    The lengths of inputs, and integers that the program reads from them, are chosen so that its checks hold."""
    done = 0
    for lengths in LIMITS.lengths[:3]:
        done += _checked(program, lengths)
    for lengths in LIMITS.lengths[3:]:
        done = done or _checked(program, lengths)
    return done


def _checked(program: Program, lengths: Sequence[int]) -> int:
    """1 if a dry run came to the end, from lengths that begin with these; 0 if none was found."""
    guess, attempts = _Guess(lengths), 0
    refused = _dry_run(program, guess)
    while isinstance(refused, _Refused):
        for other in guess.others(refused):
            attempts += 1
            found = _dry_run(program, other)
            if not isinstance(found, _Refused) or found.position > refused.position:
                guess, refused = other, found
                break
            if attempts == LIMITS.attempts:
                return 0
        else:
            return 0
    return int(refused is None)


def _dry_run(program: Program, guess: _Guess) -> _Refused | _Finished | None:
    """What ended a dry run before the program's end."""
    run = _DryRun(program, guess)
    try:
        run.code(program.code)
    except (_Refused, _Finished) as ended:
        return ended
    return None


Unknown = tuple[Any, ...]  # ("extent", source, axis), ("integer", source, offset), ("computed", its name)
Number = tuple[int, frozenset[Unknown]]  # a value, and what it was computed from
NOTHING: frozenset[Unknown] = frozenset()


class _Guess:
    """Values of unknown lengths and integers: those that a check wants to be equal are one class."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = lengths
        self.values: dict[Unknown, int] = {}
        self.same: dict[Unknown, Unknown] = {}

    def find(self, u: Unknown) -> Unknown:
        while u in self.same:
            u = self.same[u]
        return u

    def value(self, u: Unknown) -> int:
        u = self.find(u)
        return self.values.setdefault(u, self.lengths[len(self.values) % len(self.lengths)])

    def others(self, refused: _Refused) -> Iterator[_Guess]:
        """Guesses for which a check may hold: two lengths become one, or one takes another value."""
        left, right = ({self.find(u) for u in side} for side in refused.unknown)
        if refused.op == "eq" and len(left) == len(right) == 1 and left != right:
            yield self._with({}, {right.pop(): left.pop()})
        near = {n + d for n in refused.values for d in (-1, 0, 1)}
        for u in sorted({self.find(u) for side in refused.unknown for u in side}, key=repr):
            for n in sorted({*near, *range(-1 if u[0] != "extent" else 0, LIMITS.length)}):
                if n != self.values.get(u) and (n >= 0 or u[0] != "extent"):
                    yield self._with({u: n}, {})

    def _with(self, values: dict[Unknown, int], same: dict[Unknown, Unknown]) -> _Guess:
        other = _Guess(self.lengths)
        other.values, other.same = self.values | values, self.same | same
        return other


@record(eq=False, frozen=False)
class _Storage:
    """owners: of each byte, who wrote it, 0 for nobody, or None if it is not followed; scalars: known integers, by
    their offsets; source: of an argument or a shared variable."""

    name: str
    size: int
    owners: Any
    source: p.Source | None = None
    scalars: dict[int, Number] = field(default_factory=dict)


@record
class _Address:
    """An address: a storage, an offset in bytes, and for whom what is written through it is."""

    storage: _Storage
    offset: int
    owner: int


class _DryRun:
    def __init__(self, program: Program, guess: _Guess) -> None:
        self.program, self.guess = program, guess
        self.values: dict[Name, Any] = {}
        self.unknown: dict[Name, frozenset[Unknown]] = {}  # what numbers depend on
        self.sources: dict[p.Source, _Address] = {}
        self.results: dict[int, _Storage] = {}  # by slots
        self.left = LIMITS.instructions
        self.is_sure = True  # no integer was guessed that the program computes
        self.n_owners = 0

    def code(self, code: Sequence[Instr]) -> None:
        for i in code:
            self.left -= 1
            if self.left < 0:
                raise _Finished
            RUN[type(i)](self, i)

    # -- storage -------------------------------------------------------------------------------------------------------
    def fresh(self, name: str, size: int, is_written: bool = False, source: p.Source | None = None) -> _Address:
        self.n_owners += 1
        is_followed = size <= LIMITS.storage_bytes
        owners = np.full(size, self.n_owners if is_written else 0, np.int32) if is_followed else None
        return _Address(_Storage(name, size, owners, source), 0, self.n_owners)

    def part(self, i: Instr, name: Name, dtype_bytes: int, dims: Sequence[int], strides: Sequence[int]) -> Any:
        """The owners of a tensor's bytes; None where it has none, or they are not followed."""
        at = self.values[name]
        storage = at.storage
        if 0 in dims or not dtype_bytes:
            return None
        steps = [(n - 1) * s for n, s in zip(dims, strides, strict=True)]
        low = at.offset + sum(s for s in steps if s < 0)
        high = at.offset + sum(s for s in steps if s > 0) + dtype_bytes
        if low < 0 or high > storage.size:
            raise self.fault(i, f"{name} reaches bytes {low} to {high} of {storage.name}, which has {storage.size}")
        if storage.owners is None:
            return None
        return np.lib.stride_tricks.as_strided(
            storage.owners[at.offset :], (*dims, dtype_bytes), (*(4 * s for s in strides), 4)
        )

    def read(self, i: Instr, name: Name, size: int, dims: Sequence[int] = (), strides: Sequence[int] = ()) -> None:
        owners = self.part(i, name, size, dims, strides)
        if owners is None:
            return
        at = self.values[name]
        if not (owners == at.owner).all():
            what = "nobody wrote" if (owners == 0).any() else "were written for another value"
            raise self.fault(i, f"{name} reads elements of {at.storage.name} which {what}")

    def write(self, i: Instr, name: Name, size: int, dims: Sequence[int] = (), strides: Sequence[int] = ()) -> None:
        owners = self.part(i, name, size, dims, strides)
        at = self.values[name]
        at.storage.scalars.clear()
        if owners is not None:
            owners[...] = at.owner

    def fault(self, i: Instr, what: str) -> Exception:
        if not self.is_sure:
            return _Finished()
        return StorageFault(f"{self.program.name}: {line(i)}: {what}; lengths {self.guess.values}")

    def scalar(self, name: Name) -> Number | None:
        """The integer at an address, if it is known, or a guess of one that the caller may choose."""
        at: _Address = self.values[name]
        if at.offset in at.storage.scalars or at.storage.source is None:
            return at.storage.scalars.get(at.offset)
        unknown = "integer", at.storage.source, at.offset
        return self.guess.value(unknown), frozenset([unknown])

    def complete(self, i: Instr, storage: _Storage) -> None:
        if storage.owners is not None and not storage.owners.all():
            raise self.fault(i, f"elements of {storage.name} which nobody wrote")

    def numbers(self, names: Sequence[Name | None]) -> list[int]:
        return [0 if n is None else self.values[n] for n in names]

    # -- integers and addresses ----------------------------------------------------------------------------------------
    def length(self, src: p.Source, axis: int) -> int:
        given = self.types(src)[1][axis]
        return self.guess.value(("extent", src, axis)) if given is None else given

    def types(self, src: p.Source) -> tuple[str, tuple[int | None, ...]]:
        return (self.program.args if src[0] == "arg" else self.program.shared)[src[1]]

    def shape(self, src: p.Source) -> list[int]:
        return [self.length(src, a) for a in range(len(self.types(src)[1]))]

    def extent(self, i: p.Extent) -> None:
        self.values[i.dst] = self.length(i.src, i.axis)
        if self.types(i.src)[1][i.axis] is None:
            self.unknown[i.dst] = frozenset([("extent", i.src, i.axis)])

    def stride(self, i: p.Stride) -> None:
        dtype, _ = self.types(i.src)
        self.values[i.dst] = ITEMSIZE[dtype] * _product(self.shape(i.src)[i.axis + 1 :])

    def data(self, i: p.Data) -> None:
        if i.src not in self.sources:
            size = ITEMSIZE[self.types(i.src)[0]] * _product(self.shape(i.src))
            self.sources[i.src] = self.fresh(f"{i.src[0]} {i.src[1]}", size, True, i.src)
        self.values[i.dst] = self.sources[i.src]

    def depend(self, dst: Name, *names: Name) -> None:
        self.unknown[dst] = NOTHING.union(*[self.unknown.get(n, NOTHING) for n in names])

    def arith(self, i: p.Arith) -> None:
        self.values[i.dst] = ARITH[i.op](self.values[i.a], self.values[i.b])
        self.depend(i.dst, i.a, i.b)

    def mul(self, i: p.Mul) -> None:
        self.values[i.dst] = self.values[i.a] * self.values[i.b]
        self.depend(i.dst, i.a, i.b)

    def compare(self, i: p.Compare) -> None:
        self.values[i.dst] = int(COMPARE[i.op](self.values[i.a], self.values[i.b]))
        self.depend(i.dst, i.a, i.b)

    def check(self, i: p.Check) -> None:
        x, y = self.values[i.a], self.values[i.b]
        if any(u[0] == "computed" for n in (i.a, i.b) for u in self.unknown.get(n, NOTHING)):
            self.is_sure = False  # it may say of known lengths what is not so
        if not COMPARE[i.op](x, y):
            raise _Refused(i.op, (x, y), [self.unknown.get(n, NOTHING) for n in (i.a, i.b)], -self.left)

    def offset(self, i: p.Offset) -> None:
        at = self.values[i.base]
        self.values[i.dst] = _Address(at.storage, at.offset + self.values[i.bytes], at.owner)

    def select(self, i: p.Select) -> None:
        self.values[i.dst] = self.values[i.a if self.values[i.cond] else i.b]
        self.depend(i.dst, i.a, i.b)

    def load_scalar(self, i: p.LoadScalar) -> None:
        self.read(i, i.ptr, ITEMSIZE[i.dtype])
        known = self.scalar(i.ptr)
        if known is None:
            unknown = "computed", i.dst
            known = self.guess.value(unknown), frozenset([unknown])
            if i.dtype == "bool":  # either may be; others that are loaded from there are the same
                at = self.values[i.ptr]
                at.storage.scalars[at.offset] = known = known[0] & 1, known[1]
            else:
                self.is_sure = False
        self.values[i.dst], self.unknown[i.dst] = min(known[0], 1) if i.dtype == "bool" else known[0], known[1]

    def store_scalar(self, i: p.StoreScalar) -> None:
        self.write(i, i.ptr, ITEMSIZE[i.dtype])
        at = self.values[i.ptr]
        at.storage.scalars[at.offset] = self.values[i.value], self.unknown.get(i.value, NOTHING)

    # -- storage
    def constant(self, i: p.Bytes) -> None:
        at = self.values[i.dst] = self.fresh(i.dst, len(i.data), is_written=True)
        if len(i.data) == 8:
            at.storage.scalars[0] = int.from_bytes(i.data, "little", signed=True), NOTHING

    def arena(self, i: p.Arena) -> None:
        for name, size in i.items:
            if self.values[size] < 0:
                raise _Finished
            self.values[name] = self.fresh(name, self.values[size])

    def new_out(self, i: p.NewOut) -> None:
        dims, dtype = self.numbers(i.dims), self.program.outputs[i.output][0]
        self.values[i.dst] = self.made(i.dst, dtype, dims, i.slot)
        steps = _dense(dims, ITEMSIZE[dtype])
        self.values.update(zip(i.strides, steps, strict=False))

    def prepare(self, i: p.Prepare) -> None:
        dims = self.numbers(i.dims)
        self.values[i.dst] = self.made(i.dst, self.program.shared[i.shared][0], dims, i.slot)

    def made(self, name: Name, dtype: str, dims: Sequence[int], slot: int) -> _Address:
        if any(n < 0 for n in dims):
            raise _Finished
        at = self.fresh(name, ITEMSIZE[dtype] * _product(dims))
        self.results[slot] = at.storage
        return at

    def claim(self, i: p.Claim) -> None:
        at = self.values[i.src]
        self.n_owners += 1
        owner = self.n_owners if i.row is None else self.values[i.row].owner
        self.values[i.dst] = _Address(at.storage, at.offset, owner)
        owners = self.part(i, i.src, ITEMSIZE[i.dtype], self.numbers(i.dims), self.numbers(i.strides))
        if not i.keeps:
            at.storage.scalars.clear()
        if owners is not None:
            owners[...] = owner if i.fills else np.where(owners != 0, owner, 0) if i.keeps else 0

    # -- work ----------------------------------------------------------------------------------------------------------
    def launch(self, i: p.Launch) -> None:
        plan = self.program.plans[i.plan]
        group, extents = plan.group, self.numbers(i.extents)
        ints = dict(zip(plan.ints, self.numbers(i.ints), strict=True))
        indexed = {id(v.attr[0]): v.attr for v in group.scalars if v.op == "load" and v.args}
        n_stores = plan.n_inputs + len(group.outs)
        tensors = []
        for k, (name, row, buffer) in enumerate(zip(i.operands, i.strides, plan.operands, strict=True)):
            dims = [n for n, s in zip(extents, row, strict=True) if s is not None]
            strides = [self.values[s] for s in row if s is not None]
            for d, entry in enumerate(indexed[id(buffer)][1]) if id(buffer) in indexed else ():
                if isinstance(entry, tuple):
                    dims.append(ints.get(("extent", buffer.shape[d]), 1))
                    strides.append(ints.get(("stride", k, d), 0))
            tensors.append((name, ITEMSIZE[buffer.type], dims, strides))
        if 0 not in extents:
            for tensor in tensors[: plan.n_inputs]:
                self.read(i, *tensor)
        numbers = self.numbers_of(i, plan) if not extents else []
        for tensor in tensors[plan.n_inputs : n_stores]:
            self.write(i, *tensor)
        for name, number in numbers:
            at = self.values[name]
            at.storage.scalars[at.offset] = number

    def numbers_of(self, i: p.Launch, plan: p.LaunchPlan) -> list[tuple[Name, Number]]:
        """The integers that a group without axes computes of others: lengths and positions may follow from them."""
        places = {id(buffer): name for name, buffer in zip(i.operands, plan.operands, strict=True)}
        ints = dict(zip(plan.ints, i.ints, strict=True))
        used: set[Unknown] = set()

        def leaf(v: Any) -> int:
            if v.op == "load":
                known = self.scalar(places[id(v.attr[0])])
            else:
                name = ints[("extent", v.attr)]
                known = self.values[name], self.unknown.get(name, NOTHING)
            if known is None:
                raise LookupError
            used.update(known[1])
            return known[0]

        found = []
        for name, o in zip(i.operands[plan.n_inputs :], plan.group.outs, strict=False):
            if all(v.type in INTEGERS for v in walk([o.value])):
                used.clear()
                try:
                    (x,) = evaluate([o.value], leaf)
                except (LookupError, OverflowError):
                    continue
                found.append((name, (int(x), frozenset(used))))
        return found

    def gemm(self, i: p.Gemm) -> None:
        size, (m, n, k) = ITEMSIZE[i.dtype], self.numbers((i.m, i.n, i.k))
        count, steps = (1, (0, 0)) if i.count is None else (self.values[i.count], self.numbers(i.steps))
        for name, dims, by, step in ((i.a, (m, k), i.a_strides, steps[0]), (i.b, (k, n), i.b_strides, steps[1])):
            if m and n:
                self.read(i, name, size, (count, *dims), [size * s for s in (step, *self.numbers(by))])
        for scalar in (i.factor, i.decay):
            if scalar is not None:
                self.read(i, scalar, size)
        ldc = self.values[i.ldc]
        c = i.c, size, (count, m, n), (size * m * ldc, size * ldc, size)
        if i.beta or i.decay is not None:
            self.read(i, *c)
        self.write(i, *c)

    def scatter(self, i: p.Scatter) -> None:
        count = self.values[i.count]
        for name, dtype in zip(i.positions, i.position_types, strict=True):
            self.read(i, name, ITEMSIZE[dtype], (count,), (ITEMSIZE[dtype],))
        strides = self.numbers((i.y_step, *i.y_strides))
        self.read(i, i.y, ITEMSIZE[i.dtype], (count, *self.numbers(i.dims)), strides)

    def copy(self, i: p.Copy) -> None:
        n = self.values[i.bytes]
        source, target = self.values[i.src], self.values[i.dst]
        self.read(i, i.src, 1, (n,), (1,))
        known = {at: x for at, x in source.storage.scalars.items() if source.offset <= at < source.offset + n}
        self.write(i, i.dst, 1, (n,), (1,))
        target.storage.scalars.update({at - source.offset + target.offset: x for at, x in known.items()})

    def fill(self, i: p.Fill) -> None:
        self.write(i, i.dst, 1, (self.values[i.bytes],), (1,))

    def host_call(self, i: p.HostCall) -> None:
        for operand in i.inputs:
            self.read(i, *self.dense(operand))
        for o in i.outputs:
            if isinstance(o, p.Kept):
                for place in o.lengths:
                    if place is not None:
                        self.write(i, place, 8)
            elif o is not None:
                self.write(i, *self.dense(o))

    def take_kept(self, i: p.TakeKept) -> None:
        self.write(i, *self.dense(i.output))

    def dense(self, operand: p.HostOperand) -> tuple[Name, int, Sequence[int], Sequence[int]]:
        name, dtype, names = operand
        dims = self.numbers(names)
        return name, ITEMSIZE[dtype], dims, _dense(dims, ITEMSIZE[dtype])

    def library_call(self, i: p.LibraryCall) -> None:
        for name, dtype, dims, strides in i.inputs:
            self.read(i, name, ITEMSIZE[dtype], self.numbers(dims), self.numbers(strides))
        for name, dtype, dims, strides in i.outputs:
            self.write(i, name, ITEMSIZE[dtype], self.numbers(dims), self.numbers(strides))

    # -- control -------------------------------------------------------------------------------------------------------
    def loop(self, i: p.For) -> None:
        v = self.values
        v.update([(name, v[first]) for name, first, _ in i.carried])
        k, is_done = 0, False
        while k < v[i.count] and not is_done:
            v[i.index] = k
            self.code(i.body)
            is_done = i.end is not None and bool(v[i.end])
            k += 1
            v.update([(name, v[after]) for name, _, after in i.carried])
        if i.rounds is not None:
            v[i.rounds] = k

    def blocks(self, i: p.Blocks) -> None:
        v = self.values
        count, step, size = self.numbers((i.count, i.step, i.size))
        for start in range(0, max(count, 1), size):
            for first in range(start, min(start + size, max(count, 1)), step):
                v[i.first], v[i.here] = first, min(step, count - first)
                v[i.part], v[i.start], v[i.slot] = start // size, start, 0
                self.code(i.body)

    def branch(self, i: p.If) -> None:
        is_true = bool(self.values[i.cond])
        self.code(i.then if is_true else i.orelse)
        self.values.update([(dst, self.values[a if is_true else b]) for dst, a, b in i.results])

    def deoptimise(self, i: p.Deoptimise) -> None:
        if any(self.numbers(i.conditions)):
            raise _Finished

    def commit(self, i: p.Commit) -> None:
        for _, slot in i.updates:
            self.complete(i, self.results[slot])

    def ret(self, i: p.Return) -> None:
        for slot in i.slots:
            self.complete(i, self.results[slot])

    def nothing(self, i: Instr) -> None:
        """It touches no storage."""

    def set(self, name: Name, value: Any) -> None:
        self.values[name] = value


def _product(dims: Sequence[int]) -> int:
    result = 1
    for n in dims:
        result *= n
    return result


def _dense(dims: Sequence[int], itemsize: int) -> list[int]:
    return [itemsize * _product(dims[d + 1 :]) for d in range(len(dims))]


ARITH: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b if b else 0, "mod": lambda a, b: a % b if b else 0, "min": min, "max": max,
}  # fmt: skip
COMPARE: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}  # fmt: skip
RUN: dict[type[Instr], Callable[[_DryRun, Any], None]] = {
    p.Const: lambda run, i: run.set(i.dst, i.value), p.BlasThreads: lambda run, i: run.set(i.dst, 1),
    p.Extent: _DryRun.extent, p.Stride: _DryRun.stride, p.Data: _DryRun.data, p.Arith: _DryRun.arith,
    p.Mul: _DryRun.mul, p.Compare: _DryRun.compare,
    p.Check: _DryRun.check, p.Offset: _DryRun.offset, p.Select: _DryRun.select,
    p.LoadScalar: _DryRun.load_scalar, p.StoreScalar: _DryRun.store_scalar,
    p.Slot: lambda run, i: run.set(i.dst, run.fresh(i.dst, 8)), p.Bytes: _DryRun.constant, p.Arena: _DryRun.arena,
    p.NewOut: _DryRun.new_out, p.Prepare: _DryRun.prepare, p.Claim: _DryRun.claim, p.Launch: _DryRun.launch,
    p.Gemm: _DryRun.gemm, p.Scatter: _DryRun.scatter, p.Copy: _DryRun.copy, p.Fill: _DryRun.fill,
    p.HostCall: _DryRun.host_call, p.TakeKept: _DryRun.take_kept, p.LibraryCall: _DryRun.library_call,
    p.For: _DryRun.loop, p.Blocks: _DryRun.blocks, p.If: _DryRun.branch, p.Deoptimise: _DryRun.deoptimise,
    p.Commit: _DryRun.commit, p.Return: _DryRun.ret,
    **dict.fromkeys((p.NewList, p.Require, p.Pin, p.ReleaseGil, p.AcquireGil, p.Unwatch), _DryRun.nothing),
}  # fmt: skip
