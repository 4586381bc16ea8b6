"""The passes over tensor IR.  Each module's function takes a `Context` and a value and gives what the value becomes, or None."""
