"""Groups as linalg generics: one per reduction and store.

Reductions are in step form; `finish` is inlined into the generics that use their results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.fusion.group import Group, Out, region
from tensordsl.codegen.mlir.scalars import TYPE
from tensordsl.codegen.mlir.writer import Scope, Writer
from tensordsl.codegen.scalar_ir.builder import Val, walk


class GroupWriter:
    """One group: its reductions and stores as generics."""

    def __init__(self, export: Writer, group: Group) -> None:
        self.e, self.group = export, group
        self.states: dict[int, list[tuple[str, str, str, list[str]]]] = {}  # reduce -> state tensors

    def run(self) -> None:
        for p in self.group.passes:
            for r in p.reduces:
                self.reduce(r)
            for o in p.outs:
                self.store(o)

    def lengths(self, axes: Sequence[str]) -> list[Any]:
        return [self.group.extents[a] for a in axes]

    def reduce(self, r: Val) -> None:
        reducer, local = r.attr
        axes = [a for a in self.group.extents if a in r.axes or a in local]
        kept = [a for a in axes if a not in local]
        outs = []
        for dtype, value in zip(reducer.state(r.type), reducer.identity(r.type), strict=True):
            init, t = self.e.empty(self.lengths(kept), dtype)
            c = self.e.scalars.constant(value, dtype)
            filled = self.e.op(f"linalg.fill ins({c} : {TYPE[dtype]}) outs({init} : {t}) -> {t}")
            outs.append((filled, t, dtype, kept))

        def step(args: list[str], state: list[str]) -> list[str]:
            params, results = region(reducer, "step", r.type)
            return self.e.scalars.inline(params, results, [*state, *args])

        names = self.generic(axes, local, r.args, outs, step)
        self.states[id(r)] = [(n, t, dtype, kept) for n, (_, t, dtype, _) in zip(names, outs, strict=True)]

    def store(self, o: Out) -> None:
        v = o.buffer.value  # type: ignore[attr-defined]  # groups of a plan have ValueBuffers
        axes = [a for a in self.group.extents if a in o.map]
        init, t = self.e.empty(v.shape, v.dtype)
        (name,) = self.generic(axes, (), [o.value], [(init, t, v.dtype, list(o.map))], lambda args, old: args)
        self.e.values[v.number] = name

    def generic(
        self, axes: Sequence[str], reduced: Sequence[str], roots: Sequence[Val], outs: list[Any], finish: Any
    ) -> list[str]:
        ins: list[Any] = []
        place: dict[Any, int] = {}
        for v in walk(roots, ()):
            if v.op == "load" and not v.args and id(v) not in place:
                base, entries = self.e.base_map(v.attr[0].value, v.attr[1])
                place[id(v)] = len(ins)
                ins.append((self.e.value(base), self.e.type_of(base), v.type, entries))
            elif v.op == "load":
                self.e.value(self.e.base_map(v.attr[0].value, v.attr[1])[0])  # made outside of the region
                for d, m in enumerate(v.attr[1]):
                    if isinstance(m, tuple):
                        self.e.index(v.attr[0].value.shape[d])
            elif v.op == "extent":
                self.e.index(v.attr)
            elif v.op == "result" and id(v.args[0]) not in place:
                place[id(v.args[0])] = len(ins)
                ins.extend(self.states[id(v.args[0])])

        def body(names: list[str], old: list[str]) -> list[str]:
            leaf = self.leaf(axes, names, place)
            self.e.scopes.append(Scope())
            done: list[str] = finish(self.e.scalars.emit(roots, leaf.env, leaf), old)
            self.e.scopes.pop()
            return done

        return self.e.generic(axes, reduced, ins, outs, body, self.lengths(axes))

    def leaf(self, axes: Sequence[str], names: list[str], place: dict[Any, int]) -> _Leaf:
        return _Leaf(self, list(axes), names, place)


class _Leaf:
    """What a region's leaves are called."""

    def __init__(self, group: GroupWriter, axes: list[str], names: list[str], place: dict[Any, int]) -> None:
        self.group, self.axes, self.names, self.place = group, axes, names, place
        self.env: dict[int, str] = {}
        self.finished: dict[int, list[str]] = {}

    def __call__(self, v: Val) -> str | None:
        e = self.group.e
        if v.op == "load":
            return self.names[self.place[id(v)]] if not v.args else self.extract(v)
        if v.op == "result":
            r = v.args[0]
            if id(r) not in self.finished:
                at = self.place[id(r)]
                params, results = region(r.attr[0], "finish", r.type)
                state = self.names[at : at + len(self.group.states[id(r)])]
                self.finished[id(r)] = e.scalars.inline(params, results, state)
            result: str = self.finished[id(r)][v.attr]
            return result
        if v.op == "index":
            return e.op(f"arith.index_cast {e.op(f'linalg.index {self.axes.index(v.attr)} : index')} : index to i64")
        if v.op == "extent":
            return e.op(f"arith.index_cast {e.index(v.attr)} : index to i64")
        return None

    def extract(self, v: Val) -> str:
        """An indexed load: negative indices count from the end."""
        e = self.group.e
        buffer, entries = v.attr
        positions: list[Any] = []
        for d, m in enumerate(entries):
            if isinstance(m, tuple):
                k = e.op(f"arith.index_cast {self.env[id(v.args[m[1]])]} : i64 to index")
                below = e.op(f"arith.cmpi slt, {k}, {e.index(0)} : index")
                wrapped = e.op(f"arith.addi {k}, {e.index(buffer.value.shape[d])} : index")
                positions.append(e.op(f"arith.select {below}, {wrapped}, {k} : index"))
            else:
                positions.append(e.op(f"linalg.index {self.axes.index(m)} : index") if m else e.index(0))
        base, at = e.base_map(buffer.value, positions)
        names = [p if p != 0 else e.index(0) for p in at]
        return e.op(f"tensor.extract {e.value(base)}[{', '.join(names)}] : {e.type_of(base)}")
