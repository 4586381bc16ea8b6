"""Loops of scalars over arrays: at each point of the operands a loop of its own, with its own number of rounds.

Contract   `scalar_loop(n, parameters, operands, next, until)` -> what each point has after its last round, then, with
           `until`, whether that was true in it: not where there is no round.
When       the body is elementwise (`is_elementwise`); all loops of a vector's lanes then run at once, as an elementwise
           operation that fuses with others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tensordsl.graph.types import COMPLEX, INTEGERS
from tensordsl.graph.variables import (
    Dims,
    Elementwise,
    Expand,
    Kernel,
    Movement,
    Op,
    Variable,
    apply,
    toposort,
    unwatched,
)
from tensordsl.ops.control import LoopBody, as_truth, loop_index
from tensordsl.ops.math.elementwise import cast
from tensordsl.ops.operands import as_variable, broadcast


def _dtype(n: str, *dtypes: str, loop: LoopBody) -> tuple[str, ...]:
    if n not in INTEGERS:
        raise TypeError(f"the number of rounds must be an integer, got {n}")
    wanted = [v.type.dtype for v in (*loop.carried, *loop.invariants)]
    if list(dtypes) != wanted:
        raise TypeError(f"the loop wants operands of {', '.join(wanted)}, got {', '.join(dtypes)}")
    return tuple(v.type.dtype for v in loop.expressions)


def _shape(d: Dims, *operands: Any, loop: LoopBody) -> tuple[Any, ...]:
    return (broadcast(d, *operands),) * len(loop.expressions)


def _oracle(n: Any, *operands: Any, loop: LoopBody) -> tuple[Any, ...]:
    """Point by point."""
    from tensordsl.graph.evaluate import evaluate  # late: rows are loaded first

    count = len(loop.carried)
    arrays = np.broadcast_arrays(n, *operands)
    results = [np.empty(arrays[0].shape, v.type.dtype) for v in loop.expressions]
    for place in np.ndindex(arrays[0].shape):
        limit, *given = (x[place] for x in arrays)
        state: list[Any] = [*given[:count], *(() if loop.condition is None else (np.bool_(False),))]
        for _ in range(int(limit)):
            values = dict(zip((*loop.carried, *loop.invariants), (*state[:count], *given[count:]), strict=True))
            state = evaluate(loop.expressions, values)
            if loop.condition is not None and state[-1]:
                break
        for result, value in zip(results, state, strict=True):
            result[place] = value
    return tuple(results)


SCALAR_LOOP = Op(
    "scalar_loop", _dtype, _shape, _oracle, Kernel("scalar_loop", takes_complex=False),
    no_gradient="loops of scalars come from PyTensor, which makes them of gradients",
)  # fmt: skip
ROWS = (SCALAR_LOOP,)


def is_elementwise(expressions: Iterable[Variable]) -> bool:
    """Whether scalars are computed by real elementwise operations alone, so that they can be a body."""
    waiting = list(expressions)
    while waiting:
        for node in toposort([waiting.pop()]):
            meaning = node.row.meaning
            if any(v.type.ndim or v.type.dtype in (*COMPLEX, "float16") for v in (*node.inputs, *node.outputs)):
                return False
            if isinstance(meaning, Expand):
                with unwatched():
                    built = meaning.build(*(v.type() for v in node.inputs), **node.attrs)
                waiting += built if isinstance(built, tuple | list) else [built]
            elif not isinstance(meaning, Elementwise | Movement) or node.row.effect:
                return False
    return True


def scalar_loop(
    n: Any, parameters: Sequence[Variable], operands: Sequence[Any], next: Sequence[Variable], until: Any = None
) -> Any:
    """At each point of `n` and the operands, the loop of these expressions in `parameters`, 0-d variables.

    The first parameters, as many as `next` has, are what rounds hand on; they begin as their operands.  A point has as
    many rounds as its `n`, at most up to the one in which `until` is true.
    """
    count = len(next)
    expressions = [cast(v, p.type.dtype) for v, p in zip(next, parameters, strict=False)]
    given = [cast(as_variable(v), p.type.dtype) for v, p in zip(operands, parameters, strict=True)]
    body = LoopBody(
        loop_index(), tuple(parameters[:count]), tuple(parameters[count:]), tuple(expressions), (),
        condition=None if until is None else as_truth(until), name="scalar_loop",
    )  # fmt: skip
    made = apply(SCALAR_LOOP, as_variable(n), *given, loop=body)
    return made if isinstance(made, tuple | list) else (made,)
