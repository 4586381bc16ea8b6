"""Vectors and operands of functions that are still text (`llvm.builder.Asm`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.target.tuning import Tuning

MIRRORED = ("i64 n", "i64 k", "ptr c", "i64 ldc")
SIZES = ("i64 m", "i64 n", "i64 k")


class Vector:
    """A vector type and its operations."""

    def __init__(self, kind: str, lanes: int, tuning: Tuning) -> None:
        self.tuning = tuning
        self.kind, self.lanes, self.type = kind, lanes, f"<{lanes} x {kind}>"
        self.mangled = f"v{lanes}f{64 if kind == 'double' else 32}"
        self.mask_type, self.places = f"<{lanes} x i1>", f"<{lanes} x ptr>"
        self.align = 8 if kind == "double" else 4
        self.bytes = lanes * self.align

    def declarations(self) -> str:
        v, mask, m, kind = self.type, self.mask_type, self.mangled, self.kind
        return (
            f"declare {v} @llvm.masked.load.{m}.p0(ptr, i32, {mask}, {v})\n"
            f"declare void @llvm.masked.store.{m}.p0({v}, ptr, i32, {mask})\n"
            f"declare {v} @llvm.masked.gather.{m}.v{self.lanes}p0({self.places}, i32, {mask}, {v})\n"
            f"declare {v} @llvm.fma.{m}({v}, {v}, {v})\n"
            f"declare {kind} @llvm.vector.reduce.fadd.{m}({kind}, {v})\n"
        )

    def splat(self, f: Asm, scalar: str) -> str:
        one = f.op(f"insertelement {self.type} poison, {self.kind} {scalar}, i64 0")
        return f.op(f"shufflevector {self.type} {one}, {self.type} poison, <{self.lanes} x i32> zeroinitializer")

    def mask(self, f: Asm, live: str) -> str:
        """The first `live` lanes."""
        wide = f"<{self.lanes} x i64>"
        one = f.op(f"insertelement {wide} poison, i64 {live}, i64 0")
        all_ = f.op(f"shufflevector {wide} {one}, {wide} poison, <{self.lanes} x i32> zeroinitializer")
        return f.op(f"icmp slt {wide} <{', '.join(f'i64 {i}' for i in range(self.lanes))}>, {all_}")

    def load(self, f: Asm, pointer: str, mask: str = "") -> str:
        if not mask:
            return f.op(f"load {self.type}, ptr {pointer}, align {self.align}")
        operands = f"ptr {pointer}, i32 {self.align}, {self.mask_type} {mask}, {self.type} zeroinitializer"
        return f.op(f"call {self.type} @llvm.masked.load.{self.mangled}.p0({operands})")

    def gather(self, f: Asm, base: str, offsets: str, mask: str) -> str:
        """The elements at base[offsets]."""
        places = f.op(f"getelementptr {self.kind}, ptr {base}, <{self.lanes} x i64> {offsets}")
        operands = f"{self.places} {places}, i32 {self.align}, {self.mask_type} {mask}, {self.type} zeroinitializer"
        return f.op(f"call {self.type} @llvm.masked.gather.{self.mangled}.v{self.lanes}p0({operands})")

    def store(self, f: Asm, value: str, pointer: str, mask: str = "") -> None:
        if not mask:
            f.do(f"store {self.type} {value}, ptr {pointer}, align {self.align}")
            return
        operands = f"{self.type} {value}, ptr {pointer}, i32 {self.align}, {self.mask_type} {mask}"
        f.do(f"call void @llvm.masked.store.{self.mangled}.p0({operands})")

    def fma(self, f: Asm, a: str, b: str, c: str) -> str:
        return f.call(self.type, f"@llvm.fma.{self.mangled}", *(f"{self.type} {x}" for x in (a, b, c)))

    def sum(self, f: Asm, value: str) -> str:
        operands = f"{self.kind} 0.0, {self.type} {value}"
        return f.op(f"call reassoc {self.kind} @llvm.vector.reduce.fadd.{self.mangled}({operands})")


def element(f: Asm, kind: str, base: str, i: str, stride: str) -> str:
    """The address of base[i * stride]."""
    return f.gep(base, f.mul(i, stride), kind)


def duration(f: Asm, v: Vector, multiplications: str) -> str:
    """ns that they take, about."""
    return f.udiv(multiplications, 256 // v.align)


def over_vectors(f: Asm, v: Vector, count: str, body: Callable[[str, str], None]) -> None:
    """body(index, mask) for whole vectors (mask "") and then for the rest."""
    full = f.and_(count, -v.lanes)
    with f.loop(full, step=v.lanes) as loop:
        body(loop.index, "")
    rest = f.sub(count, full)
    with f.when(f.gt(rest, 0)):
        body(full, v.mask(f, rest))


def layout(f: Asm, rows: str, columns: str, rs: str, cs: str) -> tuple[str, str, str, str]:
    """How the BLAS can see an operand: (i1 as it is, its leading dimension, i1 transposed, that one's).

    A stride along an axis of one element does not matter; a leading dimension is at least 1 and the row's length.
    """
    answers: list[str] = []
    for outer, inner, major, minor in ((rows, columns, rs, cs), (columns, rows, cs, rs)):
        single = f.le(outer, 1)
        unit = f.op(f"or i1 {f.eq(minor, 1)}, {f.le(inner, 1)}")
        strided = f.op(f"or i1 {f.ge(major, inner)}, {single}")
        answers += [f.all(unit, strided), f.choose(single, inner, major)]
    return answers[0], answers[1], answers[2], answers[3]


def readable(f: Asm) -> str:
    """Whether the BLAS can see both operands where they are: then there is no room to pack them."""
    layouts = (layout(f, "%m", "%k", "%rsa", "%csa"), layout(f, "%k", "%n", "%rsb", "%csb"))
    return f.all(*(f.any(x[0], x[2]) for x in layouts))


def added(f: Asm, v: Vector, sums: Sequence[str], places: Sequence[str], mask: str) -> list[str]:
    """The sums, with C's values if they are to be added to; C is not read otherwise."""
    yes, done, before = f.label("add"), f.label("store"), f.block
    f.branch("%add", yes, done)
    f.place(yes)
    added = [f.op(f"fadd {v.type} {v.load(f, p, mask)}, {s}") for p, s in zip(places, sums, strict=True)]
    end = f.block
    f.place(done)
    return [f.op(f"phi {v.type} [ {x}, %{end} ], [ {s}, %{before} ]") for x, s in zip(added, sums, strict=True)]


def is_gram(f: Asm, add: str) -> str:
    equal = (("ptr", "%a", "%b"), ("i64", "%rsa", "%csb"), ("i64", "%csa", "%rsb"), ("i64", "%m", "%n"))
    return f.all(*(f.compare("eq", *x) for x in equal), f.op(f"xor i1 {add}, true"))


def is_large(f: Asm, t: Tuning, rows: int) -> str:
    least = (("%n", rows), ("%k", t.gemm.syrk_min_terms), (f.mul("%n", "%k"), t.gemm.syrk_min_rows_terms))
    return f.all(*(f.ge(*x) for x in least))
