"""Reverse mode: one walk backwards over the graph that asks each op's row for the cotangents of its operands.

What a row need not care about is done here, in one place: broadcasting is undone, dtypes are restored, contributions
are added up, and gradients that are zero, undefined or absent are told apart.  What flows into a branch stays there
(`Guarded`): the gradient of a branch that was not taken is not computed, so that it can neither fail nor be NaN; and
where a choice by elements took the other side, what that side's derivative makes of a zero (0 / 0) is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tensordsl.graph.types import COMPLEX, CONTINUOUS
from tensordsl.graph.variables import Apply, Constant, Elementwise, Expand, Variable, ancestors, apply, toposort
from tensordsl.ops.cotangents import (
    ZERO,
    Guard,
    Guarded,
    Guards,
    Undefined,
    Zero,
    cotangent_dtype,
    zeros_like,
)

Terms = dict[Guards, Any]  # contributions to one cotangent
_DEEPEST = 64  # guards of one cotangent; more nested branches would cost time and memory that grow with the square
_COMPLEX = frozenset(COMPLEX)
Cotangent = Variable | Guarded | Zero | Undefined | None  # None: disconnected


def cotangents(
    seeds: Iterable[tuple[Variable, Any]],
    wrt: Sequence[Variable],
    *,
    constant: Iterable[Variable] = (),
    stop: Iterable[Variable] = (),
    are_final: bool = False,
    known: Known | None = None,
) -> list[Any]:
    """The cotangent of each of `wrt` from those of the seeds: sum over seeds (y, g) of (dy/dw) transposed times g.

    constant   variables at which what flows ends: each may have a cotangent, its operands have none from it
    stop       variables whose makers are not looked at
    are_final  a seed's cotangent is complete: nothing is added to it
    known      what was built before from the same seeds
    """
    known = Known() if known is None else known
    seeds = list(seeds)
    outputs = [y for y, _ in seeds]
    constants = {id(v) for v in constant}
    totals = known.begin(outputs, stop, is_whole=not constants)
    nodes, wanted = known.between(wrt, totals)
    closed = (constants - {id(v) for v in wrt}) | ({id(v) for v in outputs} if are_final else set())
    found: dict[int, Terms | Zero | Undefined] = {}
    for y, g in seeds:
        _add(found, y, conform(g, y), known)
    for node in nodes:
        needed = [id(v) in wanted and id(v) not in closed and id(v) not in totals for v in node.inputs]
        if not any(needed):
            continue
        for v in node.outputs:
            if id(v) not in totals:
                totals[id(v)] = _total(found.get(id(v)), v)
        arriving = [None if id(v) in constants else totals[id(v)] for v in node.outputs]
        parts = known.parts(node, arriving, needed)
        for operand, part, is_needed in zip(node.inputs, parts, needed, strict=True):
            if is_needed and part is not None:
                _add(found, operand, known.recall(_conform_within, part, operand, node.outputs[0]), known)
    results = [_unguarded(totals[id(v)] if id(v) in totals else _total(found.get(id(v)), v), v) for v in wrt]
    known.release(results, nodes)
    return results


class Known:
    """What gradients of one cost have built so far: that by one variable after the other builds what they share once.

    What a user has got is not used again: he may name it, replace it, or differentiate by it.
    """

    __slots__ = ("settings", "start", "totals", "_order", "_users", "_made", "_makers", "_given", "_readers", "_known")
    # A loop's gradient depends on which operands are asked for, an OpFromGraph's may be a function of the user's.
    _ANEW = frozenset(("for", "while", "OpFromGraph"))

    def __init__(self, settings: Any = None, start: Any = None) -> None:
        self.settings = settings
        self.start = start  # the cost in a stable form, if there are no variables across which none is looked for
        self.totals: dict[int, Cotangent] | None = None  # by the ids of variables: all that arrives there, as `_total`
        self._order: list[Apply] = []  # toposort of the seeds
        self._users: dict[int, list[int]] = {}  # by the id of a variable: the places in that order of what uses it
        # by the ids of the operands: the operands, which keep these ids theirs, and what was made of them
        self._made: dict[tuple[int, ...], tuple[tuple[Any, ...], Any]] = {}
        self._makers: dict[int, list[tuple[int, ...]]] = {}  # by the id of what was made
        self._given: list[tuple[Sequence[Any], Sequence[Apply]]] = []  # what users have got and is not forgotten yet
        self._readers: dict[int, list[Apply]] = {}  # of what `totals` are made of, by the id of the operand
        self._known: set[Apply] = set()  # all of these, and those of `_order`

    def begin(self, outputs: Sequence[Variable], stop: Iterable[Variable], is_whole: bool) -> dict[int, Cotangent]:
        """Find the order of a walk from `outputs`, and what is known to arrive where.  is_whole: all flows that there
        are are followed."""
        if not self._order:
            self._order = toposort(outputs, stop)
            self._known.update(self._order)
            for place, node in enumerate(self._order):
                for v in node.inputs:
                    self._users.setdefault(id(v), []).append(place)
            self.totals = None if any(node.row.name in self._ANEW for node in self._order) else {}
        return self.totals if is_whole and self.totals is not None else {}

    def between(self, wrt: Sequence[Variable], totals: Mapping[int, Cotangent]) -> tuple[list[Apply], set[int]]:
        """The applications through which what arrives at `wrt` comes from the seeds, or from where it is known, these
        first; and the variables among their results and operands that depend on any of `wrt`."""
        wanted = {id(v) for v in wrt}
        open_, places = list(wanted), set[int]()
        while open_:
            for place in self._users.get(open_.pop(), ()):
                if place not in places:
                    places.add(place)
                    made = {id(v) for v in self._order[place].outputs} - wanted
                    wanted |= made
                    open_ += made.difference(totals)
        return [self._order[k] for k in sorted(places, reverse=True)], wanted

    def recall(self, make: Callable[..., Any], *operands: Any) -> Any:
        """make(*operands); for one number and kind of operands always the same `make`."""
        key = tuple(map(id, operands))
        found = self._made.get(key)
        if found is None:
            made = make(*operands)
            found = self._made[key] = operands, made
            for v in made if isinstance(made, (list, tuple)) else (made,):
                self._makers.setdefault(id(v), []).append(key)
        return found[1]

    def parts(self, node: Apply, arriving: Sequence[Cotangent], needed: Sequence[bool]) -> Sequence[Cotangent]:
        if node.row.name in self._ANEW or any(isinstance(g, Guarded) for g in arriving):
            return _parts(node, arriving, needed)
        made: Sequence[Cotangent] = self.recall(lambda *_: _parts(node, arriving, needed), node, *arriving)
        return made

    def release(self, given: Sequence[Any], nodes: Sequence[Apply]) -> None:
        """The user gets these, from a walk over `nodes`: see `forget_given`."""
        self._given.append((given, nodes))

    def forget_given(self) -> None:
        """To be called before the next walk; most costs have one walk alone."""
        while self._given:
            self._forget(*self._given.pop())

    def _forget(self, given: Sequence[Any], nodes: Sequence[Apply]) -> None:
        """Forget how these were made, and what of all that arrives somewhere was made of them."""
        ids = {id(v) for v in given if isinstance(v, Variable)}
        for made in ids:
            for key in self._makers.pop(made, ()):
                self._made.pop(key, None)
        if not self.totals:
            return
        self._read([_value(self.totals.get(id(v))) for node in nodes for v in node.outputs])
        if ids.isdisjoint(self._readers):
            return
        unseen = list(ids)
        while unseen:
            fresh = {id(v) for node in self._readers.get(unseen.pop(), ()) for v in node.outputs} - ids
            ids |= fresh
            unseen += fresh
        self.totals = {key: g for key, g in self.totals.items() if id(_value(g)) not in ids}

    def _read(self, values: list[Any]) -> None:
        """Note what these are made of, as far as the gradient made it."""
        for v in values:
            if isinstance(v, Variable):
                self._readers.setdefault(id(v), [])
        while values:
            v = values.pop()
            node = v.owner if isinstance(v, Variable) else None
            if node is not None and node not in self._known:
                self._known.add(node)
                values += node.inputs
                for operand in node.inputs:
                    self._readers.setdefault(id(operand), []).append(node)


def _value(g: Cotangent) -> Any:
    return g.value if isinstance(g, Guarded) else g


def _add(found: dict[int, Terms | Zero | Undefined], variable: Variable, part: Any, known: Known) -> None:
    """Add a contribution to the cotangent of a variable; those under different guards are kept apart."""
    old = found.get(id(variable))
    if isinstance(part, Undefined):
        found[id(variable)] = part
    elif part is ZERO:
        found.setdefault(id(variable), ZERO)
    elif not isinstance(old, Undefined):
        guards, value = (part.guards, part.value) if isinstance(part, Guarded) else ((), part)
        terms = old if isinstance(old, dict) else {}
        terms[guards] = known.recall(add_cotangents, terms[guards], value) if guards in terms else value
        found[id(variable)] = terms


def _parts(node: Apply, arriving: Sequence[Cotangent], needed: Sequence[bool]) -> Sequence[Cotangent]:
    """The cotangents of a node's operands, from those of its outputs."""
    if all(g is None for g in arriving):
        return [None] * len(needed)
    for g in arriving:
        if isinstance(g, Undefined):
            return [g] * len(needed)
    guards, arriving = _common_guards(node, arriving)
    # An integer output moves in steps, whatever cotangent it has.
    is_flat = all(
        not isinstance(g, Variable) or v.type.dtype not in CONTINUOUS
        for g, v in zip(arriving, node.outputs, strict=True)
    )
    rule = _rule(node)
    if rule is None:
        is_step = is_flat or node.row.no_gradient.startswith("piecewise constant")
        reason = f"{node.row.name} has no gradient: {node.row.no_gradient}"
        return [ZERO if is_step else Undefined(reason)] * len(needed)
    given = [
        zeros_like(v) if g is ZERO or (g is not None and is_flat) else g
        for g, v in zip(arriving, node.outputs, strict=True)
    ]
    parts = rule(given, needed)
    assert len(parts) == len(node.inputs), f"{node.row.name}: its gradient gives {len(parts)} cotangents"
    return [p if p is None else ZERO if is_flat else _under(guards, p) for p in parts]


def _rule(node: Apply) -> Callable[[Sequence[Any], Sequence[bool]], Sequence[Any]] | None:
    """The gradient of the node's row as a function of the outputs' cotangents and of what is needed, if it has one."""
    op = node.row
    if op.name == "for":
        from tensordsl.autodiff.loop_gradient import loop_gradient

        n, *operands = node.inputs
        return lambda given, needed: loop_gradient(tuple(given), n, operands, node.attrs["body"], needed[1:])
    if op.name == "while":  # that of as many rounds as there were
        from tensordsl.autodiff.loop_gradient import loop_gradient

        limit, *operands = node.inputs
        rounds, body = node.outputs[0], node.attrs["body"]
        return lambda given, needed: loop_gradient(tuple(given[1:]), rounds, operands, body, needed[1:], limit)
    gradient = op.gradient
    if gradient is not None:
        several = len(node.outputs) > 1
        out: Any = node.outputs if several else node.outputs[0]
        if not several and not _COMPLEX.isdisjoint([v.type.dtype for v in (*node.inputs, *node.outputs)]):
            return lambda given, needed: _complex_gradient(node, given[0])
        return lambda given, needed: gradient(tuple(given) if several else given[0], out, *node.inputs, **node.attrs)
    if isinstance(op.meaning, Expand) and not op.no_gradient:
        return lambda given, needed: _through_expansion(node, given)
    return None


def _complex_gradient(node: Apply, g: Any) -> Sequence[Any]:
    """The cotangent of z is dC/dRe(z) + i dC/dIm(z), as in Theano: of an analytic f, conj(conj(g) f'(z))."""
    from tensordsl.ops.math.complexes import NOT_ANALYTIC, conj

    assert node.row.gradient is not None
    if node.row.name in NOT_ANALYTIC:
        return node.row.gradient(g, node.outputs[0], *node.inputs, **node.attrs)
    parts = node.row.gradient(conj(g), node.outputs[0], *node.inputs, **node.attrs)
    return [
        conj(p) if isinstance(p, Variable) else Guarded(p.guards, conj(p.value)) if isinstance(p, Guarded) else p
        for p in parts
    ]


def _through_expansion(node: Apply, given: Sequence[Any]) -> Sequence[Any]:
    """The gradient of an op that is defined by other ops: that of its definition."""
    assert isinstance(node.row.meaning, Expand)
    built = node.row.meaning.build(*node.inputs, **node.attrs)
    outputs = built if isinstance(built, tuple | list) else (built,)
    seeds = [(y, g) for y, g in zip(outputs, given, strict=True) if g is not None]
    return cotangents(seeds, node.inputs, stop=node.inputs)


# -- cotangents inside branches --------------------------------------------------------------------------------------
def _common_guards(node: Apply, arriving: Sequence[Cotangent]) -> tuple[Guards, list[Cotangent]]:
    """The guards under which all cotangents of a node arrive, and the cotangents within them."""
    if not isinstance(node.row.meaning, Elementwise):
        arriving = [_settled(g, v) for g, v in zip(arriving, node.outputs, strict=True)]
    guarded = [g for g in arriving if isinstance(g, Guarded)]
    if not guarded:
        return (), list(arriving)
    guards = guarded[0].guards
    same = all(g is None or g is ZERO or (isinstance(g, Guarded) and g.guards == guards) for g in arriving)
    if same and len(guards) <= _DEEPEST:
        return guards, [g.value if isinstance(g, Guarded) else g for g in arriving]
    return (), [_unguarded(g, v) for g, v in zip(arriving, node.outputs, strict=True)]


def _under(guards: Guards, part: Any) -> Any:
    """`part` under more guards."""
    if not guards or part is ZERO or isinstance(part, Undefined):
        return part
    if isinstance(part, Guarded):
        return Guarded(guards + part.guards, part.value)
    return Guarded(guards, part)


def _conform_within(part: Any, like: Variable, out: Variable) -> Any:
    """A cotangent that a node with the result `out` gives to its operand `like`, conformed to it."""
    if isinstance(part, Guarded) and like.type.broadcastable != out.type.broadcastable:
        part = _settled(part, out)
    if isinstance(part, Guarded):
        return Guarded(part.guards, conform(part.value, like))
    return conform(part, like) if isinstance(part, Variable) else part


def _total(terms: Terms | Zero | Undefined | None, like: Variable) -> Cotangent:
    """All contributions to the cotangent of `like` in one, under the guards that they share.

    The deepest terms are joined first, those of opposite branches by one choice.
    """
    if not isinstance(terms, dict):
        return terms
    terms = dict(terms)
    while len(terms) > 1:
        deepest = max(terms, key=len)
        guard, outer = deepest[-1], deepest[:-1]
        value = terms.pop(deepest)
        joined = _choose(guard, value, terms.pop((*outer, replace(guard, is_then=not guard.is_then)), None), like)
        terms[outer] = add_cotangents(terms[outer], joined) if outer in terms else joined
    ((guards, value),) = terms.items()
    return Guarded(guards, value) if guards else value


def _settled(g: Any, like: Variable) -> Any:
    """`g` without guards of elements, and without those within them."""
    if not isinstance(g, Guarded):
        return g
    first = next((k for k, guard in enumerate(g.guards) if guard.is_pointwise), len(g.guards))
    value = _unguarded(Guarded(g.guards[first:], g.value), like)
    return Guarded(g.guards[:first], value) if first else value


def _unguarded(g: Any, like: Variable) -> Any:
    """`g`, if it is guarded, as a variable that is zeros where the guards do not hold."""
    if not isinstance(g, Guarded):
        return g
    value = g.value
    for guard in reversed(g.guards):
        value = _choose(guard, value, None, like)
    return value


def _choose(guard: Guard, value: Any, other: Any, like: Variable) -> Any:
    """`value` where the guard holds, else `other` (None: zeros), in the shape of `like`."""
    from tensordsl.ops.control import IFELSE
    from tensordsl.ops.math.elementwise import switch
    from tensordsl.ops.operands import constant

    if guard.is_pointwise:
        other = constant(0, dtype=value.type.dtype) if other is None else other
        sides = (value, other) if guard.is_then else (other, value)
        return conform(switch(guard.condition, *sides), like)
    value, other = conform(value, like), zeros_like(like) if other is None else other
    return apply(IFELSE, guard.condition, *((value, other) if guard.is_then else (other, value)))[0]


# -- the types of cotangents -----------------------------------------------------------------------------------------
def conform(g: Any, like: Variable) -> Any:
    """`g` with the shape of `like` and its float dtype.

    Axes over which `like` was repeated are summed, axes along which `g` was not spread out are repeated.
    """
    if g.type == like.type and like.type.dtype in CONTINUOUS:  # by far the most
        return g
    from tensordsl.ops.array.reduce import sum as sum_
    from tensordsl.ops.array.shape import dimshuffle
    from tensordsl.ops.math.elementwise import cast, second

    lead = g.type.ndim - like.type.ndim
    repeated = tuple(k for k, n in enumerate(g.type.shape) if k < lead or (like.type.shape[k - lead] == 1 and n != 1))
    if repeated:
        g = sum_(g, axis=repeated, keepdims=True)
    if lead > 0:
        g = dimshuffle(g, tuple(range(lead, g.type.ndim)))
    dtype = cotangent_dtype(like)
    if g.type.dtype in COMPLEX and dtype not in COMPLEX:
        from tensordsl.ops.math.complexes import real

        g = real(g)
    if g.type.dtype != dtype:
        g = cast(g, dtype)
    if g.type.ndim < like.type.ndim or any(
        _is_vaguer(n, m) for n, m in zip(g.type.shape, like.type.shape, strict=True)
    ):
        g = second(like, g)
    return g


def _is_vaguer(n: int | None, m: int | None) -> bool:
    """Whether the length n must still be made m: a 1 to be repeated, or unknown where m is known."""
    return n != m and (n == 1 or n is None)


def over(variable: Variable, product: Any, wrt: Iterable[Variable]) -> Any:
    """The product, as a function of all of `wrt` that the variable depends on: where it is linear in them, they are no
    part of the product, and `function` refuses inputs that nothing uses."""
    from tensordsl.ops.math.elementwise import second

    if not isinstance(product, Variable):
        return product
    lost = set(wrt).intersection(ancestors([variable])).difference(ancestors([product]))
    return second(variable, product) if lost else product


def add_cotangents(a: Any, b: Any) -> Any:
    """a + b.

    Where one of them is zeros with slices added, these are added to the other instead: reading a sequence element by
    element must not cost its whole length at each step.
    """
    from tensordsl.ops.math.elementwise import add

    for other, sparse in ((a, b), (b, a)):
        added: list[Apply] = []
        v = sparse
        while (
            (node := v.owner) is not None and node.row.name in ("inc_subtensor", "inc_take") and not node.attrs["set"]
        ):
            added.append(node)
            v = node.inputs[0]
        if added and is_zeros(v) and other.type.shape == sparse.type.shape == v.type.shape:
            for node in reversed(added):
                other = apply(node.row, other, *node.inputs[1:], **node.attrs)
            return other
    return add(a, b)


def is_zeros(variable: Variable) -> bool:
    """Whether all elements are zero whatever a call brings."""
    while variable.owner is not None and variable.owner.row.name in ("second", "broadcast_to", "dimshuffle", "cast"):
        variable = variable.owner.inputs[1 if variable.owner.row.name == "second" else 0]
    return isinstance(variable, Constant) and not variable.data.any()
