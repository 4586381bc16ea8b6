"""Factors of matrices and systems with them: functions of the library over LAPACK, or host steps without one.

Complex numbers stand in memory as pairs, with NumPy and with LAPACK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tensordsl.codegen.abi.layouts import LIBRARY_CALLS
from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.matrices import (
    Given,
    call_on_matrices,
    check_failure,
    finish_results,
    in_columns,
    in_rows,
    readable,
    swapped,
    used_results,
)
from tensordsl.codegen.library.object_writer import ObjectWriter
from tensordsl.codegen.program_ir.storage import Ref
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import Construct, LibraryFunction, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering, loops_of_step
from tensordsl.codegen.tensor_ir.lower_complex import split_complex
from tensordsl.codegen.tensor_ir.verify import check, same_shape
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Apply, apply
from tensordsl.ops.linalg.matrices import nan_of
from tensordsl.ops.math.complexes import conj
from tensordsl.ops.table import OPS

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer

REAL_TYPES = ("float32", "float64")
LAPACK_TYPES = (*REAL_TYPES, *COMPLEX)


class OfMatrices(Construct):
    """A construct over functions of the library; without LAPACK, its row's host step."""

    missing: ClassVar[Mapping[str, str]] = {"gpu": "devices have no kernels of factors: the host does the step"}
    attributes: ClassVar[tuple[str, ...]] = ()  # of the row, that the value needs
    dtypes: ClassVar[tuple[str, ...]] = LAPACK_TYPES  # of its functions

    def is_native(self, low: Lowering, node: Apply) -> bool:
        """Whether a row has its function: the process has a LAPACK, and operands are of its dtypes."""
        dtypes = {v.type.dtype for v in node.inputs} - {"int32"}
        return low.graph.tuning.allows("native_lapack") and dtypes <= {*self.dtypes}

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> Sequence[Value]:
        if not self.is_native(low, node):
            return low.host(node, operands)
        operands = [low.graph.cast(o, v.type.dtype) for o, v in zip(operands, node.inputs, strict=True)]
        return self.made(low, node, operands, [v.type.dtype for v in node.outputs])

    def made(self, low: Lowering, node: Apply, operands: list[Value], dtypes: Sequence[str]) -> list[Value]:
        """The results of a value of this construct."""
        g = low.graph
        shape = node.row.shape(g.extents, *operands, **node.attrs)
        attrs = {name: node.attrs[name] for name in self.attributes}
        loops = loops_of_step(g, operands) if self.traits.has_effects else None
        if len(dtypes) == 1:
            return [g.make(self.name, operands, dtypes[0], shape, loops=loops, **attrs)]
        made = g.make(self.name, operands, "", (), loops=loops, **attrs)
        return [g.result(made, k, dtype, s) for k, (dtype, s) in enumerate(zip(dtypes, shape, strict=True))]

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> Sequence[Value]:
        return [split_complex(low, v) for v in self.lower(low, node, operands)]

    def mlir(self, e: Writer, v: Value) -> None:
        """A call of what whoever runs the module supplies."""
        results = [v] if v.dtype else e.results.get(v.number, [])
        name = f"host_{v.op}_{v.number}"
        operands, types = (", ".join(map(e.type_of, values)) for values in (v.operands, results))
        e.private[name] = f"func.func private @{name}({operands}) -> ({types})"
        call = f"func.call @{name}({', '.join(map(e.value, v.operands))}) : ({operands}) -> ({types})"
        if len(results) == 1:
            e.values[results[0].number] = e.op(call)
            return
        e.count += 1
        e.put(f"%{e.count}:{len(results)} = {call}")
        for k, r in enumerate(results):
            e.values[r.number] = f"%{e.count}#{k}"


def _is_square(graph: Graph, v: Value) -> bool:
    return v.rank >= 2 and same_shape(graph, v.shape[-1:], v.shape[-2:-1])


def each_matrix(outputs: int, function: Callable[..., Any]) -> Callable[..., None]:
    """A function of one batch position, in NumPy, as functions of the library are called: NaN, and the position of the
    first one, where it fails."""

    def run(*operands: Any) -> None:
        *given, info, scratch = operands
        inputs, results = given[: len(given) - outputs], given[len(given) - outputs :]
        first = int(np.atleast_1d(scratch)[:8].view("int64")[0])
        for number, position in enumerate(np.ndindex(inputs[0].shape[:-2]), first):
            try:
                with np.errstate(all="ignore"):
                    found = function(*(x[position] for x in inputs))
            except np.linalg.LinAlgError:
                for y in results:
                    y[position] = nan_of(y.dtype)
                if info < 0 or number < info:
                    info[...] = number
                continue
            for y, value in zip(results, found if isinstance(found, tuple) else (found,), strict=True):
                y[position] = value

    return run


def by_row(name: str, **attrs: Any) -> Callable[..., Any]:
    """A function of one matrix by a row's oracle."""

    def run(*operands: Any) -> Any:
        oracle = OPS[name].oracle
        assert oracle is not None
        return oracle(*operands, **attrs)

    return run


@register
class Cholesky(OfMatrices):
    """cholesky(lower, on_error): the factor, by the triangle that `lower` says; zeros in the other one."""

    name = "cholesky"
    traits = Traits(has_effects=True, is_contiguous=True, stores_operands=True, makes_floats=True, begins_with=0)
    attributes = ("lower", "on_error")
    library = {
        name: LibraryFunction(
            each_matrix(1, by_row("cholesky", lower=True, on_error="raise")),
            ObjectWriter("tensordsl.codegen.library.linalg.cholesky", "cholesky_text", of_dtype=True, level=1),
            work_ns=4_000,
        )
    }

    def verify(self, graph: Graph, v: Value) -> None:
        (x,) = v.operands
        check(_is_square(graph, v) and same_shape(graph, x.shape, v.shape), v, "square matrices")
        check(x.dtype == v.dtype and v.dtype in LAPACK_TYPES, v, "a dtype of LAPACK")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        x = b.ref(v.operands[0])
        ref = _where(b, v, x)
        lower = v.attrs["lower"]
        given, result = (Given(r if lower else swapped(r), v.dtype) for r in (x, ref))
        info = call_on_matrices(b, self.name, [given], [result])
        if v.attrs["on_error"] == "raise":
            check_failure(b, v, info, "cholesky: a matrix is not positive definite")
        b.finish(v, ref)


def _where(b: Bufferiser, v: Value, x: Ref) -> Ref:
    """Where a result goes that may begin with x, in C order."""
    if v.number in b.in_place and v.number not in b.targets and in_rows(x, v.dtype):
        return x
    ref = b.destination(v, v.dtype, v.shape)
    return ref if in_rows(ref, v.dtype) else b.allocate(v.shape, v.dtype)


@register
class CholeskyVjp(OfMatrices):
    """cholesky_vjp: the cotangent of the matrix from its lower factor and that of this, in the lower triangle."""

    name, dtypes = "cholesky_vjp", REAL_TYPES
    traits = Traits(is_contiguous=True, stores_operands=True, makes_floats=True, begins_with=1)
    library = {
        name: LibraryFunction(
            each_matrix(1, by_row("cholesky_vjp")),
            ObjectWriter("tensordsl.codegen.library.linalg.cholesky_vjp", "cholesky_vjp_text", of_dtype=True, level=1),
            work_ns=2 * 4_000,
        )
    }

    def verify(self, graph: Graph, v: Value) -> None:
        factor, g = v.operands
        check(_is_square(graph, v) and same_shape(graph, factor.shape, v.shape), v, "square matrices")
        check(same_shape(graph, g.shape, v.shape), v, "a cotangent like the factor")
        check(factor.dtype == g.dtype == v.dtype and v.dtype in self.dtypes, v, "a dtype of LAPACK")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        factor, g = (b.ref(o) for o in v.operands)
        if not in_rows(factor, v.dtype):
            factor = b.packed(factor, v.dtype)
        ref = _where(b, v, g)
        scratch = ITEMSIZE[v.dtype] * b.tuning.matrices.vjp_block_rows**2
        call_on_matrices(b, self.name, [Given(factor, v.dtype), Given(g, v.dtype)], [Given(ref, v.dtype)], scratch)
        b.finish(v, ref)


class _System(OfMatrices):
    """Systems whose last operand is the right-hand side."""

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> Sequence[Value]:
        """With the adjoint of A, x is the conjugate of what solves the transposed system for that of b."""
        if node.attrs["trans"] != 2 or not self.is_native(low, node):
            return super().lower_complex(low, node, operands)
        *others, b = node.inputs
        return low.run([conj(apply(node.row, *others, conj(b), **{**node.attrs, "trans": 1}))])


@register
class SolveTriangular(_System):
    """solve_triangular(lower, trans, unit_diagonal): A^-1 B for a triangle of A, transposed if trans is not 0."""

    name = "solve_triangular"
    traits = Traits(has_effects=True, is_contiguous=True, stores_operands=True, makes_floats=True, begins_with=1)
    attributes = ("lower", "trans", "unit_diagonal")
    library = {
        f"triangular_{'unit_' * unit}{'lower' if lower else 'upper'}": LibraryFunction(
            each_matrix(1, by_row("solve_triangular", lower=lower, trans=0, unit_diagonal=unit)),
            ObjectWriter("tensordsl.codegen.library.linalg.triangular", "triangular_text", of_dtype=True, level=1),
            work_ns=4_000,
        )
        for unit in (False, True)
        for lower in (True, False)
    }

    def verify(self, graph: Graph, v: Value) -> None:
        a, rhs = v.operands
        check(_is_square(graph, a) and same_shape(graph, rhs.shape, v.shape), v, "square matrices, and a result like B")
        check(a.dtype == rhs.dtype == v.dtype and v.dtype in LAPACK_TYPES, v, "a dtype of LAPACK")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        a, rhs = (b.ref(o) for o in v.operands)
        a = readable(b, a, v.dtype)
        ref, lower = _where(b, v, rhs), v.attrs["lower"]
        if v.attrs["trans"]:
            a, lower = swapped(a), not lower
        function = f"triangular_{'unit_' * v.attrs['unit_diagonal']}{'lower' if lower else 'upper'}"
        info = call_on_matrices(b, function, [Given(a, v.dtype), Given(rhs, v.dtype)], [Given(ref, v.dtype)])
        check_failure(b, v, info, "solve_triangular: a matrix is singular")
        b.finish(v, ref)


@register
class LuFactor(OfMatrices):
    """lu_factor: `result(0)` is L without its ones and U, `result(1)` the exchanges of rows."""

    name = "lu_factor"
    traits = Traits(stores_operands=True, makes_floats=True)
    library = {
        name: LibraryFunction(
            each_matrix(2, by_row("lu_factor")),
            ObjectWriter("tensordsl.codegen.library.linalg.lu", "factor_text", of_dtype=True),
            work_ns=4_000,
        )
    }

    def verify(self, graph: Graph, v: Value) -> None:
        check(not v.dtype and v.operands[0].rank >= 2 and v.operands[0].dtype in LAPACK_TYPES, v, "matrices")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        (x,), used = v.operands, used_results(b, v)
        factors, pivots = (used[k][0] if k in used else None for k in (0, 1))
        m, n = x.shape[-2:]
        least = ex.minimum(m, n)
        source = b.ref(x)
        at = b.destination(factors, x.dtype, x.shape) if factors is not None and factors.number in b.targets else None
        fits = at is not None and in_rows(at, x.dtype) and b.find(m) == b.find(n)
        ref = at if at is not None and fits else in_columns(b, x.shape, x.dtype)
        rows = b.destination(pivots, "int32", pivots.shape) if pivots is not None else None
        rows = b.allocate((*x.shape[:-2], least), "int32") if rows is None else rows
        outputs = [Given(ref, x.dtype), Given(rows, "int32", 1)]
        call_on_matrices(b, self.name, [Given(source, x.dtype)], outputs, ex.mul(8, least))
        finish_results(b, used, {0: ref, 1: rows})


@register
class LuSolve(_System):
    """lu_solve(trans): A^-1 B for the factors and exchanges of A, transposed if trans is not 0."""

    name = "lu_solve"
    traits = Traits(has_effects=True, is_contiguous=True, stores_operands=True, makes_floats=True, begins_with=2)
    attributes = ("trans",)
    library = {
        f"lu_solve{'_transposed' * trans}": LibraryFunction(
            each_matrix(1, by_row("lu_solve", trans=trans)),
            ObjectWriter("tensordsl.codegen.library.linalg.lu", "solve_text", of_dtype=True),
            work_ns=4_000,
        )
        for trans in (0, 1)
    }

    def verify(self, graph: Graph, v: Value) -> None:
        a, pivots, rhs = v.operands
        check(_is_square(graph, a) and same_shape(graph, rhs.shape, v.shape), v, "square matrices, and a result like B")
        check(a.dtype == rhs.dtype == v.dtype and v.dtype in LAPACK_TYPES, v, "a dtype of LAPACK")
        check(pivots.dtype == "int32" and same_shape(graph, pivots.shape, a.shape[:-1]), v, "an exchange for each row")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        a, pivots, rhs = (b.ref(o) for o in v.operands)
        a = readable(b, a, v.dtype)
        ref = _where(b, v, rhs)
        inputs = [Given(a, v.dtype), Given(pivots, "int32", 1), Given(rhs, v.dtype)]
        function = f"lu_solve{'_transposed' * (v.attrs['trans'] != 0)}"
        info = call_on_matrices(b, function, inputs, [Given(ref, v.dtype)])
        check_failure(b, v, info, "lu_solve: a matrix is singular")
        b.finish(v, ref)


@register
class SwapRows(OfMatrices):
    """swap_rows(inverse): rows exchanged by the pivots of LU factors, in their order or from the last one."""

    name = "swap_rows"
    traits = Traits(has_effects=True, is_contiguous=True, stores_operands=True, begins_with=0)
    attributes = ("inverse",)
    library = {
        f"swap_rows{'_back' * inverse}": LibraryFunction(
            each_matrix(1, by_row("swap_rows", inverse=inverse)),
            ObjectWriter("tensordsl.codegen.library.linalg.lu", "swap_text", of_dtype=True),
        )
        for inverse in (False, True)
    }

    def is_native(self, low: Lowering, node: Apply) -> bool:
        return low.graph.tuning.allows("native_lapack") and node.inputs[0].type.dtype in LIBRARY_CALLS[self.name]

    def verify(self, graph: Graph, v: Value) -> None:
        b, pivots = v.operands
        check(b.rank >= 2 and b.dtype == v.dtype and same_shape(graph, b.shape, v.shape), v, "a result like B")
        check(pivots.dtype == "int32" and pivots.rank == b.rank - 1, v, "exchanges for each matrix")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        rows, pivots = (b.ref(o) for o in v.operands)
        ref = _where(b, v, rows)
        inputs = [Given(rows, v.dtype), Given(pivots, "int32", 1)]
        function = f"swap_rows{'_back' * v.attrs['inverse']}"
        info = call_on_matrices(b, function, inputs, [Given(ref, v.dtype)])
        check_failure(b, v, info, "swap_rows: a pivot is no row")
        b.finish(v, ref)
