"""PyMC's models by this compiler: `nutpie.sample(tensordsl.pymc.compile(model))`.

Comes in   a PyMC model.
Goes out   what nutpie samples from: its own class, with the addresses of our C functions in place of Numba's.
Modules    nutpie   the bridge
Uses       `tensordsl.pytensor`, `functions.c_functions`.
Begin with `nutpie.compile`.
"""

from tensordsl.pymc.nutpie import compile

__all__ = ["compile"]
