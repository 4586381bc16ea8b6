"""Graphs with loops: cloned, given other values, retyped, pickled, copied, and in ops of their own."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import OpFromGraph, clone, function, grad, loop, scan

x, y, d, w, z = T.dvector("x"), T.dvector("y"), T.dscalar("d"), T.dscalar("w"), T.dscalar("z")
X = np.arange(1.0, 6.0)
STATES = [3.0, 8, 19, 42, 89]
values, _ = scan(lambda a, s: s * w + a, x, d)
inside = z * 2
products, _ = scan(lambda a: a * inside, x)


def test_clone_replaces_what_a_step_uses() -> None:
    two = T.constant(2.0, dtype="float64")
    assert function([x, d], clone(values, {w: two}))(X, 1).tolist() == STATES
    assert function([y, d, w], clone(values, {x: y * 2}))(X / 2, 1, 2).tolist() == STATES
    assert function([x, w], clone(products, {inside: w}))(X, 3).tolist() == (3 * X).tolist()
    assert function([x, w], clone(products, {z: w}))(X, 3).tolist() == (6 * X).tolist()
    own = clone(values, share_inputs=False)
    inputs = tensordsl.gof.graph.inputs([own])
    given = [v for v in inputs if not isinstance(v, T.TensorConstant)]
    assert {v.name for v in given} == {"x", "d", "w"} and not {x, d, w} & set(given)
    by_name = {v.name: v for v in given}
    assert function([by_name[k] for k in "xdw"], own)(X, 1, 2).tolist() == STATES


def test_givens_reach_into_steps() -> None:
    shared = tensordsl.shared(2.0)
    scaled, _ = scan(lambda a: a * shared, x)
    assert function([x, w], products, givens={inside: w})(X, 3).tolist() == (3 * X).tolist()
    assert function([x, w], products, givens={z: w * 2})(X, 3).tolist() == (12 * X).tolist()
    assert function([x, w], scaled, givens={shared: w})(X, 3).tolist() == (3 * X).tolist()
    f = function([x, w], grad(products.sum(), x), givens={z: w})
    assert f(X, 3).tolist() == [6] * 5


def test_loops_take_other_types_where_clone_is_not_strict() -> None:
    xf, f, xi, i = T.fvector("xf"), T.fscalar("f"), T.lvector("xi"), T.lscalar("i")
    single = clone(values, {x: xf, d: f, w: f}, strict=False)
    assert single.dtype == "float32" and function([xf, f], single)(np.float32(X), np.float32(1)).dtype == "float32"
    whole, _ = scan(lambda a, s: s * 2 + a, xi, i)
    real = clone(whole, {xi: x}, strict=False)  # the state starts in the dtype that it becomes
    assert real.dtype == "float64" and function([x, i], real)(X, 1).tolist() == STATES
    assert function([x, i], grad(real.sum(), x))(X, 1).tolist() == [31, 15, 7, 3, 1]
    half = function([x, w], products, givens=[(z, T.cast(w, "float32"))], rebuild_strict=False)
    assert half(X, 3).tolist() == (6 * X).tolist()


@pytest.mark.parametrize("again", [lambda v: pickle.loads(pickle.dumps(v)), copy.deepcopy, copy.copy])
def test_functions_and_graphs_are_pickled_and_copied(again: Any) -> None:
    f = function([x, d, w], values)
    assert again(f)(X, 1, 2).tolist() == STATES
    if again is copy.copy:
        return
    last = loop(lambda s, a: (s * w + a, None), d, x, checkpoint=2)[0]
    *inputs, states, end = again([x, d, w, values, last])
    f = function(inputs, [states, end, grad(end, inputs[1])])
    assert [v.tolist() for v in f(X, 1, 2)] == [STATES, 89, 32]


def test_copies_of_functions_keep_updates_of_steps() -> None:
    count = tensordsl.shared(0.0)
    counted, updates = scan(lambda a: (a + count, {count: count + 1}), x)
    f = function([x], counted, updates=updates)
    assert f.copy()(X).tolist() == (X + np.arange(5)).tolist()
    assert f(X).tolist() == (X + np.arange(5, 10)).tolist()
    assert f.copy(swap={count: tensordsl.shared(5.0)})(X).tolist() == (X + np.arange(5, 10)).tolist()
    assert f.copy(delete_updates=True)(X).tolist() == f(X).tolist() == (X + np.arange(10, 15)).tolist()


def test_ops_of_graphs_hold_loops_and_are_held_by_them() -> None:
    g, e = T.dvector("g"), T.dscalar("e")
    product = OpFromGraph([g, e], [scan(lambda a, s: s * a, g, e)[0]])
    found, by_x = function([x, d], [product(x, d), grad(product(x, d)[-1], x)])(X, 1)
    assert found.tolist() == [1, 2, 6, 24, 120]
    np.testing.assert_allclose(by_x, 120 / X)
    one = OpFromGraph([e, w], [T.tanh(e * w)])
    by_op, _ = scan(lambda a, s: one(s, a), x, d)
    plain, _ = scan(lambda a, s: T.tanh(s * a), x, d)
    both = function([x, d], [by_op, plain, *grad(by_op.sum(), [x, d]), *grad(plain.sum(), [x, d])])(X, 0.5)
    for k in (0, 2, 3):
        np.testing.assert_allclose(both[k], both[k + 1 if k == 0 else k + 2])
    seven = OpFromGraph([e, w], [T.tanh(e * w)], grad_overrides=lambda inputs, g: [g[0] * 0 + 7, g[0] * 0])
    assert function([x, d], grad(scan(lambda a, s: seven(s, a), x, d)[0][-1], d))(X, 1) == 7
    twice = OpFromGraph([g, e], [product(g, e).sum()])
    nested, _ = scan(lambda a: twice(x, a), x)
    np.testing.assert_allclose(function([x], nested)(X), 153 * X)


def test_a_graph_that_is_computed_at_once() -> None:
    assert values.eval({x: X, d: 1.0, w: 2.0}).tolist() == STATES
