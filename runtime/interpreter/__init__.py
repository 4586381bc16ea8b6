"""The interpreter: program IR executed by Python, one instruction at a time, without LLVM.

Comes in   a verified `codegen.program_ir.instructions.Program`, arrays, storage of shared variables, a kernel for each
           plan (`runner.numpy_kernel` of a Python function, `runner.native_kernel` of compiled ones).
Goes out   the program's outputs, and a log of instructions with times.  Storage is poisoned before its first write and
           guarded at both ends, so wrong programs show.
Modules    runner   the interpreter; functions of a `LibraryCall` are given to it, as lines of NumPy
           faults   makes any instruction that may fail do so, here and in native code, for tests
Uses       `loading` and `calls`; instructions by their fields, the compiler only for type checkers.
Used by    tests of programs, profiles, and `device`, whose runner is this one with other memory.
Begin with `runner.run` and `Runner`.
To add     an instruction: a row of `runner.RUN`, by the name of its class.
"""
