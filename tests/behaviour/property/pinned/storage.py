"""Programs whose updates, outputs or loops once shared storage that they must not share."""

from drawn import INEXACT, SIGN, Program, array, body, constant, op, packed
from numpy import nan

from tensordsl.types import TensorType

# fmt: off


def output_that_views_an_update(p: Program) -> None:
    """An output that is a view of what an update's step computes."""
    s0 = p.shared(array("float32", 1.6), ())
    s1 = p.shared(array("uint16", [2]), (False,))
    t0 = op("sum", s1, axis=(0,), dtype='float64', acc_dtype='float64')
    t1 = op("dimshuffle", t0, order=('x',))
    t2 = op("shape_i", s1, axis=0)
    t3 = op("cast", t2, dtype='float64')
    t4 = op("true_div", t1, t3)
    t5 = op("dimshuffle", t4, order=('x', 'x'))
    t6 = op("dimshuffle", t4, order=(0, 'x'))
    t7 = op("dimshuffle", s1, order=('x', 0))
    t8 = op("mul", t6, t7)
    t9 = op("dimshuffle", t8, order=(1,))
    t10 = op("mul", s0, s0)
    t11 = op("mul", s1, s1)
    p.output(t5, INEXACT)
    p.output(s0)
    p.output(t9, INEXACT)
    p.update(s0, t10)
    p.update(s1, t11)


def output_that_is_an_update(p: Program) -> None:
    """An output that is also an update, computed in the step of another update."""
    x0 = p.argument(TensorType("float64", ()), array("float64", 0.8))
    s0 = p.shared(array("float64", 0.8), ())
    s1 = p.shared(array("int64", [[[5, -2]]]), (False, False, False))
    s2 = p.shared(array("int32", 3), ())
    t0 = op("sum", x0, axis=(), dtype='float64', acc_dtype='float64')
    t1 = op("mul", s1, s1)
    t2 = op("mul", s2, s2)
    p.output(t0, INEXACT)
    p.update(s0, t0, INEXACT)
    p.update(s1, t1)
    p.update(s2, t2)


def output_with_a_new_axis(p: Program) -> None:
    """An output with a new axis, computed in the step of an update."""
    x0 = p.argument(TensorType("int8", (1,)), array("int8", [-2]))
    x1 = p.argument(TensorType("float32", (None, 17)), array("float32", [[-2.6716, -2.06796, -1.2953945, 2.1921365, -2.5987048, -0.3007118, 0.39120853, -0.52282417, -1.2360997, -2.619717, 0.3596919, -0.11200661, -2.8955858, 0.7337234, 1.2189815, 1.354981, -0.5955708]], strides=(-68, -4)))
    s0 = p.shared(array("float64", 1.0), ())
    t0 = op("argmin", x0, axis=(0,))
    t1 = op("dimshuffle", t0, order=('x',))
    t2 = op("mul", s0, s0)
    p.output(x1)
    p.output(t1)
    p.update(s0, t2)


def value_kept_in_an_update(p: Program) -> None:
    """A value kept in the storage of an update that a waiting store still reads."""
    s0 = p.shared(array("float32", nan), ())
    s1 = p.shared(array("float32", -0.0), ())
    s2 = p.shared(array("float32", packed(
        "c-l=-Elve75FWLH;83`iaD-8qH&rAg>rg1%C>#gaRj7A?_5gbUG_;O{>>hv%JP#b;@lB^CG}%l$?R<aB%#vc<Ge3oGU0(@{`9+B4>ErwMi)dG{"
        "KcPKa4>c2&iTR?Wc$t~+LhDQWimHn0l7VM9C)J^lFJMqe@!Do9-?ly$<H7z7yt%!ThDoYN!QI}t+C1=w;M_mB8>^nH_p=9|nJ43B_(I=m?s)Et"
        "D8<hVjoEsp!L)Q<!$I$F2HA+|wX^DT_hIkF^D&JBG#zt4do3+Ln$3gZs@|CIn&-A2s@H$Ik<)@q&YPAUJjUW054rc<7vVfg&kLC1`j(vHeegU-"
        "v4027I%oL;r_THWY#XqM"
    ), (5, 5, 5)), (False, False, False))
    c0 = constant("bool", [True, True, False, False, True])
    t0 = op("max", s2, axis=(0,))
    t1 = op("dimshuffle", t0, order=('x', 0, 1))
    t2 = op("sub", s2, t1)
    t3 = op("min", t2, axis=(0, 1, 2))
    t4 = op("dimshuffle", t3, order=('x', 'x', 'x'))
    t5 = op("sum", t4, axis=(0,), dtype='float32', acc_dtype='float64')
    t6 = op("dimshuffle", t5, order=('x', 0, 1))
    t7 = op("shape_i", t4, axis=0)
    t8 = op("cast", t7, dtype='float32')
    t9 = op("true_div", t6, t8)
    t10 = op("mul", t4, t9)
    t11 = op("add", c0, t2)
    t12 = op("softmax", t2, axis=0)
    p.output(c0)
    p.output(t10, INEXACT)
    p.output(constant("int8", [[4, -1, 3, -1, 3], [-4, 2, 3, -1, -3], [-1, 2, -4, 5, -3], [-3, 6, 1, -1, 0], [3, -3, -3, 3, -2]]))
    p.output(t11, SIGN)
    p.update(s1, s0)
    p.update(s2, t12, INEXACT)


def loop_without_iterations_starts(p: Program) -> None:
    """The storage of a loop's starting value, which is its result after no iterations, was used again."""
    x0 = p.argument(TensorType("float32", (None, 8)), array("float32", [[2.3, -4.4, -0.1, -4.3, 0.7, -0.7, -1.1, 1.7], [-2.0, 1.4, 0.8, 0.9, -0.9, 2.4, -0.1, -2.9], [-0.7, 4.7, 0.1, 3.2, -0.2, 2.2, -3.0, 0.9]]))
    x1 = p.argument(TensorType("float64", (3, None, None)), array("float64", packed(
        "c-jF#0>Ax41m`^*9`--ld~uAdxD7zk)3|JFVAem*?=8ax;oQGgO`8gDp#wmWEBFPMQS3ic$&U}PSph)zY*(xau*yHJ=aDmb3GF{!Fr}V@k^8@_"
        "YK-|6ng>8hb_i48zw|%$p$h<st^+`d>T3F5a`3+hG@xvp_5ncK+(UqUA=SU@l3`+E3j05WtJ^@Oj{QGJ`4l;(`TW0vLU+6&7~sF>p2Z{7uLHmY"
        "D5)^#5ez_oZVeAvDZ#&nCB7;}tLi^d0!XUvjP<{#_by8s#l1hy=CHMVcJIG$ok3ufm<PZHi8H&1Ak{yQz`qtW9rizO#^i^Dw$Z=7@yH*C&*#5h"
        "Qx%CFtNTAJsnKlmrTjlH;Oltbr`<meCMvkGFY!P1xm!e5HP}CHyD#bQa{s?W#E5DuC*(h4RxWkN;oQH)r`!c?|Hi)##h+5!WD>yAvR||{M)|)F"
        "T)}guUI@T;ppyT@BcwmOKB#<|r3gTH+gM27Y5PBF{E{MTv;@GqzJdvb!?r)wbi@gw-nBns^GBW)ng~E~OrU1KTB*N`N9;rqD)YYqNlc1LzVE;O"
        "fUkIQ8v;O11j)aM{MWw@I2f-m<nlk|9EC>nWW>KOeVEo7!2G|jITPw^t^q(vj_QD1g#f_wEDchm*VaF_;F1%nhTOkGl#aqARsKJWVj6qGE5kp%"
        "c8TM<PuxF`Uk{5P^6bBvl+pekt;D~52Y*fwuM5DKj<MhHz~jH_%6NX#J?p>cNO=&KX!1XrOezT"
    ), (3, 8, 3), strides=(1536, 96, 16)))
    c0 = constant("int8", 0)
    t0 = op("neg", x0)
    t1 = op("dimshuffle", t0, order=(1, 'x', 0))
    def step0(i, a0):
        t2 = op("logsoftmax", a0, axis=1)
        return [t2], []
    step0 = body(step0, [TensorType("float32", (8, 1, None))], [])
    t3 = op("for", c0, t1, body=step0)
    t4 = op("sqr", t3)
    t5 = op("sum", t4, axis=(0, 1, 2), dtype='float32', acc_dtype='float64')
    t6 = op("second", t5, constant("float32", 1.0))
    t7 = op("dimshuffle", t6, order=('x', 'x', 'x'))
    t8 = op("second", t4, t7)
    t9 = op("mul", t8, t3)
    t10 = op("mul", t9, constant("int8", 2))
    t11 = op("sub", c0, constant("int8", 1))
    def step1(i, a0):
        t12 = op("logsoftmax", a0, axis=1)
        return [t12], [a0]
    step1 = body(step1, [TensorType("float32", (8, 1, None))], [])
    t13, t14 = op("for", c0, t1, body=step1)
    def step2(i, a0, k0, k1):
        t15 = op("sub", k0, i)
        t16 = op("subtensor", k1, t15, index=(('int', ('input', 0)), ('slice', None, None, None), ('slice', None, None, None), ('slice', None, None, None)))
        t17 = op("logsoftmax", t16, axis=1)
        t18 = op("exp", t17)
        t19 = op("sum", a0, axis=(1,), dtype='float32', acc_dtype='float64')
        t20 = op("dimshuffle", t19, order=(0, 'x', 1))
        t21 = op("mul", t18, t20)
        t22 = op("sub", a0, t21)
        return [t22], []
    step2 = body(step2, [TensorType("float32", (8, 1, None))], [TensorType("int8", ()), TensorType("float32", (0, 8, 1, None))])
    t23 = op("for", c0, t10, t11, t14, body=step2)
    t24 = op("dimshuffle", t23, order=(2, 0))
    t25 = op("neg", t24)
    t26 = op("dimshuffle", t25, order=(0, 1, 'x'))
    t27 = op("any", x1, axis=(0,))
    p.output(t26, INEXACT)
    p.output(t27)


def output_behind_a_store(p: Program) -> None:
    """An output that reads an update's storage behind its store."""
    x0 = p.argument(TensorType("int64", (None, None, None)), array("int64", [[[6, 4], [-1, 0], [2, 5]]]))
    s0 = p.shared(array("float64", [[-0.6, -2.8, 1.5], [-1.5, 2.0, 1.7], [0.3, -3.2, 0.5]]), (False, False))
    s1 = p.shared(array("int64", [[4, -3, 3]]), (True, False))
    t0 = op("dimshuffle", s1, order=('x', 1, 0))
    t1 = op("abs", t0)
    t2 = op("add", constant("float32", 1.0), t1)
    t3 = op("true_div", t0, t2)
    t4 = op("any", x0, axis=(1,))
    t5 = op("dimshuffle", s0, order=(1, 0))
    t6 = op("argmin", t5, axis=(0,))
    t7 = op("int_div", s1, t6)
    p.output(t3)
    p.output(t4)
    p.output(t6)
    p.update(s0, t5)
    p.update(s1, t7)


def loop_without_iterations_gives_back(p: Program) -> None:
    """A loop without iterations that gives back storage used again since."""
    x0 = p.argument(TensorType("float64", (None, 1, None)), array("float64", packed(
        "c-jrri9gi&AHeZ3<CqzyXb`F`R}XDATbo?*`Ie(o(WXOe$^3SREa^^L5y`RDgb;SANF>Kfi1$ainh@nkj-7F93^SNRu3vw{>+yQ3rE9JnNO^-6"
        "*q@s<q9kajCckpGjRY<4_cmI4j!az5uRl=kNFn~{-}2M`BQkI{poI<$d;_FfS-OKeh;~1Skv&!zL4GnTmQ&R@bX{D1(d$|$yfj!>Sd^fG%dh0B"
        "X1j<`xkxdmb=f$|)fEWTTlnZi(F$*8voR!ASB;M@l>$_|DhSW>5NG?M(FAKAG&Bt~ELig>zk{Q9@`q`ptWMkXFkK4TyPNLYC5|G?{qrJgCnj;$"
        "C5EAL?Hjs%*0I&Oat2QC4O>%sM*%CzjY9m27oh6XpCy)_>NtdYb4y?u9hZ4}%s=g%MpsD5k2%#6lz3xm`g*n^eoSr4Ik;Aay6Vh^m+;5Xt=Zdk"
        "=A%6LypY~Ie?S9!l@$ixGp~b(VgJmgna#lV^e6e5=NUwXvVLKy9S@!6m3xn0q2j(^Qa<YvozPjl<t>ZiplbcKFOL4*k2)h-)PGzUK~-+`Oi%e3"
        "+;!bH>K3+$1l=K*#$y$UsEP0kbiESzuTANWiOmR-ezkvEe3edo*ju^6(@X-54~_cG&q%;J(DlpVugchL|FdNwJ5$hy1$q`+M8W|qqr(?tDY&BX"
        "KTop@6dVxp!l3uG2-uvZp~qe3q44ixwf~qhFtK67$u*UO(Bo+MvAS*qnspEP&eV&MR;JmrgFnk4?AjGOwX#Zhaw)DwH+UFWL+4}rGNdrzL*G}X"
        "(}tL$tLZ7SX$aiaplez;3Gr%N@xU=LOxbU-qB1CiQ%=UJY+4<>CuR5w&&|VY<oEABT?XNEKgYe;kc40B8-%)Y+mVLVs6n}_0<o*Hv%*W(2Tbxd"
        "w(ON0{mkcoT5)Y0MOgpW))ONJ=5+xI7!bo&&f|%>JPA7PX41?R&x2{ZVb^KaM|9xM*Y{>ga;RynwE5+kCK1%NH;JLw3CcIjP2Qw^gf6$?6C=VB"
        "G+6H0M>dq8R4F?~PSYSF{f7;|tY4110uBG%sZYZ_e6bH*u^;SqZ(cp=u>>E#mOmdEKqgZ7+AZsyYe3^=5G7Mxh*n#?y8U$1II^pW7dcZ&I4{@8"
        "!ZLak+_I+q`+5dYX2LDqb839_m_4i&#*;wd-gWKWixfh5E5mmG_bxT$=d6*%NidA7yg#vV7IO4O&r-=V$nvegV5*OV<LWb$)EUe0W)t2JS&xK0"
        "Vq*VFh#o@;*F@?r9(|y&m{wH#O_kt<>sff$D&wlE*d4(+3V4W-!SAnZMjlF(rlbBO%<XyZA29Y2CI%JSud6nryxIOwhogqk&SBkSuJ?tY^7q?y"
        "%Wt;8@}btomGAqJ-pN3Y_}COu?aUo7IW>wT!nk&C8(pG`zW#n&FO3)-?#%Y=V-iY!TYXm@P{pTowqlO!0+_hp6#3j(K?npLJ~vINILY#9MnLHd"
        "7(?MeVB9p)f4h0`o_RLv^%@GT&RayU?n?7qYZpN~XURT3ZxZh2Hn^{MRKoOav$hT!r%+_+nFnirlR^G5f=)hGi)c+31m&br^j71+1eG-gc}M8K"
        "kGxdFsdGbHTZ@F~_J-UCQ3V3vt#b2g^cz5@R#*RThtDj$b&L0u+0(HK%clGJ_m2j2sPgD?A^aA#`N<mj0+|2d@zp{~!oM7H&&{>YMGq~!y(0dk"
        ";Aw5PQhxX>DlWH<INQdDP%(pwdCEk>AtS0+JC*P~p6X_2IgPS5N9`xs$-q<mTC=2>MkIw9Mdn++gsF!br+t<dz`IS~YPKA01gD|dZ>;bcME>aL"
        "8j(%Len%VKa`F`L>FPHQ9G5|8n$nde4l;<^kc+$CefO!`cJ834fDdO=Y)6gbCsEKD#zc@G8O!Q|{C};PLR(XdUI&#b;5V0!h)onlD1{YT!gx4~"
        "$|~gV)>TsoPU853OVJBReri-Uw3|+t9@Vk`ctnkee|BT!$%bCkZM?HV$Qp);*)Xq^ekDT4(Fn4)Rv?_0G8dD7_=bwtfBMSI6`-_m2C$UpAmh^#"
        "ML~`LZA#{sVFNne)1h4<oz%cZVK(c}oS8t{L0Vd$+i3Xp4$C*)`*_GovycAnR}p;KYhUxIpGLUZSH*Q$s^E6fuM!`_uSko@U20RLgzFz=>b}@Z"
        "$L-`zU+QZ$2$Kje@{tr0@%x@2dCN~N$hJ48VAK0KWO6SvFl?U`yxmjdKIqVKT62%l>$YY1-oI8(NyR!i>!&H3#uJ^;ppF(FWhoPpXF6<DWD<1#"
        "3yg#cyMd&;vumyG7&4Woa1DAEz|@L;A|``LL@&u&IhE7|J6xP%8-nC8vz=2HtEi1Lt_0y%wxuxB)p=28+ZdcAD%OU4=s-!^ea{NmG#oQgS8?ty"
        "1>y<);G^)3b8sY#t7y*TA{FCuM^UpfP8=a3pR8>`Iu$rJreqcjp8D=GZRNqTjWLp)J>!tmCqJpCeIJECt2hu*NXEQG3)S!+CsDUqmlru|3fS8m"
        "*glGlpsi?;^6x1XtR7<7%eJK8>m6DShux)666cUtWhF#GbY3{kb`A=(7{UIZD1>d<tV`%t33{w=KFYmI#)XH9*38}zfshtiwr3d?50)g^1^Rb_"
        "K<QHAk{A&TB-I`gW-8#7ubKoko2QWG%ZpKCAcN$Jdh1}x02D7?W{Yj9c%-1z_+0ut=&P1Vn><LwbG<J#C&y0E59nw}{_cr$kMx6$i4;;zSDhtq"
        "6CvkfPsQW>MKruyHOR_d1o_=J9HUY+i7Ynjyn8$qr>)Ss>_L!;^z0YuYyJ|VBy&%OGo6P5F6TY{v9ARRd^;TfX<mRlW2Jq`EIH!VH!n}sA4JhD"
        "4_0XZ(SxoYbSQXrWdz;JwNPT_sA3)Zf#h4+BH&)w({Q^%3NvYa(u7t%%I4^~3(YBnYoKe!^c^y;;<lbMUib`5iqG?e3o3Xb`tqX}!4#sxrpAur"
        "P>uc%+;yve"
    ), (17, 1, 17), strides=(-136, -136, -8)))
    x1 = p.argument(TensorType("int64", ()), array("int64", 0))
    x2 = p.argument(TensorType("int64", ()), array("int64", -1))
    t0 = op("sub", x0, x0)
    def step0(i, a0):
        t1 = op("neg", a0)
        t2 = op("maximum", t1, constant("float32", 0.5))
        return [t2], [t2]
    step0 = body(step0, [TensorType("float64", (None, 1, None))], [])
    t3, t4 = op("for", x1, t0, body=step0)
    t5 = op("clip", t3, constant("int8", -1), constant("int8", 2))
    t6 = op("sum", t5, axis=(0, 1, 2), dtype='float64', acc_dtype='float64')
    t7 = op("dimshuffle", t6, order=('x', 'x', 'x'))
    t8 = op("shape_i", t5, axis=0)
    t9 = op("shape_i", t5, axis=1)
    t10 = op("mul", t8, t9)
    t11 = op("shape_i", t5, axis=2)
    t12 = op("mul", t10, t11)
    t13 = op("cast", t12, dtype='float64')
    t14 = op("true_div", t7, t13)
    t15 = op("sub", t5, t14)
    t16 = op("sqr", t15)
    t17 = op("sum", t16, axis=(0, 1, 2), dtype='float64', acc_dtype='float64')
    t18 = op("shape_i", t16, axis=0)
    t19 = op("shape_i", t16, axis=1)
    t20 = op("mul", t18, t19)
    t21 = op("shape_i", t16, axis=2)
    t22 = op("mul", t20, t21)
    t23 = op("cast", t22, dtype='float64')
    t24 = op("true_div", t17, t23)
    t25 = op("sqrt", t24)
    t26 = op("cast", constant("int8", 1), dtype='float64')
    t27 = op("inc_subtensor", x0, t26, index=(('slice', None, None, None), ('slice', -2, 2, 3), ('slice', -14, 0, 2)), set=False)
    t28 = op("cast", constant("int8", 1), dtype='float64')
    t29 = op("dimshuffle", t28, order=('x', 'x', 'x'))
    t30 = op("dimshuffle", t29, order=(0, 2))
    t31 = op("inc_subtensor", t27, t30, index=(('int', 14), ('slice', None, None, None), ('slice', None, None, None)), set=False)
    def step1(i, a0, k0):
        t32 = op("add", a0, constant("float32", 1.0))
        return [t32], [k0]
    step1 = body(step1, [TensorType("float64", ())], [TensorType("float64", (None, 1, None))])
    t33, t34 = op("for", x2, t25, t31, body=step1)
    p.output(x2)
    p.output(t33, INEXACT)


def late_group_of_a_length(p: Program) -> None:
    """A group that overwrites a variable and also writes a length that is found behind entry."""
    x0 = p.argument(TensorType("uint16", (None, None, 1, 1, None)), array("uint16", [[[[[3, 6]]], [[[2, 6]]]]], strides=(1296, 144, 8, 48, 2)))
    x1 = p.argument(TensorType("int64", ()), array("int64", 2))
    x2 = p.argument(TensorType("int64", ()), array("int64", 2))
    x3 = p.argument(TensorType("int64", ()), array("int64", 1))
    x4 = p.argument(TensorType("int64", ()), array("int64", -4))
    s0 = p.shared(array("int8", [[[[[1], [-3]], [[6], [4]]]]]), (True, False, False, False, False))
    s1 = p.shared(array("float64", [[1.0]]), (True, True))
    s2 = p.shared(array("float64", [[[[1.0], [2.0], [0.0]]], [[[-3.0], [0.0], [-1.0]]], [[[-1.0], [-3.0], [3.0]]]]), (False, False, False, True))
    t0 = op("subtensor", s2, x2, x3, x4, index=(('slice', ('input', 0), None, -2), ('slice', ('input', 1), 2, 2), ('slice', ('input', 2), None, 2), ('slice', 0, 1, 3)))
    def step0(i, a0):
        return [a0], [i, i]
    step0 = body(step0, [TensorType("float64", (None, None, None, 1))], [])
    t1, t2, t3 = op("for", constant("int8", 3), t0, body=step0)
    def step1(i, a0, a1, k0):
        t4 = op("maximum", a0, k0)
        return [t4, a1], [a0]
    step1 = body(step1, [TensorType("float64", (None, None, None, 1)), TensorType("uint16", (None, None, 1, 1, None))], [TensorType("float64", (1, 1))])
    t5, t6, t7 = op("for", x1, s2, x0, s1, body=step1)
    t8 = op("shape_i", t0, axis=2)
    t9 = op("mul", s0, s0)
    t10 = op("mul", s1, s1)
    p.output(t3)
    p.output(t6)
    p.output(t8)
    p.update(s0, t9)
    p.update(s1, t10)
    p.update(s2, t5, INEXACT)
