"""The target: what the processor that code is compiled for has and prefers, and thresholds that follow from it.

Comes in   `config.cpu` ("native", or a level of x86-64), LLVM's facts of the host, sizes of caches from the system.
Goes out   `machine`: a `Machine`, facts of a processor, and `host`, the usual one.  `tuning`: a `Tuning`, each
           threshold of the compiler by optimisation, and the names of what is off or forced; `library_tuning`:
           the groups of it that the library's objects are written by.
Uses       `abi` for a threshold that warm starts know as well.
Used by    all rooms below: a `Tuning` goes down from `compiler.pipeline` on graph, bufferiser, plan and kernel, and
           from `compiler.library_build` to the library's writers.
Begin with `tuning`.
To add     a fact about processors: a field of `Machine`, and a function that finds it; a threshold: a field of the
           group of its optimisation, with its unit in the name and what it was chosen by.
"""
