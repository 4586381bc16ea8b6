"""Loading: object code from the compiler or the disk cache becomes addresses in this process.

Comes in   `executable.Executable` (objects of one function and the table about them), objects of the library by name.
Goes out   addresses: a program's and its kernels', and the run-time table that generated code calls through.
Modules    executable   what the compiler hands over, as bytes and back
           cache        the disk cache: private, checked, never a reason to fail
           elf          loads ELF objects without a linker; `relocations` has the rules of each machine
           library      loads objects of the library when something needs them; `install` sets the compiler
           late         kernels that a call is the first to need
           memory       the pool of blocks and the run-time table; how NumPy frees our arrays
           blas         the matrix product of the BLAS that NumPy has; `lapack`: its factors of matrices
           layout       reads and writes raw memory, and checks the layouts of this Python and NumPy
Uses       `codegen.abi.layouts`, the only module of the compiler that the run time loads.
Used by    `calls` makes functions of what is loaded; `tensordsl.functions.native` joins compiler and cache.
Begin with `executable`, then `library.require`, then `elf`.
To add     a relocation: `relocations`; a word of the run-time table: `codegen.abi.layouts.RT_NAMES`, set in `memory`
           or `library`.
"""
