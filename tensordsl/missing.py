"""What the error for a name that a module lacks says: names of Theano's that are not here yet, else similar ones."""

from __future__ import annotations

from collections.abc import Iterable

_LOOPS = "not built yet; a Python loop of a fixed number of rounds builds the same graph"
_CONVOLUTION = "convolution and pooling are not built yet"
_LINEAR_ALGEBRA = "linear algebra beyond products is not built yet; use NumPy before or after the call"
_OPERATIONS = "custom operations are not supported; a new operation is a row (docs/adding-an-op.md)"
INSTEAD: dict[str, str] = {
    **dict.fromkeys(("scan", "map", "reduce", "foldl", "foldr", "scan_module"), _LOOPS),
    **dict.fromkeys(("conv", "conv2d", "conv3d", "signal", "pool", "pool_2d", "downsample"), _CONVOLUTION),
    **dict.fromkeys(("linalg", "slinalg", "nlinalg", "cholesky", "solve", "svd", "eig", "eigh"), _LINEAR_ALGEBRA),
    **dict.fromkeys(("det", "matrix_inverse", "pinv", "qr"), _LINEAR_ALGEBRA),
    **dict.fromkeys(("sparse", "fft", "typed_list"), "neither built nor planned yet"),
    "inplace": "updates work in place wherever nobody can see it; write x + y for add_inplace(x, y)",
    **dict.fromkeys(("as_op", "COp"), _OPERATIONS),
    **dict.fromkeys(("cuda", "gpuarray"), "functions run on a device by config.device, see docs/gpu.md"),
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
