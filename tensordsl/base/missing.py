"""The error for a name that a module lacks: names of Theano, PyTensor, NumPy that are not here, else similar ones."""

from __future__ import annotations

from collections.abc import Iterable

_LOOPS = "it is tensordsl.scan, with map, reduce, foldl, foldr, scan_checkpoints and loop beside it"
_POOLING = "it is in tensordsl.tensor.signal.pool"
_CONVOLUTION = "convolutions are T.nnet.conv2d, conv3d, conv2d_transpose and causal_conv1d"
_LINEAR_ALGEBRA = "linear algebra is in tensordsl.tensor.linalg, and under Theano's names in nlinalg and slinalg"
_OPERATIONS = "operations of one's own compute with NumPy: define perform (docs/custom-ops.md)"
_REWRITES = "rewrites are rules and passes of the compiler (docs/adding-a-rule.md)"
INSTEAD: dict[str, str] = {
    **dict.fromkeys(("scan", "map", "reduce", "foldl", "foldr", "scan_checkpoints", "while_loop"), _LOOPS),
    **dict.fromkeys(("conv", "conv2d", "conv3d"), _CONVOLUTION),
    **dict.fromkeys(("pool_2d", "pool_3d", "max_pool_2d"), _POOLING),
    **dict.fromkeys(
        ("cholesky", "solve", "svd", "eig", "eigh", "det", "matrix_inverse", "pinv", "qr", "slogdet", "lstsq"),
        _LINEAR_ALGEBRA,
    ),
    **dict.fromkeys(("sparse", "fft"), "neither built nor planned yet"),
    "typed_list": "Python's own lists of variables hold variables, and T.stack makes a tensor of those of one shape",
    **dict.fromkeys(("neighbours", "ctc"), "neither built nor planned yet"),
    "d3viz": "tensordsl.printing.debugprint prints expressions",
    **dict.fromkeys(("COp", "ExternalCOp", "OpenMPOp", "CLinkerOp", "CLinkerObject", "c_code"), _OPERATIONS),
    **dict.fromkeys(("cuda", "gpuarray"), "functions run on a device by config.device, see docs/gpu.md"),
    **dict.fromkeys(
        ("local_optimizer", "optdb", "register_canonicalize", "register_specialize", "register_stabilize"), _REWRITES
    ),
    "pydotprint": "tensordsl.printing.debugprint prints expressions as trees, pp as formulas; pictures are not drawn",
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
    from tensordsl.base.foreign_names import ROWS  # late: only errors need it

    instead = next((INSTEAD[part] for part in name.split(".") if part in INSTEAD), ROWS.get(name.rpartition(".")[2]))
    if instead is not None:
        # Not ModuleNotFoundError, which `from package import module` answers with another message.
        raise ImportError(f"there is no module {name}: {instead} (docs/porting.md)", name=name)


def missing(module: str, name: str, known: Iterable[str]) -> AttributeError:
    """The error for `module.name`: what there is instead, where the name is here, or which of `known`, what the module
    has, differs by one slip.  A guess that is wrong misleads: what is only similar is not named.

    >>> str(missing("tensordsl.tensor", "sqqrt", ["softmax", "sqrt"]))
    "module 'tensordsl.tensor' has no attribute 'sqqrt'; did you mean 'sqrt'?"
    """
    text = f"module {module!r} has no attribute {name!r}"
    if name.startswith("__"):
        return AttributeError(text)
    instead = _instead(module, name)
    if instead:
        return AttributeError(f"{text}: {instead} (docs/porting.md)")
    public = [k for k in dict.fromkeys(known) if not k.startswith("_")]
    near = [k for k in public if _spelled(k) == _spelled(name)] or [k for k in public if _is_slip(name, k)]
    return AttributeError(f"{text}; did you mean {near[0]!r}?" if len(near) == 1 else text)


# Modules, below `tensordsl`, that may have what was looked for in another.
_HOMES = ("tensor", "", "tensor.nnet", "tensor.linalg", "tensor.special", "gradient", "printing", "tensor.random")


def _instead(module: str, name: str) -> str:
    """What to write for a name that is not here; "" if nothing is known of it."""
    if name in INSTEAD:
        return INSTEAD[name]
    from tensordsl.base.foreign_names import ROWS  # late: only errors need it

    own = module.rpartition(".")[2]
    if name in ROWS and f"T.{own}.{name}" not in ROWS[name]:
        return ROWS[name]
    for home in [f"tensordsl.{path}".rstrip(".") for path in _HOMES]:
        if home != module and name in _names_of(home):
            return f"it is `{home}.{name}`"
    import numpy as np  # late, as above

    if callable(getattr(np, name, None)):
        return f"numpy.{name} works on arrays: before or after a call"
    return ""


def _names_of(home: str) -> frozenset[str]:
    from importlib import import_module

    module = import_module(home)
    return frozenset(getattr(module, "__all__", ())) | {
        name for name, value in vars(module).items() if callable(value) and not name.startswith("_")
    }


def _spelled(name: str) -> str:
    return name.lower().replace("_", "")


def _is_slip(typed: str, meant: str) -> bool:
    """Whether one letter is missing, too many, another or exchanged with the next; cases and underscores apart."""
    a, b = _spelled(typed), _spelled(meant)
    if min(len(a), len(b)) < 4 or abs(len(a) - len(b)) > 1:
        return False
    first = next((k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    rest_a, rest_b = a[first:], b[first:]
    is_exchanged = rest_a[:2] == rest_b[1::-1] and rest_a[2:] == rest_b[2:]
    return rest_a[1:] == rest_b or rest_a == rest_b[1:] or rest_a[1:] == rest_b[1:] or is_exchanged
