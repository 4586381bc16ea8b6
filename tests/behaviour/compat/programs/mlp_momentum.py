"""A network with hidden layers, dropout that is off, Nesterov's momentum as a list of updates, shared learning rate."""

import sys
from collections import OrderedDict

import numpy as np
import theano
from theano import tensor as T
from theano.compile.nanguardmode import NanGuardMode
from theano.tensor.nnet.nnet import softmax

floatX = theano.config.floatX
rng = np.random.RandomState(4)


def layer(x, n_in, n_out, activation):
    W = theano.shared(np.asarray(rng.uniform(-1, 1, (n_in, n_out)) * np.sqrt(6.0 / (n_in + n_out)), dtype=floatX), "W")
    b = theano.shared(np.zeros(n_out, dtype=floatX), name="b")
    return activation(T.dot(x, W) + b), [W, b]


def momentum(cost, params, rate, mu):
    updates = OrderedDict()
    for p, g in zip(params, T.grad(cost, params)):
        v = theano.shared(np.zeros(p.get_value(borrow=True).shape, dtype=floatX), broadcastable=p.broadcastable)
        step = mu * v - rate * g
        updates[v] = step
        updates[p] = p + mu * step - rate * g
    return updates


x, y = T.fmatrix("x") if floatX == "float32" else T.dmatrix("x"), T.lvector("y")
h, p1 = layer(x, 8, 16, T.tanh)
h, p2 = layer(h, 16, 16, T.nnet.relu)
out, p3 = layer(h, 16, 4, softmax)
params = p1 + p2 + p3
cost = T.nnet.categorical_crossentropy(out, y).mean()
penalty = 1e-4 * T.sum([T.sum(p**2) for p in params if p.ndim == 2])
rate = theano.shared(np.float64(0.1).astype(floatX), name="rate")
updates = momentum(cost + penalty, params, rate, 0.9)
updates[rate] = T.maximum(rate * np.asarray(0.995, dtype=floatX), np.asarray(1e-3, dtype=floatX))
train = theano.function([x, theano.In(y, name="labels")], [cost, T.mean(T.eq(T.argmax(out, 1), y))], updates=updates)
guarded = theano.function([x], out, mode=NanGuardMode(nan_is_error=True, inf_is_error=True, big_is_error=True))

data = rng.normal(size=(256, 8)).astype(floatX)
labels = (data[:, :2] > 0).dot([1, 2])
for epoch in range(15):
    for k in range(0, 256, 32):
        value, accuracy = train(data[k : k + 32], labels=labels[k : k + 32])
print("%.6f" % value)
print("%.4f" % accuracy)
print("%.6f" % rate.get_value())
print("%.5f" % guarded(data).max(axis=1).mean())
if len(sys.argv) > 1:
    print("arguments", sys.argv[1:], __name__, __file__.endswith("mlp_momentum.py"))
