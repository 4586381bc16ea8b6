# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from typing import Any
from tensordsl.ops.special.beta import beta as beta
from tensordsl.ops.special.beta_incomplete import betainc as betainc
from tensordsl.ops.special.beta_incomplete import betaincinv as betaincinv
from tensordsl.ops.special.beta import betaln as betaln
from tensordsl.ops.special.gamma_inverse import chi2sf as chi2sf
dawsn: Any
digamma: Any
entr: Any
from tensordsl.ops.math.functions import erf as erf
from tensordsl.ops.math.functions import erfc as erfc
from tensordsl.ops.math.functions import erfcinv as erfcinv
from tensordsl.ops.math.functions import erfcx as erfcx
from tensordsl.ops.math.functions import erfinv as erfinv
exp1: Any
from tensordsl.ops.math.functions import sigmoid as expit
from tensordsl.ops.special.integrals import expn as expn
factorial: Any
gamma: Any
from tensordsl.ops.special.gamma_incomplete import gammainc as gammainc
from tensordsl.ops.special.gamma_incomplete import gammaincc as gammaincc
from tensordsl.ops.special.gamma_inverse import gammainccinv as gammainccinv
from tensordsl.ops.special.gamma_inverse import gammaincinv as gammaincinv
from tensordsl.ops.special.gamma_inverse import gammal as gammal
gammaln: Any
from tensordsl.ops.special.gamma_inverse import gammau as gammau
from tensordsl.ops.special.hypergeometric import hyp2f1 as hyp2f1
i0: Any
i0e: Any
i1: Any
i1e: Any
from tensordsl.ops.special.bessel_order import iv as iv
from tensordsl.ops.special.bessel_order import ive as ive
j0: Any
j1: Any
from tensordsl.ops.special.bessel_order import jv as jn
from tensordsl.ops.special.bessel_order import jv as jv
k0: Any
k1: Any
from tensordsl.ops.special.logarithms import kl_div as kl_div
from tensordsl.ops.special.bessel_order import kv as kn
from tensordsl.ops.special.bessel_order import kv as kv
from tensordsl.ops.special.bessel_order import kve as kve
lambertw: Any
from tensordsl.ops.math.functions import log1mexp as log1mexp
from tensordsl.ops.math.functions import softplus as log1pexp
log_ndtr: Any
logit: Any
from tensordsl.ops.array.reduce import logsumexp as logsumexp
ndtr: Any
ndtri: Any
ndtri_exp: Any
from tensordsl.ops.special.integrals import owens_t as owens_t
from tensordsl.ops.special.beta import poch as poch
from tensordsl.ops.math.gamma import polygamma as polygamma
psi: Any
from tensordsl.ops.special.logarithms import rel_entr as rel_entr
from tensordsl.ops.math.functions import sigmoid as sigmoid
sinc: Any
from tensordsl.ops.math.functions import softplus as softplus
tri_gamma: Any
from tensordsl.ops.special.logarithms import xlog1py as xlog1py
from tensordsl.ops.array.grids import xlogy as xlogy
y0: Any
y1: Any
from tensordsl.ops.special.bessel_order import yv as yn
from tensordsl.ops.special.bessel_order import yv as yv
from tensordsl.ops.special.zeta import zeta as zeta
from tensordsl.ops.special.softmax import log_softmax as log_softmax
from tensordsl.ops.special.softmax import softmax as softmax

__all__ = ["beta", "betainc", "betaincinv", "betaln", "chi2sf", "dawsn", "digamma", "entr", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "exp1", "expit", "expn", "factorial", "gamma", "gammainc", "gammaincc", "gammainccinv", "gammaincinv", "gammal", "gammaln", "gammau", "hyp2f1", "i0", "i0e", "i1", "i1e", "iv", "ive", "j0", "j1", "jn", "jv", "k0", "k1", "kl_div", "kn", "kv", "kve", "lambertw", "log1mexp", "log1pexp", "log_ndtr", "log_softmax", "logit", "logsumexp", "ndtr", "ndtri", "ndtri_exp", "owens_t", "poch", "polygamma", "psi", "rel_entr", "sigmoid", "sinc", "softmax", "softplus", "tri_gamma", "xlog1py", "xlogy", "y0", "y1", "yn", "yv", "zeta"]
