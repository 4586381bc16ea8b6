"""GPU workloads beside cupy, torch and jax: `python -m benchmarks.gpu [--device cuda] [--quick]`.

Every peer that can be imported and sees the GPU takes part; results are checked against NumPy.  Times are wall clock of
one call with its synchronisation, the minimum over interleaved rounds; operands are on the device before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

ROUNDS, CALLS = 20, 20


class Workload(NamedTuple):
    """operands(n) gives float32 arrays; `numpy` is the judge."""

    name: str
    operands: Callable[[int], list[np.ndarray]]
    numpy: Callable[..., np.ndarray]
    n: int
    quick: int


def _square(n: int) -> list[np.ndarray]:
    return [np.random.default_rng(0).standard_normal((n, n)).astype("float32")]


def _pair(n: int) -> list[np.ndarray]:
    return [*_square(n), np.random.default_rng(1).standard_normal((n, n)).astype("float32")]


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


WORKLOADS = [
    Workload("tanh(x) * y + x", _pair, lambda x, y: np.tanh(x) * y + x, 4096, 64),
    Workload("softmax of rows", _square, _softmax, 4096, 64),
    Workload("sum over everything", _square, lambda x: x.sum(dtype="float64").astype("float32"), 4096, 64),
    Workload("x.T + y", _pair, lambda x, y: x.T + y, 4096, 64),
    Workload("matrix product", _pair, lambda x, y: x @ y, 4096, 64),
    Workload("small: tanh(x) * y + x", _pair, lambda x, y: np.tanh(x) * y + x, 32, 16),
]

Call = Callable[[], Any]


def _expressions(m: Any, x: Any, y: Any, softmax: Callable[[Any], Any]) -> list[Any]:
    """The workloads in the words of a library whose names are NumPy's."""
    return [m.tanh(x) * y + x, softmax(x), x.sum(), x.T + y, m.matmul(x, y), m.tanh(x) * y + x]


def tensordsl_calls(device: str) -> Callable[[int, list[np.ndarray]], Call]:
    """A function per workload; its operands and results are on the device."""
    import tensordsl
    import tensordsl.tensor as T
    from tensordsl.devices import get_device, to_device

    place = get_device(device)

    def call(number: int, operands: list[np.ndarray]) -> Call:
        x, y = T.fmatrix("x"), T.fmatrix("y")
        made = [T.tanh(x) * y + x, T.nnet.softmax(x), x.sum(), x.T + y, T.dot(x, y), T.tanh(x) * y + x][number]
        inputs = [x, y][: len(operands)]
        f = tensordsl.function(inputs, tensordsl.Out(made, target="device"), device=device)
        arrays = [to_device(a, place) for a in operands]
        return lambda: f(*arrays)

    return call


def cupy_calls(device: str) -> Callable[[int, list[np.ndarray]], Call]:
    import cupy

    def softmax(x: Any) -> Any:
        e = cupy.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def call(number: int, operands: list[np.ndarray]) -> Call:
        arrays = [cupy.asarray(a) for a in operands]
        x, y = (*arrays, arrays[0])[:2]
        forms: list[Call] = [
            lambda: cupy.tanh(x) * y + x, lambda: softmax(x), lambda: x.sum(), lambda: x.T + y,
            lambda: cupy.matmul(x, y), lambda: cupy.tanh(x) * y + x,
        ]  # fmt: skip

        def run() -> Any:
            result = forms[number]()
            cupy.cuda.get_current_stream().synchronize()
            return result

        return run

    return call


def torch_calls(is_compiled: bool) -> Callable[[str], Callable[[int, list[np.ndarray]], Call]]:
    def make(device: str) -> Callable[[int, list[np.ndarray]], Call]:
        import torch

        if not torch.cuda.is_available():
            raise RuntimeError("torch sees no GPU")

        def call(number: int, operands: list[np.ndarray]) -> Call:
            arrays = [torch.as_tensor(a, device="cuda") for a in operands]
            forms = [
                lambda x, y: torch.tanh(x) * y + x, lambda x, y: torch.softmax(x, 1), lambda x, y: x.sum(),
                lambda x, y: x.T + y, lambda x, y: x @ y, lambda x, y: torch.tanh(x) * y + x,
            ]  # fmt: skip
            form = torch.compile(forms[number], mode="reduce-overhead") if is_compiled else forms[number]

            def run() -> Any:
                result = form(arrays[0], arrays[-1])
                torch.cuda.synchronize()
                return result

            return run

        return call

    return make


def jax_calls(device: str) -> Callable[[int, list[np.ndarray]], Call]:
    import jax
    import jax.numpy as jnp

    if jax.default_backend() != "gpu":
        raise RuntimeError("jax sees no GPU")

    def call(number: int, operands: list[np.ndarray]) -> Call:
        arrays = [jax.device_put(a) for a in operands]
        form = jax.jit(lambda x, y: _expressions(jnp, x, y, jax.nn.softmax)[number])
        return lambda: form(arrays[0], arrays[-1]).block_until_ready()

    return call


PEERS: dict[str, Callable[[str], Callable[[int, list[np.ndarray]], Call]]] = {
    "tensordsl": tensordsl_calls, "cupy": cupy_calls, "torch": torch_calls(False), "torch compiled": torch_calls(True),
    "jax": jax_calls,
}  # fmt: skip


def as_numpy(result: Any) -> np.ndarray:
    """The result of any peer on the host."""
    for name in ("get", "cpu"):
        if hasattr(result, name):
            return np.asarray(getattr(result, name)())
    return np.asarray(result)


def measure(calls: dict[str, Call], rounds: int, count: int) -> dict[str, float]:
    """Seconds of a call: the minimum over interleaved rounds of the mean of `count` calls."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(count):
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / count)
    return best


def peers_on(device: str) -> tuple[dict[str, Callable[[int, list[np.ndarray]], Call]], dict[str, str]]:
    """(what takes part, why the others do not)."""
    present, absent = {}, {}
    for name, make in PEERS.items():
        try:
            present[name] = make(device)
        except Exception as error:  # whatever keeps a library from a GPU is a line of the report
            absent[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return present, absent


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", help="ours: cuda, cuda1, ..., or sim (which says nothing of speed)")
    parser.add_argument("--quick", action="store_true", help="small operands, few rounds")
    chosen = parser.parse_args(arguments)
    present, absent = peers_on(chosen.device)
    for name, why in absent.items():
        print(f"{name} is left out: {why}")
    if "tensordsl" not in present:
        print(f"nothing is measured: there is no device {chosen.device}")
        return 0
    print("| workload | " + " | ".join(present) + " |\n|" + " --- |" * (len(present) + 1))
    for number, w in enumerate(WORKLOADS):
        operands = w.operands(w.quick if chosen.quick else w.n)
        calls = {name: make(number, operands) for name, make in present.items()}
        for name, call in calls.items():
            for _ in range(4):  # compile, record
                result = call()
            np.testing.assert_allclose(as_numpy(result), w.numpy(*operands), rtol=2e-3, atol=2e-3, err_msg=name)
        times = measure(calls, 2 if chosen.quick else ROUNDS, 2 if chosen.quick else CALLS)
        print(f"| {w.name}, {operands[0].shape} | " + " | ".join(f"{1e6 * t:.1f} us" for t in times.values()) + " |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
