"""The passes over tensor IR: functions from a `Context` and a value to what the value becomes, or None."""
