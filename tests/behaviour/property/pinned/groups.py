"""Programs whose operations were once joined into groups, or their axes merged, wrongly."""

from drawn import INEXACT, Program, array, body, constant, op

from tensordsl.types import TensorType

# fmt: off


def reduction_of_a_constant(p: Program) -> None:
    """The reduction of a constant over an axis."""
    x0 = p.argument(TensorType("int64", ()), array("int64", 2))
    s0 = p.shared(array("uint32", [4]), (False,))
    s1 = p.shared(array("bool", False), ())
    s2 = p.shared(array("float64", [1.5, 1.9, -3.9]), (False,))
    t0 = op("sum", s2, axis=(0,), dtype='float64', acc_dtype='float64')
    t1 = op("second", t0, constant("float64", 1.0))
    t2 = op("dimshuffle", t1, order=('x',))
    t3 = op("second", s2, t2)
    t4 = op("prod", t3, axis=(0,), dtype='float64', acc_dtype='float64')
    t5 = op("dimshuffle", t4, order=('x',))
    t6 = op("sum", t5, axis=(0,), dtype='int64', acc_dtype='int64')
    t7 = op("dimshuffle", t6, order=('x',))
    t8 = op("mul", s0, s0)
    t9 = op("invert", s1)
    p.output(x0)
    p.output(t7)
    p.update(s0, t8)
    p.update(s1, t9)


def softmax_of_a_constant(p: Program) -> None:
    """Softmax of a constant: every row's reduction is one value."""
    x0 = p.argument(TensorType("int64", ()), array("int64", 3))
    c0 = constant("float64", [[0.1, -1.7, -1.2, 1.1, 3.5], [0.8, -1.9, -0.6, 1.2, -0.2], [-1.4, -0.3, 0.9, 0.5, 2.8], [3.5, 5.0, 3.5, 0.3, 1.2], [3.3, 3.2, 3.4, 3.5, -4.2]])
    t0 = op("second", c0, constant("float64", 0.0))
    t1 = op("softmax", t0, axis=1)
    p.output(x0)
    p.output(c0)
    p.output(t1, INEXACT)


def indexed_load_from_its_own_group(p: Program) -> None:
    """An indexed load of what the same group computes."""
    x0 = p.argument(TensorType("uint16", (None,)), array("uint16", [4]))
    s0 = p.shared(array("int64", [[5]]), (False, False))
    s1 = p.shared(array("uint16", [0]), (False,))
    t0 = op("shape_i", s0, axis=0)
    t1 = op("arange", constant("int64", 0), t0, constant("int64", 1), dtype='int64')
    t2 = op("cast", t1, dtype='float64')
    t3 = op("sum", t2, axis=(0,), dtype='float64', acc_dtype='float64')
    t4 = op("dimshuffle", t3, order=('x',))
    t5 = op("mul", t2, t4)
    t6 = op("mod", s0, constant("int8", 1))
    t7 = op("take", s0, t6, axes=(1,))
    t8 = op("argmin", t7, axis=(0,))
    p.output(t5, INEXACT)
    p.output(s1)
    p.update(s0, t8)
    p.update(s1, x0)


def two_groups_with_a_third_between(p: Program) -> None:
    """Two groups joined, with a third between them."""
    x0 = p.argument(TensorType("float32", (None,)), array("float32", [-1.8573853], shift=1))
    x1 = p.argument(TensorType("int64", ()), array("int64", -1))
    s0 = p.shared(array("int32", 1), ())
    t0 = op("dimshuffle", x0, order=(0, 'x'))
    t1 = op("dimshuffle", x0, order=('x', 0))
    t2 = op("mul", t0, t1)
    t3 = op("sum", t2, axis=(0,), dtype='float32', acc_dtype='float64')
    t4 = op("dimshuffle", t3, order=('x', 0))
    t5 = op("sub", t2, t4)
    t6 = op("mul", t5, t2)
    t7 = op("dimshuffle", t2, order=(1, 0))
    t8 = op("dimshuffle", t6, order=(1, 0))
    t9 = op("dot", t7, t8)
    t10 = op("ifelse", s0, t6, t9)
    t11 = op("cast", constant("int8", 2), dtype='float32')
    t12 = op("inc_subtensor", t6, t11, x1, index=(('slice', 0, 1, -1), ('slice', 0, ('input', 0), None)), set=True)
    t13 = op("sqr", t12)
    t14 = op("sum", t13, axis=(0, 1), dtype='float32', acc_dtype='float64')
    t15 = op("second", t14, constant("float32", 1.0))
    t16 = op("dimshuffle", t15, order=('x', 'x'))
    t17 = op("second", t13, t16)
    t18 = op("mul", t17, t12)
    t19 = op("mul", t18, constant("int8", 2))
    t20 = op("inc_subtensor", t19, constant("float32", 0.0), x1, index=(('slice', 0, 1, -1), ('slice', 0, ('input', 0), None)), set=True)
    t21 = op("mul", t20, t5)
    t22 = op("mul", t20, t2)
    t23 = op("add", t21, t22)
    t24 = op("neg", t22)
    t25 = op("sum", t24, axis=(0,), dtype='float32', acc_dtype='float64')
    t26 = op("dimshuffle", t25, order=('x', 0))
    t27 = op("dimshuffle", t26, order=(1,))
    t28 = op("dimshuffle", t27, order=('x', 0))
    t29 = op("second", t2, t28)
    t30 = op("add", t23, t29)
    t31 = op("mul", t30, t0)
    t32 = op("sum", t31, axis=(0,), dtype='float32', acc_dtype='float64')
    t33 = op("dimshuffle", t32, order=('x', 0))
    t34 = op("dimshuffle", t33, order=(1,))
    t35 = op("mul", t30, t1)
    t36 = op("sum", t35, axis=(1,), dtype='float32', acc_dtype='float64')
    t37 = op("dimshuffle", t36, order=(0, 'x'))
    t38 = op("dimshuffle", t37, order=(0,))
    t39 = op("add", t34, t38)
    t40 = op("mul", s0, s0)
    p.output(t10, INEXACT)
    p.output(t39, INEXACT)
    p.update(s0, t40)


def axes_of_length_one_in_the_lane_axis(p: Program) -> None:
    """Axes of length 1 merged into the lane axis past an operand without it."""
    x0 = p.argument(TensorType("int64", (None, 3)), array("int64", [[2, -1, -4]]))
    x1 = p.argument(TensorType("int64", ()), array("int64", -3))
    t0 = op("neg", constant("float64", [[[3.0]], [[1.0]], [[2.0]], [[2.0]], [[1.0]]]))
    t1 = op("subtensor", x0, x1, index=(('slice', 0, -2, -1), ('slice', ('input', 0), -2, 2)))
    t2 = op("dimshuffle", t1, order=('x', 0, 1))
    t3 = op("sub", t0, t2)
    t4 = op("mul", t3, constant("int8", 3))
    p.output(x1)
    p.output(t4)


def indexed_load_of_positions(p: Program) -> None:
    """An indexed load of positions."""
    x0 = p.argument(TensorType("int32", (1, None)), array("int32", [[-1, 3]], strides=(-8, -4)))
    x1 = p.argument(TensorType("int64", (None, 2)), array("int64", [[2, 2], [5, -2]]))
    x2 = p.argument(TensorType("int64", ()), array("int64", 0))
    s0 = p.shared(array("int64", [[[-4, -3], [6, -2]]]), (True, False, False))
    s1 = p.shared(array("bool", [True]), (True,))
    s2 = p.shared(array("uint8", 6), ())
    t0 = op("shape_i", x1, axis=0)
    t1 = op("arange", constant("int64", 0), t0, constant("int64", 1), dtype='int64')
    t2 = op("dimshuffle", x0, order=(1, 0))
    t3 = op("cast", s1, dtype='int32')
    t4 = op("dot", t2, t3)
    t5 = op("mod", t4, constant("int8", 2))
    t6 = op("cast", t5, dtype='int64')
    t7 = op("take", x1, t1, t6, axes=(0, 1))
    t8 = op("subtensor", t7, x2, index=(('slice', -1, ('input', 0), 2),))
    t9 = op("shape_i", s1, axis=0)
    t10 = op("dimshuffle", t9, order=('x',))
    t11 = op("subtensor", t10, index=(('int', 0),))
    t12 = op("arange", constant("int64", 0), t11, constant("int64", 1), dtype='int64')
    t13 = op("dimshuffle", t12, order=(0, 'x'))
    t14 = op("dimshuffle", t4, order=('x', 0))
    t15 = op("mul", t13, t14)
    t16 = op("take", t12, t15, axes=(0,))
    t17 = op("sub", s0, x0)
    t18 = op("mul", s2, s2)
    p.output(s2)
    p.output(t8)
    p.output(t16)
    p.output(t17)
    p.update(s0, t17)
    p.update(s2, t18)


def two_groups_with_a_length_between(p: Program) -> None:
    """Two groups joined past a length that is computed between them."""
    x0 = p.argument(TensorType("float64", (None,)), array("float64", [1.4, 3.9, -1.8]))
    x1 = p.argument(TensorType("int64", ()), array("int64", 1))
    t0 = op("shape_i", x0, axis=0)
    t1 = op("dimshuffle", t0, order=('x',))
    t2 = op("subtensor", t1, index=(('int', 0),))
    t3 = op("broadcast_to", constant("float32", 2.5), t2, constant("int64", 3))
    t4 = op("shape_i", t3, axis=0)
    t5 = op("cast", t4, dtype='float32')
    def step0(i, a0, a1, k0):
        t6 = op("add", a0, k0)
        t7 = op("maximum", i, t6)
        return [t6, a1], [t7]
    step0 = body(step0, [TensorType("float32", ()), TensorType("float64", (None,))], [TensorType("float32", ())])
    t8, t9, t10 = op("for", x1, t5, x0, t5, body=step0)
    t11 = op("sum", t9, axis=(0,), dtype='float64', acc_dtype='float64')
    t12 = op("dimshuffle", t11, order=('x',))
    t13 = op("shape_i", t9, axis=0)
    t14 = op("cast", t13, dtype='float64')
    t15 = op("true_div", t12, t14)
    t16 = op("sub", t9, t15)
    t17 = op("dimshuffle", x0, order=(0, 'x'))
    p.output(t16, INEXACT)
    p.output(t17)


def loop_in_a_branch_carries_what_is_outside(p: Program) -> None:
    """A loop that only one branch needs, and that carries a value which a step outside computes late."""
    x0 = p.argument(TensorType("int64", ()), array("int64", 1))
    s0 = p.shared(array("float32", [2.0, 3.0]), (False,))
    t0 = op("sin", s0)
    t1 = op("pow", t0, constant("int8", 3))
    t2 = op("sum", t1, axis=(0,), dtype='float32', acc_dtype='float64')
    def step0(i, a0, k0):
        t3 = op("mul", i, constant("float32", 1.0))
        return [k0], [t3, i]
    step0 = body(step0, [TensorType("float32", (None,))], [TensorType("float32", (None,))])
    t4, t5, t6 = op("for", x0, s0, t0, body=step0)
    t7 = op("shape_i", t6, axis=0)
    t8 = op("arange", constant("int64", 0), t7, constant("int64", 1), dtype='int64')
    t9 = op("cast", t8, dtype='float64')
    t10 = op("ifelse", x0, t9, t5)
    p.output(t2, INEXACT)
    p.output(t10, INEXACT)


def rows_of_a_product_and_a_minimum_of_it(p: Program) -> None:
    """A minimum over the rows of a product, which a later product also reads."""
    x0 = p.argument(TensorType("float32", (None, None)), array("float32", [[1.0233098]]))
    t0 = op("dot", x0, x0)
    t1 = op("second", t0, constant("float32", 1.0))
    t2 = op("min", t0, axis=(0,))
    t3 = op("dimshuffle", t2, order=('x', 0))
    t4 = op("mul", t0, t3)
    t5 = op("maximum", t4, t1)
    t6 = op("dimshuffle", t5, order=(1, 0))
    t7 = op("dimshuffle", t4, order=(1, 0))
    t8 = op("dimshuffle", t0, order=(1, 0))
    t9 = op("dot", t7, t8)
    t10 = op("dimshuffle", t9, order=(1, 0))
    t11 = op("dot", t6, t10)
    p.output(t1, INEXACT)
    p.output(t11, INEXACT)


def two_outputs_of_which_one_keeps_the_exponentials(p: Program) -> None:
    """Two outputs of softmax, one of which holds the exponentials first; the last vector of a row is done again."""
    s0 = p.shared(array("float64", [[-3.0, -3.0, -3.0, 1.0, 0.0, 1.0, -2.0, 1.0, 2.0, -1.0, 0.0, 3.0, 2.0, 3.0, -1.0, 2.0, 1.0]]), (False, False))
    t0 = op("softmax", s0, axis=1)
    t1 = op("neg", t0)
    t2 = op("mul", t0, constant("int8", 2))
    p.output(t1, INEXACT)
    p.output(t2, INEXACT)
