"""The build of a wheel: beside what pyproject.toml says, parts of the library are compiled ahead.

`TENSORDSL_PREBUILT` says for which processors: here (the default), all families, or none.
"""

import os
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithLibrary(build_py):
    """`build_py`, then the prebuilt parts of the library in the built package.  Without them a first function compiles
    what it needs, so a machine that can't make them still gets its wheel."""

    def run(self) -> None:
        super().run()
        which = os.environ.get("TENSORDSL_PREBUILT", "here")
        if self.editable_mode or which == "none":
            return
        built = Path(self.build_lib).resolve()
        command = [
            sys.executable,
            "-m",
            "tensordsl.functions.prebuilt",
            str(built / "tensordsl/prebuilt"),
            which,
        ]
        try:
            subprocess.run(command, cwd=built, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"tensordsl: no part of the library is compiled ahead: {error}", file=sys.stderr)


setup(cmdclass={"build_py": BuildWithLibrary})
