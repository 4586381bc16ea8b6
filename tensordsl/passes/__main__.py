"""`python -m tensordsl.passes`: the optimisations by level, each with what it does, when it applies and why."""

from __future__ import annotations

import argparse
from textwrap import fill

from tensordsl.codegen.compiler.optimisations import LEVELS, Optimisation, optimisations

TITLES = {
    "tensor": "Tensor passes, in the order in which they run",
    "group": "Group transforms, in the order in which they run: what one loop nest computes",
    "program": "Program techniques: storage, and the variants of launches",
    "kernel": "Kernel techniques",
    "library": "Techniques of the library, which a process has one of: switched by TENSORDSL_FLAGS alone",
}


def text(rows: dict[str, Optimisation]) -> str:
    lines = [
        "mode.excluding(NAME), or TENSORDSL_FLAGS=optimizer_excluding=NAME:NAME, leaves an optimisation out;",
        "mode.forcing(NAME), or optimizer_forcing=NAME, uses one marked ! wherever it may be, whether it pays or not.",
    ]
    for level in LEVELS:
        lines += ["", f"{TITLES[level]}:", ""]
        for row in rows.values():
            if row.level == level:
                lines.append(f"  {row.name}{' !' * row.is_forcible}{' (required)' * row.is_required}  ({row.file})")
                for part in (row.what, f"when: {row.applies_when}", f"why: {row.why}"):
                    lines.append(fill(part, 112, initial_indent="      ", subsequent_indent="      "))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tensordsl.passes", description="Print the optimisations.")
    parser.add_argument("--names", action="store_true", help="only the names, one a line")
    rows = optimisations()
    print("\n".join(rows) if parser.parse_args().names else text(rows))


if __name__ == "__main__":
    main()
