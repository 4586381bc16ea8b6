"""Fallback stubs: what stands for functions of library parts that are not loaded, or techniques that are off.

Contract  each answers "not handled" or does the same by element; a part's also records the miss, and is loaded then.
When      a process has not loaded the part; parts that decide on the order of additions come with the kernels.
Why       most processes need few parts, and compiling all takes half a second.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.abi.descriptor import NEST_PARAMS, SCRATCH_PARAMS, Header
from tensordsl.codegen.abi.layouts import LIBRARY, NEST_PARTS, WITHOUT
from tensordsl.codegen.library.loops.descriptor import LoopFunction
from tensordsl.codegen.library.loops.pack.strided import PACKER_OF_ROWS_PARAMS
from tensordsl.codegen.library.loops.row_batches import CODE_PARAMS
from tensordsl.codegen.library.techniques import TECHNIQUES
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.target.tuning import Tuning

MISSED = "missed"  # where the word is that notes parts
_LAUNCH = [*NEST_PARAMS, *SCRATCH_PARAMS]
# name -> (parameters, the result's type, what says that nothing is done)
_NOT_HANDLED: dict[str, tuple[Sequence[str], str, str]] = {
    "packed_row": (_LAUNCH, "i64", "0"),
    "stream": (_LAUNCH, "i1", "false"),
    "stream_rows": (_LAUNCH, "i1", "false"),
    "deinterleave": (["ptr row", "i64 external"], "i64", "0"),
    "fits_wide_rows": (["ptr cx", "i64 first", "i64 end", "i64 lane"], "i64", "0"),
    "wide_rows": (["ptr cx", "ptr words", "i64 axis"], "void", ""),
    "joined_rows": (["ptr cx", "ptr blocks", "i64 axis"], "i1", "false"),
    "transposed_block": (["ptr D", "ptr S", "ptr E", "ptr bytes"], "i64", "0"),
    "in_transposed_blocks": ([*_LAUNCH, "ptr stage"], "i64", "-1"),
    "move_block": (["ptr D", "ptr job", "ptr current", "i64 block", "i1 out"], "void", ""),
    "with_copied_operands": ([*_LAUNCH, "ptr stage"], "i64", "-1"),
    "rows_in_tasks": (
        ["ptr cx", *(f"i64 {x}" for x in ("pc", "first", "end", "axis", "unit", "price"))],
        "i1",
        "false",
    ),
    "shared_row_blocks": ([*CODE_PARAMS, "i64 axis"], "i1", "false"),
    "take": (NEST_PARAMS, "i64", "-1"),
}
# The same of functions that no part has: for techniques that are off.
_OF_FIRST_PART: dict[str, tuple[Sequence[str], str, str]] = {
    "small_transposed": (NEST_PARAMS, "i64", "-1"),
    "transposed_axis": (["ptr D", "ptr e", "ptr s"], "i64", "-1"),
    "is_streamable": (["ptr D", *NEST_PARAMS[2:5], "i64 points", "i64 shared"], "i1", "false"),
    "fits_row_batches": (CODE_PARAMS, "i1", "false"),
    "are_reversed": (["i64 across", "i64 along", "i64 size", "i64 n", "i64 rows"], "i1", "false"),
    "copied_block": (["ptr D", "ptr S", "ptr E", "ptr T", "ptr e"], "i64", "0"),
}
_FOR_SHORT_ROWS = {
    "collapsed_rows": _LAUNCH,
    "packed_short_rows": _LAUNCH,
    "overlapping_rows": [*_LAUNCH, "ptr origins"],
}


def fallback_texts(t: Tuning) -> list[str]:
    made = {name: _not_handled(name, *what) for name, what in _NOT_HANDLED.items()}
    made |= {name: _if_short(t, name, params) for name, params in _FOR_SHORT_ROWS.items()}
    made |= {name: _at_once(name) for name in ("reduce_columns", "run_rows_alone")}
    made |= {"transpose": _transposed(), "packer_of_rows": _of_rows()}
    return [f"@{MISSED} = external hidden constant ptr\n", *made.values()]


def without_techniques(texts: Sequence[str], t: Tuning) -> list[str]:
    """The functions, and stubs for those of techniques that are off."""
    off = [f"@{name}(" for row in TECHNIQUES if not t.allows(row.name) for name in row.stubs]
    made = [*texts]
    for k, text in enumerate(texts):
        head = text.partition("\n")[0]
        name = next((name[1:-1] for name in off if name in head), "")
        if name:
            made[k] = _transposed("") if name == "transpose" else _stub(name)
    return made


def _stub(name: str) -> str:
    params, result, value = _NOT_HANDLED.get(name) or _OF_FIRST_PART.get(name) or (_FOR_SHORT_ROWS[name], "i64", "0")
    return LoopFunction(result, name, params, internal=True).end(result, value)


def _function(name: str, params: Sequence[str], result: str) -> LoopFunction:
    return LoopFunction(result, WITHOUT + name, params, internal=True)


def _record_miss(c: LoopFunction, name: str) -> None:
    part = next(k for k, part in enumerate(NEST_PARTS) if name in LIBRARY[part])
    word = c.op(f"load ptr, ptr @{MISSED}, align 8")
    c.do(f"atomicrmw or ptr {word}, i64 {1 << part} monotonic, align 8")


def _not_handled(name: str, params: Sequence[str], result: str, value: str) -> str:
    c = _function(name, params, result)
    _record_miss(c, name)
    return c.end(result, value)


def _if_short(t: Tuning, name: str, params: Sequence[str]) -> str:
    """Only short rows would be done otherwise."""
    c = _function(name, params, "i64")
    fast = c.header(Header.DIRECT_CALL)
    with c.when(c.ne(fast, 0)):
        n = c.get("%E", c.get(c.word("%D", fast), 2))
        with c.when(c.lt(n, c.mul(c.header(Header.LANES), t.short_rows.max_vectors))):
            _record_miss(c, name)
    return c.end("i64", 0)


def _of_rows() -> str:
    """Packers of several columns together are absent, too: nothing is missed."""
    c = _function("packer_of_rows", PACKER_OF_ROWS_PARAMS, "ptr")
    return c.end("ptr", c.call("ptr", "@strided_packer_of_rows", *passed(PACKER_OF_ROWS_PARAMS)))


def _at_once(name: str) -> str:
    """All of a launch at once."""
    c = _function(name, ["ptr pool", *NEST_PARAMS], "i64")
    _record_miss(c, name)
    return c.end("i64", c.call("i64", "@run_stage", *passed(NEST_PARAMS), "ptr null"))


def _transposed(prefix: str = WITHOUT) -> str:
    """to[c, r] = from[r, c], column by column."""
    params = ["ptr to", "i64 to_row", "ptr from", "i64 from_row", "i64 size", "i64 rows", "i64 columns"]
    c = LoopFunction("void", prefix + "transpose", params, internal=True)
    if prefix:
        _record_miss(c, "transpose")
    with c.loop("%columns") as k:
        to, source = c.gep("%to", c.mul(k.index, "%to_row")), c.gep("%from", c.mul(k.index, "%size"))
        c.call("void", "@copy_strided", f"ptr {to}", f"ptr {source}", "i64 %from_row", "i64 %rows", "i64 %size")
    return c.end()
