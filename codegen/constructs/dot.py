"""dot: products of vectors, matrices and stacks of matrices, by a GEMM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.gemm import scratch_of
from tensordsl.codegen.bufferise.row_blocks import build_product
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import Construct, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import by_formula, of_dtype
from tensordsl.codegen.tensor_ir.lower_complex_dot import complex_dot
from tensordsl.codegen.tensor_ir.verify import check, same_shape
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Apply

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer
    from tensordsl.codegen.passes.loops.widen import Widening


@register
class Dot(Construct):
    """dot(alpha, beta, scaled, decays): alpha x y, or alpha x y + beta c with a third operand c; alpha is 1 where it is
    left out.  scaled: the last operand is a number by which alpha is multiplied; decays: the fourth is beta, which is 1
    in the attributes."""

    name, traits = "dot", Traits(is_contiguous=True, stores_operands=True, makes_floats=True, begins_with=2)

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        """Matrices of floats by BLAS; all other dtypes, and rows by columns, as a fused multiply and sum."""
        x, y = operands
        g = low.graph
        shape = node.row.shape(g.extents, x, y, **node.attrs)
        dtype = node.outputs[0].type.dtype
        wide = "float32" if dtype == "float16" else dtype
        x, y = g.cast(g.cast(x, dtype), wide), g.cast(g.cast(y, dtype), wide)
        if wide in ("float32", "float64") and shape != () and shape[1:] != (1, 1):
            return [g.cast(g.make(self.name, (x, y), wide, shape), dtype)]
        from tensordsl.ops.table import OPS  # late: the table imports every row

        full, last = (*shape, x.shape[-1]), len(shape)
        rows, shared = len(x.shape) - 1, range(len(x.shape) // 3)  # of stacks of matrices the first axis is that of all
        a = g.move(x, [*range(rows), last], full)
        b = g.move(y, [*shared, last, *range(rows, last)], full)
        product = g.map(OPS["mul"], a, b)
        return [g.cast(g.reduce(OPS["sum"].meaning, 0, (last,), [product]), dtype)]

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        """Of matrices of complex numbers by real products of pairs; of all others as rows of their parts."""
        if node.row.name != self.name or any(v.dtype not in COMPLEX for v in operands):
            return by_formula(low, node)
        node.row.shape(low.graph.extents, *operands, **node.attrs)  # which requires one length of terms
        return [complex_dot(low.graph, *(of_dtype(low.graph, v, node.outputs[0].type.dtype) for v in operands))]

    def verify(self, graph: Graph, v: Value) -> None:
        x, y, *added = v.operands
        is_stack = x.rank == y.rank == 3
        check(is_stack or {x.rank, y.rank} <= {1, 2}, v, "vectors, matrices, or two stacks of matrices")
        check(all(o.dtype == v.dtype for o in (x, y)), v, "operands of one dtype")
        if "scaled" in v.attrs:
            check(len(added) > 0 and added[-1].dtype == v.dtype and added.pop().rank == 0, v, "a number as its factor")
        if "decays" in v.attrs:
            check(len(added) == 2 and added[-1].dtype == v.dtype and added.pop().rank == 0, v, "a number as its beta")
        check(all(c.dtype == v.dtype and same_shape(graph, c.shape, v.shape) for c in added), v, "a sum of one type")
        check(bool(added) == ("beta" in v.attrs), v, "a factor for what the product is added to")

    def begins_with(self, v: Value) -> int | None:
        return self.traits.begins_with if "beta" in v.attrs else None

    def prepare(self, b: Bufferiser, v: Value) -> None:
        if v.number not in b.products:
            scratch_of(b, v)

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        build_product(b, v)

    def widen(self, w: Widening, v: Value, operands: Sequence[Value], is_wide: Sequence[bool]) -> Value | None:
        """One product whose rows are those of all rounds; where both factors vary, a stack of products."""
        if len(v.operands) > 2 or v.rank == 3:
            return None
        g, n, (x, y) = w.graph, w.count, operands
        if all(is_wide):
            x = x if x.rank == 3 else g.reshape(x, (n, 1, x.shape[1]))
            y = y if y.rank == 3 else g.reshape(y, (n, y.shape[1], 1))
            made = g.make(self.name, (x, y), v.dtype, (n, x.shape[1], y.shape[2]), **v.attrs)
            return g.reshape(made, (n, *v.shape))
        if is_wide[1]:  # x y = (y^T x^T)^T
            x, y = (g.move(m, _transposed(m.rank, wide), _swapped(m, wide)) for m, wide in ((y, True), (x, False)))
        rows = g.reshape(x, (ex.mul(n, x.shape[1]), x.shape[2])) if x.rank == 3 else x
        made = g.make(self.name, (rows, y), v.dtype, (rows.shape[0], *y.shape[1:]), **v.attrs)
        made = g.reshape(made, (*x.shape[:-1], *y.shape[1:]))
        return g.move(made, _transposed(made.rank, True), _swapped(made, True)) if is_wide[1] else made

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.scalars import TYPE  # late: for exports only

        x, y, *added = v.operands
        stack = ["z"] if v.rank == 3 else []
        left = [*stack, *["m", "k"][-x.rank :]]
        right = [*stack, *["k", "n"][: y.rank]]
        out = [*left[:-1], *right[len(stack) + 1 :]]
        init, t = e.empty(v.shape, v.dtype)
        zero = e.scalars.constant(0.0, v.dtype)
        filled = e.op(f"linalg.fill ins({zero} : {TYPE[v.dtype]}) outs({init} : {t}) -> {t}")
        axes = [*out, "k"]
        length = dict(zip([*left, *right], [*x.shape, *y.shape], strict=True))
        kind = TYPE[v.dtype]

        def body(ins: list[str], outs: list[str]) -> list[str]:
            product = e.op(f"arith.mulf {ins[0]}, {ins[1]} : {kind}")
            return [e.op(f"arith.addf {outs[0]}, {product} : {kind}")]

        ins = []
        for operand, names in ((x, left), (y, right)):
            entries: list[Any] = [
                0 if e.find(n) == 1 and a != "k" and length[a] != 1 else a
                for a, n in zip(names, operand.shape, strict=True)
            ]
            base, at = e.base_map(operand, entries)
            ins.append((e.value(base), e.type_of(base), v.dtype, at))
        made = e.generic(axes, ("k",), ins, [(filled, t, v.dtype, out)], body, [length[a] for a in axes])[0]
        e.values[v.number] = _with_factors(e, v, made, added, t) if added or "alpha" in v.attrs else made


def _transposed(rank: int, is_wide: bool) -> list[int]:
    """The map that exchanges the axes of a matrix, behind the axis of a wide one; a vector stays."""
    first = int(is_wide)
    return list(range(rank)) if rank - first < 2 else [*range(first), first + 1, first]


def _swapped(v: Value, is_wide: bool) -> list[Any]:
    return [v.shape[a] for a in _transposed(v.rank, is_wide)]


def _with_factors(e: Writer, v: Value, product: str, added: Sequence[Value], t: str) -> str:
    """alpha product + beta c."""
    from tensordsl.codegen.mlir.scalars import TYPE  # late: for exports only

    axes = [f"d{d}" for d in range(v.rank)]
    init, _ = e.empty(v.shape, v.dtype)
    names = [product, *(e.value(c) for c in added)]
    factors = [e.scalars.constant(v.attrs.get(k, 1.0), v.dtype) for k in ("alpha", "beta")]
    kind = TYPE[v.dtype]

    def body(ins: list[str], outs: list[str]) -> list[str]:
        terms = [e.op(f"arith.mulf {k}, {x} : {kind}") for k, x in zip(factors, ins, strict=False)]
        return terms if len(terms) == 1 else [e.op(f"arith.addf {terms[0]}, {terms[1]} : {kind}")]

    ins = [(name, t, v.dtype, axes) for name in names]
    return e.generic(axes, (), ins, [(init, t, v.dtype, axes)], body, v.shape)[0]
