"""The cases of fusion groups: each function takes a float dtype and gives a Group."""

from __future__ import annotations

from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.ops.array.reducers import ARGMAX, MAX, SUM


def multiply_add(T: str) -> Group:
    b = Builder()
    x, y, z = (b.load(Buffer(k, T, ("n",)), "i") for k in "xyz")
    return Group("multiply_add", {"i": "n"}, ("i",), (Out(Buffer("o", T, ("n",)), ("i",), b.add(b.mul(x, y), z)),))


def matrix_chain(T: str) -> Group:
    """exp(-(a-b)**2/2)*c+d with b along rows, c along columns."""
    b = Builder()
    A, D, Y = (Buffer(k, T, ("n", "m")) for k in "ady")
    a, d = b.load(A, "i", "j"), b.load(D, "i", "j")
    r, c = b.load(Buffer("b", T, ("m",)), "j"), b.load(Buffer("c", T, ("n",)), "i")
    t = b.sub(a, r)
    y = b.add(b.mul(b.call("exp", b.mul(b.mul(t, t), -0.5)), c), d)
    return Group("matrix_chain", {"i": "n", "j": "m"}, ("i", "j"), (Out(Y, ("i", "j"), y),))


def _softmax(b: Builder, x: Val, axis: str) -> Val:
    (m,) = b.reduce(MAX, axis, x)
    e = b.call("exp", b.sub(x, m))
    (s,) = b.reduce(SUM, axis, e)
    return b.div(e, s)


def softmax(T: str) -> Group:
    b, X, Y = Builder(), Buffer("x", T, ("n", "m")), Buffer("y", T, ("n", "m"))
    y = _softmax(b, b.load(X, "i", "j"), "j")
    return Group("softmax", {"i": "n", "j": "m"}, ("i",), (Out(Y, ("i", "j"), y),))


def softmax0(T: str) -> Group:
    b, X, Y = Builder(), Buffer("x", T, ("n", "m")), Buffer("y", T, ("n", "m"))
    y = _softmax(b, b.load(X, "i", "j"), "i")
    return Group("softmax0", {"j": "m", "i": "n"}, ("j",), (Out(Y, ("i", "j"), y),))


def argmax(T: str) -> Group:
    b, X, Y = Builder(), Buffer("x", T, ("n", "m")), Buffer("y", "int64", ("n",))
    _, k = b.reduce(ARGMAX, ("j",), b.load(X, "i", "j"), b.index("j"))
    return Group("argmax", {"i": "n", "j": "m"}, ("i",), (Out(Y, ("i",), k),))


def greatest(T: str) -> Group:
    b, X, Y = Builder(), Buffer("x", T, ("n", "m")), Buffer("y", T, ("n",))
    (best,) = b.reduce(MAX, ("j",), b.load(X, "i", "j"))
    return Group("greatest", {"i": "n", "j": "m"}, ("i",), (Out(Y, ("i",), best),))


def argmax0(T: str) -> Group:
    b, X, Y = Builder(), Buffer("x", T, ("n", "m")), Buffer("y", "int64", ("m",))
    _, k = b.reduce(ARGMAX, ("i",), b.load(X, "i", "j"), b.index("i"))
    return Group("argmax0", {"j": "m", "i": "n"}, ("j",), (Out(Y, ("j",), k),))


def meanvar(T: str) -> Group:
    """Mean and variance by two sums."""
    b, X, M, V = Builder(), Buffer("x", T, ("n", "m")), Buffer("mean", T, ("n",)), Buffer("var", T, ("n",))
    x, n = b.load(X, "i", "j"), b.cast(b.extent("m"), T)
    m = b.div(b.reduce(SUM, ("j",), x)[0], n)
    d = b.sub(x, m)
    v = b.div(b.reduce(SUM, ("j",), b.mul(d, d))[0], n)
    return Group("meanvar", {"i": "n", "j": "m"}, ("i",), (Out(M, ("i",), m), Out(V, ("i",), v)))


def gathersum(T: str) -> Group:
    b, W, I, Y = Builder(), Buffer("w", T, ("v", "m")), Buffer("idx", "int64", ("n",)), Buffer("y", T, ("n",))
    (s,) = b.reduce(SUM, ("j",), b.load(W, b.load(I, "i"), "j"))
    return Group("gathersum", {"i": "n", "j": "m"}, ("i",), (Out(Y, ("i",), s),))


def gathersum0(T: str) -> Group:
    """The same with the index along the reduced axis: sum_i w[idx[i], j]."""
    b, W, I, Y = Builder(), Buffer("w", T, ("v", "m")), Buffer("idx", "int64", ("n",)), Buffer("y", T, ("m",))
    (s,) = b.reduce(SUM, ("i",), b.load(W, b.load(I, "i"), "j"))
    return Group("gathersum0", {"j": "m", "i": "n"}, ("j",), (Out(Y, ("j",), s),))


def layernorm(T: str) -> Group:
    b, X, Y = Builder(), Buffer("x", T, ("n", "m")), Buffer("y", T, ("n", "m"))
    g, h = b.load(Buffer("g", T, ("m",)), "j"), b.load(Buffer("b", T, ("m",)), "j")
    x, n = b.load(X, "i", "j"), b.cast(b.extent("m"), T)
    d = b.sub(x, b.div(b.reduce(SUM, ("j",), x)[0], n))
    var = b.div(b.reduce(SUM, ("j",), b.mul(d, d))[0], n)
    r = b.div(1.0, b.sqrt(b.add(var, 1e-5)))
    y = b.add(b.mul(b.mul(d, r), g), h)
    return Group("layernorm", {"i": "n", "j": "m"}, ("i",), (Out(Y, ("i", "j"), y),))


def fullsum(T: str) -> Group:
    b = Builder()
    x, y, z = (b.load(Buffer(k, T, ("n",)), "i") for k in "abc")
    (s,) = b.reduce(SUM, ("i",), b.call("exp", b.add(b.mul(x, y), z)))
    return Group("fullsum", {"i": "n"}, (), (Out(Buffer("y", T, ()), (), s),))


def total(T: str) -> Group:
    """The sum of a matrix: two local axes."""
    b = Builder()
    (s,) = b.reduce(SUM, ("i", "j"), b.load(Buffer("x", T, ("n", "m")), "i", "j"))
    return Group("total", {"i": "n", "j": "m"}, (), (Out(Buffer("y", T, ()), (), s),))


def colsum(T: str) -> Group:
    b, X, Y = Builder(), Buffer("x", T, ("n", "m")), Buffer("y", T, ("m",))
    (s,) = b.reduce(SUM, ("i",), b.load(X, "i", "j"))
    return Group("colsum", {"j": "m", "i": "n"}, ("j",), (Out(Y, ("j",), s),))


def crossentropy(T: str) -> Group:
    """logsumexp(x[i,:]) - x[i, t[i]]; the target's logit is an indexed load without j: a row scalar."""
    b, X, I, Y = Builder(), Buffer("x", T, ("n", "m")), Buffer("t", "int64", ("n",)), Buffer("y", T, ("n",))
    x = b.load(X, "i", "j")
    (m,) = b.reduce(MAX, ("j",), x)
    (s,) = b.reduce(SUM, ("j",), b.call("exp", b.sub(x, m)))
    y = b.sub(b.add(b.call("log", s), m), b.load(X, "i", b.load(I, "i")))
    return Group("crossentropy", {"i": "n", "j": "m"}, ("i",), (Out(Y, ("i",), y),))


def broadcast3(T: str) -> Group:
    """exp(a * 0.5) + b with a (n, 1, m) and b (k, 1)."""
    b = Builder()
    A, B, Y = Buffer("a", T, ("n", 1, "m")), Buffer("b", T, ("k", 1)), Buffer("y", T, ("n", "k", "m"))
    y = b.add(b.call("exp", b.mul(b.load(A, "n", 0, "m"), 0.5)), b.load(B, "k", 0))
    return Group("broadcast3", {"n": "n", "k": "k", "m": "m"}, ("n", "k", "m"), (Out(Y, ("n", "k", "m"), y),))


def lookup(T: str) -> Group:
    """sum_j w[t[i, j]] * x[i, j]: an index per element."""
    b, X, I, W = Builder(), Buffer("x", T, ("n", "m")), Buffer("t", "int64", ("n", "m")), Buffer("w", T, ("v",))
    (s,) = b.reduce(SUM, ("j",), b.mul(b.load(W, b.load(I, "i", "j")), b.load(X, "i", "j")))
    return Group("lookup", {"i": "n", "j": "m"}, ("i",), (Out(Buffer("y", T, ("n",)), ("i",), s),))


def pick(T: str) -> Group:
    """x[i, t[i]]: lane and index in one map."""
    b, X, I, Y = Builder(), Buffer("x", T, ("n", "m")), Buffer("t", "int64", ("n",)), Buffer("y", T, ("n",))
    return Group("pick", {"i": "n"}, ("i",), (Out(Y, ("i",), b.load(X, "i", b.load(I, "i"))),))


def momentum(T: str) -> Group:
    """Two outputs: m' = 0.9 m - 0.01 g, w' = w + m'."""
    b = Builder()
    w, m, g = (b.load(Buffer(k, T, ("n", "k")), "i", "j") for k in "wmg")
    new = b.sub(b.mul(m, 0.9), b.mul(g, 0.01))
    outs = (
        Out(Buffer("p", T, ("n", "k")), ("i", "j"), new),
        Out(Buffer("q", T, ("n", "k")), ("i", "j"), b.add(w, new)),
    )
    return Group("momentum", {"i": "n", "j": "k"}, ("i", "j"), outs)


CASES = (
    multiply_add, softmax, softmax0, argmax, argmax0, meanvar, gathersum, gathersum0, layernorm, fullsum, total, colsum,
    crossentropy, broadcast3, lookup, pick, momentum,
)  # fmt: skip
