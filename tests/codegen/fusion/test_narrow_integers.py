"""Integers that are computed in fewer bits than their dtype has: the same numbers, wherever these may be."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.bufferise import bufferiser, launches
from tensordsl.codegen.fusion.group import Group
from tensordsl.codegen.fusion.narrow_integers import BOUNDS
from tensordsl.ops.array.reduce import MAX, MIN, _reduce

SHORT = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32"]
LONG = ["int32", "int64", "uint32", "uint64", "int16"]
BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "floordiv": lambda x, y: x // y,
    "mod": lambda x, y: x % y,
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
    "minimum": T.minimum,
    "maximum": T.maximum,
}
NUMBERS = {"add": int.__add__, "sub": int.__sub__, "mul": int.__mul__, "and": int.__and__, "or": int.__or__,
           "xor": int.__xor__, "minimum": min, "maximum": max, "floordiv": lambda a, b: a // b if b else 0,
           "mod": lambda a, b: a % b if b else 0}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_bounds_of_two(name: str) -> None:
    ends = [-9, -8, -3, -1, 0, 1, 2, 7, 8]
    ranges = [(a, b) for a in ends for b in ends if a <= b]
    for x, y in product(ranges, ranges):
        least, greatest = BOUNDS[name](x, y)
        found = [NUMBERS[name](a, b) for a in range(x[0], x[1] + 1) for b in range(y[0], y[1] + 1)]
        assert least <= min(found) and max(found) <= greatest, (x, y)


@pytest.mark.parametrize("name", ["neg", "abs", "sign"])
def test_bounds_of_one(name: str) -> None:
    number = {"neg": int.__neg__, "abs": abs, "sign": lambda a: (a > 0) - (a < 0)}[name]
    for a, b in product(range(-5, 6), range(-5, 6)):
        if a <= b:
            least, greatest = BOUNDS[name]((a, b))
            assert all(least <= number(n) <= greatest for n in range(a, b + 1))


CONSTANTS = [0, 1, 2, 3, 7, 9, 77, 128, 255, 256, 1000, 65535, -1, -3, -128]


def drawn(rng: np.random.Generator, leaves: list[Any]) -> Any:
    """A value of some operations on leaves that were cast to longer integers, and on constants."""

    def leaf() -> Any:
        if rng.random() < 0.25:
            return T.constant(int(rng.choice(CONSTANTS)), dtype="int32")
        return T.cast(leaves[rng.integers(len(leaves))], str(rng.choice(LONG)))

    values = [leaf() for _ in range(4)]
    for _ in range(int(rng.integers(2, 9))):
        x, y = (values[rng.integers(len(values))] for _ in "xy")
        if x.dtype == "uint64" or y.dtype == "uint64":
            x, y = T.cast(x, "uint64"), T.cast(y, "uint64")
        choice = rng.integers(14)
        if choice < 10:
            values.append(list(BINARY.values())[choice](x, y))
        else:
            others = [T.switch(T.lt(x, y), x, y), abs(T.cast(x, "int64")), -T.cast(x, "int32")]
            values.append([*others, T.cast(x, str(rng.choice([*SHORT[1:], *LONG])))][choice - 10])
    return values[-1]


def numbers(rng: np.random.Generator, dtype: str, n: int) -> np.ndarray:
    if dtype == "bool":
        return rng.random(n) < 0.5
    info = np.iinfo(dtype)
    near = np.array([info.min, info.min + 1, 0, 1, 2, 3, info.max - 1, info.max], dtype)
    return np.where(
        rng.random(n) < 0.5, near[rng.integers(len(near), size=n)], rng.integers(info.min, info.max, n).astype(dtype)
    )


@pytest.mark.parametrize("seed", range(40))
def test_the_same_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dtypes = [str(rng.choice(SHORT)) for _ in range(3)]
    leaves = [T.TensorType(dtype, (False,))() for dtype in dtypes]
    value = drawn(rng, leaves)
    brief = T.cast(value, "uint8")
    outs = [brief, value.max(), T.cast(value, "float64"), T.cast(value, "float32").sum(), value.sum(), T.gt(value, 3)]
    functions = [
        (
            td.function(leaves, out, on_unused_input="ignore"),
            td.function(leaves, out, on_unused_input="ignore", mode="REFERENCE"),
        )
        for out in ([brief], [value.max()], [brief.sum(), T.gt(value, 3)], outs)
    ]
    for n in (1, 100):
        given = [numbers(rng, dtype, n) for dtype in dtypes]
        for f, reference in functions:
            for got, wanted in zip(f(*given), reference(*given), strict=True):
                assert got.dtype == wanted.dtype
                if got.dtype.kind == "f":
                    np.testing.assert_allclose(got, wanted, rtol=1e-5)
                else:
                    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint16", "int16"])
def test_of_no_numbers_the_greatest_and_the_least_are_those_of_the_wider_dtype(dtype: str) -> None:
    """Random program 81038: `bincount` of no numbers had one count."""
    x = T.TensorType(dtype, (False,))()
    for value in (T.cast(x, "int64") % 7, T.cast(x, "int64") * 3 - 5, T.cast(x, "int32") % 7 - 9):
        greatest, least = (_reduce(reducer, value, 0, keepdims=True, initial=True) for reducer in (MAX, MIN))
        f = td.function([x], [greatest, least, T.bincount(T.maximum(value, 0))])
        info = np.iinfo(str(value.dtype))
        got = f(np.zeros(0, dtype))
        assert [r.item() for r in got[:2]] == [info.min, info.max] and got[2].shape == (0,)
        a = np.arange(5).astype(dtype)
        wanted = [*td.function([x], value)(a)]
        assert [r.item() for r in f(a)[:2]] == [max(wanted), min(wanted)]


@pytest.fixture
def groups(fresh_code: pytest.MonkeyPatch) -> list[Group]:
    """The groups that are launched."""
    seen, usual = list[Group](), launches.launch_of

    def launch(b: Any, group: Group, *rest: Any) -> Any:
        seen.append(group)
        return usual(b, group, *rest)

    fresh_code.setattr(bufferiser, "launch_of", launch)
    return seen


def dtypes_of(group: Group) -> set[str]:
    return {
        v.type for v in group.scalars if isinstance(v.type, str) and v.op not in ("load", "const", "cast", "result")
    }


def test_which_types(groups: list[Group]) -> None:
    x, y, z = T.vector(dtype="uint8"), T.vector(dtype="int16"), T.vector(dtype="uint32")
    wide = T.cast(x, "int32"), T.cast(y, "int64"), T.cast(x, "int64")
    for value, dtypes in (
        (T.cast((wide[0] * 3 + 1) // 4, "uint8"), {"uint16"}),
        ((wide[0] * 3 + 1) // 4, {"int32"}),  # as many lanes
        ((wide[2] * 3 + 1) // 4, {"uint32"}),
        (T.cast(wide[2] - T.cast(T.vector(dtype="int8"), "int64"), "int8"), {"int16"}),
        (wide[2] - T.cast(T.vector(dtype="int8"), "int64"), {"int64"}),
        (T.cast(wide[2] * wide[2] * 3, "uint16"), {"int32"}),
        (T.cast(wide[1] * wide[1], "int16"), {"int32"}),
        (T.cast(z % 3, "uint8"), {"uint32"}),
        (z % 3, {"uint32"}),
        (T.cast(T.cast(z, "int64") * 2, "uint8"), {"int64"}),
        (T.cast(T.switch(wide[0] * 2 > wide[1], wide[0], wide[1]), "bool"), {"int16", "bool"}),
        ((wide[2] - wide[1]).max(), {"int32", "int64", "bool"}),  # the last two where there are no numbers
        (T.cast(wide[0] * 2 + T.cast(T.dvector(), "int32"), "int8"), {"int32"}),
        (T.vector(dtype="int32") + 1, {"int32"}),
    ):
        groups.clear()
        td.function([v for v in td.gof.graph.inputs([value]) if v.owner is None and not hasattr(v, "data")], value)
        assert dtypes in [dtypes_of(group) for group in groups], value


def test_sums_of_products_of_bytes(groups: list[Group]) -> None:
    x, y = T.vector(dtype="uint8"), T.vector(dtype="uint8")
    f = td.function([x, y], (T.cast(x, "int64") * T.cast(y, "int64")).sum())
    assert "count" in {v.attr[0].name for group in groups for v in group.scalars if v.op == "reduce"}
    a = np.full(70_000, 255, "uint8")
    assert f(a, a) == 70_000 * 255**2
