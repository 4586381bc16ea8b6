"""Pickles that Theano wrote: shared variables, inputs, constants and types are read, after `compat.install()`."""

from __future__ import annotations

import pickle
import zlib
from base64 import b85decode
from collections.abc import Iterator

import numpy as np
import pytest

import tensordsl.compat
import tensordsl.tensor as T
from tensordsl.graph import Constant

# Written by Theano 1.0.5, protocol 2: {"w", "again": the same, "b", "n", "x", "c", "t"} as the test says.
STORED = zlib.decompress(
    b85decode(
        "c-"
        "nQ8c|+Vp7{+(m($Y|B5meNw^{PwNRmxG+T2S!nYSe%=Rp~l8*olOMCz$}N#!{7Iz3=N&_!;zr>AaJqUA8oTBr}tlcb@sZ&%9ebDN0qdTq>0|P_"
        "_kkSrFEQ8^mE$i#dy2XPrgbq8eCG{YxzJnB}_~dPc9IlHyR+tjP6(HPKr{XokzRM0kFz#dgGm&DWTt;jmnABt@UuOY<XUyEwW8Ew;=<G|*ae(c"
        "h(k2J`I~sflAU#z2bWRTachi*7TI$o8@yGBGuQ6Xt;ISy9Lwo5g~(VzAxb!R>0BfUUY1(#?KqC#!3%Miyk)Ry|GiG~8kKP|RuE+1}g5T?R&~^@"
        ";*@9(U`ye(^u~s8_utaF3<p#cM2z-9|HF4(@FymeLq*1a5?ry6Sj=<8I<Uoe%M{c~lOtM1&2c>3;KY(I3YH>ZctBf_b$3R3};A3s$tb;-"
        "7{GC6k9zJY41dd_YAe9<c}`)^zd65+2RYR<py%t*s`$@K_YFmez<|xkW6Z#1<M(=L7;L`-"
        "{iwrEOI0h8;St9cykt4Gp6TgM~9nu+M}SjN$PeJYnF;UDOObRjrrnJ@v{Cp5`NMK5CAYx}Sglp2=IY*{3i6p2)w$vl!zt=vf2f0uvT9`{ZckGA"
        "9iD7AD(jb1B`k1*Y2OaboBD;YP!ez$x)KrzcjP1J;zNFwHCc3@6(@lj7Mb@8#sk=Te;K(udE-mgGnNx{zX~$~#;&eipNQa8G*Z1wN$nVV=8V0x"
        "yy~<_yeBckr8i@sh>K2mGYYDd#%xNb&?;=BGI2?v)g;QtmF$44JOi_-U@#U*r;K-"
        "N5Svv`j$X;PV9ZSQk#{#Oh50Zwb6@F+SPmQ*E9Dplk&&Zh5;GZ056@Zuf!|wwU6b0@I}w?-C~SI;P7h-Xlzzuj%T&&j&|40eRE-fB-ESxN<O{#"
        "(qHD=p;0W4|75+g++uet0@wZT_AD@k!xUCA{yma2o4#gQh;d^7;eB5_~;-"
        "on^@@rbEDwhfZ<CGt0{s4Mwnu)N;F_<RJz<)G}f7)xQGg2F$og}k}P-S9js@$>s7-"
        "3*_y!yY1=f=68Ko^$+3Qt;?r*TrCe38&oa34`<bnDGMmEH{A4z^Zh5jfy7erOm;RdE@$(d46es&K#kM-xjxt#icu3s*Y`gk(k$WlH`$Wp@e<ek"
        "3<LgZ0NTyK<-0Bo~4&SIc>@dObZ9(fhqV>IjA5`hs#*bOy7(A$8;3wktvw>d(el7AS@S76$dx}50h5eb`-M>1OCAI$ndx<P2"
    )
)


@pytest.fixture
def theano() -> Iterator[None]:
    tensordsl.compat.install()
    yield
    tensordsl.compat.uninstall()


def test_variables_without_owner_are_read(theano: None) -> None:
    found = pickle.loads(STORED)
    w, b, n, x, c = (found[name] for name in "wbnxc")
    assert w is found["again"] and w.name == "w" and w.type == T.dmatrix and type(w) is T.sharedvar.TensorSharedVariable
    assert w.get_value().tolist() == [[0, 1, 2], [3, 4, 5]] and b.type == found["t"].clone("float32") == T.frow
    assert n.get_value() == 3 and n.type == T.lscalar and n.name == "n"
    assert x.type == T.fmatrix and x.tag.test_value.shape == (1, 1) and isinstance(c, Constant) and c.name == "c"
    f = tensordsl.function([x], x.dot(w[:, :2].T) + c + n, updates=[(w, w + 1)], allow_input_downcast=True)
    assert f(np.ones((1, 2))).tolist() == [[5.0, 12.0]] and w.get_value()[0, 0] == 1
    assert pickle.loads(pickle.dumps(w)).get_value().tolist() == w.get_value().tolist()


def test_expressions_are_refused() -> None:
    x = T.dvector.make_variable()
    with pytest.raises(ValueError, match="holds expressions cannot be read"):
        x.__setstate__({"owner": T.exp(x).owner, "type": T.dvector, "name": None, "tag": None})
