"""float16 in kernels: every value, every rounding, with a machine's instructions and without, on every target."""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np
import pytest
from scalar_kernels import Kernel, kernel_text
from test_math_targets import TARGETS, undefined_symbols

from tensordsl.codegen.scalar_ir.builder import DTYPES, Builder

EVERY = np.arange(1 << 16, dtype="uint16").view("float16")
ISAS = ("", "half")


def cast(source, target, W, isa):
    return Kernel([source], lambda b, x: b.cast(x, target), W, isa=isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("W", [1, 4, 16])
def test_every_value_survives_and_widens(W, isa):
    np.testing.assert_array_equal(cast("float16", "float32", W, isa)(EVERY), EVERY.astype("float32"))
    same = Kernel(["float16"], lambda b, x: x, W, isa=isa)(EVERY)
    numbers = EVERY == EVERY
    np.testing.assert_array_equal(same[numbers].view("uint16"), EVERY[numbers].view("uint16"))
    assert np.isnan(same[~numbers]).all()


def around_ties(kind):
    """Every float16, every middle of two, and their neighbours in a wider dtype."""
    finite = np.sort(EVERY[np.isfinite(EVERY)].astype(kind))
    middles = (finite[1:] + finite[:-1]) / 2
    points = np.concatenate([finite, middles, [65519.99, 65520, 65536, 1e9, np.inf, 2.0**-25, 2.0**-26, 1e-40, np.nan]])
    points = points.astype(kind)
    points = np.concatenate([points, -points])
    return np.concatenate([points, np.nextafter(points, kind(np.inf)), np.nextafter(points, kind(-np.inf))])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("W", [1, 8])
def test_rounds_as_numpy(kind, W, isa):
    x = around_ties(kind)
    with np.errstate(all="ignore"):
        want = x.astype("float16")
    got = cast(np.dtype(kind).name, "float16", W, isa)(x)
    numbers = want == want
    np.testing.assert_array_equal(got[numbers].view("uint16"), want[numbers].view("uint16"))
    assert np.isnan(got[~numbers]).all()


def test_bits():
    for isa in ISAS:
        got = Kernel(["float16"], lambda b, x: b.bitcast(x, "int16"), 8, isa=isa)(EVERY)
        back = Kernel(["int16"], lambda b, x: b.bitcast(x, "float16"), 8, isa=isa)(got)
        np.testing.assert_array_equal(back, EVERY)


def test_constants_are_rounded():
    b = Builder()
    assert b.wide(b.const(0.5, "float16")) is b.const(0.5, "float32")
    for value in (0.1, 1e-7, 1e30, -65519.0, float("inf")):
        got = Kernel(["float16"], lambda b, x, value=value: b.select(b.eq(x, x), b.const(value, "float16"), value), 4)(
            EVERY[:4]
        )
        with np.errstate(over="ignore"):
            assert got[0] == np.float16(value)


@pytest.mark.parametrize("target", [*TARGETS, "x86-64"])
@pytest.mark.parametrize("native", [False, True])
def test_conversions_need_no_library(target, native):
    triple, cpu, features, size, isa = TARGETS.get(target, ("x86_64-unknown-linux-gnu", "x86-64", "", 16, ""))
    if native and target == "x86-64":
        pytest.skip("without F16C there are no instructions to use")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=2, reloc="pic", codemodel="small"
    )
    for W in (1, size // 4):
        for dtype in DTYPES:
            for source, wanted in (("float16", dtype), (dtype, "float16")):
                text, _ = kernel_text(
                    [source], lambda b, x, wanted=wanted: b.cast(x, wanted), W, isa=isa + " half" * native
                )
                module = llvm.parse_assembly(text)
                module.triple, module.data_layout = triple, str(machine.target_data)
                assert undefined_symbols(machine.emit_object(module)) == [], (source, wanted, W)
