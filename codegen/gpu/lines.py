"""The base of GPU kernels over lines of tensors: named parameters, addresses of a line, orders of numbers.

A line runs along one axis, which operands have first; the other axes number the lines.  Parameters are pointers, and
i64 that `launch` looks up in a table of values.  `scan` and `sort` are built on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tensordsl.base.records import record
from tensordsl.codegen.gpu.builder import GLOBAL, THREADS, Env, GpuCode, Kernel, Loop, evaluate
from tensordsl.codegen.gpu.launch import Launch, Operand
from tensordsl.codegen.llvm.vector_builder import paired, part
from tensordsl.codegen.scalar_ir.builder import FLOATS, Builder, Val
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX

BLOCKS_PER_SM = 8  # per multiprocessor


@record(eq=False)
class LineKernel(Kernel):
    """params: names of the pointers, then of the numbers."""

    params: tuple[str, ...]


class LineCode(GpuCode):
    """The body of a kernel over lines; `rank`: of axes that number them."""

    def __init__(self, name: str, pointers: Sequence[str], rank: int) -> None:
        super().__init__()
        self.name, self.pointers, self.rank = name, tuple(pointers), rank
        self.numbers: list[str] = []
        names = ("tid.x", "ctaid.x", "nctaid.x")
        self.tid, self.block_number, self.blocks = (self.op(f"zext i32 {self.register(n)} to i64") for n in names)

    def param(self, name: str) -> str:
        if name not in self.numbers:
            self.numbers.append(name)
        return f"%{name}"

    def offsets(self, line: str, *operands: str) -> list[str]:
        """Where a line begins in each operand, in elements."""
        totals = ["0"] * len(operands)
        for d in reversed(range(self.rank)):
            at = line if d == 0 else self.arith("urem", line, self.param(f"n{d}"))
            line = line if d == 0 else self.arith("udiv", line, self.param(f"n{d}"))
            terms = [self.arith("mul", at, self.param(f"{o}_{d}")) for o in operands]
            totals = [t if x == "0" else self.arith("add", x, t) for x, t in zip(totals, terms, strict=True)]
        return totals

    def shuffle(self, value: str, dtype: str, mask: int) -> str:
        if dtype not in COMPLEX:
            return super().shuffle(value, dtype, mask)
        real = real_of(dtype)
        re, im = (super(LineCode, self).shuffle(x, real, mask) for x in self.re_im(value, dtype))
        return paired(self, re, im, dtype)

    def re_im(self, value: str, dtype: str) -> tuple[str, str]:
        """The real and the imaginary part."""
        return part(self, value, dtype, 0), part(self, value, dtype, 1)

    def element(self, pointer: str, dtype: str, offset: str, at: str, step: str = "1") -> str:
        """The address of an element of a line."""
        moved = at if step == "1" else self.arith("mul", at, step)
        return self.at(f"%{pointer}", dtype, moved if offset == "0" else self.arith("add", offset, moved))

    def made(self) -> LineKernel:
        self.do("ret void")
        kinds = [f"ptr{GLOBAL} %{p}" for p in self.pointers] + [f"i64 %{n}" for n in self.numbers]
        head = f"define ptx_kernel void @{self.name}({', '.join(kinds)}) nounwind {{"
        text = "".join(self.shared) + f"{head}\nentry:\n{self.text}\n}}\n"
        declared = frozenset(self.declarations.values())
        return LineKernel(self.name, text, declared, self.functions, 1, (*self.pointers, *self.numbers))


def scalar(c: GpuCode, make: Callable[..., Val], types: Sequence[str], *operands: str) -> str:
    """make(builder, values) of operands of these dtypes."""
    (value,) = scalars(c, lambda b, *values: (make(b, *values),), types, *operands)
    return value


def scalars(c: GpuCode, make: Callable[..., Sequence[Val]], types: Sequence[str], *operands: str) -> list[str]:
    """The same of several results."""
    b = Builder()
    params = [b.param(f"x{k}", t) for k, t in enumerate(types)]
    values = make(b, *params)
    env: Env = {id(p): x for p, x in zip(params, operands, strict=True)}
    evaluate(c, values, env, lambda v: v.op)
    return [env[id(v)] for v in values]


def is_less(c: LineCode, dtype: str, x: str, y: str) -> str:
    """NumPy's order: NaN is behind all numbers."""
    if dtype in COMPLEX:
        real = real_of(dtype)
        return scalar(c, _complex_less, (real,) * 4, *c.re_im(x, dtype), *c.re_im(y, dtype))

    def make(b: Builder, x: Val, y: Val) -> Val:
        x, y = b.wide(x), b.wide(y)
        less = b.lt(x, y)
        return b.or_(less, b.and_(b.ne(y, y), b.eq(x, x))) if dtype in FLOATS else less

    return scalar(c, make, (dtype, dtype), x, y)


def _complex_less(b: Builder, x: Val, x_imag: Val, y: Val, y_imag: Val) -> Val:
    """By real parts, then by imaginary ones; behind all others those of which a part is NaN: first the imaginary, then
    the real, then both."""
    x_bad, y_bad, nan_x, nan_y = (b.ne(v, v) for v in (x_imag, y_imag, x, y))
    only_y = b.and_(y_bad, b.eq(x_imag, x_imag))
    less = b.and_(b.lt(x, y), b.or_(b.eq(x_imag, x_imag), y_bad))
    more = b.and_(b.lt(y, x), only_y)
    same = b.and_(b.or_(b.eq(x, y), b.and_(nan_x, nan_y)), b.or_(b.lt(x_imag, y_imag), only_y))
    return b.or_(b.or_(less, more), b.or_(same, b.and_(nan_y, b.eq(x, x))))


def search(
    c: LineCode, dtype: str, load: Callable[[str], str], n: str, value: str, is_right: str, steps: str
) -> str:  # fmt: skip
    """How many of n sorted elements stand before the value: those less than it, and its equals if the i1 `is_right`.

    load(position): an element.  steps: at least the number of bits of n.  n is not negative."""
    loop = Loop(c, "0", steps, [("i64", "0"), ("i64", n)])
    low, left = loop.values
    half = c.arith("lshr", left, 1)
    some = c.test("sgt", left, 0)
    x = load(c.op(f"select i1 {some}, i64 {c.arith('add', low, half)}, i64 0"))
    behind = c.op(f"xor i1 {is_less(c, dtype, value, x)}, true")
    goes = c.op(f"select i1 {is_right}, i1 {behind}, i1 {is_less(c, dtype, x, value)}")
    goes = c.op(f"and i1 {some}, {goes}")
    following = c.arith("add", c.arith("add", low, half), 1)
    rest = c.arith("sub", c.arith("sub", left, half), 1)
    low = c.op(f"select i1 {goes}, i64 {following}, i64 {low}")
    left = c.op(f"select i1 {goes}, i64 {rest}, i64 {half}")
    loop.end(1, (low, left))
    return loop.values[0]


def line_values(lengths: Sequence[int], **operands: Operand) -> dict[str, int]:
    """The numbers of `LineCode.offsets`, and `X_step` along the lines; lengths: of the axes that number them."""
    values = {f"n{d}": n for d, n in enumerate(lengths)}
    for name, o in operands.items():
        values[f"{name}_step"] = o.strides[0]
        values |= {f"{name}_{d}": s for d, s in enumerate(o.strides[1:])}
    return values


def launch(
    kernel: LineKernel, blocks: int, pointers: Mapping[str, int], values: Mapping[str, int], multiprocessors: int
) -> Launch:
    known = {**values, **pointers}
    grid = max(1, min(blocks, multiprocessors * BLOCKS_PER_SM))
    return Launch(kernel, grid, THREADS, tuple(known[p] for p in kernel.params))
