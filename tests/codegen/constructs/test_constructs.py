"""Constructs are rows: each says what it leaves out, and no other part of the compiler has lists of their names."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_programs import build, kernels_of

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen import constructs
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.compiler import pipeline
from tensordsl.codegen.mlir.export import export
from tensordsl.codegen.tensor_ir import construct as ir
from tensordsl.codegen.tensor_ir.graph import Graph
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.codegen.tensor_ir.verify import InvalidIR, verify_ir
from tensordsl.graph.variables import Kernel
from tensordsl.ops.table import OPS
from tensordsl.runtime.interpreter import runner

ROOT = Path(__file__).resolve().parents[3]
ALL = constructs.load_all()
NAMES = {c.name for c in ALL}
# The words of tensor IR that rules are written in; all others are named by a constant of `tensor_ir.construct`, if at all.
WORDS = {c.name for c in ALL if c.traits.is_source or c.traits.is_fusible}
CONSTANTS = {name: value for name, value in vars(ir).items() if name.isupper() and isinstance(value, str)}
# Rooms that see tensor IR; in the others a word such as "part" is a label of emitted code, or a scalar operation.
ROOMS = ("tensor_ir", "passes", "fusion", "program_ir", "variants", "bufferise", "mlir", "compiler")


@pytest.mark.parametrize("construct", ALL, ids=lambda c: c.name)
def test_a_construct_gives_a_reason_for_each_member_that_it_leaves_out(construct: ir.Construct) -> None:
    missing = ir.absent(construct)
    assert sorted(construct.missing) == sorted(missing), "one reason for each absent member, and for no other"
    assert all(len(reason.split()) > 3 for reason in construct.missing.values())


@pytest.mark.parametrize("construct", ALL, ids=lambda c: c.name)
def test_a_construct_is_described_by_its_class(construct: ir.Construct) -> None:
    text = type(construct).__doc__ or ""
    assert text.startswith(construct.name), "the docstring begins with the name and the attributes"


def test_a_row_names_a_construct_that_is_there() -> None:
    kernels = [row for row in OPS.values() if isinstance(row.meaning, Kernel)]
    assert len(kernels) > 20
    for row in kernels:
        assert isinstance(row.meaning, Kernel) and row.meaning.name in NAMES
        leaves_out = ir.absent(ir.CONSTRUCTS[row.meaning.name])
        assert not (row.meaning.takes_complex and "lower_complex" in leaves_out), f"{row.name} takes complex operands"


def test_a_function_of_the_library_is_of_a_construct() -> None:
    of = {function: c.name for c in ALL for function in c.library}
    assert of == layouts.CALLERS


def test_a_name_that_no_file_holds_is_no_construct() -> None:
    with pytest.raises(LookupError, match="no construct is called 'nothing'"):
        ir.CONSTRUCTS["nothing"]


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """Strings that are compared, stand in a collection, or say what `make` makes."""
    for node in ast.walk(tree):
        found: list[ast.expr] = []
        if isinstance(node, ast.Compare) and not any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            found = [node.left, *node.comparators]
        elif isinstance(node, ast.Tuple | ast.List | ast.Set):
            found = node.elts
        elif isinstance(node, ast.Dict):
            found = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "make":
            found = node.args[:1]
        yield from (x for x in found if isinstance(x, ast.Constant))


def test_names_of_constructs_stand_in_their_files_alone() -> None:
    """Passes ask traits, or match what they rewrite by a constant, so that a new construct changes none of them."""
    found = []
    for room in ROOMS:
        for path in sorted((ROOT / "codegen" / room).rglob("*.py")):
            if path.name != "construct.py":
                wrong = (x for x in literals(ast.parse(path.read_text())) if x.value in NAMES - WORDS)
                found += [f"{path.relative_to(ROOT)}:{x.lineno}: {x.value!r}" for x in wrong]
    assert not found


def test_each_constant_is_the_name_of_a_construct_that_others_match() -> None:
    assert set(CONSTANTS.values()) <= NAMES - WORDS
    for name in CONSTANTS:
        files = (path for room in ROOMS for path in (ROOT / "codegen" / room).rglob("*.py"))
        users = [path for path in files if path.name != "construct.py" and name in path.read_text()]
        assert users, f"{name} is matched nowhere"


def test_a_program_loads_the_constructs_that_it_holds(tmp_path: Path) -> None:
    code = (
        "import sys; import tensordsl, tensordsl.tensor as T; x = T.dvector(); tensordsl.function([x], x.sum() * 2)([1.]);"
        "print(*sorted(m.rsplit('.', 1)[1] for m in sys.modules if m.startswith('tensordsl.codegen.constructs.')))"
    )
    environment = os.environ | {"TENSORDSL_FLAGS": f"compiledir={tmp_path}"}
    ran = [sys.executable, "-c", code]
    cold, warm = (
        subprocess.run(ran, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout.split()
        for _ in range(2)
    )
    assert {"sources", "fusible"} <= set(cold) and not {"along", "dot", "loops", "searchsorted"} & set(cold)
    assert not warm, "a warm start loads no construct"


# -- the construct of docs/adding-a-construct.md, as a file --------------------------------------------------------------
@pytest.fixture
def interleave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Its function; the compiler finds its class in a file of its name, as those of codegen/constructs."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/adding-a-construct.md").read_text(), re.M | re.S)
    (tmp_path / "interleave.py").write_text(blocks[0] + blocks[1])
    monkeypatch.setattr(constructs, "__path__", [*constructs.__path__, str(tmp_path)])
    ir.CONSTRUCTS.forget("interleave")  # of the page itself
    row: dict[str, Any] = {}
    exec(blocks[0] + blocks[3], row)
    yield row["interleave"]
    ir.CONSTRUCTS.forget("interleave")
    sys.modules.pop("tensordsl.codegen.constructs.interleave", None)


@pytest.mark.parametrize("dtype", ["float64", "int16", "complex64"])
def test_a_new_construct_is_a_file_and_a_row(interleave: Callable[..., Any], dtype: str) -> None:
    x, y = T.vector("x", dtype), T.vector("y", dtype)
    f = tensordsl.function([x, y], [interleave(x, y), interleave(x * 2, y[::-1]).sum()])
    a, b = np.arange(7).astype(dtype), np.arange(7, 14).astype(dtype)
    made, total = f(a, b)
    np.testing.assert_array_equal(made, np.stack([a, b], 1).ravel())
    assert made.dtype == dtype and total == (2 * a + b).sum()
    with pytest.raises(ValueError, match="interleave"):
        f(a, b[:3])


def test_a_new_construct_is_interpreted_and_exported(interleave: Callable[..., Any]) -> None:
    x, y = T.dvector("x"), T.dvector("y")
    lowered = lower([x, y], [], [interleave(x + 1, y)], [])
    pipeline.optimise_lowered(lowered, on_cpu=True)
    verify_ir(lowered.graph, lowered.outputs)
    assert "tensor.insert_slice" in export(lowered)
    program = pipeline.make_program("interleave", [x, y], [], [interleave(x + 1, y)], [], True)[1]
    executable = build(program)
    code = executable.load()
    kernels = kernels_of(program, executable)
    got = runner.run(program, [np.arange(3.0), np.arange(5.0, 8)], (), kernels)
    np.testing.assert_array_equal(got, [1, 5, 2, 6, 3, 7])
    assert code is not None  # it must live as long


def test_a_value_that_breaks_a_rule_is_refused(interleave: Callable[..., Any]) -> None:
    graph = Graph()
    x, y = (graph.make("arg", (), "float64", (n,), index=k) for k, n in enumerate((3, 4)))
    wrong = graph.make("interleave", (x, y), "float64", (7,))
    with pytest.raises(InvalidIR, match="two vectors of one length"):
        verify_ir(graph, [wrong])


def test_threads_that_need_a_construct_at_once_wait_until_its_file_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "import time\nfrom tensordsl.codegen.tensor_ir.construct import Construct, register\n"
        "@register\nclass Slow(Construct):\n    name = 'slow'\n    def begins_with(self, v):\n        return LATE\n"
        "time.sleep(0.2)\nLATE = 1\n"
    )
    (tmp_path / "slow.py").write_text(text)
    monkeypatch.setattr(constructs, "__path__", [*constructs.__path__, str(tmp_path)])
    found: list[Any] = []
    value: Any = None
    threads = [
        threading.Thread(target=lambda: found.append(ir.CONSTRUCTS["slow"].begins_with(value))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ir.CONSTRUCTS.forget("slow")
    sys.modules.pop("tensordsl.codegen.constructs.slow", None)
    assert found == [1, 1, 1, 1]
