"""ObjectWriter: which function gives the LLVM text of objects of the library, and how this is compiled."""

from __future__ import annotations

from importlib import import_module

from tensordsl.base.records import record
from tensordsl.codegen.target.tuning import Tuning


@record
class ObjectWriter:
    """Of some objects.  `function` of `module` is called with the tuning; before it, if `of_dtype`, with what follows
    the first word of an object's name, a dtype, or with the name, if `of_name`; level: of code generation, with the
    passes in `kept`; is_minimal: it writes no functions that the object does not need.

    Modules are loaded when something is written: there are many, and programs need few."""

    module: str
    function: str
    of_dtype: bool = False
    of_name: bool = False
    level: int = 2
    kept: tuple[str, ...] = ()
    is_minimal: bool = False

    def text(self, name: str, tuning: Tuning) -> str:
        write = getattr(import_module(self.module), self.function)
        subject = [name.partition("_")[2]] * self.of_dtype + [name] * self.of_name
        return str(write(*subject, tuning))
