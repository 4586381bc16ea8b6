"""Makes docs/optimisations.md: the catalogue of optimisations, with what `benchmarks.ablation` found them to earn.

Run as `python tools/optimisation_table.py > docs/optimisations.md`; a test compares the committed page with this output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tensordsl.codegen.compiler.optimisations import LEVELS, Optimisation, optimisations

ROOT = Path(__file__).resolve().parents[1]
HEAD = """# The optimisations

Made by `tools/optimisation_table.py` from `codegen/compiler/optimisations.py` and `codegen/compiler/pipeline.py`;
`python -m tensordsl.passes` prints the same lists. Each entry has a name, a condition, a reason, and a switch:

- `mode.excluding("prefetch")` leaves it out of a function, `TENSORDSL_FLAGS=optimizer_excluding=prefetch:long_rows` out
  of all functions of a process. What the library does has the flag alone, since a process has one library.
- `mode.forcing("row_by_row")`, or the flag `optimizer_forcing`, uses it wherever it may be, whether it pays or not: tests
  compare results with it on, off and forced. Only those marked *can be forced* have such a form.

Results are the same to the bit with and without an optimisation, unless its entry names what changes.

*Earns* is the time without it over the time with it: the geometric mean over the suites `peers` (workloads that libraries
compare) and `corners` (everyday forms at odd shapes), and the worst call, as `python -m benchmarks.ablation --markdown`
found them. An optimisation that earns less than 3 % in both suites and 1.2 in no call is removed, or kept by a written
decision (docs/decisions). [adding-an-optimisation.md](adding-an-optimisation.md) says how to add one.
"""
TITLES = {
    "tensor": "Tensor passes",
    "group": "Group transforms",
    "program": "Program techniques",
    "kernel": "Kernel techniques",
    "library": "Techniques of the library",
}


def earned(found: Mapping[str, Any] | None) -> str:
    """What a row of docs/ablation.json says, in words."""
    if found is None:
        return "not measured yet"
    parts = []
    for suite in ("peers", "corners"):
        row = found.get(suite)
        if row is None or row["mean"] is None:
            continue
        worst = f", worst {row['worst'][0][1]:.2f} ({row['worst'][0][0]})" if row["worst"] else ""
        reach = "not reached" if row["changed"][0] == 0 else f"{row['mean']:.2f}{worst}"
        parts.append(f"`{suite}` {reach}")
    return f"{'; '.join(parts) or 'nothing measured'} ({found['processor']}, {found['date']})"


def path_of(test: str) -> str:
    """Where a module of tests is."""
    (path,) = (ROOT / "tests").rglob(f"{test}.py")
    return path.relative_to(ROOT).as_posix()


def entry(row: Optimisation, earns: str) -> Iterator[str]:
    yield f"### {row.name}\n"
    yield f"- **what**: {row.what}"
    yield f"- **applies when**: {row.applies_when}"
    yield f"- **why**: {row.why}"
    yield f"- **earns**: {earns}"
    if row.is_required:
        yield "- **switch**: none; all modes need it"
    else:
        switch = f"`optimizer_excluding={row.name}`" if row.level == "library" else f'`mode.excluding("{row.name}")`'
        yield f"- **switch**: {switch}{'; can be forced' if row.is_forcible else ''}"
    if row.changes:
        yield f"- **changes**: {row.changes}"
    yield f"- **file**: [{row.file}](../{row.file})"
    yield f"- **tests**: {', '.join(f'[{test}](../{path_of(test)})' for test in ('test_optimisations', *row.tests))}\n"


def page() -> str:
    kept = ROOT / "docs" / "ablation.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    rows, lines = optimisations(), [HEAD]
    for level in LEVELS:
        lines.append(f"## {TITLES[level]}\n")
        for row in rows.values():
            if row.level == level:
                lines += entry(row, earned(found.get(row.name)))
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
