"""Program IR: what a compiled function does on the host, as a list of typed instructions.

Values are names of an `i64` or a `ptr`; 0-d tensors are in 8-byte slots.  A *source* is `("arg", i)` or `("shared",
i)`: (data, dims, strides).  An instruction with a `site` (a key of `Program.sites`) may fail.  Commit rule (`verify`):
all that may fail precedes what destroys state, and nothing reads a shared value's storage after it is overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field, replace
from typing import Any, ClassVar

from tensordsl.base.records import kept, record
from tensordsl.codegen.abi.descriptor import NOT_STREAMABLE, Header

Source = tuple[str, int]
Name = str


@record
class Kernels:
    """Flat kernels `k(ptr P, i64 n, i64 live)` and the descriptor that the nest library reads.

    ints: run-time integers that they read: ("extent", e) or ("stride", operand, dim).
    """

    symbols: tuple[str, ...]
    texts: tuple[str, ...]  # their definitions, without shared declarations
    descriptor: tuple[int, ...]  # words for `run_nest`, which numbers kernels within `symbols`; () without axes
    declarations: frozenset[str]
    ints: tuple[tuple[Any, ...], ...]
    may_fail: bool  # has indexed loads: `run_nest` returns nonzero when an index was out of range
    widest_load_bytes: tuple[int, ...]  # of each kernel: of the longest vector that it loads


@record(eq=False, frozen=False, slots=False)
class LaunchPlan:
    """A scheduled group as programs launch it.

    operands: buffers in calling order (inputs, then outputs).  axes: order of the extents and of each operand's
    strides. strides[o][a]: the dimensions of operand o whose byte strides add up to its step along axis a (empty: 0).
    ints, may_fail: of its kernels.
    """

    name: str
    operands: tuple[Any, ...]  # codegen.fusion.group.Buffer
    n_inputs: int
    axes: tuple[str, ...]
    extents: tuple[Any, ...]  # one per axis
    strides: tuple[tuple[tuple[int, ...], ...], ...]
    ints: tuple[tuple[Any, ...], ...]
    may_fail: bool
    work: tuple[tuple[int, tuple[int, ...]], ...] = ()  # estimated: see `codegen.fusion.group.Group.work`
    is_placeless: bool = False  # nothing depends on positions
    is_pointwise: bool = False  # points are independent of each other and of their position
    streams: bool = False  # do its launches write nothing but results and new values of shared variables?
    group: Any = None  # what the kernels are made from
    schedule: Any = None  # the CPU's
    variant: str = ""  # what it is chosen as (`variants.selection`), "" for the usual plan,
    when: str = ""  # and when, in words
    tuning_key: str = ""  # see `target.tuning.Tuning`; of the CPU's kernels
    make: Callable[[], Kernels] | None = None  # the CPU's kernels; called when they are needed

    @kept
    def kernels(self) -> Kernels:
        assert self.make is not None, "a device's plan"
        made = self.make()
        words = made.descriptor
        if not self.streams or not words or words[Header.STREAMABLE] == NOT_STREAMABLE:
            return made
        return replace(made, descriptor=(*words[: Header.STREAMABLE], 1, *words[Header.STREAMABLE + 1 :]))


@record
class Instr:
    may_fail: ClassVar[bool] = False


# -- integers and addresses -------------------------------------------------------------------------------------------
@record
class Const(Instr):
    dst: Name
    value: int


@record
class Extent(Instr):
    """dst = the length of an axis of a source."""

    dst: Name
    src: Source
    axis: int


@record
class Stride(Instr):
    """dst = the byte stride of an axis of a source."""

    dst: Name
    src: Source
    axis: int


@record
class Data(Instr):
    """dst = the address of a source's first element."""

    dst: Name
    src: Source


@record
class BlasThreads(Instr):
    """dst = threads of the BLAS; 1 if the process has a pool of its own that is as large (`unless_pooled`)."""

    dst: Name
    unless_pooled: bool


@record
class Arith(Instr):
    """dst = a op b on i64: add sub mul floordiv mod min max; total: division by 0 gives 0, what is too large wraps."""

    dst: Name
    op: str
    a: Name
    b: Name


@record
class Mul(Instr):
    """dst = a * b, checked for overflow."""

    dst: Name
    a: Name
    b: Name
    site: int
    may_fail: ClassVar[bool] = True


@record
class Compare(Instr):
    """dst = 1 if a op b else 0; eq ne lt le gt ge on i64."""

    dst: Name
    op: str
    a: Name
    b: Name


@record
class Check(Instr):
    """Fail unless a op b (eq le lt ge gt ne on i64)."""

    op: str
    a: Name
    b: Name
    site: int
    may_fail: ClassVar[bool] = True


@record
class Offset(Instr):
    """dst = base + bytes: a view."""

    dst: Name
    base: Name
    bytes: Name


@record
class Select(Instr):
    """dst = a if cond != 0 else b; values are two i64 or two ptr (`kind`)."""

    dst: Name
    cond: Name
    a: Name
    b: Name
    kind: str = "i64"


@record
class LoadScalar(Instr):
    """dst (i64) = the 0-d integer or bool at ptr."""

    dst: Name
    ptr: Name
    dtype: str


@record
class StoreScalar(Instr):
    """The i64 `value` written as a 0-d integer or bool to ptr."""

    ptr: Name
    value: Name
    dtype: str


# -- storage ----------------------------------------------------------------------------------------------------------
@record
class Slot(Instr):
    """dst = address of 8 bytes of the call's stack, for a 0-d value."""

    dst: Name


@record
class Bytes(Instr):
    """dst (ptr) = address of constant bytes: in the program's object, or separate if they are many."""

    dst: Name
    data: bytes


@record
class Arena(Instr):
    """One allocation for several buffers: items are (dst ptr, number of bytes); each is 64-byte aligned.

    At the top level the storage is the call's arena.  In a region it lives until the region's end.
    """

    items: tuple[tuple[Name, Name], ...]
    site: int
    may_fail: ClassVar[bool] = True


@record
class NewOut(Instr):
    """dst (ptr) = data of a fresh array for output `output`; the object stands in objs[slot].

    It is in C order, or in that of `likes`, rows of byte strides (None: 0), where all of these have the same; then its
    `strides` are defined, which are C order's, the `usual` ones, or others.
    """

    dst: Name
    output: int
    dims: tuple[Name, ...]
    slot: int
    site: int
    likes: tuple[tuple[Name | None, ...], ...] = ()
    usual: tuple[Name | None, ...] = ()
    strides: tuple[Name, ...] = ()
    may_fail: ClassVar[bool] = True


@record
class NewList(Instr):
    """objs[slot] = a list of n outputs."""

    slot: int
    n: int
    site: int
    may_fail: ClassVar[bool] = True


@record
class Prepare(Instr):
    """dst (ptr) = where the new value of a shared variable goes: its own storage where nobody else can see it, it has
    these dims and `fresh` is false; else fresh or spare storage, held in objs[slot].

    late: also where this call has pinned it; the GIL is then held up to the commit.  unless: but not if this is 1."""

    dst: Name
    shared: int
    dims: tuple[Name, ...]
    slot: int
    site: int
    fresh: bool = False
    late: bool = False
    unless: Name | None = None
    may_fail: ClassVar[bool] = True


@record
class Claim(Instr):
    """dst = src: the tensor of these dims and byte strides is another value's from here on, and is reached through dst.

    What stands there belongs to the new value if it `keeps` it, and is nobody's otherwise.  Reading it through another
    name is a fault, which `check_storage` finds; programs for this check alone have claims.  The interpreter
    poisons what is nobody's.

    row: it is the value that is reached through that address, a row of a storage that many rounds write.  fills: it has
    what nobody wrote, too: rows of rounds that did not run, of which others may be computed before they are cut."""

    dst: Name
    src: Name
    dtype: str
    dims: tuple[Name, ...]
    strides: tuple[Name, ...]
    keeps: bool
    row: Name | None = None
    fills: bool = False


# -- work -------------------------------------------------------------------------------------------------------------
@record
class Launch(Instr):
    """Run a scheduled group.  strides[o][a]: byte stride (a name) of operand o along axis a, None for 0.  instead:
    other plans of the group, each with a condition: the last one that holds says which of them runs."""

    plan: int  # index into Program.plans
    operands: tuple[Name, ...]
    strides: tuple[tuple[Name | None, ...], ...]
    extents: tuple[Name, ...]
    ints: tuple[Name, ...]
    writes: tuple[Name, ...]  # the operands that are written
    site: int  # used only if the plan may fail
    instead: tuple[tuple[Name, int], ...] = ()

    @property
    def plans(self) -> tuple[int, ...]:
        return (self.plan, *(plan for _, plan in self.instead))

    @property
    def reads(self) -> tuple[Name, ...]:
        return tuple(o for o in self.operands if o not in self.writes)


@record
class Require(Instr):
    """Stop the call where kernels are absent: those of each (condition, plan) whose condition is not 0.  The run time
    compiles them and repeats the call.

    `first`: the number of choices in earlier Requires.
    """

    choices: tuple[tuple[Name, int], ...]  # at most abi.CHOICES
    first: int
    site: int
    may_fail: ClassVar[bool] = True


@record
class Deoptimise(Instr):
    """Stop the call where one of the conditions is not 0: a variant that was left out of the program is then better or
    necessary. The run time compiles the function with it and repeats the call."""

    conditions: tuple[Name, ...]
    site: int
    may_fail: ClassVar[bool] = True


@record
class Gemm(Instr):
    """c[m, n] (C order, row stride ldc elements) = alpha * a[m, k] @ b[k, n] + beta * c; a and b by element strides.

    `count`: of how many products, or None for one; each has its c behind the one before, and its a and b `steps`
    elements behind.

    `factor`: address of a number by which alpha is multiplied, which may be any number, or None.  `decay`: of one by
    which c is multiplied, as in a step of its own, or None.
    `scratch`: a ptr to (m*k + k*n) items unless rows or columns of both are contiguous and do not overlap, else None;
    all products use the same.
    """

    dtype: str
    m: Name
    n: Name
    k: Name
    a: Name
    a_strides: tuple[Name, Name]
    b: Name
    b_strides: tuple[Name, Name]
    c: Name
    ldc: Name
    alpha: float = 1.0
    beta: float = 0.0
    scratch: Name | None = None
    factor: Name | None = None
    decay: Name | None = None
    count: Name | None = None
    steps: tuple[Name, ...] = ()


@record
class Scatter(Instr):
    """Set, or add to, blocks of `x` at positions, one after the other: repeated ones add up, or the last one wins.

    Position i < count is the sum of positions[k][i] * steps[k] bytes; `positions`, of dtypes `types` (none: int64), are
    contiguous and in range.
    Its block, of extents `dims` and byte strides `x_strides`, takes that of y + i * y_step, with `y_strides`.  Elements
    along the last axis of x's block are adjacent if `is_row`.
    """

    dtype: str
    set: bool
    x: Name
    y: Name
    positions: tuple[Name, ...]
    steps: tuple[Name, ...]
    count: Name
    y_step: Name
    dims: tuple[Name, ...] = ()
    x_strides: tuple[Name, ...] = ()
    y_strides: tuple[Name, ...] = ()
    is_row: bool = False
    lengths: tuple[Name, ...] = ()  # of the axes of x that each array of positions runs along; devices want them
    types: tuple[str, ...] = ()

    @property
    def position_types(self) -> tuple[str, ...]:
        return self.types or ("int64",) * len(self.positions)


@record
class Copy(Instr):
    """Copy `bytes` bytes; nothing is done if dst is src."""

    dst: Name
    src: Name
    bytes: Name


@record
class Fill(Instr):
    """Zero `bytes` bytes."""

    dst: Name
    bytes: Name


HostOperand = tuple[Name, str, tuple[Name, ...]]  # where, dtype, lengths


@record
class Kept:
    """A result of a host call whose lengths nobody knows before: the array stands in objs[slot], and each length is
    written where `lengths` says, or must be what `dims` says."""

    slot: int
    dtype: str
    dims: tuple[Name | None, ...]
    lengths: tuple[Name | None, ...]


@record
class HostCall(Instr):
    """Call the Python callable number `host` with owned arrays; outputs are written back; None: nobody wants it.

    The callable gets arrays and returns a sequence of arrays of exactly these dtypes and dims, or raises.
    """

    host: int
    inputs: tuple[HostOperand, ...]
    outputs: tuple[HostOperand | Kept | None, ...]
    site: int
    may_fail: ClassVar[bool] = True


@record
class TakeKept(Instr):
    """Write the array in objs[slot], which callable number `host` gave (`Kept`), and empty the slot.  It must have the
    lengths of the output."""

    host: int
    slot: int
    output: HostOperand
    site: int
    may_fail: ClassVar[bool] = True


Operand = tuple[Name, str, tuple[Name, ...], tuple[Name, ...]]  # where, dtype, lengths, byte strides


@record
class LibraryCall(Instr):
    """Run a function of the library (`abi.layouts.LIBRARY_CALLS`), on the dtype of its first input; it cannot fail.

    An input may be what an output overwrites, if both are laid out alike and the function is in
    `abi.layouts.POINTWISE`.
    """

    function: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]


# -- control ----------------------------------------------------------------------------------------------------------
@record
class RoundsKernel:
    """A kernel `i64 k(ptr P, i64 first, i64 count)` that does some of a loop's rounds, at least one, from round `first`
    on.  It gives the number of the next one; -1 - t where one of `checks` does not hold in round t.

    plan: its index in `Program.plans`.  Words of P: the values of `pointers` and `integers`; then, written where a
    check fails, both operands of each one; then what carried names, and the loop's `end`, in `told`, each with its
    kind, are behind the rounds: all others go on as behind one round.  checks: (relation, or "product" for one that
    must not overflow, "index" for one that must be in range; site).  rounds: how many of them a call may do, for the
    sake of signals.  when: a name; where it is 0, the body runs.  is_late: is it compiled when a call needs it?
    """

    plan: int
    pointers: tuple[Name, ...]
    integers: tuple[Name, ...]
    checks: tuple[tuple[str, int], ...]
    rounds: int
    told: tuple[tuple[Name, str], ...] = ()
    when: Name | None = None
    is_late: bool = False


@record
class For(Instr):
    """for index in range(count): body.  carried: (name in the body and, after the loop, final; initial; next)
    pointers or integers (`kinds`).  Signals are polled at the back edge.

    end: a name in the body, whose loop ends behind the iteration in which it is not 0; rounds: then the number of
    iterations, after the loop.  kernel: what compiled programs run instead of the body, some iterations at a time."""

    index: Name
    count: Name
    carried: tuple[tuple[Name, Name, Name], ...]
    kinds: tuple[str, ...]
    body: tuple[Instr, ...]
    site: int
    end: Name | None = None
    rounds: Name | None = None
    kernel: RoundsKernel | None = None
    may_fail: ClassVar[bool] = True


@record
class If(Instr):
    """Run one branch; results: (dst, name in then, name in else), `kinds` as in For."""

    cond: Name
    then: tuple[Instr, ...]
    orelse: tuple[Instr, ...]
    results: tuple[tuple[Name, Name, Name], ...] = ()
    kinds: tuple[str, ...] = ()


@record
class Blocks(Instr):
    """for first in range(0, count, step): body, on `here` rows, step or the remainder; once where count is 0.

    Consecutive blocks of `size` rows, a multiple of step, are a task, number `part`, which begins at row `start`.
    Threads may run several tasks at once: no task reads what another writes.  The least number that no other running
    task has, `slot`, may index storage for a task's duration.

    For a product and its users, while its rows are cached.  Not interrupted: no instruction in it changes state, takes
    storage or calls Python.
    """

    first: Name
    here: Name
    part: Name
    start: Name
    slot: Name
    count: Name
    step: Name  # at least 1
    size: Name  # at least 1
    body: tuple[Instr, ...]

    @property
    def parameters(self) -> tuple[Name, ...]:
        """The names that the body is given."""
        return self.first, self.here, self.part, self.start, self.slot


# -- state ------------------------------------------------------------------------------------------------------------
@record
class Pin(Instr):
    """If work (ps) > threshold: lock and hold every shared storage of the call, and hold its arguments, so that others
    may run: the GIL may be released, or handlers of signals and steps of the user's be called.  watched: then a handler
    may end the call, which keeps the GIL and writes nothing but storage of its own up to `Unwatch`.  (One that releases
    the GIL is watched meanwhile.)"""

    work: Name
    threshold: int
    slots: tuple[int, ...]
    site: int
    watched: bool = False
    may_fail: ClassVar[bool] = True


@record
class ReleaseGil(Instr):
    """Only if pinned and, where a name is given, if that is 1."""

    when: Name | None = None


@record
class AcquireGil(Instr):
    """Only if released."""


@record
class Unwatch(Instr):
    """From here on no signal's handler ends the call any more."""


@record
class Commit(Instr):
    """Swap the new storages in: (shared, slot), all of them; cannot fail, runs no Python code."""

    updates: tuple[tuple[int, int], ...]


@record
class Return(Instr):
    """The outputs' slots; `list_slot` -1: a single output object, else the list that takes them."""

    slots: tuple[int, ...]
    list_slot: int


@record(eq=False, frozen=False)
class Program:
    """`args`: (dtype, shape with None) per input; `outputs`: (dtype, rank); `sites`: what the user built, per site
    (from 1); `stacks`: for storage in which a loop keeps a row of each round, by its address, the user's applications
    of the loop and of what the rows are, or the number of the carried value that they are."""

    name: str
    args: list[tuple[str, tuple[int | None, ...]]]
    shared: list[tuple[str, tuple[int | None, ...]]]
    outputs: list[tuple[str, int]]
    n_slots: int = 0
    code: list[Instr] = field(default_factory=list)
    plans: list[LaunchPlan] = field(default_factory=list)
    sites: dict[int, dict[str, Any]] = field(default_factory=dict)
    stacks: dict[Name, tuple[int | None, int | None, int | None]] = field(default_factory=dict)
    n_hosts: int = 0
    has_epilogues: bool = True  # may products have some (`gemm_epilogues`)?


REGIONS: dict[type[Instr], tuple[str, ...]] = {For: ("body",), Blocks: ("body",), If: ("then", "orelse")}


def walk_program(code: tuple[Instr, ...] | list[Instr]) -> Iterator[Instr]:
    """Every instruction in order, regions after their instruction, without recursion."""
    blocks = [iter(code)]
    while blocks:
        for i in blocks[-1]:
            yield i
            if type(i) in REGIONS:
                blocks += [iter(getattr(i, region)) for region in reversed(REGIONS[type(i)])]
                break
        else:
            blocks.pop()


def can_fail(plans: list[LaunchPlan], i: Instr) -> bool:
    """Whether an instruction has an ordinal for fault injection; a region's instructions have their own."""
    return plans[i.plan].may_fail if isinstance(i, Launch) else i.may_fail
