"""Histograms: one number added at positions of one byte is added as often as each position occurs.

Contract  `counted_*`: true, x is done; false: nothing is written.
When      there are 2,048 positions and more; integers, or floats that are whole and small, whose sums are exact in any
          order (others are added one by one: `arrays.scatter`).
Why       occurrences are counted in several tables, so that equal neighbours do not wait for each other's store.
"""

from __future__ import annotations

from tensordsl.codegen.llvm.builder import Asm

VALUES, TABLES = 256, 8  # of a byte; that count in parallel
MAX_COUNT = 1 << 31  # that a count holds
EXACT = {"float": float(1 << 24), "double": float(1 << 53)}  # below it all whole numbers are there
COUNTS_PER_VECTOR = 16  # counts at once
PARAMS = ("ptr x", "ptr y", "ptr positions", "i64 step", "i64 count")


def counts_text() -> str:
    """void: into table 0, how often each value occurs."""
    f = Asm("void", "count_bytes", ("ptr tables", "ptr positions", "i64 count"), internal=True)
    kind = f"<{COUNTS_PER_VECTOR} x i32>"
    with f.loop(TABLES * VALUES, step=COUNTS_PER_VECTOR) as loop:
        f.do(f"store {kind} zeroinitializer, ptr {f.gep('%tables', loop.index, 'i32')}, align 4")
    whole = f.and_("%count", -TABLES)
    with f.loop(whole, step=TABLES) as loop:
        first = f.gep("%positions", loop.index)
        for k in range(TABLES):
            _count(f, f.gep(first, k), f.gep("%tables", 4 * VALUES * k))
    with f.loop("%count", start=whole) as loop:
        _count(f, f.gep("%positions", loop.index), "%tables")
    with f.loop(VALUES, step=COUNTS_PER_VECTOR) as loop:
        total, place = "zeroinitializer", f.gep("%tables", loop.index, "i32")
        for k in range(TABLES):
            part = f.op(f"load {kind}, ptr {f.gep(place, 4 * VALUES * k)}, align 4")
            total = f.op(f"add {kind} {total}, {part}")
        f.do(f"store {kind} {total}, ptr {place}, align 4")
    f.ret()
    return f.text


def _count(f: Asm, position: str, table: str) -> None:
    value = f.op(f"zext i8 {f.load('i8', position)} to i64")
    place = f.gep(table, value, "i32")
    f.store("i32", f.op(f"add i32 {f.load('i32', place)}, 1"), place)


def counted_text(name: str, kind: str) -> str:
    """i1: is it done?  If not, nothing is written."""
    f = Asm("i1", f"counted_{name}", PARAMS, internal=True)
    tables, y = f.op(f"alloca [{TABLES * VALUES} x i32], align 64"), f.load(kind, "%y")
    if kind in EXACT:
        with f.when(f.op(f"xor i1 {_is_integer(f, kind, y)}, true")):
            f.ret("i1", "false")
    f.call("void", "@count_bytes", f"ptr {tables}", "ptr %positions", "i64 %count")
    if kind in EXACT:
        with f.loop(VALUES, ("i1", "true")) as loop:
            often, place = _of_value(f, tables, loop.index)
            is_exact = _is_exact(f, kind, f.choose(_occurs(f, often), place, "%x", "ptr"), y, often)
            loop.next = [f.all(loop.values[0], f.any(is_exact, f.compare("eq", "i32", often, 0)))]
        with f.when(f.op(f"xor i1 {loop.values[0]}, true")):
            f.ret("i1", "false")
    with f.loop(VALUES) as loop:
        often, place = _of_value(f, tables, loop.index)
        with f.when(_occurs(f, often)):
            times, add = _times(f, kind, often, y), "fadd" if kind in EXACT else "add"
            f.store(kind, f.op(f"{add} {kind} {f.load(kind, place)}, {times}"), place)
    f.ret("i1", "true")
    return f.text


def _of_value(f: Asm, tables: str, value: str) -> tuple[str, str]:
    """(how often it occurs, its place in x: only if it does)"""
    return f.load("i32", f.gep(tables, value, "i32")), f.gep("%x", f.mul(value, "%step"))


def _occurs(f: Asm, often: str) -> str:
    return f.compare("ne", "i32", often, 0)


def _times(f: Asm, kind: str, often: str, y: str) -> str:
    if kind in EXACT:
        return f.op(f"fmul {kind} {f.op(f'uitofp i32 {often} to {kind}')}, {y}")
    factor = f.op(f"zext i32 {often} to i64") if kind == "i64" else often
    if kind in ("i8", "i16"):
        factor = f.op(f"trunc i32 {often} to {kind}")
    return f.op(f"mul {kind} {factor}, {y}")


def _is_exact(f: Asm, kind: str, place: str, y: str, often: str) -> str:
    """Of a whole y: is the element whole, and is every partial sum small enough to be exact?"""
    x = f.load(kind, place)
    sizes = [f.op(f"call {kind} @llvm.fabs.f{_bits(kind)}({kind} {v})") for v in (x, _times(f, kind, often, y))]
    largest = f.op(f"fadd {kind} {sizes[0]}, {sizes[1]}")
    small = f.op(f"fcmp olt {kind} {largest}, {EXACT[kind]:.1f}")
    return f.all(small, _is_integer(f, kind, x))


def _is_integer(f: Asm, kind: str, v: str) -> str:
    rounded = f.op(f"call {kind} @llvm.trunc.f{_bits(kind)}({kind} {v})")
    return f.op(f"fcmp oeq {kind} {rounded}, {v}")


def _bits(kind: str) -> int:
    return {"float": 32, "double": 64}[kind]


DECLARATIONS = "".join(
    f"declare {kind} @llvm.{name}.f{_bits(kind)}({kind})\n" for kind in EXACT for name in ("fabs", "trunc")
)
