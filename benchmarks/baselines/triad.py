"""The machine's memory bandwidth: the triad a = b + 3 c in vectors, with ordinary and with non-temporal stores.

Bytes are counted as STREAM counts them, three arrays; what the cache reads before an ordinary store is not counted.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

import numpy as np

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)  # elements of float64 in each array
VECTOR = 8
STEP = 4 * VECTOR  # elements of a round


def triad_text(hint: str) -> str:
    """`void triad(ptr a, ptr b, ptr c, i64 n, i64 times)`, n a multiple of 4 vectors; `hint` goes on the stores."""
    t, lines = f"<{VECTOR} x double>", []
    for k in range(4):
        lines += [f"  %i{k} = add i64 %i, {k * VECTOR}"]
        lines += [f"  %{p}{k} = getelementptr double, ptr %{p}, i64 %i{k}" for p in "abc"]
        lines += [f"  %{p}v{k} = load {t}, ptr %{p}{k}, align 64" for p in "bc"]
        lines += [f"  %m{k} = fmul {t} %cv{k}, splat (double 3.0)", f"  %s{k} = fadd {t} %bv{k}, %m{k}"]
        lines += [f"  store {t} %s{k}, ptr %a{k}, align 64{hint}"]
    body = "\n".join(lines)
    return f"""define void @triad(ptr %a, ptr %b, ptr %c, i64 %n, i64 %times) {{
entry:
  br label %again
again:
  %k = phi i64 [ 0, %entry ], [ %k1, %done ]
  br label %loop
loop:
  %i = phi i64 [ 0, %again ], [ %next, %loop ]
{body}
  %next = add i64 %i, {STEP}
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  fence seq_cst
  %k1 = add i64 %k, 1
  %turn = icmp slt i64 %k1, %times
  br i1 %turn, label %again, label %end
end:
  ret void
}}
!0 = !{{i32 1}}
"""


def aligned(n: int) -> np.ndarray:
    room = np.ones(n + VECTOR)
    start = -(room.ctypes.data // 8) % VECTOR
    return room[start : start + n]


def triads() -> list[Callable[..., None]]:
    """Functions of the addresses of a, b and c, n, and how often; with ordinary and with non-temporal stores."""
    from tensordsl.codegen.llvm.compile import compile_object
    from tensordsl.runtime.loading import elf

    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_int64, ctypes.c_int64)
    found = []
    for hint in ("", ", !nontemporal !0"):
        code, [[address]] = elf.load([(compile_object(triad_text(hint)), ["triad"])])
        found.append(kind(address))
        found[-1].code = code  # which is given back with it
    return found


def bandwidth(clock: Callable[[], float] = time.perf_counter) -> dict[int, float]:
    """bytes of the three arrays -> bytes per second, the better of both kinds of stores."""
    kernels = triads()
    found = {}
    for size in SIZES:
        n = size // STEP * STEP
        a, b, c = aligned(n), aligned(n), aligned(n)
        calls = max(1, 2_000_000 // n)
        best = float("inf")
        for _ in range(15):
            for kernel in kernels:
                start = clock()
                kernel(a.ctypes.data, b.ctypes.data, c.ctypes.data, n, calls)
                best = min(best, (clock() - start) / calls)
        assert (a == 4).all()
        found[24 * n] = 24 * n / best
    return found
