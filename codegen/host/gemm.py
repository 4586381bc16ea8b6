"""LLVM text of a program's matrix products, alone or with their epilogue (`program_ir.gemm_epilogues`).

`Gemm` -> a call of the library's `gemm_<dtype>`; with an epilogue, of `gemm_then_<dtype>`, if C is too large
for the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import TYPE_CHECKING

from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.gemm_epilogues import TILE, Epilogue
from tensordsl.codegen.program_ir.instructions import Name
from tensordsl.codegen.program_ir.tables import gemm_symbol
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE

if TYPE_CHECKING:
    from tensordsl.codegen.host.emitter import Emitter, Operand


def gemm(e: Emitter, i: p.Gemm) -> None:
    """A product, unless it is computed together with the launch after it."""
    if id(i) not in e.tables.epilogues:
        _multiply(e, i, e.values[i.c])


def place_of_c(e: Emitter, pair: Epilogue, width: int) -> tuple[str, str]:
    """(the i1 whether a large C goes through the epilogue block by block, in the storage of a result; the address of
    C). Elements in place are computed once: rows have to be vectors of the kernel's width, or short enough to
    be one."""
    m, n, item = e.values[pair.gemm.m], e.values[pair.gemm.n], ITEMSIZE[pair.gemm.dtype]
    fits = e.op(f"icmp eq i64 {e.op(f'srem i64 {n}, {width}')}, 0")
    if pair.is_flat:
        fits = e.op(f"or i1 {fits}, {e.op(f'icmp sle i64 {n}, {e.tuning.gemm_short_row_bytes // item}')}")
    large = e.op(f"icmp sge i64 {e.op(f'mul i64 {m}, {n}')}, {e.tuning.gemm_epilogue_min_bytes // item}")
    fits = e.op(f"and i1 {fits}, {large}")
    return fits, e.op(f"select i1 {fits}, ptr {e.values[pair.place]}, ptr {e.values[pair.gemm.c]}")


def gemm_with_epilogue(e: Emitter, pair: Epilogue, where: tuple[str, str], tables: Sequence[str]) -> None:
    """A product and its epilogue, with the `tables` of the epilogue's launch; `where` is `place_of_c`'s result."""
    (in_blocks, c), (blocks, apart, done) = where, (e.label(x) for x in ("blocks", "apart", "done"))
    e.put(f"br i1 {in_blocks}, label %{blocks}, label %{apart}")
    e.place(blocks)
    words: list[Operand] = [*tables, len(pair.launch.operands), len(pair.launch.extents), pair.down, pair.across]
    for word, (param, value) in enumerate(zip(TILE, words, strict=True)):
        e.array("tile", param.split()[0], [value], word)
    e.written["tile"].clear()
    e.put(f"call void {e.helper(f'gemm_then_{pair.gemm.dtype}')}({_operands(e, pair.gemm, c)}, ptr %tile)")
    e.put(f"br label %{done}")
    e.place(apart)
    _multiply(e, pair.gemm, c)
    e.op(f"call i64 {e.helper('run_nest')}(ptr %rt, {', '.join(f'ptr {x}' for x in tables)})")
    e.put(f"br label %{done}")
    e.place(done)


def _multiply(e: Emitter, i: p.Gemm, c: Operand) -> None:
    e.put(f"call void {e.helper(gemm_symbol(i))}({_operands(e, i, c)})")


def _operands(e: Emitter, i: p.Gemm, c: Operand) -> str:
    v = e.values
    a, b = (f"ptr {v[x]}, i64 {v[r]}, i64 {v[c]}" for x, (r, c) in ((i.a, i.a_strides), (i.b, i.b_strides)))
    scratch = "null" if i.scratch is None else v[i.scratch]
    size = f"i64 {v[i.m]}, i64 {v[i.n]}, i64 {v[i.k]}"
    alpha, beta = _number(e, i, i.factor, i.alpha), _number(e, i, i.decay, i.beta)
    if i.decay:  # 0 would mean: do not read C
        beta = e.op(f"select i1 {e.op(f'fcmp oeq double {beta}, 0.0')}, double -0.0, double {beta}")
    scale = f"double {alpha}, double {beta}"
    several = "".join(f", i64 {v[x]}" for x in (() if i.count is None else (i.count, *i.steps)))
    return f"ptr %rt, {size}, {a}, {b}, ptr {c}, i64 {v[i.ldc]}, {scale}, ptr {scratch}{several}"


def _number(e: Emitter, i: p.Gemm, name: Name | None, times: float) -> str:
    """A number in memory, which a double holds exactly, times one that is known."""
    if name is None:
        return _double(times)
    kind = "double" if i.dtype == "float64" else "float"
    x = e.op(f"load {kind}, ptr {e.values[name]}")
    x = e.op(f"fpext float {x} to double") if kind == "float" else x
    return x if times == 1 else e.op(f"fmul double {_double(times)}, {x}")


def _double(x: float) -> str:
    """A double in LLVM's exact notation."""
    return "0x" + pack(">d", x).hex().upper()
