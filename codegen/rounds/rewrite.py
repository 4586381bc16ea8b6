"""The choice of loops that get a kernel of their rounds: all whose bodies fit, innermost ones in nests.

Contract  the instructions of a function, before it is known which kernels a call requires -> the same with kernels.
When      lanes are few, and elements adjacent.  Where only a call can tell, it chooses.
Why       a launch takes as long as a vector of many operations; a store, and the load behind it, as long as several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Instr, LaunchPlan, Name
from tensordsl.codegen.rounds import inline
from tensordsl.codegen.rounds.body import Body, Unfit, read
from tensordsl.codegen.rounds.kernel import make
from tensordsl.codegen.rounds.storages import Storages
from tensordsl.codegen.target.tuning import Tuning

Compared = Callable[[str, Name, int], Name | None]  # the name of whether a relation holds; None: not known at entry


def add_kernels(
    code: Sequence[Instr], around: Sequence[Instr], plans: list[LaunchPlan], tuning: Tuning, compared: Compared,
    joined: Callable[[Sequence[Name]], Name],
) -> list[Instr]:  # fmt: skip
    """`code` with kernels, whose plans are appended to `plans`; around: the rest of the program's instructions."""
    storages = Storages([*around, *code])
    kernels: dict[int, Instr] = {}  # id of a loop -> what it becomes

    def changed(block: Sequence[Instr]) -> tuple[Instr, ...]:
        return tuple(_with_regions(i, kernels) for i in block)

    for loop in _loops_inside_first(code):
        inner = changed(loop.body)
        loop_now = loop if all(a is b for a, b in zip(inner, loop.body, strict=True)) else replace(loop, body=inner)
        kernels[id(loop)] = _chosen(loop_now, storages, plans, tuning, compared, joined)
    return list(changed(code))


def _loops_inside_first(code: Sequence[Instr]) -> list[p.For]:
    return [i for i in p.walk_program([*code]) if isinstance(i, p.For)][::-1]


def _with_regions(i: Instr, kernels: dict[int, Instr]) -> Instr:
    """The instruction with what the loops in it became."""
    if id(i) in kernels:
        return kernels[id(i)]
    if not isinstance(i, p.If | p.Blocks):
        return i
    regions = {r: tuple(_with_regions(x, kernels) for x in getattr(i, r)) for r in p.REGIONS[type(i)]}
    is_same = all(a is b for r, new in regions.items() for a, b in zip(new, getattr(i, r), strict=True))
    return i if is_same else replace(i, **regions)  # type: ignore[arg-type]  # regions are tuples of instructions


def _chosen(
    loop: p.For, storages: Storages, plans: list[LaunchPlan], tuning: Tuning, compared: Compared,
    joined: Callable[[Sequence[Name]], Name],
) -> Instr:  # fmt: skip
    """The loop, with a kernel if it fits."""
    for technique, find in KERNELS.items():
        if not tuning.allows(technique):
            continue
        try:
            kernel, conditions, make = find(loop, plans, storages, tuning, compared)
        except Unfit:
            continue
        plans.append(
            LaunchPlan(
                name=f"k{len(plans)}",
                operands=(),
                n_inputs=0,
                axes=(),
                extents=(),
                strides=(),
                ints=(),
                may_fail=False,
                make=make,
            )  # fmt: skip
        )
        return replace(loop, kernel=replace(kernel, when=joined(conditions) if conditions else None))
    return loop


Found = tuple[p.RoundsKernel, list[Name], Callable[[], p.Kernels]]  # the kernel, what a call must bring, its text


def _in_registers(
    loop: p.For, plans: list[LaunchPlan], storages: Storages, tuning: Tuning, compared: Compared
) -> Found:  # fmt: skip
    body = read(loop, plans, storages, tuning.rounds.max_positions)
    lanes = None if body.length is None else storages.numbers.get(body.length)
    made = make(body, loop, f"k{len(plans)}_0", tuning, lanes)
    conditions = _conditions(body, storages, made.max_lanes, compared)
    rounds = tuning.rounds.scalar_rounds if body.length is None else tuning.rounds.vector_rounds
    kernel = p.RoundsKernel(len(plans), made.pointers, made.integers, made.checks, rounds, made.told)
    return kernel, conditions, lambda: made.kernels


def _in_memory(
    loop: p.For, plans: list[LaunchPlan], storages: Storages, tuning: Tuning, compared: Compared
) -> Found:  # fmt: skip
    words = inline.words(loop, plans, storages, tuning)
    conditions = []
    for name, most in words.lengths:
        known = storages.numbers.get(name)
        if known is None:
            conditions.append(_known(compared("lt", name, most + 1)))  # lengths are taken for long (`variants.predict`)
        elif known > most:
            raise Unfit("long rounds")
    symbol = f"k{len(plans)}_0"
    kernel = p.RoundsKernel(
        len(plans), words.pointers, words.integers, words.checks, tuning.rounds.inline_rounds, words.told, is_late=True
    )
    return kernel, conditions, lambda: inline.make(loop, words, plans, storages, symbol, tuning)


KERNELS = {"rounds_in_registers": _in_registers, "rounds_in_memory": _in_memory}


def _known(name: Name | None) -> Name:
    if name is None:
        raise Unfit("what only the run can tell")
    return name


def _conditions(body: Body, storages: Storages, max_lanes: int, compared: Compared) -> list[Name]:
    """What a call must bring for the kernel."""
    wanted = [("eq", name, size) for name, size in body.steps_of_lanes.items()]
    if body.length is not None:
        lanes = storages.numbers.get(body.length)
        if lanes is None:
            wanted.append(("le", body.length, max_lanes))
        elif lanes > max_lanes:
            raise Unfit("too many lanes")
    return [_known(compared(*w)) for w in wanted]
