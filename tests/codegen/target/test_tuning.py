"""Tunings: equal ones have equal keys, what they say reaches kernels, and results do not depend on them."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from tuned import HERE, mode, tuned

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.target.machine import Machine
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.functions import native

X = T.dmatrix("X")
CODEGEN = Path(__file__).parents[3] / "codegen"
SOURCES = "".join(p.read_text() for p in CODEGEN.rglob("*.py") if p.parent.name != "target")
NUMBERS = [
    (f.name, g.name)
    for f in fields(Tuning)
    if is_dataclass(getattr(HERE, f.name)) and f.name != "machine"
    for g in fields(getattr(HERE, f.name))
]


def test_the_usual_tuning_adds_nothing_to_keys() -> None:
    assert HERE.key() == replace(HERE).key() == "" and Tuning.from_key("") == HERE


@pytest.mark.parametrize(("group", "name"), NUMBERS, ids=map(".".join, NUMBERS))
def test_every_field_is_part_of_the_key_and_comes_back(group: str, name: str) -> None:
    other = tuned(**{group: {name: getattr(getattr(HERE, group), name) + 1}})
    assert other.key() and Tuning.from_key(other.key()) == other


def test_names_and_facts_are_part_of_the_key_and_come_back() -> None:
    off, forced = HERE.without("prefetch", "unroll_axes"), HERE.forcing("prefetch")
    assert not off.allows("prefetch") and off.allows("collapse_axes") and forced.forces("prefetch")
    assert off.forcing("prefetch").off == {"unroll_axes"} and forced.without("prefetch").forced == frozenset()
    keys = [t.key() for t in (off, forced, tuned(machine={"vector_bytes": 8}))]
    assert len({"", *keys}) == 4 and [Tuning.from_key(k).key() for k in keys] == keys


def test_thresholds_follow_from_the_machine() -> None:
    near, far = (Tuning.of(Machine(has_distant_l3=d, l2_bytes=1 << 21, l3_bytes=1 << 27)) for d in (False, True))
    assert near.caches != far.caches and replace(near, machine=far.machine, caches=far.caches) == far


def test_functions_of_another_tuning_have_other_code_and_the_same_results() -> None:
    a = np.random.default_rng(0).normal(size=(30, 7))
    outputs, e = [T.nnet.softmax(X), X[:, ::2] * 3, X.sum(1)], np.exp(a - a.max(1, keepdims=True))
    want = [e / e.sum(1, keepdims=True), a[:, ::2] * 3, a.sum(1)]
    made = [
        tensordsl.function([X], outputs, mode=mode(t))
        for t in (HERE, tuned(schedule={"max_scalar_ops": 2}), tuned(variants={"max_crossed_row_elements": 3}))
    ]
    assert len({native.program_key(f.spec, f.mode) for f in made}) == 3
    for f in (*made, *made):
        for got, wanted in zip(f(a), want, strict=True):
            np.testing.assert_allclose(got, wanted)


OFF = (
    *("prefetch", "streaming_stores", "stencil_rows", "line_alignment", "half_registers", "unroll_axes"),
    *("short_rows_in_lanes", "segmented_reductions"),
)


@pytest.mark.parametrize("name", OFF)
def test_the_same_results_with_an_optimisation_on_off_and_forced(name: str) -> None:
    rng = np.random.default_rng(1)
    outputs = [
        X.sum(1), X.max(0), X.var(1), T.nnet.softmax(X), X[2:, 1:] + X[1:-1, 1:] * X[:-2, :-1], X * 2 + 1,
        (X**2).mean(0), X.sum(),
    ]  # fmt: skip
    made = [tensordsl.function([X], outputs, mode=mode(t)) for t in (HERE, HERE.without(name), HERE.forcing(name))]
    for shape in ((3, 5), (40, 3), (5, 700), (130, 1100)):
        a = rng.normal(size=shape)
        on, *others = (f(a) for f in made)
        for other in others:
            for got, want in zip(other, on, strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


def test_a_process_has_one_tuning() -> None:
    tensordsl.function([X], X + 1)
    with pytest.raises(RuntimeError, match="before its first function"):
        native.set_tuning(HERE)


@pytest.mark.parametrize(("group", "name"), NUMBERS, ids=map(".".join, NUMBERS))
def test_every_field_is_read_by_the_compiler(group: str, name: str) -> None:
    assert re.search(rf"""\.{name}\b|\.limit\("{name}"\)""", SOURCES), f"nothing reads {group}.{name}"
