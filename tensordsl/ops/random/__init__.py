"""Random numbers as pure functions of a counter and a key.

Comes in   words of 64 random bits, or what makes them; parameters of distributions.
Goes out   rows and expressions that give draws; `signature.random` has the streams, whose state is shared.
Modules    bits     the generator and the distributions that are one formula;   counts   counts at random
Uses       the other rooms of `ops`, `graph`, `base`.
Begin with `bits`.
"""
