"""Recurrent programs in the manner of the Deep Learning Tutorials, of Lasagne and of Keras, judged by loops in NumPy.

Values are compared with those of the loop, gradients with its differences.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.scan_module import until
from tensordsl.tensor.shared_randomstreams import RandomStreams

TIME, BATCH, INPUTS, UNITS = 5, 3, 4, 3
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0]], float)  # (batch, time)


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.RandomState(seed).normal(size=shape) * 0.5


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softmax(x: Any) -> Any:
    each = np.exp(x - x.max(-1, keepdims=True))
    return each / each.sum(-1, keepdims=True)


def weighted(value: Any) -> Any:
    """A number in which each element counts differently, of an array of any rank."""
    return (np.cos(np.arange(value.size)).reshape(value.shape) * value).sum()


def symbolically_weighted(value: Any) -> Any:
    return (T.cos(T.arange(value.size)).reshape(value.shape, ndim=value.ndim) * value).sum()


def agree(symbolic: Callable[..., Any], plain: Callable[..., Any], *values: Any, by: int | None = None) -> None:
    """The results of symbols and of arrays, and the gradients of their sums by the first `by` operands (or all)."""
    values = tuple(np.asarray(value) for value in values)
    symbols = [T.TensorType(value.dtype, (False,) * value.ndim)(f"v{k}") for k, value in enumerate(values)]
    by = len(values) if by is None else by
    results = symbolic(*symbols)
    results = list(results) if isinstance(results, list | tuple) else [results]
    cost = sum(symbolically_weighted(r) for r in results if r.dtype.startswith("float"))
    gradients = T.grad(cost, symbols[:by])
    found = theano.function(symbols, results + gradients, on_unused_input="ignore")(*values)

    def listed(*values: Any) -> list[Any]:
        out = plain(*values)
        return [np.asarray(v) for v in (out if isinstance(out, list | tuple) else [out])]

    for one, other in zip(found, listed(*values), strict=False):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)

    def at(k: int, moved: Any) -> float:
        given = [*values[:k], moved, *values[k + 1 :]]
        return sum(weighted(v) for v in listed(*given) if v.dtype.kind == "f")

    for k, gradient in enumerate(found[len(results) :]):
        slope = np.zeros(values[k].shape)
        for place in np.ndindex(*slope.shape):
            step = np.zeros(slope.shape)
            step[place] = 1e-6
            slope[place] = (at(k, values[k] + step) - at(k, values[k] - step)) / 2e-6
        np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-7)


# -- in the manner of the Deep Learning Tutorials ----------------------------------------------------------------------
def test_an_elman_net_over_windows_of_words() -> None:
    words, size, classes = 7, 2, 4
    windows = np.array([[6, 0, 3], [0, 3, 5], [3, 5, 1], [5, 1, 6]])
    labels = np.array([1, 3, 0, 2])

    def net(emb: Any, wx: Any, wh: Any, w: Any, bh: Any, b: Any, h0: Any, idxs: Any, y: Any) -> Any:
        x = emb[idxs].reshape((idxs.shape[0], size * windows.shape[1]))

        def recurrence(x_t: Any, h_tm1: Any) -> Any:
            h_t = T.nnet.sigmoid(T.dot(x_t, wx) + T.dot(h_tm1, wh) + bh)
            s_t = T.nnet.softmax(T.dot(h_t, w) + b)
            return [h_t, s_t]

        [_, s], _ = theano.scan(fn=recurrence, sequences=x, outputs_info=[h0, None], n_steps=x.shape[0])
        p_y = s[:, 0, :]
        last, all_but = s[-1, 0, :], T.argmax(p_y, axis=1)
        return -T.mean(T.log(p_y)[T.arange(x.shape[0]), y]), last, all_but

    def loop(emb: Any, wx: Any, wh: Any, w: Any, bh: Any, b: Any, h0: Any, idxs: Any, y: Any) -> Any:
        h, out = h0, []
        for row in emb[idxs].reshape(len(idxs), -1):
            h = sigmoid(row @ wx + h @ wh + bh)
            out.append(softmax(h @ w + b))
        p = np.array(out)
        return -np.mean(np.log(p)[np.arange(len(y)), y]), p[-1], p.argmax(1)

    agree(
        net, loop, normal(0, words, size), normal(1, size * 3, UNITS), normal(2, UNITS, UNITS),
        normal(3, UNITS, classes), normal(4, UNITS), normal(5, classes), normal(6, UNITS), windows, labels, by=7,
    )  # fmt: skip


def test_an_elman_net_learns_and_keeps_its_embeddings_normal() -> None:
    floatX = theano.config.floatX
    emb = theano.shared(normal(0, 7, 2).astype(floatX), name="embeddings")
    wx, wh = theano.shared(normal(1, 2, UNITS)), theano.shared(normal(2, UNITS, UNITS))
    w, h0 = theano.shared(normal(3, UNITS, 7)), theano.shared(np.zeros(UNITS))
    params = [emb, wx, wh, w, h0]
    idxs, y, lr = T.ivector("idxs"), T.ivector("y"), T.scalar("lr")

    def recurrence(x_t: Any, h_tm1: Any) -> Any:
        h_t = T.tanh(T.dot(x_t, wx) + T.dot(h_tm1, wh))
        return [h_t, T.nnet.softmax(T.dot(h_t, w))]

    [_, s], _ = theano.scan(recurrence, sequences=emb[idxs], outputs_info=[h0, None], n_steps=idxs.shape[0])
    nll = -T.mean(T.log(s[:, 0, :])[T.arange(y.shape[0]), y])
    updates = OrderedDict((p, p - lr * g) for p, g in zip(params, T.grad(nll, params), strict=True))
    train = theano.function(inputs=[idxs, y, lr], outputs=nll, updates=updates)
    normalize = theano.function([], updates={emb: emb / T.sqrt((emb**2).sum(axis=1)).dimshuffle(0, "x")})
    sentence = np.array([0, 4, 2, 6, 1], "int32")
    losses = []
    for _ in range(200):
        losses.append(float(train(sentence, sentence[::-1].astype("int32"), 0.5)))
        normalize()
    assert losses[-1] < 0.2 * losses[0]
    np.testing.assert_allclose(np.sum(emb.get_value() ** 2, axis=1), 1)


def test_a_masked_lstm_with_mean_pooling() -> None:
    def floatx(data: Any) -> Any:
        return np.asarray(data, dtype=theano.config.floatX)

    def layer(state_below: Any, w: Any, u: Any, b: Any, mask: Any) -> Any:
        nsteps, n_samples = state_below.shape[0], state_below.shape[1]

        def _slice(_x: Any, n: int, dim: int) -> Any:
            if _x.ndim == 3:
                return _x[:, :, n * dim : (n + 1) * dim]
            return _x[:, n * dim : (n + 1) * dim]

        def _step(m_: Any, x_: Any, h_: Any, c_: Any) -> Any:
            preact = T.dot(h_, u)
            preact += x_
            i, f = T.nnet.sigmoid(_slice(preact, 0, UNITS)), T.nnet.sigmoid(_slice(preact, 1, UNITS))
            o, c = T.nnet.sigmoid(_slice(preact, 2, UNITS)), T.tanh(_slice(preact, 3, UNITS))
            c = f * c_ + i * c
            c = m_[:, None] * c + (1.0 - m_)[:, None] * c_
            h = o * T.tanh(c)
            h = m_[:, None] * h + (1.0 - m_)[:, None] * h_
            return h, c

        state_below = T.dot(state_below, w) + b
        rval, _ = theano.scan(
            _step,
            sequences=[mask, state_below],
            outputs_info=[T.alloc(floatx(0.0), n_samples, UNITS), T.alloc(floatx(0.0), n_samples, UNITS)],
            name="_layers",
            n_steps=nsteps,
        )
        proj = (rval[0] * mask[:, :, None]).sum(axis=0)
        return proj / mask.sum(axis=0)[:, None]

    def loop(x: Any, w: Any, u: Any, b: Any, mask: Any) -> Any:
        h, c, total = np.zeros((BATCH, UNITS)), np.zeros((BATCH, UNITS)), 0
        for x_t, m in zip(x, mask[:, :, None], strict=True):
            z = (x_t @ w + b + h @ u).reshape(BATCH, 4, UNITS)
            new = sigmoid(z[:, 1]) * c + sigmoid(z[:, 0]) * np.tanh(z[:, 3])
            c = m * new + (1 - m) * c
            h = m * sigmoid(z[:, 2]) * np.tanh(c) + (1 - m) * h
            total = total + m * h
        return total / mask.sum(0)[:, None]

    agree(
        layer, loop, normal(0, TIME, BATCH, INPUTS), normal(1, INPUTS, 4 * UNITS), normal(2, UNITS, 4 * UNITS),
        normal(3, 4 * UNITS), MASK.T, by=4,
    )  # fmt: skip


class Chorale:
    """A restricted Boltzmann machine whose biases a recurrent net gives for each moment of a piece."""

    VISIBLE, HIDDEN, RECURRENT = 5, 4, 3

    def __init__(self) -> None:
        self.rng = RandomStreams(3)
        v, h, r = self.VISIBLE, self.HIDDEN, self.RECURRENT
        shapes = {"W": (v, h), "bv": (v,), "bh": (h,), "Wuh": (r, h), "Wuv": (r, v), "Wvu": (v, r), "Wuu": (r, r),
                  "bu": (r,)}  # fmt: skip
        self.params = [theano.shared(normal(k, *s), name=n) for k, (n, s) in enumerate(shapes.items())]
        self.W, self.bv, self.bh, self.Wuh, self.Wuv, self.Wvu, self.Wuu, self.bu = self.params
        self.u0 = T.zeros((r,))

    def rbm(self, v: Any, bv: Any, bh: Any, k: int) -> Any:
        def gibbs_step(v: Any) -> Any:
            mean_h = T.nnet.sigmoid(T.dot(v, self.W) + bh)
            h = self.rng.binomial(size=mean_h.shape, n=1, p=mean_h, dtype=theano.config.floatX)
            mean_v = T.nnet.sigmoid(T.dot(h, self.W.T) + bv)
            return mean_v, self.rng.binomial(size=mean_v.shape, n=1, p=mean_v, dtype=theano.config.floatX)

        chain, updates = theano.scan(lambda v: gibbs_step(v)[1], outputs_info=[v], n_steps=k)
        v_sample = chain[-1]

        def free_energy(v: Any) -> Any:
            return -(v * bv).sum() - T.log(1 + T.exp(T.dot(v, self.W) + bh)).sum()

        return v_sample, (free_energy(v) - free_energy(v_sample)) / v.shape[0], updates

    def recurrence(self, v_t: Any, u_tm1: Any) -> Any:
        bv_t, bh_t = self.bv + T.dot(u_tm1, self.Wuv), self.bh + T.dot(u_tm1, self.Wuh)
        generate = v_t is None
        updates = None
        if generate:
            v_t, _, updates = self.rbm(T.zeros((self.VISIBLE,)), bv_t, bh_t, k=4)
        u_t = T.tanh(self.bu + T.dot(v_t, self.Wvu) + T.dot(u_tm1, self.Wuu))
        return ([v_t, u_t], updates) if generate else [u_t, bv_t, bh_t]


def test_a_recurrent_boltzmann_machine_learns_what_follows_what() -> None:
    model, piece = Chorale(), np.eye(5)[[0, 1, 2, 3, 4] * 4]
    v = T.matrix("v")
    (_, bv_t, bh_t), updates = theano.scan(
        lambda v_t, u_tm1, *_: model.recurrence(v_t, u_tm1),
        sequences=v,
        outputs_info=[model.u0, None, None],
        non_sequences=model.params,
    )
    v_sample, cost, updates_rbm = model.rbm(v, bv_t[:], bh_t[:], k=3)
    updates.update(updates_rbm)
    gradient = T.grad(cost, model.params, consider_constant=[v_sample])
    judged = theano.function([v], [cost, v_sample, *gradient], updates=updates)
    before = [p.get_value() for p in model.params]

    def plain(sample: Any, W: Any, bv: Any, bh: Any, Wuh: Any, Wuv: Any, Wvu: Any, Wuu: Any, bu: Any) -> float:
        u, total = np.zeros(3), 0.0
        for row, drawn in zip(piece, sample, strict=True):
            bv_t, bh_t = bv + u @ Wuv, bh + u @ Wuh
            for one, sign in ((row, 1), (drawn, -1)):
                total -= sign * (one @ bv_t + np.log1p(np.exp(one @ W + bh_t)).sum())
            u = np.tanh(bu + row @ Wvu + u @ Wuu)
        return total / len(piece)

    found, sample, *gradients = judged(piece)
    assert set(np.unique(sample)) <= {0, 1}
    np.testing.assert_allclose(found, plain(sample, *before))
    for k, g in enumerate(gradients):
        for place in np.ndindex(*g.shape):
            step = np.zeros_like(g)
            step[place] = 1e-6
            ends = [plain(sample, *before[:k], before[k] + s * step, *before[k + 1 :]) for s in (1, -1)]
            np.testing.assert_allclose(g[place], (ends[0] - ends[1]) / 2e-6, rtol=1e-4, atol=1e-8)

    updates.update(OrderedDict((p, p - 0.1 * g) for p, g in zip(model.params, gradient, strict=True)))
    train = theano.function([v], cost, updates=updates)
    for _ in range(800):
        train(piece)
    (v_t, _), updates_generate = theano.scan(
        lambda u_tm1, *_: model.recurrence(None, u_tm1),
        outputs_info=[None, model.u0],
        non_sequences=model.params,
        n_steps=200,
    )
    generate = theano.function([], v_t, updates=updates_generate)
    music = generate()
    assert music.shape == (200, 5) and not np.array_equal(music, generate())
    follows = [np.argmax(b) == (np.argmax(a) + 1) % 5 for a, b in zip(music, music[1:], strict=False)]
    assert np.mean(follows) > 0.45  # of which chance finds a fifth


# -- in the manner of Lasagne's layers ---------------------------------------------------------------------------------
def unroll_scan(
    fn: Any, sequences: Any, outputs_info: Any, non_sequences: Any, n_steps: int, go_backwards: bool
) -> Any:
    """The same as `scan`, as a Python loop over known steps."""
    counter = reversed(range(n_steps)) if go_backwards else range(n_steps)
    output, prev_vals = [], outputs_info
    for i in counter:
        out_ = fn(*([s[i] for s in sequences] + prev_vals + list(non_sequences)))
        prev_vals = list(out_) if isinstance(out_, list | tuple) else [out_]
        output.append(prev_vals)
    return [T.stack([row[k] for row in output]) for k in range(len(output[0]))]


class Layer:
    """A layer of gated cells with memory, and its options, as constructors of such layers have them."""

    def __init__(self, backwards: bool, unroll: bool, precompute: bool, masked: bool, final: bool, clip: float) -> None:
        self.backwards, self.unroll_it, self.precompute = backwards, unroll, precompute
        self.masked, self.only_return_final, self.grad_clipping = masked, final, clip
        self.gradient_steps = -1

    def output(self, input: Any, W_in: Any, W_hid: Any, b: Any, hid_init: Any, cell_init: Any, mask: Any) -> Any:
        input = input.dimshuffle(1, 0, 2)
        seq_len, num_batch, _ = input.shape
        if self.precompute:
            input = T.dot(input, W_in) + b

        def slice_w(x: Any, n: int) -> Any:
            return x[:, n * UNITS : (n + 1) * UNITS]

        def step(input_n: Any, cell_previous: Any, hid_previous: Any, *args: Any) -> Any:
            if not self.precompute:
                input_n = T.dot(input_n, W_in) + b
            gates = input_n + T.dot(hid_previous, W_hid)
            if self.grad_clipping:
                gates = theano.gradient.grad_clip(gates, -self.grad_clipping, self.grad_clipping)
            ingate, forgetgate = T.nnet.sigmoid(slice_w(gates, 0)), T.nnet.sigmoid(slice_w(gates, 1))
            cell = forgetgate * cell_previous + ingate * T.tanh(slice_w(gates, 2))
            return [cell, T.nnet.sigmoid(slice_w(gates, 3)) * T.tanh(cell)]

        def step_masked(input_n: Any, mask_n: Any, cell_previous: Any, hid_previous: Any, *args: Any) -> Any:
            cell, hid = step(input_n, cell_previous, hid_previous, *args)
            return [T.switch(mask_n, cell, cell_previous), T.switch(mask_n, hid, hid_previous)]

        sequences, step_fun = [input], step
        if self.masked:
            sequences, step_fun = [input, mask.dimshuffle(1, 0, "x")], step_masked
        ones = T.ones((num_batch, 1))
        starts = [T.dot(ones, cell_init), T.dot(ones, hid_init)]
        non_seqs = [W_hid] if self.precompute else [W_hid, W_in, b]
        if self.unroll_it:
            _, hid_out = unroll_scan(step_fun, sequences, starts, non_seqs, TIME, self.backwards)
        else:
            _, hid_out = theano.scan(
                fn=step_fun,
                sequences=sequences,
                outputs_info=starts,
                go_backwards=self.backwards,
                truncate_gradient=self.gradient_steps,
                non_sequences=non_seqs,
                strict=True,
            )[0]
        if self.only_return_final:
            return hid_out[-1]
        hid_out = hid_out.dimshuffle(1, 0, 2)
        return hid_out[:, ::-1] if self.backwards else hid_out

    def loop(self, x: Any, w_in: Any, w_hid: Any, b: Any, hid_init: Any, cell_init: Any, mask: Any) -> Any:
        h, c = (np.repeat(start, len(x), axis=0) for start in (hid_init, cell_init))
        out = np.zeros((len(x), x.shape[1], UNITS))
        for t in range(x.shape[1])[:: -1 if self.backwards else 1]:
            z = (x[:, t] @ w_in + b + h @ w_hid).reshape(len(x), 4, UNITS)
            new_c = sigmoid(z[:, 1]) * c + sigmoid(z[:, 0]) * np.tanh(z[:, 2])
            new_h = sigmoid(z[:, 3]) * np.tanh(new_c)
            m = mask[:, t, None] if self.masked else 1
            c, h = np.where(m, new_c, c), np.where(m, new_h, h)
            out[:, t] = h
        return h if self.only_return_final else out


LAYER = (
    normal(0, BATCH, TIME, INPUTS), normal(1, INPUTS, 4 * UNITS), normal(2, UNITS, 4 * UNITS), normal(3, 4 * UNITS),
    normal(4, 1, UNITS), normal(5, 1, UNITS), MASK,
)  # fmt: skip
OPTIONS: dict[str, tuple[Any, ...]] = {  # backwards, unroll, precompute, masked, final, clip
    "plain": (False, False, True, False, False, 0),
    "backwards": (True, False, True, False, False, 0),
    "masked": (False, False, True, True, False, 0),
    "masked, backwards, the last": (True, False, True, True, True, 0),
    "nothing precomputed": (False, False, False, True, False, 0),
    "nothing precomputed, clipped, backwards": (True, False, False, False, True, 100),
    "unrolled": (False, True, True, True, False, 0),
    "unrolled, backwards": (True, True, False, True, True, 100),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_layer_with_its_options(options: tuple[Any, ...]) -> None:
    layer = Layer(*options)
    agree(layer.output, layer.loop, *LAYER, by=6)


@pytest.mark.parametrize("length", [0, 1, 2, 9])
def test_one_layer_serves_all_lengths(length: int) -> None:
    layer = Layer(True, False, True, True, False, 0)
    operands = [T.tensor3(), T.matrix(), T.matrix(), T.vector(), T.matrix(), T.matrix(), T.matrix()]
    out = layer.output(*operands)
    f = theano.function(operands, [out, *T.grad(out.sum(), operands[:6])])
    values = (normal(9, 2, length, INPUTS), *LAYER[1:6], np.ones((2, length)))
    found, *gradients = f(*values)
    np.testing.assert_allclose(found, layer.loop(*values))
    assert [g.shape for g in gradients] == [v.shape for v in values[:6]]


def test_gradient_steps_of_a_layer_are_those_of_the_last_rounds() -> None:
    """What flows through the last two rounds is the gradient of a loop over these, from where the first ones end."""
    layer = Layer(False, False, True, False, True, 0)
    layer.gradient_steps = 2
    x, *_, mask = (T.tensor3(), T.matrix())
    weights = [T.matrix(), T.matrix(), T.vector(), T.matrix(), T.matrix()]
    gradients = T.grad(layer.output(x, *weights, mask).sum(), weights[:3])
    found = theano.function([x, *weights, mask], gradients, on_unused_input="ignore")(*LAYER)
    whole = Layer(False, False, True, False, False, 0)
    c = h = np.zeros((BATCH, UNITS))
    c, h = (np.repeat(start, BATCH, axis=0) for start in (LAYER[5], LAYER[4]))
    for t in range(TIME - 2):
        z = (LAYER[0][:, t] @ LAYER[1] + LAYER[3] + h @ LAYER[2]).reshape(BATCH, 4, UNITS)
        c = sigmoid(z[:, 1]) * c + sigmoid(z[:, 0]) * np.tanh(z[:, 2])
        h = sigmoid(z[:, 3]) * np.tanh(c)

    def last(w_in: Any, w_hid: Any, b: Any) -> float:
        total = 0.0
        for k in range(BATCH):
            out = whole.loop(LAYER[0][k : k + 1, -2:], w_in, w_hid, b, h[k : k + 1], c[k : k + 1], MASK[:1, -2:])
            total += out[:, -1].sum()
        return total

    for k, gradient in enumerate(found):
        for place in np.ndindex(*gradient.shape):
            step = np.zeros_like(gradient)
            step[place] = 1e-6
            ends = [last(*(p + s * step if j == k else p for j, p in enumerate(LAYER[1:4]))) for s in (1, -1)]
            np.testing.assert_allclose(gradient[place], (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-8)


def test_a_gradient_is_clipped_in_each_round() -> None:
    x, w = T.vector("x"), T.scalar("w")
    out, _ = theano.scan(lambda a, h: theano.gradient.grad_clip(h * w, -1, 1) + a, x, T.zeros(()))
    # Each round hands on at most 1, times w.
    found = theano.function([x, w], T.grad(out[-1], x))(np.ones(4), 3.0)
    np.testing.assert_allclose(found, [3, 3, 3, 1])


# -- in the manner of Keras' backend -----------------------------------------------------------------------------------
def rnn(
    step_function: Any, inputs: Any, initial_states: Any, go_backwards: bool = False, mask: Any = None,
    constants: Any = None, unroll: bool = False, input_length: int = 0,
) -> Any:  # fmt: skip
    """(the last output, all outputs (samples, time, ...), the last states)."""
    axes = [1, 0, *range(2, inputs.ndim)]
    inputs = inputs.dimshuffle(axes)
    constants = constants or []
    if mask is not None:
        if mask.ndim == inputs.ndim - 1:
            mask = mask.dimshuffle(0, 1, "x")
        mask = mask.dimshuffle(axes)
    if unroll:
        indices = list(range(input_length))[:: -1 if go_backwards else 1]
        successive_outputs, states, prev_output = [], initial_states, None
        for i in indices:
            output, new_states = step_function(inputs[i], states + constants)
            if mask is not None:
                prev_output = T.zeros_like(output) if prev_output is None else prev_output
                output = T.switch(mask[i], output, prev_output)
                new_states = [T.switch(mask[i], n, s) for s, n in zip(states, new_states, strict=True)]
            prev_output, states = output, new_states
            successive_outputs.append(output)
        outputs = T.stack(*successive_outputs)
    elif mask is not None:
        initial_output = step_function(inputs[0], initial_states + constants)[0] * 0
        initial_output = T.unbroadcast(initial_output, 0, 1)

        def _step_masked(input: Any, mask: Any, output_tm1: Any, *states: Any) -> Any:
            outputs, new_states = step_function(input, list(states))
            outputs = T.switch(mask, outputs, output_tm1)
            count = len(initial_states)
            return [outputs] + [T.switch(mask, n, s) for s, n in zip(states[:count], new_states, strict=True)]

        results, _ = theano.scan(
            _step_masked,
            sequences=[inputs, mask],
            outputs_info=[dict(initial=initial_output, taps=[-1]), *initial_states],
            non_sequences=constants,
            go_backwards=go_backwards,
        )
        outputs, states = (results[0], results[1:]) if isinstance(results, list) else (results, [])
    else:

        def _step(input: Any, *states: Any) -> Any:
            outputs, new_states = step_function(input, list(states))
            return [outputs, *new_states]

        results, _ = theano.scan(
            _step,
            sequences=inputs,
            outputs_info=[None, *initial_states],
            non_sequences=constants,
            go_backwards=go_backwards,
        )
        outputs, states = (results[0], results[1:]) if isinstance(results, list) else (results, [])
    if not unroll:
        states = [state[-1] for state in states]
    last_output = T.squeeze(outputs)[-1]
    return last_output, outputs.dimshuffle(axes), states


def gated(x: Any, states: Any) -> Any:
    """A gated recurrent unit; its constants are masks of what is dropped, and the weights."""
    h, drop, kernel, recurrent, bias = states
    x_z, x_r, x_h = (T.dot(x, kernel[:, k * UNITS : (k + 1) * UNITS]) + bias[k] for k in range(3))
    r_z, r_r, r_h = (recurrent[:, k * UNITS : (k + 1) * UNITS] for k in range(3))
    z = T.clip(0.2 * (x_z + T.dot(h * drop, r_z)) + 0.5, 0.0, 1.0)
    r = T.clip(0.2 * (x_r + T.dot(h * drop, r_r)) + 0.5, 0.0, 1.0)
    new = T.tanh(x_h + T.dot(r * h * drop, r_h))
    h = z * h + (1 - z) * new
    return h, [h]


def gated_loop(
    x: Any, kernel: Any, recurrent: Any, bias: Any, drop: Any, mask: Any, has_mask: bool, backwards: bool
) -> Any:
    h, out = np.zeros((len(x), UNITS)), np.zeros((len(x), UNITS))
    outputs = []
    for t in range(x.shape[1])[:: -1 if backwards else 1]:
        x_z, x_r, x_h = (x[:, t] @ kernel[:, k * UNITS : (k + 1) * UNITS] + bias[k] for k in range(3))
        r_z, r_r, r_h = (recurrent[:, k * UNITS : (k + 1) * UNITS] for k in range(3))
        z, r = (np.clip(0.2 * (a + (h * drop) @ b) + 0.5, 0, 1) for a, b in ((x_z, r_z), (x_r, r_r)))
        new = z * h + (1 - z) * np.tanh(x_h + (r * h * drop) @ r_h)
        m = mask[:, t, None] if has_mask else 1
        out, h = np.where(m, new, out), np.where(m, new, h)
        outputs.append(out)
    return out, np.stack(outputs, axis=1), h


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("has_mask", [False, True])
def test_a_backends_rnn_function(has_mask: bool, backwards: bool, unroll: bool) -> None:
    def program(x: Any, kernel: Any, recurrent: Any, bias: Any, drop: Any, mask: Any) -> Any:
        start = T.zeros_like(x).sum(axis=(1, 2)).dimshuffle(0, "x")  # (samples, 1)
        start = T.tile(start, [1, UNITS])
        last, outputs, states = rnn(
            gated, x, [start], backwards, mask if has_mask else None, [drop, kernel, recurrent, bias], unroll, TIME
        )
        return [last, outputs, *states]

    def plain(*values: Any) -> Any:
        return gated_loop(*values, has_mask, backwards)

    values = normal(0, BATCH, TIME, INPUTS), normal(1, INPUTS, 3 * UNITS), normal(2, UNITS, 3 * UNITS), normal(3, 3)
    if unroll or has_mask:
        agree(program, plain, *values, np.full((BATCH, UNITS), 1.25), MASK, by=5)
    else:
        agree(program, plain, *values, np.full((BATCH, UNITS), 1.25), MASK, by=5)


def test_a_start_of_zeros_like_the_first_column() -> None:
    def program(x: Any, w: Any) -> Any:
        start = T.zeros_like(x[:, 0])
        out, _ = theano.scan(
            lambda row, h: T.tanh(row + T.dot(h, w)),
            sequences=x.dimshuffle(1, 0, 2),
            outputs_info=[dict(initial=start, taps=[-1])],
        )
        return out.dimshuffle(1, 0, 2)

    def loop(x: Any, w: Any) -> Any:
        h, out = 0 * x[:, 0], []
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] + h @ w)
            out.append(h)
        return np.stack(out, axis=1)

    agree(program, loop, normal(0, BATCH, TIME, INPUTS), normal(1, INPUTS, INPUTS))


def test_a_stateful_layer_goes_on_where_the_last_batch_ended() -> None:
    x, state, w = T.tensor3("x"), theano.shared(np.zeros((BATCH, UNITS))), theano.shared(normal(1, UNITS, UNITS))

    def step(row: Any, states: Any) -> Any:
        h = T.tanh(row + T.dot(states[0], w))
        return h, [h]

    _, outputs, states = rnn(step, x, [state])
    f = theano.function([x], outputs, updates=[(state, states[0])])
    data = normal(0, BATCH, 2 * TIME, UNITS)
    pieces = np.concatenate([f(data[:, :TIME]), f(data[:, TIME:])], axis=1)
    state.set_value(np.zeros((BATCH, UNITS)))
    np.testing.assert_allclose(pieces, f(data))


# -- other manners -----------------------------------------------------------------------------------------------------
def test_a_decoder_that_attends() -> None:
    def program(encoded: Any, targets: Any, w: Any, u: Any, v: Any) -> Any:
        projected = T.dot(encoded, u)  # (time, batch, units)

        def step(y: Any, h: Any, encoded: Any, projected: Any) -> Any:
            scores = T.dot(T.tanh(projected + T.dot(h, w)[None, :, :]), v)  # (time, batch)
            weights = T.nnet.softmax(scores.T).T
            context = (weights[:, :, None] * encoded).sum(axis=0)
            return T.tanh(y + context + h), weights, context

        (h, weights, _), _ = theano.scan(
            step,
            sequences=[targets],
            outputs_info=[dict(initial=T.zeros_like(targets[0])), None, None],
            non_sequences=[encoded, projected],
        )
        return h, weights

    def loop(encoded: Any, targets: Any, w: Any, u: Any, v: Any) -> Any:
        h, hs, ws = np.zeros_like(targets[0]), [], []
        for y in targets:
            weights = softmax((np.tanh(encoded @ u + h @ w) @ v).T).T
            h = np.tanh(y + (weights[:, :, None] * encoded).sum(0) + h)
            hs.append(h)
            ws.append(weights)
        return np.array(hs), np.array(ws)

    agree(
        program, loop, normal(0, TIME, BATCH, UNITS), normal(1, 4, BATCH, UNITS), normal(2, UNITS, UNITS),
        normal(3, UNITS, UNITS), normal(4, UNITS),
    )  # fmt: skip


def test_a_memory_that_is_written_by_index() -> None:
    """Rows of a carried matrix change in each round; what is read comes from where the round before wrote."""

    def program(x: Any, memory: Any, where: Any) -> Any:
        def step(row: Any, k: Any, memory: Any) -> Any:
            read = memory[(k + 1) % memory.shape[0]]
            return T.set_subtensor(memory[k], T.tanh(row + read)), read

        (memories, reads), _ = theano.scan(step, sequences=[x, where], outputs_info=[memory, None])
        return memories[-1], reads

    def loop(x: Any, memory: Any, where: Any) -> Any:
        memory, reads = memory.copy(), []
        for row, k in zip(x, where, strict=True):
            reads.append(memory[(k + 1) % len(memory)].copy())
            memory[k] = np.tanh(row + reads[-1])
        return memory, np.array(reads)

    agree(program, loop, normal(0, 6, 3), normal(1, 4, 3), np.array([0, 3, 3, 2, 1, 0]), by=2)


def test_a_clockwork_net_whose_blocks_move_at_their_own_times() -> None:
    periods = np.array([1, 2, 4])

    def program(x: Any, w: Any, h0: Any) -> Any:
        def step(row: Any, t: Any, h: Any) -> Any:
            moves = T.eq(t % T.constant(periods), 0)
            return T.switch(moves, T.tanh(row + T.dot(h, w)), h)

        return theano.scan(step, sequences=[x, T.arange(x.shape[0])], outputs_info=h0)[0]

    def loop(x: Any, w: Any, h: Any) -> Any:
        out = []
        for t, row in enumerate(x):
            h = np.where(t % periods == 0, np.tanh(row + h @ w), h)
            out.append(h)
        return np.array(out)

    agree(program, loop, normal(0, 7, 3), normal(1, 3, 3), normal(2, 3))


def test_layers_upon_layers_in_both_directions() -> None:
    def program(x: Any, *weights: Any) -> Any:
        for w in weights:
            both = []
            for backwards in (False, True):
                out, _ = theano.scan(
                    lambda row, h, w: T.tanh(row + T.dot(h, w)),
                    sequences=x,
                    outputs_info=T.zeros_like(x[0]),
                    non_sequences=w,
                    go_backwards=backwards,
                )
                both.append(out[::-1] if backwards else out)
            x = both[0] + both[1]
        return x

    def loop(x: Any, *weights: Any) -> Any:
        for w in weights:
            total = np.zeros_like(x)
            for order in (range(len(x)), reversed(range(len(x)))):
                h = np.zeros_like(x[0])
                for t in order:
                    h = np.tanh(x[t] + h @ w)
                    total[t] += h
            x = total
        return x

    agree(program, loop, normal(0, TIME, 3), normal(1, 3, 3), normal(2, 3, 3))


def test_the_probability_of_a_labelling_by_all_of_its_alignments() -> None:
    """Connectionist temporal classification, in probabilities: paths stay, go one on, or jump over a blank."""
    labels = np.array([0, 2, 0, 1, 0])  # blanks are 0
    jumps = np.array([0, 0, 0, 1, 0.0])

    def program(scores: Any) -> Any:
        p = T.nnet.softmax(scores)
        start = T.concatenate([p[0, labels[:2]], T.zeros((3,))])

        def step(row: Any, alpha: Any) -> Any:
            one = T.concatenate([T.zeros((1,)), alpha[:-1]])
            two = T.concatenate([T.zeros((2,)), alpha[:-2]])
            return (alpha + one + two * jumps) * row[labels]

        alphas, _ = theano.scan(step, sequences=p[1:], outputs_info=start)
        return -T.log(alphas[-1, -1] + alphas[-1, -2])

    def loop(scores: Any) -> Any:
        p = softmax(scores)
        alpha = np.array([p[0, 0], p[0, 2], 0, 0, 0])
        for row in p[1:]:
            before = alpha
            alpha = np.array(
                [
                    (before[k] + (before[k - 1] if k else 0) + (before[k - 2] * jumps[k] if k > 1 else 0))
                    * row[labels[k]]
                    for k in range(5)
                ]
            )
        return -np.log(alpha[-1] + alpha[-2])

    agree(program, loop, normal(0, 6, 3))


def test_a_sentence_is_written_until_its_full_stop() -> None:
    """Each letter is the most probable one after the last; the end is a letter, too."""
    table = np.full((4, 4), -1.0)
    table[[0, 2, 1], [2, 1, 3]] = 1.0  # 0 2 1 3: the letter 3 ends it
    scores = theano.shared(table)

    def step(letter: Any, total: Any) -> Any:
        row = scores[letter]
        new = T.argmax(row)
        return [new, total + row[new]], until(T.eq(new, 3))

    first = T.lscalar("first")
    (letters, totals), _ = theano.scan(step, outputs_info=[first, np.float64(0)], n_steps=50)
    write = theano.function([first], [letters, totals[-1]])
    found, total = write(0)
    assert found.tolist() == [2, 1, 3] and total == 3.0
    assert write(2)[0].tolist() == [1, 3]


def test_a_step_gives_a_dictionary_of_results() -> None:
    x, other = T.vector("x"), theano.shared(1.0)

    def step(a: Any, h: Any) -> Any:
        return [h + a, h * a], OrderedDict([(other, other * 2)])

    outputs, updates = theano.scan(step, x, [dict(initial=T.zeros(())), None])
    f = theano.function([x], outputs, updates=updates)
    sums, products = f([1.0, 2.0, 3.0])
    assert sums.tolist() == [1, 3, 6] and products.tolist() == [0, 2, 9] and other.get_value() == 8


def test_inputs_are_dropped_by_one_mask_or_by_one_for_each_round() -> None:
    """A mask among the non_sequences is drawn before the loop; one that the step uses besides is a part of it."""
    for is_given in (True, False):
        rng, x = RandomStreams(1), T.ones((50, 40))
        mask = rng.binomial((40,), p=0.5, dtype="float64")
        if is_given:
            out, updates = theano.scan(lambda row, m: row * m, sequences=x, non_sequences=[mask])
        else:
            out, updates = theano.scan(lambda row: row * mask, sequences=x)  # noqa: B023
        f = theano.function([], out, updates=updates)
        found, again = f(), f()
        assert len(updates) == (not is_given) and not np.array_equal(found, again)
        assert np.array_equal(found, np.repeat(found[:1], 50, axis=0)) == is_given


def test_what_is_computed_of_a_shared_variable_keeps_its_value_while_the_step_updates_it() -> None:
    c, x = theano.shared(1.0), T.vector("x")
    out, updates = theano.scan(lambda a, d: (a + d, {c: c + 1}), x, non_sequences=[c * 10], strict=False)
    f = theano.function([x], out, updates=updates)
    assert f([0.0, 0, 0]).tolist() == [10, 10, 10] and c.get_value() == 4
    assert f([0.0]).tolist() == [40]
