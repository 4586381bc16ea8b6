"""Makes docs/ops.md: every row of the op table with what its columns say, in the words of users.

Run as `python tools/op_table.py > docs/ops.md`; a test compares the committed page with this output.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tensordsl
import tensordsl.tensor as T
from tensordsl import ifelse, printing
from tensordsl.autodiff import gradient
from tensordsl.codegen.scalar_ir.math import FUNCTIONS
from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import Elementwise, Expand, Kernel, Movement, Op, Reduction, apply
from tensordsl.ops import control, pool
from tensordsl.ops.array import arrange, masks, reduce
from tensordsl.ops.kinds import OpKind
from tensordsl.ops.linalg.matrices import matrix_dtype
from tensordsl.ops.table import MODULES, OPS

HEAD = """# The operations

Made by `tools/op_table.py` from the rows of `tensordsl/ops`. Each row is one `Op`; the public functions are written
with these rows, and many more are written with several of them (`T.mean`, `T.var`, `T.std`, `T.tile`, `T.stack`, ...).

- **dtypes**: of the result, for operands of bool, int8, int64, float32 and float64 (*same*: as the operand;
  *refused*: a TypeError when the expression is built). Operands of several dtypes are promoted first, as in NumPy.
- **meaning**: *elementwise*: one scalar computation at each point of the broadcast operands; *reduction*: a Reducer
  over axes; *movement*: the same elements at other places; *expand*: written with other operations; *construct*: native
  code that the compiler knows by name; *host*: a step of the host, in Python or NumPy.
- **gradient**: *yes*, or why there is none.
- **oracle**: what the native result is compared with; **ulp**: how far it may be from it, in units in the last place
  (0: every bit; sums and products of matrices depend on the order of additions).
"""

TITLES = {
    "elementwise": "Arithmetic, rounding, choices", "comparisons": "Comparisons and logic", "functions": "Real functions",
    "gamma": "The gamma function and its kin", "gamma_incomplete": "Incomplete gamma functions", "grids": "Products with logarithms",
    "normal": "The normal distribution", "logarithms": "Logarithms, entropies, sinc", "beta": "Beta functions, factorials",
    "beta_incomplete": "The incomplete beta function", "gamma_inverse": "Inverses of incomplete gamma functions",
    "zeta": "Zeta functions", "integrals": "Integrals", "lambert": "Lambert's W", "bessel": "Bessel functions of the orders 0 and 1",
    "bessel_order": "Bessel functions of real order", "hypergeometric": "Hypergeometric functions", "rows": "Convolutions",
    "shape": "Shapes", "creation": "Sequences of numbers", "reduce": "Reductions", "products": "Products",
    "triangular": "Triangular systems", "factorise": "Factorisations", "solve": "Linear systems, inverses, determinants",
    "spectral": "Eigenvalues and singular values", "inverses": "Pseudo-inverses", "systems": "Least squares",
    "matrix_functions": "Functions of matrices", "equations": "Matrix equations", "schur": "Schur decompositions",
    "roots": "Square roots and logarithms of matrices",
    "index": "Indexing", "masks": "Positions that depend on data", "arrange": "Declared shapes",
    "complexes": "Complex numbers", "ufuncs": "Signs, divisors, parts of floats",
    "cumulative": "Running sums and products", "sort": "Order", "nnet": "Neural networks", "pool": "Pooling", "bits": "Random bits", "rejection": "Random numbers by rejection", "control": "Loops, choices, effects, gradients", "scalar_loop": "Loops of scalars",
}  # fmt: skip

NAMESPACES: tuple[tuple[str, ModuleType], ...] = (
    ("T", T), ("T.linalg", T.linalg), ("T.nnet", T.nnet), ("tensordsl.gradient", gradient), ("tensordsl.printing", printing),
    ("tensordsl.ifelse", ifelse), ("tensordsl.ops.control", control),
)  # fmt: skip

# How a row is reached that has no public function of its own name.
SPELLINGS = {
    "shape_i": "x.shape[axis]", "broadcast_to": "T.alloc, T.zeros, T.ones, T.full, T.broadcast_to",
    "subtensor": "x[i], x[1:], x[..., ::-1]", "inc_subtensor": "T.set_subtensor(x[...], y), T.inc_subtensor(x[...], y)",
    "take": "x[integers], T.take", "inc_take": "T.set_subtensor(x[integers], y), T.inc_subtensor(x[integers], y)",
    "conv": "T.nnet.conv2d, T.nnet.conv3d, T.nnet.causal_conv1d",
    "conv_inputs": "T.nnet.conv2d_transpose, T.nnet.conv2d_grad_wrt_inputs, T.nnet.conv3d_grad_wrt_inputs",
    "conv_weights": "T.nnet.conv2d_grad_wrt_weights, T.nnet.conv3d_grad_wrt_weights",
    "lu_factor": "T.linalg.lu_factor, T.linalg.lu", "swap_rows": "T.linalg.lu", "qr_raw": "T.linalg.qr", "column_order": "T.linalg.qr",
    "matrix_inverse": "T.linalg.inv, T.nlinalg.matrix_inverse",
    "true_positions": "x[mask], T.nonzero, T.flatnonzero, T.compress", "repeated_positions": "T.repeat(x, counts)",
    "mask_shape": "T.set_subtensor(x[mask], y)",
    "range_length": "T.arange", "range_number": "T.arange", "fold": "T.grad",
    "require": "T.choose, T.bincount, T.unravel_index, T.ravel_multi_index",
    "xlogx": "T.xlogx.xlogx", "exponent": "T.frexp",
    "for": "tensordsl.gradient.jacobian, tensordsl.gradient.hessian",
    "while": "tensordsl.while_loop, tensordsl.scan", "scalar_loop": "tensordsl.pytensor",
    **dict.fromkeys(("philox", "poisson", "binomial", "random_gamma", "random_log_gamma", "random_normal_tail", "random_von_mises", "random_hypergeometric", "random_zeta", "gamma_slope"), "T.shared_randomstreams.RandomStreams"), "print": "tensordsl.printing.Print", "assert": "tensordsl.ops.control.Assert",
}  # fmt: skip

# Symbols for `pp` that are no operators of variables: `==` compares objects, as for other Python objects.
NO_OPERATORS = {"==", "!=", "\\dot"}

ATTRIBUTES = {
    "axis", "axes", "order", "dtype", "acc_dtype", "ndim", "index", "body", "loop", "message", "attrs_names", "set", "lower",
    "upper", "multiplier", "part", "kind", "side", "itemsize", "trans", "unit_diagonal", "on_error", "inverse", "mode",
    "full_matrices", "output",
}  # fmt: skip


def of_matrix(name: str, *others: Callable[[Any], Any], **attrs: Any) -> Callable[[Any], Any]:
    """An example of a row of linear algebra: on a matrix, and on what `others` make of it."""

    def example(x: Any) -> Any:
        a = T.cast(T.alloc(x[0], 2, 2), matrix_dtype(x.dtype))
        return apply(OPS[name], a, *(other(a) for other in others), **attrs)

    return example


def of_convolution(name: str) -> Callable[[Any], Any]:
    """A convolution of vectors with themselves, or its gradients."""
    attrs: dict[str, Any] = {"strides": (1,), "dilation": (1,), "padding": "half", "groups": 1, "flip": False}

    def example(x: Any) -> Any:
        a = x.dimshuffle("x", "x", 0)
        return apply(OPS[name], a, a, *([T.shape_i(x, 0)] if name != "conv" else []), **attrs)

    return example


def real_cutoff(a: Any) -> Any:
    return a[0, 0]


def pivots(a: Any) -> Any:
    return apply(OPS["lu_factor"], a)[1]


# An expression with the row in it, for rows that cannot be applied to a few vectors.
POOLED = {"window": (1,), "stride": (1,), "pad": (0,), "ignore_border": True}
EXAMPLES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("range_length", "range_number"), lambda x: T.arange(x[0], x[1])),
    "shape_i": lambda x: T.shape_i(x, 0),
    "dimshuffle": lambda x: x.dimshuffle("x", 0),
    "reshape": lambda x: T.reshape(x, (2, -1)),
    "broadcast_to": lambda x: T.alloc(x[0], 3),
    "fold": lambda x: reduce.sum_to(T.alloc(x[0], 3), T.vector()),
    "concatenate": lambda x: T.concatenate([x, x]),
    **{name: getattr(T, name) for name in ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin")},
    "dot": lambda x: T.dot(x, x),
    **{name: of_convolution(name) for name in ("conv", "conv_inputs", "conv_weights")},
    "solve_triangular": of_matrix("solve_triangular", lambda a: a, lower=True, trans=0, unit_diagonal=False),
    "cholesky": of_matrix("cholesky", lower=True, on_error="raise"),
    "cholesky_vjp": of_matrix("cholesky_vjp", lambda a: a),
    "swap_rows": of_matrix("swap_rows", pivots, inverse=False),
    "qr": of_matrix("qr", mode="reduced"),
    "qr_raw": of_matrix("qr_raw"),
    "column_order": of_matrix("column_order"),
    "lu_solve": of_matrix("lu_solve", pivots, lambda a: a, trans=0),
    "solve": of_matrix("solve", lambda a: a, trans=0),
    "svd": of_matrix("svd", full_matrices=False),
    **{name: of_matrix(name, lower=True) for name in ("eigh", "eigvalsh")},
    **{
        name: of_matrix(name)
        for name in "lu_factor matrix_inverse det slogdet svdvals eig eigvals expm sqrtm logm".split()
    },
    "pinv": of_matrix("pinv", real_cutoff),
    "lstsq": of_matrix("lstsq", lambda a: a, real_cutoff),
    "solve_sylvester": of_matrix("solve_sylvester", lambda a: a, lambda a: a),
    "solve_discrete_are": of_matrix("solve_discrete_are", lambda a: a, lambda a: a, lambda a: a),
    "schur": of_matrix("schur", output="real", sort=None),
    "qz": of_matrix("qz", lambda a: a, output="real", sort=None),
    "subtensor": lambda x: x[1:],
    "inc_subtensor": lambda x: T.set_subtensor(x[1:], x[0]),
    "take": lambda x: x[T.lvector()],
    "inc_take": lambda x: T.set_subtensor(x[T.lvector()], x[0]),
    "batched_dot": lambda x: T.batched_dot(x.dimshuffle("x", "x", 0), x.dimshuffle("x", 0, "x")),
    "true_positions": lambda x: T.nonzero(x)[0],
    "repeated_positions": lambda x: masks.repeated(T.lvector()),
    "cumsum": T.cumsum,
    "cumprod": T.cumprod,
    "sort": T.sort,
    "argsort": T.argsort,
    "searchsorted": lambda x: T.searchsorted(x, x),
    "mask_shape": lambda x: arrange.fitting_mask(x, T.matrix()[:, 0]),
    "require": lambda x: control.require(x, T.lscalar(), "wrong"),
    "specify_shape": lambda x: T.specify_shape(x, (3,)),
    "polygamma": lambda x: T.polygamma(2, x),
    "gammainc_moment": lambda x: apply(OPS["gammainc_moment"], x, x, j=2),
    "betainc_moment": lambda x: apply(OPS["betainc_moment"], x, x, x, j=1, k=1),
    "gammainc_moment_part": lambda x: apply(OPS["gammainc_moment_part"], *[x] * 5),
    "betainc_moment_part": lambda x: apply(OPS["betainc_moment_part"], *[x] * 8),
    **{
        name: lambda x, name=name: getattr(T, name)(x, x)
        for name in ("betaln", "beta", "poch", "zeta", "expn", "owens_t")
    },
    "factorial": T.factorial,
    "kve_by_order": lambda x: apply(OPS["kve_by_order"], x, x, moment=1),
    "hyp2f1": lambda x: T.hyp2f1(x, x, x, x),
    "hyp2f1_by_parameter": lambda x: apply(OPS["hyp2f1_by_parameter"], x, x, x, x, by=0),
    "softmax": T.nnet.softmax,
    "logsoftmax": T.nnet.logsoftmax,
    "ultra_fast_sigmoid": T.nnet.ultra_fast_sigmoid,
    "pool": lambda x: pool.pool(x, (2,), ndim=1),
    "max_pool_grad": lambda x: pool.max_pool_grad(x, x, x, (1,), ndim=1),
    "max_pool_at": lambda x: apply(OPS["max_pool_at"], x, x, x, **POOLED),
    "pool_grad": lambda x: pool.average_pool_grad(x, x, (1,), ndim=1),
    "xlogy": lambda x: T.xlogy(x, T.tensor_copy(x)),
    "xlogx": T.xlogx.xlogx,
    "ifelse": lambda x: ifelse.ifelse(T.lscalar(), x, x),
    "print": printing.Print("x"),
    "assert": lambda x: control.Assert("x")(x, T.lscalar()),
    **{
        name: getattr(gradient, name)
        for name in ("consider_constant", "zero_grad", "disconnected_grad", "undefined_grad")
    },
    "grad_clip": lambda x: gradient.grad_clip(x, -1, 1),
    "grad_scale": lambda x: gradient.grad_scale(x, 2),
    "real": lambda x: T.real(T.zvector()),
    "imag": lambda x: T.imag(T.zvector()),
    "complex": lambda x: T.complex(x, x),
}
OPERANDS = {
    "undefined_grad": ["x"],
    "argsort": ["x"],
    "range_length": ["start", "stop", "step"],
    "philox": ["index", "draw", "key"],
    "poisson": ["words", "mean"],
    "binomial": ["words", "n", "p"],
    "multinomial": ["words", "n", "pvals"],
}  # where no rule of the row names them
DTYPE_NOTES = {
    "cast": "the one asked for",
    "arange": "the one asked for, int64",
    "range_number": "the one asked for",
    "for": "those of the loop's body",
    "while": "int64, and those of the loop's body",
    "scalar_loop": "those of the loop's body",
}
SAMPLES = ("bool", "int8", "int64", "float32", "float64")


# -- columns ---------------------------------------------------------------------------------------------------------
def spelling(row: Op) -> str:
    """Operators and public names."""
    if row.name in SPELLINGS:
        return code(SPELLINGS[row.name])
    parts = operands(row)
    found = []
    if row.symbol and row.symbol not in NO_OPERATORS:
        found.append(f"{parts[0]} {row.symbol} {parts[1]}" if len(parts) == 2 else f"{row.symbol}{parts[0]}")
    for name in (row.print_name, row.name):
        for prefix, module in NAMESPACES:
            function = getattr(module, name, None) if name else None
            if callable(function) and not isinstance(function, OpKind):
                aliases = [k for k, v in vars(module).items() if v is function and k != name and not k.startswith("_")]
                found += [f"{prefix}.{k}" for k in (name, *sorted(aliases))]
                break
    return code(", ".join(dict.fromkeys(found)))


def operands(row: Op) -> list[str]:
    """The names of the operands, `*x` for any number of them."""
    if row.name in OPERANDS:
        return OPERANDS[row.name]
    rule = row.gradient or (row.meaning.scalar if isinstance(row.meaning, Elementwise) else row.shape)
    leading = 2 if row.gradient else 1
    names = []
    for parameter in list(inspect.signature(rule).parameters.values())[leading:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += ["x", "y", "z"][: FUNCTIONS[row.name].arity] if row.name in FUNCTIONS else [f"*{parameter.name}"]
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.name not in ATTRIBUTES:
            names.append(parameter.name)
    return names


def dtypes(row: Op) -> str:
    """What becomes of operands of each sample dtype."""
    if row.name in DTYPE_NOTES:
        return DTYPE_NOTES[row.name]
    results = {t: result_dtype(row, t) for t in SAMPLES}
    if len(set(results.values())) == 1:
        return results["bool"]
    changed: dict[str, list[str]] = {}
    for operand, result in results.items():
        if operand != result:
            changed.setdefault(result, []).append(operand)
    return "; ".join(f"{', '.join(group)} → {result}" for result, group in changed.items()) or "same"


def result_dtype(row: Op, dtype: str) -> str:
    x = TensorType(dtype, (None,))("x")
    assert isinstance(row.meaning, Elementwise) or row.name in EXAMPLES, (
        f"tools/op_table.py needs an example of {row.name}"
    )
    try:
        result = EXAMPLES[row.name](x) if row.name in EXAMPLES else apply(row, *[x] * len(operands(row)))
    except TypeError:
        return "refused"
    return str((result[0] if isinstance(result, tuple | list) else result).dtype)


def meaning(row: Op) -> str:
    if isinstance(row.meaning, Kernel):
        return "host" if row.meaning.name in ("host", "print") else "construct"
    kinds = {Elementwise: "elementwise", Reduction: "reduction", Movement: "movement", Expand: "expand"}
    return kinds[type(row.meaning)]


def oracle(row: Op) -> str:
    """The NumPy function that judges, or that it is written with NumPy."""
    if row.oracle is None:
        return "none"
    for value in inspect.getclosurevars(row.oracle).nonlocals.values():
        if isinstance(value, np.ufunc) or getattr(value, "__module__", "") == "numpy":
            return code(f"numpy.{value.__name__}")
    return "with NumPy"


def code(text: str) -> str:
    """Each of comma-separated names as code; `|` would end the cell."""
    return (
        ", ".join(f"`{part}`" for part in text.replace("|", "\\|").split(", "))
        if not set(text) & set("([")
        else f"`{text}`"
    )


# -- page ------------------------------------------------------------------------------------------------------------
def table(rows: tuple[Op, ...]) -> list[str]:
    lines = [
        "| op | spelling | operands | dtypes | meaning | gradient | oracle | ulp |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            code(row.name), spelling(row), ", ".join(operands(row)), dtypes(row), meaning(row),
            "yes" if row.gradient else row.no_gradient, oracle(row), f"{row.ulp:g}",
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def page() -> str:
    """The whole text of docs/ops.md; the same whatever the configuration."""
    with tensordsl.config.change_flags(floatX="float64", compute_test_value="off"):
        lines = [HEAD]
        for module in MODULES:
            title = TITLES[module.__name__.rpartition(".")[2]]
            lines += [f"## {title}", "", *table(module.ROWS), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
