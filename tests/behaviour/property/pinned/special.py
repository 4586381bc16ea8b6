"""Programs that were once wrong for special values: overflow, and zeros of functions."""

from drawn import INEXACT, Program, array, body, constant, op, packed

from tensordsl.types import TensorType

# fmt: off


def square_that_overflows(p: Program) -> None:
    """The square root of a square that overflows."""
    x0 = p.argument(TensorType("float32", (1,)), array("float32", [-0.0]))
    x1 = p.argument(TensorType("int64", ()), array("int64", -3))
    x2 = p.argument(TensorType("int64", ()), array("int64", 2))
    s0 = p.shared(array("float32", packed(
        "c-l=*!4ZHU42xd}Z~+IgU#D;s*bL5(cWk2zC~X76U5+#)Z2=?$IRKD~%JrxggWp0;-(srR93o!#oU}gYGJ(G2QRU`iPJO1azj3&yXI@9!sqN$S"
        "dd-K5>^088@3)MUXTMn|{%P1jb>IVw`7wt"
    ), (2, 33)), (False, False))
    s1 = p.shared(array("uint16", [[5, 2], [1, 3], [0, 2], [6, 0], [0, 0], [6, 6], [2, 2], [0, 0]]), (False, False))
    s2 = p.shared(array("int64", [4, 1, -2, 3, -2, 0, 4, 6]), (False,))
    t0 = op("sub", s0, constant("int8", -1))
    t1 = op("subtensor", t0, x1, x2, index=(('slice', ('input', 0), ('input', 1), None), ('slice', None, None, None)))
    t2 = op("sum", t1, axis=(0,), dtype='float32', acc_dtype='float64')
    t3 = op("dimshuffle", t2, order=('x', 0))
    t4 = op("shape_i", t1, axis=0)
    t5 = op("cast", t4, dtype='float32')
    t6 = op("true_div", t3, t5)
    t7 = op("sub", t1, t6)
    t8 = op("sqr", t7)
    t9 = op("sum", t8, axis=(0,), dtype='float32', acc_dtype='float64')
    t10 = op("dimshuffle", t9, order=('x', 0))
    t11 = op("shape_i", t8, axis=0)
    t12 = op("cast", t11, dtype='float32')
    t13 = op("true_div", t10, t12)
    t14 = op("sqrt", t13)
    t15 = op("maximum", x0, constant("float32", 1.0))
    t16 = op("shape_i", t15, axis=0)
    t17 = op("arange", constant("int64", 0), constant("int64", 1), constant("int64", 1), dtype='int64')
    t18 = op("eq", t15, x0)
    def step0(i, k0, k1):
        t19 = op("eq", k0, i)
        t20 = op("cast", t19, dtype='float32')
        t21 = op("switch", k1, t20, constant("float32", 0.0))
        return [], [t21]
    step0 = body(step0, [], [TensorType("int64", (1,)), TensorType("bool", (1,))])
    t22 = op("for", t16, t17, t18, body=step0)
    t23 = op("exp", t0)
    t24 = op("log1p", t23)
    t25 = op("mul", s2, s2)
    p.output(t14, INEXACT)
    p.output(t14, INEXACT)
    p.output(t14, INEXACT)
    p.output(t1)
    p.output(t22, INEXACT)
    p.update(s0, t24, INEXACT)
    p.update(s2, t25)


def gammaln_next_to_its_zero(p: Program) -> None:
    """The logarithm of gamma next to its zero at 1."""
    x0 = p.argument(TensorType("float64", (None, 1, None, 1)), array("float64", [[[[-0.9906988908329514], [-1.0411439072368265]]], [[[-2.5367790738459672], [0.7585561092800641]]]]))
    t0 = op("log1p", x0)
    t1 = op("gammaln", constant("float64", packed(
        "c-nNlcRZEvA3uK1vG+<DrG#i8R0_H7N=cE1GFoOTgrcZ~G-a=lLMVxh$cpRE3Pm>Ad+&M7^Lsyj-?!_0-^b_cpYy<d?(22E#`86=tK?q%tzlCV"
        "7IW+5$L!OSP%~gOVdne-Je_m6V}j5LH>h8-I1tB)5&r)lvh#P{up@`t%Rrd!J;`mBk&0pVgcmB^ijOQ8PAuFy-vNSrU1TqC&4B;&{J8VKpA_Z0"
        "kK+@s_Cfh0?V+tveK77CLE-ZtJx=^T4-gu^4D3wIvxlqSQ@)lvoW(%I(}TX~g_uVC`#u7Jc(UT$#90W7S$-9B6}H1|=Ed?{7PCOb_9=OtZ9VMZ"
        "FdvESnpj<*aw_206a8}?fN4R$B$H_p1S)*azG##Kzu(xj;blVyTxX-dryza^t-DH3O+h(RfpQ1b!c7x~R`UM+Kfz__>Jf_Y^WR{<)+HX{&66PX"
        "WGJ7)2|BE{!t`cZK0D^m^6Kr=E!?>MQEQ7^k&B2A=f>yj-uG66P${|>5a-1X{yNrvQlbkooq48F?mi0$>rX4bUs!^{E?|EXnTY+De*~8k+hjiZ"
        "9qodmQEJ*z0%Wi%50kr*^(`Ls_`<%ovy_w;xGI;lf_10I&isTrjV0j+cQIfLiX~WpDiMDYQ1l>IjEHrMnr6)J&ZNreps!)KUdNHu?>|3Kf3Rpn"
        "EmZD4q4Z^C0;<$;?Yj5aALPBG`@a1L1HQ`N)<^ZT_3wz7kXm>}vCRrF5p*tg8OnsgT;8EOjYgsVMPd}!@4txN>q61c`Op$jfA=nARDK><y}iGq"
        "!FK_q&!x<r{5uAEV;r*9?QTT!Tczj8c018=MHXyT51O_<vQZM70fIHrxx8t8z^>+=UldjaSNHLMo@xg=yD1&#cpD%MKM6lKKh!yKatiuhk8r)C"
        "y^Q#_`rM#L!~uQP?M0b9!)#xj>9K>e2^(5X*zr|)(CW*jFM~%O+?)cd>u>(`bS9vKh$#v2vu^%W3D^ZX21>IC_{V(Ljp65(!0P)sEea2REnEhx"
        "@43~fb41gB0+foK@E~VRBfa<H|7)z1J`cBW>JDwLWyV&YU;R;U`fkW@Yyu*_{cD#rj}Z)cUAOW-W5Cj+XEl>{55d*<*vo9#_AY37RnG}~0+%8W"
        "J>bAyDcWRP))i3yo9ybigA9MiTG?&w7(wd{E3#<#p5?}C2CDZb$V@?{kVkWy+GgSE`kCZtiFj-tuF8LP-wNj&x3lz<@DF3@z1BBpz|76z;>#S9"
        "=)J4YbKH3U;Q0s%Kh$5&2mI%eUP$b_{``#|J?<t!GF)6>#cqA<-0&@B5r~-EUE66r1b}v1$)Sc`c&q$;6fu1Ya<>k=au;O77vdT9wl=iG$L}@;"
        "3Z9#WCKzFZyoxhic9WRAvdD%9YWFE;A0pt}7t}<{g<62$$=}(+8I#bn*P5eRqZ_W$Z*VYMjN?2%rpn8)ZN#+>l*<hYsQYrQ+J!TanM!2+Tmeg!"
        "eoq94=7DF%6SiJDP4I-$>-$_$%(y?dtir}4ym)=okzUQK1RRj$8p$FpX#W$hwwqX~^h1t)VvONMELiK(nPm0)Gtk=p$5<8PJiOW3{kW%v7prcK"
        "5C7^&!2hei?V!l->+^2SIVei6{B(T%AlR$$nL~dUBc^!r=KaU?O+dD>U{kLN5#f5=t9L%>ua=SiZs^$f#w3~<3*BXOGGa3?zWUzP{oga~%+qKg"
        "VL6^|XF@yggO+OReNUPuz~F(R+M9Fppew2G!1i;+&?YBL_P7}x?mVTSb6g`27$giVS*uPXJ`zX+(zl}+a5aCAv`VjesI(<U-RRFU2v`|ZzM0L8"
        "uhR47W#7o<b!0F;6_X;&&xGhn#p5QuPH>>#mm6{uk2X_)>%IWduotsPpI_gNsa8AFh1UJDvG~o-)2#^CRkv*|INsd826uAzzF550PyxO^9o}c-"
        "$BZF9{|9HrDf?by-drDNSMAj$c-(sL!@cw1C-G3Dqij3k>%bJ-A7=h3uu88_OXA(EPpf+04h-6Oc*GZ4z^eW1W7%*y7h}h=Z<cy&I6nZb!(tL_"
        "vzB0KZpPoGL}o0g!JB30b4Kiz=!LjiQ8sLKf5G1^=3`Y?VCeG(S&8IT{tyTf#`bu;*%aERMa8cCV0;D~zK0d0_i<ysmy`I&+onLB#@`q5wv)(?"
        "my8#))68d~VR>=A%^N1H>tZz1H^T*(r`S;Yz^e=dYvW%JOQa$kyZ$$dr|{Ao*b{d*^u(1vP|l*#{EKQYsC)FTs3eRB>FdE3H@4H4n_wybao;?)"
        "U~oO<D^aOz8k{UNYpJqbLb&aJRFZXfGlawGYIg0yd{{BF`ibIeOgQ*;;JZ`PC=d+q3|!oW1M-ur!GC`AL8GSJ-5ZkV5nhLU?8M(Ma^S-2Jx{mE"
        "a$~FfmOruNI#)OX<+wH{@{E!2djg!^JF1qDd{*g{BX;cIEd2x|G%WA=`&mFnS4Y$A3q<_*`vUquiOn?rgW$5tx6*iqpFc{*kX>iSmneMuz=Zs#"
        "_QmD4aRXLt;`QCG4_-f^zRmX+tmA*t^Ck3t!JgmqAmxf+D&4a|c**OrS;m1(kk43k50oIhbY5LQ{q=Xzdl>_OAxI8#h0tRm!~1k^iE`pH$y+b!"
        "_vgdlE&YziVu*<U#4F1e&-e5KC^%}ul}*I^&RF+MI<a7@^rJZM-_H-ubhF$Q?8pwzTK&Cwqi+S#dshFOxl`^Uu-LRO`&HaL&~Lp)es_)==VxP~"
        "+kbHgT1xYNq&r#$k}58|JZsqrjvV><UEG-ra(hFP%w7_ZTy_{dIh<hHhV=A(>42#B-5Ipbs-CaX$!N(?BBE*tWmF3?f5|qliRV`3;$@YsE}1X{"
        "@crq&_y6&ur&lm}+mB4x<q*zkWB&#CU%%N7piiGs3^N_lqbnQO*hgmR@Nb)xYVIqhfU~YPz-h-zr1y1?e(&Hvz=-TnNJXkaq=g>;uV4G;^Itqz"
        "`glKS@#QjTUm`|WJnH~5CpIhoCDP+oM*>P!7&viSoXHXFuNHaJ4bE5!#^m^s5w7q%ocw!3rW3#r-WGuxIusvlO0(&Isl$)49Db^`<x?uc8Mfct"
        "Gr}F!(4nx*`N_aM7!8sO)nP3}cq!?v8p8UF7t?*Lu5I_F1L#?K2yxyjL%5XO!lu)m)s67ZL%n>6QoaPHmFu?gKOo?7nLcvQbQh@c%hEaN9KklI"
        "sLXQlU`8eEEAunH=KGHx{)gY=&flL)4KBSPqqw9#FhIDJOu}VaPq*-9w?Ji*$DY04)?*=pl=9=QlR)AJ=iQ=By|B!R@JMEVGpyyi?Vwpv3bTyk"
        "?ib!(hl`fkzI*4+fU(qX3W^Hi#)>(8zo&84KuMQt`ZXH{k=<@gor&?K48y6TdpEz!Y6SmPn}6cLIkq?JclCpa*s53IytM#-?y08f(*d}Xo5keS"
        "$iOr8xuQ^R9xStDAF3=NV*Gz7N&3%vVEDm|908sFHSy)@zB7(T5ewfe!3J^B9Iji7@Uaj_e~dg%UH@PCT1vY!m-pI$!ib48zI~Mlm&lCq`>zeN"
        "VVRo+y_rh7;G-vlr>7YOaD&r6EVYMc!Lhp%c8#XvNU!Ootc?E{PQ&CUZ@O}ROv1O>t`DY6#!-C!UwxzQf5YrE)7BT`NG`lxw#r7{B}o4`TW6WX"
        "w$Ncw#%x<3l(OOxKf->wIxa$4@a}BI<Py@mp4zet85~6*w|$F&$Dt{R32$;csW*!3e9P%rUdTC&o=2bmuCtM{a|5(30fGh$4^9>5BY!TM?B)Md"
        "l@G5jEQ;K}E+2*kIxk^_X_)XX)9}Yp2JGsMF`<XomZ5>hh?$UV0i?yZZpMS9zg7xCAfd1N;0q3FeEsjbmj<&(lYM)EyuLqO&)*f`pmI7R;5iZR"
        "b$h5-dcF|RG15@=@oM)tigz>eJJOHPb6}sUpDCzZqCo9}Opj>a-$3!*$zj4#2E26N2W=kSF5t{($#yD+1>wf(y5|oG2n>t$pu9$=^_Jg@PI|mu"
        "yI{}Ik125Bw*!ymi(<5%EEt%r)*c5mc?u=q=dmNE+$2nE`mJ%MMi=}qE|Q&vJV^-+HyH8fi{n?CY*r9|CayRi+xz<lw3v`8IqWn70~e-WnQBge"
        "7?+~rG&6dPR$pE|6pNE|<3{{rS?4S-x=4rewq5s!zwy4F1C5tecQZ3D!mN^nvu&kxm|X3fn8ssc;F6K`y`4+l;OWEsE4@PFfXOP(urqN2JT1(S"
        "obn;z54USvcPbqKw}bbdDB0TpMT184Bew*u$?rV;M~5qZm4PF|p=BQnIw3vp{JFI4U5Jm<u5Z%=MmvGd&C%WBER1+%`{B0Zf-As|%*rt>Gz-#)"
        "@|JI!EkU7k{72ZLII!-V$*qqsPXOK6c}b`FCGgh#WVK$H6HNKUof76U2KYI)-BQ{#4oI_4gkP3*BE4PZgTYgSrDd^M7*zS8%p$o6(Xso*@y}H}"
        "D`1N}amwV{EReeXcRI_n4-{FIi_~>;;C;zA)y}OfqW$eW#k9Y<aSZ%+*zLY_Wd(9SxNqO0-;CB%?-{=EZA%{<R2?gf-Y^3lGMA6{eW(We)3;@?"
        "#E~#}6D9i_^L;SlUe>{jjwEbd($=f`fP^Far-^&knUu=ymd%7k(wR;huTk^V+COq?4>alUfSSJVr!x9rmClbX#XmoTzgOotmqKQdpU7MaOYpH}"
        "#(T5AlHX}j{d+{46Nir83Sie+>KILZ4=uH}ZOLrwft;%SqfNatX#EeDH0`a@rVt+dZqS}MT~`V0e6B)<^Yh@pbg$}rJJ|Ff^fr$aiJBK^8`>sp"
        "Az}sbTC)VFGMI3x)GC{c1?OGwvj6_wQG_q6pDb<R`~5Q5u;)c~QPPV<T%F$O3txOKvNQd5F^7%V0{D>h)7(RV8*}Tlbmu!g2eO&pq|1&lP~)qA"
        "38Tr!U0jMp9Fzj)5uZYhgtVA;&|`^r)z})YP+-<ARuf4*3ZRWE1+vQyU*aMoc@I7_t5x_D3?6?9OJ8!N=8x(5VH$;ggD7A7<J741>LUT=ryBiY"
        "n?)rj0r`^2OZmfmxX*7-uNHv`YF_s5J|zwE`=!Q*kpCKB5<0USw+IO|__0dQyfnK{?DrPnoaVn^T(N-kHgc-ujrd~<Fup0Y^_eya>A_zox34$m"
        ">L9KES>@Y<FW(+i`H#`i^$$P)rRT=1?D?znOt{Z}i{<$d5>DrIfbofQ50ESB*SO@@2GhIb_-pIAQ2ci0M&aLyV_ATM<0YS$WcQkS$%e~&zjl7A"
        "0RLTYHEtsibOq0>e=IWt^`i+ajkoCVPfukMnOxa$((xjeuG%HwWiuN6zMBz~hmMD`yjl_6ca6hrexx#DR}SsHc}IhqC(_od9;$QL2Y#SOagq5V"
        "kYb&n02?Kd16xjaA-XiKNGg=^5%4PpCm%P5=OaCdjT`nkD_099+DyHDwy<Mo=br2!yOY<*l@_;qg)b{yovnn&-4r#=OKV`t14?39@eriV`!j8("
        "pT8`uL3P8t)8@C-+zHqfiKNWp+zGhyv`Qg#ks1H5e;KDFS+fd5^A_k@=}@80N{`X-*ZF?XGCTe0RB-T+h~s_22s{`v@}?_r3b59D+cDf{!h9Qq"
        "TsU~g;f1ZdSMPuSgXpPA(=fM7Spw|W;Kt3zn6RC7oxP8K@*ul!i2Zs<PLzPfS5@4U7Mq}r>(<2MyBZ|YBvmO;`upA;^B);-&Xj96rrwtz+`GVi"
        "%KGhRHYA^;Joa!ntsfRR${rv6MS)#`OqNE@#Zb3PNhNU|5%c(BT3PpU5Pe_MYV(h08-_sUEE`wJ3kno(5_xpefgkb9f5-RQ@sepc_)grU^)eB!"
        "WN>_6!Art!H-7R>{mqQUnKD{r{1cZ;RoZxt&9TtbeW-bkiVgg@`$ivpsFm7l^@|nfG<7lxcblZmQwiduOh;C(Q|ke%f4^-Nq+K%E3atb>kBP?4"
        "0rN|bHf%gR1}ymF9rIX-m}9pp@ebWMh`*Rb_vFeViWdUR7+QK7$6zW$&Vj65RbW2*k?n;c0zSu@ksVu4L3&TyKj<KQXWuzC3wGRm?0q}|<;PTi"
        "^zU<=pS6~Cb()bJB@Wp<;*l8v-Z!E;vzx}D+taywQorU9o=5Cw8L$W?;`1(hKHeW6M*iZpE<5wq&rN_9Px?>o6&WdDz=v-V_6T)%!H^=QU(CVG"
        "*zfH5<m4V^B=`L8#)s-~7V?)KGu&uc1#3Ltobx?D3;YzBuRb<z2Pw;cZ*^a0$5-`KQ){v|EOZI^{UD5)ZS2Y18vNO^e1%VHT|L<3nam+UA>fze"
        "T5Yuc$;V9uPp6Vineo>39#=v!GQ!`CW1e5VQ;2xC=B7EB>s%<#dj5?gpK<y#ptW;>w5#9Bd%7VbON_yJ*BSUJfu->NsRr<gLDzOiIwy+TT22LS"
        "CFd}qxIp61OvL+vWq3I`zp%@QfGfAZdEmQ^5957c5r4w46539)`fQb-gtUEx4^o2H)rC4>kaU~YTh>W{dD<n1E!Ts9?oB#=*V@2W^#gYvIjun2"
        "Jn$74)3c6zUR=@WBR5OTG@y;g?;1Q7)J&O$t~FnZBtB0dxqi~Re)i>3JJb<K@i}ia1r}o7^6ic$;F?$2g%$1lz)`({*U7~Tw0@OfoTYQ7>n$0^"
        "+f2AUPaJ@%xRtK-R3CgWR>&IFPluHo&m7zC906_%ETx$#RHM3~&8PLoJ6>|5dI`^+#IhUeJ?Q;R{rODaE;Hj&jwJaAwk~*AdamL3?Pj!JN$rnJ"
        "bjehFK3MZhPNAz8-eK%IYLLu>?;>;C?_>K7v)Xz)^R=gtzN$@JOFx%3yheXw8*ArIg3nMP+=zFb?E?5UaOv0{$zdq;-Pg-xb{Za3zPCZzw;jZu"
        "QIdFmWeF<Tv@;eYRU>-#m>zq}sEz|w-4))(Q#}a(7uXwe-IbGo_nYiOwmKs6-?gk$D#Nl|Yw8rMbnXt?vC`At3%4G2rzjS&VWIDyROILov9L%J"
        "n^N-yc+#_DtS@pLZak;?n7f(`Y4KRs-emab#TlA>r5#Ybmp%RN<N}E;Q|BX-I-pyRXxw{d65em1ycjb%1*3LOY=#9SOzG_G;N{B$An_pI<?RAQ"
        "T=B#-VWRdkl8<azxf&kT3i>P~*s6&GK+%MlCdWtyM_uO}r+@&en?A`@wI40701aU-pZucwp;KYa+xF&WxZ#Nz*Tq2smiMjtv|h*<;-g^f7B;Vu"
        "aTt`lqS3#12K3K!DnBF5!U|)FDEdWKTvpGC>Dxh8g!|i?qi!;&RzaG0mSD?VDL|Ju1Y2wr7JLc^!LJQ1Gt5_#;EOm@{g(IKm_)AP?NiJ=IRD|T"
        "f1A$^A$)C&m9=)dkcsrlab|D&_|hce<JhOl>kkw<fgHh?F&ZBRoF_JMd=X;9TA9VjOYtqxf($wqHq5Wd6CcoZi$pb$Aue*Ipw^2OPkx^={pZ3k"
        ";QDgdVU+WqyzjE5zv6i!PAf;c_w_Hgb}WE*_4xx<-^$^eki}EtP4sx$g63?D);bgq2>Yos*P5{5op0x}<$LBqmFUNkcH$h3-);xA@!-hdWznw8"
        "G4S8I0fDee|DJt2?7$@k%>7bsF1sBMHuQ+W@z=u^U@9@T*|TN|;fw2&D(Svq4uspQdeXGw!k@UAh(9<k=HER=jbB&sO6OvHX~FSUq*vA3YnO$s"
        "sqsB+K3ExH>Y60mjh<%|*2*<AScdYW;lU<T6r@M9=fzi;&#xf8(7RkBQ=hf~7ry+C*T>q>ekU&eaR^U~f}ZV99KMeAuc==*Fdxpi_PrPRjrEyt"
        "<d(wAK<U1~<JA)FplBxMuHt+T(x2IA8Q$t_dYtD>g}U1DJcI-8soX60yg2bt{nw_3=~IAh!vklPw14t4ijnr=nk7W%`RC1hl#3Wv{gI1Sv~+{`"
        "Ofwi%=)3Ov?k|c%C>sk8vtFEqAHsMSx2d5zfy;Oz!$XGH1yGvub>qcmYTtDxvy2sdT|j)l(_LQ_zP}4<=y|9OlFPx!1_vHu$q!&1S;lUcJ_8N+"
        "XB7q?9YOSq*hT+hGpEMi%V5`J-1Thqf88#>GQHLXsGxL$(flS4{<e^H^ZOf|NIw%^dC*^NWykC<>?F26Z-(zZ>t&1_`T_4~)OL459NJg=g^DDn"
        "_e=;Ech&~((dn)OTj`ZAXdeCnM(VlyPt+3ddIRZY)qGCuw&brKi@QG|OJTF6@`-xj?BR6O!JZCFiIF;*$IOqVo?UE<%;-b%v@KnyWq)e|xb3Kg"
        "@Fx+ct$$c6)iFQQK>c86Zri1&$1)p{{smMknm#g_Li(vY-zNTKq7h6!NbTFDl>tiW;<8^wO#yRlQM0XpAH@Nox!V4}7a6f#LhO9m^>lbvJEehd"
        "=LC9>-TC3pWtBNlmk@Dg%Oe&%pXIg1?etkNd9->-u#y?4?XNR+nY$$qc0<+H+4ffUAxN7Sb&$?J*w0Twaqin4b%u>c2H^U233`8eYS6l?`zk)|"
        "ea3NPC-~64E0m$S2*_;`Gku^=t$(VX8acV7JO!;6w<yw!#lip94G1pMCGzdT8MS~muU(~=26tTS>0I*;tQ!U$hjioDmHh&Bd$$MYiLU^XZAsR7"
        "lQ#%I2aW8_OMkXPHi6NDhP5a!rkt;3q@P$=0ebIS45YrT0K0Aq+v}q&$nSVn><WC!PymlgRzCCyT7)_eCQ|nX7Et3XnmVQtu9@-SI<@}4xw1|%"
        "uCASCE`sbVzn@3cWuSIVzugTw*RQ|MkIM#st%&5UM|ja08K$tv`xA_eD-KD&n?`p2-sf|eSqc-j+~)M~)I>Y_yOt$+MY609PAc8c+hoaz@RSSR"
        "Z2QxQgbU8dBnnnMf%1h?-nt31Q08`h`Gp-2KDe$oUA|1h=2~{+ve!F+REdRzL+mI#uB7HgGU3GJ51FtgxP6DTeW{TdhFx2Z4?x=f+cuGtr_L^q"
        "LsCh#*K>y+_#Et(;=a~|>>%;GyM)&>di=k5PIl(r_?#hvpMZ~El}`REw+v+NjxE<^p?tx`Ph8=?g9ig9FT#4jZO05Crkmw6Mb6OVQB=HN{a*j&"
        "$mT=8IT6ln(d0Xukwe1v{$!5}a34kVKV`04AM<Vn(X%eK^>y)=IY`?VSQ(nEkdmgu6u$|xz|+%f=CWx0V79tLM8}_T@S!j3z`E!tm~~;`_3axC"
        "aD4>H_weyvu-*49@3(pq{^6r~2a)?HJUH3U_>eFUf7q_@4A*nv*ycYUR+M>gad_k-pI#3zkkVP#sLF(Cun#*&r<OsXobTg?N_5CxY5l1G!w+K4"
        ">p9VUlS8P(_UeZu+Wr`_yC9WoiVuaVVXnnhuXg4^;A<ec!pXc03{=9(&kUCV+Whd1didh@zc?H-QBMx}Ny2Bz9MW4@`yeenD+Z6s>9vUXiz5Yc"
        "*1I~9-gXUd3s*Fng@#ty)sg;{z;eUmtu1>dq5BtOyBWGU_(eJLCg1fO==qQ!p?|*=G-wh{{Ue7##ZiWj;sMn8pSojLdCvt*K?AXeu4KMZxa~o<"
        "(*u_Q5a;U=V}R-q)VZq`;}V7j6?SB|dcyS~ve)K;`UMvy0j_V5{?f?x>wl?n$Gzk8*%h7jz%NPZg<bMIO}}KE@^V-yo6e^Y{E|AW_cojn@7Urs"
        "Wl%=dyH&lY*?lMCp=cN6GBAtO@|^?M?2oFdC^kU1f?c<3)t14JeS?x#IR)^T^mQ$=4hhx!Z*bvHd#VYj51cb{Z>3?W2~K}dwYc%B@}GEjf5h;%"
        "0kAHwoauNgH{O_&UDK?vg5+hOn{L4LhaSH^o~s=#&Ws&pF;01(Gmre$#)4+1TznAO8_J{G-mocMU_ts*Nq)6n<~I@Lz4XcZgS2n4V%~2O2P{I`"
        ";f~JN-3J60A#J@!=<~(0c<&127hJeQzTa#a0uvNohWgvHYx;E&l6Q8QiZP%(j~q<!3htkTZX3x>&O~~QbkT6e<9jrGn)*tDNr4HAHJ+Dwy1xd="
        "CE@vK*^ZktaJ$k_S#`()ytdN8`g<i1ejNAXIBVGswDyfOw>@l!W0%6D=~kF9^S-DPW^}Ch(>;HuSMnGz#-gsG;$L*wFvo4V^!@XQ?ij6$LYD58"
        "V9fli(o`084#@AC<FjoGBosI85cXkSCQl$g5MZ9Bo##TWvs7l>(@=FNf;&%!h^;gdQC{*n%$|RFfP(Z@T<A*SebxyYe?oBC=F0rTa~A>mtrxsW"
        "+NJNifN^&6#@jwE)V=}BtWK@YEEo{tbm<MH!*Rpy&7X??(NF(0<+;{600<_HfhVSbm0-22$<zYkACKF%uKnT!q`%8nnp|TynXymV8#Xig_d^-`"
        "Gry$cnenZ<omR^3e}LWky(Op22cY*ntKfEF9u&W+ZQZs1=FT>t^fDQ<<DNtNT68>@9QKJCub)hqjGo*^q2dDkeCca&1-$5M#-`a(54?jf|EhmN"
        "?Q;ZjZimZyOgL?Qar>ybd0lHYe7s=4Zu8?L$hU0#$oc?1=Ap?)l3^Z(z4}erY4_-9`ru^e$$Qy%Dr8I0`_G+<FlXsy#Q!FroHc202gk_+PU(j1"
        "ct+sf$cyviV1b;MZz;}>FNj_3e<(cxX!{SV^gLL1TtvZm5`4|Sc2OfM8R|vXd{9-P!|&?LZa&FRotKJ9bM~q{ybOrq)A3hMCBi#G4>manlh@#F"
        "YNVygQ+ERXEh6W+pM5J7A9vavBsxel|4VlEdGw{@*u4e#Tu-oUh;9jeU%)ZHZx<5*2eI-tB}ybrkL^A|?AicY=iL*=o-G^D{3a#5)GQ>UhaIP_"
        "Gp)+Enn&rOn>-UPvFmO22CGH*!tbZI@~=T;FGWMQGezzuLqT<o+F#A&HE~hz2fNHUT?+6K-lAe?U4hn(t?cns+B6BR&R9n{ST7=+Z!bw5+y<Dj"
        "42Hv#o){Z;kNN0}2Eq#R<3Y#t>rz<FA+3C;d9u6W6DOduktU0x=mf0b<_>#d!GMXhV+Q+()HoxL*FECo{1lSQ{bReZ!&3D~z8i<F*ViS{V>}{_"
        "M}99hA$uW<_R%XcbKpC4KAKtGDTQ=uZDq3C=fSqru}uEMW8jx>i3n#j38PGrvfCOM@WUs|4;I&OVawXtB^pjs;M|6QIwdbQgeUvNs_o$Ia=5NI"
        ")b%;eibtw0-ygi)259-`T<|^eP3<iFDqSSf>oJMq=GcI}n|4HyL5RiB_Cdcngs(diOIA|1QRnK8OL>j$6sF?OBf2}vPwv_QXRWPR!*yyL`Rz80"
        "kNnmS-t5g3?SIOFFXdL9OZg}774w@?Fy-lnBO4uT)UyW=KX?z`G%ObHhVw;tf_DTg17)1!XwR!@phXPNzpUMl_R%N&d8FugH3;gxAuIbi3DV{P"
        "b~B+Mb(w(AlB7f*J5Pba;*Ze|$Cha8tS&FQGsZ;Tj)1TiX%eSK2H;4Bur=OHMtXlkocG!BCF<P8#ZyOK?e&-dRmXJRTJufA_=Y*gg}?>4v5ToE"
        "%CH-XxR-fw->!w<tM9Zlo?^#sYOeDKPj-UgH*BZ&<?~{>%6T4z8=K*o-Ha;Y@B2W_Gk5k)J?xlB9;53>%sh0uu42c0goOO$J>e+%qjJsE`o%_4"
        "nB%@aXq;@>_y)4!)~^h-(i`TXS6$Da<m{C-^%T9C*XP>_T==mw9(nIK&BMJ%d}{8<#RIPhO=%mPm!_Xgb{1x051RKue%i$)f5tAraRdkn`$cd("
        "?uHMy*VNyMAmRVbuiC-uO%<I}tuw&?f{T^l?G+?XUtRSY)?w-#n@XnYUKw3ZY{;e~?BV-z;QXZe4sS;<Oe*cR;tQo)GcQfsFNWSJHq}o?VTHH("
        "oF{1!*;h;ZL*MWoA|CN102<9Q;^q^39;RXyAnO#LWPHIg9PQJM`&mxK@6}J*eK>C_43Lwe=Gzq68KR9@KhSMucz3sf8D}$MOwDnhLiu9Gv8H%6"
        "|6WKt=O*^m!9J{Sc?}MytBVNzxJCxFc({sR&HW5>yW%=v+<BEg9!SJ@yYDvr<}wES-70M(TIuksRaWozHILBf`#5Fv+i1)cCu)DEZ|@70x{xB!"
        "evoZx9X%bw;nnq4>9-r1Chq+>0%_xaS^gz|Rj(GXc<--+paBVIFB|qsc(a0@^V1Et6Fy9b1!^j1tB4Y?-G_W4GFTU((k)Z&7_ULF->zbQR=)u4"
        "TU}v5IZ>n(8hx|V9&KmF`U3Zni^V2jmanBM$Nec-olJlC&TbAAFD`HQ`}jndTBqXQdJjC>QV(hKdm6v#9LZl-Bx6p(B@TPBWnONCK|_v;dvq$-"
        "#PMfORqh)Q8i#C#0+%+;<|Dp2?vdN#BV7ZZ<=nS=F+2?4_}8sSPxnEQ1wR)#+e(C!1!um>MAZ*MqK*e2^8^kbwD@j6{j3@+@BBi!=<pf6@7z?<"
        "OS(>+rjJ3*<B0<)nY#4dH2#fBXHIlI2R9=T=iO)Jo@d(y)eic{Ey~qET6w->{_~jdkP(+0G27xJ_<zlr|NGptkw;&SC3T{_;{dyOnqd<OOYRbU"
        "eq`q&l>c-t?dCQ{Y(a_e_*qE{qF?sxVTfr{=ZEf2!lF|a?0Clm!#8_Aw;(+I<@S9;O<o`1FLI68|BV^pLs`Scj_<|P_&V`ZXVzd?C$gUhF-GCu"
        "=QwdYHupzdDiiR8kwsU`9tQmQx4Rmf7rw*!>dc@M4}XBpaM9OvZHsV4m#aRA^cCDK-W(&(Itc=>F`Xx$$I!kaBGRJL4-l|+$z6&Dt{spm*F4zF"
        "bQa-vP^omJYkfC-ZGL9NWTYEtY);8J>(L4IMIw39TG+6NB}K8Avu)7*?TJ|VDMoCu0Nd*u#)w^<Om_6TOTuq$S2l9-od%(5?Q;%isB;*vHVr2o"
        "xz2)l9erUW;2wtdyN!VJyXvKY!azFrtomO_4<y4Hv)&(BhSHy;2c%h7fZn#3o03zy!F0IpsTUtxXy?M5=eWEqvFdr`k89Rn*V(t73He|3F9a1a"
        "jDYO?a>vQiD|5Br*3RPDjG?ME{k~O;*|u%H^fT6Sz?9e2`e<$m{O@_(aZ138o~e>`Gq8{8(2+Lf36v)^tL?eU{1(-pTn2Rg_J!!RfD79l#~L(A"
        "`2C%iTNbzS;Mtc0SpFR7fw-v2@6l6(K=;hWz1Qt~pyE-^o&hv}N=EaR;b)5D2@R`tW@?{`Hh&&z&?2i>HNsbW5{p$lTLCS;SIV+?^=kit^TVl*"
        "1sB*+{X*-E@9up6d|;gG{VKU+4)k56m>dsAb#Ox17vfy4NC!y0pmFInd5X3^L@0gMbtu7r0r8*Xlc$=OXb!OP(QS7Q9z?kH=Jem5QEMW`eTqde"
        "?d2fQY&w$cDAa}G)f?eQy-)vMLVla=#C>(egT0XXTIlA=R}Jv2tm*mOqbooh%H=tRqdbxD`-7bm$6OP#zs561j(j~#2D|TR6kigjo=ej*^vrRX"
        ">VijHxCGX(=R$e0W4+3`oio#5jQI|G-NFob&sLpysG1B-lP<A5lqX>qxH!fyGj<?7HnaFRc>R4pY~&x8Up&B#_?UX*g+{dAEI6spuPI)E^p?P5"
        "Bqnz{bQIFo+0Z$tzz-z+&Nv(kDDN8mFobZmmUl|+8{_<%IEEJQXydrPTTKj|+u3m1I>hA4t0m()HazO^rx5POdFU-FEJ>!P*5M1E_m~;24+gix"
        "&X4WBF$uL>YO4A+bi<jNl<L79d{}(*vZ2%QH-NSt6JL6pF0HL+O<kLIehkh3zIhQ+(aeI=p0}j+XWl}f?sdc@(zji;fj&xBsE<vE)v3@JV;q2!"
        "3{7-*TqbGi-{a1baqa6o6S|OI?8YScj{Tv|@!Wb7yF+KR7d+{lH^D^d@gk$8=bQ`-xW}~Uo!+vFHSuwfVPc%G-U<*6eWO`cQ4Ka@-wVzBsQm$E"
        "r(u&PN>n;l>HamwX@B-98DwbO;m}E@0D2{fx&4C`K;_c*{LA7@cuJYdmTUg+kRK?1@jGyYuN}tewc=WZix7w(cYuxK@Wx}(C&Hz*{*1Ptu5VlU"
        "PLi8|-5^Fi&N$Zvsw~FTXZA2+`P>$;a)brnc-#LS_cuqNnU&L&e|ZI}F_+RQ=2821tDi5&lo<QXhJfrfN^Qm*wcoE+x5T)x?;Fx*;f^hGN9!lS"
        "{%w;J^}+;9R(aUWB48Tk`!9@6c+Nm_T?9qkfB~b$HN)?_yRsJ<@Kn2MiRPnCK=)9)PKYn-n&(zO*%hovfjx_`j6278->n3+emD31sC}kXJAZtQ"
        "sYUlC>c0^>SN3hWjV*z7e%?W%Y4jLVp2NZAQv}@Dq?u8rf(ga<J&&%q*+-HP&Z=QEi*e-*a8Kbyu}8%$c-eLWml=5j{%l`e8bx>-%%7HcX~4;i"
        ")7IT+`{75GaVd5q5@siZ50oiUV4nT5!IjWu#82y1MbkYQbhv@yY2)`ZyP(>H_t?hSzd%ilk?!roUWD(nx$Bzvw|2n{O1#|hR32R6djdYtF$(2k"
        "Me$QSB;2dnZQnE7Mlc;Qr85)w6ZxTTKfUJ4+ITosv5}&3xPQ%@`g5L-3g-`Wg7d*I_({>dV1Hs<z{gn*{7??d;`19dz|JhK{*%Nw70<qRun@(m"
        "{LQLO<4$}(2^w7TDsPJOB7W3&@Ozn6*FjobxY7UeN(C<g3%@F}h2v-~{4;%EulQCjl<!znz6|!VX2wE4Bv#ySSO!0J>8BO4=Aq21vEofTK0yk_"
        ";s%q#9PRv<OQdRcvN<y=rg%!I{OI~Q=s0xo+%;nYcGjj!t?T*%w8~m))0<|%dOsY?QNGXvY5RKKI-RLLl~ds7BM~q(O2F@NWu^bTHxHyd9~Nyp"
        "$BgpB>r>}9+BP#{e;x#=<~mUGQ%E1~b>?sx6x*U-NMLG&vpat<_nqNE`h4OAm-KdL2K@F0zH?W6c(D)Z*>e`2jCg6%r5$#{)I3{5mGL9x#R`f)"
        "e)-HbsjI{Sw~iOS2jl0EKTYW(zIrD$MB5J}tnMd7|IV12(-hoSrB^$6svQU#m3kW9SwQ%?x?W*n<G?;90)8cGv%JZ@NswTgTJ_^YCbU1T5UQ+C"
        "o%^}{=S*UJEdjSZ@Ax7sihx^xl`lQ7MZ#_9B=37UF=OTIBZnEfspm6k&yAeB+SV8+Il1OM)GGad>FTtD@6gW8Q1`QnckaJ7EH!>)!0yi1y7)11"
        "V00sgXXB2H)1Kd_joXl)sn_^%<@C}#*!V(wJ|?yUe$aBe*V501%m37lKd(c?0Ov%F-7**6eJPS%pPe4*vyuEIH;VEU?cBc0;jgEvZS|@B(J}2l"
        "3EPS>#Alw}k@h}PV_@TH&c})8yHMPE;%e?@qxo_8|LWVe`TjiCy{j5@g?%trO{hZtDE4H><<Ouy^nSVR<h`0peNbN1HKSIRM8(h5b=cD_pWj}D"
        "FB2>b`fkp`ZD!M9uL>4{z^9-FCD(f3z~VUi+-(@hL>^$E+c}5g@*@Ff4}=rBv8YWdmtK-rX!MNiOrKjcvQC;Fr;SHn8`zi2@y@}biGbNpR^8CA"
        "&ms12@FJ{=<>Q@iW5%ZB)w{lQ)*&2HhN(@jhL@m9SSc=>HUV%ejvcp8E&^|nH^Fc2&cbV?z6;u^)c!5)TvY*XesH}?1=ziO!fJ2HJWU^j?EL%b"
        "@K{GIwI0xsqM)i-umE4NtLprd*n<A19lwt~pQ4@5aXC`^GtR+T5Wmdw(^0T<dQJU;{=gS{FE>U^FU`pRVrd7Ev{Ul-Fr5asvm+l=9?C-R3w?J%"
        "I0K9W51FJt0})pN=h5l@P_^YX^V&aO9lglqvIrA4DJ{8P9fUW+iC?d_HUUFc8N2VEI8fQV@chW%Ng%QFc~|i9UND_LyrtTw64}dqgh_WSg`0M+"
        "&3SX5D_gYRGMpZ2yeO|phQU|ndkR?kVK^V_w9;=1pq+c7t^1<$Qlbq3Lq;<&O}awnPGk?<98&P&#OG;b4=oG+8)kPGga4hMkexL@>7LuQodQmz"
        "tYq>$m;tnTl`wZ0Z_SBT_@gIh!x`ct`kqjZVf+S7>bU^>nax$xA+_Ma)-V18tt;p~J~DGeM)w&Q#aIJlR2N`}?dklgeO(~GJv6mEvjV2Hxfm5K"
        "wje#aeYBqU*$YOjTf8^B!e#*J2g$VqBLy;|{2;3%z4iFY3Mldyowm@T_P71DScZu1lki>q=VbFb>N%Y+O*?-_eyBjdhb+5WM4g?435_Gdj_Ig="
        "Nx7M3=6L@SBc=reM&)Aq;C;p>N?GI_P;#Ve%`BOQv~#}VC3j}H4Xdf^OCK0{dubL12fCe0iS36w#$wB+Nfh+|`_}bIYM+vjeB1`BV(c|0!Cd8%"
        "UNn0j5cR65^!Ut)PjT!0wGL^8iRRNSHdE^{P2MZ7i*FJ!KUojg^#1Yxhuw`kD;C5sRIwBBJ-bf!3^31u=iCORBIX2KE9h%jhX?gOl}OHyorbwh"
        "VB(wSeeHaDJZH>(?{s$sWTyyMNt;eWfjw~}4`1=%hGAE(&pR{XwE0eZLW{~rgL&{rGTX|NpLxxko44fl0f!^hKJ&WE>)v@^bzf6A$oxCCtj9ye"
        "v0#CW#`6i(b35acUWc0m#^Kdl-GUMO(Y&^cPH2O}*Xa@9lPk+;v->0DP&K?}c7uRx&&GEY{hdM2dFNi3C@iD;fhpgV4qFyRY^JtXm++exW4r$A"
        ")Cq}MpySBDc>OhXPWh~5s>|jhM7(}>X;+fm6!c4vUg!C+5KPVq=?JUO0dbxy>izf>bU1XTSNAm|cI9q{R;4pDmY>S8Z@jh-KIamaZUY^Vq5gx>"
        "FR5|xzwMYh*KuCd_~+I{R;-L?a;SaJBzk@<$;1433Oz<!7jbf?Ta0=~?Qd}(B!&;w4*(y5m7BkEt3XEJ)wCdw6@)_xDyJL+K288pDTQyZo{WL4"
        "ZNok{57Fa1ZvGcjMkv6~L&W3G*-mO5kV{8__b6peJhsYL-QwF~wYxYGU5u}6>YCIEc<Zfe`rL{6V8$gkF76u%ThRCZAaHyNRAw)pP;r?7Wgm!1"
        "er?oq&3+0mH>K>FgwNkSd0kk_j&btU<_<q*z|7a%zL*@Tfj^j(uZqO7;1hjqTTUAf0@^tx85b><i^-*kPMx-at2!bSpphe}too0=Oi9VEv>xNc"
        "6uyM)a1$MbzbWaCM6qRfE3|LaM}ZpG+|goseEh^;5Sme8Gwe=1?=Khm-Lk8u2aXvIFn2P{fzOo(Bi`Tbqs~j}8#XNLrk)4z)#r({beu-=tI-*$"
        "VQ^=_ZIvgF&Fc>V{gm=ysf+X|K5gH&C6;wRE4F4XjJDqT@B7^o>OP9N#X{P-oa&{a-IQ|^;Qw{*c83gyQXu0Z)R~UqaIdHK&0bs!zBO5Z>Jo$v"
        "*&<$_B&VQ^aw&VbY#ZFae6OLDYYAjJRY^^#_agp#y$mt6)}I3p%#?ff$F99^rQ(Xmhx;lkFnav<ak@hzNUuU}T82t?;P6?>gys*wLFi?sKYprs"
        "9-5}?I1+70M)Ak`F7FU}!#<!Zal!HG;1pQ@EamO;rbS5G4_RH0sqJC6ItlfcTn1)e-?BQhjOfapwtQeqY5=cQE?H~nG$XtjyD$<GT}wiGtax4E"
        "Mhe8&>?gwdM6E?pGvMq$mQ-)s4P1UF_)RD>VL@85aNC=4c(gbq$EO#a?<Wjbx%tach<K#`9|2QU0-6iETTLuy4ebZZXPw<&>5}l_l5<(zSBBvK"
        "_Rj=@;49Ag7txD=R8g2^?AQot^YG7;ku|?I`$F0}lu;Ao_kA<t;FCrU?@RL$gfruHOwBAdrD*?Bxr<UZ9Xz<S4x<{^^ESZ9lGfh(&;HIZn36;z"
        "=b-Yb=?=cle-U37FP#}Xp)&zf6NQ%l_AMYg2(8^w(qZ3+^zz5wH?P}vQ2U{n&$hd}iz{j4E9bB%)gx}lije=sGKViX9+(5EAbk2y-4dXU8&|*g"
        "HG6~EMmC7_<wW$O?xh}PY^P~&IQ`W&=>1~b<m`<VK-)(vQz2FCRc%Fn(9JIIQI{qWADIh0YivG=_W65bwS(*;y6?n=T1P#we`+^%zHXJi^SE<G"
        "jU5rM^w;oUf69a<?V5ZxbC^Jj+b-O$LC3>OI)EjU>Uja1NoZ{GIA@zmE~q|lGw9&A4BDdeZsZb~@y6yl6*kEU!1;&Or898}+Q=mg#ru=6yy}Q#"
        "h6@Xbj|x4tWR2xn7&-bb#?z7yuSmCRlUZWJPMh3v5%j2CGcU0EIrmq&B*bv>|8b739avpx`paB84`(Svoj>|NXwOZ$(Dnx{&E6d#FHq;!1lCo@"
        "3twi!NXBrFn&%)0O84azJxhi%-5P{T4mF_HTK{E$6&>n#W^H_RD(*rPl8gMivZN)Weqb5%R?a;zZ_Qkq{toNd-Rfk7W4}8jc7wrXcsQhg`Dt`N"
        "oUf|2ktpd!egUKKtrU(kVe;in%x`Mr(EDDf!gF_%nqkSLbLUF`BJlbh@^(G*3ZR`IysZ70@HK^qe<kf*x$n6GL6qD2jZF;5-V@KLY4F4`WAw(Y"
        "LT0>UD9-%DsqE9gjOLkKY<~xrC54ZJ8*lk4Y+c)^bNr#x-igsOkTzcq6zbi7tAGX5EBoe<^nC%oX14pH9X3ln=VL!2Syx2Ovsd}?CP=E7oZSN|"
        "$@XeNdKCCb-gIBrYpOkd*XMpRdx?PJwqUV<af4ky5q~L)3>@W0sr9H^wfln~&9Y(AY^3(h3e<Btnolw{t82%QK7P;;Vv=E^%4zlQ)6Mtg<8XW6"
        "kd<ValRJ#)h}j^`al@KA-{Ew%?yH*hB&5$t4&at#!bJlNZ}pc>t~sBi=QHQ7)kB>t=AV>~4*!P_5m~+0XIc?ID8&DHzIdF%^}JkaLi;a_sB*e>"
        "-FiJX@v=R-?nW;)?|&02Fe~2z9rYx6&M~*I>1Qg&$zSw7&yC{6txC*_hs77*&h{D8C=PmTX6Dy>dyETje;~W~O@9G&B-^~DTVILZ&ovky{ikpQ"
        "(QjWhad)2opS+dcqj8r{E{p+r($A00!Fq8~_mn@2FmS$A^nl81phoHo5+znZaoG)xs+-VUBSB|f9;M^}1FqooB-YNQ2HAZ|kPv0wrUsNhiFu)s"
        "O`X#==9uy8Th{_d>BND92rG8w>m3ID59t03=Y1o^dvpGgzgs9}y4&vmnrr@-4}P7l>2<M7aFoB<*7El-O!+y!{YKR|!rMFQ5A&jw>1fWk5L{+X"
        "C|m70Gr#7X{7kEf0DZs$$lfRO<ND)j$oIoOV%?#Bz})gfpT%-y&3t{>ubq%w!+^zY>{bXBZGc6W_muRkpN3I4ar$<C94_$7uh?JU!)VvJ^=HFt"
        "+q@xQySc-sw~&B+bq<S(-ZBc>yi~mpV$}12l`*W|I|HcqWe7xZ7v+S_!{+;e_GJyNV9mK-8o&KI`_kUUN^V?8&P6iKoDQ3RV%~pCkqi#n8GSq)"
        "#E+>*cMDIaQ198BU{GzncE1OBdf)coa$&+*oG7tF^b@eX;eDa=?p~NAU|b~CI1b2SPYk5X$6?`Y;#2Ty0y@j7C|W+7hTUw>T<eZyAYABo5!}lc"
        "a1YTVGIUNpgqI$>s9>HH`hd#+3wdKqp`~;<Z9LiRYxhmbuL9Zsyp6awh?|8^m6&J0NVbBVFFAj6k2j&XqxRQjk?&n?;JfV)*1`@7$SQt);Mhw7"
        "?zgWr>h@tC)Q9XzJyPGvHiz&xeZ1?K@y{YCn^tKfSx>~$1}QK1)-WJ?lou|aSg7g(*ZyoJop?MC;#H1wy*61ybb(K2{YUOm&tr>{yw@k5pI+nl"
        "vp1gfYkS%c40!gDKlTnFyb-q+%$2*p2nT%0)?pgdenr3i^QgN8D`2|)5~orf4=%XJ-R|p)MQ}OjOP6QTD2h96MOgM)OLYU`x{i^`k_jl^^!BfR"
        "F&W4_63=oiV@37z?<?lat|oPm*54iod2Mr#OuYy36_3^)?UPKXUMLb-LVEL~5_H@?F;^W$%~#$Gsx6%6@2B3EHD7u!On@K%-1)B5HJTdl{YcL7"
        "^OnztEq(3$s%?w#!shjbv;Ww+<5=eb9}jNCXH|}<-&PGnu;Ah`wISUF;OEw9p5W6DAAYE5>pZ^%qa7YCNv-F@6cVS+xu&V-9{8Vn<nT&T`xlWp"
        "g8uI&d2rf#=d;?cceN!sFxq+2&t<1>=oK?!o-45l8k+}zzk_V=v$DB0=NHL@NXw`y5*8Qax#ifo5$LHPR`VS;faI+PV-C8XL2cn<vxFQ1rrD9="
        "BrQZlepxZvxugAd73h(4TVC*OgGFXFN7GxvQQY8J{`v*?V*;+=xpV5Y%@AnV&3$WD0bg?;$bkfIQkEL^zSMwa%76rk5fAG7`4_sDgD&$zqT&iQ"
        "Kg!-Od<|FU$7%EZ)phes&+hcIZG*YK58p>+&O#90HGR0A9)I@4QoQ);Km6>zxb#E39~x|o{hJ$E3xD`gK6`Ta0na$o*qvHm*7To4%)TD6OJ~3r"
        "Oso&>TNsA=5+QjHTl?Ww=7P_>B2zH<!YifWd1`#N<L1brwqs-f{_e6>)m((aPLscSgXyuy3P=7*8H~f&pT6|#X1TFf?4%^4`We`_fy{TcJPx|c"
        "r`rnLngpSjANxEKr@&KV-`uulQs)wA>xZ$bTh%$Odce;!Gkcxc=U_K3mb>c;1)BepC;PwV!Fdfbwq|70W5rdQeqL0Y0FR&asc7U(f-7g7zFmv`"
        "3wPzejTCb1NBSn{M$tGQKa1>l3`pH(@?VBWK3TVii$L(~@kE=fAoYHLH&-u-1@$!`yK&bsoizDCje`om<wz{2(qr_btA#`f5?+0;^6l~ZWmu#5"
        ")%UbP88AMs`Z3F*6NHCwcA3rfAV1``?TBBh3mM4YN)-`G9EYZ_9-mn<;=wmR+_T4=pNLBz^DeUJorg;k<kw~dCj5mNB`}(a9^uRBVt-12D-nC`"
        "si1$}hyhF1OJGcpnE}QoRz^|P>+r+ZpFbF{>HvjKqKZb^{orex=py@KE{YEWe#<(w^^T%_t$vCTryY2D7uK9Jo6h+tW?ME3tAx2fTs_zh1X2vV"
        "%vPB2qPmg!hY2LSIHqBV*LMjXF4Hm(dfW!3&#4rZ)s4gGH#dI?v{wVhS`nr&Ug|mSt-fFO8!Ju%cINEoiCUUqz1s9_(k<%!eSQJUS%zQx5gprK"
        "W~l$zGY+(>g;VzbtOjDOy#8L7m~q;EzDN7|qEixMz_v_#^5?TTIHuNXxxao9F1zXv#UGtOcB@1gW#f>cthq0d`6-vP<}g3vv&**2TSV4%0~oa~"
        "`JHti(u?j#gA3+A$3d>(fOm`02K-*Y_I@GDG;p6!Zkx};_BHti?L9TeRy^cH>j-$TWXQqBG9D~={FJ29pDy(LMXw9jiXE8o!J#Bk84D5~lfRXd"
        "x1J4azeKrdv7JDB?w7K4_T}FlGeqnxljr!y3Ur@?v)1G5Nmlzvc*@PYA+;d{Y{q%h!Y3bAjHzi}tMMHx)^+#w#IX7_;sgJ}4>Jj$CHQBkG30H2"
        "8|aG4R3<Ghfans27sGr+R6ozYT^6=Ua29w>@OlItq5vmtVbi1DM9gUmSv(8QfnUB?w)8Ol1it<KguN{k@J;UMhS2y0AoKj;f#q$Z2*<Kho%6_}"
        "BVhU4y-ONKy^tdH)Vaf{2HA;6!@TnB=RQFApYtbVXSmP(MCm~<pd0Wr{p22QT+89?4%1p2FrLgu;5#=80>vcu@8u!lTg>doA}(<t`sYs!U5G4L"
        "hvHI0@*;cud0vFK?_vyZnwrkTZ84o^&R*fhm>&}LEF!3L(ru~f4%#pO@#|uQsrMI|aXd`#6iXC!{*ZZ~l;_UC0I2OaHs<t|1AEJNmBh5Y8|Gaw"
        "?~m4HLvf`GR@Wmc!HWIwd0B$X!nF&A7b~c9-B-UQVD8&zL8bCoh$%)r7ymp`_oDrs8Q{y=C6N2_BhdHSFR`(I4%v_A6FQl2O**W}s?G9selwWs"
        "%L@JwQVT><>Z>^m*{~f;H!a+EbwJv@ht}V2Vp|q$20VC7OGk=CWiPb;{p8(n!!RHpXT12*j);fbUb}kcB?)^i8zR}Mz6dv%`8VcEQ01qd?jW{4"
        "fC3Jj^{_nib{w49c_b;ZhXX&qoFGPKp9TJ$qyc5V-(cggdq`=)A~-mjC$iJHe@)$Pe4ArtTtg)=cey2%G%}C=ug~l)WqNJ^x{d8!F!{O&gM&lo"
        "t}E6f{a#nJ<q97knhzm7{L0vse1|&UlLp53FEbPI36{Es>&0~VLz5lNZ*Mfi6RvC(KY8k5!>$EvHi`)sy2Wymh4UBEQ?FmZxMgG+$-hhKD?QVm"
        "9$>&Q>+O|K#4QE7uH7!0g0l7kk$2XQ1I_e^W7Prz*qVAI4W9k)Jb^&a;5D!~y>$l3_wk>ihkoDl!SPceaw4Bu5I#KH!@%$nqxSP&5&!ZX?HNaL"
        "q_lL_QsHJImZEHIUH6ehdk-e1?vk+HSr-DHe48?PTALBY;j*Qcch;XAMe939Q1TKjQbDY(Z<bA9H!L@3NG>v|hB9N>eOe)N;C<^Wc_GUsw5~sH"
        "m>hVFdameE`{tK#-}XZ-{{Y>qA=LXs?{5pAzu-o#FRwXI^grv>1Q#O_I_C+gLXcjo*1UMS6Bf3c-nGl6!yALQw>vxV;I#St^;?hX{jC<(+;?f%"
        "X<GW^3ALW<b17Dt&88pxY`fk@A4BDr%Fs~{p%aW~Zg77{?Yz=(7o<~kRL~_?frHzhI@BfA!b9dN1v~E#qP*~9jChO45gy#Ye7)ryaU2-DW_+Y+"
        "P6i|N;sS1gKaku)Bi1uo=T3k|)epu|KSqFPc0@1R4sL`Ssw43^=l{vGe--2p2ilE63(6Z)Sv_<=7Ug%CL)Z75V%T%R_v{V!PN?9UIux|!4|NWy"
        "n0wDg8Fa6U%laMfn9Bp#AwQV*)K10lR4dp^D2@mWEk}C)z1cD1odG?zslrL&rWqTyO+-;XK7@LILJH^oTgR<g@Z#Zep1teCKqmcFzoaZqY-O(j"
        "r{?q+bc8jZ;|oy!<sx=%`T5rWudXi-r|OH|zwULfc^=C=rh$keVxN>s5=8@%2BkD0R7xQvp+q8;xiSxtGVWu}kTLU2=6NR5ukZ8xI_LXb-_Kw7"
        "IUe`ibM{_)?Y-7|*ZUd~(TUHzfAl9xpt1Z1b8p`sxZ^<*@sAH1HNOCcTSz!nuO!(`hsYwN6Jqic*#66G+2(oV7!esNKlA3D)huM>zFO$3#f$7#"
        ">aA^mN=Dkus&jKcFM#BTcV|cv^DyG1qP9tID0W_a>)gJt&Seg>Q+fSu*?R3AfGsp1un!Or22%UoO|f$j7-pRue%A`4_;qum3%lV*wu!}W&Z`^h"
        "0RQHFnrGP~)M6H-C9JdrFfgD80|OH>AAE&+*`0O8Czm06dyIUzOar#Q$`2}$YSn2s^rc{V+!N_(8Jc)s>mEP(>{MwIlBg;&7XNJq^v4{}^N7X!"
        "SX&xyiH-U(A+?g(W}6-H`e4xYg5F0D27$RXMV!2s7Cq&%IW;q#5xIKQ_<B?EEDRrZc=!1=33(V>Q8^&d1EMpeG?>qgLDPwtFY33mF}ql)S_zJA"
        "nT7#_?xnwGXP~xMT&3mFZ?L9in&*rr2l74Io9*Y~9AvRE2;@CQMua5Z4}MFfLAUI>cv0{%rdP54)0Nke5{TFBrbgt$?8xj0bzRY&(ooH`ya>xP"
        "9X>ohu?qJ4r;f=ByFxR;V6WjwMnscO=k<CAE4s^FSMsd`0om3jb228FfNWKbh^;Lqq5s9_{O@{qQA}J}Tp#RbxbmYVtq$`~mqdkFj@r(`YUQoz"
        "AMW*R*gp-$$}W44)<SC!N*)XMBsea+!{(~dH)ucV;%WNz?{nNgmTg-}L1VVASLAHR>!sC)GCW3}4a26AXG630Q*d3EHct0)KMc$l`SZ({0e#{`"
        "N_BrW3mYx^iyEsFuz2^8>We@w=^A*5Oka?l+5rcbo(Rl4Hv`o!?_=a$)9~<QYZ0Xt#q8$TEW4dOc?NU{#;}nhiO8`r8vZak5@u(L&F?b<eoO&7"
        "gUgTePBI|Ado}xx#j>L%(GG0HSJRNbTTU}RXc=;cZ`Y&$F#^O4OP8L|lTngRiETRt=ih6~zn;?ffUqH+&C?@9CL?1&G5Y9?-QX&qx3Tih+^G-T"
        "!lw=>5$53`_YS>wX<Fo(6ytZc?Niuuhovx!>)a<Hv`|_}YyLN!naqlr4IhU_q~N!Of+-vHH%29S|DHDb|Dztg=;V1b=aqS6Dt4Ya(xv;RHUjU@"
        "Aufkg>R%C2>U?mGV(5>IAH86lsI`=@H;dVAnZ+8rrN<KNmgeXu%q~M}K7^-FKfgNVK}0l0>+Ktw*Ws+@S5d+R$_73{AhegDbgLSU4+M$Z>TcvS"
        "`1hVcyM*Q{4OT!CJ(I97&p1qw;OI{-{{tP4TJ<D(<GeMh%_^)9H&20*79;w*FUW}C;L8ui9+5EZqOwThOCoZ2K_*C$M1ykO*<)R&*8^+{yY3y3"
        "XGWO{$3l7>DCkO0M_{Ai!iGMCf1l%3kKB$A;P?{rD7b~=0G`*CZRk97{`~3&Uh9A3njBf6;uOq+jl;D(K?b7d8thni*ZF4o6Xu&Z(A}Y(f{hiM"
        "*RC&&L)PZ?n}G=vP{P;2tK1lmPq6-}wFRdDej++o<8Iv=gyR_h{oago9^^5@d4d0Zze)qnq588}9z54kQ$cX49h+a)Gik!2c@*rNWj(U~Tzd)k"
        "TOY&J^D{0KLz|v@$G2yG;y4OcX|;wo1sixbwbH`u-1~6*a*vGryy?~g*xFR^)Pa)=^G|h-pA$!v7XZzF^bcGo_g6+8qepfvS=5ll@cgqxN~={Z"
        "Lm!r(e>iD+N%9>5^^<5=VqndLGQ48++f?yBs8c4rj#s(|0W}|<VRtMa@Ag$F-hF+S(zQ`|?W@mEfpcW!p%r>+eh#k(W;xPZ-zca9yr}fIkO3Ox"
        "AkoTw@E{4vmJxaz{hEl_jq7c7?Ogy8!SiM9em(HPzESmo^l9Mx(G-YYWy0R~s<zLUNn{;_n?|6md-1+otd4W^*u2x_N$BMi?7d0y4~#$6>{f0>"
        "i-?%S`_O)6#>Nv7s(rF3ON)g3Il+(|^Bu0+YHCLlSx~y)@6&#Zc0qIP13&B*$Y_9nwK0uSEUe;Cd#+AkMTb<`&hCg}Mf4?ad4-^nfZfacg~0kc"
        "oO#y~U>1x5>NqLfA#Ugv-3kyemM=cUN<?^gc53|y!+CVZgVi?+%Gbl;k5^~wqwsuM_JXL*k(?o5MbDxzB1hPuyTm-KTt4SSK-vye_U=b=VQv3D"
        "QuEC=C?1;abMgy4;+xo_GIf;+DY_j-)(Pvz?C^lX*cLe#8tU_|)3(PSD2HxLg0GotccxX!0Wf7~iiw&74?8$rEGO~$*Y~vbA35QSD61-a|K6R;"
        ";PiVpgFT`gh>6Zg-Qx;$sPLG#dXM}xBr-^@6kDuA{src<{x!?k`71(w+4i*^j=MvPqJL8qaolI(leZ#8DGN|#>QLhDAsl~lZJ(@S|9mJ&2~;?!"
        "`*ayl`|E$>y+iMI-}aC>SXI{T88yd=c6B7rUr!)odGl{03Voz7ysxw6LBdZidLpX5?W)Pa#9pww)K~CaV$+8H(9k<+lP1Qa@a)S0+sc#~Y#jyV"
        "%FAc<;<#>=^Ha44&(oqoVn&8lnmCW%aYyol?*!bAH9W8R%Pi)@N2RIt0$O<er`kJgC`68gl%I5N{jwX2%bY2+GZR;v>9KJ;a!0>{#$pxoBP^EV"
        "UPja10PS@yD7^d)2y-1sF57|kYf;x@_~5u8tNZAN`0_&rLugJo3B5e1_t9}=0E^F9ht*97bC!X&aH5pO-+j+*&o-Z01`4Xm?3o(nu?D%NHI-!M"
        "iRc--H=EA;&%#pM726<oUTR&cb&j9C=Z}O=K&wq=defh005yKRWK~Z6-iKb$x>eV|wD~va5>TayeM>>8>$U5p#{K(i@o^vfMdaX=9R@m5Q-(?1"
        "ZSc^hLT66eWw@05Au{SE2l7CYFemg4=e5K7ekJy)&Swq)BYjc^`6n5%<nr>0^{c_wap%x$NiMz>SYgDqu5_3I5vjR5k?BiB53A^2Em^_yEwA6K"
        "uBBQR0m7wq%@6LFPKr}c!#nbG|Jnc0{lIZI|E{B>@9aD&Q2?p+eo`bf0RPWwV1A!xt8qAvU)T*E#pKrDIMU}s&x19eP5_Tw!u825J=i&8wIngU"
        "(0>)uw>r$2NHbyn#M9{R-d`u$p^~`Bp<Q<v(L86Ss-Wn8_<#4gOgfGE&FjC*>%;j0-myl>#Y}<+YWZHTCWoOeg(Q<=M}zKb20MBstAU^J+8$G`"
        "Iau4%ZOV1M25L2@-`k83&`|}g9b@PE0W~h|r~ckV^~F}07gNf$Cm!dME!}4Jd?fOJ)nT$V?m%+}bh|yH0j*UJ<WUJeTD)}*i+4sv{A_8zFe7d%"
        "63>Fw3CK#Qh`;x-S>VcWyWub$8By=}XcVlE<2t7l-ECZIXExxqA95weC~V?GKT2G4i+j)w*>%<9hX03m=Knu;{<h}4v0YOD&B(B_lf?QQowT3b"
        "6e?!v1=R7`<E7c#QIE#pEc?ze%XA{Po?AyAJgj@Z1aIX;<Ue@Bf#tFHjwb#5ab+IvKQ=^r_67<04?N%cx4@7vzN6W2F=asbemeuw($ID9i03?z"
        "OwTX5Hs1h+xKFK0g?4~uQ-{#Om;pe29-fpG=H2PC2H&eaf1B0HfRH~{%FxQr1Cy|{2p?fG@>GIWeoF*iUp|{HZ&b-cMy5hOm6SENV&|gNQSsa$"
        "!7k{lvH#6b#2U~X*!}6)GTz7Yvrk%dR21)%S3W3Nxreg_&WPz|3UzkEa}IW*B1=;sOl)-bgm?#-*C>y8QPluk4l1Rcy+DtoaV7*BhvIxsf){r9"
        "dnC_c>*2n@uKSFP*ty#&HApI<gMkCNA-S!@U2GAWo;vAUom~xf>DQ<B1pfilyzc89UJV|9sB!CyPEGy2sZKsznEhqQsz(S4w80Bu1;xS?E<{Pp"
        "d9#@UD-yD2yK_$v7uwmGSZXpm1NgYf`z}(**m^tJc4N)w3W=KU3On~z2=E^Wm?fj`g+=r9`>An|1m}df$G-Ury_lVI2E11)Zp()i{CE4mUK@cD"
        "Mk!54jxR%zPUriG;4C&S6JGfy&l>uGkLd;3r-Q>A`aC3zpM(u0jA7@sHmmlQ{)5B~IPHJ_q|<ubIZLh;lzaaulu9F@=^xd#olZ7D?<j>JcK=A|"
        "f4f(HRS@5I*A~6_pUJ+(#x*78%_{LS8?vx`?)bUe3xK<TEOsH19?QQMy(!lH97IHKp3J;bVYdprU4IE{_RPZ*M*?5YPA<T(s_jfn#~2abN(!SM"
        "sRa1a@OO(ij>1=SF5Rym5z)q-4sAJL4pOg|QLD%i`Hm3~>^bbDGDM4%f7Q5XbhizZzV^BKOBd&fii@(B&Am4Zm%fuSBsG3xen`DOw%=$MEfNc5"
        "@^@Q|!>`6Ger$8UU<2dMV=cvG)Y!1lFZ}O0YItJb%&_SgAn6H{?hh^lQphORBa<3%Vt0W|T+<}HK9>IZ{P-%kwe8zl)ZtY~O#q_6sVq^THUkeA"
        "-tCo>=SCwQ>!ltz{|l1H6oy3$8uUim%oRU%M#SmDJN>6+oj_vj@Qk41Dsa2JZSr0!GZxoCWB+b}WLnh2Jl(~_`!_h(e!+gzJ6crXPKT(4GOjn~"
        "aN+RzzRp#U@6k=jJ;{aH=aP|{xb+_zWSpt&{xg;-%x;vu!hW~r;d!;H1J!NsO&VbQdjkvqdj#aa@?6yMtfTV<6`4*F!m9YAe!z%`uCr|d)(ECc"
        "=G1IzBSkv&8`>vLAG>ea1KjH}>%`reFuyr*<-zKEjaG1Tvx3yoLcCtc#~vObv$Gzvw|fRlHCexwKn<(UQ7(-Z=&K}9_-F{nXWjJ~-YzuR2!qfl"
        "{jG2Wu1GJ=l4vFXH``)P3yR~|4WHZ3#!dWzB%iJ1G>IW-u(q~yVyX!9Z$~fOi7@G%hldVj3S^bfg7WXdl3&_pVP%$xt;pH+4Z1<Bjhx`s-?-b$"
        "f+gs5L;-ly7|<NQX&7{+*S|e+wE?@Yg~xr9$4~kIbza+9Q^_<=n1YBuuT*{Zjg0I~9^-HS!j8qSlC;6!lp{y+zJU58pG}75Kn`O2;b1%op~fXj"
        "Tdcjfrn&&0Z%&h|`M3hJML4f!kNiE~4+sd@Z<&Gxx)X+;c|Cw=qi{y~>l)Z0+;B_d6W)&%%g*5UXg3A#mmdD)`IIXZvv0}!ZhZR?GGcJJ0{s+N"
        "0;uCR>OKa`pYy8PI_uz>m|2Rlq!&!==pKsh#dSWcY0~!vhOEK12A86E^--vGQ_5_xyAQ-tgbdHEwnNd*vVj#53Ys>}8`h}N2Y$JJko@|X7j0ym"
        "&Ks`nf|-Q_&No~r2!BU+`ddy4a>4U1aXo1KKXj+?`fBssjWfp?DVV=PpV%Jx?8bpeif-Rk&9DTEx5=)qR1JVHkxx~$ifX~^c;aUXmU?*NX)#?F"
        "4b6ser>+MV@f&ZSi{VB~#@6D#so?Pv4RyaH6&?=j+ew?INeyj+H<i^-xHH}XsiogsC;raMtefoq6FVq)UrL2R74OwvVCK=Bra%7+&aKY%a?5d|"
        "t|d`!Q&$?XanRHmY@GT?i}I};;50ijgq?dwVl3X@=J^BA;JS(HDT`p&!GW4A8U`$X>`il;!`S8vtiKyj7@JfB=8Fu?rS6Pk>p=0QCzof^3Md;3"
        "->%h3LKD<u*w*yNV13v?#Zg-vht+h*Ma+CA0W@-t_wMo`AUkHx7$-$f!uKJT_sxs@H}Jasd%oJ)&tY@ci{P#7zHp=IDQFSvHPb%Ch~sR3zB?6T"
        "Jp&}vZAE2&{{iPOp0N-ybivm9E=G@f6RjBRebr(&(fXdq2FrJpo*z0m1e0tsI-Et>Q1AQU{WL5zXmFct>X9utFSeOkjDh_zI<(YFO0MQ%8f4+7"
        "F?*M=2u|LR&Eg+ihN`bk?(jE~5EFUkJ)#6!q}f&3X%fNlB<0f@*KIEn(3?iX-gNSH;B4o?8^vfU%rz8m=Tn}AdpdqU<Gou8^RrF85*kMVU1RMR"
        ">1=w;|KFOswI$hY92|e7XJk2z^O*cPclS<o1RW}$8r$kivjPc~Pt63_Mqse2`@w3N0TBPNXe&Ppu8*eXL{d7(OF&GwsC7*H;5v8*`#$WE*B*qI"
        "4m^5hzpn`MznS+wre0!TMPISj{E%?L`A%MBScNQ!)1Y(ummBQlMxpdaW7A7qi(v9Fz0t78G+Y!bG7m4udHgjD^I5hsW`U1Nif_yBt-}Xgo3aek"
        "*-?{XS_fL?c_8lN)9OM?hctPpoUO6N?XJRYZ;tmM4a%;5FNsEQ1X%0Kzi0#nkeV+;{+y_!s#rS66SLeKSjm9u1+tuec7uRYmZENd9Kd<5QUoV6"
        "xSm(QBKeWq8n4;WJ}G6fZGAN8yh!BX>5={o{iy%uk8XsdeTfz04{>Vtg}3>2X%JT^+N|XM2cB+_Cara@gHsVY-!GZ00_wi~4e=rs4}p-L_<=MZ"
        "K7_jd!@c=V<)?N!biPgO%C~)-=*{^YC8+ut?&ma<e)9VdW}hKP>(3<o$bhk5X?p+g4q)#)-XlE_Ho}N7s}8-AW*{O-XLD~Icv=Sc%pi=6{QXdG"
        "p}I1bG7k*$*V;7|yP%G4$dii$)llusjaxMzNr-^z@llyzocA|c&gA;jM<n!tBhlpyS_Z@#J4>~$SK)E4qmRUZWE&`Bt`2(5H3M@B0+nov#y9W^"
        "P~+LDd43q0zEAJdCm^gDk2Uuoj7UL$M1!q(2uOYZ>cMkfOz+Z3(T?Fow)Oyw;ks7P@GB12e{m1?^XHp|<X<$}y_r}ay|eCIPr!O@5!_<_?xD*0"
        "c3|%M=2D&wGx9u+W7B!(sSW)blC?7d5@A^W)0t!I?`fySHo&TWWAe~P7KE>jpQp8jgs|&}_p)1dLu&v1Wl2XsQjZR0XOyg3;OYdn=eN{q+VsJY"
        "5v}0^{xfh?xAW#_>3(=-e$B+ss{^j*>ey|2Rf+9Sx%Yb<?K3z~N;fw{VJ*(f@%p}#UuyL{Ol*%E4&x)DKm9LXr7@d;*J~W&#}${Ltc;C=t~}mv"
        "yTtv8yF-`_trJNeH#j<p&DYD&P}eO(e_-izdP376*9N@GUHPJHwOC9y!)al1>l>o`5Kw)R+LUpj2t*TB`X$}#pkFFd{FSc_+FR=s*qp-owf>yA"
        "FwAeW2%XkC3R7bzH{{2ad~T`B`DTHvxh|O#kZA)>;lFSJ)az6dIorD<z6TtT?CFcKih})nFH?-sC2ai-d@HwpEj$m8daHczKePymX$RQu{)TXG"
        "{DqYhiIX5eUESVZdmcDVKRl+gqYhT_(dn^~r@^tZW2d2S_kY+g&f{R2*_G8iF#{IL*dI61lhFVB|8V~Nf8*P5X8dpfUnA_w()VIDUWF6immjQ6"
        "^#BDuRYZVo9PDV@({(;@2-@9pq*E;X4&B<+{E4DCj>_eY+TnhSIbf}+v91?1w=tjk|DXFqmT!6#7ZF{&sM1+AL`EAIPrt}e#N$#1&ncB@OLjDs"
        "Ftkm|IhUHBVf~YULWN5Mt}FcSz5)-q*jKKU!xYxIv)`1LFh8OA&g5Yh%@j6nY^OJ|%Kn}Q@QUm{ov;Zw9Kz@F=L6o)yX5Dj!O%gA>h~UvVNk3B"
        "Wn#_N-GWnqyW!!5Ts;~rPe44MvXz^G3$aK$w@sUwA3a;mq-7;VK%WR%B`h4Bfn2d+HF1e}zaRs_XZFyZVerGM*X(5n5iQ*;CGNpffxVx>@t^WT"
        "O8nTmnzv;bi)q7ge)R|Tc^5@c5Ygk$tG!<g!lsrm_nOLOu-PhKT{C?Fx-M2Oy_hGUPd9gS$fQp}ukOArOjB&gM`yaqlh5nm3-JtC^rjnhhz0IM"
        "!e_zUiA|Ez`|I&~df*aIBs*STZVMaTpSzQYx_lRxp6}|1O6@99$M2I-<*{?|%>i_XE5$TqM^PcPdGse(!L$<_zlh~ltud1!==A;=&*u($gc_&Z"
        "CZ!P6I!T8L*0S0+P;h^oX`zG!kS5?;q4}(mCv(7cTs$x8A+DQyj-yfGlR944subn0J)k=ZKN=O>i7DVgfm`1UDl`Q<Xax6sZkmH%_Y4%8BoMKD"
        "0hvN%{2jkh5A@&odmK++N%dQUWhFMg?VIw!2{$pj0Ok>DoHgOfc(A$Bb4*{vxm}p&0`Wf1Q%%@ks;LYJs8n@jIe%q09ADd^rxlLt%_qJ5%ygjz"
        "tDiVIMpR#zw&q0JgW?|ZK3N1)%1=^IaXhZGqIEj|o_iyINc9$(&lOfU-?M_Oqw16(JDSmxsbD$7j4*pLdl(4x0=sd8H)4e=8*~S;I$XY@v04lr"
        "QYV?sizwm!@TYvcs>1vhfRYOL-HM=I&|t_;o}Hkf*1L0(aXYHn^L7CoF0o_~&!J%T<6U+)(8{R^Y`$D?wCqW{$&F?#-?JHS8{VKx`@m2`B6Ng^"
        "y-!vNM-bbVP>{28|K7Lv7dGV8{(Wjs4!!l&D1hbH%BHn0bD-I(?XDLSbK#SMtWhUxJWqaHrvh3#vtZBX%~eoMxkFvI!u?}I%dULwE*wYtttv=h"
        "U4w$8Gu}|-ct%97AC}tnD4C4r9niM7I!%L4Q3kWy*Jgl@{Pvb1U7QEp&Zydw)&$FcuQ$AI7o`hd08QpTJN6~lz-xA_>eg~J=+I+#heAvjWYTG="
        "o;jE64m0w#_GJ8AWE;$!r3`*Jyb2U9IcwZHg4ZdowI;jD>Cz$Z589K0-0}MG+;;AVd&&#2>r}Z+$zSOm;P+$GWvTBAFi?cKU`Wan++{dp6xq1G"
        "K@Xh#ds9>dPY+Z(9Jlldgo4-)a7>$k^In}s^QU;f(4%1%boRFntwFN6uPjWN0Ss`PG0TYwIO3vpbl^AvxptgaS5AEd1{Kn)AEy*y&&^%I*`LHn"
        "M0?mSXM|sz1U_a*tu%I2W9#jo9h?{HW;kv@gRC0{f02ow*ue9%46pP1JCTrzxU*+i6d936bTbtf#qf2JWc|zd$PGG_aq{#}?@I$faJ(^v7yN=x"
        "!i6p{kJF%;TuEz3zfh2zj-e9U$5`IX*~~HiqtZ>hUpuF6xc`_FuK)7l>Jr*#(FYuEUHry>WfrI@$8MKT>H!T*x$;{xNhlrrgz3pR4`|NR;BeDn"
        "61*Y1<$h?y`_1y*`iT~#X`tEntl;D9IQ4ruZ=sCZ*NG-VUq%&mwpX*@<X5)*R$&rigsKs4mDhn5hL}gKKmWj`pNB&&ls57wJq;FmZ?jkpdRm-5"
        "2VA7V@(KdW+=~241mwKdc;sR*4H7L?m?O8J6?-lnA3h0FmIZ7cw0s5(-RfumqYsxrU{V)C&ADne=$4t$ru@n>AtN^SSNd;rMPdHz{FS;GMcXcL"
        "WScA70>dcWpZ>DgFFy;rzm0ECrs#b#@{!QE-nAF+*A}U`I%8}?MCpzyH=a^m!~B6%nDp!M@OHR3SRrw09m}ga`%5?`tZ?DHr5+YZkH==n*m+$T"
        "xV~GyF$Z31XnfxS&<*(+>71EQ=R%gi%1S{9nQs-o<$dHCAV)?Awc>>g!>eJj;WiJ8RIUwrDmpInZo=<LsQv}_I+Op=<)z9~{`(ZIjU%T@<8|!E"
        "uX8_ZS`GuAefG@T9dZ2TByCuY_V_fos%xI)e*6!7V=R<bTHK1ohc+xlovt&pFxuj!)OQL2VXTYKsxB+XzOQ!A+|Z1p9IOty-OIgR4H6w!hy~d="
        "Kee(#Rt|-s5IT#=Oc&Os0qT9`|K`_UbP~Volz(p1Pe@&F{r4ZoTt(>SM55t4?bXdkFHOSVtLgSeRlTrbtheP_I0?O#a9TG0_b6yH|H#VseHy&{"
        "V!%tUv5M_e{u2SuQTIvcMC|HJvl)a(3>S8qG3Nla@J@x7IXG`MYiFNZSj-$Y{<2%@LTVI<=yw}MlV$m7*s2@7=JqrXnqJd9cVhbru%Eu{=9NAR"
        ")ok|rt3RY5j*9EVPOHfc{o^UqhsXUy8BuDy&!07=!yRYwI>x`hZ%MtUGam5?oNUae9e`LJkdSjkL}{ndATZule%FK#ub+4?h@MpFqCt7o7^l+8"
        "SKtpTI!3YWt#GpbL9bCNjuUoDdTn!^g7=qpDYQ=H9UKEwo`yWJ>9|h4JD<yOiCY7p>6Al$NYV`a#ee>~%Dr*8(?v}?Z3`<pea*l1ocKI!c>H?7"
        "ESZEZ__EudPGUrleHl%WRsOqAmp<Rj8HCr>NU~z9+hhI!!*Yde#qFb*9~`lHIivk)7QPv`%Kx8!H|F1awDihiA@ipzmO1W)z<NDFe1&ZWJlbk;"
        "{OTO8U-oMzP+G0|Cu9xD<)5_WM)$mvVP~taftn17P3K!!(VcbV0?vEA*!*|Wax2(e!|@uN9oN+2=IUUW{{ulqixq6X&JX!)Gn1vD)cH??ELVL)"
        "axze0EaPV}od6V`0={O!&JB4zCzh(?pmqj0+WGOj|2?-S0`Dj1zBGYdmYQsNa<kCZ{mj*)(fGONvV!7EMlvIo56_x6c^8q1#|0~|ca@X9N`SJk"
        "`e^uF0_u@+&hx}u+&^och0RZwIMAvfM_T0qc9in-O`6=51-R$i>x=9n-C*>AQ>S~|G7xS_?ytJM2m|g|bbOjGhBNgf$s3y7*zdB^ltq3!vkIvF"
        "?!W63lgvks{+`6Hx%3A6s+ZpZDKLK9Hg6e5J~_Q>?FKzMpU%tnN^BVTS#-!NDlwwE@~3w<{@u?#>#oJ|(_?x?PR7K<QxTc$h)##YAzo27B=h6D"
        "^Y&3|m>;UGx=nwgG6=iA<~hCppx`=SNwfdXUBHG4sz;B}y4FHs`yLTiHAcig&#@)w3K88GAzxJ;OGIj;&jpO2w1`URLaTuj5f%S!aqo2gIJ~E~"
        "dv}UVF<f$0DLpB)4wu^PKN#?p!h^T}9J+8C$0;mS8$RJsqu+o}A#*%g*tWk39t+c4xONuT1;=zt;fqgaRVzWQ!{xJYlSYBb0*7Bzam5CFr&c)e"
        "&YLMZl+$QpeT_V}0iTHFL9bK3i_5G4@FNGY(!%%E+(V9Pa}}&u+?p#=mF2sgfXbF8w>%md!|dGrcIbU;WE6WZ5&i9VMy$r+BawZJ`;4ct-`%%t"
        "yxiMBMkUiEMYM%!spG5-`TYBl$+p%u(;M`~ivpdzu3T#X%R<&W6UimOC0t$a*RwI0o-JdI&L+Z1noO;|7K>nH<%pDW=^WfsEEl0A_6vmSKKRvr"
        "j0HVf#pfOQWEe#FMPDrFW<p=wNT@j($BN-}3@9I>ul)7Hj)G5P@|^KJko=WDN2X-x5L&VNxJw<sH|V%D3M9Af{8|qq7(d@;l9+_)0>Ue5bu371"
        "_!=y_Jpg5-Gkxi%=i#(!S<{~WQm{AX(>9|i3d$>EY;ZG&4Kbycm@7Tkg!z-J8J{f`2G-!Et&uaM!K|o5k+xanktxtw>pd{WF|~mYLdmmn-n?oJ"
        "Ca+tI8XlyeMNt7CdIWLab*}FI6YH!Kps(mmO86~SZ2cSPgmK#FR>6o+>385dJzCPx8g!2j*L!kxH{<i#pkp}c6z_B5{H`OMsPL2BJxkwzWAn@r"
        "ncHGnNk&dNST=X<$NfxX7LSR?%VE%CD?s?<FbEu#9BM+MX%K3h8D+Joq~-Vo82zRfEO~kgzS_^tIFb6-z9K92r#v|j-PrKw`o7)ZFlV$>&ENRB"
        "uam~%l~)(Mzf<zCdn2xInsBYcApY-p^`bO;d+)>F&?tT=VExGewLTKTcBlCMxy|d~tjA^UfK7DB4>M=ujO1BBT{oXLX!AAZ?Ex*qgDcX5t3W8w"
        "(eL8UKG^7(QCet`34VCAIP|HK(Co>6&8bBSdf(_HoAx!lZ|Csav%BYR7J<j&MSPn%*^zgvrd7I++Mw<ckDpgP@p_)#8<Hts;Q$tYB@ZOs8u(v2"
        "%lm6X???UU1F0<qv`p2nFnd{gaCNpmnH4=2MY_Y0yN<nQN6Uy4pCEp2`*$BBsU0p4CRc$SzW^(L1Q99Rew;i;vkc7nOBeQOEN$p76dGbGPnN*X"
        "E&E=rJn!2zhy6aSZMXRT@^$F!oT|feCSk+){ku;>Z>b)c`xjWOm`~frGrb|dZ=%9;K;5kxES>6>sEW=2QO|}~SO1r;w#0l_vhINa*!ctO&F*2w"
        "@~%8T<dW`pj$-RVzR5;Jg@KIJ1(?@cs8P_?u&g_CF$+MzLoP@Ez&cP49<Ez29EW5&Q?7eAaGlv%rPoQNoKtX)Lp*BpayjHVefB1sAUmpjK9T+O"
        "4F)u?Zf|+h^=05$?>(|V{wuWHlWdYx&w)M1WO<C;g|R-^9a2|5=0HKI^8nvBe`w_ABBQ_{piFrU*99qzc*X7MvJ5VCd|$k*#eneCdbLJZ<2ow;"
        "#xH3ygtx?e04Pv4`}CX}2Gl&+(eq;TilU2f=+L%TP6Ca%&RG%1!Bd-9Q0jiJf1i0h`le4h|6u#!etX6mt~Oe9%h@g4$6A)*)^P6Wl(Ir--X?xY"
        "K6?qip-JP2Ze7@r_rHDm9+RDT88#2)rTWVCR=D0p#M>qRGcFz2_nw2yz4to{VgL3BBk$O5TnFtjM-SW0eh@>rt@G~JGzjdvn=qJ6ix%~kOv@0l"
        "`tiEe0~L<mBnr}$8tbCh%Z}{c!TDW5{(toaQQ^e;0>AD!&B=>CjOP|wk*J1+#8jUbIk+9&?iAdVsx<>qO2xsu*&BJz{a$CUysf05RhxA}#<vcD"
        "!t6_i@e4HQ?FlBds=prgviD9U732CNyB{q#1qb5&^|P}NS)8;6K`SC3=M&hB*`4#j+rxVw)8YIPcSCx;WFi4K9o%+rjt*h%QT-t#H-qhmF;X{u"
        "a_=o+-}fJUvCYr02D68gr$u$1IuQ^$yOQ{ZD;!9mWBUA6`vDlLyihuEiv~^SP*_`kOoQkWtb26IXF$U<A=98U6JS2O^pr#c6LoyPURxq6x5K*!"
        "-i;8<eQ=}-(mQj0>leWCKkJ`TW;FJWuR}NU$0YhRPHew;n7UPER%jI@CDaz&bR7YRWnX2I3KO!FaCotZFAuY~Lid(vnt?^Y(Q|X?tMx2=+2wlb"
        ")Q)EGvhAXHP$V-lU;dp>?K=fcDm=tlUpfo^9}S<7E&"
    ), (70, 70)))
    t2 = op("min", x0, axis=(0,))
    t3 = op("dimshuffle", t2, order=('x', 0, 1, 2))
    t4 = op("mul", x0, t3)
    t5 = op("sqr", t4)
    t6 = op("sum", t5, axis=(0, 1, 2, 3), dtype='float64', acc_dtype='float64')
    t7 = op("second", t6, constant("float64", 1.0))
    t8 = op("dimshuffle", t7, order=('x', 'x', 'x', 'x'))
    t9 = op("second", t5, t8)
    t10 = op("mul", t9, t4)
    t11 = op("mul", t10, constant("int8", 2))
    t12 = op("mul", t11, t3)
    t13 = op("dimshuffle", t2, order=('x', 0, 1, 2))
    t14 = op("eq", t13, x0)
    t15 = op("mul", t11, x0)
    t16 = op("sum", t15, axis=(0,), dtype='float64', acc_dtype='float64')
    t17 = op("dimshuffle", t16, order=('x', 0, 1, 2))
    t18 = op("dimshuffle", t17, order=(1, 2, 3))
    t19 = op("dimshuffle", t18, order=('x', 0, 1, 2))
    t20 = op("switch", t14, t19, constant("float64", 0.0))
    t21 = op("add", t12, t20)
    t22 = op("sigmoid", t21)
    p.output(t0, INEXACT)
    p.output(t1, INEXACT)
    p.output(t22, INEXACT)


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
