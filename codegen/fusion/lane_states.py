"""Accumulator dtypes: in which dtypes lanes of a kernel keep a reduction's state.

Contract  a reduction -> dtypes of its state in lanes, and how many vectors a lane may count before it overflows.
When      of all reductions; integers of one or two bytes have narrow states.
Why       the size of the state decides how many lanes a vector has.
"""

from __future__ import annotations

from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, SIGNED, Val, walk

MOST_COUNTED = 4095  # vectors that a lane counts before its state takes them


def is_narrow_sum(reduce: Val) -> bool:
    """True for a sum of float32, a few of which may be added in float32 before they go to the state in float64."""
    return bool(reduce.attr[0].name == "sum" and reduce.type == ("float32",))


def counter(reduce: Val) -> tuple[str, int]:
    """The integers in which lanes of a kernel count, as long as what is compared or added, if these have fewer bits
    than a state, and how many vectors they have room for in addition to a row's last one; ("", 0) of other
    reductions."""
    if reduce.attr[0].name != "count":
        return "", 0
    (term,) = reduce.args
    own, is_signed = 0 if term.type == "bool" else ITEMSIZE[term.type], term.type in SIGNED
    read = [ITEMSIZE[v.type] for v in walk([term]) if v.op not in ("const", "extent") and v.type in ITEMSIZE]
    size = max(2 * own, *read, 1)
    if size > 4:
        return "", 0
    room = (1 << 8 * (size - own)) - 2
    return f"{'u' * (not is_signed)}int{8 * size}", min(room, MOST_COUNTED)


def kept_in_lanes(reduce: Val) -> tuple[str, ...]:
    """The dtypes of a reduction's state in the lanes of a kernel, before it goes to the one in scratch."""
    dtype, _ = counter(reduce)
    kept: tuple[str, ...] = reduce.type if is_narrow_sum(reduce) else reduce.attr[0].state(reduce.type)
    return (dtype,) if dtype else kept
