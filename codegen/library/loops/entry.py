"""LLVM text of the nest library: `run_nest` walks the loops of a scheduled group and calls its kernels.

    i64 run_nest(ptr rt, ptr plan, ptr B, ptr S, ptr E, ptr I)

rt the run-time table, for its threads, or NULL, plan two words: where the addresses of kernels (K) and the descriptor
(D) begin, B operands' addresses, with as many words behind that may be loaded, S byte strides [operand][axis], E
extents per axis, I run-time integers.  Returns nonzero iff an indexed load was out of range.  Compiled once per
machine; nothing in it depends on a group.

The descriptor (64-bit words) is a header, pairs of axes that may be exchanged and pairs that may be merged at run time,
and code (`loops.interpreter`).  Groups of one kernel have ways of their own: `flat` and `direct`, if they are, and
tiles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tensordsl.codegen.abi.descriptor import (
    APART,
    CODE,
    COMPACT,
    CX_COUNT,
    CX_CUR,
    CX_D,
    CX_E,
    CX_FLAG,
    CX_I,
    CX_K,
    CX_LIVE,
    CX_ORIGINS,
    CX_P,
    CX_PACKS,
    CX_PARTS,
    CX_POINTS,
    CX_POOL,
    CX_POS,
    CX_ROWS,
    CX_S,
    CX_SCRATCH,
    CX_TAIL,
    CX_TRANSPOSED,
    CX_TWICE,
    CX_WIDE,
    CX_WORDS,
    END,
    FAST,
    INTEGER,
    N_AXES,
    N_INPUTS,
    N_OPERANDS,
    N_POINTERS,
    N_TRANSPOSED,
    PARAMS,
    PLACED,
    READ,
    SCRATCH,
    SPACE,
    T_AXIS,
    T_FROM,
    T_MERGED,
    T_PARTS,
    T_POINTS,
    T_POOL,
    T_SHARED,
    T_START,
    T_TIMES,
    T_TO,
    TAKEN,
    VECTOR,
    WIDTH,
    WRITE,
)  # fmt: skip
from tensordsl.codegen.abi.layouts import LIBRARY, NEST_PARTS
from tensordsl.codegen.library.alternate_stack import STACK_INTRINSICS
from tensordsl.codegen.library.loops.align_broadcast import place_shared
from tensordsl.codegen.library.loops.axes import axes_texts
from tensordsl.codegen.library.loops.column_prefetch import column_texts
from tensordsl.codegen.library.loops.contiguous import flat_texts
from tensordsl.codegen.library.loops.descriptor import entry_of, product
from tensordsl.codegen.library.loops.fallbacks import MISSED, without_texts
from tensordsl.codegen.library.loops.interpreter import step_texts
from tensordsl.codegen.library.loops.pack.copy import copy_texts
from tensordsl.codegen.library.loops.pack.deinterleave import interleaved_texts
from tensordsl.codegen.library.loops.pack.reductions import compact_texts
from tensordsl.codegen.library.loops.pack.rows import packed_texts
from tensordsl.codegen.library.loops.pack.strided import apart_texts
from tensordsl.codegen.library.loops.pack.transpose_blocks import transposed_texts
from tensordsl.codegen.library.loops.pack.transpose_registers import square_texts
from tensordsl.codegen.library.loops.pack.transpose_tiles import SHORT_ROOM, block_of, tile_texts
from tensordsl.codegen.library.loops.parallel import reduction_texts, share_texts
from tensordsl.codegen.library.loops.parallel_rows import row_part_texts
from tensordsl.codegen.library.loops.row_batches import turn_texts
from tensordsl.codegen.library.loops.short_rows.collapse import period_texts, repeat_text
from tensordsl.codegen.library.loops.short_rows.overlap import overlap_texts
from tensordsl.codegen.library.loops.short_rows.pack import gap_texts, moved_texts
from tensordsl.codegen.library.loops.short_rows.reduce_joined import joined_texts
from tensordsl.codegen.library.loops.short_rows.reduce_wide import wide_texts
from tensordsl.codegen.library.loops.short_rows.reverse import backwards_texts, shuffle_declaration
from tensordsl.codegen.library.loops.short_rows.row_blocks import row_block_texts
from tensordsl.codegen.library.loops.small_transposed import straight_texts
from tensordsl.codegen.library.loops.streaming_stores import METADATA, ROW, is_streamed_text, stream_texts
from tensordsl.codegen.library.loops.take import taken_texts
from tensordsl.codegen.library.signals import poll, poll_each
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.target.machine import Machine
from tensordsl.codegen.target.tuning import Tuning

LONG = 1 << 18  # points from which results may be larger than the caches


def nest_text(tuning: Tuning) -> str:
    """All of the library as one module."""
    return _module([text for texts in _parts(tuning).values() for text in texts()], tuning.machine)


def part_text(part: str, tuning: Tuning) -> str:
    """The module of one of the library's objects (`abi.layouts.LIBRARY`).  The first has what most launches need, and
    what stands for functions of other parts as long as these are absent."""
    texts = _parts(tuning)[part]()
    return _module([*texts, *(without_texts() if part == "nest" else [])], tuning.machine)


def _parts(tuning: Tuning) -> dict[str, Callable[[], list[str]]]:
    """The functions of each part."""
    caches, machine = tuning.caches, tuning.machine
    return {
        "nest": lambda: [
            *(
                *copy_texts(machine.vector_bytes),
                *apart_texts(machine.prefetches_blocks),
                *axes_texts(),
                *tile_texts(),
                *turn_texts(caches),
            ),
            *(*column_texts(caches), *step_texts(), is_streamed_text(caches), *straight_texts()),
            *(*share_texts(caches), *flat_texts(), _may_repeat(), _direct(), _general(), _nest()),
        ],
        "nest_turned": square_texts,
        "nest_streams": stream_texts,
        "nest_short": lambda: [
            *period_texts(),
            *backwards_texts(machine.shuffled_bytes),
            *overlap_texts(),
            *gap_texts(),
        ],
        "nest_packed": lambda: [*packed_texts(), *interleaved_texts()],
        "nest_sums": lambda: [
            *(*joined_texts(), *wide_texts(caches), *compact_texts(), *row_part_texts(caches), *moved_texts()),
            *(repeat_text(), *row_block_texts()),
            *reduction_texts(caches),
        ],
        "nest_across": transposed_texts,
        "nest_taken": taken_texts,
    }


def _module(texts: Sequence[str], machine: Machine) -> str:
    """Each text once; what other modules call is known to them, and what it calls of theirs is declared."""
    text = "\n".join(dict.fromkeys(texts))
    shared = "|".join(name for part in ("nest", *NEST_PARTS) for name in LIBRARY[part])
    text = re.sub(rf"^define internal (\w+ @(?:{shared})\()", r"define hidden \1", text, flags=re.MULTILINE)
    own = {MISSED, *re.findall(r"^define [^@]*@(\w+)", text, re.MULTILINE)}
    others = sorted({name for name in re.findall(r"@([\w.]+)", text) if name[:5] != "llvm."} - own)
    declared = "".join(f"declare hidden void @{name}()\n" for name in others)
    return _intrinsics(machine.vector_bytes, machine.shuffled_bytes) + declared + text + METADATA


def _intrinsics(vector_bytes: int, shuffled: int) -> str:
    lines = [f"declare i64 @llvm.{name}.i64(i64, i64)" for name in ("smin", "smax")]
    lines += [f"declare i64 @llvm.{name}.i64(i64, i1)" for name in ("abs", "ctlz")]
    lines.append("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    if vector_bytes >= 64:
        lines.append("declare <64 x i8> @llvm.masked.load.v64i8.p0(ptr, i32, <64 x i1>, <64 x i8>)")
        lines.append("declare void @llvm.masked.store.v64i8.p0(<64 x i8>, ptr, i32, <64 x i1>)")
    return "\n".join(lines) + "\n" + STACK_INTRINSICS + shuffle_declaration(shuffled)


def _direct() -> str:
    """One kernel over one axis, everything readable in place: no context at all.  Gives 0 if that is not so."""
    c = Function("i64", "direct", [*PARAMS, *SPACE, "i64 points", "i64 shared"], internal=True)
    words = c.word("%D", c.get("%D", FAST))
    lane, operands, axes, width = c.get(words, 2), c.get(words, 4), c.get("%D", N_AXES), c.get("%D", WIDTH)
    wrong = c.cell(0)
    with c.loop(operands) as loop:
        entry = entry_of(c, words, loop.index)
        kind, number = c.get(entry, 0), c.get(entry, 1)
        with c.when(c.test("eq", kind, INTEGER)):
            c.put(c.word("%I", number), "%P", loop.index, "ptr")
        with c.when(c.test("ne", kind, INTEGER)):
            c.put(c.get("%B", number, "ptr"), "%P", loop.index, "ptr")
            stride = c.get("%S", c.arith("add", c.arith("mul", number, axes), lane))
            c.note(c.all(c.test("eq", kind, VECTOR), c.test("ne", stride, c.get(entry, 2))), wrong)
    with c.when(c.test("ne", c.get(wrong, 0), 0)):
        c.ret("i64", 0)
    n, kernel = c.get("%E", lane), c.get("%K", c.get(words, 1), "ptr")
    points = c.max(n, "%points")
    with c.when(c.all(c.test("sge", points, LONG), c.test("sge", n, ROW))):
        with c.when(c.call("i1", "@is_streamed", *passed(["ptr D", *PARAMS[2:5]]), f"i64 {points}", "i64 %shared")):
            with c.when(c.call("i1", "@streamed", *passed((*PARAMS, *SPACE)))):
                c.ret("i64", 1)
    whole = c.arith("and", n, c.arith("sub", 0, width))
    left = c.arith("sub", n, whole)
    with c.when(c.test("eq", c.choose(c.test("sgt", whole, 0), left, 1), 0)):
        c.call("void", kernel, "ptr %P", f"i64 {n}", f"i64 {width}", "i64 1")
        c.ret("i64", 1)
    apart = c.test("ne", c.call("i64", "@may_repeat", "ptr %D", "ptr %B"), 0)
    with c.when(c.all(apart, c.test("sgt", whole, 0))):
        c.call("void", kernel, "ptr %P", f"i64 {n}", f"i64 {width}", "i64 1")
        c.ret("i64", 1)
    with c.when(c.test("sgt", whole, 0)):
        c.call("void", kernel, "ptr %P", f"i64 {whole}", f"i64 {width}", "i64 1")
    with c.when(c.test("sgt", left, 0)):
        _direct_tail(c, words, kernel, whole, left, width)
    return c.end("i64", 1)


def _may_repeat() -> str:
    """May elements be computed twice: is no output an input?"""
    c = Function("i64", "may_repeat", ["ptr D", "ptr B"], internal=True)
    inputs, operands = c.get("%D", N_INPUTS), c.get("%D", N_OPERANDS)
    same = c.cell(0)
    with c.loop(operands, start=inputs) as out:
        target = c.get("%B", out.index, "ptr")
        with c.loop(inputs) as loop:
            c.note(c.compare("eq", "ptr", target, c.get("%B", loop.index, "ptr")), same)
    return c.end("i64", c.arith("xor", c.get(same, 0), 1))


def _direct_tail(c: Function, words: str, kernel: str, whole: str, left: str, width: str) -> None:
    external = c.get(words, 3)
    with c.loop(external) as loop:
        entry = entry_of(c, words, loop.index)
        size, area = c.get(entry, 2), c.gep("%scratch", c.get(entry, 3))
        with c.when(c.test("eq", c.get(entry, 0), VECTOR)):
            source = c.gep(c.get("%P", loop.index, "ptr"), c.arith("mul", whole, size))
            c.put(area, "%P", loop.index, "ptr")
            with c.when(c.test("ne", c.arith("and", c.get(entry, 4), READ), 0)):
                operands = f"ptr {area}", f"ptr {source}", f"i64 {size}", f"i64 {left}", f"i64 {width}"
                c.call("void", "@copy_in", *operands)
    c.call("void", kernel, "ptr %P", f"i64 {width}", f"i64 {left}", "i64 1")
    with c.loop(external) as loop:
        entry = entry_of(c, words, loop.index)
        size, area = c.get(entry, 2), c.gep("%scratch", c.get(entry, 3))
        with c.when(c.test("ne", c.arith("and", c.get(entry, 4), WRITE), 0)):
            target = c.gep(c.get("%B", c.get(entry, 1), "ptr"), c.arith("mul", whole, size))
            c.call("void", "@copy_out", f"ptr {target}", f"ptr {area}", f"i64 {c.arith('mul', left, size)}")


def _general() -> str:
    """`times`: in as many blocks of a `job` (`pack.transpose_blocks`), or, where that is null, as many parts of a
    launch."""
    rest = ["ptr stage", "ptr job", "i64 times"]
    c = Function("i64", "general", [*PARAMS, *SPACE, *rest], internal=True)
    axes, operands = c.get("%D", N_AXES), c.get("%D", N_OPERANDS)
    total = c.arith("mul", axes, operands)
    extents, strides, positions, origins, current = (
        c.op(f"alloca i64, i64 {n}, align 8") for n in (axes, total, axes, axes, operands)
    )
    context = c.op(f"alloca [{CX_WORDS} x i64], align 16")
    c.call("void", "@arrange", "ptr %D", "ptr %E", "ptr %S", f"ptr {extents}", f"ptr {strides}")
    with c.loop(operands) as loop:
        c.put(c.get("%B", loop.index), current, loop.index)
    with c.loop(axes) as loop:
        c.put(0, positions, loop.index)
        c.put(0, origins, loop.index)
    is_part = c.not_null("%stage")
    with c.when(is_part):
        c.put(c.get("%stage", T_START), origins, c.get("%stage", T_AXIS))
    given = "ptr %K", "ptr %D", "ptr %B", f"ptr {strides}", f"ptr {extents}", "ptr %I", "ptr %P", "ptr %scratch"
    moved = *given[:2], f"ptr {current}", *given[3:]
    with c.when(c.test("ne", c.arith("or", c.get("%D", FAST), c.get("%D", PLACED)), 0)):
        with c.loop(axes) as loop:  # kernels do one row at least
            with c.when(c.test("eq", c.get(extents, loop.index), 0)):
                c.ret("i64", 0)
    near = c.test("eq", c.get("%D", APART), 0)
    with c.when(c.all(near, c.test("ne", c.get("%D", PLACED), 0))):
        c.call("i64", "@overlapped", *moved, f"ptr {origins}")
    with c.when(c.test("ne", c.get("%D", FAST), 0)):
        _direct_if_flat(c, axes, extents, strides)
        with c.when(near):
            with c.when(c.test("ne", c.call("i64", "@periodic", *given), 0)):
                c.ret("i64", 0)
            for way, *more in (("overlapped", f"ptr {origins}"), ("gapped",)):
                with c.when(c.test("ne", c.call("i64", f"@{way}", *moved, *more), 0)):
                    c.ret("i64", 0)
        _tiles(c, axes, operands, extents, strides, current)
        _rows_past(c, axes, extents, moved)
        with c.when(c.is_null("%job")):
            place_shared(c, axes, extents, strides, current)
            c.call("void", "@lengthen", f"ptr {extents}", f"ptr {strides}", "ptr %D")
    c.put(0, "%scratch", 0)
    pointers = {
        CX_K: "%K", CX_D: "%D", CX_E: extents, CX_S: strides, CX_I: "%I", CX_POS: positions, CX_CUR: current,
        CX_SCRATCH: "%scratch",
        CX_P: "%P", CX_ORIGINS: origins,
    }  # fmt: skip
    for k, value in pointers.items():
        c.put(value, context, k, "ptr")
    for numbers, words in ((0, (CX_FLAG, CX_TAIL, CX_PACKS, CX_WIDE, CX_PARTS)), (1, (CX_COUNT, CX_LIVE, CX_ROWS))):
        for k in words:
            c.put(numbers, context, k)
    c.put(c.call("i64", "@may_repeat", "ptr %D", "ptr %B"), context, CX_TWICE)
    c.put(points_of(c), context, CX_POINTS)
    first, end = c.cell(c.get("%D", CODE)), c.cell(c.get("%D", END))
    with c.when(is_part):
        c.put(c.get("%stage", T_FROM), first, 0)
        c.put(c.get("%stage", T_TO), end, 0)
        c.call("void", "@receive", f"ptr {context}", "ptr %stage")
    c.call("void", "@resolve", f"ptr {context}", f"i64 {c.get(first, 0)}", f"i64 {c.get(end, 0)}")
    with c.when(is_part):
        c.put(c.choose(c.is_null("%job"), c.get("%stage", T_PARTS), 0), context, CX_PARTS)
        c.put(c.get("%stage", T_POOL), context, CX_POOL)
    code = f"i64 {c.get(first, 0)}", f"i64 {c.get(end, 0)}"
    in_blocks = c.not_null("%job")
    c.put(c.op(f"zext i1 {in_blocks} to i64"), context, CX_TRANSPOSED)
    with c.loop("%times") as turn:
        move = "ptr %D", "ptr %job", f"ptr {current}", f"i64 {turn.index}"
        with c.when(c.all(c.is_null("%job"), c.test("ne", turn.index, 0))):
            poll(c)
            c.call("void", "@next_part", f"ptr {context}", "ptr %S", "ptr %stage")
        with c.when(in_blocks):
            c.call("void", "@move", *move, "i1 false")
        c.call("void", "@execute", f"ptr {context}", *code)
        with c.when(in_blocks):
            c.call("void", "@move", *move, "i1 true")
            poll_each(c, turn.index, 8)
    with c.when(is_part):
        c.call("void", "@send", "ptr %scratch", "ptr %stage")
    return c.end("i64", c.get(context, CX_FLAG))


def points_of(c: Function) -> str:
    """Points of the launch that a stage is a part of, or 0."""
    return _of_stage(c, T_POINTS)


def _of_stage(c: Function, word: int) -> str:
    """A word of the stage, or 0."""
    whole = c.is_null("%stage")
    return c.choose(whole, 0, c.get(c.choose(whole, "%D", "%stage", "ptr"), word))


def _whole(c: Function) -> tuple[str, str]:
    """Of the launch that a stage is a part of: its points, and how many parts threads share."""
    return f"i64 {points_of(c)}", f"i64 {_of_stage(c, T_SHARED)}"


def _direct_if_flat(c: Function, axes: str, extents: str, strides: str) -> None:
    """Return by `direct` if every axis but the lane's has become 1."""
    lane, others = c.get(c.word("%D", c.get("%D", FAST)), 2), c.cell(0)
    with c.loop(axes) as loop:
        longer = c.test("ne", c.get(extents, loop.index), 1)
        c.note(c.all(c.test("ne", loop.index, lane), longer), others)
    with c.when(c.test("eq", c.get(others, 0), 0)):
        tables = "ptr %B", f"ptr {strides}", f"ptr {extents}", "ptr %I", "ptr %P", "ptr %scratch"
        done = c.call("i64", "@direct", "ptr %K", "ptr %D", *tables, *_whole(c))
        with c.when(c.test("ne", done, 0)):
            c.ret("i64", 0)
        with c.when(c.test("ne", c.call("i64", "@packed_row", "ptr %K", "ptr %D", *tables), 0)):
            c.ret("i64", 0)


def _rows_past(c: Function, axes: str, extents: str, given: tuple[str, ...]) -> None:
    """Return where long rows, apart from each other, go past the caches."""
    points, shared = c.max(product(c, extents, axes), points_of(c)), _of_stage(c, T_SHARED)
    with c.when(c.all(c.test("sge", points, LONG), c.is_null("%job"))):
        with c.when(c.call("i1", "@is_streamed", *given[1:5], f"i64 {points}", f"i64 {shared}")):
            with c.when(c.call("i1", "@streamed_rows", *given)):
                c.ret("i64", 0)


def _tiles(c: Function, axes: str, operands: str, extents: str, strides: str, current: str) -> None:
    """By tiles if some operand is contiguous along another axis only: all lanes, or whole vectors of several where none
    may be computed twice; what is left for the rest of `general` are the lanes behind them."""
    lane = c.get(c.word("%D", c.get("%D", FAST)), 2)
    tables = f"ptr {extents}", f"ptr {strides}"
    axis = c.call("i64", "@other_axis", "ptr %D", *tables)
    length, apart = c.get(extents, lane), c.call("i64", "@may_repeat", "ptr %D", f"ptr {current}")
    whole = c.arith("and", length, c.arith("sub", 0, c.get("%D", WIDTH)))
    short = c.all(c.test("eq", whole, 0), c.test("sge", block_of(c), SHORT_ROOM))
    again = c.all(c.test("ne", whole, 0), c.test("ne", apart, 0))
    whole = c.choose(c.op(f"or i1 {short}, {again}"), length, whole)
    with c.when(c.all(c.test("sge", axis, 0), c.test("sgt", whole, 0))):
        given = "ptr %K", "ptr %D", f"ptr {current}", f"ptr {strides}", f"ptr {extents}"
        c.call("void", "@tiled", *given, "ptr %I", "ptr %P", "ptr %scratch", f"i64 {axis}", f"i64 {whole}")
        with c.when(c.test("eq", length, whole)):
            c.ret("i64", 0)
        c.put(c.arith("sub", length, whole), extents, lane)
        with c.loop(operands) as loop:
            step = c.get(strides, c.arith("add", c.arith("mul", loop.index, axes), lane))
            moved = c.gep(c.get(current, loop.index, "ptr"), c.arith("mul", step, whole))
            c.put(moved, current, loop.index, "ptr")


def _nest() -> str:
    """All of a launch, or a stage of it."""
    c = Function("i64", "nest", [*PARAMS, "ptr stage"], internal=True)
    with c.when(c.test("ne", c.get("%D", TAKEN), 0)):
        bad = c.call("i64", "@taken", *passed(PARAMS))
        with c.when(c.test("sge", bad, 0)):
            c.ret("i64", bad)
    c.do(f"%scratch = alloca i8, i64 {c.get('%D', SCRATCH)}, align 64")
    c.do(f"%P = alloca ptr, i64 {c.get('%D', N_POINTERS)}, align 16")
    arguments = passed((*PARAMS, *SPACE))
    with c.when(c.all(c.test("eq", c.get("%D", N_AXES), 1), c.test("ne", c.get("%D", FAST), 0))):
        done = c.call("i64", "@direct", *arguments, *_whole(c))
        with c.when(c.test("ne", done, 0)):
            c.ret("i64", 0)
    whole = c.is_null("%stage")
    merged = c.get(c.choose(whole, "%D", "%stage", "ptr"), T_MERGED)
    as_given = c.any(whole, c.test("eq", merged, 0))
    with c.when(c.all(as_given, c.test("ne", c.get("%D", N_TRANSPOSED), 0))):
        bad = c.call("i64", "@in_blocks", *arguments, "ptr %stage")
        with c.when(c.test("sge", bad, 0)):
            c.ret("i64", bad)
    with c.when(c.all(as_given, c.test("ne", c.get("%D", COMPACT), 0))):
        bad = c.call("i64", "@compacted", *arguments, "ptr %stage")
        with c.when(c.test("sge", bad, 0)):
            c.ret("i64", bad)
    times = c.choose(whole, 1, c.max(c.get(c.choose(whole, "%D", "%stage", "ptr"), T_TIMES), 1))
    return c.end("i64", c.call("i64", "@general", *arguments, "ptr %stage", "ptr null", f"i64 {times}"))
