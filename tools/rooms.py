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


def maps_of_rooms(folder: str) -> list[tuple[str, str]]:
    """(path, docstring) of the packages below a folder that have one; symlinks are not followed."""
    found = []
    for file in sorted((ROOT / folder).rglob("__init__.py")):
        path = file.parent.relative_to(ROOT).as_posix()
        text = ast.get_docstring(ast.parse(file.read_text()))
        if text and path not in FOLDERS:
            found.append((path, text))
    return found


def first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def lists() -> str:
    lines = []
    for folder in FOLDERS:
        rooms = [(path, path.removeprefix(folder)[1:], first_sentence(text)) for path, text in maps_of_rooms(folder)]
        lines += [
            f"**`{folder}/`**",
            "",
            *(f"- [`{name}`](../{path}/__init__.py) {what}" for path, name, what in rooms),
            "",
        ]
    return "\n".join(lines)


def page() -> str:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{BEGIN}\n{lists()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(int(page() != PAGE.read_text()))
    PAGE.write_text(page())
