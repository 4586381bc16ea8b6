"""The library: code that is compiled once on a machine and serves all programs; here what its parts share.

Comes in   a `target.tuning.Tuning` (facts of the machine, thresholds, what is off), handed over by
           `compiler.library_build`, dtypes, names of objects.
Goes out   LLVM text: one module for each object in `abi.layouts.LIBRARY`.  Objects are kept in the disk cache and
           loaded by `runtime.loading.library`, some only when a call misses them.
Rooms      loops    the interpreter of loop nests, which calls a program's kernels
           gemm     matrix products
           sort     sorting, selecting, searching
           arrays   scatter, scans, histograms, positions
           python   the call itself: arguments, arrays, memory, threads, failures
Here       `parallel`: jobs, whose tasks threads share, and `tasks`, the same in the kernel language; `run_time_table`:
           its entries, in kernels; `lines`: loops over the lines of two arrays; `polls`: these, and
           loops that poll, in the kernel language; `blocks` and `large_blocks`: the pool of memory blocks; `signals`:
           loops poll for signals, and calls end early;
           `alternate_stack`: another stack for what needs much; `object_writer`: by whom an object is written;
           `techniques`: what can be switched off by name.
Uses       `abi`, `target`, `kernel_ir`, `llvm`.
Used by    the rooms below this one; `compiler.library_build` and constructs have a row for each object.
Begin with `abi.layouts.LIBRARY` and `compiler.library_build.WRITERS`, then `arrays.nonzero`, a small object.
To add     an object: its symbols in `abi.layouts`, a writer in one of the rooms, a row of `WRITERS`, and tests that
           call it (tests/codegen/library).
"""
