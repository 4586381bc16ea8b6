"""Riemann's zeta function of every real argument.

Method     (s - 1) zeta(s), an entire function, by its power series about 1/2; from 3/2 on by Euler and Maclaurin's sum,
           and below -1/2 by Riemann's equation (NIST DLMF 25.2.9, 25.4.1), its large factors in two parts.
"""

from __future__ import annotations

import math

from tensordsl.codegen.scalar_ir.special import pairs
from tensordsl.codegen.scalar_ir.special.bessel import sine_of_pi
from tensordsl.codegen.scalar_ir.special.pairs import polynomial
from tensordsl.codegen.scalar_ir.special.rows import loop, once
from tensordsl.codegen.scalar_ir.special.sums import State
from tensordsl.codegen.scalar_ir.terms import Term, repeat, where

Step = tuple[State, Term, Term]
TERMS = 12  # of the sum of k^-s
CORRECTIONS = (  # B_2k / (2k)!
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
    -3617 / 10670622842880000, 43867 / 5109094217170944000, -174611 / 802857662698291200000,
)  # fmt: skip
MIDDLE = (  # of (s - 1) zeta(s), powers of s - 1/2
    0.7301772544047934, 0.5009685607949891, 0.07944311427301363, -0.00390273652107487, -0.0006073800438568951,
    0.00011418107330152201, -4.62597732014934e-06, -8.287848245920571e-07, 1.4359657176452616e-07,
    -8.227838476756323e-09, -3.400684414469945e-10, 1.0356917722000562e-10, -8.775279090215553e-12,
    2.3879316840673776e-13, 2.968903757977831e-14, -4.437147552391171e-15, 2.8788343293483944e-16,
    -6.164785719422625e-18, -7.587893380004761e-19, 9.952687158700614e-20, -6.127557117153674e-21,
    1.6936095621987087e-22, 7.611843758971236e-24, -1.270871194529322e-24,
)  # fmt: skip
LOG_2PI = 1.8378770664093456, -7.756588316134483e-17  # in two parts


def _start_sum(s: Term) -> State:
    """The tail from n = TERMS on: n^-s (n / (s - 1) - 1/2 + corrections), whose own term is in the sum."""
    n = float(TERMS)
    total, factor = n / (s - 1.0) - 0.5, s * (1 / n)
    for k, c in enumerate(CORRECTIONS):
        total = total + factor * c
        factor = factor * ((s + float(2 * k + 1)) * (1 / n)) * ((s + float(2 * k + 2)) * (1 / n))
    return (total * s.constant(n).call("pow", -s),)


def _sum(number: Term, state: State, s: Term) -> Step:
    """From the smallest term on."""
    k = float(TERMS) - number.cast("float64")
    total = state[0] + k.call("pow", -s)
    return (total,), total, k <= 1.0


def _zeta(number: Term, state: State, s: Term) -> Step:
    needed = number.is_(0)
    is_large, is_low = s > 1.5, s < -0.5
    h = where(is_large | is_low, 0.0, s - 0.5)
    middle = polynomial(h, MIDDLE) / (h - 0.5)
    # Below: 2 (2 pi)^(s - 1) sin(pi s / 2) gamma(1 - s) zeta(1 - s).
    u, lost = pairs.two_sum(where(is_low, -s, 0.5), s * 0.0 + 1.0)  # 1 - s
    t = where(is_large, s, where(is_low, u, 2.0)).min(1e4)  # 1 + 2^-s is 1 for larger ones
    upper = repeat("zeta_sum", needed & (is_large | is_low), t)
    inside = u.min(1e3)
    log_2pi = s.constant(LOG_2PI[0]), s.constant(LOG_2PI[1])
    exponent = pairs.minus(pairs.log_gamma(inside), pairs.times((inside, lost), log_2pi))
    exponent = pairs.plus(exponent, pairs.alone(lost * pairs.psi_slope(inside)))
    half = pairs.exp((exponent[0] * 0.5, exponent[1] * 0.5))  # its square may overflow where a factor is 0
    below = half * (sine_of_pi(s.max(-1e15) * 0.5) * 2.0) * half * upper
    below = where(below.is_(below), below, 0.0)
    value = where(is_large, upper, where(is_low, below, middle))
    value = where(s.is_(1.0), math.inf, value)
    return (), where(s > -math.inf, value, math.nan), needed


REPETITIONS = (loop("zeta_sum", _start_sum, _sum, TERMS), once("riemann_zeta", _zeta))
