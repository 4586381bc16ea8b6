"""Calls on an alternate stack: threads whose own stack may be small (64 KB) borrow a block of memory as stack.

Contract  `on_alternate_stack`, in kernels `called_on_stack`: a call of an i64 function that calls no Python; free
          stacks wait in atomic slots.
When      the caller is off the main thread's stack, which is large (`loading.memory`), and the callee needs tens of KB.
Why       launches and the BLAS need that much; programs call Python, so they stay and query the stack that is left.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Expression, Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Signature, array, i1, i64, ptr, signature
from tensordsl.codegen.library import run_time_table
from tensordsl.codegen.library.signals import watch_of_worker
from tensordsl.codegen.llvm.builder import Asm, passed

ATTRIBUTES = 32  # words of a thread's attributes, at most
STACK_RESERVE_BYTES = 1 << 14  # left in addition to what a program needs: for functions of the library and the system
TAKE_STACK = signature("take_stack", ptr, rt=ptr, bytes=i64)
GIVE_STACK = signature("give_stack", None, rt=ptr, stack=ptr, bytes=i64)
CALL_ON_STACK = signature("call_on_stack", i64, function=ptr, parameter=ptr, top=ptr, none=i64)
STACK_INTRINSICS = "declare ptr @llvm.stacksave.p0()\ndeclare void @llvm.stackrestore.p0(ptr)\n"


def is_off_main_stack(f: Asm, rt: str, here: str) -> str:
    """Does `here`, an address on the stack, lie elsewhere than in the main thread's stack?"""
    low, size = (f.load("i64", rt, layouts.RT[name]) for name in ("main_stack", "main_stack_bytes"))
    return f.compare("uge", "i64", f.sub(f.op(f"ptrtoint ptr {here} to i64"), low), size)


def has_stack_text() -> str:
    """i1: has this thread's stack so many bytes left, or does the system not tell?

    A thread's own stack ends where it ended before, so one query of the system, which takes a microsecond, is enough
    for a thread; the main one's limit may change.
    """
    f = Asm("i1", "has_stack", ("ptr rt", "i64 bytes"), internal=True)
    here = f.op("alloca i64, align 8")
    is_main = f.op(f"xor i1 {is_off_main_stack(f, '%rt', here)}, true")
    with f.when(f.is_null(f.load("ptr", "%rt", layouts.RT["pthread_getattr_np"]))):
        f.ret("i1", "true")
    with f.when(f.all(is_main, f.le("%bytes", layouts.MAIN_STACK_RESERVE_BYTES - STACK_RESERVE_BYTES))):
        f.ret("i1", "true")
    key = f.load("i32", "%rt", layouts.RT["stack_key"])
    known = f.call("ptr", f.load("ptr", "%rt", layouts.RT["pthread_getspecific"]), f"i32 {key}")
    wanted = f.add("%bytes", STACK_RESERVE_BYTES)
    address = f.op(f"ptrtoint ptr {here} to i64")
    with f.when(f.all(f.not_null(known), f.negate(is_main))):
        f.ret("i1", f.ge(f.sub(address, f.op(f"ptrtoint ptr {known} to i64")), wanted))
    low = f.call("ptr", "@lowest_of_stack", "ptr %rt")
    with f.when(f.is_null(low)):
        f.ret("i1", "true")
    with f.when(f.negate(is_main)):
        f.call("i32", f.load("ptr", "%rt", layouts.RT["pthread_setspecific"]), f"i32 {key}", f"ptr {low}")
    f.ret("i1", f.ge(f.sub(address, f.op(f"ptrtoint ptr {low} to i64")), wanted))
    return _lowest_of_stack() + f.text


def _lowest_of_stack() -> str:
    """ptr: the lowest address of this thread's stack, or NULL."""
    f = Asm("ptr", "lowest_of_stack", ("ptr rt",), internal=True)
    attributes = f.op(f"alloca i64, i64 {ATTRIBUTES}, align 16")
    low, size = f.op("alloca i64, align 8"), f.op("alloca i64, align 8")
    thread = f.call("i64", f.load("ptr", "%rt", layouts.RT["pthread_self"]))
    query = f.load("ptr", "%rt", layouts.RT["pthread_getattr_np"])
    status = f.call("i32", query, f"i64 {thread}", f"ptr {attributes}")
    with f.when(f.compare("ne", "i32", status, 0)):
        f.ret("ptr", "null")
    given = f"ptr {attributes}", f"ptr {low}", f"ptr {size}"
    f.call("i32", f.load("ptr", "%rt", layouts.RT["pthread_attr_getstack"]), *given)
    f.call("i32", f.load("ptr", "%rt", layouts.RT["pthread_attr_destroy"]), f"ptr {attributes}")
    f.ret("ptr", f.load("ptr", low))
    return f.text


def alternate_stack_texts() -> list[str]:
    return [_take_stack(), _give_stack(), _call_on_stack()]


def stack_texts() -> str:
    """What `called_on_stack` needs, of a module of kernels."""
    return STACK_INTRINSICS + "".join(alternate_stack_texts())


def needs_alternate_stack(f: Asm, rt: str, here: str) -> str:
    """Is `here` on the stack of a thread that has called us, and not the main one's?  The pool's threads have large
    stacks of their own; and they may leave a job by a jump (`library.signals`), which would not give a stack back."""
    away, done = f.label("away"), f.label("asked")
    before = f.block
    f.branch(is_off_main_stack(f, rt, here), away, done)
    f.place(away)
    is_callers = f.is_null(watch_of_worker(f, rt))
    f.jump(done)
    f.place(done)
    return f.op(f"phi i1 [ false, %{before} ], [ {is_callers}, %{away} ]")


def on_alternate_stack(f: Asm, function: str, params: Sequence[str], bytes_: str | int = 0) -> str:
    """The i64 that `function` gives for values of this function's `params` ("type name"; the first is the run-time
    table), called on a stack of `abi.layouts.ALTERNATE_STACK_BYTES` bytes or, if that is more than 0, of so many."""
    kinds, values = zip(*map(str.split, passed(params)), strict=True)
    table, got, none, done = f.op(f"alloca i64, i64 {len(kinds)}, align 16"), *map(f.label, ("got", "none", "done"))
    for k, (kind, value) in enumerate(zip(kinds, values, strict=True)):
        wide = f.op(f"zext i1 {value} to i64") if kind == "i1" else value
        f.store("i64" if kind == "i1" else kind, wide, table, 8 * k)
    stack = f.call("ptr", "@take_stack", "ptr %rt", f"i64 {bytes_}")
    f.branch(f.not_null(stack), got, none)
    f.place(none)
    here = f.call("i64", f"@{function}_of", f"ptr {table}")
    f.jump(done)
    f.place(got)
    usual = f.eq(bytes_, 0)
    top = f.gep(stack, f.choose(usual, layouts.ALTERNATE_STACK_BYTES, bytes_))
    there = f.call("i64", "@call_on_stack", f"ptr @{function}_of", f"ptr {table}", f"ptr {top}", "i64 0")
    f.call("void", "@give_stack", "ptr %rt", f"ptr {stack}", f"i64 {bytes_}")
    f.jump(done)
    f.place(done)
    return f.op(f"phi i64 [ {here}, %{none} ], [ {there}, %{got} ]")


def of_table_text(function: str, params: Sequence[str], result: str = "i64") -> str:
    """i64: what a function gives, an integer, for the values in a table."""
    f = Asm("i64", f"{function}_of", ("ptr table",), internal=True)
    values = []
    for k, kind in enumerate(param.split()[0] for param in params):
        value = f.load("i64" if kind == "i1" else kind, "%table", 8 * k)
        values.append(f"{kind} {f.op(f'trunc i64 {value} to i1') if kind == 'i1' else value}")
    given = f.call(result, f"@{function}", *values)
    f.ret("i64", given if result == "i64" else f.op(f"zext {result} {given} to i64"))
    return f.text


def needs_stack(k: Kernel, rt: Pointer) -> Number:
    """`needs_alternate_stack` of this place, in a kernel."""
    here = k.emit("ptrtoint", k.alloca(i64), to=i64)
    low, size = (run_time_table.entry(rt, name, i64) for name in ("main_stack", "main_stack_bytes"))
    answer = k.variable(False, i1)
    with k.when(k.unsigned("uge", here - low, size)):
        answer.set(run_time_table.watch_of_worker(k, rt) == k.null)
    return answer


def called_on_stack(k: Kernel, callee: Signature, operands: Sequence[Expression], bytes_: Number | int = 0) -> Number:
    """`on_alternate_stack`, in a kernel: of a function whose first operand is the run-time table."""
    table, rt = k.alloca(i64, len(operands), align=16), operands[0]
    for n, value in enumerate(operands):
        wide = value.unsigned(i64) if isinstance(value, Number) and value.type == i1 else value
        (table + n).of(wide.type)[0] = wide
    of_table, found = _of_table_signature(callee), k.variable(0, i64)
    stack = k.call(TAKE_STACK, rt, bytes_)
    with k.when(stack == k.null):
        found.set(k.call(of_table, table))
    with k.otherwise():
        size = k.number(bytes_, i64)
        top = stack.bytes(k.select(size == 0, layouts.ALTERNATE_STACK_BYTES, size))
        found.set(k.call(CALL_ON_STACK, k.address(of_table), table, top, 0))
        k.call(GIVE_STACK, rt, stack, size)
    return found


def _of_table_signature(callee: Signature) -> Signature:
    return signature(f"{callee.name}_of", i64, table=array(i64))


def of_table(callee: Signature) -> Function:
    """What a function gives for the values in a table, which `called_on_stack` calls."""

    @kernel(_of_table_signature(callee))
    def called(k: Kernel, table: Pointer) -> None:
        words = [(table + n).of(i64 if t == i1 else t)[0] for n, t in enumerate(callee.types)]
        given = [word.to(i1) if t == i1 else word for word, t in zip(words, callee.types, strict=True)]
        k.ret(k.call(callee, *given).unsigned(i64))

    return called


def _slots(f: Asm) -> list[str]:
    first = f.load("ptr", "%rt", layouts.RT["alternate_stacks"])
    return [f.gep(first, 8 * k) for k in range(layouts.ALTERNATE_STACKS)]


def _take_stack() -> str:
    """ptr: a stack of `abi.layouts.ALTERNATE_STACK_BYTES` bytes or, if that is not 0, of `bytes`, a multiple of 64; or
    null."""
    f = Asm("ptr", "take_stack", ("ptr rt", "i64 bytes"), internal=True)
    usual = f.eq("%bytes", 0)
    with f.when(usual):
        for slot in _slots(f):
            with f.when(f.not_null(f.op(f"load atomic ptr, ptr {slot} monotonic, align 8"))):
                stack = f.op(f"atomicrmw xchg ptr {slot}, ptr null seq_cst")
                with f.when(f.not_null(stack)):
                    f.ret("ptr", stack)
    size = f.choose(usual, layouts.ALTERNATE_STACK_BYTES, "%bytes")
    f.ret("ptr", f.call("ptr", f.load("ptr", "%rt", layouts.RT["aligned_alloc"]), "i64 64", f"i64 {size}"))
    return f.text


def _give_stack() -> str:
    f = Asm("void", "give_stack", ("ptr rt", "ptr stack", "i64 bytes"), internal=True)
    with f.when(f.eq("%bytes", 0)):
        for slot in _slots(f):
            with f.when(f.is_null(f.op(f"load atomic ptr, ptr {slot} monotonic, align 8"))):
                pair = f.op(f"cmpxchg ptr {slot}, ptr null, ptr %stack seq_cst monotonic")
                with f.when(f.op(f"extractvalue {{ptr, i1}} {pair}, 1")):
                    f.ret()
    f.call("void", f.load("ptr", "%rt", layouts.RT["free"]), "ptr %stack")
    f.ret()
    return f.text


def _call_on_stack() -> str:
    """i64: what a function gives for its parameter, on a stack that ends before `top`.  This function's frame stays
    behind, with all that it needs again: it is reached by a pointer, since the frame has room of any length, here
    none."""
    f = Asm("i64", "call_on_stack", ("ptr function", "ptr parameter", "ptr top", "i64 none"), internal=True)
    f.op("alloca i8, i64 %none, align 16")
    old = f.call("ptr", "@llvm.stacksave.p0")
    f.call("void", "@llvm.stackrestore.p0", "ptr %top")
    result = f.call("i64", "%function", "ptr %parameter")
    f.call("void", "@llvm.stackrestore.p0", f"ptr {old}")
    f.ret("i64", result)
    return f.text
