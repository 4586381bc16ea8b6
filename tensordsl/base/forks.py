"""The lock that a fork waits for: held by imports and LLVM in other threads, which nobody would end in the child."""

from __future__ import annotations

import os
from _thread import RLock

lock = RLock()  # to be taken before the locks of modules that are imported under it

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
