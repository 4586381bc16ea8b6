"""Signatures: what a function is before it is compiled, and the values that it reads and updates.

Comes in   what a user gives to `function`: inputs, `In`, `Out`, shared variables, updates, a mode.
Goes out   `spec.FunctionSpec`; the arguments of each call as exact arrays (`arguments.normalise`).
Modules    spec        a function's inputs, outputs and updates
           arguments   calls: arguments by position, keyword or default
           io          inputs and outputs with properties;   updates   updates as a dictionary that refuses mistakes
           shared      shared variables and their containers
           random      streams of random numbers;   generators   explicit generators, and `T.random`
           raw_random  Theano's draws of an explicit state
           modes       how a function is compiled and run
Uses       `tensor`, `ops`, `graph`; the run time for the memory of shared values.
Used by    `debugging`, `functions`.
Begin with `spec` and `shared`.
"""
