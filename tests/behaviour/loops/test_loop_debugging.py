"""What looks into functions looks into the rounds of their loops: printers, test values, the checking modes, `Print`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.base.errors import InvalidValueError
from tensordsl.compile import MonitorMode
from tensordsl.compile.monitormode import detect_nan
from tensordsl.compile.nanguardmode import NanGuardMode
from tensordsl.ifelse import ifelse
from tensordsl.printing import Print, debugprint, min_informative_str, pp
from tensordsl.scan_module import until

x, M, W = T.dvector("x"), T.dmatrix("M"), T.dmatrix("W")
k, n = T.lvector("k"), T.lscalar("n")
HERE = re.escape(__file__)


# -- printers ----------------------------------------------------------------------------------------------------------
def test_debugprint_draws_inner_graphs() -> None:
    A = T.dvector("A")
    power, _ = scan(lambda p, a: p * a, outputs_info=T.ones_like(A), non_sequences=A, n_steps=3, name="power")
    assert debugprint(power[-1], file="str") == (
        "Subtensor{-1, :} [id A] ''  \n"
        " |for{scan 'power'}.1 [id B] ''  \n"
        "   |TensorConstant{3} [id C]\n"
        "   |fill [id D] ''  \n"
        "   | |A [id E]\n"
        "   | |TensorConstant{1.0} [id F]\n"
        "   |A [id E]\n"
        "\n"
        "Inner graphs:\n"
        "\n"
        "for{scan 'power'} [id B] ''\n"
        " >mul [id G] ''   (the next state 0)\n"
        " > |state 0 [id H] -> [id D]\n"
        " > |A [id I] -> [id E]\n"
        " >mul [id G] ''   (stacked)\n"
    )


def nested() -> Any:
    def inner(row: Any) -> Any:
        return scan(lambda e, s: s + e, row, 0.0, name="inner")[0][-1]

    return scan(inner, M, name="outer")[0]


def test_inner_graphs_of_functions_and_of_nested_loops() -> None:
    text = debugprint(theano.function([M], nested()), file="str")
    graph, *inner = text.split("\n\n")
    assert "for{scan 'outer'} [id A] ''" in graph and inner[0] == "Inner graphs:"
    outer, loop = inner[1:]
    assert outer.startswith("for{scan 'outer'} [id A] ''\n >Subtensor{-1}")
    assert "M [id" in outer and "-> [id" in outer and "t [id" in outer
    assert loop.startswith("for{scan 'inner'} [id")
    assert re.search(r"\n > +\|M\[t\] \[id \w+\] -> \[id \w+\]", loop)
    (index,) = re.findall(r"for\{scan 'inner'\}\.1 \[id \w+\] ''   (\d+)", outer)
    assert int(index) > 0  # inner applications have numbers as errors tell them


def test_inner_graphs_of_gradients_and_of_loops_that_end_early() -> None:
    values, _ = scan(lambda s: (s * 2, until(s.sum() > 100)), outputs_info=x, n_steps=50, name="doubles")
    text = debugprint(T.grad(values[-1].sum(), x), file="str")
    assert "for{the gradient of scan 'doubles'}" in text and " (until)" in text and "(the next x[t-1])" in text


def test_labels_of_other_kinds_and_limits() -> None:
    values, _ = scan(lambda s: s * 2, outputs_info=x, n_steps=2, name="doubles")
    assert "x[t-1] -> x" in debugprint(values, ids="", file="str")
    assert re.search(
        r"x\[t-1\] \[id \d+\] <.*> -> \[id \d+\]", debugprint(values, ids="int", print_type=True, file="str")
    )
    assert debugprint(values, depth=1, file="str").count(" >") == 2  # one level of each inner result


def test_other_printers() -> None:
    values, _ = scan(lambda s: s * 2, outputs_info=x, n_steps=2, name="doubles")
    assert pp(values) == "for{scan 'doubles'}(TensorConstant{2}, x).1"
    assert min_informative_str(values).splitlines()[0] == "A. for{scan 'doubles'}"
    for op in (pp, min_informative_str, str, repr):
        assert op(T.grad(values.sum(), x))


def test_long_graphs_and_deep_nests_are_drawn() -> None:
    y = x
    for _ in range(10_000):
        y = y + 1
    assert len(debugprint(scan(lambda a: a * y.sum(), x)[0], file="str").splitlines()) > 10_000

    def long(s: Any) -> Any:
        for _ in range(10_000):
            s = s * 2
        return s

    assert len(debugprint(scan(long, outputs_info=x, n_steps=2)[0], file="str").splitlines()) > 10_000

    def deep(level: int, s: Any) -> Any:
        if not level:
            return T.sin(s)
        return scan(lambda h: deep(level - 1, h), outputs_info=s, n_steps=2, name=f"level {level}")[0][-1]

    text = debugprint(deep(10, x), file="str")
    assert [text.count(f"\nfor{{scan 'level {level}'}}") for level in range(1, 11)] == [1] * 10
    f = theano.function([x], deep(10, x))
    expected = np.array([0.1, 0.2])
    for _ in range(2**10):
        expected = np.sin(expected)
    np.testing.assert_allclose(f([0.1, 0.2]), expected)


# -- test values -------------------------------------------------------------------------------------------------------
@pytest.fixture
def test_values() -> Iterator[None]:
    theano.config.compute_test_value = "raise"
    yield
    theano.config.compute_test_value = "off"


def with_value(v: Any, value: Any) -> Any:
    v.tag.test_value = np.asarray(value, v.type.dtype)
    return v


def test_steps_see_the_values_of_the_first_round(test_values: None) -> None:
    rows, weights = (
        with_value(T.dmatrix("rows"), [[1.0, 2], [3, 4], [5, 6]]),
        with_value(T.dmatrix("weights"), np.eye(2)),
    )
    seen: dict[str, Any] = {}

    def step(t: Any, before: Any, row: Any, old: Any, older: Any) -> Any:
        arguments = {"t": t, "before": before, "row": row, "old": old, "older": older}
        seen.update({name: v.tag.test_value.tolist() for name, v in arguments.items()})
        result = T.dot(row, weights) + old
        seen["result"] = result.tag.test_value.tolist()
        return result

    start = T.constant(np.array([[10.0, 10.0], [20.0, 20.0]]))
    values, _ = scan(step, [T.arange(3), dict(input=rows, taps=[-1, 0])], dict(initial=start, taps=[-1, -2]))
    assert seen == {
        "t": 0, "before": [1, 2], "row": [3, 4], "old": [20, 20], "older": [10, 10], "result": [23, 24]
    }  # fmt: skip
    assert values.tag.test_value.tolist() == [[23, 24], [28, 30]]
    assert T.grad(values.sum(), weights).tag.test_value.shape == (2, 2)


def test_test_values_of_nested_loops(test_values: None) -> None:
    seen = []

    def inner(j: Any, t: Any) -> Any:
        seen.append((int(j.tag.test_value), int(t.tag.test_value)))
        return j * t

    values, _ = scan(lambda t: scan(inner, T.arange(5, 8), non_sequences=t)[0].sum(), T.arange(2, 4))
    assert seen == [(5, 2)] and values.tag.test_value.tolist() == [36, 54]


def test_a_wrong_shape_shows_on_its_line(test_values: None) -> None:
    rows, weights = with_value(T.dmatrix("rows"), np.ones((3, 2))), with_value(T.dmatrix("weights"), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"dot\(rows\[t\], weights\) on the test values of rows\[t\]: shape \(2,\)"):
        scan(lambda row: T.dot(row, weights), rows)


def test_a_later_round_of_the_test_values_is_named(test_values: None) -> None:
    rows = with_value(T.dmatrix("rows"), np.ones((3, 2)))
    text = rf"index 3 is out of bounds[\s\S]*rows: shape \(3, 2\)[\s\S]*in round 3 of scan 'late'[\s\S]*{HERE}"
    with pytest.raises(IndexError, match=text):
        scan(lambda j: rows[j], T.arange(5), name="late")


# -- modes -------------------------------------------------------------------------------------------------------------
def logs() -> Any:
    """Sums of the numbers that have a logarithm; the NaN of the others is in no result."""
    return scan(lambda a, s: T.switch(T.isnan(T.log(a)), s, s + a), x, 0.0, name="logs")[0]


def test_nan_guard_goes_into_rounds() -> None:
    f = theano.function([x], logs(), mode=NanGuardMode())
    assert f([1.0, 2.0]).tolist() == [1, 3] and f([]).size == 0
    text = rf"NaN detected[\s\S]*log\(Subtensor[\s\S]*Happened in round 2 of scan 'logs'[\s\S]*{HERE}"
    with pytest.raises(AssertionError, match=text):
        f([1.0, 2.0, -3.0, 4.0])


def test_nan_guard_goes_into_nested_loops() -> None:
    def inner(j: Any) -> Any:
        return scan(lambda a: T.switch(T.isnan(T.log(a - j)), 0.0, 1.0), x, name="inner")[0].sum()

    f = theano.function([x, k], scan(inner, k, name="outer")[0], mode=NanGuardMode())
    assert f([1.0, 2.0], [0, -1]).tolist() == [2, 2] and f([-1.0], []).size == 0
    with pytest.raises(AssertionError, match="Happened in round 1 of scan 'inner', in round 2 of scan 'outer'"):
        f([5.0, 1.0], [0, -3, 2])


def test_nan_guard_leaves_out_rounds_that_are_not_run() -> None:
    values, _ = scan(lambda s: s + T.log(x), outputs_info=T.zeros_like(x), n_steps=n)
    f = theano.function([x, n], values, mode=NanGuardMode())
    assert f([-1.0], 0).shape == (0, 1)
    with pytest.raises(AssertionError, match="NaN detected"):
        f([-1.0], 1)


def test_nan_guard_of_gradients() -> None:
    values, _ = scan(lambda s: T.sqrt(s), outputs_info=x, n_steps=n, name="roots")
    f = theano.function([x, n], T.grad(values[-1].sum(), x), mode=NanGuardMode())
    assert f([16.0], 2).tolist() == [1 / 32]
    with pytest.raises(AssertionError, match="Inf detected[\\s\\S]*round 0 of the gradient of scan 'roots'"):
        f([0.0], 2)


def test_nan_guard_of_loops_that_end_early() -> None:
    values, _ = scan(lambda s: (s * 2, until(T.log(s).sum() > 3)), outputs_info=x, n_steps=50, name="ends")
    f = theano.function([x], values, mode=NanGuardMode())
    assert f([1.0]).size == 6
    with pytest.raises(AssertionError, match="NaN detected[\\s\\S]*round 0 of scan 'ends'"):
        f([-1.0])


def hidden(v: Any) -> Any:
    """The size of v; the NaN of a negative number is in no result."""
    return T.switch(T.isnan(T.log(v)), -v, v)


def test_nan_guard_of_loops_that_only_a_condition_ends() -> None:
    f = theano.function(
        [x], theano.while_loop(lambda s: s.sum() < 100, lambda s: T.log(s) + 60, x), mode=NanGuardMode()
    )
    assert f([1.0, 1.0]).tolist() == [60, 60]
    with pytest.raises(AssertionError, match="NaN detected[\\s\\S]*round 0 of while_loop"):
        f([-1.0, 1.0])
    f = theano.function([x], theano.while_loop(lambda s: s.sum() < 9, lambda s: hidden(s) + 2, x), mode=NanGuardMode())
    assert f([1.0, 1.0]).tolist() == [5, 5] and f([-9.0, 18.0]).tolist() == [-9, 18]
    with pytest.raises(AssertionError, match="NaN detected[\\s\\S]*round 0 of while_loop"):
        f([-3.0, 1.0])


def test_nan_guard_goes_into_branches() -> None:
    f = theano.function([x, n], ifelse(n, hidden(x).sum(), hidden(x + 1).sum()), mode=NanGuardMode())
    assert f([2.0], 1) == 2 and f([-0.5], 0) == 0.5
    for taken, value in ((1, -0.5), (0, -2.0)):
        with pytest.raises(AssertionError, match="NaN detected"):
            f([value], taken)


def test_nan_guard_goes_into_branches_of_rounds_and_rounds_of_branches() -> None:
    rows = scan(lambda a: ifelse(a < 0, hidden(a + 10), a), x)[0]
    f = theano.function([x, n], ifelse(n, rows.sum(), hidden(x).sum()), mode=NanGuardMode())
    assert f([1.0, -2.0], 1) == 9 and f([3.0], 0) == 3
    for given, taken in (([1.0, -12.0], 1), ([1.0, -2.0], 0)):
        with pytest.raises(AssertionError, match="NaN detected"):
            f(given, taken)


def test_debug_mode_goes_into_rounds() -> None:
    f = theano.function([x], logs(), mode="DebugMode")
    assert f([1.0, 2.0]).tolist() == [1, 3]
    with pytest.raises(InvalidValueError, match=rf"log.0: non-finite[\s\S]*round 1 of scan 'logs'[\s\S]*{HERE}"):
        f([1.0, -2.0])


def test_debug_mode_of_no_rounds() -> None:
    states, _ = scan(lambda s: s * 2, outputs_info=x, n_steps=n)
    rows, _ = scan(lambda a: Print("unheard")(a * M.sum(0)), k)
    f = theano.function([x, M, k, n], [states, rows], mode="DebugMode")
    assert [v.shape for v in f([1.0, 2.0], np.ones((2, 3)), [], 0)] == [(0, 2), (0, 3)]


def test_monitor_mode_sees_every_round(capsys: Any) -> None:
    seen = []

    def post(index: int, node: Any, fn: Any) -> None:
        if node.row.name == "log":
            seen.append((fn.rounds, float(fn.inputs[0][0]), float(fn.outputs[0][0])))

    theano.function([x], logs(), mode=MonitorMode(post_func=post))([1.0, np.e])
    assert seen == [([("scan 'logs'", 0)], 1.0, 0.0), ([("scan 'logs'", 1)], np.e, 1.0)]
    theano.function([x], logs(), mode=MonitorMode(post_func=detect_nan))([1.0, -1.0])
    assert "*** NaN detected ***\nIn round 1 of scan 'logs'\nlog [id A]" in capsys.readouterr().out


def test_errors_of_a_mode_without_native_code_name_the_round() -> None:
    f = theano.function([k, x], scan(lambda j: x[j], k, name="picks")[0], mode=MonitorMode())
    with pytest.raises(IndexError, match="index 5 is out of bounds[\\s\\S]*Happened in round 1 of scan 'picks'"):
        f([0, 5], [1.0, 2.0])


def test_a_monitor_that_raises_is_heard_as_it_is() -> None:
    def post(index: int, node: Any, fn: Any) -> None:
        if fn.rounds:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="^'mine'$"):
        theano.function([x], logs(), mode=MonitorMode(post_func=post))([1.0])


# -- Print -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", [None, "FAST_COMPILE", "DebugMode"])
def test_print_in_a_step(mode: Any, capsys: Any) -> None:
    values, _ = scan(lambda a, s: Print("a")(a) + s, x, 0.0)
    f = theano.function([x], values, mode=mode)
    assert f([1.0, 2.0]).tolist() == [1, 3]
    assert capsys.readouterr().out == "a __str__ = 1.0\na __str__ = 2.0\n"


def test_a_printer_that_raises_ends_the_call() -> None:
    def stop(op: Any, array: Any) -> None:
        if array == 2:
            raise KeyError("mine")

    s = theano.shared(0.0, "s")
    values, updates = scan(lambda a: (Print(global_fn=stop)(a), {s: s + a}), x)
    f = theano.function([x], values, updates=updates)
    with pytest.raises(KeyError, match="^'mine'$"):
        f([1.0, 2.0, 3.0])
    assert s.get_value() == 0 and f([1.0, 3.0]).tolist() == [1, 3] and s.get_value() == 4


def test_what_a_failed_call_has_printed_is_not_printed_again(capsys: Any) -> None:
    f = theano.function([k, x], scan(lambda j: x[Print("j")(j)], k)[0])
    with pytest.raises(IndexError):
        f([0, 1, 7], [1.0, 2.0])
    assert capsys.readouterr().out == "j __str__ = 0\nj __str__ = 1\nj __str__ = 7\n"


def test_what_a_gradient_computes_again_is_not_printed_again(capsys: Any) -> None:
    x = T.vector("x")

    def step(s: Any, x: Any) -> Any:
        return T.tanh(Print("round")(s * x))

    rows, _ = theano.scan_checkpoints(step, outputs_info=x, n_steps=4, non_sequences=[x], save_every_N=2)
    ragged, _ = scan(lambda k: Print("row")(T.arange(k + 1) * x[0]).sum(), T.arange(3))
    for values, word, count in ((rows, "round", 4), (ragged, "row", 3)):
        theano.function([x], [values[-1], T.grad((values[-1] ** 2).sum(), x)])([1.0, 2.0])
        assert capsys.readouterr().out.count(word) == count
