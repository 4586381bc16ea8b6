"""Walks over the lines of two arrays along an axis: the arguments of a `LibraryCall`, and loops over the other axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tensordsl.codegen.library.signals import poll_each
from tensordsl.codegen.llvm.builder import Asm, passed

AXES = ("ptr dims", "ptr xs", "ptr ys", "i64 level", "i64 last")


def given_lines(f: Asm) -> tuple[list[str], list[str]]:
    """(x, y, length and steps of the first axis; `AXES` up to the level behind it) of a `LibraryCall`: bases are x and
    y, words lengths and strides of x, then of y."""
    x, y = f.load("ptr", "%bases"), f.load("ptr", "%bases", 8)
    xs = f.gep("%words", "%rank", "i64")
    ys = f.gep(xs, f.mul("%rank", 2), "i64")
    numbers = [f"i64 {f.load('i64', a)}" for a in ("%words", xs, ys)]
    return [f"ptr {x}", f"ptr {y}", *numbers], ["ptr %words", f"ptr {xs}", f"ptr {ys}", "i64 1"]


def line_loop_text(name: str, params: Sequence[str], end: Callable[[Asm], None]) -> str:
    """`name.walk`: x and y, the first of `params`, go over all points of the axes from `level` to before `last`; `end`
    writes what is done at each."""
    f = Asm("void", f"{name}.walk", (*params, *AXES), internal=True)
    with f.when(f.ge("%level", "%last")):
        end(f)
        f.ret()
    n, x_unit, y_unit = (f.load("i64", f.gep(a, "%level", "i64")) for a in ("%dims", "%xs", "%ys"))
    below = f.add("%level", 1)
    with f.loop(n) as loop:
        x, y = (f.gep(p, f.mul(loop.index, s)) for p, s in (("%x", x_unit), ("%y", y_unit)))
        axes = (*passed(AXES[:3]), f"i64 {below}", "i64 %last")
        f.call("void", f"@{name}.walk", f"ptr {x}", f"ptr {y}", *passed(params[2:]), *axes)
        poll_each(f, loop.index, 64)
    f.ret()
    return f.text
