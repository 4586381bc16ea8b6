"""Benchmarks on a real GPU, beside PyTorch, CuPy and JAX: `python -m benchmarks.gpu`.

Modules    peers     the workloads in the words of each library
           own       figures of this library alone
           __main__  the command
`python -m benchmarks.gpu_idle` measures without a GPU what a call costs around its kernels.
"""
