"""A process that forks while another of its threads makes its first function."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, threading, time
import tensordsl, tensordsl.tensor as T

def work(number):
    x = T.dvector()
    return tensordsl.function([x], T.exp(x).sum() + number)([0.0])

thread = threading.Thread(target=work, args=(time.time(),))
thread.start()
time.sleep(float(sys.argv[1]))
child = os.fork()
if not child:
    signal.alarm(60)
    os._exit(int(work(1.0) != 2.0))
status = os.waitpid(child, 0)[1]
thread.join()
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("seconds", [0.01, 0.03, 0.06, 0.1])
def test_the_child_makes_functions_too(seconds: float) -> None:
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM, str(seconds)]).returncode == 0
