"""Tables that a program's run time gets with its code: kernels, constants, libraries, and late plans.

`Tables` numbers the words of `ctx.kern`; the other functions fill an `Executable`'s metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from struct import pack
from types import MappingProxyType
from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.abi.descriptor import Header
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.gemm_epilogues import epilogues
from tensordsl.codegen.program_ir.instructions import LaunchPlan, Program, walk_program
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE

NOTHING: Mapping[str, str] = MappingProxyType({})  # no kernels of a plan are the library's
LITERAL = 1 << 13  # bytes: a larger constant is no literal of the program; the run time hands over its address


class Tables:
    """Where in `ctx.kern`, counted in words, plans and constants stand."""

    def __init__(self, program: Program) -> None:
        self.first_constant = layouts.PLAN_SIZE // 8 * len(program.plans)
        self.constants = {data: self.first_constant + k for k, data in enumerate(large_constants(program))}
        self.absent = self.first_constant + len(self.constants)
        self.epilogues = epilogues(program)


def late_plans(program: Program) -> list[int]:
    """The plans that are compiled when a call first requires them, in the order of the choices."""
    requires = (i for i in program.code if isinstance(i, p.Require))
    return [plan for i in requires for _, plan in i.choices]


def idle_plans(program: Program) -> set[int]:
    """The plans that nothing launches: those of loops whose rounds have a kernel."""
    launched: set[int] = set()
    blocks: list[Sequence[p.Instr]] = [program.code]
    while blocks:
        for i in blocks.pop():
            if isinstance(i, p.Launch):
                launched.update(i.plans)
                continue
            kernel = i.kernel if isinstance(i, p.For) else None
            launched.update([kernel.plan] if kernel else ())
            if kernel is None or kernel.when:
                blocks += [getattr(i, region) for region in p.REGIONS.get(type(i), ())]
    return set(range(len(program.plans))) - launched


def plan_table(
    program: Program, now: Collection[int], common: Mapping[str, str] = NOTHING
) -> list[list[Any] | None]:  # fmt: skip
    """Of each plan its kernels' symbols, or their names in `common`, and the word of all descriptors at which its own
    begins; None: of a plan that is not compiled now."""
    places = descriptor_places(program.plans[k] for k in now)
    made = [plan.kernels if k in now else None for k, plan in enumerate(program.plans)]
    return [None if m is None else [[common.get(s, s) for s in m.symbols], places.get(m.descriptor, 0)] for m in made]


def constant_table(program: Program, now: Collection[int]) -> list[bytes]:
    """The descriptors of the plans that are compiled now, and the constants whose addresses follow the plans."""
    words = [w for descriptor in descriptor_places(program.plans[k] for k in now) for w in descriptor]
    return [pack(f"<{len(words)}q", *words), *large_constants(program)]


def descriptor_places(plans: Iterable[LaunchPlan]) -> dict[tuple[int, ...], int]:
    """The descriptors of the plans, equal ones once -> the word at which each begins among all of them."""
    places: dict[tuple[int, ...], int] = {}
    at = 0
    for plan in plans:
        if (words := plan.kernels.descriptor) not in places:
            places[words] = at
            at += len(words)
    return places


def large_constants(program: Program) -> list[bytes]:
    return list(dict.fromkeys(i.data for i in walk_program(program.code) if type(i) is p.Bytes and is_large(i)))


def is_large(i: p.Bytes) -> bool:
    return len(i.data) > LITERAL


def libraries(program: Program, now: Iterable[int] | None = None) -> list[str]:
    """The library objects (`abi.layouts.LIBRARY`) whose functions the program calls, besides "native", and its plans
    that are compiled now (None: all) need."""
    calls = {symbol(i) for i in walk_program(program.code) if (symbol := _SYMBOLS.get(type(i))) is not None}
    if any(plan.axes for plan in program.plans):
        calls.add("run_nest")
    plans = range(len(program.plans)) if now is None else now
    parts = needed_parts(program.plans[k].kernels.descriptor for k in plans)
    return sorted({*(_library_of()[name] for name in calls), *parts})


def needed_parts(descriptors: Iterable[Sequence[int]]) -> list[str]:
    """The parts of the nest library that they need."""
    needs = {words[Header.NEEDED_PARTS] for words in descriptors if words}
    return [name for k, name in enumerate(layouts.NEST_PARTS) if any(bits >> k & 1 for bits in needs)]


@cache
def _library_of() -> dict[str, str]:
    return {symbol: library for library, symbols in layouts.LIBRARY.items() for symbol in symbols}


def gemm_symbol(i: p.Gemm) -> str:
    return f"gemm_{i.dtype}" if i.count is None else f"gemms_{i.dtype}"


def scatter_symbol(i: p.Scatter) -> str:
    return layouts.SCATTER_SET[ITEMSIZE[i.dtype]] if i.set else layouts.SCATTER_ADD[i.dtype]


def library_call_symbol(i: p.LibraryCall) -> str:
    return layouts.library_symbol(i.function, i.inputs[0][1])


_SYMBOLS: dict[type[p.Instr], Callable[[Any], str]] = {
    p.Gemm: gemm_symbol, p.Scatter: scatter_symbol, p.LibraryCall: library_call_symbol,
}  # fmt: skip
