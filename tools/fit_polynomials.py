"""Makes codegen/scalar_ir/math/coefficients.py: the polynomials and split constants of our vector mathematics.

Run as `python tools/fit_polynomials.py > codegen/scalar_ir/math/coefficients.py` (needs mpmath; seconds).  Each polynomial is a
weighted least-squares fit on Chebyshev nodes at 200 bits, within a small factor of the minimax polynomial; the
expansions in `codegen.scalar_ir.math` add the leading terms apart, so that rounding the coefficients does not matter.

Sources of the forms: P. Tang, "Table-driven implementation of the exponential function" (1989) for exp's reduction; the
(f - s(f - R)) form of log, K. C. Ng, fdlibm (1993); W. Cody and W. Waite, "Software manual for the elementary
functions" (1980) for trigonometric reduction; M. Payne and R. Hanek (1983) for huge arguments; erfc as exp(-x^2) times
a polynomial in (x - k)/(x + k), M. Shepherd and J. Laframboise (1981); pieces around points where the function is
nearly a float, S. Gal, "Computing elementary functions: a new approach for achieving high accuracy" (1986).
"""

from __future__ import annotations

import itertools
import json
import struct
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import mpmath as mp

mp.mp.prec = 200
TINY = mp.mpf(10) ** -18
HALF = mp.mpf(1) / 2
TANH_OFFSET = mp.mpf(25) / 64


def fit(f: Callable[[Any], Any], a: Any, b: Any, degree: int, weight: Callable[[Any], Any] | None = None) -> list[Any]:
    """Coefficients, lowest first, of the polynomial nearest to `f` on [a, b]."""
    a, b, n = mp.mpf(a), mp.mpf(b), degree + 1
    count = 5 * n
    middle, half = (a + b) / 2, (b - a) / 2
    # Fitted in the scaled variable (a well-conditioned system), then expanded.
    nodes = [mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    matrix, right = mp.matrix(count, n), mp.matrix(count, 1)
    for i, u in enumerate(nodes):
        x = middle + half * u
        w = weight(x) if weight else mp.mpf(1)
        for j in range(n):
            matrix[i, j] = w * u**j
        right[i] = w * f(x)
    scaled = mp.qr_solve(matrix, right)[0]
    # sum c_j ((x - middle) / half)^j by Horner over polynomials
    result = [mp.mpf(0)]
    for j in reversed(range(n)):
        shifted = [mp.mpf(0)] + [c / half for c in result]
        lower = [-c * middle / half for c in result] + [mp.mpf(0)]
        result = [s + t for s, t in zip(shifted, lower, strict=True)]
        result[0] += scaled[j]
    return result[:n]


def fit_float32(
    f: Callable[[Any], Any], a: Any, b: Any, degree: int, weight: Callable[[Any], Any] | None = None
) -> list[float]:
    """Each coefficient is rounded before those of higher powers are fitted, which make up for that."""
    found: list[float] = []
    for j in range(degree + 1):

        def rest(x: Any, j: int = j) -> Any:
            return (f(x) - sum(c * x**i for i, c in enumerate(found))) / x**j

        found.append(to_float32(fit(rest, a, b, degree - j, lambda x, j=j: (weight(x) if weight else 1) * x**j)[0]))
    return found


def fit_quotient(f: Callable[[Any], Any], a: Any, b: Any, degrees: tuple[int, int]) -> tuple[list[Any], list[Any]]:
    """N and D - 1 over z of the quotient N/D next to `f` on [a, b], by fits of N - f (D - 1) to f weighted with the last
    D (H. Loeb's iteration)."""
    count, n = 10 * (sum(degrees) + 1), degrees[0] + 1
    nodes = [(a + b) / 2 + (b - a) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    denominator: list[Any] = []
    for _ in range(4):
        matrix, right = mp.matrix(count, sum(degrees) + 1), mp.matrix(count, 1)
        for i, z in enumerate(nodes):
            y, w = f(z), 1 / (1 + sum(d * z ** (j + 1) for j, d in enumerate(denominator)))
            for j in range(n):
                matrix[i, j] = w * z**j
            for j in range(degrees[1]):
                matrix[i, n + j] = -w * y * z ** (j + 1)
            right[i] = w * y
        found = list(mp.qr_solve(matrix, right)[0])
        numerator, denominator = found[:n], found[n:]
    return numerator, denominator


def to_float32(value: Any) -> float:
    return float(struct.unpack("<f", struct.pack("<f", float(value)))[0])


ROUND: dict[str, Callable[[Any], float]] = {"float64": float, "float32": to_float32}


def split(value: Any, parts: int, bits: int, trim: int = 0) -> list[float]:
    """`value` as a sum of floats; all but the last have `bits - trim` significant bits."""
    out = []
    for i in range(parts):
        keep = bits if i == parts - 1 else bits - trim
        e = mp.floor(mp.log(abs(value), 2))
        unit = mp.mpf(2) ** (e - keep + 1)
        part = (mp.floor if keep < bits else mp.nint)(value / unit) * unit
        out.append(float(part))
        value -= part
    return out


def at_zero(f: Callable[[Any], Any], limit: Any) -> Callable[[Any], Any]:
    return lambda z: f(z) if abs(z) > TINY else mp.mpf(limit)


def by_root(f: Callable[[Any], Any], limit: Any) -> Callable[[Any], Any]:
    """A function of z = x^2, given as one of x."""
    return at_zero(lambda z: f(mp.sqrt(z)), limit)


def log_rest(f: Any) -> Any:
    return (mp.log1p(f) - f) / f**2


def log_pow_rest(f: Any) -> Any:
    return 2 * (mp.log1p(f) - f + f * f / 2) / f**3


def log_entries(count: int) -> list[float]:
    """Reciprocals r of m in [1, 2) by m's leading bits, so that m r - 1 is exact, in [-w, 2 w), w = 1 / (2 count); r is
    1 next to 1 and 1/2 next to 2."""
    w, result = 1 / (2 * count), []
    for i in range(count):
        low, high = 1 + i / count, 1 + (i + 1) / count
        best = min((j * w for j in range(1, 4 * count)), key=lambda r: max(high * r - 1 - 2 * w, -w - low * r + 1))
        best = {0: 1.0, count - 1: 0.5}.get(i, best)
        assert -w <= low * best - 1 and high * best - 1 <= 2 * w, (i, best)
        result.append(best)
    return result


def tables() -> dict[str, Any]:
    """The reciprocals r by their number, and -log(r) in heads that k LN2[0] can be added to without an error, and tails;
    for three bases."""
    result: dict[str, Any] = {"RECIPROCAL": {n: log_entries(n) for n in (16, 32)}}
    for name, counts in (("", {"float64": 16, "float32": 16}), ("FINE_", {"float64": 32, "float32": 32})):
        bases = {"LN": (1, 42, 16), "LOG2": (mp.log(2), 42, 16), "LOG10": (mp.log(10), 43, 17)}
        for base, (divisor, *units) in bases.items():
            if name and base != "LN":
                continue
            heads, tails = {}, {}
            for t, unit in zip(counts, units, strict=False):
                exact = [-mp.log(mp.mpf(r)) / divisor for r in result["RECIPROCAL"][counts[t]]]
                heads[t] = [float(mp.floor(x * mp.mpf(2) ** unit) / mp.mpf(2) ** unit) for x in exact]
                rests = [float(x - mp.mpf(h)) for x, h in zip(exact, heads[t], strict=True)]
                tails[t] = rests if t == "float64" else [to_float32(x) for x in rests]
            result[f"{name}{base}_HEADS"], result[f"{name}{base}_TAILS"] = heads, tails
    return result


def nearly_exact(f: Callable[[Any], Any], low: Any, high: Any, dtype: str) -> tuple[float, float]:
    """(c, y): floats, c near the middle, with f(c) as near to y as it can be found."""
    candidates = [ROUND[dtype]((low + high) / 2 + (high - low) * i / 16000) for i in range(400)]
    found = [(c, ROUND[dtype](f(c)), f(c)) for c in candidates]
    return min(found, key=lambda row: abs(row[2] - row[1]))[:2]


def pieces(f: Callable[[Any], Any], ends: list[Any], degree: int, dtype: str = "float32") -> list[tuple[float, ...]]:
    """Columns for `floating_point.by_pieces`: centers c, values y, coefficients of (f(c + h) - y)/h; of f(x)/x - 1 in the first
    piece."""
    rows = []
    for low, high in itertools.pairwise(ends):
        c, y = nearly_exact(f, low, high, dtype) if rows else (0.0, 0.0)
        slope = mp.diff(f, c) - (not rows)
        rest = at_zero(lambda h, c=c, y=y: (f(c + h) - y) / h - (not c), slope)
        # In the first piece what counts is the relative error.
        flat = (high - low) / 50 if rows else mp.mpf(10) ** 6
        coefficients = fit(rest, low - c, high - c, degree, lambda h, flat=flat: abs(h) + flat)
        rows.append((c, y, *map(ROUND[dtype], coefficients)))
    return list(zip(*rows, strict=True))


def erf_pieces(length: str, count: int, degree: int, dtype: str) -> list[tuple[float, ...]]:
    """By their number; the first is three quarters as long, so that no value is twice the least result around it."""
    ends = [mp.mpf(0)] + [(i + mp.mpf("0.75")) * mp.mpf(length) for i in range(count)]
    return pieces(mp.erf, ends, degree, dtype)


def all_pieces() -> dict[str, dict[str, list[tuple[float, ...]]]]:
    """tanh: eight, the first of which ends where x^2 + TANH_OFFSET is 1/2, and others at 1, 2, ...; 1/cbrt on [1, 2):
    32 lines."""
    tanh_ends = [mp.mpf(0), *(mp.sqrt(mp.mpf(2) ** k - TANH_OFFSET) for k in range(-1, 6)), mp.mpf("9.2")]
    rolled = [column[3:] + column[:3] for column in pieces(mp.tanh, tanh_ends, 5)]  # by the exponent modulo 8
    lines = [fit(lambda m: 1 / mp.cbrt(m), 1 + mp.mpf(i) / 32, 1 + mp.mpf(i + 1) / 32, 1) for i in range(32)]
    cbrt = [tuple(map(to_float32, column)) for column in zip(*lines, strict=True)]
    erf = {
        "float64": erf_pieces("0.37890625", 16, 12, "float64"),
        "float32": erf_pieces("0.51171875", 8, 6, "float32"),
    }
    tanh = {"TANH_OFFSET": {"float32": (float(TANH_OFFSET),)}, "TANH_PIECES": {"float32": rolled}}
    return {"ERF_PIECES": erf, **tanh, "CBRT_PIECES": {"float32": cbrt}}


def scaled_erfc(x: Any) -> Any:
    return mp.exp(x * x) * mp.erfc(x) * (1 + 2 * x)


def inverse_erf_by_log(w: Any) -> Any:
    """erfinv(x) / x where w = -log(1 - x^2)"""
    if w < TINY:
        return mp.sqrt(mp.pi) / 2
    x = mp.sqrt(-mp.expm1(-w))
    return erfinv(x, mp.exp(-w) / (1 + x)) / x


def inverse_erf_of_root(s: Any) -> Any:
    """erfinv(x) where s^2 = -log(1 - x^2)"""
    return inverse_erf_by_log(s * s) * mp.sqrt(-mp.expm1(-s * s))


def erfinv(x: Any, rest: Any) -> Any:
    """Newton's method from mpmath's or, near 1, on the logarithm of erfc; `rest` is 1 - x."""
    if x < mp.mpf("0.9"):
        return mp.erfinv(x)
    y = mp.sqrt(-mp.log(rest))
    for _ in range(60):
        c = mp.erfc(y)
        step = (mp.log(c) - mp.log(rest)) * c * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
        y += step
        if abs(step) < mp.mpf(10) ** -50:
            break
    return y


def log_gamma_rest(z: Any) -> Any:
    """log gamma(z + 1/2) - (z (log z - 1) + log(2 pi)/2)"""
    return mp.loggamma(z + HALF) - (z * (mp.log(z) - 1) + mp.log(2 * mp.pi) / 2)


def from_infinity(f: Callable[[Any], Any], limit: Any) -> Callable[[Any], Any]:
    """A function of w = 1/z^2, given as one of z."""
    return at_zero(lambda w: f(1 / mp.sqrt(w)), limit)


def gammaln_near(u: Any) -> Any:
    """lgamma(2 + u) / (u (u + 1))"""
    if abs(u) < TINY:
        return mp.digamma(2)
    if abs(u + 1) < TINY:
        return -mp.digamma(1)
    return mp.loggamma(2 + u) / (u * (u + 1))


ROOT = mp.findroot(mp.digamma, 1.4616)
FAR = mp.mpf(5) / 2


def digamma_near(u: Any) -> Any:
    """digamma(ROOT + u) / u"""
    return mp.digamma(ROOT + u) / u if abs(u) > TINY else mp.psi(1, ROOT)


def polynomials() -> dict[str, tuple[Any, ...]]:
    """name -> (f, low, high or one for each type, degrees for float64 and float32, the error's weight if any)"""
    ln2, pi = mp.log(2) / 2 * mp.mpf("1.002"), mp.pi
    w16, w32 = mp.mpf(1) / 32, mp.mpf(1) / 64
    # Beyond pi/4 by what the multiplication with 2/pi errs before it is rounded.
    quarter = (pi / 4 * mp.mpf("1.001")) ** 2, (pi / 4 * mp.mpf("1.007")) ** 2
    eighth = mp.tan(pi / 8) ** 2 * mp.mpf("1.001")
    return {
        "EXP": (at_zero(lambda r: (mp.expm1(r) - r) / r**2, 0.5), -ln2, ln2, 9, 4),
        "EXPM1": (at_zero(lambda r: (mp.expm1(r) - r - r * r / 2) / r**3, mp.mpf(1) / 6), -ln2, ln2, 9, 4),
        "LN": (at_zero(log_rest, -mp.mpf(1) / 2), -w16, 2 * w16, 9, 3),
        "LOG2": (at_zero(lambda f: log_rest(f) / mp.log(2), -HALF / mp.log(2)), -w16, 2 * w16, 9, 3),
        "LOG10": (at_zero(lambda f: log_rest(f) / mp.log(10), -HALF / mp.log(10)), -w16, 2 * w16, 9, 3),
        "LOG1P": (at_zero(log_rest, -mp.mpf(1) / 2), 0, 1, None, 9, lambda x: x * x / mp.log1p(x) if x else x),
        "LOG_POW": (at_zero(log_pow_rest, mp.mpf(2) / 3), -w32, 2 * w32, 8, 3),
        "SIN": (by_root(lambda x: (mp.sin(x) / x - 1) / x**2, -mp.mpf(1) / 6), 0, quarter, 6, 3),
        "COS": (by_root(lambda x: (mp.cos(x) - 1 + x * x / 2) / x**4, mp.mpf(1) / 24), 0, quarter, 5, 2),
        "ATAN": (by_root(lambda x: (mp.atan(x) / x - 1) / x**2, -mp.mpf(1) / 3), 0, eighth, 10, 4),
        "ASIN": (by_root(lambda x: (mp.asin(x) / x - 1) / x**2, mp.mpf(1) / 6), 0, mp.mpf("0.2501"), 12, 5),
        "SINH": (by_root(lambda x: (mp.sinh(x) / x - 1) / x**2, mp.mpf(1) / 6), 0, HALF, 5, 2),
        "COSH": (by_root(lambda x: (mp.cosh(x) - 1) / x**2, HALF), 0, HALF, 6, 3),
        "RECIPROCAL_CBRT": (lambda m: 1 / mp.cbrt(m), 1, 2, 6, None),
        "ERF": (by_root(lambda x: mp.erf(x) / x - 1, 2 / mp.sqrt(pi) - 1), 0, (mp.mpf("0.141"), mp.mpf("0.563")), 7, 5),
        "ERFC": (lambda t: scaled_erfc(4 * (1 + t) / (1 - t)), -1, mp.mpf("0.76"), 22, 11),
        "ERFCX": (at_zero(lambda x: (mp.exp(x * x) * mp.erfc(x) - 1) / x, -2 / mp.sqrt(pi)), -mp.mpf("0.6"), mp.mpf("0.6"), 19, 9),
        "ERFINV_CENTER": (lambda v: inverse_erf_by_log(v + 3) - 1, -3, 3, 24, 11),
        "ERFINV_MIDDLE": (lambda s: inverse_erf_of_root(s + mp.mpf("3.2")), mp.mpf("-0.76"), mp.mpf("0.91"), 21, 9),
        "ERFINV_TAIL": (lambda s: inverse_erf_of_root(s + 5), mp.mpf("-0.91"), mp.mpf("1.1"), 19, None),
        "GAMMA": (lambda u: mp.gamma(u + 2), -HALF, HALF, 19, 10),
        "GAMMA_SERIES": (at_zero(lambda w: mp.expm1(log_gamma_rest(1 / w)) / w, -mp.mpf(1) / 24), 0, HALF, 16, 6),
        "GAMMALN": (gammaln_near, -1, HALF, 23, 11),
        "STIRLING": (from_infinity(lambda z: z * log_gamma_rest(z), -mp.mpf(1) / 24), 0, mp.mpf(1) / 4, 15, 5),
        "DIGAMMA": (digamma_near, 1 - ROOT, FAR - ROOT, 24, 12),
        "DIGAMMA_SERIES": (from_infinity(lambda z: z * z * (mp.digamma(z + HALF) - mp.log(z)), mp.mpf(1) / 24), 0, mp.mpf(1) / 4, 17, 6),
        "TRIGAMMA": (lambda u: mp.psi(1, u + 2), -1, HALF, 28, 15),
        "TRIGAMMA_SERIES": (from_infinity(lambda z: z * z * (z * mp.psi(1, z + HALF) - 1), -mp.mpf(1) / 12), 0, mp.mpf(1) / 4, 18, 7),
    }  # fmt: skip


def quotients() -> dict[str, dict[str, list[float]]]:
    """(tan(r)/r - 1)/r^2 of z = r^2, where the denominator's first coefficient, 1, is left out"""
    tables: dict[str, dict[str, list[float]]] = {"TAN_NUMERATOR": {}, "TAN_DENOMINATOR": {}}
    for dtype, beyond, degrees in (("float64", "1.001", (3, 4)), ("float32", "1.007", (1, 2))):
        high = (mp.pi / 4 * mp.mpf(beyond)) ** 2
        parts = fit_quotient(by_root(lambda r: (mp.tan(r) / r - 1) / r**2, mp.mpf(1) / 3), 0, high, degrees)
        for table, part in zip(tables.values(), parts, strict=True):
            table[dtype] = list(map(ROUND[dtype], part))
    return tables


def constants() -> dict[str, dict[str, list[float]]]:
    """Numbers as sums of floats.  LN2 has room for 11 (8) bits, so that n * LN2[0] is exact; in PI_2_DOWN all are
    positive."""
    table = {
        "LN2": (mp.log(2), 2, 11, 8), "LN2_FULL": (mp.log(2), 2, 0, 0), "PI_2": (mp.pi / 2, 3, 0, 0),
        "PI_2_DOWN": (mp.pi / 2, 3, 1, 1), "PI": (mp.pi, 2, 0, 0),
        "LOG2E": (1 / mp.log(2), 2, 0, 0), "DIGAMMA_ROOT": (ROOT, 2, 0, 0),
        "LOG10_2": (mp.log10(2), 2, 11, 8), "LOG10E": (1 / mp.log(10), 2, 0, 0),
        "HALF_LOG_2PI": (mp.log(2 * mp.pi) / 2, 2, 0, 0), "ROOT_2PI": (mp.sqrt(2 * mp.pi), 2, 0, 0),
        "PER_ROOT_PI": (1 / mp.sqrt(mp.pi), 2, 0, 0),
    }  # fmt: skip
    return {
        k: {"float64": split(v, parts, 53, t64), "float32": split(v, parts, 24, t32)}
        for k, (v, parts, t64, t32) in table.items()
    }


def write(name: str, table: Mapping[str | int, Sequence[object]]) -> None:
    print(f"\n{name} = {{")
    for key, values in table.items():
        print(filled(f"    {json.dumps(key)}: ", values) + ",")
    print("}")


def filled(start: str, values: Iterable[object]) -> str:
    """`start` and a tuple, in lines that are not too long."""
    return textwrap.fill(
        f"({' '.join(f'{v!r},' for v in values)})", 119, initial_indent=start, subsequent_indent=" " * 8
    )


def main() -> None:
    print('"""Coefficients of our vector mathematics, lowest power first; made by tools/fit_polynomials.py."""')
    print("\n# fmt: off")
    for name, constant in constants().items():
        write(name, constant)
    for name, table in tables().items():
        write(name, table)
    for name, (f, low, highs, *degrees) in polynomials().items():
        table, weight = {}, degrees.pop() if len(degrees) == 3 else None
        highs = highs if isinstance(highs, tuple) else (highs, highs)
        for dtype, degree, high in zip(("float64", "float32"), degrees, highs, strict=True):
            if degree is not None:
                by = fit_float32 if dtype == "float32" else fit
                table[dtype] = list(map(float, by(f, low, high, degree, weight)))
        write(name, table)
    for name, table in quotients().items():
        write(name, table)
    for name, columns in all_pieces().items():
        write(name, columns)
    mp.mp.prec = 1800
    total, step = 1700, 25
    bits = int(mp.floor(2 / mp.pi * mp.mpf(2) ** total))
    parts = [(bits >> (total - step * (i + 2))) % 2 ** (2 * step) / 2 ** (2 * step) for i in range(64)]
    print("\n# The 50 bits of 2 / pi behind the first 25 i ones, as a fraction: for the reduction of huge arguments.")
    print(filled("TWO_OVER_PI = ", parts))


if __name__ == "__main__":
    main()
