"""Late functions: of modules that are loaded at the first call, as few programs need what they do.

Contract  `Late(module, name)` is called as the function is; `Late.function` is the function itself.
When      a table names what most programs have no use for, such as passes for operations that they do not have.
Why       loading the compiler takes as long as compiling a first function.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tensordsl.base.forks import lock
from tensordsl.base.records import kept


class Late:
    """
    >>> Late("math", "sqrt")(4.0)
    2.0
    """

    def __init__(self, module: str, name: str) -> None:
        self.__module__, self.__name__ = module, name

    @kept
    def function(self) -> Any:
        with lock:  # another thread may fork
            return getattr(import_module(self.__module__), self.__name__)

    def __call__(self, *given: Any) -> Any:
        return self.function(*given)
