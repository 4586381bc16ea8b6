"""The user's expression graph: variables, applications of ops to variables, and walks over them without recursion."""

from __future__ import annotations

import os
import sys
from _thread import _local
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from functools import wraps
from types import CodeType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numpy as np

from tensordsl.base.records import record
from tensordsl.graph.types import COMPLEX, Dim, TensorType, tensor_type

Function = TypeVar("Function", bound=Callable[..., Any])


# -- one op = one row ------------------------------------------------------------------------------------------------
@record(eq=False)
class Elementwise:
    """Meaning: one scalar computation at every point of the broadcast operands.

    scalar(b, *values) -> value: written with a scalar builder, for every target.
    loop(*dtypes) -> the dtypes to which the operands are cast first.
    widens: the scalar sees float16 operands as float32, and its result is rounded; else it sees them as they are.
    """

    scalar: Callable[..., Any]
    loop: Callable[..., tuple[str, ...]]
    widens: bool = True


@record(eq=False)
class Reduction:
    """Meaning: a Reducer over the axes `attrs["axis"]` (a tuple); output k is the reducer's result `results[k]`.

    The operands are first cast to `loop(*dtypes, **attrs)`.  with_index: the position along the (single) axis is a
    second argument of the reducer.  needs_element: axes without an element are an error, unless the attribute `initial`
    says that the reducer's identity counts as one.
    """

    reducer: Any
    loop: Callable[..., tuple[str, ...]]
    results: tuple[int, ...] = (0,)
    with_index: bool = False
    needs_element: bool = False


@record(eq=False)
class Movement:
    """Meaning: the same elements at other places.  map(ndim of operand, **attrs) -> for every axis of the operand the
    axis of the result that indexes it, or None (an axis of length 1, read at 0)."""

    map: Callable[..., tuple[int | None, ...]]


@record(eq=False)
class Expand:
    """Meaning: other ops.  build(*variables, **attrs) -> variable(s), written with the public functions."""

    build: Callable[..., Any]


@record(eq=False)
class Kernel:
    """Meaning: a construct the compiler knows by name (dot, reshape, subtensor, take, for, ifelse, print, ...).

    takes_complex: operands may be complex numbers; calls_python: the program calls code of this process, which no other
    can run.
    """

    name: str
    takes_complex: bool = True
    calls_python: bool = False


HOST = Kernel("host", calls_python=True)  # of a row that has no native code: its oracle is called
HOST_OF_REAL = Kernel("host", takes_complex=False, calls_python=True)
Meaning = Elementwise | Reduction | Movement | Expand | Kernel


@record(eq=False)
class Op:
    """Everything true of one operation.  Rows stand in `tensordsl.ops`; to add an op is to add one row and one `def`.

    dtype(*dtypes, **attrs)   -> dtype of the result, or a tuple of several
    shape(d, *operands, **attrs) -> shape of the result (a tuple of shapes if dtype gives several dtypes), written with
        the dimension algebra `d` (see `Dims`); for static types at construction and symbolic extents in the compiler
    oracle(*arrays, **attrs)  -> the result by NumPy, independent of the lowering: the judge
    meaning                   -> how the compiler sees it
    gradient(g, out, *operands, **attrs) -> one cotangent per operand, None where disconnected, `ops.cotangents.ZERO`
    where
        the operand matters in steps (a condition); g, out are tuples if the op has several outputs.  None: see
        `no_gradient`
    no_gradient               -> the reason why there is none ("piecewise constant: ..." means zero almost everywhere)
    """

    name: str
    dtype: Callable[..., Any]
    shape: Callable[..., Any]
    oracle: Callable[..., Any] | None
    meaning: Meaning
    gradient: Callable[..., Sequence[Variable | None]] | None = None
    no_gradient: str = ""
    commutative: bool = False
    effect: bool = False
    ulp: float = 0.0  # how far the native result may be from the oracle's, in units in the last place
    domain: tuple[float, float] = (-10.0, 10.0)  # where random tests draw real operands from
    symbol: str = ""  # infix or prefix spelling for pp, e.g. "+"
    print_name: str = ""
    use: Callable[[Any], Op] | None = None  # the op of an application, where that is a class of its own
    # (node, tangents of the operands) -> those of the results, where they are not the transpose of the gradient
    tangent: Callable[[Any, Sequence[Any]], Sequence[Any]] | None = None

    @property
    def row(self) -> Op:
        """The row: itself, or that of which this is a use."""
        return self

    @property
    def is_custom(self) -> bool:
        """Whether it computes a user's Python function."""
        return isinstance(self.meaning, Kernel) and self.meaning.name == "callback"

    def __call__(self, *inputs: Any, **attrs: Any) -> Any:
        for v in inputs:
            if not isinstance(v, Variable):
                raise TypeError(f"{self.name}: the operands of a row are variables, got {v!r}; use as_tensor_variable")
        return apply(self, *inputs, **attrs)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """What Theano's programs ask of an op: `op.scalar_op`, `op.axis`, `op.new_order`."""
            if name.startswith("_"):
                raise AttributeError(name)
            from tensordsl.graph.theano_forms import attribute  # late: rows stand above the graph

            return attribute(self, name)

    def __repr__(self) -> str:
        from tensordsl.graph.theano_forms import text  # late: as above

        return text(self)

    def __reduce__(self) -> tuple[Any, ...]:
        from tensordsl.graph.pickling import reduce_op  # late: only pickles and copies need it

        return reduce_op(self)


class Dims(Protocol):
    """The algebra of dimensions of shape rules: over ints and None here, over extents in the compiler."""

    def shape(self, operand: Any) -> tuple[Any, ...]: ...
    def value(self, operand: Any) -> Any:
        """The value of a 0-d integer operand as a dimension."""

    def add(self, a: Any, b: Any) -> Any: ...
    def sub(self, a: Any, b: Any) -> Any: ...
    def mul(self, a: Any, b: Any) -> Any: ...
    def floordiv(self, a: Any, b: Any) -> Any: ...
    def minimum(self, a: Any, b: Any) -> Any: ...
    def maximum(self, a: Any, b: Any) -> Any: ...
    def same(self, a: Any, b: Any, what: str) -> Any:
        """The common dimension; different ones are an error (at once if known, else at run time)."""

    def broadcast(self, dims: Sequence[Any]) -> Any:
        """The dimension of aligned axes: a static 1 gives way; all others must agree."""

    def stretch(self, dims: Sequence[Any]) -> Any:
        """The same where a 1 that is known at run time gives way too."""

    def fits(self, length: Any, own: Any, what: str) -> Any:
        """The dimension `length` of an axis along which something of length `own` is stretched, also at run time."""


class StaticDims:
    """`Dims` over ints and None (unknown)."""

    def shape(self, operand: Variable) -> tuple[Dim, ...]:
        return operand.type.shape

    def value(self, operand: Variable) -> Dim:
        return int(operand.data) if isinstance(operand, Constant) else None

    def add(self, a: Dim, b: Dim) -> Dim:
        return None if a is None or b is None else a + b

    def sub(self, a: Dim, b: Dim) -> Dim:
        return None if a is None or b is None else a - b

    def mul(self, a: Dim, b: Dim) -> Dim:
        return None if a is None or b is None else a * b

    def floordiv(self, a: Dim, b: Dim) -> Dim:
        return None if a is None or b is None else (a // b if b else 0)

    def minimum(self, a: Dim, b: Dim) -> Dim:
        return None if a is None or b is None else min(a, b)

    def maximum(self, a: Dim, b: Dim) -> Dim:
        return None if a is None or b is None else max(a, b)

    def same(self, a: Dim, b: Dim, what: str) -> Dim:
        if a is not None and b is not None and a != b:
            raise ValueError(f"{what}: {a} != {b}")
        return b if a is None else a

    def broadcast(self, dims: Sequence[Dim]) -> Dim:
        known = {d for d in dims if d not in (None, 1)}
        if len(known) > 1:
            lengths = ", ".join(map(str, sorted(d for d in known if d is not None)))
            raise ValueError(f"lengths {lengths} do not broadcast")
        if known:
            return known.pop()
        return None if None in dims else 1

    stretch = broadcast

    def fits(self, length: Dim, own: Dim, what: str) -> Dim:
        return length if own == 1 else self.same(own, length, what)


STATIC = StaticDims()


# -- variables and applications --------------------------------------------------------------------------------------
class Origin:
    """Where the user built something: cheap to capture, resolved to file and line only when printed."""

    __slots__ = ("code", "instruction")

    def __init__(self, code: CodeType, instruction: int) -> None:
        self.code, self.instruction = code, instruction

    @property
    def line(self) -> int:
        for start, end, line in self.code.co_lines():
            if start <= self.instruction < end and line is not None:
                return line
        return self.code.co_firstlineno

    @property
    def file(self) -> str:
        return self.code.co_filename

    def source(self) -> str:
        """The user's line of text, "" if there is no such file."""
        import linecache

        return linecache.getline(self.file, self.line).strip()

    @property
    def function(self) -> str:
        return self.code.co_name

    def __str__(self) -> str:
        text = self.source()
        return f"{self.file}:{self.line} in {self.function}" + (f"\n    {text}" if text else "")

    def __reduce__(self) -> tuple[Any, ...]:
        return SavedOrigin, (self.file, self.line, self.function, self.source())


@record
class SavedOrigin:
    """An `Origin` that came out of a pickle: the code itself is not there any more."""

    file: str
    line: int
    function: str
    text: str

    def source(self) -> str:
        return self.text

    __str__ = Origin.__str__


_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# The sub-packages are also reached through the folders beside the package in a source checkout.
_OURS = (_PACKAGE, *(os.path.realpath(_PACKAGE + name) + os.sep for name in ("codegen", "runtime")))
_OUR_FILES: set[str] = set()  # those that were met


def capture_origin() -> Origin | None:
    """The innermost frame outside this library."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_filename not in _OUR_FILES and not is_ours(code.co_filename):
            return Origin(code, frame.f_lasti)
        frame = frame.f_back  # type: ignore[assignment]  # typeshed has no Optional loop variable here
    return None


def is_ours(file: str) -> bool:
    """Whether a file is one of this library."""
    if file not in _OUR_FILES:
        if not file.startswith(_OURS):
            return False
        _OUR_FILES.add(file)
    return True


def user_level() -> int:
    """The `stacklevel` with which a warning, given by the caller of this, shows the user's line."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    return level


# The last comparison of a variable by ==, != or `in`, of each code that has made one; by the code's id.
COMPARED: dict[int, Origin] = {}


class Variable:
    """A symbolic value.  `type`; `owner` (the Apply that makes it, or None), `index` among its outputs; `name` and
    `tag` are the user's to set.  Two variables are equal only if they are the same object."""

    __slots__ = ("type", "owner", "index", "name", "tag", "origin", "__weakref__", "__dict__")

    def __init__(self, type: TensorType, owner: Apply | None = None, index: int = 0, name: str | None = None) -> None:
        if owner is not None and not isinstance(owner, Apply):
            raise TypeError(f"{self.__class__.__name__}: the owner must be an Apply, got {owner!r}")
        if type.__class__ is not TensorType and not type.__class__.__name__.endswith("Type"):  # or a marker's
            raise TypeError(f"{self.__class__.__name__}: the type must be a TensorType, got {type!r}")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a name must be a string, got {name!r}")
        self.type, self.owner, self.index, self.name = type, owner, index, name
        self.tag = SimpleNamespace()
        self.origin: Origin | SavedOrigin | None = owner.origin if owner is not None else capture_origin()

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        frame = sys._getframe(1)
        COMPARED[id(frame.f_code)] = Origin(frame.f_code, frame.f_lasti)  # for `graph.equality`
        return NotImplemented

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        if self.name:
            return self.name
        return f"<{self.type}>" if self.owner is None else f"{self.owner.row.name}.{self.index}"

    def __str__(self) -> str:
        """As `repr`, with the op in Theano's form: `Elemwise{add,no_inplace}.0`."""
        return repr(self) if self.name or self.owner is None else f"{self.owner.op}.{self.index}"

    def __reduce__(self) -> tuple[Any, ...]:
        from tensordsl.graph.pickling import reduce_variable  # late: only pickles and copies need it

        return reduce_variable(self)

    def __setstate__(self, state: Any) -> None:
        """Only variables in Theano's pickles have a state."""
        from tensordsl.graph.pickling import take_theanos_state  # late, as above

        take_theanos_state(self, state)


class Constant(Variable):
    """A variable with a value that never changes: `data`, an array that must not be written."""

    __slots__ = ("data",)

    def __init__(self, type: TensorType, data: Any, name: str | None = None) -> None:
        super().__init__(type, name=name)
        self.data: Any = data

    def __reduce__(self) -> tuple[Any, ...]:
        from tensordsl.graph.pickling import reduce_constant  # late: only pickles and copies need it

        return reduce_constant(self)


@record(eq=False)
class Apply:
    """One use of an op: `inputs` and `attrs` give `outputs`."""

    row: Op
    inputs: tuple[Variable, ...]
    attrs: dict[str, Any]
    origin: Origin | SavedOrigin | None
    outputs: tuple[Variable, ...] = field(default=(), init=False)

    @property
    def op(self) -> Op:
        """The row as it is used here: with the attributes, where there are some."""
        if self.row.use is not None:
            return self.row.use(self)
        return UsedOp(self) if self.attrs or len(self.outputs) > 1 else self.row

    @property
    def nin(self) -> int:
        return len(self.inputs)

    @property
    def nout(self) -> int:
        return len(self.outputs)

    def default_output(self) -> Variable:
        return self.outputs[0]

    def clone_with_new_inputs(self, inputs: Sequence[Variable], strict: bool = True) -> Apply:
        """The same application of the op to others.  strict: they have the types of these, else TypeError."""
        from tensordsl.graph.substitute import reapply  # late: it stands above the graph

        for old, new in zip(self.inputs, inputs, strict=True):
            if strict and not old.type.accepts(new.type):
                raise TypeError(
                    f"cannot convert {new.type} (of {new!r}) into {old.type}; cast it, or pass strict=False"
                )
        made = reapply(self, inputs)[0].owner
        assert made is not None
        return made

    def clone(self) -> Apply:
        """The same application once more."""
        return self.clone_with_new_inputs(self.inputs)

    @property
    def out(self) -> Variable:
        return self.default_output()

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.inputs))})"

    def __reduce__(self) -> tuple[Any, ...]:
        from tensordsl.graph.pickling import reduce_apply  # late: only pickles and copies need it

        return reduce_apply(self)


class OpView(Op):
    """A row as a program sees it; the columns are the row's, and it is equal to the row."""

    __slots__ = ("_row",)

    def __init__(self, row: Op) -> None:
        self._row = row

    @property
    def row(self) -> Op:
        return self._row

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Op) and other.row is self._row

    def __hash__(self) -> int:
        return hash(self._row)


class UsedOp(OpView):
    """A row with the attributes of one application of it: `op(*others)` applies it to others with these.

    It is equal to other uses with the same attributes.
    """

    __slots__ = ("node",)

    def __init__(self, node: Apply) -> None:
        super().__init__(node.row)
        self.node = node

    def __call__(self, *inputs: Any, **attrs: Any) -> Any:
        return self.row(*inputs, **{**self.node.attrs, **attrs})

    def __eq__(self, other: object) -> bool:
        is_same = super().__eq__(other)
        return is_same and (not isinstance(other, UsedOp) or self.node.attrs == other.node.attrs)

    __hash__ = OpView.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return UsedOp, (self.node,)


class OpTypeError(TypeError):
    """An op was applied to operands its row does not accept."""


class OpShapeError(ValueError):
    """An op was applied to operands whose known shapes do not fit."""


_COMPLEX = frozenset(COMPLEX)


def apply(op: Op, *inputs: Variable, **attrs: Any) -> Any:
    """Apply `op` and check dtypes and static shapes now, in the user's own frame.

    Returns one variable, or a tuple where the op has several results.
    """
    if _OPERAND_HOOKS and not _INTERNAL.graphs:
        for change in _OPERAND_HOOKS:
            inputs = change(op, inputs)
    try:
        dtypes = tuple([v.type.dtype for v in inputs])
        if not _COMPLEX.isdisjoint(dtypes):
            for check in _COMPLEX_HOOKS:
                check(op, dtypes, attrs)
        dtype = op.dtype(*dtypes, **attrs)
        shape = op.shape(STATIC, *inputs, **attrs)
    except TypeError as error:
        raise OpTypeError(_mismatch(op, inputs, error)) from None
    except ValueError as error:
        raise OpShapeError(_mismatch(op, inputs, error)) from None
    node = Apply(op, inputs, attrs, capture_origin())
    several = isinstance(dtype, tuple)
    if several:
        types = [tensor_type(t, tuple(s)) for t, s in zip(dtype, shape, strict=True)]
        outputs = tuple([type.output(node, k) for k, type in enumerate(types)])
    else:
        outputs = (tensor_type(dtype, tuple(shape)).output(node, 0),)
    object.__setattr__(node, "outputs", outputs)
    if _APPLY_HOOKS and not _INTERNAL.graphs and not _INTERNAL.copies:
        for hook in _APPLY_HOOKS:
            hook(node)
    return outputs if several else outputs[0]


# Called with every new Apply; `tensordsl.debugging.testvalues` puts the computation of test values here while it is
# switched on.
_APPLY_HOOKS: list[Callable[[Apply], None]] = []
# Called with op, dtypes and attributes of every Apply to be that has complex operands (`tensordsl.ops.math.complexes`).
_COMPLEX_HOOKS: list[Callable[[Op, tuple[str, ...], dict[str, Any]], None]] = []
# Called with the op and operands of every Apply to be; gives the operands to use (`tensordsl.ops.policies`).
_OPERAND_HOOKS: list[Callable[[Op, tuple[Variable, ...]], tuple[Variable, ...]]] = []


class _Internal(_local):
    """How many graphs of the library's own, and copies of the user's, this thread is building."""

    graphs = 0
    copies = 0


_INTERNAL = _Internal()


def has_hooks() -> bool:
    """Whether somebody is told of new applications, or chooses their operands."""
    return bool(_APPLY_HOOKS or _OPERAND_HOOKS) and not _INTERNAL.graphs


class unwatched:
    """`with unwatched():` what this thread builds inside is the library's own (patterns, expansions, compiled graphs):
    nobody is told of it or chooses operands.  Policies of operands still hold for `copies` of the user's graph."""

    def __init__(self, copies: bool = False) -> None:
        self._kind = "copies" if copies else "graphs"

    def __enter__(self) -> None:
        setattr(_INTERNAL, self._kind, getattr(_INTERNAL, self._kind) + 1)

    def __exit__(self, *_: object) -> None:
        setattr(_INTERNAL, self._kind, getattr(_INTERNAL, self._kind) - 1)

    def __call__(self, function: Function) -> Function:
        """As a decorator: whatever `function` builds."""

        @wraps(function)
        def inside(*arguments: Any, **keywords: Any) -> Any:
            with self:
                return function(*arguments, **keywords)

        return cast(Function, inside)


def _mismatch(op: Op, inputs: Sequence[Variable], error: Exception) -> str:
    got = ", ".join(f"{v.name}: {v.type}" if v.name else str(v.type) for v in inputs)
    return f"{op.name}: {error}\n  operands: ({got})"


# -- walks -----------------------------------------------------------------------------------------------------------
def toposort(outputs: Iterable[Variable], stop: Iterable[Variable] = ()) -> list[Apply]:
    """Every application that `outputs` need, operands before users, each once, in an order that depends on the graph
    alone; the makers of variables in `stop` are left out.  ValueError for a graph, made by hand, that has a cycle."""
    outputs = list(outputs)
    for v in outputs:
        if not isinstance(v, Variable):
            raise TypeError(f"wants symbolic variables, got {v!r} of type {type(v).__name__}")
    blocked = {id(v) for v in stop}
    done: dict[Apply, None] = {}
    begun: set[Apply] = set()
    stack: list[Apply | None] = []  # behind a None: an application whose operands are done
    below: Sequence[Variable] = outputs
    while True:
        for v in reversed(below):
            owner = v.owner
            if owner is not None and owner not in done and not (blocked and id(v) in blocked):
                stack.append(owner)
        below = ()
        if not stack:
            return list(done)
        node = stack.pop()
        if node is None:
            node = stack.pop()
            assert node is not None
            done[node] = None
        elif node not in done:
            if node in begun:
                raise ValueError(f"the graph has a cycle: {node.row.name} is computed from its own result")
            begun.add(node)
            stack += (node, None)
            below = node.inputs


def with_bodies(nodes: Iterable[Apply]) -> list[Apply]:
    """The applications, then those of the bodies of the loops among them, then of loops in these, and so on; each once.
    By their places in this list messages know applications inside of loops."""
    found = dict.fromkeys(nodes)
    waiting = list(found)
    for node in waiting:
        if "body" in node.attrs:
            body = node.attrs["body"]
            inner = [n for n in toposort(body.expressions, stop=body.parameters) if n not in found]
            found.update(dict.fromkeys(inner))
            waiting += inner
    return list(found)


def ancestors(outputs: Iterable[Variable], stop: Iterable[Variable] = ()) -> list[Variable]:
    """Every variable that `outputs` depend on, themselves included, operands first."""
    outputs = list(outputs)
    seen: dict[int, Variable] = {}
    for node in toposort(outputs, stop):
        for v in (*node.inputs, *node.outputs):
            seen.setdefault(id(v), v)
    for v in outputs:
        seen.setdefault(id(v), v)
    return list(seen.values())


def inputs_of(outputs: Iterable[Variable], stop: Iterable[Variable] = ()) -> list[Variable]:
    """The variables without owner (constants left out) that `outputs` depend on, in order of first use."""
    blocked = {id(v) for v in stop}
    return [
        v for v in ancestors(outputs, stop) if (v.owner is None or id(v) in blocked) and not isinstance(v, Constant)
    ]


def constant_array(value: Any, dtype: str | None = None) -> np.ndarray[Any, Any]:
    """A private, read-only array."""
    data = np.array(value, dtype=dtype, order="C")
    data.flags.writeable = False
    return data
