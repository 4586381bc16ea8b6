"""Program IR: what a compiled function does on the host, as a list of typed instructions.

Comes in   instructions that `bufferise` appends to a `Program`, with the `LaunchPlan`s of its groups.
Goes out   `instructions.Program`: code (with regions: `For`, `If`, `Blocks`), plans, sites for messages.  Values are
           names of an i64 or an address.  A `LaunchPlan` makes its kernels (`Kernels`: symbols, texts, descriptor)
           at first use.
Rules      `verify` proves them: names, regions, the GIL, and the commit rule, that what may fail comes before what
           destroys state.  Its table `EFFECTS` says what each instruction uses, reads, writes and defines.
           `check_storage` finds, by dry runs, who reads what nobody wrote, or what was written over.
Others     `storage` has what a builder knows of a tensor in memory (`Ref`) and of a region (`Scope`); `tables` what a
           program's run time gets with its code, and by which symbols it calls the library;
           `gemm_epilogues` which launches follow a product in its own loops; `printer` prints, `memory_map` tells
           users where storage goes.
Uses       `abi`, `scalar_ir` for sizes, `tensor_ir.extents` for lengths.  It knows nothing of groups.
Used by    `host.emitter` makes LLVM text of a program, `runtime.interpreter` runs one in Python, `runtime.device` on a
           device; `variants` adds what a call has to compare.
Begin with the docstring of `instructions`, then `verify.EFFECTS`.
To add     an instruction: its record in `instructions`, a row of `verify.EFFECTS`, a line in `printer`, its text in
           `host.emitter.EMIT`, its meaning in `runtime.interpreter.runner.RUN`, and for devices in
           `runtime.device.runner.TABLE`.
"""
