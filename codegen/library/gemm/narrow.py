"""Thin products: few columns, of which panels would leave most lanes empty.

Contract  `narrow_<type>`: (beta C +) alpha A B for n up to `widest`; false: not handled.
When      k is contiguous in A: dot products with packed columns of B; rows are: C' = B' A', transposed into C.
Why       lanes run along k, or along the rows of C; columns behind complete vectors of a wider product go so too.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Kind, Signature, Type, array, i1, i64, ptr, signature
from tensordsl.codegen.library.blocks import GIVE_BLOCK, TAKE_BLOCK
from tensordsl.codegen.library.gemm.signatures import SIZES, named, product, scale, strided, triple_loop
from tensordsl.codegen.library.gemm.tiles import dots_signature
from tensordsl.codegen.library.polls import DROP, HOLD, POLL
from tensordsl.codegen.target.tuning import Tuning


def widest(v: Type, t: Tuning) -> int:
    """The most columns."""
    return v.lanes * t.gemm.thin_vectors


def narrow_functions(v: Type, t: Tuning) -> list[Function]:
    """`narrow_<type>` and `plain_<type>`, which need `product_<type>` and `dots_<type>`."""
    parts = [_columns(v), _long_dots(v, t), _add_transposed(v), _transposed(v, t)]
    return [*parts, _plain(v), _cut(v, t), _narrow(v, t)]


def _parameters(v: Type) -> dict[str, Kind]:
    return dict(rt=ptr, **SIZES, **strided(v), alpha=v.scalar, add=i1)


def narrow_signature(v: Type) -> Signature:
    """Is it done, as beta C + alpha A B?  `height`: rows of the whole product."""
    return signature(named("narrow", v), i1, _parameters(v), beta=v.scalar, height=i64)


def plain_signature(v: Type) -> Signature:
    return signature(named("plain", v), None, _parameters(v))


def _long_dots_signature(v: Type) -> Signature:
    return signature(named("long_dots", v), i1, _parameters(v))


def _transposed_signature(v: Type) -> Signature:
    return signature(named("transposed", v), i1, _parameters(v))


def _cut_signature(v: Type) -> Signature:
    return signature(named("cut", v), None, _parameters(v))


def _columns_signature(v: Type) -> Signature:
    matrix = array(v.scalar)
    return signature(named("columns", v), to=matrix, n=i64, k=i64, b=matrix, rsb=i64, csb=i64)


def _columns(v: Type) -> Function:
    @kernel(_columns_signature(v))
    def columns(f: Kernel, to: Pointer, n: Number, k: Number, b: Pointer, rsb: Number, csb: Number) -> None:
        """to[n, k] = B'"""
        with f.range(n) as j:
            source, row = f.variable(b + j * csb), to + j * k
            with f.range(k) as p:
                row[p] = source[0]
                source.set(source + rsb)

    return columns


def _room(f: Kernel, v: Type, elements: Number) -> tuple[Pointer, Pointer]:
    """A block, and so many elements in it; without memory the function gives false."""
    block = f.call(TAKE_BLOCK, f.given["rt"], elements * v.scalar.bytes)
    with f.when(block == f.null):
        f.ret(False)
    f.call(HOLD, block)
    return block, block.bytes(layouts.BLOCK_HEAD).of(v.scalar)


def _leave_room(f: Kernel, block: Pointer) -> None:
    f.call(DROP)
    f.call(GIVE_BLOCK, f.given["rt"], block)


def _long_dots(v: Type, t: Tuning) -> Function:
    @kernel(_long_dots_signature(v))
    def long_dots(
        f: Kernel, rt: Pointer, m: Number, n: Number, k: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer,
        rsb: Number, csb: Number, c: Pointer, ldc: Number, alpha: Number, add: Number,
    ) -> None:  # fmt: skip
        """Whether there was memory for the columns of B; if not, nothing is done."""
        most = t.gemm.thin_block_terms
        block, columns = _room(f, v, n * f.min(k, most))
        with f.range(k, step=most) as p:
            terms, above, left = f.min(k - p, most), b + p * rsb, a + p
            f.forward(_columns_signature(v), to=columns, k=terms, b=above)
            f.forward(dots_signature(v), k=terms, a=left, b=columns, csb=terms, add=add | (p > 0))
            f.call(POLL)
        _leave_room(f, block)
        f.ret(True)

    return long_dots


def _add_transposed_signature(v: Type) -> Signature:
    matrix = array(v.scalar)
    return signature(
        named("add_transposed", v), m=i64, n=i64, source=matrix, width=i64, c=matrix, ldc=i64, add=i1
    )  # fmt: skip


def _add_transposed(v: Type) -> Function:
    @kernel(_add_transposed_signature(v))
    def add_transposed(
        f: Kernel, m: Number, n: Number, source: Pointer, width: Number, c: Pointer, ldc: Number, add: Number
    ) -> None:
        """C (if add) + source', which has rows of `width` elements."""

        def columns(adds: bool) -> None:
            with f.range(n) as j:
                row, place = source + j * width, f.variable(c + j)
                with f.range(m) as i:
                    x = row[i]
                    place[0] = place[0] + x if adds else x
                    place.set(place + ldc)

        with f.when(add):
            columns(True)
            f.ret()
        columns(False)

    return add_transposed


def _transposed(v: Type, t: Tuning) -> Function:
    @kernel(_transposed_signature(v))
    def transposed(
        f: Kernel, rt: Pointer, m: Number, n: Number, k: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer,
        rsb: Number, csb: Number, c: Pointer, ldc: Number, alpha: Number, add: Number,
    ) -> None:  # fmt: skip
        """Whether there was memory; if not, nothing is done."""
        width = f.min(m, t.gemm.thin_rows)
        block, product_of_both = _room(f, v, n * width)
        with f.range(m, step=t.gemm.thin_rows) as i:
            rows, at_a, at_c = f.min(m - i, t.gemm.thin_rows), a + i, c + i * ldc
            f.forward(  # which is always done: few rows need no panels
                product(v), m=n, n=rows, a=b, rsa=csb, csa=rsb, b=at_a, rsb=csa, csb=1, c=product_of_both, ldc=width,
                add=False, beta=1.0, then=f.null, half=False, row=0, column=0,
            )  # fmt: skip
            f.forward(_add_transposed_signature(v), m=rows, source=product_of_both, width=width, c=at_c)
        _leave_room(f, block)
        f.ret(True)

    return transposed


def _plain(v: Type) -> Function:
    @kernel(plain_signature(v))
    def plain(f: Kernel, *_: Any) -> None:
        """Where there is no memory for anything better."""
        with f.when(~f.given["add"]):
            f.forward(scale(v), beta=0.0)
        f.forward(triple_loop(v))

    return plain


def _or_plain(f: Kernel, v: Type, s: Signature, operands: dict[str, Any], **more: Any) -> None:
    """A product by a function that may lack memory."""
    done = f.forward(s, **operands, **more)
    with f.when(~done):
        f.forward(plain_signature(v), **operands)


def _cut(v: Type, t: Tuning) -> Function:
    @kernel(_cut_signature(v))
    def cut(
        f: Kernel, rt: Pointer, m: Number, n: Number, k: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer,
        rsb: Number, csb: Number, c: Pointer, ldc: Number, alpha: Number, add: Number,
    ) -> None:  # fmt: skip
        """Complete vectors of columns, and the rest of them, of some rows of A while these are in the cache."""
        rest = n & (v.lanes - 1)
        main, some = n - rest, f.quotient(f.number(t.gemm.thin_rows_bytes // v.scalar.bytes, i64), k)
        some = f.max(some & -t.gemm.thin_min_rows, t.gemm.thin_min_rows)
        with f.range(m, step=some) as i:
            at_a, at_c, rows = a + i * rsa, c + i * ldc, f.min(m - i, some)
            complete = {"m": rows, "n": main, "a": at_a, "c": at_c}
            _or_plain(f, v, product(v), complete, beta=1.0, then=f.null, half=False, row=0, column=0)
            others = {"m": rows, "n": rest, "a": at_a, "b": b + main * csb, "c": at_c + main}
            with f.when(csa == 1):
                _or_plain(f, v, _long_dots_signature(v), others)
            with f.when(csa != 1):
                _or_plain(f, v, _transposed_signature(v), others)

    return cut


def _narrow(v: Type, t: Tuning) -> Function:
    @kernel(narrow_signature(v))
    def narrow(
        f: Kernel, rt: Pointer, m: Number, n: Number, k: Number, a: Pointer, rsa: Number, csa: Number, b: Pointer,
        rsb: Number, csb: Number, c: Pointer, ldc: Number, alpha: Number, add: Number, beta: Number, height: Number,
    ) -> None:  # fmt: skip
        if not t.allows("thin_gemm"):
            f.ret(False)
            return

        def pays(*lengths: tuple[int, int]) -> Number:
            return f.any(*(f.all(n <= most, k >= least) for most, least in lengths))

        def scale_c() -> None:
            with f.when(f.all(add, beta != 1.0)):
                f.forward(scale(v))

        lanes, least = v.lanes, t.gemm.thin_min_terms
        half, most, by_terms, by_rows, fills = lanes // 2, lanes * 3 // 4, csa == 1, rsa == 1, height > n
        with f.when(f.all(by_terms, pays((half, least), (most, 4 * least)))):
            scale_c()
            _or_plain(f, v, _long_dots_signature(v), {})
            f.ret(True)
        with f.when(f.all(by_rows, fills, pays((half // 2, 1), (most, least), (lanes * 3 // 2, 2 * least)))):
            scale_c()
            _or_plain(f, v, _transposed_signature(v), {})
            f.ret(True)
        rest = n & (lanes - 1)
        few = f.all(rest > 0, rest <= half, n > lanes, height >= lanes)
        with f.when(f.all(few, k >= least, f.any(by_terms, by_rows))):
            scale_c()
            f.forward(_cut_signature(v))
            f.ret(True)
        f.ret(False)

    return narrow
