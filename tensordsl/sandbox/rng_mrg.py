"""`sandbox.rng_mrg`: Theano's other generator; here all streams are of one kind."""

from __future__ import annotations

from tensordsl.random import RandomStreams
from tensordsl.random import RandomStreams as MRG_RandomStreams

__all__ = ["MRG_RandomStreams", "RandomStreams"]
