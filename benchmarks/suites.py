"""The suites of workloads by name, and all workloads."""

from __future__ import annotations

from benchmarks import peers_workloads, workloads

ROOFLINE = ("b.axpb.f8", "b.sqd.f8", "b.axpb_out.f8", "e.sum_all.f8")  # bounded by memory
SUITES = {
    "foundation": (*workloads.WORKLOADS, *peers_workloads.COMPILED),
    "peers": peers_workloads.WORKLOADS,
    "plots": (
        *(w for w in peers_workloads.ALL if w.name.startswith(("t.", *ROOFLINE))),
        *workloads.NODE_WORKLOADS,
    ),
}
BY_NAME = {workload.name: workload for suite in SUITES.values() for workload in suite}
