"""What the result of a random function may be: the oracles' own, or what rounding explains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from drawn import EXACT, INEXACT, Case
from growth import LOOPS, ROUNDED, SIGNLESS
from program_text import describe

import tensordsl
from tensordsl.config import config
from tensordsl.graph import Constant, Elementwise, Kernel, Movement, Variable, toposort
from tensordsl.graph.evaluate import evaluate, evaluate_node
from tensordsl.ops.math.complexes import FUNCTIONS
from tensordsl.types import COMPLEX, CONTINUOUS

MANY = 1e7  # more than any value has elements
PRODUCTS = ("dot", "batched_dot")
RUNNING = ("cumsum", "cumprod")
UNDONE = frozenset("sqr exp expm1".split())  # a stable form of what follows may not overflow where these do
VANISHING = frozenset("exp exp2 sigmoid erfc".split())  # nor be infinite where these are 0


def perturbed(case: Case, values: dict[Variable, Any], seed: int) -> list[Any]:
    """The results with a rounding error put on every value that is rounded, reductions in another order, and zeros of
    values whose sign is open with the other sign; nothing where that changes a length or position on which others
    depend."""
    with np.errstate(all="ignore"):
        try:
            return _perturbed(case.results, values, np.random.default_rng(seed))
        except (ValueError, IndexError):
            return []


def _perturbed(results: Sequence[Variable], values: dict[Variable, Any], rng: Any) -> list[Any]:
    known = dict(values)
    for node in toposort(results, stop=values):
        operands = [known[o] if o in known else _data(o) for o in node.inputs]
        floating = bool(operands) and operands[0].dtype.kind in "fc"
        if node.op.name in ("sum", "prod") and floating and node.attrs["acc_dtype"] in CONTINUOUS:
            made = evaluate_node(node, [shuffled(operands[0], node.attrs["axis"], rng)])
            if node.op.name == "prod":
                is_open = _product_is_open(operands[0], node.attrs["axis"], node.attrs["acc_dtype"])
                made = (np.where(is_open, _anything(rng), made[0]).astype(made[0].dtype),)
            if node.op.name == "sum":  # terms may cancel
                size = np.sum(np.abs(operands[0]), axis=node.attrs["axis"], dtype="float64")
                # blocks of float32 are added in float32, whatever their sums are added in
                in_blocks = str(operands[0].dtype) == node.attrs["dtype"] == "float32"
                eps = np.finfo("float32" if in_blocks else node.attrs["acc_dtype"]).eps
                error = _directions(made[0], rng) * 2 * size * eps
                is_open = np.any(_overflows(node.inputs[0], operands[0], known), axis=node.attrs["axis"])
                made = (np.asarray(np.where(is_open, _anything(rng), made[0] + error)).astype(made[0].dtype),)
        elif node.op.name in PRODUCTS and not all(np.all(np.isfinite(x)) for x in operands):
            made = (np.full_like(evaluate_node(node, operands)[0], _anything(rng)),)  # BLAS leaves out products with 0
        elif node.op.name in PRODUCTS and floating:  # terms may cancel
            size = np.abs(operands[0]).astype("float64") @ np.abs(operands[1]).astype("float64")
            (exact,) = evaluate_node(node, operands)
            error = _directions(exact, rng) * size * np.finfo(exact.dtype).eps
            # where products overflow, a fused multiplication and addition may give something else
            zero = (0.0, -0.0, 0.0)[rng.bit_generator.seed_seq.entropy % 3]  # the sign: whether a sum begins with 0
            rounded = np.where(exact + error == 0, zero, exact + error)
            made = (np.where(size <= np.finfo(exact.dtype).max, rounded, _anything(rng)).astype(exact.dtype),)
        elif node.op.name in ("gammaln", "digamma") and floating:
            # next to a zero the oracle keeps fewer digits than the function
            made = evaluate_node(node, [_rounded(operands[0], rng)])
        elif node.row.name in LOOPS and operands[0] > 0:
            rounds, *made = _perturbed_loop(node.attrs["body"], operands, rng)
            made = made if node.row.name == "for" else [rounds, *made]
        else:
            made = evaluate_node(node, operands)
            if node.op.name in RUNNING and floating and config.device != "cpu":
                made = (_in_another_order(node, operands[0], made[0], rng),)
        for o, x in zip(node.outputs, made, strict=True):
            known[o] = _with_error(node, operands, o, x, rng)
    return [np.asarray(known[v] if v in known else _data(v)) for v in results]


def _anything(rng: Any) -> float:
    """For each of three samples another value, of which quotients differ too: nothing is asked of the result."""
    return (np.nan, 1.0, np.inf)[rng.bit_generator.seed_seq.entropy % 3]


def _directions(x: Any, rng: Any) -> Any:
    """1 or -1 for each element; for complex ones of x in both parts, upwards and downwards in the first two samples, so
    that what lies on a cut is seen from both sides."""
    seed = rng.bit_generator.seed_seq.entropy % 3
    if x.dtype.kind != "c":
        return rng.choice([-1.0, 1.0], size=x.shape)
    re, im = (1, -1, rng.choice([-1, 1]))[seed] * rng.uniform(0.5, 1.5, size=(2, *x.shape))
    return re + 1j * im


def _in_another_order(node: Any, x: Any, made: Any, rng: Any) -> Any:
    """Running sums and products of a device, whose parts meet in an order of their own; complex ones part by part."""
    if made.dtype.kind == "c":
        parts = zip((x.real, x.imag), (made.real, made.imag), strict=True)
        re, im = (_in_another_order(node, *part, rng) for part in parts)
        result = made.copy()
        result.real, result.imag = re, im
        return result
    terms = np.cumsum(np.abs(x), axis=node.attrs["axis"], dtype="float64")
    size = terms if node.op.name == "cumsum" else np.abs(made) * (1 + np.log2(1 + x.shape[node.attrs["axis"]]))
    error = _directions(made, rng) * 2 * size * np.finfo(made.dtype).eps
    return np.where(np.isfinite(made), made + error, made).astype(made.dtype)


def _product_is_open(x: Any, axes: Sequence[int], dtype: str) -> Any:
    """Where factors overflow in some order and not in another, or underflow."""
    powers = np.log2(np.abs(x), dtype="float64")
    up, down = (np.sum(part, axis=axes) for part in (np.maximum(powers, 0), np.minimum(powers, 0)))
    info = np.finfo(dtype)
    return (up >= info.maxexp - 1) & np.isfinite(up) & (down < 0) | (down <= info.minexp) & (up > 0)


def _overflows(v: Variable, x: Any, known: dict[Variable, Any]) -> Any:
    """Where v = x, which may be moved, is an infinite product of finite factors: without one that stands before the sum
    it may be finite."""
    moves = []
    while v.owner is not None and isinstance(v.owner.op.meaning, Movement) and v.owner.inputs[0] in known:
        moves.append(v.owner)
        v, x = v.owner.inputs[0], known[v.owner.inputs[0]]
    made = _is_infinite_product(v, x, known)
    for node in reversed(moves):
        (made,) = evaluate_node(node, [made, *(known[o] if o in known else _data(o) for o in node.inputs[1:])])
    return made


def _is_infinite_product(v: Variable, x: Any, known: dict[Variable, Any]) -> Any:
    if v.owner is None or v.owner.op.name not in ("mul", "pow", "sqr"):
        return np.zeros(x.shape, bool)
    factors, stack = [], list(v.owner.inputs)
    while stack:
        f = stack.pop()
        if f.owner is not None and f.owner.op.name in ("mul", "pow", "sqr") and f in known:
            stack += f.owner.inputs
        else:
            factors.append(np.isfinite(known[f] if f in known else _data(f)))
    return np.isinf(x) & np.all(np.broadcast_arrays(x, *factors)[1:], axis=0)


def shuffled(x: Any, axes: Sequence[int], rng: Any) -> Any:
    """x in another order along some axes."""
    for k in axes:
        x = np.take(x, rng.permutation(x.shape[k]), axis=k)
    return x


def _perturbed_loop(body: Any, operands: Sequence[Any], rng: Any) -> list[Any]:
    """The number of rounds and the results of a loop, each of whose steps rounds."""
    carried, invariants = list(operands[1 : 1 + len(body.carried)]), operands[1 + len(body.carried) :]
    rows = []
    for i in range(int(operands[0])):
        sources = (body.index, *body.carried, *body.invariants)
        values = dict(zip(sources, (np.asarray(i), *carried, *invariants), strict=True))
        made = _perturbed(body.expressions, values, rng)
        carried = made[: len(carried)]
        rows.append(made[len(carried) : len(body.results)])
        if body.condition is not None and made[-1]:
            break
    return [np.int64(len(rows)), *carried, *(np.stack(column) for column in zip(*rows, strict=True))]


def _data(v: Any) -> Any:
    return v.data if isinstance(v, Constant) else v.get_value(borrow=True)


def _sign_is_open(node: Any, operands: Sequence[Any]) -> Any:
    """Where zeros of both signs are looked at."""
    if len(operands) == 1 and "axis" not in node.attrs:
        return True
    zeros = [
        ((o == 0) & ~np.signbit(o), (o == 0) & np.signbit(o)) for o in map(np.asarray, operands) if o.dtype.kind == "f"
    ]
    if not zeros:  # integers only
        return False
    if len(operands) == 1:
        return np.all([np.any(z, axis=node.attrs["axis"]) for z in zeros[0]], axis=0)
    plus, minus = (np.any(np.stack(np.broadcast_arrays(*z)), axis=0) for z in zip(*zeros, strict=True))
    return plus & minus


def _rounded(x: Any, rng: Any) -> Any:
    return (x * (1 + rng.choice([-1.0, 1.0], size=x.shape) * np.finfo(x.dtype).eps)).astype(x.dtype)


def _with_error(node: Any, operands: Sequence[Any], v: Variable, x: Any, rng: Any) -> Any:
    if v.type.dtype not in CONTINUOUS or isinstance(node.op.meaning, Movement) or not x.size:
        return x
    if any(o.dtype.kind == "c" for o in operands) or v.type.dtype in COMPLEX:
        return _complex_with_error(node, operands, x, rng)
    if node.op.name in SIGNLESS:
        return np.where((x == 0) & _sign_is_open(node, operands), -x, x)
    if node.op.name == "logsoftmax":  # log(1 + small): the sum of exponentials is rounded
        return (x + rng.uniform(-2, 2, size=x.shape) * (1 + abs(x)) * np.finfo(x.dtype).eps).astype(x.dtype)
    if node.op.name in UNDONE:  # sqrt(sqr(x)) = abs(x); small enough that sums do not overflow
        x = np.where(np.isinf(x) & np.isfinite(operands[0]), np.finfo(x.dtype).max / MANY, x)
    ulp = 1.0 if isinstance(node.op.meaning, Elementwise) and not node.op.ulp else max(4.0, min(node.op.ulp, 16))
    if isinstance(node.op.meaning, Kernel) and node.row.name not in (*PRODUCTS, *LOOPS):
        return x
    directions = [-1.0, 0.0, 1.0] if ulp == 1 else [-1.0, 1.0]  # functions: none of the samples may leave one out
    # of different sizes, so that the errors of two values do not cancel in their difference
    error = rng.choice(directions, size=x.shape) * rng.uniform(0.5, 1.5, size=x.shape) * ulp * np.finfo(x.dtype).eps
    tiny = rng.choice([-1.0, 1.0], size=x.shape) * np.finfo(x.dtype).smallest_subnormal
    zeros = x
    if node.op.name in VANISHING:  # log(exp(x)) = x: what has vanished was some small number
        zeros = np.where(np.isfinite(operands[0]), np.finfo(x.dtype).smallest_subnormal, x)
    return np.where(x == 0, zeros, x * (1 + error.astype(x.dtype)) + tiny).astype(x.dtype)


def _complex_with_error(node: Any, operands: Sequence[Any], x: Any, rng: Any) -> Any:
    """An error of the number, not of each part; functions are open where an operand or they themselves are not finite,
    as C leaves some of that open and NumPy's products may be rounded once or twice."""
    if isinstance(node.op.meaning, Kernel) and node.row.name not in (*PRODUCTS, *LOOPS):
        return x
    magnified: Any = 1.0  # by how much more than a few units a function's rounding is
    if node.op.name in (*FUNCTIONS, *ROUNDED, "prod"):
        is_finite = np.isfinite(x)
        for o in operands if node.op.name in FUNCTIONS else ():
            is_finite = is_finite & np.isfinite(o)
        if node.op.name == "pow":  # an angle of which the rounding leaves no digit
            with np.errstate(all="ignore"):
                angle = np.abs(operands[1] * np.log(operands[0] + 0j))
            is_finite = is_finite & ~((angle >= 1e6) & np.isfinite(angle))
            magnified = np.where(np.isfinite(angle), np.maximum(1, angle / 2), 1)  # NumPy rounds the exponent
        anything = _anything(rng)
        x = np.where(is_finite, x, complex(anything, anything) if x.dtype.kind == "c" else anything)
    if not node.op.ulp and node.op.name not in ROUNDED:
        return x
    size = np.abs(x) + (node.op.name == "log1p")  # NumPy's log1p is the logarithm of 1 + z, rounded
    error = _directions(x, rng) * 4 * np.finfo(x.dtype).eps * size * magnified
    tiny = _directions(x, rng) * np.finfo(x.dtype).smallest_subnormal
    kept = (size == 0) & all(np.any(o == 0) for o in operands)  # else a zero has come by underflow, on whichever side
    return np.where(kept, x, np.where(np.isfinite(x), x + error + tiny, x)).astype(x.dtype)


def reference(case: Case) -> tuple[list[Any], dict[Variable, Any]]:
    """(results by the oracles, values of the sources)."""
    values: dict[Variable, Any] = {
        v: np.array(a).astype(v.type.dtype) for v, a in zip(case.inputs, case.arguments, strict=True)
    }
    values |= {s: s.get_value() for s in case.shared}
    with np.errstate(all="ignore"):
        return evaluate(case.results, values), values


def compare(
    case: Case, levels: Sequence[int], expected: Sequence[Any], got: Sequence[Any], samples: Sequence[Sequence[Any]]
) -> None:
    """Raise AssertionError where a result is neither the expected one nor explained by rounding."""
    variables = [v for n in toposort(case.results) for v in (*n.inputs, *n.outputs)]
    coarse = max((np.finfo(v.type.dtype).eps for v in variables if v.type.dtype in CONTINUOUS), default=0.0)
    for k, (want, have, level) in enumerate(zip(expected, got, levels, strict=True)):
        have, want = np.asarray(have), np.asarray(want)
        assert have.dtype == want.dtype and have.shape == want.shape, (
            f"result {k}: {have.dtype}{have.shape}, wanted {want.dtype}{want.shape}"
        )
        if want.dtype.kind not in "fc":
            assert np.array_equal(have, want), f"result {k}: {have!r}, wanted {want!r}"
        elif level == EXACT:
            same = (
                _is_same(have, want)
                if want.dtype.kind == "f"
                else _is_same(have.real, want.real) & _is_same(have.imag, want.imag)
            )
            assert np.all(same), f"result {k} (exact): {_differences(same, have, want)}"
        else:
            others = [np.asarray(s[k]) for s in samples]
            if any(x.shape != want.shape for x in others):
                continue
            near, tolerance = _near(want, have, others, coarse * 64 if level == INEXACT else 0.0)
            assert np.all(near), f"result {k}: {_differences(near, have, want)}, tolerance {tolerance[~near][:5]}"


def _is_same(have: Any, want: Any) -> Any:
    return (have == want) & (np.signbit(have) == np.signbit(want)) | (np.isnan(have) & np.isnan(want))


def _differences(same: Any, have: Any, want: Any) -> str:
    return f"{have[~same][:5]!r}, wanted {want[~same][:5]!r} at {np.argwhere(~same)[:5].tolist()}"


def _near(want: Any, have: Any, samples: Sequence[Any], scale: float) -> tuple[Any, Any]:
    """Where `have` is `want` up to 40 times what the samples differ by (anything, where these are finite or not by
    chance), or up to `scale` of its size; and the tolerance."""
    wide = np.result_type(want.dtype, np.float64)
    wanted, got = want.astype(wide), have.astype(wide)
    with np.errstate(all="ignore"):
        tolerance = np.full(want.shape, 4 * np.finfo(want.dtype).smallest_subnormal, np.float64)
        near = (have == want) | (np.isnan(have) & np.isnan(want))
        for x in samples:
            near |= np.isfinite(x) != np.isfinite(want)
            near |= ~np.isfinite(want) & (x != want) & ~(np.isnan(x) & np.isnan(want))
            both = np.isfinite(x) & np.isfinite(want)
            tolerance = np.maximum(tolerance, 40 * np.where(both, np.abs(x.astype(wide) - wanted), 0))
        near |= np.abs(got - wanted) <= tolerance + np.where(np.isfinite(want), np.abs(wanted), 0) * scale
    return near, np.asarray(tolerance)


Scene = tuple[Case, dict[Variable, int]]  # arguments and first values, with how exact the results are


def check(
    case: Case,
    levels: dict[Variable, int],
    modes: Sequence[Any] = (None,),
    turns: int = 2,
    also: Sequence[Scene] = (),
    ways: Sequence[Callable[[], Any]] = (),
) -> None:
    """Compare in each mode, call twice or more often, then with the arguments of other cases of the function and with
    the first ones again, and compare with the oracles.  Before each call one of the `ways` is called, in turn: they
    choose the number of threads, or their order on the simulator.  What is raised carries the program as a note."""
    try:
        _check([(case, levels), *also], modes, turns, ways or [lambda: None])
    except Exception as error:
        error.add_note(describe(case, levels))
        raise


def _check(scenes: Sequence[Scene], modes: Sequence[Any], turns: int, ways: Sequence[Callable[[], Any]]) -> None:
    case = scenes[0][0]
    case.first = [s.get_value() for s in case.shared]
    calls = [_expected(*scene) for scene in scenes]
    try:
        for mode in modes:
            f = tensordsl.function(case.inputs, case.outputs, updates=case.updates, on_unused_input="ignore", mode=mode)
            runs: list[list[Any]] = [[] for _ in scenes]
            order = [*range(len(scenes)), *range(len(scenes) - 1)]
            for turn, k in enumerate(k for k in order for _ in range(turns)):
                ways[turn % len(ways)]()
                try:
                    runs[k].append(_turn(f, scenes[k][0], *calls[k]))
                except AssertionError as error:
                    raise AssertionError(f"mode {mode}, arguments {k}: {error}") from None
            for k, run in enumerate(runs):
                assert all(x == run[0] for x in run), f"mode {mode}, arguments {k}: a later call gives something else"
    finally:
        _set(case, case.first)


def _expected(case: Case, levels: dict[Variable, int]) -> tuple[list[int], list[Any], list[list[Any]]]:
    """Levels and values of the results, and what rounding may make of them."""
    _set(case, case.first)
    expected, values = reference(case)
    samples = [s for s in (perturbed(case, values, seed) for seed in range(3)) if s]
    return [levels.get(v, EXACT) for v in case.results], expected, samples


def _set(case: Case, values: Sequence[Any]) -> None:
    for s, value in zip(case.shared, values, strict=True):
        s.set_value(value)


def _turn(f: Any, case: Case, levels: Sequence[int], expected: Sequence[Any], samples: Sequence[Any]) -> list[bytes]:
    """The bytes of the results of a call, which are compared."""
    _set(case, case.first)
    got = call(case, f, case.first)
    compare(case, levels, expected, got, samples)
    return [_bits(np.array(x)) for x in got]


def _bits(x: np.ndarray[Any, Any]) -> bytes:
    """Its bytes; but which nan it is, of those that an operation gets, depends on the order of its operands."""
    parts = x.reshape(-1).view(x.real.dtype) if x.dtype.kind == "c" else x.reshape(-1)
    if parts.dtype.kind == "f":
        parts[np.isnan(parts)] = np.nan
    return parts.tobytes()


def call(case: Case, f: Any, first: Sequence[Any]) -> list[Any]:
    """The outputs and new shared values; AssertionError if anything else was changed."""
    before = [a.tobytes() for a in case.arguments]
    got = [*f(*case.arguments), *(s.get_value() for s, _ in case.updates)]
    assert all(a.tobytes() == b for a, b in zip(case.arguments, before, strict=True)), "an argument was changed"
    stored = [s.get_value(borrow=True) for s in case.shared]
    for k, x in enumerate(got):
        others = [*got[:k], *case.arguments, *stored]
        assert not any(np.may_share_memory(x, y) for y in others), f"result {k} shares memory"
    changed = {s for s, _ in case.updates}
    for s, value in zip(case.shared, first, strict=True):
        if s not in changed:
            assert s.get_value().tobytes() == value.tobytes(), f"{s} was changed"
    return got
