"""`python -m tensordsl.compat program.py arguments`, or `-m module arguments`: a program for Theano, unmodified."""

from __future__ import annotations

import os
import runpy
import sys

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
    sys.argv[:] = arguments
    if is_module:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        return
    sys.path[0] = os.path.dirname(os.path.realpath(arguments[0]))
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
