# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.functions.clone import clone_replace as clone_replace
from tensordsl.ops.vectorize import vectorize_graph as vectorize_graph

__all__ = ["clone_replace", "vectorize_graph"]
