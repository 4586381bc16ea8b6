"""Functions that kernels of rounds call: products, factors and systems of small matrices.

Contract  a dtype -> a `Function`; steps are in bytes, and may be negative; operations as those of `library.linalg`, in
          their order.  `_in_lanes`: columns are adjacent, and parts of vectors are loaded as fast as whole ones.
Why       one text serves all products of a kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from tensordsl.codegen.library.linalg.fortran import NUMBERS
from tensordsl.codegen.library.linalg.small import ROUTINES, one_function
from tensordsl.codegen.library.linalg.small_values import CHUNK
from tensordsl.codegen.llvm.emit_scalars import constant, llvm_type, load, splat, store
from tensordsl.codegen.llvm.kernel_text import function_text
from tensordsl.codegen.rounds.flow import Flow, Function, Operand
from tensordsl.codegen.rounds.vectors import ONE, Lanes, load_lanes, store_lanes
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES

SQUARE = CHUNK  # rows and columns that are transposed at once
NAN = float("nan")


def widths(dtype: str) -> tuple[int, int]:
    """Half a vector, in which rows of small matrices lie as they are, and a whole one."""
    whole = CACHE_LINE_BYTES // ITEMSIZE[dtype]
    return whole // 2, whole


def matrix(name: str) -> tuple[str, ...]:
    return f"ptr {name}", f"i64 {name}_row", f"i64 {name}_column"


def _element(f: Flow, name: str, i: Operand, j: Operand, row: str = "", column: str = "") -> str:
    down, across = row or f"%{name}_row", column or f"%{name}_column"
    return f.at(f"%{name}", f.add(f.times(i, down), f.times(j, across)))


# -- products ----------------------------------------------------------------------------------------------------------
@cache
def multiply(dtype: str, has_lanes: bool, is_plain: bool, block: int) -> Function:
    """c = a b, a block of rows at once; or, if it is not plain, scale a b, and decay c more if it adds.  In lanes,
    columns of b and c are adjacent."""
    name = f"product_{'' if has_lanes else 'one_'}{'' if is_plain else 'scaled_'}{dtype}"
    t = llvm_type(dtype)
    more = () if is_plain else (f"{t} scale", f"{t} decay", "i1 adds")
    f = Function(name, ["i64 m", "i64 n", "i64 k", *matrix("a"), *matrix("b"), *matrix("c"), *more])
    if not has_lanes:
        _sums(f, dtype, 1, is_plain, block)
        f.ret()
        return f
    half, whole = widths(dtype)
    with f.when(f.op(f"icmp sle i64 %n, {half}")):
        _sums(f, dtype, half, is_plain, block)
        f.ret()
        f.place(f.label("dead"))
    _sums(f, dtype, whole, is_plain, block)
    f.ret()
    return f


def _sums(f: Flow, dtype: str, W: int, is_plain: bool, most: int) -> None:
    t, item = llvm_type(dtype, W), ITEMSIZE[dtype]
    whole = f.op(f"and i64 %m, {-most}")
    with f.loop("%n", step=W) as columns:
        lanes, j = lanes_until(f, "%n", columns.index, W), columns.index
        right, out = (f.at(f"%{x}", f.times(j, item if W > 1 else f"%{x}_column")) for x in "bc")
        done: Operand = 0
        for block in (most, 1):
            with f.loop("%m" if block == 1 else whole, start=done, step=block) as rows:
                numbers = [f.add(rows.index, q) for q in range(block)]
                carried = [(t, constant(0.0, dtype, W))] * block
                carried += [("ptr", f.at("%a", f.times(i, "%a_row"))) for i in numbers]
                with f.loop("%k", [*carried, ("ptr", right)]) as each:
                    *state, y = each.values
                    row = load_lanes(f, y, dtype, lanes, item)
                    left = [splat(f, load(f, x, dtype), dtype, W) for x in state[block:]]
                    sums = [f.intrinsic("fma", dtype, W, x, row, z) for x, z in zip(left, state, strict=False)]
                    each.next = [*sums, *(f.at(x, "%a_column") for x in state[block:]), f.at(y, "%b_row")]
                places = [f.at(out, f.times(i, "%c_row")) for i in numbers]
                totals = each.values[:block]
                totals = totals if is_plain else _scaled(f, dtype, lanes, totals, places)
                for x, place in zip(totals, places, strict=True):
                    store_lanes(f, x, place, dtype, lanes, item)
            done = whole


def _scaled(f: Flow, dtype: str, lanes: Lanes, totals: Sequence[str], places: Sequence[str]) -> list[str]:
    W, t = lanes.width, llvm_type(dtype, lanes.width)
    scale, decay = (splat(f, x, dtype, W) for x in ("%scale", "%decay"))
    totals = [f.op(f"fmul {t} {scale}, {x}") for x in totals]
    plain, adding, done = f.block, f.label("adding"), f.label("scaled")
    f.branch("%adds", adding, done)
    f.place(adding)
    olds = [load_lanes(f, place, dtype, lanes, ITEMSIZE[dtype]) for place in places]
    sums = [f.intrinsic("fma", dtype, W, decay, x, y) for x, y in zip(olds, totals, strict=True)]
    f.jump(done)
    f.place(done)
    return [f.op(f"phi {t} [ {x}, %{plain} ], [ {y}, %{adding} ]") for x, y in zip(totals, sums, strict=True)]


def lanes_until(f: Flow, count: Operand, first: Operand, W: int) -> Lanes:
    """The lanes from a place on, up to a length."""
    return ONE if W == 1 else Lanes(W, f.first_lanes(f.op(f"sub i64 {count}, {first}"), W))


@cache
def pack(dtype: str, pitch: int) -> Function:
    """A matrix to rows `pitch` bytes behind each other: where its columns are adjacent, by squares of numbers, which
    are zeros behind the ends of its rows."""
    f = Function(f"pack_{dtype}_{pitch}", ["ptr to", *matrix("a"), "i64 rows", "i64 columns"])
    chunk, item, all_lanes = llvm_type(dtype, SQUARE), ITEMSIZE[dtype], f"<{SQUARE} x i1>"
    with f.when(f.op(f"icmp eq i64 %a_row, {item}")):
        with f.loop("%columns", step=SQUARE) as wide, f.loop("%rows", step=SQUARE) as high:
            mask, columns = f.first_lanes(f.op(f"sub i64 %rows, {high.index}"), SQUARE), []
            for j in range(SQUARE):
                column = f.add(wide.index, j)
                is_there = f.op(f"icmp slt i64 {column}, %columns")
                some = f.op(f"select i1 {is_there}, {all_lanes} {mask}, {all_lanes} zeroinitializer")
                columns.append(load_lanes(f, _element(f, "a", high.index, column), dtype, Lanes(SQUARE, some), item))
            for j, row in enumerate(_transposed(f, chunk, columns)):
                offset = f.add(f.times(f.add(high.index, j), pitch), f.times(wide.index, item))
                f.do(f"store {chunk} {row}, ptr {f.at('%to', offset)}, align {item * SQUARE}")
        f.ret()
        f.place(f.label("dead"))
    with f.loop("%rows") as rows, f.loop("%columns") as each:
        value = load(f, _element(f, "a", rows.index, each.index), dtype)
        store(f, value, f.at("%to", f.add(f.times(rows.index, pitch), f.times(each.index, item))), dtype)
    f.ret()
    return f


def _transposed(f: Flow, chunk: str, rows: list[str]) -> list[str]:
    """Pairs of rows exchange halves of blocks, of four lanes, of two, of one."""
    for half in (4, 2, 1):
        after = list(rows)
        for i in range(SQUARE):
            if i & half:
                continue
            low = [k if not k & half else SQUARE + k - half for k in range(SQUARE)]
            high = [k + half if not k & half else SQUARE + k for k in range(SQUARE)]
            pair = f"{chunk} {rows[i]}, {chunk} {rows[i + half]}"
            for place, lanes in ((i, low), (i + half, high)):
                numbers = ", ".join(f"i32 {k}" for k in lanes)
                after[place] = f.op(f"shufflevector {pair}, <{SQUARE} x i32> <{numbers}>")
        rows = after
    return rows


# -- triangles ---------------------------------------------------------------------------------------------------------
@cache
def substitute(dtype: str, has_lanes: bool) -> Function:
    """x = a^-1 b, row by row of the unknowns; a is a lower triangle, an upper one from its end.  An i1: is there a zero
    on the diagonal?  None is seen if there are no unknowns."""
    name = f"substitute_{'' if has_lanes else 'one_'}{dtype}"
    f = Function(name, ["i64 n", "i64 k", *matrix("a"), *matrix("b"), *matrix("x"), "i1 unit"], "i1")
    if has_lanes:
        half, whole = widths(dtype)
        with f.when(f.op(f"icmp sle i64 %k, {half}")):
            f.ret(_unknowns(f, dtype, half))
            f.place(f.label("dead"))
        f.ret(_unknowns(f, dtype, whole))
    else:
        f.ret(_unknowns(f, dtype, 1))
    return f


def _pivot(f: Flow, dtype: str, i: Operand) -> str:
    value, t = load(f, _element(f, "a", i, i), dtype), llvm_type(dtype)
    return f.op(f"select i1 %unit, {t} {constant(1.0, dtype)}, {t} {value}")


def _unknowns(f: Flow, dtype: str, W: int) -> str:
    t, item = llvm_type(dtype, W), ITEMSIZE[dtype]
    column = str(item) if W > 1 else ""
    with f.loop("%k", [("i1", "false")], step=W) as columns:
        lanes = lanes_until(f, "%k", columns.index, W)
        with f.loop("%n", [("i1", columns.values[0])]) as rows:
            i = rows.index
            first = load_lanes(f, _element(f, "b", i, columns.index, column=column), dtype, lanes, item)
            with f.loop(i, [(t, first)]) as known:
                factor = splat(f, load(f, _element(f, "a", i, known.index), dtype), dtype, W)
                other = load_lanes(f, _element(f, "x", known.index, columns.index, column=column), dtype, lanes, item)
                minus = f.op(f"fneg {t} {other}")
                known.next = [f.intrinsic("fma", dtype, W, factor, minus, known.values[0])]
            pivot = _pivot(f, dtype, i)
            value = f.op(f"fdiv {t} {known.values[0]}, {splat(f, pivot, dtype, W)}")
            store_lanes(f, value, _element(f, "x", i, columns.index, column=column), dtype, lanes, item)
            is_zero = f.op(f"fcmp oeq {llvm_type(dtype)} {pivot}, {constant(0.0, dtype)}")
            rows.next = [f.op(f"or i1 {rows.values[0]}, {is_zero}")]
        columns.next = [rows.values[0]]
    return columns.values[0]


@cache
def is_empty_and_singular(dtype: str) -> Function:
    """An i1: are there no unknowns, and is there a zero on the diagonal of a?  `substitute` sees the others."""
    f = Function(f"is_empty_and_singular_{dtype}", ["i64 n", "i64 k", *matrix("a")], "i1")
    count = f.op(f"select i1 {f.op('icmp eq i64 %k, 0')}, i64 %n, i64 0")
    with f.loop(count, [("i1", "false")]) as rows:
        pivot = load(f, _element(f, "a", rows.index, rows.index), dtype)
        is_zero = f.op(f"fcmp oeq {llvm_type(dtype)} {pivot}, {constant(0.0, dtype)}")
        rows.next = [f.op(f"or i1 {rows.values[0]}, {is_zero}")]
    f.ret(rows.values[0])
    return f


@cache
def fill_nan(dtype: str) -> Function:
    f = Function(f"fill_nan_{dtype}", ["i64 n", "i64 k", *matrix("x")])
    with f.loop("%n") as rows, f.loop("%k") as columns:
        store(f, constant(NAN, dtype), _element(f, "x", rows.index, columns.index), dtype)
    f.ret()
    return f


# -- factors -----------------------------------------------------------------------------------------------------------
@cache
def cholesky(dtype: str) -> Function:
    """The lower factor, zeros above it; an i1: is the matrix not positive definite?  Row by row, each number from the
    rows above and from those before it."""
    f = Function(f"cholesky_{dtype}", ["i64 n", *matrix("a"), *matrix("x")], "i1")
    t, zero = llvm_type(dtype), constant(0.0, dtype)
    with f.loop("%n", [("i1", "false")]) as rows:
        i = rows.index
        mine = _element(f, "x", i, 0)

        def left(j: Operand, other: str) -> str:
            """An element less the products of what is known of both rows."""
            first = load(f, _element(f, "a", i, j), dtype)
            with f.loop(j, [(t, first), ("ptr", mine), ("ptr", other)]) as before:
                total, u, v = before.values
                minus = f.op(f"fneg {t} {load(f, u, dtype)}")
                total = f.intrinsic("fma", dtype, 1, minus, load(f, v, dtype), total)
                before.next = [total, f.at(u, "%x_column"), f.at(v, "%x_column")]
            return before.values[0]

        with f.loop(i) as columns:
            above, across = _element(f, "x", columns.index, 0), f.times(columns.index, "%x_column")
            value = f.op(f"fdiv {t} {left(columns.index, above)}, {load(f, f.at(above, across), dtype)}")
            store(f, value, f.at(mine, across), dtype)
        square = left(i, mine)
        failed = f.op(f"or i1 {rows.values[0]}, {f.op(f'fcmp ole {t} {square}, {zero}')}")
        store(f, f.intrinsic("sqrt", dtype, 1, square), _element(f, "x", i, i), dtype)
        with f.loop("%n", start=f.add(i, 1)) as rest:
            store(f, zero, _element(f, "x", i, rest.index), dtype)
        rows.next = [failed]
    f.ret(rows.values[0])
    return f


@cache
def lu_factor(dtype: str) -> Function:
    """The factors and exchanges of a matrix of at most `SQUARE` rows: its columns are vectors in a room, and in each
    step two numbers of all of them change places, before they lose a multiple of the step's column."""
    f = Function(f"lu_factor_{dtype}", ["i64 n", *matrix("a"), *matrix("x"), "ptr pivots", "i64 step"])
    item, W, t, number = ITEMSIZE[dtype], SQUARE, llvm_type(dtype, SQUARE), llvm_type(dtype)
    pitch = W * item
    room = f.op(f"alloca [{W * pitch} x i8], align {CACHE_LINE_BYTES}")
    operands = "ptr %a, i64 %a_column, i64 %a_row, i64 %n, i64 %n"  # the transposed matrix
    f.do(f"call void @{f.has(pack(dtype, pitch))}(ptr {room}, {operands})")

    def place(column: Operand, row: Operand) -> str:
        return f.at(room, f.add(f.times(column, pitch), f.times(row, item)))

    def rows_that(relation: str, row: Operand) -> str:
        wide = llvm_type("int64", W)
        numbers = f"<{', '.join(f'i64 {q}' for q in range(W))}>"
        return f.op(f"icmp {relation} {wide} {numbers}, {splat(f, str(row), 'int64', W)}")

    def get(column: Operand) -> str:
        return f.op(f"load {t}, ptr {place(column, 0)}, align {pitch}")

    def put(column: Operand, value: str) -> None:
        f.do(f"store {t} {value}, ptr {place(column, 0)}, align {pitch}")

    def chosen(mask: str, x: str, y: str) -> str:
        return f.op(f"select <{W} x i1> {mask}, {t} {x}, {t} {y}")

    with f.loop("%n") as steps:
        s = steps.index
        first = f.intrinsic("fabs", dtype, 1, load(f, place(s, s), dtype))
        with f.loop("%n", [(number, first), ("i64", s)], start=f.add(s, 1)) as search:
            size = f.intrinsic("fabs", dtype, 1, load(f, place(s, search.index), dtype))
            is_larger = f.op(f"fcmp ogt {number} {size}, {search.values[0]}")
            search.next = [
                f.op(f"select i1 {is_larger}, {kind} {new}, {kind} {old}")
                for kind, new, old in zip((number, "i64"), (size, search.index), search.values, strict=True)
            ]
        pivot = search.values[1]
        store(f, f.op(f"trunc i64 {pivot} to i32"), f.at("%pivots", f.times(s, "%step")), "int32")
        is_mine, is_pivot, is_below = rows_that("eq", s), rows_that("eq", pivot), rows_that("sgt", s)

        def exchanged(column: Operand) -> tuple[str, str]:
            """A column with its two numbers at each other's place; the one that comes to the step's row."""
            mine, other = (load(f, place(column, row), dtype) for row in (s, pivot))
            value = chosen(is_pivot, splat(f, mine, dtype, W), get(column))
            return chosen(is_mine, splat(f, other, dtype, W), value), other

        value, top = exchanged(s)
        is_zero = f.op(f"fcmp oeq {number} {top}, {constant(0.0, dtype)}")
        divisor = f.op(f"select i1 {is_zero}, {number} {constant(1.0, dtype)}, {number} {top}")
        factors = f.op(f"fdiv {t} {value}, {splat(f, divisor, dtype, W)}")
        put(s, chosen(is_below, factors, value))
        minus = f.op(f"fneg {t} {factors}")
        with f.loop(s) as before:
            put(before.index, exchanged(before.index)[0])
        with f.loop("%n", start=f.add(s, 1)) as behind:
            value, top = exchanged(behind.index)
            after = f.intrinsic("fma", dtype, W, minus, splat(f, top, dtype, W), value)
            put(behind.index, chosen(is_below, after, value))
    with f.loop("%n") as columns, f.loop("%n") as rows:
        value = load(f, place(columns.index, rows.index), dtype)
        store(f, value, _element(f, "x", rows.index, columns.index), dtype)
    f.ret()
    return f


@cache
def exchange(dtype: str, has_lanes: bool) -> Function:
    """Copy b to x, unless they are one; then rows of x change places in order, or backwards.  An i1: is a pivot no row?
    Then none do."""
    name = f"exchange_{'' if has_lanes else 'one_'}{dtype}"
    f = Function(name, ["i64 n", "i64 k", "ptr pivots", *matrix("b"), *matrix("x"), "i1 back"], "i1")
    W, item, int_bytes = (widths(dtype)[0] if has_lanes else 1), ITEMSIZE[dtype], ITEMSIZE["int32"]
    column = str(item) if has_lanes else ""

    def pivot_of(i: Operand) -> str:
        bits = load(f, f.at("%pivots", f.times(i, int_bytes)), "int32")
        return f.op(f"sext i32 {bits} to i64")

    def at(name: str, i: Operand, j: Operand) -> str:
        return _element(f, name, i, j, column=column)

    with f.loop("%n", [("i1", "false")]) as rows:
        is_bad = f.op(f"icmp uge i64 {pivot_of(rows.index)}, %n")
        rows.next = [f.op(f"or i1 {rows.values[0]}, {is_bad}")]
    failed, last = rows.values[0], f.op("sub i64 %n, 1")
    with f.loop("%k", step=W) as columns:
        lanes, j = lanes_until(f, "%k", columns.index, W), columns.index
        with f.when(f.op("icmp ne ptr %b, %x")), f.loop("%n") as rows:
            value = load_lanes(f, at("b", rows.index, j), dtype, lanes, item)
            store_lanes(f, value, at("x", rows.index, j), dtype, lanes, item)
        with f.when(f.op(f"xor i1 {failed}, true")), f.loop("%n") as rows:
            i = f.op(f"select i1 %back, i64 {f.op(f'sub i64 {last}, {rows.index}')}, i64 {rows.index}")
            pivot = pivot_of(i)
            with f.when(f.op(f"icmp ne i64 {pivot}, {i}")):
                places = [at("x", row, j) for row in (i, pivot)]
                values = [load_lanes(f, place, dtype, lanes, item) for place in places]
                for value, place in zip(values, reversed(places), strict=True):
                    store_lanes(f, value, place, dtype, lanes, item)
    f.ret(failed)
    return f


def by_text(f: Flow, function: str, number: int, dtype: str, most: int) -> str:
    """The symbol of a function of the library for one matrix; its text is in the module from here on."""
    symbol, text, declared = _text(function, number, dtype, most)
    f.functions[symbol] = text
    f.declarations |= declared
    return symbol


@cache
def _text(function: str, number: int, dtype: str, most: int) -> tuple[str, str, dict[str, str]]:
    made, declared = one_function(ROUTINES[function][number], NUMBERS[dtype], most), dict[str, str]()
    text = function_text(made, declared)
    return made.signature.name, text, {name: line.strip() for name, line in declared.items()}
