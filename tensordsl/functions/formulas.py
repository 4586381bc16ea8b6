"""Formulas as strings, compiled: `evaluate("exp(-(a - b)**2) * c")`, with the interface of numexpr.

Contract  a formula names arrays of the caller and has the value and dtype that NumPy gives it; nothing but arithmetic,
          comparisons and listed functions is run, so that a string from a stranger can do no harm.
Why       a formula that is already a string needs no symbols, and one native function in place of many passes.
"""

from __future__ import annotations

import ast
import operator
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.functions.function import function
from tensordsl.graph.types import ALL_DTYPES, TensorType
from tensordsl.graph.variables import Variable
from tensordsl.ops.array import reduce
from tensordsl.ops.control import Assert
from tensordsl.ops.math.comparisons import and_, ge, le
from tensordsl.ops.math.complexes import complex as complex_of
from tensordsl.ops.math.elementwise import cast, switch
from tensordsl.ops.operands import constant
from tensordsl.tensor.dispatch import call_ufunc

WEAK = (bool, int, float, complex)  # Python's numbers: an array beside them keeps its dtype, as in NumPy (NEP 50)
OPERATORS: dict[type, tuple[np.ufunc, Callable[..., Any]]] = {
    ast.Add: (np.add, operator.add), ast.Sub: (np.subtract, operator.sub), ast.Mult: (np.multiply, operator.mul),
    ast.Div: (np.true_divide, operator.truediv), ast.FloorDiv: (np.floor_divide, operator.floordiv),
    ast.Mod: (np.remainder, operator.mod), ast.Pow: (np.power, operator.pow),
    ast.LShift: (np.left_shift, operator.lshift), ast.RShift: (np.right_shift, operator.rshift),
    ast.BitAnd: (np.bitwise_and, operator.and_), ast.BitOr: (np.bitwise_or, operator.or_),
    ast.BitXor: (np.bitwise_xor, operator.xor),
    ast.USub: (np.negative, operator.neg), ast.UAdd: (np.positive, operator.pos), ast.Invert: (np.invert, operator.inv),
    ast.Lt: (np.less, operator.lt), ast.LtE: (np.less_equal, operator.le), ast.Gt: (np.greater, operator.gt),
    ast.GtE: (np.greater_equal, operator.ge), ast.Eq: (np.equal, operator.eq), ast.NotEq: (np.not_equal, operator.ne),
}  # fmt: skip
COMPARISONS = (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal)
UFUNCS: dict[str, np.ufunc] = {
    name: getattr(np, name)
    for name in """sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh exp exp2 expm1 log
    log2 log10 log1p sqrt cbrt square hypot logaddexp floor ceil trunc rint sign maximum minimum fmod isnan isinf
    isfinite signbit conjugate""".split()
} | {"abs": np.absolute, "absolute": np.absolute, "conj": np.conjugate, "round": np.rint}
WHOLE = (np.floor, np.ceil, np.trunc)  # integers are their own
REDUCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(reduce, name) for name in "sum prod min max mean any all".split()
}
FUNCTIONS = {*UFUNCS, *REDUCTIONS, "real", "imag", "complex", "where"}
CONSTANT_BITS = 64  # constants of a formula are folded while they have no more
KEPT_FORMULAS = 1024


@record
class Weak:
    """A number of Python's whose value a call gives (a "weak scalar" of NEP 50); `is_input`: a variable of the caller,
    which the call checks."""

    variable: Any
    kind: type
    is_input: bool = False


@record(eq=False)
class Case:
    """A formula for dtypes, ranks and axes of length 1.  narrow: (number of the input, dtype) of Python's integers that
    have to be numbers of a dtype, as NumPy demands of them.  arrays: dtype and rank of each input, where all are arrays
    without such axes, else None."""

    function: Callable[..., Any]
    narrow: tuple[tuple[int, np.dtype[Any]], ...]
    arrays: tuple[tuple[np.dtype[Any], int], ...] | None


class Formula:
    """A parsed formula: its names, and its compiled cases."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.body = _parsed(text)
        trees = list(ast.walk(self.body))
        called = {id(tree.func): tree.func for tree in trees if isinstance(tree, ast.Call)}
        for callee in called.values():
            if isinstance(callee, ast.Name) and callee.id not in FUNCTIONS:
                message = f"there is no function {callee.id}; there are {', '.join(sorted(FUNCTIONS))}"
                raise _refused(text, self.body, message)
        names = (tree.id for tree in trees if isinstance(tree, ast.Name) and id(tree) not in called)
        self.names = tuple(dict.fromkeys(names))
        self.cases: dict[tuple[Any, ...], Case] = {}
        self.latest: Case | None = None

    def __call__(self, values: list[Any]) -> Any:
        latest = self.latest  # the case of the call before, known by comparisons of identity
        if latest is not None:
            for value, (dtype, rank) in zip(values, latest.arrays or ()):  # noqa: B905  `strict=` takes 0.2 us
                if type(value) is not np.ndarray or value.dtype is not dtype:
                    break
                shape = value.shape
                if len(shape) != rank or 1 in shape:
                    break
            else:
                return latest.function(*values)
        found = self._case(values)
        self.latest = found if found.arrays is not None else None
        for k, dtype in found.narrow:
            _demand_fits(values[k], dtype)
        return found.function(*values)

    def _case(self, values: list[Any]) -> Case:
        """The one for these values, of which what is no array of NumPy's becomes one."""
        key: list[Any] = []
        for k, value in enumerate(values):
            kind = type(value)
            if kind in WEAK:
                key.append(kind)
                continue
            if kind is not np.ndarray:
                values[k] = value = np.asarray(value)
            shape = value.shape
            key.append(value.dtype)
            key.append(tuple([n == 1 for n in shape]) if 1 in shape else len(shape))
        found = self.cases.get(tuple(key))
        if found is None:
            found = self.cases[tuple(key)] = self._compiled(values)
        return found

    def _compiled(self, values: Sequence[Any]) -> Case:
        inputs: list[Any] = []
        given: dict[str, Any] = {}
        for name, value in zip(self.names, values, strict=True):
            kind = type(value)
            if kind in WEAK:
                variable = TensorType(str(np.dtype(kind)), ())(name)
                given[name] = Weak(variable, kind, is_input=True)
            else:
                shape = tuple(1 if n == 1 else None for n in value.shape)
                variable = given[name] = TensorType(_dtype(name, value), shape)(name)
            inputs.append(variable)
        builder = _Builder(self.text, given)
        result = builder.strong(builder.value(self.body))
        places = {id(variable): k for k, variable in enumerate(inputs)}
        narrow = tuple((places[id(v)], dtype) for v, dtype in builder.narrow)
        is_plain = all(type(x) is np.ndarray and 1 not in x.shape and x.dtype is np.dtype(x.dtype.name) for x in values)
        return Case(function(inputs, result), narrow, tuple((x.dtype, x.ndim) for x in values) if is_plain else None)


class _Builder:
    """What a formula is as an expression of variables, with the dtypes of NumPy."""

    def __init__(self, text: str, given: Mapping[str, Any]) -> None:
        self.text, self.given = text, given
        self.narrow: list[tuple[Any, np.dtype[Any]]] = []

    def value(self, body: ast.expr) -> Any:
        """Of a tree, without recursion: a number of Python's, a `Weak` one, or a variable."""
        waiting: list[tuple[ast.expr, list[ast.expr] | None]] = [(body, None)]
        values: list[Any] = []
        while waiting:
            tree, operands = waiting.pop()
            if operands is None:
                operands = _operands(self.text, tree)
                waiting.append((tree, operands))
                waiting += [(operand, None) for operand in reversed(operands)]
            else:
                count = len(operands)
                arguments = values[len(values) - count :]
                del values[len(values) - count :]
                values.append(self._made(tree, arguments))
        return values[0]

    def _made(self, tree: Any, arguments: list[Any]) -> Any:
        if isinstance(tree, ast.Constant):
            return tree.value
        if isinstance(tree, ast.Name):
            return self.given[tree.id]
        if isinstance(tree, ast.Call):
            return self._call(tree, tree.func.id, arguments)  # type: ignore[attr-defined]  # seen by `_operands`
        kind = tree.ops[0] if isinstance(tree, ast.Compare) else tree.op
        ufunc, of_python = OPERATORS[type(kind)]
        if all(type(x) in WEAK for x in arguments):
            return self._folded(tree, of_python, arguments)
        if not all(isinstance(x, Weak) or type(x) in WEAK for x in arguments):
            return self.ufunc(tree, ufunc, arguments)
        ones = [x.kind(1) if isinstance(x, Weak) else type(x)(1) for x in arguments]
        result = type(of_python(*ones)) if not isinstance(kind, ast.Invert) else type(ones[0])  # ~True: False
        if ufunc not in COMPARISONS and ufunc is not np.true_divide:
            arguments = [self.cast(x, np.dtype(result)) for x in arguments]
        return Weak(self.ufunc(tree, ufunc, arguments), result)

    def _folded(self, tree: ast.expr, of_python: Callable[..., Any], numbers: list[Any]) -> Any:
        if of_python in (operator.pow, operator.lshift) and all(isinstance(x, int) for x in numbers):
            x, y = numbers
            if y * (x.bit_length() if of_python is operator.pow else 1) > CONSTANT_BITS:
                raise _refused(self.text, tree, "a constant is no 64-bit number")
        try:
            return of_python(*numbers)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise _refused(self.text, tree, str(error)) from None

    def _call(self, tree: ast.Call, name: str, arguments: list[Any]) -> Any:
        if name in REDUCTIONS:
            return self._reduced(tree, name, arguments)
        if name in UFUNCS:
            self._count(tree, name, arguments, UFUNCS[name].nin)
            return self.ufunc(tree, UFUNCS[name], arguments)
        if name == "where":
            self._count(tree, name, arguments, 3)
            condition, x, y = arguments
            dtype = np.result_type(
                *(np.dtype(v.type.dtype) if isinstance(v, Variable) else _kind(v)(1) for v in (x, y))
            )
            condition = self.ufunc(tree, np.not_equal, [condition, False])
            return switch(condition, self.cast(x, dtype), self.cast(y, dtype))
        self._count(tree, name, arguments, 2 if name == "complex" else 1)
        if name == "complex":
            re, im = map(self.strong, arguments)
            dtype = np.result_type(re.dtype, im.dtype, np.float32)
            return complex_of(self.cast(re, dtype), self.cast(im, dtype))
        x = self.strong(arguments[0])
        return getattr(x, name)

    def _reduced(self, tree: ast.Call, name: str, arguments: list[Any]) -> Any:
        axis = arguments[1] if len(arguments) == 2 else None
        if len(arguments) not in (1, 2) or not (axis is None or type(axis) is int):
            raise _refused(self.text, tree, f"wants {name}(x) or {name}(x, axis) with a whole number")
        x = self.strong(arguments[0])
        if axis is not None and not -x.ndim <= axis < x.ndim:
            raise _refused(self.text, tree, f"there is no axis {axis} of {x.ndim}")
        return REDUCTIONS[name](x, axis=axis)

    def _count(self, tree: ast.expr, name: str, arguments: Sequence[Any], wanted: int) -> None:
        if len(arguments) != wanted:
            raise _refused(self.text, tree, f"{name} takes {wanted} arguments, got {len(arguments)}")

    def ufunc(self, tree: ast.expr, ufunc: np.ufunc, arguments: Sequence[Any]) -> Any:
        """By the loop that NumPy chooses."""
        arguments = list(arguments)
        if ufunc in COMPARISONS:  # Python's integers are compared exactly with those of any dtype
            arguments = [self._exact(x, arguments) for x in arguments]
        kinds = [np.dtype(x.type.dtype) if isinstance(x, Variable) else _kind(x) for x in arguments]
        are_weak = all(isinstance(k, type) for k in kinds)  # then as arrays; truth values always
        try:
            loop = ufunc.resolve_dtypes((*(np.dtype(k) if are_weak or k is bool else k for k in kinds), None))
        except TypeError as error:
            raise TypeError(f"evaluate({self.text!r}): {_source(self.text, tree)}: {error}") from None
        operands = [self.cast(x, dtype) for x, dtype in zip(arguments, loop, strict=False)]
        if ufunc in WHOLE and loop[0].kind in "biu":
            return operands[0]
        return cast(call_ufunc(ufunc, "__call__", operands, {}), str(loop[-1]))

    def _exact(self, x: Any, among: Sequence[Any]) -> Any:
        others = [y for y in among if isinstance(y, Variable) and np.dtype(y.type.dtype).kind in "iu"]
        if not others or _kind(x) is not int:
            return x
        return self.cast(x, np.dtype("uint64" if type(x) is int and x >= 1 << 63 else "int64"))

    def strong(self, x: Any) -> Any:
        """As a variable with a dtype."""
        return x if isinstance(x, Variable) else self.cast(x, np.dtype(_kind(x)))

    def cast(self, x: Any, dtype: np.dtype[Any]) -> Any:
        if isinstance(x, Variable):
            return cast(x, str(dtype))
        if not isinstance(x, Weak):
            if type(x) is int and dtype.kind in "iu":
                _demand_fits(x, dtype)
            return constant(np.asarray(x).astype(dtype))
        if x.kind is int and dtype.kind in "iu" and dtype != np.int64:
            if x.is_input:
                self.narrow.append((x.variable, dtype))
            else:
                most = np.iinfo(dtype)
                fits = and_(ge(x.variable, int(most.min)), le(x.variable, min(int(most.max), np.iinfo(np.int64).max)))
                return cast(Assert(f"a Python integer is out of bounds for {dtype}")(x.variable, fits), str(dtype))
        return cast(x.variable, str(dtype))


def _kind(x: Any) -> type:
    return x.kind if isinstance(x, Weak) else type(x)


def _parsed(text: str) -> ast.expr:
    if not isinstance(text, str):
        raise TypeError(f"evaluate: a formula is a string, got {type(text).__name__}")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise SyntaxError(f"evaluate: {text!r} is no formula: {error.msg}") from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise ValueError(f"evaluate: the formula can't be parsed: {error}") from None


def _operands(text: str, tree: ast.expr) -> list[ast.expr]:
    """The parts whose values a tree needs; ValueError for what is no formula."""
    if isinstance(tree, ast.Constant) and type(tree.value) in WEAK or isinstance(tree, ast.Name):
        return []
    if isinstance(tree, ast.UnaryOp) and type(tree.op) in OPERATORS:
        return [tree.operand]
    if isinstance(tree, ast.BinOp) and type(tree.op) in OPERATORS:
        return [tree.left, tree.right]
    if isinstance(tree, ast.Compare) and all(type(op) in OPERATORS for op in tree.ops):
        if len(tree.ops) > 1:
            raise _refused(text, tree, "write (a < b) & (b < c) for a < b < c")
        return [tree.left, *tree.comparators]
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        named = [k for k in tree.keywords if k.arg == "axis"]
        if len(named) != len(tree.keywords):
            raise _refused(text, tree, "the only argument with a name is axis")
        return [*tree.args, *(k.value for k in named)]
    hint = "write & | ~ for and, or, not" if isinstance(tree, ast.BoolOp | ast.UnaryOp) else (
        "formulas have names, numbers, operators and calls of functions"
    )  # fmt: skip
    raise _refused(text, tree, f"{type(tree).__name__} is refused; {hint}")


def _source(text: str, tree: ast.expr) -> str:
    return ast.get_source_segment(text.strip(), tree) or text


def _refused(text: str, tree: ast.expr, message: str) -> ValueError:
    return ValueError(f"evaluate({text!r}): {_source(text, tree)}: {message}")


def _dtype(name: str, array: np.ndarray[Any, Any]) -> str:
    """That of numbers in this machine's byte order, which functions convert to."""
    found = str(array.dtype.newbyteorder("="))
    if found not in ALL_DTYPES:
        raise TypeError(f"evaluate: {name} is an array of {array.dtype}; wants one of {', '.join(ALL_DTYPES)}")
    return found


def _demand_fits(number: int, dtype: np.dtype[Any]) -> None:
    most = np.iinfo(dtype)
    if not most.min <= number <= most.max:
        raise OverflowError(f"Python integer {number} out of bounds for {dtype}")


_formulas: dict[str, Formula] = {}
_latest = threading.local()


def evaluate(
    ex: str,
    local_dict: Mapping[str, Any] | None = None,
    global_dict: Mapping[str, Any] | None = None,
    out: np.ndarray[Any, Any] | None = None,
    order: str = "K",
    casting: str = "safe",
    *,
    where: Any = True,
    sanitize: bool | None = None,
    optimization: str = "aggressive",
    truediv: bool | str = "auto",
) -> Any:
    """The value of a formula over arrays, as NumPy has it, by one native function.

    Args:
        ex: a formula: names, numbers, `+ - * / // % ** << >> & | ^ ~`, one comparison at a time, and calls of NumPy's
            functions of elements, `where(c, x, y)`, `real`, `imag`, `complex(re, im)`, `sum`, `prod`, `min`, `max`,
            `mean`, `any`, `all`, these with an axis.
        local_dict, global_dict: where names are looked up; by default the caller's local and global variables.
        out: an array of the result's shape that takes it; it may be one that the formula reads.
        order: of the result in memory: "C", "F", or "K" and "A", which leave it to the function.
        casting: how the result may be cast to `out`, as in `numpy.can_cast`.
        where: of `out`, the elements that are written.
        sanitize, optimization, truediv: numexpr's, and without effect: formulas are always parsed, never run as Python.

    Returns an array, 0-d where NumPy has a scalar.  Python's numbers leave arrays their dtype; those that are variables
    may change without a new compile, as may lengths other than 1.

    Raises NameError for a name that is not there, SyntaxError and ValueError for what is no formula, TypeError for
    arrays of no numbers, OverflowError for Python integers that a dtype does not hold.

    >>> import numpy as np
    >>> a, b = np.array([1.0, 2.0]), np.array([2.0, 2.0])
    >>> evaluate("where(a < b, a**2, 0) + 1")
    array([2., 1.])
    """
    formula = _formulas.get(ex) if type(ex) is str else None
    if formula is None:
        formula = _remember(ex)
    if local_dict is None:
        local_dict, global_dict = _of_caller(global_dict)
    _latest.formula = formula
    result = formula(_looked_up(formula, local_dict, global_dict))
    if out is None and order in ("K", "A", "C") and where is True:
        return result
    return _placed(ex, result, out, order, casting, where)


def re_evaluate(local_dict: Mapping[str, Any] | None = None, global_dict: Mapping[str, Any] | None = None) -> Any:
    """The formula that this thread evaluated last, once more.  RuntimeError if there is none.

    >>> import numpy as np
    >>> x = np.arange(3.0)
    >>> evaluate("2 * x"), re_evaluate({"x": 1.5})
    (array([0., 2., 4.]), array(3.))
    """
    formula = getattr(_latest, "formula", None)
    if formula is None:
        raise RuntimeError("re_evaluate: this thread has evaluated no formula yet")
    if local_dict is None:
        local_dict, global_dict = _of_caller(global_dict)
    return formula(_looked_up(formula, local_dict, global_dict))


def validate(
    ex: str, local_dict: Mapping[str, Any] | None = None, global_dict: Mapping[str, Any] | None = None, **others: Any
) -> Exception | None:
    """The error that `evaluate` would raise, or None.

    >>> print(validate("spam(1)"))
    evaluate('spam(1)'): spam(1): there is no function spam; there are abs, absolute, all, any, arccos...
    """
    if local_dict is None:
        local_dict, global_dict = _of_caller(global_dict)
    try:
        evaluate(ex, local_dict, global_dict, **others)
    except Exception as error:
        return error
    return None


def _of_caller(global_dict: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The local and, if these are not given, the global variables of who called the public function."""
    frame = sys._getframe(2)
    return frame.f_locals, frame.f_globals if global_dict is None else global_dict


def _remember(ex: str) -> Formula:
    formula = Formula(ex)
    if len(_formulas) >= KEPT_FORMULAS:
        _formulas.pop(next(iter(_formulas)), None)
    _formulas[ex] = formula
    return formula


def _looked_up(formula: Formula, local: Mapping[str, Any], others: Mapping[str, Any] | None) -> list[Any]:
    try:
        return [local[name] for name in formula.names]
    except KeyError:
        pass
    found = []
    for name in formula.names:
        if name in local:
            found.append(local[name])
        elif others is not None and name in others:
            found.append(others[name])
        else:
            raise NameError(f"evaluate({formula.text!r}): the name {name!r} is not defined", name=name)
    return found


def _placed(ex: str, result: Any, out: Any, order: str, casting: Any, where: Any) -> Any:
    if order not in ("K", "A", "C", "F"):
        raise ValueError(f"evaluate: order is K, A, C or F, got {order!r}")
    if out is None:
        if where is not True:
            raise ValueError("evaluate: where= chooses elements of out=, which is not given")
        return np.asarray(result, order="F")
    if not isinstance(out, np.ndarray):
        raise TypeError(f"evaluate: out is an array, got {type(out).__name__}")
    if out.shape != result.shape:
        raise ValueError(f"evaluate({ex!r}): out has the shape {out.shape}, the result {result.shape}")
    np.copyto(out, result, casting=casting, where=where)
    return out
