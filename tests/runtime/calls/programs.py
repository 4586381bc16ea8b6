"""Small programs, written as instructions, for the tests of the run time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from tensordsl.codegen.host.emitter import emit_program
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.tables import constant_table, libraries
from tensordsl.runtime.calls.entry import Function, NativeError, make_function
from tensordsl.runtime.calls.state import Cell
from tensordsl.runtime.loading.executable import Executable

F = "float64"
NEVER, ALWAYS = 1 << 60, -1  # thresholds of a pin


def executable(program: p.Program) -> Executable:
    meta = {
        "name": program.name,
        "args": [[dtype, list(shape)] for dtype, shape in program.args],
        "outputs": [list(output) for output in program.outputs],
        "plans": [],
        "libraries": list(libraries(program)),
    }
    return Executable(meta, b"", compile_object(emit_program(program), 0), tuple(constant_table(program, ())))


def function(program: p.Program, cells: Sequence[Cell] = (), hosts: Sequence[Callable[..., Any]] = ()) -> Function:
    """The slow path converts and counts its calls in `slow_calls`; errors are ValueError(site, kind, values)."""
    calls: list[int] = []

    def slow(strict: Function, *args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        values = [*args, *kwargs.values()]
        if len(values) != len(program.args):
            raise TypeError(f"expected {len(program.args)} arguments")
        return strict(*(np.require(v, dtype, ["A", "E"]) for v, (dtype, _) in zip(values, program.args, strict=True)))

    def on_error(error: NativeError, function: Function, args: tuple[Any, ...]) -> Any:
        raise ValueError(*error)

    made = make_function(_executable(id(program), program), cells, slow=slow, on_error=on_error, hosts=hosts)
    made.slow_calls = calls
    return made


@cache
def _executable(identity: int, program: Any) -> Executable:
    return executable(program)


class Program(p.Program):
    """Hashable by identity, so that each program is compiled once."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def make(name: str, args: Any, outputs: Any, code: Any, *, shared: Any = (), n_slots: int = 1, n_hosts: int = 0) -> Any:
    return Program(name, list(args), list(shared), list(outputs), n_slots, list(code), [], {}, n_hosts)


def vector(n: int | None = None) -> tuple[str, tuple[int | None, ...]]:
    return F, (n,)


# f(x, y, z): an uninitialised vector of x's length
NOTHING = make(
    "nothing", [vector()] * 3, [(F, 1)],
    [p.Extent("n", ("arg", 0), 0), p.NewOut("out", 0, ("n",), 0, 1), p.Return((0,), -1)],
)  # fmt: skip

# f(a): a copy of a scalar
SCALAR = make(
    "scalar", [(F, ())], [(F, 0)],
    [
        p.Const("size", 8), p.Data("a", ("arg", 0)), p.NewOut("out", 0, (), 0, 1), p.Copy("out", "a", "size"),
        p.Return((0,), -1),
    ],
)  # fmt: skip


def scalar_of(dtype: str) -> Any:
    """f(a): an integer scalar, as int64."""
    return make(
        "scalar_of", [(dtype, ())], [("int64", 0)],
        [
            p.Data("a", ("arg", 0)), p.LoadScalar("value", "a", dtype), p.NewOut("out", 0, (), 0, 1),
            p.StoreScalar("out", "value", "int64"), p.Return((0,), -1),
        ],
    )  # fmt: skip


# f(x): [first element, last element] of an integer matrix, by its strides
CORNERS = make(
    "corners", [("int64", (None, None))], [("int64", 1)],
    [
        p.Const("one", 1), p.Const("two", 2), p.Const("eight", 8),
        p.Extent("n", ("arg", 0), 0), p.Extent("m", ("arg", 0), 1),
        p.Stride("sn", ("arg", 0), 0), p.Stride("sm", ("arg", 0), 1), p.Data("x", ("arg", 0)),
        p.Arith("n1", "sub", "n", "one"), p.Arith("m1", "sub", "m", "one"),
        p.Mul("a", "n1", "sn", 1), p.Mul("b", "m1", "sm", 2), p.Arith("far", "add", "a", "b"),
        p.Offset("y", "x", "far"),
        p.NewOut("out", 0, ("two",), 0, 3), p.Offset("second", "out", "eight"),
        p.LoadScalar("first", "x", "int64"), p.LoadScalar("last", "y", "int64"),
        p.StoreScalar("out", "first", "int64"), p.StoreScalar("second", "last", "int64"), p.Return((0,), -1),
    ],
)  # fmt: skip

# f(x, y): nothing, and many reasons to fail at once
REASONS = make(
    "reasons", [vector()] * 2, [(F, 0)],
    [
        p.Extent("n", ("arg", 0), 0), p.Extent("m", ("arg", 1), 0), p.Const("three", 3), p.Const("huge", 1 << 62),
        p.Check("lt", "n", "three", 1), p.Mul("a", "n", "huge", 2), p.Mul("b", "m", "huge", 2),
        p.Check("eq", "n", "m", 3), p.Compare("few", "le", "m", "n"), p.Compare("some", "gt", "m", "huge"),
        p.Arith("either", "max", "few", "some"), p.Check("ne", "either", "three", 4), p.Check("ge", "n", "either", 5),
        p.NewOut("out", 0, (), 0, 6), p.StoreScalar("out", "either", "int64"), p.Return((0,), -1),
    ],
)  # fmt: skip

# f(a, b, c): min(8 (a + b) c a, a) c
PRODUCTS = make(
    "products", [("int64", ())] * 3, [("int64", 0)],
    [
        *(i for k, x in enumerate("abc") for i in (p.Data(f"{x}0", ("arg", k)), p.LoadScalar(x, f"{x}0", "int64"))),
        p.Const("eight", 8), p.Arith("sum", "add", "a", "b"), p.Mul("first", "sum", "c", 1),
        p.Mul("second", "first", "a", 2), p.Mul("third", "second", "eight", 3), p.Arith("least", "min", "third", "a"),
        p.Mul("fourth", "least", "c", 4), p.NewOut("out", 0, (), 0, 5), p.StoreScalar("out", "fourth", "int64"),
        p.Return((0,), -1),
    ],
)  # fmt: skip

# f(n, m): vectors of n and m numbers
STORAGES = make(
    "storages", [("int64", ())] * 2, [(F, 1), (F, 1)],
    [
        *(i for k, x in enumerate("nm") for i in (p.Data(f"{x}0", ("arg", k)), p.LoadScalar(x, f"{x}0", "int64"))),
        p.Const("few", 10000), p.NewOut("y", 0, ("n",), 0, 1), p.Arena((("space", "few"),), 2),
        p.NewOut("z", 1, ("m",), 1, 3), p.NewList(2, 2, 4), p.Fill("space", "few"), p.Return((0, 1), 2),
    ],
    n_slots=3,
)  # fmt: skip

# f(x): a vector of three elements
STATIC = make(
    "static", [vector(3)], [(F, 1)],
    [p.Const("n", 3), p.NewOut("out", 0, ("n",), 0, 1), p.Fill("out", "n"), p.Return((0,), -1)],
)  # fmt: skip

# f(x, y): fails at site 7 unless they are of one length; holds an output and an arena when it does
CHECKED = make(
    "checked", [vector(), vector()], [(F, 1)],
    [
        p.Extent("n", ("arg", 0), 0), p.Extent("m", ("arg", 1), 0), p.Const("size", 10000),
        p.Arena((("space", "size"),), 5), p.NewOut("out", 0, ("n",), 0, 6), p.Check("eq", "n", "m", 7),
        p.Return((0,), -1),
    ],
)  # fmt: skip


def accumulate(threshold: int = NEVER, fresh: bool = False, host: bool = False) -> Any:
    """f(x): s = s + x, and the new s as a copy; pinned, and without the GIL, if `threshold` is ALWAYS."""
    call = [p.HostCall(0, (), (), 8)] if host else []
    return make(
        "accumulate", [vector()], [(F, 1)],
        [
            p.Const("one", 1), p.Const("eight", 8), p.Const("work", 0), p.Extent("n", ("arg", 0), 0),
            p.Extent("m", ("shared", 0), 0), p.Check("eq", "n", "m", 1), p.Mul("bytes", "n", "eight", 2),
            p.Pin("work", threshold, (2,), 3), *call,
            p.Data("x", ("arg", 0)), p.Stride("sx", ("arg", 0), 0), p.Arith("step", "floordiv", "sx", "eight"),
            p.Data("s", ("shared", 0)), p.NewOut("out", 0, ("n",), 0, 4), p.Prepare("new", 0, ("n",), 1, 5, fresh),
            p.Bytes("unit", np.float64(1.0).tobytes()), p.ReleaseGil(),
            p.Copy("out", "s", "bytes"),
            p.Gemm(F, "one", "n", "one", "unit", ("one", "one"), "x", ("n", "step"), "out", "n", 1.0, 1.0),
            p.Copy("new", "out", "bytes"), p.AcquireGil(), p.Commit(((0, 1),)), p.Return((0,), -1),
        ],
        shared=[vector()], n_slots=3,
    )  # fmt: skip


def loop(*before: Any, after: Any = ()) -> Any:
    """f(n): an empty loop of n rounds, then n."""
    return make(
        "loop", [("int64", ())], [("int64", 0)],
        [
            p.Data("a", ("arg", 0)), p.LoadScalar("n", "a", "int64"), *before, p.For("i", "n", (), (), (), 1), *after,
            p.NewOut("out", 0, (), 0, 2), p.StoreScalar("out", "n", "int64"), p.Return((0,), -1),
        ],
    )  # fmt: skip


LOOP = loop()
LOOP_RELEASED = loop(p.Pin("n", ALWAYS, (), 3), p.ReleaseGil(), after=[p.AcquireGil()])

# f(x): what the host makes of x, a contiguous vector
HOSTED = make(
    "hosted", [vector()], [(F, 1)],
    [
        p.Extent("n", ("arg", 0), 0), p.Data("x", ("arg", 0)), p.NewOut("out", 0, ("n",), 0, 1),
        p.HostCall(0, (("x", F, ("n",)),), (("out", F, ("n",)),), 2), p.Return((0,), -1),
    ],
    n_hosts=1,
)  # fmt: skip


def arenas(sizes: Sequence[int]) -> Any:
    """f(): takes blocks of these sizes, writes every byte of them."""
    code: list[Any] = []
    for i, size in enumerate(sizes):
        code += [p.Const(f"n{i}", size), p.Arena(((f"p{i}", f"n{i}"),), i + 1), p.Fill(f"p{i}", f"n{i}")]
    return make("arenas", [], [(F, 0)], [*code, p.NewOut("out", 0, (), 0, 9), p.Return((0,), -1)])
