"""Which loops get kernels of rounds on small arrays, which must not, and when these are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tuned import tuned

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.bufferise.serialise import pack_plans, unpack_text
from tensordsl.codegen.compiler.modules import late_kernels
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Program, walk_program
from tensordsl.codegen.program_ir.tables import late_plans
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.codegen.variants.predict import predicted_plans
from tensordsl.ifelse import ifelse
from tensordsl.scan_module import until
from tensordsl.tensor import linalg

A, X, R, N = T.dmatrix("a"), T.dmatrix("x"), T.dtensor3("r"), T.lscalar("n")
MEMORY = Tuning.here().without("rounds_in_registers")


def program(outputs: list[Any], tuning: Tuning | None = None) -> Program:
    return make_program("f", [A, X, R, N], [], outputs, [], False, tuning=tuning)[1]


def loops(made: Program) -> list[p.For]:
    return [i for i in walk_program(made.code) if isinstance(i, p.For)]


def scan(step: Callable[..., Any], sequences: Any = None, outputs_info: Any = X, n_steps: Any = N) -> Any:
    return tensordsl.scan(step, sequences, outputs_info, n_steps=n_steps)[0]


FIT = {
    "products": lambda: scan(lambda x: T.dot(A, x)),
    "products of half of a matrix": lambda: scan(lambda x: T.dot(A[::2], x)[:, ::2], None, A[::2, ::2]),
    "two axes": lambda: scan(lambda x: T.tanh(x.T + A)),
    "several lengths": lambda: scan(lambda x: T.tanh(x) + T.tanh(A).sum()),
    "sums over either axis": lambda: scan(lambda x: x - x.sum(0) + x.sum(1)[:, None]),
    "elements at places": lambda: scan(lambda x: x * T.diag(linalg.cholesky(T.dot(x, x.T)))[:, None]),
    "sums at places": lambda: T.grad(T.log(T.diag(scan(lambda x: linalg.cholesky(x + A))[-1])).sum(), A),
    "factors": lambda: scan(lambda x: linalg.cholesky(x + A)),
    "systems": lambda: scan(lambda x: linalg.solve(T.dot(x, x.T) + T.eye(x.shape[0]), x)),
    "storage in rounds": lambda: scan(lambda x: x * T.diag(x)),
    "branches": lambda: scan(lambda x: ifelse(T.gt(x.sum(), 0), T.dot(x, A), x + 1)),
    "an early end": lambda: scan(lambda x: (T.dot(A, x), until(x.sum() > 4))),
    "its gradient": lambda: T.grad(scan(lambda r, x: linalg.cholesky(T.dot(r, T.dot(x, r.T)) + A), R, X).sum(), A),
}
NOT_FIT = {
    "half precision": lambda: scan(lambda x: x * T.dot(x, x), None, T.cast(X, "float16")),
    "matrices that may not be square": lambda: scan(lambda x: linalg.solve(A + x, x)),
    "an order": lambda: scan(lambda x: T.sort(T.dot(A, x))),
    "factors without a text": lambda: scan(lambda x: linalg.qr(x)[0]),
    "batches": lambda: scan(lambda x: T.batched_dot(x, R) * 0.5, None, R),
    "large matrices": lambda: scan(lambda x: T.dot(x, x) * 0.5, None, T.zeros((40, 40))),
}


@pytest.mark.parametrize("name", FIT)
def test_loops_on_small_arrays_have_a_kernel(name: str) -> None:
    for loop in loops(program([FIT[name]()], MEMORY)):
        assert loop.kernel is not None and loop.kernel.when and loop.kernel.is_late
    off = MEMORY.without("rounds_in_memory")
    assert [loop for loop in loops(program([FIT[name]()], off)) if loop.kernel] == []


@pytest.mark.parametrize("name", NOT_FIT)
def test_other_loops_stay_as_they_are(name: str) -> None:
    assert [loop.kernel for loop in loops(program([NOT_FIT[name]()]))] == [None]


def test_known_lengths_need_no_condition() -> None:
    known = T.TensorType("float64", (4, 4))("a")
    values = scan(lambda x: T.dot(known, x), None, T.zeros((4, 4)))
    (loop,) = loops(make_program("f", [known, N], [], [values], [], False)[1])
    assert loop.kernel is not None and loop.kernel.when is None


def test_registers_come_first() -> None:
    (loop,) = loops(program([scan(lambda t, x: T.tanh(x + t), T.arange(N), T.zeros(()))]))
    assert loop.kernel is not None and not loop.kernel.is_late


def test_the_kernel_waits_for_a_call_with_few_elements() -> None:
    made = program([scan(lambda x: T.tanh(T.dot(A, x)))])
    (loop,) = loops(made)
    assert loop.kernel is not None
    inside = {i.plan for i in loop.body if isinstance(i, p.Launch)}
    late, soon = late_plans(made), predicted_plans(made, (), Tuning.here().variants)
    assert {loop.kernel.plan, *inside} <= {*late} and inside <= soon and loop.kernel.plan not in soon


def test_a_late_kernel_is_packed_as_text() -> None:
    made = program([scan(lambda x: T.dot(A, x)), scan(lambda x: T.dot(x, A) + 1)])
    plans = [made.plans[loop.kernel.plan] for loop in loops(made) if loop.kernel]
    assert len(plans) == 2
    packed = pack_plans(plans)
    for plan, data, found in zip(plans, packed, late_kernels(packed), strict=True):
        assert unpack_text(data) == plan.kernels and found.declarations == plan.kernels.declarations
    assert [k.symbols for k in late_kernels(packed)] == [("k0_0",), ("k1_0",)]
    assert all(f"@{k.symbols[0]}(" in k.texts[0] for k in late_kernels(packed))


def test_products_of_a_kernel_have_one_text() -> None:
    def text(step: Callable[[Any], Any]) -> str:
        made = program([scan(step)])
        (plan,) = (made.plans[loop.kernel.plan] for loop in loops(made) if loop.kernel)
        return "\n".join((*plan.kernels.texts, *plan.kernels.declarations))

    one, many = text(lambda x: T.dot(A, x)), text(lambda x: T.dot(T.dot(T.dot(A, x), A), x))
    assert one.count("@product_") > 1 and many.count("define internal void @product_") == 1
    assert one.count("call void @product_") == 1 and many.count("call void @product_") == 3


def test_a_factor_that_no_round_changes_is_packed_before_them() -> None:
    made = program([scan(lambda x: T.dot(x, A.T))], tuned(rounds={"inline_vector_bytes": 1}))
    (plan,) = (made.plans[loop.kernel.plan] for loop in loops(made) if loop.kernel)
    (kernel,) = plan.kernels.texts
    before, rounds = kernel.split("\nround:\n")
    assert "@pack_" in before and "@pack_" not in rounds


def test_signals_are_looked_for_behind_some_rounds() -> None:
    (loop,) = loops(program([scan(lambda x: T.dot(A, x))]))
    assert loop.kernel is not None and loop.kernel.rounds == Tuning.here().rounds.inline_rounds


def test_no_length_but_those_of_the_arrays_decides() -> None:
    f = tensordsl.function([A, X, N], scan(lambda x: T.dot(A, x))[-1])
    for size in (3, 40, 3, 40):
        a, x = np.random.default_rng(size).normal(size=(2, size, size)) / size**0.5
        np.testing.assert_allclose(f(a, x, 3), a @ a @ a @ x, 1e-9, 1e-9)
