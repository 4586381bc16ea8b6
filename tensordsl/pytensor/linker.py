"""The linker: a whole `FunctionGraph` of PyTensor becomes one compiled function, which PyTensor calls as its thunk.

Contract  PyTensor's `JITLinker`: inputs in the order of the graph, results as a sequence.  Containers, updates and
          defaults stay PyTensor's; what is native is one `tensordsl.function`.
Why       of PyTensor's rewrites only those are asked for whose work our own passes do not do: rewriting is most of what
          compiling a model takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from pytensor.compile.mode import Mode, predefined_modes, register_linker, register_mode
from pytensor.graph.rewriting.db import RewriteDatabaseQuery
from pytensor.link.basic import JITLinker

from tensordsl.functions.function import function as compiled_function
from tensordsl.pytensor.conversion import Conversion
from tensordsl.pytensor.objects import Held, Names

# Rewrites that nobody may add, by their tags: of other backends, and those that fuse, write in place or call a BLAS.
LEFT_OUT = (
    "cxx_only", "BlasOpt", "fusion", "inplace", "local_careduce_fusion", "scan_save_mem_prealloc", "numba", "jax",
    "pytorch", "mlx",
    "reuse_decomposition_multiple_solves", "scan_split_non_sequence_decomposition_and_solve",
)  # fmt: skip
# Equations of which the right side is finite where the left one is not, beyond those of `ops.math.stable`; those that
# follow find numbers only once constants are folded.  A release without one of these names goes without it.
STABLE = (
    "local_1msigmoid", "local_erf_minus_one", "local_erf_neg_minus_one", "local_exp_over_1_plus_exp", "local_expm1",
    "local_grad_log_erfc_neg", "local_inv_odds_sigmoid", "local_log1p", "local_log1p_plusminus_exp", "local_log_div",
    "local_log_erfc", "local_log_iv", "local_log_kv", "local_log_prod_to_sum_log", "local_log_sqrt_sqr",
    "local_mul_switch_sink", "local_odds_sigmoid", "local_one_minus_erf", "local_one_minus_erfc", "local_one_plus_erf",
    "local_reciprocal_1_plus_exp", "local_sigm_times_exp", "logdiffexp_to_log1mexpdiff", "logmexpm1_to_log1mexp",
)  # fmt: skip
CANONICAL = (
    "canonicalize_db", "merge", "topo_constant_folding",
    "local_div_switch_sink", "local_mul_switch_sink", "local_sigmoid_logit", "local_odds_sigmoid",
    "local_inv_odds_sigmoid",
)  # fmt: skip


class TensorDSLLinker(JITLinker):  # type: ignore[misc,unused-ignore]  # PyTensor is not installed where this is checked
    """Compiles a graph by tensordsl."""

    required_rewrites = ("minimum_compile",)
    incompatible_rewrites = LEFT_OUT

    def fgraph_convert(self, fgraph: Any, **options: Any) -> Callable[..., Sequence[Any]]:
        return compiled(fgraph)

    def jit_compile(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        return fn  # it is native already

    def create_thunk_inputs(self, storage_map: Any) -> list[Any]:
        return [storage_map[variable] for variable in self.fgraph.inputs]


def compiled(fgraph: Any) -> Callable[..., Sequence[Any]]:
    """A callable of the values of a graph's inputs, which gives a sequence of those of its outputs."""
    conversion = Conversion()
    inputs = [conversion.input(variable) for variable in fgraph.inputs]
    outputs = conversion.graph(fgraph, inputs)
    given = [v.token if isinstance(v, Held) else v for v in inputs]
    wanted = [conversion.token(v) if isinstance(v, Held) else v for v in outputs]
    function: Any = compiled_function(given, wanted, on_unused_input="ignore")
    function.python_steps = tuple(conversion.steps)
    function.trust_input = True
    if not (outputs and conversion.objects.is_unused) or conversion.errors or any(isinstance(v, Held) for v in inputs):
        return cast(Callable[..., Sequence[Any]], _Around(function, inputs, outputs, conversion))
    return cast(Callable[..., Sequence[Any]], function)


class _Around:
    """A compiled function of a graph that has objects, raises exceptions of its own, or gives nothing."""

    def __init__(self, function: Any, inputs: Sequence[Any], outputs: Sequence[Any], conversion: Conversion) -> None:
        self.function, self.objects, self.errors = function, conversion.objects, conversion.errors
        self.held_inputs = [(k, Names()) for k, v in enumerate(inputs) if isinstance(v, Held)]
        self.held_outputs = [k for k, v in enumerate(outputs) if isinstance(v, Held)]
        self.gives_nothing = not outputs

    def __call__(self, *values: Any) -> list[Any] | None:
        given = list(values)
        for k, names in self.held_inputs:
            given[k] = np.asarray(self.objects.put(given[k], names))
        try:
            found = list(self.function(*given))
            for k in self.held_outputs:
                found[k] = self.objects[int(found[k])]
        except ValueError as error:
            raise self._translated(error) from None
        finally:
            self.objects.forget()
        return None if self.gives_nothing else found  # PyTensor asks for None

    def _translated(self, error: ValueError) -> BaseException:
        """The exception that the graph's own check raises."""
        text = str(error)
        found = (kind(message) for message, kind in self.errors.items() if message in text)
        return next(found, error)


def python_steps(function: Any) -> tuple[str, ...]:
    """The operations of a function of PyTensor's that Python does, by name; none if everything is native.

    function: what `pytensor.function` gave, compiled by this linker.  Raises TypeError for another.
    """
    return tuple(compiled_of(function).python_steps)


def compiled_of(function: Any) -> Any:
    """Our function within one of PyTensor's that this linker compiled.  Raises TypeError for another."""
    fn = getattr(getattr(function, "vm", None), "jit_fn", None)
    found = fn.function if isinstance(fn, _Around) else fn
    if not hasattr(found, "python_steps"):
        raise TypeError(f"python_steps: wants a function that was compiled with mode='TENSORDSL', got {function!r}")
    return found


register_linker("tensordsl", TensorDSLLinker())
TENSORDSL = Mode(
    linker="tensordsl",
    optimizer=RewriteDatabaseQuery(
        include=["minimum_compile", "stabilize", *CANONICAL], exclude=list(LEFT_OUT),
        subquery={"stabilize": RewriteDatabaseQuery(include=list(STABLE))},
    ),
)  # fmt: skip
if "TENSORDSL" not in predefined_modes:
    register_mode("TENSORDSL", TENSORDSL)
