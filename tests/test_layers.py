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

# The rooms of the library, lowest first, each with the rooms above it in this table that it may import: as many as it
# needs and no more.  A room is a package; one that has no row of its own is a part of the room around it.  A row's words
# are rooms of its own folder (`abi` in `codegen.cpu` is `codegen.abi`) or of the front.  Late imports count, so do those
# for type checkers, and modules named by a string.
ROOMS: dict[str, str] = {
    "base": "",
    "graph": "base",
    "ops": "base graph",
    "autodiff": "base graph ops",
    "custom": "base graph ops autodiff",
    "tensor": "base graph ops autodiff custom",
    "codegen.abi": "",
    "codegen.target": "base abi",
    "codegen.scalar_ir": "base graph ops",
    "codegen.scalar_ir.math": "base graph ops scalar_ir",
    "codegen.scalar_ir.sampling": "ops scalar_ir",
    "codegen.scalar_ir.special": "scalar_ir scalar_ir.math",
    "codegen.tensor_ir": "base graph ops abi target",
    "codegen.passes": "base graph ops target scalar_ir tensor_ir",
    "codegen.passes.linalg": "base graph ops tensor_ir passes",
    "codegen.fusion": "base graph ops abi target scalar_ir tensor_ir passes",
    "codegen.passes.loops": "base graph ops tensor_ir passes fusion",
    "codegen.program_ir": "base abi scalar_ir scalar_ir.math tensor_ir",
    "codegen.kernel_ir": "base",
    "codegen.llvm": "base graph target scalar_ir scalar_ir.math kernel_ir",
    "codegen.library": "base abi target kernel_ir llvm",
    "codegen.library.loops": "base abi target program_ir llvm library",
    "codegen.library.gemm": "abi target program_ir kernel_ir llvm library",
    "codegen.library.conv": "base abi target kernel_ir llvm library library.gemm",
    "codegen.library.sort": "graph abi target scalar_ir kernel_ir llvm library",
    "codegen.library.linalg": "abi target kernel_ir llvm library",
    "codegen.library.arrays": "base graph abi target scalar_ir kernel_ir llvm library",
    "codegen.library.python": "abi target llvm library",
    "codegen.cpu": "base graph ops abi target scalar_ir tensor_ir fusion program_ir llvm",
    "codegen.variants": "base abi target scalar_ir tensor_ir fusion program_ir cpu",
    "codegen.gpu": "base graph ops abi target scalar_ir scalar_ir.math tensor_ir fusion program_ir llvm cpu",
    "codegen.rounds": "base graph abi target scalar_ir fusion program_ir llvm library.linalg",
    "codegen.bufferise": (
        "base graph ops abi target scalar_ir tensor_ir passes fusion program_ir cpu variants gpu rounds"
    ),
    "codegen.host": "base abi target scalar_ir program_ir llvm",
    "codegen.mlir": "graph ops scalar_ir scalar_ir.math tensor_ir passes fusion",
    "codegen.constructs": (
        "graph ops abi target scalar_ir tensor_ir passes passes.loops fusion program_ir library library.sort library.arrays "
        "library.linalg library.conv gpu bufferise mlir"
    ),
    "codegen.compiler": (
        "base graph ops abi target tensor_ir passes passes.linalg passes.loops fusion program_ir llvm library "
        "library.loops library.gemm library.arrays library.python cpu variants bufferise host constructs"
    ),
    "runtime.loading": "base codegen.abi",
    "runtime.calls": "base codegen.abi loading",
    "runtime.interpreter": "codegen.abi loading calls",
    "runtime.driver": "base",
    "runtime.device": "base codegen.abi loading calls interpreter driver",
    "signature": "base graph ops tensor runtime.loading runtime.calls runtime.device",
    "debugging": "base graph signature",
    "loops": "base graph ops signature",
    "functions": (
        "base graph ops autodiff tensor signature debugging codegen.abi codegen.target codegen.scalar_ir "
        "codegen.tensor_ir codegen.program_ir codegen.llvm codegen.gpu codegen.mlir codegen.compiler runtime.loading "
        "runtime.calls runtime.interpreter runtime.driver runtime.device"
    ),
    "compat": "base graph ops custom functions codegen.compiler",
    "passes": "codegen.compiler",
    "pytensor": "graph ops tensor custom functions",
    "pymc": "functions pytensor",
}
# Imports that the rows do not allow, each with its reason: five at most.
EXCEPTIONS = {
    ("runtime.interpreter", "codegen.program_ir"): "for type checkers: the instructions that it runs",
    ("runtime.device", "codegen.program_ir"): "for type checkers: the instructions that it runs",
    ("codegen.scalar_ir", "codegen.scalar_ir.sampling"): "late: few programs have loops of one element",
    ("codegen.scalar_ir", "codegen.scalar_ir.special"): "late: few programs have loops of one element",
    ("signature", "codegen.compiler"): "late: a mode refuses names of no optimisation where it gets them",
}

THIRD_PARTY = frozenset({"numpy", "llvmlite"})
# Imported late, by the module that needs it, where a user asks for what it does.
EXTRAS = {
    ("tensordsl.runtime.driver.cuda_pycuda", "pycuda"),
    ("tensordsl.functions.c_functions", "scipy"),
    ("tensordsl.ops.linalg.matrices", "scipy"),
    ("tensordsl.pytensor.models", "scipy"),
    ("tensordsl.ops.linalg.equations", "scipy"),
}
# Rooms that exist for other libraries: who imports them has these.
BRIDGES = {"tensordsl.pytensor": {"pytensor"}, "tensordsl.pymc": {"pymc", "nutpie", "pytensor"}}
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


def room(module: str) -> str:
    """The row of `ROOMS` that holds a module; "" if it has none."""
    name = module.removeprefix("tensordsl.")
    while name and name not in ROOMS:
        name = name.rpartition(".")[0]
    return name


def allowed_rooms(name: str) -> set[str]:
    """The rooms that a row names, in full."""
    part = name.partition(".")[0]
    return {f"{part}.{word}" if f"{part}.{word}" in ROOMS else word for word in ROOMS[name].split()}


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
    """Each import of a module of a room from outside of that room: by which, of which room ("": the package itself)."""
    for source in MODULES:
        if own := room(source):
            for found in named_modules(source):
                target = room(found.target)
                is_word = found.target == "tensordsl" and found.is_late  # a string that says the package's name
                if found.target.split(".")[0] == "tensordsl" and target != own and not is_word:
                    yield found, own, target


def test_every_package_has_a_row() -> None:
    tops = ("tensordsl", "tensordsl.codegen", "tensordsl.runtime")
    assert not [module for module in MODULES if not room(module) and module not in tops], "modules without a room"
    assert not [name for name in ROOMS if f"tensordsl.{name}" not in MODULES], "rows of packages that are not there"


def test_a_room_imports_what_its_row_says_and_only_rooms_above_it() -> None:
    order = list(ROOMS)
    for name in ROOMS:
        for other in allowed_rooms(name):
            assert order.index(other) < order.index(name), f"{name} stands above {other} in the table"
    unused = {(name, other) for name in ROOMS for other in allowed_rooms(name)} | set(EXCEPTIONS)
    for found, own, target in between_rooms():
        is_allowed = target in allowed_rooms(own) or (own, target) in EXCEPTIONS
        assert is_allowed, f"{found}: {own} may import {ROOMS[own] or 'no room'}"
        unused.discard((own, target))
    assert not unused, "rows and exceptions say no more than is so"


def test_there_are_few_exceptions() -> None:
    assert len(EXCEPTIONS) <= 5


def test_no_room_has_more_modules_than_a_reader_can_keep_in_mind() -> None:
    folders = {path.parent for path in MODULES.values()}
    assert not [folder for folder in folders if len(list(folder.glob("*.py"))) > 21], "more than 20 modules"


def test_the_map_of_a_room_names_each_of_its_modules() -> None:
    for module, path in MODULES.items():
        if path.name == "__init__.py" and module != "tensordsl" and not module.startswith("tensordsl.tensor"):
            text = ast.get_docstring(ast.parse(path.read_text())) or ""
            inside = [other.stem for other in path.parent.glob("*.py") if other != path]
            if module == "tensordsl.codegen.constructs":  # a file that is called as the construct in it is a row
                rows = {name: rf'^    name(, traits)? = "{name}"' for name in inside}
                files = {name: (path.parent / f"{name}.py").read_text() for name in inside}
                inside = [name for name, row in rows.items() if not re.search(row, files[name], re.MULTILINE)]
            assert not [name for name in inside if not re.search(rf"\b{name}\b", text)], module


def room_of(source: str) -> str:
    return ".".join(source.split(".")[:2])


@pytest.mark.parametrize("source", sorted(MODULES))
def test_a_module_imports_only_numpy_llvmlite_and_the_standard_library(source: str) -> None:
    for found in imports(source):
        top = found.target.split(".")[0]
        assert top not in ("codegen", "runtime"), f"{found}: write tensordsl.{top}"
        is_extra = (found.is_late and (source, top) in EXTRAS) or top in BRIDGES.get(room_of(source), ())
        assert top == "tensordsl" or top in THIRD_PARTY or top in sys.stdlib_module_names or is_extra, str(found)


OWN_ROWS = {"tensordsl.graph.variables", "tensordsl.graph.theano_forms"}


@pytest.mark.parametrize("source", sorted(s for s in set(MODULES) - OWN_ROWS if room_of(s) not in BRIDGES))
def test_the_library_asks_an_application_for_its_row(source: str) -> None:
    """`node.op` is the user's view, equal to the row but another object: `node.op is ROW` is false."""
    asked = (n for n in ast.walk(ast.parse(MODULES[source].read_text())) if isinstance(n, ast.Attribute))
    found = [n.lineno for n in asked if n.attr == "op" and ast.unparse(n.value).split(".")[-1] in ("node", "owner")]
    assert not found, f"{source}: write .row in the lines {found}"


def test_importing_tensordsl_loads_nothing_heavy() -> None:
    program = f"import sys, tensordsl, tensordsl.tensor; print(*[name for name in {LAZY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
