"""Loops on buffers: where carried and stacked values lie, and the instruction `For`.

Contract  a `for` or `while` of tensor IR -> `program_ir` instructions; its results are views of what the rounds wrote.
When      of every loop.
Why       a round writes each value once: what is stacked is where the next round reads it, what moves up a place moves
          by its address, and what is written over is written over in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.scatter import begin_with
from tensordsl.codegen.bufferise.steps import results_of, run_region
from tensordsl.codegen.bufferise.written_over import written_over
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref, Scope, contiguous
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import FOR
from tensordsl.codegen.tensor_ir.graph import Loop, Value


@record
class _Kept:
    """How a carried value is kept, in a round: as a `row` of a stack; as one of a joint `history`, whose first rows are
    what rounds begin with; `over` the old one; by the address of another one that it `follow`s; the `same` in all
    rounds; or in storage that is free, by which addresses `rotate`."""

    how: str
    which: int = -1  # the stack, or the carried value that it follows


def run_loop(b: Bufferiser, v: Value) -> None:
    """Run a loop, and have its results in memory."""
    loop: Loop = v.attrs["loop"]
    context = (*b.context, (FOR, loop.number))
    first, results = len(loop.carried), results_of(b, v)
    numbered = [(r.attrs["k"], r) for r in results if r.op == "result"]  # the other one is the number of rounds
    stacks = {k - first: r for k, r in numbered if k >= first}
    over = written_over(b, loop, [loop.stacked[k] for k in stacks], context)
    kept = _KeptRows(b, v, stacks)
    finals = {k: r for k, r in numbered if k < first}
    storage = _Storage(b, v, finals, stacks, over)
    index = b.fresh("i")
    b.scopes.append(Scope())
    slot = b.allocate((), "int64")
    b.emit(p.StoreScalar(slot.ptr, index, "int64"))
    b.refs[loop.index.number] = slot
    wants = [*storage.round(index), *kept.wants]
    end = rounds = None
    if loop.condition is not None:
        flag, end, rounds = b.allocate((), "bool"), b.fresh("q"), b.fresh("n")
        wants.append((loop.condition, flag))
    run_region(b, context, wants)
    kept.store(index)
    for new, param in zip(loop.next, loop.carried, strict=True):
        b.agree_all(tuple(map(b.find, new.shape)), tuple(map(b.find, param.shape)))
    if end is not None:
        b.emit(p.LoadScalar(end, b.latest(flag.ptr), "bool"))
    carried = tuple((name, start, b.latest(following)) for name, start, following in storage.carried)
    body, site = b.close_scope(), b.site("loop", b.node_of(v), v.op)
    kinds = ("ptr",) * len(carried)
    b.emit(p.For(index, b.name(v.attrs["count"]), carried, kinds, body, site, end, rounds))
    for r in results:
        if r.op == "rounds":
            assert rounds is not None
            ref = b.destination(r, "int64", ())
            b.emit(p.StoreScalar(ref.ptr, rounds, "int64"))
            b.finish(r, ref)
        elif (k := r.attrs["k"]) < first:
            final = storage.current[k]
            b.view(r, Ref(final.ptr, tuple(map(b.find, r.shape)), final.strides))
        elif (k := k - first) in kept.places:
            b.finish(r, kept.places[k])
        else:
            storage.finish(k)


class _KeptRows:
    """Stacks of which only some rows are kept (`passes.loops.keep_rows`): a round that makes one of these copies it."""

    def __init__(self, b: Bufferiser, v: Value, stacks: dict[int, Value]) -> None:
        """Takes these stacks out of `stacks`."""
        self.b, self.loop = b, v.attrs["loop"]
        self.rows = {row[0]: row[1:] for row in v.attrs.get("rows", ()) if row[0] in stacks}
        results = {k: stacks.pop(k) for k in self.rows}
        self.places = {k: b.destination(r, r.dtype, r.shape) for k, r in results.items()}
        self.wants: list[tuple[Value, Ref]] = []
        self.items: dict[int, Ref] = {}  # rows that have storage, as what they are views of may be written over
        # The next of a carried value has a place of its own; a view or a result may lie in what a round writes over.
        lasting = {*self.loop.carried, *(v for v in self.loop.next if not v.traits.is_view and v.op != "result")}
        for k in self.rows:
            item = self.loop.stacked[k]
            if item not in lasting:
                shape = results[k].shape[1:]  # a round may name its lengths by values of its own
                self.items[k] = b.allocate(shape, item.dtype)
                self.wants.append((item, self.items[k]))

    def item(self, k: int) -> Ref:
        """Where the row of a round is, behind its steps."""
        if k not in self.items:
            return self.b.ref(self.loop.stacked[k])
        return replace(self.items[k], ptr=self.b.latest(self.items[k].ptr))

    def store(self, index: str) -> None:
        """Behind the steps of a round."""
        b = self.b
        for k, (start, length, step) in self.rows.items():
            item = self.loop.stacked[k]
            distance, row, back = b.fresh("e"), b.fresh("e"), b.fresh("m")
            b.emit(p.Arith(distance, "sub", index, b.name(start)))
            b.emit(p.Arith(row, "floordiv", distance, b.name(step)))
            b.emit(p.Arith(back, "mul", row, b.name(step)))
            conditions = [("ge", distance, b.name(0)), ("eq", back, distance), ("lt", row, b.name(length))]
            flags = []
            for relation, x, y in conditions:
                flags.append(b.fresh("q"))
                b.emit(p.Compare(flags[-1], relation, x, y))
            for name in flags[1:]:
                both = b.fresh("q")
                b.emit(p.Arith(both, "min", flags[0], name))
                flags[0] = both
            b.scopes.append(Scope())
            b.copy(self.item(k), _at_index(b, self.places[k], row), item.dtype)
            b.emit(p.If(flags[0], b.close_scope(), ()))


class _Storage:
    """The storage of a loop: `carried` of its `For`; `current`: where each carried value is, in a round and behind the
    last."""

    def __init__(
        self, b: Bufferiser, v: Value, finals: Mapping[int, Value], stacks: Mapping[int, Value], over: frozenset[int]
    ) -> None:
        self.b, self.loop, self.finals, self.stacks = b, v.attrs["loop"], finals, stacks
        self.carried: list[tuple[str, str, str]] = []
        self.current: list[Ref] = []
        self.kept = [_how(b, self.loop, j, stacks, j in over) for j in range(len(self.loop.carried))]
        self.inits = v.operands[1:]
        self.starts: list[Ref] = []
        self.histories: dict[int, Ref] = {}  # stack -> what it is the first or last rows of
        self.targets: dict[int, Ref] = {}
        for j, (init, param) in enumerate(zip(self.inits, self.loop.carried, strict=True)):
            self.starts.append(self._start(j, init, param, v.attrs["count"]))
        for k, r in stacks.items():
            if k not in self.histories:
                self.targets[k] = b.destination(r, r.dtype, r.shape)
        for j, kept in enumerate(self.kept):
            if kept.how == "row":
                stack = self.targets.get(kept.which)
                if stack is None or not self._is_dense(stack, self.loop.carried[j].dtype):
                    self.kept[j] = _Kept("rotate")
        for k in stacks:
            self._note(k, self.histories.get(k) or self.targets[k])
        self.free = {j: self._rotation(j) for j, kept in enumerate(self.kept) if kept.how == "rotate"}

    def _note(self, k: int, ref: Ref) -> None:
        """Tell the memory map whose rows a storage has; it has those of one stack, others begin a row later."""
        value = self.loop.stacked[k]
        state = value.attrs["k"] if value.op == "carried" else None
        self.b.program.stacks.setdefault(ref.base or ref.ptr, (self.loop.node, self.b.node_of(value), state))

    def _start(self, j: int, init: Value, param: Value, count: Any) -> Ref:
        """Where the first round finds a carried value."""
        b, kept = self.b, self.kept[j]
        if kept.how == "over":
            own = self._final_place(j, param) or b.allocate(param.shape, param.dtype)
            begin_with(b, init, own)
            return own
        if kept.how == "history":
            whole = b.allocate((ex.add(b.find(count), 1), *param.shape), param.dtype)
            start = Ref(whole.ptr, whole.dims[1:], whole.strides[1:], whole.base)
            begin_with(b, init, start)
            for k in self.stacks:
                if self.loop.stacked[k] is param:
                    self.histories[k] = start
                elif self.loop.stacked[k] is self.loop.next[j]:
                    self.histories[k] = self._behind(start, param.dtype)
            return start
        return b.packed(b.ref(init), init.dtype)

    def _final_place(self, j: int, param: Value) -> Ref | None:
        """Where the last value is wanted, if it may be computed there."""
        final = self.finals.get(j)
        if final is None or final.number not in self.b.targets:
            return None
        ref, dims = self.b.destination(final, param.dtype, param.shape), tuple(map(self.b.find, param.shape))
        is_fit = ref.dims == dims and ref.strides == contiguous(dims, ITEMSIZE[param.dtype])
        return ref if is_fit else None

    def _is_dense(self, stack: Ref, dtype: str) -> bool:
        """Whether the rows of a stack are in C order."""
        dims, dense = stack.dims[1:], contiguous(stack.dims[1:], ITEMSIZE[dtype])
        rows = zip(dims, stack.strides[1:], dense, strict=True)
        return all(n == 1 or self.b.find(s) == self.b.find(w) for n, s, w in rows)

    def _rotation(self, j: int) -> list[Ref]:
        """Storage for the value that a round makes and for those of the rounds before that are still read."""
        depth, ends = 0, [j]
        while ends := [i for i, kept in enumerate(self.kept) if kept.how == "follow" and kept.which in ends]:
            depth += 1
        param = self.loop.carried[j]
        return [self.b.allocate(param.shape, param.dtype) for _ in range(depth + 2)]

    def _behind(self, ref: Ref, dtype: str) -> Ref:
        """The next row of what `ref` is a row of."""
        b, ptr = self.b, self.b.fresh("p")
        b.emit(p.Offset(ptr, ref.ptr, b.name(ex.mul(ITEMSIZE[dtype], ex.product(ref.dims)))))
        return Ref(ptr, ref.dims, ref.strides, ref.base)

    def round(self, index: str) -> list[tuple[Value, Ref]]:
        """Begin a round: the values that it has to give, and where."""
        b, loop = self.b, self.loop
        for j, (param, start) in enumerate(zip(loop.carried, self.starts, strict=True)):
            fixed = self.kept[j].how == "same" or (self.kept[j].how == "over" and not b.has_claims)
            self.current.append(start if fixed else Ref(b.fresh("w"), start.dims, start.strides))
            b.refs[param.number] = self.current[j]
        rows = {k: _at_index(b, target, index) for k, target in self.targets.items()}
        for k, target in self.targets.items():
            b.write_row(self.stacks[k], target)
            b.write_row(loop.stacked[k], rows[k])
        wants: list[tuple[Value, Ref]] = []
        for j, (kept, new) in enumerate(zip(self.kept, loop.next, strict=True)):
            if kept.how == "same":
                continue
            current, start = self.current[j], self.starts[j]
            if kept.how == "over":
                wants.append((new, current))
                if b.has_claims:
                    self.carried.append((current.ptr, start.ptr, current.ptr))
                    b.places_of[current.ptr] = b.place(start.ptr)
                continue
            if kept.how == "row":
                following = rows[kept.which]
            elif kept.how == "follow":
                following = self.current[kept.which]
            elif kept.how == "history":
                following = self._behind(current, loop.carried[j].dtype)
                b.write_row(new, following)
                wants.append((new, following))
            else:
                names = [b.fresh("w") for _ in self.free[j]]
                following = Ref(names[0], current.dims, current.strides)
                if b.has_claims:
                    following = b.claim(following, loop.carried[j].dtype, keeps=False)
                wants.append((new, following))
                free = zip(names, self.free[j], [*names[1:], names[0]], strict=True)
                self.carried += [(name, own.ptr, after) for name, own, after in free]
            self.carried.append((current.ptr, start.ptr, following.ptr))
        return [*wants, *((loop.stacked[k], row) for k, row in rows.items())]

    def finish(self, k: int) -> None:
        """Stack k is complete."""
        r = self.stacks[k]
        row, dims = self.histories.get(k), tuple(map(self.b.find, r.shape))
        whole = Ref(row.ptr, dims, contiguous(dims, ITEMSIZE[r.dtype]), row.base) if row else self.targets[k]
        if self.loop.condition is not None:
            self.b.claim(whole, r.dtype, row=whole.ptr, fills=True)
        if row:
            self.b.view(r, whole)
        else:
            self.b.finish(r, whole)


def _how(b: Bufferiser, loop: Loop, j: int, stacks: Mapping[int, Value], is_over: bool) -> _Kept:
    param, new = loop.carried[j], loop.next[j]
    if new is param:
        return _Kept("same")
    if is_over:
        return _Kept("over")
    before = [k for k in stacks if loop.stacked[k] is param]
    behind = [k for k in stacks if loop.stacked[k] is new]
    wanted = [k for k in (*before, *behind) if stacks[k].number in b.targets]
    if before and not wanted and b.tuning.allows("joint_histories"):
        return _Kept("history")
    if behind and b.tuning.allows("states_in_stacks"):
        return _Kept("row", behind[0])
    for i, other in enumerate(loop.carried):
        if new is other and b.tuning.allows("states_in_stacks"):
            return _Kept("follow", i)
    return _Kept("rotate")


def _at_index(b: Bufferiser, destination: Ref, index: str) -> Ref:
    """destination[index], for the loop's running index."""
    step, ptr, distance = b.name(destination.strides[0]), b.fresh("p"), b.fresh("m")
    b.emit(p.Mul(distance, index, step, b.common_site("overflow")))
    b.emit(p.Offset(ptr, destination.ptr, distance))
    return Ref(ptr, destination.dims[1:], destination.strides[1:])
