"""Arguments that others resize, or give another shape, while a call lets them run: NumPy must refuse the one, and the
other must not reach the call.  Each program has a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Only the tuple refers to the array: NumPy resizes what it takes for nobody else's.
RESIZED = """
import threading, time
import numpy as np, tensordsl, tensordsl.tensor as T

N = 2_000_000
x = T.dvector()
f = tensordsl.function([x], T.exp(x).sum() + T.tanh(T.sin(x)).sum())
args, running, refused = (np.ones(N),), [True], []
f(*args)

def resize():
    while running:
        try:
            args[0].resize(10)
            args[0].resize(N)
            args[0].fill(1)
        except ValueError as error:
            refused.append(str(error))

other = threading.Thread(target=resize)
other.start()
end = time.monotonic() + 1
while time.monotonic() < end:
    f(*args)
running.clear()
other.join()
assert any("referenced" in text for text in refused)
args[0].resize(3)  # nothing is held any more
assert args[0].shape == (3,)
"""
# A step of the user's runs in the middle of the call.
BY_A_STEP = """
import numpy as np, tensordsl, tensordsl.tensor as T
from tensordsl.compile.ops import as_op

said = []

@as_op(itypes=[T.dscalar], otypes=[T.dscalar])
def step(v):
    try:
        args[0].resize(4_000_000)
        args[0].resize(1)
    except ValueError as error:
        said.append(str(error))
    return v

x, s = T.dvector(), T.dscalar()
f = tensordsl.function([x, s], (x * step(s)).sum())
args = (np.ones(400_000), 1.0)
args[0].resize(200)
assert f(*args) == 200 and "referenced" in said[0]
args[0].resize(3)
"""
# NumPy gives lengths and strides new memory.
RESHAPED = """
import threading, time
import numpy as np, tensordsl, tensordsl.tensor as T

x = T.dmatrix()
functions = [
    tensordsl.function([x], T.exp(x).sum(axis=0)), tensordsl.function([x], T.tanh(x) * 2),
    tensordsl.function([x], T.sort(x, axis=1)), tensordsl.function([x], T.dot(T.tanh(x), x.T)),
]
a, running = np.random.RandomState(0).rand(300, 200), [True]

def reshape():
    while running:
        for shape in ((200, 300), (2, 30, 10, 100), (300, 200)):
            a.shape = shape
            junk = [bytearray(b"\\x7f" * 32) for _ in range(20)]

other = threading.Thread(target=reshape)
other.start()
end = time.monotonic() + 1
while time.monotonic() < end:
    for f in functions:
        try:
            f(a)
        except TypeError as error:
            assert "number of dimensions" in str(error)
running.clear()
other.join()
"""


@pytest.mark.parametrize("program", [RESIZED, BY_A_STEP, RESHAPED], ids=["resized", "by a step", "reshaped"])
def test_a_call_reads_arguments_as_they_were_when_it_began(program: str) -> None:
    flags = ["-W", "ignore::DeprecationWarning"]  # NumPy's, of assigned shapes
    done = subprocess.run([sys.executable, *flags, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
