"""Transposed operands of reductions go through shared memory first, where they are large and their strides want it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tuned import HERE, tuned, use

import tensordsl
import tensordsl.tensor as T
from tensordsl.functions.devices import DeviceArray, get_device, to_device
from tensordsl.runtime.driver.simulator import ORDERS

pytestmark = pytest.mark.usefixtures("on_sim")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the kernels that start; every size counts as large."""
    use(monkeypatch, tuned(gpu={"transpose_min_elements": 1}))
    driver, names = get_device("sim").driver, []
    real = driver.launch

    def launch(kernel: Any, *rest: Any) -> None:
        names.append(kernel[1])
        real(kernel, *rest)

    monkeypatch.setattr(driver, "launch", launch)
    return names


@pytest.mark.parametrize("order", ORDERS[:3])
def test_sums_and_softmax_of_transposed_operands(started: list[str], order: str) -> None:
    get_device("sim").driver.order = order
    x, y, z = T.dmatrix("x"), T.dmatrix("y"), T.dtensor3("z")
    outputs = [(x * y.T).sum(axis=1), T.nnet.softmax(x.T), (z.dimshuffle(0, 2, 1) * 2).max(axis=2)]
    f = tensordsl.function([x, y, z], outputs)
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal((70, 40)), rng.standard_normal((40, 70)), rng.standard_normal((3, 33, 35))
    e = np.exp(a.T - a.T.max(axis=1, keepdims=True))
    want = (a * b.T).sum(1), e / e.sum(1, keepdims=True), 2 * c.transpose(0, 2, 1).max(axis=2)
    for _ in range(4):
        for got, wanted in zip(f(a, b, c), want, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-12)
    get_device("sim").driver.order = ORDERS[0]
    assert sum("turn" in name for name in started) >= 4
    get_device("sim").driver.check()


def test_what_is_adjacent_already_or_small_is_read_where_it_is(
    started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f = tensordsl.function([x, y], (x * y.T).sum(axis=1))
    a, b = np.random.default_rng(0).standard_normal((2, 64, 64))

    def by_columns(m: np.ndarray) -> DeviceArray:
        held = to_device(m.T, "sim")
        return DeviceArray(get_device("sim"), held.address, m.shape, m.dtype, held, (8, 8 * len(m)))

    counts = []
    for given in ((a, b), (by_columns(a), b), (a, by_columns(b))):
        started.clear()
        np.testing.assert_allclose(f(*given), (a * b.T).sum(1))
        counts.append(sum("turn" in name for name in started))
    assert counts[0] == 1 and sorted(counts[1:]) == [0, 1], "one way both are adjacent along the threads"
    started.clear()
    use(monkeypatch, HERE)
    np.testing.assert_allclose(tensordsl.function([x, y], (x * y.T).sum(axis=1) + 1)(a, b), (a * b.T).sum(1) + 1)
    assert not any("turn" in name for name in started)
