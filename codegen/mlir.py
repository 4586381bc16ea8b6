"""Export to MLIR: one `func.func` of linalg generics on tensors per compiled function, which upstream MLIR verifies and runs.

Every group is one generic per pass and store: reductions are fills with the identity and a generic in step form, their
results enter later generics as state tensors with `finish` inline.  Broadcasts and transpositions are indexing maps;
loops are `scf.for`, branches `scf.if`, slices `tensor.extract_slice` and `insert_slice`.  Updates of shared variables are
extra results.  What has no structured form (callbacks into Python) is a call of a declared private function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.codegen import extents as ex
from tensordsl.codegen.group import Group, Out, passes, region
from tensordsl.codegen.ir import Graph, Value, toposort
from tensordsl.codegen.lower import Lowered
from tensordsl.codegen.mlir_scalar import TYPE, Scalars, literal, walk_until
from tensordsl.codegen.regions import Context, Step, plan_regions
from tensordsl.codegen.scalar import FLOATS, Val, walk


def export(lowered: Lowered, name: str = "main") -> str:
    """The module's text.  Arguments: the function's inputs, then its shared variables; results: outputs, then updates."""
    return _Export(lowered, name).module()


class _Scope:
    def __init__(self) -> None:
        self.names: dict[Any, str] = {}


class _Export:
    def __init__(self, lowered: Lowered, name: str) -> None:
        self.graph: Graph = lowered.graph
        self.roots = [*lowered.outputs, *(v for _, v in lowered.updates)]
        self.name = name
        self.regions = plan_regions(self.graph, self.roots)
        self.lines: list[str] = []
        self.indent = 2
        self.count = 0
        self.values: dict[int, str] = {}
        self.scopes = [_Scope()]
        self.context: Context = ()
        self.private: dict[str, str] = {}
        self.scalars = Scalars(self.op)
        self.results: dict[int, list[Value]] = {}
        everything = toposort(self.roots)
        for v in everything:
            if v.op == "result":
                self.results.setdefault(v.operands[0].number, []).append(v)
        self.sources = sorted(
            (v for v in everything if v.op in ("arg", "shared")), key=lambda v: (v.op, v.attrs["index"])
        )
        self.signature = lowered.sources

    # -- text ---------------------------------------------------------------------------------------------------------
    def put(self, line: str) -> None:
        self.lines.append("  " * self.indent + line)

    def op(self, right: str) -> str:
        self.count += 1
        self.put(f"%{self.count} = {right}")
        return f"%{self.count}"

    def type_of(self, v: Value) -> str:
        return tensor_type(map(self.find, v.shape), v.dtype)

    def find(self, length: Any) -> Any:
        return self.graph.extents.find(length)

    def module(self) -> str:
        args = []
        for v in self.signature:
            self.values[v.number] = f"%{v.op}{v.attrs['index']}"
            args.append(f"%{v.op}{v.attrs['index']}: {self.type_of(v)} {{bufferization.writable = false}}")
        self.run(self.regions[()].steps)
        names = [self.value(v) for v in self.roots]
        types = ", ".join(self.type_of(v) for v in self.roots)
        if names:
            self.put(f"return {', '.join(names)} : {types}")
        else:
            self.put("return")
        head = f"  func.func @{self.name}({', '.join(args)}) -> ({types}) attributes {{llvm.emit_c_interface}} {{"
        private = [f"  {text}" for text in self.private.values()]
        return "\n".join(["module {", *private, head, *self.lines, "  }", "}", ""])

    # -- lengths ------------------------------------------------------------------------------------------------------
    def index(self, length: Any) -> str:
        """A length as a value of type index."""
        length = self.find(length)
        for scope in reversed(self.scopes):
            if length in scope.names:
                return scope.names[length]
        name = self._index(length)
        self.scopes[-1].names[length] = name
        return name

    def _index(self, length: Any) -> str:
        if isinstance(length, int):
            return self.op(f"arith.constant {length} : index")
        total = ""
        for monomial, coefficient in length.terms:
            term = "" if coefficient == 1 and monomial else self.index(coefficient)
            for a in monomial:
                factor = self._atom(a)
                term = self.op(f"arith.muli {term}, {factor} : index") if term else factor
            total = self.op(f"arith.addi {total}, {term} : index") if total else term
        return total

    def _atom(self, a: ex.Atom) -> str:
        key = ("atom", a)
        for scope in reversed(self.scopes):
            if key in scope.names:
                return scope.names[key]
        kind = a[0]
        if kind in ("arg", "shared"):
            source = next(v for v in self.signature if v.op == kind and v.attrs["index"] == a[1])
            name = self.op(f"tensor.dim {self.values[source.number]}, {self.index(a[2])} : {self.type_of(source)}")
        elif kind == "value":
            v = self.graph.values[a[1]]
            item = self.op(f"tensor.extract {self.value(v)}[] : {self.type_of(v)}")
            item = self.scalars.cast(item, v.dtype, "int64")
            name = self.op(f"arith.index_cast {item} : i64 to index")
        elif kind == "negative":
            below = self.op(f"arith.cmpi slt, {self.index(a[1])}, {self.index(0)} : index")
            name = self.op(f"arith.select {below}, {self.index(1)}, {self.index(0)} : index")
        elif kind in ("min", "max"):
            name = self.op(f"arith.{kind}si {self.index(a[1])}, {self.index(a[2])} : index")
        else:
            assert kind == "floordiv", a
            name = self._floordiv(self.index(a[1]), self.index(a[2]))
        self.scopes[-1].names[key] = name
        return name

    def _floordiv(self, x: str, y: str) -> str:
        zero = self.index(0)
        none = self.op(f"arith.cmpi eq, {y}, {zero} : index")
        safe = self.op(f"arith.select {none}, {self.index(1)}, {y} : index")
        quotient = self.op(f"arith.floordivsi {x}, {safe} : index")
        return self.op(f"arith.select {none}, {zero}, {quotient} : index")

    # -- values -------------------------------------------------------------------------------------------------------
    def value(self, v: Value) -> str:
        """The tensor of v; constants and moves are made where they are first needed."""
        if v.number in self.values:
            return self.values[v.number]
        for scope in reversed(self.scopes):
            if ("value", v.number) in scope.names:
                return scope.names["value", v.number]
        if v.op == "const":
            name = self.op(f"arith.constant {dense(v.attrs['data'])} : {self.type_of(v)}")
        else:
            assert v.op == "move", v.op
            name = self.moved(v)
        self.scopes[-1].names["value", v.number] = name
        return name

    def empty(self, shape: Sequence[Any], dtype: str) -> tuple[str, str]:
        dims = [self.find(n) for n in shape]
        t = tensor_type(dims, dtype)
        return self.op(f"tensor.empty({', '.join(self.index(n) for n in dims if not isinstance(n, int))}) : {t}"), t

    def moved(self, v: Value) -> str:
        """A view as a tensor of its own."""
        base, entries = base_map(v, [f"d{d}" for d in range(v.rank)], self.find)
        init, t = self.empty(v.shape, v.dtype)
        axes = [f"d{d}" for d in range(v.rank)]
        source = self.value(base)
        return self.generic(
            axes, (), [(source, self.type_of(base), v.dtype, entries)], [(init, t, v.dtype, axes)],
            lambda ins, outs: [ins[0]], v.shape,
        )[0]  # fmt: skip

    def generic(
        self, axes: Sequence[str], reduced: Sequence[str], ins: list[Any], outs: list[Any],
        body: Callable[[list[str], list[str]], list[str]], lengths: Sequence[Any],
    ) -> list[str]:  # fmt: skip
        """A linalg.generic; operands are (name, tensor type, dtype, map).  `lengths`: of the axes, for those in no map."""
        covered = {m for *_, entries in (*ins, *outs) for m in entries}
        for a, n in zip(axes, lengths, strict=True):
            if a not in covered:  # linalg takes the bounds of its loops from operands
                name, t = self.empty((n,), "bool")
                ins = [*ins, (name, t, "bool", [a])]
        maps = ", ".join(f"affine_map<({', '.join(axes)}) -> ({', '.join(map(str, m))})>" for *_, m in (*ins, *outs))
        kinds = ", ".join('"reduction"' if a in reduced else '"parallel"' for a in axes)
        self.count += 1
        number = self.count
        types = [t for _, t, *_ in outs]
        many = f":{len(outs)}" if len(outs) > 1 else ""
        self.put(f"%{number}{many} = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{kinds}]}}")
        if ins:
            self.put(f"    ins({', '.join(n for n, *_ in ins)} : {', '.join(t for _, t, *_ in ins)})")
        self.put(f"    outs({', '.join(n for n, *_ in outs)} : {', '.join(types)}) {{")
        names = [f"%b{number}_{k}" for k in range(len(ins) + len(outs))]
        items = [f"{n}: {TYPE[dtype]}" for n, (_, _, dtype, _) in zip(names, (*ins, *outs), strict=True)]
        self.put(f"^bb0({', '.join(items)}):")
        self.indent += 1
        yielded = body(names[: len(ins)], names[len(ins) :])
        self.put(f"linalg.yield {', '.join(yielded)} : {', '.join(TYPE[dtype] for _, _, dtype, _ in outs)}")
        self.indent -= 1
        self.put(f"}} -> {types[0] if len(types) == 1 else '(' + ', '.join(types) + ')'}")
        return [f"%{number}"] if len(outs) == 1 else [f"%{number}#{k}" for k in range(len(outs))]

    # -- regions ------------------------------------------------------------------------------------------------------
    def run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if step.fused is not None:
                _Group(self, step.fused.group).run()
            else:
                assert step.value is not None
                CONSTRUCTS[step.value.op](self, step.value)

    def inside(self, part: tuple[Any, ...], wants: Sequence[Value]) -> list[str]:
        """The lines of a region are appended; gives the names of `wants` in it."""
        outer = self.context
        self.context = (*outer, part)
        known = self.regions.get(self.context)
        self.run(known.steps if known else [])
        names = [self.value(v) for v in wants]
        self.context = outer
        return names


def tensor_type(dims: Any, dtype: str) -> str:
    return f"tensor<{''.join(f'{n}x' if isinstance(n, int) else '?x' for n in dims)}{TYPE[dtype]}>"


def dense(data: Any) -> str:
    """An array as an attribute."""
    array = np.asarray(data)
    if array.dtype == bool or array.dtype.name not in FLOATS:
        body = np.vectorize(lambda x: literal(x, array.dtype.name), otypes=[object])(array) if array.size else array
    else:
        body = (
            np.vectorize(lambda x: literal(float(x), array.dtype.name), otypes=[object])(array) if array.size else array
        )
    if not array.size:
        return "dense<>"
    return f"dense<{_nested(body.tolist())}>"


def _nested(x: Any) -> str:
    return f"[{', '.join(map(_nested, x))}]" if isinstance(x, list) else str(x)


def base_map(v: Value, entries: Sequence[Any], find: Callable[[Any], Any]) -> tuple[Value, list[Any]]:
    """A view's base and the map into it, from the map into the view."""
    entries = list(entries)
    while v.op == "move":
        x = v.operands[0]
        entries = [0 if m is None or n == 1 else entries[m] for m, n in zip(v.attrs["map"], x.shape, strict=True)]
        v = x
    return v, entries


class _Group:
    """One group: its reductions and stores as generics."""

    def __init__(self, export: _Export, group: Group) -> None:
        self.e, self.group = export, group
        self.states: dict[int, list[tuple[str, str, str, list[str]]]] = {}  # reduce -> state tensors

    def run(self) -> None:
        for p in passes(self.group):
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
        for v in walk_until(roots, {}):
            if v.op == "load" and not v.args and id(v) not in place:
                base, entries = base_map(v.attr[0].value, v.attr[1], self.e.find)
                place[id(v)] = len(ins)
                ins.append((self.e.value(base), self.e.type_of(base), v.type, entries))
            elif v.op == "load":
                self.e.value(base_map(v.attr[0].value, v.attr[1], self.e.find)[0])  # made outside of the region
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
            self.e.scopes.append(_Scope())
            done = finish(self.e.scalars.emit(roots, leaf.env, leaf), old)
            self.e.scopes.pop()
            return done

        return self.e.generic(axes, reduced, ins, outs, body, self.lengths(axes))

    def leaf(self, axes: Sequence[str], names: list[str], place: dict[Any, int]) -> _Leaf:
        return _Leaf(self, list(axes), names, place)


class _Leaf:
    """What a region's leaves are called."""

    def __init__(self, group: _Group, axes: list[str], names: list[str], place: dict[Any, int]) -> None:
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
            return self.finished[id(r)][v.attr]
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
        base, at = base_map(buffer.value, positions, e.find)
        names = [p if p != 0 else e.index(0) for p in at]
        return e.op(f"tensor.extract {e.value(base)}[{', '.join(names)}] : {e.type_of(base)}")


# -- constructs ------------------------------------------------------------------------------------------------------
def _dot(e: _Export, v: Value) -> None:
    x, y = v.operands
    left = ["m", "k"][2 - x.rank :]
    right = ["k", "n"][: y.rank]
    out = [*left[:-1], *right[1:]]
    init, t = e.empty(v.shape, v.dtype)
    zero = e.scalars.constant(0.0, v.dtype)
    filled = e.op(f"linalg.fill ins({zero} : {TYPE[v.dtype]}) outs({init} : {t}) -> {t}")
    axes = [*out, "k"]
    length = dict(zip([*left, *right], [*x.shape, *y.shape], strict=True))
    kind = TYPE[v.dtype]

    def body(ins: list[str], outs: list[str]) -> list[str]:
        product = e.op(f"arith.mulf {ins[0]}, {ins[1]} : {kind}")
        return [e.op(f"arith.addf {outs[0]}, {product} : {kind}")]

    ins = []
    for operand, entries in ((x, left), (y, right)):
        entries = [
            0 if e.find(n) == 1 and a != "k" and length[a] != 1 else a
            for a, n in zip(entries, operand.shape, strict=True)
        ]
        base, at = base_map(operand, entries, e.find)
        ins.append((e.value(base), e.type_of(base), v.dtype, at))
    e.values[v.number] = e.generic(axes, ("k",), ins, [(filled, t, v.dtype, out)], body, [length[a] for a in axes])[0]


def _reshape(e: _Export, v: Value) -> None:
    x = v.operands[0]
    source = e.value(x)
    if not v.rank:
        e.values[v.number] = e.op(
            f"tensor.collapse_shape {_all_ones(e, x, source)} [] : {tensor_type([1] * x.rank, x.dtype)} into {e.type_of(v)}"
        )
        return
    dims = ", ".join(e.index(n) for n in v.shape)
    shape = e.op(f"tensor.from_elements {dims} : tensor<{v.rank}xindex>")
    e.values[v.number] = e.op(
        f"tensor.reshape {source}({shape}) : ({e.type_of(x)}, tensor<{v.rank}xindex>) -> {e.type_of(v)}"
    )


def _all_ones(e: _Export, x: Value, source: str) -> str:
    """x, all of whose lengths are 1, with that in its type."""
    t = tensor_type([1] * x.rank, x.dtype)
    return source if e.type_of(x) == t else e.op(f"tensor.cast {source} : {e.type_of(x)} to {t}")


def _slice_text(e: _Export, bounds: Sequence[Any]) -> str:
    def text(n: Any) -> str:
        n = e.find(n)
        return str(n) if isinstance(n, int) else e.index(n)

    starts, lengths, steps = zip(*((text(a), text(n), text(s)) for a, n, s, _ in bounds), strict=True)
    return f"[{', '.join(starts)}] [{', '.join(lengths)}] [{', '.join(steps)}]"


def _is_forward(bounds: Sequence[Any]) -> bool:
    return all(isinstance(s, int) and s > 0 for _, _, s, _ in bounds)


def _subtensor(e: _Export, v: Value) -> None:
    x, bounds = v.operands[0], v.attrs["bounds"]
    if _is_forward(bounds):
        e.values[v.number] = e.op(
            f"tensor.extract_slice {e.value(x)}{_slice_text(e, bounds)} : {e.type_of(x)} to {e.type_of(v)}"
        )
        return
    e.values[v.number] = _gathered(e, e.value(x), e.type_of(x), bounds, v.shape, v.dtype)


def _gathered(
    e: _Export, source: str, source_type: str, bounds: Sequence[Any], shape: Sequence[Any], dtype: str
) -> str:
    """A slice with backward or symbolic steps: an element at start + step * position."""
    init, t = e.empty(shape, dtype)
    axes = [f"d{d}" for d in range(len(shape))]
    numbers = [tuple(e.index(n) for n in b[:3]) for b in bounds]

    def body(ins: list[str], outs: list[str]) -> list[str]:
        at, axis = [], 0
        for (start, _, step), b in zip(numbers, bounds, strict=True):
            if not b[3]:
                at.append(start)
                continue
            k = e.op(f"linalg.index {axis} : index")
            at.append(e.op(f"arith.addi {start}, {e.op(f'arith.muli {step}, {k} : index')} : index"))
            axis += 1
        return [e.op(f"tensor.extract {source}[{', '.join(at)}] : {source_type}")]

    return e.generic(axes, (), [], [(init, t, dtype, axes)], body, shape)[0]


def _inc_subtensor(e: _Export, v: Value) -> None:
    x, y = v.operands[:2]
    bounds = v.attrs["bounds"]
    kept = [b[1] for b in bounds if b[3]]
    new, t = e.value(y), tensor_type(map(e.find, kept), v.dtype)
    if not v.attrs["set"]:
        if _is_forward(bounds):
            old = e.op(f"tensor.extract_slice {e.value(x)}{_slice_text(e, bounds)} : {e.type_of(x)} to {t}")
        else:
            old = _gathered(e, e.value(x), e.type_of(x), bounds, kept, v.dtype)
        new = _sum(e, old, new, t, v.dtype, kept)
    if not _is_forward(bounds):  # written forward, from the lowest position, in the opposite order
        flips = [(ex.sub(n, 1), n, -1, True) if _backward(s) else (0, n, 1, True) for _, n, s, keeps in bounds if keeps]
        new = _gathered(e, new, t, flips, kept, v.dtype)
        bounds = [
            (ex.add(a, ex.mul(s, ex.sub(n, 1))), n, -s, keeps) if _backward(s) else (a, n, s, keeps)
            for a, n, s, keeps in bounds
        ]
    whole = e.type_of(x)
    text = f"{e.value(x)}{_slice_text(e, bounds)}"
    e.values[v.number] = e.op(f"tensor.insert_slice {new} into {text} : {t} into {whole}")


def _backward(step: Any) -> bool:
    if not isinstance(step, int):
        raise MlirError("a slice assignment whose step is known only at run time has no MLIR form")
    return step < 0


def _sum(e: _Export, a: str, b: str, t: str, dtype: str, shape: Sequence[Any]) -> str:
    axes = [f"d{d}" for d in range(len(shape))]
    init, _ = e.empty(shape, dtype)
    name = "arith.addf" if dtype in FLOATS else "arith.ori" if dtype == "bool" else "arith.addi"
    return e.generic(
        axes, (), [(a, t, dtype, axes), (b, t, dtype, axes)], [(init, t, dtype, axes)],
        lambda ins, outs: [e.op(f"{name} {ins[0]}, {ins[1]} : {TYPE[dtype]}")], shape,
    )[0]  # fmt: skip


def _concatenate(e: _Export, v: Value) -> None:
    axis, at = v.attrs["axis"], 0
    whole, t = e.empty(v.shape, v.dtype)
    for part in v.operands:
        bounds: list[Any] = [(0, n, 1, True) for n in part.shape]
        bounds[axis] = (at, part.shape[axis], 1, True)
        name = e.value(part)
        whole = e.op(f"tensor.insert_slice {name} into {whole}{_slice_text(e, bounds)} : {e.type_of(part)} into {t}")
        at = ex.add(at, part.shape[axis])
    e.values[v.number] = whole


def _assert(e: _Export, v: Value) -> None:
    for flag in v.operands[1:]:
        item = e.op(f"tensor.extract {e.value(flag)}[] : tensor<i1>")
        e.put(f'cf.assert {item}, "{_escaped(v.attrs["message"])}"')
    e.values[v.number] = e.value(v.operands[0])


def _escaped(text: str) -> str:
    return "".join(
        c if c.isalnum() or c in " .,:;!?()[]<>=+-*/_'" else f"\\{b:02X}"
        for c in text
        for b in ([ord(c)] if ord(c) < 128 else c.encode()[:1])
    )


def _host(e: _Export, v: Value) -> None:
    results = e.results.get(v.number, [])
    name = f"host_{v.attrs['name']}_{v.attrs['number']}"
    operands = ", ".join(e.type_of(o) for o in v.operands)
    types = ", ".join(e.type_of(r) for r in results)
    e.private[name] = f"func.func private @{name}({operands}) -> ({types})"
    values = ", ".join(e.value(o) for o in v.operands)
    if len(results) == 1:
        e.values[results[0].number] = e.op(f"func.call @{name}({values}) : ({operands}) -> ({types})")
        return
    e.count += 1
    e.put(f"%{e.count}:{len(results)} = func.call @{name}({values}) : ({operands}) -> ({types})")
    for k, r in enumerate(results):
        e.values[r.number] = f"%{e.count}#{k}"


def _for(e: _Export, v: Value) -> None:
    loop, inits = v.attrs["loop"], v.operands[1:]
    stacked = {r.attrs["k"] - len(inits): r for r in e.results.get(v.number, []) if r.attrs["k"] >= len(inits)}
    starts = [
        (e.value(i), tensor_type(map(e.find, p.shape), p.dtype)) for i, p in zip(inits, loop.carried, strict=True)
    ]
    homes = {k: e.empty(r.shape, r.dtype) for k, r in stacked.items()}
    count, zero, one = e.index(v.attrs["count"]), e.index(0), e.index(1)
    e.count += 1
    number = e.count
    types = [t for _, t in starts] + [t for _, t in homes.values()]
    names = [f"%c{number}_{k}" for k in range(len(types))]
    init = ", ".join(f"{n} = {s}" for n, (s, _) in zip(names, [*starts, *homes.values()], strict=True))
    many = f":{len(types)}" if len(types) > 1 else ""
    e.put(
        f"%{number}{many} = scf.for %i{number} = {zero} to {count} step {one} iter_args({init}) -> ({', '.join(types)}) {{"
    )
    e.indent += 1
    e.scopes.append(_Scope())
    position = e.op(f"arith.index_cast %i{number} : index to i64")
    e.values[loop.index.number] = e.op(f"tensor.from_elements {position} : tensor<i64>")
    for param, name in zip(loop.carried, names, strict=False):
        e.values[param.number] = name
    wants = [*loop.next, *(loop.stacked[k] for k in homes)]
    made = e.inside(("for", loop.number), wants)
    done = made[: len(inits)]
    for (k, (_, t)), piece, whole in zip(homes.items(), made[len(inits) :], names[len(inits) :], strict=True):
        item = loop.stacked[k]
        lengths = [e.find(n) for n in item.shape]
        sizes = ", ".join(["1", *(str(n) if isinstance(n, int) else e.index(n) for n in lengths)])
        offsets = ", ".join([f"%i{number}", *("0" for _ in lengths)])
        strides = ", ".join("1" for _ in range(len(lengths) + 1))
        text = f"tensor.insert_slice {piece} into {whole}[{offsets}] [{sizes}] [{strides}] : {e.type_of(item)} into {t}"
        done.append(e.op(text))
    e.put(f"scf.yield {', '.join(done)} : {', '.join(types)}")
    e.scopes.pop()
    e.indent -= 1
    e.put("}")
    for r in e.results.get(v.number, []):
        k = r.attrs["k"]
        at = k if k < len(inits) else len(inits) + list(homes).index(k - len(inits))
        e.values[r.number] = f"%{number}#{at}" if many else f"%{number}"


def _ifelse(e: _Export, v: Value) -> None:
    half = (len(v.operands) - 1) // 2
    results = e.results.get(v.number, [])
    types = ", ".join(e.type_of(r) for r in results)
    condition = e.op(f"tensor.extract {e.value(v.operands[0])}[] : tensor<i1>")
    for r in results:  # lengths that only the chosen branch tells
        for d, n in enumerate(r.shape):
            if any(a[:2] == ("result", v.number) for a in ex.atoms(n)):
                a, b = (v.operands[1 + s * half + r.attrs["k"]].shape[d] for s in (0, 1))
                chosen = e.op(f"arith.select {condition}, {e.index(a)}, {e.index(b)} : index")
                e.scopes[-1].names["atom", ("result", v.number, r.attrs["k"], d)] = chosen
    e.count += 1
    number = e.count
    many = f":{len(results)}" if len(results) > 1 else ""
    e.put(f"%{number}{many} = scf.if {condition} -> ({types}) {{")
    for side in (0, 1):
        e.indent += 1
        e.scopes.append(_Scope())
        wants = [v.operands[1 + side * half + r.attrs["k"]] for r in results]
        names = e.inside(("if", v.number, side), wants)
        names = [_as(e, n, w, r) for n, w, r in zip(names, wants, results, strict=True)]
        e.put(f"scf.yield {', '.join(names)} : {types}")
        e.scopes.pop()
        e.indent -= 1
        e.put("}" if side else "} else {")
    for k, r in enumerate(results):
        e.values[r.number] = f"%{number}#{k}" if many else f"%{number}"


def _as(e: _Export, name: str, value: Value, like: Value) -> str:
    """`name` with the type of `like`, which may know less of the shape."""
    have, want = e.type_of(value), e.type_of(like)
    return name if have == want else e.op(f"tensor.cast {name} : {have} to {want}")


class MlirError(ValueError):
    """A graph has no MLIR form; the message says which op and why."""


CONSTRUCTS: dict[str, Callable[[_Export, Value], None]] = {
    "dot": _dot, "reshape": _reshape, "subtensor": _subtensor, "inc_subtensor": _inc_subtensor,
    "concatenate": _concatenate, "assert": _assert, "host": _host, "for": _for, "ifelse": _ifelse,
}  # fmt: skip

__all__ = ["MlirError", "export", "walk"]
