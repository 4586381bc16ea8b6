"""The pass list and its driver: order, verification, failures, golden IR, and equal results without each pass."""

from __future__ import annotations

import gc
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import GOLDEN
from hypothesis import given, settings
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler import pipeline
from tensordsl.codegen.compiler.optimisations import ROWS
from tensordsl.codegen.compiler.pipeline import FINISH, MUST_PRECEDE, PIPELINE, Pass, PassError, chosen_passes, optimise
from tensordsl.codegen.host.emitter import emit_program
from tensordsl.codegen.tensor_ir.graph import Graph, Value, show, toposort
from tensordsl.codegen.tensor_ir.lower import Lowered, lower
from tensordsl.codegen.tensor_ir.verify import InvalidIR, verify_ir
from tensordsl.modes import FAST_COMPILE, FAST_RUN
from tensordsl.ops.control import loop_index, make_loop, parameter_like
from tensordsl.reference import evaluate

IR = GOLDEN / "ir"
OPTIONAL = [*(p.name for p in PIPELINE if not p.required), *(f.name for f in FINISH)]

BELOW = [row.name for row in ROWS.values() if row.level != "library"]


def optimised(
    inputs: Sequence[Any], outputs: Sequence[Any], passes: Sequence[Pass] = PIPELINE
) -> tuple[Lowered, list[Value]]:
    lowered = lower(inputs, [], outputs, [])
    return lowered, optimise(lowered.graph, lowered.outputs, passes)


def ops_of(roots: Sequence[Value]) -> list[str]:
    return sorted(v.attrs["row"].name if v.op == "map" else v.op for v in toposort(roots))


# -- the list ----------------------------------------------------------------------------------------------------------
def test_the_order_of_passes_is_as_declared() -> None:
    position = {p.name: k for k, p in enumerate(PIPELINE)}
    for earlier, later in MUST_PRECEDE:
        assert position[earlier] < position[later], (earlier, later)


def test_every_pass_has_a_reason_and_a_docstring() -> None:
    every = *PIPELINE, *FINISH
    assert len({p.name for p in every}) == len(every)
    for p in every:
        assert p.reason and p.run.__doc__


def test_modes_choose_passes() -> None:
    assert chosen_passes() == chosen_passes(FAST_RUN) == PIPELINE
    assert [p.name for p in chosen_passes(FAST_COMPILE)] == ["canonicalise"]
    assert "fold_constants" not in [p.name for p in chosen_passes(FAST_RUN.excluding("fold_constants", "canonicalise"))]
    assert [p.name for p in chosen_passes(FAST_RUN.excluding("canonicalise"))][0] == "canonicalise"
    assert [p.name for p in chosen_passes(FAST_COMPILE.including("stabilise"))] == ["canonicalise", "stabilise"]


# -- golden IR ---------------------------------------------------------------------------------------------------------
def softmax() -> tuple[list[Any], list[Any]]:
    x = T.dmatrix("x")
    return [x], [T.log(T.nnet.softmax(x))]


def log_sum_exp() -> tuple[list[Any], list[Any]]:
    x = T.fmatrix("x")
    return [x], [T.log(T.exp(x).sum(axis=1, keepdims=True))]


def square_loss() -> tuple[list[Any], list[Any]]:
    x, w, y = T.dmatrix("x"), T.dvector("w"), T.dvector("y")
    loss = ((T.dot(x, w) - y) ** 2).mean()
    return [x, w, y], [loss, T.grad(loss, w)]


def equal_lengths() -> tuple[list[Any], list[Any]]:
    x, y = T.dvectors("x", "y")
    return [x, y], [T.exp(y) * 2, (x + y) * T.exp(y)]


def slice_of_product() -> tuple[list[Any], list[Any]]:
    x, y = T.dmatrix("x"), T.dvector("y")
    return [x, y], [T.exp(x * y).T[0]]


def total_with_rows() -> tuple[list[Any], list[Any]]:
    x, y = T.dmatrix("x"), T.dcol("y")
    return [x, y], [((x - y) ** 2).sum(), (x - y).sum(axis=1)]


def sums_of_sums() -> tuple[list[Any], list[Any]]:
    x = T.tensor3("x", dtype="float32")
    return [x], [x.sum(axis=1, keepdims=True).sum(axis=(0, 1)), x.max(axis=0).max(axis=1)]


def logistic() -> tuple[list[Any], list[Any]]:
    x, y = T.dvectors("x", "y")
    p = 1 / (1 + T.exp(-x))
    return [x, y], [-(y * T.log(p) + (1 - y) * T.log(1 - p)).sum()]


def constants() -> tuple[list[Any], list[Any]]:
    x = T.dvector("x")
    return [x], [x ** (T.constant(3) - 1) + T.cast(T.cast(T.cast(x, "float64") * 1, "float64"), "float64") * 0.5]


PROGRAMS: dict[str, Callable[[], tuple[list[Any], list[Any]]]] = {
    f.__name__: f
    for f in (
        softmax,
        log_sum_exp,
        square_loss,
        equal_lengths,
        slice_of_product,
        sums_of_sums,
        total_with_rows,
        logistic,
        constants,
    )
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_golden_ir(name: str) -> None:
    """To accept new IR, delete the file and run the test: it writes what it misses, and fails once."""
    inputs, outputs = PROGRAMS[name]()
    lowered = lower(inputs, [], outputs, [])
    before = show(lowered.outputs)
    text = f"{before}\n\n{show(optimise(lowered.graph, lowered.outputs))}\n"
    path = IR / f"{name}.txt"
    if not path.exists():
        path.write_text(text)
        raise AssertionError(f"{path.name} was missing and is written now; read it")
    assert text == path.read_text()


@pytest.mark.parametrize("name", PROGRAMS)
def test_optimising_again_changes_nothing(name: str) -> None:
    lowered, once = optimised(*PROGRAMS[name]())
    assert optimise(lowered.graph, once) == once


# -- what single passes do --------------------------------------------------------------------------------------------
def test_values_that_differ_in_the_name_of_a_length_become_one() -> None:
    _, roots = optimised(*equal_lengths())
    assert ops_of(roots).count("exp") == 1


def test_a_slice_is_taken_before_the_work() -> None:
    _, (root,) = optimised(*slice_of_product())
    assert root.op == "map" and root.attrs["row"].name == "exp"


def test_a_slice_of_what_others_need_stays() -> None:
    x = T.dvector("x")
    y = T.exp(x)
    _, roots = optimised([x], [y[1:], y])
    assert ops_of(roots).count("exp") == 1


def test_a_slice_that_varies_with_a_loop_stays_on_what_is_computed_once() -> None:
    x, s = T.dmatrix("x"), T.dvector("s")
    y = T.exp(x)
    i, state = loop_index(), parameter_like(s)
    _, roots = optimised([x, s], make_loop(x.shape[0], i, [state], [s], [T.tanh(state + y[i])]))
    (loop,) = [v.attrs["loop"] for v in toposort(roots) if v.op == "for"]
    (row,) = [v for v in toposort(loop.next) if v.op == "subtensor"]
    assert row.operands[0].attrs["row"].name == "exp" and not row.operands[0].loops


def test_a_reshape_moves_onto_what_is_stored() -> None:
    x = T.dmatrix("x")
    _, (root,) = optimised([x], [(2 * T.exp(T.dot(x, x))).reshape((-1,)).sum()])
    assert root.operands[0].op == "map"


def test_a_reshape_behind_an_axis_that_is_dropped() -> None:
    x = T.TensorType("float64", (None, None, 1))("x")
    f = tensordsl.function([x], x.dimshuffle(0, 1).reshape((2, -1, x.shape[1])))
    value = np.arange(12.0)
    assert f(value.reshape(4, 3, 1)).tolist() == value.reshape(2, 2, 3).tolist()


def test_casts_fold_only_where_no_value_changes() -> None:
    i, x = T.ivector("i"), T.dvector("x")
    _, (exact,) = optimised([i], [T.cast(T.cast(i, "float64"), "int64")])
    assert ops_of([exact]) == ["arg", "cast"]
    _, (rounded,) = optimised([x], [T.cast(T.cast(x, "float32"), "float64")])
    assert ops_of([rounded]) == ["arg", "cast", "cast"]


def test_rules_reach_into_loops() -> None:
    x = T.dvector("x")
    i = loop_index()
    carried = x.type("c")
    _, roots = optimised([x], make_loop(30, i, [carried], [x], [T.log(T.exp(carried * 1))]))
    (loop,) = [v.attrs["loop"] for v in toposort(roots) if v.op == "for"]
    assert loop.next == loop.carried


def test_a_known_condition_takes_its_branch() -> None:
    x = T.dvector("x")
    _, (root,) = optimised([x], [tensordsl.ifelse.ifelse(T.constant(1), T.exp(x), T.sin(x))])
    assert ops_of([root]) == ["arg", "exp"]


# -- the driver --------------------------------------------------------------------------------------------------------
def _broken(context: Any, v: Value) -> Value | None:
    """Raises."""
    raise RuntimeError("broken on purpose")


def _ill_typed(context: Any, v: Value) -> Value | None:
    """Gives a value of another dtype to a row."""
    if v.op == "map" and v.dtype == "float64":
        return context.graph.make("map", v.operands, "float32", v.shape, **v.attrs)
    return None


@pytest.mark.parametrize("run", [_broken, _ill_typed])
def test_a_failing_pass_is_named_with_the_ir_before_it(run: Any) -> None:
    x = T.dvector("x")
    lowered = lower([x], [], [T.exp(x)], [])
    with pytest.raises(PassError, match="(?s)'mistaken'.*the IR before it:.*row = exp"):
        optimise(lowered.graph, lowered.outputs, [Pass("mistaken", run, "")])


def test_an_optional_pass_that_fails_can_be_left_out() -> None:
    x = T.dvector("x")
    lowered = lower([x], [], [T.exp(x) * 1], [])
    with pytest.warns(UserWarning, match="'mistaken'.*left out"):
        roots = optimise(lowered.graph, lowered.outputs, [Pass("mistaken", _broken, ""), *PIPELINE], on_error="warn")
    assert ops_of(roots) == ["arg", "exp"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimise(lowered.graph, lowered.outputs, [Pass("mistaken", _broken, "")], on_error="ignore")


def test_a_required_pass_that_fails_always_raises() -> None:
    x = T.dvector("x")
    lowered = lower([x], [], [T.exp(x)], [])
    with pytest.raises(PassError):
        optimise(lowered.graph, lowered.outputs, [Pass("mistaken", _broken, "", required=True)], on_error="ignore")


def test_a_failing_pass_leaves_loops_as_they_were() -> None:
    x = T.dvector("x")
    carried = x.type("c")
    lowered = lower([x], [], make_loop(30, loop_index(), [carried], [x], [carried * 1]), [])
    (loop,) = lowered.graph.loops
    kept = loop.next

    def late(context: Any, v: Value) -> Value | None:
        if v.op == "result":
            raise RuntimeError("late")
        return v.operands[0] if v.op == "map" else None

    optimise(lowered.graph, lowered.outputs, [Pass("late", late, "")], on_error="ignore")
    assert loop.next == kept


@pytest.mark.parametrize(
    "build",
    [
        lambda g, x: g.make("move", (x,), "float64", (2,), map=(0,)),
        lambda g, x: g.make("reduce", (x,), "float64", (), **{**_SUM(g, x).attrs, "axes": (1,)}),
        lambda g, x: g.make("subtensor", (x,), "float64", (2,), bounds=((0, 3, 1, True),), checks=()),
        lambda g, x: g.make("dot", (x, g.const([1])), "float64", ()),
        lambda g, x: g.make("take", (x, g.const(1, "int8")), "float64", (), axes=(0,)),
        lambda g, x: g.make("result", (x,), "float64", (3,), k=0),
    ],
)
def test_the_verifier_refuses(build: Any) -> None:
    graph = Graph()
    x = graph.const([1.0, 2.0, 3.0])
    bad = build(graph, x)
    with pytest.raises(InvalidIR):
        verify_ir(graph, [bad])


def _SUM(graph: Graph, x: Value) -> Value:
    from tensordsl.ops.array.reduce import SUM

    return graph.reduce(SUM.meaning, 0, (0,), [x])


def test_long_chains_take_linear_time_and_no_stack() -> None:
    x = T.dvector("x")
    expression = x
    for _ in range(4000):
        expression = T.sin(expression) * 1.5 + x
    start = time.process_time()
    _, (root,) = optimised([x], [expression[0]])
    assert time.process_time() - start < 60
    assert root.rank == 0


# -- what a compile costs, in steps ------------------------------------------------------------------------------------
def shared_vectors(n: int) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """(inputs, shared, outputs, updates): a cost of n vectors, whose lengths turn out to be one."""
    x, weights = T.dvector("x"), [tensordsl.shared(np.zeros(3)) for _ in range(n)]
    cost = sum((T.sqr(w - x).sum() for w in weights), T.constant(0.0))
    moved = zip(weights, tensordsl.grad(cost, weights), strict=True)
    return [x], weights, [cost], [(w, w - 0.1 * g) for w, g in moved]


def layers(n: int) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    x, weights = T.dmatrix("x"), [tensordsl.shared(np.zeros((3, 3))) for _ in range(n)]
    value = x
    for w in weights:
        value = T.tanh(T.dot(value, w))
    moved = zip(weights, tensordsl.grad(value.sum(), weights), strict=True)
    return [x], weights, [value], [(w, w - 0.1 * g) for w, g in moved]


def join(n: int) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    parts = [T.dvector() for _ in range(n)]
    return parts, [], [T.concatenate([2 * part for part in parts])], []


def each(n: int) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    inputs = [T.dvector() for _ in range(n)]
    return inputs, [], [T.exp(x) * 2 for x in inputs], []


def each_matrix(n: int) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    inputs = [T.dmatrix() for _ in range(n)]
    return inputs, [], [T.exp(x) * 2 for x in inputs], []


def join_of_slices(n: int) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    x = T.dvector("x")
    cost = T.sqr(T.concatenate([x[5 * k : 5 * k + 5] * k for k in range(n)])).sum()
    return [x], [], [cost, tensordsl.grad(cost, x)], []


WIDE = (shared_vectors, layers, join, join_of_slices, each, each_matrix)


@pytest.mark.parametrize("wide", WIDE, ids=lambda make: make.__name__)
def test_functions_of_many_variables_take_linear_work(wide: Any) -> None:
    """In calls of functions, from the graph to the text of the program."""

    def calls(n: int) -> int:
        arguments, count = wide(n), 0

        def called(frame: Any, event: str, argument: Any) -> None:
            nonlocal count
            count += event == "call"

        sys.setprofile(called)
        try:
            emit_program(pipeline.make_program("wide", *arguments, single=False)[1])
        finally:
            sys.setprofile(None)
        return count

    calls(4)
    small, large = calls(30), calls(90)
    assert large < 3.6 * small


def test_a_compile_leaves_nothing_in_circles() -> None:
    """What nobody holds is freed at once: the collector, which is off meanwhile, has nothing to look through."""
    x, y, w = T.dmatrix("x"), T.dvector("y"), tensordsl.shared(np.zeros(3))
    cost = T.log(1 + T.exp(-y * T.dot(x, w))).sum()
    outputs, updates = [cost, T.dot(x, w) > 0], [(w, w - 0.1 * tensordsl.grad(cost, w))]
    for collected in range(2):  # the first compile fills caches
        gc.collect()
        gc.disable()
        try:
            pipeline.compile_graph("model", [x, y], [w], outputs, updates, False, kernel_object=lambda *text: b"")
            assert not collected or gc.collect() < 100  # the types of LLVM's buffers
        finally:
            gc.enable()


# -- every pass may be left out --------------------------------------------------------------------------------------
UNARY = (
    T.exp, T.sqrt, T.nnet.sigmoid, lambda x: -x, abs, lambda x: x**2, lambda x: x * 1, lambda x: x + 0,
    lambda x: T.log(T.exp(x)), lambda x: 1 - x, lambda x: T.log(1 + T.sqr(x)), lambda x: 1 / (1 + T.exp(-x)), T.tanh,
    lambda x: T.switch(x > 0, x, x / 2), lambda x: T.exp(x - 1) - 1, lambda x: T.cast(T.cast(x, "float64"), "float64"),
)  # fmt: skip
BINARY = (
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, T.maximum, T.minimum, lambda x, y: x * -y,
    lambda x, y: x - (-y), lambda x, y: T.switch(~(x < y), x, y), lambda x, y: T.second(x, y) * x,
)  # fmt: skip
SHAPES = (
    lambda x: x.T, lambda x: x[::-1], lambda x: x[:, 1:].sum(axis=1, keepdims=True) + x, lambda x: x.sum(axis=0) + x,
    T.nnet.softmax, lambda x: T.log(T.nnet.softmax(x)), lambda x: T.log(T.exp(x).sum(axis=1, keepdims=True)) * x,
    lambda x: x.sum(axis=1).max() - x, lambda x: x.reshape((-1,)).reshape(x.shape), lambda x: x[0] + x,
    lambda x: x[:, 0] * x, lambda x: T.dot(x, x), lambda x: x.max(axis=1, keepdims=True).max() + x,
    lambda x: (2 * x)[1:].sum() + x, lambda x: (x * x).sum() - x.max(axis=1, keepdims=True) * x.mean(axis=1),
    lambda x: T.tanh(T.repeat(x, 2, axis=1)).reshape((x.shape[0], x.shape[1], 2)).sum(axis=2) + x,
)  # fmt: skip


def grow(choices: Sequence[int]) -> tuple[list[Any], list[Any]]:
    """Square matrices from square matrices, by the choices."""
    x, y = T.dmatrices("x", "y")
    pool = [x, y]
    for c in choices:
        kind, rest = c % 3, c // 3
        a, b = pool[-1 - rest % min(3, len(pool))], pool[rest % len(pool)]
        if kind == 0:
            pool.append(UNARY[rest % len(UNARY)](a))
        elif kind == 1:
            pool.append(BINARY[rest % len(BINARY)](a, b))
        else:
            pool.append(SHAPES[rest % len(SHAPES)](a))
    return [x, y], [pool[-1], pool[-1].sum()]


@settings(max_examples=12)
@given(st.lists(st.integers(0, 10**4), min_size=2, max_size=7))
def test_results_are_equal_with_each_pass_switched_off(choices: list[int]) -> None:
    inputs, outputs = grow(choices)
    rng = np.random.default_rng(0)
    arguments = [rng.uniform(-1, 1, (5, 5)) for _ in inputs]
    want = evaluate(outputs, dict(zip(inputs, arguments, strict=True)))
    modes = [FAST_RUN, FAST_COMPILE, *(FAST_RUN.excluding(name) for name in OPTIONAL)]
    modes += [FAST_RUN.excluding(BELOW[c % len(BELOW)]) for c in choices]
    for mode in modes:
        f = tensordsl.function(inputs, outputs, mode=mode, on_unused_input="ignore")
        for got, wanted in zip(f(*arguments), want, strict=True):
            check(got, wanted, f"without {sorted(mode.excluded)}, {mode.optimizer}")


def check(got: Any, want: Any, what: str) -> None:
    """Equal up to rounding, where the reference is finite: stabilised results are finite in more places."""
    finite = np.isfinite(want) & (np.abs(want) < 1e12)
    scale = np.max(np.abs(want[finite]), initial=1.0)
    np.testing.assert_allclose(np.asarray(got)[finite], want[finite], rtol=1e-6, atol=1e-7 * scale, err_msg=what)


def test_a_group_does_not_read_at_other_axes_what_it_gives_itself() -> None:
    x = T.dmatrix("x")
    p = T.nnet.softmax(x[:, 0] * x)
    f = tensordsl.function([x], [p.T, p.T.sum()])
    a = np.random.default_rng(0).uniform(-1, 1, (5, 5))
    for got, want in zip(f(a), evaluate([p.T, p.sum()], {x: a}), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


# -- the ladder of TENSORDSL_DEBUG ------------------------------------------------------------------------------------
def compile_once(name: str) -> None:
    x = T.dvector("x")
    pipeline.compile_graph(name, [x], [], [T.log(1 + x)], [], True)


@pytest.mark.parametrize(
    "level, texts",
    [
        ("1", ["times in ms"]),
        ("2", ["passes", "log(1 + x) = log1p(x)"]),
        ("3", ["IR after stabilise", "row = log1p"]),
        ("4", ["groups", "program", "plans", "plan0: usual"]),
        ("5", ["kernels", "define"]),
    ],
)
def test_the_debug_ladder(level: str, texts: list[str], monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("TENSORDSL_DEBUG", level)
    compile_once("ladder")
    printed = capsys.readouterr().err
    for text in texts:
        assert text in printed
    assert level == "5" or "define" not in printed


def test_without_the_variable_nothing_is_printed(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.delenv("TENSORDSL_DEBUG", raising=False)
    compile_once("quiet")
    assert capsys.readouterr().err == ""


def test_a_wrong_level_is_refused(monkeypatch: Any) -> None:
    monkeypatch.setenv("TENSORDSL_DEBUG", "much")
    with pytest.raises(ValueError, match="number from 0 to 5"):
        compile_once("wrong")


def test_dumps_go_to_files(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("TENSORDSL_DUMP", str(tmp_path))
    compile_once("a/b")
    compile_once("a/b")
    first, second = sorted(tmp_path.iterdir())
    assert (first.name, second.name) == ("000-a_b", "001-a_b")
    assert {"IR", "passes", "program", "kernels"} <= {p.stem.split("-", 1)[1] for p in first.iterdir()}


def test_a_pass_that_fails_is_reported_as_the_option_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(context: Any, value: Any) -> None:
        raise ZeroDivisionError("a mistake in the pass")

    broken = tuple(p if p.required or p.name != "fold_constants" else replace(p, run=fail) for p in pipeline.PIPELINE)
    monkeypatch.setattr(pipeline, "PIPELINE", broken)
    x = T.scalar("x")
    with pytest.raises(pipeline.PassError, match="(?s)the pass 'fold_constants'.*on_opt_error='warn'"):
        tensordsl.function([x], x * 1.5001)
    with tensordsl.config.change_flags(on_opt_error="warn"), pytest.warns(UserWarning, match="it is left out"):
        assert float(tensordsl.function([x], x * 1.5002)(2)) == 3.0004
    with tensordsl.config.change_flags(on_opt_error="ignore"):
        assert float(tensordsl.function([x], x * 1.5003)(2)) == 3.0006
