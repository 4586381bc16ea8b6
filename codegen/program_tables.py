"""What a program's run time is handed beside its code: kernels, constants, libraries, and plans compiled later."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from struct import pack
from typing import Any

from tensordsl.codegen import abi
from tensordsl.codegen import program as p
from tensordsl.codegen.epilogues import epilogues
from tensordsl.codegen.program import Program, walk_program
from tensordsl.codegen.scatter_text import scatter_symbol

LITERAL = 1 << 13  # bytes: a larger constant is no literal of the program; the run time hands over its address


class Tables:
    """Where in `ctx.kern` kernels and constants stand, and in the constant of all descriptors each of them."""

    def __init__(self, program: Program) -> None:
        self.kernels, at = list[int](), 0
        for plan in program.plans:
            self.kernels.append(at)
            at += len(plan.symbols)
        self.constants = {data: at + k for k, data in enumerate(constant_table(program))}
        self.descriptors = descriptor_places(program)
        self.first_constant, self.absent = at, at + len(self.constants)
        self.epilogues = epilogues(program)


def kernel_table(program: Program, soon: Collection[int] = ()) -> list[str | None]:
    """The symbols that `ctx.kern` must hold, in order: those of plan 0, of plan 1 and so on; None: of a late plan that
    is not in `soon`."""
    late = set(late_plans(program)).difference(soon)
    return [None if k in late else symbol for k, plan in enumerate(program.plans) for symbol in plan.symbols]


def late_plans(program: Program) -> list[int]:
    """The plans that are compiled when a call first requires them, in the order of the choices."""
    requires = (i for i in program.code if isinstance(i, p.Require))
    return [plan for i in requires for _, plan in i.choices]


def late_table(program: Program) -> list[tuple[int, int]]:
    """Where the kernels of each late plan stand in `ctx.kern`, and how many they are."""
    ranges, at = [], 0
    for plan in program.plans:
        ranges.append((at, len(plan.symbols)))
        at += len(plan.symbols)
    return [ranges[k] for k in late_plans(program)]


def constant_table(program: Program) -> list[bytes]:
    """The constants whose addresses follow the kernels in `ctx.kern`, in order: the plans' descriptors, if there are
    some, and large ones."""
    words = [w for descriptor in descriptor_places(program) for w in descriptor]
    large = dict.fromkeys(i.data for i in walk_program(program.code) if isinstance(i, p.Bytes) and is_large(i))
    return [*([pack(f"<{len(words)}q", *words)] if words else []), *large]


def descriptor_places(program: Program) -> dict[tuple[int, ...], int]:
    """The descriptors of the plans, equal ones once -> the word at which each begins among all of them."""
    places: dict[tuple[int, ...], int] = {}
    at = 0
    for plan in program.plans:
        if plan.descriptor and plan.descriptor not in places:
            places[plan.descriptor] = at
            at += len(plan.descriptor)
    return places


def is_large(i: p.Bytes) -> bool:
    return len(i.data) > LITERAL


def libraries(program: Program) -> list[str]:
    """The library objects (`abi.LIBRARY`) whose functions the program calls, besides "native"."""
    calls = {symbol(i) for i in walk_program(program.code) if (symbol := _SYMBOLS.get(type(i))) is not None}
    if any(plan.descriptor for plan in program.plans):
        calls.add("run_nest")
    return sorted({_library_of()[name] for name in calls})


@cache
def _library_of() -> dict[str, str]:
    return {symbol: library for library, symbols in abi.LIBRARY.items() for symbol in symbols}


def gemm_symbol(i: p.Gemm) -> str:
    return f"gemm_{i.dtype}" if i.count is None else f"gemms_{i.dtype}"


def library_call_symbol(i: p.LibraryCall) -> str:
    return abi.library_symbol(i.function, i.inputs[0][1])


_SYMBOLS: dict[type[p.Instr], Callable[[Any], str]] = {
    p.Gemm: gemm_symbol, p.Scatter: lambda i: scatter_symbol(i.dtype, i.set), p.LibraryCall: library_call_symbol,
}  # fmt: skip
