"""Constructs that have kernels of their own on a device: matrix products, and writing at positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tensordsl.functions.native import kernel_code
from tensordsl.runtime.device.device import Module
from tensordsl.runtime.driver.cublas import on_columns

if TYPE_CHECKING:
    from tensordsl.codegen.gpu.launch import Launch
    from tensordsl.runtime.device.device import Device
    from tensordsl.runtime.device.runner import DeviceRunner

Launches = Callable[[int], Sequence[Any]]  # (address of scratch) -> launches


def kernel_target(device: Device) -> str:
    """What kernels are compiled for: an architecture, or "" for the simulator, which takes LLVM's text."""
    if device.driver.language != "ptx":
        return ""
    from tensordsl.codegen.gpu.program import architecture  # late: the compiler

    return architecture(device.driver.info.capability)


def compiled_text(device: Device, text: str) -> str:
    """What the device's driver takes, from a module of LLVM text."""
    target = kernel_target(device)
    return kernel_code(text, target) if target else text


def _shared_kernels(runner: DeviceRunner, key: Any, text: str, kernels: Sequence[Any]) -> dict[str, Any]:
    """Kernels that all functions use, loaded once per device; they stay as long as a function has them."""
    device, own = runner.device, runner.made.modules
    if key not in own:
        found = device.modules.get(key)
        if found is None:
            found = device.modules[key] = Module(device, compiled_text(device, text), [k.name for k in kernels])
        own[key] = found
    return own[key].kernels


def _run(runner: DeviceRunner, key: Any, plan: Callable[[], tuple[dict[str, Any], int, Launches]]) -> None:
    """Start the launches of a plan; what does not change is kept under the key of all lengths, strides and places."""
    found = runner.made.launches.get(key)
    if found is None:
        found = runner.remember(key, (*plan(), {}))
    kernels, scratch, launches, made = found
    room = runner.pool.take(scratch)
    if room.address not in made:
        made.clear()
        made[room.address] = launches(room.address)
    for step in made[room.address]:
        runner.driver.launch(kernels[step.kernel.name], step.grid, step.block, step.arguments)


def multiply(runner: DeviceRunner, i: Any) -> None:
    """`program_ir.instructions.Gemm`, by the device's library where it takes it, else by the kernels of
    `codegen.gpu.gemm`: if what follows can be their epilogue, later."""
    places, strides, (m, n, k, ldc) = _product(runner, i)
    if runner.driver.has_products():
        several = _several(runner, i)
        known = on_columns(i.dtype, (m, n, k), places, strides[:2], strides[2:], ldc, i.alpha, i.beta, several)
        if known is not None:
            runner.driver.multiply(known)
            return
    if id(i) in runner.made.epilogues:
        from tensordsl.codegen.gpu import gemm as gpu_gemm  # late: the compiler

        if gpu_gemm.choose(i.dtype, m, n, k, strides[:2], strides[2:]).variant.startswith("tiled"):
            runner.deferred = i
            return
    _multiply(runner, i)


def _product(runner: DeviceRunner, i: Any) -> tuple[tuple[int, int, int], tuple[int, ...], tuple[int, int, int, int]]:
    """Addresses of A, B and C; strides of A and B in elements; m, n, k, and elements from row to row of C."""
    v = runner.values
    strides = tuple(v[x] for x in (*i.a_strides, *i.b_strides))
    return (v[i.a], v[i.b], v[i.c]), strides, (v[i.m], v[i.n], v[i.k], v[i.ldc])


def _several(runner: DeviceRunner, i: Any) -> tuple[int, ...]:
    """How many products, and how far the operands of one are from those of the one before; nothing for one product."""
    return () if i.count is None else tuple(runner.values[x] for x in (i.count, *i.steps))


def _matrices(
    places: Sequence[int], strides: Sequence[int], sizes: Sequence[int], several: Sequence[int] = ()
) -> tuple[Any, ...]:
    """A, B and C as operands; `several`: how many of each there are, and their distances."""
    from tensordsl.codegen.gpu.launch import Operand  # late: the compiler

    m, n, k, ldc = sizes
    steps, shapes = (strides[:2], strides[2:], (ldc, 1)), ((m, k), (k, n), (m, n))
    count, batch_strides = several[:1], [(d,) for d in (*several[1:], m * ldc)] if several else [()] * 3
    return tuple(
        Operand(place, (*count, *shape), (*first, *rest))
        for place, shape, first, rest in zip(places, shapes, batch_strides, steps, strict=True)
    )


def _multiply(runner: DeviceRunner, i: Any) -> None:
    places, strides, sizes = _product(runner, i)
    m, n, k, _ = sizes
    several = _several(runner, i)
    device = runner.device

    def plan() -> tuple[dict[str, Any], int, Launches]:
        from tensordsl.codegen.gpu import gemm as gpu_gemm  # late: the compiler

        choice = gpu_gemm.choose(i.dtype, m, n, k, strides[:2], strides[2:], *several[:1])
        product = gpu_gemm.product(i.dtype, choice.variant, i.alpha, i.beta)
        kernels = [product.kernel] if product.kernel is not None else []
        kernels += product.second.kernels if product.second is not None else []
        a, b, c = _matrices(places, strides, sizes, several)
        loaded = _shared_kernels(runner, (product.name, i.alpha, i.beta), product.text, kernels)

        def launches(scratch: int) -> Sequence[Launch]:
            return gpu_gemm.launches(product, choice, a, b, c, scratch, device.driver.info.multiprocessors)

        return loaded, choice.scratch, launches

    _run(runner, ("gemm", i.dtype, sizes, strides, several, i.alpha, i.beta, places), plan)


def epilogue(runner: DeviceRunner, i: Any) -> bool:
    """The product `i`, which has been deferred, in one kernel with the launch behind it; else alone, and False."""
    e = runner.made.epilogues[id(i)]
    step = runner.made.steps[e.launch.plan]
    places, strides, sizes = _product(runner, i)
    addresses, steps, *described, (symbols, _, overlaps) = runner.arranged(e.launch)
    a, b, c = _matrices(places, strides, sizes)
    if overlaps or not _is_fit(e, step, (a, b, c), addresses, steps, symbols):
        _multiply(runner, i)
        return False

    def plan() -> tuple[dict[str, Any], int, Launches]:
        from tensordsl.codegen.gpu import gemm as gpu_gemm
        from tensordsl.codegen.gpu import gemm_epilogue  # late: the compiler

        m, n, k, _ = sizes
        variant = gpu_gemm.choose(i.dtype, m, n, k, strides[:2], strides[2:]).variant
        made = gemm_epilogue.fused(step, e, variant)
        loaded = _shared_kernels(runner, ("epilogue", made.product.text), made.product.text, [made.product.kernel])
        operands = step.operands(addresses, steps, symbols)

        def launches(scratch: int) -> Sequence[Launch]:
            return gemm_epilogue.fused_launch(made, a, b, c, operands, symbols, runner.dummy)

        return loaded, 0, launches

    _run(runner, ("epilogue", e.launch.plan, id(i), places, strides, sizes, *addresses, steps, *described), plan)
    return True


def _is_fit(e: Any, step: Any, matrices: Sequence[Any], addresses: Any, steps: Any, symbols: Any) -> bool:
    """Whether the launch reads C as the product writes it, and writes to neither A nor B."""
    from tensordsl.codegen.gpu.launch import span  # late: the compiler
    from tensordsl.codegen.scalar_ir.builder import ITEMSIZE

    operands = step.operands(addresses, steps, symbols)
    *factors, c = matrices
    read = operands[step.plan.operands[e.read]]
    if (read.address, read.shape) != (c.address, c.shape) or any(
        s != t for s, t, n in zip(read.strides, c.strides, c.shape, strict=True) if n > 1
    ):
        return False
    numbers = range(step.plan.n_inputs, len(step.plan.operands))
    outs = [(operands[step.plan.operands[k]], ITEMSIZE[step.plan.operands[k].type]) for k in numbers]
    read_spans = [span(o, ITEMSIZE[e.gemm.dtype]) for o in factors]
    return not any(
        first < end and begin < last for first, last in read_spans for begin, end in (span(*o) for o in outs)
    )


def scatter(runner: DeviceRunner, i: Any) -> None:
    """`program_ir.instructions.Scatter`, by the kernels of `codegen.gpu.scatter`; its positions have been checked."""
    v, device = runner.values, runner.device
    count, y_step = v[i.count], v[i.y_step]
    names = i.lengths, i.steps, i.dims, i.x_strides, i.y_strides, i.positions
    lengths, steps, dims, x_strides, y_strides, positions = (tuple(v[x] for x in group) for group in names)
    places = v[i.x], v[i.y], runner.dummy
    if 0 in lengths:
        return  # positions are none, or out of range, which is an error when the call has ended

    def plan() -> tuple[dict[str, Any], int, Launches]:
        from tensordsl.codegen.gpu import scatter as gpu_scatter  # late: the compiler
        from tensordsl.codegen.gpu.launch import Operand
        from tensordsl.codegen.scalar_ir.builder import ITEMSIZE

        item, indexed = ITEMSIZE[i.dtype], len(positions)
        form = i.dtype, indexed + len(dims), tuple(range(indexed)), ("int64",) * indexed, 1, i.set
        made = gpu_scatter.scatter(*form)

        def operand(address: int, shape: Sequence[int], strides: Sequence[int]) -> Operand:
            return Operand(address, tuple(shape), tuple(s // item for s in strides))

        x = operand(places[0], (*lengths, *dims), (*steps, *x_strides))
        y = operand(places[1], (count, *dims), (y_step, *y_strides))
        indices = [Operand(p, (count,), (1,)) for p in positions]
        loaded = _shared_kernels(runner, ("scatter", *form), made.text, (made.check, made.write))

        def launches(scratch: int) -> Sequence[Launch]:
            return gpu_scatter.launches(made, x, y, indices, places[2], device.driver.info.multiprocessors)[1:]

        return loaded, 0, launches

    key = "scatter", i.dtype, i.set, count, y_step, lengths, steps, dims, x_strides, y_strides, positions, places
    _run(runner, key, plan)


def library(runner: DeviceRunner, i: Any) -> None:
    """`program_ir.instructions.LibraryCall`, by the kernels of `codegen.gpu.library_calls`."""
    v, device = runner.values, runner.device
    described = [
        (v[name], dtype, tuple(v[n] for n in dims), tuple(v[s] for s in strides))
        for name, dtype, dims, strides in (*i.inputs, *i.outputs)
    ]

    def plan() -> tuple[dict[str, Any], int, Launches]:
        from tensordsl.codegen.gpu import library_calls  # late: the compiler
        from tensordsl.codegen.gpu.launch import Operand
        from tensordsl.codegen.scalar_ir.builder import ITEMSIZE

        operands = [Operand(a, dims, tuple(s // ITEMSIZE[t] for s in strides)) for a, t, dims, strides in described]
        dtypes = [t for _, t, _, _ in described]
        made, scratch, launches = library_calls.library_steps(
            i.function, dtypes, operands, device.driver.info.multiprocessors
        )
        key = i.function, dtypes[0], dtypes[1], len(operands[0].shape)
        return _shared_kernels(runner, key, made.text, made.all_kernels), scratch, launches

    _run(runner, ("library", i.function, *described), plan)


STEPS: dict[str, Callable[[DeviceRunner, Any], Any]] = {
    "Gemm": multiply, "Scatter": scatter, "LibraryCall": library, "Epilogue": epilogue,
}  # fmt: skip
