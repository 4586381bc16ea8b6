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
    word = {"f64": "double", "f32": "float"}[v.element]
    for m, n in ((1, 1), (4, 1), (1, 7), (5, v.lanes + 5), (9, 2 * v.lanes + 2)):
        for k in (1, 2, 3, 4, v.lanes, 25, 8 * v.lanes + 3):
            a, b, c = room.numbers(m, k), room.numbers(k, n), room.numbers(m, n + 1)
            for add in (False, True):
                wanted = c.copy()
                wanted[:, :n] = 2 * a @ b + add * c[:, :n]
                got = room.call(f"rows_{word}", c, m, n, k, a, k, 1, b, n, c, n + 1, 2.0, add)
                np.testing.assert_array_equal(got, wanted)
                columns = np.ascontiguousarray(b.T)
                names = ["dots"] + ["vector_dots"] * (m == 1 or n == 1)
                for name in names:
                    got = room.call(f"{name}_{word}", c, m, n, k, a, k, columns, k, c, n + 1, 2.0, add)
                    np.testing.assert_array_equal(got, wanted)
    room.all_ran()
