"""Last rows of several results of one loop: only these are stored, and each is its own result's."""

import numpy as np

import tensordsl
import tensordsl.tensor as T


def test_the_last_rows_of_a_gibbs_sampler() -> None:
    r = np.random.RandomState(0)
    w, start = r.uniform(-0.1, 0.1, (7, 3)), (r.rand(2, 7) > 0.5) * 1.0
    weights, state = tensordsl.shared(w), tensordsl.shared(start)

    def step(v):
        a = T.dot(v, weights)
        b = T.nnet.sigmoid(a)
        h = b * 0.9
        c = T.dot(h, weights.T)
        m = T.nnet.sigmoid(c)
        return [a, b, h, c, m, m * 0.9]

    (*_, m, v), updates = tensordsl.scan(step, outputs_info=[None] * 5 + [state], n_steps=6)
    updates.update({state: v[-1]})
    f = tensordsl.function([], [m[-1], v[-1]], updates=updates)
    value = start
    for _ in range(2):
        for _ in range(6):
            mean = 1 / (1 + np.exp(-(0.9 / (1 + np.exp(-value @ w))) @ w.T))
            value = mean * 0.9
        got = f()
        np.testing.assert_allclose(got[0], mean, rtol=1e-12)
        np.testing.assert_allclose(got[1], value, rtol=1e-12)
    np.testing.assert_allclose(state.get_value(), value, rtol=1e-12)


def test_the_last_row_has_another_shape_than_the_state() -> None:
    x = T.matrix()
    results, _ = tensordsl.scan(lambda m: [m * 0.5, m.sum(axis=0)], outputs_info=[x, None], n_steps=8)
    np.testing.assert_array_equal(tensordsl.function([x], results[1][-1])(np.ones((2, 3))), [2 * 0.5**7] * 3)


def test_a_last_row_that_is_a_view_of_the_state_before() -> None:
    x = T.dvector()
    (_, b), _ = tensordsl.scan(lambda s: [s * 0.5 + 1, s[::-1]], outputs_info=[x, None], n_steps=5)
    np.testing.assert_allclose(tensordsl.function([x], b[-1])(np.array([-0.37, 0.2])), [1.8875, 1.851875])
