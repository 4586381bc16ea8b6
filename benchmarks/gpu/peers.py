"""The workloads of `benchmarks.gpu` in the words of each library: functions of operands, and training steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

RATE = 0.01  # of learning


def _square(n: int) -> list[np.ndarray]:
    return [np.random.default_rng(0).standard_normal((n, n)).astype("float32")]


def _pair(n: int) -> list[np.ndarray]:
    return [*_square(n), np.random.default_rng(1).standard_normal((n, n)).astype("float32")]


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Workload(NamedTuple):
    """operands(n): float32 arrays of sides n, or `quick`; `numpy` is the judge.  traffic: times that the device's
    memory carries an operand's bytes, reading or writing, if nothing is read twice; 0: not limited by memory.  floor:
    the share of the bandwidth of a copy that is to be reached."""

    name: str
    operands: Callable[[int], list[np.ndarray]]
    numpy: Callable[..., np.ndarray]
    n: int
    quick: int
    traffic: int = 0
    floor: float = 0.0


WORKLOADS = [
    Workload("tanh(x) * y + x", _pair, lambda x, y: np.tanh(x) * y + x, 4096, 64, 3, 0.9),
    Workload("softmax of rows", _square, _softmax, 4096, 64, 2, 0.85),
    Workload("sum over everything", _square, lambda x: x.sum(dtype="float64").astype("float32"), 8192, 64, 1, 0.9),
    Workload("sums of rows", _square, lambda x: x.sum(axis=1), 8192, 64, 1, 0.9),
    Workload("sums of columns", _square, lambda x: x.sum(axis=0), 8192, 64, 1, 0.9),
    Workload("x.T + y", _pair, lambda x, y: x.T + y, 4096, 64, 3),
    Workload("sorted rows", _square, lambda x: np.sort(x, axis=1), 2048, 64),
    Workload("running sums of rows", _square, lambda x: np.cumsum(x, axis=1), 4096, 64, 2),
    Workload("matrix product", _pair, lambda x, y: x @ y, 4096, 64),
    Workload("small: tanh(x) * y + x", _pair, lambda x, y: np.tanh(x) * y + x, 32, 16),
]


class Network(NamedTuple):
    """A network of tanh layers with softmax cross-entropy, trained by gradient descent; sizes from input to output."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    quick: tuple[int, ...]


NETWORKS = [
    Network("training step 784-512-10, 128 rows", (784, 512, 10), 128, (12, 8, 4)),
    Network("training step 4096-4096-4096-10, 1024 rows", (4096, 4096, 4096, 10), 1024, (16, 16, 16, 4)),
]

Call = Callable[[], Any]


class Peer(NamedTuple):
    """workload(number, operands) and network(parameters, x, t) give what one call does; it returns when the device is
    done.  Parameters: W and b of each layer; t: classes.  A network's call gives its cost before the step."""

    workload: Callable[[int, list[np.ndarray]], Call]
    network: Callable[[list[np.ndarray], np.ndarray, np.ndarray], Call]


def data_of(sizes: tuple[int, ...], batch: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    parameters = []
    for m, n in zip(sizes, sizes[1:], strict=False):
        parameters += [(rng.standard_normal((m, n)) / np.sqrt(m)).astype("float32"), np.zeros(n, "float32")]
    x = rng.standard_normal((batch, sizes[0])).astype("float32")
    return parameters, x, rng.integers(0, sizes[-1], batch)


def first_cost(parameters: list[np.ndarray], x: np.ndarray, t: np.ndarray) -> float:
    """The cost of the untrained network, by NumPy."""
    h = x
    for k in range(0, len(parameters), 2):
        h = h @ parameters[k] + parameters[k + 1]
        h = np.tanh(h) if k + 2 < len(parameters) else h
    h = h - h.max(axis=1, keepdims=True)
    return float((np.log(np.exp(h).sum(axis=1)) - h[np.arange(len(t)), t]).mean())


def _expressions(m: Any, x: Any, y: Any, softmax: Callable[[Any], Any]) -> list[Call]:
    """The workloads in the words of a library whose names are NumPy's."""
    return [
        lambda: m.tanh(x) * y + x, lambda: softmax(x), lambda: x.sum(), lambda: x.sum(axis=1), lambda: x.sum(axis=0),
        lambda: x.T + y, lambda: m.sort(x, axis=1), lambda: m.cumsum(x, axis=1), lambda: m.matmul(x, y),
        lambda: m.tanh(x) * y + x,
    ]  # fmt: skip


# -- tensordsl
def workload_function(number: int, operands: list[np.ndarray], device: str) -> tuple[Any, list[Any]]:
    """Our function of a workload and its arguments on the device; the result stays there."""
    import tensordsl
    import tensordsl.tensor as T
    from tensordsl.functions.devices import to_device

    x, y = T.fmatrix("x"), T.fmatrix("y")
    tanh, softmax, sort, cumsum, dot = T.tanh, T.nnet.softmax, T.sort, T.cumsum, T.dot
    made = [
        lambda: tanh(x) * y + x, lambda: softmax(x), lambda: x.sum(), lambda: x.sum(axis=1), lambda: x.sum(axis=0),
        lambda: x.T + y, lambda: sort(x, axis=1), lambda: cumsum(x, axis=1), lambda: dot(x, y), lambda: tanh(x) * y + x,
    ][number]()  # fmt: skip
    f = tensordsl.function([x, y][: len(operands)], tensordsl.Out(made, target="device"), device=device)
    return f, [to_device(a, device) for a in operands]


def network_function(parameters: list[np.ndarray], x: np.ndarray, t: np.ndarray, device: str) -> tuple[Any, list[Any]]:
    import tensordsl
    import tensordsl.tensor as T
    from tensordsl.functions.devices import to_device

    rows, classes = T.fmatrix("x"), T.lvector("t")
    state = [tensordsl.shared(p, target=device) for p in parameters]
    h: Any = rows
    for k in range(0, len(state), 2):
        h = T.dot(h, state[k]) + state[k + 1]
        h = T.tanh(h) if k + 2 < len(state) else h
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(h), classes).mean()
    gradients = T.grad(cost, state)
    updates = [(p, p - np.float32(RATE) * g) for p, g in zip(state, gradients, strict=True)]
    f = tensordsl.function([rows, classes], cost, updates=updates, device=device)
    return f, [to_device(x, device), to_device(t, device)]


def tensordsl_peer(device: str) -> Peer:
    from tensordsl.functions.devices import get_device

    get_device(device)

    def call(f: Any, arguments: list[Any]) -> Call:
        return lambda: f(*arguments)

    return Peer(
        lambda number, operands: call(*workload_function(number, operands, device)),
        lambda parameters, x, t: call(*network_function(parameters, x, t, device)),
    )


# -- the others
def cupy_peer(device: str) -> Peer:
    import cupy

    def softmax(x: Any) -> Any:
        e = cupy.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def workload(number: int, operands: list[np.ndarray]) -> Call:
        arrays = [cupy.asarray(a) for a in operands]
        form = _expressions(cupy, arrays[0], arrays[-1], softmax)[number]

        def run() -> Any:
            result = form()
            cupy.cuda.get_current_stream().synchronize()
            return result

        return run

    def network(parameters: list[np.ndarray], x: np.ndarray, t: np.ndarray) -> Call:
        raise NotImplementedError("cupy has no gradients")

    return Peer(workload, network)


def torch_peer(is_compiled: bool) -> Callable[[str], Peer]:
    """Compiled: `torch.compile` with CUDA graphs, of the whole step where one trains."""

    def make(device: str) -> Peer:
        import torch

        if device != "cpu" and not torch.cuda.is_available():
            raise RuntimeError("torch sees no GPU")
        place = "cpu" if device == "cpu" else "cuda"
        wait = torch.cuda.synchronize if place == "cuda" else lambda: None
        torch.backends.cuda.matmul.allow_tf32 = False  # float32 is float32 with all

        def workload(number: int, operands: list[np.ndarray]) -> Call:
            arrays = [torch.as_tensor(a, device=place) for a in operands]
            form = [
                lambda x, y: torch.tanh(x) * y + x, lambda x, y: torch.softmax(x, 1), lambda x, y: x.sum(),
                lambda x, y: x.sum(1), lambda x, y: x.sum(0), lambda x, y: x.T + y,
                lambda x, y: torch.sort(x, dim=1).values, lambda x, y: torch.cumsum(x, 1), lambda x, y: x @ y,
                lambda x, y: torch.tanh(x) * y + x,
            ][number]  # fmt: skip
            if is_compiled:
                form = torch.compile(form, mode="reduce-overhead")

            def run() -> Any:
                result = form(arrays[0], arrays[-1])
                wait()
                return result

            return run

        def network(parameters: list[np.ndarray], x: np.ndarray, t: np.ndarray) -> Call:
            state = [torch.tensor(p, device=place, requires_grad=True) for p in parameters]  # a copy
            rows, classes = torch.as_tensor(x, device=place), torch.as_tensor(t, device=place)
            descent = torch.optim.SGD(state, lr=RATE)

            def forward(rows: Any, classes: Any, *state: Any) -> Any:
                h = rows
                for k in range(0, len(state), 2):
                    h = h @ state[k] + state[k + 1]
                    h = torch.tanh(h) if k + 2 < len(state) else h
                return torch.nn.functional.cross_entropy(h, classes)

            form = torch.compile(forward) if is_compiled else forward

            def step() -> Any:
                descent.zero_grad(set_to_none=True)
                cost = form(rows, classes, *state)
                cost.backward()
                descent.step()
                return cost.detach()

            if is_compiled and place == "cuda":
                return _captured(torch, step)

            def run() -> Any:
                cost = step()
                wait()
                return cost

            first = run()  # as the captured form, which needs calls before it is one
            return _once_then(first, run)

        return Peer(workload, network)

    return make


def _captured(torch: Any, step: Call) -> Call:
    """A step as one CUDA graph, after a few calls in a stream beside, as torch's manual wants it."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        first = step().clone()
        for _ in range(2):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        cost = step()

    def run() -> Any:
        graph.replay()
        torch.cuda.synchronize()
        return cost

    return _once_then(first, run)


def _once_then(first: Any, run: Call) -> Call:
    """Gives the first result at the first call, what `run` gives later."""
    results = [first]
    return lambda: results.pop() if results else run()


def jax_peer(device: str) -> Peer:
    import jax
    import jax.numpy as jnp

    if device != "cpu" and jax.default_backend() != "gpu":
        raise RuntimeError("jax sees no GPU")
    jax.config.update("jax_default_matmul_precision", "highest")

    def workload(number: int, operands: list[np.ndarray]) -> Call:
        arrays = [jax.device_put(a) for a in operands]
        form = jax.jit(lambda x, y: _expressions(jnp, x, y, jax.nn.softmax)[number]())
        return lambda: form(arrays[0], arrays[-1]).block_until_ready()

    def network(parameters: list[np.ndarray], x: np.ndarray, t: np.ndarray) -> Call:
        def cost_of(state: list[Any], rows: Any, classes: Any) -> Any:
            h = rows
            for k in range(0, len(state), 2):
                h = h @ state[k] + state[k + 1]
                h = jnp.tanh(h) if k + 2 < len(state) else h
            return -jnp.take_along_axis(jax.nn.log_softmax(h), classes[:, None], 1).mean()

        def step(state: list[Any], rows: Any, classes: Any) -> Any:
            cost, gradients = jax.value_and_grad(cost_of)(state, rows, classes)
            return cost, [p - RATE * g for p, g in zip(state, gradients, strict=True)]

        form = jax.jit(step, donate_argnums=0)
        held = [jax.device_put(p) for p in parameters]
        rows, classes = jax.device_put(x), jax.device_put(t)

        def run() -> Any:
            cost, held[:] = form(list(held), rows, classes)
            jax.block_until_ready(held)
            return cost

        return run

    return Peer(workload, network)


PEERS: dict[str, Callable[[str], Peer]] = {
    "tensordsl": tensordsl_peer, "cupy": cupy_peer, "torch": torch_peer(False), "torch compiled": torch_peer(True),
    "jax": jax_peer,
}  # fmt: skip
