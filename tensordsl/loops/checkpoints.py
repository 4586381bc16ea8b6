"""`scan_checkpoints`: a scan whose gradient remembers every so many states, and computes those in between again.

Comes in   what `scan` takes, without taps, and how many rounds a block has.
Goes out   a scan over blocks of rounds, each a scan of its own: the values at the ends of the blocks, and the updates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensordsl.graph.variables import Constant
from tensordsl.loops.build import State, is_number, number_of_rounds, rounds_of_a_block
from tensordsl.loops.scan import scan_rounds
from tensordsl.loops.step import has_until
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.shape import shape_i
from tensordsl.ops.control import require
from tensordsl.ops.math.comparisons import eq
from tensordsl.ops.math.elementwise import minimum
from tensordsl.ops.operands import as_variable
from tensordsl.signature.updates import OrderedUpdates


def scan_checkpoints(
    fn: Any,
    sequences: Any = (),
    outputs_info: Any = None,
    non_sequences: Any = (),
    name: str = "checkpointscan_fn",
    n_steps: Any = None,
    save_every_N: int = 10,
    padding: bool = True,
) -> tuple[Any, OrderedUpdates]:
    """A `scan` that keeps the results of every `save_every_N`-th round, and whose gradient needs as little.

    Forward and backward, memory is that of `rounds / save_every_N + save_every_N` rounds: the gradient computes the
    rounds of one block again when it comes to it, which costs one forward pass more.

    Parameters
    ----------
    fn, sequences, outputs_info, non_sequences, n_steps, name : as for `scan`; no taps, no `until`.
    save_every_N : the number of rounds of a block, an int.
    padding : whether the number of rounds may be another than a multiple of `save_every_N`; then the last block has
        fewer.  False: a call with another number is an error.

    Returns
    -------
    As `scan`, but of each result the values of the rounds `save_every_N`, `2 * save_every_N`, ... and of the last, and
    the updates.

    Raises
    ------
    TypeError, ValueError
        As `scan`; for taps and `until`; for a `save_every_N` below 1.

    >>> import tensordsl, tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> sums, _ = scan_checkpoints(lambda a, total: total + a, [x], [T.zeros(())], save_every_N=2)
    >>> tensordsl.function([x], sums)([1, 2, 3, 4, 5])
    array([ 3., 10., 15.])
    """
    where = f"scan_checkpoints {name!r}"
    walked = [as_variable(s) for s in _listed(sequences, "input", [0], where)]
    infos = _listed(outputs_info, "initial", [-1], where)
    others = _listed(non_sequences, "", [], where)
    size = rounds_of_a_block(save_every_N, where, "save_every_N")
    rounds = _rounds(walked, n_steps, where)
    if not padding:
        message = f"{where}: without padding the number of rounds must be a multiple of save_every_N = {size}"
        if isinstance(rounds, Constant) and rounds.data % size:
            raise ValueError(f"{message}, got {rounds.data}")
        rounds = require(rounds, eq(rounds % size, 0), message)

    def called(*arguments: Any) -> Any:
        returned = fn(*arguments)
        if has_until(returned):
            raise ValueError(f"{where}: until cannot end it: the number of rounds says where blocks begin")
        return returned

    def block(k: Any, *arguments: Any) -> Any:
        start = k * size
        stop = minimum(start + size, rounds)
        given = iter(arguments)
        # A number may start in another dtype, in a block as before it.
        states = [
            None if info is None else State(f"result {j}", next(given), (-1,), is_number(info))
            for j, info in enumerate(infos)
        ]
        results, updates = scan_rounds(
            called, [x[start:stop] for x in walked], states or None, [*given], stop - start, name=name, return_list=True
        )
        return [values[-1] for values in results], updates

    blocks = arange((rounds + (size - 1)) // size)
    return scan_rounds(block, blocks, infos or None, others, name=name, recomputes=True)


def _listed(given: Any, key: str, usual: list[int], where: str) -> list[Any]:
    """What a list or one value says, of dictionaries what stands at the key."""
    several = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    for one in several:
        if isinstance(one, Mapping) and one.get("taps") not in (None, usual):
            raise ValueError(f"{where} does not work with taps, got {dict(one)!r}: write scan")
    return [one.get(key) if isinstance(one, Mapping) else one for one in several]


def _rounds(walked: list[Any], n_steps: Any, where: str) -> Any:
    if n_steps is not None:
        return number_of_rounds(n_steps, where, "n_steps")
    if not walked:
        raise ValueError(f"{where}: nothing says how many rounds there are: give n_steps or a sequence")
    rounds = shape_i(walked[0], 0)
    for x in walked[1:]:
        rounds = minimum(rounds, shape_i(x, 0))
    return rounds
