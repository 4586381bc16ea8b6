"""Register blocking of stencil rows: several rows at once, of kernels that read one tensor in several rows.

Contract  a kernel with `stencil_offsets` -> text of a loop over groups of rows, or None.
When      the body is straight and short, reduces nothing, and loads fall to `StencilTuning.max_load_ratio`.
Why       what several rows load, or compute of that, is done once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from tensordsl.codegen.abi.descriptor import VECTOR, WRITE
from tensordsl.codegen.cpu.kernel import PREFETCH, Entry, Kernel, prefetch_following
from tensordsl.codegen.llvm.clone import Phi, is_straight, phi_lines, renamed


def block_stencil_rows(k: Kernel) -> StencilRows | None:
    """What does several rows of a kernel, if that pays."""
    t = k.tuning.stencil
    known = {e.number: e for e in k.entries.values() if e.kind == VECTOR and e.moves}
    places = ((known.get(n), known.get(first), rows, elements) for n, first, rows, elements in k.stencil_offsets)
    parts = {e.name: (first, rows, elements) for e, first, rows, elements in places if e and first}
    if not (parts and k.has_rows and is_plain(k) and len(k.body.lines) <= t.max_body_lines):
        return None
    made = StencilRows(k, parts)
    if _loads(made.body) > t.max_load_ratio * made.count * _loads(k.body.lines):
        return None
    k.declare_prefetch()
    return made


def is_plain(k: Kernel) -> bool:
    """True if a kernel is a straight text for each vector, and nothing else."""
    others = k.phis, k.states, k.carried, k.short_rows, k.prefetched, k.finishes, k.aligned_operand, k.chunk
    behind = (*k.ends.lines, *k.close.lines, *k.after.lines)
    return not any(others) and not behind and is_straight(k.before.lines, k.body.lines)


def _loads(lines: Sequence[str]) -> int:
    return sum(" = load " in line for line in lines)


class StencilRows:
    """The text of `count` rows.  parts: names of operands -> the first one of the same tensor, rows and elements behind
    it.  The pointer to a row is the name of the first one's, .t, and the number of rows from there.

    A row's text is written for each of them, and what is there word for word already is left out. Kernels compare
    addresses first, as operands may be copies; where these differ, and for rows that are left, they go row by row.
    """

    def __init__(self, k: Kernel, parts: dict[str, tuple[Entry, int, int]]) -> None:
        t = k.tuning.stencil
        self.width, self.parts, self.tuning = k.width, parts, k.tuning
        self.count = t.max_rows if len(k.body.lines) <= t.max_rows_body_lines else 2
        self.results = [e for e in k.entries.values() if e.flags & WRITE and e.moves and k.prefetches_results]
        self.known: dict[str, str] = {}  # what is computed -> its name
        self.moving = [e.name for e in k.entries.values() if e.moves]
        self.places = {name: (name, 0, 0) for name in self.moving}  # the first one, rows and bytes behind it
        self.places |= {name: (e.name, rows, n * e.itemsize) for name, (e, rows, n) in parts.items()}
        self.rows: dict[str, tuple[str, int]] = {}  # pointers -> the first one's name, rows behind that
        every = [self._names(r) for r in range(self.count)]
        self.before, self.body = (
            [line for r, names in enumerate(every) for line in self._new(text, r, names)]
            for text in (k.before.lines, k.body.lines)
        )

    def _names(self, r: int) -> dict[str, str]:
        """Of what row r begins with."""
        names = {"%i": "%i.t", "%r": f"%r.t{r}"}
        for name, (first, rows, _) in self.places.items():
            names[name] = f"{first}.t{r + rows}"
            self.rows[names[name]] = first, r + rows
        return names

    def _new(self, text: Sequence[str], r: int, names: dict[str, str]) -> list[str]:
        """What is new in the text of row r; names: of its values, completed."""
        made: list[str] = []
        for line in text:
            name, is_value, right = line.strip().partition(" = ")
            if not is_value:
                made += renamed([line], names)
                continue
            (right,) = renamed([right], names)
            names[name] = self._once(made, right, f"{name}.t{r}")
            _, _, n_bytes = self.places.get(name.removesuffix(".i"), ("", 0, 0))
            if n_bytes:  # a vector's place, as `Kernel.lane_pointer` writes it
                there = f"getelementptr i8, ptr {names[name]}, i64 {n_bytes}"
                names[name] = self._once(made, there, f"{name}.t{r}.by")
        return made

    def _once(self, made: list[str], right: str, name: str) -> str:
        if right not in self.known:
            self.known[right] = name
            made.append(f"  {name} = {right}")
        return self.known[right]

    @property
    def lines(self) -> list[str]:
        """From `entry` to `ones`, behind which the rows that are left begin at %r.from and `name`.from."""
        count, walked = self.count, sorted({first for first, _ in self.rows.values()})
        further = [(row, first, n) for row, (first, n) in sorted(self.rows.items()) if n]
        firsts = [Phi("%r.t0", "i64", "0", "%r.t"), *(Phi(f"{a}.t0", "ptr", f"{a}.0", f"{a}.t") for a in walked)]
        chunks = [Phi("%start.t", "i64", "0", "%n.last"), Phi("%stop.t", "i64", "%n.whole", "%n")]
        return [
            *self._alike(),
            *(f"  {row}.by = mul i64 {first}.step, {n}" for row, first, n in further),
            *(f"  {a}.t.by = mul i64 {a}.step, {count}" for a in walked),
            *self._within_page(),
            f"  %whole.t = sub i64 %rows, {count - 1}",
            "  %most.t = select i1 %alike, i64 %whole.t, i64 0",
            "  %any.t = icmp sgt i64 %most.t, 0",
            "  br i1 %any.t, label %rows.t, label %left",
            "rows.t:",
            *phi_lines(firsts, "entry", "after.t"),
            *(f"  %r.t{r} = add i64 %r.t0, {r}" for r in range(1, count)),
            *(f"  {row} = getelementptr i8, ptr {first}.t0, i64 {row}.by" for row, first, _ in further),
            *(f"  {row}.ask = getelementptr i8, ptr {row}, i64 {first.name}.ask" for row, first in self._new_rows()),
            *self.before,
            "  br label %chunk.t",
            "chunk.t:",
            *phi_lines(chunks, "rows.t", "ends.t"),
            "  br label %loop.t",
            "loop.t:",
            *phi_lines([Phi("%i.t", "i64", "%start.t", "%i.next.t")], "chunk.t", "loop.t"),
            *self.body,
            *self._prefetched(),
            *self._prefetch_results(),
            f"  %i.next.t = add i64 %i.t, {self.width}",
            "  %more.t = icmp slt i64 %i.next.t, %stop.t",
            "  br i1 %more.t, label %loop.t, label %ends.t",
            "ends.t:",
            "  %again.t = icmp slt i64 %stop.t, %n",
            "  br i1 %again.t, label %chunk.t, label %after.t",
            "after.t:",
            *(f"  {a}.t = getelementptr i8, ptr {a}.t0, i64 {a}.t.by" for a in walked),
            f"  %r.t = add i64 %r.t0, {count}",
            "  %r.t.more = icmp slt i64 %r.t, %most.t",
            "  br i1 %r.t.more, label %rows.t, label %left",
            "left:",
            *phi_lines([Phi("%r.from", "i64", "0", "%r.t")], "entry", "after.t"),
            "  %r.left = icmp slt i64 %r.from, %rows",
            "  br i1 %r.left, label %ones, label %done",
            "ones:",
            *(f"  {a}.done = mul i64 {a}.step, %r.from" for a in self.moving),
            *(f"  {a}.from = getelementptr i8, ptr {a}.0, i64 {a}.done" for a in self.moving),
            "  br label %row",
        ]

    def _alike(self) -> list[str]:
        """%alike: are all operands where they are taken from?"""
        lines, every = [], "true"
        for name, (first, rows, n_bytes) in self.places.items():
            if name != first:
                lines += [
                    f"  {name}.rows = mul i64 {first}.step, {rows}",
                    f"  {name}.bytes = add i64 {name}.rows, {n_bytes}",
                    f"  {name}.there = getelementptr i8, ptr {first}.0, i64 {name}.bytes",
                    f"  {name}.is = icmp eq ptr {name}.there, {name}.0",
                    f"  {name}.goes = icmp eq i64 {name}.step, {first}.step",
                    f"  {name}.both = and i1 {name}.is, {name}.goes",
                    f"  {name}.alike = and i1 {name}.both, {every}",
                ]
                every = f"{name}.alike"
        return [*lines, f"  %alike = and i1 {every}, true"]

    def _within_page(self) -> list[str]:
        """`name.ask`: the distance of the next rows, if several lie in a page; else they are prefetched already."""
        return [
            line
            for a in self._tensors()
            for line in (
                f"  {a}.near = icmp ult i64 {a}.step, {self.tuning.stencil.page_bytes}",
                f"  {a}.ask = select i1 {a}.near, i64 {a}.t.by, i64 0",
            )
        ]

    def _prefetched(self) -> list[str]:
        """What the next rows load that these have not: of each tensor as many of its rows, the last ones."""
        return [
            line
            for row, first in self._new_rows()
            for line in (
                f"  {row}.ask.i = getelementptr i{8 * first.itemsize}, ptr {row}.ask, i64 %i.t",
                f"  call void @{PREFETCH}(ptr {row}.ask.i, i32 0, i32 3, i32 1)",
            )
        ]

    def _prefetch_results(self) -> list[str]:
        """Lines of results, which alternating stores into several rows would wait for."""
        lines = []
        for e, r in product(self.results, range(self.count)):
            place = f"{e.name}.to.t{r}"
            lines += [f"  {place} = getelementptr i{8 * e.itemsize}, ptr {e.name}.t{r}, i64 %i.t"]
            lines += prefetch_following(
                place, self.width * e.itemsize, writes=True, by=self.tuning.prefetch.light_distance_bytes
            )
        return lines

    def _new_rows(self) -> list[tuple[str, Entry]]:
        found = []
        for a, first in self._tensors().items():
            own = {row: n for row, (name, n) in self.rows.items() if name == a}
            found += [(row, first) for row, n in own.items() if n > max(own.values()) - self.count]
        return found

    def _tensors(self) -> dict[str, Entry]:
        return {first.name: first for first, _, _ in self.parts.values()}
