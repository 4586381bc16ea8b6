"""Packed weights: blocks of terms, of each the panels of output channels, of each as [term, channel].

Contract  `pack_weights_<type>`: all groups of a layer, as `tiles` read them.
"""

from __future__ import annotations

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Pointer, kernel
from tensordsl.codegen.kernel_ir.structs import Fields
from tensordsl.codegen.kernel_ir.types import Signature, Type, i64, ptr, signature
from tensordsl.codegen.library.conv.layer import LAYER, of_axes
from tensordsl.codegen.library.conv.tiles import heights
from tensordsl.codegen.library.gemm.signatures import named
from tensordsl.codegen.library.polls import POLL
from tensordsl.codegen.target.tuning import Tuning


def pack_signature(v: Type) -> Signature:
    return signature(named("pack_weights", v), layer=ptr)


def pack_weights(v: Type, t: Tuning) -> Function:
    @kernel(pack_signature(v))
    def pack(f: Kernel, layer: Pointer) -> None:
        given = Fields(LAYER, layer)
        rows, terms, groups = given.o, given.terms, given.groups
        panels, low, higher = heights(f, v, rows)
        taps, steps = of_axes(given, "nw"), of_axes(given, "w_step")
        packed = given.packed.of(v.scalar)
        with f.range(groups) as group:
            w = given.w.bytes(group * given.w_group)
            to = packed + group * rows * terms
            with f.range(panels) as panel:
                height = low + (panel < higher).unsigned(i64)
                start = panel * low + f.min(panel, higher)
                with f.range(height) as r:
                    source = w.bytes((start + r) * given.w_out)
                    term = f.variable(0, i64)
                    with f.range(given.c) as c, f.range(taps[0]) as t0, f.range(taps[1]) as t1, f.range(taps[2]) as t2:
                        at = source.bytes(c * given.w_in).bytes(t0 * steps[0]).bytes(t1 * steps[1]).bytes(t2 * steps[2])
                        number = term.value
                        block, within = number & -t.conv.block_terms, number & (t.conv.block_terms - 1)
                        here = f.min(terms - block, t.conv.block_terms)
                        (to + block * rows + start * here + within * height + r)[0] = at.of(v.scalar)[0]
                        term.set(number + 1)
                f.call(POLL)

    return pack
