"""Every function of the room, in the checking interpreter: right results, and no access that is out of bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conv_layers import FUNCTIONS, Layer, random_layers
from tuned import tuned

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.interpret import Machine
from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.kernel_ir.types import Type, f32, f64
from tensordsl.codegen.library.conv.driver import conv_functions

DTYPES = {"f64": "float64", "f32": "float32"}


def run(module: Module, ran: set[str], name: str, layer: Layer, dtype: str, has_memory: bool) -> None:
    a, b, wanted = layer.call(name)

    def take(rt: int, size: int) -> int:
        if not has_memory:
            return 0
        return machine.place(np.zeros(layouts.BLOCK_HEAD + size, "uint8"), align=64, is_written=False)

    def nothing(*_: Any) -> None:
        pass

    idle = dict.fromkeys((layouts.POLL, layouts.HOLD, layouts.DROP, "give_block"), nothing)
    machine = Machine(module, {**idle, "take_block": take})
    result = machine.place(np.zeros(wanted.shape, dtype), is_written=False)
    told = [0] * len(layer.numbers) + layer.numbers
    places, words = [], []
    for x in (a, b):
        whole = np.ascontiguousarray(x)
        places.append(machine.place(whole))
        words += [*whole.shape, *whole.strides]
    strides = np.empty(wanted.shape, dtype).strides
    table = machine.place(np.zeros(max(layouts.RT.values()) + 8, "uint8"), align=8)
    bases = machine.place(np.array([*places, places[0], result, table], "int64"))
    machine.run(f"{name}_{dtype}", bases, machine.place(np.array([*words, *told, *wanted.shape, *strides], "int64")), 5)
    got = machine.array(result, dtype, wanted.size).reshape(wanted.shape)
    np.testing.assert_array_equal(got, wanted)
    assert not machine.unwritten(result) or not wanted.size
    ran |= machine.ran


@pytest.mark.parametrize("v", [f64.of(8), f32.of(4)])
def test_layers(v: Type) -> None:
    dtype = DTYPES[v.element]
    boxes = {"planes_bytes": 2048, "box_min_rows": 2, "box_min_columns": 8, "block_terms": 16}
    module, ran = Module(conv_functions(v, dtype, tuned(machine={"vector_bytes": v.bytes}, conv=boxes))), set[str]()
    for number, layer in enumerate(random_layers(dtype, 9, most=12, outs=(1, 2, 3, 11))):
        if layer.x.size:
            for name in FUNCTIONS:
                run(module, ran, name, layer, dtype, has_memory=number > 1)
    for o, taps, name in _heights(v):
        rng = np.random.default_rng(o)
        shapes = (1, 1, 1, 1, v.lanes + 1 + taps), (o, 1, 1, 1, taps), (1, o, 1, 1, v.lanes + 2)
        operands = [rng.integers(-3, 4, s).astype(dtype) for s in shapes]
        attrs = dict(strides=(1, 1, 1), dilation=(1, 1, 1), padding=((0, 0),) * 3, groups=1, flip=False)
        run(module, ran, name, Layer(*operands, attrs), dtype, has_memory=True)
    missing = {f.signature.name for f in module.functions} - ran
    assert not missing, missing


def _heights(v: Type) -> list[tuple[int, int, str]]:
    """Layers of (output channels, taps) by which tiles of all shapes are needed."""
    of_weights = [(o, taps, "conv_weights") for o in (1, v.lanes + 1, 2 * v.lanes + 1) for taps in (10, 15)]
    return [*((o, 2, "conv") for o in range(1, 9)), *of_weights]
