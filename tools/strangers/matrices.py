"""Random programs with matrices, factorisations and draws, judged by NumPy and SciPy.

Contract: the driver's: `draw(seed)` gives a program, `check(program)` says what differs ("" if nothing does),
`smaller(program)` gives programs with less in them, `source(program)` a text that runs by itself.
What is drawn is how results are read and combined: one matrix factorised by several routes, products in any
association, parts of results, gradients, loops, draws, views as arguments, empty, singular and infinite operands.
How far a result may be off is measured: the judge runs again with noise of one rounding behind each step, and a
result whose own noise is as large as itself is not judged.
"""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from tools.strangers import driver
from tools.strangers.matrix_rows import COSTS, DRAWS, NAMES, READS, ROWS, SELECTING_READS, Row, helpers_text

MAX_MAGNITUDE = 1e4
ROUNDS = 3  # of loops without a sequence
MAX_SIDE = 300  # of matrices; kron makes long ones


@dataclass(frozen=True)
class Type:
    kind: str  # "S", "V", "M", or "E": a matrix of columns that are determined up to their signs
    dims: tuple[str, ...]
    batch: str = ""  # the length of the axis in front

    @property
    def key(self) -> str:
        return ("b" if self.batch else "") + self.kind


@dataclass(frozen=True)
class Input:
    name: str
    type: Type
    dtype: str
    data: str  # how its numbers are made
    role: str = "argument"  # "shared", or "draw"
    text: str = ""  # of a draw


@dataclass(frozen=True)
class Loop:
    parameters: tuple[str, ...]
    sequences: int  # that many of the first operands are gone through
    carries: bool  # the operand behind them is the state
    body: tuple[Node, ...]
    result: str


@dataclass(frozen=True)
class Node:
    text: str
    judge: str
    operands: tuple[str, ...]
    results: tuple[str, ...]
    types: tuple[Type, ...]
    label: str = ""
    smooth: bool = True
    selects: bool = False
    loop: Loop | None = None


@dataclass(frozen=True)
class Derivative:
    kind: str  # "grad", "second", "rop", "jacobian"
    target: str
    cost: str  # a text with {0}
    wrt: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    sizes: tuple[tuple[str, int], ...]
    seed: int
    layouts: tuple[str, ...] = ()  # by the position of the input; in order of C where nothing is said
    damage: tuple[tuple[str, str], ...] = ()  # (input, what was done to its numbers)


@dataclass(frozen=True)
class Program:
    seed: int
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    reads: tuple[tuple[str, str], ...]  # (name, a text with {0})
    derivatives: tuple[Derivative, ...]
    updates: tuple[tuple[str, str], ...]  # (shared input, name)
    calls: tuple[Call, ...]


# ---- text -------------------------------------------------------------------------------------------------------------


def symbolic(text: str) -> str:
    return re.sub(r"\bX\.", "T.", re.sub(r"\bLA\.", "linalg.", text))


def numeric(text: str) -> str:
    text = re.sub(r"\bX\.", "np.", re.sub(r"\bLA\.", "np.linalg.", text))
    return re.sub(r"np\.linalg\.(svd|pinv|lstsq)\(", r"of_finite(np.linalg.\1, ", text)


def fill(text: str, operands: tuple[str, ...], results: tuple[str, ...] = ()) -> str:
    for k, name in enumerate(results):
        text = text.replace(f"{{r{k}}}", name)
    for k, name in enumerate(operands):
        text = text.replace(f"{{{k}}}", name)
    return text


SPECTRAL = re.compile(r"eig|svd|norm\(|cond\(")


def statement(node: Node, judge: bool, noise: bool = False) -> list[str]:
    """The lines of one step; `noise` lets the judge pass each operand through `noisy.use`, each result through `noisy`."""
    if node.loop is not None:
        return loop_lines(node, node.loop, judge, noise)
    text = numeric(node.judge or node.text) if judge else symbolic(node.text)
    if "{r0}" not in text:
        text = "{r0} = " + text
    operands = tuple(f"noisy.use({name})" for name in node.operands) if noise else node.operands
    lines = [fill(text, operands, node.results)]
    if noise and SPECTRAL.search(text):
        lines.append(f"noisy.spectrum({node.operands[0]})")
    if noise:
        lines += [f"{name} = noisy({name})" for name in node.results]
    return lines


def loop_lines(node: Node, body: Loop, judge: bool, noise: bool) -> list[str]:
    name = node.results[0]
    lines = [f"def step_{name}({', '.join(body.parameters)}):"]
    lines += ["    " + line for inner in body.body for line in statement(inner, judge, noise)]
    lines.append(f"    return {body.result}")
    sequences = ", ".join(node.operands[: body.sequences])
    state = node.operands[body.sequences] if body.carries else "None"
    others = ", ".join(node.operands[body.sequences + body.carries :])
    if judge:
        lines.append(f"{name} = loop(step_{name}, [{sequences}], {state}, [{others}], {ROUNDS})")
        return lines
    rounds = "" if body.sequences else f", n_steps={ROUNDS}"
    lines.append(
        f"{name}, _ = tensordsl.scan(step_{name}, sequences=[{sequences}], outputs_info=[{state}],"
        f" non_sequences=[{others}]{rounds})"
    )
    return lines


ARGMAX = "np.argmax"


def judge_text(program: Program, noise: bool) -> str:
    """The function `judge(name=array, ...)` -> (reads, targets of derivatives, updates).

    With `noise`, an index of the largest number is the numbers, for `compare_index`.
    """
    names = [i.name for i in program.inputs]
    lines = [f"def judge({', '.join(names)}):"]
    if noise:
        lines += [f"    {name} = noisy({name})" for name in names]
    for k, node in enumerate(program.nodes):
        if noise:
            lines.append(f"    noisy.step = {k}")
        lines += ["    " + line for line in statement(node, True, noise)]
    if noise:
        lines.append(f"    noisy.step = {len(program.nodes)}")
    reads = [numeric(fill(how, (name,))) for name, how in program.reads]
    if noise:
        reads = [read.replace(ARGMAX, "argmax_of") if read.startswith(ARGMAX) else read for read in reads]
    targets = [numeric(fill(d.cost, (d.target,))) for d in program.derivatives]
    news = [name for _, name in program.updates]
    lines.append(f"    return [{', '.join(reads)}], [{', '.join(targets)}], [{', '.join(news)}]")
    return "\n".join(lines)


CONSTRUCTORS = {"S": "scalar", "V": "vector", "M": "matrix", "bS": "vector", "bV": "matrix", "bM": "tensor3"}
LETTERS = {"float32": "f", "float64": "d", "complex128": "z", "complex64": "c"}


def constructor(i: Input, name: str) -> str:
    return f'T.{LETTERS[i.dtype]}{CONSTRUCTORS[i.type.key]}("{name}")'


def directions(program: Program) -> list[Input]:
    """The inputs of which second derivatives and Rop take a direction."""
    wanted = {name for d in program.derivatives if d.kind in ("second", "rop") for name in d.wrt}
    return [i for i in program.inputs if i.name in wanted]


def build_text(program: Program, outputs: bool = True) -> list[str]:
    """Lines that define the function `f` and, for each draw, `draw_NAME`."""
    lines = []
    if any(i.role == "draw" for i in program.inputs):
        lines.append(f"streams = T.shared_randomstreams.RandomStreams(seed={program.seed % 1000 + 1})")
    for i in program.inputs:
        if i.role == "argument":
            lines.append(f"{i.name} = {constructor(i, i.name)}")
        elif i.role == "shared":
            shape = (0,) * (len(i.type.dims) + bool(i.type.batch))
            lines.append(f'{i.name} = tensordsl.shared(np.zeros({shape}, "{i.dtype}"), name="{i.name}")')
        else:
            lines.append(f"{i.name} = {symbolic(i.text)}")
    lines += [f"d_{i.name} = {constructor(i, 'd_' + i.name)}" for i in directions(program)]
    for node in program.nodes:
        lines += statement(node, False)
    results = [symbolic(fill(how, (name,))) for name, how in program.reads]
    for k, d in enumerate(program.derivatives):
        cost = symbolic(fill(d.cost, (d.target,)))
        wrt = ", ".join(d.wrt)
        if d.kind == "grad":
            lines.append(f"grad_{k} = T.grad({cost}, [{wrt}], disconnected_inputs='ignore')")
            results.append(f"*grad_{k}")
        elif d.kind == "second":
            lines.append(
                f"second_{k} = T.grad(T.sum(T.grad({cost}, {wrt}, disconnected_inputs='ignore') * d_{wrt}), {wrt}, disconnected_inputs='ignore')"
            )
            results.append(f"second_{k}")
        elif d.kind == "rop":
            lines.append(f"rop_{k} = tensordsl.Rop({cost}, {wrt}, d_{wrt}, disconnected_outputs='ignore')")
            results.append(f"rop_{k}")
        else:
            lines.append(
                f"jacobian_{k} = tensordsl.gradient.jacobian(({cost}).reshape((-1,)), {wrt}, disconnected_inputs='ignore')"
            )
            results.append(f"jacobian_{k}")
    arguments = [i.name for i in program.inputs if i.role == "argument"] + [f"d_{i.name}" for i in directions(program)]
    listed = ", ".join(arguments)
    pure = ", no_default_updates=True" if has_draws(program) and program.derivatives else ""
    updates = ", ".join(f"({shared}, {name})" for shared, name in program.updates)
    if updates:
        pure += f", updates=[{updates}]"
    lines.append(f'f = tensordsl.function([{listed}], [{", ".join(results)}], on_unused_input="ignore"{pure})')
    return lines


def draw_lines(program: Program, name: str) -> list[str]:
    """Lines that compile one draw by itself, of streams with the same seed: `peek` leaves the streams where they are."""
    lines = [line for line in build_text(program) if " = streams." in line or line.startswith("streams = ")]
    alone = [f"{i.name} = {constructor(i, i.name)}" for i in program.inputs if i.role == "argument"]
    listed = ", ".join(i.name for i in program.inputs if i.role == "argument")
    pure = ", no_default_updates=True" if program.derivatives else ""
    return [
        *alone,
        *lines,
        f'advance = tensordsl.function([{listed}], {name}, on_unused_input="ignore"{pure})',
        f'peek = tensordsl.function([{listed}], {name}, on_unused_input="ignore", no_default_updates=True)',
    ]


def has_draws(program: Program) -> bool:
    return any(i.role == "draw" for i in program.inputs)


# ---- numbers ----------------------------------------------------------------------------------------------------------


def length(dim: str, sizes: dict[str, int]) -> int:
    return int(dim) if dim.isdigit() else sizes[dim] if dim in sizes else max(0, eval(dim, {"min": min}, dict(sizes)))  # noqa: S307


def shape_of(kind: Type, sizes: dict[str, int]) -> tuple[int, ...]:
    return tuple(length(d, sizes) for d in ((kind.batch,) if kind.batch else ()) + kind.dims)


def numbers(i: Input, sizes: dict[str, int], seed: int, damage: str = "") -> np.ndarray:
    rng = np.random.default_rng([seed, sum(map(ord, i.name)), 7])
    shape = shape_of(i.type, sizes)

    def normal(shape: tuple[int, ...]) -> Any:
        x = rng.normal(size=shape)
        return x + 1j * rng.normal(size=shape) if i.dtype.startswith("c") else x

    x = normal(shape)
    if i.type.kind == "M":
        rows, columns = shape[-2:]
        eye = np.eye(rows, columns)
        x = x / np.sqrt(max(rows, columns, 1))
        if i.data in ("general", "lower", "upper") and rows == columns:
            x = 0.5 * x + eye * np.linspace(1, 2, rows)[:, None]
        if i.data == "spd" or i.data == "skewed":
            x = x @ np.swapaxes(x.conj(), -1, -2) + eye * np.linspace(0.5, 1.5, rows)[:, None]
        if i.data == "skewed":  # positive definite by its lower triangle; something else stands in the other
            x = np.tril(x) + 0.1 * np.triu(normal(shape), 1)
        if i.data == "symmetric":
            x = x + np.swapaxes(x.conj(), -1, -2) + eye * np.linspace(-1, 2, rows)[:, None]
        if i.data == "lower":
            x = np.tril(x)
        if i.data == "upper":
            x = np.triu(x)
        if damage == "zero":
            x = 0 * x
        elif damage == "eye" and rows == columns:
            x = np.broadcast_to(eye, shape) + 0 * x
        elif damage == "zero row" and rows:
            x[..., rows // 2, :] = 0
            if rows == columns:
                x[..., :, rows // 2] = 0
        elif damage == "negative":
            x = -x
        elif damage == "huge":
            x = x * 1e3
    elif i.data == "positive":
        x = 0.5 + abs(x)
    if damage in ("nan", "inf") and x.size:
        x.flat[rng.integers(x.size)] = np.nan if damage == "nan" else np.inf
    return np.array(x, i.dtype)


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers in memory of another form."""
    if layout == "fortran" and x.ndim:
        return np.asfortranarray(x)
    if layout == "transposed" and x.ndim > 1:
        return np.ascontiguousarray(np.swapaxes(x, -1, -2)).swapaxes(-1, -2)
    if layout == "strided" and x.ndim:
        big = np.full([2 * n + 1 for n in x.shape], np.pi, x.dtype)
        view = big[tuple(slice(1, 2 * n + 1, 2) for n in x.shape)]
        view[...] = x
        return view
    if layout == "reversed" and x.ndim:
        turned = (slice(None, None, -1),) * x.ndim
        return np.ascontiguousarray(x[turned])[turned]
    if layout == "read-only":
        x = x.copy()
        x.flags.writeable = False
    return x


ILL_EIGENVECTORS = 1e6  # the condition of a matrix of eigenvectors, by which a gradient is divided twice


class Noise:
    """What the judge passes its values through: nothing (0), noise of some roundings (1, 2), or a visible shift (3).

    4 and 5 are as 1 and 2, and each use of a value has its own noise: `solve(a, a)` of a singular matrix is exact else.
    """

    def __init__(self, kind: int, seed: int) -> None:
        self.kind, self.rng = kind, np.random.default_rng(seed)
        self.step = 0  # which step of the program is running
        self.infinite: set[int] = set()  # steps with a result that is not finite
        self.kinks: set[int] = set()  # steps with a result that is 0 throughout, or with values that coincide
        self.seeks_singular = False  # whether operands are looked at, which takes time
        self.is_singular = False  # whether an operand was singular but for rounding, or had such eigenvectors

    def __call__(self, x: Any) -> Any:
        x = np.asarray(x)
        if x.dtype.kind in "fc":
            if not np.isfinite(x).all():
                self.infinite.add(self.step)
            if not x.any():
                self.kinks.add(self.step)
        return self.moved(x)

    def spectrum(self, x: Any) -> None:
        """Note whether eigenvalues or singular values of x coincide."""
        if self.kind or x.ndim != 2 or not x.size or not np.isfinite(x).all():
            return
        found = [np.linalg.svd(x, compute_uv=False)] + [np.linalg.eigvals(x)] * (x.shape[-1] == x.shape[-2])
        if self.seeks_singular and x.shape[-1] == x.shape[-2]:
            self.is_singular |= bool(np.linalg.cond(np.linalg.eig(x)[1]) > ILL_EIGENVECTORS)
        for values in found:
            distance = abs(values[:, None] - values[None, :]) + np.diag(np.full(len(values), np.inf))
            if (distance < 1e-8 * abs(values).max()).any():
                self.kinks.add(self.step)

    def use(self, x: Any) -> Any:
        if self.seeks_singular and x.ndim > 1 and x.shape[-1] == x.shape[-2] and x.size and np.isfinite(x).all():
            sizes = np.linalg.svd(x, compute_uv=False)
            self.is_singular |= bool((sizes[..., -1] <= 100 * np.finfo(x.dtype).eps * sizes[..., 0]).any())
        return self.moved(x) if self.kind in (4, 5) else x

    def moved(self, x: Any) -> Any:
        if self.kind == 0 or x.dtype.kind not in "fc" or not x.size:
            return x
        eps = np.finfo(x.dtype).eps
        u = self.rng.uniform(-1, 1, x.shape)
        if self.kind == 3:
            return x + 1e-6 * u
        if self.kind in (1, 4):
            return (x * (1 + 4 * eps * u)).astype(x.dtype)
        finite = abs(x[np.isfinite(x)])
        return (x + 2 * eps * u * (finite.max() if finite.size else 0) * (x != 0)).astype(x.dtype)


FIRST_RUNS = (0, 1, 1, 2)
MORE_RUNS = (1, 2, 4, 5) * 5  # before something is called wrong


def judged(program: Program, values: list[np.ndarray], noise: Noise, code: Any = None) -> Any:
    """The judge's (reads, targets, updates), or the exception, with the position of its step."""
    space = {**NAMES, "noisy": noise, "argmax_of": argmax_of}
    exec(code or compile(judge_text(program, True), "judge", "exec"), space)  # noqa: S102
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return space["judge"](*values)
        except Exception as error:  # what NumPy raises is a part of what it says
            error.step = noise.step  # type: ignore[attr-defined]
            return error


# ---- drawing ----------------------------------------------------------------------------------------------------------

TYPE = re.compile(r"([b*]?)([MVSE])((?:[a-dK]|\([^ ]*?\)(?=[(a-dK]|$))*)")
DIM = re.compile(r"[a-dK]|\((?:[^()]|\([^()]*\))*\)")


def parsed(text: str) -> tuple[str, str, list[str]]:
    match = re.fullmatch(r"([b*]?)([MVSE])(.*)", text)
    assert match is not None
    return match[1], match[2], DIM.findall(match[3])


def bind(pattern: str, kind: Type, bound: dict[str, str]) -> dict[str, str] | None:
    prefix, letter, dims = parsed(pattern)
    if kind.kind != letter or len(dims) != len(kind.dims):
        return None
    if prefix == "b" and not kind.batch or not prefix and kind.batch:
        return None
    bound = dict(bound)
    if prefix and bound.setdefault("*", kind.batch) != kind.batch:
        return None
    for d, have in zip(dims, kind.dims, strict=True):
        if bound.setdefault(d, have) != have:
            return None
    return bound


def result_type(pattern: str, bound: dict[str, str]) -> Type:
    prefix, letter, dims = parsed(pattern)
    if "K" not in bound and "a" in bound and "b" in bound:
        a, b = bound["a"], bound["b"]
        bound["K"] = a if a == b else f"min({a}, {b})"
    names = [bound[d] if d in bound else re.sub(r"\b[a-d]\b", lambda m: f"({bound[m[0]]})", d) for d in dims]
    batch = bound.get("*", "2") if prefix else ""
    return Type(letter, tuple(names), batch)


class Draw:
    """One program while it is drawn: its values so far, with NumPy's numbers for them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        family = self.rng.choices(["float64", "float32", "complex128", "mixed"], [68, 14, 12, 6])[0]
        self.dtypes = ["float64", "float32"] if family == "mixed" else [family]
        self.real = family != "complex128"
        self.sizes = {"n": 3, "m": self.rng.choice([2, 4]), "B": 2}
        self.inputs: list[Input] = []
        self.types: dict[str, Type] = {}
        self.values: dict[str, Any] = {}
        self.nodes: list[Node] = []
        self.focus = ""
        self.count = 0

    def name(self) -> str:
        self.count += 1
        return f"x{self.count}"

    def add_input(self, kind: Type, data: str, role: str = "argument", text: str = "") -> None:
        dtype = self.rng.choice(self.dtypes)
        if role == "draw":
            dtype = "float64"
        i = Input(self.name(), kind, dtype, data, role, text)
        self.inputs.append(i)
        self.types[i.name] = kind
        self.values[i.name] = numbers(i, self.sizes, self.seed)

    def program(self) -> Program:
        rng = self.rng
        square = Type("M", ("n", "n"))
        choices = [
            (square, "spd", 4), (square, "general", 4), (square, "symmetric", 1), (square, "lower", 1), (square, "upper", 0.5),
            (square, "skewed", 0.7), (Type("M", ("n", "m")), "general", 2), (Type("V", ("n",)), "general", 3),
            (Type("V", ("n",)), "positive", 1.5), (Type("S", ()), "positive", 1), (Type("M", ("n", "n"), "B"), "spd", 1.2),
            (Type("M", ("n", "n"), "B"), "general", 1), (Type("M", ("n", "m"), "B"), "general", 0.6), (Type("V", ("m",)), "general", 0.5),
        ]  # fmt: skip
        kind, data = rng.choice(
            [(square, "spd"), (square, "general"), (Type("M", ("n", "m")), "general"), (square, "skewed")]
        )
        self.add_input(kind, data)
        self.focus = "x1"
        for _ in range(rng.randint(0, 3)):
            kind, data, _weight = rng.choices(choices, [c[2] for c in choices])[0]
            self.add_input(kind, data, "shared" if rng.random() < 0.12 else "argument")
        if self.real and rng.random() < 0.15:
            for _ in range(rng.randint(1, 2)):
                letter = rng.choice("MMVS")
                dims = {"M": self.types["x1"].dims, "V": self.types["x1"].dims[:1], "S": ()}[letter]
                data = "positive" if letter == "V" else "general"
                self.add_input(Type(letter, dims), data, "draw", fill(rng.choice(DRAWS[letter]), ("x1",)))
        for _ in range(rng.choice([1, 2, 2, 3, 3, 4, 5, 6, 8])):
            self.add_node()
        return self.finish()

    def candidates(self, pattern: str, bound: dict[str, str], names: list[str]) -> list[tuple[str, dict[str, str]]]:
        found = [(name, bind(pattern, self.types[name], bound)) for name in names]
        return [(name, b) for name, b in found if b is not None]

    def operands(self, row: Row, names: list[str]) -> tuple[tuple[str, ...], dict[str, str]] | None:
        chosen: list[str] = []
        bound: dict[str, str] = {}
        patterns = list(row.operands)
        if row.of:
            nodes = [n for n in self.nodes if n.label == row.of]
            if not nodes:
                return None
            node = self.rng.choice(nodes)
            for name in node.results:
                b = bind(patterns.pop(0), self.types[name], bound)
                if b is None:
                    return None
                bound = b
                chosen.append(name)
        for pattern in patterns:
            found = self.candidates(pattern, bound, names)
            if not found:
                return None
            likely = [self.focus] * 3 + names[-2:]
            weights = [1.0 + likely.count(name) for name, _ in found]
            name, bound = self.rng.choices(found, weights)[0]
            chosen.append(name)
        return tuple(chosen), bound

    def add_node(self) -> None:
        for _ in range(25):
            if self.rng.random() < 0.05 and self.add_loop():
                return
            row = self.rng.choices(ROWS, [r.weight * (2.5 if r.of else 1) for r in ROWS])[0]
            node = self.step(row, list(self.types))
            if node is not None:
                self.nodes.append(node)
                for name, kind in zip(node.results, node.types, strict=True):
                    self.types[name] = kind
                return

    def step(self, row: Row, names: list[str]) -> Node | None:
        """A step by this row, if NumPy's numbers for it are sound; else None."""
        if row.real and not self.real:
            return None
        found = self.operands(row, names)
        if found is None:
            return None
        chosen, bound = found
        types = tuple(result_type(pattern, bound) for pattern in row.results)
        if any(length(d, self.sizes) > 9 for kind in types for d in kind.dims):
            return None
        results = tuple(self.name() for _ in types)
        node = Node(row.text, row.judge, chosen, results, types, row.label, row.smooth, row.selects)
        return node if self.sound(node) else None

    def sound(self, node: Node) -> bool:
        space = {**NAMES, **self.values}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exec("\n".join(statement(node, True)), space)  # noqa: S102
            except (np.linalg.LinAlgError, ValueError, IndexError):
                return False
        for name, kind in zip(node.results, node.types, strict=True):
            value = np.asarray(space[name])
            assert value.shape == shape_of(kind, self.sizes), (node, value.shape)
            if not np.isfinite(value).all() or abs(value).max() > MAX_MAGNITUDE or np.iscomplexobj(value) and self.real:
                return False
        for name in node.results:
            self.values[name] = np.asarray(space[name])
        return True

    def add_loop(self) -> bool:
        """A scan over the matrices of a batch, or with a matrix or vector as the state, or both."""
        rng = self.rng
        batches = [n for n, kind in self.types.items() if kind.key == "bM"]
        states = [n for n, kind in self.types.items() if kind.key in ("M", "V") and kind.kind != "E"]
        sequences = [rng.choice(batches)] if batches and rng.random() < 0.6 else []
        carries = not sequences or (bool(states) and rng.random() < 0.5)
        if carries and not states:
            return False
        others = [rng.choice(states)] if states and rng.random() < 0.7 else []
        operands = [*sequences, *([rng.choice(states)] if carries else []), *others]
        outer = self.types, self.values, self.nodes, self.focus
        parameters = tuple(f"p{self.count}_{k}" for k in range(len(operands)))
        types, values = {}, {}
        for k, (parameter, name) in enumerate(zip(parameters, operands, strict=True)):
            kind, value = self.types[name], self.values[name]
            types[parameter] = replace(kind, batch="") if k < len(sequences) else kind
            values[parameter] = value[0] if k < len(sequences) else value
        self.types, self.values, self.nodes, self.focus = types, values, [], parameters[0]
        for _ in range(rng.randint(1, 3)):
            for _ in range(10):
                row = rng.choice(ROWS)
                node = self.step(row, list(self.types))
                if node is not None and node.types[0].batch == "" and all(t.kind != "E" for t in node.types):
                    self.nodes.append(node)
                    self.types.update(zip(node.results, node.types, strict=True))
                    break
        body, types, values = tuple(self.nodes), self.types, self.values
        self.types, self.values, self.nodes, self.focus = outer
        state = parameters[len(sequences)] if carries else ""
        ends = [n for node in body for n in node.results if not carries or (types[n] == types[state])]
        ends = [n for n in ends if types[n].kind in "MVS" and not types[n].batch]
        if carries:
            ends = [n for n in ends if values[n].dtype == values[state].dtype]
        if not ends:
            return False
        result = ends[-1]
        if types[result].kind == "V":
            return False
        batch = self.types[sequences[0]].batch if sequences else str(ROUNDS)
        kind = replace(types[result], batch=batch)
        smooth = all(node.smooth for node in body)
        loop = Loop(parameters, len(sequences), carries, body, result)
        for j in reversed(range(len(body))):
            loop = cut_body(loop, j) or loop
        node = Node("", "", tuple(operands), (self.name(),), (kind,), "", smooth, False, loop)
        if not self.sound(node):
            return False
        self.nodes.append(node)
        self.types[node.results[0]] = kind
        return True

    def ancestors(self, target: str) -> tuple[set[str], bool]:
        """Names that a value is made of, and whether all steps between are smooth."""
        reached, smooth = {target}, True
        for node in reversed(self.nodes):
            if reached.intersection(node.results):
                reached.update(node.operands)
                smooth = smooth and node.smooth
        return reached, smooth

    def finish(self) -> Program:
        rng = self.rng
        names = [n for n, kind in self.types.items() if kind.kind != "E"]
        computed = [n for n in names if n not in {i.name for i in self.inputs}] or names
        chosen = rng.choices(computed, k=rng.choice([1, 1, 2, 2, 3, 4])) + (
            [rng.choice(names)] if rng.random() < 0.1 else []
        )
        reads = [(name, self.read(name)) for name in chosen]
        derivatives = []
        if self.real and rng.random() < 0.5:
            derivatives = [
                d for d in (self.derivative(computed) for _ in range(rng.choice([1, 1, 1, 2]))) if d is not None
            ]
        updates = []
        for i in self.inputs:
            same = [n for n in computed if self.types[n] == i.type and self.values[n].dtype == i.dtype]
            if i.role == "shared" and same and rng.random() < 0.7:
                updates.append((i.name, rng.choice(same)))
        program = Program(
            self.seed, tuple(self.inputs), tuple(self.nodes), tuple(reads), tuple(derivatives), tuple(updates), ()
        )
        program = without_unused(program)
        return replace(program, calls=tuple(self.calls(program)))

    def read(self, name: str) -> str:
        for _ in range(20):
            how = self.rng.choice(READS[self.types[name].key])
            try:
                exec(numeric(fill(how, (name,))), {**NAMES, name: self.values[name]})  # noqa: S102
            except (ValueError, IndexError):
                continue
            return how
        return "{0}"

    def derivative(self, names: list[str]) -> Derivative | None:
        rng = self.rng
        target = rng.choice(names)
        reached, smooth = self.ancestors(target)
        wrt = [i.name for i in self.inputs if i.name in reached and i.role != "draw"]
        if not smooth or not wrt or self.types[target].kind == "E":
            return None
        if any(i.role == "draw" and i.name in reached and "x1, 0.5" in i.text for i in self.inputs):
            return None
        kind = rng.choices(["grad", "second", "rop", "jacobian"], [6, 1.5, 1, 1])[0]
        cost = rng.choice(COSTS[self.types[target].key])
        if kind in ("rop", "jacobian"):
            cost = rng.choice(["{0}", "{0} * 2", "X.sin({0})"])
        if kind != "grad":
            wrt = [rng.choice(wrt)]
        return Derivative(kind, target, cost, tuple(wrt))

    def calls(self, program: Program) -> Iterator[Call]:
        rng = self.rng
        base = tuple(self.sizes.items())
        layouts = ["", "", "", "fortran", "transposed", "strided", "reversed", "read-only"]
        yield Call(base, self.seed)
        for _ in range(rng.choice([1, 2, 3])):
            n = rng.choice([0, 1, 1, 2, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 40])
            m = n if rng.random() < 0.2 else rng.choice([0, 1, 2, 3, 5, 8])
            sizes = {"n": n, "m": m, "B": rng.choice([0, 1, 2, 3, 5, 9])}
            while any(length(d, sizes) > MAX_SIDE for kind in self.types.values() for d in kind.dims):
                sizes = {name: size // 2 for name, size in sizes.items()}
            damage = []
            if rng.random() < 0.3:
                i = rng.choice(program.inputs)
                if i.role != "draw":
                    damage = [
                        (i.name, rng.choice(["zero", "zero row", "eye", "eye", "negative", "nan", "inf", "huge"]))
                    ]
            yield Call(
                tuple(sizes.items()),
                rng.randint(0, 10**6),
                tuple(rng.choice(layouts) for _ in program.inputs),
                tuple(damage),
            )


def without_unused(program: Program) -> Program:
    """The program without steps and inputs that nothing reads."""
    used = {name for name, _ in program.reads} | {d.target for d in program.derivatives}
    used |= {n for d in program.derivatives for n in d.wrt} | {n for pair in program.updates for n in pair}
    nodes = []
    for node in reversed(program.nodes):
        if used.intersection(node.results):
            nodes.append(node)
            used.update(node.operands)
    inputs = []
    for i in reversed(program.inputs):
        if i.name in used or i.role == "draw":
            inputs.append(i)
            used.update(re.findall(r"x\d+", i.text))
    return replace(program, nodes=tuple(nodes[::-1]), inputs=tuple(inputs[::-1]))


def draw(seed: int) -> Program:
    return Draw(seed).program()


# ---- judging ----------------------------------------------------------------------------------------------------------


def compiled(lines: list[str]) -> dict[str, Any]:
    import tensordsl
    import tensordsl.tensor as T
    from tensordsl.tensor import linalg

    space: dict[str, Any] = {"tensordsl": tensordsl, "T": T, "linalg": linalg, "np": np}
    exec("\n".join(lines), space)  # noqa: S102
    return space


def first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


COUNTS = {"judged": 0, "undecided": 0, "errors": 0}


def check(program: Program) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            space = compiled(build_text(program))
            alone = [compiled(draw_lines(program, i.name)) for i in program.inputs if i.role == "draw"]
        except Exception as error:
            return f"refused {first_line(error)}"
        code = compile(judge_text(program, True), "judge", "exec")
        firsts: list[Any] = []
        kept: list[tuple[Any, Any]] = []
        for k, call in enumerate(program.calls):
            message, results = check_call(program, call, space, alone, code)
            if message:
                return f"{message} (call {k})"
            firsts.append(results)
            kept.append((results, None if results is None else [np.array(r) for r in results]))
        for k, (results, copies) in enumerate(kept):
            if results is not None and not all(same_bits(a, b) for a, b in zip(results, copies, strict=True)):
                return f"aliasing: a later call changed the results of call {k}"
        if len(program.calls) > 1 and firsts[0] is not None and not has_draws(program):
            again = run(program, program.calls[0], space)[0]
            if isinstance(again, Exception) or not all(same_bits(a, b) for a, b in zip(firsts[0], again, strict=True)):
                return "unsteady: another result of call 0 the second time"
    return ""


def same_bits(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and a.tobytes() == b.tobytes()


def call_values(program: Program, call: Call) -> list[np.ndarray]:
    sizes, damage = dict(call.sizes), dict(call.damage)
    layouts = dict(zip((i.name for i in program.inputs), call.layouts, strict=False))
    return [
        laid_out(numbers(i, sizes, call.seed, damage.get(i.name, "")), layouts.get(i.name, "")) for i in program.inputs
    ]


def call_directions(program: Program, call: Call) -> dict[str, np.ndarray]:
    return {i.name: numbers(replace(i, data="any"), dict(call.sizes), call.seed + 1) for i in directions(program)}


def run(program: Program, call: Call, space: dict[str, Any], noise: Noise | None = None) -> tuple[Any, str]:
    """Our results, or the exception; and what the call has done that it must not."""
    values = call_values(program, call)
    if noise is not None:
        values = [noise.moved(v) for v in values]
    arguments = []
    for i, value in zip(program.inputs, values, strict=True):
        if i.role == "shared":
            space[i.name].set_value(value)
        elif i.role == "argument":
            arguments.append(value)
    arguments += list(call_directions(program, call).values())
    before = [a.tobytes() for a in arguments]
    try:
        results = space["f"](*arguments)
    except Exception as error:
        results = error
    if [a.tobytes() for a in arguments] != before:
        return results, "argument changed: by the call"
    shared = [space[i.name].get_value() for i in program.inputs if i.role == "shared"]
    if isinstance(results, Exception):
        olds = [v for i, v in zip(program.inputs, values, strict=True) if i.role == "shared"]
        if not all(same_bits(a, b) for a, b in zip(shared, olds, strict=True)):
            return results, "shared variable changed: by a call that failed"
        return results, ""
    return [*results, *(space[s].get_value() for s, _ in program.updates)], ""


def check_call(program: Program, call: Call, space: Any, alone: list[Any], code: Any) -> tuple[str, Any]:
    values = call_values(program, call)
    results, wrong = run(program, call, space)
    if wrong:
        return wrong, None
    how = "peek" if isinstance(results, Exception) else "advance"  # a call that fails leaves streams where they were
    draws = iter(alone)
    arguments = [v for i, v in zip(program.inputs, values, strict=True) if i.role == "argument"]
    for k, i in enumerate(program.inputs):
        if i.role == "draw":
            try:
                values[k] = next(draws)[how](*arguments)
            except Exception as error:
                return f"draw alone raises {first_line(error)}", None
    first = Noise(0, 0)
    runs = [judged(program, values, first, code)]
    message = ""
    for kinds in (FIRST_RUNS[1:], MORE_RUNS):
        runs += [judged(program, values, Noise(kind, k), code) for k, kind in enumerate(kinds, len(runs))]
        message = verdict(program, call, results, runs, broken_names(program, values, first))
        if not message:
            break
    if isinstance(results, Exception):
        return message, None
    if not message and not call.damage and not any(isinstance(r, Exception) for r in runs):
        message = compare_derivatives(program, call, values, results, first, space)
    return message, results


def argmax_of(x: np.ndarray) -> np.ndarray:
    """The numbers of which the index is asked; an error where there are none."""
    np.argmax(x)
    return x


def broken_names(program: Program, values: list[np.ndarray], noise: Noise) -> set[str]:
    """Names of values with infinities or nan, and what is made of them."""
    broken = {i.name for i, v in zip(program.inputs, values, strict=True) if not np.isfinite(v).all()}
    return reached_from(program, broken, noise.infinite)


def reached_from(program: Program, names: set[str], steps: set[int]) -> set[str]:
    """These names, the results of these steps, and what is made of them."""
    reached = set(names)
    for k, node in enumerate(program.nodes):
        if k in steps or reached.intersection(node.operands):
            reached.update(node.results)
    return reached


def verdict(program: Program, call: Call, results: Any, runs: list[Any], broken: set[str]) -> str:
    """What is wrong with results, or with an exception, in the light of the judge's runs; "" if nothing is."""
    if isinstance(results, Exception):
        return judge_error(program, call, results, runs, broken)
    if isinstance(runs[0], Exception):
        return judge_no_error(program, call, runs, broken)
    if any(isinstance(r, Exception) for r in runs):
        COUNTS["undecided"] += 1
        return ""
    return compare_reads(program, call, results, runs, broken)


def judge_error(program: Program, call: Call, error: Exception, runs: list[Any], broken: set[str]) -> str:
    COUNTS["errors"] += 1
    raised = [r for r in runs if isinstance(r, Exception)]
    linear = isinstance(error, np.linalg.LinAlgError)
    if not raised:
        if linear and (broken or is_singular(program, call)):
            return ""
        if linear and program.derivatives:  # a value may be sound where its derivative is none
            values_alone = without_unused(replace(program, derivatives=()))
            if not values_alone.reads or not isinstance(
                run(values_alone, call, compiled(build_text(values_alone)))[0], Exception
            ):
                return ""
        return f"raises {first_line(error)}"
    if isinstance(runs[0], np.linalg.LinAlgError) and not linear and judge_no_error(program, call, runs, broken):
        rest = judged(without_step(program, runs[0].step), call_values(program, call), Noise(0, 0))
        if not isinstance(rest, type(error)):  # of two errors either may come first
            return f"raises another {first_line(error)}, NumPy {first_line(runs[0])}"
    return ""


def is_singular(program: Program, call: Call) -> bool:
    """Whether a step has an operand that is singular but for rounding, which decides then whether a pivot is 0."""
    watch = Noise(0, 0)
    watch.seeks_singular = True
    judged(program, call_values(program, call), watch)
    return watch.is_singular


def without_step(program: Program, step: int) -> Program:
    """The program without this step and what is made of it, with the same inputs."""
    gone = reached_from(program, set(), {step})
    return replace(
        program,
        nodes=tuple(n for n in program.nodes if not gone.intersection(n.results)),
        reads=tuple(r for r in program.reads if r[0] not in gone),
        derivatives=tuple(d for d in program.derivatives if d.target not in gone),
        updates=tuple(u for u in program.updates if u[1] not in gone),
    )


def judge_no_error(program: Program, call: Call, runs: list[Any], broken: set[str]) -> str:
    """NumPy raises, and we don't: right only where nothing reads what NumPy could not compute."""
    no_columns = dict(call.sizes).get("m") == 0  # nothing is solved for, so nothing fails
    if broken or no_columns or not all(isinstance(r, np.linalg.LinAlgError) for r in runs):
        COUNTS["undecided"] += 1
        return ""
    step = runs[0].step
    if step >= len(program.nodes):
        return ""
    if is_documented(program, step):
        return ""
    reached = set(program.nodes[step].results)
    for node in program.nodes[step + 1 :]:
        if reached.intersection(node.operands) and not node.selects and node.loop is None:
            reached.update(node.results)
    read = [n for n, how in program.reads if not any(s in how for s in SELECTING_READS)] + [
        n for _, n in program.updates
    ]
    return f"no error: NumPy raises {first_line(runs[0])}" if reached.intersection(read) else ""


def is_documented(program: Program, step: int) -> bool:
    """Whether the step is an inverse that something solves for: docs/linear-algebra.md says that it raises nothing."""
    loop = program.nodes[step].loop
    texts = [" ".join(inner.text for inner in loop.body) if loop else program.nodes[step].text] + [
        node.text for node in program.nodes[step + 1 :] if set(program.nodes[step].results) & set(node.operands)
    ]
    inverses = ("inv(", "matrix_inverse(", "matrix_power(")
    return any(i in texts[0] for i in inverses) and (
        any(i in text or "solve(" in text or "det(" in text for i in inverses for text in texts[1:])
        or texts[0].count("inv(") > 1
        or ("solve(" in texts[0] and "inv(" in texts[0])
        or ("det(" in texts[0] and "inv(" in texts[0])
    )


def eps_of(x: np.ndarray) -> float:
    return float(np.finfo(x.dtype).eps) if x.dtype.kind in "fc" else 0.0


def compare_reads(program: Program, call: Call, results: list[Any], runs: list[Any], broken: set[str]) -> str:
    count = len(program.reads)
    ours = list(results[:count]) + list(results[len(results) - len(program.updates) :] if program.updates else [])
    names = [name for name, _ in program.reads] + [name for _, name in program.updates]
    labels = [fill(how, (name,)) for name, how in program.reads] + [f"update of {s}" for s, _ in program.updates]
    several = [[*r[0], *r[2]] for r in runs]
    worst = max([np.finfo(i.dtype).eps for i in program.inputs if i.role != "draw"] or [0.0])
    for k, (label, got) in enumerate(zip(labels, ours, strict=True)):
        got = np.asarray(got)
        if names[k] in broken and got.dtype.kind in "fc":
            several_k = [np.where(np.isfinite(got), r[k], np.nan) for r in several if np.shape(r[k]) == got.shape]
        else:
            several_k = [np.asarray(r[k]) for r in several]
        judge = compare_index if numeric(label).startswith(ARGMAX) else compare
        message = judge(got, several_k, float(worst), dict(call.sizes)) if len(several_k) == len(several) else ""
        if message:
            return f"{message} in {numeric(label)}"
    return ""


def compare(got: np.ndarray, wanted: list[np.ndarray], worst: float, sizes: dict[str, int]) -> str:
    base = wanted[0]
    if got.shape != base.shape:
        return f"wrong shape: {got.shape}, NumPy {base.shape}"
    if base.dtype.kind in "fc" and got.dtype != base.dtype:
        return f"wrong dtype: {got.dtype}, NumPy {base.dtype}"
    if any(w.shape != base.shape for w in wanted):
        return ""
    if base.dtype.kind not in "fc":
        if all(np.array_equal(w, base) for w in wanted) and not np.array_equal(got, base):
            return f"wrong value: {got.ravel()[:4]}, NumPy {base.ravel()[:4]}"
        return ""
    finite = np.all([np.isfinite(w) for w in wanted], axis=0)
    tolerance = tolerance_of([w[finite] for w in wanted], worst, sizes)
    if tolerance is None:
        COUNTS["undecided"] += 1
        return ""
    COUNTS["judged"] += 1
    b = base[finite]
    with np.errstate(all="ignore"):
        away = abs(got[finite] - b)
    if np.isfinite(away).all() and (away <= tolerance).all():
        return ""
    at = int(np.argmax(np.where(np.isfinite(away), away, np.inf)))
    return f"wrong value: {got[finite][at]} for {b[at]} (tolerance {tolerance:.1e})"


def compare_index(got: np.ndarray, wanted: list[np.ndarray], worst: float, sizes: dict[str, int]) -> str:
    """An index of the largest of a few numbers: where others are as large but for noise, each of them will do."""
    base = wanted[0]
    if got.shape or got.dtype != np.int64 or not 0 <= got < len(base):
        return f"wrong index: {got!r} of {len(base)}"
    tolerance = tolerance_of(wanted, worst, sizes) if all(np.isfinite(w).all() for w in wanted) else None
    if tolerance is None:
        COUNTS["undecided"] += 1
        return ""
    COUNTS["judged"] += 1
    numbers = base.real  # complex numbers are ordered by these first
    if numbers[got] >= numbers.max() - 2 * tolerance:
        return ""
    return f"wrong index: {got}, NumPy {np.argmax(base)} of {base}"


def tolerance_of(wanted: list[np.ndarray], worst: float, sizes: dict[str, int]) -> float | None:
    """How far finite numbers may be off by what reruns with noise gave; None if they are as noisy as large."""
    base = wanted[0]
    if not base.size:
        return None
    with np.errstate(all="ignore"):
        scale = abs(base).max()
        noise = max(abs(w - base).max() for w in wanted[1:])
        tolerance = (
            64 * max(1, max(sizes.values()) / 4) * noise
            + 64 * (4 + max(sizes.values())) * max(eps_of(base), worst) * scale
        )
        loose = tolerance > (0.1 if worst > 1e-10 else 1e-3) * scale
    return None if loose and scale else float(tolerance)


def compare_derivatives(
    program: Program, call: Call, values: list[np.ndarray], results: list[Any], first: Noise, space: dict[str, Any]
) -> str:
    """Derivatives against differences, but where the value is infinite, or nan stands for a kink (a norm of zeros, equal
    eigenvalues), and where the derivative of something ill conditioned moves as far when inputs move by a rounding."""
    infinite, kinks = (reached_from(program, set(), steps) for steps in (first.infinite, first.kinks))
    position = len(program.reads)
    wide = [v.astype("complex128" if v.dtype.kind == "c" else "float64") for v in values]
    single = any(i.dtype == "float32" for i in program.inputs)
    names = [i.name for i in program.inputs]
    given = call_directions(program, call)
    code = compile(judge_text(program, False), "judge", "exec")
    shifted = compile(judge_text(program, True), "judge", "exec")
    for k, d in enumerate(program.derivatives):
        parts = results[position : position + (len(d.wrt) if d.kind == "grad" else 1)]
        position += len(parts)
        deltas = {}
        for name in d.wrt:
            i = program.inputs[names.index(name)]
            deltas[name] = numbers(replace(i, data="any", dtype="float64"), dict(call.sizes), call.seed + 2 + k)
        if d.kind == "rop":
            deltas = {d.wrt[0]: given[d.wrt[0]].astype("float64")}

        def at(*steps: tuple[dict[str, np.ndarray], float], k: int = k, shift: int = 0) -> Any:
            moved = list(wide)
            for delta, h in steps:
                for name, direction in delta.items():
                    moved[names.index(name)] = moved[names.index(name)] + h * direction
            r = judged(program, moved, Noise(shift, k), shifted if shift else code)
            return r if isinstance(r, Exception) else np.asarray(r[1][k])

        def differences(at: Any, d: Derivative = d, deltas: dict[str, np.ndarray] = deltas) -> Any:
            if d.kind == "second":
                return mixed_difference(at, deltas, {d.wrt[0]: given[d.wrt[0]].astype("float64")})
            return difference(at, deltas)

        wanted = differences(at)
        if wanted is None:
            COUNTS["undecided"] += 1
            continue
        value, error = wanted
        arrays = [np.asarray(p) for p in parts]
        for name, p in zip(d.wrt, arrays, strict=True):
            expected = value.shape if d.kind == "rop" else wide[names.index(name)].shape
            if d.kind == "jacobian":
                expected = (value.size, *expected)
            if p.shape != expected:
                return f"wrong shape of {d.kind}: {p.shape} for {expected}"
        with np.errstate(all="ignore"):
            got, size = along(d, arrays, deltas, value)
            if np.isnan(size) or np.isinf(size):
                size = 0.0
            limit = (
                30 * error
                + (2e-2 if single else 1e-5) * (size + abs(value).max(initial=0.0))
                + (1e-3 if single else 3e-6)
            )
            if 30 * error > 0.05 * (size + abs(value).max(initial=0.0)) + 1e-6 or limit == 0:
                COUNTS["undecided"] += 1
                continue
            COUNTS["judged"] += 1
            away = abs(got - value)
        if d.target in infinite or d.target in kinks and np.isnan(away).any():
            COUNTS["undecided"] += 1
            continue
        if not (away <= limit).all():
            moved = differences(partial(at, shift=3))
            if moved is None or abs(moved[0] - value).max() > 1e-2 * (1e-3 + abs(value).max()):
                COUNTS["undecided"] += 1  # a step between has no derivative here
                continue
            if d.kind != "second" and 10 * gap_of_sides(at, deltas) > away.max():
                COUNTS["undecided"] += 1  # equal singular values, which part: there is a derivative to each side
                continue
            if single and abs(value).max() > 1e-3 * np.finfo("float32").max:
                COUNTS["undecided"] += 1  # what it is made of overflows
                continue
            is_ill = single or is_singular(program, call)
            if (
                is_ill
                and (away <= 8 * unsteadiness(program, call, space, d, deltas, value, position - len(parts), got)).all()
            ):
                COUNTS["undecided"] += 1
                continue
            j = int(np.argmax(np.where(np.isnan(away), np.inf, away)))
            return (
                f"wrong {d.kind}: {np.ravel(got)[j]} along a direction,"
                f" differences {np.ravel(value)[j]} (tolerance {limit:.1e}) of {numeric(fill(d.cost, (d.target,)))}"
            )
    return ""


def along(
    d: Derivative, arrays: list[np.ndarray], deltas: dict[str, np.ndarray], value: np.ndarray
) -> tuple[np.ndarray, float]:
    """The derivative along the direction, and how large what it is the sum of is."""
    if d.kind in ("grad", "second"):
        products = [(p * deltas[name]).astype("float64") for name, p in zip(d.wrt, arrays, strict=True)]
        return np.asarray(sum(p.sum() for p in products)), float(sum(abs(p).sum() for p in products))
    size = float(abs(value).max()) if value.size else 0.0
    if d.kind == "rop":
        return arrays[0], size
    return np.tensordot(arrays[0], deltas[d.wrt[0]], deltas[d.wrt[0]].ndim).reshape(value.shape), size


def unsteadiness(
    program: Program, call: Call, space: dict[str, Any], d: Derivative, deltas: dict[str, np.ndarray],
    value: np.ndarray, position: int, got: np.ndarray,
) -> float:  # fmt: skip
    """How much the derivative along the direction changes when the inputs move by roundings, at most.

    A wrong formula is as wrong for all of these.
    """
    most = 0.0
    for k in range(4):
        results = run(program, call, space, Noise(1, k))[0]
        if not isinstance(results, Exception):
            parts = [np.asarray(r) for r in results[position : position + (len(d.wrt) if d.kind == "grad" else 1)]]
            with np.errstate(all="ignore"):
                most = max(most, float(abs(along(d, parts, deltas, value)[0] - got).max(initial=0.0)))
    return most


def difference(at: Any, delta: dict[str, np.ndarray]) -> tuple[np.ndarray, float] | None:
    """The derivative along a direction by central differences of two steps, and how far it may be off."""
    estimates = []
    for h in (2e-4, 1e-4, 5e-5):
        up, down = at((delta, h)), at((delta, -h))
        if isinstance(up, Exception) or isinstance(down, Exception) or up.shape != down.shape:
            return None
        estimates.append((up - down) / (2 * h))
    if not all(np.isfinite(e).all() for e in estimates):
        return None
    a, b, c = estimates
    first, second = (4 * b - a) / 3, (4 * c - b) / 3
    return second, float(abs(second - first).max(initial=0.0) + 1e-3 * abs(c - b).max(initial=0.0))


def gap_of_sides(at: Any, delta: dict[str, np.ndarray], h: float = 1e-5) -> float:
    """How far the derivatives along a direction to both of its sides are from each other; 0 where the distance shrinks
    with the step, as a curvature's does."""
    gaps, here = [], at()
    for step in (h, 10 * h):
        up, down = at((delta, step)), at((delta, -step))
        if any(isinstance(f, Exception) for f in (up, here, down)):
            return 0.0
        gaps.append(float(abs((up - here) - (here - down)).max(initial=0.0)) / step)
    return gaps[0] if gaps[0] > gaps[1] / 2 else 0.0


def mixed_difference(
    at: Any, one: dict[str, np.ndarray], two: dict[str, np.ndarray]
) -> tuple[np.ndarray, float] | None:
    estimates = []
    for h in (4e-3, 2e-3, 1e-3):
        corners = [at((one, s * h), (two, t * h)) for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
        if any(isinstance(c, Exception) for c in corners):
            return None
        estimates.append((corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h * h))
    if not all(np.isfinite(e).all() for e in estimates):
        return None
    a, b, c = estimates
    first, second = (4 * b - a) / 3, (4 * c - b) / 3
    return second, float(abs(second - first).max(initial=0.0) + 1e-3 * abs(c - b).max(initial=0.0))


# ---- shrinking --------------------------------------------------------------------------------------------------------


def smaller(program: Program) -> Iterator[Program]:
    """Programs with less in them, the greatest cuts first."""
    for part in ("calls", "reads", "derivatives", "updates"):
        items = getattr(program, part)
        least = 1 if part == "calls" else 0
        for k in range(len(items)):
            fewer = items[:k] + items[k + 1 :]
            cut = without_unused(replace(program, **{part: fewer}))
            if len(fewer) >= least and (cut.reads or cut.derivatives or cut.updates):
                yield cut
    for k, d in enumerate(program.derivatives):
        others = program.derivatives
        for j in range(len(d.wrt)):
            if len(d.wrt) > 1:
                yield with_derivative(program, k, replace(d, wrt=d.wrt[:j] + d.wrt[j + 1 :]))
        if d.kind != "grad" and d.kind != "second":
            scalar = f"X.sum({d.cost})"
            yield with_derivative(program, k, replace(d, kind="grad", cost=scalar))
        assert others
    types = {i.name: i.type for i in program.inputs}
    for node in program.nodes:
        types.update(zip(node.results, node.types, strict=True))
    for k, node in enumerate(program.nodes):  # a step becomes an input, or one of its operands
        for name, kind in zip(node.results, node.types, strict=True):
            earlier = [o for o in node.operands if types[o] == kind]
            for other in earlier:
                yield renamed(program, k, name, other)
        if len(node.results) == 1 and node.types[0].kind != "E" and all(plain(d) for d in node.types[0].dims):
            for data in ("general", "spd"):
                yield as_input(program, k, data)
        if node.loop is not None and len(node.loop.body) > 1:
            for j in range(len(node.loop.body)):
                shorter = cut_body(node.loop, j)
                if shorter is not None:
                    nodes = list(program.nodes)
                    nodes[k] = replace(node, loop=shorter)
                    yield replace(program, nodes=tuple(nodes))
    for k, (name, how) in enumerate(program.reads):
        if how != "{0}":
            yield with_read(program, k, (name, "{0}"))
    for i in program.inputs:
        if i.role == "shared":
            yield without_unused(with_input(replace(program, updates=()), replace(i, role="argument")))
        if i.role == "draw":
            yield with_input(program, replace(i, role="argument", text="", dtype="float64"))
        if i.dtype != "float64" and i.role != "draw":
            yield with_input(program, replace(i, dtype="float64"))
        if i.data not in ("general", "spd") and i.role != "draw":
            for data in ("spd", "general"):
                yield with_input(program, replace(i, data=data))
    for k, call in enumerate(program.calls):
        if call.layouts and any(call.layouts):
            yield with_call(program, k, replace(call, layouts=()))
            for j, layout in enumerate(call.layouts):
                if layout:
                    yield with_call(program, k, replace(call, layouts=(*call.layouts[:j], "", *call.layouts[j + 1 :])))
        if call.damage:
            yield with_call(program, k, replace(call, damage=()))
        for j, (dim, size) in enumerate(call.sizes):
            for less in sorted({2, size // 2, size - 1}):
                if 0 < less < size:
                    yield with_call(
                        program, k, replace(call, sizes=(*call.sizes[:j], (dim, less), *call.sizes[j + 1 :]))
                    )


def plain(dim: str) -> bool:
    return dim in ("n", "m", "B")


def with_derivative(program: Program, k: int, d: Derivative) -> Program:
    return replace(program, derivatives=(*program.derivatives[:k], d, *program.derivatives[k + 1 :]))


def with_read(program: Program, k: int, read: tuple[str, str]) -> Program:
    return replace(program, reads=(*program.reads[:k], read, *program.reads[k + 1 :]))


def with_call(program: Program, k: int, call: Call) -> Program:
    return replace(program, calls=(*program.calls[:k], call, *program.calls[k + 1 :]))


def with_input(program: Program, i: Input) -> Program:
    return replace(program, inputs=tuple(i if other.name == i.name else other for other in program.inputs))


def substituted(program: Program, old: str, new: str) -> Program:
    def swap(name: str) -> str:
        return new if name == old else name

    return replace(
        program,
        nodes=tuple(replace(n, operands=tuple(map(swap, n.operands))) for n in program.nodes),
        reads=tuple((swap(n), how) for n, how in program.reads),
        derivatives=tuple(replace(d, target=swap(d.target)) for d in program.derivatives),
        updates=tuple((s, swap(n)) for s, n in program.updates),
    )


def renamed(program: Program, k: int, old: str, new: str) -> Program:
    """The program that reads `new` wherever it read `old`, a result of step k."""
    return without_unused(substituted(program, old, new))


def as_input(program: Program, k: int, data: str) -> Program:
    """The program with an input in the place of step k."""
    node = program.nodes[k]
    dtypes = [i.dtype for i in program.inputs if i.role != "draw"] or ["float64"]
    i = Input(node.results[0], node.types[0], dtypes[0], data)
    derivatives = []
    nodes = program.nodes[:k] + program.nodes[k + 1 :]
    for d in program.derivatives:  # by the new input too, and no more by inputs that the cost doesn't reach
        reached = {d.target}
        for other in reversed(nodes):
            if reached.intersection(other.results):
                reached.update(other.operands)
        wrt = tuple(name for name in (*d.wrt, i.name) if name in reached)
        wrt = wrt if d.kind == "grad" else wrt[-1:]
        if wrt:
            derivatives.append(replace(d, wrt=wrt))
    calls = tuple(replace(c, layouts=()) for c in program.calls)
    cut = replace(program, inputs=(*program.inputs, i), nodes=nodes, derivatives=tuple(derivatives), calls=calls)
    return without_unused(cut)


def cut_body(loop: Loop, j: int) -> Loop | None:
    body = loop.body[:j] + loop.body[j + 1 :]
    have = {*loop.parameters, *(n for node in body for n in node.results)}
    if loop.result not in have or any(o not in have for node in body for o in node.operands):
        return None
    return replace(loop, body=body)


def source(program: Program) -> str:
    """The program as text that runs by itself and prints both results."""
    judge = judge_text(program, False)
    lines = [
        "import numpy as np",
        "import scipy.linalg as sl",
        "import scipy.special as special",
        "import scipy.stats as stats",
        "import tensordsl",
        "import tensordsl.tensor as T",
        "from tensordsl.tensor import linalg",
        "",
        *build_text(program),
        "",
        helpers_text(judge),
        "",
        judge,
        "",
    ]
    for i in program.inputs:
        if i.role == "draw":
            lines.append(f"# {i.name} of the judge: the same draw in a function of its own")
    for k, call in enumerate(program.calls):
        layouts = dict(zip((i.name for i in program.inputs), call.layouts, strict=False))
        lines.append(f"# call {k}")
        for i, value in zip(program.inputs, call_values(program, call), strict=True):
            if i.role == "draw":
                continue
            if value.size > 60:
                lines.append(f"# {i.name}: {value.shape}, numbers({i}, {dict(call.sizes)}, {call.seed})")
            name = i.name
            layout = layouts.get(name, "")
            lines.append(
                f'{name} = np.array({value.tolist()!r}, "{i.dtype}").reshape({value.shape})'
                + (f"  # {layout}" if layout else "")
            )
        for name, value in call_directions(program, call).items():
            lines.append(f'd_{name} = np.array({value.tolist()!r}, "{value.dtype}").reshape({value.shape})')
        arguments = [i.name for i in program.inputs if i.role == "argument"] + [
            f"d_{i.name}" for i in directions(program)
        ]
        lines.append("with np.printoptions(precision=17):")
        lines.append(f"    print(f({', '.join(arguments)}))")
        lines.append(f"    print(judge({', '.join(i.name for i in program.inputs)}))")
    return "\n".join(lines).replace("nan", "np.nan").replace(" inf", " np.inf") + "\n"


if __name__ == "__main__":
    driver.main(__spec__.name)
