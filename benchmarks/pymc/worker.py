"""One measure of one model in this process: `python -m benchmarks.pymc.worker MEASURE MODEL PEER...` prints JSON.

Measures  compile  CPU seconds from the model to its first value and gradient; of ours also those of this library, and
                   of its own parts that an empty cache lacks
          calls    CPU seconds of a call, bare and through PyTensor, of all peers in turn; differences; Python's steps
          nutpie   CPU seconds of compiling and of 2 chains, number of draws and of gradients
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

OURS = "tensordsl"
MODES = {OURS: "TENSORDSL", "numba": "NUMBA", "jax": "JAX"}
POINTS = 6
ROUNDS, SECONDS_OF_A_ROUND = 25, 0.005


def compiled(model: Any, peer: str) -> Any:
    """PyTensor's function of a point as one vector: log-density and gradient."""
    return model.logp_dlogp_function(ravel_inputs=True, mode=MODES[peer])._pytensor_function


@contextlib.contextmanager
def timed(module: str, name: str, spent: dict[str, float], key: str) -> Iterator[None]:
    """Adds up the CPU seconds of calls of a function of a module's."""
    home = importlib.import_module(module)
    function = getattr(home, name)

    def around(*arguments: Any, **options: Any) -> Any:
        begin = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            spent[key] += time.process_time() - begin

    setattr(home, name, around)
    try:
        yield
    finally:
        setattr(home, name, function)


def measure_compile(name: str, peer: str) -> dict[str, Any]:
    from benchmarks.pymc.models import make, start

    spent = {"own": 0.0, "library": 0.0}
    with contextlib.ExitStack() as stack:
        if peer == OURS:
            import tensordsl.pytensor  # noqa: F401  # the mode

            stack.enter_context(timed("tensordsl.pytensor.linker", "compiled", spent, "own"))
            stack.enter_context(timed("tensordsl.functions.native", "_library_object", spent, "library"))
        model = make(name)
        x = start(model)
        begin = time.process_time()
        compiled(model, peer)(x)
        seconds = time.process_time() - begin
    return {"seconds": seconds, **(spent if peer == OURS else {})}


def bare(function: Any, peer: str) -> Callable[[Any], Any]:
    """The compiled function itself, without PyTensor's around it, with the model's data at hand."""
    data, jitted = [c.storage[0] for c in function.input_storage][1:], function.vm.jit_fn
    if peer == "jax":
        from jax import block_until_ready

        return lambda x: block_until_ready(jitted(x, *data))
    return (lambda x: jitted(x, *data)) if data else jitted  # type: ignore[no-any-return]


def seconds_of(call: Callable[[Any], Any], x: Any, count: int) -> float:
    begin = time.process_time()
    for _ in range(count):
        call(x)
    return (time.process_time() - begin) / count


def repeats(call: Callable[[Any], Any], x: Any) -> int:
    """How many calls a round takes."""
    count = 1
    while seconds_of(call, x, count) * count < SECONDS_OF_A_ROUND:
        count *= 2
    return count


def differences(functions: dict[str, Any], x: Any) -> dict[str, dict[str, float]]:
    """Of each peer from ours, the largest of values and of gradients: relative, below 1 absolute."""
    found = {peer: {"value": 0.0, "gradient": 0.0} for peer in functions if peer != OURS}
    noise = np.random.default_rng(1)
    for k in range(POINTS):
        point = x + 0.1 * noise.normal(size=x.size) * (k > 0)
        value, slope = functions[OURS](point)
        for peer, worst in found.items():
            other, theirs = (np.asarray(v) for v in functions[peer](point))
            if not np.isfinite(value) or not np.isfinite(other):
                worst["value"] = max(worst["value"], 0.0 if value == other else np.inf)
                continue
            worst["value"] = max(worst["value"], float(abs(value - other) / max(abs(other), 1)))
            gap = np.max(np.abs(slope - theirs)) / max(np.max(np.abs(theirs)), 1)
            worst["gradient"] = max(worst["gradient"], float(gap))
    return found


def measure_calls(name: str, *peers: str) -> dict[str, Any]:
    import tensordsl.pytensor as linked
    from benchmarks.pymc.models import make, start

    model = make(name)
    x = start(model)
    functions, missing = {}, {}
    for peer in peers:
        try:
            functions[peer] = compiled(model, peer)
            functions[peer](x)
        except Exception as error:  # what a peer can't is a line of the report; what we can't ends the worker
            if peer == OURS:
                raise
            missing[peer] = words(error)
            functions.pop(peer, None)
    calls: dict[tuple[str, str], Callable[[Any], Any]] = {}
    for peer, function in functions.items():
        calls[peer, "bare"], calls[peer, "whole"] = bare(function, peer), function
    gc.collect()
    gc.freeze()
    counts, best = {key: repeats(call, x) for key, call in calls.items()}, dict.fromkeys(calls, np.inf)
    for _ in range(ROUNDS):
        for key, call in calls.items():
            best[key] = min(best[key], seconds_of(call, x, counts[key]))
    steps = linked.python_steps(functions[OURS]) if OURS in functions else ()
    return {
        "parameters": x.size,
        "calls": {peer: {kind: best[peer, kind] for kind in ("bare", "whole")} for peer in functions},
        "differences": differences(functions, x) if OURS in functions else {},
        "python_steps": list(steps),
        "missing": missing,
    }


def measure_nutpie(name: str, peer: str, draws: str = "1000", chains: str = "2") -> dict[str, Any]:
    import nutpie

    from benchmarks.pymc.models import make

    model = make(name)
    if peer == OURS:
        import tensordsl.pymc
    begin = time.process_time()
    if peer == OURS:
        ready = tensordsl.pymc.compile(model)
    else:
        ready = nutpie.compile_pymc_model(model, backend=peer)
    middle = time.process_time()
    trace = nutpie.sample(ready, draws=int(draws), chains=int(chains), cores=1, seed=1, progress_bar=False)
    end = time.process_time()
    made = int(draws) * int(chains)
    return {
        "seconds": end - begin, "compile": middle - begin, "sampling": end - middle, "draws": made,
        "draws_per_second": made / (end - middle), "gradients": int(np.sum(trace.sample_stats["n_steps"])),
    }  # fmt: skip


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    "compile": measure_compile, "calls": measure_calls, "nutpie": measure_nutpie,
}  # fmt: skip


def words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def main(measure: str, *arguments: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not mix with the answer
    warnings.filterwarnings("ignore")
    logging.disable(logging.ERROR)
    try:
        found = MEASURES[measure](*arguments)
    except Exception as error:  # a finding to report
        found = {"error": words(error)}
    answers.write(json.dumps(found) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
