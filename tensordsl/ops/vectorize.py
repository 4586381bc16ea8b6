"""Vectorisation: an expression of some variables as one of stacks of them, whose new axes stand in front.

Contract  `vectorize_graph(outputs, {x: stack of x})`: the outputs for every element of the stacks, which broadcast.
How       one walk over the graph; a rule for each kind of row says where the new axes go: elementwise rows align them,
          reductions shift their axes, products become stacks of products, positions get one more index.
Else      a row without a rule is applied in a counted loop over the elements of the stack.
Why       many small problems become a large one, without a line of the user's function changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import STATIC, Apply, Elementwise, Reduction, Variable, apply, toposort
from tensordsl.ops.array.arrange import specify_shape
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.index import getitem, index_place
from tensordsl.ops.array.reduce import all as holds_everywhere
from tensordsl.ops.array.reduce import sum
from tensordsl.ops.array.shape import broadcast_to, concatenate, dimshuffle, reshape, shape_i, shape_tuple
from tensordsl.ops.composed.stacks import product_of
from tensordsl.ops.control import ifelse, loop_index, make_loop
from tensordsl.ops.linalg import (
    equations,
    factorise,
    inverses,
    matrix_functions,
    schur,
    solve,
    spectral,
    systems,
    triangular,
)
from tensordsl.ops.linalg.products import matmul
from tensordsl.ops.math.elementwise import cast, mul, switch
from tensordsl.ops.operands import as_variable, broadcast, broadcast_shapes, shape_of_first

Rule = Callable[["_Use"], Sequence[tuple[Any, int]]]


class _Use:
    """One application of a row to stacks: `new[j]` is operand j with `ranks[j]` new axes in front; `rank`: the most."""

    def __init__(self, node: Apply, given: Sequence[tuple[Any, int]]) -> None:
        self.node = node
        self.new = [v for v, _ in given]
        self.ranks = [k for _, k in given]
        self.rank = max(self.ranks)

    def core(self, j: int) -> int:
        """How many axes operand j has for itself."""
        return int(self.node.inputs[j].type.ndim)

    def lengths(self) -> list[Any]:
        """The lengths of the new axes: ints where they are known."""
        own = [(v, k) for v, k in zip(self.new, self.ranks, strict=True) if k]
        static = broadcast_shapes(STATIC, [v.type.shape[:k] for v, k in own])
        found = []
        for axis, n in enumerate(static):
            places = [(v, axis - self.rank + k) for v, k in own if axis - self.rank + k >= 0]
            decides = next(((v, a) for v, a in places if v.type.shape[a] != 1), places[0])
            found.append(shape_i(*decides) if n is None else n)
        return found

    def aligned(self, j: int, core: int) -> Any:
        """Operand j with axes of length 1 between the new ones and its own, so that it has `core` of its own."""
        missing = core - self.core(j)
        v, k = self.new[j], self.ranks[j]
        if not missing or not k:
            return v
        return dimshuffle(v, (*range(k), *("x",) * missing, *range(k, v.type.ndim)))

    def whole(self, j: int, core: int | None = None) -> Any:
        """Operand j with all of the new axes, at their full lengths."""
        core = self.core(j) if core is None else core
        v = self.aligned(j, core)
        own = shape_tuple(v)[v.type.ndim - core if self.ranks[j] else max(v.type.ndim - core, 0) :]
        own = (1,) * (core - len(own)) + tuple(own)
        return broadcast_to(v, (*self.lengths(), *own))

    def apply(self, operands: Sequence[Any], rank: int | None = None, **changed: Any) -> list[tuple[Any, int]]:
        made = apply(self.node.row, *operands, **{**self.node.attrs, **changed})
        rank = self.rank if rank is None else rank
        return [(v, rank) for v in (made if isinstance(made, tuple) else (made,))]

    def is_new(self, operands: Iterable[int]) -> bool:
        """Whether one of these operands is a stack."""
        return any(self.ranks[j] for j in operands)


# -- rules -----------------------------------------------------------------------------------------------------------
def _elementwise(use: _Use) -> Sequence[tuple[Any, int]]:
    core = max(use.core(j) for j in range(len(use.new)))
    return use.apply([use.aligned(j, core) for j in range(len(use.new))])


def _of_first(use: _Use) -> Sequence[tuple[Any, int]]:
    return use.apply(use.new)


def _reduction(use: _Use) -> Sequence[tuple[Any, int]]:
    return use.apply(use.new, axis=tuple(k + use.rank for k in use.node.attrs["axis"]))


def _along(use: _Use) -> Sequence[tuple[Any, int]]:
    return use.apply(use.new, axis=use.node.attrs["axis"] + use.rank)


def _dimshuffle(use: _Use) -> Sequence[tuple[Any, int]]:
    k = use.rank
    order = tuple(a if a == "x" else a + k for a in use.node.attrs["order"])
    return use.apply(use.new, order=(*range(k), *order))


def _shape_i(use: _Use) -> Sequence[tuple[Any, int]]:
    return use.apply(use.new, rank=0, axis=use.node.attrs["axis"] + use.rank)


def _refuse_sizes(use: _Use, sizes: Sequence[int]) -> None:
    if use.is_new(sizes):
        raise NotImplementedError(
            f"vectorize_graph: a length for {use.node.row.name} depends on a variable that is replaced by a stack, "
            "whose elements must have one shape"
        )


def _reshape(use: _Use) -> Sequence[tuple[Any, int]]:
    dims = use.new[1:]
    _refuse_sizes(use, range(1, len(use.new)))
    return [(reshape(use.new[0], (*use.lengths(), *dims), ndim=use.rank + len(dims)), use.rank)]


def _broadcast_to(use: _Use) -> Sequence[tuple[Any, int]]:
    dims = use.new[1:]
    _refuse_sizes(use, range(1, len(use.new)))
    return [(broadcast_to(use.aligned(0, len(dims)), (*use.lengths(), *dims)), use.rank)]


def _of_axes(use: _Use) -> Sequence[tuple[Any, int]]:
    _refuse_sizes(use, range(1, len(use.new)))
    return use.apply(use.new, axes=tuple(k + use.rank for k in use.node.attrs["axes"]))


def _concatenate(use: _Use) -> Sequence[tuple[Any, int]]:
    parts = [use.whole(j) for j in range(len(use.new))]
    return [(concatenate(parts, use.node.attrs["axis"] + use.rank), use.rank)]


def _dot(use: _Use) -> Sequence[tuple[Any, int]]:
    (x, y), (n, m) = use.new, (use.core(0), use.core(1))
    if n == m == 1:
        product = mul(x, y)
        return [(sum(product, product.type.ndim - 1, dtype=use.node.outputs[0].type.dtype), use.rank)]
    if n == 1:
        x = dimshuffle(x, (*range(use.ranks[0]), "x", use.ranks[0]))
    if m == 1:
        y = dimshuffle(y, (*range(use.ranks[1] + 1), "x"))
    made = matmul(x, y)
    drop = made.type.ndim - 2 if n == 1 else made.type.ndim - 1 if m == 1 else None
    return [(dimshuffle(made, tuple(k for k in range(made.type.ndim) if k != drop)), use.rank)]


def _matmul(use: _Use) -> Sequence[tuple[Any, int]]:
    return [(matmul(use.whole(0), use.whole(1)), use.rank)]


def _stacks(use: _Use) -> Sequence[tuple[Any, int]]:
    """Rows of linear algebra, whose own leading axes are stacks of equal lengths; scalars are one for all."""
    scalars = [j for j in range(len(use.new)) if not use.core(j)]
    if use.is_new(scalars):
        return _looped(use)
    return use.apply([use.new[j] if j in scalars else use.whole(j) for j in range(len(use.new))])


def _subtensor(use: _Use) -> Sequence[tuple[Any, int]]:
    index, k = use.node.attrs["index"], use.rank
    if not use.is_new(range(1, len(use.new))):
        return use.apply(use.new, index=_behind(k, index))
    at = [a for a, e in enumerate(index) if e[0] == "int"]
    bounds = [b for e in index if e[0] == "slice" for b in e[1:] if isinstance(b, tuple)]
    _refuse_sizes(use, [1 + b[1] for b in bounds])
    rest = [a for a in range(len(index)) if a not in at]

    def value(bound: Any) -> Any:
        return use.new[1 + bound[1]] if isinstance(bound, tuple) else bound

    positions = [as_variable(value(index[a][1])) for a in at]
    ranks = [use.ranks[1 + index[a][1][1]] if isinstance(index[a][1], tuple) else 0 for a in at]
    found = _taken(use.new[0], use.ranks[0], at, rest, positions, ranks, 0, k)
    slices = (slice(*map(value, index[a][1:])) for a in rest)
    return [(getitem(found, (*(slice(None),) * k, *slices)), k)]


def _behind(k: int, index: Any) -> Any:
    return (("slice", None, None, None),) * k + tuple(index)


def _taken(
    x: Any, own: int, at: Sequence[int], rest: Sequence[int], positions: Sequence[Any], ranks: Sequence[int], core: int,
    rank: int,
) -> Any:  # fmt: skip
    """x (with `own` new axes) at positions (with `ranks` new axes and up to `core` of their own) along its axes `at`:
    all new axes, those of the positions, the axes `rest`."""
    where = _stacked_index(x, own, positions, ranks, core, rank)
    x = dimshuffle(x, (*range(own), *(own + a for a in at), *(own + a for a in rest)))
    return getitem(x, tuple(where))


def _stacked_index(
    x: Any, own: int, positions: Sequence[Any], ranks: Sequence[int], core: int, rank: int
) -> list[Any]:  # fmt: skip
    where: list[Any] = []
    for a in range(own):
        behind = ("x",) * (own - 1 - a + core)
        where.append(dimshuffle(arange(shape_i(x, a)), ("x",) * (rank - own + a) + (0, *behind)))
    for p, k in zip(positions, ranks, strict=True):
        missing = core - (p.type.ndim - k)
        where.append(dimshuffle(p, (*range(k), *("x",) * missing, *range(k, p.type.ndim))) if missing and k else p)
    return where


def _take(use: _Use) -> Sequence[tuple[Any, int]]:
    axes, k = use.node.attrs["axes"], use.rank
    core = max(use.core(j) for j in range(1, len(use.new)))
    rest = [a for a in range(use.core(0)) if a not in axes]
    if not use.is_new(range(1, len(use.new))):
        made = apply(use.node.row, *use.new, axes=tuple(a + k for a in axes))
        if list(axes) == list(range(axes[0], axes[0] + len(axes))):
            return [(made, k)]
        return [(dimshuffle(made, (*range(core, core + k), *range(core), *range(core + k, made.type.ndim))), k)]
    lengths = use.lengths()
    found = _taken(use.new[0], use.ranks[0], axes, rest, use.new[1:], use.ranks[1:], core, k)
    found = broadcast_to(found, (*lengths, *shape_tuple(found)[k:]))
    place = index_place(axes)
    order = [*range(k + core, k + core + place), *range(k, k + core), *range(k + core + place, found.type.ndim)]
    return [(dimshuffle(found, (*range(k), *order)), k)]


def _inc_subtensor(use: _Use) -> Sequence[tuple[Any, int]]:
    index = use.node.attrs["index"]
    if use.is_new(range(2, len(use.new))):
        return _looped(use)
    part = len([e for e in index if e[0] == "slice"])
    x, y = use.whole(0), use.aligned(1, part)
    return use.apply([x, y, *use.new[2:]], index=_behind(use.rank, index))


def _inc_take(use: _Use) -> Sequence[tuple[Any, int]]:
    axes, k = use.node.attrs["axes"], use.rank
    core = max(use.core(j) for j in range(2, len(use.new)))
    rest = [a for a in range(use.core(0)) if a not in axes]
    place, part = index_place(axes), core + len(rest)
    x, y = use.whole(0), use.aligned(1, part)
    y = y if use.ranks[1] else dimshuffle(y, ("x",) * (part - y.type.ndim) + tuple(range(y.type.ndim)))
    own = use.ranks[1]
    core_order = [*range(place, place + core), *range(place), *range(place + core, part)]
    y = dimshuffle(y, (*range(own), *(own + a for a in core_order)))
    where = _stacked_index(x, k, use.new[2:], use.ranks[2:], core, k)
    where = [as_variable(w) for w in where]
    moved = dimshuffle(x, (*range(k), *(k + a for a in axes), *(k + a for a in rest)))
    made = apply(
        use.node.row, moved, y, *(cast(w, "int64") for w in where), axes=tuple(range(k + len(axes))),
        set=use.node.attrs["set"],
    )  # fmt: skip
    order = [*axes, *rest]
    return [(dimshuffle(made, (*range(k), *(k + order.index(a) for a in range(len(order))))), k)]


def _ifelse(use: _Use) -> Sequence[tuple[Any, int]]:
    half = (len(use.new) - 1) // 2
    found = []
    for j in range(1, half + 1):
        core, then, other = use.core(j), use.new[j], use.new[j + half]
        if not use.ranks[0]:
            found.append((ifelse(use.new[0], use.whole(j), use.whole(j + half)), use.rank))
            continue
        # One of both for each element: they have one shape, whose axes of length 1 do not stretch.
        dims = shape_tuple(then)[then.type.ndim - core :]
        other = specify_shape(other, [None] * (other.type.ndim - core) + list(dims))
        condition = dimshuffle(use.new[0], (*range(use.ranks[0]), *("x",) * core))
        found.append((switch(condition, then, other), use.rank))
    return found


def _checked(use: _Use) -> Sequence[tuple[Any, int]]:
    """What is checked must hold for all elements of the stack."""
    conditions = [holds_everywhere(v) if k else v for v, k in zip(use.new[1:], use.ranks[1:], strict=True)]
    return use.apply([use.new[0], *conditions], rank=use.ranks[0])


def _searchsorted(use: _Use) -> Sequence[tuple[Any, int]]:
    return _looped(use) if use.ranks[0] else use.apply(use.new)


def _unknown_size(use: _Use) -> Sequence[tuple[Any, int]]:
    raise NotImplementedError(
        f"vectorize_graph: the shape of what {use.node.row.name} gives depends on a variable that is replaced by a "
        "stack, whose elements must have one shape"
    )


def _looped(use: _Use) -> Sequence[tuple[Any, int]]:
    """The row for one element of the stacks after the other."""
    lengths = use.lengths()
    count, i = product_of(lengths), loop_index()
    operands = []
    for j, k in enumerate(use.ranks):
        if not k:
            operands.append(use.new[j])
            continue
        v = use.whole(j)
        own = shape_tuple(v)[use.rank :]
        rows = reshape(v, (count, *own), ndim=1 + len(own)) if use.rank != 1 else v
        operands.append(getitem(rows, (i,)))
    made = [v for v, _ in use.apply(operands)]
    stacked = make_loop(count, i, [], [], [], made, name="vectorize")
    found = []
    for v in stacked:
        own = shape_tuple(v)[1:]
        found.append((reshape(v, (*lengths, *own), ndim=use.rank + len(own)) if use.rank != 1 else v, use.rank))
    return found


# Linear algebra, all of whose rows take stacks.
_OF_STACKS = (triangular, factorise, solve, spectral, inverses, systems, matrix_functions, equations, schur)
_RULES: dict[str, Rule] = {
    "dimshuffle": _dimshuffle, "reshape": _reshape, "broadcast_to": _broadcast_to, "shape_i": _shape_i,
    "concatenate": _concatenate, "specify_shape": _of_axes, "mask_shape": _of_axes, "fold": _of_axes,
    "dot": _dot, "batched_dot": _matmul, "subtensor": _subtensor, "take": _take, "inc_subtensor": _inc_subtensor,
    "inc_take": _inc_take, "ifelse": _ifelse, "require": _checked, "assert": _checked, "searchsorted": _searchsorted,
    **dict.fromkeys(("true_positions", "repeated_positions", "arange", "range_length"), _unknown_size),
    **{row.name: _stacks for module in _OF_STACKS for row in module.ROWS},
}  # fmt: skip


def _rule(node: Apply) -> Rule:
    row = node.row
    if row.name in _RULES:
        return _RULES[row.name]
    if isinstance(row.meaning, Reduction):
        return _reduction
    if isinstance(row.meaning, Elementwise) or row.shape is broadcast:
        return _elementwise
    is_of_first = row.shape is shape_of_first and len(node.inputs) == 1
    if is_of_first and isinstance(node.attrs.get("axis"), int):
        return _along
    return _of_first if is_of_first and "axis" not in node.attrs else _looped


# -- public functions ------------------------------------------------------------------------------------------------
def vectorize_graph(outputs: Any, replace: Mapping[Any, Any]) -> Any:
    """`outputs` for every element of stacks: each variable in `replace` stands for one element of its value.

    replace: {variable: its stack}, whose last axes are the variable's and whose axes before are new.  The new axes of
    several stacks broadcast as operands do (those of static length 1, and missing ones, are stretched).
    outputs: a variable, or a list or tuple.  What depends on no replaced variable stays as it is; all else gets the new
    axes in front.  Rows that have no form for stacks (loops, for instance) become a loop over the elements.

    TypeError for a stack of another dtype or fewer axes; NotImplementedError where a length depends on the element.

    >>> import tensordsl.tensor as T
    >>> x, xs = T.vector("x"), T.matrix("xs")
    >>> y = vectorize_graph(T.exp(x) / T.exp(x).sum(), {x: xs})
    >>> y.eval({xs: [[0.0, 0.0], [0.0, 1.0]]}).round(3)
    array([[0.5  , 0.5  ],
           [0.269, 0.731]])
    """
    several = isinstance(outputs, (list, tuple))
    wanted = [as_variable(v) for v in (outputs if several else [outputs])]
    if not isinstance(replace, Mapping):
        raise TypeError(f"vectorize_graph: replace must be a dictionary of variables and their stacks, got {replace!r}")
    known: dict[int, tuple[Any, int]] = {}
    for old, new in replace.items():
        new = as_variable(new)
        if not isinstance(old, Variable):
            raise TypeError(f"vectorize_graph: the keys of replace are variables, got {old!r}")
        rank = new.type.ndim - old.type.ndim
        if rank < 0 or new.type.dtype != old.type.dtype:
            raise TypeError(f"vectorize_graph: {new!r} ({new.type}) is no stack of {old!r} ({old.type})")
        known[id(old)] = new, rank
    for node in toposort(wanted, stop=list(replace)):
        given = [known.get(id(v), (v, 0)) for v in node.inputs]
        if all(v is old for (v, _), old in zip(given, node.inputs, strict=True)):
            continue
        if max(k for _, k in given):
            made = _rule(node)(_Use(node, given))
        else:
            made = _Use(node, given).apply([v for v, _ in given])
        for old, pair in zip(node.outputs, made, strict=True):
            known.setdefault(id(old), pair)
    found = [known.get(id(v), (v, 0))[0] for v in wanted]
    return (type(outputs)(found) if type(outputs) in (list, tuple) else found) if several else found[0]


_SIGNATURE = re.compile(r"\((\w*(?:,\w+)*)\)")


def _cores(text: str, what: str) -> list[list[str]]:
    found = [[name for name in part.split(",") if name] for part in _SIGNATURE.findall(text)]
    if re.fullmatch(r"\((\w*(,\w+)*)\)(,\((\w*(,\w+)*)\))*", text) is None:
        raise ValueError(f"vectorize: {what} of a signature are like (m,n),(n), got {text!r}")
    return found


def vectorize(func: Callable[..., Any], signature: str | None = None) -> Callable[..., Any]:
    """`func`, a function of variables, as one of stacks of its arguments: the axes in front broadcast.

    signature: the axes that each argument and result has for itself, as NumPy's `(m,n),(n)->(m)`.  Without one the
    arguments are scalars, and results may have any axes.  Each call calls `func` once.

    ValueError where numbers of arguments, results or axes differ from the signature.

    >>> import tensordsl.tensor as T
    >>> softmax = vectorize(lambda x: T.exp(x) / T.sum(T.exp(x)), "(n)->(n)")
    >>> softmax([[0.0, 0.0], [0.0, 1.0]]).eval().round(3)
    array([[0.5  , 0.5  ],
           [0.269, 0.731]])
    """
    if not callable(func):
        raise TypeError(f"vectorize: wants a function of variables, got {func!r}")
    operands: list[list[str]] | None = None
    results: list[list[str]] | None = None
    if signature is not None:
        left, arrow, right = "".join(str(signature).split()).partition("->")
        if not arrow:
            raise ValueError(f"vectorize: a signature is like (m,n),(n)->(m), got {signature!r}")
        operands, results = _cores(left, "the arguments"), _cores(right, "the results")

    def vectorized(*args: Any) -> Any:
        given = [as_variable(a) for a in args]
        cores = [[] for _ in given] if operands is None else operands
        if len(cores) != len(given):
            raise ValueError(f"vectorize: the signature {signature!r} has {len(cores)} arguments, got {len(given)}")
        elements, lengths = [], dict[str, int]()
        for k, (v, names) in enumerate(zip(given, cores, strict=True)):
            if v.type.ndim < len(names):
                raise ValueError(f"vectorize: argument {k} of {signature!r} needs {len(names)} axes, got {v.type}")
            own = v.type.shape[v.type.ndim - len(names) :]
            for name, n in zip(names, own, strict=True):
                if n is not None and lengths.setdefault(name, n) != n:
                    raise ValueError(f"vectorize: the axis {name} of {signature!r} has lengths {lengths[name]} and {n}")
            elements.append(TensorType(v.type.dtype, own)(v.name))
        made = func(*elements)
        several = isinstance(made, (list, tuple))
        outputs = [as_variable(v) for v in (made if several else [made])]
        if results is not None:
            if len(results) != len(outputs):
                raise ValueError(f"vectorize: {signature!r} has {len(results)} results, got {len(outputs)}")
            for k, (v, names) in enumerate(zip(outputs, results, strict=True)):
                if v.type.ndim != len(names):
                    raise ValueError(f"vectorize: result {k} of {signature!r} has {len(names)} axes, got {v.type}")
        found = vectorize_graph(outputs, dict(zip(elements, given, strict=True)))
        return (tuple(found) if isinstance(made, tuple) else found) if several else found[0]

    vectorized.__doc__ = getattr(func, "__doc__", None)
    vectorized.__name__ = getattr(func, "__name__", "vectorized")
    return vectorized
