"""Programs whose updates, outputs or loops once shared storage that they must not share."""

from drawn import INEXACT, SIGN, Program, array, body, constant, op, packed
from numpy import nan

from tensordsl.types import TensorType

# fmt: off


def output_that_views_an_update(p: Program) -> None:
    """An output that is a view of what an update's step computes."""
    s0 = p.shared(array("float32", 1.6092957), ())
    s1 = p.shared(array("float64", [[-0.9185891679079866, 1.9014498483172475, 0.9372859645567251, 2.3152727893581404, 1.3720938587207756, 3.4583712887376827, 0.6066560578920702, 1.279106139562979, 0.6511997503362337, 1.8843911603724663, 1.7506582351471915, -0.056958746470285086, -7.98853320959055, -1.7675284716858413, -1.0514479052513555, 1.0242397324806432, -1.7304870507287775]]), (False, False))
    s2 = p.shared(array("uint16", [2]), (False,))
    t0 = op("sum", s2, axis=(0,), dtype='float64', acc_dtype='float64')
    t1 = op("dimshuffle", t0, order=('x',))
    t2 = op("shape_i", s2, axis=0)
    t3 = op("cast", t2, dtype='float64')
    t4 = op("true_div", t1, t3)
    t5 = op("dimshuffle", t4, order=('x', 'x'))
    t6 = op("dimshuffle", t4, order=(0, 'x'))
    t7 = op("dimshuffle", s2, order=('x', 0))
    t8 = op("mul", t6, t7)
    t9 = op("dimshuffle", t8, order=(1,))
    t10 = op("mul", s0, s0)
    t11 = op("mul", s2, s2)
    p.output(t5, INEXACT)
    p.output(s0)
    p.output(t9, INEXACT)
    p.update(s0, t10)
    p.update(s2, t11)


def output_that_is_an_update(p: Program) -> None:
    """An output that is also an update, computed in the step of another update."""
    x0 = p.argument(TensorType("float64", ()), array("float64", 0.8008786598068542))
    s0 = p.shared(array("float64", 0.8117502250875275), ())
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
        "c-mE52{=?=8y})b2q{E}EJ?{yl)2|rmb3{ak@h`l(XKM~r7We5QYuP{kP30nsbp<e5f$3^Y>_Bm^UnWHeLc@KX54$ud*0>ut`~pGC{!^qm2ocG"
        "fTzsJF5-#)32qFO;I+zo(RoKMAmQh_O+Hxoot}O!EBw57HxE~|I5q$IF+elsDiXd6KM(k&MgRQVQ$ETDJ9m9&;-8-&J0<#Hoyv`j@V*zHCDGCe"
        "dRVy0ODzv}m7tvnuRs1XvQW6jkc};W)~5lVZB?jnzoeB;Ol-XksR+$LpV2BZP%jmAdljHpYopLL12g)ubuH|zKJgB*yFP>rmYa=*pDks72=_xl"
        "Q~YS}T6Y}vs+=*^(;|7Z?^EIWS%WB?>tlt0Opj7Ws(~iVR$dl4{H>EHo?MO&#$O<#M%@#x-6K1)kW6pMB_4b^GDJ>^=#}<eU}CeB+!-{Gn!b5Q"
        "O6G?!!Zo9Z$|D^%6<vMSQ1s-ZIb1hIqKWCb7mtKzG2gFC*CcckHe@*UyD$YgN=_mzBR>QE|MLARe=*vTEREBf3a?E)){AcJYUT^iGRs$z(W;tE"
        "gnP}ZI}GceTq8plZ?+QhQ!wpWC~`VI2aUFU$XMEU5mUiMb|BNA3Kte$8`bH9q!+wlzV4olf^_7ta2?On7UWGv4lCSOD8CfXV<3;xvu}ver5#02"
        "FXylz&-1mguW+AT!)MSVKeAC|!6P*6+D9U!?LYE+g#YPhY0-Wm7l~a(U#xvQ9-T@oV}<(*ukfcAfo^uZD~ibshqKR3HNgc3cN9gbz9F(H)<|@%"
        "pl9ZY#nfDH9QplRgN>70h`)a}qkTWw5xJYXOqHrNw&>aovR?htivC9%@9#Sg4c6WQXZL-gL|!!c(LS@zqk9JVu>a;y50Ghw20k@n5#Bp%C9d8y"
        "4?UY{${wA60Qhp9>f-Q{c}0_x`XR%<O=wKgZ?yBg8@G=@xUchvv_hl3lK8mSP|VRBKCTpav7)vZ^lP|r6nCBgA&-5qF%y<3MLTq4z<xf<?nD}^"
        "R|<K^YkR#4zaJTi!#1`RZ7w)~y!RQ=ad$$6HYr%V5~FUtt0@0;JToQq0clAuM_o&{;If++iYE6NOhq~*=t-8nK<hRp5)q9&p5t*lCP=G@J<9AM"
        "cT*lQoSkZzw2|(6d^YBJCD8ebmke~Pn4E>rTm7{0I_oOnMNltm#<uwoGM&F($nT!6>>b46*hx0?hBLF)BL`%lvta_ebafcw<Sbm{*xIR}JHCNO"
        "_#)j91k?m~5Pa4ZFaA_PE}Ct|6P}DlQ|x<DdEH`L;XQV@B=PX;<7q*q9g46jXVP?bFc#BqkiANAq+rWg)OvtN>t*NB!KesXuap71IwGft@0=Zk"
        "pJYW8`Ma;7!t=?-5_ZnL-=MQvPNx`IFL~gR(czs$c#qq}$0+>%bpDEC&p-#YE9Q`Cm$C?_JAZ9bC~q3zK4mJL^Sh@z;Gb|0?Z+P&!vziEYui-w"
        "88hBn^tJ3cGvcu-Sur}MaQP9QPzMF4jw#~}y(-CnHo`N^I0m};c}oY%U!lSr9&1mzb+SyQaNX$vq$;Kjwdzdf?2c!7-4p4Z^<eWAP3VQQznI!@"
        "8kp!FLno&Wp%?PjkSr?``pD1*Jvu)D<QCTGLpi-vVp2dSF#ZX)J~`$vBYfxWSps++aju&kns<rsC0WHL_gP1tPe~=WZ6;vHExsI2#J1Jjdnox>"
        "asVX>`v0f*LS3T)_7~T&S^ROd_S_-VSA8_moe)CS#;fCT-GnS3`-?GFiz!UoR!cHEON4v~7@o$ks)Ct7qmY&wxiG-7A&xQl&46!=o3el=PclSr"
        "K4b$Aq(;sw;^&MbN3v&OeV1cojqWwvS>B1v7S_R89wwe4Q<J06-uAWFE^{f^x$yOQR2ax;dd)$=D)m2}WcU13hLhvB!Lv#6r0F<wrU~ISHWr@T"
        "y%Gn{T0-_c^Cc51i-6XrpK4IA89jV9KZ4BqP)IsrRY~1>17vl%0|{wsUL{F6-6?(H3_KIkv>~w!^zA?U3|JbP!T311qEB!8qebd-7~%ehnvMgl"
        "T85k0>vztuhdw5e>1uNLN=Q4bZ8E79=(ZglO1A}Sll%8|Va;2wk`N>53BEMWN*bq)TY^=c?tl;H$84uhFMlT8y6?cAb*4*!Kh^Ad$xrT@4R$lE"
        "Vg}%uRQWKpWS$IGtdAv`$Litw*7(nCVPh8hIOQYz^-ULR<@b!tUHBC6gO=PNtjrm-r>vUooK(ZStg*xO1#!URwwdyD>hxwf|3FDO8q&8*j5#9R"
        "7wJ&8#-2hBOMP31Fn@W(<JtF7rP&6f@W88av>-H=z2)J`R7RQ7tmi{;+Y1J5J+F+p>mR?K3Aj~~JeKl%x!|<d8n|%3(|@)k+N;Zb0N_%4raL2|"
        "gD3DF#gfF~DzMJe22PJfGD>}&Oj-&ogzKUgvXjA<x`&v-nxz?WLOG*`%Yh`%ZVRq|lL=>C+~kJ6d~T3lTM?P@?I)ah=J{-7d43;Ciy4RA)-0xG"
        "_Lg|V5M!*6X+SS(Vpd2Cn~QK(UK5(+qCh8AH!vW}lzO6HwjT7(*F2{vt7Qz>=<f7`z+;c#^Jv8AtH^M%8{ScnL>NOw>UOCEQQb5Y?NUqT#j0aY"
        "7lr4_@~<RI&W<CT44OTr;z7N$ncRw;BH`J_8QPHbt78D0IGf=x(2brz%#U$!X0J|ZG?tY{&+gvlf4g{yG0#=Nw)>_6e^NJ#;=VDOru4sf0Q5-p"
        "%@w9%=3MOaJcSSbNVAsxZ*3tCq8-xv;hZye2azbn2OO572*+3)RDF-+RX=9t+qi)J-+d557M9z<HKUd!P>I9uQLf{0GB=GOa%;~L1uI*y!MPL8"
        "u_D?3@k?=8G*ja1__X{ah(Q#J2howUq6p_NUGEI0F#}%_%~$baoZIIbLX@n2!9Mo-Ziv$hCyQD%{Y738$DbRq%P|)>E#fDTCwgrlzv#jga$(0{"
        "TwvQkoVK>Jp_@0Ll2&u^`dMdfQ0(mmsM6gUbhkF-3K{ZKhOE0kkPhGXg()tb#h7W&{*O;IK)9b<SrSV65`uRq_QLw3(ov7&R}`3NfJ-zNlIOk8"
        "fz3~Hnh3s6NYiWmn}n0U$uhuj!IA2r$Yg~PxqRvn>^oXjfESy8<@di@Q{)wXgp1(<ZUqem`E(w!0$Da?YGN+F`)t^NHY?PVLrNb2KWo)b0WSw%"
        "`-*h$MHLlQWq|Hytv`Ug)HUb_rwu41q%VKrtfQo4eF)iGo&tLDyTTtmopJ$qn^dlZx%jAQc>sF-?FXzeecC|q4X(0QWO0)ns%$Dn3f^Z){Z&Oc"
        "kL0e4=s!94kg|5huRIlSF)*(;TASy9Zywq~_IgXv2liue{iS5OWN13*_>Pm}`vO=4XS)A~6JFXe9KL(MZ7W()qXlPjr7h&pQdRUXerveZBO#9~"
        "gWnb@jQkEVHQg45dmeWFp)U`O8MqX9HD`?mZIsbMU(L+ew_op*az}m4`5WQyO`2YVjTmgH;bH>x;6ylJw9ae^eEa!#z$)YTQdaUyIC35wj{?VL"
        "vD>0%peZjFkUlnHRJLUl?6v5|XgvPjF%n&81D|^~^`>&`J`ip%;rg$&;?Wh)U7!<tUv-dpHVa2H0yHah9rekR!|2y!pf7esP?6|93YdK-RiTI("
        "`W8)SRK<yDGIZp&Mv&QO=L1A8%>u6}o(nej+b5bH=$Q`t?>74ZdiOkM61~!)4!Cf;a1Z!6i_Qp?mVWBrIIE}sgt+m^=LKw5+zh(@k|{a!Q-WQ$"
        "USyB|;Bt>|QYxp1fbHEmAg7*biI-7Ys4U9WU&Wl-sEnuiR}#*4{=pjfcg=J!zN^>oAG{Zx(}mHYzg(Tgc|_m4<8jGk8M1$eg*d*GO)g?n&L*HU"
        "bL~M+Pj>erF4i-|G4B|Ml{jOAFFtNHgg#RX!!j<>e{zs#5N}<v7h!VE@Ym@2m;j)StQ1f=?J&~EDjlu6xPq9weHEWMpkN|?eN2YTozn;W&X%Wu"
        "lRf1#Pol=F^@Rz%HukXU6SBZ~FwnR0(s8h%-MtNoip47OW>+xAN!C=m>JY0N-=F<?GY0IN!-tM2NyNonhi^ons4yA)H@Eo{<GJ4@r?bytuW2)I"
        "(2^5`i-Sk*n~Sq6N5EO8Mm87qe=wZj&VDp<xhBxwV_OUKSlGDGwS6oxCx^7Lg|Pqb>q+oFDkqT&cy+|VMUL!rl%aMH?vaNE)g;`xifK0)jOE{K"
        "N1GoH!##J0fUOr^<I}jF6@0K+UH~eqTZYe8-a=%p3+8AR{_g(ld&s2UDRirTBJ6$8R~FxRcM#ocB!DS9bC)r>xxHyY<74vZ?Im<!X9D}5d<6$R"
        "_M-JFK}9YnDvE@BDKAl=M@vRBa`%VhRi&aF_nG|+dNH^+$y*nLHfyaC=gq=35@!>}c$ONCbm&6+o;d?u#%K-M={uR2G|Iqd=MnCpd;43T;OK|t"
        "<beMm$f>U1P9;amuNGOqv?F((C_ru~ylzgv(`?A&3jXbVS!A-?JEnE2BCZK`0$Loa+~}xD?!=|_9ogD*9!*+#9JA?Vh@)wlv@<pRF%tRaOA;>j"
        "3T{+DoSzrcJjGTL_@uWdpYKa4oAXr;WP7hp3!mgCa5;%!Y3oP8#JZF{l*5N(rr9Jx|0T%V?$L0x<Nbd8*m*S_J1UyI$?XU0C@mY0=<+Y@7yDq)"
        "At!qmvf0uP>0dMFa#Vqw+-N-Gr2*iGMawK=f_PZ<=~OhODHn9A>WUUJYwiuWyQi44VZB}={;pQkP`&|qRNTVb_xt0A{o=)O_P2yJXr}5D=K1DS"
        "B4a%dc<DWC5}NUQC~f<32=qSpsRp}~O=Q+M=t4fX=wT`OGOiYUQ}eY@<WOjXd}cmJFZ}Jn$KSe<&(7QvhYB+@h>Vgxxuj`?oJs@1=AQq|!&1}*"
        "J6<T{Y9Ua^S$Am+zAV3=v2<Jk@;cQViqD-*ASMTYq1skWtbgqk#{=*MR;g3r{-mlo;LrQd8;v-ejJw_{q?7kkMuLtSl#b-1ovE?zMl^W#HX^qq"
        "AE~CO;JxW5Nla8P{K;wqnt4bO?+I7LTpl8n`3DUTaol{O(C9zA5%j2=S)u)DtHED{?p*`16WKoybGWxFQ-)5?98Us0oIxMz=i8#J?CT&K9T|1t"
        "Z$+Pl^!&m*pbIN6?FF57uh}ckKLs*2=pR}Frn}jKKR9@~5x&=56v7x>YbSEy-axZl%~d3*m<>M{f6~SB4#QzB&qIZb@qq_$kLg28v^m2Papw@e"
        "Uq{Eu8yR(wafX@!-ulUl_8H9*!^&Y;Dd{?Ut$s1Pc&a&`5M4nuHt2J4GGOjQhdpe{q5jw-S(R|{ukicBfsWW=5)byDwZ;YU{rXP$`u!`&tXsku"
        "=a^N{d2)A<*1<B4mH_VFsiApv?|zEzWex^e*M&VMHj-9Irgt-Pi#khQK9i%$l8DG-I~-p+5H;8<iv5Xv+!~OPc|ad*vIo=fgGzXK>uBWlUY-2S"
        "yLo7NxB=`tblpo-U+@O#+Nsc&1X>KH&HIzkh`XWSgNKehh(?U?q=G_SkmHgax)e2CN1nH8P)#mjQWv}6^X}zf=gJof7>!5j_=4#?vgW2LU9NT*"
        "9mrWuVpP&tXZ>7cWV?bqQO;+wPBK_yb|J&@aY)xK5;o%@*lN_n-uU^vg}}E@4$|1pdKU1sf13^HOhRQc9;lE>u5}uMkI<})f%9H07!LmRV=sBo"
        "*Pz>cG*ci)i?_@saqFv4;D;S_lHOuYc7l89P9!jT7)glKrgyw9iv6{4-_|rEz`J8>GReAi*T9Afr88NRnsG>8ZxEiL@DtAKCp(9=oT|y(_m%~J"
        "plH7och1?z4#?({vR|KIjat<`gj+kI_eJz;o)-y`Tm&(L{i#FrLWd{*yaGcm`_;A>>d$Ufn)E<HA-g0q2el561G|uZJ_1jEJqqy7<J(w>vH!+u"
        "e{5><B*gg?;r0Lg4t>mxM0205hqFI=EkO%bO(k@lG+9+Og!FHm0CH|gYD1}`caV&;9*j<#5%`-NY>lgA2hyCemBc*OfWB<eC*S!y(3~OzSgWb)"
        "3^UqqCD^>}EIp`MJ=B}UNDgQ~O=KjVHc=GESQXfc=$&|%VRva$m21&xiMc6O#~xUIsU`6Ki+wG+^C$tO*=wU4(mRoQQZ(|kwFi7&8{G(Tt<s@b"
        ")-PC|IG7H^9tk7px3vDC)14g$@Ct8N>RV_6yjJn7W;OCJvmCCft!O11TC&hcp1;^mE?Fi3zs5!7p!g(nI8WNr;SkRlE!j(NW!Iv>euJqO5#jKq"
        "x-h<C<3MUy_?lcFXGEGUGx+{~lkiokQ{bb7bcW@eMsG)?Aj4(uSgT<L(b<xK-fkU2xfsey$pLuu!XTzF=Cm1+9G?UErS=vAd$_nS1snUG3iT9Z"
        ";?0Be)W+;0GCUK?#Vofw&H;`(hL@3EGtJ=VC%3im{`O5IVvh`6_DKnBU{8Y~<?_yTZ(_iH!r$?Mo+)Pv|MPu+{(X#uJlkevI>Z5!n)jo>`S_n4"
        "YlbKOu}ocz?a7;Uab|C2B=K5XoO`1emvHmL{+Npuh2M=(k;QKt&6q-)R&wl99x0O!qpv1<iF4z^TmGb4Hv{PS?;e4g^<c`;RT8B^zYO^fama&3"
        "AHg<mxeNfG^KF<K?jF;CEF4eap+<+;n_Dl6Vo|jRe5l{97XWs?yT67^Of5yU+zzkWz8o)}?!eJ3Flb(gV=k-*9obp58BM>TjD{pI)c3SLT_0&c"
        "FC3PjLx(D3fo4D8afHJW#%+KA6}r?xtk=Gwlk7ZqgtKqJaH-4B;PZeF{`h1L4_!0(!j3+7k%p*<YQB>fTVO}IOs3>?IQyb!HvVZmj54vS#e5XL"
        "oPE5=QT?Ix%<TDes-X_@(wPbRY1G$+QD3@)`rED&`<hK}ud(~9RZ+B#B(<xb0cQ>|72xkj2GWQ18_A4mb4fodH9VoKh1O>F#tR&GfxXZBJb-AO"
        "Her2_@#)3nkLYi`jRrhvpGYl&M*!}$KVQRm=3geGzAeE$kpgP0vYmRz%Fu6jegfaNm#+rB+^r;sMjFVH@FO)OOk)+<`1}Mpw#=2jvoNEd=t9s7"
        "t1sGMf2|=9KMM4ZJ94oi`aDfkpSzH-hulj2ftq$^0H!u?gB;=i^6AH!-yr@nZ<++>H6P6KEd;A@oMI{T4use8-_FO=t}ll5Exclx7mLlf*d?G|"
        ">jgV=NH^%w3+*=YZURA5JyV(OC;Q+GUJ`k5A<XvT=J{NIBp~mgv$z+P{JcxtC+Y8A$JjcaW-?~YM^BX^s88`eV$pb2RIAu(i?(WRLIc`QvYN|h"
        "(5iK3(Dv_hL5>|qiqNpUgJjCJd*r9lY9#S%4RLCswxA#59m$Xpg+$|rsD5%iDv!}*ZLtA!pEQh91l!HL%ZGSNLeHK0w%GsSDFOMFb*e*8@r{0<"
        "*yo%%P>THYccXJ(rOBmHeK1%1c%*TQBxP$NE}#A4V1UMa+70(Bj>Nz#g{oMvz1-olbZ?{~$T`yO1nMYkLX-RFBbk(?psxv@2gj2D32d;cmcM^;"
        "GU~r-B3>O90c(5ahU5OVqlk@GFfwzs01T;J5s2o=n?o%qtmZX)F15AjVVWxYuI4;CnfSZtpMDUpqh&BXJLL}JoV6EmJ%dFRp=4jmTJWKfn_R$G"
        "J?R(?XRFzu{KxMnqjNvT!d^<N+mT*S2+$H$vxOv&C?)$;5Zv1*M8F@OT1QSl&Ie!cV(@mhF<b|qk9R^d^DYAp4OwOe*Xo@PVLIO|XAV8v%GT{1"
        "Pmg=<Lvt)lflohcy~VmBd}YW51Fc7{Hp9NjZcoV|)F1t7t06sKPLPOM$t+i2cx$?yEMHlRoclaLd9(B>zH7z#@t)~tY>>=CCGx59AsN2*0&%aB"
        "qv_0YIxgcBxxVB%@ehi@)k#6rGvx+RQC>^Kb&L4x6Mhu2*RP`66;AZERU{py|FH=DiF0_X_R!;ZM&hy=cH;ctmgikG?}{nt%Iv46sG6=NmCKrl"
        "@>T)Z#%)bIwA#1<CHFl8@rjVnO9Ir8hNK+QU7~?Emh-7VFN;iZh#)z0W!Rnv3FMKNJLss^$W+ELPz%qCv!=gCT|)`MdziEF6PTA}y=X??)#TBV"
        "6~Mb;m!2a0{1WnRyoOkrE_DB@0I*_S>QQF))~#$`h0W;E3&;xvoSzWVvGUm*;!}1F@MPGTL*g39S<e!Zq#qC8*Nhb53|F5X6E>E}k1Z3&P33pw"
        "(9Kt8h+F+1tb1%puC_Viv4``-aa4HP9G0sw3SX5jaiH(}R)0l{M^q!d8%{VxMuuwDs$s{*99DkMZ1ivaNg?76`~KTy&;iH11U&Rc1?!61fZqkh"
        "e4ufvi99W7SHWDb4DzD?UcztIW+yO1j%-7>2J^|-MMvSB9g@1lP)Z3;I(weXUZ+Ww%k1#gv1TNH(_!Lfe1hfTjqr>?WN$non@;SbFU}ulJB@Ns"
        "#?bx9%OZ{Q@4U8RUlgX4j?oq)n&O}WHWM~h9tpk|5p78W`fnV0Ku?=g+)^b2qDJBPwZ4?;N#{d9!dnXOXxf8x)=7XZY8d$A=+K4GtC*{E4$i6V"
        "bB5opbQY~$-XD)hYyGD`D8i}6x;Q%LiYoAC;E+VH<-oJnP-m$76URT98b*q#5xZh2rXNQ^9?A<)xXK)^^oBkEqZ2s|zC?_)<KP?*T2G)26cN{>"
        "<50R0rdqlefj1IG_r<+7S>6yL=jDn1#w{Xxw!Yp?R-AqccKRaZAsZ8wO|~6)M}k8a5w0dHyuOYV)iS>vAAwCSdKMYUJD^92S1{Kzvii`6G<x(Y"
        "8Zf61-N_h}UEWWad9MagIcZlqnYSIejz5W9Y#s4=yopBRS7`I`<zj5GIXM$Mv_<k~dj#XgAMxT^obY|N&OIjf^#aQAP~~<AG1yoPIg!g&QLpqd"
        "iK6<MPf(Xy0`Ur64ZK`C+k}o$b|YzVS^VsGzWD0B2J+$kIQqBGCI~1opN@Ek2a(sZY0TOMX2>z69rc>Do1Z(w3oW1(5Yu0hO=lZg?jq0oC8Ujs"
        "LKhC(;)>lVWMYpT@{N)O`AvQ_fUft}qWC9|tQ_%xtu^F<J!b7+gt=J5#I6$^`kl!Hk23}u9`p%EpJ&^l?8HE{=c^q39zK)NYyH5V8WYUft-#?7"
        "CezO-06u?HoP#wR=TO~WeZ{#QXMgtw2BXy%RDo{;{KHW1mQ%2X{mfv{N#f&8n&sz`t;C#ivBBuVTO|C{FzUBA5P7~$Vggh?llI3xcnl(9+z{Ry"
        "*j+=uK30afB%-hvY8_vJlB}bUv9}|h@-r0$&%KCF8U^5o>Wu}Cp`(G;WsmA1=Z#$$L$V!v6U~>IkfUr-tsqHf)M(nJVCDvU1?e9B!p!_W77wm}"
        "%buG*g|7W+335%ATuLU+DFWRMt{^DIVIiqoZpcn`N&#OQt!zYtmW89p0VB}u2`88XkE&7p>dBBh-9P@B>*WQMbSY6TXGx4yh8pJ)y|ZX+{b;=B"
        "tQS%dTtIgl&x`#8*53&9=aYJJ!75v<pKsRqV#6WxP(ofVJK{ksx{1D^cXwvu6;tKdbAwGVvx7%twrrv8jSta=+^Ouc!o%Pf(MAotEpjCKI{rPG"
        "^z9m8k!yD~v9R~SRd4k1rjq_>^iDHUcEbe!T62<koQXnt6ZVozw|M0GrwI@zwtbFdXFX*g|Euv)N4h~<$spTkqWwk!bJ!+4@2|Q~=v+o4Nobx9"
        "I%gTg#~l54zK4+3o?U2G_d2@CxRxy$I|uM?n8!W9uB4n)Vow#2OnNF){U})+gG%)u^S77Gp9V5D`jdYN@9BK5jIXO}Qx3zU9>0MYYFNQ(GWf$j"
        "z^c9jU-AFeQ+a|9N;PCfgF4Kzeca^Fa>zKaRSVlI$0N0Jg5KK;xZZ@oCs9^BQ>4FB1qb9<0wyW+J4ovJgJF;Ql7ZCvj}1Xx{=qw;jC*4CtNe-i"
        "i_!RL6KF?|JdMn|%#3J|!^R=|_=^LNl8C<9?CFI?kUtg3y+(cN9>M+YhLZG{c{{R+!PMPj8@_9A2l4l{mwIUWy7a>C!GYl8G`kJxuotd)_s9(L"
        "s>hL(It{>FEn;=?J<#>5Q!*iz{^6U2t{muQo=HoHdrnV6bWvi)hoU$AbXl(c*rxgc$$rt`aIUA}?p)yQuhZYqs*Hgk2lX`<$*Doh@X1a|@qFP="
        "xxJ8A{&JkbKe5n5)C(UYOZv7Shn#p*oiEw8^%vlP@wDlzzutN_gBs#z3g>a_yC_EZy>~x3Si`U_gOxZu96$RZg<V!0z}#HYym1lClC?gd({Fd_"
        "VxOm%iRL?b>@e&`(Pt@d%#6z=4O0w39v!zz7{#-}$lrD=$(1^Yo?fm5o*C&i5u*x!cJRZA<Y-cFI#Kr_|8G7iI<rzG3pECn{>f-zqo_7>M9GEv"
        ")$cCibbau<Vy3ejY`G^&BdSRFUX<tnIup_Tk$Jy|7X7PplDo3e*`%W=_mBnd7p+gZ+N1D###=N;Db<=G>I;|;10A3K-WB*QNc2aC^eWiHmS*BP"
        "!Bc7_C_qLYEBPOz*;jheg!u9J)~~C~zcW$gvl~SHkVjpN%l9+X;Bd0ICiyu#j}B2PrbWe*nVD<-Xk}h6G{8C?z1en9RQs`n+?E&raXkLT`+(H-"
        "d(+(?3y2FpkMWdx!KO})Ci)F;$m#MCc>Z>T&Mu2byB7uVcUe3|b3e}kKFpjwjI=aKvP-M1#J#BiOC$2?sWndDzXVI8YI66{2foGcH$=bS6*4_$"
        "MfY8lg=^>EI7R$FE~DE^{;YKtq3JU|adWS{Z#wqWwr3UMeCQw(Cu)O7iEB+pmLsXb=9R#!^1v2$Us4+I)1~MMx|}+n)R~IvPn!&5`KPl5WS;2)"
        "@^9QVAxD<wdip|sK3aSbO9`6D{hAl--=3r>M;_=k5p=!J(kfD~z7Bpi4EV%Y&JRUj&Iv%Dm*4D7t7Xrjv~xA$-h=S<daWj2)oBO3k~{$QJYGX{"
        "v*`D2dmyIzxj&d>?$*U?6O@q5+|nYG@Gf@akGXWC#4H?NmPY~%_mRDi->|mm8OT01DhAGanI@xX$10E^n|~Q}apYzls5`B^W)1bhYy}m<yjJ9N"
        "g4a$um~9(GGX`&}f>8d)<6Lhbz}umj{PYp|sP<KsSY_Q0!em-egX9EuuA3|7>PehVZyV|ae&NvLZ{+HEJ))g2K{#w0vvnQBOD6J%QEjIcO|H`h"
        "zG1;z!aK5$?K@~cW`F)B<pmS*IJ4Jec#Ej7Qu;{?e{s!*dl&RuC+fd>l%f~9j$p$E$qVRKK{^Wdfcg>A9v24mK5#ds@6xA>=lXd4ERp?!a&oD$"
        "9^@`%r$Hs}O~9v?45Q=k8RN%EDPo`Sv!xI4(759^+kIBlA6@Zo4?4W=khnj-qq#Tytk7e{=6{$*0){f|s-jUv6UR7_&O~YYZ1zx)t!4Ha2H$3|"
        "rp0-ZpRY%qM_nOn+!I*Au`6h2+6v&oq38V}mQxwnhFb0BiR1Qh%a5Wfdg)*rJML-_Y}yA`saT=7#1T}bSOV5>>9nVh+IQ1>ok>N?vC?>*q7E)e"
        "9fW^+dJvffr*PL8K9RJx=3Dk(4(B^$dk=W27@|m<zgpp@d^f<QuCFIxU+vH{WK2pX-e`XU>J)?C#N(ke3Q@md@5tVVWq{dRj{XKe^Zed^EO&Gi"
        ";F$53K12bXAQSHef&SPi6asxpiPf;~3gOJi^EQ^Nfq9P!q`$ZCLCTY6{4=M_<L!SW1^cR<7(mTFA)tBmtQK;@_A)c^s}8n*dxy0;XGgUQ2hu^-"
        "nT4DW+m})YSWsQQo<zFMM|$zSNY?Yis4zGLzMr4l`N!9)(uAI1R!`OApL!w<(DfV-v@ZHyMm&CmlLaBN^v<o(Se;2?J=yP!uNIHS?yd(MXy|Q0"
        "KgSe-4uzp9;y!vxZ4O~3$O6U;>go4?{lhhCnzX8Q1nmlsruW~D1$uVukb!ec*NqY91zyEr5OY`xB8b6jPul+MH&R`Gjp<pEQPiE#W_!Q-p|~e5"
        "T;pQTRd#F1BNXrFg!LkFkxKPpddpx7!^PRZ{T<LVeh`_$UPpeGZUkGeXKc0v;PNta8t1v6ggefmyNo}Qw8|*p|5HWL9HF+0BFNOU@*;WceT*D;"
        "49CYqV@cR$3!raA^-|zh;4gFhsz8I5ddw90S*c^lWm^WiZ?GDxTl#|!J&4jt#;Jqk&HJO&|6~haLRt<V`lbvy%2U@=boBNe(nvJKwX`KS?~t59"
        "S%j-G3g5?Se<2P#wWxDFVLpdB(84P_#63XgE6P+ky^{TRHV)=GB5ha>mzG{%1Mx)t;e3`}RHBE2bx>>;%MMv2ioN>A4a2TCFH%(rX|%-u7zt9A"
        "r+ecvMDr5&obV!pbP{LYhb(!g1>f!Hzf#oarxJMP+%%Bmvgjt%v9dpv_LL&IhnrC5mm8#IsXDniuU8T0zyIkS1&Gc@1OCaSdLBPM3;J|yfhVee"
        "<%|Bt3!*;M<EQ@kV7(`<rE|%%9mn`%C0c-Q-%L-zY*0wOGF|T0PW0Ph&PI?HDFL`bYy_mb&;<``8c$>tZ=sT(-4J`HZ=Z$hM`Cd-lrj1f>6PD?"
        "otoA``pX-lSl5BLI;@P~2Wd>?xohl*D(G1V^qy^Gh8r9PUs&67ozLaRc9Xs%zxx$1yST;cC)j<smNV{OmXD%&{)mfFs<!qP&q3B4H$*|}ACTsF"
        "6MXpM3c6~6sFw$M#HDa@sHv07380UBS?{^HU!5@0fF=h2?G14?y#cj~I6S7hh?Bo?pRjK6Jh)(+b0z9!?M{PStmyFxg-k86BU|j3iF41PWdphV"
        "1%-4Ug#9)jb0_<@*0DR!TcG(hD&l#kYk>#J*ab7e7iR6oboz_$;yH9_&j6rpXO-yL4fl;vG}=!dPhF-&ss^lr{XBV($j=Y6FoyxL&m__2`b28z"
        "F2Fl)xzUJ4X4K^EZLz-=v|Ce|`76b}RITh+Y_7>o^jzKz@85ooeER&8?OblnjA}VYcBnKkT(452d>=F6ps3D&rSmpmR=+>~R!DbAxen;bw(F53"
        "Z&eVTZogdIhq`k>2F~Ve06l+!+m}9Yc1x*l)+7D5nD+~|YohV*CK9J$Y1rfbqjfmw&{(|P?l~9x@RXma;}`B@0b5S|C_|~Uqe!WJE$Hs$r=cig"
        "xF(b8(}Mn~TlLIVJOlficlp7YV@@QXx0dID{%vmuLp;#j!o!Vj4~zWYN1z`^G67!)$R!c=#hyr8Ya9(p8^Xr64q;m-I1#mc3BX(b$w!%0M<&zs"
        "0-1ki*91Lt@p!JT#QWvf8*e{4R@?_VKB$_6xy>WP2c(cu%lXJRJp$yqu5&S)esv1k<Sft4nhW-Qe@|i*`XSkqwPc~W8esCF%mZ}RP#aR68bth;"
        "BH&%$FK+m)>@KK{Y@8&E_Evbp&l>x}iQy<C8g)OIo1+rXQgkg^inAAGF@K-!`C~8jiNxj85r&I*E_9w?m%a-khn#nlneGb!SH6#0NsQkXfPa0}"
        "u?JNKPbS^tD_O42wqeO0*40XvnDm;90}p;BL$h+2(`wpc|FlG63+Rh<z79LrS{2T;r0)aJWBjWJdA90;9^Km}$`O^j4x{zc)M$rx8?#lhKW^zM"
        "L=B(X$qs81h##g_lpzVbYKZCQJxpT{Th}vjzFSb^*Z$x)XLTQ7%b(Sfk)NlsOYOplmCALpW1tP>rsvbO`JDge@F24;0`IjP2ln^X6@jlzD{KLM"
        "IOpXddY;Cz6V~1(KM3gerq2OyzQ37^5~f@tb^3PT<DM>hLVRDY0^V!y%_1^e=a5~gtN02pM6(KyA4a36`F%lFn|-3ma{ZO!-j`v^T4u_0Ip$fc"
        "DLtbb0s6f6zz<OzJ-h*R%Y@L+nu^q8c+~$r&*Ce~!#}N~MYFInLs0I=SM=nFv2<oPL5{MJzX)!Q8He46>QT1=B|!h~sprw^(RQRNYzeYmcOCh<"
        "hLAlguZXcM<zXnCzeL&*)k%lK_vW9?iOSwrDDy!%;KO8f(Og4s{SG7ujVD7sEXJ;zwt+4$tt=$p9JO%8*F?w>D^m?f-_?7ePmG<t$k^!^_;=3b"
        "7+P@W6Y6&`9OW*UkL&F+k?G}nu@76AQc7y248%2t!QXa*+{=xApr~2$G)_;C8Lbh8ebR#p>)*toF<o)gX~ar&J=q%8xO#UEUi`2xTl-xLbGB-A"
        "D2=6UvV`-e)8;yIIi28p!CKHk!vY?hvF{8s>{+c1yiM*A)xbkbeaWPaqFH9)wPds>*rZ?CSn=Gmajhv0wG9Eiejce!7wMlRQ+#%kojtO^v%-sg"
        "=%|k`i-y-mpj~T!qM#{S^n8yztXUI!5^=NMKYM)1vNF*u=8P6C6q+#!J3P2TG<P<EUKo^pMr{j}>Fu!=XmP6!En&QhAl9f)0NX9TcALyRxB&b>"
        "{`S$NkLd{FP``(M-F^XL@~g)e<1Vii#NgyzX1}X^(U$am<b$+1y(2e)W)2!ee6$1UyJQJkW&fFVG`<0QR=s{n5{3==zquUW;o(fbg#*Mh=cySv"
        "a8Bf1i$?AhJ!APL-%sqLe_v3d^?lr7jTzl<QC$3Wq;_&O;Wf-8kz;uHK+|bb*Y78J#q)$~`n+C5Xsa|?b=;16>3D!I=)TqtzZ(*_l3w0t40^ug"
        "bC#H{4dY7L>;uWDG;jf#<QU3wJ{`-Bq!*@-f%stDqE&PbkpaG=dM~VSX&TP7=}(3*9?0#I=($$q2|Xm!Tn68p_W%uun9pIQfO{=I!;pO%zG4iI"
        "tL#fhd;S#1Eh{@JP%*z9<oRU!Ck9`MWHu*VVk`5rxw#QRYNQ@I`f)taR2T9B^l9X-EcDB!h)A7@C)e6$Q@L5aD5n>npNt3jDofu-13l*8M$I<y"
        "b7kSL&BS#u;fqO*gPL8Y;goAK@i&;=dUHj5b6+(+>e&Xk_N(j+sy0xT7N@#0QulTf?|BQU?tL}#xxERsZP-ZP9x{aeepGMZ>?lBGnlyel!4FAJ"
        "?nAd;P@s81GBl*FlO)>PGVdH_5>6MOMzpdE@GsLgfwtc?$AU?<q@#tQvVPmSXL!((@GDGq=WbjZR>kMA`LaVIaq{RP6=Qtp#Z-CB#rK8DN|1jB"
        "?Jq9c6?qbcKb;7=RoY*lcy3lD(!6;jH^Bxi^J!$9q8gY3I$P+!wHP4}HN#^8+s|CR%RS@5+bz={-{&18Tn}W`jD;xbIm`wjJjIqwIjoAgzI>Z+"
        "8oFIojnX#H0bSp)!U@g(WsNr(?-l$0<Ok}20d{K-kT27w(&bMgS=}}b@=xp#pcp#_cv~oI&lb;5hZtoUGXfd?cEbw2Q<xv$3W>(uM|>`3YIVKK"
        "eB;d}+`NErja}ubKqI@C0-x1nu7Lj?c2Cp?DK*Vt7FN&XW(>r0^o-?Cew^GxGASjPSV^f7zhjbg+jM2Hht8X$N$F_gBEz`~B;i6Osh({tex^}*"
        "vL;jF^8!VTsV4KjxsuU?W|0HEDCp)AzoF>o4pDzlxHpXq0U1jf=Wz2yJ?{eG_dJ`|C&6#3#e4#u<-f`jKg*+YeKO$SgN;1;D=QT4eSPi$yT|Dz"
        "S@E=lthR3iUa5?Pyb%4)zfDd!L;sX_uIe|uxBlut+{_c__h&`NkX84);QL*d<WZi(2*7;fVp&qU`4Qma(;1`wnX{q+!EKpjsQzuXT+mDOob?A+"
        "62Ivhn-gLL*mkd3jTsX)o{dUW#!JTxCd<8-lIWHk7CpN_$IGrn8=PHfY}z8$uW>vMJCqFi;{8$)e|fzKeaq`jwNFG71?Oj^(C7d@^79Hw{{x-E"
        "b;Er_8I#$)Xy{EH{7?V7=fD&nz`No;HE6>YDHO4p!AJd7@YuIHjH#Xz=ti;MclO_UHCLZg8@~W_xZ;VdsAgv>1-g>ss85sakx0e`Nt}-M9B7z^"
        "qidz8(YJooKPQ+RKB`Cq0%K78W*N9vDMb=;c86|r_HSM)%4NpBO=bpPh({JHK9a~36P)vUEv-2d2ltKn8X<l@!}#a{{#QE#q$U+p^yz#eSr=F$"
        "?s4sBEXbC#@gRp22S+k3gHjm$`vTzYqf-(%$?-nR#S1Hpov6C$P-?qj84dc9Ot|kK_6ve|)h&M^H7r;N`jTHgg?h}}g&sV-3~LwPv!W9EaUjpf"
        "C!<kaX${O)$T-_VE|IGkj@0Gvp*~he$d7NPqUU{2Y=C<U*Zqd|U;227=I!7A;^(+W!8tFT&ll%m+uNT)ERpzh4Ib*=%KqH*5e>=T0<ykx&yCo&"
        "Por194WK&ii6}c9o;l~GYg*&KxjzqS4gHNu4l2<ArC*GH!6qCLca%79er5|Z=>sPtuPt@#;*aqBNYACPcPJxp9(rfg0hsn_i#?jZqKFylUIjYX"
        ";D3S+?;y;`XVd8LrUF!|#xjXTJ!ny1HLAQ#4@XRHW`4Q86W6`wpESjOnjPrHJ0tR&rv~)dycF=K6i%b=4z}QDq*I5{Pc8=Z-i&p?=h;KovAT6q"
        "G}%TM_e!?~o!csFLf>4AM(5T&5Z4hZa4PBk<Uq75()qVbH<35d`^d}H@<b-<Ghz*&kjHZ>$0u$y!=@{t-qbU&W+{X2z69O{{gMUz3;LPL7REO+"
        "+TYd5)Y#*sVYw)WE`Dr}uGGbn7F}c3=3y)``%p^aCTP>k%>$^i?Oj@D#Dn<YyZ0Du*x^jioaqO;S=&n=WtA#n`C5Olhe<zsQ}^!4WdANvJUL!n"
        "wh(&G<|mPpYc$qa-~+bQ;Z!QZjrBe(=P!i3$zIkip65%@T!Ffazmdv{w`9(3H|D5AJiF846cdrZi1fQ4DXtl>`LGI=)cdgaGb2d(xO%1#=L43l"
        "tbUGqjTwzf6&{g!S<ZxuN7d}Ji-zg0gnZ|-eI}ZFKA#<YWDLz~n1Gt5=}@(WGx6$jRpPPBnh2iAVB_9vu&rh&k(um_=akQ9*T+PYreovD-?^zj"
        "apW*LgtYUC^(<{Tx5~36tb^}9a#~x5U7VN9>>i>3`0d}z5acm!N;-1;z`)rTSsehZl~6E)HH!unqp7AR$fB~9=s~wL=6oe_2xol`E`t2jul%K`"
        "XVQKOY{;{#8};e$2Khs{Rw&-}&VUXu*$+D1w=7oN?`gUvNi91b6a9iuY<lJ!l-LQ+JPM|dMa1{Sa5NGTv@Bf{aDANNH{{1NBbhrhfuG+G8j9!M"
        "s}Ju4T1O0fMjRq_$mPMOSdJflN%iFSl}h1EV2`D_?Re9yzTgvBLwU4sT^5?YG*aBp9~XWGxqq0<X4pLEd*w|8o%p?kMT2<jK~Hw3ltW&<Yr#ii"
        "Iqd=Iuug;=SKIdv`sT48tv1rbAK7Wx?p6+w(qd7h!)l@x3-t5)^dF3^{d36QXZgj?We3Pg{b1`0Dp<enqC)OWEBhi*oNI1JpM1+H3V;5Pe2*T5"
        "mb>*u*UZ+_aVsv;b}|Zode_75l)fnT!wG|jptIvcK<;n8T7W!Gd`@AreL`6GNxNz1t}5_1Pj=R$N(o=mB`5luAB)`Jc?{HZOMw=sd_==HZ3mmu"
        "4mBd14jm%Wmw0q!^HFgu6fWC9JdPEjUC$Szp+{9|$(oZ~OpA`Y>CoJGsB`khC^SJmL9io&v6(ZR4u5ooj4h90m8*DU<l*&zYsUg#5UIT|6UNhu"
        ";NcVbN#Nrj5;JmlGa+BBHN>^5*W<Y7+5|mOTb5A$6}{<OFBR<lTLSLMHIT%-e~L@+eB|9H;u!Jq{fErOt{v#W!W0y@@)GX+HVt)7J4Vd>_(WE5"
        "1FXGoivoTY;RpA;-;@XXZaui3J-V?O%^0JPTP#YMT8ZyOW`QKV)n^elFIGp17VXTi?cMCqT;-y=m2&jozh$9Q|A5^7ah=o@yV3h?#e{#3C0%W="
        "STp~-<aSs!qvIk=%OpIIRHzlYI7RgLBj9fmc>4hF-YHq37c(KZ>X~zAA==<F2=wvD7Xfu#0MC5_A14_~Q2TI4hMRwb=XdVQ(w!T+K|h`-xR818"
        "jcN3zD)`*hzJ`q6_l-67aRXiJ8CpZmy9}fuu5%zp7^L$X6_qQ~F^>}guSaUiQ;EU`{^?7qST`^nu5ncg#phmLK)(ijfO_=Ki9X1;sXxf8dAl@@"
        "t-g%5<qtqZ%N51BUf{Gk@w_bGyBMt~TaN~AyhK96zL0-=9}{lXqR*<Lzl*eSeI$L~+=5Q;{)OrtCgWq5Vi5VIhHG<8>5b^+43~p!-`oMUMh{t0"
        "-_<Vf9q{eK&1=Y_0Cb0EUaf~s6fOgAB|~0=oM*kn>_4?8LCF^f_C;(A*w36i9@fmAOt6fr7-!1@FS1c-7$2MKCVtjCDl!%@Lv4B(%e)@I=hjk4"
        "5a5>Slz3dCMI*Ik#j|GkgUH`Vgr0*rmTha*>7EW1M6T<BJX*WnBb#O|@$(9rtp~*Rw@6boOL|MH3;oqK8j$(=1M!Zz2XS$L+iLnWVh_m4cybI~"
        "ex{j_7Z1gA;6EgOqR_5YRJ(8`u`Z59RI>?qwYWWjQS=6R^7y{dxR4*mD)kx$`~0X0hWP3M^BYBXO2GAJ?)qX|4@|q7XTd#(EN6*j4LODU6ZYW9"
        "4!~{uPXn-(`5h7{nN7B@{|MN=Vdi6?>HVS}SWj(DQc-NmJMi(tytiSasX@3d`T#S3<#mRO&2*d%;9QlP^>JKA3i_c^f~pcfpl?o3*t5#9MDb}e"
        "Yol2U^|M+14QbE|eG>eK24tUr+L{{J`ZOad`RF;R+L0jcJtRccF-!KsbLA-A#SqIcYDKCCltJc&pA6Z%>!N_?$9Bx2l~etQm91qy7dyXC>>(%A"
        "myuI1a@iA)yz$`?$C2)6(Oiu1_ubJ54T-cslb_xJJ2|{}D)4AdM_<}9;S|J!KW<5rPQzkS?Q)Y`Jzj?@XDnwMR<A?0*FT{Pm#(rCE>)AsGNok8"
        "?-Vq!co1#Yu?79P-0KzSY32wS&=ocMp4oOPsL1c2=y`d^GjmYe(-lyMshcndxf)Io*=~h~==oEt8mON=R5d`|HeZQhfeKBzyNthQo+|GBIt}HG"
        "lg0k$7ZR;KuUWqPEyCp{K{_h<e`R0@-2"
    ), (17, 17, 17)), (False, False, False))
    c0 = constant("bool", [True, True, False, False, True, True, False, False, False, False, False, True, False, False, True, False, True])
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
    p.output(constant("int8", packed(
        "c-kFMff7VP1X_jv|6p{zTWicHYNRM8-}N2dp$63Ey`4r05yI3aa}LdE#dhe$*D6CqaF^$y*Ds&3x!$N_G*0Jru`D?AWI64d=aQXx>gu3b0bWg="
        "3hs_ILVB<!Tkj1CXt`>%>C-uBPugnMC@($N9oa7i+t$ibIzB_Cq5+ni$arV>G;@PqmXSmJFTn4Q4jbcFKWiFp8~"
    ), (17, 17)))
    p.output(t11, SIGN)
    p.update(s1, s0)
    p.update(s2, t12, INEXACT)


def loop_without_iterations_starts(p: Program) -> None:
    """The storage of a loop's starting value, which is its result after no iterations, was used again."""
    x0 = p.argument(TensorType("float32", (None, 8)), array("float32", [[2.283509, -4.3721037, -0.14914556, -4.259, 0.73217314, -0.70465297, -1.0932871, 1.6642656], [-1.979314, 1.4186051, 0.7657517, 0.866361, -0.93525916, 2.380881, -0.09347299, -2.9024072], [-0.734794, 4.731081, 0.08482271, 3.2163823, -0.2052424, 2.2289674, -2.957933, 0.89287573]]))
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
    x0 = p.argument(TensorType("int64", (None, None, None)), array("int64", packed(
        "c-noC!4AMM2tw^_{r?YM*Bu6zmpCq@L4jKFVTzBSXI$bXPVu9;g+0%Y_{Tu*L|!#)eJd}Up6=tG8+|*ULLch(E8HWXdvD^u)^GS!bJvZ#9{48u"
        "cIbK+=3bSykMa"
    ), (1, 33, 2)))
    s0 = p.shared(array("float64", packed(
        "c-jq@hdb7P6o%jTwfBrjw1=ori0XVxg=9-fB2rXFg%XlkW=iraBN-VfBQxXkv9q#w#%u4r=dXX@xz2T+^IYe?HC|ucca63eEo>ex>?owiSF0%W"
        "Qn5>LQ|z;w-3>b8*2g-7Ctkg%Zx=bbv3v`@?7h+R@Mj8&!t$oMO{@fIOyi5ll{O?Q|2Nj-CnF|JDbY-FS3qR%j-Cg)4A}X|*qY9RWl)ioG&7Cs"
        "gHjx7GFLnc&INzAnNBj|D{{iw<k$)LPT?hXyjzBQvRf!yb_R)-v#;fFPD7T~>|qfVPF(Dq-@UGuf^Ir<lo?5lAfvM1alRbA5EFKTO?uxl*bN&>"
        "evzGpv;(S2tUoEl$+*P#X}pOrGBotdFm?pKzrhtw+sjeOomV%5zNN!)Z@N-#rd9OkcF~{;-3GFju1^R`Tt=^xb)0~mL~sWGa#u841==hF4&&S="
        "c;8wcVD;4<_V1t9%#S1!<E_(@HA@S~8<$OSOpx$Nufk5l!EUs3aN=CJIf-y`*4#HOKMfDfG_IW|H=y74w^`AVMR*u{mA8I=2z+WrGvwF$(F-|p"
        "P8@$XJf%u_(D=|2HHzXDM&-;{aKWBBKeme2qjx27iP7VIJ`$&&SucTWaMTyOZ|kU^+Wl34YYy-p+u)~pw8Wk!!MG6TcGMnlm#K;}3i}*39}7Ol"
        ";6x0nPo3f<EZ%+2EMizgLM+Y;$@;SpxRKHVzb0X!>+;BH$8Jzdsm?!`-VX<2&zF^+tA~19gW>LHO!z(H>K<<uDyRqxJ*^&_ftl^IwVG}vAgRgU"
        ">@z(KO)_WazK_l#?%MB0j}#ry<zo~*CwXpyyJ(d2Xk#Cw3XMBH$y^2=!weqBlveQS{8&W}pF{#xszo9Vy|8tSPdfDTJRCAw*DR!;g~&5YD>KK("
        "K+I(%_Zz7O2K*{c)jnxOL0jB1XKKjUs?db#R(m5-(A2w`>OTjbjzM=*uC2f`G2bFxpK;`S)$iz&<w>O0^=`2)VH}o{jd<!dx<JGFQ0!ajO7wZa"
        "z2@X<FQ_tkurmEwK+&E?c)KAzo_Ksma@uGCetB7`1`AV&9EH8{kp@iIytwJ)6z4oLZ{<9YIJgAcw)vDhq|HNKTHTJJFj~y*73RKuS23{J2gS!B"
        "PJEl^Vf2Y$M%;eePJDaz5`@|f&z<AhL=i>q=k^|$fhW2Qn@3;{w3F4^n$K>bdM|mK)X`dG8rB<l>dy*<e6FYp8)U+d)BK;M53K@MvA$#z&oVS@"
        "7N(}<&!S{E#e|5R%!H`i+n}C+86@1?&3%-42;TcpmUK3jQPJ+&lMb;Ja8ar-b}p|Ltvt(JQ+%<EHf^azg07=5r5XRxdYuL*1$Lzfj&S1fpdN$F"
        "ARes$pt7(0$SUlM)k1Gy_8_~k{86s-C1}ywXUv|&fLV2WZ-%B%g0&)N#mCxS^lkaI!sK!!T(mWiAoB8&n02{IZ_^aYBkSu1^j5+f^YJA907l$3"
        "OkQ9ZUqy21vTPQ{j6|NSrKZw%S|V4#Ez~fbj1BrMHr~FX!BGspNA%RVuzOW$T+hfdlGWl-Q(>A!iEein2Ak$luXkGVv<eOGsi8Acl4Bs8n&PkM"
        "S+Wvm7Q}9G+J?il-+r}rcWxp@txEHYIWu-tmJ4^~rzM=uxLr*3X2*kCi5%k+qp+;nJ5*lEf)@{!);wt=6TXyZ$4#>f;qINGyJ?R7XoU4+onHej"
        "rsI?FIV(SiQoM5<mR4wqnU}lF>MZE-yv#^Xw+{nmXH*GMVVOr}Q4Ys$C(&X~j~Jud&CEFY1*uDc#7tZg_Sj&O=|-)Vv@(h$224BKP;#(x1fAv#"
        "4t)Nn51k5}N@(WD1c&}YgP${vXeKo=dVl{qV%@oO{Y&*4@bc?wZ<2n);k}#t<R|-467M#aR?9U|**58ZIbsXm2Flo5CC$K5hfl9`hC85vDZeyC"
        "h8`QSargCwGU59%ql~Es%aF}!R`InvTS#8-ZBj0CC(83K<sUH~K~+-MRHTNcAn7mLo6g~6v~fLVn%#a4EH(M@=Y?umxGUnfZ+{O8`$aZAdua-;"
        "ZtEC|iZ6vKoEX-=dl02Ja!=kZW+C`ka>frjt)eHKBpJ`Yv_zKiw_{!x#=)y(!;^7g3Gs_ZGhKYcOq>c1C|L`p5G9|ZR`eCN5$;0*+P$mAC@wv3"
        "a!8w#n5a^g?)W^7_MW(E`Z~QHZl8Yn(uZLKwYZ;S|Jzmo1zw`dH+GTn9i8Nyd)#EA;8T)faRVo|b#Ltnl&?m|yEjHngE@)Pc4yWrkt=BSx$&bP"
        "SJn_EH7NX;z!GX*<GZ92Lyw*RbCwkOH_vvJa7?>*0iM&hjkw$#g*UMmSZ~czfn}fe?nvty)a4oR<{V<gA755pIl55;9loAN_h}8Ftl{(~Q=2*P"
        "bGtj*T)l|AWQ@sy&z4aj_lCb+O)q?&^lsu<9|86EBN{vM`@xJ?$hMq&4sCyON8!&ADmWRk7X2(>!)2M~?rG%<a5XmJKbzz_v}kgM=k;(ZiuMnB"
        "gpDSko>|OOP=yH}CO`F<bDMz|?@n&6cFd!D<M-DZOek3GvdSBcU9(X8@PhE3cgsjC?x{9kND16<4S4)bq!LZ{MDiW)9RQ--TW742o><IN*khhm"
        "hH4eG7^EtPA!TzdCFIo->UgUuYm-xg(zRv5e0m0|ns3Ei@mvD;sZej(QwSA)!dC+38HoNa{T#Tr2rLp_*OlH)0{hV(q5HBV+>ju)vp0AiX?z#("
        "(cz_F$AsI@%|&SO)yERXtnUyAUhy$bbz1^i87^bJ!ZB!2pDy4ms{^!6og)vMf^uuPh^ZMPR*r4x=-;!1E<A`h>nun`UzWNgLI;LnWdGAg!53#>"
        "i_mK>bzMg(yB^rsX3`Uh$=!P+lb6xcj!Mg%mT?F<Rr$eJn}R8Yot&oDMaav4_r3CG>nM2RX+mxz2Qi~I;v}xLfXWXkA51$x52s@n8kwc3z%BA$"
        "H}~`3pqH8=D#gAAciNq4RJ7y3M6P;lfA#>}$gT>02TQP39b#nhWF67v{cTm1!^mgfLV#BDG<s-!;(@utCNv!ik@R4sB7Zq-8zo1=Y^GTYPLy7F"
        "+%x;UwvQF_#Wzw$`Zf`Zf_hG3JcUp^JXj{$L&80Kim`Smh2Z!drR{u<o_PF52<dZj;ZWPCEpt9vjM>if@Ym84H{xgXMD@m@tzO1?MtvUCZ4xhR"
        "@wC9ZuZLS~K9zyK7wv$SNE_PI`dZEI)e5vFm82_4bif1QH0|R9t6=<k(yxV|O#IjKT=rnoGLmTheK_rT4YIpiW0mxk6GzCji;&`%pfFLb@8Jdw"
        "-h4p*`R(2qx|d_I;aJxXvT5pabTxcL(mt-=dS^GGKsYSQJ!KkfOHi1h5-lOO85+*7-wO{vYz?e9&!LrL;~`N#qbTB!iHtkTG%B*LmvwkSCKSU("
        "abf5xx^{i*jxA{hIgETcclCBHi0@#0^P9U5z4tE@RcGeFWwWPADr{p&`dstjLuLiYTO*LUgOv$;pDTF%T!Mz6K6L$qOSfPu;n<TcDi7iRVU~x3"
        "+J~@YSZq-;Ex~N~l}tpk5|5`g0yQU@aYbw}(+QqVFx@^=!G60OZ0&jneQQVI+0K~Z$zwExv!g5*cLfd6ruzN}m&OVh?(+Jfji-^yj@r8gel)nY"
        "qxFqt)ChXXthhJxWINIc)$l%%8xKk+bG(F^NCaIb-LumI420Q0Z`Q!?b@(r|vvEju5pAV543TUZ2)6lqgVSk!XzF8PM1e9DtRSN3lM4f(`X^#o"
        "d~^<7vp>hbt>Y)s_fINa>E47ZoMG3yex$>e+12)*qIqC*%j{JpZ6Mw6s?L4!17N7$x%+0t6qt{5HYmJfB<|(r9tyrRjzYO+zQx(l;9d92_%&}0"
        "L$P~w8YyrItjB!SzF`XSNhmL{BXtNRyPVn^qr-`}aeS}P4QfQS^sjpA%a%~K^=6j3Co^`t`yocsmIjM?358D4w;*lq{)d}4-lGOHy^`#cB;u*R"
        "r6RA>Fzo49?rde*hRYQtKeMAHXq0laTPKf#{VwSkyAM4`UV&76%w`Tb+OOQ$AJhXgnZJ|n2i5_TiPS>p@eNQZULF2My9KUp*IaVjR>9}k{WZlA"
        "5+SI3sYiQ&j0c%_*%7B^k;ksWPeH;H@I<zY!N8^kZv8!ScW0y>?7n}o_mbi=sCG#4JF53Wh27<&9RwM_x7_Yw_PZXkJ$L2)QO!iNLGM}`-!tQQ"
        "27hIjh6PZG{9<!qaRE_N;ssN-4<W|9?31;h*1*u>NS)24UN~{<*jFRjdX%|`^F`g{Ki+;P?5K9U72Rcx_Gx~|NL<Z6G+Luq30)dy&2dL*h;rjA"
        "rzao?eY~U}=*HFz_IASmeNtLSY0tGDjOEed^$S7^?gwdzX4TwwLH`Mut9H&kAGnNS?zI<rJ1@f9U|kafuNIU#u2MY4xC!1@O~25}a}s@Q`W9>k"
        "OazyeQ^v)v5%lS|?2ZTug>Z?t(K$h|VvB&psCdnF@b0?Q?60!~My%K+dk+<Or#D51MK+PZ=d(i^acjWV9T_Gy&wyhbtLhS6>W~!A69yiO3ACHu"
        "r6xF&kGR2Lz`Zp&1AoLn+19+70m*^a&FoDZD2})PiPVQiC|p!zb}j2d`Yvj8LvPj)DR$(&fLkvxD<zok&8!FeZ){FJmsgN@DIx2&2O-a9^-!|="
        "BGd@6w;dj9M`sUEb!L;;age3h(3E;G{7b$mltCfFsPC+_#2AR0Hy$^c>)8nJ7x@`y#um|z;_>r5og3g$P#U!PmkRk^8hg%i(-2?PZs-@e(hyN^"
        "9HfUNdI3*0X4cv85Z|l5ycaw<3u>Qp27IgLfqt*mTRF`|C^lnPTzth%7=Mo{EU#n2eal|{5wp$E(0SqSr^BP5X`3m{R>(^faMo_d^t6I_h|Si%"
        "!DRUIo6Ms{89|31=*G2&bVL2Qgj?#QRMZkp$Jf=liI^_Y2S4~e4nIDPScxg~6RPxej^WL#$f^0==Idu9VtIt6DmbPbCIqK=HNp!~Mw0y63HfHY"
        "kPkZK<`pnKU2c?@%Rn47iu}d9dm4U8>IUDlYl1D>^TA&v$b^^ZJLgEs2Jp$%*1L<=0@{&Sz&=gJF?3(d9JI$FATR0dxWpp*yVed-Pj?co89UzX"
        "XdQqZV|p~*IrV7AQPQ2|o>}DU`?5i7x)pxhlzDsLBRxTGFxGizwg4;fr1eWXCXn9wPbxCkMnHn=ZMIU?4Eobj(P`FALmcD|7&)OJK-6T9>D%q8"
        "L;gXM3ZZ#FkwL_l?QEfpcvawl=53D^D7QMQB1?RM*@oPNYrojA`@L63`X(BXwrE^&{&Eo_XC3HgdpiP*EhfRi;SBg`JLoT+p&=&4iRaH#XJOlA"
        "{Rvs73NTtaJ3Vy^gWCRQ=WAsd2;MhTM_S$)MDvD5LufY(*4m?Sx&FdBbSb^iZzO0i_a}Fy)dM7gx*1(S$>PSJ6;jqnY*cukbJ4a_XANe;4yibw"
        "DMxM3b><vI$G~*qTwTVad6fO);v;JFG_c8QX(;cd!*2bAz4TlPbnKd2e=9wXTEEI}wcg<*c;A-iaZdh4f2z6eo*HDvGnXB^%OdHB`IGy%zZso`"
        "b9F(@g`byT<mQF@aWR9aPW#77$NE3M7gXG7F5&=xru>IleCE+}uh>%FS52ss!#CSTWeZ(s<mwOnyaI23O$RXYFcHz$bM}jP%_2$bqnnfe`2D=^"
        "(kNpG4Pi)(t_i5kL-OW#fw|O4bXb&JIa5kUe9&0++4qktKI%z^ie2mn%CVt0UCk@V+WV4&G0PJA##D3E$Y>F6H@}Dxpj$_pBwu;C>x}r#&i&z5"
        "%PjcQ!s1R(pu@?hxiaji4Im^T(q6FK0PP3d1pT<_h!KIc0ZGPr;EGSMdc3O!t#m8w6(`UA%XQ6Q>ER_9bp1bWQ|?ET;R?U6d#<BnXG8Q<1t<ik"
        "QkxE!XfKi}SdrH~vksEdJIN&Lc@)cW+s{GrD`*z}`h82J6Pezl%a=UU2ZLn2EW_1*cle{;Nd93j+UsOeO{dU={CynR$GYhV4M8cmm_3KWs8_3l"
        "(<@<kVpporHg2MI#7os%i~$#UTiP9dF^gV(O`DD^NdpJ3AL!24Npxjg@QF3kCc2wVzx$W#Kfg<AG}vyyg{j+EPw88xAr_Snf7zlCnm?@*y)UdE"
        "ojeuet~OkUs=T^S4BEB9x7B^0l<OwJ=;d(km7|?#%~JmOl^JH7;8k^5^4dITJlOlOW_kclh*%6>%3{D`9V0sQdsZPtB}M|X(cu~5qBpgE9leVw"
        ">whdnLpXjP>G5)%g}p~DlH)H<p+dej_*vD9lFl55dx~X<IbOO?E0h)+cm6esO6rFiXg!b>w1$R)=B^dcO`=1$&tLZxr6Oo^*=~|ZCa&Duun#!L"
        "M%<9hW?|BvM-y@WKL&!B@XraltoqAcDBI9t=)0~tsB<%Lc;wC?Nw*)@3|0q#SHL|rn1`O|TGyy%R2TvNLrQ87<-35oEIcc$REU)6z72Mp(BO7m"
        "_r28}6R3CI-}t>y8?s1z_w|nPD*8e-9XV;(fqochNzB=&!b6;R!dZP1rS_KVCpHa0*5)>axYcF2qVQNFW+xraf2Pm1qj?d$k|=WfF0m1MVy}PQ"
        "?BgW*`6?>TjZ^SK)!8HJ|7{^1`i-A4`7>zXO7YWzA1jbIV}EsuWe)k@duCt~y$z?)efgXGJ|6Uo*K`=iwxE`i_Un%E9^}8{Zogk03xUO`dkfOa"
        ";QFzS`i7mG$a0w{?CIADD06+DDd|58r<DnQo%V5fZ8c(fgmnpgwaJz?KSzQ6bF3#rej7RiLucyWPokztO)V=|X8fCf;iAONMW~gDqv7l6MRq+R"
        "hiD@x#FocpHDy6YVl#bsmBn}yd56C(+I5;t?By3>H#Z{TVQH!q?=c$e^TYZ>xAOujV7JVmYh6K)E=(&uIY`F8Rz&Xw9@_-!{v&7X8OhjO*oIQj"
        "J%jjZlqRAFN8uc;ZmXct9BN~JzvqkG95m1HDsTs_L$*f%N2c#8T+m`zzF;tf^iy73RhJqAkCf{Pf3I(V-UUG;XKg)L#QN4Z$NP~g{cl?f?Kxz>"
        "p5EQh!a!`C48FONLqpUqE8DYer9+%dq16MsLgbf53ZoAjheM2y=Tsjq0+TR*wcmbL0!*cTOziJNB^Kk1NttWVxoTa{bDx)Z=F&b|n-C4t1Lp7i"
        "n%B`TULom=&+EZ?LiA;@RtH)L_!%p+a~Uz2ZZBG7>qg&R(*$~7T7o-?U)mMVFcL2A=bxEPP_T;k<dYg_GNCsnw6$VLgRhDo9%GkWL$}3UKRs`v"
        ";0=-DuqVMCsP6lk*|<^(NQT|?dh1b*l$|qtlrK_Ig_=s=NJKdVzA<+seCY_m8>uf%UNc}}55iT=mPBwi3FrC=b70$Dq0Q|_dl0pMb$=dX4_tR;"
        "cXT<ofV4^r6sc>Apv%v+<3x5Nc!ZyNoYzK+Z~b0hr%xOL<=STV^ZXPncbERNs`fu#elM(>d1?{4UWgH~9%Uhp(|ftA)vN$b$!U}Oz2oS?y2Ukp"
        "@iz2y{d}aK&m=@}PHTqB41zYj=BoyAE~56FJU{)Z9wb!tbCX;@iQamv_npVxz&jk`I;dCx>q+$0o2~s|+49oc%6S=aE)<Nge`<u=4+PVM?~X$0"
        "rG_pO^L4O3;&xVQs}Fs+=aH1r(TV(Ooz*m1842vlDmocO!mZ~Yx%ktu<Gocmq50%RF#WqPPaV+_0X(Dw-%1+cqE<J%hzpsBvqTq^0^6a2jwfH_"
        "4-JlRlR9gWJBn=h_RCcXl8C6}ob)r-l8|`(ar<V<FmmbQ3{u=ZgJRY<o(er*g__SNGc(zkh}j!jCvo^1O1g95Xu2#b7Ja-ks)2U`Nthf<%ko@@"
        "+A5OtWce1P%dy41zPJq^9I({m*k1|aEQzrvZv6(2aU<U2iz{$Fj=?y;-vs5qKKqAj#{g`wgapc8r^j~3Rpn*KWGu*P|3l>~37=2uL@)eDkcO;;"
        "lh4^oG`F$fD(#qqVjfD_E}#MEG3d-Mjh=y4m5`SHv?dh(D5EmnY7^#5G2L4I2Gox|<P>+GM`q$Ln0yaLAbgaIG`wvUNmA2&1NoSUOKI+Yu{>Ld"
        "^_Wvlw8SiW<lP!F^t=WX6FWn4FU&xs<B{EmooZo3`+ZG(9u=vi)e2u=oIt+tAV=>i1Cax#X<yW@fnU}$Mze`&AkH!;Gxw4RgI);tlN&*qwu>?2"
        "Y<cjs;PhxB*DTlyT`smrFGhR0{rS&s)uFPBMiBw~Da4b%OhMG3CYXENS^0*48gbWcPu9OR4h{WuBbCJ?Nbt@lrJnEH1UZYz;^QHDY~L*P5p5qv"
        "$;S@34^_{>D{AIF{{t(~c}FF4%d-zD3M9Cf*i56xC(aDf?CFCtf1d5kx`pW1H|pz!Og8+cp&vXlCLsNE?vL>E#pqyGrAUSC3_A10GT?g_8*ZaJ"
        "_dq9<9?Pdr+l}5@Kqm(qf<+qsqAM<XL7!#%(RGTmMoKv|KIl7<%fL#(@7t9MtWAf2|3uH_{4IJM%5;|QaP<ace0!P3)yY8Uzi>1;dzpjKkYxRI"
        "DB?F#F{=2n<0}P6Ng4}XjzQ>Vi~!r|+TU<c(lda1X#s^j>ZfUssD(BIuVeKIwD@xD<M}<!3+SQCH@<cCN#Nh$+r#~mnV7NNAJN?Q4Ox(-9VTt+"
        "P}}gHh?smPT)h>+YJPAN#$U4^ygJ?kJKT8}?-n(|(bps1Uwr5Z%B;EGGu{eRtZ@IT8{a6(*Q(&&uR%lnJ<3pLs6oQ63zAkj%J-0#@`0UNP5o%o"
        "=3v-$Cn^d&^cm#04WXjMcOosvNyLYB%OfEM6e2TVzcH`<GBn;uPBY%gguj)%RQl||MMP|f#{^bV(d~&trL94u$k5=Rk%UPBkoEr-D<#n3$JQ}b"
        "zZT}utfQw#mOd{&z3+g^(I1TXL!p$k+;0|~dC|G&mIMjkR4W@#Iyi)Ak2MOFPy9hnm6Tx{c@n<s8*(adJQJ<GNYl2TtVF*|mR?{f5@C5-oO<7g"
        "f)B~<6R*~tM9M)7R&E{r=$0ORiDUi>(pyUow+)<u&&^TkmL1c;o2B)u&4ZD+l<&=(`@R>f#A6)AWWJ%w?=w5cez(GaicH2naauywCM7bgmJT;k"
        "lI=FahLG;x%w(bZF?gJKcx?0f0HWHr`|XLIKy50`e3kd+z<TiRW&%$WVCAmIPbX-x-S#2|bDk+s;QG}VSJ@9|CL+7K_w}Q}Pie;oevz?yS*ENp"
        "{VFok{I$5H)Cn>te$Ja8S%tKKOD#o4^T_pxoi^X?MKl^o@(<>$K|wAoR>RbOWL{gt*?4vs(an!4p4=i4Of@|jZ>Q%V_-p*m`Onkn`3l3T2@5?T"
        "hL(P{2(l4U?Ji5A|2#3Tv$I@km5o@rdiQL^Kb|GINxn7PxdtnDGI<y8j3eY!%H4rhkzrLsbt&T<h!FW9*7us>vfq?f9^)Xo`}#`zY35FpWT<pf"
        "B#sNSc$PNlwymIUyW=jIqXWQEAg)yJP6Z)Tjt@Ch67k^4gztmA6~t1+BKtsk9%2vb({$fq#s*FgeZNE}qb21J!3z@wFnHgh<eu~llt5|v<tsFV"
        ";KOWUinN4c-PH5={TOjx=k2#0w<du(KIX2(CKu5ZnYW~1Pr~wrZsv2ZT0rU7?w}Kc!)V)t&6cH3B!oX8$JEF4fe-)o9p~p~(EXAPj_6=^!boFX"
        "Yp$dPEocmy>~Jmx5r!#ugMfZ?!dG*Rn%9FY?oF(l`Iev&)%s1o%iM$;@wWbj9T_tRx(FmRcffU7makO!4+vbrtO(0Uv{K;p*rjs#c=*YS2ka~a"
        "hqKz#<m3PPEay?mx4waD*U5vToYT<yN?b%|4+&rJZECT^qiF7ibMe~gA(YjT^rUMy1D5{%_oP)c4UQbnVU64Q&lg#A&6rOL5~m(oZ4O<Dg1Qf1"
        "m)6B<VKsZ@#amwvA|yKeKj#0)#2TBgm|sH=a<}!CC!0`+|4!tv9j&%O5+PLwGIFOtC+LEePa-Y;`!_(Zc=<29#=XjxKS$B5R(GW@(;AE@L<EQ>"
        "Pa(r`?pgbf95_VA!I+<61o0fnP3blL$6Y#UwprG5XrfUwMBi@)ZA!4Dw&c+gEYG++NH=ESNTP~ERudWfe>(oOLU0rUTyy#b4$s2ods&N^6cW~#"
        "KBgujGmdgiOFa`>=7Dmv?vC&^7JNzaTu+=1hLhKs&+@)oLOcypOKNOw(5>WG5JSgL=z5MM)UD9q)Fb@2uKR2t|LfaDEXYL&=_id(sWD>Tw2P#@"
        "HUIvvXO*%4NirdGvFLczG$&ym0K!ezT2XvdVlRXhfr*_^rkznHq6T~%w2EB>q3=N}-$VW&2Db8?{4-U+!?%<Fj!7pR5AVEu<<l^Pj;HNk%h*5%"
        "Zr_gY6{f>PJgri+ML&qW`OnkKwIA_$9OLUh5`<{^eBM;Y=Ris6_0Ue^8F+k6rsB2^iE#TIdcd<|5$Q(O?Ml?0Mqe&7veA|-fq?o%#&pyuOw7K("
        "SbrQg4~kgS=XRhP27zQEoJ1^b)Sb&WtOFx4)oJVeejuJ6>v?>dfjHV+d?!AT2}g{C(O!`oh1f+Y(@aAOULL+>8FzjhOrNGDJDvU4lf?unOUX?r"
        "^cSLdNcW*?nz5V@Mm^|(=$uagF$)1T4kqv229O+Iad?2=IQlmG(?hDCgrz%o*hEwQ?YAv#<5ArJL=L&xrh3$YH*0pHUVH{BO4(!ay>l3`aoaNm"
        "mgj>*N2iQ~Ry)c%DpKYFONgdMRaw_-3%E~lzpi&&2SJI~2`vxE*y+p@-uJPi&@N_kc*=r?C>MHEcDap$c`_Ql+c_+v{<DUK3*`my<i3LM#y_u+"
        "#+A`d>J8{|wNCChe+KGyh*}VPI*)RtdJFGsFk#CV$zhCNS0Uk@09T}UAxH)HR;O{bLSkq}-M|73p;|R9%tt>5PL5KAZYSu8=ba)_32G$5)Wul="
        "Z)KnrCO5N#idpbKxh-}&"
    ), (33, 33)), (False, False))
    s1 = p.shared(array("int64", [[4, -3, 3, 3, -1, -4, 5, 0, 0, 0, 5, 0, 3, 5, 1, 1, 0, -1, 5, 3, -4, 0, 1, 4, -3, -3, -1, -3, 4, -1, 4, -3, -3]]), (True, False))
    s2 = p.shared(array("float32", [[[[-1.3322954]], [[-0.58298147]], [[1.9352093]]]]), (True, False, False, False))
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
