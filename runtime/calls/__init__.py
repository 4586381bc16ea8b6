"""Calls: what CPython calls, and the state that a call reads and changes.

Comes in   an `Executable` from `loading`, the cells of its shared variables, Python callables for what native code
           refuses (`slow`) and for failures (`on_error`).
Goes out   `entry.make_function` -> an instance of the native type `Function`, which CPython calls without a line of
           Python.
Modules    entry    the type, and the context of one function, written to memory as `codegen.abi.layouts` says
           c_entry  what calls from C get in place of that context
           state    `Cell`: storage of a shared variable, seen by native code and by Python, and its lock
           heap_types  types whose slots are functions of the native library
           host     calls from a program back into Python
           threads  the native thread pool: its size, and its state after a fork
           orders   the order of axes in memory that a new array takes, for the interpreter of programs
Uses       `loading`, `codegen.abi.layouts`.  The code that runs in a call is the library's
           (`codegen.library.python`).
Used by    `tensordsl.functions.link` makes functions, `tensordsl.shared` keeps values in cells; `interpreter` and
           `device`.
Begin with the docstring of `codegen.abi.layouts`, then `entry.make_function`.
To add     a field of a context or a cell: its offset in `codegen.abi.layouts`, who writes it here, who reads it in
           `codegen.library.python`.
"""
