"""Arrays with named axes: PyTensor lowers them, and models with `pymc.dims` compile."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("xarray")
pm = pytest.importorskip("pymc")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    px = pytest.importorskip("pytensor.xtensor")

from judge import agrees  # noqa: E402

import tensordsl.pytensor as linked  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
R = np.random.default_rng(0)
a, b = px.xtensor("a", dims=("row", "column"), shape=(2, 3)), px.xtensor("b", dims=("column",), shape=(3,))
M, V = R.normal(size=(2, 3)), R.normal(size=3)
PROGRAMS: dict[str, Any] = {
    "products": lambda: [a * b, a.dot(b), (a + b).sum("row")],
    "shapes": lambda: [a.transpose("column", "row"), a.expand_dims("new"), px.concat([a, a], dim="row")],
    "indices": lambda: [a.isel(row=1), a.isel(column=slice(1, None)), a.mean("column")],
    "reductions": lambda: [a.std("row"), a.max("column"), a.cumsum("row")],
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_named_axes(name: str) -> None:
    outputs = PROGRAMS[name]()
    inputs, values = ([a, b], [M, V]) if name == "products" else ([a], [M])
    assert agrees(inputs, outputs, values) == set()


def test_a_model_with_named_axes() -> None:
    import pymc.dims as pmd

    with pm.Model(coords={"group": range(3), "place": range(4)}) as model:
        x = pmd.Data("x", R.normal(size=(3, 4)), dims=("group", "place"))
        slope = pmd.Normal("slope", 0, 1, dims="group")
        sigma = pmd.HalfNormal("sigma", 1)
        y = pmd.as_xtensor(R.normal(size=(3, 4)), dims=("group", "place"))
        pmd.Normal("y", x * slope, sigma, observed=y)
    found = []
    for mode in ("TENSORDSL", "FAST_COMPILE"):
        f = model.logp_dlogp_function(ravel_inputs=True, mode=mode)
        f.set_extra_values({})
        found.append(f(np.array([0.1, -0.2, 0.3, 0.5])))
        if mode == "TENSORDSL":
            assert linked.python_steps(f._pytensor_function) == ()
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9)
