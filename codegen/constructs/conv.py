"""conv, conv_inputs, conv_weights: convolutions and their gradients by either operand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.library.object_writer import ObjectWriter
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import Construct, LibraryFunction, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.verify import check
from tensordsl.graph.variables import Apply, Op
from tensordsl.ops.conv.rows import CONV, CONV_INPUTS, CONV_WEIGHTS, Geometry, extent_of_taps, pads
from tensordsl.ops.conv.windows import conv_of_windows, inputs_of_windows, weights_of_windows

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer

Item = TypeVar("Item")
WRITER = ObjectWriter("tensordsl.codegen.library.conv.driver", "conv_text", of_dtype=True)
COMPUTED_IN = {"float16": "float32", "float32": "float32", "float64": "float64"}


class Roles(NamedTuple):
    """Which of (first operand, second operand, result) is the input, which the weights, which the result of a layer."""

    input: int
    weights: int
    output: int

    def of(self, values: Sequence[Item]) -> list[Item]:
        return [values[k] for k in self]


def _of_windows(
    definition: Callable[..., Any], low: Lowering, node: Apply, operands: Sequence[Value]
) -> Sequence[Value]:
    """By `definition`, other rows; the row's own rule checks the lengths."""
    node.row.shape(low.graph.extents, *operands, **node.attrs)
    return low.run([definition(*node.inputs, **node.attrs)])


def _numpy(row: Op, roles: Roles) -> Callable[..., None]:
    """The row's oracle as a function of the library: its third operand's strides are the layer's numbers."""
    oracle: Any = row.oracle

    def run(a: Any, b: Any, layer: Any, result: Any) -> None:
        *of_axes, groups, is_flipped = layer.strides
        strides, dilation, before = (of_axes[k : k + 3] for k in (0, 3, 6))
        n, k, q = (x.shape[2:] for x in roles.of((a, b, result)))
        behind = [
            (many - 1) * s + (taps - 1) * d + 1 - length - first
            for length, taps, many, s, d, first in zip(n, k, q, strides, dilation, before, strict=True)
        ]
        given = (a, b) if row is CONV else (a, b, *result.shape[2:])
        padding = tuple(zip(before, behind, strict=True))
        attrs = {
            "strides": strides,
            "dilation": dilation,
            "padding": padding,
            "groups": groups,
            "flip": bool(is_flipped),
        }
        result[...] = oracle(*given, **attrs) if result.size else 0

    return run


class _OfLibrary(Construct):
    """A function of the library for floats, else other rows; attributes: those of the row, and in the padding's place
    `bounds`, of which the first ones are what is added before each axis."""

    traits = Traits(stores_operands=True, makes_floats=True, has_lengths=True)
    missing: ClassVar = {"gpu": "devices have no kernels of convolutions: the host does the step"}
    definition: ClassVar[Callable[..., Any]]
    roles: ClassVar[Roles]
    axes: ClassVar[int] = 5  # of operands of the library: two, and three spatial ones, of which leading ones may lack

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> Sequence[Value]:
        g, dtype, cls = low.graph, node.outputs[0].type.dtype, type(self)
        if dtype not in COMPUTED_IN or not g.tuning.allows("offset_convolutions"):
            return _of_windows(cls.definition, low, node, operands)
        at = Geometry(**node.attrs)
        shape = node.row.shape(g.extents, *operands, **node.attrs)
        lengths, kernel, _ = self.roles.of((operands[0].shape, operands[1].shape, shape))
        around = [pads(g.extents, at.padding, a, k, at.dilation[a]) for a, k in enumerate(kernel[2:])]
        for axis, (n, k, pair, d) in enumerate(zip(lengths[2:], kernel[2:], around, at.dilation, strict=True)):
            what = f"convolution: a kernel is empty, or does not fit into padded spatial axis {axis}"
            g.extents.require(k, 1, what, "ge")
            g.extents.require(ex.total((n, *pair)), extent_of_taps(g.extents, k, d), what, "ge")
        given = [g.cast(o, COMPUTED_IN[dtype]) for o in operands[:2]]
        made = g.make(
            self.name, given, COMPUTED_IN[dtype], shape, strides=at.strides, dilation=at.dilation, groups=at.groups,
            flip=at.flip, bounds=tuple([(before, 0, 0) for before, _ in around]),
        )  # fmt: skip
        return [g.cast(made, dtype)]

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> Sequence[Value]:
        return _of_windows(type(self).definition, low, node, operands)

    def verify(self, graph: Graph, v: Value) -> None:
        a, b = v.operands
        check(a.dtype == b.dtype == v.dtype and v.dtype in COMPUTED_IN, v, "operands of its dtype")
        check(a.rank == b.rank == v.rank <= self.axes, v, "operands of as many axes")
        check(
            len(v.attrs["bounds"]) == len(v.attrs["strides"]) == len(v.attrs["dilation"]) == v.rank - 2, v, "its axes"
        )

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        a, c = (b.ref(o) for o in v.operands)
        ref = b.destination(v, v.dtype, v.shape)
        absent = self.axes - v.rank

        def operand(x: Ref) -> p.Operand:
            dims, strides = ((*given[:2], *(other,) * absent, *given[2:]) for given, other in (
                (x.dims, 1), (x.strides, ITEMSIZE[v.dtype])))  # fmt: skip
            return b.operand(x.ptr, v.dtype, dims, strides)

        at = v.attrs
        layer = [
            *(1,) * absent, *at["strides"], *(1,) * absent, *at["dilation"], *(0,) * absent,
            *(before for before, *_ in at["bounds"]), at["groups"], int(at["flip"]),
        ]  # fmt: skip
        numbers = b.operand(a.ptr, v.dtype, (0,) * len(layer), layer)
        b.emit(p.LibraryCall(self.name, (operand(a), operand(c), numbers), (operand(ref),)))
        b.finish(v, ref)

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.writer import call  # late: for exports only

        call(e, v, v.op, v.operands)


def _library(row: Op, roles: Roles, work_ns: int) -> dict[str, LibraryFunction]:
    return {row.name: LibraryFunction(_numpy(row, roles), WRITER, work_ns=work_ns)}


@register
class Conv(_OfLibrary):
    """conv(strides, dilation, padding, groups, flip): sums of products of weights with the windows of an input."""

    name, definition, roles = "conv", staticmethod(conv_of_windows), Roles(input=0, weights=1, output=2)
    library = _library(CONV, roles, work_ns=10_000)


@register
class ConvInputs(_OfLibrary):
    """conv_inputs: the gradient of `conv` by its input, which is a transposed convolution."""

    name, definition, roles = "conv_inputs", staticmethod(inputs_of_windows), Roles(input=2, weights=0, output=1)
    library = _library(CONV_INPUTS, roles, work_ns=10_000)


@register
class ConvWeights(_OfLibrary):
    """conv_weights: the gradient of `conv` by its weights."""

    name, definition, roles = "conv_weights", staticmethod(weights_of_windows), Roles(input=0, weights=2, output=1)
    library = _library(CONV_WEIGHTS, roles, work_ns=100_000)
