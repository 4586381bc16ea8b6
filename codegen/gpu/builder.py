"""The builder of GPU kernels: loops with carried values, memory in address spaces, shuffles, barriers, reducers.

Writes the LLVM text of one thread (scalars: W = 1 of `llvm.emit_scalars`), for LLVM's NVPTX and, with other
definitions of the few machine intrinsics, for the simulator.  Indices and extents are i64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from functools import lru_cache

from tensordsl.base.records import record
from tensordsl.codegen.cpu.schedule import reach
from tensordsl.codegen.fusion.group import Reducer, region
from tensordsl.codegen.gpu.fastmath import FAST, approximate, is_reciprocal_root, reciprocal_root
from tensordsl.codegen.llvm.emit_scalars import emit
from tensordsl.codegen.llvm.vector_builder import (
    Code,
    constant,
    from_memory,
    llvm_type,
    memory_type,
    part,
    shuffled,
    to_memory,
)
from tensordsl.codegen.scalar_ir.builder import ARITY, ITEMSIZE, Builder, Val, is_function
from tensordsl.codegen.scalar_ir.math import FUNCTIONS
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX

Env = dict[int, str]
GLOBAL, SHARED = " addrspace(1)", " addrspace(3)"
WARP = 32  # threads
THREADS = 256  # of a block, at most; a kernel may say otherwise
BARRIER = "llvm.nvvm.barrier0"  # the name that LLVM 20 knows; later ones read it too
SHUFFLE = "llvm.nvvm.shfl.sync.bfly.i32"
REGISTERS = "llvm.nvvm.read.ptx.sreg."
MAX_INLINED_MATH = 4  # functions; a kernel with more mathematical functions calls them


@record(eq=False)
class Kernel:
    """A kernel's text, and what its module must hold for it.  Parameters are pointers and i64.

    resident: blocks that must fit a multiprocessor at a time, which limits a thread's registers.
    threads: of a block, at most.
    """

    name: str
    text: str = field(repr=False)
    declarations: frozenset[str] = field(repr=False)
    functions: dict[str, str] = field(repr=False)
    resident: int
    threads: int = field(default=THREADS, kw_only=True)


class GpuCode(Code):
    """One kernel's body."""

    def __init__(self, prefix: str = "v", fastmath: bool = False) -> None:
        super().__init__(prefix, isa="half")
        self.fastmath = fastmath
        self.shared: list[str] = []  # definitions of shared memory

    # -- integers
    def arith(self, op: str, x: object, y: object, kind: str = "i64") -> str:
        return self.op(f"{op} {kind} {x}, {y}")

    def test(self, condition: str, x: object, y: object, kind: str = "i64") -> str:
        return self.op(f"icmp {condition} {kind} {x}, {y}")

    def min(self, x: object, y: object) -> str:
        return self.intrinsic("smin", "int64", 1, str(x), str(y))

    def opaque(self, x: str) -> str:
        """x, hidden from LLVM's loop optimisations: what depends on it is computed where it is used, neither kept in
        registers from before the loop nor carried from iteration to iteration."""
        return x if x.isdigit() else self.op(f'call i64 asm sideeffect "", "=l,0"(i64 {x})')

    def product(self, factors: Iterable[str]) -> str:
        result = "1"
        for f in factors:
            result = f if result == "1" else result if f == "1" else self.arith("mul", result, f)
        return result

    # -- the machine
    def register(self, name: str) -> str:
        """A special register (`tid.x`, ...) as i32."""
        symbol = REGISTERS + name
        self.declarations.setdefault(symbol, f"declare i32 @{symbol}()")
        return self.call(symbol, "i32")

    def barrier(self) -> None:
        """All threads of the block."""
        self.declarations.setdefault(BARRIER, f"declare void @{BARRIER}()")
        self.do(f"call void @{BARRIER}()")

    def shuffle(self, value: str, dtype: str, mask: int) -> str:
        """The value of the warp's lane (this lane xor mask); all 32 lanes must call."""
        self.declarations.setdefault(SHUFFLE, f"declare i32 @{SHUFFLE}(i32, i32, i32, i32)")

        def word(x: str) -> str:
            return self.call(SHUFFLE, "i32", "i32 -1", f"i32 {x}", f"i32 {mask}", "i32 31")

        size, t = 4 if dtype == "float16" else ITEMSIZE[dtype], llvm_type(dtype)
        if dtype == "bool":
            return self.op(f"trunc i32 {word(self.op(f'zext i1 {value} to i32'))} to i1")
        if size < 4:
            return self.op(f"trunc i32 {word(self.op(f'zext {t} {value} to i32'))} to {t}")
        bits = f"i{8 * size}"
        if t != bits:
            value = self.op(f"bitcast {t} {value} to {bits}")
        if size == 4:
            value = word(value)
        else:
            low = self.op(f"zext i32 {word(self.op(f'trunc i64 {value} to i32'))} to i64")
            high = self.op(f"trunc i64 {self.arith('lshr', value, 32)} to i32")
            high = self.arith("shl", self.op(f"zext i32 {word(high)} to i64"), 32)
            value = self.arith("or", low, high)
        return value if t == bits else self.op(f"bitcast {bits} {value} to {t}")

    # -- memory
    def at(self, pointer: str, dtype: str, index: str, space: str = GLOBAL) -> str:
        return self.op(f"getelementptr {memory_type(dtype)}, ptr{space} {pointer}, i64 {index}")

    def load(self, pointer: str, dtype: str, space: str = GLOBAL) -> str:
        value = self.op(f"load {memory_type(dtype)}, ptr{space} {pointer}, align {ITEMSIZE[real_of(dtype)]}")
        return from_memory(self, value, dtype)

    def store(self, value: str, pointer: str, dtype: str, space: str = GLOBAL) -> None:
        value = to_memory(self, value, dtype)
        self.do(f"store {memory_type(dtype)} {value}, ptr{space} {pointer}, align {ITEMSIZE[real_of(dtype)]}")

    def load_many(self, pointer: str, dtype: str, count: int, space: str = GLOBAL) -> list[str]:
        """`count` adjacent elements by one access, aligned to its size."""
        kind = memory_type(dtype, count)
        packed = self.op(f"load {kind}, ptr{space} {pointer}, align {count * ITEMSIZE[dtype]}")
        if dtype in COMPLEX:
            return [shuffled(self, kind, packed, "poison", (2 * k, 2 * k + 1)) for k in range(count)]
        values = [self.op(f"extractelement {kind} {packed}, i32 {k}") for k in range(count)]
        return [from_memory(self, x, dtype) for x in values]

    def store_many(self, values: list[str], pointer: str, dtype: str) -> None:
        if dtype in COMPLEX:
            parts = [part(self, x, dtype, k) for x in values for k in (0, 1)]
        else:
            parts = [to_memory(self, x, dtype) for x in values]
        kind, packed = memory_type(dtype, len(values)), "poison"
        for k, x in enumerate(parts):
            packed = self.op(f"insertelement {kind} {packed}, {memory_type(real_of(dtype))} {x}, i32 {k}")
        self.do(f"store {kind} {packed}, ptr{GLOBAL} {pointer}, align {len(values) * ITEMSIZE[dtype]}")

    def cells(self, name: str, dtype: str, count: int) -> str:
        """Shared memory of the block, `count` elements."""
        symbol = f"@{name}_shared{len(self.shared)}"
        self.shared.append(
            f"{symbol} = internal addrspace(3) global [{count} x {memory_type(dtype)}] undef, align 16\n"
        )
        return symbol

    # -- control
    def when(self, condition: str, body: Callable[[], None]) -> None:
        def done() -> tuple[str, ...]:
            body()
            return ()

        self.either(condition, (), done)

    def either(self, condition: str, others: Iterable[tuple[str, str]], body: Callable[[], Iterable[str]]) -> list[str]:
        """The values that `body` gives where the condition holds, else the others: (LLVM's type, value) of each."""
        yes, done, before = self.label("either"), self.label("join"), self.block
        self.do(f"br i1 {condition}, label %{yes}, label %{done}")
        self.place(yes)
        values = list(body())
        after = self.block
        self.do(f"br label %{done}")
        self.place(done)
        return [
            self.op(f"phi {kind} [ {other}, %{before} ], [ {value}, %{after} ]")
            for (kind, other), value in zip(others, values, strict=True)
        ]

    def fork(
        self, condition: str, kinds: Iterable[str], yes: Callable[[], list[str]], no: Callable[[], list[str]]
    ) -> list[str]:
        """The values, of LLVM's types `kinds`, that one of two bodies gives."""
        first, second, done = self.label("yes"), self.label("no"), self.label("join")
        self.do(f"br i1 {condition}, label %{first}, label %{second}")
        found = []
        for label, body in ((first, yes), (second, no)):
            self.place(label)
            values = body()
            found.append([f"[ {x}, %{self.block} ]" for x in values])
            self.do(f"br label %{done}")
        self.place(done)
        return [self.op(f"phi {kind} {x}, {y}") for kind, x, y in zip(kinds, *found, strict=True)]


class Loop:
    """for index in range(first, limit, step): carried values are `values` inside, and behind the loop."""

    def __init__(self, code: GpuCode, first: str, limit: str, carried: Iterable[tuple[str, str]] = ()) -> None:
        self.code, self.carried, self.entry = code, list(carried), code.block
        self.first, self.index = first, code.tmp()
        self.values = [code.tmp() for _ in self.carried]
        self.head, body, self.done = code.label("loop"), code.label("body"), code.label("done")
        code.do(f"br label %{self.head}")
        code.place(self.head)
        self.position = len(code.lines)  # of the phis, which name the last block of the body
        code.lines.append("")
        more = code.test("slt", self.index, limit)
        code.do(f"br i1 {more}, label %{body}, label %{self.done}")
        code.place(body)

    def end(self, step: object, values: Iterable[str] = ()) -> None:
        code = self.code
        following = code.arith("add", self.index, step)
        phis = [f"  {self.index} = phi i64 [ {self.first}, %{self.entry} ], [ {following}, %{code.block} ]"]
        for name, (kind, start), x in zip(self.values, self.carried, values, strict=True):
            phis.append(f"  {name} = phi {kind} [ {start}, %{self.entry} ], [ {x}, %{code.block} ]")
        code.lines[self.position] = "\n".join(phis)
        code.do(f"br label %{self.head}")
        code.place(self.done)


# -- scalar values


def evaluate(
    code: GpuCode, roots: Iterable[Val], env: Env, leaf: Callable[[Val], str], is_inlined: bool = True
) -> None:
    """Emit what `env` lacks; `leaf` gives load, index and extent.  Mathematics is `complete`: no branches."""
    for v in reach(roots, lambda v: id(v) in env or v.op == "result"):
        if id(v) in env:
            continue
        fast = _approximate(code, v, env) if code.fastmath else None
        if fast is not None:
            env[id(v)] = fast
        elif is_function(v):
            operands = [env[id(a)] for a in v.args]
            env[id(v)] = mathematics(code, v.op, v.type, operands, is_inlined)
        elif v.op in ARITY or v.op in ("const", "repeat"):
            emit(code, [v], env)
        else:
            env[id(v)] = leaf(v)


def _approximate(code: GpuCode, v: Val, env: Env) -> str | None:
    if v.type == "float32" and is_reciprocal_root(v) and id(v.args[1].args[0]) in env:
        return reciprocal_root(code, env[id(v.args[1].args[0])])
    return approximate(code, v, [env[id(a)] for a in v.args]) if v.op in FAST else None


@lru_cache(maxsize=256)
def _completed(name: str, dtype: str) -> tuple[tuple[Val, ...], Val]:
    b, f = Builder(), FUNCTIONS[name]
    params = tuple(b.param(f"x{k}", dtype) for k in range(f.arity))
    return params, f.complete(b, *params)


def mathematics(code: GpuCode, name: str, dtype: str, operands: list[str], is_inlined: bool) -> str:
    if is_inlined:
        params, root = _completed(name, dtype)
        env = {id(p): x for p, x in zip(params, operands, strict=True)}
        usual, code.fastmath = code.fastmath, False  # our own mathematics relies on exact division
        evaluate(code, [root], env, _no_leaf)
        code.fastmath = usual
        return env[id(root)]
    t, symbol = llvm_type(dtype), f"tds_gpu_{name}_{dtype}"
    text, other = _definition(name, dtype, symbol)
    code.need(other)
    code.functions[symbol] = text
    return code.call(symbol, t, *(f"{t} {x}" for x in operands))


@lru_cache(maxsize=256)
def _definition(name: str, dtype: str, symbol: str) -> tuple[str, GpuCode]:
    body, t = GpuCode(), llvm_type(dtype)
    operands = [f"%x{k}" for k in range(FUNCTIONS[name].arity)]
    result = mathematics(body, name, dtype, operands, True)
    params = ", ".join(f"{t} {x}" for x in operands)
    head = f"define internal {t} @{symbol}({params}) noinline nounwind {{"
    return f"{head}\nentry:\n{body.text}\n  ret {t} {result}\n}}\n", body


def _no_leaf(v: Val) -> str:
    raise AssertionError(v.op)


# -- reducers


class Fold:
    """A reduction's scalar functions, applied to operands: its states are lists of operands."""

    def __init__(self, value: Val) -> None:
        reducer: Reducer = value.attr[0]
        self.value, self.reducer, self.types = value, reducer, value.type
        self.state = reducer.state(self.types)

    @property
    def identity(self) -> list[tuple[str, str]]:
        """(LLVM type, constant) of each component."""
        values = self.reducer.identity(self.types)
        return [(llvm_type(t), constant(x, t)) for t, x in zip(self.state, values, strict=True)]

    def apply(self, code: GpuCode, part: str, *operands: list[str]) -> list[str]:
        """`step` (state, arguments), `combine` (state, state) or `finish` (state)."""
        params, results = region(self.reducer, part, self.types)
        flat = [x for xs in operands for x in xs]
        env = {id(p): x for p, x in zip(params, flat, strict=True)}
        evaluate(code, results, env, _no_leaf)
        return [env[id(r)] for r in results]
