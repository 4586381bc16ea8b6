"""Reductions of many short rows beside NumPy and JAX: nanoseconds for each number.

    python -m benchmarks.short_rows [--peers numpy,jax] [--only softmax ...] [--shapes 3x3,16] [--markdown FILE]

Shapes are those of what follows the long axis: of k or of k x j numbers, of which the named axis is reduced.  One
process, in turns, one thread, processor time; what is found has to agree with NumPy's float64.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import XLA_ONE_THREAD
from benchmarks.programs import measured

NUMBERS = 60_000
SHAPES = ((3,), (8,), (16,), (33,), (48,), (2, 2), (3, 3), (4, 4), (3, 16), (16, 3))
DTYPES = ("float32", "float64")


def softmax(m: Any, x: Any, axis: int) -> Any:
    e = m.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


FORMS: dict[str, Callable[[Any, Any, int], Any]] = {
    "sum": lambda m, x, axis: x.sum(axis=axis),
    "max": lambda m, x, axis: x.max(axis=axis),
    "argmax": lambda m, x, axis: x.argmax(axis=axis),
    "softmax": softmax,
    "unit": lambda m, x, axis: x / m.sqrt((x**2).sum(axis=axis, keepdims=True)),
}


def calls(
    form: Callable[[Any, Any], Any], peers: Sequence[str], axes: int, dtype: str, tolerance: float = 1e-4
) -> Callable[[np.ndarray], dict[str, Any]]:
    """What gives a form's calls for an operand, by library, once they agree; each compiles once."""
    import tensordsl
    import tensordsl.tensor as T

    symbol = T.TensorType(dtype, (None,) * axes)()
    ways = {"tensordsl": tensordsl.function([symbol], form(T, symbol)), "numpy": lambda x: form(np, x)}
    if "jax" in peers:
        import jax

        jax.config.update("jax_enable_x64", True)
        compiled = jax.jit(lambda x: form(jax.numpy, x))
        ways["jax"] = lambda x: jax.block_until_ready(compiled(x))

    def of(x: np.ndarray) -> dict[str, Any]:
        wanted = ways["numpy"](x.astype("float64"))
        np.testing.assert_allclose(ways["tensordsl"](x), wanted, rtol=tolerance, atol=tolerance)
        given = {name: jax.numpy.asarray(x) if name == "jax" else x for name in ("tensordsl", *peers)}
        if "jax" in peers:
            ways["jax"](given["jax"])
        return {name: lambda name=name: ways[name](given[name]) for name in given}

    return of


def rows(only: Sequence[str], shapes: Sequence[tuple[int, ...]], peers: Sequence[str]) -> Iterator[str]:
    rng = np.random.default_rng(0)
    names = ["tensordsl", *peers]
    yield f"| ns, {' / '.join(DTYPES)} | axis | {' | '.join(names)} |"
    yield "|---" * (len(names) + 2) + "|"
    for shape in shapes:
        for name, form in FORMS.items():
            if only and name not in only:
                continue
            for axis in range(1, len(shape) + 1):
                cells: dict[str, list[str]] = {n: [] for n in names}
                for dtype in DTYPES:
                    x = rng.normal(size=(NUMBERS // int(np.prod(shape)), *shape)).astype(dtype)
                    of = calls(lambda m, x, form=form, axis=axis: form(m, x, axis), peers, x.ndim, dtype)
                    for library, seconds in measured(of(x)).items():
                        cells[library].append(f"{1e9 * seconds / x.size:.2f}")
                label = f"`{name}`, (n, {', '.join(map(str, shape))}) | {axis}"
                yield f"| {label} | {' | '.join(' / '.join(cells[n]) for n in names)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Reductions of many short rows.")
    parser.add_argument("--peers", default="numpy,jax", help="of numpy, jax")
    parser.add_argument("--only", action="append", default=[], choices=FORMS)
    parser.add_argument("--shapes", help="such as 3x3,16")
    parser.add_argument("--markdown", type=Path, help="a file to write the table to")
    options = parser.parse_args(arguments)
    os.environ.setdefault("XLA_FLAGS", XLA_ONE_THREAD)
    asked = [tuple(map(int, s.split("x"))) for s in options.shapes.split(",")] if options.shapes else SHAPES
    lines = []
    for line in rows(options.only, asked, [p for p in options.peers.split(",") if p]):
        lines.append(line)
        print(line, flush=True)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
