"""Benchmarks of tensordsl beside its peers, measured in one run; see `python -m benchmarks --help`."""
