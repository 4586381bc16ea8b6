"""Plans whose kernels are made later, and perhaps elsewhere: from bytes they become what they would have been."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT

import tensordsl.tensor as T
from tensordsl.codegen.bufferise.serialise import pack_plans, unpack_plan
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.cpu.planner import plan
from tensordsl.codegen.target.tuning import Tuning

x, y, v, z = T.dmatrix("x"), T.fmatrix("y"), T.lvector("v"), T.zmatrix("z")
GRAPHS: dict[str, tuple[list[Any], Any]] = {
    "sums": ([x, y], [(x * 2).sum(1), (y + 1).mean(0), x.prod()]),
    "values kept in an output": ([x, y], [T.nnet.softmax(x), T.nnet.logsoftmax(y)]),
    "indices and lengths": ([x, v], [x[v], (x * T.arange(x.shape[1])).sum(0), T.exp(x[v]).sum(1)]),
    "positions": ([x, z], [T.argmax(x, axis=1), T.argmin(x, axis=0), z.prod(axis=1), abs(z).max(1)]),
    "steps": ([x], [x[:, ::2] * 3, x.T + 0, T.concatenate([x[::2], x[1::2]], axis=1)]),
    "a deep chain": ([x], [sum((T.tanh(x + k) for k in range(80)), x).sum(1)]),
}


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_a_plan_from_bytes_has_the_same_kernels(name: str) -> None:
    inputs, outputs = GRAPHS[name]
    plans = make_program("f", inputs, [], outputs, [], False)[1].plans
    for made, packed in zip(plans, pack_plans(plans), strict=True):
        group, chosen, streams, key = unpack_plan(packed)
        again = replace(plan(group, chosen, made.name, Tuning.from_key(key)), streams=streams)
        got, want = again.kernels, made.kernels
        assert (got.symbols, got.texts, got.descriptor) == (want.symbols, want.texts, want.descriptor)
        assert (got.declarations, got.may_fail, len(got.ints)) == (want.declarations, want.may_fail, len(want.ints))
        assert pack_plans([replace(again, streams=streams)]) == [packed]


def test_names_and_unknown_lengths_make_no_difference() -> None:
    def parts(matrix: Any, extra: Any) -> list[bytes]:
        program = make_program("f", [matrix, extra], [], [(matrix * 2).sum(1)], [], False)[1]
        return pack_plans(program.plans)

    assert parts(T.dmatrix(), T.dvector()) == parts(T.dmatrix("other"), T.dvector("one more"))
    assert parts(x, y) != parts(y, x)


SOURCE = """
import sys
import numpy as np
import tensordsl, tensordsl.tensor as T
from tensordsl.functions import native

x, v = T.dmatrix("x"), T.lvector("v")
f = tensordsl.function([x, v], [T.nnet.softmax(x), (x * T.arange(x.shape[1])).sum(1), x[v].sum(1), x[:, ::2] * 3])
shapes = ((40, 3), (3, 400), (2, 2), (300, 9)) if len(sys.argv) > 1 else ()
for shape in shapes:
    a = np.random.default_rng(0).normal(size=shape)
    i = np.array([0, -1, 1])
    e = np.exp(a - a.max(1, keepdims=True))
    want = [e / e.sum(1, keepdims=True), (a * np.arange(shape[1])).sum(1), a[i].sum(1), a[:, ::2] * 3]
    for got, expected in zip(f(a, i), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
native.forget()
print(native.compile_spec(f.spec, f.mode).origin)
"""


def test_another_process_makes_what_a_function_from_the_cache_requires(tmp_path: Path) -> None:
    root = str(ROOT)
    environment = {**os.environ, "PYTHONPATH": root, "TENSORDSL_FLAGS": f"compiledir={tmp_path}"}
    script = tmp_path / "script.py"
    script.write_text(SOURCE)
    for arguments in ([], ["shapes"], ["shapes"]):
        done = subprocess.run(
            [sys.executable, str(script), *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == "disk\n"
