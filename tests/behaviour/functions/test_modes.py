"""Modes that look for mistakes, and test values."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl import graph
from tensordsl.compile import FAST_COMPILE, FAST_RUN, DebugMode, Mode, MonitorMode, NanGuardMode, get_mode
from tensordsl.compile.mode import predefined_modes, register_mode
from tensordsl.compile.monitormode import detect_nan
from tensordsl.debugging import check_value, is_close
from tensordsl.debugging.testvalues import get_test_value
from tensordsl.errors import BadOptimization, InvalidValueError
from tensordsl.graph import unwatched

ALL = ["FAST_RUN", "FAST_COMPILE", "REFERENCE", "DebugMode", "NanGuardMode", MonitorMode()]


@pytest.mark.parametrize("mode", ALL, ids=str)
def test_every_mode_gives_the_same_results_and_updates(mode: Any) -> None:
    x = T.vector("x")
    state = theano.shared(np.array([1.0, 2.0]), name="state")
    f = theano.function([x], [T.exp(x) * state, T.sum(x)], updates={state: state + x}, mode=mode)
    product, total = f([0, 1])
    np.testing.assert_allclose(product, [1, 2 * np.e], rtol=1e-12)
    assert float(total) == 1.0 and state.get_value().tolist() == [1.0, 3.0]
    assert f.maker.mode.name == str(mode)


# -- choosing a mode -------------------------------------------------------------------------------------------------
def test_a_mode_is_a_name_an_object_or_configured() -> None:
    assert get_mode("FAST_RUN") is FAST_RUN and get_mode(FAST_COMPILE) is FAST_COMPILE
    assert get_mode("DEBUG_MODE").name == "DebugMode"
    with theano.config.change_flags(mode="FAST_COMPILE"):
        assert get_mode() is FAST_COMPILE
    with theano.config.change_flags(optimizer="fast_compile"):
        assert get_mode().optimizer == "fast_compile" and get_mode("FAST_RUN").optimizer == "fast_run"
    with pytest.raises(ValueError, match=r'Invalid value \("FAST"\) for mode. Valid options are'):
        theano.function([], [], mode="FAST")
    with pytest.raises(TypeError, match="mode must be a name or a Mode"):
        theano.function([], [], mode=3)


def test_passes_can_be_excluded_and_included() -> None:
    mode = FAST_RUN.excluding("fusion", "prefetch").including("prefetch")
    assert (mode.excluded, mode.included) == ({"fusion"}, {"prefetch"})
    assert FAST_RUN.excluded == frozenset()
    assert Mode("cvm", None).optimizer == "None" and Mode("py").executor == "reference"
    with pytest.raises(ValueError, match="Invalid optimizer"):
        Mode(optimizer="fastest")


def test_modes_are_objects_of_classes_whose_attributes_can_be_set() -> None:
    assert all(isinstance(m, Mode) for m in (DebugMode(), NanGuardMode(True, True, True), MonitorMode(), FAST_RUN))
    mode = DebugMode(check_c_code=True, stability_patience=10)
    mode.check_isfinite = False
    for other in (
        mode.clone(),
        mode.excluding("fusion"),
        mode.including("fusion"),
        mode.clone(optimizer="fast_compile"),
    ):
        assert isinstance(other, DebugMode) and not other.check_isfinite and other is not mode
    assert mode.excluded == frozenset() and mode.excluding("fusion").excluded == {"fusion"}
    assert mode.clone(optimizer="fast_compile").optimizer == "fast_compile" and mode.optimizer == "fast_run"
    plain = FAST_RUN.clone()
    plain.optimizer = None
    assert (plain.optimizer, FAST_RUN.optimizer) == ("None", "fast_run")
    with pytest.raises(ValueError, match="has to check"):
        DebugMode(check_c_code=False, check_py_code=False)
    with pytest.raises(NotImplementedError, match="Mode.register"):
        FAST_RUN.register(("rewrite", 1.5))
    assert repr(mode) == "<DebugMode DebugMode: optimizer='fast_run', executor='debug'>"


def test_a_set_attribute_counts_in_the_next_call() -> None:
    x = T.vector("x")
    mode = DebugMode()
    f = theano.function([x], T.log(x), mode=mode)
    with pytest.raises(InvalidValueError):
        f([-1])
    f.maker.mode.check_isfinite = False
    assert f.maker.mode is mode and np.isnan(f([-1])).all()


def test_modes_have_names_that_programs_can_add_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theano.modes, "predefined_modes", dict(theano.modes.predefined_modes))
    mine = Mode(linker="py", optimizer="fast_compile")
    register_mode("mine", mine)
    x = T.vector("x")
    assert get_mode("mine") is mine and theano.function([x], x, mode="mine").maker.mode is mine
    for taken in ("mine", "FAST_RUN", "DebugMode"):
        with pytest.raises(ValueError, match=f"Mode name already taken: {taken}"):
            register_mode(taken, mine)
    assert {"FAST_RUN", "FAST_COMPILE", "DEBUG_MODE"} <= set(predefined_modes)
    assert theano.compile.mode.get_default_mode() is FAST_RUN


# -- DebugMode -------------------------------------------------------------------------------------------------------
def test_debug_mode_names_the_value_that_is_not_finite() -> None:
    x = T.vector("x")
    f = theano.function([x], T.sum(T.log(x)), mode="DebugMode")
    assert float(f([1, 1])) == 0.0
    with pytest.raises(InvalidValueError, match="(?s)log.0.*isfinite       = False.*non-finite elements") as caught:
        f([0, 1])
    assert __file__ in str(caught.value)


def test_debug_mode_leaves_the_state_alone_when_it_raises() -> None:
    x = T.scalar("x")
    state = theano.shared(1.0)
    f = theano.function([x], T.log(x), updates={state: state + 1}, mode="DebugMode")
    with pytest.raises(InvalidValueError):
        f(-1)
    assert float(state.get_value()) == 1.0


def test_debug_mode_can_allow_nan() -> None:
    x = T.scalar("x")
    assert np.isnan(theano.function([x], T.log(x), mode=DebugMode(check_isfinite=False))(-1))


def test_debug_mode_compares_the_compiled_function_on_a_copy_of_the_state() -> None:
    from dataclasses import replace

    from tensordsl import debugging

    x = T.vector("x")
    state = theano.shared(np.ones(2))
    f = theano.function([x], x * state, updates={state: state * 2}, mode="REFERENCE")
    seen: list[Any] = []

    def wrong(twin: Any) -> Any:
        def run(arrays: list[Any]) -> list[Any]:
            seen.append(twin.shared[0].get_value())
            return [arrays[0] * 1.5]

        return run

    def right(twin: Any) -> Any:
        return debugging.link(replace(twin), get_mode("REFERENCE"), None)

    with pytest.raises(BadOptimization, match="(?s)disagree on mul.0.*reference: .*compiled: "):
        debugging.link(f.spec, DebugMode(), wrong)([np.array([1.0, 2.0])])
    assert seen[0].tolist() == [1.0, 1.0] and state.get_value().tolist() == [1.0, 1.0]
    assert debugging.link(f.spec, DebugMode(), right)([np.array([1.0, 2.0])])[0].tolist() == [1.0, 2.0]
    assert state.get_value().tolist() == [2.0, 2.0]


def test_results_agree_up_to_rounding() -> None:
    a = np.array([1.0, np.nan, np.inf])
    assert is_close(a, a * (1 + 1e-9)) and not is_close(a, a * 1.01)
    assert not is_close(a, a[:2]) and not is_close(np.array([1]), np.array([2]))


def test_a_value_of_the_wrong_type_is_invalid() -> None:
    with pytest.raises(InvalidValueError, match="dtype should be float64"):
        check_value(T.vector("x"), np.zeros(2, "float32"), True)
    with pytest.raises(InvalidValueError, match="shape should be"):
        check_value(T.row("x"), np.zeros((2, 2)), True)


# -- NanGuardMode, MonitorMode ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "value, word", [(-1.0, "NaN detected"), (0.0, "Inf detected"), (np.exp(1e4 / 9e3), "")], ids=["nan", "inf", "fine"]
)
def test_nan_guard_names_the_node(value: float, word: str) -> None:
    x = T.scalar("x")
    state = theano.shared(0)
    f = theano.function([x], T.log(x) * 2, updates={state: state + 1}, mode=NanGuardMode())
    if not word:
        f(value)
        return
    with pytest.raises(AssertionError, match=rf"(?s){word}: NanGuardMode found .*error: log\(x\)") as caught:
        f(value)
    assert __file__ in str(caught.value) and int(state.get_value()) == 0


def test_nan_guard_looks_at_inputs_shared_values_and_big_ones() -> None:
    x, w = T.scalar("x"), theano.shared(np.nan, name="w")
    with pytest.raises(AssertionError, match="in the input: x"):
        theano.function([x], x, mode="NanGuardMode")(np.nan)
    with pytest.raises(AssertionError, match="in the input: w"):
        theano.function([], w * 2, mode="NanGuardMode")()
    with pytest.raises(AssertionError, match="Big value detected"):
        theano.function([x], x * 1e20, mode="NanGuardMode")(1)
    quiet = NanGuardMode(nan_is_error=False, inf_is_error=False, big_is_error=False)
    assert np.isnan(theano.function([], w * 2, mode=quiet)())


def test_monitors_see_each_node_with_its_values() -> None:
    seen: list[Any] = []

    def before(i: int, node: Any, fn: Any) -> None:
        seen.append(("before", i, str(node), [v[0].tolist() for v in fn.inputs]))

    def after(i: int, node: Any, fn: Any) -> None:
        seen.append(("after", i, fn.outputs[0][0].tolist()))

    x = T.scalar("x")
    theano.function([x], T.sqr(x) + 1, mode=MonitorMode(before, after))(3)
    assert seen == [
        ("before", 0, "Elemwise{sqr,no_inplace}(x)", [3.0]), ("after", 0, 9.0),
        ("before", 1, seen[2][2], [9.0, 1]), ("after", 1, 10.0),
    ]  # fmt: skip


def test_a_monitor_can_look_for_nan(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.vector("x")
    f = theano.function([x], T.exp(T.log(x)), mode=MonitorMode(post_func=detect_nan).excluding("fusion"))
    f([1, 2])
    assert capsys.readouterr().out == ""
    f([-1, 2])
    assert capsys.readouterr().out.count("*** NaN detected ***") == 2


def test_only_the_branch_taken_is_evaluated() -> None:
    from tensordsl.ifelse import ifelse

    c, x = T.iscalar("c"), T.vector("x")
    y = T.vector("y")
    f = theano.function([c, x, y], ifelse(c, x + y, x), mode="REFERENCE")
    assert f(0, [1, 2], [1, 2, 3]).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="Dimension mismatch"):
        f(1, [1, 2], [1, 2, 3])


# -- test values -----------------------------------------------------------------------------------------------------
@pytest.fixture
def testing() -> Iterator[Any]:
    with theano.config.change_flags(compute_test_value="raise"):
        yield theano.config


def test_test_values_are_computed_as_the_graph_is_built(testing: Any) -> None:
    x = T.vector("x")
    x.tag.test_value = [1.0, 2.0]
    w = theano.shared(np.array([3.0, 4.0]))
    assert (x * w + 1).tag.test_value.tolist() == [4.0, 9.0]
    assert get_test_value(x * 2).tolist() == [2.0, 4.0]


def test_gradients_have_test_values_too(testing: Any) -> None:
    x = T.vector("x")
    x.tag.test_value = np.array([1.0, 2.0])
    assert T.grad(T.sum(x**2), x).tag.test_value.tolist() == [2.0, 4.0]


def test_an_error_names_the_operands_and_their_test_shapes(testing: Any) -> None:
    A, B = T.matrix("A"), T.matrix("B")
    A.tag.test_value, B.tag.test_value = np.ones((3, 4)), np.ones((5, 6))
    with pytest.raises(
        ValueError, match=r"(?s)in dot\(A, B\) on the test values of A: shape \(3, 4\), B: shape \(5, 6\)"
    ):
        T.dot(A, B)
    n, m = T.vector("n"), T.vector("m")
    n.tag.test_value, m.tag.test_value = np.ones(2), np.ones(1)
    with pytest.raises(ValueError, match="(?s)Dimension mismatch.*length 1 broadcasts only if its type says so"):
        n + m


def test_a_test_value_that_does_not_fit_is_refused(testing: Any) -> None:
    x = T.vector("x")
    x.tag.test_value = np.ones((2, 2))
    with pytest.raises(TypeError, match="the test value of x does not fit: Wrong number of dimensions"):
        x + 1


def test_a_missing_test_value_is_said_once() -> None:
    x = T.vector("x")
    with theano.config.change_flags(compute_test_value="warn"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        T.exp(x) * 2 + 1
    assert [str(w.message).startswith("Cannot compute the test value: input 0 (x) of exp(x)") for w in caught] == [True]


def test_nothing_watches_the_graph_while_it_is_off() -> None:
    with theano.config.change_flags(compute_test_value="warn"):
        assert len(graph._APPLY_HOOKS) == 1
        theano.config.compute_test_value = "ignore"
        assert len(graph._APPLY_HOOKS) == 1
    assert graph._APPLY_HOOKS == []
    with pytest.raises(AttributeError, match="x has no test value"):
        get_test_value(T.vector("x"))


# -- NanGuardMode is native ------------------------------------------------------------------------------------------
def test_nan_guard_looks_at_what_is_computed_not_at_the_formula() -> None:
    x = T.matrix("x")
    f = theano.function([x], T.sum(T.log(T.nnet.softmax(x))), mode=NanGuardMode())
    assert float(f([[0.0, 2000.0]])) == -2000.0


def test_nan_guard_puts_the_state_back() -> None:
    x = T.vector("x")
    state = theano.shared(np.array([1.0, 2.0]), name="state")
    f = theano.function([x], [], updates=[(state, state / x)], mode="NanGuardMode")
    f([2, 2])
    before = state.get_value(borrow=True)
    with pytest.raises(AssertionError, match=r"(?s)Inf detected.*true_div\(state, x\)"):
        f([0, 1])
    assert np.shares_memory(state.get_value(borrow=True), before) and before.tolist() == [0.5, 1.0]


@pytest.mark.parametrize("nan", [False, True])
@pytest.mark.parametrize("inf", [False, True])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_guard_flags_exactly_what_it_was_told_to(nan: bool, inf: bool, big: bool, dtype: str) -> None:
    x = T.TensorType(dtype, (None,))("x")
    f = theano.function([x], T.exp(T.zeros_like(x)) * x, mode=NanGuardMode(nan, inf, big))
    for value, is_error in ((np.nan, nan), (np.inf, inf), (-np.inf, inf), (-2e10, big), (1e9, False)):
        given = np.array([0, 1, value], dtype)
        if is_error:
            with pytest.raises(AssertionError, match="NanGuardMode found an error in the input: x"):
                f(given)
        else:
            np.testing.assert_array_equal(f(given), given)


def test_nan_guard_leaves_the_branch_not_taken_alone() -> None:
    from tensordsl.ifelse import ifelse

    c, x = T.iscalar("c"), T.scalar("x")
    f = theano.function([c, x], ifelse(c, T.log(x), x * 2), mode="NanGuardMode")
    assert float(f(0, -1)) == -2.0
    with pytest.raises(AssertionError, match="NaN detected"):
        f(1, -1)


def test_debug_and_nan_guard_print_once(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.vector("x")
    y = theano.printing.Print("seen")(T.log(x)) + 1
    theano.function([x], y, mode="DebugMode")([1])
    assert capsys.readouterr().out.count("seen") == 1
    with pytest.raises(AssertionError):
        theano.function([x], y, mode="NanGuardMode")([-1])
    assert capsys.readouterr().out.count("seen") == 1


def test_prints_in_a_loop_are_silenced_too(capsys: pytest.CaptureFixture[str]) -> None:
    from tensordsl.ops.control import loop_index, make_loop

    i, c = loop_index(), T.scalar("c")
    (last,) = make_loop(T.constant(3), i, [c], [T.constant(np.float64(1.0))], [theano.printing.Print("step")(c) * 2])
    assert float(theano.function([], last, mode="DebugMode")()) == 8.0
    assert capsys.readouterr().out.count("step") == 3


# -- looking inside --------------------------------------------------------------------------------------------------
def test_intermediate_values_can_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = T.vector("x"), T.vector("y")
    state = theano.shared(np.array([10.0, 20.0]))
    total = theano.printing.Print("seen")(x + y)
    product = total * state
    f = theano.function([x, theano.In(y, value=[1.0, 1.0])], T.sum(product), updates={state: product})
    for inputs in ([[1, 2]], {"x": [1, 2]}, {x: [1, 2], y: [1, 1]}):
        values = theano.eval_intermediate_values(f, inputs)
        assert values[total].tolist() == [2.0, 3.0] and values[product].tolist() == [20.0, 60.0]
    assert state.get_value().tolist() == [10.0, 20.0] and capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="Dimension mismatch"):
        theano.eval_intermediate_values(f, [[1, 2, 3]])


def test_a_failing_assert_says_its_message_and_leaves_the_state() -> None:
    x = T.vector("x")
    state = theano.shared(0.0)
    positive = T.opt.Assert("x must be positive")(x, T.all(x > 0), T.gt(x.shape[0], 0))
    f = theano.function([x], [], updates={state: state + T.sum(positive)})
    f([1, 2])
    for given in ([1, -1], []):
        with pytest.raises(AssertionError, match="x must be positive"):
            f(given)
    assert float(state.get_value()) == 3.0


def test_print_shows_attributes_and_methods(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.vector("x")
    theano.function([x], theano.printing.Print("x is", attrs=("shape", "sum", "__str__"))(x) * 2)([1, 2])
    assert capsys.readouterr().out == "x is shape = (2,)\nx is sum = 3.0\nx is __str__ = [1. 2.]\n"


@pytest.mark.parametrize("mode", [None, "FAST_COMPILE", "REFERENCE", "DebugMode"])
def test_print_hands_values_to_a_function(mode: Any) -> None:
    seen: list[Any] = []
    printer = theano.printing.Print("x is", global_fn=lambda op, value: seen.append((op.message, value.tolist())))
    x = T.vector("x")
    f = theano.function([x], [printer(x) * 2], mode=mode)
    assert f([1, 2])[0].tolist() == [2, 4] and seen == [("x is", [1, 2])]
    with pytest.raises(TypeError, match="global_fn must be a function"):
        theano.printing.Print(global_fn="print")


@pytest.mark.parametrize("mode", [None, "REFERENCE"])
def test_an_error_of_a_users_function_shows_where_it_was_raised(mode: Any) -> None:
    def show(op: Any, value: Any) -> None:
        raise ZeroDivisionError("of my own")

    x = T.vector("x")
    f = theano.function([x], theano.printing.Print(global_fn=show)(x) * 2, mode=mode)
    with pytest.raises(ZeroDivisionError, match="of my own") as caught:
        f([1])
    error = caught.value
    text = "".join(traceback.format_exception(error))
    assert 'raise ZeroDivisionError("of my own")' in text


@pytest.mark.parametrize("setting", ["off", "ignore", "warn", "raise", "pdb"])
def test_a_missing_test_value_in_all_five_settings(setting: str) -> None:
    x, y = T.vector("x"), T.vector("y")
    y.tag.test_value = np.array([1.0, 2.0])
    with theano.config.change_flags(compute_test_value=setting), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if setting in ("raise", "pdb"):
            with pytest.raises(ValueError, match="set x.tag.test_value"):
                x + 1
        else:
            x + 1
        has_value = hasattr((y + 1).tag, "test_value")
    assert len(caught) == (setting == "warn") and has_value == (setting != "off")


FIRST_COMPILE = """
import warnings
import numpy as np
import tensordsl as theano
import tensordsl.tensor as T

warnings.simplefilter("error")
theano.config.compute_test_value = {setting!r}
x, y, w = T.vector("x"), T.vector("y"), theano.shared(np.ones(2))
x.tag.test_value = np.array([1.0, 2.0])
z = T.sum(T.tile(x * 1 + 2, 2)) + T.gammainc(2.0, x).sum()
updates = [(w, w + T.grad(z, x))]
f = theano.function([x], z, updates=updates, mode={mode!r})
assert abs(float(f([1, 2])) - 14.858) < 1e-3, f([1, 2])
assert len(f.memory_map()) and "func" in theano.function([x], x * 2).mlir()
# Copies of the user's graph need no test values either: y has none.
assert theano.function([y], z, givens=[(x, y)])([1, 2]) == f([1, 2])
assert f.copy(swap={{w: theano.shared(np.ones(2))}})([1, 2]) == f([1, 2])
"""


@pytest.mark.parametrize(("setting", "mode"), [("warn", "FAST_RUN"), ("raise", "DebugMode")])
def test_the_first_compile_of_a_process_computes_no_test_values(setting: str, mode: str, tmp_path: Path) -> None:
    """The patterns of the compiler's rules are built by it, and expansions, which are no graphs of the user's."""
    program = FIRST_COMPILE.format(setting=setting, mode=mode)
    environment = {**os.environ, "TENSORDSL_FLAGS": f"compiledir={tmp_path}"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def test_graphs_of_the_librarys_own_are_watched_by_nobody_in_any_thread(testing: Any) -> None:
    x = T.vector("x")
    x.tag.test_value = np.array([1.0, 2.0])
    with unwatched():
        assert not hasattr(T.exp(T.vector()).tag, "test_value")
        made: list[Any] = []
        other = Thread(target=lambda: made.append(T.exp(x)))
        other.start()
        other.join()
    assert made[0].tag.test_value.shape == (2,)
    assert T.exp(x).tag.test_value.shape == (2,)
