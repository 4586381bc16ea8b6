"""Equal loops are one loop, which stacks what each of them wants; others are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import walk_program
from tensordsl.ifelse import ifelse
from tensordsl.signature.modes import FAST_RUN


def loops(inputs: list[Any], outputs: list[Any]) -> int:
    _, program, _ = make_program("f", inputs, [], outputs, [], False, mode=FAST_RUN.excluding("merge_loops"))
    return sum(isinstance(i, p.For) for i in walk_program(program.code))


def check(inputs: list[Any], outputs: list[Any], *arguments: Any) -> None:
    """The same as of loops that are not merged."""
    found = tensordsl.function(inputs, outputs)(*arguments)
    wanted = tensordsl.function(inputs, outputs, mode=FAST_RUN.excluding("merge_equal_loops"))(*arguments)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def recurrent(x: Any, w: Any, h: Any, squared: bool = False) -> Any:
    def step(a: Any, s: Any) -> Any:
        new = T.tanh(a + T.dot(s, w))
        return [new, new**2] if squared else [new, a * new]

    return tensordsl.scan(step, x, [h, None])[0]


X, W, H = T.dmatrix("x"), T.dmatrix("w"), T.dvector("h")
ARGUMENTS = np.arange(12.0).reshape(4, 3) / 9, np.eye(3) - 0.2, np.ones(3) / 3


def test_the_forward_rounds_of_a_gradient_run_once() -> None:
    h, y = recurrent(X, W, H)
    cost = (h * y).sum()
    outputs = [h, *T.grad(cost, [X, W, H])]
    assert loops([X, W, H], outputs) == 2
    check([X, W, H], outputs, *ARGUMENTS)


def test_loops_made_apart_from_each_other_are_one() -> None:
    outputs = [recurrent(X, W, H)[1], recurrent(X, W, H, squared=True)[1], recurrent(X, W, H)[0][-1]]
    assert loops([X, W, H], outputs) == 1
    check([X, W, H], outputs, *ARGUMENTS)


def test_a_loop_that_stacks_one_value_twice_stacks_more() -> None:
    def step(a: Any, s: Any) -> Any:
        gate = T.dot(s, W)
        new = T.tanh(a + T.dot(gate * s, W))
        return [new, new]

    (y, h), _ = tensordsl.scan(step, X, [None, H])
    outputs = [y, h, *T.grad((y * h).sum() + y[-1].sum(), [X, W, H])]
    check([X, W, H], outputs, *ARGUMENTS)


@pytest.mark.parametrize("other", [lambda: (X, W, H + 1), lambda: (X, W.T, H), lambda: (X[1:], W, H)])
def test_loops_of_other_operands_are_two(other: Any) -> None:
    outputs = [recurrent(X, W, H)[0], recurrent(*other())[0]]
    assert loops([X, W, H], outputs) == 2
    check([X, W, H], outputs, *ARGUMENTS)


def test_loops_of_other_rounds_are_two() -> None:
    first, _ = tensordsl.scan(lambda a, s: s + a, X, H)
    second, _ = tensordsl.scan(lambda a, s: s - a, X, H)
    assert loops([X, H], [first, second]) == 2


def test_a_loop_that_reads_the_results_of_an_equal_one_comes_behind_it() -> None:
    first, _ = tensordsl.scan(lambda a, s: s + a, X, H)
    last = first[-1]
    (second, sums), _ = tensordsl.scan(lambda a, s: [s + a, s * last], X, [H, None])
    outputs = [first, second, sums]
    assert loops([X, H], outputs) == 2
    check([X, H], outputs, ARGUMENTS[0], ARGUMENTS[2])


def test_loops_within_loops_are_merged_with_these() -> None:
    def outer(a: Any, s: Any) -> Any:
        return tensordsl.scan(lambda b, t: T.sin(t) * b + t, a * T.ones((3, 3)), s)[0][-1]

    h, _ = tensordsl.scan(outer, X, H)
    outputs = [h, *T.grad((h**2).sum(), [X, H])]
    check([X, H], outputs, ARGUMENTS[0], ARGUMENTS[2])


def test_what_only_a_branch_needs_may_fail_there_alone() -> None:
    k, flag = T.lscalar("k"), T.bscalar("flag")
    _, (plain, read) = (
        None,
        (
            tensordsl.scan(lambda a, s: s + a, X, H)[0],
            tensordsl.scan(lambda a, s: [s + a, s[k]], X, [H, None])[0][1].sum(),
        ),
    )
    f = tensordsl.function([X, H, k, flag], [plain.sum(), ifelse(flag, read, plain.sum())])
    total = f(ARGUMENTS[0], ARGUMENTS[2], 7, 0)[0]
    assert np.isfinite(total)
    with pytest.raises(IndexError):
        f(ARGUMENTS[0], ARGUMENTS[2], 7, 1)


def test_loops_that_end_early_are_merged_too() -> None:
    def step(a: Any, s: Any) -> Any:
        new = T.tanh(s) + a
        return new, tensordsl.scan_module.until(new.sum() > 2)

    h, _ = tensordsl.scan(step, X, H)
    outputs = [h, *T.grad((h**2).sum(), [X, H])]
    assert loops([X, H], outputs) == 2
    check([X, H], outputs, ARGUMENTS[0], ARGUMENTS[2])


def test_what_is_printed_in_two_loops_is_printed_twice(capfd: Any) -> None:
    printed = tensordsl.printing.Print("seen")
    outputs = [tensordsl.scan(lambda a, s: printed(s) + a, X, H)[0][-1] for _ in range(2)]
    tensordsl.function([X, H], outputs)(ARGUMENTS[0][:1], ARGUMENTS[2])
    assert capfd.readouterr().out.count("seen") == 2
