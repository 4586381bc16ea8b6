"""Launches on an alternate stack, for threads whose own stack may be small.

Contract  `move_to_alternate_stack` writes, into `run_nest`, a return by the same launch on a stack of its own.
When      the caller is not on the main thread's stack, and the launch has more scratch than any thread has room for.
Why       scratch, tables and reduction states take some hundred KB of stack.
"""

from __future__ import annotations

from functools import partial, reduce

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.abi.descriptor import RUN_NEST_PARAMS, Header
from tensordsl.codegen.library.alternate_stack import (
    alternate_stack_texts,
    needs_alternate_stack,
    of_table_text,
    on_alternate_stack,
)
from tensordsl.codegen.library.loops.descriptor import LoopFunction
from tensordsl.codegen.target.machine import ALIAS_BYTES
from tensordsl.codegen.target.tuning import Tuning

MAX_SCRATCH_BYTES_IN_PLACE = 1 << 12  # that every thread has room for
FIXED_STACK_BYTES = 1 << 20  # that a launch needs at most, whatever its operands are: blocks and tasks' states
MAX_TASKS = 64  # of a reduction over all axes, more than there can be, with a state each
_OF_LAUNCH = ["ptr rt", *RUN_NEST_PARAMS]


def launch_texts(t: Tuning) -> list[str]:
    return [*alternate_stack_texts(), of_table_text("launch", _OF_LAUNCH), _on_alternate_stack(t)]


def move_to_alternate_stack(c: LoopFunction, here: str, always: bool = False) -> None:
    """Return from `run_nest` by a launch on an alternate stack, if `here`, on the stack, is not in the main
    thread's; but not one of little scratch, or `always`."""
    there, away, done = map(c.label, ("there", "away", "done"))
    c.branch(c.is_null("%rt"), done, there)
    c.place(there)
    c.branch(needs_alternate_stack(c, "%rt", here), away, done)
    c.place(away)
    tables = (f"ptr %{name}" for _, name in map(str.split, [*_OF_LAUNCH, "ptr D"]))
    if always:
        c.ret("i64", c.call("i64", "@launch_on_alternate_stack", *tables))
    else:
        with c.when(c.gt(c.header(Header.SCRATCH_BYTES), MAX_SCRATCH_BYTES_IN_PLACE)):
            c.ret("i64", c.call("i64", "@launch_on_alternate_stack", *tables))
    c.place(done)


def _on_alternate_stack(t: Tuning) -> str:
    c = LoopFunction("i64", "launch_on_alternate_stack", [*_OF_LAUNCH, "ptr D"], internal=True)
    operands = c.header(Header.OPERANDS)
    words = c.add(c.mul(operands, c.header(Header.AXES)), c.header(Header.POINTERS))
    own = (c.mul(operands, ALIAS_BYTES + t.memory.align_max_row_bytes), c.mul(words, 8), c.header(Header.SCRATCH_BYTES))
    states = c.mul(c.header(Header.STATE_BYTES), MAX_TASKS)
    bytes_ = c.add(c.shl(reduce(partial(c.arith, "add"), own), 1), c.add(states, FIXED_STACK_BYTES))
    fits = c.le(bytes_, layouts.ALTERNATE_STACK_BYTES)
    return c.end("i64", on_alternate_stack(c, "launch", _OF_LAUNCH, c.choose(fits, 0, c.and_(bytes_, -64))))
