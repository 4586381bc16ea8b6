"""Signatures of the functions of products: sizes, operands with strides, factors; those that several modules call.

Contract  `v` is a vector of the matrices' elements; a product is alpha A B, and beta C is added where `add` is true.
"""

from __future__ import annotations

from tensordsl.codegen.kernel_ir.types import Kind, Signature, Type, array, f64, i1, i64, ptr, signature

WORDS = {"f64": "double", "f32": "float"}
DTYPES = {"f64": "float64", "f32": "float32"}
SIZES: dict[str, Kind] = {"m": i64, "n": i64, "k": i64}


def named(name: str, v: Type) -> str:
    """The symbol of a function for matrices of the elements of a vector."""
    return f"{name}_{WORDS[v.element]}"


def strided(v: Type) -> dict[str, Kind]:
    """The operands of a product: of a row, of a column of each the distance to the next, in elements."""
    matrix = array(v.scalar)
    return dict(a=matrix, rsa=i64, csa=i64, b=matrix, rsb=i64, csb=i64, c=matrix, ldc=i64)


def gemm_parameters(v: Type) -> dict[str, Kind]:
    """Those of the entry (`abi.layouts.HELPERS`)."""
    return dict(rt=ptr, **SIZES, **strided(v), alpha=f64, beta=f64, scratch=array(v.scalar))


def gemm(v: Type) -> Signature:
    return signature(f"gemm_{DTYPES[v.element]}", None, gemm_parameters(v), internal=False)


def product_parameters(v: Type) -> dict[str, Kind]:
    """C begins at a `row` and a `column` of the whole; `then`, if not null, is a launch on that
    (`program_ir.gemm_epilogues`); `half`: what is above the diagonal of the whole need not be computed."""
    scales: dict[str, Kind] = dict(alpha=v.scalar, add=i1, beta=v.scalar)
    return dict(rt=ptr, **SIZES, **strided(v), **scales, then=ptr, half=i1, row=i64, column=i64)


def product(v: Type) -> Signature:
    """Whether there was memory for panels; if not, nothing is done."""
    return signature(named("product", v), i1, product_parameters(v))


def scale(v: Type) -> Signature:
    """C = beta C; a beta of 0 does not read C."""
    return signature(named("scale", v), m=i64, n=i64, c=array(v.scalar), ldc=i64, beta=v.scalar)


def triple_loop(v: Type) -> Signature:
    """C += alpha A B by dot products, of any strides."""
    return signature(named("triple_loop", v), None, {**SIZES, **strided(v)}, alpha=v.scalar)
