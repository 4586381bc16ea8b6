"""A function's program: what is written in place, what goes elsewhere first, and where storage is used again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tuned import of_width

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.bufferise.function import build_program
from tensordsl.codegen.compiler.pipeline import optimise_lowered
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.verify import EFFECTS, verify
from tensordsl.codegen.tensor_ir import extents
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.ifelse import ifelse

X, K, C = T.dvector("x"), T.lvector("k"), T.lscalar("c")
M, N = T.dmatrix("m"), T.dmatrix("n")


def program(inputs: list[Any], outputs: list[Any], updates: list[tuple[Any, Any]] = ()) -> p.Program:  # type: ignore[assignment]
    shared = [s for s, _ in updates]
    low = lower(inputs, shared, outputs, updates)
    optimise_lowered(low)
    made, _ = build_program("f", low, [v.type for v in inputs], [v.type for v in shared], False, of_width(32))
    verify(made)
    return made


def state(shape: tuple[int, ...] = (3,)) -> Any:
    return tensordsl.shared(np.arange(float(np.prod(shape))).reshape(shape))


def kinds(made: p.Program) -> list[str]:
    return [type(i).__name__ for i in p.walk_program(made.code)]


def copies(made: p.Program) -> int:
    return kinds(made).count("Copy") + sum(
        i.plan < len(made.plans) and made.plans[i.plan].name.startswith("copy")
        for i in p.walk_program(made.code) if isinstance(i, p.Launch)
    )  # fmt: skip


def in_place(made: p.Program) -> bool:
    """Whether some step writes where the new value of a shared variable is prepared (a copy does not count)."""
    prepared = {i.dst for i in made.code if isinstance(i, p.Prepare)}
    return any(isinstance(i, p.Launch) and prepared & set(i.writes) for i in p.walk_program(made.code)) and not copies(
        made
    )


def test_an_elementwise_update_is_computed_in_place() -> None:
    s = state()
    made = program([X], [], [(s, s + X)])
    assert (
        in_place(made)
        and kinds(made).count("Launch") == 1
        and not any(i.fresh for i in made.code if isinstance(i, p.Prepare))
    )


def test_updates_of_several_variables_are_each_in_place() -> None:
    s, t = state(), state()
    made = program([X], [], [(s, s * 0.9 + X), (t, t - (s * 0.9 + X))])
    assert kinds(made).count("Prepare") == 2 and kinds(made).count("Arena") == 0


@pytest.mark.parametrize(
    "new",
    [
        lambda s: s.T,
        lambda s: s[::-1],
        lambda s: T.dot(s, s),
        lambda s: s + s.T,
        lambda s: s - s[0],
        lambda s: (s * 2).T,
    ],
)
def test_what_reads_elsewhere_is_not_computed_in_place(new: Any) -> None:
    s = state((3, 3))
    before = s.get_value()
    made = program([], [], [(s, new(s))])
    assert not in_place(made) or any(i.fresh for i in made.code if isinstance(i, p.Prepare))
    tensordsl.function([], [], updates={s: new(s)})()
    x = T.dmatrix("x")
    np.testing.assert_allclose(s.get_value(), new(x).eval({x: before}))


def test_a_matrix_is_updated_in_place_sooner_than_a_vector() -> None:
    """The gradients of both come from one group: it runs before anything is destroyed, for the product to be made in
    the matrix, and the vector is copied."""
    w, bias = tensordsl.shared(np.ones((5, 3))), tensordsl.shared(np.zeros(3))
    out = T.tanh(T.dot(T.exp(M), w) + bias)
    by_w, by_bias = T.grad((out**2).sum(), [w, bias])
    made = program([M], [], [(w, w - 0.1 * by_w), (bias, bias - 0.1 * by_bias)])
    prepared = {i.dst: i.shared for i in made.code if isinstance(i, p.Prepare)}
    products = [prepared.get(i.c) for i in p.walk_program(made.code) if isinstance(i, p.Gemm)]
    assert products == [None, 0] and copies(made) == 2  # of w, where somebody holds it, and of the bias


def test_what_may_fail_comes_before_what_is_destroyed() -> None:
    s, t = state(), state()
    for updates in ([(s, s + 1), (t, t + X[K])], [(s, ifelse(C, s + X, s)), (t, t * 2)]):
        code = program([X, K, C], [], updates).code
        names = [type(i).__name__ for i in code]
        assert names.index("Commit") > max(k for k, i in enumerate(code) if i.may_fail)


def test_outputs_are_computed_in_their_own_arrays() -> None:
    made = program([X], [T.exp(X), T.exp(X) * 2])
    outs = {i.dst for i in made.code if isinstance(i, p.NewOut)}
    written = {w for i in made.code if isinstance(i, p.Launch) for w in i.writes}
    assert outs == written and "Arena" not in kinds(made)


@pytest.mark.parametrize(
    ("turned", "numpys"),
    [
        ((T.exp(M) + X).T, lambda m, x: (np.exp(m) + x).T),
        (T.einsum("ij,j->ij", M, X), lambda m, x: m * x),
        (T.einsum("i,jk->kji", X, M * 2), lambda m, x: np.einsum("i,jk->kji", x, m * 2)),
    ],
)
def test_a_result_with_axes_exchanged_is_computed_in_its_own_array(turned: Any, numpys: Any) -> None:
    made = program([M, X], [turned])
    assert kinds(made).count("Launch") == 1 and "Arena" not in kinds(made)
    f, m, x = tensordsl.function([M, X], turned), np.linspace(0, 1, 340).reshape(20, 17), np.arange(17.0)
    for given in (m, np.asfortranarray(m), m[::-1]):
        np.testing.assert_allclose(f(given, x), numpys(given, x))


@pytest.mark.parametrize("repeated", [T.tile(X, 3), T.repeat(X, 3)])
def test_what_is_arranged_for_a_reshape_is_made_in_the_output(repeated: Any) -> None:
    made = program([X], [repeated])
    outs = {i.dst for i in made.code if isinstance(i, p.NewOut)}
    assert outs & {w for i in made.code if isinstance(i, p.Launch) for w in i.writes}
    assert not {"Copy", "Arena"} & set(kinds(made))


def test_storage_of_what_is_no_longer_needed_is_used_again() -> None:
    m = T.dmatrix("m")
    value = m
    for _ in range(6):
        value = T.dot(value, m)
    made = program([m], [value])
    arena = next(i for i in made.code if isinstance(i, p.Arena))
    sizes = [size for _, size in arena.items]
    assert max(sizes.count(size) for size in sizes) <= 2 and len(set(sizes)) <= 3  # whole ones, of blocks, for packing


def test_branches_check_where_they_run() -> None:
    y = T.dvector("y")
    made = program([C, X, y], [ifelse(C, X + y, X)])
    (branch,) = [i for i in made.code if isinstance(i, p.If)]
    assert not any(isinstance(i, p.Check) for i in made.code)
    assert [isinstance(i, p.Check) for i in branch.then].count(True) == 1
    assert not any(isinstance(i, p.Check) for i in branch.orelse)


def test_checks_of_what_always_runs_come_first() -> None:
    y = T.dvector("y")
    names = kinds(program([X, y], [T.exp(X + y)]))
    assert names.index("Check") < names.index("NewOut") < names.index("Launch")


@pytest.mark.parametrize("is_sliced", [False, True])
def test_a_join_takes_work_linear_in_its_parts(is_sliced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terms = 0

    def counted(given: Any) -> Any:
        nonlocal terms
        given = tuple(given)
        terms += len(given)
        return normal(given)

    normal = extents._normal
    monkeypatch.setattr(extents, "_normal", counted)

    def work(parts: int) -> tuple[int, int]:
        nonlocal terms
        terms, inputs = 0, [T.dvector(f"x{k}") for k in range(parts)]
        stops = [T.lscalar(f"k{k}") for k in range(parts)] if is_sliced else []
        operands = [x[:k] for x, k in zip(inputs, stops, strict=False)] or inputs
        made = program([*inputs, *stops], [T.concatenate(operands)])
        return len(list(p.walk_program(made.code))), terms

    (few, few_terms), (many, many_terms) = work(100), work(200)
    assert many <= 2.05 * few and many_terms <= 2.3 * few_terms


def test_a_long_sum_of_lengths_is_right_wherever_it_goes_on_from() -> None:
    inputs = [T.dvector(f"x{k}") for k in range(7)]
    f = tensordsl.function(inputs, [T.concatenate(inputs), T.concatenate(inputs[1:]), T.concatenate(inputs[::-1])])
    values = [np.arange(k + 1.0) for k in range(7)]
    wanted = (np.concatenate(values), np.concatenate(values[1:]), np.concatenate(values[::-1]))
    for got, want in zip(f(*values), wanted, strict=True):
        np.testing.assert_array_equal(got, want)


STATIC, SHORT = T.TensorType("float64", (300, 200))("static"), T.TensorType("float64", (8,))("short")


@pytest.mark.parametrize(
    ("outputs", "releases"),
    [
        ([M.sum(axis=0)], True),  # two schedules
        ([T.nnet.softmax(M * 2), T.exp(M).sum(axis=1)], True),
        ([ifelse(C, T.exp(M + N), T.sin(M))], True),
        ([ifelse(C, T.exp(M).sum(axis=0), M[0])], True),
        ([T.exp(STATIC)], True),
        ([ifelse(C, T.exp(STATIC), T.tanh(STATIC) + 1)], True),
        ([T.exp(SHORT)], False),
        ([ifelse(C, T.exp(SHORT), T.tanh(SHORT) + 1)], False),
    ],
)
def test_long_calls_release_the_gil(outputs: list[Any], releases: bool) -> None:
    names = kinds(program([C, M, N, STATIC, SHORT], outputs))
    assert [n in names for n in ("Pin", "ReleaseGil", "AcquireGil")] == [releases] * 3


def test_what_walks_different_axes_is_estimated_as_a_sum() -> None:
    """As a product, the work of sums over rows of several large matrices would not fit 63 bits."""
    a, b, c = (np.broadcast_to(1.0, (1, 10**7 + k)) for k in range(3))
    xs = [T.dmatrix() for _ in range(3)]
    s = tensordsl.shared(np.zeros(1))
    f = tensordsl.function(xs, s + sum(x.sum(axis=1) for x in xs))
    np.testing.assert_array_equal(f(a, b, c), [3 * 10**7 + 3])


def test_nothing_is_compared_twice_or_in_vain() -> None:
    x, w, v = T.dmatrix(), T.dmatrix(), T.dvector()
    hidden = T.nnet.sigmoid(T.dot(x, w))
    made = program([x, w, v], [T.dot(x.T, hidden), T.dot(T.dot(hidden, w.T).T, x), hidden.sum(axis=1), T.dot(v, x)])
    compares = [(i.op, i.a, i.b) for i in made.code if isinstance(i, p.Compare)]  # branches compare for themselves
    used = {name for i in p.walk_program(made.code) for name in EFFECTS[type(i)].ints(i)}
    assert len(compares) == len(set(compares)) > 4
    assert all(i.dst in used for i in p.walk_program(made.code) if isinstance(i, p.Compare))


def test_the_work_of_branches_is_that_of_the_longer() -> None:
    made = program([C, M, N], [ifelse(C, T.exp(M).sum(), T.tanh(N).sum())])
    (pin,) = [i for i in made.code if isinstance(i, p.Pin)]
    works = [i for i in made.code if isinstance(i, p.Arith) and i.op == "max"]
    assert pin.work and len(works) == 1
