"""How suites run: each peer in a process of its own, in turn, its results compared with NumPy's.

Comes in   workloads and the names of peers.
Goes out   a `harness.Run` with the times and the failures; its JSON, tables and plots.
Modules    harness  runs the workloads on every peer in turn
           worker   one peer in its process: `python -m benchmarks.run.worker PEER`
           report   what a run found, as JSON and as Markdown
           plots    the plots of the suite `plots`
Begin with `harness.benchmark`.
"""
