"""PyMC's models by this compiler: `tensordsl.pymc.sample()`, and `nutpie.sample(tensordsl.pymc.compile(model))`.

Comes in   a PyMC model.
Goes out   `compile`: what nutpie samples from, its own class with the addresses of our C functions in place of Numba's.
           `sample`: what `pymc.sample` gives.
Modules    nutpie     the bridge to nutpie
           sampling   `pymc.sample` over it
Uses       `tensordsl.pytensor`, `functions.c_functions`.
Begin with `nutpie.compile`.
"""

from tensordsl.pymc.nutpie import compile
from tensordsl.pymc.sampling import sample

__all__ = ["compile", "sample"]
