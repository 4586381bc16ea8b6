"""The suites of workloads by name, and all workloads."""

from __future__ import annotations

from benchmarks.workloads import foundation, linalg, loops, peers

ROOFLINE = ("b.axpb.f8", "b.sqd.f8", "b.axpb_out.f8", "e.sum_all.f8")  # bounded by memory
SUITES = {
    "foundation": (*foundation.WORKLOADS, *peers.COMPILED),
    "peers": peers.WORKLOADS,
    "loops": loops.WORKLOADS,
    "linalg": linalg.WORKLOADS,
    "plots": (
        *(w for w in peers.ALL if w.name.startswith(("t.", *ROOFLINE))),
        *foundation.NODE_WORKLOADS,
    ),
}
BY_NAME = {workload.name: workload for suite in SUITES.values() for workload in suite}
