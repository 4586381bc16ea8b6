"""The lists of rooms in docs/architecture.md: each package of the tree with the first sentence of its `__init__`.

python tools/rooms.py         writes them between the page's markers
python tools/rooms.py --check ends with status 1 where the page is not what it would write
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
FOLDERS = ("tensordsl", "codegen", "runtime")
BEGIN, END = "<!-- rooms: begin -->", "<!-- rooms: end -->"


def rooms(folder: str) -> list[tuple[str, str]]:
    """(path, what it does) of the packages below a folder that have a docstring; symlinks are not followed."""
    found = []
    for file in sorted((ROOT / folder).rglob("__init__.py")):
        path = file.parent.relative_to(ROOT)
        sentence = (ast.get_docstring(ast.parse(file.read_text())) or "").split("\n\n")[0]
        if sentence and path.as_posix() not in FOLDERS:
            found.append((path.as_posix(), " ".join(sentence.split())))
    return found


def lists() -> str:
    parts = []
    for folder in FOLDERS:
        parts += [f"**`{folder}/`**", ""]
        parts += [
            f"- [`{path.removeprefix(folder)[1:]}`](../{path}/__init__.py) {what}" for path, what in rooms(folder)
        ]
        parts.append("")
    return "\n".join(parts)


def page() -> str:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{BEGIN}\n{lists()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(int(page() != PAGE.read_text()))
    PAGE.write_text(page())
