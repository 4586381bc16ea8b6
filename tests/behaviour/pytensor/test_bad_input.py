"""What users get wrong, and what changes under a function: clear errors, statuses, and nothing else changed."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import traceback
from typing import Any

import numpy as np
import pytest

pm = pytest.importorskip("pymc")

import pytensor  # noqa: E402
import pytensor.tensor as pt  # noqa: E402
from judge import PYTHON, equal  # noqa: E402
from models import eight_schools  # noqa: E402
from pytensor import In, Out, function, grad, shared  # noqa: E402
from pytensor.compile.ops import wrap_py  # noqa: E402
from pytensor.graph.basic import Apply  # noqa: E402
from pytensor.graph.op import Op, _NoPythonOp  # noqa: E402
from pytensor.graph.type import Type  # noqa: E402

import tensordsl.pytensor as linked  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
x = pt.dvector("x")
V = np.arange(3.0)


# -- operations and types that nobody knows ------------------------------------------------------------------------------
class Doubled(Op):
    def make_node(self, v: Any) -> Any:
        v = pt.as_tensor_variable(v)
        return Apply(self, [v], [v.type()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        outputs[0][0] = inputs[0] * 2


class Nowhere(_NoPythonOp):
    make_node = Doubled.make_node


class Exp(Doubled):
    """Called as an operation of PyTensor's, and another."""


class Colour(Type[str]):
    def filter(self, value: Any, strict: bool = False, allow_downcast: Any = None) -> str:
        if not isinstance(value, str):
            raise TypeError("a colour is a string")
        return value

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


def test_an_unknown_operation_is_a_step_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="Doubled is done by Python"):
        made = function([x], Doubled()(x) + 1, mode="TENSORDSL")
    equal(made(V), V * 2 + 1)
    equal(function([x], Exp()(x), mode="TENSORDSL")(V), V * 2)
    with pytest.raises(ValueError, match="Doubled"):
        linked.linker.compiled_of(made).c_function()


def test_an_operation_that_nobody_can_do_is_refused() -> None:
    with pytest.raises(NotImplementedError, match=r"Nowhere of \(.*float64.*neither a native form nor a `perform`"):
        function([x], Nowhere()(x), mode="TENSORDSL")


def test_types_that_nobody_knows_are_handed_on() -> None:
    class Length(Op):
        def make_node(self, v: Any) -> Any:
            return Apply(self, [v], [pt.lscalar()])

        def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
            outputs[0][0] = np.asarray(len(inputs[0]))

    colour = Colour()("colour")
    made = function([colour, x], [Length()(colour) * x, colour], mode="TENSORDSL")
    values, again = made("red", V)
    equal(values, 3 * V)
    assert again == "red"
    with pytest.raises(TypeError, match="a colour is a string"):
        made(3, V)


# -- steps that fail -----------------------------------------------------------------------------------------------------
class Refused(ArithmeticError):
    pass


@wrap_py([pt.dvector], [pt.dvector])
def careful(v: Any) -> Any:
    if v[0] < 0:
        raise Refused("negative")
    return v + 1


def test_an_exception_comes_through_and_state_stays() -> None:
    count, rng = shared(0), shared(np.random.default_rng(1))
    following, draw = pt.random.normal(rng=rng).owner.outputs
    made = function([x], careful(x) + draw, updates={count: count + 1, rng: following}, mode="TENSORDSL")
    made(V)
    state = rng.get_value().bit_generator.state
    with pytest.raises(Refused, match="negative") as caught:
        made(-V - 1)
    assert "careful" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert int(count.get_value()) == 1 and rng.get_value().bit_generator.state == state
    made(V)
    assert int(count.get_value()) == 2


def test_a_step_of_another_type_or_rank_is_refused() -> None:
    class Wrong(Doubled):
        def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
            outputs[0][0] = inputs[0][None]

    with pytest.raises(ValueError, match="Wrong"):
        function([x], Wrong()(x) + 1, mode="TENSORDSL")(V)


# -- models whose lengths change -----------------------------------------------------------------------------------------
def test_a_density_follows_its_data_and_dimensions() -> None:
    with pm.Model(coords={"place": range(3)}) as model:
        at = pm.Data("at", np.ones((3, 2)), dims=("place", "factor"))
        seen = pm.Data("seen", V, dims="place")
        slopes = pm.Normal("slopes", 0, 1, shape=2)
        pm.Normal("y", at @ slopes, 1, observed=seen, dims="place")
    logp, judge = (model.compile_logp(mode=mode) for mode in ("TENSORDSL", PYTHON))
    point = {"slopes": np.array([0.3, -0.2])}
    for length in (3, 5, 0, 1):
        with model:
            model.set_dim("place", length, range(length))
            pm.set_data({"at": np.full((length, 2), 2.0), "seen": np.arange(float(length))})
        np.testing.assert_allclose(logp(point), judge(point), rtol=1e-12)
    with model:
        pm.set_data({"at": np.ones((2, 2))}, coords={"place": range(2)})
    with pytest.raises(ValueError):
        logp(point)


# -- the pointer that samplers call ----------------------------------------------------------------------------------------
def density(build: Any) -> tuple[Any, Any]:
    pytest.importorskip("nutpie")
    import tensordsl.pymc

    with pm.Model() as model:
        build()
    compiled = tensordsl.pymc.compile(model)
    return compiled, compiled.compiled_logp_func


def call(c: Any, point: Any, dim: int | None = None) -> tuple[int, float, Any]:
    point = np.asarray(point, float)
    gradient, value = np.zeros(point.size), np.zeros(1)
    status = c.ctypes(
        point.size if dim is None else dim, point.ctypes.data, gradient.ctypes.data, value.ctypes.data, None
    )
    return status, value[0], gradient


def with_edges() -> Any:
    """nan for a negative number, -inf for one larger than 1, an infinite slope at 0."""
    v = pm.Flat("v")
    pm.Potential("edge", pt.switch(v > 1, -np.inf, pt.sqrt(v)))


def test_densities_that_are_not_finite_have_a_status() -> None:
    _, c = density(with_edges)
    assert call(c, [0.25])[:2] == (0, 0.5)
    assert call(c, [-1.0])[0] == 3 and call(c, [0.0])[0] == 3
    assert call(c, [2.0])[0] in (3, 4) and call(c, [np.nan])[0] in (3, 4)


def test_a_wrong_dimension_has_a_status() -> None:
    _, c = density(eight_schools)
    good = np.zeros(10)
    assert call(c, good)[0] == 0
    for dim in (0, 9, 11):
        assert call(c, np.zeros(12), dim)[0] == -1
    assert call(c, good)[0] == 0


def test_a_compiled_model_that_is_gone_has_a_status() -> None:
    def made() -> Any:
        _, c = density(eight_schools)
        return c.prototype(c.address)

    function = made()
    gc.collect()
    point = np.zeros(10)
    assert function(10, *[point.ctypes.data] * 3, None) != 0


# -- other processes -----------------------------------------------------------------------------------------------------
def regression() -> Any:
    rng = np.random.default_rng(0)
    at = rng.normal(size=(30, 2))
    with pm.Model() as model:
        slopes = pm.Normal("slopes", 0, 1, shape=2)
        pm.Normal("y", at @ slopes, 1, observed=at @ np.array([1.0, -1.0]))
    return model


def answer(made: Any, queue: Any) -> None:
    queue.put(np.asarray(made(V)))


METHODS = [m for m in ("fork", "spawn") if m in multiprocessing.get_all_start_methods()]


@pytest.mark.parametrize("method", METHODS)
def test_workers_get_functions(method: str) -> None:
    """A forked one has what was compiled; another one compiles what it was sent."""
    made = function([x], [pt.exp(x).sum(), careful(x).sum()][0], mode="TENSORDSL")
    made(V)
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    worker = context.Process(target=answer, args=(made, queue))
    worker.start()
    equal(queue.get(timeout=120), np.exp(V).sum())
    worker.join(60)
    assert worker.exitcode == 0
    equal(made(V), np.exp(V).sum())


@pytest.mark.parametrize("method", METHODS)
def test_chains_in_processes(method: str) -> None:
    model = regression()
    options: dict[str, Any] = dict(
        draws=30, tune=30, chains=2, random_seed=1, progressbar=False, compute_convergence_checks=False,
        compile_kwargs=dict(mode="TENSORDSL"),
    )  # fmt: skip
    with model:
        one = pm.sample(cores=1, **options)
        two = pm.sample(cores=2, mp_ctx=method, **options)
    np.testing.assert_allclose(one.posterior["slopes"], two.posterior["slopes"], rtol=1e-9)


# -- options of functions ------------------------------------------------------------------------------------------------
def test_results_are_borrowed_or_not() -> None:
    held = shared(V.copy())
    plain, borrowed = (function([x], Out(x + held, borrow=b), mode="TENSORDSL") for b in (False, True))
    one, two = plain(V), plain(V)
    one[:] = 0
    equal(two, V * 2)
    equal(borrowed(V), V * 2)
    inside = function([], Out(held, borrow=False), mode="TENSORDSL")()
    inside[:] = 9
    equal(held.get_value(), V)
    kept = function([In(x, borrow=True)], x * 2, mode="TENSORDSL")
    given = V.copy()
    equal(kept(given), V * 2)
    equal(given, V)


def test_trusted_input_is_taken_as_it_is() -> None:
    made = function([x], x.sum(), mode="TENSORDSL")
    assert float(made([1, 2])) == 3  # PyTensor converts it
    made.trust_input = True
    assert float(made(np.array([1.0, 2.0]))) == 3
    assert float(made(np.array([1.0, 2.0])[::-1])) == 3
    for wrong in (np.zeros((2, 2)), "text", None, object()):
        with pytest.raises((TypeError, ValueError)):
            made(wrong)
    assert float(made([1.0, 2.0])) == 3 and float(made(np.ones(2, "float32"))) == 2


def test_profiles() -> None:
    made = function([x], pt.exp(x).sum(), mode="TENSORDSL", profile=True)
    for _ in range(3):
        made(V)
    assert made.profile.fct_callcount == 3 and made.profile.fct_call_time > 0


def test_copies() -> None:
    held = shared(np.float64(0))
    made = function([x], x.sum() + held, updates={held: held + 1}, mode="TENSORDSL")
    made(V)
    other = made.copy(share_memory=False)
    assert [float(f(V)) for f in (made, other, made, other)] == [4, 5, 6, 7]
    fresh = shared(np.float64(10))
    assert float(made.copy(swap={held: fresh})(V)) == 13 and float(fresh.get_value()) == 11
    assert float(made.copy(delete_updates=True)(V)) == float(made.copy(delete_updates=True)(V))
    assert float(pickle.loads(pickle.dumps(made))(V)) == float(made(V))


def test_static_shapes_are_kept() -> None:
    three, row = pt.tensor("three", shape=(3,), dtype="float64"), pt.tensor("row", shape=(1, None), dtype="float64")
    made = function([three, row], [three + row, pt.specify_shape(row[0], 3) * 2], mode="TENSORDSL")
    equal(made(V, V[None])[0], V[None] * 2)
    with pytest.raises(TypeError):
        made(np.zeros(4), V[None])
    with pytest.raises(TypeError):
        made(V, np.zeros((2, 3)))


def test_a_promised_shape_is_checked() -> None:
    made = function([x], pt.specify_shape(x, 3) * 2, mode="TENSORDSL")
    equal(made(V), V * 2)
    with pytest.raises(AssertionError, match="SpecifyShape: dim 0 of the input has not the length 3"):
        made(np.zeros(4))


def test_inputs_that_may_be_written_over_and_others() -> None:
    for options in (dict(mutable=True), dict(mutable=False), dict(borrow=True, mutable=True)):
        given = V.copy()
        made = function([In(x, **options)], [pt.set_subtensor(x[0], 9.0), x * 2], mode="TENSORDSL")
        first, second = made(given)
        equal(first, np.array([9.0, 1, 2]))
        equal(second, V * 2)
        equal(given, V)


@pytest.mark.skipif(pytensor.__version__ >= "3", reason="newer releases have no defaults")
def test_values_of_defaults_and_updates_of_inputs() -> None:
    y = pt.dvector("y")
    made = function([x, In(y, value=V, update=y + x, name="y")], y.sum(), mode="TENSORDSL")
    assert [float(made(V)) for _ in range(3)] == [3, 6, 9]
    assert made["y"].tolist() == (V * 4).tolist()


def test_a_function_of_nothing() -> None:
    held = shared(0)
    made = function([], [], updates={held: held + 1}, mode="TENSORDSL")
    assert made() == [] and int(held.get_value()) == 1
    function([], [], mode="TENSORDSL")()


def test_a_gradient_of_an_unknown_operation_is_pytensors_error() -> None:
    with pytest.raises(NotImplementedError):
        grad(Doubled()(x).sum(), x)
