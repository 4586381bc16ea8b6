"""The error for a name that a module lacks: names of Theano, PyTensor, NumPy that are not here, else similar ones."""

from __future__ import annotations

from collections.abc import Iterable

_LOOPS = "it is tensordsl.scan, with map, reduce, foldl, foldr, scan_checkpoints and loop beside it"
_CONVOLUTION = "convolution and pooling are not built yet"
_LINEAR_ALGEBRA = "linear algebra beyond products is not built yet; use NumPy before or after the call"
_OPERATIONS = "operations of one's own compute with NumPy: define perform (docs/custom-ops.md)"
_REWRITES = "rewrites are rules and passes of the compiler (docs/adding-a-rule.md)"
_NUMBERS = "RandomStreams(seed) of tensordsl.tensor.shared_randomstreams draws numbers"
INSTEAD: dict[str, str] = {
    **dict.fromkeys(("scan", "map", "reduce", "foldl", "foldr", "scan_checkpoints", "while_loop"), _LOOPS),
    **dict.fromkeys(("conv", "conv2d", "conv3d", "signal", "pool", "pool_2d", "downsample"), _CONVOLUTION),
    **dict.fromkeys(("linalg", "slinalg", "nlinalg", "cholesky", "solve", "svd", "eig", "eigh"), _LINEAR_ALGEBRA),
    **dict.fromkeys(("det", "matrix_inverse", "pinv", "qr"), _LINEAR_ALGEBRA),
    **dict.fromkeys(("sparse", "fft", "typed_list"), "neither built nor planned yet"),
    **dict.fromkeys(("neighbours", "ctc"), "neither built nor planned yet"),
    "d3viz": "tensordsl.printing.debugprint prints expressions",
    **dict.fromkeys(("COp", "ExternalCOp", "OpenMPOp", "CLinkerOp", "CLinkerObject", "c_code"), _OPERATIONS),
    **dict.fromkeys(("cuda", "gpuarray"), "functions run on a device by config.device, see docs/gpu.md"),
    **dict.fromkeys(
        ("local_optimizer", "optdb", "register_canonicalize", "register_specialize", "register_stabilize"), _REWRITES
    ),
    "pydotprint": "tensordsl.printing.debugprint prints expressions",
    "pkl_utils": "pickle stores variables, expressions and functions",
    # PyTensor's
    **dict.fromkeys(("special", "log_softmax"), "T.nnet has softmax and logsoftmax, T itself gammaln and its kin"),
    "softmax": "it is T.nnet.softmax",
    **dict.fromkeys(("random", "raw_random"), _NUMBERS),
    "math": "its functions are in tensordsl.tensor itself",
    "dprint": "it is tensordsl.printing.debugprint",
    "graph_replace": "it is tensordsl.clone_replace",
    **dict.fromkeys(("vectorize", "vectorize_graph", "vmap"), "write the operations for one axis more; they broadcast"),
    "raise_op": "T.opt.Assert checks values",
    "logit": "write T.log(p) - T.log1p(-p)",
    "betaln": "write T.gammaln(a) + T.gammaln(b) - T.gammaln(a + b)",
    # NumPy's
    **dict.fromkeys(("hstack", "vstack", "dstack", "column_stack", "append"), "use T.concatenate or T.stack"),
    **dict.fromkeys(("inner", "vdot", "vecdot", "matvec", "vecmat"), "use T.dot, T.einsum or x @ y"),
    "floor_divide": "write x // y",
    "true_divide": "write x / y",
    "remainder": "write x % y",
    "hypot": "write T.sqrt(x**2 + y**2)",
    **dict.fromkeys(("fmax", "fmin"), "write T.switch(T.isnan(x), y, T.switch(T.isnan(y), x, T.maximum(x, y)))"),
    **dict.fromkeys(("nansum", "nanmean", "nan_to_num"), "T.switch(T.isnan(x), 0, x) puts numbers in place of nan"),
    "count_nonzero": "write T.sum(T.neq(x, 0))",
    **dict.fromkeys(("quantile", "percentile"), "take T.sort(x)[k]: only the places that are used are sorted"),
    **dict.fromkeys(("partition", "argpartition"), "take T.sort(x)[:k] or T.topk: only what is used is sorted"),
    **dict.fromkeys(("fliplr", "flipud"), "write x[:, ::-1] or x[::-1]"),
    **dict.fromkeys(("meshgrid", "indices", "ix_"), "x[:, None] and y[None, :] broadcast"),
    **dict.fromkeys(("select", "piecewise"), "use T.switch, one within the other"),
    "digitize": "use T.searchsorted",
    "isin": "write T.any(T.eq(x[:, None], y[None, :]), axis=1)",
    "argwhere": "use T.nonzero",
    "extract": "write x[mask]",
    "newaxis": "write None",
    **dict.fromkeys(("pi", "inf", "nan"), "NumPy's numbers serve"),
}


def refuse_module(name: str) -> None:
    """Raise for a module of Theano's that is not here.

    >>> refuse_module("tensordsl.sparse")
    Traceback (most recent call last):
        ...
    ImportError: there is no module tensordsl.sparse: neither built nor planned yet (docs/porting.md)
    """
    instead = next((INSTEAD[part] for part in name.split(".") if part in INSTEAD), None)
    if instead is not None:
        # Not ModuleNotFoundError, which `from package import module` answers with another message.
        raise ImportError(f"there is no module {name}: {instead} (docs/porting.md)", name=name)


def missing(module: str, name: str, known: Iterable[str]) -> AttributeError:
    """The error for `module.name`.  `known`: what the module has.

    >>> str(missing("tensordsl.tensor", "sofmax_", ["softmax", "sqrt"]))
    "module 'tensordsl.tensor' has no attribute 'sofmax_'; did you mean 'softmax'?"
    """
    text = f"module {module!r} has no attribute {name!r}"
    if name in INSTEAD:
        return AttributeError(f"{text}: {INSTEAD[name]} (docs/porting.md)")
    if name.startswith("__"):
        return AttributeError(text)
    from difflib import get_close_matches

    near = get_close_matches(name, [k for k in known if not k.startswith("_")], n=1, cutoff=0.75)
    return AttributeError(f"{text}; did you mean {near[0]!r}?" if near else text)
