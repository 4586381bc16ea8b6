"""LLVM modules of the kernels of plans: those that are compiled with their function, and those that a call requires;
and of the library: what some of its functions need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tensordsl.codegen.group_store import unpack_plan
from tensordsl.codegen.kernels import plan
from tensordsl.codegen.program import Kernels


def module_text(plans: Iterable[Kernels]) -> str:
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


def late_kernels(parts: Sequence[bytes]) -> list[Kernels]:
    """Of plans that a call requires (`group_store.pack_plan`)."""
    result = []
    for k, part in enumerate(parts):
        group, chosen, streams = unpack_plan(part)
        result.append(replace(plan(group, chosen, f"k{k}"), streams=streams).kernels)
    return result


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
