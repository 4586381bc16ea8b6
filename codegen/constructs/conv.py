"""conv, conv_inputs, conv_weights: convolutions and their gradients by either operand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

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
from tensordsl.graph.variables import Apply
from tensordsl.ops.conv.rows import CONV, CONV_INPUTS, CONV_WEIGHTS, Geometry, extent_of_taps, pads
from tensordsl.ops.conv.windows import conv_of_windows, inputs_of_windows, weights_of_windows

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer

WRITER = ObjectWriter("tensordsl.codegen.library.conv.driver", "conv_text", of_dtype=True)
COMPUTED_IN = {"float16": "float32", "float32": "float32", "float64": "float64"}


def _of_windows(
    definition: Callable[..., Any], low: Lowering, node: Apply, operands: Sequence[Value]
) -> Sequence[Value]:
    """By `definition`, other rows; the row's own rule checks the lengths."""
    node.row.shape(low.graph.extents, *operands, **node.attrs)
    return low.run([definition(*node.inputs, **node.attrs)])


def _numpy(row: Any, lengths: Callable[..., Any]) -> Callable[..., None]:
    def run(a: Any, b: Any, numbers: Any, y: Any) -> None:
        steps = numbers.strides
        n, k, q = lengths(a, b, y)
        axes = [slice(0, 3), slice(3, 6), slice(6, 9)]
        strides, dilation, before = (steps[axis] for axis in axes)
        behind = [
            (many - 1) * s + (taps - 1) * d + 1 - length - first
            for length, taps, many, s, d, first in zip(n, k, q, strides, dilation, before, strict=True)
        ]
        padding = tuple(zip(before, behind, strict=True))
        given = (a, b) if row is CONV else (a, b, *y.shape[2:])
        attrs = {
            "strides": strides,
            "dilation": dilation,
            "padding": padding,
            "groups": steps[9],
            "flip": bool(steps[10]),
        }
        y[...] = row.oracle(*given, **attrs) if y.size else 0

    return run


class _OfLibrary(Construct):
    """A function of the library for floats, else other rows; attributes: those of the row, and in the padding's place
    `bounds`, of which the first ones are what is added before each axis."""

    traits = Traits(stores_operands=True, makes_floats=True, has_lengths=True)
    missing: ClassVar = {"gpu": "devices have no kernels of convolutions: the host does the step"}
    definition: ClassVar[Callable[..., Any]]
    axes: ClassVar[int] = (
        5  # of operands of the library: two, and three spatial ones, of which the first may be missing
    )

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> Sequence[Value]:
        g, dtype, cls = low.graph, node.outputs[0].type.dtype, type(self)
        if dtype not in COMPUTED_IN or not g.tuning.allows("offset_convolutions"):
            return _of_windows(cls.definition, low, node, operands)
        at = Geometry(**node.attrs)
        shape = node.row.shape(g.extents, *operands, **node.attrs)
        lengths, kernel = self.lengths(operands, shape)
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

    def lengths(self, operands: Sequence[Value], shape: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """The shapes of the input and of the weights, from the operands and the shape of the result."""
        raise NotImplementedError

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
        numbers = [
            *(1,) * absent, *at["strides"], *(1,) * absent, *at["dilation"], *(0,) * absent,
            *(before for before, *_ in at["bounds"]), at["groups"], int(at["flip"]),
        ]  # fmt: skip
        told = b.operand(a.ptr, v.dtype, (0,) * len(numbers), numbers)
        b.emit(p.LibraryCall(self.name, (operand(a), operand(c), told), (operand(ref),)))
        b.finish(v, ref)

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.writer import call  # late: for exports only

        call(e, v, v.op, v.operands)


@register
class Conv(_OfLibrary):
    """conv(strides, dilation, padding, groups, flip): sums of products of weights with the windows of an input."""

    name, definition = "conv", staticmethod(conv_of_windows)
    library = {
        "conv": LibraryFunction(
            _numpy(CONV, lambda x, w, y: (x.shape[2:], w.shape[2:], y.shape[2:])), WRITER, work_ns=10_000
        )
    }

    def lengths(self, operands: Sequence[Value], shape: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        return operands[0].shape, operands[1].shape


@register
class ConvInputs(_OfLibrary):
    """conv_inputs: the gradient of `conv` by its input, which is a transposed convolution."""

    name, definition = "conv_inputs", staticmethod(inputs_of_windows)
    library = {
        "conv_inputs": LibraryFunction(
            _numpy(CONV_INPUTS, lambda w, g, y: (y.shape[2:], w.shape[2:], g.shape[2:])), WRITER, work_ns=10_000
        )
    }

    def lengths(self, operands: Sequence[Value], shape: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        return shape, operands[0].shape


@register
class ConvWeights(_OfLibrary):
    """conv_weights: the gradient of `conv` by its weights."""

    name, definition = "conv_weights", staticmethod(weights_of_windows)
    library = {
        "conv_weights": LibraryFunction(
            _numpy(CONV_WEIGHTS, lambda x, g, w: (x.shape[2:], w.shape[2:], g.shape[2:])), WRITER, work_ns=100_000
        )
    }

    def lengths(self, operands: Sequence[Value], shape: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        return operands[0].shape, shape
