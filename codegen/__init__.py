"""The compiler: tensor IR, passes, fusion groups, program IR and the code emitters.

Its rooms, lowest first; each `__init__` is a map of its room.  A room imports only those above it in this list
(tests/test_layers.py has a row for each).

    abi         offsets and names that generated code, the library and the run time agree on
    target      what the processor has and prefers
    scalar_ir   the computation of one element; `math`: elementary functions
    tensor_ir   a whole function on tensors, with symbolic extents; lowering from the user's graph
    passes      tensor IR to tensor IR
    fusion      which values become one loop nest
    program_ir  what a function does on the host, as instructions
    llvm        writing LLVM text, and making object code of it
    library     code compiled once on a machine: `loops`, `gemm`, `sort`, `arrays`, `python`
    cpu         a loop nest as vector kernels
    variants    which of several schedules a call runs
    gpu         the same and more for GPUs
    bufferise   steps on tensors become instructions on memory
    host        instructions become LLVM text
    mlir        export
    constructs  what the compiler knows of each operation of tensor IR, a class for each
    compiler    the driver: pipelines, keys, the build of the library

Begin with `compiler.pipeline`, which has all stages, then docs/architecture.md.
"""

if __name__ == "codegen":
    raise ImportError("import tensordsl.codegen, not codegen")
