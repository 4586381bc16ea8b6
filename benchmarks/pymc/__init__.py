"""PyMC's models by this compiler beside PyTensor's default mode (Numba) and its JAX mode: `python -m benchmarks.pymc`.

Comes in   names of models, peers and measures.
Goes out   facts as JSON, a table, what is compared with the aims.
Modules    models    the models, by family; tests compare them too
           worker    one measure of one model in a process of its own
           report    the table
           __main__  the command: processes in turn, caches empty and full
Wants      `pip install 'tensordsl[pymc]' numba`, and jax for its mode.
"""
