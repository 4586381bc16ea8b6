"""Makes tensordsl/ops/special/coefficients.py: Chebyshev coefficients of the special functions.

Run as `python tools/fit_special.py > tensordsl/ops/special/coefficients.py` (needs mpmath; a minute).  Each table is the
Chebyshev interpolant of a function on [low, high], from values at 100 digits, cut where the rest is below a quarter of
a unit in the last place of the largest value.

Sources of the forms: NIST DLMF 10.17 (amplitude and phase of Bessel functions for large arguments), 10.40 (modified
ones), 6.12 (exponential integral), 7.12 (Dawson's integral).
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import mpmath as mp

mp.mp.dps = 60
NODES = 80
REST = mp.mpf(2) ** -56
FIRST_ZEROS = {(n, k): mp.besseljzero(n, k) for n in (0, 1) for k in (1, 2)}


def chebyshev(f: Callable[[Any], Any], low: Any, high: Any) -> list[float]:
    """The coefficients of T_0 (not halved), T_1, ... in (2 x - low - high) / (high - low)."""
    angles = [mp.pi * (2 * i + 1) / (2 * NODES) for i in range(NODES)]
    values = [f((low + high) / 2 + (high - low) / 2 * mp.cos(angle)) for angle in angles]
    found = [2 * mp.fsum(v * mp.cos(k * a) for v, a in zip(values, angles, strict=True)) / NODES for k in range(NODES)]
    found[0] /= 2
    limit = max(map(abs, values)) * REST / 2
    while abs(found[-1]) < limit:
        found.pop()
    return [float(c) for c in found]


def hankel(n: int) -> Callable[[Any], tuple[Any, Any]]:
    """P and x Q of J_n + i Y_n = sqrt(2 / (pi x)) (P + i Q) exp(i (x - (n / 2 + 1 / 4) pi))"""

    def parts(x: Any) -> tuple[Any, Any]:
        h = (mp.besselj(n, x) + 1j * mp.bessely(n, x)) * mp.sqrt(mp.pi * x / 2)
        h *= mp.expj(-(x - (2 * n + 1) * mp.pi / 4))
        return mp.re(h), mp.im(h) * x

    return parts


def per_zero(n: int, k: int) -> Callable[[Any], Any]:
    """J_n(x) / (x^n (x^2 - z^2)), z the k-th positive zero, as a function of x^2"""

    def quotient(s: Any) -> Any:
        x = mp.sqrt(s)
        return mp.besselj(n, x) / (x**n * (s - FIRST_ZEROS[n, k] ** 2))

    return quotient


def regular_y(n: int) -> Callable[[Any], Any]:
    """Y_0 - (2 / pi) log(x) J_0, or (Y_1 - (2 / pi) (log(x) J_1 - 1 / x)) / x, as a function of x^2"""

    def rest(s: Any) -> Any:
        x = mp.sqrt(s)
        if n == 0:
            return mp.bessely(0, x) - 2 / mp.pi * mp.log(x) * mp.besselj(0, x)
        return (mp.bessely(1, x) - 2 / mp.pi * (mp.log(x) * mp.besselj(1, x) - 1 / x)) / x

    return rest


def dawson(x: Any) -> Any:
    return mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x)


def scaled_exp1(u: Any) -> Any:
    """x e^x E_1(x) of u = 1/x"""
    if u > mp.mpf(10) ** -4:
        return mp.expint(1, 1 / u) * mp.exp(1 / u) / u
    return mp.fsum((-1) ** k * mp.factorial(k) * u**k for k in range(30))


def tables() -> dict[str, tuple[Any, Any, Any]]:
    """name -> (f, low, high)"""
    found: dict[str, tuple[Any, Any, Any]] = {}
    for n in (0, 1):
        parts = hankel(n)
        found |= {
            f"I{n}_FAR": (lambda u, n=n: mp.besseli(n, 1 / u) * mp.exp(-1 / u) / mp.sqrt(u), 0, mp.mpf(1) / 8),
            f"K{n}_FAR": (lambda u, n=n: mp.besselk(n, 1 / u) * mp.exp(1 / u) / mp.sqrt(u), 0, mp.mpf(1) / 2),
            f"J{n}_NEAR": (per_zero(n, 1), 0, 16),
            f"J{n}_MIDDLE": (per_zero(n, 2), 16, 64),
            f"Y{n}_NEAR": (regular_y(n), 0, 16),
            f"Y{n}_MIDDLE": (lambda x, n=n: mp.bessely(n, x), 4, 8),
            f"P{n}_FAR": (lambda w, parts=parts: parts(1 / mp.sqrt(w))[0], 0, mp.mpf(1) / 64),
            f"Q{n}_FAR": (lambda w, parts=parts: parts(1 / mp.sqrt(w))[1], 0, mp.mpf(1) / 64),
        }
    found["DAWSON_NEAR"] = (lambda s: dawson(mp.sqrt(s)) / mp.sqrt(s), 0, 2)
    ends = [mp.sqrt(2), mp.mpf(5) / 2, 4, 6]
    for k in range(3):
        found[f"DAWSON_{k + 1}"] = (dawson, ends[k], ends[k + 1])
    found["EXP1_MIDDLE"] = (scaled_exp1, mp.mpf(1) / 4, 1)
    found["EXP1_FAR"] = (scaled_exp1, 0, mp.mpf(1) / 4)
    found["DAWSON_FAR"] = (lambda w: dawson(1 / mp.sqrt(w)) / mp.sqrt(w), 0, mp.mpf(1) / 36)
    return found


def main() -> None:
    print(
        '"""Chebyshev coefficients of special functions: (low, high, c_0, c_1, ...); made by tools/fit_special.py."""\n'
    )
    print("# fmt: off")
    for name, (f, low, high) in tables().items():
        low, high = mp.mpf(low), mp.mpf(high)
        numbers = ", ".join(map(repr, [float(low), float(high), *chebyshev(f, low, high)]))
        print(f"\n{name} = (")
        print(
            textwrap.fill(numbers + ",", 116, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
        )
        print(")")
    for (n, k), zero in FIRST_ZEROS.items():
        high = float(zero)
        print(f"\nJ{n}_ZERO_{k} = ({high!r}, {float(zero - mp.mpf(high))!r})")


if __name__ == "__main__":
    main()
