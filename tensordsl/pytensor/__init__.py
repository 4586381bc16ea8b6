"""PyTensor's functions by this compiler: `import tensordsl.pytensor` makes the mode "TENSORDSL" known to PyTensor.

Comes in   PyTensor's `FunctionGraph`s, of `pytensor.function(..., mode="TENSORDSL")` and of PyMC's models.
Goes out   a callable over one native function of ours for each; what we lack is a step that Python does.
Modules    linker          the linker, and the mode with the few rewrites that it wants
           conversion      the walk over a graph; the table of converters; steps of Python's
           objects         what is no tensor: generators, sparse matrices, lists
           scalars         elementwise operations;   arrays   shapes, indices, joins, reductions, sorting
           lengths         arithmetic of lengths and indices that is known now
           linear_algebra  products and factorisations;   loops   scan, loops of scalars, branches
           sparse          sparse matrices of known places;   convolutions   of vectors and images
           tridiagonal     systems of three diagonals
           draws           random variables;   optimisation   minima and roots;   models   what PyMC adds
Uses       the public functions of `tensordsl.tensor`, `custom.callbacks`, `ops.control`.
Begin with `linker`, then `conversion.Conversion`.
To add     an operation: a row in the table of its kin (`converts_by`), or a function under `@converts`.
"""

try:
    import pytensor as _pytensor  # noqa: F401
except ImportError as error:
    raise ImportError(
        "tensordsl.pytensor: PyTensor is not installed; pip install 'tensordsl[pymc]' (docs/pymc.md)"
    ) from error

from tensordsl.pytensor.linker import TENSORDSL, TensorDSLLinker, python_steps

__all__ = ["TENSORDSL", "TensorDSLLinker", "python_steps"]
