"""The optimisations as a table for people: `python -m tensordsl.passes` prints it.

Comes in   the entries of `codegen.compiler.optimisations`.
Goes out   text: by level, of each its name, file, what it does, when and why; with `--names` the names alone.
Modules    __main__
"""
