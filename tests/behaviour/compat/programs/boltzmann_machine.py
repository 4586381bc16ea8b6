"""A restricted Boltzmann machine by CD-3 without scan: MRG_RandomStreams, consider_constant, ifelse, a counter."""

import numpy as np
import theano
import theano.tensor as T
from theano.ifelse import ifelse
from theano.sandbox.rng_mrg import MRG_RandomStreams

floatX = theano.config.floatX
srng = MRG_RandomStreams(seed=234)
numpy_rng = np.random.RandomState(7)
W = theano.shared(theano._asarray(numpy_rng.normal(0, 0.05, (9, 6)), dtype=floatX), name="W")
vbias = theano.shared(np.zeros(9, dtype=floatX), name="vbias")
hbias = theano.shared(np.zeros(6, dtype=floatX), name="hbias")
calls = theano.shared(np.int64(0), name="calls")


def free_energy(v):
    return -T.dot(v, vbias) - T.nnet.softplus(T.dot(v, W) + hbias).sum(axis=1)


def sample(p):
    return srng.binomial(size=p.shape, n=1, p=p, dtype=floatX)


def gibbs(v):
    h = sample(T.nnet.sigmoid(T.dot(v, W) + hbias))
    return sample(T.nnet.sigmoid(T.dot(h, W.T) + vbias))


v = T.matrix("v")
chain = v
for _ in range(3):
    chain = gibbs(chain)
cost = T.mean(free_energy(v)) - T.mean(free_energy(chain))
gradients = theano.grad(cost, [W, vbias, hbias], consider_constant=[chain])
rate = ifelse(T.lt(calls, 300), T.constant(0.2, dtype=floatX), T.constant(0.02, dtype=floatX))
updates = [(p, p - rate * g) for p, g in zip((W, vbias, hbias), gradients)] + [(calls, calls + 1)]
mean_field = T.nnet.sigmoid(T.dot(T.nnet.sigmoid(T.dot(v, W) + hbias), W.T) + vbias)
train = theano.function([v], T.nnet.binary_crossentropy(mean_field, v).sum(axis=1).mean(), updates=updates)

bars = np.array([np.outer(np.eye(3)[k], np.ones(3)).ravel() for k in range(3)], dtype=floatX)
data = bars[numpy_rng.randint(3, size=60)]
history = [train(data) for _ in range(500)]
assert calls.get_value() == 500
assert history[-1] < 0.5 * history[0], (history[0], history[-1])
print("learned")
