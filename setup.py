"""The build of a wheel: beside what pyproject.toml says, parts of the library are compiled ahead.

`TENSORDSL_PREBUILT` says for which processors: here (the default), one family, all families, or none.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

WHICH = os.environ.get("TENSORDSL_PREBUILT", "here")
FOLDER = "tensordsl/prebuilt"


class BuildWithLibrary(build_py):
    """`build_py`, then the prebuilt parts of the library in the built package.  Without them a first function compiles
    what it needs, so a machine that can't make them still gets its wheel."""

    def run(self) -> None:
        super().run()
        built = Path(self.build_lib).resolve()
        shutil.rmtree(built / FOLDER, ignore_errors=True)  # of a build before
        if self.editable_mode or WHICH == "none":
            return
        command = [sys.executable, "-m", "tensordsl.functions.prebuilt", str(built / FOLDER), WHICH]
        try:
            subprocess.run(command, cwd=built, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"tensordsl: no part of the library is compiled ahead: {error}", file=sys.stderr)
            shutil.rmtree(built / FOLDER, ignore_errors=True)


class WheelForItsPlatform(bdist_wheel):
    """A wheel with prebuilt parts is for every Python 3 of one platform, any other one for all platforms."""

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, platform = super().get_tag()
        has_parts = (Path(self.get_finalized_command("build").build_lib) / FOLDER).is_dir()
        if has_parts and not self.plat_name_supplied:
            platform = self.plat_name.replace("-", "_").replace(".", "_")
            if WHICH == "all":
                # To be given away: the parts link to nothing, so it needs the C library that NumPy and llvmlite need.
                platform = platform.replace("linux_", "manylinux_2_17_", 1)
        return python, abi, platform


setup(cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": WheelForItsPlatform})
