"""Python's side of a call: everything between CPython's call of a `Function` and the program, as native code.

Comes in   for the writers: whether the machine is AArch64.  At a call: Python objects, the context of the function and
           the run-time table.
Goes out   LLVM text of the objects "native" (`module.native_text`), "threads" (`thread_pool.thread_text`) and "replay"
           (`gpu_replay.replay_text`), "c_calls" (`c_calls.c_calls_text`).
Modules    vectorcall   the entry: arguments are checked and laid out in a frame; what does not fit goes to Python
           module       the helpers: shared variables, results, the GIL, calls of the host, signals, the commit
           cells        how Python reads and sets the cell of a shared variable
           arrays       new arrays, whose memory NumPy frees through us
           array_order  the order in memory that a new array takes from its operands
           arena        memory of a call, of the pool in `library.blocks`
           host_calls   operands and results of calls of Python functions
           failures     which condition of a program does not hold (`judge`)
           row_parts    what parts of a `Blocks` loop share
           thread_pool  the pool of threads and how they take parts of a job
           c_calls      calls from C, without Python's objects or lock
           gpu_replay   the program of a function on a GPU that only repeats a recording
Uses       `abi.layouts` for every offset, `library.blocks`, `llvm.builder`.
Used by    programs, by the names in `abi.layouts.HELPERS`; `runtime` fills the tables that this code reads.
Begin with the docstring of `abi.layouts`, then `vectorcall._stub`.
To add     a helper: its type in `HELPERS`, its symbol in `LIBRARY["native"]`, its text in `module`.
"""
