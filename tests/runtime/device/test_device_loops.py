"""Loops on the simulated device: the results of the CPU, state, and errors that name the round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.compile.nanguardmode import NanGuardMode
from tensordsl.ifelse import ifelse
from tensordsl.scan_module import until
from tensordsl.tensor.shared_randomstreams import RandomStreams

pytestmark = [pytest.mark.usefixtures("on_sim"), pytest.mark.filterwarnings("ignore:device .* has no kernel")]
x, M, W = T.fvector("x"), T.fmatrix("M"), T.fmatrix("W")
k, n = T.ivector("k"), T.lscalar("n")
ZERO = np.float32(0)
rng = np.random.default_rng(0)
VALUES = {
    x: rng.random(5).astype("f"), M: rng.random((4, 5)).astype("f"), W: rng.random((5, 5)).astype("f"),
    k: np.array([0, 2, 1], "int32"), n: np.int64(3),
}  # fmt: skip


def recurrent() -> Any:
    return scan(lambda row, h: T.tanh(T.dot(h, W) + row), M, T.zeros_like(x))[0]


def nested() -> Any:
    return scan(lambda row: scan(lambda e, s: s + e * e, row, ZERO)[0][-1], M)[0]


PROGRAMS: dict[str, Callable[[], Any]] = {
    "a map": lambda: scan(lambda a: a * 2, x)[0],
    "a state": lambda: scan(lambda a, s: s + a, x, ZERO)[0],
    "several states": lambda: scan(lambda r, s, t: [s + r, t * r, r.sum()], M, [x, x, None])[0],
    "a symbolic number": lambda: scan(lambda s: s * 2, outputs_info=x, n_steps=n)[0],
    "no rounds": lambda: scan(lambda s: s * 2, outputs_info=x, n_steps=n - 3)[0],
    "the last value": lambda: scan(lambda s: s * x, outputs_info=T.ones_like(x), n_steps=50)[0][-1],
    "taps": lambda: scan(lambda s, t: s + t, outputs_info=dict(initial=M, taps=[-1, -3]), n_steps=5)[0],
    "backwards": lambda: scan(lambda a, s: s * 2 + a, x, ZERO, go_backwards=True)[0],
    "positions": lambda: scan(lambda j, s: s + x[j], k, ZERO)[0],
    "lengths": lambda: scan(lambda j, s: s + x[:j].sum(), k, ZERO)[0],
    "places": lambda: scan(lambda j, s: T.inc_subtensor(s[j], 1), k, x)[0],
    "a branch": lambda: scan(lambda j, s: ifelse(T.lt(j, 2), s * 2, s + x), k, x)[0],
    "sorted": lambda: scan(lambda r, s: T.sort(r + s), M, x)[0],
    "recurrent": recurrent,
    "recurrent, gradient": lambda: T.grad(recurrent().sum(), W),
    "nested": nested,
    "nested, gradient": lambda: T.grad(nested().sum(), M),
    "until": lambda: scan(lambda s: (s * 2, until(s.sum() > 20)), outputs_info=x, n_steps=30)[0],
    "until, gradient": lambda: T.grad(
        scan(lambda s: (s * 2, until(s.sum() > 20)), outputs_info=x, n_steps=30)[0].sum(), x
    ),
}  # fmt: skip


def as_list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("name", PROGRAMS)
def test_loops_give_what_the_cpu_gives(name: str) -> None:
    on_cpu = tensordsl.function(list(VALUES), PROGRAMS[name](), on_unused_input="ignore")
    expected, on_device = on_cpu(*VALUES.values()), on_cpu.to("sim")
    for _ in range(3):  # executed, recorded, repeated
        found = on_device(*VALUES.values())
        for a, b in zip(as_list(found), as_list(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5)


def message(f: Any, error: type[Exception], *args: Any) -> str:
    with pytest.raises(error) as caught:
        f(*args)
    return str(caught.value)


def test_errors_name_the_round() -> None:
    s = tensordsl.shared(np.float32(1), "s")
    values, updates = scan(lambda j: (x[j], {s: s * 2}), k, name="picks")
    f = tensordsl.function([k, x], values, updates=updates).to("sim")
    text = message(f, IndexError, [0, 1, 7, 1], VALUES[x])
    assert "Happened in round 2 of scan 'picks'" in text and __file__ in text and s.get_value() == 1
    assert f([0, 1], VALUES[x]).tolist() == VALUES[x][:2].tolist() and s.get_value() == 4
    f = tensordsl.function([k, x], scan(lambda j: T.dot(x[:j], x[:2]), k, name="dots")[0]).to("sim")
    assert "Happened in round 1 of scan 'dots'" in message(f, ValueError, [2, 3], VALUES[x])


def test_steps_of_the_host_name_their_round() -> None:
    random = RandomStreams(1)
    values, updates = scan(lambda p: random.poisson(lam=p, size=()), x, name="draws")
    f = tensordsl.function([x], values, updates=updates).to("sim")
    assert "Happened in round 2 of scan 'draws'" in message(f, ValueError, np.float32([1, 2, -3, 1]))


def test_nan_guard_goes_into_rounds() -> None:
    values, _ = scan(lambda a, s: T.switch(T.isnan(T.log(a)), s, s + a), x, ZERO, name="logs")
    f = tensordsl.function([x], values, mode=NanGuardMode()).to("sim")
    assert f(np.float32([1, 2])).tolist() == [1, 3]
    assert "Happened in round 1 of scan 'logs'" in message(f, AssertionError, np.float32([1, -2]))
