"""Sums that several functions share: continued fractions and integrals over half lines, a term in each round.

Method     Steed's algorithm for beta_0 + alpha_1 / (beta_1 + alpha_2 / (beta_2 + ...)), A. Barnett et al., "Coulomb
           wave functions for all real eta and rho", CPC 8 (1974); trapezoids in v for integrals over u = scale exp(v -
           e^-v) of what falls exponentially, H. Takahasi and M. Mori, "Double exponential formulas" (1974).
"""

from __future__ import annotations

import math

from tensordsl.codegen.scalar_ir.terms import Term, where

State = tuple[Term, ...]
COUNTS = 2.0**-55  # of a sum: what is less does not change it
NODES, FIRST_NODE = 112, -3.75  # how many v, and the first one
FALL = 45.0  # e^-FALL is below the last place


def start_fraction(first: Term, slope: Term | None = None) -> State:
    """(f, D, delta) before the first round, f = beta_0; behind them their derivatives if `slope` is that of beta_0."""
    zero, one = first.constant(0.0), first.constant(1.0)
    return (first, zero, one) if slope is None else (first, zero, one, slope, zero, zero)


def add_fraction(is_first: Term, state: State, alpha: Term, beta: Term) -> tuple[State, Term]:
    """(the state with alpha_m, beta_m, whether the fraction is done): D_m = 1 / (beta_m + alpha_m D_(m-1)), delta_m =
    -alpha_m D_(m-1) D_m delta_(m-1), delta_1 = alpha_1 D_1."""
    f, before, delta = state
    inverse = 1.0 / (beta + alpha * before)
    delta = delta * where(is_first, alpha * inverse, -(alpha * before) * inverse)
    f = f + delta
    return (f, inverse, delta), ~(abs(delta) > abs(f) * COUNTS)


def add_fraction_with_slope(
    is_first: Term, state: State, alpha: Term, beta: Term, alpha_slope: Term, beta_slope: Term
) -> tuple[State, Term]:
    """The same, and its derivative term by term."""
    f, before, delta, f_slope, before_slope, delta_slope = state
    (f, inverse, new_delta), is_done = add_fraction(is_first, (f, before, delta), alpha, beta)
    inner = alpha_slope * before + alpha * before_slope
    inverse_slope = -(inverse * inverse) * (beta_slope + inner)
    growth = where(is_first, alpha, -(alpha * before))
    growth_slope = where(is_first, alpha_slope, -inner)
    new_slope = (growth_slope * inverse + growth * inverse_slope) * delta + growth * inverse * delta_slope
    f_slope = f_slope + new_slope
    is_done = is_done & ~(abs(new_slope) > abs(f_slope) * COUNTS)
    return (f, inverse, new_delta, f_slope, inverse_slope, new_slope), is_done


def start_nodes(scale: Term, end: Term) -> State:
    """(scale, distance of nodes, e^-v, its factor, sum) of an integral over u from 0 to about `end`."""
    last = (end / scale).call("log").max(1.0)
    distance = (last - FIRST_NODE) * (1.0 / (NODES - 1))
    return scale, distance, scale.constant(math.exp(-FIRST_NODE)), (-distance).call("exp"), scale.constant(0.0)


def place(number: Term, state: State) -> Term:
    """u of a node."""
    scale, distance, shrinking, _, _ = state
    return scale * (number.cast("float64") * distance + FIRST_NODE - shrinking).call("exp")


def add_node(state: State, u: Term, height: Term) -> tuple[State, Term]:
    """(the state with the height at u, the integral up to there)"""
    scale, distance, shrinking, factor, total = state
    total = total + height * (u * (shrinking + 1.0))
    return (scale, distance, shrinking * factor, factor, total), total * distance


def power(x: Term, n: Term) -> Term:
    """x^n of whole n >= 0"""
    size, half = abs(x).call("pow", n), n * 0.5
    return where((x < 0.0) & (half.floor() < half), -size, size)
