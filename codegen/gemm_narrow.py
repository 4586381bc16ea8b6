"""Matrix products with few columns, of which panels would leave most lanes empty.

k adjacent in A       tiles of dot products, with the columns of B copied behind each other
rows adjacent in A    C' = B' A' into a block of the pool, from where it goes to C: lanes along the rows of C

Which of them does not depend on how many rows there are: parts with all columns have the sums of the whole.
"""

from __future__ import annotations

from tensordsl.codegen import abi
from tensordsl.codegen.gemm_tiles import SIZES, Vector, element
from tensordsl.codegen.nest_words import Function

LONG = 64  # terms of a sum for which it is little work to add up lanes, or to turn the result
TERMS = 1024  # of a block of dot products: 4 rows of A stay in the first-level cache
ROWS = 2048  # of C that are turned at a time

STRIDED = ("ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "i64 csb", "ptr c", "i64 ldc")


def widest(v: Vector) -> int:
    """The most columns."""
    return v.lanes * 3 // 2


def narrow_texts(v: Vector) -> list[str]:
    """`narrow_<type>`, which needs `product_<type>` and `dots_<type>`."""
    return [_columns_of_b(v), _by_dots(v), _add_turned(v), _turned(v), _narrow(v)]


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
    return block, f.gep(block, abi.BLOCK_HEAD)


def _by_dots(v: Vector) -> str:
    """i1: whether there was memory for the columns of B; if not, nothing is done."""
    f, kind = Function("i1", f"long_dots_{v.kind}", narrow_params(v), internal=True), v.kind
    size = f.arith("mul", f.arith("mul", "%n", f.min("%k", TERMS)), v.align)
    block, columns = _room(f, size)
    with f.loop("%k", step=TERMS) as p:
        k = f.min(f.arith("sub", "%k", p.index), TERMS)
        a, b = f.gep("%a", p.index, kind), element(f, kind, "%b", p.index, "%rsb")
        f.call("void", f"@columns_{kind}", f"ptr {columns}", "i64 %n", f"i64 {k}", f"ptr {b}", "i64 %rsb", "i64 %csb")
        add = f.op(f"or i1 %add, {f.test('sgt', p.index, 0)}")
        f.call(
            "void", f"@dots_{kind}", "i64 %m", "i64 %n", f"i64 {k}", f"ptr {a}", "i64 %rsa", f"ptr {columns}",
            f"i64 {k}", "ptr %c", "i64 %ldc", f"{kind} %alpha", f"i1 {add}",
        )  # fmt: skip
    f.call("void", "@give_block", "ptr %rt", f"ptr {block}")
    return f.end("i1", "true")


def _add_turned(v: Vector) -> str:
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


def _turned(v: Vector) -> str:
    """i1: whether there was memory; if not, nothing is done."""
    f, kind = Function("i1", f"turned_{v.kind}", narrow_params(v), internal=True), v.kind
    width = f.min("%m", ROWS)
    size = f.arith("mul", f.arith("mul", "%n", width), v.align)
    block, t = _room(f, size)
    with f.loop("%m", step=ROWS) as i:
        m = f.min(f.arith("sub", "%m", i.index), ROWS)
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
    f.call("void", "@give_block", "ptr %rt", f"ptr {block}")
    return f.end("i1", "true")


def _narrow(v: Vector) -> str:
    """i1: is it done?"""
    f, params = Function("i1", f"narrow_{v.kind}", narrow_params(v), internal=True), narrow_params(v)
    operands = [f"{kind} %{name}" for kind, name in map(str.split, params)]

    def pays(*lengths: tuple[int, int]) -> str:
        return f.any(*(f.all(f.test("sle", "%n", n), f.test("sge", "%k", k)) for n, k in lengths))

    half, most = v.lanes // 2, v.lanes * 3 // 4
    with f.when(f.all(f.test("eq", "%csa", 1), pays((half, LONG), (most, 4 * LONG)))):
        f.ret("i1", f.call("i1", f"@long_dots_{v.kind}", *operands))
    with f.when(f.all(f.test("eq", "%rsa", 1), pays((half // 2, 1), (most, LONG), (widest(v), 2 * LONG)))):
        f.ret("i1", f.call("i1", f"@turned_{v.kind}", *operands))
    return f.end("i1", "false")
