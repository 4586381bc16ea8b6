"""Compiled functions: from a signature to a callable.

Comes in   a `FunctionSpec` and a mode (`signature`).
Goes out   `link.Function`: a callable over native code, a device's program, or the reference evaluator.
Modules    function       `function`: the rules of the call, then `link`
           link           which way a function runs
           native         its graph as object code, from the caches or the compiler
           devices        its program on a GPU or the simulator;   device_calls   constructs with kernels there
           c_functions    its program as a C function of a known signature
           prebuilt       the library's objects that an installation carries, and their build
           formulas       `evaluate`: formulas as strings, compiled
           inspection     what programs ask of a compiled function
           clone          copies of expressions with parts replaced;   opfromgraph   an expression as an op of its own
Uses       every room of the front; `codegen.compiler` and the run time, loaded at the first compile.
Used by    the package itself.
Begin with `function.function`, then `native.compile_spec`.
"""
