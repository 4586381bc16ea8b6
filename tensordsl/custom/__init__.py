"""Custom operations: what users compute in Python, or name themselves, as a part of a graph.

Comes in   a Python function, or an object of a subclass of `Op` (Theano's interface).
Goes out   variables whose application's row is made of it (`rows.CustomRow`).  The compiler calls them on the host
           (`codegen.constructs.effects.Callback`), and everything around them is native.
Neighbours `ops` has the library's own rows; `functions.opfromgraph` gives expressions gradients of their own.
Where      op           the class `Op` that programs derive from, and `Apply`
           rows         the row of such an object, its shapes, its cotangents and its calls
           callbacks    `as_op`, `wrap_py` and `callback`: Python functions as operations
           elementwise  a user's own elementwise operation, in one statement
           scalars      Theano's scalar operations of one's own, for `T.Elemwise`
Begin at   `op.Op`, then `rows.CustomRow`.
"""
