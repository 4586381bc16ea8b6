"""The bufferiser: what all bufferising code writes with: names of lengths, storage, views, checks, launches.

Everything that an i64 can hold (lengths, strides, byte counts) is a polynomial of `tensor_ir.extents`, so equal
quantities are computed once; those of the sources alone at entry, as are storage of outputs and checks, before the
first destructive write.  Storage of dead values is reused for the next of the same size.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, cast

from tensordsl.codegen.abi.layouts import USUAL_LENGTHS
from tensordsl.codegen.bufferise.launches import check_unread, launch_of
from tensordsl.codegen.fusion.group import Buffer, Group, Out, buffers
from tensordsl.codegen.fusion.inline import Fused, relies_on
from tensordsl.codegen.fusion.narrow_integers import narrowed
from tensordsl.codegen.fusion.placement import Context, Region
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import LONG_SUM, Block, Ref, Scope, contiguous, continued
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Builder
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.extents import ENTRY_ATOMS, known_at_entry
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.variants.conditions import Planned

COMMON_SITES = {
    "overflow": "a size does not fit 63 bits", "memory": "temporary storage", "kernels": "kernels of these lengths",
}  # fmt: skip


class Bufferiser:
    """The state of one function's construction."""

    def __init__(
        self, graph: Graph, program: p.Program, regions: dict[Context, Region], tuning: Tuning, device: bool = False,
        small: Collection[int] = (), has_claims: bool = False,
    ) -> None:  # fmt: skip
        self.has_claims = has_claims  # the program is one for `program_ir.check_storage`
        self.claimed: dict[str, tuple[str, Scope]] = {}  # addresses -> those of the values computed there, by region
        self.places_of: dict[str, str] = {}  # names of an address that has claims, and its first one
        self.rows: dict[tuple[int, str], str] = {}  # values at places -> addresses of rows that many rounds write
        self.graph, self.program, self.regions, self.tuning = graph, program, regions, tuning
        self.device = device  # the groups are a device's, not the CPU's
        self.find: Callable[[Any], Any] = graph.extents.find
        self.stored_moves = regions[()].moves
        self.entry = Scope()
        self.scopes = [self.entry]
        self.early: set[str] = set()  # computed at entry
        self.closed: list[tuple[Any, str]] = []  # names of branches and loops that are complete
        self.refs: dict[int, Ref] = {}
        self.targets: dict[int, list[Callable[[], Ref]]] = {}
        self.results: dict[int, list[Value]] = {}
        self.n_slots = 0  # of objects that the call makes
        self.pending: list[ex.Constraint] = []
        self.arena: list[tuple[str, str]] = []
        self.free: dict[Any, list[str]] = {}
        self.in_place: set[int] = set()  # values computed in the storage of the operand that they begin with
        self.places: dict[int, tuple[Ref, list[Ref]]] = {}  # joins and slices -> (Ref, Refs of their operands)
        self.of_last_axes: set[Any] = set()  # strides of arguments
        self.behind: dict[
            str, tuple[str, Any]
        ] = {}  # parts of joins, slices -> an address before, and bytes from there
        self.scratch: dict[int, str | None] = {}  # product -> scratch to pack its operands, if needed
        self.products: dict[int, Any] = {}  # products that a chain computes, used at their own steps
        self.unstored: set[int] = set()  # positions that only the group adding there has
        self.are_usual = USUAL_LENGTHS in small
        self.outgrown: list[str] = []  # conditions under which an omitted variant is needed
        self.late: set[int] = set()  # values that are computed after something was destroyed
        self.sizes: dict[str, Any] = {}  # arena storage in use -> its size
        self.context: Context = ()
        self.node: int | None = None  # the user's application behind the step that is being built
        self.planned: dict[Any, Planned] = {}  # by the structure of groups
        self.common: dict[Any, int] = {}  # by kind and loops
        self.count = 0

    # -- names and instructions ------------------------------------------------------------------------------------
    def fresh(self, prefix: str = "t") -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def new_slot(self) -> int:
        """The number of an object that the call makes."""
        self.n_slots += 1
        return self.n_slots - 1

    def emit(self, instruction: p.Instr) -> None:
        self.scopes[-1].code.append(instruction)

    def close_scope(self) -> tuple[p.Instr, ...]:
        """The code of the innermost region, which is complete."""
        scope = self.scopes.pop()
        self.closed.extend(scope.names.items())
        return tuple(scope.code)

    def site(self, kind: str, node: int | None, text: str) -> int:
        number = len(self.program.sites) + 1
        self.program.sites[number] = {"kind": kind, "node": node, "text": text}
        if loops := self.enclosing_loops():
            self.program.sites[number]["loops"] = loops
        return number

    def enclosing_loops(self) -> list[int | None]:
        """The user's applications behind the loops whose body is being built, the outermost first."""
        return [self.graph.loops[at[1] - 1].node for at in self.context if at[0] != "if"]

    def node_of(self, v: Value) -> int | None:
        return self.graph.origins.get(v.number)

    def name(self, length: Any) -> str:
        """The name of a polynomial's value; computed at entry where that is possible, else here."""
        length = self.find(length)
        for scope in reversed(self.scopes):
            if length in scope.names:
                return scope.names[length]
        at_entry = known_at_entry(length)
        scope = self.entry if at_entry else self.scopes[-1]
        if isinstance(length, int):
            dst = self.fresh("c")
            self.entry.code.append(p.Const(dst, length))
            self.entry.names[length] = dst
            return dst
        dst = self._sum(length, scope)
        scope.names[length] = dst
        return dst

    def _sum(self, length: ex.Extent, scope: Scope) -> str:
        total, terms = "", length.terms
        if len(terms) >= LONG_SUM:
            known = continued(length, scope.sums)
            if known is not None:
                total, given = known
                terms = tuple(t for t in terms if t not in given)
        for monomial, coefficient in terms:
            factors = [self._atom(a, scope) for a in monomial]
            if coefficient not in (1, -1) or not factors:
                factors.append(self.name(abs(coefficient) if total and coefficient < 0 else coefficient))
            elif coefficient == -1 and not total:
                factors.append(self.name(-1))
            term = factors[0]
            for f in factors[1:]:
                term = self.once(scope, "m", p.Mul, term, f, self.common_site("overflow"))
            if not total:
                total = term
                continue
            dst = self.fresh("e")
            scope.code.append(p.Arith(dst, "sub" if coefficient < 0 else "add", total, term))
            total = dst
        if len(length.terms) >= LONG_SUM:
            scope.sums = [*scope.sums[-3:], (total, frozenset(length.terms))]
        return total

    def compared(self, *conditions: tuple[str, Any, Any]) -> str:
        """The name of whether all of them hold: (eq ne lt le gt ge, length, length)."""
        names = []
        for op, x, y in conditions:
            x, y = self.find(x), self.find(y)
            scope = self.entry if known_at_entry(x) and known_at_entry(y) else self.scopes[-1]
            names.append(self.once(scope, "q", p.Compare, op, self.name(x), self.name(y)))
        return self.joined("min", names)

    def compared_raw(self, op: str, x: Any, y: Any) -> str:
        """The name of whether a relation holds at entry between lengths as they were before any was identified."""
        return self.once(self.entry, "q", p.Compare, op, self._raw(x), self._raw(y))

    def joined(self, op: str, names: Sequence[str]) -> str:
        """The name of whether all of them hold (min) or one does (max); found at entry where that is possible."""
        result, *others = sorted(set(names))
        scope = self.entry if self.early.issuperset(names) else self.scopes[-1]
        for name in others:
            result = self.once(scope, "q", p.Arith, op, result, name)
        return result

    def once(self, scope: Scope, prefix: str, make: Callable[..., p.Instr], *operands: Any) -> str:
        """The result of an instruction with these operands, which may exist already."""
        key = (make, *operands)
        for s in (scope,) if scope is self.entry else reversed(self.scopes):
            if key in s.names:
                return s.names[key]
        dst = scope.names[key] = self.fresh(prefix)
        scope.code.append(make(dst, *operands))
        if scope is self.entry:
            self.early.add(dst)
        return dst

    def common_site(self, kind: str) -> int:
        """The one site of all size computations, or of all temporary storage."""
        key = kind, self.context if self.enclosing_loops() else ()
        if key not in self.common:
            self.common[key] = self.site(kind, None, COMMON_SITES[kind])
        return self.common[key]

    def _atom(self, a: ex.Atom, scope: Scope) -> str:
        key = ("atom", a)
        for s in reversed(self.scopes):
            if key in s.names:
                return s.names[key]
        dst = self.fresh("n")
        kind = a[0]
        if kind in ("arg", "shared"):
            self.entry.code.append(p.Extent(dst, (kind, a[1]), a[2]))
            scope = self.entry
        elif kind == "stride":
            self.entry.code.append(p.Stride(dst, (a[1], a[2]), a[3]))
            scope = self.entry
        elif kind in ("floordiv", "min", "max"):
            scope = self.entry if all(map(known_at_entry, a[1:])) else scope
            x, y = self.name(a[1]), self.name(a[2])
            scope.code.append(p.Arith(dst, kind, x, y))
        elif kind == "choice":
            scope.code.append(p.Select(dst, *map(self.name, a[1:])))
        elif kind == "negative":
            scope = self.entry if known_at_entry(a[1]) else scope
            scope.code.append(p.Compare(dst, "lt", self.name(a[1]), self.name(0)))
        elif kind == "value":
            v = self.graph.values[a[1]]
            scope.code.append(p.LoadScalar(dst, self.ref(v).ptr, v.dtype))
        else:
            raise AssertionError(f"length {a} is not known here")
        scope.names[key] = dst
        return dst

    # -- references ------------------------------------------------------------------------------------------------
    def ref(self, v: Value) -> Ref:
        """Where v is in memory."""
        if v.number in self.refs:
            return self.refs[v.number]
        chain = [v]
        while chain[-1].op == "move" and chain[-1].number not in self.refs:
            chain.append(chain[-1].operands[0])
        last = chain.pop()
        ref = self.refs[last.number] if last.number in self.refs else self._source(last)
        self.refs.setdefault(last.number, ref)
        for m in reversed(chain):
            relies = self.moved_pairs(m, ref)
            for a, n in relies:
                self.agree(a, n)
            ref = self.moved(m, ref)
            if not relies:  # else the next user, perhaps in another region, checks again
                self.refs[m.number] = ref
        return ref

    def moved_pairs(self, m: Value, ref: Ref) -> list[tuple[Any, Any]]:
        """The lengths that the view relies on without their being known to be equal."""
        if not self.graph.extents.assumed:
            return []
        pairs = ((n, self.find(m.shape[a])) for n, a in zip(ref.dims, m.attrs["map"], strict=True) if a is not None)
        return [(a, n) for a, n in pairs if a != n]

    def _source(self, v: Value) -> Ref:
        dims = tuple(map(self.find, v.shape))
        if v.op in ("arg", "shared"):
            key = ("data", v.op, v.attrs["index"])
            if key not in self.entry.names:
                dst = self.entry.names[key] = self.fresh("p")
                self.entry.code.append(p.Data(dst, (v.op, v.attrs["index"])))
            strides: tuple[Any, ...]
            if v.op == "shared":
                strides = contiguous(dims, ITEMSIZE[v.dtype])
            else:
                strides = tuple(
                    0 if n == 1 else ex.atom("stride", "arg", v.attrs["index"], d) for d, n in enumerate(dims)
                )
                self.of_last_axes.update(strides[-1:])
            return Ref(self.entry.names[key], dims, strides)
        if v.op == "const":
            dst = self.fresh("p")
            self.entry.code.append(p.Bytes(dst, v.attrs["data"].tobytes()))
            return Ref(dst, dims, contiguous(dims, ITEMSIZE[v.dtype]))
        raise AssertionError(f"{v} = {v.op} is not in memory")

    def moved(self, m: Value, ref: Ref) -> Ref:
        strides: list[Any] = [0] * m.rank
        for d, axis in enumerate(m.attrs["map"]):
            if axis is not None:
                strides[axis] = ex.add(strides[axis], ref.strides[d])
        return Ref(ref.ptr, tuple(map(self.find, m.shape)), tuple(strides), ref.base)

    # -- storage ---------------------------------------------------------------------------------------------------
    def allocate(self, dims: Sequence[Any], dtype: str) -> Ref:
        """Arena storage, or a stack slot for a 0-d value."""
        dims = tuple(map(self.find, dims))
        strides = contiguous(dims, ITEMSIZE[dtype])
        if not dims and ITEMSIZE[dtype] <= 8:
            dst = self.fresh("s")
            self.entry.code.append(p.Slot(dst))
            return self.claim(Ref(dst, (), (), dst), dtype, keeps=False)
        size = self.find(ex.mul(ITEMSIZE[dtype], ex.product(dims)))
        free = self.free.get(size)
        if free:
            dst = free.pop()
            self.sizes[dst] = size
            return self.claim(Ref(dst, dims, strides, dst), dtype, keeps=False)
        dst = self.fresh("b")
        if self.reserve(dst, size):
            self.sizes[dst] = size
        return self.claim(Ref(dst, dims, strides, dst), dtype, keeps=False)

    def claim(self, ref: Ref, dtype: str, keeps: bool = True, row: str | None = None, fills: bool = False) -> Ref:
        """The tensor as that of another value, in programs that have claims; row, fills: see `instructions.Claim`."""
        if not self.has_claims:
            return ref
        dst, dims, strides = self.fresh("v"), tuple(map(self.name, ref.dims)), tuple(map(self.name, ref.strides))
        self.emit(p.Claim(dst, ref.ptr, dtype, dims, strides, keeps, row, fills))
        self.claimed[ref.ptr] = dst, self.scopes[-1]
        self.places_of[dst] = self.place(ref.ptr)
        return replace(ref, ptr=dst)

    def place(self, ptr: str) -> str:
        """The one name of an address, whosever it is."""
        return self.places_of.get(ptr, ptr)

    def write_row(self, v: Value, ref: Ref) -> None:
        """v, where it is computed at `ref`, is a row of a storage, or all of it, that many rounds write."""
        self.rows[v.number, self.place(ref.ptr)] = ref.ptr

    def row_of(self, v: Value, ref: Ref) -> str | None:
        """The address of the row that v is if it is at `ref`."""
        return self.rows.get((v.number, self.place(ref.ptr)))

    def latest(self, ptr: str) -> str:
        """The address by which the last value that was computed at `ptr` is reached."""
        while ptr in self.claimed and self.claimed[ptr][1] in self.scopes:
            ptr, _ = self.claimed[ptr]
        return ptr

    def reserve(self, dst: str, size: Any) -> bool:
        """Arena storage of `size` bytes; whether it is of the whole call's arena (else it lives in this region)."""
        known = known_at_entry(size)
        name = self.name(size)
        if known:
            self.arena.append((dst, name))
        else:
            self.emit(p.Arena(((dst, name),), self.common_site("memory")))
        return known

    def release(self, number: int) -> None:
        """The value's storage may be used again, if it is arena storage of its own."""
        ref = self.refs.get(number)
        if ref is not None and number not in self.targets:
            self.reuse(ref)

    def reuse(self, ref: Ref) -> None:
        if (size := self.sizes.pop(ref.base, None)) is not None:
            self.free.setdefault(size, []).append(ref.base)

    def destination(self, v: Value, dtype: str, shape: Sequence[Any]) -> Ref:
        """The storage in which the value is computed: its first target, else new."""
        targets = self.targets.get(v.number)
        if not targets:
            return self.allocate(shape, dtype)
        ref = targets[0]()
        self.agree_all(shape, ref.dims)
        return ref

    def finish(self, v: Value, ref: Ref) -> None:
        """v is at `ref`; emits the copies to its other targets."""
        row = self.row_of(v, ref)
        is_own = row == ref.ptr and row not in self.claimed  # else branches have given it to values of theirs
        own = self.refs[v.number] = ref if is_own else self.claim(ref, v.dtype, row=row)
        for target in self.targets.get(v.number, ()):
            if (other := target()) is not ref and not (
                self.has_claims and self.place(other.ptr) == self.place(ref.ptr)
            ):
                self.copy(own, other, v.dtype)

    def operand(self, ptr: str, dtype: str, dims: Sequence[Any], strides: Sequence[Any]) -> p.Operand:
        """What a `LibraryCall` reads or writes."""
        return ptr, dtype, tuple(map(self.name, dims)), tuple(map(self.name, strides))

    def view(self, v: Value, ref: Ref) -> None:
        """v is a view of other storage: copies it to its targets."""
        self.agree_all(ref.dims, v.shape)
        row = self.row_of(v, ref)
        ref = self.refs[v.number] = ref if row in (None, ref.ptr) else self.claim(ref, v.dtype, row=row)
        for target in self.targets.get(v.number, ()):
            if self.place((other := target()).ptr) != self.place(ref.ptr):
                self.copy(ref, other, v.dtype)
            elif other.ptr != ref.ptr:
                self.claimed[other.ptr] = ref.ptr, self.scopes[-1]

    # -- launches --------------------------------------------------------------------------------------------------
    def launch(self, group: Group, refs: dict[int, Ref], node: int | None, block: Block | None = None) -> None:
        """Run a group, on a block of its rows if one is given; refs: id(buffer) -> where it is."""
        if block is None:
            check_unread(self, group, refs, node)
        self.emit(launch_of(self, group, refs, node, block))

    def shifted(self, block: Block, ref: Ref, step: Any) -> str:
        """The address of the block's first row, where each row is `step` bytes after the one before."""
        if step == 0 or ref.ptr in block.local:
            return ref.ptr
        names, key = self.scopes[-1].names, ("shifted", ref.ptr, step)
        if key not in names:
            offset, names[key] = self.fresh("m"), self.fresh("p")
            self.emit(p.Mul(offset, block.first, self.name(step), self.common_site("overflow")))
            self.emit(p.Offset(names[key], ref.ptr, offset))
        return names[key]

    def copy(self, source: Ref, target: Ref, dtype: str) -> None:
        """target = source, broadcasting along strides of 0."""
        self.agree_all(source.dims, target.dims)
        itemsize = ITEMSIZE[dtype]
        if source.strides == target.strides == contiguous(source.dims, itemsize):
            size = ex.mul(itemsize, ex.product(source.dims))
            self.emit(p.Copy(target.ptr, source.ptr, self.name(size)))
            return
        b = Builder()
        axes: list[Any] = [0 if n == 1 else f"a{d}" for d, n in enumerate(source.dims)]
        x, y = Buffer("x", dtype, source.dims), Buffer("y", dtype, source.dims)
        entries = [0 if s == 0 else a for a, s in zip(axes, source.strides, strict=True)]
        shape = tuple(1 if e == 0 else n for e, n in zip(entries, source.dims, strict=True))
        x = Buffer("x", dtype, shape)
        out = Out(y, tuple(axes), b.load(x, *entries))
        extents = {a: n for a, n in zip(axes, source.dims, strict=True) if a}
        group = Group("copy", extents, tuple(extents), (out,))
        self.launch(group, {id(x): source, id(y): target}, None)

    def packed(self, ref: Ref, dtype: str, room: Callable[[], Ref | None] = lambda: None) -> Ref:
        """The tensor in C order: itself if it is, else a copy, in `room` if given; a run-time test where only that can
        tell."""
        want = contiguous(ref.dims, ITEMSIZE[dtype])
        unknown = [
            (s, w, n)
            for s, w, n in zip(ref.strides, want, ref.dims, strict=True)
            if n != 1 and self.find(s) != self.find(w)
        ]
        if not unknown:
            return ref
        size = ex.mul(ITEMSIZE[dtype], ex.product(ref.dims))
        fixed = any(not any(a[0] == "stride" for a in ex.atoms(s)) for s, _, _ in unknown)
        if fixed:
            target = room() or self.allocate(ref.dims, dtype)
            self.copy(ref, target, dtype)
            return target
        either = [[self.compared(("eq", s, w)), self.compared(("le", n, 1))] for s, w, n in unknown]
        flag = self.joined("min", [self.joined("max", names) for names in either])
        bytes_, dst, out = self.fresh("z"), self.fresh("b"), self.fresh("p")
        self.emit(p.Select(bytes_, flag, self.name(0), self.name(size)))
        self.emit(p.Arena(((dst, bytes_),), self.common_site("memory")))
        target = Ref(dst, ref.dims, want, dst)
        self.scopes.append(Scope())
        self.copy(ref, target, dtype)
        self.emit(p.If(flag, (), self.close_scope()))
        self.emit(p.Select(out, flag, ref.ptr, dst, "ptr"))
        return Ref(out, ref.dims, want, dst)

    # -- constraints -----------------------------------------------------------------------------------------------
    def check(self, c: ex.Constraint) -> None:
        self.emit(p.Check(c.relation, self._raw(c.a), self._raw(c.b), self.site("check", c.node, c.what)))

    def check_entry(self) -> None:
        """Check at entry what depends on the sources alone."""
        body = self.scopes.pop()
        self.check_pending()
        self.scopes.append(body)

    # What a call may leave out checks its lengths when it runs: see `Extents`.
    def agree(self, a: Any, b: Any, what: str = ex.SHARED_AXIS) -> None:
        """Check that two lengths are equal where that is only assumed."""
        extents = self.graph.extents
        if not extents.assumed:
            return
        given = extents.assumption(a, b)
        a, b = self.find(a), self.find(b)
        if a != b:
            given = given or extents.assumption(a, b) or ex.Constraint(a, b, what, self.node)
            self.check_here(given)

    def agree_all(self, dims: Sequence[Any], others: Sequence[Any]) -> None:
        if self.graph.extents.assumed:
            for a, b in zip(dims, others, strict=True):
                self.agree(a, b)

    def check_here(self, c: ex.Constraint) -> None:
        """The check of a constraint, unless it was emitted before."""
        key = ("checked", c)
        if not any(key in scope.names for scope in self.scopes):
            self.scopes[-1].names[key] = ""
            self.emit(p.Check(c.relation, self.name(c.a), self.name(c.b), self.site("check", c.node, c.what)))

    def check_source(self, n: Any, points: Any, node: int | None) -> None:
        """Check that indices at `points` have something to point into: n elements, not none."""
        if not (isinstance(n, int) and n > 0):
            ok = self.joined("max", [self.compared(("gt", n, 0)), self.compared(("le", points, 0))])
            self.emit(p.Check("gt", ok, self.name(0), self.site("index", node, "index into an empty axis")))

    def check_step(self, values: Sequence[Value], lengths: Sequence[Any]) -> None:
        """The checks of a step: its own, and of lengths that may be negative."""
        extents = self.graph.extents
        if not extents.assumed:
            return
        for v in values:
            for c in v.attrs.get("checks", ()):
                self.check_here(c)
        for n in (*lengths, *(n for v in values for n in v.shape)):
            c = extents.assumption(n, 0, "ge") or extents.assumption(self.find(n), 0, "ge")
            if c is not None:
                self.check_here(c)

    def lengths(self) -> dict[str, Any]:
        """The polynomials behind names."""
        names = (*self.closed, *(pair for scope in self.scopes for pair in scope.names.items()))
        return {n: length for length, n in names if not isinstance(length, tuple)}

    def check_pending(self) -> None:
        """Emit the checks that have become possible: constraints all of whose integers have been computed."""
        waiting = []
        for c in self.pending:
            ready = all(
                a[0] in ENTRY_ATOMS or (a[0] == "value" and self._is_known(a[1])) or self._has_atom(a)
                for a in ex.atoms(c.a) | ex.atoms(c.b)
            )
            if ready:
                self.check(c)
            else:
                waiting.append(c)
        self.pending = waiting

    def _is_known(self, number: int) -> bool:
        """Whether the value is in memory; a view is as soon as what it shows is."""
        v = self.graph.values[number]
        while v.op == "move" and v.number not in self.refs:
            v = v.operands[0]
        return v.number in self.refs or v.op in ("arg", "shared", "const")

    def _has_atom(self, a: ex.Atom) -> bool:
        return any(("atom", a) in scope.names for scope in self.scopes)

    def _raw(self, length: Any) -> str:
        """The value of a length as it was before the constraints identified lengths with each other."""
        if not isinstance(length, ex.Extent):
            return self.name(length)
        key = ("raw", length)
        for scope in reversed(self.scopes):
            if key in scope.names:
                return scope.names[key]
        at_entry = known_at_entry(length)
        scope = self.entry if at_entry else self.scopes[-1]
        scope.names[key] = self._sum(length, scope)
        return scope.names[key]


def run_group(b: Bufferiser, fused: Fused, scattered: Sequence[tuple[Value, Ref]] = ()) -> None:
    """Compute a group's values, and those that it adds to at positions, which begin there."""
    given = [*fused.values, *(v for v, _ in scattered)]
    b.node = b.node_of(given[0])
    b.check_step(fused.values, list(fused.group.extents.values()))
    for m, n in relies_on(fused, b.find, b.graph.extents.assumed):
        b.agree(m, n)
    refs = {v.number: b.ref(v) for v in fused.loads}
    outs = [b.destination(v, v.dtype, v.shape) for v in fused.values]
    by_buffer: dict[int, Ref] = {}
    for buffer in cast(Any, buffers(fused.group)[0]):  # a plan's groups have ValueBuffers
        by_buffer[id(buffer)] = refs[buffer.value.number]
    for o, ref in zip(fused.group.outs, outs, strict=True):
        by_buffer[id(o.buffer)] = ref
    for s, (v, ref) in zip(fused.group.scatters, scattered, strict=True):
        rows = zip(ref.dims, ref.strides, contiguous(ref.dims, ITEMSIZE[v.dtype]), strict=True)
        assert all(n == 1 or b.find(step) == b.find(dense) for n, step, dense in rows), f"{v} is not in C order"
        by_buffer[id(s.buffer)] = ref
    group = narrowed(fused.group) if b.tuning.allows("narrow_integers") else fused.group
    b.launch(group, by_buffer, b.node)
    for v, ref in (*zip(fused.values, outs, strict=True), *scattered):
        b.finish(v, ref)
