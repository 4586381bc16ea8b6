"""A driver library that the linker takes for NVIDIA's: the real pycuda runs over `fakes.FakeLibrary` through it.

Each of its symbols jumps to a slot, so that arguments come as the caller, compiled with NVIDIA's header, gives them.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

from fakes import PYCUDAS, FakeLibrary

from tensordsl.runtime.driver.cuda_library import FUNCTIONS

NOT_THERE = 34  # CUDA_ERROR_STUB_LIBRARY


def symbols_of(extension: Path) -> list[str]:
    """What a compiled module wants of the driver's library."""
    listing = subprocess.run(["nm", "-D", "--undefined-only", extension], capture_output=True, text=True, check=True)
    return sorted({line.split()[-1] for line in listing.stdout.splitlines() if line.split()[-1].startswith("cu")})


def build(names: list[str], folder: Path) -> ctypes.CDLL:
    """The library, loaded: whoever needs libcuda.so.1 from now on gets it."""
    compiler = shutil.which("cc")
    assert compiler is not None
    lines = [f"static int none(void) {{ return {NOT_THERE}; }}"]
    for name in names:
        lines += [f"void *slot_{name} = (void *)none;",
                  f'__asm__(".pushsection .text\\n.globl {name}\\n.type {name}, @function\\n{name}: movq slot_{name}@GOTPCREL(%rip), %rax\\njmp *(%rax)\\n.popsection\\n");']  # fmt: skip
    source, target = folder / "libcuda.c", folder / "libcuda.so.1"
    source.write_text("\n".join(lines) + "\n")
    subprocess.run([compiler, "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", target, source], check=True)
    return ctypes.CDLL(str(target), ctypes.RTLD_GLOBAL)


def connect(library: ctypes.CDLL, fake: FakeLibrary) -> list[Any]:
    """Let the symbols call the stand-in; what is returned must be kept."""
    kept = []
    for name, types in {**FUNCTIONS, **PYCUDAS}.items():
        try:
            slot = ctypes.c_void_p.in_dll(library, f"slot_{name}")
        except ValueError:
            continue
        kinds = [ctypes.c_void_p if t is ctypes.c_char_p else t for t in types]
        callback = ctypes.CFUNCTYPE(ctypes.c_int, *kinds)(_checked(fake, name))
        slot.value = ctypes.cast(callback, ctypes.c_void_p).value
        kept.append(callback)
    return kept


def _checked(fake: FakeLibrary, name: str) -> Any:
    act = getattr(fake, name)

    def call(*arguments: Any) -> int:
        try:
            code: int = act(*[_text(name, k, a) for k, a in enumerate(arguments)])
        except Exception as error:  # ctypes would print it and go on
            fake.problems.append(f"{name}{arguments}: {error!r}")
            return 1
        return code

    return call


def _text(name: str, k: int, value: Any) -> Any:
    if (name, k) in (("cuModuleLoadDataEx", 1), ("cuModuleGetFunction", 2)):
        text = ctypes.string_at(value)
        return text + b"\0" if k == 1 else text
    return 0 if value is None and name != "cuLaunchKernel" else value
