"""`python -m tensordsl.compat program.py arguments`, or `-m module arguments`: a program for Theano, unmodified."""

from __future__ import annotations

import os
import runpy
import sys
from types import TracebackType

from tensordsl.compat import install

USAGE = "usage: python -m tensordsl.compat (program.py | -m module) [arguments]"


def main() -> None:
    is_module = sys.argv[1:2] == ["-m"]
    arguments = sys.argv[1 + is_module :]
    if not arguments:
        sys.exit(USAGE)
    if arguments[0] in ("-h", "--help"):
        print(USAGE)
        return
    install()
    sys.excepthook = _print_from_the_program_on
    sys.argv[:] = arguments
    if is_module:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        return
    sys.path[0] = os.path.dirname(os.path.realpath(arguments[0]))
    runpy.run_path(arguments[0], run_name="__main__")


def _print_from_the_program_on(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an exception without the frames that started the program."""
    while trace is not None and _is_start(trace):
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


def _is_start(trace: TracebackType) -> bool:
    file = trace.tb_frame.f_code.co_filename
    return file in (__file__, runpy.__file__) or file.startswith("<frozen ")  # of `runpy` and the import system


if __name__ == "__main__":
    main()
