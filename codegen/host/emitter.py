"""LLVM text of a program: `ptr @program(ptr ctx, ptr frame)` for codegen at level 0, without external symbols.

`abi.layouts` says what the program may assume and call.  The text is linear in the program: names map to LLVM operands,
and the arrays that launches, host calls and allocations pass by address are one each, as large as the largest needs.
One block fails for all, behind a record (`host.failures`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.host.blocks import blocks
from tensordsl.codegen.host.control import branch, loop, note_rounds
from tensordsl.codegen.host.failures import Condition, Waiting, before, demand, derive, fail_if, product, settle
from tensordsl.codegen.host.gemm import gemm, gemm_with_epilogue, place_of_c
from tensordsl.codegen.llvm.total_integers import DIVISION, divide_by_power_of_two
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Instr, Name, Program
from tensordsl.codegen.program_ir.tables import Tables, is_large, library_call_symbol, scatter_symbol
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.target.tuning import CallTuning

Operand = str | int
MAX_ITEM_BYTES = 1 << 47  # of an arena: every allocator fails beyond, and sums of items stay in 64 bits
ARRAYS = ("bases", "strides", "spans", "ints", "dims", "hosts", "slots", "env", "tile", "given", "jump")

USUAL = CallTuning()
MEMORY = {"bool": "i8", **{f"{u}int{n}": f"i{n}" for u in ("", "u") for n in (8, 16, 32, 64)}}
SIGNED_OPS = {"eq": "eq", "ne": "ne", "lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge"}
OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}


def emit_program(program: Program, faults: bool = False, tuning: CallTuning = USUAL) -> str:
    """The LLVM text of a verified program.

    With `faults` every instruction that may fail also fails when `ctx.inject` is its ordinal in
    `program_ir.verify.faults`; a loop then fails at its back edge.
    """
    return Emitter(program, faults, tuning).module()


class Values(dict[Name, Operand]):
    """The operands of names.  A value of 0 or 1 is an i1 in `bits`, and widened where an i64 is read."""

    def __init__(self, lines: list[str], numbers: Iterator[int]) -> None:
        self.lines, self.numbers, self.bits = lines, numbers, dict[Name, str]()

    def __missing__(self, name: Name) -> Operand:
        wide = f"%{next(self.numbers)}"
        self.lines.append(f"{wide} = zext i1 {self.bits[name]} to i64")
        return wide


class Emitter:
    """The text under construction.  `head` ends in the entry block's setup, `lines` is what follows."""

    def __init__(self, program: Program, faults: bool, tuning: CallTuning, tables: Tables | None = None) -> None:
        self.tables = tables or Tables(program)
        self.program, self.faults, self.tuning = program, faults, tuning
        self.lines: list[str] = []
        self.put = self.lines.append
        self.errors: list[str] = []
        self.waiting = Waiting()
        self.storage = ""  # allocated and not checked yet
        self.then: Instr | None = None  # the next instruction of the region
        self.released = False  # the GIL, by the pin before
        self.numbers = count()  # of values, in the order of the text: read faster than words
        self.values = Values(self.lines, self.numbers)
        self.labels = 0
        self.ordinal = 0
        self.block, self.block_start = "entry", 0
        self.helpers: dict[str, str] = {}
        self.cells: set[int] = set()
        self.extents: dict[tuple[p.Source, int], str] = {}  # address of a source's extents or strides, by offset
        self.undo: list[tuple[dict[Any, Any], Any]] = []  # what a region defined, to be forgotten at its end
        self.opened: list[str | None] = []  # per open region: its first arena block
        self.rounds: list[Operand] = []  # the running numbers of the enclosing loops
        self.notes_rounds = True
        self.failed = "fail"  # where a failing call goes on: it notes the rounds of these loops
        self.sizes = dict.fromkeys(ARRAYS, 0)
        self.written: dict[str, dict[int, Operand]] = {name: {} for name in self.sizes}  # the arrays' contents here
        self.functions: list[str] = []  # of loops over blocks
        self.globals: list[str] = []
        self.constants: dict[Any, str] = {}
        self.divides: set[str] = set()

    # -- text -----------------------------------------------------------------------------------------------------
    def tmp(self) -> str:
        return f"%{next(self.numbers)}"

    def op(self, right: str) -> str:
        name = f"%{next(self.numbers)}"
        self.put(f"{name} = {right}")
        return name

    def define(self, name: Name, value: Operand) -> None:
        self.values[name] = value
        if self.opened:
            self.undo.append((self.values, name))

    def define_bit(self, name: Name, bit: str) -> None:
        self.values.bits[name] = bit
        if self.opened:
            self.undo.append((self.values.bits, name))

    def bit(self, name: Name) -> str:
        """Whether a value is not 0."""
        return self.values.bits.get(name) or self.op(f"icmp ne i64 {self.values[name]}, 0")

    def load(self, kind: str, base: str, offset: int) -> str:
        if not offset:
            return self.op(f"load {kind}, ptr {base}")
        numbers = self.numbers
        at, value = f"%{next(numbers)}", f"%{next(numbers)}"
        self.put(f"{at} = getelementptr i8, ptr {base}, i64 {offset}\n{value} = load {kind}, ptr {at}")
        return value

    def at(self, base: str, offset: int) -> str:
        return self.op(f"getelementptr i8, ptr {base}, i64 {offset}") if offset else base

    def store(self, kind: str, value: Operand, base: str, offset: int) -> None:
        self.put(f"store {kind} {value}, ptr {self.at(base, offset)}")

    def array(self, name: str, kind: str, values: Sequence[Operand], start: int = 0) -> str:
        """The values stored to the shared array `name` from word `start` on, unless they are in it already."""
        base, put, known, numbers = "%" + name, self.put, self.written[name], self.numbers
        for k, value in enumerate(values, start):
            if known.get(k) == value:
                continue
            known[k] = value
            if k:
                at = f"%{next(numbers)}"
                put(f"{at} = getelementptr i64, ptr {base}, i64 {k}\nstore {kind} {value}, ptr {at}")
            else:
                put(f"store {kind} {value}, ptr {base}")
        end = start + len(values)
        if self.sizes[name] < end:
            self.sizes[name] = end
        return base

    def helper(self, name: str) -> str:
        """The address of a run-time function, loaded once in a block."""
        if name not in self.helpers:
            self.helpers[name] = self.load("ptr", "%rt", layouts.RT[name])
        return self.helpers[name]

    def constant(self, key: Any, text: Callable[[], str]) -> str:
        """A global for `key`, defined by `text` when it is new."""
        name = self.constants.get(key)
        if name is None:
            name = self.constants[key] = f"@c{len(self.constants)}"
            self.globals.append(f"{name} = internal constant {text()}, align 64")
        return name

    def data(self, data: bytes) -> str:
        """The address of bytes."""
        return self.constant(data, lambda: f'[{len(data)} x i8] c"\\' + data.hex("\\") + '"')

    def slot(self, k: int) -> str:
        return self.at("%objs", 8 * k)

    def label(self, hint: str) -> str:
        self.labels += 1
        return f"{hint}{self.labels}"

    def place(self, label: str) -> None:
        self.put(label + ":")
        self.block, self.block_start = label, len(self.lines)
        self.helpers.clear()

    def guard(self, ok: str) -> None:
        """Go on if the i1 `ok` holds."""
        go = self.label("g")
        self.put(f"br i1 {ok}, label %{go}, label %{self.failed}")
        self.place(go)

    def inject(self, site: int) -> None:
        """Count an instruction that may fail."""
        ordinal = self.ordinal
        self.ordinal += 1
        if self.faults:
            self.guard_injected(ordinal, site)

    def guard_injected(self, ordinal: int, site: int) -> None:
        fail_if(self, self.op(f"icmp eq i64 %inject, {ordinal}"), site, layouts.ERR_INJECTED)
        settle(self)

    # -- the module -------------------------------------------------------------------------------------------------
    def code(self, code: Sequence[Instr]) -> None:
        table, lines = EMIT, self.lines
        for i, self.then in zip(code, (*code[1:], None), strict=False):
            kind = type(i)
            before(self, kind)
            table[kind](self, i)
            if len(lines) - self.block_start > self.tuning.host_block_lines and kind is not p.Return:
                label = self.label("g")
                self.put(f"br label %{label}")
                self.place(label)

    def module(self) -> str:
        self.code(self.program.code)
        self.lines += self.errors
        self.place("fail")
        f, given = self.helper("fail"), f"ptr %ctx, ptr %frame, ptr %objs, i64 {self.program.n_slots}"
        self.put(f"ret ptr {self.op(f'call ptr {f}({given})')}\n}}\n")
        division = [DIVISION[name] for name in sorted(self.divides)]
        parts = [*division, *(g + "\n" for g in self.globals), *self.functions, self.entry()]
        return "".join((*parts, "\n".join(self.lines)))

    def entry(self) -> str:
        """The head of the program: what all functions begin with, empty objs."""
        n = self.program.n_slots
        lines = ["define ptr @program(ptr %ctx, ptr %frame) nounwind {\nentry:", f"%objs = alloca ptr, i64 {max(n, 1)}"]
        lines += self.setup()
        if n > self.tuning.slots_cleared_singly:
            lines += [
                f"%memset.p = getelementptr i8, ptr %rt, i64 {layouts.RT['memset']}\n%memset = load ptr, ptr %memset.p",
                f"%cleared = call ptr %memset(ptr %objs, i32 0, i64 {8 * n})",
            ]
        else:
            lines += [f"%o{k} = getelementptr ptr, ptr %objs, i64 {k}\nstore ptr null, ptr %o{k}" for k in range(n)]
        return "\n".join(lines) + "\n"

    def setup(self) -> list[str]:
        """Arrays and addresses."""
        lines = [f"%{name} = alloca i64, i64 {size}, align 16" for name, size in self.sizes.items() if size]

        def load(name: str, base: str, offset: int, kind: str = "ptr") -> None:
            at = f"{name}.p" if offset else base
            if offset:
                lines.append(f"{at} = getelementptr i8, ptr {base}, i64 {offset}")
            lines.append(f"{name} = load {kind}, ptr {at}")

        load("%rt", "%ctx", layouts.CTX_RT)
        if self.program.plans or self.tables.constants:
            load("%kern", "%ctx", layouts.CTX_KERN)
        if self.cells:
            load("%cells", "%ctx", layouts.CTX_CELLS)
        for k in sorted(self.cells):
            load(f"%cell{k}", "%cells", 8 * k)
        if self.faults:
            load("%inject", "%ctx", layouts.CTX_INJECT, "i64")
        return lines

    # -- integers and addresses ---------------------------------------------------------------------------------------
    def const(self, i: p.Const) -> None:
        self.define(i.dst, i.value)

    def source(self, src: p.Source) -> tuple[str, int]:
        """Base and offset of a source's triple."""
        kind, number = src
        if kind == "arg":
            return "%frame", layouts.FR_ARGS + layouts.SRC_SIZE * number
        self.cells.add(number)
        return f"%cell{number}", 0

    def axis(self, dst: Name, src: p.Source, field: int, axis: int) -> None:
        base = self.extents.get((src, field))
        if base is None:
            triple, offset = self.source(src)
            base = self.extents[src, field] = self.load("ptr", triple, offset + field)
            if self.opened:
                self.undo.append((self.extents, (src, field)))
        self.define(dst, self.load("i64", base, 8 * axis))

    def extent(self, i: p.Extent) -> None:
        self.axis(i.dst, i.src, layouts.SRC_DIMS, i.axis)
        kind, number = i.src
        if number < 256:
            what = layouts.OF_ARGUMENT if kind == "arg" else layouts.OF_VARIABLE
            self.waiting.extents[self.values[i.dst]] = what, number, i.axis

    def stride(self, i: p.Stride) -> None:
        self.axis(i.dst, i.src, layouts.SRC_STRIDES, i.axis)

    def address(self, i: p.Data) -> None:
        base, offset = self.source(i.src)
        self.define(i.dst, self.load("ptr", base, offset + layouts.SRC_DATA))

    def blas_threads(self, i: p.BlasThreads) -> None:
        threads = self.load("i64", "%rt", layouts.RT["blas_threads"])
        if not i.unless_pooled:
            self.define(i.dst, threads)
            return
        pool = self.load("ptr", "%rt", layouts.RT["threads"])
        # a word that is 0 where there is no pool
        null = self.op(f"getelementptr i8, ptr %rt, i64 {layouts.RT['threads']}")
        wanted = self.op(f"getelementptr i8, ptr {pool}, i64 {layouts.TH_WANTED}")
        others = self.op(f"select i1 {self.op(f'icmp eq ptr {pool}, null')}, ptr {null}, ptr {wanted}")
        ours = self.op(f"add i64 {self.load('i64', others, 0)}, 1")
        more = self.op(f"icmp sgt i64 {threads}, {ours}")
        self.define(i.dst, self.op(f"select i1 {more}, i64 {threads}, i64 1"))

    def arith(self, i: p.Arith) -> None:
        bits = self.values.bits
        if i.op in ("min", "max") and i.a in bits and i.b in bits:
            self.define_bit(i.dst, self.op(f"{'and' if i.op == 'min' else 'or'} i1 {bits[i.a]}, {bits[i.b]}"))
            return
        a, b = self.values[i.a], self.values[i.b]
        if i.op in ("add", "sub", "mul"):
            result = self.op(f"{i.op} i64 {a}, {b}")
        elif i.op in ("min", "max"):
            less = self.op(f"icmp {'slt' if i.op == 'min' else 'sgt'} i64 {a}, {b}")
            result = self.op(f"select i1 {less}, i64 {a}, i64 {b}")
        else:
            shifted = divide_by_power_of_two(self.op, i.op, a, b)
            if not shifted:
                self.divides |= {"floordiv", i.op}  # the second calls the first
            result = shifted or self.op(f"call i64 @{i.op}(i64 {a}, i64 {b})")
        derive(self, i.op, result, a, b)
        self.define(i.dst, result)

    def mul(self, i: p.Mul) -> None:
        self.inject(i.site)
        self.define(i.dst, product(self, self.values[i.a], self.values[i.b], i.site))

    def compare(self, i: p.Compare) -> None:
        if i.op == "eq" and i.a in self.values.bits and self.values[i.b] == 0:
            self.define_bit(i.dst, self.op(f"xor i1 {self.values.bits[i.a]}, true"))
            return
        a, b = self.values[i.a], self.values[i.b]
        self.define_bit(i.dst, self.op(f"icmp {SIGNED_OPS[i.op]} i64 {a}, {b}"))

    def check(self, i: p.Check) -> None:
        self.inject(i.site)
        a, b = self.values[i.a], self.values[i.b]
        bad = self.op(f"icmp {SIGNED_OPS[OPPOSITE[i.op]]} i64 {a}, {b}")
        demand(self, Condition(layouts.HOLDS[i.op], a, b, i.site, layouts.ERR_CHECK), bad)

    def offset(self, i: p.Offset) -> None:
        self.define(i.dst, self.op(f"getelementptr i8, ptr {self.values[i.base]}, i64 {self.values[i.bytes]}"))

    def claim(self, i: p.Claim) -> None:
        self.define(i.dst, self.values[i.src])

    def select(self, i: p.Select) -> None:
        bit, a, b = self.bit(i.cond), self.values[i.a], self.values[i.b]
        self.define(i.dst, self.op(f"select i1 {bit}, {i.kind} {a}, {i.kind} {b}"))

    def load_scalar(self, i: p.LoadScalar) -> None:
        kind = MEMORY[i.dtype]
        value = self.op(f"load {kind}, ptr {self.values[i.ptr]}")
        if kind != "i64":
            value = self.op(f"{'sext' if i.dtype[0] == 'i' else 'zext'} {kind} {value} to i64")
        self.define(i.dst, value)

    def store_scalar(self, i: p.StoreScalar) -> None:
        kind = MEMORY[i.dtype]
        value = self.op(f"zext i1 {self.bit(i.value)} to i8") if i.dtype == "bool" else self.values[i.value]
        if kind != "i64" and i.dtype != "bool":
            value = self.op(f"trunc i64 {value} to {kind}")
        self.put(f"store {kind} {value}, ptr {self.values[i.ptr]}")

    # -- storage ----------------------------------------------------------------------------------------------------
    def slot8(self, i: p.Slot) -> None:
        k = self.sizes["slots"]
        self.sizes["slots"] = k + 1
        self.define(i.dst, self.op(f"getelementptr i64, ptr %slots, i64 {k}"))

    def bytes(self, i: p.Bytes) -> None:
        if is_large(i):
            self.define(i.dst, self.load("ptr", "%kern", 8 * self.tables.constants[i.data]))
            return
        self.define(i.dst, self.data(bytes(i.data) or b"\0"))

    def arena(self, i: p.Arena) -> None:
        self.inject(i.site)
        total: Operand = 0
        offsets: list[Operand] = []
        known: dict[Operand, Operand] = {}
        for _, name in i.items:
            offsets.append(total)
            size = self.values[name]
            n = known[size] = known[size] if size in known else self.rounded(size)
            if isinstance(total, int) and isinstance(n, int):
                total += n
            else:
                total = self.op(f"add i64 {total}, {n}") if total else n
        total = self.fitting([size for size in known if not isinstance(size, int)], total)
        f = self.helper("take_arena")
        block = self.storage = self.op(f"call ptr {f}(ptr %ctx, ptr %frame, i64 {i.site}, i64 {total})")
        for (dst, _), offset in zip(i.items, offsets, strict=True):
            self.define(dst, self.op(f"getelementptr i8, ptr {block}, i64 {offset}") if offset else block)
        if self.opened and self.opened[-1] is None:
            self.opened[-1] = block

    def rounded(self, size: Operand) -> Operand:
        """A number of bytes rounded up to a multiple of 64."""
        if isinstance(size, int):
            return MAX_ITEM_BYTES if not 0 <= size < MAX_ITEM_BYTES else (size + 63) & -64
        return self.op(f"and i64 {self.op(f'add i64 {size}, 63')}, -64")

    def fitting(self, sizes: Sequence[Operand], total: Operand) -> Operand:
        """The total, MAX_ITEM_BYTES where one of the sizes is; unsigned, so that a negative one is too."""
        if not sizes:
            return total
        every, *others = sizes
        for size in others:
            every = self.op(f"or i64 {every}, {size}")
        fits = self.op(f"icmp ult i64 {every}, {MAX_ITEM_BYTES}")
        return self.op(f"select i1 {fits}, i64 {total}, i64 {MAX_ITEM_BYTES}")

    def dims(self, names: Sequence[Name]) -> str:
        self.sizes["dims"] = self.sizes["dims"] or 1
        return self.array("dims", "i64", [self.values[d] for d in names])

    def new_out(self, i: p.NewOut) -> None:
        self.inject(i.site)
        f, dims, slot = self.helper("new_like" if i.likes else "new_out"), self.dims(i.dims), self.slot(i.slot)
        given = f"ptr %ctx, ptr %frame, i64 {i.site}, i64 {i.output}, ptr {dims}, ptr {slot}"
        words = [0 if s is None else self.values[s] for row in (*i.likes, i.usual) for s in row]
        if words:
            given += f", i64 {len(i.likes)}, ptr {self.array('strides', 'i64', words)}"
        self.storage = self.op(f"call ptr {f}({given})")
        self.define(i.dst, self.storage)
        for k, name in enumerate(i.strides, len(words) - len(i.strides)):
            self.define(name, self.load("i64", "%strides", 8 * k))
            self.written["strides"][k] = self.values[name]

    def new_list(self, i: p.NewList) -> None:
        self.inject(i.site)
        f, slot = self.helper("new_list"), self.slot(i.slot)
        self.storage = self.op(f"call ptr {f}(ptr %ctx, ptr %frame, i64 {i.site}, i64 {i.n}, ptr {slot})")

    def prepare(self, i: p.Prepare) -> None:
        self.inject(i.site)
        f, dims, slot = self.helper("prepare"), self.dims(i.dims), self.slot(i.slot)
        how: Operand = (
            layouts.PREPARE_FRESH if i.fresh else layouts.PREPARE_LATE if i.late else layouts.PREPARE_IN_PLACE
        )
        if i.unless is not None:
            how = self.op(f"select i1 {self.bit(i.unless)}, i64 {layouts.PREPARE_IN_PLACE}, i64 {how}")
        call = f"call ptr {f}(ptr %ctx, ptr %frame, i64 {i.site}, i64 {i.shared}, ptr {dims}, ptr {slot}, i64 {how})"
        self.storage = self.op(call)
        self.define(i.dst, self.storage)

    # -- work ---------------------------------------------------------------------------------------------------------
    def launch_arrays(self, i: p.Launch, moved: dict[Name, Operand]) -> None:
        """The tables that a launch passes by address; moved: operands that are elsewhere."""
        plan, v = self.program.plans[i.plan], self.values
        self.array("ints", "i64", [v[x] for x in i.ints])
        if not plan.axes:  # integers and the flag are pointed at
            words = range(len(i.ints) + plan.may_fail)
            self.array("bases", "ptr", [*(v[o] for o in i.operands), *(self.at("%ints", 8 * k) for k in words)])
            return
        self.array("bases", "ptr", [moved.get(o) or v[o] for o in i.operands])
        self.sizes["bases"] = max(self.sizes["bases"], 2 * len(i.operands))  # a kernel loads steps behind
        self.array("strides", "i64", [0 if s is None else v[s] for row in i.strides for s in row])
        self.array("spans", "i64", [v[e] for e in i.extents])

    def launch(self, i: p.Launch) -> None:
        plan, pair = self.program.plans[i.plan], self.tables.epilogues.get(id(i))
        if plan.may_fail:
            self.inject(i.site)
        where = place_of_c(self, pair, min(plan.schedule.width)) if pair else ("", "")
        self.launch_arrays(i, {pair.gemm.c: where[1]} if pair else {})
        if not plan.axes:
            self.launch_direct(i, plan)
            return
        chosen = self.chosen(i)
        for name in ("strides", "spans", "ints"):
            self.sizes[name] = self.sizes[name] or 1
        tables = (chosen, "%bases", "%strides", "%spans", "%ints")
        if pair:
            gemm_with_epilogue(self, pair, where, tables)
            return
        f = self.helper("run_nest")
        bad = self.op(f"call i64 {f}(ptr %rt, {', '.join(f'ptr {x}' for x in tables)})")
        if plan.may_fail:
            fail_if(self, self.op(f"icmp ne i64 {bad}, 0"), i.site, layouts.ERR_INDEX)

    def chosen(self, i: p.Launch) -> str:
        """The index in `ctx.kern` of the plan that is launched."""
        result = self.at("%kern", layouts.PLAN_SIZE * i.plan)
        for cond, plan in i.instead:
            other = self.at("%kern", layouts.PLAN_SIZE * plan)
            result = self.op(f"select i1 {self.bit(cond)}, ptr {other}, ptr {result}")
        return result

    def launch_direct(self, i: p.Launch, plan: p.LaunchPlan) -> None:
        """A plan without axes: its kernel is called directly, without the loops of `run_nest`."""
        n, flag = len(i.ints), self.at("%ints", 8 * len(i.ints)) if plan.may_fail else ""
        if plan.may_fail:
            self.sizes["ints"] = max(self.sizes["ints"], n + 1)
            self.put(f"store i64 0, ptr {flag}")
            self.written["ints"].pop(n, None)
        kernel = self.load("ptr", self.load("ptr", self.chosen(i), layouts.PLAN_KERNELS), 0)
        self.put(f"call void {kernel}(ptr %bases, i64 1, i64 1)")
        if plan.may_fail:
            fail_if(self, self.op(f"icmp ne i64 {self.op(f'load i64, ptr {flag}')}, 0"), i.site, layouts.ERR_INDEX)

    def require(self, i: p.Require) -> None:
        self.inject(i.site)
        wanted: Operand = 0
        for k, (cond, _) in enumerate(i.choices):
            own = self.op(f"select i1 {self.bit(cond)}, i64 {1 << k}, i64 0")
            wanted = self.op(f"or i64 {wanted}, {own}") if wanted else own
        absent = self.load("i64", "%kern", 8 * (self.tables.absent + i.first // layouts.CHOICES))
        missing = self.op(f"and i64 {wanted}, {absent}")
        condition = Condition(layouts.HOLDS["zero"], missing, i.first, i.site, layouts.ERR_ABSENT)
        demand(self, condition, self.op(f"icmp ne i64 {missing}, 0"))

    def deoptimise(self, i: p.Deoptimise) -> None:
        self.inject(i.site)
        for cond in i.conditions:
            fail_if(self, self.bit(cond), i.site, layouts.ERR_DEOPTIMISE)

    def scatter(self, i: p.Scatter) -> None:
        v, f = self.values, self.helper(scatter_symbol(i))
        bases = self.array("bases", "ptr", [v[x] for x in (i.x, i.y, *i.positions)])
        names = (i.count, i.y_step, *i.steps, *i.dims, *i.x_strides, *i.y_strides)
        sizes = [str(ITEMSIZE[t]) for t in i.position_types]
        words = self.array("strides", "i64", [*(v[n] for n in names), *sizes])
        counts = f"i64 {len(i.positions)}, i64 {len(i.dims)}, i64 {+i.is_row}"
        self.put(f"call void {f}(ptr {bases}, ptr {words}, {counts})")

    def library_call(self, i: p.LibraryCall) -> None:
        v, f, operands = self.values, self.helper(library_call_symbol(i)), i.inputs + i.outputs
        bases = self.array("bases", "ptr", [*(v[o[0]] for o in operands), "%rt"])
        words = self.array("strides", "i64", [v[n] for _, _, dims, strides in operands for n in (*dims, *strides)])
        self.put(f"call void {f}(ptr {bases}, ptr {words}, i64 {len(i.inputs[0][2])})")

    def copy(self, i: p.Copy) -> None:
        v, f = self.values, self.helper("copy")
        self.put(f"call void {f}(ptr %rt, ptr {v[i.dst]}, ptr {v[i.src]}, i64 {v[i.bytes]})")

    def fill(self, i: p.Fill) -> None:
        f = self.helper("clear")
        self.put(f"call void {f}(ptr {self.values[i.dst]}, i64 {self.values[i.bytes]})")

    def host_call(self, i: p.HostCall) -> None:
        self.inject(i.site)
        f = self.helper("host_call")
        self.host_operands(i.inputs + i.outputs)
        n_in, n_out = len(i.inputs), len(i.outputs)
        outs = self.at("%hosts", layouts.HOST_SIZE * n_in)
        note_rounds(self)
        head = f"ptr %ctx, ptr %frame, i64 {i.site}, i64 {i.host}"
        bad = self.op(f"call i64 {f}({head}, i64 {n_in}, ptr %hosts, i64 {n_out}, ptr {outs})")
        self.guard(self.op(f"icmp eq i64 {bad}, 0"))
        if self.rounds:
            self.store("i64", 0, "%frame", layouts.FR_DEPTH)

    def host_operands(self, operands: Sequence[p.HostOperand | p.Kept | None]) -> None:
        """Fill the array of descriptors."""
        words, at = layouts.HOST_SIZE // 8, 0
        for k, operand in enumerate(operands):
            if operand is None:
                self.array("hosts", "ptr", ["null"], words * k)
                continue
            data, dtype, dims = ("", operand.dtype, ()) if isinstance(operand, p.Kept) else operand
            if isinstance(operand, p.Kept):
                place, rank, mask = self.slot(operand.slot), len(operand.dims), 0
                for axis, (length, dim) in enumerate(zip(operand.lengths, operand.dims, strict=True)):
                    mask |= (length is not None) << axis
                    if length is not None:
                        self.array("dims", "ptr", [self.values[length]], at + axis)
                    else:
                        self.array("dims", "i64", [-1 if dim is None else self.values[dim]], at + axis)
            else:
                place, rank, mask = str(self.values[data]), len(dims), 0
                self.array("dims", "i64", [self.values[d] for d in dims], at)
            self.array("hosts", "ptr", [place], words * k)
            self.array("hosts", "i64", [layouts.DTYPE_CODE[dtype], rank], words * k + 1)
            self.array("hosts", "ptr", [self.at("%dims", 8 * at)], words * k + 3)
            kept = mask | layouts.HOST_IS_KEPT if isinstance(operand, p.Kept) else 0
            self.array("hosts", "i64", [kept], words * k + layouts.HOST_KEPT // 8)
            at += rank
        for name in ("dims", "hosts"):
            self.sizes[name] = self.sizes[name] or 1

    def take_result(self, i: p.TakeKept) -> None:
        self.inject(i.site)
        self.host_operands((i.output,))
        note_rounds(self)
        given = f"ptr %ctx, ptr %frame, i64 {i.site}, i64 {i.host}, ptr {self.slot(i.slot)}, ptr %hosts"
        bad = self.op(f"call i64 {self.helper('take_result')}({given})")
        self.guard(self.op(f"icmp eq i64 {bad}, 0"))
        if self.rounds:
            self.store("i64", 0, "%frame", layouts.FR_DEPTH)

    # -- state --------------------------------------------------------------------------------------------------------
    def pin(self, i: p.Pin) -> None:
        self.inject(i.site)
        take, go = self.label("pin"), self.label("g")
        long = self.op(f"icmp sgt i64 {self.values[i.work]}, {i.threshold}")
        self.put(f"br i1 {long}, label %{take}, label %{go}")
        self.place(take)
        self.sizes["jump"] = layouts.JUMP_SIZE // 8
        stopped = self.op(f"call i32 {self.helper('_setjmp')}(ptr %jump) returns_twice")
        self.guard(self.op(f"icmp eq i32 {stopped}, 0"))
        self.store("ptr", "%jump", "%frame", layouts.FR_JUMP)
        slots = self.slot(i.slots[0]) if i.slots else "%objs"
        self.released = isinstance(self.then, p.ReleaseGil) and self.then.when is None
        then = layouts.PIN_WATCH if i.watched else layouts.PIN_RELEASE if self.released else layouts.PIN_ALONE
        given = f"ptr %ctx, ptr %frame, i64 {i.site}, ptr {slots}, i64 {then}"
        bad = self.op(f"call i64 {self.helper('pin')}({given})")
        self.put(f"br i1 {self.op(f'icmp eq i64 {bad}, 0')}, label %{go}, label %fail")
        self.place(go)

    def release_gil(self, i: p.ReleaseGil) -> None:
        if not self.released:
            when = 1 if i.when is None else self.values[i.when]
            self.put(f"call void {self.helper('save_thread')}(ptr %ctx, ptr %frame, i64 {when})")
        self.released = False

    def acquire_gil(self, i: p.AcquireGil) -> None:
        if not isinstance(self.then, p.Return) or self.then.list_slot >= 0:  # else `release` takes it back
            self.put(f"call void {self.helper('restore_thread')}(ptr %ctx, ptr %frame)")

    def unwatch(self, i: p.Unwatch) -> None:
        if not isinstance(self.then, (p.Commit, p.Return)):  # these do not poll, and `release` ends it
            self.put(f"call void {self.helper('unwatch')}(ptr %frame)")

    def commit(self, i: p.Commit) -> None:
        if i.updates:
            f, updates = self.helper("commit"), self.data(b"".join(layouts.COMMIT.pack(*pair) for pair in i.updates))
            self.put(f"call void {f}(ptr %ctx, ptr %objs, ptr {updates}, i64 {len(i.updates)})")

    def ret(self, i: p.Return) -> None:
        """The result's objects are taken out of the slots; `release` drops what is in the others."""
        taken = i.slots if i.list_slot < 0 else (i.list_slot, *i.slots)
        values = [self.load("ptr", "%objs", 8 * slot) for slot in taken]
        n = self.program.n_slots if len(taken) < self.program.n_slots else 0
        for slot in taken if n else ():
            self.store("ptr", "null", "%objs", 8 * slot)
        result, *others = values
        items = self.load("ptr", result, layouts.LIST_ITEMS) if others else ""
        for k, value in enumerate(others):
            self.store("ptr", value, items, 8 * k)
        self.put(f"call void {self.helper('release')}(ptr %ctx, ptr %frame, ptr %objs, i64 {n})\nret ptr {result}")


EMIT: dict[type[Instr], Callable[[Emitter, Any], None]] = {
    p.Const: Emitter.const, p.Extent: Emitter.extent, p.Stride: Emitter.stride, p.Data: Emitter.address,
    p.BlasThreads: Emitter.blas_threads,
    p.Arith: Emitter.arith, p.Mul: Emitter.mul, p.Compare: Emitter.compare, p.Check: Emitter.check,
    p.Offset: Emitter.offset, p.Claim: Emitter.claim, p.Select: Emitter.select, p.LoadScalar: Emitter.load_scalar,
    p.StoreScalar: Emitter.store_scalar, p.Slot: Emitter.slot8, p.Bytes: Emitter.bytes, p.Arena: Emitter.arena,
    p.NewOut: Emitter.new_out, p.NewList: Emitter.new_list, p.Prepare: Emitter.prepare, p.Launch: Emitter.launch,
    p.Require: Emitter.require, p.Deoptimise: Emitter.deoptimise, p.Gemm: gemm, p.Scatter: Emitter.scatter,
    p.Copy: Emitter.copy, p.Fill: Emitter.fill, p.HostCall: Emitter.host_call, p.TakeKept: Emitter.take_result,
    p.LibraryCall: Emitter.library_call,
    p.For: loop, p.If: branch, p.Blocks: blocks, p.Pin: Emitter.pin, p.ReleaseGil: Emitter.release_gil,
    p.AcquireGil: Emitter.acquire_gil, p.Unwatch: Emitter.unwatch,
    p.Commit: Emitter.commit, p.Return: Emitter.ret,
}  # fmt: skip
