"""The run time: native entry, state, memory, code loading and the disk cache.

Its rooms, lowest first; each `__init__` is a map of its room.  Of the compiler they load `codegen.abi.layouts` alone.

    loading      object code from the compiler or the disk cache becomes addresses in this process
    calls        what CPython calls, and the state that a call reads and changes
    interpreter  programs executed by Python, for tests and profiles
    driver       what a device can do, and who does it
    device       arrays, shared variables and programs on a device
"""

if __name__ == "runtime":
    raise ImportError("import tensordsl.runtime, not runtime")
