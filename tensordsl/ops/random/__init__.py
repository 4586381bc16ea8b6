"""Random numbers as pure functions of a counter and a key.

Comes in   words of 64 random bits, or what makes them; parameters of distributions.
Goes out   rows and expressions that give draws; `signature.random` has the streams, whose state is shared.
Modules    bits           the generator, and numbers of its words
           rejection      rows of numbers by rejection;   oracles   the same by NumPy
           distributions  the table of all distributions, and `drawn`, which makes a draw of a state
Uses       the other rooms of `ops`, `graph`, `base`.
Begin with `distributions`.
To add     a distribution: a row of `distributions.TABLE`; its test's row in tests/behaviour/ops/random; the streams,
           generators and docs/random.md have it then (`python tools/distributions.py`).
"""
