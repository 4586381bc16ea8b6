"""Minima and roots: SciPy's loops, which are Python, over functions that this compiler compiles.

When      `minimize`, `root` and their kin of `pytensor.tensor.optimize`.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from pytensor import config
from pytensor.compile.mode import predefined_modes
from pytensor.graph.basic import Apply

from tensordsl.pytensor.conversion import Conversion, converts


@converts("ScipyWrapperOp")
def _optimum(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    op = copy(node.op)
    op._fn = op._fn_wrapped = None
    if hasattr(op, "link_mode"):  # newer releases have rewritten the inner graph
        from pytensor.compile.inner_function import link_only_mode

        op._fn = op.compile_fn(link_only_mode("tensordsl"))
    else:
        with config.change_flags(mode=predefined_modes["TENSORDSL"]):
            op.build_fn()
    return c.by_python(Apply(op, node.inputs, [v.type() for v in node.outputs]), inputs)
