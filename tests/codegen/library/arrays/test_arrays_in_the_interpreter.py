"""Every function of the room, in the checking interpreter: right results, and no access that is out of bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tuned import of_width

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.interpret import Machine
from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.library.arrays.nonzero import positions_module
from tensordsl.codegen.library.arrays.scan import cumulate_module
from tensordsl.codegen.library.arrays.scatter import scatter_module
from tensordsl.codegen.target.tuning import Tuning

DTYPES = {"i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8", "float": "f4", "double": "f8"}


def tunings() -> list[Any]:
    return [pytest.param(of_width(width), id=str(width)) for width in (16, 32, 64)]


class Room:
    """A machine for each call; the functions that ran in all of them."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.ran: set[str] = set()

    def call(self, name: str, arrays: list[Any], words: list[int], *numbers: int) -> list[Any]:
        """What stands in the arrays afterwards."""
        machine = Machine(self.module, {layouts.POLL: lambda: None})
        places = [machine.place(a, align=max(a.itemsize, 8)) for a in arrays]
        bases, given = (machine.place(np.array(v, np.int64)) for v in (places, words))
        machine.run(name, bases, given, *numbers)
        self.ran |= machine.ran
        return [machine.array(place, a.dtype, a.size).reshape(a.shape) for place, a in zip(places, arrays, strict=True)]

    def all_ran(self) -> None:
        assert {f.signature.name for f in self.module.functions} == self.ran


@pytest.mark.parametrize("t", tunings())
def test_positions(t: Tuning) -> None:
    rng, room = np.random.default_rng(0), Room(positions_module(t))
    for n in (0, 1, 63, 64, 65, 300):
        for share in (0.0, 0.02, 0.6, 1.0):
            mask = rng.random(n) < share
            wanted = np.flatnonzero(mask)
            for many in {len(wanted), max(0, len(wanted) - 3), len(wanted) + 2}:
                out = np.full(many, -1)
                (_, got) = room.call("true_positions_bool", [mask, out], [n, 1, many, 8], 1)
                np.testing.assert_array_equal(got, np.append(wanted, [0, 0])[:many])
        counts = rng.integers(-1, 4, n)
        wanted = np.repeat(np.arange(n), np.maximum(counts, 0))
        (_, got) = room.call("repeated_positions_int64", [counts, np.full(len(wanted), -1)], [n, 8, len(wanted), 8], 1)
        np.testing.assert_array_equal(got, wanted)
    room.all_ran()


@pytest.mark.parametrize("t", tunings())
@pytest.mark.parametrize("dtype", ["float64", "int16", "bool", "float16", "complex64"])
def test_running_sums_and_products(dtype: str, t: Tuning) -> None:
    rng, room = np.random.default_rng(1), Room(cumulate_module(dtype, t))
    lanes = max(2, t.machine.vector_bytes // np.cumsum(np.zeros(1, dtype)).itemsize)
    wide = (t.arrays.scan_wide_vectors + 1) * lanes * 4
    shapes = [
        (0,),
        (1,),
        (9,),
        *((n, m) for n in (1, 3, 17) for m in (1, 2, 3, 5, 7, 19)),
        (2, wide),
        (2, wide + 1),
        (2, 3, 4),
    ]
    shapes += [(2, n * lanes // k) for n in range(1, 9) for k in (1, 2, 4) if n * lanes // k]
    for shape in shapes:
        a = rng.integers(0, 3, shape).astype(dtype)
        for name, f in (("cumsum", np.cumsum), ("cumprod", np.cumprod)):
            result = np.cumsum(a, 0).dtype
            for order in axes_of(len(shape)):
                for source in (a, np.asfortranarray(a)):
                    wanted = f(a, order[0], dtype=result)
                    x_strides, y_strides = ([s.strides[n] for n in order] for s in (source, wanted))
                    dims = [shape[n] for n in order]
                    given = source if source.flags.c_contiguous else source.ravel("K").reshape(shape)
                    words = [*dims, *x_strides, *dims, *y_strides]
                    _, got = room.call(f"{name}_{dtype}", [given, np.zeros_like(wanted)], words, len(shape))
                    np.testing.assert_array_equal(got, wanted, f"{name} {shape} {order}")
                    if result == dtype:  # in the place of its operand
                        machine = Machine(room.module, {layouts.POLL: lambda: None})
                        place = machine.place(given, align=8)
                        bases, numbers = (machine.place(np.array(v)) for v in ([place, place], [*dims, *x_strides] * 2))
                        machine.run(f"{name}_{dtype}", bases, numbers, len(shape))
                        room.ran |= machine.ran
                        inside = machine.array(place, dtype).reshape(source.T.shape if source is not given else shape)
                        np.testing.assert_array_equal(inside.T if source is not given else inside, wanted)
    # Several vectors of lines at once serve what is computed in place, which needs results of the operand's dtype.
    in_place = set() if result == dtype else {f"{name}_{dtype}.2.{lanes}" for name in ("cumsum", "cumprod")}
    assert {f.signature.name for f in room.module.functions} - in_place == room.ran


def axes_of(rank: int) -> list[list[int]]:
    """Each axis first, and the others behind it."""
    return [[n, *(m for m in range(rank) if m != n)] for n in range(rank)]


def scattered(operation: str, x: Any, y: Any, positions: list[Any]) -> Any:
    """By a loop: positions address bytes of x, y is a row for each."""
    x = x.copy()
    for i in range(len(positions)):
        old, new = x[positions[i]], y[i]
        if operation == "set":
            x[positions[i]] = new
        else:
            x[positions[i]] = old | new if operation == "or" else old + new
    return x


@pytest.mark.parametrize("t", tunings())
def test_scatters(t: Tuning) -> None:
    rng, room = np.random.default_rng(2), Room(scatter_module(t))
    for name in layouts.SCATTERS:
        words = name.removeprefix("scatter_").split("_")
        operation, dtype = words[0], np.dtype("f2" if words[0] == "half" else DTYPES[words[-1]])
        for count, width in ((0, 3), (1, 1), (7, 0), (6, 1), (5, 2), (9, 37), (21, 5)):
            shape = (10, width) if width else (10,)
            x = rng.integers(0, 50, shape).astype(dtype)
            for integers in ("i8", "i1", "i2"):
                positions = rng.integers(0, 10, count).astype(integers)
                y = rng.integers(0, 50, (count, *shape[1:])).astype(dtype)
                wanted = scattered("add" if operation == "half" else operation, x, y, list(positions))
                row = x.strides[0]
                dims = [width] if width else []
                rank, size = len(dims), x.itemsize
                for is_row in {0, rank}:
                    steps = [count, y.strides[0], row, *dims, *[size] * rank, *[size] * rank, positions.itemsize]
                    got = room.call(name, [x, y, positions], steps, 1, rank, is_row)[0]
                    np.testing.assert_array_equal(got, wanted, f"{name} {count} {width} {integers} {is_row}")
    many = 2100
    for name in (n for n in layouts.SCATTERS if "add" in n):
        dtype = np.dtype(DTYPES[name.rpartition("_")[2]])
        positions = rng.integers(0, 200, many).astype("u1")
        for added in (2, 0.5) if dtype.kind == "f" else (2,):
            x, y = np.arange(200).astype(dtype), np.array([added], dtype)
            words = [many, 0, x.itemsize, positions.itemsize]
            got = room.call(name, [x, y, positions], words, 1, 0, 0)[0]
            wanted = x.copy()
            np.add.at(wanted, positions, y[0])
            np.testing.assert_array_equal(got, wanted)
    room.all_ran()
