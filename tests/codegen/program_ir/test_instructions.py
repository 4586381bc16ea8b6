"""Programs: what the verifier refuses and why, how they print, and that their text is right and linear."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hand_programs import CASES, F, Writer, library, updates

from tensordsl.codegen.compiler.modules import only
from tensordsl.codegen.host.emitter import EMIT, emit_program
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Program
from tensordsl.codegen.program_ir.printer import SHOW, show
from tensordsl.codegen.program_ir.tables import libraries, plan_table
from tensordsl.codegen.program_ir.verify import EFFECTS, faults, verify
from tensordsl.runtime.interpreter.runner import RUN

INSTRUCTIONS = {c for c in vars(p).values() if isinstance(c, type) and issubclass(c, p.Instr)} - {p.Instr}


@pytest.mark.parametrize("name", sorted(CASES))
def test_good_programs_pass_and_compile(name: str) -> None:
    program = CASES[name].make()
    verify(program)
    for inject in (False, True):
        text = emit_program(program, inject)
        assert compile_object(text, 0)
        assert ("%inject" in text) == inject
        assert not re.findall(r"^declare (?!.*@llvm\.)", text, re.M), "an external symbol"
    assert [row and row[0] for row in plan_table(program, range(len(program.plans)))] == [
        list(plan.kernels.symbols) for plan in program.plans
    ]
    assert libraries(program) == CASES[name].library.split()


def test_every_instruction_has_its_rows() -> None:
    for table in (EFFECTS, SHOW, EMIT):
        assert set(table) == INSTRUCTIONS
    assert set(RUN) == {c.__name__ for c in INSTRUCTIONS}


def test_faults_are_counted_in_order_and_regions_after_their_instruction() -> None:
    names = [type(i).__name__ for i in faults(CASES["loop"].make())]
    assert names == ["Mul", "Check", "Pin", "NewOut", "Arena", "For", "Arena", "Arena", "Check", "Check", "Prepare"]
    assert [type(i).__name__ for i in faults(CASES["indexed"].make())] == ["Mul", "Prepare", "NewOut", "Launch"]


# -- what is refused: (the reason, the instructions that replace or join those of a good program) -------------------
def update(*middle: p.Instr, before: tuple[p.Instr, ...] = (), after: tuple[p.Instr, ...] = ()) -> Program:
    """f(x): y, w' = ...: `before` the storage is prepared, then `middle`, then the copy to w', then `after`."""
    w = Writer("update", [F], 1, [(F, 1)], 3)
    w.sizes(1)
    w.program.sites[9] = {}
    w.add(p.Const("zero", 0), *before, p.Arena((("a", "bytes"),), 9), p.NewOut("y", 0, ("n",), 0, 9))
    w.add(p.Prepare("p0", 0, ("n",), 1, 9), *middle, p.Copy("p0", "a", "bytes"), *after)
    w.add(updates(1, 1), p.Return((0,), -1))
    w.program.plans.append(CASES["indexed"].make().plans[0])
    w.program.n_hosts = 1
    return w.program


def late_storage(*before: p.Instr, then_run: p.Instr | None = None) -> Program:
    """The program with its storage prepared late, and what follows."""
    program = update(before=before[:1])
    at = next(k for k, i in enumerate(program.code) if isinstance(i, p.Prepare))
    program.code[at : at + 2] = [
        p.Prepare("late", 0, ("n",), 1, 9, late=True), *([then_run] if then_run else ()), p.Copy("late", "a", "bytes"),
        *before[1:],
    ]  # fmt: skip
    return program


def then(*instructions: p.Instr) -> Program:
    return update(*instructions)


def late(*instructions: p.Instr) -> Program:
    return update(after=instructions)


CHECK = p.Check("eq", "n", "n", 9)
PIN = p.Pin("n", -1, (2,), 9)
HOST = p.HostCall(0, (), (), 9)


def loop(*body: p.Instr, carried: tuple[tuple[str, str, str], ...] = (), kinds: tuple[str, ...] = ()) -> p.For:
    return p.For("i", "n", carried, kinds, body, 9)


def launch(program: Program, name: str, **operands: str) -> Program:
    """The program with a launch before its commit."""
    w = Writer("", [F], 0, [], 0)
    w.names, w.program = [name], program
    program.plans[:] = [CASES["in_place"].make().plans[2] if name == "momentum" else program.plans[0]]
    program.code.insert(len(program.code) - 2, w.launch(name, **operands))
    return program


def without_last(program: Program) -> Program:
    program.code.pop()
    return program


def edited(program: Program, old: p.Instr, *new: p.Instr) -> Program:
    at = program.code.index(old)
    program.code[at : at + 1] = new
    return program


def until(end: str | None, rounds: str | None = "rounds", body: tuple[p.Instr, ...] = ()) -> p.For:
    return p.For("i", "n", (), (), body, 9, end, rounds)


RETURN, COMMIT = p.Return((0,), -1), p.Commit(((0, 1),))
INDEXED = p.Launch(0, ("x", "w0", "p0"), (("s",), (None,), ("eight",)), ("n",), ("n", "eight"), ("p0",), 9)

REFUSED: dict[str, tuple[str, Callable[[], Program]]] = {
    "undefined": ("nobody is not defined here", lambda: then(p.Check("eq", "n", "nobody", 9))),
    "kind": ("x is ptr, not i64", lambda: then(p.Check("eq", "n", "x", 9))),
    "pointer": ("n is i64, not ptr", lambda: then(p.Copy("y", "n", "bytes"))),
    "twice": ("n is defined already", lambda: then(p.Const("n", 1))),
    "source": ("no such source", lambda: then(p.Data("d", ("arg", 7)))),
    "axis": ("no such axis", lambda: then(p.Extent("d", ("arg", 0), 1))),
    "operation": ("unknown operation pow", lambda: then(p.Arith("d", "pow", "n", "n"))),
    "site": ("site 99 is unknown", lambda: then(p.Check("eq", "n", "n", 99))),
    "no return": ("the last instruction is not Return", lambda: without_last(then())),
    "two returns": ("Return is not last", lambda: then(RETURN)),
    "end": ("e is not defined at the region's end", lambda: then(until("e"))),
    "kind of an end": ("the end x is ptr, not i64", lambda: then(until("x"))),
    "end alone": ("an end, or a number of rounds, alone", lambda: then(until("i", None))),
    "rounds alone": ("an end, or a number of rounds, alone", lambda: then(until(None))),
    "rounds twice": ("n is defined already", lambda: then(until("i", "n"))),
    "rounds in the body": (
        "rounds is not defined here",
        lambda: then(until("i", body=(p.Check("eq", "rounds", "n", 9),))),
    ),
    "late check": ("may fail after state was destroyed by copy bytes bytes p0 = a", lambda: late(CHECK)),
    "late arena": ("may fail after state was destroyed", lambda: late(p.Arena((("z", "n"),), 9))),
    "late list": ("may fail after state was destroyed", lambda: late(p.NewList(2, 2, 9))),
    "late loop": ("may fail after state was destroyed", lambda: late(loop())),
    "late in a branch": ("may fail after state was destroyed", lambda: late(p.If("n", (CHECK,), ()))),
    "destroyed in a branch": (
        "may fail after state was destroyed",
        lambda: then(p.If("n", (), (p.Fill("p0", "bytes"),)), CHECK),
    ),
    "destroyed by an offset": (
        "may fail after state was destroyed",
        lambda: then(p.Offset("o", "p0", "zero"), p.Fill("o", "bytes"), CHECK),
    ),
    "destroyed by a choice": (
        "may fail after state was destroyed",
        lambda: then(p.Select("o", "n", "a", "p0", "ptr"), p.StoreScalar("o", "n", "int64"), CHECK),
    ),
    "destroyed by a result": (
        "may fail after state was destroyed",
        lambda: then(p.If("n", (), (), (("o", "a", "p0"),), ("ptr",)), p.Fill("o", "bytes"), CHECK),
    ),
    "destroyed in a loop": ("overwrites shared 0 in a loop", lambda: then(loop(p.Fill("p0", "bytes")))),
    "destroyed in a loop by turns": (
        "overwrites shared 0 in a loop",
        lambda: then(loop(p.Fill("u", "bytes"), carried=(("u", "a", "v"), ("v", "p0", "u")), kinds=("ptr", "ptr"))),
    ),
    "destroyed in blocks": (
        "overwrites shared 0 in a loop",
        lambda: then(p.Blocks("f", "h", "part", "start", "slot", "n", "n", "n", (p.Fill("p0", "bytes"),))),
    ),
    "a block's rows outside": (
        "h is not defined here",
        lambda: then(p.Blocks("f", "h", "part", "start", "slot", "n", "n", "n", ()), p.Check("eq", "h", "n", 9)),
    ),
    "late, in blocks": (
        "may fail after state was destroyed",
        lambda: late(p.Blocks("f", "h", "part", "start", "slot", "n", "n", "n", (CHECK,))),
    ),
    "fails while it destroys": ("may fail while it overwrites shared 0", lambda: then(INDEXED)),
    "dead read": ("w0 reads shared 0, overwritten in place by copy", lambda: late(p.Copy("y", "w0", "bytes"))),
    "dead read by an offset": (
        "o reads shared 0, overwritten in place",
        lambda: late(p.Offset("o", "w0", "zero"), p.Copy("y", "o", "bytes")),
    ),
    "dead read of a scalar": ("reads shared 0, overwritten", lambda: late(p.LoadScalar("k", "w0", "int64"))),
    "late, then Python": ("lets others run after late = late shared0", lambda: late_storage(PIN, then_run=HOST)),
    "late, then without the GIL": (
        "lets others run after late = late shared0",
        lambda: late_storage(PIN, then_run=p.ReleaseGil()),
    ),
    "late, then a loop": ("lets others run after late = late shared0", lambda: late_storage(PIN, then_run=loop())),
    "pinned, late and read": (
        "w0 reads shared 0, overwritten in place",
        lambda: late_storage(PIN, p.Copy("y", "w0", "bytes")),
    ),
    "scatter unprepared": (
        "w0 writes to shared 0 unprepared",
        lambda: then(p.Scatter(F, True, "w0", "a", ("x",), ("bytes",), "n", "bytes")),
    ),
    "scatter without positions": (
        "one step for each array of positions",
        lambda: then(p.Scatter(F, True, "a", "x", (), (), "n", "bytes")),
    ),
    "scatter without strides": (
        "a block's strides, one per axis",
        lambda: then(p.Scatter(F, True, "a", "x", ("x",), ("n",), "n", "bytes", ("n",))),
    ),
    "scatter without a row": (
        "a row needs an axis",
        lambda: then(p.Scatter(F, True, "a", "x", ("x",), ("n",), "n", "bytes", is_row=True)),
    ),
    "library unprepared": ("w0 writes to shared 0 unprepared", lambda: then(library("cumsum", F, "a", "w0", "n", "n"))),
    "library without a function": (
        "no such function",
        lambda: then(library("true_positions", "complex64", "a", "y", "n", "n")),
    ),
    "library without strides": (
        "0 strides for 1 axes of a",
        lambda: then(p.LibraryCall("cumsum", (("a", F, ("n",), ()),), (("y", F, ("n",), ("bytes",)),))),
    ),
    "library at other points": (
        "w0 reads shared 0 at other points than p0 overwrites",
        lambda: then(p.LibraryCall("cumsum", (("w0", F, ("n",), ("n",)),), (("p0", F, ("n",), ("bytes",)),))),
    ),
    "other points": (
        "w0 reads shared 0 at other points than p0 overwrites",
        lambda: then(p.Gemm(F, "n", "n", "n", "w0", ("n", "n"), "x", ("n", "n"), "p0", "n")),
    ),
    "shifted points": (
        "o reads shared 0 at other points than p0 overwrites",
        lambda: then(p.Offset("o", "w0", "zero"), p.Copy("p0", "o", "bytes")),
    ),
    "writes an argument": ("x writes to arg 0 unprepared", lambda: then(p.Fill("x", "bytes"))),
    "writes state": ("w0 writes to shared 0 unprepared", lambda: then(p.Fill("w0", "bytes"))),
    "region's name": ("k is not defined here", lambda: then(loop(p.Const("k", 1)), p.Check("eq", "k", "n", 9))),
    "region's arena": (
        "z points into storage that ends with the region",
        lambda: then(loop(p.Arena((("z", "n"),), 9), carried=(("u", "a", "z"),), kinds=("ptr",))),
    ),
    "carried kind": ("n is i64, not ptr", lambda: then(loop(carried=(("u", "a", "n"),), kinds=("ptr",)))),
    "branch's kinds": (
        "a is ptr and n is i64, not ptr",
        lambda: then(p.If("n", (), (), (("o", "a", "n"),), ("ptr",))),
    ),
    "in a region": ("only at the top level", lambda: then(loop(p.NewList(2, 1, 9)))),
    "prepared twice": ("shared 0 is prepared twice", lambda: then(p.Prepare("q", 0, ("n",), 2, 9))),
    "slot": ("slot 1 is taken by", lambda: then(p.NewList(1, 1, 9))),
    "no slot": ("no slot 5", lambda: then(p.NewList(5, 1, 9))),
    "rank": ("0 dims for an output of rank 1", lambda: then(p.NewOut("z", 0, (), 2, 9))),
    "never committed": ("is never committed", lambda: edited(then(), COMMIT, p.Const("k", 0))),
    "wrong commit": ("commits [(0, 2)], prepared are [(0, 1)]", lambda: edited(then(), COMMIT, p.Commit(((0, 2),)))),
    "read after the commit": (
        "reads shared 0 after the commit",
        lambda: edited(then(), COMMIT, COMMIT, p.Data("d", ("shared", 0))),
    ),
    "returns nothing": ("slot 2 holds no output", lambda: edited(then(), RETURN, p.Return((2,), -1))),
    "returns no list": ("holds no list", lambda: edited(then(), RETURN, p.Return((0,), 2))),
    "GIL": ("touches Python without the GIL", lambda: update(before=(p.ReleaseGil(),))),
    "GIL twice": ("the GIL is held", lambda: then(p.AcquireGil())),
    "host call": ("runs Python code while nothing is pinned", lambda: update(before=(HOST,))),
    "perhaps pinned": (
        "runs Python code while nothing is pinned",
        lambda: update(before=(p.Pin("n", 1000, (2,), 9), HOST)),
    ),
    "lengths behind the pin": (
        "others may have given argument 0 another shape since the pin",
        lambda: update(before=(PIN, p.Extent("e", ("arg", 0), 0))),
    ),
    "strides behind the pin": (
        "others may have given argument 0 another shape since the pin",
        lambda: update(before=(PIN, p.Stride("e", ("arg", 0), 0))),
    ),
    "pin late": ("after", lambda: then(p.Pin("n", -1, (2,), 9))),
    "operands": ("1 operands, the plan has 3", lambda: then(p.Launch(0, ("x",), ((),), (), (), ("p0",), 9))),
    "writes": ("writes ('x',)", lambda: then(replace(INDEXED, writes=("x",)))),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_bad_programs_are_refused_with_the_reason(name: str) -> None:
    reason, make = REFUSED[name]
    program = make()
    with pytest.raises(AssertionError, match=re.escape(reason)):
        verify(program)


ACCEPTED: dict[str, Callable[[], Program]] = {
    "plain": lambda: update(),
    "fails before": lambda: then(CHECK, loop(CHECK), p.If("n", (CHECK,), ())),
    "fails in blocks": lambda: then(p.Blocks("f", "h", "part", "start", "slot", "n", "n", "n", (CHECK, p.Check("le", "f", "h", 9)))),
    "blocks that cannot fail, after": lambda: late(p.Blocks("f", "h", "part", "start", "slot", "n", "n", "n", (p.Arith("k", "add", "f", "h"),))),
    "pinned host call": lambda: update(before=(PIN, HOST)),
    "pinned is never in place": lambda: update(before=(PIN,), after=(CHECK, p.Copy("y", "w0", "bytes"))),
    "copy of itself": lambda: then(p.Copy("p0", "w0", "bytes")),
    "running sums of itself": lambda: edited(
        update(), p.Copy("p0", "a", "bytes"), library("cumsum", F, "w0", "p0", "n", "n")
    ),
    "same names in two regions": lambda: then(loop(p.Const("k", 1)), p.If("n", (p.Const("k", 1),), (p.Const("k", 2),))),
    "GIL released after the last allocation": lambda: update(p.ReleaseGil(), loop(CHECK), after=(p.AcquireGil(),)),
    "read at the points written": lambda: launch(
        edited(update(), p.Copy("p0", "a", "bytes"), p.Const("k", 1)), "momentum", w="w0", v="a", x="x", w1="p0", v1="a"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_what_is_allowed(name: str) -> None:
    verify(ACCEPTED[name]())


def test_programs_print_one_instruction_a_line() -> None:
    assert show(CASES["in_place"].make()).splitlines()[:8] == [
        "program in_place(float64[?]) shared(float64[?], float64[?]) -> float64:1, float64:0",
        "      n = arg0.extent[0]",
        "      s = arg0.stride[0]",
        "      x = arg0.data",
        "      eight = 8",
        "      one = 1",
        "!     bytes = n * eight  (site 1)",
        "      n0 = shared0.extent[0]",
    ]
    text = show(CASES["loop"].make())
    assert "!     | | arena deep: bytes bytes  (site 6)" in text
    assert "      | else" in text
    assert "      for first in range(0, n, five), here rows" in show(CASES["blocks"].make())


def long(n: int) -> Program:
    """A chain of n launches with a check before every third."""
    w = Writer("long", [F], 0, [(F, 1)], 1)
    w.sizes()
    w.add(p.Arena((("a", "bytes"), ("b", "bytes")), w.site()), p.NewOut("y", 0, ("n",), 0, w.site()))
    w.add(p.Fill("a", "bytes"))
    for k in range(n):
        if k % 3 == 0:
            w.add(p.Check("eq", "n", "n", 1))
        a, b = "ab"[k % 2], "ab"[1 - k % 2]
        w.add(w.launch("halve_add", a=a, x="x", y=b))
    w.add(p.Copy("y", "ab"[n % 2], "bytes"), p.Return((0,), -1))
    return w.program


def test_the_text_is_linear_in_the_program() -> None:
    sizes = [len(emit_program(long(n))) for n in (100, 200, 2000)]
    step = (sizes[1] - sizes[0]) / 100
    assert sizes[2] <= sizes[0] + 1.05 * step * 1900 and step < 600


def test_straight_code_branches_once_for_all_that_may_fail() -> None:
    w = Writer("sizes", [F], 0, [(F, 1)], 1)
    w.sizes()
    for k in range(60):
        w.add(p.Mul(f"m{k}", "n", "n", 1), p.Check("le", "n", f"m{k}", w.site()))
    w.add(p.NewOut("y", 0, ("n",), 0, w.site()), p.Fill("y", "bytes"), p.Return((0,), -1))
    verify(w.program)
    text = emit_program(w.program)
    assert compile_object(text, 0) and len(re.findall("br i1 .* label %e", text)) == 2  # at most 100 at once


def test_two_launches_of_one_choice_share_what_they_pass() -> None:
    def choice(*launches: p.Instr) -> int:
        w = Writer("choice", [F], 0, [(F, 1)], 1)
        w.sizes()
        w.add(p.Compare("q", "le", "n", "bytes"), p.NewOut("y", 0, ("n",), 0, w.site()))
        one, other = w.launch("halve_add", a="x", x="x", y="y"), w.launch("halve_add", a="x", x="x", y="y")
        w.add(p.If("q", (one, *launches), (other,)), p.Return((0,), -1))
        return emit_program(w.program).count("store")

    assert choice() == choice(p.Fill("y", "n"))
    assert choice() <= 12


def test_fifty_thousand_instructions_pass_without_recursion() -> None:
    program = long(37_500)
    assert len(program.code) > 50_000
    verify(program)
    assert emit_program(program).count("ptr %spans, ptr %ints)") == 37_500


def test_of_a_library_only_what_is_needed_is_compiled() -> None:
    calls = {"first": "first.part", "first.part": "far", "second": "first.part", "third": "third"}
    functions = (f"define void @{name}() {{\n  call void @{other}()\n  ret void\n}}\n" for name, other in calls.items())
    text = "declare void @far()\n" + "".join(functions) + "!0 = !{}\n"
    for wanted, kept in (
        (["first"], ["first", "first.part"]),
        (["second", "third"], ["first.part", "second", "third"]),
    ):
        left = only(text, wanted)
        assert re.findall(r"^define void @([\w.]+)", left, re.MULTILINE) == kept
        assert left.startswith("declare void @far()\n") and left.endswith("!0 = !{}\n") and compile_object(left)
