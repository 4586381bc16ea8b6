"""Thresholds stand in `target/tuning.py`: elsewhere only numbers that nobody would vary are constants of modules."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

CODEGEN = Path(__file__).parents[1] / "codegen"
# Layouts, coefficients, and the thresholds themselves.
ELSEWHERE = ("abi/", "scalar_ir/math/", "scalar_ir/special/", "target/tuning.py")
# The library's and the GPU's have numbers of instructions, tiles and words that their text is written for.
ALLOWED = {"kernel_ir": 5, "library": 89, "gpu": 34}
MOST_OF_OTHER_ROOMS = 36


def is_number(value: ast.expr) -> bool:
    """Is it arithmetic of numbers, or a tuple of such?"""
    if isinstance(value, ast.Tuple):
        return bool(value.elts) and all(map(is_number, value.elts))
    if isinstance(value, ast.BinOp):
        return any(map(is_number, (value.left, value.right)))
    if isinstance(value, ast.UnaryOp):
        return is_number(value.operand)
    return isinstance(value, ast.Constant) and type(value.value) in (int, float)


def constants() -> Counter[str]:
    """How many assignments of numbers stand at the top of the modules of each room."""
    found: Counter[str] = Counter()
    for path in CODEGEN.rglob("*.py"):
        name = path.relative_to(CODEGEN).as_posix()
        if name.startswith(ELSEWHERE):
            continue
        for node in ast.parse(path.read_text()).body:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            found[name.partition("/")[0]] += value is not None and is_number(value)
    return found


def test_rooms_have_few_numeric_constants() -> None:
    found = constants()
    for room, most in ALLOWED.items():
        assert found.pop(room) <= most, f"codegen/{room}: a threshold is a field of a group of Tuning"
    assert sum(found.values()) <= MOST_OF_OTHER_ROOMS, f"a threshold is a field of a group of Tuning: {found}"
