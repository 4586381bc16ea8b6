"""Techniques of the library: each is named and changes its objects; programs have the same results without them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tuned import HERE, tuned

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.compiler.library_build import library_objects, writer_of
from tensordsl.codegen.library.loops.entry import nest_text
from tensordsl.codegen.library.techniques import TECHNIQUES
from tensordsl.functions.native import set_tuning

ROOT = Path(__file__).resolve().parents[3]
OF_LOOPS = [row.name for row in TECHNIQUES if row.objects == ("nest",)]
FORCIBLE = [row.name for row in TECHNIQUES if row.is_forcible]
OTHERS = [row.name for row in TECHNIQUES if row.name not in OF_LOOPS]
OBJECTS = {
    "gemm": "gemm_float32",
    "scatter": "scatter_add_i8",
    "sort": "sort_int8",
    "cumsum": "cumsum_float64",
    "cholesky": "cholesky_float64",
}


def test_rows_name_what_is_there() -> None:
    assert len({row.name for row in TECHNIQUES}) == len(TECHNIQUES)
    for row in TECHNIQUES:
        assert (ROOT / row.file).exists() and all(map(writer_of, row.objects)), row.name
        assert row.what and row.applies_when and row.why


@pytest.mark.parametrize("name", OF_LOOPS)
def test_a_switch_changes_the_loops(name: str) -> None:
    assert nest_text(HERE.without(name)) != nest_text(HERE)


@pytest.mark.parametrize("name", FORCIBLE)
def test_forcing_changes_the_loops(name: str) -> None:
    assert nest_text(HERE.forcing(name)) not in (nest_text(HERE), nest_text(HERE.without(name)))


@pytest.mark.parametrize("name", OTHERS)
def test_a_switch_changes_its_objects(name: str) -> None:
    (row,) = (row for row in TECHNIQUES if row.name == name)
    kind = next(word for word in row.objects if word != "nest")
    made = OBJECTS.get(kind, kind)
    writer = writer_of(made)
    tuning = tuned(HERE, machine={"prefetches_blocks": True})
    texts = writer.text(made, tuning), writer.text(made, tuning.without(name))
    assert texts[0] != texts[1] or HERE.machine.vector_bytes < 64


def test_objects_without_a_technique_have_keys_of_their_own() -> None:
    assert HERE.key() == "" != HERE.without("row_batches").key() != HERE.without("deinterleave").key()
    assert library_objects("positions", HERE) != library_objects("positions", HERE.without("compressed_positions"))


@pytest.mark.parametrize("changes", [{"off": OTHERS}, {"off": OF_LOOPS}, {"forced": FORCIBLE}])
def test_programs_without_techniques(changes: dict[str, list[str]], tmp_path: Path) -> None:
    """In a process of its own, whose library is another one."""
    flags = {"TENSORDSL_FLAGS": f"compiledir={tmp_path}", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    code = f"import test_techniques; test_techniques.check_programs({json.dumps(changes)!r})"
    subprocess.run([sys.executable, "-c", code], env=os.environ | flags, check=True, timeout=600)


def check_programs(changes: str) -> None:
    set_tuning(tuned(**json.loads(changes)))
    for name, inputs, output, arguments, want in programs():
        f = td.function(inputs, output)
        for td.config.num_threads in (1, 2):
            for _ in range(2):
                np.testing.assert_allclose(f(*arguments), want, rtol=1e-5, atol=1e-5, err_msg=name)


def programs() -> Iterator[tuple[str, list[Any], Any, list[Any], Any]]:
    """(name, inputs, output, arguments, NumPy's result) of what reaches the techniques."""
    rng = np.random.default_rng(5)
    for dtype in ("float64", "float32"):
        x, y, z = (T.TensorType(dtype, (None, None))(name) for name in "xyz")
        c = T.TensorType(dtype, (None, None, None))("c")
        a, b = (rng.random(shape).astype(dtype) for shape in ((300, 40), (40, 300)))
        cube = rng.random((30, 20, 8)).astype(dtype)
        for m, k, n in ((3, 5, 7), (50, 30, 20), (2, 300, 200), (200, 300, 3), (70, 90, 110), (1, 64, 500)):
            left, right = rng.random((m, k)).astype(dtype), rng.random((k, n)).astype(dtype)
            yield f"{m} {k} {n}", [x, y], T.dot(x, y), [left, right], left @ right
        yield "gram", [x], T.dot(x, x.T), [a], a @ a.T
        yield "batched", [c], T.batched_dot(c, c.transpose(0, 2, 1)), [cube], cube @ cube.transpose(0, 2, 1)
        for axis in (0, 1):
            yield "sort", [x], T.sort(x, axis), [a], np.sort(a, axis)
            yield "scan", [x], T.cumsum(x, axis), [a], np.cumsum(a, axis)
        long = rng.random((2, 70_000)).astype(dtype)
        yield "long lines", [x], T.argsort(x, 1), [long], np.argsort(long, 1, kind="stable")
        yield "median", [x], T.sort(x, 1)[:, 35_000], [long], np.sort(long, 1)[:, 35_000]
        yield "positions", [x], T.nonzero(x > 0.5)[1], [a], np.nonzero(a > 0.5)[1]
        for kind, view in (("turned", b.T), ("strided", a[:, ::2]), ("reversed", a[::-1, ::-1]), ("slice", a[:, 1:4])):
            w = np.ascontiguousarray(view) + 1
            yield kind, [x, y], x * y - 1, [view, w], view * w - 1
            yield kind, [x], x.sum(0), [view], view.sum(0)
            yield kind, [x], x.var(1), [view], view.var(1)
            yield kind, [x, y], x + y[0], [view, w], view + w[0]
        yield (
            "distances",
            [x, y],
            ((x[:, None] - y[None]) ** 2).sum(2),
            [a[:, :8], a[:50, :8]],
            ((a[:, None, :8] - a[None, :50, :8]) ** 2).sum(2),
        )
        yield "axes", [c], c.sum((0, 2)), [cube[::2, :, ::3]], cube[::2, :, ::3].sum((0, 2))
        yield "permuted", [c], c * 2, [cube.transpose(2, 0, 1)], cube.transpose(2, 0, 1) * 2
        for n in (2, 6, 12, 30, 50):
            stack = rng.random((11, n, n)).astype(dtype) + n * np.eye(n, dtype=dtype)
            definite, columns = stack @ stack.transpose(0, 2, 1), stack[:, :, :2]
            factor = np.linalg.cholesky(definite)
            yield "cholesky", [c], T.linalg.cholesky(c), [definite], factor
            triangle = [np.tril(stack), columns]
            given = T.TensorType(dtype, (None, None, None))("given")
            yield "solve", [c, given], T.linalg.solve(c, given), [stack, columns], np.linalg.solve(stack, columns)
            x = T.linalg.solve_triangular(c, given, lower=True)
            yield "triangular", [c, given], x, triangle, np.linalg.solve(*triangle)
            logarithm = T.log(T.diagonal(T.linalg.cholesky(c), 0, 1, 2)).sum() * 2
            inverse = np.linalg.inv(definite)  # of a symmetric matrix, in the triangle that is read
            wanted = 2 * np.tril(inverse) - inverse * np.eye(n, dtype=dtype)
            yield "gradient of a determinant", [c], T.grad(logarithm, c), [definite], wanted
        x = T.TensorType(dtype, (None, None))("x")
        large = rng.random((900, 1024)).astype(dtype)
        yield "large", [x, y, z], x * y + z, [large, large[::-1], large], large * large[::-1] + large
    i = T.lvector("i")
    positions = rng.integers(0, 256, 5000)
    yield (
        "histogram",
        [i],
        T.inc_subtensor(T.zeros(256, "int64")[T.cast(i, "uint8")], 1),
        [positions],
        np.bincount(positions, minlength=256),
    )
    bytes_ = rng.integers(-99, 99, 3000).astype("int8")
    v = T.bvector("v")
    yield "counted", [v], T.argsort(v), [bytes_], np.argsort(bytes_, kind="stable")
    d = T.dmatrix("d")
    table = rng.random((60, 3))
    yield "take", [d, i], d[i], [table, positions % 60], table[positions % 60]
