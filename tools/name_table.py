"""Makes docs/names.md: every public function of `tensordsl.tensor`, with its signature and what holds for it.

Run as `python tools/name_table.py > docs/names.md`; a test compares the committed page with this output.

What the page says of dtypes and gradients is asked of the functions themselves: the first example of a function's
docstring is built once for each dtype of its first argument.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tensordsl
import tensordsl.tensor as T
from tensordsl.autodiff.reverse import cotangents
from tensordsl.graph.types import CONTINUOUS, TensorType
from tensordsl.graph.variables import Constant, Variable
from tensordsl.ops.cotangents import Undefined, Zero
from tensordsl.ops.kinds import OpFunction
from tensordsl.ops.table import MODULES
from tensordsl.tensor.dispatch import FUNCTIONS, UFUNCS

HEAD = """# The names of `tensordsl.tensor`

Made by `tools/name_table.py` from the functions and their docstrings: every public function of `T`, `T.nnet`, `T.linalg`
and `T.special`, by the module that has it.

- **oracle**: the NumPy function that it is compared with, and that builds it by dispatch (`np.f(variable)`); `row`: the
  oracle of its own row ([the operations](ops.md)); `rows`: those of the rows that it is written with.
- **gradient**: by its first argument that is a tensor: *yes*, *0* (piecewise constant), or *no* (its values are integers or bools, or depend
  on no element).
- **dtypes**: of the result, where that is bool, int8, int64, float32 or float64 (*same*: as that; *refused*: a TypeError when
  the expression is built); *fixed*: there is no such argument, or no tensor that results.
- **test**: where it is tested, beside its own example and the random calls of
  `tests/behaviour/property/test_wrong_arguments.py`.
"""

# Where the functions of a module are tested.
TESTS = {
    "autodiff": "gradient/test_grad.py",
    "ops.array.arrange": "ops/test_vocabulary.py", "ops.array.creation": "ops/array/test_arange.py",
    "ops.array.cumulative": "ops/test_vocabulary.py", "ops.array.einsum": "ops/array/test_einsum.py",
    "ops.array.grids": "ops/test_vocabulary.py", "ops.array.index": "ops/array/test_index.py",
    "ops.array.masks": "ops/array/test_masks.py", "ops.array.pad": "ops/array/test_pad.py",
    "ops.array.reduce": "ops/test_vocabulary.py", "ops.array.shape": "ops/array/test_shapes.py",
    "ops.array.sort": "ops/test_vocabulary.py", "ops.array.write": "ops/array/test_index.py",
    "ops.composed": "ops/composed/test_composed.py", "ops.control": "ops/test_control.py",
    "ops.kinds": "ops/test_kinds.py", "ops.linalg.products": "ops/test_vocabulary.py", "ops.linalg": "ops/linalg",
    "ops.math.comparisons": "ops/math/test_comparisons.py", "ops.math.complexes": "ops/math/test_complex.py",
    "ops.math.gamma": "ops/math/test_gamma.py", "ops.special.gamma_incomplete": "ops/special/test_gamma_incomplete.py",
    "ops.math.known_scalars": "ops/math/test_known_scalars.py", "ops.math.ufuncs": "ops/composed/test_composed.py",
    "ops.math": "property/test_native.py", "ops.nnet": "ops/test_nnet.py", "ops.special": "ops/special",
    "ops.vectorize": "ops/composed/test_vectorize.py", "tensor": "tensor/test_variables.py",
    "graph": "tensor/test_variables.py", "ops": "ops", "signature": "functions/test_random.py",
    "ops.random": "ops/random",
}  # fmt: skip
# Expressions of a vector for functions whose own example does not show what becomes of one.
EXAMPLES: dict[str, Callable[[Any], Any]] = {
    "join": lambda x: T.join(0, x, x),
    "inc_subtensor": lambda x: T.inc_subtensor(x[1:], x[0]),
    "set_subtensor": lambda x: T.set_subtensor(x[1:], x[0]),
    "block": lambda x: T.block([x, x]),
    "polygamma": lambda x: T.polygamma(2, x),
    "fill": lambda x: T.fill(x, x[0]),
    "switch": lambda x: T.switch(T.constant([True, False, True]), x, x),
    "compress": lambda x: T.compress([True, False], x),
    "extract": lambda x: T.extract([True, False, True], x),
    "choose": lambda x: T.choose([0, 1, 0], [x, x]),
    "gammainc": lambda x: T.gammainc(2, x),
    "gammaincc": lambda x: T.gammaincc(2, x),
    "full": lambda x: T.full((2,), x[0]),
    "full_like": lambda x: T.full_like(x, x[0]),
}
WITHOUT_TENSORS = {"astype", "constant", "hashtype", "slice_at_axis", "tensor", "get_scalar_constant_value"}
SAMPLES = ("bool", "int8", "int64", "float32", "float64")
BELOW = ("nnet", "linalg", "special")  # modules of `T` whose functions are listed, too


# -- the functions ----------------------------------------------------------------------------------------------------
def functions() -> dict[Any, list[str]]:
    """Each public function, with its names: its own first."""
    found: dict[Any, list[str]] = {}
    for prefix, module in (("", T), *((f"{name}.", getattr(T, name)) for name in BELOW)):
        for name in sorted(dir(module)) if prefix else vars(T):
            value = getattr(module, name)
            is_function = inspect.isfunction(value) or isinstance(value, OpFunction)
            if is_function and not name.startswith("_") and name not in T.CONSTRUCTORS:
                names = found.setdefault(value, [])
                if not prefix or not names or names[0].startswith(prefix):
                    names.append(prefix + name)
    return {f: sorted(names, key=lambda n: (own_name(n) != f.__name__, n)) for f, names in found.items()}


def own_name(name: str) -> str:
    """The name without that of a module below `T`."""
    return name.rpartition(".")[2]


def made_in(function: Any) -> str:
    """The module that has it, without the package's name."""
    own = inspect.unwrap(function.function if isinstance(function, OpFunction) else function)
    module: str = own.__module__
    return module.removeprefix("tensordsl.")


def signature(function: Any) -> str:
    own = inspect.signature(function)
    parameters = [p.replace(annotation=p.empty) for p in own.parameters.values()]
    return str(own.replace(parameters=parameters, return_annotation=own.empty)).replace("|", "\\|")


def test_of(module: str) -> str:
    """The file, or folder, of tests for a module: by the longest beginning of its name that `TESTS` has."""
    parts = module.split(".")
    places = (TESTS.get(".".join(parts[:n])) for n in range(len(parts), 0, -1))
    return f"`tests/behaviour/{next((p for p in places if p), '')}`"


def oracle(names: list[str], function: Any) -> str:
    table = FUNCTIONS["numpy"]
    ufuncs = {ours: theirs for theirs, ours in UFUNCS.items()}
    for name in map(own_name, names):
        if f"linalg.{name}" in names and name in FUNCTIONS["numpy.linalg"]:
            return f"`numpy.linalg.{name}`"
        if name in table or isinstance(getattr(np, name, None), np.ufunc):
            return f"`numpy.{name}`"
        if name in ufuncs and isinstance(getattr(np, ufuncs[name], None), np.ufunc):
            return f"`numpy.{ufuncs[name]}`"
    rows = {row.name for module in MODULES for row in module.ROWS} | {
        row.print_name for module in MODULES for row in module.ROWS
    }
    return "row" if not rows.isdisjoint(map(own_name, names)) else "rows"


# -- what holds for them: their examples, built for each dtype ---------------------------------------------------------
def calls(function: Any, names: list[str]) -> Iterator[tuple[ast.Call, dict[str, Any]]]:
    """The calls of the function in its examples, and the names that these use."""
    own = inspect.unwrap(function.function if isinstance(function, OpFunction) else function)
    scope: dict[str, Any] = {**vars(T), "np": np, "T": T, **inspect.getmodule(own).__dict__}  # type: ignore[union-attr]
    for line in re.findall(r">>> (.*)", function.__doc__ or ""):
        try:
            tree = ast.parse(line)
        except SyntaxError:
            continue
        found = [
            node for node in ast.walk(tree)
            if isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Name)
            and node.func.id in map(own_name, names)
        ]  # fmt: skip
        if found:
            yield found[0], scope
        elif isinstance(tree.body[0], ast.Assign | ast.Import | ast.ImportFrom):
            try:
                exec(compile(tree, "example", "exec"), scope)
            except Exception:
                continue


def argument(value: Any, dtype: str) -> Any:
    """A variable like the value, of the dtype, or a list of them like a list of tensors; None if it is neither."""
    if isinstance(value, Variable) and isinstance(value.type, TensorType):
        return TensorType(dtype, value.data.shape if isinstance(value, Constant) else value.type.shape)("x")
    try:
        array = np.asarray(value)
    except ValueError:
        made = [argument(v, dtype) for v in value]
        return None if any(v is None for v in made) else made
    return TensorType(dtype, array.shape)("x") if array.dtype.kind in "bifc" else None


def built(function: Any, names: list[str], dtype: str) -> tuple[Any, Any] | None:
    """(a variable, results) of the first example that can be built with an argument of the dtype."""
    if names[0] in WITHOUT_TENSORS:
        return None
    if names[0] in EXAMPLES:
        x = TensorType(dtype, (3,))("x")
        return x, EXAMPLES[names[0]](x)
    for call, scope in calls(function, names):
        try:
            given = [eval(compile(ast.Expression(a), "example", "eval"), scope) for a in call.args]
            named = {
                k.arg: eval(compile(ast.Expression(k.value), "example", "eval"), scope) for k in call.keywords if k.arg
            }
        except Exception:
            continue
        for j, value in enumerate(given):
            made = argument(value, dtype)
            if made is not None:
                x = made
                while isinstance(x, list):
                    x = x[0]
                return x, function(*given[:j], made, *given[j + 1 :], **named)
    return None


def results(value: Any) -> list[Any]:
    several = value if isinstance(value, list | tuple) else [value]
    return [v for v in several if isinstance(v, Variable)]


def dtypes(function: Any, names: list[str]) -> str:
    found: dict[str, str] = {}
    for dtype in SAMPLES:
        try:
            made = built(function, names, dtype)
        except (TypeError, ValueError, NotImplementedError):
            found[dtype] = "refused"
            continue
        if made is None or not results(made[1]):
            return "fixed"
        found[dtype] = ", ".join(dict.fromkeys(v.type.dtype for v in results(made[1])))
    if len(set(found.values())) == 1:
        return found["bool"]
    changed: dict[str, list[str]] = {}
    for given, result in found.items():
        if given != result:
            changed.setdefault(result, []).append(given)
    return "; ".join(f"{', '.join(group)} → {result}" for result, group in changed.items()) or "same"


def gradient(function: Any, names: list[str]) -> str:
    try:
        made = built(function, names, "float64")
    except (TypeError, ValueError, NotImplementedError):
        return "no"
    floats = [v for v in results(made[1]) if v.type.dtype in CONTINUOUS] if made else []
    if made is None or not floats:
        return "no"
    try:
        (g,) = cotangents([(v, T.ones_like(v)) for v in floats], [made[0]])
    except (TypeError, ValueError, NotImplementedError):
        return "no"
    if g is None or isinstance(g, Undefined):
        return "no"
    return "0" if isinstance(g, Zero) else "yes"


# -- page ------------------------------------------------------------------------------------------------------------
def page() -> str:
    """The whole text of docs/names.md; the same whatever the configuration."""
    with tensordsl.config.change_flags(floatX="float64", compute_test_value="off"):
        rooms: dict[str, list[str]] = {}
        for function, names in sorted(functions().items(), key=lambda item: item[1][0].lower()):
            module = made_in(function)
            first, *others = (f"`{name}`" for name in names)
            cells = (
                first + (f" ({', '.join(others)})" if others else ""), f"`{signature(function)}`",
                oracle(names, function), gradient(function, names), dtypes(function, names), test_of(module),
            )  # fmt: skip
            rooms.setdefault(module, []).append("| " + " | ".join(cells) + " |")
        lines = [HEAD]
        for module in sorted(rooms):
            lines += [
                f"## {module}",
                "",
                "| name | signature | oracle | gradient | dtypes | test |",
                "|---|---|---|---|---|---|",
            ]
            lines += [*rooms[module], ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
