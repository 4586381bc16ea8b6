"""LLVM modules of plans' kernels: those compiled with their function, those of late plans, and parts of the library.

Equal kernels are one, under the library's name where it has them (`precompiled_kernels`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from tensordsl.base.digests import blake2b
from tensordsl.codegen.abi.layouts import COMMON_KERNEL, COMMON_PLAN
from tensordsl.codegen.bufferise.serialise import made_from, unpack_plan, unpack_text
from tensordsl.codegen.cpu.planner import plan
from tensordsl.codegen.fusion.group import has_run_time_integers
from tensordsl.codegen.program_ir.instructions import Kernels, LaunchPlan
from tensordsl.codegen.program_ir.tables import NOTHING
from tensordsl.codegen.target.tuning import Tuning

Found = tuple[Sequence[str], Sequence[int]]  # the library's names of a plan's kernels, and the plan's descriptor


def module_text(plans: Iterable[Kernels], common: Mapping[str, str] = NOTHING) -> str:
    """One LLVM module of all the plans' kernels, with what they share once, or "" if it has none: equal kernels are
    one, with two names, and those in `common` are the library's."""
    shared: dict[str, None] = {}
    first: dict[str, str] = {}
    definitions = []
    for p in plans:
        own = [(symbol, text) for symbol, text in zip(p.symbols, p.texts, strict=True) if symbol not in common]
        shared |= dict.fromkeys(sorted(p.declarations) if own else ())
        for symbol, text in own:
            same = first.setdefault(_nameless(symbol, text), symbol)
            definitions.append(text if same is symbol else f"@{symbol} = alias void (), ptr @{same}")
    return "\n".join([*sorted(shared), *definitions])


def loads_forward(plans: Iterable[Kernels], vector_bytes: int, common: Mapping[str, str] = NOTHING) -> bool:
    """Does `module_text` load vectors of several registers, without elementary functions (which alone have fma)?  Then
    `compile_object` is to schedule loads forward."""
    own = [p for p in plans if any(symbol not in common for symbol in p.symbols)]
    sizes = (n for p in own for symbol, n in zip(p.symbols, p.widest_load_bytes, strict=True) if symbol not in common)
    has_functions = any("@llvm.fma." in declaration for p in own for declaration in p.declarations)
    return max(sizes, default=0) > vector_bytes and not has_functions


def take_common_plan(plan: LaunchPlan, known: Callable[[str], Found | None], max_values: int) -> None:
    """Give the plan its precompiled kernels (`known`, by the plan's name), so that none are compiled."""
    if plan.group is None or len(plan.group.scalars) > max_values or has_run_time_integers(plan.group):
        return
    found = known(plan_name(plan))
    if found is not None:
        symbols, words = found
        plan.make = lambda: Kernels(tuple(symbols), (), tuple(words), frozenset(), (), False, ())


def plan_name(plan: LaunchPlan) -> str:
    """The library's name for a plan: equal groups with equal schedules have equal names."""
    return COMMON_PLAN + _digest(made_from(plan))


def common_kernels(plans: Iterable[Kernels], names: Collection[str]) -> dict[str, str]:
    """Of kernels that are precompiled under some of these names (`common`): their symbols -> those names."""
    if not names:
        return {}
    named = {s: common_name(s, text) for p in plans for s, text in zip(p.symbols, p.texts, strict=True)}
    return {symbol: name for symbol, name in named.items() if name in names}


def common_name(symbol: str, text: str) -> str:
    """The library's name for a kernel: equal texts have equal names, whatever programs call them."""
    return COMMON_KERNEL + _digest(_nameless(symbol, text))


def _digest(text: str) -> str:
    return str(blake2b(text.encode(), digest_size=12).hexdigest())


def _nameless(symbol: str, text: str) -> str:
    return under(text, symbol, "")


def under(text: str, symbol: str, name: str) -> str:
    """The text of the kernel `symbol`, with functions of its own (`symbol.past`), under another name."""
    return text.replace(f"@{symbol}(", f"@{name}(").replace(f"@{symbol}.", f"@{name}.")


def late_kernels(packed: Sequence[bytes]) -> list[Kernels]:
    """The kernels of late plans (`bufferise.serialise.pack_plans`)."""
    result = []
    for k, part in enumerate(packed):
        text = unpack_text(part)
        if text is not None:
            result.append(_renamed(text, f"k{k}"))
            continue
        group, chosen, streams, key = unpack_plan(part)
        made = plan(group, chosen, f"k{k}", Tuning.from_key(key))
        result.append(replace(made, streams=streams).kernels)
    return result


def _renamed(made: Kernels, name: str) -> Kernels:
    """The same under names that no other plan of a module has."""
    symbols = tuple(f"{name}_{k}" for k in range(len(made.symbols)))
    texts = tuple(map(under, made.texts, made.symbols, symbols))
    return replace(made, symbols=symbols, texts=texts)


def only(text: str, symbols: Iterable[str]) -> str:
    """A module without the functions that none of these needs."""
    pattern = re.compile(r"^define [^@]*@([\w.]+)\(.*?^}\n", re.MULTILINE | re.DOTALL)
    functions = {m[1]: m[0] for m in pattern.finditer(text)}
    needed: set[str] = set()
    todo = list(symbols)
    while todo:
        name = todo.pop()
        if name in functions and name not in needed:
            needed.add(name)
            todo += re.findall(r"@([\w.]+)", functions[name])
    return pattern.sub(lambda m: m[0] if m[1] in needed else "", text)
