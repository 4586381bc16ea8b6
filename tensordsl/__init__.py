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

from tensordsl.config import OPTIONS, change_flags, config, on_change
from tensordsl.version import __version__

# Functions that bear the name of their module are bound here, after the module is loaded: loading it later would put
# the module in their place.
from tensordsl.clone import clone, clone_replace  # isort: skip
from tensordsl.function import function  # isort: skip
from tensordsl.shared import shared  # isort: skip

from tensordsl.graph import Apply, Constant, Op, Variable
from tensordsl.io import In, Out
from tensordsl.modes import Mode
from tensordsl.printing import debugprint, pp, pprint
from tensordsl.types import TensorType
from tensordsl.values import as_array as _asarray  # noqa: F401  Theano's name

if TYPE_CHECKING:
    from tensordsl import compile, gradient, ifelse, printing, tensor
    from tensordsl.debugging import eval_intermediate_values
    from tensordsl.gradient import Lop, Rop, grad, subgraph_grad
    from tensordsl.opfromgraph import OpFromGraph

__all__ = [
    "Apply", "Constant", "In", "Lop", "Mode", "Op", "OpFromGraph", "Out", "Rop", "TensorType", "Variable",
    "__version__", "change_flags", "clone", "clone_replace", "compile", "config", "debugprint",
    "eval_intermediate_values", "function", "grad", "gradient", "ifelse", "pp", "pprint", "printing", "shared",
    "subgraph_grad", "tensor",
]  # fmt: skip

# Loaded at first use, so that importing the package stays cheap: public names and their modules, and modules.
_NAMES = {
    **dict.fromkeys(("grad", "Lop", "Rop", "subgraph_grad"), "tensordsl.gradient"),
    "OpFromGraph": "tensordsl.opfromgraph",
    "eval_intermediate_values": "tensordsl.debugging",
    **dict.fromkeys(("dot", "get_scalar_constant_value"), "tensordsl.tensor"),
    "Param": "tensordsl.io",
    "sparse_grad": "tensordsl.compat.no_effect",
    **dict.fromkeys(("Container", "SharedVariable", "generic", "shared_constructor"), "tensordsl.shared"),
    "FunctionGraph": "tensordsl.fgraph",
    "OrderedUpdates": "tensordsl.updates",
    **dict.fromkeys(("predefined_modes", "predefined_optimizers"), "tensordsl.compile.mode"),
    "ProfileStats": "tensordsl.compile",
    "PY3": "tensordsl.compat.python",
    "Type": "tensordsl.gof",
}
_MODULES = frozenset(("compat", "gradient", "random", "reference", "tensor", "updates"))


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"tensordsl.{name}")
    from tensordsl.compat.aliases import module_below  # late: the table is loaded at the first name that is not here

    return module_below(__name__, name, (*globals(), *_NAMES, *_MODULES))


class _AliasModules:
    """Asked first, for Theano's modules that are rows of `tensordsl.compat.names`: of a folder that holds only stubs
    another finder would make an empty package."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if not name.startswith("tensordsl.") or name.startswith("tensordsl.compat"):
            return None
        from tensordsl.compat.aliases import spec_of  # late: importing the package needs none of them

        return spec_of(name)


class _MissingModules:
    """Asked last, for modules that nobody has found: `from tensordsl.tensor import slinalg` says what to do instead."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name.startswith("tensordsl."):
            from tensordsl.missing import refuse_module  # late: only errors need it

            refuse_module(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _follow(option: str, module: str, function: str) -> None:
    """Tell `function` of changes of an option; its module is loaded at the first value that is not the default."""
    default = OPTIONS[option].default

    def notify(value: Any) -> None:
        if value != default or module in sys.modules:
            getattr(importlib.import_module(module), function)(value)

    on_change(option, notify)


sys.meta_path.insert(0, _AliasModules)
sys.meta_path.append(_MissingModules)
_follow("compute_test_value", "tensordsl.testvalues", "use_test_values")
_follow("warn_float64", "tensordsl.policies", "use_float64_warnings")
_follow("cast_policy", "tensordsl.policies", "use_cast_policy")
_follow("floatX", "tensordsl.policies", "use_cast_policy")
