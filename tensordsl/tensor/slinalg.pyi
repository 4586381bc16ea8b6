# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.kinds import Cholesky as Cholesky
from tensordsl.ops.kinds import CholeskyGrad as CholeskyGrad
from tensordsl.ops.kinds import Eigvalsh as Eigvalsh
from tensordsl.ops.kinds import EigvalshGrad as EigvalshGrad
from tensordsl.ops.kinds import Expm as Expm
from tensordsl.ops.kinds import ExpmGrad as ExpmGrad
from tensordsl.ops.kinds import Solve as Solve
from tensordsl.ops.linalg.decompositions import cholesky as cholesky
from tensordsl.ops.linalg.matrix_functions import expm as expm
from tensordsl.ops.linalg.products import kron as kron
from tensordsl.ops.linalg.systems import solve_lower_triangular as solve_lower_triangular
from tensordsl.ops.linalg.systems import solve_upper_triangular as solve_upper_triangular
from tensordsl.ops.linalg.theano_forms import MATRIX_STRUCTURES as MATRIX_STRUCTURES
from tensordsl.ops.linalg.theano_forms import eigvalsh as eigvalsh
from tensordsl.ops.linalg.theano_forms import imported_scipy as imported_scipy
from tensordsl.ops.linalg.theano_forms import solve as solve
from tensordsl.ops.linalg.theano_forms import solve as solve_symmetric

__all__ = ["Cholesky", "CholeskyGrad", "Eigvalsh", "EigvalshGrad", "Expm", "ExpmGrad", "MATRIX_STRUCTURES", "Solve", "cholesky", "eigvalsh", "expm", "imported_scipy", "kron", "solve", "solve_lower_triangular", "solve_symmetric", "solve_upper_triangular"]
