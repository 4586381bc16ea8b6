# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.array.grids import alloc_diag as alloc_diag
from tensordsl.ops.array.index import diagonal as extract_diag
from tensordsl.ops.linalg.decompositions import cholesky as cholesky
from tensordsl.ops.linalg.inverses import det as det
from tensordsl.ops.linalg.inverses import inv as matrix_inverse
from tensordsl.ops.linalg.theano_forms import diag as diag
from tensordsl.ops.linalg.theano_forms import eig as eig
from tensordsl.ops.linalg.theano_forms import eigh as eigh
from tensordsl.ops.linalg.theano_forms import eigvalsh as eigvalsh
from tensordsl.ops.linalg.theano_forms import psd as psd
from tensordsl.ops.linalg.theano_forms import solve as solve
from tensordsl.ops.linalg.theano_forms import spectral_radius_bound as spectral_radius_bound
from tensordsl.ops.linalg.theano_forms import trace as trace
from tensordsl.sandbox.linalg import ops as ops

__all__ = ["alloc_diag", "cholesky", "det", "diag", "eig", "eigh", "eigvalsh", "extract_diag", "matrix_inverse", "ops", "psd", "solve", "spectral_radius_bound", "trace"]
