"""Loops that users write: Theano's `scan` and its family, built of the core's counted loop (`ops.control.make_loop`).

Comes in   a step: a Python function of variables, called once; what it walks over, where its states start.
Goes out   variables: the values of all rounds along a new first axis, and updates of shared variables.
Modules    scan      Theano's `scan`
           loop      `loop`, the plain spelling
           while_loop   `while_loop`, likewise, as long as a condition holds
           checkpoints   `scan_checkpoints`
           build     from a step's values to a loop, for all of them
           step      the call of a step: what it returns, the states and shared variables that it reads
           family    `map`, `reduce`, `foldl`, `foldr`
           structures  nested tuples, lists and dictionaries of values
Uses       `ops.control`, `tensor`, `signature` for shared variables and updates.
Used by    users.
Begin with `scan.scan`.
"""
