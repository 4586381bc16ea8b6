"""LLVM modules of the kernels of plans: those that are compiled with their function, and those that a call requires;
and of the library: what some of its functions need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tensordsl.codegen import abi
from tensordsl.codegen.program import LaunchPlan


@dataclass(frozen=True, slots=True)
class Kernels:
    """What a module needs of a `LaunchPlan`."""

    symbols: tuple[str, ...]
    texts: tuple[str, ...]
    declarations: frozenset[str]


def module_text(plans: Iterable[LaunchPlan | Kernels]) -> str:
    """One LLVM module of all the plans' kernels, with what they share once; equal kernels are one, with two names."""
    shared: dict[str, None] = {}
    first: dict[str, str] = {}
    definitions = []
    for p in plans:
        shared |= dict.fromkeys(sorted(p.declarations))
        for symbol, text in zip(p.symbols, p.texts, strict=True):
            same = first.setdefault(text.replace(f"@{symbol}(", "@(", 1), symbol)
            definitions.append(text if same is symbol else f"@{symbol} = alias void (), ptr @{same}")
    return "\n".join([*sorted(shared), *definitions])


def late_part(plan: LaunchPlan) -> bytes:
    """The kernels of a plan that is compiled later, without names: equal plans give equal bytes."""
    texts = [t.replace(f"@{s}(", "@(", 1) for s, t in zip(plan.symbols, plan.texts, strict=True)]
    return json.dumps([sorted(plan.declarations), texts]).encode()


def late_text(parts: Sequence[bytes]) -> str:
    """The module of several such plans; its symbols are `abi.late_symbol`s."""
    plans = []
    for k, part in enumerate(parts):
        declarations, texts = json.loads(part)
        symbols = tuple(abi.late_symbol(k, j) for j in range(len(texts)))
        named = tuple(t.replace("@(", f"@{s}(", 1) for s, t in zip(symbols, texts, strict=True))
        plans.append(Kernels(symbols, named, frozenset(declarations)))
    return module_text(plans)


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
