"""Derivatives of loops by all of the public functions, against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import function, grad, loop, scan
from tensordsl.gof.graph import io_toposort
from tensordsl.gradient import (
    DisconnectedInputError,
    Lop,
    Rop,
    consider_constant,
    disconnected_grad,
    hessian,
    hessian_vector_product,
    jacobian,
    subgraph_grad,
)
from tensordsl.ifelse import ifelse
from tensordsl.scan_module import until
from tensordsl.scan_module.scan_op import Scan

x, d, w = T.dvector("x"), T.dscalar("d"), T.dscalar("w")
X, D, W = np.linspace(0.2, 1, 5), 0.3, 0.7


def body(a: Any, s: Any) -> Any:
    return T.tanh(s * w) + a * a


def taps(a: Any, s: Any, t: Any) -> Any:
    return T.tanh(s * w) + a * a * t


def nested(a: Any, s: Any) -> Any:
    return s * 0.5 + scan(lambda b, t: T.sin(t * b + w), x, s)[0].sum() * a


START = T.stack([d, d * 2])
LOOPS: dict[str, Any] = {
    "a scan": scan(body, x, d)[0],
    "until": scan(lambda a, s: (body(a, s), until(s > 1.2)), x, d)[0],
    "taps": scan(taps, x, dict(initial=START, taps=[-2, -1]))[0],
    "taps of a sequence": scan(lambda a, b, s: body(a * b, s), dict(input=x, taps=[-1, 1]), d)[0],
    "backwards": scan(body, x, d, go_backwards=True)[0],
    "a loop in it": scan(nested, x, d)[0],
    "a branch in it": scan(lambda a, s: ifelse(a > 0.5, T.sin(s * w), s * a), x, d)[0],
    "a gradient in it": scan(
        lambda a, s: s - 0.1 * a * grad(scan(lambda b, t: T.sin(t * b) * s, x, s)[0].sum(), s), x, d)[0],
    "in a branch": ifelse(w > 0, scan(body, x, d)[0], x * d),
    "a loop": loop(lambda s, a: (body(a, s), s * a), d, x)[1],
    "in blocks": loop(lambda s, a: (body(a, s), s * a), d, x, checkpoint=2)[1],
    "in reverse": loop(lambda s, a: (body(a, s), s * a), d, x, reverse=True)[1],
    "checkpoints": tensordsl.scan_checkpoints(body, x, d, save_every_N=2)[0],
    "indices": scan(lambda k, s: T.tanh(s * x[k]) + x[k - 1], T.arange(5), d)[0],
}  # fmt: skip


def at(outputs: Any, values: Any = X) -> Any:
    return function([x, d, w], outputs, on_unused_input="ignore")(values, D, W)


def differences(value: Any) -> np.ndarray[Any, Any]:
    """The Jacobian by x of a function of arrays."""
    columns = [(value(X + 1e-6 * row) - value(X - 1e-6 * row)) / 2e-6 for row in np.eye(5)]
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("name", LOOPS)
def test_first_and_second_derivatives(name: str) -> None:
    values = LOOPS[name]
    cost, ones = T.sin(values).sum(), T.ones_like(x)
    gradient = grad(cost, x)
    by_rounds = differences(lambda a: at(values, a))
    by_cost = differences(
        function([x], gradient, givens={d: T.constant(D), w: T.constant(W)}, on_unused_input="ignore")
    )
    found = at([
        jacobian(values, x), Rop(values, x, ones), Lop(values, x, T.ones_like(values)),
        hessian(cost, x), hessian_vector_product(cost, x, ones), Rop(gradient, x, ones),
        grad(Rop(cost, x, ones), x), Rop(Rop(cost, x, ones), x, ones),
    ])  # fmt: skip
    expected = [
        by_rounds, by_rounds.sum(1), by_rounds.sum(0), by_cost, by_cost.sum(1), by_cost.sum(1), by_cost.sum(0),
        by_cost.sum(),
    ]  # fmt: skip
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", LOOPS)
def test_derivatives_by_what_all_rounds_use(name: str) -> None:
    values = T.sin(LOOPS[name]).sum()
    gradients = grad(values, [d, w], disconnected_inputs="ignore")
    forward = [Rop(values, v, T.ones_like(v), disconnected_outputs="ignore") for v in (d, w)]
    f = function([x, d, w], [values, *gradients, *forward], on_unused_input="ignore")
    _, by_d, by_w, rop_d, rop_w = f(X, D, W)
    assert by_d == pytest.approx((f(X, D + 1e-6, W)[0] - f(X, D - 1e-6, W)[0]) / 2e-6, rel=1e-5, abs=1e-8)
    assert by_w == pytest.approx((f(X, D, W + 1e-6)[0] - f(X, D, W - 1e-6)[0]) / 2e-6, rel=1e-5, abs=1e-8)
    np.testing.assert_allclose([rop_d, rop_w], [by_d, by_w], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 9])
def test_a_truncated_gradient_is_truncated_forwards(steps: int) -> None:
    last = scan(body, x, d, truncate_gradient=steps)[0][-1]
    by_x, by_d, forward = at([*grad(last, [x, d]), Rop(last, [x, d], [T.ones_like(x), T.ones_like(d)])])
    assert forward == pytest.approx(by_x.sum() + by_d)


def test_forward_mode_remembers_nothing() -> None:
    last, _ = loop(lambda s, a: (T.tanh(s + a), None), T.zeros(100), x)
    f = function([x], Rop(last, x, T.ones_like(x)))
    assert not any("x.shape[0]" in s.bytes and "800" in s.bytes for s in f.memory_map())
    np.testing.assert_allclose(f(X), at(Lop(last, x, T.ones_like(last))).sum() / 100 * np.ones(100))


def test_where_the_flow_is_cut() -> None:
    whole = at(grad(LOOPS["a scan"].sum(), [x, d]))
    values = LOOPS["a scan"]
    by_x, by_d = at(grad(scan(lambda a, s: body(a, consider_constant(s)), x, d)[0].sum(), [x, d]))
    np.testing.assert_allclose(by_x, 2 * X)
    assert by_d == 0
    cut = scan(lambda a, s: body(a, disconnected_grad(s)), x, d)[0].sum()
    np.testing.assert_allclose(at(grad(cut, x)), 2 * X)
    np.testing.assert_allclose(at(grad((values * x).sum(), x, consider_constant=[values])), at(values))
    for one, other in zip(at(grad(None, [x, d], known_grads={values: T.ones_like(values)})), whole, strict=True):
        np.testing.assert_allclose(one, other)
    (by_w,), (by_values,) = subgraph_grad([w], [values], cost=T.sqr(values).sum())
    np.testing.assert_allclose(at(by_values), 2 * at(values))
    assert at(by_w) == 0


def test_what_a_loop_does_not_depend_on() -> None:
    other = T.dvector("other")
    with pytest.raises(DisconnectedInputError):
        grad(LOOPS["a scan"].sum(), other)
    with pytest.raises(DisconnectedInputError):
        Rop(LOOPS["a scan"], other, T.ones_like(other))
    whole = scan(lambda a, s: T.cast(a, "int64") + s, x, T.constant(1, dtype="int64"))[0]
    assert at(Rop(whole * 1.0, x, T.ones_like(x), disconnected_outputs="ignore")).tolist() == [0] * 5


def test_shared_variables_and_starts() -> None:
    shared, start = tensordsl.shared(W), tensordsl.shared(np.array([0.3, 0.6]))
    values, _ = scan(lambda a, s: T.tanh(s * shared) + a * a, x, d)
    assert at(grad(values.sum(), shared)) == pytest.approx(at(grad(LOOPS["a scan"].sum(), w)))
    values, _ = scan(taps, x, dict(initial=start, taps=[-2, -1]))
    by_start = at(grad(values.sum(), start))
    assert by_start @ [1, 2] == pytest.approx(at(grad(LOOPS["taps"].sum(), d)))


def size(outputs: list[Any]) -> int:
    """How many operations compute the outputs, those of the rounds of loops included."""
    nodes = io_toposort([], outputs)
    return len(nodes) + sum(size(node.op.outputs) for node in nodes if isinstance(node.op, Scan))


def test_the_gradient_of_loops_in_loops_is_no_power_of_their_depth() -> None:
    """Each level more adds itself, and the values of each level in it once more."""

    def deep(k: int, s: Any) -> Any:
        return scan(lambda a, t: deep(k - 1, t) * a, x, s)[0][-1] if k else T.tanh(s * w)

    costs = [deep(k, d) for k in range(1, 7)]
    backwards = [size(grad(cost, [x, d])) for cost in costs]
    forwards = [size([Rop(cost, d, T.ones_like(d))]) for cost in costs]
    for sizes in (backwards, forwards):
        assert np.all(np.diff(sizes, n=2) <= 8)
