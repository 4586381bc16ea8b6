"""Names of JAX, PyTorch, TensorFlow, Keras and PyTensor that programs look for: what there is instead.

One row: what to write, and the names that it answers.  Each expression in backticks that begins with `T.` or
`tensordsl.` exists; a test looks them up.
"""

from __future__ import annotations

from collections.abc import Mapping

_ROWS: Mapping[str, str] = {
    "`tensordsl.function([x], y)` compiles": "jit pmap compile_fn placeholder block_until_ready",
    "`tensordsl.function([x], [cost, *T.grad(cost, [x])])` computes a cost with its gradient; both are expressions": (
        "value_and_grad backward autograd GradientTape tape requires_grad grad_and_value enable_grad"
    ),
    "it is `T.jacobian(y, x)`": "jacfwd jacrev",
    "it is `T.Rop(y, x, v)`": "jvp pushforward linearize",
    "it is `T.Lop(y, x, v)`": "vjp pullback linear_transpose",
    "it is `T.jacobian`, in `tensordsl.tensor` and `tensordsl.gradient`": "jacobian",
    "it is `T.hessian`, in `tensordsl.tensor` and `tensordsl.gradient`": "hessian",
    "`tensordsl.scan_checkpoints` keeps some rounds of a loop only": "checkpoint remat",
    "`tensordsl.gradient.disconnected_grad(x)` lets no gradient through": (
        "stop_gradient detach no_grad StopGradient disconnected_grad consider_constant"
    ),
    "a gradient of one's own is that of an operation (docs/custom-ops.md), or of `tensordsl.OpFromGraph`": (
        "custom_vjp custom_jvp custom_gradient custom_grad"
    ),
    "`T.switch(condition, a, b)` chooses at each point, `tensordsl.ifelse.ifelse(condition, a, b)` computes one of two "
    "only; the condition number of a matrix is `T.linalg.cond(x)`": "cond",
    "it is `tensordsl.ifelse.ifelse(condition, a, b)`": "ifelse lax_cond",
    "it is `T.choose(index, choices)`; of two `T.switch`": "select_n switch_case",
    "it is tensordsl.scan, with map, reduce, foldl, foldr, scan_checkpoints and loop beside it": (
        "fori_loop associative_scan map_fn vectorized_map"
    ),
    "it is `T.trapezoid`": "trapz",
    "it is `T.nnet.relu(x)`; `T.nnet.relu(x, alpha)` leaks": "relu leaky_relu leakyrelu",
    "it is `T.clip(T.nnet.relu(x), 0, 6)`": "relu6",
    "it is `T.switch(x > 0, x, alpha * T.expm1(x / alpha))`": "celu",
    "it is `x * T.nnet.sigmoid(x)`": "silu swish",
    "it is `x * T.nnet.hard_sigmoid(x)`": "hard_swish hardswish",
    "it is `0.5 * x * (1 + T.erf(x / 2**0.5))`": "gelu",
    "it is `x * T.tanh(T.nnet.softplus(x))`": "mish",
    "it is `x - T.tanh(x)`": "tanhshrink",
    "it is `(x + T.sqrt(x**2 + b)) / 2`": "squareplus",
    "it is `T.clip(x, -1, 1)`": "hard_tanh hardtanh",
    "it is `T.nnet.hard_sigmoid`": "hardsigmoid",
    "it is `T.nnet.softsign`": "soft_sign",
    "it is `T.nnet.logsigmoid`": "log_sigmoid",
    "it is `a * T.nnet.sigmoid(b)` of the two halves": "glu",
    "it is `T.to_one_hot(y, n)`": "one_hot OneHot",
    "it is `(x - x.mean(axis, keepdims=True)) / x.std(axis, keepdims=True)`": "standardize normalize layer_norm",
    "it is `T.nnet.batch_normalization_train`, and `T.nnet.batch_normalization_test`": "batch_norm BatchNorm",
    "multiply by `rng.binomial(x.shape, 1, keep) / keep`, of `rng = T.shared_randomstreams.RandomStreams()`": "dropout",
    "it is `W[i]`": "embedding embedding_lookup",
    "it is `T.dot(x, W) + b`": "linear dense",
    "it is `T.nnet.categorical_crossentropy(p, y)`": (
        "cross_entropy categorical_cross_entropy nll_loss sparse_categorical_crossentropy softmax_cross_entropy"
    ),
    "it is `T.nnet.binary_crossentropy(p, y)`": "binary_cross_entropy bce_loss",
    "it is `T.nnet.sigmoid_binary_crossentropy(x, y)`": "binary_cross_entropy_with_logits bce_with_logits",
    "it is `T.mean((x - y)**2)`": "mse_loss mean_squared_error",
    "optimisers are updates of shared variables: `updates=[(w, w - rate * g)]` (docs/tutorial.md)": (
        "optim optimizers sgd adam rmsprop adagrad SGD Adam"
    ),
    "functions of neural networks are in `T.nnet`": "nn functional layers activations losses",
    "functions of arrays are in `tensordsl.tensor`": "lax numpy jnp",
    "a function takes a list of inputs, and a list or a dictionary of outputs; there are no other trees": (
        "tree_map tree_util tree tree_flatten tree_leaves"
    ),
    "functions run on a device by config.device (docs/gpu.md)": "device device_put devices to_device",
    # random numbers
    "random numbers are drawn by `T.random`, or by `T.shared_randomstreams.RandomStreams(seed)`": (
        "rand randn randint normal uniform bernoulli multinomial manual_seed random_normal random_uniform randperm "
        "rand_like randn_like PRNGKey"
    ),
    # indices and writes
    "it is `x[start:start + n]`, with symbolic bounds": "dynamic_slice narrow slice_in_dim dynamic_slice_in_dim",
    "it is `T.set_subtensor(x[i], y)`": (
        "dynamic_update_slice index_update index_copy index_fill scatter scatter_nd tensor_scatter_nd_update assign"
    ),
    "it is `T.inc_subtensor(x[i], y)`": "scatter_add index_add segment_sum assign_add",
    "it is `x[i]`, or `T.take`, `T.take_along_axis`": (
        "gather gather_nd index_select take_along_dim masked_select boolean_mask"
    ),
    "it is `T.switch(mask, value, x)`": "masked_fill",
    "it is `T.arange(n) < lengths[:, None]`": "sequence_mask",
    # shapes
    "it is `x.dimshuffle(axes)`, or `T.transpose(x, axes)`": "permute",
    "it is `x.reshape(shape)`": "view",
    "it is `x.flatten()`": "ravel",
    "it is `x.flatten(2)`": "batch_flatten",
    "it is `T.expand_dims(x, axis)`": "unsqueeze",
    "it is `T.broadcast_to(x, shape)`": "expand expand_as broadcast_in_dim",
    "it is `T.moveaxis`": "movedim",
    "it is `T.swapaxes`": "swapdims",
    "it is `x.T`": "t",
    "it is `T.concatenate`": "cat",
    "it is `T.vertical_stack`": "row_stack",
    "it is `T.split`, or `T.array_split`": "chunk tensor_split",
    "it is `T.unstack`": "unbind",
    "it is `T.repeat`": "repeat_interleave",
    "it is `x.ndim`": "ndim rank",
    "it is `x.size`": "numel",
    "it is `T.as_tensor_variable(value)`": "array asanyarray from_numpy convert_to_tensor ascontiguousarray",
    "it is `T.tensor(dtype=..., shape=...)`, or `T.dmatrix` and the like; a type is `tensordsl.TensorType`": "Tensor",
    "it is `tensordsl.shared(value)`": "variable Parameter",
    "it is a constructor of `tensordsl.tensor`: `T.scalar`, `T.vector`, `T.matrix`, ...": (
        "scalar vector matrix row col tensor3 tensor4 iscalar lscalar fscalar dscalar ivector lvector fvector dvector "
        "imatrix lmatrix fmatrix dmatrix Tensor Variable"
    ),
    # products and linear algebra
    "it is `T.dot`": "mm mv ger",
    "it is `T.batched_dot`, or `T.matmul`": "bmm batch_dot dot_general baddbmm",
    "it is `c + T.dot(a, b)`": "addmm addmv",
    "it is `T.linalg.multi_dot`": "chain_matmul",
    "it is `T.linalg.inv`": "inverse",
    "it is `T.linalg.pinv`": "pinverse",
    "it is `T.linalg.expm`": "matrix_exp",
    "it is `T.linalg.eigh`": "symeig",
    "it is `T.linalg.svd`": "svd_lowrank",
    "it is `T.linalg.inv(T.dot(L, L.T))`": "cholesky_inverse",
    "it is `T.swapaxes(x, -1, -2).conj()`": "adjoint",
    "it is `T.nnet.causal_conv1d`, or `T.nnet.conv2d` with rows of length 1": "conv1d",
    "it is `T.nnet.conv2d_transpose`": "conv_transpose",
    "it is `T.nnet.conv2d`, or `conv3d`": "conv_general_dilated",
    "it is `tensordsl.tensor.signal.pool.pool_2d`": "max_pool avg_pool",
    "neither built nor planned yet": "ifft rfft irfft fft2 ifft2 fftn ifftn stft istft",
    # arithmetic and reductions
    "it is `T.clip`": "clamp clamp_min clamp_max clip_by_value",
    "it is `1 / T.sqrt(x)`": "rsqrt",
    "it is `T.gammaln`": "lgamma",
    "it is `x - T.trunc(x)`": "frac",
    "it is `a + w * (b - a)`": "lerp",
    "it is `x + v * a * b`": "addcmul",
    "it is `x + v * a / b`": "addcdiv",
    "it is `T.neq`": "ne not_equal_to",
    "it is `T.neq(x, 0)`": "is_nonzero",
    "values exist when a function runs: `x.eval()`, or a call of `tensordsl.function`": "item tolist",
    "it is `T.topk`": "top_k",
    "it is `T.sort(x)[k]`": "kthvalue",
    "it is `T.min` and `T.max`": "aminmax",
    "it is `T.std` and `T.mean`": "std_mean",
    "it is `T.var` and `T.mean`": "var_mean",
    "it is `T.sum`": "reduce_sum",
    "it is `T.mean`": "reduce_mean",
    "it is `T.max`": "reduce_max",
    "it is `T.min`": "reduce_min",
    "it is `T.prod`": "reduce_prod",
    "it is `T.any`": "reduce_any",
    "it is `T.all`": "reduce_all",
    "it is `T.logsumexp`": "reduce_logsumexp",
    "it is a loop: `tensordsl.scan` with `T.maximum`, `T.minimum` or `T.logaddexp`": "cummax cummin logcumsumexp",
    "it is `T.bincount` of the most frequent: `T.argmax(T.bincount(x))`": "mode",
    "it is `T.histogram`": "histc",
    "it is `T.digitize`, or `T.searchsorted`": "bucketize",
    "it is `T.unique`": "unique_consecutive",
    "it is `T.diag`": "diag_embed",
    "it is `T.sqrt(T.sum((x - y)**2))`": "dist",
    "it is `T.sqrt(T.sum((x[:, None] - y[None])**2, axis=-1))`": "cdist pdist pairwise_distance",
    "it is `T.sum(x * y) / (T.sqrt(T.sum(x**2)) * T.sqrt(T.sum(y**2)))`": "cosine_similarity",
    "it is `T.meshgrid`, flattened and stacked": "cartesian_prod combinations",
    "it is `isinstance(x, tensordsl.Variable)`": "is_tensor",
    "it is a sum of `T.gammaln`": "mvlgamma multigammaln",
    # PyTensor's
    "it is `T.get_scalar_constant_value`": "get_underlying_scalar_constant_value",
    "rewrites are rules and passes of the compiler (docs/adding-a-rule.md)": (
        "rewriting rewrite rewrite_graph node_rewriter graph_rewriter"
    ),
    "every function takes operands with further axes in front, or `T.vectorize` maps it": "blockwise vectorize_graph",
    "minimisers and equations are NumPy's or SciPy's, around functions with gradients": "minimize root optimize",
    "axes with names are not built": "xtensor",
    "an expression is one already": "as_symbolic",
}
ROWS: Mapping[str, str] = {name: text for text, names in _ROWS.items() for name in names.split()}
