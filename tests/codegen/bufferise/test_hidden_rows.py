"""Rows of matrices that go through products and what is computed of these: some rows at a time, whatever the lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from layouts import LAYOUTS, check_layout
from tuned import tuned, use

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi import layouts as abi
from tensordsl.codegen.compiler import pipeline
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.target.tuning import Tuning

SMALL = tuned(
    blocking={
        "hidden_min_bytes": -1, "hidden_block_bytes": 300, "unit_rows": 2, "hidden_min_rows": 1, "hidden_max_blocks": 3,
        "hidden_max_packed_ratio": 1000, "max_parts": 3,
    }
)  # fmt: skip


@pytest.fixture(autouse=True)
def small_blocks(fresh_code: pytest.MonkeyPatch) -> None:
    """Two rows or three at a time, of whatever only a run reads."""
    use(fresh_code, SMALL)


X, W, V, Y = T.dmatrices("X", "W", "V", "Y")
w, r, I = T.dvector("w"), T.dvector("r"), T.lvector("I")
INPUTS = [X, W, V, Y, w, r, I]


def hidden() -> list[Any]:
    return [T.dot(T.tanh(T.dot(X, W)), V)]


def deep() -> list[Any]:
    first = T.maximum(T.dot(X, W) + w, 0)
    second = T.nnet.sigmoid(T.dot(first, W.T))
    return [T.nnet.softmax(T.dot(second, W))]


def attention() -> list[Any]:
    return [T.dot(T.nnet.softmax(T.dot(X, W) * 0.5), V)]


def kernel() -> list[Any]:
    """Values of the rows, and of the columns; a vector at the end."""
    distances = (X**2).sum(1)[:, None] + (W**2).sum(0) - 2 * T.dot(X, W)
    return [T.dot(T.exp(-0.1 * distances), w), T.exp(r)]


def nearest() -> list[Any]:
    distances = w - 2 * T.dot(X, W)
    return [distances.argmin(1), distances.min(1)]


def likelihood() -> list[Any]:
    logits = T.dot(X, W)
    return [T.logsumexp(logits, axis=1) - (logits * w).sum(1), -T.log(T.nnet.softmax(logits)).mean()]


def kept() -> list[Any]:
    """Some of it is wanted as a whole."""
    first = T.tanh(T.dot(X, W))
    return [T.dot(T.exp(-(T.dot(T.cos(first), V) ** 2)), T.dot(V.T, V)), first[1:]]


def turned() -> list[Any]:
    """Operands and results in other orders."""
    first = T.exp(-T.dot(X[::-1], W))
    return [T.dot(first, V).T * 2, T.dot(V.T, T.sin(T.dot(X, W)).T), T.dot(T.cos(T.dot(W.T, X.T)).T, V)]


def wanted_in_another_order() -> list[Any]:
    first = T.tanh(T.dot(X, W))
    return [first.T, first.sum(1), T.exp(T.dot(T.sin(T.dot(X, W)), V)).T]


def of_rows_at_indices() -> list[Any]:
    return [T.dot(T.tanh(T.dot(X, W) + Y[I]), V)]


def positions() -> list[Any]:
    """What depends on where a row stands is no part of a run."""
    first = T.dot(X, W)
    return [T.dot(T.switch(T.ge(T.arange(first.shape[0])[:, None], T.arange(first.shape[1])), first, 0), V)]


def of_itself() -> list[Any]:
    gram = T.dot(X, X.T)
    return [T.dot(T.exp(-gram), T.dot(X, W)), T.dot(T.tanh(T.dot(X, W)), T.tanh(T.dot(X, W)).T)]


def gradients() -> list[Any]:
    return list(T.grad((attention()[0] ** 2).sum() + hidden()[0].sum(), [X, W, V]))


RUNS: dict[str, Callable[[], list[Any]]] = {
    f.__name__: f
    for f in (
        *(hidden, deep, attention, kernel, nearest, likelihood, kept, turned, wanted_in_another_order),
        of_rows_at_indices,
    )
}
CASES = RUNS | {f.__name__: f for f in (positions, of_itself, gradients)}


def values(rows: int, k: int = 3, n: int = 4, columns: int = 2) -> list[Any]:
    random = np.random.default_rng(rows)
    matrices = (rows, k), (k, n), (n, columns), (rows + 1, n)
    given = [random.uniform(-1, 1, s) for s in (*matrices, (n,), (rows,))]
    return [*given, random.integers(0, rows + 1, rows)]


def function(outputs: list[Any], **options: Any) -> Any:
    return tensordsl.function(INPUTS, outputs, on_unused_input="ignore", **options)


def loops(outputs: list[Any], small: tuple[int, ...] = (), tuning: Tuning = SMALL) -> list[p.Blocks]:
    made = pipeline.make_program("f", INPUTS, [], outputs, [], False, small=small, tuning=tuning)[1]
    return [i for i in p.walk_program(made.code) if isinstance(i, p.Blocks)]


@pytest.mark.parametrize("name", CASES)
def test_every_number_of_rows_gives_what_the_reference_gives(name: str) -> None:
    outputs = CASES[name]()
    assert bool(loops(outputs)) or name not in RUNS
    f, want = function(outputs), function(outputs, mode="REFERENCE")
    for rows in (0, 1, 2, 3, 4, 7, 20):
        for lengths in ((3, 4, 2), (1, 1, 1), (20, 17, 33)):
            if name in ("nearest", "likelihood") and rows == 0:
                continue  # a mean, or an extremum, of nothing
            given = values(rows, *lengths)
            copies = [x.copy() for x in given]
            for got, expected in zip(f(*given), want(*given), strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)
            assert all((x == c).all() for x, c in zip(given, copies, strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_operands_of_any_strides_and_threads(name: str, layout: str) -> None:
    outputs = CASES[name]()
    check_layout(function(outputs), function(outputs, mode="REFERENCE"), layout, values(9))


def test_the_same_bits_as_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for a product with a vector, which a BLAS adds up in an order that depends on the number of rows.  Blocks have
    rows enough that their products are ours, as those of all rows are: a BLAS may add up in another order."""
    given = values(300, 20, 40, 10)
    own = tuned(SMALL, blocking={"unit_rows": 4})
    use(monkeypatch, own)
    for name in RUNS:
        blocks = function(RUNS[name]())(*given)
        with monkeypatch.context() as m:
            use(m, tuned(own, blocking={"hidden_max_row_bytes": -1}))
            for got, want in zip(function(RUNS[name]())(*given), blocks, strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-13 if name == "kernel" else 0, err_msg=name)


def test_what_only_the_steps_read_has_storage_of_some_rows() -> None:
    outputs = hidden()
    made = pipeline.make_program("f", INPUTS, [], outputs, [], False, tuning=SMALL)[1]
    (loop,) = (i for i in p.walk_program(made.code) if isinstance(i, p.Blocks))
    assert {type(i) for i in loop.body} >= {p.Gemm, p.Launch}


def test_rows_that_are_few_now_are_left_out_until_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    tuning = tuned(SMALL, blocking={"hidden_min_bytes": 1000})
    use(monkeypatch, tuning)
    outputs = attention()
    assert loops(outputs, (), tuning) and not loops(outputs, (abi.HIDDEN_ROWS,), tuning)
    f, want = function(outputs), function(outputs, mode="REFERENCE")
    for rows in (3, 0, 100, 2, 50):
        np.testing.assert_allclose(f(*values(rows))[0], want(*values(rows))[0], rtol=1e-9, atol=1e-11)


def test_lengths_that_are_known_to_be_few_make_no_blocks() -> None:
    tuning = tuned(SMALL, blocking={"hidden_min_bytes": 1 << 20})
    for rows, is_run in ((100, False), (100_000, True)):
        x = T.TensorType("float64", (rows, 3))("x")
        m = T.TensorType("float64", (3, 40))("m")
        made = pipeline.make_program("f", [x, m], [], [T.nnet.softmax(T.dot(x, m))], [], False, tuning=tuning)[1]
        assert any(isinstance(i, p.Blocks) for i in p.walk_program(made.code)) == is_run
    tuning = tuned(SMALL, blocking={"unit_rows": 32})
    for rows, is_run in ((1, False), (32, False), (33, True)):
        x = T.TensorType("float64", (rows, None))("x")
        made = pipeline.make_program("f", [x, W, V], [], [T.dot(T.tanh(T.dot(x, W)), V)], [], False, tuning=tuning)[1]
        assert any(isinstance(i, p.Blocks) for i in p.walk_program(made.code)) == is_run


def test_runs_of_as_many_bytes_of_which_one_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks would pack the other one's right operand again and again."""
    tuning = tuned(SMALL, blocking={"hidden_max_packed_ratio": 4})
    use(monkeypatch, tuning)
    M, wide = T.dmatrix("M"), T.concatenate([X] * 100, axis=1)
    outputs = [T.dot(T.tanh(T.dot(wide, M)), V), T.dot(T.tanh(T.dot(X, W)), V)]
    for some in (outputs, outputs[::-1]):
        made = pipeline.make_program("f", [X, M, W, V], [], some, [], False, tuning=tuning)[1]
        assert len({i.step for i in p.walk_program(made.code) if isinstance(i, p.Blocks)}) == 2
        f = tensordsl.function([X, M, W, V], some)
        want = tensordsl.function([X, M, W, V], some, mode="REFERENCE")
        for rows in (9, 40):
            x, m, v, *_ = values(rows)
            given = x, np.linspace(-1, 1, 1200).reshape(300, 4), m, v
            for got, expected in zip(f(*given), want(*given), strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)


def test_what_is_computed_point_by_point_stays_with_its_product() -> None:
    assert not loops([T.tanh(T.dot(X, W) + w)])


def test_an_index_out_of_range_fails_and_leaves_the_state() -> None:
    state = tensordsl.shared(np.ones((10, 4)))
    new = T.dot(T.tanh(T.dot(X, W) + state[I]), V)
    f = function([new], updates=[(state, state * 2)])
    *given, index = values(9)
    for threads in (1, 3):
        tensordsl.config.num_threads = threads
        before = state.get_value()
        with pytest.raises(IndexError):
            f(*given, index + 8)
        np.testing.assert_array_equal(state.get_value(), before)
        f(*given, index)
        np.testing.assert_array_equal(state.get_value(), 2 * before)


def test_lengths_that_differ_are_refused() -> None:
    f = function(kernel())
    x, m, v, y, some, rows, index = values(7)
    for wrong in ((x[:, :2], m, v, some), (x, m, v, some[:3]), (x, m[:2], v, some)):
        with pytest.raises(ValueError, match="mismatch|lengths|shape|dot"):
            f(*wrong[:3], y, wrong[3], rows, index)


def test_a_state_that_the_rows_read_is_updated_behind_them() -> None:
    state = tensordsl.shared(np.ones((4, 2)))
    out = T.dot(T.tanh(T.dot(X, W)), state)
    step = tensordsl.function([X, W], out, updates=[(state, state - 0.1 * T.dot(T.tanh(T.dot(X, W)).T, out))])
    x, m, *_ = values(7)
    want = np.ones((4, 2))
    for _ in range(3):
        first = np.tanh(x @ m)
        np.testing.assert_allclose(step(x, m), first @ want)
        want = want - 0.1 * first.T @ (first @ want)
        np.testing.assert_allclose(state.get_value(), want)


def test_float32_and_complex_values() -> None:
    for dtype, tolerance in (("float32", 1e-5), ("complex128", 1e-10)):
        x, m, v = (T.TensorType(dtype, (None, None))(n) for n in "xmv")
        f = tensordsl.function([x, m, v], T.dot(T.exp(T.dot(x, m)), v))
        for rows in (0, 1, 9, 40):
            a, b, c = (q.astype(dtype) for q in values(rows)[:3])
            np.testing.assert_allclose(f(a, b, c), np.exp(a @ b) @ c, rtol=tolerance)
