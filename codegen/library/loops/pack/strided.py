"""Gathers and scatters of strided elements, between operands and scratch.

Contract  packers `void (to, from, stride, count)`; `packer(size, stride)` gives the best, `pack` pads what it copies.
When      elements are not adjacent.  Steps of -1 and 2 to 4 elements: whole vectors, shuffled; others: scalar loads
          inserted into a vector.  The last vector ends with the last element.
Why       vector loads and shuffles beat scalar loads while the elements share cache lines.
"""

from __future__ import annotations

from collections.abc import Iterable

from tensordsl.codegen.library.loops.descriptor import LoopFunction, copy_elements, shuffled
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.llvm.strided_access import layout
from tensordsl.codegen.target.tuning import Tuning

SHUFFLED_STEPS = (-1, 2, 3, 4)  # elements from one to the next
KINDS = {1: "i8", 2: "i16", 4: "float", 8: "double", 16: "<2 x double>"}  # of elements by their bytes
VECTOR_BYTES, MAX_VECTOR_ELEMENTS = 64, 16  # of what is put together at once
# Of what packs `count` elements, `stride` bytes from one to the next.
PACKER_PARAMS = ["ptr to", "ptr from", "i64 stride", "i64 count"]
PACKER_OF_ROWS_PARAMS = ["ptr packer", "i64 stride", "i64 rows"]


def strided_texts(t: Tuning) -> list[str]:
    fetches = t.machine.prefetches_blocks and t.allows("prefetch_blocks")  # packing a block prefetches the next one
    near = [_shuffled(size, step, fetches) for size in KINDS if size < 16 for step in SHUFFLED_STEPS]
    strided = [_strided(size, loads) for size in KINDS for loads in (1, t.pack.repeated_loads)]
    return [
        *near,
        *strided,
        _copy_strided(),
        packer_of_rows(t, "strided_packer_of_rows", [f"strided{size}" for size in KINDS]),
        _packer(),
        _pack(),
        _unpack(),
    ]


def _shuffled(size: int, step: int, fetches: bool) -> str:
    """`step` elements from one to the next."""
    c, lanes = LoopFunction("void", _name(size, step), PACKER_PARAMS, internal=True), VECTOR_BYTES // size
    kind = f"<{lanes} x i{8 * size}>"
    _if_few(c, lanes, f"@strided{size}")
    last, ahead = c.sub("%count", lanes), c.mul("%count", step * size)
    starts, places = layout(lanes, step)
    with c.loop("%count", step=lanes) as loop:
        first = c.min(loop.index, last)
        source, value = c.gep("%from", c.mul(first, step * size)), "poison"
        for k, start in starts.items():
            place = c.gep(source, start * size)
            if fetches:
                c.do(f"call void @llvm.prefetch.p0(ptr {c.gep(place, ahead)}, i32 0, i32 3, i32 1)")
            vector = c.op(f"load {kind}, ptr {place}, align 1")
            mixed = [lanes + lane if j == k else e for e, (j, lane) in enumerate(places)]
            value = shuffled(c, kind, value, vector, mixed)
        c.do(f"store {kind} {value}, ptr {c.gep('%to', c.mul(first, size))}, align 1")
    return c.end()


def _name(size: int, step: int) -> str:
    return f"shuffled{size}{f'x{step}' if step > 0 else 'r'}"


def _if_few(c: LoopFunction, lanes: int, other: str, *given: str) -> None:
    """Fewer elements than a vector has are copied by `other`."""
    with c.when(c.lt("%count", lanes)):
        c.call("void", other, *passed(PACKER_PARAMS), *given)
        c.ret()


def with_repeated_loads(name: str) -> str:
    """Of the same packer, but that it loads each row `OFTEN` times."""
    return f"{name}_often"


def read(c: LoopFunction, kind: str, place: str, loads: int) -> str:
    """Volatile loads keep their order, which hardware prefetchers follow."""
    return [c.op(f"load volatile {kind}, ptr {place}, align 1") for _ in range(loads)][-1]


def _strided(size: int, loads: int) -> str:
    """Any number of bytes from one to the next."""
    name = f"strided{size}"
    c = LoopFunction("void", name if loads == 1 else with_repeated_loads(name), PACKER_PARAMS, internal=True)
    lanes = min(VECTOR_BYTES // size, MAX_VECTOR_ELEMENTS)
    kind, steps = KINDS[size], [c.mul("%stride", k) if k else 0 for k in range(lanes)]
    _if_few(c, lanes, "@copy_strided", f"i64 {size}")
    last = c.sub("%count", lanes)
    with c.loop("%count", step=lanes) as loop:
        first = c.min(loop.index, last)
        source = c.gep("%from", c.mul(first, "%stride"))
        elements = [read(c, kind, c.gep(source, step), loads) for step in steps]
        whole, value = _vector_of(c, kind, elements)
        c.do(f"store {whole} {value}, ptr {c.gep('%to', c.mul(first, size))}, align 1")
    return c.end()


def _vector_of(c: LoopFunction, kind: str, elements: list[str]) -> tuple[str, str]:
    """(type, value) of a vector of elements, whose number is a power of two."""
    if not kind.startswith("<"):
        whole, value = f"<{len(elements)} x {kind}>", "poison"
        for k, element in enumerate(elements):
            value = c.op(f"insertelement {whole} {value}, {kind} {element}, i32 {k}")
        return whole, value
    lanes = 2
    while len(elements) > 1:
        pairs, lanes = zip(elements[::2], elements[1::2], strict=True), 2 * lanes
        elements = [shuffled(c, f"<{lanes // 2} x double>", a, b, list(range(lanes))) for a, b in pairs]
    return f"<{lanes} x double>", elements[0]


def _copy_strided() -> str:
    """One after the other."""
    c = LoopFunction("void", "copy_strided", [*PACKER_PARAMS, "i64 size"], internal=True)
    copy_elements(c, "%count", "%size", "%stride")
    return c.end()


def packer_of_rows(t: Tuning, name: str, packers: Iterable[str], others: str = "") -> str:
    """The packer to take where a launch has so many rows; others: what says that of other packers."""
    c = LoopFunction("ptr", name, PACKER_OF_ROWS_PARAMS, internal=True)
    is_near, bytes_ = c.lt("%stride", VECTOR_BYTES), c.mul("%stride", "%rows")
    with c.when(c.any(is_near, c.lt(bytes_, t.pack.repeated_loads_min_bytes))):
        c.ret("ptr", "%packer")
    found = c.call("ptr", f"@{others}", *passed(PACKER_OF_ROWS_PARAMS)) if others else "%packer"
    for name in packers:
        found = c.choose(c.op(f"icmp eq ptr %packer, @{name}"), f"@{with_repeated_loads(name)}", found, "ptr")
    return c.end("ptr", found)


def _packer() -> str:
    """What packs elements of such a size and distance."""
    c = LoopFunction("ptr", "packer", ["i64 size", "i64 stride"], internal=True)
    found = "@strided1"
    for size in KINDS:
        best = f"@strided{size}"
        for step in SHUFFLED_STEPS if size < 16 else ():
            best = c.choose(c.eq("%stride", step * size), f"@{_name(size, step)}", best, "ptr")
        found = c.choose(c.eq("%size", size), best, found, "ptr")
    return c.end("ptr", found)


def _pack() -> str:
    """`live` elements to scratch, then the last one repeated up to `count`; points: of the launch, or 0."""
    params = ["ptr to", "ptr from", "i64 stride", "i64 size", "i64 live", "i64 count", "i64 points"]
    c = LoopFunction("void", "pack", params, internal=True)
    with c.when(c.eq("%stride", "%size")):
        c.call("void", "@copy_in", "ptr %to", "ptr %from", "i64 %size", "i64 %live", "i64 %count")
        c.ret()
    packer = c.call("ptr", "@packer", "i64 %size", "i64 %stride")
    packer = c.call("ptr", "@strided_packer_of_rows", f"ptr {packer}", "i64 %stride", "i64 %points")
    c.call("void", packer, "ptr %to", "ptr %from", "i64 %stride", "i64 %live")
    rest = c.sub("%count", "%live")
    with c.when(c.gt(rest, 0)):
        last = c.gep("%to", c.mul(c.sub("%live", 1), "%size"))
        target = c.gep("%to", c.mul("%live", "%size"))
        operands = f"ptr {target}", f"ptr {last}", "i64 0", "i64 %size", f"i64 {rest}", f"i64 {rest}"
        c.call("void", "@pack", *operands, "i64 0")
    return c.end()


def _unpack() -> str:
    c = LoopFunction("void", "unpack", ["ptr to", "ptr from", "i64 stride", "i64 size", "i64 live"], internal=True)
    with c.when(c.eq("%stride", "%size")):
        c.call("void", "@copy_out", "ptr %to", "ptr %from", f"i64 {c.mul('%live', '%size')}")
        c.ret()
    copy_elements(c, "%live", "%stride", "%size")
    return c.end()
