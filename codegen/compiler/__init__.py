"""The driver: all stages from a user's graph to object code, and the build of the library.

Comes in   inputs, shared variables, outputs and updates of a function; the mode's choice of passes.
Goes out   `pipeline.compile_graph` -> `Compiled`: objects of kernels and of the host program, constants, kernels for
           later calls, and a table for the run time.  `library_build.library_objects` -> the object of a part of the
           library.  `graph_key.graph_key` -> bytes by which the disk cache finds a function; a warm start loads no
           other module of this room.
Modules    pipeline              the list of passes with the reason for each place, and all stages
           optimisations         the table of all that can be switched: name, level, condition, reason, file
           modules               kernels of several plans as one module; names by which equal kernels are found
           library_build         a row for each object of the library: writer, facts, level of code generation
           precompiled_kernels   kernels that many programs have, compiled with the library
           graph_key             a graph as bytes, the same in every process
           debug                 what `TENSORDSL_DEBUG` prints
Uses       every room below it.
Used by    `tensordsl.functions.native` and `tensordsl.functions.devices`, which also load what comes out.
Begin with `pipeline.compile_graph`, `pipeline.PIPELINE` and `optimisations.ROWS`.
To add     a pass: docs/adding-a-pass.md; another optimisation: docs/adding-an-optimisation.md; an object of the
           library: a row of `library_build.WRITERS`; a kernel that many programs share:
           `precompiled_kernels.FUNCTIONS`.
"""
