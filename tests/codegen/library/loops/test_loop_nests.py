"""Random groups through kernels and nest library against an evaluation on whole arrays: axes, maps, dtypes, splits,
strides, indexed loads, several outputs, outputs that are inputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from native import Runner
from tuned import HERE, WIDE, of_width, tuned

from tensordsl.codegen.cpu.schedule import lane_across, row_by_row, schedule
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.scalar_ir.builder import COMPUTED, DTYPES, FLOATS, INTEGERS, Builder, Val, walk
from tensordsl.codegen.scalar_ir.math.interpreter import evaluate
from tensordsl.codegen.target import machine
from tensordsl.codegen.target.tuning import ANY, Tuning
from tensordsl.ops.array import reducers

Arrays = dict[str, np.ndarray]
FOLDS = {
    "sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum,
    "any": np.logical_or, "all": np.logical_and,
}  # fmt: skip


# -- evaluation on whole arrays: every value has all axes of the group, those along which it does not vary with length 1
def expected(group: Group, arrays: Arrays, sizes: dict[Any, int]) -> Arrays:
    axes, env = list(group.extents), {}

    def leaf(v: Val) -> Any:
        if v.op == "extent":
            return np.asarray(sizes[v.attr])
        if v.op == "index":
            n = sizes[group.extents[v.attr]]
            return np.arange(n).reshape([n if a == v.attr else 1 for a in axes])
        buffer, entries = v.attr
        indices = []
        for d, m in enumerate(entries):
            if isinstance(m, tuple):
                indices.append(env[id(v.args[m[1]])])
            else:
                n = arrays[buffer.name].shape[d]
                indices.append(np.arange(n).reshape([n if a == m else 1 for a in axes]))
        return arrays[buffer.name][tuple(indices)] if entries else arrays[buffer.name]

    for v in walk(group.roots):
        if v.op == "reduce":
            env[id(v)] = reduced(v, [env[id(a)] for a in v.args], group, sizes)
        elif v.op == "result":
            env[id(v)] = env[id(v.args[0])][v.attr]
        else:
            evaluate([v], leaf, env)
    result = {}
    for o in group.outs:
        full = np.broadcast_to(env[id(o.value)], [sizes[group.extents[a]] if a in o.map else 1 for a in axes])
        named = [a for a in o.map if isinstance(a, str)]
        full = full.squeeze(tuple(k for k, a in enumerate(axes) if a not in named))
        order = [a for a in axes if a in named]
        full = full.transpose([order.index(a) for a in named])
        result[o.buffer.name] = full.reshape([sizes[b] if b in sizes else 1 for b in o.buffer.shape])
    return result


def reduced(v: Val, operands: list[Any], group: Group, sizes: dict[Any, int]) -> list[Any]:
    reducer, over = v.attr
    axes = list(group.extents)
    shape = [sizes[group.extents[a]] if a in over or a in v.axes else 1 for a in axes]
    gone = tuple(axes.index(a) for a in over)
    with np.errstate(all="ignore"):
        full = [np.broadcast_to(x, shape) for x in operands]
        if reducer.name in FOLDS:
            identity = reducer.identity(v.type)[0]
            return [FOLDS[reducer.name].reduce(full[0], gone, dtype=full[0].dtype, keepdims=True, initial=identity)]
        assert len(gone) == 1
        position = getattr(np, reducer.name)(full[0], gone[0], keepdims=True)
        return [np.take_along_axis(full[0], position, gone[0]), np.take_along_axis(full[1], position, gone[0])]


# -- random groups
@dataclass
class Maker:
    rng: np.random.Generator
    dtype: str
    b: Builder = field(default_factory=Builder)
    sizes: dict[Any, int] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)

    def choose(self, items: Any) -> Any:
        return items[int(self.rng.integers(len(items)))]

    def data(self, shape: list[int], dtype: str) -> np.ndarray:
        if dtype == "bool":
            return np.asarray(self.rng.integers(0, 2, size=shape), bool)
        if dtype in FLOATS:
            return np.asarray(self.rng.integers(-8, 8, size=shape) / 4, dtype)
        return np.asarray(self.rng.integers(0, 100, size=shape), dtype)

    def strided(self, x: np.ndarray) -> np.ndarray:
        """The same elements at other strides."""
        kind = int(self.rng.integers(5)) if x.ndim else 0
        if kind == 1:
            return np.asfortranarray(x)
        if kind == 2:
            return np.ascontiguousarray(x[..., ::-1])[..., ::-1]
        if kind == 3:
            wide = np.zeros([2 * n for n in x.shape], x.dtype)
            wide[tuple(slice(0, 2 * n, 2) for n in x.shape)] = x
            return wide[tuple(slice(0, 2 * n, 2) for n in x.shape)]
        return x

    def new(self, entries: list[Any], dtype: str) -> Buffer:
        name = f"b{len(self.arrays)}"
        shape = [self.sizes[f"n{m}"] if isinstance(m, str) else 1 for m in entries]
        self.arrays[name] = self.strided(self.data(shape, dtype))
        return Buffer(name, dtype, tuple(f"n{m}" if isinstance(m, str) else 1 for m in entries))

    def leaf(self, axes: list[str], dtype: str) -> Val:
        """A load at some of these axes in some order, cast to `dtype`; sometimes an index or an indexed load."""
        kind = int(self.rng.integers(12))
        if kind == 0 and axes:
            return self.b.cast(self.b.index(self.choose(axes)), dtype)
        if kind == 1:
            return self.b.cast(self.b.extent("n" + self.choose(list("ijkl"))), dtype)
        mine = [a for a in axes if self.rng.random() < 0.8]
        self.rng.shuffle(mine)
        entries: list[Any] = list(mine)
        if self.rng.random() < 0.2:
            entries.insert(int(self.rng.integers(len(entries) + 1)), 0)
        if kind == 2:
            return self.indexed(axes, entries, dtype)
        other = self.choose(DTYPES) if self.rng.random() < 0.2 else dtype
        return self.b.cast(self.b.load(self.new(entries, other), *entries), dtype)

    def indexed(self, axes: list[str], entries: list[Any], dtype: str) -> Val:
        some = [a for a in axes if self.rng.random() < 0.5]
        index = self.new(some, self.choose(["int64", "int32"]))
        self.sizes["v"] = 7
        self.arrays[index.name][...] = self.rng.integers(-7, 7, size=self.arrays[index.name].shape)
        at = int(self.rng.integers(len(entries) + 1))
        source = self.new(entries, dtype)
        shape = list(self.arrays[source.name].shape)
        shape.insert(at, 7)
        self.arrays[source.name] = self.strided(self.data(shape, dtype))
        source = replace(source, shape=(*source.shape[:at], "v", *source.shape[at:]))
        return self.b.load(source, *entries[:at], self.b.load(index, *some), *entries[at:])

    def expression(self, axes: list[str], extra: list[Val], size: int) -> Val:
        values = [*extra, self.leaf(axes, self.dtype), self.leaf(axes, self.dtype)]
        for _ in range(size):
            if self.rng.random() < 0.3:
                values.append(self.leaf(axes, self.dtype))
            op = self.choose(["add", "sub", "mul", "minimum", "maximum", "select", "exp"])
            x, y = self.choose(values), values[-1]
            if self.dtype == "bool":
                values.append(self.b.apply(self.choose(["and", "or", "xor"]), x, y))
            elif op == "select":
                values.append(self.b.select(self.b.lt(x, y), y, self.choose(values)))
            elif op == "exp":
                if self.dtype in COMPUTED:
                    values.append(self.b.call("exp", self.b.minimum(self.b.maximum(x, -1.0), 1.0)))
            else:
                values.append(self.b.apply(op, x, y))
        return values[-1]

    def group(self) -> Group:
        sizes = [0, 1, 2, 3, 5, 8, 17, 33, 70]
        axes = list("ijkl")
        for a in axes:
            self.sizes[f"n{a}"] = self.choose(sizes[1:] if self.rng.random() < 0.9 else sizes)
        parallel = axes[: int(self.rng.integers(0, 3))]
        local = axes[2 : 2 + int(self.rng.integers(0, 3))]
        if not parallel and not local and self.rng.random() < 0.7:
            parallel = ["i"]
        every = parallel + local
        order = [*every]
        self.rng.shuffle(order)
        results: list[Val] = []
        for _ in range(int(self.rng.integers(1, 3)) if local else 0):
            argument = self.expression(every, results, int(self.rng.integers(1, 6)))
            results += self.reduction(argument, local)
        outs = [self.out(self.expression(parallel, results, 2), parallel)]
        if local and self.rng.random() < 0.5:
            outs.append(self.out(self.expression(every, results, 3), every))
        if not local:
            outs += [self.out(self.expression(parallel, [], 3), parallel) for _ in range(int(self.rng.integers(0, 2)))]
        used = {a for o in outs for v in walk([o.value]) for a in v.axes} | {a for o in outs for a in o.map if a}
        extents = {a: f"n{a}" for a in order if a in used}
        return Group("random", extents, tuple(a for a in extents if a in parallel), tuple(outs))

    def reduction(self, argument: Val, local: list[str]) -> list[Val]:
        # An axis along which nothing varies would be lost.
        for a in local:
            if a not in argument.axes:
                argument = self.b.select(self.b.ge(self.b.index(a), 0), argument, argument)
        if self.dtype == "bool":
            names = [reducers.ANY, reducers.ALL]
        else:
            names = [reducers.SUM, reducers.MAX, reducers.MIN, *([reducers.PROD] if self.dtype not in COMPUTED else [])]
        over = sorted(local)
        if len(over) == 1 and self.rng.random() < 0.2 and self.sizes[f"n{over[0]}"]:
            value, index = self.b.reduce(
                self.choose([reducers.ARGMAX, reducers.ARGMIN]), over, argument, self.b.index(over[0])
            )
            return [value, self.b.cast(index, self.dtype)]
        return list(self.b.reduce(self.choose(names), over, argument))

    def out(self, value: Val, axes: list[str]) -> Out:
        mine = list(axes)
        self.rng.shuffle(mine)
        return Out(self.new(mine, value.type), tuple(mine), value)


def compare(group: Group, got: Arrays, want: Arrays) -> None:
    for o in group.outs:
        x, y = got[o.buffer.name], want[o.buffer.name]
        if o.buffer.type in COMPUTED:
            limit = 1e-3 if o.buffer.type == "float32" else 1e-9
            scale = np.max(np.abs(y[np.isfinite(y)]), initial=1.0)
            np.testing.assert_allclose(x, y, rtol=limit, atol=limit * scale)
        else:
            np.testing.assert_array_equal(x, y)


def alias(group: Group, arrays: Arrays) -> int:
    """Let outputs be inputs of the same dtype that are read at the same points; how many."""
    free = [v.attr for v in walk(group.roots) if v.op == "load"]
    count = 0
    for o in group.outs:
        for buffer, entries in free:
            if buffer.type == o.buffer.type and entries == o.map and entries:
                arrays[o.buffer.name] = arrays[buffer.name]
                free.remove((buffer, entries))
                count += 1
                break
    return count


def check_groups(tuning: Tuning = HERE, count: int = 60) -> None:
    """Random groups, also row by row."""
    for seed in range(count):
        maker = Maker(np.random.default_rng(seed), ("float64", "float32", "int64", "int8", "bool")[seed % 5])
        group = maker.group()
        want = expected(group, maker.arrays, maker.sizes)
        for chosen in (None, row_by_row(group, schedule(group, WIDE))):
            assert Runner(group, chosen, tuning=tuning)(maker.arrays, maker.sizes) == 0
            compare(group, maker.arrays, want)


@pytest.mark.parametrize(
    "changes",
    [
        {
            "tasks": {"parallel_min_ns": 1, "independent_min_ns": 1, "lane_elements": 8},
            "loops": {"task_ns": 1, "shared_rows": 2},
        },
        {"memory": {"same_set_bytes": 8, "associativity": 3}, "caches": {"prefetch_rows_min_bytes": 1}},
        {
            "memory": {"prefetch_operand_min_bytes": 0, "unrolled_rows": 2},
            "caches": {"prefetch_reread_max_bytes": ANY},
        },
        {"short_rows": {"wide_streams_per_call": 3}, "caches": {"prefetch_rows_min_bytes": 1}},
    ],
)
def test_groups_in_the_smallest_tasks_and_as_if_no_cache_kept_anything(changes: dict[str, Any]) -> None:
    check_groups(tuned(**changes))


@settings(max_examples=150)
@given(
    st.integers(0, 2**32),
    st.sampled_from(("bool", *INTEGERS, *COMPUTED)),
    st.sampled_from([32, 64]),
    st.booleans(),
    st.booleans(),
)
@example(1137, "bool", 32, True, False)  # a pass that is several kernels, over rows of no elements
@example(16444, "int16", 64, False, True)  # copies of blocks of rows along an inner axis, the last one shorter
@example(238, "int64", 32, False, False)  # short rows side by side in vectors that are not the machine's
def test_random_groups(seed: int, dtype: str, vector_bytes: int, small: bool, across: bool) -> None:
    """`small`: kernels of few operations and short blocks, so that passes are split and rows have several blocks;
    `across`: lanes along the outermost parallel axis, whatever the order of memory."""
    maker = Maker(np.random.default_rng(seed), dtype)
    group = maker.group()
    want = expected(group, maker.arrays, maker.sizes)
    vector_bytes = min(vector_bytes, machine.native_width())
    tuning = of_width(vector_bytes)
    plain = schedule(group, tuning, lane_across(group, tuning.schedule) if across else "")
    run = Runner(
        group, replace(plain, max_scalar_ops=3, block_elements=max(plain.width)) if small else plain, vector_bytes
    )
    alias(group, maker.arrays)
    assert run(maker.arrays, maker.sizes) == 0
    compare(group, maker.arrays, want)
