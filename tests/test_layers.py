"""Who may import whom: the layers are a table, and every import statement of the library is checked against it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"tensordsl": "tensordsl", "tensordsl.codegen": "codegen", "tensordsl.runtime": "runtime"}

# A leaf holds facts that every layer needs (error classes, flags, the version) and imports leaves only.
LEAVES = frozenset(
    ("errors config version missing processor records forks digests stacks limits compat.names compat.aliases").split()
)
BELOW_OPS = LEAVES | {"types", "casting", "graph"}
OPS = BELOW_OPS | {"ops"}
FRONT = (
    OPS
    | {"tensor", "gradient", "shared", "reference", "printing", "arguments", "io", "modes"}
    | {"reports", "trace", "debugging", "testvalues", "clone", "values"}
)

# A layer and what it may import besides itself. `runtime` and `codegen` meet only in the layouts of `abi`.
MAY_IMPORT: dict[str, frozenset[str]] = {
    **{leaf: LEAVES for leaf in LEAVES},
    "types": LEAVES,
    "casting": LEAVES | {"types"},
    "graph": LEAVES | {"types", "casting"},
    "pickling": BELOW_OPS,
    "modes": LEAVES | {"types"},
    "arguments": BELOW_OPS,
    "io": BELOW_OPS | {"shared"},
    "ops": BELOW_OPS,
    "tensor": OPS | {"gradient", "values"},
    "gradient": OPS | {"tensor"},
    "reference": OPS,
    "values": OPS | {"arguments"},
    "printing": OPS | {"tensor"},
    "clone": OPS,
    "shared": OPS | {"tensor", "arguments", "runtime"},
    "reports": OPS | {"printing"},
    "trace": OPS | {"reports"},
    "debugging": OPS | {"arguments", "printing", "reports", "trace", "modes", "shared"},
    "testvalues": OPS | {"printing", "reports", "trace", "shared", "arguments"},
    "scan": FRONT,
    "codegen.abi": LEAVES,
    "codegen": OPS | {"codegen.abi"},
    "runtime": LEAVES | {"codegen.abi"},
    "spec": FRONT,
    "profiling": LEAVES,
    "opfromgraph": FRONT,
    "updates": BELOW_OPS | {"shared"},
    "fgraph": OPS | {"printing"},
    "inspection": FRONT | {"spec", "fgraph"},
    "policies": OPS,
    "native": FRONT | {"codegen", "codegen.abi", "runtime"},
    "device_steps": frozenset({"native", "codegen", "codegen.abi", "runtime"}),
    "devices": FRONT | {"spec", "profiling", "link", "native", "device_steps", "codegen", "codegen.abi", "runtime"},
    "link": FRONT | {"spec", "inspection", "profiling", "native", "codegen", "codegen.abi", "runtime"},
    "function": FRONT | {"spec", "profiling", "link", "codegen", "codegen.abi", "runtime"},
    "random": FRONT | {"function"},
    "compat": FRONT | {"codegen", "fgraph"},
}
# Modules that stand lower than the package that holds them.
OWN_LAYERS = frozenset({"codegen.abi", "compat.names", "compat.aliases"})

# The rooms of the compiler and of the run time, lowest first, each with what it may import: those of the rooms above it
# in this table, as many as it needs and no more, and of the front.  A room is a package; one that has no row of its own
# is a part of the room around it.  Late imports count, and so do those for type checkers, and modules named by a string.
NO_FRONT: frozenset[str] = frozenset()
TYPES = LEAVES | {"types", "casting"}
ROOMS: dict[str, tuple[str, frozenset[str]]] = {
    "codegen.abi": ("", NO_FRONT),
    "codegen.target": ("", LEAVES),
    "codegen.scalar_ir": ("", OPS),
    "codegen.scalar_ir.math": ("scalar_ir", LEAVES),
    "codegen.tensor_ir": ("", OPS),
    "codegen.passes": ("scalar_ir tensor_ir", OPS),
    "codegen.fusion": ("abi scalar_ir tensor_ir passes", OPS),
    "codegen.program_ir": ("abi scalar_ir tensor_ir", LEAVES),
    "codegen.llvm": ("target scalar_ir scalar_ir.math", TYPES),
    "codegen.library": ("abi llvm", NO_FRONT),
    "codegen.library.loops": ("abi target program_ir llvm library", LEAVES),
    "codegen.library.gemm": ("abi target program_ir llvm library", NO_FRONT),
    "codegen.library.sort": ("abi scalar_ir llvm library", TYPES),
    "codegen.library.arrays": ("abi scalar_ir llvm library library.loops", TYPES),
    "codegen.library.python": ("abi llvm library", NO_FRONT),
    "codegen.cpu": ("abi target scalar_ir tensor_ir fusion program_ir llvm library.loops", OPS),
    "codegen.variants": ("abi target scalar_ir tensor_ir fusion program_ir llvm library.loops cpu", LEAVES),
    "codegen.gpu": ("scalar_ir scalar_ir.math tensor_ir fusion program_ir llvm cpu", OPS),
    "codegen.bufferise": (
        "abi target scalar_ir tensor_ir passes fusion program_ir llvm library.gemm library.sort cpu variants gpu", OPS,
    ),
    "codegen.host": ("abi scalar_ir program_ir llvm", LEAVES),
    "codegen.mlir": ("scalar_ir scalar_ir.math tensor_ir passes fusion", OPS),
    "codegen.compiler": (
        "abi target tensor_ir passes fusion program_ir llvm library.loops library.gemm library.sort library.arrays "
        "library.python cpu variants bufferise host", OPS,
    ),
    "runtime.loading": ("codegen.abi", LEAVES),
    "runtime.calls": ("codegen.abi loading", LEAVES),
    "runtime.interpreter": ("codegen.abi loading calls", NO_FRONT),
    "runtime.driver": ("", LEAVES),
    "runtime.device": ("codegen.abi loading calls interpreter driver", LEAVES),
}  # fmt: skip
# Imports that the rows do not allow, each with its reason: five at most.
EXCEPTIONS = {
    ("runtime.interpreter", "codegen.program_ir"): "for type checkers: the instructions that it runs",
    ("runtime.device", "codegen.program_ir"): "for type checkers: the instructions that it runs",
}

# Late imports that go up a layer, each with the reason why no other way is better.
UPWARD = {
    ("link", "devices"): "what runs on a device is linked there; most functions never load it",
    ("types", "tensor"): "a type makes variables of the class that carries the operators (tensor.var)",
    ("types", "values"): "a type converts and compares values by what stands above it",
    ("ops", "tensor"): "constants are of the class that carries the operators (tensor.var)",
    ("graph", "function"): "Variable.eval compiles",
    ("graph", "ops"): "the text and the parameters of an op in Theano's form are one table over the rows",
    ("gradient", "function"): "verify_grad compiles",
    ("tensor", "function"): "TensorVariable.eval compiles",
    ("graph", "pickling"): "what a pickle stores is worded in one place",
    ("pickling", "ops"): "a row is stored by its name",
    ("graph", "printing"): "str and repr of a variable are worded in one place",
    ("tensor", "printing"): "str and repr of a variable are worded in one place",
}

THIRD_PARTY = frozenset({"numpy", "llvmlite"})
# Imported late, by the one module that needs it, where a user asks for what it does.
EXTRAS = {("tensordsl.runtime.driver.cuda_pycuda", "pycuda")}
# Loaded only when something is compiled or run: importing tensordsl must stay cheap.
LAZY = ("llvmlite", "hypothesis", "scipy", "mpmath", "matplotlib", "pycuda")


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module: where it stands, what it names, and whether it runs at import time."""

    source: str
    line: int
    target: str
    is_late: bool

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


def modules() -> dict[str, Path]:
    """The dotted name and file of each module of the library."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([package, *(part for part in parts if part != "__init__")])] = path
    return found


MODULES = modules()


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def statements(node: ast.AST, is_late: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Each import statement below `node` that can run, and whether it stands in a function."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            assert isinstance(child, ast.If)
            for other in child.orelse:
                yield from statements(other, is_late)
        elif isinstance(child, ast.Import | ast.ImportFrom):
            yield child, is_late
        else:
            yield from statements(child, is_late or isinstance(child, ast.FunctionDef | ast.Lambda))


def imports(source: str) -> Iterator[Import]:
    return of_statements(source, statements(ast.parse(MODULES[source].read_text())))


def of_statements(
    source: str, found: Iterator[tuple[ast.Import | ast.ImportFrom, bool]]
) -> Iterator[Import]:  # fmt: skip
    for node, is_late in found:
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        else:
            assert node.level == 0, f"{source}:{node.lineno}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [name if name in MODULES else str(node.module) for name in names]
        for target in targets:
            yield Import(source, node.lineno, target, is_late)


def layer(module: str) -> str:
    """The row of `MAY_IMPORT` that holds `module`, such as `codegen.abi`, `ops`, or `` for the package itself."""
    parts = module.split(".")[1:]
    if ".".join(parts[:2]) in OWN_LAYERS:
        return ".".join(parts[:2])
    return parts[0] if parts else ""


@pytest.mark.parametrize("source", sorted(set(MODULES) - {"tensordsl"}))
def test_a_module_imports_only_the_layers_below_it(source: str) -> None:
    own = layer(source)
    assert own in MAY_IMPORT, f"{source} has no row in MAY_IMPORT: decide where it belongs"
    for found in imports(source):
        if found.target.split(".")[0] != "tensordsl":
            continue
        target = layer(found.target)
        assert target, f"{found}: the package imports its parts, never the other way round"
        allowed = target == own or target in MAY_IMPORT[own] or (found.is_late and (own, target) in UPWARD)
        assert allowed, f"{found}: {own} may import {sorted(MAY_IMPORT[own])}"


def room(module: str) -> str:
    """The row of `ROOMS` that holds a module of the compiler or the run time; "" if it has none."""
    name = module.removeprefix("tensordsl.")
    while name and name not in ROOMS:
        name = name.rpartition(".")[0]
    return name


def allowed_rooms(name: str) -> set[str]:
    """The rooms that a row names, in full."""
    part = name.partition(".")[0]
    return {word if word in ROOMS else f"{part}.{word}" for word in ROOMS[name][0].split()}


def named_modules(source: str) -> Iterator[Import]:
    """Imports of every kind: also those for type checkers, and modules that a string names (`import_module`, tables)."""
    tree = ast.parse(MODULES[source].read_text())
    for node in ast.walk(tree):
        if is_type_checking(node):
            assert isinstance(node, ast.If)
            yield from of_statements(source, statements(ast.Module(node.body, []), True))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in MODULES:
            yield Import(source, node.lineno, node.value, True)
    yield from imports(source)


def between_rooms() -> Iterator[tuple[Import, str, str]]:
    """Each import of a module of a room from outside of that room: by which, of which room or layer of the front."""
    for source in MODULES:
        if own := room(source):
            for found in named_modules(source):
                target = room(found.target) or layer(found.target)
                if found.target.startswith("tensordsl.") and target != own:
                    yield found, own, target


def test_every_package_of_the_compiler_and_the_run_time_has_a_row() -> None:
    for module, path in MODULES.items():
        if layer(module).partition(".")[0] in ("codegen", "runtime"):
            assert room(module) or path.name == "__init__.py", f"{module} stands in no room"
    rows = [name for name in ROOMS if f"tensordsl.{name}" not in MODULES]
    assert not rows, "rows of packages that are not there"


def test_a_room_imports_what_its_row_says_and_only_rooms_above_it() -> None:
    order = list(ROOMS)
    for name in ROOMS:
        for other in allowed_rooms(name):
            assert order.index(other) < order.index(name), f"{name} stands above {other} in the table"
    unused = {(name, other) for name in ROOMS for other in allowed_rooms(name)} | set(EXCEPTIONS)
    for found, own, target in between_rooms():
        is_allowed = target in allowed_rooms(own) or target in ROOMS[own][1] or (own, target) in EXCEPTIONS
        assert is_allowed, f"{found}: {own} may import {ROOMS[own][0] or 'no room'}"
        unused.discard((own, target))
    assert not unused, "rows and exceptions say no more than is so"


def test_there_are_few_exceptions() -> None:
    assert len(EXCEPTIONS) <= 5


def test_no_room_has_more_modules_than_a_reader_can_keep_in_mind() -> None:
    for name in ROOMS:
        folder = MODULES[f"tensordsl.{name}"].parent
        assert len(list(folder.glob("*.py"))) <= 21, f"{name} has more than 20 modules"


def test_the_map_of_a_room_names_each_of_its_modules() -> None:
    for module, path in MODULES.items():
        if path.name == "__init__.py" and (room(module) or layer(module) in ("codegen", "runtime")):
            text = ast.get_docstring(ast.parse(path.read_text())) or ""
            inside = [other.stem for other in path.parent.glob("*.py") if other != path]
            assert not [name for name in inside if not re.search(rf"\b{name}\b", text)], module


@pytest.mark.parametrize("source", sorted(MODULES))
def test_a_module_imports_only_numpy_llvmlite_and_the_standard_library(source: str) -> None:
    for found in imports(source):
        top = found.target.split(".")[0]
        assert top not in ("codegen", "runtime"), f"{found}: write tensordsl.{top}"
        is_extra = found.is_late and (source, top) in EXTRAS
        assert top == "tensordsl" or top in THIRD_PARTY or top in sys.stdlib_module_names or is_extra, str(found)


@pytest.mark.parametrize("source", sorted(set(MODULES) - {"tensordsl.graph", "tensordsl.graph.theano_forms"}))
def test_the_library_asks_an_application_for_its_row(source: str) -> None:
    """`node.op` is the user's view, equal to the row but another object: `node.op is ROW` is false."""
    asked = (n for n in ast.walk(ast.parse(MODULES[source].read_text())) if isinstance(n, ast.Attribute))
    found = [n.lineno for n in asked if n.attr == "op" and ast.unparse(n.value).split(".")[-1] in ("node", "owner")]
    assert not found, f"{source}: write .row in the lines {found}"


def test_the_layers_below_the_upward_exceptions_have_no_cycles() -> None:
    done: set[str] = set()
    # tensor and gradient are one layer in two files: the operators' namespace offers grad.
    waiting = {name: set(below) - {name} for name, below in MAY_IMPORT.items()}
    for leaf in LEAVES:
        waiting[leaf] = set()
    waiting["gradient"].discard("tensor")
    while ready := {name for name, below in waiting.items() if name not in done and below <= done}:
        done |= ready
    assert done == set(MAY_IMPORT)


def test_importing_tensordsl_loads_nothing_heavy() -> None:
    program = f"import sys, tensordsl, tensordsl.tensor; print(*[name for name in {LAZY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
