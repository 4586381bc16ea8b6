"""Draws programs with state: which variables there are, how they are read, combined and written, and in what order.

Each node is tried by NumPy, for several sets of lengths, before it is taken: what fails there is drawn again. So most
programs run through; those whose updates change lengths, and calls with wrong arguments, fail later, as they should.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tools.strangers.state_language import (
    BRANCHES,
    STEPS,
    Action,
    Argument,
    Array,
    Evaluation,
    Function,
    Inexact,
    Input,
    Node,
    Program,
    Shared,
    array_of,
    reachable,
    with_own_operands,
)

DTYPES = {"float64": 45, "float32": 20, "int64": 14, "int32": 6, "int8": 6, "uint8": 3, "bool": 5}
LENGTHS = {0: 5, 1: 8, 2: 12, 3: 20, 4: 20, 5: 14, 6: 7, 7: 5, 8: 4, 9: 2, 17: 3, 40: 2, 130: 1}
LAYOUTS = {
    "C": 50, "F": 7, "reversed": 7, "transposed": 7, "strided": 7, "offset": 5, "unaligned": 3, "stretched": 3,
    "read-only": 7, "big-endian": 2, "end of memory": 12, "start of memory": 5,
}  # fmt: skip
MODES = {None: 90, "FAST_COMPILE": 4, "DebugMode": 2, "FAST_RUN": 4}
LARGEST = 3000  # elements of one value


class Drawer:
    """One program while it is drawn."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.nodes: list[Node] = []
        self.samples: list[dict[int, np.ndarray]] = []  # of each set of lengths: the value of each node
        self.dims: dict[int, tuple[str, ...]] = {}  # of inputs and shared variables
        self.shared: list[Shared] = []
        self.high: dict[int, tuple[int, bool]] = {}  # of inputs: which values
        rng = self.rng
        self.lengths = [
            {name: self.choose(LENGTHS) for name in "nmkp"} for _ in range(rng.choices([1, 2, 3], [4, 4, 2])[0])
        ]
        if rng.random() < 0.3:  # a square
            for lengths in self.lengths:
                lengths["m"] = lengths["n"]
        self.samples = [{} for _ in self.lengths]

    # ---------------------------------------------------------------- choices

    def choose(self, weights: dict[Any, int]) -> Any:
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def flip(self, probability: float) -> bool:
        return self.rng.random() < probability

    def seed(self) -> int:
        return self.rng.randrange(10**6)

    def pick(self, fits: Callable[[int], bool] = lambda node: True) -> int:
        """A node that fits: rather a late one, or a shared variable. Raises IndexError if there is none."""
        those = [position for position in range(len(self.nodes)) if fits(position)]
        if self.flip(0.35) and (states := [p for p in those if self.nodes[p].op == "shared"]):
            return self.rng.choice(states)
        if self.flip(0.5):
            return self.rng.choice(those[-5:])
        return self.rng.choice(those)

    def pick_result(self) -> int:
        """An operation, rather one that no other uses yet."""
        used = {argument for node in self.nodes for argument in node.args}
        those = [p for p, node in enumerate(self.nodes) if node.args]
        free = [p for p in those if p not in used]
        return self.rng.choice(free if free and self.flip(0.7) else those or range(len(self.nodes)))

    def shapes(self, position: int) -> tuple[tuple[int, ...], ...]:
        return tuple(sample[position].shape for sample in self.samples)

    def kind(self, position: int) -> tuple[Any, ...]:
        node = self.nodes[position]
        return node.dtype, node.ndim, node.stretches

    def is_number(self, position: int) -> bool:
        return self.nodes[position].dtype != "bool"

    # ---------------------------------------------------------------- nodes

    def add(self, op: str, args: Sequence[int] = (), params: tuple[Any, ...] = ()) -> int:
        """A node of `op`, tried with every set of lengths. Raises ValueError, IndexError, TypeError if it fails."""
        node = with_own_operands(Node(op, tuple(args), params))
        position = len(self.nodes)
        values = []
        for sample in self.samples:
            evaluation = Evaluation([*self.nodes, node], sample)
            try:
                value = evaluation.computed(position)
            except Inexact as error:
                raise ValueError("inexact") from error
            if evaluation.stretched or value.size > LARGEST or value.dtype == np.float16:
                raise ValueError("stretched or too large")
            values.append(value.astype(value.dtype.newbyteorder("=")))
        if len({(value.dtype, value.ndim) for value in values}) != 1:
            raise ValueError("of several types")
        for sample, value in zip(self.samples, values, strict=True):
            sample[position] = value
        node = dataclasses.replace(node, dtype=str(values[0].dtype), ndim=values[0].ndim)
        self.nodes.append(dataclasses.replace(node, stretches=self.stretches(node)))
        return position

    def stretches(self, node: Node) -> tuple[bool, ...]:
        """The axes that have length 1 by their types."""
        operands = [self.nodes[argument] for argument in node.args]
        none = (False,) * node.ndim
        if node.op in BRANCHES:
            return operands[1 + (node.params[0] if node.params else 0)].stretches
        if node.op in ("set", "inc", "identity", "cast", "neg", "abs", "invert"):
            return operands[0].stretches
        if node.op in ("add", "sub", "mul", "maximum", "minimum", "gt", "le", "eq", "and", "or", "switch", "remainder"):
            padded = [(True,) * (node.ndim - operand.ndim) + operand.stretches for operand in operands]
            return tuple(all(flags) for flags in zip(*padded, strict=True))
        if node.op == "transpose":
            return tuple(operands[0].stretches[axis] for axis in node.params[0])
        if node.op in ("sum", "max", "min", "any", "all") and node.params[1]:
            axis = node.params[0]
            return tuple(axis is None or i == axis % node.ndim or operands[0].stretches[i] for i in range(node.ndim))
        if node.op == "index" and all(item[0] in "sn" for item in node.params[0]):
            result, axes = [], iter(operands[0].stretches)
            for item in node.params[0]:
                result.append(True if item[0] == "n" else next(axes) and item == ("s", None, None, None))
            return tuple(result) + tuple(axes)
        return none

    def leaf(self, op: str, dtype: str, dims: tuple[str, ...], stretches: tuple[bool, ...], **what: Any) -> int:
        position = len(self.nodes)
        self.nodes.append(Node(op, (), (f"x{position}",), dtype, len(dims), stretches))
        self.dims[position] = dims
        self.high[position] = what.get("high", 4), what.get("natural", False)
        for lengths, sample in zip(self.lengths, self.samples, strict=True):
            sample[position] = array_of(self.array(position, lengths, "C"))
        return position

    def array(self, position: int, lengths: dict[str, int], layout: str | None = None) -> Array:
        """New values of an input or shared variable."""
        shape = tuple(1 if dim == "1" else lengths[dim] for dim in self.dims[position])
        high, natural = self.high[position]
        layout = self.choose(LAYOUTS) if layout is None else layout
        return Array(self.nodes[position].dtype, shape, self.seed(), layout, high, natural)

    def const(self, value: Any, dtype: str) -> int:
        position = len(self.nodes)
        array = np.array(value, dtype)
        self.nodes.append(Node("const", (), (array.tolist(),), dtype, array.ndim, (False,) * array.ndim))
        for sample in self.samples:
            sample[position] = array
        return position

    def number(self, dtype: str) -> int:
        return self.const(self.rng.randrange(2) if dtype == "bool" else self.rng.randint(1, 5), dtype)

    def type_of_leaf(self) -> tuple[str, tuple[str, ...]]:
        leaves = [p for p in self.dims if self.nodes[p].op == "shared" or self.nodes[p].op == "input"]
        if leaves and self.flip(0.65):
            other = self.rng.choice(leaves)
            if "1" not in self.dims[other] and self.high[other][0] == 4:
                return self.nodes[other].dtype, self.dims[other]
        ndim = self.rng.choices(range(4), [14, 36, 42, 8])[0]
        return self.choose(DTYPES), tuple(self.rng.choices("nmk", [6, 3, 1], k=ndim))

    def draw_leaves(self) -> None:
        for k in range(self.rng.choices([1, 2, 3, 4, 5, 6], [10, 25, 30, 20, 10, 5])[0]):
            dtype, dims = self.type_of_leaf()
            node = self.leaf("shared", dtype, dims, (False,) * len(dims))
            self.nodes[node] = dataclasses.replace(self.nodes[node], params=(k,))
            borrow = self.flip(0.3)
            self.shared.append(Shared(node, self.array(node, self.lengths[0], None), borrow))
        for _ in range(self.rng.choices([0, 1, 2, 3], [20, 40, 30, 10])[0]):
            dtype, dims = self.type_of_leaf()
            stretches = [False] * len(dims)
            if len(dims) == 2 and self.flip(0.15):
                axis = self.rng.randrange(2)
                stretches[axis] = True
                dims = tuple("1" if i == axis else dim for i, dim in enumerate(dims))
            self.leaf("input", dtype, dims, tuple(stretches))
        for _ in range(self.rng.choices([0, 1, 2], [40, 45, 15])[0]):  # positions
            dims = self.rng.choice([(), (), ("p",)])
            natural = self.flip(0.7)
            high = self.rng.choices([0, 1, 2, 3], [2, 5, 3, 1])[0]
            self.leaf("input", "int64", dims, (False,) * len(dims), high=high, natural=natural)
        if self.flip(0.12):
            dims = self.dims[self.rng.choice([s.node for s in self.shared])]
            self.leaf("input", "bool", dims, (False,) * len(dims))

    # ---------------------------------------------------------------- operations

    def cast(self, position: int, dtype: str) -> int:
        return (
            position
            if self.nodes[position].dtype == dtype
            else self.add("cast", [position], (dtype, self.nodes[position].dtype))
        )

    def condition(self) -> int:
        """A number that chooses a branch."""
        if self.flip(0.3):
            return self.pick(lambda p: self.nodes[p].ndim == 0 and self.nodes[p].op != "const")
        x = self.pick(self.is_number)
        if self.nodes[x].ndim:
            x = self.add("sum", [x], (None, False)) if self.flip(0.6) else self.index(x, only_one=True)
        if self.flip(0.3) and self.nodes[x].dtype in ("int64", "int32"):
            x = self.add("remainder", [x, self.const(2, self.nodes[x].dtype)])
            return self.add("eq", [x, self.const(0, self.nodes[x].dtype)])
        limit = self.const(self.rng.randint(0, 3), self.nodes[x].dtype)
        return self.add(self.rng.choice(["gt", "le"]), [x, limit])

    def mask(self, x: int) -> int:
        """Truths of the shape of x, or along its first axis."""
        if self.flip(0.3):
            return self.pick(lambda p: self.nodes[p].dtype == "bool" and self.nodes[p].ndim in (1, self.nodes[x].ndim))
        y = self.pick(lambda p: self.is_number(p) and self.shapes(p) == self.shapes(x))
        return self.add("gt", [y, self.const(self.rng.randint(-1, 1), "int8")])

    def positions(self) -> int:
        """A vector of positions."""
        if self.flip(0.4):
            return self.const([self.rng.randint(-2, 2) for _ in range(self.rng.randint(1, 4))], "int64")
        if self.flip(0.3):
            x = self.pick(lambda p: self.nodes[p].ndim > 0)
            return self.add("arange", [x], (0,))
        return self.pick(lambda p: self.nodes[p].ndim == 1 and self.nodes[p].dtype in ("int64", "int32"))

    def slice(self, args: list[int]) -> tuple[Any, ...]:
        rng = self.rng
        if rng.random() < 0.3:
            return ("s", None, None, None)
        if rng.random() < 0.25:
            return ("s", None, None, rng.choice([-1, -1, 2, -2, 3, -3]))
        step = rng.choice([None, None, None, None, 1, -1, 2, -2])
        start, stop = rng.choice([None, 0, 1, 1, 2, -1, -2]), rng.choice([None, None, 1, 2, 3, -1, -2])
        if rng.random() < 0.15 and (scalars := self.scalars()):
            args.append(rng.choice(scalars))
            return (
                ("s", ("v", len(args) - 1), stop, step)
                if rng.random() < 0.5
                else ("s", start, ("v", len(args) - 1), step)
            )
        return ("s", start, stop, step)

    def scalars(self) -> list[int]:
        return [
            p for p, n in enumerate(self.nodes) if n.ndim == 0 and n.dtype in ("int64", "int32") and n.op != "const"
        ]

    def spec(self, x: int, first: list[int], only_one: bool = False) -> tuple[list[int], tuple[Any, ...]]:
        """An index of x; `first` are the operands before those of the index."""
        rng, args, ndim = self.rng, list(first), self.nodes[x].ndim
        items: list[tuple[Any, ...]] = []
        if not only_one and self.flip(0.12):
            args.append(self.mask(x))
            return args, (("v", len(args) - 1),)
        advanced = 0 if only_one or not self.flip(0.22) else rng.choices([1, 2], [5, 1])[0]
        axes = ndim if only_one else rng.randint(1, max(ndim, 1))
        for axis in range(min(axes, ndim)):
            if advanced and (self.flip(0.6) or ndim - axis <= advanced):
                args.append(self.positions())
                items.append(("v", len(args) - 1))
                advanced -= 1
            elif only_one or self.flip(0.3):
                if self.flip(0.35) and (scalars := self.scalars()):
                    args.append(rng.choice(scalars))
                    items.append(("v", len(args) - 1))
                else:
                    items.append(("i", rng.choice([0, 0, 1, -1, -1, 2, -2])))
            else:
                items.append(self.slice(args))
        if not only_one and self.flip(0.06):
            items.insert(rng.randint(0, len(items)), ("n",))
        if not only_one and self.flip(0.06):
            items.insert(rng.choice([0, len(items)]), ("e",))
        return args, tuple(items) or (("e",),)

    def index(self, x: int, only_one: bool = False) -> int:
        args, index = self.spec(x, [x], only_one)
        return self.add("index", args, (index,))

    def write(self, x: int) -> int:
        """A set or inc of a part of x."""
        rng, node = self.rng, self.nodes[x]
        args, index = self.spec(x, [x, x])
        part = self.add("index", [x, *args[1:]], (index,))
        choice = rng.random()
        if choice < 0.2:
            y = self.number(node.dtype)
        elif choice < 0.5:  # the same part of x, or of something like x
            other = self.pick(lambda p: self.shapes(p) == self.shapes(x) and self.is_number(p) == self.is_number(x))
            y = self.add("index", [other, *args[1:]], (index,))
            if self.is_number(y) and self.flip(0.6):
                y = self.add(*rng.choice([("neg", [y]), ("add", [y, self.number(self.nodes[y].dtype)]), ("abs", [y])]))
        else:
            y = self.pick(
                lambda p: (
                    self.shapes(p) == self.shapes(part)
                    or (self.nodes[p].ndim == 0 and self.nodes[p].op != "const" and self.nodes[part].ndim > 0)
                )
            )
        if not np.can_cast(self.nodes[y].dtype, node.dtype, "same_kind") or (node.dtype == "bool") != (
            self.nodes[y].dtype == "bool"
        ):
            y = self.cast(y, node.dtype)
        kind = "set" if node.dtype == "bool" or self.flip(0.55) else "inc"
        return self.add(kind, [x, y, *args[2:]], (index,))

    def elementwise(self) -> int:
        rng = self.rng
        x = self.pick()
        same = [p for p in range(len(self.nodes)) if self.shapes(p) == self.shapes(x) and p != x]
        if same and self.flip(0.75):
            y = rng.choice(same)
        elif self.flip(0.4) and self.is_number(x):
            y = self.number(self.nodes[x].dtype)
        else:
            y = self.pick(lambda p: self.nodes[p].ndim <= self.nodes[x].ndim)
        if not self.is_number(x) or not self.is_number(y):
            if self.is_number(x) or self.is_number(y):
                return self.cast(x if self.is_number(y) else y, "int8")
            return self.add("invert", [x]) if self.flip(0.3) else self.add(rng.choice(["and", "or"]), [x, y])
        op = rng.choices(["add", "sub", "mul", "maximum", "minimum", "gt", "le", "eq"], [8, 6, 2, 3, 3, 2, 1, 1])[0]
        return self.add(op, [x, y])

    def branch(self) -> int:
        condition = self.condition()
        a = self.pick()
        b = self.pick(lambda p: self.kind(p) == self.kind(a))
        if self.flip(0.7):
            return self.add("ifelse", [condition, a, b])
        c, d = self.pick(), -1
        d = self.pick(lambda p: self.kind(p) == self.kind(c))
        if self.flip(0.5):
            b, c, d = c, b, a if self.kind(c) == self.kind(b) else d
        if self.kind(a) != self.kind(c) or self.kind(b) != self.kind(d):
            raise ValueError("of other types")
        return self.add("ifelse of lists", [condition, a, b, c, d], (self.rng.randrange(2),))

    def view(self) -> int:
        x = self.pick(lambda p: self.nodes[p].ndim > 0)
        ndim = self.nodes[x].ndim
        choice = self.rng.random()
        if choice < 0.45:
            order = list(range(ndim))
            self.rng.shuffle(order)
            return self.add("transpose", [x], (tuple(order),))
        if choice < 0.65:
            return self.add("ravel", [x])
        if choice < 0.8:
            return self.add("split", [x], (self.rng.choice([1, 2, 3]),))
        if choice < 0.9:
            y = self.pick(lambda p: self.nodes[p].ndim > 0 and all(a[p].size == a[x].size for a in self.samples))
            return self.add("reshape", [x, y])
        return self.add("diagonal", [x])

    def reduction(self) -> int:
        x = self.pick()
        axis = None if self.flip(0.4) or not self.nodes[x].ndim else self.rng.randrange(self.nodes[x].ndim)
        if not self.is_number(x):
            return self.add(self.rng.choice(["any", "all"]), [x], (axis, False))
        if self.flip(0.1) and axis is not None:
            return self.add("argmax", [x], (axis,))
        return self.add(self.rng.choice(["sum", "sum", "max", "min"]), [x], (axis, self.flip(0.25)))

    def composed(self) -> int:
        rng = self.rng
        op = rng.choice(
            ["join", "join", "stack", "roll", "zeros_like", "fill", "arange", "length", "cumsum", "dot", "sort", "nonzero",
             "identity"]
        )  # fmt: skip
        if op == "nonzero":
            mask = self.mask(self.pick(lambda p: self.nodes[p].ndim in (1, 2)))
            return self.add(op, [mask], (rng.randrange(self.nodes[mask].ndim),))
        if op in ("zeros_like", "identity"):
            return self.add(op, [self.pick()])
        if op == "fill":
            x = self.pick(lambda p: self.nodes[p].ndim == 0)
            return self.add(op, [x, self.pick(lambda p: self.nodes[p].ndim > 0)])
        x = self.pick(lambda p: self.nodes[p].ndim > 0 and self.is_number(p))
        axis = rng.randrange(self.nodes[x].ndim)
        if op in ("join", "stack"):
            y = self.pick(
                lambda p: self.nodes[p].ndim == self.nodes[x].ndim and self.nodes[p].dtype == self.nodes[x].dtype
            )
            return self.add(op, [x, y], (axis,) if op == "join" else ())
        if op == "dot":
            y = self.pick(lambda p: 0 < self.nodes[p].ndim < 3 and self.nodes[p].dtype == self.nodes[x].dtype)
            if self.nodes[x].ndim > 2 or self.nodes[x].dtype not in ("float64", "float32"):
                raise ValueError("no product of matrices")
            return self.add(op, [x, y])
        if op == "cumsum" and self.nodes[x].dtype not in ("float64", "float32", "int64"):
            raise ValueError("of another dtype")
        if op == "roll":
            return self.add(op, [x], (rng.randint(-2, 3), axis))
        return self.add(op, [x], () if op == "sort" else (axis,))

    def loop(self) -> int:
        rng, step = self.rng, self.rng.choice(list(STEPS))
        h = self.pick(lambda p: self.is_number(p) and self.nodes[p].ndim < 3 and not any(self.nodes[p].stretches))
        if self.flip(0.5):  # a row of something
            rows = self.pick(lambda p: self.is_number(p) and self.nodes[p].ndim in (1, 2))
            h = (
                self.index(rows, only_one=True)
                if self.nodes[rows].ndim == 1
                else self.add("index", [rows], ((("i", 0),),))
            )
        if step not in ("add", "subtract", "maximum", "constant") and self.nodes[h].ndim == 0:
            step = rng.choice(["add", "subtract", "maximum"])
        dtype, ndim = self.nodes[h].dtype, self.nodes[h].ndim
        if self.flip(0.3):
            x = self.pick(lambda p: self.shapes(p) == self.shapes(h) and self.nodes[p].dtype == dtype)
            return self.add("count scan", [h, x], (step, rng.choice([0, 1, 2, 3, 3, 4, 6])))
        rows = self.pick(lambda p: self.nodes[p].dtype == dtype and self.nodes[p].ndim == ndim + 1)
        if self.nodes[h].op == "shared" and self.flip(0.4):
            return self.add("state rows" if self.flip(0.4) else "state last", [h, rows], (step,))
        return self.add("scan", [h, rows], (step, self.flip(0.3)))

    def switch(self) -> int:
        x = self.pick(lambda p: self.nodes[p].ndim > 0)
        y = self.pick(lambda p: self.shapes(p) == self.shapes(x) and self.nodes[p].dtype == self.nodes[x].dtype)
        return self.add("switch", [self.mask(x) if self.flip(0.7) else self.condition(), x, y])

    def operation(self) -> int:
        """One more node of any kind."""
        makers = {
            self.elementwise: 18, self.branch: 9, self.view: 9, self.reduction: 7, self.composed: 8, self.loop: 6,
            self.switch: 6, lambda: self.index(self.pick(lambda p: self.nodes[p].ndim > 0)): 17,
            lambda: self.write(self.pick(lambda p: self.nodes[p].ndim > 0)): 22,
        }  # fmt: skip
        return self.tried(lambda: self.choose(makers)())

    def tried(self, make: Callable[[], int]) -> int:
        """What `make` adds, or an old node if that fails several times."""
        for _ in range(12):
            count = len(self.nodes)
            try:
                return make()
            except (ValueError, IndexError, TypeError):
                for sample in self.samples:
                    for position in range(count, len(self.nodes)):
                        del sample[position]
                del self.nodes[count:]
        return self.pick()

    # ---------------------------------------------------------------- functions

    def fits(self, k: int, node: int) -> bool:
        """Whether shared variable k may become `node`."""
        target, value = self.nodes[self.shared[k].node], self.nodes[node]
        return (target.dtype, target.ndim) == (value.dtype, value.ndim) and not any(value.stretches)

    def new_value(self, k: int) -> int:
        """A node that shared variable k becomes."""
        node = self.shared[k].node
        same = lambda p: self.fits(k, p) and self.shapes(p) == self.shapes(node)  # noqa: E731

        def make() -> int:
            choice = self.rng.random()
            if choice < 0.4 and self.nodes[node].ndim:
                value = node if self.flip(0.75) else self.pick(same)
                for _ in range(self.rng.choices([1, 2, 3], [6, 3, 1])[0]):
                    value = self.write(value)
                return value
            if choice < 0.75:
                return self.pick(same)
            if choice < 0.85:
                return self.pick(lambda p: self.fits(k, p))
            if choice < 0.93:
                return self.cast(self.pick(lambda p: self.shapes(p) == self.shapes(node)), self.nodes[node].dtype)
            return self.add("add", [node, self.number(self.nodes[node].dtype)])

        value = self.tried(make)
        return value if self.fits(k, value) else node

    def draw_updates(self) -> dict[int, int]:
        rng, count = self.rng, len(self.shared)
        updates: dict[int, int] = {}
        if self.flip(0.3):  # a rotation of shared variables
            k = rng.randrange(count)
            ring = [j for j in range(count) if self.fits(k, self.shared[j].node)]
            rng.shuffle(ring)
            ring = ring[: rng.randint(2, 4)]
            for j, following in zip(ring, ring[1:] + ring[:1], strict=True):
                updates[j] = self.shared[following].node
                if self.flip(0.25) and self.nodes[updates[j]].ndim:
                    value = self.tried(lambda j=j: self.write(updates[j]))  # type: ignore[misc]
                    updates[j] = value if self.fits(j, value) else updates[j]
        for k in rng.sample(range(count), min(count, rng.choices([0, 1, 2, 3], [2, 5, 3, 1])[0])):
            updates.setdefault(k, self.new_value(k))
        return updates

    def draw_outputs(self) -> list[tuple[int, bool]]:
        rng = self.rng
        outputs = []
        for _ in range(rng.choices([0, 1, 2, 3, 4], [1, 4, 4, 3, 1])[0]):
            choice = rng.random()
            if choice < 0.15:
                node = rng.choice(list(self.dims))
            elif choice < 0.25:
                node = self.tried(self.view)
            elif choice < 0.35:
                node = self.tried(lambda: self.index(self.pick(lambda p: self.nodes[p].ndim > 0)))
            elif choice < 0.42 and outputs:
                node = rng.choice(outputs)[0]
            else:
                node = self.pick_result()
            outputs.append((node, self.flip(0.15)))
        return outputs

    def draw_function(self, f: int) -> Function:
        rng = self.rng
        updates = self.draw_updates()
        outputs = self.draw_outputs()
        if not updates and not outputs:
            outputs.append((self.pick(), False))
        roots = [node for node, _ in outputs] + list(updates.values())
        inputs: dict[int, Input] = {}
        if self.flip(0.15):  # an input that is the function's own state
            states = [p for p in sorted(reachable(self.nodes, roots)) if self.nodes[p].op == "input"]
            for node in states[:1]:
                update = self.tried(lambda node=node: self.pick(lambda p: self.kind(p) == self.kind(node)))  # type: ignore[misc]
                is_same = self.kind(update) == self.kind(node)
                inputs[node] = Input(node, self.array(node, self.lengths[0], "C"), update if is_same else node)
                roots.append(update)
        givens: dict[int, int] = {}
        if self.flip(0.12):
            old = rng.choice(sorted(reachable(self.nodes, roots)))
            is_itself = self.nodes[old].op in ("shared", "input", "add", "sub", "gt", "set", "inc", "sum")
            if is_itself and old not in inputs and not any(self.nodes[old].stretches):
                those = [
                    p
                    for p in range(len(self.nodes))
                    if self.kind(p) == self.kind(old) and self.shapes(p) == self.shapes(old)
                ]
                those = [p for p in those if p != old and old not in reachable(self.nodes, [p])]
                if those:
                    givens[old] = rng.choice(those)
        defaults = [shared.default_update for shared in self.shared if shared.default_update is not None]
        used = reachable(self.nodes, [*roots, *givens.values(), *defaults])
        for node in sorted(used):
            if self.nodes[node].op == "input" and node not in inputs and node not in givens:
                value = self.array(node, self.lengths[0]) if self.flip(0.08) else None
                inputs[node] = Input(node, value, None, self.flip(0.1), self.flip(0.1))
        entries = list(inputs.values())
        rng.shuffle(entries)
        return Function(
            tuple(entries),
            tuple(outputs),
            tuple(updates.items()),
            tuple(givens.items()),
            bool(givens) or self.flip(0.15),
            self.choose(MODES),
        )

    def draw_copy(self, functions: list[Function]) -> Function | None:
        """A copy of an earlier function, perhaps with other shared variables in the places of its own."""
        f = self.rng.randrange(len(functions))
        original = functions[f]
        if original.copy_of is not None or any(entry.update is not None or entry.value for entry in original.inputs):
            return None
        roots = [node for node, _ in original.outputs] + [node for _, node in original.updates]
        used = reachable(self.nodes, roots, dict(original.givens))
        own = {k for k, shared in enumerate(self.shared) if shared.node in used} | {k for k, _ in original.updates}
        swap = {}
        if any(shared.default_update is not None for shared in self.shared) and not original.no_default_updates:
            own = set()
        free = [k for k in range(len(self.shared)) if k not in own]
        for k in own:
            those = [j for j in free if self.kind(self.shared[j].node) == self.kind(self.shared[k].node)]
            if those and self.flip(0.6):
                swap[k] = self.rng.choice(those)
                free.remove(swap[k])
        return Function(
            original.inputs, (), (), copy_of=f, swap=tuple(swap.items()), share_memory=self.flip(0.5),
            delete_updates=self.flip(0.2),
        )  # fmt: skip

    # ---------------------------------------------------------------- actions

    def draw_actions(self, functions: list[Function]) -> list[Action]:
        rng = self.rng
        actions: list[Action] = []
        held: list[tuple[int, int, int]] = []  # action, result, node
        lengths = self.lengths[0]

        def act(kind: str, *what: Any) -> None:
            actions.append(Action(len(actions), kind, what))

        order = list(range(len(functions))) + rng.choices(range(len(functions)), k=rng.randint(1, 5))
        rng.shuffle(order)
        for f in order:
            while self.flip(0.4):
                choice = rng.random()
                k = rng.randrange(len(self.shared))
                node = self.shared[k].node
                if choice < 0.2 and len(self.lengths) > 1:  # other lengths from now on
                    lengths = rng.choice(self.lengths)
                    for j, shared in enumerate(self.shared):
                        act("set", j, self.array(shared.node, lengths), self.flip(0.3), None)
                elif choice < 0.4:
                    value = self.array(node, lengths)
                    act(
                        "set", k, value, self.flip(0.5), self.seed() if value.layout == "C" and self.flip(0.4) else None
                    )
                elif choice < 0.6:
                    act("get", k, self.flip(0.6))
                    held.append((len(actions) - 1, 0, node))
                elif choice < 0.72:
                    act("write", k, self.seed())
                elif choice < 0.95 and held:
                    name, j, _ = rng.choice(held)
                    act("scribble", name, j, self.seed())
                elif choice > 0.97:
                    value = self.array(node, lengths)
                    act("wrong", k, dataclasses.replace(value, shape=(*value.shape, 2)))
            arguments = self.draw_arguments(functions[f], lengths, held)
            act("call", f, tuple(arguments))
            original = functions[f] if functions[f].copy_of is None else functions[functions[f].copy_of]
            held += [(len(actions) - 1, j, node) for j, (node, _) in enumerate(original.outputs)]
        return actions

    def draw_arguments(
        self, function: Function, lengths: dict[str, int], held: list[tuple[int, int, int]]
    ) -> list[Argument]:
        rng = self.rng
        arguments = []
        for j, entry in enumerate(function.inputs):
            value = self.array(entry.node, lengths)
            kind = self.nodes[entry.node].dtype, self.nodes[entry.node].ndim
            alias: tuple[Any, ...] = ()
            is_position = self.high[entry.node][0] != 4
            if entry.value is not None and self.flip(0.5):
                alias = ("omitted",)
            elif self.flip(0.3) and not is_position:
                before = [
                    i for i in range(j)
                    if (self.nodes[function.inputs[i].node].dtype, self.nodes[function.inputs[i].node].ndim) == kind
                ]  # fmt: skip
                results = [h for h in held if (self.nodes[h[2]].dtype, self.nodes[h[2]].ndim) == kind]
                states = [
                    k for k, s in enumerate(self.shared) if (self.nodes[s.node].dtype, self.nodes[s.node].ndim) == kind
                ]
                choices: list[tuple[Any, ...]] = [(rng.choice(["same", "reversed"]), i) for i in before]
                choices += [("held", h[0], h[1]) for h in results[-3:]]
                choices += [("state", k) for k in states]
                if choices:
                    alias = rng.choice(choices)
            elif self.flip(0.03) and value.shape:
                axis = rng.randrange(len(value.shape))
                shape = list(value.shape)
                shape[axis] = rng.choice([0, 1, shape[axis] + 1, 9])
                value = dataclasses.replace(value, shape=tuple(shape))
            elif self.flip(0.01):
                value = dataclasses.replace(value, shape=(*value.shape, 2))
            elif is_position and self.flip(0.05):
                value = dataclasses.replace(value, high=50)
            arguments.append(Argument(value, alias))
        return arguments


def draw(seed: int) -> Program:
    """The program of a seed."""
    drawer = Drawer(seed)
    rng = drawer.rng
    drawer.draw_leaves()
    for _ in range(rng.choices([1, 2, 4, 6, 9], [10, 20, 30, 25, 15])[0]):
        drawer.operation()
    if drawer.flip(0.12):
        k = rng.randrange(len(drawer.shared))
        drawer.shared[k] = dataclasses.replace(drawer.shared[k], default_update=drawer.new_value(k))
    functions: list[Function] = []
    for f in range(rng.choices([1, 2, 3], [60, 32, 8])[0]):
        functions.append(drawer.draw_function(f))
    if drawer.flip(0.18) and (copy := drawer.draw_copy(functions)) is not None:
        functions.append(copy)
    actions = drawer.draw_actions(functions)
    return Program(tuple(drawer.nodes), tuple(drawer.shared), tuple(functions), tuple(actions))
