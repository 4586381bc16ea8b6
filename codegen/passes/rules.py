"""The equations of the compiler: simpler forms that are exact, and more accurate forms.

`simplify` holds for every bit of every value (the payload of NaN aside), so there is no x + 0 = x (0 for x = -0.0) and
no x * 0 = 0 (nan for inf) for floats.  `stabilise` gives the exact result where the left side overflows or cancels, and
may give the other zero where the exact result is 0.
"""

from __future__ import annotations

from functools import cache

from tensordsl.codegen.passes.patterns import Rule, RuleSet, anything, booleans, discretes, floats, integers, signed
from tensordsl.ops.math.comparisons import eq, invert, neq
from tensordsl.ops.math.elementwise import (
    abs_,
    ceil,
    floor,
    maximum,
    minimum,
    reciprocal,
    second,
    sgn,
    sqr,
    switch,
    tensor_copy,
    trunc,
)
from tensordsl.ops.math.elementwise import round as rint
from tensordsl.ops.math.functions import exp
from tensordsl.ops.math.stable import EQUATIONS


@cache
def simplify() -> tuple[Rule, ...]:
    """Exact equations."""
    a, b = anything("a", "b")
    x, y = floats("x", "y")
    (s,) = signed("s")
    i, j = integers("i", "j")
    (d,) = discretes("d")
    p, c = booleans("p", "c")
    return (
        # identity elements
        Rule("a * 1 = a", a * 1, a),
        Rule("a / 1 = a", a / 1, a),
        Rule("a - 0 = a", a - 0, a),
        Rule("x + -0.0 = x", x + -0.0, x),
        Rule("d + 0 = d", d + 0, d),
        Rule("i // 1 = i", i // 1, i),
        # integers have no nan and one zero
        Rule("i * 0 = 0", i * 0, 0),
        Rule("i - i = 0", i - i, 0),
        Rule("i % 1 = 0", i % 1, 0),
        Rule("0 - i = -i", 0 - i, -i),
        Rule("-(i - j) = j - i", -(i - j), j - i),
        # signs
        Rule("-(-a) = a", -(-a), a),  # noqa: B002  # the double negation is meant
        Rule("a * -1 = -a", a * -1, -a),
        Rule("a / -1 = -a", a / -1, -a),
        Rule("a + -b = a - b", a + -b, a - b),
        Rule("a - (-b) = a + b", a - (-b), a + b),
        Rule("-a * -b = a * b", -a * -b, a * b),
        Rule("-x / -y = x / y", -x / -y, x / y),
        Rule("sqr(-a) = sqr(a)", sqr(-a), sqr(a)),
        Rule("sqr(abs(a)) = sqr(a)", sqr(abs_(a)), sqr(a)),
        Rule("abs(-s) = abs(s)", abs_(-s), abs_(s)),
        Rule("abs(abs(a)) = abs(a)", abs_(abs_(a)), abs_(a)),
        Rule("abs(sqr(x)) = sqr(x)", abs_(sqr(x)), sqr(x)),
        Rule("abs(exp(x)) = exp(x)", abs_(exp(x)), exp(x)),
        # powers
        Rule("a ** 0 = 1", a**0, 1),
        Rule("a ** 1 = a", a**1, a),
        Rule("a ** 2 = sqr(a)", a**2, sqr(a)),
        Rule("x ** 3 = sqr(x) * x", x**3, sqr(x) * x),
        Rule("x ** -1 = 1 / x", x**-1, reciprocal(x)),
        # applied twice
        Rule("floor(floor(x)) = floor(x)", floor(floor(x)), floor(x)),
        Rule("ceil(ceil(x)) = ceil(x)", ceil(ceil(x)), ceil(x)),
        Rule("trunc(trunc(x)) = trunc(x)", trunc(trunc(x)), trunc(x)),
        Rule("round(round(x)) = round(x)", rint(rint(x)), rint(x)),
        Rule("sgn(sgn(a)) = sgn(a)", sgn(sgn(a)), sgn(a)),
        Rule("maximum(a, a) = a", maximum(a, a), a),
        Rule("minimum(a, a) = a", minimum(a, a), a),
        # choices and copies
        Rule("second(a, b) = b", second(a, b), b),
        Rule("identity(a) = a", tensor_copy(a), a),
        Rule("switch(True, a, b) = a", switch(True, a, b), a),
        Rule("switch(False, a, b) = b", switch(False, a, b), b),
        Rule("switch(c, a, a) = a", switch(c, a, a), a),
        Rule("switch(~c, a, b) = switch(c, b, a)", switch(~c, a, b), switch(c, b, a)),
        # logic, on bools and on the bits of integers
        Rule("~~d = d", invert(invert(d)), d),
        Rule("d & d = d", d & d, d),
        Rule("d | d = d", d | d, d),
        Rule("d ^ d = 0", d ^ d, 0),
        Rule("d & 0 = 0", d & 0, 0),
        Rule("d | 0 = d", d | 0, d),
        Rule("d ^ 0 = d", d ^ 0, d),
        Rule("p & True = p", p & True, p),
        Rule("p | True = True", p | True, True),
        Rule("p ^ True = ~p", p ^ True, ~p),
        # comparisons
        Rule("a < a = False", a < a, False),
        Rule("a > a = False", a > a, False),
        Rule("i == i = True", eq(i, i), True),
        Rule("i != i = False", neq(i, i), False),
        Rule("i <= i = True", i <= i, True),
        Rule("i >= i = True", i >= i, True),
        Rule("~(a == b) = a != b", ~eq(a, b), neq(a, b)),
        Rule("~(a != b) = a == b", ~neq(a, b), eq(a, b)),
        Rule("~(i < j) = i >= j", ~(i < j), i >= j),
        Rule("~(i > j) = i <= j", ~(i > j), i <= j),
        Rule("~(i <= j) = i > j", ~(i <= j), i > j),
        Rule("~(i >= j) = i < j", ~(i >= j), i < j),
    )


@cache
def stabilise() -> tuple[Rule, ...]:
    """Equations of real numbers whose right side is the more accurate one in floating point."""
    variables = floats("x", "y")
    made = []
    for name, left, right in EQUATIONS:
        operands = variables[: left.__code__.co_argcount]
        sole = name.startswith(("1 - ", "erf"))
        made.append(Rule(name, left(*operands), right(*operands), loose=True, sole=sole))
    return tuple(made)


@cache
def every() -> RuleSet:
    """All of them at once: what stabilisation makes has signs that cancel."""
    return RuleSet((*stabilise(), *simplify()))
