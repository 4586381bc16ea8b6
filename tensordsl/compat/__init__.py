"""Programs for Theano, unmodified: `install()` lets `import theano` give this library.

>>> import tensordsl.compat
>>> tensordsl.compat.install()
>>> import theano, theano.tensor as T
>>> from theano.sandbox.rng_mrg import MRG_RandomStreams
>>> x = T.dvector("x")
>>> theano.function([x], T.sum(x ** 2))([1, 2])
array(5.)
>>> T is tensordsl.tensor
True
>>> tensordsl.compat.uninstall()

From a shell: `python -m tensordsl.compat program.py arguments`.

`__main__` runs a program so, `imports` answers the import system, `flags` reads `THEANO_FLAGS`.
`base.theano_names` is the table of Theano's modules that only repeat names; `walks`, `loop_graphs`, `scalars` and
`casts` have what is not an alias but a small function of its own; `python`, `six` and `moves` are Theano's own
`compat`.
"""

from tensordsl.compat.imports import install, uninstall

__all__ = ["install", "uninstall"]
