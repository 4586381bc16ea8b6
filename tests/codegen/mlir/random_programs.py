"""Random functions, run by upstream MLIR, by our native code and by the oracles: all three must agree."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from expressions import EXACT, Case, Maker, compare, describe, perturbed, reference
from mlir_upstream import Module
from optimised import optimised

import tensordsl
from tensordsl.codegen.mlir import export as mlir
from tensordsl.codegen.tensor_ir.lower import lower


@dataclass
class Program:
    """A random function, what it must give and how far off it may be."""

    seed: int
    case: Case
    levels: list[int]
    expected: list[Any]
    samples: list[list[Any]]

    @property
    def name(self) -> str:
        return f"f{self.seed}"

    def text(self, optimise: bool = True) -> str:
        return mlir.export(self.lowered(optimise), self.name)

    def lowered(self, optimise: bool = False) -> Any:
        lowered = lower(self.case.inputs, [s for s, _ in self.targets()], self.case.outputs, self.case.updates)
        return optimised(lowered) if optimise else lowered

    def targets(self) -> list[tuple[Any, Any]]:
        return [(s, s.get_value()) for s in self.case.shared]

    def compare(self, got: list[Any]) -> None:
        compare(self.case, self.levels, self.expected, got, self.samples)

    def native(self) -> list[Any]:
        case = self.case
        f = tensordsl.function(case.inputs, case.outputs, updates=case.updates, on_unused_input="ignore")
        before = self.targets()
        got = f(*case.arguments)
        got = [*got, *(s.get_value() for s, _ in case.updates)]
        for s, value in before:
            s.set_value(value)
        return got

    def upstream(self, module: Module) -> list[Any]:
        case = self.case
        results = [(v.type.dtype, v.type.ndim) for v in case.results]
        arrays = [native_array(a, v.type.dtype) for a, v in zip(case.arguments, case.inputs, strict=True)]
        return module.call(
            results, *arrays, *(native_array(x, s.type.dtype) for s, x in self.targets()), name=self.name
        )


def native_array(array: Any, dtype: str) -> Any:
    """In this machine's byte order, aligned, with strides of whole elements; else as it is."""
    array = np.asarray(array)
    if array.dtype != dtype or not array.dtype.isnative or not array.flags.aligned:
        return np.array(array, dtype)
    return array


def program(seed: int) -> Program:
    source = random.Random(seed)
    maker = Maker(lambda n: source.randrange(n), special=seed % 3 == 0)
    maker.rng = np.random.default_rng(seed)
    case = maker.make()
    expected, values = reference(case)
    samples = [perturbed(case, values, k) for k in range(3)]
    return Program(seed, case, [maker.level.get(v, EXACT) for v in case.results], expected, samples)


def run_upstream(programs: Iterable[Program], optimise: bool = True) -> dict[int, list[Any]]:
    """The results of all, from one module."""
    programs = list(programs)
    module = Module(mlir.export_all({p.name: p.lowered(optimise) for p in programs}))
    return {p.seed: p.upstream(module) for p in programs}


def differences(programs: Iterable[Program], optimise: bool = True) -> list[str]:
    """Compare the three results of each program; what differs, in words.

    Where upstream and our native code agree and only the oracle does not, the tolerances of `tests/support/agreement.py` are the
    judge, not this test.
    """
    programs = list(programs)
    found = []
    for seed, got in run_upstream(programs, optimise).items():
        p = next(q for q in programs if q.seed == seed)
        native = p.native()
        for what, wanted in (("the oracle", p.expected), ("native code", native)):
            try:
                compare(p.case, p.levels, wanted, got, p.samples)
            except AssertionError as error:
                if what == "the oracle" and _agree(p, native, got):
                    continue
                text = describe(p.case, dict(zip(p.case.results, p.levels, strict=True)))
                found.append(f"seed {seed}: upstream MLIR differs from {what}: {error}\n{text}")
    return found


def _agree(p: Program, native: list[Any], got: list[Any]) -> bool:
    try:
        compare(p.case, p.levels, native, got, p.samples)
    except AssertionError:
        return False
    return True


__all__ = ["Program", "describe", "differences", "program", "run_upstream"]
