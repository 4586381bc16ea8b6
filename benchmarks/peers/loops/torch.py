"""PyTorch's own recurrent layers, run eagerly: nothing that it compiles of a loop in Python is faster."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from benchmarks.workloads.foundation import Build, Call, Data
from benchmarks.workloads.loops import TYPES

LAYERS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM}


def build(kind: str, has_gradient: bool, data: Data) -> Call:
    x, w, u, b = (torch.as_tensor(value) for value in data)
    layer: Any = LAYERS[kind](u.shape[0], w.shape[0], dtype=x.dtype)
    for parameter, value in (("weight_hh_l0", w.T), ("weight_ih_l0", u.T), ("bias_ih_l0", b), ("bias_hh_l0", 0 * b)):
        getattr(layer, parameter).data = value.contiguous()
    params = [layer.weight_hh_l0, layer.weight_ih_l0, layer.bias_ih_l0]
    layer.bias_hh_l0.requires_grad_(False)

    def forward(x: Any) -> Any:
        with torch.no_grad():
            return layer(x)[0][-1]

    def both(x: Any) -> Any:
        cost = (layer(x)[0][-1] ** 2).sum()
        by_w, by_u, by_b = torch.autograd.grad(cost, params)
        return cost.detach(), by_w.T, by_u.T, by_b

    return Call("f(x)", {"f": both if has_gradient else forward, "x": x})


BUILD: dict[str, Build] = {
    f"i.{kind}{suffix}.{t}": partial(build, kind, bool(suffix))
    for kind in LAYERS
    for suffix in ("", "_grad")
    for t in TYPES
}
