"""A product, what reads its rows, and products that sum over them: in blocks of rows, whatever the lengths."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hand_programs import build, kernels_of
from tuned import tuned, use

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi.layouts import USUAL_LENGTHS
from tensordsl.codegen.compiler import pipeline
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.printer import show
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.runtime.interpreter import runner

ROWS = 4
LENGTHS = (0, 1, 3, 4, 5, 7, 8, 9, 21)


SMALL = tuned(
    blocking={
        "reread_min_bytes": 0, "block_bytes": 0, "min_block_rows": ROWS, "min_blocks_per_part": 2,
        "min_rows_per_column": 0,
    }
)  # fmt: skip


@pytest.fixture(autouse=True)
def small_blocks(fresh_code: pytest.MonkeyPatch) -> None:
    """Blocks of ROWS rows for every matrix that is not empty."""
    use(fresh_code, SMALL)


# -- functions -----------------------------------------------------------------------------------------------------------
def symbols(dtype: str) -> dict[str, Any]:
    return {
        "X": T.matrix("X", dtype), "y": T.vector("y", dtype), "w": T.vector("w", dtype), "W": T.matrix("W", dtype),
        "b": T.vector("b", dtype), "t": T.ivector("t"),
    }  # fmt: skip


def logistic(X: Any, y: Any, w: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    chance = T.nnet.sigmoid(T.dot(X, w))
    cost = -(y * T.log(chance) + (1 - y) * T.log(1 - chance)).mean()
    return [X, y, w], [cost, T.grad(cost, w)]


def least_squares(X: Any, y: Any, w: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    return [X, y, w], [T.dot(X.T, T.dot(X, w) - y)]


def by_columns(X: Any, y: Any, w: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    return [X, y, w], [T.dot(X.T, T.tanh(T.dot(w, X.T)) - y), (T.dot(w, X.T) ** 2).sum()]


def softmax(X: Any, W: Any, b: Any, t: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(T.dot(X, W) + b), t).mean()
    return [X, W, b, t], [cost, *T.grad(cost, [W, b])]


def columns_of_samples(X: Any, W: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    scores = T.dot(W.T, X.T)
    cost = T.log(T.exp(scores).sum(0)).sum()
    return [X, W], [cost, T.grad(cost, W)]


def hessian_times_vector(X: Any, w: Any, y: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    return [X, w, y], [T.dot(X.T, y * T.dot(X, w)) + 0.1 * w]


def no_group(X: Any, w: Any, W: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    return [X, w, W], [T.dot(X.T, T.dot(X, w)), T.dot(X.T, T.dot(X, W))]


def all_wanted(X: Any, y: Any, w: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    product = T.dot(X, w)
    rest = product - y
    return [X, y, w], [product, rest, rest**2, T.dot(X.T, rest), product.max(), rest.sum()]


def turned(X: Any, W: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    rest = T.tanh(T.dot(X, W))
    return [X, W], [T.dot(rest.T, X), T.dot(X.T, rest)]


def two_sums(X: Any, y: Any, w: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    product = T.dot(X, w)
    return [X, y, w], [T.dot(X.T, T.exp(-(product**2))), T.dot(product * y, X)]


def factors(X: Any, y: Any, w: Any, b: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    rest = 3 * T.dot(X, w) - y
    return [X, y, w, b], [-2.5 * T.dot(X.T, rest), -T.dot(X.T, rest**2), b[0] * T.dot(X.T, T.sin(rest)) - 0.5 * w]


def by_position(X: Any, w: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    """What depends on where the row stands is no chain."""
    return [X, w], [T.dot(X.T, T.dot(X, w) * T.arange(X.shape[0]))]


def normalised(X: Any, w: Any, **_: Any) -> tuple[list[Any], list[Any]]:
    """What needs a sum over all rows before is none either."""
    product = T.dot(X, w)
    return [X, w], [T.dot(X.T, product / (1 + (product**2).sum()))]


CHAINS: dict[str, Callable[..., tuple[list[Any], list[Any]]]] = {
    f.__name__: f
    for f in (
        logistic, least_squares, by_columns, softmax, columns_of_samples, hessian_times_vector, no_group, all_wanted,
        turned, two_sums, factors,
    )
}  # fmt: skip
NONE = {f.__name__: f for f in (by_position, normalised)}


def values(dtype: str, rows: int, names: list[str], columns: int = 3, classes: int = 2) -> list[Any]:
    random = np.random.default_rng(rows)
    shapes = {"X": (rows, columns), "y": (rows,), "w": (columns,), "W": (columns, classes), "b": (classes,)}
    made = {n: random.uniform(0.1, 1, s).astype(dtype) for n, s in shapes.items()}
    made["t"] = random.integers(0, classes, rows).astype("int32")
    return [made[n] for n in names]


def program(
    inputs: list[Any], outputs: list[Any], shared: Any = (), updates: Any = (), tuning: Tuning = SMALL
) -> p.Program:
    made = pipeline.make_program("f", inputs, shared, outputs, updates, False, small=(USUAL_LENGTHS,), tuning=tuning)
    return made[1]


def loops(made: p.Program) -> list[p.Blocks]:
    """Those around products; others add up the sums of parts."""
    found = [i for i in p.walk_program(made.code) if isinstance(i, p.Blocks)]
    return [i for i in found if any(isinstance(x, p.Gemm) for x in p.walk_program(i.body))]


def agree(got: Any, want: Any, dtype: str) -> None:
    rtol = 1e-12 if dtype == "float64" else 2e-5
    for a, b in zip(got, want, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


# -- results -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", [*CHAINS, *NONE])
def test_every_length_around_a_block_gives_what_the_reference_gives(name: str, dtype: str) -> None:
    inputs, outputs = {**CHAINS, **NONE}[name](**symbols(dtype))
    assert len(loops(program(inputs, outputs))) == {"no_group": 2, **dict.fromkeys(NONE, 0)}.get(name, 1)
    f, want = tensordsl.function(inputs, outputs), tensordsl.function(inputs, outputs, mode="REFERENCE")
    for rows in LENGTHS:
        if rows or name not in ("logistic", "softmax", "all_wanted"):  # the mean and the maximum of nothing
            given = values(dtype, rows, [v.name for v in inputs])
            agree(f(*given), want(*given), dtype)


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "Fortran order": np.asfortranarray,
    "every second": lambda m: np.repeat(np.repeat(m, 2, 0), 2, 1)[::2, ::2] if m.ndim == 2 else np.repeat(m, 2)[::2],
    "backwards": lambda m: m[::-1, ::-1].copy()[::-1, ::-1] if m.ndim == 2 else m[::-1].copy()[::-1],
    "one row for all": lambda m: np.broadcast_to(m[:1], m.shape),
    "one column for all": lambda m: np.broadcast_to(m[:, :1], m.shape) if m.ndim == 2 else m,
    "rows apart": lambda m: np.concatenate([m, m], -1)[..., : m.shape[-1]],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CHAINS)
def test_operands_of_any_strides(name: str, layout: str) -> None:
    inputs, outputs = CHAINS[name](**symbols("float64"))
    f, want = tensordsl.function(inputs, outputs), tensordsl.function(inputs, outputs, mode="REFERENCE")
    for rows, columns, classes in ((9, 3, 2), (9, 1, 1), (2, 5, 1), (1, 1, 2)):
        given = [LAYOUTS[layout](m) for m in values("float64", rows, [v.name for v in inputs], columns, classes)]
        copies = [m.copy() for m in given]
        agree(f(*given), want(*copies), "float64")
        assert all((m == c).all() for m, c in zip(given, copies, strict=True))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_stays_in_its_row_and_reaches_the_sums(bad: float) -> None:
    inputs, outputs = all_wanted(**symbols("float64"))
    f, want = tensordsl.function(inputs, outputs), tensordsl.function(inputs, outputs, mode="REFERENCE")
    for row in (0, 3, 4, 8):
        given = values("float64", 9, ["X", "y", "w"])
        given[0][row, 1] = bad
        agree(f(*given), want(*given), "float64")


def test_rows_that_cancel_across_blocks_do_not_overflow() -> None:
    inputs, outputs = [*(symbols("float64")[n] for n in "Xw")], []
    X, w = inputs
    outputs = [1e200 * T.dot(X.T, T.dot(X, w))]
    x = np.array([[1e60], [1e60], [1e60], [1e60], [-1e60], [1.0]])
    with np.errstate(all="ignore"):
        got = tensordsl.function(inputs, outputs)(x, np.array([1e-30]))[0]
    np.testing.assert_allclose(got, 5e290 * np.ones(1))


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    def set_number(number: int) -> None:
        tensordsl.config.num_threads = number

    yield set_number
    set_number(1)


@pytest.mark.parametrize("name", CHAINS)
def test_results_do_not_depend_on_the_number_of_threads(name: str, set_threads: Callable[[int], None]) -> None:
    inputs, outputs = CHAINS[name](**symbols("float64"))
    f, want = tensordsl.function(inputs, outputs), tensordsl.function(inputs, outputs, mode="REFERENCE")
    given = [np.asfortranarray(m) for m in values("float64", 4001, [v.name for v in inputs], 20, 5)]
    first = f(*given)
    for got, expected in zip(first, want(*given), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9)
    for threads in (2, 3, 2):
        set_threads(threads)
        for _ in range(3):
            assert all((a == b).all() for a, b in zip(f(*given), first, strict=True))


def test_an_index_out_of_range_in_several_parts_fails_the_call(set_threads: Callable[[int], None]) -> None:
    X, w, table, t = T.dmatrix("X"), T.dvector("w"), T.dvector("table"), T.lvector("t")
    inputs, outputs = [X, w, table, t], [T.dot(X.T, T.dot(X, w) * table[t])]
    assert len(loops(program(inputs, outputs))) == 1
    f = tensordsl.function(inputs, outputs)
    x, a, places = np.ones((500, 3)), np.ones(3), np.arange(500) % 4
    for threads in (1, 3):
        set_threads(threads)
        for wrong in ((0,), (499,), (3, 250, 400), range(500)):
            bad = places.copy()
            bad[list(wrong)] = 4
            with pytest.raises(IndexError, match="out of bounds"):
                f(x, a, np.ones(4), bad)
            np.testing.assert_array_equal(f(x, a, np.ones(4), places), [np.full(3, 1500.0)])
        with pytest.raises(IndexError):
            f(x, a, np.ones(0), places)


# -- state ---------------------------------------------------------------------------------------------------------------
def descent(kind: str, dtype: str = "float64") -> tuple[list[Any], Any, list[Any], Callable[..., Any]]:
    """(inputs, cost, updates, the new state by NumPy)"""
    X, y, rate = T.matrix("X", dtype), T.vector("y", dtype), T.scalar("rate", dtype)
    w, c = tensordsl.shared(np.linspace(0.1, 1, 3).astype(dtype), "w"), tensordsl.shared(np.zeros((), dtype), "c")
    v = tensordsl.shared(np.ones(3, dtype), "v")
    rest = T.dot(X, w) + c - y
    step, up = T.dot(X.T, rest), rest.mean()
    updates = {
        "constant rate": [(w, w - 0.1 * step), (c, c - 0.1 * up)],
        "given rate": [(w, w - rate * step), (c, c - rate * up)],
        "momentum": [(v, 0.9 * v - rate * step), (w, w + 0.9 * v - rate * step)],
        "decay": [(w, rate * w - 0.5 * step), (c, rate * c)],
        "decay and rate": [(w, rate * w - rate * step), (v, v * rate + step)],
        "whole": [(w, step), (c, up)],
        "of another": [(v, v + 0.5 * step)],
    }[kind]

    def new(x: Any, y: Any, rate: Any, w: Any, c: Any, v: Any) -> dict[str, Any]:
        rest = x @ w + c - y
        step, up = x.T @ rest, rest.mean()
        return {
            "constant rate": {"w": w - 0.1 * step, "c": c - 0.1 * up},
            "given rate": {"w": w - rate * step, "c": c - rate * up},
            "momentum": {"v": 0.9 * v - rate * step, "w": w + 0.9 * v - rate * step},
            "decay": {"w": rate * w - 0.5 * step, "c": rate * c},
            "decay and rate": {"w": rate * w - rate * step, "v": v * rate + step},
            "whole": {"w": step, "c": up},
            "of another": {"v": v + 0.5 * step},
        }[kind]

    return [X, y, rate], (rest**2).mean(), [w, c, v, updates], new


KINDS = ("constant rate", "given rate", "momentum", "decay", "decay and rate", "whole", "of another")


@pytest.mark.parametrize("hold", [False, True], ids=["unshared", "held"])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_of_gradient_descent(kind: str, hold: bool) -> None:
    inputs, cost, (w, c, v, updates), new = descent(kind)
    made = program(inputs, [cost], [w, c, v], updates)
    assert len(loops(made)) == 1, show(made)
    f = tensordsl.function(inputs, cost, updates=updates, on_unused_input="ignore")
    state = {"w": w, "c": c, "v": v}
    for rows in (1, 4, 9, 4, 13):
        given = values("float64", rows, ["X", "y"])
        old = {n: s.get_value() for n, s in state.items()}
        held = [s.get_value(borrow=True) for s in state.values()] if hold else []
        before = [h.copy() for h in held]
        want = old | new(*given, 0.01, **old)
        got = f(*given, 0.01)
        np.testing.assert_allclose(got, ((given[0] @ old["w"] + old["c"] - given[1]) ** 2).mean())
        for n, s in state.items():
            np.testing.assert_allclose(s.get_value(), want[n], rtol=1e-12)
        assert all((a == b).all() for a, b in zip(held, before, strict=True))


def test_data_that_is_shared_and_slices_of_it() -> None:
    X, y, w = tensordsl.shared(np.ones((9, 3)), "X"), T.dvector("y"), T.dvector("w")
    for data in (X, X[1:8], X[::2]):
        rest = T.dot(data, w) - y
        f = tensordsl.function([y, w], T.dot(data.T, rest))
        x = data.eval()
        b, a = np.linspace(0, 1, len(x)), np.linspace(-1, 1, 3)
        np.testing.assert_allclose(f(b, a), x.T @ (x @ a - b))


def test_an_index_out_of_range_leaves_the_state() -> None:
    s = symbols("float64")
    W = tensordsl.shared(np.ones((3, 2)), "W")
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(T.dot(s["X"], W)), s["t"]).mean()
    f = tensordsl.function([s["X"], s["t"]], cost, updates=[(W, W - 0.1 * T.grad(cost, W))])
    x, t = values("float64", 11, ["X", "t"])
    f(x, t)
    old = W.get_value()
    for row in (0, 4, 10):
        wrong = t.copy()
        wrong[row] = 2
        with pytest.raises(IndexError):
            f(x, wrong)
        assert (W.get_value() == old).all()
    f(x, t)
    assert (W.get_value() != old).any()


def test_lengths_that_differ_are_refused() -> None:
    inputs, outputs = logistic(**symbols("float64"))
    f = tensordsl.function(inputs, outputs)
    x, y, w = values("float64", 9, ["X", "y", "w"])
    for wrong in ((x, y[:8], w), (x, y, w[:2])):
        with pytest.raises(ValueError, match="mismatch|lengths|shape"):
            f(*wrong)


def test_threads_that_step_at_once_lose_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    X, w = T.dmatrix("X"), tensordsl.shared(np.zeros(50))
    f = tensordsl.function([X], updates=[(w, w + T.dot(X.T, 0 * T.dot(X, w) + 1))])
    x = np.ones((3000, 50))
    threads = [threading.Thread(target=lambda: [f(x) for _ in range(20)]) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    np.testing.assert_array_equal(w.get_value(), np.full(50, 60 * 3000.0))


# -- the program ---------------------------------------------------------------------------------------------------------
def runs(made: p.Program, args: list[Any], state: list[Any]) -> tuple[list[Any], list[Any], list[str]]:
    """What the plan runner makes of a program with its own kernels: outputs, state, and the names of what it ran."""
    executable = build(made)
    code = executable.load()
    kernels = kernels_of(made, executable)
    storages, log = [runner.Storage(a) for a in state], []
    got = runner.run(made, args, storages, kernels, log=log)
    assert code is not None  # it must live as long
    return got, [s.array for s in storages], [type(i).__name__ for i, _ in log]


@pytest.mark.parametrize("name", CHAINS)
def test_the_plan_runner_agrees_and_finds_no_unwritten_memory(name: str) -> None:
    inputs, outputs = CHAINS[name](**symbols("float64"))
    made = program(inputs, outputs)
    want = tensordsl.function(inputs, outputs, mode="REFERENCE")
    tensordsl.function(inputs, outputs)  # the run time is there
    for rows in (1, 4, 9):
        given = values("float64", rows, [v.name for v in inputs])
        got, _, log = runs(made, given, [])
        agree(got, want(*given), "float64")
        assert log.count("Blocks") >= len(loops(made)) and log.count("Gemm") >= 2 * -(-rows // ROWS)


def test_a_product_that_nobody_else_reads_has_storage_of_one_block_of_each_part() -> None:
    inputs, outputs = least_squares(**symbols("float64"))
    f = tensordsl.function(inputs, outputs)
    rows = [s for s in f.memory_map() if s.kind == "arena" and "blas_threads" in s.bytes]
    x = np.ones((1000, 3))
    sizes = [eval(s.bytes, {"X": x, "w": x[0], "blas_threads": 2, "min": min, "max": max}) for s in rows]
    assert sizes[:2] == [8 * ROWS * 32] * 2


def test_lengths_that_are_known_and_small_make_no_blocks() -> None:
    tuning = tuned(SMALL, blocking={"reread_min_bytes": 1 << 20})
    for shape, is_chain in (((100, 5), False), ((100_000, 5), True), ((1000, 50_000), False)):
        X = T.TensorType("float64", shape)("X")
        made = program([X, (w := T.dvector("w"))], [T.dot(X.T, T.dot(X, w))], tuning=tuning)
        assert bool(loops(made)) == is_chain


def test_no_chain_for_a_matrix_that_is_computed() -> None:
    X, w = T.dmatrix("X"), T.dvector("w")
    assert not loops(program([X, w], [T.dot(T.exp(X).T, T.tanh(T.dot(T.exp(X), w)))]))


def test_several_chains_in_one_function() -> None:
    s, u = symbols("float64"), T.dmatrix("U")
    first, second = (T.dot(m.T, T.tanh(T.dot(m, s["w"]))) for m in (s["X"], u))
    made = program([s["X"], u, s["w"]], [first + second])
    assert len(loops(made)) == 2
    f = tensordsl.function([s["X"], u, s["w"]], first + second)
    for m, n in itertools.product((1, 5, 8), (0, 4, 9)):
        x, y, w = (np.linspace(-1, 1, k).reshape(shape) for k, shape in ((3 * m, (m, 3)), (3 * n, (n, 3)), (3, (3,))))
        np.testing.assert_allclose(f(x, y, w), x.T @ np.tanh(x @ w) + y.T @ np.tanh(y @ w), atol=1e-14)


def test_a_product_that_one_chain_computes_begins_no_other() -> None:
    X, W = T.dmatrix("X"), T.dmatrix("W")
    v = X
    for _ in range(3):
        v = T.tanh(T.dot(T.tanh(T.dot(v, W)), W.T))
    f = tensordsl.function([X, W], v)
    for rows, hidden in itertools.product((1, 5), (1, 4, 9)):
        x, w = (np.linspace(-1, 1, k * 3).reshape(shape) for k, shape in ((rows, (rows, 3)), (hidden, (3, hidden))))
        want = x
        for _ in range(3):
            want = np.tanh(np.tanh(want @ w) @ w.T)
        np.testing.assert_allclose(f(x, w), want, atol=1e-14)


def test_a_product_of_which_only_a_sum_is_wanted_beside_the_second_product() -> None:
    X, W = T.dmatrix("X"), T.dmatrix("W")
    product = T.dot(X, W)
    f = tensordsl.function([X, W], [product.min(axis=0), T.dot(X.T, product)])
    for rows in LENGTHS[1:]:
        x, w = np.linspace(-1, 1, 3 * rows).reshape(rows, 3), np.linspace(-1, 2, 6).reshape(3, 2)
        agree(f(x, w), [(x @ w).min(axis=0), x.T @ (x @ w)], "float64")


@pytest.mark.parametrize("scale", [1, 0.5])
def test_a_product_of_which_a_sum_and_the_transpose_are_wanted_beside_another_product(scale: float) -> None:
    X, W, z = T.dmatrix("X"), T.dmatrix("W"), T.dvector("z")
    turned = (T.dot(X, W) * scale).T
    f = tensordsl.function([X, W, z], [turned.sum(), T.dot(z, X), turned])
    for rows in LENGTHS[1:]:
        x, w = np.linspace(-1, 1, 3 * rows).reshape(rows, 3), np.linspace(-1, 2, 6).reshape(3, 2)
        z_ = np.linspace(0, 1, rows)
        agree(f(x, w, z_), [(x @ w * scale).sum(), z_ @ x, (x @ w * scale).T], "float64")


# -- what nobody thought of ----------------------------------------------------------------------------------------------
def drawn(seed: int) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """(inputs, outputs, shared variables, updates) of a random model of the rows of X."""
    r = random.Random(seed)
    s = symbols("float64")
    X, y, b = s["X"], s["y"], s["b"]
    is_wide, is_turned = r.random() < 0.5, r.random() < 0.3
    weights = tensordsl.shared(np.linspace(-1, 1, 6).reshape(3, 2) if is_wide else np.linspace(-1, 1, 3), "weights")
    product = T.dot(weights.T, X.T).T if is_turned else T.dot(X, weights)
    column = y[:, None] if is_wide else y

    def point(depth: int) -> Any:
        if depth == 0:
            return r.choice([product, product, column, b if is_wide else b[0]])
        f = r.choice(["tanh", "exp", "add", "mul", "sub", "softmax", "max", "sum", "switch"])
        if f in ("tanh", "exp"):
            return getattr(T, f)(-abs(point(depth - 1)) if f == "exp" else point(depth - 1))
        if f in ("softmax", "max", "sum") and is_wide:
            x = point(depth - 1) + product
            return T.nnet.softmax(x) if f == "softmax" else getattr(T, f)(x, axis=1, keepdims=True) + product * 0.5
        x, z = point(depth - 1), point(depth - 1)
        return T.switch(x > z, x, product) if f == "switch" else x - z if f == "sub" else x * z if f == "mul" else x + z

    rows = [product + point(r.randrange(1, 4)) for _ in range(2)]
    sums = [T.dot(X.T, g) if r.random() < 0.6 else T.dot(g.T, X).T for g in rows]
    outputs = [r.choice([sums[0], -sums[0], 0.3 * sums[0], sums[0] + weights]), (rows[0] ** 2).mean()]
    if r.random() < 0.5:
        outputs.append(
            r.choice([rows[0].sum(0), rows[1].max(), rows[0], product, rows[1].var(0), (rows[0] * rows[1]).T])
        )
    if r.random() < 0.5:
        cost = (rows[1] ** 2).mean()
        outputs.append(T.grad(cost, weights))
    updates = [(weights, r.choice([weights - 0.01 * sums[1], sums[1], 0.5 * weights + sums[1]]))] * (r.random() < 0.5)
    return [X, y, b], outputs, [weights], updates


@pytest.mark.parametrize("seed", range(40))
def test_random_models(seed: int) -> None:
    inputs, outputs, (weights,), updates = drawn(seed)
    options: Any = {"updates": updates, "on_unused_input": "ignore"}
    f = tensordsl.function(inputs, outputs, **options)
    want = tensordsl.function(inputs, outputs, mode="REFERENCE", **options)
    start = weights.get_value()
    for rows in (1, 3, 4, 5, 8, 13):
        given = values("float64", rows, ["X", "y", "b"])
        results = []
        for function in (f, want):
            weights.set_value(start)
            results.append([*function(*given), weights.get_value()])
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
