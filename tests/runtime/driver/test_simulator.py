"""The simulator itself, on kernels written by hand: it must run right kernels and refuse or expose wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from tensordsl.runtime.driver.simulator import ORDERS, Memory, SimulationError, Simulator

HEAD = """
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare void @llvm.nvvm.barrier0()
declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)
@cells = internal addrspace(3) global [256 x i32] undef, align 16
"""
BARRIER = "  call void @llvm.nvvm.barrier0()\n"
# out[i] = i's mirror image in the block, through shared memory
MIRROR = (
    HEAD
    + f"""
define ptx_kernel void @mirror(ptr addrspace(1) noalias %out, i64 %unused) nounwind {{
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %n = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %mine = getelementptr i32, ptr addrspace(3) @cells, i32 %t
  store i32 %t, ptr addrspace(3) %mine
{BARRIER}  %last = sub i32 %n, 1
  %other = sub i32 %last, %t
  %its = getelementptr i32, ptr addrspace(3) @cells, i32 %other
  %value = load i32, ptr addrspace(3) %its
  %first = mul i32 %b, %n
  %i = add i32 %first, %t
  %at = getelementptr i32, ptr addrspace(1) %out, i32 %i
  store i32 %value, ptr addrspace(1) %at
  ret void
}}
"""
)


def mirrored(text: str, order: str, length: int = 192) -> np.ndarray:
    memory = Memory()
    out = memory.array((length,), np.int32)
    Simulator(text).launch("mirror", 2, 96, (out.ctypes.data, 0), order)
    memory.check()
    return out.copy()


@pytest.mark.parametrize("order", ORDERS)
def test_threads_meet_at_barriers_in_every_order(order: str) -> None:
    expected = np.tile(np.arange(95, -1, -1), 2)
    np.testing.assert_array_equal(mirrored(MIRROR, order), expected)


def test_a_missing_barrier_shows_in_every_order_as_poison() -> None:
    for order in ORDERS:
        assert (mirrored(MIRROR.replace(BARRIER, ""), order) == -1).any()


def test_a_write_outside_of_an_array_is_an_error() -> None:
    with pytest.raises(SimulationError, match="outside of an array of 764 bytes"):
        mirrored(MIRROR, "forward", 191)


def test_a_warp_that_waits_for_lanes_at_the_barrier_is_an_error() -> None:
    """Lane 0 comes to the barrier, the others to a shuffle."""
    text = MIRROR.replace(
        BARRIER,
        f"""  %is0 = icmp eq i32 %t, 0
  br i1 %is0, label %bar, label %shuffle
shuffle:
  %x = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %t, i32 1, i32 31)
  br label %rest
bar:
{BARRIER}  br label %rest
rest:
""",
    )
    for order in ORDERS:
        with pytest.raises(SimulationError, match="wait for their warp"):
            mirrored(text, order)


def test_shuffles_exchange_within_warps() -> None:
    text = MIRROR.replace(
        BARRIER,
        """  %x1 = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %t, i32 1, i32 31)
  %x2 = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %x1, i32 16, i32 31)
""",
    ).replace("store i32 %value", "store i32 %x2")
    for order in ORDERS:
        np.testing.assert_array_equal(mirrored(text, order), np.tile(np.arange(96) ^ 17, 2))
