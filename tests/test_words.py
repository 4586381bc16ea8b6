"""The field's terms: names and docstrings of the compiler and the run time, and what a module's docstring looks like."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for folder in ("codegen", "runtime") for path in (ROOT / folder).rglob("*.py"))

# Words with a private meaning, and the field's term to use instead.  As a whole word of a name, or in a docstring.
NAMES = {
    "ahead": "prefetch",
    "apart": "strided, separate or disjoint",
    "ask asks asked": "prefetch (memory), query, request or need",
    "beside": "adjacent; unroll_jam",
    "dear dearer dearest": "expensive",
    "far farther farthest": "shared (cache); largest stride",
    "foresee": "predict",
    "gap gaps gapped": "packing; strided",
    "heir heirs home homes": "destination; reused buffer",
    "judge": "failure check; oracle (of tests)",
    "near nearer nearest": "core-local (cache); adjacent",
    "own": "per-row; of this thread",
    "parted": "split",
    "past": "streaming, non-temporal (stores)",
    "pull": "inline",
    "there": "say where: destination, loaded, known",
    "turn turns turned": "transpose; iteration; row batch",
    "way ways": "traversal order; direction; form",
    "whole": "complete (vector)",
}
DOCSTRINGS = {
    r"ahead": NAMES["ahead"],
    r"apart": NAMES["apart"],
    r"asks?|asked|asking": NAMES["ask asks asked"],
    r"beside|side by side": "adjacent; in addition to; unroll-and-jam; short rows in lanes",
    r"dear|dearer|dearest": "expensive",
    r"far caches?|farthest|how far": NAMES["far farther farthest"],
    r"foresees?|foreseen": "predict",
    r"heirs?|homes?": NAMES["heir heirs home homes"],
    r"judges?|judged": NAMES["judge"],
    r"near caches?|nearer|near(?= to| from)": NAMES["near nearer nearest"],
    r"parted": "split",
    r"past the caches?": "streaming (non-temporal) stores",
    r"pulls?|pulled": "inline",
    r"there and back": "in alternating order",
    r"turns?|turned": NAMES["turn turns turned"],
    r"ways?": NAMES["way ways"],
}
# Rooms whose words are still to be replaced.  The list only shrinks.
STILL_ALLOWED = frozenset("cpu fusion target variants".split())
# Names that the outside world gives: attributes of protocols, and mathematics' terms.
GIVEN = frozenset({"__own__"})


def room(path: Path) -> str:
    """The room below `codegen/`, or `runtime`."""
    parts = path.relative_to(ROOT).parts
    return parts[1] if parts[0] == "codegen" and len(parts) > 2 else parts[0]


def checked() -> list[Path]:
    return [path for path in FILES if room(path) not in STILL_ALLOWED]


def names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Functions, classes, parameters, attributes that are set, and variables of modules and classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
    for scope in (tree, *(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef))):
        for statement in scope.body:
            for target in targets(statement):
                yield statement.lineno, target.id


def targets(statement: ast.stmt) -> Iterator[ast.Name]:
    """The variables that an assignment sets."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        found = [statement.target] if isinstance(statement, ast.AnnAssign) else statement.targets
        yield from (n for target in found for n in ast.walk(target) if isinstance(n, ast.Name))


def words(name: str) -> list[str]:
    """>>> words("NO_way"), words("turnedAway")
    (['no', 'way'], ['turned', 'away'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            yield getattr(node, "lineno", 1), ast.get_docstring(node) or ""


@pytest.mark.parametrize("path", checked(), ids=lambda path: str(path.relative_to(ROOT)))
def test_names_and_docstrings_are_in_the_fields_terms(path: Path) -> None:
    tree = ast.parse(path.read_text())
    instead = {word: term for row, term in NAMES.items() for word in row.split()}
    found = []
    for line, name in names(tree):
        found += [f"{line}: {name}: for {w!r} say {instead[w]}" for w in words(name) if w in instead]
    for line, text in docstrings(tree):
        plain = re.sub(r"`[^`]*`", "", text)
        for pattern, term in DOCSTRINGS.items():
            found += [
                f"{line}: for {m[0]!r} say {term}" for m in re.finditer(rf"\b(?:{pattern})\b", plain, re.IGNORECASE)
            ]
    assert not found, "\n".join([str(path.relative_to(ROOT)), *found])


# A constant says what it counts: by its name, or in a comment beside or above it.  Those of `abi` are offsets and codes.
UNITS = re.compile(
    r"(MAX|MIN)_|_(BYTES|ELEMENTS|THREADS|ROWS|COLUMNS|LINES|LANES|BITS|SECONDS|NS|PS|SIZE|PER_\w+)$|^WARP$"
)
VAGUE = frozenset("FEW MANY MOST LEAST SHORT LONG SMALL LARGE BIG HUGE ENOUGH TOGETHER LINE FAR NEAR".split())


def is_number(value: ast.expr) -> bool:
    """Whether an expression is of numbers alone, a tuple of such included."""
    if isinstance(value, ast.Tuple):
        return bool(value.elts) and all(map(is_number, value.elts))
    numbers = (n for n in ast.walk(value) if not isinstance(n, ast.operator | ast.unaryop | ast.BinOp | ast.UnaryOp))
    return all(isinstance(n, ast.Constant) and type(n.value) in (int, float) for n in numbers)


@pytest.mark.parametrize("path", [p for p in checked() if room(p) != "abi"], ids=lambda p: str(p.relative_to(ROOT)))
def test_a_numeric_constant_says_what_it_counts(path: Path) -> None:
    text = path.read_text()
    lines = text.splitlines()
    for statement in ast.parse(text).body:
        if not isinstance(statement, ast.Assign) or not is_number(statement.value):
            continue
        line = lines[statement.lineno - 1]
        is_commented = "#" in line or lines[statement.lineno - 2].startswith("#") or '"""' in lines[statement.lineno]
        for target in targets(statement):
            assert target.id not in VAGUE, f"{path.name}:{statement.lineno}: {target.id}: a quantity and its unit"
            assert is_commented or UNITS.search(target.id), f"{path.name}:{statement.lineno}: {target.id}: of what?"


@pytest.mark.parametrize(
    "path", [p for p in checked() if p.name != "__init__.py"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_modules_docstring_is_a_name_and_at_most_four_lines_more(path: Path) -> None:
    """Name in the field's term; contract; when it applies; why; reference."""
    lines = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
    assert 1 <= len([line for line in lines if line]) <= 5, "at most five lines; tables belong to a class or a function"
    assert lines[0].endswith("."), "the first line is a sentence of its own"
    first = lines[0].split()[0].lower()
    assert first not in {"what", "which", "how", "where", "whether", "who", "when", "of", "from", "is"}, "a noun phrase"
