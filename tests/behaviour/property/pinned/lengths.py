"""Programs whose lengths were once found wrongly."""

from drawn import INEXACT, Program, array, body, constant, op, packed
from numpy import inf

from tensordsl.types import TensorType

# fmt: off


def length_of_a_branch(p: Program) -> None:
    """The length of a branch's result that nothing else of it is needed for."""
    x0 = p.argument(TensorType("float64", (1, None)), array("float64", [[]], (1, 0)))
    s0 = p.shared(array("uint64", [[5, 5, 0], [1, 1, 0], [4, 4, 5]]), (False, False))
    t0 = op("sqr", x0)
    t1 = op("sum", t0, axis=(0, 1), dtype='float64', acc_dtype='float64')
    t2 = op("dimshuffle", t1, order=('x', 'x'))
    t3 = op("shape_i", t0, axis=0)
    t4 = op("shape_i", t0, axis=1)
    t5 = op("mul", t3, t4)
    t6 = op("cast", t5, dtype='float64')
    t7 = op("true_div", t2, t6)
    t8 = op("sub", t0, t7)
    t9 = op("sqr", t8)
    t10 = op("sum", t9, axis=(0, 1), dtype='float64', acc_dtype='float64')
    t11 = op("dimshuffle", t10, order=('x', 'x'))
    t12 = op("shape_i", t9, axis=0)
    t13 = op("shape_i", t9, axis=1)
    t14 = op("mul", t12, t13)
    t15 = op("cast", t14, dtype='float64')
    t16 = op("true_div", t11, t15)
    t17 = op("sqrt", t16)
    t18 = op("shape_i", t17, axis=0)
    t19 = op("ifelse", t18, t17, t0)
    t20 = op("max", t19, axis=(0,))
    t21 = op("dimshuffle", t20, order=('x', 0))
    t22 = op("true_div", t19, t21)
    p.output(s0)
    p.output(t19, INEXACT)
    p.output(x0)
    p.output(t22, INEXACT)


def lengths_in_a_circle(p: Program) -> None:
    """Lengths that stand for each other in a circle."""
    x0 = p.argument(TensorType("uint8", (None, 1, 2, None)), array("uint8", [[[[3], [4]]]]))
    x1 = p.argument(TensorType("uint8", (None, 1, 2, None)), p.view(x0, "uint8", (1, 1, 2, 1), (-2, -2, -1, -1), 1))
    s0 = p.shared(array("uint16", 5), ())
    s1 = p.shared(array("float32", [[[[0.27559757], [0.5385185]], [[1.7460278], [0.8996737]], [[3.0533314], [-2.321667]]], [[[1.801028], [0.18256497]], [[2.6038942], [2.5376868]], [[1.8028334], [-1.0688006]]]]), (False, False, False, True))
    def step0(i, a0, k0):
        t0 = op("mul", a0, constant("int8", 3))
        return [k0], [k0, t0]
    step0 = body(step0, [TensorType("uint8", (None, 1, 2, None))], [TensorType("uint8", (None, 1, 2, None))])
    t1, t2, t3 = op("for", constant("int8", 3), x1, x0, body=step0)
    t4 = op("dimshuffle", t2, order=(2, 3, 4, 0, 1))
    t5 = op("shape_i", t2, axis=4)
    t6 = op("mul", constant("int64", 1), constant("int8", 3))
    t7 = op("shape_i", t2, axis=1)
    t8 = op("mul", t6, t7)
    t9 = op("reshape", t4, constant("int64", 1), constant("int64", 2), t5, t8, ndim=4)
    t10 = op("argmax", t9, axis=(3,))
    t11 = op("dimshuffle", t10, order=('x', 'x', 0, 1, 2))
    t12 = op("sum", s1, axis=(2,), dtype='float32', acc_dtype='float64')
    t13 = op("dimshuffle", t12, order=(0, 1, 'x', 2))
    t14 = op("shape_i", s1, axis=2)
    t15 = op("cast", t14, dtype='float32')
    t16 = op("true_div", t13, t15)
    t17 = op("sub", s1, t16)
    t18 = op("sqr", t17)
    t19 = op("sum", t18, axis=(2,), dtype='float32', acc_dtype='float64')
    t20 = op("dimshuffle", t19, order=(0, 1, 'x', 2))
    t21 = op("shape_i", t18, axis=2)
    t22 = op("cast", t21, dtype='float32')
    t23 = op("true_div", t20, t22)
    t24 = op("sqrt", t23)
    t25 = op("mul", s0, s0)
    t26 = op("mul", s1, s1)
    p.output(t11)
    p.output(t24, INEXACT)
    p.update(s0, t25)
    p.update(s1, t26)


def lengths_in_a_circle_and_a_free_one(p: Program) -> None:
    """Lengths that stand for each other in a circle, one of them free."""
    x0 = p.argument(TensorType("uint8", (None, 1, 2, None)), array("uint8", [[[[3], [4]]]]))
    x1 = p.argument(TensorType("uint8", (None, 1, 2, None)), p.view(x0, "uint8", (1, 1, 2, 1), (-2, -2, -1, -1), 1))
    s0 = p.shared(array("uint16", 5), ())
    s1 = p.shared(array("float32", [[[[0.27559757], [0.5385185]], [[1.7460278], [0.8996737]], [[3.0533314], [-2.321667]]], [[[1.801028], [0.18256497]], [[2.6038942], [2.5376868]], [[1.8028334], [-1.0688006]]]]), (False, False, False, True))
    def step0(i, a0, k0):
        t0 = op("mul", a0, constant("int8", 3))
        return [k0], [k0, t0]
    step0 = body(step0, [TensorType("uint8", (None, 1, 2, None))], [TensorType("uint8", (None, 1, 2, None))])
    t1, t2, t3 = op("for", constant("int8", 3), x1, x0, body=step0)
    t4 = op("dimshuffle", t2, order=(2, 3, 4, 0, 1))
    t5 = op("shape_i", t2, axis=4)
    t6 = op("reshape", t4, constant("int64", 1), constant("int64", 2), t5, constant("int64", -1), ndim=4)
    t7 = op("argmax", t6, axis=(3,))
    t8 = op("dimshuffle", t7, order=('x', 'x', 0, 1, 2))
    t9 = op("sum", s1, axis=(2,), dtype='float32', acc_dtype='float64')
    t10 = op("dimshuffle", t9, order=(0, 1, 'x', 2))
    t11 = op("shape_i", s1, axis=2)
    t12 = op("cast", t11, dtype='float32')
    t13 = op("true_div", t10, t12)
    t14 = op("sub", s1, t13)
    t15 = op("sqr", t14)
    t16 = op("sum", t15, axis=(2,), dtype='float32', acc_dtype='float64')
    t17 = op("dimshuffle", t16, order=(0, 1, 'x', 2))
    t18 = op("shape_i", t15, axis=2)
    t19 = op("cast", t18, dtype='float32')
    t20 = op("true_div", t17, t19)
    t21 = op("sqrt", t20)
    t22 = op("mul", s0, s0)
    t23 = op("mul", s1, s1)
    p.output(t8)
    p.output(t21, INEXACT)
    p.update(s0, t22)
    p.update(s1, t23)


def length_known_at_entry_in_one_that_is_not(p: Program) -> None:
    """A length known at entry, inside of one that is not."""
    x0 = p.argument(TensorType("int64", ()), array("int64", 6))
    x1 = p.argument(TensorType("int64", (None, None, None, None)), array("int64", [[[[-3, -4], [-4, 3]], [[-3, -3], [-4, 1]]]]))
    x2 = p.argument(TensorType("int64", ()), array("int64", -1))
    t0 = op("shape_i", x1, axis=0)
    t1 = op("maximum", x0, constant("int8", -1))
    def step0(i, a0, a1):
        t2 = op("sub", a0, constant("float32", 1.0))
        return [a1, a0], [t2, i]
    step0 = body(step0, [TensorType("int64", ()), TensorType("int64", ())], [])
    t3, t4, t5, t6 = op("for", x2, t0, t1, body=step0)
    t7 = op("cast", t1, dtype='int8')
    t8 = op("clip", t7, constant("int8", -1), constant("int8", 2))
    p.output(t4)
    p.output(t8)


def constraint_on_a_value_that_nothing_loads(p: Program) -> None:
    """A constraint on the value of an argument that nothing loads."""
    x0 = p.argument(TensorType("int64", ()), array("int64", 1))
    s0 = p.shared(array("float32", [-0.6, -4.2, 0.1]), (False,))
    s1 = p.shared(array("float64", [[[-1.0], [-3.0]], [[-2.0], [-3.0]], [[1.0], [3.0]]]), (False, False, True))
    t0 = op("dot", s0, s0)
    t1 = op("sqr", t0)
    t2 = op("dot", s0, s0)
    t3 = op("dimshuffle", s1, order=(0, 'x', 'x', 1, 2))
    def step0(i, a0, k0):
        t4 = op("min", i, axis=())
        return [a0], [k0, t4]
    step0 = body(step0, [TensorType("float32", ())], [TensorType("float64", (None, 1, 1, None, 1))])
    t5, t6, t7 = op("for", x0, t2, t3, body=step0)
    t8 = op("cast", t7, dtype='float64')
    t9 = op("reshape", t2, constant("int64", 1), constant("int64", 1), ndim=2)
    t10 = op("cast", t9, dtype='float64')
    t11 = op("dot", t8, t10)
    t12 = op("mul", s0, s0)
    t13 = op("mul", s1, s1)
    p.output(t0, INEXACT)
    p.output(t1, INEXACT)
    p.output(t11, INEXACT)
    p.update(s0, t12)
    p.update(s1, t13)


def known_condition(p: Program) -> None:
    """A branch with a known condition."""
    x0 = p.argument(TensorType("int64", (1,)), array("int64", [4]))
    x1 = p.argument(TensorType("bool", (70, 1)), array("bool", packed("c-muRU|?VbLJ-No2m)XVA_fu$0k9}cA(#ynfvE=o1aSZ$"), (70, 1)))
    c0 = constant("int16", -3)
    t0 = op("gt", x0, constant("int8", 0))
    t1 = op("minimum", x0, constant("int8", 0))
    t2 = op("expm1", t1)
    t3 = op("mul", constant("float64", 1.6732632423543772), t2)
    t4 = op("switch", t0, x0, t3)
    t5 = op("mul", constant("float64", 1.0507009873554805), t4)
    def step0(i, a0, a1):
        t6 = op("neg", a1)
        return [a0, t6], [i]
    step0 = body(step0, [TensorType("int64", (1,)), TensorType("float64", (1,))], [])
    t7, t8, t9 = op("for", constant("int8", 3), x0, t5, body=step0)
    t10 = op("shape_i", t8, axis=0)
    t11 = op("dimshuffle", t10, order=('x',))
    t12 = op("subtensor", t11, index=(('int', 0),))
    t13 = op("broadcast_to", constant("float32", 2.5), t12, constant("int64", 3))
    t14 = op("subtensor", x1, index=(('slice', 55, None, -1), ('slice', None, -2, None)))
    t15 = op("concatenate", t14, t14, t14, axis=0)
    t16 = op("sigmoid", c0)
    def step1(i, a0, a1):
        t17 = op("arccos", a0)
        t18 = op("sqr", t17)
        t19 = op("add", t18, a0)
        return [a0, t19], [t19, t19]
    step1 = body(step1, [TensorType("int16", ()), TensorType("float32", ())], [])
    t20, t21, t22, t23 = op("for", constant("int8", 0), c0, t16, body=step1)
    t24 = op("switch", t15, t21, t21)
    t25 = op("ifelse", c0, t13, t24)
    p.output(t13)
    p.output(t25, INEXACT)


def late_length_beside_an_update(p: Program) -> None:
    """An output of late length beside an update in place."""
    x0 = p.argument(TensorType("float32", (None, 1)), array("float32", [[2.0], [2.0]]))
    x1 = p.argument(TensorType("int64", ()), array("int64", 1))
    s0 = p.shared(array("int8", [[-1]]), (True, True))
    t0 = op("logsoftmax", x0, axis=0)
    t1 = op("all", s0, axis=(1,))
    t2 = op("dimshuffle", t1, order=(0, 'x'))
    t3 = op("subtensor", t2, x1, index=(('slice', 2, ('input', 0), 1), ('slice', None, None, None)))
    t4 = op("mul", s0, s0)
    p.output(t0, INEXACT)
    p.output(t3)
    p.update(s0, t4)


def length_that_is_its_own_multiple(p: Program) -> None:
    """A length that is its own multiple, by a factor that turns out to be 1."""
    x0 = p.argument(TensorType("int32", (None, None)), array("int32", [[-1], [-4], [6]]))
    t0 = op("cast", x0, dtype='int8')
    t1 = op("cast", t0, dtype='int32')
    t2 = op("dimshuffle", x0, order=(1, 0))
    t3 = op("dot", t1, t2)
    t4 = op("dimshuffle", x0, order=(1, 0))
    t5 = op("reshape", x0, constant("int64", -1), ndim=1)
    t6 = op("dot", t4, t5)
    t7 = op("cast", t6, dtype='float64')
    t8 = op("dot", constant("float64", [[0.0]]), t7)
    p.output(t3)
    p.output(t3)
    p.output(t8, INEXACT)


def known_branch_of_another_shape(p: Program) -> None:
    """A known branch of another static shape."""
    x0 = p.argument(TensorType("float64", (None, 1)), array("float64", [[-inf], [1e+19]], shift=1))
    t0 = op("sqr", x0)
    t1 = op("dimshuffle", t0, order=('x', 0, 1))
    t2 = op("dimshuffle", x0, order=('x', 0, 1))
    t3 = op("concatenate", t1, t2, axis=0)
    t4 = op("subtensor", t3, index=(('slice', None, None, None), ('int', -1), ('int', 0)))
    t5 = op("dimshuffle", t4, order=('x', 0))
    t6 = op("ifelse", constant("int64", -109889909519642977), x0, t5)
    t7 = op("dimshuffle", t0, order=(1, 0))
    t8 = op("dimshuffle", t5, order=(1, 0))
    t9 = op("dot", t7, t8)
    p.output(t6)
    p.output(t3)
    p.output(x0)
    p.output(t9, INEXACT)


def equal_branches(p: Program) -> None:
    """The length of a branch's result, both branches of which turn out equal."""
    x0 = p.argument(TensorType("int32", (2, None, 1, None)), array("int32", [[[[-1]], [[-1]]], [[[-1]], [[-1]]]], strides=(0, 0, 0, 0), writeable=False))
    x1 = p.argument(TensorType("int64", ()), array("int64", 0))
    x2 = p.argument(TensorType("int64", ()), array("int64", 5))
    s0 = p.shared(array("int32", -1241838082), ())
    s1 = p.shared(array("uint64", [[9678332282366266208], [3086799749268370926], [12727879505231883834]]), (False, True))
    t0 = op("dimshuffle", s1, order=('x', 'x', 0))
    t1 = op("mul", t0, constant("int8", 2))
    t2 = op("reshape", s1, constant("int64", 5), constant("int64", 1), ndim=2)
    t3 = op("ifelse", x2, s1, t2)
    p.output(x1)
    p.output(x0)
    p.output(t1)
    p.output(s0)
    p.output(t3)


def counts_whose_number_is_known_late(p: Program) -> None:
    """A length is the sum of a vector whose own length is said to be 1 after it was made."""
    x0 = p.argument(TensorType("int64", (None, 1)), array("int64", [[2]]))
    t0 = op("max", x0, axis=(1,))
    t1 = op("specify_shape", t0, constant("int64", 1), axes=(0,))
    t2 = op("sum", t1, axis=(0,), dtype='int64', acc_dtype='int64')
    t3 = op("repeated_positions", t1, t2)
    p.output(t3)


def product_of_small_integers(p: Program) -> None:
    """A product of integers that are known to be small, in vectors longer than a register: LLVM ended the process."""
    x0 = p.argument(TensorType("uint32", (3,)), array("uint32", [2, 1, 0]))
    t0 = op("clip", x0, constant("int8", -1), constant("int8", 2))
    t1 = op("mul", t0, constant("int8", 3))
    t2 = op("dimshuffle", t1, order=(0, 'x'))
    t3 = op("dimshuffle", t1, order=('x', 0))
    t4 = op("mul", t2, t3)
    p.output(t4)


def lengths_that_only_empty_arrays_have(p: Program) -> None:
    """A length that must be twice itself: what stands for it as a whole does not stand for it within others."""
    x0 = p.argument(TensorType("int64", (None, None)), array("int64", [], (0, 0)))
    t0 = op("cumsum", x0, axis=1)
    t1 = op("dimshuffle", t0, order=('x', 0, 'x', 1))
    t2 = op("shape_i", t0, axis=0)
    t3 = op("shape_i", t0, axis=1)
    t4 = op("broadcast_to", t1, constant("int64", 2), t2, constant("int64", 2), t3)
    t5 = op("mul", t2, constant("int64", 2))
    t6 = op("mul", t3, constant("int64", 2))
    t7 = op("reshape", t4, t5, t6, ndim=2)
    t8 = op("dot", x0, x0)
    def step0(i, a0, a1):
        return [a1, a0], []
    step0 = body(step0, [TensorType("int64", (None, None)), TensorType("int64", (None, None))], [])
    t9, t10 = op("for", constant("int8", 4), t7, t8, body=step0)
    t11 = op("concatenate", t9, t9, axis=0)
    t12 = op("dot", t7, t8)
    t13 = op("dimshuffle", t12, order=('x', 0, 1))
    t14 = op("dimshuffle", t12, order=('x', 0, 1))
    t15 = op("concatenate", t13, t14, axis=0)
    t16 = op("dimshuffle", t15, order=('x', 0, 1, 2))
    t17 = op("dimshuffle", t8, order=('x', 0, 'x', 1))
    t18 = op("shape_i", t8, axis=0)
    t19 = op("shape_i", t8, axis=1)
    t20 = op("broadcast_to", t17, constant("int64", 2), t18, constant("int64", 2), t19)
    t21 = op("mul", t18, constant("int64", 2))
    t22 = op("mul", t19, constant("int64", 2))
    t23 = op("reshape", t20, t21, t22, ndim=2)
    t24 = op("switch", t0, t23, t9)
    t25 = op("reshape", t24, constant("int64", -1), ndim=1)
    t26 = op("shape_i", t25, axis=0)
    t27 = op("cast", constant("int8", 3), dtype='int64')
    t28 = op("mod", t27, t26)
    t29 = op("sub", t26, t28)
    t30 = op("subtensor", t25, t29, index=(('slice', ('input', 0), None, None),))
    t31 = op("subtensor", t25, t29, index=(('slice', None, ('input', 0), None),))
    t32 = op("concatenate", t30, t31, axis=0)
    t33 = op("shape_i", t24, axis=0)
    t34 = op("shape_i", t24, axis=1)
    t35 = op("reshape", t32, t33, t34, ndim=2)
    p.output(t11)
    p.output(t16)
    p.output(t24)
    p.output(t35)


def long_length_that_was_checked(p: Program) -> None:
    """A length of several terms that a check had computed, which another one goes on from."""
    s0 = p.shared(array("float64", [], (0, 1)), (False, True))
    t0 = op("subtensor", s0, index=(('slice', -1, 1, -1), ('slice', None, None, None)))
    t1 = op("subtensor", t0, index=(('slice', 1, None, None), ('slice', None, None, None)))
    t2 = op("subtensor", t0, index=(('slice', None, -1, None), ('slice', None, None, None)))
    t3 = op("sub", t1, t2)
    p.output(t3)


def square_written_to_a_row(p: Program) -> None:
    """A value of (n, n) written to one row: n must be 1, and its other axis stretches along a slice of computed length."""
    x0 = p.argument(TensorType("float64", (None,)), array("float64", [3.0]))
    x1 = p.argument(TensorType("int64", ()), array("int64", 2))
    t0 = op("dimshuffle", x0, order=(0, 'x'))
    t1 = op("dimshuffle", x0, order=('x', 0))
    t2 = op("mul", t0, t1)
    t3 = op("shape_i", t2, axis=0)
    t4 = op("broadcast_to", constant("float64", 5.0), constant("int64", 2), constant("int64", 4))
    t5 = op("inc_subtensor", t4, t2, x1, index=(('slice', 0, 1, None), ('slice', None, ('input', 0), None)), set=True)
    p.output(t3)
    p.output(t5)
