"""GPUs (experimental): groups, products and library calls as kernels for NVIDIA's processors and for a simulator.

Comes in   groups and instructions of a program for a device: `program.device_plan` makes the plans of such a program.
Goes out   `schedule.GpuPlan`: LLVM text of a group's kernels, and which follow each other; `compile.compile_text`: PTX
           of such text; `launch.Launch`: grid, block and arguments for operands of some shapes and strides.
Flow       `program.gpu_step` -> `schedule.plan` (axis of the threads, one or two stages) -> `kernels` (five patterns)
           with `elementwise`, `row_in_registers`, `accesses`; `builder` writes the text. `transpose_operands` copies
           operands first where strides need it. Others: `gemm` with `gemm_epilogue`, `scatter`, `sort`, and `scan`
           with `scan_values`, which share `lines`; `library_calls` has the steps of a library call, which its construct
           chooses. `fastmath` is an option. `serialise` stores what a warm start launches.
Uses       `fusion`, `scalar_ir`, `llvm.emit_scalars` at one lane; of `cpu` the plan for steps that stay on the host.
Used by    `tensordsl.functions.devices` and `device_steps` join these with `runtime.device`; `bufferise` makes
           device plans.
Begin with the docstrings of `kernels` and `launch`, docs/gpu.md, then `gemm`.
To add     a pattern: `kernels` and its launch; a library call: a module, its steps in `library_calls`.  Tests run every
           kernel in the simulator (`runtime.driver.simulator`) in several orders of threads.
"""
