"""Every function of the room, in the checking interpreter: right results, and no access that is out of bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tuned import of_width, tuned

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.interpret import Machine
from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.library.sort.binary_search import search_functions
from tensordsl.codegen.library.sort.keys import Keys
from tensordsl.codegen.library.sort.merge_sort import Core
from tensordsl.codegen.library.sort.quicksort import Quick
from tensordsl.codegen.target.tuning import Tuning

SMALL = {
    "parallel_min_keys": 100, "slice_min_keys": 9, "slice_max_keys": 90, "bucket_min_keys": 9, "few_buckets": 1,
    "samples_per_bucket": 4, "slice_multiple_keys": 1, "second_sample_min_keys": 150, "three_samples_min_keys": 500,
    "radix_min_pairs": 200, "radix_min_4_bytes": 400, "radix_min_8_bytes": 400, "radix_min_1_byte": 300,
    "radix_min_2_bytes": 400,
}  # fmt: skip


def small(width: int) -> Tuning:
    return tuned(of_width(width), sort=SMALL)


class Room:
    """A machine for each call; the functions that ran in all of them."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.ran: set[str] = set()

    def machine(self) -> Machine:
        def parallel_for(_: int, part: int, job: int, count: int) -> None:
            for i in reversed(range(count)):
                machine.call(part, [job, i])

        machine = Machine(self.module, {layouts.POLL: lambda: None, "parallel_for": parallel_for})
        machine.ran = self.ran
        return machine

    def pool(self, machine: Machine) -> int:
        words = np.zeros(layouts.TH["parallel_for"] // 8 + 1, np.int64)
        words[-1] = machine.symbols["parallel_for"]
        return machine.place(words)

    def all_ran(self, but: Sequence[str] = ()) -> None:
        assert {f.signature.name for f in self.module.functions} - self.ran == set(but)


def orders(n: int, dtype: str) -> list[Any]:
    rng, limits = np.random.default_rng(n), np.iinfo(dtype)
    any_keys = rng.integers(limits.min, limits.max, n, dtype, endpoint=True)
    ascending = np.sort(any_keys)
    few = rng.integers(0, 3, n).astype(dtype)
    return [any_keys, ascending, ascending[::-1], few, limits.max - few, np.full(n, limits.max, dtype)]


# keys go with positions where vectors have 64 bytes alone
@pytest.mark.parametrize(
    "bits, has_positions, width",
    [(32, False, 32), (32, False, 64), (64, False, 32), (64, False, 64), (64, True, 64)],
)
def test_quicksort(bits: int, has_positions: bool, width: int) -> None:
    registers = (1, 2, 4) if has_positions else (1, 2, 4, 8)
    quick = Quick("quick", bits, registers, small(width), has_positions)
    room, most = Room(Module(quick.functions(), quick.tables())), registers[-1] * quick.lanes
    for n in (0, 1, quick.lanes, quick.lanes + 1, *(r * quick.lanes - 1 for r in registers), 3 * most, 520):
        for keys in orders(n, f"uint{bits}" if has_positions else f"int{bits}")[: 1 if n == 520 else None]:
            columns = [keys, np.arange(n, dtype=keys.dtype)] if has_positions else [keys]
            order = np.argsort(keys, kind="stable")
            for name in ("quick", "quick.shared", "quick.part"):
                machine = room.machine()
                both = np.concatenate(columns)
                a, b = machine.place(both), machine.place(np.zeros_like(both), is_written=False)
                size = n * keys.itemsize if has_positions else keys.itemsize
                if name == "quick.part":  # of bad splits, to the other place
                    machine.run(name, a, b, n, 0, 0, 0, *([size] if has_positions else []))
                    found = b
                else:
                    pool = [room.pool(machine)] if name == "quick.shared" else []
                    found = machine.run(name, a, b, n, size, *pool)
                    assert found == a
                got = machine.array(found, keys.dtype, len(both)) if len(both) else both
                for column, values in zip(columns, np.split(got, len(columns)), strict=True):
                    np.testing.assert_array_equal(values, column[order])
    room.all_ran()


@pytest.mark.parametrize("bits", [16, 32, 64])
@pytest.mark.parametrize("width", [16, 32, 64])
def test_merge_sort_of_keys(bits: int, width: int) -> None:
    core = Core("core", bits, small(width))
    room = Room(Module(core.functions()))
    blocks = [r * core.lanes - 1 for r in core.blocks]
    for n in (0, 1, 7, 9, *blocks, core.run, 3 * core.run + 5, 500):
        for keys in orders(n, f"int{bits}"):
            machine, behind = room.machine(), core.lanes
            a, b = (machine.place(np.append(v, np.zeros(behind, v.dtype))) for v in (keys, np.zeros_like(keys)))
            found = machine.run("core", a, b, n, bits // 8)
            assert found in (a, b)
            np.testing.assert_array_equal(machine.array(found, keys.dtype, n), np.sort(keys))
    room.all_ran()


@pytest.mark.parametrize("width", [16, 64])
def test_merge_sort_of_pairs(width: int) -> None:
    core = Core("core", 128, small(width))
    room = Room(Module(core.functions()))
    for n in (0, 1, 7, 8, 9, 31, 90, 300):
        for keys in orders(n, "uint16"):
            pairs, machine = np.stack([keys.astype("int64"), np.arange(n)], 1), room.machine()
            a, b = (machine.place(np.append(v, [[0, 0]], 0), align=8) for v in (pairs, np.zeros_like(pairs)))
            found = machine.run("core", a, b, n, 2)
            wanted = pairs[np.argsort(keys, kind="stable")]
            if n:
                np.testing.assert_array_equal(machine.array(found, "int64", 2 * n).reshape(n, 2), wanted)
    room.all_ran()


DTYPES = ["float64", "float32", "float16", "int8", "uint32", "int64", "bool", "complex64", "complex128"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_searches(dtype: str) -> None:
    room, rng = Room(Module(search_functions(Keys(dtype, of_width(64))))), np.random.default_rng(0)
    kinds = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -2.0] if np.dtype(dtype).kind in "fc" else range(5))
    for n in (0, 1, 5, 8):
        for count in (0, 1, 9):
            x, v = np.sort(rng.choice(kinds, n).astype(dtype)), rng.choice(kinds, count).astype(dtype)
            for side in ("left", "right"):
                machine = room.machine()
                places = [machine.place(a) for a in (x, v, np.zeros(count, np.int64))]
                words = np.array([n, x.itemsize, count, v.itemsize])
                machine.run(f"searchsorted_{side}_{dtype}", *map(machine.place, (np.array(places), words)), 1)
                got = machine.array(places[2], "int64", count) if count else []
                np.testing.assert_array_equal(got, np.searchsorted(x, v, side))  # type: ignore[call-overload]
    room.all_ran()
