"""Complex numbers in kernels: one operand of pairs, taken apart and put together in registers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from native import Runner

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.math.interpreter import evaluate
from tensordsl.ops.array.reducers import MAX, SUM
from tensordsl.types import COMPLEX

LENGTHS = (0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 129, 700)
x, y, r = T.zvector("x"), T.zvector("y"), T.dvector("r")


def numbers(shape: Any, dtype: str = "complex128", seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)


def launches(outputs: list[Any], inputs: list[Any]) -> list[int]:
    """The numbers of the launches' operands; there is no copy."""
    made = make_program("f", inputs, [], outputs, [], False)[1]
    assert not [i for i in p.walk_program(made.code) if isinstance(i, p.Copy)]
    return [len(i.operands) for i in p.walk_program(made.code) if isinstance(i, p.Launch)]


def test_numbers_are_read_and_written_whole() -> None:
    assert launches([x * y], [x, y]) == [3]
    assert launches([x.real + y.imag], [x, y]) == [3]
    assert launches([x * r, x + y], [x, y, r]) == [5]
    assert launches([x.sum(), x.mean()], [x]) == [3]


def pairs(make: Any) -> list[str]:
    """What a group does to operands x and y of complex128 and r of float64."""
    b = Builder()
    a, c, d = (
        b.load(Buffer(n, t, ("n",)), "i") for n, t in (("x", "complex128"), ("y", "complex128"), ("r", "float64"))
    )
    root = make(b, a, c, d)
    return [v.op for v in Group("g", {"i": "n"}, ("i",), (Out(Buffer("o", root.type, ("n",)), ("i",), root),)).scalars]


def plus(b: Builder, z: Val, w: Val) -> Val:
    return b.complex(b.add(b.part(z, 0), b.part(w, 0)), b.add(b.part(z, 1), b.part(w, 1)))


def test_what_both_parts_take_alike_is_done_on_pairs() -> None:
    assert pairs(lambda b, z, w, s: b.complex(b.part(z, 0), b.part(z, 1))) == ["load"]
    assert pairs(lambda b, z, w, s: plus(b, z, w)) == ["load", "load", "add"]
    assert pairs(lambda b, z, w, s: plus(b, plus(b, z, w), z)) == ["load", "load", "add", "add"]
    scaled = pairs(lambda b, z, w, s: b.complex(b.mul(b.part(z, 0), s), b.mul(b.part(z, 1), s)))
    assert scaled == ["load", "load", "complex", "mul"]
    swapped = pairs(lambda b, z, w, s: b.complex(b.neg(b.part(z, 1)), b.neg(b.part(z, 0))))
    assert swapped.count("part") == 2
    assert "part" in pairs(lambda b, z, w, s: b.complex(b.add(b.part(z, 0), b.part(w, 0)), b.part(z, 1)))
    assert "part" in pairs(lambda b, z, w, s: b.complex(b.sub(b.part(z, 0), s), b.sub(s, b.part(z, 1))))


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("vector_bytes", [16, 32, 64])
def test_groups_of_pairs(dtype: str, vector_bytes: int) -> None:
    b, real = Builder(), "float32" if dtype == "complex64" else "float64"
    z, w = (b.load(Buffer(n, dtype, ("n",)), "i") for n in "xy")
    s = b.load(Buffer("r", real, ("n",)), "i")
    u, v = b.part(z, 0), b.part(z, 1)
    scaled = b.complex(b.mul(b.part(w, 0), s), b.mul(b.part(w, 1), s))
    mixed = b.complex(b.sub(b.mul(u, s), v), b.add(v, b.part(w, 0)))
    roots = {"o0": scaled, "o1": mixed, "o2": b.add(u, b.part(w, 1)), "o3": plus(b, z, w)}
    outs = tuple(Out(Buffer(n, value.type, ("n",)), ("i",), value) for n, value in roots.items())
    run = Runner(Group("g", {"i": "n"}, ("i",), outs), vector_bytes=vector_bytes)
    for n in LENGTHS:
        arrays = {"x": numbers(n, dtype), "y": numbers(n, dtype, 1), "r": numbers(n, dtype, 2).real.copy()}
        arrays |= {o.buffer.name: np.empty(n, o.buffer.type) for o in outs}
        run(arrays)
        known = {id(v): arrays[v.attr[0].name] for v in (z, w, s)}
        for o, want in zip(outs, evaluate(roots.values(), pytest.fail, known), strict=True):
            np.testing.assert_array_equal(arrays[o.buffer.name], want, err_msg=f"{o.buffer.name} {n}")


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("vector_bytes", [16, 32, 64])
def test_reductions_of_pairs(dtype: str, vector_bytes: int) -> None:
    b, rows = Builder(), ("m", "n")
    z, w = (b.load(Buffer(name, dtype, rows), "i", "j") for name in "xy")
    total = b.reduce(SUM, ("j",), b.mul(b.part(z, 0), b.part(w, 1)))[0]
    largest = b.reduce(MAX, ("j",), b.sub(b.part(z, 1), b.part(w, 0)))[0]
    outs = tuple(Out(Buffer(n, v.type, ("m",)), ("i",), v) for n, v in (("o0", total), ("o1", largest)))
    run = Runner(Group("g", {"i": "m", "j": "n"}, ("i",), outs), vector_bytes=vector_bytes)
    for n in LENGTHS[1:]:
        arrays = {"x": numbers((3, n), dtype), "y": numbers((3, n), dtype, 1)}
        arrays |= {o.buffer.name: np.empty(3, o.buffer.type) for o in outs}
        run(arrays)
        u, v = arrays["x"], arrays["y"]
        np.testing.assert_allclose(arrays["o0"], (u.real * v.imag).sum(1), rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(arrays["o1"], (u.imag - v.real).max(1))


def layouts(a: Any) -> dict[str, Any]:
    """The same numbers: adjacent, with gaps, turned round, in columns, and beginning with half of an element before."""
    wide, odd = np.zeros((*a.shape[:-1], 2 * a.shape[-1] + 1), a.dtype), np.zeros(2 * a.size + 1, a.real.dtype)
    wide[..., 1::2], odd[1:] = a, a.ravel().view(a.real.dtype)
    turned = np.ascontiguousarray(a[..., ::-1])[..., ::-1]
    return {
        "adjacent": a, "gaps": wide[..., 1::2], "turned": turned, "columns": np.asfortranarray(a),
        "unaligned": odd[1:].view(a.dtype).reshape(a.shape),
    }  # fmt: skip


REDUCED: dict[str, tuple[Any, Any]] = {
    "sum": (lambda z: z.sum(-1), lambda a: a.sum(-1)),
    "mean and variance": (lambda z: z.mean(-1) + abs(z - z.mean(-1, keepdims=True)).sum(-1), lambda a: a.mean(-1) + abs(a - a.mean(-1, keepdims=True)).sum(-1)),
    "product": (lambda z: (z / abs(z)).prod(-1), lambda a: (a / abs(a)).prod(-1)),
    "largest": (lambda z: abs(z * z).max(-1), lambda a: abs(a * a).max(-1)),
    "its place": (lambda z: abs(z).argmax(-1), lambda a: abs(a).argmax(-1)),
    "a number's place": (lambda z: z.argmin(-1), lambda a: a.argmin(-1)),
    "any": (lambda z: T.any(z.real * z.imag > 8, -1), lambda a: (a.real * a.imag > 8).any(-1)),
    "with the places": (lambda z: (z * T.arange(z.shape[-1])).sum(-1), lambda a: (a * np.arange(a.shape[-1])).sum(-1)),
    "with real numbers": (lambda z: (z * z.real[::-1]).sum(-1), lambda a: (a * a.real[::-1]).sum(-1)),
    "products": (lambda z: T.dot(z, T.conj(z[0])), lambda a: a @ a[0].conj()),
    "of all": (lambda z: (z * z[::-1]).sum(), lambda a: (a * a[::-1]).sum()),
    "of columns": (lambda z: (z * z.conj()).sum(0), lambda a: (a * a.conj()).sum(0)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("name", REDUCED)
def test_reductions_of_all_lengths(name: str, dtype: str) -> None:
    z, (build, oracle) = T.matrix("z", dtype=dtype), REDUCED[name]
    f, exact = tensordsl.function([z], build(z)), 3e-5 if dtype == "complex64" else 1e-12
    for n in LENGTHS[1:]:
        for rows in (1, 3):
            a = numbers((rows, n), dtype, n)
            for where, given in layouts(a).items():
                np.testing.assert_allclose(f(given), oracle(a), rtol=exact, atol=exact * n, err_msg=f"{where} {n}")


@pytest.mark.parametrize("dtype", COMPLEX)
def test_layouts(dtype: str) -> None:
    z, w = T.matrix("z", dtype=dtype), T.vector("w", dtype=dtype)
    f = tensordsl.function(
        [z, w], [z * w - 2, z.conj() + z[:, ::-1], z.real, -z.imag, z.sum(0), z.sum(1), abs(z).max(1)]
    )
    exact = 1e-4 if dtype == "complex64" else 1e-12
    for shape in ((1, 1), (3, 5), (5, 3), (2, 17), (17, 40), (40, 33)):
        a, c = numbers(shape, dtype), numbers(shape[1], dtype, 1)
        want = a * c - 2, a.conj() + a[:, ::-1], a.real, -a.imag, a.sum(0), a.sum(1), np.abs(a).max(1)
        for name, given in layouts(a).items():
            for k, (got, wanted) in enumerate(zip(f(given, c), want, strict=True)):
                np.testing.assert_allclose(got, wanted, rtol=exact, atol=exact, err_msg=f"{name} {shape} {k}")


@pytest.mark.parametrize("dtype", COMPLEX)
def test_positions(dtype: str) -> None:
    z, i, j = T.matrix("z", dtype=dtype), T.lvector("i"), T.lvector("j")
    f = tensordsl.function(
        [z, i, j], [z[i] * 2, z[:, j] + 1, z[i, i] * z[0, 0], z[i].sum(0), z[:, j].imag, (z * 2)[i], z[i[0]]]
    )
    exact, rng = 1e-4 if dtype == "complex64" else 1e-12, np.random.default_rng(0)
    for shape in ((5, 3), (17, 33), (40, 30)):
        a, p, q = numbers(shape, dtype), rng.integers(-min(shape), min(shape), 7), rng.integers(-shape[1], shape[1], 35)
        want = a[p] * 2, a[:, q] + 1, a[p, p] * a[0, 0], a[p].sum(0), a[:, q].imag, (a * 2)[p], a[p[0]]
        for name, given in layouts(a).items():
            for k, (got, wanted) in enumerate(zip(f(given, p, q), want, strict=True)):
                np.testing.assert_allclose(got, wanted, rtol=exact, atol=exact, err_msg=f"{name} {shape} {k}")
        with pytest.raises(IndexError):
            f(a, np.array([shape[0]]), q)


def test_what_is_not_finite_and_signs_of_zeros() -> None:
    special = [0.0, -0.0, 1.0, np.inf, -np.inf, np.nan]
    a = np.array([complex(p, q) for p in special for q in special])
    f = tensordsl.function([x, y], [-x, x.conj(), x + y, x - y])
    b = np.roll(a, 5)
    with np.errstate(all="ignore"):
        want = -a, a.conj(), a + b, a - b
    for got, wanted in zip(f(a, b), want, strict=True):
        for part, of in ((got.real, wanted.real), (got.imag, wanted.imag)):
            np.testing.assert_array_equal(part, of)
            known = ~np.isnan(of)
            np.testing.assert_array_equal(np.signbit(part[known]), np.signbit(of[known]))


def test_state_is_updated_in_place_and_may_be_an_operand() -> None:
    s = tensordsl.shared(numbers(37))
    f = tensordsl.function([x], s.real.sum(), updates=[(s, s * x + s.conj())])
    want = s.get_value()
    for k in range(3):
        a = numbers(37, seed=k)
        np.testing.assert_allclose(f(a), want.real.sum())
        want = want * a + want.conj()
    np.testing.assert_allclose(s.get_value(), want, rtol=1e-12)


@pytest.mark.parametrize("threads", [1, 3])
def test_large_results_are_shared_out(threads: int) -> None:
    a, b = numbers(300_001), numbers(300_001, seed=1)
    with tensordsl.config.change_flags(num_threads=threads):
        f = tensordsl.function([x, y], [x * y, x + y, x.sum()])
        for got, want in zip(f(a, b), (a * b, a + b, a.sum()), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12)
