"""The suites of workloads by name, and all workloads."""

from __future__ import annotations

from benchmarks import peers_workloads, workloads

SUITES = {"foundation": workloads.WORKLOADS, "peers": peers_workloads.WORKLOADS}
BY_NAME = {workload.name: workload for suite in SUITES.values() for workload in suite}
