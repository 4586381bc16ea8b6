"""Failure check (`judge`): the first condition of a program that does not hold fills its error record.

Contract  `judge(ctx, frame, values, conditions, count)`: 0, all hold.  `codegen.host.failures` writes the conditions.
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.llvm.builder import Asm


def failure_text() -> str:
    return _operand() + _first_failure()


def _operand() -> str:
    """i64: what stands in the place of an operand."""
    f = Asm("i64", "operand", ("ptr ctx", "ptr frame", "ptr values", "ptr place"), internal=True)
    what, number, second = (f.op(f"zext i8 {f.load('i8', '%place', k)} to i64") for k in range(3))
    with f.when(f.eq(what, layouts.OF_VALUE)):
        f.ret("i64", f.op(f"load i64, ptr {f.gep('%values', number, 'i64')}"))
    with f.when(f.eq(what, layouts.OF_NUMBER)):
        f.ret("i64", f.or_(number, f.shl(second, 8)))
    cells, source = f.load("ptr", "%ctx", layouts.CTX_CELLS), f.label("source")
    argument = f.gep(f.gep("%frame", layouts.FR_ARGS), f.mul(number, layouts.SRC_SIZE))
    before, cell = f.block, f.label("cell")
    f.branch(f.eq(what, layouts.OF_ARGUMENT), source, cell)
    f.place(cell)
    shared = f.op(f"load ptr, ptr {f.gep(cells, number, 'ptr')}")
    f.place(source)
    triple = f.op(f"phi ptr [ {argument}, %{before} ], [ {shared}, %{cell} ]")
    dims = f.load("ptr", triple, layouts.SRC_DIMS)
    f.ret("i64", f.op(f"load i64, ptr {f.gep(dims, second, 'i64')}"))
    return f.text


def _first_failure() -> str:
    """i64: 0 if all hold; else the record is that of the first that does not."""
    f = Asm("i64", "judge", ("ptr ctx", "ptr frame", "ptr values", "ptr conditions", "i64 n"))
    with f.loop("%n") as loop:
        row = f.gep("%conditions", f.mul(loop.index, layouts.CONDITION.size))
        a, b = (
            f.call("i64", "@operand", "ptr %ctx", "ptr %frame", "ptr %values", f"ptr {f.gep(row, at)}")
            for at in (layouts.CONDITION_A, layouts.CONDITION_B)
        )
        too_large = f.op(f"extractvalue {{i64, i1}} {_product(f, a, b)}, 1")
        true = "0"
        for name, condition in (
            ("lt", f.lt(a, b)), ("eq", f.eq(a, b)),
            ("gt", f.gt(a, b)), ("zero", f.eq(a, 0)),
            ("product", f.op(f"xor i1 {too_large}, true")),
        ):  # fmt: skip
            true = f.or_(true, f.choose(condition, layouts.HOLDS[name], 0))
        site = f.op(f"zext i32 {f.load('i32', row)} to i64")
        holds, kind = (
            f.op(f"zext i8 {f.load('i8', row, at)} to i64") for at in (layouts.CONDITION_HOLDS, layouts.CONDITION_KIND)
        )
        with f.when(f.eq(f.and_(true, holds), 0)):
            for value, at in ((site, layouts.FR_SITE), (kind, layouts.FR_KIND), (a, layouts.FR_A), (b, layouts.FR_B)):
                f.store("i64", value, "%frame", at)
            f.ret("i64", 1)
    f.ret("i64", 0)
    return f.text


def _product(f: Asm, a: str, b: str) -> str:
    return f.op(f"call {{i64, i1}} @llvm.smul.with.overflow.i64(i64 {a}, i64 {b})")
