"""Constructs: what the compiler knows of each operation of tensor IR, one class for each (`tensor_ir.construct`).

Comes in   a row's application, to be lowered; a value of tensor IR, to be verified, bufferised or written as MLIR; a
           function of the library, to be interpreted or run on a device.
Goes out   values of tensor IR; program IR, by a `Bufferiser`; MLIR, by a `Writer`; and the traits that passes and
           fusion read.
Files      what is no step: `sources` (inputs, constants, parameters), `fusible` (map, move, reduce) and `take`, which
           groups compute, `ranges`, `complex_numbers`, `scalar_loop`; steps on buffers: `dot`, `reshape`, `subtensor`,
           `inc_subtensor`, `concatenate`, and `inc_take` in the file of `take`; functions of the library: `along`,
           `searchsorted`, `positions`, `factorise`, `spectral`, `conv`; control: `loops`, `branches`, `effects`.
Uses       `bufferise` for storage and loops, `mlir` for text, `gpu` for kernels; each only when called.
Used by    `compiler`, which loads this package; all others reach constructs by `tensor_ir.construct.CONSTRUCTS`.
Begin with `searchsorted`, a complete one, and docs/adding-a-construct.md.
To add     one: a file that is called as the construct, with its class.  Small relatives may share a file, which `HOLDS`
           then names.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tensordsl.codegen.tensor_ir.construct import CONSTRUCTS, Construct

# Files that are called otherwise than what they hold.
HOLDS = {
    "sources": "arg shared const index carried rounds undefined result",
    "fusible": "map move reduce broadcast_to fold",
    "ranges": "extent iota shape_i arange",
    "complex_numbers": "complex real imag part pairs",
    "take": "take inc_take in_bounds",
    "positions": "true_positions repeated_positions",
    "loops": "for while",
    "branches": "ifelse",
    "effects": "assert callback host print",
    "factorise": "cholesky cholesky_vjp solve_triangular lu_factor lu_solve swap_rows",
    "conv": "conv conv_inputs conv_weights",
    "spectral": "qr svd svdvals eigh eigvalsh eig eigvals",
}
_FILES = {name: file for file, names in HOLDS.items() for name in names.split()}


def _load(name: str) -> None:
    file = f"{__name__}.{_FILES.get(name, name)}"
    try:
        import_module(file)
    except ModuleNotFoundError as error:
        if error.name != file:
            raise


def load_all() -> list[Construct]:
    """Every construct, by its name; for tests and documents."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return [CONSTRUCTS[name] for name in sorted(CONSTRUCTS.registered)]


CONSTRUCTS.find = _load
