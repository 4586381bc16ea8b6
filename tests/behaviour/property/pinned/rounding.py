"""Programs whose rounding was once judged or done wrongly."""

from drawn import INEXACT, Program, array, body, constant, op, packed
from numpy import inf

from tensordsl.types import TensorType

# fmt: off


def logarithms_near_one(p: Program) -> None:
    """Logarithms of probabilities near 1, which are known to the rounding of their sum."""
    s0 = p.shared(array("float32", [[4.8756456, 0.6742987], [-2.1942048, -0.39469883], [1.9578085, 0.10752406]]), (False, False))
    t0 = op("logsoftmax", s0, axis=0)
    t1 = op("sqr", t0)
    t2 = op("sum", t1, axis=(0, 1), dtype='float32', acc_dtype='float64')
    t3 = op("second", t2, constant("float32", 1.0))
    t4 = op("dimshuffle", t3, order=('x', 'x'))
    t5 = op("second", t1, t4)
    t6 = op("mul", t5, t0)
    t7 = op("mul", t6, constant("int8", 2))
    t8 = op("exp", t0)
    t9 = op("sum", t7, axis=(0,), dtype='float32', acc_dtype='float64')
    t10 = op("dimshuffle", t9, order=('x', 0))
    t11 = op("mul", t8, t10)
    t12 = op("sub", t7, t11)
    t13 = op("logsoftmax", t12, axis=0)
    p.output(t13, INEXACT)
    p.update(s0, t13, INEXACT)


def loop_that_stacks_what_is_rounded(p: Program) -> None:
    """A loop without operands of a floating type that stacks what is rounded."""
    x0 = p.argument(TensorType("float32", (None, None)), array("float32", [[], [], [], [], []], (5, 0), writeable=False))
    s0 = p.shared(array("uint8", [6, 4, 6, 0, 3]), (False,))
    t0 = op("sum", x0, axis=(0, 1), dtype='float32', acc_dtype='float64')
    t1 = op("dimshuffle", t0, order=('x', 'x'))
    t2 = op("shape_i", x0, axis=0)
    t3 = op("shape_i", x0, axis=1)
    t4 = op("mul", t2, t3)
    t5 = op("cast", t4, dtype='float32')
    t6 = op("true_div", t1, t5)
    t7 = op("sub", x0, t6)
    t8 = op("sqr", t7)
    t9 = op("sum", t8, axis=(0, 1), dtype='float32', acc_dtype='float64')
    t10 = op("shape_i", t8, axis=0)
    t11 = op("shape_i", t8, axis=1)
    t12 = op("mul", t10, t11)
    t13 = op("cast", t12, dtype='float32')
    t14 = op("true_div", t9, t13)
    def step0(i, a0):
        t15 = op("inc_subtensor", a0, a0, index=(('slice', None, None, None),), set=True)
        t16 = op("digamma", i)
        return [t15], [t16]
    step0 = body(step0, [TensorType("uint8", (None,))], [])
    t17, t18 = op("for", constant("int8", 2), s0, body=step0)
    t19 = op("second", t17, constant("uint8", 1))
    p.output(t14, INEXACT)
    p.output(t18, INEXACT)
    p.update(s0, t19)


def loop_that_magnifies_rounding(p: Program) -> None:
    """A loop that makes much of the rounding of its first steps."""
    x0 = p.argument(TensorType("float64", (None, None)), array("float64", [[-2.0732191781010463, -0.2584184011440433, 1.5751573201500646], [0.31237942903778465, -1.4191840426271902, 1.1307047244541717], [1.8453680220807627, 0.4718208401490596, -0.2617232523733162]]))
    s0 = p.shared(array("float64", [[0.0, 3.0, -1.0], [-1.0, 3.0, 2.0], [3.0, -1.0, 1.0]]), (False, False))
    s1 = p.shared(array("int32", [-4, -2, -2, 0, 2, -3, -1, -3]), (False,))
    t0 = op("dimshuffle", s1, order=('x', 0))
    t1 = op("dimshuffle", s1, order=('x', 0))
    t2 = op("concatenate", t0, t1, axis=0)
    def step0(i, a0, a1):
        t3 = op("exp", a0)
        t4 = op("dimshuffle", t3, order=(1, 'x', 0))
        t5 = op("cbrt", t3)
        t6 = op("softmax", t5, axis=0)
        return [t3, a1], [t4, t6]
    step0 = body(step0, [TensorType("float64", (None, None)), TensorType("int32", (2, None))], [])
    t7, t8, t9, t10 = op("for", constant("int8", 4), x0, t2, body=step0)
    t11 = op("add", s1, constant("int8", 0))
    p.output(t10, INEXACT)
    p.output(x0)
    p.update(s0, t7, INEXACT)
    p.update(s1, t11)


def product_whose_terms_cancel(p: Program) -> None:
    """A product of float32 whose terms cancel."""
    x0 = p.argument(TensorType("float32", (None, None)), array("float32", [[-2.1389978, 0.54880935, -0.52962834, 1.8827676, 1.3784964, 0.05550804, -0.07167819, 1.0358387], [1.0115471, 1.9289545, -0.18820958, 0.04226021, 0.4411412, -4.9328146, 0.015484552, 0.5720372]]))
    t0 = op("dimshuffle", x0, order=(1, 0))
    t1 = op("dot", x0, t0)
    p.output(t1, INEXACT)


def differences_of_logarithms_of_probabilities(p: Program) -> None:
    """Differences of neighbours, which are small, of logarithms of probabilities."""
    x0 = p.argument(TensorType("float32", (None, None)), array("float32", [[2.892, 0.205, 0.654, 2.273], [1.648, 1.158, -0.758, -2.038], [0.752, -1.024, 1.654, 0.423], [-1.491, 0.535, 1.418, 0.355], [-1.565, 0.525, 0.714, 1.649], [1.444, -1.817, -0.996, 1.211]]))
    t0 = op("logsoftmax", x0, axis=0)
    t1 = op("subtensor", t0, index=(('slice', 1, None, None), ('slice', None, None, None)))
    t2 = op("subtensor", t0, index=(('slice', None, -1, None), ('slice', None, None, None)))
    t3 = op("sub", t1, t2)
    p.output(t3, INEXACT)


def sign_of_a_zero_product(p: Program) -> None:
    """The sign of a zero of a matrix product depends on whether its sum begins with 0."""
    x0 = p.argument(TensorType("float64", (1, None)), array("float64", [[2.0, 0.0, 2.0, -2.0, -2.0, 0.0, -1.0, -3.0]]))
    t0 = op("dimshuffle", x0, order=(1, 0))
    t1 = op("dot", t0, x0)
    t2 = op("digamma", t1)
    p.output(t2, INEXACT)


def power_of_the_least_number(p: Program) -> None:
    """A complex power whose exponent is so large that NumPy's rounding of it is seen."""
    s0 = p.shared(array("complex128", packed(
        "c-o74^sq$v`N#e5-$WG8bUnKNRnG#;NIT7A(JoiD|Ms#tY?{oRR&?#BJp&kgsE@q)bWLo>UHi{BdX=krnH*S!{!4K=e}>9Guov3$OFrPpV|!^f"
        "Jy*u}NB4hyx=8J<@iY7LXFZ}PO?b2ayy@b3`C<$Qp2adOzG(SvzwN_AJu5!`*)R7xJoojQH~V*FaZ4}0$#OvR$8E*lDX;9aG9{E5zdyCFU!K1A"
        ";>=I>_1bH0OCDf!IG50NDN^sJebw<--GwUu_Qz&^zT;o_b3fbj3kUO${M`R6ef^<16F=F{DP`!ed17A200q0)j@n&Y&F*k&|A!k-#lAq@&CtML"
        "J2Bx&#6xEQMRSAG"
    ), (17,)), (False,))
    s1 = p.shared(array("complex128", packed(
        "c-obiF^<(h42GR<P6FZtD<t5J#36u=1JEKmG9?8K{T6VNOvO2Zv=vp#?H()bo0;d&_N+*gH+f0M{{8#69g)Xlk?Z5wE<ZA^pY>X@UZyJUd-jum"
        "{W$5fnCF+NeFxs#_DLE0X8nHdo9f^1KVN=$^Wyj8`hLCqzv}f4JDVMCzjj|+C)~&XMQ-1HdH(FvuN(N2Z$HboS9dpGFY7`a^>dQ7{XGs<`$2mc"
        "$L<gAqn`(G9@n+qcHQk)*Ax9kJjtKt7jf>_D{=OD5FG};&0K%|<Kx}?KW{ZJEj~If7B~Gr?LW@oW8>`^yg@t<@;*0v+dlK>>9@&G@~HZ8;d{Fu"
        "XKf$vXI{7GOdJu<J$NqWiO)Ow!}wD7T7F73{wdrU|G{(Sa}d`pz+L?Nsek0>j{KDD^M^Q%`rzkVg6>d1Qs*D*3-V>1^F##s({;tibDVwtx44=5"
        "A-><-KUL&e1|KSQ&&RRtOZ=j`+j)?EU3To$_%eSAa77;w>FWb;wEtzUugr&rlc_gbfP?t;Ez&{i3U%TNcjX7|VB8$Noj#Xp(3fn!PK`WATuQIA"
        "Q$8Oj<W<KRe5`Z65B&9h_XhvPkAnp9UV}nh{kk#wLLbjm1HM+@&-6sx2F^iTYSh>Cv*Hu$lBo;TuPgMEee6LV2YF=b^r!>SuYgyZkLPg;>Ui_3"
        "Ec1RV2RvNa--ms3P)8SkPUw2P`2A(1bDQ7yIsKzs4>+e-T$g!&p8fs19VM6tvVVTaD{W_#|7U-$xZ;!6&Farh#y`$M(1jHAdnxKe%e+4|I$r%b"
        "bMVCHhwVRju#U?A@xS=<DfN91`(^ZZHJIarJbtRaIl6^8WBwhW^M4KIqo7W5UNpKK^i@%RZ1(B6`1705{SxsisGpd>1pG4J8=^j_MBf#Be6MuX"
        "%~Q$$017}(G5"
    ), (17, 17)), (False, False))
    t0 = op("pow", s1, s0)
    p.output(t0, INEXACT)
    p.output(s1)


def factor_of_terms_that_overflow(p: Program) -> None:
    """A sum of products that overflow, whose common factor stands before the sum."""
    x0 = p.argument(TensorType("float64", (None,)), array("float64", [inf, -1.5e+308]))
    t0 = op("mul", x0, constant("int8", 2))
    t1 = op("sum", t0, axis=(0,), dtype='float64', acc_dtype='float64')
    p.output(t1, INEXACT)


def turned_terms_that_overflow(p: Program) -> None:
    """A sum of products that overflow, the transposed ones of which are added as they are multiplied."""
    x0 = p.argument(TensorType("float64", (None, None)), array("float64", [[-1e+30, -1e+30], [1e+19, 1e+19], [1.0, 1.0]]))
    x1 = p.argument(TensorType("float64", (None, None)), array("float64", [[1e+300, 1e+300], [1e+300, 1e+300], [1e+300, 1e+300]]))
    t0 = op("mul", x0, x1)
    t1 = op("dimshuffle", t0, order=(1, 0))
    t2 = op("sum", t1, axis=(1,), dtype='float64', acc_dtype='float64')
    p.output(t2, INEXACT)


def logarithm_of_what_has_vanished(p: Program) -> None:
    """log(exp(x)) is x, also where the exponential of it is 0."""
    s0 = p.shared(array("float64", [-1e+30, -2.0, 2.0]), (False,))
    t0 = op("exp", s0)
    t1 = op("log", t0)
    p.output(t1, INEXACT)
