"""The picture of docs/architecture.md: what a function becomes on its way down, and which rooms do it.

python tools/draw_floors.py > docs/plots/floors.svg
"""

from __future__ import annotations

from html import escape

WIDTH, HEIGHT, LEFT, STEP, TALL = 760, 612, 20, 74, 50
MIDDLE, HALF, SIDE = 260, 200, 555
INK, PAPER, LINE = "#1f2933", "#ffffff", "#7b8794"
FRONT, COMPILER, RUN, ASIDE = "#e3f0e6", "#e2ecf7", "#f7ecdc", "#f1f1f1"

# (what it is, in which rooms, colour), from the top down; two on one floor stand side by side.
FLOORS = (
    (("expressions: variables and applications of rows", "tensor, ops, graph, autodiff", FRONT),),
    (("a function's inputs, outputs, state and updates", "signature, functions", FRONT),),
    (("tensor IR: values with symbolic extents", "codegen: tensor_ir, passes", COMPILER),),
    (("steps: fusion groups and constructs", "codegen: fusion, scalar_ir", COMPILER),),
    (("schedules and kernels", "cpu, variants, llvm", COMPILER), ("program IR", "bufferise, program_ir", COMPILER)),
    (("LLVM text of kernels", "llvm", COMPILER), ("LLVM text of the program", "host", COMPILER)),
    (("object code, kept in the disk cache", "codegen: compiler; runtime: loading", COMPILER),),
    (("a Function that CPython calls", "runtime: calls", RUN),),
)
# (floor, what stands beside it, rooms)
BESIDE = (
    (0, "NumPy's reference judges", "ops: the rows' oracles"),
    (3, "export as MLIR", "codegen: mlir"),
    (4, "GPU kernels (experimental)", "codegen: gpu"),
    (5, "an interpreter of programs judges", "runtime: interpreter"),
    (6, "the library, once a machine", "codegen: library/*"),
    (7, "devices (experimental)", "runtime: driver, device"),
)


def box(x: float, y: float, width: float, title: str, rooms: str, colour: str) -> list[str]:
    middle = x + width / 2
    return [
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{TALL}" rx="5" fill="{colour}" stroke="{LINE}"/>',
        f'<text x="{middle:g}" y="{y + 21:g}" font-weight="bold">{escape(title)}</text>',
        f'<text x="{middle:g}" y="{y + 39:g}" fill="#52606d">{escape(rooms)}</text>',
    ]


def arrow(x0: float, y0: float, x1: float, y1: float, extra: str = "") -> str:
    return f'<path d="M{x0:g} {y0:g}L{x1:g} {y1:g}" stroke="{LINE}" fill="none" marker-end="url(#tip)"{extra}/>'


def centres(floor: int) -> list[float]:
    """Where the boxes of a floor have their middles."""
    return [MIDDLE] if len(FLOORS[floor]) == 1 else [MIDDLE - 110, MIDDLE + 110]


def picture() -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" text-anchor="middle" fill="{INK}" role="img" aria-label="from expressions to a function">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
    ]
    for k, floor in enumerate(FLOORS):
        y, width = LEFT + STEP * k, 2 * HALF if len(floor) == 1 else 212
        for x, (title, rooms, colour) in zip(centres(k), floor, strict=True):
            parts += box(x - width / 2, y, width, title, rooms, colour)
        if k:
            above, here = centres(k - 1), centres(k)
            pairs = zip(above, here, strict=True) if len(above) == len(here) else [(a, h) for a in above for h in here]
            parts += [arrow(a, y - STEP + TALL, h, y - 1) for a, h in pairs]
    for k, title, rooms in BESIDE:
        y = LEFT + STEP * k
        parts += box(SIDE - 50, y, 240, title, rooms, ASIDE)
        edge = max(centres(k)) + (HALF if len(FLOORS[k]) == 1 else 106)
        parts.append(arrow(edge, y + TALL / 2, SIDE - 51, y + TALL / 2, ' stroke-dasharray="4 3"'))
    return "\n".join([*parts, "</svg>"])


if __name__ == "__main__":
    print(picture())
