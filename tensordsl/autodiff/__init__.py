"""Derivatives: more of the same graph, by one walk backwards that asks each row for its gradient.

Comes in   a cost or outputs and their cotangents, and the variables to differentiate by.
Goes out   variables: gradients, Jacobians, Hessians, products with them; errors that name what has no gradient.
Modules    gradient        what users call: `grad`, `jacobian`, `hessian`, `Lop`, `Rop`, `verify_grad`
           reverse         the walk: broadcasting undone, contributions added up, branches kept apart
           stable_cost     the first step from a scalar cost, by a stable form of it
           loop_gradient   a loop's gradient: a loop that runs backwards
           forward         tangents through loops: loops that carry them along
Uses       `ops` (`ops.cotangents` is what rows give), `graph`.
Used by    `tensor`, users.
Begin with `gradient.grad` and `reverse.cotangents`.
"""
