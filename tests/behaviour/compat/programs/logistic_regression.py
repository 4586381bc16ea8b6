"""Multinomial logistic regression with early stopping, in the manner of Theano's time: a class, shared data, givens."""

import numpy
import theano
import theano.tensor as T
from theano import config, function, shared


class LogisticRegression(object):
    def __init__(self, input, n_in, n_out):
        self.W = theano.shared(value=numpy.zeros((n_in, n_out), dtype=theano.config.floatX), name="W", borrow=True)
        self.b = theano.shared(value=numpy.zeros((n_out,), dtype=theano.config.floatX), name="b", borrow=True)
        self.p_y_given_x = T.nnet.softmax(T.dot(input, self.W) + self.b)
        self.y_pred = T.argmax(self.p_y_given_x, axis=1)
        self.params = [self.W, self.b]

    def negative_log_likelihood(self, y):
        return -T.mean(T.log(self.p_y_given_x)[T.arange(y.shape[0]), y])

    def errors(self, y):
        if y.ndim != self.y_pred.ndim:
            raise TypeError("y should have the same shape as self.y_pred", ("y", y.type, "y_pred", self.y_pred.type))
        if y.dtype.startswith("int"):
            return T.mean(T.neq(self.y_pred, y))
        raise NotImplementedError()


def make_data(n, seed):
    rng = numpy.random.RandomState(seed)
    centres = numpy.random.RandomState(0).normal(size=(3, 5)) * 2
    labels = rng.randint(3, size=n)
    points = centres[labels] + rng.normal(size=(n, 5))
    x = shared(numpy.asarray(points, dtype=config.floatX), borrow=True)
    y = shared(numpy.asarray(labels, dtype=config.floatX), borrow=True)
    return x, T.cast(y, "int32")


train_x, train_y = make_data(600, 1)
valid_x, valid_y = make_data(200, 2)
index = T.lscalar("index")
x, y = T.matrix("x"), T.ivector("y")
batch_size = 50
classifier = LogisticRegression(x, 5, 3)
cost = classifier.negative_log_likelihood(y) + 1e-3 * sum(T.sqr(p).sum() for p in classifier.params)
g_W = T.grad(cost=cost, wrt=classifier.W)
g_b = T.grad(cost=cost, wrt=classifier.b)
batch = slice(None)
train = function(
    inputs=[index],
    outputs=cost,
    updates=[(classifier.W, classifier.W - 0.13 * g_W), (classifier.b, classifier.b - 0.13 * g_b)],
    givens={
        x: train_x[index * batch_size : (index + 1) * batch_size],
        y: train_y[index * batch_size : (index + 1) * batch_size],
    },
)
validate = function([], classifier.errors(y), givens={x: valid_x, y: valid_y})
best, patience = numpy.inf, 5
for epoch in range(20):
    costs = [train(k) for k in range(600 // batch_size)]
    error = validate()
    if error < best:
        best, patience = error, 5
    elif patience == 0:
        break
    else:
        patience -= 1
print("%.8f" % numpy.mean(costs))
print("%.4f" % best)
print(" ".join("%.6f" % v for v in abs(classifier.W.get_value()).sum(axis=1)))
