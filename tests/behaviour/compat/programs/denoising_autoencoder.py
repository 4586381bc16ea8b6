"""A denoising autoencoder with tied weights: corruption by RandomStreams."""

from __future__ import print_function

import numpy
import theano
import theano.tensor as T
from theano.tensor.shared_randomstreams import RandomStreams

try:
    import theano.sandbox.cuda

    raise SystemExit("there is no GPU back end")
except ImportError:
    pass


class dA(object):
    def __init__(self, numpy_rng, theano_rng=None, input=None, n_visible=16, n_hidden=8):
        if not theano_rng:
            theano_rng = RandomStreams(numpy_rng.randint(2**30))
        bound = 4 * numpy.sqrt(6.0 / (n_hidden + n_visible))
        initial_W = numpy.asarray(numpy_rng.uniform(-bound, bound, (n_visible, n_hidden)), dtype=theano.config.floatX)
        self.W = theano.shared(value=initial_W, name="W", borrow=True)
        self.b = theano.shared(numpy.zeros(n_hidden, dtype=theano.config.floatX), name="b", borrow=True)
        self.b_prime = theano.shared(numpy.zeros(n_visible, dtype=theano.config.floatX), borrow=True)
        self.W_prime = self.W.T
        self.theano_rng = theano_rng
        self.x = T.dmatrix(name="input") if input is None else input
        self.params = [self.W, self.b, self.b_prime]

    def get_cost_updates(self, corruption_level, learning_rate):
        kept = self.theano_rng.binomial(size=self.x.shape, n=1, p=1 - corruption_level, dtype=theano.config.floatX)
        y = T.nnet.sigmoid(T.dot(kept * self.x, self.W) + self.b)
        z = T.nnet.sigmoid(T.dot(y, self.W_prime) + self.b_prime)
        L = -T.sum(self.x * T.log(z) + (1 - self.x) * T.log(1 - z), axis=1)
        cost = T.mean(L)
        gparams = T.grad(cost, self.params)
        return cost, [(param, param - learning_rate * gparam) for param, gparam in zip(self.params, gparams)]


rng = numpy.random.RandomState(123)
patterns = rng.randint(2, size=(4, 16))
data = theano.shared(numpy.asarray(patterns[rng.randint(4, size=200)], dtype=theano.config.floatX))
x, index = T.matrix("x"), T.lscalar()
da = dA(rng, input=x)
cost, updates = da.get_cost_updates(corruption_level=0.3, learning_rate=theano.shared(0.1).astype(theano.config.floatX))
train = theano.function([index], cost, updates=updates, givens={x: data[index * 20 : (index + 1) * 20]})
history = [numpy.mean([train(k) for k in range(10)]) for epoch in range(40)]
assert all(isinstance(p, theano.compile.SharedVariable) for p in da.params)
assert history[-1] < 0.4 * history[0], history
assert len({"%.12f" % train(0) for _ in range(3)}) == 3, "each call draws another corruption"
print("learned")
