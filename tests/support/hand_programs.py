"""Programs written by hand, with every kind of instruction, for both executors; NumPy knows what they compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from tuned import HERE

from tensordsl.codegen.compiler.modules import module_text
from tensordsl.codegen.cpu.planner import plan
from tensordsl.codegen.cpu.schedule import schedule
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.host.emitter import emit_program
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import LaunchPlan, Program
from tensordsl.codegen.program_ir.tables import constant_table, libraries, plan_table
from tensordsl.codegen.program_ir.verify import verify
from tensordsl.codegen.scalar_ir.builder import Builder
from tensordsl.ops.array.reducers import SUM

F = "float64"
N = 11  # elements of the vectors: more than a vector register, and a tail


# -- groups and the same in NumPy -----------------------------------------------------------------------------------
def vector(name: str, dtype: str = F) -> Buffer:
    return Buffer(name, dtype, ("n",))


def momentum() -> Group:
    """v' = v / 2 - x; w' = w + v'."""
    b = Builder()
    w, v, x = (b.load(vector(k), "i") for k in "wvx")
    new = b.sub(b.mul(v, 0.5), x)
    outs = (Out(vector("w1"), ("i",), b.add(w, new)), Out(vector("v1"), ("i",), new))
    return Group("momentum", {"i": "n"}, ("i",), outs)


def momentum_numpy(views: list[Any], ints: list[int]) -> None:
    by = dict(zip(OPERANDS["momentum"], views, strict=True))
    new = by["v"] * 0.5 - by["x"]
    by["w1"][...], by["v1"][...] = by["w"] + new, new


def halve_add() -> Group:
    """y = a / 2 + x."""
    b = Builder()
    a, x = (b.load(vector(k), "i") for k in "ax")
    return Group("halve_add", {"i": "n"}, ("i",), (Out(vector("y"), ("i",), b.add(b.mul(a, 0.5), x)),))


def halve_add_numpy(views: list[Any], ints: list[int]) -> None:
    by = dict(zip(OPERANDS["halve_add"], views, strict=True))
    by["y"][...] = by["a"] * 0.5 + by["x"]


def total() -> Group:
    """t = sum(x)."""
    b = Builder()
    (s,) = b.reduce(SUM, ("i",), b.load(vector("x"), "i"))
    return Group("total", {"i": "n"}, (), (Out(Buffer("t", F, ()), (), s),))


def total_numpy(views: list[Any], ints: list[int]) -> None:
    by = dict(zip(OPERANDS["total"], views, strict=True))
    by["t"][0] = by["x"].sum()


def twice() -> Group:
    """Without axes: s = 2 t."""
    b = Builder()
    t = b.load(Buffer("t", F, ()))
    return Group("twice", {}, (), (Out(Buffer("s", F, ()), (), b.add(t, t)),))


def twice_numpy(views: list[Any], ints: list[int]) -> None:
    views[1][()] = 2 * views[0][()]


def gather() -> Group:
    """y = table[index]; may fail."""
    b = Builder()
    y = b.load(Buffer("table", F, ("m",)), b.load(vector("index", "int64"), "i"))
    return Group("gather", {"i": "n"}, ("i",), (Out(vector("y"), ("i",), y),))


GROUPS: dict[str, Callable[[], Group]] = {
    "momentum": momentum, "halve_add": halve_add, "total": total, "twice": twice, "gather": gather,
}  # fmt: skip
NUMPY: dict[str, Callable[[list[Any], list[int]], Any]] = {
    "momentum": momentum_numpy, "halve_add": halve_add_numpy, "total": total_numpy, "twice": twice_numpy,
}  # fmt: skip


@cache
def launch_plan(name: str) -> LaunchPlan:
    group = GROUPS[name]()
    return plan(group, schedule(group, HERE), name, HERE)


OPERANDS: dict[str, list[str]] = {name: [b.name for b in launch_plan(name).operands] for name in GROUPS}


# -- a small writer of programs -------------------------------------------------------------------------------------
class Writer:
    """Appends instructions; every site is known to the program; vectors have `n` elements, the size of arg 0."""

    def __init__(
        self, name: str, args: Sequence[str], shared: int, outputs: Sequence[tuple[str, int]], slots: int
    ) -> None:
        vectors: list[tuple[str, tuple[int | None, ...]]] = [(t, (None,)) for t in args]
        state: list[tuple[str, tuple[int | None, ...]]] = [(F, (None,))] * shared
        self.program = Program(name, vectors, state, list(outputs), slots)
        self.code: list[p.Instr] = self.program.code
        self.names: list[str] = []

    def site(self) -> int:
        number = len(self.program.sites) + 1
        self.program.sites[number] = {}
        return number

    def add(self, *instructions: p.Instr) -> None:
        self.code.extend(instructions)

    def sizes(self, shared: int = 0) -> None:
        """Names n, eight, bytes, x (and the stride s of arg 0); each shared value has n elements, data w0, w1, ..."""
        self.add(p.Extent("n", ("arg", 0), 0), p.Stride("s", ("arg", 0), 0), p.Data("x", ("arg", 0)))
        self.add(p.Const("eight", 8), p.Const("one", 1), p.Mul("bytes", "n", "eight", self.site()))
        for k in range(shared):
            self.add(p.Extent(f"n{k}", ("shared", k), 0), p.Check("eq", "n", f"n{k}", self.site()))
            self.add(p.Data(f"w{k}", ("shared", k)))

    def launch(self, name: str, extents: dict[str, str] | None = None, **operands: str) -> p.Launch:
        """Operands by the buffers' names; strides: s for x (arg 0), else contiguous."""
        chosen, known = launch_plan(name), {"n": "n", **(extents or {})}
        if name not in self.names:
            self.names.append(name)
            self.program.plans.append(chosen)
        values = [operands[b.name] for b in chosen.operands]
        strides = tuple(
            tuple(("s" if v == "x" else "eight") if dims else None for dims in row)
            for v, row in zip(values, chosen.strides, strict=True)
        )
        ints = tuple(known[what[1]] if what[0] == "extent" else "eight" for what in chosen.ints)
        axes = tuple(known[e] for e in chosen.extents)
        writes = tuple(values[chosen.n_inputs :])
        site = self.site() if chosen.may_fail else 0
        return p.Launch(self.names.index(name), tuple(values), strides, axes, ints, writes, site)


def updates(n: int, first_slot: int) -> p.Commit:
    return p.Commit(tuple((k, first_slot + k) for k in range(n)))


# -- the programs ---------------------------------------------------------------------------------------------------
def in_place() -> Program:
    """f(x): v, w = v / 2 - x, w + v'; [copy of w', 2 sum(x)] in a list."""
    w = Writer("in_place", [F], 2, [(F, 1), (F, 0)], 5)
    w.sizes(2)
    w.add(p.NewList(2, 2, w.site()), p.NewOut("y", 0, ("n",), 0, w.site()), p.NewOut("s2", 1, (), 1, w.site()))
    w.add(p.Arena((("temporary", "bytes"), ("other", "one")), w.site()))
    w.add(p.Prepare("p0", 0, ("n",), 3, w.site()), p.Prepare("p1", 1, ("n",), 4, w.site()), p.Slot("t"))
    w.add(w.launch("total", x="x", t="t"), w.launch("twice", t="t", s="s2"))
    w.add(w.launch("momentum", w="w0", v="w1", x="x", w1="p0", v1="p1"))
    w.add(p.Copy("temporary", "p0", "bytes"), p.Copy("y", "temporary", "bytes"))
    w.add(updates(2, 3), p.Return((0, 1), 2))
    return w.program


def fresh() -> Program:
    """The same with fresh storage, whose writes destroy nothing: the failing instructions stand behind them."""
    w = Writer("fresh", [F], 2, [(F, 1), (F, 0)], 5)
    w.sizes(2)
    w.add(p.Prepare("p0", 0, ("n",), 3, w.site(), fresh=True), p.Prepare("p1", 1, ("n",), 4, w.site(), fresh=True))
    w.add(w.launch("momentum", w="w0", v="w1", x="x", w1="p0", v1="p1"))
    w.add(p.NewOut("y", 0, ("n",), 0, w.site()), p.Copy("y", "p0", "bytes"), p.NewOut("s2", 1, (), 1, w.site()))
    w.add(w.launch("total", x="x", t="s2"), w.launch("twice", t="s2", s="s2"))
    w.add(p.Check("le", "n", "bytes", w.site()), p.NewList(2, 2, w.site()))
    w.add(updates(2, 3), p.Return((0, 1), 2))
    return w.program


def loop() -> Program:
    """f(x): w' = x after n times x = x / 2 + w, every second one through an arena; y = x."""
    w = Writer("loop", [F], 1, [(F, 1)], 3)
    w.sizes(1)
    w.add(p.Pin("n", -1, (2,), w.site()), p.NewOut("y", 0, ("n",), 0, w.site()))
    w.add(p.Arena((("a", "bytes"), ("b", "bytes")), w.site()))
    w.add(p.Const("zero", 0), p.Const("two", 2), p.Offset("x0", "x", "zero"))
    w.add(p.Fill("a", "bytes"), w.launch("halve_add", a="a", x="x", y="b"))
    odd: list[p.Instr] = [
        p.Arena((("deep", "bytes"),), w.site()), p.Copy("deep", "local", "bytes"), p.Copy("nxt", "deep", "bytes"),
    ]  # fmt: skip
    body: list[p.Instr] = [
        p.Arith("odd", "mod", "i", "two"),
        p.Arena((("local", "bytes"),), w.site()),
        w.launch("halve_add", a="cur", x="w0", y="local"),
        p.If("odd", (*odd,), (p.Copy("nxt", "local", "bytes"), p.Check("ge", "n", "odd", w.site()))),
        p.Arith("count1", "add", "count", "one"),
    ]  # fmt: skip
    w.add(p.For("i", "n", (("cur", "b", "nxt"), ("nxt", "a", "cur"), ("count", "zero", "count1")),
                ("ptr", "ptr", "i64"), tuple(body), w.site()))  # fmt: skip
    w.add(p.Check("eq", "count", "n", w.site()), p.Copy("y", "cur", "bytes"))
    w.add(p.Prepare("p0", 0, ("n",), 1, w.site()), p.Copy("p0", "cur", "bytes"))
    w.add(updates(1, 1), p.Return((0,), -1))
    return w.program


def host() -> Program:
    """f(x): y = host(x) + w / 2; w' = y; x must be contiguous."""
    w = Writer("host", [F], 1, [(F, 1)], 3)
    w.sizes(1)
    w.add(p.Pin("n", -1, (2,), w.site()), p.Check("eq", "s", "eight", w.site()))
    w.add(p.Arena((("h", "bytes"),), w.site()), p.NewOut("y", 0, ("n",), 0, w.site()))
    w.add(p.HostCall(0, (("x", F, ("n",)),), (("h", F, ("n",)),), w.site()))
    w.add(p.Prepare("p0", 0, ("n",), 1, w.site()), p.ReleaseGil(), w.launch("halve_add", a="w0", x="h", y="p0"))
    w.add(p.Copy("y", "p0", "bytes"), p.Check("le", "n", "bytes", w.site()), p.AcquireGil())
    w.add(updates(1, 1), p.Return((0,), -1))
    w.program.n_hosts = 1
    return w.program


def kept() -> Program:
    """f(x): y = host(x), of a length that only the call tells; w' = y + w / 2."""
    w = Writer("kept", [F], 1, [(F, 1)], 4)
    w.sizes(1)
    w.add(p.Pin("n", -1, (2,), w.site()), p.Check("eq", "s", "eight", w.site()), p.Slot("room"))
    w.add(p.HostCall(0, (("x", F, ("n",)),), (p.Kept(3, F, (None,), ("room",)), None), w.site()))
    w.add(p.LoadScalar("m", "room", "int64"), p.NewOut("y", 0, ("m",), 0, w.site()))
    w.add(p.TakeKept(0, 3, ("y", F, ("m",)), w.site()), p.Check("eq", "m", "n", w.site()))
    w.add(p.Prepare("p0", 0, ("n",), 1, w.site()), p.ReleaseGil(), w.launch("halve_add", a="w0", x="y", y="p0"))
    w.add(p.Check("le", "n", "bytes", w.site()), p.AcquireGil(), updates(1, 1), p.Return((0,), -1))
    w.program.n_hosts = 1
    return w.program


def indexed() -> Program:
    """f(index): y = w[index]; w' = w + 1 at no place: a copy; IndexError leaves w."""
    w = Writer("indexed", ["int64"], 1, [(F, 1)], 2)
    w.add(p.Extent("n", ("arg", 0), 0), p.Stride("s", ("arg", 0), 0), p.Data("x", ("arg", 0)), p.Const("eight", 8))
    w.add(p.Extent("m", ("shared", 0), 0), p.Data("w0", ("shared", 0)), p.Mul("bytes", "m", "eight", w.site()))
    w.add(p.Prepare("p0", 0, ("m",), 1, w.site(), fresh=True), p.Copy("p0", "w0", "bytes"))
    w.add(p.NewOut("y", 0, ("n",), 0, w.site()), w.launch("gather", {"m": "m"}, table="w0", index="x", y="y"))
    w.add(updates(1, 1), p.Return((0,), -1))
    return w.program


def rows() -> Program:
    """f(index): y = w; w' = w with w added at index; pinned, without the GIL, and in place all the same."""
    w = Writer("rows", ["int64"], 1, [(F, 1)], 3)
    w.sizes(1)
    w.add(p.Check("eq", "s", "eight", w.site()), p.Pin("n", -1, (2,), w.site()))
    w.add(p.Arena((("a", "bytes"),), w.site()), p.NewOut("y", 0, ("n",), 0, w.site()), p.ReleaseGil())
    w.add(p.Copy("a", "w0", "bytes"), p.Copy("y", "w0", "bytes"), p.AcquireGil())
    w.add(p.Prepare("p0", 0, ("n",), 1, w.site(), late=True), p.Copy("p0", "w0", "bytes"))
    w.add(p.Scatter(F, False, "p0", "a", ("x",), ("eight",), "n", "eight"), updates(1, 1), p.Return((0,), -1))
    return w.program


def running() -> Program:
    """f(counts): y = each position as often as its count says; w' = the running sums of w, in place."""
    w = Writer("running", ["int64"], 1, [("int64", 1)], 2)
    w.sizes(1)
    w.add(
        p.Arith("n1", "sub", "n", "one"), p.Mul("last", "n1", "eight", w.site()), p.Check("eq", "s", "eight", w.site())
    )
    w.add(p.Arena((("a", "bytes"),), w.site()), library("cumsum", "int64", "x", "a", "n", "n"))
    w.add(p.Offset("end", "a", "last"), p.LoadScalar("m", "end", "int64"), p.NewOut("y", 0, ("m",), 0, w.site()))
    w.add(library("repeated_positions", "int64", "x", "y", "n", "m"), p.Prepare("p0", 0, ("n",), 1, w.site()))
    w.add(library("cumsum", F, "w0", "p0", "n", "n"), updates(1, 1), p.Return((0,), -1))
    return w.program


def blocks() -> Program:
    """f(x): y = x / 2 + w in blocks of 5, each through its part of an arena, two for each thread; w' = y."""
    w = Writer("blocks", [F], 1, [(F, 1)], 2)
    w.sizes(1)
    w.add(p.Check("eq", "s", "eight", w.site()), p.NewOut("y", 0, ("n",), 0, w.site()), p.Const("five", 5))
    w.add(p.Const("ten", 10), p.Arena((("room", "bytes"),), w.site()))
    body: list[p.Instr] = [
        p.Mul("at", "first", "eight", w.site()), *(p.Offset(q + "b", q, "at") for q in ("x", "w0", "y", "room")),
        p.Mul("size", "here", "eight", w.site()), p.Copy("roomb", "xb", "size"),
        w.launch("halve_add", {"n": "here"}, a="roomb", x="w0b", y="yb"),
    ]  # fmt: skip
    w.add(
        p.Blocks("first", "here", "part", "start", "slot", "n", "five", "ten", tuple(body)),
        p.Check("le", "n", "bytes", w.site()),
    )
    w.add(p.Prepare("p0", 0, ("n",), 1, w.site()), p.Copy("p0", "y", "bytes"), updates(1, 1), p.Return((0,), -1))
    return w.program


def library(function: str, dtype: str, x: str, y: str, n: str, m: str) -> p.LibraryCall:
    """Of one vector of n elements to another one of m."""
    return p.LibraryCall(function, ((x, dtype, (n,), ("eight",)),), ((y, dtype, (m,), ("eight",)),))


def spin() -> Program:
    """f(x): counts to 2^30 before it updates w; for tests of interrupts."""
    w = Writer("spin", [F], 1, [(F, 1)], 3)
    w.sizes(1)
    w.add(p.Pin("n", -1, (2,), w.site()), p.NewOut("y", 0, ("n",), 0, w.site()), p.Const("many", 1 << 30))
    w.add(p.Arena((("a", "bytes"),), w.site()), p.Const("zero", 0))
    body: tuple[p.Instr, ...] = (p.Arena((("b", "bytes"),), w.site()), p.Arith("next", "add", "count", "one"))
    w.add(p.For("i", "many", (("count", "zero", "next"),), ("i64",), body, w.site()))
    w.add(p.Prepare("p0", 0, ("n",), 1, w.site()), p.Fill("p0", "bytes"), p.Fill("y", "bytes"))
    w.add(updates(1, 1), p.Return((0,), -1))
    return w.program


@dataclass(frozen=True)
class Case:
    """A program, its arguments and state, and what it computes: (arguments, state) -> (outputs, new state)."""

    make: Callable[[], Program]
    expected: Callable[[list[Any], list[Any]], tuple[list[Any], list[Any]]]
    shared: int
    dtype: str = F
    hosts: list[Callable[..., Any]] = field(default_factory=list)
    library: str = "nest"

    def arguments(self) -> list[Any]:
        return [np.arange(N) % 4 if self.dtype == "int64" else np.linspace(-1.0, 2.0, N)]

    def state(self) -> list[Any]:
        return [np.array(np.linspace(k + 1.0, 3.0, N)) for k in range(self.shared)]  # arrays that own their data


def momentum_expected(args: list[Any], state: list[Any]) -> tuple[list[Any], list[Any]]:
    (x,), (w, v) = args, state
    new = v * 0.5 - x
    return [w + new, 2 * x.sum()], [w + new, new]


def loop_expected(args: list[Any], state: list[Any]) -> tuple[list[Any], list[Any]]:
    x = args[0] + 0.0
    for _ in range(len(x)):
        x = x * 0.5 + state[0]
    return [x], [x]


def host_expected(args: list[Any], state: list[Any]) -> tuple[list[Any], list[Any]]:
    y = state[0] * 0.5 + np.sin(args[0])
    return [y], [y]


def kept_expected(args: list[Any], state: list[Any]) -> tuple[list[Any], list[Any]]:
    y = np.sin(args[0])
    return [y], [y + state[0] * 0.5]


def blocks_expected(args: list[Any], state: list[Any]) -> tuple[list[Any], list[Any]]:
    y = args[0] * 0.5 + state[0]
    return [y], [y]


def indexed_expected(args: list[Any], state: list[Any]) -> tuple[list[Any], list[Any]]:
    return [state[0][args[0]]], [state[0]]


def rows_expected(args: list[Any], state: list[Any]) -> tuple[list[Any], list[Any]]:
    new = state[0].copy()
    np.add.at(new, args[0], state[0])
    return [state[0]], [new]


def running_expected(args: list[Any], state: list[Any]) -> tuple[list[Any], list[Any]]:
    return [np.repeat(np.arange(len(args[0])), args[0])], [np.cumsum(state[0])]


def sine(x: Any) -> list[Any]:
    return [np.sin(x)]


CASES: dict[str, Case] = {
    "in_place": Case(in_place, momentum_expected, 2),
    "fresh": Case(fresh, momentum_expected, 2),
    "loop": Case(loop, loop_expected, 1),
    "blocks": Case(blocks, blocks_expected, 1),
    "host": Case(host, host_expected, 1, hosts=[sine]),
    "kept": Case(kept, kept_expected, 1, hosts=[lambda x: (np.sin(x), None)]),
    "indexed": Case(indexed, indexed_expected, 1, dtype="int64", library="nest nest_across"),
    "rows": Case(rows, rows_expected, 1, dtype="int64", library="scatter_add_double"),
    "running": Case(running, running_expected, 1, dtype="int64", library="cumsum_float64 cumsum_int64 positions"),
}


# -- executables ----------------------------------------------------------------------------------------------------
@cache
def executable(name: str, faults: bool) -> Any:
    """The native form of a case's program; with `faults` it can be made to fail."""
    return build(CASES[name].make(), faults)


def build(program: Program, faults: bool = False) -> Any:
    from tensordsl.runtime.loading.executable import Executable

    verify(program)
    meta = {
        "name": program.name, "args": program.args, "outputs": program.outputs,
        "plans": plan_table(program, range(len(program.plans))),
        "libraries": libraries(program),
    }  # fmt: skip
    kernels = compile_object(module_text(plan.kernels for plan in program.plans)) if program.plans else b""
    return Executable(
        meta,
        kernels,
        compile_object(emit_program(program, faults), 0),
        tuple(constant_table(program, range(len(program.plans)))),
    )


def raise_error(error: Any, function: Any, args: Any) -> Any:
    from tensordsl.codegen.abi import layouts
    from tensordsl.runtime.interpreter.faults import error as make

    raise make(error.kind, error.site, error.values[: 2 if error.kind == layouts.ERR_CHECK else 0])


def native(program: Program, cells: Sequence[Any] = (), hosts: Sequence[Any] = ()) -> Any:
    """A function of a program that is no case."""
    from tensordsl.runtime.calls.entry import make_function

    return make_function(build(program), cells, slow=lambda f, a, kw: f(*a), on_error=raise_error, hosts=hosts)


def function(name: str, cells: Sequence[Any], faults: bool = False, hosts: Sequence[Any] | None = None) -> Any:
    from tensordsl.runtime.calls.entry import make_function

    hosts = CASES[name].hosts if hosts is None else hosts
    return make_function(
        executable(name, faults), cells, slow=lambda strict, args, kw: strict(*args), on_error=raise_error, hosts=hosts
    )


def numpy_kernels(name: str, program: Program) -> list[Any]:
    """The kernels of a case in NumPy; gather's in native code."""
    from tensordsl.runtime.interpreter import runner

    result = []
    for launched in program.plans:
        if launched.name in NUMPY:
            result.append(runner.numpy_kernel(launched, NUMPY[launched.name]))
        else:
            result.append(native_kernels(name, program)[program.plans.index(launched)])
    return result


def native_kernels(name: str, program: Program) -> list[Any]:
    return kernels_of(program, executable(name, False))


def kernels_of(program: Program, made: Any) -> list[Any]:
    """The kernels of a program's plans for the plan runner.  made: its executable, which must live as long."""
    from tensordsl.codegen.abi import layouts
    from tensordsl.runtime.interpreter import runner
    from tensordsl.runtime.loading import library
    from tensordsl.runtime.loading.layout import peek

    library.require("nest")
    nest = peek(library.table() + layouts.RT["run_nest"])
    return [
        runner.native_kernel(launched, addresses, nest)
        for launched, addresses in zip(program.plans, kernel_addresses(made), strict=True)
    ]


def kernel_addresses(executable: Any) -> list[list[int]]:
    """Of each plan, all of which are compiled."""
    from tensordsl.runtime.loading.layout import peek

    plans, table = executable.meta["plans"], executable.load()[1]
    return [[peek(table[2 * k] + 8 * j) for j in range(len(symbols))] for k, (symbols, _) in enumerate(plans)]


def listed(result: Any) -> list[Any]:
    return result if isinstance(result, list) else [result]
