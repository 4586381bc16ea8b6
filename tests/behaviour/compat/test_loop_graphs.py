"""`scan_module.scan_utils` and `scan_op`: what programs ask of graphs with loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.scan_module import scan_op, scan_utils

x, d, n = T.dvector("x"), T.dscalar("d"), T.lscalar("n")
shared = theano.shared(2.0, "s")
values, _ = theano.scan(lambda a, state: state * shared + a, x, d, name="decay")
X = [1.0, 2.0, 3.0]


def doubled(v: Any) -> Any:
    return v * 2 if v.name == "s" else v


def test_variables_are_mapped_in_steps_of_loops() -> None:
    nested, _ = theano.scan(lambda a: theano.scan(lambda b, t: t * shared + b * a, x, d)[0][-1], x)
    until, _ = theano.scan(lambda a, t: (t * shared + a, scan_utils.until(t > 2)), x, d)
    for graph in (values, nested, until, T.tanh(x * shared)):
        (mapped,) = scan_utils.map_variables(doubled, [graph])
        f = theano.function([x, d], [graph, mapped], on_unused_input="ignore")
        before = f(X, 0.5)
        try:
            shared.set_value(4.0)
            np.testing.assert_allclose(before[1], f(X, 0.5)[0])
        finally:
            shared.set_value(2.0)
    assert scan_utils.map_variables(lambda v: v, [values]) == [values]
    with pytest.raises(TypeError, match="no variable"):
        scan_utils.map_variables(lambda v: None, [values])


def test_a_loop_is_a_scan_op() -> None:
    op = values.owner.op
    assert isinstance(op, scan_op.Scan) and not isinstance(x.sum().owner.op, scan_op.Scan)
    assert op.truncate_gradient == -1 and not op.as_while
    assert len(op.outputs) == 2 and {v.name for v in op.inputs} >= {"x", "s"}
    with pytest.raises(NotImplementedError, match=r"tensordsl\.scan"):
        scan_op.Scan([], [], {})


def test_shapes_and_copies() -> None:
    ((length,), (rows, columns)) = scan_utils.infer_shape([values, T.outer(x, x)], [x, d], [(n,), ()])
    assert [v.eval({n: 7}) for v in (length, rows, columns)] == [7, 7, 7]
    longer = scan_utils.expand_empty(x, 2)
    assert longer.eval({x: X}).shape == (5,) and scan_utils.expand_empty(x, 0) is x
    (own,), (copy,) = scan_utils.reconstruct_graph([x], [values], "_copy")
    assert own.name == "x_copy" and copy.eval({own: X, d: 0.5}).tolist() == values.eval({x: X, d: 0.5}).tolist()
    assert scan_utils.forced_replace(values, d, T.fscalar()).dtype == "float64"
    assert scan_utils.safe_new(x, "_new", "float32").type == T.fvector


def test_what_a_step_returned() -> None:
    condition, outputs, updates = scan_utils.get_updates_and_outputs(([x, d], {shared: d}, scan_utils.until(d > 1)))
    assert condition.type.ndim == 0 and outputs == [x, d] and list(updates) == [shared]
    assert scan_utils.get_updates_and_outputs(x) == (None, [x], {})
    found = [scan_utils.isNaN_or_Inf_or_None(v) for v in (None, np.nan, np.inf, 1, x)]
    assert found == [True, True, True, False, False]
