"""Tensor mathematics as a Python DSL: symbolic graphs and gradients, compiled once into one native function.

>>> import tensordsl
>>> import tensordsl.tensor as T
>>> x = T.vector("x")
>>> square = tensordsl.function([x], x**2)
>>> square([1, 2, 3])
array([1., 4., 9.])
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from tensordsl.base.config import OPTIONS, change_flags, config, on_change
from tensordsl.base.upper import enter as _enter
from tensordsl.base.version import __version__
from tensordsl.functions.clone import clone, clone_replace
from tensordsl.functions.function import function
from tensordsl.graph.printing import debugprint, pp, pprint
from tensordsl.graph.types import TensorType
from tensordsl.graph.values import as_array as _asarray  # noqa: F401  Theano's name
from tensordsl.graph.variables import Constant, Variable
from tensordsl.signature.io import In, Out
from tensordsl.signature.modes import Mode
from tensordsl.signature.shared import shared

if TYPE_CHECKING:
    from tensordsl import compile, gradient, ifelse, printing, tensor
    from tensordsl.autodiff.gradient import Lop, Rop, grad, subgraph_grad
    from tensordsl.custom.op import Apply, Op
    from tensordsl.debugging.checks import eval_intermediate_values
    from tensordsl.functions.opfromgraph import OpFromGraph

__all__ = [
    "Apply", "Constant", "In", "Lop", "Mode", "Op", "OpFromGraph", "Out", "Rop", "TensorType", "Variable",
    "__version__", "change_flags", "clone", "clone_replace", "compile", "config", "debugprint",
    "eval_intermediate_values", "function", "grad", "gradient", "ifelse", "pp", "pprint", "printing", "shared",
    "subgraph_grad", "tensor",
]  # fmt: skip

# Loaded at first use, so that importing the package stays cheap: public names and their modules, and modules.
_NAMES = {
    **dict.fromkeys(("grad", "Lop", "Rop", "subgraph_grad"), "tensordsl.autodiff.gradient"),
    "OpFromGraph": "tensordsl.functions.opfromgraph",
    "function_dump": "tensordsl.functions.function",
    **dict.fromkeys(("evaluate", "re_evaluate", "validate"), "tensordsl.functions.formulas"),
    **dict.fromkeys(("Apply", "Op"), "tensordsl.custom.op"),
    **dict.fromkeys(("as_op", "callback", "wrap_py"), "tensordsl.custom.callbacks"),
    "elementwise": "tensordsl.custom.elementwise",
    "eval_intermediate_values": "tensordsl.debugging.checks",
    **dict.fromkeys(("dot", "get_scalar_constant_value"), "tensordsl.tensor"),
    "Param": "tensordsl.signature.io",
    "sparse_grad": "tensordsl.base.no_effect",
    **dict.fromkeys(("Container", "SharedVariable", "generic", "shared_constructor"), "tensordsl.signature.shared"),
    "FunctionGraph": "tensordsl.graph.fgraph",
    "OrderedUpdates": "tensordsl.signature.updates",
    **dict.fromkeys(("predefined_modes", "predefined_optimizers"), "tensordsl.compile.mode"),
    "ProfileStats": "tensordsl.compile",
    "PY3": "tensordsl.compat.python",
    "Type": "tensordsl.gof",
    "scan": "tensordsl.loops.scan",
    "loop": "tensordsl.loops.loop",
    "scan_checkpoints": "tensordsl.loops.checkpoints",
    "while_loop": "tensordsl.loops.while_loop",
    **dict.fromkeys(("foldl", "foldr", "map", "reduce"), "tensordsl.loops.family"),
}
_MODULES = frozenset(("compat", "tensor"))


# What lower rooms need of upper ones, which they look up by `base.upper`.
_enter(
    {
        "OPS": "tensordsl.ops.table:OPS",  # pickles name rows
        # variables are of the classes that carry the operators
        "TensorConstant": "tensordsl.tensor.var:TensorConstant",
        "TensorVariable": "tensordsl.tensor.var:TensorVariable",
        "connection_pattern": "tensordsl.autodiff.gradient:connection_pattern",
        "cast": "tensordsl.ops.math.elementwise:cast",
        "evaluate": "tensordsl.functions.function:evaluate",  # `x.eval()` compiles
        "function": "tensordsl.functions.function:function",  # so does `verify_grad`
        "patternbroadcast": "tensordsl.ops.array.shape:patternbroadcast",
        "shared": "tensordsl.signature.shared:shared",  # it is `T.shared`, too
    }
)

# Old modules that bear the name of a function or object of the package: they are there already, so that importing one
# does not put the module in the object's place.
for _old, _new in (
    ("clone", "functions.clone"), ("config", "base.config"), ("function", "functions.function"),
    ("shared", "signature.shared"),
):  # fmt: skip
    sys.modules[f"tensordsl.{_old}"] = sys.modules[f"tensordsl.{_new}"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"tensordsl.{name}")
    from tensordsl.base.aliases import module_below  # late: the table is loaded at the first name that is not here

    return module_below(__name__, name, (*globals(), *_NAMES, *_MODULES))


class _AliasModules:
    """Asked first, for Theano's modules that are rows of `tensordsl.base.theano_names`: of a folder that holds only
    stubs another finder would make an empty package."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if not name.startswith("tensordsl.") or name.startswith("tensordsl.compat"):
            return None
        from tensordsl.base.aliases import spec_of  # late: importing the package needs none of them

        return spec_of(name)


class _MissingModules:
    """Asked last, for modules that nobody has found: `from tensordsl.tensor import slinalg` says what to do instead."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name.startswith("tensordsl."):
            from tensordsl.base.missing import refuse_module  # late: only errors need it

            refuse_module(name)


def __dir__() -> list[str]:
    """The names that are for users, those included that are loaded at first use."""
    return sorted({*__all__, *_NAMES, *_MODULES, *(name for name in globals() if name.startswith("__"))})


def _follow(option: str, module: str, function: str) -> None:
    """Tell `function` of changes of an option; its module is loaded at the first value that is not the default."""
    default = OPTIONS[option].default

    def notify(value: Any) -> None:
        if value != default or module in sys.modules:
            getattr(importlib.import_module(module), function)(value)

    on_change(option, notify)


sys.meta_path.insert(0, _AliasModules)
sys.meta_path.append(_MissingModules)
_follow("compute_test_value", "tensordsl.debugging.testvalues", "use_test_values")
_follow("warn_float64", "tensordsl.ops.policies", "use_float64_warnings")
_follow("cast_policy", "tensordsl.ops.policies", "use_cast_policy")
_follow("floatX", "tensordsl.ops.policies", "use_cast_policy")
