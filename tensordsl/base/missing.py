"""The error for a name that a module lacks: names of Theano, PyTensor, NumPy that are not here, else similar ones."""

from __future__ import annotations

from collections.abc import Iterable

_LOOPS = "it is tensordsl.scan, with map, reduce, foldl, foldr, scan_checkpoints and loop beside it"
_CONVOLUTION = "convolution and pooling are not built yet"
_LINEAR_ALGEBRA = "linear algebra is in tensordsl.tensor.linalg, and under Theano's names in nlinalg and slinalg"
_OPERATIONS = "operations of one's own compute with NumPy: define perform (docs/custom-ops.md)"
_REWRITES = "rewrites are rules and passes of the compiler (docs/adding-a-rule.md)"
INSTEAD: dict[str, str] = {
    **dict.fromkeys(("scan", "map", "reduce", "foldl", "foldr", "scan_checkpoints", "while_loop"), _LOOPS),
    **dict.fromkeys(("conv", "conv2d", "conv3d", "signal", "pool", "pool_2d", "downsample"), _CONVOLUTION),
    **dict.fromkeys(
        ("cholesky", "solve", "svd", "eig", "eigh", "det", "matrix_inverse", "pinv", "qr", "slogdet", "lstsq"),
        _LINEAR_ALGEBRA,
    ),
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
    **dict.fromkeys(("softmax", "log_softmax"), "it is in T.special, with Theano's axes in T.nnet"),
    "math": "its functions are in tensordsl.tensor itself",
    "dprint": "it is tensordsl.printing.debugprint",
    "graph_replace": "it is tensordsl.clone_replace",
    "vmap": "it is tensordsl.tensor.vectorize",
    # NumPy's that write into their arguments, or need values
    **dict.fromkeys(("put", "putmask", "place", "copyto"), "T.set_subtensor(x[index], y) makes a new tensor"),
    "put_along_axis": "T.set_subtensor(x[index], y) makes a new tensor",
    **dict.fromkeys(("apply_along_axis", "apply_over_axes"), "T.vectorize maps functions of variables over axes"),
    **dict.fromkeys(("polyfit", "roots", "polydiv", "trim_zeros"), "use NumPy before or after the call"),
    "raise_op": "T.opt.Assert checks values",
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
