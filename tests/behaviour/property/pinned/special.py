"""Programs that were once wrong for special values: overflow, and zeros of functions."""

from drawn import INEXACT, Program, array, body, constant, op, packed
from numpy import inf

from tensordsl.types import TensorType

# fmt: off


def square_that_overflows(p: Program) -> None:
    """The square root of a square that overflows."""
    x0 = p.argument(TensorType("int64", ()), array("int64", -3))
    x1 = p.argument(TensorType("int64", ()), array("int64", 2))
    s0 = p.shared(array("float32", [[2.0, 1.0, 0.0, 1e-40], [2.0, 1e+19, -1e+30, inf]]), (False, False))
    t0 = op("sub", s0, constant("int8", -1))
    t1 = op("subtensor", t0, x0, x1, index=(('slice', ('input', 0), ('input', 1), None), ('slice', None, None, None)))
    t2 = op("sum", t1, axis=(0,), dtype='float32', acc_dtype='float64')
    t3 = op("dimshuffle", t2, order=('x', 0))
    t4 = op("shape_i", t1, axis=0)
    t5 = op("cast", t4, dtype='float32')
    t6 = op("true_div", t3, t5)
    t7 = op("sub", t1, t6)
    t8 = op("sqr", t7)
    t9 = op("sum", t8, axis=(0,), dtype='float32', acc_dtype='float64')
    t10 = op("dimshuffle", t9, order=('x', 0))
    t11 = op("true_div", t10, t5)
    t12 = op("sqrt", t11)
    p.output(t12, INEXACT)
    p.output(t1)


def gammaln_next_to_its_zero(p: Program) -> None:
    """The logarithm of gamma next to its zero at 1."""
    x0 = p.argument(TensorType("float64", (None,)), array("float64", [1.000842099061883, -2.747916960644531, 1.9946085633317274, 1.9921856043923944, 0.9982675321767884, 2.0032809194935517]))
    t0 = op("gammaln", x0)
    p.output(t0, INEXACT)


def loop_that_stacks_logarithms(p: Program) -> None:
    """A loop that stacks logarithms of probabilities near 1."""
    x0 = p.argument(TensorType("uint64", (None, None, None)), array("uint64", packed(
        "c-ozpNpi&?3`8|@|08FSWD%-fJ$}5QFc>s+x8#cNXX5YEKjX^$_c_-&bG_edo-iM{Z(-l>_jRoo*qN}u;rxWLVNAHU<huet8~kjrv#$LO`MvXY"
        "z>a}Dko^Pk2(YUGcLV+n#Ao3A0Q?=m1>xgBK8~y>@Z;u1T<esFf_#L;tHJM*`%~f-g1?0Q19RfXNZgI5q!XX=HAOE|_<RH(1$+sx*X|kk{)k@<"
        "deOq01pXH23GsD6Zw7Er`ce?b5&fxu>O_l<hv0HW*C~!8b&~KsfX9YBQT`V6md>L%4A^P7KaYKh)tz{Z-@tl-pC$J-<hei0^8wzK=qa5`^{3^&"
        "kp8Ydw0~jVQh!IrmAY<v-%@Wz{14%!_0#)UM@Mv$>Rvw9U9*?^AFD5P-+~^m^z{q68q!Cl=;TO$Yjq?fpM<BCcm?Rdd93#(IN!(rgM93#D1Iyb"
        "<&pmns^<&5qj(+Rq2b?fY5x@=d?S8SAN2*qsRkY"
    ), (8, 8, 8), strides=(8, 64, 512)))
    x1 = p.argument(TensorType("int64", ()), array("int64", 2))
    def step0(i, a0, k0):
        t0 = op("mul", a0, k0)
        t1 = op("switch", k0, t0, i)
        t2 = op("logsoftmax", t1, axis=2)
        return [k0], [t2, a0]
    step0 = body(step0, [TensorType("uint64", (None, None, None))], [TensorType("uint64", (None, None, None))])
    t3, t4, t5 = op("for", x1, x0, x0, body=step0)
    t6 = op("neg", t4)
    p.output(t4, INEXACT)
    p.output(t6, INEXACT)


def zero_that_max_takes(p: Program) -> None:
    """A quotient by the zero that max takes of two, which NumPy leaves open."""
    x0 = p.argument(TensorType("float16", (None, None, None)), array("float16", [[[-0.0], [0.0], [-1.0]], [[0.0], [-0.0], [-1.0]]]))
    t0 = op("log1p", x0)
    t1 = op("max", t0, axis=(1,))
    t2 = op("dimshuffle", t1, order=(0, 'x', 1))
    t3 = op("true_div", t0, t2)
    p.output(t3, INEXACT)


def power_of_a_signed_zero(p: Program) -> None:
    """The side of a cut on which a power of a complex zero lies."""
    x0 = p.argument(TensorType("complex64", ()), array("complex64", 0j))
    t0 = op("neg", x0)
    t1 = op("pow", t0, constant("int8", 3))
    t2 = op("arccosh", t1)
    p.output(t2, INEXACT)


def power_that_underflows_on_a_cut(p: Program) -> None:
    """The side of a cut on which a power lies that underflows to zero."""
    x0 = p.argument(TensorType("complex64", (None,)), array("complex64", packed("c-muNU|={T#t0-C8h~^I01$8jvj"), (2,)))
    t0 = op("pow", x0, constant("int8", 3))
    t1 = op("arccosh", t0)
    p.output(t1, INEXACT)


def logarithm_of_what_overflows(p: Program) -> None:
    """log1p(expm1(x)) is x, also where expm1(x) overflows."""
    x0 = p.argument(TensorType("int64", (None,)), array("int64", [579257272114372943, -3880168694417764794]))
    t0 = op("mul", x0, x0)
    t1 = op("expm1", t0)
    t2 = op("log1p", t1)
    p.output(t2, INEXACT)


def softmax_of_what_overflows(p: Program) -> None:
    """exp(x) / sum(exp(x)) where exp(x) overflows."""
    x0 = p.argument(TensorType("float64", (None,)), array("float64", [800.0, 800.0, 800.0, 1.0, -750.0]))
    t0 = op("exp", x0)
    t1 = op("sum", t0, axis=(0,), dtype='float64', acc_dtype='float64')
    t2 = op("dimshuffle", t1, order=('x',))
    t3 = op("true_div", t0, t2)
    t4 = op("pow", t3, constant("int8", 3))
    p.output(t4, INEXACT)


def product_whose_factors_overflow(p: Program) -> None:
    """A product of factors that overflow in some orders and not in NumPy's."""
    x0 = p.argument(TensorType("complex128", (None,)), array("complex128", [1j, 1e+200j, 1e-200j, 1e+200j]))
    t0 = op("prod", x0, axis=(0,), dtype='complex128', acc_dtype='complex128')
    p.output(t0, INEXACT)
