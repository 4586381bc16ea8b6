"""QR factors, singular values and eigenvalues: functions of the library over LAPACK, or host steps without one.

Singular values, eigenvalues and their vectors are computed in float64, as NumPy does: the same signs and order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from tensordsl.codegen.abi.layouts import LAPACK_BLOCK_COLUMNS
from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.matrices import (
    Given,
    call_on_matrices,
    check_failure,
    finish_results,
    in_columns,
    used_results,
)
from tensordsl.codegen.constructs.factorise import LAPACK_TYPES, OfMatrices, by_row, each_matrix
from tensordsl.codegen.library.object_writer import ObjectWriter
from tensordsl.codegen.program_ir.storage import Ref
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import LibraryFunction, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import of_dtype, split_complex
from tensordsl.codegen.tensor_ir.verify import check
from tensordsl.graph.casting import complex_of, real_of
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Apply

WIDE = {"float32": "float64", "float64": "float64", "complex64": "complex128", "complex128": "complex128"}
Lengths = tuple[Any, ...]


def _function(results: int, name: str, work_ns: int, **attrs: Any) -> LibraryFunction:
    writer = ObjectWriter("tensordsl.codegen.library.linalg.spectral", "spectral_text", of_name=True)
    return LibraryFunction(each_matrix(results, by_row(name, **attrs)), writer, work_ns)


class _Spectral(OfMatrices):
    """One operand and some results; a matrix or a vector for each position of the batch."""

    traits = Traits(has_effects=True, stores_operands=True, makes_floats=True)

    failure: ClassVar[str] = ""  # what the error says, "" if none fails
    values: ClassVar[int | None] = None  # the result without vectors, which a function gives that does less

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> Sequence[Value]:
        """The values in the row's dtypes; complex ones in their parts."""
        if not self.is_native(low, node):
            return [split_complex(low, v) for v in low.host(node, operands)]
        g, dtypes, (x,) = low.graph, [v.type.dtype for v in node.outputs], operands
        wide = of_dtype(g, x, "complex128") if x.dtype in COMPLEX else g.cast(x, "float64")
        found = self.made(low, node, [wide], [WIDE[t] for t in dtypes])
        return [
            of_dtype(g, split_complex(low, v), t) if t in COMPLEX else g.cast(v, t)
            for v, t in zip(found, dtypes, strict=True)
        ]

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> Sequence[Value]:
        return self.lower(low, node, operands)

    def verify(self, graph: Graph, v: Value) -> None:
        (x,) = v.operands
        check(x.rank >= 2 and x.dtype in LAPACK_TYPES, v, "matrices of a dtype of LAPACK")

    def function(self, v: Value) -> str:
        """The library's name."""
        return self.name

    def function_of_values(self, v: Value) -> str:
        """That for the values alone."""
        raise NotImplementedError

    def results(self, v: Value) -> list[tuple[str, Lengths]]:
        """The dtype and lengths of each result, behind the batch's."""
        raise NotImplementedError

    def scratch(self, v: Value, m: Any, n: Any) -> tuple[Any, Any, Any]:
        """How many integers, real numbers if its own are complex, and numbers the function needs in its scratch buffer
        (`library.linalg.spectral`)."""
        raise NotImplementedError

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        (x,) = v.operands
        batch, (m, n) = x.shape[:-2], (b.find(d) for d in x.shape[-2:])
        used = {0: [v]} if v.dtype else used_results(b, v)
        source, outputs = b.ref(x), {}
        function, results = self.function(v), dict(enumerate(self.results(v)))
        if self.values is not None and used.keys() == {self.values}:
            function, results = self.function_of_values(v), {self.values: results[self.values]}
        for k, (dtype, lengths) in results.items():
            outputs[k] = _new(b, used[k][0] if k in used else None, dtype, (*batch, *lengths), len(lengths))
        integers, reals, numbers = self.scratch(v, m, n)
        words = ex.add(integers, reals) if x.dtype in COMPLEX else integers
        size = ex.add(ex.mul(8, words), ex.mul(ITEMSIZE[x.dtype], numbers))
        info = call_on_matrices(b, function, [Given(source, x.dtype)], [*outputs.values()], size)
        if self.failure:
            check_failure(b, v, info, f"{self.name}: {self.failure}")
        finish_results(b, used, {k: given.ref for k, given in outputs.items()})


def _new(b: Bufferiser, v: Value | None, dtype: str, dims: tuple[Any, ...], rank: int) -> Given:
    """Where a result goes: matrices have adjacent columns."""
    if rank == 2:
        return Given(in_columns(b, dims, dtype), dtype)
    ref: Ref | None = b.destination(v, dtype, dims) if v is not None else None
    if ref is None or ref.strides[-1] != ITEMSIZE[dtype]:
        ref = b.allocate(dims, dtype)
    return Given(ref, dtype, 1)


def _sum(*terms: Any) -> Any:
    total: Any = 0
    for term in terms:
        total = ex.add(total, term)
    return total


def _svd_reals(m: Any, n: Any) -> Any:
    """For LAPACK's gesdd of complex matrices, with vectors or without."""
    k = ex.minimum(m, n)
    return _sum(ex.mul(ex.mul(2, k), _sum(m, n, 4)), ex.mul(5, ex.mul(k, k)))


def _blocks(*sides: Any) -> Any:
    return ex.mul(LAPACK_BLOCK_COLUMNS, _sum(*sides, 1))


@register
class Qr(_Spectral):
    """qr(mode): `result(0)` has orthogonal columns, `result(1)` is zero below the diagonal."""

    name = "qr"
    traits = Traits(stores_operands=True, makes_floats=True)
    attributes = ("mode",)
    lower, lower_complex = OfMatrices.lower, OfMatrices.lower_complex
    library = {f"qr_{mode}": _function(2, "qr", 10_000, mode=mode) for mode in ("reduced", "complete")}

    def function(self, v: Value) -> str:
        return f"qr_{'complete' if v.attrs['mode'] == 'complete' else 'reduced'}"

    def results(self, v: Value) -> list[tuple[str, Lengths]]:
        (x,) = v.operands
        m, n = x.shape[-2:]
        k = m if v.attrs["mode"] == "complete" else ex.minimum(m, n)
        return [(x.dtype, (m, k)), (x.dtype, (k, n))]

    def scratch(self, v: Value, m: Any, n: Any) -> tuple[Any, Any, Any]:
        return 0, 0, _sum(ex.minimum(m, n), ex.mul(m, ex.maximum(m, n)), _blocks(m, n))


@register
class Svd(_Spectral):
    """svd(full_matrices): U, singular values, and the transpose of V."""

    name = "svd"
    attributes = ("full_matrices",)
    failure = "a singular value decomposition did not converge"
    values = 1
    library = {
        f"svd_{'full' if full else 'reduced'}": _function(3, "svd", 100_000, full_matrices=full)
        for full in (False, True)
    }

    def function(self, v: Value) -> str:
        return f"svd_{'full' if v.attrs['full_matrices'] else 'reduced'}"

    def function_of_values(self, v: Value) -> str:
        return "svdvals"

    def results(self, v: Value) -> list[tuple[str, Lengths]]:
        (x,) = v.operands
        m, n = x.shape[-2:]
        k, full = ex.minimum(m, n), v.attrs["full_matrices"]
        return [(x.dtype, (m, m if full else k)), (real_of(x.dtype), (k,)), (x.dtype, (n if full else k, n))]

    def scratch(self, v: Value, m: Any, n: Any) -> tuple[Any, Any, Any]:
        k = ex.minimum(m, n)
        work = _sum(ex.mul(4, ex.mul(k, k)), ex.mul(10, k), m, n)
        return ex.mul(8, k), _svd_reals(m, n), _sum(ex.mul(m, n), work, _blocks(m, n))


@register
class SvdVals(_Spectral):
    """svdvals: singular values, the largest first."""

    name = "svdvals"
    failure = Svd.failure
    library = {name: _function(1, "svdvals", 50_000)}

    def results(self, v: Value) -> list[tuple[str, Lengths]]:
        return [(v.dtype, (v.shape[-1],))]

    def scratch(self, v: Value, m: Any, n: Any) -> tuple[Any, Any, Any]:
        k = ex.minimum(m, n)
        return ex.mul(8, k), _svd_reals(m, n), _sum(ex.mul(m, n), ex.mul(10, k), m, n, _blocks(m, n))


class _Symmetric(_Spectral):
    attributes = ("lower",)
    failure = "eigenvalues did not converge"

    def function(self, v: Value) -> str:
        return f"{self.name}_{'lower' if v.attrs['lower'] else 'upper'}"

    def scratch(self, v: Value, m: Any, n: Any) -> tuple[Any, Any, Any]:
        work = _sum(ex.mul(2, ex.mul(n, n)), ex.mul(6, n), 1, _blocks(n))
        integers = ex.add(ex.mul(5, n), 3)
        return integers, ex.add(ex.mul(2, ex.mul(n, n)), integers), _sum(work, ex.mul(n, n))


@register
class Eigh(_Symmetric):
    """eigh(lower): eigenvalues, the smallest first, and vectors, of the symmetric matrix of a triangle."""

    name, values = "eigh", 0
    library = {f"eigh_{half}": _function(2, "eigh", 100_000, lower=half == "lower") for half in ("lower", "upper")}

    def results(self, v: Value) -> list[tuple[str, Lengths]]:
        (x,) = v.operands
        return [(real_of(x.dtype), x.shape[-1:]), (x.dtype, x.shape[-2:])]

    def function_of_values(self, v: Value) -> str:
        return f"eigvalsh_{'lower' if v.attrs['lower'] else 'upper'}"


@register
class EigValsh(_Symmetric):
    """eigvalsh(lower): eigenvalues, the smallest first, of the symmetric matrix of a triangle."""

    name = "eigvalsh"
    library = {
        f"eigvalsh_{half}": _function(1, "eigvalsh", 50_000, lower=half == "lower") for half in ("lower", "upper")
    }

    def results(self, v: Value) -> list[tuple[str, Lengths]]:
        return [(v.dtype, v.shape[-1:])]


class _General(_Spectral):
    failure = "eigenvalues did not converge, or a matrix is not finite"

    def scratch(self, v: Value, m: Any, n: Any) -> tuple[Any, Any, Any]:
        return 0, ex.mul(2, n), _sum(ex.mul(2, ex.mul(n, n)), ex.mul(6, n), _blocks(n))


@register
class Eig(_General):
    """eig: complex eigenvalues and vectors of any square matrices."""

    name, values = "eig", 0
    library = {name: _function(2, "eig", 200_000)}

    def results(self, v: Value) -> list[tuple[str, Lengths]]:
        (x,) = v.operands
        dtype = complex_of(x.dtype)
        return [(dtype, x.shape[-1:]), (dtype, x.shape[-2:])]

    def function_of_values(self, v: Value) -> str:
        return "eigvals"


@register
class EigVals(_General):
    """eigvals: complex eigenvalues of any square matrices."""

    name = "eigvals"
    library = {name: _function(1, "eigvals", 100_000)}

    def results(self, v: Value) -> list[tuple[str, Lengths]]:
        return [(v.dtype, v.shape[-1:])]
