"""Theano's places of names, beside the library's own.

`names` is the table of Theano's modules that only repeat names; `aliases` makes such a module when it is imported;
`walks`, `scalars` and `locks` have what is not an alias but a small function of its own.
"""
