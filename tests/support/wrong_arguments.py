"""Public functions called with arguments that mostly make no sense; the answer must be a result or a clear refusal.

`call(pick)` draws a function and arguments from `pick(n)` (a number below n).  A refusal is one of `REFUSALS` with a
message; everything else, a crash or a call that takes long is a finding.
"""

from __future__ import annotations

import inspect
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl import errors, gradient, ifelse, printing
from tensordsl.graph import Variable
from tensordsl.ops.table import OPS
from tensordsl.random import RandomStreams
from tensordsl.tensor.constructors import CONSTRUCTORS

REFUSALS = (
    TypeError, ValueError, IndexError, NotImplementedError, errors.MissingInputError, errors.UnusedInputError,
    errors.DebugModeError, gradient.DisconnectedInputError, gradient.NullTypeGradError,
)  # fmt: skip
AT_RUN_TIME = (*REFUSALS, MemoryError, OverflowError, AssertionError)
SECONDS = 20
# Helpers of tests and of programs that watch others, and what writes files or prints.
LEFT_OUT = frozenset("numeric_grad debugprint pprint pydotprint".split())


def functions() -> dict[str, Callable[..., Any]]:
    """The public functions by their dotted names, each object once."""
    found: dict[int, tuple[str, Callable[..., Any]]] = {}
    places = (
        ("T", T), ("T.nnet", T.nnet), ("T.linalg", T.linalg), ("T.nlinalg", T.nlinalg), ("T.slinalg", T.slinalg),
        ("gradient", gradient), ("ifelse", ifelse), ("printing", printing),
    )  # fmt: skip
    for prefix, module in (*places, ("tensordsl", tensordsl)):
        public = getattr(module, "__all__", sorted(vars(module)))
        names = [n for n in public if not n.startswith("_") and n not in LEFT_OUT and n not in CONSTRUCTORS]
        for name in names:
            value = getattr(module, name)
            ours = getattr(value, "__module__", None) or ""
            if callable(value) and ours.startswith("tensordsl") and not _is_exception(value):
                found.setdefault(id(value), (f"{prefix}.{name}", value))
    for name in (
        "uniform",
        "normal",
        "binomial",
        "choice",
        "permutation",
        "multinomial",
        "random_integers",
        "shuffle",
        "poisson",
    ):
        found[hash(name)] = f"RandomStreams.{name}", partial(_draw, name)
    for name in ("vector", "fmatrix", "row", "tensor3", "vectors"):
        maker = CONSTRUCTORS[name]  # a function, or a type, whose refusals say what type it is
        found[id(maker)] = str(maker) if isinstance(maker, T.TensorType) else f"T.{name}", maker
    return dict(sorted(found.values()))


def _draw(name: str, *args: Any, **kwargs: Any) -> Any:
    """A draw from fresh streams."""
    return getattr(RandomStreams(1), name)(*args, **kwargs)


def _is_exception(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseException)


def methods() -> list[str]:
    x = T.matrix()
    return sorted(n for n in dir(x) if not n.startswith("__") and callable(getattr(type(x), n, None)) and n != "eval")


FUNCTIONS = functions()
METHODS = methods()
OPERATORS = ("__add__", "__getitem__", "__pow__", "__matmul__", "__and__", "__divmod__", "__rsub__", "__invert__")


class Stranger:
    """An object of which nothing is known."""

    __slots__ = ()


class Liar:
    """An array-like that cannot be one."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("there must be no array after all")

    def __index__(self) -> int:
        return 3


def cyclic() -> Any:
    """A variable that is its own ancestor, made by hand."""
    x = T.vector("x")
    y = x + 1
    node = y.owner
    object.__setattr__(node, "inputs", (y, node.inputs[1]))
    return y


class Drawing:
    """The values of one call."""

    def __init__(self, pick: Callable[[int], int]) -> None:
        self.pick = pick

    def choose(self, items: Any) -> Any:
        return items[self.pick(len(items))]

    def variable(self) -> Any:
        makers: tuple[Callable[[], Any], ...] = (
            T.vector, T.matrix, T.scalar, T.tensor3, T.row, T.col, T.fvector, T.lvector, T.iscalar, T.bmatrix,
            lambda: T.vector(dtype="bool"), lambda: T.matrix() > 0, lambda: T.scalar(dtype="bool"),
            lambda: T.vector(dtype="uint64"), lambda: T.TensorType("float64", (3,))(), lambda: T.matrix().shape,
            lambda: T.TensorType("float32", (2, 0))(), lambda: T.lvector() + 1, lambda: T.nnet.softmax(T.matrix()),
            lambda: T.constant([1, 2, 3]), lambda: T.constant(np.nan), lambda: T.constant(2**62), lambda: T.tensor5(),
            lambda: tensordsl.shared(np.zeros(3)), lambda: tensordsl.shared([1, 2]), lambda: T.vector()[T.lvector()],
            lambda: T.constant(np.zeros((0, 3))),
        )  # fmt: skip
        return self.choose(makers)()

    def data(self) -> Any:
        return self.choose((
            np.zeros(3), np.ones((2, 3), "float32"), np.array(2), np.array([], "int64"), np.array([[1, -5], [0, 3]]),
            np.array(["a", "b"]), np.array([None, 1], dtype=object), np.array([1 + 2j]), np.array([np.nan, -0.0, np.inf]),
            np.zeros((1, 2))[:, ::-1], np.array([True, False]), np.float64(1.5), np.int8(-128), np.zeros(2, ">f8"),
            np.datetime64("2020-01-01"), np.ma.array([1.0, 2.0], mask=[0, 1]), np.zeros(2, "float16"),
            np.array([2**63], "uint64"), np.zeros((2, 2, 2, 2)), np.zeros((3, 0)),
        ))  # fmt: skip

    def number(self) -> Any:
        return self.choose(
            (0, 1, 2, -1, -3, 7, 1.5, float("nan"), float("inf"), True, 2**31, 2**45, 2**63, -(2**70), 1e300, 1j)
        )

    def odd(self) -> Any:
        return self.choose((
            None, "x", "", "float32", "raise", "int99", "C", "mean", Stranger(), Stranger, Liar(), {}, {"a": 1}, set(),
            {1, 2}, [], (), [1, [2, 3]], [[1], [2]], [None], ("x", 0), (0, 0), (1, 0), (-1,), (0, 1, 2), [T.vector()],
            [T.vector(), T.matrix()], {T.vector(): 1}, slice(None), slice(None, None, 0), slice(T.iscalar(), 2), Ellipsis,
            len, lambda *a: a, iter([1, 2]), b"bytes", object(), type, range(3), np.float32, np.dtype("int8"), NotImplemented,
            "wrap", "half_to_even", "FAST_RUN", ["x", "x"], [2**40, 2**40], (T.iscalar(), 3), [-1, -1], float,
        ))  # fmt: skip

    def value(self) -> Any:
        kind = self.pick(12)
        if kind < 5:
            return self.variable()
        if kind < 7:
            return self.number()
        if kind < 9:
            return self.data()
        if kind < 11:
            return self.odd()
        if self.pick(6) == 0:
            return cyclic()
        return [self.value() for _ in range(self.pick(4))]

    def arguments(self, function: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
        """Mostly as many as there are parameters, sometimes under their names, sometimes others."""
        if isinstance(function, partial):
            function = getattr(RandomStreams(1), function.args[0])
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        positional, named = [], {}
        required = sum(p.default is p.empty and p.kind is not p.VAR_KEYWORD for p in parameters)
        count = self.choose((required, required, required, required + 1, required + 2, max(0, required - 1)))
        for p in parameters[:count]:
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and not named and self.pick(8):
                positional.append(self.value())
            elif p.kind is p.VAR_POSITIONAL:
                positional += [self.value() for _ in range(self.pick(4))] if not named else []
            else:
                named[p.name] = self.value()
        for p in parameters[count:]:
            if self.pick(4) == 0 and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                named[p.name] = self.value()
        if self.pick(30) == 0:
            named["no_such_keyword"] = self.value()
        return positional, named


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise TimeoutError(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def call(pick: Callable[[int], int], run_one_in: int = 12, strict: bool = False) -> str:
    """What is wrong with the answer to one random call; empty if nothing is.

    strict: a message must also name the function or op, or say in our own words what is wrong with an argument.
    """
    drawing = Drawing(pick)
    kind = pick(5)
    if kind == 0:
        name = drawing.choose(METHODS) if pick(3) else drawing.choose(OPERATORS)
        receiver = drawing.variable()
        function, label = getattr(receiver, name, None), f"{receiver!r}.{name}"
        if function is None:
            return ""
    else:
        label = drawing.choose(tuple(FUNCTIONS))
        function = FUNCTIONS[label]
    positional, named = drawing.arguments(function)
    text = f"{label}({', '.join([*map(_text, positional), *(f'{k}={_text(v)}' for k, v in named.items())])})"
    try:
        with np.errstate(all="ignore"), time_limit(SECONDS):
            result = function(*positional, **named)
    except REFUSALS as error:
        is_good = is_clear(error, label, function) if strict else bool(str(error).strip())
        return "" if is_good else f"{text}\n  unclear {_where(error)}"
    except AttributeError as error:  # as in Theano: there is no option of that name
        return "" if "configuration option" in str(error) else f"{text}\n  {_where(error)}"
    except BaseException as error:
        return f"{text}\n  {_where(error)}"
    return _run(text, result, drawing) if pick(run_one_in) == 0 else ""


def is_clear(error: BaseException, label: str, function: Any) -> bool:
    """Whether the message says more than Python's own for a mistake inside of us: it names the function or an op, or
    is one of ours about the argument."""
    text = str(error)
    own = getattr(function, "__name__", label)
    names = [label.rpartition(".")[2].strip("_").rstrip("_"), own, *(f"{name}:" for name in OPS)]
    return any(name in text for name in names) or bool(re.search(OURS, text))


# Words of our own messages about an argument, which do not occur in those of Python and NumPy; and Python's about a call
# as such, which name what was called.
OURS = "|".join((
    "cannot make a tensor of", "cannot replace", "unknown device", "Cannot use a shared variable", "Valid options are", "fits no dtype",
    "no operand of tensor operations", "must be", "wants", "expects", "Expected", "unsupported dtype", "does not fit",
    "index must be integers", "grad method was asked",
    r"\w\(\) (missing|takes|got an unexpected keyword|got multiple values)",
))  # fmt: skip


def _run(text: str, result: Any, drawing: Drawing) -> str:
    """Compile and call what an expression needs, with arrays of any length."""
    made = result if isinstance(result, (list, tuple)) else [result]
    outputs = [v for v in made if isinstance(v, Variable) and isinstance(v.type, T.TensorType)]
    try:
        with np.errstate(all="ignore"), time_limit(SECONDS):
            if not outputs:
                return ""
            inputs = [v for v in tensordsl.graph.inputs_of(outputs) if not hasattr(v, "get_value")]
            lengths = [drawing.choose((0, 1, 2, 3)) for _ in range(3)]
            arrays = [
                np.ones([drawing.choose(lengths) if n is None else n for n in v.type.shape], v.type.dtype)
                for v in inputs
            ]
            tensordsl.function(inputs, outputs, on_unused_input="ignore")(*arrays)
    except AT_RUN_TIME:
        return ""
    except BaseException as error:
        return f"{text} compiled and called\n  {_where(error)}"
    return ""


def _text(value: Any) -> str:
    try:
        if isinstance(value, Variable):
            return f"<{value.type}>" if not hasattr(value, "data") else repr(value)
        return repr(value)[:80]
    except BaseException as error:
        return f"<repr raises {type(error).__name__}>"


def _where(error: BaseException) -> str:
    trace, last = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        last = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {str(error)[:300]} ({last})"
