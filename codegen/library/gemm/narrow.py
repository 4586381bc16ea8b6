"""Thin products: few columns, of which panels would leave most lanes empty.

Contract  `narrow_<type>`: (beta C +) alpha A B for n up to `widest`; false: not handled.
When      k is contiguous in A: dot products with packed columns of B; rows are: C' = B' A', transposed into C.
Why       lanes run along k, or along the rows of C; columns behind complete vectors of a wider product go so too.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.gemm.text import SIZES, Vector, element
from tensordsl.codegen.library.parallel import named, operands
from tensordsl.codegen.library.signals import drop, hold, poll
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.llvm.function import Function

STRIDED = ("ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "i64 csb", "ptr c", "i64 ldc")


def widest(v: Vector) -> int:
    """The most columns."""
    return v.lanes * v.tuning.gemm.thin_vectors


def narrow_texts(v: Vector) -> list[str]:
    """`narrow_<type>` and `plain_<type>`, which need `product_<type>` and `dots_<type>`."""
    parts = [_columns_of_b(v), _by_dots(v), _add_transposed(v), _transposed(v)]
    return [*parts, _plain(v), _cut(v), _narrow(v)]


def narrow_params(v: Vector) -> list[str]:
    return ["ptr rt", *SIZES, *STRIDED, f"{v.kind} alpha", "i1 add"]


def _columns_of_b(v: Vector) -> str:
    """to[n, k] = B'"""
    params = ("ptr to", "i64 n", "i64 k", "ptr b", "i64 rsb", "i64 csb")
    f = Function("void", f"columns_{v.kind}", params, internal=True)
    with f.loop("%n") as j:
        column, to = element(f, v.kind, "%b", j.index, "%csb"), element(f, v.kind, "%to", j.index, "%k")
        with f.loop("%k", ("ptr", column)) as p:
            f.store(v.kind, f.load(v.kind, p.values[0]), f.gep(to, p.index, v.kind))
            p.next = [f.gep(p.values[0], "%rsb", v.kind)]
    return f.end()


def _room(f: Function, size: str) -> tuple[str, str]:
    """A block, and its `size` bytes; without memory the function gives false."""
    block = f.call("ptr", "@take_block", "ptr %rt", f"i64 {size}")
    with f.when(f.is_null(block)):
        f.ret("i1", "false")
    hold(f, block)
    return block, f.gep(block, layouts.BLOCK_HEAD)


def _leave_room(f: Function, block: str) -> None:
    drop(f)
    f.call("void", "@give_block", "ptr %rt", f"ptr {block}")


def _by_dots(v: Vector) -> str:
    """i1: whether there was memory for the columns of B; if not, nothing is done."""
    f, kind = Function("i1", f"long_dots_{v.kind}", narrow_params(v), internal=True), v.kind
    size = f.mul(f.mul("%n", f.min("%k", v.tuning.gemm.thin_block_terms)), v.align)
    block, columns = _room(f, size)
    with f.loop("%k", step=v.tuning.gemm.thin_block_terms) as p:
        k = f.min(f.sub("%k", p.index), v.tuning.gemm.thin_block_terms)
        a, b = f.gep("%a", p.index, kind), element(f, kind, "%b", p.index, "%rsb")
        f.call("void", f"@columns_{kind}", f"ptr {columns}", "i64 %n", f"i64 {k}", f"ptr {b}", "i64 %rsb", "i64 %csb")
        add = f.op(f"or i1 %add, {f.gt(p.index, 0)}")
        f.call(
            "void", f"@dots_{kind}", "i64 %m", "i64 %n", f"i64 {k}", f"ptr {a}", "i64 %rsa", f"ptr {columns}",
            f"i64 {k}", "ptr %c", "i64 %ldc", f"{kind} %alpha", f"i1 {add}",
        )  # fmt: skip
        poll(f)
    _leave_room(f, block)
    return f.end("i1", "true")


def _add_transposed(v: Vector) -> str:
    """C (if add) + T', where T has rows of `width` elements."""
    params = ("i64 m", "i64 n", "ptr t", "i64 width", "ptr c", "i64 ldc", "i1 add")
    f = Function("void", f"add_turned_{v.kind}", params, internal=True)

    def columns(adds: bool) -> None:
        with f.loop("%n") as j:
            row = element(f, v.kind, "%t", j.index, "%width")
            with f.loop("%m", ("ptr", f.gep("%c", j.index, v.kind))) as i:
                x, (at,) = f.load(v.kind, f.gep(row, i.index, v.kind)), i.values
                f.store(v.kind, f.op(f"fadd {v.kind} {f.load(v.kind, at)}, {x}") if adds else x, at)
                i.next = [f.gep(at, "%ldc", v.kind)]
        f.ret()

    with f.when("%add"):
        columns(True)
    columns(False)
    return f.text


def _transposed(v: Vector) -> str:
    """i1: whether there was memory; if not, nothing is done."""
    f, kind = Function("i1", f"turned_{v.kind}", narrow_params(v), internal=True), v.kind
    width = f.min("%m", v.tuning.gemm.thin_rows)
    size = f.mul(f.mul("%n", width), v.align)
    block, t = _room(f, size)
    with f.loop("%m", step=v.tuning.gemm.thin_rows) as i:
        m = f.min(f.sub("%m", i.index), v.tuning.gemm.thin_rows)
        a, c = f.gep("%a", i.index, kind), element(f, kind, "%c", i.index, "%ldc")
        done = f.call(
            "i1", f"@product_{kind}", "ptr %rt", "i64 %n", f"i64 {m}", "i64 %k", "ptr %b", "i64 %csb", "i64 %rsb",
            f"ptr {a}", "i64 %csa", "i64 1", f"ptr {t}", f"i64 {width}", f"{kind} %alpha", "i1 false",
            f"{kind} 1.0", "ptr null", "i64 0", "i64 0",
        )  # fmt: skip
        f.do(f"call void @llvm.assume(i1 {done})")  # few rows need no panels
        f.call(
            "void", f"@add_turned_{kind}", f"i64 {m}", "i64 %n", f"ptr {t}", f"i64 {width}", f"ptr {c}", "i64 %ldc",
            "i1 %add",
        )  # fmt: skip
    _leave_room(f, block)
    return f.end("i1", "true")


def _plain(v: Vector) -> str:
    """Where there is no memory for anything better."""
    f = Function("void", f"plain_{v.kind}", narrow_params(v), internal=True)
    with f.when(f.op("xor i1 %add, true")):
        f.call("void", f"@scale_{v.kind}", "i64 %m", "i64 %n", "ptr %c", "i64 %ldc", f"{v.kind} 0.0")
    f.call("void", f"@triple_loop_{v.kind}", *passed((*SIZES, *STRIDED)), f"{v.kind} %alpha")
    return f.end()


def _or_plain(f: Function, v: Vector, done: str, given: Sequence[str]) -> None:
    with f.when(f.negate(done)):
        f.call("void", f"@plain_{v.kind}", *given)


def _cut(v: Vector) -> str:
    """Whole vectors of columns, and the rest of them, of some rows of A while these are in the cache."""
    f, kind = Function("void", f"cut_{v.kind}", narrow_params(v), internal=True), v.kind
    rest = f.and_("%n", v.lanes - 1)
    main, rows = f.sub("%n", rest), f.sdiv(v.tuning.gemm.thin_rows_bytes // v.align, "%k")
    rows = f.max(f.and_(rows, -v.tuning.gemm.thin_min_rows), v.tuning.gemm.thin_min_rows)
    with f.loop("%m", step=rows) as i:
        at_a, at_c = (element(f, kind, f"%{x}", i.index, f"%{s}") for x, s in (("a", "rsa"), ("c", "ldc")))
        values = named(narrow_params(v)) | {"m": f.min(f.sub("%m", i.index), rows), "a": at_a, "c": at_c}
        given = operands(narrow_params(v), values | {"n": main})
        product = f.call("i1", f"@product_{kind}", *given, f"{kind} 1.0", "ptr null", "i64 0", "i64 0")
        _or_plain(f, v, product, given)
        places = {"b": element(f, kind, "%b", main, "%csb"), "c": f.gep(at_c, main, kind)}
        given = operands(narrow_params(v), values | {"n": rest} | places)
        with f.when(f.eq("%csa", 1)):
            _or_plain(f, v, f.call("i1", f"@long_dots_{kind}", *given), given)
        with f.when(f.ne("%csa", 1)):
            _or_plain(f, v, f.call("i1", f"@turned_{kind}", *given), given)
    return f.end()


def _narrow(v: Vector) -> str:
    """i1: is it done, as beta C + alpha A B?  `height`: rows of the whole product."""
    params = narrow_params(v)
    given, more = passed(params), (f"{v.kind} beta", "i64 height")
    f = Function("i1", f"narrow_{v.kind}", [*params, *more], internal=True)
    if not v.tuning.allows("thin_gemm"):
        return f.end("i1", "false")

    def pays(*lengths: tuple[int, int]) -> str:
        return f.any(*(f.all(f.le("%n", n), f.ge("%k", k)) for n, k in lengths))

    def begin() -> None:
        with f.when(f.all("%add", f.op(f"fcmp une {v.kind} %beta, 1.0"))):
            f.call("void", f"@scale_{v.kind}", "i64 %m", "i64 %n", "ptr %c", "i64 %ldc", f"{v.kind} %beta")

    half, most, by_terms = v.lanes // 2, v.lanes * 3 // 4, f.eq("%csa", 1)
    by_rows, fills = f.eq("%rsa", 1), f.gt("%height", "%n")
    with f.when(f.all(by_terms, pays((half, v.tuning.gemm.thin_min_terms), (most, 4 * v.tuning.gemm.thin_min_terms)))):
        begin()
        _or_plain(f, v, f.call("i1", f"@long_dots_{v.kind}", *given), given)
        f.ret("i1", "true")
    with f.when(
        f.all(
            by_rows,
            fills,
            pays(
                (half // 2, 1),
                (most, v.tuning.gemm.thin_min_terms),
                (v.lanes * 3 // 2, 2 * v.tuning.gemm.thin_min_terms),
            ),
        )
    ):
        begin()
        _or_plain(f, v, f.call("i1", f"@turned_{v.kind}", *given), given)
        f.ret("i1", "true")
    rest = f.and_("%n", v.lanes - 1)
    few = f.all(f.gt(rest, 0), f.le(rest, half), f.gt("%n", v.lanes))
    few = f.all(few, f.ge("%height", v.lanes))
    with f.when(f.all(few, f.ge("%k", v.tuning.gemm.thin_min_terms), f.any(by_terms, by_rows))):
        begin()
        f.call("void", f"@cut_{v.kind}", *given)
        f.ret("i1", "true")
    return f.end("i1", "false")
