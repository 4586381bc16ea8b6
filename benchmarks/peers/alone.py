"""tensordsl with one thread, whatever the others may take: how much less do several of its own take?"""

from __future__ import annotations

from benchmarks.peers.tensordsl import BUILD, PACKAGES, warm_up

__all__ = ["BUILD", "PACKAGES", "warm_up"]
