"""Programs whose rounding was once judged or done wrongly."""

from drawn import INEXACT, Program, array, body, constant, op, packed
from numpy import inf

from tensordsl.types import TensorType

# fmt: off


def logarithms_near_one(p: Program) -> None:
    """Logarithms of probabilities near 1, which are known to the rounding of their sum."""
    x0 = p.argument(TensorType("uint64", (3, None, 2, 2)), array("uint64", [[[[5, 6], [6, 4]], [[2, 5], [6, 5]], [[0, 2], [3, 3]]], [[[6, 0], [5, 6]], [[0, 5], [0, 1]], [[4, 3], [1, 0]]], [[[6, 1], [6, 4]], [[0, 0], [0, 2]], [[3, 0], [5, 1]]]], strides=(8, 24, 72, 144)))
    s0 = p.shared(array("float32", packed(
        "c-jnCXFS(k6t{Oova^MdtW^B(xh+J|P$5M{T3RS+$sQ?*>>VwnBpLtTxgHg1NFt+X?>&?hj~DlIU*2=h{jL)~dYp3>&7lwTOu?mUAylb5<KjFa"
        "8has^V<sy}MTZ-!Tc1x>=!sC}P2M!gZ2}`L#~^>a2GbCkN<&5*V9)i><l>Sn793LwOG58}OPn0zedcrVM;B88Z6BDYwH)FjD?!jD3M@S}sAS9+"
        "uF|v%?>zK`k?HS=^xVgAT~!uS*Z$>o-2Q;&&RVoBc?xSfq{v?OrP1D`1pJY=7AGiu#krMj#P|AII-??;==jVeI>!~5L{JI#I9-FEZ~)#ck-_S%"
        "B9QjO46f@M(VI5QXj+*#5y353lRE^fE{wx9Gd}W<AGm3k?wyHU%l3kBhAakbQDzqIlK53g2e0}$qxD}Y+8ZdteobuUF1dc?0&WfAIV#M;H&M1u"
        "*M`1!{>RhrD4@BAu0W#a8(49#2BkZcXn6fax<bpFH5+FT*`KYXKhXt6T}0UA<kc*3#}}A<&x?Jvkfh#jt=x#>GV=JG4IMOUM)|m%+y%9hV93?e"
        "(<;+oudg~aFnSD<+wx)fcqDl5|A=`tu_*lY8$U3^iTYiMgXea>P!m6&p4Cz#Myrb<c9j^t6}%eTCO?7F6glpw0gu%RinAxO0&G>(Q8YL+jy|Pk"
        "tX+8siis{2HcW;MEst<vM>gj;emjfa?@t3|CFtD964JM69!?wz#^P5iFv;%&30g51zN_3JRC@qJGylK|n@2ov`5?3{-o;K{{)JaJ8AH{_IpnT~"
        "D?O=p0d`Cez}rDJXdi!_cYNFeE@#?X_Bh}dDc#b8)rvvvl3y^JqnOHO9hpVEWDL;4Tb@n)x&V5A1mX;PJ{;=52IB-&nACzh+{Ow35s%CG($)iK"
        "KL}znM$FEtrJR3NRuI3PUdKBpD+NaM4rZQqAd~a9bL~E@+{H^3ytH$_P$Kyy>Z?7&PRl$z*53`Ie^21zg7NgYr565?)Mpa+?ZBmO8B=)Gj7sL)"
        "F=&|#Rh;<&?Uu}=(++9iqrin=7n4Hr|6JtU`+^whzmDb43OPmBcKlPm2KKDGg@T`Yxxx@t;t}!}Uv5xm@#_u1RcQjdALax}{1T8)NQHs7R-}2L"
        "4<-A~Led3k8ZfH~zPcwtX7O>T`j3M4NF2Isdx^^Ld$?6I8zD5$fo@n30$bIJ$Qd&=nh|}S|1R1Q3VvV1<+ASJ5g^YJk9L8>)1{n*S0@Ut|B5Cb"
        "<00_jR_f^Uh5Qt=!w%sW@FrP`iY1?hl#(y--g-3)mQKgFCcj9Im?S;7H;n|O{{g8Q9lAd*jlPZ*XMtM|FgMY4cri1D4F4&i`D>=b(UUhJ#N#R)"
        "{51*H*WTx@%Dse!MOFAq;uuxR?L?>c0d64GyP>wO0&O(vxynrea7%b2*AO&FJ`eiBI@w|3d&U==Z8h0hn?X|h={HVuQ^it=bKJ@m`gEadEicz_"
        "0=;$WF?V(G5?U=fonFx13D;Leqf_`ea%jtV`f>}U>8GRN_>+Y+*fka-_ML>J+I>XDVm;lp(1zW`10-;HG)^d3#FDbY!2E42%q^8A8n@aob^ZYK"
        "8%p4rV>76Ze*~N9Gs<f#DdCii-P!sZ{zTGoHwr7~Kvd2uG&r_>tk*j7J1Pb|M)JYpaRz)<Yb7LaG8c16o+Y)Ngv2LNOw9cgUqo{P?f7X)p<NQy"
        "=dI+gdn?Uswoc-eD3#+>H6wafv=(V}CT<K!fOWG>ncCAZyw{Nfs;79|qwa|;N>3GY-{pX|qXp`2{SQP#E@PVi8-A_zNo;BQgL|iX@K>)&V>L^C"
        "G49eRrr2#@PX)`l)<5s~UY&YWZ?Pc1M`0X0shY|{{V(Gi)o{4Y9-)SiEh|Ys!V~j%f^||^+;C$izjd4(ee*gSHD?Rcvd=ql=*2g(F>M3B@=jpc"
        "7MCy}$Cl{@ZDoya&q>+NH+-{118VCU&YCI|*lisP<m+dk{>5snxA?^!7Zt|-O$9ujLLr7k0LmLR(&iKELF;!71g$Y4J4Q_T#(~n*Jf)9YcUzua"
        "8jYYjCWE-S+=Lw+xr2vl2RN0lv7jt)8M}9U#f-(1sM>o6W=}TZokCH3IpZVj6t97gX-^?}ZYtFoC_=fD_SC5BHYP+&C5N-_b1TlPVS(gU?9EKV"
        "m6I-G>su*W5%(MT-&ffMmn_E<>)Oa`@$=xb>Ob^y$wG2i9n!dy+`q($bn%^bxV@7{pB+06b2I>k8qb5_az|WM6*TK<R2Ey3bsZn69)=l4Wq8G2"
        "fDYtM0rSp-c=32ARM={9HuHZ$gGE2QvpdAg@Z_`On>AU`ySK#O>Mgf$VlZ|7okynaI124A^2k?ran@e#&K=j)V#Y@r$zY8){q#tPPIy=WQ-gLg"
        "^UHr=A9s)oZcD`E`dCnWAx@oIY}q~45-@wk$3jzO7V{{PdEIM7`Ok86L#r3qw-vzJJW=Ku5r*X#6rtzDILbB@lJAS2^0vHkVa}EV9Cy1AX8TNl"
        ")i*a%v*Wv=>x>0DdX|!x?LD9)S&OlqpSUvzw5VqCbC_0n4AXT)S!;s^Ym-xA=KcFf*&{X1BRU8^fBJ-{;x)<lw?B}ZTnc}d>#%uWyYRq-XAspW"
        "55nJsA+gm4r%zMht#|ijY7M7h&huAzxX_oa)aZn7<;t)j<s;8}tv|XJaqyEi5`pq$7A|{&9F=s0k)O)Yao`><u^NGa?TPfYumzV^GLOZn#j>LP"
        "^7yT((O$e+l$DHJz`!a4mb7IY9njQ8g~>kj`-e_=Z0kwAJ8IA_=M!grhrxmS@@$K*KF?UijC;_oPLrP$a-MREVBIc9wJY^m;oBW_;mie0tJwtS"
        "XW5~XVi=fI3gP8QdD`NVL9RNU0?DLiP(6^$ZR9<#SFLekXaDI^e^p(Y{%t+<ybgm5$Me{5{s;WqcADOGdVy)tbC~skr?^SO7QV+AfQ!~%(wLWr"
        "JuQpamOfE7Z*4AnExMf3zH)^BRJVuJ8+Sv;-J2+7P|aC#LfA9@6bSvbrWLZsAY|<bOga6Y``jSGPQ9AKc`ZpppNWF}h%f<Elqulm{4k=OE{jp7"
        "k#M^WY-m~j7XCO@eNy$!h`cbn0E-g4A!6VmtkCkHv(`UADn5bgED?hMZ-nWxufQDzscUQ;s0i9Z+nwXM`C$qKCz?XgsR%S2It=>hsr;Ci<Jg6&"
        "2$Y_;0W1$KA&PIN(s-j*@?>E!JkHqxvs|Wu%Uxmm`ocQ$DZB~1Z@F?FH(fBEMYE)J3t41(8AiOA%r0zj#k0LaB>dl3l4$S~gB6Wf&%ZBRV2>Hy"
        "C)`f9o)%>Zk0+yutqRO*UO{bZRA|B#3v4UhPO@Gc;YGRZV@YX-SY9W^LibFiD@V0Bm5+gB$JzxLI_W)U7V`+Nw<o{?9W8dOz88MnqcF8{Bf12u"
        "up1LJK}^V!{u8g}eSF0rKS`F6%Dv3ii1JGg7_uoz2v^?K^4Cf!QQw0aY@BE`TU|YiBSKktF)AB>omFF{mnGT8wj)rV5)JpdDtKnTHJq{36*L*Q"
        "j=EiwWj%fq=ozm&+zY$&#A3t<jML)aUy2el`%e|tJH3S`8!hRIqE8_BpD~r%sY$ON6onY4a(;`Jqh0p$`9wKQo^5OTi&q6Ina%Z7dUACpw_ZXK"
        "q-+gnOQjt2(m9mp%JDm%Wa70S8gQa}66I~K#oWEpkoI*pd(t1oS*jRQjRTih``x!-V_XXBj?ac?*ZIUoX%Q{?w48lZwP)3OlI*8OCTLz*Nkfgg"
        ";K}eb+M)J}Og87JzRq75JhB14Ez%(2Wyhg)Tr6MhEr9Z&F}+B<%zZl?#n;~oO!18%)$7b7Pkv?C&pUDq_p>WFRYaK99<c$N6${w3)H~2(@sv09"
        "L=KMMYeH0Yn&E9y6>m;$6Zg`a@C{iV2dDK|uh4kRF1XAuIUxbX;tOc|E)lprCk}?T%Ce0chS2_jCf1}4gJZl2bNZ(M2ahykXM!Ay9gZTBMibCC"
        "YYvk?6~jLqSjibV$g+pS=kWRB$*3O|z+x_EvE3SP;qj%l>}BsmNK<s6FIQe82b&f7t1~X3+TK{)GrEMnpEsK>xc49INp^&l2lc2@Z85mm&7o9E"
        "60&7#(aLHXeSA_BrHAIDPv9WA9cV*@jog@^<U;n!brxUm+zPz(-Hz4l_=pRm?C7_t;_!HD4i4w=;iSlEQ0li}7ONw%Np2eEddK3~lVM;t#Sw3v"
        "T}0%wfu<?+gM4{E+&Iy~{k!7@f<*<eXQvQr`(ujyP$#xD(S%){_LTqgvmZBZ&O)ZSP>1`%<fy^r_1s<cEAV7!Dh8O8k(%6N_$tAPKKD`Ju3n17"
        "p~XgU)MW;w9Gs6Ma)oeYYZiTOCC9E8o`H_-i<llBrlPwy(Vlf%=w6|jbncAtxJJhlCfG0FhWRtlNWKo9MT#-r?3Iwa=^CEr9ML>&26tZm6{mMQ"
        "gIy<QVT;XvsB19<)$$-1+R+2?f6QPYgs>Nb$ZU+3veVOB`Kqli&?t<7%JmgAtE!%s;ajlIF2WxtW->2(AMT%T7W@};8>@I<c$|VZEGvu#jU<jg"
        "?U@NkZ=OJxc)ms@?GyH0YD#3mhIn{zMTGC7a0f!JI6<bvEa=#mgKjZ-(9=JWRovUazwF<RN4Ygn^I8L4*ZQ%cun740>jPODX2%P^lt5OAFQ(`G"
        "M#$Z1<7rJu99}X|#5&bWVCu6NG^eY=P9qgI>^+C--@lI!Hz|U@T`1mNXTcW6#bMov71$yo2Qx5%M$SAA-p0wiaVP$9=Fi%Qi)#S=>e`0^wJTWg"
        "i??78hsjp8Sb(tUto_wxxT9qa{}i)v&IMU+!`r`P!&ys~H?9D@cK(Lk@K~C9PYwNw=F>3a>oDuv9nR{$D%lUE#Gv1lI&6`EDbFv`&rt#p5wsG5"
        "gH^c~=dJL?0s-or=!brN@+^L!04Aw6z}0DUz&$D)PUqc2!CE_13aG=-l{4{R+BR0+w3tbYsiD<{BLKTpX^+rN4Ebrpb5t1s!+Z&{J$?pw*K060"
        "ySXf2fic_HeH$L%(4qo8;%uG%Q8;kGhvuKk=gudnutlOiynA{-;8am6{acfPefNjpR(&4|iKd~oRx%Dh8V8RpZK=)M6ZS6~?1?6S3GO`{hN}y|"
        "q4)$_W>}Cx&OSTLj_-L6i3xAG#oI+$*G3nzxvQ9KKH*2XE)I^YOUCgVj<SS#dQ3m&2%$@#!pEJHu|`srO<W{F1&X>*#V4QZ7^JYMyaQBz3oyNq"
        "MjGg}0FrGBF>AdYD6Gq-K`Y*1w`3J&`*fq{9tT=9*@E56>H&iTTRCsJda!yl2L{EPpjIOfvZjkupDJs3_AH667@1ATxg>ISUjlB8cBM1deSmlC"
        "9ciqWGaQ+-lqP?RB)d!U*_7;YZ1npS$Pj;m<BR67hyyuXtfneeDvYJdpV!+PTX*2g<ODFdxQqGK5ctrt2%Kg*(zdun1eXP{EZvA{S)3%{hmYaW"
        "pU-GT(*pP>AW7$jw;;%_#43Y2{@;+@m>_A%rE6w!7m_V$ab^PBs(FMg-z-8kr=4JxymEGETNmkCLWxUFJ}15ZKF*qxh(%61n6X_ELv{qxZ>J{E"
        "_(Wy8Fpi+5RwePPn2hq~{`9;_1=}^{Jx?)Tidfq1;g|Puh|z6u#pXQjqt|$6ZN1rLBXwqTSdq=XdJikQ6EJW?B1<nS#j^GjFn``$wjw!`J^B?&"
        "yLTFr_k~t$O~ws)+{%IPtRxI(;^0wnZ47tSxFFe!M#mljp7mdH=YA)gR~g0ef;q?p>_N?>8?tg3PT-7a^rIVK{qPC|$Jt_a$ULxIbP-3~;&4{Y"
        "1KiQ*%T^8D=5y}b;P4JH^q({gf)W$S>|a^jvcsjY^i~8Ex7{GOPCUm2ni*XCZW;P$WH)h8yT|i6RfbJAuOVQy04tH2MX&R0fv9S;LvDA`Px1xq"
        "Y~jHpoA+?yq$zh;^)y;enZO2jL~-?B0@+IAqr^8=m6o2JOzvc!#;M|iXt_K9Z#8Wr2EsbHqR@fO>X}4G3na;OcO`tZ$A1hb$Fa^Yo#v0uWZEmW"
        "VPViQmhvzL&v%&Or-7%qW$#M}5YVLu1Dwe&fdWXEqO71&g^Rqg2%q29fhoe#_%r7OZ-=!Wylb_GO=auR|8yXWUNOXfPB&7OxrqQO`s`cgL^g50"
        "4f}|M4w)u$UJDFa8`(l<3r2wTmu{|9kH^$2^Re=28%FKa!f!*lxIMg@yT0KbPViG=@sp67vA-3DG}MSur3?E{UzXPJ=97VgPmsLmMdy$jEL(pV"
        "{KJ0(4sZ~Bc|F{EvjQ!qTC=v{QIa-SmwpVqhpVq7qv+INy1Xu$%0;%rWR0<XN;RF^|305x+>?M^=LFDgrjXt9UqURSwHhv*Yep9j3wof%lw8eS"
        "Mq4|?XkBI;_DJnSqa#hk$j+Ve+{aO{cHuIq4Ezck;H7)mK*N8FXjbzSrmrlGUDi!7xv-cE4Ao?jH@#`wjWbNbp&ZQ%-ofc=6Be_nmb>e&!D_3s"
        "L9TTO#bZ)ocURIF|FghUtPbNP_Oh?PuaNO~)Ty(s7?d@Mv)ujDF!aG`TCpvP%-uK)X_dMlW+=cuY#+}A`jSZ4nkL@T4==INP#9YpK9FCYXHm28"
        "CI8u-KYZCdTf}Jv&>iCk`DTr<`=bFqn0pIsGMZ^xe=JLPj37%IMR1eBV;Jl)h7XQExIczg&>(6}rGm>bE!mf9n0yD{YiHo4);zW$<T(2LBxsg6"
        "!o4q^4wVC2SVD&c+u}cuy3O3nruQGgROO>^vRRONtosDVeQ!Xrg&zEQABdlW7Qs2TnNvx+gLh_LfD2`-sBmUEb{9V2(#2L&ABi>mq{;etXptj{"
        "Fq)3)7Z@B;*uaUW4udC~O<S%G693{hP$>(8)=z@?&-W;usc{8vPJ78k)oJjQbHdTda2;Fo(UWB4%CLh$zesq~8Eo)Opq&C!sn9e>ddB?*mn4w|"
        "3b#Mt%?e+xXSOKY<NFLVH#xC=?~Cc03S;(I65)N;22}sujIugXAlDU-ezPZ2seCJvoB5S%DT{_v<2QqFa|tIcl8nt49$|%l8|Ke0B~}7I@oM{P"
        "?x6BrX!$*rPVf)F+Y1}HadL0Tyz4P2DmjiA@7W3SruSi=;&-%9RcDu7-jfQ4d`|c47SecX3Y6D+fzfaXU2*&cTrW+)ZXb2F!Z43ZKH~^NVbR!e"
        "E(jj+=CC%uA81@BL56qs;QJRt+|)t^w7(Y$-#wDRQso6WNezSk=r?$yDg~1i960{mDj>2Cxysd%wBN*%?)meH^K*Mm-2Sa0mr7Q`6#q`(-HS%6"
        "+~p|r$%$&bF~yP8&0LX+8moL>4S(%Kp&?$1M#-c=o6Hn;<JL8tcxCfg4mt`h14}7CI)$Z1gwS#SESLzd0)M$?L-Xp3WW&85+@2{~bj~Didi9DV"
        ")4ROe-l{^2WjtGqrL{jnd+-Tpsy5OHqL1%Q^||G*a=4)sLn`k)8_Gvw@wHYKcf;TbNKF)@^M9B#^KG73uRjx&i)!G&yg9JmJB)dM*~InEN4WNQ"
        "0rOfu3I7vc$i99*gO4*WfJSl>75rj?-dD5XVbeG~Gw4Xoqka(=1y3q;)12FBQ;m`<W?+3wB>p}ahgPd*)2W;Rb$By}$PTPW!5v9tg7IfA)7XmH"
        "zSE(4*<RplvJgu=h3U<xV_ek?4&*+M`R2y)tSifro%8*}1(i;~%XcGC{LN={H#MiBSESh<UOg1aT_ZjVHK?0n8>!o8fm_s`W5#U)zO@fYqNFL&"
        "Fm)uRMfxlwcmg~4K#gU8Fy;O`K85A}`v#+F8tiVe1<ShI2K#z<(mN`;bh6VDYWD0DzO&2cw%nvV{g+<sQ?UXSS5KrNZ^p4l-_P5hS*=S~oVv~q"
        "3rbSo1?AiW*Tt~bYbi~2Gb4FdkHN^?DI~NrhDhyt#>wajvYyw{)L_yY_O3wy^dbd#6AvUnaMB5=T3&;z%tyHJh+SZDqZ)o*KSVrDC7ABfUAXmq"
        "KOSryM-6J^A>L;?e%NS;>c7r{^2ub%W{>CoEDEL$wNu$)x7955*gRTsSeUw(nqi{qHLRaCksVp~iHMBlwyi$fG3R{@&N`<<cYhUN@8+nYOQj}F"
        "S6v9k%Q^T}B7wHkx3CmJ4;sHjkh&*b!Q*-wT-Z%5`XW~l^S^GQW-IoB*OF+o6O^Y9WyIL%Atk8(Y(~vi#*pxEapo!T6K)KLLtJtYTWK<hIeb2h"
        "A!lEM$LERcn#*Q(p(z&(QvYy&l16aLJ_Gu+zZwo`O&`-uSGHzlEE=4c06O<|m~@f>&80Um?c7g@khi2x2bAgNCUs_QcMVrd8qlv3OL1zyDSmmS"
        "3Bdz#Bw_`FJ;rL-<@o^0X&#IYOCXJ%!}bXuu)pa>SpGRAo`W0du6^cg$2DpESJ8lLk4D4o_(f>Cj>idJr_?>f3Or|@WR5jbOtrfcPcENDB`Zu>"
        "XY7Cc!>{*XRl5TdH@87u+Y6wO?oZSPLSW0~2`s;4CWH>9gT@#)4!W%ZSDC$J(wyUP?o=naUox5XUD0A16?@?p{{V{n=7a9VR9=XGIfx!Ohgvy}"
        "xahk%og6qo`n*i&jw@%mkxh%?uikDbd@+&sjLQQ4EIy>fq|#H3y}YwqY(ZwiOx9;7iBlrA*~pLgB>$HjH9T|#k4X$dE55@cm5=bk{AQRrM}!s`"
        "jLl3=kzSl_iAjG~Gb4fVtijcrZ8Dfk)t-3K)S_P`dCdw|=)4HmTBq{g-V@>W6;;t!U7uj~%1G)MCeEIJnn#Tri-=QjGHNZ9<czJ4!q&gJ@V)3U"
        "N_t#`_D|AOdpLrfUiJ+fP7lK}Gd{a{H45%|6rjY-SS(onorEWt(Iv~o=v!AYw(sU$WRXJb>-e?w!|i?WRpl7>(_EFlXnPNZ^;=nVdN8~Y3x>(d"
        "qwzjZkk*~J1QM$jvBb~f)S%oF_6G8(q<10?;1c{5=Eo{pZsNfoYoV`m3@d^HkkZ}=!!JBoY|~+;TlteaQ81tRI2W?<+ZoAw@}4+*=fZzF)-3pb"
        "5qh18p%0GDgo52W=#s0)?DqzAV(2eRzC(v2UYVLiXFb$ryXF+I3Es-|KZOXo>(nxE<&4>3y^W}1x{<XN%hSs*HQ2A4^}PO}U~D+J9^F5<a|w^n"
        "gGbmzT<5HYJJpsFfjy~IdF6VL6Q7H5%Ohb>{~hdi5y792|DbHjaafx*3=d6W;Ywy93XU}3=52S$+3`Kx(`F4i>F*1aIFU&$r8cl1ijqviBoZe_"
        "m{aFvtFSL<A&uL958XQ?Ve3M547yj!9qe7mpm!VFFP6fhO*ezk-2`?xf2`J&7nmTtoBNk0Mn#JAL22?>ii`<|A6MOQ_jM08zwbDhyvl$xTDD9w"
        "=^O68q{&X?PJ~rEUgPKZrBvGAm$~lj2hZQrF(TBJ)!z-`eF_*P2YpR(aK1B~{#A*8m<?=PFTjYA6<y(V17`-y()qmt_<dRownxrqS;bClL!3H$"
        "DLWlz)ZfOejRfChG7`OW2%r5*XEHjUA^6ot-h0pc5Z~aB+n(*EEf0H9(V`L;t2W}dxL6D^Jju2{HDdFG)}X_ay>$PMZ*W6-Gbiei3GF{hNYa}|"
        "c6o3&)m3zXac?zPXxdb$oj3&)+Vf$!a}>9|kEAW1cx-Tw8WZN?z@{z@+#}4u!tM*cO?r(BcHhQO0bMq8%_puZ&zW4V(_(LIgz9P>bl4BqZ|I}m"
        "g8c(8!D^*D)&8{#-8YONDY}e<iN<V!dN_OHrNdOzZsO9DO7yW6g5}K)n2;WgZW7UO)`!Pt^*X`7B@5Vixnq!N)`NCw$H4B;eHi~slUX*Vv2*QL"
        "$kOC)boi^vK2KDp$3AGXCRcs>OumUYbuXu@lrF%~?Z4dOYt!+Ij3e}K7Q+@$q+h3e$3>@e==^D`$*YR<+`Q~kh+b#L`Zl!Vddcgknb$>}O*H6L"
        "-TN48q0N#c28h_Z5;n8?2<{(wOAe^nV8U)`R#DN8+f%J!U`hn9Zfu{)vlpPnS!t*h*8|RJ<5_ChSFlKl0ZXl2SiH6xqdzKexlOC6V^$4b-Oz_-"
        "rmdj+E{>k<wx$-0j(O&35HKx3Z?Q8V`20VJx4Q=OA57ssX{fT-YkXOHr6u%d>#!&Co>cWyHdOjcuzr~Uw&cwni1a9dv@|n%VdWI6q8m*|jI3El"
        "i7!YP&4;?SBA9NQ31)&B7!mG{7i+J=?I%mA>Eo@`UfKxs52)kgpeFp5yBkvP@j2(ZGHP6{hp=TXsjHoe!n@y-VAE&lEB~6S*l`6NBAZck+E<)#"
        "c#!Aa7f1e12qq)VsqBE|nAa8GfEgmK@FTL1yR|n2+iS#`^8I)=DNLSj)>sHj#}7jDZ7~Mt+u+k}8?204gL8b{*`{sb4Q+=;VSh>!v3gL0bH4XO"
        "SH?;HN(n(G9&^57#uY_Yt#cHAyzydBRSWR<@+5M5v;t<llcG?R25+mqxKM*pUdnVehzvc<xy{mMIx92b_bMs&{7w@*8aY7{Pj=uNc|~~CkU$#3"
        "q`B!o^YM(`0kZISIrZn6v2A_cw9L*6#Lt!DUc(WRI$}jqR<>~ln^!~SZ!_}M`8{&qW!VS0bHuYV3l@*%Zn|6?JyK^=og+VB<idS&@W6EX?Y$e4"
        "VO=!K5QXGpLU2kkiMzQ}m<n!8MoqVFPTMRV%1_C$+0*UWnTPHuEBpXNx(y&K;ugrSKaCDI{}7ouPw=v~B3iF20I9qA=ru65LnI1A+9M6{eK~eC"
        "?m(%aF}8VhqTMoecIiV7y>{pY43sUx-RHB(8X-?8X*6Y<wph`Z>z3oQ)3$6d!-RhGmSFyA_ldf@Amwy(vF2eo2{<CeY<@q51!q@NMTsMD@?Zq*"
        "-J{P0j|;KYhHYGXhYTwdONX`mokVQnEmCp92Yb!rSlrczaD2{ql%2YSCaw{Ou|)v1hZ#4e@FPt5^ozS8kOCXGS+lyC9pvA`1FT``Kj_=G7d)G#"
        "z;Rjuy2-o2zc4GN>#+j5-|Eu5#XL;vKMmWL6w))`!I+mDlwGo?YPaule^Ui$V@*7+$yQ_zUQHzRq7dELKby7N4r9vfNBj#GQ(>mcBwF>PjI4M}"
        "(C^?)V&ioWGOiy6*WM<4o>IjH)%de@3#I6%0s(eA8A1D=94$_8rq>?oK=C~<$aOwVIvf>P`W1h4PI~~N+E2mgemNXIk&c@)KVZmyJzANpN}np2"
        "!-IqvT6$zZ?*5!c7R{AlD+PvdwAY_!WwH=PGU6fIAb@&Z5uiB=(cG`+E64sdp4Wcak5`&6&%V^lQF|2+{BZj_X}H@9Rpl*I>e_ntL2v~7>l#tA"
        "{v5_c#DT8itonZGQFv4M1r|R~gy_Y(SpISrJUd$r_tj;X#Ge=x-WyCimd>Fe-plN5E%&io)6Rm=@>L)^v4?vRQUxxlP53wTF`LkoLF;4ZaUKtC"
        "dDi^@AZ+VaAV)SZ(suzKhL?iY4jT;6dj?DNE4W$H5}@_Oaq=vC3b*aQIClKQBAAw@$znB-+x62D*KO0LJZWo?zjzs+I-fxM9XD|9JyW{zR2M$5"
        "6s9quX3*YV&wu4m1^<+;VE^DG=$;YJT+@3{+H*EH!cX9uAFP9rHyyBG&s(UvwgOzzb5XzOJKy)uBzj5t9*TQ7vl($=#G|K{?s*>yQ~#LI8=JnM"
        "!pTA67t6<kf{R(u%RA&!V;iWwx1nGDdNNg92=2BQu=K)1kY6su){FNe_j?r)=<ptUu@tsiNiju5102~XPM5Xlu&sG<<V=PeRo^8{qhc?j@iArg"
        "&tM%MY-j{dD+Aig!rAArxx7s)6468IDL42o2eLh~!Dabm&Q$#huOfRQB>3M2m5OiVl%*ic$&sQ8n%;C<RUGZRy_7jaKJqXC9qK>9<z?wO=adG$"
        "!Q=D%&uj*FyQ|pgVnwxtEa{4tP@;cMk4a5=3(vzCu3l}!-rU=Q<d!HCZM+NhvIg|$`c|BG_yh<^?_-Cq@K}Rc4z$XbVMWtCT69d3dOVP3rP=aq"
        "+kI=6a6SM>60^9GH4#+wMgnY{s?0iHT*8OF`!V>-Ce(2IkGtFR88<jeu=>gpvbO6IIlK5GcqrAuGk*p0c(WoL>HL5@Jj-DA=6MwCS3-u+4dmLF"
        "<0@BY`d)7`C;fCW+t}sGvT7`;((nshySkefwn-Lr+xoyRQ-tl>orp8krm-LXTj(q^9qwGV5O(I~qHoQ3)^<vcp4udjp1W4#K@DBDFknA9tM86?"
        "ltb|Do_%z}gMZw4g$6$1PN8d}BW5j-XUhtBbmUqPTsiX(4k@LRp~6vcJadF|m#RmJ=MS(-BM^S<PGgpT9zpWoT&xOHhLZ=*k!l-n;wSb9f9JnN"
        ">-soyUE6?(&Go~!WD626EDwHr>QLC)719ceP`)OH4g52uU&9q>jO1E+{o@v@I^2Xh)8wdTb^>Rt6N(cZ4&%@P4nDrMfc{0TgcO)Toqz}JA4&$l"
        "uUgdZu_qN(Or(x$u9D(k%47L*8gQZU{J@N0a=<bZ?(Xt}*_<&pzIaFMx0_Qle`Pq`e3Y{t$zUlhjYM4D3VrE!@@`8GjBk*J7hesT)S(32dSM=W"
        "E|J5fOWIQ2jj3$rA{*urHjYRSUcpCBl-jsYU~Le_f>#JqKd*mKcyI}n48}6$!l~eNCx&>Qzr}sGiDVboW%B=tf5G0sN(>(TGln5s)G9s>zgRuV"
        "n)e<z2O86~4{@+qc?h38TEaQ$t)v=)<}{`H00!3I;QJrw;IBOC2nC8saK*_Pn+}a<Rh52BY-tJSrvH<4RK;M|yP355S3aItw3g*-N8->;XL8*`"
        "nUfA}0VeH1mvy$|qo><(-WNwE)Z@jqM~1-r#sT8=s~59X2=}kW4V$(tg&VUJ#&q%-HiqqC*Ot4|UC-5M+Lz;K?p%*PhgM*A^l5wN8&<TUR)j8o"
        "xf@%TbYuLGKk7{vWk=@<v!UOKP+40DN;(mEYQapF_3#My!JvY?RqKM3-acHgvJTvJa(O)iepvXf&dxR{4@0^`QT%NKxVpu{h5#>?GsPU8U4G+e"
        "=y&iGd&gO;D$wAZ|InAOM#nAMPnvFOQWcZ)u=S%oT~YrRRHvN7p3mB}%H53KYSQA?y)GnoTRAK)7pEH}f5NQ)Oz4AJd6uYpgk`(FBt8}e&^AXO"
        "rtKd`huv>+`k!i0JnaVgy|jaE4bO)2$IZw+8$FWq>b6~`(gbF$s|E|t<&cPVLF~k`eQef{BGU}|i|1P(L1*bXG7?*lPh6$ovAO`7H*916UrgA2"
        "@w>QU;um-=;*TebFGEJxbUL^<5`9<(-0&sr;}u!jtRhIecFIwKr6ugR#zflec!RX@ni^hrcoDr;IqF&5PpU=5nIrj4(!*O(!d9K#imv7886J&T"
        "Vn}yXzlOIdMl`H<3+quVra^(a)TJzf$taf6czTt%NeM#ezRSeomnrN>-UMD73&`TuzxejoR2=^|f^B)80*?dd(`!L(+`BQomp`_cJ(5*n?y_m<"
        "w<{R;l!mYtNoSHK(@7rvxQWljdSUN7Io5e74y}I**=L-a0rCIhV0XPGt>1bc5BIFbsbQwvkN+HK#$t1tcXA@le;9$67JY$|SZ8|dQy>~9XfT15"
        "6z0ya<W4bZw(jwCDz|1cmL$!DCmETjzF;!l@GS_-N?wu)PNK9ksE>qPvqDxP0W$_A*u|5IEJXJ@stszeO?4VHsBsVHthtE2IiwGF%oJg+{z+Oi"
        "qDJkal&Hv)G!!_eggD0*x{K!0gpE=5E}}+kJ%1j3uda{!5hD0F%oEk_+Je2YC2if60CUAhApMglyXJfni#z>jiTgJk?hZ$jiaI<RbDax#8c8g>"
        "68Xp82I5vZb<F=F!5Zx9h_})e_}cjf1dAkDPGdcU&E1GqpWNAtVh0pE`xtCK2!p@6ES<Tq6?*?10VmmbQuf~oEQ&G%@4*;oUi2Cd<lnRpl{-eq"
        "kLk^bLI(yo_M!efak|&Fgjb&<$Qo6q(C(-1O!V+vII}(r*YErRD{s6-16mHxaw5o`b?Pi-!dEDGHcTAPsk7^9igaeA97w-+fN1>$(x3B&Yt;+F"
        "_7$z5H1RklUCP9)BsYF$>l3oqT#K~axJQ;zBRcS2n<wkb2eooz>Mo+r8l3mDxlKDrqK`4`OPfxYFBe9goG=!o7lr@w4d|IAYcb?d5~tgKnCyO+"
        "!Iatp=tEKfZUGf|eT0wmu1{fa9!5g+l<h=Y@FJV{tQ@l!h_fA<ZZttE8MkYRv1HwaETF=hN$l89m&hv6TkiR&6aJdq8q=9wgKqeA3~LTo0ME@("
        "ra>=8aBuP~sx1(UA2NMFZGkqMv`q&-=qf?((PdaEA;TT%{Z7=H7t=fcvO)Dt4D77EfR9Jtl6yOR@zWD~&=xDj2Tx?_ZJ~0k8+-^@bsXlM-H#5A"
        "0!%K$kR^(3qqp94;nF4XY}mAx)7O{4b3Lyy&S)ZzyMGS4?o1=Mk_%CNyE<F7(vDn?n9s6~E+p;}mtYr{1T~gC_}LeOy=z;zl5^tF@je^{9*46e"
        "jhDP-Rg$o%FN2#hdWO8X6_3+C*|5F)mr!2$V+<7i2+<M~*y#sW^tr@euDx=UKP07tr;QWv_kJJzcbVgy_`}#XaGYC}RRFK2@zG^O8<P3T^f0d("
        "*6uyRCeP!bHTeX{8789ZpDWy3k$5IQFoQmLaEwaGl|uO;S?=aH9k#hk4{xWm<K!?cR_neSMz3qLy}rWi<?8n!t2l%QN_L`3<kYc@IhA@Ft8l00"
        "MpNzWw$$Z;Jd^Em;-qgyaqop>S@)#FIGmG#A9!QDbx(x6wKM7cmb*9<E=!l&-$UU;qxRdjTf*DtiY#sM4la1_YYaOf1XiOQWblT#t5YTE1O3DF"
        "O_?qOzbc-?_bJpju!tP>lt$AuNm@DJLSvOX?2F<iu~kc#gMLT~T7<>{FI|g%Ym`J&wLn<-WCeF6#*md)Jx7O{H{9zdGikk(1zfKC26pBJusEj?"
        "1iDkmevuRu@*2;YmQBDAi%!_Cxta!@DTe0?{h;GEN;Zp_;Kfayke+76j4VodyI#J*&V6c7!W8IC>4#**<TRAEpTv>phUjFnnJv{jMmo-Xha8Ei"
        "Oi@S*cRZWOMK19J=Lg@({w_Uk((I@BXsrOQ!f@V#2OZFW^Py39JbU!ikiNG#iK_l$6zu+?kI-kLkv5+mH!y}f&Pg~UT83UAF*w6R6$H2pj0jjw"
        "^{hqN)&m>izidRm+k?Ek=hDnHJd2z;6-v==3z{Bv#vFx0)N@G3Yvw8t?xPK3{)SCk707J0QH)fJ;Y%9z<HyEh*wo3e;!-WnvRw`CY5QpG-1n#("
        "DhQ7ANAOueEg!$nrcxWG!>;%~_+4Jao`wPq^Zt&?*5{d#-Wob>-#*x4I)L-uT;O=;&cNQ|2k`QkxAbkBOS4MOpj@sx*EBhqDJ_+uwLv$~esd$3"
        "-K*lJ<=3zylm2q$gRkJ-@4Fbx{Rg_vQmif_1^1kf!?i7C-1OdGaByHEr=XBR4SSc+(ksWncj-eAdFBT3ZPVBenMs_V)@0UOFHDbbJdI|PzCq!_"
        "Jq)+Cb8UYof_|PD`=>@paCS6QR8U&!kby7fx`N=JV)z!8$W@mp(cHh<uyT<AQH?4>6}@!4zM}!B-(aX5RgSqK8|jVcM>yZJ4LqJlvHQo=!BOZh"
        "41{PhZ?~u1%L;S0W!Yx*YpR6s$-2yb|74~gUCB-xDWUyhOFHa#7I~1)1+JY)^SX|($5V7!<K`6HVIfIxik^V3W&IF+MuQ&JFUD`*Gch?*1f_Cn"
        "d5Z0~h{iJmvOL-g|I|#P33_iaO1S_%T~@;VWgO&$i*cTUsdVw1$EZo>GSjqew8$`+8LKR&UQV|`Py0JsDhz>Q-<UV%Yg3^;`gF9^9L2qU;-0TB"
        "xvd2{F!6nxz5l09e4HP}?Z06M%LI;alda1zc$+qB&<H?_fk19ntvL;B;E2ZW`E2JCfA(Ci1`eDtr;8O+nCi#(Fl2R;b)P>4J^iC#9hQn^!m@O0"
        "mKyszZ##8J(PwTQo%qb^8DDWmC`uS4^Hvrg0r$=Sh~MW-GGk&nQCwO=2L0q{`CcvVm2)<3ER5lO%~i%7o5t!aY==MllBt)x6b-SRMBRdwSV^53"
        "+&-<$N_!ePS1n1rH7=N3U-S&uJ~U<WUGv$W--57rPYQFKr9>V{XRwBZjZ|e{9u&?GAZqI=6!dHJF28lgPR)AU;ogm*ZZb^uOEk!z3db91zPP7s"
        "K0NnM;{-gy@P@1f_C^iht`{Fj?y0lbMHK1cp-fVzc^!_r=0J2y0PWFuiCr!?$+9;sW7+jJ?`5VZoUdx2`r#q$Rg*K#``L-@PTjC2J(at4A93lf"
        "dAR&}Gybf4MH=I;LTz3K%ur3^_VTBb57maOG~Wl_e`><i_a|_tge0t&mSk!nS|I;koT~GFaUW9hY1b!t@b2luwf8quyG&Vn(=>;S7Yrd{`+noZ"
        "S8321QUtnn#jt&jO#M1ZHzIRagblC+*e#P!KQ6k!my$%-G~mQOO#1-m3vOXct}0Dz7o>`3lery+R*<E%mjt+cLIs5%M2PCa!J%*P{<aI5{C5GY"
        "O6`OeGaI_*mm-aO^Bq=xZ-GK9Ply^>M!y*d(3ra_pb}9Fu{VwAw93_(`Cle(5IzrgF3!g*e<xE{D<j%HZUN&x$^xqoDcsDT$Z5p4!cw1jmgsqu"
        "n^&99lHR4lyzIST@4b*sDmn<<m&2H%tOf@JMd<y(A`VUZkqen&Z!UKS1(r#mV%9tsYp+0?h6JbuTMDl~?xl9OD)5Pr6U?y4CgQj6!>G9o#`{d?"
        "*NI&NZMzOAf9C}{Lg~2Zn+UC4D?@cxahSdQKfqi^I(b_%UbotT=W=-P>ry<)T`R!5eMp>UeqBzhd1_Qh=pLAjOoyt|``Px)G-@xI1#2T@m{v<A"
        "L=FkC!2(Lcq{p$8Lr%Et<7+58ycTz9d$NGUYHskGC=FqI`9Y7*L((imCh&6t6X2eZuyj>SOtNM{|1qG;omrLMrm<U{T`n|dHX#;hKjO*$Tps(="
        ";&d#|pGMPbc+lYA0<RmUu>ekwqGNu&XXOtx-$>Ecxq!6SS;J$KH{^9Z(1{`)u;2DD4c2ZXO{wyfGti`GD^FwdtY;9ua|CU(wP=dAIDHqT#ZDTn"
        "r+<C=c*Yqf#QMQ2bk>W;&9A1i9-n<IT&fsr9~Xk{nI&|fPZbM}wS$|oB2LX&M;GX;vqu^lXu2dF{;joR`aQF0-~(0m@r4SQRyN_xx;EUUY)*9_"
        "F2rVEX&Uk9AGbhIkKT(M;D0on4Ix9)tUON+zpEP1KD8tgai$2z7pu^=;PWurC(mL-Em>jK0=jLMAhx#;0k66r->$c&*QZPe^=ChMm#%FGC%Hek"
        "W7|irS>OnK$ohsG3zlH%?iiRjx`3n|{ET85XF%@IY&L({e0=Ix3^M7SxOHJGI{ZF@e~CHe_U+@&)mzh%dMUQqOp_jarUE9zCamhhTxg3Q;k0LH"
        "($V7aY=veyr@HSdL>=kE$Pyh|ecKq%v?_9LannHHyfS;4Swm*TEoHZqa?x$mS#H_cP*}ao7g|onQ3Fc>YIGoqzR?S0&15{CdFd~=zg`72_clRI"
        ">oHVGHfCYAdE{1+0JUCb4St7Lu<ykSKy8INrW9LKbJusMWw;)5#FL=2+8p}l4)C6jWYb%Rg}`A9doJaYEMCO};gS#1s2JY1nsL;)RE6cN>Ekw7"
        "eMYkny`1UFog6Q939k1spwBz2IEQuKIM{8^l6&Ronko)oP56P%Kd0haiD)Wtav3{zwhrSj&!Dzf4PomRfEa~hBCp&7CL0zpY5roi*zFQ5Zg=Ay"
        "Dw+XbmKNb?ya&u#XUnqVPGN>*GH2Dhf*VvE<c|-R!G*DIR6i{M9?X}=qc%g3I7ftL@MV~w;ZF!XWWfSM^GWaSsqFr?u|CqxSnK#~a=fPyzZz+f"
        "qzF|OzDpfMUVUrWZmY!WQci}$_wyigS|B?%6VOueG@SJq<;>Nl@zh1Vz)(ktq(`pg?*8$lk;{h3q0mFDthpBZx?S<~p%%PfxC-Vp=rBJyMP^WH"
        "$@;e}rqZ>;P;p5F6$KRO#^qPId*f`W{p>|7F*E}1M7$y9f$=Ed@Q51;RbtM5YV6`|JL(i`K#Q*qgS3n+?U<`T^)@a6vpr`(%V9e8x0y>VYqW5#"
        "c{X&L&7z~R{V=ik4)EhMiN0_#3|>9Nbr)3gyzkZX{=Q6w;jVX3^5r|uSI?n~hc)nzKr~!kvmVd?w;iNj93s0eXF{TqE1a5-5R$f%^Vqcvp7d+c"
        "0{0zEz-Jp9{kN8FERBFeeb&6_pgUkN=2;UAhxn(J_LEfo&D>6I2|HuM_~)%_88!Wme@xoQobDEq7Ci$4+kj0|T!T}sH?r^2DpdC5n9eO<%O-^8"
        ";eYqXb7eD9@XwJ1s?)li{+A<8XXUzbJ-zaH+C-J^y5UN<E6HQUjooBV<sr7(q`g6l_Zg~Q%CM#C)_9(t26>IU@MdHuj!ZsAk9-xUz329mF*{|G"
        "HNQY!GY11PdQ^P(4))?jJIJ>BlRTvYPJKZd4OcCM^oeKr>AgpA@IxzB{~m(gzxQG1Ne$|8w-^q01c1+L7g(4)o=qGtOmei(VE*5=_Bp4MfS9VX"
        "cXQ8jC;4+|<UupETB}OUq6OK;R%7PurU|mu889o?kA0O0$I)%UbR<XxH`hC&WLhg1^m`H&+|Z6cx?d16kyUU=U7baFrGrf5e%j?TiJ9|PveSaL"
        "d{f;(XioZLZ`UlqmWY|ND;k%$C+qX^+~WD{<NEn9@Z&S2ta$*x#vNzZ4Mdr&%_16P^$M!zf5wB_Ux}uYB5cYQp_{fx6V+I0=AL~P>%v2LKc70V"
        "(~cgrwQ`8ds@}q^K8?r7+<5-adjq`7c}848zYM>L7IT?fgW2fvXPBnIp^Vf_`jZ=iyH}OQbSueTP*#STI1h8_xvq3{dIQL*tRbGW?t<RCM6As|"
        "&OKF|%!H1Or}g_XAiw=leURod7M8Jy-P_uX0f{Mi&|8x8_V4C>QXHGvs0|xjcLJ_%Z{v+`rr7!9Bz<XI3!i?(@|BgHFsKKhurmrQABfS3PbSfz"
        "u3YZZwTqala2c%@i7=%z>QrO4C90?h^OjogCmmnDbG9*^5E>`W5_o-3c5yWo|MVY=64`>&$9UJ~7=i_MW}LgQF7<7{fChOr@TW8j!cWRVUf*rF"
        "H#oozYn0*iAM<Fn@FK8T+Xu=Hhf(kEBapT|MZ6PVgP~O~OfY&*{GFt*>2@`*Bt;lbJkw$!jbZFbp*<&dUJ|&(ADD1HoeAHGfx^h?bVbEE>@E91"
        "qSB6W{~{j3!m|zJpN%psPrg9KjMuWs7TWYl#Xby}E{>v8rJ49u6}s<I8`<z+7b~+J$HTdfl&(~uvj*j;>yjVv+NuRVy6Lcm>yubO_Y(9@F2<Xt"
        "l%0DfMRiwPC$qo{zI9VD(!a_1w~5f5euYFwF@#OJxR<SNa$shsbl9m4zwwIR9WpWECRpDpLxHm2@X)f4)AD!6yCqY>>;u6&jUrrTz-g|oNs|eG"
        "2;;INQth`~SU@j&KZW?t0dT9<W_96Zob2RkkXbCjq9n`EBD@b;4md+~kO<5+NFvH<;Y3kt5*1ZYVFr`3;oj##v<R}GQr$WjSKvq`uZFO!?pFE;"
        "zLV9>w>XW@L3k*>0!&qlv05X5o+)=miPUkpr6!8i&b<pKYZ`Eddj!h(y@o2iJ-BVkHpmI_qZ=(|(wQb3+0+~%`Y@{$?7zR^{ANyI_A?H#(LX-y"
        "<P(IMs}Sy;cjB~@ity#A2^Cqr6Hko}gI`WHe*7f>hGHxE3zH7w-R8MWcq3sErbg^Up&jmWbft9xc`$VG4&I++3SVU9Y5qEOnwfqGG*U&G{Q5cE"
        "-O>;LH(cJ2Sg(Bm7MX_-$=(^stQ2{^pIZ?!Dzv1N?O1i9BvQ!e5K3Ao6tAXTQl9&BM@R`LN+}^Z4Jv6z_4Y4Zzg*Xar*6+fm#}qI?rs7Nj4S4c"
        "=%2*(ZMVSeq$GRplz_hB<506zf@BVOkjOGW@SZu3eJFYg73-B)tW+~5IsZY17AZsP&>*&dqFi>k4ZQcz1KUh1miuirJJ=J<^Hc`-y4|0=5V=NQ"
        "Q$;4aQ4tRQEepp}bePIs9rALk8ddTYC9*T)!Ot!b1VSZ1qw^YafA7PJ$E(O>qc83eJ%RI5cEdnO3M6gbf!3EEfP<4OL_R8J<W>@!ty9gdWVujV"
        "ro{`Xi^n-PesLcp=AxOn5j)`X7(SNOpq57>T=lU6&zpy6cGMgw3X)+OX`A_dhO(?HuNG7tH5&S{ns-fM7H)HROP#fnkzO9A?<YRf+AYUHAwHJz"
        "viy-W$&i*k%`i9d4QIZqA7|L@M6>n1yx59CY!>EYQ+F2it@;-Xj_N?#h#pLTa|Oy>%%CmeKK2ypve8g`__mIZ3bwvv2I?|#$=l%Y;uV-^8Uja`"
        "vT2G<u#)*gg!5Bwf1?;aoY{o-O?sp)(T7>|R8y5Q8S*yl9)#aX;3fa5$jI*=7pmgWd0Pt0yB`JKH@~5Kupo&$b`14RYtcp13W{%UV#`C5AR>A{"
        "C%ij@hW=E-5Xr~1Uez9N;}(|PxQ#vhUQ9)FLP*RRRbnjWz`9(rxU!*zFg|4ia>@BvlW~djO?*OMj;9bK3maUZa2c^{8p~U8lq(sY&c<8(@ov5a"
        "i}mZ|DjhwE%=O=%8ZaV1e#FDEb06p<+2eS}MHZ^#jUYd54Rm&;(zrFR_?F|rXtnGF_N@?sTonV9X^8<r`3|s@6^DVnW~A+oB^fQc&qePvgTIRx"
        "Q<F#T*dnct!ZGrkG@IlUlwGhx(FdO2D96n|J<xU9ade#bjI)!P!!5SR2a{I;yupnQ*sUs0VqHFS){EUhByth49!lYid$zN-&ry)YbApD+hgesk"
        "2bm_rSlqV;E1o*xhT#TyNHQAcN1frt$jFlWDS?>t=r>PpGbtGDqt}io6Wayd{H+y))3H5(hdV65s=pZdZ|dM^Z7Qds@5dDf+Yo2F1)OhI8JD(V"
        "CbM!?B3)(nMC4jF>Km(4rKQEtR%OcgyF%HEbK%h8V?{$8G)aj}0mdrtVab=GNZ!Os$QE_P`#u}-;zn`gc6j0D=0FygQA7(K>7Z|aIG9AAg5yhK"
        "m~EUMU-YjWj4@JSg40akzu9hJbpH=%|2Y>;o{O<0*DNykA3>)0p`4T`7DATOTqbo>h0X1LN#h@<gQtD~)6Th$O)Gy=Jm-R!x(ngO#uI4nID`F9"
        "avSu9%qE-9TeFtN^ZfJmuH@_N35a%Rp`|vF;IOs^)aD1nzDgD1I5q@EmY2~ot`dG2OEK%l9$aFQ$+`C`k`;$MfGeG#2hS8>>AQt+@UN|4cd!?n"
        "Yuwl{;dnbtZ*%`<yyon#?uF#=a?bu`J9lUB9sFpjMs2Mjv>>-&yWDpC5*mTVk;~bX@g3Z`=MpFdYN1@bJScK6>5DXV&c1LLDYSMZZyj?%z0RJT"
        "JZ(+``j@f^Y(}*)FTS*2G=BPOK^JU23mIy6P!(JF)_KcW>mqMF*$bqq>mBa$)ndlqS}{K=is={+qMG0Y_0+KB$18Q>)=qnNN>!F*=l{TUH*bP-"
        "+hVeOEEmmdrO1(~5x7Uks5q43!jO+PE~m2Lv4txUkIUy&E-he*J=3A_i$B}&LXmwCQUG&LeYR6rfZK1QkNjup=$+|{p2zl}JkJYwN(Fc|U<5aX"
        "RfEo_xmeXK%<Hc+CoE8aT|VLoa<;qSZT(CZIaa|LEX{;jqr=?y?@GLmnjkQ+`-g>Wm*56`-FPw*!p!{WFzk}}gY-Ua#wYQI*~R^8WHM+1rU!`;"
        "*Pu{tygCAP{xpJ--QO|3r5X*c-h*}v9cDT99L%=p!;R4;v@SuOsh<{y^6)_1pV|$N&*VVkloZikl#L^_4OA>sar@Iq8nkRFNEu47L?X*tYc)x("
        "<q{U-VL)zwRbd%<K5+7^75P;f&O8ow!sHy<5c2F#(k^Vp{hc_(kuwRnLNJnE^qfJ2-e&_b5JK>?CVpp*vw2RjWSo}{S<crv&2bYpbvgsr29$8g"
        "dy~1>BZ|;jGmd&GX}m@5zki}vk7Sk3;`u%M1TPAu$-CH2Jo;&zGud|-l}CqYePtwiCog181{*=za~8Oy>#>eKJR(-U4Si2gXi6G^4i#URdiD%0"
        ")Q^G<b0-n?#q^`lC%S2xGek5xpl_!J7T!{4XWUHLvbH0bo-Bwe<B~YiB0**!vqXp101`i4m)HLD7}iv&K??2SCQK$#V9USUmN}FBhbNR-rE&zk"
        "8J^&s=znD0Qs<4%+L737po>%b7Pv017qwmp!XZU5oUta2%&`(8fv)>O+g$^e{@KY}^(%yZO3);~ZtR08fz=qBHV-BDY#{Ho%!r=!7(U;-nRL%u"
        "%=ya%V`ZH`4!Q5g6?Z<uty58KgZ(K`z48ru?k?lk9X|w(6D4e<>@{YDacq&fBrYG71}DQNSYD}%wz~#trq4q1Yg0GIWO=ZpdO7xUXCz%*t<AFJ"
        "51_vDYj|xaNMc+x$$U3KXj!E~N}jgzPe<Ai%OFQAc+i9nCxapJl^6VVs1LPeMVQ=M8xp3xmd(%0fcoOk!242w`z$m_nT{^!-8MiIY)7CgWs>&%"
        "dJ7L^OQ}Fl3d{Yq2iFld_N}yx&&%7&w9S8_>8ee*<N7UfQF{qU9?>V^_Z4upwF3S%9L*+*lh}<d!R)eZH@BcqlsTx2G2y!%D5P^5^Nx0a>8fC?"
        "i`<E6S}v^W)C?AUe={mB8stkn8$cnym*8(^$zZw@{aAh%oNlLc!lrA<TyIe_EK&*=wS+NbYA?Aq+0EPWJb<OzxbZ3?PO!y8BiLz^1#ar^XzW=="
        ")#|TvQseFHYs)x9{(F)-I%$wzkp!|TJ%<IDOViK@Pg2l-5BR2<%-wG_`G6~l@~p$4ZoUnx1{&z}2pQsOagGL;JV6145t{k4h_eXWOO!KT<KT-o"
        "FiYA2-OEOR%ZkQ#pZC%H|8ChtKNcW<;#WAMq-4lm?@p|E7I387oE3C!#?mvYSfp2s4;60lgS`ydvI}w~%}0<rcvSK}-3VvlD;r@_u7jQ*yFi0<"
        "+4V=il3>zX4C~&Op;Yb#$Xj!T<c=j_b;?W#?=0jrzbqxK3$?K!Rhntn3!<H*3)6{<CO6X+pw)UgYhN;DlOmGJF0N3*RMT?&>QYRPeK3Z@VHSu+"
        "GFaF@3O~9ZK)J0HNW2$iyHs7#UHm4BJ{M=@UiH+!_8!LNoIo>;I(Xi=mX*I<MC7)FVy@6#4DF}{o=z(@Olrj^zuoesU5K!60w7|r33A$JVB6|z"
        "+-Ob<Z$-HW3kX@tqKgia3!&$^wJRGqwF7Q!*A89MIdcPUU(n8tO&27q4OY=v<z<lDa+;K!`v)W6NRTI{ukmGQIb5Alj5bFGu}dz3{dZ&u%MDo1"
        "0&gaReE%ghTic1S^()A~D&!vMs<UK61h&2u4*V{?S7m)1O4R_?Zs+<&#c|sAJ{o!_m1c%rf@#ZY(91;#H0u-TSZXyGi+6yJc{)BlWDbW7XQE!k"
        "d5)JqKtsGln4@VF?l0+vW`%<gACkb-);ltRv#ZIv3$|qSSx*>qj3>cXm!V|n2NVsaW9h|}pqi6Fw+RGMp^h{n8Xv|Qw7T$EhbS=rOccA>1VdH-"
        "<9Y3yqI$cZg8b+Abk0x!xfZjLTq*nrF^L8^KSGw+9bLfw52W$~F8"
    ), (70, 70)), (False, False))
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
    p.output(x0)
    p.output(s0)
    p.output(t13, INEXACT)
    p.update(s0, t13, INEXACT)


def loop_that_stacks_what_is_rounded(p: Program) -> None:
    """A loop without operands of a floating type that stacks what is rounded."""
    x0 = p.argument(TensorType("float32", (None, None)), array("float32", [[], [], [], [], []], (5, 0), writeable=False))
    s0 = p.shared(array("float32", 0.14728142), ())
    s1 = p.shared(array("float32", [], (0,)), (False,))
    s2 = p.shared(array("uint8", [6, 4, 6, 0, 3]), (False,))
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
    t17, t18 = op("for", constant("int8", 2), s2, body=step0)
    t19 = op("second", t17, constant("uint8", 1))
    p.output(t14, INEXACT)
    p.output(t18, INEXACT)
    p.update(s2, t19)


def loop_that_magnifies_rounding(p: Program) -> None:
    """A loop that makes much of the rounding of its first steps."""
    x0 = p.argument(TensorType("float64", (None, None)), array("float64", [[-2.0732191781010463, -0.2584184011440433, 1.5751573201500646], [0.31237942903778465, -1.4191840426271902, 1.1307047244541717], [1.8453680220807627, 0.4718208401490596, -0.2617232523733162]]))
    s0 = p.shared(array("int16", [[1]]), (True, True))
    s1 = p.shared(array("float64", [[0.0, 3.0, -1.0], [-1.0, 3.0, 2.0], [3.0, -1.0, 1.0]]), (False, False))
    s2 = p.shared(array("int32", [-4, -2, -2, 0, 2, -3, -1, -3]), (False,))
    t0 = op("dimshuffle", s2, order=('x', 0))
    t1 = op("dimshuffle", s2, order=('x', 0))
    t2 = op("concatenate", t0, t1, axis=0)
    def step0(i, a0, a1):
        t3 = op("exp", a0)
        t4 = op("dimshuffle", t3, order=(1, 'x', 0))
        t5 = op("cbrt", t3)
        t6 = op("softmax", t5, axis=0)
        return [t3, a1], [t4, t6]
    step0 = body(step0, [TensorType("float64", (None, None)), TensorType("int32", (2, None))], [])
    t7, t8, t9, t10 = op("for", constant("int8", 4), x0, t2, body=step0)
    t11 = op("add", s2, constant("int8", 0))
    p.output(t10, INEXACT)
    p.output(x0)
    p.update(s1, t7, INEXACT)
    p.update(s2, t11)


def product_whose_terms_cancel(p: Program) -> None:
    """A product of float32 whose terms cancel."""
    x0 = p.argument(TensorType("uint16", (1, 1, 1, None)), array("uint16", [[[[5, 5, 5]]]], strides=(0, 0, 0, 0), writeable=False))
    x1 = p.argument(TensorType("float32", (None, None)), array("float32", packed(
        "c-jruha;A46vuHRdt~nsAtR9_<hjp<1}T*lO2aA<4GImrLAHoAL^O>;)^ndLBhe%k%4pJhX&0%tKjNJ4@3VT7Da7bxz=M(HBrUs+dd82kez%kG"
        "&YC7z?ix%U#pQAmo;6{8gD3DO)<T)<PEP8ZQ|Ns>gfo@ciwsXWcK^^IO+&n7{0W2MbUE8$I*&+6oQH-Nhl%WrMXbYQFkV(Df>0Yk!IW&$^GKeZ"
        "^(h)uW+aiBC`xOb2hnmdmo3o!fw#y0GV>po677{yWNx1n_5C@_nZNiEY^ZE)`rURKpL*Gn0=Z#yk1s&7GnuYY3Wa{oTUg-ggtq&ipxWg$67v2t"
        "IF8I9CtT7{T>BaFa+i{JgCRKomE~MD`hc^`HWS*TMm<9}ku*qRZ5x7#QV2soW!5vTD!O#T;dbW6B?tH-`H`!#orjU7<8Uit4Q>sQhLR75F)VyJ"
        "_J$fW>v^Zs`tUJ0qkS7T98AI&piD>lDv-Nhg@*Q?0h>KXP}FHH=Bi|a)ssHRxzLFldB(7#g@>fZ2GIhy8srA-<mRvA;tQX6GFEMie`XT$MPVA*"
        "vpN9<CQL~3$q5uoPG>dcR%7QgZ`iJufy;cpW2Y{V*j!DRK648F8h>#EQhPDu)OJ`oa}QC8^&|9HIi65E01D|sAYqsVkN#vJ|J)f&&{z-J`P{~C"
        "p-?E-F~OK```~=jE%v=#IGb&;0*WRo>4F#4aN=VoJPkCZYD*;O+mQxXGqaFU=JhAXHm5*8w*v0aZD{jB3I1GNN_<T^P%K=Fcx99^BfEH@;Yt8|"
        "Yq=`<D`QU!0u8A7a!C|#okPq=N3ql71&dJ=XrLKIHs2Q@_VQoZ&4P~f@}nrOwqhPWQ7!?ed-bf*j7YFn@F0UJvW%eY44OQl3d}@5ez?-XJn~4V"
        "U(|T$8j(Mk89&aBHQi+<m)?NR_clan!hmQCc@QS}A|`Er2!}eqaZSYUHq|_fB7(}DNHV(dPxxm1{ChQ{l~BMgH6t{wXeo&;I!4m2pI~0in?c?R"
        "P9Y>DKt{@c7<X3+7bgnfwz7*fSc{7Z-Qke>u>|4Ga`Iy22yU3Ohz=g<gZ=@Ek>+loQ!GwRW#*HP0UlDdg@^cu<kHqPxtzfgeK;T+j_VTd;^qk<"
        "U_7$u-_rtgJRu()JtDa)lkS3}h#^hdWRH^(Qdl{d0l{?v80+T@<!L5F(!LJ3K7Jrxrbqek7Je_9NiTNYMd4aKvj5%@(vg`B{c9`O-(UHt%h9_a"
        "J9QMQ+9ip%;uqFIRgj$M-@trYvlgA*&XJnq`|y#O)4$6*Ol?1&$6p0mP{w0L`<`cDxYQCFJFY`DGQIKc=fh0VyD9dyqz2i3RGz(Hu7)j%+OTY3"
        "iX%UsPp5hE5|v^VYR_MWl4A1Mn7$IHZq&n2z#C4%<Wsiip&EG<UX5<*Yw5<lv!Jqi22m5$z_(9>m<8Uk;5j)5*ZA?#gjchud)HSyE#uJ?|Bi<W"
        "W%yvt#TXRPUV=Qb>5Tj#LENLQKpJFA@t2bV@e1jNoi7KNTU$&>q^%uyVqF=m@scE4w|>Xy?GCK|l3O4={SMCH>B5LnMbcOr184F~D7o{6@ydG5"
        "r1jO}VV{}Q+3FZ|#5>UOHIbwUOkz~_DfrZz0)q*?T)jOBXjmKzwYtK@L24EfUS-U+^hWE0iLkaxko+(_2|PZ&Fc>)q++G%W-lf1+{n_-Gbtjl_"
        "8^-iWRg7uOqQ687@kP%~RB-tYrD68;$f5mkbl-MzMW-A3>~?}=+F{(<bsD~;T7g>K4rW!;Jy<zO@tti4jz+9&T9iB!BGP^6WMmno(}H1OArC8m"
        "%mangqG&I7F-Rntu-a$ype#Na=lJ)q>(?bPix%6!So;d7zno4^m&#B@`v>f%)4|m5%oUokMwl3%XoY3F$6&kvK9Xx9M-pEu)0hS8>HE5B5GcFK"
        "?y8EWbvt;_$~FOCD!pXV8oFRKs-Bt9okN0yCSgIc2V6Yb4A(|yfkeY$u(*|p>%ZyHYq#}ryaAc1Q)ghOzc^koHK8w(UT_!e;w7A&q7dvm49q$M"
        "{3QI8Ian=(x>3Tk%e)a(P36g<$XZr?*Ak*2eHPce7N%_n#G(F}5FYw74p}=ZA#j}^XWE@Cu1{_v2-}>Y@^eCo@4H#_rMM*FSnFWO2?6>g+z9@j"
        "F`_~v?e!@|@${vQ898p%fgk(h*nP{Uuwc(MwkuwgX|v%a?TQv46S0T=Dfy0DJN-8!+^Rx_ofXMnwj3Sbm=cxM&Cq&7k49c<!To&3jLLdFcEOk3"
        "Fk>cibh;zpd6^F*mSDjSt1qYfsSn$$!b>e~=wY{%JZ#W@4;q7KY1nB?Z0KAIQ!#ST_<Se6J?_Qb&dC7mEa&D4WnqJP0O@{r4_C{KF;8-`IO3^|"
        "Ott0!Q>>XvGi*Dczt)jtd#d9L*%+*P+`>NANPy{b3Cu2i6BwIu6LyW}K-^D$diIDd=}q*)XcuvOxKWDg_~_GzOOPlP?_4-dE020u3IGUvKu*CG"
        "RM69<Y7gg74Iyc|e^)o2+Wj539()FROU39zI}56EUyX)&rPA4d_Tl3C-^ly?E=NG1nYB9poSE~nml?Vc0pU?Kz?bGmH%o2CEjLTC(xd<shGobf"
        "{u_|bh!Vlz?bNVz9$ceWVC2srdr0pFW9ird^G7_%N85DVTo6Re<cql_T4&*;$N*dZRs|0z3ewZ^0nBlSyKF#D4Guh9O79Jp!ukkb(48z`_uUfZ"
        "7M`@?jF-kytG~7QK=BNE)_=wa=H9@nc++l$?M(j{MOghs1-EccF&ZX{RGfbdH-!#>LZAmx&C?<C5(e1Fj>XJUNnyG=X#uBq!C^eAJPecHg@{YB"
        "Ajz7uo-EEU##yRfFwL-p&FDT1gWHvfZ_~ehv@(!*oWBlv$F5`Q%x~cEuk($|5`eEwiul?e!i#!aY%0dOV9!cpx}nO2d}Gs?rL%WXAD&FSkbj?D"
        "Wt>PJ^f<!43JIuO^c@?nW}%v(6FIhP5u8$uqe()NboF^lVmg+F*B0$2_B)l?WjV6sleHGH{Z-6$y>CxVoCfeibSdeq=poh)%V<z&3-fI3J}B6{"
        "M)mUR5YD<o(^fMuEG)sl(uK5ostftN51{nTG}1C{CfqQqp+#L`w1w${-~A<E>obJEkN!ZFR7Kz$7A7r1zVy$)cTU1le?0O{6fV09a*aOdpn;e$"
        "_tmHxddl5r-@ea>nV#CzOjHqubIMTHUy7W5n1Py&*-$#9Kyy!*gGC`1ey)AQ)D~9KiWQGB#<_xPwfYbl`}Gxs;?H4l_bldK|1PRS_rs{{3T*u#"
        "NLHIG64k<7R{8Y~?vD<WrX<t#cp~vTD<u@nbT-M*3hosqsALg@yi((?cHNExdfRZ;3w1Eac!Hu^9EieJf7Z*b2=labseQ5nSztAr^#2)Sv#Z-!"
        "Uq?4G`dotEo1TL~r+Hw3Q#YF$r31Pd(;$4d4=Flsj2l@wdj3NinIAZYo?m>y(oP1C#Gb@I!*#H-J%!%Brb8yu`tjm<ULs~|M&``@!8~<8z)i3|"
        "$$CXELxE?iu(1|VKd6)0rMw#G+4UqRz8~*A)JMIrGwA$>7n+idi1L9axO=RHLtg68f+;}~ZLB~}dmAzQ5xnH3u?f{RIERA{Qlu)S4wTBdF!1a%"
        "*Cb4YiERvkzE*zt9+?OhSF2HKVIgaO{{&3`IECM=C(y{U2tN20Gtv9vY39`soICp`Si2QN;oJZ4*_KIMGs^`HMg$>x+@5v(;edl_sc5}_B|LT8"
        "!tjf|W|iG#;rq2BAWxRjTzZ<3GZP|_uE%ih=^d=0`+txstxHV%jp$}YFSOQDrH6kXCKt_XK(S7PY)BO)e)U!CRkxY+c=iXpVR8wNmvlhloHnrW"
        "kRt0%>)1=0vLqzu7I?xIoQg<gCT1|?Hop(J|2+<?&ds7XS9wvta5ox#M}%0pnL^>fNqm-BK%R9Y&U?g#dHR-UzS5EO#zjNIwMkSu6ihEi^D;$="
        "xs3R?c<5O02U{=Huu1G4i0I6QcohQLy9G$lD|I{=--yq6LvXCMi#>hH1s0CBfsyV)rq4-=F%Qe-oG@odfAnD**3`~8m`RY<>x)Q?N*?eDp5<gd"
        "ok=&hnZkIXEJT0xguB&6#IfrS-WzWP38ht}eXa!i2&PfPx_|$$!yZKD>JjVcGSHr{Oxx;JNGSvXr#%hdrO&{c)6w`U*@0R<m89o?&SCxD=)wHK"
        "#c<WDjic0FgFPR@L3;KAvbX#v1Y4hBlvWzzkdZm(vfg1<f#s+2b=^=Sb&vZaT#&1OC6L4P2$IPn6Q=6wQs%MC2x{b>Wg9(R=!uL9CbBpiUim*}"
        "NJA$C+VgT&RqLSta5<z3SW!NUI8y)mAxf(T5ifT;Xq%@E%yBpJbZ9RdejtrD+v$;eZl#PytTWCopHF-&OkomMu&iDe-llE1L${2(DZ-kR%P^ps"
        "Aw!H-p2OX}vdn+p`ebQmJ}}LX*>$gMq59}Ss&5ql^S}Fmlg%TWB>x&bY0bg8+n+U*M4iF>&*yDIKOcc7tsfbORr83ROKH>T&?=h|wi$2Vm<bc7"
        "UO<q<Bd(;+2`~|@XYP&m;Ecx{x*$uFUT;poA5-Fu*5Z|@rD_gZmRC?D-~q%2NYJXdndHcw8hmW1LcTZqGBtvaVVAWoU3q(w)h~*|@o^Ed)s3I3"
        "m%5YjZ(RJ%uf!Pq+Jg^b-l5y0t!Vzvl2p8G!TCF;qqLPAag1Ms_3x)qCm|!^URa7*9sj}c4M{jZWG6oOT?6+Hcw(lSCehs%0LgcOtRM2F(Qj5#"
        "xg~$toHKEFW6=drTDF6$e@Yk5>`Z1Z`YnNsfeRdulTOU=lQ_y7xrwM;Phj(&jo>`(EIgRNPa11Axbr;&$Ue?fSaIVsj(d)CKZwsK8E@)v?7TGL"
        "!Vny+$i~z@TRP}0NF+B9<i<{iXPq~}>+X5h$GZ&A9}naHdQi&F9}uNd^Cjrn23>OW>Py(H8jBjb;~;Wt9g{Hd18OVyFz(e3juE>E+g7fD^zHp%"
        "5^hHHtMuq!RdZtXa|YS$h}e)NL#AGCgX!!=mR6V$T}yQ=58%Qst@AKDcnxHPZU*-|QuO8nH)zuS2Dz*9@m|XzI8)1qv9lHt&t`Fy%K42mGb5?e"
        "b4?N$Yfbi0dD?X8EBxf>LC-QzR_j6l`*QOJ{JAC*CvIH9wSIiqcm6EX8skfkgqo3;4$34f?mc8?nbC;LKNzq1E}+)%uR~*#@Xh}UcExpYZp&SP"
        "HNTR`k3dW0i`oy4If2yIRhU{om%|f+#xP*h05^6Na4Z+|k$@@-vd&-#7s|cGH=8b^R*^nQSNLa*L`@nPBZ(1FTzGT%9*jK`BSAVk@HW_)#tCMT"
        "b(bpHK%c8nF5u2?efR=DZ%c!g^K$s2D+Aui4q>LlIXGE;3Mv&1nH$qhAk{^ZJ)S5*)142(vWSIDhrcc6Wvk-#8;js`&O+k8ydJ)tslhOQezM?<"
        "8kH{7V?r{U82N<Vq%!I^oZFPg<SU<qsm-^seE(%wIV=vci|j~mxd`?1a>8#4y8n#Wj@cE{7_DFryrs4QBHwN%+0z2)vqN&I*INj6^Ik%_l{B&N"
        "o<%c)Vz6ve0oECBf~CKkp>(|jJ0Md48|5yudJ1-!`sf0K(O0m@$&a3wX=l27R)AYh2HNnQgwELKps0L^HuWxq_Q74C&@4q)RG#1t+ZQlJYF}XZ"
        "qBE&x5hmx)pe2W&K=6A>a(2favTel@dS+k<z8jjs-a2(6k+GJN`eWcHAxIwX=CX$rir|=0Ar9zQz>hD+cz)R){HFRJR$M?Vb25dV>$c3qM@!tj"
        ";y!w1^HCF*E1Z$7r|?dTB#j(hNXi^Eh|SL$2CEb>xatc#$1R2p?6aaxfk9OJVj;xqy#j}YcEn~r51sE}K^^y7(&y$=;P9~<wN%y;FR#;t+o(hI"
        "r+c!KHFKGeZ!2*kafG=V!~xl`rNl|7naT7&gYWwjh}8yHEIc7aMXv28@rgsAoN*9jWt!3aix>$XNI;)$dU#Pe6xN^Ifts7nvf4)3&>n0>QnJp0"
        "ec&&&(laCvorTDDX)o@ls~s4%(hy#yWMQo>p|4Uh$T9^*R-<AX+^g|qo-eG!Bkh0jfs7528Ze@A$?xFGIyGoh=OJMytV#TpBIcInW!B5X42<pS"
        "8L3`b`btNFEap#w*LRwLXD}0jCi*eae?7VIawg3_<cy6sT0lKV1o9UA#bN#HxV^HBDakN{KknXK&df!$DQ`a}4U5s<9SLON41Q`ZrirJNN1$c8"
        "9^F$rn~IKBfqjBJQELgtxf>s$YnmjzDKAQzQ^nbJ3S3;_p9#lT+=c9i?(DtGRj_G5gUCN>hqmfCI)Bbq=;zO5GX&+>w@0(kW`h!KPfv&8^Lntt"
        "W*!Zgvz8`RHZw=-$Dve6iHyvSXBK_UwRunPgT>K9sQdN^?JRf+Hb)I;^aE2e_)QD@4-UY_=s1`h`40RIgcVaZ=GYB9XHNB<r0=ipw-MeU1L#l&"
        "%lV{9`b~NIriYib8TP{Z)2`%i*G5{U>r0oP&qA4yQrw%XLG@K8uxqtA$qg|l(%$88u4y5=(Re?E?94}_hde~&j`}~#hhbOZb?}ZkiVaFf;o`kU"
        "Ov#kR?JXAIze4w4UpLbHkT_b}eGS^)zlQdJxkNt107MKAv9gsvxgpJ-WP_e8$#;mt94#NlU_1mKesZNx&mE-|2~+qk+!kCTo$3ddr(kQ8DvG~S"
        "piQAWIBK&RfYtx6kyl6vHQ%YifXX(wSGI$pbF<M)?><UjPp4C*78FdMHVHduk|md)KvnU5aACe+vD*rC&X6U`U20IS?FH*&dV(Av^O;ed{jBw)"
        "PMmwd1Mh!r#Z26V7E71WiB~@KdHZ@2^3;IIbxmOlW|X3#%u}ZIfe1wHNMv;`<zb$+G4)n6#q?=PjG9db=zQ~ml93Qv=xmLTHoXC*W)1e`lYDT0"
        "b`iBLf3uw``P6Q142j84!OgOV;lejF4BnLnb!%Ut^PEbER2O6<ZVE6(xdL=rwHEO)4552UcHk+)eAufJ!)S9aGOmeFx!a6-Fgm@9c_923-gD$="
        "?hj-5Jhg%qI(Uzb`EMPnRVCn#^la$*lS$;4ro**&`7pR37LWFpGOh7*@q$(+GdMmSc<eOj-o&dYdDocm-aHL+9-m_-EM9X4xk2c>M~t*>NI{by"
        "en4X?=w6pM>_YJ;5SVO57I~Vnl|745hb*CAjW04jd1iE1m=b9}X-EYR9-+(IJ7KrOJfcjGVt=U<G1Cl3;Y3GR)gsTx{}#sun#RQ1Hko?4hZB>9"
        "wM<iSIV&%3M7cTxFj(^rISGn%i~4R9nqdTfr_w<ER|lIsL9vYYDXRLrqwkk=bkf~T-yg{5T>73t1VSU=QsD+Pq*aVc#bXF4vVgTwuTgBBBxsGA"
        "k<hpiG<`eCS!|RG?rp2MqkQX#tnGPB`12adAH{?8o$JV{>|x(@n9xMd3-Hfz#`4rm5D)8xO`-0T|BWUQS}RNv+_SJN=Li+<wqve~Ehitj+mVy^"
        "7Z&e1h(Yxpc($|<XFIMSKW;d)f+7iY*}aW)`JfaAFNvU!qowKFnsCzM8c8OldFZ&RI*gooz|1R2qStM8$-|QKHosNcF@n34n|v@34jdK*c9sU%"
        "bQK`)Tz^!oS0aX6c}aa(1h!}*w?>T+r*1*IOD+fB=WPJ~ke?{q+70%`j-*oH8V0!3Fm3^S^qNEi20nT8&*G`<x=C-S;58!V{fUs|AWmxH%RpuN"
        "C@zV<4nC^QIBaA|H=Pq>)%(<8?#7M8)HsIx?P){di^jx7*OY#D^`bo&exj%L7d-m>GHM^mK<`W9xN-JXh%%6cJy)z)yYacOwBaUKdku$p=$(aw"
        "4wmHAOHJajmxu1&{R)F69ZA819=1M12~9iCqFs+ChnHIi&peO85)@=}0@sn1eij(?<u3B^+-0AHUIR15KcM;fCpO!E#UFKA^jFA6da{HC?K_(6"
        ">(N3Y{eX|iK0XD9o=h-b&c;)<Aw}x=!HL-2mLaZ%9Fm%-hKli-V6ARMmT4@9?<H}};s9~5ku_rLuP5M4SD-xFKk%<e6K=S17fbx+;JtNnsK3R8"
        "ZuG5VJcUQu+PHa;q?rUQ<NDaUtr1tbsFCTnSS)=lMGttbg!N1$ogupo4J%6Ng@3npV}(8G95uj$zRy8jY#nw9Nzfgaw1}F<84w$?pf_)4LFMfr"
        "k}D8~BNdY1y4n`ztKMe?_aB5qTkJ`q=swgpi6ptRTj|EmPP$fdCTC;(3FMXLrM!#7q5h*f)yiy!gWsc(n^}uNVs4<*;|1>RIwbgZGWdl3WHUqy"
        "Q8#o9HP+l`TnjHi2CV@DKSO5M=~J+H-7M~$wQcb6NGNiFpUy~|PPi)k^u47PB?q=MUQRE-_dE-p7WYA9Wu=YZl043g`z0K!4Vq-zDkH)!YGVb|"
        "J!wZm1}*<jm702mVU1WQO&-39kLJo#eKk+IEY}=7uI?i%esS?q(L>hU=?2sEUXgWEX=6%lO2IVfG}$>|MqHv#F<&cesPeKMbhss+4)ocxW1l{N"
        "q5L3o@)Lts>vJ(mpc;MNXEW6Y8gadP9MFj)&{`o+RNn6;fmg1ua;^wIdsEq<Eq27C?kdW<nzMgwR>L);)r?E@lO{fY1#;P4krb;pfc2&@dNi~d"
        "%9Q&U?~_~TVbgc8|G{kX>5D8lWi#-xMgmHu!thJ}0d`zKf-~CRfCUxLK{j9-iLLp}I&d0U-Qo<kG*^;7Xm+8WvW~L6$qQ+K{tDvhzKI?il%mCc"
        "MQ|>!4p&@{!<Wu{<ind9kg}djtjj!`vexEN|CBt~#ivX?Ke134BSBpD66*L<lteD(!w=``nU`UvY@UEP;Rg}gmJ4jeF?&q@?#9-Bn$59nKSDMh"
        "^rvs~B*92*Ei64KOyxN8u$kA0)=o<%1rgy?`N>+6cx?%-eVT+Cy8<9M_9{_Otpx#(Nv3g7lKylZg#_UgwEwXlzAgL@bmGma)hb`wSLs7vru=Nu"
        "tIi_|hqt5D%`Mn$cZIGwBTiJ$P;gaOqdr5?xM%VRH%8$stQQp`il(pFAJQV|n(NOv7zB_$OoiUpOX&HuLL&1x3X*O3=>|I!5Y@ZFI6Gd#lL3-6"
        "S8EU3EHeNLKB=+M3Q6pei5l*wh#?d_xeL~71=6Ct)%d|DpEH!|iFW@CYiuP*2cn&@A~Fl6ZX;;#kfli@veY!m6wFrGlHtdeL@%0)LmENsL2pwy"
        "wj~ue^~uwgasd(~e2nvVnkDWv3B<+D9Zc}GVCH2;A6_$_N1v~^r&4Khbnj6|CQJ4awg*1}j@&B7)XADemfgWEcZCQnFeWJ{Qkc0BS712v2|8x{"
        "fF(VKXf^N^zFx@0=H9jB%YJL7e2kaW27L!FF(XpiAq5+689~@BF32zUBuyC^+-3LpU^uz}c;?Qf5l)Liisu)1r1>4p4m!jrO;@76|D1Hdu9ekQ"
        "v4q%JIo!WTK5(j1quKq79l>_NT|9sJHky@R#j11O=-lK_JS~@E=;HzIjysm{yw->e?a9a3JVCOv@&hZDeH~Nvc))ByD!a)14;Wr>r4#mcw37c7"
        "m?%oottC3ddh|Vnc06Qk14PLO!F2Yey(4uJD`d5POyPIN9iNtUa6+@Y@mYWu9-Ms{)(sJ`mNsX8J-LGhi+`hmXEt6aybsG}xzKB@1$Q%#5nJc>"
        "6naH2f`i*3Qgtkl>(z7)Tv;=^rKAT+?cyQ7+X1GAUGRRg3VCfi4S%Rmtj^pAGdZJ7?4g<PvS=0Fa*U&a)Pi0z{LMUd7GOO#OGB*EeefRL48z5e"
        "aPNC3dt&xSG;wuB{^jx1&~6m{qn^>}uetF1Zw7l(b_3q=eZzR(7KPnjE2*2=TK4whIJ}#qPuHr6fM3BTo9inSF>bOSzw0urzDp|X9Q=rm+LzeG"
        "CyUtPyEPpBolZEvxCC}>+)C!1kfYLKC%9)k=abLAeb_f>L+zuJXlnikc)zm}zp&9DRrLqA^`3==JV$V9^C9kfBVpXKP97G4KG{-`!{}Cg;LQ7a"
        "1SK@INiCjcFWRUQV1B}@l33JDrl?kU1TZ(h@q$AtJ0P(GBc@n}N6-&c8XK|euO3JFrU*#tb1^7f8;8aeN%<{da%1QTR`=@D$2%7h<)lUsbM~O~"
        "+x}u0QK5JLi-j4rL)d^_%*R8oQFUVxoUM7zEtZ>0w6KX;TIkLW#LE%GM|<fafzRCC#Dv6bZU!m3lCD;kq~*g!5WdTb&iLIze?0Xgmrs7g$D0yx"
        "i&_x<^+JwR2epGd??c>fcNLub){+#tUVO`!07J7zQOJJ|=y6N&miu=Q6ub?|C(faw{2FR>_9zx!dJeWs9x5;8qY45SnLD~2=&sogeOr>4nEkI{"
        "Ohg~NewA@-vz+NCrS0S@O`-Dlwdf3=GcY6j7k0eKLf+~+wz!x=rbH+HbgBe}W!2F7HW)1=*P!aG5j_1+j`S)kF&%|NXqVLk3m$KxY5srzZ3{oN"
        "eR&cj<9(=1V+MRGA4k1U&EQ#l9Bd*p&?;LGY}_K?>N7W}YT;q`EfJ&AKgVG6_Z;s1zw$(8TL)-61kxk%b(r^a1MPYrP0TIR;c-?EYY?FY<NfM%"
        "VWt&EM_H5L$E|d(?HqU%@);Z6UIP`6VF-)QAfh?5X;5-3R#F3EuHM5){P3k2F$So+`X!jU^Fd5UJY($Z3VRFcSX+A?s^REN6f2b3!y+-@+B$$r"
        "H}~OmpA&4@p;3@K8AwZRC)45<f7JMp%qGj!vSy;k;my`%_|PtvZh!X*7a1I-p0iDH@da__f!zsg*fIh)+(qfS&nax)tZo#&9*H>91b0*(!fkG6"
        "*=p4?^uFv%ezw|>&mP)1?)iojonTEgy8Rga)*@JxD37I1sx<1;TI$s%NPWMALG!=Pg>_V+*3<(iO5r83P7AU2_%zI1Bu-66Sk&6$K)rh}F#@~B"
        "u+Ku7hJIR)CeO{ui1KCZ?o**=XFsxcMEz)yNH#lk*c`Mje1#<U!w@E&&v*xlK<X?$?%td@+L@To6<b(`Pq=w#^X)boFgf(srs)(%G8oQbeUy23"
        "7beo@K+L%*oMjS;Zf75}>k2H$22~qoKxrG1ww8dRhb2(fvXZvX38l66`Xp}eC?{rTCcbIfLK__}!2jQ^Z0-"
    ), (33, 70)))
    t0 = op("dimshuffle", x1, order=(1, 0))
    t1 = op("dot", x1, t0)
    p.output(x0)
    p.output(t1, INEXACT)
    p.output(x1)


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
