"""The run time: native entry, state, memory, code loading and the disk cache."""

if __name__ == "runtime":
    raise ImportError("import tensordsl.runtime, not runtime")
