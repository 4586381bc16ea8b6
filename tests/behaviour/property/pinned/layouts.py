"""Programs whose values were once read in the wrong layout, or laid where another layout was still read."""

from drawn import INEXACT, SIGN, Program, array, body, constant, op

from tensordsl.types import TensorType

# fmt: off


def byte_order_of_one_byte(p: Program) -> None:
    """A byte order for a dtype of one byte."""
    x0 = p.argument(TensorType("bool", (None, None, 1, None)), array("bool", [[[[True]]]]))
    t0 = op("reshape", x0, constant("int64", -1), ndim=1)
    t1 = op("add", x0, constant("int8", 2))
    t2 = op("cast", t1, dtype='bool')
    p.output(x0)
    p.output(t0)
    p.output(t2)


def reduction_read_along_another_axis(p: Program) -> None:
    """A reduction read along another axis than it is stored."""
    x0 = p.argument(TensorType("uint64", (None, None)), array("uint64", [[5, 0, 4], [6, 4, 4], [6, 6, 1]]))
    x1 = p.argument(TensorType("int64", ()), array("int64", 12))
    t0 = op("sum", x0, axis=(1,), dtype='uint64', acc_dtype='uint64')
    t1 = op("gt", t0, x0)
    t2 = op("subtensor", x0, x1, index=(('slice', 14, 17, None), ('slice', -10, ('input', 0), -2)))
    t3 = op("clip", t0, constant("int8", -1), constant("int8", 2))
    t4 = op("dimshuffle", t3, order=('x', 'x', 0))
    t5 = op("neg", t4)
    t6 = op("max", t5, axis=(0,))
    t7 = op("dimshuffle", t6, order=('x', 0, 1))
    t8 = op("true_div", t5, t7)
    t9 = op("sqr", t4)
    p.output(t1)
    p.output(t2)
    p.output(t2)
    p.output(t8, SIGN)
    p.output(t9, SIGN)


def transposed_value_in_a_loop(p: Program) -> None:
    """Storage of a transposed value, reused while a loop still reads it."""
    x0 = p.argument(TensorType("int32", (1, None)), array("int32", [[-1, 2, 0]], strides=(-12, -4)))
    x1 = p.argument(TensorType("float64", (None,)), array("float64", [2.831055758931132], strides=(0,), writeable=False))
    t0 = op("dimshuffle", x0, order=(1, 0))
    t1 = op("cast", t0, dtype='float64')
    t2 = op("dot", t1, x1)
    t3 = op("concatenate", x1, t2, axis=0)
    t4 = op("mul", t3, t3)
    t5 = op("prod", t2, axis=(), dtype='float64', acc_dtype='float64')
    t6 = op("shape_i", t4, axis=0)
    t7 = op("arange", constant("int64", 0), t6, constant("int64", 1), dtype='int64')
    t8 = op("shape_i", x1, axis=0)
    t9 = op("add", t8, constant("int8", 0))
    t10 = op("shape_i", t2, axis=0)
    t11 = op("add", t10, t9)
    t12 = op("dimshuffle", t1, order=(1, 0))
    def step0(i, k0, k1, k2, k3, k4, k5):
        t13 = op("eq", k0, i)
        t14 = op("cast", t13, dtype='float64')
        t15 = op("mul", t14, k1)
        t16 = op("mul", t14, k1)
        t17 = op("add", t15, t16)
        t18 = op("subtensor", t17, k2, index=(('slice', 0, ('input', 0), None),))
        t19 = op("subtensor", t17, k2, k3, index=(('slice', ('input', 0), ('input', 1), None),))
        t20 = op("dot", k4, t19)
        t21 = op("second", k5, t20)
        t22 = op("add", t18, t21)
        return [], [t22]
    step0 = body(step0, [], [TensorType("int64", (None,)), TensorType("float64", (None,)), TensorType("int64", ()), TensorType("int64", ()), TensorType("float64", (1, None)), TensorType("float64", (None,))])
    t23 = op("for", t6, t7, t3, t9, t11, t12, x1, body=step0)
    t24 = op("true_div", t4, t4)
    p.output(t4, INEXACT)
    p.output(t5, INEXACT)
    p.output(x1)
    p.output(t23, INEXACT)
    p.output(t24, INEXACT)


def transposed_value_that_a_loop_hands_on(p: Program) -> None:
    """A transposed value that a loop hands on, in storage that is used again."""
    x0 = p.argument(TensorType("float64", (None, None)), array("float64", [[-2.0, -1.0], [-2.0, -1.0]]))
    c0 = constant("int8", 2)
    t0 = op("add", x0, x0)
    def step0(i, a0, a1, k0):
        t1 = op("dimshuffle", a0, order=(1, 0))
        t2 = op("dot", t1, a1)
        t3 = op("switch", k0, t2, a1)
        return [t2, t3], [a1]
    step0 = body(step0, [TensorType("float64", (None, None)), TensorType("float64", (None, None))], [TensorType("float64", (None, None))])
    t4, t5, t6 = op("for", c0, x0, x0, x0, body=step0)
    t7 = op("dimshuffle", t0, order=('x', 1, 0))
    t8 = op("argmax", t7, axis=(1,))
    t9 = op("dimshuffle", t8, order=(0, 'x', 1))
    t10 = op("switch", t0, t4, t9)
    t11 = op("second", x0, constant("float64", 0.0))
    t12 = op("true_div", t0, t5)
    t13 = op("sqr", t12)
    t14 = op("sum", t13, axis=(0, 1), dtype='float64', acc_dtype='float64')
    t15 = op("second", t14, constant("float64", 1.0))
    t16 = op("dimshuffle", t15, order=('x', 'x'))
    t17 = op("second", t13, t16)
    t18 = op("mul", t17, t12)
    t19 = op("mul", t18, constant("int8", 2))
    t20 = op("mul", t19, t0)
    t21 = op("neg", t20)
    t22 = op("mul", t5, t5)
    t23 = op("true_div", t21, t22)
    t24 = op("sub", c0, constant("int8", 1))
    def step1(i, a0, a1, k0):
        t25 = op("dimshuffle", a0, order=(1, 0))
        t26 = op("dot", t25, a1)
        t27 = op("switch", k0, t26, a1)
        return [t26, t27], [a0, a1]
    step1 = body(step1, [TensorType("float64", (None, None)), TensorType("float64", (None, None))], [TensorType("float64", (None, None))])
    t28, t29, t30, t31 = op("for", c0, x0, x0, x0, body=step1)
    def step2(i, a0, a1, k0, k1, k2, k3):
        t32 = op("switch", k0, a1, constant("float64", 0.0))
        t33 = op("add", a0, t32)
        t34 = op("sub", k1, i)
        t35 = op("subtensor", k2, t34, index=(('int', ('input', 0)), ('slice', None, None, None), ('slice', None, None, None)))
        t36 = op("dimshuffle", t35, order=(1, 0))
        t37 = op("dot", t33, t36)
        t38 = op("dimshuffle", t37, order=(1, 0))
        t39 = op("switch", k0, constant("float64", 0.0), a1)
        t40 = op("subtensor", k3, t34, index=(('int', ('input', 0)), ('slice', None, None, None), ('slice', None, None, None)))
        t41 = op("dimshuffle", t40, order=(1, 0))
        t42 = op("dimshuffle", t41, order=(1, 0))
        t43 = op("dot", t42, t33)
        t44 = op("add", t39, t43)
        return [t38, t44], []
    step2 = body(step2, [TensorType("float64", (None, None)), TensorType("float64", (None, None))], [TensorType("float64", (None, None)), TensorType("int8", ()), TensorType("float64", (2, None, None)), TensorType("float64", (2, None, None))])
    t45, t46 = op("for", c0, t11, t23, x0, t24, t31, t30, body=step2)
    t47 = op("add", t45, t46)
    t48 = op("true_div", t19, t5)
    t49 = op("add", t47, t48)
    t50 = op("add", t49, t48)
    p.output(t10, INEXACT)
    p.output(t10, INEXACT)
    p.output(t6, INEXACT)
    p.output(t50, INEXACT)
