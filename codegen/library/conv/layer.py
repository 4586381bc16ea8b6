"""A layer: what all functions of convolutions know of one, as a struct that its tasks share.

Contract  y[n, g, o, q] = sum over c and taps t of x[n, g, c, stride q + dilation t - before] w[g, o, c, t]; what is
          outside of x is 0.  Three spatial axes; strides of memory in bytes.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.kernel_ir.structs import Fields, Struct
from tensordsl.codegen.kernel_ir.types import Kind, Signature, Type, i64, ptr, signature
from tensordsl.codegen.library.gemm.signatures import named

AXES = range(3)


def numbers_of_axes(*names: str) -> dict[str, Kind]:
    """Fields or parameters: one for each axis, of each name."""
    return {f"{name}{a}": i64 for name in names for a in AXES}


# image, group, in, out: steps along these; groups of x and y are steps of `c` and `o` channels.
# x, w, y: steps along spatial axes; nx, nw, ny: lengths; block: of the results that a task computes at most, tasks: how
# many along the axis; long: elements of a plane along the axis, phases: planes for it, see `library.conv.planes`.
# c_block, o_block: channels of a task of the gradient by weights, and how many tasks.
LAYER = Struct(
    rt=ptr, x=ptr, w=ptr, y=ptr,
    x_image=i64, x_channel=i64, w_group=i64, w_out=i64, w_in=i64, y_image=i64, y_channel=i64,
    images=i64, groups=i64, c=i64, o=i64,
    **numbers_of_axes("x_step", "w_step", "y_step", "nx", "nw", "ny", "stride", "dilation", "before"),
    **numbers_of_axes("block", "tasks", "long", "phases"),
    terms=i64, plane=i64, planes_bytes=i64, offsets=ptr, packed=ptr,
    c_block=i64, o_block=i64, c_tasks=i64, o_tasks=i64,
)  # fmt: skip


def of_axes(layer: Fields, name: str) -> list[Any]:
    return [getattr(layer, f"{name}{a}") for a in AXES]


def of_box(name: str, v: Type) -> Signature:
    """The signature of a function of an image, a group, and a box of results."""
    parameters: dict[str, Kind] = {"layer": ptr, "image": i64, "group": i64, **numbers_of_axes("first", "count")}
    return signature(named(name, v), None, parameters)
