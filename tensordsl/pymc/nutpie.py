"""The bridge to nutpie: a model's log-density with its gradient, and its variables at a point, as C functions.

Contract  `compile(model)` -> nutpie's `CompiledPyMCModel`.
Why       nutpie itself knows the backends "numba" and "jax" alone.  It takes a function's address from whatever has an
          attribute `address`: so its own functions build the graphs, and ours are the addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensordsl.functions.c_functions import CFunction
from tensordsl.pytensor.linker import TENSORDSL, compiled_of


def compile(  # nutpie's word
    model: Any,
    *,
    var_names: Iterable[str] | None = None,
    initial_points: dict[Any, Any] | None = None,
    jitter_rvs: set[Any] | None = None,
    default_initialization_strategy: str = "support_point",
    mode: Any = TENSORDSL,
) -> Any:
    """A PyMC model for `nutpie.sample`, which then runs its chains in threads, without the interpreter.

    Parameters
    ----------
    model : a `pymc.Model`.  Its data and dimensions become constants: compile again after `pm.set_data`.
    var_names, initial_points, jitter_rvs, default_initialization_strategy : as of `nutpie.compile_pymc_model`.
    mode : a mode of PyTensor's with our linker, as `TENSORDSL.including(...)`.

    A point's numbers, and so the draws of a seed, are in the order that the model declares its variables in.
    Raises ImportError where PyMC or nutpie are missing; ValueError for a log-density with a step that Python does, by
    its name.
    """
    try:
        from nutpie import compile_pymc as bridge
        from pymc.initial_point import make_initial_point_fn
        from pymc.model.transform.optimization import freeze_dims_and_data
    except ImportError as error:
        raise ImportError("tensordsl.pymc: wants PyMC and nutpie; pip install 'tensordsl[pymc]' nutpie") from error
    needed = ("_make_functions", "_prepare_dims_and_coords", "_wrap_with_lock", "make_user_data", "CompiledPyMCModel")
    absent = [name for name in needed if not hasattr(bridge, name)]
    if absent:
        raise ImportError(f"tensordsl.pymc: this release of nutpie has no {', '.join(absent)} (docs/pymc.md)")
    model, initial_points = _frozen(model, initial_points, freeze_dims_and_data)
    if default_initialization_strategy == "support_point" and jitter_rvs is None:
        jitter_rvs = set(model.free_RVs)
    initial = bridge._wrap_with_lock(
        make_initial_point_fn(
            model=model, overrides=initial_points, default_strategy=default_initialization_strategy,
            jitter_rvs=jitter_rvs, return_transformed=True,
        )
    )  # fmt: skip
    n_dim, n_expanded, logp, expand, initial, shapes, *more = bridge._make_functions(
        model, mode=mode, compute_grad=True, join_expanded=True, pymc_initial_point_fn=initial,
        var_names=var_names,
    )  # fmt: skip
    dims, coords = bridge._prepare_dims_and_coords(model, shapes, *more)
    fields: dict[str, Any] = {
        "_n_dim": n_dim, "dims": dims, "_coords": coords,
        "_shapes": {name: tuple(shape) for name, _, shape in zip(*shapes, strict=True)},
        "compiled_logp_func": _c_function(logp, "nutpie.logp"),
        "compiled_expand_func": _c_function(expand, "nutpie.expand"),
        "initial_point_func": initial, "shared_data": {}, "user_data": bridge.make_user_data({}, {}),
        "n_expanded": n_expanded, "shape_info": shapes, "logp_func": logp, "expand_func": expand,
    }  # fmt: skip
    known = bridge.CompiledPyMCModel.__dataclass_fields__
    if "shared_var_keys" in known:
        fields["shared_var_keys"] = {}
    if more:
        fields["reparameterized_names"] = more[0]
    return bridge.CompiledPyMCModel(**fields)


def _frozen(model: Any, initial_points: dict[Any, Any] | None, freeze: Any) -> tuple[Any, dict[Any, Any] | None]:
    """The model with its data as constants, and the initial points: also those of variables, which PyMC 5 can not copy.

    The model's own are put aside meanwhile, and are back afterwards whatever happens.
    """
    own = {variable: value for variable, value in model.rvs_to_initial_values.items() if value is not None}
    try:
        return _ordered(freeze(model), model), initial_points
    except NotImplementedError:
        if not own:
            raise
    model.rvs_to_initial_values.update(dict.fromkeys(own))
    try:
        frozen = freeze(model)
    finally:
        model.rvs_to_initial_values.update(own)
    return _ordered(frozen, model), {
        **{variable.name: value for variable, value in own.items()},
        **(initial_points or {}),
    }


def _ordered(frozen: Any, model: Any) -> Any:
    """The frozen model with its variables in the model's order; PyMC collects them in that of the graph."""
    for group in ("free_RVs", "deterministics"):
        places = {variable.name: k for k, variable in enumerate(getattr(model, group))}
        getattr(frozen, group).sort(key=lambda variable, places=places: places[variable.name])
    return frozen


def _c_function(function: Any, signature: str) -> CFunction:
    """A function of PyTensor's of one vector, as a C function that needs no handle."""
    found: CFunction = compiled_of(function).c_function(signature).bound()
    return found
