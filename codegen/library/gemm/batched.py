"""Batched matrix products, `gemms_float64` and `gemms_float32`: C[t] = alpha A[t] B[t] + beta C[t].

Contract  the arguments of a product, their number, and the strides from the operands of one to those of the next.
When      one B for all and A as in one matrix: one product; k of at most 16 and small: tiles; else one after the other.
Why       a call for each small product costs more than the product; the same sums whoever does them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.gemm.text import SIZES, Vector, added, duration, element, readable
from tensordsl.codegen.library.parallel import Job, if_worth, named, operands, share
from tensordsl.codegen.library.signals import poll
from tensordsl.codegen.llvm.builder import passed
from tensordsl.codegen.llvm.function import Function

STRIDED = ("ptr a", "i64 rsa", "i64 csa", "ptr b", "i64 rsb", "i64 csb", "ptr c", "i64 ldc")
BATCH_PARAMS = ("i64 count", "i64 sa", "i64 sb")
PARAMS = ("ptr rt", *SIZES, *STRIDED, "double alpha", "double beta", "ptr scratch", *BATCH_PARAMS)
JOB = Job((*PARAMS, "i64 most"))  # products of a part


def stack_texts(v: Vector, dtype: str, panels: bool) -> list[str]:
    tiles = [_tile(v, k) for k in range(1, v.tuning.gemm.batched_max_terms + 1)]
    return [*tiles, _small(v, panels), _one_by_one(v, dtype), _part(v), _gemms(v, dtype)]


def _tile(v: Vector, k: int) -> str:
    """All products whose sums have k terms: for each, and each vector of its columns, a row of C after the other."""
    params = ("i64 m", "i64 n", *STRIDED, *BATCH_PARAMS, f"{v.kind} alpha", "i1 add")
    f = Function("void", f"stack_{v.kind}_{k}", params, internal=True)
    rest = f.and_("%n", v.lanes - 1)
    full, mask, alpha = f.sub("%n", rest), v.mask(f, rest), v.splat(f, "%alpha")
    places = _places(f, v)
    some, adjacent = f.gt(rest, 0), f.eq("%csb", 1)
    after = f.mul("%m", "%ldc")
    last = _last_complete(f, v, after)
    with f.loop("%count", ("ptr", "%a"), ("ptr", "%b"), ("ptr", "%c")) as t:
        a, b, c = t.values

        def rows(j: str, loaded: list[str], mask: str) -> None:
            with f.loop("%m", ("ptr", a), ("ptr", f.gep(c, j, v.kind))) as i:
                row, place = i.values
                total = f.op(f"fmul {v.type} {alpha}, {_sum(f, v, row, loaded)}")
                (total,) = added(f, v, [total], [place], mask)
                _store_row(f, v, total, place, mask, last)
                i.next = [f.gep(row, "%rsa", v.kind), f.gep(place, "%ldc", v.kind)]

        with f.when(some):
            rows(full, _last_of_b(f, v, k, f.gep(b, full, v.kind), mask, (adjacent, places)), mask)
        with f.loop(full, step=v.lanes) as j:
            rows(j.index, _rows_of_b(f, v, k, f.gep(b, j.index, v.kind), ""), "")
        t.next = [f.gep(x, step, v.kind) for x, step in ((a, "%sa"), (b, "%sb"), (c, after))]
    return f.end()


def _last_complete(f: Function, v: Vector, after: str) -> str:
    """The last place in C of a whole vector, if what it writes behind its row is written later: columns behind whole
    vectors of them come first.  None if rows are not contiguous, or are added to."""
    place = f.gep("%c", f.sub(f.mul("%count", after), v.lanes), v.kind)
    later = f.all(f.eq("%ldc", "%n"), f.op("xor i1 %add, true"))
    return f.choose(later, place, "null", "ptr")


def _store_row(f: Function, v: Vector, value: str, place: str, mask: str, last: str) -> None:
    """Without AVX-512 a store by a mask takes longer than what else a short row does: all lanes, where that may be."""
    if not mask or v.bytes == 64:
        v.store(f, value, place, mask)
        return
    whole, part, done = (f.label(x) for x in ("whole", "part", "stored"))
    f.branch(f.op(f"icmp ule ptr {place}, {last}"), whole, part)
    f.place(whole)
    v.store(f, value, place)
    f.jump(done)
    f.place(part)
    v.store(f, value, place, mask)
    f.place(done)


def _sum(f: Function, v: Vector, row: str, loaded: Sequence[str]) -> str:
    """The sum over k of a row of A times rows of B; of many terms in two parts, which do not wait for each other."""
    parts: list[str] = []
    chains = 2 if len(loaded) > 4 else 1
    for p, b in enumerate(loaded):
        row = f.gep(row, "%csa", v.kind) if p else row
        one = v.splat(f, f.load(v.kind, row))
        if p < chains:
            parts.append(f.op(f"fmul {v.type} {one}, {b}"))
        else:
            parts[p % chains] = v.fma(f, one, b, parts[p % chains])
    return parts[0] if chains == 1 else f.op(f"fadd {v.type} {parts[0]}, {parts[1]}")


def _rows_of_b(f: Function, v: Vector, k: int, b: str, mask: str) -> list[str]:
    rows = [b]
    for _ in range(1, k):
        rows.append(f.gep(rows[-1], "%rsb", v.kind))
    return [v.load(f, row, mask) for row in rows]


def _places(f: Function, v: Vector) -> str:
    """Where the columns of a row of B are."""
    wide = f"<{v.lanes} x i64>"
    one = f.op(f"insertelement {wide} poison, i64 %csb, i64 0")
    step = f.op(f"shufflevector {wide} {one}, {wide} poison, <{v.lanes} x i32> zeroinitializer")
    return f.op(f"mul {wide} {step}, <{', '.join(f'i64 {i}' for i in range(v.lanes))}>")


def _last_of_b(f: Function, v: Vector, k: int, b: str, mask: str, how: tuple[str, str]) -> list[str]:
    """The rows of B's last columns, which are gathered where they are not adjacent."""
    (adjacent, places), (load, gather, done) = how, (f.label(x) for x in ("load", "gather", "done"))
    f.branch(adjacent, load, gather)
    f.place(load)
    loaded = _rows_of_b(f, v, k, b, mask)
    f.jump(done)
    f.place(gather)
    gathered = []
    for _ in range(k):
        gathered.append(v.gather(f, b, places, mask))
        b = f.gep(b, "%rsb", v.kind)
    f.place(done)
    return [f.op(f"phi {v.type} [ {x}, %{load} ], [ {y}, %{gather} ]") for x, y in zip(loaded, gathered, strict=True)]


def _suits_panels(f: Function, v: Vector, size: str) -> str:
    """Is a product done sooner by unpacked panels (`unpacked` in `gemm.macro_kernel`)?"""
    whole = f.any(f.eq(f.and_("%n", v.lanes - 1), 0), f.gt("%n", 2 * v.lanes))
    several = f.all(f.gt("%n", v.lanes), *(f.ge(x, v.tuning.gemm.batched_panels_min_rows) for x in ("%m", "%k")))
    adjacent = f.all(*(f.eq(x, 1) for x in ("%csa", "%csb")))
    return f.all(whole, several, adjacent, f.ge(size, v.tuning.gemm.batched_panels_min))


def _small(v: Vector, panels: bool) -> str:
    """i1: have tiles done all products?"""
    kind = v.kind
    params = (*SIZES, *STRIDED, f"{kind} alpha", f"{kind} beta", "i1 add", *BATCH_PARAMS)
    f = Function("i1", f"small_{kind}", params, internal=True)
    refuse, run = f.label("refuse"), f.label("run")
    size = f.mul(f.mul("%m", "%n"), "%k")
    columns = f.any(f.eq("%csb", 1), f.le("%n", v.lanes - 1))
    some = f.all(*(f.gt(x, 0) for x in ("%m", "%n", "%k")))
    short = v.tuning.gemm.batched_short_terms if v.bytes == 64 else 2 * v.tuning.gemm.batched_short_terms
    narrow = f.all(f.le("%n", v.lanes), f.le("%k", short), f.le(size, v.tuning.gemm.large))
    few = f.all(f.le("%k", v.tuning.gemm.batched_max_terms), f.any(f.le(size, v.tuning.gemm.batched_small), narrow))
    wide = f.any(f.gt("%n", 1), f.le("%m", v.tuning.gemm.batched_tall_rows))
    others = f.negate(_suits_panels(f, v, size)) if panels else "true"
    f.branch(f.all(some, few, columns, wide, others), run, refuse)
    f.place(run)
    with f.when(f.all("%add", f.op(f"fcmp une {kind} %beta, 1.0"))):
        every = f.mul("%m", "%count")
        f.call("void", f"@scale_{kind}", f"i64 {every}", "i64 %n", "ptr %c", "i64 %ldc", f"{kind} %beta")
    cases = {k: f.label(f"k{k}") for k in range(1, v.tuning.gemm.batched_max_terms + 1)}
    f.do(f"switch i64 %k, label %{refuse} [{' '.join(f'i64 {k}, label %{x}' for k, x in cases.items())}]")
    f.closed = True
    for k, label in cases.items():
        f.place(label)
        operands = ("i64 %m", "i64 %n", *passed((*STRIDED, *BATCH_PARAMS)), f"{kind} %alpha", "i1 %add")
        f.call("void", f"@stack_{kind}_{k}", *operands)
        f.ret("i1", "true")
    f.place(refuse)
    return f.end("i1", "false")


def _one_by_one(v: Vector, dtype: str) -> str:
    """All products, by one thread."""
    f, kind = Function("void", f"stack_{v.kind}", PARAMS, internal=True), v.kind
    alpha, beta = ("%alpha", "%beta")
    if kind == "float":
        alpha, beta = (f.op(f"fptrunc double {x} to float") for x in (alpha, beta))
    bits = "i64" if kind == "double" else "i32"
    add = f.compare("ne", bits, f.op(f"bitcast {kind} {beta} to {bits}"), 0)  # -0 multiplies
    steps = ("%sa", "%sb", f.mul("%m", "%ldc"))
    small, done, each = f.label("small"), f.label("done"), f.label("each")
    with f.loop("%count", step=v.tuning.gemm.batched_poll_products) as t:
        at = {x: f"ptr {element(f, kind, f'%{x}', t.index, step)}" for x, step in zip("abc", steps, strict=True)}
        some = f.min(f.sub("%count", t.index), v.tuning.gemm.batched_poll_products)
        given = (*passed((*SIZES, *STRIDED)), f"{kind} {alpha}", f"{kind} {beta}", f"i1 {add}", *passed(BATCH_PARAMS))
        f.branch(f.call("i1", f"@small_{kind}", *(_moved(x, at, some) for x in given)), small, each)
        f.place(small)
        with f.when(f.eq(some, v.tuning.gemm.batched_poll_products)):
            poll(f)
    f.jump(done)
    f.place(done)
    f.ret()
    f.place(each)
    with f.loop("%count") as t:
        of = {x: f"ptr {element(f, kind, f'%{x}', t.index, step)}" for x, step in zip("abc", steps, strict=True)}
        operands = [of.get(x.split("%")[1], x) for x in passed(PARAMS[: -len(BATCH_PARAMS)])]
        f.call("void", f"@gemm_{dtype}", *operands)
    return f.end()


def _moved(operand: str, places: Mapping[str, str], count: str) -> str:
    """An operand of a call for some of the products."""
    name = operand.split("%")[-1]
    return f"i64 {count}" if name == "count" else places.get(name, operand)


def _part(v: Vector) -> str:
    """A part of a job: some products."""
    f = Function("void", f"some_{v.kind}", ["ptr job", "i64 part"], internal=True)
    given = JOB.given(f)
    first, most = f.mul("%part", given["most"]), given["most"]
    given["c"] = element(f, v.kind, given["c"], first, f.mul(given["m"], given["ldc"]))
    given |= {x: element(f, v.kind, given[x], first, given[step]) for x, step in (("a", "sa"), ("b", "sb"))}
    given["count"] = f.min(f.sub(given["count"], first), most)
    f.call("void", f"@stack_{v.kind}", *operands(PARAMS, given))
    return f.end()


def _gemms(v: Vector, dtype: str) -> str:
    f = Function("void", f"gemms_{dtype}", PARAMS)
    single, scratch = f.eq("%m", 1), f.choose(readable(f), "null", "%scratch", "ptr")
    no_scratch = f.is_null(scratch)
    values = named(PARAMS) | {"scratch": scratch}
    given = operands(PARAMS, values)
    rows = f.choose(single, "%sa", "%rsa")
    below = f.any(single, f.eq("%sa", f.mul("%m", "%rsa")))
    distant = f.all(f.eq("%csa", 1), f.ge(rows, "%k"), no_scratch)
    with f.when(f.all(f.eq("%sb", 0), below, distant, f.gt("%count", 0))):
        one = values | {"m": f.mul("%m", "%count"), "rsa": rows}
        f.call("void", f"@gemm_{dtype}", *operands(PARAMS[: -len(BATCH_PARAMS)], one))
        f.ret()
    pool, pooled, alone = f.load("ptr", "%rt", layouts.RT["threads"]), f.label("ask"), f.label("alone")
    size = f.mul(f.mul("%m", "%n"), "%k")
    may, work = f.label("may"), duration(f, v, f.mul(size, "%count"))
    f.branch(f.all(f.le(size, v.tuning.gemm.large), no_scratch, f.gt("%count", 1)), may, alone)
    f.place(may)
    if_worth(f, v.tuning, pool, work, v.tuning.gemm.parallel_min_ns, pooled, alone)
    f.place(alone)
    f.call("void", f"@stack_{v.kind}", *given)
    f.ret()
    f.place(pooled)
    threads = f.add(f.load("i64", pool, layouts.TH_WANTED), 1)
    parts = f.min("%count", f.mul(threads, v.tuning.gemm.tasks_per_thread))
    most = f.sdiv(f.sub(f.add("%count", parts), 1), parts)
    job = JOB.made(f, values | {"most": most})
    number = f.sdiv(f.sub(f.add("%count", most), 1), most)
    share(f, pool, f"some_{v.kind}", job, number)
    return f.end()
