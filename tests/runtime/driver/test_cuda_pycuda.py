"""The real pycuda, if it is installed, over a driver library of ours: what it asks of NVIDIA's, with NVIDIA's types."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT, TESTS

PROGRAM = """
import gc, importlib.util, os, sys
from pathlib import Path
import numpy as np
import libcuda
from fakes import WORDS, FakeLibrary, device
from tensordsl.runtime.driver.cuda_library import FUNCTIONS

extension = next(Path(importlib.util.find_spec("pycuda").origin).parent.glob("_driver*.so"))
library, fake = libcuda.build(sorted({*libcuda.symbols_of(extension), *FUNCTIONS}), Path(sys.argv[1])), FakeLibrary()
kept = libcuda.connect(library, fake)

import tensordsl, tensordsl.functions.device_calls
import tensordsl.tensor as T
from tensordsl import errors
from tensordsl.runtime.driver.cuda_pycuda import PycudaDriver

tensordsl.functions.device_calls.kernel_code = lambda text, target: text
driver = PycudaDriver(0)
with device(driver):
    x, w = T.fmatrix("x"), tensordsl.shared(np.full((3, 2), 0.5, "float32"))
    f = tensordsl.function([x], T.dot(x, w).sum(), updates=[(w, w + 1)], device="cuda")
    assert [float(f(np.ones((4, 3), "float32"))) for _ in range(8)] == [24.0 * k + 12 for k in range(8)]
    assert (w.get_value() == 8.5).all() and "cuGraphLaunch" in fake.calls
    for code, kind in ((100, errors.NoDeviceError), (222, errors.DriverVersionError), (700, errors.DeviceLostError),
                       (719, errors.DeviceLostError), (1, errors.LaunchError)):
        fake.refuse(1, code)
        try:
            driver.alloc(256)
        except errors.DeviceError as error:
            assert type(error) is kind, error
        else:
            raise AssertionError(code)
    fake.refuse(1, 222)
    try:
        driver.load("; nothing")
    except errors.DriverVersionError as error:
        assert "unsupported toolchain" in str(error), error
    del f
    gc.collect()
    tensordsl.function([x], x + 1, device="cuda")(np.ones((1, 1), "float32"))
    assert "cuModuleUnload" in fake.calls and "cuGraphExecDestroy" in fake.calls
assert not fake.problems and fake.depth == 0, fake.problems
sys.stdout.write("done")
sys.stdout.flush()
os._exit(0)  # the stand-in cannot outlive the interpreter, as the driver does
"""


@pytest.mark.skipif(importlib.util.find_spec("pycuda") is None, reason="needs pycuda")
@pytest.mark.skipif(not (shutil.which("cc") and shutil.which("nm")), reason="needs a C compiler")
def test_the_real_pycuda_is_called_as_it_wants(tmp_path: Path) -> None:
    paths = [str(Path(__file__).parent), str(TESTS / "support"), str(ROOT)]
    program = f"import sys; sys.path[:0] = {paths!r}\n{PROGRAM}"
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout == "done", done.stderr[-3000:]
