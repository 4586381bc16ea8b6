"""The verifier of storage: right programs pass, and programs that are corrupted in their storage are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from tuned import of_width

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.bufferise import loops, steps
from tensordsl.codegen.bufferise.function import build_program
from tensordsl.codegen.compiler.pipeline import make_program, optimise_lowered
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.check_storage import StorageFault, check_storage
from tensordsl.codegen.program_ir.instructions import REGIONS, Instr, walk_program
from tensordsl.codegen.program_ir.verify import EFFECTS, verify
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.ifelse import ifelse

X, Y, A = T.dmatrix("x"), T.dmatrix("y"), T.dvector("a")
Parts = tuple[list[Any], list[Any], list[tuple[Any, Any]]]  # inputs, outputs, updates of all shared variables


def products() -> Parts:
    """Values of one size, of which several are in use at once."""
    a = T.dot(X, Y)
    b = T.dot(a, X)
    c = T.dot(b, Y)
    return [X, Y], [T.dot(T.dot(a, c), T.dot(b, X))], []


def join() -> Parts:
    """Parts that are computed where they are wanted, one of them twice."""
    a = T.dot(X, Y)
    return [X, Y], [T.concatenate([a, T.tanh(Y), a]).sum(axis=0)], []


def slices() -> Parts:
    """Slices that are set in the storage of what dies there."""
    a = T.dot(X, Y)
    return [X, Y, A], [T.set_subtensor(a[1:], T.tanh(Y[1:])), T.inc_subtensor(T.dot(Y, X)[:, 0], A).sum()], []


def rows() -> Parts:
    """States in the rows of a stack, which the next round reads, and a gradient that reads them all."""
    h, _ = tensordsl.scan(lambda x, h: T.tanh(T.dot(h, Y) + x), X, A)
    return [X, Y, A], [h, *T.grad((h * h).sum(), [Y, A])], []


def history() -> Parts:
    """States of which the start is a row as well; each is made of an intermediate one in its row's place."""
    h, _ = tensordsl.scan(lambda x, h: T.inc_subtensor(T.tanh(h * x)[0], 1.0), X, A)
    return [X, A], [*T.grad(h[-1].sum(), [X, A])], []


def rotation() -> Parts:
    """States that rotate by their addresses."""
    h, _ = tensordsl.scan(lambda x, a, b: T.tanh(a + b[::-1]) + x, X, {"initial": Y, "taps": [-2, -1]})
    return [X, Y], [h[-1]], []


def written_over() -> Parts:
    """A state that is written over."""
    h, _ = tensordsl.scan(lambda y, h: T.set_subtensor(h[0], h[1] * y), Y, X)
    return [X, Y], [h[-1]], []


def rounds_with_branches() -> Parts:
    """States of which branches compute the next one, each in its row."""
    h, _ = tensordsl.scan(lambda x, h: ifelse(x[0] > 0.5, T.sin(h), h * x), X, A)
    return [X, A], [h, T.grad(h.sum(), A)], []


def stacked_views() -> Parts:
    """Rows that are views of a state."""
    (_, rows), _ = tensordsl.scan(lambda y, h: [h * y, h[::-1]], Y, [X, None])
    return [X, Y], [rows], []


def momentum() -> Parts:
    """Products that are added to values, with updates."""
    w, v = (tensordsl.shared(np.ones((3, 3))) for _ in "wv")
    new = 0.9 * v - 0.5 * T.dot(X.T, T.nnet.softmax(T.dot(X, w)))
    return [X], [], [(v, new), (w, w + new)]


def branches() -> Parts:
    """Branches of which each computes the result in its place."""
    return [X, Y], [ifelse(T.gt(X.sum(), 0.0), T.dot(X, Y), T.tanh(T.dot(Y, X))) + 1.0], []


def gibbs() -> Parts:
    """A loop of which only last rows are kept."""
    w, s = tensordsl.shared(np.ones((3, 2))), tensordsl.shared(np.ones((4, 3)))

    def step(v: Any) -> list[Any]:
        h = T.nnet.sigmoid(T.dot(v, w)) * 0.9
        m = T.nnet.sigmoid(T.dot(h, w.T))
        return [h, m, m * 0.9]

    (_, m, v), updates = tensordsl.scan(step, outputs_info=[None, None, s], n_steps=6)
    return [], [m[-1], v[-1]], [*updates.items(), (s, v[-1]), (w, w)]


PROGRAMS = (
    products,
    join,
    slices,
    rows,
    history,
    rotation,
    written_over,
    momentum,
    branches,
    gibbs,
    stacked_views,
    rounds_with_branches,
)


def claims(make: Callable[[], Parts]) -> p.Program:
    """The program of a function for this check."""
    inputs, outputs, updates = make()
    shared = [s for s, _ in updates]
    low = lower(inputs, shared, outputs, updates)
    optimise_lowered(low)
    types = [v.type for v in inputs], [v.type for v in shared]
    made, _ = build_program(make.__name__, low, *types, False, of_width(32), has_claims=True)
    verify(made)
    return made


@pytest.mark.parametrize("make", PROGRAMS)
def test_right_programs_pass(make: Callable[[], Parts]) -> None:
    assert check_storage(claims(make)) >= 2  # lists of lengths


# -- corrupted programs ------------------------------------------------------------------------------------------------
def rewritten(code: Sequence[Instr], change: Callable[[Instr], Sequence[Instr]]) -> tuple[Instr, ...]:
    """Each instruction replaced by others, those of regions first."""
    result: list[Instr] = []
    for i in code:
        parts = {region: rewritten(getattr(i, region), change) for region in REGIONS.get(type(i), ())}
        result += change(replace(i, **parts) if parts else i)
    return tuple(result)


def renamed(i: Instr, names: dict[str, str], only: str = "") -> Instr:
    """An instruction with other names in its fields, or in one of them."""

    def of(x: Any) -> Any:
        if isinstance(x, str):
            return names.get(x, x)
        return tuple(map(of, x)) if isinstance(x, tuple) and not any(isinstance(y, Instr) for y in x) else x

    return replace(i, **{f.name: of(getattr(i, f.name)) for f in fields(i) if not only or f.name == only})


def corrupted(program: p.Program, change: Callable[[Instr], Sequence[Instr]]) -> p.Program:
    made = p.Program(program.name, program.args, program.shared, program.outputs, n_hosts=program.n_hosts)
    made.plans, made.sites, made.n_slots = program.plans, program.sites, program.n_slots
    made.code = list(rewritten(program.code, change))
    return made


def is_refused(program: p.Program) -> bool:
    try:
        check_storage(program)
    except StorageFault:
        return True
    return False


def begins(i: Instr) -> bool:
    """Whether an instruction writes what nobody has written, as far as it says itself."""
    if isinstance(i, p.Launch):
        return len({*i.operands}) == len(i.operands)
    return not (isinstance(i, p.Gemm) and (i.beta or i.decay)) and bool(EFFECTS[type(i)].writes(i))


def roots(program: p.Program) -> dict[str, str]:
    """Names of addresses -> that of their storage, where there is one for all rounds."""
    found: dict[str, str] = {}
    for i in walk_program(program.code):
        if isinstance(i, p.Arena):
            found |= {name: name for name, _ in i.items}
        elif isinstance(i, p.Slot | p.NewOut | p.Prepare):
            found[i.dst] = i.dst
        elif isinstance(i, p.Claim | p.Offset):
            source = i.src if isinstance(i, p.Claim) else i.base
            if source in found:
                found[i.dst] = found[source]
        elif isinstance(i, p.For):
            found |= {name: found[start] for name, start, _ in i.carried if start in found}
    return found


def in_branches(program: p.Program) -> set[int]:
    """ids of instructions that small lengths may not come to."""
    chosen = [b for b in walk_program(program.code) if isinstance(b, p.If)]
    return {id(i) for b in chosen for i in walk_program((*b.then, *b.orelse))}


def live_pairs(program: p.Program) -> list[tuple[str, str]]:
    """Storages of the arena and others that are taken between a write to them and a read of it."""
    found, order, left_out = roots(program), list(walk_program(program.code)), in_branches(program)
    in_arena = {name for i in order if isinstance(i, p.Arena) for name, _ in i.items}
    taken: dict[str, list[int]] = {}
    read: dict[str, int] = {}
    for k, i in enumerate(order):
        if id(i) in left_out:
            continue
        if isinstance(i, p.Claim) and not i.keeps and i.src in in_arena:
            taken.setdefault(i.src, []).append(k)
        read |= {found[name]: k for name in EFFECTS[type(i)].reads(i) if name in found}
    return [
        (x, y) for x, (*_, last) in taken.items() for y, (first, *_) in taken.items()
        if x != y and last < first < read.get(x, 0)
    ]  # fmt: skip


def writers(program: p.Program) -> list[Instr]:
    """Instructions that begin what others read, or results."""
    found, order, left_out = roots(program), list(walk_program(program.code)), in_branches(program)
    wanted = {i.dst for i in order if isinstance(i, p.NewOut | p.Prepare)}
    wanted.update(found[name] for i in order for name in EFFECTS[type(i)].reads(i) if name in found)
    return [
        i for i in order
        if id(i) not in left_out and begins(i) and any(found.get(name) in wanted for name in EFFECTS[type(i)].writes(i))
    ]  # fmt: skip


@pytest.mark.parametrize("make", [products, rows, history])
def test_a_buffer_for_two_live_values(make: Callable[[], Parts]) -> None:
    program = claims(make)
    pairs = live_pairs(program)
    assert pairs
    for x, y in pairs:
        made = corrupted(program, lambda i, x=x, y=y: [renamed(i, {y: x}) if isinstance(i, p.Claim) else i])
        assert is_refused(made), (x, y)


OVER = slices, written_over  # in which something stood where they write


@pytest.mark.parametrize("make", [make for make in PROGRAMS if make not in OVER])
def test_what_nobody_writes(make: Callable[[], Parts]) -> None:
    """Each instruction that begins a value is left out, one after the other."""
    program = claims(make)
    victims = writers(program)
    assert victims
    for victim in victims:
        made = corrupted(program, lambda i, victim=victim: [] if type(i) is type(victim) and i == victim else [i])
        assert is_refused(made), victim


@pytest.mark.parametrize("make", [rows, history, rotation, gibbs])
def test_a_row_that_is_read_before_it_is_written(make: Callable[[], Parts]) -> None:
    """Each instruction of a round that begins a value comes at the round's end."""
    program = claims(make)
    order = [id(i) for i in writers(program)]
    loops = [i for i in walk_program(program.code) if isinstance(i, p.For)]
    count = 0
    for loop in loops:
        for k, i in enumerate(loop.body):
            read = {name for later in walk_program(loop.body[k + 1 :]) for name in EFFECTS[type(later)].reads(later)}
            found = roots(program)
            if id(i) not in order or not {found.get(n) for n in EFFECTS[type(i)].writes(i)} & {
                found.get(n) for n in read
            }:
                continue
            body = (*loop.body[:k], *loop.body[k + 1 :], i)
            made = corrupted(program, lambda j, loop=loop, body=body: [replace(j, body=body)] if j == loop else [j])
            assert is_refused(made), i
            count += 1
    assert count


def test_rounds_that_write_where_they_read() -> None:
    program = claims(rotation)
    (loop,) = (i for i in walk_program(program.code) if isinstance(i, p.For))
    found = roots(program)
    free = [k for k, (_, start, _) in enumerate(loop.carried) if start in found]  # by which a state rotates
    assert len(free) == 3  # for states of which two are read
    for k in free:
        name, _, after = loop.carried[k]
        for start in (loop.carried[j][1] for j in free if j != k):
            carried = (*loop.carried[:k], (name, start, after), *loop.carried[k + 1 :])
            made = corrupted(program, lambda i, carried=carried: [replace(i, carried=carried)] if i == loop else [i])
            assert is_refused(made), (name, start)


@pytest.mark.parametrize("make", [products, rows, gibbs])
def test_a_storage_that_ends_early(make: Callable[[], Parts]) -> None:
    """Each storage of the arena is as long as another size that the program has."""
    program = claims(make)
    sizes = {name: size for i in walk_program(program.code) if isinstance(i, p.Arena) for name, size in i.items}
    half = [p.Const("c_two", 2), *(p.Arith(f"half_{size}", "floordiv", size, "c_two") for size in set(sizes.values()))]
    used = {i.src for i in walk_program(program.code) if isinstance(i, p.Claim) and id(i) not in in_branches(program)}
    for name in sizes.keys() & used:

        def change(i: Instr, name: str = name) -> Sequence[Instr]:
            if not isinstance(i, p.Arena) or name not in dict(i.items):
                return [i]
            items = tuple((n, f"half_{size}" if n == name else size) for n, size in i.items)
            return [
                *half[:1],
                *(h for h in half if getattr(h, "dst", "") == f"half_{sizes[name]}"),
                replace(i, items=items),
            ]

        assert is_refused(corrupted(program, change)), name


# -- wrong bufferisation -----------------------------------------------------------------------------------------------
@pytest.fixture
def frees_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The storage of each value is free a step before the last one that reads it."""
    usual = steps.last_uses

    def early(*args: Any) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for k, numbers in usual(*args).items():
            found.setdefault(max(k - 1, 0), []).extend(numbers)
        return found

    monkeypatch.setattr(steps, "last_uses", early)


@pytest.mark.usefixtures("frees_early")
def test_storage_that_is_free_a_step_early() -> None:
    assert is_refused(claims(products))


@pytest.mark.usefixtures("frees_early")
@pytest.mark.parametrize("option, level, is_checked", [(False, "", False), (True, "", True), (False, "1", True)])
def test_functions_are_checked_where_they_are_debugged(
    option: bool, level: str, is_checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORDSL_DEBUG", level)
    inputs, outputs, _ = products()
    refusal = pytest.raises(StorageFault, match="which nobody wrote") if is_checked else nullcontext()
    with tensordsl.config.change_flags(check_storage=option), refusal:
        make_program("f", inputs, [], outputs, [], False)


def test_a_state_that_is_written_over_though_it_is_read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Views of the state before are rows that a loop keeps."""
    monkeypatch.setattr(loops, "written_over", lambda b, loop, stacked, context: frozenset(range(len(loop.carried))))
    assert is_refused(claims(stacked_views))


def test_another_program_of_a_function_is_the_same() -> None:
    """What branches share is made one branch; loops have it from then on."""
    x, c = T.dvector("x"), T.dscalar("c")
    h, _ = tensordsl.scan(lambda a, s: T.tanh(s * c) + a, x, c)
    g = T.grad(ifelse(T.gt(c, 0.0), h, x * c).sum(), x)
    second = T.grad((g * g).sum(), x)
    with tensordsl.config.change_flags(check_storage=True):
        make_program("f", [x, c], [], [g, second], [], False)
