"""Every rewrite rule: it applies, keeps dtype and shape, and gives what its left side gives."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.codegen.passes import rules
from tensordsl.codegen.passes.patterns import Rule, RuleSet, anything, floats, number_of
from tensordsl.codegen.tensor_ir.graph import Graph, Value, rewrite, toposort
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.codegen.tensor_ir.verify import verify_ir
from tensordsl.graph.substitute import substitute
from tensordsl.reference import evaluate
from tensordsl.types import FLOATS, TensorType

DTYPES_OF = {
    "float": ("float64", "float32"),
    "integer": ("int64", "int8", "uint8", "uint64"),
    "discrete": ("int64", "uint8", "bool"),
    "signed": ("float64", "float32", "int64", "int8"),
    "bool": ("bool",),
    "any": ("float64", "float32", "int32", "uint8", "bool"),
}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -0.5, np.inf, -np.inf, np.nan, 1e300, -1e300, 1e-300, 5e-324, 3e38, 1e-45, 7.0]
MODERATE = np.linspace(-3, 3, 16)
ALL_RULES = (*rules.simplify(), *rules.stabilise())


def samples(dtype: str, loose: bool, seed: int) -> Any:
    """One vector of 16 elements; different seeds give different pairings."""
    if dtype == "bool":
        return np.arange(16) % (2 + seed) == 0
    if dtype in FLOATS:
        values = np.array(MODERATE if loose else SPECIAL)
        with np.errstate(over="ignore"):
            return np.roll(values, 3 * seed).astype(dtype)
    info = np.iinfo(dtype)
    values = [info.min, info.max, 0, 1, 2, 3, info.min + 1, info.max - 1, 5, 100, 7, 9, 11, 13, 17, 19]
    return np.roll(np.array(values, dtype), 3 * seed)


def typed(rule: Rule, dtypes: tuple[str, ...], shape: tuple[int | None, ...]) -> tuple[Any, list[Any]] | None:
    """The left side over variables of these dtypes; None where its operations do not take them."""
    variables = [TensorType(t, shape)(v.name) for v, t in zip(rule.variables, dtypes, strict=True)]
    try:
        (left,) = substitute([rule.left], dict(zip(rule.variables, variables, strict=True)))
    except TypeError:
        return None
    return left, variables


def run_ir(root: Value, arguments: list[Any]) -> Any:
    """The value of maps and moves by the rows' oracles."""
    known: dict[int, Any] = {}
    for v in toposort([root]):
        operands = [known[o.number] for o in v.operands]
        if v.op == "arg":
            known[v.number] = arguments[v.attrs["index"]]
        elif v.op == "const":
            known[v.number] = v.attrs["data"]
        elif v.op == "map":
            known[v.number] = np.asarray(v.attrs["row"].oracle(*operands, **v.attrs["args"]))
        else:
            assert v.op == "move" and all(a is None for a in v.attrs["map"]), v.op
            known[v.number] = np.broadcast_to(operands[0].reshape((1,) * v.rank), arguments[0].shape)
    return known[root.number]


def rewritten(graph: Graph, root: Value, table: RuleSet, hits: dict[str, int]) -> Value:
    (new,) = rewrite(graph, [root], lambda v: table.apply(graph, v, hits, {}))
    verify_ir(graph, [new])
    return new


def applications(rule: Rule) -> Any:
    """(left, variables, dtypes) for all dtypes of the variables that the rule applies to."""
    for dtypes in itertools.product(*(DTYPES_OF[v.tag.kind] for v in rule.variables)):
        made = typed(rule, dtypes, (16,))
        if made is not None:
            yield *made, dtypes


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.name)
def test_both_sides_are_equal(rule: Rule) -> None:
    table = RuleSet([rule])
    applied = 0
    for left, variables, dtypes in applications(rule):
        lowered = lower(variables, [], [left], [])
        (root,) = lowered.outputs
        hits: dict[str, int] = {}
        new = rewritten(lowered.graph, root, table, hits)
        applied += sum(hits.values())
        assert (new.dtype, new.shape) == (root.dtype, root.shape)
        for seed in range(5):
            arguments = [samples(t, rule.loose, seed * k + seed) for k, t in enumerate(dtypes)]
            want = evaluate(left, dict(zip(variables, arguments, strict=True)))
            check(rule, dtypes, run_ir(new, arguments), want)
    assert applied, "the rule never applies"


def check(rule: Rule, dtypes: tuple[str, ...], got: Any, want: Any) -> None:
    got = np.broadcast_to(got, want.shape)
    message = f"{rule.name} for {dtypes}"
    if rule.loose:
        meaningful = np.isfinite(want)
        tolerance = 2e-5 if want.dtype == "float32" else 1e-12
        tolerance *= 100 if "1 + erf" in rule.name else 1  # where that cancels
        np.testing.assert_allclose(got[meaningful], want[meaningful], tolerance, tolerance, err_msg=message)
    elif "**" in rule.name and want.dtype in FLOATS:
        np.testing.assert_allclose(got, want, 1e-6 if want.dtype == "float32" else 1e-15, err_msg=message)
    else:
        np.testing.assert_array_equal(got, want, err_msg=message)
        if want.dtype in FLOATS:
            numbers = ~np.isnan(want)
            np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(want[numbers]), err_msg=message)


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.name)
def test_what_the_rules_give_is_not_rewritten_again(rule: Rule) -> None:
    for left, variables, _ in applications(rule):
        lowered = lower(variables, [], [left], [])
        once = rewritten(lowered.graph, lowered.outputs[0], rules.every(), {})
        assert rewritten(lowered.graph, once, rules.every(), {}) is once


@pytest.mark.parametrize("shape", [(), (None, None), (0,)], ids=str)
def test_rules_keep_every_shape(shape: tuple[int | None, ...]) -> None:
    for rule in ALL_RULES:
        made = typed(rule, tuple(DTYPES_OF[v.tag.kind][0] for v in rule.variables), shape)
        if made is None:
            continue
        left, variables = made
        lowered = lower(variables, [], [left], [])
        new = rewritten(lowered.graph, lowered.outputs[0], RuleSet([rule]), {})
        assert lowered.graph.extents.find(0) == 0
        assert [*map(lowered.graph.extents.find, new.shape)] == [
            *map(lowered.graph.extents.find, lowered.outputs[0].shape)
        ]


def test_names_are_unique() -> None:
    names = [rule.name for rule in ALL_RULES]
    assert len(names) == len(set(names))


STABLE: Mapping[str, tuple[Any, float, float]] = {
    "log(1 + x)": (lambda x: T.log(1 + x), 1e-20, 1e-20),
    "exp(x) - 1": (lambda x: T.exp(x) - 1, 1e-20, 1e-20),
    "log(1 + exp(x))": (lambda x: T.log(1 + T.exp(x)), 1000.0, 1000.0),
    "log(sigmoid(x))": (lambda x: T.log(T.nnet.sigmoid(x)), -1000.0, -1000.0),
    "log(1 - sigmoid(x))": (lambda x: T.log(1 - T.nnet.sigmoid(x)), 1000.0, -1000.0),
    "1 - sigmoid(x)": (lambda x: 1 - T.nnet.sigmoid(x), 100.0, np.exp(-100.0)),
    "1 / (1 + exp(-x))": (lambda x: 1 / (1 + T.exp(-x)), -100.0, np.exp(-100.0)),
    "exp(x) / (1 + exp(x))": (lambda x: T.exp(x) / (1 + T.exp(x)), 1000.0, 1.0),
    "log(exp(x))": (lambda x: T.log(T.exp(x)), -1000.0, -1000.0),
    "sqrt(x ** 2)": (lambda x: T.sqrt(x**2), -1e200, 1e200),
    "1 - erf(x)": (lambda x: 1 - T.erf(x), 10.0, 2.0884875837625446e-45),
    "log(1 + erf(x))": (lambda x: T.log(1 + T.erf(x)), -10.0, np.log(2.0884875837625446e-45)),
    "log(0.5 * (1 + erf(x)))": (lambda x: T.log(0.5 * (1 + T.erf(x))), -10.0, np.log(2.0884875837625446e-45 / 2)),
    "log((1 + erf(x)) / 2)": (lambda x: T.log((1 + T.erf(x)) / 2), 3.0, np.log1p(-2.209049699858544e-5 / 2)),
    "erf(x) - 1": (lambda x: T.erf(x) - 1, 10.0, -2.0884875837625446e-45),
    "log(1 - exp(x))": (lambda x: T.log(1 - T.exp(x)), -60.0, -np.exp(-60.0)),
    "log1p(-exp(x))": (lambda x: T.log1p(-T.exp(x)), -1e-20, np.log(1e-20)),
    "log(exp(x) - exp(1))": (lambda x: T.log(T.exp(x) - T.exp(T.exp(0 * x))), 1000.0, 1000.0),
}


@pytest.mark.parametrize("name", STABLE)
def test_stabilised_expressions_are_accurate(name: str) -> None:
    build, at, want = STABLE[name]
    x = T.dscalar("x")
    lowered = lower([x], [], [build(x)], [])
    root = rewritten(lowered.graph, lowered.outputs[0], rules.every(), {})
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(run_ir(root, [np.array(at)]), want, 1e-13)


def apply_to(expression: Any, *variables: Any, table: RuleSet | None = None, users: int = 1) -> dict[str, int]:
    lowered = lower(variables, [], [expression], [])
    hits: dict[str, int] = {}
    graph = lowered.graph
    table = table or rules.every()
    counts = {v.number: users for v in graph.values}
    rewrite(graph, lowered.outputs, lambda v: table.apply(graph, v, hits, counts))
    return hits


def test_the_sign_of_zero_counts() -> None:
    x = T.dvector("x")
    assert not apply_to(x + 0.0, x)
    assert not apply_to(x - np.float64(-0.0), x)
    assert apply_to(x + np.float64(-0.0), x) == {"x + -0.0 = x": 1}


def test_what_holds_for_integers_only_leaves_floats_alone() -> None:
    x = T.dvector("x")
    for expression in (x * 0, x - x, T.eq(x, x), x <= x, ~(x < 2 * x), x // 1, x % 1, 0 - x):
        assert not apply_to(expression, x)


def test_commutative_rows_match_in_both_orders() -> None:
    x = T.dvector("x")
    assert apply_to(1 * x, x) == apply_to(x * 1, x) == {"a * 1 = a": 1}


def test_a_constant_matches_behind_a_broadcast() -> None:
    x = T.dmatrix("x")
    assert apply_to(x * T.ones((3, 4)), x) == {"a * 1 = a": 1}


def test_a_variable_is_one_value() -> None:
    x, y = T.dvectors("x", "y")
    assert apply_to(T.maximum(x, x), x)
    assert not apply_to(T.maximum(x, y), x, y)


def test_a_sole_rule_spares_what_others_use() -> None:
    x = T.dvector("x")
    assert apply_to(1 - T.nnet.sigmoid(x), x) == {"1 - sigmoid(x) = sigmoid(-x)": 1}
    assert not apply_to(1 - T.nnet.sigmoid(x), x, users=2)


def test_a_result_of_another_dtype_is_refused() -> None:
    (a,) = anything("a")
    wider = RuleSet([Rule("a * 1 = a * 1.1", a * 1, a * 1.1)])
    x = T.fvector("x")
    assert not apply_to(x * 1, x, table=wider)


def test_the_longest_left_side_is_tried_first() -> None:
    (x,) = floats("x")
    table = RuleSet([Rule("-x = x", -x, x), Rule("-exp(x) = x", -T.exp(x), x)])
    y = T.dvector("y")
    assert apply_to(-T.exp(y), y, table=table) == {"-exp(x) = x": 1}


def test_number_of_sees_constants_only() -> None:
    graph = Graph()
    two = graph.const(2.0)
    assert number_of(graph.broadcast_to(two, (3, 4))) == 2.0
    assert number_of(graph.const([1, 2])) is None
    assert number_of(graph.iota(3)) is None


def test_rules_of_rows_that_no_graph_has_are_not_compiled() -> None:
    (a,), x = floats("a"), T.dvector("x")
    wrong = Rule("-a = sum(a)", -a, T.sum(a))  # its right side is no elementwise one
    table = RuleSet([Rule("exp(-a) = 1 / exp(a)", T.exp(-a), 1 / T.exp(a)), wrong])

    def new(expression: Any) -> Value | None:
        lowered = lower([x], [], [expression], [])
        return table.apply(lowered.graph, lowered.outputs[0], {}, {})

    assert new(T.exp(-x)) is not None
    with pytest.raises(AssertionError):
        new(-x)
