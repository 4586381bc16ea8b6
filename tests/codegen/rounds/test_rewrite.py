"""Which loops get kernels of their rounds in registers, and which must not; what a program does with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from end_of_memory import End

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.host.emitter import emit_program
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Program, walk_program
from tensordsl.codegen.program_ir.printer import show
from tensordsl.codegen.program_ir.tables import idle_plans
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.ifelse import ifelse
from tensordsl.scan_module import until

X, M, A, B, N = T.dvector("x"), T.dmatrix("m"), T.dvector("a"), T.dvector("b"), T.lscalar("n")
S, ZERO = T.dscalar("s"), T.constant(np.float64(0))
REGISTERS = Tuning.here().without("rounds_in_memory")


def program(outputs: list[Any], tuning: Tuning | None = None) -> Program:
    return make_program("f", [X, M, A, B, N, S], [], outputs, [], False, tuning=tuning or REGISTERS)[1]


def loops(*outputs: Any, tuning: Tuning | None = None) -> list[p.For]:
    return [i for i in walk_program(program([*outputs], tuning).code) if isinstance(i, p.For)]


def scan(step: Callable[..., Any], sequences: Any = None, outputs_info: Any = None, n_steps: Any = None) -> Any:
    return tensordsl.scan(step, sequences, outputs_info, n_steps=n_steps)[0]


def series(y: Any, taps: list[int]) -> Any:
    start = dict(initial=X[: -min(taps)], taps=taps)
    return scan(lambda y, *given: 0.3 * sum(given) + y, y, [start])


FIT = {
    "powers": lambda: scan(lambda s: s * A, None, A, N),
    "a scalar": lambda: scan(lambda x, s: T.tanh(s + x), X, ZERO)[-1],
    "its history": lambda: scan(lambda x, s: T.tanh(s + x), X, ZERO),
    "rows": lambda: scan(lambda row, s: T.tanh(s + row), M, A),
    "two taps": lambda: series(X, [-2, -1]),
    "four taps": lambda: series(X, [-4, -1]),
    "four taps, the last value": lambda: series(X, [-4, -3])[-1],
    "an early end": lambda: scan(lambda x, s: (s + x, until(s > 4)), X, ZERO),
    "a complex state": lambda: scan(lambda s: s * s + 1j * s, None, T.cast(S, "complex128"), N)[-1],
    "the round's number": lambda: scan(lambda t, s: s + T.cast(t, "float64"), T.arange(N), ZERO)[-1],
    "sums and extrema of lanes": lambda: scan(lambda s: T.exp(s - T.max(s)) / T.sum(T.exp(s - T.max(s))), None, A, N),
    "positions of lanes": lambda: scan(lambda s: s + T.cast(T.argmax(s), "float64") * T.arange(3), None, A, N),
    "products of vectors": lambda: scan(lambda row, s: s - 0.1 * (T.dot(row, s) - 1) * row, M, A)[-1],
    "elements at computed places": lambda: scan(lambda s: X[T.cast(s, "int64")], None, S, N)[-1],
    "rows at computed places": lambda: scan(lambda t, s: s + M[T.cast(t, "int64")], X, A),
    "a state that does not change": lambda: scan(lambda s, r: [s, r + s], None, [A, B], N)[1],
}
NOT_FIT = {
    "two axes": lambda: scan(lambda s: T.tanh(s), None, M, N)[-1],
    "products": lambda: scan(lambda s: T.tanh(T.dot(s, M)), None, A, N)[-1],
    "branches": lambda: scan(lambda s: ifelse(T.gt(s, 1), T.exp(s), s + 1), None, S, N)[-1],
    "elements that are set at computed places": lambda: scan(
        lambda s: T.set_subtensor(s[T.cast(s[0], "int64")], 1.0), None, A, N
    )[-1],
    "vectors of several lengths": lambda: scan(lambda s, r: [T.tanh(s), T.tanh(r) + T.sum(s)], None, [A, X], N)[1],
    "half precision": lambda: scan(lambda s: s * s, None, T.cast(S, "float16"), N)[-1],
}


@pytest.mark.parametrize("name", FIT)
def test_loops_of_short_rounds_have_a_kernel(name: str) -> None:
    for loop in loops(FIT[name]()):
        assert loop.kernel is not None
    for loop in loops(FIT[name](), tuning=REGISTERS.without("rounds_in_registers")):
        assert loop.kernel is None


@pytest.mark.parametrize("name", NOT_FIT)
def test_other_loops_stay_as_they_are(name: str) -> None:
    assert [loop.kernel for loop in loops(NOT_FIT[name]())] == [None]


def test_so_has_the_loop_of_a_gradient() -> None:
    means = series(X, [-2, -1])
    found = loops(*T.grad(T.sum(T.sqr(means - X)), [X]))
    assert len(found) > 1 and all(loop.kernel for loop in found)


def test_innermost_loops_have_one() -> None:
    def outer(s: Any) -> Any:
        return scan(lambda r: T.tanh(r + B), None, s, N)[-1]

    inner, around = sorted(loops(scan(outer, None, A, 3)[-1]), key=lambda loop: loop.kernel is None)
    assert inner.kernel is not None and around.kernel is None and inner in around.body


def test_plans_of_bodies_are_compiled_only_where_a_call_may_need_them() -> None:
    scalars, vectors = program([FIT["a scalar"]()]), program([FIT["powers"]()])
    for made, are_needed in ((scalars, False), (vectors, True)):
        (loop,) = (i for i in walk_program(made.code) if isinstance(i, p.For))
        assert loop.kernel is not None and bool(loop.kernel.when) == are_needed
        idle = idle_plans(made)
        assert loop.kernel.plan not in idle
        assert all((k in idle) != are_needed for i in loop.body if isinstance(i, p.Launch) for k in i.plans)
        required = {plan for i in made.code if isinstance(i, p.Require) for _, plan in i.choices}
        inside = {k for i in loop.body if isinstance(i, p.Launch) for k in i.plans}
        assert are_needed == inside.issubset(required) == (not inside.isdisjoint(required))


def test_a_program_says_which_kernel_a_loop_has() -> None:
    made = program([FIT["powers"]()])
    assert re.search(r"for i\d+ in range\(n\d+\), by plan\d+ if q\d+; w\d+ from", show(made))


def test_a_kernel_has_no_loads_and_stores_of_what_is_carried() -> None:
    (loop,) = loops(FIT["a scalar"]())
    made = program([FIT["a scalar"]()])
    (text,) = made.plans[loop.kernel.plan].kernels.texts if loop.kernel else ()
    inner = text[text.index("\nround:") : text.index("\nafter:")]
    assert inner.count(" load ") == 1 and " store " not in inner


def test_signals_are_looked_for_behind_some_rounds() -> None:
    text = emit_program(program([FIT["a scalar"]()]))
    t = Tuning.here().rounds
    assert f", {t.scalar_rounds}" in text and t.vector_rounds <= t.scalar_rounds


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "bool", "complex64"])
def test_nothing_outside_of_arrays_is_touched(dtype: str, ends: list[End]) -> None:
    rows, start = T.TensorType(dtype, (None, None))(), T.TensorType(dtype, (None,))()
    step = (lambda row, s: T.xor(s, row)) if dtype == "bool" else (lambda row, s: s * row + row)
    f = tensordsl.function([rows, start], scan(step, rows, start))
    for lanes in (0, 1, 3, 7, 16, 17, 33):
        x = np.arange(4 * lanes).reshape(4, lanes).astype(dtype)
        s, wanted = np.ones(lanes, dtype), []
        for row in x:
            s = s ^ row if dtype == "bool" else s * row + row
            wanted.append(s)
        for put in ("put", "put_first"):
            found = f(getattr(ends[0], put)(x), getattr(ends[1], put)(np.ones(lanes, dtype)))
            np.testing.assert_allclose(found, np.array(wanted), rtol=1e-6)


@pytest.mark.parametrize("rounds", [1, 2, 3, 5, 100])
def test_calls_of_few_rounds_each_do_the_same(rounds: int, fresh_code: pytest.MonkeyPatch) -> None:
    from tuned import tuned, use

    use(fresh_code, tuned(rounds={"scalar_rounds": rounds, "vector_rounds": rounds}))
    outputs = [FIT[name]() for name in FIT if name != "a complex state"]
    f = tensordsl.function([X, M, A, B, N, S], outputs, on_unused_input="ignore")
    use(fresh_code, tuned().without("rounds_in_registers"))
    g = tensordsl.function([X, M, A, B, N, S], outputs, on_unused_input="ignore")
    r = np.random.default_rng(0)
    for n in (4, 5, 9, 23):
        arguments = r.normal(size=n), r.normal(size=(n, 3)), r.normal(size=3), r.normal(size=3), n, 0.5
        for a, b in zip(f(*arguments), g(*arguments), strict=True):
            np.testing.assert_array_equal(a, b)


def test_vectors_of_many_chunks_stay_with_launches() -> None:
    def fits(lanes: int, step: Callable[..., Any]) -> bool:
        start = T.constant(np.linspace(0.0, 1.0, lanes))
        (loop,) = loops(scan(step, None, start, N)[-1])
        return loop.kernel is not None

    width = 2 * Tuning.here().machine.vector_bytes // 8
    for step in (lambda s: s * S + 1, lambda s: T.tanh(s * S)):
        assert fits(2, step) and fits(width, step)
    assert fits(4 * width, lambda s: s * S + 1) and not fits(100 * width, lambda s: s * S + 1)
    assert not fits(2 * width, lambda s: T.tanh(s * S))
