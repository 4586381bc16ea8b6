"""Random programs of generators that know nothing of the compiler, and the driver that runs them.

Each module draws programs of one kind from seeds, has its own reference, written from the meaning alone, and is run by
`python -m tools.strangers.MODULE FIRST COUNT`. Who writes one has not read the passes, so that it does not draw what
they expect. `driver` says what such a module has to have.
"""
