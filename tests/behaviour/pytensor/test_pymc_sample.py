"""`tensordsl.pymc.sample`: which compiler drew, the arguments of `pymc.sample`, and what it refuses."""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pm = pytest.importorskip("pymc")
nutpie = pytest.importorskip("nutpie")

import pytensor.tensor as pt  # noqa: E402
from nutpie import compile_pymc as others  # noqa: E402
from pytensor.gradient import NullTypeGradError, grad_not_implemented  # noqa: E402
from pytensor.graph import Apply, Op  # noqa: E402

import tensordsl.pymc  # noqa: E402
import tensordsl.pytensor as linked  # noqa: E402
from tensordsl.functions.c_functions import CFunction  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
DATA = np.random.default_rng(0).normal(1.0, 2.0, size=12)
SHORT: dict[str, Any] = dict(
    draws=20, tune=30, chains=2, cores=1, random_seed=1, progressbar=False, compute_convergence_checks=False
)


def model(with_count: bool = False) -> Any:
    with pm.Model(coords={"side": ["left", "right"]}) as made:
        place, spread = pm.Normal("place", 0, 3, dims="side"), pm.HalfNormal("spread", 1)
        shift = 0.1 * pm.Poisson("count", 3) if with_count else 0
        pm.Deterministic("middle", place.sum() / 2)
        pm.Normal("y", place.sum() + shift, spread, observed=DATA)
    return made


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, Any]]]:
    """What nutpie drew from and by which options; a compiler of its own raises."""
    found: list[tuple[Any, dict[str, Any]]] = []
    sample = nutpie.sample

    def kept(compiled: Any, **options: Any) -> Any:
        found.append((compiled, options))
        return sample(compiled, **options)

    def another(*_: Any, **__: Any) -> Any:
        raise AssertionError("another compiler")

    monkeypatch.setattr(nutpie, "sample", kept)
    for name in ("_compile_pymc_model_numba", "_compile_pymc_model_jax"):
        monkeypatch.setattr(others, name, another)
    return found


@pytest.fixture
def densities(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The log-densities with gradients that PyMC's own samplers have made."""
    found: list[Any] = []
    made = pm.Model.logp_dlogp_function

    def kept(self: Any, *arguments: Any, **options: Any) -> Any:
        found.append(made(self, *arguments, **options))
        return found[-1]

    monkeypatch.setattr(pm.Model, "logp_dlogp_function", kept)
    return found


def by_pymc(densities: list[Any], drawn: list[Any]) -> bool:
    """Whether PyMC's own sampler drew, by our functions."""
    return not drawn and all(linked.python_steps(f._pytensor_function) == () for f in densities)


# -- which compiler drew -----------------------------------------------------------------------------------------------
def test_our_functions_draw(drawn: list[Any]) -> None:
    with model():
        found = tensordsl.pymc.sample(**SHORT)
    (compiled, options), *more = drawn
    assert not more and options["draws"] == 20 and found.posterior["place"].shape == (2, 20, 2)
    for function in (compiled.compiled_logp_func, compiled.compiled_expand_func):
        assert isinstance(function, CFunction)
    assert linked.python_steps(compiled.logp_func) == ()
    assert list(found.posterior["side"].values) == ["left", "right"]
    np.testing.assert_allclose(found.posterior["middle"], found.posterior["place"].mean("side"))
    np.testing.assert_array_equal(found.observed_data["y"], DATA)


def test_pymcs_own_nutpie_compiles_by_another(drawn: list[Any]) -> None:
    """Why there is `tensordsl.pymc.sample`: the judge `drawn` sees that PyMC drops the mode."""
    more = {"compile_kwargs": {"mode": "TENSORDSL"}}
    with pytest.raises(AssertionError, match="another compiler"):
        pm.sample(model=model(), nuts_sampler="nutpie", **more, **SHORT)


def test_draws_and_groups_are_those_of_pymc_with_another_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other compiler's place is taken by `tensordsl.pymc.compile`: what differs is only who asked for it."""
    made = model()
    ours = tensordsl.pymc.sample(model=made, **SHORT)
    monkeypatch.setattr(nutpie, "compile_pymc_model", lambda given, var_names=None, **_: tensordsl.pymc.compile(given))
    release_5 = {"nuts_sampler_kwargs": {"save_warmup": False, "cores": 1}}
    more = release_5 if pm.__version__.startswith("5.") else {}
    theirs = pm.sample(model=made, nuts_sampler="nutpie", **SHORT, **more)
    for group in ("posterior", "sample_stats"):
        assert list(getattr(ours, group).data_vars) == list(getattr(theirs, group).data_vars)
    assert {*ours.posterior.attrs} == {*theirs.posterior.attrs}
    for name in ours.posterior.data_vars:
        np.testing.assert_array_equal(ours.posterior[name], theirs.posterior[name])


def test_models_that_are_compiled_meanwhile_are_nutpies(drawn: list[Any]) -> None:
    tensordsl.pymc.sample(model=model(), **SHORT)
    with pytest.raises(AssertionError, match="another compiler"):
        nutpie.compile_pymc_model(model())


def test_threads_draw_from_their_own_models(drawn: list[Any]) -> None:
    found: dict[float, Any] = {}

    def run(place: float) -> None:
        with pm.Model() as made:
            pm.Normal("x", place, 1)
        found[place] = tensordsl.pymc.sample(model=made, **SHORT).posterior["x"].values

    threads = [threading.Thread(target=run, args=(place,)) for place in (0.0, 100.0, 200.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.all(np.abs(values - place) < 10) for place, values in found.items()) and len(found) == 3


# -- the arguments, by nutpie ------------------------------------------------------------------------------------------
def test_arguments_reach_nutpie(drawn: list[Any]) -> None:
    more = {"target_accept": 0.9, "nuts": {"max_treedepth": 5}, "discard_tuned_samples": False}
    options = {**{key: value for key, value in SHORT.items() if key != "draws"}, "cores": 2}
    found = tensordsl.pymc.sample(15, model=model(), **options, **more)
    told = drawn[0][1]
    assert (told["draws"], told["tune"], told["chains"], told["cores"]) == (15, 30, 2, 2)
    assert (told["target_accept"], told["maxdepth"], told["save_warmup"]) == (0.9, 5, True)
    assert found.posterior["spread"].shape == (2, 15) and found.warmup_posterior["spread"].shape == (2, 30)


def test_seeds(drawn: list[Any]) -> None:
    made = model()
    one, two, three = (tensordsl.pymc.sample(model=made, **{**SHORT, "random_seed": k}) for k in (1, 1, 2))
    np.testing.assert_array_equal(one.posterior["place"], two.posterior["place"])
    assert np.all(one.posterior["place"].values != three.posterior["place"].values)


def test_names_and_initial_values(drawn: list[Any]) -> None:
    found = tensordsl.pymc.sample(
        model=model(), initvals={"place": [50.0, -50.0]}, var_names=["place", "spread"], **SHORT
    )
    assert {"place", "spread"} <= set(found.posterior.data_vars) and "middle" not in found.posterior
    point = drawn[0][0].initial_point_func(1)
    assert np.all(np.abs(point[:2] - [50, -50]) <= 1)  # what jitter adds


def test_log_likelihood_and_transformed_values(drawn: list[Any]) -> None:
    options = {"log_likelihood": True, "include_transformed": True}
    found = tensordsl.pymc.sample(model=model(), idata_kwargs=options, **SHORT)
    assert found.log_likelihood["y"].shape == (2, 20, 12)
    stored = [*found.posterior.data_vars, *getattr(found, "unconstrained_posterior", found.sample_stats).data_vars]
    assert any("spread_log__" in name or "unconstrained" in name for name in stored)


def test_modes_of_ours_and_of_others(drawn: list[Any]) -> None:
    more = linked.TENSORDSL.including("fast_run")
    for options in ({"backend": "TENSORDSL"}, {"compile_kwargs": {"mode": more}}, {"compile_kwargs": {"mode": None}}):
        tensordsl.pymc.sample(model=model(), **options, **SHORT)
    assert all(isinstance(compiled.compiled_logp_func, CFunction) for compiled, _ in drawn) and len(drawn) == 3


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "sampler": (dict(nuts_sampler="numpyro"), "nuts_sampler='numpyro'"),
    "backend": (dict(backend="numba"), "got 'numba'"),
    "mode": (dict(compile_kwargs={"mode": "NUMBA"}), "got 'NUMBA'"),
    "both": (dict(backend="TENSORDSL", compile_kwargs={"mode": "TENSORDSL"}), "one of backend"),
    "nested": (dict(nuts={"backend": "jax"}), "'backend' in nuts"),
    "nested_older": (
        dict(nuts_sampler_kwargs={"gradient_backend": "jax"}),
        "'gradient_backend' in nuts_sampler_kwargs",
    ),
    "compiling": (dict(compile_kwargs={"fastmath": True}), "'fastmath' in compile_kwargs"),
    "starts": (dict(nuts_sampler="nutpie", initvals=[{}, {}]), "one dict as initvals"),
    "callback": (dict(nuts_sampler="nutpie", callback=print), "callback"),
    "result": (dict(nuts_sampler="nutpie", return_inferencedata=False), "return_inferencedata"),
    "unknown": (dict(nonsense=1), "nonsense"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str, drawn: list[Any]) -> None:
    options, words = REFUSED[case]
    with pytest.raises((ValueError, TypeError), match=words):
        tensordsl.pymc.sample(model=model(), **options, **SHORT)
    assert not drawn


# -- PyMC's own samplers -----------------------------------------------------------------------------------------------
def test_discrete_variables(drawn: list[Any], densities: list[Any]) -> None:
    made = model(with_count=True)
    found = tensordsl.pymc.sample(model=made, **SHORT)
    assert by_pymc(densities, drawn) and densities and found.posterior["count"].dtype == np.int64
    mine = pm.sample(model=made, compile_kwargs={"mode": "TENSORDSL"}, **SHORT)
    np.testing.assert_array_equal(found.posterior["count"], mine.posterior["count"])


def test_what_nutpie_has_not(drawn: list[Any], densities: list[Any]) -> None:
    seen: list[int] = []
    tensordsl.pymc.sample(model=model(), callback=lambda trace, draw: seen.append(draw.draw_idx), **SHORT)
    trace = tensordsl.pymc.sample(model=model(), return_inferencedata=False, **SHORT)
    tensordsl.pymc.sample(model=model(), nuts_sampler="pymc", **SHORT)
    tensordsl.pymc.sample(model=model(), initvals=[{"place": [0.0, 0.0]}, {"place": [1.0, 1.0]}], **SHORT)
    assert by_pymc(densities, drawn) and len(densities) >= 4
    assert len(seen) == 100 and trace["place"].shape == (40, 2)


def test_a_step_of_ones_own(drawn: list[Any]) -> None:
    with model():
        found = tensordsl.pymc.sample(step=pm.Slice(compile_kwargs={"mode": "TENSORDSL"}), **SHORT)
    assert not drawn and found.posterior["place"].shape == (2, 20, 2)


@pytest.mark.filterwarnings("default")
def test_without_nutpie(monkeypatch: pytest.MonkeyPatch, drawn: list[Any], densities: list[Any]) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "nutpie" else find(name))
    with pytest.warns(UserWarning, match="nutpie is not installed"):
        tensordsl.pymc.sample(model=model(), **SHORT)
    assert by_pymc(densities, drawn) and densities


class Halved(Op):  # type: ignore[misc]
    """An operation of a user's, by its `perform` alone."""

    def __init__(self, has_gradient: bool) -> None:
        self.has_gradient = has_gradient

    def make_node(self, x: Any) -> Any:
        x = pt.as_tensor_variable(x)
        return Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        outputs[0][0] = np.asarray(inputs[0] / 2)

    def grad(self, inputs: Any, cotangents: Any) -> Any:
        return [cotangents[0] / 2 if self.has_gradient else grad_not_implemented(self, 0, inputs[0])]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> Any:
        return self.grad(inputs, cotangents)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("has_gradient", [True, False])
def test_an_operation_of_a_users_own(has_gradient: bool, drawn: list[Any]) -> None:
    with pm.Model() as made:
        pm.Normal("y", Halved(has_gradient)(pm.Normal("x", 0, 1)), 1, observed=0.5)
    with pytest.warns(UserWarning, match="PyMC's own sampler"):
        found = tensordsl.pymc.sample(model=made, **SHORT)
    assert not drawn and found.posterior["x"].shape == (2, 20)
    with pytest.raises((ValueError, NotImplementedError, NullTypeGradError)):
        tensordsl.pymc.sample(model=made, nuts_sampler="nutpie", **SHORT)


# -- posteriors --------------------------------------------------------------------------------------------------------
@pytest.mark.long
@pytest.mark.parametrize("name", ["radon", "logistic", "multivariate_normal"])
def test_posteriors_are_those_of_another_compiler(name: str) -> None:
    """Means lie within five of their standard errors, at a tenth of the draws as independent ones."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from benchmarks.pymc.models import make

    options: dict[str, Any] = {**SHORT, "draws": 1000, "tune": 1000}
    ours = tensordsl.pymc.sample(model=make(name), **options).posterior
    theirs = pm.sample(model=make(name), nuts_sampler="nutpie", **{**options, "random_seed": 2}).posterior
    assert list(ours.data_vars) == list(theirs.data_vars)
    for variable in ours.data_vars:
        one, two = (np.asarray(found[variable].values).reshape(2000, -1) for found in (ours, theirs))
        error = np.sqrt((one.var(axis=0) + two.var(axis=0)) / 200)
        assert np.all(np.abs(one.mean(axis=0) - two.mean(axis=0)) <= 5 * error + 1e-12), variable
