"""Of the nest library: launches in rooms (`stack_text`), on threads that may have little stack left.

Launches have up to some hundred KB of scratch, tables and states on the stack.  Small ones whose operands all lie as
one row need next to nothing of it, and stay where they are.
"""

from __future__ import annotations

from functools import partial, reduce

from tensordsl.codegen import abi
from tensordsl.codegen.nest_shared import MOST, PAGE
from tensordsl.codegen.nest_words import (
    LAUNCH,
    N_AXES,
    N_OPERANDS,
    N_POINTERS,
    SCRATCH,
    STATES,
    Function,
)
from tensordsl.codegen.stack_text import in_room, is_elsewhere, of_table_text, room_texts

NEAR_SCRATCH = 1 << 12  # bytes of it that every thread has room for
BESIDE = 1 << 20  # bytes that a launch needs at most, whatever its operands are: blocks and states of parts
PARTS = 64  # of a reduction over all axes, more than there can be, with a state each
_OF_LAUNCH = ["ptr rt", *LAUNCH]


def launch_texts() -> list[str]:
    return [*room_texts(), of_table_text("launch", _OF_LAUNCH), _in_room()]


def move_to_room(c: Function, here: str, always: bool = False) -> None:
    """Return from `run_nest` by a launch in a room, if `here`, on the stack, is not in the main thread's; but not one
    of little scratch, or `always`."""
    there, away, done = map(c.label, ("there", "away", "done"))
    c.branch(c.is_null("%rt"), done, there)
    c.place(there)
    c.branch(is_elsewhere(c, "%rt", here), away, done)
    c.place(away)
    tables = (f"ptr %{name}" for _, name in map(str.split, [*_OF_LAUNCH, "ptr D"]))
    if always:
        c.ret("i64", c.call("i64", "@launch_in_room", *tables))
    else:
        with c.when(c.test("sgt", c.get("%D", SCRATCH), NEAR_SCRATCH)):
            c.ret("i64", c.call("i64", "@launch_in_room", *tables))
    c.place(done)


def _in_room() -> str:
    c = Function("i64", "launch_in_room", [*_OF_LAUNCH, "ptr D"], internal=True)
    operands = c.get("%D", N_OPERANDS)
    words = c.arith("add", c.arith("mul", operands, c.get("%D", N_AXES)), c.get("%D", N_POINTERS))
    own = c.arith("mul", operands, PAGE + MOST), c.arith("mul", words, 8), c.get("%D", SCRATCH)
    states = c.arith("mul", c.get("%D", STATES), PARTS)
    bytes_ = c.arith("add", c.arith("shl", reduce(partial(c.arith, "add"), own), 1), c.arith("add", states, BESIDE))
    fits = c.test("sle", bytes_, abi.ROOM)
    return c.end("i64", in_room(c, "launch", _OF_LAUNCH, c.choose(fits, 0, c.arith("and", bytes_, -64))))
