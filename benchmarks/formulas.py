"""`tensordsl.evaluate` beside numexpr and NumPy: formulas of numexpr's user guide.

    python -m benchmarks.formulas [--markdown docs/formulas.md]

One process, in turns, one thread, processor time; results have to agree.  `--markdown` writes the table into a page.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.programs import agree, measured
from tensordsl import evaluate

FORMULAS = (
    "a + 1", "2*a + 3*b", "a**2 + b**2 + 2*a*b", "a*b - 4.1*a > 2.5*b", "sin(a)**2 + cos(b)**2", "exp(-(a - b)**2/2)*c",
    "sqrt(a**2 + b**2)", "where(a > b, a, b)", "sin(a) + arcsinh(a/b)", "sum(a*b)", "a*3 + i",
)  # fmt: skip
SIZES = (10, 1_000, 100_000, 1_000_000)


def times(formula: str, n: int) -> dict[str, float]:
    import numexpr

    random = np.random.default_rng(0)
    a, b, c = random.random((3, n)) + 0.1
    names = {"a": a, "b": b, "c": c, "i": random.integers(0, 9, n)}
    functions: dict[str, Any] = {
        name: getattr(np, name) for name in ("sin", "cos", "exp", "sqrt", "where", "arcsinh", "sum")
    }
    code = compile(formula, "formula", "eval")
    calls = {
        "tensordsl": lambda: [evaluate(formula, names)],
        "numexpr": lambda: [numexpr.evaluate(formula, names)],
        "numpy": lambda: [eval(code, functions, names)],
    }
    agree(calls)
    return measured(calls, 2e-2)


def table() -> str:
    lines = [f"| formula | {' | '.join(f'{n:,}' for n in SIZES)} |", "|---|" + "---|" * len(SIZES)]
    logs: dict[int, list[float]] = {n: [] for n in SIZES}
    for formula in FORMULAS:
        cells = []
        for n in SIZES:
            took = times(formula, n)
            logs[n].append(math.log(took["tensordsl"] / took["numexpr"]))
            cells.append(
                f"{took['tensordsl'] * 1e6:.3g} us: {took['tensordsl'] / took['numexpr']:.2f}, "
                f"{took['tensordsl'] / took['numpy']:.2f}"
            )
        lines.append(f"| `{formula}` | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    means = " | ".join(f"{math.exp(sum(x) / len(x)):.2f}" for x in logs.values())
    return "\n".join([*lines, f"| geometric mean, of numexpr's time | {means} |"])


def main() -> None:
    import numexpr

    parser = argparse.ArgumentParser(description="Formulas as strings beside numexpr and NumPy.")
    parser.add_argument("--markdown", type=Path, help="a page whose table is written anew")
    page = parser.parse_args().markdown
    numexpr.set_num_threads(1)
    made = table()
    print(made.splitlines()[-1])
    if page is not None:
        from benchmarks.__main__ import write_table  # late: it loads all suites

        write_table(page, f"\n{made}\n\n", "formulas")


if __name__ == "__main__":
    main()
