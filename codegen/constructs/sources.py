"""Leaves of tensor IR: inputs, constants, parameters of loops, and the results of regions."""

from __future__ import annotations

from tensordsl.codegen.tensor_ir.construct import Source, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.verify import check


@register
class Arg(Source):
    """arg(index): an input of the function."""

    name, traits = "arg", Traits(is_source=True, is_given=True, makes_floats=True)


@register
class Shared(Source):
    """shared(index): a shared variable as it was before the call."""

    name, traits = "shared", Traits(is_source=True, is_given=True, is_contiguous=True, makes_floats=True)


@register
class Const(Source):
    """const(data): an array known now."""

    name, traits = "const", Traits(is_source=True, is_given=True, is_computed=True, is_contiguous=True)


@register
class Index(Source):
    """index(loop_number): the number of a loop's iteration, within its body."""

    name, traits = "index", Traits(is_source=True)


@register
class Carried(Source):
    """carried(loop_number, k): what a loop's iteration got from the one before, within its body."""

    name, traits = "carried", Traits(is_source=True)


@register
class Rounds(Source):
    """rounds(loop, loop_number): how many iterations a `while` had.

    No operand, so that this value stays the same one while passes rewrite the loop: lengths name values by number.
    """

    name, traits = "rounds", Traits(is_source=True, needs_more=True)


@register
class Undefined(Source):
    """undefined: what a branch gives that is never read."""

    name, traits = "undefined", Traits(is_source=True)


@register
class Result(Source):
    """result(k): one of the values that a loop, a branch or a step of the host gives."""

    name, traits = "result", Traits(is_source=True, is_contiguous=True, makes_floats=True)
    missing = {k: reason for k, reason in Source.missing.items() if k != "verify"}

    def verify(self, graph: Graph, v: Value) -> None:
        check(not v.operands[0].dtype, v, "a result of a control op or host step")
