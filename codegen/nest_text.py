"""LLVM text of the nest library: `run_nest` walks the loops of a scheduled group and calls its flat kernels.

    i64 run_nest(ptr K, ptr D, ptr B, ptr S, ptr E, ptr I)

K kernel addresses, D descriptor, B operands' addresses, S byte strides [operand][axis], E extents per axis, I run-time
integers.  Returns nonzero iff an indexed load was out of range.  Compiled once per machine; nothing in it depends on a
group, so that a kernel is nothing but one loop over whole vectors.

The descriptor (64-bit words) is a header, pairs of axes that may be merged at run time, and code:

    LOOP   axis, words of body                                  for each position of the axis: body
    BLOCKS axis, lanes, block, words of body                    whole vectors, at most `block` elements; then the tail
    FILL   offset, bytes, bytes per element, pattern            identity states; bytes + count * bytes per element
    CALL   kernel, lane axis or -1, operands, operands * ENTRY words    pack what cannot be read in place, call, unpack

A tail is one vector: operands are copied to scratch and padded by repeating their last element (a valid one: an index must
stay in range), `live` says how many lanes hold elements.  All of a block is read before any of it is written, so an
output may be an input at the same points.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# Words of the header.
N_OPERANDS, N_AXES, SCRATCH, N_POINTERS, N_MERGES, FAST, WIDTH, CODE, END = range(9)
HEADER = 9
# Operations of the code.
LOOP, BLOCKS, FILL, CALL = range(4)
LOOP_WORDS, BLOCKS_WORDS, FILL_WORDS, CALL_WORDS = 3, 5, 5, 4
# A kernel operand: (kind, number, itemsize, scratch offset, flags, scratch offset of a byte offset to add or -1).
ENTRY = 6
VECTOR, SPLAT, INTERNAL, INTEGER, POSITION, FLAG = range(6)
READ, WRITE = 1, 2

# Words of the context, one per call of `run_nest`.
_K, _D, _E, _S, _I, _POS, _CUR, _SCRATCH, _FLAG, _COUNT, _LIVE, _TAIL, _P = range(13)
_CONTEXT = 13
_PARAMS = "ptr %K, ptr %D, ptr %B, ptr %S, ptr %E, ptr %I"


class _Code:
    """Text of one function, in SSA form by structured loops; mutable variables are stack slots."""

    def __init__(self, head: str) -> None:
        self.lines = [f"define {head} nounwind {{", "entry:"]
        self.count = 0
        self.block = "entry"

    def unique(self) -> int:
        self.count += 1
        return self.count

    def do(self, text: str) -> None:
        self.lines.append("  " + text)

    def op(self, text: str) -> str:
        name = f"%v{self.unique()}"
        self.lines.append(f"  {name} = {text}")
        return name

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name

    def int(self, op: str, x: object, y: object) -> str:
        return self.op(f"{op} i64 {x}, {y}")

    def min(self, x: object, y: object) -> str:
        return self.op(f"call i64 @llvm.smin.i64(i64 {x}, i64 {y})")

    def compare(self, predicate: str, x: object, y: object) -> str:
        return self.op(f"icmp {predicate} i64 {x}, {y}")

    def at(self, pointer: str, index: object, type: str = "i64") -> str:
        return self.op(f"getelementptr {type}, ptr {pointer}, i64 {index}")

    def get(self, pointer: str, index: object, type: str = "i64") -> str:
        return self.op(f"load {type}, ptr {self.at(pointer, index)}, align 8")

    def put(self, value: object, pointer: str, index: object, type: str = "i64") -> None:
        self.do(f"store {type} {value}, ptr {self.at(pointer, index)}, align 8")

    @contextmanager
    def loop(self, count: object, step: object = 1) -> Iterator[str]:
        """for i in range(0, count, step)"""
        k, before = self.unique(), self.block
        self.do(f"br label %head{k}")
        self.label(f"head{k}")
        self.do(f"%i{k} = phi i64 [0, %{before}], [%next{k}, %latch{k}]")
        self.do(f"br i1 {self.compare('slt', f'%i{k}', count)}, label %body{k}, label %exit{k}")
        self.label(f"body{k}")
        yield f"%i{k}"
        self.do(f"br label %latch{k}")
        self.label(f"latch{k}")
        self.do(f"%next{k} = add i64 %i{k}, {step}")
        self.do(f"br label %head{k}")
        self.label(f"exit{k}")

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        k = self.unique()
        self.do(f"br i1 {condition}, label %then{k}, label %end{k}")
        self.label(f"then{k}")
        yield
        self.do(f"br label %end{k}")
        self.label(f"end{k}")

    @contextmanager
    def when_returns(self, condition: str, returns: str) -> Iterator[None]:
        """The body, then a return, if the condition holds."""
        k = self.unique()
        self.do(f"br i1 {condition}, label %then{k}, label %end{k}")
        self.label(f"then{k}")
        yield
        self.do(f"ret {returns}")
        self.label(f"end{k}")

    def end(self, returns: str = "void") -> str:
        return "\n".join([*self.lines, f"  ret {returns}", "}", ""])


def nest_text(vector_bytes: int = 64) -> str:
    """The library's module.  At 64 bytes the target has AVX-512 with byte masks; other targets copy tails in pieces."""
    parts = [_copy_in(vector_bytes), _copy_out(vector_bytes), _pack(), _unpack()]
    parts += [_loop(), _blocks(), _fill(), _call(), _execute(), _direct(), _merge(), _general(), _run_nest()]
    declarations = "declare i64 @llvm.smin.i64(i64, i64)\n"
    if vector_bytes >= 64:
        declarations += (
            "declare <64 x i8> @llvm.masked.load.v64i8.p0(ptr, i32, <64 x i1>, <64 x i8>)\n"
            "declare void @llvm.masked.store.v64i8.p0(<64 x i8>, ptr, i32, <64 x i1>)\n"
        )
    return declarations + "\n".join(parts)


# -- copies -----------------------------------------------------------------------------------------------------------
def _byte_mask(c: _Code, live: str) -> str:
    byte = c.op(f"trunc i64 {c.min(live, 64)} to i8")
    one = c.op(f"insertelement <64 x i8> poison, i8 {byte}, i64 0")
    splat = c.op(f"shufflevector <64 x i8> {one}, <64 x i8> poison, <64 x i32> zeroinitializer")
    return c.op(f"icmp ult <64 x i8> <{', '.join(f'i8 {k}' for k in range(64))}>, {splat}")


def _pieces(c: _Code, target: str, source: str, size: str) -> None:
    """Copy `size` bytes by pieces of 32, 16, 8, 4, 2 and 1 bytes."""
    whole = c.int("and", size, -32)
    with c.loop(whole, 32) as i:
        value = c.op(f"load <4 x i64>, ptr {c.at(source, i, 'i8')}, align 1")
        c.do(f"store <4 x i64> {value}, ptr {c.at(target, i, 'i8')}, align 1")
    offset = whole
    for bytes_, type in ((16, "<2 x i64>"), (8, "i64"), (4, "i32"), (2, "i16"), (1, "i8")):
        bit = c.int("and", size, bytes_)
        with c.when(c.compare("ne", bit, 0)):
            value = c.op(f"load {type}, ptr {c.at(source, offset, 'i8')}, align 1")
            c.do(f"store {type} {value}, ptr {c.at(target, offset, 'i8')}, align 1")
        offset = c.int("add", offset, bit)


def _repeated(c: _Code, pointer: str, size: str) -> str:
    """<8 x i64> filled with the element of 1, 2, 4 or 8 bytes at `pointer`."""
    slot = c.op("alloca i64, align 8")
    for bytes_, factor in ((1, 0x0101010101010101), (2, 0x0001000100010001), (4, 0x0000000100000001), (8, 1)):
        with c.when(c.compare("eq", size, bytes_)):
            value = c.op(f"load i{8 * bytes_}, ptr {pointer}, align 1")
            if bytes_ < 8:
                value = c.op(f"zext i{8 * bytes_} {value} to i64")
            c.do(f"store i64 {c.int('mul', value, factor)}, ptr {slot}")
    return _splat64(c, c.op(f"load i64, ptr {slot}"))


def _splat64(c: _Code, value: str) -> str:
    one = c.op(f"insertelement <8 x i64> poison, i64 {value}, i64 0")
    return c.op(f"shufflevector <8 x i64> {one}, <8 x i64> poison, <8 x i32> zeroinitializer")


def _copy_in(vector_bytes: int) -> str:
    """`live` contiguous elements to scratch, then the last one repeated up to `count`; writes whole 64 bytes."""
    c = _Code("internal void @copy_in(ptr %to, ptr %from, i64 %size, i64 %live, i64 %count)")
    live, total = c.int("mul", "%live", "%size"), c.int("mul", "%count", "%size")
    pad = _repeated(c, c.at("%from", c.int("sub", live, "%size"), "i8"), "%size")
    if vector_bytes >= 64:
        passed = c.op(f"bitcast <8 x i64> {pad} to <64 x i8>")
        with c.loop(total, 64) as i:
            mask = _byte_mask(c, c.op(f"call i64 @llvm.smax.i64(i64 {c.int('sub', live, i)}, i64 0)"))
            source = c.at("%from", i, "i8")
            value = c.op(
                f"call <64 x i8> @llvm.masked.load.v64i8.p0(ptr {source}, i32 1, <64 x i1> {mask}, <64 x i8> {passed})"
            )
            c.do(f"store <64 x i8> {value}, ptr {c.at('%to', i, 'i8')}, align 64")
        return "declare i64 @llvm.smax.i64(i64, i64)\n" + c.end()
    with c.loop(total, 64) as i:
        c.do(f"store <8 x i64> {pad}, ptr {c.at('%to', i, 'i8')}, align 64")
    _pieces(c, "%to", "%from", live)
    return c.end()


def _copy_out(vector_bytes: int) -> str:
    c = _Code("internal void @copy_out(ptr %to, ptr %from, i64 %bytes)")
    if vector_bytes < 64:
        _pieces(c, "%to", "%from", "%bytes")
        return c.end()
    with c.loop("%bytes", 64) as i:
        mask = _byte_mask(c, c.int("sub", "%bytes", i))
        value = c.op(f"load <64 x i8>, ptr {c.at('%from', i, 'i8')}, align 64")
        target = c.at("%to", i, "i8")
        c.do(f"call void @llvm.masked.store.v64i8.p0(<64 x i8> {value}, ptr {target}, i32 1, <64 x i1> {mask})")
    return c.end()


def _strided(c: _Code, size: str, count: str, target_stride: str, source_stride: str) -> None:
    """Element by element; four at a time, since a scalar copy is bound by the loop around it."""
    for bytes_ in (8, 4, 2, 1):
        with c.when(c.compare("eq", size, bytes_)):
            whole = c.int("and", count, -4)

            def move(k: str, bytes_: int = bytes_) -> None:
                source = c.at("%from", c.int("mul", k, source_stride), "i8")
                value = c.op(f"load i{8 * bytes_}, ptr {source}, align 1")
                target = c.at("%to", c.int("mul", k, target_stride), "i8")
                c.do(f"store i{8 * bytes_} {value}, ptr {target}, align 1")

            with c.loop(whole, 4) as i:
                for k in range(4):
                    move(c.int("add", i, k))
            with c.loop(c.int("sub", count, whole)) as i:
                move(c.int("add", i, whole))


def _pack() -> str:
    c = _Code("internal void @pack(ptr %to, ptr %from, i64 %stride, i64 %size, i64 %live, i64 %count)")
    with c.when_returns(c.compare("eq", "%stride", "%size"), "void"):
        c.do("call void @copy_in(ptr %to, ptr %from, i64 %size, i64 %live, i64 %count)")
    _strided(c, "%size", "%live", "%size", "%stride")
    with c.when(c.compare("slt", "%live", "%count")):
        last = c.at("%to", c.int("mul", c.int("sub", "%live", 1), "%size"), "i8")
        rest = c.at("%to", c.int("mul", "%live", "%size"), "i8")
        c.do(
            f"call void @pack(ptr {rest}, ptr {last}, i64 0, i64 %size, i64 {c.int('sub', '%count', '%live')}, "
            f"i64 {c.int('sub', '%count', '%live')})"
        )
    return c.end()


def _unpack() -> str:
    c = _Code("internal void @unpack(ptr %to, ptr %from, i64 %stride, i64 %size, i64 %live)")
    with c.when_returns(c.compare("eq", "%stride", "%size"), "void"):
        c.do(f"call void @copy_out(ptr %to, ptr %from, i64 {c.int('mul', '%live', '%size')})")
    _strided(c, "%size", "%live", "%stride", "%size")
    return c.end()


# -- the interpreter --------------------------------------------------------------------------------------------------
def _advance(c: _Code, axis: str, steps: str) -> None:
    """Move the current address of every operand along an axis."""
    n, axes = c.get(c.get("%cx", _D, "ptr"), N_OPERANDS), c.get(c.get("%cx", _D, "ptr"), N_AXES)
    strides, current = c.get("%cx", _S, "ptr"), c.get("%cx", _CUR, "ptr")
    with c.loop(n) as o:
        step = c.get(strides, c.int("add", c.int("mul", o, axes), axis))
        c.put(c.int("add", c.get(current, o), c.int("mul", step, steps)), current, o)


def _instruction(name: str) -> tuple[_Code, str]:
    """An instruction: `i64 name(ptr context, i64 pc)` gives the next pc.  Returns (code, address of its words)."""
    c = _Code(f"internal i64 @{name}(ptr %cx, i64 %pc)")
    return c, c.at(c.get("%cx", _D, "ptr"), "%pc")


def _loop() -> str:
    c, words = _instruction("loop")
    axis, size = c.get(words, 1), c.get(words, 2)
    first = c.int("add", "%pc", LOOP_WORDS)
    end = c.int("add", first, size)
    positions, extent = c.get("%cx", _POS, "ptr"), c.get(c.get("%cx", _E, "ptr"), axis)
    with c.loop(extent) as i:
        c.put(i, positions, axis)
        c.do(f"call void @execute(ptr %cx, i64 {first}, i64 {end})")
        _advance(c, axis, "1")
    _advance(c, axis, c.int("sub", 0, extent))
    return c.end(f"i64 {end}")


def _blocks() -> str:
    c, words = _instruction("blocks")
    axis, width, block, size = (c.get(words, k) for k in (1, 2, 3, 4))
    first = c.int("add", "%pc", BLOCKS_WORDS)
    end = c.int("add", first, size)
    positions, extent = c.get("%cx", _POS, "ptr"), c.get(c.get("%cx", _E, "ptr"), axis)
    done, vectors = c.op("alloca i64, align 8"), c.int("sub", 0, width)
    c.put(0, done, 0)
    k = c.unique()
    c.do(f"br label %more{k}")
    c.label(f"more{k}")
    i = c.get(done, 0)
    left = c.int("sub", extent, i)
    c.do(f"br i1 {c.compare('sgt', left, 0)}, label %block{k}, label %all{k}")
    c.label(f"block{k}")
    tail = c.compare("slt", left, width)
    whole = c.min(c.int("and", left, vectors), block)
    c.put(c.op(f"select i1 {tail}, i64 {width}, i64 {whole}"), "%cx", _COUNT)
    c.put(c.op(f"select i1 {tail}, i64 {left}, i64 {width}"), "%cx", _LIVE)
    c.put(c.op(f"zext i1 {tail} to i64"), "%cx", _TAIL)
    c.put(i, positions, axis)
    c.do(f"call void @execute(ptr %cx, i64 {first}, i64 {end})")
    step = c.op(f"select i1 {tail}, i64 {left}, i64 {whole}")
    _advance(c, axis, step)
    c.put(c.int("add", i, step), done, 0)
    c.do(f"br label %more{k}")
    c.label(f"all{k}")
    _advance(c, axis, c.int("sub", 0, extent))
    c.put(0, "%cx", _TAIL)
    return c.end(f"i64 {end}")


def _fill() -> str:
    c, words = _instruction("fill")
    offset, constant, each, pattern = (c.get(words, k) for k in (1, 2, 3, 4))
    size = c.int("add", constant, c.int("mul", c.get("%cx", _COUNT), each))
    target, value = c.at(c.get("%cx", _SCRATCH, "ptr"), offset, "i8"), _splat64(c, pattern)
    with c.loop(size, 64) as i:
        c.do(f"store <8 x i64> {value}, ptr {c.at(target, i, 'i8')}, align 64")
    return c.end(f"i64 {c.int('add', '%pc', FILL_WORDS)}")


def _call() -> str:
    c, words = _instruction("call")
    kernel, lane, operands = c.get(c.get("%cx", _K, "ptr"), c.get(words, 1), "ptr"), c.get(words, 2), c.get(words, 3)
    counted = c.compare("sge", lane, 0)
    count, live = (c.op(f"select i1 {counted}, i64 {c.get('%cx', k)}, i64 1") for k in (_COUNT, _LIVE))
    pointers, packed = c.get("%cx", _P, "ptr"), c.op("alloca i64, align 8")
    c.put(0, packed, 0)
    with c.loop(operands) as k:
        _pointer(c, words, k, lane, count, packed)
    c.do(f"call void {kernel}(ptr {pointers}, i64 {count}, i64 {live})")
    scratch = c.get("%cx", _SCRATCH, "ptr")
    with c.when(c.compare("ne", c.get(packed, 0), 0)), c.loop(operands) as k:
        entry = c.at(words, c.int("add", c.int("mul", k, ENTRY), CALL_WORDS))
        area = c.at(scratch, c.get(entry, 3), "i8")
        writes = c.compare("ne", c.int("and", c.get(entry, 4), WRITE), 0)
        vector = c.compare("eq", c.get(entry, 0), VECTOR)
        used = c.op(f"icmp eq ptr {area}, {c.get(pointers, k, 'ptr')}")
        both = c.op(f"and i1 {writes}, {c.op(f'and i1 {vector}, {used}')}")
        with c.when(both):
            address, stride = _address(c, entry, lane)
            taken = c.op(f"select i1 {c.compare('ne', c.get('%cx', _TAIL), 0)}, i64 {live}, i64 {count}")
            c.do(f"call void @unpack(ptr {address}, ptr {area}, i64 {stride}, i64 {c.get(entry, 2)}, i64 {taken})")
    return c.end(f"i64 {c.int('add', c.int('mul', operands, ENTRY), c.int('add', '%pc', CALL_WORDS))}")


def _address(c: _Code, entry: str, lane: str) -> tuple[str, str]:
    """(address, stride along the lane axis) of a kernel's external operand at the current position."""
    number = c.get(entry, 1)
    extra = c.op(f"load i64, ptr {c.at(c.get('%cx', _SCRATCH, 'ptr'), c.get(entry, 5), 'i8')}, align 8")
    address = c.at(c.get(c.get("%cx", _CUR, "ptr"), number, "ptr"), extra, "i8")
    axes = c.get(c.get("%cx", _D, "ptr"), N_AXES)
    axis = c.op(f"call i64 @llvm.smax.i64(i64 {lane}, i64 0)")
    return address, c.get(c.get("%cx", _S, "ptr"), c.int("add", c.int("mul", number, axes), axis))


def _pointer(c: _Code, words: str, k: str, lane: str, count: str, packed: str) -> None:
    """P[k] for one operand of a kernel."""
    entry = c.at(words, c.int("add", c.int("mul", k, ENTRY), CALL_WORDS))
    kind, number, scratch = c.get(entry, 0), c.get(entry, 1), c.get("%cx", _SCRATCH, "ptr")
    pointers = c.get("%cx", _P, "ptr")
    with c.when(c.compare("sgt", kind, SPLAT)):
        value = c.at(scratch, number, "i8")
        for other, base in ((INTEGER, c.get("%cx", _I, "ptr")), (POSITION, c.get("%cx", _POS, "ptr"))):
            value = c.op(f"select i1 {c.compare('eq', kind, other)}, ptr {c.at(base, number)}, ptr {value}")
        value = c.op(f"select i1 {c.compare('eq', kind, FLAG)}, ptr {c.at('%cx', _FLAG)}, ptr {value}")
        c.put(value, pointers, k, "ptr")
    with c.when(c.compare("sle", kind, SPLAT)):
        address, stride = _address(c, entry, lane)
        c.put(address, pointers, k, "ptr")
        size, tail = c.get(entry, 2), c.compare("ne", c.get("%cx", _TAIL), 0)
        indirect = c.op(f"or i1 {tail}, {c.compare('ne', stride, size)}")
        with c.when(c.op(f"and i1 {c.compare('eq', kind, VECTOR)}, {indirect}")):
            area = c.at(scratch, c.get(entry, 3), "i8")
            c.put(area, pointers, k, "ptr")
            c.put(1, packed, 0)
            with c.when(c.compare("ne", c.int("and", c.get(entry, 4), READ), 0)):
                taken = c.op(f"select i1 {tail}, i64 {c.get('%cx', _LIVE)}, i64 {count}")
                c.do(f"call void @pack(ptr {area}, ptr {address}, i64 {stride}, i64 {size}, i64 {taken}, i64 {count})")


def _execute() -> str:
    c = _Code("internal void @execute(ptr %cx, i64 %first, i64 %end)")
    c.do("br label %head")
    c.label("head")
    c.do("%pc = phi i64 [%first, %entry], [%a, %loop], [%b, %blocks], [%c, %fill], [%d, %call]")
    c.do(f"br i1 {c.compare('slt', '%pc', '%end')}, label %body, label %exit")
    c.label("body")
    operation = c.get(c.get("%cx", _D, "ptr"), "%pc")
    names = (("call", "d", CALL), ("fill", "c", FILL), ("blocks", "b", BLOCKS), ("loop", "a", LOOP))
    for name, result, number in names:
        c.do(f"br i1 {c.compare('eq', operation, number)}, label %{name}, label %not_{name}")
        c.label(name)
        c.do(f"%{result} = call i64 @{name}(ptr %cx, i64 %pc)")
        c.do("br label %head")
        c.label(f"not_{name}")
    c.do("br label %exit")
    c.label("exit")
    return c.end()


# -- entry ------------------------------------------------------------------------------------------------------------
def _direct() -> str:
    """One kernel over one axis, everything readable in place: no context at all.  Gives 0 if that is not so."""
    c = _Code(f"internal i64 @direct({_PARAMS}, ptr %P, ptr %scratch)")
    words = c.at("%D", c.get("%D", FAST))
    lane, operands, axes, width = c.get(words, 2), c.get(words, 3), c.get("%D", N_AXES), c.get("%D", WIDTH)
    wrong = c.op("alloca i64, align 8")
    c.put(0, wrong, 0)
    with c.loop(operands) as k:
        entry = c.at(words, c.int("add", c.int("mul", k, ENTRY), CALL_WORDS))
        kind, number = c.get(entry, 0), c.get(entry, 1)
        stride = c.get("%S", c.int("add", c.int("mul", number, axes), lane))
        integer = c.compare("eq", kind, INTEGER)
        with c.when(integer):
            c.put(c.at("%I", number), "%P", k, "ptr")
        with c.when(c.op(f"xor i1 {integer}, true")):
            c.put(c.get("%B", number, "ptr"), "%P", k, "ptr")
        bad = c.op(f"and i1 {c.compare('eq', kind, VECTOR)}, {c.compare('ne', stride, c.get(entry, 2))}")
        c.put(c.int("or", c.get(wrong, 0), c.op(f"zext i1 {bad} to i64")), wrong, 0)
    with c.when_returns(c.compare("ne", c.get(wrong, 0), 0), "i64 0"):
        pass
    n, kernel = c.get("%E", lane), c.get("%K", c.get(words, 1), "ptr")
    whole = c.int("and", n, c.int("sub", 0, width))
    with c.when(c.compare("sgt", whole, 0)):
        c.do(f"call void {kernel}(ptr %P, i64 {whole}, i64 {width})")
    left = c.int("sub", n, whole)
    with c.when(c.compare("sgt", left, 0)):
        _direct_tail(c, words, operands, kernel, whole, left, width)
    return c.end("i64 1")


def _direct_tail(c: _Code, words: str, operands: str, kernel: str, whole: str, left: str, width: str) -> None:
    with c.loop(operands) as k:
        entry = c.at(words, c.int("add", c.int("mul", k, ENTRY), CALL_WORDS))
        size, area = c.get(entry, 2), c.at("%scratch", c.get(entry, 3), "i8")
        with c.when(c.compare("eq", c.get(entry, 0), VECTOR)):
            source = c.at(c.get("%P", k, "ptr"), c.int("mul", whole, size), "i8")
            c.put(area, "%P", k, "ptr")
            with c.when(c.compare("ne", c.int("and", c.get(entry, 4), READ), 0)):
                c.do(f"call void @copy_in(ptr {area}, ptr {source}, i64 {size}, i64 {left}, i64 {width})")
    c.do(f"call void {kernel}(ptr %P, i64 {width}, i64 {left})")
    with c.loop(operands) as k:
        entry = c.at(words, c.int("add", c.int("mul", k, ENTRY), CALL_WORDS))
        size, area = c.get(entry, 2), c.at("%scratch", c.get(entry, 3), "i8")
        with c.when(c.compare("ne", c.int("and", c.get(entry, 4), WRITE), 0)):
            target = c.at(c.get("%B", c.get(entry, 1), "ptr"), c.int("mul", whole, size), "i8")
            c.do(f"call void @copy_out(ptr {target}, ptr {area}, i64 {c.int('mul', left, size)})")


def _merge() -> str:
    """Make one axis of two neighbours in loop order, where the strides of all operands allow it; the outer one becomes 1."""
    c = _Code("internal void @merge(ptr %e, ptr %s, i64 %a, i64 %b, i64 %axes, i64 %operands)")
    extent_a, extent_b = c.get("%e", "%a"), c.get("%e", "%b")
    wrong = c.op("alloca i64, align 8")
    c.put(0, wrong, 0)
    one = c.compare("eq", extent_b, 1)
    with c.loop("%operands") as o:
        row = c.at("%s", c.int("mul", o, "%axes"))
        apart = c.int("xor", c.get(row, "%a"), c.int("mul", c.get(row, "%b"), extent_b))
        c.put(c.int("or", c.get(wrong, 0), apart), wrong, 0)
    fits = c.op(f"or i1 {one}, {c.compare('eq', c.get(wrong, 0), 0)}")
    several = c.compare("ne", extent_a, 1)
    with c.when(c.op(f"and i1 {fits}, {several}")):
        c.put(c.int("mul", extent_a, extent_b), "%e", "%b")
        c.put(1, "%e", "%a")
        with c.when(one), c.loop("%operands") as o:
            row = c.at("%s", c.int("mul", o, "%axes"))
            c.put(c.get(row, "%a"), row, "%b")
    return c.end()


def _flat_after_merging(c: _Code, axes: str) -> None:
    """Return by `direct` if every axis but the lane's has become 1."""
    lane = c.get(c.at("%D", c.get("%D", FAST)), 2)
    others = c.op("alloca i64, align 8")
    c.put(0, others, 0)
    with c.loop(axes) as a:
        longer = c.op(f"and i1 {c.compare('ne', a, lane)}, {c.compare('ne', c.get('%e', a), 1)}")
        c.put(c.int("or", c.get(others, 0), c.op(f"zext i1 {longer} to i64")), others, 0)
    with c.when(c.compare("eq", c.get(others, 0), 0)):
        done = c.op("call i64 @direct(ptr %K, ptr %D, ptr %B, ptr %s, ptr %e, ptr %I, ptr %P, ptr %scratch)")
        with c.when_returns(c.compare("ne", done, 0), "i64 0"):
            pass


def _general() -> str:
    c = _Code(f"internal i64 @general({_PARAMS}, ptr %P, ptr %scratch)")
    axes, operands = c.get("%D", N_AXES), c.get("%D", N_OPERANDS)
    total = c.int("mul", axes, operands)
    c.do(f"%e = alloca i64, i64 {axes}, align 8")
    c.do(f"%s = alloca i64, i64 {total}, align 8")
    positions, current = (c.op(f"alloca i64, i64 {n}, align 8") for n in (axes, operands))
    context = c.op(f"alloca [{_CONTEXT} x i64], align 16")
    with c.loop(axes) as a:
        c.put(c.get("%E", a), "%e", a)
        c.put(0, positions, a)
    with c.loop(total) as k:
        c.put(c.get("%S", k), "%s", k)
    with c.loop(operands) as o:
        c.put(c.get("%B", o), current, o)
    with c.loop(c.get("%D", N_MERGES)) as m:
        pair = c.at("%D", c.int("add", c.int("mul", m, 2), HEADER))
        c.do(
            f"call void @merge(ptr %e, ptr %s, i64 {c.get(pair, 0)}, i64 {c.get(pair, 1)}, i64 {axes}, i64 {operands})"
        )
    with c.when(c.compare("ne", c.get("%D", FAST), 0)):
        _flat_after_merging(c, axes)
    c.do("store i64 0, ptr %scratch, align 64")
    pointers = {
        _K: "%K",
        _D: "%D",
        _E: "%e",
        _S: "%s",
        _I: "%I",
        _POS: positions,
        _CUR: current,
        _SCRATCH: "%scratch",
        _P: "%P",
    }
    for k, value in pointers.items():
        c.put(value, context, k, "ptr")
    for k, number in ((_FLAG, 0), (_COUNT, 1), (_LIVE, 1), (_TAIL, 0)):
        c.put(number, context, k)
    c.do(f"call void @execute(ptr {context}, i64 {c.get('%D', CODE)}, i64 {c.get('%D', END)})")
    return c.end(f"i64 {c.get(context, _FLAG)}")


def _run_nest() -> str:
    c = _Code(f"i64 @run_nest({_PARAMS})")
    c.do(f"%scratch = alloca i8, i64 {c.get('%D', SCRATCH)}, align 64")
    c.do(f"%P = alloca ptr, i64 {c.get('%D', N_POINTERS)}, align 16")
    arguments = f"({_PARAMS}, ptr %P, ptr %scratch)"
    one = c.compare("eq", c.get("%D", N_AXES), 1)
    with c.when(c.op(f"and i1 {one}, {c.compare('ne', c.get('%D', FAST), 0)}")):
        done = c.op(f"call i64 @direct{arguments}")
        with c.when_returns(c.compare("ne", done, 0), "i64 0"):
            pass
    result = c.op(f"call i64 @general{arguments}")
    return c.end(f"i64 {result}")


text = nest_text
