"""Names that a module does not have: what their errors say."""

from __future__ import annotations

import re
from importlib import import_module

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.base.foreign_names import ROWS
from tensordsl.base.missing import INSTEAD

# What programs for other libraries call, by where they would look for it here.
OTHERS = {
    "tensordsl.tensor": {
        "JAX": "jit grad value_and_grad jacfwd jacrev vjp jvp vmap pmap checkpoint custom_vjp custom_jvp stop_gradient "
        "cond fori_loop while_loop scan associative_scan select_n dynamic_slice dynamic_update_slice dot_general "
        "conv_general_dilated top_k rsqrt relu relu6 gelu silu swish elu selu celu leaky_relu log_sigmoid log_softmax "
        "softmax softplus soft_sign hard_tanh hard_sigmoid hard_swish one_hot glu logsumexp standardize mish squareplus "
        "segment_sum device_put block_until_ready trapz rfft ifft nn lax numpy",
        "NumPy": " ".join(n for n in dir(np) if n.islower() and callable(getattr(np, n)) and not n.startswith("_")),
        "PyTorch": "Tensor from_numpy randn rand randint cat mm bmm mv addmm baddbmm permute view unsqueeze clamp "
        "masked_fill masked_select index_select gather scatter scatter_add no_grad detach item requires_grad narrow "
        "chunk kthvalue mode numel dropout layer_norm batch_norm embedding linear cross_entropy mse_loss nll_loss "
        "binary_cross_entropy cosine_similarity cdist bernoulli multinomial normal manual_seed lgamma mvlgamma frac lerp "
        "addcmul addcdiv diag_embed logcumsumexp cummax cummin aminmax std_mean var_mean unique_consecutive histc "
        "bucketize chain_matmul ger dist cholesky_inverse inverse symeig pinverse matrix_exp matrix_rank backward "
        "autograd optim is_tensor is_nonzero repeat_interleave expand expand_as cartesian_prod tensor_split unbind "
        "index_add index_copy index_fill take_along_dim movedim swapdims t adjoint ne logdet lu svd_lowrank",
        "Keras": "variable placeholder batch_dot batch_flatten categorical_crossentropy binary_crossentropy "
        "sparse_categorical_crossentropy reduce_sum reduce_mean reduce_max reduce_logsumexp clip_by_value random_normal "
        "sequence_mask boolean_mask GradientTape function assign",
        "PyTensor": "ifelse scan softmax log_softmax get_underlying_scalar_constant_value blockwise math signal "
        "rewriting rewrite printing raise_op optimize minimize root xtensor",
    },
    "tensordsl": {
        "JAX": "jit value_and_grad vjp jvp vmap jacfwd jacrev jacobian hessian checkpoint custom_vjp pmap numpy nn lax "
        "tree_map tree_util relu softmax cond fori_loop sum exp matrix dmatrix zeros",
        "PyTensor": "dprint graph_replace rewrite_graph as_symbolic pushforward pullback sparse typed_list",
        "others": "GradientTape backward no_grad optim device Tensor placeholder sgd adam",
    },
}
CASES = [(module, n) for module, lists in OTHERS.items() for names in lists.values() for n in names.split()]


@pytest.mark.parametrize(
    "module, name, words",
    [
        (
            T,
            "scan",
            "it is tensordsl.scan, with map, reduce, foldl, foldr, scan_checkpoints and loop beside it (docs/porting.md)",
        ),
        (T, "conv2d", "convolutions are T.nnet.conv2d, conv3d, conv2d_transpose and causal_conv1d (docs/porting.md)"),
        (T, "cholesky", "linear algebra is in tensordsl.tensor.linalg"),
        (T, "pool_2d", "it is in tensordsl.tensor.signal.pool (docs/porting.md)"),
        (T, "putmask", "T.set_subtensor(x[index], y) makes a new tensor"),
        (tensordsl, "functon", "did you mean 'function'?"),
        (T, "logsumexpp", "did you mean 'logsumexp'?"),
    ],
)
def test_what_to_do_instead(module: object, name: str, words: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    assert str(caught.value).startswith(f"module {module.__name__!r} has no attribute {name!r}")  # type: ignore[attr-defined]
    assert words in str(caught.value)


def test_names_like_none_are_said_to_be_missing_only() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'xyzzy'$"):
        T.xyzzy  # noqa: B018
    assert not hasattr(T, "__wrapped__")


@pytest.mark.parametrize(
    "statement, words",
    [
        ("from tensordsl.tensor import fft", "neither built nor planned yet"),
        ("import tensordsl.tensor.signal.conv", "convolutions are T.nnet.conv2d"),
        ("from tensordsl.tensor.signal import xyzzy", "cannot import name 'xyzzy'"),
        ("import tensordsl.sandbox.cuda", "config.device"),
        ("from tensordsl.gof import COp", "define perform"),
        ("from tensordsl.gof import local_optimizer", "rewrites are rules and passes"),
        ("from tensordsl.tensor.opt import Assert, register_canonicalize", "rewrites are rules"),
        ("from tensordsl.tensor.opt import xyzzy", "cannot import name 'xyzzy'"),
        ("import tensordsl.xyzzy", None),
    ],
)
def test_a_module_that_is_not_here(statement: str, words: str | None) -> None:
    with pytest.raises(ImportError, match=words or "No module named"):
        exec(statement)


@pytest.mark.parametrize("module, name", CASES)
def test_a_name_of_another_library_says_what_to_write_and_guesses_nothing(module: str, name: str) -> None:
    try:
        getattr(import_module(module), name)
    except AttributeError as error:
        text = str(error)
        assert "(docs/porting.md)" in text and "did you mean" not in text, text


@pytest.mark.parametrize(
    "name, words",
    [
        ("relu", "`T.nnet.relu(x)`"), ("cond", "`T.switch(condition, a, b)`"), ("trapz", "`T.trapezoid`"),
        ("jit", "`tensordsl.function([x], y)`"), ("value_and_grad", "`T.grad(cost, [x])`|T.grad"),
        ("elu", "`tensordsl.tensor.nnet.elu`"), ("poisson", "`tensordsl.tensor.random.poisson`"),
        ("isnat", "numpy.isnat works on arrays"),
    ],
)  # fmt: skip
def test_what_is_said(name: str, words: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(T, name)
    assert re.search(words.replace("(", r"\(").replace(")", r"\)").replace("[", r"\["), str(caught.value))


def test_what_is_named_exists() -> None:
    for text in (*ROWS.values(), *INSTEAD.values()):
        for path in re.findall(r"\b((?:T|tensordsl)(?:\.[a-zA-Z_]\w*)+)", text):
            first, *rest = path.split(".")
            found = T if first == "T" else tensordsl
            for part in rest:
                found = getattr(found, part)


def test_only_slips_are_guessed() -> None:
    for typed, meant in (("functon", "function"), ("Function", "function"), ("funciton", "function")):
        with pytest.raises(AttributeError, match=f"did you mean '{meant}'"):
            getattr(tensordsl, typed)
    for name in ("nnx", "geterr2", "matrx_of", "sofmax", "re", "lex"):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'$"):
            getattr(T, name)


def test_names_of_others_in_import_statements() -> None:
    with pytest.raises(ImportError, match=r"`T\.nnet\.relu\(x\)`"):
        from tensordsl.tensor import relu  # noqa: F401
    with pytest.raises(ImportError, match="functions of arrays are in"):
        import tensordsl.numpy  # noqa: F401


def test_pydotprint_names_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"tensordsl\.printing\.debugprint prints expressions as trees"):
        tensordsl.printing.pydotprint  # noqa: B018
