"""The loop nest library: `run_nest` walks the loops of a scheduled group and calls its kernels.

Contract  `i64 run_nest(ptr rt, ptr plan, ptr B, ptr S, ptr E, ptr I)`, nonzero: an indexed load was out of range; rt is
          the run-time table or NULL, plan has the addresses of K and D, behind those in B as many words may be loaded.
Why       nothing here depends on a group, so it is compiled once a machine; `run_general` tries the forms for single
          kernels in order and gives the rest to the interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import fields

from tensordsl.codegen.abi.descriptor import (
    INTEGER,
    NEST_PARAMS,
    READ,
    SCRATCH_PARAMS,
    VECTOR,
    WRITE,
    CallCode,
    Context,
    Header,
    Operand,
    Stage,
)
from tensordsl.codegen.abi.layouts import CACHE_LIMIT, LIBRARY, NEST_PARTS
from tensordsl.codegen.library.alternate_stack import STACK_INTRINSICS
from tensordsl.codegen.library.loops.align_broadcast import align_broadcast
from tensordsl.codegen.library.loops.axes import axes_texts
from tensordsl.codegen.library.loops.column_prefetch import column_prefetch_texts
from tensordsl.codegen.library.loops.contiguous import contiguous_texts
from tensordsl.codegen.library.loops.descriptor import LoopFunction, product
from tensordsl.codegen.library.loops.fallbacks import MISSED, fallback_texts, without_techniques
from tensordsl.codegen.library.loops.interpreter import interpreter_texts
from tensordsl.codegen.library.loops.pack.copy import copy_texts
from tensordsl.codegen.library.loops.pack.deinterleave import deinterleave_texts
from tensordsl.codegen.library.loops.pack.reductions import copied_operand_texts
from tensordsl.codegen.library.loops.pack.rows import packed_row_texts
from tensordsl.codegen.library.loops.pack.strided import strided_texts
from tensordsl.codegen.library.loops.pack.transpose_blocks import transpose_block_texts
from tensordsl.codegen.library.loops.pack.transpose_registers import transpose_texts
from tensordsl.codegen.library.loops.pack.transpose_tiles import SHORT_ROW_ELEMENTS, block_of, transpose_tile_texts
from tensordsl.codegen.library.loops.parallel import parallel_texts, reduction_texts
from tensordsl.codegen.library.loops.parallel_rows import parallel_rows_texts
from tensordsl.codegen.library.loops.row_batches import row_batch_texts
from tensordsl.codegen.library.loops.short_rows.collapse import collapse_texts, replicate_line_text
from tensordsl.codegen.library.loops.short_rows.overlap import overlap_texts
from tensordsl.codegen.library.loops.short_rows.pack import copy_matrix_texts, pack_texts
from tensordsl.codegen.library.loops.short_rows.reduce_joined import joined_texts
from tensordsl.codegen.library.loops.short_rows.reduce_wide import wide_texts
from tensordsl.codegen.library.loops.short_rows.reverse import reverse_texts, shuffle_declaration
from tensordsl.codegen.library.loops.short_rows.row_blocks import row_block_texts
from tensordsl.codegen.library.loops.small_transposed import small_transposed_texts
from tensordsl.codegen.library.loops.streaming_stores import METADATA, is_streamable_text, streaming_texts
from tensordsl.codegen.library.loops.take import take_texts
from tensordsl.codegen.library.signals import poll, poll_each
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.target.machine import Machine
from tensordsl.codegen.target.tuning import Tuning


def nest_text(t: Tuning) -> str:
    """All of the library as one module."""
    texts = [text for texts in _objects(t).values() for text in texts()]
    limits = (f"@{CACHE_LIMIT}{f.name} = internal constant i64 {getattr(t.caches, f.name)}\n" for f in fields(t.caches))
    return _module([*limits, *without_techniques(texts, t)], t)


def part_text(part: str, t: Tuning) -> str:
    """The module of one of the library's objects (`abi.layouts.LIBRARY`).  The first has what most launches need, and
    the stubs of functions of other parts."""
    texts = without_techniques(_objects(t)[part](), t)
    return _module([*texts, *(fallback_texts(t) if part == "nest" else [])], t)


def _objects(t: Tuning) -> dict[str, Callable[[], list[str]]]:
    """The functions of each part."""
    return {
        "nest": lambda: [
            *(*copy_texts(t.machine.vector_bytes), *strided_texts(t), *axes_texts(t)),
            *(*transpose_tile_texts(t), *row_batch_texts(t), *column_prefetch_texts(t)),
            *(*interpreter_texts(t), is_streamable_text(t), *small_transposed_texts(t), *parallel_texts(t)),
            *(*contiguous_texts(), _may_recompute(), _run_direct(t), _run_general(t), _run_stage()),
        ],
        "nest_turned": lambda: transpose_texts(t),
        "nest_streams": lambda: streaming_texts(t),
        "nest_short": lambda: [*(*collapse_texts(t), *reverse_texts(t), *overlap_texts(t), *pack_texts(t))],
        "nest_packed": lambda: [*packed_row_texts(t), *deinterleave_texts(t)],
        "nest_sums": lambda: [
            *(*joined_texts(t), *wide_texts(t), *copied_operand_texts(t), *parallel_rows_texts(t)),
            *(*copy_matrix_texts(), replicate_line_text(), *row_block_texts(t), *reduction_texts(t)),
        ],
        "nest_across": lambda: transpose_block_texts(t),
        "nest_taken": lambda: take_texts(t),
    }


def _module(texts: Sequence[str], t: Tuning) -> str:
    """Each text once; what other modules call is known to them, and what it calls of theirs is declared."""
    text = "\n".join(dict.fromkeys(texts))
    shared = "|".join(name for part in ("nest", *NEST_PARTS) for name in LIBRARY[part])
    text = re.sub(rf"^define internal (\w+ @(?:{shared})\()", r"define hidden \1", text, flags=re.MULTILINE)
    own = {MISSED, *re.findall(r"^(?:define [^@]*)?@([\w.]+)", text, re.MULTILINE)}
    others = sorted({name for name in re.findall(r"@([\w.]+)", text) if name[:5] != "llvm."} - own)
    declared = "".join(map(_declared, others))
    return _intrinsics(t.machine) + declared + text + METADATA


def _declared(name: str) -> str:
    if name.startswith(CACHE_LIMIT):
        return f"@{name} = external hidden constant i64\n"
    return f"declare hidden void @{name}()\n"


def _intrinsics(machine: Machine) -> str:
    lines = [f"declare i64 @llvm.{name}.i64(i64, i64)" for name in ("smin", "smax")]
    lines += [f"declare i64 @llvm.{name}.i64(i64, i1)" for name in ("abs", "ctlz")]
    lines.append("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    if machine.vector_bytes >= 64:
        lines.append("declare <64 x i8> @llvm.masked.load.v64i8.p0(ptr, i32, <64 x i1>, <64 x i8>)")
        lines.append("declare void @llvm.masked.store.v64i8.p0(<64 x i8>, ptr, i32, <64 x i1>)")
    return "\n".join(lines) + "\n" + STACK_INTRINSICS + shuffle_declaration(machine.shuffled_bytes)


def _run_direct(t: Tuning) -> str:
    """One kernel over one axis, everything readable in place: no context at all.  Gives 0 if that is not so."""
    c = LoopFunction("i64", "run_direct", [*NEST_PARAMS, *SCRATCH_PARAMS, "i64 points", "i64 shared"], internal=True)
    words = c.word("%D", c.header(Header.DIRECT_CALL))
    lane = c.get(words, CallCode.LANE)
    operands = c.get(words, CallCode.OPERANDS)
    axes = c.header(Header.AXES)
    width = c.header(Header.LANES)
    wrong = c.cell(0)
    with c.loop(operands) as loop:
        entry = c.operand(words, loop.index)
        kind, number = c.get(entry, Operand.KIND), c.get(entry, Operand.NUMBER)
        with c.when(c.eq(kind, INTEGER)):
            c.put(c.word("%I", number), "%P", loop.index, "ptr")
        with c.when(c.ne(kind, INTEGER)):
            c.put(c.get("%B", number, "ptr"), "%P", loop.index, "ptr")
            stride = c.get("%S", c.add(c.mul(number, axes), lane))
            c.note(c.all(c.eq(kind, VECTOR), c.ne(stride, c.get(entry, Operand.ELEMENT_BYTES))), wrong)
    with c.when(c.ne(c.get(wrong, 0), 0)):
        c.ret("i64", 0)
    n, kernel = c.get("%E", lane), c.get("%K", c.get(words, CallCode.KERNEL), "ptr")
    points, min_points = c.max(n, "%points"), _stream_min_points(t)
    with c.when(c.all(c.ge(points, min_points), c.ge(n, t.memory.stream_row_min_elements))):
        with c.when(
            c.call("i1", "@is_streamable", *passed(["ptr D", *NEST_PARAMS[2:5]]), f"i64 {points}", "i64 %shared")
        ):
            with c.when(c.call("i1", "@stream", *passed((*NEST_PARAMS, *SCRATCH_PARAMS)))):
                c.ret("i64", 1)
    whole = c.and_(n, c.sub(0, width))
    left = c.sub(n, whole)
    with c.when(c.eq(c.choose(c.gt(whole, 0), left, 1), 0)):
        c.call("void", kernel, "ptr %P", f"i64 {n}", f"i64 {width}", "i64 1")
        c.ret("i64", 1)
    distinct = c.ne(c.call("i64", "@may_recompute", "ptr %D", "ptr %B"), 0)
    with c.when(c.all(distinct, c.gt(whole, 0))):
        c.call("void", kernel, "ptr %P", f"i64 {n}", f"i64 {width}", "i64 1")
        c.ret("i64", 1)
    with c.when(c.gt(whole, 0)):
        c.call("void", kernel, "ptr %P", f"i64 {whole}", f"i64 {width}", "i64 1")
    with c.when(c.gt(left, 0)):
        _direct_tail(c, words, kernel, whole, left, width)
    return c.end("i64", 1)


def _may_recompute() -> str:
    """May elements be computed twice: is no output an input?"""
    c = LoopFunction("i64", "may_recompute", ["ptr D", "ptr B"], internal=True)
    inputs, operands = c.header(Header.INPUTS), c.header(Header.OPERANDS)
    same = c.cell(0)
    with c.loop(operands, start=inputs) as out:
        target = c.get("%B", out.index, "ptr")
        with c.loop(inputs) as loop:
            c.note(c.compare("eq", "ptr", target, c.get("%B", loop.index, "ptr")), same)
    return c.end("i64", c.xor(c.get(same, 0), 1))


def _direct_tail(c: LoopFunction, words: str, kernel: str, complete: str, left: str, width: str) -> None:
    external = c.get(words, CallCode.EXTERNALS)
    with c.loop(external) as loop:
        entry = c.operand(words, loop.index)
        size, area = c.get(entry, Operand.ELEMENT_BYTES), c.gep("%scratch", c.get(entry, Operand.SCRATCH))
        with c.when(c.is_kind(entry, VECTOR)):
            source = c.gep(c.get("%P", loop.index, "ptr"), c.mul(complete, size))
            c.put(area, "%P", loop.index, "ptr")
            with c.when(c.has_flag(entry, READ)):
                operands = f"ptr {area}", f"ptr {source}", f"i64 {size}", f"i64 {left}", f"i64 {width}"
                c.call("void", "@copy_in", *operands)
    c.call("void", kernel, "ptr %P", f"i64 {width}", f"i64 {left}", "i64 1")
    with c.loop(external) as loop:
        entry = c.operand(words, loop.index)
        size, area = c.get(entry, Operand.ELEMENT_BYTES), c.gep("%scratch", c.get(entry, Operand.SCRATCH))
        with c.when(c.has_flag(entry, WRITE)):
            target = c.gep(c.get("%B", c.get(entry, Operand.NUMBER), "ptr"), c.mul(complete, size))
            c.call("void", "@copy_out", f"ptr {target}", f"ptr {area}", f"i64 {c.mul(left, size)}")


def _run_general(t: Tuning) -> str:
    """`times`: in as many blocks of a `job` (`pack.transpose_blocks`), or, where that is null, as many parts of a
    launch."""
    rest = ["ptr stage", "ptr job", "i64 times"]
    c = LoopFunction("i64", "run_general", [*NEST_PARAMS, *SCRATCH_PARAMS, *rest], internal=True)
    axes, operands = c.header(Header.AXES), c.header(Header.OPERANDS)
    total = c.mul(axes, operands)
    extents, strides, positions, origins, current = (
        c.op(f"alloca i64, i64 {n}, align 8") for n in (axes, total, axes, axes, operands)
    )
    context = c.op(f"alloca [{Context.WORDS} x i64], align 16")
    c.call("void", "@canonicalise_axes", "ptr %D", "ptr %E", "ptr %S", f"ptr {extents}", f"ptr {strides}")
    with c.loop(operands) as loop:
        c.put(c.get("%B", loop.index), current, loop.index)
    with c.loop(axes) as loop:
        c.put(0, positions, loop.index)
        c.put(0, origins, loop.index)
    is_part = c.not_null("%stage")
    with c.when(is_part):
        c.put(c.get("%stage", Stage.START), origins, c.get("%stage", Stage.AXIS))
    given = "ptr %K", "ptr %D", "ptr %B", f"ptr {strides}", f"ptr {extents}", "ptr %I", "ptr %P", "ptr %scratch"
    moved = *given[:2], f"ptr {current}", *given[3:]
    with c.when(c.ne(c.or_(c.header(Header.DIRECT_CALL), c.header(Header.POSITION_CALL)), 0)):
        with c.loop(axes) as loop:  # kernels do one row at least
            with c.when(c.eq(c.get(extents, loop.index), 0)):
                c.ret("i64", 0)
    near = c.eq(c.header(Header.STRIDED), 0)
    with c.when(c.all(near, c.ne(c.header(Header.POSITION_CALL), 0))):
        c.call("i64", "@overlapping_rows", *moved, f"ptr {origins}")
    with c.when(c.ne(c.header(Header.DIRECT_CALL), 0)):
        _direct_if_collapsed(c, axes, extents, strides)
        with c.when(near):
            with c.when(c.ne(c.call("i64", "@collapsed_rows", *given), 0)):
                c.ret("i64", 0)
            for function, *more in (("overlapping_rows", f"ptr {origins}"), ("packed_short_rows",)):
                with c.when(c.ne(c.call("i64", f"@{function}", *moved, *more), 0)):
                    c.ret("i64", 0)
        _tiles(c, axes, operands, extents, strides, current)
        _stream_rows(c, t, axes, extents, moved)
        with c.when(c.is_null("%job")):
            if t.allows("align_broadcast"):
                align_broadcast(c, t, axes, extents, strides, current)
            c.call("void", "@use_longest_rows", f"ptr {extents}", f"ptr {strides}", "ptr %D")
    c.put(0, "%scratch", 0)
    pointers = {
        Context.KERNELS: "%K",
        Context.DESCRIPTOR: "%D",
        Context.EXTENTS: extents,
        Context.STRIDES: strides,
        Context.INTEGERS: "%I",
        Context.POSITIONS: positions,
        Context.ADDRESSES: current,
        Context.SCRATCH: "%scratch",
        Context.POINTERS: "%P",
        Context.ORIGINS: origins,
    }
    for k, value in pointers.items():
        c.put(value, context, k, "ptr")
    for numbers, words in (
        (0, (Context.BAD_INDEX, Context.IS_TAIL, Context.IS_PACKED, Context.IS_WIDE, Context.TASKS)),
        (1, (Context.COUNT, Context.LIVE, Context.ROWS)),
    ):
        for k in words:
            c.put(numbers, context, k)
    c.put(c.call("i64", "@may_recompute", "ptr %D", "ptr %B"), context, Context.MAY_RECOMPUTE)
    c.put(points_of(c), context, Context.POINTS)
    first, end = c.cell(c.header(Header.CODE)), c.cell(c.header(Header.CODE_END))
    with c.when(is_part):
        c.put(c.get("%stage", Stage.CODE), first, 0)
        c.put(c.get("%stage", Stage.CODE_END), end, 0)
        c.call("void", "@receive", f"ptr {context}", "ptr %stage")
    c.call("void", "@resolve", f"ptr {context}", f"i64 {c.get(first, 0)}", f"i64 {c.get(end, 0)}")
    with c.when(is_part):
        c.put(c.choose(c.is_null("%job"), c.get("%stage", Stage.TASKS), 0), context, Context.TASKS)
        c.put(c.get("%stage", Stage.POOL), context, Context.POOL)
    code = f"i64 {c.get(first, 0)}", f"i64 {c.get(end, 0)}"
    in_blocks = c.not_null("%job")
    c.put(c.as_i64(in_blocks), context, Context.IS_TRANSPOSED)
    with c.loop("%times") as block:
        move = "ptr %D", "ptr %job", f"ptr {current}", f"i64 {block.index}"
        with c.when(c.all(c.is_null("%job"), c.ne(block.index, 0))):
            poll(c)
            c.call("void", "@next_task", f"ptr {context}", "ptr %S", "ptr %stage")
        with c.when(in_blocks):
            c.call("void", "@move_block", *move, "i1 false")
        c.call("void", "@execute", f"ptr {context}", *code)
        with c.when(in_blocks):
            c.call("void", "@move_block", *move, "i1 true")
            poll_each(c, block.index, 8)
    with c.when(is_part):
        c.call("void", "@send", "ptr %scratch", "ptr %stage")
    return c.end("i64", c.get(context, Context.BAD_INDEX))


def points_of(c: LoopFunction) -> str:
    """Points of the launch that a stage is a part of, or 0."""
    return _of_stage(c, Stage.POINTS)


def _of_stage(c: LoopFunction, word: int) -> str:
    """A word of the stage, or 0."""
    whole = c.is_null("%stage")
    return c.choose(whole, 0, c.get(c.choose(whole, "%D", "%stage", "ptr"), word))


def _of_launch(c: LoopFunction) -> tuple[str, str]:
    """Of the launch that a stage is a part of: its points, and how many parts threads share."""
    return f"i64 {points_of(c)}", f"i64 {_of_stage(c, Stage.SHARED)}"


def _stream_min_points(t: Tuning) -> int:
    return 1 if t.forces("streaming_results") else t.memory.stream_min_points


def _direct_if_collapsed(c: LoopFunction, axes: str, extents: str, strides: str) -> None:
    """Return by `direct` if every axis but the lane's has become 1."""
    lane, others = c.get(c.word("%D", c.header(Header.DIRECT_CALL)), 2), c.cell(0)
    with c.loop(axes) as loop:
        longer = c.ne(c.get(extents, loop.index), 1)
        c.note(c.all(c.ne(loop.index, lane), longer), others)
    with c.when(c.eq(c.get(others, 0), 0)):
        tables = "ptr %B", f"ptr {strides}", f"ptr {extents}", "ptr %I", "ptr %P", "ptr %scratch"
        done = c.call("i64", "@run_direct", "ptr %K", "ptr %D", *tables, *_of_launch(c))
        with c.when(c.ne(done, 0)):
            c.ret("i64", 0)
        with c.when(c.ne(c.call("i64", "@packed_row", "ptr %K", "ptr %D", *tables), 0)):
            c.ret("i64", 0)


def _stream_rows(c: LoopFunction, t: Tuning, axes: str, extents: str, given: tuple[str, ...]) -> None:
    """Return where long rows with gaps between them go by streaming stores."""
    points, shared = c.max(product(c, extents, axes), points_of(c)), _of_stage(c, Stage.SHARED)
    with c.when(c.all(c.ge(points, _stream_min_points(t)), c.is_null("%job"))):
        with c.when(c.call("i1", "@is_streamable", *given[1:5], f"i64 {points}", f"i64 {shared}")):
            with c.when(c.call("i1", "@stream_rows", *given)):
                c.ret("i64", 0)


def _tiles(c: LoopFunction, axes: str, operands: str, extents: str, strides: str, current: str) -> None:
    """By tiles if some operand is contiguous along another axis only: all lanes, or whole vectors of several where none
    may be computed twice; what is left for the rest of `general` are the lanes behind them."""
    lane = c.get(c.word("%D", c.header(Header.DIRECT_CALL)), 2)
    tables = f"ptr {extents}", f"ptr {strides}"
    axis = c.call("i64", "@transposed_axis", "ptr %D", *tables)
    length, distinct = c.get(extents, lane), c.call("i64", "@may_recompute", "ptr %D", f"ptr {current}")
    whole = c.and_(length, c.sub(0, c.header(Header.LANES)))
    short = c.all(c.eq(whole, 0), c.ge(block_of(c), SHORT_ROW_ELEMENTS))
    again = c.all(c.ne(whole, 0), c.ne(distinct, 0))
    whole = c.choose(c.any(short, again), length, whole)
    with c.when(c.all(c.ge(axis, 0), c.gt(whole, 0))):
        given = "ptr %K", "ptr %D", f"ptr {current}", f"ptr {strides}", f"ptr {extents}"
        c.call("void", "@transpose_tiles", *given, "ptr %I", "ptr %P", "ptr %scratch", f"i64 {axis}", f"i64 {whole}")
        with c.when(c.eq(length, whole)):
            c.ret("i64", 0)
        c.put(c.sub(length, whole), extents, lane)
        with c.loop(operands) as loop:
            step = c.get(strides, c.add(c.mul(loop.index, axes), lane))
            moved = c.gep(c.get(current, loop.index, "ptr"), c.mul(step, whole))
            c.put(moved, current, loop.index, "ptr")


def _run_stage() -> str:
    """All of a launch, or a stage of it."""
    c = LoopFunction("i64", "run_stage", [*NEST_PARAMS, "ptr stage"], internal=True)
    with c.when(c.ne(c.header(Header.TAKE), 0)):
        bad = c.call("i64", "@take", *passed(NEST_PARAMS))
        with c.when(c.ge(bad, 0)):
            c.ret("i64", bad)
    c.do(f"%scratch = alloca i8, i64 {c.header(Header.SCRATCH_BYTES)}, align 64")
    c.do(f"%P = alloca ptr, i64 {c.header(Header.POINTERS)}, align 16")
    arguments = passed((*NEST_PARAMS, *SCRATCH_PARAMS))
    with c.when(c.all(c.eq(c.header(Header.AXES), 1), c.ne(c.header(Header.DIRECT_CALL), 0))):
        done = c.call("i64", "@run_direct", *arguments, *_of_launch(c))
        with c.when(c.ne(done, 0)):
            c.ret("i64", 0)
    whole = c.is_null("%stage")
    merged = c.get(c.choose(whole, "%D", "%stage", "ptr"), Stage.IS_MERGED)
    as_given = c.any(whole, c.eq(merged, 0))
    with c.when(c.all(as_given, c.ne(c.header(Header.TRANSPOSABLE), 0))):
        bad = c.call("i64", "@in_transposed_blocks", *arguments, "ptr %stage")
        with c.when(c.ge(bad, 0)):
            c.ret("i64", bad)
    with c.when(c.all(as_given, c.ne(c.header(Header.COPIED_OPERANDS), 0))):
        bad = c.call("i64", "@with_copied_operands", *arguments, "ptr %stage")
        with c.when(c.ge(bad, 0)):
            c.ret("i64", bad)
    times = c.choose(whole, 1, c.max(c.get(c.choose(whole, "%D", "%stage", "ptr"), Stage.TIMES), 1))
    return c.end("i64", c.call("i64", "@run_general", *arguments, "ptr %stage", "ptr null", f"i64 {times}"))
