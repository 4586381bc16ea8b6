"""The printer of program IR: one instruction a line, regions indented by bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Instr, Name, Program, can_fail

SYMBOL = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%"}
RELATION = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _source(src: tuple[str, int]) -> str:
    return f"{src[0]}{src[1]}"


def _join(names: Any) -> str:
    return ", ".join(map(str, names))


def _show_arith(i: p.Arith) -> str:
    return f"{i.dst} = {i.a} {SYMBOL[i.op]} {i.b}" if i.op in SYMBOL else f"{i.dst} = {i.op}({i.a}, {i.b})"


def _show_launch(i: p.Launch) -> str:
    def operand(name: Name, row: tuple[Name | None, ...]) -> str:
        return f"{name}[{_join(s or 0 for s in row)}]"

    moved = [operand(name, row) for name, row in zip(i.operands, i.strides, strict=False)]
    ints = f" ints {_join(i.ints)}" if i.ints else ""
    plans = f"plan{i.plan}" + "".join(f", plan{plan} if {cond}" for cond, plan in i.instead)
    return f"launch {plans} over ({_join(i.extents)}): {_join(moved)}{ints} writes {_join(i.writes)}"


def _show_gemm(i: p.Gemm) -> str:
    old = f" + {i.beta if i.decay is None else f'{i.decay}[]'} * {i.c}" if i.beta else ""
    a, b = f"{i.a}[{_join(i.a_strides)}]", f"{i.b}[{_join(i.b_strides)}]"
    scale = (f"{i.alpha} * " if i.alpha != 1 else "") + (f"{i.factor}[] * " if i.factor else "")
    packed = f" scratch {i.scratch}" if i.scratch else ""
    several = f" {i.count} times by ({_join(i.steps)})" if i.count else ""
    return f"gemm {i.dtype} ({i.m}, {i.n}, {i.k}){several}: {i.c}[{i.ldc}, 1] = {scale}{a} @ {b}{old}{packed}"


def _show_scatter(i: p.Scatter) -> str:
    at = " + ".join(f"{name}[i] * {step}" for name, step in zip(i.positions, i.steps, strict=True))
    block = f" block {_join(i.dims)}: x[{_join(i.x_strides)}] y[{_join(i.y_strides)}]" if i.dims else ""
    return f"scatter {i.dtype} for i < {i.count}: {i.x}[{at}] {'=' if i.set else '+='} {i.y}[i * {i.y_step}]{block}"


def _show_host(i: p.HostCall) -> str:
    def value(v: p.HostOperand | p.Kept | None) -> str:
        if isinstance(v, p.Kept):
            lengths = (n or d for n, d in zip(v.lengths, v.dims, strict=True))
            return f"slot {v.slot}: {v.dtype}[{_join(map(str, lengths))}]"
        return "_" if v is None else f"{v[0]}: {v[1]}[{_join(v[2])}]"

    return f"({_join(map(value, i.outputs))}) = host{i.host}({_join(map(value, i.inputs))})"


def _show_library(i: p.LibraryCall) -> str:
    def value(o: p.Operand) -> str:
        return f"{o[0]}: {o[1]}[{_join(o[2])}; {_join(o[3])}]"

    return f"({_join(map(value, i.outputs))}) = {i.function}({_join(map(value, i.inputs))})"


def _show_new_out(i: p.NewOut) -> str:
    rows = " and ".join(f"({_join(s or '0' for s in row)})" for row in i.likes)
    order = f", strides {_join(i.strides)} like {rows}" if rows else ""
    return f"{i.dst} = output{i.output}[{_join(i.dims)}] in slot {i.slot}{order}"


def _show_for(i: p.For) -> str:
    carried = "".join(f"; {name} from {a} then {b}" for name, a, b in i.carried)
    when = f" if {i.kernel.when}" if i.kernel and i.kernel.when else ""
    kernel = f", by plan{i.kernel.plan}{when}" if i.kernel else ""
    end = f"; {i.rounds} rounds, until {i.end}" if i.end else ""
    return f"for {i.index} in range({i.count}){kernel}{carried}{end}"


SHOW: dict[type[Instr], Callable[[Any], str]] = {
    p.Const: lambda i: f"{i.dst} = {i.value}",
    p.Extent: lambda i: f"{i.dst} = {_source(i.src)}.extent[{i.axis}]",
    p.Stride: lambda i: f"{i.dst} = {_source(i.src)}.stride[{i.axis}]",
    p.Data: lambda i: f"{i.dst} = {_source(i.src)}.data",
    p.BlasThreads: lambda i: f"{i.dst} = threads of the BLAS",
    p.Arith: _show_arith,
    p.Mul: lambda i: f"{i.dst} = {i.a} * {i.b}",
    p.Compare: lambda i: f"{i.dst} = {i.a} {RELATION.get(i.op, i.op)} {i.b}",
    p.Check: lambda i: f"check {i.a} {RELATION.get(i.op, i.op)} {i.b}",
    p.Offset: lambda i: f"{i.dst} = {i.base} + {i.bytes} bytes",
    p.Select: lambda i: f"{i.dst} = {i.a} if {i.cond} else {i.b}",
    p.LoadScalar: lambda i: f"{i.dst} = {i.dtype} at {i.ptr}",
    p.StoreScalar: lambda i: f"{i.dtype} at {i.ptr} = {i.value}",
    p.Slot: lambda i: f"{i.dst} = slot",
    p.Bytes: lambda i: f"{i.dst} = {len(i.data)} constant bytes",
    p.Arena: lambda i: f"arena {_join(f'{d}: {n} bytes' for d, n in i.items)}",
    p.NewOut: _show_new_out,
    p.Claim: lambda i: (
        f"{i.dst} = {i.src}: {i.dtype}[{_join(i.dims)}; {_join(i.strides)}], {'over' if i.keeps else 'anew'}"
        f"{f', row {i.row}' if i.row else ''}{', filled' if i.fills else ''}"
    ),
    p.NewList: lambda i: f"list of {i.n} in slot {i.slot}",
    p.Prepare: lambda i: (
        f"{i.dst} = {'fresh' if i.fresh else 'late' if i.late else 'prepare'} shared{i.shared}[{_join(i.dims)}]"
        f" in slot {i.slot}"
    ),
    p.Launch: _show_launch,
    p.Deoptimise: lambda i: f"deoptimise if {' or '.join(i.conditions)}",
    p.Require: lambda i: f"require {_join(f'plan {plan} if {cond}' for cond, plan in i.choices)}",
    p.Gemm: _show_gemm,
    p.Scatter: _show_scatter,
    p.Copy: lambda i: f"copy {i.bytes} bytes {i.dst} = {i.src}",
    p.Fill: lambda i: f"zero {i.bytes} bytes {i.dst}",
    p.HostCall: _show_host,
    p.TakeKept: lambda i: f"{i.output[0]}: {i.output[1]}[{_join(i.output[2])}] = slot {i.slot} of host{i.host}",
    p.LibraryCall: _show_library,
    p.For: _show_for,
    p.Blocks: lambda i: (
        f"for {i.first} in range(0, {i.count}, {i.step}), {i.here} rows; part {i.part}: {i.size} from {i.start}"
    ),
    p.If: lambda i: f"if {i.cond}" + "".join(f"; {dst} = {a} else {b}" for dst, a, b in i.results),
    p.Pin: lambda i: (
        f"pin if {i.work} > {i.threshold} in slots {_join(i.slots)}" + (", look for signals" if i.watched else "")
    ),
    p.Unwatch: lambda i: "look for signals no longer",
    p.ReleaseGil: lambda i: "release the GIL" + (f" if {i.when}" if i.when else ""),
    p.AcquireGil: lambda i: "acquire the GIL",
    p.Commit: lambda i: f"commit {_join(f'shared{s} = slot {k}' for s, k in i.updates)}",
    p.Return: lambda i: f"return slots {_join(i.slots)}" + (f" in list {i.list_slot}" if i.list_slot >= 0 else ""),
}


def line(i: Instr | None) -> str:
    """One instruction in one line, without its regions."""
    shown = SHOW.get(type(i))  # type: ignore[arg-type]
    return shown(i) if shown else repr(i)


def show(program: Program) -> str:
    """The whole program, one instruction a line; `!` and the site's number where it may fail, `|` per region."""

    def typed(values: list[Any]) -> str:
        return _join(f"{t}[{_join('?' if d is None else d for d in shape)}]" for t, shape in values)

    outs = _join(f"{t}:{rank}" for t, rank in program.outputs)
    lines = [f"program {program.name}({typed(program.args)}) shared({typed(program.shared)}) -> {outs}"]
    stack: list[tuple[int, Instr | str]] = [(0, i) for i in reversed(program.code)]
    while stack:
        depth, i = stack.pop()
        indent = "  " + "| " * depth
        if isinstance(i, str):
            lines.append(f"    {indent}{i}")
            continue
        fails = can_fail(program.plans, i)
        text = f"{'!' if fails else ' '}   {indent}{line(i)}"
        lines.append(text + (f"  (site {i.site})" if fails else ""))  # type: ignore[attr-defined]
        if isinstance(i, p.For | p.Blocks):
            stack += [(depth + 1, j) for j in reversed(i.body)]
        elif isinstance(i, p.If):
            stack += [(depth + 1, j) for j in reversed(i.orelse)]
            stack += [(depth, "else")] if i.orelse else []
            stack += [(depth + 1, j) for j in reversed(i.then)]
    return "\n".join(lines)
