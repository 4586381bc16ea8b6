"""The workloads: what is measured, on which data, and the figure that it has to reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Kind = Literal["call", "compile", "import", "memory"]
Data = tuple[Any, ...]
Build = Callable[[Data], "Call"]  # an adapter makes of a workload's data what is timed
# An operand of the memory workload: large enough that the allocator returns it to the system.
MEMORY_LENGTH = 4_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """A statement to be timed, and the names it uses; its value is compared with NumPy's, or what `result` gives."""

    statement: str
    names: dict[str, Any]
    result: Callable[[], Any] | None = None
    is_compared: bool = True  # what the machine does at best may be a part of the work

    def evaluate(self) -> Any:
        value = eval(self.statement, dict(self.names))
        return self.result() if self.result else value


@dataclass(frozen=True, slots=True)
class Target:
    """The most that tensordsl may take: in the workload's unit, and as ratios in the same run."""

    at_most: float | None = None
    ratio_to_numpy: float | None = None
    ratio_to: tuple[str, float] | None = None  # another workload of ours in the same state, and the factor
    ratio_to_best: float | None = None  # to the fastest of the others
    ratio_to_machine: float | None = None  # to what the machine does at best (`benchmarks.peers.machine`)
    beyond_best: float | None = None  # how many seconds more than the fastest of the others


def long_vector() -> dict[str, Any]:
    return {"x": np.linspace(0.0, 1.0, MEMORY_LENGTH)}


@dataclass(frozen=True, slots=True)
class Workload:
    """One row of the table. `kind` says how it is measured:

    call     seconds per call in a warm process, minimum of many batches
    compile  CPU seconds from the first symbol to the first result: `cold` with an empty disk cache, in a process that
             has compiled something else; `warm` with the disk cache, in a process that has done the same before
    import   seconds of importing the library after NumPy
    memory   temporary bytes of a first call with the names of `large` exchanged, in units of `unit` bytes
    """

    name: str
    kind: Kind
    what: str
    make: Callable[[], Data] = tuple
    targets: dict[str, Target] = field(default_factory=dict)
    is_slow: bool = False
    rtol: float = 1e-9
    like: str = ""  # the workload that adapters have, of which this one is another use
    large: Callable[[], dict[str, Any]] = long_vector
    unit: int = MEMORY_LENGTH * 8

    @property
    def built(self) -> str:
        return self.like or self.name


def vectors(count: int, length: int) -> Callable[[], Data]:
    def make() -> Data:
        return tuple(np.random.default_rng(0).uniform(0.1, 1.0, (count, length)))

    return make


def tutorial_data() -> Data:
    """Points (2, 1000), labels (1000,), and the weights (4, 2) and (1, 4) of the Theano tutorial's network."""
    random = np.random.RandomState(0)
    labels = random.randint(0, 2, 1000)
    means, spread = np.array([[-1, 1], [-1, 1]]), random.random_sample((2, 2)) + 1
    points = np.vstack([random.randn(1000) * spread[axis, labels] + means[axis, labels] for axis in (0, 1)])
    return points, labels.astype(float), random.randn(4, 2), random.randn(1, 4)


def chain(x: Any, length: int, tanh: Callable[[Any], Any]) -> Any:
    """`length` elementwise operations, every third one (from the first) a tanh."""
    for position in range(length):
        x = tanh(x) if position % 3 == 0 else x * 1.01 if position % 3 == 1 else x + 0.1
    return x


NODES = {f"nodes-{length}": length for length in (3, 10, 30, 100, 300, 1000)}  # of the plot of compile time
CHAINS = {f"compile-chain-{length}": length for length in (200, 1_000, 10_000, 50_000)}


def builders(
    call_vector: Build,
    call_scalar: Build,
    call_wide: Build,
    compile_ten_ops: Build,
    training_step: Build,
    compile_chain: Callable[[int], Build],
    longest: int,
) -> dict[str, Build]:
    """An adapter's part of `BUILD` for these workloads, with chains up to the `longest` that makes sense for it."""
    return {
        "call-vector": call_vector,
        "call-scalar": call_scalar,
        "call-wide": call_wide,
        "compile-ten-ops": compile_ten_ops,
        "compile-train": training_step,
        "train-step": training_step,
        "memory-chain": compile_chain(9),
        **{name: compile_chain(length) for name, length in (CHAINS | NODES).items() if length <= longest},
    }


WORKLOADS = (
    Workload("call-vector", "call", "`x*y+z`, float64 (8,)", vectors(3, 8), {"": Target(100e-9, 0.2)}),
    Workload("call-scalar", "call", "`foo**2` of a Python float", lambda: (1.5,), {"": Target(110e-9)}),
    Workload("call-wide", "call", "20 inputs and 5 outputs, float64 (8,)", vectors(20, 8), {"": Target(450e-9)}),
    Workload(
        "compile-ten-ops",
        "compile",
        "10 elementwise operations",
        vectors(2, 1000),
        {"cold": Target(12e-3), "warm": Target(1e-3)},
    ),
    Workload(
        "compile-train",
        "compile",
        "the tutorial's training function",
        tutorial_data,
        {"cold": Target(40e-3), "warm": Target(3e-3)},
    ),
    Workload(
        "compile-chain-200",
        "compile",
        "chain of 200 operations, 67 of them tanh",
        vectors(1, 1000),
        {"cold": Target(60e-3), "warm": Target(4e-3)},
    ),
    Workload(
        "compile-chain-1000",
        "compile",
        "chain of 1,000 operations, 334 of them tanh",
        vectors(1, 1000),
        {"cold": Target(300e-3), "warm": Target(15e-3)},
    ),
    Workload("compile-chain-10000", "compile", "chain of 10,000 operations", vectors(1, 1000), is_slow=True),
    Workload(
        "compile-chain-50000",
        "compile",
        "chain of 50,000 operations",
        vectors(1, 1000),
        # Linear growth, with a fifth of it for the caches of the machine.
        {"cold": Target(ratio_to=("compile-chain-10000", 6.0))},
        is_slow=True,
    ),
    Workload("train-step", "call", "one training step on (2, 1000)", tutorial_data, {"": Target(9e-6)}),
    Workload("import", "import", "importing the library, above NumPy", targets={"": Target(60e-3)}),
    Workload(
        "memory-chain",
        "memory",
        "temporaries of 9 fused operations, in operands",
        vectors(1, 16),
        {"": Target(0.1)},
    ),
)

NODE_WORKLOADS = tuple(
    Workload(name, "compile", f"chain of {length} operations", vectors(1, 1000)) for name, length in NODES.items()
)
