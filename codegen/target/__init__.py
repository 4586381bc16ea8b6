"""The target: what the processor that code is compiled for has, and what it prefers.

Comes in   `config.cpu` ("native", or a level of x86-64), LLVM's facts of the host, sizes of caches from the system.
Goes out   `machine`: answers for the compiler, as numbers and truths: bytes of a vector register (`native_width`),
           registers for our own matrix products (`has_panels`), whether loads that straddle cache lines are dear
           (`prefers_halves`), the instruction sets that writers of vector code ask for (`host_isa`), the table of
           `caches`.  `cache_model`: that table, a `Caches`, from how many bytes on a launch treats memory otherwise,
           for the two kinds of third-level cache; and `CACHE_LINE_BYTES`.
Uses       nothing of the compiler.
Used by    `llvm`, the library, `cpu` and `variants` ask; `compiler.library_build` hands the answers to the library's
           writers, which are functions of what they are told.
Begin with `machine`, a page of short functions.
To add     a fact about processors: a function in `machine`, whose docstring says on which ones it holds; a size from
           which a launch goes another way: a field of `Caches`, with a value for either kind of machine.
"""
