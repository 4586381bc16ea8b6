"""C functions: compiled functions for callers that have no interpreter, as addresses with a known signature.

Contract  a compiled function and the name of a signature -> `CFunction`; the C header of the general one.
When      `f.c_function()`, `f.c_header()`.
Why       samplers, integrators and filters written in C call a function a million times, from several threads.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tensordsl.base.limits import memory_errors
from tensordsl.base.stacks import COMPILER_STACK_BYTES, with_stack
from tensordsl.codegen.abi import layouts
from tensordsl.graph.printing import variable_text

if TYPE_CHECKING:
    from tensordsl.signature.modes import Mode
    from tensordsl.signature.spec import FunctionSpec

_PTR, _INT, _LONG, _DOUBLE = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_double
STATUS = {  # what a call from C may give
    0: "the call has succeeded",
    layouts.ERR_CHECK: "a check of the program has failed",
    layouts.ERR_OVERFLOW: "a length or a size is too large",
    layouts.ERR_MEMORY: "there is not enough memory",
    layouts.ERR_INDEX: "an index is out of bounds",
    layouts.ERR_INTERNAL: "internal error",
    layouts.ERR_DEOPTIMISE: "the shared variables have outgrown the program: make the C function again",
    layouts.ERR_ARGUMENT: "an argument has a wrong length, stride or address",
    layouts.ERR_ROOM: "a result has no room in its buffer",
    layouts.ERR_STACK: "the stack of the thread is too small",
    layouts.ERR_DROPPED: "the C function was dropped: keep its object as long as it is called",
}


class Signature(NamedTuple):
    """A C signature: its text with `{}` for the name; the library's function; types; what it fits; `has_handle`: the
    last parameter is the handle, which the caller passes on."""

    text: str
    function: str
    result: Any
    parameters: tuple[Any, ...]
    inputs: str
    outputs: str
    has_handle: bool = True


SIGNATURES: dict[str, Signature] = {
    "general": Signature(
        "int64_t {}(const tensordsl_array *args, const tensordsl_result *results, "
        "tensordsl_error *error, void *handle)",
        "c_call", _LONG, (_PTR, _PTR, _PTR, _PTR), "", "",
    ),
    "nutpie.logp": Signature(
        "int64_t {}(uint64_t dim, const double *x, double *gradient, double *logp, void *handle)",
        "c_logp", _LONG, (ctypes.c_uint64, _PTR, _PTR, _PTR, _PTR), "vector", "number vector",
    ),
    "nutpie.expand": Signature(
        "int64_t {}(uint64_t dim, uint64_t n, const double *x, double *out, void *handle)",
        "c_expand", _LONG, (ctypes.c_uint64, ctypes.c_uint64, _PTR, _PTR, _PTR), "vector", "vector",
    ),
    "double(int, double*, void*)": Signature(
        "double {}(int n, double *x, void *handle)", "c_of_vector", _DOUBLE, (_INT, _PTR, _PTR), "vector", "number",
    ),
    "int(double*, intptr_t, double*, void*)": Signature(
        "int {}(double *x, intptr_t n, double *value, void *handle)",
        "c_filter", _INT, (_PTR, _LONG, _PTR, _PTR), "vector", "number",
    ),
    "int64(int64, double*, double*, void*)": Signature(
        "int64_t {}(int64_t n, const double *x, double *out, void *handle)",
        "c_map", _LONG, (_LONG, _PTR, _PTR, _PTR), "vector", "vector",
    ),
    "int64(int64, double*, double*)": Signature(
        "int64_t {}(int64_t n, const double *x, double *out)", "c_map", _LONG, (_LONG, _PTR, _PTR), "vector", "vector",
        has_handle=False,
    ),
    "double(int, double*)": Signature(
        "double {}(int n, double *x)", "c_of_vector", _DOUBLE, (_INT, _PTR), "vector", "number", has_handle=False,
    ),
    "double(double, void*)": Signature(
        "double {}(double x, void *handle)", "c_of_number", _DOUBLE, (_DOUBLE, _PTR), "number", "number",
    ),
    "double(double)": Signature(
        "double {}(double x)", "c_of_number", _DOUBLE, (_DOUBLE,), "number", "number", has_handle=False,
    ),
}  # fmt: skip

STRUCTS = """\
typedef struct { void *data; const int64_t *lengths; const int64_t *strides; } tensordsl_array;
typedef struct { void *data; int64_t *lengths; int64_t bytes; } tensordsl_result;
typedef struct { int64_t site, status, a, b; } tensordsl_error;
"""


class CFunction:
    """A compiled function as a C function: it needs no interpreter, takes no lock and makes no objects.

    address    of the function
    handle     what its last parameter takes, where the signature has a `void *handle`; else 0
    signature  in C, with the name `f`
    status     what each status of the general signature means
    It may be called from several threads at once, as long as this object lives.  Shared variables have the values that
    they had when it was made.  Buffers of results may not overlap others.
    """

    status = STATUS

    def __init__(self, name: str, row: Signature, address: int, handle: int, keep: tuple[Any, ...]) -> None:
        self.name, self.address, self.handle, self._row, self._keep = name, address, handle, row, keep
        self.signature = row.text.format("f")

    def __repr__(self) -> str:
        return f"<C function of {self.name!r}: {self.signature}>"

    def bound(self) -> CFunction:
        """The same function with the handle inside: what is passed for it, if the signature has it, is ignored."""
        if not self.handle:
            return self
        from tensordsl.codegen.llvm.compile import compile_object  # late: they load LLVM and the run time
        from tensordsl.runtime.calls.c_entry import load_entry

        text = _bound(self._row, self.address, self.handle)
        address, code = load_entry(compile_object(text, 1), "entry")
        return CFunction(self.name, self._row, address, 0, (*self._keep, code))

    @property
    def prototype(self) -> Any:
        """The type of the function for `ctypes`, which releases the lock of the interpreter around a call."""
        return ctypes.CFUNCTYPE(self._row.result, *self._row.parameters)

    @property
    def ctypes(self) -> Any:
        """The function for `ctypes`, and for `numba.njit`, which compiles calls of it.

        >>> import tensordsl
        >>> import tensordsl.tensor as T
        >>> x = T.dscalar("x")
        >>> c = tensordsl.function([x], T.exp(x)).c_function("double(double)")
        >>> c.ctypes(0.0)
        1.0
        """
        made = self.prototype(self.address)
        made._keep = self
        return made

    def cffi(self, ffi: Any) -> Any:
        """The function for a `cffi.FFI`; this object has to live as long."""
        if self._row.function == "c_call":
            ffi.cdef(STRUCTS, override=True)
        return ffi.cast(re.sub(r"\{\}", "(*)", self._row.text), self.address)

    def low_level_callable(self) -> Any:
        """A `scipy.LowLevelCallable`, for `scipy.integrate.quad`, `scipy.ndimage.generic_filter` and their kin.

        Raises ImportError where SciPy is not installed, ValueError for the general signature.
        """
        try:
            from scipy import LowLevelCallable  # type: ignore[import-untyped,unused-ignore]
        except ImportError:
            raise ImportError("low_level_callable: SciPy is missing; pip install scipy") from None
        if self._row.function == "c_call":
            raise ValueError("low_level_callable: SciPy does not know the general signature")
        made, text = self.ctypes, _types_of(self._row.text)
        return LowLevelCallable(made, ctypes.c_void_p(self.handle) if self.handle else None, text)

    def text(self, site: int) -> str:
        """What the `site` of a `tensordsl_error` says."""
        from tensordsl.runtime.calls.c_entry import symbol  # late: it loads the run time

        record = _words([site])
        text = ctypes.CFUNCTYPE(ctypes.c_char_p, _PTR, _PTR)(symbol("c_text"))
        return (text(ctypes.addressof(record), self._keep[0].address) or b"").decode()

    def __call__(self, *arrays: Any) -> Any:
        """A call by the general signature, for trying it out: arrays in, a list of arrays out.

        Raises RuntimeError with what the call's error says.
        """
        if self._row.function != "c_call":
            raise TypeError(f"call f.ctypes(...): {self.signature}")
        return _call(self, arrays)


def _types_of(text: str) -> str:
    """A signature without names, as SciPy wants it."""
    result, _, rest = text.partition(" {}(")
    kinds = [re.sub(r"\w+$", "", p.replace("const ", "").strip()).strip() for p in rest.rstrip(")").split(",")]
    return f"{result} ({', '.join(kinds)})"


def make_c_function(spec: FunctionSpec, mode: Mode, signature: str) -> CFunction:
    """See `FunctionMethods.c_function`.  Raises ValueError, TypeError."""
    if signature not in SIGNATURES:
        raise ValueError(f"c_function: no signature {signature!r}; there are {', '.join(map(repr, SIGNATURES))}")
    row = SIGNATURES[signature]
    _check_fit(spec, mode, signature, row)
    with memory_errors():
        return with_stack(COMPILER_STACK_BYTES, _make, spec, mode, row)


def _make(spec: FunctionSpec, mode: Mode, row: Signature) -> CFunction:
    from tensordsl.functions.native import compile_spec, late_object  # late: they load the run time
    from tensordsl.runtime.calls.c_entry import make_handle, symbol

    spec = replace(spec, form="one" if len(spec.outputs) == 1 else "list")
    compiled = compile_spec(spec, mode, deoptimised=bool(spec.shared))
    if compiled.hosts:
        steps = ", ".join(sorted({step.node.row.name for step in compiled.hosts}))
        raise ValueError(
            f"c_function: {spec.name!r} has steps that Python does, which a C function cannot call: {steps}"
        )
    sites = {int(k): _text_of(site) for k, site in compiled.executable.meta.get("sites", {}).items()}
    values = [np.array(shared.storage, order="C") for shared in spec.shared]
    compile = partial(with_stack, COMPILER_STACK_BYTES, late_object)
    handle = make_handle(compiled.executable, values, sites, compile)
    made = CFunction(spec.name, row, symbol(row.function), handle.address, (handle,))
    return made if row.has_handle else made.bound()


def _text_of(site: Any) -> str:
    return str(site.get("text") or STATUS.get(site["kind"], site["kind"]))


_LLVM = {_PTR: "ptr", _INT: "i32", _LONG: "i64", ctypes.c_uint64: "i64", _DOUBLE: "double"}


def _bound(row: Signature, function: int, handle: int) -> str:
    """LLVM text of a function that has its handle, and calls one that takes it."""
    kinds, result = [_LLVM[t] for t in row.parameters], _LLVM[row.result]
    given = [f"{kind} %p{k}" for k, kind in enumerate(kinds)]
    lines = [f"define {result} @entry({', '.join(given)}) {{"]
    given = given[: len(given) - row.has_handle]
    callee, handle_at = (f"inttoptr (i64 {n} to ptr)" for n in (function, handle))
    lines.append(f"  %r = call {result} {callee}({', '.join([*given, f'ptr {handle_at}'])})")
    return "\n".join([*lines, f"  ret {result} %r", "}", ""])


def _check_fit(spec: FunctionSpec, mode: Mode, signature: str, row: Signature) -> None:
    if mode.executor != "native" or spec.device != "cpu":
        raise ValueError(f"c_function: wants a function that is native code of the CPU; {spec.name!r} is not")
    if spec.updates:
        names = ", ".join(variable_text(shared) for shared, _ in spec.updates)
        raise ValueError(f"c_function: {spec.name!r} updates {names}, which a C function cannot")
    if any(not p.is_plain for p in spec.parameters):
        raise ValueError(f"c_function: {spec.name!r} has inputs with defaults or states; make a function without them")
    if row.function == "c_call":
        return
    for what, wanted, variables in (("inputs", row.inputs, spec.inputs), ("outputs", row.outputs, spec.outputs)):
        found = [_word(v.type) for v in variables]
        if found != wanted.split():
            raise TypeError(
                f"c_function: the signature {signature!r} wants as {what} of float64 {wanted.replace(' ', ' and ')}, "
                f"{spec.name!r} has {', '.join(str(v.type) for v in variables) or 'none'}"
            )


def _word(type: Any) -> str:
    kinds = {0: "number", 1: "vector"}
    return kinds.get(type.ndim, "") if type.dtype == "float64" else ""


# -- the header --------------------------------------------------------------------------------------------------------
def c_header(spec: FunctionSpec) -> str:
    """See `FunctionMethods.c_header`."""
    name = re.sub(r"\W", "_", spec.name) or "f"
    guard = f"TENSORDSL_{name.upper()}_H"
    lines = [f"#ifndef {guard}", f"#define {guard}", "#include <stdint.h>", "", STRUCTS]
    lines.append(f"/* {spec.name}: 0, or a status; data is in C's types of these dtypes.")
    for what, variables in (("args", spec.inputs), ("results", spec.outputs)):
        for k, v in enumerate(variables):
            shape = ", ".join("n" if n is None else str(n) for n in v.type.shape)
            lines.append(f"   {what}[{k}]  {v.name or '-'}: {v.type.dtype}, lengths ({shape})")
    lines += [f"   status {k}: {text}" for k, text in STATUS.items()]
    lines.append("   Strides are in bytes; NULL is C order.  Results are in C order. */")
    prototype = SIGNATURES["general"].text.format("(*" + name + ")")
    return "\n".join([*lines, f"typedef {prototype.replace(name, name + '_function')};", "", "#endif", ""])


# -- trying it out -----------------------------------------------------------------------------------------------------
def _words(numbers: Sequence[int]) -> Any:
    return (ctypes.c_int64 * max(len(numbers), 1))(*numbers)


def _call(c: CFunction, arrays: Sequence[Any]) -> list[np.ndarray]:
    """The buffers grow to what the call says that it needs."""
    args, outputs = (c._keep[0].executable.meta[part] for part in ("args", "outputs"))
    if len(arrays) != len(args):
        raise TypeError(f"{c.name}: wants {len(args)} arrays, got {len(arrays)}")
    given = [np.require(a, dtype, "A") for a, (dtype, _) in zip(arrays, args, strict=True)]
    for k, (array, (_, shape)) in enumerate(zip(given, args, strict=True)):
        if array.ndim != len(shape):
            raise TypeError(f"{c.name}: argument {k} has {array.ndim} axes, wants {len(shape)}")
    shapes, strides = [_words(a.shape) for a in given], [_words(a.strides) for a in given]
    sources = [(a.ctypes.data, *map(ctypes.addressof, pair)) for a, *pair in zip(given, shapes, strides, strict=True)]
    lengths, error = [_words([0] * rank) for _, rank in outputs], _words([0] * 4)
    buffers = [np.empty(8, np.uint8) for _ in outputs]
    call: Callable[..., int] = c.prototype(c.address)
    status = layouts.ERR_ROOM
    while status == layouts.ERR_ROOM:
        pairs = zip(buffers, lengths, strict=True)
        results = _words([n for b, l in pairs for n in (b.ctypes.data, ctypes.addressof(l), b.nbytes)])
        words = _words([n for source in sources for n in source])
        status = call(ctypes.addressof(words), ctypes.addressof(results), ctypes.addressof(error), c.handle)
        if status == layouts.ERR_ROOM:
            buffers[error[2]] = np.empty(error[3], np.uint8)
    if status:
        raise RuntimeError(f"{c.name}: {STATUS.get(status, status)}: {c.text(error[0])} ({error[2]}, {error[3]})")
    return [
        np.ndarray(tuple(l[:rank]), dtype, b.data)
        for b, l, (dtype, rank) in zip(buffers, lengths, outputs, strict=True)
    ]
