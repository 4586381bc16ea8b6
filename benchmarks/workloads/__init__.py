"""What is measured: workloads, on which data, and the suites that they make.

Comes in   nothing; NumPy makes the data.
Goes out   `Workload`s by name (`suites.BY_NAME`), their data, and the figures that they have to reach.
Modules    foundation  the types, and the first suite: calls, compile times, imports, memory
           peers       the suite `peers`: expressions over a namespace, written once for all libraries
           loops       the suite `loops`: recurrences, what they take to compile and to keep
           linalg      the suite `linalg`: factors, systems, programs made of them, draws
           suites      the suites by name
Used by    `run`, `peers` (each peer builds a workload in its own words), `ablation` and the plots.
"""
