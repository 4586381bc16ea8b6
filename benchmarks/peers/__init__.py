"""One adapter per library.

An adapter offers `PACKAGES` (whose versions are reported), `warm_up()`, which brings the process to where a user's
second function finds it, and `BUILD`, which maps a workload's name to a function from the workload's data to a `Call`.
An optional `forget()` drops what the process keeps of compiled code.  A workload that is missing from `BUILD` makes no
sense for that library.
"""

import os

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))  # that a library may take; the harness tells each in its way
XLA_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
