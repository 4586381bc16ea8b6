"""What the library computes on whole buffers, as MLIR: loops that carry the tensor and what is known so far."""

from __future__ import annotations

from tensordsl.codegen.mlir.scalars import TYPE
from tensordsl.codegen.mlir.writer import Writer, choice, loops
from tensordsl.codegen.scalar_ir.builder import FLOATS
from tensordsl.codegen.tensor_ir.graph import Value


def along(e: Writer, v: Value) -> None:
    """A running sum or product; sorting has no structured form, and is a call."""
    if v.attrs["function"] in ("cumsum", "cumprod"):
        _cumulate(e, v)
        return
    call(e, v, v.attrs["function"])


def search(e: Writer, v: Value) -> None:
    call(e, v, f"searchsorted_{v.attrs['side']}")


def call(e: Writer, v: Value, function: str) -> None:
    """Of a function that whoever runs the module supplies."""
    name = f"host_{function}_{v.number}"
    operands = v.operands[:1] if v.op == "along" else v.operands
    values, types = ", ".join(map(e.value, operands)), ", ".join(map(e.type_of, operands))
    e.private[name] = f"func.func private @{name}({types}) -> ({e.type_of(v)})"
    e.values[v.number] = e.op(f"func.call @{name}({values}) : ({types}) -> ({e.type_of(v)})")


def _cumulate(e: Writer, v: Value) -> None:
    """Along each line of the axis: its running value goes with it."""
    (x,), axis = v.operands, v.attrs["axis"]
    source, kind = e.value(x), TYPE[v.dtype]
    init, t = e.empty(v.shape, v.dtype)
    product = v.attrs["function"] == "cumprod"
    start = e.scalars.constant(1 if product else -0.0 if v.dtype in FLOATS else 0, v.dtype)
    word = f"arith.{'mul' if product else 'add'}{'f' if v.dtype in FLOATS else 'i'}"

    def line(outer: list[str], whole: list[str]) -> list[str]:
        def step(inner: list[str], known: list[str]) -> list[str]:
            at = ", ".join((*outer[:axis], *inner, *outer[axis:]))
            item = e.scalars.cast(e.op(f"tensor.extract {source}[{at}] : {e.type_of(x)}"), x.dtype, v.dtype)
            value = e.op(f"{word} {known[1]}, {item} : {kind}")
            return [e.op(f"tensor.insert {value} into {known[0]}[{at}] : {t}"), value]

        return loops(e, [e.index(v.shape[axis])], ((whole[0], t), (start, kind)), step)[:1]

    others = [e.index(n) for d, n in enumerate(v.shape) if d != axis]
    e.index(v.shape[axis])
    e.values[v.number] = loops(e, others, ((init, t),), line)[0]


def true_positions(e: Writer, v: Value) -> None:
    """A position of the flat mask is written where the next one goes, if the mask is true."""
    mask = v.operands[0]
    if e.checks:
        for axis, (n, wanted, _, _) in zip(v.attrs["axes"], v.attrs["bounds"], strict=True):
            holds = e.op(f"arith.cmpi eq, {e.index(n)}, {e.index(wanted)} : index")
            e.put(f'cf.assert {holds}, "boolean index: lengths of its axis {axis} and of the tensor\'s"')
    source, (init, t), one = e.value(mask), e.empty(v.shape, "int64"), e.index(1)

    def step(at: list[str], known: list[str]) -> list[str]:
        whole, done, flat = known
        item = e.op(f"tensor.extract {source}[{', '.join(at)}] : {e.type_of(mask)}")
        following = e.op(f"arith.addi {flat}, {one} : index")

        def listed() -> list[str]:
            position = e.op(f"arith.index_cast {flat} : index to i64")
            written = e.op(f"tensor.insert {position} into {whole}[{done}] : {t}")
            return [written, e.op(f"arith.addi {done}, {one} : index")]

        return [*choice(e, item, (t, "index"), (listed, lambda: [whole, done])), following]

    zero, ends = e.index(0), [e.index(n) for n in mask.shape]
    e.values[v.number] = loops(e, ends, ((init, t), (zero, "index"), (zero, "index")), step)[0]


def repeated_positions(e: Writer, v: Value) -> None:
    counts = v.operands[0]
    source, (init, t), one = e.value(counts), e.empty(v.shape, "int64"), e.index(1)

    def several(at: list[str], known: list[str]) -> list[str]:
        times = e.op(f"tensor.extract {source}[{at[0]}] : {e.type_of(counts)}")
        end = e.op(f"arith.index_cast {times} : i64 to index")
        position = e.op(f"arith.index_cast {at[0]} : index to i64")

        def another(_: list[str], known: list[str]) -> list[str]:
            whole, done = known
            written = e.op(f"tensor.insert {position} into {whole}[{done}] : {t}")
            return [written, e.op(f"arith.addi {done}, {one} : index")]

        return loops(e, [end], tuple(zip(known, (t, "index"), strict=True)), another)

    ends = [e.index(n) for n in counts.shape]
    e.values[v.number] = loops(e, ends, ((init, t), (e.index(0), "index")), several)[0]
