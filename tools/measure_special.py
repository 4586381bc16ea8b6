"""Makes the section on special functions of docs/accuracy.md: their largest measured errors by range, beside SciPy's.

Run as `python tools/measure_special.py` (a minute; needs mpmath and SciPy): it puts the section in the place of the old one.
Errors are in units of the result's last place; where a function has zeros that are no floats, a unit is that of the largest
value around them (`scale`).  Exact values are mpmath's with 40 digits, of the operands as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import scipy.special

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tensordsl
import tensordsl.tensor as T
from tensordsl.graph.variables import apply
from tensordsl.ops.table import OPS

PAGE = Path(__file__).parent.parent / "docs" / "accuracy.md"
TITLE = "## Special functions"
HEAD = f"""{TITLE}

Made by `tools/measure_special.py`: the largest error in {{count}} random operands of each range, in units of the result's last
place of float64, and SciPy's beside it (a dash: it has none).  *geometric*: as many operands in each power of two.  *of the
amplitude*: a unit is that of the largest value around.  float32 is the rounded result of float64.

More than 8 units are left where a rounding of an operand changes the result by as much (`betaincinv` and `gammaincinv` of small
parameters a: by 1 / a; `iv` and `jv` of negative orders next to zeros; `beta` of large parameters, by their number times the
logarithm of the result); in `jv` and `yv` of large orders between the series, where Steed's recurrences add up as many roundings
as the order; in derivatives by the order where two terms cancel; and in `expn` and `hyp2f1`, sums in float64.

| function | operands | max | SciPy |
|---|---|---|---|"""
COUNT = 120
Draw = tuple[str, Callable[[Any, int], Any]]


def uniform(low: float, high: float) -> Draw:
    return f"{low:g} to {high:g}", lambda rng, n: rng.uniform(low, high, n)


def geometric(low: float, high: float) -> Draw:
    return f"{low:g} to {high:g}, geometric", lambda rng, n: np.exp(rng.uniform(np.log(low), np.log(high), n))


class Case(NamedTuple):
    name: str
    exact: Callable[..., Any]
    draws: tuple[Draw, ...]
    scale: Callable[..., Any] | None = None  # of the unit, where that isn't the result's own
    function: Callable[..., Any] | None = None
    between: Callable[..., Any] | None = None  # the operands from those that are drawn
    note: str = ""


def amplitude(*operands: Any) -> Any:
    x = operands[-1]
    return mp.sqrt(2 / (mp.pi * x)) if x > operands[0] or len(operands) == 1 else mp.mpf(0)


def slope(f: Callable[..., Any], k: int) -> Callable[..., Any]:
    """The derivative by operand k."""

    def derivative(*x: Any) -> Any:
        with mp.workdps(90):  # the slope may be much smaller than the value
            h = mp.mpf(10) ** -30
            up, down = ([v + s * h * (j == k) for j, v in enumerate(x)] for s in (1, -1))
            return (f(*up) - f(*down)) / (2 * h)

    return derivative


def beta_part(a: Any, b: Any, x: Any) -> Any:
    return mp.betainc(a, b, 0, x, regularized=True)


def gamma_part(a: Any, x: Any) -> Any:
    return mp.gammainc(a, 0, x, regularized=True)


def from_start(f: Callable[..., Any], start: Callable[..., Any]) -> Callable[..., Any]:
    """The root of f(x, *operands) by Newton's method, from SciPy's value."""

    def root(*operands: Any) -> Any:
        x = mp.mpf(float(start(*map(float, operands))))
        for _ in range(4):
            h = x * mp.mpf(10) ** -18
            x -= f(x, *operands) / ((f(x + h, *operands) - f(x - h, *operands)) / (2 * h))
        return x

    return root


def around_the_mean(a: Any, b: Any, z: Any) -> Any:
    m = a / (a + b)
    return a, b, np.clip(m + np.sqrt(m * (1 - m) / (a + b + 1)) * z, 1e-3, 1 - 1e-3)


def by_order(name: str, **attrs: Any) -> Callable[..., Any]:
    return lambda v, x: apply(OPS[name], v, x, **attrs)


def log_ndtr(x: Any) -> Any:
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


ORDER, WIDE_ORDER, POSITIVE = uniform(0, 5), uniform(5, 50), geometric(0.1, 50)
UNIT, SMALL, LARGE = uniform(0, 1), geometric(0.1, 10), geometric(10, 1000)
CASES = [
    *(
        Case(name, f, (draw,), scale)
        for name, f in (("j0", lambda x: mp.besselj(0, x)), ("j1", lambda x: mp.besselj(1, x)))
        for draw, scale in ((uniform(0, 8), None), (geometric(8, 1e6), amplitude))
    ),
    *(
        Case(name, f, (draw,), amplitude)
        for name, f in (("y0", lambda x: mp.bessely(0, x)), ("y1", lambda x: mp.bessely(1, x)))
        for draw in (geometric(1e-3, 8), geometric(8, 1e6))
    ),
    *(
        Case(name, f, (geometric(1e-3, 700),))
        for name, f in (
            ("i0", lambda x: mp.besseli(0, x)), ("i1", lambda x: mp.besseli(1, x)),
            ("i0e", lambda x: mp.besseli(0, x) * mp.exp(-x)), ("i1e", lambda x: mp.besseli(1, x) * mp.exp(-x)),
            ("k0", lambda x: mp.besselk(0, x)), ("k1", lambda x: mp.besselk(1, x)),
        )
    ),
    Case("jv", mp.besselj, (ORDER, geometric(0.1, 30)), amplitude),
    Case("jv", mp.besselj, (WIDE_ORDER, geometric(1, 100)), amplitude),
    Case("jv", mp.besselj, (uniform(-5, 0), geometric(0.1, 30)), amplitude),
    Case("yv", mp.bessely, (ORDER, geometric(0.1, 30)), amplitude),
    Case("yv", mp.bessely, (WIDE_ORDER, geometric(1, 100)), amplitude),
    *(
        Case(name, f, (order, x))
        for name, f in (
            ("ive", lambda v, x: mp.besseli(v, x) * mp.exp(-x)), ("kve", lambda v, x: mp.besselk(v, x) * mp.exp(x)),
        )
        for order, x in ((ORDER, POSITIVE), (ORDER, geometric(1e-7, 0.1)), (ORDER, geometric(50, 1e5)), (WIDE_ORDER, POSITIVE))
    ),
    Case("iv", mp.besseli, (uniform(-5, 0), POSITIVE)),
    Case("d kve / dv", slope(lambda v, x: mp.besselk(v, x) * mp.exp(x), 0), (ORDER, geometric(0.01, 50)), None, by_order("kve_by_order", moment=1)),
    Case("d ive / dv", slope(lambda v, x: mp.besseli(v, x) * mp.exp(-x), 0), (ORDER, geometric(0.01, 50)), None, by_order("ive_by_order")),
    Case("d jv / dv", slope(mp.besselj, 0), (ORDER, geometric(0.1, 50)), lambda v, x: mp.mpf("0.1"), by_order("jv_by_order")),
    Case("ndtr", lambda x: mp.erfc(-x / mp.sqrt(2)) / 2, (uniform(-37, 8),)),
    Case("log_ndtr", log_ndtr, (uniform(-37, 8),)),
    Case("ndtri", from_start(lambda x, p: log_ndtr(x) - mp.log(p), scipy.special.ndtri), (geometric(1e-300, 0.99),)),
    Case("ndtri_exp", from_start(lambda x, y: log_ndtr(x) - y, scipy.special.ndtri_exp), (uniform(-1000, -1),)),
    Case("logit", lambda p: mp.log(p / (1 - p)), (UNIT,)),
    Case("entr", lambda x: -x * mp.log(x), (uniform(0, 10),)),
    Case("rel_entr", lambda x, y: x * mp.log(x / y), (uniform(0, 3), uniform(0, 3))),
    Case("kl_div", lambda x, y: x * mp.log(x / y) - x + y, (uniform(0, 3), uniform(0, 3))),
    Case("xlog1py", lambda x, y: x * mp.log1p(y), (uniform(-20, 20), uniform(-1, 10))),
    Case("sinc", mp.sincpi, (uniform(-20, 20),), None, None, None),
    Case("beta", mp.beta, (SMALL, SMALL)),
    Case("beta", mp.beta, (geometric(1e-3, 300), geometric(1e-3, 300))),
    Case("betaln", lambda a, b: mp.log(mp.beta(a, b)), (geometric(1e-3, 1e8), geometric(1e-3, 1e8)), lambda a, b: mp.mpf(1)),
    Case("poch", mp.rf, (geometric(0.1, 80), geometric(0.1, 80))),
    Case("factorial", mp.factorial, (uniform(0, 170),)),
    Case("betainc", beta_part, (SMALL, SMALL, UNIT)),
    Case("betainc", beta_part, (LARGE, LARGE, uniform(-4, 4)), None, None, around_the_mean, "x within 4 deviations of the mean"),
    Case("d betainc / da", slope(beta_part, 0), (LARGE, LARGE, uniform(-4, 4)), None, lambda a, b, x: apply(OPS["betainc_by_a"], a, b, x), around_the_mean, "x within 4 deviations of the mean"),
    Case("d betainc / da", slope(beta_part, 0), (SMALL, SMALL, UNIT), None, lambda a, b, x: T.grad(T.sum(T.betainc(a, b, x)), a)),
    Case("betaincinv", from_start(lambda x, a, b, p: beta_part(a, b, x) - p, scipy.special.betaincinv), (SMALL, SMALL, UNIT)),
    Case("d gammainc / da", slope(gamma_part, 0), (geometric(0.1, 100), uniform(-3, 3)), None, lambda a, x: apply(OPS["gammainc_by_a"], a, x), lambda a, z: (a, a * np.exp(z / np.sqrt(a + 1))), "x near a"),
    *(Case(name, f, (geometric(0.1, 1000), uniform(-3, 3)), None, None, lambda a, z: (a, a * np.exp(z / np.sqrt(a + 1))), "x near a") for name, f in (("gammainc", gamma_part), ("gammaincc", lambda a, x: mp.gammainc(a, x, regularized=True)))),
    Case("gammaincinv", from_start(lambda x, a, p: gamma_part(a, x) - p, scipy.special.gammaincinv), (SMALL, UNIT)),
    Case("gammainccinv", from_start(lambda x, a, q: gamma_part(a, x) - 1 + q, scipy.special.gammainccinv), (LARGE, UNIT)),
    Case("zeta", mp.zeta, (uniform(1, 20), geometric(0.1, 50))),
    Case("zeta", mp.zeta, (uniform(-30, 1),)),
    Case("exp1", mp.e1, (geometric(1e-6, 600),)),
    Case("expn", lambda n, x: mp.expint(n, x), (("whole, 1 to 20", lambda rng, n: rng.integers(1, 20, n) * 1.0), geometric(1e-3, 20))),
    Case("dawsn", lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x), (geometric(1e-3, 50),)),
    Case("lambertw", lambda x: mp.lambertw(x).real, (uniform(-0.3678, 5),)),
    Case("lambertw", lambda x: mp.lambertw(x).real, (geometric(1, 1e300),)),
    Case("hyp2f1", mp.hyp2f1, (SMALL, SMALL, SMALL, uniform(-5, 1))),
]  # fmt: skip


def errors(case: Case) -> tuple[float, float | None]:
    """The largest error, ours and SciPy's."""
    rng = np.random.default_rng(1)
    operands = [draw(rng, COUNT) for _, draw in case.draws]
    if case.between:
        operands = list(case.between(*operands))
    variables = [T.dvector() for _ in operands]
    function = case.function or getattr(T, case.name)
    ours = tensordsl.function(variables, function(*variables))(*operands)
    peer = None if case.function else getattr(scipy.special, case.name, getattr(np, case.name, None))
    results = [ours] + ([np.real(peer(*operands))] if peer else [])
    largest = [0.0] * len(results)
    with mp.workdps(40):
        for k in range(COUNT):
            x = [mp.mpf(float(v[k])) for v in operands]
            exact = mp.mpf(mp.re(case.exact(*x)))
            if not 1e-300 < abs(exact) < 1e300:
                continue
            unit = max(abs(exact), case.scale(*x)) if case.scale else abs(exact)
            unit = mp.mpf(np.spacing(float(unit)))
            for j, result in enumerate(results):
                largest[j] = max(largest[j], float(abs(mp.mpf(float(result[k])) - exact) / unit))
    return largest[0], largest[1] if peer else None


def shown(error: float | None) -> str:
    return "-" if error is None else f"{error:.1f}" if error < 100 else f"{error:.2g}"


def section() -> str:
    lines = [HEAD.format(count=COUNT)]
    for case in CASES:
        ranges = case.note or "; ".join(text for text, _ in case.draws)
        if case.note:
            ranges = "; ".join([*(text for text, _ in case.draws[:-1]), case.note])
        ranges += ", of the amplitude" if case.scale else ""
        ours, scipys = errors(case)
        lines.append(f"| {case.name} | {ranges} | {shown(ours)} | {shown(scipys)} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    before, _, rest = PAGE.read_text().partition(TITLE)
    _, found, after = rest.partition("\n## ")
    text = f"{before.rstrip()}\n\n{section()}"
    PAGE.write_text(text + (f"\n## {after}" if found else ""))


if __name__ == "__main__":
    main()
