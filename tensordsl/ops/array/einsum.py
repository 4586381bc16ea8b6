"""Sums of products named by subscripts, `numpy.einsum`: products of two operands after each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from string import ascii_letters, ascii_lowercase, ascii_uppercase
from typing import Any

from tensordsl.graph.casting import upcast
from tensordsl.graph.variables import OpTypeError
from tensordsl.ops.array.arrange import specify_shape
from tensordsl.ops.array.index import diagonal
from tensordsl.ops.array.reduce import sum
from tensordsl.ops.array.shape import dimshuffle, reshape, shape_i
from tensordsl.ops.linalg.products import batched_tensordot, tensordot, with_lengths_of
from tensordsl.ops.math.elementwise import cast, mul
from tensordsl.ops.operands import as_variable

Labels = list[str]  # one per axis; "0", "1", ... for those of "...", counted from the last one
Term = tuple[Any, Labels]
_OF_NUMBERS = ascii_uppercase + ascii_lowercase


def einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    """The sum of products that the subscripts say, as `numpy.einsum`, also in its form with lists of numbers.

    The operands are multiplied from left to right, two at a time, as a product of matrices where an axis is summed that
    not both of them have alone.
    The result has the dtype that the operands promote to.

    optimize: accepted as NumPy's, without effect.

    >>> einsum("ij,jk->ki", [[1, 2], [3, 4]], [[1], [10]]).eval()
    array([[21, 43]])
    >>> einsum("ii", [[1, 2], [3, 4]]).eval()
    array(5)
    """
    text, given = (subscripts, operands) if isinstance(subscripts, str) else _lists((subscripts, *operands))
    variables = [as_variable(x) for x in given]
    if not variables:
        raise OpTypeError("einsum: no operands given")
    inputs, output = _parsed(text, [x.type.ndim for x in variables])
    _check_lengths(inputs, [x.type.shape for x in variables])
    dtype = upcast(*(x.type.dtype for x in variables))
    work = "int64" if dtype == "bool" else dtype
    rest = _broadcast([_of_diagonals(cast(x, work), labels) for x, labels in zip(variables, inputs, strict=True)])
    made = rest.pop(0)
    while rest:
        following = rest.pop(0)
        made = _product(made, following, {*output, *(k for _, labels in rest for k in labels)})
    x, labels = _summed(made, output)
    return cast(dimshuffle(x, [labels.index(k) for k in output]), dtype)


# -- subscripts ------------------------------------------------------------------------------------------------------
def _lists(parts: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """(subscripts, operands) of operands that are each followed by the numbers of their axes."""

    def text(numbers: Any) -> str:
        if not isinstance(numbers, (list, tuple)):
            raise TypeError(
                f"einsum: wants a string of subscripts, or a list of numbers after each operand, got {numbers!r}"
            )
        known = range(len(_OF_NUMBERS))
        if any(k is not Ellipsis and k not in known for k in numbers):
            raise ValueError(f"einsum: subscripts are numbers from 0 to {known[-1]} and ..., got {numbers!r}")
        return "".join("..." if k is Ellipsis else _OF_NUMBERS[k] for k in numbers)

    end = len(parts) // 2 * 2
    subscripts = ",".join(text(numbers) for numbers in parts[1:end:2])
    return subscripts + ("->" + text(parts[-1]) if len(parts) % 2 else ""), parts[:end:2]


def _parsed(subscripts: str, ranks: Sequence[int]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"einsum: {subscripts!r} has subscripts of {len(terms)} operands, there are {len(ranks)}")
    inputs = [_labels(term, rank) for term, rank in zip(terms, ranks, strict=True)]
    count = Counter(k for labels in inputs for k in labels)
    hidden = sorted((k for k in count if k.isdigit()), key=int, reverse=True)
    if not arrow:
        return inputs, [*hidden, *sorted(k for k, times in count.items() if times == 1 and k.isalpha())]
    output = _labels(right, len(right.replace("...", "")) + len(hidden) * ("..." in right))
    if len(set(output)) < len(output) or not count.keys() >= set(output) or not set(hidden) <= set(output):
        raise ValueError(
            f"einsum: the subscripts of the result are some of the operands', each once, with the axes of '...', "
            f"got {subscripts!r}"
        )
    return inputs, output


def _labels(term: str, rank: int) -> Labels:
    before, dots, after = term.partition("...")
    if not set(before + after) <= set(ascii_letters):
        raise ValueError(f"einsum: subscripts are letters and one '...', got {term!r}")
    hidden = rank - len(before) - len(after)
    if hidden < 0 or (hidden and not dots):
        raise ValueError(f"einsum: the subscripts {term!r} do not fit a tensor with {rank} axes")
    return [*before, *(str(k) for k in reversed(range(hidden))), *after]


def _check_lengths(inputs: Sequence[Labels], shapes: Sequence[Sequence[int | None]]) -> None:
    """Raises ValueError where known lengths of one label differ, but for 1, which broadcasts."""
    lengths: dict[str, int] = {}
    for labels, shape in zip(inputs, shapes, strict=True):
        for label, n in zip(labels, shape, strict=True):
            if n not in (None, 1) and lengths.setdefault(label, n) != n:
                name = label if label.isalpha() else "..."
                raise ValueError(f"einsum: axes of {name!r} have the lengths {lengths[label]} and {n}")


# -- terms -----------------------------------------------------------------------------------------------------------
def _of_diagonals(x: Any, labels: Labels) -> Term:
    """Each label once: of axes with one label the diagonal."""
    for label in [k for k, times in Counter(labels).items() for _ in range(times - 1)]:
        first = labels.index(label)
        second = labels.index(label, first + 1)
        square = specify_shape(x, [shape_i(x, first) if k == second else None for k in range(len(labels))])
        x = diagonal(square, 0, first, second)
        labels = [*(k for n, k in enumerate(labels) if n not in (first, second)), label]
    return x, labels


def _broadcast(terms: Sequence[Term]) -> list[Term]:
    """Without axes of static length 1 whose label another operand has with another length."""
    wide = {k for x, labels in terms for k, n in zip(labels, x.type.shape, strict=True) if n != 1}
    kept = [[a for a, k in enumerate(labels) if x.type.shape[a] != 1 or k not in wide] for x, labels in terms]
    return [(dimshuffle(x, axes), [labels[a] for a in axes]) for (x, labels), axes in zip(terms, kept, strict=True)]


def _summed(term: Term, kept: Collection[str]) -> Term:
    x, labels = term
    axes = [a for a, k in enumerate(labels) if k not in kept]
    return (sum(x, axis=axes, dtype=x.type.dtype) if axes else x), [k for k in labels if k in kept]


def _product(left: Term, right: Term, kept: Collection[str]) -> Term:
    """The product of two terms, summed over what is not to be kept."""
    (x, of_x), (y, of_y) = _summed(left, {*kept, *right[1]}), _summed(right, {*kept, *left[1]})
    both = [k for k in of_x if k in of_y]
    y = with_lengths_of(x, [of_x.index(k) for k in both], y, [of_y.index(k) for k in both])
    alike, contracted = [k for k in both if k in kept], [k for k in both if k not in kept]
    free_x, free_y = ([k for k in labels if k not in both] for labels in (of_x, of_y))
    labels = [*alike, *free_x, *free_y]
    if not contracted or not (free_x or free_y):
        labels = [*labels, *contracted]
        x, y = (dimshuffle(v, [own.index(k) if k in own else "x" for k in labels]) for v, own in ((x, of_x), (y, of_y)))
        return _summed((mul(x, y), labels), kept)
    if not alike:
        axes = [[of_x.index(k) for k in contracted], [of_y.index(k) for k in contracted]]
        return tensordot(x, y, axes), labels
    batch = [shape_i(x, of_x.index(k)) for k in alike]
    x, y = (_batched(v, own, alike, free, contracted) for v, own, free in ((x, of_x, free_x), (y, of_y, free_y)))
    axes = [[1 + len(free) + n for n in range(len(contracted))] for free in (free_x, free_y)]
    made = batched_tensordot(x, y, axes)
    rest = [shape_i(made, n) for n in range(1, made.type.ndim)]
    return (made if len(alike) == 1 else reshape(made, [*batch, *rest], ndim=len(labels))), labels


def _batched(x: Any, own: Labels, alike: Labels, free: Labels, contracted: Labels) -> Any:
    """x with its axes in this order, the ones that are `alike` as one."""
    x = dimshuffle(x, [own.index(k) for k in (*alike, *free, *contracted)])
    if len(alike) == 1:
        return x
    rest = [shape_i(x, n) for n in range(len(alike), len(own))]
    many = shape_i(x, 0)
    for n in range(1, len(alike)):
        many = many * shape_i(x, n)
    return reshape(x, [many, *rest], ndim=1 + len(rest))
