"""Every function of the room, in the checking interpreter: right results, and no access that is out of bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tuned import tuned

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.interpret import Machine
from tensordsl.codegen.kernel_ir.ir import Function, Module
from tensordsl.codegen.kernel_ir.types import Type, f32, f64
from tensordsl.codegen.library.gemm.panels import LAST_TILE_VECTORS, TILE_ROWS, panel_functions
from tensordsl.codegen.library.gemm.signatures import named
from tensordsl.codegen.library.gemm.syrk import gram_functions
from tensordsl.codegen.library.gemm.tiles import tile_functions
from tensordsl.codegen.target.tuning import Tuning

DTYPES = {"f64": np.float64, "f32": np.float32}
# Vectors, and whether loads that straddle cache lines are expensive.
VECTORS = [pytest.param(f64.of(8), True), pytest.param(f32.of(8), False), pytest.param(f64.of(2), True)]


class Room:
    """A machine for each call; the functions that ran in all of them."""

    def __init__(self, functions: Sequence[Function], v: Type) -> None:
        self.module, self.v = Module(functions), v
        self.dtype = DTYPES[v.element]
        self.externals: dict[str, Any] = {layouts.POLL: lambda: None}
        self.ran: set[str] = set()
        self.rng = np.random.default_rng(0)

    def numbers(self, *shape: int) -> Any:
        """Small integers, of which all sums are exact."""
        return self.rng.integers(-4, 5, shape).astype(self.dtype)

    def call(self, name: str, result: Any, *operands: Any) -> Any:
        """What stands in `result`, one of the operands, afterwards; arrays are operands by their addresses."""
        machine = Machine(self.module, self.externals)
        align = int(self.rng.choice([result.itemsize, 64]))
        places = {id(x): machine.place(x, align=align) for x in operands if isinstance(x, np.ndarray)}
        machine.run(name, *(places.get(id(x), x) for x in operands))
        self.ran |= machine.ran
        return machine.array(places[id(result)], result.dtype, result.size).reshape(result.shape)

    def all_ran(self) -> None:
        assert {f.signature.name for f in self.module.functions} == self.ran


def tuning_of(v: Type, lines: bool) -> Tuning:
    return tuned(machine={"vector_bytes": v.bytes, "prefers_halves": lines}, gemm={"align_min_terms": 24})


@pytest.mark.parametrize(("v", "lines"), VECTORS)
def test_tiles(v: Type, lines: bool) -> None:
    room = Room(tile_functions(v, tuning_of(v, lines)), v)
    for m, n in ((1, 1), (4, 1), (1, 7), (5, v.lanes + 5), (9, 2 * v.lanes + 2)):
        for k in (1, 2, 3, 4, v.lanes, 25, 8 * v.lanes + 3):
            a, b, c = room.numbers(m, k), room.numbers(k, n), room.numbers(m, n + 1)
            for add in (False, True):
                wanted = c.copy()
                wanted[:, :n] = 2 * a @ b + add * c[:, :n]
                got = room.call(named("rows", v), c, m, n, k, a, k, 1, b, n, c, n + 1, 2.0, add)
                np.testing.assert_array_equal(got, wanted)
                columns = np.ascontiguousarray(b.T)
                names = ["dots"] + ["vector_dots"] * (m == 1 or n == 1)
                for name in names:
                    got = room.call(named(name, v), c, m, n, k, a, k, columns, k, c, n + 1, 2.0, add)
                    np.testing.assert_array_equal(got, wanted)
    room.all_ran()


@pytest.mark.parametrize(("v", "lines"), VECTORS[:2])
def test_panels(v: Type, lines: bool) -> None:
    room = Room(panel_functions(v, tuning_of(v, lines)), v)
    for m, k in ((15, 9), (10, 2 * v.lanes + 1)):
        for halves in range(1, 9):  # of vectors
            columns = halves * v.lanes // 2 - (m == 10)
            wide = -(-columns // v.lanes)
            width = wide * v.lanes
            live = columns - (wide - 1) * v.lanes
            a, c = room.numbers(m, k), room.numbers(m, columns)
            for of_columns in (False, True):  # B as it lies in memory, or transposed
                b = room.numbers(columns, k).T if of_columns else room.numbers(k, columns)
                strides = [s // b.itemsize for s in b.strides]
                to = np.full((k, width), 99, room.dtype)
                memory = b.T if of_columns else b
                panel = room.call(named("pack_panel", v), to, to, width, memory, k, *strides, columns)
                np.testing.assert_array_equal(panel[:, :columns], b)
                assert (panel[:, columns:] == 99).all()
            a_strided = room.numbers(k, m).T
            for source, memory, to_row, to_term in ((a, a, k, 1), (a_strided, a_strided.T, 1, m)):
                to = np.zeros(m * k, room.dtype)
                strips = room.call(named("pack_strips", v), to, to, m, k, memory, to_row, to_term)
                np.testing.assert_array_equal(strips, in_strips(source))
                for strided in {True, wide == LAST_TILE_VECTORS}:
                    if strided:
                        given = (memory, to_row, to_term)
                    elif m % TILE_ROWS[0] and wide == LAST_TILE_VECTORS:
                        continue  # which packs nothing
                    else:
                        given = (strips, 0, 0)
                    for add in (False, True):
                        wanted = 2 * source @ b + add * 3 * c
                        factors = (live, 2.0, add, 3.0, strided)
                        got = room.call(named("block", v), c, m, wide, k, *given, panel, width, c, columns, *factors)
                        np.testing.assert_array_equal(got, wanted)
    room.all_ran()


def in_strips(a: Any) -> Any:
    """Rows by 8, and then as many as fit by 4, 2 and 1, each strip transposed."""
    strips, first = [], 0
    for rows in TILE_ROWS:
        while len(a) - first >= rows:
            strips.append(a[first : first + rows].T.ravel())
            first += rows
    return np.concatenate(strips)


@pytest.mark.parametrize(("v", "lines"), VECTORS)
def test_mirrors(v: Type, lines: bool) -> None:
    t = tuned(tuning_of(v, lines), gemm={"syrk_min_terms": 4, "thin_min_terms": 4})
    room = Room(gram_functions(v, t), v)
    for n in (1, 7, 8, 19):
        for k in (3, 4):
            c = room.numbers(n, n + 1)
            for name, first in (
                ("mirror_all", 0),
                ("mirror_rest", n - n % v.lanes if n % v.lanes <= v.lanes // 2 else n),
            ):
                wanted = c.copy()
                for i in range(first if k >= 4 else n, n):
                    wanted[:i, i] = wanted[i, :i]
                np.testing.assert_array_equal(room.call(named(name, v), c, n, k, c, n + 1), wanted)
    assert room.ran == {f.signature.name for f in room.module.functions} - {named("gram", v)}
