"""`pymc.sample` by our functions: nutpie's chains where PyMC would take nutpie, else PyMC's own samplers.

Contract  `sample(...)` with the arguments of `pymc.sample` -> its result.
Why       PyMC hands nutpie no mode: by nutpie's door Numba or JAX compiles, whatever mode was asked for.  So PyMC's
          own function runs, and gets our compiled model where it asks nutpie for one.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from pytensor.compile.mode import get_mode
from pytensor.gradient import NullTypeGradError

from tensordsl.pymc.nutpie import compile
from tensordsl.pytensor.linker import TENSORDSL, TensorDSLLinker

COMPILE_OPTIONS = ("initial_points", "jitter_rvs", "default_initialization_strategy")  # of nutpie's that ours knows
PLAIN = {"init": "auto", "return_inferencedata": True, "trace": None, "callback": None}  # other values nutpie lacks
_ready: ContextVar[list[tuple[Any, Any]] | None] = ContextVar("tensordsl_models_for_nutpie", default=None)


def sample(
    draws: int = 1000,
    *,
    step: Any = None,
    nuts_sampler: str | None = None,
    initvals: Any = None,
    model: Any = None,
    backend: Any = None,
    compile_kwargs: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Draws of a model's posterior, as by `pymc.sample`, with the model compiled by this library.

    Parameters
    ----------
    draws, step, initvals, model, options : as of `pymc.sample`, with its defaults.
    nuts_sampler : "nutpie"; "pymc"; or None for nutpie where it can do what is asked for, else PyMC's own samplers:
        for discrete variables, a `step`, an `init`, a `trace`, a `callback`, `initvals` of each chain,
        `return_inferencedata=False`, a log-density without a gradient or with a step of Python's.
    backend, compile_kwargs["mode"] : None, or a mode with our linker.

    Returns what `pymc.sample` does; by nutpie its groups, of PyMC 5 too.

    Raises ValueError, by its name, for an argument that names another compiler, or that the chosen sampler does not
    take; otherwise what `pymc.sample` raises.

    Examples
    --------
    >>> import pymc as pm
    >>> import tensordsl.pymc
    >>> with pm.Model():
    ...     x = pm.Normal("x", 0, 1)
    ...     found = tensordsl.pymc.sample(50, tune=50, chains=2, cores=1, random_seed=1, progressbar=False, quiet=True)
    >>> found.posterior["x"].shape
    (2, 50)
    """
    import pymc

    model = pymc.modelcontext(model)
    mode, compile_kwargs = _mode_of(backend, compile_kwargs)
    if nuts_sampler not in (None, "pymc", "nutpie"):
        raise ValueError(f"tensordsl.pymc.sample: nuts_sampler={nuts_sampler!r} compiles by JAX; 'nutpie' or 'pymc'")
    for name in ("nuts", "nuts_sampler_kwargs"):
        _refuse(name, [key for key in ("backend", "gradient_backend") if key in (options.get(name) or {})])
    arguments: dict[str, Any] = {"step": step, "model": model, **options}
    compiled = None
    if nuts_sampler == "nutpie" or (nuts_sampler is None and _suits_nutpie(model, step, initvals, options)):
        compiled = _for_nutpie(model, mode, initvals, options.get("var_names"), compile_kwargs, nuts_sampler is None)
    if compiled is None:
        more = {"nuts_sampler": "pymc", "initvals": initvals, "compile_kwargs": {**compile_kwargs, "mode": mode}}
        return pymc.sample(draws, **more, **arguments)
    sampled = _sample_of_release_5 if int(pymc.__version__.split(".")[0]) < 6 else pymc.sample
    return _handed(model, compiled, functools.partial(sampled, draws, nuts_sampler="nutpie", **arguments))


def _mode_of(backend: Any, compile_kwargs: dict[str, Any] | None) -> tuple[Any, dict[str, Any]]:
    """The mode, and the other options of compiling."""
    others = dict(compile_kwargs or {})
    given = [value for value in (backend, others.pop("mode", None)) if value is not None]
    if len(given) > 1:
        raise ValueError("tensordsl.pymc.sample: wants one of backend and compile_kwargs['mode'], got both")
    mode = get_mode(given[0]) if given else TENSORDSL
    if not isinstance(mode.linker, TensorDSLLinker):
        raise ValueError(
            f"tensordsl.pymc.sample: compiles by the mode 'TENSORDSL' and what it includes, got {given[0]!r}; "
            "pymc.sample takes other modes"
        )
    return mode, others


def _refuse(where: str, names: list[str]) -> None:
    if names:
        raise ValueError(f"tensordsl.pymc.sample: takes no {', '.join(map(repr, names))} in {where}")


def _suits_nutpie(model: Any, step: Any, initvals: Any, options: dict[str, Any]) -> bool:
    """Whether PyMC would take nutpie; whether the log-density has a gradient turns out as it is compiled."""
    from pymc.vartypes import discrete_types

    suits = (
        step is None
        and (initvals is None or isinstance(initvals, dict))
        and not _beyond_nutpie(options)
        and not any(variable.dtype in discrete_types for variable in model.value_vars)
    )
    if suits and importlib.util.find_spec("nutpie") is None:
        warnings.warn("nutpie is not installed: PyMC's own sampler, in Python, draws", UserWarning, stacklevel=3)
        return False
    return suits


def _beyond_nutpie(options: dict[str, Any]) -> list[str]:
    return [name for name, value in PLAIN.items() if options.get(name, value) != value]


def _for_nutpie(
    model: Any, mode: Any, initvals: Any, var_names: Any, compile_kwargs: dict[str, Any], may_leave: bool
) -> Any:
    """What nutpie samples from; None where the log-density can't be had so, and another sampler may be taken."""
    if initvals is not None and not isinstance(initvals, dict):
        raise ValueError("tensordsl.pymc.sample: nutpie takes one dict as initvals, nuts_sampler='pymc' several")
    _refuse("compile_kwargs, with nutpie", sorted(set(compile_kwargs) - set(COMPILE_OPTIONS)))
    if initvals is not None:
        compile_kwargs = {"initial_points": initvals, **compile_kwargs}
    try:
        return compile(model, var_names=var_names, mode=mode, **compile_kwargs)
    except (NotImplementedError, NullTypeGradError, ImportError, ValueError) as error:
        if not may_leave:
            raise
        warnings.warn(f"PyMC's own sampler, in Python, draws; nutpie can not: {error}", UserWarning, stacklevel=3)
        return None


def _handed(model: Any, compiled: Any, sampled: Callable[[], Any]) -> Any:
    """What PyMC samples when nutpie's answer for the model is `compiled`."""
    import nutpie

    if not hasattr(nutpie.compile_pymc_model, "asks_tensordsl"):
        nutpie.compile_pymc_model = _asking(nutpie.compile_pymc_model)
    ready = [(model, compiled)]
    token = _ready.set(ready)
    try:
        found = sampled()
    finally:
        _ready.reset(token)
    if ready:
        raise RuntimeError("tensordsl.pymc.sample: this release of PyMC does not ask nutpie.compile_pymc_model")
    return found


def _asking(original: Callable[..., Any]) -> Callable[..., Any]:
    """nutpie's function, which gives a model that we have compiled in this context; any other as before."""

    @functools.wraps(original)
    def compile_pymc_model(model: Any, *arguments: Any, **options: Any) -> Any:
        ready = _ready.get()
        if ready and ready[0][0] is model:
            return ready.pop()[1]
        return original(model, *arguments, **options)

    compile_pymc_model.asks_tensordsl = True  # type: ignore[attr-defined]
    return compile_pymc_model


def _sample_of_release_5(draws: int, **options: Any) -> Any:
    """`pymc.sample` of PyMC 5 with nutpie: options that it leaves out reach nutpie, as from PyMC 6."""
    import pymc

    known = {*inspect.signature(pymc.sample).parameters, "nuts", "target_accept"} - {"kwargs"}
    _refuse("its arguments, with nutpie", sorted(set(options) - known) + _beyond_nutpie(options))
    if options["step"] is not None:
        _refuse("its arguments, with nutpie", ["step"])
    nuts = {**(options.pop("nuts", None) or {}), **(options.pop("nuts_sampler_kwargs", None) or {})}
    idata_kwargs = dict(options.pop("idata_kwargs", None) or {})
    log_likelihood = idata_kwargs.pop("log_likelihood", False)
    if idata_kwargs.pop("include_transformed", False):
        nuts["store_unconstrained"] = True
    _refuse("idata_kwargs, with nutpie", sorted(idata_kwargs))
    if "max_treedepth" in nuts:
        nuts["maxdepth"] = nuts.pop("max_treedepth")
    if "target_accept" in nuts:
        _refuse("nuts, beside the argument of this name", ["target_accept"] if "target_accept" in options else [])
        options["target_accept"] = nuts.pop("target_accept")
    if options.get("cores") is not None:
        nuts.setdefault("cores", options["cores"])
    nuts["save_warmup"] = not options.get("discard_tuned_samples", True)
    tune = options.get("tune")
    options["tune"] = 1000 if tune is None else max(tune, 1)  # nutpie wants one
    found = pymc.sample(draws, nuts_sampler_kwargs=nuts, **options)
    if log_likelihood:
        names = None if log_likelihood is True else log_likelihood
        pymc.compute_log_likelihood(found, var_names=names, model=options["model"], progressbar=False)
    return found
