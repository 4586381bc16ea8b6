"""The binary interface: what generated code, the library and the run time have to agree on, as constants.

Comes in   nothing: this is a leaf, which imports no other module of the package.
Goes out   integers, names and tables.  `layouts`: byte offsets of every structure in memory (a `Function`, the context
           and the frame of a call, arrays, shared variables, the pool of threads), the run-time table `RT` with the
           LLVM type of each helper (`HELPERS`), and the library's objects with their symbols (`LIBRARY`).
           `descriptor`: the words of a launch's descriptor, which the planner writes and the library's loops read.
Used by    every room that writes code, and the rooms of `runtime`, for which this is the only part of the compiler
           that they load.  `runtime.loading.layout` compares the layouts with this Python and this NumPy.
Begin with the docstring of `layouts`: who calls whom in a call.
To add     a helper that programs call: its type in `HELPERS` and its symbol in `LIBRARY`, then its text in
           `library.python`; a function on whole buffers: a row of `_CALLS`, then docs/adding-a-construct.md; a word of
           the descriptor: its name here, who sets it in `cpu.loop_tree`, who reads it in `library.loops`.

Files of the disk cache carry a digest of the sources, so a change here needs no version of its own.
"""
